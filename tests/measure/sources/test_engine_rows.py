"""Rows that stay in their engine: the same records as in memory, or one error and none."""

from __future__ import annotations

import contextlib
import dataclasses
import pickle
import subprocess
import sys
from functools import partial

import dask.dataframe as dd
import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from fairness_checks import InvalidPredictions, Predictions, audit, audit_uncertainty
from fairness_checks.inputs import engine as engines
from fairness_checks.inputs import predictions as module
from fairness_checks.inputs.predictions import LazyPredictions
from fairness_checks.measure.sources import engine_rows
from fairness_checks.measure.sources import scores as score_queries
from fairness_checks.question.checks import Missing
from fairness_checks.question.metrics import METRICS
from fairness_checks.stats.ranking import auc_estimates
from fairness_checks.stats.ranking_clusters import auc_by_cluster

CONNECTION = duckdb.connect()
ENGINES = {
    "polars": lambda table: pl.from_arrow(table).lazy(),
    "duckdb": CONNECTION.from_arrow,
    "dask": lambda table: dd.from_pandas(table.to_pandas(), npartitions=3),
}
ROLES = {"y_true": "died", "y_score": "risk", "error": "residual", "by": ["sex", "age", "site"]}
COUNTED = ["selection_rate", "precision", "false_negative_rate", "balanced_accuracy", "equalized_odds"]
SUMMED = [name for name, metric in METRICS.items() if metric.kind in ("mean", "calibration_error")]


def visits(rows=3_000, seed=0):
    rng = np.random.default_rng(seed)
    risk = rng.beta(2, 5, rows).round(2)  # many scores at the edges of bins
    risk[:4] = [0.0, 1.0, 0.3, 0.7]
    return pa.table(
        {
            "died": (rng.random(rows) < risk).astype(int),
            "risk": risk,
            "residual": rng.gamma(2.0, 1.0, rows) + 1e3,
            "sex": rng.choice(["f", "m"], rows),
            "age": rng.choice([30, 50, 70], rows),
            "site": pa.array(rng.choice(["a", "b", None], rows).tolist(), pa.string()),
        }
    )


def in_memory(table, **given):
    return Predictions.from_frame(table, **(ROLES | given))


def in_engine(engine, table, **given):
    return Predictions.from_frame(ENGINES[engine](table), **(ROLES | given), collect=False)


def numbers(value):
    """Return all numbers of a record, in its order, and everything else."""
    if isinstance(value, dict):
        pairs = [numbers(each) for each in value.values()]
    elif isinstance(value, list | tuple):
        pairs = [numbers(each) for each in value]
    elif isinstance(value, float):
        return [value], ["number"]
    else:
        return [], [value]
    return [n for found, _ in pairs for n in found], [rest for _, others in pairs for rest in others]


def plain(record):
    return dataclasses.asdict(record)


@pytest.mark.parametrize("by", ["sex", ["sex", "age"], ["age", "site"]], ids=str)
@pytest.mark.parametrize("engine", ENGINES)
def test_whatever_is_counted_is_the_same_to_the_last_digit(engine, by):
    table = visits()
    here, there = in_memory(table), in_engine(engine, table)
    assert isinstance(there, LazyPredictions)
    assert (len(there), there.threshold, there.decided_by) == (len(here), here.threshold, here.decided_by)
    for metric in COUNTED:
        asked = {"metric": metric, "by": by, "max_difference": 0.05, "missing_sensitive": "group"}
        assert audit(there, **asked) == audit(here, **asked), metric


@pytest.mark.parametrize("engine", ENGINES)
def test_long_answers_are_read_as_short_ones(engine, monkeypatch):
    answer = in_engine(engine, visits()).engine.counted

    def read():
        features = [(name, each.groups, each.codes.tolist()) for name, each in answer.coded().items()]
        return features, answer.whole("n").tolist(), answer.real("total_score").tolist()

    short = read()
    monkeypatch.setattr(engines, "_FEW", 0)
    assert read() == short


AUDITED = """
import sys
import duckdb
from fairness_checks import Predictions, audit

rows = duckdb.sql(
    "select (hash(i) % 10 < 3)::int as died, hash(-i) % 997 / 997.0 as risk, "
    "case hash(i + 1) % 5 when 0 then 'f' when 1 then null else 'm' end as sex from range(5000) rows(i)"
)
found = Predictions.from_frame(rows, y_true="died", y_score="risk", by="sex", collect=False)
for metric in ("false_negative_rate", "brier_score", "expected_calibration_error"):
    audit(found, metric=metric, by="sex", max_difference=0.1, missing_sensitive="group")
assert "pandas" not in sys.modules
"""


