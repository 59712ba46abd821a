"""`Predictions.from_frame`: one table, whole, of any library, collected once."""

from __future__ import annotations

import re
import warnings

import dask.dataframe as dd
import duckdb
import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from fairness_checks import GroupStatistics, InvalidPredictions, Predictions
from fairness_checks.inputs.frames import answering, read_columns

COLUMNS = {
    "label": [1, 0, 1, 1, 0, 0],
    "decided": [True, False, False, True, True, False],
    "p": [0.9, 0.1, 0.2, 0.5, 0.7, 0.4],
    "residual": [0.1, -0.1, 0.5, 0.0, 0.25, -1.0],
    "spread": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6],
    "patient": ["a", "a", "b", "b", "c", "c"],
    "visit": ["v1", "v2", "v3", "v4", "v5", "v6"],
    "sex": ["f", "m", "f", "m", "f", "m"],
    "age": [30, 50, 70, 30, 50, 70],
    "unused": [[1], [2], [3], [4], [5], [6]],
}
ROLES = {
    "y_true": "label", "y_pred": "decided", "y_score": "p", "error": "residual", "uncertainty": "spread",
    "cluster": "patient", "sample_id": "visit",
}  # fmt: skip
CONNECTION = duckdb.connect()


def relation(columns):
    return CONNECTION.from_arrow(pa.table(columns))


def ibis_table(columns):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Ibis on pandas, once it is imported
        return pytest.importorskip("ibis").memtable(pa.table(columns))


def dask_frame(columns):
    flat = {name: values for name, values in columns.items() if name != "unused"}
    return dd.from_pandas(pd.DataFrame(flat), npartitions=2)


FRAMES = {
    "pandas": pd.DataFrame,
    "pandas-index": lambda columns: pd.DataFrame(columns, index=[3, 3, 1, 2, 0, 5]),
    "pandas-arrow": lambda columns: pa.table(columns).to_pandas(types_mapper=pd.ArrowDtype),
    "polars": pl.DataFrame,
    "polars-lazy": pl.LazyFrame,
    "pyarrow": pa.table,
    "duckdb": relation,
    "dask": dask_frame,
    "ibis": ibis_table,
    "narwhals": lambda columns: nw.from_native(pl.LazyFrame(columns)),
    "narwhals-pandas": lambda columns: nw.from_native(pd.DataFrame(columns)),
}


@pytest.mark.parametrize("kind", FRAMES)
def test_a_frame_of_any_library_gives_what_its_columns_give(kind):
    found = Predictions.from_frame(FRAMES[kind](COLUMNS), **ROLES, by=["sex", "age"], about={"data": "synthetic"})
    arrays = {role: COLUMNS[name] for role, name in ROLES.items()}
    right = Predictions(**arrays, sensitive_features={"sex": COLUMNS["sex"], "age": COLUMNS["age"]})
    row = np.argsort(found.sample_id)
    for role in ROLES:
        assert getattr(found, role)[row].tolist() == getattr(right, role).tolist(), role
    for name in ("sex", "age"):
        assert found.feature(name).groups == right.feature(name).groups
        assert found.feature(name).codes[row].tolist() == right.feature(name).codes.tolist()
    assert found.about == {"data": "synthetic"}


def test_the_threshold_and_one_feature_by_its_name():
    found = Predictions.from_frame(pl.LazyFrame(COLUMNS), y_true="label", y_score="p", by="sex", threshold=0.2)
    assert found.y_pred.tolist() == [True, False, True, True, True, True]
    assert list(found.sensitive_features) == ["sex"]


def test_classes_in_words():
    table = {"label": ["ill", "well", "ill"], "said": ["ill", "well", "well"], "sex": ["f", "m", "f"]}
    found = Predictions.from_frame(pl.LazyFrame(table), y_true="label", y_pred="said", by="sex", positive="ill")
    assert found.y_true.tolist() == [True, False, True]
    assert found.y_pred.tolist() == [True, False, False]
    assert found.positive == "ill"


def test_a_query_is_run_once_for_the_columns_that_are_named():
    read = []

    def seen(frame):
        read.append(frame.columns)
        return frame

    lazy = pl.LazyFrame(COLUMNS).map_batches(seen, projection_pushdown=True, schema=None)
    roles = ROLES | {"cluster": "sex"}  # a name may have two uses
    found = Predictions.from_frame(lazy, **roles, by="sex")
    assert len(read) == 1
    assert "unused" not in read[0]
    assert found.cluster.tolist() == [0, 1, 0, 1, 0, 1]
    with pytest.raises(InvalidPredictions, match="failed while it was collected: ZeroDivisionError"):
        Predictions.from_frame(
            pl.LazyFrame(COLUMNS).map_batches(lambda frame: 1 / 0), y_true="label", y_pred="p", by="sex"
        )


class OfJava(Exception):
    """As py4j's: its text is asked of Java."""

    def __str__(self):
        if self.args[0] is None:
            raise ConnectionRefusedError
        return (
            f"An error occurred while calling o793.getResult.\n: {self.args[0]}\n\tat org.apache.spark.Scheduler.run\n"
        )


