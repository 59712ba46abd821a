"""Statistics written as JSON and read back decide the same, digit by digit."""

from __future__ import annotations

import dataclasses
import json
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairness_checks.errors import RecordError
from fairness_checks.findings.comparison import compare
from fairness_checks.findings.statistics import Swept, find_by
from fairness_checks.findings.statistics_json import groups_to_json, statistics_from_json, statistics_to_json
from fairness_checks.inputs.predictions import Predictions
from fairness_checks.inputs.source import ARRAYS
from fairness_checks.judge.evaluation import Evaluation
from fairness_checks.judge.measurements import measure
from fairness_checks.question.checks import Check, Settings
from fairness_checks.question.metrics import METRICS
from fairness_checks.sweep.mixes import Shares
from fairness_checks.sweep.plan import SweepPlan
from fairness_checks.testing import drawn
from tests.findings.test_regression import accepted
from tests.findings.test_regression import predictions as scored
from tests.sweep.test_changes import near, swept

SETTINGS = Settings()
LIMITS = {"max_difference": 0.05, "min_ratio": 0.8, "max_value": 0.3, "min_value": 0.3, "max_mismatch": 0.05}


def there_and_back(statistics):
    text = json.dumps(statistics_to_json(statistics), allow_nan=False, sort_keys=True)  # as documents have it
    return statistics_from_json(json.loads(text))


def held_out(seed, *, clustered):
    arrays = drawn(np.random.default_rng(seed))
    ward = np.random.default_rng(seed).choice(["a", "b"], len(arrays["sex"]))
    return Predictions(
        **{name: arrays[name] for name in ARRAYS},
        cluster=arrays["cluster"] if clustered else None,
        sensitive_features={"sex": arrays["sex"], "ward": ward},
    )


@pytest.mark.parametrize("metric", sorted(METRICS))
@settings(max_examples=4)
@given(seed=st.integers(0, 2**20), clustered=st.booleans(), strata=st.sampled_from(["none", "each", "combined"]))
def test_held_out_statistics_give_the_same_finding(metric, seed, clustered, strata):
    kind = METRICS[metric].limits[seed % len(METRICS[metric].limits)]
    control = () if strata == "none" or METRICS[metric].kind not in ("proportion", "mean", "ranking") else ("ward",)
    combined = strata if control and kind != "min_ratio" else "each"
    check = Check(metric, ("sex",), kind, LIMITS[kind], control, combined)
    (known,) = measure(Evaluation(held_out(seed, clustered=clustered)), [check], SETTINGS).statistics
    if isinstance(known, Exception):
        return
    try:
        found = find_by(known, check, SETTINGS)
    except Exception as error:  # what cannot be judged cannot be judged from its statistics either
        with pytest.raises(type(error)):
            find_by(there_and_back(known), check, SETTINGS)
        return
    assert find_by(there_and_back(known), check, SETTINGS) == found


@pytest.mark.parametrize("of", ["disparity", "worst_group", "each_group"])
@pytest.mark.parametrize("ids", [True, False], ids=["paired", "unpaired"])
@pytest.mark.parametrize("metric", ["accuracy", "mean_absolute_error", "roc_auc", "balanced_accuracy"])
def test_what_was_compared_with_the_baseline_gives_the_same_finding(tmp_path, metric, of, ids):
    old, new = (scored(seed, 300, worse, ids=ids) for seed, worse in ((1, 0.0), (1, 0.1)))
    check = Check(metric, ("sex",), "max_worsening", 0.02, of=of)
    known = compare(accepted(tmp_path, old, [check], ids=ids), new, check, SETTINGS)
    found = find_by(known, check, SETTINGS)
    assert found.regression.paired == ids
    assert find_by(there_and_back(known), check, SETTINGS) == found


@pytest.mark.parametrize("gap", ["each_mix", "change", "worst_case"])
def test_a_sweep_gives_the_same_finding(gap):
    mixes = {"as_is": "as_is", "half": Shares({"f": 0.5, "m": 0.5}), "few": Shares({"f": 0.2, "m": 0.8})}
    plan = SweepPlan(by="sex", mixes=mixes, repeats=20)
    values = {"as_is": near(0.9, 0.6, seed=1), "half": near(0.85, 0.7, seed=2), "few": near(0.8, 0.7, seed=3)}
    kind = "min_reduction" if gap == "change" else "max_difference"
    check, known = Check("roc_auc", ("sex",), kind, 0.05, gap=gap), Swept(swept(values), plan)
    read = there_and_back(known)
    assert (read.plan, read.results) == (known.plan, known.results)
    assert find_by(read, check, SETTINGS) == find_by(known, check, SETTINGS)


