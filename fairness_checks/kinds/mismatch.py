"""Whether a model's uncertainty warns of the group in which its errors are higher."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from fairness_checks.errors import ConfigurationError
from fairness_checks.inputs.predictions import Predictions
from fairness_checks.kinds.design import Design
from fairness_checks.kinds.kind import Arrays, Blocks, Clusters, Kind
from fairness_checks.kinds.measured import Measured
from fairness_checks.kinds.plan import Plan, inside
from fairness_checks.kinds.power_analysis import PowerAnalysis, power_of_difference
from fairness_checks.measure.measured_groups import MeasuredGroups
from fairness_checks.measure.rows import Rows
from fairness_checks.measure.sources.engine_rows import EngineRows
from fairness_checks.question.checks import Check, Settings
from fairness_checks.question.metrics import Metric
from fairness_checks.records.parts import GroupRecord
from fairness_checks.stats.counted_ordering import mismatch_of_counts, warning_of_counts
from fairness_checks.stats.estimates import Estimates
from fairness_checks.stats.inference import Inference
from fairness_checks.stats.influence import Influence
from fairness_checks.stats.judge_mismatch import BY_ERRORS, PSEUDO_SAMPLE, judge_mismatch
from fairness_checks.stats.mismatch import FEWEST, MismatchStatistics, mismatch_by_group, pair_areas, too_small
from fairness_checks.stats.normal_areas import auc_covariance, mismatch_variance
from fairness_checks.stats.power import smallest_factor
from fairness_checks.stats.risk_coverage import UncertaintyWarning, warning_by_group
from fairness_checks.stats.score_histogram import BINS, ScoreHistogram, score_histogram
from fairness_checks.typing import Array

__all__ = ["KIND", "Ordering", "UncertaintyMismatch", "areas_of"]


@dataclass(frozen=True, slots=True, eq=False)
class Ordering:
    """How errors and uncertainties order all pairs of groups, and the samples within each."""

    pairs: MismatchStatistics
    within: UncertaintyWarning

    def take(self, order: Sequence[int]) -> Ordering:
        """Return the groups at the given positions; -1 is an empty group."""
        return Ordering(self.pairs.take(order), self.within.take(order))

    def without_small_parts(self, below: int) -> Ordering:
        """Return the same without means of fewer samples or clusters."""
        return Ordering(self.pairs, self.within.without_small_parts(below))


class _MismatchPlan(Plan):
    """The first value is A_error, the second A_uncertainty, of the same pair."""

    reads_correlation = True

    def variance(self, design: Design, error_auc: float, uncertainty_auc: float) -> float:
        """Variance for one sample of a group; among several groups at least that of two groups alike."""
        own = mismatch_variance(error_auc, uncertainty_auc, design.correlation)
        return own if design.groups == 2 else max(own, mismatch_variance(0.5, 0.5, design.correlation))

    def variances(self, design: Design, first: float, second: float, sizes: Array) -> Array:
        return np.full(len(sizes), self.variance(design, first, second))

    def needed_pair(self, design: Design, first: float, second: float, level: float) -> float | None:
        """Size for a mismatch, whose test must also show which group has the higher error; misses are added up."""
        mismatch, both = first - second, 1.0 + 1.0 / design.allocation
        pseudo = PSEUDO_SAMPLE * (1.0 + design.allocation**-2)  # to be divided by the square of the size
        seen, added = both * self.variance(design, first, second), (first - 0.5) ** 2 + (second - 0.5) ** 2
        of_error, added_to_error = both * auc_covariance(first, first, 1.0), (first - 0.5) ** 2

        def miss(grown: float, distance: float, tested: float, true: float, at: float) -> float:
            """Chance that a distance is not told from 0 by Student's t, of the variances tested with and true."""
            quantile = -special.stdtrit(max(grown**2 * (1.0 + design.allocation) - 2.0, 1.0), at)
            return float(special.ndtr((quantile * math.sqrt(tested) - grown * distance) / math.sqrt(max(true, 1e-24))))

        def of_margin(grown: float, margin: float, side: float, at: float) -> float:
            tested = both * self._at_margin(design, first, second, margin) + pseudo * added / grown**2
            return miss(grown, side * (mismatch - margin), tested, seen, at)

        def of_worse(grown: float, at: float) -> float:
            return miss(grown, first - 0.5, of_error + pseudo * added_to_error / grown**2, of_error, at)

        def not_violated(grown: float) -> float:
            by_mismatch = level / (2.0 if design.limit == 0.0 else 1.0)
            return of_margin(grown, design.limit, 1.0, by_mismatch) + of_worse(grown, level)

        def not_complied(grown: float) -> float:
            turned = of_margin(grown, -design.limit, 1.0, (1.0 - BY_ERRORS) * level)
            other = min(turned, of_worse(grown, BY_ERRORS * level))
            pairs = design.groups * (design.groups - 1) / 2.0
            return pairs * (of_margin(grown, design.limit, -1.0, level) + other)

        return smallest_factor(not_complied if design.keeps(first, second) else not_violated, design.power)

    def _at_margin(self, design: Design, first: float, second: float, margin: float) -> float:
        """Variance that the test takes: at areas that differ by the margin, either moved half of the way."""
        moved = first - (first - second - margin) / 2.0
        moved = min(max(moved, inside(0.0) + max(margin, 0.0)), inside(1.0) + min(margin, 0.0))
        return self.variance(design, moved, moved - margin)

    def needed_value(self, design: Design, value: float, level: float, power: float) -> float | None:
        raise ConfigurationError(f"{design.metric.name} is of two groups; no group has a value to limit")


