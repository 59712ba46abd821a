"""What of a model's checks is withheld where small cells are suppressed."""

from __future__ import annotations

import dataclasses
import itertools
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fairness_checks import Predictions
from fairness_checks.errors import InvalidPredictions
from fairness_checks.judge.evaluation import Evaluation
from fairness_checks.judge.judging import shown as shown_of
from fairness_checks.judge.measurements import measure
from fairness_checks.judge.suppression import adjusted_without, shows_small_cells, suppressed
from fairness_checks.judge.verdict import judge_measured
from fairness_checks.question.checks import Check, Settings
from fairness_checks.question.metrics import METRICS
from fairness_checks.report.evidence import DataEvidence
from fairness_checks.stats.multiplicity import adjust

BELOW = 11
SETTINGS = Settings()
SEX = Check("accuracy", ("sex",), "max_difference", 0.3)


def predictions(scores=None, cluster=None, **features):
    rng = np.random.default_rng(0)
    n = len(next(iter(features.values())))
    y = rng.random(n) < 0.5
    score = np.clip(0.5 + (y - 0.5) * 0.4 + rng.normal(0, 0.4, n), 0.0, 1.0) if scores is None else scores
    return Predictions(y.astype(int), y_score=score, threshold=0.5, sensitive_features=features, cluster=cluster)


def shown(found, *checks, how=SETTINGS, below=BELOW):
    measured = measure(Evaluation(found, about=found.about), checks, how)
    answers = judge_measured("model", measured, checks, how)
    return shown_of(measured, checks, answers, how, below, found), answers


SEXES = np.repeat(["f", "m"], 300)


def test_without_the_key_all_is_shown():
    found, answers = shown(predictions(sex=SEXES), SEX, below=None)
    assert list(found.answers) == answers


def test_where_no_group_is_small_all_is_shown():
    found, answers = shown(predictions(sex=SEXES), SEX)
    assert list(found.answers) == answers


@pytest.mark.parametrize("metric", sorted(name for name, metric in METRICS.items() if name != "uncertainty_mismatch"))
def test_a_small_group_withholds_each_metric(metric):
    rng = np.random.default_rng(1)
    y, error = np.tile([0, 1, 1, 0], 152), rng.random(608)
    arrays = {"y_score": rng.random(608), "threshold": 0.5, "error": error, "uncertainty": rng.random(608)}
    given_to = Predictions(y, sensitive_features={"sex": [*SEXES, *["x"] * 8]}, **arrays)
    found, (answer,) = shown(given_to, Check(metric, ("sex",), "max_difference", 0.3))
    (record,) = found.answers
    assert record.withheld
    assert record.verdict == answer.verdict
    assert ("x",) in record.suppressed.groups
    assert not [group.name for group in record.groups if group.name == ("x",)]


def test_groups_in_few_clusters_are_small():
    patients = np.concatenate([np.arange(300) % 9, 100 + np.arange(300) % 100])
    found, _ = shown(predictions(sex=SEXES, cluster=patients), SEX)
    (record,) = found.answers
    assert record.withheld
    assert record.groups == ()


def test_a_calibration_bin_of_few_samples_withholds_the_statistics_alone():
    scores = np.where(np.arange(600) % 100 == 0, 0.99, np.tile([0.35, 0.65], 300))
    check = Check("expected_calibration_error", ("sex",), "max_difference", 0.5)
    found, (answer,) = shown(predictions(scores, sex=SEXES), check)
    (record,) = found.answers
    assert isinstance(found.measured.statistics[0], Exception)
    assert record.suppressed.groups == ()
    assert not record.withheld
    assert dataclasses.replace(record, suppressed=None) == answer


def test_means_of_parts_of_few_samples_are_left_out_and_the_rest_stays():
    sex = np.repeat(["f", "m"], [104, 400])  # parts of 10 and of 40
    rng = np.random.default_rng(0)
    given_to = Predictions(error=rng.random(504), uncertainty=rng.random(504), sensitive_features={"sex": sex})
    check = Check("uncertainty_mismatch", ("sex",), "max_mismatch", 0.3)
    (whole,), (left,) = (shown(given_to, check, below=below)[0].measured.statistics for below in (None, BELOW))
    for known, told in ((whole, [True, True]), (left, [False, True])):
        within = known.measured["uncertainty_mismatch"].statistics.within
        assert np.isfinite(within.error_of_part).all(axis=1).tolist() == told
        assert np.isfinite(within.uncertainty_of_part).all(axis=1).tolist() == told
        assert (within.units_of_part > 0).all(axis=1).tolist() == told
        assert np.isfinite(within.mean_error).all()
    assert shows_small_cells(whole, BELOW)
    assert not shows_small_cells(left, BELOW)
    found, answers = shown(given_to, check)
    assert list(found.answers) == answers, "it is recomputed as before"


