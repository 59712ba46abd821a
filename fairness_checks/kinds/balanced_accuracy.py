"""Balanced accuracy: the mean of a group's true positive rate and its true negative rate."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from fairness_checks.inputs.predictions import Predictions
from fairness_checks.kinds.clustered_part import ClusteredPart
from fairness_checks.kinds.design import Design
from fairness_checks.kinds.estimated import EstimatedKind
from fairness_checks.kinds.kind import Arrays, Blocks, Clusters, Kind
from fairness_checks.kinds.measured import Measured
from fairness_checks.kinds.plan import ErrorPlan, inside, made_up
from fairness_checks.measure.measured_groups import MeasuredGroups
from fairness_checks.measure.rows import Rows
from fairness_checks.measure.sources.engine_rows import EngineRows
from fairness_checks.question.metrics import CELLS, Metric
from fairness_checks.stats.balanced_accuracy import (
    FEWEST,
    balanced_accuracy_compliance,
    balanced_accuracy_estimates,
    balanced_accuracy_too_small,
    balanced_accuracy_violation,
    judge_worst_balanced_accuracy,
)
from fairness_checks.stats.cluster_sums import ClusterMoments, moments_of_clusters
from fairness_checks.stats.clusters import (
    ClusterCells,
    ClusterEvidence,
    cells_of_profiles,
    cluster_evidence,
    correlation_of_pairs,
    take_shared,
)
from fairness_checks.stats.estimates import Estimates
from fairness_checks.stats.inference import Inference
from fairness_checks.stats.influence import Influence, balanced_accuracy_influence, rate_components
from fairness_checks.typing import Array

__all__ = ["KIND", "BalancedAccuracy", "EffectiveCells"]

_POSITIVE, _DECIDED = ("fn", "tp"), ("fp", "tp")
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


class _BalancedPlan(ErrorPlan):
    """The test draws a balanced accuracy towards 1/2 where that makes it more careful, and its variance always."""

    fewest_of_a_class = FEWEST
    reads_positives = True

    def variance(self, design: Design, value: float, samples: float = math.inf) -> float:
        """Half of each of two rates; unequal rates with this mean have a smaller variance."""
        total, value = 0.0, inside(value)
        for share in (design.positives, 1.0 - design.positives):
            drawn = value + (1.0 - 2.0 * value) / (samples * share + 2.0)  # x + 1 of n + 2
            total += drawn * (1.0 - drawn) / share / 4.0
        return total

    def needed_pair(self, design: Design, first: float, second: float, level: float) -> float | None:
        found = super().needed_pair(design, first, second, level)
        if found is None:
            return None
        (higher, n_higher), (lower, n_lower) = sorted([(first, 1.0), (second, design.allocation)], reverse=True)
        inwards = max(higher - 0.5, 0.0) / n_higher + max(0.5 - lower, 0.0) / n_lower
        if design.keeps(first, second):
            inwards = max(0.5 - higher, 0.0) / n_higher + max(lower - 0.5, 0.0) / n_lower
        loss, distance = inwards * _by_class(design), abs(abs(first - second) - design.limit)
        size = made_up(found, loss, distance)
        for _ in range(50):
            theirs = self.variance(design, second, size * design.allocation) / design.allocation
            error = math.sqrt(self.variance(design, first, size) + theirs) * _student(design, size, level)
            grown = self.by_error(design, first, second, error, level)
            if grown is None:
                return None
            before, size = size, made_up(grown, loss, distance)
            if abs(size - before) <= 1e-6 * size:
                break
        return size

    def needed_value(self, design: Design, value: float, level: float, power: float) -> float | None:
        found = super().needed_value(design, value, level, power)
        if found is None:
            return None
        keeps = design.keeps(value, math.nan)
        outwards = 1.0 if (design.limit_kind == "max_value") == keeps else -1.0  # where the truth may lie
        inwards = max(outwards * (0.5 - value), 0.0)
        return made_up(found, inwards * _by_class(design), abs(value - design.limit))


def _by_class(design: Design) -> float:
    """By how much one sample of each class, shared out among a group's one sample, moves a mean of two rates."""
    return 1.0 / design.positives + 1.0 / (1.0 - design.positives)


