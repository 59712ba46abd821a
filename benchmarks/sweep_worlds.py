"""Patients, splits, learners and the simulated sweeps of `benchmarks.sweeps`; all repeats of a table at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special
from scipy.spatial import cKDTree

from fairness_checks.stats.repeats import rate_variance

SHARE, POSITIVE, TEST = 0.35, 0.32, 0.3
ADVANTAGE = 0.5
FEATURES = 6
NEIGHBOURS = 5
Array = npt.NDArray[np.float64]
Cells = npt.NDArray[np.intp]  # of each row: 0, 1 the first group's negatives and positives, 2, 3 the second's
Linear = tuple[Array, Array]  # (J, p) coefficients, (J,) thresholds
UNEQUAL, ALIKE = (0.2, 0.35, 0.5, 0.8), (0.5, 0.5, 0.5, 0.5)  # the first group's share under each mix


def centres(advantage: float) -> Array:
    """Return the means of the four cells, shape (4, p); positives of the second group stand out by `advantage`."""
    means = np.zeros((4, FEATURES))
    means[1, :2], means[3, :2] = (1.0, 0.5), (1.0 + advantage, 0.5)
    return means


def draw(rng: np.random.Generator, n: int, means: Array) -> tuple[Array, Cells]:
    """Draw a table of n patients, sorted by cell."""
    shares = np.outer((SHARE, 1.0 - SHARE), (1.0 - POSITIVE, POSITIVE)).ravel()
    cells = np.repeat(np.arange(4), rng.multinomial(n, shares))
    return rng.standard_normal((n, FEATURES)) + means[cells], cells


def split(rng: np.random.Generator, cells: Cells, repeats: int, strata: str) -> np.ndarray:
    """Say which rows test in each repeat, shape (J, n); the same number of every stratum."""
    of = cells if strata == "outcome" else cells // 2
    test = np.zeros((repeats, len(cells)), dtype=bool)
    for stratum in np.unique(of):
        rows = np.flatnonzero(of == stratum)
        order = rng.random((repeats, len(rows))).argsort(axis=1)
        test[:, rows] = order < round(TEST * len(rows))
    return test


def discriminant(x: Array, positive: np.ndarray, train: np.ndarray) -> Linear:
    """Fit linear discriminant analysis to the rows of each repeat; predict positive where x @ b > threshold."""
    repeats, p = len(train), x.shape[1]
    products = (x[:, :, None] * x[:, None, :]).reshape(len(x), -1)
    scatter, means, sizes = np.zeros((repeats, p, p)), [], []
    for weight in (train * ~positive, train * positive):
        weight = weight.astype(np.float64)
        size = weight.sum(axis=1)
        mean = weight @ x / size[:, None]
        scatter += (weight @ products).reshape(repeats, p, p) - size[:, None, None] * mean[:, :, None] * mean[:, None]
        means.append(mean)
        sizes.append(size)
    scatter /= (sizes[0] + sizes[1] - 2.0)[:, None, None]
    b = np.linalg.solve(scatter, (means[1] - means[0])[:, :, None])[:, :, 0]
    return b, (b * (means[0] + means[1])).sum(axis=1) / 2.0 + np.log(sizes[0] / sizes[1])


@dataclass(frozen=True)
class Discriminant:
    """Linear discriminant analysis: ``pooled``, ``with group`` or ``by group``."""

    name: str

    def _fit(self, x: Array, cells: Cells, train: np.ndarray) -> list[Linear]:
        """Return coefficients of the features and thresholds, by group."""
        group, positive = cells // 2, cells % 2 == 1
        if self.name == "by group":
            return [discriminant(x[group == g], positive[group == g], train[:, group == g]) for g in (0, 1)]
        if self.name == "pooled":
            return [discriminant(x, positive, train)] * 2
        b, threshold = discriminant(np.column_stack([x, group]), positive, train)
        return [(b[:, :-1], threshold - g * b[:, -1]) for g in (0, 1)]

    def misses(self, x: Array, cells: Cells, train: np.ndarray) -> np.ndarray:
        """Say which rows the model of each repeat calls negative, shape (J, n)."""
        fitted = self._fit(x, cells, train)
        called = [(x @ b.T < threshold).T for b, threshold in fitted]
        return np.where(cells < 2, called[0], called[1])

    def rates(self, x: Array, cells: Cells, means: Array, rng: np.random.Generator) -> Array:
        """Return the false negative rates in the population of a model trained on all rows, shape (2,)."""
        fitted = self._fit(x, cells, np.ones((1, len(x)), dtype=bool))
        z = [(t[0] - b[0] @ means[1 + 2 * g]) / np.linalg.norm(b[0]) for g, (b, t) in enumerate(fitted)]
        return np.asarray(special.ndtr(z))


@dataclass(frozen=True)
class Neighbours:
    """Majority of the five nearest neighbours."""

    name: str = "neighbours"

    def misses(self, x: Array, cells: Cells, train: np.ndarray) -> np.ndarray:
        """Say which positives the model of each repeat calls negative, shape (J, n); negatives are not asked."""
        rows = np.flatnonzero(cells % 2 == 1)
        # Enough to hold five that were trained on.
        near = np.asarray(cKDTree(x).query(x[rows], k=8 * NEIGHBOURS + 1)[1])[:, 1:]
        trained = train[:, near]  # (J, positives, 40)
        called = np.zeros(train.shape, dtype=bool)
        counted = trained & (trained.cumsum(axis=2, dtype=np.int8) <= NEIGHBOURS)
        votes = (counted & (cells[near] % 2 == 1)).sum(axis=2)
        called[:, rows] = 2 * votes < NEIGHBOURS
        return called

    def rates(self, x: Array, cells: Cells, means: Array, rng: np.random.Generator) -> Array:
        """Return the false negative rates of a model trained on all rows, from 1,000 new positives a group."""
        tree = cKDTree(x)
        rates = []
        for group in (0, 1):
            new = rng.standard_normal((1_000, FEATURES)) + means[1 + 2 * group]
            votes = (cells[tree.query(new, k=NEIGHBOURS)[1]] % 2).sum(axis=1)
            rates.append(np.mean(2 * votes < NEIGHBOURS))
        return np.array(rates)


Learner = Discriminant | Neighbours
LEARNERS: tuple[Learner, ...] = (
    Discriminant("pooled"),
    Discriminant("with group"),
    Discriminant("by group"),
    Neighbours(),
)


def mixed(rng: np.random.Generator, cells: Cells, train: np.ndarray, share: float) -> np.ndarray:
    """Keep training rows of each repeat so that the first group has a share, at a size that all shares can have."""
    size = train[0, cells < 2].sum() / max(UNEQUAL)
    kept = train.copy()
    for group, part in ((0, share), (1, 1.0 - share)):
        rows = np.flatnonzero(cells // 2 == group)
        key = np.where(train[:, rows], rng.random((len(train), len(rows))), 2.0)
        last = round(part * size) - 1
        kept[:, rows] &= key <= np.partition(key, last, axis=1)[:, [last]]
    return kept


def true_rates(
    rng: np.random.Generator,
    learner: Learner,
    n: int,
    models: int,
    strata: str,
    shares: tuple[float, ...] | None = None,
) -> Array:
    """Return the mean false negative rates in the population, shape (M, 2), over independent training sets."""
    means = centres(ADVANTAGE)
    total = np.zeros((1 if shares is None else len(shares), 2))
    for _ in range(models):
        x, cells = draw(rng, n, means)
        train = ~split(rng, cells, 1, strata)
        for m in range(len(total)):
            kept = (train if shares is None else mixed(rng, cells, train, shares[m]))[0]
            total[m] += learner.rates(x[kept], cells[kept], means, rng)
    return total / models


@dataclass(frozen=True)
class Sweeps:
    """What S sweeps saw: rates (S, M, J, 2), positives in the test parts (S, J, 2), Welch's gap and variance (S, 2)."""

    rates: Array
    positives: Array
    patients: Array

    def test_variance(self, n: int, repeats: int) -> Array:
        """Variance of each rate in one test part, shape (S, M, 2)."""
        rates = np.moveaxis(self.rates[:, :, :repeats], 2, 3)
        samples = np.moveaxis(self.positives[:, None, :repeats], 2, 3)
        return rate_variance(rates, samples, (1.0 - TEST) * n, TEST * n)


