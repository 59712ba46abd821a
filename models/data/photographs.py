"""Photographs as they are found, cut and reduced to squares of one size.

Needs NumPy and Pillow.
"""

from __future__ import annotations

import io
import threading
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from models.data.images import shrunk

__all__ = ["area_means", "decoded"]

MOST_PIXELS = 60_000_000  # of one photograph; a file of a few kB can claim any number
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "WEBP")  # what a file called .jpg may be

_opening = threading.Lock()  # what becomes of a warning is a setting of the whole process


def decoded(content: bytes, image_size: int) -> tuple[npt.NDArray[np.uint8], bool]:
    """Return the square in the middle of an image at another size, and whether it was enlarged.

    A new pixel is the mean of the area that it covers, so that one rule holds for photographs of every size: the same
    means as `models.data.images.shrunk` where the new size is a whole fraction of the old one. Where the image is
    enlarged, it is bilinear. A JPEG of eight times the size or more is first decoded at a half, a quarter or an
    eighth, which is faster. Of 16 bits the upper eight count, in grey as in colour; orientation tags do not.

    Parameters
    ----------
    content : bytes
        A JPEG, PNG, GIF, BMP or WebP file in any colour mode.
    image_size : int
        Pixels along an edge.

    Returns
    -------
    tuple of ndarray of uint8 and bool
        (3, image_size, image_size); red, green, blue.

    Raises
    ------
    Exception
        Whatever Pillow raises for what is no image, or a part of one; it has no base class of its own.

    Examples
    --------
    >>> file = io.BytesIO()
    >>> Image.new("RGB", (6, 4), (10, 20, 30)).save(file, "PNG")
    >>> pixels, enlarged = decoded(file.getvalue(), 2)
    >>> pixels[:, 0, 0].tolist(), pixels.shape, enlarged
    ([10, 20, 30], (3, 2, 2), False)
    """
    with _opened(content) as image:
        if image.width * image.height > MOST_PIXELS:
            raise ValueError(f"{image.width} x {image.height} pixels, more than {MOST_PIXELS:,}")
        enlarged = min(image.size) < image_size
        image.draft("RGB", (4 * image_size, 4 * image_size))  # what remains is at least this wide and high
        edge = min(image.size)
        left, top = (image.width - edge) // 2, (image.height - edge) // 2
        square = image.crop((left, top, left + edge, top + edge))
    if square.mode == "P":
        square = square.convert("RGBA")  # Pillow warns of transparent palettes otherwise
    if square.mode.startswith("I"):  # 16 bits of grey, of which convert makes white of all above 255
        square = Image.fromarray((np.asarray(square) >> 8).astype(np.uint8))
    square = square.convert("RGB")
    if enlarged:
        square = square.resize((image_size, image_size), Image.Resampling.BILINEAR)
    pixels = np.asarray(square).transpose(2, 0, 1)
    return area_means(pixels, image_size) if pixels.shape[-1] % image_size else shrunk(pixels[None], image_size)[
        0
    ], enlarged


def _opened(content: bytes) -> Image.Image:
    with _opening, warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)  # refused here, not printed and refused later
        return Image.open(io.BytesIO(content), formats=FORMATS)


def area_means(pixels: npt.NDArray[np.uint8], size: int) -> npt.NDArray[np.uint8]:
    """Return a square image at any smaller size, every new pixel the rounded mean of the area that it covers.

    Pillow's box filter takes whole pixels only, which shifts lines by up to half a pixel; here a pixel on a border
    counts for the part that is covered.

    Parameters
    ----------
    pixels : ndarray of uint8
        (3, edge, edge).
    size : int
        New edge in pixels, at most the old one.

    Returns
    -------
    ndarray of uint8
        (3, size, size).

    Examples
    --------
    >>> area_means(np.array([[[0, 3, 6]] * 3], dtype=np.uint8), 2)[0].tolist()
    [[1, 5], [1, 5]]
    """
    edge = pixels.shape[-1]
    borders = np.arange(size + 1) * edge / size
    whole = borders.astype(np.intp)
    part = (borders - whole)[:, None, None]
    first, following = whole[:-1], np.minimum(whole[1:], edge - 1)  # of the last border the part is 0
    lines: npt.NDArray[Any] = np.ascontiguousarray(pixels.transpose(1, 2, 0))
    for _ in range(2):  # rows, then columns; along the first axis, where whole lines are added at once
        sums = np.add.reduceat(lines, first, dtype=np.float64) - part[:-1] * lines[first] + part[1:] * lines[following]
        lines = np.ascontiguousarray((sums * (size / edge)).transpose(1, 0, 2))
    rounded: npt.NDArray[np.uint8] = np.floor(lines.transpose(2, 0, 1) + 0.5).astype(np.uint8)
    return rounded
