"""What a plan is asked: the arguments of `fairness_checks.planning.sample_size`, checked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from fairness_checks.errors import ConfigurationError
from fairness_checks.kinds.design import Design
from fairness_checks.planning.needs import plan_of
from fairness_checks.question.arguments import count, number
from fairness_checks.question.checks import unfit_limit
from fairness_checks.question.limits import LIMITS, PAIRWISE, LimitKind, limit_problem
from fairness_checks.question.metric_names import alias_limit_problem, canonical, metric_hint
from fairness_checks.question.metrics import METRICS, Metric, parts_of

__all__ = ["OF_A_CLASS", "Value", "checked_values", "design", "second_values", "to_collect"]

_LIMITS: tuple[LimitKind, ...] = tuple(kind for kind, limit in LIMITS.items() if limit.slack is not None)

Value = float | tuple[float, float]
"""A group's value; of equalized odds its true and its false positive rate."""


def design(given: Mapping[str, Any], *, collects: bool = False) -> Design:
    """Check the arguments that plans share; `ConfigurationError` names the first that is impossible, and its range."""
    # `given` are arguments of `plan_sample_size` by name; others in it are not looked at. What is given and would be
    # ignored is refused: its author relies on it. A plan that `collects` samples says of how many patients they are.
    row = _metric(given["metric"])
    kind, limit = _limit(str(given["metric"]), row, {name: given[name] for name in _LIMITS if name in given})
    deviation = given["standard_deviation"]
    if deviation is None and any(plan_of(part).needs_deviation for part in parts_of(row)):
        raise ConfigurationError(f"standard_deviation: {row.name} needs that of one sample's value, above 0")
    _refuse_unread(row, given, collects=collects)
    size = number("cluster_size", given["cluster_size"], 1.0, math.inf, "[)")
    ratio = number("allocation", given["allocation"], 0.0, math.inf, "()")
    if kind not in PAIRWISE and ratio != 1.0:
        raise ConfigurationError(f"allocation: {ratio:g} compares two groups; {kind} asks the same of every group")
    of_clusters = number("intra_cluster_correlation", given["intra_cluster_correlation"], 0.0, 1.0, "[]")
    if of_clusters > 0.0 and size == 1.0:
        raise ConfigurationError(
            f"intra_cluster_correlation: {of_clusters:g} is not asked: "
            "clusters of one sample have none; give cluster_size"
        )
    return Design(
        metric=row,
        limit_kind=kind,
        limit=limit,
        standard_deviation=None if deviation is None else number("standard_deviation", deviation, 0.0, math.inf, "()"),
        positives=_HALF if given["positives"] is None else number("positives", given["positives"], 0.0, 1.0, "()"),
        correlation=-1.0
        if given["correlation"] is None
        else number("correlation", given["correlation"], -1.0, 1.0, "[]"),
        allocation=ratio,
        cluster_size=size,
        intra_cluster_correlation=of_clusters,
        alpha=number("alpha", given["alpha"], 0.0, 0.5, "()"),
        power=number("power", given["power"], 0.5, 1.0, "()"),
        tests=count("checks", given["checks"], 1) * len(parts_of(row)),
        groups=count("groups", given["groups"], 2 if kind in PAIRWISE else 1),
    )


_HALF = 0.5
_COUNTED = {
    "positives": "what counts are the positives alone",
    "negatives": "what counts are the negatives alone",
    "samples": "every sample counts, whatever its label",
}


def _refuse_unread(row: Metric, given: Mapping[str, Any], *, collects: bool) -> None:
    """Refuse what the metric's plan does not read."""
    plans = [plan_of(part) for part in parts_of(row)]
    if given["standard_deviation"] is not None and not any(plan.needs_deviation for plan in plans):
        raise ConfigurationError(
            f"standard_deviation: {given['standard_deviation']!r} is not asked: "
            f"that of {row.name} follows from its value"
        )
    if given["correlation"] is not None and not any(plan.reads_correlation for plan in plans):
        raise ConfigurationError(
            f"correlation: {given['correlation']!r} is not asked: "
            f"{row.name} has no uncertainty; uncertainty_mismatch has"
        )
    reads = row.components or any(plan.reads_positives for plan in plans)
    if given["positives"] is None or reads or (collects and row.unit in OF_A_CLASS):
        return
    why = _COUNTED.get(row.unit, f"what counts are {row.unit}, which the model decides")
    raise ConfigurationError(f"positives: {given['positives']!r} is not asked for {row.name}: {why}")


