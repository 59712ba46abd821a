"""Clusters and ids, read in time linear in the samples: the numbers and text that a plain reading gives."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairness_checks.errors import InvalidPredictions
from fairness_checks.inputs.vectors import read_clusters, read_ids

WHOLE = {
    "close": lambda number: number,
    "far": lambda number: number * 10**15,
    "text": lambda number: f"patient {number}",
    "accents": lambda number: f"\u00e9 {number}",
}
KINDS = {
    "list": list,
    "objects": lambda values: np.array(values, dtype=object),
    "array": np.array,
    "pandas": pd.Series,
    "pandas objects": lambda values: pd.Series(values, dtype=object),
    "polars": pl.Series,
}


def in_order_of_appearance(values):
    met = {}
    return [met.setdefault(value, len(met)) for value in values]


@pytest.mark.parametrize("with_pandas", [True, False], ids=["pandas", "without"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("named", WHOLE)
@given(st.lists(st.integers(-40, 40), min_size=1, max_size=30))
@settings(max_examples=10, deadline=None)
def test_clusters_are_numbered_as_they_are_met(with_pandas, kind, named, numbers):
    values = [WHOLE[named](number) for number in numbers]
    column = KINDS[kind](values)
    with pytest.MonkeyPatch.context() as patch:
        if not with_pandas and kind in ("list", "objects", "array"):
            patch.delitem(sys.modules, "pandas")
        found = read_clusters(column)
    assert found.dtype == np.int64
    assert found.tolist() == in_order_of_appearance(values)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("named", WHOLE)
@given(st.lists(st.integers(-40, 40), min_size=1, max_size=30, unique=True))
@settings(max_examples=10, deadline=None)
def test_ids_are_text_and_one_twice_is_named(kind, named, numbers):
    values = [WHOLE[named](number) for number in numbers]
    found = read_ids(KINDS[kind](values))
    assert found.dtype == np.array([str(value) for value in values]).dtype
    assert found.tolist() == [str(value) for value in values]
    with pytest.raises(InvalidPredictions, match=f"rows {len(values) - 1} and {len(values)} have the same"):
        read_ids(KINDS[kind]([*values, values[-1]]))


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.uint64, np.int64])
def test_the_ends_of_a_dtype_are_clusters_and_ids(dtype):
    ends = np.array([np.iinfo(dtype).max, np.iinfo(dtype).min, 1], dtype=dtype)
    assert read_clusters(ends).tolist() == [0, 1, 2]
    assert read_ids(ends).tolist() == [str(end) for end in ends.tolist()]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("odd", "message"),
    [
        ("  ", "cluster: 1 of 3 values is blank: row 1"),
        ("nan", "cluster: 1 of 3 values is the text 'nan', which means a missing value"),
        ("a ", "cluster: the ids of rows 0 and 1 differ only in the blanks around them"),
        ("a\u200b", "cluster: the ids of rows 0 and 1 differ only in"),
    ],
    ids=["blank", "missing", "edge", "unseen"],
)
def test_names_that_are_none_are_refused_in_every_kind(kind, odd, message):
    with pytest.raises(InvalidPredictions, match=message):
        read_clusters(KINDS[kind](["a", odd, "b"]))
    with pytest.raises(InvalidPredictions, match=message.replace("cluster", "sample_id")):
        read_ids(KINDS[kind](["a", odd, "b"]))


@pytest.mark.parametrize("kind", ["objects", "pandas", "pandas objects", "polars"])
def test_nul_is_refused_and_not_cut_off(kind):
    for read in (read_clusters, read_ids):
        with pytest.raises(InvalidPredictions, match="1 of 3 values is text with a NUL character"):
            read(KINDS[kind](["a", "a\0", "b"]))


def test_bytes_are_told_apart_by_what_they_are():
    assert read_clusters(np.array([b"b", b"\xff", b"b"])).tolist() == [0, 1, 0]
