"""Clusters: samples that are no independent evidence, such as images of one patient."""

# The evidence of a cluster within a group is the sum of its samples' influence on the group's estimate; clusters are
# drawn independently, not samples (Liang and Zeger, Biometrika 73 (1986) 13, doi:10.1093/biomet/73.1.13).

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fairness_checks.typing import Array

__all__ = [
    "FEWEST_CLUSTERS",
    "FEWEST_EFFECTIVE",
    "ClusterCells",
    "ClusterEvidence",
    "Integers",
    "cells_of_profiles",
    "cluster_cells",
    "cluster_evidence",
    "correlation_of_pairs",
    "correlation_of_sums",
    "distinct",
    "effective_clusters",
    "evidence_of_sums",
    "shared_correlation",
    "take_shared",
]

FEWEST_CLUSTERS = 10  # of a group, from which on their variance is known well enough for a test to keep its level
FEWEST_EFFECTIVE = 5.0  # likewise, of clusters that count by their size: n^2 / sum m^2

_DENSE = 16  # flags a code, up to which setting them is faster than sorting

Integers = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class ClusterCells:
    """The C pairs of a group and a cluster that have samples; a cluster in two groups has two cells."""

    groups: int
    of_row: npt.NDArray[np.int64]  # (n,), cell of each sample; -1 leaves it out
    group: npt.NDArray[np.int64]  # (C,); sorted by group, then by cluster
    cluster: npt.NDArray[np.int64]  # (C,)
    each: Array | None = None  # (n,), how many samples of one cluster each row stands for; None where 1
    times: Array | None = None  # (C,), how many clusters that hold the same each cell stands for; None where 1

    def sums(self, values: npt.NDArray[Any] | None = None) -> Array:
        """Sum one value a sample within each cell, shape (C,); without values, count the samples."""
        counted = self.of_row >= 0
        weights = None if values is None else np.asarray(values, dtype=np.float64)[counted]
        if self.each is not None:
            weights = self.each[counted] if weights is None else weights * self.each[counted]
        return np.asarray(
            np.bincount(self.of_row[counted], weights=weights, minlength=len(self.group)), dtype=np.float64
        )

    def by_group(self, values: Array | None = None) -> Array:
        """Sum one value a cell within each group, shape (G,); without values, count the clusters."""
        if self.times is not None:
            values = self.times if values is None else values * self.times
        return np.asarray(np.bincount(self.group, weights=values, minlength=self.groups), dtype=np.float64)

    @property
    def spanning(self) -> bool:
        """Whether some cluster lies in several groups."""
        return bool(len(self.cluster)) and int(np.bincount(self.cluster).max()) > 1

    def effective(self) -> Array:
        """Effective clusters of each group, n^2 / sum m^2 over clusters of m samples, shape (G,); 0 without samples."""
        size = self.sums()
        return effective_clusters(self.by_group(size), self.by_group(size**2), self.by_group())


def cells_of_profiles(
    groups: int, group: Integers, held: npt.NDArray[np.int64], times: Integers
) -> tuple[ClusterCells, npt.NDArray[np.int64]]:
    """Return cells of clusters that were counted by what they hold, and which profile each of them is.

    Profile p stands for `times[p]` clusters of one group with `held[p, k]` samples of each of K sorts. Row p K + k of
    the cells is sort k of the p-th profile that holds anything, in the order of the second answer.
    """
    there = np.flatnonzero(held.sum(axis=1) > 0)
    there = there[np.argsort(group[there], kind="stable")]
    place = np.arange(len(there))
    return ClusterCells(
        groups,
        np.repeat(place, held.shape[1]),
        group[there].astype(np.int64),
        place,
        held[there].ravel().astype(np.float64),
        times[there].astype(np.float64),
    ), there


def effective_clusters(n: Array, squares: Array, clusters: Array) -> Array:
    """Return n^2 / sum m^2 over clusters of m samples, shape (G,); 0 without samples."""
    found = np.divide(n**2, squares, out=np.zeros_like(n), where=squares > 0.0)
    # Clusters of one size are as many as there are, to the last digit.
    return np.where(np.abs(found - clusters) <= 1e-9 * clusters, clusters, found)


@dataclass(frozen=True, slots=True, eq=False)
class ClusterEvidence:
    """What is known of the estimates of G groups whose samples come in clusters."""

    variance: Array  # (G,)
    effective: Array  # (G,), n^2 / sum m^2 over clusters of m samples; the variance has one degree of freedom less
    skewness: Array  # (G,), of the estimates; 0 where nothing varies
    shared: Array | None  # (G, G), correlations through clusters in several groups; None where none is

    def take(self, at: npt.NDArray[np.intp]) -> ClusterEvidence:
        """Return the groups at the given positions; -1 stands for a group without samples."""

        def pick(values: Array, nothing: float) -> Array:
            return np.append(values, nothing)[at]

        shared = take_shared(self.shared, at)
        return ClusterEvidence(pick(self.variance, np.nan), pick(self.effective, 0.0), pick(self.skewness, 0.0), shared)


