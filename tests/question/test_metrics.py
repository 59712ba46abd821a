from __future__ import annotations

import numpy as np
import pytest
from fairlearn import metrics as fairlearn_metrics
from scipy import stats
from sklearn import metrics as sklearn_metrics
from sklearn.calibration import calibration_curve

from fairness_checks.inputs.predictions import Predictions
from fairness_checks.judge.auditing import audit, audit_uncertainty
from fairness_checks.kinds.group_statistics import GroupStatistics
from fairness_checks.question.metrics import CELLS, METRICS, WHOSE

THEIRS = {
    "accuracy": sklearn_metrics.accuracy_score,
    "false_negative_rate": fairlearn_metrics.false_negative_rate,
    "false_positive_rate": fairlearn_metrics.false_positive_rate,
    "negative_predictive_value": lambda y, p: sklearn_metrics.precision_score(y, p, pos_label=0),
    "precision": sklearn_metrics.precision_score,
    "selection_rate": fairlearn_metrics.selection_rate,
    "true_negative_rate": fairlearn_metrics.true_negative_rate,
    "true_positive_rate": sklearn_metrics.recall_score,
}


def expected_calibration_error(y, score):
    observed, predicted = calibration_curve(y, score, n_bins=10)
    inside = np.bincount(np.searchsorted(np.linspace(0, 1, 11)[1:-1], score), minlength=10)
    return float(np.average(np.abs(observed - predicted), weights=inside[inside > 0]))


OF_SCORES = {
    "balanced_accuracy": lambda y, score: sklearn_metrics.balanced_accuracy_score(y, np.asarray(score) >= 0.5),
    "brier_score": sklearn_metrics.brier_score_loss,
    "expected_calibration_error": expected_calibration_error,
    "log_loss": sklearn_metrics.log_loss,
    "roc_auc": sklearn_metrics.roc_auc_score,
}
OF_ERRORS = {
    "mean_absolute_error": sklearn_metrics.mean_absolute_error,
    "mean_error": lambda y, p: float(np.mean(np.asarray(p) - np.asarray(y))),
    "mean_squared_error": sklearn_metrics.mean_squared_error,
    "mean_uncertainty": lambda _, p: float(np.mean(np.asarray(p) ** 2)),
}
OTHERS = ("equalized_odds", "uncertainty_mismatch")
RATES = {name: metric for name, metric in METRICS.items() if metric.kind == "proportion"}


def random_data(seed, n=700):
    rng = np.random.default_rng(seed)
    group = rng.choice(["a", "b", "c", "d"], n, p=[0.6, 0.25, 0.1, 0.05])
    y_true = (rng.random(n) < rng.uniform(0.2, 0.8)).astype(int)
    y_pred = np.where(rng.random(n) < 0.7, y_true, 1 - y_true)
    return y_true, y_pred, group


def test_whose_samples_each_unit_counts_is_said():
    assert {metric.unit for metric in METRICS.values()} == set(WHOSE), "plans and sentences would speak of all patients"


def test_every_metric_is_compared():
    compared = set(THEIRS) | set(OF_SCORES) | set(OF_ERRORS) | set(OTHERS)
    assert compared == set(METRICS), "a metric stands in THEIRS, OF_SCORES or OF_ERRORS, or in OTHERS with its own test"


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", sorted(RATES))
def test_rates_by_group_equal_scikit_learn_and_fairlearn(name, seed):
    y_true, y_pred, group = random_data(seed)
    statistics = GroupStatistics.from_predictions(
        Predictions(y_true, y_pred, sensitive_features={"group": group}), ["group"]
    )
    events, samples = statistics.proportion(METRICS[name])
    frame = fairlearn_metrics.MetricFrame(
        metrics=THEIRS[name], y_true=y_true, y_pred=y_pred, sensitive_features=group
    ).by_group
    assert statistics.groups == (("a",), ("b",), ("c",), ("d",))
    for label, x, n in zip("abcd", events, samples, strict=True):
        assert x / n == pytest.approx(frame[label], abs=1e-9)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", sorted(OF_SCORES))
def test_metrics_of_scores_by_group_equal_scikit_learn_and_fairlearn(name, seed):
    y_true, _, group = random_data(seed)
    rng = np.random.default_rng(seed)
    score = np.round(rng.beta(1 + y_true, 2 - y_true), 2)  # with ties
    predictions = Predictions(y_true, y_score=score, sensitive_features={"group": group})
    record = audit(predictions, metric=name, max_difference=0.1)
    frame = fairlearn_metrics.MetricFrame(
        metrics=OF_SCORES[name], y_true=y_true, y_pred=score, sensitive_features=group
    )
    assert {g.label: g.rate for g in record.groups} == pytest.approx(frame.by_group.to_dict(), abs=1e-9)
    assert record.estimate == pytest.approx(frame.difference(), abs=1e-9)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", sorted(OF_ERRORS))
