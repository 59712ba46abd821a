"""The highest or the lowest mean of any group against a ceiling or a floor; levels measured in docs/statistics.md."""

from __future__ import annotations

import numpy as np

from fairness_checks.stats.estimates import Estimates, upper_quantile
from fairness_checks.stats.inference import Inference
from fairness_checks.stats.moments import MeanStatistics
from fairness_checks.stats.skewness import steepened, unseen_steepness, unseen_variances
from fairness_checks.stats.worst_estimate import judge_worst
from fairness_checks.typing import Array

__all__ = ["judge_worst_mean", "mean_ends"]

_METHOD = "t test, widened against skewness"


def judge_worst_mean(statistics: MeanStatistics, limit: float, alpha: float, *, ceiling: bool) -> Inference:
    """Judge the worst group's mean against a ceiling (``max_value``) or a floor (``min_value``)."""
    # One-sample t tests whose standard error is widened on the side that skewness endangers (`skewness`): for
    # compliance with a ceiling the mean may lie higher than was seen, for a violation lower. At levels below 0.05
    # skewness endangers compliance more. Sidak over the groups for a violation. A group that `can_be_judged` refuses
    # shows nothing: p = 1, and the interval is open on that side.
    if not np.any(statistics.n > 0):
        raise ValueError("no group has a sample")
    above, below = _sides(statistics)
    proven, possible = (below, above) if ceiling else (above, below)
    steepness = unseen_steepness(statistics)[0 if ceiling else 1]
    mean = statistics.mean
    return judge_worst(mean, proven, possible, limit, alpha, ceiling=ceiling, method=_METHOD, steepness=steepness)


def mean_ends(statistics: MeanStatistics, alpha: float) -> tuple[Array, Array]:
    """Return below and above what each group's mean is shown to lie, shapes (G,); nan where nothing is shown."""
    above, below = (
        steepened(upper_quantile(alpha, side.freedom), side.freedom, steepness) * np.sqrt(side.variance)
        for side, steepness in zip(_sides(statistics), unseen_steepness(statistics), strict=True)
    )
    return statistics.mean - below, statistics.mean + above


def _sides(statistics: MeanStatistics) -> tuple[Estimates, Estimates]:
    """Return the means with their variances upwards and downwards."""
    freedom = np.maximum(statistics.n - 1.0, 1.0)
    above, below = unseen_variances(statistics, alone=True)
    return Estimates(statistics.mean, above, freedom), Estimates(statistics.mean, below, freedom)
