"""Predictions -> GroupStatistics: one pass over the rows, after which their number no longer matters."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from fairness_checks.checks import MISSING_IS_ERROR, Missing
from fairness_checks.errors import ConfigurationError, attempted
from fairness_checks.kinds import KINDS
from fairness_checks.metrics import CELLS, METRICS, Metric
from fairness_checks.predictions import Predictions
from fairness_checks.rows import Rows, refuse_many

__all__ = ["GroupStatistics", "measure_each"]

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class GroupStatistics:
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
        By metric, what its kind needs beyond the counts: moments, areas, binned residuals, ...; each has
        ``take(order)``, where -1 is an empty group, and most add up with ``+``.
    unlabelled : ndarray of int64, shape (G,), optional
        Samples of each group, where there are no labels to count.
    clusters_cross_groups : bool
        Whether some cluster has samples in more than one group.
    one_cluster_each : bool
        Whether all samples of each group are of one cluster, though some group has many.

    Notes
    -----
    Statistics of parts of the data add up with ``+``, in any order, to the statistics of the whole. Areas do not, and
    nothing does that is robust to clusters: a cluster may have samples in both parts.
    """

    by: tuple[str, ...]
    groups: tuple[tuple[str, ...], ...]
    counts: Counts
    measured: Mapping[str, Any] = field(default_factory=dict)
    unlabelled: Counts | None = None
    clusters_cross_groups: bool = False
    one_cluster_each: bool = False

    @classmethod
    def from_predictions(
        cls,
        predictions: Predictions,
        by: Sequence[str],
        missing: Missing = MISSING_IS_ERROR,
        metrics: Iterable[Metric] = (),
    ) -> GroupStatistics:
        """Count the confusion table of each group, and measure what the metrics need beyond it.

        Parameters
        ----------
        predictions : Predictions
            n samples.
        by : sequence of str
            One or more sensitive features.
        missing : Missing
            Which values are missing, and whether they are refused or a group called "(missing)".
        metrics : iterable of Metric
            Metrics that are wanted. Areas cost one sort of the scores, clusters one sort of the clusters.

        Raises
        ------
        ConfigurationError
            If a feature does not exist.
        InvalidPredictions
            If sensitive values are missing and not declared a group, or an array is missing that a metric needs.
        """
        return cls.from_rows(Rows(predictions, by, missing), by, metrics)

    @classmethod
    def from_rows(cls, rows: Rows, by: Sequence[str], metrics: Iterable[Metric] = ()) -> GroupStatistics:
        """Count and measure samples that are in their groups already; see `from_predictions`."""
        measured = {}
        for metric in _parts(metrics):
            found = KINDS[metric.kind].measure(rows, metric)
            if found is not None:
                measured[metric.name] = found
        return cls(
            tuple(by),
            rows.groups,
            np.zeros((len(rows.groups), len(CELLS)), dtype=np.int64) if rows.counts is None else rows.counts,
            measured,
            rows.samples if rows.counts is None else None,
            rows.clusters_cross_groups,
            rows.one_cluster_each,
        )

    @property
    def samples(self) -> Counts:
        """Number of samples of each group, shape (G,)."""
        return np.asarray(self.counts.sum(axis=1)) if self.unlabelled is None else self.unlabelled

    def proportion(self, metric: Metric) -> tuple[Counts, Counts]:
        """Return (events, samples) of a rate per group, each of shape (G,), from the confusion counts."""
        numerator = [CELLS.index(cell) for cell in metric.numerator]
        denominator = [CELLS.index(cell) for cell in metric.denominator]
        return self.counts[:, numerator].sum(axis=1), self.counts[:, denominator].sum(axis=1)

    def take(self, order: Sequence[int]) -> GroupStatistics:
        """Return the statistics of the groups at the given positions."""
        return replace(
            self,
            groups=tuple(self.groups[i] for i in order),
            counts=_aligned(self.counts, order),
            measured={name: found.take(order) for name, found in self.measured.items()},
            unlabelled=None if self.unlabelled is None else _aligned(self.unlabelled, order),
        )

    def __add__(self, other: GroupStatistics) -> GroupStatistics:
        if not isinstance(other, GroupStatistics):
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
        return GroupStatistics(
            self.by,
            groups,
            _aligned(self.counts, order[0]) + _aligned(other.counts, order[1]),
            {name: self.measured[name].take(order[0]) + other.measured[name].take(order[1]) for name in self.measured},
            None
            if self.unlabelled is None or other.unlabelled is None
            else _aligned(self.unlabelled, order[0]) + _aligned(other.unlabelled, order[1]),
        )


def measure_each(
    predictions: Predictions, by: Sequence[str], missing: Missing, metrics: Iterable[Metric]
) -> dict[str, GroupStatistics | Exception]:
    """Return the statistics of each metric by its name, or why there are none: those of the others are there.

    The samples are placed in their groups once.
    """
    wanted = {metric.name: metric for metric in metrics}
    rows = attempted(lambda: Rows(predictions, by, missing))
    if isinstance(rows, Exception):
        return dict.fromkeys(wanted, rows)
    return {
        name: attempted(functools.partial(GroupStatistics.from_rows, rows, by, [metric]))
        for name, metric in wanted.items()
    }


def _aligned(counts: Counts, order: Sequence[int]) -> Counts:
    """Return the counts at the given positions; 0 at -1."""
    at = np.asarray(order, dtype=np.intp)
    found = counts[at]
    found[at < 0] = 0
    return found


def _parts(metrics: Iterable[Metric]) -> list[Metric]:
    """Metrics, those with components replaced by these, each once."""
    wanted: dict[str, Metric] = {}
    for metric in metrics:
        for part in [METRICS[name] for name in metric.components] or [metric]:
            wanted.setdefault(part.name, part)
    return list(wanted.values())
