"""What everything that ranks samples shares: arguments checked, runs of equal values."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from fairness_checks.typing import Array

Counts = npt.NDArray[np.uint16] | npt.NDArray[np.int32]
Integers = npt.NDArray[np.int64]
_AT_ONCE = 65_536  # counts
_COUNTED = 8  # groups to a sample that is counted by itself: as many as a row of counts takes in one move

__all__ = ["Ranks", "floats", "in_groups", "inner", "run_ends", "same_length"]


def same_length(**arrays: npt.NDArray[Any]) -> None:
    """Raise ValueError unless all arrays, named in the message, have one dimension and one length."""
    if len({array.shape for array in arrays.values()}) > 1 or any(array.ndim != 1 for array in arrays.values()):
        raise ValueError(f"one value per sample: {', '.join(f'{k} has shape {v.shape}' for k, v in arrays.items())}")


def inner(x: Array, y: Array) -> float:
    """Return the sum of products: the same digits on any number of cores, on all of which ``x @ y`` runs and waits."""
    return float(np.sum(x * y))


def floats(name: str, values: npt.ArrayLike) -> Array:
    """Return the values as float64; ValueError for nan."""
    array = np.asarray(values, dtype=np.float64)
    if np.isnan(array).any():
        raise ValueError(f"{name} holds nan, which has no rank")
    return array


def in_groups(codes: npt.NDArray[np.integer[Any]], groups: int) -> npt.NDArray[np.integer[Any]]:
    """Return the codes of samples in groups, -1 of one that is left out; ValueError for any other."""
    codes = np.asarray(codes)
    if len(codes) and not -1 <= codes.min() <= codes.max() < groups:
        raise ValueError(f"codes run from {codes.min()} to {codes.max()}; allowed are -1 to {groups - 1}")
    return codes


def run_ends(values: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Return the last position of each run of equal values, for sorted values, at least one."""
    return np.append(np.flatnonzero(values[1:] != values[:-1]), len(values) - 1)


class Ranks:
    """How many samples of each group every sample exceeds: after one sort linear in samples times groups."""

    # values, codes: (n,), codes in [0, groups).

    def __init__(self, values: Array, codes: npt.NDArray[np.integer[Any]], groups: int) -> None:
        order = np.argsort(values)
        ends = run_ends(values[order])
        run = np.empty(len(values), dtype=np.int64)
        run[order] = np.repeat(np.arange(len(ends)), np.diff(ends, prepend=-1))
        self._below, self._upto = np.append(0, ends[:-1] + 1)[run], (ends + 1)[run]
        # Of every so many samples in order how many of each group came before; the last few are counted one by one.
        self._every = min(max(groups // _COUNTED, 1), 4 * _COUNTED)
        self._earlier = np.tri(self._every, k=-1, dtype=np.bool_)  # within so many: which come before each
        # Where few values are equal, those equal to a sample are counted one by one as well.
        longest = int(np.diff(ends, prepend=-1).max())
        self._short, self._tied = self._every > 1 and longest <= self._every, longest > 1
        blocks = len(values) // self._every + 1
        self._code = np.zeros((blocks, self._every), dtype=np.intp)
        self._code.reshape(-1)[: len(values)] = codes[order]
        narrow = 2 * int(np.bincount(codes).max()) < 2**16  # twice the size of any group
        self._before = np.zeros((blocks, groups), dtype=np.uint16 if narrow else np.int32)
        step = max(_AT_ONCE // groups, 1)
        for start in range(0, blocks - 1, step):
            some = self._code[start : min(start + step, blocks - 1)]
            key = np.arange(len(some))[:, None] * groups + some
            counts = np.bincount(key.reshape(-1), minlength=len(some) * groups)
            self._before[start + 1 : start + 1 + len(some)] = counts.reshape(len(some), groups)
        np.cumsum(self._before, axis=0, out=self._before)
        if self._short:  # nearly all samples are exceeded, not met
            self._before *= 2

    def placements(self, members: slice) -> npt.NDArray[np.int32]:
        """Twice the samples of each group that some samples exceed; a tie counts half; shape (members, G)."""
        below, upto = self._below[members], self._upto[members]
        row = np.arange(0, len(below) * self._before.shape[1], self._before.shape[1])
        found = self._before.take(below // self._every, axis=0)
        flat = found.reshape(-1)
        if self._short:
            self._count_before(flat, row, below, 2)
            _add(flat, row + self._code.reshape(-1).take(below), 1)
            if self._tied:
                self._count_between(flat, row, below + 1, upto)
            return found.astype(np.int32)
        found += self._before.take(upto // self._every, axis=0)
        for place in (below, upto) if self._every > 1 else ():
            self._count_before(flat, row, place, 1)
        return found.astype(np.int32)

    def _count_before(self, flat: Counts, row: Integers, place: Integers, weight: int) -> None:
        """Count samples one by one, from the last block that was counted to a place in the order of values."""
        # `row` is where the counts of each sample start, in the flat table.
        block, within = np.divmod(place, self._every)
        at = self._code.take(block, axis=0)
        at += row[:, None]
        _add(flat, at.reshape(-1).take(np.flatnonzero(self._earlier.take(within, axis=0))), weight)

    def _count_between(self, flat: Counts, row: Integers, start: Integers, end: Integers) -> None:
        """Count samples one by one, from a start to an end in the order of values for each row."""
        some = np.flatnonzero(end > start)
        lengths = (end - start)[some]
        place = np.arange(int(lengths.sum())) + np.repeat(start[some] - np.cumsum(lengths) + lengths, lengths)
        _add(flat, np.repeat(row[some], lengths) + self._code.reshape(-1).take(place), 1)


def _add(flat: Counts, at: Integers, weight: int) -> None:
    """Add a weight at each of some places, at one as often as it is there."""
    np.add.at(flat, at, flat.dtype.type(weight))  # of the same type: forty times as fast
