"""What a part of the rows leaves of a metric whose samples come in clusters, each of which lies inside one part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from fairness_checks.kinds.measured import Takeable
from fairness_checks.stats.cluster_sums import ClusterMoments
from fairness_checks.typing import Array

__all__ = ["ClusteredPart"]

S = TypeVar("S", bound=Takeable)


@dataclass(frozen=True, slots=True, eq=False)
class ClusteredPart(Generic[S]):
    """Statistics of G groups' samples, and moments of their clusters; those of disjoint clusters are added by ``+``."""

    statistics: S | None  # of the samples; None where the confusion counts say it all
    clusters: ClusterMoments
    bins: ClusterMoments | None = None  # (B G,), of the bins of group 0, then of group 1, ...
    pairs: Array | None = None  # (G, 3), of rates: see `rao_scott.pairs_within`

    def take(self, order: Sequence[int]) -> ClusteredPart[S]:
        """Return the groups at the given positions; -1 stands for an empty group."""
        at = np.asarray(order, dtype=np.intp)
        bins = self.bins
        if bins is not None:
            each = len(bins.clusters) // max(len(self.clusters.clusters), 1)
            places = np.where(at[:, None] >= 0, at[:, None] * each + np.arange(each), -1)
            bins = bins.take(places.ravel().tolist())
        return ClusteredPart(
            None if self.statistics is None else self.statistics.take(order),
            self.clusters.take(order),
            bins,
            None if self.pairs is None else np.pad(self.pairs, ((0, 1), (0, 0)))[at],
        )

    def __add__(self, other: ClusteredPart[S]) -> ClusteredPart[S]:
        if not isinstance(other, ClusteredPart):
            return NotImplemented
        mine, theirs = self.statistics, other.statistics
        return ClusteredPart(
            None if mine is None or theirs is None else mine + theirs,  # type: ignore[operator]  # each has it
            self.clusters + other.clusters,
            None if self.bins is None or other.bins is None else self.bins + other.bins,
            None if self.pairs is None or other.pairs is None else self.pairs + other.pairs,
        )
