"""What it would take to settle an inconclusive check: the fields of a CheckRecord that say it."""

from __future__ import annotations

import math
from typing import TypedDict

from scipy import special

from fairness_checks.checks import Check
from fairness_checks.records import GroupRecord
from fairness_checks.stats.power import POWER

__all__ = ["Settling", "grown", "settle_estimates"]


class Settling(TypedDict, total=False):
    """See `fairness_checks.records.CheckRecord`."""

    detectable: float | None
    needed_samples: tuple[int, ...] | None
    needed_samples_if_equal: tuple[int, ...] | None


def grown(factor: float | None, *sizes: int) -> tuple[int, ...] | None:
    """Return the sizes of groups that grow by a factor; None for no factor."""
    return None if factor is None else tuple(math.ceil(size * factor) for size in sizes)


def settle_estimates(
    first: GroupRecord, second: GroupRecord | None, check: Check, level: float, alpha: float, *, highest: float
) -> Settling:
    """Plan with the standard errors seen, which shrink as the root of the samples.

    A violation is tested at `level`, compliance at `alpha`; `highest` is the largest value of the metric.
    """
    groups = [first] if second is None else [first, second]
    error = math.hypot(*(group.standard_error or 0.0 for group in groups))
    sign = -1.0 if check.limit_kind == "min_value" else 1.0
    value = (first.rate or 0.0) - (second.rate or 0.0 if second is not None else 0.0)
    distance = sign * (value - check.limit)
    power = float(special.ndtri(POWER))
    reach = power - float(special.ndtri(level if distance > 0.0 else alpha))
    shown = check.limit + sign * (power - float(special.ndtri(level))) * error
    factor = (reach * error / distance) ** 2 if distance != 0.0 else None
    return {
        "detectable": shown if 0.0 <= shown <= highest else None,
        "needed_samples": grown(factor, *(group.n for group in groups)),
    }
