"""In which scale a torch module gets its images and gives them back, and what tells that it is not the one it knows."""

# A module that was trained on pixels in [0, 1] and gets them in [-1, 1] has errors that depend on how dark an image
# is, whatever it learned. The numbers show it where a reconstruction stays in a range that the images leave, where it
# goes to values that no image has, or where it is the image but for a scale. All are read from the whole set: a batch
# of dark images says nothing.

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import numpy as np

from fairness_checks.adapters.last_operation import Ending
from fairness_checks.errors import InvalidPredictions
from fairness_checks.inputs.sensitive import first_rows
from fairness_checks.typing import Array

if TYPE_CHECKING:
    import torch

__all__ = ["GIVEN", "SCALINGS", "TRANSFORM", "Scaling", "ranges", "refuse_other_scale"]

Scaling = Literal["[-1, 1]", "[0, 1]", "as given"]

GIVEN: Final = "as given"
TRANSFORM: Final = "transform"
SCALINGS: Mapping[str, tuple[float, float]] = {"[-1, 1]": (127.5, -1.0), "[0, 1]": (255.0, 0.0), GIVEN: (1.0, 0.0)}
"""By what pixels are divided, and what is added then; the names of the first two say where 0 to 255 come to lie."""

_ROUNDING = 1e-3
_VISIBLE, _FAR = 0.05, 0.25  # root of the mean square over an image's pixels, where pixels span about 1
_WIDE = 0.5
_SAME = 0.1  # of the variance, and of the error in the images' own scale

_PLACES = {"[0, 1]": (0.0, 1.0), "[-1, 1]": (-1.0, 1.0), "[0, 255]": (0.0, 255.0)}
_MAPS = {  # from where, to where, slope and offset, and the way back
    "images / 255": ("[0, 255]", "[0, 1]", 1 / 255, 0.0, "255 * reconstruction"),
    "images / 127.5 - 1": ("[0, 255]", "[-1, 1]", 1 / 127.5, -1.0, "127.5 * (reconstruction + 1)"),
    "2 * images - 1": ("[0, 1]", "[-1, 1]", 2.0, -1.0, "(reconstruction + 1) / 2"),
    "(images + 1) / 2": ("[-1, 1]", "[0, 1]", 0.5, 0.5, "2 * reconstruction - 1"),
    "255 * images": ("[0, 1]", "[0, 255]", 255.0, 0.0, "reconstruction / 255"),
    "127.5 * (images + 1)": ("[-1, 1]", "[0, 255]", 127.5, 127.5, "reconstruction / 127.5 - 1"),
}


class _Range(NamedTuple):
    """Of each image and its reconstruction, shape (n,): extremes, mean squares past [0, 1], and moments."""

    image_low: Array
    image_high: Array
    image_past: Array
    low: Array
    high: Array
    below_zero: Array
    image: Array
    given: Array
    image_square: Array
    given_square: Array
    product: Array


def ranges(batch: torch.Tensor, reconstruction: torch.Tensor) -> Iterator[torch.Tensor]:
    """Return what is kept of each image's scale: the columns that `refuse_other_scale` reads, each of shape (B,)."""
    x, y = batch.reshape(len(batch), -1), reconstruction.reshape(len(batch), -1)
    yield from (x.amin(1), x.amax(1), (x - x.clamp(0, 1)).square().mean(1))
    yield from (y.amin(1), y.amax(1), y.clamp(max=0).square().mean(1))
    yield from (x.mean(1), y.mean(1), x.square().mean(1), y.square().mean(1), (x * y).mean(1))


def refuse_other_scale(columns: Array, module: str, scaling: str, integers: bool, ending: Callable[[], Ending]) -> None:
    """Refuse images in another scale than the module's; warn where that is likely and not certain."""
    # columns: (11, n), what `ranges` gave. `ending`, what the module's last operation does to the range of its
    # values, is asked only where it matters.
    seen = _Range(*columns)
    if scaling in SCALINGS and scaling != GIVEN:
        _refuse_not_pixels(seen, scaling, integers)
    _refuse_mapped(seen, module, scaling)
    _refuse_out_of_reach(seen, module, scaling, ending)
    _refuse_below_all_images(seen, module, scaling, ending)


def _refuse_not_pixels(seen: _Range, scaling: str, integers: bool) -> None:
    """Refuse to scale what are no pixels of 0 to 255, or were scaled before."""
    divisor, offset = SCALINGS[scaling]
    low, high = ((values - offset) * divisor for values in (seen.image_low, seen.image_high))
    outside = (low < -_ROUNDING) | (high > 255 + _ROUNDING)
    if outside.any():
        raise InvalidPredictions(
            f"scaling: {scaling!r} is of pixels from 0 to 255; images reach from {low.min():.4g} to {high.max():.4g} "
            f"({first_rows(outside)}): leave it out if they were scaled before, or give a transform"
        )
    if 0 < high.max() <= 1 + _ROUNDING:
        remedy = 'write scaling="as given"' if integers else "leave it out"
        raise InvalidPredictions(
            f"scaling: {scaling!r} is of pixels from 0 to 255, and none of the images exceeds {high.max():.4g}: "
            f"{remedy} if they were scaled before"
        )


