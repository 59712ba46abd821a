"""How well a model's uncertainty ranks its errors within each group (Geifman et al., ICLR 2019, arXiv:1805.08206)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from fairness_checks.stats.ranks import floats, in_groups, run_ends, same_length
from fairness_checks.typing import Array

__all__ = ["UncertaintyWarning", "warning_by_group"]


@dataclass(frozen=True, slots=True, eq=False)
class UncertaintyWarning:
    """How an uncertainty orders the errors of each of G groups."""

    spearman: Array  # (G,), of uncertainty and error; nan where either is constant
    risk_coverage: Array  # (G,), area under the curve, in the error's unit
    excess: Array  # (G,), the area less that of an uncertainty which orders the errors perfectly
    mean_error: Array  # (G,), the area of an uncertainty that says nothing

    def take(self, order: Sequence[int]) -> UncertaintyWarning:
        """Return the groups at the given positions; -1 stands for an empty group."""
        at = np.asarray(order, dtype=np.intp)
        columns = (self.spearman, self.risk_coverage, self.excess, self.mean_error)
        return UncertaintyWarning(*(np.append(column, np.nan)[at] for column in columns))


def warning_by_group(
    codes: npt.NDArray[np.integer[Any]], groups: int, error: npt.ArrayLike, uncertainty: npt.ArrayLike
) -> UncertaintyWarning:
    """Rank correlation and risk-coverage area of each group, from one sort of errors and one of uncertainties."""
    # codes, error, uncertainty: (n,); code -1 leaves a sample out, nan is a ValueError.
    codes, error, uncertainty = in_groups(codes, groups), floats("error", error), floats("uncertainty", uncertainty)
    same_length(codes=codes, error=error, uncertainty=uncertainty)
    counted = np.flatnonzero(codes >= 0)
    mine, error, uncertainty = codes[counted], error[counted], uncertainty[counted]
    bounds = np.append(0, np.cumsum(np.bincount(mine, minlength=groups)))
    by_error, by_uncertainty = np.lexsort((error, mine)), np.lexsort((uncertainty, mine))
    result = np.full((4, groups), np.nan)
    rank = np.empty(len(mine))  # of the error, within the group
    for group, (start, end) in enumerate(pairwise(bounds)):
        if start == end:
            continue
        best, seen = by_error[start:end], by_uncertainty[start:end]
        rank[best] = _ranks(error[best])
        area = _area(error[seen], uncertainty[seen])
        # Both areas are means of the same errors; what rounding leaves below zero is none.
        excess = max(area - _area(error[best], error[best]), 0.0)
        result[:, group] = _correlation(rank[seen], _ranks(uncertainty[seen])), area, excess, error[seen].mean()
    return UncertaintyWarning(*result)


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


def _area(error: Array, uncertainty: Array) -> float:
    """Mean error of the k most certain samples, averaged over k; sorted by uncertainty, ties share a mean."""
    ends = run_ends(uncertainty)
    lengths = np.diff(ends, prepend=-1)
    shared = np.repeat(np.add.reduceat(error, ends + 1 - lengths) / lengths, lengths)
    return float(np.mean(np.cumsum(shared) / np.arange(1, len(error) + 1)))
