"""Counts and moments that expected calibration errors by group need, over rows or over clusters of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from fairness_checks.stats.cluster_sums import ClusterMoments, moments_of_clusters
from fairness_checks.stats.clusters import ClusterCells, ClusterEvidence, cluster_cells, cluster_evidence
from fairness_checks.stats.moments import MeanStatistics, moments_by_cluster, moments_by_group, moments_of_evidence
from fairness_checks.typing import Array

__all__ = [
    "BINS",
    "INNER",
    "CalibrationStatistics",
    "bin_shares",
    "bin_signs",
    "calibration_by_cluster",
    "calibration_by_group",
    "calibration_of_parts",
    "calibration_of_signed",
    "calibration_part",
    "calibration_values",
]

BINS = 10

_ZERO = 1e-9  # of a mean residual: no sum of rows in another order moves it by more
INNER = np.linspace(0.0, 1.0, BINS + 1)[1:-1]
"""Where bins meet; a score there belongs to the bin below, as in scikit-learn."""

Integers = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class CalibrationStatistics:
    """What the calibration errors of G groups need; those of disjoint rows are merged by ``+``, but not of clusters."""

    samples: npt.NDArray[np.int64]  # (G, 10), in each bin
    bins: MeanStatistics  # (10 G,), of y - score: the bins of group 0, then of group 1, ...
    clusters: ClusterEvidence | None = None  # of each group's error; None where samples are independent

    def take(self, order: Sequence[int]) -> CalibrationStatistics:
        """Return the groups at the given positions; -1 stands for a group without samples."""
        at = np.asarray(order, dtype=np.intp)
        rows = np.where(at[:, None] >= 0, at[:, None] * BINS + np.arange(BINS), -1).ravel()

        def pick(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
            return np.concatenate([values, np.zeros_like(values, shape=(1, *values.shape[1:]))])[at]

        return CalibrationStatistics(
            pick(self.samples),
            self.bins.take(rows.tolist()),
            None if self.clusters is None else self.clusters.take(at),
        )

    def __add__(self, other: CalibrationStatistics) -> CalibrationStatistics:
        return CalibrationStatistics(samples=self.samples + other.samples, bins=self.bins + other.bins)


def _bin_codes(codes: Integers, labels: npt.NDArray[Any], scores: npt.NDArray[Any]) -> tuple[Integers, Array]:
    """Return the bin of each sample in [0, 10 G), -1 where left out, and y - score."""
    if not codes.shape == labels.shape == scores.shape:
        raise ValueError(f"codes, labels, scores: one length; found {codes.shape}, {labels.shape}, {scores.shape}")
    scores = np.asarray(scores, dtype=np.float64)
    counted = codes >= 0
    if not np.all((scores[counted] >= 0.0) & (scores[counted] <= 1.0)):
        raise ValueError("scores must be probabilities in [0, 1]")
    bins = np.searchsorted(INNER, scores)
    return np.where(counted, codes.astype(np.int64) * BINS + bins, -1), labels.astype(np.float64) - scores


def calibration_by_group(
    codes: Integers, groups: int, labels: npt.NDArray[np.bool_], scores: npt.NDArray[np.floating[Any]]
) -> CalibrationStatistics:
    """Sum what the calibration error of each group needs, in one pass over codes, labels and scores of shape (n,)."""
    # Code -1 leaves a sample out; scores outside [0, 1] are a ValueError.
    where, residuals = _bin_codes(codes, labels, scores)
    samples = np.bincount(where[where >= 0], minlength=groups * BINS).reshape(groups, BINS)
    return CalibrationStatistics(samples.astype(np.int64), moments_by_group(where, groups * BINS, residuals))


def calibration_by_cluster(
    cells: ClusterCells, clusters: Integers, labels: npt.NDArray[np.bool_], scores: npt.NDArray[np.floating[Any]]
) -> CalibrationStatistics:
    """Sum what the calibration error of each group needs where samples come in clusters, such as images of patients."""
    # The error varies with the clusters' sums of sign(d_b) (y - score) - ECE, its influence function; a bin's mean
    # with the clusters' sums within the bin. clusters, labels, scores: (n,).
    codes = np.append(cells.group, -1)[cells.of_row]
    groups = cells.groups
    where, residuals = _bin_codes(codes, labels, scores)
    plain = calibration_by_group(codes, groups, labels, scores)
    # A cluster in several bins is one cluster in the group's own evidence, below; correlations of all bins, a table of
    # 10 G x 10 G, are not asked for.
    parts = cluster_cells(where, groups * BINS, clusters)
    bins = moments_by_cluster(replace(parts, cluster=np.arange(len(parts.cluster))), residuals)
    error, sign = calibration_values(plain), np.append(bin_signs(bins), 0.0)
    n = np.append(np.maximum(plain.samples.sum(axis=1), 1), 1)[codes]
    influence = np.where(where >= 0, sign[where] * residuals - np.append(error, 0.0)[codes], 0.0) / n
    return CalibrationStatistics(plain.samples, bins, cluster_evidence(cells, influence))


def calibration_part(
    cells: ClusterCells, clusters: Integers, labels: npt.NDArray[np.bool_], scores: npt.NDArray[np.floating[Any]]
) -> tuple[CalibrationStatistics, ClusterMoments, ClusterMoments]:
    """Return what `calibration_of_parts` needs of a part of the rows: of samples, of clusters, of bins."""
    codes, groups = np.append(cells.group, -1)[cells.of_row], cells.groups
    where, residuals = _bin_codes(codes, labels, scores)
    of_bins = cluster_cells(where, groups * BINS, clusters)
    alone = replace(of_bins, cluster=np.arange(len(of_bins.cluster)))
    by_bin = np.where(where[:, None] % BINS == np.arange(BINS), residuals[:, None], 0.0)
    plain = calibration_by_group(codes, groups, labels, scores)
    return plain, moments_of_clusters(cells, by_bin), moments_of_clusters(alone, residuals[:, None], centred=True)


def calibration_of_parts(
    plain: CalibrationStatistics, clusters: ClusterMoments, of_bins: ClusterMoments
) -> CalibrationStatistics:
    """Return what `calibration_by_cluster` would of all rows."""
    sign, error = bin_signs(plain.bins).reshape(plain.samples.shape), np.nan_to_num(calibration_values(plain))
    return _of_clusters(plain, clusters, of_bins, np.column_stack([sign, -error]))


def calibration_of_signed(
    plain: CalibrationStatistics, signed: ClusterMoments, of_bins: ClusterMoments
) -> CalibrationStatistics:
    """Return what `calibration_by_cluster` would, of clusters' sums of residuals that have the signs of their bins."""
    away = signed.centre[:, 0] - np.nan_to_num(calibration_values(plain))
    return _of_clusters(plain, signed, of_bins, np.column_stack([np.ones(len(away)), away]))


