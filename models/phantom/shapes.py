"""Shapes on the skin phantom: random fields, lesions, skin lines, hair and the edge of the body.

Every function works on n images at once; coordinates run from -1/2 to 1/2 over the edge of an image. NumPy alone.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from models.phantom.scene import BLOBS, FINE_WAVES, FOLDS, STRANDS, WAVES, Scene

__all__ = ["edge_of_body", "fields", "fold_shade", "grid", "hair_cover", "lesion_distance", "skin_lines", "smooth_step"]

Float32Array = npt.NDArray[np.float32]

_FALL = (1.9, 1.9, 1.6, 1.6, 1.7)
"""Exponents of amplitude over frequency: two warps, pigment, blood, light."""
_FINE_FALL = 0.7


@cache
def grid(size: int) -> tuple[Float32Array, Float32Array]:
    """Return the coordinates x, (1, size), and y, (size, 1), of the pixels' centres.

    Examples
    --------
    >>> grid(2)[0].tolist()
    [[-0.25, 0.25]]
    """
    at = ((np.arange(size) + 0.5) / size - 0.5).astype(np.float32)
    return at[None, :], at[:, None]


def smooth_step(value: Float32Array) -> Float32Array:
    """Return 0 below 0, 1 above 1 and 3 v^2 - 2 v^3 between.

    Examples
    --------
    >>> smooth_step(np.array([-1.0, 0.5, 2.0], dtype=np.float32)).tolist()
    [0.0, 0.5, 1.0]
    """
    clipped = np.clip(value, 0.0, 1.0)
    step: Float32Array = clipped * clipped * (np.float32(3.0) - np.float32(2.0) * clipped)
    return step


@cache
def _cosines(waves: int, size: int) -> Float32Array:
    """Return (waves, size): cosines of 0, 1, ... half waves, unit mean square but for the constant one."""
    at = (np.arange(size) + 0.5) / size
    cosines: Float32Array = (np.sqrt(2.0) * np.cos(np.pi * np.arange(waves)[:, None] * at)).astype(np.float32)
    cosines[0] = 1.0
    return cosines


@cache
def _amplitudes(waves: int, fall: float) -> Float32Array:
    frequency = np.hypot(*np.meshgrid(np.arange(waves), np.arange(waves)))
    frequency[0, 0] = np.inf  # no constant part
    power = np.asarray(frequency**-fall)
    return np.asarray(power / np.sqrt((power**2).sum()), dtype=np.float32)


def fields(scene: Scene, size: int) -> tuple[Float32Array, Float32Array]:
    """Return five smooth random fields (n, 5, size, size) and a fine one (n, size, size), mean 0 and variance about 1.

    The smooth ones are: two that bend outlines, then uneven pigment, uneven blood and uneven light. What an image of
    this size cannot resolve is left out of the fine one.
    """
    smooth = scene.waves * np.stack([_amplitudes(WAVES, fall) for fall in _FALL])
    basis = _cosines(WAVES, size)
    kept = min(FINE_WAVES, size)
    fine = scene.fine_waves[:, :kept, :kept] * _amplitudes(FINE_WAVES, _FINE_FALL)[:kept, :kept]
    fine_basis = _cosines(kept, size)
    return np.asarray(basis.T @ smooth @ basis, np.float32), np.asarray(fine_basis.T @ fine @ fine_basis, np.float32)


def lesion_distance(scene: Scene, warp: Float32Array, size: int) -> Float32Array:
    """Return the distance from the nearest lesion's centre over its radius: 1 on the border, (n, size, size).

    `warp`, (n, 2, size, size), bends ellipses into irregular outlines in proportion to the look's `ragged`.
    """
    x, y = grid(size)
    largest = scene.blob_radius.max(axis=1)
    bend = (np.float32(0.40) * scene.looks["ragged"] * largest)[:, None, None]
    u = x + bend * warp[:, 0]
    v = y + bend * warp[:, 1]
    cosine, sine = np.cos(scene.blob_angle), np.sin(scene.blob_angle)
    present = scene.blob_radius > 0
    radius = np.where(present, scene.blob_radius, np.float32(1.0))
    long_axis, short_axis = radius * np.sqrt(scene.blob_ratio), radius / np.sqrt(scene.blob_ratio)
    nearest = np.full((len(u), size, size), 1e4, dtype=np.float32)
    for blob in range(BLOBS):
        rows = np.flatnonzero(present[:, blob])
        if not len(rows):
            continue
        at = (rows, blob)
        du = u[rows] - scene.blob_centre[at][:, 0, None, None]
        dv = v[rows] - scene.blob_centre[at][:, 1, None, None]
        along = du * (cosine[at] / long_axis[at])[:, None, None] + dv * (sine[at] / long_axis[at])[:, None, None]
        across = dv * (cosine[at] / short_axis[at])[:, None, None] - du * (sine[at] / short_axis[at])[:, None, None]
        nearest[rows] = np.minimum(nearest[rows], along * along + across * across)
    return np.sqrt(nearest)


def skin_lines(scene: Scene, warp: Float32Array, size: int) -> Float32Array:
    """Return the furrows between the fields of the skin, two families of lines that cross; 0 to 1, (n, size, size)."""
    x, y = grid(size)
    furrows = np.zeros((len(warp), size, size), dtype=np.float32)
    for family in range(2):
        angle = scene.line_angle[:, family, None, None]
        turns = (scene.line_count[:, family] * np.float32(2 * np.pi))[:, None, None]
        phase = turns * (np.cos(angle) * x + np.sin(angle) * y + np.float32(0.06) * warp[:, family])
        wave = np.float32(0.5) + np.float32(0.5) * np.sin(phase)
        furrows += wave * wave
    return furrows * np.float32(0.5)


def hair_cover(scene: Scene, size: int) -> tuple[npt.NDArray[np.intp], Float32Array]:
    """Return which images have hair, (m,), and how much of each of their pixels it covers, (m, size, size)."""
    rows = np.flatnonzero(scene.hair_strands)
    clear = np.ones((len(rows), size, size), dtype=np.float32)
    curves = scene.hair_curves[rows]
    for strand in range(STRANDS):
        some = np.flatnonzero(scene.hair_strands[rows] > strand)
        if not len(some):
            break
        across, taper, half_width = _along_curve(curves[some, strand], size)
        # A strand thinner than a pixel covers part of it.
        pixel = np.float32(1.0 / size)
        covered = np.clip((half_width + pixel / 2 - np.abs(across)) / pixel, 0.0, 1.0)
        covered *= np.minimum(np.float32(2.0) * half_width / pixel, np.float32(1.0)) * taper
        clear[some] *= np.float32(1.0) - covered
    return rows, np.float32(1.0) - clear


def _along_curve(curves: Float32Array, size: int) -> tuple[Float32Array, Float32Array, Float32Array]:
    """Return the distance of each pixel from a curve, how much of the curve is there (0 to 1), and its half width."""
    x, y = grid(size)
    offset, place, angle, bend, half_length, half_width = (curves[:, part, None, None] for part in range(6))
    along = np.cos(angle) * x + np.sin(angle) * y - place
    across = np.asarray(np.cos(angle) * y - np.sin(angle) * x - offset - bend * along * along, dtype=np.float32)
    taper: Float32Array = np.clip((half_length - np.abs(along)) * np.float32(8.0), 0.0, 1.0)
    return across, taper, half_width


def fold_shade(scene: Scene, size: int) -> tuple[npt.NDArray[np.intp], Float32Array]:
    """Return which images have folds of the skin, (m,), and how light their pixels stay, (m, size, size), 0 to 1.

    A fold is dark on one side, abruptly, and fades on the other.
    """
    rows = np.flatnonzero(scene.folds)
    shade = np.ones((len(rows), size, size), dtype=np.float32)
    for fold in range(FOLDS):
        some = np.flatnonzero(scene.folds[rows] > fold)
        if not len(some):
            break
        across, taper, half_width = _along_curve(scene.fold_curves[rows[some], fold], size)
        reach = np.where(across < 0, np.float32(0.25) * half_width + np.float32(0.5 / size), half_width * np.float32(2))
        near = smooth_step(np.asarray(np.float32(1.0) - np.abs(across) / reach, dtype=np.float32))
        shade[some] *= np.float32(1.0) - np.float32(0.75) * near * taper
    return rows, shade


def edge_of_body(
    scene: Scene, warp: Float32Array, size: int
) -> tuple[npt.NDArray[np.intp], Float32Array, Float32Array]:
    """Return which images show an edge of the body, (m,), and there how much is skin and how the skin darkens.

    The second and third arrays are (m, size, size), 0 to 1: a limb is a cylinder lit from the front.
    """
    rows = np.flatnonzero(scene.limb[:, 0] > 0)
    x, y = grid(size)
    angle, distance, bend = (scene.limb[rows, part][:, None, None] for part in (1, 2, 3))
    along = np.cos(angle) * y - np.sin(angle) * x
    inside = (
        distance - (np.cos(angle) * x + np.sin(angle) * y) + bend * along * along + np.float32(0.03) * warp[rows, 0]
    )
    skin = smooth_step(inside * np.float32(min(size, 64) / 2.0) + np.float32(0.5))
    near = np.float32(1.0) - np.clip(inside / np.float32(0.35), 0.0, 1.0)
    return rows, skin, np.sqrt(np.float32(1.0) - np.float32(0.85) * near * near)
