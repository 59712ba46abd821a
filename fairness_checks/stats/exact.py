"""Exact unconditional tests of two independent rates at a margin, which cannot exceed their level in small groups."""

# p is the largest probability, over the rates on the boundary of the null hypothesis (the nuisance rate), of a table
# at least as extreme as the one seen by the score statistic (Chan, Stat. Med. 17 (1998) 1403). Tables that count as
# extreme form a set that grows in x1 and shrinks in x2: the boundary is the worst of the null (Barnard's convexity).
# Rates outside confidence intervals of joint level 1 - NUISANCE_DOUBT are left out, and that doubt is added to p,
# which stays exact (Berger and Boos, JASA 89 (1994) 1012, doi:10.1080/01621459.1994.10476836): the data exclude them.
# Vectorised over B pairs. The tail of the larger group is tabulated, the smaller group's outcomes are summed, and
# only outcomes that are possible at the rates searched are looked at, so that few events among many samples cost
# little.
# Effective counts of clusters are fractions: samples are rounded, rates kept, and tables that count as extreme are
# those of whole numbers whose statistic reaches the one seen. No p-value of theirs is exact: of pairs that are
# `estimated` it is the probability at the restricted estimate (Storer and Kim, JASA 85 (1990) 146; Lloyd, Aust. N. Z.
# J. Stat. 50 (2008) 329).

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np

from fairness_checks.stats.nuisance import (
    NUISANCE_DOUBT,
    Region,
    Search,
    a_probability,
    largest_probability,
    likely_sizes,
)
from fairness_checks.stats.proportions import Contrast, restricted_rate, score_statistic
from fairness_checks.stats.rate_pairs import Pairs
from fairness_checks.typing import Array, Numbers

__all__ = ["LARGEST_ERROR", "Margin", "exact_compliance", "exact_violation", "is_tested_exactly"]

LARGEST_ERROR = 0.05
"""Share of its level by which the score test may exceed it; see `is_tested_exactly`."""

Margin: TypeAlias = Literal["nearer", "further"]
"""Of the two margins of a tolerance, seen from the estimate."""

_FEWEST = 50.0  # n p q of either group, below which no approximation is trusted

_TIE = 1e-9  # statistics this close are one value, computed along different paths
_CELLS_AT_ONCE = 40_000  # outcomes of the pairs of a block; each is computed at about a hundred rates
_POINTS_AT_ONCE = 1_000  # statistics, which take as long as it takes to ask for them
_COARSE = 16  # every so many outcomes of the second group the boundary is found by itself, between by a line


def is_tested_exactly(pairs: Pairs, contrast: Contrast = "difference") -> np.ndarray:
    """Say which pairs are tested exactly, bool of shape (B,): where the score test could exceed its level by 5 %."""
    # The score test is off because rates move in steps, and because they are skewed. With s the standard deviation of
    # the difference in the larger of the two groups' steps, and g its skewness, it rejects at level 0.05 up to 1 +
    # 1.2 / s + 0.6 |g| times as often as it should: half a step more at both ends, and Edgeworth's first term at one.
    # A ratio may give one group little weight: it counts as if the other group were alone.
    first, second = ((x + 1.0) / (n + 2.0) for x, n in ((pairs.x1, pairs.n1), (pairs.x2, pairs.n2)))
    v1, v2 = (n * p * (1.0 - p) for p, n in ((first, pairs.n1), (second, pairs.n2)))
    fewest = np.minimum(v1, v2)
    if contrast == "ratio":
        steps, skewness = np.sqrt(fewest), 1.0 / np.sqrt(fewest)
    else:
        variance = v1 / pairs.n1**2 + v2 / pairs.n2**2
        steps = np.sqrt(variance) * np.minimum(pairs.n1, pairs.n2)
        third = v1 * (1.0 - 2.0 * first) / pairs.n1**3 - v2 * (1.0 - 2.0 * second) / pairs.n2**3
        skewness = np.abs(third) / variance**1.5
    # Effective counts of clusters of one sample are whole up to rounding.
    error = (1.2 / steps + 0.6 * skewness) * (1.0 - _TIE)
    return np.asarray((error > LARGEST_ERROR) | (fewest < _FEWEST * (1.0 - _TIE)))


