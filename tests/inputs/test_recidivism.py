"""The recidivism table by its published decisions, and a made one: the same rates through every library."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pyarrow import csv

from fairness_checks import InvalidPredictions, Predictions, audit

SHA256 = "4b0b887b91db7380af9ca78b6a365cc496dd089fd31d7be574736be0b808bc03"
PUBLISHED = {
    "false_positive_rate": {"African-American": 44.85, "Caucasian": 23.45},
    "false_negative_rate": {"African-American": 27.99, "Caucasian": 47.72},
}
"""Percent; Larson, Mattu, Kirchner and Angwin, ProPublica 2016: decile 5 and above is called high risk."""


COUNTS = {("A", 0, 7): 45, ("A", 0, 2): 55, ("A", 1, 6): 72, ("A", 1, 4): 28,
          ("B", 0, 9): 24, ("B", 0, 1): 76, ("B", 1, 5): 53, ("B", 1, 3): 47}  # fmt: skip
"""People of a made table by race, recidivism and decile."""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    rows = [values for values, count in COUNTS.items() for _ in range(count)]
    table = pd.DataFrame(rows, columns=["race", "two_year_recid", "decile_score"]).sample(frac=1, random_state=0)
    path = tmp_path_factory.mktemp("made") / "table.csv"
    table.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def path():
    table = Path(os.environ.get("FAIRNESS_DATA", "")) / "compas_two_years.csv"
    if not os.environ.get("FAIRNESS_DATA") or not table.is_file():
        pytest.skip("no compas_two_years.csv in $FAIRNESS_DATA")
    assert hashlib.sha256(table.read_bytes()).hexdigest() == SHA256
    return table


def arrow(path):
    table = csv.read_csv(path)
    return table.append_column("high", pa.compute.greater_equal(table["decile_score"], 5))


def pandas(path):
    table = pd.read_csv(path)
    return table.assign(high=table["decile_score"] >= 5)


LIBRARIES = {
    "pandas": pandas,
    "pandas-arrow": lambda path: arrow(path).to_pandas(types_mapper=pd.ArrowDtype),
    "polars": lambda path: pl.read_csv(path).with_columns(high=pl.col("decile_score") >= 5),
    "polars-lazy": lambda path: pl.scan_csv(path).with_columns(high=pl.col("decile_score") >= 5),
    "duckdb": lambda path: duckdb.connect().read_csv(path).select("*, decile_score >= 5 as high"),
    "pyarrow": arrow,
}


def rates(predictions, metric):
    record = audit(predictions, metric=metric, by="race", max_difference=0.1)
    return {group.name[0]: round(100 * group.rate, 2) for group in record.groups if group.rate is not None}


@pytest.mark.parametrize("library", LIBRARIES)
def test_made_rates_through_every_library(made, library):
    whole = by_race_through(library, made)
    assert rates(whole, "false_positive_rate") == {"A": 45.0, "B": 24.0}
    assert rates(whole, "false_negative_rate") == {"A": 28.0, "B": 47.0}


@pytest.mark.parametrize("library", LIBRARIES)
def test_published_rates_through_every_library(path, library):
    whole = by_race_through(library, path)
    assert len(whole) == 7_214
    for metric, published in PUBLISHED.items():
        assert published.items() <= rates(whole, metric).items()


def by_race_through(library, path):
    """Predictions of the whole frame; its columns side by side give the same, or are refused where they are lazy."""
    frame = LIBRARIES[library](path)
    whole = Predictions.from_frame(frame, y_true="two_year_recid", y_pred="high", by=["race"])
    if library in ("polars-lazy", "duckdb"):
        with pytest.raises(InvalidPredictions, match=r"Predictions\.from_frame"):
            Predictions(whole.y_true, whole.y_pred, sensitive_features=frame)
    else:
        side_by_side = Predictions(frame["two_year_recid"], frame["high"], sensitive_features={"race": frame["race"]})
        assert all(rates(side_by_side, metric) == rates(whole, metric) for metric in PUBLISHED)
    return whole


def test_a_table_in_another_order_beside_it_is_refused(path):
    table = pandas(path)
    with pytest.raises(InvalidPredictions, match="row labels differ: row 0 is labelled 0 in y_true and"):
        Predictions(table["two_year_recid"], table["high"], sensitive_features=table[["race"]].sort_values("race"))
