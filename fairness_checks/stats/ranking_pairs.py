"""Two areas under ROC curves at a margin, with variances that fit the margin."""

# Welch's test takes the variances at the areas seen, and an area's variance shrinks as it nears 1: a group that is
# ranked well by luck counts as known well. So each variance is moved to the areas that fit the margin (Miettinen and
# Nurminen, Stat. Med. 4 (1985) 213, doi:10.1002/sim.4780040211), in proportion to A (1 - A), to which that of an area
# is nearly proportional (Newcombe, Stat. Med. 25 (2006) 559, doi:10.1002/sim.2324).

from __future__ import annotations

import numpy as np

from fairness_checks.stats.estimates import both_tails, larger_tail
from fairness_checks.stats.ranking import RankingStatistics, auc_estimates, variance_shape
from fairness_checks.typing import Array

__all__ = ["auc_compliance", "auc_violation"]

# Steps from variances to areas at the margin and back. The first moves the variances too far and the next ones less;
# after one, t rises wherever the difference does, and violations keep their level (0.052 of 0.05 at most) while small
# groups detect up to twice as much; wrong passes would reach 0.059, with three steps they stay below 0.05.
_VIOLATION_STEPS, _COMPLIANCE_STEPS = 1, 3


def auc_violation(
    statistics: RankingStatistics, first: np.ndarray, second: np.ndarray, margin: float, level: float | None = None
) -> Array:
    """p-values of H0 |difference| <= margin of pairs (first[b], second[b]) of groups, shape (B,)."""
    distance = statistics.auc[first] - statistics.auc[second]
    sign = np.where(distance >= 0.0, 1.0, -1.0)
    # Where the areas are ambiguous, they are taken to be as near to each other as they may be.
    nearer = -sign * np.minimum(_doubt(statistics, first, second), np.abs(distance))
    near, near_freedom = _standardised(statistics, first, second, sign * margin, _VIOLATION_STEPS, nearer)
    far, far_freedom = _standardised(statistics, first, second, -sign * margin, _VIOLATION_STEPS, nearer)
    return both_tails(sign * near, sign * far, near_freedom, far_freedom, level)


def auc_compliance(
    statistics: RankingStatistics, first: np.ndarray, second: np.ndarray, margin: float, level: float | None = None
) -> Array:
    """p-values of H0 |difference| >= margin of pairs (first[b], second[b]) of groups, shape (B,)."""
    farther = _doubt(statistics, first, second)
    above, above_freedom = _standardised(statistics, first, second, margin, _COMPLIANCE_STEPS, farther)
    below, below_freedom = _standardised(statistics, first, second, -margin, _COMPLIANCE_STEPS, -farther)
    return larger_tail(np.array([-above, below]), np.array([above_freedom, below_freedom]), level)


def _doubt(statistics: RankingStatistics, first: np.ndarray, second: np.ndarray) -> Array:
    """Return by how much the difference of two areas found from bins may be another one, shape (B,)."""
    if statistics.ambiguity is None:
        return np.zeros(len(first))
    return np.asarray(statistics.ambiguity[first] + statistics.ambiguity[second])


def _standardised(
    statistics: RankingStatistics,
    first: np.ndarray,
    second: np.ndarray,
    difference: Array | float,
    steps: int,
    moved: Array,
) -> tuple[Array, Array]:
    """Return t of first - second, `moved` by what is ambiguous, at a difference, and its degrees of freedom; (B,)."""
    estimates = auc_estimates(statistics)
    a1, a2 = statistics.auc[first], statistics.auc[second]
    one, other = estimates.pairs(first, second)
    v1, v2 = one.variance, other.variance
    # A perfect area is moved inwards by half a unit of its smaller class, so that its variance can be moved too.
    step = 0.5 / (np.minimum(statistics.positives, statistics.negatives) + 1.0)
    step1, step2 = step[first], step[second]
    g1, g2 = variance_shape(a1 + (1.0 - 2.0 * a1) * step1), variance_shape(a2 + (1.0 - 2.0 * a2) * step2)
    excess = a1 - a2 + moved - difference
    w1, w2 = v1, v2
    for _ in range(steps):
        move = excess / (w1 + w2)
        w1, w2 = (
            v1 * variance_shape(np.clip(a1 - move * w1, step1, 1.0 - step1)) / g1,
            v2 * variance_shape(np.clip(a2 + move * w2, step2, 1.0 - step2)) / g2,
        )
    freedom = (w1 + w2) ** 2 / (w1**2 / one.freedom + w2**2 / other.freedom)
    return excess / np.sqrt(w1 + w2), freedom
