"""Scores of positives and negatives counted in bins: areas under ROC curves that add up over chunks and sites."""

# A cell counts the samples of one group whose scores lie between the lowest and the highest of them. Bin b of 65,536
# holds the scores with floor(score * 65536) = b, and the last one the score 1 as well; the factor is a power of two,
# so that a database finds the same bins as NumPy. A cell is a bin, a part of one that was counted more finely, or
# several, where single samples must not be seen. Cells of several parts of the rows may overlap.
#
# Of a positive and a negative in cells that overlap nobody knows which score is higher, unless all of both cells are
# equal: such pairs count half, as ties do, and each is off by half at most, so that the area is off by half of such
# pairs' share, the ambiguity. A structural component of DeLong's (Biometrics 44 (1988) 837, doi:10.2307/2531595) is
# off by half of the share of the other class that is not ordered; as standard deviations obey the triangle
# inequality, that of the rows exceeds the one found by the root mean square of these at most. So areas come with a
# bound on both sides, and with the largest variances.

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fairness_checks.stats.ranking import RankingStatistics, auc_estimates
from fairness_checks.stats.ranks import floats, in_groups, same_length
from fairness_checks.typing import Array

__all__ = ["BINS", "FINE_ENOUGH", "ScoreHistogram", "score_bins", "score_histogram"]

BINS = 65_536
"""Equal bins of [0, 1]."""
FINE_ENOUGH = 0.05
"""Ambiguity, as a share of an area's standard error, up to which bins need not be counted more finely."""

Integers = npt.NDArray[np.int64]


def score_bins(scores: npt.ArrayLike) -> Integers:
    """Return the bin of each score, floor(score * 65536), and the last one for the score 1; ValueError outside [0, 1].

    >>> score_bins([0.0, 0.5, 1.0]).tolist()
    [0, 32768, 65535]
    """
    x = floats("scores", scores)
    if x.size and not (x.min() >= 0.0 and x.max() <= 1.0):
        raise ValueError(f"scores lie in [0, 1]; found {x.min():g} to {x.max():g}")
    return np.minimum(np.floor(x * BINS).astype(np.int64), BINS - 1)


