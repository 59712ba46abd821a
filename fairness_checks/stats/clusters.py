"""Clusters: samples that are no independent evidence, such as images of one patient.

The evidence of a cluster within a group is the sum of its samples' influence on the group's estimate; clusters, not
samples, are drawn independently. Everything cluster-robust here starts from such sums (Liang and Zeger, Biometrika 73
(1986) 13-22, doi:10.1093/biomet/73.1.13).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from fairness_checks.stats.proportions import Array

__all__ = ["FEWEST_CLUSTERS", "Cells", "find_cells"]

FEWEST_CLUSTERS = 10  # of a group, from which on their variance is known well enough for a test to keep its level

Integers = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """The C pairs of a group and a cluster that have samples; a cluster in two groups has two cells.

    Parameters
    ----------
    groups : int
        Number of groups, G.
    of_row : ndarray of int, shape (n,)
        Cell of each sample; -1 for a sample that is left out.
    group, cluster : ndarray of int, shape (C,)
        Group and cluster of each cell; sorted by group, then by cluster.
    """

    groups: int
    of_row: npt.NDArray[np.int64]
    group: npt.NDArray[np.int64]
    cluster: npt.NDArray[np.int64]

    def sums(self, values: npt.NDArray[Any] | None = None) -> Array:
        """Sum one value a sample within each cell, shape (C,); without values, count the samples."""
        kept = self.of_row >= 0
        weights = None if values is None else np.asarray(values, dtype=np.float64)[kept]
        return np.asarray(np.bincount(self.of_row[kept], weights=weights, minlength=len(self.group)), dtype=np.float64)

    def by_group(self, values: Array | None = None) -> Array:
        """Sum one value a cell within each group, shape (G,); without values, count the clusters."""
        return np.asarray(np.bincount(self.group, weights=values, minlength=self.groups), dtype=np.float64)

    def dependence(self, influence: Array) -> Array:
        """Factor, 1 or more, by which each group's variance must grow for clusters that lie in several groups.

        Groups are compared as if they were independent. Where they share clusters whose influence has the same sign
        in both, that is on the safe side; where it has the opposite sign, the difference of the two groups varies
        more, and the variances grow so that every pair is covered.

        Parameters
        ----------
        influence : ndarray of float64, shape (C,)
            Of each cell on its group's estimate; the estimate's variance is the sum of squares.

        Returns
        -------
        ndarray of float64, shape (G,)
        """
        factor = np.ones(self.groups)
        if len(np.unique(self.cluster)) == len(self.cluster):
            return factor
        table = sparse.csr_array(
            (influence, (self.cluster, self.group)), shape=(int(self.cluster.max()) + 1, self.groups)
        )
        covariance = (table.T @ table).toarray()
        variance = np.diag(covariance)
        apart = variance[:, None] + variance[None, :]
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(apart > 0.0, (apart - 2.0 * covariance) / apart, 1.0)
        np.fill_diagonal(ratio, 1.0)
        return np.asarray(np.maximum(factor, ratio.max(axis=1)), dtype=np.float64)


def find_cells(codes: Integers, groups: int, clusters: Integers) -> Cells:
    """Find the cells of samples with a group and a cluster each.

    Parameters
    ----------
    codes : ndarray of int, shape (n,)
        Group of each sample in [0, groups); -1 leaves the sample out.
    groups : int
        Number of groups, G.
    clusters : ndarray of int, shape (n,)
        Cluster of each sample, 0 or more.

    Examples
    --------
    >>> cells = find_cells(np.array([0, 0, 1, -1]), 2, np.array([7, 7, 7, 8]))
    >>> cells.of_row.tolist(), cells.group.tolist(), cells.cluster.tolist()
    ([0, 0, 1, -1], [0, 1], [7, 7])
    """
    kept = codes >= 0
    width = int(clusters.max()) + 1 if len(clusters) else 1
    key = codes[kept].astype(np.int64) * width + clusters[kept]
    unique, inverse = np.unique(key, return_inverse=True)
    of_row = np.full(len(codes), -1, dtype=np.int64)
    of_row[kept] = inverse
    return Cells(groups, of_row, unique // width, unique % width)
