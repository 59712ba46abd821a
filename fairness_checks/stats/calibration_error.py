"""Expected calibration error by group, judged with a margin for its bias, which is larger in smaller groups."""

# ECE = sum over 10 equal-width bins of the score of (n_b / n) |d_b|, d_b the mean of y - score in bin b (Naeini et
# al., AAAI 29 (2015) 2901, doi:10.1609/aaai.v29i1.9602), in the bins of scikit-learn's `calibration_curve`.
# The absolute values make it too large. If d_b is about normal with deviation s_b, the mean of |d_b| exceeds the
# truth by 0 to s_b sqrt(2 / pi), reached in calibrated bins (folded normal: Leone et al., Technometrics 3 (1961) 543,
# doi:10.1080/00401706.1961.10489974). Every test takes the end of this range that speaks against its claim, the upper
# one at the smallest distance that is likely, |d_b| - 2 s_b.
# Compliance takes the variances that labels would have if the groups differed by the limit (Miettinen and Nurminen,
# Stat. Med. 4 (1985) 213, doi:10.1002/sim.4780040211): a group that shows too few rare events by luck has a small
# error and a small variance, too. How often all this is wrong: docs/statistics.md.

from __future__ import annotations

import dataclasses

import numpy as np
from scipy import special

from fairness_checks.stats.calibration_bins import (
    BINS,
    CalibrationStatistics,
    bin_shares,
    calibration_by_cluster,
    calibration_by_group,
    calibration_values,
)
from fairness_checks.stats.estimates import Estimates, both_tails, normal_tail, undecided, upper_quantile, upper_tail
from fairness_checks.stats.inference import Inference
from fairness_checks.stats.worst_estimate import judge_worst
from fairness_checks.typing import Array

__all__ = [
    "CalibrationStatistics",
    "calibration_by_cluster",
    "calibration_by_group",
    "calibration_estimates",
    "calibration_excess",
    "calibration_intervals",
    "calibration_values",
    "ece_compliance",
    "ece_ends",
    "ece_violation",
    "judge_worst_ece",
    "variance_above",
]

_UNKNOWN = 0.25  # the variance of y at a probability of 1/2; counted as one more sample of each bin
_STEPS = 2  # from variances to errors at the limit and back
_HALVINGS = 40  # of the bracket of an interval's end


def _bin_variances(statistics: CalibrationStatistics) -> Array:
    """Variances of the bins' means, never 0; shape (G, 10)."""
    n = np.maximum(statistics.bins.n, 1).astype(np.float64)
    return np.asarray((statistics.bins.m2 + _UNKNOWN) / n**2).reshape(statistics.samples.shape)


def calibration_intervals(statistics: CalibrationStatistics, confidence: float) -> tuple[Array, Array, Array]:
    """Return the mean of y - score in each bin, nan in an empty one, and its score interval; shapes (G, 10)."""
    # As Wilson's (J. Am. Stat. Assoc. 22 (1927) 209, doi:10.1080/01621459.1927.10502953): of a true mean d the rate
    # lies between d + the bin's ends, and y - score has at most the variance of the rate among these that is nearest
    # to 1/2, and that of scores within a bin. A variance seen is too small where no event was.
    shape, low = statistics.samples.shape, np.arange(BINS) / BINS
    n = np.maximum(statistics.bins.n, 1).astype(np.float64).reshape(shape)
    mean = np.where(statistics.samples > 0, statistics.bins.mean.reshape(shape), np.nan)
    z = -float(special.ndtri((1.0 - confidence) / 2.0))

    def end(far: Array) -> Array:
        near = mean
        for _ in range(_HALVINGS):
            middle = (near + far) / 2.0
            rate = np.clip(np.clip(0.5, low + middle, low + middle + 1.0 / BINS), 0.0, 1.0)
            inside = (mean - middle) ** 2 <= z**2 * (rate * (1.0 - rate) + 0.25 / BINS**2) / n
            near, far = np.where(inside, middle, near), np.where(inside, far, middle)
        return np.asarray(far)

    return mean, end(np.where(np.isnan(mean), np.nan, -1.0)), end(np.where(np.isnan(mean), np.nan, 1.0))


