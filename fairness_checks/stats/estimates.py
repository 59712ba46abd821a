"""Disparities of estimates that are about normal: means, areas under curves.

A group is an estimate, its variance and the degrees of freedom of that variance. Two groups are compared at a margin by
Welch's t test [1]_; both directions count for a violation, and compliance is shown by two one-sided tests.

References
----------
.. [1] Welch BL. The generalization of "Student's" problem when several different population variances are involved.
   Biometrika 34 (1947) 28-35. doi:10.1093/biomet/34.1-2.28
.. [2] Hall P. On the removal of skewness by transformation. J. R. Stat. Soc. B 54 (1992) 221-228.
   doi:10.1111/j.2517-6161.1992.tb01876.x
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from fairness_checks.stats.proportions import Array

__all__ = [
    "Estimates",
    "estimates_below",
    "estimates_outside",
    "estimates_within",
    "straightened",
    "upper_quantile",
    "upper_tail",
]

_FAR = 1e100  # the cube of a t beyond may leave the range of numbers


@dataclass(frozen=True, slots=True, eq=False)
class Estimates:
    """Independent estimates of G groups.

    Parameters
    ----------
    value : ndarray of float64, shape (G,)
        The estimates.
    variance : ndarray of float64, shape (G,)
        Their variances, positive where the group can be judged.
    freedom : ndarray of float64, shape (G,)
        Degrees of freedom of the variances; inf where they are taken as known.
    """

    value: Array
    variance: Array
    freedom: Array

    def take(self, at: np.ndarray) -> Estimates:
        """Return the groups at the given positions, any of them as often as it is there."""
        return Estimates(self.value[at], self.variance[at], self.freedom[at])


def _difference(first: Estimates, second: Estimates) -> tuple[Array, Array, Array]:
    """Return differences, their standard errors and Satterthwaite's degrees of freedom, shapes (B,)."""
    total = first.variance + second.variance
    with np.errstate(divide="ignore", invalid="ignore"):  # two known variances leave infinite degrees of freedom
        # By shares of the variance, whose squares neither overflow nor vanish in any unit.
        share1, share2 = first.variance / total, second.variance / total
        freedom = 1.0 / (share1**2 / first.freedom + share2**2 / second.freedom)
    return first.value - second.value, np.sqrt(total), freedom


def upper_tail(t: Array, freedom: Array) -> Array:
    """Return P(T > t) of Student's t; of the normal where the degrees of freedom are infinite."""
    known = np.isinf(freedom)
    return np.where(known, special.ndtr(-t), special.stdtr(np.where(known, 1.0, freedom), -t))


def upper_quantile(level: float, freedom: Array) -> Array:
    """Return the t that `upper_tail` gives this level."""
    known = np.isinf(freedom)
    return np.asarray(np.where(known, -special.ndtri(level), -special.stdtrit(np.where(known, 1.0, freedom), level)))


def straightened(t: Array, skewness: Array | float) -> Array:
    """Return Hall's cubic transformation of studentised estimates, whose distribution is nearer to Student's [2]_.

    ``t + g t^2 / 3 + g^2 t^3 / 27 + g / 6``, which rises with t.

    Parameters
    ----------
    t : ndarray of float64
        Studentised estimates.
    skewness : ndarray of float64, or float
        Of the estimates, g: for a mean the skewness of its samples over the root of their number.

    Examples
    --------
    >>> straightened(np.array([0.0, 3.0, 3.0]), np.array([0.3, 0.0, 0.3])).round(3).tolist()
    [0.05, 3.0, 4.04]
    """
    near = np.clip(t, -_FAR, _FAR)
    return np.asarray(t + skewness * (near**2 / 3.0 + 1.0 / 6.0) + skewness**2 * near**3 / 27.0)


def estimates_outside(
    groups: Estimates, first: np.ndarray, second: np.ndarray, margin: float, skewness: Array | float = 0.0
) -> Array:
    """p-values of H0 |difference| <= margin of pairs (first[b], second[b]), shape (B,).

    `skewness` is that of the differences, shape (B,): positive where t understates how far they are from the margin.
    """
    difference, error, freedom = _difference(groups.take(first), groups.take(second))
    near, far = (np.abs(difference) - margin) / error, (np.abs(difference) + margin) / error
    return np.minimum(upper_tail(straightened(near, skewness), freedom) + upper_tail(far, freedom), 1.0)


def estimates_within(groups: Estimates, first: np.ndarray, second: np.ndarray, margin: float) -> Array:
    """p-values of H0 |difference| >= margin of pairs (first[b], second[b]), shape (B,)."""
    difference, error, freedom = _difference(groups.take(first), groups.take(second))
    return upper_tail((margin - np.abs(difference)) / error, freedom)


def estimates_below(first: Estimates, second: Estimates, margin: float) -> Array:
    """p-values of H0 first - second >= margin, shape (B,): one of two one-sided tests, where their variances differ."""
    difference, error, freedom = _difference(first, second)
    return upper_tail((margin - difference) / error, freedom)
