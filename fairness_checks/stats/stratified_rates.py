"""Rates standardised over strata, compared at a margin by the stratified score test."""

# The difference of two groups is the weighted sum of their differences within strata. Its variance is taken at the
# maximum likelihood estimates of both rates that differ by the margin in every stratum (Miettinen and Nurminen, Stat.
# Med. 4 (1985) 213, doi:10.1002/sim.4780040211), times N / (N - 1): however few samples a stratum has. Where
# differences vary between strata that margin is not theirs; the variance without it counts where it is larger. Rates
# move in steps and are skewed where events are rare: the test takes the distribution of the sum at those very
# estimates, by the inversion of its characteristic function (Abate and Whitt, Queueing Syst. 10 (1992) 5,
# doi:10.1007/BF01158520).

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from fairness_checks.stats.proportions import restricted_rate
from fairness_checks.typing import Array

__all__ = ["StratifiedRates", "stratified_compliance", "stratified_violation"]

_SMOOTH = 0.02  # steps in standard deviations of the sum, below which they count as normal together
_ROUNDING = 1e-12
_FAR = 6.0  # standard errors, beyond which tails do not matter
_ACCURACY = 1e-6  # of an inverted tail


@dataclass(frozen=True, slots=True, eq=False)
class StratifiedRates:
    """Counts of G groups in S strata in which every group has samples."""

    events: Array  # (S, G), effective ones where samples come in clusters
    samples: Array  # (S, G)
    weights: Array  # (S,), their sum is 1

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


def _difference(rates: StratifiedRates, first: np.ndarray, second: np.ndarray) -> Array:
    value = np.asarray(rates.weights @ (rates.events / rates.samples))
    return np.asarray(value[first] - value[second])


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
    step, size, rate = step[coarse], size[coarse], rate[coarse]
    if not step.size:
        return float(special.ndtr(-z))
    # Of 1 - p + p e^(i t) the angle stays below a right one where p is at most 1/2: other rates are turned round.
    step, rate = np.where(rate > 0.5, -step, step), np.minimum(rate, 1.0 - rate)
    widest = float(np.abs(step).max())
    blur, half = max(deviation / 80.0, widest / 40.0), 7.0 * deviation + 6.0 * widest
    u = np.pi / half * np.arange(1, int(np.ceil(4.0 / blur * half / np.pi)) + 1)
    log = size @ np.log1p(rate[:, None] * np.expm1(1j * np.outer(step, u)))  # (K,)
    wave = np.exp(log - 1j * u * float(step @ (size * rate)) - (blur**2 + normal) * u**2 / 2.0)
    ends = np.where(np.arange(1, len(u) + 1) % 2, -1.0, 1.0)  # e^(i u half)
    at = min(max(z * deviation - 2.0 * blur, -half), half)  # so that an outcome just at z counts whole
    part = float(np.sum((wave * (np.exp(-1j * u * at) - ends) / (1j * u)).real)) / half
    return min(1.0, max(0.0, (half - at) / (2.0 * half) + part) + _ACCURACY)
