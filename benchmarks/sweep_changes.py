"""False failures and wrong passes of ``gap: change`` at its limit: the reduction that a mix truly has.

``python -m benchmarks.sweep_changes [--quick] [--only TEXT]`` prints a line a cell. Splits of clusters, sketches and
the test are those of the gate (values are measured by NumPy; the test beside this compares them with the gate's); what
is trained is simple enough for the truth to be known. Mixes are the data as they are and the two groups at equal
weight. Worlds:

- fixed: two models that do not learn, whose errors or misses on the same row are correlated: test rows make all of the
  change. Unequal groups with fixed numbers of test rows, skewed errors, clusters of equal and unequal size, gaps that
  close, stay, or are reversed, and none at all
- shift: an error that moves with the mean of the training rows under the mix: training rows make all of the change,
  what test rows add cancels
- both: an error that is multiplied by such a mean
- threshold: a classifier that learns the threshold of one score from the rows of the mix

The limit is the true reduction. "undefined" are sweeps that the gate does not judge.
"""

from __future__ import annotations

import argparse
import datetime
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy
from scipy import stats

from fairness_checks.stats.judge_reduction import judge_reductions
from fairness_checks.sweep.changes import change_between
from fairness_checks.sweep.dataset import DataSet
from fairness_checks.sweep.mixes import Mix, Shares
from fairness_checks.sweep.sketches import WIDTH, Exponents, cube_roots, root_exponents
from fairness_checks.sweep.splits import counted_blocks, split
from fairness_checks.sweep.tables import Moments, Table

ALPHA, REPEATS = 0.05, 20
Array = npt.NDArray[np.float64]
Draw = Callable[[np.random.Generator], Array]
Learn = Callable[[Array, npt.NDArray[np.bool_], Array, str], Array]
MIXES: dict[str, Mix] = {"as_is": "as_is", "equal": Shares({"f": 0.5, "m": 0.5})}


class Training(NamedTuple):
    """What became of the test rows, which of them are of the first group, and their random numbers."""

    mix: str
    values: Array
    first: npt.NDArray[np.bool_]
    exponents: Exponents


