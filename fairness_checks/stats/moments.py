"""Sizes, means and central moments of groups, in one pass over the rows or over the clusters of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fairness_checks.stats.clusters import ClusterCells, ClusterEvidence, cluster_evidence, take_shared
from fairness_checks.typing import Array

__all__ = [
    "ROUNDING",
    "MeanStatistics",
    "merged_by_group",
    "moments_by_cluster",
    "moments_by_group",
    "moments_of_evidence",
    "moments_of_sums",
]


ROUNDING = 1e-14
"""A standard deviation below this share of the mean is rounding of a constant."""

_CHUNK_ROWS = 65_536  # a few temporary arrays of half a megabyte each


@dataclass(frozen=True, slots=True, eq=False)
class MeanStatistics:
    """Sizes, means and central moments of G groups; statistics of disjoint rows are merged by ``+``."""

    n: npt.NDArray[Any]  # (G,), samples, or effective clusters (float64)
    mean: Array  # (G,); nan where a group is empty
    m2: Array  # (G,), sum of the squared deviations from the group's mean
    m3: Array  # (G,), of the cubed ones
    # (G,), skewness of the samples, where they come in clusters; such statistics are not merged: a cluster may lie in
    # both parts
    of_samples: Array | None = None
    shared: Array | None = None  # (G, G), correlations through clusters that lie in several groups

    def take(self, order: Sequence[int]) -> MeanStatistics:
        """Return the groups at the given positions; -1 stands for a group without samples."""
        at = np.asarray(order, dtype=np.intp)
        if np.any((at < -1) | (at >= len(self.n))):
            raise IndexError(f"positions run from -1 to {len(self.n) - 1}; found {at.tolist()}")

        def pick(values: npt.NDArray[Any], nothing: float) -> npt.NDArray[Any]:
            return np.append(values, np.asarray(nothing, dtype=values.dtype))[at]  # -1 is what was appended

        picked = pick(self.n, 0), pick(self.mean, np.nan), pick(self.m2, 0.0), pick(self.m3, 0.0)
        of_samples = None if self.of_samples is None else pick(self.of_samples, 0.0)
        return MeanStatistics(*picked, of_samples, take_shared(self.shared, at))

    def __add__(self, other: MeanStatistics) -> MeanStatistics:
        """Merge the same groups' statistics over other rows, so that chunks add up; clusters are a ValueError."""
        # Chan, Golub, LeVeque, Am. Stat. 37 (1983) 242, doi:10.1080/00031305.1983.10483115; Pebay, SAND2008-6212,
        # doi:10.2172/1028931
        if self.of_samples is not None or other.of_samples is not None:
            raise ValueError("statistics of clusters cannot be merged: a cluster may lie in both parts")
        if self.n.shape != other.n.shape:
            raise ValueError(f"cannot merge statistics of {self.n.size} groups with those of {other.n.size}")
        n = self.n + other.n
        mean1 = np.where(self.n > 0, self.mean, other.mean)
        delta = np.where((self.n > 0) & (other.n > 0), other.mean - mean1, 0.0)
        n1, n2, total = self.n.astype(np.float64), other.n.astype(np.float64), np.maximum(n, 1).astype(np.float64)
        m2 = self.m2 + other.m2 + delta**2 * (n1 * n2 / total)
        m3 = self.m3 + other.m3 + delta**3 * (n1 * n2 / total) * ((n1 - n2) / total)
        m3 += 3.0 * delta * (n1 * other.m2 - n2 * self.m2) / total
        return MeanStatistics(n, mean1 + delta * (n2 / total), m2, m3)


def _chunk_moments(codes: npt.NDArray[np.integer], groups: int, values: Array) -> MeanStatistics:
    n = np.bincount(codes, minlength=groups)
    if n.size > groups:
        raise ValueError(f"codes must be below the number of groups, {groups}; found {n.size - 1}")
    count = np.maximum(n, 1)
    mean = np.bincount(codes, weights=values, minlength=groups) / count
    deviation = values - mean[codes]
    # The rounding error of the means is found from the deviations' sum and removed.
    shift = np.bincount(codes, weights=deviation, minlength=groups) / count
    power = deviation * deviation
    m2 = np.bincount(codes, weights=power, minlength=groups) - n * shift**2
    power *= deviation
    m3 = np.bincount(codes, weights=power, minlength=groups) - 3.0 * shift * m2 - n * shift**3
    if not np.isfinite(m3).all():
        raise ValueError("values must be finite, and their third powers too; found NaN, infinite or above 1e100")
    return MeanStatistics(n.astype(np.int64), np.where(n > 0, mean + shift, np.nan), np.maximum(m2, 0.0), m3)


