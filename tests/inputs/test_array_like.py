"""Plain lists, which NumPy would read as text of NaN or as floats of long ids, and arrays in another byte order."""

from __future__ import annotations

from collections import deque

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from fairness_checks.errors import InvalidPredictions
from fairness_checks.inputs.array_like import as_array
from fairness_checks.inputs.predictions import Predictions
from fairness_checks.inputs.sensitive import encode_features

NAN = float("nan")
LONG = 2**63
"""Beside a smaller whole number NumPy makes a float of it, and of its neighbour the same one."""


def groups_of(values):
    feature = encode_features({"sex": values})["sex"]
    return [feature.groups[code] if code >= 0 else None for code in feature.codes]


def predictions(**given):
    return Predictions(**({"y_true": [0, 1, 1], "y_pred": [0, 1, 0], "sensitive_features": ["f", "m", "f"]} | given))


@pytest.mark.parametrize("missing", [NAN, None, np.float32("nan"), np.datetime64("NaT")], ids=repr)
@pytest.mark.parametrize("made", [list, tuple, deque])
def test_a_missing_value_in_a_list_of_text_is_missing(made, missing):
    assert groups_of(made(["f", missing, "m"])) == ["f", None, "m"]
    assert groups_of(made([b"f", missing, b"m"])) == ["f", None, "m"]
    for name in ("cluster", "sample_id", "y_true"):
        with pytest.raises(InvalidPredictions, match=rf"{name}: 1 of 3 values is missing \(None or NaN\): row 1"):
            predictions(**{name: made(["p0", missing, "p1"])})


def test_a_missing_value_in_an_array_of_variable_text_is_missing():
    text = np.array(["p0", NAN, "p1"], dtype=np.dtypes.StringDType(na_object=NAN))
    assert groups_of(text) == ["p0", None, "p1"]
    for name in ("cluster", "sample_id"):
        with pytest.raises(InvalidPredictions, match=f"{name}: 1 of 3 values is missing"):
            predictions(**{name: text})


@pytest.mark.parametrize("values", [[1, "1", "b"], [True, "True", "b"], [b"f", "f", "m"], [1.0, "1", "b"]], ids=repr)
def test_different_values_of_one_name_are_refused_in_a_list_too(values):
    with pytest.raises(InvalidPredictions, match=r"sensitive_features\['sex'\]: the values .* would both be called"):
        groups_of(values)
    for ids in (values, np.array(values, dtype=object)):
        with pytest.raises(InvalidPredictions, match=r"cluster: the values .* would both be called"):
            predictions(cluster=ids)


def test_text_beside_numbers_keeps_its_name():
    assert groups_of([1, "b", 2.0]) == ["1", "b", "2"]
    assert groups_of(["f", np.str_("m"), "f"]) == ["f", "m", "f"]
    assert predictions(cluster=[1, "b", 1]).cluster.tolist() == [0, 1, 0]
    assert predictions(sample_id=["a", b"b", 3]).sample_id.tolist() == ["a", "b", "3"]
    strange = np.array(["a", b"\xff", 3], dtype=object)
    assert predictions(sample_id=strange).sample_id.tolist() == ["a", r"\xff", "3"]


def test_long_whole_numbers_in_a_list_are_told_apart():
    ids = [LONG, LONG + 1, 2]
    assert np.asarray(ids).dtype == np.float64  # or there would be nothing to guard against
    assert groups_of(ids) == [str(value) for value in ids]
    assert sorted(predictions(cluster=ids).cluster.tolist()) == [0, 1, 2]
    assert predictions(sample_id=ids).sample_id.tolist() == [str(value) for value in ids]
    assert groups_of([2**53, 2**53 + 1, NAN]) == [str(2**53), str(2**53 + 1), None]


def test_lists_of_numbers_stay_arrays_of_numbers():
    for values in ([0.5, 2, np.inf], [1, NAN], [1e300, 2.0], [True, 0.5], [], [2**60, 1]):
        assert as_array("error", values).dtype.kind in "if"
    assert Predictions(error=[1e300, 2**60, 1], sensitive_features=["f", "m", "f"]).error.tolist() == [1e300, 2**60, 1]


@pytest.mark.parametrize("dtype", [">i2", ">i4", ">i8", ">u2", ">u8", ">f4", ">f8", "<i4", "<f8"])
def test_labels_in_either_byte_order(dtype):
    assert predictions(y_true=np.array([0, 1, 1], dtype=dtype)).y_true.tolist() == [False, True, True]
    with pytest.raises(InvalidPredictions, match=r"1 of 3 values are neither 0 nor 1 \(2\): row 1"):
        predictions(y_true=np.array([0, 2, 1], dtype=dtype))


@pytest.mark.parametrize("dtype", [">f4", ">f8"])
def test_scores_errors_and_ids_in_either_byte_order(dtype):
    some = predictions(y_score=np.array([0.5, 0.25, 1.0], dtype=dtype), error=np.array([-1.0, 2.0, 3.0], dtype=dtype))
    assert (some.y_score.tolist(), some.error.tolist()) == ([0.5, 0.25, 1.0], [-1.0, 2.0, 3.0])
    ids = np.array([7, 8, 9], dtype=">i8")
    assert predictions(cluster=ids).cluster.tolist() == [0, 1, 2]
    assert predictions(sample_id=ids).sample_id.tolist() == ["7", "8", "9"]


