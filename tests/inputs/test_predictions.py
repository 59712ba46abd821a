from __future__ import annotations

import copy
import pickle
import re
from datetime import date
from decimal import Decimal
from fractions import Fraction

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from fairness_checks.errors import ConfigurationError, InvalidPredictions
from fairness_checks.inputs.predictions import Predictions
from fairness_checks.inputs.sensitive import encode_features

Y_TRUE = [1, 0, 1, 1, 0, 0]
Y_PRED = [1, 0, 0, 1, 1, 0]
SCORE = [0.9, 0.1, 0.2, 0.5, 0.7, 0.4]
SEX = ["f", "m", "f", "m", "f", "m"]
AGE = [30, 50, 70, 30, 50, 70]

VECTORS = {
    "list": list,
    "tuple": tuple,
    "numpy": np.array,
    "numpy-object": lambda values: np.array(values, dtype=object),
    "pandas": pd.Series,
    "pandas-index": lambda values: pd.Series(values, index=[9, 7, 5, 3, 1, 0]),
    "polars": pl.Series,
    "pyarrow": pa.array,
    "pyarrow-chunked": lambda values: pa.chunked_array([values[:2], values[2:]]),
}


FRAMES = {
    "dict-of-lists": lambda: {"sex": SEX, "age": AGE},
    "dict-of-arrays": lambda: {"sex": np.array(SEX), "age": np.array(AGE)},
    "dict-of-series": lambda: {"sex": pd.Series(SEX), "age": pl.Series(AGE)},
    "pandas": lambda: pd.DataFrame({"sex": SEX, "age": AGE}),
    "pandas-index": lambda: pd.DataFrame({"sex": SEX, "age": AGE}, index=[9, 7, 5, 3, 1, 0]),
    "polars": lambda: pl.DataFrame({"sex": SEX, "age": AGE}),
    "pyarrow": lambda: pa.table({"sex": SEX, "age": AGE}),
    "narwhals": lambda: nw.from_native(pl.DataFrame({"sex": SEX, "age": AGE})),
    "structured": lambda: np.array(list(zip(SEX, AGE, strict=True)), dtype=[("sex", "U1"), ("age", "i8")]),
}


def labels_of(feature):
    """The group name of each sample; None where missing."""
    return [feature.groups[code] if code >= 0 else None for code in feature.codes]


def only(values):
    """The one feature of an encoding."""
    ((_, feature),) = encode_features(values).items()
    return feature


@pytest.mark.parametrize("kind", VECTORS)
def test_labels_and_scores_of_any_library(kind):
    made = VECTORS[kind]
    predictions = Predictions(made(Y_TRUE), made(Y_PRED), made(SCORE), sensitive_features={"sex": made(SEX)})
    assert predictions.y_true.tolist() == [bool(y) for y in Y_TRUE]
    assert predictions.y_pred.tolist() == [bool(y) for y in Y_PRED]
    assert predictions.y_score.tolist() == SCORE
    assert labels_of(predictions.feature("sex")) == SEX
    assert len(predictions) == 6


@pytest.mark.parametrize("kind", FRAMES)
def test_sensitive_features_of_any_library(kind):
    predictions = Predictions(Y_TRUE, Y_PRED, sensitive_features=FRAMES[kind]())
    assert list(predictions.sensitive_features) == ["sex", "age"]
    assert labels_of(predictions.feature("sex")) == SEX
    assert labels_of(predictions.feature("age")) == [str(age) for age in AGE]


@pytest.mark.parametrize("kind", VECTORS)
def test_one_array_is_one_feature(kind):
    predictions = Predictions(Y_TRUE, Y_PRED, sensitive_features=VECTORS[kind](SEX))
    assert list(predictions.sensitive_features) == ["sensitive_feature"]
    assert labels_of(predictions.feature("sensitive_feature")) == SEX


@pytest.mark.parametrize("library", [pd, pl], ids=["pandas", "polars"])
def test_a_named_series_keeps_its_name(library):
    series = pd.Series(SEX, name="sex") if library is pd else pl.Series("sex", SEX)
    assert list(encode_features(series)) == ["sex"]


def test_names_that_are_not_text_become_text():
    assert list(encode_features(pd.DataFrame({0: SEX, 1: AGE}))) == ["0", "1"]
    assert list(encode_features(pd.Series(SEX, name=0))) == ["0"]
    assert list(encode_features({3: SEX})) == ["3"]


