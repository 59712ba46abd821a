"""Numbers as float16 times a power of two: two bytes each, and a known error."""

# A float16 holds 11 significant bits over 30 powers of two. The scale puts the largest value of an array at the upper
# end: a value within a factor of 2^28 (270 million) of it is rounded by at most 2^-11 of itself; a smaller one by at
# most 2^-38 of the largest, and never to 0. Nothing overflows.
# Scores are kept as their distance from 0 or from 1, whichever is nearer, with a sign that says which: a score of
# 0.9999 is as well told from 1 as one of 0.0001 from 0, on which the log loss of a confident model depends.

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fairness_checks.typing import Array

__all__ = ["Halves", "as_distances", "as_scores", "halved"]


_TOP = 15  # the largest value lies in [2^14, 2^15); float16 ends at 65,504
_SMALLEST = 2.0**-24
_LARGEST = float(np.finfo(np.float64).max)


@dataclass(frozen=True, slots=True, eq=False)
class Halves:
    """n numbers, ``values * 2 ** exponent``."""

    values: npt.NDArray[np.float16]  # (n,)
    exponent: int

    def restored(self) -> Array:
        """Return the numbers, shape (n,)."""
        with np.errstate(over="ignore"):  # rounded up, the largest float64 there is would be infinite
            numbers = np.ldexp(self.values.astype(np.float64), self.exponent)
        return np.clip(numbers, -_LARGEST, _LARGEST)


def halved(numbers: Array) -> Halves:
    """Round finite numbers of any size."""
    largest = float(np.abs(numbers).max(initial=0.0))
    exponent = int(np.frexp(largest)[1]) - _TOP
    scaled = np.ldexp(numbers, -exponent)
    lost = (numbers != 0.0) & (np.abs(scaled) < _SMALLEST)
    return Halves(np.where(lost, np.copysign(_SMALLEST, numbers), scaled).astype(np.float16), exponent)


def as_distances(scores: Array) -> Array:
    """Return scores up to 0.5 as they are, others as minus their distance from 1; a score of 1 as -0.0."""
    return np.where(scores <= 0.5, np.abs(scores), -(1.0 - scores))  # abs: a score of -0.0 is 0


def as_scores(distances: Array) -> Array:
    """Return the scores; the inverse of `as_distances`."""
    return np.where(np.signbit(distances), 1.0 + distances, distances)
