"""How many samples settle a limit at assumed values, by what the kind of metric says of them."""

# Sizes are those of the first group, in samples that count for the metric; every further group has `allocation` times
# as many. Samples in clusters are planned by what they will be worth as independent ones to the test that will judge
# them.

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np
from scipy import special

from fairness_checks.errors import ConfigurationError
from fairness_checks.kinds import kind_of
from fairness_checks.kinds.design import Design
from fairness_checks.kinds.plan import Plan
from fairness_checks.question.checks import Settings
from fairness_checks.question.metrics import Metric, parts_of
from fairness_checks.stats.clusters import FEWEST_CLUSTERS
from fairness_checks.stats.multiplicity import sidak_level
from fairness_checks.stats.roots import root
from fairness_checks.stats.simultaneous import Family

__all__ = ["components", "fewest", "independent", "needed", "needed_of_components", "plan_of"]

_MOST_LACKING = 20.0  # logarithm of a factor of samples that nobody collects
_FEWEST = 1e-9  # samples, for the strictest level there is


def plan_of(metric: Metric) -> Plan:
    """Return how samples are planned for a metric that is no largest of several; ConfigurationError if they cannot."""
    plan = kind_of(metric).plan
    if isinstance(plan, str):
        raise ConfigurationError(f"metric: {metric.name} cannot be planned: {plan}")
    return plan


def fewest(design: Design) -> float:
    """Return the samples of a group below which the gate judges nothing."""
    least: float = Settings().min_group_size
    if design.cluster_size > 1.0:
        least = max(least, FEWEST_CLUSTERS * design.cluster_size)
    return max(least, *(plan_of(part).fewest_of_a_class / design.rarer for part in parts_of(design.metric)))


def independent(design: Design, size: float, first: float, second: float) -> tuple[Design, float]:
    """Return a design of independent samples, and their size, that are worth as much as these in clusters."""
    if design.cluster_size == 1.0:
        return design, size
    keeps = design.keeps(first, second)
    ours = _worth(design, first, size, keeps=keeps)
    alone = dataclasses.replace(design, cluster_size=1.0, intra_cluster_correlation=0.0)
    if not design.pairwise:
        return alone, ours
    theirs = _worth(design, second, size * design.allocation, keeps=keeps)
    return dataclasses.replace(alone, allocation=theirs / ours), ours


def _worth(design: Design, value: float, samples: float, *, keeps: bool) -> float:
    """As how many independent samples those of a group in clusters of one size will count, as expected."""
    # The variance is known from the clusters only, of both groups.
    size, clusters = design.cluster_size, samples / design.cluster_size
    rho = plan_of(design.metric).correlation(design, value, clusters)
    worth = samples / (1.0 + (size - 1.0) * rho)
    groups = 2.0 if design.pairwise else 1.0
    known = groups * max(min(plan_of(design.metric).freedom(design, value, clusters), worth - 1.0), 0.5)
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
    return math.exp(root(lacking, low, high, xtol=1e-6)) if lacking(low) > 0.0 else math.exp(low)


def _needed_independent(design: Design, first: float, second: float) -> float | None:
    """Size of the first group, in independent samples."""
    plan, keeps = plan_of(design.metric), design.keeps(first, second)
    if not design.pairwise:  # one group violates it, or all keep it at this value; groups are independent
        level = design.alpha if keeps else sidak_level(design.alpha / design.tests, design.groups)
        return plan.needed_value(design, first, level, design.power ** (1.0 / design.groups) if keeps else design.power)
    if keeps:
        allocation = design.allocation
        if design.groups > 2 and allocation < 1.0:  # the smaller groups' pairs are the hardest to show alike
            found = plan.needed_pair(dataclasses.replace(design, allocation=1.0), first, second, design.alpha)
            return None if found is None else found / allocation
        return plan.needed_pair(design, first, second, design.alpha)
    # The level depends on the sizes through the limit in standard errors, unless there is only one pair.
    size, before = _FEWEST, math.inf
    for _ in range(40):
        found = plan.needed_pair(design, first, second, _level(design, plan, size, first, second))
        if found is None or design.groups == 2:
            return found
        if abs(found - size) <= 1e-9 * found:
            break
        before, size = size, found
    return max(size, before)


def _level(design: Design, plan: Plan, size: float, first: float, second: float) -> float:
    """Return the level at which a pair is tested for a violation."""
    alpha = design.alpha / design.tests
    if design.groups == 2:
        return alpha
    sizes = np.array([size] + [size * design.allocation] * (design.groups - 1))
    limit = -math.log(design.limit) if design.limit_kind == "min_ratio" else design.limit
    return Family(np.sqrt(plan.variances(design, first, second, sizes) / sizes), limit).level(alpha)


def components(design: Design) -> list[tuple[Design, float]]:
    """Return the components of a metric as designs, with the share of the samples that count for each."""
    shares = {"positives": design.positives, "negatives": 1.0 - design.positives}
    return [(dataclasses.replace(design, metric=row), shares[row.unit]) for row in parts_of(design.metric)]


def needed_of_components(design: Design, first: tuple[float, ...], second: tuple[float, ...]) -> float | None:
    """Size for the larger of two disparities; any may violate, both must comply, and they are independent."""
    parts = list(zip(components(design), first, second, strict=True))

    def sizes(powers: tuple[float, ...]) -> list[float | None]:
        found = [
            needed(dataclasses.replace(part, power=p), a, b) for ((part, _), a, b), p in zip(parts, powers, strict=True)
        ]
        return [None if n is None else n / share for n, ((_, share), _, _) in zip(found, parts, strict=True)]

    violating = [not part.keeps(a, b) for (part, _), a, b in parts]
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