@pytest.mark.parametrize(
    "labels",
    [[True, False], np.array([1.0, 0.0]), np.array([1, 0], dtype=np.uint8), pd.Series([True, False])],
    ids=["bool", "float", "uint8", "pandas-bool"],
)
def test_labels_of_any_binary_type(labels):
    assert Predictions(labels, labels, sensitive_features=["f", "m"]).y_true.tolist() == [True, False]


def test_scores_become_decisions_at_the_threshold():
    half = Predictions(Y_TRUE, y_score=SCORE, sensitive_features=SEX)
    assert half.y_pred.tolist() == [True, False, False, True, True, False]
    low = Predictions(Y_TRUE, y_score=SCORE, sensitive_features=SEX, threshold=0.2)
    assert low.y_pred.tolist() == [True, False, True, True, True, True]
    given = Predictions(Y_TRUE, Y_PRED, SCORE, sensitive_features=SEX)
    assert given.y_pred.tolist() == [bool(y) for y in Y_PRED]
    facts = [(made.decided_by, made.threshold) for made in (half, low, given)]
    assert facts == [("threshold", 0.5), ("threshold", 0.2), ("given", None)]


PRECISE = {  # scores of exactly the threshold, in their own precision
    "float16": lambda score: np.full(4, score, dtype=np.float16),
    "float32": lambda score: np.full(4, score, dtype=np.float32),
    "float32-big-endian": lambda score: np.full(4, score, dtype=">f4"),
    "float32-column": lambda score: np.full((4, 1), score, dtype=np.float32),
    "float32-objects": lambda score: np.array([np.float32(score)] * 4, dtype=object),
    "float32-list": lambda score: [np.float32(score)] * 4,
    "float64": lambda score: np.full(4, score),
    "decimal": lambda score: [Decimal(str(score))] * 4,
    "pandas-float32": lambda score: pd.Series(np.full(4, score, dtype=np.float32)),
    "pandas-Float32": lambda score: pd.Series([score] * 4, dtype="Float32"),
    "pandas-arrow-float": lambda score: pd.Series([score] * 4, dtype=pd.ArrowDtype(pa.float32())),
    "polars-Float32": lambda score: pl.Series([score] * 4, dtype=pl.Float32),
    "polars-Decimal": lambda score: pl.Series([Decimal(str(score))] * 4),
    "pyarrow-float": lambda score: pa.array([score] * 4, type=pa.float32()),
    "pyarrow-halffloat": lambda score: pa.array(np.full(4, score, dtype=np.float16)),
    "pyarrow-decimal": lambda score: pa.array([Decimal(str(score))] * 4),
    "torch-float32": lambda score: pytest.importorskip("torch").full((4,), score, requires_grad=True),
}


@pytest.mark.parametrize("threshold", [0.1, 0.3, 0.7, 0.9])
@pytest.mark.parametrize("kind", PRECISE)
def test_a_score_of_the_threshold_is_a_positive_decision_in_any_precision(kind, threshold):
    made = Predictions([0, 1, 0, 1], y_score=PRECISE[kind](threshold), sensitive_features=SEX[:4], threshold=threshold)
    assert made.y_pred.all()
    assert made.threshold == threshold
    more = Predictions([0, 1, 0, 1], y_score=PRECISE[kind](threshold), sensitive_features=SEX[:4], threshold=0.95)
    assert not more.y_pred.any()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_rounding_past_an_end_is_that_end(dtype):
    above, below = np.nextafter(dtype(1), dtype(2)), -np.finfo(dtype).eps
    made = Predictions([0, 1], y_score=np.array([below, above], dtype=dtype), sensitive_features=["f", "m"])
    assert (made.y_score.tolist(), made.y_pred.tolist()) == ([0.0, 1.0], [False, True])
    far = dtype(1) + 20 * np.finfo(dtype).eps
    with pytest.raises(InvalidPredictions, match=r"outside \[0, 1\] \("):
        Predictions([0, 1], y_score=np.array([0.5, far], dtype=dtype), sensitive_features=["f", "m"])


