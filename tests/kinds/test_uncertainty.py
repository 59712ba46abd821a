"""Whether a model's uncertainty warns of the group that it serves worse, from arrays to the text of a failure."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from fairness_checks import CheckRecord, ConfigurationError, InvalidPredictions, Predictions, audit
from fairness_checks.judge.auditing import audit_uncertainty
from fairness_checks.judge.verdict import audit_model
from fairness_checks.question.checks import Check, Settings
from fairness_checks.report.text import explanation, headline


def drawn(warns, n=400, gap=1.2, seed=0, **more):
    """Images of dark and light skin; errors are higher on dark skin, the uncertainty says so or does not."""
    rng = np.random.default_rng(seed)
    skin = rng.choice(["dark", "light"], n)
    shift = gap * (skin == "dark")
    error = np.exp(rng.normal(shift, 1.0))
    uncertainty = np.exp(rng.normal(shift, 1.0)) if warns else np.exp(rng.normal(-0.5 * shift, 1.0))
    return Predictions(error=error, uncertainty=uncertainty, sensitive_features={"skin": skin}, **more)


def test_an_uncertainty_that_does_not_warn_fails_and_is_told_plainly():
    record = audit_uncertainty(drawn(warns=False), by="skin", max_mismatch=0.1)
    assert (record.verdict, record.first, record.second) == ("fail", ("dark",), ("light",))
    of_error, of_uncertainty = (round(100 * record.also[name]) for name in ("error_auc", "uncertainty_auc"))
    assert headline(record) == (
        f"the model errs more with skin=dark than with skin=light in {of_error} of 100 pairs, and is more uncertain in "
        f"{of_uncertainty} of 100: its uncertainty does not warn; at most 10 fewer are allowed; the data "
        "show that this is not kept (p < 0.001)"
    )


def test_an_uncertainty_that_warns_passes():
    record = audit_uncertainty(drawn(warns=True, n=1500), by="skin", max_mismatch=0.1)
    assert (record.verdict, record.first) == ("pass", ("dark",))
    assert "does not warn" not in headline(record)
    assert record.reason is None


def test_the_words_of_the_design():
    """73 % of pairs against 30 %, by construction: ranks are placed so that the shares are exact."""
    dark, light = np.repeat([2.0, 0.0], [73, 27]), np.ones(100)
    certain, vague = np.repeat([0.0, 2.0], [70, 30]), np.ones(100)
    skin = {"skin": ["dark"] * 100 + ["light"] * 100}
    some = Predictions(error=np.r_[dark, light], uncertainty=np.r_[certain, vague], sensitive_features=skin)
    record = audit_uncertainty(some, max_mismatch=0.1)
    assert record.also == pytest.approx({"error_auc": 0.73, "uncertainty_auc": 0.30})
    assert headline(record).startswith(
        "the model errs more with skin=dark than with skin=light in 73 of 100 pairs, and is more uncertain in 30 of "
        "100: its uncertainty does not warn; "
    )


def test_estimate_and_areas_by_hand():
    some = drawn(warns=False, seed=3)
    dark = some.feature("skin").codes == 0
    record = audit_uncertainty(some, max_mismatch=0.1)
    areas = {
        "error_auc": roc_auc_score(dark, some.error),
        "uncertainty_auc": roc_auc_score(dark, some.uncertainty),
    }
    assert record.also == pytest.approx(areas)
    assert record.estimate == pytest.approx(areas["error_auc"] - areas["uncertainty_auc"])
    for group, rows in zip(record.groups, (dark, ~dark), strict=True):
        error, uncertainty = some.error[rows], some.uncertainty[rows]
        order = np.argsort(uncertainty)
        risks = np.cumsum(error[order]) / np.arange(1, rows.sum() + 1)
        assert group.also["spearman"] == pytest.approx(stats.spearmanr(error, uncertainty)[0])
        assert group.also["risk_coverage_area"] == pytest.approx(risks.mean(), rel=0.02)
        assert group.also["mean_absolute_error"] == pytest.approx(error.mean())
        assert (group.rate, group.n) == (None, rows.sum())
    text = "\n".join(explanation(record))
    shown = r"  dark: \d+ samples, mean_absolute_error [\d.]+, spearman -?[\d.]+, risk_coverage_area [\d.]+"
    assert re.search(shown, text)
    assert CheckRecord.from_json(record.to_json()) == record
    assert record.key[1:5] == ("uncertainty", "uncertainty_mismatch", ("skin",), "max_mismatch")


@pytest.mark.parametrize("transform", [np.log1p, np.sqrt, lambda x: 1e6 * x])
def test_only_ranks_matter(transform):
    some = drawn(warns=False)
    skin = {"skin": np.array(["dark", "light"])[some.feature("skin").codes]}
    other = Predictions(error=transform(some.error), uncertainty=transform(some.uncertainty), sensitive_features=skin)
    one, two = (audit_uncertainty(p, max_mismatch=0.05) for p in (some, other))
    for name in ("estimate", "low", "high", "p_violation", "p_compliance", "verdict", "also"):
        assert getattr(one, name) == getattr(two, name)


def test_the_sign_of_an_error_does_not_matter():
    some = drawn(warns=False)
    signs = np.random.default_rng(1).choice([-1.0, 1.0], len(some))
    skin = {"skin": np.array(["dark", "light"])[some.feature("skin").codes]}
    signed = Predictions(error=signs * some.error, uncertainty=some.uncertainty, sensitive_features=skin)
    assert audit_uncertainty(signed, max_mismatch=0.05) == audit_uncertainty(some, max_mismatch=0.05)


def classifier(rng, n=2000, overconfident=True):
    """A classifier that errs more often on dark skin, while it is as sure of itself there, or less sure."""
    skin, y = rng.choice(["dark", "light"], n), rng.random(n) < 0.5
    right = rng.random(n) < np.where(skin == "dark", 0.65, 0.97)
    sure = (
        rng.uniform(0.90, 0.99, n) if overconfident else np.where(skin == "dark", 0.65, 0.97) + rng.normal(0, 0.01, n)
    )
    score = np.where(y == right, sure, 1.0 - sure)
    return {"y_true": y, "y_score": np.clip(score, 0, 1), "sensitive_features": {"skin": skin}}


def test_a_classifiers_uncertainty_is_the_entropy_of_its_score():
    arrays = classifier(np.random.default_rng(2))
    record = audit_uncertainty(Predictions(**arrays), max_mismatch=0.1)
    assert (record.verdict, record.first) == ("fail", ("dark",))
    score = arrays["y_score"]
    given = Predictions(
        **arrays, error=np.abs(arrays["y_true"] - score), uncertainty=stats.entropy([score, 1.0 - score], axis=0)
    )
    again = audit_uncertainty(given, max_mismatch=0.1)
    assert again.verdict == record.verdict
    for name in ("estimate", "p_violation", "also"):
        assert getattr(again, name) == pytest.approx(getattr(record, name), rel=1e-3)
    warning = audit_uncertainty(
        Predictions(**classifier(np.random.default_rng(2), overconfident=False)), max_mismatch=0.1
    )
    assert warning.verdict != "fail"
    assert warning.also["uncertainty_auc"] > 0.95


def test_decisions_alone_have_no_uncertainty():
    some = Predictions([0, 1] * 40, [0, 1] * 40, sensitive_features={"skin": ["dark", "light"] * 40})
    with pytest.raises(InvalidPredictions, match="uncertainty: not given; give it, or y_score, whose entropy"):
        audit_uncertainty(some, max_mismatch=0.1)
    with pytest.raises(InvalidPredictions, match="error: not given; the metric needs the error of each sample"):
        audit(some, metric="mean_error", max_difference=0.1)


def test_decisions_with_an_uncertainty_are_judged_by_their_mistakes():
    rng = np.random.default_rng(4)
    skin = np.repeat(["dark", "light"], 300)
    wrong = rng.random(600) < np.where(skin == "dark", 0.6, 0.1)
    some = Predictions(~wrong, np.ones(600), uncertainty=rng.random(600), sensitive_features={"skin": skin})
    record = audit_uncertainty(some, max_mismatch=0.1)
    assert (record.verdict, record.first) == ("fail", ("dark",))
    assert record.group(("dark",)).also["mean_absolute_error"] == pytest.approx(wrong[:300].mean())


def test_constant_uncertainty_and_constant_error():
    rng = np.random.default_rng(5)
    skin = {"skin": np.repeat(["dark", "light"], 100)}
    same = Predictions(error=np.ones(200), uncertainty=rng.random(200), sensitive_features=skin)
    assert audit_uncertainty(same, max_mismatch=0.2).verdict in ("pass", "inconclusive")
    error = rng.random(200) + np.repeat([1.0, 0.0], 100)
    mute = audit_uncertainty(
        Predictions(error=error, uncertainty=np.ones(200), sensitive_features=skin), max_mismatch=0.1
    )
    assert (mute.verdict, mute.also["uncertainty_auc"]) == ("fail", 0.5)
    assert mute.group(("dark",)).also["spearman"] is None


def test_small_and_missing_groups_are_undefined():
    some = Predictions(
        error=[1.0] * 30, uncertainty=[0.5] * 30, sensitive_features={"skin": ["dark"] * 25 + ["light"] * 5}
    )
    record = audit_uncertainty(some, max_mismatch=0.1)
    assert (record.verdict, record.estimate) == ("inconclusive", None)
    assert record.reason == "group light: 5 samples, fewer than min_group_size 10"
    alone = Predictions(error=[1.0] * 30, uncertainty=[0.5] * 30, sensitive_features={"skin": ["dark"] * 30})
    with pytest.raises(
        InvalidPredictions, match=r"'skin'\]: one group only, 'dark', which all 30 samples .* remove the"
    ):
        audit_uncertainty(alone, max_mismatch=0.1)


@pytest.mark.parametrize("limit", [-0.1, 1.0, float("nan"), "0.1", True, None])
def test_limits_that_cannot_be(limit):
    with pytest.raises(ConfigurationError, match="max_mismatch"):
        audit_uncertainty(drawn(True), max_mismatch=limit)


def test_a_fair_model_of_four_groups_rarely_fails():
    rng, fails = np.random.default_rng(6), 0
    for _ in range(60):
        skin = rng.choice(list("abcd"), 160)
        some = Predictions(error=rng.random(160), uncertainty=rng.random(160), sensitive_features={"skin": skin})
        fails += audit_uncertainty(some, max_mismatch=0.0).verdict == "fail"
    assert fails / 60 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 60)


def test_mismatch_joins_the_family_of_its_model():
    checks = [
        Check("uncertainty_mismatch", ("skin",), "max_mismatch", 0.1),
        Check("mean_error", ("skin",), "max_value", 9.0),
    ]
    mismatch, _ = audit_model("m", drawn(False), checks, Settings())
    assert (mismatch.check, mismatch.family_size, mismatch.correction) == ("uncertainty", 2, "holm")
    assert mismatch.p_adjusted == pytest.approx(2 * mismatch.p_violation)


ARRAYS = {"error": [0.5, 1.0, 2.0], "uncertainty": [0.1, 0.2, 0.3], "cluster": ["a", "b", "a"]}


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("error", [0.5, 1.0], r"lengths differ: error 2, uncertainty 3, cluster 3, sensitive_features\['sex'\] 3"),
        ("uncertainty", [0.5] * 4, "lengths differ: error 3, uncertainty 4"),
        ("cluster", ["a"], "lengths differ: error 3, uncertainty 3, cluster 1"),
        ("uncertainty", [0.1, -0.2, -3.0], r"uncertainty: 2 of 3 values are negative: rows 1 \(-0.2\), 2 \(-3.0\)"),
        ("uncertainty", [0.1, np.inf, 0.2], r"uncertainty: 1 of 3 values is NaN or infinite: row 1 \(inf\)"),
        ("error", [np.nan, 1.0, -np.inf], r"error: 2 of 3 values are NaN or infinite: rows 0 \(nan\), 2 \(-inf\)"),
        ("error", [None, 1.0, 2.0], r"error: 1 of 3 values is missing \(None or NaN\): row 0"),
        ("error", ["a", "b", "c"], r"error: text \('a' in row 0\); one number a sample is needed"),
        ("error", [[1.0, 2.0], [2.0, 3.0], [3.0, 4.0]], r"error: shape \(3, 2\); shape \(n,\) is needed"),
        ("error", [1j, 2j, 3j], "error: dtype complex128 is not numeric"),
        ("error", None, "y_true: give it with y_pred or y_score, or give the error of each sample"),
    ],
)
def test_bad_arrays_are_named_with_their_rows(name, values, message):
    with pytest.raises(InvalidPredictions, match=message):
        Predictions(**{**ARRAYS, name: values}, sensitive_features={"sex": list("ffm")})


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
def test_errors_too_large_to_be_averaged_leave_a_record_that_can_be_written():
    rng = np.random.default_rng(0)
    error, sex = rng.normal(size=600) * 1e307, rng.choice(["f", "m"], 600)
    given = Predictions(error=error, uncertainty=rng.random(600), sensitive_features={"sex": sex})
    record = audit_uncertainty(given, by="sex", max_mismatch=0.1)
    assert {group.also["mean_absolute_error"] for group in record.groups} == {None}
    assert CheckRecord.from_json(record.to_json()) == record