@dataclass(frozen=True)
class World:
    """Rows of two groups, and what a model makes of them under a mix.

    `draw` returns (n, k) columns, the first group's rows first; `learn(rows, of_first, weights, mix)` what becomes of
    every row, an error or a miss, under weights (n,), which are 0 where a row tests.
    """

    name: str
    metric: str
    sizes: tuple[int, int]
    draw: Draw
    learn: Learn
    limit: float
    test: float = 0.3
    clusters: tuple[tuple[int, ...], tuple[int, ...]] | None = None

    def trainings(self, rng: np.random.Generator) -> Iterator[Training]:
        """Draw a table, and train and test in every repeat under both mixes; repeat by repeat."""
        rows, first = self.draw(rng), np.arange(sum(self.sizes)) < self.sizes[0]
        data, kept = self.data(), self.units()
        for _ in range(REPEATS):
            if self.clusters is None:
                test = np.sort(
                    np.concatenate([self._drawn(rng, np.flatnonzero(first == own)) for own in (True, False)])
                )
            else:
                test = split(data, "sex", self.test, rng, kept).test
            train = np.setdiff1d(np.arange(len(first)), test)
            exponents = root_exponents(rng, kept[test])
            for mix in MIXES:
                yield Training(
                    mix, self.learn(rows, first, mix_weights(first, train, mix), mix)[test], first[test], exponents
                )

    def _drawn(self, rng: np.random.Generator, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
        """Draw the rows of a group that test, as `split` does where all rows are apart."""
        return rng.permutation(rows)[: self.test if isinstance(self.test, int) else round(self.test * len(rows))]

    def units(self) -> npt.NDArray[np.intp]:
        """Return the cluster of each row."""
        counts = [1] * sum(self.sizes) if self.clusters is None else [*self.clusters[0], *self.clusters[1]]
        return np.repeat(np.arange(len(counts)), counts)

    def data(self) -> DataSet:
        """Return the table's rows, without what is learnt from."""
        sex = np.repeat(["f", "m"], self.sizes)
        cluster = None if self.clusters is None else self.units()
        return DataSet({"row": np.zeros(len(sex))}, None, {"sex": sex}, cluster=cluster)

    def table(self, rng: np.random.Generator) -> Table:
        """Return the values, moments and sketches of a sweep, as `read_table` does of what the gate measures."""
        shape = (REPEATS, len(MIXES), 2)
        values, spread, third, tested = np.empty((4, *shape))
        sketches = np.empty((*shape, WIDTH), dtype=np.complex128)
        for k, training in enumerate(self.trainings(rng)):
            place = divmod(k, len(MIXES))
            for g, own in enumerate((training.first, ~training.first)):
                x = training.values[own]
                n, around = len(x), x - x.mean()
                values[(*place, g)], tested[(*place, g)] = x.mean(), n
                spread[(*place, g)] = around @ around
                third[(*place, g)] = n * (around**3).sum() / ((n - 1.0) * (n - 2.0))
                sketches[(*place, g)] = cube_roots(training.exponents[:, own]) @ (around * np.sqrt(n / (n - 1.0)) / n)
        size = np.array(self.sizes, dtype=np.float64)
        freedom = np.full(2, np.inf)
        if self.clusters is not None:
            freedom = np.array([worth - 1.0 for _, worth in counted_blocks(self.data(), "sex", self.units()).values()])
        rate = self.metric != "mean_error"
        parts = (spread.sum(axis=0) / (tested - 1.0).sum(axis=0), third.mean(axis=0))
        moments = Moments(np.broadcast_to(size, (2, 2)), values.mean(axis=0), *parts)
        return Table(
            ("f", "m"),
            tuple((mix, "all") for mix in MIXES),
            np.moveaxis(values, 0, 1),
            tested.mean(axis=(0, 1)),
            np.moveaxis(tested, 0, 1) if rate else None,
            tested.mean(axis=(0, 1)) / size,
            freedom,
            (None, None),
            None if rate else moments,
            np.moveaxis(sketches, 0, 1),
        )

    def rates(self, sweeps: int, seed: int = 0) -> list[float]:
        """Shares of sweeps that fail, that pass, and that are undefined; and the mean width of the bracket."""
        rng = np.random.default_rng(seed)
        counts, widths = np.zeros(3), []
        for _ in range(sweeps):
            change = change_between(self.table(rng), 0, 1)
            if change is None:
                counts[2] += 1.0
                continue
            found, _ = judge_reductions([change.reduction], self.limit, ALPHA)
            counts += [found.p_violation < ALPHA, found.p_compliance < ALPHA, 0.0]
            widths.append(found.high - found.low)
        return [*(float(rate) for rate in counts / sweeps), float(np.mean(widths))]


def mix_weights(first: npt.NDArray[np.bool_], train: npt.NDArray[np.intp], mix: str) -> Array:
    """Return weights of all rows: 1 of those that train, or such that both groups weigh the same."""
    weights = np.zeros(len(first))
    weights[train] = 1.0
    if mix == "equal":
        for rows in (first, ~first):
            weights[rows] *= 0.5 * len(train) / weights[rows].sum()
    return weights


def below(scores: Array, at: Array) -> Array:
    """Return 1 where a score is below, else 0."""
    return np.asarray(scores < at, dtype=np.float64)


def fixed(rows: Array, first: npt.NDArray[np.bool_], weights: Array, mix: str) -> Array:
    """Return what was drawn for the mix: two models that learn nothing."""
    return np.asarray(rows[:, list(MIXES).index(mix)])


def shift(rows: Array, first: npt.NDArray[np.bool_], weights: Array, mix: str, noise: float = 1.0) -> Array:
    """Return errors whose means differ by twice the weighted mean of what is trained on."""
    mean = weights @ rows[:, 0] / weights.sum()
    return np.asarray(noise * rows[:, 1] + np.where(first, mean, -mean))


def multiplied(rows: Array, first: npt.NDArray[np.bool_], weights: Array, mix: str) -> Array:
    """Return errors that are multiplied by the weighted mean, those of the second group by 1."""
    return np.asarray(rows[:, 1] * np.where(first, weights @ rows[:, 0] / weights.sum(), 1.0))


def threshold(rows: Array, first: npt.NDArray[np.bool_], weights: Array, mix: str) -> Array:
    """Return misses: positives' scores below the weighted mean of all scores."""
    return below(rows[:, 0], weights @ rows[:, 0] / weights.sum())


def _normal_pair(sizes: tuple[int, int], gaps: tuple[float, float], rho: float) -> Draw:
    """Errors of two models that are correlated; the first group's are higher by the gaps."""

    def draw(rng: np.random.Generator) -> Array:
        z = rng.normal(size=(sum(sizes), 2))
        z[:, 1] = rho * z[:, 0] + np.sqrt(1.0 - rho**2) * z[:, 1]
        z[: sizes[0]] += gaps
        return z

    return draw


def _skewed_pair(sizes: tuple[int, int], scale: tuple[float, float]) -> Draw:
    """Lognormal errors of mean 1, those of the second model times a factor of the group."""

    def draw(rng: np.random.Generator) -> Array:
        e = rng.lognormal(-1.125, 1.5, sum(sizes))
        other = e * np.repeat(scale, sizes) * rng.lognormal(-0.02, 0.2, len(e))
        return np.column_stack([e, other])

    return draw


def _missed_pair(sizes: tuple[int, int], rates: tuple[Array | list[float], Array | list[float]], rho: float) -> Draw:
    """Misses of two models, `rates[group][model]`, by a common latent normal."""

    def draw(rng: np.random.Generator) -> Array:
        z = rng.normal(size=(sum(sizes), 2))
        z[:, 1] = rho * z[:, 0] + np.sqrt(1.0 - rho**2) * z[:, 1]
        return below(z, stats.norm.ppf(np.repeat(np.array(rates), sizes, axis=0)))

    return draw


def _clustered_pair(sizes: tuple[tuple[int, ...], tuple[int, ...]], gaps: tuple[float, float], *, rate: bool) -> Draw:
    """Errors or misses of two models, correlated by 0.5 within clusters and by 0.8 between models."""
    counts = np.concatenate(sizes)
    n = (sum(sizes[0]), sum(sizes[1]))

    def draw(rng: np.random.Generator) -> Array:
        both = []
        for size in (len(counts), sum(n)):
            z = rng.normal(size=(size, 2))
            z[:, 1] = 0.8 * z[:, 0] + 0.6 * z[:, 1]
            both.append(z)
        z = (np.repeat(both[0], counts, axis=0) + both[1]) / np.sqrt(2.0)
        if rate:
            return below(z, stats.norm.ppf(np.repeat([[0.3 + g for g in gaps], [0.3, 0.3]], n, axis=0)))
        z[: n[0]] += gaps
        return np.asarray(z)

    return draw


def _means(sizes: tuple[int, int], means: tuple[float, float], more: float) -> Draw:
    """Draw what is trained on, of given means, and an error beside it."""

    def draw(rng: np.random.Generator) -> Array:
        return np.column_stack([rng.normal(np.repeat(means, sizes), 1.0), np.abs(rng.normal(more, 1.0, sum(sizes)))])

    return draw


def _scores(sizes: tuple[int, int], means: tuple[float, float]) -> Draw:
    return lambda rng: rng.normal(np.repeat(means, sizes), 1.0)[:, None]


def _threshold_truth(sizes: tuple[int, int], means: tuple[float, float]) -> float:
    """Reduction of the gap of two normal groups by a threshold at the mean; its own spread averaged over."""
    gaps = []
    for share in (sizes[0] / sum(sizes), 0.5):
        at = share * means[0] + (1.0 - share) * means[1]
        within = [share**2 / sizes[0] + (1.0 - share) ** 2 / sizes[1]]
        spread = np.sqrt(1.0 + within[0] / 0.7)
        gaps.append(abs(stats.norm.cdf((at - means[0]) / spread) - stats.norm.cdf((at - means[1]) / spread)))
    return float(gaps[0] - gaps[1])


def _shift_truth(sizes: tuple[int, int], means: tuple[float, float]) -> float:
    share = sizes[0] / sum(sizes)
    before, after = share * means[0] + (1.0 - share) * means[1], (means[0] + means[1]) / 2.0
    return 2.0 * (abs(before) - abs(after))


def _multiplied_truth(sizes: tuple[int, int], means: tuple[float, float], more: float) -> float:
    share = sizes[0] / sum(sizes)
    folded = stats.foldnorm.mean(more)
    before, after = share * means[0] + (1.0 - share) * means[1], (means[0] + means[1]) / 2.0
    return float(folded * (abs(before - 1.0) - abs(after - 1.0)))


EVEN, SMALL, PHOTOGRAPHS = (150, 150), (40, 1_000), (305, 1_491)
CLUSTERS = {
    "60x4 and 60x4": ((4,) * 60, (4,) * 60),
    "12x10 and 60x4": ((10,) * 12, (4,) * 60),
    "60,40,38x3 and 90x3": ((60, 40, *(3,) * 38), (3,) * 90),
}


def _fixed(name: str, metric: str, sizes: tuple[int, int], draw: Draw, limit: float, test: float = 0.3) -> World:
    return World(f"fixed, {name}", metric, sizes, draw, fixed, limit, test)


def _learned(name: str, metric: str, sizes: tuple[int, int], draw: Draw, learn: Learn, limit: float) -> World:
    return World(f"{name}, {sizes[0]} and {sizes[1]}", metric, sizes, draw, learn, limit)


WORLDS = [
    _fixed("closes", "mean_error", EVEN, _normal_pair(EVEN, (0.5, 0.0), 0.8), 0.5),
    _fixed("halved", "mean_error", EVEN, _normal_pair(EVEN, (0.5, 0.25), 0.8), 0.25),
    _fixed("stays", "mean_error", EVEN, _normal_pair(EVEN, (0.5, 0.5), 0.8), 0.0),
    _fixed("reversed", "mean_error", EVEN, _normal_pair(EVEN, (0.5, -0.3), 0.8), 0.2),
    _fixed("turned", "mean_error", EVEN, _normal_pair(EVEN, (0.3, -0.3), 0.8), 0.0),
    _fixed("no gap", "mean_error", EVEN, _normal_pair(EVEN, (0.0, 0.0), 0.8), 0.0),
    _fixed("no gap, unlike", "mean_error", EVEN, _normal_pair(EVEN, (0.0, 0.0), 0.0), 0.0),
    _fixed("grows", "mean_error", EVEN, _normal_pair(EVEN, (0.0, 0.2), 0.8), -0.2),
    _fixed("20 of 40 and 1,000", "mean_error", SMALL, _normal_pair(SMALL, (1.0, 0.3), 0.8), 0.7, 20),
    _fixed("100 of 305 and 1,491", "mean_error", PHOTOGRAPHS, _normal_pair(PHOTOGRAPHS, (0.5, 0.2), 0.8), 0.3, 100),
    _fixed("skewed, small better", "mean_error", (40, 400), _skewed_pair((40, 400), (1.0, 1.5)), -0.5),
    _fixed("skewed, small worse", "mean_error", (40, 400), _skewed_pair((40, 400), (1.5, 1.0)), -0.5),
    _fixed("skewed, alike", "mean_error", (40, 400), _skewed_pair((40, 400), (0.7, 0.7)), 0.0),
    _fixed("closes", "false_negative_rate", EVEN, _missed_pair(EVEN, ([0.4, 0.3], [0.3, 0.3]), 0.9), 0.1),
    _fixed("stays", "false_negative_rate", EVEN, _missed_pair(EVEN, ([0.4, 0.4], [0.2, 0.2]), 0.95), 0.0),
    _fixed("turned", "false_negative_rate", EVEN, _missed_pair(EVEN, ([0.4, 0.2], [0.2, 0.4]), 0.9), 0.0),
    _fixed("rare", "false_negative_rate", EVEN, _missed_pair(EVEN, ([0.08, 0.02], [0.02, 0.02]), 0.9), 0.06),
    _fixed(
        "20 of 40 and 1,000", "false_negative_rate", SMALL, _missed_pair(SMALL, ([0.5, 0.4], [0.2, 0.2]), 0.9), 0.1, 20
    ),
    *(
        World(
            f"fixed, {name}",
            metric,
            (sum(sizes[0]), sum(sizes[1])),
            _clustered_pair(sizes, (0.3, 0.1), rate=metric != "mean_error"),
            fixed,
            0.2,
            0.3,
            sizes,
        )
        for metric in ("mean_error", "false_negative_rate")
        for name, sizes in CLUSTERS.items()
    ),
    *(
        _learned("shift", "mean_error", sizes, _means(sizes, (0.0, 1.0), 1.0), shift, _shift_truth(sizes, (0.0, 1.0)))
        for sizes in ((100, 300), (60, 600))
    ),
    _learned(
        "shift, no noise",
        "mean_error",
        (60, 300),
        _means((60, 300), (0.0, 1.0), 1.0),
        partial(shift, noise=0.0),
        _shift_truth((60, 300), (0.0, 1.0)),
    ),
    *(
        _learned(
            "both",
            "mean_error",
            sizes,
            _means(sizes, (3.0, 2.0), 1.0),
            multiplied,
            _multiplied_truth(sizes, (3.0, 2.0), 1.0),
        )
        for sizes in ((100, 300), (60, 600))
    ),
    *(
        _learned(
            "threshold",
            "false_negative_rate",
            sizes,
            _scores(sizes, (0.0, 1.0)),
            threshold,
            _threshold_truth(sizes, (0.0, 1.0)),
        )
        for sizes in ((60, 300), (100, 1_000))
    ),
]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="40 sweeps a cell instead of 400")
    parser.add_argument("--only", default="", help="worlds and metrics that hold this text")
    asked = parser.parse_args()
    print(f"python -m benchmarks.sweep_changes, {datetime.date.today()}; Python {platform.python_version()}", end=" ")
    print(f"numpy {np.__version__} scipy {scipy.__version__}")
    print_changes(40 if asked.quick else 400, asked.only)


def print_changes(sweeps: int, only: str = "") -> None:
    """Print the table of the worlds and metrics that hold a text."""
    bound = ALPHA + 3.0 * np.sqrt(ALPHA * (1.0 - ALPHA) / sweeps)
    print(f"{sweeps} sweeps of {REPEATS} repeats a cell at the limit, alpha {ALPHA}; bound {bound:.3f}")
    print(f"{'world':>28} {'metric':>20} {'limit':>6}   fail   pass undefined bracket")
    worst = 0.0
    for world in WORLDS:
        if only not in f"{world.name} {world.metric}":
            continue
        fail, passed, undefined, width = world.rates(sweeps)
        worst = max(worst, fail, passed)
        line = f"{world.name:>28} {world.metric:>20} {world.limit:6.3f}  {fail:.3f}  {passed:.3f}"
        print(f"{line}     {undefined:.3f}   {width:.3f}", flush=True)
    print(f"worst rate at the limit {worst:.3f}")


if __name__ == "__main__":
    main()
