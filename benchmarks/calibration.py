"""False-alarm and detection rates of the gate by simulation, beside the gates that it is compared with.

``python -m benchmarks.calibration [--quick] [--only KIND] [--cell TEXT] [--simulations N] [--jobs N]`` prints one
table; with ``--world NAME [--small] [--alpha A]`` that of `benchmarks.calibration_hard`: unequal clusters, clusters in
both groups, groups of unequal size, rare events, strata of two samples. The G groups alternate between two sizes, and
every other one is worse by the true disparity (`benchmarks.calibration_worlds` draws the samples). Sizes count what is
independent: samples, or clusters of 2 to 5 samples. Half the samples behind an area are positive. Columns:

- at limit, false fail: the true disparity is exactly the limit. Ours; a plain test adjusted over the pairs like ours
  (Welch's, for means); the point gate, which fails what exceeds the limit; the bootstrap gate, which fails when the
  percentile interval of the largest disparity (90 %, 200 resamples of rows within groups) lies above it; and the oracle
- at limit, wrong pass: ours and the plain test. Each of these columns shows the worst of all assignments: worse groups
  of the one or the other size, and for skewed errors shifted or scaled ones
- fair: no disparity; share of "fail"
- detection: the worse groups (of the first size) are so much worse that the asymptotic power is about 80 %, that of the
  oracle, a test that knows the true variances, if estimates were normal: that disparity, the share of "fail" in four
  times as many data sets, its ratio to the asymptotic power ("asym"). Where estimates are not normal, the oracle
  exceeds its level (column "oracle"); "held" is the ratio to the oracle's detection with the critical value, simulated
  at the limit, that keeps the level in every assignment; seconds

"!" marks rates of ours above alpha plus three standard errors of the simulation. Where the gate judges no group by its
rules (too few clusters) there is nothing to simulate: "inconclusive by rule".
"""

from __future__ import annotations

import argparse
import functools
import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from benchmarks.calibration_check import check_against_audit
from benchmarks.calibration_gates import ALPHA, asymptotic_power, normal_critical_value, oracle_statistic
from benchmarks.calibration_hard import WORLDS, HardCell, hard_cells, hard_header, run_hard_cell
from benchmarks.calibration_kinds import KINDS, World, world_of
from benchmarks.calibration_simulation import detectable, simulate, true_deviations, truths_at_limit
from benchmarks.calibration_worlds import Array, Design

GROUPS = (2, 3, 6, 24)
SIZES = ((34, 62), (100, 200), (500, 500))
# Name, width, digits, and whether it is an error rate of ours, which must not exceed alpha.
COLUMNS = (
    ("ours", 8, 4, True),
    ("plain", 6, 4, False),
    ("point", 5, 3, False),
    ("boot", 5, 3, False),
    ("oracle", 6, 3, False),
    ("ours", 8, 4, True),
    ("plain", 6, 4, False),
    ("ours", 7, 4, True),
    ("at", 6, 3, False),
    ("ours", 5, 3, False),
    ("asym", 6, 2, False),
    ("held", 6, 2, False),
    ("sec", 5, 0, False),
)


@dataclass(frozen=True, slots=True)
class Cell:
    """One row of the table."""

    name: str
    clustered: bool
    sizes: tuple[int, int]
    groups: int
    simulations: int
    seed: tuple[int, ...]

    @property
    def title(self) -> str:
        """First columns of its row: kind, unit, sizes and number of groups."""
        unit = "clusters" if self.clustered else "samples"
        return f"{self.name:<11} {unit:<8} {self.sizes[0]:>3}/{self.sizes[1]:<3} {self.groups:>2}"


Some = TypeVar("Some", Cell, HardCell)


