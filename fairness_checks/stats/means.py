"""Means of skewed per-sample errors: moments in one pass, Welch's test widened on the side that skewness endangers.

Where errors are skewed to the right, a small group often misses its large errors; then its mean and its variance are
both too small, and Welch's t calls the mean low with too much confidence: wrong passes where that group is the worse
one, false failures where it is the better one. By Edgeworth's expansion the studentised mean's quantile moves by
g (2 z^2 + 1) / (6 sqrt(n)), g the skewness [1]_. A sample's skewness is biased towards zero, and correcting by it, as
Johnson [2]_ and Hall [3]_ do, leaves wrong passes at twice alpha. Here

- a group's standard error is widened by twice that term, only on the side where the mean may lie unseen, never
  narrowed; the two groups' sides are put together as in MOVER [4]_;
- its skewness is the larger of its own and that of all groups pooled about their means;
- its variance is drawn towards the pooled one, if that is larger, by the weight |g| / sqrt(n); a constant group takes
  the pooled variance, and where all groups are constant nothing can be shown.

So the rates of false failures and wrong passes at the limit stay at alpha from 20 samples per group on, for errors of
one shape in all groups whose scale differs by up to a factor of 2 (measured: normal, exponential, chi-square,
zero-inflated, Brier scores, lognormal with sigma up to 1.5). Symmetric errors lose next to nothing. No method can
promise this for *any* error [5]_: an event of probability q which no group has shown is missed with probability
(1 - q)^n, so groups whose errors differ in shape need sizes beyond 3 / q.

References
----------
.. [1] Hall P. Edgeworth expansion for Student's t statistic under minimal moment conditions. Ann. Probab. 15 (1987)
   920-931. doi:10.1214/aop/1176992073
.. [2] Johnson NJ. Modified t tests and confidence intervals for asymmetrical populations. JASA 73 (1978) 536-544.
   doi:10.1080/01621459.1978.10480051
.. [3] Hall P. On the removal of skewness by transformation. J. R. Stat. Soc. B 54 (1992) 221-228.
   doi:10.1111/j.2517-6161.1992.tb01876.x
.. [4] Zou GY, Donner A. Construction of confidence limits about effect measures: a general approach. Stat. Med. 27
   (2008) 1693-1702. doi:10.1002/sim.3095
.. [5] Bahadur RR, Savage LJ. The nonexistence of certain statistical procedures in nonparametric problems. Ann. Math.
   Stat. 27 (1956) 1115-1122. doi:10.1214/aoms/1177728077
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fairness_checks.stats.estimates import Estimates, estimates_outside, estimates_within
from fairness_checks.stats.proportions import Array

__all__ = [
    "MeanStatistics",
    "can_be_judged",
    "mean_estimates",
    "means_outside",
    "means_within",
    "moments_by_group",
    "pair_estimates",
]

_CHUNK_ROWS = 65_536  # a few temporary arrays of half a megabyte each
_ROUNDING = 1e-14  # a standard deviation below this share of the mean is rounding of a constant
# Twice (2 z^2 + 1) / (6 z) at z = 1.645, the shift of the quantile per g / sqrt(n) as a share of the quantile.
_WIDENING = 1.3


@dataclass(frozen=True, slots=True, eq=False)
class MeanStatistics:
    """Sizes, means and central moments of G groups; statistics of disjoint rows are merged by ``+``.

    Parameters
    ----------
    n : ndarray of int64, shape (G,)
        Samples.
    mean : ndarray of float64, shape (G,)
        Means in the values' unit; NaN where a group is empty.
    m2, m3 : ndarray of float64, shape (G,)
        Sums of the squared and of the cubed deviations from the group's mean; 0 where a group is empty.
    """

    n: npt.NDArray[np.int64]
    mean: Array
    m2: Array
    m3: Array

    def __add__(self, other: MeanStatistics) -> MeanStatistics:
        """Merge the same groups' statistics over other rows by the parallel update formulas [1]_, [2]_.

        References
        ----------
        .. [1] Chan TF, Golub GH, LeVeque RJ. Algorithms for computing the sample variance. Am. Stat. 37 (1983)
           242-247. doi:10.1080/00031305.1983.10483115
        .. [2] Pebay P. Formulas for robust, one-pass parallel computation of covariances and arbitrary-order
           statistical moments. Sandia report SAND2008-6212 (2008). doi:10.2172/1028931
        """
        if self.n.shape != other.n.shape:
            raise ValueError(f"cannot merge statistics of {self.n.size} groups with those of {other.n.size}")
        n = self.n + other.n
        mean1 = np.where(self.n > 0, self.mean, other.mean)
        delta = np.where((self.n > 0) & (other.n > 0), other.mean - mean1, 0.0)
        n1, n2, total = self.n.astype(np.float64), other.n.astype(np.float64), np.maximum(n, 1).astype(np.float64)
        m2 = self.m2 + other.m2 + delta**2 * (n1 * n2 / total)
        m3 = self.m3 + other.m3 + delta**3 * (n1 * n2 / total) * ((n1 - n2) / total)
        m3 += 3.0 * delta * (n1 * other.m2 - n2 * self.m2) / total
        return MeanStatistics(n, mean1 + delta * (n2 / total), m2, m3)


def _chunk_moments(codes: npt.NDArray[np.integer], groups: int, values: Array) -> MeanStatistics:
    n = np.bincount(codes, minlength=groups)
    if n.size > groups:
        raise ValueError(f"codes must be below the number of groups, {groups}; found {n.size - 1}")
    count = np.maximum(n, 1)
    mean = np.bincount(codes, weights=values, minlength=groups) / count
    deviation = values - mean[codes]
    # The rounding error of the means is found from the deviations' sum and removed.
    shift = np.bincount(codes, weights=deviation, minlength=groups) / count
    power = deviation * deviation
    m2 = np.bincount(codes, weights=power, minlength=groups) - n * shift**2
    power *= deviation
    m3 = np.bincount(codes, weights=power, minlength=groups) - 3.0 * shift * m2 - n * shift**3
    if not np.isfinite(m3).all():
        raise ValueError("values must be finite, and their third powers too; found NaN, infinite or above 1e100")
    return MeanStatistics(n.astype(np.int64), np.where(n > 0, mean + shift, np.nan), np.maximum(m2, 0.0), m3)


def moments_by_group(codes: npt.NDArray[np.integer], groups: int, values: npt.NDArray[np.generic]) -> MeanStatistics:
    """Count the samples of each group and sum the powers of their deviations from the group's mean.

    Parameters
    ----------
    codes : ndarray of int, shape (N,)
        Group of each row, below `groups`; rows with a negative code are left out.
    groups : int
        Number of groups G; a group without rows has n = 0 and mean NaN.
    values : ndarray of float or bool, shape (N,)
        One value per row, e.g. its squared error; finite where the code is not negative, else `ValueError`.

    Examples
    --------
    >>> statistics = moments_by_group(np.array([0, 1, 0, -1, 1]), 2, np.array([1.0, 5.0, 3.0, 9.0, 5.0]))
    >>> statistics.n.tolist(), statistics.mean.tolist(), statistics.m2.tolist()
    ([2, 2], [2.0, 5.0], [2.0, 0.0])
    """
    if codes.shape != values.shape or codes.ndim != 1:
        raise ValueError(f"codes and values must be of one length; found shapes {codes.shape} and {values.shape}")
    zero = np.zeros(groups)
    result = MeanStatistics(np.zeros(groups, dtype=np.int64), np.full(groups, np.nan), zero, zero)
    for start in range(0, len(codes), _CHUNK_ROWS):
        some, chunk = codes[start : start + _CHUNK_ROWS], values[start : start + _CHUNK_ROWS]
        kept = some >= 0
        if not kept.all():
            some, chunk = some[kept], chunk[kept]
        result = result + _chunk_moments(some, groups, chunk.astype(np.float64))
    return result


def _variances(statistics: MeanStatistics) -> Array:
    """Return the samples' unbiased variances, shape (G,); exactly 0 for constants, NaN below two samples."""
    n = statistics.n.astype(np.float64)
    constant = statistics.m2 <= n * (_ROUNDING * statistics.mean) ** 2
    return np.where(n >= 2, np.where(constant, 0.0, statistics.m2) / np.maximum(n - 1.0, 1.0), np.nan)


