"""How many samples settle a limit at assumed values."""

# Sizes are those of the first group, in samples that count for the metric; every further group has `allocation` times
# as many. Samples in clusters are planned by what they will be worth as independent ones to the test that will judge
# them.

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np
from scipy import optimize, special

from fairness_checks.planning.arguments import Design
from fairness_checks.planning.variances import area_covariance, by_class, mismatch_variance, of_group
from fairness_checks.question.checks import Settings
from fairness_checks.question.limits import LIMITS, PAIRWISE
from fairness_checks.question.metrics import METRICS
from fairness_checks.stats.clusters import FEWEST_CLUSTERS
from fairness_checks.stats.multiplicity import sidak_level
from fairness_checks.stats.power import (
    needed_factor,
    needed_factor_difference,
    needed_factor_value,
    smallest_factor,
)
from fairness_checks.stats.proportions import Contrast
from fairness_checks.stats.ranking import FEWEST
from fairness_checks.stats.rao_scott import safe_weight
from fairness_checks.stats.simultaneous import Family

__all__ = ["components", "fewest", "independent", "kept", "needed", "needed_of_components"]

_BY_ERRORS = 0.01  # share of the level by which `judge_mismatch` shows which group is worse, for compliance
_MOST_DEVIATIONS = 1e3  # the root of a million samples, past which `fairness_checks.stats.power` gives up too
_MOST_LACKING = 20.0  # logarithm of a factor of samples that nobody collects
_FEWEST = 1e-9  # samples, for the strictest level there is


def fewest(design: Design) -> float:
    """Return the samples of a group below which the gate judges nothing."""
    least: float = Settings().min_group_size
    if design.cluster_size > 1.0:
        least = max(least, FEWEST_CLUSTERS * design.cluster_size)
    if design.metric.kind in ("ranking", "balanced_accuracy"):
        return max(least, FEWEST / min(design.positives, 1.0 - design.positives))
    return least


def kept(design: Design, first: float, second: float) -> bool:
    """Whether assumed values keep the limit; `second` does not matter for a ceiling or a floor."""
    slack = LIMITS[design.limit_kind].slack
    assert slack is not None  # for the type checker: `design` refuses limits for which nothing is planned
    return slack(design.limit, first, second) > 0.0


def independent(design: Design, size: float, first: float, second: float) -> tuple[Design, float]:
    """Return a design of independent samples, and their size, that are worth as much as these in clusters."""
    if design.cluster_size == 1.0:
        return design, size
    keeps = kept(design, first, second)
    ours = _worth(design, first, size, keeps=keeps)
    alone = dataclasses.replace(design, cluster_size=1.0, intra_cluster_correlation=0.0)
    if design.limit_kind not in PAIRWISE:
        return alone, ours
    theirs = _worth(design, second, size * design.allocation, keeps=keeps)
    return dataclasses.replace(alone, allocation=theirs / ours), ours


def _worth(design: Design, value: float, samples: float, *, keeps: bool) -> float:
    """As how many independent samples those of a group in clusters of one size will count, as expected."""
    # Of a rate the correlation is drawn towards 1 by the clusters that are expected to hold events, or others
    # (`stats.rao_scott`); of all metrics the variance is known from the clusters only, of both groups.
    size, clusters, rho = design.cluster_size, samples / design.cluster_size, design.intra_cluster_correlation
    if design.metric.kind == "proportion":
        squares = size * value * (1.0 - value) * (1.0 + (size - 1.0) * rho)  # variance of a cluster's events
        means = [size * rate for rate in (value, 1.0 - value) if rate > 0.0]
        held = clusters * min([mean**2 / (squares + mean**2) for mean in means]) if len(means) == 2 else 0.0
        rho += (1.0 - rho) * float(safe_weight(held))
    worth = samples / (1.0 + (size - 1.0) * rho)
    groups = 2.0 if design.limit_kind in PAIRWISE else 1.0
    known = groups * max(min(clusters, worth) - 1.0, 0.5)
    level = design.alpha / (1.0 if keeps else design.tests)
    ratio = special.stdtrit(max(groups * (worth - 1.0), known), level) / special.stdtrit(known, level)
    return float(worth * ratio**2)


def needed(design: Design, first: float, second: float) -> float | None:
    """Size of the first group that settles the limit with the power; None for values on the limit or next to it."""
    alone, _ = independent(design, 1.0, first, second)
    least = _needed_independent(dataclasses.replace(alone, allocation=design.allocation), first, second)
    if least is None or design.cluster_size == 1.0:
        return least

    def lacking(log_size: float) -> float:
        alike, worth = independent(design, math.exp(log_size), first, second)
        found = _needed_independent(alike, first, second)
        return _MOST_LACKING if found is None else math.log(max(found, _FEWEST) / worth)

    low = math.log(max(least, _FEWEST))
    high = low + math.log(design.cluster_size) + 1.0
    while lacking(high) > 0.0:
        high += 1.0
        if high > low + _MOST_LACKING:
            return None
    return math.exp(float(optimize.brentq(lacking, low, high, xtol=1e-6))) if lacking(low) > 0.0 else math.exp(low)


