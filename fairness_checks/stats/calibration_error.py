"""Expected calibration error by group, with a margin for its bias.

ECE = sum over 10 equal-width bins of the score of (n_b / n) |d_b|, d_b the mean of y - score in bin b [1]_. Its bins
are those of scikit-learn's `calibration_curve`: [0, 0.1], (0.1, 0.2], ..., (0.9, 1].

The absolute values make it too large: a calibrated group of 100 samples shows about 0.1, one of 10,000 samples 0.01.
So groups of different size differ without any difference in truth. If d_b is about normal with deviation s_b, the mean
of |d_b| exceeds the truth by an amount between 0 and s_b sqrt(2 / pi), which is reached in calibrated bins (the folded
normal [2]_) and falls with the true distance. Every test here takes the end of this range that speaks against what it
would show, the upper end at the smallest distance that the bin makes likely, |d_b| - 2 s_b. Samples that are too few
leave a check open.

Measured at the limit (four score distributions, six truths, eight pairs of sizes from 20/40 to 50/2,000 and
2,000/2,000; alpha 0.05): false failures in at most 0.047, wrong passes in at most 0.040. Without the margin: 0.39 and
0.78. With |d_b| - s_b, wrong passes reach 0.073.

References
----------
.. [1] Naeini MP, Cooper GF, Hauskrecht M. Obtaining well calibrated probabilities using Bayesian binning. AAAI 29
   (2015) 2901-2907. doi:10.1609/aaai.v29i1.9602
.. [2] Leone FC, Nelson LS, Nottingham RB. The folded normal distribution. Technometrics 3 (1961) 543-550.
   doi:10.1080/00401706.1961.10489974
"""

from __future__ import annotations

import numpy as np
from scipy import special

from fairness_checks.stats.calibration_bins import (
    CalibrationStatistics,
    bin_shares,
    calibration_by_cluster,
    calibration_by_group,
    calibration_values,
)
from fairness_checks.stats.estimates import Estimates, upper_tail
from fairness_checks.stats.inference import Inference
from fairness_checks.stats.worst_estimate import judge_worst
from fairness_checks.typing import Array

__all__ = [
    "CalibrationStatistics",
    "calibration_by_cluster",
    "calibration_by_group",
    "calibration_estimates",
    "calibration_excess",
    "calibration_values",
    "ece_outside",
    "ece_within",
    "judge_worst_ece",
]

_UNKNOWN = 0.25  # the variance of y at a probability of 1/2; counted as one more sample of each bin


def _bin_variances(statistics: CalibrationStatistics) -> Array:
    """Variances of the bins' means, never 0; shape (G, 10)."""
    n = np.maximum(statistics.bins.n, 1).astype(np.float64)
    return np.asarray((statistics.bins.m2 + _UNKNOWN) / n**2).reshape(statistics.samples.shape)


def calibration_excess(statistics: CalibrationStatistics) -> Array:
    """Return the amount by which the errors may be too high on average, shape (G,), 0 or more.

    The folded normal's excess in each bin, at a true distance of |d_b| - 2 s_b, or 0 if that is negative.

    Examples
    --------
    >>> labels, scores = np.array([True, False] * 50), np.full(100, 0.5)
    >>> calibration_excess(calibration_by_group(np.zeros(100, dtype=int), 1, labels, scores)).round(4).tolist()
    [0.0401]
    """
    share, distance = bin_shares(statistics)
    deviation = np.sqrt(_bin_variances(statistics))
    t = np.maximum(distance / deviation - 2.0, 0.0)
    folded = np.sqrt(2.0 / np.pi) * np.exp(-(t**2) / 2.0) - 2.0 * t * special.ndtr(-t)
    return np.asarray((share * deviation * folded).sum(axis=1))


def calibration_estimates(statistics: CalibrationStatistics) -> Estimates:
    """Return the errors with variances and degrees of freedom; biased upwards by up to `calibration_excess`.

    The variance is that within the bins, and that of the bins' shares. Its degrees of freedom are the group's
    samples, or effective clusters, less one.

    Examples
    --------
    >>> labels, scores = np.array([True, False] * 50), np.full(100, 0.7)
    >>> estimates = calibration_estimates(calibration_by_group(np.zeros(100, dtype=int), 1, labels, scores))
    >>> estimates.value.round(6).tolist(), estimates.variance.round(6).tolist(), estimates.freedom.tolist()
    ([0.2], [0.002551], [99.0])
    """
    share, distance = bin_shares(statistics)
    value, total = calibration_values(statistics), np.maximum(statistics.samples.sum(axis=1), 1)
    within = (share**2 * _bin_variances(statistics)).sum(axis=1)
    between = np.maximum((share * distance**2).sum(axis=1) - np.nan_to_num(value) ** 2, 0.0) / total
    found = statistics.clusters
    if found is None:
        freedom = np.maximum(total - 1.0, 1.0)
        return Estimates(value, (within + between) * (freedom + 1.0) / freedom, freedom)
    # The samples that were added to the bins belong to this variance too.
    added = (share**2 * _UNKNOWN / np.maximum(statistics.bins.n, 1).reshape(share.shape) ** 2).sum(axis=1)
    freedom = np.maximum(found.effective - 1.0, 1.0)
    less_one = (freedom + 1.0) / freedom
    variance = np.maximum(np.nan_to_num(found.variance) + added * less_one, within * less_one)
    return Estimates(value, variance, freedom, found.shared)


