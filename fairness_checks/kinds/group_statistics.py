"""Predictions -> GroupStatistics: one pass over the rows, after which their number no longer matters."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from fairness_checks.errors import attempted
from fairness_checks.inputs.predictions import Predictions
from fairness_checks.kinds import kind_of
from fairness_checks.measure.measured_groups import MeasuredGroups
from fairness_checks.measure.rows import Rows, Sorted
from fairness_checks.measure.sources.engine_rows import EngineRows, rows_of
from fairness_checks.question.checks import MISSING_IS_ERROR, Missing
from fairness_checks.question.metrics import CELLS, Metric, parts_of

__all__ = ["GroupStatistics", "measure_each"]


@dataclass(frozen=True, slots=True, eq=False)
class GroupStatistics(MeasuredGroups):
    """What is known of every group; its fields are those of `MeasuredGroups`."""

    @classmethod
    def from_predictions(
        cls,
        predictions: Predictions,
        by: Sequence[str],
        missing: Missing = MISSING_IS_ERROR,
        metrics: Iterable[Metric] = (),
    ) -> Self:
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
            Metrics that are wanted. AUCs cost one sort of the scores, clusters one sort of the clusters.

        Raises
        ------
        ConfigurationError
            If a feature does not exist.
        InvalidPredictions
            If sensitive values are missing and not declared a group, or an array is missing that a metric needs.
        """
        return cls.from_rows(rows_of(predictions, by, missing), by, metrics)

    @classmethod
    def from_rows(cls, rows: Rows, by: Sequence[str], metrics: Iterable[Metric] = ()) -> Self:
        """Count and measure samples that are in their groups already; see `from_predictions`."""
        measured = {}
        for metric in _parts(metrics):
            kind = kind_of(metric)
            found = kind.measure_in_engine(rows, metric) if isinstance(rows, EngineRows) else kind.measure(rows, metric)
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


def measure_each(
    predictions: Predictions,
    by: Sequence[str],
    missing: Missing,
    metrics: Iterable[Metric],
    shared: Sorted | None,
) -> dict[str, GroupStatistics | Exception]:
    """Return the statistics of each metric by its name, or why there are none: those of the others are there."""
    # The samples are placed in their groups once. `shared` are orders that other features have a use for, too.
    wanted = {metric.name: metric for metric in metrics}
    rows = attempted(lambda: rows_of(predictions, by, missing))
    if isinstance(rows, Exception):
        return dict.fromkeys(wanted, rows)
    rows.sorted = shared
    return {
        name: attempted(functools.partial(GroupStatistics.from_rows, rows, by, [metric]))
        for name, metric in wanted.items()
    }


def _parts(metrics: Iterable[Metric]) -> list[Metric]:
    """Metrics, those with components replaced by these, each once."""
    wanted: dict[str, Metric] = {}
    for metric in metrics:
        for part in parts_of(metric):
            wanted.setdefault(part.name, part)
    return list(wanted.values())