def records(*p, alpha=0.05, correction="holm"):
    """Return records of a model with these p-values, as they are decided by all of them."""
    _, (one,) = shown(predictions(sex=SEXES), SEX)
    adjusted = adjust(list(p), correction)
    return [
        dataclasses.replace(
            one,
            p_violation=raw,
            p_adjusted=float(all_of),
            p_compliance=1.0 - raw,
            verdict="fail" if all_of < alpha else "inconclusive",
            correction=correction,
            family_size=len(p),
        )
        for raw, all_of in zip(p, adjusted, strict=True)
    ]


@pytest.mark.parametrize("correction", ["holm", "benjamini_hochberg", "none"])
def test_an_adjusted_p_value_hands_no_withheld_one_on(correction):
    how = Settings(correction=correction)
    told = []
    for hidden in (0.2003, 0.2017):  # two data sets of which only the withheld p-value differs
        withheld = [True, False, False]
        told.append(adjusted_without(records(hidden, 0.25, 0.6, correction=correction), withheld, [False] * 3, how))
        assert withheld == [True, False, False]
    assert told[0][1:] == told[1][1:]
    assert told[0][1] >= adjust([0.2003, 0.25, 0.6], correction)[1]


def test_a_verdict_that_rests_on_a_withheld_p_value_is_withheld_too():
    withheld = [True, False, False]
    adjusted = adjusted_without(records(0.001, 0.02, 0.6), withheld, [False] * 3, SETTINGS)
    assert withheld == [True, True, False]  # 2 * 0.02 with the first, 3 * 0.02 without
    assert adjusted[2] == 1.0


def test_the_error_of_a_check_counts_no_few_samples():
    check = dataclasses.replace(SEX, absent=(("m",),))
    sexes = np.repeat(["f", "g", "m"], [300, 300, 7])
    found, (answer,) = shown(predictions(sex=sexes), check)
    assert "has 7 samples" in str(answer)
    (error,) = found.answers
    assert isinstance(error, InvalidPredictions)
    assert "has fewer than 11 samples" in str(error)


@pytest.mark.parametrize("few", [1, 3, 5, 6, 10])
@pytest.mark.parametrize("value", [None, "NA"])
def test_an_error_about_few_samples_lists_no_rows_that_count_them(few, value):
    sexes = SEXES.astype(object)
    sexes[7 : 7 + few] = value
    named = pd.Series(sexes, index=[f"P-{place}" for place in range(len(sexes))])
    (labelled,) = shown(predictions(sex=named), SEX)[0].answers
    assert "labelled" not in str(labelled)  # a label may be the name of a patient
    found, _ = shown(predictions(sex=sexes), SEX)
    (error,) = found.answers
    assert re.findall(r"\d+", str(error)) == ["11", "600", "7"]
    assert "such as row 7" in str(error)


def test_what_was_noted_of_an_error_about_few_samples_stays_with_it():
    error = InvalidPredictions("group 'x' has 7 samples")
    error.add_note("mix half, 7 rows")
    measured = measure(Evaluation(predictions(sex=SEXES), about={}), [SEX], SETTINGS)
    (told,) = suppressed(measured, [SEX], [error], SETTINGS, BELOW, None).answers
    assert (str(told), told.__notes__) == ("group 'x' has fewer than 11 samples", ["mix half, fewer than 11 rows"])


def test_a_count_with_a_comma_is_no_small_one():
    sexes = np.repeat(SEXES, 10).astype(object)
    sexes[:1003] = None
    found, (answer,) = shown(predictions(sex=sexes), SEX)
    assert found.answers == [answer]


def test_values_over_strata_are_withheld_with_a_small_stratum():
    ward = np.tile(np.repeat(["a", "b"], [295, 5]), 2)
    check = Check("accuracy", ("sex",), "max_difference", 0.3, ("ward",), "combined")
    found, _ = shown(predictions(sex=SEXES, ward=ward), check, SEX)
    combined, plain = found.answers
    assert combined.withheld
    assert combined.groups == ()
    assert not plain.withheld


