"""p-values of effective counts whose variance is known from few clusters."""

# A test of counts knows a rate's variance as well as that many independent samples tell it; that of effective counts
# is an estimate from clusters, which are fewer. The t that `size` degrees of freedom exceed with the p-value found
# has the p-value of `known` ones: Korn and Graubard's ratio of t quantiles (Survey Methodology 24 (1998) 193) at the
# level that the data show. Clusters of one sample change nothing. Of two groups Satterthwaite's degrees of freedom
# count (Biometrics Bull. 2 (1946) 110, doi:10.2307/3002019).

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import special

from fairness_checks.stats.proportions import Contrast
from fairness_checks.stats.rate_pairs import Pairs
from fairness_checks.stats.simultaneous import statistic
from fairness_checks.typing import Array, Numbers

__all__ = [
    "LEAST_FREEDOM",
    "ClaimsFreedom",
    "Tails",
    "claims_freedom",
    "freedom_of_samples",
    "narrowed",
    "widened",
    "worth",
]

Tails: TypeAlias = tuple[Array, Array]  # degrees of freedom for the claims that a rate is lower, and that it is higher

LEAST_FREEDOM = 0.5  # degrees of freedom, from which on quantiles are numbers
_TIE = 1e-9  # relative, within which degrees of freedom are the same
_LEAST_P = 1e-280  # quantiles of smaller ones may leave the range of numbers


def freedom_of_samples(samples: Array) -> Array:
    """Return the degrees of freedom that as many independent samples have."""
    return np.asarray(np.maximum(samples - 1.0, LEAST_FREEDOM))


def widened(p: Array, size: Array, known: Array) -> Array:
    """Return one-sided p-values of `size` degrees of freedom as those of `known` ones, which are no more."""
    t = special.stdtrit(size, np.clip(p, _LEAST_P, 0.5))
    return np.asarray(np.where((p < 0.5) & (known < size), np.maximum(special.stdtr(known, t), p), p))


def narrowed(level: float, size: Array, known: Array) -> Array:
    """Return the p-values that `widened` makes a level of, below 0.5."""
    t = special.stdtrit(known, level)
    return np.asarray(np.where(known < size, np.minimum(special.stdtr(size, t), level), level))


def worth(samples: Array, known: Array, alpha: float) -> Array:
    """Return as how many samples effective ones count at a level, for intervals that take them as independent."""
    size = freedom_of_samples(samples)
    with np.errstate(invalid="ignore"):
        ratio = special.stdtrit(size, alpha) / special.stdtrit(np.maximum(known, LEAST_FREEDOM), alpha)
    found = np.maximum(samples * ratio**2, np.minimum(samples, 1.0))
    return np.asarray(np.where(known < size, np.minimum(found, samples), samples))


@dataclass(frozen=True, slots=True, eq=False)
class PairFreedom:
    """B differences and how well their standard errors are known."""

    size: Array  # (B,), degrees of freedom of as many independent samples
    known: Array  # (B,), those that there are
    error: Array  # (B,); of the logarithms' difference for a ratio

    def take(self, index: np.ndarray) -> PairFreedom:
        """Return those of some pairs."""
        return PairFreedom(self.size[index], self.known[index], self.error[index])

    @property
    def estimated(self) -> npt.NDArray[np.bool_]:
        """Which pairs' variances are estimated from clusters, bool of shape (B,): not those of clusters of one."""
        return np.asarray(self.known < self.size)

    def one_sided(self, p: Array) -> Array:
        """Return p-values of tests in one direction."""
        return widened(p, self.size, self.known)

    def both_sided(self, p: Array, limit: Numbers) -> Array:
        """Return p-values of tests in both directions at a limit, each widened by itself."""
        near = np.minimum(special.ndtr(-statistic(p, self.error, np.asarray(limit))), p)
        both = self.one_sided(near) + self.one_sided(p - near)
        return np.asarray(np.where(p < 0.5, np.minimum(both, 1.0), p))


@dataclass(frozen=True, slots=True, eq=False)
class ClaimsFreedom:
    """How well the standard errors of B differences are known, for either claim."""

    violation: PairFreedom
    compliance: PairFreedom

    def take(self, index: np.ndarray) -> ClaimsFreedom:
        """Return those of some pairs."""
        return ClaimsFreedom(self.violation.take(index), self.compliance.take(index))

    @property
    def estimated(self) -> npt.NDArray[np.bool_]:
        """Which pairs' variances are estimated from clusters, bool of shape (B,)."""
        return self.violation.estimated | self.compliance.estimated


def claims_freedom(
    pairs: Pairs, first: Tails, second: Tails, contrast: Contrast, shared: Array | None
) -> ClaimsFreedom:
    """Return what the pairs' groups, whose rates have these degrees of freedom, know of their differences."""
    # By a violation the higher rate is higher yet than the other and a margin, by compliance it is lower.
    above = pairs.x1 * pairs.n2 >= pairs.x2 * pairs.n1
    if shared is not None:
        first, second = _of_both(first, shared), _of_both(second, shared)
    (lower1, higher1), (lower2, higher2) = first, second
    apart = np.where(above, higher1, lower1), np.where(above, lower2, higher2)
    near = np.where(above, lower1, higher1), np.where(above, higher2, lower2)
    return ClaimsFreedom(_pair_freedom(pairs, *apart, contrast, shared), _pair_freedom(pairs, *near, contrast, shared))


def _of_both(tails: Tails, shared: Array) -> Tails:
    """Return what either claim rests on for pairs that share clusters: on all of them."""
    either = np.maximum(*tails)
    return np.where(shared != 0.0, either, tails[0]), np.where(shared != 0.0, either, tails[1])


def _pair_freedom(pairs: Pairs, first: Array, second: Array, contrast: Contrast, shared: Array | None) -> PairFreedom:
    """Return Satterthwaite's degrees of freedom of pairs whose groups have so many known ones."""
    # Groups that share clusters have those of the one that has fewer.
    drawn = ((pairs.x1 + 1.0) / (pairs.n1 + 2.0), (pairs.x2 + 1.0) / (pairs.n2 + 2.0))
    if contrast == "difference":
        one, other = (p * (1.0 - p) / n for p, n in zip(drawn, (pairs.n1, pairs.n2), strict=True))
    else:  # of the logarithms
        one, other = ((1.0 - p) / (p * n) for p, n in zip(drawn, (pairs.n1, pairs.n2), strict=True))

    def together(f1: Array, f2: Array) -> Array:
        return np.asarray((one + other) ** 2 / (one**2 / f1 + other**2 / f2))

    size = together(freedom_of_samples(pairs.n1), freedom_of_samples(pairs.n2))
    known = together(np.maximum(first, LEAST_FREEDOM), np.maximum(second, LEAST_FREEDOM))
    if shared is not None:
        known = np.where(shared != 0.0, np.maximum(np.minimum(first, second), LEAST_FREEDOM), known)
    # Rounding must not say whether any variance is estimated: of a rate and of its complement that is one answer.
    known = np.where(known < size * (1.0 - _TIE), known, size)
    return PairFreedom(size, known, np.sqrt(one + other))
