"""What is asked: one metric, by one or more sensitive features, against one limit."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias, get_args

from fairness_checks.errors import ConfigurationError, did_you_mean
from fairness_checks.metrics import METRICS

__all__ = [
    "LIMIT_KINDS",
    "Burden",
    "Check",
    "CheckKey",
    "Correction",
    "LimitKind",
    "MissingSensitive",
    "Settings",
    "limit_problem",
    "unfit_limit",
]

LimitKind: TypeAlias = Literal["max_difference", "min_ratio", "max_value", "min_value"]
Correction: TypeAlias = Literal["holm", "benjamini_hochberg", "none"]
Burden: TypeAlias = Literal["violation", "compliance"]
MissingSensitive: TypeAlias = Literal["error", "group"]

CheckKey: TypeAlias = tuple[str, str, tuple[str, ...], str]

LIMIT_KINDS = MappingProxyType(
    {
        # name: (lowest limit, is it allowed?, highest limit, is it allowed?); past these ends nothing can violate
        "max_difference": (0.0, True, 1.0, False),
        "min_ratio": (0.0, False, 1.0, True),
        "max_value": (0.0, True, 1.0, False),
        "min_value": (0.0, False, 1.0, True),
    }
)


def limit_problem(kind: str, limit: float) -> str | None:
    """Say what is wrong with a limit, or return None.

    Examples
    --------
    >>> limit_problem("max_difference", 1.5)
    'max_difference: 1.5 is impossible; allowed: 0 <= max_difference < 1'
    """
    low, low_allowed, high, high_allowed = LIMIT_KINDS[kind]
    if (low < limit or (low_allowed and limit == low)) and (limit < high or (high_allowed and limit == high)):
        return None
    lower, upper = "<=" if low_allowed else "<", "<=" if high_allowed else "<"
    return f"{kind}: {limit:g} is impossible; allowed: {low:g} {lower} {kind} {upper} {high:g}"


def unfit_limit(metric: str, kind: str) -> str:
    """Say that a metric has no inference for a kind of limit, and which it has."""
    return f"{kind} is not available for {metric}; allowed: {', '.join(METRICS[metric].limits)}"


@dataclass(frozen=True, slots=True)
class Check:
    """One question to a model's predictions.

    Parameters
    ----------
    metric : str
        A name of `fairness_checks.metrics.METRICS`.
    by : tuple of str
        Sensitive features; more than one asks for the groups of their intersection.
    limit_kind : {"max_difference", "min_ratio", "max_value", "min_value"}
        What is limited: the largest difference between two groups, the smallest ratio of two groups, the
        highest or the lowest value of any group.
    limit : float
        The limit, in the metric's unit (a proportion, 0 to 1).

    Raises
    ------
    ConfigurationError
        If the metric does not exist, ``by`` is empty or repeats a feature, or the limit can never be violated.

    Examples
    --------
    >>> Check("false_negative_rate", ("sex",), "max_difference", 0.05).key
    ('subgroups', 'false_negative_rate', ('sex',), 'max_difference')
    """

    metric: str
    by: tuple[str, ...]
    limit_kind: LimitKind
    limit: float

    def __post_init__(self) -> None:
        if self.metric not in METRICS:
            raise ConfigurationError(f"metric {self.metric!r} does not exist; {did_you_mean(self.metric, METRICS)}")
        if not self.by or len(set(self.by)) != len(self.by):
            raise ConfigurationError(f"by: {list(self.by)!r} must name one or more different sensitive features")
        if self.limit_kind not in get_args(LimitKind):
            raise ConfigurationError(
                f"limit {self.limit_kind!r} does not exist; {did_you_mean(self.limit_kind, LIMIT_KINDS)}"
            )
        if self.limit_kind not in METRICS[self.metric].limits:
            raise ConfigurationError(unfit_limit(self.metric, self.limit_kind))
        if problem := limit_problem(self.limit_kind, self.limit):
            raise ConfigurationError(problem)

    @property
    def key(self) -> CheckKey:
        """Identity of the check within its model: (check, metric, by, limit kind)."""
        return ("subgroups", self.metric, self.by, self.limit_kind)


@dataclass(frozen=True, slots=True)
class Settings:
    """How a question is decided; the ``defaults`` of thresholds.yaml.

    Parameters
    ----------
    alpha : float
        Significance level, in (0, 0.5).
    correction : {"holm", "benjamini_hochberg", "none"}
        Adjustment of the violation p-values over the checks of a model.
    burden_of_proof : {"violation", "compliance"}
        Whether an unsettled check is counted apart or fails the run.
    min_group_size : int
        Groups with fewer samples are not judged; they leave the check inconclusive unless the others violate it.
    missing_sensitive : {"error", "group"}
        Whether samples without a sensitive value are an error or a group of their own.
    """

    alpha: float = 0.05
    correction: Correction = "holm"
    burden_of_proof: Burden = "violation"
    min_group_size: int = 10
    missing_sensitive: MissingSensitive = "error"

    def __post_init__(self) -> None:
        if not 0.0 < self.alpha < 0.5:
            raise ConfigurationError(f"alpha: {self.alpha:g} is outside (0, 0.5)")
        if self.min_group_size < 1:
            raise ConfigurationError(f"min_group_size: {self.min_group_size} must be at least 1")
        allowed = (
            ("correction", Correction),
            ("burden_of_proof", Burden),
            ("missing_sensitive", MissingSensitive),
        )
        for name, values in allowed:
            value = getattr(self, name)
            if value not in get_args(values):
                raise ConfigurationError(f"{name}: {value!r}; {did_you_mean(str(value), get_args(values))}")

    def too_few(self, samples: int) -> str | None:
        """Say that a group has too few samples to be judged; None if it has enough."""
        few = samples < self.min_group_size
        return f"{samples} samples, fewer than min_group_size {self.min_group_size}" if few else None