class UncertaintyMismatch(Kind):
    """The kind "mismatch" as `fairness_checks.kinds.kind.Kind`."""

    adds_up = False
    of_pairs = True
    plan = _MismatchPlan()

    statistics = (Ordering, MismatchStatistics, UncertaintyWarning)
    parts = (ScoreHistogram,)

    def arrays(self, predictions: Predictions, metric: Metric) -> Arrays:
        """Return errors and uncertainties."""
        return (predictions.ranked_errors(), predictions.uncertainties())

    def influence(self, arrays: Arrays, clusters: Clusters, *, pseudo: bool) -> Influence:
        """Refuse: a mismatch is of two groups."""
        raise ConfigurationError("two models' mismatches are not compared sample by sample")

    def measure(self, rows: Rows, metric: Metric) -> Measured[Ordering]:
        """Sort errors and uncertainties once, and count every group against every other."""
        errors, uncertainties = rows.predictions.ranked_errors(), rows.predictions.uncertainties()
        codes, groups, cells = rows.codes, len(rows.groups), rows.cells()
        ordering = Ordering(
            mismatch_by_group(codes, groups, errors, uncertainties, cells),
            warning_by_group(codes, groups, errors, uncertainties, rows.clusters),
        )
        return Measured(ordering, rows.samples, None if cells is None else ordering.pairs.units)

    def measure_in_engine(self, rows: EngineRows, metric: Metric) -> Measured[Ordering]:
        """Have different errors and uncertainties counted, and order these."""
        codes, errors, uncertainties, counts = rows.distinct_orders(metric)
        some = codes, len(rows.groups), errors, uncertainties, counts
        return Measured(Ordering(mismatch_of_counts(*some), warning_of_counts(*some)), rows.samples)

    def part(self, rows: Rows, metric: Metric) -> Measured[ScoreHistogram]:
        """Count the scores of each label: of a classifier they say its errors, and how uncertain it is."""
        given = rows.predictions
        if rows.clusters is not None:
            super().part(rows, metric)
        _refuse_given(metric, error=given.error is not None, uncertainty=given.uncertainty is not None)
        found = score_histogram(rows.codes, len(rows.groups), given.labels(), given.scores(), BINS)
        _refuse_bins(found, metric)
        return Measured(found, rows.samples)

    def part_in_engine(self, rows: EngineRows, metric: Metric) -> Measured[ScoreHistogram]:
        """Have the scores of each label counted."""
        given = rows.predictions.engine.given
        _refuse_given(metric, error="error" in given, uncertainty="uncertainty" in given)
        found = rows.histogram()
        _refuse_bins(found, metric)
        return Measured(found, rows.samples)

    def whole(self, part: Measured[ScoreHistogram], statistics: MeasuredGroups, metric: Metric) -> Measured[Ordering]:
        """Order the samples of all, as often as each score is there."""
        cells = part.statistics
        _refuse_bins(cells, metric)
        counts = np.concatenate([cells.positives, cells.negatives])
        some = counts > 0
        labels, scores = np.repeat([True, False], len(cells.low)), np.tile(cells.low, 2)
        errors, uncertainties = np.abs(labels - scores), special.entr(scores) + special.entr(1.0 - scores)
        rows = np.tile(cells.group, 2)[some], cells.groups, errors[some], uncertainties[some], counts[some]
        return Measured(Ordering(mismatch_of_counts(*rows), warning_of_counts(*rows)), part.samples)

    def groups(self, statistics: MeasuredGroups, metric: Metric, settings: Settings) -> tuple[GroupRecord, ...]:
        """Return every group with what its uncertainty says of its errors; a mismatch is of two groups only."""
        measured: Measured[Ordering] = statistics.measured[metric.name]
        small, within = too_small(measured.statistics.pairs), measured.statistics.within
        records = []
        for i, name in enumerate(statistics.groups):
            samples = int(measured.samples[i])
            problem = settings.too_few(samples)
            clusters = None if measured.clusters is None else int(measured.clusters[i])
            if problem is None and small[i]:
                units = f"{samples} samples" if clusters is None else f"{clusters} clusters"
                problem = f"{units}; {FEWEST} are needed"
            also = {
                "mean_absolute_error": within.mean_error[i],
                "spearman": within.spearman[i],
                "risk_coverage_area": within.risk_coverage[i],
            }
            records.append(
                GroupRecord(
                    name=name,
                    samples=samples,
                    events=None,
                    n=samples,
                    rate=None,
                    low=None,
                    high=None,
                    clusters=clusters,
                    also={key: float(value) if math.isfinite(value) else None for key, value in also.items()},
                    problem=problem,
                )
            )
        return tuple(records)

    def judge(
        self,
        statistics: MeasuredGroups,
        judged: Sequence[int],
        check: Check,
        alpha: float,
        blocks: Blocks | None,
        level: float | None = None,
    ) -> Inference:
        """Judge the largest mismatch of two groups; see `fairness_checks.kinds.kind.Kind`."""
        measured: Measured[Ordering] = statistics.measured[check.metric]
        pairs = measured.statistics.pairs.take(judged)
        found = judge_mismatch(pairs, check.limit, alpha, blocks=blocks, level=level)
        at = (found.first, found.second)
        also = {"error_auc": float(pairs.error_auc[at]), "uncertainty_auc": float(pairs.uncertainty_auc[at])}
        return dataclasses.replace(found, also=also)

    def power_analysis(
        self,
        first: GroupRecord,
        second: GroupRecord | None,
        check: Check,
        found: Inference,
        level: float,
        alpha: float,
    ) -> PowerAnalysis:
        """Plan with the standard error of the mismatch seen, which shrinks as the root of the samples."""
        assert second is not None  # for the type checker: a mismatch has two groups
        error = found.standard_error or 0.0
        return power_of_difference(found.estimate, error, [first, second], check, level, alpha)

    def estimates(self, statistics: MeasuredGroups, metric: Metric) -> Estimates:
        """Refuse: a mismatch is of two groups, so that no group has a value of its own."""
        raise ConfigurationError(f"strata: {metric.name} cannot be standardised")


def areas_of(rows: Rows) -> tuple[Array, Array]:
    """Return how errors, and uncertainties, order all pairs of groups, shapes (G, G): areas without their variances."""
    errors, uncertainties = rows.predictions.ranked_errors(), rows.predictions.uncertainties()
    first, second = (pair_areas(rows.codes, len(rows.groups), values) for values in (errors, uncertainties))
    return first, second


KIND: Kind = UncertaintyMismatch()


def _refuse_given(metric: Metric, *, error: bool, uncertainty: bool) -> None:
    """Refuse parts of what is no classifier's."""
    if error or uncertainty:
        raise ConfigurationError(
            f"{metric.name}: of errors or uncertainties that are given, unlike the scores of a classifier, nothing "
            "that is small adds up over parts of the rows; judge all rows together"
        )


def _refuse_bins(cells: ScoreHistogram, metric: Metric) -> None:
    """Refuse scores in bins, within which errors and uncertainties have no order."""
    if (cells.low < cells.high).any():
        raise ConfigurationError(
            f"{metric.name}: a group has more than {BINS:,} different scores, and errors in bins have no order; judge "
            "all rows together"
        )