@pytest.mark.parametrize(
    "change",
    [
        lambda plain: plain["held_out"]["samples"]["int64"].__setitem__(0, 3),
        lambda plain: plain["held_out"]["counts"]["int64"][0].__setitem__(0, -1),
        lambda plain: plain["held_out"]["groups"].pop(),
        lambda plain: plain["held_out"].pop("samples"),
        lambda plain: plain["held_out"]["measured"].update(accuracy={"Popen": {}}),
        lambda plain: plain["held_out"]["measured"].update(accuracy={"Rates": {"events": 1}}),
        lambda plain: plain.update(more=1),
        lambda plain: plain.clear(),
    ],
    ids=["sum", "negative", "group", "samples", "class", "fields", "key", "nothing"],
)
def test_what_is_no_statistics_is_one_error(change):
    check = Check("accuracy", ("sex",), "max_difference", 0.05)
    (known,) = measure(Evaluation(held_out(1, clustered=True)), [check], SETTINGS).statistics
    plain = statistics_to_json(known)
    change(plain)
    with pytest.raises(RecordError, match=r"^statistics: "):
        statistics_from_json(plain)


def _as_floats(held_out):
    for name in ("counts", "samples"):
        held_out[name] = {"float64": held_out[name].pop("int64")}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_as_floats, "counts: they are whole numbers"),
        (lambda held_out: held_out.update(one_cluster_each=1), "clusters_cross_groups, one_cluster_each: true or"),
        (lambda held_out: held_out["groups"].pop(), "counts: they are no counts of these groups"),
        (lambda held_out: held_out["groups"][0].append("old"), "groups: each has a value of sex"),
        (lambda held_out: held_out["samples"].update(int64=[1, 2]), "samples: they are not the sums of the counts"),
        (lambda held_out: held_out["samples"].update(int64=["a"]), "int64: holds what is none"),
        (lambda held_out: held_out.update(samples={}), "{} is none of the values that statistics hold"),
    ],
)
def test_groups_that_contradict_themselves_are_named(change, said):
    check = Check("accuracy", ("sex",), "max_difference", 0.05)
    (known,) = measure(Evaluation(held_out(1, clustered=True)), [check], SETTINGS).statistics
    plain = statistics_to_json(known)
    change(plain["held_out"])
    with pytest.raises(RecordError, match=rf"^statistics: ValueError: {re.escape(said)}"):
        statistics_from_json(plain)


@pytest.mark.parametrize("change", [{"more": 1}, {"groups": None}])
def test_a_comparison_of_another_layout_is_refused(tmp_path, change):
    old, new = (scored(seed, 300, worse, ids=True) for seed, worse in ((1, 0.0), (1, 0.1)))
    check = Check("accuracy", ("sex",), "max_worsening", 0.02, of="disparity")
    plain = statistics_to_json(compare(accepted(tmp_path, old, [check], ids=True), new, check, SETTINGS))
    plain["comparison"].update(change)
    with pytest.raises(RecordError, match=r"^statistics: "):
        statistics_from_json(plain)


def test_an_array_of_another_type_is_not_written():
    check = Check("accuracy", ("sex",), "max_difference", 0.05)
    (known,) = measure(Evaluation(held_out(1, clustered=False)), [check], SETTINGS).statistics
    groups = dataclasses.replace(known, counts=known.counts.astype(np.float32))
    with pytest.raises(RecordError, match="an array has dtype float32; known are "):
        groups_to_json(groups)


def test_a_covariance_is_the_same_on_both_sides_of_its_diagonal(tmp_path):
    old, new = (scored(seed, 300, worse, ids=True) for seed, worse in ((1, 0.0), (1, 0.1)))
    check = Check("accuracy", ("sex",), "max_worsening", 0.02, of="disparity")
    plain = statistics_to_json(compare(accepted(tmp_path, old, [check], ids=True), new, check, SETTINGS))
    statistics_from_json(plain)
    ((_, rows),) = plain["comparison"]["joint"]["JointEstimates"]["covariance"].items()
    rows[0][3] *= 2.0
    with pytest.raises(RecordError, match="covariance: it is not the same on both sides"):
        statistics_from_json(plain)