def _needed_independent(design: Design, first: float, second: float) -> float | None:
    """Size of the first group, in independent samples."""
    if design.limit_kind not in PAIRWISE:
        return _needed_value(design, first)
    if kept(design, first, second):
        allocation = design.allocation
        if design.groups > 2 and allocation < 1.0:  # the smaller groups' pairs are the hardest to show alike
            smaller = dataclasses.replace(design, allocation=1.0)
            found = _needed_pair(smaller, first, second, design.alpha)
            return None if found is None else found / allocation
        return _needed_pair(design, first, second, design.alpha)
    # The level depends on the sizes through the limit in standard errors, unless there is only one pair.
    size, before = _FEWEST, math.inf
    for _ in range(40):
        found = _needed_pair(design, first, second, _level(design, size, first, second))
        if found is None or design.groups == 2:
            return found
        if abs(found - size) <= 1e-9 * found:
            break
        before, size = size, found
    return max(size, before)


def _level(design: Design, size: float, first: float, second: float) -> float:
    """Return the level at which a pair is tested for a violation."""
    alpha = design.alpha / design.tests
    if design.groups == 2:
        return alpha
    sizes = np.array([size] + [size * design.allocation] * (design.groups - 1))
    limit = -math.log(design.limit) if design.limit_kind == "min_ratio" else design.limit
    if design.metric.kind == "proportion":
        rate = (first + second * sizes[1:].sum() / size) / (1.0 + sizes[1:].sum() / size)
        odds = (1.0 - rate) * rate if design.limit_kind == "max_difference" else (1.0 - rate) / max(rate, 1e-12)
        variances = np.full(design.groups, odds)
    elif design.limit_kind == "max_mismatch":
        variances = np.full(design.groups, _mismatch_variance(design, first, second))
    else:
        variances = np.array([of_group(design, v) for v in [first] + [second] * (design.groups - 1)])
    return Family(np.sqrt(variances / sizes), limit).level(alpha)


def _needed_pair(design: Design, first: float, second: float, level: float) -> float | None:
    """Size with which a violation by the pair is found at a level, or compliance of all such pairs at `alpha`."""
    limit, power, groups = design.limit, design.power, design.groups
    if design.limit_kind == "max_mismatch":
        return _needed_mismatch(design, first, second, level)
    if design.metric.kind == "proportion":
        contrast: Contrast = "difference" if design.limit_kind == "max_difference" else "ratio"
        (higher, n_higher), (lower, n_lower) = sorted([(first, 1.0), (second, design.allocation)], reverse=True)
        return needed_factor(higher, n_higher, lower, n_lower, limit, contrast, level, power, groups)
    # The tests take the variance near the limit, which for nearly perfect groups is far from their own.
    move = (math.copysign(limit, first - second) - (first - second)) / 2.0
    pairs = (first, second), (first + move, second - move)
    error = max(_pair_error(design, *pair) for pair in pairs)
    found = needed_factor_difference(abs(first - second), error, limit, level, level, power, groups)
    if found is None or design.metric.kind != "balanced_accuracy":
        return found
    # The test draws a balanced accuracy towards 1/2 where that makes it more careful, and its variance always.
    (higher, n_higher), (lower, n_lower) = sorted([(first, 1.0), (second, design.allocation)], reverse=True)
    inwards = max(higher - 0.5, 0.0) / n_higher + max(0.5 - lower, 0.0) / n_lower
    if kept(design, first, second):
        inwards = max(0.5 - higher, 0.0) / n_higher + max(lower - 0.5, 0.0) / n_lower
    loss, distance = inwards * by_class(design), abs(abs(first - second) - limit)
    size = _made_up(found, loss, distance)
    for _ in range(50):
        error = _pair_error(design, first, second, size) * _student(design, size, level)
        grown = needed_factor_difference(abs(first - second), error, limit, level, level, power, groups)
        if grown is None:
            return None
        before, size = size, _made_up(grown, loss, distance)
        if abs(size - before) <= 1e-6 * size:
            break
    return size


def _pair_error(design: Design, first: float, second: float, size: float = math.inf) -> float:
    """Return the standard error of a difference for one sample of the first group, of which there are `size`."""
    both = of_group(design, first, size) + of_group(design, second, size * design.allocation) / design.allocation
    return math.sqrt(both)


def _student(design: Design, size: float, level: float) -> float:
    """By how much a quantile of t is wider where the rarer class of both groups gives the degrees of freedom."""
    rarer = min(design.positives, 1.0 - design.positives) * size * (1.0 + design.allocation)
    return 1.0 + (special.ndtri(level) ** 2 + 1.0) / (4.0 * max(rarer - 2.0, 1.0))


def _made_up(size: float, loss: float, distance: float) -> float:
    """Size at which a distance that loses `loss` / size is as many standard errors as the whole one at `size`."""
    # With a loss of half an event this is Fleiss' correction for continuity (Biometrics 36 (1980) 343,
    # doi:10.2307/2529990).
    return ((math.sqrt(size) + math.sqrt(size + 4.0 * loss / distance)) / 2.0) ** 2


