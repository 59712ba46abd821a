"""Expected calibration error."""

from __future__ import annotations

from typing import Any

import numpy as np

from fairness_checks.errors import ConfigurationError
from fairness_checks.inputs.predictions import Predictions
from fairness_checks.kinds.clustered_part import ClusteredPart
from fairness_checks.kinds.estimated import EstimatedKind
from fairness_checks.kinds.kind import Arrays, Clusters, Kind
from fairness_checks.kinds.measured import Measured
from fairness_checks.measure.measured_groups import MeasuredGroups
from fairness_checks.measure.rows import Rows
from fairness_checks.measure.sources.engine_rows import EngineRows
from fairness_checks.question.metrics import Metric
from fairness_checks.stats.calibration_bins import calibration_of_parts, calibration_of_signed, calibration_part
from fairness_checks.stats.calibration_error import (
    CalibrationStatistics,
    calibration_by_cluster,
    calibration_by_group,
    calibration_estimates,
    ece_compliance,
    ece_ends,
    ece_violation,
    judge_worst_ece,
)
from fairness_checks.stats.cluster_sums import ClusterMoments
from fairness_checks.stats.clusters import ClusterEvidence
from fairness_checks.stats.estimates import Estimates
from fairness_checks.stats.inference import Inference
from fairness_checks.stats.influence import Influence
from fairness_checks.stats.moments import MeanStatistics
from fairness_checks.typing import Array

__all__ = ["KIND", "CalibrationError"]


class CalibrationError(EstimatedKind[CalibrationStatistics]):
    """The kind "calibration_error" as `fairness_checks.kinds.kind.Kind`."""

    statistics = (CalibrationStatistics, MeanStatistics, ClusterEvidence)
    parts = (ClusteredPart, ClusterMoments)
    method = "Welch test of calibration errors over ten bins, each taken with and without its largest bias"
    plan = (
        "its estimate is biased upwards by an amount that depends on how the scores will fill its ten bins, which no "
        "argument says; plan brier_score, or audit a pilot sample, whose record holds needed_samples"
    )

    def arrays(self, predictions: Predictions, metric: Metric) -> Arrays:
        """Return labels and scores."""
        return (predictions.labels(), predictions.scores())

    def influence(self, arrays: Arrays, clusters: Clusters, *, pseudo: bool) -> Influence:
        """Refuse: bins are no sum over samples."""
        raise ConfigurationError("two models' calibration errors are not compared sample by sample")

    def measure(self, rows: Rows, metric: Metric) -> Measured[CalibrationStatistics]:
        """Sum the powers of y_true - y_score in ten bins of the score."""
        labels, scores = rows.predictions.labels(), rows.predictions.scores()
        cells = rows.cells()
        if cells is None or rows.clusters is None:
            return Measured(calibration_by_group(rows.codes, len(rows.groups), labels, scores), rows.samples)
        found = calibration_by_cluster(cells, rows.clusters, labels, scores)
        return Measured(found, rows.samples, cells.by_group().astype(np.int64), cells.effective())

    def measure_in_engine(self, rows: EngineRows, metric: Metric) -> Measured[CalibrationStatistics]:
        """Have the same sums added up, and those of clusters once the signs of all bins are known."""
        plain = rows.calibration()
        if not rows.in_clusters:
            return Measured(plain, rows.samples)
        signed, of_bins = rows.calibration_of_clusters(plain)
        found = calibration_of_signed(plain, signed, of_bins)
        return Measured(found, rows.samples, signed.clusters, signed.effective)

    def part(self, rows: Rows, metric: Metric) -> Any:
        """Sum the powers of y_true - y_score in ten bins of the score, and the moments of their clusters."""
        labels, scores = rows.predictions.labels(), rows.predictions.scores()
        cells = rows.cells()
        if cells is None or rows.clusters is None:
            return self.measure(rows, metric)
        plain, of_groups, of_bins = calibration_part(cells, rows.clusters, labels, scores)
        return Measured(ClusteredPart(plain, of_groups, of_bins), rows.samples)

    def whole(self, part: Measured[Any], statistics: MeasuredGroups, metric: Metric) -> Measured[CalibrationStatistics]:
        """Find what the clusters of all say of the errors."""
        of_all = part.statistics
        if not isinstance(of_all, ClusteredPart):
            return part
        assert of_all.statistics is not None  # for the type checker: see `part`
        assert of_all.bins is not None
        found = calibration_of_parts(of_all.statistics, of_all.clusters, of_all.bins)
        return Measured(found, part.samples, of_all.clusters.clusters, of_all.clusters.effective)

    def value(self, some: CalibrationStatistics) -> Estimates:
        """Return the errors, biased upwards as they are."""
        return calibration_estimates(some)

    def ends(self, some: CalibrationStatistics, alpha: float) -> tuple[Array, Array]:
        """Return where a violation and compliance of a ceiling are shown: without what may be bias, and with it."""
        return ece_ends(some, alpha)

    def violation(
        self,
        some: CalibrationStatistics,
        first: np.ndarray,
        second: np.ndarray,
        margin: float,
        level: float | None = None,
    ) -> Array:
        """p-values of "the pair keeps the margin"."""
        return ece_violation(some, first, second, margin, level)

    def compliance(
        self,
        some: CalibrationStatistics,
        first: np.ndarray,
        second: np.ndarray,
        margin: float,
        level: float | None = None,
    ) -> Array:
        """p-values of "the pair exceeds or meets the margin"."""
        return ece_compliance(some, first, second, margin, level)

    def judge_value(self, some: CalibrationStatistics, limit: float, alpha: float, *, ceiling: bool) -> Inference:
        """Judge the worst error against a ceiling; the metric has no floor."""
        return judge_worst_ece(some, limit, alpha)

    def problem(self, measured: Measured[CalibrationStatistics], group: int) -> str | None:
        """Return None: a group of enough samples can always be judged."""
        return None


KIND: Kind = CalibrationError()