def cluster_evidence(cells: ClusterCells, influence: Array) -> ClusterEvidence:
    """Estimate the variance of estimates whose samples come in clusters, valid however unequal the clusters are."""
    # influence: (n,), of each sample on its group's estimate; sums over groups are 0. The sum of the clusters'
    # squared influences does not see the cluster that pulls the estimate towards itself. So it is corrected for that
    # (Bell and McCaffrey, Survey Methodology 28 (2002) 169), and the larger one counts of it and of the variance that
    # follows from the components between and within clusters (Searle, Casella, McCulloch, Variance Components (1992),
    # 3.6). Where a cluster's size says something of its values the first holds, where a few clusters hold most
    # samples the second.
    size, total = cells.sums(), cells.sums(influence)
    with np.errstate(divide="ignore", invalid="ignore"):
        sums = total**2, total**3, total**2 / size, np.maximum(cells.sums(influence**2), total**2 / size)
    sizes = cells.by_group(size), cells.by_group(size**2), cells.by_group(size**3)
    found = [cells.by_group(each) for each in sums]
    return evidence_of_sums(
        cells.by_group(), sizes, (found[0], found[1], found[2], found[3]), shared_correlation(cells, total)
    )


def evidence_of_sums(
    k: Array,
    sizes: tuple[Array, Array, Array],
    influence: tuple[Array, Array, Array, Array],
    shared: Array | None,
) -> ClusterEvidence:
    """Estimate the variance of estimates by sums over the k clusters of each group, all of shape (G,)."""
    # Sums of sizes m, m^2, m^3; of the clusters' influences t^2, t^3, t^2 / m, and of the squares of the samples'.
    (n, squares, cubes), (robust, third, by_size, of_samples) = sizes, influence
    with np.errstate(divide="ignore", invalid="ignore"):
        within = np.where(n > k, np.maximum(of_samples - by_size, 0.0) / (n - k), 0.0)
        between = by_size / (k - 1.0) - within
        between = np.maximum(between / ((n - squares / n) / (k - 1.0)), 0.0)
        model = between * squares + within * n
        seen = model - 2.0 * (between * cubes + within * squares) / n + model * squares / n**2
        corrected = np.where(seen > 1e-12 * model, robust * model / seen, robust)  # less is rounding
        variance = np.where(k > 1, np.maximum(corrected, model), np.nan)
        skewness = np.where(robust > 0.0, third / robust**1.5, 0.0)
    return ClusterEvidence(variance, effective_clusters(n, squares, k), skewness, shared)


def shared_correlation(cells: ClusterCells, influence: Array) -> Array | None:
    """Correlations of the groups' estimates, shape (G, G), by the cells' influence; None where none share clusters."""
    if not cells.spanning:
        return None
    from scipy import sparse

    shape = (int(cells.cluster.max()) + 1, cells.groups)
    table = sparse.csr_array((influence, (cells.cluster, cells.group)), shape=shape)
    return correlation_of_sums((table.T @ table).toarray())


def correlation_of_pairs(pairs: Array | None, coefficients: Array) -> Array | None:
    """Return correlations of combinations of sums, (G, F), of whose products by two groups, (G, G, F, F), is known."""
    if pairs is None:
        return None
    return correlation_of_sums(np.einsum("ghab,ga,hb->gh", pairs, coefficients, coefficients, optimize=True))


def correlation_of_sums(covariance: Array) -> Array:
    """Return the correlations of sums over clusters, shape (G, G); 0 where one does not vary."""
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
    """Return `numpy.unique` of codes of 0 or more and the place of each, by flags where they are dense: no sort."""
    highest = int(codes.max(initial=-1))
    if highest >= _DENSE * len(codes):
        unique, inverse = np.unique(codes, return_inverse=True)
        return unique.astype(np.int64), inverse.reshape(-1)
    there = np.zeros(highest + 1, dtype=np.bool_)
    there[codes] = True
    place = np.cumsum(there) - 1
    return np.flatnonzero(there), place[codes]


def cluster_cells(codes: Integers, groups: int, clusters: Integers) -> ClusterCells:
    """Find the cells of samples with a group (-1 leaves one out) and a cluster (0 or more) each; codes are (n,)."""
    counted = codes >= 0
    width = int(clusters.max()) + 1 if len(clusters) else 1
    key = codes[counted].astype(np.int64) * width + clusters[counted]
    unique, inverse = distinct(key)
    of_row = np.full(len(codes), -1, dtype=np.int64)
    of_row[counted] = inverse
    return ClusterCells(groups, of_row, unique // width, unique % width)