def test_the_rounding_of_another_precision_is_no_logit():
    score = np.array([0.5, np.nextafter(np.float32(1), np.float32(2))], dtype=np.float64)
    with pytest.raises(InvalidPredictions, match=r"by a rounding: write np.clip\(y_score, 0, 1\)\): row 1"):
        Predictions([0, 1], y_score=score, sensitive_features=["f", "m"])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"y_pred": [0, 1], "threshold": 0.5}, "threshold: given beside y_pred, which are the decisions"),
        ({"y_pred": [0, 1], "y_score": [0.2, 0.8], "threshold": 0.5}, "threshold: given beside y_pred"),
        ({"error": [0.1, 0.2], "threshold": 0.5}, "threshold: given without y_score"),
    ],
)
def test_a_threshold_that_decides_nothing_is_refused(given, message):
    with pytest.raises(InvalidPredictions, match=message):
        Predictions([0, 1], sensitive_features=["f", "m"], **given)


def test_what_was_given_beside_a_score_is_kept_and_said():
    made = Predictions([0, 1], [1, 0], [0.1, 0.9], sensitive_features=["f", "m"])
    assert (made.y_pred.tolist(), made.decided_by, made.threshold) == ([True, False], "given", None)
    assert Predictions([0, 1], error=[0.1, 0.9], sensitive_features=["f", "m"]).decided_by is None


CATEGORICAL = {
    "pandas": lambda: pd.Series(pd.Categorical(SEX, categories=["x", "f", "m"])),
    "pandas-frame": lambda: pd.DataFrame({"sex": pd.Categorical(SEX, categories=["x", "f", "m"])}),
    "pandas-bare": lambda: {"sex": pd.Categorical(SEX, categories=["x", "f", "m"])},
    "polars-enum": lambda: pl.Series(SEX, dtype=pl.Enum(["x", "f", "m"])),
}


@pytest.mark.parametrize("kind", CATEGORICAL)
def test_a_category_without_a_sample_is_a_group(kind):
    feature = only(CATEGORICAL[kind]())
    assert sorted(feature.groups) == ["f", "m", "x"]
    assert labels_of(feature) == SEX


@pytest.mark.parametrize(
    "wrap",
    [pd.Series, lambda values: values, lambda values: pd.DataFrame({"age": values})],
    ids=["series", "bare", "frame"],
)
def test_age_bands_of_pandas_have_one_name_each(wrap):
    # A missing age turns the ends of pandas' intervals into floats, and "(0, 40]" into "(0.0, 40.0]".
    feature = only(wrap(pd.cut([30, 50, np.nan], [0, 40, 60, 80])))
    assert feature.groups == ("(0, 40]", "(40, 60]", "(60, 80]")
    assert labels_of(feature) == ["(0, 40]", "(40, 60]", None]


def test_categories_that_are_numbers_have_one_name_each():
    assert only(pd.Series(pd.Categorical([1, 2, None], categories=[1, 2, 3]))).groups == ("1", "2", "3")
    assert only(pd.Series(pd.Categorical([1.0, 2.5], categories=[1.0, 2.5, 4.0]))).groups == ("1", "2.5", "4")


def test_a_blank_category_is_no_group():
    feature = only(pd.Series(pd.Categorical(["f", "", "m"], categories=["f", "m", ""])))
    assert feature.groups == ("f", "m")
    assert labels_of(feature) == ["f", None, "m"]


MISSING = {
    "none": ["f", None, "m"],
    "nan-among-text": np.array(["f", np.nan, "m"], dtype=object),
    "float-nan": [1.0, np.nan, 2.0],
    "pandas-NA": [1, pd.NA, 2],
    "pandas-NA-string": pd.Series(["f", pd.NA, "m"], dtype="string"),
    "pandas-Int64": pd.Series([1, None, 2], dtype="Int64"),
    "pandas-boolean": pd.Series([True, None, False], dtype="boolean"),
    "pandas-arrow": pd.Series(["f", None, "m"], dtype=pd.ArrowDtype(pa.string())),
    "pandas-categorical": pd.Series(pd.Categorical(["f", None, "m"])),
    "pandas-categorical-bare": pd.Categorical(["f", None, "m"]),
    "NaT": pd.Series(pd.to_datetime(["2020-01-01", None, "2021-01-01"])),
    "NaT-among-objects": np.array([date(2020, 1, 1), pd.NaT, date(2021, 1, 1)], dtype=object),
    "numpy-NaT": np.array(["2020-01-01", "NaT", "2021-01-01"], dtype="datetime64[D]"),
    "polars-null": pl.Series(["f", None, "m"]),
    "polars-nan": pl.Series([1.0, float("nan"), 2.0]),
    "polars-categorical": pl.Series(["f", None, "m"], dtype=pl.Categorical),
    "pyarrow-null": pa.array(["f", None, "m"]),
    "pyarrow-dictionary": pa.chunked_array([pa.array(["f", None, "m"]).dictionary_encode()]),
    "masked": np.ma.array(["f", "x", "m"], mask=[False, True, False]),
    "blank": ["f", "", "m"],
    "blank-spaces": ["f", "  \t", "m"],
    "blank-object": np.array(["f", " ", "m"], dtype=object),
    "blank-bytes": np.array([b"f", b"", b"m"]),
    "blank-pandas": pd.Series(["f", " ", "m"]),
    "blank-polars": pl.Series(["f", " ", "m"]),
}


