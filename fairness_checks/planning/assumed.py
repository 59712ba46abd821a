"""What may be true of two groups before there are data: how far apart they are, counted in limits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from fairness_checks.errors import ConfigurationError
from fairness_checks.planning.arguments import Value
from fairness_checks.question.arguments import number
from fairness_checks.question.limits import PAIRWISE, LimitKind
from fairness_checks.question.metrics import Metric

__all__ = ["STEPS", "Assumed", "assumed"]

STEPS: Mapping[float, str] = MappingProxyType({0.0: "no difference", 0.5: "half the limit", 2.0: "twice the limit"})
"""True disparities that a plan is shown for, in limits."""
_RATE = 0.2  # of errors
_AREA = 0.6  # by which errors tell two groups apart, and uncertainties


class Assumed(NamedTuple):
    """Values of two groups as `plan_sample_size` takes them, the worse group's first; of a mismatch its two AUCs."""

    first: Value
    second: Value | None  # None where one group's value is limited


def assumed(metric: Metric, kind: LimitKind, limit: float, step: float, value: float | None = None) -> Assumed | None:
    """Return values that are so many limits apart; None where there are none, as 0 limits from a ceiling.

    `value` is that of the group that fares better; by default an error rate is 0.2, what is the better the larger it
    is 0.8, and a mismatch lies about AUCs of 0.6.
    """
    if value is not None:
        if metric.components or kind not in PAIRWISE or kind == "max_mismatch":
            of = metric.name if kind in PAIRWISE else kind
            raise ConfigurationError(f"value: {value!r} is not asked for {of}, which is not planned by one value")
        value = number("value", value, metric.lowest, metric.highest, "[]")
    found = _values(metric, kind, limit, step, value)
    low, high = (0.0, 1.0) if kind == "max_mismatch" else (metric.lowest, metric.highest)
    if found is None:
        return None
    given = (part for each in found if each is not None for part in (each if isinstance(each, tuple) else (each,)))
    return found if all(low <= each <= high for each in given) else None


def _values(metric: Metric, kind: LimitKind, limit: float, step: float, value: float | None) -> Assumed | None:
    if kind == "max_mismatch":
        return Assumed(_AREA + step * limit / 2.0, _AREA - step * limit / 2.0)
    if kind not in PAIRWISE:
        return None if step == 0.0 else Assumed(_value(metric, kind, limit, step), None)
    falls = metric.lower_is_better is False or bool(metric.components)
    good = value if value is not None else 1.0 - _RATE if falls else _RATE
    if kind == "min_ratio":
        ratio = 1.0 - step * (1.0 - limit)
        if ratio <= 0.0:
            return None
        worse = good / ratio if metric.lower_is_better and not metric.components else good * ratio
    else:
        worse = good - step * limit if falls else good + step * limit
    if not metric.components:
        return Assumed(worse, good)
    return Assumed((worse, _RATE / 2.0), (good, _RATE / 2.0))  # a true and a false positive rate


def _value(metric: Metric, kind: LimitKind, limit: float, step: float) -> float:
    """Value that is so much of the way from the best one to a ceiling or a floor; about a limit where none is best."""
    best, sign = (metric.lowest, 1.0) if kind == "max_value" else (metric.highest, -1.0)
    way = abs(limit) if math.isinf(best) else abs(limit - best)
    return limit + sign * (step - 1.0) * way
