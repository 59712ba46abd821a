"""Areas under ROC curves by group, and their variance.

The area A is the probability that a positive scores higher than a negative, ties counted half. Its variance is that of
DeLong's structural components [1]_, here from one sort of the scores [2]_: the component of a positive is the share of
negatives below it, that of a negative the share of positives above it. A group that is ranked without a mistake has
components without variance; `auc_estimates` therefore adds to each class one pseudo-sample that is ranked by chance.

References
----------
.. [1] DeLong ER, DeLong DM, Clarke-Pearson DL. Comparing the areas under two or more correlated receiver operating
   characteristic curves: a nonparametric approach. Biometrics 44 (1988) 837-845. doi:10.2307/2531595
.. [2] Sun X, Xu W. Fast implementation of DeLong's algorithm for comparing the areas under correlated receiver
   operating characteristic curves. IEEE Signal Process. Lett. 21 (2014) 1389-1393. doi:10.1109/LSP.2014.2337313
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from fairness_checks.stats.estimates import Estimates
from fairness_checks.stats.proportions import Array

__all__ = [
    "FEWEST",
    "RankingStatistics",
    "auc_by_group",
    "auc_estimates",
    "structural_components",
    "too_small",
]

FEWEST = 5  # positives, and negatives, from which on a test at a margin keeps its level


@dataclass(frozen=True, slots=True, eq=False)
class RankingStatistics:
    """Areas under the ROC curves of G groups.

    Parameters
    ----------
    auc : ndarray of float64, shape (G,)
        Areas in [0, 1]; nan without positives or negatives.
    positives, negatives : ndarray of int64, shape (G,)
        Samples of each class, m and n.
    s10, s01 : ndarray of float64, shape (G,)
        Variances (ddof 1) of the positives' and the negatives' structural components; nan for fewer than 2 samples of
        that class. DeLong's variance of the area is s10 / m + s01 / n.
    """

    auc: Array
    positives: npt.NDArray[np.int64]
    negatives: npt.NDArray[np.int64]
    s10: Array
    s01: Array

    def take(self, order: Sequence[int]) -> RankingStatistics:
        """Return the groups at the given positions."""
        at = np.asarray(order, dtype=np.intp)
        return RankingStatistics(self.auc[at], self.positives[at], self.negatives[at], self.s10[at], self.s01[at])


def same_length(**arrays: npt.NDArray[Any]) -> None:
    if len({array.shape for array in arrays.values()}) > 1 or any(array.ndim != 1 for array in arrays.values()):
        raise ValueError(f"one value per sample: {', '.join(f'{k} has shape {v.shape}' for k, v in arrays.items())}")


def floats(name: str, values: npt.ArrayLike) -> Array:
    array = np.asarray(values, dtype=np.float64)
    if np.isnan(array).any():
        raise ValueError(f"{name} holds nan, which has no rank")
    return array


def run_ends(values: Array) -> npt.NDArray[np.int64]:
    """Return the last position of each run of equal values, for sorted values, at least one."""
    return np.append(np.flatnonzero(values[1:] != values[:-1]), len(values) - 1)


def _beaten(labels: npt.NDArray[np.bool_], scores: Array) -> tuple[npt.NDArray[np.int64], ...]:
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
    codes, labels, scores = np.asarray(codes), np.asarray(labels, dtype=np.bool_), floats("scores", scores)
    same_length(codes=codes, labels=labels, scores=scores)
    if len(codes) and not -1 <= codes.min() <= codes.max() < groups:
        raise ValueError(f"codes run from {codes.min()} to {codes.max()}; allowed are -1 to {groups - 1}")
    order = np.argsort(scores)
    # Codes of 16 bits are sorted by radix, in linear time.
    narrow = codes.astype(np.int16 if groups < 2**15 else np.int64)
    sizes = np.bincount(narrow + 1, minlength=groups + 1)
    if sizes.max() < len(codes):
        order = order[np.argsort(narrow[order], kind="stable")]
    scores, labels = scores[order], labels[order]

    bounds = np.cumsum(sizes)
    values = np.full((3, groups), np.nan)
    counts = np.zeros((2, groups), dtype=np.int64)
    for group, (start, end) in enumerate(pairwise(bounds)):
        if start == end:
            continue
        p, q, beaten, beating = _beaten(labels[start:end], scores[start:end])
        m, n = counts[:, group] = int(p.sum()), int(q.sum())
        if m == 0 or n == 0:
            continue
        auc = int(p @ beaten) / (2 * m * n)
        s10 = p @ (beaten / (2.0 * n) - auc) ** 2 / (m - 1) if m > 1 else np.nan
        s01 = q @ (beating / (2.0 * m) - auc) ** 2 / (n - 1) if n > 1 else np.nan
        values[:, group] = auc, s10, s01
    return RankingStatistics(values[0], counts[0], counts[1], values[1], values[2])


def too_small(statistics: RankingStatistics) -> npt.NDArray[np.bool_]:
    """Say of which groups nothing can be concluded: fewer than `FEWEST` positives or negatives; shape (G,)."""
    return np.minimum(statistics.positives, statistics.negatives) < FEWEST


def auc_estimates(statistics: RankingStatistics) -> Estimates:
    """Areas with variances and degrees of freedom, for Welch's test at a margin.

    The variance is s10 / m + s01 / n, with (A - 1/2)^2 / m added to s10 and (A - 1/2)^2 / n to s01: one more sample of
    each class, of which the ranking knows nothing. DeLong's own is too small for high areas of small groups, and 0 for
    a perfect one; the addition vanishes as 1 / m^2.

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
        spread = first**2 / (m - 1.0) + second**2 / (n - 1.0)
        freedom = np.where(spread > 0.0, (first + second) ** 2 / spread, m + n - 2.0)
        # Half a step of the area at least, so that a group whose scores are all equal can be compared.
        variance = np.maximum(first + second, 0.25 / (m * n) ** 2)
    return Estimates(statistics.auc, variance, freedom)


def structural_components(labels: npt.NDArray[np.bool_], scores: npt.ArrayLike) -> Array:
    """DeLong's structural component of each sample, shape (n,), in [0, 1].

    For a positive the share of negatives that it beats, for a negative the share of positives that beat it; ties count
    half. The mean over either class is the area. nan where the other class has no sample.

    Examples
    --------
    >>> structural_components(np.array([True, False, True, False]), [0.9, 0.5, 0.5, 0.1])
    array([1.  , 0.75, 0.75, 1.  ])
    """
    labels, scores = np.asarray(labels, dtype=np.bool_), floats("scores", scores)
    same_length(labels=labels, scores=scores)
    components = np.full(len(labels), np.nan)
    m = int(labels.sum())
    n = len(labels) - m
    if m and n:
        order = np.argsort(scores)
        p, q, beaten, beating = _beaten(labels[order], scores[order])
        of_positive, of_negative = np.repeat(beaten, p + q) / (2.0 * n), np.repeat(beating, p + q) / (2.0 * m)
        components[order] = np.where(labels[order], of_positive, of_negative)
    return components
