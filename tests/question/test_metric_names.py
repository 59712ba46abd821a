"""What a metric may have been meant: the same quantity under another name, never another quantity."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairness_checks.question.metric_names import metric_hint
from fairness_checks.question.metrics import METRICS

MEANT = {
    "fnr": "false_negative_rate",
    "FPR": "false_positive_rate",
    "Sensitivity": "true_positive_rate",
    "recall": "true_positive_rate",
    "specificity": "true_negative_rate",
    "PPV": "precision",
    "positive_predictive_value": "precision",
    "npv": "negative_predictive_value",
    "AUROC": "roc_auc",
    "roc_auc_score": "roc_auc",
    "brier_score_loss": "brier_score",
    "demographic_parity_difference": "selection_rate",
    "False Negative Rate": "false_negative_rate",
    "false-negative-rate": "false_negative_rate",
    "falsenegativerate": "false_negative_rate",
    "false_negative": "false_negative_rate",
    "acuracy": "accuracy",
    "flase_negative_rate": "false_negative_rate",
    "true_positve_rates": "true_positive_rate",
}
OTHERS = [
    *("f1_score", "f1", "f_score", "r2_score", "average_precision", "pr_auc", "matthews_corrcoef", "score", "rate"),
    *("false_discovery_rate", "false_omission_rate", "positive_rate", "negative_rate", "median_absolute_error"),
    *("root_mean_squared_error", "mean_squared_log_error", "mean_absolute_percentage_error", "hinge_loss", "true"),
    *("max_error", "gini", "", "_", "mean", "calibration"),
]


@pytest.mark.parametrize("name", MEANT)
def test_the_same_quantity_is_found(name):
    assert metric_hint(name, METRICS).startswith(f"did you mean {MEANT[name]!r}? (allowed: accuracy, ")


@pytest.mark.parametrize("name", OTHERS, ids=[name or "empty" for name in OTHERS])
def test_another_quantity_is_not_suggested_however_alike_it_looks(name):
    assert metric_hint(name, METRICS).startswith("allowed: accuracy, ")


def test_only_what_is_allowed_is_suggested():
    assert metric_hint("fnr", ["accuracy"]) == "allowed: accuracy"
    assert metric_hint("mised", ["accuracy", "missed"]) == "did you mean 'missed'? (allowed: accuracy, missed)"
    assert metric_hint("fnr", []) == "allowed: none"


@given(st.sampled_from(sorted(METRICS)), st.data())
def test_a_letter_too_few_is_found(name, data):
    place = data.draw(st.integers(0, len(name) - 1))
    cut = name[:place] + name[place + 1 :]
    words = [len(word) for word in name.split("_")]
    hint = metric_hint(cut, METRICS)
    assert hint.startswith(f"did you mean {name!r}?") or (hint.startswith("allowed: ") and min(words) < 4)
