"""`fairness_metric`: a metric of the user's own, registered so that thresholds.yaml can name it. Loads no NumPy."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar, overload

from fairness_checks.errors import ConfigurationError
from fairness_checks.question.arguments import as_float
from fairness_checks.question.limits import OF_RATES, OF_VALUES
from fairness_checks.question.metrics import METRICS, Metric

if TYPE_CHECKING:
    from fairness_checks.inputs.predictions import Predictions

__all__ = ["any_metric", "fairness_metric", "own_in_sweeps", "own_metric_problem", "registered"]

_MARK = "__fairness_metric__"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}")  # as it stands in node ids
_F = TypeVar("_F", bound="Callable[[Predictions], Any]")


class _OwnKind(NamedTuple):
    """What a user's own metric of a kind may have: a range, limits, and whether a sweep takes it."""

    lowest: float
    highest: float
    limits: tuple[str, ...]
    fixed: bool = False
    """Whether it has this range and no other."""
    in_sweeps: bool = True


_KINDS: Mapping[str, _OwnKind] = MappingProxyType(
    {
        "mean": _OwnKind(-math.inf, math.inf, OF_VALUES),
        # A sweep keeps of a rate's samples their confusion counts, which do not say it.
        "proportion": _OwnKind(0.0, 1.0, OF_RATES, fixed=True, in_sweeps=False),
    }
)


@overload
def fairness_metric(function: _F) -> _F: ...
@overload
def fairness_metric(
    *,
    name: str | None = None,
    formula: str | None = None,
    kind: Literal["mean", "proportion"] = "mean",
    unit: str = "samples",
    lower_is_better: bool | None = True,
    lowest: float | None = None,
    highest: float | None = None,
) -> Callable[[_F], _F]: ...
def fairness_metric(function: Any = None, **about: Any) -> Any:
    """Register a metric of your own, so that thresholds.yaml can name it, in ``subgroups:`` and ``sweep:``.

    Parameters
    ----------
    function : callable
        In a conftest.py or a plugin. Takes `Predictions` of n samples and returns the value of each, shape (n,); a
        sample whose value is NaN does not count. It stays the function that it is.
    name : str, optional
        In thresholds.yaml and records; letters, digits and underscores. Default: the function's name.
    formula : str, optional
        What it is within a group. Default: the first line of the function's docstring.
    kind : {"mean", "proportion"}
        Whether the values are numbers, or 0 and 1. A sweep takes means.
    unit : str
        What is counted, in the plural.
    lower_is_better : bool or None
        None where neither direction is worse.
    lowest, highest : float, optional
        Range of the values. Default: 0 and 1 of a proportion, none of a mean.

    Returns
    -------
    callable
        The function itself; `audit(predictions, metric=function, ...)` takes it too.

    Raises
    ------
    ConfigurationError
        If the name is one of `METRICS` or cannot stand in thresholds.yaml, or something else is impossible.

    Examples
    --------
    >>> @fairness_metric(kind="proportion", unit="positives")
    ... def missed(predictions):
    ...     return [float(not d) if y else float("nan") for y, d in zip(predictions.y_true, predictions.y_pred)]
    >>> registered(missed).name
    'missed'
    """
    if function is None:
        return functools.partial(_register, **about)
    return _register(function, **about)


def registered(value: object) -> Metric | None:
    """Return the metric that a function was registered as; None for anything else."""
    found = getattr(value, "__dict__", {}).get(_MARK)  # not getattr: some module attributes answer to any name
    return found if isinstance(found, Metric) else None


def any_metric(name: str) -> Metric:
    """Return what stands for a metric of which only the name is known: it has every kind of limit, and any value."""
    if not _NAME.fullmatch(name) or name in METRICS:
        raise ConfigurationError(f"{name!r} cannot be a metric of your own: it is one of the table, or no such name")
    limits = OF_RATES
    return Metric(name=name, formula="", kind="mean", lowest=-math.inf, highest=math.inf, limits=limits)


def own_metric_problem(metric: Metric) -> str | None:
    """Say why a metric cannot be one of the user's own; None where it can."""
    if metric.name in METRICS:
        return f"{metric.name!r} is a metric of the table; give yours another name"
    if metric.per_sample is None:
        return f"{metric.name!r} needs per_sample, a function that gives each sample's value"
    if metric.kind not in _KINDS or metric.components:
        return f"{metric.name!r} has kind {metric.kind!r}; allowed: {', '.join(_KINDS)}"
    if metric.words:
        return f"{metric.name!r} has words, which no record carries; reports say its name"
    if unknown := [kind for kind in metric.limits if kind not in _KINDS[metric.kind].limits]:
        return f"{metric.name!r} has limits {', '.join(unknown)}, for which {metric.kind}s have no inference"
    return None


def own_in_sweeps(metric: Metric) -> bool:
    """Say whether a sweep takes a metric of the user's own."""
    return metric.kind in _KINDS and _KINDS[metric.kind].in_sweeps


def _register(
    function: Any,
    *,
    name: str | None = None,
    formula: str | None = None,
    kind: Literal["mean", "proportion"] = "mean",
    unit: str = "samples",
    lower_is_better: bool | None = True,
    lowest: float | None = None,
    highest: float | None = None,
) -> Any:
    if not callable(function) or not hasattr(function, "__dict__"):
        raise ConfigurationError(
            f"@fairness_metric: {function!r} is no function that a metric can be made of; write @fairness_metric or "
            "@fairness_metric(name=...) above a def"
        )
    called = getattr(function, "__name__", None) if name is None else name
    if not isinstance(called, str) or not _NAME.fullmatch(called):
        raise ConfigurationError(
            f"@fairness_metric: {called!r} cannot stand in thresholds.yaml; give name=, "
            "at most 40 of a-z, A-Z, 0-9 and _, no digit first"
        )
    if kind not in _KINDS:
        raise ConfigurationError(f"@fairness_metric: {called!r} has kind {kind!r}; allowed: {', '.join(_KINDS)}")
    its = _KINDS[kind]
    low, high = its.lowest if lowest is None else lowest, its.highest if highest is None else highest
    ends = (as_float(low), as_float(high))
    if None in ends or not low < high or (its.fixed and ends != (its.lowest, its.highest)):
        raise ConfigurationError(
            f"@fairness_metric {called}: lowest {low!r} and highest {high!r} are no range of a {kind}"
        )
    metric = Metric(
        name=called,
        formula=formula or (function.__doc__ or f"{called}, by sample").strip().splitlines()[0],
        kind=kind,
        per_sample=function,
        unit=unit,
        lower_is_better=lower_is_better,
        lowest=low,
        highest=high,
        limits=its.limits,
    )
    if (problem := own_metric_problem(metric)) is not None:
        raise ConfigurationError(f"@fairness_metric: {problem}")
    setattr(function, _MARK, metric)
    return function
