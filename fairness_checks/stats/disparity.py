"""The largest difference, or the smallest ratio, among the rates of two or more groups.

A limit is a *tolerance* t in [0, 1): a difference of at most t, or a ratio of at least 1 - t. Each pair is tested
against the margins of the tolerance, exactly where it is small; `fairness_checks.stats.pairs` puts the pairs together.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy import special

from fairness_checks.stats.exact import exact_outside, exact_within, is_small
from fairness_checks.stats.inference import Inference
from fairness_checks.stats.pairs import block_pairs, judge_pairs
from fairness_checks.stats.proportions import Array, Contrast, score_statistic
from fairness_checks.stats.rate_pairs import Pairs

__all__ = ["judge_disparity"]

_LARGEST_TOLERANCE = 1.0 - 1e-9
_MOST_EXACT = 500  # pairs; 32 groups have 496

EXACT = "exact unconditional score test (Chan 1998; Berger and Boos 1994)"
ASYMPTOTIC = "score test (Miettinen and Nurminen 1985)"


def margins(tolerance: float, contrast: Contrast) -> tuple[float, float]:
    """Return the interval of contrasts that a tolerance allows."""
    if contrast == "difference":
        return -tolerance, tolerance
    ratio = 1.0 - min(tolerance, _LARGEST_TOLERANCE)
    return ratio, 1.0 / ratio


def _scores(pairs: Pairs, low: float, high: float, contrast: Contrast) -> tuple[Array, Array]:
    """Return the score statistics at the two margins, both in one pass over the pairs."""
    both = score_statistic(pairs.x1, pairs.n1, pairs.x2, pairs.n2, np.array([[low], [high]]), contrast)
    return both[0], both[1]


def _asymptotic_outside(pairs: Pairs, low: float, high: float, contrast: Contrast) -> Array:
    """Both directions count: at a margin of zero this is the two-sided test."""
    below, above = _scores(pairs, low, high, contrast)
    first = special.ndtr(-above) + special.ndtr(-below)
    second = special.ndtr(below) + special.ndtr(above)
    return np.minimum(np.minimum(first, second), 1.0)


def _asymptotic_within(pairs: Pairs, low: float, high: float, contrast: Contrast) -> Array:
    below, above = _scores(pairs, low, high, contrast)
    return special.ndtr(np.maximum(above, -below))


PairTest = Callable[[Pairs, float, float, Contrast], Array]


def _either(exact: PairTest, asymptotic: PairTest, pairs: Pairs, tolerance: float, contrast: Contrast) -> Array:
    """p-values of all pairs at one tolerance, exact where the table is small enough."""
    low, high = margins(tolerance, contrast)
    small = is_small(pairs)
    p = np.ones(len(pairs))
    if small.any():
        p[small] = exact(pairs.take(small), low, high, contrast)
    if not small.all():
        p[~small] = asymptotic(pairs.take(~small), low, high, contrast)
    return p


def p_outside(pairs: Pairs, tolerance: float, contrast: Contrast) -> Array:
    """p-values of H0 "the pair keeps the tolerance"."""
    return _either(exact_outside, _asymptotic_outside, pairs, tolerance, contrast)


def p_within(pairs: Pairs, tolerance: float, contrast: Contrast) -> Array:
    """p-values of H0 "the pair meets or exceeds the tolerance"."""
    return _either(exact_within, _asymptotic_within, pairs, tolerance, contrast)


class RatePairs:
    """All pairs of the groups' rates as `fairness_checks.stats.pairs.PairTests`.

    A ratio of at least r is a tolerance of 1 - r; ratios are differences on the logarithmic scale.
    """

    largest = _LARGEST_TOLERANCE
    step = 2e-5  # a tenth of what reports show

    def __init__(
        self,
        events: Array,
        samples: Array,
        contrast: Contrast,
        blocks: np.ndarray | None = None,
        shared: Array | None = None,
    ) -> None:
        self._contrast: Contrast = contrast
        self.blocks = np.zeros(len(events), dtype=np.int64) if blocks is None else blocks
        self.first, self.second = block_pairs(self.blocks)
        self.rates = events / samples
        self.independent = shared is None
        pairs = Pairs(events[self.first], samples[self.first], events[self.second], samples[self.second])
        if shared is not None:
            pairs = pairs.joined(shared[self.first, self.second])
        self.pairs = pairs.ordered()  # the tests are the same either way round, up to rounding: here to the last digit
        high = np.maximum(self.rates[self.first], self.rates[self.second])
        low = np.minimum(self.rates[self.first], self.rates[self.second])
        # Two rates of zero are equal: their ratio is 1.
        ratio = np.divide(low, high, out=np.ones_like(high), where=high > 0.0)
        self.disparity = high - low if contrast == "difference" else 1.0 - ratio
        self.deviations = _units(events, samples, contrast, self.blocks) / np.sqrt(samples)

    def outside(self, index: np.ndarray, tolerance: float) -> Array:
        """p-values of H0 "the pair keeps the tolerance" of some pairs.

        Of more than 500 pairs only those nearest to a violation are tested exactly, and the other small ones count as
        no violation: what is left out can hide one, but never make one.
        """
        pairs = self.pairs.take(index)
        if len(index) <= _MOST_EXACT:
            return p_outside(pairs, tolerance, self._contrast)
        asymptotic = _asymptotic_outside(pairs, *margins(tolerance, self._contrast), self._contrast)
        nearest = np.argsort(asymptotic, kind="stable")[:_MOST_EXACT]
        p = np.where(is_small(pairs), 1.0, asymptotic)
        p[nearest] = p_outside(pairs.take(nearest), tolerance, self._contrast)
        return p

    def within(self, index: np.ndarray, tolerance: float) -> Array:
        """p-values of H0 "the pair meets or exceeds the tolerance" of some pairs.

        Of more than 500 pairs those furthest from compliance, whose largest p-value decides, are tested exactly.
        """
        pairs = self.pairs.take(index)
        if len(index) <= _MOST_EXACT:
            return p_within(pairs, tolerance, self._contrast)
        p = _asymptotic_within(pairs, *margins(tolerance, self._contrast), self._contrast)
        furthest = np.argsort(-p, kind="stable")[:_MOST_EXACT]
        p[furthest] = p_within(pairs.take(furthest), tolerance, self._contrast)
        return p

    def scaled(self, tolerance: float) -> float:
        """Return the tolerance, or its logarithm for a ratio."""
        return tolerance if self._contrast == "difference" else -math.log1p(-min(tolerance, self.largest))


def _units(events: Array, samples: Array, contrast: Contrast, blocks: np.ndarray) -> Array:
    """Return the deviation of one sample at its stratum's common rate, shape (G,); of its logarithm for a ratio."""
    _, stratum = np.unique(blocks, return_inverse=True)
    rate = (np.bincount(stratum, weights=events) / np.bincount(stratum, weights=samples))[stratum]
    if contrast == "difference":
        return np.sqrt(rate * (1.0 - rate))
    with np.errstate(divide="ignore"):
        return np.sqrt((1.0 - rate) / rate)