def _pooled_variance(variances: Array, n: Array) -> float:
    known = ~np.isnan(variances)
    return float((variances[known] * (n[known] - 1.0)).sum() / max((n[known] - 1.0).sum(), 1.0))


def can_be_judged(statistics: MeanStatistics) -> npt.NDArray[np.bool_]:
    """Say of which groups anything can be shown: two samples or more, and not every group constant; shape (G,).

    Examples
    --------
    >>> can_be_judged(moments_by_group(np.array([0, 0, 1, 1, 2]), 3, np.array([0.0, 0.0, 0.1, 0.4, 0.2]))).tolist()
    [True, True, False]
    """
    variances, n = _variances(statistics), statistics.n.astype(np.float64)
    return np.asarray(~np.isnan(variances) & (_pooled_variance(variances, n) > 0.0))


def mean_estimates(statistics: MeanStatistics) -> Estimates:
    """Return the means with their usual variances, s^2 / n, and n - 1 degrees of freedom, shapes (G,).

    They are for reports and planning. A verdict at a margin comes from `means_outside` and `means_within`.

    Examples
    --------
    >>> estimates = mean_estimates(moments_by_group(np.zeros(3, dtype=int), 1, np.array([1.0, 2.0, 3.0])))
    >>> estimates.value.tolist(), estimates.freedom.tolist()
    ([2.0], [2.0])
    """
    n = statistics.n.astype(np.float64)
    return Estimates(statistics.mean, _variances(statistics) / np.maximum(n, 1.0), n - 1.0)


