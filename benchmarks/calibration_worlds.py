"""Simulated evaluations with a known disparity: the worlds of `benchmarks.calibration`.

Groups alternate between two sizes and between better and worse, so that all groups of one parity are alike. No cluster
lies in two groups. In clustered worlds a cluster has 2 to 5 samples, and the normal scores behind every value have
correlation 0.45 within it: 0.33 for lognormal errors, 0.39 for exponential ones; events are beta-binomial with
correlation 0.4. Sizes count what is independent: samples, or clusters in clustered worlds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

__all__ = ["BETTER_AREA", "LOW_RATE", "MEANS", "Design", "ErrorShape", "Samples", "draw_areas", "draw_events"]
__all__ += ["draw_means", "draw_mismatch"]

Array = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

LOW_RATE = 0.3
BETTER_AREA = 0.85  # of scores in better groups; of errors between worse and better groups
_LATENT, _OF_EVENTS = 0.45, 0.4  # correlation within clusters
_OF_UNCERTAINTY = 0.6  # correlation of error and uncertainty of a sample
_CYCLE = np.array([5, 4, 3, 2])  # sizes of the clusters of a proportion's samples


@dataclass(frozen=True, slots=True)
class Design:
    """Groups and their true disparity.

    Parameters
    ----------
    sizes : tuple of int
        Of the groups of even and of odd position.
    groups : int
        Number of groups, G.
    clustered : bool
        Whether samples come in clusters.
    disparity : float
        Between worse and better groups.
    worse : {0, 1}
        Parity of the worse groups.
    scaled : bool
        Whether errors of worse groups are larger by a factor, instead of by a number.
    """

    sizes: tuple[int, int]
    groups: int
    clustered: bool = False
    disparity: float = 0.0
    worse: int = 0
    scaled: bool = False

    @property
    def size(self) -> Integers:
        """Size of each group, shape (G,)."""
        return np.where(np.arange(self.groups) % 2 == 0, *self.sizes).astype(np.int64)

    @property
    def is_worse(self) -> npt.NDArray[np.bool_]:
        """Which groups are worse, shape (G,)."""
        return np.asarray(np.arange(self.groups) % 2 == self.worse)


@dataclass(frozen=True, slots=True)
class Samples:
    """Samples of S simulated data sets of G groups each.

    Parameters
    ----------
    groups : int
        G.
    codes : ndarray of int64, shape (n,)
        Data set times G plus group; rising.
    values : ndarray of float64, shape (n,)
        Event, error or score.
    other : ndarray, shape (n,), optional
        Label of the score, or uncertainty.
    clusters : ndarray of int64, shape (n,), optional
        Rising; None where samples are independent.
    """

    groups: int
    codes: Integers
    values: Array
    other: npt.NDArray[Any] | None = None
    clusters: Integers | None = None

    def part(self, first: int, last: int) -> slice:
        """Rows of the groups from one code to before another."""
        return slice(*np.searchsorted(self.codes, (first, last)))


@dataclass(frozen=True, slots=True)
class ErrorShape:
    """A distribution of errors: a rising function of a standard normal score, and its mean and standard deviation."""

    of_score: Callable[[Array], Array]
    mean: float
    deviation: float


MEANS = {
    "normal": ErrorShape(lambda z: z, 0.0, 1.0),
    "lognormal": ErrorShape(np.exp, float(np.exp(0.5)), float(np.sqrt((np.e - 1.0) * np.e))),
    "exponential": ErrorShape(lambda z: -special.log_ndtr(-z), 1.0, 1.0),
}


def _place(design: Design, data_sets: int, rng: np.random.Generator) -> tuple[Integers, Integers | None]:
    """Return the code and the cluster of each sample."""
    units = np.repeat(np.arange(data_sets * design.groups), np.tile(design.size, data_sets))
    if not design.clustered:
        return units, None
    of_row = np.repeat(np.arange(len(units)), rng.integers(2, 6, len(units)))
    return units[of_row], of_row


def _scores(rows: int, clusters: Integers | None, rng: np.random.Generator) -> Array:
    """Draw standard normal scores, shape (rows,)."""
    own = rng.standard_normal(rows)
    if clusters is None:
        return own
    shared = rng.standard_normal(int(clusters[-1]) + 1)[clusters]
    return np.asarray(np.sqrt(_LATENT) * shared + np.sqrt(1.0 - _LATENT) * own)


def _shift(area: float) -> float:
    """Return the distance of two normal distributions of variance 1 that leaves an area under the ROC curve."""
    return float(np.sqrt(2.0) * special.ndtri(area))


def draw_events(design: Design, data_sets: int, rng: np.random.Generator) -> Samples:
    """Events of clustered samples."""
    rates = np.tile(np.where(design.is_worse, LOW_RATE + design.disparity, LOW_RATE), data_sets)
    code = np.repeat(np.arange(data_sets * design.groups), np.tile(design.size, data_sets))  # of each cluster
    position = np.arange(len(code)) - np.searchsorted(code, code)
    clusters = np.repeat(np.arange(len(code)), _CYCLE[position % len(_CYCLE)])
    shape = (1.0 - _OF_EVENTS) / _OF_EVENTS
    chance = rng.beta(rates[code] * shape, (1.0 - rates[code]) * shape)[clusters]
    events = (rng.random(len(clusters)) < chance).astype(np.float64)
    return Samples(design.groups, code[clusters], events, None, clusters)


def draw_means(shape: ErrorShape, design: Design, data_sets: int, rng: np.random.Generator) -> Samples:
    """Errors whose mean is higher in worse groups."""
    codes, clusters = _place(design, data_sets, rng)
    errors = shape.of_score(_scores(len(codes), clusters, rng))
    worse = np.tile(design.is_worse, data_sets)[codes]
    if design.scaled:
        errors = errors * np.where(worse, 1.0 + design.disparity / shape.mean, 1.0)
    else:
        errors = errors + np.where(worse, design.disparity, 0.0)
    return Samples(design.groups, codes, errors, None, clusters)


def draw_areas(design: Design, data_sets: int, rng: np.random.Generator) -> Samples:
    """Labels, half of them positive, and scores whose area under the ROC curve is lower in worse groups."""
    codes, clusters = _place(design, data_sets, rng)
    labels = np.arange(len(codes)) % 2 == 0 if clusters is None else rng.random(len(codes)) < 0.5
    shifts = np.where(design.is_worse, _shift(BETTER_AREA - design.disparity), _shift(BETTER_AREA))
    scores = _scores(len(codes), clusters, rng) + np.tile(shifts, data_sets)[codes] * labels
    return Samples(design.groups, codes, scores, labels, clusters)


def draw_mismatch(design: Design, data_sets: int, rng: np.random.Generator) -> Samples:
    """Errors higher in worse groups, and uncertainties that warn of it less by the disparity."""
    codes, clusters = _place(design, data_sets, rng)
    error = _scores(len(codes), clusters, rng)
    rest = _scores(len(codes), clusters, rng)
    uncertainty = _OF_UNCERTAINTY * error + np.sqrt(1.0 - _OF_UNCERTAINTY**2) * rest
    worse = np.tile(design.is_worse, data_sets)[codes]
    error += _shift(BETTER_AREA) * worse
    uncertainty += _shift(BETTER_AREA - design.disparity) * worse
    return Samples(design.groups, codes, error, uncertainty, clusters)
