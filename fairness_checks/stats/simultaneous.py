"""The smallest p-value over all pairs of groups: how small it gets by chance when no disparity exceeds the limit."""

# Let T be the largest of the pairs' statistics (|d_ij| - L) / s_ij. Under the null hypothesis, every true |d_ij| at
# most L, T exceeds a critical value when a symmetric log-concave error, shifted by the true rates, leaves a symmetric
# convex set. That is most likely at a vertex of the null hypothesis (Prekopa, Acta Sci. Math. 34 (1973) 335): some
# groups at one rate, all others higher by exactly L.
# With equal standard errors s all pairs keep T <= z exactly if the range of the estimates is at most L + z s sqrt(2):
# one integral over the lowest estimate; at L = 0 Tukey's studentized range. Unequal ones are replaced by their root
# mean square in this integral only. At L = 0 that errs on the safe side (Hayter, Ann. Statist. 12 (1984) 61,
# doi:10.1214/aos/1176346392); at L > 0 it did in a search over 3 to 24 groups and standard errors up to a hundredfold
# apart. Half of the groups lie higher, which leaves most pairs at the limit; with an odd number both halves count as
# G / 2, since a split into m and m + 1 groups of unequal standard errors can exceed the integral for m and m + 1 (by
# 9 % at G = 3).
# Groups of different strata are not compared: the strata are independent, and their distributions are multiplied.

from __future__ import annotations

import copy
import functools
import math

import numpy as np
from scipy import special

from fairness_checks.stats.roots import root
from fairness_checks.typing import Array

__all__ = ["Families", "Family", "large_groups", "largest_exceeds", "probit", "statistic"]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(96)
_FAR = 6.5  # standard deviations, beyond those that the largest statistic itself needs
_ALL = 1.0 - 2.0**-53  # keeps logarithms finite
_ROOT_2PI = math.sqrt(2.0 * math.pi)
_APART = 100.0  # standard deviations at which the two halves might as well be infinitely far apart
_FARTHEST = 37.0  # of a statistic whose p-value is still a number


def probit(p: Array | float) -> Array:
    """Return the normal quantile of p, finite at 0 and 1."""
    return np.asarray(special.ndtri(np.minimum(np.maximum(p, 1e-300), 1.0 - 1e-16)))


def largest_exceeds(z: float, groups: Array, shift: Array) -> Array:
    """Probability that the largest statistic over all pairs exceeds z, for several sets of groups at once."""
    # groups: (K,), numbers of groups; shift: (K,), the limit in standard errors of one group.
    z = min(z, _FARTHEST)
    half, shift = groups[:, None] / 2.0, np.minimum(shift, _APART)[:, None]  # (K, 1)
    width = shift + z * math.sqrt(2.0)  # the statistics are at most z if the range is at most this
    start = -_FAR - max(z, 0.0) / math.sqrt(2.0)
    lowest = (start + _FAR) / 2.0 + (_FAR - start) / 2.0 * _NODES  # (nodes,)
    higher = lowest - shift  # as seen by the groups that lie higher, (K, nodes)
    # Shares of a lower and of a higher group's distribution above the lowest estimate, and how much lies too far above.
    above, above_higher = special.ndtr(-lowest), special.ndtr(-higher)
    kept = np.log1p(-np.minimum(special.ndtr(-lowest - width) / above, _ALL))
    kept_higher = np.log1p(-np.minimum(special.ndtr(-higher - width) / above_higher, _ALL))
    log_above, log_higher = np.log(above), np.log(above_higher)
    low = np.exp((half - 1.0) * log_above + half * log_higher - lowest * lowest / 2.0)
    low *= np.expm1((half - 1.0) * kept + half * kept_higher)
    high = np.exp(half * log_above + (half - 1.0) * log_higher - higher * higher / 2.0)
    high *= np.expm1(half * kept + (half - 1.0) * kept_higher)
    p = half[:, 0] * (_FAR - start) / 2.0 / _ROOT_2PI * -((low + high) @ _WEIGHTS)
    return np.asarray(np.where(width[:, 0] > 0.0, np.minimum(p, 1.0), 1.0))


def _density(x: Array) -> Array:
    return np.asarray(np.exp(-x * x / 2.0) / _ROOT_2PI)


