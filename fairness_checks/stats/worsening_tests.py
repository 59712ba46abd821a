"""Whether the maximum of some quantities rose: max(new) - max(old) against a limit."""

# The quantities are *terms* of the groups' estimates: the groups themselves for the worst group, the signed
# differences of pairs for the largest disparity. With x_st = new_s - old_t, max(new) - max(old) > L exactly if for
# some s all t have x_st > L. Violation: for one s, all t must be shown, an intersection-union test without adjustment
# (Berger, Technometrics 24 (1982) 295, doi:10.1080/00401706.1982.10487790); some s must, a union. Compliance: all s
# must be shown to have some t with x_st < L. Bonferroni over the union, with two refinements.
# Terms far from the maximum count less. Let new_s lie d standard errors of x_st below max(new). Where the limit is
# kept, x_st - L for the t of max(old) is then at most -d standard errors, and s alone rejects at the quantile z with
# probability P(T > z + d) at most. All d are bounded from below at once with confidence 1 - 1e-4, which is spent of
# alpha (Romano, Shaikh, Wolf, Econometrica 82 (2014) 1979, doi:10.3982/ECTA11011). Likewise the terms of old, for
# compliance.
# Both signs of a pair, for a violation: the term s needs T1 = (new_s - old_t - L) / e1 and T2 = (new_s + old_t - L) /
# e2 beyond z, its opposite the same of -new_s. At the worst truth, new_s = old_t + L, the two together reject with
# probability at most P(T1 > z) if T1 and T2 are uncorrelated: Phi(-z) (Phi(x - z) + Phi(-x - z)), x the mean of T2.
# So too up to a correlation of 0.7 (by quadrature, levels 0.1 and below), and not far beyond: where new is estimated
# much worse than old, both signs can reject with twice the probability. Then they are counted as two.

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fairness_checks.stats.estimates import upper_quantile, upper_tail
from fairness_checks.stats.joint_estimates import Contrasts, JointEstimates, contrasts
from fairness_checks.stats.roots import root
from fairness_checks.typing import Array

__all__ = ["MaximumTests", "maximum_tests"]

_SPENT = 1e-4  # of alpha, on how far terms lie from the maximum
_BOTH_SIGNS = 0.7  # correlation up to which the two signs of a pair reject no more often than one


@dataclass(frozen=True, slots=True, eq=False)
class _Union:
    """Terms of which any one may reject: at the level c of one term, their joint level."""

    distance: Array  # (S,), from the maximum at least, in standard errors of its test
    freedom: Array  # (S,), of the test
    # (P,), where terms i and P + i are the signs of a pair: 1 if they reject no more often than one, else 2
    twice: Array | None = None

    def total(self, level: float) -> float:
        """Return the joint level where each term is tested at this one."""
        if level <= 0.0:
            return 0.0
        if self.twice is not None and len(self.twice) == 1 and self.twice[0] == 1.0:
            return min(level, 1.0)
        beyond = upper_tail(upper_quantile(level, self.freedom) + self.distance, self.freedom)
        if self.twice is not None:
            one, other = np.split(beyond, 2)
            beyond = np.minimum(self.twice * np.maximum(one, other), one + other)
        return min(float(np.sum(beyond)) + _SPENT * (beyond.size > 1), 1.0)

    def level(self, alpha: float) -> float:
        """Return the level of one term at which the joint level is alpha; 0 if alpha is not above what is spent."""
        if self.total(alpha) <= alpha:
            return alpha
        least = 1e-3 * alpha / len(self.distance) ** 2
        if self.total(least) >= alpha:
            return 0.0
        return root(lambda c: self.total(c) - alpha, least, alpha, xtol=1e-14, rtol=1e-12)


