"""How often our tests are wrong in the worlds of `hard_worlds`: ``python -m benchmarks.calibration --world``.

Data sets are measured and tested by the functions of `fairness_checks.kinds`, many at once. The truth is no difference
at a limit of 0 ("equal: fail"), and exactly the limit with either group the worse one (the worst of both: "limit: fail"
and "pass"), among the data sets that the gate judges; "judged" is their share.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.calibration_gates import Flags
from benchmarks.calibration_worlds import Array, Integers
from benchmarks.hard_worlds import METRICS, SHARED, Drawn, Layout, Placed, place
from fairness_checks import METRICS as DEFINED
from fairness_checks import Predictions
from fairness_checks.kinds import kind_of
from fairness_checks.kinds.balanced_accuracy import EffectiveCells
from fairness_checks.kinds.estimated import EstimatedKind
from fairness_checks.kinds.measured import few_clusters
from fairness_checks.kinds.rates import Rates, measure_rates
from fairness_checks.kinds.standardised import standardise
from fairness_checks.measure.rows import Rows
from fairness_checks.question.checks import Settings
from fairness_checks.records.parts import GroupRecord
from fairness_checks.stats.balanced_accuracy import balanced_accuracy_too_small
from fairness_checks.stats.clusters import cluster_cells
from fairness_checks.stats.disparity import rates_compliance, rates_violation, score_compliance, score_violation
from fairness_checks.stats.estimates import estimates_compliance, estimates_violation
from fairness_checks.stats.few_clusters import ClaimsFreedom, claims_freedom
from fairness_checks.stats.judge_mismatch import MismatchPairs
from fairness_checks.stats.means import mean_estimates, means_compliance, means_violation
from fairness_checks.stats.mismatch import mismatch_by_group
from fairness_checks.stats.mismatch import too_small as mismatch_too_small
from fairness_checks.stats.moments import moments_by_group
from fairness_checks.stats.ranking import too_small as area_too_small
from fairness_checks.stats.rate_pairs import Pairs
from fairness_checks.stats.skewness import can_be_judged

__all__ = ["WORLDS", "HardCell", "Truth", "hard_cells", "hard_header", "run_hard_cell", "simulated"]

_ROWS = 200_000  # of one part of the data sets
_MOST_GROUPS = 1_000  # that one feature may have
_PAIR = np.array([0]), np.array([1])
_FIRST = np.array([0])


@dataclass(frozen=True, slots=True)
class HardCell:
    """A row of the table: a world, a metric, and the sizes of the two groups."""

    world: str
    metric: str
    units: tuple[int, int]
    seed: tuple[int, ...]

    @property
    def title(self) -> str:
        """First columns of its row."""
        return f"{self.world:<11} {self.metric:<14} {f'{self.units[0]:,} / {self.units[1]:,}':>14}"


def _rows(placed: Placed, given: dict[str, Array], *, clustered: bool) -> Rows:
    names = [f"{code:06d}" for code in range(2 * placed.data_sets)]
    feature = pd.Categorical.from_codes(placed.codes, names)
    cluster = placed.clusters if clustered else None
    return Rows(Predictions(**given, sensitive_features={"group": feature}, cluster=cluster), ["group"])  # type: ignore[arg-type]


def _rate_p(pairs: Pairs, margin: float, alpha: float, clusters: ClaimsFreedom | None = None) -> Array:
    """p-values of both tests of ordered pairs, shape (2, S); 1 where the score test's are far from alpha."""
    estimated = False if clusters is None else clusters.estimated
    result = np.ones((2, len(pairs)))
    for row, (score, test) in enumerate(((score_violation, rates_violation), (score_compliance, rates_compliance))):
        near = np.flatnonzero(score(pairs, -margin, margin) < 5.0 * alpha)
        if len(near) == 0:
            continue
        some = np.broadcast_to(estimated, len(pairs))[near]
        p = test(pairs.take(near), margin, "difference", alpha, some)
        if clusters is not None:
            of_near = clusters.take(near)
            p = of_near.compliance.one_sided(p) if row else of_near.violation.both_sided(p, margin)
        result[row, near] = p
    return result


