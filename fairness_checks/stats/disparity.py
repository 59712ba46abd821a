"""The largest difference, or the smallest ratio, among the rates of two or more groups."""

# A limit is a *tolerance* t in [0, 1): a difference of at most t, or a ratio of at least 1 - t. Each pair is tested
# against the margins of the tolerance, exactly where few events or non-events ask for it; `pairs` joins them.

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Protocol

import numpy as np
from scipy import special

from fairness_checks.stats.exact import Margin, exact_compliance, exact_violation, is_tested_exactly
from fairness_checks.stats.few_clusters import Tails, claims_freedom, freedom_of_samples, narrowed
from fairness_checks.stats.inference import Inference
from fairness_checks.stats.pairs import PairsJudge, block_pairs
from fairness_checks.stats.proportions import Contrast, clopper_pearson, score_statistic
from fairness_checks.stats.rate_pairs import Pairs
from fairness_checks.stats.simultaneous import large_groups
from fairness_checks.typing import Array, Numbers

__all__ = [
    "RatePairs",
    "judge_disparity",
    "margins",
    "rates_compliance",
    "rates_violation",
    "score_compliance",
    "score_violation",
]

_LARGEST_TOLERANCE = 1.0 - 1e-9
_MOST_EXACT = 500  # pairs, different ones; 32 groups have 496
_IN_CACHE = 8192  # pairs whose statistics are computed together: half of the time
_AT_ONCE = 16  # pairs whose p-values are completed together
_COARSEST, _FINEST = 2e-5, 1e-12  # precision of an interval's ends, on the scale of the tolerance
_CLEAR = 20.0  # times less than a level is a score test's p-value that leaves no doubt
_EQUAL = 1e-9  # disparities this close are one, computed along different paths
_CLEARLY = 1.05  # times less than a level is less, ten times as far as a p-value on the grid may be off
_MOST_KEPT = 24  # groups whose interval is kept for other limits of the same counts
_PROOF = 1e-2  # share of alpha at which pairs that are not tested exactly are shown to lie within

EXACT = "exact unconditional score test (Chan 1998; Berger and Boos 1994)"
ESTIMATED = "score test of effective counts, exact at the estimated rate (Storer and Kim 1990; Lloyd 2008)"
ASYMPTOTIC = "score test (Miettinen and Nurminen 1985)"


def margins(tolerance: Numbers, contrast: Contrast) -> tuple[Array, Array]:
    """Return the interval of contrasts that a tolerance allows."""
    allowed = np.asarray(tolerance, dtype=np.float64)
    if contrast == "difference":
        return -allowed, allowed
    ratio = 1.0 - np.minimum(allowed, _LARGEST_TOLERANCE)
    return ratio, 1.0 / ratio


def _scores(pairs: Pairs, low: Numbers, high: Numbers, contrast: Contrast) -> tuple[Array, Array]:
    """Return the score statistics at the two margins, both in one pass over the pairs."""
    ends = np.array([np.broadcast_to(margin, len(pairs)) for margin in (low, high)])
    both = np.empty_like(ends)
    for start in range(0, len(pairs), _IN_CACHE):
        some = slice(start, start + _IN_CACHE)
        x1, n1, x2, n2 = pairs.x1[some], pairs.n1[some], pairs.x2[some], pairs.n2[some]
        both[:, some] = score_statistic(x1, n1, x2, n2, ends[:, some], contrast)
    return both[0], both[1]


def score_violation(pairs: Pairs, low: Numbers, high: Numbers, contrast: Contrast = "difference") -> Array:
    """p-values of the score test of H0: ``low <= contrast(p1, p2) <= high``, shape (B,)."""
    # Both directions count: at a margin of zero this is the two-sided test.
    below, above = _scores(pairs, low, high, contrast)
    first = special.ndtr(-above) + special.ndtr(-below)
    second = special.ndtr(below) + special.ndtr(above)
    return np.minimum(np.minimum(first, second), 1.0)


def score_compliance(pairs: Pairs, low: Numbers, high: Numbers, contrast: Contrast = "difference") -> Array:
    """p-values of the score test of H0: ``contrast(p1, p2) <= low or >= high``, shape (B,)."""
    below, above = _scores(pairs, low, high, contrast)
    return special.ndtr(np.maximum(above, -below))


