"""Areas under ROC curves."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fairness_checks.checks import Check, Settings
from fairness_checks.kinds.estimated import estimate_records
from fairness_checks.kinds.kind import Blocks
from fairness_checks.kinds.measured import Measured
from fairness_checks.kinds.settling import Settling, settle_estimates
from fairness_checks.metrics import Metric
from fairness_checks.records import GroupRecord
from fairness_checks.rows import Rows
from fairness_checks.stats.estimates import Estimates
from fairness_checks.stats.inference import Inference
from fairness_checks.stats.judge_estimates import judge_difference, judge_worst_estimate
from fairness_checks.stats.ranking import FEWEST, RankingStatistics, auc_by_group, auc_estimates, too_small
from fairness_checks.stats.ranking_clusters import auc_by_cluster
from fairness_checks.stats.ranking_pairs import auc_outside, auc_within

if TYPE_CHECKING:
    from fairness_checks.statistics import GroupStatistics

__all__ = ["Ranking"]

METHOD = "DeLong test (DeLong 1988) at the margin, one pseudo-sample at chance per class"
CLUSTERED = "DeLong test over clusters (Obuchowski 1997), one pseudo-sample at chance per class"


class Ranking:
    """The kind "ranking" as `fairness_checks.kinds.kind.Kind`."""

    def measure(self, rows: Rows, metric: Metric) -> Measured[RankingStatistics]:
        """Sort the scores once; areas and the variances of their structural components."""
        labels, scores, groups = rows.predictions.labels(), rows.predictions.scores(), len(rows.groups)
        cells = rows.cells()
        if cells is None or rows.clusters is None:
            return Measured(auc_by_group(rows.codes, groups, labels, scores), rows.samples)
        found = auc_by_cluster(rows.codes, groups, labels, scores, rows.clusters)
        return Measured(found, rows.samples, cells.by_group().astype(np.int64))

    def groups(self, statistics: GroupStatistics, metric: Metric, settings: Settings) -> tuple[GroupRecord, ...]:
        """Return every group with its area; one without positives or negatives has none."""
        measured: Measured[RankingStatistics] = statistics.measured[metric.name]
        areas, small = measured.statistics, too_small(measured.statistics)
        what = "" if measured.clusters is None else "clusters with "
        problems = []
        for i, samples in enumerate(measured.samples.tolist()):
            problem = settings.too_few(samples)
            if problem is None and small[i]:
                problem = (
                    f"{areas.positives[i]} {what}positives and {areas.negatives[i]} {what}negatives; "
                    f"{FEWEST} of each are needed"
                )
            problems.append(problem)
        return estimate_records(
            statistics.groups,
            measured.samples,
            auc_estimates(areas),
            problems,
            settings.alpha,
            lowest=0.0,
            highest=1.0,
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
        """Judge areas; see `fairness_checks.kinds.kind.Kind`."""
        measured: Measured[RankingStatistics] = statistics.measured[check.metric]
        areas = measured.statistics.take(judged)
        some = auc_estimates(areas)
        method = METHOD if measured.clusters is None else CLUSTERED
        if check.limit_kind == "max_difference":
            return judge_difference(
                some,
                check.limit,
                alpha,
                largest=1.0,
                method=method,
                outside=functools.partial(auc_outside, areas),
                within=functools.partial(auc_within, areas),
                blocks=blocks,
            )
        ceiling = check.limit_kind == "max_value"
        return judge_worst_estimate(some, check.limit, alpha, ceiling=ceiling, method=method).clipped(0.0, 1.0)

    def settle(
        self,
        first: GroupRecord,
        second: GroupRecord | None,
        check: Check,
        found: Inference,
        level: float,
        alpha: float,
    ) -> Settling:
        """Plan with the standard errors seen, which shrink as the root of the samples."""
        return settle_estimates(first, second, check, level, alpha)

    def estimates(self, statistics: GroupStatistics, metric: Metric) -> Estimates:
        """Return every group's area."""
        return auc_estimates(statistics.measured[metric.name].statistics)
