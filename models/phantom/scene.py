"""What stands before the camera of the skin phantom: random numbers of a chunk of images, at no particular size.

A scene is drawn in chunks of `CHUNK` images, every number of the chunk whether it is needed or not, from a generator
seeded by (seed, group, chunk): an image depends on nothing but those and its place, so that a longer series begins
with the shorter one, and the same scenes can be rendered at any size. NumPy alone.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from models.phantom.conditions import CONDITIONS
from models.phantom.optics import BLOOD, MELANIN

__all__ = ["CHUNK", "Scene", "draw_scene"]

CHUNK = 128
"""Images drawn together."""

BLOBS, STRANDS, FOLDS = 10, 14, 2
"""Most lesions, hairs and folds of the skin in an image."""

WAVES, FINE_WAVES = 16, 32
"""Frequencies of the smooth random fields and of the fine one, in half waves along an edge."""

BACKDROPS = np.array(  # linear sRGB: blue and green cloth, white sheet, black, grey, skin-coloured and dark fabric
    [
        [0.06, 0.14, 0.30],
        [0.08, 0.24, 0.18],
        [0.62, 0.63, 0.64],
        [0.02, 0.02, 0.02],
        [0.24, 0.24, 0.25],
        [0.34, 0.26, 0.20],
        [0.10, 0.07, 0.10],
    ],
    dtype=np.float32,
)

Float32Array = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """Random numbers of n images; lengths are fractions of the edge, the origin is the middle.

    Attributes
    ----------
    log_melanin, log_blood : ndarray
        (n,); logarithms of the fractions in the plain skin.
    looks : dict of str to ndarray
        (n,) each: the numbers of each image's `Condition`.
    blob_centre, blob_radius, blob_angle, blob_ratio : ndarray
        (n, BLOBS, 2) and (n, BLOBS); radius 0 where there is no lesion.
    waves, fine_waves : ndarray
        (n, 5, WAVES, WAVES) and (n, FINE_WAVES, FINE_WAVES); standard normal amplitudes of the fields' cosines.
    line_angle, line_count : ndarray
        (n, 2); directions and numbers of the two families of skin lines.
    hair_strands : ndarray of int
        (n,); 0 for bare skin.
    hair_curves : ndarray
        (n, STRANDS, 6); offset, position, angle, bend, half length and half width.
    folds : ndarray of int
        (n,); 0 for none.
    fold_curves : ndarray
        (n, FOLDS, 6); as `hair_curves`.
    hair_shade : ndarray
        (n,); melanin of hair, 0 fair to 1 black.
    backdrop : ndarray
        (n, 3); linear colour of what is behind the skin.
    limb : ndarray
        (n, 4); is there an edge of the body (0 or 1), its direction, distance and bend.
    light : ndarray
        (n, 5); direction of the light, gradient, vignette, distance of the highlight, its strength.
    exposure, warmth, blur : ndarray
        (n,); standard normal error of exposure and of colour temperature; 0 sharp to 1 blurred.
    """

    log_melanin: Float32Array
    log_blood: Float32Array
    looks: dict[str, Float32Array]
    blob_centre: Float32Array
    blob_radius: Float32Array
    blob_angle: Float32Array
    blob_ratio: Float32Array
    waves: Float32Array
    fine_waves: Float32Array
    line_angle: Float32Array
    line_count: Float32Array
    hair_strands: npt.NDArray[np.intp]
    hair_curves: Float32Array
    hair_shade: Float32Array
    folds: npt.NDArray[np.intp]
    fold_curves: Float32Array
    backdrop: Float32Array
    limb: Float32Array
    light: Float32Array
    exposure: Float32Array
    warmth: Float32Array
    blur: Float32Array

    def part(self, rows: slice) -> Scene:
        """Return the scenes at the given positions."""
        columns = {column.name: getattr(self, column.name) for column in fields(self)}
        looks = {name: values[rows] for name, values in columns.pop("looks").items()}
        return Scene(looks=looks, **{name: values[rows] for name, values in columns.items()})


_LOOKS = ("melanin", "blood", "ragged", "soft", "hollow", "scale", "crust", "relief", "mottle")
_LOOK_TABLE = {name: np.array([getattr(row, name) for row in CONDITIONS], dtype=np.float32) for name in _LOOKS}
_COUNT = np.array([row.count for row in CONDITIONS])
_RADIUS = np.array([row.radius for row in CONDITIONS])
_ELONGATION = np.array([row.elongation for row in CONDITIONS])
_MELANIN = np.log(np.array([MELANIN[kind] for kind in range(1, 7)]))
_BLOOD = np.log(BLOOD)


def _between(share: npt.NDArray[np.float64], low: npt.ArrayLike, high: npt.ArrayLike) -> npt.NDArray[np.float64]:
    lowest = np.asarray(low, dtype=np.float64)
    mixed: npt.NDArray[np.float64] = lowest + share * (np.asarray(high, dtype=np.float64) - lowest)
    return mixed


def _curves(
    rng: np.random.Generator,
    angle: npt.NDArray[np.float64],
    *,
    half_length: tuple[float, float],
    half_width: tuple[float, float],
) -> npt.NDArray[np.float64]:
    """Draw parabolas, (n, m, 6): offset, position, angle, bend, half length, half width."""
    columns = [
        rng.uniform(-0.55, 0.55, angle.shape),
        rng.uniform(-0.4, 0.4, angle.shape),
        angle,
        rng.normal(0.0, 0.5, angle.shape),
        rng.uniform(*half_length, angle.shape),
        rng.uniform(*half_width, angle.shape),
    ]
    return np.stack(columns, axis=-1)


def draw_scene(  # long: what a seed draws is fixed by the order of these lines
    rng: np.random.Generator,
    skin_type: npt.NDArray[np.int8],
    condition: npt.NDArray[np.intp],
    *,
    hair: float,
    background: float,
) -> Scene:
    """Draw the scenes of images whose skin types and conditions are given.

    Parameters
    ----------
    rng : numpy.random.Generator
        Generator; the same number of draws is taken from it whatever the other arguments are.
    skin_type : ndarray of int8
        (n,); 1 to 6.
    condition : ndarray of int
        (n,); positions in `CONDITIONS`.
    hair, background : float
        Share of images with hair and with an edge of the body in view, 0 to 1.

    Examples
    --------
    >>> scene = draw_scene(np.random.default_rng(0), np.array([1, 6], np.int8), np.array([0, 1]), hair=1, background=0)
    >>> bool(scene.log_melanin[0] < scene.log_melanin[1]), scene.waves.shape
    (True, (2, 5, 16, 16))
    """
    n = len(skin_type)
    small = np.float32
    toned = _MELANIN[np.asarray(skin_type, dtype=np.intp) - 1]
    melanin = _between(rng.random(n), toned[:, 0], toned[:, 1])
    blood = _between(rng.random(n), _BLOOD[0], _BLOOD[1])

    count = np.floor(_between(rng.random(n), _COUNT[condition, 0], _COUNT[condition, 1] + 1)).astype(np.intp)
    spread = np.where(count == 1, 0.10, 0.42)
    centre = (rng.random((n, BLOBS, 2)) * 2.0 - 1.0) * spread[:, None, None]
    size = rng.random((n, BLOBS)) * 0.5 + rng.random((n, 1)) * 0.5  # lesions of one image resemble each other
    radius = _between(size, _RADIUS[condition, :1], _RADIUS[condition, 1:])
    radius[np.arange(BLOBS) >= count[:, None]] = 0.0
    ratio = _between(rng.random((n, BLOBS)), 1.0, _ELONGATION[condition, None])
    strength = _between(rng.random(n), 0.7, 1.2)  # of the change of colour
    looks = {name: column[condition] for name, column in _LOOK_TABLE.items()}
    for name in ("melanin", "blood"):
        looks[name] = (looks[name] * strength).astype(small)

    angle = rng.random((n, BLOBS)) * np.pi
    waves = rng.standard_normal((n, 5, WAVES, WAVES), dtype=small)
    fine_waves = rng.standard_normal((n, FINE_WAVES, FINE_WAVES), dtype=small)
    first = rng.random(n) * np.pi
    crossing = first + _between(rng.random(n), 0.9, 1.5)
    lines = _between(rng.random((n, 2)), 7.0, 14.0)

    has_hair = rng.random(n) < hair
    strands = np.where(has_hair, rng.integers(3, STRANDS + 1, n), 0)
    along = rng.random((n, 1)) * np.pi + rng.normal(0.0, 0.3, (n, STRANDS))
    curves = _curves(rng, along, half_length=(0.12, 0.45), half_width=(0.003, 0.008))
    folds = np.where(rng.random(n) < 0.45, rng.integers(1, FOLDS + 1, n), 0)
    creases = rng.random((n, 1)) * np.pi + rng.normal(0.0, 0.4, (n, FOLDS))
    fold_curves = _curves(rng, creases, half_length=(0.2, 0.7), half_width=(0.03, 0.13))
    shade = rng.beta(2.0, 1.0, n)

    backdrop = BACKDROPS[rng.integers(0, len(BACKDROPS), n)] * rng.uniform(0.6, 1.2, (n, 1))
    limb = np.stack(
        [rng.random(n) < background, rng.random(n) * 2 * np.pi, rng.uniform(0.12, 0.45, n), rng.normal(0.0, 0.45, n)],
        axis=1,
    )
    light = np.stack(
        [
            rng.random(n) * 2 * np.pi,
            rng.gamma(2.0, 0.35, n),
            rng.gamma(2.0, 0.3, n),
            rng.uniform(0.0, 0.35, n),
            rng.exponential(1.0, n),
        ],
        axis=1,
    )
    return Scene(
        log_melanin=melanin.astype(small),
        log_blood=blood.astype(small),
        looks=looks,
        blob_centre=centre.astype(small),
        blob_radius=radius.astype(small),
        blob_angle=angle.astype(small),
        blob_ratio=ratio.astype(small),
        waves=waves,
        fine_waves=fine_waves,
        line_angle=np.stack([first, crossing], axis=1).astype(small),
        line_count=lines.astype(small),
        hair_strands=strands,
        hair_curves=curves.astype(small),
        hair_shade=shade.astype(small),
        folds=folds,
        fold_curves=fold_curves.astype(small),
        backdrop=backdrop.astype(small),
        limb=limb.astype(small),
        light=light.astype(small),
        exposure=rng.standard_normal(n).astype(small),
        warmth=rng.standard_normal(n).astype(small),
        blur=rng.random(n).astype(small),
    )
