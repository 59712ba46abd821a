"""The test that studies over repeated splits publish, for comparison only: on overlapping repeats p is too small."""

# Kolmogorov and Smirnov's test of normality of each group's values over the repeats; where both pass Student's t
# test, else Mann and Whitney's U (Straw, Rees, Nachev, J. Med. Internet Res. 26 (2024) e46936, doi:10.2196/46936). It
# takes overlapping splits of one table for independent samples, so that p shrinks further with every repeat.

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["PublishedTest", "published_test"]

_NORMAL_ABOVE = 0.05  # p-value of the normality test from which values are taken as normal


@dataclass(frozen=True, slots=True)
class PublishedTest:
    """Result of the published test; too small on overlapping repeats."""

    name: str  # "t" or "Mann-Whitney U"
    p: float  # two-sided, as published
    normality: tuple[float, float]  # of the Kolmogorov-Smirnov tests of both groups; 0 for values that are all equal


def published_test(first: npt.ArrayLike, second: npt.ArrayLike) -> PublishedTest:
    """Compare two groups' values over repeats, shape (J,) each, as published; nan is left out of its own group."""
    from scipy import stats  # the slowest import of all

    # Normality is tested with each group's own mean and standard deviation, without Lilliefors' correction: the
    # published text names the test and no correction.
    one, other = _values(first), _values(second)
    normality = (_normality(one), _normality(other))
    if min(normality) > _NORMAL_ABOVE:
        return PublishedTest("t", float(stats.ttest_ind(one, other).pvalue), normality)
    found = stats.mannwhitneyu(one, other, alternative="two-sided")
    return PublishedTest("Mann-Whitney U", float(found.pvalue), normality)


def _values(values: npt.ArrayLike) -> np.ndarray:
    kept = np.asarray(values, dtype=np.float64)
    kept = kept[~np.isnan(kept)]
    if len(kept) < 2:
        raise ValueError(f"{len(kept)} defined values; two are needed")
    return kept


def _normality(values: np.ndarray) -> float:
    from scipy import stats

    deviation = values.std(ddof=1)
    if deviation == 0.0:
        return 0.0
    return float(stats.kstest((values - values.mean()) / deviation, "norm").pvalue)
