"""The largest disparity among pairs of groups, whatever is compared: p-values, interval and the pair that decides.

A *tolerance* is the largest disparity that is allowed. Violation: some pair lies beyond it, simultaneous over the pairs
by max-t. Compliance: every pair lies within, an intersection-union test at the full level. The interval holds the
tolerances that neither test rejects, so verdict and interval cannot disagree.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from fairness_checks.stats.proportions import Array
from fairness_checks.stats.simultaneous import Family, probit

__all__ = ["PairTests", "PairsInference", "judge_pairs"]


class PairTests(Protocol):
    """All B pairs of G groups, and their tests at any tolerance.

    Attributes
    ----------
    first, second : ndarray of int, shape (B,)
        Positions of the groups of each pair.
    disparity : ndarray of float64, shape (B,)
        Estimated disparities, 0 or more, on the scale of the tolerance.
    deviations : ndarray of float64, shape (G,)
        Standard errors of the groups' estimates on the scale of `scaled`; for the joint distribution of the pairs.
    largest : float
        No tolerance is larger.
    step : float
        Precision to which an interval's end is found.
    """

    first: np.ndarray
    second: np.ndarray
    disparity: Array
    deviations: Array
    largest: float
    step: float

    def outside(self, index: np.ndarray, tolerance: float) -> Array:
        """p-values of H0 "the pair keeps the tolerance" of some pairs."""
        ...

    def within(self, index: np.ndarray, tolerance: float) -> Array:
        """p-values of H0 "the pair meets or exceeds the tolerance" of some pairs."""
        ...

    def scaled(self, tolerance: float) -> float:
        """Return the tolerance on the scale on which disparities are differences."""
        ...


@dataclass(frozen=True, slots=True)
class PairsInference:
    """The answer on the scale of the tolerance; see `fairness_checks.stats.inference.Inference`.

    Parameters
    ----------
    low, high : float
        Interval of the largest disparity; `high` is `PairTests.largest` where nothing bounds it.
    p_violation, p_compliance : float
        Simultaneous over the pairs.
    shown : int
        The pair with the smallest p-value where that proves a violation, otherwise the one with the largest disparity.
    level : float
        Level at which one pair is tested for a violation.
    """

    low: float
    high: float
    p_violation: float
    p_compliance: float
    shown: int
    level: float


def judge_pairs(tests: PairTests, tolerance: float, alpha: float, rng: np.random.Generator) -> PairsInference:
    """Judge the largest disparity of all pairs against a tolerance.

    Parameters
    ----------
    tests : PairTests
        The pairs.
    tolerance : float
        Largest disparity allowed, 0 or more.
    alpha : float
        Significance level of each of the two tests; the interval has confidence 1 - 2 alpha.
    rng : numpy.random.Generator
        Source of the draws that make the answer simultaneous over more than one pair.
    """
    everyone = np.arange(len(tests.first))
    scale = np.hypot(tests.deviations[tests.first], tests.deviations[tests.second])
    family = Family(tests.deviations, tests.scaled(tolerance), rng)
    outside, within = tests.outside(everyone, tolerance), tests.within(everyone, tolerance)

    def violates(index: np.ndarray, t: float, p: Array | None = None) -> Array:
        p = tests.outside(index, t) if p is None else p
        return family.excess(p, scale[index], tests.scaled(t), alpha)

    def may_exceed(index: np.ndarray, t: float, p: Array | None = None) -> Array:
        return probit(tests.within(index, t) if p is None else p) - probit(alpha) + 1e-15

    low = _frontier(violates, tests, tests.disparity - scale, violates(everyone, tolerance, outside), tolerance)
    high = _frontier(may_exceed, tests, tests.disparity + scale, may_exceed(everyone, tolerance, within), tolerance)
    p_violation = family.p_value(outside, scale)
    order = (-tests.disparity, outside) if p_violation < alpha else (outside, -tests.disparity)
    return PairsInference(
        low=low,
        high=high,
        p_violation=p_violation,
        p_compliance=float(within.max()),
        shown=int(np.lexsort(order)[0]),
        level=family.level(alpha),
    )


def _frontier(
    holds: Callable[[np.ndarray, float], Array], tests: PairTests, order: Array, at_limit: Array, limit: float
) -> float:
    """Largest tolerance at which `holds` is positive for some pair; 0 if for none.

    Pairs are taken from the most promising (largest `order`) on; each is followed only where it can still raise
    the result. The limit is always an end of the bracket: the result lies above it exactly if some pair
    holds at the limit itself.
    """
    pairs = np.arange(len(order))
    if np.any(at_limit > 0.0):
        best, cap, values = limit, tests.largest, at_limit
    else:
        best, cap, values = 0.0, limit, holds(pairs, 0.0)
    while True:
        pairs = pairs[values > 0.0]
        if pairs.size == 0 or best >= cap:
            return best
        top = pairs[[np.argmax(order[pairs])]]
        if holds(top, cap)[0] > 0.0:
            return cap
        best = _crossing(lambda t, top=top: float(holds(top, t)[0]), best, cap, tests.step)  # type: ignore[misc]
        pairs = pairs[pairs != top]
        if pairs.size == 0:
            return best
        values = holds(pairs, best)


def _crossing(holds: Callable[[float], float], low: float, high: float, step: float) -> float:
    """Find the largest t of [low, high] where ``holds(t) > 0``, given that it is at low and is not at high.

    Regula falsi with the Illinois weights, kept inside the bracket: the function has small jumps.
    """
    at_low, at_high, side = holds(low), holds(high), 0
    for _ in range(60):
        if high - low <= step:
            break
        share = at_low / (at_low - at_high) if np.isfinite(at_low - at_high) else 0.5
        middle = low + (high - low) * min(max(share, 0.02), 0.98)
        value = holds(middle)
        if value > 0.0:
            low, at_low, side, at_high = middle, value, 1, at_high / 2.0 if side == 1 else at_high
        else:
            high, at_high, side, at_low = middle, value, -1, at_low / 2.0 if side == -1 else at_low
    return low