OF_A_CLASS = ("positives", "negatives")
"""Units of which the prevalence says among how many patients they are."""


def to_collect(asked: Design, positives: float | None, size: int) -> int | None:
    """Return the samples among which so many that count are expected; None where their share is not known."""
    # Samples of clusters are no patients, and how many clusters hold them `cluster_size` does not say of unequal ones.
    metric = asked.metric
    if asked.cluster_size > 1.0:
        return None
    if metric.unit == "samples" or metric.components:
        return size
    if positives is None or metric.unit not in OF_A_CLASS:
        return None
    share = positives if metric.unit == "positives" else 1.0 - positives
    return math.ceil(size / share - _ROUNDING)


_ROUNDING = 1e-6  # 30 / 0.1 is 300


def checked_values(name: str, value: object, design: Design) -> tuple[float, ...]:
    """Return a group's value, or its values of the metric's components."""
    metric = design.metric
    if metric.components:
        if not isinstance(value, tuple | list) or len(value) != len(metric.components):
            parts = ", ".join(metric.components)
            raise ConfigurationError(f"{name}: {value!r}; {metric.name} needs its values as ({parts})")
        return tuple(number(name, part, 0.0, 1.0, "[]") for part in value)  # rates
    lowest = 0.5 if design.limit_kind == "max_mismatch" and name == "first_value" else metric.lowest
    try:
        return (number(name, value, lowest, metric.highest, _bracket(lowest, "[(") + _bracket(metric.highest, "])")),)
    except ConfigurationError as error:
        if lowest == metric.lowest:
            raise
        raise ConfigurationError(f"{error}: the first group is the one with the higher error, by A_error") from None


def second_values(value: object, asked: Design) -> tuple[float, ...]:
    """Return the second group's values, which a ceiling or a floor has none of."""
    if asked.limit_kind in PAIRWISE:
        if value is None:
            raise ConfigurationError(f"second_value: missing; {asked.limit_kind} compares two groups")
        return checked_values("second_value", value, asked)
    if value is not None:
        raise ConfigurationError(f"second_value: {value!r} is not asked; {asked.limit_kind} limits each group's value")
    return (math.nan,)


def _bracket(end: float, brackets: str) -> str:
    return brackets[1 if math.isinf(end) else 0]


def _metric(name: object) -> Metric:
    if not isinstance(name, str):
        raise ConfigurationError(f"metric: {name!r} is no name; allowed: {', '.join(METRICS)}")
    ours = canonical(name, METRICS)
    if ours not in METRICS:
        raise ConfigurationError(f"metric {name!r} does not exist; {metric_hint(name, METRICS)}")
    metric = METRICS[ours]
    for part in parts_of(metric):
        plan_of(part)  # an error here if it cannot be planned
    return metric


def _limit(name: str, metric: Metric, given: Mapping[LimitKind, Any]) -> tuple[LimitKind, float]:
    limits = {kind: value for kind, value in given.items() if value is not None}
    if len(limits) != 1:
        raise ConfigurationError(f"give exactly one of {', '.join(given)}; {len(limits)} given")
    ((kind, limit),) = limits.items()
    if problem := alias_limit_problem(name, METRICS, kind):
        raise ConfigurationError(problem)
    if kind not in metric.limits:
        raise ConfigurationError(unfit_limit(metric, kind))
    if problem := limit_problem(kind, limit, metric):
        raise ConfigurationError(problem)
    return kind, float(limit)