def test_metrics_of_errors_by_group_equal_scikit_learn_and_fairlearn(name, seed):
    _, _, group = random_data(seed)
    truth, predicted = np.random.default_rng(seed).normal(size=(2, len(group)))
    predictions = Predictions(error=predicted - truth, uncertainty=predicted**2, sensitive_features={"group": group})
    record = audit(predictions, metric=name, max_difference=0.1)
    frame = fairlearn_metrics.MetricFrame(
        metrics=OF_ERRORS[name], y_true=truth, y_pred=predicted, sensitive_features=group
    )
    assert {g.label: g.rate for g in record.groups} == pytest.approx(frame.by_group.to_dict(), abs=1e-9)
    assert record.estimate == pytest.approx(frame.difference(), abs=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_equalized_odds_equal_fairlearn(seed):
    y_true, y_pred, group = random_data(seed)
    predictions = Predictions(y_true, y_pred, sensitive_features={"group": group})
    record = audit(predictions, metric="equalized_odds", max_difference=0.99)
    theirs = fairlearn_metrics.equalized_odds_difference(y_true, y_pred, sensitive_features=group)
    assert record.estimate == pytest.approx(theirs, abs=1e-9)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("selection_rate", fairlearn_metrics.demographic_parity_ratio),
        ("equalized_odds", fairlearn_metrics.equalized_odds_ratio),
    ],
)
def test_ratios_equal_fairlearn(name, theirs, seed):
    y_true, y_pred, group = random_data(seed)
    predictions = Predictions(y_true, y_pred, sensitive_features={"group": group})
    record = audit(predictions, metric=name, min_ratio=0.01)
    assert record.estimate == pytest.approx(theirs(y_true, y_pred, sensitive_features=group), abs=1e-9)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("limit", [0.01, 0.1, 0.99])
@pytest.mark.parametrize("name", ["accuracy", "false_negative_rate", "selection_rate"])
def test_disparities_equal_fairlearn_where_the_extreme_groups_prove_something(name, limit, seed):
    y_true, y_pred, group = random_data(seed)
    predictions = Predictions(y_true, y_pred, sensitive_features={"group": group})
    record = audit(predictions, metric=name, max_difference=limit)
    theirs = fairlearn_metrics.MetricFrame(
        metrics=THEIRS[name], y_true=y_true, y_pred=y_pred, sensitive_features=group
    ).difference()
    assert record.low <= record.estimate <= theirs + 1e-9 <= record.high + 1e-8
    if record.verdict != "fail":
        assert record.estimate == pytest.approx(theirs, abs=1e-9)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["accuracy", "false_negative_rate", "selection_rate"])
def test_strata_of_control_features_equal_fairlearn(name, seed):
    y_true, y_pred, group = random_data(seed)
    ward = np.random.default_rng(seed).choice(["east", "west"], size=len(group))
    predictions = Predictions(y_true, y_pred, sensitive_features={"group": group, "ward": ward})
    record = audit(predictions, metric=name, by="group", control_features="ward", max_difference=0.99)
    frame = fairlearn_metrics.MetricFrame(
        metrics=THEIRS[name], y_true=y_true, y_pred=y_pred, sensitive_features=group, control_features=ward
    )
    assert {g.name: g.rate for g in record.groups} == pytest.approx(frame.by_group.to_dict(), abs=1e-9)
    assert record.estimate == pytest.approx(frame.difference().max(), abs=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_a_mismatch_is_the_difference_of_two_mann_whitney_statistics(seed):
    rng = np.random.default_rng(seed)
    group = np.repeat(["a", "b"], [90, 60])
    error, uncertainty = np.round(rng.exponential(size=150) + (group == "a"), 1), np.round(rng.random(150), 1)
    predictions = Predictions(error=error, uncertainty=uncertainty, sensitive_features={"group": group})
    record = audit_uncertainty(predictions, max_mismatch=0.1)
    theirs = {
        name: stats.mannwhitneyu(x[group == "a"], x[group == "b"]).statistic / (90 * 60)
        for name, x in (("error_auc", error), ("uncertainty_auc", uncertainty))
    }
    assert record.also == pytest.approx(theirs, abs=1e-9)
    assert record.estimate == pytest.approx(theirs["error_auc"] - theirs["uncertainty_auc"], abs=1e-9)
    for group_record in record.groups:
        mine = group == group_record.label
        rho = stats.spearmanr(error[mine], uncertainty[mine]).statistic
        assert group_record.also["spearman"] == pytest.approx(rho, abs=1e-9)


@pytest.mark.parametrize("metric", RATES.values(), ids=RATES.keys())
def test_a_row_of_the_table_is_a_proportion(metric):
    assert set(metric.numerator) < set(metric.denominator) <= set(CELLS)
    assert METRICS[metric.name] is metric
    assert metric.kind == "proportion"


@pytest.mark.parametrize(
    ("one", "other"),
    [("false_negative_rate", "true_positive_rate"), ("false_positive_rate", "true_negative_rate")],
)
def test_two_rates_that_add_up_to_one(one, other):
    assert METRICS[one].denominator == METRICS[other].denominator
    assert set(METRICS[one].numerator) | set(METRICS[other].numerator) == set(METRICS[one].denominator)
    assert METRICS[one].lower_is_better is not METRICS[other].lower_is_better


def test_the_table_cannot_be_changed():
    with pytest.raises(TypeError):
        METRICS["accuracy"] = METRICS["precision"]
    with pytest.raises(AttributeError):
        METRICS["accuracy"].name = "precision"
