"""Areas under ROC curves of samples that come in clusters, such as images of one patient."""

# The area is that of all samples; a cluster contributes the sum of its samples' structural components, and clusters
# with positives and negatives tie the two classes' parts (Obuchowski, Biometrics 53 (1997) 567, doi:10.2307/2533958).

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from fairness_checks.stats.clusters import cluster_cells, cluster_evidence
from fairness_checks.stats.ranking import RankingStatistics, placements, sorted_groups
from fairness_checks.stats.ranks import same_length

__all__ = ["auc_by_cluster"]


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
    units, other_units, k = cells.by_group(has), cells.by_group(lacks), cells.by_group()
    found, known = cluster_evidence(cells, influence), np.where(np.isnan(auc), np.nan, 1.0)
    shared = cells.by_group(has * lacks)
    with np.errstate(divide="ignore", invalid="ignore"):
        s10 = np.where(units > 1, known * units**2 / (units - 1.0) * cells.by_group(of_positives**2), np.nan)
        s01 = np.where(
            other_units > 1, known * other_units**2 / (other_units - 1.0) * cells.by_group(of_negatives**2), np.nan
        )
        s11 = np.where(shared > 0, 2.0 * k / (k - 1.0) * cells.by_group(of_positives * of_negatives), 0.0)
        # Where clusters are unequal, Obuchowski's variance does not see the one that pulls the area to itself.
        factor = np.fmax(found.variance / (s10 / units + s01 / other_units + s11), 1.0)
        s10, s01, s11 = s10 * factor, s01 * factor, s11 * factor
    return RankingStatistics(
        auc,
        units.astype(np.int64),
        other_units.astype(np.int64),
        s10,
        s01,
        s11,
        shared.astype(np.int64),
        cells.by_group(samples).astype(np.int64),
        cells.by_group(other_samples).astype(np.int64),
        found,
    )
