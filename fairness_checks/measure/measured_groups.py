"""What is known of every group once the rows are read: small whatever their number, and it adds up."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from fairness_checks.errors import ConfigurationError
from fairness_checks.measure.rows import refuse_many
from fairness_checks.question.metrics import CELLS, Metric

__all__ = ["Counts", "MeasuredGroups"]

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredGroups:
    """What is known of every group: all that inference may see.

    Parameters
    ----------
    by : tuple of str
        The sensitive features whose groups, or groups of the intersection, these are.
    groups : tuple of tuple of str
        One value per feature and group, sorted. Intersections without a sample are there, with counts of zero.
    counts : ndarray of int64, shape (G, 4)
        Cells tn, fp, fn, tp of each group; zeros without labels.
    measured : mapping of str to object
        By metric, what its kind needs beyond the counts: moments, AUCs, binned residuals, ...; each has
        ``take(order)``, where -1 is an empty group, and most add up with ``+``.
    unlabelled : ndarray of int64, shape (G,), optional
        Samples of each group, where there are no labels to count.
    clusters_cross_groups : bool
        Whether some cluster has samples in more than one group.
    one_cluster_each : bool
        Whether all samples of each group are of one cluster, though some group has many.

    Notes
    -----
    Statistics of parts of the data add up with ``+``, in any order, to the statistics of the whole. AUCs do not, and
    nothing does that is robust to clusters: a cluster may have samples in both parts. What does in their place, where
    each cluster lies inside one part, `Kind.part` measures: see `fairness_checks.measure_part`.
    """

    by: tuple[str, ...]
    groups: tuple[tuple[str, ...], ...]
    counts: Counts
    measured: Mapping[str, Any] = field(default_factory=dict)
    unlabelled: Counts | None = None
    clusters_cross_groups: bool = False
    one_cluster_each: bool = False

    @property
    def samples(self) -> Counts:
        """Number of samples of each group, shape (G,)."""
        return np.asarray(self.counts.sum(axis=1)) if self.unlabelled is None else self.unlabelled

    def proportion(self, metric: Metric) -> tuple[Counts, Counts]:
        """Return (events, samples) of a rate per group, each of shape (G,), from the confusion counts."""
        numerator = [CELLS.index(cell) for cell in metric.numerator]
        denominator = [CELLS.index(cell) for cell in metric.denominator]
        return self.counts[:, numerator].sum(axis=1), self.counts[:, denominator].sum(axis=1)

    def take(self, order: Sequence[int]) -> Self:
        """Return the statistics of the groups at the given positions."""
        return replace(
            self,
            groups=tuple(self.groups[i] for i in order),
            counts=_aligned(self.counts, order),
            measured={name: found.take(order) for name, found in self.measured.items()},
            unlabelled=None if self.unlabelled is None else _aligned(self.unlabelled, order),
        )

    def __add__(self, other: MeasuredGroups) -> Self:
        if not isinstance(other, MeasuredGroups):
            return NotImplemented
        if self.by != other.by:
            raise ConfigurationError(f"statistics by {list(self.by)} and by {list(other.by)} cannot be added")
        if set(self.measured) != set(other.measured) or (self.unlabelled is None) != (other.unlabelled is None):
            raise ConfigurationError("statistics of different metrics cannot be added; measure the same for every part")
        # Parts may each lack an intersection that the whole has, without a sample.
        values = [sorted({group[i] for group in (*self.groups, *other.groups)}) for i in range(len(self.by))]
        refuse_many(self.by, math.prod(len(names) for names in values))
        groups = tuple(tuple(values[i][j] for i, j in enumerate(at)) for at in np.ndindex(*(len(v) for v in values)))
        places = [{group: i for i, group in enumerate(part.groups)} for part in (self, other)]
        order = [[place.get(group, -1) for group in groups] for place in places]
        return type(self)(
            self.by,
            groups,
            _aligned(self.counts, order[0]) + _aligned(other.counts, order[1]),
            {name: self.measured[name].take(order[0]) + other.measured[name].take(order[1]) for name in self.measured},
            None
            if self.unlabelled is None or other.unlabelled is None
            else _aligned(self.unlabelled, order[0]) + _aligned(other.unlabelled, order[1]),
        )


def _aligned(counts: Counts, order: Sequence[int]) -> Counts:
    """Return the counts at the given positions; 0 at -1."""
    at = np.asarray(order, dtype=np.intp)
    return np.concatenate([counts, np.zeros_like(counts, shape=(1, *counts.shape[1:]))])[at]  # -1 is what was appended
