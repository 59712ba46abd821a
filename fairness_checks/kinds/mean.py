"""Means of per-sample values."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fairness_checks.checks import Check, Settings
from fairness_checks.kinds.estimated import estimate_records
from fairness_checks.kinds.kind import Blocks
from fairness_checks.kinds.measured import Measured, few_clusters, values_of
from fairness_checks.kinds.settling import Settling, settle_estimates
from fairness_checks.metrics import Metric
from fairness_checks.records import GroupRecord
from fairness_checks.rows import Rows
from fairness_checks.stats.estimates import Estimates
from fairness_checks.stats.inference import Inference
from fairness_checks.stats.judge_estimates import judge_difference
from fairness_checks.stats.means import can_be_judged, mean_estimates, means_outside, means_within
from fairness_checks.stats.moments import MeanStatistics, moments_by_cluster, moments_by_group
from fairness_checks.stats.worst_mean import judge_worst_mean

if TYPE_CHECKING:
    from fairness_checks.statistics import GroupStatistics

__all__ = ["Mean"]

METHOD = "Welch test, widened against skewness"


class Mean:
    """The kind "mean" as `fairness_checks.kinds.kind.Kind`."""

    def measure(self, rows: Rows, metric: Metric) -> Measured[MeanStatistics]:
        """Sum the powers of the values' deviations; of clusters' sums where samples are not independent."""
        values = values_of(metric, rows.predictions)
        kept = ~np.isnan(values)
        codes = rows.codes if kept.all() else np.where(kept, rows.codes, -1)
        groups = len(rows.groups)
        cells = rows.cells(kept)
        if cells is None:
            moments = moments_by_group(codes, groups, values)
            return Measured(moments, moments.n)
        moments = moments_by_cluster(cells, values)
        return Measured(moments, np.bincount(codes[kept], minlength=groups).astype(np.int64), moments.n)

    def groups(self, statistics: GroupStatistics, metric: Metric, settings: Settings) -> tuple[GroupRecord, ...]:
        """Return every group with its mean; an empty one has none."""
        measured: Measured[MeanStatistics] = statistics.measured[metric.name]
        sound = can_be_judged(measured.statistics)
        problems = []
        for i, samples in enumerate(measured.samples.tolist()):
            problem = settings.too_few(samples)
            if problem is None and measured.clusters is not None:
                problem = few_clusters(int(measured.clusters[i]), samples)
            if problem is None and not sound[i]:
                problem = f"its {samples} samples do not vary"
            problems.append(problem)
        return estimate_records(
            statistics.groups,
            measured.samples,
            mean_estimates(measured.statistics),
            problems,
            settings.alpha,
            lowest=metric.lowest,
            highest=metric.highest,
            clusters=measured.clusters,
        )

    def judge(
        self,
        statistics: GroupStatistics,
        judged: Sequence[int],
        check: Check,
        alpha: float,
        blocks: Blocks | None,
    ) -> Inference:
        """Judge means; see `fairness_checks.kinds.kind.Kind`."""
        metric = check.definition
        some = statistics.measured[check.metric].statistics.take(judged)
        if check.limit_kind != "max_difference":
            found = judge_worst_mean(some, check.limit, alpha, ceiling=check.limit_kind == "max_value")
            return found.clipped(metric.lowest, metric.highest)
        return judge_difference(
            mean_estimates(some),
            check.limit,
            alpha,
            largest=metric.highest - metric.lowest,
            method=METHOD,
            outside=functools.partial(means_outside, some),
            within=functools.partial(means_within, some),
            blocks=blocks,
        )

    def settle(
        self,
        first: GroupRecord,
        second: GroupRecord | None,
        check: Check,
        found: Inference,
        level: float,
        alpha: float,
    ) -> Settling:
        """Plan by the normal approximation; see `fairness_checks.kinds.kind.Kind`."""
        return settle_estimates(first, second, check, level, alpha)

    def estimates(self, statistics: GroupStatistics, metric: Metric) -> Estimates:
        """Return every group's mean."""
        return mean_estimates(statistics.measured[metric.name].statistics)
