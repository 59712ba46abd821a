"""Variances of areas of normal measurements that have not been made: of one sample of a group."""

from __future__ import annotations

import math

import numpy as np
from scipy import special

__all__ = ["auc_covariance", "auc_variance", "mismatch_variance"]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(24)
_FARTHEST = 8.0  # standard deviations; areas nearer to 0 or 1 have no variance anyway


def auc_variance(area: float, positives: float) -> float:
    """Variance of an area under the ROC curve for one sample, of which a share is positive."""
    # Hanley and McNeil's (Radiology 143 (1982) 29, doi:10.1148/radiology.143.1.7063747), without terms that vanish as
    # 1 / mn.
    q1, q2 = area / (2.0 - area), 2.0 * area**2 / (1.0 + area)
    return (q2 - area**2) / positives + (q1 - area**2) / (1.0 - positives)


def mismatch_variance(error_auc: float, uncertainty_auc: float, correlation: float) -> float:
    """Variance of A_error - A_uncertainty for one sample of a group, the other's being known."""
    # `correlation` is Spearman's, of error and uncertainty within a group.
    normal = 2.0 * math.sin(math.pi / 6.0 * correlation)  # Pearson's, of normal variables with that of Spearman
    covariance = auc_covariance(error_auc, uncertainty_auc, normal)
    alone = auc_covariance(error_auc, error_auc, 1.0) + auc_covariance(uncertainty_auc, uncertainty_auc, 1.0)
    return alone - 2.0 * covariance


def auc_covariance(first: float, second: float, correlation: float) -> float:
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
