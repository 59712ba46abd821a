"""The images of the dermatology study: photographs where the user has them, else phantoms.

Needs NumPy and Pillow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from models.data.fitzpatrick17k import Fitzpatrick17k
from models.data.fitzpatrick17k_files import UnusableData
from models.data.fitzpatrick17k_rows import SKIN_TYPE_LABELS
from models.data.images import ImageSet
from models.data.sources import DataUnavailable
from models.phantom.skin_phantom import skin_phantom
from models.vae_config import VAEConfig

__all__ = ["DATA", "data_record", "study_images"]

DATA = ("auto", "photographs", "phantoms")


def study_images(
    data: str,
    config: VAEConfig,
    seed: int = 0,
    *,
    photographs: Path | None = None,
    dark_types: Collection[int] = (5, 6),
    label: str = SKIN_TYPE_LABELS[0],
) -> ImageSet:
    """Return the images, at the size that the configuration asks for.

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
    photographs, dark_types, label
        Where the photographs are, which skin types are dark, and by whom; see
        `models.data.fitzpatrick17k.Fitzpatrick17k`.

    Raises
    ------
    DataUnavailable
        Photographs are asked for and there are none.
    UnusableData
        They are there and cannot be used, or are smaller than the configuration asks for; phantoms never take their
        place then.
    ValueError
        If `data` is another word.

    Examples
    --------
    >>> images = study_images("phantoms", VAEConfig.preset("cpu", train_images=5, test_images=3))
    >>> len(images), images.size, images.synthetic
    (16, 32, True)
    """
    if data not in DATA:
        raise ValueError(f"data is {data!r}: give one of {', '.join(DATA)}")
    if data != "phantoms":
        kept = Fitzpatrick17k(photographs, dark_types=dark_types, label=label)
        try:
            return kept.images(config.image_size)
        except DataUnavailable:
            if data == "photographs":
                raise
        except ValueError as error:  # most are smaller than that
            raise UnusableData(
                f"photographs too small for this preset: {error}, by a preset of smaller images, or give larger ones "
                "(--photographs), or --data phantoms"
            ) from None
    each = config.train_images + config.test_images
    return skin_phantom(each, each, size=config.image_size, seed=seed)


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
        "skin_types": {
            tone: np.unique(images.skin_type[images.skin_tone == tone]).tolist() for tone in ("light", "dark")
        },
        "left_out": dict(sorted(Counter(item.reason.partition(":")[0] for item in images.left_out).items())),
        "fingerprint": images.fingerprint(),
    }
