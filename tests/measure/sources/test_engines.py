"""The same checks over six engines and in memory: one table, one set of records."""

from __future__ import annotations

import os
import shutil
import threading
import time
import warnings
from contextlib import contextmanager

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fairness_checks import InvalidPredictions, Predictions, audit, audit_uncertainty

ROLES = {"y_true": "died", "y_score": "risk", "by": ["sex", "age"], "threshold": 0.3}
CHECKS = {
    "counted": {"metric": "false_negative_rate", "by": ["sex", "age"], "max_difference": 0.05},
    "balanced": {"metric": "balanced_accuracy", "by": "sex", "max_difference": 0.05},
    "summed": {"metric": "log_loss", "by": "sex", "max_difference": 0.05},
    "binned": {"metric": "expected_calibration_error", "by": "sex", "max_difference": 0.05},
    "ranked": {"metric": "roc_auc", "by": "sex", "max_difference": 0.05},
    "ordered": {"by": "sex", "max_mismatch": 0.05},
    "clustered": {"metric": "precision", "by": "sex", "max_difference": 0.05},
    "clustered mean": {"metric": "brier_score", "by": "sex", "max_difference": 0.05},
    "clustered across groups": {"metric": "precision", "by": "age", "max_difference": 0.05},
    "clustered mean across groups": {"metric": "brier_score", "by": "age", "max_difference": 0.05},
    "clustered areas": {"metric": "roc_auc", "by": "sex", "max_difference": 0.05},
    "clustered bins": {"metric": "expected_calibration_error", "by": "sex", "max_difference": 0.05},
}


def polars(path):
    return pytest.importorskip("polars").scan_parquet(path)


def duckdb(path):
    return pytest.importorskip("duckdb").connect().read_parquet(path)


def dask(path):
    return pytest.importorskip("dask.dataframe").read_parquet(path)


def ibis(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Ibis on pandas, once it is imported
        return pytest.importorskip("ibis").duckdb.connect().read_parquet(path)


def sqlframe(path):
    return pytest.importorskip("sqlframe.duckdb").DuckDBSession().read.parquet(path)


def spark(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sql = pytest.importorskip("pyspark.sql")
        if shutil.which("java") is None and "FAIRNESS_SPARK" not in os.environ:
            pytest.skip("Spark runs on Java, which is not installed; with FAIRNESS_SPARK this is an error")
        made = sql.SparkSession.builder.master("local[1]").config("spark.sql.shuffle.partitions", "2")
        session = made.config("spark.ui.enabled", "false").config("spark.driver.host", "127.0.0.1").getOrCreate()
        session.sparkContext.setLogLevel("OFF")
        return session.read.parquet(path)


ENGINES = {each.__name__: each for each in (polars, duckdb, dask, ibis, sqlframe, spark)}


def visits(rows=2_000):
    rng = np.random.default_rng(5)
    patient = np.sort(rng.integers(0, 300, rows))
    risk = np.round(rng.beta(2, 5, 300)[patient] * 0.5 + rng.beta(2, 5, rows) * 0.5, 3)
    return pa.table(
        {
            "died": (rng.random(rows) < risk).astype(int),
            "risk": risk,
            "sex": np.where(patient % 2 == 0, "f", "m"),
            "age": rng.choice([30, 50, 70], rows),
            "patient": patient,
        }
    )


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("engines") / "visits.parquet"
    pq.write_table(visits(), path)
    return str(path)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("engine", ENGINES)
def test_the_same_checks_find_the_same_in_every_engine(engine, file):
    frame = ENGINES[engine](file)
    for clusters in ({}, {"cluster": "patient"}):
        here = Predictions.from_frame(visits(), **ROLES, **clusters)
        there = Predictions.from_frame(frame, **ROLES, **clusters, collect=False)
        for name, asked in CHECKS.items():
            if name.startswith("clustered") != bool(clusters):
                continue
            judge = audit_uncertainty if name == "ordered" else audit
            right, found = judge(here, **asked), judge(there, **asked)
            assert (found.verdict, found.first, found.notes) == (right.verdict, right.first, right.notes), name
            for key in ("estimate", "low", "high", "p_violation", "p_compliance"):
                exact = name == "counted"
                tolerance = 0.0 if exact else 1e-9
                assert getattr(found, key) == pytest.approx(getattr(right, key), rel=tolerance, abs=tolerance), name
            assert [group.n for group in found.groups] == [group.n for group in right.groups]
            assert all(type(group.n) is int for group in found.groups)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("engine", ENGINES)
def test_one_null_label_is_one_error_in_every_engine(engine, tmp_path):
    table = visits(100)
    table = table.set_column(0, "died", pa.array([None, *table["died"].to_pylist()[1:]]))
    pq.write_table(table, tmp_path / "visits.parquet")
    with pytest.raises(InvalidPredictions, match=r"y_true: 1 of 100 values of column 'died' is missing \(null\)"):
        Predictions.from_frame(ENGINES[engine](str(tmp_path / "visits.parquet")), **ROLES, collect=False)


@contextmanager
def killing(kill):
    """Kill whatever the engine computes, again and again, for as long as the block lasts."""
    over = threading.Event()

    def run():
        while not over.is_set():
            kill()
            time.sleep(0.0005)

    killer = threading.Thread(target=run)
    killer.start()
    try:
        yield
    finally:
        over.set()
        killer.join()


def duckdb_to_kill():
    connection = pytest.importorskip("duckdb").connect()
    rows = "select i % 2 as died, (i % 1000) / 1000.0 as risk, i % 2 as sex, i % 3 as age from range(10_000_000) t(i)"
    return connection.sql(rows), connection.interrupt


def spark_to_kill(file):
    frame = spark(file)
    many = frame.sparkSession.range(500).crossJoin(frame)
    return many, frame.sparkSession.sparkContext.cancelAllJobs


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("engine", ["duckdb", "spark"])
def test_a_query_that_is_killed_is_named_and_right_when_it_is_run_again(engine, file):
    frame, kill = duckdb_to_kill() if engine == "duckdb" else spark_to_kill(file)
    there = Predictions.from_frame(frame, **ROLES, collect=False)
    asked = {"metric": "brier_score", "by": "sex", "max_difference": 0.5}
    with killing(kill), pytest.raises(InvalidPredictions, match=r"^frame: .* failed while it was collected: "):
        audit(there, **asked)
    with killing(kill), pytest.raises(InvalidPredictions, match=r"^frame: .* failed while it was collected: "):
        Predictions.from_frame(frame, **ROLES, collect=False)
    assert audit(there, **asked).verdict == "pass"
