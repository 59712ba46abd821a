"""The worst of several estimates against a ceiling or a floor."""

from __future__ import annotations

import numpy as np

from fairness_checks.stats.estimates import Estimates, upper_quantile, upper_tail
from fairness_checks.stats.inference import Inference, deciding, rounding_of
from fairness_checks.stats.multiplicity import sidak, sidak_level
from fairness_checks.stats.skewness import flattened, steepened
from fairness_checks.typing import Array

__all__ = ["judge_worst", "judge_worst_estimate"]


def judge_worst_estimate(groups: Estimates, limit: float, alpha: float, *, ceiling: bool, method: str) -> Inference:
    """Judge the worst estimate against a ceiling or a floor by t tests; Sidak over the groups for a violation."""
    return judge_worst(groups.value, groups, groups, limit, alpha, ceiling=ceiling, method=method)


def judge_worst(
    value: Array,
    proven: Estimates,
    possible: Estimates,
    limit: float,
    alpha: float,
    *,
    ceiling: bool,
    method: str,
    steepness: Array | float = 0.0,
) -> Inference:
    """Judge the worst value where a violation and compliance are tested with estimates of their own."""
    # `steepness`, (G,), is that of compliance at strict levels; see `skewness.steepened`.
    # `proven` tests a violation, `possible` compliance. A group whose variance is nan shows nothing: p = 1, and the
    # interval is open on the side where it may lie.
    sign, count = 1.0 if ceiling else -1.0, len(value)
    near, near_error = sign * proven.value - proven.doubt, np.sqrt(proven.variance)
    far, far_error = sign * possible.value + possible.doubt, np.sqrt(possible.variance)
    violation = np.nan_to_num(upper_tail((near - sign * limit) / near_error, proven.freedom), nan=1.0)
    t = flattened((sign * limit - far) / far_error, possible.freedom, np.asarray(steepness))
    compliance = np.nan_to_num(upper_tail(t, possible.freedom), nan=1.0)
    level = sidak_level(alpha, count)
    least = _known(near - near_error * upper_quantile(level, proven.freedom), -np.inf)
    low = float(np.max(least))
    farthest = steepened(upper_quantile(alpha, possible.freedom), possible.freedom, np.asarray(steepness))
    high = float(np.max(_known(far + far_error * farthest, np.inf)))
    p_violation = sidak(float(violation.min()), count)
    step = rounding_of(near_error)
    proved = least > sign * limit
    shown = deciding(sign * value, violation, proved, violated=p_violation < alpha, ties=[near_error], step=step)
    return Inference(
        estimate=float(value[shown]),
        low=low if ceiling else -high,
        high=high if ceiling else -low,
        p_violation=p_violation,
        p_compliance=float(compliance.max()),
        first=shown,
        second=-1,
        comparisons=count,
        level=level,
        method=method if count == 1 else f"{method}, Sidak over {count} groups",
    )


def _known(bound: Array, otherwise: float) -> Array:
    return np.where(np.isnan(bound), otherwise, bound)
