"""Whether a model's uncertainty warns of the group that it fails: two correlated areas with the group as the label.

A_x = P(x is higher in the first group) + P(tie) / 2, for x the error and the uncertainty of the same samples; the
mismatch is A_error - A_uncertainty, with DeLong's covariance of correlated areas (`fairness_checks.stats.ranking`).

References
----------
.. [3] Geifman Y, Uziel G, El-Yaniv R. Bias-reduced uncertainty estimation for deep neural classifiers. ICLR 2019.
   arXiv:1805.08206
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fairness_checks.stats.estimates import Estimates
from fairness_checks.stats.ranking import floats, run_ends, same_length, structural_components

__all__ = ["Mismatch", "mismatch", "mismatch_estimates", "risk_coverage_area"]


@dataclass(frozen=True, slots=True)
class Mismatch:
    """How far a model's uncertainty fails to warn of a group's errors.

    Parameters
    ----------
    error_auc, uncertainty_auc : float
        Probability that the error, and the uncertainty, of a sample of the first group exceeds that of a sample of the
        second group, ties counted half; in [0, 1].
    difference : float
        error_auc - uncertainty_auc, in [-1, 1]; positive when the first group's errors outrun its uncertainty.
    variance : float
        DeLong's variance of the difference; nan for fewer than 2 samples in a group.
    freedom : float
        Satterthwaite's degrees of freedom of the variance.
    first, second : int
        Samples of the two groups.
    """

    error_auc: float
    uncertainty_auc: float
    difference: float
    variance: float
    freedom: float
    first: int
    second: int


def mismatch(in_first: npt.NDArray[np.bool_], error: npt.ArrayLike, uncertainty: npt.ArrayLike) -> Mismatch:
    """Compare how the error and the uncertainty of the same samples separate two groups.

    A_x = P(x higher in the first group) + P(tie) / 2 for x = error and x = uncertainty; the variance of A_error -
    A_uncertainty is DeLong's for two correlated areas with group membership as the label [1]_.

    Parameters
    ----------
    in_first : ndarray of bool, shape (n,)
        True for the first group, False for the second.
    error, uncertainty : array_like of float, shape (n,)
        Of each sample; any units, only the ranks count.

    Returns
    -------
    Mismatch
        nan where a group is empty.

    Raises
    ------
    ValueError
        For arrays of different lengths or a value that is nan.

    Examples
    --------
    >>> result = mismatch(np.array([True, True, False, False]), [4.0, 3.0, 2.0, 1.0], [1.0, 2.0, 3.0, 0.0])
    >>> result.error_auc, result.uncertainty_auc, result.difference
    (1.0, 0.5, 0.5)
    """
    in_first = np.asarray(in_first, dtype=np.bool_)
    of_error = structural_components(in_first, error)
    of_uncertainty = structural_components(in_first, uncertainty)
    first = int(in_first.sum())
    second = len(in_first) - first
    if not first or not second:
        return Mismatch(np.nan, np.nan, np.nan, np.nan, np.nan, first, second)
    error_auc, uncertainty_auc = float(of_error[in_first].mean()), float(of_uncertainty[in_first].mean())
    difference = of_error - of_uncertainty
    variance = freedom = np.nan
    if first > 1 and second > 1:
        v1 = float(difference[in_first].var(ddof=1)) / first
        v2 = float(difference[~in_first].var(ddof=1)) / second
        variance = v1 + v2
        spread = v1**2 / (first - 1) + v2**2 / (second - 1)
        freedom = variance**2 / spread if spread > 0.0 else first + second - 2.0
    return Mismatch(error_auc, uncertainty_auc, error_auc - uncertainty_auc, variance, freedom, first, second)


def mismatch_estimates(result: Mismatch) -> Estimates:
    """Return the difference and an exact 0, shapes (2,), so that `estimates_outside` tests it at a margin.

    As in `auc_estimates`, one pseudo-sample of each group, here of both areas, is added to DeLong's variance.
    """
    m, n = result.first, result.second
    distance = (result.error_auc - 0.5) ** 2 + (result.uncertainty_auc - 0.5) ** 2
    added = distance * (1.0 / m**2 + 1.0 / n**2) if m and n else np.nan
    variance = max(result.variance + added, 0.25 / (m * n) ** 2) if m and n else np.nan
    return Estimates(np.array([result.difference, 0.0]), np.array([variance, 0.0]), np.array([result.freedom, np.inf]))


def risk_coverage_area(error: npt.ArrayLike, uncertainty: npt.ArrayLike) -> float:
    """Area under the risk-coverage curve [3]_: the mean error of the k most certain samples, averaged over k = 1 .. n.

    Samples of equal uncertainty share their mean error, the expectation over their orders. In the error's unit; lower
    is better, and the mean error itself when the uncertainty is constant; nan without samples.

    Examples
    --------
    >>> risk_coverage_area([0.0, 1.0], [0.1, 0.9]), risk_coverage_area([0.0, 1.0], [0.9, 0.1])
    (0.25, 0.75)
    """
    error, uncertainty = floats("error", error), floats("uncertainty", uncertainty)
    same_length(error=error, uncertainty=uncertainty)
    if not len(error):
        return float("nan")
    order = np.argsort(uncertainty)
    ends = run_ends(uncertainty[order])
    lengths = np.diff(ends, prepend=-1)
    shared = np.repeat(np.add.reduceat(error[order], ends + 1 - lengths) / lengths, lengths)
    return float(np.mean(np.cumsum(shared) / np.arange(1, len(error) + 1)))
