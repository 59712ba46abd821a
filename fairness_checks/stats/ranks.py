"""What everything that ranks samples shares: arguments checked, runs of equal values."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from fairness_checks.typing import Array

__all__ = ["Ranks", "floats", "run_ends", "same_length"]


def same_length(**arrays: npt.NDArray[Any]) -> None:
    """Raise ValueError unless all arrays, named in the message, have one dimension and one length."""
    if len({array.shape for array in arrays.values()}) > 1 or any(array.ndim != 1 for array in arrays.values()):
        raise ValueError(f"one value per sample: {', '.join(f'{k} has shape {v.shape}' for k, v in arrays.items())}")


def floats(name: str, values: npt.ArrayLike) -> Array:
    """Return the values as float64; ValueError for nan."""
    array = np.asarray(values, dtype=np.float64)
    if np.isnan(array).any():
        raise ValueError(f"{name} holds nan, which has no rank")
    return array


def run_ends(values: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Return the last position of each run of equal values, for sorted values, at least one."""
    return np.append(np.flatnonzero(values[1:] != values[:-1]), len(values) - 1)


class Ranks:
    """The runs of equal values of all samples, which one sort finds; then every group's counts are linear in time."""

    def __init__(self, values: Array) -> None:
        order = np.argsort(values)
        ends = run_ends(values[order])
        self._runs = len(ends)
        self._run = np.empty(len(values), dtype=np.int64)
        self._run[order] = np.repeat(np.arange(self._runs), np.diff(ends, prepend=-1))

    def placements(self, members: slice) -> npt.NDArray[np.int64]:
        """Twice the number of members, a slice of the samples, that each sample exceeds; a tie counts half; (n,)."""
        counts = np.bincount(self._run[members], minlength=self._runs)
        return np.asarray((2 * np.cumsum(counts) - counts)[self._run])
