"""Sums over clusters that add up over parts of the rows, where every cluster lies inside one of them."""

# What a cluster adds to the evidence of its group is linear in sums over its samples, such as its events and its size,
# with coefficients that only the whole knows, such as the rate of all. So the parts keep the moments of these sums up
# to the third, from which `clusters.cluster_evidence` and `rao_scott.effective_counts` follow for any coefficients.

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fairness_checks.stats.clusters import (
    ClusterCells,
    ClusterEvidence,
    correlation_of_sums,
    effective_clusters,
    evidence_of_sums,
)
from fairness_checks.typing import Array

__all__ = ["ClusterMoments", "moments_of_clusters"]

_ROUNDING = 1e-13  # relative, of sums that cancel


@dataclass(frozen=True, slots=True, eq=False)
class ClusterMoments:
    """Moments of F sums of each cluster, in G groups; the last of the F is the cluster's number of samples."""

    clusters: npt.NDArray[np.int64]  # (G,)
    first: Array  # (G, F), sums over the clusters
    second: Array  # (G, F, F), sums of products
    third: Array  # (G, F, F, F)
    by_size: Array  # (G, F, F), products over the cluster's samples
    within: Array  # (G, F, F), products of the samples, summed over all
    centre: Array  # (G, F), what was taken from each sample's values before they were summed; 0 for the size
    across: Array | None = None  # (G, G, F, F), products of clusters that lie in two groups; None where none does

    def take(self, order: Sequence[int]) -> ClusterMoments:
        """Return the groups at the given positions; -1 stands for an empty group."""
        at = np.asarray(order, dtype=np.intp)

        def of(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
            return np.concatenate([values, np.zeros_like(values, shape=(1, *values.shape[1:]))])[at]

        across = None
        if self.across is not None:
            across = np.pad(self.across, ((0, 1), (0, 1), (0, 0), (0, 0)))[at[:, None], at]
        return ClusterMoments(
            of(self.clusters),
            of(self.first),
            of(self.second),
            of(self.third),
            of(self.by_size),
            of(self.within),
            of(self.centre),
            across,
        )

    def __add__(self, other: ClusterMoments) -> ClusterMoments:
        if not isinstance(other, ClusterMoments):
            return NotImplemented
        if self.first.shape != other.first.shape:
            raise ValueError(f"moments of shapes {self.first.shape} and {other.first.shape} cannot be added")
        there, both = self.clusters > 0, (self.clusters > 0) & (other.clusters > 0)
        mine, theirs = self.first[:, -1:], other.first[:, -1:]
        weight = theirs / np.maximum(mine + theirs, 1.0)
        between = self.centre + np.where(both[:, None], weight * (other.centre - self.centre), 0.0)
        centre = np.where(there[:, None], between, other.centre)
        one, two = self.about(centre), other.about(centre)
        across = one.across
        if one.across is None or two.across is None:
            across = one.across if two.across is None else two.across
        else:
            across = one.across + two.across
        return ClusterMoments(
            self.clusters + other.clusters,
            one.first + two.first,
            one.second + two.second,
            one.third + two.third,
            one.by_size + two.by_size,
            one.within + two.within,
            centre,
            across,
        )

    def about(self, centre: Array) -> ClusterMoments:
        """Return the same moments with something else taken from each sample's values, shape (G, F)."""
        groups, size = self.first.shape
        turn = np.broadcast_to(np.eye(size), (groups, size, size)).copy()
        turn[:, :, -1] -= np.where(self.clusters[:, None] > 0, centre - self.centre, 0.0)
        squares = [np.einsum("gab,gbc,gdc->gad", turn, x, turn) for x in (self.second, self.by_size, self.within)]
        return ClusterMoments(
            self.clusters,
            np.einsum("gab,gb->ga", turn, self.first),
            squares[0],
            np.einsum("gai,gbj,gck,gijk->gabc", turn, turn, turn, self.third, optimize=True),
            squares[1],
            squares[2],
            centre,
            None if self.across is None else np.einsum("gab,ghbc,hdc->ghad", turn, self.across, turn, optimize=True),
        )

    @property
    def samples(self) -> Array:
        """Samples of each group, shape (G,)."""
        return self.first[:, -1]

    @property
    def effective(self) -> Array:
        """Effective clusters of each group; see `ClusterCells.effective`."""
        return effective_clusters(self.samples, self.second[:, -1, -1], self.clusters.astype(np.float64))

    def means(self) -> Array:
        """Return each sum over the group's samples, of the values themselves, shape (G, F); 0 without samples."""
        return self.first / np.maximum(self.samples, 1.0)[:, None] + self.centre

    def evidence(self, coefficients: Array) -> ClusterEvidence:
        """Return what `cluster_evidence` does of influences that are these combinations of the sums, shape (G, F)."""
        a = np.nan_to_num(coefficients)
        robust, by_size, within = (self._product(x, a) for x in (self.second, self.by_size, self.within))
        cubes = np.einsum("gabc,ga,gb,gc->g", self.third, a, a, a, optimize=True)
        sizes = self.samples, self.second[:, -1, -1], self.third[:, -1, -1, -1]
        k = self.clusters.astype(np.float64)
        return evidence_of_sums(k, sizes, (robust, cubes, by_size, within), self.shared(a, robust))

    def _product(self, table: Array, a: Array) -> Array:
        """Sum squared combinations, shape (G,); 0 where nothing but rounding is left."""
        found = np.einsum("gab,ga,gb->g", table, a, a, optimize=True)
        most = np.einsum("gab,ga,gb->g", np.abs(table), np.abs(a), np.abs(a), optimize=True)
        return np.where(found > _ROUNDING * most, found, 0.0)

    def shared(self, coefficients: Array, squares: Array) -> Array | None:
        """Return correlations through clusters in several groups, shape (G, G); None where there are none."""
        if self.across is None:
            return None
        a = np.nan_to_num(coefficients)
        covariance = np.einsum("ghab,ga,hb->gh", self.across, a, a, optimize=True)
        np.fill_diagonal(covariance, squares)
        return correlation_of_sums(covariance)


def moments_of_clusters(cells: ClusterCells, values: npt.NDArray[Any], *, centred: bool = False) -> ClusterMoments:
    """Sum the moments of clusters of samples with F - 1 values each, shape (n, F - 1), in one pass."""
    # `centred` takes the group's mean from each value, so that sums of large ones do not cancel.
    from scipy import sparse  # only where rows come in clusters

    counted = cells.of_row >= 0
    row_cell, groups, k = cells.of_row[counted], cells.groups, len(cells.group)
    group = cells.group[row_cell]
    x = np.column_stack([np.asarray(values, dtype=np.float64)[counted], np.ones(len(row_cell))])
    size = np.maximum(np.bincount(group, minlength=groups), 1.0)
    centre = np.zeros((groups, x.shape[1]))
    if centred:
        for f in range(x.shape[1] - 1):
            centre[:, f] = np.bincount(group, weights=x[:, f], minlength=groups) / size
        x = x - centre[group]
    to_cell = sparse.csr_array((np.ones(len(row_cell)), (row_cell, np.arange(len(row_cell)))), (k, len(row_cell)))
    to_group = sparse.csr_array((np.ones(k), (cells.group, np.arange(k))), (groups, k))
    rows_to_group = to_group @ to_cell
    z = np.asarray(to_cell @ x)
    pairs = (z[:, :, None] * z[:, None, :]).reshape(k, x.shape[1] ** 2)
    features, of_size = x.shape[1], np.maximum(z[:, -1:], 1.0)
    square = (groups, features, features)
    within = np.column_stack([np.asarray(rows_to_group @ (x * x[:, [f]])) for f in range(features)])
    third = np.stack([np.asarray(to_group @ (pairs * z[:, [f]])) for f in range(features)], axis=1)
    return ClusterMoments(
        cells.by_group().astype(np.int64),
        np.asarray(to_group @ z),
        np.asarray(to_group @ pairs).reshape(square),
        third.reshape(groups, features, features, features),
        np.asarray(to_group @ (pairs / of_size)).reshape(square),
        within.reshape(square),
        centre,
        _across(cells, z) if cells.spanning else None,
    )


def _across(cells: ClusterCells, z: Array) -> Array:
    """Sum products of the sums of clusters that lie in two groups, shape (G, G, F, F)."""
    from scipy import sparse

    features, groups = z.shape[1], cells.groups
    place = (cells.cluster[:, None], cells.group[:, None] * features + np.arange(features))
    row, column = (np.broadcast_to(each, z.shape).ravel() for each in place)
    table = sparse.csr_array((z.ravel(), (row, column)), (int(cells.cluster.max()) + 1, groups * features))
    found = (table.T @ table).toarray().reshape(groups, features, groups, features)
    return np.ascontiguousarray(found.transpose(0, 2, 1, 3))