def test_samples_without_a_value_are_told_where_they_give_no_group_back():
    sexes = np.repeat(["f", "m", None], [300, 290, 10])
    ward = np.tile(["a", "b"], 300)
    found, _ = shown(
        predictions(sex=sexes, ward=ward, age=ward),
        SEX,
        Check("accuracy", ("ward",), "max_difference", 0.3),
        how=Settings(missing_sensitive="group"),
    )
    data = DataEvidence(samples=600, sha256="0" * 64, missing={"sex": 10, "ward": 0, "age": 3})
    # Of a few unknown rows all guesses could be tried against a digest.
    assert found.data(data) == dataclasses.replace(data, missing={"ward": 0}, sha256=None)


def test_the_number_of_all_samples_is_not_told_where_it_is_that_of_a_small_group():
    check = Check("accuracy", ("sex",), "min_value", 0.1)
    found, _ = shown(predictions(sex=np.array(["f"] * 7)), check)
    data = DataEvidence(samples=7, sha256="0" * 64, missing={})
    assert found.data(data).samples is None


CHECKS = (
    Check("accuracy", ("sex",), "max_difference", 0.3),
    Check("selection_rate", ("race",), "max_difference", 0.3),
    Check("false_negative_rate", ("race", "sex"), "max_value", 0.9),
    Check("precision", ("sex",), "max_difference", 0.3, ("race",)),
)


@settings(max_examples=25, deadline=None)
@given(
    cells=st.lists(
        st.tuples(*[st.one_of(st.just(0), st.integers(1, 12), st.integers(11, 90))] * 4), min_size=6, max_size=6
    )
)
def test_no_record_of_a_model_tells_a_small_count_nor_do_all_of_them_together(cells):
    places = list(itertools.product("fm", "abc"))
    total = sum(map(sum, cells))
    assume(total > 0)
    samples = [(place, k) for place, some in zip(places, cells, strict=True) for k in range(4) for _ in range(some[k])]
    given_to = Predictions(
        np.array([kind in (2, 3) for _, kind in samples]),  # of tn, fp, fn, tp
        np.array([kind in (1, 3) for _, kind in samples]),
        sensitive_features={name: [place[i] for place, _ in samples] for i, name in enumerate(("sex", "race"))},
    )
    found, _ = shown(given_to, *CHECKS)
    rows = [] if found.hidden is None or found.hidden.total else [[1.0] * 6]
    for record in (each for each in found.answers if not isinstance(each, Exception)):
        by = (*record.control_features, *record.by)
        for group in record.groups:
            events = 0 if group.events is None else group.events
            assert not [n for n in (group.samples, group.n, events, group.n - events) if 0 < n < BELOW]
            own = dict(zip(by, group.name, strict=True))
            rows.append([float(own.get("sex", sex) == sex and own.get("race", race) == race) for sex, race in places])
    for i, counts in enumerate(cells):
        if any(0 < n < BELOW for n in (*counts, sum(counts))):
            alone = [float(i == j) for j in range(6)]
            assert not rows or np.linalg.matrix_rank([*rows, alone]) > np.linalg.matrix_rank(rows)


WARDS = np.repeat(["A", "B", "C", "D"], [100, 100, 70, 5])
REGIONS = np.where(np.isin(WARDS, ["B", "D"]), "south", "north")
BY_WARD = Check("accuracy", ("ward",), "max_difference", 0.5)
BY_REGION = Check("accuracy", ("region",), "max_difference", 0.5)


@given(st.permutations([BY_WARD, BY_REGION]))
def test_a_region_less_its_large_wards_tells_no_small_ward(checks):
    found, _ = shown(predictions(ward=WARDS, region=REGIONS), *checks)
    seen = {group.name[0]: group.n for record in found.answers for group in record.groups}
    assert "D" not in seen
    assert not {"south", "B"} <= set(seen)
    assert len({"A", "B", "C"} - set(seen)) >= 1 or "south" not in seen


def test_features_that_say_nothing_of_each_other_are_not_taken_for_it():
    rng = np.random.default_rng(1)
    wards, regions = np.repeat(["A", "B", "C"], 400), rng.choice(["n", "s"], 1200)
    found, answers = shown(predictions(ward=wards, region=regions), BY_WARD, BY_REGION)
    assert list(found.answers) == answers
