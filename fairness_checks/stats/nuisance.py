"""The largest probability of a region of tables over the rates on the boundary of a null hypothesis.

Both groups' binomial probabilities have features of one width on the arcsine scales of their rates. The nuisance rate
is searched on a grid that is even on both scales, then around the three highest peaks, and again at the top of the
highest one. See `fairness_checks.stats.exact`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from fairness_checks.stats.proportions import Array, Contrast
from fairness_checks.stats.rate_pairs import Pairs

__all__ = ["LONGEST_TABLE", "NUISANCE_DOUBT", "Region", "largest_probability"]

NUISANCE_DOUBT = 1e-8
"""Probability that the nuisance rate lies outside the region searched; part of every exact p-value."""

LONGEST_TABLE = 2_000  # past this size a tail is cheaper from the incomplete beta function than from a table
_NEGLIGIBLE = 1e-16  # outcomes of the second group less likely than this add nothing that a double can hold
_POINTS_PER_FEATURE = 3.0  # a binomial probability has features of width 1 / (2 sqrt n) in the arcsine of its rate
_PEAKS = 3  # on the grid several may be equally high; to refine the highest alone misses up to 1e-3 of a p-value
_STEPS = 8  # from two points of the grid before a peak to two after it


def _log_choose(n: Array, size: int) -> Array:
    """Logarithms of binomial coefficients, shape (B, 1, size); -inf past each n."""
    k = np.arange(size)[None, :]
    m = n[:, None]
    inside = k <= m
    kk = np.minimum(k, m)
    value = special.gammaln(m + 1.0) - special.gammaln(kk + 1.0) - special.gammaln(m - kk + 1.0)
    return np.asarray(np.where(inside, value, -np.inf)[:, None, :])


def _pmf(n: Array, rate: Array, log_choose: Array) -> Array:
    """Binomial probabilities, shape (B, M, size), for rates of shape (B, M)."""
    k = np.arange(log_choose.shape[2], dtype=np.float64)[None, None, :]
    rest = np.maximum(n[:, None, None] - k, 0.0)
    # Clipped, so that 0 * log(0) is 0 and every other product with log(0) still vanishes in exp.
    log_rate = np.log(np.maximum(rate, 1e-300))[:, :, None]
    log_rest = np.log(np.maximum(1.0 - rate, 1e-300))[:, :, None]
    return np.asarray(np.exp(log_choose + k * log_rate + rest * log_rest))


def _upper_tail(n: Array, rate: Array, start: Array, log_choose: Array | None) -> Array:
    """P(X >= start) for X ~ Binomial(n, rate): n (B,), rate (B, M), start (B, S) -> (B, M, S)."""
    if log_choose is None:
        first, most = start[:, None, :], n[:, None, None]
        inside = np.clip(first, 1.0, most)
        tail = special.betainc(inside, most - inside + 1.0, rate[:, :, None])
        return np.where(first < 1.0, 1.0, np.where(first > most, 0.0, tail))
    pmf = _pmf(n, rate, log_choose)
    table = np.zeros((*rate.shape, pmf.shape[2] + 1))
    table[:, :, :-1] = np.cumsum(pmf[:, :, ::-1], axis=2)[:, :, ::-1]
    index = np.broadcast_to(start.astype(np.intp)[:, None, :], (*rate.shape, start.shape[1]))
    return np.asarray(np.minimum(np.take_along_axis(table, index, axis=2), 1.0))


@dataclass(frozen=True, slots=True, eq=False)
class _Coefficients:
    """Logarithms of the binomial coefficients of the two groups; None for a group too long for a table."""

    first: Array | None
    second: Array

    @staticmethod
    def of(pairs: Pairs) -> _Coefficients:
        """Tabulate them once for all rates."""
        size1, size2 = int(pairs.n1.max()) + 1, int(pairs.n2.max()) + 1
        first = None if size1 > LONGEST_TABLE else _log_choose(pairs.n1, size1)
        return _Coefficients(first, _log_choose(pairs.n2, size2))


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """Extreme tables: X1 >= upper[x2], or X1 < lower[x2]; None for no such part."""

    upper: Array | None
    lower: Array | None

    def probability(self, pairs: Pairs, p1: Array, p2: Array, coefficients: _Coefficients) -> Array:
        """Probability of the region at rates of shape (B, M), per pair and rate."""
        weights = _pmf(pairs.n2, p2, coefficients.second)
        likely = np.flatnonzero(weights.max(axis=(0, 1)) > _NEGLIGIBLE)
        weights = weights[:, :, likely]
        total = np.zeros_like(weights)
        if self.upper is not None:
            total += _upper_tail(pairs.n1, p1, self.upper[:, likely], coefficients.first)
        if self.lower is not None:
            total += 1.0 - _upper_tail(pairs.n1, p1, self.lower[:, likely], coefficients.first)
        return np.asarray(np.einsum("bms,bms->bm", weights, total))


def _likely_rates(x: Array, n: Array) -> tuple[Array, Array]:
    """Clopper-Pearson interval of each rate, so wide that both hold their rates with probability 1 - NUISANCE_DOUBT."""
    tail = NUISANCE_DOUBT / 4.0
    with np.errstate(invalid="ignore"):
        low = np.where(x > 0.0, special.betaincinv(np.where(x > 0.0, x, 1.0), n - x + 1.0, tail), 0.0)
        high = np.where(x < n, special.betaincinv(x + 1.0, np.where(x < n, n - x, 1.0), 1.0 - tail), 1.0)
    return low, high


def _nuisance_grid(pairs: Pairs, margin: float, contrast: Contrast) -> tuple[Array, np.ndarray]:
    """Rates p2 on the boundary, shape (B, M), and which pairs have any, shape (B,).

    Dense on the arcsine scales of both p1 and p2, so that neither end hides a narrow peak.
    """
    scale = 1.0 if contrast == "difference" else margin
    shift = margin if contrast == "difference" else 0.0
    low1, high1 = _likely_rates(pairs.x1, pairs.n1)
    low2, high2 = _likely_rates(pairs.x2, pairs.n2)
    low = np.maximum(low2, (low1 - shift) / scale)
    high = np.minimum(high2, (high1 - shift) / scale)
    possible = low <= high
    low, high = np.where(possible, low, 0.0)[:, None], np.where(possible, high, 0.0)[:, None]

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

    by_first = (even(low * scale + shift, high * scale + shift, pairs.n1) - shift) / scale
    by_second = even(low, high, pairs.n2)
    grid = np.sort(np.clip(np.concatenate([by_second, by_first], axis=1), low, high), axis=1)
    return grid, possible


def largest_probability(pairs: Pairs, region: Region, margin: float, contrast: Contrast) -> Array:
    """Maximise the region's probability over the likely nuisance rates on the boundary, shape (B,)."""
    coefficients = _Coefficients.of(pairs)

    def at(p2: Array) -> Array:
        p1 = np.clip(p2 + margin if contrast == "difference" else p2 * margin, 0.0, 1.0)
        return region.probability(pairs, p1, p2, coefficients)

    local, possible = _nuisance_grid(pairs, margin, contrast)
    if not possible.any():
        return np.full(len(pairs), NUISANCE_DOUBT)
    rows = np.arange(len(pairs))
    values = at(local)
    best, peaks = values.max(axis=1), _highest_peaks(values)
    # Two points on, within which a peak is the highest: the next one may be the same rate, as both scales' ends are.
    left = np.take_along_axis(local, np.maximum(peaks - 2, 0), axis=1)
    right = np.take_along_axis(local, np.minimum(peaks + 2, local.shape[1] - 1), axis=1)
    steps = np.arange(_STEPS + 1.0)
    width = (right - left) / _STEPS
    values = at((left[:, :, None] + width[:, :, None] * steps).reshape(len(pairs), -1)).reshape(*peaks.shape, -1)
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
