"""Rates: ratios of sums of the cells of a group's confusion table, or of events of a metric of the user's own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import special

from fairness_checks.inputs.predictions import Predictions
from fairness_checks.kinds.clustered_part import ClusteredPart
from fairness_checks.kinds.design import Design
from fairness_checks.kinds.kind import Arrays, Blocks, Clusters, Kind
from fairness_checks.kinds.measured import Measured
from fairness_checks.kinds.plan import Plan, made_up
from fairness_checks.kinds.power_analysis import PowerAnalysis, grown
from fairness_checks.kinds.rates import (
    Rates,
    cells_of,
    events_of,
    measure_rates,
    rates_in_engine,
    rates_of,
    rates_of_part,
    rates_of_whole,
)
from fairness_checks.measure.measured_groups import MeasuredGroups
from fairness_checks.measure.rows import Rows
from fairness_checks.measure.sources.engine_rows import EngineRows
from fairness_checks.question.checks import Check, Settings
from fairness_checks.question.limits import LimitKind
from fairness_checks.question.metrics import Metric
from fairness_checks.records.parts import GroupRecord
from fairness_checks.stats.cluster_sums import ClusterMoments
from fairness_checks.stats.disparity import judge_disparity
from fairness_checks.stats.estimates import Estimates
from fairness_checks.stats.inference import Inference
from fairness_checks.stats.influence import Influence, rate_components, rate_influence
from fairness_checks.stats.power import (
    POWER,
    detectable_disparity,
    detectable_value,
    needed_factor,
    needed_factor_value,
)
from fairness_checks.stats.proportions import Contrast
from fairness_checks.stats.rao_scott import EffectiveCounts, held_freedom, safe_weight
from fairness_checks.stats.worst_group import judge_worst_group
from fairness_checks.typing import Array

__all__ = ["KIND", "Proportion"]

_CONTRASTS: dict[str, Contrast] = {"max_difference": "difference", "min_ratio": "ratio"}


class _RatePlan(Plan):
    """By the score test."""

    def variances(self, design: Design, first: float, second: float, sizes: Array) -> Array:
        """Return those at the common rate."""
        others = sizes[1:].sum() / sizes[0]
        rate = (first + second * others) / (1.0 + others)
        odds = (1.0 - rate) * rate if design.limit_kind == "max_difference" else (1.0 - rate) / max(rate, 1e-12)
        return np.full(len(sizes), odds)

    def needed_pair(self, design: Design, first: float, second: float, level: float) -> float | None:
        contrast, power, groups = _CONTRASTS[design.limit_kind], design.power, design.groups
        (higher, n_higher), (lower, n_lower) = sorted([(first, 1.0), (second, design.allocation)], reverse=True)
        return needed_factor(higher, n_higher, lower, n_lower, design.limit, contrast, level, power, groups)

    def needed_value(self, design: Design, value: float, level: float, power: float) -> float | None:
        return _needed_value(*_as_ceiling(value, design.limit, design.limit_kind), level, power)

    def correlation(self, design: Design, value: float, clusters: float) -> float:
        """Draw it towards 1 by the clusters that are expected to hold events, or others; see `stats.rao_scott`."""
        rho = design.intra_cluster_correlation
        return rho + (1.0 - rho) * float(safe_weight(self._held(design, value, clusters)))

    def freedom(self, design: Design, value: float, clusters: float) -> float:
        """Count the clusters that are expected to hold events, or others, as the test does."""
        held, rho = self._held(design, value, clusters), self.correlation(design, value, clusters)
        known = float(held_freedom(clusters, held, design.cluster_size, rho)) if held > 0.0 else math.inf
        return min(known, clusters - 1.0)

    @staticmethod
    def _held(design: Design, value: float, clusters: float) -> float:
        """Return the effective clusters that are expected to hold events, or others if these are fewer."""
        size, rho = design.cluster_size, design.intra_cluster_correlation
        squares = size * value * (1.0 - value) * (1.0 + (size - 1.0) * rho)  # variance of a cluster's events
        means = [size * rate for rate in (value, 1.0 - value) if rate > 0.0]
        return clusters * min([mean**2 / (squares + mean**2) for mean in means]) if len(means) == 2 else 0.0


class Proportion(Kind):
    """The kind "proportion" as `fairness_checks.kinds.kind.Kind`."""

    of_counts = True
    statistics = (Rates, EffectiveCounts)
    parts = (ClusteredPart, ClusterMoments)
    plan = _RatePlan()

    def arrays(self, predictions: Predictions, metric: Metric) -> Arrays:
        """Return whether each sample is an event, and whether it counts."""
        return events_of(predictions, metric)

    def influence(self, arrays: Arrays, clusters: Clusters, *, pseudo: bool) -> Influence:
        """Return each sample's deviation from the rate."""
        event, counted = arrays
        return rate_influence(event & counted, counted, clusters, pseudo=pseudo)

    def influence_of_counts(self, arrays: Arrays, times: Blocks) -> Influence:
        """Return the deviation from the rate of samples that are alike."""
        event, counted = arrays
        return rate_influence(event & counted, counted, times=times)

    def measure(self, rows: Rows, metric: Metric) -> Measured[Rates] | None:
        """Count events where the confusion counts do not say them."""
        return measure_rates(rows, metric)

    def measure_in_engine(self, rows: EngineRows, metric: Metric) -> Measured[Rates] | None:
        """Have clusters counted by what they hold; of independent samples the confusion counts say it all."""
        return rates_in_engine(rows, metric)

    def part(self, rows: Rows, metric: Metric) -> Measured[Rates] | Measured[ClusteredPart[Rates]] | None:
        """Count events of a part of the rows where the confusion counts do not say them."""
        return rates_of_part(rows, metric)

    def whole(self, part: Measured[Any] | None, statistics: MeasuredGroups, metric: Metric) -> Measured[Rates] | None:
        """Find what the clusters of all are worth."""
        return rates_of_whole(part)

    def groups(self, statistics: MeasuredGroups, metric: Metric, settings: Settings) -> tuple[GroupRecord, ...]:
        """Return every group with its rate; one without a denominator has none."""
        measured = rates_of(statistics, metric)
        evidence = measured.statistics.worth(settings.alpha)
        lows, highs = measured.statistics.intervals(settings.alpha)
        records = []
        for i, name in enumerate(statistics.groups):
            samples, x, n = (int(c[i]) for c in (statistics.samples, measured.statistics.events, measured.samples))
            clusters = None if measured.clusters is None else int(measured.clusters[i])
            problem = settings.too_few(samples)
            if problem is None and n == 0:
                problem = f"no {metric.unit} among its {samples} samples"
            if problem is None:
                problem = measured.few_clusters(i)
            known = n > 0 and evidence[i] > 0.0
            records.append(
                GroupRecord(
                    name=name,
                    samples=samples,
                    events=x,
                    n=n,
                    rate=x / n if n else None,
                    low=float(lows[i]) if known else None,
                    high=float(highs[i]) if known else None,
                    clusters=clusters,
                    effective_n=None if clusters is None else float(evidence[i]),
                    problem=problem,
                )
            )
        return tuple(records)

    def values(self, statistics: MeasuredGroups, metric: Metric) -> list[float | None]:
        """Return every group's rate alone."""
        rates = rates_of(statistics, metric).statistics
        return [x / n if n else None for x, n in zip(rates.events.tolist(), rates.samples.tolist(), strict=True)]

    def components(self, counts: Blocks, metric: Metric) -> Array | None:
        """Return the deviation from the rate of a sample of each cell; None for a metric that is not of cells."""
        if metric.per_sample is not None:
            return None
        return rate_components(counts, *(cells_of(each) for each in (metric.numerator, metric.denominator)))

    def judge(
        self,
        statistics: MeasuredGroups,
        judged: Sequence[int],
        check: Check,
        alpha: float,
        blocks: Blocks | None,
        level: float | None = None,
    ) -> Inference:
        """Judge counts; see `fairness_checks.kinds.kind.Kind`."""
        some = np.asarray(judged, dtype=np.intp)
        rates = rates_of(statistics, check.definition).statistics.take(some.tolist())
        events, samples = rates.evidence
        if check.limit_kind in _CONTRASTS:
            shared = None if rates.effective is None else rates.effective.shared
            return judge_disparity(
                events,
                samples,
                check.limit,
                _CONTRASTS[check.limit_kind],
                alpha,
                blocks=blocks,
                shared=shared,
                level=level,
                freedom=rates.tail_freedom,
            )
        ceiling = check.limit_kind == "max_value"
        return judge_worst_group(events, samples, check.limit, alpha, ceiling=ceiling, freedom=rates.tail_freedom)

    def power_analysis(
        self,
        first: GroupRecord,
        second: GroupRecord | None,
        check: Check,
        found: Inference,
        level: float,
        alpha: float,
    ) -> PowerAnalysis:
        """Plan by the score test; see `fairness_checks.kinds.kind.Kind`."""
        if second is None:
            return _power_of_value(first, check, level, alpha)
        return _power_of_pair(first, second, check, level, alpha)

    def estimates(self, statistics: MeasuredGroups, metric: Metric) -> Estimates:
        """Return every group's rate, and a variance never 0 and on average never too small, however few the samples."""
        # Of a rate drawn towards 1/2, x + 1 of n + 2, the variance p q / n is on average (n^2 + 3 n + 4) / (n + 2)^2
        # of what it should be where p = 1/2, and a larger share elsewhere: it is divided by that. Over a hundred
        # strata of two samples a group nothing else averages out.
        rates = rates_of(statistics, metric).statistics
        events, samples = rates.evidence
        with np.errstate(divide="ignore", invalid="ignore"):
            value = np.where(samples > 0, events / samples, np.nan)
            binary = (events + 1.0) * (samples - events + 1.0) / (samples**2 + 3.0 * samples + 4.0)
            freedom = samples - 1.0 if rates.freedom is None else rates.freedom
            return Estimates(value, binary / samples, np.maximum(freedom, 1.0))