@pytest.mark.parametrize("kind", MISSING)
def test_a_missing_sensitive_value_is_missing_however_it_is_written(kind):
    feature = only(MISSING[kind])
    assert (feature.codes < 0).tolist() == [False, True, False]
    assert len(feature.groups) == 2


def test_nothing_but_missing_values_are_no_groups():
    for values in ([None, None], pl.Series([None, None]), [np.nan, np.nan], ["", " "]):
        assert only(values).groups == ()
        assert only(values).codes.tolist() == [-1, -1]


@pytest.mark.parametrize(
    "values",
    [[1, None, 2], [1.0, np.nan, 2.0], pd.Series([1, None, 2]), pl.Series([1, None, 2]), [1.0, None, 2.0]],
    ids=["list", "nan", "pandas", "polars", "objects"],
)
def test_integers_that_a_missing_value_turned_into_floats_keep_their_names(values):
    assert only(values).groups == ("1", "2")


def test_numbers_that_are_no_integers_keep_theirs():
    assert only([0.5, 2.0, np.inf, 1e300]).groups == ("0.5", "2", "1e+300", "inf")


def test_bytes_are_text():
    assert only(np.array([b"f", b"m"])).groups == ("f", "m")


TWO = {"sensitive_features": {"sex": ["f", "m", "f"]}}

