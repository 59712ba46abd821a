"""Many gaps of one sweep against a limit: the largest decides, adjusted for having been chosen."""

# The gaps of different mixes and feature sets come from the same splits, and rise and fall together. A violation by
# any is adjusted by max-t with the least correlation that two of them have over the repeats, as if all pairs had that
# one: the more two normal statistics are correlated, the smaller their maximum (Slepian, Bell Syst. Tech. J. 41
# (1962) 463, doi:10.1002/j.1538-7305.1962.tb02419.x). One integral gives it, without random numbers. Correlations are
# taken in the directions that the gaps have: two gaps that are unlikely to be large at once leave Bonferroni's bound.
# Compliance needs every gap within the limit, each at the full level (an intersection-union test).

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from fairness_checks.stats.estimates import Estimates, both_tails, upper_tail
from fairness_checks.stats.inference import Inference, deciding
from fairness_checks.stats.repeats import repeat_estimates, undefined_gaps
from fairness_checks.stats.roots import root
from fairness_checks.typing import Array

__all__ = ["JudgedGaps", "Widening", "judge_gaps", "largest_p", "repeats_compliance", "repeats_violation"]

_CORRECTED = "Nadeau-Bengio corrected resampled t (2003)"
_TWO_PARTS = "resampled t, test and training rows apart (after Nadeau and Bengio 2003)"
_COMMON = np.linspace(-8.5, 8.5, 801)[:, None]  # the part that all statistics share, in standard deviations
_WEIGHT = np.exp(-0.5 * _COMMON[:, 0] ** 2) / np.exp(-0.5 * _COMMON[:, 0] ** 2).sum()
_MOST_CORRELATED = 0.998  # beyond it the grid is too coarse; less correlation is on the safe side


@dataclass(frozen=True, slots=True)
class JudgedGaps:
    """What the repeats say about the largest of K gaps."""

    inference: Inference  # of the absolute gap; `first` has the higher value
    shown: int  # position of the gap that decides
    left_out: int  # repeats in which that gap was undefined
    freedom: float  # of that gap's variance


@dataclass(frozen=True, slots=True, eq=False)
class Widening:
    """Factors, 1 or more, of the variances of K gaps, where a small group misses the large ones of skewed errors."""

    violation: Array  # (K,), of the claim that the gap is beyond the limit
    above: Array  # (K,), that the gap, first less second, is not above the limit
    below: Array  # (K,), that it is not below its negative


def repeats_violation(gaps: Estimates, margin: float) -> Array:
    """p-values of H0 |gap| <= margin, both directions counted, shape (K,)."""
    error, size = np.sqrt(gaps.variance), np.abs(gaps.value)
    near, far = (size - margin) / error, (size + margin) / error
    return both_tails(near, far, gaps.freedom, gaps.freedom)


def repeats_compliance(gaps: Estimates, margin: float) -> Array:
    """p-values of H0 |gap| >= margin, shape (K,)."""
    return upper_tail((margin - np.abs(gaps.value)) / np.sqrt(gaps.variance), gaps.freedom)


def largest_p(least: float, shift: Array, correlation: float) -> float:
    """Adjust the smallest of K p-values for having been chosen; Bonferroni's bound where there is no correlation."""
    # shift: (K,), distance of the two directions, 2 margin / standard error. Any two statistics are correlated by
    # `correlation`, or more.
    count = len(shift)
    bound = min(count * least, 1.0)
    if count == 1 or correlation <= 0.0 or least >= 0.5:
        return bound
    r = min(correlation, _MOST_CORRELATED)
    z = _two_tails(least, shift)
    spread = np.sqrt(1.0 - r)
    near = special.ndtr((np.sqrt(r) * _COMMON - z) / spread)
    far = special.ndtr((-z - shift - np.sqrt(r) * _COMMON) / spread)
    with np.errstate(divide="ignore"):  # the grid's ends, where some statistic is surely beyond
        none_beyond = np.log1p(-np.minimum(near + far, 1.0)).sum(axis=1)
    return min(max(float(_WEIGHT @ -np.expm1(none_beyond)), least), bound)


def _two_tails(p: float, shift: Array) -> Array:
    """Return the z with P(Z > z) + P(Z > z + shift) = p, by bisection."""
    low, high = np.full_like(shift, -special.ndtri(p)), np.full_like(shift, -special.ndtri(p / 2.0))
    for _ in range(32):  # to 1e-10
        middle = (low + high) / 2.0
        beyond = special.ndtr(-middle) + special.ndtr(-middle - shift) > p
        low, high = np.where(beyond, middle, low), np.where(beyond, high, middle)
    return high


