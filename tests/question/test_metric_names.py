"""What a metric may be called, and what it may have been meant: the same quantity, never another one."""

from __future__ import annotations

import re

import fairlearn.metrics
import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st

from fairness_checks import Predictions
from fairness_checks.errors import ConfigurationError
from fairness_checks.judge.auditing import audit
from fairness_checks.planning.sample_size import plan_sample_size
from fairness_checks.question.checks import Check
from fairness_checks.question.metric_names import ALIASES, alias_limit_problem, canonical, metric_hint
from fairness_checks.question.metrics import METRICS

CLINIC = {
    "Sensitivity": "true_positive_rate",
    "recall": "true_positive_rate",
    "TPR": "true_positive_rate",
    "Specificity": "true_negative_rate",
    "TNR": "true_negative_rate",
    "PPV": "precision",
    "Positive predictive value": "precision",
    "NPV": "negative_predictive_value",
    "FNR": "false_negative_rate",
    "miss rate": "false_negative_rate",
    "FPR": "false_positive_rate",
    "AUROC": "roc_auc",
    "AUC": "roc_auc",
    "C-statistic": "roc_auc",
    "demographic_parity": "selection_rate",
    "Equal Opportunity": "true_positive_rate",
    "recall_score": "true_positive_rate",
    "brier_score_loss": "brier_score",
}
MEANT = {
    "False Negative Rate": "false_negative_rate",
    "false-negative-rate": "false_negative_rate",
    "falsenegativerate": "false_negative_rate",
    "false_negative": "false_negative_rate",
    "acuracy": "accuracy",
    "flase_negative_rate": "false_negative_rate",
    "true_positve_rates": "true_positive_rate",
    "sensitvity": "sensitivity",
    "specifity": "specificity",
    "fall-out": "false_positive_rate",
    "cross entropy": "log_loss",
}
NEAREST = {
    "false_discovery_rate": "nearest in meaning: precision, which is 1 minus it",
    "false_omission_rate": "nearest in meaning: negative_predictive_value, which is 1 minus it",
    "f1_score": "nearest in meaning: precision and true_positive_rate, of which it is the harmonic mean: check both",
    "zero_one_loss": "nearest in meaning: accuracy, which is 1 minus it",
    "Average precision": "nearest in meaning: roc_auc, which, unlike it, does not depend on prevalence",
    "average_odds_difference": "nearest in meaning: equalized_odds, the larger of the two disparities",
    "Disparate impact": "nearest in meaning: selection_rate, of which it is the ratio: write selection_rate with",
    "rmse": "nearest in meaning: mean_squared_error, which is its square",
}
# Every metric of scikit-learn and Fairlearn that takes labels, decisions, scores or errors, and what ours says of it:
# the metric that it is, or that is nearest in meaning; None where nothing here is near.
ELSEWHERE = {
    "accuracy_score": "accuracy",
    "auc": "roc_auc",
    "average_precision_score": "roc_auc",
    "balanced_accuracy_score": "balanced_accuracy",
    "brier_score_loss": "brier_score",
    "class_likelihood_ratios": "true_positive_rate",
    "cohen_kappa_score": "balanced_accuracy",
    "d2_absolute_error_score": "mean_absolute_error",
    "d2_brier_score": "brier_score",
    "d2_log_loss_score": "brier_score",
    "d2_pinball_score": None,
    "d2_tweedie_score": "mean_squared_error",
    "explained_variance_score": "mean_squared_error",
    "f1_score": "precision",
    "fbeta_score": "precision",
    "fowlkes_mallows_score": "precision",
    "hamming_loss": "accuracy",
    "hinge_loss": "brier_score",
    "jaccard_score": "precision",
    "log_loss": "log_loss",
    "matthews_corrcoef": "balanced_accuracy",
    "max_error": "mean_absolute_error",
    "mean_absolute_error": "mean_absolute_error",
    "mean_absolute_percentage_error": "mean_absolute_error",
    "mean_gamma_deviance": None,
    "mean_pinball_loss": None,
    "mean_poisson_deviance": None,
    "mean_squared_error": "mean_squared_error",
    "mean_squared_log_error": "mean_squared_error",
    "mean_tweedie_deviance": None,
    "median_absolute_error": "mean_absolute_error",
    "precision_score": "precision",
    "r2_score": "mean_squared_error",
    "recall_score": "true_positive_rate",
    "roc_auc_score": "roc_auc",
    "root_mean_squared_error": "mean_squared_error",
    "root_mean_squared_log_error": "mean_squared_error",
    "top_k_accuracy_score": "accuracy",
    "zero_one_loss": "accuracy",
    # Fairlearn
    "count": "selection_rate",
    "demographic_parity_difference": "selection_rate",
    "demographic_parity_ratio": "selection_rate",
    "equal_opportunity_difference": "true_positive_rate",
    "equal_opportunity_ratio": "true_positive_rate",
    "equalized_odds_difference": "equalized_odds",
    "equalized_odds_ratio": "equalized_odds",
    "false_negative_rate": "false_negative_rate",
    "false_positive_rate": "false_positive_rate",
    "mean_prediction": "selection_rate",
    "selection_rate": "selection_rate",
    "true_negative_rate": "true_negative_rate",
    "true_positive_rate": "true_positive_rate",
    "accuracy_score_group_min": "accuracy",
    "f1_score_group_min": "precision",
    "log_loss_group_max": "log_loss",
    "recall_score_group_min": "true_positive_rate",
    "zero_one_loss_difference": "accuracy",
}
# Of clusterings, rankings of labels, curves and tables: no quantity of a classifier's or a regression's predictions.
_NO_METRICS = re.compile(
    r"[A-Z]|.*(curve|matrix|report|mutual_info|rand_score|homogen|completeness|silhouette|scor(er|ing)|"
    r"dcg|label_ranking|coverage|distances|calinski|davies|consensus|v_measure|thresholds|^cluster$|support|pairwise)|"
    r"make_derived|plot_model|cluster$"
)


