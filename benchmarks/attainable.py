"""How much of the asymptotic power any test of means could have where errors are skewed and groups are many.

``python -m benchmarks.attainable [--simulations N]`` prints one table: 24 groups of 100 and 200 samples or clusters, as
in `benchmarks.calibration`. Each row has the asymptotic power at a disparity where it is about 80 %, and the share of
it that is reached by

- known: a normal test that knows the true variances;
- Welch: the largest of all pairs' t statistics, with the samples' own variances;
- ours.

The first two are given the critical value that keeps the level in every assignment of the design (worse groups of the
one or the other size, errors shifted or scaled), from simulations: no table of quantiles could serve them better. The
last column is the false failures of ours, the worst of the assignments.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from benchmarks.calibration import ORACLE
from benchmarks.calibration_evidence import Means
from benchmarks.calibration_gates import ALPHA, asymptotic_power, oracle_statistic
from benchmarks.calibration_kinds import World, world_of
from benchmarks.calibration_simulation import detectable, parts, simulate, true_deviations, truths_at_limit
from benchmarks.calibration_worlds import Array, Design

SIZES, GROUPS = (100, 200), 24
NAMES = ("normal", "exponential", "lognormal")


def _statistics(world: World, design: Design, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return the statistics of the test that knows the variances and of Welch's, shapes (n,)."""
    deviations = true_deviations(world, design, ORACLE, rng)

    def both() -> Iterator[tuple[Array, Array]]:
        for evidence in parts(world, design, n, rng):
            assert isinstance(evidence, Means)
            known = oracle_statistic(evidence.disparity, deviations, world.limit)
            yield known, oracle_statistic(evidence.disparity, evidence.standard_errors, world.limit)

    known, welch = zip(*both(), strict=True)
    return np.concatenate(known), np.concatenate(welch)


def row(name: str, clustered: bool, n: int) -> str:
    """Simulate one design and return its row."""
    rng, world = np.random.default_rng((NAMES.index(name), int(clustered))), world_of(name)
    base = Design(SIZES, GROUPS, clustered)
    worse = replace(base, disparity=detectable(world, base, 1_000, rng))
    power = asymptotic_power(worse, true_deviations(world, worse, ORACLE, rng), world.limit, rng)
    truths = truths_at_limit(world, base)
    null = [_statistics(world, truth, n, rng) for truth in truths]
    found = _statistics(world, worse, n, rng)
    shares = [
        float(np.mean(found[test] > max(np.quantile(some[test], 1.0 - ALPHA) for some in null))) / power
        for test in (0, 1)
    ]
    ours = simulate(world, worse, n, rng, peers=False).fail / power
    alarms = max(simulate(world, truth, n, rng, peers=False).fail for truth in truths)
    unit = "clusters" if clustered else "samples"
    return f"{name:<12} {unit:<8} {power:>10.3f} {shares[0]:>7.2f} {shares[1]:>7.2f} {ours:>7.2f} {alarms:>12.4f}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--simulations", type=int, default=2_000, metavar="N", help="per design (default 2000)")
    n = parser.parse_args().simulations
    print(f"{GROUPS} groups of {SIZES[0]} and {SIZES[1]}, alternating; {n:,} simulations; alpha {ALPHA}")
    print(
        f"{'errors':<12} {'unit':<8} {'asymptotic':>10} {'known':>7} {'Welch':>7} {'ours':>7} {'false fail':>12}",
        flush=True,
    )
    for name in NAMES:
        for clustered in (False, True):
            print(row(name, clustered, n), flush=True)


if __name__ == "__main__":
    main()
