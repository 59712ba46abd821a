"""What it would take to settle an inconclusive check: what its groups can show, and how large they would have to be."""

from __future__ import annotations

import math
from typing import TypedDict

from fairness_checks.checks import Check
from fairness_checks.records import GroupRecord
from fairness_checks.stats import power
from fairness_checks.stats.proportions import Contrast

__all__ = ["Settling", "settle_pair", "settle_value"]


class Settling(TypedDict, total=False):
    """The fields of a CheckRecord that say it; see there."""

    detectable: float | None
    needed_samples: tuple[int, ...] | None
    needed_samples_if_equal: tuple[int, ...] | None


def settle_value(group: GroupRecord, check: Check, level: float) -> Settling:
    """Answer for a ceiling or a floor: the deciding group, tested at `level`."""
    ceiling = check.limit_kind == "max_value"
    rate, limit = group.events / group.n, check.limit
    if not ceiling:  # a floor of the rate is a ceiling of its complement
        rate, limit = 1.0 - rate, 1.0 - limit
    detectable = power.detectable_value(group.n, limit, level)
    return {
        "detectable": detectable if ceiling or detectable is None else 1.0 - detectable,
        "needed_samples": _grown(power.needed_factor_value(rate, group.n, limit, level), group.n),
    }


def settle_pair(first: GroupRecord, second: GroupRecord, check: Check, level: float, alpha: float) -> Settling:
    """Answer for a difference or a ratio: the deciding pair.

    A violation is tested at `level`, simultaneous over the pairs; compliance at `alpha`.
    """
    contrast: Contrast = "difference" if check.limit_kind == "max_difference" else "ratio"
    higher, lower = (first, second) if contrast == "difference" else (second, first)
    high_rate, low_rate = higher.events / higher.n, lower.events / lower.n
    pooled = (higher.events + lower.events) / (higher.n + lower.n)
    limit, sizes = check.limit, (first.n, second.n)
    as_seen = power.needed_factor(high_rate, higher.n, low_rate, lower.n, limit, contrast, level)
    if_equal = power.needed_factor(pooled, higher.n, pooled, lower.n, limit, contrast, alpha)
    return {
        "detectable": power.detectable_disparity(low_rate, higher.n, lower.n, limit, contrast, level),
        "needed_samples": _grown(as_seen, *sizes),
        "needed_samples_if_equal": _grown(if_equal, *sizes),
    }


def _grown(factor: float | None, *sizes: int) -> tuple[int, ...] | None:
    return None if factor is None else tuple(math.ceil(size * factor) for size in sizes)
