"""One training of the dermatology study: a VAE of one mix in one repeat, trained, measured and let go.

Needs torch and NumPy; safetensors, where installed, keeps an unfinished training of a CPU.
"""

from __future__ import annotations

import importlib.util
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from models.perceptual import Form, Kind, PerceptualLoss, perceptual_loss
from models.studies.dermatology_protocol import TONES, fit_seed, split, training_rows
from models.studies.dermatology_store import MEASURES
from models.train_vae import save_vae, train_vae
from models.vae_config import VAEConfig
from models.vae_measure import measure_images, reconstructions
from models.vgg_weights import find_weights

__all__ = ["EXAMPLES", "Setup", "Task", "Vgg", "measured", "network_file", "vgg_of"]

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
    vgg: Path | None = None  # file of its weights, where not one that is found
    keep_networks: bool = False


class Vgg(NamedTuple):
    """The network of the loss, and the one by whose features reconstructions are judged, if any."""

    loss: PerceptualLoss | None
    features: PerceptualLoss | None

    @property
    def loss_source(self) -> str:
        """Return which network the loss has."""
        return "none" if self.loss is None else self.loss.source

    @property
    def features_source(self) -> str:
        """Return which network the feature error is of."""
        return "none" if self.features is None else self.features.source


def vgg_of(config: VAEConfig, weights: Path | None = None) -> Vgg:
    """Return the networks of a configuration.

    The feature error is the published code's whatever the loss, so that figures of presets compare; it takes a
    pre-trained network, and is not measured where none is at hand and the loss needs none.

    Parameters
    ----------
    config : VAEConfig
        Names the network of the loss, which is none where its weight is 0.
    weights : Path, optional
        File of VGG19's or VGG16's weights, where not one that is found.

    Raises
    ------
    PerceptualWeightsError
        The weights that the configuration asks for are not at hand.
    """
    kind = cast(Kind, config.perceptual if config.perceptual_weight > 0 else "none")
    given = None if kind in ("random", "none") else weights
    loss = perceptual_loss(kind, weights=given, form=cast(Form, config.loss))
    if loss is not None and loss.pretrained and loss.form == "means":
        return Vgg(loss, loss)
    if weights is None and find_weights("vgg") is None:
        return Vgg(loss, None)
    return Vgg(loss, perceptual_loss("vgg", weights=weights, form="means"))


def network_file(task: Task) -> Path:
    """Return where the trained network of a training is kept, if it is."""
    return task.path.parent.with_name("networks") / task.path.with_suffix(".safetensors").name


def measured(setup: Setup, task: Task, vgg: Vgg) -> dict[str, Array]:
    """Train one VAE and return all that is kept of it."""
    start = time.process_time()
    parts = split(setup.tones, setup.test_images, setup.seed, task.repeat)
    rows = training_rows(parts, task.mix, setup.config.train_images, setup.seed, task.repeat)
    checkpoint = task.path.with_suffix(".safetensors") if _checkpoints(setup.device) else None
    trained = train_vae(
        setup.pixels[rows],
        setup.config,
        seed=fit_seed(task.mix, setup.seed, task.repeat),
        device=setup.device,
        perceptual=vgg.loss,
        checkpoint=checkpoint,
        compiled=setup.compiled,
    )
    tested = setup.pixels[parts.test.ravel()]
    found = measure_images(trained.vae, tested, device=setup.device, perceptual=vgg.features)
    if setup.keep_networks:
        network_file(task).parent.mkdir(exist_ok=True)
        save_vae(trained.vae, network_file(task))
    arrays: dict[str, Array] = {
        "test": parts.test,
        **{name: getattr(found, name) for name in MEASURES},
        "trained": np.array([np.count_nonzero(setup.tones[rows] == tone) for tone in TONES]),
        "distinct": np.array([np.count_nonzero(setup.tones[np.unique(rows)] == tone) for tone in TONES]),
        "losses": np.array([(e.reconstruction, e.kl, e.perceptual) for e in trained.history]),
        "seconds": np.array(trained.seconds),
        "cpu_seconds": np.array(time.process_time() - start),
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