@dataclass(frozen=True, slots=True, eq=False)
class ScoreHistogram:
    """Scores of G groups, counted in C cells; those of disjoint rows are added by ``+``, in any order."""

    groups: int  # G
    group: Integers  # (C,), from 0; cells are sorted by group, then by score; no two are the same
    low: Array  # (C,), lowest score of the cell; the lowest of its bin where that is not known
    high: Array  # (C,), highest score; the highest of its bin where that is not known
    positives: Integers  # (C,)
    negatives: Integers  # (C,)

    @classmethod
    def of_bins(
        cls,
        groups: int,
        group: npt.ArrayLike,
        bins: npt.ArrayLike,
        positives: npt.ArrayLike,
        negatives: npt.ArrayLike,
        low: npt.ArrayLike | None = None,
        high: npt.ArrayLike | None = None,
    ) -> ScoreHistogram:
        """Return counts in bins as an engine finds them: one row for each group and bin that has samples, in any order.

        Parameters
        ----------
        groups : int
            Number of groups.
        group, bins, positives, negatives : array_like of int, shape (C,)
            Group from 0, bin from 0 to 65,535 as `score_bins` has it, and counts. Rows of one bin
            whose scores are the same are added.
        low, high : array_like of float, shape (C,), optional
            Lowest and highest score of each row. Where they are equal, the row's pairs are true ties; without them
            each pair within a bin is ambiguous.

        Raises
        ------
        ValueError
            For counts below 0, groups or bins out of range, and scores that are not of their bin.
        """
        at, some = (np.asarray(values, dtype=np.int64) for values in (group, bins))
        counts = [np.asarray(values, dtype=np.int64) for values in (positives, negatives)]
        start, end = some / BINS, np.where(some == BINS - 1, 1.0, np.nextafter((some + 1) / BINS, 0.0))
        lowest = start if low is None else np.asarray(low, dtype=np.float64)
        highest = end if high is None else np.asarray(high, dtype=np.float64)
        same_length(group=at, bins=some, positives=counts[0], negatives=counts[1], low=lowest, high=highest)
        if at.size and not (0 <= at.min() <= at.max() < groups and 0 <= some.min() <= some.max() < BINS):
            raise ValueError(f"groups run from 0 to {groups - 1} and bins from 0 to {BINS - 1}; found others")
        if any((each < 0).any() for each in counts):
            raise ValueError("counts are 0 or more; found fewer")
        if not ((start <= lowest) & (lowest <= highest) & (highest <= end)).all():
            raise ValueError("low and high lie within their bin, low first; found others")
        return _joined(groups, at, lowest, highest, *counts)

    @property
    def bins(self) -> Integers:
        """Bin of each cell, shape (C,)."""
        return score_bins(self.low)

    def counts(self) -> tuple[Integers, Integers]:
        """Return the positives and the negatives of each group, shapes (G,)."""
        return self._sums(self.positives).astype(np.int64), self._sums(self.negatives).astype(np.int64)

    def take(self, order: Sequence[int]) -> ScoreHistogram:
        """Return the groups at the given positions; -1 stands for an empty group."""
        at = np.asarray(order, dtype=np.intp)
        bounds = np.searchsorted(self.group, np.arange(self.groups + 1))
        starts, sizes = np.append(bounds[:-1], 0)[at], np.append(np.diff(bounds), 0)[at]
        ends = np.cumsum(sizes)
        cells = np.arange(int(sizes.sum())) + np.repeat(starts - (ends - sizes), sizes)
        columns = (values[cells] for values in (self.low, self.high, self.positives, self.negatives))
        return ScoreHistogram(len(at), np.repeat(np.arange(len(at)), sizes), *columns)

    def __add__(self, other: ScoreHistogram) -> ScoreHistogram:
        if not isinstance(other, ScoreHistogram):
            return NotImplemented
        if self.groups != other.groups:
            raise ValueError(f"histograms of {self.groups} and of {other.groups} groups cannot be added")
        parts = zip(_columns(self), _columns(other), strict=True)
        return _joined(self.groups, *(np.concatenate(both) for both in parts))

    def unordered(self) -> tuple[Array, Array]:
        """Return, for each cell, the negatives and the positives of its group that are not ordered with it; (C,)."""
        return self._places(self.negatives)[1], self._places(self.positives)[1]

    def statistics(self) -> RankingStatistics:
        """Return areas, variances and ambiguity; see `fairness_checks.stats.ranking`."""
        (positives, negatives), none = self.counts(), np.zeros(self.groups, dtype=np.int64)
        m, n = positives.astype(np.float64), negatives.astype(np.float64)
        p, q = self.positives.astype(np.float64), self.negatives.astype(np.float64)
        lower, unclear = self._places(self.negatives)
        above, other_unclear = self._places(self.positives)
        higher = m[self.group] - above
        with np.errstate(divide="ignore", invalid="ignore"):
            auc = np.where((m > 0) & (n > 0), self._sums(p * lower) / (m * n), np.nan)
            ambiguity = np.where(np.isnan(auc), 0.0, self._sums(p * unclear) / (2.0 * m * n))
            of_class: list[Array] = []
            for count, size, place, other, in_doubt in ((p, m, lower, n, unclear), (q, n, higher, m, other_unclear)):
                total = other[self.group]
                spread = np.sqrt(self._sums(count * (place / total - auc[self.group]) ** 2) / (size - 1.0))
                spread += np.sqrt(self._sums(count * (in_doubt / (2.0 * total)) ** 2) / (size - 1.0))
                of_class.append(np.where(~np.isnan(auc) & (size > 1), spread**2, np.nan))
        return RankingStatistics(
            auc,
            positives,
            negatives,
            of_class[0],
            of_class[1],
            np.zeros(self.groups),
            none,
            positives,
            negatives,
            ambiguity=ambiguity if (ambiguity > 0.0).any() else None,
        )

    def too_coarse(self, share: float = FINE_ENOUGH) -> npt.NDArray[np.bool_]:
        """Say which cells are to be counted more finely, so that no ambiguity exceeds a share of its standard error.

        Shape (C,): of a group that is too ambiguous the cells with the most pairs, until the rest is half of what is
        allowed; as a variance shrinks with the ambiguity, the test is asked again of what was found.
        """
        found = self.statistics()
        wanted = np.zeros(len(self.group), dtype=np.bool_)
        if found.ambiguity is None:
            return wanted
        allowed = share * np.sqrt(auc_estimates(found).variance)
        negatives, positives = self.unordered()
        of_cell = self.positives * negatives + self.negatives * positives
        for group in np.flatnonzero(found.ambiguity > allowed).tolist():
            mine = np.flatnonzero((self.group == group) & (of_cell > 0.0))
            pairs = of_cell[mine]
            order = np.argsort(-pairs, kind="stable")
            left = pairs.sum() - np.cumsum(pairs[order])
            enough = found.ambiguity[group] * left / pairs.sum() <= allowed[group] / 2.0
            wanted[mine[order[: int(np.argmax(enough)) + 1]]] = True
        return wanted

    def refined(self, cells: npt.NDArray[np.bool_], finer: ScoreHistogram) -> ScoreHistogram:
        """Return the histogram with some of its cells counted more finely; ValueError where counts contradict it."""
        same_length(cells=cells, group=self.group)
        if finer.groups != self.groups:
            raise ValueError(f"histograms of {self.groups} and of {finer.groups} groups are not of the same samples")
        keys = [each.group * BINS + each.bins for each in (self, finer)]
        wanted = np.unique(keys[0][cells])
        theirs = np.isin(keys[1], wanted)
        mine = np.isin(keys[0], wanted)  # all cells of a bin
        for name in ("positives", "negatives"):
            old, new = (
                np.bincount(np.searchsorted(wanted, key[some]), getattr(each, name)[some], len(wanted))
                for each, key, some in ((self, keys[0], mine), (finer, keys[1], theirs))
            )
            if not np.array_equal(old, new):
                at = int(np.flatnonzero(old != new)[0])
                raise ValueError(
                    f"{name}: bin {int(wanted[at]) % BINS} of group {int(wanted[at]) // BINS} has {int(old[at])}, "
                    f"counted more finely {int(new[at])}; the rows have changed in between"
                )
        both = zip(_columns(self), _columns(finer), strict=True)
        return _joined(self.groups, *(np.concatenate([a[~mine], b[theirs]]) for a, b in both))

    def without_small_cells(self, below: int) -> ScoreHistogram:
        """Return whole bins, joined with their neighbours until none has fewer than `below` of a class that it has."""
        # A group that has fewer of a class stays in one cell. Scores are those of the bins: none is a sample's own.
        key = self.group * BINS + self.bins
        first = np.flatnonzero(np.diff(key, prepend=-1))
        group, bins = self.group[first], self.bins[first]
        last = np.maximum.reduceat(score_bins(self.high), first) if len(first) else bins
        counts = [np.add.reduceat(each, first) if len(first) else each for each in (self.positives, self.negatives)]
        rows = zip(*(each.tolist() for each in (group, bins, last, *counts)), strict=True)
        whole = _without_small([list(row) for row in rows], below)
        at, start, end_, p, q = np.array(whole, dtype=np.int64).reshape(-1, 5).T
        low, high = start / BINS, np.where(end_ == BINS - 1, 1.0, np.nextafter((end_ + 1) / BINS, 0.0))
        return ScoreHistogram(self.groups, at, low, high, p, q)

    def _sums(self, values: npt.NDArray[Any]) -> Array:
        """Sum values of cells by group, shape (G,); exact for counts up to 2^53."""
        return np.asarray(np.bincount(self.group, weights=values, minlength=self.groups), dtype=np.float64)

    def _places(self, counts: Integers) -> tuple[Array, Array]:
        """Return how many each cell exceeds in its group, those not ordered and ties half, and how many are not."""
        # Shapes (C,). Scores are compared by their ranks among all, groups one after another.
        if not len(self.group):
            return np.zeros(0), np.zeros(0)
        values, ranks = np.unique(np.concatenate([self.low, self.high]), return_inverse=True)
        low, high = self.group * len(values) + ranks.reshape(2, -1)
        total = self._sums(counts)
        before = (np.cumsum(total) - total)[self.group]  # of earlier groups
        ends = np.argsort(high, kind="stable")
        ended, started = np.append(0, np.cumsum(counts[ends])), np.append(0, np.cumsum(counts))  # sorted by low
        below = ended[np.searchsorted(high[ends], low, side="left")] - before
        upto = started[np.searchsorted(low, high, side="right")] - before  # all but those that start above
        touching = upto - below
        points = np.flatnonzero(low == high)  # equal scores are ties: those of a cell of one score, which is one cell
        unclear = touching.copy()
        unclear[points] -= counts[points]
        return below + touching / 2.0, unclear


