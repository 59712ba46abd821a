"""Areas under ROC curves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import special

from fairness_checks.checks import Check, Settings
from fairness_checks.kinds.settling import Settling, settle_estimates
from fairness_checks.metrics import Metric
from fairness_checks.records import GroupRecord
from fairness_checks.statistics import GroupStatistics
from fairness_checks.stats.estimates import Estimates
from fairness_checks.stats.inference import Inference
from fairness_checks.stats.judge_estimates import judge_difference, judge_worst_estimate
from fairness_checks.stats.ranking import FEWEST, RankingStatistics, auc_estimates, too_small

__all__ = ["Ranking"]

METHOD = "DeLong test with one pseudo-sample at chance per class (DeLong 1988)"


class Ranking:
    """The kind "ranking" as `fairness_checks.kinds.Kind`."""

    def groups(self, statistics: GroupStatistics, metric: Metric, settings: Settings) -> tuple[GroupRecord, ...]:
        """Return every group with its area; one without positives or negatives has none."""
        areas = _areas(statistics)
        estimates, small = auc_estimates(areas), too_small(areas)
        margin = special.ndtri(1.0 - settings.alpha) * np.sqrt(estimates.variance)
        records = []
        for i, name in enumerate(statistics.groups):
            positives, negatives = int(areas.positives[i]), int(areas.negatives[i])
            samples, defined = positives + negatives, positives > 0 and negatives > 0
            value = float(areas.auc[i]) if defined else None
            problem = settings.too_few(samples)
            if problem is None and small[i]:
                problem = f"{positives} positives and {negatives} negatives; {FEWEST} of each are needed"
            judged = value is not None and problem is None
            records.append(
                GroupRecord(
                    name=name,
                    samples=samples,
                    events=None,
                    n=samples,
                    rate=value,
                    low=max(float(areas.auc[i] - margin[i]), 0.0) if judged else None,
                    high=min(float(areas.auc[i] + margin[i]), 1.0) if judged else None,
                    standard_error=float(np.sqrt(estimates.variance[i])) if judged else None,
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
        """Judge areas; see `fairness_checks.kinds.Kind`."""
        everyone = auc_estimates(_areas(statistics))
        at = np.asarray(judged, dtype=np.intp)
        some = Estimates(everyone.value[at], everyone.variance[at], everyone.freedom[at])
        if check.limit_kind == "max_difference":
            return judge_difference(some, check.limit, alpha, rng, largest=1.0, method=METHOD)
        ceiling = check.limit_kind == "max_value"
        found = judge_worst_estimate(some, check.limit, alpha, ceiling=ceiling, method=METHOD)
        return found.clipped(0.0, 1.0)

    def settle(
        self, first: GroupRecord, second: GroupRecord | None, check: Check, level: float, alpha: float
    ) -> Settling:
        """Plan with the standard errors seen, which shrink as the root of the samples."""
        return settle_estimates(first, second, check, level, alpha, highest=1.0)


def _areas(statistics: GroupStatistics) -> RankingStatistics:
    assert statistics.ranking is not None  # for the type checker: verdict asks for what a metric needs
    return statistics.ranking