def _least_correlation(gaps: np.ndarray, sign: Array) -> float:
    """Return the smallest correlation of two gaps over the repeats, in the directions that they have."""
    known = ~np.isnan(gaps)
    mean = np.where(known, gaps, 0.0).sum(axis=1) / known.sum(axis=1)
    centred = np.where(known, gaps - mean[:, None], 0.0) * sign[:, None]
    norm = np.sqrt((centred**2).sum(axis=1))
    if not norm.all():
        return 0.0
    return float(((centred @ centred.T) / np.outer(norm, norm)).min())


def judge_gaps(
    gaps: npt.ArrayLike,
    limit: float,
    alpha: float,
    *,
    n_train: npt.ArrayLike,
    n_test: npt.ArrayLike,
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    test_variance: npt.ArrayLike | None = None,
    trained_share: npt.ArrayLike | None = None,
    most_freedom: npt.ArrayLike = np.inf,
    widening: Widening | None = None,
    largest: float = 1.0,
) -> JudgedGaps:
    """Judge the largest of K gaps of a sweep against a limit; ValueError where some gap cannot be judged."""
    # gaps: (K, J), the first group's value minus the second's, nan where undefined; first, second: (K,). A gap that
    # is left out could be the one that violates. The others are those of `repeats.repeat_estimates`; no gap exceeds
    # `largest`.
    gaps = np.atleast_2d(np.asarray(gaps, dtype=np.float64))
    if undefined_gaps(gaps).any():
        raise ValueError(f"gaps {np.flatnonzero(undefined_gaps(gaps)).tolist()} are undefined in too many repeats")
    found = repeat_estimates(gaps, n_train, n_test, test_variance, trained_share, most_freedom)
    if not np.all(found.variance > 0.0):
        raise ValueError(f"gaps {np.flatnonzero(~(found.variance > 0.0)).tolist()} are the same in all repeats")
    wide = Widening(*np.ones((3, len(gaps)))) if widening is None else widening
    proven = Estimates(found.value, found.variance * wide.violation, found.freedom)
    error, size, count = np.sqrt(proven.variance), np.abs(found.value), len(gaps)
    correlation = _least_correlation(gaps, np.where(found.value < 0.0, -1.0, 1.0)) if count > 1 else 0.0

    def p_violation(margin: float) -> float:
        least = float(repeats_violation(proven, margin).min())
        return largest_p(least, 2.0 * margin / error, correlation)

    violation, p = repeats_violation(proven, limit), p_violation(limit)
    level = _level(alpha, 2.0 * limit / error, correlation)
    shown = deciding(size, violation, violation < level, violated=p < alpha)
    pair = (int(np.asarray(first)[shown]), int(np.asarray(second)[shown]))
    higher, lower = pair if found.value[shown] >= 0.0 else pair[::-1]
    # Compliance is two claims: the gap is not above the limit, and not below its negative.
    claims = [
        (sign * found.value, np.sqrt(found.variance * factor)) for sign, factor in ((1, wide.above), (-1, wide.below))
    ]
    compliance = [upper_tail((limit - value) / spread, found.freedom).max() for value, spread in claims]
    high = max(float(np.max(v - spread * special.stdtrit(found.freedom, alpha))) for v, spread in claims)
    corrected = _CORRECTED if test_variance is None else _TWO_PARTS
    return JudgedGaps(
        inference=Inference(
            estimate=float(size[shown]),
            low=_crossing(lambda margin: p_violation(margin) - alpha, float(size.max())),
            high=min(high, largest),
            p_violation=p,
            p_compliance=float(max(compliance)),
            first=higher,
            second=lower,
            comparisons=count,
            level=level,
            method=corrected if count == 1 else f"{corrected}, max-t over {count} gaps",
            standard_error=float(np.sqrt(found.variance[shown])),
        ),
        shown=shown,
        left_out=int(np.isnan(gaps[shown]).sum()),
        freedom=float(found.freedom[shown]),
    )


def _crossing(rises: Callable[[float], float], high: float) -> float:
    """Return where a function of the margin turns positive in [0, high]; 0 if it is so throughout."""
    return 0.0 if rises(0.0) >= 0.0 else root(rises, 0.0, high, xtol=1e-7)


def _level(alpha: float, shift: Array, correlation: float) -> float:
    """Return the p-value of one gap that is adjusted to alpha."""
    if largest_p(alpha, shift, correlation) <= alpha:
        return alpha
    start = alpha / len(shift)
    if largest_p(start, shift, correlation) >= alpha:
        return start
    return root(lambda p: largest_p(p, shift, correlation) - alpha, start, alpha, xtol=1e-9)
