"""Variances of estimates that no sample has been collected for: of one sample of a group, or of one pair of groups."""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from fairness_checks.planning.arguments import Design

__all__ = ["area_covariance", "by_class", "mismatch_variance", "of_group"]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(24)
_BEST = 0.995  # a perfect value would have no variance; the tests know that it has
_FARTHEST = 8.0  # standard deviations; areas nearer to 0 or 1 have no variance anyway


def of_group(design: Design, value: float, samples: float = math.inf) -> float:
    """Variance of a group's estimate for one sample of it, at a value; of a mean, an area or a balanced accuracy."""
    # `samples` matter for a balanced accuracy, whose test draws both rates towards 1/2 by a sample of each kind.
    if design.metric.kind == "mean":
        assert design.standard_deviation is not None  # for the type checker: `design` refuses a mean without
        return design.standard_deviation**2
    positives, value = design.positives, min(max(value, 1.0 - _BEST), _BEST)
    if design.metric.kind == "ranking":
        # Hanley and McNeil's, without the terms that vanish as 1 / mn.
        q1, q2 = value / (2.0 - value), 2.0 * value**2 / (1.0 + value)
        return (q2 - value**2) / positives + (q1 - value**2) / (1.0 - positives)
    # Balanced accuracy: half of each of two rates; unequal rates with this mean have a smaller variance.
    total = 0.0
    for share in (positives, 1.0 - positives):
        drawn = value + (1.0 - 2.0 * value) / (samples * share + 2.0)  # x + 1 of n + 2
        total += drawn * (1.0 - drawn) / share / 4.0
    return total


def by_class(design: Design) -> float:
    """By how much one sample of each class, shared out among a group's one sample, moves a mean of two rates."""
    return 1.0 / design.positives + 1.0 / (1.0 - design.positives)


def mismatch_variance(error_auc: float, uncertainty_auc: float, correlation: float) -> float:
    """Variance of A_error - A_uncertainty for one sample of a group, the other's being known."""
    # `correlation` is Spearman's, of error and uncertainty within a group.
    normal = 2.0 * math.sin(math.pi / 6.0 * correlation)  # Pearson's, of normal variables with that of Spearman
    covariance = area_covariance(error_auc, uncertainty_auc, normal)
    alone = area_covariance(error_auc, error_auc, 1.0) + area_covariance(uncertainty_auc, uncertainty_auc, 1.0)
    return alone - 2.0 * covariance


def area_covariance(first: float, second: float, correlation: float) -> float:
    """Covariance of two areas of the same samples, of one sample of either group, for normal measurements."""
    # With measurements of variance 1 whose means differ by sqrt(2) h and sqrt(2) k between the groups, the areas are
    # Phi(h) and Phi(k), and a sample exceeds one other in both with the probability Phi2(h, k; correlation / 2),
    # which exceeds Phi(h) Phi(k) by the integral of the bivariate density over the correlation (Plackett, Biometrika
    # 41 (1954) 351, doi:10.1093/biomet/41.3-4.351). `correlation` is Pearson's within a group; 1 for the variance of
    # one area.
    h, k = (float(np.clip(special.ndtri(area), -_FARTHEST, _FARTHEST)) for area in (first, second))
    r = correlation / 4.0 * (1.0 + _NODES)  # from 0 to half of the correlation
    rest = 1.0 - r * r
    density = np.exp(-(h * h - 2.0 * r * h * k + k * k) / (2.0 * rest)) / (2.0 * math.pi * np.sqrt(rest))
    return float(correlation / 4.0 * (density @ _WEIGHTS))
