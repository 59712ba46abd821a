"""Balanced accuracy: the mean of a group's true positive rate and its true negative rate."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fairness_checks.checks import Check, Settings
from fairness_checks.kinds.estimated import estimate_records
from fairness_checks.kinds.kind import Blocks
from fairness_checks.kinds.measured import Measured, few_clusters
from fairness_checks.kinds.settling import Settling, settle_estimates
from fairness_checks.metrics import CELLS, Metric
from fairness_checks.records import GroupRecord
from fairness_checks.rows import Rows
from fairness_checks.stats.balanced_accuracy import (
    FEWEST,
    balanced_accuracy_estimates,
    balanced_accuracy_outside,
    balanced_accuracy_too_small,
    balanced_accuracy_within,
    judge_worst_balanced_accuracy,
)
from fairness_checks.stats.estimates import Estimates
from fairness_checks.stats.inference import Inference
from fairness_checks.stats.judge_estimates import judge_difference

if TYPE_CHECKING:
    from fairness_checks.statistics import GroupStatistics

__all__ = ["BalancedAccuracy"]

METHOD = "Welch test of balanced accuracies, rates drawn towards 1/2 (Agresti and Caffo 2000)"


@dataclass(frozen=True, slots=True, eq=False)
class _EffectiveCells:
    """Confusion counts that clustered samples are worth as independent ones, shape (G, 4)."""

    counts: npt.NDArray[np.float64]

    def take(self, order: Sequence[int]) -> _EffectiveCells:
        """Return the groups at the given positions; -1 is an empty group."""
        at = np.asarray(order, dtype=np.intp)
        return _EffectiveCells(np.where(at[:, None] < 0, 0.0, self.counts[at]))


class BalancedAccuracy:
    """The kind "balanced_accuracy" as `fairness_checks.kinds.kind.Kind`."""

    def measure(self, rows: Rows, metric: Metric) -> Measured[_EffectiveCells] | None:
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
        influence = cells.sums(weight * (right - np.where(labels, rate[True][codes], rate[False][codes])))
        clustered = cells.by_group(influence**2) * cells.dependence(influence)
        independent = sum(rate[c] * (1.0 - rate[c]) / (4.0 * samples[c]) for c in (False, True))
        with np.errstate(divide="ignore", invalid="ignore"):
            effect = np.where(independent > 0.0, clustered / independent, rows.samples / cells.by_group())
        effect = np.maximum(np.nan_to_num(effect, nan=1.0), 1.0)
        worth = _EffectiveCells(counts / effect[:, None])
        return Measured(worth, rows.samples, cells.by_group().astype(np.int64))

    def groups(self, statistics: GroupStatistics, metric: Metric, settings: Settings) -> tuple[GroupRecord, ...]:
        """Return every group with its value; one without positives or negatives has none."""
        counts, clusters = _evidence(statistics, metric)
        tn, fp, fn, tp = statistics.counts.T
        small = balanced_accuracy_too_small(counts)
        problems = []
        for i, samples in enumerate(statistics.samples.tolist()):
            problem = settings.too_few(samples)
            if problem is None and clusters is not None:
                problem = few_clusters(int(clusters[i]), samples)
            if problem is None and small[i]:
                worth = "" if clusters is None else ", worth fewer as they come in clusters"
                problem = f"{tp[i] + fn[i]} positives and {tn[i] + fp[i]} negatives{worth}; {FEWEST} of each are needed"
            problems.append(problem)
        return estimate_records(
            statistics.groups,
            statistics.samples,
            balanced_accuracy_estimates(counts),
            problems,
            settings.alpha,
            lowest=0.0,
            highest=1.0,
            clusters=clusters,
        )

    def judge(
        self, statistics: GroupStatistics, judged: Sequence[int], check: Check, alpha: float, blocks: Blocks | None
    ) -> Inference:
        """Judge balanced accuracies; see `fairness_checks.kinds.kind.Kind`."""
        counts = _evidence(statistics, check.definition)[0][np.asarray(judged, dtype=np.intp)]
        if check.limit_kind != "max_difference":
            ceiling = check.limit_kind == "max_value"
            return judge_worst_balanced_accuracy(counts, check.limit, alpha, ceiling=ceiling).clipped(0.0, 1.0)
        return judge_difference(
            balanced_accuracy_estimates(counts),
            check.limit,
            alpha,
            largest=1.0,
            method=METHOD,
            outside=functools.partial(balanced_accuracy_outside, counts),
            within=functools.partial(balanced_accuracy_within, counts),
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
        """Plan with the standard errors seen, which shrink as the root of the samples."""
        return settle_estimates(first, second, check, level, alpha)

    def estimates(self, statistics: GroupStatistics, metric: Metric) -> Estimates:
        """Return every group's value."""
        return balanced_accuracy_estimates(_evidence(statistics, metric)[0])


def _evidence(statistics: GroupStatistics, metric: Metric) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64] | None]:
    """Return the confusion counts that inference uses, and the clusters of each group."""
    if metric.name not in statistics.measured:
        return statistics.counts, None
    measured: Measured[_EffectiveCells] = statistics.measured[metric.name]
    return measured.statistics.counts, measured.clusters
