"""Simulated means, areas under ROC curves and mismatches, and how the gates judge them."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import numpy as np

from benchmarks.calibration_gates import (
    ALPHA,
    Judged,
    cells_of,
    enough_clusters,
    judge,
    pairwise,
    resampled_largest,
    weights,
)
from benchmarks.calibration_worlds import Array, Design, Samples
from fairness_checks.stats.clusters import cluster_cells
from fairness_checks.stats.estimates import estimates_compliance, estimates_violation
from fairness_checks.stats.judge_estimates import EstimatePairs
from fairness_checks.stats.judge_mismatch import MismatchPairs
from fairness_checks.stats.means import (
    mean_estimates,
    means_compliance,
    means_violation,
)
from fairness_checks.stats.mismatch import MismatchStatistics, mismatch_by_group
from fairness_checks.stats.mismatch import too_small as mismatch_too_small
from fairness_checks.stats.moments import moments_by_cluster, moments_by_group
from fairness_checks.stats.pairs import PairTests
from fairness_checks.stats.ranking import auc_by_group, auc_estimates
from fairness_checks.stats.ranking import too_small as areas_too_small
from fairness_checks.stats.ranking_clusters import auc_by_cluster
from fairness_checks.stats.ranking_pairs import auc_compliance, auc_violation
from fairness_checks.stats.skewness import can_be_judged

__all__ = ["Areas", "Means", "Mismatches"]


class Means:
    """Means of errors."""

    def __init__(self, design: Design, samples: Samples, codes: int) -> None:
        """Take S times G groups' samples; `codes` is their number."""
        self.rows, self._groups = samples, design.groups
        cells = cells_of(samples, codes)
        self._moments = (
            moments_by_group(samples.codes, codes, samples.values)
            if cells is None
            else moments_by_cluster(cells, samples.values)
        )
        self.disparity = pairwise(self._moments.mean, self._groups)
        self.judged = (enough_clusters(samples, cells, codes) & can_be_judged(self._moments)).reshape(-1, self._groups)

    def _tests(self, *, plain: bool) -> Iterator[PairTests]:
        for start in range(0, len(self._moments.n), self._groups):
            some = self._moments.take(range(start, start + self._groups))
            groups = mean_estimates(some)
            outside, within = functools.partial(means_violation, some), functools.partial(means_compliance, some)
            if plain:
                outside, within = (
                    functools.partial(estimates_violation, groups),
                    functools.partial(estimates_compliance, groups),
                )
            yield EstimatePairs(groups, np.inf, outside, within, ALPHA)

    @property
    def deviations(self) -> Array:
        """Standard deviations of the groups' estimates over the data sets, shape (G,)."""
        return np.asarray(self._moments.mean.reshape(-1, self._groups).std(axis=0))

    def ours(self, limit: float) -> Judged:
        """Judge by our gate."""
        return judge(self._tests(plain=False), limit)

    def plain(self, limit: float) -> Judged | None:
        """Judge by Welch's test, adjusted over the pairs as ours."""
        return judge(self._tests(plain=True), limit)

    def resampled(self, data_set: int, rng: np.random.Generator) -> Array | None:
        """Resample the rows, ignoring clusters."""
        values = self.rows.values

        def means(rows: slice) -> Array:
            return np.asarray(weights(rows.stop - rows.start, rng) @ values[rows] / (rows.stop - rows.start))

        return resampled_largest(self.rows, data_set, means)


class Areas:
    """Areas under ROC curves."""

    def __init__(self, design: Design, samples: Samples, codes: int) -> None:
        """Take S times G groups' samples; `codes` is their number."""
        self.rows, self._groups = samples, design.groups
        labels = np.asarray(samples.other)
        self._areas = (
            auc_by_group(samples.codes, codes, labels, samples.values)
            if samples.clusters is None
            else auc_by_cluster(samples.codes, codes, labels, samples.values, samples.clusters)
        )
        self.disparity = pairwise(self._areas.auc, self._groups)
        self.judged = ~areas_too_small(self._areas).reshape(-1, self._groups)

    def _tests(self) -> Iterator[PairTests]:
        for start in range(0, len(self._areas.auc), self._groups):
            some = self._areas.take(range(start, start + self._groups))
            outside, within = functools.partial(auc_violation, some), functools.partial(auc_compliance, some)
            yield EstimatePairs(auc_estimates(some), 1.0, outside, within, ALPHA)

    @property
    def deviations(self) -> Array:
        """Standard deviations of the groups' estimates over the data sets, shape (G,)."""
        return np.asarray(self._areas.auc.reshape(-1, self._groups).std(axis=0))

    def ours(self, limit: float) -> Judged:
        """Judge by our gate."""
        return judge(self._tests(), limit)

    def plain(self, limit: float) -> Judged | None:
        """None."""
        return None

    def resampled(self, data_set: int, rng: np.random.Generator) -> Array | None:
        """Resample the rows, ignoring clusters."""
        scores, labels = self.rows.values, np.asarray(self.rows.other)

        def areas(rows: slice) -> Array:
            order = np.argsort(scores[rows])
            positive = labels[rows][order]
            drawn = weights(len(order), rng)[:, order]
            below = np.cumsum(drawn * ~positive, axis=1)
            won = (below * (drawn * positive)).sum(axis=1)
            with np.errstate(invalid="ignore"):  # a resample without positives has no area
                return np.asarray(won / below[:, -1] / (drawn * positive).sum(axis=1))

        return resampled_largest(self.rows, data_set, areas)


class Mismatches:
    """Mismatches of uncertainty and error."""

    def __init__(self, design: Design, samples: Samples, codes: int) -> None:
        """Take S times G groups' samples; `codes` is their number."""
        self.rows, self._size, groups = samples, design.size, design.groups
        self._found = [self._of(samples, start, groups) for start in range(0, codes, groups)]
        self.judged = np.array([~mismatch_too_small(found) for found in self._found])
        first, second = np.triu_indices(groups, 1)
        mismatch = np.array([(found.error_auc - found.uncertainty_auc)[first, second] for found in self._found])
        worse = np.array([found.error_auc[first, second] >= 0.5 for found in self._found])
        self.disparity = np.where(worse, mismatch, -mismatch)

    @staticmethod
    def _of(samples: Samples, start: int, groups: int) -> MismatchStatistics:
        rows = samples.part(start, start + groups)
        codes, cells = samples.codes[rows] - start, None
        if samples.clusters is not None:
            cells = cluster_cells(codes, groups, samples.clusters[rows] - samples.clusters[rows.start])
        return mismatch_by_group(codes, groups, samples.values[rows], np.asarray(samples.other)[rows], cells)

    @property
    def deviations(self) -> Array:
        """Standard deviations that two groups contribute to that of their mismatch, in the order of their sizes."""
        share = 1.0 / self._size
        return np.asarray(self.disparity[:, 0].std() * np.sqrt(share / share.sum()))

    def ours(self, limit: float) -> Judged:
        """Judge by our gate."""
        return judge((MismatchPairs(found) for found in self._found), limit)

    def plain(self, limit: float) -> Judged | None:
        """None."""
        return None

    def resampled(self, data_set: int, rng: np.random.Generator) -> Array | None:
        """None: every pair would need its own areas in every resample."""
        return None
