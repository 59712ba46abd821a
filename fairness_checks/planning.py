"""How many samples to collect before a limit can be settled."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from fairness_checks.checks import LimitKind, limit_problem, unfit_limit
from fairness_checks.errors import ConfigurationError, did_you_mean
from fairness_checks.metrics import METRICS, Metric
from fairness_checks.stats.power import needed_factor, needed_factor_difference
from fairness_checks.stats.proportions import Contrast

__all__ = ["SamplePlan", "plan_sample_size"]


@dataclass(frozen=True, slots=True)
class SamplePlan:
    """Answer of `plan_sample_size`.

    Parameters
    ----------
    first, second : int
        Samples of each group that count for the metric: positives for a false negative rate, samples for a mean.
    shows : {"violation", "compliance"}
        What these samples show with the planned power if the values are as assumed.
    """

    first: int
    second: int
    shows: Literal["violation", "compliance"]


def plan_sample_size(
    *,
    first_value: float,
    second_value: float,
    metric: str = "accuracy",
    max_difference: float | None = None,
    min_ratio: float | None = None,
    max_mismatch: float | None = None,
    standard_deviation: float | None = None,
    positives: float = 0.5,
    allocation: float = 1.0,
    cluster_size: float = 1.0,
    intra_cluster_correlation: float = 0.0,
    alpha: float = 0.05,
    power: float = 0.8,
    checks: int = 1,
) -> SamplePlan:
    """Plan the samples of two groups that settle a limit, before collecting them.

    Parameters
    ----------
    first_value, second_value : float
        The two groups' values that you expect. Equal ones ask for the samples that show a fair model to be fair. For
        ``metric="uncertainty_mismatch"`` the areas A_error and A_uncertainty, the first group being the one with the
        higher error.
    metric : str
        A name of `fairness_checks.METRICS`. All rates are planned alike.
    max_difference, min_ratio, max_mismatch : float, optional
        The limit; exactly one of them.
    standard_deviation : float, optional
        Of the value of one sample, for means; in the metric's unit.
    positives : float
        Share of positives in both groups, in (0, 1), for ``roc_auc`` and ``balanced_accuracy``.
    allocation : float
        Samples of the second group for each one of the first, above 0.
    cluster_size : float
        Mean number of samples of a cluster, 1 or more.
    intra_cluster_correlation : float
        Correlation of two samples of a cluster, in [0, 1]. Samples are multiplied by the design effect
        1 + (cluster_size - 1) * intra_cluster_correlation.
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
        If an argument is impossible or missing, or the expected values lie on the limit.

    Notes
    -----
    Rates: normal approximation of the score test (Farrington and Manning, Stat. Med. 9 (1990) 1447-1454,
    doi:10.1002/sim.4780091208). Areas: the variance of Hanley and McNeil (Radiology 143 (1982) 29-36,
    doi:10.1148/radiology.143.1.7063747), for large samples; for a mismatch without the correlation of error and
    uncertainty, which makes the plan too large rather than too small. Plans of fewer than about 50 samples a group fall
    short, and so do those for skewed errors: the tests are more careful there.

    Examples
    --------
    >>> plan_sample_size(first_value=0.2, second_value=0.2, max_difference=0.05)
    SamplePlan(first=1100, second=1100, shows='compliance')
    >>> plan_sample_size(metric="roc_auc", first_value=0.9, second_value=0.8, max_difference=0.05)
    SamplePlan(first=735, second=735, shows='violation')
    """
    row = _metric(metric)
    kind, limit = _limit(row, max_difference, min_ratio, max_mismatch)
    _refuse_impossible(row, first_value, second_value)
    ranges = {
        "allocation": (allocation, 0.0, math.inf),
        "alpha": (alpha, 0.0, 0.5),
        "power": (power, 0.5, 1.0),
        "positives": (positives, 0.0, 1.0),
    }
    for name, (value, low, high) in ranges.items():
        if not low < value < high:
            raise ConfigurationError(f"{name}: {value:g} is outside ({low:g}, {high:g})")
    if checks < 1:
        raise ConfigurationError(f"checks: {checks} must be at least 1")
    if cluster_size < 1.0 or not 0.0 <= intra_cluster_correlation <= 1.0:
        raise ConfigurationError(
            f"cluster_size: {cluster_size:g} must be at least 1, intra_cluster_correlation: "
            f"{intra_cluster_correlation:g} within [0, 1]"
        )
    kept = _kept(first_value, second_value, kind, limit)
    level = alpha if kept else alpha / checks
    if row.kind == "proportion":
        factor = _rates_factor(first_value, second_value, allocation, kind, limit, level, power)
    else:
        error = math.sqrt(_variance(row, first_value, second_value, standard_deviation, positives, allocation))
        difference = first_value - second_value if kind == "max_mismatch" else abs(first_value - second_value)
        factor = needed_factor_difference(max(difference, 0.0), error, limit, level, alpha, power)
    if factor is None:
        raise ConfigurationError(
            f"values {first_value:g} and {second_value:g} lie on {kind} {limit:g} or next to it: "
            f"no number of samples settles it"
        )
    factor *= 1.0 + (cluster_size - 1.0) * intra_cluster_correlation
    first, second = (max(1, math.ceil(share * factor)) for share in (1.0, allocation))
    return SamplePlan(first, second, "compliance" if kept else "violation")


def _metric(name: str) -> Metric:
    if name not in METRICS:
        raise ConfigurationError(f"metric {name!r} does not exist; {did_you_mean(name, METRICS)}")
    metric = METRICS[name]
    if metric.components:
        parts = " and ".join(metric.components)
        raise ConfigurationError(
            f"metric: plan {parts} instead of {name}, with `checks` times {len(metric.components)}"
        )
    if metric.kind == "calibration_error":
        raise ConfigurationError(f"metric: {name} cannot be planned; its bias depends on how the scores fill the bins")
    return metric


def _limit(
    metric: Metric, max_difference: float | None, min_ratio: float | None, max_mismatch: float | None
) -> tuple[LimitKind, float]:
    given: dict[LimitKind, float | None] = {
        "max_difference": max_difference,
        "min_ratio": min_ratio,
        "max_mismatch": max_mismatch,
    }
    limits = {kind: value for kind, value in given.items() if value is not None}
    if len(limits) != 1:
        raise ConfigurationError(f"give exactly one of {', '.join(given)}")
    ((kind, limit),) = limits.items()
    if kind not in metric.limits:
        raise ConfigurationError(unfit_limit(metric, kind))
    if problem := limit_problem(kind, limit, metric):
        raise ConfigurationError(problem)
    return kind, float(limit)


def _refuse_impossible(metric: Metric, first: float, second: float) -> None:
    for name, value in (("first_value", first), ("second_value", second)):
        if not metric.lowest <= value <= metric.highest:
            raise ConfigurationError(f"{name}: {value:g} is outside [{metric.lowest:g}, {metric.highest:g}]")


def _kept(first: float, second: float, kind: LimitKind, limit: float) -> bool:
    if kind == "min_ratio":
        return min(first, second) > limit * max(first, second)
    return (first - second if kind == "max_mismatch" else abs(first - second)) < limit


def _rates_factor(
    first: float, second: float, allocation: float, kind: LimitKind, limit: float, level: float, power: float
) -> float | None:
    contrast: Contrast = "difference" if kind == "max_difference" else "ratio"
    (higher, n_higher), (lower, n_lower) = sorted([(first, 1.0), (second, allocation)], reverse=True)
    return needed_factor(higher, n_higher, lower, n_lower, limit, contrast, level, power)


def _variance(
    metric: Metric, first: float, second: float, deviation: float | None, positives: float, allocation: float
) -> float:
    """Variance of the difference for one sample of the first group and `allocation` samples of the second."""
    if metric.kind == "mean":
        if deviation is None or not deviation > 0.0:
            raise ConfigurationError(f"standard_deviation: {metric.name} needs that of one sample's value, above 0")
        return deviation**2 * (1.0 + 1.0 / allocation)
    if metric.kind == "uncertainty_mismatch":
        return _area_variance(first, 1.0, allocation) + _area_variance(second, 1.0, allocation)
    if metric.kind == "ranking":
        return sum(
            _area_variance(area, n * positives, n * (1.0 - positives))
            for area, n in ((first, 1.0), (second, allocation))
        )
    classes = (1.0 / positives + 1.0 / (1.0 - positives)) / 4.0  # balanced accuracy: two rates, half of each
    return sum(value * (1.0 - value) * classes / n for value, n in ((first, 1.0), (second, allocation)))


def _area_variance(area: float, m: float, n: float) -> float:
    """Hanley and McNeil's variance of an area, positives m and negatives n, without the terms that vanish as 1 / mn."""
    q1, q2 = area / (2.0 - area), 2.0 * area**2 / (1.0 + area)
    return (q2 - area**2) / m + (q1 - area**2) / n
