"""The largest probability of a region of tables over the rates on the boundary of a null hypothesis."""

# Both groups' binomial probabilities have features of one width on the arcsine scales of their rates. The nuisance
# rate is searched on a grid that is even on both scales, then around the three highest peaks, and again at the top of
# the highest one. See `exact`.

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from fairness_checks.stats.proportions import Contrast, clopper_pearson
from fairness_checks.stats.rate_pairs import Pairs
from fairness_checks.typing import Array

__all__ = ["NUISANCE_DOUBT", "Region", "Search", "a_probability", "largest_probability", "likely_sizes"]

NUISANCE_DOUBT = 1e-8
"""Probability that the nuisance rate lies outside the region searched; part of every exact p-value."""

_LONGEST_TABLE = 20_000  # past so many likely outcomes a tail is cheaper from the incomplete beta function
_POINTS_PER_FEATURE = 3.0  # a binomial probability has features of width 1 / (2 sqrt n) in the arcsine of its rate
_PEAKS = 3  # on the grid several may be equally high; to refine the highest alone misses up to 1e-3 of a p-value
_STEPS = 8  # from two points of the grid before a peak to two after it
# Outcomes so many deviations, and so many more, from what a rate expects have a probability below 1e-15.
_FAR, _MORE = 8.4, 24.0


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes:
    """Outcomes of one group that are possible at the rates searched, and their binomial coefficients."""

    n: Array  # (B,), samples
    start: Array  # (B,), the smallest outcome of each pair
    width: int  # how many follow, of all pairs; those past n have no probability
    log_choose: Array | None  # (B, width), log binomial coefficients; None where too many for a table

    @staticmethod
    def between(n: Array, low: Array, high: Array, longest: int | None = None) -> Outcomes:
        """Find what is possible at rates from low to high, shapes (B,)."""
        first, last = likely_outcomes(n, low, high)
        width = int((last - first).max()) + 1
        if longest is not None and width > longest:
            return Outcomes(n, first, width, None)
        k = first[:, None] + np.arange(width)
        rest = n[:, None] - k
        inside = rest >= 0.0
        value = special.gammaln(n[:, None] + 1.0) - special.gammaln(k + 1.0)
        value -= special.gammaln(np.where(inside, rest, 0.0) + 1.0)
        return Outcomes(n, first, width, np.where(inside, value, -np.inf))

    def values(self) -> Array:
        """Return the outcomes, shape (B, width); past n it is n."""
        return np.minimum(self.start[:, None] + np.arange(self.width), self.n[:, None])

    def probabilities(self, rate: Array) -> Array:
        """Binomial probabilities, shape (B, M, width), for rates of shape (B, M)."""
        assert self.log_choose is not None
        # Clipped, so that 0 * log(0) is 0 and every other product with log(0) still vanishes in exp.
        log_rate, log_rest = (np.log(np.maximum(share, 1e-300)) for share in (rate, 1.0 - rate))
        k = self.start[:, None] + np.arange(self.width)
        at_start = self.start[:, None] * log_rate + (self.n - self.start)[:, None] * log_rest
        value = np.arange(self.width) * (log_rate - log_rest)[:, :, None]
        value += at_start[:, :, None]
        value += np.where(k <= self.n[:, None], self.log_choose, -np.inf)[:, None, :]
        return np.asarray(np.exp(value, out=value))

    def upper_tails(self, rate: Array, firsts: Sequence[Array]) -> list[Array]:
        """P(X >= first) for each first: rate (B, M), first (B, S) -> (B, M, S)."""
        if self.log_choose is None:
            return [self._incomplete_beta(rate, first) for first in firsts]
        table = np.zeros((*rate.shape, self.width + 1))
        np.cumsum(self.probabilities(rate)[:, :, ::-1], axis=2, out=table[:, :, -2::-1])
        np.minimum(table, 1.0, out=table)
        tails = []
        for first in firsts:
            place = np.clip(first - self.start[:, None], 0.0, self.width).astype(np.intp)
            if len(place) == 1:  # by far the fastest
                tails.append(table[:, :, place[0]])
                continue
            index = np.broadcast_to(place[:, None, :], (*rate.shape, first.shape[1]))
            tails.append(np.take_along_axis(table, index, axis=2))
        return tails

    def _incomplete_beta(self, rate: Array, first: Array) -> Array:
        first, most = first[:, None, :], self.n[:, None, None]
        inside = np.clip(first, 1.0, most)
        tail = special.betainc(inside, most - inside + 1.0, rate[:, :, None])
        return np.where(first < 1.0, 1.0, np.where(first > most, 0.0, tail))

    def take(self, index: np.ndarray) -> Outcomes:
        """Return those of some pairs."""
        log_choose = None if self.log_choose is None else self.log_choose[index]
        return Outcomes(self.n[index], self.start[index], self.width, log_choose)


