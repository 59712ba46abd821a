"""The highest or the lowest mean of any group against a ceiling or a floor.

Measured at the limit (20,000 draws, alpha 0.05): wrong passes in at most 5 % for normal, exponential, chi-square and
Brier-like errors from 20 samples on, and for lognormal ones (sigma 1) from 60 on; these pass wrongly in 7 % at 20
samples, where the plain t test does in 17 %. The price: with 100 exponential errors, compliance is shown 0.73 times as
often as by a test that knows the variance. Errors of which 90 % are zero need more than 20 samples: with probability
0.12 none of these is positive.
"""

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
    """Judge the worst group's mean against a ceiling (``max_value``) or a floor (``min_value``).

    One-sample t tests whose standard error is widened on the side that skewness endangers (see the module `skewness`):
    for compliance with a ceiling the mean may lie higher than was seen, for a violation lower. Sidak over the groups
    for a violation (JASA 62 (1967) 626-633), nothing for compliance, which every group must show. The interval is the
    inversion of these tests.

    Parameters
    ----------
    statistics : MeanStatistics
        Of G >= 1 groups. One that `can_be_judged` refuses shows nothing: p = 1, and the interval is open on the side
        that the worst mean may lie.
    limit : float
        Ceiling or floor, in the values' unit.
    alpha : float
        Significance level of each of the two tests; the interval has confidence 1 - 2 alpha.
    ceiling : bool
        Whether the highest mean is limited, or the lowest.

    Raises
    ------
    ValueError
        If no group has a sample.

    Examples
    --------
    >>> from fairness_checks.stats.moments import moments_by_group
    >>> statistics = moments_by_group(np.zeros(4, dtype=int), 1, np.array([1.0, 2.0, 3.0, 4.0]))
    >>> found = judge_worst_mean(statistics, 1.0, 0.05, ceiling=True)
    >>> round(found.low, 4), round(found.high, 4), round(found.p_violation, 4)
    (0.9809, 4.0191, 0.0514)
    """
    if not np.any(statistics.n > 0):
        raise ValueError("no group has a sample")
    mean, freedom = statistics.mean, np.maximum(statistics.n - 1.0, 1.0)
    above, below = (Estimates(mean, variance, freedom) for variance in unseen_variances(statistics, alone=True))
    proven, possible = (below, above) if ceiling else (above, below)
    return judge_worst(mean, proven, possible, limit, alpha, ceiling=ceiling, method=METHOD)