def _needed_mismatch(design: Design, error_auc: float, uncertainty_auc: float, level: float) -> float | None:
    """Size for a mismatch, whose test must also show which group has the higher error; misses are added up."""
    both = 1.0 + 1.0 / design.allocation
    error = math.sqrt(both * _mismatch_variance(design, error_auc, uncertainty_auc))
    of_error = math.sqrt(both * area_covariance(error_auc, error_auc, 1.0))
    mismatch, worse = error_auc - uncertainty_auc, error_auc - 0.5

    def miss(grown: float, distance: float, deviation: float, at: float) -> float:
        return float(special.ndtr(-float(special.ndtri(at)) - grown * distance / max(deviation, 1e-12)))

    def not_violated(grown: float) -> float:
        by_mismatch = level / (2.0 if design.limit == 0.0 else 1.0)
        return miss(grown, mismatch - design.limit, error, by_mismatch) + miss(grown, worse, of_error, level)

    def not_complied(grown: float) -> float:
        turned = miss(grown, design.limit + mismatch, error, (1.0 - _BY_ERRORS) * level)
        other = min(turned, miss(grown, worse, of_error, _BY_ERRORS * level))
        pairs = design.groups * (design.groups - 1) / 2.0
        return pairs * (miss(grown, design.limit - mismatch, error, level) + other)

    return smallest_factor(not_complied if kept(design, error_auc, uncertainty_auc) else not_violated, design.power)


def _mismatch_variance(design: Design, error_auc: float, uncertainty_auc: float) -> float:
    """Variance of a mismatch for one sample of a group; among several groups at least that of two groups alike."""
    own = mismatch_variance(error_auc, uncertainty_auc, design.correlation)
    return own if design.groups == 2 else max(own, mismatch_variance(0.5, 0.5, design.correlation))


def _needed_value(design: Design, value: float) -> float | None:
    """Size of every group for a ceiling or a floor: one group violates it, or all keep it at this value."""
    keeps, limit = kept(design, value, math.nan), design.limit
    power = design.power ** (1.0 / design.groups) if keeps else design.power  # groups are independent
    level = design.alpha if keeps else sidak_level(design.alpha / design.tests, design.groups)
    if design.metric.kind == "proportion":
        if design.limit_kind == "min_value":  # a floor of the rate is a ceiling of its complement
            value, limit = 1.0 - value, 1.0 - limit
        found = needed_factor_value(value, 1.0, limit, level, power)
        return None if found is None else _made_up(found, 0.5, abs(value - limit))  # the test is exact
    z_power, z_level = float(special.ndtri(power)), -float(special.ndtri(level))
    # The test takes the variance that it sees, at the estimate with which it just succeeds.
    decisive = (value * z_level + limit * z_power) / (z_level + z_power)
    reach = z_power * math.sqrt(of_group(design, value)) + z_level * math.sqrt(of_group(design, decisive))
    distance = abs(value - limit)
    if reach > _MOST_DEVIATIONS * distance:
        return None
    outwards = 1.0 if (design.limit_kind == "max_value") == keeps else -1.0  # where the truth may lie
    inwards = max(outwards * (0.5 - value), 0.0) if design.metric.kind == "balanced_accuracy" else 0.0
    return _made_up((reach / distance) ** 2, inwards * by_class(design), distance)


def components(design: Design) -> list[tuple[Design, float]]:
    """Return the components of a metric as designs, with the share of the samples that count for each."""
    shares = {"positives": design.positives, "negatives": 1.0 - design.positives}
    rows = [METRICS[name] for name in design.metric.components]
    return [(dataclasses.replace(design, metric=row), shares[row.unit]) for row in rows]


def needed_of_components(design: Design, first: tuple[float, ...], second: tuple[float, ...]) -> float | None:
    """Size for the larger of two disparities; any may violate, both must comply, and they are independent."""
    parts = list(zip(components(design), first, second, strict=True))

    def sizes(powers: tuple[float, ...]) -> list[float | None]:
        found = [
            needed(dataclasses.replace(part, power=p), a, b) for ((part, _), a, b), p in zip(parts, powers, strict=True)
        ]
        return [None if n is None else n / share for n, ((_, share), _, _) in zip(found, parts, strict=True)]

    violating = [not kept(part, a, b) for (part, _), a, b in parts]
    if any(violating):
        alone = zip(sizes((design.power,) * len(parts)), violating, strict=True)
        return min((n for n, violates in alone if violates and n is not None), default=None)
    return _shared_power(sizes, design.power)


def _shared_power(sizes: Callable[[tuple[float, ...]], list[float | None]], power: float) -> float | None:
    """Size at which two independent tests succeed together: the powers power^s and power^(1 - s) need the same."""

    def both(share: float) -> tuple[float, float]:
        one, two = (math.inf if n is None else n for n in sizes((power**share, power ** (1.0 - share))))
        return one, two

    low, high = 1e-6, 1.0 - 1e-6
    if max(*both(0.5)) == math.inf:
        return None
    for _ in range(40):
        share = (low + high) / 2.0
        one, two = both(share)
        low, high = (share, high) if one > two else (low, share)
    return max(one, two)