def judge_disparity(
    events: np.ndarray,
    samples: np.ndarray,
    limit: float,
    contrast: Contrast,
    alpha: float,
    blocks: np.ndarray | None = None,
    shared: Array | None = None,
) -> Inference:
    """Judge the largest difference or the smallest ratio of the rates ``events / samples`` against a limit.

    Parameters
    ----------
    events, samples : ndarray of int or float, shape (G,)
        Counts per group, G >= 2, ``samples >= 1``; fractions where they are effective counts of clustered samples.
    limit : float
        Largest difference allowed, in [0, 1), or smallest ratio allowed, in (0, 1].
    contrast : {"difference", "ratio"}
        Which of the two.
    alpha : float
        Significance level of each of the two tests; the interval has confidence 1 - 2 alpha.
    blocks : ndarray of int, shape (G,), optional
        The stratum of each group; groups are compared within strata only. Default one stratum.
    shared : ndarray of float64, shape (G, G), optional
        Correlations of the rates, where clusters lie in several groups. Default independent.

    Returns
    -------
    Inference
        In the limit's own unit. The pair named is the one with the smallest violation p-value where that proves a
        violation, otherwise the pair with the largest disparity.
    """
    is_ratio = contrast == "ratio"
    counts = np.asarray(events, dtype=np.float64), np.asarray(samples, dtype=np.float64)
    tests = RatePairs(*counts, contrast, blocks, shared)
    found = judge_pairs(tests, 1.0 - limit if is_ratio else limit, alpha)
    pair = (int(tests.first[found.shown]), int(tests.second[found.shown]))
    higher, lower = pair if tests.rates[pair[0]] >= tests.rates[pair[1]] else pair[::-1]
    high = 1.0 if found.high >= tests.largest else found.high
    disparity = float(tests.disparity[found.shown])
    return Inference(
        estimate=1.0 - disparity if is_ratio else disparity,
        low=1.0 - high if is_ratio else found.low,
        high=1.0 - found.low if is_ratio else high,
        p_violation=found.p_violation,
        p_compliance=found.p_compliance,
        first=lower if is_ratio else higher,
        second=higher if is_ratio else lower,
        comparisons=len(tests.first),
        level=found.level,
        method=_method(is_small(tests.pairs), len(tests.first), "max-t" if tests.independent else "Bonferroni"),
    )


def _method(exact: np.ndarray, count: int, way: str) -> str:
    name = EXACT if exact.all() else ASYMPTOTIC if not exact.any() else f"{EXACT}; {ASYMPTOTIC} for the larger pairs"
    return name if count == 1 else f"{name}, {way} over {count} pairs"