def _clustered_rate_p(rates: Rates, first: Integers, second: Integers, margin: float, alpha: float) -> Array:
    """p-values of pairs (first, second) of groups of clustered rates, as `RatePairs` has those of one data set."""
    (events, samples), known = rates.evidence, rates.tail_freedom
    assert rates.effective is not None
    assert known is not None
    shared = rates.effective.shared
    pairs = Pairs(events[first], samples[first], events[second], samples[second])
    pairs = pairs if shared is None else pairs.joined(shared[first, second])
    swap = pairs.exchanged()
    first, second = np.where(swap, second, first), np.where(swap, first, second)
    correlation, ordered = None if shared is None else shared[first, second], pairs.ordered()
    one, other = ((known[0][side], known[1][side]) for side in (first, second))
    clusters = claims_freedom(ordered, one, other, "difference", correlation)
    return _rate_p(ordered, margin, alpha, clusters)


def _judged(placed: Placed) -> Flags:
    """Say which data sets have enough clusters in both groups, shape (S,)."""
    cells = cluster_cells(placed.codes, 2 * placed.data_sets, placed.clusters)
    sizes = np.bincount(placed.codes, minlength=2 * placed.data_sets)
    counts = zip(cells.by_group().tolist(), sizes.tolist(), cells.effective().tolist(), strict=True)
    enough = [few_clusters(int(clusters), n, effective) is None for clusters, n, effective in counts]
    return np.asarray(np.array(enough).reshape(-1, 2).all(axis=1))


def _p_values(placed: Placed, drawn: Drawn, rows: Rows, margin: float, alpha: float) -> tuple[Array, Flags]:
    """p-values of H0 "the limit is kept" and "met or exceeded", shape (2, S), and which data sets are judged."""
    definition = DEFINED[drawn.metric]
    kind = kind_of(definition)
    first, second = np.arange(0, 2 * placed.data_sets, 2), np.arange(1, 2 * placed.data_sets, 2)
    judged = _judged(placed)
    if definition.kind == "mismatch":
        return _mismatches(placed, rows, margin, judged)
    if definition.kind == "proportion":
        counts = measure_rates(rows, definition)
        assert counts is not None  # clustered
        return _clustered_rate_p(counts.statistics, first, second, margin, alpha), judged
    assert isinstance(kind, EstimatedKind)
    measured = kind.measure(rows, definition)
    if measured is None:  # balanced accuracies of independent samples are in the confusion counts
        assert rows.counts is not None
        some: Any = EffectiveCells(rows.counts.astype(np.float64))
    else:
        some = measured.statistics
    if definition.kind == "mean":  # the skewness of both groups of a data set is pooled
        p = np.ones((2, placed.data_sets))
        for s in np.flatnonzero(judged):
            both = some.take([2 * s, 2 * s + 1])
            judged[s] = can_be_judged(both).all()
            p[:, s] = kind.violation(both, *_PAIR, margin)[0], kind.compliance(both, *_PAIR, margin)[0]
        return p, judged
    small = area_too_small(some) if definition.kind == "ranking" else np.zeros(2 * placed.data_sets, dtype=np.bool_)
    if definition.kind == "balanced_accuracy":
        small = balanced_accuracy_too_small(some.counts * (1.0 + 1e-9))
    judged &= ~small.reshape(-1, 2).any(axis=1)
    with np.errstate(all="ignore"):  # of data sets that are not judged
        return np.stack(
            [kind.violation(some, first, second, margin), kind.compliance(some, first, second, margin)]
        ), judged


