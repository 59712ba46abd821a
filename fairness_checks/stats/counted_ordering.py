"""How errors and uncertainties order independent samples of which only the different ones are known, and how often."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from fairness_checks.stats.mismatch import MismatchStatistics
from fairness_checks.stats.ranks import floats, in_groups, inner, run_ends, same_length
from fairness_checks.stats.risk_coverage import FEWEST_OF_PART, PARTS, UncertaintyWarning, part_sizes
from fairness_checks.typing import Array

__all__ = ["mismatch_of_counts", "warning_of_counts"]

Integers = npt.NDArray[np.int64]
_LARGE = 100.0  # from which on harmonic numbers follow from the logarithm to the last digit


def mismatch_of_counts(
    codes: npt.NDArray[np.integer[Any]],
    groups: int,
    error: npt.ArrayLike,
    uncertainty: npt.ArrayLike,
    counts: Integers,
) -> MismatchStatistics:
    """Return what `mismatch_by_group` does of rows of which row c stands for `counts[c]` samples, 1 or more; (C,)."""
    codes, values = _read(codes, groups, error, uncertainty, counts)
    weights = counts.astype(np.float64)
    samples: Array = np.bincount(codes, weights=weights, minlength=groups).astype(np.float64)
    runs = [np.unique(x, return_inverse=True)[1] for x in values]
    means, spreads = np.full((2, groups, groups), np.nan), np.full((3, groups, groups), np.nan)

    def sums(table: Array) -> Array:
        return np.asarray(np.bincount(codes, weights=weights * table, minlength=groups), dtype=np.float64)

    n = np.maximum(samples, 1.0)
    with np.errstate(divide="ignore"):
        scale = np.where(samples > 1.0, 1.0 / ((samples - 1.0) * n), np.nan)
    there = samples > 0.0
    for other in np.flatnonzero(there).tolist():
        placed = []
        for run in runs:
            mine = codes == other
            upto = np.cumsum(np.bincount(run[mine], weights=weights[mine], minlength=int(run.max()) + 1))
            placed.append((upto + np.append(0.0, upto[:-1]))[run] / (2.0 * samples[other]))
        for at, place in enumerate((placed[0] - placed[1], *placed)):
            mean = sums(place) / n
            spreads[at, there, other] = (sums((place - mean[codes]) ** 2) * scale)[there]
            if at:
                means[at - 1, there, other] = mean[there]
    zero, none = np.zeros((groups, groups)), np.zeros((groups, groups), dtype=np.int64)
    units = samples.astype(np.int64)
    return MismatchStatistics(
        means[0], means[1], spreads[0], spreads[1], spreads[2], zero, zero, zero, none, units, units, samples
    )


def warning_of_counts(
    codes: npt.NDArray[np.integer[Any]],
    groups: int,
    error: npt.ArrayLike,
    uncertainty: npt.ArrayLike,
    counts: Integers,
) -> UncertaintyWarning:
    """Return what `warning_by_group` does of rows of which row c stands for `counts[c]` samples, 1 or more; (C,)."""
    codes, (errors, uncertainties) = _read(codes, groups, error, uncertainty, counts)
    result, parts = np.full((4, groups), np.nan), np.full((2, groups, PARTS), np.nan)
    units = np.zeros((groups, PARTS), dtype=np.int64)
    order = np.argsort(codes, kind="stable")
    for mine in np.split(order, np.cumsum(np.bincount(codes, minlength=groups))[:-1]):
        if not len(mine):
            continue
        group, e, u, w = int(codes[mine[0]]), errors[mine], uncertainties[mine], counts[mine].astype(np.float64)
        by_error, by_uncertainty = _Runs(e, w), _Runs(u, w)
        shared, total = by_uncertainty.means(e), float(w.sum())
        area, mean = by_uncertainty.area(shared), float((w * e).sum()) / total
        least = by_error.area(by_error.means(e))
        found = _correlation(by_error.ranks(), by_uncertainty.ranks(), w), area, max(area - least, 0.0), mean
        result[:, group] = found
        sizes = part_sizes(int(total))
        if sizes.min() >= FEWEST_OF_PART:
            units[group] = sizes
            ends = np.append(0, np.cumsum(sizes))
            parts[:, group] = [by_uncertainty.between(x, ends) / sizes for x in (shared, by_uncertainty.means(u))]
    (spearman, area_of, excess_of, mean_of), (error_of, uncertainty_of) = result, parts
    return UncertaintyWarning(spearman, area_of, excess_of, mean_of, error_of, uncertainty_of, units)


class _Runs:
    """Rows of one group by rising value, equal ones together."""

    def __init__(self, values: Array, weights: Array) -> None:
        order = np.argsort(values, kind="stable")
        ends = run_ends(values[order])
        self._run = np.empty(len(values), dtype=np.int64)
        self._run[order] = np.repeat(np.arange(len(ends)), np.diff(ends, prepend=-1))
        self._weights = weights
        self._size = self._sums(np.ones(len(values)))
        self._upto = np.cumsum(self._size)
        self._before = self._upto - self._size

    def _sums(self, values: Array) -> Array:
        return np.asarray(np.bincount(self._run, weights=self._weights * values), dtype=np.float64)

    def means(self, values: Array) -> Array:
        """Return the mean of each run, shape (R,)."""
        return np.asarray(self._sums(values) / self._size)

    def ranks(self) -> Array:
        """Return the mean rank of each row, from 1."""
        return np.asarray((self._before + (self._size + 1.0) / 2.0)[self._run])

    def area(self, means: Array) -> float:
        """Return the mean of the first k samples, averaged over k, where those of a run share its mean."""
        # With S samples' sum before a run of w samples, c before it, and the mean e: the sum of (S + k e) / (c + k).
        sums = means * self._size
        before = np.cumsum(sums) - sums
        of_run = sums + (before - self._before * means) * _harmonic(self._before, self._size)
        return float(of_run.sum() / self._upto[-1])

    def between(self, means: Array, ends: Integers) -> Array:
        """Sum what samples have between some places in their order, where those of a run share its mean."""
        upto = np.append(0.0, np.cumsum(means * self._size))
        return np.diff(np.interp(ends, np.append(0.0, self._upto), upto))


def _harmonic(before: Array, size: Array) -> Array:
    """Return 1 / (c + 1) + ... + 1 / (c + w)."""
    c, upto = np.maximum(before, _LARGE), np.maximum(before, _LARGE) + size
    far = np.log1p(size / c) - size / (2.0 * c * upto) + (c**-2 - upto**-2) / 12.0 - (c**-4 - upto**-4) / 120.0
    return np.where(before < _LARGE, special.digamma(before + size + 1.0) - special.digamma(before + 1.0), far)


def _correlation(x: Array, y: Array, weights: Array) -> float:
    """Pearson's correlation; nan where either is constant."""
    total = float(weights.sum())
    x, y = x - inner(weights, x) / total, y - inner(weights, y) / total
    scale = math.sqrt(inner(weights * x, x) * inner(weights * y, y))
    return min(max(inner(weights * x, y) / scale, -1.0), 1.0) if scale > 0.0 else math.nan


def _read(
    codes: npt.NDArray[np.integer[Any]], groups: int, error: npt.ArrayLike, uncertainty: npt.ArrayLike, counts: Integers
) -> tuple[npt.NDArray[np.integer[Any]], tuple[Array, Array]]:
    codes, errors, uncertainties = in_groups(codes, groups), floats("error", error), floats("uncertainty", uncertainty)
    same_length(codes=codes, error=errors, uncertainty=uncertainties, counts=counts)
    if len(codes) and (codes.min() < 0 or counts.min() < 1):
        raise ValueError("counts, codes: each row is of a group, and stands for 1 or more samples")
    return codes, (errors, uncertainties)
