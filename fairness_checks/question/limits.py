"""The kinds of limit: one row each, from which schema, messages, texts, planning and diff take what they say."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, NamedTuple, Protocol, TypeAlias, get_args

from fairness_checks.question.arguments import as_float

__all__ = [
    "LIMITS",
    "LIMIT_KINDS",
    "OF_ONE_GROUP",
    "OF_RATES",
    "OF_VALUES",
    "PAIRWISE",
    "LimitKind",
    "Ranged",
    "Section",
    "limit_problem",
    "limits_in",
]

LimitKind: TypeAlias = Literal[
    "max_difference",
    "min_ratio",
    "max_value",
    "min_value",
    "max_mismatch",
    "max_slope",
    "max_worsening",
    "min_reduction",
]
Section: TypeAlias = Literal["subgroups", "uncertainty", "sweep", "regression"]
LIMIT_KINDS: tuple[LimitKind, ...] = get_args(LimitKind)


OF_VALUES: tuple[LimitKind, ...] = ("max_difference", "max_value", "min_value")
"""Limits under `subgroups:` that there is inference for whatever the values of groups are estimates of."""
OF_RATES: tuple[LimitKind, ...] = ("max_difference", "min_ratio", "max_value", "min_value")
"""And of rates."""
OF_ONE_GROUP: tuple[LimitKind, ...] = ("max_value", "min_value")
"""Limits on the value that one group has."""


class Ranged(Protocol):
    """What has a range: a metric."""

    @property
    def lowest(self) -> float:
        """The lowest value that it can have."""

    @property
    def highest(self) -> float:
        """The highest value that it can have."""


class _Range(NamedTuple):
    """Between which ends a limit is possible; past them nothing can violate it, or everything does."""

    low: float
    high: float
    with_low: bool = False
    with_high: bool = False


@dataclass(frozen=True, slots=True)
class _Limit:
    """A kind of limit."""

    word: str  # what is limited
    sections: tuple[Section, ...]  # of thresholds.yaml whose checks may have it
    range: Callable[[Ranged], _Range]
    ceiling: bool = True  # values above it violate it; those below a floor do
    # (limit, first, second) -> by how much two values keep the limit, the worse one first; None where nothing is
    # planned
    slack: Callable[[float, float, float], float] | None = None
    pairwise: bool = False  # it limits the disparity of two groups, not the value of one

    @property
    def side(self) -> str:
        """Words before a limit that is kept."""
        return "at most" if self.ceiling else "at least"

    @property
    def signs(self) -> tuple[str, str]:
        """Of a value that keeps the limit, and of one that violates it."""
        return ("<=", ">") if self.ceiling else (">=", "<")


def _span(metric: Ranged) -> float:
    return metric.highest - metric.lowest


LIMITS: Mapping[LimitKind, _Limit] = MappingProxyType(
    {
        "max_difference": _Limit(
            "difference",
            ("subgroups", "sweep"),
            lambda metric: _Range(0.0, _span(metric), with_low=True),
            slack=lambda limit, first, second: limit - abs(first - second),
            pairwise=True,
        ),
        "min_ratio": _Limit(
            "ratio",
            ("subgroups",),
            lambda metric: _Range(0.0, 1.0, with_high=True),
            ceiling=False,
            slack=lambda limit, first, second: min(first, second) - limit * max(first, second),
            pairwise=True,
        ),
        "max_value": _Limit(
            "value",
            ("subgroups",),
            lambda metric: _Range(metric.lowest, metric.highest, with_low=True),
            slack=lambda limit, first, second: limit - first,
        ),
        "min_value": _Limit(
            "value",
            ("subgroups",),
            lambda metric: _Range(metric.lowest, metric.highest, with_high=True),
            ceiling=False,
            slack=lambda limit, first, second: first - limit,
        ),
        "max_mismatch": _Limit(
            "mismatch",
            ("uncertainty", "sweep"),
            lambda metric: _Range(0.0, 1.0, with_low=True),
            slack=lambda limit, first, second: limit - (first - second),
            pairwise=True,
        ),
        "max_slope": _Limit("slope", ("sweep",), lambda metric: _Range(0.0, math.inf, with_low=True)),
        "max_worsening": _Limit("worsening", ("regression",), lambda metric: _Range(0.0, _span(metric), with_low=True)),
        # Below 0: how much the disparity may grow.
        "min_reduction": _Limit(
            "reduction", ("sweep",), lambda metric: _Range(-_span(metric), _span(metric)), ceiling=False
        ),
    }
)
PAIRWISE: frozenset[LimitKind] = frozenset(kind for kind, limit in LIMITS.items() if limit.pairwise)
"""Limits on the disparity of two groups, not on the value of one."""


def limits_in(section: object) -> list[LimitKind]:
    """Return the kinds of limit that checks of a section may have."""
    return [kind for kind, limit in LIMITS.items() if section in limit.sections]


def limit_problem(kind: LimitKind, limit: object, metric: Ranged) -> str | None:
    """Say what is wrong with a limit, or return None where it is a number that is possible."""
    low, high, with_low, with_high = LIMITS[kind].range(metric)
    x = as_float(limit)
    if x is not None and math.isfinite(x):
        above = low < x or (with_low and x == low)
        if above and (x < high or (with_high and x == high)):
            return None
    lower = "" if math.isinf(low) else f"{low:g} {'<=' if with_low else '<'} "
    upper = "" if math.isinf(high) else f" {'<=' if with_high else '<'} {high:g}"
    allowed = f"{lower}{kind}{upper}" if lower or upper else "any finite number"
    hundredths = f"; {x:g} in 100 is {x / 100.0:g}" if x is not None and high == 1.0 and 2.0 <= x <= 100.0 else ""
    wrong = f"{limit!r} is not a number" if x is None else f"{x:g} is impossible"
    return f"{kind}: {wrong}; allowed: {allowed}{hundredths}"
