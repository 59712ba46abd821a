"""`audit` and `audit_uncertainty`: one check without pytest or YAML."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fairness_checks.errors import ConfigurationError
from fairness_checks.inputs.group_names import clean
from fairness_checks.inputs.predictions import Predictions
from fairness_checks.judge.evaluation import Evaluation
from fairness_checks.judge.listeners import Basis, announced
from fairness_checks.judge.measurements import measure
from fairness_checks.judge.verdict import judge_measured
from fairness_checks.question.checks import MISMATCH, Burden, Check, MissingSensitive, Settings, Strata
from fairness_checks.question.limits import OF_RATES, LimitKind
from fairness_checks.question.metrics import Metric
from fairness_checks.question.own_metrics import own_metric_problem, registered
from fairness_checks.records.check_record import CheckRecord

if TYPE_CHECKING:
    from fairness_checks.judge.part_statistics import PartStatistics

__all__ = ["audit", "audit_uncertainty"]

PerSample = Callable[[Predictions], Any]


def audit(
    predictions: Predictions | PartStatistics,
    *,
    metric: str | Metric | PerSample,
    by: str | Sequence[str] | None = None,
    max_difference: float | None = None,
    min_ratio: float | None = None,
    max_value: float | None = None,
    min_value: float | None = None,
    control_features: str | Sequence[str] = (),
    strata: Strata = "each",
    absent: Sequence[Sequence[str]] = (),
    alpha: float = 0.05,
    min_group_size: int = 10,
    burden_of_proof: Burden = "violation",
    missing_sensitive: MissingSensitive = "error",
    missing_text: Sequence[str] | None = None,
    model: str = "predictions",
) -> CheckRecord:
    """Check one metric by group against one limit: the verdict of ``pytest --fairness`` without pytest or YAML.

    Parameters
    ----------
    predictions : Predictions or PartStatistics
        n samples; or statistics of theirs, as `merge_parts` adds up.
    metric : str, Metric or callable
        A name of `fairness_checks.METRICS`; or a metric of your own: a named function that takes the Predictions and
        returns the value of each sample, shape (n,), whose mean by group is compared (a rate where the values are
        bool; a sample whose value is NaN does not count); or such a function with its range and unit as a `Metric`.
    by : str or sequence of str, optional
        Sensitive feature, or several for their intersection. Default: the only feature there is.
    max_difference, min_ratio, max_value, min_value : float, optional
        The limit; exactly one of them.
    control_features : str or sequence of str
        Sensitive features within whose strata groups are compared.
    strata : {"each", "combined"}
        With control features: whether the limit holds in each stratum, or for values standardised over the strata.
    absent : sequence of sequence of str
        Groups that cannot exist, such as ``[["male", "yes"]]`` by sex and pregnancy: a value for each of
        `control_features` and then of `by`. They are not judged; one that has samples is an error.
    alpha : float
        Significance level of each direction; nothing is adjusted, as there is one check.
    min_group_size : int
        Smaller groups are not judged.
    burden_of_proof : {"violation", "compliance"}
        Kept in the record; it decides what pytest makes of an inconclusive verdict.
    missing_sensitive : {"error", "group"}
        What to do with samples without a sensitive value.
    missing_text : sequence of str, optional
        Every text that means a missing value, such as "NA" or "?"; all others are names of groups. Where it is not
        given, text that programs write for a missing value ("nan", "None", "NA", "?", ...) is an error, or a missing
        value where these are a group.
    model : str
        Name in the record.

    Returns
    -------
    CheckRecord
        ``record.verdict`` is "pass", "fail" or "inconclusive".

    Raises
    ------
    ConfigurationError, InvalidPredictions
        Naming the argument or array, the value and the remedy.

    Examples
    --------
    >>> y_true = [1] * 80
    >>> y_pred = [1] * 38 + [0] * 2 + [1] * 20 + [0] * 20
    >>> predictions = Predictions(y_true, y_pred, sensitive_features={"sex": ["male"] * 40 + ["female"] * 40})
    >>> record = audit(predictions, metric="false_negative_rate", by="sex", max_difference=0.1)
    >>> record.verdict, record.first, round(record.estimate, 3)
    ('fail', ('female',), 0.45)
    """
    given: dict[LimitKind, float | None] = {
        "max_difference": max_difference,
        "min_ratio": min_ratio,
        "max_value": max_value,
        "min_value": min_value,
    }
    _require_predictions(predictions)
    limits = {kind: value for kind, value in given.items() if value is not None}
    if len(limits) != 1:
        raise ConfigurationError(f"give exactly one of {', '.join(given)}; {len(limits)} given")
    if metric == MISMATCH:
        raise ConfigurationError(f"metric {MISMATCH!r}: ask audit_uncertainty(..., max_mismatch=...)")
    ((kind, limit),) = limits.items()
    name, custom = _metric(metric, predictions)
    control = _names("control_features", control_features)
    if strata == "combined" and not control:
        raise ConfigurationError(f"strata: {strata!r} has no control_features to make strata of")
    features = _features(predictions, by, control)
    check = Check(name, features, kind, limit, control, strata, custom, absent=_cells(absent))
    settings = Settings(alpha, "none", burden_of_proof, min_group_size, missing_sensitive, missing_text)
    return _audited(model, predictions, check, settings)


def audit_uncertainty(
    predictions: Predictions | PartStatistics,
    *,
    max_mismatch: float,
    by: str | Sequence[str] | None = None,
    absent: Sequence[Sequence[str]] = (),
    alpha: float = 0.05,
    min_group_size: int = 10,
    burden_of_proof: Burden = "violation",
    missing_sensitive: MissingSensitive = "error",
    missing_text: Sequence[str] | None = None,
    model: str = "predictions",
) -> CheckRecord:
    """Check whether a model's uncertainty warns of the group in which its errors are higher.

    The mismatch is A_error - A_uncertainty, A_x = P(x is higher in the group with the higher error) + P(equal) / 2. It
    is 0 where the uncertainty separates the groups as the errors do, and positive where it does not warn.

    Parameters
    ----------
    predictions : Predictions
        With `error` and `uncertainty`; a classifier's scores give both: ``|y_true - y_score|`` and the score's entropy.
    max_mismatch : float
        Largest mismatch allowed, in [0, 1).
    by, absent, alpha, min_group_size, burden_of_proof, missing_sensitive, missing_text, model
        As for `audit`.

    Returns
    -------
    CheckRecord
        ``record.also`` holds "error_auc" and "uncertainty_auc" of the deciding pair; each group's ``also`` holds its
        "mean_absolute_error", its "spearman" correlation of uncertainty with error, and its "risk_coverage_area".

    Examples
    --------
    >>> rng = __import__("numpy").random.default_rng(0)
    >>> predictions = Predictions(
    ...     error=[1.0 + rng.random() for _ in range(50)] + [rng.random() for _ in range(50)],
    ...     uncertainty=rng.random(100),
    ...     sensitive_features={"skin": ["dark"] * 50 + ["light"] * 50},
    ... )
    >>> record = audit_uncertainty(predictions, by="skin", max_mismatch=0.1)
    >>> record.verdict, record.first, record.also["error_auc"]
    ('fail', ('dark',), 1.0)
    """
    _require_predictions(predictions)
    check = Check(MISMATCH, _features(predictions, by), "max_mismatch", max_mismatch, absent=_cells(absent))
    settings = Settings(alpha, "none", burden_of_proof, min_group_size, missing_sensitive, missing_text)
    return _audited(model, predictions, check, settings)


def _audited(model: str, given: Predictions | PartStatistics, check: Check, settings: Settings) -> CheckRecord:
    predictions = given if isinstance(given, Predictions) else None
    if isinstance(given, Predictions):
        measured = measure(Evaluation(given, about=given.about), [check], settings)
    else:
        measured = given.measurements([check], missing=settings.missing)
    (answer,) = judge_measured(model, measured, [check], settings)
    if isinstance(answer, Exception):
        raise answer
    return announced(Basis(answer, predictions, check, settings, measured))


def _require_predictions(given: object) -> None:
    # By its name, without loading what reads documents.
    if not isinstance(given, Predictions) and type(given).__name__ != "PartStatistics":
        raise ConfigurationError(
            f"predictions: {type(given).__name__} is no Predictions; give "
            f"Predictions(y_true, y_pred, sensitive_features=...)"
        )


def _names(argument: str, value: object) -> tuple[str, ...]:
    names = value if isinstance(value, list | tuple) else (value,)
    if not all(isinstance(name, str) for name in names):
        raise ConfigurationError(f"{argument}: {value!r} must be the name of a sensitive feature, or a list of names")
    return tuple(str(name) for name in names)


def _cells(value: object) -> tuple[tuple[str, ...], ...]:
    """Read `absent`: cells as tuples of names."""
    cells = tuple(value) if isinstance(value, list | tuple) else None
    if cells is None or not all(isinstance(cell, list | tuple) for cell in cells):
        raise ConfigurationError(f'absent: {value!r} must be a list of cells such as [["male", "yes"]]')
    if wrong := [name for cell in cells for name in cell if not isinstance(name, str)]:
        raise ConfigurationError(f"absent: {wrong[0]!r} must be the name of a group as records have it, such as '1'")
    return tuple(tuple(clean(str(name)) for name in cell) for cell in cells)


def _features(
    given: Predictions | PartStatistics, by: str | Sequence[str] | None, control: tuple[str, ...] = ()
) -> tuple[str, ...]:
    if by is not None:
        return _names("by", by)
    features = tuple(given.sensitive_features) if isinstance(given, Predictions) else given.features
    rest = tuple(name for name in features if name not in control)
    if len(rest) != 1:
        raise ConfigurationError(f"by: name one or more of {', '.join(features)}")
    return rest


def _metric(metric: object, given: Predictions | PartStatistics) -> tuple[str, Metric | None]:
    """Return a metric's name, and the metric itself if it is the user's own."""
    if isinstance(metric, str):
        return metric, None
    if not isinstance(metric, Metric):
        if not callable(metric):
            raise ConfigurationError(f"metric: {metric!r} is no name, no function and no Metric")
        metric = registered(metric) or (_own(metric, given) if isinstance(given, Predictions) else None)
        if metric is None:
            raise ConfigurationError("metric: a function is of rows, and statistics have none; judge all rows together")
    if (problem := own_metric_problem(metric)) is not None:
        raise ConfigurationError(f"metric: {problem}")
    return metric.name, metric


def _own(function: PerSample, predictions: Predictions) -> Metric:
    name = getattr(function, "__name__", type(function).__name__)
    if name in ("<lambda>", "partial"):
        raise ConfigurationError(
            f"metric: a {name.strip('<>')} has no name for the record; give a function with one, or a Metric"
        )
    formula = (function.__doc__ or f"{name}, by sample").strip().splitlines()[0]
    if np.asarray(function(predictions)).dtype.kind == "b":
        return Metric(name=name, formula=formula, kind="proportion", per_sample=function, limits=OF_RATES)
    span = float("inf")
    return Metric(name=name, formula=formula, kind="mean", per_sample=function, lowest=-span, highest=span)
