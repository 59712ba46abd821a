"""Means of skewed per-sample errors: moments in one pass, Welch's test widened on the side that skewness endangers.

Where errors are skewed to the right, a small group often misses its large errors; then its mean and its variance are
both too small, and Welch's t calls the mean low with too much confidence: wrong passes where that group is the worse
one, false failures where it is the better one. By Edgeworth's expansion the studentised mean's quantile moves by
g (2 z^2 + 1) / (6 sqrt(n)), g the skewness [1]_. A sample's skewness is biased towards zero, and correcting by it, as
Johnson [2]_ and Hall [3]_ do, leaves wrong passes at twice alpha. Here

- compliance: a group's standard error is widened by twice that term, only on the side where the mean may lie unseen,
  never narrowed; the two groups' sides are put together as in MOVER [4]_;
- violation: the standard error of the difference is widened by twice that term of the group that endangers it, times
  the group's share of the variance. Errors skewed alike in both groups partly cancel in the difference: the other
  group's term counts against it, times its share to the power 3/2, by Hall's expansion for two samples, and less where
  that group varies less. Never narrowed;
- a group's skewness is the larger of its own and that of all groups pooled about their means (for what counts
  against a widening, the smaller one);
- its variance is drawn towards the pooled one, if that is larger, by the weight |g| / sqrt(n) for compliance and
  g^2 / n for a violation; a constant group takes the pooled variance, and where all groups are constant nothing can be
  shown.

So the rates of false failures and wrong passes at the limit stay at alpha from 20 samples per group on, for errors of
one shape in all groups, shifted or with a scale up to twice as large where the mean is higher (measured: normal,
exponential, chi-square, Brier scores, lognormal). Where the *lower* mean belongs to errors spread twice as widely,
lognormal ones are failed wrongly in up to 7 % at 20 and 40 samples. Symmetric errors lose next to nothing. No method
can promise this for *any* error [5]_: an event of probability q which no group has shown is missed with probability
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
from fairness_checks.stats.moments import MeanStatistics, moments_by_cluster, moments_by_group
from fairness_checks.stats.proportions import Array

__all__ = [
    "MeanStatistics",
    "can_be_judged",
    "mean_estimates",
    "means_outside",
    "means_within",
    "moments_by_cluster",
    "moments_by_group",
    "pair_estimates",
    "unseen_variances",
]

_ROUNDING = 1e-14  # a standard deviation below this share of the mean is rounding of a constant
# Twice (2 z^2 + 1) / (6 z) at z = 1.645, the shift of the quantile per g / sqrt(n) as a share of the quantile.
_WIDENING = 1.3
_WIDENING_ALONE = 4.0  # per g^2 / n: found by simulation, see `worst_mean`


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


@dataclass(frozen=True, slots=True, eq=False)
class _Shape:
    """Variances and skewness of G groups, as far as their samples show them; shapes (G,).

    `high` and `low` are bounds of skewness / sqrt(n), from the group's own and that of all groups pooled.
    """

    n: Array
    judged: npt.NDArray[np.bool_]
    variances: Array
    pooled: float
    high: Array
    low: Array

    def raised(self, harm: Array, power: float) -> Array:
        """Return the variances, drawn towards the pooled one, if that is larger, by harm^power."""
        weight = np.where(self.variances > 0.0, np.minimum(harm, 1.0) ** power, 1.0)
        raised = self.variances + weight * np.maximum(self.pooled - self.variances, 0.0)
        return np.where(self.judged, raised, np.nan)


def _shape(statistics: MeanStatistics) -> _Shape:
    n = np.maximum(statistics.n, 1).astype(np.float64)
    judged, variances = can_be_judged(statistics), _variances(statistics)
    pooled = _pooled_variance(variances, n)
    # Scaled by the pooled deviation before any cube is taken, so that no unit of the errors can overflow.
    unit = np.sqrt(pooled) if pooled > 0.0 else 1.0
    m2, m3 = statistics.m2 / unit**2, statistics.m3 / unit**3
    varied = judged & (variances > 0.0)
    own = np.divide(m3 / n, (m2 / n) ** 1.5, out=np.zeros_like(n), where=varied)
    # Constant groups count here: their samples belong to the bulk that the others' large errors stand out from.
    total = n[judged].sum()
    shared = float(m3[judged].sum() / total / (m2[judged].sum() / total) ** 1.5) if varied.any() else 0.0
    root = np.sqrt(n)
    return _Shape(n, judged, variances, pooled, np.maximum(own, shared) / root, np.minimum(own, shared) / root)


def unseen_variances(statistics: MeanStatistics, *, alone: bool = False) -> tuple[Array, Array]:
    """Variances of the means for claims "it is not higher" and "it is not lower", shapes (G,); NaN if not judged.

    Parameters
    ----------
    statistics : MeanStatistics
        Of all groups.
    alone : bool
        Whether each mean is compared with a number. Between two means part of the skewness cancels; one alone is
        widened by 4 g^2 / n more.

    Examples
    --------
    >>> higher, lower = unseen_variances(moments_by_group(np.zeros(4, dtype=int), 1, np.array([0.0, 0.0, 0.0, 4.0])))
    >>> higher.round(3).tolist(), lower.tolist()
    ([3.064], [1.0])
    """
    shape = _shape(statistics)

    def unseen(harm: Array) -> Array:
        more = _WIDENING_ALONE * harm**2 if alone else 0.0
        return shape.raised(harm, 1.0) / shape.n * (1.0 + _WIDENING * harm + more) ** 2

    return unseen(np.maximum(shape.high, 0.0)), unseen(np.maximum(-shape.low, 0.0))


def _violation_variances(statistics: MeanStatistics, higher: np.ndarray, lower: np.ndarray) -> tuple[Array, Array]:
    """Variances of the means of pairs for the claim that the higher one is higher, shapes (B,) each."""
    shape = _shape(statistics)
    # How far each side is endangered: the higher mean may be lower, the lower one higher. Negative is safe.
    danger = np.stack([-shape.low[higher], shape.high[lower]])
    groups = np.stack([higher, lower])
    harm, credit = np.maximum(danger, 0.0), np.maximum(-danger, 0.0)
    spread = np.stack([shape.raised(np.maximum(-shape.low, 0.0), 2.0), shape.raised(np.maximum(shape.high, 0.0), 2.0)])
    spread = np.stack([spread[0][higher], spread[1][lower]])
    variance = spread / shape.n[groups]
    share = variance / variance.sum(axis=0)
    credit *= share**1.5 * np.minimum(1.0, spread / spread[::-1])
    shift = np.maximum((harm * share - credit).sum(axis=0), 0.0)
    widened = variance * (1.0 + _WIDENING * shift) ** 2
    return widened[0], widened[1]


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
    if within:
        above, below = unseen_variances(statistics)
        variances = above[higher], below[lower]
    else:
        variances = _violation_variances(statistics, higher, lower)
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
