"""Disparities of estimates that are about normal: means, areas under curves."""

# Two groups are compared at a margin by Welch's t test (Biometrika 34 (1947) 28, doi:10.1093/biomet/34.1-2.28); both
# directions count for a violation, and compliance is shown by two one-sided tests.

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from fairness_checks.typing import Array

__all__ = [
    "ROUNDED",
    "Estimates",
    "both_tails",
    "correlation_of",
    "differences_compliance",
    "differences_violation",
    "estimates_compliance",
    "estimates_violation",
    "farthest",
    "joined",
    "larger_tail",
    "normal_tail",
    "straightened",
    "undecided",
    "upper_quantile",
    "upper_tail",
]

ROUNDED = 1e-9
"""Bounds of p-values that differ by so little, in relative terms, might be one number."""

_FAR = 1e100  # the cube of a t beyond may leave the range of numbers


@dataclass(frozen=True, slots=True, eq=False)
class Estimates:
    """Independent estimates of G groups."""

    value: Array  # (G,)
    variance: Array  # (G,), positive where the group can be judged
    freedom: Array  # (G,), of the variances; inf where they are taken as known
    shared: Array | None = None  # (G, G), correlations where clusters lie in several groups; None where independent
    # (G,), by how much a value may be another one on the rows themselves, where it was found from counts in bins
    ambiguity: Array | None = None

    def take(self, at: np.ndarray) -> Estimates:
        """Return the groups at the given positions, any of them as often as it is there."""
        ambiguity = None if self.ambiguity is None else self.ambiguity[at]
        return Estimates(self.value[at], self.variance[at], self.freedom[at], ambiguity=ambiguity)

    @property
    def doubt(self) -> Array | float:
        """The ambiguity, shape (G,); 0 where the values are exact."""
        return 0.0 if self.ambiguity is None else self.ambiguity

    def pairs(self, first: np.ndarray, second: np.ndarray) -> tuple[Estimates, Estimates]:
        """Return the two sides of pairs (first[b], second[b]), `joined` where they share clusters."""
        return joined(self.take(first), self.take(second), correlation_of(self.shared, first, second))


def correlation_of(shared: Array | None, first: np.ndarray, second: np.ndarray) -> Array | None:
    """Return the correlation of each pair's estimates, shape (B,); None where all are independent."""
    return None if shared is None else shared[first, second]


def joined(first: Estimates, second: Estimates, correlation: Array | None) -> tuple[Estimates, Estimates]:
    """Return two sides of B pairs as if they were independent, so that their difference varies as it does."""
    # What a cluster adds to both sides is no difference between them. The variances shrink, or grow, alike; the
    # difference has as many degrees of freedom as the side that has fewer, and the correlation counts as known from
    # one unit less than that: two sides that always agree still differ by something.
    if correlation is None:
        return first, second
    v1, v2, fewest = first.variance, second.variance, np.minimum(first.freedom, second.freedom)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = v1 / (v1 + v2)
        factor = 1.0 - 2.0 * correlation * np.sqrt(share * (1.0 - share))
        factor = np.nan_to_num(np.maximum(factor, 1.0 / (fewest + 1.0)), nan=1.0)
        freedom = fewest * (share**2 + (1.0 - share) ** 2)  # of which Satterthwaite makes the fewest
    shares = correlation != 0.0
    return (
        replace(first, variance=np.where(shares, v1 * factor, v1), freedom=np.where(shares, freedom, first.freedom)),
        replace(second, variance=np.where(shares, v2 * factor, v2), freedom=np.where(shares, freedom, second.freedom)),
    )


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


def both_tails(near: Array, far: Array, freedom: Array, far_freedom: Array, level: float | None = None) -> Array:
    """Return P(T > near) + P(T > far), at most 1: p-values of violations, where both directions count; shapes (B,)."""
    # Where a `level` is given, those are exact that are at most the level, or at most twice the smallest. The others
    # are lower bounds that are more than both: normal tails, which are thinner than Student's and cost a tenth of
    # them.
    if level is None:
        return np.asarray(np.minimum(upper_tail(near, freedom) + upper_tail(far, far_freedom), 1.0))
    p = np.minimum(normal_tail(near) + normal_tail(far), 1.0)
    exact = np.zeros(len(p), dtype=np.bool_)

    def complete(some: np.ndarray) -> None:
        p[some] = both_tails(near[some], far[some], freedom[some], far_freedom[some])
        exact[some] = True

    complete(~(p > level * (1.0 + ROUNDED)) | (p == np.nanmin(p, initial=1.0)))
    complete(~exact & (p <= 2.0 * np.nanmin(p[exact], initial=1.0) * (1.0 + ROUNDED)))
    return p


