"""Rates in few and unequal clusters, wrong and found: ``python -m benchmarks.clustered_power``.

Level: the truth lies at the limit; shares of false failures and of wrong passes in the worst cells, at alpha 0.05 and,
with ``--alpha 0.0025``, where checks under Holm are judged. Clusters are equal, geometric, uniform from 1 to 50, Pareto
(1.1) up to 50, or have rates that depend on their size; events are beta-binomial.

Power: what is found beside Welch's t test of cluster-robust variances ("linearised", K - 1 degrees of freedom a group),
which does not keep its level, and beside that of the larger of two variances with effective clusters ("evidence"),
which does not where events are rare. Groups that the gate does not judge (fewer than 5 effective clusters) count as
inconclusive for all three.

Ceilings: shares of one rate's wrong passes and false failures with the truth at the limit, both at alpha 0.05 and at
0.0025, and how often a ceiling past the truth is passed, or one below it fails.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from fairness_checks.stats.clusters import FEWEST_EFFECTIVE
from fairness_checks.stats.disparity import rates_compliance, rates_violation
from fairness_checks.stats.few_clusters import claims_freedom, freedom_of_samples, widened
from fairness_checks.stats.rao_scott import ClusterSums, effective_samples, tail_freedom
from fairness_checks.stats.rate_pairs import Pairs

Array = npt.NDArray[np.float64]

_AT_ONCE = 1_000  # data sets

SIZES: dict[str, Callable[[np.random.Generator, tuple[int, int]], npt.NDArray[np.int64]]] = {
    "4": lambda rng, shape: np.full(shape, 4),
    "10": lambda rng, shape: np.full(shape, 10),
    "20": lambda rng, shape: np.full(shape, 20),
    "1 to 5": lambda rng, shape: rng.integers(1, 6, shape),
    "geometric": lambda rng, shape: rng.geometric(0.2, shape),
    "1 to 50": lambda rng, shape: rng.integers(1, 51, shape),
    "Pareto": lambda rng, shape: np.minimum(np.floor(rng.pareto(1.1, shape) + 1.0), 50.0).astype(np.int64),
}


@dataclass(frozen=True, slots=True)
class Group:
    """Clusters of one group.

    Parameters
    ----------
    sizes : str
        A name of `SIZES`.
    clusters : int
        Their number.
    rate : float
        Mean of the clusters' rates; see `true_rate`.
    correlation : float
        Within clusters.
    by_size : float
        By which share clusters larger than the median have a higher rate and the others a lower one.
    """

    sizes: str
    clusters: int
    rate: float
    correlation: float
    by_size: float = 0.0

    def draw(self, rng: np.random.Generator, data_sets: int) -> tuple[Array, Array]:
        """Return samples and events of the clusters, shapes (S, K)."""
        sizes = SIZES[self.sizes](rng, (data_sets, self.clusters))
        rate = self._rates(sizes)
        if self.correlation == 1.0:
            rate = (rng.random(sizes.shape) < rate).astype(np.float64)
        elif self.correlation > 0.0:
            shape = (1.0 - self.correlation) / self.correlation
            rate = rng.beta(rate * shape, (1.0 - rate) * shape, sizes.shape)
        return sizes.astype(np.float64), rng.binomial(sizes, rate).astype(np.float64)

    def _rates(self, sizes: npt.NDArray[np.int64]) -> Array:
        if not self.by_size:
            return np.full(sizes.shape, self.rate)
        median = np.median(SIZES[self.sizes](np.random.default_rng(0), (1_000, 200)))
        return np.where(sizes > median, self.rate * (1.0 + self.by_size), self.rate * (1.0 - self.by_size))

    def true_rate(self) -> float:
        """Return the rate of a sample: that of large clusters counts more."""
        sizes = SIZES[self.sizes](np.random.default_rng(1), (2_000, 500))
        return float((sizes * self._rates(sizes)).sum() / sizes.sum())


@dataclass(frozen=True, slots=True)
class Cell:
    """Two groups; the limit is their true difference where none is given."""

    first: Group
    second: Group
    limit: float | None = None

    @property
    def at(self) -> float:
        """The limit."""
        return abs(self.first.true_rate() - self.second.true_rate()) if self.limit is None else self.limit

    def __str__(self) -> str:
        sides = (
            f"{g.clusters} of {g.sizes}, {g.rate:g}{f' ({g.by_size:+g})' if g.by_size else ''}"
            for g in (self.first, self.second)
        )
        return f"{' v '.join(sides)}; correlation {self.first.correlation:g}"


def sums_of(sizes: Array, events: Array) -> ClusterSums:
    """Sum over clusters of shape (..., K)."""
    n, x = sizes.sum(axis=-1), events.sum(axis=-1)
    several = sizes > 1.0
    return ClusterSums(
        samples=n,
        events=x,
        residuals=((events - sizes * (x / n)[..., None]) ** 2).sum(axis=-1),
        discordance=(events * (sizes - events) / np.where(several, sizes - 1.0, 1.0)).sum(axis=-1),
        paired=np.where(several, sizes, 0.0).sum(axis=-1),
        paired_events=np.where(several, events, 0.0).sum(axis=-1),
        squares=(sizes**2).sum(axis=-1),
        event_squares=(events**2).sum(axis=-1),
        other_squares=((sizes - events) ** 2).sum(axis=-1),
    )


def p_values(first: ClusterSums, second: ClusterSums, limit: float, alpha: float) -> tuple[Array, Array]:
    """Return our p-values of a violation and of compliance; above alpha they may be less than they are."""
    columns, known = [], []
    for sums in (first, second):
        samples, _ = effective_samples(sums)
        columns += [sums.events / sums.samples * samples, samples]
        effective = sums.samples**2 / sums.squares
        freedom = np.minimum(freedom_of_samples(effective), freedom_of_samples(samples))
        known.append(tail_freedom(sums, freedom))
    pairs = Pairs(*columns)
    clusters = claims_freedom(pairs, known[0], known[1], "difference", None)
    outside = rates_violation(pairs, limit, "difference", alpha, clusters.estimated)
    within = rates_compliance(pairs, limit, "difference", alpha, clusters.estimated)
    return clusters.violation.both_sided(outside, limit), clusters.compliance.one_sided(within)


def _t_test(
    first: tuple[Array, Array], second: tuple[Array, Array], limit: float, variance: Callable[..., tuple[Array, Array]]
) -> tuple[Array, Array]:
    """p-values of Welch's test of two rates, given each one's variance and degrees of freedom."""
    (v1, f1), (v2, f2) = variance(*first), variance(*second)
    rates = [events.sum(axis=-1) / sizes.sum(axis=-1) for sizes, events in (first, second)]
    difference = np.abs(rates[0] - rates[1])
    with np.errstate(divide="ignore", invalid="ignore"):
        freedom = (v1 + v2) ** 2 / (v1**2 / f1 + v2**2 / f2)
        error = np.sqrt(v1 + v2)
        outside = special.stdtr(freedom, (limit - difference) / error)
        outside = outside + special.stdtr(freedom, -(limit + difference) / error)
        within = special.stdtr(freedom, (difference - limit) / error)
    return np.nan_to_num(outside, nan=1.0), np.nan_to_num(within, nan=1.0)


def linearised(sizes: Array, events: Array) -> tuple[Array, Array]:
    """Return the cluster-robust variance of a rate, with K / (K - 1), and K - 1."""
    n, clusters = sizes.sum(axis=-1), sizes.shape[-1]
    residuals = events - sizes * (events.sum(axis=-1) / n)[..., None]
    variance = (residuals**2).sum(axis=-1) / n**2 * clusters / (clusters - 1.0)
    return variance, np.full_like(n, clusters - 1.0)


def evidence(sizes: Array, events: Array) -> tuple[Array, Array]:
    """Return the variance of `fairness_checks.stats.clusters.cluster_evidence`, and effective clusters less one."""
    n, squares, k = sizes.sum(axis=-1), (sizes**2).sum(axis=-1), sizes.shape[-1]
    rate = (events.sum(axis=-1) / n)[..., None]
    total = events - sizes * rate
    own = events * (1.0 - rate) ** 2 + (sizes - events) * rate**2
    within = np.maximum(own - total**2 / sizes, 0.0).sum(axis=-1) / np.maximum(n - k, 1.0)
    between = (total**2 / sizes).sum(axis=-1) / (k - 1.0) - within
    between = np.maximum(between / ((n - squares / n) / (k - 1.0)), 0.0)
    model = between * squares + within * n
    of_cell = between[..., None] * sizes**2 + within[..., None] * sizes
    seen = (of_cell * (1.0 - 2.0 * sizes / n[..., None])).sum(axis=-1) + model * squares / n**2
    robust = (total**2).sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        corrected = np.where(seen > 0.0, robust * model / seen, robust)
    return np.maximum(corrected, model) / n**2, n**2 / squares - 1.0


def _judged(first: ClusterSums, second: ClusterSums) -> npt.NDArray[np.bool_]:
    effective = np.minimum(*(sums.samples**2 / sums.squares for sums in (first, second)))
    return np.asarray(effective >= FEWEST_EFFECTIVE)


def rejected(cell: Cell, data_sets: int, alpha: float, seed: int, *, peers: bool) -> dict[str, tuple[float, float]]:
    """Return the shares of failures and of passes, of ours and of the peers."""
    rng, found = np.random.default_rng(seed), []
    limit = cell.at
    for start in range(0, data_sets, _AT_ONCE):
        count = min(_AT_ONCE, data_sets - start)
        first, second = cell.first.draw(rng, count), cell.second.draw(rng, count)
        sums = sums_of(*first), sums_of(*second)
        tests = {"ours": p_values(*sums, limit, alpha)}
        if peers:
            tests["evidence"] = _t_test(first, second, limit, evidence)
            tests["linearised"] = _t_test(first, second, limit, linearised)
        judged = _judged(*sums)
        found.append({name: [np.sum((p < alpha) & judged) for p in both] for name, both in tests.items()})
    return {
        name: tuple(float(sum(part[name][i] for part in found)) / data_sets for i in (0, 1))  # type: ignore[misc]
        for name in found[0]
    }


def level_cells() -> Iterator[Cell]:
    """Yield cells whose truth is the limit."""
    for sizes, clusters in (
        ("1 to 50", 30),
        ("Pareto", 50),
        ("Pareto", 20),
        ("geometric", 20),
        ("10", 12),
        ("1 to 5", 30),
    ):
        for low in (0.005, 0.02, 0.1, 0.3):
            for correlation in (0.0, 0.1, 0.3, 0.7):
                for gap in (0.01, 0.05):
                    yield Cell(Group(sizes, clusters, low + gap, correlation), Group(sizes, clusters, low, correlation))
    for sizes, few, many in (("1 to 50", 15, 100), ("Pareto", 30, 200), ("10", 12, 100), ("geometric", 15, 200)):
        for low in (0.02, 0.15):
            for correlation in (0.1, 0.4):
                for one, other in ((few, many), (many, few)):
                    yield Cell(Group(sizes, one, low + 0.05, correlation), Group(sizes, other, low, correlation))
    for sizes, clusters in (("1 to 50", 30), ("Pareto", 50), ("geometric", 30)):
        for by_size in (0.8, -0.8):
            for correlation in (0.0, 0.2):
                skewed = Group(sizes, clusters, 0.2, correlation, by_size)
                yield Cell(skewed, Group(sizes, clusters, 0.1, correlation))
                yield Cell(skewed, Group(sizes, clusters, 0.1, correlation, by_size))
                yield Cell(Group(sizes, clusters, 0.1, correlation), Group(sizes, clusters, 0.08, correlation, by_size))


def power_cells() -> Iterator[Cell]:
    """Yield cells past the limit."""
    for correlation in (0.05, 0.1, 0.2):
        yield Cell(Group("1 to 50", 30, 0.15, correlation), Group("1 to 50", 30, 0.02, correlation), 0.05)
    for high, low, correlation in ((0.3, 0.1, 0.05), (0.3, 0.1, 0.1), (0.4, 0.15, 0.3), (0.6, 0.2, 0.3)):
        yield Cell(Group("Pareto", 50, high, correlation), Group("Pareto", 50, low, correlation), 0.05)
    yield Cell(Group("10", 34, 0.3, 0.2), Group("10", 34, 0.1, 0.2), 0.05)
    yield Cell(Group("1 to 5", 50, 0.35, 0.4), Group("1 to 5", 50, 0.1, 0.4), 0.05)


def level(cells: list[Cell], data_sets: int, alpha: float) -> None:
    """Print the cells in which most is judged wrongly."""
    found = [rejected(cell, data_sets, alpha, seed, peers=False)["ours"] for seed, cell in enumerate(cells)]
    bound = alpha + 3.0 * np.sqrt(alpha * (1.0 - alpha) / data_sets)
    print(f"alpha {alpha:g}, {len(cells)} cells of {data_sets} data sets; alpha + 3 SE is {bound:.4f}")
    for i, name in enumerate(("false failures", "wrong passes")):
        shares = np.array([pair[i] for pair in found])
        print(f"{name}: mean {shares.mean():.4f}, above {int((shares > bound).sum())}; most in")
        for place in np.argsort(-shares)[:5]:
            print(f"  {shares[place]:.4f}  {cells[place]}")


def ceilings() -> Iterator[tuple[Group, float | None]]:
    """Yield groups and the ceilings on their rates: the truth (None), or past it."""
    for sizes, clusters, rate, correlation, by_size in (
        ("1 to 50", 100, 0.02, 0.2, 0.0),
        ("1 to 50", 100, 0.05, 0.2, 0.0),
        ("1 to 50", 100, 0.05, 0.5, 0.0),
        ("1 to 50", 30, 0.1, 0.2, 0.8),
        ("1 to 50", 200, 0.05, 0.3, 0.8),
        ("1 to 50", 30, 0.8, 0.2, 0.0),
        ("Pareto", 50, 0.25, 0.2, 0.8),
        ("Pareto", 100, 0.05, 0.2, 0.8),
        ("Pareto", 200, 0.05, 0.2, 0.8),
        ("Pareto", 200, 0.1, 0.2, 0.8),
        ("Pareto", 200, 0.3, 0.1, 0.0),
        ("Pareto", 200, 0.25, 0.3, -0.8),
        ("geometric", 100, 0.05, 0.3, 0.8),
        ("geometric", 200, 0.03, 0.4, 0.8),
        ("4", 100, 0.05, 0.2, 0.0),
        ("10", 30, 0.3, 0.1, 0.0),
    ):
        yield Group(sizes, clusters, rate, correlation, by_size), None
    for sizes, clusters, rate, correlation, limit in (
        ("1 to 50", 100, 0.02, 0.1, 0.05),
        ("1 to 50", 30, 0.1, 0.1, 0.2),
        ("1 to 50", 100, 0.1, 0.2, 0.16),
        ("Pareto", 50, 0.1, 0.1, 0.25),
        ("Pareto", 50, 0.2, 0.3, 0.5),
        ("geometric", 30, 0.1, 0.2, 0.25),
        ("1 to 50", 30, 0.3, 0.2, 0.2),
        ("Pareto", 50, 0.4, 0.3, 0.2),
    ):
        yield Group(sizes, clusters, rate, correlation), limit


def ceiling_p_values(sums: ClusterSums, limit: float) -> tuple[Array, Array]:
    """Return p-values of a violation and of compliance, as `fairness_checks.stats.worst_group` has those of a group."""
    samples, _ = effective_samples(sums)
    events, size = sums.events / sums.samples * samples, freedom_of_samples(samples)
    lower, higher = tail_freedom(sums, np.minimum(freedom_of_samples(sums.samples**2 / sums.squares), size))
    above = np.asarray(special.betainc(np.maximum(events, 1e-300), samples - events + 1.0, limit), dtype=np.float64)
    others = samples - events
    below = np.asarray(special.betainc(np.maximum(others, 1e-300), events + 1.0, 1.0 - limit), dtype=np.float64)
    return widened(above, size, higher), widened(below, size, lower)


def one_rate(data_sets: int) -> None:
    """Print what is failed and passed of ceilings."""
    print(f"ceilings, {data_sets} data sets; alpha 0.05: fail, pass; alpha 0.0025: fail, pass")
    for seed, (group, limit) in enumerate(ceilings()):
        rng, shares, judged = np.random.default_rng(seed), np.zeros(4), 0
        for start in range(0, data_sets, _AT_ONCE):
            sums = sums_of(*group.draw(rng, min(_AT_ONCE, data_sets - start)))
            some = _judged(sums, sums)
            both = ceiling_p_values(sums, group.true_rate() if limit is None else limit)
            shares += [np.sum((p < alpha) & some) for alpha in (0.05, 0.0025) for p in both]
            judged += int(some.sum())
        asked = "at the truth" if limit is None else f"at {limit:g}"
        by_size = f" ({group.by_size:+g})" if group.by_size else ""
        name = f"{group.clusters} of {group.sizes}, {group.rate:g}{by_size}, correlation {group.correlation:g}, {asked}"
        print(f"  {name}: {', '.join(f'{share:.4f}' for share in shares / judged)}")


def main(arguments: list[str] | None = None) -> None:
    """Print level and power."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-sets", type=int, default=2_000)
    parser.add_argument("--alpha", type=float, default=0.05)
    parser.add_argument("--only", choices=("level", "power", "ceilings"))
    parser.add_argument("--every", type=int, default=1, help="take every so many cells of the level")
    options = parser.parse_args(arguments)
    if options.only in (None, "ceilings"):
        one_rate(options.data_sets)
    if options.only in (None, "level"):
        level(list(level_cells())[:: options.every], options.data_sets, options.alpha)
    if options.only in (None, "power"):
        print(f"{'found: ours, evidence, linearised':>60}")
        for seed, cell in enumerate(power_cells()):
            shares = rejected(cell, options.data_sets, options.alpha, seed, peers=True)
            print(f"  {cell}: {', '.join(f'{share[0]:.3f}' for share in shares.values())}")


if __name__ == "__main__":
    main()
