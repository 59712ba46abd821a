"""Training of the VAE: the same network from the same images and seed, whatever else the process did before.

The images lie on the device as bytes for the whole training, and each step gathers its batch there. Steps do not wait
for the device: their losses are looked at every few steps. On a CPU two trainings of one seed, configuration and number
of threads are equal bit for bit, also where one was interrupted and went on from its checkpoint; on a GPU cuDNN's sums
differ in their last bits.

Models are trained one after the other; several at once on one GPU has not been tried.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from models.vae import GaussianVAE, VAEConfig
from models.vae_device import fastest_convolutions, resolve_device, resolve_precision
from models.vae_files import checkpoints_possible, load_vae, require_place, save_vae
from models.vae_measure import ImageMeasurements, evaluation_mode, measure_images, reconstructions, require_pixels
from models.vae_steps import Report, Training, TrainingDiverged

__all__ = [
    "EpochLosses",
    "ImageMeasurements",
    "TrainedVAE",
    "TrainingDiverged",
    "load_vae",
    "measure_images",
    "reconstructions",
    "resolve_device",
    "save_vae",
    "train_vae",
]


@dataclass(frozen=True, slots=True)
class EpochLosses:
    """Mean over an epoch's images of each term of the loss; see `models.vae.LossTerms`.

    Attributes
    ----------
    reconstruction, kl, perceptual : float
        In nats the first two; the last without its weight.
    """

    reconstruction: float
    kl: float
    perceptual: float


@dataclass(frozen=True, slots=True, eq=False)
class TrainedVAE:
    """A trained network and how it came about.

    Attributes
    ----------
    vae : GaussianVAE
        In evaluation mode, on the device of the training.
    history : tuple of EpochLosses
        One an epoch.
    steps : int
        Steps of Adam, those before an interruption counted in.
    seconds : float
        Time of the epochs, likewise, without that of torch.compile.
    images_per_second : float
        Images seen over seconds.
    device : str
        Name of the GPU, or "cpu".
    precision : str
        "float32" or "bfloat16".
    seconds_of_translating : float
        That torch.compile took in this call; 0 for a step that was not compiled.
    """

    vae: GaussianVAE
    history: tuple[EpochLosses, ...]
    steps: int
    seconds: float
    images_per_second: float
    device: str
    precision: str
    seconds_of_translating: float = 0.0


def train_vae(
    pixels: npt.NDArray[np.uint8],
    config: VAEConfig,
    *,
    seed: int,
    device: str = "auto",
    precision: str = "auto",
    perceptual: nn.Module | None = None,
    checkpoint: Path | str | None = None,
    progress: Report | None = None,
    compiled: bool = False,
) -> TrainedVAE:
    """Train a VAE on images: Adam on the mean over a batch of minus ELBO plus the weighted perceptual loss.

    `models.vae.LossTerms` says what the terms are. An epoch is a fresh order of the images in full batches; the fewer
    than `batch_size` images left over wait for the next one, or are a batch of their own, as the configuration says.

    Parameters
    ----------
    pixels : ndarray of uint8
        (n, 3, S, S), 0 to 255, of n >= 1 images; with fewer than a batch, all of them are the batch.
    config : VAEConfig
        Network and training. Its `perceptual` names what the caller should pass as `perceptual`.
    seed : int
        At least 0; of weights, order and noise.
    device : {"auto", "cpu", "cuda"}
        Where to train.
    precision : {"auto", "float32", "bfloat16"}
        Of the convolutions; sums, losses and weights are float32 always. "auto" is the configuration's, and where
        that is "auto" too, bfloat16 on a GPU only.
    perceptual : Module, optional
        Called with reconstruction and target, (B, 3, S, S) each, returns (B,). Moved to the device; not trained: in
        evaluation mode for the time, and without gradients of its own. Left out where its weight is 0.
    checkpoint : Path or str, optional
        File that is rewritten after each epoch, and from which an interrupted training goes on; its folder must
        exist. It stays after the last epoch, so that the same call returns at once. Another training's or a damaged
        file is replaced, with a warning. Without safetensors a warning says that none is kept.
    progress : callable, optional
        Called with steps done, steps in all and the last loss, every few steps and after each epoch.
    compiled : bool
        Whether torch.compile translates the step first, which takes minutes, counted apart; changes the last bits of
        a result.

    Returns
    -------
    TrainedVAE
        The network, the losses and the speed.

    Raises
    ------
    TrainingDiverged
        If a loss is NaN or infinite, or a weight is after the last step.
    ValueError
        If pixels, seed, device or precision are not as described, or one image is all that a channel's mean is of.
    FileNotFoundError, IsADirectoryError
        If a checkpoint could not be written where it should be.

    Examples
    --------
    >>> images = np.random.default_rng(0).integers(0, 256, size=(8, 3, 32, 32), dtype=np.uint8)
    >>> trained = train_vae(images, VAEConfig.preset("cpu", epochs=2, batch_size=4), seed=0, device="cpu")
    >>> trained.steps, len(trained.history), trained.device
    (4, 2, 'cpu')
    """
    require_pixels(pixels, config)
    if len(pixels) < 1 or seed < 0:
        raise ValueError(f"{len(pixels)} images and seed {seed}: give at least one image, and a seed of at least 0")
    config.require_spread(min(config.batch_size, len(pixels)))
    if config.last_batch and len(pixels) % config.batch_size:
        config.require_spread(len(pixels) % config.batch_size)
    place = None if checkpoint is None else require_place(checkpoint)
    on = resolve_device(device)
    used_precision = resolve_precision(config.precision if precision == "auto" else precision, on)
    perceptual = perceptual if config.perceptual_weight > 0 else None
    if perceptual is not None:
        _require_form(perceptual, config)
        perceptual = perceptual.to(on).to(memory_format=torch.channels_last)
    kept = place if place is not None and checkpoints_possible() else None
    run = Training(pixels, config, seed, on, used_precision, perceptual, progress, compiled)
    identity = _identity(pixels, config, seed, on, used_precision, perceptual, compiled) if kept else {}
    with fastest_convolutions(on), _frozen(perceptual):
        run.finish(kept, identity)
    losses = tuple(EpochLosses(*row) for row in run.losses.tolist())
    steps = config.epochs * run.steps_an_epoch
    speed = config.epochs * run.images_an_epoch / run.seconds
    name = torch.cuda.get_device_name(on) if on.type == "cuda" else "cpu"
    apart = run.seconds_of_translating
    return TrainedVAE(run.vae.eval(), losses, steps, run.seconds, speed, name, used_precision, apart)


def _require_form(perceptual: nn.Module, config: VAEConfig) -> None:
    """Refuse a perceptual loss of sums beside means, or the reverse; a module that does not say is taken."""
    form = getattr(perceptual, "form", config.loss)
    if form != config.loss:
        raise ValueError(
            f"the perceptual loss is of {form}, and the configuration's loss of {config.loss}: make it by "
            f"perceptual_loss(..., form={config.loss!r})"
        )


@contextmanager
def _frozen(network: nn.Module | None) -> Iterator[None]:
    """Have a network neither learn nor gather gradients for a time; those of what it is called with still flow."""
    if network is None:
        yield
        return
    learning = [weights for weights in network.parameters() if weights.requires_grad]
    with evaluation_mode(network):
        try:
            for weights in learning:
                weights.requires_grad_(False)
            yield
        finally:
            for weights in learning:
                weights.requires_grad_(True)


def _identity(
    pixels: npt.NDArray[np.uint8],
    config: VAEConfig,
    seed: int,
    device: torch.device,
    precision: str,
    perceptual: nn.Module | None,
    compiled: bool,
) -> dict[str, str]:
    """Return all that a training depends on, so that no other one goes on from its checkpoint."""
    unnamed = "none" if perceptual is None else type(perceptual).__name__
    digest = hashlib.sha256(repr(pixels.shape).encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return {
        "configuration": json.dumps(config.describe_training(), sort_keys=True),
        "seed": str(seed),
        "training_images": digest.hexdigest(),
        "perceptual_loss": str(getattr(perceptual, "source", unnamed)),
        "device": device.type,
        "precision": precision,
        "compilation": str(compiled),
        "version_of_torch": torch.__version__,
    }