BAD = {
    "lengths": (
        lambda: Predictions([0, 1, 1], [0, 1], **TWO),
        "lengths differ: y_true 3, y_pred 2, sensitive_features['sex'] 3",
    ),
    "lengths-score": (
        lambda: Predictions([0, 1, 1], [0, 1, 1], [0.1, 0.2], **TWO),
        "lengths differ: y_true 3, y_pred 3, y_score 2, sensitive_features['sex'] 3",
    ),
    "lengths-feature": (
        lambda: Predictions([0, 1], [0, 1], sensitive_features={"sex": ["f", "m"], "age": [1]}),
        "lengths differ: y_true 2, y_pred 2, sensitive_features['sex'] 2, sensitive_features['age'] 1",
    ),
    "nan": (lambda: Predictions([0, np.nan, 1], [0, 1, 1], **TWO), "y_true: 1 of 3 values is NaN: row 1"),
    "none": (
        lambda: Predictions([0, 1, 1], [None, 1, None], **TWO),
        "y_pred: 2 of 3 values are missing (None or NaN): rows 0, 2",
    ),
    "pandas-NA": (
        lambda: Predictions([0, pd.NA, 1], [0, 1, 1], **TWO),
        "y_true: 1 of 3 values is missing (None or NaN): row 1",
    ),
    "pandas-Int64": (
        lambda: Predictions(pd.Series([0, None, 1], dtype="Int64"), [0, 1, 1], **TWO),
        "y_true: 1 of 3 values is missing (null): row 1",
    ),
    "polars-null": (
        lambda: Predictions([0, 1, 1], pl.Series([0, 1, None]), **TWO),
        "y_pred: 1 of 3 values is missing (null): row 2",
    ),
    "pyarrow-null": (
        lambda: Predictions(pa.chunked_array([[0, None, 1]]), [0, 1, 1], **TWO),
        "y_true: 1 of 3 values is missing (null): row 1",
    ),
    "masked": (
        lambda: Predictions(np.ma.array([0, 1, 1], mask=[0, 0, 1]), [0, 1, 1], **TWO),
        "y_true: 1 of 3 values is masked: row 2",
    ),
    "score-nan": (
        lambda: Predictions([0, 1, 1], y_score=[0.1, np.nan, np.nan], **TWO),
        "y_score: 2 of 3 values are NaN: rows 1, 2",
    ),
    "score-polars-nan": (
        lambda: Predictions([0, 1, 1], y_score=pl.Series([0.1, float("nan"), 0.2]), **TWO),
        "y_score: 1 of 3 values is NaN: row 1",
    ),
    "score-none": (
        lambda: Predictions([0, 1, 1], y_score=[0.1, None, 0.2], **TWO),
        "y_score: 1 of 3 values is missing (None or NaN): row 1",
    ),
    "labels-2": (
        lambda: Predictions([0, 2, 1], [0, 1, 1], **TWO),
        "y_true: labels are not binary: 1 of 3 values are neither 0 nor 1 (2): row 1",
    ),
    "labels-minus-1": (
        lambda: Predictions([0, 1, 1], [-1, 1, -1], **TWO),
        "y_pred: labels are not binary: 2 of 3 values are neither 0 nor 1 (-1): rows 0, 2",
    ),
    "labels-scores": (
        lambda: Predictions([0, 1, 1], [0.2, 1.0, 0.7], **TWO),
        "y_pred: labels are not binary: 2 of 3 values are neither 0 nor 1 (0.2, 0.7): rows 0, 2",
    ),
    "labels-text": (
        lambda: Predictions(["no", "yes", "yes"], **TWO, y_score=[0.1, 0.2, 0.3]),
        "y_true: labels are not 0/1 or bool: 'no', 'yes'; say which class is the positive one: positive='no' or "
        "positive='yes'",
    ),
    "labels-beside-text": (
        lambda: Predictions(["no", "yes", "yes"], [0, 1, 1], **TWO),
        "y_true holds text ('no', 'yes'), y_pred holds numbers (0, 1); give them as the same two classes",
    ),
    "labels-polars-text": (
        lambda: Predictions(pl.Series(["no", "yes", "yes"]), pl.Series(["no", "yes", "no"]), **TWO),
        "y_true: labels are not 0/1 or bool: 'no', 'yes'; say which class is the positive one",
    ),
    "score-above-1": (
        lambda: Predictions([0, 1, 1], y_score=[0.1, 1.5, 0.2], **TWO),
        "y_score: 1 of 3 values is outside [0, 1] (give probabilities, not logits or margins): row 1 (1.5)",
    ),
    "score-below-0": (
        lambda: Predictions([0, 1, 1], y_score=[-2.0, 0.5, -1e-9], **TWO),
        "y_score: 2 of 3 values are outside [0, 1] (give probabilities, not logits or margins): "
        "rows 0 (-2.0), 2 (-1e-09)",
    ),
    "score-infinite": (
        lambda: Predictions([0, 1, 1], y_score=[np.inf, 0.5, 0.1], **TWO),
        "y_score: 1 of 3 values is outside [0, 1] (give probabilities, not logits or margins): row 0 (inf)",
    ),
    "score-rounded": (
        lambda: Predictions([0, 1, 1], y_score=np.array([1.00001, 0.5, 0.1], dtype=np.float32), **TWO),
        "y_score: 1 of 3 values is outside [0, 1] (by a rounding: write np.clip(y_score, 0, 1)): row 0 (1.00001)",
    ),
    "scores-of-many": (
        lambda: Predictions([0, 1] * 4, y_score=np.arange(8) * 2.0, sensitive_features=["f", "m"] * 4),
        "y_score: 7 of 8 values are outside [0, 1] (give probabilities, not logits or margins): "
        "rows 1 (2.0), 2 (4.0), 3 (6.0), 4 (8.0), 5 (10.0), ...",
    ),
    "score-text": (
        lambda: Predictions([0, 1, 1], y_score=["a", "b", "c"], **TWO),
        "y_score: text ('a' in row 0)",
    ),
    "score-2d": (
        lambda: Predictions([0, 1, 1], y_score=np.full((3, 2), 0.5), **TWO),
        "y_score: shape (3, 2); shape (n,) is needed; give the column of the positive class: "
        "predict_proba(X)[:, list(model.classes_).index(positive)]",
    ),
    "labels-2d": (
        lambda: Predictions([[0, 1], [1, 0], [1, 1]], [0, 1, 1], **TWO),
        "y_true: shape (3, 2); shape (n,) is needed",
    ),
    "labels-none-at-all": (
        lambda: Predictions(None, [0, 1, 1], **TWO),
        "y_true: give it with y_pred or y_score, or give the error of each sample",
    ),
    "no-decision": (lambda: Predictions([0, 1, 1], **TWO), "y_pred: give y_pred, y_score or both"),
    "threshold": (
        lambda: Predictions([0, 1, 1], y_score=[0.1, 0.2, 0.3], threshold=50, **TWO),
        "threshold: 50 is outside [0, 1]",
    ),
    "threshold-nan": (
        lambda: Predictions([0, 1, 1], y_score=[0.1, 0.2, 0.3], threshold=np.nan, **TWO),
        "threshold: nan is outside [0, 1]",
    ),
    "empty": (
        lambda: Predictions([], [], sensitive_features={"sex": []}),
        "y_true: 0 rows; there is nothing to evaluate",
    ),
    "empty-objects": (
        lambda: Predictions(np.array([], dtype=str), [], sensitive_features={"sex": []}),
        "y_true: 0 rows; there is nothing to evaluate",
    ),
    "no-feature": (
        lambda: Predictions([0, 1, 1], [0, 1, 1], sensitive_features={}),
        "sensitive_features: no feature given; pass a frame, a dict of arrays or one array",
    ),
    "feature-2d": (
        lambda: Predictions([0, 1], [0, 1], sensitive_features=np.array([["f", "a"], ["m", "b"]])),
        "sensitive_features['sensitive_feature']: shape (2, 2); one value a sample is needed",
    ),
    "feature-none": (
        lambda: Predictions([0, 1], [0, 1], sensitive_features=None),
        "sensitive_features['sensitive_feature']: shape (); one value a sample is needed",
    ),
    "feature-by-name": (
        lambda: Predictions([0, 1], [0, 1], sensitive_features="sex"),
        "sensitive_features: 'sex' is text, not a column; give the values with their name, such as `table[['sex']]`",
    ),
    "features-by-name": (
        lambda: Predictions([0, 1, 1], [0, 1, 1], sensitive_features=["sex", "age"]),
        "lengths differ: y_true 3, y_pred 3, sensitive_features['sensitive_feature'] 2; sensitive_features holds "
        "values, not names",
    ),
    "score-nan-single": (
        lambda: Predictions([0, 1, 1], y_score=np.array([0.1, np.nan, 0.2], dtype=np.float32), **TWO),
        "y_score: 1 of 3 values is NaN: row 1 (by position, from 0); fill them in, or leave these samples out "
        "of every array",
    ),
    "cluster-none": (
        lambda: Predictions([0, 1, 1], [0, 1, 1], cluster=["a", None, "b"], **TWO),
        "cluster: 1 of 3 values is missing (None or NaN): row 1 (by position, from 0); give each an id of its own",
    ),
    "error-infinite": (  # leaving out what diverged would hide it
        lambda: Predictions(error=[0.1, np.inf, 0.2], **TWO),
        "error: 1 of 3 values is NaN or infinite: row 1 (inf)",
    ),
    "too-many-groups": (
        lambda: Predictions([0, 1] * 501, [0, 1] * 501, sensitive_features={"age": np.linspace(0, 1, 1002)}),
        "sensitive_features['age']: 1002 different values; at most 1000 groups can be compared; cut it into bands",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_named_with_its_rows(case):
    call, message = BAD[case]
    with pytest.raises(InvalidPredictions, match="^" + re.escape(message)):
        call()


def test_a_feature_that_was_given_without_its_name():
    with pytest.raises(ConfigurationError, match=r"no name: write `sensitive_features=\{'sex': values\}`"):
        Predictions([0, 1], [0, 1], sensitive_features=["f", "m"]).feature("sex")


def test_only_the_first_bad_rows_are_listed():
    labels = np.zeros(1_000)
    labels[100:] = np.nan
    with pytest.raises(
        InvalidPredictions,
        match=r"900 of 1000 values are NaN: rows 100, 101, 102, 103, 104, \.\.\. \(by position, from 0\); fill",
    ):
        Predictions(labels, labels, sensitive_features=np.zeros(1_000))


def test_a_thousand_groups_are_not_too_many():
    ids = np.arange(1_000)
    assert len(only(ids).groups) == 1_000


def test_a_feature_that_does_not_exist_has_a_nearest_name():
    predictions = Predictions(Y_TRUE, Y_PRED, sensitive_features={"sex": SEX, "age_band": AGE})
    with pytest.raises(ConfigurationError, match=r"'age_bnd' is not in the predictions; did you mean 'age_band'\?"):
        predictions.feature("age_bnd")


def test_predictions_cannot_be_changed():
    predictions = Predictions(Y_TRUE, Y_PRED, sensitive_features={"sex": SEX})
    with pytest.raises(AttributeError, match="immutable"):
        predictions.y_pred = predictions.y_true
    with pytest.raises(AttributeError):
        predictions.extra = 1
    with pytest.raises(TypeError):
        predictions.sensitive_features["sex"] = predictions.feature("sex")
    assert repr(predictions) == "Predictions(6 samples, sensitive features: sex (f, m))"


def test_the_arrays_of_the_caller_can_change_without_any_effect():
    y_true, y_pred, score = np.array(Y_TRUE, dtype=bool), np.array(Y_PRED, dtype=bool), np.array(SCORE)
    sex = np.array(SEX)
    predictions = Predictions(y_true, y_pred, score, sensitive_features=sex)
    y_true[:], y_pred[:], score[:], sex[:] = False, True, 0.0, "f"
    assert predictions.y_true.tolist() == [bool(y) for y in Y_TRUE]
    assert predictions.y_pred.tolist() == [bool(y) for y in Y_PRED]
    assert predictions.y_score.tolist() == SCORE
    assert labels_of(predictions.feature("sensitive_feature")) == SEX


def test_the_arrays_themselves_cannot_be_written_to():
    predictions = Predictions(Y_TRUE, Y_PRED, SCORE, sensitive_features={"sex": SEX})
    for array in (predictions.y_true, predictions.y_pred, predictions.y_score, predictions.feature("sex").codes):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


@pytest.mark.parametrize(
    "values",
    [
        np.array([1] * 4 + ["1"] * 4 + [2] * 4, dtype=object),
        pd.Categorical([1] * 4 + ["1"] * 4 + [2] * 4),
        np.array([True, "True"] * 6, dtype=object),
        np.array([b"f", "f"] * 6, dtype=object),
    ],
    ids=["objects", "categories", "booleans", "bytes"],
)
def test_different_values_of_one_name_are_refused(values):
    with pytest.raises(InvalidPredictions, match=r"sensitive_features\['g'\]: the values .* would both be called"):
        Predictions([0, 1] * 6, [0, 1] * 6, sensitive_features={"g": values})


def test_equal_values_of_different_types_are_one_group():
    values = np.array([1, 1.0, np.int64(2)] * 4, dtype=object)
    assert Predictions([0, 1] * 6, [0, 1] * 6, sensitive_features={"g": values}).feature("g").groups == ("1", "2")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"threshold": True}, "threshold: True is not a number"),
        ({"threshold": "0.5"}, "threshold: '0.5' is not a number"),
        ({"y_true": [0, [0, 1]]}, "y_true: cannot be read as one array"),
        ({"y_true": np.array(["0", "1"], dtype=object)}, "y_true: labels are not 0/1 or bool: '0', '1'"),
        ({"sensitive_features": {"sex": [["f"], ["m", "m"]]}}, r"sensitive_features\['sex'\]: cannot be read as one"),
        (
            {"sensitive_features": pd.DataFrame([["f", "m"], ["m", "f"]], columns=["sex", "sex"])},
            "sensitive_features: a column is there twice",
        ),
    ],
)
def test_what_is_no_array_is_one_clear_error(given, message):
    arguments = {"y_true": [0, 1], "y_score": [0.2, 0.8], "sensitive_features": ["f", "m"]} | given
    with pytest.raises(InvalidPredictions, match=message):
        Predictions(**arguments)


