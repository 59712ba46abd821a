"""Photographs of the scenes of the skin phantom: pigment and blood to light, light to pixels. NumPy alone."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from models.phantom import shapes as shapes
from models.phantom.optics import encode_srgb, skin_colour, skin_colours
from models.phantom.scene import Scene

__all__ = ["Knobs", "photograph"]

Float32Array = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Knobs:
    """How much of each thing the images show; 1 is the default amount of an amplitude, 0 none.

    Attributes
    ----------
    lesions : float
        Contrast of the lesions, 0 to 2.
    texture : float
        Skin lines, pores, folds, uneven pigment and blood, 0 to 3.
    hair : float
        Share of images with hair, 0 to 1.
    background : float
        Share of images with an edge of the body and something behind it, 0 to 1.
    illumination : float
        Uneven light, vignette, highlights, colour of the light and exposure, 0 to 2. With 0 the light is even
        daylight and the exposure the same for all skin: then the colours are those of `skin_colour`.
    noise : float
        Noise of the sensor, 0 to 5.
    blur : float
        Most blur of the lens, 0 to 2.

    Raises
    ------
    ValueError
        If a value is outside its range.

    Examples
    --------
    >>> Knobs(hair=0.1).hair
    0.1
    """

    lesions: float = 1.0
    texture: float = 1.0
    hair: float = 0.35
    background: float = 0.50
    illumination: float = 1.0
    noise: float = 1.0
    blur: float = 1.0

    def __post_init__(self) -> None:
        """Check the ranges."""
        for knob in fields(self):
            value, most = getattr(self, knob.name), _MOST[knob.name]
            if not 0.0 <= value <= most:
                raise ValueError(f"knob {knob.name}: {value!r} is outside 0 to {most}")


_MOST = {"lesions": 2, "texture": 3, "hair": 1, "background": 1, "illumination": 2, "noise": 5, "blur": 2}
_LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
_METERED = 0.27  # luminance at which the meter leaves the exposure alone
_METERING = 0.62  # 0: one exposure for all; 1: all skin comes out equally bright
_BALANCING = 0.24  # 0: white balance for daylight; 1: all skin comes out grey
_GREY_LEVELS = 1.6  # standard deviation of the sensor's noise at exposure 1
_TANNED = float(np.log(0.08))
_SCALE_WHITE = np.array([0.80, 0.76, 0.70], dtype=np.float32)[:, None, None]
_CRUST_BROWN = np.array([0.055, 0.022, 0.014], dtype=np.float32)[:, None, None]
_HAIR_FAIR = np.array([0.22, 0.14, 0.07], dtype=np.float32)
_HAIR_BLACK = np.array([0.010, 0.008, 0.007], dtype=np.float32)


def photograph(scene: Scene, size: int, knobs: Knobs, rng: np.random.Generator) -> tuple[Float32Array, Float32Array]:
    """Return the photographs of the scenes and the colour that plain skin has in each.

    Parameters
    ----------
    scene : Scene
        n scenes.
    size : int
        Pixels along an edge.
    knobs : Knobs
        How much of what is shown; `hair` and `background` were decided in the scene.
    rng : numpy.random.Generator
        For the noise of the sensor alone.

    Returns
    -------
    photographs, plain : ndarray of float32
        (n, 3, size, size) and (n, 3); sRGB values, not rounded; those of the photographs may leave 0 to 255 by the
        noise of the sensor.
    """
    plain = skin_colour(np.exp(scene.log_melanin), np.exp(scene.log_blood))
    smooth, fine = shapes.fields(scene, size)
    skin, gloss = _skin(scene, smooth, fine, size, knobs)
    rows, cover = shapes.hair_cover(scene, size)
    if len(rows):
        shade = scene.hair_shade[rows, None]
        colour = (_HAIR_FAIR + shade * (_HAIR_BLACK - _HAIR_FAIR))[:, :, None, None]
        skin[rows] += cover[:, None] * (colour - skin[rows])
    rows, shade = shapes.fold_shade(scene, size)
    skin[rows] *= shade[:, None] ** np.float32(knobs.texture)
    light, shine, gain = _light(scene, plain, smooth[:, 4], size, knobs)
    skin *= light[:, None]
    skin += (gloss * shine)[:, None]
    rows, inside, shading = shapes.edge_of_body(scene, smooth[:, :2], size)
    if len(rows):
        drape = np.exp(np.float32(0.35) * smooth[rows, 3] + np.float32(0.25) * fine[rows])
        behind = scene.backdrop[rows, :, None, None] * (light[rows] * drape)[:, None]
        skin[rows] = behind + inside[:, None] * (skin[rows] * shading[:, None] - behind)
    exposed = gain[:, None] * _white_balance(scene, plain, knobs)
    photographs = encode_srgb(_blurred(skin * exposed[:, :, None, None], scene.blur, knobs.blur))
    if knobs.noise:
        # Shot noise of a linear sensor is nearly even after the sRGB curve, and grows with the root of the gain.
        deviation = np.float32(_GREY_LEVELS * knobs.noise) * np.sqrt(gain)
        photographs += deviation[:, None, None, None] * rng.standard_normal(photographs.shape, dtype=np.float32)
    return photographs, encode_srgb((plain * exposed).astype(np.float32))


def _skin(
    scene: Scene, smooth: Float32Array, fine: Float32Array, size: int, knobs: Knobs
) -> tuple[Float32Array, Float32Array]:
    """Return the linear colour of the skin (n, 3, size, size), lit from the side, and how it shines (n, size, size)."""
    look = {name: value[:, None, None] for name, value in scene.looks.items()}
    texture, lesions = np.float32(knobs.texture), np.float32(knobs.lesions)
    distance = shapes.lesion_distance(scene, smooth[:, :2], size)
    largest = np.maximum(scene.blob_radius.max(axis=1), np.float32(1e-3))[:, None, None]
    border = np.maximum(look["soft"], np.float32(1.0 / size) / largest)  # at least a pixel wide
    inside = shapes.smooth_step((np.float32(1.0) - distance) / border + np.float32(0.5))
    dome = np.clip(np.float32(1.0) - distance * distance, 0.0, 1.0)
    body = inside * (np.float32(1.0) - look["hollow"] * dome) * lesions

    uneven = smooth[:, 2] + np.float32(0.5) * fine
    log_melanin = scene.log_melanin[:, None, None] + texture * np.float32(0.10) * uneven
    # A pigmented lesion brings melanin of its own: on light skin its change is counted from tanned skin.
    short = np.maximum(np.float32(_TANNED) - scene.log_melanin, np.float32(0.0))[:, None, None]
    pigment = look["melanin"] + short * np.clip(look["melanin"], 0.0, 1.0)
    log_melanin += body * pigment * (np.float32(1.0) + np.float32(0.6) * look["mottle"] * smooth[:, 2])
    log_blood = scene.log_blood[:, None, None] + texture * (np.float32(0.40) * smooth[:, 3] + np.float32(0.20) * fine)
    log_blood += body * look["blood"] * (np.float32(1.0) + np.float32(0.5) * look["mottle"] * smooth[:, 3])
    skin = skin_colours(np.asarray(log_melanin, np.float32), np.asarray(log_blood, np.float32))

    flakes = shapes.smooth_step(np.float32(0.45) + np.float32(0.45) * fine) * body * look["scale"]
    skin += np.float32(0.5) * flakes[:, None] * (_SCALE_WHITE * np.float32(0.85) - skin)
    core = shapes.smooth_step(np.float32(2.0) - np.float32(3.2) * distance + np.float32(0.5) * fine)
    skin += (core * look["crust"] * lesions * np.float32(0.9))[:, None] * (_CRUST_BROWN - skin)

    furrows = shapes.skin_lines(scene, smooth[:, :2], size)
    height = texture * (np.float32(0.0022) * fine - np.float32(0.0025) * furrows)
    height += look["relief"] * lesions * largest * np.float32(0.28) * np.sqrt(dome) * inside
    slope = _slope(height, scene.light[:, 0], size)
    skin *= np.clip(np.float32(1.0) + np.float32(0.9) * slope, 0.35, 1.6)[:, None]
    gloss = np.clip(np.float32(0.45) + np.float32(1.4) * slope - np.float32(0.35) * furrows * texture, 0.0, 2.0)
    gloss += np.float32(0.25) * np.maximum(fine * texture, np.float32(0.0))
    return skin, gloss * gloss


def _slope(height: Float32Array, direction: Float32Array, size: int) -> Float32Array:
    """Return how steeply the surface rises towards the light; height is a fraction of the edge."""
    rise = np.zeros_like(height)
    lit = (
        np.cos(direction)[:, None, None] * np.float32(size / 2),
        np.sin(direction)[:, None, None] * np.float32(size / 2),
    )
    rise[:, :, 1:-1] -= lit[0] * (height[:, :, 2:] - height[:, :, :-2])
    rise[:, 1:-1] -= lit[1] * (height[:, 2:] - height[:, :-2])
    return rise


def _light(
    scene: Scene, plain: npt.NDArray[np.float64], uneven: Float32Array, size: int, knobs: Knobs
) -> tuple[Float32Array, Float32Array, Float32Array]:
    """Return the light on each pixel, the strength of the highlight there, and the exposure of each image."""
    amount = np.float32(knobs.illumination)
    x, y = shapes.grid(size)
    direction, gradient, vignette, reach, strength = (scene.light[:, part][:, None, None] for part in range(5))
    towards_x, towards_y = np.cos(direction), np.sin(direction)
    change = np.float32(1.1) * gradient * (towards_x * x + towards_y * y)
    change -= np.float32(1.4) * vignette * (x * x + y * y)
    change += np.float32(0.36) * uneven
    away = (x - reach * towards_x) ** 2 + (y - reach * towards_y) ** 2
    shine = (
        np.float32(0.04) * amount * strength * np.maximum(np.float32(1.0) - away / np.float32(0.16), np.float32(0.0))
    )
    metering = _METERING * np.log(_METERED / (plain @ _LUMINANCE))
    gain = np.exp(knobs.illumination * (metering + 0.28 * scene.exposure))
    return np.exp(amount * change), shine, gain.astype(np.float32)


def _white_balance(scene: Scene, plain: npt.NDArray[np.float64], knobs: Knobs) -> Float32Array:
    """Return the gain of each channel (n, 3): a camera takes some of the skin's colour for the light's."""
    balancing = _BALANCING * np.log((plain @ _LUMINANCE)[:, None] / plain)
    warmth = (0.05 + 0.08 * scene.warmth[:, None]) * np.array([1.0, 0.0, -1.0])  # indoor light is rather warm
    balance: Float32Array = np.exp(knobs.illumination * (balancing + warmth)).astype(np.float32)
    return balance


def _blurred(linear: Float32Array, share: Float32Array, most: float) -> Float32Array:
    """Average each pixel with its neighbours; the lens loses the same share of an image's edge at every size."""
    size = linear.shape[-1]
    for _ in range(max(size // 64, 1)):
        side = (np.float32(0.22 * min(most, 1.5) * min(size / 64, 1.0)) * share)[:, None, None, None]
        rows = linear * (np.float32(1.0) - np.float32(2.0) * side)
        rows[..., 1:-1] += side * (linear[..., 2:] + linear[..., :-2])
        rows[..., 0] += side[..., 0] * (linear[..., 0] + linear[..., 1])
        rows[..., -1] += side[..., 0] * (linear[..., -1] + linear[..., -2])
        linear = rows * (np.float32(1.0) - np.float32(2.0) * side)
        linear[..., 1:-1, :] += side * (rows[..., 2:, :] + rows[..., :-2, :])
        linear[..., 0, :] += side[..., 0] * (rows[..., 0, :] + rows[..., 1, :])
        linear[..., -1, :] += side[..., 0] * (rows[..., -1, :] + rows[..., -2, :])
    return linear
