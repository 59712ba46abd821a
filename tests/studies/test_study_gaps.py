"""The numbers behind the study's tables, against SciPy and by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from fairness_checks.sweep.results import GroupResult, RepeatResult, SweepResults
from models.studies.agreement import agreement_rows, below, beside_published, targets
from models.studies.gaps import METRICS, gap_rows, model_rows, overall_accuracy
from models.studies.reference import published_disparities

REPEATS = 12


def group(rng: np.random.Generator, size: int, train: int) -> GroupResult:
    tn, fp, fn, tp = (int(cell) for cell in rng.multinomial(size - 4, [0.5, 0.1, 0.1, 0.3]) + 1)
    values = {
        "accuracy": (tn + tp) / size,
        "roc_auc": float(rng.uniform(0.7, 0.9)),
        "false_negative_rate": fn / (fn + tp),
        "false_positive_rate": fp / (fp + tn),
    }
    return GroupResult(train=train, real=train, test=size, counts=(tn, fp, fn, tp), values=values)


@pytest.fixture(scope="module")
def results() -> SweepResults:
    rng = np.random.default_rng(5)
    repeats = tuple(
        RepeatResult(
            mix="as_is",
            feature_set="with_sex",
            repeat=number,
            groups={"female": group(rng, 32, 73), "male": group(rng, 58, 136)},
        )
        for number in range(REPEATS)
    )
    return SweepResults(model="forest", by="sex", groups={"female": 105, "male": 194}, repeated_rows=0, results=repeats)


@pytest.mark.parametrize("metric", METRICS)
def test_gap_and_p_values(results, metric):
    (row,) = (r for r in gap_rows("table", results, ["as_is"], ["with_sex"]) if r["metric"] == metric)
    men, women = (np.array([r.groups[sex].values[metric] for r in results.results]) for sex in ("male", "female"))
    gaps = men - women
    assert row["gap"] == pytest.approx(100 * gaps.mean())
    error = np.sqrt(gaps.var(ddof=1) * (1 / REPEATS + 90 / 209))  # Nadeau and Bengio 2003
    assert row["p_corrected"] == pytest.approx(2 * stats.t.sf(abs(gaps.mean()) / error, REPEATS - 1))
    low, high = stats.t.interval(0.95, REPEATS - 1, 100 * gaps.mean(), 100 * error)
    assert (row["low"], row["high"]) == pytest.approx((low, high))
    theirs = stats.ttest_ind(men, women) if row["test_published"] == "t" else stats.mannwhitneyu(men, women)
    assert row["p_published"] == pytest.approx(theirs.pvalue)
    assert np.isnan(row["p_gate"]) == (metric == "roc_auc")
    assert row["p_gate"] >= row["p_corrected"] or metric == "roc_auc"  # it counts more, never less


def test_accuracy_of_everybody_weighs_patients_and_not_sexes(results):
    both = [
        (58 * r.groups["male"].values["accuracy"] + 32 * r.groups["female"].values["accuracy"]) / 90
        for r in results.results
    ]
    assert overall_accuracy(results, "as_is", "with_sex") == pytest.approx(both)
    (row,) = (r for r in model_rows("table", results, ["as_is"], "with_sex") if r["group"] == "all")
    assert (row["mean"], row["sd"], row["n_train"]) == pytest.approx(
        (100 * np.mean(both), 100 * np.std(both, ddof=1), 209)
    )


@pytest.mark.parametrize(("printed", "expected"), [("<.01", True), ("<.001", True), (".049", True), (".05", False)])
def test_printed_p_values(printed, expected):
    assert below(printed) is expected


def test_agreement_with_oneself_turned_round_is_none():
    published = published_disparities()
    ours = published.drop(columns=["p_value_reported", "male_minus_female_percent"]).assign(
        gap=-published["male_minus_female_percent"], p_published=0.01, p_corrected=0.2, low=-1.0, high=1.0, repeats=9
    )
    (row,) = (
        agreement_rows(beside_published(ours, published), ["metric"]).query("metric == 'roc_auc'").to_dict("records")
    )
    assert (row["cells"], row["same_sign"], row["spearman"]) == (32, 0, pytest.approx(-1))
    assert (row["significant_published_test"], row["significant_corrected"]) == (32, 0)


@pytest.mark.parametrize(("accuracy", "gap", "met"), [(85.0, -4.0, [True, True]), (86.0, 0.5, [False, False])])
def test_targets(accuracy, gap, met):
    where = {"data_set": "heart_failure", "training_mix": "as_is"}
    gaps = pd.DataFrame(
        [where | {"feature_set": "with_sex", "metric": "false_negative_rate", "gap": gap, "published": -7.53}]
    )
    ours = pd.DataFrame([where | {"group": "all", "metric": "accuracy", "mean": accuracy}])
    theirs = pd.DataFrame([where | {"group": "all", "metric": "accuracy", "mean_percent": 84.24}])
    assert targets(gaps, ours, theirs)["met"].tolist() == met


def test_repeats_that_agree_by_chance_have_no_p_value(results):
    same = SweepResults(
        model="forest",
        by="sex",
        groups=results.groups,
        repeated_rows=0,
        results=tuple(dataclasses.replace(results.results[0], repeat=number) for number in range(2)),
    )
    assert all(np.isnan(row["p_corrected"]) for row in gap_rows("table", same, ["as_is"], ["with_sex"]))


def test_the_published_gap_is_tested_with_our_spread():
    published = published_disparities()
    found = published.drop(columns=["p_value_reported", "male_minus_female_percent"])
    ours = found.assign(gap=published["male_minus_female_percent"], low=-20.0, high=5.0, repeats=100)
    joined = beside_published(ours, published)
    error = 12.5 / stats.t.ppf(0.975, 99)  # half the width of the interval is that many standard errors
    expected = [2 * stats.t.sf(abs(gap) / error, 99) for gap in published["male_minus_female_percent"]]
    assert joined["p_corrected_of_published"].tolist() == pytest.approx(expected)