def _worst(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return max(known) if known else None


def _row(values: Sequence[float | None], bound: float) -> str:
    """Write the columns of a row; "!" marks a rate of ours above the bound."""
    parts = []
    for value, (_, width, digits, rate_of_ours) in zip(values, COLUMNS, strict=True):
        number = "-" if value is None else f"{value:.{digits}f}"
        mark = "!" if rate_of_ours and value is not None and value > bound else ""
        parts.append(f"{number:>{width}}{mark:<1}")
    return " ".join(parts).rstrip()


def header() -> str:
    """Return the two lines above the columns."""
    names = " ".join(f"{name:>{width}} " for name, width, _, _ in COLUMNS)
    spans, top = iter(COLUMNS), []
    for title, count in (("at limit: false fail", 5), ("wrong pass", 2), ("fair", 1), ("detection", 5)):
        width = sum(next(spans)[1] + 2 for _ in range(count))
        top.append(f"{title:^{width}}")
    label = f"{'kind':<11} {'unit':<8} {'sizes':^7} {'G':>2} {'n':>6} "
    return f"{'':{len(label)}}{''.join(top).rstrip()}\n{label}{names.rstrip()}"


ORACLE = 4_000
"""Data sets of two groups that the oracle's standard errors come from. The largest of 276 pairs pays for every per cent
by which they are off: from 400 data sets the oracle's detection moved by 0.1."""


DETECTION = 4
"""Times as many data sets for detection: its ratio to the asymptotic power would move by 0.02 otherwise."""


def _bound(simulations: int) -> float:
    return ALPHA + 3.0 * math.sqrt(ALPHA * (1.0 - ALPHA) / simulations)


def _oracle(world: World, design: Design, disparity: Array, rng: np.random.Generator) -> tuple[float, float]:
    """Return the oracle's false alarms at the limit, and the critical value that would have kept its level."""
    deviations = true_deviations(world, design, ORACLE, rng)
    statistic = oracle_statistic(disparity, deviations, world.limit)
    alarms = statistic > normal_critical_value(design, deviations, world.limit, rng)
    return float(np.mean(alarms)), float(np.quantile(statistic, 1.0 - ALPHA))


def run_cell(cell: Cell) -> str:
    """Simulate a cell and return its row."""
    started, rng, world = time.perf_counter(), np.random.default_rng(cell.seed), world_of(cell.name)
    base, n = Design(cell.sizes, cell.groups, cell.clustered), cell.simulations
    label = f"{cell.title} {n:>6} "
    if not world.evidence(base, 20, rng).judged.any():
        return f"{label} inconclusive by rule"
    truths = truths_at_limit(world, base)
    limit = [simulate(world, truth, n, rng, peers=True) for truth in truths]
    fair = simulate(world, base, n, rng, peers=False)
    worse = replace(base, disparity=detectable(world, base, min(max(n // 4, 200), 1_000), rng))
    found = simulate(world, worse, DETECTION * n, rng, peers=False)

    oracles = [_oracle(world, truth, rate.disparity, rng) for truth, rate in zip(truths, limit, strict=True)]
    deviations = true_deviations(world, worse, ORACLE, rng)
    critical = max(critical for _, critical in oracles)
    held = float(np.mean(oracle_statistic(found.disparity, deviations, world.limit) > critical))
    values = (
        max(rate.fail for rate in limit),
        _worst([rate.plain_fail for rate in limit]),
        max(rate.point for rate in limit),
        _worst([rate.bootstrap for rate in limit]),
        max(alarms for alarms, _ in oracles),
        max(rate.passed for rate in limit),
        _worst([rate.plain_pass for rate in limit]),
        fair.fail,
        worse.disparity,
        found.fail,
        found.fail / asymptotic_power(worse, deviations, world.limit, rng),
        found.fail / max(held, 1.0 / n),
        time.perf_counter() - started,
    )
    return label + _row(values, _bound(n))


def cells(only: str | None, simulations: int, *, quick: bool) -> list[Cell]:
    """Return all cells; every one has its own seed, so that neither `--only` nor `--jobs` changes a row."""
    result = []
    for kind, names in enumerate(KINDS):
        for position, name in enumerate(KINDS[names]):
            if only not in (None, names):
                continue
            sizes = (world_of(name).smallest, *SIZES[: 2 if quick else 3])
            for clustered in (False, True):
                for place, pair in enumerate(sizes):
                    for groups in GROUPS:
                        n = simulations * (5 if name == "proportion" and not clustered else 1)
                        n = n // 2 if groups > 6 and n == simulations else n
                        seed = (kind, position, int(clustered), place, groups)
                        result.append(Cell(name, clustered, pair, groups, n, seed))
    return result


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--quick", action="store_true", help="200 simulations, no 500/500; compares p-values with audit()"
    )
    parser.add_argument("--only", choices=KINDS, help="one kind of metric")
    parser.add_argument("--world", choices=(*WORLDS, "all"), help="the table of worlds that are hard on a test")
    parser.add_argument("--small", action="store_true", help="with --world: two cells of each world")
    parser.add_argument("--alpha", type=float, default=ALPHA, help=f"with --world: the level (default {ALPHA})")
    parser.add_argument("--cell", metavar="TEXT", help='one row, as in --cell "auc samples 34/62 2"')
    parser.add_argument(
        "--simulations",
        type=int,
        metavar="N",
        help="per cell; five times as many for independent proportions, half as many for 24 groups (default 1000)",
    )
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes")
    arguments = parser.parse_args()
    simulations = arguments.simulations or (200 if arguments.quick else 1_000)
    if arguments.quick and arguments.world is None:
        for kind in [arguments.only] if arguments.only else KINDS:
            for name in KINDS[kind]:
                world = world_of(name)
                check_against_audit(world.evidence, world.limit, np.array([0.0, world.limit, world.highest / 2.0]))
        print("p-values of a few data sets of each kind are those of audit()")
    if arguments.world is not None:
        todo_hard = _chosen(parser, arguments.cell, hard_cells(arguments.world, small=arguments.small))
        print(hard_header(arguments.alpha, simulations), flush=True)
        _print_rows(
            functools.partial(run_hard_cell, alpha=arguments.alpha, simulations=simulations), todo_hard, arguments.jobs
        )
        return
    todo = _chosen(parser, arguments.cell, cells(arguments.only, simulations, quick=arguments.quick))
    bounds = (f"{_bound(n):.4f} at n = {n:,}" for n in sorted({cell.simulations for cell in todo}))
    print(f"alpha {ALPHA}; bound alpha + 3 standard errors: {', '.join(bounds)}")
    print(header(), flush=True)
    _print_rows(run_cell, todo, arguments.jobs)


def _chosen(parser: argparse.ArgumentParser, title: str | None, todo: list[Some]) -> list[Some]:
    """Return the cells of a title, or all."""
    if title is None:
        return todo
    todo = [cell for cell in todo if cell.title.split() == title.split()]
    if not todo:
        parser.error(f"--cell: no row {title!r}; give its first columns as in the table, up to sizes and groups")
    return todo


def _print_rows(run: Callable[[Some], str], todo: Sequence[Some], jobs: int) -> None:
    if jobs == 1:
        for cell in todo:
            print(run(cell), flush=True)
        return
    with ProcessPoolExecutor(jobs) as pool:
        for row in pool.map(run, todo):
            print(row, flush=True)


if __name__ == "__main__":
    main()