class Family:
    """All pairs of groups of the same block, tested together."""

    # deviations: (G,), standard errors of the groups' estimates; where one of a block is 0 or infinite, or estimates
    # are not `independent`, Bonferroni's bound is used. A limit below 0 has the critical value of 0. blocks: (G,),
    # strata.

    def __init__(
        self, deviations: Array, limit: float, blocks: np.ndarray | None = None, *, independent: bool = True
    ) -> None:
        self._limit = max(limit, 0.0)
        names = np.zeros(len(deviations), dtype=np.intp) if blocks is None else np.asarray(blocks)
        _, position = np.unique(names, return_inverse=True)
        order = np.lexsort((deviations, position))  # the order of the groups must not change a rounding error
        sizes = np.bincount(position)
        with np.errstate(over="ignore", under="ignore"):
            scale = np.sqrt(np.bincount(position[order], np.square(deviations)[order]) / sizes)
            known = np.bincount(position, (deviations > 0.0) & np.isfinite(deviations)) == sizes
        known &= independent
        known &= np.isfinite(scale) & (scale > 0.0)  # squares may leave the range of numbers
        compared = sizes > 1
        pairs = sizes * (sizes - 1) // 2
        self.pairs = int(pairs.sum())
        self._unknown = int(pairs[~known].sum())  # pairs of which only Bonferroni's bound is known
        some = np.lexsort((scale, sizes))
        some = some[(compared & known)[some]]
        self._groups, self._scale = sizes[some].astype(np.float64), scale[some]

    def _exceeds(self, z: float, limit: float) -> float:
        """P(T > z), all blocks together."""
        return _blocks_exceed(z, self._groups, limit / self._scale, self._unknown)

    def critical_value(self, limit: float, alpha: float) -> float:
        """Return the z that T exceeds with probability alpha at a limit."""
        shift = limit / self._scale
        return _critical_value(tuple(self._groups.tolist()), tuple(shift.tolist()), self._unknown, alpha)

    def p_value(self, p: Array, scale: Array) -> float:
        """Adjust the smallest of all pairs' p-values, (B,), for having been chosen; at most Bonferroni's bound."""
        least = float(p.min())
        bound = min(1.0, self.pairs * least)
        if self.pairs == 1 or least >= 0.5:
            return bound
        some = p <= 2.0 * least  # no other pair can have the largest statistic
        z = float(statistic(p[some], scale[some], self._limit).max())
        return min(bound, max(least, self._exceeds(z, self._limit)))

    def excess(self, p: Array, scale: Array, limit: float, alpha: float) -> Array:
        """Say by how many standard deviations each pair's p-value at a limit is significant; negative if not."""
        # Each limit has its own critical value, so that what is found does not depend on the limit that is asked
        # about; negative limits of signed disparities have that of zero.
        quantile = probit(p)
        single = probit(alpha) - quantile
        if self.pairs == 1:
            return single
        bonferroni = probit(alpha / self.pairs) - quantile
        known = max(limit, 0.0)
        z = -quantile
        near = p < alpha  # elsewhere the statistic need not be exact
        z[near] = statistic(p[near], np.broadcast_to(scale, p.shape)[near], known)
        simultaneous = z - self.critical_value(known, alpha)
        return np.maximum(bonferroni, np.minimum(single, simultaneous))

    def highest_level(self, alpha: float) -> float:
        """Return the level at which a pair is tested at a limit without end, the highest one."""
        far = 2.0 * _APART * float(self._scale.max(initial=1.0))
        return alpha if self.pairs == 1 else self.at(far).level(alpha)

    def at(self, limit: float) -> Family:
        """Return the same groups at another limit."""
        other = copy.copy(self)
        other._limit = max(limit, 0.0)
        return other

    def level(self, alpha: float) -> float:
        """Return the level at which one pair is tested, for planning."""
        if self.pairs == 1:
            return alpha
        return float(max(alpha / self.pairs, special.ndtr(-self.critical_value(self._limit, alpha))))


LARGE_SHARE = 0.8
"""Share of the level that goes to the pairs of large groups alone, where there are small ones beside them."""

_MUCH_SMALLER = 10.0  # a group of a tenth of the samples has errors more than three times as large
_FEW_LARGE = 0.5  # share of all pairs, above which it gains too little to test those of large groups apart


def large_groups(sizes: Array, blocks: np.ndarray | None = None) -> np.ndarray | None:
    """Say which groups are large, bool of shape (G,), where small ones would hide what they prove; None where not."""
    # A group of ten samples beside two of thousands proves next to nothing, yet every pair that is tested makes each
    # of the others harder to prove. What is left out of a family must be known without the outcomes (Tarone,
    # Biometrics 46 (1990) 515): here it is by the sizes. Large is what has a tenth or more of the samples of the
    # smaller group in the pair that knows most, if such pairs are less than half of all.
    names = np.zeros(len(sizes), dtype=np.intp) if blocks is None else np.unique(blocks, return_inverse=True)[1]
    order = np.lexsort((-sizes, names))
    start = np.flatnonzero(np.r_[True, np.diff(names[order]) > 0])
    counts = np.bincount(names)
    second = sizes[order][(start + 1)[counts > 1]]
    if second.size == 0:
        return None
    large = np.asarray(sizes * _MUCH_SMALLER >= second.max())
    pairs, of_large = (float((n * (n - 1) / 2.0).sum()) for n in (counts, np.bincount(names[large])))
    return large if 0 < of_large < _FEW_LARGE * pairs else None


