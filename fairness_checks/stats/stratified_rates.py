"""Rates standardised over strata, compared at a margin by the stratified score test."""

# The difference of two groups is the weighted sum of their differences within strata. Its variance is taken at the
# maximum likelihood estimates of both rates that differ by the margin in every stratum (Miettinen and Nurminen, Stat.
# Med. 4 (1985) 213, doi:10.1002/sim.4780040211), times N / (N - 1): however few samples a stratum has. Where
# differences vary between strata that margin is not theirs; the variance without it counts where it is larger. Rates
# move in steps and are skewed where events are rare: the test takes the distribution of the sum at those very
# estimates, by the inversion of its characteristic function (Abate and Whitt, Queueing Syst. 10 (1992) 5,
# doi:10.1007/BF01158520). One rate against a number is tested alike, at the estimates whose weighted mean it is.

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from fairness_checks.stats.inference import Inference
from fairness_checks.stats.multiplicity import sidak_level
from fairness_checks.stats.proportions import restricted_rate
from fairness_checks.stats.roots import root
from fairness_checks.stats.worst_group import worst_rate
from fairness_checks.typing import Array

__all__ = [
    "StratifiedRates",
    "judge_worst_stratified",
    "rate_ends",
    "rate_variances",
    "stratified_compliance",
    "stratified_violation",
]

_SMOOTH = 0.02  # steps in standard deviations of the sum, below which they count as normal together
_ROUNDING = 1e-12
_NEGLIGIBLE = 1e-4  # of the variance
_FAR = 6.0  # standard errors, beyond which tails do not matter
_ACCURACY = 1e-6  # of an inverted tail
_FEWEST = 0.2  # of the largest step
_STEEPEST = 1e18  # multiplier at which every rate is at an end of its range


@dataclass(frozen=True, slots=True, eq=False)
class StratifiedRates:
    """Counts of G groups in S strata in which every group has samples."""

    events: Array  # (S, G), effective ones where samples come in clusters
    samples: Array  # (S, G)
    weights: Array  # (S,), their sum is 1

    @property
    def value(self) -> Array:
        """The standardised rates, shape (G,)."""
        return np.asarray(self.weights @ (self.events / self.samples))

    def take(self, groups: Sequence[int]) -> StratifiedRates:
        """Return some of the groups."""
        at = list(groups)
        return StratifiedRates(self.events[:, at], self.samples[:, at], self.weights)


def stratified_violation(
    rates: StratifiedRates, first: np.ndarray, second: np.ndarray, margin: float, level: float | None = None
) -> Array:
    """p-values of H0 |difference| <= margin of pairs (first[b], second[b]), shape (B,)."""
    towards = np.sign(_difference(rates, first, second))
    near, far = (_tail(rates, first, second, side * margin * towards, towards) for side in (1.0, -1.0))
    return np.minimum(near + far, 1.0)


def stratified_compliance(
    rates: StratifiedRates, first: np.ndarray, second: np.ndarray, margin: float, level: float | None = None
) -> Array:
    """p-values of H0 |difference| >= margin of pairs (first[b], second[b]), shape (B,)."""
    one = np.ones(len(first))
    return np.maximum(_tail(rates, first, second, margin * one, -one), _tail(rates, first, second, -margin * one, one))


def judge_worst_stratified(rates: StratifiedRates, limit: float, alpha: float, *, ceiling: bool) -> Inference:
    """Judge the worst standardised rate against a ceiling or a floor; Sidak over the groups for a violation."""
    groups = len(rates.value)
    if not ceiling:  # a floor of the rate is a ceiling of its complement
        rates, limit = StratifiedRates(rates.samples - rates.events, rates.samples, rates.weights), 1.0 - limit
    p = np.array([_rate_p(rates, g, limit) for g in range(groups)])
    level = sidak_level(alpha, groups)
    low, high = (float(max(ends)) for ends in rate_ends(rates, level, alpha))
    errors = np.sqrt(rate_variances(rates))
    test = "stratified score test"
    return worst_rate(rates.value, p, (low, high), errors, level, alpha, ceiling=ceiling, test=test)