def _growth(statistics: CalibrationStatistics, groups: np.ndarray, by: Array) -> Array:
    """Return by which factor the variances of some errors grow where rates are higher by so much, shape (B,); >= 1."""
    # A variance within a bin of v = p (1 - p) becomes 1/4 - (1/2 - p - by)^2, and 1/4 once that rate is 1/2.
    n = np.maximum(statistics.bins.n, 1).astype(np.float64).reshape(statistics.samples.shape)[groups]
    seen = statistics.bins.m2.reshape(statistics.samples.shape)[groups] / n
    below_half = np.sqrt(np.maximum(_UNKNOWN - seen, 0.0))
    moved = _UNKNOWN - np.maximum(below_half - by[:, None], 0.0) ** 2
    share = bin_shares(statistics)[0][groups] ** 2
    now, then = ((share * (v + _UNKNOWN / n) / n).sum(axis=1) for v in (seen, np.maximum(moved, seen)))
    return np.asarray(np.divide(then, now, out=np.ones_like(now), where=now > 0.0))


def calibration_excess(statistics: CalibrationStatistics) -> Array:
    """Return the amount by which the errors may be too high on average, shape (G,), 0 or more."""
    # The folded normal's excess in each bin, at a true distance of |d_b| - 2 s_b, or 0 if that is negative.
    share, distance = bin_shares(statistics)
    deviation = np.sqrt(_bin_variances(statistics))
    t = np.maximum(distance / deviation - 2.0, 0.0)
    folded = np.sqrt(2.0 / np.pi) * np.exp(-(t**2) / 2.0) - 2.0 * t * special.ndtr(-t)
    return np.asarray((share * deviation * folded).sum(axis=1))


def calibration_estimates(statistics: CalibrationStatistics) -> Estimates:
    """Return the errors with variances and degrees of freedom; biased upwards by up to `calibration_excess`."""
    # Variance within the bins, and of the bins' shares; as many degrees of freedom as samples or effective clusters,
    # - 1.
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


def ece_violation(
    statistics: CalibrationStatistics, first: np.ndarray, second: np.ndarray, margin: float, level: float | None = None
) -> Array:
    """p-values of H0 |difference| <= margin of pairs (first[b], second[b]), shape (B,); 1 where a group is empty."""
    # The higher error counts without all that may be excess, the lower one as it is.
    difference, error, freedom, excess1, excess2 = _pair_tests(statistics, first, second)
    near = np.maximum(difference - excess1, -difference - excess2) - margin
    far = near + 2.0 * margin + excess1 + excess2  # where it is the other group that has the higher error
    return np.nan_to_num(both_tails(near / error, far / error, freedom, freedom, level), nan=1.0)


def ece_compliance(
    statistics: CalibrationStatistics, first: np.ndarray, second: np.ndarray, margin: float, level: float | None = None
) -> Array:
    """p-values of H0 |difference| >= margin of pairs (first[b], second[b]), shape (B,); 1 where a group is empty."""
    # The higher error counts as it is, the lower one without all that may be excess; in both directions, with the
    # variances that labels would have at the margin.
    groups, excess = calibration_estimates(statistics), calibration_excess(statistics)
    one, other = groups.pairs(first, second)
    difference = one.value - other.value
    gaps = np.array([margin - difference - excess[second], margin + difference - excess[first]])

    def exact(some: np.ndarray) -> Array:
        sides = tuple(Estimates(side.value[some], side.variance[some], side.freedom[some]) for side in (one, other))
        return _one_sided(statistics, first[some], second[some], sides, gaps[:, some])

    if level is None or np.isnan(gaps).any():
        return exact(np.arange(len(first)))
    # Variances only grow: by nothing at least, and at most by what the largest gap makes of a group's.
    nearest = gaps.min(axis=0)
    growth = _growth(statistics, np.arange(len(excess)), np.full(len(excess), max(float(gaps.max()), 0.0)))
    most = nearest / np.sqrt(one.variance + other.variance)
    p = normal_tail(most)
    grown = np.where(nearest > 0.0, growth[first], 1.0), np.where(nearest > 0.0, growth[second], 1.0)
    t = nearest / np.sqrt(one.variance * grown[0] + other.variance * grown[1])
    fewest = float(np.minimum(one.freedom, other.freedom).min())
    some = undecided(p, t, fewest, float(exact(np.array([most.argmin()]))[0]), level)
    p[some] = exact(np.flatnonzero(some))
    return p


