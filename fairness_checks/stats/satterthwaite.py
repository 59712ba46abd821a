"""Degrees of freedom of a variance that is a sum over two samples, which may share clusters."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fairness_checks.typing import Array

__all__ = ["two_sample_freedom"]


def two_sample_freedom(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    covariance: npt.ArrayLike,
    m: npt.ArrayLike,
    n: npt.ArrayLike,
    shared: npt.ArrayLike,
) -> Array:
    """Satterthwaite's degrees of freedom of first + second + covariance; nan for a sample of fewer than 2 units."""
    # A cluster lies in the first sample only (of m units), in the second only (of n), or in both (`shared`). Were all
    # influences normal and of one variance within a sample, each of the three kinds of clusters would add twice its
    # squared share of the variance over its number of clusters to the variance of the estimated variance (Biometrics
    # Bull. 2 (1946) 110, doi:10.2307/3002019).
    first, second, covariance, m, n, shared = (
        np.asarray(x, dtype=np.float64) for x in (first, second, covariance, m, n, shared)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = (1.0 - shared / m) * first**2 / (m - 1.0) + (1.0 - shared / n) * second**2 / (n - 1.0)
        both = np.maximum(shared * (first / m + second / n) + covariance, 0.0)
        spread = spread + np.where(shared > 0.0, both**2 / np.maximum(shared - 1.0, 1.0), 0.0)
        total = np.maximum(first + second + covariance, 0.0)
        freedom = np.where(spread > 0.0, total**2 / spread, m + n - shared - 2.0)
        freedom = np.maximum(freedom, 1.0)
        return np.asarray(np.where((m > 1.0) & (n > 1.0), freedom, np.nan))