LONG = [10**17 + row for row in range(40)]
WRITTEN = {
    "decimal": lambda ids: [Decimal(each) for each in ids],
    "fraction": lambda ids: [Fraction(each) for each in ids],
    "decimal beside int": lambda ids: [Decimal(each) if each % 2 else each for each in ids],
    "int beside float": lambda ids: np.array([1.5, *ids[1:]], dtype=object),
    "past 64 bits": lambda ids: [each * 10**10 for each in ids],
    "polars decimal": lambda ids: pl.Series([Decimal(each) for each in ids]),
    "arrow decimal": lambda ids: pa.chunked_array([pa.array([Decimal(each) for each in ids])]),
    "pandas arrow decimal": lambda ids: pd.Series(
        [Decimal(each) for each in ids], dtype=pd.ArrowDtype(pa.decimal128(38))
    ),
}


@pytest.mark.parametrize("kind", WRITTEN)
def test_long_ids_of_any_number_are_kept_apart(kind):
    made = Predictions([0, 1] * 20, [0, 1] * 20, cluster=WRITTEN[kind](LONG), sensitive_features=["f", "m"] * 20)
    assert made.cluster.tolist() == list(range(40))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, object])
def test_cluster_ids_that_stand_for_several_whole_numbers_are_refused(dtype):
    first = 2.0 ** {np.float16: 11, np.float32: 24}.get(dtype, 53)
    ids = np.array([1.0, 2.0, first, 3.0], dtype=dtype)
    with pytest.raises(InvalidPredictions, match=r"too large to be told from the next whole number.*row 2 \("):
        Predictions([0, 1] * 2, [0, 1] * 2, cluster=ids, sensitive_features=["f", "m"] * 2)


