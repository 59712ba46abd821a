"""Error rates of the tests over overlapping repeats, by simulation of whole sweeps with a known gap.

``python -m benchmarks.sweeps [--quick] [--only one|four|change]`` prints three tables (``--overhead``: what a sweep
costs, see `benchmarks.sweep_overhead`). A sweep is of n patients in two
groups (35 and 65 %), 32 % of them positive, with Gaussian features; it is split J times at 0.7:0.3, a model is
trained on each training part, and the gap of false negative rates is taken on the test part. Splits are stratified by
group and outcome ("outcome") or by group alone ("group"). The true gap is what the learner has in the population on
average over its training sets of that size, from an independent simulation. The learners:

- pooled: linear discriminant analysis that does not see the group; what it learns hardly varies
- with group: the same with the group as a feature
- by group: a discriminant of its own for each group; training sets matter as much as patients
- neighbours: five nearest neighbours, unstable and local

Tests: "two parts" is `judge_gaps` with the test rows' variance, "corrected" is Nadeau and Bengio's, "plain" a t test
over the repeats, "patients" Welch's test of the patients' own mean errors. At the limit (the true gap is the limit):
share of sweeps that fail, false alarms, and that pass, wrong too. Detection: the gap exceeds the limit by so much
that an oracle, which knows the variance, finds 80 %. J = 20 are the first of the 100 repeats. "Excess" is the mean of
the two-part variance over the true one.

Why the strata matter: tables differ in how many positives each group has, and a learner that learns its thresholds
from them varies with that. Splits that are stratified by outcome all have the table's own proportion, so that no
variance over repeats can show it.

The second table is of sweeps over four mixes at one training size: shares of 0.2, 0.35, 0.5 and 0.8 of
the smaller group, or four draws with a share of 0.5, all alike, where the choice of the worst mix can only be a
choice of noise. The slope of a group's rate on its share is judged with three variances: as if test rows made all of
the difference (Nadeau and Bengio), training rows all of it, and as if repeats were independent.

The third table is of `gap: change` at the true reduction, in the 31 worlds of `benchmarks.sweep_changes`: models that
do not learn and such that do, rows of very unequal number, skewed errors, clusters.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
from dataclasses import dataclass

import numpy as np
import scipy
from scipy import special

from benchmarks.sweep_changes import print_changes
from benchmarks.sweep_overhead import print_overhead
from benchmarks.sweep_worlds import (
    ALIKE,
    LEARNERS,
    SHARE,
    TEST,
    UNEQUAL,
    Array,
    Learner,
    Neighbours,
    Sweeps,
    simulate,
    true_rates,
)
from fairness_checks.stats.estimates import Estimates
from fairness_checks.stats.gaps import dependence, each_mix, worst_case
from fairness_checks.stats.judge_repeats import judge_gaps, repeats_compliance, repeats_violation
from fairness_checks.stats.repeats import repeat_estimates

ALPHA, BOUND = 0.05, 0.08
SHARES = {"unequal": UNEQUAL, "alike": ALIKE}


@dataclass(frozen=True)
class Rates:
    """Shares of sweeps: false alarms and wrong passes at the limit, and detection."""

    fail: float
    passed: float
    found: float

    @classmethod
    def of(cls, gaps: Estimates, truth: float) -> Rates:
        """Judge every sweep's gap at the true one, and moved so far beyond it that an oracle finds 80 %."""
        beyond = (special.ndtri(1.0 - ALPHA) + special.ndtri(0.8)) * gaps.value.std(ddof=1) * np.sign(truth)
        moved = Estimates(gaps.value + beyond, gaps.variance, gaps.freedom)
        return cls(
            fail=float(np.mean(repeats_violation(gaps, abs(truth)) < ALPHA)),
            passed=float(np.mean(repeats_compliance(gaps, abs(truth)) < ALPHA)),
            found=float(np.mean(repeats_violation(moved, abs(truth)) < ALPHA)),
        )

    def __str__(self) -> str:
        return f"{self.fail:6.3f} {self.passed:5.3f} {self.found:5.2f}"


