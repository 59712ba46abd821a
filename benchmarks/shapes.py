"""False failures and wrong passes of two means whose errors differ in shape. ``python -m benchmarks.shapes [--quick]``.

Two groups of errors, of mean 0 and standard deviation 1; the worse ones are higher by a limit of half a standard
deviation, exactly. The spread of the one or the other group is doubled, or its shape is another. Printed: shares of
"fail" and of "pass" of our test and of Welch's, at alpha 0.05; "!" marks ours above alpha plus three standard errors.
No test of means can keep its level for every shape (Bahadur and Savage, Ann. Math. Stat. 27 (1956) 1115): this table
says how far ours and Welch's are off, and where.
"""

from __future__ import annotations

import argparse
import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.calibration_gates import ALPHA
from benchmarks.calibration_worlds import MEANS, Array, ErrorShape
from fairness_checks.stats.estimates import estimates_compliance, estimates_violation
from fairness_checks.stats.means import mean_estimates, means_compliance, means_violation
from fairness_checks.stats.moments import moments_by_group

LIMIT = 0.5
SIZES = ((20, 40), (40, 20), (34, 62), (100, 200), (200, 100), (500, 500))
SAME = ((1.0, 1.0), (2.0, 1.0), (1.0, 2.0))
Draw = Callable[[tuple[int, int], np.random.Generator], Array]


def _standard(shape: ErrorShape) -> Draw:
    return lambda size, rng: (shape.of_score(rng.standard_normal(size)) - shape.mean) / shape.deviation


def _lognormal(sigma: float) -> ErrorShape:
    growth = math.exp(sigma**2)
    return ErrorShape(lambda z: np.exp(sigma * z), math.sqrt(growth), math.sqrt((growth - 1.0) * growth))


def _mostly_zero(size: tuple[int, int], rng: np.random.Generator) -> Array:
    """Zero in 70 % of samples, else exponential."""
    return np.asarray((rng.exponential(size=size) * (rng.random(size) < 0.3) - 0.3) / math.sqrt(0.51))


SHAPES: dict[str, Draw] = {
    "normal": _standard(MEANS["normal"]),
    "Student, 3 df": lambda size, rng: rng.standard_t(3, size) / math.sqrt(3.0),
    "exponential": _standard(MEANS["exponential"]),
    "chi-square": _standard(ErrorShape(np.square, 1.0, math.sqrt(2.0))),
    "70 % zero": _mostly_zero,
    "lognormal": _standard(MEANS["lognormal"]),
    "lognormal 1.5": _standard(_lognormal(1.5)),  # skewness 33
}
MIXED = ("normal", "Student, 3 df", "exponential", "lognormal")


@dataclass(frozen=True, slots=True)
class Pair:
    """Shape and spread of the worse group and of the better one."""

    worse: str
    better: str
    spread: tuple[float, float]


def pairs() -> Iterator[Pair]:
    """Return one shape with either spread doubled, then two shapes."""
    for name, spread in itertools.product(SHAPES, SAME):
        yield Pair(name, name, spread)
    for worse, better in itertools.permutations(MIXED, 2):
        yield Pair(worse, better, (1.0, 1.0))


def rates(pair: Pair, sizes: tuple[int, int], n: int, rng: np.random.Generator) -> Array:
    """Return the shares of "fail" and of "pass" at the limit, ours and Welch's each, shape (2, 2)."""
    worse = SHAPES[pair.worse]((n, sizes[0]), rng) * pair.spread[0] + LIMIT
    better = SHAPES[pair.better]((n, sizes[1]), rng) * pair.spread[1]
    codes, first, second = np.repeat([0, 1], sizes), np.array([0]), np.array([1])
    count = np.zeros((2, 2))
    for values in np.concatenate([worse, better], axis=1):
        found = moments_by_group(codes, 2, values)
        plain = mean_estimates(found)
        fail = means_violation(found, first, second, LIMIT), estimates_violation(plain, first, second, LIMIT)
        meet = means_compliance(found, first, second, LIMIT), estimates_compliance(plain, first, second, LIMIT)
        count += np.array([fail, meet])[:, :, 0] < ALPHA
    return count / n


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="500 data sets each")
    parser.add_argument("--simulations", type=int, metavar="N", help="data sets each (default 4000)")
    arguments = parser.parse_args()
    n = arguments.simulations or (500 if arguments.quick else 4_000)
    bound = ALPHA + 3.0 * math.sqrt(ALPHA * (1.0 - ALPHA) / n)
    print(f"{n:,} data sets each; alpha {ALPHA}, bound {bound:.4f}; limit {LIMIT} standard deviations")
    print(f"{'':54} {'false fail':^15} {'wrong pass':^15}")
    print(f"{'worse':<14} {'better':<14} {'spread':<8} {'sizes':<14} {'ours':>8} {'Welch':>7} {'ours':>8} {'Welch':>7}")
    for place, (pair, sizes) in enumerate(itertools.product(pairs(), SIZES)):
        found = rates(pair, sizes, n, np.random.default_rng(place))
        marks = ["!" if rate > bound else " " for rate in found[:, 0]]
        spread, size = f"{pair.spread[0]:g} : {pair.spread[1]:g}", f"{sizes[0]} / {sizes[1]}"
        label = f"{pair.worse:<14} {pair.better:<14} {spread:<8} {size:<14}"
        fail, meet = (f"{ours:>7.4f}{mark} {plain:>7.4f}" for (ours, plain), mark in zip(found, marks, strict=True))
        print(f"{label} {fail} {meet}", flush=True)


if __name__ == "__main__":
    main()