def _refuse_mapped(seen: _Range, module: str, scaling: str) -> None:
    """Refuse a reconstruction that is the image but for a scale."""
    x, y, xx, yy, xy = (column.mean() for column in seen[6:])
    error = yy - 2 * xy + xx
    for words, (source, place, slope, offset, back) in _MAPS.items():
        low, high = _PLACES[source]
        if seen.image_low.min() < low - _VISIBLE or seen.image_high.max() > high + _VISIBLE:
            continue
        left = yy - 2 * slope * xy - 2 * offset * y + slope**2 * xx + 2 * slope * offset * x + offset**2
        if left < _SAME * min(error, slope**2 * (xx - x**2)):
            raise InvalidPredictions(
                f"{module}: the reconstruction is not in the scale of the images: its mean squared error is "
                f"{max(left, 0.0):.3g} from {words} and {error:.3g} from the images {_as(scaling)}; return {back}, "
                f"or, if the module was trained on images in {place}, {_remedy(place, seen, scaling)}"
            )


def _refuse_out_of_reach(seen: _Range, module: str, scaling: str, ending: Callable[[], Ending]) -> None:
    """Refuse images that leave [0, 1] where all reconstructions stay in it, as those of a sigmoid do."""
    far = np.sqrt(seen.image_past) > _VISIBLE
    if not far.any() or seen.low.min() < -_ROUNDING or seen.high.max() > 1 + _ROUNDING:
        return
    counted = f"{np.count_nonzero(far):,} of {len(far):,} images leave [0, 1] ({first_rows(far)})"
    problem = (
        f"{module}: all reconstructions stay in [0, 1], as behind a sigmoid, and {counted}: {_as(scaling)} images "
        f"reach from {seen.image_low.min():.4g} to {seen.image_high.max():.4g}, which no reconstruction can; if the "
        f"module was trained on images in [0, 1], {_remedy('[0, 1]', seen, scaling)}"
    )
    known = ending()
    # A module that has learned nothing gives much the same everywhere.
    likely = seen.high.max() - seen.low.min() > _WIDE or seen.image_past.max() > 1
    if known == "bounded" or (known == "unknown" and likely):
        raise InvalidPredictions(problem)
    if likely:
        warnings.warn(problem, RuntimeWarning, stacklevel=5)


def _refuse_below_all_images(seen: _Range, module: str, scaling: str, ending: Callable[[], Ending]) -> None:
    """Refuse images in [0, 1] where reconstructions go far below 0, as those of a tanh do."""
    images = (seen.image_low.min(), seen.image_high.max())
    outputs = (seen.low.min(), seen.high.max())
    below = np.sqrt(seen.below_zero)
    past = images[0] < -_ROUNDING or images[1] > 1 + _ROUNDING or max(map(abs, outputs)) > 1 + _ROUNDING
    if past or below.max() <= _VISIBLE:
        return
    if ending() != "bounded":
        return
    negative = below > (_FAR if below.max() > _FAR else _VISIBLE)
    problem = (
        f"{module}: reconstructions lie in [-1, 1], as behind a tanh, and go down to {outputs[0]:.3g} in "
        f"{np.count_nonzero(negative):,} of {len(below):,} images ({first_rows(negative)}), while {_as(scaling)} no "
        f"image goes below 0; if the module was trained on images in [-1, 1], {_remedy('[-1, 1]', seen, scaling)}"
    )
    if below.max() > _FAR:
        raise InvalidPredictions(problem)
    warnings.warn(problem, RuntimeWarning, stacklevel=5)


def _as(scaling: str) -> str:
    """Say how images became what the module saw."""
    if scaling == TRANSFORM:
        return "by the transform"
    return scaling if scaling == GIVEN else f"scaled to {scaling}"


def _remedy(place: str, seen: _Range, scaling: str) -> str:
    """Say how images come to lie in [0, 1], [-1, 1] or [0, 255]."""
    if scaling == TRANSFORM:
        return f"let the transform give them in {place}"
    pixels = scaling != GIVEN or (seen.image_low.min() >= 0 and 2 < seen.image_high.max() <= 255)
    if pixels:
        return f'write scaling="{GIVEN if place == "[0, 255]" else place}"'
    return f"give them in {place}"
