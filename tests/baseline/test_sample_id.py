"""Predictions(sample_id=): which ids are taken, and what is said of those that are not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest

from fairness_checks import InvalidPredictions, Predictions


def predictions(ids):
    return Predictions([0, 1, 1], [0, 1, 0], sample_id=ids, sensitive_features={"sex": ["f", "m", "f"]})


@pytest.mark.parametrize(
    ("ids", "text"),
    [
        ([3, 1, 2], ["3", "1", "2"]),
        (["a", "b ", "ü"], ["a", "b ", "ü"]),
        (np.array([3, 1, 2], dtype=np.uint8), ["3", "1", "2"]),
        (np.array([2**63, 2**63 + 1, 2**63 + 2], dtype=np.uint64), [str(2**63 + k) for k in range(3)]),
        ([2**70, 2**70 + 1, 5], [str(2**70), str(2**70 + 1), "5"]),
        (np.array([2**62, 2**62 + 1, 2**62 + 2], dtype=object), [str(2**62 + k) for k in range(3)]),
        (np.array([b"a", b"b", b"c"]), ["a", "b", "c"]),
        (pd.Series([3, 1, 2], index=[7, 8, 9]), ["3", "1", "2"]),
        (pd.Series([3, 1, 2], dtype="Int64"), ["3", "1", "2"]),
        (pd.Series(["x", "y", "z"], dtype="category"), ["x", "y", "z"]),
        (pl.Series(["x", "y", "z"]), ["x", "y", "z"]),
    ],
    ids=range(11),
)
def test_whole_numbers_and_text_become_text(ids, text):
    assert predictions(ids).sample_id.tolist() == text


def test_none_is_the_default_and_the_array_is_frozen():
    assert Predictions([0, 1], [0, 1], sensitive_features=["f", "m"]).sample_id is None
    with pytest.raises(ValueError, match="read-only"):
        predictions([1, 2, 3]).sample_id[0] = "9"


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([7, 8, 7], "sample_id: rows 0 and 2 have the same"),
        (["a", "a", "b"], "sample_id: rows 0 and 1 have the same"),
        (np.array([7, "7", 8], dtype=object), "sample_id: rows 0 and 1 have the same"),
        ([1.0, 2.0, 3.0], "sample_id: dtype float64; whole numbers or text"),
        ([1, None, 3], r"sample_id: 1 of 3 values is missing \(None or NaN\): row 1"),
        (["a", None, "b"], "sample_id: 1 of 3 values is missing"),
        (pd.Series([1, None, 3], dtype="Int64"), "sample_id: 1 of 3 values is missing"),
        (["a", " ", ""], "sample_id: 2 of 3 values are blank: rows 1, 2"),
        ([True, False, True], "sample_id: dtype bool"),
        ([[1, 1], [2, 2], [3, 3]], r"sample_id: shape \(3, 2\)"),
        ([1, 2], "lengths differ: y_true 3, y_pred 3, sample_id 2, "),
    ],
)
def test_other_ids_are_refused(ids, message):
    with pytest.raises(InvalidPredictions, match=message):
        predictions(ids)
