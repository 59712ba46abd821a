"""One training of the dermatology study: a VAE of one mix in one repeat, trained, measured and let go.

Needs torch and NumPy; safetensors, where installed, keeps an unfinished training of a CPU.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from models.perceptual import Form, Kind, PerceptualLoss, perceptual_loss
from models.studies.dermatology_protocol import TONES, fit_seed, split, training_rows
from models.train_vae import train_vae
from models.vae_config import VAEConfig
from models.vae_measure import measure_images, reconstructions

__all__ = ["EXAMPLES", "Setup", "Task", "measured", "perceptual_of"]

EXAMPLES = 6
"""Test phantoms of each skin tone that are kept with their reconstructions."""

Array = npt.NDArray[Any]


class Task(NamedTuple):
    """Which training, in which file it is kept, and all that it depends on."""

    mix: str
    repeat: int
    path: Path
    key: str


@dataclass(frozen=True, slots=True, eq=False)
class Setup:
    """What all trainings have in common; travels to each process once."""

    pixels: npt.NDArray[np.uint8]
    tones: npt.NDArray[np.str_]
    synthetic: bool
    config: VAEConfig
    test_images: int
    seed: int
    device: str  # "cpu" or "cuda"
    compiled: bool = False


def perceptual_of(config: VAEConfig) -> PerceptualLoss | None:
    """Return the perceptual loss that a configuration names; None where its weight is 0."""
    if config.perceptual_weight == 0:
        return None
    return perceptual_loss(cast(Kind, config.perceptual), form=cast(Form, config.loss))


def measured(setup: Setup, task: Task, loss: PerceptualLoss | None) -> dict[str, Array]:
    """Train one VAE and return all that is kept of it."""
    parts = split(setup.tones, setup.test_images, setup.seed, task.repeat)
    rows = training_rows(parts, task.mix, setup.config.train_images, setup.seed, task.repeat)
    checkpoint = task.path.with_suffix(".safetensors") if _checkpoints(setup.device) else None
    trained = train_vae(
        setup.pixels[rows],
        setup.config,
        seed=fit_seed(task.mix, setup.seed, task.repeat),
        device=setup.device,
        perceptual=loss,
        checkpoint=checkpoint,
        compiled=setup.compiled,
    )
    tested = setup.pixels[parts.test.ravel()]
    found = measure_images(trained.vae, tested, device=setup.device)
    arrays: dict[str, Array] = {
        "test": parts.test,
        "mse": found.mse,
        "latent_sd": found.latent_sd,
        "kl": found.kl,
        "trained": np.array([np.count_nonzero(setup.tones[rows] == tone) for tone in TONES]),
        "distinct": np.array([np.count_nonzero(setup.tones[np.unique(rows)] == tone) for tone in TONES]),
        "losses": np.array([(e.reconstruction, e.kl, e.perceptual) for e in trained.history]),
        "seconds": np.array(trained.seconds),
        "images_per_second": np.array(trained.images_per_second),
        "device": np.array(trained.device),
        "precision": np.array(trained.precision),
    }
    if setup.synthetic and task.repeat == 0:  # of photographs no picture is kept, in whatever form
        shown = setup.pixels[parts.test[:, :EXAMPLES]]  # (2, k, 3, S, S)
        again = reconstructions(trained.vae, shown.reshape(-1, *shown.shape[2:]), device=setup.device)
        arrays |= {"original": shown, "reconstructed": again.reshape(shown.shape)}
    if checkpoint is not None:
        checkpoint.unlink(missing_ok=True)
    return arrays


def _checkpoints(device: str) -> bool:
    """Say whether unfinished trainings are kept: on a GPU, where one takes seconds, writing would take longer."""
    return device == "cpu" and importlib.util.find_spec("safetensors") is not None