@pytest.mark.parametrize(
    ("why", "told"),
    [
        ("SparkException: worker lost", "SparkException: worker lost"),
        ("SparkException: in awaitResult: \n\tat Await.ready\nCaused by: Lost: it is\n\tat End\n", "Lost: it is"),
        ("SparkException:", "An error occurred while calling o793.getResult."),
        (None, "it gave no reason"),
    ],
)
def test_an_error_of_java_is_told_by_its_reason_even_where_java_has_ended(why, told):
    with pytest.raises(InvalidPredictions) as raised, answering("frame: pyspark.DataFrame"):
        raise OfJava(why)
    assert str(raised.value) == f"frame: pyspark.DataFrame failed while it was collected: OfJava: {told}"


def test_columns_named_by_whole_numbers():
    frame = pd.DataFrame({0: [0, 1], 1: [0, 1], 2: ["f", "m"]})
    assert list(Predictions.from_frame(frame, y_true=0, y_pred=1, by=[2]).sensitive_features) == ["2"]


def of(frame, **changed):
    return lambda: Predictions.from_frame(frame, **{"y_true": "label", "y_score": "p", "by": ["sex"]} | changed)


BAD = {
    "misspelt": (of(pl.LazyFrame(COLUMNS), y_true="lable"), "y_true: column 'lable' is not in the frame; did you"),
    "several": (
        of(pl.DataFrame(COLUMNS), y_true="labels", by=["age", "sx"]),
        r"^y_true: column 'labels' is not in the frame; did you mean 'label'\? \(.*\); by\[1\]: column 'sx' is",
    ),
    "array": (
        of(pl.DataFrame(COLUMNS), y_true=[0, 1]),
        "y_true: list is no name of a column; from_frame takes all arrays from the frame",
    ),
    "series": (of(pd.DataFrame(COLUMNS), cluster=pd.Series([1])), "cluster: Series is no name of a column"),
    "no feature": (of(pl.DataFrame(COLUMNS), by=[]), r"by: \[\] must be the name of a column, or a list of"),
    "by of another kind": (of(pl.DataFrame(COLUMNS), by=3.0), "by: 3.0 must be the name of a column, or a list"),
    "feature twice": (of(pl.DataFrame(COLUMNS), by=["sex", "sex"]), r"by: \['sex', 'sex'\] must be .* different names"),
    "no frame": (of(COLUMNS), "frame: dict is no frame that narwhals reads"),
    "a series": (of(pl.Series("label", [0, 1])), "frame: polars.Series is no frame that narwhals reads"),
    "path": (of("holdout.parquet"), "frame: str is no frame that narwhals reads"),
    "in the index": (
        of(pd.DataFrame(COLUMNS).set_index("sex")), r"by\[0\]: 'sex' is in the index of the frame; make it a column",
    ),
    "column twice": (
        of(pd.DataFrame([[0, 0.5, "f", "m"]], columns=["label", "p", "sex", "sex"])), "frame: a column is there twice",
    ),
    "column twice in a join": (
        of(CONNECTION.sql("select 0 as label, 0.5 as p, * from (select 'f' as sex) a, (select 'm' as sex) b")),
        "frame: column 'sex' is there twice; rename one",
    ),
    "label as score": (of(pl.DataFrame(COLUMNS), y_score="label"), "y_true, y_score: both are column 'label'; give"),
    "label as decision": (of(pl.DataFrame(COLUMNS), y_pred="label"), "y_true, y_pred: both are column 'label'"),
    "error as uncertainty": (
        of(pl.DataFrame(COLUMNS), error="residual", uncertainty="residual"), "error, uncertainty: both are column",
    ),
    "values": (of(pl.DataFrame(COLUMNS), y_score="age"), r"y_score: 6 of 6 values are outside \[0, 1\]"),
    "no rows": (of(pl.LazyFrame(COLUMNS).filter(pl.col("age") > 99)), "y_true: 0 rows; there is nothing to evaluate"),
    "no prediction": (of(pl.DataFrame(COLUMNS), y_score=None), "y_pred: give y_pred, y_score or both"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_frames_and_names_are_one_clear_error(case):
    call, message = BAD[case]
    with pytest.raises(InvalidPredictions, match=message) as caught:
        call()
    assert len(str(caught.value).splitlines()) == 1


def raising(frame):
    raise RuntimeError("the ward's server\nis down")


FAILING = {
    "polars, no file": (lambda path: pl.scan_parquet(path / "absent.parquet"), "polars.LazyFrame"),
    "polars, a cast": (
        lambda path: pl.LazyFrame(COLUMNS).with_columns(pl.col("patient").cast(int).alias("p")),
        "polars",
    ),
    "polars, a function": (lambda path: pl.LazyFrame(COLUMNS).map_batches(raising), "polars.LazyFrame"),
    "duckdb, a cast": (
        lambda path: relation(COLUMNS).select("label, sex, patient::int as p"),
        "duckdb.DuckDBPyRelation",
    ),
    "dask": (
        lambda path: dask_frame(COLUMNS).map_partitions(raising, meta=pd.DataFrame(COLUMNS)[:0]),
        "dask.DataFrame",
    ),
    "ibis, a cast": (lambda path: (t := ibis_table(COLUMNS)).mutate(p=t.patient.cast("int")), "ibis.Table"),
}


@pytest.mark.parametrize("kind", FAILING)
def test_a_frame_that_fails_while_it_is_collected_names_the_cause(kind, tmp_path):
    make, shown = FAILING[kind]
    with pytest.raises(
        InvalidPredictions, match=rf"^frame: {shown}.* failed while it was collected: \w+: .+"
    ) as caught:
        of(make(tmp_path))()
    assert len(str(caught.value).splitlines()) == 1
    if kind in ("polars, a function", "dask"):
        assert "the ward's server" in str(caught.value)


def test_an_interrupt_is_no_failure_of_the_frame(monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(pl.LazyFrame, "collect", interrupted)
    with pytest.raises(KeyboardInterrupt):
        read_columns(pl.LazyFrame({"sex": ["f"]}), {"by[0]": "sex"})


# --- the same rows at every collection --------------------------------------------------------------------------------


@pytest.fixture
def hospital():
    """Misses 30 of 100 ill women and 10 of 100 ill men; groups stand in another table, in another order."""
    n = 200_000
    rng = np.random.default_rng(11)
    patient = rng.permutation(n)
    woman = patient % 2 == 0
    ill = np.ones(n, dtype=int)
    missed = patient // 2 % 100 < np.where(woman, 30, 10)
    visits = pa.table({"patient": patient, "label": ill, "p": np.where(missed, 0.2, 0.8)})
    people = np.arange(n)[::-1]
    return visits, pa.table({"patient": people, "sex": np.where(people % 2 == 0, "f", "m")})


def missed(predictions):
    counted = GroupStatistics.from_predictions(predictions, ("sex",)).counts
    return (counted[:, 2] / (counted[:, 2] + counted[:, 3])).round(9).tolist()


def duckdb_join(visits, people):
    connection = duckdb.connect(config={"threads": 4, "preserve_insertion_order": False})
    connection.register("visits", visits)
    connection.register("people", people)
    return connection.sql("select * from visits join people using (patient)")


def polars_join(visits, people):
    return pl.from_arrow(visits).lazy().join(pl.from_arrow(people).lazy(), on="patient", maintain_order="none")


@pytest.mark.parametrize("joined", [duckdb_join, polars_join])
def test_a_joined_query_goes_in_whole_or_not_at_all(joined, hospital):
    query = joined(*hospital)
    for _ in range(3):
        assert missed(Predictions.from_frame(query, y_true="label", y_score="p", by=["sex"])) == [0.3, 0.1]
    labels = query.collect() if isinstance(query, pl.LazyFrame) else query.to_arrow_table()
    groups = query.select("sex")
    with pytest.raises(InvalidPredictions, match=re.escape("Predictions.from_frame(frame, y_true=")):
        Predictions(labels["label"], y_score=labels["p"], sensitive_features=groups)


@pytest.mark.parametrize("column", [pd.Series([0, 1]), pl.Series([0, 1]), pl.col("y"), np.array([0, 1]), ["y"]])
@pytest.mark.parametrize("role", ["y_true", "y_pred", "by", "cluster"])
def test_a_column_itself_is_refused_where_its_name_belongs(role, column):
    table = pd.DataFrame({"y": [0, 1], "p": [0, 1], "sex": ["f", "m"]})
    given = {"y_true": "y", "y_pred": "p", "by": ["sex"]} | {role: [column] if role == "by" else column}
    with pytest.raises(InvalidPredictions, match="no name of a column"):
        Predictions.from_frame(table, **given)


def test_a_name_that_polars_reads_as_a_pattern_is_refused():
    table = pl.LazyFrame({"y": [0, 1], "^p.*$": [0, 1], "pp": [1, 0], "sex": ["f", "m"]})
    with pytest.raises(InvalidPredictions, match=r"reads '\^p\.\*\$' as a pattern; rename it"):
        Predictions.from_frame(table, y_true="y", y_pred="^p.*$", by="sex")


def test_columns_that_numpy_has_no_dtype_for_are_read():
    table = pl.LazyFrame({"y": [0, 1, 1], "p": [0, 1, 0], "sex": [1, 2, 1], "site": [0, 1, 1]})
    found = Predictions.from_frame(table.cast(pl.Int128), y_true="y", y_pred="p", by="sex", cluster="site")
    assert found.y_true.tolist() == [False, True, True]
    assert found.sensitive_features["sex"].groups == ("1", "2")
    assert found.cluster.tolist() == [0, 1, 1]


def test_ids_of_128_bits_are_kept_apart():
    query = (
        "select i % 2 as y, 0.5 as p, 's' || i % 2 as sex, 100000000000000000000::hugeint + i as id from range(60) t(i)"
    )
    found = Predictions.from_frame(duckdb.sql(query), y_true="y", y_score="p", by="sex", cluster="id", sample_id="id")
    assert len(set(found.cluster.tolist())) == len(set(found.sample_id.tolist())) == 60