def _of_clusters(
    plain: CalibrationStatistics, clusters: ClusterMoments, of_bins: ClusterMoments, influence: Array
) -> CalibrationStatistics:
    """Return statistics of clusters, of which n times the influence on their group's error is linear in their sums."""
    scale = 1.0 / np.maximum(plain.bins.n, 1)
    shift = scale * (of_bins.centre[:, 0] - np.nan_to_num(plain.bins.mean))
    bins = moments_of_evidence(plain.bins, of_bins.evidence(np.column_stack([scale, shift])))
    n = np.maximum(plain.samples.sum(axis=1), 1)
    return CalibrationStatistics(plain.samples, bins, clusters.evidence(influence / n[:, None]))


def bin_signs(bins: MeanStatistics) -> Array:
    """Return the sign of each bin's mean, shape (10 G,): 1 of a mean that is 0 but for rounding, or empty."""
    # Such a bin varies as much as the others: a sign of 0 would leave it out, and rounding must not choose it.
    return np.where(bins.mean < -_ZERO, -1.0, 1.0)


def bin_shares(statistics: CalibrationStatistics) -> tuple[Array, Array]:
    """Return each bin's share of its group's samples and |d_b|, 0 in an empty bin; shapes (G, 10)."""
    samples = statistics.samples.astype(np.float64)
    total = samples.sum(axis=1, keepdims=True)
    return samples / np.maximum(total, 1.0), np.abs(np.nan_to_num(statistics.bins.mean)).reshape(samples.shape)


def calibration_values(statistics: CalibrationStatistics) -> Array:
    """Return the expected calibration errors in [0, 1], shape (G,); nan where a group is empty."""
    share, distance = bin_shares(statistics)
    return np.where(statistics.samples.sum(axis=1) > 0, (share * distance).sum(axis=1), np.nan)
