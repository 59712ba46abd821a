"""What must hold for every metric of the table, whatever the data: random predictions with every array given."""

from __future__ import annotations

import dataclasses
from functools import reduce
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from fairness_checks.errors import ConfigurationError
from fairness_checks.findings.finding import find
from fairness_checks.inputs.predictions import Predictions
from fairness_checks.judge.verdict import audit_model
from fairness_checks.kinds.group_statistics import GroupStatistics
from fairness_checks.question.checks import Check, Settings
from fairness_checks.question.metrics import METRICS
from fairness_checks.records.check_record import CheckRecord
from fairness_checks.testing import drawn

LIMITS = {"max_difference": 0.05, "min_ratio": 0.8, "max_value": 0.3, "min_value": 0.3, "max_mismatch": 0.05}
NAMES = np.array(["ash", "birch", "cedar", "dogwood"])
AREAS = {"roc_auc", "uncertainty_mismatch"}
RATES = {metric.name for metric in METRICS.values() if metric.kind in ("proportion", "largest_of")}
ARRAYS = ("y_true", "y_pred", "y_score", "error", "uncertainty")
EXACT = {"rel": 1e-7, "abs": 1e-7}
SEARCHED = {"rel": 1e-7, "abs": 5e-5}  # an end of an interval is searched for until it is known to 2e-5

every_metric = pytest.mark.parametrize("metric", sorted(METRICS))
seeds = st.integers(0, 2**20)


def predictions(arrays, *, clustered=False, **changed):
    """Make predictions of drawn arrays."""
    all_ = {**arrays, **changed}
    cluster = all_["cluster"] if clustered else None
    given = {name: all_[name] for name in ARRAYS}
    return Predictions(**given, cluster=cluster, sensitive_features={"sex": all_["sex"]})


def rows(arrays, order):
    return {name: array[order] for name, array in arrays.items()}


def check_of(metric, rng, limit_kinds=None):
    kind = str(rng.choice(limit_kinds or METRICS[metric].limits))
    return Check(metric, ("sex",), kind, LIMITS[kind])


def judged(some, check):
    (record,) = audit_model("model", some, [check], Settings(correction="none"))
    return record


def assert_same(one, other, interval=EXACT, named=lambda name: name):
    """Two records say the same of their groups, up to the groups' names."""
    assert (one.verdict, one.estimate is None) == (other.verdict, other.estimate is None)
    assert {named(g.name[0]): (g.samples, g.events, g.n) for g in one.groups} == {
        g.name[0]: (g.samples, g.events, g.n) for g in other.groups
    }
    if one.estimate is None:
        return
    for name in ("estimate", "p_violation", "p_compliance"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), **EXACT), name
    for name in ("low", "high"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), **interval), name


@every_metric
@settings(max_examples=3)
@given(seed=seeds, clustered=st.booleans())
def test_the_order_of_rows_changes_nothing(metric, seed, clustered):
    rng = np.random.default_rng(seed)
    arrays, check = drawn(rng), check_of(metric, rng)
    permuted = rows(arrays, rng.permutation(len(arrays["sex"])))
    one, other = (judged(predictions(some, clustered=clustered), check) for some in (arrays, permuted))
    assert_same(one, other, SEARCHED)


@every_metric
@settings(max_examples=3)
@given(seed=seeds, clustered=st.booleans(), order=st.permutations(range(len(NAMES))))
@example(seed=18844, clustered=False, order=[0, 1, 3, 2])  # p-values of accuracy differed in the seventh digit
def test_names_of_groups_change_nothing_but_names(metric, seed, clustered, order):
    rng = np.random.default_rng(seed)
    arrays, check = drawn(rng), check_of(metric, rng)
    renamed = dict(zip(NAMES.tolist(), [f"group {i}" for i in order], strict=True))
    new = np.array([renamed[name] for name in arrays["sex"]])
    one = judged(predictions(arrays, clustered=clustered), check)
    other = judged(predictions(arrays, clustered=clustered, sex=new), check)
    assert_same(one, other, SEARCHED, renamed.__getitem__)
    assert [g.name for g in other.groups] == sorted(g.name for g in other.groups)
    if one.first is not None:  # the deciding groups are named, and have the values that were told of them
        rates = [{g.rate for g in r.groups if g.name in (r.first, r.second)} for r in (one, other)]
        assert sorted(r or 0.0 for r in rates[0]) == pytest.approx(sorted(r or 0.0 for r in rates[1]))


def tied(rng, *, strata=False):
    """Two groups that differ, and of each a copy of two patients for one: all disparities between them are equal."""
    two = [drawn(rng, 90, 140) for _ in range(2)]
    parts = []
    for name, whose, times in zip(NAMES, (0, 0, 1, 1), (1, 2, 1, 2), strict=True):
        one = {key: values for key, values in two[whose].items() if key != "sex"}
        for _ in range(times):
            sex = np.full(len(one["y_true"]), name)
            parts.append({**one, "sex": sex, "cluster": one["cluster"] + 1_000 * len(parts)})
    arrays = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    site = np.full(len(arrays["sex"]), "west")
    if strata:  # the same patients in both
        arrays = {key: np.concatenate([values, values]) for key, values in arrays.items()}
        half = len(arrays["sex"]) // 2
        arrays["cluster"][half:] += 1_000_000
        site = np.repeat(["east", "west"], half)
    return arrays, site


