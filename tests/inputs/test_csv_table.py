"""CSV read strictly, and its columns by role: the values of pandas and polars, and one clear error for all else."""

from __future__ import annotations

import csv
import io
import math

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairness_checks.errors import InvalidPredictions
from fairness_checks.inputs.csv_table import read_csv
from fairness_checks.inputs.group_names import means_missing
from fairness_checks.inputs.text_columns import TextColumn, as_number

NAMES = ["a", "b", "c"]


def column(cells, name="a"):
    return TextColumn("t.csv", name, cells, list(range(2, len(cells) + 2)))


def read(text, *wanted):
    content = text if isinstance(text, bytes) else text.encode()
    table = read_csv(content, "t.csv", wanted or NAMES)
    return {name: column.cells for name, column in columns(table).items()}, list(table.lines)


def columns(table):
    return {name: TextColumn("t.csv", name, cells, table.lines) for name, cells in table.columns.items()}


@pytest.mark.parametrize(
    ("text", "cells", "lines"),
    [
        ("a,b\n1,x\n2,y\n", {"a": ["1", "2"], "b": ["x", "y"]}, [2, 3]),
        ("\ufeffa,b\r\n1,x\r\n", {"a": ["1"], "b": ["x"]}, [2]),
        ("a,b\n1,x", {"a": ["1"], "b": ["x"]}, [2]),
        ('a,b\n1,"x, or ""y""\nand z"\n2,w\n', {"a": ["1", "2"], "b": ['x, or "y"\nand z', "w"]}, [2, 4]),
        ("a,b\n\n1,\n\n,y\n\n", {"a": ["1", ""], "b": ["", "y"]}, [3, 5]),
        ("a,b\n  \n1,x\n   \n\t\n", {"a": ["1"], "b": ["x"]}, [3]),
        (f"a,b\n1,{'x' * 200_000}\n", {"a": ["1"], "b": ["x" * 200_000]}, [2]),
        ("a\n1\n \n", {"a": ["1", " "]}, [2, 3]),
        (",a,\n0,1,2\n", {"a": ["1"]}, [2]),
        ("a,b\n", {"a": [], "b": []}, []),
        ("a,b\n1,Größe 男\n", {"a": ["1"], "b": ["Größe 男"]}, [2]),
    ],
    ids=[
        "plain",
        "bom-crlf",
        "no-last-newline",
        "quotes",
        "blank-lines",
        "blanks",
        "long",
        "one-column",
        "unnamed",
        "header-only",
        "unicode",
    ],
)
def test_what_stands_in_a_file(text, cells, lines):
    assert read(text) == (cells, lines)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "t.csv: the file is empty; its first line must name the columns"),
        (b"\n\n", "t.csv: the file is empty; its first line must name the columns"),
        (b"a,b,a\n1,2,3\n", "t.csv:1: column 'a' is there twice; rename one of them"),
        (b"a,b\n1,2\na,b\n3,4\n", "t.csv:3: the header stands here again; were two files joined? remove this line"),
        (b"a,b\n1,2,3\n", "t.csv:2: 3 fields, where the header has 2; quote a field that holds a comma"),
        (b"a,b\n1,2\n3\n", "t.csv:3: 1 field, where the header has 2; write an empty field for a missing value"),
        (b"a;b\n1;0,5\n", "t.csv:1: the file is separated by semicolons; write it with commas, and "
         "numbers with a decimal point: pandas.read_csv('t.csv', sep=';', decimal=',').to_csv('t.csv', index=False)"),
        (b"a\tb\n1\t2\n", "t.csv:1: the file is separated by tabs; write it with commas, and "
         "numbers with a decimal point: pandas.read_csv('t.csv', sep='\\t').to_csv('t.csv', index=False)"),
        (b"sep=;\na;b\n1;2\n", "t.csv:1: the file is separated by semicolons; write it with commas, and "
         "numbers with a decimal point: pandas.read_csv('t.csv', sep=';', decimal=',').to_csv('t.csv', index=False)"),
        (b"a,b\n1,M\xfcller\n", "t.csv:2: byte 0xFC is not UTF-8; save the file as UTF-8 (in a spreadsheet: "
         "CSV UTF-8)"),
        ("a,b\n".encode("utf-16"), "t.csv: this is UTF-16; save it as CSV in UTF-8"),
        (b"PK\x03\x04rest", "t.csv: this is a spreadsheet or an archive; save it as CSV in UTF-8"),
        (b"a,b\n1,x\0y\n", "t.csv:2: a NUL character, which no CSV holds, as in UTF-16; save it as CSV in UTF-8"),
        (b'a,b\n1,2\n3,"x\n4,5\n', "t.csv:3: not CSV: unexpected end of data; a quotation mark that is opened must be "
         "closed, and one within a field is written twice"),
        (b'a,b\n1,"x"y\n', "t.csv:2: not CSV: ',' expected after '\"'; a quotation mark that is opened must be closed, "
         "and one within a field is written twice"),
    ],
    ids=["empty", "blank", "twice", "joined", "wide", "narrow", "semicolons", "tabs", "sep", "latin1", "utf16",
         "xlsx", "nul", "open", "inner"],
)  # fmt: skip
def test_what_is_no_table_is_one_error_with_its_line(content, message):
    with pytest.raises(InvalidPredictions) as caught:
        read_csv(content, "t.csv", NAMES)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0), (" 1 ", 1), ("-2.50", -2.5), ("+3", 3), (".5", 0.5), ("1.", 1.0), ("1e-3", 0.001), ("1E5", 1e5),
     (str(2**63), float(2**63)), ("9" * 400, None), ("0,5", None), ("1,000", None), ("nan", None), ("inf", None),
     ("NA", None), ("1_000", None), ("٣", None), ("0x10", None), ("1e999", None), ("", None), ("50%", None)],
)  # fmt: skip
def test_numbers_are_plain_ones(text, number):
    assert as_number(text) == number