class ExactTest(Protocol):
    """`exact_violation` or `exact_compliance`."""

    def __call__(
        self,
        pairs: Pairs,
        low: Numbers,
        high: Numbers,
        contrast: Contrast = ...,
        enough: float = ...,
        estimated: np.ndarray | bool = ...,
        *,
        only: Margin | None = ...,
        clear: float = ...,
    ) -> Array: ...


def _either(
    exact: ExactTest,
    score: Callable[..., Array],
    pairs: Pairs,
    tolerance: Numbers,
    contrast: Contrast,
    enough: float,
    estimated: np.ndarray | bool,
) -> Array:
    """p-values of all pairs, exact where few events or non-events ask for it."""
    low, high = (np.broadcast_to(margin, len(pairs)) for margin in margins(tolerance, contrast))
    by = is_tested_exactly(pairs, contrast)
    p = np.ones(len(pairs))
    if by.any():
        some = np.broadcast_to(estimated, len(pairs))[by]
        p[by] = exact(pairs.take(by), low[by], high[by], contrast, enough, some)
    if not by.all():
        p[~by] = score(pairs.take(~by), low[~by], high[~by], contrast)
    return p


def rates_violation(
    pairs: Pairs, tolerance: Numbers, contrast: Contrast, enough: float = 1.0, estimated: np.ndarray | bool = False
) -> Array:
    """p-values of H0 "the pair keeps the tolerance"; above `enough` exact ones are lower bounds above it."""
    return _either(exact_violation, score_violation, pairs, tolerance, contrast, enough, estimated)


def rates_compliance(
    pairs: Pairs, tolerance: Numbers, contrast: Contrast, enough: float = 1.0, estimated: np.ndarray | bool = False
) -> Array:
    """p-values of H0 "the pair meets or exceeds the tolerance"; else as `rates_violation`."""
    return _either(exact_compliance, score_compliance, pairs, tolerance, contrast, enough, estimated)