KIND: Kind = Proportion()


def _evidence(group: GroupRecord) -> float:
    return float(group.n) if group.effective_n is None else group.effective_n


def _as_ceiling(rate: float, limit: float, kind: LimitKind) -> tuple[float, float]:
    """Return a rate and its ceiling; a floor of the rate is a ceiling of its complement."""
    return (1.0 - rate, 1.0 - limit) if kind == "min_value" else (rate, limit)


def _needed_value(rate: float, limit: float, level: float, power: float = POWER) -> float | None:
    """Return the samples that settle a ceiling by the exact test; None where none do."""
    # Half an event more by Fleiss, and as far as binomial quantiles lie from normal ones (Cornish and Fisher), that of
    # the level at the limit and that of the power at the rate.
    found = needed_factor_value(rate, 1.0, limit, level, power)
    skewed = (float(special.ndtri(level)) ** 2 - 1.0) * (1.0 - 2.0 * limit)
    skewed -= (float(special.ndtri(power)) ** 2 - 1.0) * (1.0 - 2.0 * rate)
    more = 0.5 + (skewed if rate > limit else -skewed) / 6.0
    return None if found is None else made_up(found, max(more, 0.0), abs(rate - limit))


def _power_of_value(group: GroupRecord, check: Check, level: float, alpha: float) -> PowerAnalysis:
    """Answer for a ceiling or a floor: the deciding group; a violation is tested at `level`, compliance at `alpha`."""
    (rate, limit), n = _as_ceiling(group.rate or 0.0, check.limit, check.limit_kind), _evidence(group)
    shown = detectable_value(n, limit, level)
    needed = _needed_value(rate, limit, level if rate > limit else alpha)
    return {
        "detectable": shown if check.limit_kind == "max_value" or shown is None else 1.0 - shown,
        "needed_samples": grown(None if needed is None else needed / n, group.n),
    }


def _power_of_pair(first: GroupRecord, second: GroupRecord, check: Check, level: float, alpha: float) -> PowerAnalysis:
    """Answer for a difference or a ratio: the deciding pair."""
    # A violation is tested at `level`, simultaneous over the pairs; compliance at `alpha`.
    contrast = _CONTRASTS[check.limit_kind]
    higher, lower = (first, second) if contrast == "difference" else (second, first)
    (high, n_high), (low, n_low) = ((group.rate or 0.0, _evidence(group)) for group in (higher, lower))
    pooled = (high * n_high + low * n_low) / (n_high + n_low)
    limit, sizes = check.limit, (first.n, second.n)
    violates = high - low > limit if contrast == "difference" else low < limit * high
    as_seen = needed_factor(high, n_high, low, n_low, limit, contrast, level if violates else alpha)
    if_equal = needed_factor(pooled, n_high, pooled, n_low, limit, contrast, alpha)
    return {
        "detectable": detectable_disparity(low, n_high, n_low, limit, contrast, level),
        "needed_samples": grown(as_seen, *sizes),
        "needed_samples_if_equal": grown(if_equal, *sizes),
    }
