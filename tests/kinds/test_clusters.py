"""Clusters: repeated images of a patient are one piece of evidence, for every kind of metric."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest

from fairness_checks import CheckRecord, ConfigurationError, GroupStatistics, InvalidPredictions, Predictions, audit
from fairness_checks.judge.auditing import audit_uncertainty
from fairness_checks.question.metrics import METRICS

CASES = [
    ("false_negative_rate", "max_difference"),
    ("selection_rate", "min_ratio"),
    ("accuracy", "min_value"),
    ("balanced_accuracy", "max_difference"),
    ("equalized_odds", "max_difference"),
    ("expected_calibration_error", "max_difference"),
    ("log_loss", "max_difference"),
    ("mean_absolute_error", "max_difference"),
    ("mean_error", "max_value"),
    ("roc_auc", "max_difference"),
    ("uncertainty_mismatch", "max_mismatch"),
]
every_kind = pytest.mark.parametrize(("metric", "limit_kind"), CASES)


def patients(rng, groups, images=8, spread=1.0, gap=0.0):
    """Draw images of patients: all that is drawn has a part of the patient and a part of the image."""
    patient = np.repeat(np.arange(sum(groups.values())), images)
    sex = np.repeat(list(groups), [images * count for count in groups.values()])
    own = rng.normal(0.0, spread, patient.max() + 1)[patient]
    y = rng.random(len(patient)) < 0.5
    logit = own + rng.normal(0.0, 1.0, len(patient)) + np.where(y, 1.0, -1.0) + gap * (sex == "female")
    score = 1.0 / (1.0 + np.exp(-logit))
    error = own + rng.normal(0.0, 0.3, len(patient)) + gap * (sex == "female")
    uncertainty = np.abs(rng.normal(0.0, 1.0, len(patient)) + rng.normal(0.0, 1.0, patient.max() + 1)[patient])
    arrays = {"y_true": y, "y_score": score, "error": error, "uncertainty": uncertainty}
    return arrays, sex, patient


def judge(predictions, metric, limit_kind, limit=0.1, **more):
    if limit_kind == "max_mismatch":
        return audit_uncertainty(predictions, max_mismatch=limit, **more)
    return audit(predictions, metric=metric, **{limit_kind: limit}, **more)


def judge_both(arrays, sex, cluster, case, **more):
    return [
        judge(Predictions(**arrays, cluster=some, sensitive_features={"sex": sex}), *case, **more)
        for some in (None, cluster)
    ]


@every_kind
def test_images_of_a_patient_widen_the_interval(metric, limit_kind):
    arrays, sex, patient = patients(np.random.default_rng(1), {"male": 60, "female": 50}, gap=0.5)
    naive, robust = judge_both(arrays, sex, patient, (metric, limit_kind), limit=0.5)
    assert robust.estimate == pytest.approx(naive.estimate)
    assert robust.high - robust.low > 1.05 * (naive.high - naive.low)
    assert {group.clusters for group in naive.groups} == {None}
    # A patient without a positive has no part in a rate of positives.
    assert all(0.9 * most <= group.clusters <= most for group, most in zip(robust.groups, (50, 60), strict=True))
    assert CheckRecord.from_json(robust.to_json()) == robust


@pytest.mark.parametrize("case", [("mean_error", "max_difference"), ("selection_rate", "max_difference")])
def test_fair_models_with_dependent_images_rarely_fail(case):
    rng, runs, fails = np.random.default_rng(5), 20, np.zeros(2)
    for _ in range(runs):
        arrays, sex, patient = patients(rng, {"male": 40, "female": 20}, spread=2.0)
        fails += [r.verdict == "fail" for r in judge_both(arrays, sex, patient, case, limit=0.0)]
    naive, robust = fails / runs
    assert robust <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)
    assert naive > 0.2  # without clusters the same data accuse fair models


@every_kind
def test_too_few_clusters_are_not_judged_and_said_so(metric, limit_kind):
    arrays, sex, patient = patients(np.random.default_rng(2), {"male": 60, "female": 4}, images=40, gap=3.0)
    _, robust = judge_both(arrays, sex, patient, (metric, limit_kind), limit=0.05)
    assert robust.verdict != "pass"
    female = robust.group(("female",))
    assert (female.clusters, female.samples) == (4, 160)
    assert "clusters" in female.problem
    assert f"group female: {female.problem}" in robust.reason
    if limit_kind in ("max_difference", "min_ratio", "max_mismatch"):
        assert (robust.verdict, robust.estimate) == ("inconclusive", None)


@every_kind
@pytest.mark.parametrize("share", [1.0, 0.9])
def test_one_huge_cluster_is_little_evidence(metric, limit_kind, share):
    """All images, or nearly all, of a group are of one patient: nothing is shown of the group."""
    arrays, sex, patient = patients(np.random.default_rng(3), {"male": 300, "female": 300}, images=1, gap=0.3)
    huge = (sex == "female") & (np.arange(len(sex)) < 300 + 300 * share)
    limit = {"min_ratio": 0.9, "min_value": 0.7}.get(limit_kind, 0.05)
    _, robust = judge_both(arrays, sex, np.where(huge, 10**6, patient), (metric, limit_kind), limit=limit)
    assert robust.verdict != "pass"
    if limit_kind not in ("min_value", "max_value"):
        assert robust.verdict == "inconclusive"


@every_kind
def test_clusters_that_span_groups_are_judged(metric, limit_kind):
    """Both eyes, both sides: what one patient adds to both groups is no difference between them."""
    arrays, _, _ = patients(np.random.default_rng(4), {"x": 400}, images=2)
    side, patient = np.tile(["left", "right"], 400), np.repeat(np.arange(400), 2)
    record = judge(
        Predictions(**arrays, cluster=patient, sensitive_features={"side": side}), metric, limit_kind, limit=0.3
    )
    assert record.verdict in ("pass", "fail", "inconclusive")
    assert record.estimate is not None
    of_some = ("false_negative_rate", "equalized_odds")  # patients with a positive image on that side
    assert [group.clusters for group in record.groups] == [400, 400] or metric in of_some
    statistics = GroupStatistics.from_predictions(
        Predictions(**arrays, cluster=patient, sensitive_features={"side": side}), ["side"], metrics=[METRICS[metric]]
    )
    assert statistics.clusters_cross_groups


@pytest.mark.parametrize("metric", ["mean_error", "selection_rate"])
def test_opposite_outcomes_of_a_shared_cluster_widen_the_interval(metric):
    """A patient whose left side is high where the right is low makes the difference vary more, not less."""
    rng = np.random.default_rng(6)
    own = rng.random(300) < 0.5
    flags = np.column_stack([own, ~own]).ravel()
    side, patient = np.tile(["left", "right"], 300), np.repeat(np.arange(300), 2)
    arrays = {"y_true": flags, "y_pred": flags, "error": flags.astype(float) + rng.normal(0, 0.01, 600)}
    naive, robust = judge_both(arrays, side, patient, (metric, "max_difference"), limit=0.0)
    assert robust.high - robust.estimate > 1.3 * (naive.high - naive.estimate)
    assert robust.p_violation >= naive.p_violation


def test_outcomes_that_are_constant_within_clusters_count_once():
    """Ten images of each patient, all alike: the same as one image of each."""
    rng = np.random.default_rng(7)
    y_pred, sex = rng.random(200) < 0.4, np.repeat(["f", "m"], 100)
    one = Predictions(np.ones(200, bool), y_pred, sensitive_features={"sex": sex})
    rows = np.repeat(np.arange(200), 10)
    ten = Predictions(np.ones(2000, bool), y_pred[rows], cluster=rows, sensitive_features={"sex": sex[rows]})
    for limit_kind, limit in (("max_difference", 0.1), ("min_ratio", 0.8), ("max_value", 0.5), ("min_value", 0.3)):
        single, many = (audit(p, metric="false_negative_rate", **{limit_kind: limit}) for p in (one, ten))
        assert (many.p_violation, many.p_compliance) == pytest.approx((single.p_violation, single.p_compliance))
        assert (many.low, many.high) == pytest.approx((single.low, single.high))
        assert [g.effective_n for g in many.groups] == [100.0, 100.0]


def test_a_rate_of_zero_within_clusters_counts_clusters_not_samples():
    y_pred = np.zeros(4000, bool)
    sex, patient = np.repeat(["f", "m"], 2000), np.repeat(np.arange(80), 50)
    predictions = Predictions(np.zeros(4000, bool), y_pred, cluster=patient, sensitive_features={"sex": sex})
    record = audit(predictions, metric="false_positive_rate", max_value=0.01)
    assert record.verdict == "inconclusive"  # 40 patients without an event bound a rate at 7 %, 2000 samples at 0.15 %
    assert [g.effective_n for g in record.groups] == pytest.approx([40.0, 40.0], rel=0.05)


IDS = np.repeat(np.arange(40), 5)
ID_KINDS = {
    "text": [f"patient {i}" for i in IDS],
    "uint8": IDS.astype(np.uint8),
    "float": IDS / 7.0,
    "series": pd.Series(IDS, index=np.arange(200)[::-1]),
    "category": pd.Series([f"p{i}" for i in IDS], dtype="category"),
    "Int64": pd.Series(IDS, dtype="Int64"),
    "polars text": pl.Series([f"p{i}" for i in IDS]),
    "polars int": pl.Series(IDS.tolist()),
    "long": [2**60 + int(i) for i in IDS],  # no float tells these apart
    "long objects": np.array([2**60 + int(i) for i in IDS], dtype=object),
    "long list": [2**63 + int(i) if i else 2 for i in IDS],
    "longer objects": np.array([2**70 + int(i) for i in IDS], dtype=object),
    "text objects": np.array([f"{i:03d}" for i in IDS], dtype=object),
    "dates": pd.Series(pd.to_datetime(IDS, unit="D")),
}


@pytest.mark.parametrize("ids", ID_KINDS.values(), ids=ID_KINDS)
def test_ids_of_any_kind_say_the_same(ids):
    rng = np.random.default_rng(8)
    arrays = {"error": rng.normal(size=200), "sensitive_features": {"sex": np.repeat(["f", "m"], 100)}}
    plain = audit(Predictions(**arrays, cluster=IDS), metric="mean_error", max_difference=0.3)
    assert audit(Predictions(**arrays, cluster=ids), metric="mean_error", max_difference=0.3) == plain
    assert [group.clusters for group in plain.groups] == [20, 20]


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([1.0, np.nan, 2.0, 3.0], "cluster: 1 of 4 values is NaN: row 1"),
        ([1, None, 2, None], r"cluster: 2 of 4 values are missing \(None or NaN\): rows 1, 3"),
        (["a", None, "b", "c"], r"cluster: 1 of 4 values is missing \(None or NaN\): row 1"),
        (pl.Series([1, None, 2, 3]), r"cluster: 1 of 4 values is missing \(null\): row 1"),
        (pd.Series([1, None, 2, 3], dtype="Int64"), r"cluster: 1 of 4 values is missing \(null\): row 1"),
        (["a", "", " \t", "b"], "cluster: 2 of 4 values are blank: rows 1, 2"),
        (np.array(["a", "", "b", ""], dtype=object), "cluster: 2 of 4 values are blank: rows 1, 3"),
        (np.array([b"a", b" ", b"b", b"c"]), "cluster: 1 of 4 values is blank: row 1"),
        (pl.Series(["a", "b", "", "c"]), "cluster: 1 of 4 values is blank: row 2"),
        (pd.Series(["a", "b", " ", "c"], dtype="str"), "cluster: 1 of 4 values is blank: row 2"),
        (np.array(["2020-01-01", "NaT"] * 2, dtype="M8[D]"), "cluster: 2 of 4 values are NaT: rows 1, 3"),
        (np.array([5, "NaT", 6, 7], dtype="m8[s]"), "cluster: 1 of 4 values is NaT: row 1"),
        ([[1, 2], [3, 4]], r"cluster: shape \(2, 2\); shape \(n,\) is needed"),
        ([1, 2, 3], "lengths differ: .*cluster 3"),
    ],
)
def test_bad_ids_are_named_with_their_rows(ids, message):
    with pytest.raises(InvalidPredictions, match=message):
        Predictions(error=[0.1, 0.2, 0.3, 0.4], cluster=ids, sensitive_features={"sex": list("ffmm")})


def test_parts_of_clustered_data_are_refused():
    arrays, sex, patient = patients(np.random.default_rng(9), {"male": 20, "female": 20})
    some = Predictions(**arrays, cluster=patient, sensitive_features={"sex": sex})
    part = GroupStatistics.from_predictions(some, ["sex"], metrics=[METRICS["accuracy"]])
    with pytest.raises(ConfigurationError, match="a cluster may have samples in both; evaluate the whole"):
        part + part
