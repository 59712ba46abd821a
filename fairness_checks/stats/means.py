"""Means of per-sample errors, compared at a margin by Welch's test, corrected for skewness as `skewness` says."""

# No method keeps its level for any error (Bahadur and Savage, Ann. Math. Stat. 27 (1956) 1115,
# doi:10.1214/aoms/1177728077): an event of probability q which no group has shown is missed with probability (1 -
# q)^n. Where it holds, and where not: docs/statistics.md.

from __future__ import annotations

import numpy as np

from fairness_checks.stats.estimates import (
    Estimates,
    correlation_of,
    differences_compliance,
    differences_violation,
    joined,
)
from fairness_checks.stats.moments import MeanStatistics
from fairness_checks.stats.skewness import unseen_variances, variances, violation_variances
from fairness_checks.typing import Array

__all__ = ["mean_estimates", "means_compliance", "means_violation"]


def mean_estimates(statistics: MeanStatistics) -> Estimates:
    """Return the means with their usual variances, s^2 / n, and n - 1 degrees of freedom, shapes (G,)."""
    # For reports and planning; a verdict at a margin comes from `means_violation` and `means_compliance`.
    n = statistics.n.astype(np.float64)
    return Estimates(statistics.mean, variances(statistics) / np.maximum(n, 1.0), n - 1.0, statistics.shared)


def means_violation(
    statistics: MeanStatistics, first: np.ndarray, second: np.ndarray, margin: float, level: float | None = None
) -> Array:
    """p-values of H0 |difference| <= margin of pairs (first[b], second[b]), shape (B,); 1 where not judged."""
    swap = statistics.mean[second] > statistics.mean[first]
    higher, lower = np.where(swap, second, first), np.where(swap, first, second)
    of_higher, of_lower, skewness = violation_variances(statistics, higher, lower)
    correlation = correlation_of(statistics.shared, higher, lower)
    if correlation is not None:  # the skewness of the difference is then another one
        skewness = np.where(correlation == 0.0, skewness, 0.0)
    sides = joined(_side(statistics, higher, of_higher), _side(statistics, lower, of_lower), correlation)
    return np.nan_to_num(differences_violation(*sides, margin, skewness, level), nan=1.0)


def _side(statistics: MeanStatistics, at: np.ndarray, variance: Array) -> Estimates:
    return Estimates(statistics.mean[at], variance, statistics.n[at] - 1.0)


def means_compliance(
    statistics: MeanStatistics, first: np.ndarray, second: np.ndarray, margin: float, level: float | None = None
) -> Array:
    """p-values of H0 |difference| >= margin of pairs (first[b], second[b]), shape (B,); 1 where not judged."""
    # The larger p-value of two one-sided tests. Each widens its own standard error, as the one mean may be higher yet
    # and the other lower: the order in which they were seen does not say which is larger.
    freedom, correlation = statistics.n.astype(np.float64) - 1.0, correlation_of(statistics.shared, first, second)
    may_be_higher, may_be_lower = (
        Estimates(statistics.mean, variance, freedom) for variance in unseen_variances(statistics)
    )
    sides = [
        joined(may_be_higher.take(i), may_be_lower.take(j), correlation) for i, j in ((first, second), (second, first))
    ]
    return np.nan_to_num(differences_compliance(sides, margin, level), nan=1.0)