@pytest.mark.parametrize(
    ("role", "cells", "message"),
    [
        ("numbers", ["0.5", "0,5", "1"], "1 of 3 values is no number: line 3 ('0,5'); write a decimal point, and "
         "nothing between thousands"),
        ("numbers", ["0.5", "nan", "NA"], "2 of 3 values are no number: lines 3 ('nan'), 4 ('NA'); these are missing "
         "values: fill them in, or leave their rows out of the file"),
        ("numbers", ["high", "0.1"], "1 of 2 values is no number: line 2 ('high'); write numbers such as 0.25"),
        ("numbers", ["0.5", "", " ", "", ""], "4 of 5 values are empty: lines 3, 4, 5, ...; these are missing values: "
         "fill them in, or leave their rows out of the file"),
        ("labels", ["0", "", "1"], "1 of 3 values is empty: line 3; these are missing values: fill them in, or leave "
         "their rows out of the file"),
        ("labels", ["0", "1", "yes"], "1 of 3 values is text beside numbers such as 0: line 4 ('yes'); write the same "
         "two classes in every row"),
        ("labels", ["0", "1", "NA"], "1 of 3 values is text beside numbers such as 0: line 4 ('NA'); these are missing "
         "values: fill them in, or leave their rows out of the file"),
        ("labels", [str(2**70), str(2**70 + 1)], "1 of 2 values is text beside numbers such as 1180591620717411303424: "
         "line 3 ('1180591620717411303425'); write the same two classes in every row"),
        ("labels", ["0", "0.99999999999999999999"], "1 of 2 values is text beside numbers such as 0: line 3 "
         "('0.99999999999999999999'); write the same two classes in every row"),
        ("labels", ["1", "1e-99999999999999999999"], "1 of 2 values is text beside numbers such as 1: line 3 "
         "('1e-99999999999999999999'); write the same two classes in every row"),
        ("ids", ["p1", ""], "1 of 2 values is empty: line 3; these are missing values: fill them in, or leave their "
         "rows out of the file"),
    ],
    ids=["comma", "nan", "word", "empty", "label-empty", "label-mixed", "label-na",
         "label-long", "label-rounded", "label-exponent", "id-empty"],
)  # fmt: skip
def test_what_a_role_does_not_take_is_named_with_its_lines(role, cells, message):
    with pytest.raises(InvalidPredictions) as caught:
        getattr(column(cells), role)()
    assert str(caught.value) == f"t.csv: column 'a': {message}"


