"""The highest or the lowest mean of any group against a ceiling or a floor; levels measured in docs/statistics.md."""

from __future__ import annotations

import numpy as np

from fairness_checks.stats.estimates import Estimates
from fairness_checks.stats.inference import Inference
from fairness_checks.stats.moments import MeanStatistics
from fairness_checks.stats.skewness import unseen_variances
from fairness_checks.stats.worst_estimate import judge_worst

__all__ = ["judge_worst_mean"]

METHOD = "t test, widened against skewness"


def judge_worst_mean(statistics: MeanStatistics, limit: float, alpha: float, *, ceiling: bool) -> Inference:
    """Judge the worst group's mean against a ceiling (``max_value``) or a floor (``min_value``)."""
    # One-sample t tests whose standard error is widened on the side that skewness endangers (`skewness`): for
    # compliance with a ceiling the mean may lie higher than was seen, for a violation lower. Sidak over the groups
    # for a violation. A group that `can_be_judged` refuses shows nothing: p = 1, and the interval is open on that
    # side.
    if not np.any(statistics.n > 0):
        raise ValueError("no group has a sample")
    mean, freedom = statistics.mean, np.maximum(statistics.n - 1.0, 1.0)
    above, below = (Estimates(mean, variance, freedom) for variance in unseen_variances(statistics, alone=True))
    proven, possible = (below, above) if ceiling else (above, below)
    return judge_worst(mean, proven, possible, limit, alpha, ceiling=ceiling, method=METHOD)
