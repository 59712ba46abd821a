"""Images of skin and a VAE as a model that the gate can judge and train again.

The images are photographs where the user has them (``FAIRNESS_DATA``), and generated phantoms where not; every record
says which.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fairness_checks import Predictions, predictions_from_autoencoder
from fairness_checks.sweep import DataSet, TrainableModel
from models.data.fitzpatrick17k import Fitzpatrick17k
from models.data.fitzpatrick17k_files import ARCHIVES
from models.data.images import LEVELS, ImageSet
from models.data.sources import DataUnavailable
from models.phantom.skin_phantom import skin_phantom
from models.vae_config import VAEConfig

if TYPE_CHECKING:
    from torch import nn

__all__ = ["skin_data", "skin_images", "skin_model"]

PHANTOMS = 400
"""Phantoms of each skin tone in the default gate."""


def skin_images(image_size: int, phantoms: int = PHANTOMS) -> ImageSet:
    """Return photographs if ``FAIRNESS_DATA`` holds them, else as many phantoms of each skin tone as are asked for.

    Of the archives the smaller one comes first: the gate reads no more than it needs, and its figures stay.

    Raises
    ------
    UnusableData
        The photographs are there and cannot be used; phantoms never take their place unasked.
    """
    try:
        return Fitzpatrick17k(archives=tuple(ARCHIVES)[::-1]).images(image_size)
    except DataUnavailable:
        return skin_phantom(phantoms, phantoms, size=image_size, seed=0)


def skin_data(images: ImageSet) -> DataSet:
    """Return images as rows to train on and to test with: the one feature is where an image stands in the set."""
    groups = {"skin_tone": images.skin_tone, "skin_type": [f"FST {number}" for number in images.skin_type.tolist()]}
    conditions = dict(
        zip(("condition_of_3", "condition_of_9", "condition"), map(images.conditions.get, LEVELS), strict=True)
    )
    return DataSet({"image": np.arange(len(images))}, None, groups | conditions)


def skin_model(
    images: ImageSet, config: VAEConfig, *, device: str = "cpu", perceptual: nn.Module | None = None, preset: str = ""
) -> TrainableModel:
    """Return a VAE of images of skin.

    An image's error is the root of its mean squared error, so that `mean_squared_error` is the mean of those; its
    uncertainty is the mean standard deviation of its latent code.

    Parameters
    ----------
    images : ImageSet
        Of the configuration's size.
    config : VAEConfig
        The network and its training.
    device : {"cpu", "cuda"}
        Where to train. On a CPU a training takes one thread, so that its numbers depend on nothing else.
    perceptual : Module, optional
        The perceptual loss; left out, also of the records, where its weight is 0.
    preset : str
        Name of the configuration, for the records.
    """
    pixels = images.pixels

    # Imported where it is needed: a run that finds all its results kept does without torch.
    def fit(train: DataSet, rng: np.random.Generator) -> Any:
        from models.train_vae import train_vae
        from models.vae_device import one_thread

        rows = train.features["image"].to_numpy()
        with one_thread(device):
            trained = train_vae(
                pixels[rows], config, seed=int(rng.integers(2**31)), device=device, perceptual=perceptual
            )
        return trained.vae

    def predict(fitted: Any, test: DataSet) -> Predictions:
        from models.vae_device import one_thread

        rows = test.features["image"].to_numpy()
        with one_thread(device):
            return predictions_from_autoencoder(
                fitted,
                pixels[rows],
                sensitive_features=test.sensitive_features,
                scaling="[-1, 1]",
                device=device,
            )

    if config.perceptual_weight == 0:  # as `train_vae` does; what never ran must not be on record
        perceptual = None
    source = "none" if perceptual is None else str(getattr(perceptual, "source", type(perceptual).__name__))
    about = {
        "data": f"{'synthetic' if images.synthetic else 'photographs'}, {images.source}",
        "images": f"{len(images):,} of {images.size} x {images.size} pixels, {len(images.left_out)} left out",
        "perceptual_loss": source,
        "device": device,
    }
    if preset:
        about["preset"] = preset
    return TrainableModel(skin_data(images), fit, predict, folds=5, about=about)
