"""Canonical JSON: one text for a value, and nothing but plain builtins in it."""

from __future__ import annotations

import enum
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairness_checks.errors import RecordError
from fairness_checks.plain import canonical_json

LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(st.text(), inner), max_leaves=8
)


class Word(enum.StrEnum):
    YES = "yes"


@given(VALUES)
def test_plain_values_are_written_and_read_back(value):
    text = canonical_json(value, "a value", RecordError)
    assert text == json.dumps(value, sort_keys=True, separators=(",", ":"))
    assert text.isascii()


@given(st.lists(st.text(min_size=1, max_size=3) | st.none(), max_size=4), st.booleans())
def test_what_is_not_plain_is_refused_with_its_place(path, twice):
    """However deep it lies, and beside whatever plain values."""
    where, value = "a value", np.float64(1.0)
    for name in path:
        value = [0, value] if name is None else {"": None, name: value}
    for name in reversed(path):
        where += "[1]" if name is None else f".{name}"
    with pytest.raises(RecordError) as caught:
        canonical_json([value, value] if twice else value, "a value", RecordError)
    assert str(caught.value).startswith(f"a value[0]{where.removeprefix('a value')}: " if twice else f"{where}: ")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (float("nan"), "nan cannot be written as JSON"),
        (-float("inf"), "-inf cannot be written as JSON"),
        (np.int64(1), "numpy.int64"),
        (np.bool_(True), "numpy.bool"),
        (Word.YES, "Word"),
        ({1}, "builtins.set"),
        ({1: 2}, "mapping key 1 is int, must be str"),
        ("\ud800", "half a character"),
        ({"\udfff": 1}, "mapping key: '\\udfff' holds half a character"),
    ],
    ids=["nan", "infinite", "integer", "bool", "enum", "set", "key", "half", "half key"],
)
def test_what_json_would_turn_into_something_else_is_refused(value, message):
    with pytest.raises(RecordError, match=message.replace("\\", ".")):
        canonical_json({"part": [value]}, "a value", RecordError)