def simulate(
    rng: np.random.Generator,
    learner: Learner,
    n: int,
    sizes: tuple[int, int],
    strata: str,
    shares: tuple[float, ...] | None = None,
) -> Sweeps:
    """Run (sweeps, repeats) of a learner, under one mix (all training rows) or several."""
    means = centres(ADVANTAGE)
    sweeps, repeats = sizes
    rates = np.empty((sweeps, 1 if shares is None else len(shares), repeats, 2))
    positives, patients = np.empty((sweeps, repeats, 2)), np.empty((sweeps, 2))
    for s in range(sweeps):
        x, cells = draw(rng, n, means)
        test = split(rng, cells, repeats, strata)
        groups = [cells == 1, cells == 3]
        positives[s] = np.stack([test[:, rows].sum(axis=1) for rows in groups], axis=1)
        for m in range(rates.shape[1]):
            train = ~test if shares is None else mixed(rng, cells, ~test, shares[m])
            missed = learner.misses(x, cells, train) & test
            rates[s, m] = np.stack([missed[:, rows].sum(axis=1) for rows in groups], axis=1) / positives[s]
        if shares is None:
            own = missed.sum(axis=0) / np.maximum(test.sum(axis=0), 1)
            one, other = (own[rows] for rows in groups)
            patients[s] = (
                one.mean() - other.mean(),
                one.var(ddof=1) / len(one) + other.var(ddof=1) / len(other),
            )
    return Sweeps(rates, positives, patients)