def test_short_answers_load_no_pandas():
    done = subprocess.run([sys.executable, "-c", AUDITED], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("engine", ENGINES)
def test_strata_and_ceilings_are_judged_alike(engine):
    table = visits()
    here, there = in_memory(table), in_engine(engine, table)
    for asked in (
        {"by": "sex", "control_features": "age", "max_difference": 0.05},
        {"by": "sex", "control_features": "age", "strata": "combined", "max_difference": 0.05},
        {"by": ["sex", "age"], "max_value": 0.3},
        {"by": "sex", "min_ratio": 0.8},
    ):
        assert audit(there, metric="false_positive_rate", **asked) == audit(here, metric="false_positive_rate", **asked)


@pytest.mark.parametrize("metric", SUMMED)
@pytest.mark.parametrize("engine", ENGINES)
def test_whatever_is_summed_is_the_same_to_nine_digits(engine, metric):
    table = visits()
    here, there = in_memory(table), in_engine(engine, table)
    for by in ("sex", ["age", "site"]):
        asked = {"metric": metric, "by": by, "max_difference": 0.05, "missing_sensitive": "group"}
        (left, words), (right, as_words) = (numbers(plain(audit(each, **asked))) for each in (here, there))
        assert words == as_words
        np.testing.assert_allclose(right, left, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("engine", ENGINES)
def test_groups_whose_values_do_not_vary_are_told_as_such(engine):
    table = visits(200)
    sex = np.array(table["sex"].to_pylist())
    table = table.set_column(2, "residual", pa.array(np.where(sex == "f", 0.1, 0.3)))
    asked = {"metric": "mean_error", "by": "sex", "max_difference": 0.1}
    (here, there) = (audit(each, **asked) for each in (in_memory(table), in_engine(engine, table)))
    assert there.reason == here.reason
    assert "do not vary" in there.reason


def test_the_first_rows_need_not_be_like_the_others():
    """Deviations are added up from the mean of the first rows, or, where that lies far off, from that of all."""
    rng = np.random.default_rng(1)
    values = np.concatenate([np.full(5_000, 1e6), rng.normal(0.0, 1e-3, 45_000)])
    table = pa.table({"residual": values, "sex": ["f", "m"] * 25_000, "part": ["x"] * 5_000 + ["y"] * 45_000})
    given = {"error": "residual", "by": ["sex", "part"]}
    here = Predictions.from_frame(table, **given)
    there = Predictions.from_frame(ENGINES["polars"](table), **given, collect=False)
    for by in ("sex", ["sex", "part"]):  # the latter vary by 1e-3 in groups that lie 1e6 apart
        asked = {"metric": "mean_error", "by": by, "max_difference": 1.0}
        (left, _), (right, _) = (numbers(plain(audit(each, **asked))) for each in (here, there))
        np.testing.assert_allclose(right, left, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("metric", ["brier_score", "log_loss", "mean_uncertainty"])
@pytest.mark.parametrize(
    ("engine", "pair"),
    [
        *((engine, pair) for engine in ("polars", "duckdb") for pair in [(0.2, 0.201), (0.5, 0.51), (0.99, 0.991)]),
        *((engine, (0.2, 0.200000001)) for engine in ENGINES),
    ],
    ids=str,
)
def test_a_tiny_group_whose_values_hardly_vary_is_judged_as_in_memory(engine, metric, pair):
    rng = np.random.default_rng(0)
    risk = rng.random(2_000).round(2)
    died = (rng.random(2_000) < risk).astype(int)
    table = pa.table(
        {"died": [*died.tolist(), 0, 0], "risk": [*risk.tolist(), *pair], "sex": [*["f", "m"] * 1_000, None, None]}
    )
    given = {"y_true": "died", "y_score": "risk", "by": "sex"}
    asked = {"metric": metric, "max_difference": 0.1, "missing_sensitive": "group"}
    here = audit(Predictions.from_frame(table, **given), **asked)
    lazy = Predictions.from_frame(ENGINES[engine](table), **given, collect=False)
    if engine == "dask":  # which has no windows
        with pytest.raises(InvalidPredictions, match=f"{metric}: the third power of values that vary so little"):
            audit(lazy, **asked)
        return
    there = audit(lazy, **asked)
    (left, words), (right, as_words) = (numbers(plain(each)) for each in (here, there))
    assert words == as_words
    np.testing.assert_allclose(right, left, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("by", ["sex", ["age", "site"]], ids=str)
@pytest.mark.parametrize("engine", ENGINES)
def test_areas_are_the_same_where_every_score_is_counted(engine, by):
    table = visits()
    here, there = in_memory(table), in_engine(engine, table)
    asked = {"metric": "roc_auc", "by": by, "max_difference": 0.05, "missing_sensitive": "group"}
    (left, words), (right, as_words) = (numbers(plain(audit(each, **asked))) for each in (here, there))
    assert words == as_words
    np.testing.assert_allclose(right, left, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("engine", ENGINES)
def test_areas_of_bins_allow_for_what_is_not_ordered_in_them(engine, monkeypatch):
    """All scores lie in a few bins, which are counted more finely until the bound is small."""
    rng = np.random.default_rng(2)
    risk = rng.beta(2, 5, 20_000) / 500
    died = (rng.random(20_000) < risk * 300).astype(int)
    table = pa.table({"died": died, "risk": risk, "sex": rng.choice(["f", "m"], 20_000)})
    given = {"y_true": "died", "y_score": "risk", "by": "sex"}
    monkeypatch.setattr(engine_rows, "MOST_SCORES", 0)
    here = audit(Predictions.from_frame(table, **given), metric="roc_auc", max_difference=0.02)
    lazy = Predictions.from_frame(ENGINES[engine](table), **given, collect=False)
    there = audit(lazy, metric="roc_auc", max_difference=0.02)
    width = here.high - here.low
    assert there.estimate == pytest.approx(here.estimate, abs=0.05 * width)
    assert here.low - 0.1 * width <= there.low <= here.low + 1e-12
    assert here.high - 1e-12 <= there.high <= here.high + 0.1 * width
    assert len([key for key in lazy.kept if key.startswith("scores")]) > 1


def unsure(rows=3_000):
    """Visits whose errors and uncertainties are rounded, so that they are equal again and again."""
    rng, table = np.random.default_rng(6), visits(rows)
    residual = rng.normal(0.0, 1.0, rows).round(1)
    doubt = np.abs(residual + rng.normal(0.0, 1.0, rows)).round(1)
    table = table.set_column(2, "residual", pa.array(residual)).append_column("doubt", pa.array(doubt))
    return table.append_column("says", pa.array((np.array(table["risk"]) > 0.4).astype(int)))


ORDERED = {
    "a classifier's": {"error": None},
    "given": {"uncertainty": "doubt"},
    "of scores": {"error": None, "uncertainty": "doubt"},
    "of decisions": {"error": None, "y_score": None, "y_pred": "says", "uncertainty": "doubt"},
    "no labels": {"y_true": None, "y_score": None, "uncertainty": "doubt"},
}


@pytest.mark.parametrize("given", ORDERED)
@pytest.mark.parametrize("engine", ENGINES)
def test_errors_and_uncertainties_are_ordered_as_in_memory(engine, given):
    table = unsure()
    here, there = in_memory(table, **ORDERED[given]), in_engine(engine, table, **ORDERED[given])
    for by in ("sex", ["age", "site"]):
        asked = {"by": by, "max_mismatch": 0.05, "missing_sensitive": "group"}
        (left, words), (right, as_words) = (numbers(plain(audit_uncertainty(each, **asked))) for each in (here, there))
        assert words == as_words
        np.testing.assert_allclose(right, left, rtol=1e-9, atol=1e-9)


def test_more_different_errors_and_uncertainties_than_are_counted_are_refused(monkeypatch):
    there = in_engine("duckdb", unsure(), error=None)
    monkeypatch.setattr(score_queries, "MOST_SCORES", 10)
    for probed in (20, 10_000):
        monkeypatch.setattr(score_queries, "_PROBED", probed)
        with pytest.raises(InvalidPredictions, match="more than 10 combinations of errors and uncertainties of sex"):
            audit_uncertainty(there, by="sex", max_mismatch=0.1)


@pytest.mark.parametrize("changes", ["LOST", "VALUES", "CHANGES"])
def test_orders_of_values_that_change_are_an_error(changes):
    for change, statement in globals()[changes].items():
        if "errors" not in change:
            connection, alone, _ = table_of_patients(error=None)
            connection.execute(statement)
            with pytest.raises(InvalidPredictions, match="its rows changed while they were read"):
                audit_uncertainty(alone, by="sex", max_mismatch=0.05)


def stays(patients=400, rows=3_000):
    """Visits of patients, most in one group of `sex` and `ward`; some patients have 1 visit, few have many."""
    rng = np.random.default_rng(4)
    of = np.sort(rng.choice(patients, rows, p=rng.dirichlet(np.full(patients, 0.7))))
    risk = rng.beta(2, 5, patients)[of] * 0.6 + rng.beta(2, 5, rows) * 0.4
    return pa.table(
        {
            "patient": of,
            "sex": np.where(of % 3 == 0, "f", "m"),
            "ward": np.where(of % 2 == 0, "a", "b"),
            "day": rng.choice(["weekday", "weekend"], rows),
            "risk": risk,
            "died": (rng.random(rows) < risk).astype(int),
            "residual": rng.normal(5.0, 1.0, rows) + rng.normal(0.0, 1.0, patients)[of],
        }
    )


CLUSTERED = {
    "y_true": "died", "y_score": "risk", "error": "residual", "cluster": "patient", "threshold": 0.3,
    "by": ["sex", "ward", "day"],
}  # fmt: skip


ACROSS = ["false_negative_rate", "precision", "balanced_accuracy", "equalized_odds", "brier_score", "mean_error"]
IN_CLUSTERS = [*ACROSS, "expected_calibration_error", "roc_auc"]


@pytest.mark.parametrize("metric", IN_CLUSTERS)
@pytest.mark.parametrize("engine", ENGINES)
def test_clusters_weigh_the_same(engine, metric):
    table = stays()
    here, there = Predictions.from_frame(table, **CLUSTERED), in_engine(engine, table, **CLUSTERED)
    across = ["day", ["sex", "day"]] if metric in ACROSS else []  # in which some patients are in two groups
    for by in ("sex", ["sex", "ward"], *across):
        asked = {"metric": metric, "by": by, "max_difference": 0.05}
        (left, words), (right, as_words) = (numbers(plain(audit(each, **asked))) for each in (here, there))
        assert words == as_words
        np.testing.assert_allclose(right, left, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("at_once", [1, 3])
def test_bins_of_groups_have_signs_of_their_own(at_once, monkeypatch):
    """Groups that over- and underestimate in bins of their own, one of them missing, and a bin whose mean is 0."""
    rng, table = np.random.default_rng(8), stays()
    of = table["patient"].to_numpy()
    shift = rng.choice([-0.15, 0.15], (5, 10))[of % 5, np.minimum(table["risk"].to_numpy() * 10, 9).astype(int)]
    died = (rng.random(len(of)) < np.clip(table["risk"].to_numpy() + shift, 0, 1)).astype(int)
    risk = table["risk"].to_numpy().copy()
    risk[-40:], died[-40:] = 0.95, [1] * 38 + [0] * 2
    wards = np.array(["a", "b", "c", "d", None])[of % 5]
    columns = {"patient": of, "ward": wards.tolist(), "risk": risk, "died": died}
    given = {"y_true": "died", "y_score": "risk", "cluster": "patient", "by": "ward"}
    asked = {"metric": "expected_calibration_error", "max_difference": 0.05, "missing_sensitive": "group"}
    here = audit(Predictions.from_frame(pa.table(columns), **given), **asked)
    monkeypatch.setattr(engine_rows, "SIGNS_AT_ONCE", at_once)
    there = audit(in_engine("duckdb", pa.table(columns), **given, error=None), **asked)
    (left, words), (right, as_words) = (numbers(plain(each)) for each in (here, there))
    assert words == as_words
    np.testing.assert_allclose(right, left, rtol=1e-9, atol=1e-9)


LATER = [("expected_calibration_error", "sums_by_sign"), ("roc_auc", "components_of_clusters")]


@pytest.mark.parametrize("change", ["a score", "a row"])
@pytest.mark.parametrize(("metric", "query"), LATER)
def test_rows_of_clusters_that_change_between_two_queries_are_an_error(metric, query, change, monkeypatch):
    connection, _, clustered = table_of_patients()
    asked_for, first = getattr(engine_rows, query), "where patient = (select min(patient) from visits)"

    def later(*given, **named):
        connection.execute(("update visits set risk = 0.2 " if change == "a score" else "delete from visits ") + first)
        return asked_for(*given, **named)

    monkeypatch.setattr(engine_rows, query, later)
    with pytest.raises(InvalidPredictions, match="its rows changed while they were read"):
        audit(clustered, metric=metric, by="sex", max_difference=0.05)


@pytest.mark.parametrize(("metric", "query"), [("precision", "sorts_of_pairs"), ("brier_score", "sums_of_pairs")])
def test_clusters_that_change_before_pairs_of_groups_are_counted_are_an_error(metric, query, monkeypatch):
    connection, asked_for = duckdb.connect(), getattr(engine_rows, query)
    connection.from_arrow(stays()).create("stays")
    there = Predictions.from_frame(connection.table("stays"), **CLUSTERED, collect=False)

    def later(*given, **named):
        connection.execute("update stays set patient = -1 where patient < 50")
        return asked_for(*given, **named)

    monkeypatch.setattr(engine_rows, query, later)
    with pytest.raises(InvalidPredictions, match="its rows changed while they were read"):
        audit(there, metric=metric, by="day", max_difference=0.05)


def crowded(seed, rows=3_000, patients=200, bins=12):
    """Scores in a few of 65,536 bins, of patients that are alike and unequal; every fourth has no ward."""
    rng = np.random.default_rng(seed)
    of = np.sort(rng.choice(patients, rows, p=rng.dirichlet(np.full(patients, 1.0))))
    share = rng.beta(2, 3, patients)[of] * 0.5 + rng.beta(2, 3, rows) * 0.5
    died = (rng.random(rows) < share).astype(int)
    wards = np.array(["a", "b", "c", None])[of % 4]
    return pa.table({"patient": of, "ward": wards.tolist(), "died": died, "risk": 0.5 + share * bins / 65_536})


GROUPED = {"y_true": "died", "y_score": "risk", "cluster": "patient", "by": "ward"}


@pytest.mark.parametrize("bins", [12, 300, 3_000])
@pytest.mark.parametrize("seed", range(4))
def test_variances_of_clusters_in_bins_are_those_of_the_rows_at_least(seed, bins, monkeypatch):
    table = crowded(seed, bins=bins)
    there = Predictions.from_frame(pl.from_arrow(table).lazy(), **GROUPED, collect=False)
    place = np.array([None, "a", "b", "c"])  # as groups are sorted: (missing) is the first
    codes = np.array([np.flatnonzero(place == ward)[0] for ward in table["ward"].to_pylist()])
    rows = (np.array(table[name]) for name in ("died", "risk", "patient"))
    died, risk, patient = rows
    expected = auc_by_cluster(codes, 4, died == 1, risk, patient)
    missing = Missing(sensitive="group", text=None)
    exact = engine_rows.EngineRows(there, ["ward"], missing).areas_of_clusters()
    monkeypatch.setattr(engine_rows, "MOST_SCORES", 0)
    monkeypatch.setattr(engine_rows, "_COARSE", 1.0)
    there.kept.clear()
    coarse = engine_rows.EngineRows(there, ["ward"], missing).areas_of_clusters()
    for name in ("auc", "s10", "s01", "s11", "positives", "negatives", "shared"):
        found = getattr(exact.statistics(), name)
        np.testing.assert_allclose(found, getattr(expected, name), rtol=1e-9, atol=1e-15, err_msg=name)
    np.testing.assert_allclose(exact.effective(), expected.clusters.effective, rtol=1e-9)
    known, bounded = (auc_estimates(each) for each in (expected, coarse.statistics()))
    assert (bounded.variance >= known.variance).all()
    assert (bounded.variance <= {12: 40.0, 300: 1.5, 3_000: 1.05}[bins] * known.variance).all()
    assert (np.abs(bounded.value - known.value) <= bounded.ambiguity).all()


@pytest.mark.parametrize("engine", ENGINES)
def test_areas_of_clusters_allow_for_what_is_not_ordered_in_bins(engine, monkeypatch):
    table, asked = crowded(1), {"metric": "roc_auc", "max_difference": 0.1, "missing_sensitive": "group"}
    here = audit(Predictions.from_frame(table, **GROUPED), **asked)
    exact = audit(in_engine(engine, table, **GROUPED, error=None), **asked)
    monkeypatch.setattr(engine_rows, "MOST_SCORES", 0)
    lazy = in_engine(engine, table, **GROUPED, error=None)
    there, width = audit(lazy, **asked), here.high - here.low
    assert len([key for key in lazy.kept if key.startswith("scores")]) > 1  # cut more finely
    (left, words), (right, as_words) = (numbers(plain(each)) for each in (here, exact))
    assert words == as_words
    np.testing.assert_allclose(right, left, rtol=1e-9, atol=1e-9)
    assert (there.verdict, there.first, there.second) == (here.verdict, here.first, here.second)
    assert here.low - 0.05 * width <= there.low <= here.low + 1e-9
    assert here.high - 1e-9 <= there.high <= here.high + 0.05 * width


def test_a_group_that_an_engine_has_by_two_names_has_no_area_of_clusters():
    table = crowded(2)
    wards = [["NA", None][row % 2] if ward is None else ward for row, ward in enumerate(table["ward"].to_pylist())]
    table = table.set_column(1, "ward", pa.array(wards)).set_column(0, "patient", pa.array(range(len(wards))))
    there = in_engine("duckdb", table, **GROUPED, error=None)
    asked = {"max_difference": 0.1, "missing_sensitive": "group", "missing_text": ["NA"]}
    assert audit(there, metric="expected_calibration_error", **asked).groups
    with pytest.raises(InvalidPredictions, match="roc_auc of clusters by ward, where one group has several names"):
        audit(there, metric="roc_auc", **asked)


@pytest.mark.parametrize("engine", ENGINES)
def test_clusters_that_lie_in_several_groups_are_counted_and_refused(engine):
    table = stays()
    both = table.to_pandas().groupby("patient")["day"].nunique()
    crossing, total = int((both > 1).sum()), len(both)
    there = in_engine(engine, table, **CLUSTERED)
    for metric in ("expected_calibration_error", "roc_auc"):
        with pytest.raises(InvalidPredictions, match=f"cluster: {crossing} of {total} clusters lie in several groups"):
            audit(there, metric=metric, by="day", max_difference=0.1)


def test_one_cluster_a_group_is_the_error_that_it_is_in_memory():
    table = stays(patients=2)
    given = CLUSTERED | {"by": ["patient"]}
    said = []
    for there in (Predictions.from_frame(table, **given), in_engine("duckdb", table, **given)):
        with pytest.raises(Exception, match="cluster") as caught:
            audit(there, metric="accuracy", by="patient", max_difference=0.1)
        said.append(str(caught.value))
    assert said[0] == said[1]


ALIKE = {
    "blanks": ["p1", "p1 "],
    "a blank that is no space": ["p1", "\u2003p1"],
    "Unicode": ["caf\u00e9", "cafe\u0301"],
    "unseen beside ASCII": ["p1", "p\u200b1"],
    "blank": ["p1", "   "],
    "blank, no space": ["p1", "\u00a0"],
    "empty": ["p1", ""],
    "missing": ["p1", "NA"],
}
TEXTS = {
    "text": lambda ids: pl.Series(ids),
    "categorical": lambda ids: pl.Series(ids, dtype=pl.Categorical),
    "enum": lambda ids: pl.Series(ids, dtype=pl.Enum(sorted(set(ids)))),
    "bytes": lambda ids: pl.Series([each.encode() for each in ids]),
}


@pytest.mark.parametrize("kind", TEXTS)
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", ALIKE)
def test_ids_of_clusters_that_memory_refuses_are_refused(engine, kind, case):
    ids = [ALIKE[case][row % 2] if row % 10 < 2 else f"q{row}" for row in range(600)]
    table = pl.from_arrow(visits(600)).with_columns(patient=TEXTS[kind](ids)).to_arrow()
    with pytest.raises(InvalidPredictions, match="cluster"):
        in_memory(table, cluster="patient")
    with pytest.raises(InvalidPredictions, match="cluster: "):
        in_engine(engine, table, cluster="patient")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("kind", "largest"), [("float64", 2**53), ("float32", 2**24)])
def test_ids_of_clusters_that_a_float_has_rounded_are_refused(engine, kind, largest):
    for ids, is_refused in ((np.arange(600) + largest, True), (largest - 1 - np.arange(600), False)):
        table = visits(600).append_column("patient", pa.array(ids.astype(kind)))
        for make in (in_memory, partial(in_engine, engine)):
            refused = pytest.raises(
                InvalidPredictions, match=r"cluster: 600 of 600 .*too large to be told from the next"
            )
            with refused if is_refused else contextlib.nullcontext():
                make(table, cluster="patient")


@pytest.mark.parametrize("engine", ENGINES)
def test_ids_of_clusters_with_blanks_or_letters_of_any_script_are_kept(engine):
    ids = [f"{'äπ病'[row % 3]}{row // 3}{' ' * (row % 2)}" for row in range(600)]
    table = visits(600).append_column("patient", pa.array(ids))
    asked = {"metric": "false_negative_rate", "by": "sex", "max_difference": 0.1}
    given = {"cluster": "patient", "threshold": 0.3}
    here, there = in_memory(table, **given), in_engine(engine, table, **given)
    assert audit(there, **asked).groups == audit(here, **asked).groups


@pytest.mark.parametrize(
    ("role", "column", "kind"),
    [
        ("y_true", "died", "Int64"),
        ("y_true", "died", "boolean"),
        ("y_score", "risk", "Float64"),
        ("error", "residual", "double[pyarrow]"),
        ("cluster", "patient", "string"),
        ("cluster", "patient", "Int64"),
    ],
)
def test_a_missing_value_of_a_nullable_type_is_named_in_dask(role, column, kind):
    rows = visits(300).to_pandas().assign(patient=range(300))
    values = rows[column].astype(bool) if kind == "boolean" else rows[column]
    rows[column] = values.astype(str if kind == "string" else values.dtype).astype(kind).where(rows.index != 3, None)
    message = f"dask.DataFrame: {role}: 1 of 300 values of column '{column}' is missing"
    with pytest.raises(InvalidPredictions, match=message):
        Predictions.from_frame(
            dd.from_pandas(rows, npartitions=2), **ROLES, cluster="patient", threshold=0.3, collect=False
        )


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
@pytest.mark.parametrize("collect", [True, False])
def test_a_name_that_means_all_columns_is_refused(engine, collect):
    table = visits(50).append_column("*", pa.array(["x", "y"] * 25))
    with pytest.raises(InvalidPredictions, match=r"frame: column '\*' means all columns there; rename it"):
        Predictions.from_frame(ENGINES[engine](table), y_true="died", y_score="risk", by=["*"], collect=collect)
    assert Predictions.from_frame(table, y_true="died", y_score="risk", by=["*"]).sensitive_features["*"].counts is None


@pytest.mark.skipif(not hasattr(pl, "Float16"), reason="this Polars has no floats of 16 bits")
@pytest.mark.parametrize("threshold", [0.1, 0.3, 0.7, 1 / 3])
def test_a_threshold_is_compared_in_16_bits(threshold):
    scores = pl.Series([float(np.float16(threshold))] * 150 + visits(150)["risk"].to_pylist(), dtype=pl.Float16)
    frame = pl.from_arrow(visits(300)).with_columns(risk=scores).lazy()
    found = [Predictions.from_frame(frame, **ROLES, threshold=threshold, collect=how) for how in (True, False)]
    here, there = (audit(each, metric="selection_rate", by="sex", max_difference=0.1).groups for each in found)
    assert there == here


@pytest.mark.parametrize("threshold", [0.7, 0.3, 0.5, 0.0, 1.0])
@pytest.mark.parametrize("kind", [pa.float32(), pa.float64()], ids=str)
@pytest.mark.parametrize("rounded", [False, True])
@pytest.mark.parametrize("engine", ENGINES)
def test_a_threshold_is_compared_in_the_precision_of_the_scores(engine, threshold, kind, rounded):
    table = visits(300)
    scores = np.array(table["risk"]).astype(np.float32 if rounded else np.float64)
    table = table.set_column(1, "risk", pa.array(scores).cast(kind))
    (here, there) = (read(table, threshold=threshold) for read in (in_memory, lambda t, **g: in_engine(engine, t, **g)))
    asked = {"metric": "selection_rate", "by": "sex", "max_difference": 0.1}
    assert audit(there, **asked).groups == audit(here, **asked).groups


@pytest.mark.parametrize("engine", ENGINES)
def test_classes_in_words_and_scores_a_rounding_past_an_end(engine):
    table = visits(300)
    died = np.array(table["died"])
    table = table.set_column(0, "died", pa.array(np.where(died == 1, "dead", "alive")))
    table = table.set_column(1, "risk", pa.array(np.array(table["risk"]) * (1.0 + 2e-16)))
    (here, there) = (read(table, positive="dead") for read in (in_memory, lambda t, **g: in_engine(engine, t, **g)))
    assert there.positive == here.positive == "dead"
    for metric in ("precision", "expected_calibration_error"):
        asked = {"metric": metric, "by": "sex", "max_difference": 0.1}
        assert audit(there, **asked).estimate == pytest.approx(audit(here, **asked).estimate, rel=1e-12)


def spoilt(column, values):
    def table():
        found = visits(100)
        at = found.column_names.index(column)
        old = found[column].to_pylist()
        return found.set_column(at, column, pa.array([*values, *old[len(values) :]]))

    return table


BAD = {
    "one null label": (spoilt("died", [None]), {}, r"y_true: 1 of 100 values of column 'died' is missing \(null\)"),
    "NaN among scores": (
        spoilt("risk", [float("nan"), float("nan")]),
        {},
        "y_score: 2 of 100 values of column 'risk' are",
    ),
    "percentages": (spoilt("risk", [50.0]), {}, r"y_score: 1 of 100 values of column 'risk' is outside \[0, 1\]"),
    "a third class": (spoilt("died", [2, 2]), {}, "y_true: 2 of 100 values of column 'died' are neither 0 nor 1"),
    "scores of text": (visits, {"y_score": "sex"}, "y_score: column 'sex' holds String; numbers are needed"),
    "labels of dates": (
        lambda: visits(100).set_column(0, "died", pa.array([0] * 100, pa.timestamp("s"))),
        {},
        "y_true: column 'died' holds Datetime",
    ),
    "words, unsaid": (visits, {"y_true": "sex"}, "labels are not 0/1 or bool: 'f', 'm'; say which class"),
    "no such class": (visits, {"y_true": "sex", "positive": "w"}, "positive: 'w' is not among the classes of y_true"),
    "an infinite error": (
        spoilt("residual", [float("inf")]),
        {},
        "error: 1 of 100 values of column 'residual' is NaN or inf",
    ),
    "misspelt": (visits, {"y_true": "dide"}, "y_true: column 'dide' is not in the frame; did you mean 'died'"),
    "no rows": (lambda: visits(100).slice(0, 0), {}, "y_true: 0 rows; there is nothing to evaluate"),
    "look-alikes": (spoilt("sex", ["F"]), {}, r"the names '[fF]' and '[fF]' differ only in letter case"),
    "ids": (visits, {"sample_id": "residual"}, "sample_id: finds samples in the table from which the baseline was"),
}


@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("engine", ENGINES)
def test_bad_input_is_one_error_before_anything_is_judged(engine, case):
    table, given, message = BAD[case]
    if engine == "dask" and case == "labels of dates":
        message = "y_true: column 'died' holds Datetime"
    with pytest.raises(InvalidPredictions, match=message) as caught:
        in_engine(engine, table(), **given)
    assert "row " not in str(caught.value)  # an engine's have no number


def test_all_that_is_wrong_is_said_at_once():
    table = spoilt("risk", [7.0])()
    table = table.set_column(0, "died", pa.array([None, *table["died"].to_pylist()[1:]]))
    with pytest.raises(InvalidPredictions, match=r"y_true: 1 of 100 .*; y_score: 1 of 100"):
        in_engine("duckdb", table)


@pytest.mark.parametrize("engine", ENGINES)
def test_missing_groups_are_counted_in_samples(engine):
    table = visits(3_000)
    absent = table["site"].null_count
    with pytest.raises(InvalidPredictions, match=rf"'site'\]: {absent} of 3000 values are missing; fill them in"):
        audit(in_engine(engine, table), metric="accuracy", by="site", max_difference=0.1)


@pytest.mark.parametrize("name", ["y_true", "y_pred", "y_score", "error"])
def test_the_rows_themselves_are_not_here(name):
    there = in_engine("duckdb", visits())
    with pytest.raises(InvalidPredictions, match=rf"{name}: its rows stay in their engine .*collect=True"):
        getattr(there, name)
    assert there.uncertainty is None


def own(predictions):
    """E(correct | A = a)"""
    return predictions.y_true == predictions.y_pred


def test_what_no_engine_computes_is_named_with_what_to_do():
    there = in_engine("polars", visits())
    with pytest.raises(InvalidPredictions, match="its rows stay in their engine"):
        audit(there, metric=own, by="sex", max_difference=0.1)
    clustered = in_engine("polars", stays(), **CLUSTERED)
    with pytest.raises(InvalidPredictions, match=r"mismatch of clusters: is not computed in an engine .*collect=True"):
        audit_uncertainty(clustered, by="sex", max_mismatch=0.1)
    only = Predictions.from_frame(ENGINES["polars"](visits()), error="residual", by="sex", collect=False)
    with pytest.raises(InvalidPredictions, match="y_true: not given"):
        audit(only, metric="accuracy", max_difference=0.1)
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(there)


def test_small_frames_are_collected_and_large_ones_are_not(monkeypatch):
    table = visits(1_000)
    assert not isinstance(Predictions.from_frame(ENGINES["duckdb"](table), **ROLES), LazyPredictions)
    monkeypatch.setattr(module, "MOST_COLLECTED", 999)
    assert isinstance(Predictions.from_frame(ENGINES["duckdb"](table), **ROLES), LazyPredictions)
    collected = Predictions.from_frame(ENGINES["duckdb"](table), **ROLES, collect=True)
    assert not isinstance(collected, LazyPredictions)
    assert not isinstance(Predictions.from_frame(table, **ROLES), LazyPredictions)  # in memory as it is
    assert not isinstance(Predictions.from_frame(table, **ROLES, collect=False), LazyPredictions)


def test_a_frame_that_fails_later_fails_its_check():
    connection = duckdb.connect()
    table = visits()
    connection.register("visits", pd.DataFrame(table.to_pandas()))
    there = Predictions.from_frame(connection.sql("select * from visits"), **ROLES, collect=False)
    connection.close()
    with pytest.raises(InvalidPredictions, match="DuckDBPyRelation failed while it was collected: ConnectionException"):
        audit(there, metric="brier_score", by="sex", max_difference=0.1)


LOST = {
    "scores": "update visits set risk = null where sex = 'f' and risk > 0.3",
    "labels": "update visits set died = null where sex = 'f'",
    "labels 0": "update visits set died = null where sex = 'f' and died = 0",
    "other labels": "update visits set died = 1 - died where sex = 'f'",
    "other decisions": "update visits set risk = 0.9 * risk where sex = 'f'",
    "NaN": "update visits set risk = 'nan' where sex = 'f' and died = 1",
}


@pytest.mark.parametrize("change", LOST)
def test_values_that_are_lost_while_a_table_is_read_are_an_error(change):
    connection = duckdb.connect()
    connection.from_arrow(visits()).create("visits")
    there = Predictions.from_frame(connection.table("visits"), **(ROLES | {"by": "sex"}), collect=False)
    connection.execute(LOST[change])
    said = "its rows changed while they were read" + "|to nan lie outside" * (change == "NaN")
    for metric in ("brier_score", "log_loss", "expected_calibration_error", "roc_auc"):
        with pytest.raises(InvalidPredictions, match=said):
            audit(there, metric=metric, by="sex", max_difference=0.05)


@pytest.mark.parametrize(
    "query", ["using sample 50 percent (bernoulli)", "where random() < 0.5", "using sample 1500 rows"]
)
def test_a_table_that_is_drawn_anew_is_an_error(query):
    connection = duckdb.connect()
    connection.from_arrow(visits()).create("visits")
    frame = connection.sql(f"select * from visits {query}")
    there = Predictions.from_frame(frame, **(ROLES | {"by": ["sex", "age"]}), collect=False)
    for metric in ("brier_score", "expected_calibration_error", "roc_auc"):
        with pytest.raises(InvalidPredictions, match="its rows changed while they were read"):
            audit(there, metric=metric, by=["sex", "age"], max_difference=0.05)


CHANGES = {
    "rows more": "insert into visits select * from visits limit 7",
    "a group more": "insert into visits select 1, 0.5, 1.0, 'x', 30, 'c', 5000 + i from range(9) other(i)",
    "rows of another group": "update visits set sex = 'm' where patient < 40",
}


def table_of_patients(**given):
    """A table that can be changed, and predictions of its rows, alone and in clusters."""
    connection = duckdb.connect()
    connection.from_arrow(visits().append_column("patient", pa.array(range(3_000)))).create("visits")
    alone, clustered = (
        Predictions.from_frame(connection.table("visits"), **(ROLES | {"by": "sex"} | given), **more, collect=False)
        for more in ({}, {"cluster": "patient"})
    )
    return connection, alone, clustered


@pytest.mark.parametrize("change", CHANGES)
def test_a_table_that_changes_while_it_is_read_is_an_error(change):
    connection, plain_, clustered = table_of_patients()
    connection.execute(CHANGES[change])
    asked = {"by": "sex", "max_difference": 0.05}
    for metric in ("brier_score", "expected_calibration_error", "roc_auc"):
        with pytest.raises(InvalidPredictions, match=r"its rows changed while they were read \(3,000 at first"):
            audit(plain_, metric=metric, **asked)
    for metric in ("false_negative_rate", "brier_score", "expected_calibration_error", "roc_auc"):
        with pytest.raises(InvalidPredictions, match="its rows changed while they were read"):
            audit(clustered, metric=metric, **asked)


def test_scores_that_change_before_they_are_counted_more_finely_are_an_error(monkeypatch):
    connection = duckdb.connect()
    connection.from_arrow(visits()).create("visits")
    connection.execute("update visits set risk = 0.5 + risk * 1e-6")  # all in one bin
    there = Predictions.from_frame(connection.table("visits"), **(ROLES | {"by": "sex"}), collect=False)
    counted = engine_rows.EngineRows._histogram

    def histogram(rows, depth, bins=None):
        if bins is not None:
            connection.execute("update visits set risk = 0.9 where risk > 0.5000005")
        return counted(rows, depth, bins)

    monkeypatch.setattr(engine_rows, "MOST_SCORES", 0)
    monkeypatch.setattr(engine_rows.EngineRows, "_histogram", histogram)
    with pytest.raises(InvalidPredictions, match=r"its rows changed while they were read \((posi|nega)tives: bin"):
        audit(there, metric="roc_auc", by="sex", max_difference=0.05)


VALUES = {  # every row, and none: counts, labels and decisions stay
    "scores": "update visits set risk = risk * 0.999",
    "one score": "update visits set risk = 0.2 where patient = (select min(patient) from visits where risk < 0.1)",
    "scores that change places between groups": """
        update visits set risk = case when sex = 'f' then least(risk + 0.001, 1.0) else greatest(risk - 0.001, 0.0) end
        where risk < 0.49 or risk > 0.51
    """,
    "errors": "update visits set residual = residual + 0.001",
    "signs of errors": "update visits set residual = -residual",
}


@pytest.mark.parametrize("change", VALUES)
def test_a_table_whose_values_alone_change_is_an_error(change):
    connection, plain_, clustered = table_of_patients()
    metrics = ("mean_error",) if "errors" in change else ("brier_score", "expected_calibration_error", "roc_auc")
    connection.execute(VALUES[change])
    for metric in metrics:
        with pytest.raises(InvalidPredictions, match="its rows changed while they were read"):
            audit(plain_, metric=metric, by="sex", max_difference=0.05)
    for metric in metrics:
        with pytest.raises(InvalidPredictions, match="its rows changed while they were read"):
            audit(clustered, metric=metric, by="sex", max_difference=0.05)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("step", [0.05, 0.1, 0.2])
def test_scores_where_bins_meet_lie_in_the_lower_one(engine, step):
    edges = np.arange(0.0, 1.0 + step / 2, step).clip(0.0, 1.0)
    scores = np.concatenate([edges, *(np.nextafter(edges, to) for to in (0.0, 1.0)), [sum([0.1] * 3), 1e-300, -0.0]])
    rng = np.random.default_rng(0)
    risk = rng.choice(scores, 3_000)
    table = visits().set_column(1, "risk", pa.array(risk))
    asked = {"metric": "expected_calibration_error", "by": "sex", "max_difference": 0.05}
    found, expected = (
        audit(make, **asked) for make in (in_engine(engine, table, by="sex"), in_memory(table, by="sex"))
    )
    assert [group.rate for group in found.groups] == pytest.approx([group.rate for group in expected.groups], rel=1e-9)
    assert found.p_violation == pytest.approx(expected.p_violation, rel=1e-6)
    table = table.append_column("patient", pa.array(np.arange(3_000) // 5))
    table = table.set_column(3, "sex", pa.array(np.where(np.arange(3_000) % 10 < 5, "f", "m")))
    given = {"by": "sex", "cluster": "patient"}
    found, expected = (audit(each, **asked) for each in (in_engine(engine, table, **given), in_memory(table, **given)))
    assert found.p_violation == pytest.approx(expected.p_violation, rel=1e-9)


ODD_SCORES = {
    "all equal": lambda sex, share: np.full(len(sex), 0.5),
    "all 0": lambda sex, share: np.zeros(len(sex)),
    "all 1": lambda sex, share: np.ones(len(sex)),
    "one a group": lambda sex, share: np.where(sex == "f", 0.3, 0.7),
    "almost all near 0": lambda sex, share: share**100.0,
    "almost all near 1": lambda sex, share: 1.0 - share**100.0,
    "1e-300": lambda sex, share: share * 1e-300,
    "subnormal": lambda sex, share: np.where(share < 0.5, 5e-324, -0.0),
    "beside 1": lambda sex, share: 1.0 - share * 1e-15,
    "beside the threshold": lambda sex, share: 0.5 + (share - 0.5) * 1e-12,
    "groups of one row": lambda sex, share: share,
}


@pytest.mark.parametrize("kind", ODD_SCORES)
def test_odd_scores_are_judged_as_in_memory(kind):
    rng, table = np.random.default_rng(5), visits(600)
    sex, share = table["sex"].to_numpy(zero_copy_only=False).copy(), rng.random(600)
    risk = ODD_SCORES[kind](sex, share)
    if kind == "groups of one row":
        sex[:8] = [f"row {row}" for row in range(8)]
    table = table.set_column(1, "risk", pa.array(risk)).set_column(3, "sex", pa.array(sex.tolist()))
    there = [make(table, by="sex") for make in (in_memory, partial(in_engine, "duckdb"))]
    for metric in ("false_negative_rate", "brier_score", "log_loss", "expected_calibration_error", "roc_auc"):
        expected, found = (audit(each, metric=metric, by="sex", max_difference=0.05) for each in there)
        assert (found.verdict, found.reason, found.first) == (expected.verdict, expected.reason, expected.first)
        ours, theirs = (numbers(plain(record))[0] for record in (found, expected))
        assert ours == pytest.approx(theirs, rel=1e-6, abs=1e-9, nan_ok=True)