def score_histogram(
    codes: npt.NDArray[np.integer[Any]],
    groups: int,
    labels: npt.NDArray[np.bool_],
    scores: npt.ArrayLike,
    most: int = 0,
) -> ScoreHistogram:
    """Count scores in bins by group; codes, labels, scores: (n,), code -1 leaves a sample out."""
    # In a group of `most` distinct scores or fewer each is a cell.
    codes, labels, x = in_groups(codes, groups), np.asarray(labels, dtype=np.bool_), floats("scores", scores)
    same_length(codes=codes, labels=labels, scores=x)
    counted = codes >= 0
    group, labels, x = codes[counted].astype(np.int64), labels[counted], x[counted] + 0.0  # -0.0 is 0
    key = group * BINS + score_bins(x)
    order = np.lexsort((x, key))
    sorted_x, sorted_key = x[order], key[order]
    bin_starts = np.diff(sorted_key, prepend=-1) > 0
    score_starts = bin_starts | (np.diff(sorted_x, prepend=-1.0) > 0.0)
    few = np.bincount(group[order][score_starts], minlength=groups) <= most
    starts = np.flatnonzero(np.where(few[group[order]], score_starts, bin_starts)).astype(np.int64)
    if not len(starts):
        none = np.zeros(0, dtype=np.int64)
        return ScoreHistogram(groups, none, np.zeros(0), np.zeros(0), none, none)
    sizes = np.diff(starts, append=len(order))
    positives = np.add.reduceat(labels[order].astype(np.int64), starts)
    low, high = x[order][starts], x[order][starts + sizes - 1]
    return ScoreHistogram(groups, group[order][starts], low, high, positives, sizes - positives)