def _student(design: Design, size: float, level: float) -> float:
    """By how much a quantile of t is wider where the rarer class of both groups gives the degrees of freedom."""
    rarer = design.rarer * size * (1.0 + design.allocation)
    return float(1.0 + (special.ndtri(level) ** 2 + 1.0) / (4.0 * max(rarer - 2.0, 1.0)))


class BalancedAccuracy(EstimatedKind[EffectiveCells]):
    """The kind "balanced_accuracy" as `fairness_checks.kinds.kind.Kind`."""

    of_counts = True
    statistics = (EffectiveCells,)
    parts = (ClusteredPart, ClusterMoments)
    method = "Welch test of balanced accuracies, rates drawn towards 1/2 (Agresti and Caffo 2000)"
    plan = _BalancedPlan()

    def arrays(self, predictions: Predictions, metric: Metric) -> Arrays:
        """Return labels and decisions."""
        return (predictions.labels(), predictions.decisions())

    def influence(self, arrays: Arrays, clusters: Clusters, *, pseudo: bool) -> Influence:
        """Return each sample's part in the rate of its class."""
        labels, decisions = arrays
        return balanced_accuracy_influence(labels, decisions, clusters, pseudo=pseudo)

    def influence_of_counts(self, arrays: Arrays, times: Blocks) -> Influence:
        """Return the part in the rate of its class of samples that are alike."""
        labels, decisions = arrays
        return balanced_accuracy_influence(labels, decisions, times=times)

    def components(self, counts: Blocks, metric: Metric) -> Array:
        """Return half of the deviation from the rate of its class of a sample of each cell."""
        tn, fp, fn, tp = np.eye(len(CELLS), dtype=bool)
        return (rate_components(counts, tp, fn | tp) + rate_components(counts, tn, tn | fp)) / 2.0

    def measure(self, rows: Rows, metric: Metric) -> Measured[EffectiveCells] | None:
        """Find what clusters are worth; the confusion counts say the rest."""
        labels, decisions = rows.predictions.labels(), rows.predictions.decisions()
        cells, counts = rows.cells(), rows.counts
        if cells is None or counts is None:
            return None
        return _found(cells, counts, labels, decisions, rows.samples)

    def part(self, rows: Rows, metric: Metric) -> Measured[ClusteredPart[EffectiveCells]] | None:
        """Sum what the clusters of a part of the rows hold: samples of each class, and those decided right."""
        labels, decisions = rows.predictions.labels(), rows.predictions.decisions()
        cells = rows.cells()
        if cells is None:
            return None
        values = np.column_stack([labels & decisions, labels, ~labels & ~decisions, ~labels])
        return Measured(ClusteredPart(None, moments_of_clusters(cells, values)), rows.samples)

    def whole(self, part: Measured[Any] | None, statistics: MeasuredGroups, metric: Metric) -> Any:
        """Find what the clusters of all are worth."""
        if part is None:
            return None
        moments, (tn, fp, fn, tp) = part.statistics.clusters, statistics.counts.T.astype(np.float64)
        columns = []
        for hits, samples in ((tp, np.maximum(tp + fn, 1.0)), (tn, np.maximum(tn + fp, 1.0))):
            columns += [0.5 / samples, -0.5 * hits / samples**2]
        found = moments.evidence(np.column_stack([*columns, np.zeros(len(tn))]))
        return _worth(statistics.counts, found, part.samples, moments.clusters)

    def measure_in_engine(self, rows: EngineRows, metric: Metric) -> Measured[EffectiveCells] | None:
        """Have clusters counted by what they hold; of independent samples the confusion counts say it all."""
        rows.require("y_true", "y_pred")
        if not rows.in_clusters or rows.counts is None:
            return None
        profiles = rows.profiles
        cells, _ = cells_of_profiles(len(rows.groups), profiles.group, profiles.held, profiles.times)
        labels, decisions = (np.array([c in some for c in CELLS]) for some in (_POSITIVE, _DECIDED))
        each = np.repeat(np.arange(len(rows.groups)), len(CELLS))
        influence = _influence(rows.counts, each, *(np.tile(some, len(rows.groups)) for some in (labels, decisions)))
        shared = correlation_of_pairs(rows.pairs_of_sorts(), influence.reshape(-1, len(CELLS)))
        labels, decisions = (np.tile(some, len(cells.group)) for some in (labels, decisions))
        return _found(cells, rows.counts, labels, decisions, rows.samples, shared)

    def measured(self, statistics: MeasuredGroups, metric: Metric) -> Measured[EffectiveCells]:
        """Return the confusion counts, or what they are worth where samples come in clusters."""
        if metric.name in statistics.measured:
            return super().measured(statistics, metric)
        return Measured(EffectiveCells(statistics.counts.astype(np.float64)), statistics.samples)

    def value(self, some: EffectiveCells) -> Estimates:
        """Return the balanced accuracies."""
        return some.estimates

    def violation(
        self, some: EffectiveCells, first: np.ndarray, second: np.ndarray, margin: float, level: float | None = None
    ) -> Array:
        """p-values of "the pair keeps the margin"."""
        return balanced_accuracy_violation(some.counts, first, second, margin, some.estimates, level)

    def compliance(
        self, some: EffectiveCells, first: np.ndarray, second: np.ndarray, margin: float, level: float | None = None
    ) -> Array:
        """p-values of "the pair exceeds or meets the margin"."""
        return balanced_accuracy_compliance(some.counts, first, second, margin, some.estimates, level)

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