def _mismatches(placed: Placed, rows: Rows, margin: float, judged: Flags) -> tuple[Array, Flags]:
    """Judge each data set by itself: errors are ranked among its two groups only."""
    error, uncertainty = rows.predictions.ranked_errors(), rows.predictions.uncertainties()
    p = np.ones((2, placed.data_sets))
    order = np.argsort(placed.codes // 2, kind="stable")
    bounds = np.searchsorted(placed.codes[order] // 2, np.arange(placed.data_sets + 1))
    for s in np.flatnonzero(judged):
        some = order[bounds[s] : bounds[s + 1]]
        codes, clusters = placed.codes[some] - 2 * s, placed.clusters[some]
        cells = None if rows.clusters is None else cluster_cells(codes, 2, clusters - clusters.min())
        found = mismatch_by_group(codes, 2, error[some], uncertainty[some], cells)
        judged[s] = not mismatch_too_small(found).any()
        pairs = MismatchPairs(found)
        p[:, s] = pairs.violation(_FIRST, margin)[0], pairs.compliance(_FIRST, margin)[0]
    return p, judged


@dataclass(frozen=True, slots=True)
class Truth:
    """The true difference, which of the two groups is the worse one, and the limit that is asked about."""

    difference: float
    worse: int
    limit: float


def _of_rows(cell: HardCell, truth: Truth, data_sets: int, alpha: float, rng: np.random.Generator) -> Iterator[Array]:
    drawn, layout = METRICS[cell.metric], Layout(cell.world, cell.units)
    most = max(int(_ROWS / (cell.units[0] if cell.world == SHARED else sum(cell.units)) / 4.0), 1)
    most = min(most, 250 if cell.world == SHARED else _MOST_GROUPS // 2)  # all pairs of groups have a correlation
    for start in range(0, data_sets, most):
        placed = place(layout, min(most, data_sets - start), rng)
        given = drawn.draw(placed, placed.codes % 2 == truth.worse, truth.difference, rng)
        rows = _rows(placed, given, clustered=cell.world != "single")
        p, judged = _p_values(placed, drawn, rows, truth.limit, alpha)
        yield np.vstack([np.where(judged, p, 1.0), judged])


def _of_counts(cell: HardCell, truth: Truth, data_sets: int, alpha: float, rng: np.random.Generator) -> Iterator[Array]:
    """Judge rates of independent samples."""
    rates = float(cell.metric.split()[1]) + truth.difference * (np.arange(2) == truth.worse)
    x1, x2 = rng.binomial(cell.units, rates, size=(data_sets, 2)).T.astype(np.float64)
    n1, n2 = (np.full(data_sets, float(n)) for n in cell.units)
    one, place_ = np.unique(np.stack([x1, n1, x2, n2]), axis=1, return_inverse=True)
    p = _rate_p(Pairs(*one).ordered(), truth.limit, alpha)
    yield np.vstack([p[:, place_.reshape(-1)], np.ones(data_sets)])


def _of_strata(cell: HardCell, truth: Truth, data_sets: int, alpha: float, rng: np.random.Generator) -> Iterator[Array]:
    """Judge values standardised over strata of as many samples a group as there are units."""
    strata, (first, second) = 50, cell.units
    names = [(f"{stratum:03d}", group) for stratum in range(strata) for group in "ab"]
    sizes = np.tile([first, second], strata)
    worse = np.tile(np.arange(2) == truth.worse, strata)
    apart = np.repeat(np.linspace(-1.0, 1.0, strata), 2)
    for _ in range(data_sets):
        moments = None
        if cell.metric == "rate":
            events = rng.binomial(sizes, 0.35 + 0.2 * apart + truth.difference * worse)
            rate = DEFINED["false_negative_rate"]
            estimates = kind_of(rate).estimates(_Counted(events, sizes), rate)  # type: ignore[arg-type]
        else:
            codes = np.repeat(np.arange(2 * strata), sizes)
            scores = rng.standard_normal(len(codes))
            shape = np.exp(scores) if cell.metric == "lognormal" else scores
            moments = moments_by_group(codes, 2 * strata, shape + (apart + truth.difference * worse)[codes])
            estimates = mean_estimates(moments)
        cells = [
            GroupRecord(name=name, samples=int(n), events=None, n=int(n), rate=float(value), low=None, high=None)
            for name, n, value in zip(names, sizes, estimates.value, strict=True)
        ]
        found = standardise(cells, estimates, 1, Settings(), moments)
        if found.moments is not None:
            p = [test(found.moments, *_PAIR, truth.limit)[0] for test in (means_violation, means_compliance)]
        else:
            p = [test(found.estimates, *_PAIR, truth.limit)[0] for test in (estimates_violation, estimates_compliance)]
        yield np.array([*p, 1.0])[:, None]


class _Counted:
    """Events and samples as `fairness_checks.kinds.group_statistics.GroupStatistics` has those of a rate."""

    def __init__(self, events: Array, samples: Array) -> None:
        self.measured: dict[str, object] = {}
        self._counts = events, samples

    def proportion(self, metric: object) -> tuple[Array, Array]:
        """Return them."""
        return self._counts


Simulation = Callable[[HardCell, Truth, int, float, np.random.Generator], Iterator[Array]]
_CLUSTERED = ("geometric", "Pareto", "one huge", "by outcome", SHARED)
_SIMULATIONS: dict[str, Simulation] = {
    **dict.fromkeys(("single", *_CLUSTERED), _of_rows),
    "rare": _of_counts,
    "strata": _of_strata,
}
WORLDS = tuple(_SIMULATIONS)

_RARE_LIMIT = 0.01
_RARE = ("rate 0.002", "rate 0.005", "rate 0.01")
_STRATA = ("rate", "normal", "lognormal")
_BY_SIZE = tuple(metric for metric in METRICS if metric != "rate 0.01")
_SMALL = {
    ("geometric", "normal", (20, 200)),
    ("geometric", "auc", (20, 20)),
    ("Pareto", "rate", (50, 50)),
    ("Pareto", "lognormal", (50, 50)),
    ("one huge", "normal", (30, 30)),
    ("one huge", "balanced", (50, 50)),
    ("by outcome", "rate", (20, 200)),
    ("by outcome", "auc", (50, 50)),
    ("shared", "rate", (30, 30)),
    ("shared", "mismatch", (30, 30)),
    ("single", "balanced", (30, 300)),
    ("single", "ece", (30, 300)),
    ("rare", "rate 0.002", (500, 50_000)),
    ("rare", "rate 0.005", (500, 5_000)),
    ("strata", "rate", (2, 2)),
    ("strata", "normal", (2, 2)),
}


def _sizes(world: str, metric: str) -> Sequence[tuple[int, int]]:
    if world == "rare":
        return (500, 500), (500, 5_000), (500, 50_000), (2_000, 20_000)
    if world == "strata":
        return (2, 2), (2, 20)
    if metric == "rate 0.01":
        return (100, 100), (100, 1_000)
    if world == "single":
        return (30, 300), (30, 3_000)
    if world == SHARED:
        return (30, 30), (60, 60)
    return ((30, 30), (50, 50), (30, 300)) if world == "one huge" else ((20, 20), (50, 50), (20, 200))


def hard_cells(world: str, *, small: bool = False) -> list[HardCell]:
    """Return the cells of a world, or of all of them; each has its own seed."""
    found = []
    for place_, name in enumerate(WORLDS):
        metrics: Sequence[str] = {"rare": _RARE, "strata": _STRATA, "single": _BY_SIZE[1:]}.get(name, tuple(METRICS))
        for metric in metrics:
            for units in _sizes(name, metric):
                seed = (place_, [*METRICS, *_RARE].index(metric), *units)
                if world in (name, "all") and (not small or (name, metric, units) in _SMALL):
                    found.append(HardCell(name, metric, units, seed))
    return found


def _truths(cell: HardCell) -> list[Truth]:
    limit = _RARE_LIMIT if cell.world == "rare" else METRICS[cell.metric].limit
    either = [Truth(limit, worse, limit) for worse in (0, 1)]
    return [Truth(0.0, 0, 0.0), *(either[:1] if cell.world == SHARED else either)]


def hard_header(alpha: float, simulations: int) -> str:
    """Return the lines above the rows."""
    columns = f"{'equal: fail':>12} {'limit: fail':>12} {'pass':>8} {'judged':>8} {'sec':>5}"
    bound = f"bound alpha + 3 standard errors: {_bound(alpha, simulations):.4f} where all are judged"
    label = f"{'world':<11} {'metric':<14} {'units':>14}"
    return f"alpha {alpha:g}, {simulations:,} data sets a truth; {bound}\n{label} {columns}"


def _bound(alpha: float, simulations: int) -> float:
    return alpha + 3.0 * math.sqrt(alpha * (1.0 - alpha) / max(simulations, 1))


def simulated(cell: HardCell, truth: Truth, data_sets: int, alpha: float, rng: np.random.Generator) -> Array:
    """Return both p-values of each data set, and 1 where it is judged; shape (3, S). Above alpha they may be 1."""
    return np.concatenate([*_SIMULATIONS[cell.world](cell, truth, data_sets, alpha, rng)], axis=1)


def run_hard_cell(cell: HardCell, alpha: float, simulations: int) -> str:
    """Simulate a cell and return its row; "!" marks rates above the bound."""
    started, shares = time.perf_counter(), []
    for place_, truth in enumerate(_truths(cell)):
        rng = np.random.default_rng((*cell.seed, place_))
        p = simulated(cell, truth, simulations, alpha, rng)
        judged = p[2] == 1.0
        fails, passes = p[0, judged] < alpha, p[1, judged] < alpha
        bound, count = _bound(alpha, int(judged.sum())), max(int(judged.sum()), 1)
        found = fails.sum() / count, (passes & ~fails).sum() / count
        shares.append((*((rate, "!" if rate > bound else " ") for rate in found), judged.mean()))
    (equal, _, _), *limit = shares
    worst = (equal, max(share[0] for share in limit), max(share[1] for share in limit))
    texts = [f"{rate:>{width}.4f}{mark}" for (rate, mark), width in zip(worst, (11, 12, 8), strict=True)]
    judged_ = min(share[2] for share in shares)
    return f"{cell.title} {''.join(texts)} {judged_:>7.3f} {time.perf_counter() - started:>5.0f}".rstrip()
