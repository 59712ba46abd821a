"""Areas under ROC curves of samples that come in clusters, such as images of one patient."""

# The area is that of all samples; a cluster contributes the sum of its samples' structural components, and clusters
# with positives and negatives tie the two classes' parts (Obuchowski, Biometrics 53 (1997) 567, doi:10.2307/2533958).

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from fairness_checks.stats.clusters import (
    ClusterEvidence,
    cluster_cells,
    cluster_evidence,
    effective_clusters,
    evidence_of_sums,
)
from fairness_checks.stats.ranking import RankingStatistics, placements, sorted_groups
from fairness_checks.stats.ranks import same_length
from fairness_checks.typing import Array

__all__ = ["ClusterAreas", "auc_by_cluster"]


def auc_by_cluster(
    codes: npt.NDArray[np.integer[Any]],
    groups: int,
    labels: npt.NDArray[np.bool_],
    scores: npt.ArrayLike,
    clusters: npt.NDArray[np.integer[Any]],
) -> RankingStatistics:
    """Return the area under the ROC curve by group, and its variance where samples come in clusters."""
    # clusters: (n,), 0 or more. s10 / m, s01 / n and s11 are the three terms of Obuchowski's variance, m and n the
    # numbers of clusters with positives and with negatives. Clusters of one sample give `auc_by_group`; repeating
    # every sample within its cluster changes nothing.
    codes, clusters = np.asarray(codes), np.asarray(clusters)
    same_length(codes=codes, clusters=clusters)
    auc = np.full(groups, np.nan)
    influence = np.zeros(len(codes))  # of each sample on its group's area
    for group, rows, mine, x in sorted_groups(codes, groups, labels, scores):
        p, q, lower, higher = placements(mine, x)
        m, n = int(p.sum()), int(q.sum())
        if m and n:
            auc[group] = int(p @ lower) / (2 * m * n)
            of_positive, of_negative = lower / (2.0 * n) - auc[group], higher / (2.0 * m) - auc[group]
            influence[rows] = np.where(mine, np.repeat(of_positive / m, p + q), np.repeat(of_negative / n, p + q))

    cells = cluster_cells(codes, groups, clusters)
    positive = np.asarray(labels, dtype=np.bool_)
    of_positives, of_negatives = cells.sums(influence * positive), cells.sums(influence * ~positive)
    samples, other_samples = cells.sums(positive), cells.sums(~positive)
    has, lacks = (samples > 0).astype(np.float64), (other_samples > 0).astype(np.float64)
    return _statistics(
        auc,
        (cells.by_group(), cells.by_group(has), cells.by_group(lacks), cells.by_group(has * lacks)),
        [cells.by_group(some) for some in (of_positives**2, of_negatives**2, of_positives * of_negatives)],
        [cells.by_group(some).astype(np.int64) for some in (samples, other_samples)],
        cluster_evidence(cells, influence),
    )


def _statistics(
    auc: Array,
    counts: tuple[Array, Array, Array, Array],
    products: Sequence[Array],
    samples: Sequence[npt.NDArray[np.int64]],
    found: ClusterEvidence,
) -> RankingStatistics:
    """Return Obuchowski's terms, of sums over clusters; all of shape (G,)."""
    # Clusters, those with positives, with negatives, with both; of the sums p and q of their components p^2, q^2, p q;
    # positives and negatives.
    (k, units, other_units, shared), (pp, qq, pq) = counts, products
    known = np.where(np.isnan(auc), np.nan, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        s10 = np.where(units > 1, known * units**2 / (units - 1.0) * pp, np.nan)
        s01 = np.where(other_units > 1, known * other_units**2 / (other_units - 1.0) * qq, np.nan)
        s11 = np.where(shared > 0, 2.0 * k / (k - 1.0) * pq, 0.0)
        # Where clusters are unequal, Obuchowski's variance does not see the one that pulls the area to itself.
        factor = np.fmax(found.variance / (s10 / units + s01 / other_units + s11), 1.0)
        s10, s01, s11 = s10 * factor, s01 * factor, s11 * factor
    m, n, both = (some.astype(np.int64) for some in (units, other_units, shared))
    return RankingStatistics(auc, m, n, s10, s01, s11, both, samples[0], samples[1], found)


@dataclass(frozen=True, slots=True, eq=False)
class ClusterAreas:
    """Areas of G groups, as of independent samples, and sums over their clusters of what these hold; shapes (G,)."""

    # A cluster's positives contribute the sum p of their components to the area, its negatives q, its m samples t;
    # where scores were counted in bins, that is off by the sum of its samples' doubts at most.
    areas: RankingStatistics
    clusters: Array
    with_p: Array  # clusters with positives
    with_q: Array
    with_both: Array
    pp: Array  # sums of p^2, ...
    qq: Array
    pq: Array
    ttt: Array
    by_size: Array  # of t^2 / m
    square: Array  # of the squared components of samples
    doubts_p: Array  # of squared doubts
    doubts_q: Array
    mm: Array
    mmm: Array

    def effective(self) -> Array:
        """Effective clusters; see `ClusterCells.effective`."""
        return effective_clusters(self._samples(), self.mm, self.clusters)

    def _samples(self) -> Array:
        return (self.areas.positive_samples + self.areas.negative_samples).astype(np.float64)

    def statistics(self) -> RankingStatistics:
        """Return what `auc_by_cluster` would; of bins with the ambiguity of the areas and variances that allow for it.

        A standard deviation is at most the one found and the root of the summed squares of what clusters' components
        are off by, as both are lengths; for the correction of unequal clusters that holds to first order.
        """
        robust, areas = self.pp + self.qq + 2.0 * self.pq, self.areas
        sizes, sums = (self._samples(), self.mm, self.mmm), (robust, self.ttt, self.by_size, self.square)
        found = evidence_of_sums(self.clusters, sizes, sums, None)
        counts = self.clusters, self.with_p, self.with_q, self.with_both
        of_samples = [areas.positive_samples, areas.negative_samples]
        plain = _statistics(areas.auc, counts, [self.pp, self.qq, self.pq], of_samples, found)
        if areas.ambiguity is None:
            return plain
        with np.errstate(divide="ignore", invalid="ignore"):
            variance = plain.s10 / self.with_p + plain.s01 / self.with_q + plain.s11
            few = np.fmin(self.with_p, self.with_q)
            growth = np.sqrt(np.fmax(np.where(robust > 0.0, variance / robust, 1.0), few / (few - 1.0)))
            doubt = (np.sqrt(self.doubts_p) + np.sqrt(self.doubts_q)) * growth
            added = (np.sqrt(np.maximum(variance, 0.0)) + doubt) ** 2 - np.maximum(variance, 0.0)
        s10 = plain.s10 + np.nan_to_num(added) * self.with_p
        return replace(plain, s10=s10, ambiguity=areas.ambiguity)