@pytest.mark.parametrize("widened", [np.float64, object, list])
def test_float32_scores_that_became_float64_are_decided_as_float32(widened):
    score = np.array([0.7, 0.2, 0.7, 0.9], dtype=np.float32)
    given = score.tolist() if widened is list else pd.Series(score).astype(widened)
    made = Predictions([1, 0, 1, 1], y_score=given, threshold=0.7, sensitive_features=["f", "m"] * 2)
    assert made.y_pred.tolist() == [True, False, True, True]
    below = [np.nextafter(0.7, 0.0), 0.2, float(np.float32(0.7)), 0.9]  # of which one was never a float32
    assert Predictions(
        [1, 0, 1, 1], y_score=below, threshold=0.7, sensitive_features=["f", "m"] * 2
    ).y_pred.tolist() == [
        *[False] * 3,
        True,
    ]


@pytest.mark.parametrize("role", ["y_true", "sensitive_features", "cluster"])
@pytest.mark.parametrize(
    "given", [np.zeros(4, dtype="V2"), np.zeros(4, dtype=[("a", "i4")]), pytest.param("meta", id="torch-meta")]
)
def test_arrays_without_values_are_one_clear_error(role, given):
    if isinstance(given, str):
        given = pytest.importorskip("torch").empty(4, device=given)
    if role == "sensitive_features" and getattr(given.dtype, "names", None):
        pytest.skip("fields are features")
    arrays = {"y_true": [0, 1] * 2, "y_pred": [0, 1] * 2, "sensitive_features": ["f", "m"] * 2} | {role: given}
    with pytest.raises(InvalidPredictions, match=f"^{role}"):
        Predictions(**arrays)


