"""Statistics of sites add up to those of all rows: counts exactly, moments to 1e-9, areas within their bound."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import re
from functools import partial, reduce
from operator import add

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairness_checks import (
    METRICS,
    ConfigurationError,
    InvalidPredictions,
    PartStatistics,
    Predictions,
    RecordError,
    audit,
    audit_uncertainty,
    measure_part,
    merge_parts,
)
from fairness_checks.errors import attempted
from fairness_checks.findings.statistics_json import groups_from_json
from fairness_checks.judge.part_statistics import PartTable, parts_to_json
from fairness_checks.judge.part_twins import marks_of
from fairness_checks.kinds import mismatch, ranking

SITES = 5
NOT_MERGED = {"uncertainty_mismatch"}  # where errors are given, as here; of a classifier it is
NOT_MERGED_IN_CLUSTERS = {"uncertainty_mismatch", "roc_auc"}
"""Listed in docs/sites.md."""


def arrays(seed=0, n=3000, clustered=False, spanning=False):
    """Rows of five sites, of which one alone has a third ethnicity."""
    rng = np.random.default_rng(seed)
    patient = rng.integers(0, n // 4, n) if clustered else np.arange(n)
    site = patient % SITES
    of_patient = np.random.default_rng(1).integers(0, 2, n + 1)[patient]
    sex = np.where(rng.random(n) < 0.5, "f", "m") if spanning or not clustered else np.array(["f", "m"])[of_patient]
    ethnicity = np.where((site == 3) & (patient % 7 == 0), "c", np.where(patient % 3 == 0, "a", "b"))
    y = rng.random(n) < 0.35 + 0.1 * (sex == "f")
    score = np.clip(0.25 + 0.35 * y + 0.2 * rng.standard_normal(n) + 0.03 * (patient % 4), 0.0, 1.0)
    score = np.where(rng.random(n) < 0.2, np.round(score, 1), score)
    return {
        "y_true": y, "y_score": score, "error": rng.standard_normal(n) * 30.0 + 1e4, "uncertainty": rng.random(n),
        "sex": sex, "ethnicity": ethnicity, "cluster": patient, "site": site,
    }  # fmt: skip


def predictions(rows, *, clustered=False, ids=False, only=None):
    some = {name: values if only is None else values[only] for name, values in rows.items()}
    return Predictions(
        some["y_true"],
        y_score=some["y_score"],
        error=some["error"],
        uncertainty=some["uncertainty"],
        threshold=0.5,
        cluster=some["cluster"] if clustered else None,
        sample_id=[f"{a}-{b}" for a, b in zip(some["cluster"], some["error"], strict=True)] if ids else None,
        sensitive_features={"sex": some["sex"], "ethnicity": some["ethnicity"]},
    )


BY = ["sex", "ethnicity", ["sex", "ethnicity"]]


def parts_of_sites(rows, *, clustered=False, **more):
    return [
        measure_part(
            predictions(rows, clustered=clustered, only=rows["site"] == site), by=BY, clusters_inside=clustered, **more
        )
        for site in range(SITES)
    ]


@pytest.fixture(scope="module", params=["independent", "clusters", "clusters across groups"])
def pooled(request):
    clustered = request.param != "independent"
    rows = arrays(clustered=clustered, spanning=request.param == "clusters across groups")
    return clustered, predictions(rows, clustered=clustered), merge_parts(parts_of_sites(rows, clustered=clustered))


def limits(metric):
    highest = {"mean_error": 20000.0, "mean_squared_error": 1e9, "mean_absolute_error": 20000.0}
    value = {"max_difference": 0.02, "min_ratio": 0.8, "max_value": 0.4, "min_value": 0.6}
    for kind in METRICS[metric].limits:
        if kind in value:
            scale = highest.get(metric, 1.0)
            yield kind, value[kind] * (scale if kind != "min_ratio" else 1.0)


def numbers(record):
    return {name: getattr(record, name) for name in ("estimate", "low", "high", "p_violation", "p_compliance")}


def of_groups(record):
    names = ("name", "samples", "events", "n", "clusters", "problem")
    return [tuple(getattr(group, name) for name in names) for group in record.groups]


@pytest.mark.parametrize("by", [("ethnicity",), ("sex", "ethnicity")], ids=",".join)  # not in order, too
@pytest.mark.parametrize("metric", sorted(set(METRICS) - NOT_MERGED))
def test_five_sites_give_the_verdict_of_their_rows(pooled, metric, by):
    clustered, whole, merged = pooled
    for kind, limit in limits(metric):
        asked = {"metric": metric, "by": by, kind: limit}
        expected = audit(whole, **asked)
        if clustered and metric in NOT_MERGED_IN_CLUSTERS:
            with pytest.raises(ConfigurationError, match=f"{metric} of samples in clusters: nothing that is small"):
                audit(merged, **asked)
            continue
        found = audit(merged, **asked)
        assert of_groups(found) == of_groups(expected)
        assert (found.reason, found.inputs) == (expected.reason, expected.inputs)
        assert (found.verdict, found.first, found.second, found.method) == (
            expected.verdict, expected.first, expected.second, expected.method
        )  # fmt: skip
        assert numbers(found) == pytest.approx(numbers(expected), rel=1e-6, abs=1e-9)
        values = [[group.rate for group in record.groups] for record in (found, expected)]
        np.testing.assert_allclose(*[np.array(each, dtype=float) for each in values], rtol=1e-9)


def classifier(rows, only=None):
    some = {name: values if only is None else values[only] for name, values in rows.items()}
    features = {"sex": some["sex"], "ethnicity": some["ethnicity"]}
    ids = some.get("sample_id")
    return Predictions(
        some["y_true"], y_score=some["y_score"], threshold=0.5, sample_id=ids, sensitive_features=features
    )


@pytest.mark.parametrize("by", ["sex", "ethnicity", ("sex", "ethnicity")], ids=str)
@pytest.mark.parametrize("limit", [0.0, 0.05, 0.2])
@pytest.mark.parametrize("lazy", [False, True])
def test_mismatches_of_a_classifier_are_those_of_the_rows(by, limit, lazy):
    rows = arrays()
    if lazy:
        table = pl.DataFrame({name: rows[name] for name in ("y_true", "y_score", *BY[:2], "site")})
        roles = {"y_true": "y_true", "y_score": "y_score", "by": BY[:2], "threshold": 0.5, "collect": False}
        of_sites = [table.filter(pl.col("site") == site).lazy() for site in range(SITES)]
        parts = [measure_part(Predictions.from_frame(some, **roles), by=BY) for some in of_sites]
    else:
        parts = [measure_part(classifier(rows, rows["site"] == site), by=BY) for site in range(SITES)]
    whole = PartStatistics.from_json(merge_parts(parts).to_json())
    found, expected = (audit_uncertainty(each, by=by, max_mismatch=limit) for each in (whole, classifier(rows)))
    assert (found.verdict, found.first, found.second) == (expected.verdict, expected.first, expected.second)
    assert numbers(found) == pytest.approx(numbers(expected), rel=1e-9, abs=1e-12)
    assert found.also == pytest.approx(expected.also)
    for one, other in zip(found.groups, expected.groups, strict=True):
        assert one.also == pytest.approx(other.also, rel=1e-9)


def test_mismatches_without_an_order_are_refused_by_name(monkeypatch):
    rows = arrays(n=400)
    given = measure_part(predictions(rows), by="sex")
    with pytest.raises(ConfigurationError, match="uncertainty_mismatch: of errors or uncertainties that are given"):
        audit_uncertainty(given, by="sex", max_mismatch=0.1)
    suppressed = measure_part(classifier(rows), by="sex", suppress_below=5)
    with pytest.raises(ConfigurationError, match=r"fewer than 5 \(suppress_below\), and single scores, too"):
        audit_uncertainty(suppressed, by="sex", max_mismatch=0.1)
    monkeypatch.setattr(mismatch, "BINS", 10)
    with pytest.raises(ConfigurationError, match="a group has more than 10 different scores"):
        audit_uncertainty(measure_part(classifier(rows), by="sex"), by="sex", max_mismatch=0.1)


def test_areas_of_more_scores_than_bins_are_within_their_bound(monkeypatch):
    monkeypatch.setattr(ranking, "_MOST_SCORES", 0)
    rows = arrays()
    whole, merged = predictions(rows), merge_parts(parts_of_sites(rows, metrics=["roc_auc"]))
    for by in ("sex", "ethnicity", ["sex", "ethnicity"]):
        for limit in ({"max_difference": 0.02}, {"max_difference": 0.2}, {"min_value": 0.7}, {"max_value": 0.7}):
            found, expected = (audit(each, metric="roc_auc", by=by, **limit) for each in (merged, whole))
            assert of_groups(found) == of_groups(expected)
            assert_within_bound(found, expected)
    for strata in ("each", "combined"):
        asked = {"by": "sex", "control_features": "ethnicity", "strata": strata, "max_difference": 0.1}
        assert_within_bound(*(audit(each, metric="roc_auc", **asked) for each in (merged, whole)))


def assert_within_bound(found, expected):
    """Areas of bins: an interval that holds that of the rows, and is hardly wider."""
    assert found.verdict in (expected.verdict, "inconclusive")
    assert found.low <= expected.low + 1e-6
    assert found.high >= expected.high - 1e-6
    assert found.high - found.low <= (expected.high - expected.low) * 1.05
    for name in ("p_violation", "p_compliance"):  # above 1/2 a larger variance is a smaller p
        assert getattr(found, name) >= min(getattr(expected, name), 0.5) - 1e-9
    values = [[group.rate for group in record.groups] for record in (found, expected)]
    np.testing.assert_allclose(*[np.array(each, dtype=float) for each in values], atol=1e-3)


def test_strata_are_standardised_alike(pooled):
    clustered, whole, merged = pooled
    for metric in sorted(set(METRICS) - (NOT_MERGED_IN_CLUSTERS if clustered else NOT_MERGED)):
        if METRICS[metric].components:
            continue
        for strata in ("each", "combined"):
            asked = {"metric": metric, "by": "sex", "control_features": "ethnicity", "strata": strata}
            if "max_difference" not in METRICS[metric].limits:
                continue
            expected, found = (attempted(partial(audit, each, **asked, max_difference=0.1)) for each in (whole, merged))
            if isinstance(expected, ConfigurationError):
                assert str(found) == str(expected)
            else:
                assert numbers(found) == pytest.approx(numbers(expected), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("clustered", [False, True], ids=["independent", "clusters"])
def test_what_is_written_is_read_to_the_last_digit_and_the_order_of_parts_does_not_matter(clustered):
    parts = parts_of_sites(arrays(n=600, clustered=clustered, spanning=clustered), clustered=clustered)
    again = [PartStatistics.from_json(part.to_json()) for part in parts]
    assert [part.to_json() for part in again] == [part.to_json() for part in parts]
    records = []
    for order in ([0, 1, 2, 3, 4], [4, 2, 0, 3, 1]):
        whole = merge_parts([again[i] for i in order])
        records.append(
            [
                numbers(audit(whole, metric=metric, by=["sex", "ethnicity"], max_difference=0.05))
                for metric in sorted(set(METRICS) - NOT_MERGED_IN_CLUSTERS)
                if "max_difference" in METRICS[metric].limits
            ]
        )
    for one, other in zip(*records, strict=True):
        assert one == pytest.approx(other, rel=1e-9, abs=1e-12)


@settings(deadline=None, max_examples=8)
@given(st.integers(0, 2**16), st.permutations(range(4)), st.booleans())
def test_parts_add_up_in_any_grouping(seed, order, clustered):
    rows = arrays(seed, n=160, clustered=clustered, spanning=clustered)
    parts = parts_of_sites(rows, clustered=clustered)[:4]
    a, b, c, d = (parts[i] for i in order)
    one, other = (a + b) + (c + d), reduce(add, parts)
    assert (one.samples, one.rows) == (other.samples, other.rows)
    again = PartStatistics.from_json(one.to_json())
    for by, table in one.tables.items():
        same(table, other.tables[by])
        same(table, again.tables[by])


def same(one: PartTable, other: PartTable):
    np.testing.assert_array_equal(one.groups.counts, other.groups.counts)
    assert (one.groups.groups, one.refused) == (other.groups.groups, other.refused)
    whole, expected = one.whole(), other.whole()
    for name in one.groups.measured:
        pairs = zip(arrays_in(whole.measured[name]), arrays_in(expected.measured[name]), strict=True)
        for mine, theirs in pairs:
            np.testing.assert_allclose(mine, theirs, rtol=1e-6, atol=1e-9, err_msg=name)


def arrays_in(value):
    if isinstance(value, np.ndarray):
        return [value]
    if value is None or not hasattr(value, "__dataclass_fields__"):
        return []
    return list(itertools.chain.from_iterable(arrays_in(getattr(value, name)) for name in value.__dataclass_fields__))


def test_groups_that_one_site_alone_has_are_there_and_no_site_need_have_all():
    rows = arrays()
    merged = merge_parts(parts_of_sites(rows))
    record = audit(merged, metric="accuracy", by="ethnicity", max_difference=0.5)
    assert {group.name: group.samples for group in record.groups} == {
        (name,): int((rows["ethnicity"] == name).sum()) for name in "abc"
    }


def test_models_without_labels_and_rows_without_a_group_are_merged_too():
    rng = np.random.default_rng(0)
    error, skin = rng.standard_normal(900), rng.choice(["dark", "light", None], 900)

    def images(only):
        return Predictions(error=error[only], sensitive_features={"skin": skin[only].tolist()})

    site = np.arange(900) % 3
    parts = [measure_part(images(site == k), by="skin", missing_sensitive="group") for k in range(3)]
    whole = PartStatistics.from_json(merge_parts(parts).to_json())
    assert whole.missing_by_feature() == {"skin": skin.tolist().count(None)}
    for metric in ("mean_error", "mean_squared_error"):
        asked = {"metric": metric, "by": "skin", "max_difference": 0.2}
        with pytest.raises(InvalidPredictions, match="values are missing; fill them in"):  # as in memory
            audit(whole, **asked)
        asked["missing_sensitive"] = "group"
        found, expected = audit(whole, **asked), audit(images(site >= 0), **asked)
        assert of_groups(found) == of_groups(expected)
        assert numbers(found) == pytest.approx(numbers(expected), rel=1e-9, abs=1e-12)
    with pytest.raises(ConfigurationError, match=r"missing_text: \['x'\] is asked, and the parts were measured with"):
        audit(whole, **asked, missing_text=["x"])
    with pytest.raises(ConfigurationError, match="accuracy by skin: y_true"):
        audit(whole, **{**asked, "metric": "accuracy"})


def site_of(groups, seed, **more):
    rng = np.random.default_rng(seed)
    values = [groups[i % len(groups)] for i in range(200)]
    labels = rng.random(200) < 0.4
    return measure_part(
        Predictions(labels, y_score=rng.random(200), sensitive_features={"sex": values}), by="sex", **more
    )


@pytest.mark.parametrize(
    ("one", "other", "message"),
    [
        (["f", "m"], ["F", "M"], "the names 'F' and 'f' differ only in letter case"),
        (["True", "False"], ["true", "false"], "the names 'False' and 'false' differ only in letter case"),
        (["a b", "c"], ["ab", "c"], "the names 'a b' and 'ab' differ only in blanks"),
        (["a-b", "c"], ["a\u2013b", "c"], "differ only in dashes"),
        (["1.5"], ["1.50"], "'1.50' in one and '1.5' in the other are one number"),
        (["1", "2"], ["01", "02"], "'01' in one and '1' in the other are one number"),
    ],
)
def test_one_group_under_two_names_is_refused_as_in_one_file(one, other, message):
    with pytest.raises(ConfigurationError, match=f"groups of sex: .*{message}"):
        merge_parts([site_of(one, 0), site_of(other, 1)])


def test_codes_that_one_part_has_both_are_two_groups():
    assert merge_parts([site_of(["1", "01"], 0), site_of(["1", "2"], 1)]).samples == 400


def test_a_group_that_is_called_as_missing_values_are_is_refused_where_these_are_a_group():
    with pytest.raises(InvalidPredictions, match=r"a group is called '\(missing\)' already; rename it"):
        site_of(["f", "(missing)"], 0, missing_sensitive="group")
    part = site_of(["f", "(missing)"], 0)
    record = audit(part, metric="accuracy", by="sex", max_difference=0.9)
    assert [group.name for group in record.groups] == [("(missing)",), ("f",)]


@pytest.mark.parametrize("metric", ["false_negative_rate", "precision", "brier_score", "expected_calibration_error"])
@pytest.mark.parametrize("positive", [True, False])
def test_a_site_whose_clusters_have_no_sample_of_a_rate_takes_part(metric, positive):
    n = 240
    labels = np.r_[np.full(n, positive), np.arange(n) % 3 == 0]
    scores = np.r_[np.linspace(0.0, 0.4, n), np.linspace(0.0, 1.0, n)]

    def rows(some):
        return Predictions(
            labels[some], y_score=scores[some], cluster=np.arange(2 * n)[some] // 2,
            sensitive_features={"sex": np.where(np.arange(2 * n) % 4 < 2, "f", "m")[some]},
        )  # fmt: skip

    parts = [measure_part(rows(some), by="sex", clusters_inside=True) for some in (slice(n), slice(n, None))]
    merged = merge_parts([PartStatistics.from_json(part.to_json()) for part in parts])
    found, expected = (audit(each, metric=metric, by="sex", max_difference=0.1) for each in (merged, rows(slice(None))))
    assert of_groups(found) == of_groups(expected)
    assert numbers(found) == pytest.approx(numbers(expected), rel=1e-6, abs=1e-9)


def test_a_feature_that_is_the_cluster_is_found_in_the_whole_alone():
    rng = np.random.default_rng(0)

    def site(name, n=40):
        labels = rng.random(n) < 0.5
        return Predictions(labels, labels, cluster=[name] * n, sensitive_features={"ward": [name] * n})

    parts = [measure_part(site(name), by="ward", metrics=["accuracy"], clusters_inside=True) for name in "abc"]
    with pytest.raises(InvalidPredictions, match="all samples of each group of ward are of one cluster"):
        audit(merge_parts(parts), metric="accuracy", by="ward", max_difference=0.1)
    again = [measure_part(site("a", 30 + k), by="ward", metrics=["accuracy"], clusters_inside=True) for k in range(12)]
    record = audit(merge_parts([*again, parts[1]]), metric="accuracy", by="ward", max_value=0.1)
    assert [group.clusters for group in record.groups] == [12, 1]


def test_rows_that_stay_in_their_engine_leave_the_same_part():
    rows = arrays()
    table = pl.DataFrame({name: rows[name] for name in ("y_true", "y_score", "error", "uncertainty", *BY[:2], "site")})
    roles = {name: name for name in ("y_true", "y_score", "error", "uncertainty")} | {"by": BY[:2], "threshold": 0.5}
    sites = [table.filter(pl.col("site") == site).lazy() for site in range(SITES)]
    parts = [measure_part(Predictions.from_frame(some, **roles, collect=False), by=BY) for some in sites]
    merged, expected = (merge_parts(each) for each in (parts, parts_of_sites(rows)))
    for metric in sorted(set(METRICS) - NOT_MERGED):
        for kind, limit in limits(metric):
            one, other = (audit(each, metric=metric, by="sex", **{kind: limit}) for each in (merged, expected))
            assert of_groups(one) == of_groups(other)
            assert numbers(one) == pytest.approx(numbers(other), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("ids", [True, False], ids=["by ids", "by statistics"])
def test_a_part_that_is_given_twice_is_refused(ids):
    rows = arrays(n=500)
    part, other = (measure_part(predictions(rows, ids=ids, only=rows["site"] == site), by="sex") for site in (0, 1))
    expected = "the same samples, by their ids" if ids else "their groups have the same counts"
    for some in ([part, part], [part, other, part], [part + other, part]):
        with pytest.raises(ConfigurationError, match=expected):
            merge_parts(some)


def test_the_same_rows_in_another_order_and_of_another_model_are_the_same_rows():
    rows = arrays(n=500)
    turned = {name: values[::-1] for name, values in rows.items()}
    turned["y_score"] = np.clip(turned["y_score"] + 0.1, 0.0, 1.0)
    one, other = (measure_part(predictions(each, ids=True), by="sex") for each in (rows, turned))
    with pytest.raises(ConfigurationError, match="the same samples"):
        one + other


@pytest.mark.parametrize("only", [0, 1])
def test_a_site_of_one_class_takes_part_where_labels_are_0_and_1(only):
    rng = np.random.default_rng(0)
    labels = np.r_[np.full(200, only), np.arange(400) % 2]
    score, sex = rng.random(600), np.where(rng.random(600) < 0.5, "f", "m")

    def rows(some):
        return Predictions(labels[some], y_score=score[some], sensitive_features={"sex": sex[some]})

    parts = [measure_part(rows(some), by="sex") for some in (slice(200), slice(200, None))]
    merged = merge_parts([PartStatistics.from_json(part.to_json()) for part in parts])
    for metric in ("false_negative_rate", "false_positive_rate", "roc_auc", "brier_score", "balanced_accuracy"):
        asked = {"metric": metric, "by": "sex", "max_difference": 0.1}
        found, expected = audit(merged, **asked), audit(rows(slice(None)), **asked)
        assert of_groups(found) == of_groups(expected)
        assert numbers(found) == pytest.approx(numbers(expected), rel=1e-6, abs=1e-9)
    with pytest.raises(InvalidPredictions, match="Where there are none, give 0 and 1"):
        Predictions(["no"] * 200, y_score=score[:200], positive="yes", sensitive_features={"sex": sex[:200]})


WAYS = {
    "as they are": {},
    "in another order": {"order": True},
    "without ids": {"ids": False},
    "of other features": {"by": ["sex", "ethnicity"]},
    "with more features beside": {"features": ("sex", "ethnicity", "site")},
    "suppressed": {"suppress_below": 10},
    "suppressed otherwise": {"suppress_below": 12},
    "after being written": {"written": True},
}


@pytest.mark.parametrize("ids", [True, False], ids=["ids", "no ids"])
@pytest.mark.parametrize("other", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("labels", [True, False], ids=["classifier", "errors"])
def test_the_same_rows_are_found_however_they_are_given(ids, other, labels):
    rows = arrays(n=600)

    def part(ids=ids, order=False, by=("sex",), features=("sex", "ethnicity"), written=False, **more):
        at = np.random.default_rng(0).permutation(600) if order else np.arange(600)
        given = {"y_true": rows["y_true"][at], "y_score": rows["y_score"][at]} if labels else {}
        found = measure_part(
            Predictions(
                **given, error=rows["error"][at], sample_id=at if ids else None,
                sensitive_features={name: rows[name][at] for name in features},
            ),
            by=list(by), **more,
        )  # fmt: skip
        return PartStatistics.from_json(found.to_json()) if written else found

    for one, two in ((part(), part(**other)), (part(suppress_below=11), part(**other))):
        with pytest.raises(ConfigurationError, match=r"the same samples, by their ids|have the same counts, as of a"):
            merge_parts([one, two])


def test_sites_of_equal_counts_are_merged_where_ids_tell_them_apart():
    labels, decisions = np.arange(80) >= 40, np.arange(80) % 40 >= 20

    def site(ids, **more):
        sex = np.where(np.arange(80) % 2 == 0, "f", "m")
        given = Predictions(labels, decisions, sensitive_features={"sex": sex}, sample_id=ids)
        return PartStatistics.from_json(measure_part(given, by="sex", metrics=["accuracy"], **more).to_json())

    for more in ({}, {"suppress_below": 5}):
        ids = [[f"{name}{i}" for i in range(80)] for name in "ab"]
        assert merge_parts([site(each, **more) for each in ids]).samples == 160
        with pytest.raises(ConfigurationError, match=r"have the same counts.*\(--sample-id\), which tell"):
            merge_parts([site(ids[0], **more), site(None, **more)])
        with pytest.raises(ConfigurationError, match=r"by their ids, are in both.*the site's name before them"):
            merge_parts([site(ids[0], **more), site(ids[0][::-1], **more)])


@pytest.mark.parametrize("of", [(0, 1), (1, 3, 4), (0, 1, 2, 3, 4)], ids=str)
def test_a_part_of_the_rows_of_several_others_is_refused(of):
    rows = arrays(seed=1)

    def part(some, **more):
        found = classifier(rows | {"sample_id": np.arange(3_000)}, some)
        return measure_part(found, by=["sex", ["sex", "ethnicity"]], **more)

    sites = [part(rows["site"] == site) for site in range(SITES)]
    assert merge_parts(sites).samples == 3_000
    wanted = " and ".join(f"part {site + 1}" for site in sorted(of))
    for union in (part(np.isin(rows["site"], of)), part(np.isin(rows["site"], of), suppress_below=2)):
        with pytest.raises(ConfigurationError, match="its counts are the sums of theirs") as caught:
            merge_parts([*sites, union])
        assert str(caught.value).startswith("part 6: cannot be merged with ")
        assert set(re.findall(r"part \d", str(caught.value))) == {"part 6", *wanted.split(" and ")}
    with pytest.raises(ConfigurationError, match="the same samples, by their ids, are in both"):
        merge_parts([*sites, merge_parts([sites[site] for site in of])])


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_small_sites_whose_counts_add_up_by_chance_are_merged(seed):
    rng = np.random.default_rng(seed)

    def site(name):
        labels, decisions = rng.random(4) < 0.5, rng.random(4) < 0.5
        ids = [f"{name}{i}" for i in range(4)]
        return measure_part(
            Predictions(labels, decisions, sensitive_features={"sex": ["f", "m"] * 2}, sample_id=ids), by="sex"
        )

    assert merge_parts([site(name) for name in range(12)]).samples == 48


def test_ids_are_in_no_part_and_one_digest_is_of_all_of_them():
    rows = arrays(n=500)
    part = measure_part(predictions(rows, ids=True), by="sex", suppress_below=10)
    more = measure_part(
        predictions({**rows, "y_true": ~rows["y_true"], "sex": rows["sex"][::-1]}, ids=True), by="ethnicity"
    )
    assert part.rows[0]["ids"] == more.rows[0]["ids"]  # neither labels nor groups can be guessed by it
    assert f"{rows['cluster'][0]}-{rows['error'][0]}" not in part.to_json()


@pytest.mark.parametrize("lazy", [False, True], ids=["memory", "engine"])
@pytest.mark.parametrize(("threshold", "tie", "refused"), [(0.7, 0.7, True), (0.7, 0.71, False), (0.5, 0.5, False)])
def test_decisions_of_float32_at_one_site_and_float64_at_another_are_refused_where_they_differ(
    lazy, threshold, tie, refused
):
    rng = np.random.default_rng(0)
    score, labels = rng.random(400), rng.random(400) < 0.4
    score[:20] = tie
    sex = np.where(rng.random(400) < 0.5, "f", "m")

    def site(only, kind):
        some = score[only].astype(kind)
        if lazy:
            frame = pl.DataFrame({"y": labels[only], "s": some, "sex": sex[only]}).lazy()
            given = Predictions.from_frame(frame, y_true="y", y_score="s", by="sex", threshold=threshold, collect=False)
        else:
            given = Predictions(labels[only], y_score=some, threshold=threshold, sensitive_features={"sex": sex[only]})
        return PartStatistics.from_json(measure_part(given, by="sex", metrics=["selection_rate"]).to_json())

    a, b = slice(0, 200), slice(200, 400)
    assert merge_parts([site(a, np.float32), site(b, np.float32)]).samples == 400
    assert merge_parts([site(a, np.float64), site(b, np.float32)]).samples == 400
    if refused:
        with pytest.raises(ConfigurationError, match=r"float32 in one and float64 in the other.*in one precision"):
            merge_parts([site(a, np.float32), site(b, np.float64)])
        return
    pooled = np.r_[score[a].astype(np.float32), score[b]]
    whole = Predictions(labels, y_score=pooled, threshold=threshold, sensitive_features={"sex": sex})
    merged = merge_parts([site(a, np.float32), site(b, np.float64)])
    records = [audit(each, metric="selection_rate", by="sex", max_difference=0.1) for each in (merged, whole)]
    assert of_groups(records[0]) == of_groups(records[1])


def test_parts_that_mean_something_else_are_refused():
    rows = arrays(n=500)
    one = measure_part(predictions(rows, only=rows["site"] == 0), by="sex", metrics=["accuracy"])

    def other(by="sex", metrics=("accuracy",), threshold=0.5, clustered=False, positive=None, **more):
        some = {name: values[rows["site"] == 1] for name, values in rows.items()}
        return measure_part(
            Predictions(
                some["y_true"] if positive is None else np.where(some["y_true"], positive, "other"),
                y_score=some["y_score"],
                threshold=threshold,
                positive=positive,
                cluster=some["cluster"] if clustered else None,
                sensitive_features={"sex": some["sex"], "ethnicity": some["ethnicity"]},
            ),
            by=by,
            metrics=metrics,
            clusters_inside=clustered,
            **more,
        )

    for change, message in (
        ({"threshold": 0.4}, r"the threshold: 0\.5 in one, 0\.4 in the other"),
        ({"positive": "sick"}, "the positive class: '1' in one, 'sick' in the other"),
        ({"by": "ethnicity"}, "only one has statistics by"),
        ({"metrics": ["roc_auc", "accuracy"]}, "only one has roc_auc by sex"),
        ({"clustered": True}, "one has clusters, and the other has none"),
        ({"missing_sensitive": "group"}, "missing values: missing_sensitive error.*missing_sensitive group"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            one + other(**change)
    assert (one + other()).samples == int((rows["site"] <= 1).sum())


def test_clusters_must_be_said_to_lie_inside_the_part():
    rows = arrays(n=500, clustered=True)
    with pytest.raises(ConfigurationError, match="--clusters-inside"):
        measure_part(predictions(rows, clustered=True), by="sex")


def test_what_was_not_measured_or_cannot_be_is_said_by_name():
    rows = arrays(n=500)
    part = measure_part(predictions(rows), by="sex", metrics=["accuracy"])
    for asked, message in (
        ({"metric": "roc_auc", "by": "sex", "max_difference": 0.1}, "there are no statistics of roc_auc by sex"),
        ({"metric": "accuracy", "by": "ethnicity", "max_difference": 0.1}, "no statistics of accuracy by ethnicity"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            audit(part, **asked)
    with pytest.raises(ConfigurationError, match="age"):
        measure_part(predictions(rows), by="age")
    with pytest.raises(ConfigurationError, match="metrics: 'fairness' is none of"):
        measure_part(predictions(rows), by="sex", metrics=["fairness"])
    labels = Predictions(rows["y_true"], rows["y_true"], sensitive_features={"sex": rows["sex"]})
    with pytest.raises(ConfigurationError, match="roc_auc by sex: y_score"):
        audit(measure_part(labels, by="sex"), metric="roc_auc", by="sex", max_difference=0.1)


def test_small_groups_leave_the_part_neither_their_counts_nor_what_gives_them_back():
    rows = arrays()
    rare = np.where(np.arange(3000) % 1000 == 0, "z", rows["ethnicity"])
    part = measure_part(predictions({**rows, "ethnicity": rare}), by=BY, suppress_below=20)
    assert "z" not in json.dumps([table.groups.groups for table in part.tables.values()])
    assert part.samples is None
    assert set(part.tables["ethnicity",].refused) == set(part.tables["ethnicity",].metrics)
    with pytest.raises(ConfigurationError, match=r"fewer than 20 \(suppress_below\)"):
        audit(part, metric="accuracy", by="ethnicity", max_difference=0.1)


def test_suppressed_scores_lie_in_cells_of_many_and_the_interval_allows_for_it():
    rows = arrays()
    sites = parts_of_sites(rows, metrics=["roc_auc"], suppress_below=10)
    for part in sites:
        found = part.tables["sex",].groups.measured["roc_auc"].statistics
        for counts in (found.positives, found.negatives):
            assert ((counts == 0) | (counts >= 10)).all()
        assert set(part.rows[0]) == {
            f"counts by {', '.join(by)}" for by, table in part.tables.items() if table.groups.groups
        }
    record = audit(merge_parts(sites), metric="roc_auc", by="sex", max_difference=0.1)
    exact = audit(predictions(rows), metric="roc_auc", by="sex", max_difference=0.1)
    assert record.low <= exact.low
    assert record.high >= exact.high
    assert record.verdict in (exact.verdict, "inconclusive")


# Hostile and broken documents: one error, nothing read.


@pytest.fixture(scope="module")
def document():
    rows = arrays(n=400)
    return measure_part(predictions(rows), by=["sex"]).to_json()


@pytest.fixture(scope="module")
def clustered_document():
    rows = arrays(n=400, clustered=True)
    return measure_part(predictions(rows, clustered=True), by=["sex"], clusters_inside=True).to_json()


def test_a_changed_byte_is_found(document):
    place = document.index('"samples": 400') + len('"samples": ')
    with pytest.raises(RecordError, match=r"statistics: its content is not that of its checksum"):
        PartStatistics.from_json(document[:place] + "401" + document[place + 3 :])


@pytest.mark.parametrize("text", ["", "[]", "{}", "{", "null", '{"schema": 1, "schema": 2}', "[" * 100_000])
def test_what_is_no_document_is_refused(text):
    with pytest.raises(RecordError, match=r"^statistics: (not JSON|no statistics of a part)"):
        PartStatistics.from_json(text)


def sealed(document, change):
    """The document with a change, under a checksum of its own."""
    plain = json.loads(document)
    change(plain)
    plain.pop("sha256")
    with contextlib.suppress(Exception):  # and under digests of its own counts, where it has any
        part = plain["models"]["predictions"]
        if len(part["rows"]) == 1 and part["rows"] == json.loads(document)["models"]["predictions"]["rows"]:
            part["rows"] = [marks_of(groups_from_json(each["groups"]) for each in part["tables"])]
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    return json.dumps({**plain, "sha256": hashlib.sha256(text.encode()).hexdigest()})


def table(plain):
    return plain["models"]["predictions"]["tables"][0]


def measured(plain, metric):
    return table(plain)["groups"]["measured"][metric]["Measured"]


def inner(plain, metric, name):
    return measured(plain, metric)["statistics"][name]


CHANGES = {
    "schema": lambda d: d.update(schema=99),
    "no models": lambda d: d.update(models={}),
    "samples": lambda d: d["models"]["predictions"].update(samples=-1),
    "fewer samples": lambda d: d["models"]["predictions"].update(samples=399),
    "unknown key": lambda d: d["models"]["predictions"].update(more=1),
    "rows": lambda d: d["models"]["predictions"].update(rows=[]),
    "rows that are text": lambda d: d["models"]["predictions"].update(rows="abc"),
    "rows of no digest": lambda d: d["models"]["predictions"].update(rows=[{"ids": ""}]),
    "rows of other counts": lambda d: d["models"]["predictions"]["rows"][0].update({"counts by sex": "0" * 64}),
    "precision": lambda d: d["models"]["predictions"].update(precision={"bits": 7.5, "rounded": True}),
    "missing": lambda d: d["models"]["predictions"].update(missing={"sensitive": "maybe", "text": None}),
    "threshold": lambda d: d["models"]["predictions"]["inputs"].update(threshold="high"),
    "clusters": lambda d: table(d).update(clusters=[1, 2]),
    "metric unknown": lambda d: table(d)["metrics"].append("zzz"),
    "metric gone": lambda d: table(d)["groups"]["measured"].pop("brier_score"),
    "counts below 0": lambda d: table(d)["groups"]["counts"]["int64"][0].__setitem__(0, -5),
    "counts of others": lambda d: table(d)["groups"]["samples"]["int64"].__setitem__(0, 3),
    "a group twice": lambda d: table(d)["groups"].update(groups=[["f"], ["f"]]),
    "a group that is no text": lambda d: table(d)["groups"].update(groups=[[1], [2]]),
    "another class": lambda d: measured(d, "brier_score").update(statistics=measured(d, "roc_auc")["statistics"]),
    "an unknown class": lambda d: measured(d, "brier_score").update(statistics={"Path": {}}),
    "moments": lambda d: inner(d, "brier_score", "MeanStatistics").update(m2={"float64": [-1.0, 1.0]}),
    "no number": lambda d: inner(d, "brier_score", "MeanStatistics").update(m2={"float64": [None, 1.0]}),
    "infinite": lambda d: inner(d, "brier_score", "MeanStatistics").update(m3={"float64": ["inf", 1.0]}),
    "a mean beyond": lambda d: inner(d, "brier_score", "MeanStatistics").update(mean={"float64": [7.0, 0.1]}),
    "fewer groups": lambda d: inner(d, "brier_score", "MeanStatistics").update(mean={"float64": [0.1]}),
    "scores beyond": lambda d: inner(d, "roc_auc", "ScoreHistogram")["low"]["float64"].__setitem__(0, -1.0),
    "scores of others": lambda d: inner(d, "roc_auc", "ScoreHistogram")["positives"]["int64"].__setitem__(0, 77),
    "scores out of order": lambda d: inner(d, "roc_auc", "ScoreHistogram")["low"]["float64"].reverse(),
    "scores of no group": lambda d: inner(d, "roc_auc", "ScoreHistogram")["group"]["int64"].__setitem__(-1, 9),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_statistics_that_no_rows_have_are_refused_under_whatever_checksum(document, change):
    with pytest.raises(RecordError, match=r"^statistics: "):
        PartStatistics.from_json(sealed(document, change))
    assert PartStatistics.from_json(sealed(document, lambda _: None)).samples == 400


@pytest.fixture(scope="module")
def several():
    """A part with three tables."""
    return measure_part(classifier(arrays(n=400)), by=BY).to_json()


def by(plain, *features):
    return next(each for each in plain["models"]["predictions"]["tables"] if each["groups"]["by"] == list(features))


def swapped_counts(plain):
    """Another table by ethnicity: as many samples, and other outcomes."""
    found = by(plain, "ethnicity")
    found["metrics"] = ["accuracy"]
    found["groups"]["measured"], found["refused"] = {}, {}
    cells = found["groups"]["counts"]["int64"][0]
    cells[0], cells[3] = cells[3], cells[0]


def renamed(*names):
    def change(plain):
        for each in plain["models"]["predictions"]["tables"]:
            place = each["groups"]["by"].index("sex") if "sex" in each["groups"]["by"] else None
            for group in each["groups"]["groups"] if place is not None else ():
                group[place] = names[0] if group[place] == "f" else names[1]

    return change


def said(**facts):
    return lambda plain: plain["models"]["predictions"]["inputs"].update(facts)


def brier(**moments):
    found = {name: {"float64": values} for name, values in moments.items()}
    return lambda plain: by(plain, "sex")["groups"]["measured"]["brier_score"]["Measured"]["statistics"][
        "MeanStatistics"
    ].update(found)


def without_scores(change):
    """A change of a table that has no scores, by which it could be recomputed."""

    def changed(plain):
        found = by(plain, "sex")
        for name in ("roc_auc", "uncertainty_mismatch"):
            found["metrics"].remove(name)
            found["groups"]["measured"].pop(name, None), found["refused"].pop(name, None)
        change(plain)

    return changed


IMPOSSIBLE = {
    "counts that contradict": swapped_counts,
    "a table twice": lambda d: d["models"]["predictions"]["tables"].append(by(d, "sex")),
    "no tables": lambda d: d["models"]["predictions"].update(tables=[]),
    "features turned": lambda d: by(d, "ethnicity", "sex")["groups"]["by"].reverse(),
    "other groups in one table": lambda d: by(d, "sex")["groups"].update(groups=[["x"], ["z"]]),
    "groups out of order": lambda d: by(d, "sex")["groups"]["groups"].reverse(),
    "look-alikes": renamed("F", "f"),
    "a control character": renamed("f\n", "m"),
    "a name that means missing": renamed("None", "m"),
    "blanks around a name": renamed(" f", "m"),
    "squares beyond the span": brier(m2=[1e12, 1e12]),
    "no spread": brier(m2=[0.0, 0.0]),
    "cubes": brier(m3=[1e15, -1e15]),
    "another mean": brier(mean=[0.2, 0.2]),
    "squares beyond the span, without scores": without_scores(brier(m2=[1e12, 1e12])),
    "cubes, without scores": without_scores(brier(m3=[1e15, -1e15])),
    "no spread and cubes, without scores": without_scores(brier(m2=[0.0, 0.0])),
    "counts that are floats": lambda d: by(d, "sex")["groups"].update(
        counts={"float64": by(d, "sex")["groups"]["counts"]["int64"]}
    ),
    "counts that are text": lambda d: by(d, "sex")["groups"]["counts"]["int64"].__setitem__(
        0, [str(n) for n in by(d, "sex")["groups"]["counts"]["int64"][0]]
    ),
    "counts with a fraction": lambda d: by(d, "sex")["groups"]["counts"]["int64"][0].__setitem__(
        0, by(d, "sex")["groups"]["counts"]["int64"][0][0] + 0.5
    ),
    "samples that are floats": lambda d: by(d, "sex")["groups"].update(
        samples={"float64": by(d, "sex")["groups"]["samples"]["int64"]}
    ),
    "an array with another key": lambda d: by(d, "sex")["groups"]["samples"].update(more=1),
    "too few samples of areas": lambda d: by(d, "sex")["groups"]["measured"]["roc_auc"]["Measured"].update(
        samples={"int64": [1, 1]}
    ),
    "the same rows twice": lambda d: d["models"]["predictions"].update(rows=d["models"]["predictions"]["rows"] * 2),
    "samples withheld": lambda d: d["models"]["predictions"].update(samples=None),
    "a threshold beyond": said(threshold=7.0),
    "no threshold": said(threshold=None),
    "given, with a threshold": said(decisions="given"),
    "no positive class": said(positive=None),
    "a fact more": said(more=1),
    "no precision": lambda d: d["models"]["predictions"].update(precision=None),
    "12 bits": lambda d: d["models"]["predictions"]["precision"].update(bits=12),
    "clusters that cross by word": lambda d: by(d, "sex")["groups"].update(clusters_cross_groups="no"),
    "clusters that cross": lambda d: by(d, "sex")["groups"].update(clusters_cross_groups=True),
    "one cluster each": lambda d: by(d, "sex")["groups"].update(one_cluster_each=True),
    "a key more": lambda d: d.update(more=1),
    "a key of a table more": lambda d: by(d, "sex").update(more=1),
    "a key of groups more": lambda d: by(d, "sex")["groups"].update(more=1),
    "a key of missing more": lambda d: d["models"]["predictions"]["missing"].update(more=1),
    "schema true": lambda d: d.update(schema=True),
}


@pytest.mark.parametrize("change", IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_statistics_that_contradict_each_other_are_refused_under_whatever_checksum(several, change):
    with pytest.raises(RecordError, match=r"^statistics: "):
        PartStatistics.from_json(sealed(several, change))
    assert PartStatistics.from_json(sealed(several, lambda _: None)).samples == 400


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("below", [None, 3, 15])
def test_what_sites_wrote_and_what_was_merged_of_it_is_read_again(seed, below):
    rng = np.random.default_rng(seed)
    rows = arrays(seed, n=400)
    rows["error"] = rng.standard_normal(400) * 10.0 ** rng.integers(-6, 7) + 10.0 ** rng.integers(0, 10)
    rows["ethnicity"] = np.where(rng.random(400) < 0.05, rows["site"].astype(str), rows["ethnicity"])
    parts = parts_of_sites(rows, suppress_below=below)
    again = [PartStatistics.from_json(part.to_json()) for part in parts]
    whole = merge_parts(again)
    assert PartStatistics.from_json(whole.to_json()).to_json() == whole.to_json()


def moments(plain, metric):
    return inner(plain, metric, "ClusteredPart")["clusters"]["ClusterMoments"]


CLUSTERED = {
    "fewer features": lambda d: moments(d, "brier_score")["first"].update(float64=[[1.0], [1.0]]),
    "more clusters than samples": lambda d: moments(d, "accuracy")["clusters"].update(int64=[900, 900]),
    "other samples": lambda d: moments(d, "accuracy")["first"]["float64"][0].__setitem__(-1, 5.0),
    "squares below 0": lambda d: moments(d, "accuracy")["second"]["float64"][0][0].__setitem__(0, -5.0),
    "other events": lambda d: inner(d, "accuracy", "ClusteredPart")["statistics"]["Rates"]["events"].update(
        int64=[1, 2]
    ),
    "no pairs": lambda d: inner(d, "accuracy", "ClusteredPart").update(pairs=None),
    "no clusters": lambda d: table(d).update(clusters=None),
}


@pytest.mark.parametrize("change", CLUSTERED.values(), ids=CLUSTERED)
def test_clusters_that_no_rows_have_are_refused(clustered_document, change):
    with pytest.raises(RecordError, match=r"^statistics: "):
        PartStatistics.from_json(sealed(clustered_document, change))
    assert PartStatistics.from_json(clustered_document).clustered


def test_a_document_of_several_models_is_no_part_of_one():
    part = measure_part(predictions(arrays(n=200)), by="sex", metrics=["accuracy"])
    with pytest.raises(ConfigurationError, match="of 2 models, a, b"):
        PartStatistics.from_json(parts_to_json({"a": part, "b": part}))