class RatePairs:
    """All pairs of the groups' rates as `PairTests`; a ratio of at least r is a tolerance of 1 - r on the log scale."""

    # Pairs of equal counts are one pair, tested once. Of many pairs an exact p-value above `enough` is a lower bound
    # of it, above it too, which `completed` replaces where a report shows it. Arguments: events, samples, blocks
    # (strata), freedom (of both claims about a rate): (G,); shared: (G, G) correlations where clusters lie in several
    # groups.

    largest = _LARGEST_TOLERANCE

    def __init__(
        self,
        events: Array,
        samples: Array,
        contrast: Contrast,
        blocks: np.ndarray | None = None,
        shared: Array | None = None,
        alpha: float = 0.05,
        freedom: Tails | None = None,
    ) -> None:
        self._contrast: Contrast = contrast
        self._alpha = self.enough = alpha
        self.blocks = np.zeros(len(events), dtype=np.int64) if blocks is None else blocks
        self.first, self.second = block_pairs(self.blocks)
        self.rates = events / samples
        self.independent = shared is None
        pairs = Pairs(events[self.first], samples[self.first], events[self.second], samples[self.second])
        if shared is not None:
            pairs = pairs.joined(shared[self.first, self.second])
        # The tests are the same either way round, up to rounding: here to the last digit.
        ordered = pairs.ordered()
        self.different, self.kind = (np.arange(len(pairs)),) * 2
        if shared is None:
            alike = [self.blocks, samples, events, *(() if freedom is None else freedom)]
            self.different, self.kind = _different(alike, self.first, self.second)
        self._kinds = ordered.take(self.different)
        self.exact = is_tested_exactly(self._kinds, contrast)
        high = np.maximum(self.rates[self.first], self.rates[self.second])
        low = np.minimum(self.rates[self.first], self.rates[self.second])
        # Two rates of zero are equal: their ratio is 1.
        ratio = np.divide(low, high, out=np.ones_like(high), where=high > 0.0)
        self.disparity = high - low if contrast == "difference" else 1.0 - ratio
        self.large = large_groups(samples, self.blocks)
        self.deviations = _units(events, samples, contrast, self.blocks) / np.sqrt(samples)
        self.step = _step(self._kinds, contrast)
        self._clusters = None
        self.estimated = np.zeros(len(self._kinds), dtype=np.bool_)
        if freedom is not None:
            swap = pairs.exchanged()[self.different]
            first, second = self.first[self.different], self.second[self.different]
            first, second = np.where(swap, second, first), np.where(swap, first, second)
            correlation = None if shared is None else shared[first, second]
            one, other = ((freedom[0][side], freedom[1][side]) for side in (first, second))
            self._known = np.minimum(*one), np.minimum(*other)
            self._clusters = claims_freedom(self._kinds, one, other, contrast, correlation)
            self.estimated = self._clusters.estimated

    def violation(self, index: np.ndarray, tolerance: float, *, only: Margin | None = None) -> Array:
        """p-values of H0 "the pair keeps the tolerance" of some pairs; of one margin alone, if that is asked."""
        kinds, place = _present(self.kind[index], len(self._kinds))
        # Of pairs within the tolerance a lower bound where others count: up to twice the smallest do, see `Family`.
        p, beyond = np.full(len(kinds), 0.5), self.disparity[self.different[kinds]] > tolerance - _EQUAL
        beyond |= len(kinds) <= _MOST_EXACT
        p[beyond] = self._violation(kinds[beyond], tolerance, only)
        if p.min() > 0.25:
            p[~beyond] = self._violation(kinds[~beyond], tolerance, only)
        return np.asarray(p[place])

    def _violation(self, kinds: np.ndarray, tolerance: float, only: Margin | None) -> Array:
        """Return p-values of `violation` of some different pairs."""
        # Of more than 500 different pairs only those nearest to a violation are tested exactly, and the others of
        # those that would have to be count as no violation: what is left out can hide one, but never make one.
        pairs, exact, ends = self._kinds.take(kinds), self.exact[kinds], margins(tolerance, self._contrast)
        p = score_violation(pairs, *ends, self._contrast)
        asked = _first_of(exact & (p < 0.5), p)
        p[exact] = 1.0
        enough = 1.0 if len(kinds) == 1 else self.enough  # one pair is followed by its p-values, not by bounds
        p[asked] = self._exact(exact_violation, kinds[asked], ends, enough, only=only)
        return self._violation_of_clusters(p, kinds, tolerance)

    def compliance(self, index: np.ndarray, tolerance: float, *, only: Margin | None = None) -> Array:
        """p-values of H0 "the pair meets or exceeds the tolerance" of some pairs; of one margin, if asked."""
        kinds, place = _present(self.kind[index], len(self._kinds))
        # Of pairs that comply whatever their variance is a number below those that are asked, where others are not.
        p, doubtful = self._clear_compliance(kinds, tolerance)
        p[doubtful] = self._compliance(kinds[doubtful], tolerance, only)
        if p.max() <= self._alpha / _CLEAR:
            p[~doubtful] = self._compliance(kinds[~doubtful], tolerance, only)
        return np.asarray(p[place])

    def _clear_compliance(self, kinds: np.ndarray, tolerance: float) -> tuple[Array, np.ndarray]:
        """Return p-values at rates of 1/2, and which of many differences these leave in doubt."""
        if len(kinds) <= _MOST_EXACT or self._contrast == "ratio" or self._clusters is not None:
            return np.ones(len(kinds)), np.ones(len(kinds), dtype=np.bool_)
        n1, n2 = self._kinds.n1[kinds], self._kinds.n2[kinds]
        widest = 0.5 * np.sqrt((1.0 / n1 + 1.0 / n2) * ((n1 + n2) / (n1 + n2 - 1.0)))
        p = special.ndtr((self.disparity[self.different[kinds]] - tolerance) / widest)
        return p, p > self._alpha / _CLEAR * (1.0 - _EQUAL)

    def _compliance(self, kinds: np.ndarray, tolerance: float, only: Margin | None) -> Array:
        """Return p-values of `compliance` of some different pairs."""
        # Exact where the score test leaves any doubt, of more than 500 different pairs of those furthest from
        # compliance: a search for the largest; `completed` settles what compliance needs.
        pairs, exact, ends = self._kinds.take(kinds), self.exact[kinds], margins(tolerance, self._contrast)
        p = score_compliance(pairs, *ends, self._contrast)
        one = len(kinds) == 1
        asked = _first_of(exact & (p < 0.5) & ((p > self._alpha / _CLEAR) | one), -p)
        p[exact & (p >= 0.5)] = 1.0
        enough, clear = (1.0, 0.0) if one else (self._alpha, self._alpha / _CLEARLY)
        p[asked] = self._exact(exact_compliance, kinds[asked], ends, enough, only=only, clear=clear)
        return self._compliance_of_clusters(p, kinds)

    def violation_at(self, pair: int, tolerances: Array) -> Array:
        """p-values of `violation` of one pair at several tolerances, shape (tolerances,)."""
        kinds = np.full(len(tolerances), self.kind[pair])
        pairs = self._kinds.take(kinds)
        if self.exact[kinds[0]] and self._clusters is None and len(self.first) == 1:
            ends = margins(tolerances, self._contrast)
            return exact_violation(pairs, *ends, self._contrast, self._alpha, clear=self.enough / _CLEARLY)
        some = pairs, tolerances, self._contrast, self._alpha, self.estimated[kinds]
        return self._violation_of_clusters(rates_violation(*some), kinds, tolerances)

    def compliance_at(self, pair: int, tolerances: Array) -> Array:
        """p-values of `compliance` of one pair at several rising tolerances, shape (tolerances,)."""
        # Of the nearer margin alone where that decides at the first: the other one is left behind as fast.
        kinds = np.full(len(tolerances), self.kind[pair])
        pairs = self._kinds.take(kinds)
        if self.exact[kinds[0]] and self._clusters is None:
            low, high = margins(tolerances, self._contrast)
            clear = self._alpha / _CLEARLY
            p = exact_compliance(pairs, low, high, self._contrast, self._alpha, only="nearer", clear=clear)
            one = pairs.take(slice(1)), low[:1], high[:1], self._contrast, self._alpha
            if p[0] > self._alpha or exact_compliance(*one, only="further")[0] <= p[0]:
                return p
        some = pairs, tolerances, self._contrast, self._alpha, self.estimated[kinds]
        return self._compliance_of_clusters(rates_compliance(*some), kinds)

    def _exact(
        self,
        test: ExactTest,
        kinds: np.ndarray,
        ends: tuple[Array, Array],
        enough: float = 1.0,
        *,
        only: Margin | None = None,
        clear: float = 0.0,
    ) -> Array:
        some, estimated = self._kinds.take(kinds), self.estimated[kinds]
        return test(some, *ends, self._contrast, enough, estimated, only=only, clear=clear)

    def _violation_of_clusters(self, p: Array, kinds: np.ndarray, tolerance: Numbers) -> Array:
        """Return p-values of `violation` as those of the clusters' degrees of freedom; lower bounds stay such."""
        if self._clusters is None:
            return p
        scaled = np.array([self.scaled(t) for t in np.atleast_1d(tolerance).tolist()])
        return self._clusters.violation.take(kinds).both_sided(p, scaled)

    def _compliance_of_clusters(self, p: Array, kinds: np.ndarray) -> Array:
        """Return p-values of `compliance` as those of the clusters' degrees of freedom; lower bounds stay such."""
        return p if self._clusters is None else self._clusters.compliance.take(kinds).one_sided(p)

    def completed(self, violation: Array, compliance: Array, tolerance: float) -> tuple[Array, Array]:
        """Return p-values of all pairs with those completed that a report shows: the smallest, the largest."""
        # All that are at most twice the smallest are completed, which decide how it is adjusted for the number of
        # pairs, and the sixteen that seem the largest. Where these comply, so must all others.
        ends = margins(tolerance, self._contrast)
        p, q = violation[self.different], compliance[self.different]
        if len(q) == 1:  # exact already
            return violation, compliance
        bound = self.exact & (p > self.enough) & (p < 1.0)
        while True:
            least = p[~bound].min(initial=0.5)  # of several pairs nothing above 1/2 is told apart
            asked = np.flatnonzero(bound & (p <= 2.0 * least))
            if asked.size == 0:
                break
            asked = asked[_lowest(p[asked], _AT_ONCE)]
            found = self._exact(exact_violation, asked, ends)
            p[asked] = self._violation_of_clusters(found, asked, tolerance)
            bound[asked] = False
        largest = _lowest(-q, _AT_ONCE)
        asked = largest[self.exact[largest] & (q[largest] < 1.0)]
        q[asked] = self._compliance_of_clusters(self._exact(exact_compliance, asked, ends), asked)
        if q.max() < self._alpha:
            q = self._proved_compliance(q, asked, ends)
        return p[self.kind], q[self.kind]

    def _proved_compliance(self, q: Array, known: np.ndarray, ends: tuple[Array, Array]) -> Array:
        """Return p-values of all different pairs that hold jointly, where `known` ones are exact and comply."""
        # Pairs whose Clopper-Pearson intervals, which both hold with probability 1 - alpha / 100, lie within the
        # tolerance of each other have that as their p-value; it is added to the others', so that the level holds
        # whichever way a pair is judged. What remains is tested exactly, the furthest first, until one does not
        # comply; at most 500.
        doubt = _PROOF * self._alpha
        others = self.exact.copy()
        others[known] = False
        left = np.flatnonzero(others)
        proved = _surely_compliant(self._kinds.take(left), *ends, self._contrast, self._tails(left, doubt / 4.0))
        q[left[proved]] = doubt
        left = left[~proved]
        left = left[np.argsort(-q[left], kind="stable")]
        if proved.any():
            q[~others] = np.minimum(q[~others] + doubt, 1.0)
        for start in range(0, len(left), _AT_ONCE):
            if start >= _MOST_EXACT or q.max() >= self._alpha:
                q[left[start:]] = max(float(q.max()), self._alpha)
                break
            some = left[start : start + _AT_ONCE]
            found = self._exact(exact_compliance, some, ends, self._alpha)
            found = self._compliance_of_clusters(found, some)
            q[some] = np.minimum(found + (doubt if proved.any() else 0.0), 1.0)
        return q

    def _tails(self, kinds: np.ndarray, tail: float) -> tuple[Numbers, Numbers]:
        """Return what intervals of both groups' rates leave out on each side to hold but for `tail` each."""
        if self._clusters is None:
            return tail, tail
        pairs, (first, second) = self._kinds.take(kinds), self._known
        sides = (pairs.n1, first[kinds]), (pairs.n2, second[kinds])
        one, other = (narrowed(tail, freedom_of_samples(n), known) for n, known in sides)
        return one, other

    def scaled(self, tolerance: float) -> float:
        """Return the tolerance, or its logarithm for a ratio."""
        return tolerance if self._contrast == "difference" else -math.log1p(-min(tolerance, self.largest))


