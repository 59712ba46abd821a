"""The one table of metrics. To add a metric, add a row."""

# A rate is a ratio of sums of the four cells of a group's confusion table (tn, fp, fn, tp), so that counts are all
# that inference needs; a mean has a function that gives the value of each sample. Names are those of scikit-learn and
# Fairlearn. Nothing here loads NumPy: thresholds.yaml is checked against this table before any model runs.

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from fairness_checks.question.limits import OF_RATES, OF_VALUES

if TYPE_CHECKING:
    from fairness_checks.inputs.predictions import Predictions

__all__ = ["CELLS", "LEAST_PROBABILITY", "METRICS", "WHOSE", "Metric", "parts_of"]

CELLS = ("tn", "fp", "fn", "tp")
"""Order of the cells of a confusion table; the index of a cell is 2 * y_true + y_pred."""

LEAST_PROBABILITY = 2.0**-52
"""Of a label, in its log loss, as scikit-learn has it: a score of 0 costs 36 nats, not infinity."""
Cell = Literal["tn", "fp", "fn", "tp"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One row of `METRICS`, or a metric of your own for `fairness_checks.audit`.

    Parameters
    ----------
    name : str
        The name used in thresholds.yaml, in records and in reports.
    formula : str
        The definition within a group a.
    kind : str
        How it is inferred: a module of `fairness_checks.kinds`.
    numerator, denominator : tuple of {"tn", "fp", "fn", "tp"}
        Of a rate, the cells of the confusion table that are added up. The denominator contains the numerator.
    per_sample : callable, optional
        Takes Predictions of n samples and returns the value of each, shape (n,): numbers for a mean; for a proportion
        0 or 1. A sample whose value is NaN does not count.
    in_engine : callable, optional
        The same where rows stay in an engine: takes an object with the same methods, which return narwhals
        expressions, and returns one. Without it such rows have no such metric.
    components : tuple of str
        Of a metric that is the largest of several disparities, the metrics whose disparities these are.
    unit : str
        What the denominator counts, in the plural, as a report says it.
    lower_is_better : bool or None
        None where neither direction is worse (selection rate).
    lowest, highest : float
        Range of the metric.
    limits : tuple of str
        The kinds of limit that there is inference for.
    comparable : bool
        Whether two models' values on the same samples can be compared: in sweeps, and against the baseline.
    standardisable : bool
        Whether groups' values can be standardised over the strata of control features.
    not_in_sweeps : str
        Why there is no inference in sweeps, and what to check instead; "" where nothing is to be said.
    words : str
        What a model does, for a reader: it "misses [{count} {group}] whose label is {positive}", for instance. What
        stands in brackets is said of each of two groups. ``{count}`` is so many of 100, ``{value}`` the value as it
        is. "" where the name has to do, as of a metric of your own.
    """

    name: str
    formula: str
    kind: str
    numerator: tuple[Cell, ...] = ()
    denominator: tuple[Cell, ...] = ()
    per_sample: Callable[[Predictions], Any] | None = None
    in_engine: Callable[[Any], Any] | None = None
    components: tuple[str, ...] = ()
    unit: str = "samples"
    lower_is_better: bool | None = True
    lowest: float = 0.0
    highest: float = 1.0
    limits: tuple[str, ...] = OF_VALUES
    comparable: bool = True
    standardisable: bool = True
    not_in_sweeps: str = ""
    words: str = ""


def _rate(
    name: str,
    formula: str,
    numerator: tuple[Cell, ...],
    denominator: tuple[Cell, ...],
    unit: str,
    lower_is_better: bool | None,
    words: str,
) -> Metric:
    return Metric(
        name=name,
        formula=formula,
        words=words,
        kind="proportion",
        numerator=numerator,
        denominator=denominator,
        unit=unit,
        lower_is_better=lower_is_better,
        limits=OF_RATES,
    )


def _mean(
    name: str,
    formula: str,
    per_sample: Callable[[Predictions], Any],
    words: str,
    in_engine: Callable[[Any], Any],
    *,
    lowest: float = 0.0,
    highest: float = math.inf,
    lower_is_better: bool | None = True,
) -> Metric:
    return Metric(
        name=name,
        formula=formula,
        kind="mean",
        words=words,
        per_sample=per_sample,
        in_engine=in_engine,
        lowest=lowest,
        highest=highest,
        lower_is_better=lower_is_better,
    )


def _log_loss(predictions: Predictions) -> Any:
    import numpy as np

    right = np.where(predictions.labels(), predictions.scores(), 1.0 - predictions.scores())
    return -np.log(np.clip(right, LEAST_PROBABILITY, 1.0 - LEAST_PROBABILITY))


_ROWS = (
    _rate(
        "accuracy",
        "P(y_pred = y_true | A = a)",
        ("tn", "tp"),
        ("tn", "fp", "fn", "tp"),
        "samples",
        False,
        "is right [for {count} {group}]",
    ),
    Metric(
        name="balanced_accuracy",
        formula="(P(y_pred = 1 | y_true = 1, A = a) + P(y_pred = 0 | y_true = 0, A = a)) / 2",
        kind="balanced_accuracy",
        lower_is_better=False,
        standardisable=False,
        words="would be right [for {count} {group}] if half of them had the label {positive}",
    ),
    _mean(
        "brier_score",
        "E((y_score - y_true)^2 | A = a)",
        lambda p: (p.scores() - p.labels()) ** 2,
        "has a Brier score [of {value} {group}]",
        lambda c: (c.scores() - c.labels()) * (c.scores() - c.labels()),  # a power costs an engine several products
        highest=1.0,
    ),
    Metric(
        name="equalized_odds",
        formula="the larger disparity of true_positive_rate and false_positive_rate",
        kind="largest_of",
        components=("true_positive_rate", "false_positive_rate"),
        lower_is_better=None,
        limits=("max_difference", "min_ratio"),
        comparable=False,
        standardisable=False,
    ),
    Metric(
        name="expected_calibration_error",
        formula="sum over ten bins of y_score of P(bin | A = a) |E(y_true | bin, A = a) - E(y_score | bin, A = a)|",
        kind="calibration_error",
        limits=("max_difference", "max_value"),
        comparable=False,  # biased upwards, in small test parts by more than most limits, and no repeat can tell
        standardisable=False,
        not_in_sweeps="in the small test parts of a sweep it is too high by chance, more so in the smaller group; "
        "check brier_score here, or the calibration error of held-out predictions under `subgroups:`",
        words="gives scores that are off on average [by {value} {group}]",
    ),
    _rate(
        "false_negative_rate",
        "P(y_pred = 0 | y_true = 1, A = a)",
        ("fn",),
        ("fn", "tp"),
        "positives",
        True,
        "misses [{count} {group}] whose label is {positive}",
    ),
    _rate(
        "false_positive_rate",
        "P(y_pred = 1 | y_true = 0, A = a)",
        ("fp",),
        ("tn", "fp"),
        "negatives",
        True,
        "raises a false alarm [for {count} {group}] whose label is not {positive}",
    ),
    _mean(
        "log_loss",
        "E(-log(probability given to y_true) | A = a)",
        _log_loss,
        "has a log loss [of {value} {group}]",
        lambda c: c.losses(),
    ),
    _mean(
        "mean_absolute_error",
        "E(|error| | A = a)",
        lambda p: abs(p.errors()),
        "errs on average [by {value} {group}]",
        lambda c: c.errors().abs(),
    ),
    _mean(
        "mean_error",
        "E(error | A = a)",
        lambda p: p.errors(),
        "has a mean error [of {value} {group}]",
        lambda c: c.errors(),
        lowest=-math.inf,
        lower_is_better=None,
    ),
    _mean(
        "mean_squared_error",
        "E(error^2 | A = a)",
        lambda p: p.errors() ** 2,
        "has a mean squared error [of {value} {group}]",
        lambda c: c.errors() * c.errors(),
    ),
    _mean(
        "mean_uncertainty",
        "E(uncertainty | A = a)",
        lambda p: p.uncertainties(),
        "has a mean uncertainty [of {value} {group}]",
        lambda c: c.uncertainties(),
        lower_is_better=None,
    ),
    _rate(
        "negative_predictive_value",
        "P(y_true = 0 | y_pred = 0, A = a)",
        ("tn",),
        ("tn", "fn"),
        "predicted negatives",
        False,
        "is right [for {count} {group}] predicted as not {positive}",
    ),
    _rate(
        "precision",
        "P(y_true = 1 | y_pred = 1, A = a)",
        ("tp",),
        ("fp", "tp"),
        "predicted positives",
        False,
        "is right [for {count} {group}] predicted as {positive}",
    ),
    Metric(
        name="roc_auc",
        formula="P(score of a positive > score of a negative | A = a) + P(equal) / 2",
        kind="ranking",
        lower_is_better=False,
        words="gives the higher score to the one whose label is {positive} [in {count} pairs {group}]",
    ),
    _rate(
        "selection_rate",
        "P(y_pred = 1 | A = a)",
        ("fp", "tp"),
        ("tn", "fp", "fn", "tp"),
        "samples",
        None,
        "predicts {positive} [for {count} {group}]",
    ),
    _rate(
        "true_negative_rate",
        "P(y_pred = 0 | y_true = 0, A = a)",
        ("tn",),
        ("tn", "fp"),
        "negatives",
        False,
        "rightly clears [{count} {group}] whose label is not {positive}",
    ),
    _rate(
        "true_positive_rate",
        "P(y_pred = 1 | y_true = 1, A = a)",
        ("tp",),
        ("fn", "tp"),
        "positives",
        False,
        "finds [{count} {group}] whose label is {positive}",
    ),
    Metric(
        name="uncertainty_mismatch",
        formula="A_error - A_uncertainty, A_x = P(x higher in the group a with the higher error) + P(equal) / 2",
        kind="mismatch",
        limits=("max_mismatch",),
        comparable=False,
        standardisable=False,
    ),
)

METRICS: Mapping[str, Metric] = MappingProxyType({row.name: row for row in _ROWS})

WHOSE: Mapping[str, str] = MappingProxyType(
    {
        "samples": "",
        "positives": "whose label is {positive}",
        "negatives": "whose label is not {positive}",
        "predicted positives": "predicted as {positive}",
        "predicted negatives": "predicted as not {positive}",
    }
)
"""Which samples of a group a unit counts, for a reader."""


def parts_of(metric: Metric) -> list[Metric]:
    """Return what is measured of a metric: its components, or itself where it has none."""
    return [METRICS[name] for name in metric.components] or [metric]
