"""What it would take to settle an inconclusive check: the fields of a CheckRecord that say it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypedDict

from scipy import special

from fairness_checks.question.checks import Check
from fairness_checks.records.parts import GroupRecord
from fairness_checks.records.sweep_record import SweepRecord
from fairness_checks.stats import power
from fairness_checks.stats.inference import Inference
from fairness_checks.stats.roots import root

__all__ = [
    "PowerAnalysis",
    "grown",
    "power_of_difference",
    "power_of_estimates",
    "power_of_sweep",
    "power_of_worsening",
]


_MOST_REPEATS = 1_000  # beyond which nobody trains a model that often


class PowerAnalysis(TypedDict, total=False):
    """See `fairness_checks.records.check_record.CheckRecord`."""

    detectable: float | None
    needed_samples: tuple[int, ...] | None
    needed_samples_if_equal: tuple[int, ...] | None
    needed_repeats: int | None


def grown(factor: float | None, *sizes: int) -> tuple[int, ...] | None:
    """Return the sizes of groups that grow by a factor; None for no factor."""
    return None if factor is None else tuple(math.ceil(size * factor) for size in sizes)


def power_of_estimates(
    first: GroupRecord, second: GroupRecord | None, check: Check, level: float, alpha: float
) -> PowerAnalysis:
    """Plan with the standard errors seen, which shrink as the root of the samples."""
    # A violation is tested at `level`, compliance at `alpha`.
    if second is None:
        return _power_of_value(first, check, level, alpha)
    error = math.hypot(first.standard_error or 0.0, second.standard_error or 0.0)
    return power_of_difference((first.rate or 0.0) - (second.rate or 0.0), error, [first, second], check, level, alpha)


def power_of_difference(
    difference: float, error: float, groups: list[GroupRecord], check: Check, level: float, alpha: float
) -> PowerAnalysis:
    """Plan for a disparity with a standard error that shrinks as the root of the groups' samples."""
    metric, sizes = check.definition, [group.n for group in groups]
    shown = power.detectable_difference(error, check.limit, level)
    as_seen = power.needed_factor_difference(max(difference, 0.0), error, check.limit, level, alpha)
    if_equal = power.needed_factor_difference(0.0, error, check.limit, level, alpha) if check.limit > 0.0 else None
    return {
        "detectable": shown if shown <= metric.highest - metric.lowest else None,
        "needed_samples": grown(as_seen, *sizes),
        "needed_samples_if_equal": grown(if_equal, *sizes),
    }


def power_of_sweep(
    found: Inference, check: Check, sweep: SweepRecord, rows: Sequence[int], level: float, alpha: float
) -> PowerAnalysis:
    """Say what a sweep shows, and how many repeats of the same rows, or rows, would settle it."""
    # With more rows all of the variance shrinks; with more repeats that of their mean over the same rows alone, and
    # the degrees of freedom grow, unless clusters bound them.
    error, freedom = found.standard_error or 0.0, sweep.freedom or 1.0
    sign = -1.0 if check.limit_kind == "min_reduction" else 1.0
    both = 2.0 if check.limit == 0.0 and sign > 0.0 else 1.0
    if sign < 0.0:  # of several contrasts, the ends of the interval know the one that stands in the way
        error = max(found.high - found.estimate, 0.0) / -float(special.stdtrit(freedom, found.level))
    shown = check.limit + sign * _reach(level / both, freedom) * error
    span = check.definition.highest - check.definition.lowest
    answer: PowerAnalysis = {"detectable": shown if check.gap == "dependence" or abs(shown) <= span else None}
    distance = sign * (found.estimate - check.limit)
    if sign < 0.0 and distance < 0.0:
        error = max(found.estimate - found.low, 0.0) / -float(special.stdtrit(freedom, alpha))
    if distance == 0.0 or error == 0.0:
        return answer
    tested = level / both if distance > 0.0 else alpha
    factor = max((_reach(tested, freedom) * error / distance) ** 2, 1.0)
    repeats = _repeats(abs(distance) / error, sweep, tested)
    answer |= {"needed_samples": grown(factor, *rows), "needed_repeats": repeats}
    if check.limit_kind == "max_difference" and check.limit > 0.0:
        if_equal = power.needed_factor_difference(0.0, error, check.limit, level, alpha)
        answer["needed_samples_if_equal"] = grown(if_equal, *rows)
    return answer


def _reach(level: float, freedom: float) -> float:
    """Return how many standard errors an estimate must be away from its limit to be told with the power asked for."""
    return float(special.stdtrit(freedom, power.POWER)) - float(special.stdtrit(freedom, level))


def _repeats(distance: float, sweep: SweepRecord, level: float) -> int | None:
    """Return the repeats that tell a gap so many standard errors from its limit; None where `_MOST_REPEATS` do not."""
    now, share = sweep.repeats - sweep.undefined, sweep.repeat_share or 0.0
    bounded = sweep.freedom is not None and sweep.freedom < now - 1.0

    def short(repeats: float) -> float:
        freedom = (sweep.freedom or 1.0) if bounded else repeats - 1.0
        return _reach(level, freedom) * math.sqrt(1.0 - share + share * now / repeats) - distance

    if short(_MOST_REPEATS) > 0.0:
        return None
    return now if short(now) <= 0.0 else math.ceil(root(short, now, _MOST_REPEATS))


def power_of_worsening(found: Inference, check: Check, level: float) -> PowerAnalysis:
    """Say what worsening these samples show; the standard error is read off the half of the interval that proves it."""
    z = float(special.ndtri(1.0 - level))
    error = max(found.estimate - found.low, 0.0) / z
    shown = check.limit + (z + float(special.ndtri(power.POWER))) * error
    metric = check.definition
    return {"detectable": shown if error > 0.0 and shown <= metric.highest - metric.lowest else None}


def _power_of_value(group: GroupRecord, check: Check, level: float, alpha: float) -> PowerAnalysis:
    """Plan for one group's value against a ceiling or a floor."""
    metric, error = check.definition, group.standard_error or 0.0
    sign = -1.0 if check.limit_kind == "min_value" else 1.0
    distance = sign * ((group.rate or 0.0) - check.limit)
    enough = float(special.ndtri(power.POWER))
    reach = enough - float(special.ndtri(level if distance > 0.0 else alpha))
    shown = check.limit + sign * (enough - float(special.ndtri(level))) * error
    factor = (reach * error / distance) ** 2 if distance != 0.0 else None
    return {
        "detectable": shown if metric.lowest <= shown <= metric.highest else None,
        "needed_samples": grown(factor, group.n),
    }
