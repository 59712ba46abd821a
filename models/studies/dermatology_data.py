"""The images of the dermatology study: photographs where the user has them, else phantoms; and at which size.

Needs NumPy and Pillow.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from models.data.fitzpatrick17k import Fitzpatrick17k
from models.data.fitzpatrick17k_files import UnusableData
from models.data.images import ImageSet
from models.data.sources import DataUnavailable
from models.phantom.skin_phantom import skin_phantom
from models.vae_config import VAEConfig

__all__ = ["DATA", "data_record", "halved", "study_images"]

DATA = ("auto", "photographs", "phantoms")
_SMALLEST = 16  # pixels along an edge


def study_images(data: str, config: VAEConfig, seed: int = 0) -> tuple[ImageSet, VAEConfig]:
    """Return the images, and the configuration at their size.

    Photographs that are smaller than the preset asks for are not enlarged: they are used at the half, or a quarter, of
    the size, and the network loses its outermost blocks, so that its latent code stays the same; see `halved`.
    Of phantoms there are as many of each skin tone as a test and a training set hold; at the size of the paper these
    are 2,168, as many as Fitzpatrick17k has of dark skin.

    Parameters
    ----------
    data : {"auto", "photographs", "phantoms"}
        "auto" is photographs if ``FAIRNESS_DATA`` holds them.
    config : VAEConfig
        The preset.
    seed : int
        Of the phantoms.

    Raises
    ------
    DataUnavailable
        Photographs are asked for and there are none.
    UnusableData
        They are there and cannot be used; phantoms never take their place then.
    ValueError
        If `data` is another word.

    Examples
    --------
    >>> images, _ = study_images("phantoms", VAEConfig.preset("cpu", train_images=5, test_images=3))
    >>> len(images), images.size, images.synthetic
    (16, 32, True)
    """
    if data not in DATA:
        raise ValueError(f"data is {data!r}: give one of {', '.join(DATA)}")
    if data != "phantoms":
        try:
            return _photographs(config)
        except DataUnavailable:
            if data == "photographs":
                raise
    each = config.train_images + config.test_images
    return skin_phantom(each, each, size=config.image_size, seed=seed), config


def halved(config: VAEConfig) -> VAEConfig:
    """Return the network for images of half the size: without its outermost block, with the same latent code.

    A pixel stands for four of the original's, so that divergence and perceptual loss weigh a quarter; see
    `VAEConfig.kl_weight`.

    Examples
    --------
    >>> smaller = halved(VAEConfig.preset("paper"))
    >>> smaller.image_size, smaller.widths, smaller.latent_shape, smaller.kl_weight
    (64, (128, 256, 512), (64, 8, 8), 0.25)
    """
    return replace(
        config,
        image_size=config.image_size // 2,
        widths=config.widths[1:],
        kl_weight=config.kl_weight / 4,
        perceptual_weight=config.perceptual_weight / 4,
    )


def _photographs(config: VAEConfig) -> tuple[ImageSet, VAEConfig]:
    try:
        return Fitzpatrick17k().images(config.image_size), config
    except ValueError as error:  # most are smaller than that
        if len(config.widths) < 2 or config.image_size // 2 < _SMALLEST:
            raise UnusableData(f"photographs too small for the study: {error}; or give --data phantoms") from None
        return _photographs(halved(config))


def data_record(images: ImageSet) -> dict[str, Any]:
    """Return what a record says of the images, in plain builtins; no name of an image is among it.

    Examples
    --------
    >>> data_record(skin_phantom(2, 3, size=8))["dark"]
    3
    """
    return {
        "name": images.name,
        "synthetic": images.synthetic,
        "source": images.source,
        "licence": images.licence,
        "image_size": images.size,
        "light": int((images.skin_tone == "light").sum()),
        "dark": int((images.skin_tone == "dark").sum()),
        "left_out": dict(sorted(Counter(item.reason.partition(":")[0] for item in images.left_out).items())),
        "fingerprint": images.fingerprint(),
    }