def _unseen_variances(statistics: MeanStatistics) -> tuple[Array, Array]:
    """Variances of the means for claims "it is not higher" and "it is not lower", shapes (G,); NaN if not judged."""
    n = np.maximum(statistics.n, 1).astype(np.float64)
    judged, variances = can_be_judged(statistics), _variances(statistics)
    pooled = _pooled_variance(variances, n)
    # Scaled by the pooled deviation before any cube is taken, so that no unit of the errors can overflow.
    unit = np.sqrt(pooled) if pooled > 0.0 else 1.0
    m2, m3 = statistics.m2 / unit**2, statistics.m3 / unit**3
    varied = judged & (variances > 0.0)
    skewness = np.divide(m3 / n, (m2 / n) ** 1.5, out=np.zeros_like(n), where=varied)
    # Constant groups count here: their samples belong to the bulk that the others' large errors stand out from.
    total = n[judged].sum()
    shared = float(m3[judged].sum() / total / (m2[judged].sum() / total) ** 1.5) if varied.any() else 0.0

    def unseen(sign: float) -> Array:
        harm = np.maximum(np.maximum(sign * skewness, sign * shared), 0.0) / np.sqrt(n)
        weight = np.where(variances > 0.0, np.minimum(harm, 1.0), 1.0)
        variance = variances + weight * np.maximum(pooled - variances, 0.0)
        return np.where(judged, variance / n * (1.0 + _WIDENING * harm) ** 2, np.nan)

    return unseen(1.0), unseen(-1.0)


def pair_estimates(statistics: MeanStatistics, first: np.ndarray, second: np.ndarray, *, within: bool) -> Estimates:
    """Return the estimates that decide about the pairs (first[b], second[b]): B higher groups, then B lower ones.

    Parameters
    ----------
    statistics : MeanStatistics
        Of all groups.
    first, second : ndarray of int, shape (B,)
        Pairs of groups; the order within a pair does not matter.
    within : bool
        True for showing compliance, where the higher mean may be higher yet and the lower one lower; False for showing
        a violation, the other way round.

    Returns
    -------
    Estimates
        Shapes (2 B,); variances are NaN where `can_be_judged` says no. Pair b compares rows b and B + b, e.g. by
        ``estimates_within(estimates, np.arange(B), B + np.arange(B), margin)``.

    Examples
    --------
    >>> statistics = moments_by_group(np.array([0, 0, 0, 1, 1, 1]), 2, np.array([0.0, 0.0, 1.0, 1.0, 2.0, 3.0]))
    >>> pair_estimates(statistics, np.array([0]), np.array([1]), within=True).value.round(3).tolist()
    [2.0, 0.333]
    """
    swap = statistics.mean[second] > statistics.mean[first]
    higher, lower = np.where(swap, second, first), np.where(swap, first, second)
    above, below = _unseen_variances(statistics)
    variances = (above[higher], below[lower]) if within else (below[higher], above[lower])
    rows = np.concatenate([higher, lower])
    return Estimates(statistics.mean[rows], np.concatenate(variances), statistics.n[rows] - 1.0)


def means_outside(statistics: MeanStatistics, first: np.ndarray, second: np.ndarray, margin: float) -> Array:
    """p-values of H0 |difference| <= margin of pairs (first[b], second[b]), shape (B,); 1 where not judged.

    Examples
    --------
    >>> statistics = moments_by_group(np.repeat([0, 1], 4), 2, np.array([1.0, 2.0, 3.0, 4.0, 6.0, 7.0, 8.0, 9.0]))
    >>> means_outside(statistics, np.array([0]), np.array([1]), 1.0).round(4).tolist()
    [0.0026]
    """
    estimates, index = pair_estimates(statistics, first, second, within=False), np.arange(len(first))
    return np.nan_to_num(estimates_outside(estimates, index, index + len(first), margin), nan=1.0)


def means_within(statistics: MeanStatistics, first: np.ndarray, second: np.ndarray, margin: float) -> Array:
    """p-values of H0 |difference| >= margin of pairs (first[b], second[b]), shape (B,); 1 where not judged.

    Examples
    --------
    >>> statistics = moments_by_group(np.repeat([0, 1], 4), 2, np.array([1.0, 2.0, 3.0, 4.0, 6.0, 7.0, 8.0, 9.0]))
    >>> means_within(statistics, np.array([0]), np.array([1]), 8.0).round(4).tolist()
    [0.0083]
    """
    estimates, index = pair_estimates(statistics, first, second, within=True), np.arange(len(first))
    return np.nan_to_num(estimates_within(estimates, index, index + len(first), margin), nan=1.0)
