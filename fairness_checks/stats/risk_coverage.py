"""How well a model's uncertainty ranks its errors within each group (Geifman et al., ICLR 2019, arXiv:1805.08206)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from fairness_checks.stats.ranks import floats, in_groups, inner, same_length
from fairness_checks.typing import Array

__all__ = ["FEWEST_OF_PART", "PARTS", "UncertaintyWarning", "part_sizes", "warning_by_group"]

Integers = npt.NDArray[np.int64]

PARTS = 10
"""Equal parts of a group, from its most certain samples on."""
FEWEST_OF_PART = 10  # samples, or clusters, of a part, so that its means are nobody's own


@dataclass(frozen=True, slots=True, eq=False)
class UncertaintyWarning:
    """How an uncertainty orders the errors of each of G groups."""

    spearman: Array  # (G,), of uncertainty and error; nan where either is constant
    risk_coverage: Array  # (G,), area under the curve, in the error's unit
    excess: Array  # (G,), the area less that of an uncertainty which orders the errors perfectly
    mean_error: Array  # (G,), the area of an uncertainty that says nothing
    # (G, 10), means of ten equal parts of a group, its most certain samples first; nan where a part has few samples
    error_of_part: Array
    uncertainty_of_part: Array
    units_of_part: npt.NDArray[np.int64]  # (G, 10), samples, or clusters, of each part; 0 where its means are nan

    def take(self, order: Sequence[int]) -> UncertaintyWarning:
        """Return the groups at the given positions; -1 stands for an empty group."""
        at = np.asarray(order, dtype=np.intp)

        def of(values: Array) -> Array:
            return np.concatenate([values, np.full_like(values, np.nan, shape=(1, *values.shape[1:]))])[at]

        return UncertaintyWarning(
            of(self.spearman),
            of(self.risk_coverage),
            of(self.excess),
            of(self.mean_error),
            of(self.error_of_part),
            of(self.uncertainty_of_part),
            np.pad(self.units_of_part, ((0, 1), (0, 0)))[at],
        )

    def without_small_parts(self, below: int) -> UncertaintyWarning:
        """Return the same without the parts of groups that have fewer units in some part."""
        shown = (self.units_of_part >= below).all(axis=1, keepdims=True)
        return replace(
            self,
            error_of_part=np.where(shown, self.error_of_part, np.nan),
            uncertainty_of_part=np.where(shown, self.uncertainty_of_part, np.nan),
            units_of_part=np.where(shown, self.units_of_part, 0),
        )


def part_sizes(samples: int) -> npt.NDArray[np.int64]:
    """Return how many samples each of the ten parts of a group has."""
    return np.diff(np.arange(PARTS + 1) * samples // PARTS)


def warning_by_group(
    codes: npt.NDArray[np.integer[Any]],
    groups: int,
    error: npt.ArrayLike,
    uncertainty: npt.ArrayLike,
    clusters: npt.NDArray[np.integer[Any]] | None = None,
) -> UncertaintyWarning:
    """Rank correlation and risk-coverage area of each group, from one sort of errors and one of uncertainties."""
    # codes, error, uncertainty, clusters: (n,); code -1 leaves a sample out, nan is a ValueError.
    codes, error, uncertainty = in_groups(codes, groups), floats("error", error), floats("uncertainty", uncertainty)
    same_length(codes=codes, error=error, uncertainty=uncertainty)
    # Codes of 16 bits are sorted by radix, in linear time; a group's values are then sorted where the cache holds them.
    narrow = codes.astype(np.int16 if groups < 2**15 else np.int64)
    rows = np.argsort(narrow, kind="stable")[int((codes < 0).sum()) :]
    error, uncertainty = error[rows], uncertainty[rows]
    clusters = None if clusters is None else clusters[rows]
    sizes = np.bincount(narrow[rows], minlength=groups)
    bounds = np.append(0, np.cumsum(sizes)).tolist()
    by_error, by_uncertainty = np.empty((2, len(rows)), dtype=np.intp)
    for start, end in pairwise(bounds):
        for order, values in ((by_error, error), (by_uncertainty, uncertainty)):
            order[start:end] = values[start:end].argsort(kind="stable") + start

    first = np.repeat(np.cumsum(sizes) - sizes, sizes)  # where each sample's group starts
    best, seen, certain = error[by_error], error[by_uncertainty], uncertainty[by_uncertainty]
    rank, so_many = np.empty(len(rows)), np.arange(1.0, len(rows) + 1.0) - first
    rank[by_error] = _ranks(best, first)
    of_error, of_uncertainty, shared = rank[by_uncertainty], _ranks(certain, first), _shared(seen, certain, first)
    result, parts = np.full((4, groups), np.nan), np.full((2, groups, PARTS), np.nan)
    units = np.zeros((groups, PARTS), dtype=np.int64)
    for group, (start, end) in enumerate(pairwise(bounds)):
        if start == end:
            continue
        mine = slice(start, end)
        # The mean error of the first k samples, averaged over k.
        area, least = (_mean(x[mine].cumsum() / so_many[mine]) for x in (shared, best))
        # Both areas are means of the same errors; what rounding leaves below zero is none.
        found = _correlation(of_error[mine], of_uncertainty[mine]), area, max(area - least, 0.0), _mean(seen[mine])
        result[:, group] = found
        part = part_sizes(end - start)
        firsts = np.cumsum(part) - part
        own = None if clusters is None else clusters[by_uncertainty[mine]]
        held = part if own is None else [len(np.unique(own[at : at + n])) for at, n in zip(firsts, part, strict=True)]
        if min(held) >= FEWEST_OF_PART:
            units[group] = held
            parts[:, group] = [np.add.reduceat(values[mine], firsts) / part for values in (shared, certain)]
    (spearman, area_of, excess_of, mean_of), (error_of, uncertainty_of) = result, parts
    return UncertaintyWarning(spearman, area_of, excess_of, mean_of, error_of, uncertainty_of, units)


def _runs(values: Array, first: Integers) -> tuple[Integers, Integers]:
    """Return the last position and the length of each run of equal values, sorted within each group."""
    if len(values) == 0:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    ends = np.flatnonzero(np.append((values[1:] != values[:-1]) | (first[1:] != first[:-1]), True))
    return ends, np.diff(ends, prepend=-1)


def _ranks(values: Array, first: Integers) -> Array:
    """Mean ranks, from 1, of values sorted within each group."""
    ends, lengths = _runs(values, first)
    return np.asarray(np.repeat(ends + 1.5 - lengths / 2.0, lengths) - first)


def _shared(error: Array, uncertainty: Array, first: Integers) -> Array:
    """Errors sorted by uncertainty within each group, of which ties share their mean."""
    ends, lengths = _runs(uncertainty, first)
    if len(ends) == 0:
        return error
    return np.repeat(np.add.reduceat(error, ends + 1 - lengths) / lengths, lengths)


def _mean(values: Array) -> float:
    """Return `numpy.mean` in half of its time."""
    return float(values.sum()) / len(values)


def _correlation(x: Array, y: Array) -> float:
    """Pearson's correlation; nan where either is constant."""
    x, y = x - _mean(x), y - _mean(y)
    scale = math.sqrt(inner(x, x) * inner(y, y))
    return min(max(inner(x, y) / scale, -1.0), 1.0) if scale > 0.0 else math.nan