def rate_ends(rates: StratifiedRates, level: float, alpha: float) -> tuple[Array, Array]:
    """Return the largest rates shown to be exceeded at a level, and the smallest shown to be kept at alpha; (G,)."""
    found = np.empty((len(rates.value), 2), dtype=np.float64)
    errors = np.sqrt(rate_variances(rates))
    for g, (value, error) in enumerate(zip(rates.value.tolist(), errors.tolist(), strict=True)):
        for side, (end, at) in enumerate(((0.0, level), (1.0, alpha))):
            found[g, side] = _end(rates, g, side, (value, end), at, error)
    return found[:, 0], found[:, 1]


def _end(rates: StratifiedRates, g: int, side: int, ends: tuple[float, float], level: float, error: float) -> float:
    """Return where the p-value of one side falls to a level between the rate and an end of its range."""
    inside, end = ends

    def excess(at: float) -> float:
        return _rate_p(rates, g, at, (side,))[0] - level

    while inside != end:
        further = inside + np.sign(end - inside) * min(error, abs(end - inside) - 1e-9)
        if excess(further) <= 0.0:
            return root(excess, further, inside, xtol=min(1e-3, error / 50.0))
        inside = end if abs(end - further) <= 2e-9 else further
    return end


def rate_variances(rates: StratifiedRates) -> Array:
    """Variances of standardised rates, (G,): unbiased within strata, and at least that of half an event in all."""
    found = np.empty(len(rates.value))
    for g in range(len(found)):
        x, n, share = rates.events[:, g], rates.samples[:, g], rates.weights
        least = 0.5 / (n.sum() + 1.0)
        pooled = _pooled(x, n, share)
        found[g] = max(float(share**2 @ pooled.variances(n)), float(share**2 @ (least * (1.0 - least) / n)))
    return found


def _rate_p(rates: StratifiedRates, g: int, limit: float, sides: tuple[int, ...] = (0, 1)) -> tuple[float, ...]:
    """p-values of H0 "at most the limit" and, side 1, "at least the limit" of a standardised rate."""
    x, n, share = rates.events[:, g], rates.samples[:, g], rates.weights
    total = n.sum()
    drawn, known = _drawn(x, n, share)
    p = _restricted_to(drawn, known, share, limit)
    # The mean of a beta distribution's p (1 - p), and more the more a stratum has a rate of its own.
    own = known / (known + 1.0 - (n / known) ** 2)
    variance = float(share**2 @ (p * (1.0 - p) / n * own)) * total / max(total - 1.0, 1.0)
    away = float(share @ (x / n)) - limit
    if abs(away) < _ROUNDING:
        z = 0.0
    else:
        z = away / float(np.sqrt(variance)) if variance > 0.0 else float(np.sign(away)) * np.inf
    tails = []
    # Of next to no event that is expected the blurred tail says nothing.
    seen = abs(z) * np.sqrt(float(share**2 @ (p * (1.0 - p) / n))) > _FEWEST * float((share / n).max())
    for towards in (1.0 - 2.0 * side for side in sides):
        near = abs(z) < _FAR and variance > 0.0 and (seen or z == 0.0)
        tails.append(_sum_tail(towards * share / n, n, p, towards * z) if near else float(special.ndtr(-towards * z)))
    return tuple(tails)


