"""Two areas under ROC curves at a margin, with variances that fit the margin.

Welch's test takes the variances at the areas seen, and an area's variance shrinks as it nears 1. A group that is ranked
well by luck then counts as known well: with areas of 0.95 and 0.85 of 200 and 100 samples, wrong passes reach 6 % where
5 % are allowed, and a small group of low area is found out half as often as it could be. Here each variance is moved to
the areas that fit the margin, as in Miettinen and Nurminen's score test of two proportions [1]_: in proportion to
A (1 - A), to which the variance of an area is nearly proportional [2]_.

References
----------
.. [1] Miettinen O, Nurminen M. Comparative analysis of two rates. Stat. Med. 4 (1985) 213-226.
   doi:10.1002/sim.4780040211
.. [2] Newcombe RG. Confidence intervals for an effect size measure based on the Mann-Whitney statistic. Part 2. Stat.
   Med. 25 (2006) 559-573. doi:10.1002/sim.2324
"""

from __future__ import annotations

import numpy as np

from fairness_checks.stats.estimates import upper_tail
from fairness_checks.stats.ranking import RankingStatistics, auc_estimates
from fairness_checks.typing import Array

__all__ = ["auc_outside", "auc_within"]

# Steps from variances to areas at the margin and back. The first moves the variances too far and the next ones less;
# after one, t rises wherever the difference does, and violations keep their level (0.052 of 0.05 at most) while small
# groups detect up to twice as much; wrong passes would reach 0.059, with three steps they stay below 0.05.
_VIOLATION_STEPS, _COMPLIANCE_STEPS = 1, 3


def auc_outside(statistics: RankingStatistics, first: np.ndarray, second: np.ndarray, margin: float) -> Array:
    """p-values of H0 |difference| <= margin of pairs (first[b], second[b]) of groups, shape (B,).

    Parameters
    ----------
    statistics : RankingStatistics
        Of G groups.
    first, second : ndarray of int, shape (B,)
        Positions of the groups.
    margin : float
        In [0, 1].

    Examples
    --------
    >>> from fairness_checks.stats.ranking import auc_by_group
    >>> labels, codes = np.arange(200) % 2 == 0, np.arange(200) // 100
    >>> areas = auc_by_group(codes, 2, labels, labels * codes + np.arange(200) % 7)
    >>> auc_outside(areas, np.array([0]), np.array([1]), 0.0).round(3), areas.auc.round(2).tolist()
    (array([0.099]), [0.5, 0.63])
    """
    sign = np.where(statistics.auc[first] >= statistics.auc[second], 1.0, -1.0)
    near, near_freedom = _standardised(statistics, first, second, sign * margin, _VIOLATION_STEPS)
    far, far_freedom = _standardised(statistics, first, second, -sign * margin, _VIOLATION_STEPS)
    return np.minimum(upper_tail(sign * near, near_freedom) + upper_tail(sign * far, far_freedom), 1.0)


def auc_within(statistics: RankingStatistics, first: np.ndarray, second: np.ndarray, margin: float) -> Array:
    """p-values of H0 |difference| >= margin of pairs (first[b], second[b]) of groups, shape (B,).

    Parameters
    ----------
    statistics, first, second, margin
        As in `auc_outside`.

    Examples
    --------
    >>> from fairness_checks.stats.ranking import auc_by_group
    >>> labels, codes = np.arange(400) % 2 == 0, np.arange(400) // 200
    >>> areas = auc_by_group(codes, 2, labels, 3 * labels + np.arange(400) % 7)
    >>> auc_within(areas, np.array([0]), np.array([1]), 0.1).round(4)
    array([0.0064])
    """
    above, above_freedom = _standardised(statistics, first, second, margin, _COMPLIANCE_STEPS)
    below, below_freedom = _standardised(statistics, first, second, -margin, _COMPLIANCE_STEPS)
    return np.maximum(upper_tail(-above, above_freedom), upper_tail(below, below_freedom))


def _standardised(
    statistics: RankingStatistics, first: np.ndarray, second: np.ndarray, difference: Array | float, steps: int
) -> tuple[Array, Array]:
    """Return t of first - second at a difference, and its degrees of freedom, shapes (B,)."""
    estimates = auc_estimates(statistics)
    a1, a2 = statistics.auc[first], statistics.auc[second]
    one, other = estimates.pairs(first, second)
    v1, v2 = one.variance, other.variance
    # A perfect area is moved inwards by half a unit of its smaller class, so that its variance can be moved too.
    step = 0.5 / (np.minimum(statistics.positives, statistics.negatives) + 1.0)
    step1, step2 = step[first], step[second]
    g1, g2 = _shape(a1 + (1.0 - 2.0 * a1) * step1), _shape(a2 + (1.0 - 2.0 * a2) * step2)
    excess = a1 - a2 - difference
    w1, w2 = v1, v2
    for _ in range(steps):
        move = excess / (w1 + w2)
        w1, w2 = (
            v1 * _shape(np.clip(a1 - move * w1, step1, 1.0 - step1)) / g1,
            v2 * _shape(np.clip(a2 + move * w2, step2, 1.0 - step2)) / g2,
        )
    freedom = (w1 + w2) ** 2 / (w1**2 / one.freedom + w2**2 / other.freedom)
    return excess / np.sqrt(w1 + w2), freedom


def _shape(area: Array) -> Array:
    """Return what the variance of an area is taken to be proportional to."""
    return area * (1.0 - area)