def independent(gaps: Array) -> Estimates:
    """Return the estimates of a plain t test over repeats."""
    repeats = gaps.shape[1]
    return Estimates(gaps.mean(axis=1), gaps.var(axis=1, ddof=1) / repeats, np.full(len(gaps), repeats - 1.0))


def one_mix(learner: Learner, n: int, sizes: tuple[int, int], models: int, strata: str) -> list[float]:
    """Print the rows of a learner and a size; return the two-part test's rates at the limit."""
    rng = np.random.default_rng(n)
    rates = true_rates(rng, learner, n, models, strata)[0]
    truth = float(rates[0] - rates[1])
    seen = simulate(rng, learner, n, sizes, strata)
    parts = ((1.0 - TEST) * n, TEST * n)
    at_limit = []
    for repeats in (20, sizes[1]):
        gaps = seen.rates[:, 0, :repeats, 0] - seen.rates[:, 0, :repeats, 1]
        both = repeat_estimates(gaps, *parts, seen.test_variance(n, repeats)[:, 0].sum(axis=1))
        patients = Estimates(seen.patients[:, 0], seen.patients[:, 1], np.full(len(gaps), np.inf))
        tests = [Rates.of(e, truth) for e in (both, repeat_estimates(gaps, *parts), independent(gaps), patients)]
        at_limit += [tests[0].fail, tests[0].passed]
        excess = np.mean(both.variance) / np.var(gaps.mean(axis=1), ddof=1)
        print(f"{learner.name:>11} {strata:>8} {n:5d} {repeats:4d} {truth:7.3f} ", *tests, f"{excess:6.2f}", flush=True)
    return at_limit


def judged(seen: Sweeps, truth: Array, shares: Array, n: int, repeats: int, kind: str) -> tuple[float, float]:
    """Shares of sweeps that fail and that pass a check at its limit, judged as the gate does."""
    fails, passes = [], []
    tested = seen.test_variance(n, repeats)
    gap = truth[:, 0] - truth[:, 1]
    # Of both groups' rows in the table, the largest share that a training set holds.
    size = (1.0 - TEST) * SHARE / max(UNEQUAL)
    trained = size * np.maximum(shares / SHARE, (1.0 - shares) / (1.0 - SHARE))
    worst = float(truth[:, 0].max() - truth[:, 1].max())
    for rates, variance in zip(seen.rates[:, :, :repeats], tested, strict=True):
        if kind == "each mix":
            asked, limit = each_mix(rates, variance), float(np.abs(gap).max())
        else:
            asked, limit = worst_case(rates, lower_is_better=True, test_variance=variance), abs(worst)
        found = judge_gaps(
            asked.value,
            limit,
            ALPHA,
            n_train=(1.0 - TEST) * n,
            n_test=TEST * n,
            first=asked.first,
            second=asked.second,
            test_variance=asked.test_variance,
            trained_share=np.maximum(trained[asked.first_mix], trained[asked.second_mix]),
        ).inference
        fails.append(found.p_violation < ALPHA)
        passes.append(found.p_compliance < ALPHA)
    return float(np.mean(fails)), float(np.mean(passes))


def many_mixes(learner: Learner, n: int, sizes: tuple[int, int], models: int) -> None:
    """Print the rows of a learner and a size under several mixes."""
    for name, shares in SHARES.items():
        rng = np.random.default_rng(n)
        truth = true_rates(rng, learner, n, models, "outcome", shares)
        if name == "alike":
            truth = np.broadcast_to(truth.mean(axis=0), truth.shape)
        seen = simulate(rng, learner, n, sizes, "outcome", shares)
        for repeats in (20, sizes[1]):
            row = [f"{learner.name:>11} {n:5d} {repeats:4d} {name:>8} "]
            for kind in ("each mix", "worst case"):
                row.append("{:6.3f} {:5.3f}   ".format(*judged(seen, truth, np.array(shares), n, repeats, kind)))
            if name == "unequal":
                row += slopes(seen, truth, np.array(shares), n, repeats)
            print(*row, flush=True)


