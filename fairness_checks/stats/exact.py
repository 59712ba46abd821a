"""Exact unconditional tests of two independent proportions at a margin.

The statistic is the score statistic of `fairness_checks.stats.proportions`; its p-value is the largest probability,
over the rates on the boundary of the null hypothesis (the nuisance rate), of a table at least as extreme as the one
seen [1]_. The asymptotic score test exceeds its level in small groups; this one cannot, because the tables that
count as extreme form a set that grows in x1 and shrinks in x2, so that the boundary is the worst of the null
hypothesis (Barnard's convexity; the tests verify it by enumeration).

In groups of unequal size the maximum over all rates lies near 0 or 1, at rates that the data exclude. Rates outside
confidence intervals of joint level 1 - NUISANCE_DOUBT are therefore left out, and that doubt is added to the p-value,
which stays exact [2]_: with 10 of 40 against 35 of 316 events p falls from 0.047 to 0.015.

Everything is vectorised over B pairs of groups. The tail of the larger group is tabulated, the smaller group's
outcomes are summed, and the nuisance rate is searched on a grid that is even on the arcsine scales of both rates,
where a binomial probability has features of one width, then refined around the three highest peaks, and again at
the top of the highest one.

Effective counts of clustered samples are fractions. Samples are rounded, the rates are kept, and the tables that count
as extreme are those of whole numbers whose statistic reaches the one seen: whole counts give the same p-value as ever.

References
----------
.. [1] Chan ISF. Exact tests of equivalence and efficacy with a non-zero lower bound for comparative studies.
   Stat. Med. 17 (1998) 1403-1413. doi:10.1002/(SICI)1097-0258(19980630)17:12<1403::AID-SIM834>3.0.CO;2-Y
.. [2] Berger RL, Boos DD. P values maximized over a confidence set for the nuisance parameter. JASA 89 (1994)
   1012-1016. doi:10.1080/01621459.1994.10476836
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from fairness_checks.stats.proportions import Array, Contrast, score_statistic

__all__ = ["EXACT_GROUP_LIMIT", "EXACT_TABLE_LIMIT", "Pairs", "exact_outside", "exact_within", "is_small"]

EXACT_TABLE_LIMIT = 100_000
"""Pairs with (n1 + 1)(n2 + 1) up to this limit are tested exactly."""

EXACT_GROUP_LIMIT = 100
"""So are pairs whose smaller group is no larger than this, whatever the other: with 8 of 20 against 1,200 of 6,000
events and a margin of 0.05 the asymptotic p is 0.061, the exact one 0.088."""

NUISANCE_DOUBT = 1e-8
"""Probability that the nuisance rate lies outside the region searched; part of every exact p-value."""

_TIE = 1e-9  # statistics this close are one value, computed along different paths
_LONGEST_TABLE = 2_000  # past this size a tail is cheaper from the incomplete beta function than from a table
_NEGLIGIBLE = 1e-16  # outcomes of the second group less likely than this add nothing that a double can hold
_CELLS_AT_ONCE = 4_000_000
_POINTS_PER_FEATURE = 3.0  # a binomial probability has features of width 1 / (2 sqrt n) in the arcsine of its rate
_PEAKS = 3  # on the grid several may be equally high; to refine the highest alone misses up to 1e-3 of a p-value
_STEPS = 8  # from two points of the grid before a peak to two after it


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """B pairs of groups: events and samples of a first and a second group.

    Parameters
    ----------
    x1, n1, x2, n2 : ndarray of float64, shape (B,)
        ``0 <= x <= n``, ``n >= 1``; whole numbers, or effective counts of clustered samples.
    """

    x1: Array
    n1: Array
    x2: Array
    n2: Array

    def __len__(self) -> int:
        return len(self.x1)

    def take(self, index: np.ndarray | slice) -> Pairs:
        """Return a subset of the pairs."""
        return Pairs(self.x1[index], self.n1[index], self.x2[index], self.n2[index])

    def swapped(self) -> Pairs:
        """Return the pairs with first and second group exchanged."""
        return Pairs(self.x2, self.n2, self.x1, self.n1)

    def with_whole_samples(self) -> Pairs:
        """Round the numbers of samples, halves down, and keep the rates; whole numbers stay as they are."""
        n1, n2 = (np.maximum(np.ceil(n - 0.5 - _TIE), 1.0) for n in (self.n1, self.n2))
        x1 = np.where(n1 == self.n1, self.x1, self.x1 / self.n1 * n1)
        x2 = np.where(n2 == self.n2, self.x2, self.x2 / self.n2 * n2)
        return Pairs(x1, n1, x2, n2)

    def exchanged(self) -> np.ndarray:
        """Say which pairs have the smaller group first, or of equal groups the one with fewer events; shape (B,)."""
        return np.asarray((self.n1 < self.n2) | ((self.n1 == self.n2) & (self.x1 < self.x2)))

    def ordered(self) -> Pairs:
        """Exchange the groups of the pairs that are `exchanged`: what is computed then does not depend on names."""
        swap = self.exchanged()
        first, second = (self.x1, self.n1), (self.x2, self.n2)
        x1, n1 = (np.where(swap, b, a) for a, b in zip(first, second, strict=True))
        x2, n2 = (np.where(swap, a, b) for a, b in zip(first, second, strict=True))
        return Pairs(x1, n1, x2, n2)


def is_small(pairs: Pairs) -> np.ndarray:
    """Say which pairs are tested exactly, bool of shape (B,)."""
    more = 1.0 + _TIE  # effective counts of clusters of one sample are whole up to rounding
    table = (pairs.n1 + 1.0) * (pairs.n2 + 1.0) <= EXACT_TABLE_LIMIT * more
    return np.asarray(table | (np.minimum(pairs.n1, pairs.n2) <= EXACT_GROUP_LIMIT * more))


def _inverse(margin: float, contrast: Contrast) -> float:
    """Return the margin of the contrast with its groups exchanged."""
    return -margin if contrast == "difference" else 1.0 / margin


def _first_extreme(pairs: Pairs, z: Array, margin: float, contrast: Contrast, above: bool) -> Array:
    """Find for each outcome of the second group where the extreme outcomes of the first begin, shape (B, S).

    Outcomes X1 >= k are extreme when `above`, X1 < k otherwise. Bisection, as the statistic grows with X1.
    """
    n1, n2 = pairs.n1[:, None], pairs.n2[:, None]
    x2 = np.minimum(np.arange(int(pairs.n2.max()) + 1)[None, :], n2)
    low, high = np.zeros(x2.shape), np.broadcast_to(n1 + 1.0, x2.shape).copy()
    threshold = z[:, None] - _TIE if above else -z[:, None] + _TIE
    while np.any(low < high):
        middle = np.floor((low + high) / 2.0)
        statistic = score_statistic(np.minimum(middle, n1), n1, x2, n2, margin, contrast)
        reached = (statistic >= threshold) if above else (statistic > threshold)
        reached |= middle > n1
        high = np.where(reached, middle, high)
        low = np.where(reached, low, np.minimum(middle + 1.0, high))
    return high


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
        first = None if size1 > _LONGEST_TABLE else _log_choose(pairs.n1, size1)
        return _Coefficients(first, _log_choose(pairs.n2, size2))


@dataclass(frozen=True, slots=True, eq=False)
class _Region:
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


def _largest(pairs: Pairs, region: _Region, margin: float, contrast: Contrast) -> Array:
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


def _in_blocks(pairs: Pairs) -> list[np.ndarray]:
    """Split the pairs into blocks of similar size that fit the memory budget."""
    order = np.lexsort((pairs.x2, pairs.x1, pairs.n2, pairs.n1))  # in whatever order the pairs come
    blocks, start = [], 0
    for end in range(1, len(order) + 1):
        if end == len(order) or _cells(pairs.take(order[start : end + 1])) > _CELLS_AT_ONCE:
            blocks.append(order[start:end])
            start = end
    return blocks


def _cells(pairs: Pairs) -> float:
    longest = float(max(pairs.n1.max(), pairs.n2.max())) + 1.0
    return float(len(pairs) * min(longest, _LONGEST_TABLE) * 2.0 * np.pi * np.sqrt(longest))


def _oriented(
    pairs: Pairs, low: float, high: float, contrast: Contrast
) -> list[tuple[np.ndarray, Pairs, float, float]]:
    """Put the larger group first, so that sums run over the smaller; exchanging groups inverts the margins.

    Which of two equal groups comes first, and which pairs are computed together, is settled by their counts alone. The
    search finds a maximum to some digits only: groups that change places or names must not change those that it finds.
    """
    swap, ordered = pairs.exchanged(), pairs.ordered()
    inverse = (_inverse(high, contrast), _inverse(low, contrast))
    if high == inverse[1]:  # then low is inverse[0], up to rounding
        inverse = (low, high)
    parts: list[tuple[np.ndarray, Pairs, float, float]] = []
    for index, ends in _by_ends(swap, (low, high), inverse):
        part = ordered.take(index)
        parts.extend((index[block], part.take(block), *ends) for block in _in_blocks(part))
    return parts


def _by_ends(
    swap: np.ndarray, plain: tuple[float, float], inverse: tuple[float, float]
) -> list[tuple[np.ndarray, tuple[float, float]]]:
    """Return the positions of the pairs of equal margins, and these."""
    if plain == inverse:
        return [(np.arange(len(swap)), plain)]
    return [(np.flatnonzero(~swap), plain), (np.flatnonzero(swap), inverse)]


def exact_outside(pairs: Pairs, low: float, high: float, contrast: Contrast = "difference") -> Array:
    """p-values of H0: ``low <= contrast(p1, p2) <= high``, small when the data show a contrast outside.

    The statistic is the larger of the two score statistics, above ``high`` and below ``low``; both directions count.

    Parameters
    ----------
    pairs : Pairs
        B pairs.
    low, high : float
        Margins, ``low <= high``; for a difference within [-1, 1], for a ratio positive.
    contrast : {"difference", "ratio"}
        p1 - p2 or p1 / p2.

    Returns
    -------
    ndarray of float64, shape (B,)
        1 where the estimate lies between the margins.
    """
    p = np.ones(len(pairs))
    for index, part, lo, hi in _oriented(pairs.with_whole_samples(), low, high, contrast):
        above = score_statistic(part.x1, part.n1, part.x2, part.n2, hi, contrast)
        below = score_statistic(part.x1, part.n1, part.x2, part.n2, lo, contrast)
        z = np.maximum(above, -below)
        shown = z > _TIE
        if not shown.any():
            continue
        seen = part.take(shown)
        region = _Region(
            _first_extreme(seen, z[shown], hi, contrast, above=True),
            _first_extreme(seen, z[shown], lo, contrast, above=False),
        )
        ends = {lo, hi}
        p[index[shown]] = np.max([_largest(seen, region, end, contrast) for end in ends], axis=0)
    return p


def exact_within(pairs: Pairs, low: float, high: float, contrast: Contrast = "difference") -> Array:
    """p-values of H0: ``contrast(p1, p2) <= low or >= high``, small when the data show a contrast inside.

    The larger of two one-sided exact p-values (an intersection-union test, which needs no adjustment).
    Parameters and return value as for `exact_outside`.
    """
    p = np.ones(len(pairs))
    for index, part, lo, hi in _oriented(pairs.with_whole_samples(), low, high, contrast):
        under = score_statistic(part.x1, part.n1, part.x2, part.n2, hi, contrast)
        over = score_statistic(part.x1, part.n1, part.x2, part.n2, lo, contrast)
        shown = np.minimum(-under, over) > _TIE
        if not shown.any():
            continue
        seen = part.take(shown)
        below_high = _Region(None, _first_extreme(seen, -under[shown], hi, contrast, above=False))
        above_low = _Region(_first_extreme(seen, over[shown], lo, contrast, above=True), None)
        p[index[shown]] = np.maximum(_largest(seen, below_high, hi, contrast), _largest(seen, above_low, lo, contrast))
    return p