def _drawn(x: Array, n: Array, share: Array) -> tuple[Array, Array]:
    """Return counts of strata drawn towards one rate, as far as their samples do not show that theirs differ."""
    # Two samples of a stratum agree more often than two of different ones where rates differ: by the correlation rho
    # within strata, of which one standard error is left out. With it rates are beta distributed about the common one
    # with 1 / rho - 1 pseudo-samples. Each stratum by itself knows its rate so badly that the variance would be far
    # too small just where there are few events, and all of a difference would be put where some were seen.
    part = np.where(n > 1.5, share**2 / n, 0.0)  # a single sample says nothing of it
    common, rho = float(share @ (x / n)), 0.0
    if part.any():
        part = part / part.sum()
        rate = float(part @ (x / n))
        samples = 1.0 / float((part**2 / n).sum())
        pairs = 1.0 / float((part**2 * 2.0 / (n * np.maximum(n - 1.0, 1.0))).sum())
        within = float(part @ (x * (n - x) / (n * np.maximum(n - 1.0, 1.0))))
        whole = rate * (1.0 - rate) * samples / max(samples - 1.0, 1.0)
        alike = pairs * min(rate, 1.0 - rate) ** 2  # pairs of events, or of non-events, that agree by chance
        if whole > 0.0 and alike > 0.0:
            rho = 1.0 - within / whole - math.sqrt((1.0 + 1.0 / alike) / pairs)
    pseudo = 1.0 / min(max(rho, 1e-6), 1.0) - 1.0
    return x + pseudo * common, n + pseudo


@dataclass(frozen=True, slots=True, eq=False)
class _Pooled:
    """Strata of which those of one sample are taken for one: a rate of its own each would leave no variance."""

    counts: tuple[Array, Array, Array]  # events, samples, weights, each (P,)
    of_stratum: np.ndarray  # (S,), place in `counts`

    @property
    def correction(self) -> Array:
        """N / (N - 1) of each stratum's samples, (S,)."""
        n = self.counts[1]
        return np.asarray((n / np.maximum(n - 1.0, 1.0))[self.of_stratum])

    def variances(self, n: Array) -> Array:
        """Unbiased variances of the strata's rates, (S,)."""
        p = (self.counts[0] / self.counts[1])[self.of_stratum]
        return np.asarray(p * (1.0 - p) / n * self.correction)


def _pooled(x: Array, n: Array, share: Array) -> _Pooled:
    order = np.argsort(n, kind="stable")
    count = int((n < 2.0).sum())
    together = order[: min(max(count, 2), len(n))] if count else order[:0]  # a single one with the next smallest
    place = np.empty(len(n), dtype=np.intp)
    place[together] = 0
    apart = np.setdiff1d(np.arange(len(n)), together)
    place[apart] = np.arange(len(apart)) + bool(count)
    x, n, share = (np.bincount(place, weights=values).astype(np.float64) for values in (x, n, share))
    return _Pooled((x, n, share), place)


def _restricted_to(x: Array, n: Array, share: Array, value: float) -> Array:
    """Return the maximum likelihood estimates of the strata's rates whose weighted mean is a value, shape (S,)."""

    # With a multiplier m each solves x / p - (n - x) / (1 - p) = m w: a quadratic whose smaller root lies in [0, 1].
    def at(multiplier: float) -> Array:
        b = multiplier * share
        radical = np.sqrt(np.maximum((n - b) ** 2 + 4.0 * b * (n - x), 0.0))
        with np.errstate(divide="ignore", invalid="ignore"):
            found = np.where(n + b > 0.0, 2.0 * x / (n + b + radical), (n + b - radical) / (2.0 * b))
        return np.asarray(np.clip(found, 0.0, 1.0))

    def excess(multiplier: float) -> float:
        return float(share @ at(multiplier)) - value

    most = float((n / share).max())
    while most < _STEEPEST and (excess(-most) < 0.0 or excess(most) > 0.0):
        most *= 4.0
    if excess(-most) <= 0.0:
        return at(-most)
    if excess(most) >= 0.0:
        return at(most)
    return at(root(excess, -most, most, xtol=1e-9 * most, rtol=1e-14))


def _difference(rates: StratifiedRates, first: np.ndarray, second: np.ndarray) -> Array:
    return np.asarray(rates.value[first] - rates.value[second])


