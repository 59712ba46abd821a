"""The largest disparity among pairs of groups, whatever is compared: p-values, interval and the pair that decides.

A *tolerance* is the largest disparity that is allowed. Violation: some pair lies beyond it, simultaneous over the pairs
by max-t. Compliance: every pair lies within, an intersection-union test at the full level. The interval holds the
tolerances that neither test rejects, so verdict and interval cannot disagree.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np

from fairness_checks.stats.inference import deciding
from fairness_checks.stats.proportions import Array
from fairness_checks.stats.simultaneous import Family, probit

__all__ = ["PairTests", "PairsInference", "block_pairs", "judge_pairs"]

_MOST_DOUBLINGS = 200


def block_pairs(blocks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions of the groups of all pairs within blocks, in the order of `numpy.triu_indices`.

    Parameters
    ----------
    blocks : ndarray of int, shape (G,)
        The stratum of each group.

    Returns
    -------
    tuple of ndarray of int, shape (B,)
        First and second group of each pair.

    Raises
    ------
    ValueError
        If no block has two groups.

    Examples
    --------
    >>> first, second = block_pairs(np.array([0, 1, 0, 1, 2]))
    >>> list(zip(first.tolist(), second.tolist()))
    [(0, 2), (1, 3)]
    """
    blocks = np.asarray(blocks)
    first, second = np.triu_indices(len(blocks), 1)
    same = blocks[first] == blocks[second]
    if not same.any():
        raise ValueError(f"no stratum has two groups to compare: {len(blocks)} groups, each alone in its stratum")
    return first[same], second[same]


class PairTests(Protocol):
    """All B pairs of G groups, and their tests at any tolerance.

    Three more attributes are optional: `blocks`, ndarray of int of shape (G,), the stratum of each group, where pairs
    exist within strata only (default one stratum); `smallest`, float, below which no tolerance is searched
    (default 0; a signed disparity may have -1); and `independent`, bool, False where clusters lie in several groups.

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
        The pair that decides; see `fairness_checks.stats.inference.deciding`.
    level : float
        Level at which one pair is tested for a violation.
    """

    low: float
    high: float
    p_violation: float
    p_compliance: float
    shown: int
    level: float


def judge_pairs(tests: PairTests, tolerance: float, alpha: float) -> PairsInference:
    """Judge the largest disparity of all pairs against a tolerance.

    Parameters
    ----------
    tests : PairTests
        The pairs.
    tolerance : float
        Largest disparity allowed, at least `smallest`.
    alpha : float
        Significance level of each of the two tests; the interval has confidence 1 - 2 alpha.
    """
    everyone = np.arange(len(tests.first))
    scale = np.hypot(tests.deviations[tests.first], tests.deviations[tests.second])
    blocks, independent = getattr(tests, "blocks", None), getattr(tests, "independent", True)
    family = Family(tests.deviations, tests.scaled(tolerance), blocks, independent=independent)
    outside, within = tests.outside(everyone, tolerance), tests.within(everyone, tolerance)

    def violates(index: np.ndarray, t: float, p: Array | None = None) -> Array:
        p = tests.outside(index, t) if p is None else p
        return family.excess(p, scale[index], tests.scaled(t), alpha)

    def may_exceed(index: np.ndarray, t: float, p: Array | None = None) -> Array:
        return probit(tests.within(index, t) if p is None else p) - probit(alpha) + 1e-15

    # Where about each pair's ends lie, if the tolerance and the deviations are on one scale.
    lower, upper = tests.disparity - 2.5 * scale, tests.disparity + 1.7 * scale
    at_limit = violates(everyone, tolerance, outside)
    low = _frontier(violates, tests, lower, at_limit, tolerance)
    high = _frontier(may_exceed, tests, upper, may_exceed(everyone, tolerance, within), tolerance)
    p_violation = family.p_value(outside, scale)
    return PairsInference(
        low=low,
        high=high,
        p_violation=p_violation,
        p_compliance=float(within.max()),
        shown=deciding(tests.disparity, outside, at_limit > 0.0, violated=p_violation < alpha),
        level=family.level(alpha),
    )


def _frontier(
    holds: Callable[[np.ndarray, float], Array], tests: PairTests, guess: Array, at_limit: Array, limit: float
) -> float:
    """Largest tolerance at which `holds` is positive for some pair; the smallest tolerance if for none.

    Pairs are taken from the most promising (largest `guess`) on; each is followed only where it can still raise
    the result. The limit is always an end of the bracket: the result lies above it exactly if some pair
    holds at the limit itself.
    """
    left = np.arange(len(guess))
    if np.any(at_limit > 0.0):
        best, cap, values = limit, tests.largest, at_limit
    else:
        best, cap = float(getattr(tests, "smallest", 0.0)), limit
        if best >= cap:
            return best
        # No pair is known to hold anywhere: the others are asked only where the most promising one ends.
        place = int(np.argmax(guess))
        top, left = left[[place]], np.delete(left, place)
        best = _reach(partial(holds, top), (best, float(holds(top, best)[0])), cap, float(guess[place]), tests.step)
        values = holds(left, best) if left.size else np.empty(0)
    while True:
        left, values = left[values > 0.0], values[values > 0.0]
        if left.size == 0 or best >= cap:
            return best
        place = int(np.argmax(guess[left]))
        start, end = (best, float(values[place])), float(guess[left[place]])
        best = _reach(partial(holds, left[[place]]), start, cap, end, tests.step)
        left = np.delete(left, place)
        values = holds(left, best) if left.size else np.empty(0)


def _reach(holds: Callable[[float], Array], start: tuple[float, float], cap: float, guess: float, step: float) -> float:
    """Largest tolerance up to `cap` at which one pair holds; the start, given with the value there, if it does not."""
    best, value = start
    if value <= 0.0:
        return best
    if math.isinf(cap):  # look as far as is needed: a bracket without an end does not shrink
        width = max(guess - best, step)
        for _ in range(_MOST_DOUBLINGS):
            at_far = float(holds(best + width)[0])
            if at_far <= 0.0:
                return _crossing(holds, start, (best + width, at_far), guess, step)
            width *= 2.0
        return cap
    at_cap = float(holds(cap)[0])
    return cap if at_cap > 0.0 else _crossing(holds, start, (cap, at_cap), guess, step)


def _crossing(
    holds: Callable[[float], Array],
    positive: tuple[float, float],
    other: tuple[float, float],
    guess: float,
    step: float,
) -> float:
    """Find the largest t where ``holds(t) > 0`` between a t where it is positive and one where it is not.

    Both are given with the value there; the guess is where to look first.

    Regula falsi with the Illinois weights, kept inside the bracket: the function has small jumps.
    """
    (low, at_low), (high, at_high), side = positive, other, 0
    for attempt in range(60):
        if high - low <= step:
            break
        share = at_low / (at_low - at_high) if np.isfinite(at_low - at_high) else 0.5
        middle = low + (high - low) * min(max(share, 0.02), 0.98)
        if attempt == 0 and low < guess < high:
            middle = guess
        value = float(holds(middle)[0])
        if value > 0.0:
            low, at_low, side, at_high = middle, value, 1, at_high / 2.0 if side == 1 else at_high
        else:
            high, at_high, side, at_low = middle, value, -1, at_low / 2.0 if side == -1 else at_low
    return low