def remedy(labels):
    with pytest.raises(InvalidPredictions) as caught:
        predictions(y_true=labels, y_pred=labels)
    return str(caught.value)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["0", "1", "1"], [False, True, True]),
        (np.array(["no", "yes", "no"], dtype=object), [False, True, False]),
        (np.array([b"no", b"yes", b"no"]), [False, True, False]),
        (["it's", "yes", "it's"], [False, True, False]),
    ],
)
def test_the_remedy_for_labels_in_words_gives_labels(labels, expected):
    message = remedy(labels)
    for argument, meant in zip(message.split("one: ")[1].split(" or "), (False, True), strict=True):
        positive = eval(argument.removeprefix("positive="))
        made = predictions(y_true=labels, y_pred=labels, positive=positive)
        assert made.y_true.tolist() == [label == meant for label in expected]
        assert made.positive == (positive.decode() if isinstance(positive, bytes) else positive)


COLUMNS = {
    "array": lambda values: np.array(values)[:, None],
    "objects": lambda values: np.array(values, dtype=object)[:, None],
    "nested-list": lambda values: [[value] for value in values],
    "masked": lambda values: np.ma.array(values)[:, None],
    "pandas": lambda values: pd.DataFrame({"a": values}),
    "polars": lambda values: pl.DataFrame({"a": values}),
    "pyarrow": lambda values: pa.table({"a": values}),
}
ARGUMENTS = {
    "y_true": [0, 1, 1],
    "y_pred": [1, 0, 1],
    "y_score": [0.25, 0.5, 0.75],
    "error": [0.5, -1.0, 2.0],
    "uncertainty": [0.5, 1.0, 2.0],
    "cluster": ["a", "b", "a"],
    "sample_id": ["p0", "p1", "p2"],
    "sensitive_features": ["f", "m", "f"],
}


def plain(made, name):
    if name != "sensitive_features":
        return getattr(made, name).tolist()
    ((_, feature),) = made.sensitive_features.items()
    return [feature.groups[code] for code in feature.codes]


@pytest.mark.parametrize("kind", COLUMNS)
@pytest.mark.parametrize("name", ARGUMENTS)
def test_a_column_is_its_values(name, kind):
    made = predictions(**{name: COLUMNS[kind](ARGUMENTS[name])})
    assert plain(made, name) == plain(predictions(**{name: ARGUMENTS[name]}), name)


def test_a_column_in_a_mapping_of_features_is_its_values():
    for kind in COLUMNS.values():
        assert groups_of(kind(["f", "m"])) == ["f", "m"]


@pytest.mark.parametrize("library", [pd, pl], ids=["pandas", "polars"])
@pytest.mark.parametrize("name", [name for name in ARGUMENTS if name != "sensitive_features"])
def test_a_frame_of_several_columns_is_refused(name, library):
    frame = library.DataFrame({"a": ARGUMENTS[name], "b": ARGUMENTS[name]})
    with pytest.raises(InvalidPredictions, match=rf"^{name}: a frame of 2 columns \('a', 'b'\); give one of them"):
        predictions(**{name: frame})


def filled(cells):
    array = np.empty(len(cells), dtype=object)
    array[:] = cells
    return array


CELLS = {
    "list": lambda value: filled([value, [value], value]),
    "tuple": lambda value: filled([value, (value,), value]),
    "array": lambda value: filled([value, np.array([value, value]), value]),
    "array-of-none": lambda value: filled([value, np.array([]), value]),
    "dict": lambda value: filled([value, {"a": value}, value]),
    "set": lambda value: filled([value, {value}, value]),
    "list-in-list": lambda value: [value, [value, value], value],
    "pandas": lambda value: pd.Series([value, [value], value], dtype=object),
    "tensor": lambda value: filled([value, pytest.importorskip("torch").zeros(2), value]),
}
ROWS_OF_LISTS = {
    "polars-list": lambda value: pl.Series([[value], [value, value], [value]]),
    "polars-struct": lambda value: pl.Series([{"a": value}] * 3),
    "pyarrow-list": lambda value: pa.array([[value], [value, value], [value]]),
}


@pytest.mark.parametrize("kind", CELLS | ROWS_OF_LISTS)
@pytest.mark.parametrize("name", ARGUMENTS)
def test_cells_that_hold_several_values_are_refused_with_their_row(name, kind):
    row = 1 if kind in CELLS else 0
    with pytest.raises(InvalidPredictions, match=rf"^{name}.*: row {row} holds a \w+; one value a sample is needed$"):
        predictions(**{name: (CELLS | ROWS_OF_LISTS)[kind](ARGUMENTS[name][1])})
    if name in ("y_true", "y_pred"):
        with pytest.raises(InvalidPredictions, match=f"row {row} holds a"):
            predictions(**{name: (CELLS | ROWS_OF_LISTS)[kind](1), "positive": 1})


class Lost:
    """An array whose device is gone."""

    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("INTERNAL: device is lost")


@pytest.mark.parametrize("name", ARGUMENTS)
def test_an_array_that_cannot_be_read_is_one_clear_error(name):
    with pytest.raises(
        InvalidPredictions, match=rf"^{name}.*: Lost cannot be .* device is lost\); give a NumPy"
    ) as caught:
        predictions(**{name: Lost()})
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("name", [name for name, values in ARGUMENTS.items() if not isinstance(values[0], str)])
def test_tensors_are_taken_with_or_without_a_gradient(name):
    torch = pytest.importorskip("torch")
    values = torch.tensor(ARGUMENTS[name])
    for tensor in (values, values[:, None], values.float().requires_grad_()):
        assert plain(predictions(**{name: tensor}), name) == plain(predictions(**{name: ARGUMENTS[name]}), name)
    with pytest.raises(InvalidPredictions, match=rf"^{name}: dtype torch.bfloat16, .*; write {name}.float\(\)"):
        predictions(**{name: values.to(torch.bfloat16)})
