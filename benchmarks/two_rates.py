"""How often the test of two rates is wrong, enumerated: ``python -m benchmarks.two_rates [--quick | --sizes N ...]``.

Size over all outcomes that are possible, at rates exactly on the limit, as shares of alpha = 0.05: the largest over a
grid of rates at which either group's n p q runs from 3 to 10,000 and beyond (rare events, the middle, rare non-events).
"chosen" is the test that the gate takes for each outcome, "score" the score test for all of them; "exact" is the share
of the rates at which more outcomes than not are tested exactly. In each direction, for a violation and for compliance.
Below it the time that one check takes.

What is significant begins, for each outcome of the smaller group, at one outcome of the larger: found by bisection for
the score test, and near there for the one that is taken. Outcomes that carry `LEFT_OUT` at each rate are not looked
at; of rates and outcomes with events and non-events exchanged, which are tested alike, one is.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from fairness_checks.stats.disparity import (
    judge_disparity,
    rates_compliance,
    rates_violation,
    score_compliance,
    score_violation,
)
from fairness_checks.stats.exact import is_tested_exactly
from fairness_checks.stats.rate_pairs import Pairs

ALPHA = 0.05
SIZES = (50, 101, 200, 500, 2_000, 5_000)
LARGER = (1, 10, 100, 500)  # times as many in the other group, at most 50,000
LIMITS = (0.0, 0.005, 0.01, 0.05, 0.2)
VARIANCES = (3, 10, 30, 100, 200, 300, 400, 600, 800, 1_000, 1_300, 2_000)

LEFT_OUT = 1e-9  # probability, by which a size may be larger than found
_COARSE = 8  # rows, of which one says how far the others' boundaries lie from the score test's

Array = npt.NDArray[np.float64]
Test = Callable[[Pairs, float], Array]
Tests = tuple[Test, Test]  # of a violation, of compliance
Reached = Callable[[np.ndarray, Array], np.ndarray]  # rows and their x2 -> which are significant


def score_violation_at(pairs: Pairs, limit: float) -> Array:
    """Test H0 "the limit is kept" by the score test."""
    return score_violation(pairs, -limit, limit)


def score_compliance_at(pairs: Pairs, limit: float) -> Array:
    """Test H0 "the limit is met or exceeded" by the score test."""
    return score_compliance(pairs, -limit, limit)


def chosen_violation(pairs: Pairs, limit: float) -> Array:
    """Test H0 "the limit is kept" as the gate does; p-values above alpha may be less than they are."""
    return rates_violation(pairs, limit, "difference", enough=ALPHA)


def chosen_compliance(pairs: Pairs, limit: float) -> Array:
    """Test H0 "the limit is met or exceeded" as the gate does; p-values above alpha may be less than they are."""
    return rates_compliance(pairs, limit, "difference", enough=ALPHA)


def bisected(test: Reached, inside: Array, outside: Array) -> Array:
    """Find the last x2 from `outside` on towards `inside` that is significant; it is not at `inside`; shapes (S,)."""
    low, high = inside.copy(), outside.copy()
    while (rows := np.flatnonzero(np.abs(high - low) > 1.0)).size:
        middle = np.trunc((low[rows] + high[rows]) / 2.0)
        reached = test(rows, middle)
        high[rows] = np.where(reached, middle, high[rows])
        low[rows] = np.where(reached, low[rows], middle)
    return high


def near(test: Reached, guess: Array, inside: Array, outside: Array) -> Array:
    """Find what `bisected` finds, in steps that double from a guess for each row; shapes (S,).

    The error of the guess changes little from row to row: it is known from every eighth one.
    """
    every, found = np.arange(len(guess)), guess.copy()
    coarse = np.unique(np.append(every[::_COARSE], every[-1]))
    for rows in (coarse, np.setdiff1d(every, coarse)):
        at = guess[rows] + np.rint(np.interp(rows, coarse, (found - guess)[coarse]))
        low, high, step = inside[rows].copy(), outside[rows].copy(), np.sign(outside - inside)[rows]
        while (some := np.flatnonzero(np.abs(high - low) > 1.0)).size:
            between = (at[some] - low[some]) * (at[some] - high[some]) < 0.0
            asked = np.where(between, at[some], np.trunc((low[some] + high[some]) / 2.0))
            reached = test(rows[some], asked)
            high[some] = np.where(reached, asked, high[some])
            low[some] = np.where(reached, low[some], asked)
            at[some] = asked + np.where(reached, -step[some], step[some])
            step[some] *= 2.0
        found[rows] = high
    return found


@dataclass(frozen=True)
class Boundaries:
    """First and last x2 of violations below and above, and of compliance, for each outcome x1; shapes (S,)."""

    below: Array
    above: Array
    first: Array
    last: Array


def boundaries(tests: Tests, limit: float, x1: Array, n1: int, n2: int, guess: Boundaries | None) -> Boundaries:
    """Find them by bisection, or near those of another test."""
    none, over, equal = np.full(len(x1), -1.0), np.full(len(x1), n2 + 1.0), np.rint(x1 / n1 * n2)

    def reached(test: Test, rows: np.ndarray) -> Reached:
        n = np.full(len(rows), float(n1)), np.full(len(rows), float(n2))

        def asked(some: np.ndarray, x2: Array) -> np.ndarray:
            return np.asarray(test(Pairs(x1[rows][some], n[0][some], x2, n[1][some]), limit) < ALPHA)

        return asked

    def found(test: Test, rows: np.ndarray, start: Array | None, inside: Array, outside: Array) -> Array:
        if start is None:
            return bisected(reached(test, rows), inside[rows], outside[rows])
        return near(reached(test, rows), start[rows], inside[rows], outside[rows])

    # Beyond the smallest and the largest outcome is none: as if it were significant.
    outside, within = tests
    every = np.arange(len(x1))
    least, most = np.ceil((x1 / n1 - limit) * n2), np.floor((x1 / n1 + limit) * n2)
    below = found(outside, every, None if guess is None else guess.below, np.clip(least, 0, n2), none)
    above = found(outside, every, None if guess is None else guess.above, np.clip(most, 0, n2), over)
    first, last, some = over.copy(), none.copy(), every[reached(within, every)(every, equal)]
    if some.size:
        first[some] = found(within, some, None if guess is None else np.minimum(guess.first, equal), none, equal)
        last[some] = found(within, some, None if guess is None else np.maximum(guess.last, equal), over, equal)
    return Boundaries(below, above, first, last)


def rates(n1: int, n2: int, limit: float) -> Array:
    """Rates p1 and p2 on the limit, shape (2, M): of events and non-events exchanged, which are tested alike, one."""
    found = {0.5}
    for n in (n1, n2):
        for variance in VARIANCES:
            if 4 * variance <= n:
                root = np.sqrt(0.25 - variance / n)
                found |= {0.5 - root, 0.5 + root}
    p = np.array(sorted(found))
    both = np.concatenate([(p, p + sign * limit) for sign in (1, -1)] + [(p + s * limit, p) for s in (1, -1)], axis=1)
    both = both[:, ((both > 0) & (both < 1)).all(axis=0) & (both.sum(axis=0) <= 1.0 + 1e-9)]
    return np.unique(both.round(12), axis=1)


def likely(n1: int, p1: Array) -> Array:
    """Outcomes of the first group but for so improbable ones that all others carry 1 - LEFT_OUT at each rate."""
    every = np.arange(n1 + 1.0)
    first, last = stats.binom.ppf(LEFT_OUT / 2.0, n1, p1), stats.binom.isf(LEFT_OUT / 2.0, n1, p1)
    return every[((every[:, None] >= first) & (every[:, None] <= last)).any(axis=1)]


def size(n1: int, n2: int, limit: float) -> dict[str, float]:
    """Largest shares of alpha over the rates."""
    asked = rates(n1, n2, limit)
    p1, p2 = asked
    x1 = likely(n1, p1)
    weights = stats.binom.pmf(x1[:, None], n1, p1)  # (S, M)
    found: dict[str, float] = {}
    at = None
    for name, tests in (
        ("score", (score_violation_at, score_compliance_at)),
        ("chosen", (chosen_violation, chosen_compliance)),
    ):
        at = boundaries(tests, limit, x1, n1, n2, at)
        lower, upper = stats.binom.cdf(at.below[:, None], n2, p2), stats.binom.sf(at.above[:, None] - 1, n2, p2)
        inner = stats.binom.cdf(at.last[:, None], n2, p2) - stats.binom.cdf(at.first[:, None] - 1, n2, p2)
        found[f"{name} violation"] = float((weights * (lower + upper)).sum(axis=0).max() / ALPHA)
        found[f"{name} compliance"] = float((weights * np.maximum(inner, 0)).sum(axis=0).max() / ALPHA)
    true = Pairs(p1 * n1, np.full_like(p1, n1), p2 * n2, np.full_like(p2, n2))
    found["exact"] = float(is_tested_exactly(true).mean())
    return found


def timed(call: Callable[[], object]) -> float:
    """Milliseconds of one core that a first call takes: the interval of the same counts is kept."""
    start = time.process_time()
    call()
    return 1e3 * (time.process_time() - start)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--quick", action="store_true", help="the smaller groups only: a minute instead of half an hour"
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="of the smaller group, to run it in pieces")
    parser.add_argument("--larger", type=int, nargs="+", help="sizes of the other group")
    parser.add_argument("--limits", type=float, nargs="+", default=LIMITS)
    asked = parser.parse_args()
    smaller = SIZES[:2] if asked.quick else asked.sizes
    columns = ("score violation", "chosen violation", "score compliance", "chosen compliance")
    print(f"{'n1':>6} {'n2':>6} {'limit':>6}" + "".join(f"{name:>19}" for name in columns) + f"{'exact':>8}{'sec':>6}")
    for n1 in smaller:
        for n2 in asked.larger or sorted({min(n1 * times, 50_000) for times in LARGER}):
            for limit in asked.limits:
                start = time.perf_counter()
                found = size(n1, n2, limit)
                shares = "".join(f"{found[name]:>19.3f}" for name in columns)
                seconds = time.perf_counter() - start
                print(f"{n1:>6} {n2:>6} {limit:>6}{shares}{found['exact']:>8.2f}{seconds:>6.0f}", flush=True)
    print(f"\n{'events and samples of two groups, limit 0.01':<48}{'ms a check':>12}")
    for events, samples in (
        ((3, 5), (100, 5_000)),
        ((3, 5), (101, 5_000)),
        ((60, 150), (200, 500)),
        ((150, 150), (500, 500)),
        ((6, 150), (2_000, 50_000)),
        ((600, 15_000), (2_000, 50_000)),
        ((1_500, 15_000), (5_000, 50_000)),
    ):
        counts = np.array(events), np.array(samples)
        took = timed(lambda counts=counts: judge_disparity(counts[0], counts[1], 0.01, "difference", ALPHA))  # type: ignore[misc]
        print(f"{f'{events[0]:,} of {samples[0]:,}, {events[1]:,} of {samples[1]:,}':<48}{took:>12.1f}")


if __name__ == "__main__":
    main()
