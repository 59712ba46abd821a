"""How well a model's uncertainty ranks its errors within each group (Geifman et al., ICLR 2019, arXiv:1805.08206)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from fairness_checks.stats.ranks import floats, in_groups, run_ends, same_length
from fairness_checks.typing import Array

__all__ = ["PARTS", "UncertaintyWarning", "part_sizes", "warning_by_group"]


PARTS = 10
"""Equal parts of a group, from its most certain samples on."""
_FEWEST = 10  # samples, or clusters, of a part, so that its means are nobody's own


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
    counted = np.flatnonzero(codes >= 0)
    mine, error, uncertainty = codes[counted], error[counted], uncertainty[counted]
    bounds = np.append(0, np.cumsum(np.bincount(mine, minlength=groups)))
    by_error, by_uncertainty = np.lexsort((error, mine)), np.lexsort((uncertainty, mine))
    result, parts = np.full((4, groups), np.nan), np.full((2, groups, PARTS), np.nan)
    units = np.zeros((groups, PARTS), dtype=np.int64)
    rank = np.empty(len(mine))  # of the error, within the group
    for group, (start, end) in enumerate(pairwise(bounds)):
        if start == end:
            continue
        best, seen = by_error[start:end], by_uncertainty[start:end]
        rank[best] = _ranks(error[best])
        shared = _shared(error[seen], uncertainty[seen])
        area = _area(shared)
        # Both areas are means of the same errors; what rounding leaves below zero is none.
        excess = max(area - _area(error[best]), 0.0)
        result[:, group] = _correlation(rank[seen], _ranks(uncertainty[seen])), area, excess, error[seen].mean()
        sizes = part_sizes(end - start)
        firsts = np.cumsum(sizes) - sizes
        own = None if clusters is None else clusters[counted][seen]
        held = sizes if own is None else [len(np.unique(own[at : at + n])) for at, n in zip(firsts, sizes, strict=True)]
        if np.min(held) >= _FEWEST:
            units[group] = held
            parts[:, group] = [np.add.reduceat(values, firsts) / sizes for values in (shared, uncertainty[seen])]
    (spearman, area_of, excess_of, mean_of), (error_of, uncertainty_of) = result, parts
    return UncertaintyWarning(spearman, area_of, excess_of, mean_of, error_of, uncertainty_of, units)


def _ranks(values: Array) -> Array:
    """Mean ranks, from 1, of sorted values."""
    ends = run_ends(values)
    lengths = np.diff(ends, prepend=-1)
    return np.repeat(ends + 1.5 - lengths / 2.0, lengths)


def _correlation(x: Array, y: Array) -> float:
    """Pearson's correlation; nan where either is constant."""
    x, y = x - x.mean(), y - y.mean()
    scale = float(np.sqrt((x @ x) * (y @ y)))
    return float(np.clip(x @ y / scale, -1.0, 1.0)) if scale > 0.0 else float("nan")


def _shared(error: Array, uncertainty: Array) -> Array:
    """Errors sorted by uncertainty, of which ties share their mean."""
    ends = run_ends(uncertainty)
    lengths = np.diff(ends, prepend=-1)
    return np.repeat(np.add.reduceat(error, ends + 1 - lengths) / lengths, lengths)


def _area(error: Array) -> float:
    """Mean error of the first k samples, averaged over k."""
    return float(np.mean(np.cumsum(error) / np.arange(1, len(error) + 1)))