@every_metric
@pytest.mark.parametrize("way", ["samples", "clusters", "strata"])
@settings(max_examples=2)
@given(seed=seeds, order=st.permutations(range(len(NAMES))))
def test_equal_disparities_are_told_apart_by_counts_not_by_names(metric, way, seed, order):
    rng = np.random.default_rng(seed)
    check = check_of(metric, rng)
    arrays, site = tied(rng, strata=way == "strata")
    renamed = dict(zip(NAMES.tolist(), [f"group {i}" for i in order], strict=True))
    names = (arrays["sex"], np.array([renamed[name] for name in arrays["sex"]]))
    if way == "strata":
        check = dataclasses.replace(check, control_features=("site",))
    records = []
    for sex in names:
        features = {"sex": sex} if way != "strata" else {"sex": sex, "site": site}
        cluster = arrays["cluster"] if way == "clusters" else None
        some = Predictions(**{key: arrays[key] for key in ARRAYS}, cluster=cluster, sensitive_features=features)
        records.append(judged(some, check))
    one, other = records
    assert (one.verdict, one.estimate is None) == (other.verdict, other.estimate is None)
    if one.estimate is None:
        return
    deciding = [
        sorted((g.n, g.rate or 0.0) for g in record.groups if g.name in (record.first, record.second))
        for record in records
    ]
    assert [n for n, _ in deciding[0]] == [n for n, _ in deciding[1]]
    assert [rate for _, rate in deciding[0]] == pytest.approx([rate for _, rate in deciding[1]])
    for field in ("needed_samples", "needed_samples_if_equal"):
        assert sorted(getattr(one, field) or ()) == pytest.approx(sorted(getattr(other, field) or ()), abs=1), field
    assert one.detectable == (None if other.detectable is None else pytest.approx(other.detectable))
    assert one.estimate == pytest.approx(other.estimate)


@every_metric
@settings(max_examples=3)
@given(seed=seeds, cuts=st.lists(st.integers(1, 59), min_size=1, max_size=3, unique=True), turn=st.randoms())
def test_parts_add_up_in_any_order_or_refuse(metric, seed, cuts, turn):
    rng = np.random.default_rng(seed)
    arrays, check, metrics = drawn(rng), check_of(metric, rng), [METRICS[metric]]
    edges = [0, *sorted(cuts), len(arrays["sex"])]
    slices = [slice(start, stop) for start, stop in pairwise(edges)]
    turn.shuffle(slices)

    def measured(some):
        return GroupStatistics.from_predictions(some, ["sex"], metrics=metrics)

    parts = [measured(predictions(rows(arrays, some))) for some in slices]
    if metric in AREAS:
        with pytest.raises(ConfigurationError, match="areas of parts cannot be added"):
            reduce(GroupStatistics.__add__, parts)
        return
    whole = measured(predictions(arrays))
    merged = reduce(GroupStatistics.__add__, parts)
    assert (merged.groups, merged.counts.tolist()) == (whole.groups, whole.counts.tolist())
    one, other = (find(some, check, Settings()) for some in (merged, whole))
    assert one.reason == other.reason
    if other.inference is not None:
        for name in ("estimate", "p_violation", "p_compliance", "first", "second"):
            assert getattr(one.inference, name) == pytest.approx(getattr(other.inference, name), **EXACT)
        assert (one.inference.low, one.inference.high) == pytest.approx(
            (other.inference.low, other.inference.high), **SEARCHED
        )


@every_metric
def test_clusters_never_add_up(metric):
    arrays = drawn(np.random.default_rng(3))
    part = GroupStatistics.from_predictions(predictions(arrays, clustered=True), ["sex"], metrics=[METRICS[metric]])
    with pytest.raises(ConfigurationError, match="cluster"):
        part + part


@every_metric
@settings(max_examples=3)
@given(seed=seeds, shuffled=st.booleans())
def test_a_twin_of_every_row_in_its_cluster_is_no_evidence(metric, seed, shuffled):
    rng = np.random.default_rng(seed)
    arrays, check = drawn(rng, 140, 240), check_of(metric, rng)
    twins = np.repeat(np.arange(len(arrays["sex"])), 2)
    if shuffled:
        twins = rng.permutation(twins)
    single = judged(predictions(arrays), check)
    double = judged(predictions({**rows(arrays, twins), "cluster": twins}, clustered=True), check)
    # That few clusters are not judged has no counterpart among single samples, of which any number is.
    said = [double.reason, *(group.problem for group in double.groups)]
    assume(not any("clusters are needed" in (text or "") for text in said))
    assert single.verdict == double.verdict
    assert [(2 * g.samples, 2 * g.n) for g in single.groups] == [(g.samples, g.n) for g in double.groups]
    for name in ("estimate", "low", "high", "p_violation", "p_compliance"):
        assert getattr(double, name) == pytest.approx(getattr(single, name), **EXACT), name


