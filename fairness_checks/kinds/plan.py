"""How samples are planned: what each kind of metric says of values that no sample has been collected for."""

# Sizes are those of the first group, in independent samples that count for the metric; every further group has
# `Design.allocation` times as many.

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import numpy as np
from scipy import special

from fairness_checks.kinds.design import Design
from fairness_checks.stats.power import needed_factor_difference
from fairness_checks.typing import Array

__all__ = ["Array", "ErrorPlan", "Plan", "inside", "made_up"]

_MOST_DEVIATIONS = 1e3  # the root of a million samples, past which `fairness_checks.stats.power` gives up too
_BEST = 0.995  # a perfect value would have no variance; the tests know that it has


class Plan(ABC):
    """Planning for one kind of metric."""

    fewest_of_a_class: int = 0
    """Positives, and negatives, of a group below which the gate judges nothing."""
    needs_deviation: bool = False
    """Whether the standard deviation of one sample's value must be given."""
    reads_positives: bool = False
    """Whether the share of positives matters to the samples that count."""
    reads_correlation: bool = False
    """Whether the correlation of error and uncertainty matters."""

    @abstractmethod
    def variances(self, design: Design, first: float, second: float, sizes: Array) -> Array:
        """Variances of the groups' estimates for one sample of each, shape (G,): the first group's, and the others'."""
        # By them the level is found at which one of several pairs is tested. `sizes` are the groups', shape (G,).

    @abstractmethod
    def needed_pair(self, design: Design, first: float, second: float, level: float) -> float | None:
        """Size with which a violation by the pair is found at a level, or compliance of all such pairs at it."""
        # None where no number of samples does.

    @abstractmethod
    def needed_value(self, design: Design, value: float, level: float, power: float) -> float | None:
        """Size of a group whose value is shown to violate, or to keep, a ceiling or a floor; None where none does."""

    def correlation(self, design: Design, value: float, clusters: float) -> float:
        """Intra-cluster correlation that the test will count with, of a group in so many clusters."""
        return design.intra_cluster_correlation

    def freedom(self, design: Design, value: float, clusters: float) -> float:
        """Degrees of freedom of a group's variance in so many clusters, where the test counts fewer than these."""
        return clusters - 1.0


class ErrorPlan(Plan):
    """Planning where a standard error shrinks as the root of the samples."""

    @abstractmethod
    def variance(self, design: Design, value: float) -> float:
        """Variance of a group's estimate for one sample of it, at a value."""

    def variances(self, design: Design, first: float, second: float, sizes: Array) -> Array:
        """Return each group's own; see `Plan`."""
        return np.array([self.variance(design, value) for value in [first] + [second] * (len(sizes) - 1)])

    def needed_pair(self, design: Design, first: float, second: float, level: float) -> float | None:
        """Take the variance near the limit, as the tests do: for nearly perfect groups it is far from their own."""
        move = (math.copysign(design.limit, first - second) - (first - second)) / 2.0
        pairs = (first, second), (first + move, second - move)
        error = max(self._pair_error(design, *pair) for pair in pairs)
        return self.by_error(design, first, second, error, level)

    def by_error(self, design: Design, first: float, second: float, error: float, level: float) -> float | None:
        """Size at which a difference is told from the limit, by its standard error for one sample of the first."""
        distance = abs(first - second)
        return needed_factor_difference(distance, error, design.limit, level, level, design.power, design.groups)

    def needed_value(self, design: Design, value: float, level: float, power: float) -> float | None:
        """Take the variance that the test sees, at the estimate with which it just succeeds."""
        z_power, z_level, limit = float(special.ndtri(power)), -float(special.ndtri(level)), design.limit
        decisive = (value * z_level + limit * z_power) / (z_level + z_power)
        reach = z_power * math.sqrt(self.variance(design, value)) + z_level * math.sqrt(self.variance(design, decisive))
        distance = abs(value - limit)
        return None if reach > _MOST_DEVIATIONS * distance else (reach / distance) ** 2

    def _pair_error(self, design: Design, first: float, second: float) -> float:
        """Return the standard error of a difference for one sample of the first group."""
        return math.sqrt(self.variance(design, first) + self.variance(design, second) / design.allocation)


def inside(value: float) -> float:
    """Return a value that is not nearly perfect, as the tests take it to be none."""
    return min(max(value, 1.0 - _BEST), _BEST)


def made_up(size: float, loss: float, distance: float) -> float:
    """Size at which a distance that loses `loss` / size is as many standard errors as the whole one at `size`."""
    # With a loss of half an event this is Fleiss' correction for continuity (Biometrics 36 (1980) 343,
    # doi:10.2307/2529990).
    return ((math.sqrt(size) + math.sqrt(size + 4.0 * loss / distance)) / 2.0) ** 2
