"""Means of per-sample values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fairness_checks.inputs.predictions import Predictions
from fairness_checks.kinds.clustered_part import ClusteredPart
from fairness_checks.kinds.design import Design
from fairness_checks.kinds.estimated import EstimatedKind
from fairness_checks.kinds.kind import Arrays, Clusters, Kind
from fairness_checks.kinds.measured import Measured, values_of
from fairness_checks.kinds.plan import ErrorPlan
from fairness_checks.measure.measured_groups import MeasuredGroups
from fairness_checks.measure.rows import Rows
from fairness_checks.measure.sources.engine_rows import EngineRows
from fairness_checks.question.metrics import Metric
from fairness_checks.stats.cluster_sums import ClusterMoments, moments_of_clusters
from fairness_checks.stats.estimates import Estimates
from fairness_checks.stats.inference import Inference
from fairness_checks.stats.influence import Influence, mean_influence, mean_influence_of_moments
from fairness_checks.stats.joint_estimates import PairedSums
from fairness_checks.stats.means import mean_estimates, means_compliance, means_violation
from fairness_checks.stats.moments import MeanStatistics, moments_by_cluster, moments_by_group, moments_of_evidence
from fairness_checks.stats.skewness import can_be_judged
from fairness_checks.stats.worst_mean import judge_worst_mean, mean_ends
from fairness_checks.typing import Array

if TYPE_CHECKING:
    from fairness_checks.measure.sources.pairs import PairedRows

__all__ = ["KIND", "Mean"]


class _MeanPlan(ErrorPlan):
    needs_deviation = True

    def variance(self, design: Design, value: float) -> float:
        assert design.standard_deviation is not None  # for the type checker: a mean without one is refused
        return design.standard_deviation**2


class Mean(EstimatedKind[MeanStatistics]):
    """The kind "mean" as `fairness_checks.kinds.kind.Kind`."""

    statistics = (MeanStatistics,)
    parts = (ClusteredPart, ClusterMoments)
    method = "Welch test, widened against skewness"
    plan = _MeanPlan()

    def arrays(self, predictions: Predictions, metric: Metric) -> Arrays:
        """Return the value of each sample."""
        return (values_of(metric, predictions),)

    def influence(self, arrays: Arrays, clusters: Clusters, *, pseudo: bool) -> Influence:
        """Return each value's deviation."""
        return mean_influence(arrays[0], clusters, pseudo=pseudo)

    def measure(self, rows: Rows, metric: Metric) -> Measured[MeanStatistics]:
        """Sum the powers of the values' deviations; of clusters' sums where samples are not independent."""
        known = rows.values.get(metric.name)
        values = values_of(metric, rows.predictions) if known is None else known
        counted = ~np.isnan(values)
        codes = rows.codes if counted.all() else np.where(counted, rows.codes, -1)
        groups = len(rows.groups)
        cells = rows.cells(counted)
        if cells is None:
            moments = moments_by_group(codes, groups, values)
            return Measured(moments, moments.n)
        samples = np.bincount(codes[counted], minlength=groups).astype(np.int64)
        clusters = cells.by_group().astype(np.int64)
        return Measured(moments_by_cluster(cells, values), samples, clusters, cells.effective())

    def measure_in_engine(self, rows: EngineRows, metric: Metric) -> Measured[MeanStatistics]:
        """Have the same sums added up."""
        moments = rows.moments(metric)
        if not rows.in_clusters:
            return Measured(moments, moments.n)
        return _whole(moments, rows.cluster_moments(metric), moments.n)

    def influence_in_engine(self, rows: EngineRows, metric: Metric) -> list[Influence]:
        """Return influence with the moments of the values."""
        some = rows.moments(metric)
        return [mean_influence_of_moments(*each) for each in zip(some.n, some.mean, some.m2, some.m3, strict=True)]

    def paired_in_engine(self, rows: PairedRows, metric: Metric) -> list[PairedSums]:
        """Have the products of both models' values added up."""
        return rows.paired_means(metric)

    def part(self, rows: Rows, metric: Metric) -> Measured[MeanStatistics] | Measured[ClusteredPart[MeanStatistics]]:
        """Sum the powers of the values' deviations, and the moments of their clusters."""
        values = values_of(metric, rows.predictions)
        counted = ~np.isnan(values)
        cells = rows.cells(counted)
        if cells is None:
            return self.measure(rows, metric)
        moments = moments_by_group(np.where(counted, rows.codes, -1), len(rows.groups), values)
        return Measured(ClusteredPart(moments, moments_of_clusters(cells, values[:, None], centred=True)), moments.n)

    def whole(self, part: Measured[Any], statistics: MeasuredGroups, metric: Metric) -> Measured[MeanStatistics]:
        """Find what the clusters of all say of the means."""
        if not isinstance(part.statistics, ClusteredPart):
            return part
        found, samples = part.statistics.clusters, part.statistics.statistics
        assert samples is not None  # for the type checker: see `part`
        return _whole(samples, found, part.samples)

    def moments(self, statistics: MeasuredGroups, metric: Metric) -> MeanStatistics:
        """Return the moments of the values."""
        return self.measured(statistics, metric).statistics

    def value(self, some: MeanStatistics) -> Estimates:
        """Return the means."""
        return mean_estimates(some)

    def ends(self, some: MeanStatistics, alpha: float) -> tuple[Array, Array]:
        """Return where compliance with a floor and with a ceiling is shown."""
        return mean_ends(some, alpha)

    def violation(
        self, some: MeanStatistics, first: np.ndarray, second: np.ndarray, margin: float, level: float | None = None
    ) -> Array:
        """p-values of "the pair keeps the margin"."""
        return means_violation(some, first, second, margin, level)

    def compliance(
        self, some: MeanStatistics, first: np.ndarray, second: np.ndarray, margin: float, level: float | None = None
    ) -> Array:
        """p-values of "the pair exceeds or meets the margin"."""
        return means_compliance(some, first, second, margin, level)

    def judge_value(self, some: MeanStatistics, limit: float, alpha: float, *, ceiling: bool) -> Inference:
        """Judge the worst mean."""
        return judge_worst_mean(some, limit, alpha, ceiling=ceiling)

    def problem(self, measured: Measured[MeanStatistics], group: int) -> str | None:
        """Refuse a group of one sample, and all groups where nothing varies."""
        if can_be_judged(measured.statistics)[group]:
            return None
        return f"its {measured.samples[group]} samples do not vary"


def _whole(samples: MeanStatistics, found: ClusterMoments, counted: np.ndarray) -> Measured[MeanStatistics]:
    """Return moments of samples in clusters, from those of all and of their clusters."""
    scale = 1.0 / np.maximum(samples.n, 1)
    evidence = found.evidence(np.column_stack([scale, scale * (found.centre[:, 0] - np.nan_to_num(samples.mean))]))
    return Measured(moments_of_evidence(samples, evidence), counted, found.clusters, found.effective)


KIND: Kind = Mean()
