"""Whether a model's uncertainty warns of the group that it fails: two correlated areas with the group as the label."""

# A_x = P(x is higher in the first group) + P(tie) / 2, for x the error and the uncertainty of the same samples; the
# mismatch is A_error - A_uncertainty. Its variance is DeLong's for correlated areas (Biometrics 44 (1988) 837,
# doi:10.2307/2531595): a sample's component is the share of the other group that its error exceeds, less the share
# that its uncertainty exceeds. Clusters contribute the sum of their samples' components, those in both groups with
# their covariance (Obuchowski, Biometrics 53 (1997) 567, doi:10.2307/2533958).

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fairness_checks.stats.clusters import ClusterCells
from fairness_checks.stats.ranks import Ranks, floats, in_groups, run_ends, same_length
from fairness_checks.typing import Array

__all__ = ["FEWEST", "MismatchStatistics", "comes_first", "mismatch_by_group", "pair_areas", "too_small"]

FEWEST = 10  # samples, or clusters, of a group from which on a test at a margin keeps its level
_AT_ONCE = 131_072  # numbers of a table
_PLACEMENTS_AT_ONCE = 524_288  # whole numbers: a few calls a group, which cost as much as what they do
_FEWEST_ROWS = 64  # of a table whose sums of products fit 32 bits
_MANY = 16  # groups, from which on a sample's placements among them are long enough to be summed as they lie
_EQUAL = 1e-12  # areas this close to 1/2 are 1/2: a mean of shares of pairs is rounded

Integers = npt.NDArray[np.int64]


