"""Areas under ROC curves by group, and their variance.

The area A is the probability that a positive scores higher than a negative, ties counted half. Its variance is that of
DeLong's structural components [1]_, here from one sort of the scores [2]_: the component of a positive is the share of
negatives below it, that of a negative the share of positives above it. A group that is ranked without a mistake has
components without variance; `auc_estimates` therefore adds to each class one pseudo-sample that is ranked by chance.
Samples of one cluster (a patient) are no independent evidence: `ranking_clusters` sums their components.

References
----------
.. [1] DeLong ER, DeLong DM, Clarke-Pearson DL. Comparing the areas under two or more correlated receiver operating
   characteristic curves: a nonparametric approach. Biometrics 44 (1988) 837-845. doi:10.2307/2531595
.. [2] Sun X, Xu W. Fast implementation of DeLong's algorithm for comparing the areas under correlated receiver
   operating characteristic curves. IEEE Signal Process. Lett. 21 (2014) 1389-1393. doi:10.1109/LSP.2014.2337313
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from fairness_checks.stats.clusters import ClusterEvidence
from fairness_checks.stats.estimates import Estimates
from fairness_checks.stats.ranks import floats, run_ends, same_length
from fairness_checks.stats.satterthwaite import two_sample_freedom
from fairness_checks.typing import Array

__all__ = [
    "FEWEST",
    "RankingStatistics",
    "auc_by_group",
    "auc_estimates",
    "too_small",
]

FEWEST = 5  # positives, and negatives (or clusters with them), from which on a test at a margin keeps its level


@dataclass(frozen=True, slots=True, eq=False)
class RankingStatistics:
    """Areas under the ROC curves of G groups.

    Parameters
    ----------
    auc : ndarray of float64, shape (G,)
        Areas in [0, 1]; nan without positives or negatives.
    positives, negatives : ndarray of int64, shape (G,)
        Independent units of each class, m and n: samples, or clusters that hold a sample of the class.
    s10, s01 : ndarray of float64, shape (G,)
        Variances (ddof 1) of the positives' and the negatives' structural components, or of their sums over clusters;
        nan for fewer than 2 units of that class. The variance of the area is s10 / m + s01 / n + s11.
    s11 : ndarray of float64, shape (G,)
        Twice the covariance of the two classes' contributions, from clusters with both; 0 without clusters.
    shared : ndarray of int64, shape (G,)
        Clusters with positives and negatives; 0 without clusters.
    positive_samples, negative_samples : ndarray of int64, shape (G,)
        Samples of each class.
    """

    auc: Array
    positives: npt.NDArray[np.int64]
    negatives: npt.NDArray[np.int64]
    s10: Array
    s01: Array
    s11: Array
    shared: npt.NDArray[np.int64]
    positive_samples: npt.NDArray[np.int64]
    negative_samples: npt.NDArray[np.int64]
    clusters: ClusterEvidence | None = None

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
        )


def beaten_by(labels: npt.NDArray[np.bool_], scores: Array) -> tuple[npt.NDArray[np.int64], ...]:
    """Count, for each run of equal scores, its classes and the other class's samples that these beat.

    Returns positives and negatives of each run; twice the number of negatives that its positives beat; twice the number
    of positives that beat its negatives (a tie is half a win). Scores are sorted, at least one; shapes (runs,).
    """
    ends = run_ends(scores)
    above = np.cumsum(labels, dtype=np.int32 if len(labels) < 2**31 else np.int64)[ends].astype(np.int64)
    below = ends + 1 - above
    positives, negatives = np.diff(above, prepend=0), np.diff(below, prepend=0)
    return positives, negatives, 2 * below - negatives, 2 * (above[-1] - above) + positives


def auc_by_group(
    codes: npt.NDArray[np.integer[Any]], groups: int, labels: npt.NDArray[np.bool_], scores: npt.ArrayLike
) -> RankingStatistics:
    """Area under the ROC curve and the variances of its structural components, by group, from one sort.

    Parameters
    ----------
    codes : ndarray of int, shape (n,)
        Group of each sample in [0, groups); -1 leaves the sample out.
    groups : int
        Number of groups, G.
    labels : ndarray of bool, shape (n,)
        True for positives.
    scores : array_like of float, shape (n,)
        Higher for positives; finite or infinite.

    Returns
    -------
    RankingStatistics
        A = sum over positives i and negatives j of [x_i > x_j] + [x_i = x_j] / 2, divided by m n.

    Raises
    ------
    ValueError
        For arrays of different lengths, a code out of range, or a score that is nan.

    Examples
    --------
    >>> labels = np.array([True, True, True, False, False])
    >>> result = auc_by_group(np.zeros(5, dtype=int), 1, labels, [0.9, 0.8, 0.3, 0.5, 0.3])
    >>> float(result.auc[0]), float(result.s10[0])
    (0.75, 0.1875)
    """
    values = np.full((3, groups), np.nan)
    counts = np.zeros((2, groups), dtype=np.int64)
    for group, _, mine, x in sorted_groups(codes, groups, labels, scores):
        p, q, beaten, beating = beaten_by(mine, x)
        m, n = counts[:, group] = int(p.sum()), int(q.sum())
        if m == 0 or n == 0:
            continue
        auc = int(p @ beaten) / (2 * m * n)
        # Sums of products: a product of vectors runs on all cores, and waits for them on a machine that is busy.
        s10 = np.sum(p * (beaten / (2.0 * n) - auc) ** 2) / (m - 1) if m > 1 else np.nan
        s01 = np.sum(q * (beating / (2.0 * m) - auc) ** 2) / (n - 1) if n > 1 else np.nan
        values[:, group] = auc, s10, s01
    none = np.zeros(groups, dtype=np.int64)
    return RankingStatistics(
        values[0], counts[0], counts[1], values[1], values[2], np.zeros(groups), none, counts[0], counts[1]
    )


def sorted_groups(
    codes: npt.NDArray[np.integer[Any]], groups: int, labels: npt.NDArray[np.bool_], scores: npt.ArrayLike
) -> Iterator[tuple[int, npt.NDArray[np.intp], npt.NDArray[np.bool_], Array]]:
    """Yield each group that has samples: its position, its rows by rising score, their labels and scores."""
    codes, labels, scores = np.asarray(codes), np.asarray(labels, dtype=np.bool_), floats("scores", scores)
    same_length(codes=codes, labels=labels, scores=scores)
    if len(codes) and not -1 <= codes.min() <= codes.max() < groups:
        raise ValueError(f"codes run from {codes.min()} to {codes.max()}; allowed are -1 to {groups - 1}")
    # Codes of 16 bits are sorted by radix, in linear time; a group's scores are then sorted where the cache holds them.
    narrow = codes.astype(np.int16 if groups < 2**15 else np.int64)
    sizes = np.bincount(narrow + 1, minlength=groups + 1)
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
    """Areas with variances and degrees of freedom, for Welch's test at a margin.

    The variance is s10 / m + s01 / n + s11, with (A - 1/2)^2 / m added to s10 and (A - 1/2)^2 / n to s01: one more
    sample, or cluster, of each class, of which the ranking knows nothing. DeLong's own is too small for high areas of
    small groups, and 0 for a perfect one; the addition vanishes as 1 / m^2.

    Parameters
    ----------
    statistics : RankingStatistics
        Of G groups.

    Returns
    -------
    Estimates
        Shapes (G,); nan where a group has fewer than 2 positives or negatives.

    Examples
    --------
    >>> labels = np.arange(40) % 2 == 0
    >>> perfect = auc_estimates(auc_by_group(np.zeros(40, dtype=int), 1, labels, labels.astype(float)))
    >>> float(perfect.value[0]), round(float(perfect.variance[0]), 6)
    (1.0, 0.00125)
    """
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
        return Estimates(statistics.auc, variance, freedom)
    most = np.maximum(statistics.clusters.effective - 1.0, 1.0)
    return Estimates(statistics.auc, variance, np.minimum(freedom, most), statistics.clusters.shared)
