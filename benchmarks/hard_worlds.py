"""Evaluations of two groups whose difference is known, in worlds that are hard on a test.

Samples come in clusters whose sizes are geometric, Pareto or go with the outcome, one of which is huge, or which lie
in both groups; or they are independent, and one group is 10 or 100 times as large, or events are rare. Behind every
value are normal scores with correlation 0.5 within a cluster, so that each sample's own distribution, and with it the
true difference, is known exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import optimize, special

from benchmarks.calibration_worlds import Array, Integers

__all__ = ["LAWS", "METRICS", "SHARED", "Drawn", "Layout", "Placed", "place"]

_CORRELATION = 0.5  # within clusters, of the scores
_OF_UNCERTAINTY = 0.6  # correlation of error and uncertainty of a sample
_LARGE = 0.3  # share of the clusters that are large, where size goes with the outcome
_SMALL_SIZES, _LARGE_SIZES = (1, 2), (6, 10)
SHARED = "shared"

Sizes = Callable[[np.random.Generator, tuple[int, int]], Integers]


def _one_huge(rng: np.random.Generator, shape: tuple[int, int]) -> Integers:
    """Sizes of 2, and one of 1.3 samples a cluster: 5 to 6 effective clusters, the fewest that are judged."""
    sizes = np.full(shape, 2)
    sizes[:, 0] = round(1.3 * shape[1])
    return sizes


LAWS: Mapping[str, Sizes] = {
    "single": lambda rng, shape: np.ones(shape, dtype=np.int64),
    "geometric": lambda rng, shape: rng.geometric(0.25, shape),
    "Pareto": lambda rng, shape: np.minimum(rng.pareto(1.1, shape) + 1.0, 50.0).astype(np.int64),
    "one huge": _one_huge,
    "by outcome": lambda rng, shape: np.ones(shape, dtype=np.int64),  # see `place`
    SHARED: lambda rng, shape: rng.geometric(1.0 / 6.0, shape),
}
"""Sizes of clusters, shape (data sets, clusters)."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Two groups.

    Parameters
    ----------
    law : str
        A key of `LAWS`; of `SHARED` clusters every sample lies in either group, of all others the whole cluster.
    units : tuple of int
        Clusters of each group (of shared ones their number is the first).
    """

    law: str
    units: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Placed:
    """Samples of S data sets.

    Parameters
    ----------
    data_sets : int
        S.
    codes : ndarray of int64, shape (n,)
        Twice the data set, plus 1 in the second group.
    clusters : ndarray of int64, shape (n,)
        Rising.
    large : ndarray of bool, shape (n,)
        Whether the cluster is one of the large ones, where size goes with the outcome.
    share : float
        Expected share of samples in large clusters; 0 elsewhere.
    """

    data_sets: int
    codes: Integers
    clusters: Integers
    large: npt.NDArray[np.bool_]
    share: float

    def scores(self, rng: np.random.Generator) -> Array:
        """Draw standard normal scores, shape (n,)."""
        shared = rng.standard_normal(int(self.clusters[-1]) + 1)[self.clusters]
        own = rng.standard_normal(len(self.clusters))
        return np.asarray(np.sqrt(_CORRELATION) * shared + np.sqrt(1.0 - _CORRELATION) * own)


def place(layout: Layout, data_sets: int, rng: np.random.Generator) -> Placed:
    """Draw the clusters and their sizes."""
    first, second = (layout.units[0], 0) if layout.law == SHARED else layout.units
    parts = [LAWS[layout.law](rng, (data_sets, units)) for units in (first, second) if units]
    sizes = np.concatenate(parts, axis=1)
    large, share = np.zeros(sizes.shape, dtype=np.bool_), 0.0
    if layout.law == "by outcome":
        large = rng.random(sizes.shape) < _LARGE
        small_ones = rng.integers(_SMALL_SIZES[0], _SMALL_SIZES[1] + 1, sizes.shape)
        sizes = np.where(large, rng.integers(_LARGE_SIZES[0], _LARGE_SIZES[1] + 1, sizes.shape), small_ones)
        of_large, of_small = _LARGE * sum(_LARGE_SIZES), (1.0 - _LARGE) * sum(_SMALL_SIZES)
        share = of_large / (of_large + of_small)
    clusters = np.repeat(np.arange(sizes.size), sizes.ravel())
    data_set, position = clusters // sizes.shape[1], clusters % sizes.shape[1]
    second_group = rng.random(len(clusters)) < 0.5 if layout.law == SHARED else position >= first
    return Placed(data_sets, 2 * data_set + second_group, clusters, large.ravel()[clusters], share)


@dataclass(frozen=True, slots=True)
class Drawn:
    """A metric, its limit, and how its samples are drawn.

    Parameters
    ----------
    metric : str
        Of `fairness_checks.METRICS`.
    limit : float
        Largest difference allowed.
    draw : callable
        Takes the placed samples, whether each lies in the worse group, the true difference and a generator; returns the
        arguments of `fairness_checks.Predictions`.
    """

    metric: str
    limit: float
    draw: Callable[[Placed, npt.NDArray[np.bool_], float, np.random.Generator], dict[str, Any]]


def _events(rate: float, apart: float) -> Callable[..., dict[str, Any]]:
    """Draw misses of positives, more of them in large clusters by `apart`."""

    def draw(placed: Placed, worse: Any, difference: float, rng: np.random.Generator) -> dict[str, Any]:
        chance = rate + difference * worse + apart * (placed.large - placed.share) * (placed.share > 0.0)
        missed = special.ndtr(placed.scores(rng)) < chance
        return {"y_true": np.ones(len(missed), dtype=np.bool_), "y_pred": ~missed}

    return draw


def _errors(shape: Callable[[Array], Array]) -> Callable[..., dict[str, Any]]:
    """Draw errors, larger ones in large clusters by 1."""

    def draw(placed: Placed, worse: Any, difference: float, rng: np.random.Generator) -> dict[str, Any]:
        return {"error": shape(placed.scores(rng)) + difference * worse + placed.large}

    return draw


def _shift(area: float, apart: float, share: float) -> float:
    """Return the distance of two normal mixtures, whose large part lies higher by `apart`, that leaves an area."""

    def excess(shift: float) -> float:
        steps, weights = np.array([-apart, 0.0, apart]), np.array([0.0, 1.0, 0.0])
        if share:
            weights = np.array([share * (1.0 - share), share**2 + (1.0 - share) ** 2, share * (1.0 - share)])
        return float(weights @ special.ndtr((shift + steps) / np.sqrt(2.0))) - area

    return float(optimize.brentq(excess, -10.0, 10.0))


_BETTER = 0.85  # area of the better group; of errors between the groups
_APART = 0.7  # of the scores in large clusters


def _areas(placed: Placed, worse: Any, difference: float, rng: np.random.Generator) -> dict[str, Any]:
    """Draw scores; all samples of a cluster are of one class."""
    positive = (rng.random(int(placed.clusters[-1]) + 1) < 0.5)[placed.clusters]
    shifts = [_shift(area, _APART, placed.share) for area in (_BETTER, _BETTER - difference)]
    scores = placed.scores(rng) + np.where(worse, shifts[1], shifts[0]) * positive + _APART * placed.large
    return {"y_true": positive, "y_score": special.expit(scores)}


def _decisions(placed: Placed, worse: Any, difference: float, rng: np.random.Generator) -> dict[str, Any]:
    """Draw labels and decisions, of which fewer are right in large clusters."""
    chance = 0.8 - difference * worse - 0.1 * (placed.large - placed.share) * (placed.share > 0.0)
    right = special.ndtr(placed.scores(rng)) < chance
    labels = rng.random(len(right)) < 0.5
    return {"y_true": labels, "y_pred": labels == right}


def _probabilities(placed: Placed, worse: Any, difference: float, rng: np.random.Generator) -> dict[str, Any]:
    """Draw scores, higher in large clusters, that are right or too low by the difference in every bin."""
    scores = np.where(placed.large, 0.35, 0.1) + rng.random(len(placed.codes)) * (0.25 if placed.share else 0.5)
    return {"y_true": special.ndtr(placed.scores(rng)) < scores + difference * worse, "y_score": scores}


def _uncertainties(placed: Placed, worse: Any, difference: float, rng: np.random.Generator) -> dict[str, Any]:
    """Draw errors higher in the worse group, and uncertainties that warn of it less by the difference."""
    error, rest = placed.scores(rng), placed.scores(rng)
    uncertainty = _OF_UNCERTAINTY * error + np.sqrt(1.0 - _OF_UNCERTAINTY**2) * rest
    of_error, of_uncertainty = (_shift(area, _APART, placed.share) for area in (_BETTER, _BETTER - difference))
    error += of_error * worse + _APART * placed.large
    uncertainty += of_uncertainty * worse + _APART * placed.large
    return {"error": np.exp(error), "uncertainty": np.exp(uncertainty)}


METRICS: Mapping[str, Drawn] = {
    "rate": Drawn("false_negative_rate", 0.3, _events(0.25, 0.2)),
    "rate 0.01": Drawn("false_negative_rate", 0.02, _events(0.01, 0.005)),
    "normal": Drawn("mean_error", 2.0, _errors(lambda z: z)),
    "lognormal": Drawn("mean_error", 5.0, _errors(np.exp)),
    "auc": Drawn("roc_auc", 0.3, _areas),
    "balanced": Drawn("balanced_accuracy", 0.3, _decisions),
    "ece": Drawn("expected_calibration_error", 0.3, _probabilities),
    "mismatch": Drawn("uncertainty_mismatch", 0.3, _uncertainties),
}
"""What is measured; where sizes go with the outcome, large clusters differ from small ones. Limits are so far from 0
that both directions of compliance do not get in each other's way: a wrong pass is as likely as it can be."""
