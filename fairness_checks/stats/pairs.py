"""The largest disparity among pairs of groups, whatever is compared: p-values, interval and the pair that decides."""

# A *tolerance* is the largest disparity that is allowed. Violation: some pair lies beyond it, simultaneous over the
# pairs by max-t. Compliance: every pair lies within, an intersection-union test at the full level. The interval is
# the smallest that holds all tolerances that neither test rejects, looked for down to a fiftieth of a standard error.
# Exact p-values of rates rise and fall by steps, so that there may be several ends: it reaches to the outermost.

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Generic, Protocol, TypeVar, runtime_checkable

import numpy as np

from fairness_checks.stats.inference import deciding, rounding_of
from fairness_checks.stats.simultaneous import Families, probit
from fairness_checks.typing import Array

__all__ = ["PairTests", "PairsInference", "PairsJudge", "block_pairs", "judge_pairs"]

_MOST_DOUBLINGS = 200
_DEVIATION = 50.0  # steps to a standard error, in which an interval's end is looked for
_STRAIGHT = 6  # attempts to follow a straight line


def block_pairs(blocks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions of the groups of all pairs within blocks, in `numpy.triu_indices`'s order; (B,) each."""
    blocks = np.asarray(blocks)
    first, second = np.triu_indices(len(blocks), 1)
    same = blocks[first] == blocks[second]
    if not same.any():
        raise ValueError(f"no stratum has two groups to compare: {len(blocks)} groups, each alone in its stratum")
    return first[same], second[same]


class PairTests(Protocol):
    """All B pairs of G groups, and their tests at any tolerance."""

    # Of many pairs p-values may be bounds where these decide nothing: `violation` above the level and above twice the
    # smallest, `compliance` below the largest and on the same side of the level. Of one pair they are exact.
    # Optional: `blocks`, (G,) int, strata within which pairs exist; `smallest`, below which no tolerance is searched
    # (default 0; a signed disparity may have -1); `independent`, False where clusters lie in several groups; `large`,
    # (G,) bool, which groups are tested apart from small ones.

    first: np.ndarray  # (B,), positions of the groups of each pair
    second: np.ndarray  # (B,)
    disparity: Array  # (B,), 0 or more, on the scale of the tolerance
    deviations: Array  # (G,), standard errors on the scale of `scaled`, for the joint distribution
    largest: float  # no tolerance is larger
    step: float  # precision to which an interval's end is found

    def violation(self, index: np.ndarray, tolerance: float) -> Array:
        """p-values of H0 "the pair keeps the tolerance" of some pairs."""
        ...

    def compliance(self, index: np.ndarray, tolerance: float) -> Array:
        """p-values of H0 "the pair meets or exceeds the tolerance" of some pairs."""
        ...

    def scaled(self, tolerance: float) -> float:
        """Return the tolerance on the scale on which disparities are differences."""
        ...


@runtime_checkable
class UnevenTests(PairTests, Protocol):
    """Tests whose p-values do not only rise, or only fall, with the tolerance, and may be bounds if that suffices."""

    different: np.ndarray  # (K,), one pair of each kind; the others have the same p-values
    kind: np.ndarray  # (B,), which kind each pair is of, in the order of their counts
    enough: float  # highest level of any pair: above it `violation` may return a lower bound that is above it too

    def violation_at(self, pair: int, tolerances: Array) -> Array:
        """Return `violation` of one pair at several tolerances."""
        ...

    def compliance_at(self, pair: int, tolerances: Array) -> Array:
        """Return `compliance` of one pair at several tolerances."""
        ...

    def completed(self, violation: Array, compliance: Array, tolerance: float) -> tuple[Array, Array]:
        """Return p-values of all pairs with those completed that a report shows."""
        ...


T = TypeVar("T", bound=PairTests)


@dataclass(frozen=True, slots=True)
class PairsInference:
    """The answer on the scale of the tolerance; see `fairness_checks.stats.inference.Inference`."""

    low: float  # of the largest disparity; `high` is `PairTests.largest` where nothing bounds it
    high: float
    p_violation: float  # simultaneous over the pairs
    p_compliance: float
    shown: int  # the pair that decides
    level: float  # at which that pair is tested for a violation
    note: str = ""  # what the method adds where pairs are not tested alike


def judge_pairs(tests: PairTests, tolerance: float, alpha: float, level: float | None = None) -> PairsInference:
    """Judge the largest disparity of all pairs against a tolerance."""
    # `level` is that of the test of a violation, and of the interval's end towards it, where several metrics share
    # `alpha`.
    return PairsJudge(tests, alpha, level).at(tolerance)


class PairsJudge(Generic[T]):
    """What `judge_pairs` answers, whatever the tolerance; the interval does not depend on it, and is found once."""

    def __init__(self, tests: T, alpha: float, level: float | None = None) -> None:
        self.tests, self._alpha, self._level = tests, alpha, alpha if level is None else level
        self._everyone = np.arange(len(tests.first))
        self._scale = np.hypot(tests.deviations[tests.first], tests.deviations[tests.second])
        self._family = Families(
            tests.deviations,
            tests.first,
            tests.second,
            getattr(tests, "blocks", None),
            independent=getattr(tests, "independent", True),
            large=getattr(tests, "large", None),
        )
        self._uneven: UnevenTests | None = tests if isinstance(tests, UnevenTests) else None
        self._different = self._everyone
        if self._uneven is not None:
            self._different, self._uneven.enough = self._uneven.different, self._family.highest_level(self._level)

    def at(self, tolerance: float) -> PairsInference:
        """Judge at a tolerance."""
        tests, family, scale, level = self.tests, self._family, self._scale, self._level
        uneven = self._uneven
        violation, compliance = tests.violation(self._everyone, tolerance), tests.compliance(self._everyone, tolerance)
        at_limit = family.excess(violation, scale, tests.scaled(tolerance), level, self._everyone)
        if uneven is not None:
            violation, compliance = uneven.completed(violation, compliance, tolerance)
        p_violation, p_compliance = family.p_value(violation, scale, tests.scaled(tolerance)), float(compliance.max())
        # What is inconclusive lies in the interval, however narrow the steps are there; so does an end, to the last
        # digit.
        low, high = self._low, self._high
        low = max(low, tolerance) if p_violation < level and tolerance - low < tests.step else low
        low = min(low, tolerance) if p_violation >= level else low
        high = max(high, tolerance) if p_compliance >= self._alpha else high
        # Of disparities that are equal to the last digit the one that is known best is named, then that of smaller
        # counts.
        ties = [scale] if uneven is None else [scale, uneven.kind]
        step = rounding_of(scale)
        shown = deciding(tests.disparity, violation, at_limit > 0.0, violated=p_violation < level, ties=ties, step=step)
        return PairsInference(
            low=low,
            high=high,
            p_violation=p_violation,
            p_compliance=p_compliance,
            shown=shown,
            level=family.level(level, tests.scaled(tolerance), shown),
            note=family.note,
        )

    def _violates(self, index: np.ndarray, t: float, **how: str) -> Array:
        """Say by how much some pairs violate a tolerance; negative if not."""
        tests, p = self.tests, self.tests.violation(index, t, **how)
        return self._family.excess(p, self._scale[index], tests.scaled(t), self._level, index)

    def _may_exceed(self, index: np.ndarray, t: float, **how: str) -> Array:
        """Say by how much some pairs fail to show that they lie within a tolerance; negative if they show it."""
        return probit(self.tests.compliance(index, t, **how)) - probit(self._alpha) + 1e-15

    # Where about each pair's ends lie, if the tolerance and the deviations are on one scale, is where to look first.
    # One pair that is tested exactly is followed by its nearer margin, which decides nearly always.

    @functools.cached_property
    def _low(self) -> float:
        """The largest tolerance that is shown to be violated."""
        tests, uneven, scale, different = self.tests, self._uneven, self._scale, self._different
        search = partial(_frontier, tests=tests, guess=tests.disparity - 2.5 * scale, left=different, scale=scale)
        if uneven is None:
            return search(self._violates)[0]
        if len(different) > 1:
            low, of_low = search(self._violates)
        else:
            low, of_low = search(partial(self._violates, only="nearer"))
            if low > self._smallest and self._violates(different, low, only="further")[0] <= 0.0:
                low, of_low = search(self._violates)

        def unproved(at: Array) -> np.ndarray:
            """Say where no pair is shown to violate; the one that gives the end is asked first."""
            proved, index = np.empty(len(at), dtype=np.bool_), np.array([of_low])
            for i, (t, p) in enumerate(zip(at.tolist(), uneven.violation_at(of_low, at), strict=True)):
                excess = self._family.excess(np.array([p]), scale[index], tests.scaled(t), self._level, index)
                proved[i] = excess[0] > 0.0
                if not proved[i] and len(different) > 1:
                    proved[i] = bool(np.any(self._violates(different, t) > 0.0))
            return ~proved

        return _outermost(unproved, low, self._smallest, -_spacing(tests, low, float(scale[of_low])), tests.step)

    @functools.cached_property
    def _high(self) -> float:
        """The largest tolerance that is not shown to be kept."""
        tests, uneven, scale, different = self.tests, self._uneven, self._scale, self._different
        search = partial(_frontier, tests=tests, guess=tests.disparity + 1.7 * scale, left=different, scale=scale)
        if uneven is None:
            return search(self._may_exceed)[0]
        if len(different) > 1:
            high, of_high = search(self._may_exceed)
        else:
            high, of_high = search(partial(self._may_exceed, only="nearer"))
            further = high + tests.step
            if further < tests.largest and self._may_exceed(different, further, only="further")[0] > 0.0:
                high, of_high = search(self._may_exceed)

        def undecided(at: Array) -> np.ndarray:
            return np.asarray(uneven.compliance_at(of_high, at) >= self._alpha)

        return _outermost(undecided, high, tests.largest, _spacing(tests, high, float(scale[of_high])), tests.step)

    @property
    def _smallest(self) -> float:
        return float(getattr(self.tests, "smallest", 0.0))


def _frontier(
    holds: Callable[[np.ndarray, float], Array], tests: PairTests, guess: Array, left: np.ndarray, scale: Array
) -> tuple[float, int]:
    """Find the largest tolerance at which `holds` is positive for a pair, and the pair; else the smallest one."""
    # Pairs are taken from the most promising (largest `guess`) on; each of those `left` is followed only where it can
    # still raise the result.
    cap, best = tests.largest, float(getattr(tests, "smallest", 0.0))

    def reach(pair: int, start: tuple[float, float]) -> float:
        at = float(guess[pair])
        # p-values that take long are followed in the fewest steps: by about a standard error a unit.
        unit = _DEVIATION * _spacing(tests, at, float(scale[pair])) if isinstance(tests, UnevenTests) else None
        return _reach(partial(holds, np.array([pair])), start, cap, at, tests.step, unit)

    # No pair is known to hold anywhere: the others are asked only where the most promising one ends.
    place = int(left[np.argmax(guess[left])])
    left = left[left != place]
    best = reach(place, (best, float(holds(np.array([place]), best)[0])))
    while left.size and best + tests.step < cap:
        further = best + tests.step
        values = holds(left, further)
        left, values = left[values > 0.0], values[values > 0.0]
        if left.size == 0:
            break
        at = int(np.argmax(guess[left]))
        place, value = int(left[at]), float(values[at])
        if len(left) > 1 and not isinstance(tests, UnevenTests):
            value = float(holds(left[[at]], further)[0])  # where it was a bound
        best = reach(place, (further, value))
        left = np.delete(left, at)
    return best, place


def _spacing(tests: PairTests, at: float, scale: float) -> float:
    """Return a fiftieth of a standard error, given on the scale of `scaled`, as a tolerance."""
    slope = (tests.scaled(at + 1e-6) - tests.scaled(at - 1e-6)) / 2e-6
    return max(scale / _DEVIATION / max(slope, 1e-6), tests.step) if math.isfinite(scale) else tests.step


def _outermost(
    inside: Callable[[Array], np.ndarray], end: float, farthest: float, spacing: float, step: float
) -> float:
    """Move an end by the sign of `spacing` to the outermost tolerance that is inside, up to `farthest`."""
    # Looked at are 12 steps beyond the last one found.
    while True:
        room = (farthest - end) / spacing
        at = end + spacing * np.arange(1.0, min(12.0, room) + 1.0)
        at[at * np.sign(spacing) > farthest * np.sign(spacing)] = farthest
        found = np.flatnonzero(inside(at)) if room > 0.0 else np.empty(0, dtype=np.intp)
        if found.size == 0:
            return end
        last = int(found[-1])
        end = float(at[last])
        if end == farthest:
            return end
        beyond = end + spacing if last + 1 == len(at) else float(at[last + 1])
        while abs(beyond - end) > step:
            middle = (end + beyond) / 2.0
            end, beyond = (middle, beyond) if inside(np.array([middle]))[0] else (end, middle)


def _reach(
    holds: Callable[[float], Array],
    start: tuple[float, float],
    cap: float,
    guess: float,
    step: float,
    unit: float | None = None,
) -> float:
    """Largest tolerance up to `cap` at which one pair holds; the start, given with the value there, if it does not."""
    best, value = start
    if value <= 0.0:
        return best
    if math.isinf(cap):  # look as far as is needed: a bracket without an end does not shrink
        width = max(guess - best, step)
        for _ in range(_MOST_DOUBLINGS):
            at_far = float(holds(best + width)[0])
            if at_far <= 0.0:
                return _crossing(holds, start, (best + width, at_far), guess, step, unit)
            width *= 2.0
        return cap
    at_cap = float(holds(cap)[0])
    return cap if at_cap > 0.0 else _crossing(holds, start, (cap, at_cap), guess, step, unit)


def _crossing(
    holds: Callable[[float], Array],
    positive: tuple[float, float],
    other: tuple[float, float],
    guess: float,
    step: float,
    unit: float | None = None,
) -> float:
    """Find the largest t where ``holds(t) > 0`` between a t where it is positive and one where it is not."""
    # Regula falsi with the Illinois weights, kept inside the bracket: the function has small jumps. Each end comes
    # with its value; the guess is where to look first. Where it is known by how much t moves a value by 1, a straight
    # line is followed first, each time to just beyond where it seems to cross.
    (low, at_low), (high, at_high), side = positive, other, 0
    last: tuple[float, float] | None = None
    for attempt in range(60):
        if high - low <= step:
            break
        share = at_low / (at_low - at_high) if np.isfinite(at_low - at_high) else 0.5
        middle = low + (high - low) * min(max(share, 0.02), 0.98)
        if attempt == 0 and low < guess < high:
            middle = guess
        elif unit is not None and last is not None and attempt <= _STRAIGHT:
            beyond = last[0] + last[1] * unit + math.copysign(0.4 * step, last[1])
            middle = beyond if low < beyond < high else middle
        value = float(holds(middle)[0])
        if unit is not None and last is not None and value != last[1]:
            steepness = (middle - last[0]) / (last[1] - value)
            unit = steepness if unit / 4.0 < steepness < unit * 4.0 else unit
        last = middle, value
        if value > 0.0:
            low, at_low, side, at_high = middle, value, 1, at_high / 2.0 if side == 1 else at_high
        else:
            high, at_high, side, at_low = middle, value, -1, at_low / 2.0 if side == -1 else at_low
    return low
