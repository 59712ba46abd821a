"""Simulated rates, and how the gates judge them.

Exact p-values take milliseconds a pair. They are computed where the score test's is at most 5 alpha over the root of
the number of pairs, a multiple of the level that any pair needs; the others count as 1. Those of whole counts are kept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

from benchmarks.calibration_gates import ALPHA, RESAMPLES, Judged, cells_of, enough_clusters, p_violation, pairwise
from benchmarks.calibration_worlds import Array, Design, Samples
from fairness_checks.stats.disparity import RatePairs, rates_compliance, rates_violation
from fairness_checks.stats.few_clusters import Tails, claims_freedom
from fairness_checks.stats.proportions import score_statistic
from fairness_checks.stats.rao_scott import effective_counts
from fairness_checks.stats.rate_pairs import Pairs

__all__ = ["RateTable", "Rates"]


class RateTable:
    """p-values of pairs of rates; those of whole counts are kept, so that data sets share them."""

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._known: dict[tuple[str, int, int], Array] = {}

    def outside(self, pairs: Pairs) -> Array:
        """p-values of H0 "the pair keeps the limit"."""
        return self._look_up("outside", rates_violation, pairs)

    def within(self, pairs: Pairs) -> Array:
        """p-values of H0 "the pair meets or exceeds the limit"."""
        return self._look_up("within", rates_compliance, pairs)

    def _look_up(self, name: str, test: Callable[[Pairs, float, Any], Array], pairs: Pairs) -> Array:
        p = np.ones(len(pairs))
        for n1, n2 in {(int(a), int(b)) for a, b in np.unique(np.stack([pairs.n1, pairs.n2], axis=1), axis=0)}:
            some = np.flatnonzero((pairs.n1 == n1) & (pairs.n2 == n2))
            x1, x2 = pairs.x1[some].astype(np.int64), pairs.x2[some].astype(np.int64)
            table = self._known.setdefault((name, n1, n2), np.full((n1 + 1, n2 + 1), np.nan))
            new = np.unique(np.stack([x1, x2], axis=1)[np.isnan(table[x1, x2])], axis=0).astype(np.float64)
            if len(new):
                asked = Pairs(new[:, 0], np.full(len(new), float(n1)), new[:, 1], np.full(len(new), float(n2)))
                table[tuple(new.T.astype(np.int64))] = test(asked, self._limit, "difference")
            p[some] = table[x1, x2]
        return p


class Rates:
    """Rates of independent or of clustered samples."""

    def __init__(self, design: Design, events: Array, samples: Array, table: RateTable, rows: Samples | None) -> None:
        """Take counts of shape (S, G); of clustered samples also the rows, which give the effective counts."""
        self._groups, self._table, self.rows = design.groups, table, rows
        self.counts = events, samples
        self._events, self._samples = events, samples
        self._freedom: Tails | None = None
        self.judged = np.ones(events.shape, dtype=bool)
        cells = None if rows is None else cells_of(rows, events.size)
        if rows is not None and cells is not None:
            counts = effective_counts(cells, rows.values)
            self._events, self._samples = counts.events.reshape(events.shape), counts.samples.reshape(events.shape)
            self._freedom = counts.lower.reshape(events.shape), counts.higher.reshape(events.shape)
            self.judged = enough_clusters(rows, cells, events.size).reshape(events.shape)
        self.disparity = pairwise(events / samples, self._groups)

    @property
    def deviations(self) -> Array:
        """Standard deviations of the groups' estimates over the data sets, shape (G,)."""
        return np.asarray((self.counts[0] / self.counts[1]).std(axis=0))

    def ours(self, limit: float) -> Judged:
        """Judge by our gate."""
        first, second = np.triu_indices(self._groups, 1)
        x, n = self._events, self._samples
        seen = x / n
        swap = seen[:, first] < seen[:, second]
        high, low = np.where(swap, second, first), np.where(swap, first, second)  # (S, B)
        at = np.arange(len(x))[:, None]
        pairs = Pairs(*(column.ravel() for column in (x[at, high], n[at, high], x[at, low], n[at, low])))
        shape = high.shape
        clusters = None
        if self._freedom is not None:
            lower, higher = self._freedom
            one, other = ((lower[at, side].ravel(), higher[at, side].ravel()) for side in (high, low))
            clusters = claims_freedom(pairs, one, other, "difference", None)

        def within(index: np.ndarray) -> Array:
            if clusters is None:
                return self._table.within(pairs.take(index))
            some = clusters.take(index)
            return some.compliance.one_sided(
                rates_compliance(pairs.take(index), limit, "difference", estimated=some.estimated)
            )

        screen = 5.0 * ALPHA / np.sqrt(shape[1])
        score = score_statistic(pairs.x1, pairs.n1, pairs.x2, pairs.n2, limit, "difference")
        near = np.flatnonzero(special.ndtr(-score) <= screen)
        outside = np.ones(len(pairs))
        if clusters is None:
            outside[near] = self._table.outside(pairs.take(near))
        else:
            some = clusters.take(near)
            p = rates_violation(pairs.take(near), limit, "difference", estimated=some.estimated)
            outside[near] = some.violation.both_sided(p, limit)
        by_pair = outside.reshape(shape)
        violation = np.ones(len(x))
        for s in np.flatnonzero(by_pair.min(axis=1) < ALPHA):
            violation[s] = p_violation(RatePairs(x[s], n[s], "difference"), by_pair[s], limit)

        most = np.arange(len(x)) * shape[1] + np.abs(seen[at, high] - seen[at, low]).argmax(axis=1)
        compliance = within(most)
        left = np.flatnonzero(compliance < ALPHA)
        if len(left):
            every = (left[:, None] * shape[1] + np.arange(shape[1])).ravel()
            compliance[left] = within(every).reshape(-1, shape[1]).max(axis=1)
        return Judged(violation, compliance)

    def plain(self, limit: float) -> Judged | None:
        """None."""
        return None

    def resampled(self, data_set: int, rng: np.random.Generator) -> Array | None:
        """Resample the rows, ignoring clusters."""
        events, samples = (counts[data_set] for counts in self.counts)
        drawn = rng.binomial(samples.astype(np.int64), events / samples, size=(RESAMPLES, self._groups))
        return np.asarray(np.ptp(drawn / samples, axis=1))
