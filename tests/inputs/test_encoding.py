"""Every way of coding gives what a sort of all rows gives, wherever a chunk of rows ends."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairness_checks.errors import InvalidPredictions
from fairness_checks.inputs import encoding, sensitive
from fairness_checks.inputs.predictions import Predictions
from fairness_checks.inputs.sensitive import encode_features
from fairness_checks.kinds.group_statistics import GroupStatistics
from fairness_checks.measure import counting
from fairness_checks.question.checks import Missing

ROWS = 23
TEXT = ["m", "female", "", "non-binary person", "frau", "féminin", "女性", "m" * 40, "x\ue000", "a\xa0b"]

INTEGERS = [f"{kind}{size}" for kind in "iu" for size in (1, 2, 4, 8)]


def ends(dtype):
    """Numbers from all over the range of a dtype."""
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    return np.array([low, low + 1, high // 2, high - 1, high], dtype=dtype)


DISTINCT = {
    **{f"{dtype}-near": np.arange(7, dtype=dtype) for dtype in INTEGERS},
    **{f"{dtype}-gaps": np.array([3, 90, 5, 41], dtype=dtype) for dtype in INTEGERS},
    **{f"{dtype}-ends": ends(dtype) for dtype in INTEGERS},
    **{f"{dtype}-top": np.iinfo(dtype).max - np.arange(3, dtype=dtype) for dtype in INTEGERS},
    **{f"{dtype}-bottom": np.iinfo(dtype).min + np.arange(3, dtype=dtype) for dtype in INTEGERS},
    "i8-swapped": np.array([5, 1, 70_000_000_000], dtype=">i8"),
    "i8-swapped-near": np.array([5, 1, 3], dtype=">i8"),
    "bool": np.array([True, False]),
    "bool-one": np.array([True]),
    "f2": np.array([0.5, 2, np.nan, -0.0, 0.0], dtype="f2"),
    "f4": np.array([0.5, 2, np.nan, -0.0, 0.0, np.inf], dtype="f4"),
    "f8": np.array([0.1, 2, np.nan, -0.0, 0.0, -np.inf, 2.0**60]),
    "f8-swapped": np.array([0.1, 2, np.nan], dtype=">f8"),
    "longdouble": np.array([0.1, 2, np.nan], dtype=np.longdouble),
    "complex": np.array([1j, 2, np.nan]),
    "dates": np.array(["2020-01-01", "NaT", "1960-05-05"], dtype="datetime64[D]"),
    "durations": np.array([5, 7], dtype="timedelta64[s]"),
    "text": np.array(TEXT),
    "text-short": np.array(["f", "m"]),
    "text-one-word": np.array(["female", "male", " "]),
    "text-two-words": np.array(["abcdefgh1", "abcdefgh2", "1bcdefgh2"]),
    "text-not-latin": np.array(["女", "男", "f"]),
    "text-swapped": np.array(["female", "male"]).astype(">U6"),
    "bytes": np.array([b"f", b"male", b"", b"\xff", b"a longer text"]),
    "objects-text": np.array(["f", "m", None, np.nan, " "], dtype=object),
    "objects-integers": np.array([1, 2**70, None, -3], dtype=object),
    "objects-floats": np.array([1.0, 0.5, float("nan"), pd.NA], dtype=object),
    "objects-mixed": np.array([1, False, 1.0, "one", None, b"two"], dtype=object),
    "objects-dates": pd.array(pd.to_datetime(["2020-01-01", None])).astype(object),
}


TEXT_SERIES = {
    "pandas": lambda values: pd.Series(values, dtype="str"),
    "pandas-object": lambda values: pd.Series(values, dtype=object),
    "pandas-string": lambda values: pd.Series(values, dtype="string"),
    "pandas-arrow": lambda values: pd.Series(values, dtype=pd.ArrowDtype(pa.string())),
    "polars": pl.Series,
    "polars-categorical": lambda values: pl.Series(values, dtype=pl.Categorical),
    "polars-enum": lambda values: pl.Series(values, dtype=pl.Enum(["m", "f", " ", "", "ü"])),
    "pyarrow": lambda values: pa.chunked_array([values[:5], values[5:]]),
    "pyarrow-dictionary": lambda values: pa.chunked_array([pa.array(values).dictionary_encode()]),
}


def drawn(values, rows=ROWS, seed=0):
    """Every value at least once, the first of them last."""
    places = np.random.default_rng(seed).integers(0, len(values), rows)
    return values[np.append(places, np.arange(len(values))[::-1])]


def only(values):
    ((_, feature),) = encode_features(values).items()
    return feature.groups, feature.codes.tolist()


def slowly(values, monkeypatch):
    """Code by a sort of all rows."""
    with monkeypatch.context() as patch:
        patch.setattr(sensitive, "code_array", lambda values: None)
        return only(values)


@pytest.fixture(params=[1, 5, 8, 1_000])
def chunk(request, monkeypatch):
    monkeypatch.setattr(encoding, "CHUNK_ROWS", request.param)
    monkeypatch.setattr(encoding, "_FIRST_ROWS", 2)
    monkeypatch.setattr(counting, "CHUNK_ROWS", request.param)
    return request.param


@pytest.mark.parametrize("name", DISTINCT)
@pytest.mark.usefixtures("chunk")
def test_any_dtype_is_coded_as_by_a_sort(name, monkeypatch):
    values = drawn(DISTINCT[name])
    expected = slowly(values, monkeypatch)
    assert only(values) == expected
    assert only(np.repeat(values, 2)[::2]) == expected


@pytest.mark.parametrize("name", ["i8-near", "i8-ends", "u8-top", "f8", "bool", "text", "text-one-word", "bytes"])
def test_most_dtypes_need_no_sort(name, monkeypatch):
    monkeypatch.setattr(sensitive, "_sort_values", lambda values: pytest.fail("sorted"))
    only(drawn(DISTINCT[name]))


@pytest.mark.parametrize("name", TEXT_SERIES)
def test_text_of_any_library_is_coded_as_by_a_sort(name, monkeypatch):
    values = ["f", "m", None, " ", "ü", "", "f", None, "m", "f"]
    groups, codes = slowly(np.array(values, dtype=object), monkeypatch)
    assert only(TEXT_SERIES[name](values)) == (groups, codes)
    assert groups == ("f", "m", "ü")


@pytest.mark.parametrize("seed", range(3))
def test_a_chunk_of_the_real_size_may_end_anywhere(seed, monkeypatch):
    rows = encoding.CHUNK_ROWS + seed - 1
    for name in ("i8-gaps", "i8-ends", "text-two-words"):
        values = np.concatenate([np.repeat(DISTINCT[name][:2], rows // 2), DISTINCT[name]])
        assert only(values) == slowly(values, monkeypatch)


def test_codes_take_no_more_bytes_than_the_groups_need():
    sizes = {127: np.int8, 128: np.int16, 1_000: np.int16}
    for groups, dtype in sizes.items():
        (feature,) = encode_features(np.arange(groups)).values()
        assert feature.codes.dtype == dtype
        assert feature.codes.tolist() == list(range(groups))


@pytest.mark.parametrize("count", [1_001, 5_000])
@pytest.mark.parametrize(
    "made",
    [lambda ids: ids, lambda ids: ids * 10**12, lambda ids: ids / 7, lambda ids: ids.astype(str), list],
    ids=["near", "far", "float", "text", "list"],
)
def test_too_many_groups_are_counted(made, count):
    with pytest.raises(InvalidPredictions, match=re.escape(f"{count} different values; at most 1000 groups")):
        encode_features({"id": made(np.arange(count))})


def test_the_categorical_of_the_caller_stays_writeable():
    codes = pd.Categorical(["f", "m"])
    encode_features(codes)
    codes[0] = "m"
    assert list(codes) == ["m", "m"]


@pytest.mark.usefixtures("chunk")
@pytest.mark.parametrize("sizes", [(2,), (64,), (65,), (3, 5), (8, 9), (1, 1), (127,), (128, 2)], ids=str)
@given(seed=st.integers(0, 2**32 - 1), rows=st.integers(1, 40))
@settings(max_examples=15, deadline=None)
def test_cells_are_counted_as_by_a_loop(sizes, seed, rows):
    rng = np.random.default_rng(seed)
    y_true, y_pred = rng.random((2, rows)) < 0.5
    codes = [rng.integers(-1, size, rows).astype(encoding.small_integer(size)) for size in sizes]
    counts = counting.count_cells(y_true, y_pred, codes, sizes)
    expected = np.zeros((*sizes, 2, 2), dtype=int)
    for row in range(rows):
        place = tuple(int(code[row]) % size for code, size in zip(codes, sizes, strict=True))
        expected[(*place, int(y_true[row]), int(y_pred[row]))] += 1
    assert counts.tolist() == expected.reshape(-1, 4).tolist()
    assert counts.dtype == np.int64


@pytest.mark.usefixtures("chunk")
def test_missing_values_are_the_last_group_in_every_chunk():
    sex = ["f", None, "m", None, "f", None, "m"]
    predictions = Predictions([1] * 7, [1, 0] * 3 + [1], sensitive_features={"sex": sex})
    statistics = GroupStatistics.from_predictions(predictions, ["sex"], missing=Missing("group"))
    assert dict(zip(statistics.groups, statistics.counts.tolist(), strict=True)) == {
        ("(missing)",): [0, 0, 3, 0],
        ("f",): [0, 0, 0, 2],
        ("m",): [0, 0, 0, 2],
    }


@pytest.mark.usefixtures("chunk")
@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.array([0, 1, 0, 0, 1, 0, 0, 1, -1]), "1 of 9 values are neither 0 nor 1 (-1): row 8"),
        (np.array([0, 1, 0, 0, 1, 0, 2, 1, 2], dtype=np.uint8), "2 of 9 values are neither 0 nor 1 (2): rows 6, 8"),
        (np.array([0, 1, 0, 0.5, 1, 0, np.nan, 1, 0]), "1 of 9 values is NaN: row 6"),
    ],
    ids=["negative", "uint8", "nan-first"],
)
def test_bad_labels_are_found_in_any_chunk(labels, message):
    with pytest.raises(InvalidPredictions, match=re.escape(message)):
        Predictions(labels, labels, sensitive_features=labels)


@pytest.mark.parametrize("count", [2, 24, 200, 900])
@pytest.mark.parametrize("kind", ["integers", "text"])
def test_many_far_apart_values_are_coded_as_by_a_sort(count, kind, monkeypatch):
    far = np.random.default_rng(count).integers(-(2**63), 2**63 - 1, count)
    values = drawn(far if kind == "integers" else far.astype(str), rows=6_000)
    assert only(values) == slowly(values, monkeypatch)