def larger_tail(t: Array, freedom: Array, level: float | None = None) -> Array:
    """Return the larger one of P(T > t) along the first axis: p-values of compliance; shapes (k, B) to (B,)."""
    # Where a `level` is given, the largest of all is exact. The others may be lower bounds on their side of the
    # level.
    if level is None or np.isnan(t).any() or np.isnan(freedom).any():
        return np.asarray(upper_tail(t, freedom).max(axis=0))
    p, place = normal_tail(t), np.unravel_index(t.argmin(), t.shape)
    largest = float(upper_tail(t[place], freedom[place]))
    some = undecided(p, t, float(freedom.min()), largest, level)
    p[some] = upper_tail(t[some], freedom[some])
    return np.asarray(p.max(axis=0))


def undecided(p: Array, t: Array, freedom: float, largest: float, level: float) -> np.ndarray:
    """Say which p-values of compliance are not known well enough: the largest, and on which side of the level."""
    # p and t are lower bounds, of one shape; `freedom` is the fewest of any, `largest` the p-value of one of them.
    clear = level * (1.0 + ROUNDED)
    return np.asarray((t <= farthest(largest, freedom)) | ((t <= farthest(level, freedom)) & (p <= clear)))


def farthest(tail: float, freedom: float) -> float:
    """Return the t beyond which no upper tail is as large as this one, with so many degrees of freedom or more."""
    if tail >= 0.5:  # where Student's tails are thinner than the normal one
        return max(float(-special.ndtri(tail)), -5.0) + ROUNDED  # nearer to 1 p-values have too few digits
    return float(upper_quantile(tail, np.array(freedom))) + ROUNDED


def normal_tail(t: Array) -> Array:
    """Return what Student's upper tail exceeds, whatever the degrees of freedom: the normal one, at most 1/2."""
    return np.asarray(np.minimum(special.ndtr(-t), 0.5))


def upper_quantile(level: float, freedom: Array) -> Array:
    """Return the t that `upper_tail` gives this level."""
    known = np.isinf(freedom)
    return np.asarray(np.where(known, -special.ndtri(level), -special.stdtrit(np.where(known, 1.0, freedom), level)))


def straightened(t: Array, skewness: Array | float) -> Array:
    """Return Hall's cubic transformation of studentised estimates of skewness g, nearer to Student's distribution."""
    # t + g t^2 / 3 + g^2 t^3 / 27 + g / 6, which rises with t (J. R. Stat. Soc. B 54 (1992) 221,
    # doi:10.1111/j.2517-6161.1992.tb01876.x); of a mean g is the samples' skewness over the root of their number.
    near = np.clip(t, -_FAR, _FAR)
    return np.asarray(t + skewness * (near**2 / 3.0 + 1.0 / 6.0) + skewness**2 * near**3 / 27.0)


def estimates_violation(
    groups: Estimates, first: np.ndarray, second: np.ndarray, margin: float, level: float | None = None
) -> Array:
    """p-values of H0 |difference| <= margin of pairs (first[b], second[b]), shape (B,); `level` as `both_tails`."""
    return differences_violation(*groups.pairs(first, second), margin, level=level)


def differences_violation(
    first: Estimates, second: Estimates, margin: float, skewness: Array | float = 0.0, level: float | None = None
) -> Array:
    """p-values of H0 |first - second| <= margin, shape (B,), of independent sides; `level` as for `both_tails`."""
    # `skewness` is that of the differences, shape (B,): positive where t understates how far they are from the
    # margin.
    difference, error, freedom = _difference(first, second)
    distance = np.maximum(np.abs(difference) - (first.doubt + second.doubt), 0.0)
    near, far = (distance - margin) / error, (distance + margin) / error
    return both_tails(straightened(near, skewness), far, freedom, freedom, level)


def estimates_compliance(
    groups: Estimates, first: np.ndarray, second: np.ndarray, margin: float, level: float | None = None
) -> Array:
    """p-values of H0 |difference| >= margin of pairs (first[b], second[b]), shape (B,); `level` as `larger_tail`."""
    one, other = groups.pairs(first, second)
    difference, error, freedom = _difference(one, other)
    distance = np.abs(difference) + (one.doubt + other.doubt)
    return larger_tail(((margin - distance) / error)[None], freedom[None], level)


def differences_compliance(
    sides: Sequence[tuple[Estimates, Estimates]], margin: float, level: float | None = None
) -> Array:
    """p-values of H0 first - second >= margin for one of the sides, shape (B,); `level` as for `larger_tail`."""
    # One-sided tests where either direction has variances of its own.
    found = [(*_difference(first, second), first.doubt + second.doubt) for first, second in sides]
    t = np.array([(margin - difference - doubt) / error for difference, error, _, doubt in found])
    return larger_tail(t, np.array([freedom for _, _, freedom, _ in found]), level)
