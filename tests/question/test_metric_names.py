"""What a metric may be called, and what it may have been meant: the same quantity, never another one."""

from __future__ import annotations

import re
from datetime import date

import fairlearn.metrics
import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st

from fairness_checks import Predictions, fairness_metric
from fairness_checks.cli.explain import explanation
from fairness_checks.errors import ConfigurationError
from fairness_checks.judge.auditing import audit
from fairness_checks.judge.verdict import judge_model
from fairness_checks.planning.detectable import plan_detectable
from fairness_checks.planning.sample_size import plan_sample_size
from fairness_checks.question.checks import Check, Settings
from fairness_checks.question.metric_names import _NEAREST, ALIASES, alias_limit_problem, canonical, metric_hint
from fairness_checks.question.metrics import METRICS
from fairness_checks.question.own_metrics import registered
from fairness_checks.question.waivers import Waiver
from fairness_checks.sweep.results import GroupResult, RepeatResult, SweepResults
from fairness_checks.testing import check_metric

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
    "fnrate": "false_negative_rate",
    "fnr_rate": "false_negative_rate",
    "FN rate": "false_negative_rate",
    "false negatives": "false_negative_rate",
    "true_positives": "true_positive_rate",
    "tp_rate": "true_positive_rate",
    "false_neg_rate": "false_negative_rate",
    "neg_pred_value": "negative_predictive_value",
    "ppv_rate": "positive_predictive_value",
    "bal_acc": "balanced_accuracy",
    "AUC-ROC": "roc_auc",
    "rocauc": "roc_auc",
    "auc_score": "auc",
    "sens": "sensitivity",
    "missrate": "miss_rate",
    "accuracy_rate": "accuracy",
    "mean_sq_err": "mean_squared_error",
    "error_mean": "mean_error",
    "eq_odds": "equalized_odds",
    "dem_parity": "demographic_parity",
}
NEAREST = {
    "false_discovery_rate": "nearest in meaning: precision, which is 1 minus it",
    "false_omission_rate": "nearest in meaning: negative_predictive_value, which is 1 minus it",
    "f1_score": "nearest in meaning: precision and true_positive_rate, of which it is the harmonic mean: check both",
    "zero_one_loss": "nearest in meaning: accuracy, which is 1 minus it",
    "Average precision": "nearest in meaning: roc_auc, which, unlike it, does not depend on prevalence",
    "average_odds_difference": "nearest in meaning: equalized_odds, the larger of the two disparities",
    "Disparate impact": "nearest in meaning: selection_rate, of which it is the ratio: write selection_rate with",
    "fdrate": "nearest in meaning: precision, which is 1 minus it",
    "false_discovry_rate": "nearest in meaning: precision, which is 1 minus it",
    "f1_scre": "nearest in meaning: precision and true_positive_rate, of which it is the harmonic mean: check both",
    "mean_error_rate": "nearest in meaning: accuracy, which is 1 minus it",
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


def test_no_metric_is_told_to_be_another_quantity():
    assert not _NEAREST.keys() & {*METRICS, *ALIASES}, "_NEAREST of metric_names.py: what is there needs no hint"


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
    assert metric_hint("fnr_gap", METRICS).startswith("did you mean 'false_negative_rate' with max_difference?")
    assert metric_hint("false_neg_ratio", METRICS).startswith("did you mean 'false_negative_rate' with min_ratio?")
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
        assert ours == ELSEWHERE[name], f"ELSEWHERE still leads {name} to the metric that was nearest"
    else:
        first = re.match(r"(?:did you mean '|nearest in meaning: )(\w+)", hint)
        assert first is not None
        assert first.group(1) == ELSEWHERE[name]


OPPOSITES = ("true false", "positive negative", "sensitivity specificity", "tp tn", "fn fp", "discovery omission")


@given(st.sampled_from(sorted({*METRICS, *ALIASES})), st.data())
def test_a_name_with_a_word_turned_round_is_never_taken_for_what_it_was(name, data):
    turned = [(one, two) for pair in OPPOSITES for one, two in ((pair.split()), pair.split()[::-1]) if one in name]
    if not turned:
        return
    one, two = data.draw(st.sampled_from(turned))
    other = name.replace(one, two)
    hint = metric_hint(f"{other}_score", METRICS).partition(" (allowed")[0]
    assert f"'{name}'" not in hint
    assert f"'{canonical(name, METRICS)}'" not in hint


@pytest.mark.parametrize("word", ["rate", "score", "error", "false", "positive", "mean", "loss", "value"])
def test_one_word_of_many_names_suggests_none(word):
    assert metric_hint(word, METRICS).startswith("allowed: ")


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


def two_groups():
    return Predictions([1] * 80, [0, 1] * 40, sensitive_features={"sex": ["f"] * 40 + ["m"] * 40})


def waived(metric, *checks):
    """Return the metrics of the checks that a waiver of a name would cover, by their own names."""
    mine = Waiver(model="m", metric=metric, by=("sex",), reason="known", approved_by="A", expires=date(2099, 1, 1))
    answers = judge_model("m", two_groups(), checks, Settings(), [mine], date(2098, 12, 1))
    return [record.metric for record in answers if record.verdict == "waived"]


def swept(metric):
    group = GroupResult(train=1, real=1, test=1, counts=None, values={"false_negative_rate": 0.25})
    result = RepeatResult(mix="as_is", feature_set="all", repeat=0, groups={"f": group})
    results = SweepResults(model="m", by="sex", groups={"f": 1}, repeated_rows=0, results=(result,))
    return results.values(metric, "f", "as_is", "all")


GIVEN = {"first_value": 0.2, "second_value": 0.1, "max_difference": 0.05}
SIZES = {"first": 500, "second_value": 0.1, "max_difference": 0.05}
FAILS = ("max_value", 0.1)
ENTRIES = {
    "audit": lambda name: audit(two_groups(), metric=name, by="sex", max_difference=0.3),
    "Check": lambda name: Check(name, ("sex",), "max_difference", 0.3),
    "Waiver": lambda name: waived(name, Check("false_negative_rate", ("sex",), *FAILS)),
    "plan_sample_size": lambda name: plan_sample_size(metric=name, **GIVEN),
    "plan_detectable": lambda name: plan_detectable(metric=name, **SIZES),
    "check_metric": lambda name: check_metric(name, examples=1),
    "explain": explanation,
    "SweepResults.values": swept,
}
"""Every function of Python that is given a metric's name."""


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("name", ["FNR", "miss rate"])
def test_python_takes_the_names_that_the_file_of_limits_takes(entry, name):
    assert ENTRIES[entry](name) == ENTRIES[entry]("false_negative_rate")


def test_a_waiver_by_an_alias_is_one():
    assert waived("FNR", Check("false_negative_rate", ("sex",), *FAILS)) == ["false_negative_rate"]


@pytest.mark.parametrize("name", ["FNR", "recall"])
def test_a_metric_of_ones_own_wins_over_the_alias(name):
    own = fairness_metric(name=name, kind="proportion")(lambda predictions: predictions.y_true)
    ours = Check(canonical(name, METRICS), ("sex",), *FAILS)
    mine = Check(name, ("sex",), *FAILS, custom=registered(own))
    assert audit(two_groups(), metric=own, by="sex", max_value=0.5).metric == name
    assert waived(name, mine, ours) == [name]
    assert waived(canonical(name, METRICS), mine, ours) == [canonical(name, METRICS)]


def test_a_sweep_has_no_values_of_what_is_no_metric():
    assert swept("accuracy") == [None]
    with pytest.raises(ConfigurationError, match="'fnrate' is none of this sweep; did you mean 'false_negative_rate'"):
        swept("fnrate")
