"""What makes the groups of the skin phantom equally hard, or unequally by a known amount. NumPy alone."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from models.phantom.optics import BLOOD, MELANIN, encode_srgb, skin_colour

__all__ = ["on_skin", "planted_noise"]

Float32Array = npt.NDArray[np.float32]


def planted_noise(rng: np.random.Generator, shape: tuple[int, ...], deviation: float) -> Float32Array:
    """Return whole grey levels of either sign with mean 0, variance exactly deviation^2 and no tails.

    The magnitude is one of the two whole numbers around the deviation, in the proportion that gives the variance.

    Parameters
    ----------
    rng : numpy.random.Generator
        Generator.
    shape : tuple of int
        Shape of the result.
    deviation : float
        In grey levels, 0 or more; need not be whole.

    Examples
    --------
    >>> np.unique(planted_noise(np.random.default_rng(0), (1000,), 2.5)).tolist()
    [-3.0, -2.0, 2.0, 3.0]
    """
    low = np.floor(deviation)
    share = (deviation**2 - low**2) / (2.0 * low + 1.0)
    magnitude = low + (rng.random(shape, dtype=np.float32) < share)
    signs: Float32Array = np.where(rng.random(shape, dtype=np.float32) < 0.5, -magnitude, magnitude).astype(np.float32)
    return signs


@cache
def _matched_tones() -> Float32Array:
    """Return the sRGB colours (6, 3) on which matched images are put; both groups' types differ by the same step."""
    melanin = np.array([np.sqrt(low * high) for low, high in MELANIN.values()])
    linear = skin_colour(melanin, np.sqrt(BLOOD[0] * BLOOD[1]))
    luminance = linear @ np.array([0.2126, 0.7152, 0.0722])
    exposure = (0.26 / luminance[:, None]) ** 0.45
    balance = (luminance[:, None] / linear) ** 0.30  # as a camera would, lest dark skin leave no room in blue
    shown = encode_srgb((linear * exposure * balance).astype(np.float32))
    step = ((shown[0] - shown[1]) + (shown[4] - shown[5])) / 4.0
    middle = np.stack([shown[:2].mean(axis=0), shown[4:].mean(axis=0)])
    tones = np.full((6, 3), np.nan, dtype=np.float32)
    tones[[0, 1, 4, 5]] = np.stack([middle[0] + step, middle[0] - step, middle[1] + step, middle[1] - step])
    return tones


def on_skin(deviation: Float32Array, skin_type: npt.NDArray[np.int_], margin: float) -> Float32Array:
    """Put deviations from plain skin on the skin of another type; no pixel then comes nearer to 0 or 255 than margin.

    The bounds are those of the darkest and the lightest type, the same for all images.

    Parameters
    ----------
    deviation : ndarray of float32
        (n, 3, size, size); photographs less the colour of plain skin in them, in grey levels.
    skin_type : ndarray of int
        (n,); 1, 2, 5 or 6: the skin to put them on.
    margin : float
        In grey levels.

    Examples
    --------
    >>> shown = on_skin(np.full((2, 3, 1, 1), -300, np.float32), np.array([1, 6]), 10.0)
    >>> bool((shown >= 10).all()), bool((shown[0] > shown[1]).all())
    (True, True)
    """
    tones = _matched_tones()
    room = np.ceil(margin) + 1.0
    below = (np.nanmin(tones, axis=0) - room).astype(np.float32)[:, None, None]
    above = (255.0 - room - np.nanmax(tones, axis=0)).astype(np.float32)[:, None, None]
    pressed = np.where(deviation < 0, below * np.tanh(deviation / below), above * np.tanh(deviation / above))
    shown: Float32Array = pressed + tones[skin_type - 1][:, :, None, None]
    return shown
