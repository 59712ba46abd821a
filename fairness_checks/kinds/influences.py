"""Predictions -> what each sample contributes to a metric of its group; for comparing two models."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fairness_checks.inputs.predictions import Predictions
from fairness_checks.kinds import kind_of
from fairness_checks.measure.rows import Rows
from fairness_checks.measure.sources.engine_rows import EngineRows
from fairness_checks.question.metrics import Metric
from fairness_checks.stats.influence import Influence

__all__ = ["GroupInfluences", "group_influences"]

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class GroupInfluences:
    """One metric in G groups."""

    influences: tuple[Influence, ...]  # of each of G groups
    clusters: tuple[Integers, ...] | None  # of each group, those of its samples; None where independent

    def take(self, groups: list[int]) -> GroupInfluences:
        """Return some of the groups."""
        clusters = None if self.clusters is None else tuple(self.clusters[g] for g in groups)
        return GroupInfluences(tuple(self.influences[g] for g in groups), clusters)


def group_influences(predictions: Predictions, rows: Rows, metric: Metric) -> GroupInfluences:
    """Return the influence of each sample on its group's value of a metric, with samples in which models disagree."""
    # Of rows in an engine it is as much as a comparison of other samples reads.
    # `predictions` are those of `rows`, or what another model said about the same samples.
    if isinstance(rows, EngineRows):
        if rows.in_clusters:
            rows.refuse(f"{metric.name} of clusters beside a baseline")
        return GroupInfluences(tuple(kind_of(metric).influence_in_engine(rows, metric)), None)
    clusters = None if rows.clusters is None else tuple(rows.clusters[at] for at in rows.members)
    kind = kind_of(metric)
    arrays = kind.arrays(predictions, metric)
    found = []
    for g, at in enumerate(rows.members):
        own = None if clusters is None else clusters[g]
        found.append(kind.influence(tuple(array[at] for array in arrays), own, pseudo=True))
    return GroupInfluences(tuple(found), clusters)