def test_labels_are_numbers_truth_values_or_text():
    assert column(["0", "1", "1.0"]).labels().tolist() == [0, 1, 1]
    assert column(["True", "false", "TRUE"]).labels().tolist() == [True, False, True]
    assert column(["yes", "no"]).labels().tolist() == ["yes", "no"]


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["1", "2", ""], [1, 2, None]),
        (["1.0", "2.0"], [1.0, 2.0]),
        (["0", "1", "NA"], [0, 1, "NA"]),  # whether NA is a group, the settings of the check say
        (["01", "2"], ["01", "2"]),  # a code is no number
        (["1", "2", "other"], ["1", "2", "other"]),
        (["f", " ", "m"], ["f", None, "m"]),
        (["True", "False"], ["True", "False"]),
        ([str(10**20), str(10**20 + 1)], [str(10**20), str(10**20 + 1)]),  # one float would stand for both
        (["9007199254740993.0", "1.0"], ["9007199254740993.0", "1.0"]),
        (["9007199254740993", "1"], [9007199254740993, 1]),
    ],
)
def test_groups_are_named_by_their_values(cells, values):
    found = column(cells).groups().tolist()
    assert found == values
    assert [type(value) for value in found] == [type(value) for value in values]


@pytest.mark.parametrize(
    ("cells", "first", "second"),
    [
        (["1", "1.0", "x"], "'1' (line 2)", "'1.0' (line 3)"),
        (["x", "2.50", "1", "2.5"], "'2.50' (line 3)", "'2.5' (line 5)"),
        (["10", "1e1", "x"], "'10' (line 2)", "'1e1' (line 3)"),
        (["007", "7.0", "7"], "'7.0' (line 3)", "'7' (line 4)"),
    ],
)
def test_one_number_in_two_spellings_beside_text_is_no_two_groups(cells, first, second):
    with pytest.raises(InvalidPredictions) as caught:
        column(cells).groups()
    assert str(caught.value) == (
        f"t.csv: column 'a': {first} and {second} are one number, and beside text would be two groups; write it in "
        "one way"
    )


@pytest.mark.parametrize("cells", [["1", " 1", "x"], ["01", "1", "x"], ["1", "1.5", "x"]])
def test_other_codes_beside_text_are_groups(cells):
    assert len(column(cells).groups()) == 3


def test_the_longest_field_of_other_readers_stays_as_it_was():
    before = csv.field_size_limit()
    with pytest.raises(InvalidPredictions):
        read("a,b\n1\n")
    assert csv.field_size_limit() == before


FIELD = st.text(
    st.characters(blacklist_categories=("Cs", "Cc", "Cf", "Zl", "Zp")) | st.sampled_from('",\n'), max_size=8
)
WORD = FIELD.filter(lambda text: text.strip() and as_number(text) is None and not means_missing(text))
FLOAT = st.floats(allow_nan=False, allow_infinity=False)
INTEGER = st.integers(-(2**53), 2**53)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(INTEGER, FLOAT, WORD | st.just("")), min_size=1, max_size=12))
def test_values_are_those_of_pandas_and_polars(rows):
    # A text column of words beside numbers, with every field quoted where it must be.
    frame = pd.DataFrame(rows, columns=NAMES)
    text = frame.to_csv(index=False)
    table = columns(read_csv(text.encode(), "t.csv", NAMES))
    theirs = pd.read_csv(io.StringIO(text), keep_default_na=False, dtype={"c": str}, engine="python")
    others = pl.read_csv(text.encode(), schema_overrides={"a": pl.Int64, "b": pl.Float64, "c": pl.String})  # fmt: skip
    assert table["a"].numbers().tolist() == [float(value) for value in theirs["a"]] == list(map(float, others["a"]))
    np.testing.assert_allclose(table["b"].numbers(), theirs["b"].to_numpy(dtype=float), rtol=4e-16)  # pandas 2 rounds
    np.testing.assert_array_equal(table["b"].numbers(), others["b"].to_numpy())
    named = [value or None for value in table["c"].cells]
    assert [value or "" for value in named] == theirs["c"].tolist() == others["c"].fill_null("").to_list()
    assert [None if value is None else str(value) for value in table["c"].groups()] == [
        None if not value.strip() else value for value in theirs["c"]
    ]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.none() | st.integers(-5, 200), min_size=1, max_size=20).filter(lambda cells: any(cells)))
def test_groups_of_numbers_with_gaps_are_those_of_pandas(cells):
    text = pd.DataFrame({"a": pd.array(cells, dtype="Int64"), "b": 1}).to_csv(index=False)
    ours = columns(read_csv(text.encode(), "t.csv", NAMES))["a"].groups().tolist()
    theirs = pd.read_csv(io.StringIO(text))["a"].tolist()  # floats, where one is missing
    assert ours == [None if math.isnan(value) else value for value in theirs]
