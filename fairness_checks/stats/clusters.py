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

from fairness_checks.typing import Array

__all__ = [
    "FEWEST_CLUSTERS",
    "FEWEST_EFFECTIVE",
    "Cells",
    "ClusterEvidence",
    "cluster_evidence",
    "distinct",
    "find_cells",
    "shared_correlation",
    "take_shared",
]

FEWEST_CLUSTERS = 10  # of a group, from which on their variance is known well enough for a test to keep its level
FEWEST_EFFECTIVE = 5.0  # likewise, of clusters that count by their size: n^2 / sum m^2

_DENSE = 16  # flags a code, up to which setting them is faster than sorting

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

    @property
    def spanning(self) -> bool:
        """Whether some cluster lies in several groups."""
        return bool(len(self.cluster)) and int(np.bincount(self.cluster).max()) > 1

    def effective(self) -> Array:
        """Effective clusters of each group, n^2 / sum m^2 over clusters of m samples, shape (G,); 0 without samples."""
        size = self.sums()
        n, squares, clusters = self.by_group(size), self.by_group(size**2), self.by_group()
        found = np.divide(n**2, squares, out=np.zeros_like(n), where=squares > 0.0)
        # Clusters of one size are as many as there are, to the last digit.
        return np.where(np.abs(found - clusters) <= 1e-9 * clusters, clusters, found)


@dataclass(frozen=True, slots=True, eq=False)
class ClusterEvidence:
    """What is known of the estimates of G groups whose samples come in clusters.

    Parameters
    ----------
    variance : ndarray of float64, shape (G,)
        Of the estimates.
    effective : ndarray of float64, shape (G,)
        Effective clusters, n^2 / sum m^2 over clusters of m samples: their number where all are of one size, 1 where
        one of them holds nearly all samples. The variance has as many degrees of freedom, less one.
    skewness : ndarray of float64, shape (G,)
        Of the estimates; 0 where nothing varies.
    shared : ndarray of float64, shape (G, G), or None
        Correlations of the estimates through clusters that lie in several groups; None where none does.
    """

    variance: Array
    effective: Array
    skewness: Array
    shared: Array | None

    def take(self, at: npt.NDArray[np.intp]) -> ClusterEvidence:
        """Return the groups at the given positions; -1 stands for a group without samples."""

        def pick(values: Array, nothing: float) -> Array:
            return np.append(values, nothing)[at]

        shared = take_shared(self.shared, at)
        return ClusterEvidence(pick(self.variance, np.nan), pick(self.effective, 0.0), pick(self.skewness, 0.0), shared)


def cluster_evidence(cells: Cells, influence: Array) -> ClusterEvidence:
    """Estimate the variance of estimates whose samples come in clusters, valid however unequal the clusters are.

    The sum of the clusters' squared influences does not see the cluster that pulls the estimate towards itself: with
    one cluster of 200 samples among 2s a fair model fails in up to 0.86 instead of 0.05. So this sum is corrected for
    what the estimate takes up of it [1]_, and the larger one counts of it and of the variance that follows from the
    variance components between and within clusters [2]_. Where a cluster's size says something of its values, the first
    holds; where a few clusters hold most of the samples, the second.

    Parameters
    ----------
    cells : Cells
        Of n samples.
    influence : ndarray of float64, shape (n,)
        Of each sample on its group's estimate, 0 or anything where it is left out; the sums over groups are 0.

    References
    ----------
    .. [1] Bell RM, McCaffrey DF. Bias reduction in standard errors for linear regression with multi-stage samples.
       Survey Methodology 28 (2002) 169-181.
    .. [2] Searle SR, Casella G, McCulloch CE. Variance Components. Wiley (1992), section 3.6: unbalanced one-way data.

    Examples
    --------
    >>> cells = find_cells(np.zeros(4, dtype=int), 1, np.array([0, 0, 1, 1]))
    >>> found = cluster_evidence(cells, np.array([-0.25, -0.25, 0.25, 0.25]))
    >>> found.variance.tolist(), found.effective.tolist()
    ([1.0], [2.0])
    """
    size, total = cells.sums(), cells.sums(influence)
    n, k, squares = cells.by_group(size), cells.by_group(), cells.by_group(size**2)
    share = size / n[cells.group]
    robust = cells.by_group(total**2)
    with np.errstate(divide="ignore", invalid="ignore"):
        within = cells.by_group(np.maximum(cells.sums(influence**2) - total**2 / size, 0.0)) / (n - k)
        within = np.where(n > k, within, 0.0)
        between = cells.by_group(total**2 / size) / (k - 1.0) - within
        between = np.maximum(between / ((n - squares / n) / (k - 1.0)), 0.0)
        model = between * squares + within * n
        of_cell = between[cells.group] * size**2 + within[cells.group] * size
        seen = cells.by_group(of_cell * (1.0 - 2.0 * share)) + model * squares / n**2
        corrected = np.where(seen > 0.0, robust * model / seen, robust)
        variance = np.where(k > 1, np.maximum(corrected, model), np.nan)
        skewness = np.where(robust > 0.0, cells.by_group(total**3) / robust**1.5, 0.0)
    return ClusterEvidence(variance, cells.effective(), skewness, shared_correlation(cells, total))


def shared_correlation(cells: Cells, influence: Array) -> Array | None:
    """Correlations of the groups' estimates, shape (G, G), by the cells' influence; None where none share clusters."""
    if not cells.spanning:
        return None
    shape = (int(cells.cluster.max()) + 1, cells.groups)
    table = sparse.csr_array((influence, (cells.cluster, cells.group)), shape=shape)
    covariance = (table.T @ table).toarray()
    deviation = np.sqrt(np.diag(covariance))
    with np.errstate(divide="ignore", invalid="ignore"):
        correlation = covariance / np.outer(deviation, deviation)
    return np.asarray(np.nan_to_num(correlation, nan=0.0, posinf=0.0, neginf=0.0))


def take_shared(shared: Array | None, at: npt.NDArray[np.intp]) -> Array | None:
    """Return the correlations of the groups at the given positions, if there are any; -1 shares with none."""
    if shared is None:
        return None
    taken = np.where((at[:, None] >= 0) & (at >= 0), shared[at[:, None], at], 0.0)
    return taken if np.any(taken[~np.eye(len(at), dtype=np.bool_)]) else None


def distinct(codes: Integers) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return `numpy.unique` of codes of 0 or more and the place of each, by flags where they are dense: no sort.

    Examples
    --------
    >>> [values.tolist() for values in distinct(np.array([5, 2, 5]))]
    [[2, 5], [1, 0, 1]]
    """
    highest = int(codes.max(initial=-1))
    if highest >= _DENSE * len(codes):
        unique, inverse = np.unique(codes, return_inverse=True)
        return unique.astype(np.int64), inverse.reshape(-1)
    there = np.zeros(highest + 1, dtype=np.bool_)
    there[codes] = True
    place = np.cumsum(there) - 1
    return np.flatnonzero(there), place[codes]


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
    unique, inverse = distinct(key)
    of_row = np.full(len(codes), -1, dtype=np.int64)
    of_row[kept] = inverse
    return Cells(groups, of_row, unique // width, unique % width)