def _different(alike: list[np.ndarray], first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return one pair of each kind, shape (K,), and of which each pair is, (B,), given what groups of a kind share."""
    _, group = np.unique(np.stack(alike), axis=1, return_inverse=True)
    group = group.reshape(-1).astype(np.int64)
    count = int(group.max()) + 1
    key = np.minimum(group[first], group[second]) * count + np.maximum(group[first], group[second])
    _, place = _present(key, count * count)
    one = np.empty(int(place.max()) + 1, dtype=np.intp)
    one[place[::-1]] = np.arange(len(place))[::-1]
    return one, place


def _present(codes: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the codes below `count` that there are, in order, and the place of each code; without a sort."""
    there = np.zeros(count, dtype=np.bool_)
    there[codes] = True
    return np.flatnonzero(there), (np.cumsum(there) - 1)[codes]


def _first_of(those: np.ndarray, rank: Array) -> np.ndarray:
    """Return the positions of those `_MOST_EXACT` of the lowest rank."""
    asked = np.flatnonzero(those)
    return asked if len(asked) <= _MOST_EXACT else asked[_lowest(rank[asked], _MOST_EXACT)]


def _lowest(rank: Array, count: int) -> np.ndarray:
    """Return the positions of those of the lowest rank, in its order; of equal ones the first, without a full sort."""
    if len(rank) > 4 * count:
        some = np.flatnonzero(rank <= np.partition(rank, count - 1)[count - 1])
        return some[np.argsort(rank[some], kind="stable")[:count]]
    return np.argsort(rank, kind="stable")[:count]


def _surely_compliant(
    pairs: Pairs, low: Numbers, high: Numbers, contrast: Contrast, tails: tuple[Numbers, Numbers]
) -> np.ndarray:
    """Say for which pairs exact intervals of both rates, which leave out so much on each side, keep the margins."""
    low1, high1 = clopper_pearson(pairs.x1, pairs.n1, tails[0])
    low2, high2 = clopper_pearson(pairs.x2, pairs.n2, tails[1])
    if contrast == "difference":
        return np.asarray((low1 - high2 > low) & (high1 - low2 < high))
    return np.asarray((low1 > low * high2) & (high1 < high * low2))


def _step(pairs: Pairs, contrast: Contrast) -> float:
    """Return how near ends of intervals are found: a thousandth of the smallest standard error of any pair."""
    # At most a tenth of what reports show. Rates are drawn towards 1/2 by a sample of each kind, so that none is 0.
    first, second = (pairs.x1 + 1.0) / (pairs.n1 + 2.0), (pairs.x2 + 1.0) / (pairs.n2 + 2.0)
    if contrast == "difference":
        error = np.sqrt(first * (1.0 - first) / pairs.n1 + second * (1.0 - second) / pairs.n2)
    else:  # of a ratio that is small by as much
        relative = np.sqrt((1.0 - first) / (first * pairs.n1) + (1.0 - second) / (second * pairs.n2))
        error = relative * np.minimum(first, second) / np.maximum(first, second)
    return min(_COARSEST, max(1e-3 * float(error.min()), _FINEST))


def _units(events: Array, samples: Array, contrast: Contrast, blocks: np.ndarray) -> Array:
    """Return the deviation of one sample at its stratum's common rate, shape (G,); of its logarithm for a ratio."""
    _, stratum = np.unique(blocks, return_inverse=True)
    rate = (np.bincount(stratum, weights=events) / np.bincount(stratum, weights=samples))[stratum]
    if contrast == "difference":
        return np.sqrt(rate * (1.0 - rate))
    with np.errstate(divide="ignore"):
        return np.sqrt((1.0 - rate) / rate)


@functools.lru_cache(maxsize=512)  # many checks of a model ask the same counts about several limits
def _kept_judge(
    events: bytes, samples: bytes, contrast: Contrast, blocks: bytes | None, alpha: float, level: float | None
) -> PairsJudge[RatePairs]:
    """Return the judge of independent rates, given by the bytes of their arrays."""
    counts = np.frombuffer(events), np.frombuffer(samples)
    strata = None if blocks is None else np.frombuffer(blocks, dtype=np.int64)
    return PairsJudge(RatePairs(*counts, contrast, strata, None, alpha), alpha, level)


def judge_disparity(
    events: np.ndarray,
    samples: np.ndarray,
    limit: float,
    contrast: Contrast,
    alpha: float,
    blocks: np.ndarray | None = None,
    shared: Array | None = None,
    level: float | None = None,
    freedom: Tails | None = None,
) -> Inference:
    """Judge the largest difference or the smallest ratio of the rates ``events / samples`` against a limit."""
    # events, samples, blocks (strata): (G,), counts or effective counts; `freedom` for the claims that a rate is lower,
    # and higher, (G,) each; shared: (G, G). `level` is that of the test of a violation. The pair named has the largest
    # disparity; where a violation is shown, the largest one that is proved.
    is_ratio = contrast == "ratio"
    counts = np.asarray(events, dtype=np.float64), np.asarray(samples, dtype=np.float64)
    if shared is None and freedom is None and len(events) <= _MOST_KEPT:
        strata = None if blocks is None else np.asarray(blocks, dtype=np.int64).tobytes()
        judge = _kept_judge(counts[0].tobytes(), counts[1].tobytes(), contrast, strata, alpha, level)
    else:
        judge = PairsJudge(RatePairs(*counts, contrast, blocks, shared, alpha, freedom), alpha, level)
    tests, found = judge.tests, judge.at(1.0 - limit if is_ratio else limit)
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
        method=_method(tests, "max-t" if tests.independent else "Bonferroni") + found.note,
    )


def _method(tests: RatePairs, way: str) -> str:
    count, few = len(tests.first), ESTIMATED if tests.estimated.any() else EXACT
    name = few if tests.exact.any() else ASYMPTOTIC
    if tests.exact.any() and not tests.exact.all():
        name = f"{few}; {ASYMPTOTIC} for the larger pairs"
    return name if count == 1 else f"{name}, {way} over {count} pairs"
