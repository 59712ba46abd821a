"""Balanced accuracy: the mean of a group's true positive rate and its true negative rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fairness_checks.inputs.predictions import Predictions
from fairness_checks.kinds.estimated import EstimatedKind, Floats
from fairness_checks.kinds.kind import Arrays, Clusters
from fairness_checks.kinds.measured import Measured
from fairness_checks.measure.measured_groups import MeasuredGroups
from fairness_checks.measure.rows import Rows
from fairness_checks.question.metrics import CELLS, Metric
from fairness_checks.stats.balanced_accuracy import (
    FEWEST,
    balanced_accuracy_estimates,
    balanced_accuracy_outside,
    balanced_accuracy_too_small,
    balanced_accuracy_within,
    judge_worst_balanced_accuracy,
)
from fairness_checks.stats.clusters import cluster_evidence, take_shared
from fairness_checks.stats.estimates import Estimates
from fairness_checks.stats.inference import Inference
from fairness_checks.stats.influence import Influence, balanced_accuracy_influence

__all__ = ["BalancedAccuracy"]

_ROUNDING = 1e-9  # relative, of a count that was found by way of a design effect


@dataclass(frozen=True, slots=True, eq=False)
class EffectiveCells:
    """Confusion counts of G groups, as independent samples."""

    counts: npt.NDArray[np.float64]  # (G, 4), tn fp fn tp: what clustered samples are worth
    freedom: npt.NDArray[np.float64] | None = None  # (G,), degrees of freedom that clusters leave at most
    shared: npt.NDArray[np.float64] | None = None  # (G, G), see `ClusterEvidence`

    def take(self, order: Sequence[int]) -> EffectiveCells:
        """Return the groups at the given positions; -1 is an empty group."""
        at = np.asarray(order, dtype=np.intp)
        freedom = None if self.freedom is None else np.where(at < 0, 0.0, self.freedom[at])
        return EffectiveCells(np.where(at[:, None] < 0, 0.0, self.counts[at]), freedom, take_shared(self.shared, at))

    @property
    def estimates(self) -> Estimates:
        """The balanced accuracies."""
        found = balanced_accuracy_estimates(self.counts)
        freedom = found.freedom if self.freedom is None else np.minimum(found.freedom, np.maximum(self.freedom, 1.0))
        return Estimates(found.value, found.variance, freedom, self.shared)


class BalancedAccuracy(EstimatedKind[EffectiveCells]):
    """The kind "balanced_accuracy" as `fairness_checks.kinds.kind.Kind`."""

    statistics = (EffectiveCells,)
    method = "Welch test of balanced accuracies, rates drawn towards 1/2 (Agresti and Caffo 2000)"

    def arrays(self, predictions: Predictions, metric: Metric) -> Arrays:
        """Return labels and decisions."""
        return (predictions.labels(), predictions.decisions())

    def influence(self, arrays: Arrays, clusters: Clusters, *, pseudo: bool) -> Influence:
        """Return each sample's part in the rate of its class."""
        labels, decisions = arrays
        return balanced_accuracy_influence(labels, decisions, clusters, pseudo=pseudo)

    def measure(self, rows: Rows, metric: Metric) -> Measured[EffectiveCells] | None:
        """Find what clusters are worth; the confusion counts say the rest."""
        labels, decisions = rows.predictions.labels(), rows.predictions.decisions()
        cells, counts = rows.cells(), rows.counts
        if cells is None or counts is None:
            return None
        tn, fp, fn, tp = (counts[:, i].astype(np.float64) for i in range(len(CELLS)))
        samples = {False: np.maximum(tn + fp, 1.0), True: np.maximum(tp + fn, 1.0)}
        rate = {False: tn / samples[False], True: tp / samples[True]}
        codes, right = rows.codes, labels == decisions
        weight = np.where(labels, 0.5 / samples[True][codes], 0.5 / samples[False][codes])
        found = cluster_evidence(cells, weight * (right - np.where(labels, rate[True][codes], rate[False][codes])))
        independent = sum(rate[c] * (1.0 - rate[c]) / (4.0 * samples[c]) for c in (False, True))
        with np.errstate(divide="ignore", invalid="ignore"):
            variance = found.variance * (1.0 - 1.0 / found.effective)  # binomial ones, too, count no unit less
            effect = np.where(independent > 0.0, variance / independent, rows.samples / found.effective)
        effect = np.maximum(np.nan_to_num(effect, nan=1.0), 1.0)
        worth = EffectiveCells(counts / effect[:, None], found.effective - 1.0, found.shared)
        return Measured(worth, rows.samples, cells.by_group().astype(np.int64), found.effective)

    def measured(self, statistics: MeasuredGroups, metric: Metric) -> Measured[EffectiveCells]:
        """Return the confusion counts, or what they are worth where samples come in clusters."""
        if metric.name in statistics.measured:
            return super().measured(statistics, metric)
        return Measured(EffectiveCells(statistics.counts.astype(np.float64)), statistics.samples)

    def value(self, some: EffectiveCells) -> Estimates:
        """Return the balanced accuracies."""
        return some.estimates

    def outside(self, some: EffectiveCells, first: np.ndarray, second: np.ndarray, margin: float) -> Floats:
        """p-values of "the pair keeps the margin"."""
        return balanced_accuracy_outside(some.counts, first, second, margin, some.estimates)

    def within(self, some: EffectiveCells, first: np.ndarray, second: np.ndarray, margin: float) -> Floats:
        """p-values of "the pair exceeds or meets the margin"."""
        return balanced_accuracy_within(some.counts, first, second, margin, some.estimates)

    def judge_value(self, some: EffectiveCells, limit: float, alpha: float, *, ceiling: bool) -> Inference:
        """Judge the worst balanced accuracy."""
        return judge_worst_balanced_accuracy(some.counts, limit, alpha, ceiling=ceiling, groups=some.estimates)

    def problem(self, measured: Measured[EffectiveCells], group: int) -> str | None:
        """Refuse a group with too few positives or negatives, counted as independent ones."""
        # What is too small is no matter of a rounding error: a design effect of 1 + 1e-16 leaves 5 positives 5.
        if not balanced_accuracy_too_small(measured.statistics.counts * (1.0 + _ROUNDING))[group]:
            return None
        tn, fp, fn, tp = measured.statistics.counts[group]
        worth = "" if measured.clusters is None else "worth "
        return f"{worth}{_shown(tp + fn)} positives and {worth}{_shown(tn + fp)} negatives; {FEWEST} of each are needed"


def _shown(count: float) -> str:
    """Return a count in few digits, but a count that is too small as one that is seen to be."""
    if count >= 100.0:
        return f"{count:.0f}"
    small = count * (1.0 + _ROUNDING) < FEWEST
    return next(text for digits in range(3, 18) if (float(text := f"{count:.{digits}g}") < FEWEST) == small)