@pytest.mark.parametrize("name", CLINIC)
def test_the_names_of_the_clinic_are_taken(name):
    assert canonical(name, METRICS) == CLINIC[name]
    assert Check(name, ("sex",), "max_difference", 0.05).question.metric == CLINIC[name]


def test_every_alias_is_of_a_metric_and_none_is_one():
    assert set(ALIASES.values()) <= METRICS.keys()
    assert not ALIASES.keys() & METRICS.keys()
    assert all(canonical(canonical(name, METRICS), METRICS) == ours for name, ours in ALIASES.items())


def test_what_is_known_is_not_renamed():
    assert canonical("recall", ["recall", "true_positive_rate"]) == "recall"  # registered by the project
    assert canonical("FNR", ["accuracy"]) == "FNR"
    assert canonical("f1_score", METRICS) == "f1_score"


@pytest.mark.parametrize("name", ["demographic_parity", "Statistical parity", "equal_opportunity"])
def test_what_says_that_groups_are_alike_limits_no_single_group(name):
    for kind in ("max_value", "min_value"):
        problem = f"{name} says that groups are alike, and {kind} is of one group; write {canonical(name, METRICS)}"
        assert str(alias_limit_problem(name, METRICS, kind)).startswith(problem)
        with pytest.raises(ConfigurationError, match="says that groups are alike"):
            Check(name, ("sex",), kind, 0.3)
        with pytest.raises(ConfigurationError, match="says that groups are alike"):
            plan_sample_size(metric=name, first_value=0.2, **{kind: 0.1})
    with pytest.raises(ConfigurationError, match="of: worst_group is of one group"):
        Check(name, ("sex",), "max_worsening", 0.02, of="worst_group")
    assert alias_limit_problem(name, METRICS, "min_ratio") is None
    assert alias_limit_problem("sensitivity", METRICS, "min_value") is None


@pytest.mark.parametrize("name", MEANT)
def test_the_same_quantity_is_found(name):
    assert metric_hint(name, METRICS).startswith(f"did you mean {MEANT[name]!r}? (allowed: accuracy, ")


@pytest.mark.parametrize("name", NEAREST)
def test_another_quantity_is_said_to_be_another(name):
    hint = metric_hint(name, METRICS)
    assert hint.startswith(NEAREST[name])
    assert "did you mean" not in hint