def test_a_null_in_an_arrow_dictionary_is_no_category():
    column = pa.DictionaryArray.from_arrays(pa.array([0, 1, 0, 2]), pa.array(["f", "m", None]))
    made = Predictions([0, 1] * 2, [0, 1] * 2, sensitive_features=pa.table({"sex": column}))
    assert made.sensitive_features["sex"].groups == ("f", "m")
    assert made.sensitive_features["sex"].codes.tolist() == [0, 1, 0, -1]


COPIES = {"copy": copy.copy, "deepcopy": copy.deepcopy, "pickle": lambda given: pickle.loads(pickle.dumps(given))}


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
def test_predictions_may_be_copied_and_sent_to_another_process(copied):
    table = pd.DataFrame({"y": Y_TRUE, "sex": ["f", "m"] * 3}, index=list("abcdef"))
    given = Predictions(
        table["y"], y_score=[0.25] * 6, cluster=[1] * 6, sensitive_features=table[["sex"]], about={"data": "made"}
    )
    made = copied(given)
    for name in Predictions.__slots__:
        one, two = getattr(given, name), getattr(made, name)
        if isinstance(one, np.ndarray):
            assert (one.dtype, one.tolist(), two.flags.writeable) == (two.dtype, two.tolist(), False)
        elif name not in ("sensitive_features", "row_labels"):
            assert one == two
    assert type(made.sensitive_features) is type(given.sensitive_features)
    assert made.feature("sex").groups == ("f", "m")
    assert (made.feature("sex").codes.tolist(), made.feature("sex").codes.flags.writeable) == ([0, 1] * 3, False)
    assert made.row_labels.index.equals(given.row_labels.index)
    with pytest.raises(AttributeError, match="immutable"):
        made.y_true = None
