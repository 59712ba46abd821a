"""The largest difference, or the smallest ratio, among the rates of two or more groups.

A limit is turned into a *tolerance* t in [0, 1): a difference of at most t, or a ratio of at least 1 - t; each pair of
groups is tested against the margins of that tolerance. Violation: some pair lies outside its margins, simultaneous
over the pairs by max-t. Compliance: every pair lies within, an intersection-union test at the full level.
The interval holds the tolerances that neither test rejects, so verdict and interval cannot disagree.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np
from scipy import special

from fairness_checks.stats.exact import Pairs, exact_outside, exact_within, is_small
from fairness_checks.stats.inference import Inference
from fairness_checks.stats.proportions import Array, Contrast, score_statistic
from fairness_checks.stats.simultaneous import Family, probit

__all__ = ["judge_disparity"]

_TOLERANCE_STEP = 2e-5  # an interval's end is found to this precision, a tenth of what reports show
_LARGEST_TOLERANCE = 1.0 - 1e-9

EXACT = "exact unconditional score test (Chan 1998; Berger and Boos 1994)"
ASYMPTOTIC = "score test (Miettinen and Nurminen 1985)"


def margins(tolerance: float, contrast: Contrast) -> tuple[float, float]:
    """Return the interval of contrasts that a tolerance allows."""
    if contrast == "difference":
        return -tolerance, tolerance
    ratio = 1.0 - min(tolerance, _LARGEST_TOLERANCE)
    return ratio, 1.0 / ratio


def _asymptotic_outside(pairs: Pairs, low: float, high: float, contrast: Contrast) -> Array:
    """Both directions count: at a margin of zero this is the two-sided test."""
    above = score_statistic(pairs.x1, pairs.n1, pairs.x2, pairs.n2, high, contrast)
    below = score_statistic(pairs.x1, pairs.n1, pairs.x2, pairs.n2, low, contrast)
    first = special.ndtr(-above) + special.ndtr(-below)
    second = special.ndtr(below) + special.ndtr(above)
    return np.minimum(np.minimum(first, second), 1.0)


def _asymptotic_within(pairs: Pairs, low: float, high: float, contrast: Contrast) -> Array:
    above = score_statistic(pairs.x1, pairs.n1, pairs.x2, pairs.n2, high, contrast)
    below = score_statistic(pairs.x1, pairs.n1, pairs.x2, pairs.n2, low, contrast)
    return np.asarray(np.maximum(special.ndtr(above), special.ndtr(-below)))


PairTest = Callable[[Pairs, float, float, Contrast], Array]


def _either(exact: PairTest, asymptotic: PairTest, pairs: Pairs, tolerance: float, contrast: Contrast) -> Array:
    """p-values of all pairs at one tolerance, exact where the table is small enough."""
    low, high = margins(tolerance, contrast)
    small = is_small(pairs)
    p = np.ones(len(pairs))
    if small.any():
        p[small] = exact(pairs.take(small), low, high, contrast)
    if not small.all():
        p[~small] = asymptotic(pairs.take(~small), low, high, contrast)
    return p


def p_outside(pairs: Pairs, tolerance: float, contrast: Contrast) -> Array:
    """p-values of H0 "the pair keeps the tolerance"."""
    return _either(exact_outside, _asymptotic_outside, pairs, tolerance, contrast)


def p_within(pairs: Pairs, tolerance: float, contrast: Contrast) -> Array:
    """p-values of H0 "the pair meets or exceeds the tolerance"."""
    return _either(exact_within, _asymptotic_within, pairs, tolerance, contrast)


def _crossing(holds: Callable[[float], float], low: float, high: float) -> float:
    """Find the largest t of [low, high] where ``holds(t) > 0``, given that it is at low and is not at high.

    Regula falsi with the Illinois weights, kept inside the bracket: the function has small jumps.
    """
    at_low, at_high, side = holds(low), holds(high), 0
    for _ in range(60):
        if high - low <= _TOLERANCE_STEP:
            break
        share = at_low / (at_low - at_high) if np.isfinite(at_low - at_high) else 0.5
        middle = low + (high - low) * min(max(share, 0.02), 0.98)
        value = holds(middle)
        if value > 0.0:
            low, at_low, side, at_high = middle, value, 1, at_high / 2.0 if side == 1 else at_high
        else:
            high, at_high, side, at_low = middle, value, -1, at_low / 2.0 if side == -1 else at_low
    return low


def _value(holds: Callable[[Pairs, float], Array], single: Pairs, tolerance: float) -> float:
    return float(holds(single, tolerance)[0])


def _frontier(
    holds: Callable[[Pairs, float], Array], pairs: Pairs, order: Array, at_limit: Array, limit: float
) -> float:
    """Largest tolerance at which `holds` is positive for some pair; 0 if for none.

    Pairs are taken from the most promising (largest `order`) on; each is followed only where it can still raise
    the result. The limit is always an end of the bracket: the result lies above it exactly if some pair
    holds at the limit itself.
    """
    if np.any(at_limit > 0.0):
        best, cap, values = limit, _LARGEST_TOLERANCE, at_limit
    else:
        best, cap, values = 0.0, limit, holds(pairs, 0.0)
    while True:
        candidates = np.flatnonzero(values > 0.0)
        if candidates.size == 0 or best >= cap:
            return best
        top = candidates[np.argmax(order[candidates])]
        single = pairs.take(np.array([top]))
        if holds(single, cap)[0] > 0.0:
            return cap
        best = _crossing(functools.partial(_value, holds, single), best, cap)
        rest = candidates[candidates != top]
        pairs, order = pairs.take(rest), order[rest]
        if rest.size == 0:
            return best
        values = holds(pairs, best)


def _unit(events: Array, samples: Array, contrast: Contrast) -> float:
    """Return the standard deviation of one sample at the common rate; of its logarithm's estimate for a ratio."""
    rate = float(events.sum() / samples.sum())
    if contrast == "difference":
        return math.sqrt(rate * (1.0 - rate))
    return math.sqrt((1.0 - rate) / rate) if rate > 0.0 else math.inf


