"""One group where two are compared is an error; groups that cannot exist are left out; empty ones name the remedy."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from fairness_checks import METRICS, CheckRecord, Predictions, audit, audit_uncertainty
from fairness_checks.config.loading import load_config
from fairness_checks.errors import ConfigurationError, InvalidPredictions
from fairness_checks.findings.compared_groups import cells_text
from fairness_checks.judge.verdict import audit_model
from fairness_checks.question.checks import MISMATCH, Check, Settings
from fairness_checks.question.limits import PAIRWISE
from fairness_checks.report.junit import properties
from fairness_checks.report.terminal import summary_lines
from fairness_checks.report.text import explanation


def drawn(seed=0, cells=None, cluster=False, n=60, **features):
    """Make predictions that allow every metric: n samples of each cell of sex by pregnant, or of features given."""
    if cells is not None:
        features = {
            name: np.repeat([cell[i] for cell in cells], n)
            for i, name in enumerate(("sex", "pregnant")[: len(cells[0])])
        }
    rng, size = np.random.default_rng(seed), len(next(iter(features.values())))
    y = rng.random(size) < 0.5
    score = np.clip(0.5 + (y - 0.5) * 0.5 + rng.normal(0.0, 0.2, size), 0.0, 1.0)
    return Predictions(
        y,
        y_score=score,
        error=rng.normal(size=size),
        uncertainty=rng.random(size),
        cluster=np.arange(size) // 2 if cluster else None,
        sensitive_features=features,
    )


def ask(predictions, metric, by, kind, limit=0.5, **more):
    if metric == MISMATCH:
        return audit_uncertainty(predictions, by=by, max_mismatch=limit, **more)
    return audit(predictions, metric=metric, by=by, **{kind: limit}, **more)


PAIRED = [(name, kind) for name, metric in METRICS.items() for kind in metric.limits if kind in PAIRWISE]
SINGLE = [(name, kind) for name, metric in METRICS.items() for kind in metric.limits if kind not in PAIRWISE]


@pytest.mark.parametrize("cluster", [False, True], ids=["samples", "clusters"])
@pytest.mark.parametrize(("metric", "kind"), PAIRED)
def test_one_group_has_nobody_to_be_compared_with(metric, kind, cluster):
    with pytest.raises(InvalidPredictions) as error:
        ask(drawn(cells=[("female",)], cluster=cluster), metric, "sex", kind)
    assert str(error.value).startswith(
        "sensitive_features['sex']: one group only, 'female', which all 60 samples belong"
    )
    assert "lost in a join" in str(error.value)
    ceiling = "max_value" in METRICS[metric].limits
    assert ("limit the group's own value" in str(error.value)) is ceiling


@pytest.mark.parametrize(("metric", "kind"), SINGLE)
def test_a_ceiling_or_a_floor_of_the_only_group_is_judged(metric, kind):
    record = ask(drawn(cells=[("female",)]), metric, "sex", kind)
    assert record.estimate is not None
    assert record.first == ("female",)


@pytest.mark.parametrize("by", [["sex", "ward"], ["ward", "sex"]])
def test_a_feature_of_one_group_hides_in_no_intersection(by):
    some = drawn(sex=["female"] * 120, ward=["a", "b"] * 60)
    with pytest.raises(InvalidPredictions, match=r"'sex'\]: one group only, 'female', .* leave sex out of `by`$"):
        audit(some, metric="accuracy", by=by, max_difference=0.9)
    assert audit(some, metric="accuracy", by="ward", max_difference=0.9).verdict == "pass"
    assert audit(some, metric="accuracy", by=by, min_value=0.1).verdict == "pass"


def test_a_stratum_that_decides_the_group_is_an_error_whatever_else_is_there():
    title = np.where(np.arange(200) % 2 == 0, "Ms", "Mr")
    some = drawn(sex=np.where(title == "Ms", "female", "male"), title=title)
    with pytest.raises(
        InvalidPredictions, match=r"each stratum of title has samples of one group of sex only \(Mr: male"
    ):
        audit(some, metric="accuracy", by="sex", control_features="title", max_difference=0.1)


def test_a_declared_group_without_samples_waits_and_names_the_remedy():
    for values in (
        pd.Categorical(["f"] * 100, categories=["f", "m"]),
        pl.Series("sex", ["f"] * 100, dtype=pl.Enum(["f", "m"])),
    ):
        record = audit(drawn(sex=values), metric="accuracy", by="sex", max_difference=0.1)
        assert record.verdict == "inconclusive"
        assert record.reason.startswith(
            "group m: 0 samples, fewer than min_group_size 10; no sample has sex 'm': if none"
        )
        assert "remove_unused_categories()" in record.reason


CELLS = [("female", "no"), ("female", "yes"), ("male", "no")]
ABSENT = [("male", "yes")]


@pytest.mark.parametrize("cluster", [False, True], ids=["samples", "clusters"])
@pytest.mark.parametrize(("metric", "kind"), PAIRED + SINGLE)
def test_an_absent_cell_is_left_out_as_if_it_had_never_been_one(metric, kind, cluster):
    """The verdict is that of one feature that has the other three cells as its groups."""
    some = drawn(cells=CELLS, cluster=cluster)
    waits = ask(some, metric, ["sex", "pregnant"], kind)
    assert waits.verdict != "pass"
    assert waits.reason.endswith("if there can be no such samples, write `absent: [[male, yes]]` in the check")
    record = ask(some, metric, ["sex", "pregnant"], kind, absent=ABSENT)
    names = [f"{sex} {pregnant}" for sex, pregnant in CELLS]
    flat = ask(drawn(cells=[(name,) for name in names], cluster=cluster), metric, "sex", kind)
    assert (record.reason, record.absent) == (None, (("male", "yes"),))
    assert [" ".join(group.name) for group in record.groups] == names
    for field in ("verdict", "estimate", "low", "high", "p_violation", "p_compliance", "comparisons", "needed_samples"):
        assert getattr(record, field) == getattr(flat, field)
    assert record.key == waits.key
    assert CheckRecord.from_json(record.to_json()) == record


def test_what_was_left_out_is_said_everywhere():
    record = audit(drawn(cells=CELLS), metric="accuracy", by=["sex", "pregnant"], max_difference=0.9, absent=ABSENT)
    assert record.verdict == "pass"
    assert "Left out, as it cannot exist: male, yes." in explanation(record)
    assert ("fairness.absent", "male, yes") in properties(record)
    lines = [line.strip() for line, _ in summary_lines([record], verbose=True)]
    assert "left out, as it cannot exist: male, yes" in lines


def test_names_are_those_that_groups_are_kept_under():
    """Blanks around a name, and an accent written apart, are gone from groups: so they are from cells."""
    some = drawn(sex=[" male\r"] * 60 + ["sœur e\u0301"] * 120, pregnant=["no"] * 120 + ["yes "] * 60)
    record = audit(some, metric="accuracy", by=["sex", "pregnant"], max_difference=0.9, absent=[["male ", "yes"]])
    assert record.absent == (("male", "yes"),)
    assert [group.name for group in record.groups] == [("male", "no"), ("sœur é", "no"), ("sœur é", "yes")]


@pytest.mark.parametrize(
    ("absent", "error", "message"),
    [
        ([["female", "yes"]], InvalidPredictions, r"absent: \[\[female, yes\]\] .* has 60 samples; mend the data, or"),
        ([["male", "ye"]], ConfigurationError, r"'ye' is no group of 'pregnant'; did you mean 'yes'"),
        ([["mael", "yes"]], ConfigurationError, r"'mael' is no group of 'sex'; did you mean 'male'"),
        ([["yes", "male"]], ConfigurationError, r"'yes' is no group of 'sex'; allowed: female, male"),
        ([["male"]], ConfigurationError, r"absent: \['male'\] has 1 value; give one for each of sex, pregnant"),
        ([["male", "yes"]] * 2, ConfigurationError, r"\['male', 'yes'\] stands here twice"),
        (["male", "yes"], ConfigurationError, r"must be a list of cells such as \[\[\"male\", \"yes\"\]\]"),
        ("male", ConfigurationError, r"absent: 'male' must be a list of cells"),
        ([["male", True]], ConfigurationError, r"absent: True must be the name of a group as records have it"),
    ],
)
def test_what_absent_cannot_say(absent, error, message):
    with pytest.raises(error, match=message):
        audit(drawn(cells=CELLS), metric="accuracy", by=["sex", "pregnant"], max_difference=0.1, absent=absent)


def test_absent_groups_may_leave_one_and_a_sweep_has_none():
    some = drawn(sex=pd.Categorical(["f"] * 100, categories=["f", "m"]))
    with pytest.raises(InvalidPredictions, match="one group only, 'f'"):
        audit(some, metric="accuracy", by="sex", max_difference=0.1, absent=[["m"]])
    assert audit(some, metric="accuracy", by="sex", min_value=0.1, absent=[["m"]]).verdict == "pass"
    with pytest.raises(ConfigurationError, match="absent: the groups of a check on a sweep all have rows"):
        Check("accuracy", ("sex",), "max_difference", 0.1, gap="each_mix", absent=(("m",),))


WARDS = [("male", "icu"), ("female", "icu"), ("male", "er"), ("female", "er"), ("female", "birth")]


@pytest.mark.parametrize("strata", ["each", "combined"])
@pytest.mark.parametrize("metric", ["accuracy", "mean_error", "roc_auc"])
def test_absent_cells_of_strata(metric, strata):
    sex, ward = (np.repeat([cell[i] for cell in WARDS], 200) for i in range(2))
    some = drawn(sex=sex, ward=ward)
    question = {"metric": metric, "by": "sex", "control_features": "ward", "strata": strata, "max_difference": 0.9}
    waits = audit(some, **question)
    assert waits.verdict == "inconclusive"
    assert waits.reason.endswith("write `absent: [[birth, male]]` in the check")
    record = audit(some, **question, absent=[["birth", "male"]])
    kept = ward != "birth"
    without = Predictions(
        some.y_true[kept],
        y_score=some.y_score[kept],
        error=some.error[kept],
        sensitive_features={"sex": sex[kept], "ward": ward[kept]},
    )
    alone = audit(without, **question)
    assert (record.verdict, record.reason) == ("pass", None)
    for field in ("estimate", "low", "high", "p_violation", "p_compliance", "method"):
        assert getattr(record, field) == getattr(alone, field)


def test_no_whole_stratum_cannot_be_standardised_over():
    cells = [("f", "a"), ("m", "a"), ("x", "b"), ("m", "b"), ("f", "c"), ("x", "c")]
    some = drawn(sex=np.repeat([c[0] for c in cells], 50), ward=np.repeat([c[1] for c in cells], 50))
    absent = [["a", "x"], ["b", "f"], ["c", "m"]]
    question = {"metric": "accuracy", "by": "sex", "control_features": "ward", "max_difference": 0.9, "absent": absent}
    with pytest.raises(ConfigurationError, match=r"every stratum of ward lacks some group of sex.*use `strata: each`"):
        audit(some, **question, strata="combined")
    assert audit(some, **question).comparisons == 3


@given(names=st.lists(st.text(min_size=1, max_size=8).filter(lambda s: s.strip() == s), min_size=1, max_size=4))
@settings(max_examples=100, deadline=None)
def test_cells_are_written_as_yaml_reads_them(names):
    text = cells_text([tuple(names)])
    plain = yaml.load(text, Loader=yaml.BaseLoader)
    assert plain == [names]


ODD = [('m "n" \\', "yes"), ("18-25", "no"), ("off", "1"), ("a, b", "none"), ("größe", "[x]")]


def test_what_the_message_says_can_be_pasted_into_thresholds_yaml(tmp_path):
    values = [sorted({cell[i] for cell in ODD}) for i in range(2)]
    everything = [(a, b) for a in values[0] for b in values[1]]
    some = drawn(cells=[cell for cell in everything if cell not in ODD], n=30)
    waits = audit(some, metric="accuracy", by=["sex", "pregnant"], min_value=0.1)
    pasted = re.search(r"`(absent: .*)`", waits.reason).group(1)
    path = tmp_path / "thresholds.yaml"
    by = "by: [sex, pregnant]"
    checks = {
        "subgroups": f"{{metric: accuracy, {by}, min_value: 0.1, {pasted}}}",
        "uncertainty": f"{{{by}, max_mismatch: 0.9, {pasted}}}",
        "regression": f"{{metric: accuracy, {by}, max_worsening: 0.9, {pasted}}}",
    }
    path.write_text("version: 1\nmodels:\n  m:\n" + "".join(f"    {k}: [{v}]\n" for k, v in checks.items()), "utf-8")
    found = [entry.check for entry in load_config(path).models[0].checks]
    assert [sorted(check.absent) for check in found] == [sorted(ODD)] * 3
    first, second = audit_model("m", some, found[:2], Settings())
    assert (first.verdict, second.reason) == ("pass", None)


PROBLEMS = {
    "[male, yes]": ("absent[0]: expected a list of cells, each with a group of every feature, such as [[male, yes]]"),
    "male": ("absent: expected a list of cells, each"),
    "[[male]]": ("absent: ['male'] has 1 value; give one for each of sex, pregnant"),
    "[[male, yes], [male, yes]]": ("absent: ['male', 'yes'] stands here twice"),
    "[[male, [yes]]]": ("absent[0][1]: expected the name of a group; found a list"),
}


@pytest.mark.parametrize(("written", "message"), PROBLEMS.items(), ids=PROBLEMS)
@pytest.mark.parametrize("section", ["subgroups", "uncertainty", "regression"])
def test_mistakes_in_absent_are_found_before_any_model_is_fitted(tmp_path, section, written, message):
    asked = {
        "subgroups": "metric: accuracy, max_difference: 0.1",
        "uncertainty": "max_mismatch: 0.1",
        "regression": "metric: accuracy, max_worsening: 0.1",
    }
    path = tmp_path / "thresholds.yaml"
    entry = f"{{{asked[section]}, by: [sex, pregnant], absent: {written}}}"
    path.write_text(f"version: 1\nmodels:\n  m:\n    {section}:\n      - {entry}\n")
    with pytest.raises(ConfigurationError) as error:
        load_config(path)
    assert [line for line in str(error.value).splitlines() if f":5: models.m.{section}[0].{message}" in line]


@pytest.mark.parametrize("limit", [{"max_difference": 0.3}, {"min_value": 0.3}])
@pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy", "roc_auc", "brier_score"])
@pytest.mark.parametrize("cluster", ["constant", "group"])
def test_groups_of_one_cluster_each_are_an_error_whatever_their_size(cluster, metric, limit):
    group = np.repeat(["a", "b", "c"], 100)
    given = np.zeros(300) if cluster == "constant" else group
    score = np.random.default_rng(0).random(300)
    made = Predictions([0, 1] * 150, y_score=score, cluster=given, sensitive_features={"site": group})
    with pytest.raises(InvalidPredictions, match=r"^cluster: all samples of each group of site are of one cluster"):
        audit(made, metric=metric, by="site", **limit)
    other = Predictions([0, 1] * 150, y_score=score, cluster=np.arange(300) // 2, sensitive_features={"site": group})
    assert audit(other, metric=metric, by="site", **limit).verdict in ("pass", "fail", "inconclusive")


@pytest.mark.parametrize("limit", [{"max_difference": 0.1}, {"max_value": 0.5}], ids=str)
@pytest.mark.parametrize("by", [["age"], ["age", "sex"]], ids=str)
def test_a_continuous_feature_is_an_error_that_says_to_cut_it(limit, by):
    ages = np.random.default_rng(0).uniform(20.0, 90.0, 300)
    features = {"age": ages, "sex": ["f", "m"] * 150}
    y = [0, 1] * 150
    with pytest.raises(InvalidPredictions, match=r"'age'\]: 300 different values among 300 samples; .*pandas\.cut"):
        audit(Predictions(y, y, sensitive_features=features), metric="accuracy", by=by, **limit)
    decades = features | {"age": (ages // 10).astype(int)}
    assert audit(Predictions(y, y, sensitive_features=decades), metric="accuracy", by=by, **limit).groups
