"""How much smaller a disparity is under one training mix than under another, on the same splits."""

# A reduction is max |a| - max |b|, a and b the differences of all pairs under either mix. With signs, 2 P differences
# of P pairs, it is the largest of a less the largest of b, and every a - b is linear in the repeats: what both mixes
# have in common cancels, and each is judged as any gap of a sweep is (`repeats`).
# *The reduction is above X* where some a exceeds every b by more than X: one test for each b, at the full level (an
# intersection-union test), of the a that is largest. *It is below X* where some b is such that no a exceeds it by X.
# The largest was chosen by the same repeats, which Bonferroni makes up for, over 2 P; where it is shown to be the
# largest at a hundredth of the level, nothing was chosen, and the rest of the level is left for it (Berger and Boos,
# JASA 89 (1994) 1012, doi:10.1080/01621459.1994.10476836).

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fairness_checks.stats.estimates import upper_quantile, upper_tail
from fairness_checks.stats.inference import Inference
from fairness_checks.typing import Array

__all__ = ["Claims", "Reduction", "judge_reductions"]

_METHOD = "resampled t of the paired change, test and training rows apart (after Nadeau and Bengio 2003)"
_BY_SIGN = 0.01  # share of the level that may show which difference is the largest


@dataclass(frozen=True, slots=True, eq=False)
class Claims:
    """N estimates with the standard errors that claims on either side of them are tested by; shapes (N,)."""

    value: Array
    up: Array  # standard errors for "it is not above"; skewness may widen one of the two
    down: Array  # for "it is not below"
    freedom: Array

    def p_above(self, margin: float) -> float:
        """p-value of H0 "some estimate is at or below the margin"."""
        return float(upper_tail((self.value - margin) / self.down, self.freedom).max(initial=0.0))

    def p_below(self, margin: float) -> float:
        """p-value of H0 "some estimate is at or above the margin"."""
        return float(upper_tail((margin - self.value) / self.up, self.freedom).max(initial=0.0))

    def low(self, level: float) -> float:
        """Return the margin at which `p_above` is the level."""
        return float((self.value - self.down * upper_quantile(level, self.freedom)).min())

    def high(self, level: float) -> float:
        """Return the margin at which `p_below` is the level."""
        return float((self.value + self.up * upper_quantile(level, self.freedom)).max())


@dataclass(frozen=True, slots=True, eq=False)
class Reduction:
    """By how much a mix makes the disparity smaller, and all that is needed to judge it."""

    # of the largest signed difference without the mix, less every one under it; the smallest is the reduction
    least: Claims
    most: Claims  # of every signed difference without the mix, less the largest under it; the largest is the reduction
    of_first: Claims  # of the largest without the mix, less all others there
    of_second: Claims  # of the largest under it, less all others there

    @property
    def value(self) -> float:
        """The reduction; negative where the disparity is larger under the mix."""
        return float(self.least.value.min())

    @property
    def error(self) -> float:
        """Standard error of the contrast that the reduction is."""
        at = int(self.least.value.argmin())
        return float(max(self.least.up[at], self.least.down[at]))

    @property
    def freedom(self) -> float:
        """Degrees of freedom of that contrast."""
        return float(self.least.freedom[int(self.least.value.argmin())])

    def p_not_above(self, margin: float) -> float:
        """p-value of H0 "the reduction is the margin or less"."""
        return _of_the_largest(self.least.p_above(margin), self.of_first)

    def p_not_below(self, margin: float) -> float:
        """p-value of H0 "the reduction is the margin or more"."""
        return _of_the_largest(self.most.p_below(margin), self.of_second)

    def low(self, level: float) -> float:
        """Return the margin at which `p_not_above` is the level."""
        return self.least.low(_level(level, self.of_first))

    def high(self, level: float) -> float:
        """Return the margin at which `p_not_below` is the level."""
        return self.most.high(_level(level, self.of_second))


def _of_the_largest(p: float, others: Claims) -> float:
    """Adjust the p-value of what is largest in the repeats for having been chosen, unless it is shown to be so."""
    count = len(others.value)
    shown = max(p / (1.0 - _BY_SIGN), count * others.p_above(0.0) / _BY_SIGN)
    return min((count + 1.0) * p, shown, 1.0)


def _level(level: float, others: Claims) -> float:
    """Return the level of one test at which `_of_the_largest` is the given one."""
    count = len(others.value)
    sure = count * others.p_above(0.0) / _BY_SIGN < level
    return level * (1.0 - _BY_SIGN) if sure else level / (count + 1.0)


def judge_reductions(found: Sequence[Reduction], limit: float, alpha: float) -> tuple[Inference, int]:
    """Judge the smallest reduction of K mixes against the one that is asked for, and say which mix decides."""
    # Every mix must reduce the disparity by the limit or more: compliance is shown for each at the full level, and a
    # violation by any is adjusted by Bonferroni's factor. A negative limit lets the disparity grow.
    count = len(found)
    at_limit = np.array([one.p_not_below(limit) for one in found])
    p = min(1.0, count * float(at_limit.min()))
    values = np.array([one.value for one in found])
    violated = p < alpha
    ranked = np.where(~violated | (count * at_limit < alpha), values, np.inf)
    shown = int(np.lexsort((at_limit, ranked))[0])
    inference = Inference(
        estimate=float(values[shown]),
        low=min(one.low(alpha) for one in found),
        high=min(one.high(alpha / count) for one in found),
        p_violation=p,
        p_compliance=max(one.p_not_above(limit) for one in found),
        first=0,
        second=-1,
        comparisons=count,
        level=alpha / count,
        method=_METHOD if count == 1 else f"{_METHOD}, Bonferroni over {count} mixes",
        standard_error=found[shown].error,
    )
    return inference, shown
