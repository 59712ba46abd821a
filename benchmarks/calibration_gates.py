"""How simulated data sets are judged: by our gate, by its own functions, and by an oracle.

Ours is `fairness_checks.stats` without the search for the interval: all pairs tested at the limit, and `Families`,
which adjusts the smallest p-value. Two short cuts change no verdict: a data set whose smallest p-value is at least
alpha fails no test, and one whose most unequal pair is not within the limit does not pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from benchmarks.calibration_worlds import Array, Design, Samples
from fairness_checks.kinds.measured import few_clusters
from fairness_checks.stats.clusters import ClusterCells, cluster_cells
from fairness_checks.stats.pairs import PairTests
from fairness_checks.stats.simultaneous import Families

__all__ = [
    "ALPHA",
    "RESAMPLES",
    "Evidence",
    "Flags",
    "Judged",
    "asymptotic_power",
    "cells_of",
    "enough_clusters",
    "judge",
    "normal_critical_value",
    "oracle_statistic",
    "p_violation",
    "pairwise",
    "resampled_largest",
    "weights",
]

ALPHA = 0.05
RESAMPLES = 200  # of the bootstrap gate
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Judged:
    """p-values of S data sets, shapes (S,): what they are below `ALPHA`; at least `ALPHA` and no more is known else."""

    p_violation: Array
    p_compliance: Array

    @property
    def fails(self) -> Flags:
        """Which data sets fail."""
        return np.asarray(self.p_violation < ALPHA)

    @property
    def passes(self) -> Flags:
        """Which data sets pass."""
        return np.asarray(~self.fails & (self.p_compliance < ALPHA))


class Evidence(Protocol):
    """S data sets of G groups, as a gate sees them.

    Attributes
    ----------
    disparity : ndarray of float64, shape (S, B)
        Observed disparities of all pairs, in the order of `numpy.triu_indices`.
    judged : ndarray of bool, shape (S, G)
        Which groups have enough samples and clusters to be judged at all.
    """

    disparity: Array
    judged: Flags

    @property
    def rows(self) -> Samples | None:
        """What was simulated; None where only counts were."""
        ...

    @property
    def deviations(self) -> Array:
        """Standard deviations of the groups' estimates over the data sets, shape (G,)."""
        ...

    def ours(self, limit: float) -> Judged:
        """Judge by our gate."""
        ...

    def plain(self, limit: float) -> Judged | None:
        """Judge by a textbook test in the place of ours; None if there is none."""
        ...

    def resampled(self, data_set: int, rng: np.random.Generator) -> Array | None:
        """Largest disparity in each of 200 bootstrap resamples of a data set's rows; None where there is none."""
        ...


def p_violation(tests: PairTests, outside: Array, limit: float) -> float:
    """Adjust the pairs' p-values as `fairness_checks.stats.pairs.judge_pairs` does."""
    if outside.min() >= ALPHA:
        return 1.0
    family = Families(tests.deviations, tests.first, tests.second, large=getattr(tests, "large", None))
    scale = np.hypot(tests.deviations[tests.first], tests.deviations[tests.second])
    return family.p_value(outside, scale, tests.scaled(limit))


def judge(tests: Iterator[PairTests], limit: float) -> Judged:
    """Judge data sets one by one."""
    violation, compliance = [], []
    for some in tests:
        everyone = np.arange(len(some.first))
        violation.append(p_violation(some, some.violation(everyone, limit), limit))
        p = float(some.compliance(np.argmax(np.abs(some.disparity), keepdims=True), limit)[0])
        compliance.append(p if p >= ALPHA else float(some.compliance(everyone, limit).max()))
    return Judged(np.array(violation), np.array(compliance))


def pairwise(values: Array, groups: int) -> Array:
    """Return the disparities of all pairs, shape (S, B), of values of all groups of all data sets."""
    first, second = np.triu_indices(groups, 1)
    table = values.reshape(-1, groups)
    return np.abs(table[:, first] - table[:, second])


def cells_of(samples: Samples, codes: int) -> ClusterCells | None:
    """Return the cells of clustered samples in a number of groups; None where samples are independent."""
    return None if samples.clusters is None else cluster_cells(samples.codes, codes, samples.clusters)


def enough_clusters(samples: Samples, cells: ClusterCells | None, codes: int) -> Flags:
    """Say which groups have enough clusters, by the gate's rule."""
    if cells is None:
        return np.ones(codes, dtype=bool)
    sizes = np.bincount(samples.codes, minlength=codes).tolist()
    counts = zip(cells.by_group().tolist(), sizes, cells.effective().tolist(), strict=True)
    return np.array([few_clusters(int(clusters), n, effective) is None for clusters, n, effective in counts])


def weights(rows: int, rng: np.random.Generator) -> Array:
    """Draw how often each row is in each resample, shape (200, rows)."""
    drawn = rng.integers(rows, size=(RESAMPLES, rows)) + rows * np.arange(RESAMPLES)[:, None]
    return np.bincount(drawn.ravel(), minlength=RESAMPLES * rows).reshape(RESAMPLES, rows).astype(np.float64)


def resampled_largest(samples: Samples, data_set: int, value: Callable[[slice], Array]) -> Array:
    """Return the largest difference of the groups' values, each group resampled by itself."""
    codes = range(data_set * samples.groups, (data_set + 1) * samples.groups)
    return np.asarray(np.ptp([value(samples.part(code, code + 1)) for code in codes], axis=0))


def oracle_statistic(disparity: Array, deviations: Array, limit: float) -> Array:
    """Return the largest excess over the limit in standard errors of the pairs, shape (S,).

    Parameters
    ----------
    disparity : ndarray of float64, shape (S, B)
        Observed disparities of all pairs.
    deviations : ndarray of float64, shape (G,)
        True standard errors of the groups' estimates.
    limit : float
        Largest disparity allowed.
    """
    first, second = np.triu_indices(len(deviations), 1)
    scale = np.hypot(deviations[first], deviations[second])
    return np.asarray(((np.abs(disparity) - limit) / scale).max(axis=1))


def normal_critical_value(design: Design, deviations: Array, limit: float, rng: np.random.Generator) -> float:
    """Return what the oracle's statistic exceeds with probability alpha at the limit, were the estimates normal."""
    null = rng.normal(size=(20_000, design.groups)) * deviations + np.where(design.is_worse, limit, 0.0)
    return float(np.quantile(oracle_statistic(pairwise(null, design.groups), deviations, limit), 1.0 - ALPHA))


def asymptotic_power(design: Design, deviations: Array, limit: float, rng: np.random.Generator) -> float:
    """Return how often the oracle finds the design's disparity, were the estimates normal."""
    values = rng.normal(size=(20_000, design.groups)) * deviations + np.where(design.is_worse, design.disparity, 0.0)
    critical = normal_critical_value(design, deviations, limit, rng)
    return float(np.mean(oracle_statistic(pairwise(values, design.groups), deviations, limit) > critical))
