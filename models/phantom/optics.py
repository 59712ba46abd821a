"""Colour of skin from its melanin and blood: two layers, published absorption spectra, CIE 1931 and sRGB.

Light crosses the epidermis (melanin), is scattered back by the dermis (blood), and crosses the epidermis again:

    R(lambda) = r + (1 - r) exp(-2 d mu_epidermis) R_dermis        R_dermis = 1 + k - sqrt(k^2 + 2 k),  k = K / S

with the Kubelka-Munk K = 2 mu_dermis and S = 3/4 mu_s'. Cotton and Claridge ("Developing a predictive model of human
skin coloring", SPIE 1996) and Alotaibi and Smith ("A biophysical 3D morphable model of face appearance", ICCV
workshops 2017) use the same layers. The coefficients are those of Jacques (2013,
https://doi.org/10.1088/0031-9155/58/11/R37, and https://omlc.org/news/jan98/skinoptics.html) and Prahl's table of
haemoglobin (https://omlc.org/spectra/hemoglobin/summary.html). NumPy alone.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

__all__ = ["BLOOD", "MELANIN", "encode_srgb", "skin_colour", "skin_colours", "skin_reflectance"]

FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]

MELANIN = {
    1: (0.006, 0.014),
    2: (0.034, 0.045),
    3: (0.069, 0.080),
    4: (0.110, 0.142),
    5: (0.190, 0.370),
    6: (0.435, 0.570),
}
"""Volume fraction of melanosomes in the epidermis by Fitzpatrick type, lowest and highest.

