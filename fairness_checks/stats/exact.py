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
outcomes are summed, and the nuisance rate is searched by `fairness_checks.stats.nuisance`.

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

import numpy as np

from fairness_checks.stats.nuisance import LONGEST_TABLE, Region, largest_probability
from fairness_checks.stats.proportions import Array, Contrast, score_statistic
from fairness_checks.stats.rate_pairs import Pairs

__all__ = ["EXACT_GROUP_LIMIT", "EXACT_TABLE_LIMIT", "exact_outside", "exact_within", "is_small"]

EXACT_TABLE_LIMIT = 100_000
"""Pairs with (n1 + 1)(n2 + 1) up to this limit are tested exactly."""

EXACT_GROUP_LIMIT = 100
"""So are pairs whose smaller group is no larger than this, whatever the other: with 8 of 20 against 1,200 of 6,000
events and a margin of 0.05 the asymptotic p is 0.061, the exact one 0.088."""

_TIE = 1e-9  # statistics this close are one value, computed along different paths
_CELLS_AT_ONCE = 4_000_000


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
    return float(len(pairs) * min(longest, LONGEST_TABLE) * 2.0 * np.pi * np.sqrt(longest))


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
        region = Region(
            _first_extreme(seen, z[shown], hi, contrast, above=True),
            _first_extreme(seen, z[shown], lo, contrast, above=False),
        )
        ends = {lo, hi}
        p[index[shown]] = np.max([largest_probability(seen, region, end, contrast) for end in ends], axis=0)
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
        below_high = Region(None, _first_extreme(seen, -under[shown], hi, contrast, above=False))
        above_low = Region(_first_extreme(seen, over[shown], lo, contrast, above=True), None)
        p[index[shown]] = np.maximum(
            largest_probability(seen, below_high, hi, contrast), largest_probability(seen, above_low, lo, contrast)
        )
    return p