def slopes(seen: Sweeps, truth: Array, shares: Array, n: int, repeats: int) -> list[str]:
    """Rates of three tests of the first group's slope on its share, at the true slope."""
    both = np.stack([shares, 1.0 - shares], axis=1)
    true_slope = float(dependence(truth[:, None, :], both)[0, 0])
    slope = np.stack([dependence(rates[:, :repeats], both)[0] for rates in seen.rates])
    parts = ((1.0 - TEST) * n, TEST * n)
    found = (repeat_estimates(slope, *parts), repeat_estimates(slope, *parts, np.zeros(len(slope))), independent(slope))
    return [f"{true_slope:7.3f}", *(str(Rates.of(e, true_slope)) for e in found)]


def print_one_mix(sizes: tuple[int, int], models: int) -> None:
    """Print the first table."""
    sweeps, repeats = sizes
    print(f"one mix, {sweeps} sweeps a cell (neighbours: 400 at most); per test: fail, pass at the limit, detection")
    heads = ("two parts", "corrected", "plain", "patients")
    print(f"{'learner':>11} {'strata':>8} {'n':>5} {'J':>4} {'gap':>7} ", *(f"{head:>18}" for head in heads), "excess")
    worst = {}
    for strata, learners in (("outcome", LEARNERS), ("group", LEARNERS[1:3])):
        rates = []
        for learner in learners:
            slow = isinstance(learner, Neighbours)
            few, fewer = (min(sweeps, 400), min(models, 500)) if slow else (sweeps, models)
            for n in (300, 750, 2_000):
                rates += one_mix(learner, n, (few, repeats), fewer, strata)
        worst[strata] = max(rates)
    for strata, rate in worst.items():
        print(f"two parts, strata {strata}: worst rate at the limit {rate:.3f}")


def print_many_mixes(sizes: tuple[int, int], models: int) -> None:
    """Print the second table."""
    print(f"four mixes, {sizes[0]} sweeps a cell; per test: fail, pass at the limit; slope: detection too")
    heads = ("test rows", "training rows", "plain")
    print(
        f"{'learner':>11} {'n':>5} {'J':>4} {'mixes':>8}  {'each mix':>13}    {'worst case':>13}   ",
        f"{'slope':>8}",
        *(f"{head:>18}" for head in heads),
    )
    for learner in LEARNERS[:3]:
        # Each group must have positives to learn from.
        many_mixes(learner, 300 if learner.name == "pooled" else 750, sizes, models)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="100 sweeps of 40 repeats instead of 500 of 100")
    parser.add_argument("--only", choices=("one", "four", "change"), help="one mix, four, or the change between two")
    parser.add_argument("--overhead", action="store_true", help="a sweep's time beside a loop of fit and predict")
    asked = parser.parse_args()
    (sweeps, repeats), models = ((100, 40), 300) if asked.quick else ((500, 100), 2_000)
    versions = f"Python {platform.python_version()} numpy {np.__version__} scipy {scipy.__version__}"
    print(f"python -m benchmarks.sweeps, {datetime.date.today()}, {os.cpu_count()} cores; {versions}")
    if asked.overhead:
        print_overhead(quick=asked.quick)
        return
    print(f"alpha {ALPHA}, bound {BOUND}")
    if asked.only in (None, "one"):
        print_one_mix((sweeps, repeats), models)
    if asked.only in (None, "four"):
        print_many_mixes((min(sweeps, 400), repeats), models)
    if asked.only in (None, "change"):
        print_changes(40 if asked.quick else 400)


if __name__ == "__main__":
    main()
