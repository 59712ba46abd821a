"""A metric of the user's own: a function of the predictions, or a Metric with its range and limits."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pandas as pd
import pytest

from fairness_checks import CheckRecord, ConfigurationError, InvalidPredictions, Predictions, audit
from fairness_checks.question.metrics import METRICS, Metric


def drawn(n=300, seed=0, clusters=None):
    rng = np.random.default_rng(seed)
    y = rng.random(n) < 0.5
    sex = np.where(rng.random(n) < 0.4, "female", "male")
    score = np.clip(rng.normal(np.where(y, 0.65, 0.35), 0.2 + 0.1 * (sex == "female")), 0, 1)
    cluster = None if clusters is None else rng.integers(0, clusters, n)
    error = rng.normal(0.2 * (sex == "female"), 1.0)
    return Predictions(y, y_score=score, error=error, cluster=cluster, sensitive_features={"sex": sex})


def missed(predictions):
    """1 where a positive is missed; a negative does not count."""
    return np.where(predictions.y_true, ~predictions.y_pred, np.nan)


def selected(predictions):
    return predictions.y_pred


def squared(predictions):
    """The squared error of a sample.

    More of it.
    """
    return pd.Series(predictions.error**2, index=np.arange(len(predictions))[::-1])


MISSED = Metric(
    name="missed", formula="P(missed | A = a)", kind="proportion", per_sample=missed, unit="positives",
    limits=("max_difference", "min_ratio", "max_value", "min_value"),
)  # fmt: skip
LIMITS = [{"max_difference": 0.05}, {"min_ratio": 0.8}, {"max_value": 0.2}, {"min_value": 0.1}]


def same_but_for(record, **names):
    return dataclasses.replace(record, **names)


@pytest.mark.parametrize("limit", LIMITS, ids=str)
@pytest.mark.parametrize("clusters", [None, 60])
@pytest.mark.parametrize(("own", "name"), [(MISSED, "false_negative_rate"), (selected, "selection_rate")])
def test_a_rate_of_ones_own_is_the_tables_rate(own, name, limit, clusters):
    some = drawn(clusters=clusters)
    mine, theirs = audit(some, metric=own, **limit), audit(some, metric=name, **limit)
    assert mine.metric == getattr(own, "name", "selected")
    assert mine == same_but_for(theirs, metric=mine.metric, lower_is_better=mine.lower_is_better)
    assert CheckRecord.from_json(mine.to_json()) == mine


@pytest.mark.parametrize("limit", [{"max_difference": 0.05}, {"max_value": 1.2}, {"min_value": 0.1}], ids=str)
@pytest.mark.parametrize("clusters", [None, 60])
def test_a_mean_of_ones_own_is_the_tables_mean(limit, clusters):
    some = drawn(clusters=clusters)
    own = Metric(name="squared", formula="E(e^2)", kind="mean", per_sample=squared, highest=float("inf"))
    mine, theirs = audit(some, metric=own, **limit), audit(some, metric="mean_squared_error", **limit)
    assert mine == same_but_for(theirs, metric="squared", lower_is_better=mine.lower_is_better)
    plain = audit(some, metric=squared, **limit)  # a function alone has no range: its intervals may be negative
    assert (plain.verdict, plain.p_violation, plain.estimate) == (mine.verdict, mine.p_violation, mine.estimate)


def test_a_function_with_nan_counts_those_that_count():
    record = audit(drawn(), metric=missed, max_difference=0.2)
    rates = audit(drawn(), metric="false_negative_rate", max_difference=0.2)
    assert [g.n for g in record.groups] == [g.n for g in rates.groups]
    assert [g.rate for g in record.groups] == pytest.approx([g.rate for g in rates.groups])


@pytest.mark.parametrize("strata", ["each", "combined"])
def test_within_strata_too(strata):
    some = drawn()
    half = np.where(np.arange(len(some)) % 2, "a", "b")
    sex = np.array(some.feature("sex").groups)[some.feature("sex").codes]
    some = Predictions(some.y_true, some.y_pred, sensitive_features={"sex": sex, "half": half})
    question = {"by": "sex", "control_features": "half", "strata": strata, "max_difference": 0.1}
    mine, theirs = (audit(some, metric=m, **question) for m in (MISSED, "false_negative_rate"))
    assert mine == same_but_for(theirs, metric="missed", lower_is_better=mine.lower_is_better)


def test_a_callable_object_has_the_name_of_its_class():
    class Shortfall:
        def __call__(self, predictions):
            return np.maximum(-predictions.error, 0.0)

    assert audit(drawn(), metric=Shortfall(), max_difference=0.2).metric == "Shortfall"


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (lambda n: 1.0, r"mine: its function returned dtype float64 and shape \(\); one number a sample .* \(300,\)"),
        (lambda n: np.zeros((n, 1)), r"shape \(300, 1\)"),
        (lambda n: np.zeros(n - 1), r"shape \(299,\)"),
        (lambda n: [None] * n, "dtype object"),
        (lambda n: ["a"] * n, "dtype <U1"),
        (lambda n: np.zeros(n) + 1j, "dtype complex128"),
        (lambda n: np.r_[np.zeros(n - 2), np.inf, -np.inf], "mine: 2 samples have an infinite value"),
        (lambda n: np.r_[np.zeros(n - 1), 1e150], r"mine: 1 samples have a value outside \[-1e\+70, 1e\+70\]"),
        (lambda n: np.ma.masked_greater(np.arange(n), 5), "masked values; give NaN"),
    ],
    ids=["scalar", "column", "short", "objects", "text", "complex", "infinite", "huge", "masked"],
)
def test_what_a_function_must_not_return(returned, message):
    def mine(predictions):
        return returned(len(predictions))

    with pytest.raises(InvalidPredictions, match=message):
        audit(drawn(), metric=mine, max_difference=0.1)


def accuracy(predictions):
    return predictions.y_true == predictions.y_pred


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        (lambda predictions: predictions.error, "a lambda has no name for the record"),
        (functools.partial(selected), "a partial has no name for the record"),
        (accuracy, "'accuracy' is a metric of the table; give yours another name"),
        (dataclasses.replace(MISSED, name="roc_auc"), "'roc_auc' is a metric of the table"),
        (dataclasses.replace(MISSED, per_sample=None), "'missed' needs per_sample"),
        (dataclasses.replace(MISSED, kind="ranking"), "'missed' has kind 'ranking'; allowed: mean, proportion"),
        (dataclasses.replace(MISSED, kind="nonsense"), "'missed' has kind 'nonsense'; allowed: mean, proportion"),
        (METRICS["equalized_odds"], "'equalized_odds' is a metric of the table"),
        (None, "None is no name, no function and no Metric"),
        (["accuracy"], "is no name, no function and no Metric"),
        ("acuracy", "did you mean 'accuracy'"),
    ],
    ids=[
        "lambda",
        "partial",
        "taken",
        "renamed",
        "no-function",
        "ranking",
        "nonsense",
        "row",
        "none",
        "list",
        "misspelt",
    ],
)
def test_what_is_no_metric(metric, message):
    with pytest.raises(ConfigurationError, match=message):
        audit(drawn(), metric=metric, max_difference=0.1)


def test_limits_of_a_metric_are_kept():
    some = drawn()
    with pytest.raises(ConfigurationError, match="min_ratio is not available for selected_mean; allowed: max_diff"):
        audit(some, metric=Metric(name="selected_mean", formula="", kind="mean", per_sample=selected), min_ratio=0.8)
    with pytest.raises(ConfigurationError, match="limits min_ratio, for which means have no inference"):
        audit(some, metric=dataclasses.replace(MISSED, kind="mean"), min_ratio=0.8)
    with pytest.raises(ConfigurationError, match=r"max_difference: 1\.5 is impossible"):
        audit(some, metric=MISSED, max_difference=1.5)


def test_a_metrics_range_holds_its_values_and_its_intervals():
    def share(predictions):
        return predictions.y_score

    metric = Metric(name="share", formula="E(share)", kind="mean", per_sample=share, lowest=0.0, highest=1.0)
    record = audit(drawn(24), metric=metric, max_value=0.9)
    assert 0.0 <= record.low <= record.high <= 1.0
    percent = dataclasses.replace(metric, per_sample=lambda predictions: 100.0 * predictions.y_score)
    with pytest.raises(InvalidPredictions, match=r"share: \d+ samples have a value outside \[0, 1\], for instance"):
        audit(drawn(24), metric=percent, max_value=0.9)
    with pytest.raises(InvalidPredictions, match="missed: a proportion's values are 0, 1 or NaN; found others"):
        audit(drawn(), metric=dataclasses.replace(MISSED, per_sample=share), max_value=0.9)


def test_a_function_that_counts_nobody_in_a_group_is_undefined():
    def of_men(predictions):
        feature = predictions.feature("sex")
        return np.where(feature.codes == feature.groups.index("male"), predictions.error, np.nan)

    record = audit(drawn(), metric=of_men, max_difference=0.2)
    assert (record.verdict, record.estimate, record.group(("female",)).rate) == ("inconclusive", None, None)


def test_an_error_inside_the_function_is_not_hidden():
    def broken(predictions):
        raise ZeroDivisionError("my own mistake")

    with pytest.raises(ZeroDivisionError, match="my own mistake"):
        audit(drawn(), metric=broken, max_difference=0.2)
