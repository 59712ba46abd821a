"""A skin phantom: generated images of skin with lesions, to stand in for photographs of patients.

Photographs of patients can never be part of this repository, so its dermatology model is trained on these unless a
user brings their own. They are no substitute in any medical sense: an image has the colours that the physics of
melanin and blood give (`optics`), caricatures of lesions (`conditions`), skin lines, hair, edges of the body, uneven
light, highlights, metered exposure and sensor noise (`scene`, `shapes`, `camera`). What they offer instead is a known
truth. Three modes say what differs between the groups:

"natural"
    What physics and a metered camera make differ: contrast of pigment, blood, highlights, hair and background.
    Which group is harder to reconstruct, and by how much, is not known beforehand.
"matched"
    Only the mean colour differs. Every scene is rendered on skin of Fitzpatrick type 3 or 4; its deviation from plain
    skin is pressed into the range that light and dark skin both leave, and put on the skin of the image's group. The
    deviations of both groups are draws from one distribution, so that a linear model of a half-and-half mix has
    the same expected squared error in both, and skin that is missing from the mix has the larger one. A network
    need not treat two colours alike: one training may favour either group, by chance.
"shuffled"
    Nothing differs: the skin that is rendered is drawn from all four types, whatever type the labels name. An exact
    null for any model and any mix, and the labels say nothing about the pixels.

`planted_mse_gap` then adds noise to the dark group's pixels, independent over pixels and channels, of exactly this
variance on the scale of -1 to 1: no model can foresee it. A code that keeps k of the D = 3 size^2 directions removes
at most the share k / D of it, so the dark group's mean squared error rises by the planted gap to within that share.
Nothing is lost by clipping: both groups are first held far enough from 0 and 255.

The same arguments give the same images on one machine; another build of NumPy may round a few pixels to the next grey
level. NumPy alone.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from models.data.images import ImageSet
from models.phantom.camera import Knobs, photograph
from models.phantom.conditions import condition_labels, condition_shares
from models.phantom.groups import on_skin, planted_noise
from models.phantom.scene import CHUNK, draw_scene

__all__ = ["MOST_PLANTED", "VERSION", "Knobs", "Mode", "skin_phantom"]

VERSION = "1"
"""Raised whenever the same arguments give other pixels."""

MOST_PLANTED = 0.03
"""Largest gap in mean squared error that can be planted; more would leave little room for the skin."""

Mode = Literal["natural", "matched", "shuffled"]

_TYPES = {"light": (1, 2), "dark": (5, 6)}
_SIZES = (8, 512)
_PIXELS = 32 * 32 * 64  # rendered at a time, so that the arrays stay in the processor's cache


class _Group(NamedTuple):
    """What generates one group."""

    tone: str
    size: int
    seed: int
    mode: Mode
    planted: float
    shares: npt.NDArray[np.float64]
    knobs: Knobs


class _Images(NamedTuple):
    pixels: npt.NDArray[np.uint8]
    skin_type: npt.NDArray[np.int8]
    condition: npt.NDArray[np.intp]


def skin_phantom(
    light: int,
    dark: int,
    *,
    size: int = 32,
    seed: int = 0,
    mode: Mode = "natural",
    planted_mse_gap: float = 0.0,
    prevalence_gap: float | None = None,
    knobs: Knobs | None = None,
) -> ImageSet:
    """Generate images of light skin (Fitzpatrick types 1 and 2) and of dark skin (5 and 6).

    An image depends only on the arguments other than `light` and `dark`, on its group and its place in it: more
    images leave the earlier ones as they are, and the same scenes can be had at another size.

    Parameters
    ----------
    light, dark : int
        Number of images of each group, 0 or more; the light ones come first.
    size : int
        Pixels along an edge, 8 to 512.
    seed : int
        0 or more.
    mode : {"natural", "matched", "shuffled"}
        What differs between the groups; see the module's description.
    planted_mse_gap : float
        Variance of the noise that dark images have and light ones do not, 0 to `MOST_PLANTED`, in the unit of a
        squared error of pixels from -1 to 1.
    prevalence_gap : float, optional
        How much the prevalence of the conditions differs between the groups at the finest level, 0 or more; see
        `condition_shares`. By default 0.5 in natural mode, and 0 in the other two, where any other value makes the
        groups differ in what they show, hence in difficulty.
    knobs : Knobs, optional
        How much of each thing the images show, in both groups.

    Returns
    -------
    ImageSet
        With `synthetic` true.

    Raises
    ------
    ValueError
        If an argument is outside its range.

    Examples
    --------
    >>> images = skin_phantom(3, 2, size=32, seed=1)
    >>> images.pixels.shape, images.ids.tolist()[-1], images.synthetic
    ((5, 3, 32, 32), 'phantom-dark-00001', True)
    """
    _check(light, dark, size, seed, mode, planted_mse_gap, prevalence_gap)
    shift = (0.5 if mode == "natural" else 0.0) if prevalence_gap is None else prevalence_gap
    chosen = Knobs() if knobs is None else knobs
    counts = {"light": light, "dark": dark}
    groups = [
        _group(_Group(tone, size, seed, mode, planted_mse_gap, condition_shares(tone, shift), chosen), count)
        for tone, count in counts.items()
    ]
    settings = f"size={size}, seed={seed}, mode={mode}, planted_mse_gap={planted_mse_gap:g}, prevalence_gap={shift:g}"
    amounts = ", ".join(f"{name}={value:g}" for name, value in asdict(chosen).items())
    return ImageSet(
        name="skin phantom",
        pixels=np.concatenate([group.pixels for group in groups]),
        skin_type=np.concatenate([group.skin_type for group in groups]),
        skin_tone=np.repeat(list(counts), list(counts.values())),
        conditions=condition_labels(np.concatenate([group.condition for group in groups])),
        ids=np.array(
            [f"phantom-{tone}-{i:05d}" for tone, count in counts.items() for i in range(count)], dtype=np.str_
        ),
        synthetic=True,
        source=f"generated, no photograph: models.phantom.skin_phantom version {VERSION} ({settings}; {amounts})",
        licence="Apache-2.0",
    )


def _check(
    light: object, dark: object, size: object, seed: object, mode: str, planted: float, prevalence_gap: float | None
) -> None:
    for name, count in (("light", light), ("dark", dark), ("seed", seed)):
        if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 0:
            raise ValueError(f"{name}: {count!r} is not a whole number of 0 or more")
    if light == dark == 0:
        raise ValueError("light and dark are both 0: no image to generate")
    if isinstance(size, bool) or not isinstance(size, int | np.integer) or not _SIZES[0] <= size <= _SIZES[1]:
        raise ValueError(f"size: {size!r} is not a whole number from {_SIZES[0]} to {_SIZES[1]}")
    if mode not in get_args(Mode):
        raise ValueError(f"mode: {mode!r} is none of {', '.join(get_args(Mode))}")
    if not 0.0 <= planted <= MOST_PLANTED:
        raise ValueError(f"planted_mse_gap: {planted!r} is outside 0 to {MOST_PLANTED}")
    if prevalence_gap is not None and not 0.0 <= prevalence_gap <= 5.0:
        raise ValueError(f"prevalence_gap: {prevalence_gap!r} is outside 0 to 5")


def _group(group: _Group, count: int) -> _Images:
    """Generate `count` images of one group, a chunk at a time."""
    images = _Images(
        np.empty((count, 3, group.size, group.size), dtype=np.uint8),
        np.empty(count, dtype=np.int8),
        np.empty(count, dtype=np.intp),
    )
    for start in range(0, count, CHUNK):
        rows = slice(start, min(start + CHUNK, count))
        drawn = _chunk(group, start // CHUNK)
        kept = slice(0, rows.stop - start)
        images.pixels[rows] = drawn.pixels[kept]
        images.skin_type[rows] = drawn.skin_type[kept]
        images.condition[rows] = drawn.condition[kept]
    return images


def _chunk(group: _Group, number: int) -> _Images:
    """Generate `CHUNK` images; scene, sensor and planted noise have a generator each."""
    scenes, sensor, planting = (
        np.random.default_rng([group.seed, list(_TYPES).index(group.tone), number, part]) for part in range(3)
    )
    skin_type = np.array(_TYPES[group.tone])[scenes.integers(0, 2, CHUNK)]
    seen: npt.NDArray[np.int_] = {
        "natural": skin_type,
        "matched": scenes.integers(3, 5, CHUNK),
        "shuffled": np.array([1, 2, 5, 6])[scenes.integers(0, 4, CHUNK)],
    }[group.mode]
    edges = np.cumsum(group.shares)
    condition = np.minimum(np.searchsorted(edges, scenes.random(CHUNK), side="right"), len(edges) - 1)
    knobs = group.knobs
    scene = draw_scene(scenes, seen.astype(np.int8), condition, hair=knobs.hair, background=knobs.background)
    margin = 127.5 * np.sqrt(group.planted)
    pixels = np.empty((CHUNK, 3, group.size, group.size), dtype=np.uint8)
    together = min(max(_PIXELS // group.size**2, 1), CHUNK)
    for start in range(0, CHUNK, together):
        rows = slice(start, min(start + together, CHUNK))
        photographs, plain = photograph(scene.part(rows), group.size, knobs, sensor)
        if group.mode == "matched":
            photographs = on_skin(photographs - plain[:, :, None, None], skin_type[rows], margin)
        held = np.clip(np.rint(photographs), np.ceil(margin), 255 - np.ceil(margin))
        if group.planted and group.tone == "dark":
            held += planted_noise(planting, held.shape, margin)
        pixels[rows] = held
    return _Images(pixels, skin_type.astype(np.int8), condition)
