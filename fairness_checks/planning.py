"""How many samples to collect before a limit can be settled."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from fairness_checks.checks import LimitKind, limit_problem
from fairness_checks.errors import ConfigurationError
from fairness_checks.stats.power import needed_factor
from fairness_checks.stats.proportions import Contrast

__all__ = ["SamplePlan", "plan_sample_size"]


@dataclass(frozen=True, slots=True)
class SamplePlan:
    """Answer of `plan_sample_size`.

    Parameters
    ----------
    first, second : int
        Samples of each group that count for the rate: positives for a false negative rate.
    shows : {"violation", "compliance"}
        What these samples show with the planned power if the rates are as assumed.
    """

    first: int
    second: int
    shows: Literal["violation", "compliance"]


def plan_sample_size(
    *,
    first_rate: float,
    second_rate: float,
    max_difference: float | None = None,
    min_ratio: float | None = None,
    allocation: float = 1.0,
    alpha: float = 0.05,
    power: float = 0.8,
    checks: int = 1,
) -> SamplePlan:
    """Plan the samples of two groups that settle a limit on a proportion metric, before collecting them.

    Parameters
    ----------
    first_rate, second_rate : float
        The rates that you expect, in [0, 1]. Equal ones ask for the samples that show a fair model to be fair.
    max_difference, min_ratio : float, optional
        The limit; exactly one of them.
    allocation : float
        Samples of the second group for each one of the first, above 0.
    alpha : float
        Significance level of the gate, in (0, 0.5).
    power : float
        Probability of settling the limit, in (0.5, 1).
    checks : int
        Checks of the same model over which violations are adjusted; the plan holds for the strictest step.

    Returns
    -------
    SamplePlan

    Raises
    ------
    ConfigurationError
        If an argument is impossible, or the expected rates lie on the limit.

    Notes
    -----
    Normal approximation of the score test (Farrington and Manning, Stat. Med. 9 (1990) 1447-1454,
    doi:10.1002/sim.4780091208). Plans of fewer than about 50 samples a group fall short: the exact test is used there.

    Examples
    --------
    >>> plan_sample_size(first_rate=0.2, second_rate=0.2, max_difference=0.05)
    SamplePlan(first=1100, second=1100, shows='compliance')
    """
    kind, limit = _limit(max_difference, min_ratio)
    for name, rate in (("first_rate", first_rate), ("second_rate", second_rate)):
        if not 0.0 <= rate <= 1.0:
            raise ConfigurationError(f"{name}: {rate:g} is outside [0, 1]")
    ranges = {"allocation": (allocation, 0.0, math.inf), "alpha": (alpha, 0.0, 0.5), "power": (power, 0.5, 1.0)}
    for name, (value, low, high) in ranges.items():
        if not low < value < high:
            raise ConfigurationError(f"{name}: {value:g} is outside ({low:g}, {high:g})")
    if checks < 1:
        raise ConfigurationError(f"checks: {checks} must be at least 1")
    contrast: Contrast = "difference" if kind == "max_difference" else "ratio"
    groups = sorted([(first_rate, 1.0), (second_rate, allocation)], reverse=True)
    (higher, n_higher), (lower, n_lower) = groups
    kept = higher - lower < limit if contrast == "difference" else lower > limit * higher
    level = alpha if kept else alpha / checks
    factor = needed_factor(higher, n_higher, lower, n_lower, limit, contrast, level, power)
    if factor is None:
        raise ConfigurationError(
            f"rates {first_rate:g} and {second_rate:g} lie on {kind} {limit:g} or next to it: "
            f"no number of samples settles it"
        )
    return SamplePlan(
        max(1, math.ceil(factor)), max(1, math.ceil(factor * allocation)), "compliance" if kept else "violation"
    )


def _limit(max_difference: float | None, min_ratio: float | None) -> tuple[LimitKind, float]:
    if (max_difference is None) == (min_ratio is None):
        raise ConfigurationError("give exactly one of max_difference, min_ratio")
    kind: LimitKind = "max_difference" if max_difference is not None else "min_ratio"
    limit = max_difference if max_difference is not None else min_ratio
    assert limit is not None  # for the type checker
    if problem := limit_problem(kind, limit):
        raise ConfigurationError(problem)
    return kind, float(limit)
