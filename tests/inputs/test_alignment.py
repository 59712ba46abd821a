"""Inputs side by side: taken by position where nothing contradicts it, refused where row labels do."""

from __future__ import annotations

import re
import warnings
from types import SimpleNamespace

import dask.array as da
import dask.dataframe as dd
import duckdb
import narwhals as nw
import narwhals.stable.v2 as nw2
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from fairness_checks import InvalidPredictions, Predictions, audit, audit_uncertainty, predictions_from_classifier
from fairness_checks.inputs.alignment import _first_difference, require_aligned
from fairness_checks.sweep.dataset import DataSet
from fairness_checks.sweep.trainable import TrainableModel
from models.fagtb import FAGTBClassifier

COLUMNS = ("y_true", "y_pred", "y_score", "error", "uncertainty", "cluster", "sample_id", "sex")
REMEDY = "drop the labels with `.reset_index(drop=True)` or `.to_numpy()`"


def drawn(n=40, seed=0, index=None):
    rng = np.random.default_rng(seed)
    score = rng.random(n)
    y = rng.random(n) < score
    error = rng.normal(size=n)
    columns = (y, score > 0.5, score, error, error**2, rng.integers(0, n // 2, n), [f"s{i}" for i in range(n)])
    table = dict(zip(COLUMNS, (*columns, rng.choice(["f", "m"], n)), strict=True))
    return pd.DataFrame(table, index=index)


def arguments(table):
    return {name: table[name] for name in COLUMNS[:-1]} | {"sensitive_features": table[["sex"]]}


INDEXES = {
    "default": lambda n: pd.RangeIndex(n),
    "numbers": lambda n: pd.Index(np.random.default_rng(5).permutation(n) * 3 + 7),
    "shuffled-positions": lambda n: pd.Index(np.random.default_rng(5).permutation(n)),
    "text": lambda n: pd.Index([f"p{i}" for i in range(n)]),
    "arrow-text": lambda n: pd.Index([f"p{i}" for i in range(n)], dtype=pd.ArrowDtype(pa.string())),
    "nullable": lambda n: pd.Index([*range(5, n + 4), pd.NA], dtype="Int64"),
    "nan": lambda n: pd.Index([np.nan, *range(5, n + 4)]),
    "dates": lambda n: pd.date_range("2026-01-01", periods=n, tz="UTC"),
    "categories": lambda n: pd.CategoricalIndex([f"p{i}" for i in range(n)]),
    "levels": lambda n: pd.MultiIndex.from_arrays([np.arange(n) // 3, [np.nan, *"ab"] * (n // 3) + ["a"] * (n % 3)]),
    "intervals": lambda n: pd.interval_range(0, n),
    "reversed": lambda n: pd.RangeIndex(n - 1, -1, -1),
}

GIVEN = {
    "series": lambda table, name: table[name],
    "frame": lambda table, name: table[[name]],
    "mapping": lambda table, name: {name: table[name]},
    "xarray": lambda table, name: xr.DataArray(table[name].to_numpy(), dims="row", coords={"row": table.index}),
    "xarray-dataset": lambda table, name: xr.Dataset({name: ("row", table[name].to_numpy())}, {"row": table.index}),
}


@pytest.mark.parametrize("kind", INDEXES)
@pytest.mark.parametrize("column", COLUMNS)
def test_one_input_in_another_order_is_refused(column, kind):
    table = drawn(index=INDEXES[kind](40))
    name = "sensitive_features" if column == "sex" else column
    right = arguments(table)
    assert len(Predictions(**right)) == 40
    rows = np.arange(40)
    rows[[3, 17]] = 17, 3
    wrong = right | {name: right[name].iloc[rows]}
    other = "y_pred" if column == "y_true" else "y_true"
    with pytest.raises(InvalidPredictions, match="row labels differ: row 3 is labelled ") as caught:
        Predictions(**wrong)
    message = str(caught.value)
    assert f" in {name}" in message
    assert f" in {other}" in message
    assert "np." not in message
    assert REMEDY in message
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize("made", GIVEN)
def test_groups_that_carry_labels_are_compared_however_they_are_given(made):
    table = drawn(index=[f"p{i}" for i in range(40)])
    if made.startswith("xarray"):
        table["sex"] = table["sex"].astype(object)
    groups = GIVEN[made](table, "sex")
    found = Predictions(table["y_true"], table["y_pred"], sensitive_features=groups)
    (feature,) = found.sensitive_features.values()
    assert [feature.groups[code] for code in feature.codes] == table["sex"].tolist()
    with pytest.raises(
        InvalidPredictions, match=r"row 0 is labelled 'p0' in y_true and 'p39' in sensitive_features(\['sex'\])?;"
    ):
        Predictions(table["y_true"], table["y_pred"], sensitive_features=GIVEN[made](table[::-1], "sex"))


def test_two_series_of_one_mapping_are_compared_with_each_other():
    table = drawn(index=[f"p{i}" for i in range(40)])
    features = {"sex": table["sex"], "ward": table["cluster"].sort_index()}
    message = r"row 2 is labelled 'p2' in sensitive_features\['sex'\] and 'p10' in sensitive_features\['ward'\]; .*"
    with pytest.raises(InvalidPredictions, match=message + re.escape("`.loc[sensitive_features['sex'].index]`")):
        Predictions(table["y_true"].to_numpy(), table["y_pred"].tolist(), sensitive_features=features)


WRAPPED = {
    "narwhals": nw.from_native,
    "narwhals-stable": nw2.from_native,
    "arrow-backed": lambda frame: frame.convert_dtypes(dtype_backend="pyarrow"),
    # cuDF's and Modin's frames: an index of their own, which gives pandas' one
    "another library's index": lambda frame: SimpleNamespace(
        index=type("Index", (), {"equals": None, "__len__": None, "to_pandas": lambda _: frame.index})()
    ),
}


@pytest.mark.parametrize("wrap", WRAPPED)
def test_frames_of_other_libraries_carry_labels_too(wrap):
    table = drawn(index=[f"p{i}" for i in range(40)])
    assert require_aligned({"y_true": table["y_true"], "sex": WRAPPED[wrap](table[["sex"]])}).index is not None
    with pytest.raises(InvalidPredictions, match="row 0 is labelled 'p0' in y_true and 'p39' in sex"):
        require_aligned({"y_true": table["y_true"], "sex": WRAPPED[wrap](table[["sex"]][::-1])})


def test_scores_without_labels_go_beside_any_table():
    table = drawn(200)
    _, test = train_test_split(table, random_state=0)
    scores = pd.Series(test["y_score"].tolist(), index=pd.RangeIndex(len(test), name="row"))
    for given_scores in (scores, scores.tolist(), scores.to_numpy(), pl.Series(scores.to_numpy())):
        found = Predictions(test["y_true"], y_score=given_scores, sensitive_features=test[["sex"]])
        np.testing.assert_array_equal(found.y_score, test["y_score"])


POSITIONS = {
    "integers": lambda labels: labels,
    "floats": lambda labels: labels.astype(float),
    "objects": lambda labels: labels.astype(object),
    "nullable": lambda labels: pd.Index(labels, dtype="Int64"),
    "arrow": lambda labels: pd.Index(labels, dtype="int64[pyarrow]"),
    "text": lambda labels: pd.Index([str(label) for label in labels]),
}


@pytest.mark.parametrize("kind", POSITIONS)
@pytest.mark.parametrize("fresh_first", [True, False])
def test_a_fresh_table_beside_its_shuffled_copy_is_refused(kind, fresh_first):
    fresh = drawn()
    shuffled = fresh.sample(frac=1, random_state=1)
    shuffled.index = POSITIONS[kind](shuffled.index)
    first, second = (fresh, shuffled) if fresh_first else (shuffled, fresh)
    with pytest.raises(InvalidPredictions, match="row labels differ: row 0 is"):
        Predictions(first["y_true"], first["y_pred"], sensitive_features=second[["sex"]])
    assert (
        len(Predictions(shuffled["y_true"], shuffled["y_pred"].to_numpy(), sensitive_features=shuffled[["sex"]])) == 40
    )


@pytest.mark.parametrize("kind", POSITIONS)
def test_positions_in_order_are_the_default_in_other_words(kind):
    fresh = drawn()
    again = fresh.set_axis(POSITIONS[kind](np.arange(40)))
    assert len(Predictions(fresh["y_true"], again["y_pred"], sensitive_features=fresh[["sex"]])) == 40


@pytest.mark.parametrize(
    "labels",
    [np.arange(40) + 1, np.arange(40) * 2, [0.5, *range(1, 40)], [np.nan, *range(1, 40)], [*range(39), 38],
     [f"p{i}" for i in range(40)], [True, False] * 20, [*range(39), "last"], pd.date_range("2026", periods=40),
     pd.MultiIndex.from_product([range(8), range(5)]), pd.Index([*range(39), None], dtype="Int64")],
)  # fmt: skip
def test_other_labels_than_positions_go_beside_the_default(labels):
    table, fresh = drawn(index=pd.Index(labels)[::-1]), drawn()
    assert len(Predictions(table["y_true"], fresh["y_pred"], sensitive_features=table[["sex"]])) == 40


EQUAL = {
    "int32": (pd.Index([7, 5, 6]), pd.Index([7, 5, 6], dtype="int32")),
    "floats": (pd.Index([7, 5, 6]), pd.Index([7.0, 5.0, 6.0])),
    "nullable": (pd.Index([7, 5, 6]), pd.Index([7, 5, 6], dtype="Int64")),
    "arrow": (pd.Index([7, 5, 6]), pd.Index([7, 5, 6], dtype="int64[pyarrow]")),
    "text": (pd.Index(["a", "c", "b"]), pd.Index(["a", "c", "b"], dtype=object)),
    "arrow-text": (pd.Index(["a", "c", "b"]), pd.Index(["a", "c", "b"], dtype=pd.ArrowDtype(pa.string()))),
    "categories": (pd.Index(["a", "c", "b"]), pd.CategoricalIndex(["a", "c", "b"], categories=["c", "b", "a"])),
    "missing": (pd.Index([7, None, 6], dtype="Int64"), pd.Index([7.0, np.nan, 6.0])),
    "missing-text": (pd.Index(["a", None, "b"], dtype=object), pd.Index(["a", np.nan, "b"], dtype="string")),
    "dates": (pd.DatetimeIndex(["2026-01-01"] * 2).as_unit("ns"), pd.DatetimeIndex(["2026-01-01"] * 2).as_unit("s")),
    "dates-as-objects": (pd.date_range("2026", periods=3), pd.date_range("2026", periods=3).astype(object)),
    "named": (pd.Index([7, 5], name="patient"), pd.Index([7, 5], name="id")),
    "twice": (pd.Index([7, 7, 5]), pd.Index([7, 7, 5])),
    "range": (pd.RangeIndex(3, 9, 2), pd.Index([3, 5, 7])),
    "levels-read-twice": tuple(pd.MultiIndex.from_arrays([[4, 4, 7], ["b", None, "a"]]) for _ in range(2)),
    "levels-of-objects": tuple(
        pd.MultiIndex.from_arrays([pd.Index([4, "b", 4], dtype=object), [None, 1.5, 2.5]]) for _ in range(2)
    ),
    "levels-unused": (
        pd.MultiIndex.from_product([[4, 7], ["b", "a"]])[:2], pd.MultiIndex.from_arrays([[4, 4], ["b", "a"]]),
    ),
    "levels-and-tuples": (
        pd.MultiIndex.from_tuples([(1, "a"), (2, "b")]), pd.MultiIndex.from_tuples([(1, "a"), (2, "b")]).to_flat_index()
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", EQUAL)
def test_equal_labels_are_equal_whatever_their_dtype(kind):
    first, second = EQUAL[kind]
    for a, b in ((first, second), (second, first)):
        assert require_aligned({"a": pd.Series(0, index=a), "b": pd.Series(0, index=b)}).index is a


UNEQUAL = {
    "number-and-text": (pd.Index([1, 2]), pd.Index(["1", "2"]), "row 0 is labelled 1 in a and '1' in b"),
    "missing": (pd.Index([7, None], dtype="Int64"), pd.Index([7, 8]), "row 1 is labelled <NA> in a and 8 in b"),
    "zone": (
        pd.DatetimeIndex(["2026-01-01"], tz="UTC"), pd.DatetimeIndex(["2026-01-01"]),
        "Timestamp('2026-01-01 00:00:00+0000', tz='UTC') in a and Timestamp('2026-01-01 00:00:00') in b",
    ),
    "levels": (
        pd.MultiIndex.from_tuples([(1, "a"), (2, "b")]), pd.MultiIndex.from_tuples([(1, "a"), (2, "c")]),
        "row 1 is labelled (2, 'b') in a and (2, 'c') in b",
    ),
    "levels-and-none": (pd.MultiIndex.from_tuples([(1, "a")]), pd.Index([8]), "(1, 'a') in a and 8 in b"),
    "long-whole-numbers": (pd.Index([2**53]), pd.Index([2**53 + 1]), "row 0 is labelled 9007199254740992 in a"),
    "codes": (
        pd.MultiIndex.from_product([[4, 7], ["b", "a"]]),
        pd.MultiIndex.from_product([[4, 7], ["b", "a"]])[[0, 3, 2, 1]],
        "row 1 is labelled (4, 'a') in a and (7, 'a') in b",
    ),
    "positions-and-others": (pd.Index([0, 1]), pd.Index([5, 9]), "row 0 is labelled 0 in a and 5 in b"),
}  # fmt: skip


@pytest.mark.parametrize("kind", UNEQUAL)
def test_unequal_labels_are_shown_as_they_are(kind):
    first, second, message = UNEQUAL[kind]
    with pytest.raises(InvalidPredictions, match=re.escape(message)):
        require_aligned({"a": pd.Series(0, index=first), "b": pd.Series(0, index=second)})


def test_labels_that_are_there_twice_have_another_remedy():
    first, second = pd.Series(0, index=[7, 7, 5]), pd.Series(0, index=[7, 5, 7])
    with pytest.raises(InvalidPredictions, match="put the whole table in order before its columns are taken") as caught:
        require_aligned({"a": first, "b": second})
    assert ".loc" not in str(caught.value)


def test_the_first_row_that_differs_is_found_among_many():
    labels = np.arange(600_000) + 1
    other = labels.copy()
    other[[550_000, 550_001]] = other[[550_001, 550_000]]
    with pytest.raises(InvalidPredictions, match="row 550000 is labelled 550001 in a and 550002 in b"):
        require_aligned({"a": pd.Series(0, index=labels), "b": pd.Series(0, index=other)})


LABELS = st.sampled_from(["a", "b", "".join(["a", "b"]), 1, True, 1.0, (1, "a"), None, pd.NA, pd.NaT, np.nan, 2**53])


def naive_difference(first, second):
    """Row by row: missing ones are alike, and what else is equal."""
    for row, pair in enumerate(zip(first, second, strict=True)):
        missing = [label is None or label is pd.NA or label is pd.NaT or label != label for label in pair]
        if any(missing) != all(missing) or (not any(missing) and pair[0] != pair[1]):
            return row
    return None


@given(st.lists(st.tuples(LABELS, LABELS, st.booleans()), min_size=1, max_size=30), st.booleans())
def test_python_objects_differ_where_one_by_one_they_do(rows, strided):
    def index(labels):
        array = np.empty(len(labels) * 2, dtype=object)
        array[::2] = pd.Series([*labels, None], dtype=object)[:-1]
        return pd.Index(array[::2] if strided else array[::2].copy(), dtype=object)

    first = [left for left, _, _ in rows]
    second = [left if same else right for left, right, same in rows]
    assert _first_difference(index(first), index(second)) == naive_difference(first, second)


class Label:
    """A label that knows how often it was asked for anything."""

    asked = 0

    def __eq__(self, other):
        type(self).asked += 1
        return self is other

    def __hash__(self):
        type(self).asked += 1
        return id(self)


def test_labels_that_are_the_same_objects_are_neither_compared_nor_hashed():
    table = drawn(index=pd.Index([Label() for _ in range(40)]))
    rows = np.random.default_rng(4).permutation(40)
    first, second, third = (table[name].iloc[rows] for name in ("y_true", "y_pred", "sex"))
    assert first.index is not second.index
    Label.asked = 0
    assert require_aligned({"a": first, "b": second, "c": third}).index is first.index
    assert Label.asked == 0
    with pytest.raises(InvalidPredictions, match="row 0 is labelled "):
        require_aligned({"a": first, "b": table["y_pred"]})


SLICED = ("numbers", "text", "arrow-text", "dates", "nan")


@pytest.mark.parametrize("kind", SLICED)
def test_slices_of_one_table_share_their_labels_which_are_not_compared(kind, monkeypatch):
    table = drawn(index=INDEXES[kind](40))
    first, second = table["y_true"].iloc[3:30], table["y_pred"].iloc[3:30]
    assert first.index is not second.index
    monkeypatch.setattr(pd.Index, "equals", None)
    assert require_aligned({"a": first, "b": second}).index is first.index
    monkeypatch.undo()
    with pytest.raises(InvalidPredictions, match="row 0 is labelled "):
        require_aligned({"a": first, "b": table["y_pred"].iloc[4:31]})


def test_columns_and_rows_that_are_called_like_methods_are_data():
    names = ["get_index", "dims", "index", "to_pandas", "equals"]
    frame = pd.DataFrame(dict.fromkeys(names, 1), index=names)
    for given_input in (frame, frame["dims"]):
        assert require_aligned({"a": given_input}).index is given_input.index
        with pytest.raises(InvalidPredictions, match="row 0 is labelled 'get_index' in a and 'equals' in b"):
            require_aligned({"a": given_input, "b": given_input[::-1]})


def test_rows_of_a_data_set_that_are_called_like_methods_are_data():
    column = pd.Series([0, 1, 1], index=["detach", "codes", "categories"])
    data = DataSet({"x": column}, column, {"sex": column.astype(str)})
    assert data.features["x"].tolist() == data.outcome.tolist() == [0, 1, 1]
    assert data.groups("sex").names == ("0", "1")


def test_no_rows_are_said_as_no_rows():
    empty = drawn()[:0]
    for index in (pd.Index([], dtype=object), pd.Index([]), pd.RangeIndex(0), pd.MultiIndex.from_arrays([[], []])):
        with pytest.raises(InvalidPredictions, match=r"^y_true: 0 rows; there is nothing to evaluate"):
            Predictions(empty["y_true"], empty["y_pred"], sensitive_features=empty[["sex"]].set_axis(index))


def test_lengths_that_differ_are_said_as_lengths():
    table = drawn(index=[f"p{i}" for i in range(40)])
    with pytest.raises(
        InvalidPredictions, match=r"^lengths differ: y_true 40, y_pred 40, sensitive_features\['sex'\] 30"
    ):
        Predictions(table["y_true"], table["y_pred"], sensitive_features=table[["sex"]][:30])


def test_an_index_given_as_values_and_things_with_an_index_method_carry_no_labels():
    table = drawn(index=[f"p{i}" for i in range(40)])
    found = Predictions(
        tuple(table["y_true"]), table["y_pred"], sample_id=table.index[::-1], sensitive_features=table[["sex"]]
    )
    assert found.sample_id[0] == "p39"
    assert require_aligned({"a": [1], "b": "text", "c": pa.array([1]), "d": xr.DataArray(3)}) is None


# --- every permutation of every subset --------------------------------------------------------------------------------

ROWS = 24


@st.composite
def permuted(draw):
    """A table, and which rows each of its inputs has, in which order."""
    order = st.permutations(range(ROWS))
    orders = [list(range(ROWS)), draw(order), draw(order)]
    chosen = [draw(st.sampled_from(orders)) for _ in COLUMNS]
    groups = draw(st.sampled_from(["series", "frame", "mapping"]))
    return drawn(ROWS, seed=3, index=INDEXES[draw(st.sampled_from(sorted(INDEXES)))](ROWS)), chosen, groups


def verdicts(predictions):
    asked = {"by": predictions.feature(next(iter(predictions.sensitive_features))).name, "min_group_size": 1}
    records = [
        audit(predictions, metric=metric, max_difference=0.1, **asked)
        for metric in ("accuracy", "brier_score", "mean_error", "mean_uncertainty")
    ]
    records.append(audit_uncertainty(predictions, max_mismatch=0.1, **asked))
    rows = np.argsort(predictions.sample_id)
    labels = [getattr(predictions, name)[rows].tolist() for name in COLUMNS[:5]]
    return [
        labels,
        *((record.verdict, record.first, rounded(record.estimate), rounded(record.low)) for record in records),
    ]


def rounded(value):
    return None if value is None else round(value, 7)


@given(permuted())
def test_any_permutation_of_any_inputs_is_refused_or_gives_the_same_verdict(case):
    table, orders, groups = case
    right = verdicts(Predictions(**arguments(table) | {"sensitive_features": GIVEN[groups](table, "sex")}))
    named = dict(zip(COLUMNS, orders, strict=True))
    given_inputs = {name: table[name].iloc[named[name]] for name in COLUMNS[:-1]}
    given_inputs["sensitive_features"] = GIVEN[groups](table.iloc[named["sex"]], "sex")
    if all(order == orders[0] for order in orders):
        assert verdicts(Predictions(**given_inputs)) == right
    else:
        with pytest.raises(InvalidPredictions, match="row labels differ"):
            Predictions(**given_inputs)


# --- every other taker ------------------------------------------------------------------------------------------------

LABELS = [f"p{i}" for i in range(60)]


@pytest.fixture(scope="module")
def patients():
    table = drawn(60, seed=1, index=LABELS)
    table["age"] = np.random.default_rng(2).normal(60, 10, 60)
    return table


def of_classifier(table, **changed):
    given_parts = {
        "X": table[["age", "y_score"]], "y": table["y_true"], "sensitive_features": table[["sex"]],
        "cluster": table["cluster"], "sample_id": table["sample_id"],
    }  # fmt: skip
    estimator = LogisticRegression().fit(given_parts["X"], given_parts["y"])
    return predictions_from_classifier(estimator, **given_parts | changed)


def of_data_set(table, **changed):
    given_parts = {
        "features": table[["age", "y_score"]], "outcome": table["y_true"], "sensitive_features": table[["sex"]],
        "cluster": table["cluster"],
    }  # fmt: skip
    return DataSet(**given_parts | changed)


def of_fair_boosting(table, **changed):
    given_parts = {"X": table[["age"]], "y": table["y_true"], "sensitive_features": table["sex"]}
    return FAGTBClassifier(n_estimators=2).fit(**given_parts | changed)


def of_autoencoder(table, **changed):
    torch = pytest.importorskip("torch")
    from fairness_checks import predictions_from_autoencoder

    given_parts = {
        "images": torch.zeros(60, 2), "sensitive_features": table[["sex"]], "cluster": table["cluster"],
        "sample_id": table["sample_id"],
    }  # fmt: skip
    return predictions_from_autoencoder(torch.nn.Linear(2, 2), **given_parts | changed)


TAKERS = {
    of_classifier: ("X", "y", "sensitive_features", "cluster", "sample_id"),
    of_data_set: ("features", "outcome", "sensitive_features", "cluster"),
    of_fair_boosting: ("X", "y", "sensitive_features"),
    of_autoencoder: ("sensitive_features", "cluster", "sample_id"),
}
SOURCES = {
    "X": ["age", "y_score"], "features": ["age", "y_score"], "y": "y_true", "outcome": "y_true",
    "sensitive_features": ["sex"], "cluster": "cluster", "sample_id": "sample_id",
}  # fmt: skip
PLACES = [(taker, name) for taker, names in TAKERS.items() for name in names]


@pytest.mark.parametrize(("taker", "name"), PLACES, ids=lambda value: getattr(value, "__name__", value))
def test_every_taker_of_arrays_side_by_side_compares_them(taker, name, patients):
    taker(patients)
    part = patients[SOURCES[name]]
    if taker is of_fair_boosting and name == "X":
        part = patients[["age"]]
    with pytest.raises((InvalidPredictions, ValueError), match=f"row labels differ: row 0 is labelled .* in {name}"):
        taker(patients, **{name: part[::-1]})
    if name not in ("X", "features") and taker is not of_fair_boosting:  # positions
        taker(patients, **{name: part.reset_index(drop=True)})


@pytest.mark.parametrize(("taker", "name"), PLACES, ids=lambda value: getattr(value, "__name__", value))
def test_every_taker_of_arrays_side_by_side_refuses_lazy_ones(taker, name, patients):
    lazy = pl.LazyFrame({column: patients[column].tolist() for column in np.atleast_1d(SOURCES[name])})
    with pytest.raises((InvalidPredictions, ValueError), match=f"^{name}: a polars.LazyFrame is computed by itself"):
        taker(patients, **{name: lazy})


def test_a_data_set_takes_a_mapping_of_series_by_position(patients):
    columns = {"age": patients["age"], "score": patients["y_score"].reset_index(drop=True), "list": [1] * 60}
    data = of_data_set(patients, features=columns)
    np.testing.assert_array_equal(data.features["age"], patients["age"])
    np.testing.assert_array_equal(data.features["score"], patients["y_score"])
    with pytest.raises(
        InvalidPredictions, match=r"row 0 is labelled 'p0' in features\['age'\] and 'p59' in features\['score'\]"
    ):
        of_data_set(patients, features={"age": patients["age"], "score": patients["y_score"][::-1]})


@pytest.mark.parametrize("method", ["predict", "predict_proba"])
def test_what_an_estimator_returns_is_compared_with_what_it_was_given(method, patients):
    class Sorted(LogisticRegression):
        """Gives its predictions in the order of the labels."""

    def by_label(self, X):
        return pd.DataFrame(getattr(LogisticRegression, method)(self, X), index=X.index).sort_index().squeeze()

    setattr(Sorted, method, by_label)
    X = patients[["age", "y_score"]]
    with pytest.raises(InvalidPredictions, match=rf"row 2 is labelled 'p2' in X and 'p10' in Sorted.{method}\(X\)"):
        predictions_from_classifier(
            Sorted().fit(X, patients["y_true"]), X, patients["y_true"], sensitive_features=patients[["sex"]]
        )


def test_predictions_out_of_fold_are_those_of_the_rows_given(patients):
    def predict(fitted, test):
        table = test.features.sort_values("y_score")  # all parts of it in one order, but not in that of the rows
        return Predictions(
            y_true=test.outcome, y_score=table["y_score"], sensitive_features={"all": ["a"] * len(table)}
        )

    model = TrainableModel(of_data_set(patients), lambda train, rng: None, predict, version="1", folds=2)
    with pytest.raises(
        InvalidPredictions, match=r"row labels differ: row 0 is labelled 0 in test.features and \d+ in predict"
    ):
        model.out_of_fold(0)


def test_a_metric_of_ones_own_is_compared_with_the_predictions(patients):
    found = Predictions(patients["y_true"], patients["y_pred"], sensitive_features=patients[["sex"]])
    ordered = patients["error"].sort_index()

    def length_of_stay(predictions):
        return patients["error"]

    def length_of_stay_by_name(predictions):
        return ordered

    assert audit(found, metric=length_of_stay, max_difference=9.0).groups
    with pytest.raises(
        InvalidPredictions, match="row 2 is labelled 'p2' in predictions and 'p10' in length_of_stay_by_name"
    ):
        audit(found, metric=length_of_stay_by_name, max_difference=9.0)


# --- lazy frames ------------------------------------------------------------------------------------------------------

RELATIONS = duckdb.connect()


def ibis_table():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Ibis on pandas, once it is imported
        return pytest.importorskip("ibis").memtable(pa.table({"sex": ["f", "m"]}))


LAZY = {
    "polars": (lambda: pl.LazyFrame({"sex": ["f", "m"]}), "polars.LazyFrame"),
    "narwhals": (lambda: nw.from_native(pl.LazyFrame({"sex": ["f", "m"]})), "polars.LazyFrame"),
    "duckdb": (lambda: RELATIONS.sql("select unnest(['f', 'm']) as sex"), "duckdb.DuckDBPyRelation"),
    "dask": (lambda: dd.from_pandas(pd.DataFrame({"sex": ["f", "m"]}), npartitions=1), "dask.DataFrame"),
    "dask-series": (lambda: dd.from_pandas(pd.Series(["f", "m"]), npartitions=1), "dask.Series"),
    "ibis": (ibis_table, "ibis.Table"),
    "ibis-column": (lambda: ibis_table()["sex"], "ibis.StringColumn"),
}


@pytest.mark.parametrize("kind", LAZY)
def test_lazy_frames_beside_arrays_are_refused(kind):
    make, shown = LAZY[kind]
    for name in (*COLUMNS[:-1], "sensitive_features"):
        columns = {"y_true": [0, 1], "y_pred": [0, 1], "sensitive_features": ["f", "m"]} | {name: make()}
        with pytest.raises(
            InvalidPredictions, match=rf"^{name}: a {shown} is .*`Predictions\.from_frame\(frame, y_true="
        ):
            Predictions(**columns)
    with pytest.raises(InvalidPredictions, match=rf"^sensitive_features\['sex'\]: a {shown} is"):
        Predictions([0, 1], [0, 1], sensitive_features={"sex": make()})


def test_an_array_of_dask_has_positions():
    found = Predictions(da.array([0, 1]), [0, 1], sensitive_features={"sex": da.array(["f", "m"])})
    assert found.y_true.tolist() == [False, True]