def comes_first(error_auc: npt.ArrayLike, uncertainty_auc: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Say of which pairs the first group is the worse one; of equal errors the one whose uncertainty is lower."""
    # Its mismatch is the larger one of the two turns: otherwise the groups' names would choose the sign.
    error = np.asarray(error_auc, dtype=np.float64)
    equal = np.abs(error - 0.5) < _EQUAL
    return np.asarray(np.where(equal, np.asarray(uncertainty_auc) <= 0.5, error > 0.5))


@dataclass(frozen=True, slots=True, eq=False)
class MismatchStatistics:
    """How errors and uncertainties order all pairs of G groups; entry [i, j] is group i against group j."""

    error_auc: Array  # (G, G), P(error of i > error of j), ties half; nan where one is empty
    uncertainty_auc: Array  # (G, G)
    variance: Array  # (G, G), what i adds to that of the mismatch; of a pair [i, j] + [j, i] + covariance
    error_variance: Array  # (G, G), to that of either area alone; nan where i has fewer than 2 units
    uncertainty_variance: Array  # (G, G)
    covariance: Array  # (G, G), twice that of the two groups' parts, from clusters in both
    error_covariance: Array  # (G, G)
    uncertainty_covariance: Array  # (G, G)
    shared: Integers  # (G, G), clusters in both groups
    units: Integers  # (G,), clusters, or samples without clusters
    samples: Integers  # (G,)
    effective: Array  # (G,), (sum of sizes)^2 / sum of squares (Kish, Survey Sampling, 1965)

    def take(self, order: Sequence[int]) -> MismatchStatistics:
        """Return the groups at the given positions; -1 stands for an empty group."""
        at = np.asarray(order, dtype=np.intp)
        if np.array_equal(at, np.arange(len(self.units))):
            return self

        def of(table: npt.NDArray[Any], empty: float) -> npt.NDArray[Any]:
            return np.asarray(
                np.pad(table, (0, 1), constant_values=empty)[(at[:, None], at) if table.ndim == 2 else at]
            )

        return MismatchStatistics(
            of(self.error_auc, np.nan),
            of(self.uncertainty_auc, np.nan),
            of(self.variance, np.nan),
            of(self.error_variance, np.nan),
            of(self.uncertainty_variance, np.nan),
            of(self.covariance, 0.0),
            of(self.error_covariance, 0.0),
            of(self.uncertainty_covariance, 0.0),
            of(self.shared, 0),
            of(self.units, 0),
            of(self.samples, 0),
            of(self.effective, 0.0),
        )


def too_small(statistics: MismatchStatistics) -> npt.NDArray[np.bool_]:
    """Say of which groups nothing can be concluded: fewer than `FEWEST` units; shape (G,)."""
    return statistics.units < FEWEST


class _Siblings:
    """Pairs (s, t) of cells of one cluster, s in an earlier group than t, and their influence on each other's group."""

    def __init__(self, cells: ClusterCells, group: Integers) -> None:
        order = np.argsort(cells.cluster, kind="stable")  # groups rise within a cluster
        ends = run_ends(cells.cluster[order])
        later = np.repeat(ends, np.diff(ends, prepend=-1)) - np.arange(len(order))  # later cells of the same cluster
        start = np.repeat(np.arange(len(order)), later)
        step = np.arange(len(start)) - np.repeat(np.cumsum(later) - later, later) + 1
        self._s, self._t = order[start], order[start + step]
        self._i, self._j = group[self._s], group[self._t]
        # (3, 2, pairs): the mismatch, errors and uncertainties alone; of s on the group of t, of t on the group of s.
        self._values = np.zeros((3, 2, len(self._s)))
        self._sides = []
        for mine, other in ((self._s, self._j), (self._t, self._i)):
            by = np.argsort(mine, kind="stable")
            self._sides.append((by, mine[by], other[by]))

    def note(self, cells: slice, others: slice, sums: Sequence[Array]) -> None:
        """Keep some cells' sums of components against some groups, of the mismatch and of either area alone."""
        # Shapes (groups, cells).
        for side, (by, mine, other) in enumerate(self._sides):
            part = slice(*np.searchsorted(mine, (cells.start, cells.stop)))
            some = np.flatnonzero((other[part] >= others.start) & (other[part] < others.stop)) + part.start
            for values, kept in zip(sums, self._values, strict=True):
                kept[side, by[some]] = values[other[some] - others.start, mine[some] - cells.start]

    def tables(self, units: Integers) -> tuple[list[Array], Integers]:
        """Return twice the three covariances and the shared clusters of each pair of groups, shapes (G, G)."""
        groups = len(units)
        key = self._i * groups + self._j

        def table(weights: Array | None) -> npt.NDArray[Any]:
            upper = np.bincount(key, weights=weights, minlength=groups**2).reshape(groups, groups)
            return np.asarray(upper + upper.T)

        shared = table(None)
        k = units[:, None] + units[None, :] - shared
        # A component of the second group is the share of the first that exceeds it: the sign turns round.
        factor = -2.0 * k / np.maximum(k - 1.0, 1.0)
        return [factor * table(np.prod(values, axis=0)) for values in self._values], shared


def mismatch_by_group(
    codes: npt.NDArray[np.integer[Any]],
    groups: int,
    error: npt.ArrayLike,
    uncertainty: npt.ArrayLike,
    cells: ClusterCells | None = None,
) -> MismatchStatistics:
    """Compare how errors and uncertainties separate all pairs of groups: two sorts, then time linear in G n."""
    # codes, error, uncertainty: (n,); code -1 leaves a sample out, nan is a ValueError. Only ranks count.
    codes, error, uncertainty = in_groups(codes, groups), floats("error", error), floats("uncertainty", uncertainty)
    same_length(codes=codes, error=error, uncertainty=uncertainty)
    # Rows sorted by group, then by cluster: every sum is one over a slice.
    unit_of_row = codes if cells is None else cells.of_row
    rows = np.flatnonzero(codes >= 0)
    rows = rows[np.argsort(unit_of_row[rows], kind="stable")]
    samples = np.bincount(codes[rows], minlength=groups)
    units = samples if cells is None else cells.by_group().astype(np.int64)
    present = np.flatnonzero(samples)
    n, k = samples[present], units[present]
    starts, unit_starts = np.cumsum(n) - n, np.cumsum(k) - k
    siblings = _Siblings(cells, np.searchsorted(present, cells.group)) if cells is not None and cells.spanning else None

    means, spreads = np.full((2, 3, len(present), len(present)), np.nan)
    if len(rows):
        group = np.repeat(np.arange(len(present)), n)
        ranks = [Ranks(values[rows], group, len(present)) for values in (error, uncertainty)]
    for i in range(len(present)):
        members, mine = slice(starts[i], starts[i] + n[i]), slice(unit_starts[i], unit_starts[i] + k[i])
        less_one = k[i] / (k[i] - 1.0) if k[i] > 1 else np.nan
        if cells is None and len(present) >= _MANY:
            mean, spread = _moments(ranks, members, n)
            means[1:, i], spreads[:, i] = mean / (2.0 * n), spread * less_one / (2.0 * n * n[i]) ** 2
            continue
        placed = [by.placements(members) for by in ranks]
        row_starts = (
            None if cells is None else np.searchsorted(unit_of_row[rows[members]], np.arange(mine.start, mine.stop))
        )
        for others in _parts(len(present), int(n[i])):
            scale = 2.0 * n[others]
            errors, uncertainties = (np.array(table[:, others].T, dtype=np.float64, order="C") for table in placed)
            sums = []
            for place, values in enumerate((errors - uncertainties, errors, uncertainties)):
                mean = values.sum(axis=1) / n[i]
                values -= mean[:, None]
                if row_starts is not None:
                    values = np.add.reduceat(values, row_starts, axis=1)
                means[place, i, others] = mean / scale
                spreads[place, i, others] = np.einsum("jr,jr->j", values, values) * less_one / (n[i] * scale) ** 2
                sums.append(values)
            if siblings is not None:
                siblings.note(mine, others, [values / (scale[:, None] * n[i]) for values in sums])

    spread_out = functools.partial(_spread_out, present, groups)
    zero = np.zeros((len(present), len(present)))
    covariances, shared = ([zero] * 3, zero.astype(np.int64)) if siblings is None else siblings.tables(k)
    return MismatchStatistics(
        spread_out(means[1], np.nan),
        spread_out(means[2], np.nan),
        spread_out(spreads[0], np.nan),
        spread_out(spreads[1], np.nan),
        spread_out(spreads[2], np.nan),
        spread_out(covariances[0], 0.0),
        spread_out(covariances[1], 0.0),
        spread_out(covariances[2], 0.0),
        spread_out(shared.astype(np.int64), 0),
        units,
        samples,
        _effective(samples, cells),
    )


def pair_areas(codes: npt.NDArray[np.integer[Any]], groups: int, values: npt.ArrayLike) -> Array:
    """Return P(value of i > value of j), ties half, of all pairs of groups, shape (G, G): as `mismatch_by_group`."""
    # codes, values: (n,), no code below 0. Sums of whole numbers below 2^53, which are exact in any order.
    x = floats("values", values)
    sizes = np.bincount(in_groups(codes, groups), minlength=groups).astype(np.float64)
    order = np.argsort(x)
    ends = run_ends(x[order]) if len(x) else np.zeros(0, dtype=np.int64)
    run = np.repeat(np.arange(len(ends)), np.diff(ends, prepend=-1))
    wins, before = np.zeros((groups, groups)), np.zeros(groups)
    step = max(_AT_ONCE // max(groups, 1), 1)
    for start in range(0, len(ends), step):
        some = slice(*np.searchsorted(run, (start, start + step)))
        width = min(step, len(ends) - start)
        key = (run[some] - start) * groups + codes[order[some]]
        here = np.bincount(key, minlength=width * groups).reshape(width, groups).astype(np.float64)
        upto = before + np.cumsum(here, axis=0)
        wins += here.T @ (2.0 * upto - here)
        before = upto[-1]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(wins / sizes[:, None] / (2.0 * sizes))


def _moments(ranks: Sequence[Ranks], members: slice, n: Integers) -> tuple[Array, Array]:
    """Return means, and sums of squared deviations, of one group's placements among independent samples."""
    # Shapes (2, G): of errors and uncertainties; (3, G): of their difference, errors and uncertainties. Sums of whole
    # numbers, nearly always without any rounding.
    count, step = members.stop - members.start, max(_PLACEMENTS_AT_ONCE // len(n), 1)
    fitting = (2**31 - 1) // (2 * int(n.max())) ** 2  # rows, whose sums of products are below 2^31
    kept: type[np.number[Any]] = np.int32 if fitting >= min(_FEWEST_ROWS, step) else np.float64
    step = min(step, fitting) if kept is np.int32 else step
    sums, products = np.zeros((2, len(n))), np.zeros((3, len(n)))
    for start in range(members.start, members.stop, step):
        some = slice(start, min(start + step, members.stop))
        e, u = (np.asarray(by.placements(some), dtype=kept) for by in ranks)
        sums += [x.sum(axis=0, dtype=x.dtype) for x in (e, u)]
        products += [np.einsum("rj,rj->j", x, y) for x, y in ((e, u), (e, e), (u, u))]
    (e_sum, u_sum), (e_u, e_e, u_u) = sums, products
    squares = count * np.array([e_e - 2.0 * e_u + u_u, e_e, u_u]) - np.square([e_sum - u_sum, e_sum, u_sum])
    return sums / count, np.maximum(squares, 0.0) / count


def _spread_out(present: Integers, groups: int, table: npt.NDArray[Any], empty: float) -> npt.NDArray[Any]:
    """Return a table of the groups that are present as one of all groups."""
    if len(present) == groups:
        return table
    result = np.full((groups, groups), empty, dtype=table.dtype)
    result[np.ix_(present, present)] = table
    return result


def _parts(groups: int, samples: int) -> Iterator[slice]:
    """Split all groups into parts, so that a table of so many samples against each of them fits the cache."""
    step = max(_AT_ONCE // samples, 1)
    for start in range(0, groups, step):
        yield slice(start, min(start + step, groups))


def _effective(samples: Integers, cells: ClusterCells | None) -> Array:
    """Kish's effective number of units of each group."""
    squares = samples if cells is None else cells.by_group(cells.sums() ** 2)
    return samples.astype(np.float64) ** 2 / np.maximum(squares, 1.0)