Chosen so that plain skin has its individual typology angle, ITA = arctan((L* - 50) / b*), in the classes very light
(above 55 degrees), light (41 to 55), intermediate (28 to 41), tan (10 to 28), brown (-30 to 10) and dark (below -30)
of Chardon et al. (1991, https://doi.org/10.1111/j.1467-2494.1991.tb00561.x) and Del Bino and Bernerd (2013,
https://doi.org/10.1111/bjd.12529). A Fitzpatrick type is no ITA class: one stands for the other here.
"""

BLOOD = (0.010, 0.022)
"""Volume fraction of blood in the dermis of plain skin, lowest and highest."""

MELANIN_RANGE, BLOOD_RANGE = (0.002, 0.90), (0.0005, 0.30)
"""Volume fractions that the table of colours spans; a fraction outside takes the nearest end."""

_WAVELENGTH = np.arange(400.0, 701.0, 10.0)  # nm
# fmt: off
_OXYHAEMOGLOBIN = np.array(  # cm^-1 / (mol / l), at each wavelength
    [266232, 466840, 480360, 246072, 102580, 62816, 44480, 33209.2, 26629.2, 23684.4, 20932.8, 20035.2, 24202.4,
     39956.8, 53236, 43016, 32613.2, 44496, 50104, 14400.8, 3200, 1506, 942, 610, 442, 368, 319.6, 294, 277.6, 276,
     290],
)
_DEOXYHAEMOGLOBIN = np.array(  # the same
    [223296, 303956, 407560, 528600, 413280, 103292, 23388.8, 16156.4, 14550, 16684, 20862, 25773.6, 31589.6, 39036.4,
     46592, 53412, 53788, 45072, 37020, 28324.4, 14677.2, 9443.6, 6509.6, 5148.8, 4345.2, 3750.12, 3226.56, 2795.12,
     2407.92, 2051.96, 1794.28],
)
_DAYLIGHT = np.array(  # CIE standard illuminant D65, relative power
    [82.7549, 91.486, 93.4318, 86.6823, 104.865, 117.008, 117.812, 114.861, 115.923, 108.811, 109.354, 107.802, 104.79,
     107.689, 104.405, 104.046, 100, 96.3342, 95.788, 88.6856, 90.0062, 89.5991, 87.6987, 83.2886, 83.6992, 80.0268,
     80.2146, 82.2778, 78.2842, 69.7213, 71.6091],
)
# fmt: on
_XYZ_TO_SRGB = np.array(  # IEC 61966-2-1
    [[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]]
)
_EPIDERMIS_CM = 0.006  # thickness
_SURFACE = 0.018  # of the 4 % that the surface reflects, what is scattered all ways; highlights are the scene's
_OXYGENATION = 0.7
_STEPS = (384, 192)  # of the table of colours: rounding to it changes a colour by less than a grey level


def _lobes(*lobes: tuple[float, float, float, float]) -> FloatArray:
    """Sum Gaussian lobes (height, centre, inverse width left of it, inverse width right of it) over the wavelengths."""
    total = np.zeros_like(_WAVELENGTH)
    for height, centre, left, right in lobes:
        width = np.where(centre > _WAVELENGTH, left, right)
        total += height * np.exp(-0.5 * ((_WAVELENGTH - centre) * width) ** 2)
    return total


@cache
def _to_linear_srgb() -> FloatArray:
    """Return the weights (3, wavelengths) that take a reflectance in daylight to linear sRGB; white goes to 1, 1, 1.

    The colour matching functions are the fits of Wyman, Sloan and Shirley (2013), JCGT 2(2), 1-11.
    """
    matching = np.stack(
        [
            _lobes((0.362, 442.0, 0.0624, 0.0374), (1.056, 599.8, 0.0264, 0.0323), (-0.065, 501.1, 0.0490, 0.0382)),
            _lobes((0.821, 568.8, 0.0213, 0.0247), (0.286, 530.9, 0.0613, 0.0322)),
            _lobes((1.217, 437.0, 0.0845, 0.0278), (0.681, 459.0, 0.0385, 0.0725)),
        ]
    )
    weights = _XYZ_TO_SRGB @ (matching * _DAYLIGHT)
    result: FloatArray = weights / weights.sum(axis=1, keepdims=True)
    return result


def skin_reflectance(melanin: npt.ArrayLike, blood: npt.ArrayLike) -> FloatArray:
    """Return the diffuse reflectance of skin at 400, 410, ... 700 nm.

    Parameters
    ----------
    melanin : array_like
        Volume fraction of melanosomes in the epidermis, above 0 and at most 1; any shape.
    blood : array_like
        Volume fraction of blood in the dermis, likewise; broadcast against `melanin`.

    Returns
    -------
    ndarray
        (..., 31), 0 to 1.

    Examples
    --------
    >>> light, dark = skin_reflectance([0.02, 0.4], 0.01)[:, 15]  # 550 nm
    >>> bool(light > 4 * dark)
    True
    """
    epidermal = np.asarray(melanin, dtype=np.float64)[..., None]
    dermal = np.asarray(blood, dtype=np.float64)[..., None]
    baseline = 0.244 + 85.3 * np.exp(-(_WAVELENGTH - 154.0) / 66.2)  # cm^-1
    melanosome = 6.6e11 * _WAVELENGTH**-3.33
    molar = _OXYGENATION * _OXYHAEMOGLOBIN + (1.0 - _OXYGENATION) * _DEOXYHAEMOGLOBIN
    whole_blood = 2.303 * molar * 150.0 / 64500.0  # 150 g of haemoglobin in a litre of blood
    absorbed = np.exp(-2.0 * _EPIDERMIS_CM * (epidermal * melanosome + (1.0 - epidermal) * baseline))
    scattering = 46.0 * (_WAVELENGTH / 500.0) ** -1.421  # reduced
    ratio = 2.0 * (dermal * whole_blood + (1.0 - dermal) * baseline) / (0.75 * scattering)
    scattered = 1.0 + ratio - np.sqrt(ratio**2 + 2.0 * ratio)
    result: FloatArray = _SURFACE + (1.0 - _SURFACE) * absorbed * scattered
    return result


def skin_colour(melanin: npt.ArrayLike, blood: npt.ArrayLike) -> FloatArray:
    """Return the linear sRGB colour of skin in daylight: shape (..., 3), 0 to 1, a white surface being 1.

    The arguments are those of `skin_reflectance`.

    Examples
    --------
    >>> skin_colour(0.02, 0.01).round(2).tolist()
    [0.68, 0.52, 0.37]
    """
    linear: FloatArray = np.clip(skin_reflectance(melanin, blood) @ _to_linear_srgb().T, 0.0, 1.0)
    return linear


@cache
def _table() -> Float32Array:
    """Return the colours (melanin x blood steps, 3) at fractions equally spaced in their logarithms."""
    melanin = np.geomspace(*MELANIN_RANGE, _STEPS[0])
    blood = np.geomspace(*BLOOD_RANGE, _STEPS[1])
    return skin_colour(melanin[:, None], blood[None, :]).reshape(-1, 3).astype(np.float32)


def skin_colours(log_melanin: Float32Array, log_blood: Float32Array) -> Float32Array:
    """Return linear sRGB colours for many pixels at once, from a table.

    Parameters
    ----------
    log_melanin, log_blood : ndarray of float32
        Natural logarithms of the volume fractions, (n, size, size).

    Returns
    -------
    ndarray of float32
        (n, 3, size, size).

    Examples
    --------
    >>> dots = np.log(np.full((1, 1, 1), 0.02, dtype=np.float32)), np.log(np.full((1, 1, 1), 0.01, dtype=np.float32))
    >>> bool(np.allclose(skin_colours(*dots).ravel(), skin_colour(0.02, 0.01), atol=0.004))
    True
    """
    where = []
    for value, (low, high), steps in zip((log_melanin, log_blood), (MELANIN_RANGE, BLOOD_RANGE), _STEPS, strict=True):
        scale = (steps - 1) / np.log(high / low)
        position = np.multiply(value - np.float32(np.log(low)), np.float32(scale))
        where.append(np.clip(np.rint(position, out=position), 0, steps - 1, out=position).astype(np.int32))
    at = where[0] * np.int32(_STEPS[1]) + where[1]
    table = _table()
    return np.stack([np.take(np.ascontiguousarray(table[:, channel]), at) for channel in range(3)], axis=1)


def encode_srgb(linear: Float32Array) -> Float32Array:
    """Return sRGB values, 0 to 255 and not rounded, of linear ones; values outside 0 to 1 are clipped.

    The curve is read from a table of 8,193 entries, off by at most 0.1 of a grey level (IEC 61966-2-1).

    Examples
    --------
    >>> encode_srgb(np.array([0.0, 0.2140, 1.0], dtype=np.float32)).round().tolist()
    [0.0, 128.0, 255.0]
    """
    entries = _srgb_table()
    # Entries are equally spaced in the square root, where the curve is nearly straight.
    root = np.sqrt(np.clip(linear, 0.0, 1.0))
    return np.take(entries, (root * np.float32(len(entries) - 1) + np.float32(0.5)).astype(np.int32))


@cache
def _srgb_table() -> Float32Array:
    linear = np.linspace(0.0, 1.0, 8193) ** 2
    curve = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055)
    return (255.0 * curve).astype(np.float32)
