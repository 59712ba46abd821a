"""`audit`: one check without pytest or YAML."""

from __future__ import annotations

import numbers
from collections.abc import Sequence

from fairness_checks.checks import LIMIT_KINDS, Burden, Check, MissingSensitive, Settings
from fairness_checks.errors import ConfigurationError
from fairness_checks.predictions import Predictions
from fairness_checks.records import CheckRecord
from fairness_checks.verdict import audit_model

__all__ = ["audit"]


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise ConfigurationError(f"{name}: {value!r} is not a number")
    return float(value)


def audit(
    predictions: Predictions,
    *,
    metric: str,
    by: str | Sequence[str] | None = None,
    max_difference: float | None = None,
    min_ratio: float | None = None,
    max_value: float | None = None,
    min_value: float | None = None,
    alpha: float = 0.05,
    min_group_size: int = 10,
    burden_of_proof: Burden = "violation",
    missing_sensitive: MissingSensitive = "error",
    model: str = "predictions",
) -> CheckRecord:
    """Check one metric by group against one limit: the verdict of ``pytest --fairness`` without pytest or YAML.

    Parameters
    ----------
    predictions : Predictions
        n samples.
    metric : str
        A name of `fairness_checks.METRICS`.
    by : str or sequence of str, optional
        Sensitive feature, or several for their intersection. Default: the only feature there is.
    max_difference, min_ratio, max_value, min_value : float, optional
        The limit; exactly one of them.
    alpha : float
        Significance level of each direction; nothing is adjusted, as there is one check.
    min_group_size : int
        Smaller groups are not judged.
    burden_of_proof : {"violation", "compliance"}
        Kept in the record; it decides what pytest makes of an inconclusive verdict.
    missing_sensitive : {"error", "group"}
        What to do with samples without a sensitive value.
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
    given = {
        "max_difference": max_difference,
        "min_ratio": min_ratio,
        "max_value": max_value,
        "min_value": min_value,
    }
    limits = {kind: _number(kind, value) for kind, value in given.items() if value is not None}
    if len(limits) != 1:
        raise ConfigurationError(f"give exactly one of {', '.join(LIMIT_KINDS)}; {len(limits)} given")
    ((kind, limit),) = limits.items()
    if by is None:
        if len(predictions.sensitive_features) != 1:
            raise ConfigurationError(f"by: name one or more of {', '.join(predictions.sensitive_features)}")
        by = tuple(predictions.sensitive_features)
    features = (by,) if isinstance(by, str) else tuple(by) if isinstance(by, list | tuple) else (by,)
    if not all(isinstance(feature, str) for feature in features):
        raise ConfigurationError(f"by: {by!r} must be the name of a sensitive feature, or a list of names")
    settings = Settings(
        alpha=alpha,
        correction="none",
        burden_of_proof=burden_of_proof,
        min_group_size=min_group_size,
        missing_sensitive=missing_sensitive,
    )
    return audit_model(model, predictions, [Check(metric, features, kind, limit)], settings)[0]  # type: ignore[arg-type]
