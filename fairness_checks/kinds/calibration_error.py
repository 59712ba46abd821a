"""Expected calibration error."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from fairness_checks.checks import Check, Settings
from fairness_checks.kinds.estimated import estimate_records
from fairness_checks.kinds.kind import Blocks
from fairness_checks.kinds.measured import Measured, few_clusters
from fairness_checks.kinds.settling import Settling, settle_estimates
from fairness_checks.metrics import Metric
from fairness_checks.records import GroupRecord
from fairness_checks.rows import Rows
from fairness_checks.stats.calibration_error import (
    CalibrationStatistics,
    calibration_by_cluster,
    calibration_by_group,
    calibration_estimates,
    ece_outside,
    ece_within,
    judge_worst_ece,
)
from fairness_checks.stats.estimates import Estimates
from fairness_checks.stats.inference import Inference
from fairness_checks.stats.judge_estimates import judge_difference

if TYPE_CHECKING:
    from fairness_checks.statistics import GroupStatistics

__all__ = ["CalibrationError"]

METHOD = "Welch test of calibration errors over ten bins, each taken with and without its largest bias"


class CalibrationError:
    """The kind "calibration_error" as `fairness_checks.kinds.kind.Kind`."""

    def measure(self, rows: Rows, metric: Metric) -> Measured[CalibrationStatistics]:
        """Sum the powers of y_true - y_score in ten bins of the score."""
        labels, scores, groups = rows.predictions.labels(), rows.predictions.scores(), len(rows.groups)
        cells = rows.cells()
        if cells is None or rows.clusters is None:
            return Measured(calibration_by_group(rows.codes, groups, labels, scores), rows.samples)
        found = calibration_by_cluster(cells, rows.clusters, labels, scores)
        return Measured(found, rows.samples, found.clusters)

    def groups(self, statistics: GroupStatistics, metric: Metric, settings: Settings) -> tuple[GroupRecord, ...]:
        """Return every group with its error; an empty one has none."""
        measured: Measured[CalibrationStatistics] = statistics.measured[metric.name]
        problems = []
        for i, samples in enumerate(measured.samples.tolist()):
            problem = settings.too_few(samples)
            if problem is None and measured.clusters is not None:
                problem = few_clusters(int(measured.clusters[i]), samples)
            problems.append(problem)
        return estimate_records(
            statistics.groups,
            measured.samples,
            calibration_estimates(measured.statistics),
            problems,
            settings.alpha,
            lowest=0.0,
            highest=1.0,
            clusters=measured.clusters,
        )

    def judge(
        self, statistics: GroupStatistics, judged: Sequence[int], check: Check, alpha: float, blocks: Blocks | None
    ) -> Inference:
        """Judge calibration errors; see `fairness_checks.kinds.kind.Kind`."""
        some: CalibrationStatistics = statistics.measured[check.metric].statistics.take(judged)
        if check.limit_kind == "max_value":
            return judge_worst_ece(some, check.limit, alpha).clipped(0.0, 1.0)
        return judge_difference(
            calibration_estimates(some),
            check.limit,
            alpha,
            largest=1.0,
            method=METHOD,
            outside=functools.partial(ece_outside, some),
            within=functools.partial(ece_within, some),
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
        """Plan with the standard errors seen; the bias, which shrinks as they do, is not counted."""
        return settle_estimates(first, second, check, level, alpha)

    def estimates(self, statistics: GroupStatistics, metric: Metric) -> Estimates:
        """Return every group's error, biased upwards as it is."""
        return calibration_estimates(statistics.measured[metric.name].statistics)
