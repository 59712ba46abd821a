"""Which class is positive is said, or plain: never a guess by alphabet or position."""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairness_checks import Predictions, audit
from fairness_checks.errors import InvalidPredictions
from fairness_checks.inputs.classes import read_classes

SEX = ["f", "m", "f", "m"]

PAIRS = {  # classes: (negative, positive); in half of them the positive one comes first in any order
    "disease": ("healthy", "disease"),
    "ill": ("healthy", "ill"),
    "digits": ("0", "1"),
    "digits-turned": ("1", "0"),
    "unicode": ("良性", "悪性"),
    "one-two": (1, 2),
    "two-one": (2, 1),
    "minus-one": (-1, 1),
    "floats": (1.0, 2.0),
    "halves": (0.5, 1.5),
    "zero-one": (0, 1),
    "one-zero": (1, 0),
    "bool": (False, True),
    "bool-turned": (True, False),
}
MADE = {
    "list": list,
    "numpy": np.array,
    "objects": lambda values: np.array(values, dtype=object),
    "pandas": pd.Series,
    "pandas-column": lambda values: pd.DataFrame({"y": values}),
    "pandas-categorical": lambda values: pd.Series(pd.Categorical(values)),
    "pandas-nullable": lambda values: pd.Series(values).convert_dtypes(),
    "pandas-arrow": lambda values: pd.Series(pa.array(values), dtype=pd.ArrowDtype(pa.array(values).type)),
    "polars": pl.Series,
    "polars-column": lambda values: pl.DataFrame({"y": values}),
    "pyarrow": pa.array,
    "pyarrow-dictionary": lambda values: pa.chunked_array([pa.array(values).dictionary_encode()]),
    "column": lambda values: np.array(values)[:, None],
    "masked": np.ma.array,
}


@pytest.mark.parametrize("made", MADE)
@pytest.mark.parametrize("pair", PAIRS)
def test_the_positive_class_is_the_one_that_is_named(pair, made):
    negative, positive = PAIRS[pair]
    truth = [positive, negative, negative, positive]
    decided = [positive, positive, negative, negative]
    predictions = Predictions(MADE[made](truth), MADE[made](decided), sensitive_features=SEX, positive=positive)
    assert predictions.y_true.tolist() == [True, False, False, True]
    assert predictions.y_pred.tolist() == [True, True, False, False]
    assert predictions.positive == (positive if isinstance(positive, str) else f"{positive:g}")


@pytest.mark.parametrize("pair", [name for name, pair in PAIRS.items() if set(pair) != {0, 1}])
def test_a_class_that_is_not_plain_must_be_named(pair):
    negative, positive = PAIRS[pair]
    with pytest.raises(InvalidPredictions, match="say which class is the positive one: positive=") as caught:
        Predictions([positive, negative], [negative, positive], sensitive_features=SEX[:2])
    shown = repr(positive) if isinstance(positive, str) else f"{positive:g}"
    assert f"positive={shown}" in str(caught.value)


@pytest.mark.parametrize("number", [Decimal, Fraction, np.float32, np.int8])
def test_numbers_of_any_kind_are_the_classes_they_equal(number):
    labels = np.array([number(1), number(2)], dtype=object)
    assert Predictions(labels, labels, sensitive_features=SEX[:2], positive=2).y_true.tolist() == [False, True]
    plain = np.array([number(0), number(1)], dtype=object)
    assert Predictions(plain, plain, sensitive_features=SEX[:2]).y_true.tolist() == [False, True]
    assert Predictions(plain, plain, sensitive_features=SEX[:2], positive=0).y_true.tolist() == [True, False]


def test_labels_in_decimals_of_polars():
    labels = pl.Series([Decimal("1"), Decimal("2")])
    assert Predictions(labels, labels, sensitive_features=SEX[:2], positive=2).y_true.tolist() == [False, True]


@pytest.mark.parametrize("positive", ["ill", 1])
def test_one_class_alone_is_enough_if_it_is_the_positive_one(positive):
    one = [positive] * 2
    assert Predictions(one, one, sensitive_features=SEX[:2], positive=positive).y_true.all()
    assert not Predictions([0, 0], [0, 0], sensitive_features=SEX[:2], positive=1).y_true.any()