@dataclass(frozen=True, slots=True, eq=False)
class MaximumTests:
    """Tests of max(new) - max(old) at any limit."""

    x: Contrasts  # (S, T), new_s - old_t
    of_new: _Union  # the terms of new, for a violation
    of_old: _Union  # the terms of old, for compliance

    def violation(self, limit: float) -> Array:
        """p-values of H0 "for some t, x_st is at most the limit" of each s, not adjusted; 1 where not the smallest."""
        ratio = _ratio(self.x.value - limit, self.x.proven)
        least, most = (upper_tail(ratio.min(axis=1), end) for end in self._freedom_range())
        # Only terms that may have the smallest p-value are tested: tails of t take longest here.
        rows = np.flatnonzero(np.minimum(least, most) <= np.maximum(least, most).min())
        p = np.ones(len(ratio))
        p[rows] = upper_tail(ratio[rows], self.x.freedom[rows]).max(axis=1)
        return p

    def proved(self, limit: float, alpha: float) -> npt.NDArray[np.bool_]:
        """Which s exceed every t by more than the limit, each at the level of one term, shape (S,)."""
        level, proved = self.of_new.level(alpha), self.x.value.min(axis=1) > limit
        if level <= 0.0:
            return np.zeros_like(proved)
        rows = np.flatnonzero(proved)  # quantiles of t take longest here
        least = self.x.value[rows] - upper_quantile(level, self.x.freedom[rows]) * self.x.proven[rows]
        proved[rows] = least.min(axis=1) > limit
        return np.asarray(proved)

    def p_violation(self, limit: float) -> float:
        """p-value of H0 "the limit is kept"."""
        return self.of_new.total(float(self.violation(limit).min()))

    def p_compliance(self, limit: float) -> float:
        """p-value of H0 "the limit is exceeded or met"."""
        ratio = _ratio(limit - self.x.value, self.x.possible)
        least, most = (upper_tail(ratio.max(axis=1), end) for end in self._freedom_range())
        rows = np.maximum(least, most) >= np.minimum(least, most).max()
        return self.of_old.total(float(upper_tail(ratio[rows], self.x.freedom[rows]).min(axis=1).max()))

    def low(self, alpha: float) -> float:
        """Largest limit that is shown to be exceeded; -inf for none."""
        return self._end(self.of_new.level(alpha), self.x.proven, -1.0)

    def high(self, alpha: float) -> float:
        """Smallest limit that is shown to be kept; inf for none."""
        return self._end(self.of_old.level(alpha), self.x.possible, 1.0)

    def _end(self, level: float, error: Array, side: float) -> float:
        if level <= 0.0:
            return side * np.inf
        quantiles = (side * upper_quantile(level, end) for end in self._freedom_range())
        one, other = (np.min(self.x.value + quantile * error, axis=1) for quantile in quantiles)
        rows = np.maximum(one, other) >= np.minimum(one, other).max()
        ends = self.x.value[rows] + side * upper_quantile(level, self.x.freedom[rows]) * error[rows]
        return float(ends.min(axis=1).max())

    def _freedom_range(self) -> tuple[Array, Array]:
        return np.asarray(np.min(self.x.freedom)), np.asarray(np.max(self.x.freedom))


def _ratio(value: Array, error: Array) -> Array:
    """Return value / error; 0 / 0 counts as 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((error == 0.0) & (value == 0.0), 0.0, value / error)


def maximum_tests(joint: JointEstimates, terms: Array, *, signed: bool = False) -> MaximumTests:
    """Prepare the tests of max(new) - max(old) over terms of the groups."""
    # terms: (S, G), coefficients of the groups; where `signed`, the last S / 2 are the first ones with the opposite
    # sign.
    count = joint.groups
    x = _mirrored(joint, terms) if signed else contrasts(joint, terms, terms)
    error = np.maximum(x.proven, x.possible)
    top, bottom = slice(0, count), slice(count, None)
    above = _below_maximum(joint.centre[top], joint.covariance[top, top], joint.freedom[top], terms)
    below = _below_maximum(joint.centre[bottom], joint.covariance[bottom, bottom], joint.freedom[bottom], terms)
    twice = _signs(joint, terms[: len(terms) // 2]) if signed else None
    of_new = _Union(_distance(above, error.max(axis=1)), x.freedom.min(axis=1), twice)
    of_old = _Union(_distance(below, error.max(axis=0)), x.freedom.min(axis=0))
    return MaximumTests(x, of_new, of_old)


def _mirrored(joint: JointEstimates, terms: Array) -> Contrasts:
    """Contrasts of signed terms: those of the second half are those of the first one with the opposite sign."""
    half = len(terms) // 2
    one = contrasts(joint, terms[:half], terms)

    def both(first: Array, other: Array) -> Array:
        return np.concatenate([first, np.roll(other, half, axis=1)])

    return Contrasts(
        both(one.value, -one.value),
        both(one.proven, one.possible),
        both(one.possible, one.proven),
        both(one.freedom, one.freedom),
    )


def _distance(gap: Array, error: Array) -> Array:
    return np.divide(gap, error, out=np.zeros_like(gap), where=error > 0.0)


def _below_maximum(centre: Array, covariance: Array, freedom: Array, terms: Array) -> Array:
    """How far each term lies below the largest at least, all together with confidence 1 - 1e-4; shape (S,)."""
    count = len(terms)
    if count < 2:
        return np.zeros(count)
    value, common = terms @ centre, terms @ covariance @ terms.T
    variance = np.diag(common)
    error = np.sqrt(np.maximum(variance[:, None] + variance[None, :] - 2.0 * common, 0.0))
    quantile = upper_quantile(_SPENT / (count * (count - 1)), freedom.min())
    return np.asarray(np.max(value[None, :] - value[:, None] - quantile * error, axis=1, initial=0.0))


def _signs(joint: JointEstimates, terms: Array) -> Array:
    """Say for each pair whether its two signs count as one or as two, shape (P,)."""
    count = joint.groups
    top, bottom = slice(0, count), slice(count, None)
    new, old, cross = (
        terms @ joint.covariance[rows, columns] @ terms.T
        for rows, columns in ((top, top), (bottom, bottom), (top, bottom))
    )
    new_variance, old_variance = np.diag(new)[:, None], np.diag(old)[None, :]
    product = (new_variance + old_variance) ** 2 - 4.0 * cross**2
    difference = new_variance - old_variance
    return np.where(np.any(difference > _BOTH_SIGNS * np.sqrt(np.maximum(product, 0.0)), axis=1), 2.0, 1.0)