@every_metric
@settings(max_examples=3)
@given(seed=seeds)
@example(seed=1476)  # a bin of the calibration error has a mean of 0
def test_clusters_of_one_sample_are_independent_samples(metric, seed):
    rng = np.random.default_rng(seed)
    arrays, check = drawn(rng), check_of(metric, rng)
    ids = rng.permutation(len(arrays["sex"]))
    single = judged(predictions(arrays, cluster=ids, clustered=True), check)
    assert_same(judged(predictions(arrays), check), single, SEARCHED)


@every_metric
@settings(max_examples=4)
@given(seed=seeds, clustered=st.booleans(), factor=st.floats(0.1, 3.0))
def test_verdict_and_interval_agree_and_records_survive_json(metric, seed, clustered, factor):
    rng = np.random.default_rng(seed)
    arrays, check = drawn(rng), check_of(metric, rng)
    limit = min(check.limit * factor, 0.95)
    record = judged(predictions(arrays, clustered=clustered), dataclasses.replace(check, limit=limit))
    assert CheckRecord.from_json(record.to_json()) == record
    if record.estimate is None:
        assert record.verdict == "inconclusive"
        assert record.reason
        return
    floor = check.limit_kind in ("min_ratio", "min_value")
    violated, kept = (record.high < limit, record.low > limit) if floor else (record.low > limit, record.high < limit)
    on_it = limit in (record.low, record.high)  # an end may stop at the limit itself, and no further
    assert violated == (record.p_violation < record.alpha) or on_it
    assert kept == (record.p_compliance < record.alpha) or on_it
    assert record.low <= record.high + 1e-12
    complete = record.reason is None
    fails, passes = record.p_violation < record.alpha, complete and record.p_compliance < record.alpha
    assert record.verdict == ("fail" if fails else "pass" if passes else "inconclusive")


@pytest.mark.parametrize(
    ("metric", "power"), [("mean_error", 1), ("mean_absolute_error", 1), ("mean_squared_error", 2)]
)
@settings(max_examples=6)
@given(seed=seeds, clustered=st.booleans(), factor=st.sampled_from([1e-6, 0.25, 3.0, 1e6]))
def test_the_unit_of_errors_does_not_matter(metric, power, seed, clustered, factor):
    rng = np.random.default_rng(seed)
    arrays, check = drawn(rng), check_of(metric, rng)
    unit = factor**power
    one = judged(predictions(arrays, clustered=clustered), check)
    scaled = predictions(arrays, clustered=clustered, error=arrays["error"] * factor)
    other = judged(scaled, dataclasses.replace(check, limit=check.limit * unit))
    assert (one.verdict, one.first) == (other.verdict, other.first)
    assert (one.p_violation, one.p_compliance) == pytest.approx((other.p_violation, other.p_compliance), **EXACT)
    assert other.estimate / unit == pytest.approx(one.estimate, **EXACT)
    assert (other.low / unit, other.high / unit) == pytest.approx((one.low, one.high), rel=1e-3, abs=2e-3)


@settings(max_examples=15)
@given(seed=seeds, clustered=st.booleans(), shift=st.floats(-100.0, 100.0))
def test_a_shift_of_all_errors_leaves_their_differences(seed, clustered, shift):
    arrays = drawn(np.random.default_rng(seed))
    check = Check("mean_error", ("sex",), "max_difference", 0.05)
    one = judged(predictions(arrays, clustered=clustered), check)
    assert_same(one, judged(predictions(arrays, clustered=clustered, error=arrays["error"] + shift), check), SEARCHED)


@pytest.mark.parametrize("metric", sorted({*METRICS} - RATES))
@settings(max_examples=3)
@given(seed=seeds, clustered=st.booleans())
def test_the_tests_turn_at_the_ends_of_the_interval(metric, seed, clustered):
    arrays = drawn(np.random.default_rng(seed))
    kind = "max_mismatch" if metric == "uncertainty_mismatch" else "max_difference"
    some, check, near = predictions(arrays, clustered=clustered), Check(metric, ("sex",), kind, 0.0), 1e-3
    record = judged(some, check)
    assume(record.estimate is not None)
    if record.high + near < METRICS[metric].highest:  # the interval holds the limits that neither test rejects
        for change, shown in ((near, True), (-near, False)):
            p = judged(some, dataclasses.replace(check, limit=max(record.high + change, 0.0))).p_compliance
            assert (p < record.alpha) == shown or record.high < near, (record.high, change, p)
    if record.low > near:
        assert judged(some, dataclasses.replace(check, limit=record.low - near)).p_violation < record.alpha
