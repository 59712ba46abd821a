"""Balanced accuracy by group: both rates drawn towards 1/2, as near 1 and 0 they are skewed and 1 has no variance."""

# One event and one non-event are added to each rate (Agresti and Caffo, Am. Stat. 54 (2000) 280,
# doi:10.1080/00031305.2000.10474560; Price and Bonett, Comput. Stat. Data Anal. 45 (2004) 449,
# doi:10.1016/S0167-9473(03)00007-0): the centre of a one-sided interval of 95 % (Cai, J. Stat. Plan. Inference 131
# (2005) 63, doi:10.1016/j.jspi.2004.01.005). The variance is theirs over the samples themselves. Where a claim would
# be wrong if the truth lay lower, the lower one counts of the plain and the drawn value; else the higher one.

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from fairness_checks.stats.estimates import Estimates, differences_compliance, differences_violation
from fairness_checks.stats.inference import Inference
from fairness_checks.stats.worst_estimate import judge_worst
from fairness_checks.typing import Array

__all__ = [
    "FEWEST",
    "balanced_accuracy_compliance",
    "balanced_accuracy_estimates",
    "balanced_accuracy_too_small",
    "balanced_accuracy_violation",
    "judge_worst_balanced_accuracy",
]

FEWEST = 5  # positives, and negatives, from which on the level was measured


def _rates(counts: npt.ArrayLike, added: float) -> tuple[Array, Array]:
    """Return rates and samples of the positives and the negatives, shapes (G, 2); rates are nan without samples."""
    tn, fp, fn, tp = np.asarray(counts, dtype=np.float64).T
    hits, samples = np.stack([tp, tn], axis=1), np.stack([tp + fn, tn + fp], axis=1)
    with np.errstate(invalid="ignore"):
        return np.where(samples > 0.0, (hits + added) / (samples + 2.0 * added), np.nan), samples


def balanced_accuracy_too_small(counts: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Say of which groups nothing can be concluded: fewer than `FEWEST` positives or negatives; shape (G,)."""
    return np.asarray(_rates(counts, 0.0)[1].min(axis=1) < FEWEST)


def balanced_accuracy_estimates(counts: npt.ArrayLike) -> Estimates:
    """Return the balanced accuracies in [0, 1], shape (G,), with variances and degrees of freedom."""
    # counts: (G, 4), tn fp fn tp, fractions where effective. Value nan without a class, variance nan below two of
    # either.
    value = _rates(counts, 0.0)[0].mean(axis=1)
    drawn, samples = _rates(counts, 1.0)
    enough = samples.min(axis=1) >= 2.0
    n = np.where(enough[:, None], samples, 2.0)
    variances = drawn * (1.0 - drawn) / n
    freedom = variances.sum(axis=1) ** 2 / (variances**2 / (n - 1.0)).sum(axis=1)
    return Estimates(value, np.where(enough, variances.sum(axis=1) / 4.0, np.nan), freedom)


def _ends(counts: npt.ArrayLike) -> tuple[Array, Array]:
    """Return the values that count where the truth may lie lower, and where it may lie higher; shapes (G,)."""
    plain, drawn = _rates(counts, 0.0)[0].mean(axis=1), _rates(counts, 1.0)[0].mean(axis=1)
    return np.minimum(plain, drawn), np.maximum(plain, drawn)


def _facing(
    counts: npt.ArrayLike, first: np.ndarray, second: np.ndarray, groups: Estimates | None, *, compliance: bool
) -> tuple[Estimates, Estimates]:
    """Return the two sides of B pairs; the first one has the difference that counts, the second one 0."""
    groups, (low, high) = balanced_accuracy_estimates(counts) if groups is None else groups, _ends(counts)
    swap = groups.value[second] > groups.value[first]
    higher, lower = np.where(swap, second, first), np.where(swap, first, second)
    if compliance:  # two one-sided tests with one standard error: the larger difference decides
        difference = np.maximum(high[first] - low[second], high[second] - low[first])
    else:
        difference = np.maximum(low[higher] - high[lower], 0.0)
    one, other = groups.pairs(higher, lower)
    return replace(one, value=difference), replace(other, value=np.zeros(len(first)))


def balanced_accuracy_violation(
    counts: npt.ArrayLike,
    first: np.ndarray,
    second: np.ndarray,
    margin: float,
    groups: Estimates | None = None,
    level: float | None = None,
) -> Array:
    """p-values of H0 |difference| <= margin of pairs (first[b], second[b]), shape (B,); 1 where not judged."""
    # `groups` are the `balanced_accuracy_estimates`, where clusters leave them fewer degrees of freedom.
    sides = _facing(counts, first, second, groups, compliance=False)
    return np.nan_to_num(differences_violation(*sides, margin, level=level), nan=1.0)


def balanced_accuracy_compliance(
    counts: npt.ArrayLike,
    first: np.ndarray,
    second: np.ndarray,
    margin: float,
    groups: Estimates | None = None,
    level: float | None = None,
) -> Array:
    """p-values of H0 |difference| >= margin of pairs (first[b], second[b]), shape (B,); 1 where not judged."""
    sides = _facing(counts, first, second, groups, compliance=True)
    return np.nan_to_num(differences_compliance([sides], margin, level), nan=1.0)


def judge_worst_balanced_accuracy(
    counts: npt.ArrayLike, limit: float, alpha: float, *, ceiling: bool = False, groups: Estimates | None = None
) -> Inference:
    """Judge the worst group's balanced accuracy against a floor or a ceiling; Sidak over the groups for a violation."""
    # counts: (G, 4), two positives and two negatives or more each, else ValueError. The interval inverts the tests.
    groups, (low, high) = balanced_accuracy_estimates(counts) if groups is None else groups, _ends(counts)
    if np.isnan(groups.variance).any():
        raise ValueError("a group has fewer than two positives or negatives")
    proven, possible = (
        Estimates(end, groups.variance, groups.freedom) for end in ((low, high) if ceiling else (high, low))
    )
    method = "rates drawn towards 1/2, t"
    found = judge_worst(groups.value, proven, possible, limit, alpha, ceiling=ceiling, method=method)
    return found.clipped(0.0, 1.0)