def _first_extreme(pairs: Pairs, z: Array, search: Search, margin: Array, above: bool) -> Array:
    """Find for each outcome of the second group where the extreme outcomes of the first begin, shape (B, S)."""
    # Outcomes X1 >= k are extreme when `above`, X1 < k otherwise. The statistic grows with X1 and falls with X2: k
    # never falls, and is nearly a line. Only outcomes that are possible are told apart.
    x2, first = search.second.values(), search.first
    threshold = z - _TIE if above else -z + _TIE
    low = np.broadcast_to(first.start[:, None], x2.shape).copy()
    high = np.broadcast_to(np.minimum(first.start + first.width, pairs.n1 + 1.0)[:, None], x2.shape).copy()

    def narrow(row: np.ndarray, column: np.ndarray, at: Array) -> None:
        """Ask at some outcomes of each, shape (those, points), rising."""
        n1 = pairs.n1[row][:, None]
        arguments = np.minimum(at, n1), n1, x2[row, column][:, None], pairs.n2[row][:, None], margin[row][:, None]
        statistic, enough = score_statistic(*arguments, search.contrast), threshold[row][:, None]
        reached = ((statistic >= enough) if above else (statistic > enough)) | (at > n1)
        of_low, of_high = low[row, column], high[row, column]
        high[row, column] = np.minimum(of_high, np.where(reached, at, np.inf).min(axis=1))
        low[row, column] = np.maximum(of_low, np.where(reached, -np.inf, at + 1.0).max(axis=1))

    def divide(columns: np.ndarray) -> None:
        """Narrow until nothing is left: by bisection where there are many, at all outcomes where there are few."""
        row, place = np.nonzero(low[:, columns] < high[:, columns])
        column = columns[place]
        while row.size:
            start, width = low[row, column][:, None], (high - low)[row, column][:, None]
            points = int(min(max(_POINTS_AT_ONCE // row.size, 1), width.max()))
            narrow(row, column, np.floor(start + width * (np.arange(1.0, points + 1.0) / (points + 1.0))))
            left = low[row, column] < high[row, column]
            row, column = row[left], column[left]

    last = x2.shape[1] - 1
    coarse = np.unique(np.append(np.arange(0, last + 1, _COARSE), last))
    divide(coarse)
    every = np.arange(last + 1)
    before = np.maximum(np.searchsorted(coarse, every, side="right") - 1, 0)
    after = np.minimum(before + 1, len(coarse) - 1)
    share = (every - coarse[before]) / np.maximum(coarse[after] - coarse[before], 1)
    fine = np.flatnonzero(share > 0.0)
    low[:, fine], high[:, fine] = high[:, coarse[before[fine]]], high[:, coarse[after[fine]]]
    guess = np.rint(low + share * (high - low))
    row, place = np.nonzero((low < high)[:, fine])
    if row.size:
        at = np.minimum(guess[row, fine[place]], high[row, fine[place]] - 1.0)
        narrow(
            row,
            fine[place],
            np.clip(
                at[:, None] + (-2.0, -1.0, 0.0, 1.0),
                low[row, fine[place]][:, None],
                high[row, fine[place]][:, None] - 1.0,
            ),
        )
    divide(fine)
    return high


def _in_blocks(pairs: Pairs, margin: Array, contrast: Contrast) -> list[np.ndarray]:
    """Split the pairs into blocks of similar numbers of possible outcomes that fit the memory budget."""
    if len(pairs) == 1:
        return [np.zeros(1, dtype=np.intp)]
    sizes = np.maximum(*likely_sizes(pairs, margin, contrast))
    order = np.lexsort((pairs.x2, pairs.x1, pairs.n2, pairs.n1, sizes))  # in whatever order the pairs come
    blocks, start = [], 0
    for end in range(1, len(order) + 1):
        if end == len(order) or (end + 1 - start) * sizes[order[end]] > _CELLS_AT_ONCE:
            blocks.append(order[start:end])
            start = end
    return blocks


def _oriented(pairs: Pairs, low: Numbers, high: Numbers, contrast: Contrast) -> tuple[Pairs, Array, Array]:
    """Put the larger group first, so that sums run over the smaller; exchanging groups inverts the margins."""
    # Which of two equal groups comes first, and which pairs are computed together, is settled by their counts alone.
    # The search finds a maximum to some digits only: groups that change places or names must not change those.
    whole = pairs.with_whole_samples()
    swap = whole.exchanged()
    lo, hi = (np.broadcast_to(np.asarray(margin, dtype=np.float64), swap.shape) for margin in (low, high))
    inverse_lo, inverse_hi = (-hi, -lo) if contrast == "difference" else (1.0 / hi, 1.0 / lo)
    # The margins of a limit are each other's inverse, up to rounding.
    same = np.abs(inverse_hi - hi) <= _TIE * np.abs(hi)
    swapped = swap & ~same
    return whole.ordered(), np.where(swapped, inverse_lo, lo), np.where(swapped, inverse_hi, hi)


def _exact(
    pairs: Pairs,
    z: Array,
    above: Array | None,
    below: Array | None,
    end: Array,
    contrast: Contrast,
    enough: float,
    estimated: np.ndarray,
    clear: float,
) -> Array:
    """Largest probability on one boundary of statistics of z and more above a margin, or of -z and less below one."""
    # Where the probability at one rate exceeds `enough`, that is all that is computed, and of pairs that are
    # `estimated`.
    p = np.empty(len(pairs))
    for block in _in_blocks(pairs, end, contrast):
        part, seen = pairs.take(block), z[block]
        search = Search.of(part, end[block], contrast)
        if not search.possible.any():
            p[block] = NUISANCE_DOUBT
            continue
        region = Region(
            None if above is None else _first_extreme(part, seen, search, above[block], above=True),
            None if below is None else _first_extreme(part, seen, search, below[block], above=False),
        )
        if enough < 1.0 or estimated[block].any():
            likely = restricted_rate(part.x1, part.n1, part.x2, part.n2, end[block], contrast)[1]
            found = a_probability(search, region, likely)
            left = np.flatnonzero((found <= enough) & ~estimated[block])
            if left.size:
                found[left] = largest_probability(search.take(left), region.take(left), clear)
        else:
            found = largest_probability(search, region)
        p[block] = found
    return p


def _asked(only: Margin | None, nearer: np.ndarray, further: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return what is asked about, the nearer one first."""
    return (nearer, further) if only is None else (nearer if only == "nearer" else further,)


def exact_violation(
    pairs: Pairs,
    low: Numbers,
    high: Numbers,
    contrast: Contrast = "difference",
    enough: float = 1.0,
    estimated: np.ndarray | bool = False,
    *,
    only: Margin | None = None,
    clear: float = 0.0,
) -> Array:
    """p-values of H0: ``low <= contrast(p1, p2) <= high``, shape (B,); 1 where the estimate lies between."""
    # The statistic is the larger of the two score statistics, above `high` and below `low`. Where p exceeds `enough`,
    # a lower bound above it is returned; of `estimated` pairs the probability at the estimated rates; with `only` a
    # lower bound suffices everywhere: that of one margin, of which the nearer one decides nearly always. What is below
    # `clear` may be less by half a percent.
    part, lo, hi = _oriented(pairs, low, high, contrast)
    by = np.broadcast_to(estimated, len(part))
    above = score_statistic(part.x1, part.n1, part.x2, part.n2, hi, contrast)
    below = score_statistic(part.x1, part.n1, part.x2, part.n2, lo, contrast)
    z = np.maximum(above, -below)
    p = np.where(z > _TIE, 0.0, 1.0)
    # The margin that is exceeded decides nearly always: it comes first.
    exceeded, other = np.where(above >= -below, hi, lo), np.where(above >= -below, lo, hi)
    for end in _asked(only, exceeded, other):
        left = np.flatnonzero((z > _TIE) & ((p <= enough) | by) & ((end == exceeded) | (lo != hi)))
        if left.size:
            at = _exact(part.take(left), z[left], hi[left], lo[left], end[left], contrast, enough, by[left], clear)
            p[left] = np.maximum(p[left], at)
    return p


def exact_compliance(
    pairs: Pairs,
    low: Numbers,
    high: Numbers,
    contrast: Contrast = "difference",
    enough: float = 1.0,
    estimated: np.ndarray | bool = False,
    *,
    only: Margin | None = None,
    clear: float = 0.0,
) -> Array:
    """p-values of H0: ``contrast(p1, p2) <= low or >= high``, small when the data show a contrast inside."""
    # The larger of two one-sided exact p-values (an intersection-union test); arguments as for `exact_violation`.
    part, lo, hi = _oriented(pairs, low, high, contrast)
    by = np.broadcast_to(estimated, len(part))
    under = -score_statistic(part.x1, part.n1, part.x2, part.n2, hi, contrast)
    over = score_statistic(part.x1, part.n1, part.x2, part.n2, lo, contrast)
    shown = np.minimum(under, over) > _TIE
    p = np.where(shown, 0.0, 1.0)
    first = under <= over  # the margin that lies nearer decides nearly always: it comes first
    for turn in _asked(only, first, ~first):
        for is_under in (True, False):
            left = np.flatnonzero(shown & (turn == is_under) & ((p <= enough) | by))
            if left.size == 0:
                continue
            z, end = (under[left], hi[left]) if is_under else (over[left], lo[left])
            above, below = (None, end) if is_under else (end, None)
            found = _exact(part.take(left), z, above, below, end, contrast, enough, by[left], clear)
            p[left] = np.maximum(p[left], found)
    return p