def moments_by_group(codes: npt.NDArray[np.integer], groups: int, values: npt.NDArray[np.generic]) -> MeanStatistics:
    """Count the samples of each group and sum the powers of their deviations from the group's mean."""
    # codes, values: (N,), finite where the code is not negative, else ValueError.
    if codes.shape != values.shape or codes.ndim != 1:
        raise ValueError(f"codes and values must be of one length; found shapes {codes.shape} and {values.shape}")
    zero = np.zeros(groups)
    result = MeanStatistics(np.zeros(groups, dtype=np.int64), np.full(groups, np.nan), zero, zero)
    for start in range(0, len(codes), _CHUNK_ROWS):
        some, chunk = codes[start : start + _CHUNK_ROWS], values[start : start + _CHUNK_ROWS]
        counted = some >= 0
        if not counted.all():
            some, chunk = some[counted], chunk[counted]
        result = result + _chunk_moments(some, groups, chunk.astype(np.float64))
    return result


def moments_of_sums(
    n: npt.NDArray[np.int64], pivot: Array, first: Array, second: Array, third: Array
) -> MeanStatistics:
    """Return moments from sums of the powers of deviations from a number each, shapes (G,), that lies near the mean."""
    count = np.maximum(n, 1)
    shift = first / count
    m2 = np.maximum(second - n * shift**2, 0.0)
    m3 = third - 3.0 * shift * m2 - n * shift**3
    return MeanStatistics(n, np.where(n > 0, pivot + shift, np.nan), m2, m3)


def merged_by_group(codes: npt.NDArray[np.integer], groups: int, some: MeanStatistics) -> MeanStatistics:
    """Merge moments of C cells, each with samples and of the group `codes` says, shape (C,), into those of G groups."""
    n = np.zeros(groups, dtype=np.int64)
    np.add.at(n, codes, some.n)

    def total(values: Array) -> Array:
        return np.asarray(np.bincount(codes, weights=values, minlength=groups), dtype=np.float64)

    count = np.maximum(n, 1)
    mean = total(some.n * some.mean) / count
    mean += total(some.n * (some.mean - mean[codes])) / count  # the rounding of the first
    away = some.mean - mean[codes]
    m2 = total(some.m2 + some.n * away**2)
    m3 = total(some.m3 + 3.0 * away * some.m2 + some.n * away**3)
    return MeanStatistics(n, np.where(n > 0, mean, np.nan), m2, m3)


def moments_by_cluster(cells: ClusterCells, values: npt.NDArray[np.generic]) -> MeanStatistics:
    """Return moments of groups whose samples come in clusters, such that every test of means becomes cluster-robust."""
    # As a ratio, of the clusters' sums to their sizes (Cochran, Sampling Techniques (1977), 6.3), the mean deviates
    # from the truth by about the sum of its samples' deviations over n. Its variance and skewness are those of
    # `cluster_evidence`, given as those of as many independent observations as there are effective clusters.
    if values.shape != cells.of_row.shape:
        raise ValueError(f"one value per sample: {cells.of_row.shape} samples, values of shape {values.shape}")
    codes = np.append(cells.group, -1)[cells.of_row]  # cell -1 has the group -1
    samples = moments_by_group(codes, cells.groups, values)
    counted = codes >= 0
    influence = np.zeros(len(values))
    deviation = values[counted].astype(np.float64) - samples.mean[codes[counted]]
    influence[counted] = deviation / np.maximum(samples.n, 1)[codes[counted]]
    return moments_of_evidence(samples, cluster_evidence(cells, influence))


def moments_of_evidence(samples: MeanStatistics, found: ClusterEvidence) -> MeanStatistics:
    """Return moments as those of as many independent observations as there are effective clusters."""
    n = found.effective
    m2 = np.nan_to_num(found.variance) * n * np.maximum(n - 1.0, 0.0)
    return MeanStatistics(n, samples.mean, m2, found.skewness * m2**1.5, _skewness(samples), found.shared)


def _skewness(some: MeanStatistics) -> Array:
    """Return the skewness of each group's samples; 0 where they do not vary."""
    varied = some.m2 > some.n * (ROUNDING * some.mean) ** 2
    root = np.sqrt(np.where(varied, some.m2, 1.0))
    return np.where(varied, np.sqrt(some.n) * (some.m3 / root / root / root), 0.0)