def _one_sided(
    statistics: CalibrationStatistics,
    first: np.ndarray,
    second: np.ndarray,
    sides: tuple[Estimates, ...],
    gaps: Array,
) -> Array:
    """Return the larger p-value of two one-sided tests, with variances of the errors at the margin; shape (B,)."""
    one, other = sides
    p = np.zeros(len(first))
    for gap in gaps:
        v1, v2, beyond = one.variance, other.variance, np.maximum(gap, 0.0)
        for _ in range(_STEPS):
            with np.errstate(invalid="ignore"):
                share = v1 / (v1 + v2)
            v1 = one.variance * _growth(statistics, first, beyond * share)
            v2 = other.variance * _growth(statistics, second, beyond * (1.0 - share))
        freedom = (v1 + v2) ** 2 / (v1**2 / one.freedom + v2**2 / other.freedom)
        p = np.fmax(p, np.nan_to_num(upper_tail(gap / np.sqrt(v1 + v2), freedom), nan=1.0))
    return p


def judge_worst_ece(statistics: CalibrationStatistics, limit: float, alpha: float) -> Inference:
    """Judge the largest calibration error of any group against a ceiling in [0, 1); no group may be empty."""
    # A violation is shown without all that may be excess, Sidak over the groups; compliance with the error as it is,
    # which can only be too high, and the variance that it would have at the ceiling. The interval inverts both.
    groups, excess = calibration_estimates(statistics), calibration_excess(statistics)
    if np.isnan(groups.value).any():
        raise ValueError("a group has no sample")
    proven = Estimates(groups.value - excess, groups.variance, groups.freedom)
    possible = Estimates(groups.value, variance_above(statistics, groups, limit - groups.value), groups.freedom)
    method = "calibration error less its excess, t"
    found = judge_worst(groups.value, proven, possible, limit, alpha, ceiling=True, method=method)
    high = float(np.max(groups.value + _reach(statistics, groups, alpha)))
    # What is inconclusive lies in the interval, to the last digit.
    return dataclasses.replace(found, high=max(high, limit) if found.p_compliance >= alpha else high)


def ece_ends(statistics: CalibrationStatistics, alpha: float) -> tuple[Array, Array]:
    """Return intervals of the groups' errors, shapes (G,), each that of `judge_worst_ece` of the group alone."""
    groups = calibration_estimates(statistics)
    proven = upper_quantile(alpha, groups.freedom) * np.sqrt(groups.variance)
    low = groups.value - calibration_excess(statistics) - proven
    return np.asarray(low), np.asarray(groups.value + _reach(statistics, groups, alpha))


def variance_above(statistics: CalibrationStatistics, groups: Estimates, by: Array) -> Array:
    """Return the variances that the errors would have if they were larger by so much, shape (G,)."""
    return groups.variance * _growth(statistics, np.arange(len(groups.value)), np.maximum(by, 0.0))


def _reach(statistics: CalibrationStatistics, groups: Estimates, alpha: float) -> Array:
    """Return by how much errors may be larger at a level: reach = t times its own standard error, shape (G,)."""
    t = upper_quantile(alpha, groups.freedom)
    near, far = np.zeros(len(t)), t * np.sqrt(variance_above(statistics, groups, np.ones(len(t))))
    for _ in range(_HALVINGS):
        middle = (near + far) / 2.0
        enough = middle > t * np.sqrt(variance_above(statistics, groups, middle))
        near, far = np.where(enough, near, middle), np.where(enough, middle, far)
    return far