def _scaled(tolerance: float, contrast: Contrast) -> float:
    """Return the tolerance on the scale on which the contrast is a difference: the logarithm for a ratio."""
    return tolerance if contrast == "difference" else -math.log1p(-min(tolerance, _LARGEST_TOLERANCE))


def _all_pairs(events: Array, samples: Array) -> tuple[np.ndarray, np.ndarray, Pairs]:
    first, second = np.triu_indices(len(events), 1)
    return first, second, Pairs(events[first], samples[first], events[second], samples[second])


def judge_disparity(
    events: np.ndarray, samples: np.ndarray, limit: float, contrast: Contrast, alpha: float, rng: np.random.Generator
) -> Inference:
    """Judge the largest difference or the smallest ratio of the rates ``events / samples`` against a limit.

    Parameters
    ----------
    events, samples : ndarray of int, shape (G,)
        Counts per group, G >= 2, ``samples >= 1``.
    limit : float
        Largest difference allowed, in [0, 1), or smallest ratio allowed, in (0, 1].
    contrast : {"difference", "ratio"}
        Which of the two.
    alpha : float
        Significance level of each of the two tests; the interval has confidence 1 - 2 alpha.
    rng : numpy.random.Generator
        Source of the draws that make the answer simultaneous over more than one pair.

    Returns
    -------
    Inference
        In the limit's own unit. The pair named is the one with the smallest violation p-value where that proves a
        violation, otherwise the pair with the largest disparity.
    """
    x, n = np.asarray(events, dtype=np.float64), np.asarray(samples, dtype=np.float64)
    first, second, pairs = _all_pairs(x, n)
    count = len(pairs)
    tolerance = limit if contrast == "difference" else 1.0 - limit

    outside = p_outside(pairs, tolerance, contrast)
    within = p_within(pairs, tolerance, contrast)
    rate = x / n
    high, low = np.maximum(rate[first], rate[second]), np.minimum(rate[first], rate[second])
    # Two rates of zero are equal: their ratio is 1.
    ratio = np.divide(low, high, out=np.ones_like(high), where=high > 0.0)
    disparity = high - low if contrast == "difference" else 1.0 - ratio

    family = Family(_unit(x, n, contrast), n, _scaled(tolerance, contrast), rng)

    def violates(some: Pairs, t: float, p: Array | None = None) -> Array:
        p = p_outside(some, t, contrast) if p is None else p
        return family.excess(p, some.n1, some.n2, _scaled(t, contrast), alpha)

    def may_exceed(some: Pairs, t: float, p: Array | None = None) -> Array:
        return probit(p_within(some, t, contrast) if p is None else p) - probit(alpha) + 1e-15

    width = np.sqrt(0.25 / pairs.n1 + 0.25 / pairs.n2)
    low_end = _frontier(violates, pairs, disparity - width, violates(pairs, tolerance, outside), tolerance)
    high_end = _frontier(may_exceed, pairs, disparity + width, may_exceed(pairs, tolerance, within), tolerance)

    p_violation = family.p_value(outside, pairs.n1, pairs.n2)
    shown = (
        int(np.lexsort((-disparity, outside))[0]) if p_violation < alpha else int(np.lexsort((outside, -disparity))[0])
    )
    pair = (int(first[shown]), int(second[shown]))
    higher, lower = pair if rate[pair[0]] >= rate[pair[1]] else pair[::-1]
    is_ratio = contrast == "ratio"
    high_end = 1.0 if high_end >= _LARGEST_TOLERANCE else high_end
    return Inference(
        estimate=float(1.0 - disparity[shown] if is_ratio else disparity[shown]),
        low=1.0 - high_end if is_ratio else low_end,
        high=1.0 - low_end if is_ratio else high_end,
        p_violation=p_violation,
        p_compliance=float(within.max()),
        first=lower if is_ratio else higher,
        second=higher if is_ratio else lower,
        comparisons=count,
        level=family.level(alpha),
        method=_method(is_small(pairs), count),
    )


def _method(exact: np.ndarray, count: int) -> str:
    name = EXACT if exact.all() else ASYMPTOTIC if not exact.any() else f"{EXACT}; {ASYMPTOTIC} for the larger pairs"
    return name if count == 1 else f"{name}, max-t over {count} pairs"