BAD = {
    "absent": (
        ["ill", "well"],
        ["ill", "ill"],
        "sick",
        "positive: 'sick' is not among the classes of y_true and y_pred",
    ),
    "one-class": (["well"] * 2, ["well"] * 2, "ill", "'ill' is nowhere in y_true and y_pred: all are 'well'; were the"),
    "one-class-nearest": (["ill"] * 2, ["ill"] * 2, "Ill", "did you mean 'ill'?"),
    "nearest": (["healthy", "ill"], ["ill", "ill"], "healty", "did you mean 'healthy'?"),
    "letter-case": (["healthy", "ill"], ["ill", "ill"], "Ill", "did you mean 'ill'?"),
    "text-of-a-number": ([1, 2], [1, 1], "2", "did you mean 2?"),
    "number-of-a-text": (["1", "2"], ["1", "1"], 2, "did you mean '2'?"),
    "text-of-plain": ([0, 1], [0, 1], "1", "positive: '1' is not among the classes of y_true and y_pred, which are 0"),
    "another-of-plain": ([0, 1], [0, 1], 2, "positive: 2 is not among the classes of y_true and y_pred, which are 0"),
    "true-of-numbers": ([1, 2], [1, 1], True, "positive: True is not among the classes of y_true and y_pred: 1, 2"),
    "three": (["a", "b"], ["a", "c"], "a", "y_true and y_pred: more than two classes: 'a', 'b', 'c'"),
    "three-in-one": ([1, 2], [1, 3], 1, "more than two classes: 1, 2, 3"),
    "mixed": (["ill", "well"], [0, 1], "ill", "y_true holds text ('ill', 'well'), y_pred holds numbers (0, 1); give"),
    "mixed-within": (["ill", 1], ["ill", "ill"], "ill", "y_true holds numbers and text"),
    "missing": (["ill", None], ["ill", "well"], "ill", "y_true: 1 of 2 values is missing (None, NaN or blank): row 1"),
    "blank": (["ill", " "], ["ill", "well"], "ill", "y_true: 1 of 2 values is missing (None, NaN or blank): row 1"),
    "nan": ([1.0, np.nan], [1, 2], 1, "y_true: 1 of 2 values is missing (None, NaN or blank): row 1"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_leaves_the_positive_class_open_is_refused(case):
    truth, decided, positive, message = BAD[case]
    with pytest.raises(InvalidPredictions, match=re.escape(message)):
        Predictions(truth, decided, sensitive_features=SEX[:2], positive=positive)


def test_a_positive_class_without_labels_is_refused():
    with pytest.raises(InvalidPredictions, match="positive: given without y_true"):
        Predictions(error=[0.1, 0.2], sensitive_features=SEX[:2], positive="ill")
    with pytest.raises(InvalidPredictions, match="y_true: 0 rows"):
        Predictions([], [], sensitive_features={"sex": []}, positive="ill")


@given(st.lists(st.sampled_from([("well", "well"), ("well", "ill"), ("ill", "well"), ("ill", "ill")]), min_size=1))
@settings(max_examples=50, deadline=None)
def test_naming_the_other_class_turns_every_label(pairs):
    truth, decided = ([pair[i] for pair in pairs] for i in (0, 1))
    given_ = {"y_true": np.array(truth), "y_pred": decided}
    for positive, other in (("ill", "well"), ("well", "ill")):
        if {positive, other} <= {*truth, *decided}:
            labels, name = read_classes(given_, positive)
            turned, _ = read_classes(given_, other)
            assert name == positive
            assert all((labels[key] == ~turned[key]).all() for key in labels)


def test_the_record_names_the_positive_class_and_the_false_negatives_are_the_ill():
    truth = ["disease"] * 40 + ["healthy"] * 40
    decided = ["disease"] * 20 + ["healthy"] * 20 + ["healthy"] * 40
    predictions = Predictions(truth, decided, sensitive_features=SEX * 20, positive="disease")
    record = audit(predictions, metric="false_negative_rate", max_value=0.9)
    assert [group.rate for group in record.groups] == [0.5, 0.5]
    assert (record.inputs.positive, record.inputs.decisions, record.inputs.threshold) == ("disease", "given", None)


FRAMES = {
    "pandas": pd.DataFrame,
    "pandas-arrow": lambda columns: pa.table(columns).to_pandas(types_mapper=pd.ArrowDtype),
    "polars": pl.DataFrame,
    "polars-lazy": pl.LazyFrame,
    "pyarrow": pa.table,
}


@pytest.mark.parametrize("library", FRAMES)
@pytest.mark.parametrize("pair", PAIRS)
def test_a_frame_given_whole_names_its_positive_class_too(pair, library):
    negative, positive = PAIRS[pair]
    columns = {"y": [positive, negative, negative, positive], "p": [0.7, 0.1, 0.7, 0.1], "sex": SEX}
    made = Predictions.from_frame(
        FRAMES[library](columns), y_true="y", y_score="p", by="sex", positive=positive, threshold=0.7
    )
    assert made.y_true.tolist() == [True, False, False, True]
    assert made.y_pred.tolist() == [True, False, True, False]
    assert (made.decided_by, made.threshold) == ("threshold", 0.7)
    if set(PAIRS[pair]) != {0, 1}:
        with pytest.raises(InvalidPredictions, match="say which class is the positive one"):
            Predictions.from_frame(FRAMES[library](columns), y_true="y", y_score="p", by="sex")
