"""Areas under ROC curves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fairness_checks.inputs.predictions import Predictions
from fairness_checks.kinds.design import Design
from fairness_checks.kinds.estimated import EstimatedKind
from fairness_checks.kinds.kind import Arrays, Clusters, Kind
from fairness_checks.kinds.measured import Measured
from fairness_checks.kinds.plan import ErrorPlan, inside
from fairness_checks.measure.measured_groups import MeasuredGroups
from fairness_checks.measure.rows import Rows
from fairness_checks.measure.sources.engine_rows import EngineRows
from fairness_checks.question.metrics import Metric
from fairness_checks.stats.clusters import ClusterEvidence
from fairness_checks.stats.estimates import Estimates
from fairness_checks.stats.inference import Inference
from fairness_checks.stats.influence import Influence, auc_influence
from fairness_checks.stats.joint_estimates import PairedSums
from fairness_checks.stats.normal_areas import auc_variance
from fairness_checks.stats.ranking import FEWEST, RankingStatistics, auc_by_group, auc_estimates, too_small
from fairness_checks.stats.ranking_clusters import auc_by_cluster
from fairness_checks.stats.ranking_pairs import auc_compliance, auc_violation
from fairness_checks.stats.score_histogram import BINS, ScoreHistogram, score_histogram
from fairness_checks.stats.worst_estimate import judge_worst_estimate
from fairness_checks.typing import Array

if TYPE_CHECKING:
    from fairness_checks.measure.sources.pairs import PairedRows

__all__ = ["KIND", "Ranking"]


_MOST_SCORES = BINS
"""Distinct scores of a group that a part of the rows keeps as they are: no more than there are bins."""


class _AreaPlan(ErrorPlan):
    fewest_of_a_class = FEWEST
    reads_positives = True

    def variance(self, design: Design, value: float) -> float:
        return auc_variance(inside(value), design.positives)


class Ranking(EstimatedKind[RankingStatistics]):
    """The kind "ranking" as `fairness_checks.kinds.kind.Kind`."""

    statistics = (RankingStatistics, ClusterEvidence)
    parts = (ScoreHistogram,)
    adds_up = False
    plan = _AreaPlan()
    method = "DeLong test (DeLong 1988; Obuchowski 1997 for clusters), one pseudo-sample at chance per class"

    def arrays(self, predictions: Predictions, metric: Metric) -> Arrays:
        """Return labels and scores."""
        return (predictions.labels(), predictions.scores())

    def influence(self, arrays: Arrays, clusters: Clusters, *, pseudo: bool) -> Influence:
        """Return each sample's structural component."""
        labels, scores = arrays
        return auc_influence(labels, scores.astype(np.float64), clusters, pseudo=pseudo)

    def measure(self, rows: Rows, metric: Metric) -> Measured[RankingStatistics]:
        """Sort the scores once; areas and the variances of their structural components."""
        labels, scores, groups = rows.predictions.labels(), rows.predictions.scores(), len(rows.groups)
        cells = rows.cells()
        if cells is None or rows.clusters is None:
            ranked = None if rows.sorted is None else rows.sorted.by_score
            return Measured(auc_by_group(rows.codes, groups, labels, scores, ranked), rows.samples)
        found = auc_by_cluster(rows.codes, groups, labels, scores, rows.clusters)
        return Measured(found, rows.samples, cells.by_group().astype(np.int64), cells.effective())

    def part(self, rows: Rows, metric: Metric) -> Measured[ScoreHistogram]:
        """Count the scores in bins."""
        if rows.clusters is not None:
            super().part(rows, metric)
        labels, scores = rows.predictions.labels(), rows.predictions.scores()
        return Measured(score_histogram(rows.codes, len(rows.groups), labels, scores, _MOST_SCORES), rows.samples)

    def part_in_engine(self, rows: EngineRows, metric: Metric) -> Measured[ScoreHistogram]:
        """Have the scores counted in bins."""
        return Measured(rows.histogram(), rows.samples)

    def whole(
        self, part: Measured[ScoreHistogram], statistics: MeasuredGroups, metric: Metric
    ) -> Measured[RankingStatistics]:
        """Find areas, with their bounds, in the bins of all."""
        return Measured(part.statistics.statistics(), part.samples)

    def measure_in_engine(self, rows: EngineRows, metric: Metric) -> Measured[RankingStatistics]:
        """Have the scores counted in bins, and what clusters hold of each summed."""
        if not rows.in_clusters:
            return Measured(rows.histogram().statistics(), rows.samples)
        found = rows.areas_of_clusters()
        return Measured(found.statistics(), rows.samples, found.clusters.astype(np.int64), found.effective())

    def influence_in_engine(self, rows: EngineRows, metric: Metric) -> list[Influence]:
        """Rank the scores that are counted."""
        found = rows.histogram()
        if ((found.low < found.high) & (found.positives + found.negatives > 0)).any():
            rows.refuse(f"{metric.name} beside a baseline, of more rows than 1,000,000 with scores of many digits")
        labels, scores = np.repeat([True, False], len(found.low)), np.tile(found.low, 2)
        group, times = np.tile(found.group, 2), np.concatenate([found.positives, found.negatives])
        at = [(group == g) & (times > 0) for g in range(found.groups)]
        return [auc_influence(labels[each], scores[each], times=times[each]) for each in at]

    def paired_in_engine(self, rows: PairedRows, metric: Metric) -> list[PairedSums]:
        """Rank both models' scores, of which each pair is counted."""
        group, labels, now, before, times = rows.paired_scores
        found = []
        for g in range(len(rows.groups)):
            at = group == g
            models = [auc_influence(labels[at], scores[at], times=times[at]) for scores in (now, before)]
            found.append(PairedSums.of(*models, paired=True))
        return found

    def value(self, some: RankingStatistics) -> Estimates:
        """Return the areas."""
        return auc_estimates(some)

    def violation(
        self, some: RankingStatistics, first: np.ndarray, second: np.ndarray, margin: float, level: float | None = None
    ) -> Array:
        """p-values of "the pair keeps the margin"."""
        return auc_violation(some, first, second, margin, level)

    def compliance(
        self, some: RankingStatistics, first: np.ndarray, second: np.ndarray, margin: float, level: float | None = None
    ) -> Array:
        """p-values of "the pair exceeds or meets the margin"."""
        return auc_compliance(some, first, second, margin, level)

    def judge_value(self, some: RankingStatistics, limit: float, alpha: float, *, ceiling: bool) -> Inference:
        """Judge the worst area."""
        return judge_worst_estimate(auc_estimates(some), limit, alpha, ceiling=ceiling, method=self.method)

    def problem(self, measured: Measured[RankingStatistics], group: int) -> str | None:
        """Refuse a group with too few positives or negatives, or clusters of them."""
        areas = measured.statistics
        if not too_small(areas)[group]:
            return None
        what = "" if measured.clusters is None else "clusters with "
        return (
            f"{areas.positives[group]} {what}positives and {areas.negatives[group]} {what}negatives; "
            f"{FEWEST} of each are needed"
        )


KIND: Kind = Ranking()
