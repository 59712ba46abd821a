from __future__ import annotations

import numpy as np
import pytest
from fairlearn import metrics as fairlearn_metrics
from sklearn import metrics as sklearn_metrics

from fairness_checks.auditing import audit
from fairness_checks.metrics import CELLS, METRICS
from fairness_checks.predictions import Predictions
from fairness_checks.statistics import GroupStatistics

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


OF_SCORES = {"brier_score": sklearn_metrics.brier_score_loss, "roc_auc": sklearn_metrics.roc_auc_score}
RATES = {name: metric for name, metric in METRICS.items() if metric.kind == "proportion"}


def random_data(seed, n=700):
    rng = np.random.default_rng(seed)
    group = rng.choice(["a", "b", "c", "d"], n, p=[0.6, 0.25, 0.1, 0.05])
    y_true = (rng.random(n) < rng.uniform(0.2, 0.8)).astype(int)
    y_pred = np.where(rng.random(n) < 0.7, y_true, 1 - y_true)
    return y_true, y_pred, group


def test_every_metric_is_compared():
    assert set(THEIRS) | set(OF_SCORES) == set(METRICS)


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
