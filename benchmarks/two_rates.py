"""How often the test of two rates is wrong, enumerated: ``python -m benchmarks.two_rates [--quick | --sizes N ...]``.

Size over all outcomes that are possible, at rates exactly on the limit, as shares of alpha = 0.05: the largest over a
grid of rates at which either group's n p q runs from 3 to 10,000 and beyond (rare events, the middle, rare non-events).
"chosen" is the test that the gate takes for each outcome, "score" the score test for all of them; "exact" is the share
of the rates at which more outcomes than not are tested exactly. In each direction, for a violation and for compliance.
Below it the time that one check takes.

What is significant begins, for each outcome of the smaller group, at one outcome of the larger: found by bisection.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

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

Array = npt.NDArray[np.float64]
Test = Callable[[Pairs, float], Array]


def chosen_violation(pairs: Pairs, limit: float) -> Array:
    """Test H0 "the limit is kept" as the gate does; p-values above alpha may be less than they are."""
    return rates_violation(pairs, limit, "difference", enough=ALPHA)


def chosen_compliance(pairs: Pairs, limit: float) -> Array:
    """Test H0 "the limit is met or exceeded" as the gate does; p-values above alpha may be less than they are."""
    return rates_compliance(pairs, limit, "difference", enough=ALPHA)


def significant(test: Test, limit: float, x1: Array, n1: int, n2: int, inside: Array, outside: Array) -> Array:
    """Find by bisection the last x2 from `outside` on towards `inside` that differs from it; shapes (S,)."""
    low, high = inside.copy(), outside.copy()  # not significant at the one, significant at the other
    while np.any(np.abs(high - low) > 1.0):
        open_ = np.flatnonzero(np.abs(high - low) > 1.0)
        middle = np.trunc((low[open_] + high[open_]) / 2.0)
        n = np.full(len(open_), float(n1)), np.full(len(open_), float(n2))
        reached = test(Pairs(x1[open_], n[0], middle, n[1]), limit) < ALPHA
        high[open_] = np.where(reached, middle, high[open_])
        low[open_] = np.where(reached, low[open_], middle)
    return high


def boundaries(tests: tuple[Test, Test], limit: float, x1: Array, n1: int, n2: int) -> list[Array]:
    """First and last x2 of violations below and above, and of compliance, for outcomes x1; shapes (S,)."""
    outside, within = tests
    none, every = np.full(len(x1), -1.0), np.full(len(x1), n2 + 1.0)

    def outer(edge: Array, inside: Array) -> Array:
        # Beyond the largest or the smallest outcome is none: as if it were significant.
        def test(pairs: Pairs, at: float) -> Array:
            beyond = (pairs.x2 < 0) | (pairs.x2 > pairs.n2)
            kept = Pairs(pairs.x1, pairs.n1, np.clip(pairs.x2, 0, pairs.n2), pairs.n2)
            return np.where(beyond, 0.0, outside(kept, at))

        return significant(test, limit, x1, n1, n2, np.clip(inside, 0, n2), edge)

    equal = np.rint(x1 / n1 * n2)
    last_below = outer(none, np.ceil((x1 / n1 - limit) * n2))
    first_above = outer(every, np.floor((x1 / n1 + limit) * n2))
    n = np.full(len(x1), float(n1)), np.full(len(x1), float(n2))
    complies = within(Pairs(x1, n[0], equal, n[1]), limit) < ALPHA
    first = significant(within, limit, x1, n1, n2, np.where(complies, -1.0, equal), equal)
    last = significant(within, limit, x1, n1, n2, np.where(complies, n2 + 1.0, equal), equal)
    return [last_below, first_above, np.where(complies, first, n2 + 1.0), np.where(complies, last, -1.0)]


def rates(n1: int, n2: int, limit: float) -> Array:
    """Rates p1 and p2 on the limit, shape (2, M)."""
    found = {0.5}
    for n in (n1, n2):
        for variance in VARIANCES:
            if 4 * variance <= n:
                root = np.sqrt(0.25 - variance / n)
                found |= {0.5 - root, 0.5 + root}
    p = np.array(sorted(found))
    both = np.concatenate([(p, p + sign * limit) for sign in (1, -1)] + [(p + s * limit, p) for s in (1, -1)], axis=1)
    both = both[:, ((both > 0) & (both < 1)).all(axis=0)]
    return np.unique(both.round(12), axis=1)


def size(n1: int, n2: int, limit: float) -> dict[str, float]:
    """Largest shares of alpha over the rates."""
    asked = rates(n1, n2, limit)
    every = np.arange(n1 + 1.0)
    p1, p2 = asked
    spread = 5.0 * np.sqrt(n1 * p1 * (1 - p1)) + 10.0
    kept = (np.abs(every[:, None] - n1 * p1) <= spread).any(axis=1)
    x1 = every[kept]
    weights = stats.binom.pmf(x1[:, None], n1, p1)  # (S, M)
    found: dict[str, float] = {}
    for name, tests in (
        ("score", (lambda p, t: score_violation(p, -t, t), lambda p, t: score_compliance(p, -t, t))),
        ("chosen", (chosen_violation, chosen_compliance)),
    ):
        below, above, first, last = boundaries(tests, limit, x1, n1, n2)
        lower, upper = stats.binom.cdf(below[:, None], n2, p2), stats.binom.sf(above[:, None] - 1, n2, p2)
        inner = np.maximum(stats.binom.cdf(last[:, None], n2, p2) - stats.binom.cdf(first[:, None] - 1, n2, p2), 0)
        found[f"{name} violation"] = float((weights * (lower + upper)).sum(axis=0).max() / ALPHA)
        found[f"{name} compliance"] = float((weights * inner).sum(axis=0).max() / ALPHA)
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
    parser.add_argument("--quick", action="store_true", help="the smaller groups only: a minute instead of an hour")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="of the smaller group, to run it in pieces")
    asked = parser.parse_args()
    smaller = SIZES[:2] if asked.quick else asked.sizes
    columns = ("score violation", "chosen violation", "score compliance", "chosen compliance")
    print(f"{'n1':>6} {'n2':>6} {'limit':>6}" + "".join(f"{name:>19}" for name in columns) + f"{'exact':>8}{'sec':>6}")
    for n1 in smaller:
        for n2 in sorted({min(n1 * times, 50_000) for times in LARGER}):
            for limit in LIMITS:
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
