"""The test that studies over repeated splits publish, for comparison only.

Each group's values over the repeats are tested for normality by Kolmogorov and Smirnov's test; Student's t test
compares them where both pass, Mann and Whitney's U test otherwise [1]_. It takes overlapping splits of one table for
independent samples, so its p-values are far too small, and they shrink further with every repeat that is added: with
20 repeats a t test errs in 21 to 37 % of sweeps at a nominal 5 % a side, with 100 in 34 to 47 % (``python -m
benchmarks.sweeps``).

References
----------
.. [1] Straw I, Rees G, Nachev P. Sex-based performance disparities in machine learning algorithms for cardiac disease
   prediction: exploratory study. J. Med. Internet Res. 26 (2024) e46936. doi:10.2196/46936
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

__all__ = ["PublishedTest", "published_test"]

_NORMAL_ABOVE = 0.05  # p-value of the normality test from which values are taken as normal


@dataclass(frozen=True, slots=True)
class PublishedTest:
    """Result of the published test; too small on overlapping repeats.

    Parameters
    ----------
    name : str
        "t" or "Mann-Whitney U".
    p : float
        Two-sided p-value of "the groups do not differ", as published.
    normality : tuple of float
        p-values of the Kolmogorov-Smirnov tests of the first and the second group; 0 for values that are all equal.
    """

    name: str
    p: float
    normality: tuple[float, float]


def published_test(first: npt.ArrayLike, second: npt.ArrayLike) -> PublishedTest:
    """Compare two groups' values over repeats as published; the p-value is too small on overlapping repeats.

    Normality is tested against the normal distribution with each group's own mean and standard deviation, without
    Lilliefors' correction: the published text names the test and no correction.

    Parameters
    ----------
    first, second : array_like of float, shape (J,)
        Values of a metric per repeat; nan where undefined, which is left out of its own group only.

    Raises
    ------
    ValueError
        If a group has fewer than two values.

    Examples
    --------
    >>> found = published_test([0.36, 0.30, 0.41, 0.33, 0.38], [0.27, 0.25, 0.31, 0.29, 0.24])
    >>> found.name, round(found.p, 4)
    ('t', 0.0065)
    """
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
    deviation = values.std(ddof=1)
    if deviation == 0.0:
        return 0.0
    return float(stats.kstest((values - values.mean()) / deviation, "norm").pvalue)
