"""What the samples that you can have will show, before they are collected."""

from __future__ import annotations

import math

from fairness_checks.kinds.design import Design
from fairness_checks.planning.arguments import Value, design, second_values
from fairness_checks.planning.needs import components, fewest, independent, needed
from fairness_checks.question.arguments import count
from fairness_checks.stats.roots import root

__all__ = ["plan_detectable"]

_TOO_MANY = 50.0  # logarithm of a number of samples that nobody has


def plan_detectable(
    *,
    first: int,
    second: int | None = None,
    second_value: Value | None = None,
    metric: str = "accuracy",
    max_difference: float | None = None,
    min_ratio: float | None = None,
    max_value: float | None = None,
    min_value: float | None = None,
    max_mismatch: float | None = None,
    standard_deviation: float | None = None,
    positives: float | None = None,
    correlation: float | None = None,
    cluster_size: float = 1.0,
    intra_cluster_correlation: float = 0.0,
    alpha: float = 0.05,
    power: float = 0.8,
    checks: int = 1,
    groups: int = 2,
) -> float | None:
    """Say which violation samples will show, before collecting them: the inverse of `plan_sample_size`.

    Parameters
    ----------
    first, second : int
        Samples of the first and of every further group that count for the metric, 1 or more, as in `SamplePlan`;
        `second` is as many as `first` by default, and is not asked for a ceiling or a floor.
    second_value : float, or (float, float) for ``equalized_odds``
        The value that you expect of the second group; of a mismatch the AUC A_uncertainty. The first group is the one
        that fares worse: its error rate is higher, its accuracy lower. Where neither is worse the direction counts in
        which less is detectable. Not asked for a ceiling or a floor.
    metric, max_difference, min_ratio, max_value, min_value, max_mismatch, standard_deviation, positives, correlation, \
cluster_size, intra_cluster_correlation, alpha, power, checks, groups
        As for `plan_sample_size`.

    Returns
    -------
    float or None
        In the limit's unit: the smallest true difference or mismatch past the limit that the gate shows with the
        power, the largest ratio below it, the value nearest to a ceiling or a floor. For ``equalized_odds`` it is shown
        whichever of the two rates differs. None where these samples show no violation at all, or the
        gate would not judge so few.

    Raises
    ------
    ConfigurationError
        As `plan_sample_size`.

    Examples
    --------
    >>> from fairness_checks.planning.sample_size import plan_sample_size
    >>> shown = plan_detectable(
    ...     metric="false_negative_rate", first=200, second=300, second_value=0.2, max_difference=0.05
    ... )
    >>> round(shown, 3)
    0.151
    >>> plan_sample_size(first_value=0.2 + shown, second_value=0.2, max_difference=0.05, allocation=1.5)
    SamplePlan(first=200, second=300, shows='violation')
    """
    given = locals()
    sizes = (count("first", first, 1), count("second", first if second is None else second, 1))
    asked = design({**given, "allocation": 1.0 if second is None else sizes[1] / sizes[0]})
    values = second_values(second_value, asked)
    if min(sizes) < fewest(asked):
        return None
    if not asked.metric.components:
        return _detectable(asked, float(sizes[0]), values[0])
    of_each = [
        _detectable(part, sizes[0] * share, value)
        for (part, share), value in zip(components(asked), values, strict=True)
    ]
    found = [shown for shown in of_each if shown is not None]
    if len(found) < len(of_each):
        return None
    return min(found) if asked.limit_kind == "min_ratio" else max(found)


def _violating_value(design: Design, size: float, second: float, *, upwards: bool) -> float | None:
    """Nearest value of the first group past the limit, on one side of the second's, that a size shows; or None."""
    limit, sign, metric = design.limit, 1.0 if upwards else -1.0, design.metric
    edge = limit
    if design.limit_kind == "max_difference":
        edge = second + sign * limit
    elif design.limit_kind == "min_ratio":
        edge = second / limit if upwards else second * limit
    elif design.limit_kind == "max_mismatch":
        edge = max(second + limit, 0.5)
    end = metric.highest if upwards else metric.lowest

    def excess(value: float) -> float:
        if design.keeps(value, second):  # by a rounding error
            return _TOO_MANY
        alike, worth = independent(design, size, value, second)
        found = needed(alike, value, second)
        return _TOO_MANY if found is None else math.log(max(found, 1e-300) / worth)

    if math.isinf(end):
        end = edge + sign
        while excess(end) > 0.0 and math.isfinite(end):
            end = edge + 2.0 * (end - edge)
    elif sign * (end - edge) <= 0.0:
        return None
    if not excess(end) <= 0.0:
        return None
    return root(excess, edge, end, xtol=1e-12 * max(1.0, abs(edge)), rtol=1e-12)


def _detectable(asked: Design, size: float, second: float) -> float | None:
    """Return the disparity, or the value, that a size shows; of two directions the one in which less is detectable."""
    by_limit = {"max_value": (True,), "min_value": (False,), "max_mismatch": (True,)}
    by_metric = {True: (True,), False: (False,), None: (True, False)}
    directions = by_limit.get(asked.limit_kind, by_metric[asked.metric.lower_is_better])
    shown = [_violating_value(asked, size, second, upwards=upwards) for upwards in directions]
    firsts = [first for first in shown if first is not None]
    if not firsts:
        return None
    if asked.limit_kind == "min_ratio":
        return max(min(first, second) / max(first, second) for first in firsts)
    if asked.pairwise:
        return min(abs(first - second) for first in firsts)
    return firsts[0]
