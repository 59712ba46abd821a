"""Means of per-sample values."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from scipy import special

from fairness_checks.checks import Check, Settings
from fairness_checks.kinds.settling import Settling, settle_estimates
from fairness_checks.metrics import Metric
from fairness_checks.records import GroupRecord
from fairness_checks.statistics import GroupStatistics
from fairness_checks.stats.inference import Inference
from fairness_checks.stats.judge_estimates import judge_difference
from fairness_checks.stats.means import can_be_judged, mean_estimates, means_outside, means_within

__all__ = ["Mean"]

METHOD = "Welch test, widened against skewness"


class Mean:
    """The kind "mean" as `fairness_checks.kinds.Kind`."""

    def groups(self, statistics: GroupStatistics, metric: Metric, settings: Settings) -> tuple[GroupRecord, ...]:
        """Return every group with its mean; an empty one has none."""
        moments = statistics.moments[metric.name]
        estimates, sound = mean_estimates(moments), can_be_judged(moments)
        error = np.sqrt(estimates.variance)
        records = []
        for i, name in enumerate(statistics.groups):
            samples = int(moments.n[i])
            problem = settings.too_few(samples)
            if problem is None and not sound[i]:
                problem = f"its {samples} samples do not vary"
            judged = problem is None
            quantile = float(special.stdtrit(max(samples - 1, 1), 1.0 - settings.alpha))
            records.append(
                GroupRecord(
                    name=name,
                    samples=samples,
                    events=None,
                    n=samples,
                    rate=float(estimates.value[i]) if samples else None,
                    low=float(estimates.value[i] - quantile * error[i]) if judged else None,
                    high=float(estimates.value[i] + quantile * error[i]) if judged else None,
                    standard_error=float(error[i]) if judged else None,
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
        """Judge means; see `fairness_checks.kinds.Kind`."""
        some = statistics.moments[check.metric].take(judged)
        return judge_difference(
            mean_estimates(some),
            check.limit,
            alpha,
            rng,
            largest=1.0,
            method=METHOD,
            outside=functools.partial(means_outside, some),
            within=functools.partial(means_within, some),
        )

    def settle(
        self, first: GroupRecord, second: GroupRecord | None, check: Check, level: float, alpha: float
    ) -> Settling:
        """Plan by the normal approximation; see `fairness_checks.kinds.Kind`."""
        return settle_estimates(first, second, check, level, alpha, highest=1.0)