def test_what_a_hint_says_of_two_quantities_is_so():
    rng = np.random.default_rng(0)
    true = rng.integers(0, 2, 500)
    score = rng.random(500) / 2 + true * rng.random(500) / 2
    decided = (score > 0.45).astype(int)
    rate, false = decided[true == 1].mean(), decided[true == 0].mean()
    precision, balanced = true[decided == 1].mean(), (rate + 1 - false) / 2
    log, error = np.log1p(score) - np.log1p(true), score - true
    for name, words, value, ours in (
        (
            "f1",
            "of which it is the harmonic mean",
            sklearn.metrics.f1_score(true, decided),
            2 / (1 / precision + 1 / rate),
        ),
        (
            "informedness",
            "of which it is twice, less 1",
            2 * balanced - 1,
            sklearn.metrics.balanced_accuracy_score(true, decided, adjusted=True),
        ),
        (
            "likelihood_ratio",
            "of which it is a ratio",
            sklearn.metrics.class_likelihood_ratios(true, decided)[0],
            rate / false,
        ),
        (
            "lift",
            "of which it is the ratio to the prevalence",
            precision / true.mean(),
            (true & decided).sum() * 500 / (true.sum() * decided.sum()),
        ),
        (
            "r2",
            "of which it is 1 minus the ratio to the variance",
            sklearn.metrics.r2_score(true, score),
            1 - np.mean(error**2) / true.var(),
        ),
        (
            "mean_squared_log_error",
            "of errors that you give as differences of logarithms",
            sklearn.metrics.mean_squared_log_error(true, score),
            np.mean(log**2),
        ),
        (
            "mape",
            "of errors that you give as shares of the true value",
            sklearn.metrics.mean_absolute_percentage_error(true + 1, score),
            np.mean(abs((score - true - 1) / (true + 1))),
        ),
    ):
        assert f", {words}" in metric_hint(name, METRICS)
        assert value == pytest.approx(ours)
    # balanced accuracy stays as it is where the negatives are ten times as many, and these two do not
    place = np.concatenate([np.arange(500), *[np.flatnonzero(true == 0)] * 9])
    for score_of, stays in (
        (sklearn.metrics.balanced_accuracy_score, True),
        (sklearn.metrics.matthews_corrcoef, False),
        (sklearn.metrics.cohen_kappa_score, False),
    ):
        before, after = score_of(true, decided), score_of(true[place], decided[place])
        assert (after == pytest.approx(before)) is stays, score_of.__name__


def test_a_name_that_holds_a_limit_too_is_taken_apart():
    assert metric_hint("demographic_parity_ratio", METRICS).startswith("did you mean 'selection_rate' with min_ratio?")
    assert metric_hint("log_loss_group_max", METRICS).startswith("did you mean 'log_loss' with max_value?")


def test_no_metric_of_scikit_learn_and_fairlearn_was_forgotten():
    names = {*sklearn.metrics.__all__, *fairlearn.metrics.__all__}
    derived = re.compile(r".*(_difference|_ratio|_group_min|_group_max)$")
    left = {name for name in names if not _NO_METRICS.match(name) and not derived.match(name)}
    assert left - ELSEWHERE.keys() == set()


@pytest.mark.parametrize("name", ELSEWHERE)
def test_names_of_scikit_learn_and_fairlearn_lead_to_their_own_meaning_or_nowhere(name):
    ours, hint = canonical(name, METRICS), metric_hint(name, METRICS)
    if ELSEWHERE[name] is None:
        assert hint.startswith("allowed: ")
    elif ours in METRICS:
        assert ours == ELSEWHERE[name]
    else:
        first = re.match(r"(?:did you mean '|nearest in meaning: )(\w+)", hint)
        assert first is not None
        assert first.group(1) == ELSEWHERE[name]


def test_only_what_is_allowed_is_suggested():
    assert metric_hint("fnr", ["accuracy"]) == "allowed: accuracy"
    assert metric_hint("f1_score", ["accuracy"]) == "allowed: accuracy"
    assert metric_hint("mised", ["accuracy", "missed"]) == "did you mean 'missed'? (allowed: accuracy, missed)"
    assert metric_hint("fnr", []) == "allowed: none"


@given(st.sampled_from(sorted(METRICS)), st.data())
def test_a_letter_too_few_is_found(name, data):
    place = data.draw(st.integers(0, len(name) - 1))
    cut = name[:place] + name[place + 1 :]
    words = [len(word) for word in name.split("_")]
    hint = metric_hint(cut, METRICS)
    assert hint.startswith(f"did you mean {name!r}?") or (hint.startswith("allowed: ") and min(words) < 4)


@given(st.sampled_from(sorted(ALIASES)), st.sampled_from([str.upper, str.title, lambda n: n.replace("_", " ")]))
def test_the_case_of_a_name_does_not_matter(name, written):
    assert canonical(written(name), METRICS) == ALIASES[name]


def test_audit_and_plans_take_them():
    two = Predictions([1] * 80, [0, 1] * 40, sensitive_features={"sex": ["f"] * 40 + ["m"] * 40})
    record = audit(two, metric="Sensitivity", by="sex", max_difference=0.3)
    assert record.metric == "true_positive_rate"
    given = {"first_value": 0.2, "second_value": 0.1, "max_difference": 0.05}
    assert plan_sample_size(metric="FNR", **given) == plan_sample_size(metric="false_negative_rate", **given)