def _tail(rates: StratifiedRates, first: np.ndarray, second: np.ndarray, margin: Array, towards: Array) -> Array:
    """Probability of a difference as far from the margin as seen, or further, upwards or downwards; shape (B,)."""
    share = rates.weights[:, None]  # (S, 1)
    x1, n1 = rates.events[:, first], rates.samples[:, first]  # (S, B)
    x2, n2 = rates.events[:, second], rates.samples[:, second]
    p1, p2 = restricted_rate(x1, n1, x2, n2, margin)
    total = np.maximum(n1 + n2, 1.0 + 1e-6)
    restricted = (p1 * (1.0 - p1) / n1 + p2 * (1.0 - p2) / n2) * total / (total - 1.0)
    free = _free(x1, n1, x2, n2, restricted)
    variance = np.maximum((share**2 * restricted).sum(axis=0), (share**2 * free).sum(axis=0))
    away = towards * (_difference(rates, first, second) - margin)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(np.abs(away) < _ROUNDING, 0.0, away / np.sqrt(variance))
    tail = special.ndtr(-z)
    for b in np.flatnonzero((np.abs(z) < _FAR) & (variance > 0.0)):
        step = towards[b] * np.concatenate([rates.weights / n1[:, b], -rates.weights / n2[:, b]])
        size, rate = np.concatenate([n1[:, b], n2[:, b]]), np.concatenate([p1[:, b], p2[:, b]])
        tail[b] = _sum_tail(step, size, rate, float(z[b]))
    return tail


def _free(x1: Array, n1: Array, x2: Array, n2: Array, otherwise: Array) -> Array:
    """Return the unbiased variance of a stratum's difference; a side of one sample has none."""
    several = (n1 > 1.0) & (n2 > 1.0)
    found = x1 * (n1 - x1) / n1**2 / np.maximum(n1 - 1.0, 1e-6) + x2 * (n2 - x2) / n2**2 / np.maximum(n2 - 1.0, 1e-6)
    return np.where(several, found, otherwise)


def _sum_tail(step: Array, size: Array, rate: Array, z: float) -> float:
    """P(Z >= z) of a standardised sum of binomial variables, each times its step; shapes (J,)."""
    variances = step**2 * size * rate * (1.0 - rate)
    deviation = float(np.sqrt(variances.sum()))
    if deviation == 0.0:
        return float(special.ndtr(-z))
    coarse = (np.abs(step) > _SMOOTH * deviation) & (variances > 0.0)
    normal = float(variances[~coarse].sum())  # of many small steps
    # What adds next to nothing, such as a rate that is 0 up to rounding, has no say in how far the sum is blurred.
    matters = coarse & (variances > _NEGLIGIBLE * deviation**2)
    if not matters.any():
        return float(special.ndtr(-z))
    widest = float(np.abs(step[matters]).max())
    step, size, rate = step[coarse], size[coarse], rate[coarse]
    # Of 1 - p + p e^(i t) the angle stays below a right one where p is at most 1/2: other rates are turned round.
    step, rate = np.where(rate > 0.5, -step, step), np.minimum(rate, 1.0 - rate)
    alike, row = np.unique(np.stack([step, rate]), axis=1, return_inverse=True)  # binomial variables of one rate add up
    (step, rate), size = alike, np.bincount(row.reshape(-1), weights=size).astype(np.float64)
    blur, half = max(deviation / 80.0, widest / 40.0), 7.0 * deviation + 6.0 * widest
    u = np.pi / half * np.arange(1, int(np.ceil(4.0 / blur * half / np.pi)) + 1)
    log = size @ np.log1p(rate[:, None] * np.expm1(1j * np.outer(step, u)))  # (K,)
    wave = np.exp(log - 1j * u * float(step @ (size * rate)) - (blur**2 + normal) * u**2 / 2.0)
    ends = np.where(np.arange(1, len(u) + 1) % 2, -1.0, 1.0)  # e^(i u half)
    at = min(max(z * deviation - 2.0 * blur, -half), half)  # so that an outcome just at z counts whole
    part = float(np.sum((wave * (np.exp(-1j * u * at) - ends) / (1j * u)).real)) / half
    return min(1.0, max(0.0, (half - at) / (2.0 * half) + part) + _ACCURACY)