def _pair_tests(
    statistics: CalibrationStatistics, first: np.ndarray, second: np.ndarray
) -> tuple[Array, Array, Array, Array, Array]:
    """Return E1 - E2, its standard error and degrees of freedom, and what may be excess in E1 and in E2."""
    groups, excess = calibration_estimates(statistics), calibration_excess(statistics)
    one, other = groups.pairs(first, second)
    v1, v2 = one.variance, other.variance
    freedom = (v1 + v2) ** 2 / (v1**2 / one.freedom + v2**2 / other.freedom)
    return one.value - other.value, np.sqrt(v1 + v2), freedom, excess[first], excess[second]


def ece_outside(statistics: CalibrationStatistics, first: np.ndarray, second: np.ndarray, margin: float) -> Array:
    """p-values of H0 |difference| <= margin of pairs (first[b], second[b]), shape (B,); 1 where a group is empty.

    The higher error counts without all that may be excess, the lower one as it is.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> codes, scores = np.repeat([0, 1], 400), rng.random(800)
    >>> labels = rng.random(800) < np.where(codes == 1, scores, np.minimum(scores + 0.3, 1.0))
    >>> statistics = calibration_by_group(codes, 2, labels, scores)
    >>> bool(ece_outside(statistics, np.array([0]), np.array([1]), 0.05)[0] < 0.05)
    True
    """
    difference, error, freedom, excess1, excess2 = _pair_tests(statistics, first, second)
    near = np.maximum(difference - excess1, -difference - excess2) - margin
    far = near + 2.0 * margin + excess1 + excess2  # where it is the other group that has the higher error
    p = upper_tail(near / error, freedom) + upper_tail(far / error, freedom)
    return np.nan_to_num(np.minimum(p, 1.0), nan=1.0)


def ece_within(statistics: CalibrationStatistics, first: np.ndarray, second: np.ndarray, margin: float) -> Array:
    """p-values of H0 |difference| >= margin of pairs (first[b], second[b]), shape (B,); 1 where a group is empty.

    The higher error counts as it is, the lower one without all that may be excess; in both directions.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> codes, scores = np.repeat([0, 1], 400), rng.random(800)
    >>> statistics = calibration_by_group(codes, 2, rng.random(800) < scores, scores)
    >>> bool(ece_within(statistics, np.array([0]), np.array([1]), 0.15)[0] < 0.05)
    True
    """
    difference, error, freedom, excess1, excess2 = _pair_tests(statistics, first, second)
    above = upper_tail((margin - difference - excess2) / error, freedom)
    below = upper_tail((margin + difference - excess1) / error, freedom)
    return np.nan_to_num(np.maximum(above, below), nan=1.0)


def judge_worst_ece(statistics: CalibrationStatistics, limit: float, alpha: float) -> Inference:
    """Judge the largest calibration error of any group against a ceiling (``max_value``).

    A violation is shown without all that may be excess, Sidak over the groups; compliance with the error as it is,
    which can only be too high. The interval is the inversion of both.

    Parameters
    ----------
    statistics : CalibrationStatistics
        Of G >= 1 groups, none of them empty.
    limit : float
        Ceiling in [0, 1).
    alpha : float
        Significance level of each of the two tests; the interval has confidence 1 - 2 alpha.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> codes, scores = np.repeat([0, 1], 400), rng.random(800)
    >>> statistics = calibration_by_group(codes, 2, rng.random(800) < scores, scores)
    >>> judge_worst_ece(statistics, 0.15, 0.05).p_compliance < 0.05
    True
    """
    groups, excess = calibration_estimates(statistics), calibration_excess(statistics)
    if np.isnan(groups.value).any():
        raise ValueError("a group has no sample")
    proven = Estimates(groups.value - excess, groups.variance, groups.freedom)
    method = "calibration error less its excess, t"
    return judge_worst(groups.value, proven, groups, limit, alpha, ceiling=True, method=method)
