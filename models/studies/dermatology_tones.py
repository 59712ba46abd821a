"""What can be measured of photographs of skin: the tone of their skin pixels, and which are nearly the same.

Needs NumPy alone.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models.data.images import shrunk

__all__ = ["DARKEST_LIGHT", "LIGHTEST_DARK", "NearDuplicates", "near_duplicates", "typology_angles"]

DARKEST_LIGHT = 41.0
"""Above this angle, in degrees, skin is "light" or "very light" (Chardon et al. 1991)."""

LIGHTEST_DARK = 10.0
"""At or below this one it is "brown" or "dark"."""

_FEWEST = 0.1  # share of a picture's pixels that must be skin
_SMALL = 16  # pixels an edge at which pictures are compared
_ALIKE = 0.97
_CHUNK = 512
Pixels = npt.NDArray[np.uint8]
_TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
_WHITE = _TO_XYZ.sum(axis=1)  # D65


def typology_angles(pixels: Pixels) -> npt.NDArray[np.float64]:
    """Return the individual typology angle of each picture's skin, in degrees; the lighter, the higher.

    It is arctan((L* - 50) / b*), of the medians over the pixels that a rule of chrominance takes for skin: Cb from 77
    to 127 and Cr from 133 to 173 (Chai and Ngan 1999), as the authors of Fitzpatrick17k have it. A photograph's
    exposure and a lesion that fills it move the angle; it is no measurement of a person.

    Parameters
    ----------
    pixels : ndarray of uint8
        (n, 3, S, S); sRGB.

    Returns
    -------
    ndarray, shape (n,)
        NaN where fewer than a tenth of the pixels are skin.

    Examples
    --------
    >>> plain = np.array([[230, 190, 165], [90, 55, 40], [20, 40, 200]], dtype=np.uint8)[:, :, None, None]
    >>> typology_angles(np.broadcast_to(plain, (3, 3, 8, 8))).round().tolist()
    [59.0, -56.0, nan]
    """
    angles = np.full(len(pixels), np.nan)
    for at, picture in enumerate(pixels):
        rgb = picture.reshape(3, -1).astype(np.float64)
        red, green, blue = rgb
        cb = 128 - 0.168736 * red - 0.331264 * green + 0.5 * blue
        cr = 128 + 0.5 * red - 0.418688 * green - 0.081312 * blue
        skin = (cb >= 77) & (cb <= 127) & (cr >= 133) & (cr <= 173)
        if skin.mean() >= _FEWEST:
            lightness, yellowness = np.median(_lab(rgb[:, skin]), axis=1)
            angles[at] = np.degrees(np.arctan2(lightness - 50, max(yellowness, 1e-9)))
    return angles


def _lab(rgb: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return L* and b* of sRGB colours of 0 to 255, (3, k) -> (2, k)."""
    shares = rgb / 255
    linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
    xyz = (_TO_XYZ @ linear) / _WHITE[:, None]
    _, y, z = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack([116 * y - 16, 200 * (y - z)])


class NearDuplicates(NamedTuple):
    """Pairs of pictures that are nearly the same.

    Attributes
    ----------
    pairs : ndarray of int, shape (k, 2)
        Positions, the smaller first.
    """

    pairs: npt.NDArray[np.intp]

    def any_of(self, images: int) -> npt.NDArray[np.bool_]:
        """Say of each of so many images whether it has a near-duplicate."""
        found = np.zeros(images, dtype=bool)
        found[self.pairs.ravel()] = True
        return found


def near_duplicates(pixels: Pixels) -> NearDuplicates:
    """Return the pairs of pictures that correlate by 0.97 or more at 16 x 16 pixels, each channel less its mean.

    Exposure and compression change neither; a crop or a mirror image is not found, so that there are more.

    Parameters
    ----------
    pixels : ndarray of uint8
        (n, 3, S, S); S a multiple of 16, or smaller.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> pictures = rng.integers(40, 200, (4, 3, 16, 16)).astype(np.uint8)
    >>> pictures[3] = pictures[1] + 20
    >>> near_duplicates(pictures).pairs.tolist()
    [[1, 3]]
    """
    small = shrunk(pixels, _SMALL) if pixels.shape[-1] > _SMALL else pixels
    flat = small.reshape(*small.shape[:2], -1).astype(np.float32)
    flat -= flat.mean(axis=2, keepdims=True)
    flat = flat.reshape(len(flat), -1)
    flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)
    pairs = [np.empty((0, 2), dtype=np.intp)]
    for start in range(0, len(flat), _CHUNK):
        rows, columns = np.nonzero(flat[start : start + _CHUNK] @ flat.T >= _ALIKE)
        pairs.append(np.stack([rows + start, columns], axis=1)[rows + start < columns])
    return NearDuplicates(np.concatenate(pairs))