def _without_small(cells: Sequence[list[int]], below: int) -> list[list[int]]:
    """Join neighbours of one group until none has a small count; group, first bin, last bin, positives, negatives."""

    def shown(cell: Sequence[int]) -> bool:
        return all(count == 0 or count >= below for count in cell[3:])

    def join(cell: list[int], more: Sequence[int]) -> None:
        cell[2:] = [max(cell[2], more[2]), cell[3] + more[3], cell[4] + more[4]]

    found: list[list[int]] = []
    for cell in [*cells, [-1, 0, 0, 0, 0]]:
        same_group = bool(found) and found[-1][0] == cell[0]
        if same_group and (found[-1][2] >= cell[1] or not shown(found[-1])):
            join(found[-1], cell)
            continue
        while not same_group and len(found) > 1 and found[-2][0] == found[-1][0] and not shown(found[-1]):
            join(found[-2], found.pop())  # what is left over at the end of a group
        found.append(cell)
    return found[:-1]


def _columns(histogram: ScoreHistogram) -> tuple[npt.NDArray[Any], ...]:
    return histogram.group, histogram.low, histogram.high, histogram.positives, histogram.negatives


def _joined(
    groups: int, group: Integers, low: Array, high: Array, positives: Integers, negatives: Integers
) -> ScoreHistogram:
    """Return cells in order, each once; those without samples are left out."""
    low, high = low + 0.0, high + 0.0  # of an engine's or a site's -0.0 the number that it is
    there = positives + negatives > 0
    order = np.flatnonzero(there)[np.lexsort((high[there], low[there], group[there]))]
    group, low, high, positives, negatives = group[order], low[order], high[order], positives[order], negatives[order]
    if not len(group):
        return ScoreHistogram(groups, group, low, high, positives, negatives)
    other = (group[1:] != group[:-1]) | (low[1:] != low[:-1]) | (high[1:] != high[:-1])
    first = np.flatnonzero(np.append(True, other))
    sums = (np.add.reduceat(counts, first) for counts in (positives, negatives))
    return ScoreHistogram(groups, group[first], low[first], high[first], *sums)