def likely_outcomes(n: Array, low: Array, high: Array) -> tuple[Array, Array]:
    """First and last outcome that has a probability at any rate from low to high, shapes (B,)."""

    def reach(rate: Array) -> Array:
        return _FAR * np.sqrt(n * rate * (1.0 - rate)) + _MORE

    return (
        np.maximum(np.floor(n * low - reach(low)), 0.0),
        np.minimum(np.ceil(n * high + reach(high)), n),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """Extreme tables: X1 >= upper[x2], or X1 < lower[x2]; None for no such part. Of the outcomes x2 of a search."""

    upper: Array | None
    lower: Array | None

    def take(self, index: np.ndarray) -> Region:
        """Return that of some pairs."""
        return Region(*(None if part is None else part[index] for part in (self.upper, self.lower)))


@dataclass(frozen=True, slots=True, eq=False)
class Search:
    """Where the nuisance rate is looked for, on one boundary of the null hypothesis, and what is possible there."""

    margin: Array  # (B,), the boundary of each pair
    contrast: Contrast
    low: Array  # (B,), range of p2; empty, and anything, of a pair without any
    high: Array  # (B,)
    possible: np.ndarray  # (B,), which pairs have any
    first: Outcomes
    second: Outcomes

    @staticmethod
    def of(pairs: Pairs, margin: Array, contrast: Contrast) -> Search:
        """Find the rates on the boundary that both groups' intervals allow."""
        low, high, possible = nuisance_range(pairs, margin, contrast)
        first_low, first_high = (first_rate(p2, margin, contrast) for p2 in (low, high))
        return Search(
            margin,
            contrast,
            low,
            high,
            possible,
            Outcomes.between(pairs.n1, first_low, first_high, _LONGEST_TABLE),
            Outcomes.between(pairs.n2, low, high),
        )

    def probability(self, region: Region, p2: Array) -> Array:
        """Probability of the region at rates of shape (B, M), per pair and rate."""
        p1 = first_rate(p2, self.margin, self.contrast)
        weights = self.second.probabilities(p2)
        parts = [part for part in (region.upper, region.lower) if part is not None]
        tails = self.first.upper_tails(p1, parts)
        total = tails[0] if region.upper is not None else 1.0 - tails[0]
        if len(tails) > 1:
            total += 1.0 - tails[1]
        return np.asarray(np.einsum("bms,bms->bm", weights, total))

    def take(self, index: np.ndarray) -> Search:
        """Return that of some pairs."""
        arrays = (self.low[index], self.high[index], self.possible[index])
        first, second = self.first.take(index), self.second.take(index)
        return Search(self.margin[index], self.contrast, *arrays, first, second)

    def grid(self) -> Array:
        """Rates p2, shape (B, M): dense on the arcsine scales of both groups, so that neither hides a narrow peak."""
        margin, low, high = self.margin[:, None], self.low[:, None], self.high[:, None]
        scale, shift = _line(margin, self.contrast)

        def even(first: Array, last: Array, n: Array) -> Array:
            # Within one arcsine scale the group's own binomial has pi sqrt(n) features from 0 to 1.
            start, end = (np.arcsin(np.sqrt(np.clip(rate, 0.0, 1.0))) for rate in (first, last))
            share = (end - start) / (np.pi / 2.0)
            features = share * np.pi * np.sqrt(n)[:, None]
            # Each pair has its own points, whatever pairs it is computed with; the last one is repeated.
            last_point = np.ceil(features * _POINTS_PER_FEATURE) + 4.0
            step = np.arange(int(last_point.max()) + 1)
            rates = np.sin(start + (end - start) * (step / last_point)) ** 2
            return np.asarray(np.where(step <= last_point, rates, np.inf))

        by_first = (even(low * scale + shift, high * scale + shift, self.first.n) - shift) / scale
        by_second = even(low, high, self.second.n)
        return np.asarray(np.sort(np.clip(np.concatenate([by_second, by_first], axis=1), low, high), axis=1))


def _line(margin: Array, contrast: Contrast) -> tuple[Array, Array]:
    """Return by how much p2 is multiplied, and what is added, to give p1 on the boundary."""
    one, nothing = np.ones_like(margin), np.zeros_like(margin)
    return (one, margin) if contrast == "difference" else (margin, nothing)


def first_rate(p2: Array, margin: Array, contrast: Contrast) -> Array:
    """Return p1 on the boundary, for p2 of shape (B,) or (B, M) and margins of shape (B,)."""
    scale, shift = _line(margin if p2.ndim == 1 else margin[:, None], contrast)
    return np.clip(p2 * scale + shift, 0.0, 1.0)


def nuisance_range(pairs: Pairs, margin: Array, contrast: Contrast) -> tuple[Array, Array, np.ndarray]:
    """Lowest and highest rate p2 on the boundary that the data allow, and which pairs have any; shapes (B,)."""
    scale, shift = _line(margin, contrast)
    # So wide that both hold their rates with probability 1 - NUISANCE_DOUBT.
    low1, high1 = clopper_pearson(pairs.x1, pairs.n1, NUISANCE_DOUBT / 4.0)
    low2, high2 = clopper_pearson(pairs.x2, pairs.n2, NUISANCE_DOUBT / 4.0)
    low = np.maximum(low2, (low1 - shift) / scale)
    high = np.minimum(high2, (high1 - shift) / scale)
    possible = low <= high
    return np.where(possible, low, 0.0), np.where(possible, high, 0.0), possible


def likely_sizes(pairs: Pairs, margin: Array, contrast: Contrast) -> tuple[Array, Array]:
    """Return how many outcomes of the two groups are possible at the rates searched, shapes (B,)."""
    low, high, _ = nuisance_range(pairs, margin, contrast)
    ends = ((pairs.n1, first_rate(low, margin, contrast), first_rate(high, margin, contrast)), (pairs.n2, low, high))
    first, second = (np.subtract(*likely_outcomes(*group)[::-1]) + 1.0 for group in ends)
    return first, second


def a_probability(search: Search, region: Region, p2: Array) -> Array:
    """Probability of the region at one rate p2 of each pair, shape (B,): at most the largest one."""
    at = np.clip(p2, search.low, search.high)[:, None]
    return np.minimum(np.where(search.possible, search.probability(region, at)[:, 0], 0.0) + NUISANCE_DOUBT, 1.0)


def largest_probability(search: Search, region: Region, clear: float = 0.0) -> Array:
    """Maximise the region's probability over the likely nuisance rates on the boundary, shape (B,).

    Below `clear` it may be that of the grid, which is less by half a percent at most.
    """
    possible, local = search.possible, search.grid()
    if clear > 0.0:
        found = np.where(possible, search.probability(region, local).max(axis=1), 0.0) + NUISANCE_DOUBT
        unclear = np.flatnonzero(found >= clear)
        if unclear.size:
            found[unclear] = largest_probability(search.take(unclear), region.take(unclear))
        return found
    rows = np.arange(len(local))

    def at(p2: Array) -> Array:
        return search.probability(region, p2)

    values = at(local)
    best, peaks = values.max(axis=1), _highest_peaks(values)
    # Two points on, within which a peak is the highest: the next one may be the same rate, as both scales' ends are.
    left = np.take_along_axis(local, np.maximum(peaks - 2, 0), axis=1)
    right = np.take_along_axis(local, np.minimum(peaks + 2, local.shape[1] - 1), axis=1)
    steps = np.arange(_STEPS + 1.0)
    width = (right - left) / _STEPS
    values = at((left[:, :, None] + width[:, :, None] * steps).reshape(len(local), -1)).reshape(*peaks.shape, -1)
    highest = values.max(axis=2).argmax(axis=1)
    place = _vertex(values[rows, highest])[:, None] + np.linspace(-0.25, 0.25, 9)
    place = np.clip(place, 0.0, _STEPS)
    last = at(left[rows, highest][:, None] + width[rows, highest][:, None] * place)
    best = np.maximum(best, np.maximum(values.max(axis=(1, 2)), last.max(axis=1)))
    return np.minimum(np.where(possible, best, 0.0) + NUISANCE_DOUBT, 1.0)


def _highest_peaks(values: Array) -> np.ndarray:
    """Positions of each row's `_PEAKS` highest peaks, (B, M) -> (B, _PEAKS); 0 where there is none left."""
    padded = np.full((len(values), values.shape[1] + 4), -1.0)
    padded[:, 2:-2] = values
    before, after = np.maximum(padded[:, :-4], padded[:, 1:-3]), np.maximum(padded[:, 3:-1], padded[:, 4:])
    peaks = np.where((values > before) & (values >= after), values, -1.0)
    found, rows = np.empty((len(values), _PEAKS), dtype=np.intp), np.arange(len(values))
    for i in range(_PEAKS):
        found[:, i] = peaks.argmax(axis=1)
        peaks[rows, found[:, i]] = -1.0
    return found


def _vertex(values: Array) -> Array:
    """Place of the top of the parabola through each row's largest value and its neighbours, (B, S) -> (B,)."""
    rows, middle = np.arange(len(values)), np.clip(values.argmax(axis=1), 1, values.shape[1] - 2)
    before, at, after = (values[rows, middle + i] for i in (-1, 0, 1))
    bend = 2.0 * at - before - after
    offset = np.divide(after - before, 2.0 * bend, out=np.zeros(len(values)), where=bend > 0.0)
    return np.asarray(middle + np.clip(offset, -1.0, 1.0))
