"""Rates: ratios of sums of the cells of a group's confusion table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from fairness_checks.checks import Check, LimitKind, Settings
from fairness_checks.kinds.settling import Settling, grown
from fairness_checks.metrics import METRICS, Metric
from fairness_checks.records import GroupRecord
from fairness_checks.statistics import GroupStatistics
from fairness_checks.stats import power
from fairness_checks.stats.disparity import judge_disparity
from fairness_checks.stats.inference import Inference
from fairness_checks.stats.proportions import Contrast, wilson_interval
from fairness_checks.stats.worst_group import judge_worst_group

__all__ = ["Proportion"]

Judge = Callable[[np.ndarray, np.ndarray, float, float, np.random.Generator], Inference]

_JUDGES: Mapping[LimitKind, Judge] = {
    "max_difference": lambda x, n, limit, alpha, rng: judge_disparity(x, n, limit, "difference", alpha, rng),
    "min_ratio": lambda x, n, limit, alpha, rng: judge_disparity(x, n, limit, "ratio", alpha, rng),
    "max_value": lambda x, n, limit, alpha, rng: judge_worst_group(x, n, limit, alpha, ceiling=True),
    "min_value": lambda x, n, limit, alpha, rng: judge_worst_group(x, n, limit, alpha, ceiling=False),
}


class Proportion:
    """The kind "proportion" as `fairness_checks.kinds.Kind`."""

    def groups(self, statistics: GroupStatistics, metric: Metric, settings: Settings) -> tuple[GroupRecord, ...]:
        """Return every group with its rate; one without a denominator has none."""
        events, denominators = statistics.proportion(metric)
        records = []
        rows = zip(statistics.groups, statistics.samples, events, denominators, strict=True)
        for name, samples, x, n in ((name, int(s), int(x), int(n)) for name, s, x, n in rows):
            problem = settings.too_few(samples)
            if problem is None and n == 0:
                problem = f"no {metric.unit} among its {samples} samples"
            low, high = wilson_interval(x, n, 1.0 - 2.0 * settings.alpha) if n else (None, None)
            records.append(
                GroupRecord(
                    name=name,
                    samples=samples,
                    events=x,
                    n=n,
                    rate=x / n if n else None,
                    low=low,
                    high=high,
                    problem=problem,
                )
            )
        return tuple(records)

    def judge(
        self,
        statistics: GroupStatistics,
        judged: Sequence[int],
        check: Check,
        alpha: float,
        rng: np.random.Generator,
    ) -> Inference:
        """Judge counts; see `fairness_checks.kinds.Kind`."""
        events, samples = statistics.proportion(METRICS[check.metric])
        some = np.asarray(judged, dtype=np.intp)
        return _JUDGES[check.limit_kind](events[some], samples[some], check.limit, alpha, rng)

    def settle(
        self, first: GroupRecord, second: GroupRecord | None, check: Check, level: float, alpha: float
    ) -> Settling:
        """Plan by the score test; see `fairness_checks.kinds.Kind`."""
        if second is None:
            return _settle_value(first, check, level)
        return _settle_pair(first, second, check, level, alpha)


def _rate(group: GroupRecord) -> float:
    return (group.events or 0) / group.n


def _settle_value(group: GroupRecord, check: Check, level: float) -> Settling:
    """Answer for a ceiling or a floor: the deciding group, tested at `level`."""
    ceiling = check.limit_kind == "max_value"
    rate, limit = _rate(group), check.limit
    if not ceiling:  # a floor of the rate is a ceiling of its complement
        rate, limit = 1.0 - rate, 1.0 - limit
    detectable = power.detectable_value(group.n, limit, level)
    return {
        "detectable": detectable if ceiling or detectable is None else 1.0 - detectable,
        "needed_samples": grown(power.needed_factor_value(rate, group.n, limit, level), group.n),
    }


def _settle_pair(first: GroupRecord, second: GroupRecord, check: Check, level: float, alpha: float) -> Settling:
    """Answer for a difference or a ratio: the deciding pair.

    A violation is tested at `level`, simultaneous over the pairs; compliance at `alpha`.
    """
    contrast: Contrast = "difference" if check.limit_kind == "max_difference" else "ratio"
    higher, lower = (first, second) if contrast == "difference" else (second, first)
    high_rate, low_rate = _rate(higher), _rate(lower)
    pooled = (_rate(higher) * higher.n + _rate(lower) * lower.n) / (higher.n + lower.n)
    limit, sizes = check.limit, (first.n, second.n)
    as_seen = power.needed_factor(high_rate, higher.n, low_rate, lower.n, limit, contrast, level)
    if_equal = power.needed_factor(pooled, higher.n, pooled, lower.n, limit, contrast, alpha)
    return {
        "detectable": power.detectable_disparity(low_rate, higher.n, lower.n, limit, contrast, level),
        "needed_samples": grown(as_seen, *sizes),
        "needed_samples_if_equal": grown(if_equal, *sizes),
    }
