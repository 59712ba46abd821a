"""The one table of metrics. To add a metric, add a row.

Every metric of kind ``proportion`` is a ratio of sums of the four cells of a group's confusion table
(tn, fp, fn, tp), so that counts are all that inference needs. Names are those of scikit-learn and Fairlearn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

__all__ = ["CELLS", "METRICS", "Metric"]

CELLS = ("tn", "fp", "fn", "tp")
"""Order of the cells of a confusion table; the index of a cell is 2 * y_true + y_pred."""

Cell = Literal["tn", "fp", "fn", "tp"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One row of `METRICS`.

    Parameters
    ----------
    name : str
        The name used in thresholds.yaml, in records and in reports.
    formula : str
        The definition within a group a.
    numerator, denominator : tuple of {"tn", "fp", "fn", "tp"}
        Of a proportion, the cells of the confusion table that are added up. The denominator contains the numerator.
    unit : str
        What the denominator counts, in the plural, as a report says it.
    lower_is_better : bool or None
        None where neither direction is worse (selection rate).
    kind : {"proportion", "mean", "ranking"}
        How it is inferred: a key of `fairness_checks.kinds.KINDS`.
    limits : tuple of str
        The kinds of limit that there is inference for.
    """

    name: str
    formula: str
    numerator: tuple[Cell, ...]
    denominator: tuple[Cell, ...]
    unit: str
    lower_is_better: bool | None
    kind: Literal["proportion", "mean", "ranking"] = "proportion"
    limits: tuple[str, ...] = ("max_difference", "min_ratio", "max_value", "min_value")


_ROWS = (
    Metric("accuracy", "P(y_pred = y_true | A = a)", ("tn", "tp"), ("tn", "fp", "fn", "tp"), "samples", False),
    Metric(
        "brier_score",
        "E((y_score - y_true)^2 | A = a)",
        (),
        (),
        "samples",
        True,
        kind="mean",
        limits=("max_difference",),
    ),
    Metric("false_negative_rate", "P(y_pred = 0 | y_true = 1, A = a)", ("fn",), ("fn", "tp"), "positives", True),
    Metric("false_positive_rate", "P(y_pred = 1 | y_true = 0, A = a)", ("fp",), ("tn", "fp"), "negatives", True),
    Metric(
        "negative_predictive_value",
        "P(y_true = 0 | y_pred = 0, A = a)",
        ("tn",),
        ("tn", "fn"),
        "predicted negatives",
        False,
    ),
    Metric("precision", "P(y_true = 1 | y_pred = 1, A = a)", ("tp",), ("fp", "tp"), "predicted positives", False),
    Metric(
        "roc_auc",
        "P(score of a positive > score of a negative | A = a) + P(equal) / 2",
        (),
        (),
        "samples",
        False,
        kind="ranking",
        limits=("max_difference", "max_value", "min_value"),
    ),
    Metric("selection_rate", "P(y_pred = 1 | A = a)", ("fp", "tp"), ("tn", "fp", "fn", "tp"), "samples", None),
    Metric("true_negative_rate", "P(y_pred = 0 | y_true = 0, A = a)", ("tn",), ("tn", "fp"), "negatives", False),
    Metric("true_positive_rate", "P(y_pred = 1 | y_true = 1, A = a)", ("tp",), ("fn", "tp"), "positives", False),
)

METRICS: Mapping[str, Metric] = MappingProxyType({row.name: row for row in _ROWS})