class Families:
    """All pairs, and those of large groups apart where there are small ones beside them."""

    # Large groups have `LARGE_SHARE` of the level for themselves and are judged with all others at the rest; a pair
    # that either proves is proved, jointly at the level by Bonferroni's inequality.

    def __init__(
        self,
        deviations: Array,
        first: np.ndarray,
        second: np.ndarray,
        blocks: np.ndarray | None = None,
        *,
        independent: bool = True,
        large: np.ndarray | None = None,
    ) -> None:
        every = np.ones(len(first), dtype=np.bool_)
        self._parts = [(1.0, Family(deviations, 0.0, blocks, independent=independent), every)]
        if large is not None:
            some = None if blocks is None else np.asarray(blocks)[large]
            apart = Family(deviations[large], 0.0, some, independent=independent)
            self._parts = [
                (1.0 - LARGE_SHARE, self._parts[0][1], every),
                (LARGE_SHARE, apart, large[first] & large[second]),
            ]

    def p_value(self, p: Array, scale: Array, limit: float) -> float:
        """Adjust the smallest p-value; see `Family.p_value`."""
        found = [family.at(limit).p_value(p[some], scale[some]) / share for share, family, some in self._parts]
        return min(1.0, *found)

    def excess(self, p: Array, scale: Array, limit: float, alpha: float, index: np.ndarray) -> Array:
        """Say by how much the p-values of some pairs are significant; see `Family.excess`."""
        values = np.full(len(p), -np.inf)
        for share, family, every in self._parts:
            some = every[index]
            if some.any():
                found = family.excess(p[some], scale[some], limit, share * alpha)
                values[some] = np.maximum(values[some], found)
        return values

    def level(self, alpha: float, limit: float, pair: int) -> float:
        """Return the level at which a pair is tested, for planning."""
        return max(family.at(limit).level(share * alpha) for share, family, every in self._parts if every[pair])

    def highest_level(self, alpha: float) -> float:
        """Return the highest level at which any pair is tested, whatever the limit."""
        return max(family.highest_level(share * alpha) for share, family, _ in self._parts)

    @property
    def note(self) -> str:
        """What of the level goes where, for the method; empty for one family."""
        if len(self._parts) == 1:
            return ""
        return f", {LARGE_SHARE:.0%} of the level for the {int(self._parts[1][2].sum())} of large groups"


def _blocks_exceed(z: float, groups: Array, shift: Array, unknown: int) -> float:
    """P(T > z) of independent blocks, and of more pairs of which only Bonferroni's bound is known."""
    bound = min(1.0, 2.0 * unknown * float(special.ndtr(-z)))
    with np.errstate(divide="ignore"):
        return float(-np.expm1(np.log1p(-largest_exceeds(z, groups, shift)).sum() + np.log1p(-bound)))


@functools.lru_cache(maxsize=256)  # the checks of a model ask for the same values at a limit of zero
def _critical_value(groups: tuple[float, ...], shift: tuple[float, ...], unknown: int, alpha: float) -> float:
    """Return the z that T exceeds with probability alpha."""
    sizes, shifts, target = np.array(groups), np.array(shift), float(probit(alpha))
    pairs = unknown + float((sizes * (sizes - 1.0)).sum()) / 2.0

    def below(z: float) -> float:  # nearly a line
        return target - float(probit(_blocks_exceed(z, sizes, shifts, unknown)))

    # Between the critical value of one pair, one-sided, and Bonferroni's, two-sided.
    return root(below, -target - 1e-6, 1e-6 - float(probit(alpha / pairs / 2.0)), xtol=1e-10)


def statistic(p: Array, scale: Array, limit: float | Array) -> Array:
    """Return the z whose p-value, both directions counted, is p; between the one-sided and the two-sided one."""
    least, z = -probit(p), -probit(np.asarray(p) / 2.0)
    if np.all(np.asarray(limit) == 0.0):
        return z
    with np.errstate(divide="ignore", over="ignore"):
        shift = np.minimum(2.0 * limit / scale, _APART)
    goal = np.log(np.maximum(p, 1e-300))
    for _ in range(12):  # Newton on the logarithm, from above; a few steps do, save for p-values near 1
        tail = special.ndtr(-z) + special.ndtr(-z - shift)
        step = (np.log(tail) - goal) * tail / (_density(z) + _density(z + shift))
        z = np.maximum(z + step, least)
        if np.all((np.abs(step) < 1e-11) | (z == least)):
            break
    return np.asarray(z)
