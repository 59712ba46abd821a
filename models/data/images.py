"""Images of skin with the skin type and the condition of each: what a data set of photographs or phantoms gives.

Needs NumPy alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["LEVELS", "ImageSet", "LeftOut", "shrunk"]

LEVELS = ("three_partition_label", "nine_partition_label", "label")
"""Names of the three levels at which a condition is labelled, coarsest first, as Fitzpatrick17k names them."""


class LeftOut(NamedTuple):
    """An image that is not used, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class ImageSet:
    """n square colour images.

    Attributes
    ----------
    name : str
        Name of the data set, such as "fitzpatrick17k".
    pixels : ndarray of uint8
        (n, 3, size, size); red, green, blue; 0 to 255.
    skin_type : ndarray of int8
        (n,); Fitzpatrick skin type, 1 to 6.
    skin_tone : ndarray of str
        (n,); "light" or "dark".
    conditions : mapping of str to ndarray of str
        Labels of each image at each of `LEVELS`, (n,) each.
    ids : ndarray of str
        (n,); a name for each image, none twice.
    synthetic : bool
        Whether the images were generated; every record and figure says so.
    source : str
        Who published the images, or which generator made them, with its parameters.
    licence : str
        Under which licence.
    left_out : tuple of LeftOut
        Images that were to be used and could not be: corrupt, missing or repeated ones.
    """

    name: str
    pixels: npt.NDArray[np.uint8]
    skin_type: npt.NDArray[np.int8]
    skin_tone: npt.NDArray[np.str_]
    conditions: Mapping[str, npt.NDArray[np.str_]]
    ids: npt.NDArray[np.str_]
    synthetic: bool
    source: str
    licence: str
    left_out: tuple[LeftOut, ...] = ()

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def size(self) -> int:
        """Return the number of pixels along an edge."""
        return int(self.pixels.shape[-1])

    def take(self, rows: npt.ArrayLike) -> ImageSet:
        """Return the images at the given positions, in that order."""
        at = np.asarray(rows, dtype=np.intp)
        return replace(
            self,
            pixels=self.pixels[at],
            skin_type=self.skin_type[at],
            skin_tone=self.skin_tone[at],
            conditions={level: labels[at] for level, labels in self.conditions.items()},
            ids=self.ids[at],
        )

    def at_size(self, size: int) -> ImageSet:
        """Return the same images at `size` pixels an edge, a whole fraction of their own; see `shrunk`."""
        return self if size == self.size else replace(self, pixels=shrunk(self.pixels, size))

    def fingerprint(self) -> str:
        """Return the sha256 of pixels, skin types, tones and conditions, 64 hexadecimal digits."""
        digest = hashlib.sha256(repr((self.name, self.pixels.shape)).encode())
        digest.update(np.ascontiguousarray(self.pixels).data)
        columns: list[npt.NDArray[Any]] = [
            self.skin_type,
            self.skin_tone,
            *(self.conditions[level] for level in LEVELS),
        ]
        for column in columns:
            digest.update("\0".join(map(str, column.tolist())).encode() + b"\1")
        return digest.hexdigest()


def shrunk(pixels: npt.NDArray[np.uint8], size: int) -> npt.NDArray[np.uint8]:
    """Return images at a smaller size, every new pixel the rounded mean of a square of old ones.

    Parameters
    ----------
    pixels : ndarray of uint8
        (n, 3, edge, edge).
    size : int
        New edge in pixels; `edge` must be a multiple of it.

    Raises
    ------
    ValueError
        If it is not.

    Examples
    --------
    >>> shrunk(np.array([[[[0, 2], [4, 6]]]], dtype=np.uint8), 1).tolist()
    [[[[3]]]]
    """
    n, channels, edge = pixels.shape[:3]
    if size < 1 or edge % size:
        raise ValueError(f"images of {edge} x {edge} pixels cannot be shrunk to {size} x {size}: no whole fraction")
    step = edge // size
    squares = pixels.reshape(n, channels, size, step, size, step)
    total = squares.sum(axis=(3, 5), dtype=np.uint32)
    means: npt.NDArray[np.uint8] = ((total + step * step // 2) // (step * step)).astype(np.uint8)
    return means