KIND: Kind = BalancedAccuracy()


def _found(
    cells: ClusterCells,
    counts: npt.NDArray[np.int64],
    labels: npt.NDArray[np.bool_],
    decisions: npt.NDArray[np.bool_],
    samples: npt.NDArray[np.int64],
    shared: Array | None = None,
) -> Measured[EffectiveCells]:
    """Find what clusters are worth; labels and decisions are those of the rows of `cells`."""
    # shared: correlations, (G, G), where the cells do not say them.
    found = cluster_evidence(cells, _influence(counts, cells.group[cells.of_row], labels, decisions))
    found = found if shared is None else dataclasses.replace(found, shared=shared)
    return _worth(counts, found, samples, cells.by_group().astype(np.int64))


def _influence(
    counts: npt.NDArray[np.int64],
    codes: npt.NDArray[np.int64],
    labels: npt.NDArray[np.bool_],
    decisions: npt.NDArray[np.bool_],
) -> Array:
    """Return the influence of samples, shape (n,), on the balanced accuracy of their groups."""
    of_class, rate = _right_by_class(counts)
    weight = np.where(labels, 0.5 / of_class[True][codes], 0.5 / of_class[False][codes])
    right = labels == decisions
    return np.asarray(weight * (right - np.where(labels, rate[True][codes], rate[False][codes])))


def _right_by_class(counts: npt.NDArray[np.int64]) -> tuple[dict[bool, Array], dict[bool, Array]]:
    """Return the samples of each class, 1 at least, and the share of them that is right; shapes (G,)."""
    tn, fp, fn, tp = (counts[:, i].astype(np.float64) for i in range(len(CELLS)))
    samples = {False: np.maximum(tn + fp, 1.0), True: np.maximum(tp + fn, 1.0)}
    return samples, {False: tn / samples[False], True: tp / samples[True]}


def _worth(
    counts: npt.NDArray[np.int64],
    found: ClusterEvidence,
    of_group: npt.NDArray[np.int64],
    clusters: npt.NDArray[np.int64],
) -> Measured[EffectiveCells]:
    """Return confusion counts divided by the design effects that the clusters' evidence implies."""
    samples, rate = _right_by_class(counts)
    independent = sum(rate[c] * (1.0 - rate[c]) / (4.0 * samples[c]) for c in (False, True))
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = found.variance * (1.0 - 1.0 / found.effective)  # binomial ones, too, count no unit less
        effect = np.where(independent > 0.0, variance / independent, of_group / found.effective)
    effect = np.maximum(np.nan_to_num(effect, nan=1.0), 1.0)
    worth = EffectiveCells(counts / effect[:, None], found.effective - 1.0, found.shared)
    return Measured(worth, of_group, clusters, found.effective)


def _shown(count: float) -> str:
    """Return a count in few digits, but a count that is too small as one that is seen to be."""
    if count >= 100.0:
        return f"{count:.0f}"
    small = count * (1.0 + _ROUNDING) < FEWEST
    return next(text for digits in range(3, 18) if (float(text := f"{count:.{digits}g}") < FEWEST) == small)
