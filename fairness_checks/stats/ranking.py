"""Areas under ROC curves by group, and their variance."""

# The area A is the probability that a positive scores higher than a negative, ties counted half. Its variance is that
# of DeLong's structural components (Biometrics 44 (1988) 837, doi:10.2307/2531595), here from one sort of the scores
# (Sun and Xu, IEEE Signal Process. Lett. 21 (2014) 1389, doi:10.1109/LSP.2014.2337313): the component of a positive
# is the share of negatives below it, that of a negative the share of positives above it. A group that is ranked
# without a mistake has components without variance; `auc_estimates` adds to each class one pseudo-sample that is
# ranked by chance.

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fairness_checks.stats.clusters import ClusterEvidence
from fairness_checks.stats.estimates import Estimates
from fairness_checks.stats.ranks import floats, in_groups, run_ends, same_length
from fairness_checks.stats.satterthwaite import two_sample_freedom
from fairness_checks.typing import Array

__all__ = [
    "FEWEST",
    "Ranked",
    "RankingStatistics",
    "auc_by_group",
    "auc_estimates",
    "placements",
    "sorted_groups",
    "too_small",
    "variance_shape",
]

FEWEST = 5  # positives, and negatives (or clusters with them), from which on a test at a margin keeps its level


@dataclass(frozen=True, slots=True, eq=False)
class RankingStatistics:
    """Areas under the ROC curves of G groups."""

    auc: Array  # (G,), nan without positives or negatives
    positives: npt.NDArray[np.int64]  # (G,), samples, or clusters that hold one of the class
    negatives: npt.NDArray[np.int64]  # (G,)
    s10: Array  # (G,), variance of the positives' components, or of their sums over clusters
    s01: Array  # (G,), of the negatives'; the area's is s10 / m + s01 / n + s11
    s11: Array  # (G,), twice the covariance of both classes' parts, from clusters with both
    shared: npt.NDArray[np.int64]  # (G,), clusters with both
    positive_samples: npt.NDArray[np.int64]  # (G,)
    negative_samples: npt.NDArray[np.int64]  # (G,)
    clusters: ClusterEvidence | None = None
    # (G,), by how much an area found from counts in bins may be another one on the rows; None where it is theirs.
    # Variances are then those that the rows have at most.
    ambiguity: Array | None = None

    def take(self, order: Sequence[int]) -> RankingStatistics:
        """Return the groups at the given positions; -1 stands for an empty group."""
        at = np.asarray(order, dtype=np.intp)

        def of(values: Array) -> Array:
            return np.asarray(np.append(values, np.nan)[at])

        def count(values: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
            return np.asarray(np.append(values, 0)[at])

        return RankingStatistics(
            of(self.auc),
            count(self.positives),
            count(self.negatives),
            of(self.s10),
            of(self.s01),
            np.append(self.s11, 0.0)[at],
            count(self.shared),
            count(self.positive_samples),
            count(self.negative_samples),
            None if self.clusters is None else self.clusters.take(at),
            None if self.ambiguity is None else np.append(self.ambiguity, 0.0)[at],
        )


class Ranked(NamedTuple):
    """Samples by rising score, equal ones in any order: what several features share, shapes (n,)."""

    rows: npt.NDArray[np.intp]
    labels: npt.NDArray[np.bool_]
    scores: Array

    @classmethod
    def of(cls, labels: npt.NDArray[np.bool_], scores: npt.ArrayLike) -> Ranked:
        """Sort the samples."""
        values = floats("scores", scores)
        rows = np.argsort(values)
        return cls(rows, labels[rows], values[rows])


def placements(
    labels: npt.NDArray[np.bool_], scores: Array, times: npt.NDArray[np.integer[Any]] | None = None
) -> tuple[npt.NDArray[np.int64], ...]:
    """Count, for each run of equal scores, its classes and the other class's samples that these exceed."""
    # Returns positives and negatives of each run; twice the number of negatives that its positives exceed; twice the
    # number of positives that exceed its negatives. Scores are sorted, at least one; shapes (runs,). Each stands for
    # `times` samples.
    ends = run_ends(scores)
    if times is None:
        above = np.cumsum(labels, dtype=np.int32 if len(labels) < 2**31 else np.int64)[ends].astype(np.int64)
        below = ends + 1 - above
    else:
        above, below = (np.cumsum(times * mine, dtype=np.int64)[ends] for mine in (labels, ~labels))
    positives, negatives = np.diff(above, prepend=0), np.diff(below, prepend=0)
    return positives, negatives, 2 * below - negatives, 2 * (above[-1] - above) + positives


def auc_by_group(
    codes: npt.NDArray[np.integer[Any]],
    groups: int,
    labels: npt.NDArray[np.bool_],
    scores: npt.ArrayLike,
    ranked: Ranked | None = None,
) -> RankingStatistics:
    """Return the area under the ROC curve and the variances of its structural components, by group, from one sort."""
    # codes, labels, scores: (n,); code -1 leaves a sample out, a score of nan is a ValueError. `ranked` are the
    # same samples by rising score, where that is known. A = sum over positives i and negatives j of [x_i > x_j] +
    # [x_i = x_j] / 2, divided by m n.
    values = np.full((3, groups), np.nan)
    counts = np.zeros((2, groups), dtype=np.int64)
    for group, _, mine, x in sorted_groups(codes, groups, labels, scores, ranked):
        p, q, lower, higher = placements(mine, x)
        m, n = counts[:, group] = int(p.sum()), int(q.sum())
        if m == 0 or n == 0:
            continue
        auc = int(p @ lower) / (2 * m * n)
        # Sums of products: a product of vectors runs on all cores, and waits for them on a machine that is busy.
        s10 = np.sum(p * (lower / (2.0 * n) - auc) ** 2) / (m - 1) if m > 1 else np.nan
        s01 = np.sum(q * (higher / (2.0 * m) - auc) ** 2) / (n - 1) if n > 1 else np.nan
        values[:, group] = auc, s10, s01
    none = np.zeros(groups, dtype=np.int64)
    return RankingStatistics(
        values[0], counts[0], counts[1], values[1], values[2], np.zeros(groups), none, counts[0], counts[1]
    )


def sorted_groups(
    codes: npt.NDArray[np.integer[Any]],
    groups: int,
    labels: npt.NDArray[np.bool_],
    scores: npt.ArrayLike,
    ranked: Ranked | None = None,
) -> Iterator[tuple[int, npt.NDArray[np.intp], npt.NDArray[np.bool_], Array]]:
    """Yield each group that has samples: its position, its rows by rising score, their labels and scores."""
    codes, labels = in_groups(codes, groups), np.asarray(labels, dtype=np.bool_)
    scores = floats("scores", scores)
    same_length(codes=codes, labels=labels, scores=scores)
    # Codes of 16 bits are sorted by radix, in linear time; a group's scores are then sorted where the cache holds them.
    narrow = codes.astype(np.int16 if groups < 2**15 else np.int64)
    sizes = np.bincount(narrow + 1, minlength=groups + 1)
    if ranked is not None:  # a group's places rise, so that memory is read in order
        places = np.argsort(narrow[ranked.rows], kind="stable")
        for group, (start, end) in enumerate(pairwise(np.cumsum(sizes))):
            if start < end:
                mine = places[start:end]
                yield group, ranked.rows[mine], ranked.labels[mine], ranked.scores[mine]
        return
    rows = np.argsort(narrow, kind="stable")
    for group, (start, end) in enumerate(pairwise(np.cumsum(sizes))):
        if start < end:
            mine = rows[start:end]
            x = scores[mine]
            order = np.argsort(x)
            mine = mine[order]
            yield group, mine, labels[mine], x[order]


def too_small(statistics: RankingStatistics) -> npt.NDArray[np.bool_]:
    """Say of which groups nothing can be concluded: fewer than `FEWEST` units of either class; shape (G,)."""
    return np.minimum(statistics.positives, statistics.negatives) < FEWEST


def auc_estimates(statistics: RankingStatistics) -> Estimates:
    """Return areas with variances and degrees of freedom, for Welch's test; nan below 2 positives or negatives."""
    # (A - 1/2)^2 / m is added to s10 and (A - 1/2)^2 / n to s01: one more sample, or cluster, of each class, of which
    # the ranking knows nothing. DeLong's own is too small for high areas of small groups, and 0 for a perfect one;
    # the addition vanishes as 1 / m^2.
    m, n = statistics.positives.astype(np.float64), statistics.negatives.astype(np.float64)
    distance = (statistics.auc - 0.5) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        first, second = (statistics.s10 + distance / m) / m, (statistics.s01 + distance / n) / n
        freedom = two_sample_freedom(first, second, statistics.s11, m, n, statistics.shared)
        # At least what the pseudo-samples add to a perfect area: a negative covariance cannot take more away, and where
        # all scores are equal it may be that rare ones which are not have not been seen.
        lowest = 0.25 * (m**-2 + n**-2)
        variance = np.maximum(first + second + statistics.s11, lowest)
    if statistics.clusters is None:
        return Estimates(statistics.auc, variance, freedom, ambiguity=statistics.ambiguity)
    most = np.maximum(statistics.clusters.effective - 1.0, 1.0)
    freedom, shared = np.minimum(freedom, most), statistics.clusters.shared
    return Estimates(statistics.auc, variance, freedom, shared, statistics.ambiguity)


def variance_shape(area: Array) -> Array:
    """Return what the variance of an area is taken to be proportional to."""
    return area * (1.0 - area)
