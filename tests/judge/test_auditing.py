"""Arguments of `audit` and `audit_uncertainty`: what a small group's guard, a level and a limit may be."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from fairness_checks import CheckRecord, Predictions, audit, audit_uncertainty
from fairness_checks.errors import ConfigurationError
from fairness_checks.question.checks import Check, Settings

Y = np.array([0, 1] * 50)
ALONE = Predictions(Y, y_score=np.clip(Y, 0.1, 0.9), sensitive_features={"sex": ["f"] * 99 + ["m"]})
HALVES = Predictions(Y, y_score=np.clip(Y, 0.1, 0.9), sensitive_features={"sex": ["f"] * 50 + ["m"] * 50})


def accuracy(**given):
    return audit(HALVES, **({"metric": "accuracy", "max_difference": 0.2} | given))


def mismatch(**given):
    return audit_uncertainty(HALVES, **({"max_mismatch": 0.2} | given))


BAD = [
    ({"min_group_size": math.nan}, "min_group_size: nan is not a whole number; give 1 or more"),
    ({"min_group_size": 10.0}, "min_group_size: 10.0 is not a whole number"),
    ({"min_group_size": 1.5}, "min_group_size: 1.5 is not a whole number"),
    ({"min_group_size": True}, "min_group_size: True is not a whole number"),
    ({"min_group_size": "10"}, "min_group_size: '10' is not a whole number"),
    ({"min_group_size": None}, "min_group_size: None is not a whole number"),
    ({"min_group_size": np.float64(10)}, r"min_group_size: np.float64\(10.0\) is not a whole number"),
    ({"min_group_size": 0}, "min_group_size: 0 must be at least 1"),
    ({"alpha": "0.05"}, r"alpha: '0.05' is not a number; give one in \(0, 0.5\)"),
    ({"alpha": None}, "alpha: None is not a number"),
    ({"alpha": True}, "alpha: True is not a number"),
    ({"alpha": math.nan}, r"alpha: nan is outside \(0, 0.5\)"),
    ({"alpha": 0.5}, r"alpha: 0.5 is outside \(0, 0.5\)"),
]


@pytest.mark.parametrize("ask", [accuracy, mismatch, Settings])
@pytest.mark.parametrize(("given", "message"), BAD, ids=lambda value: str(value) if isinstance(value, dict) else "")
def test_a_setting_that_cannot_be_is_named(ask, given, message):
    with pytest.raises(ConfigurationError, match=message):
        ask(**given)


def test_the_guard_of_a_group_of_one_cannot_be_switched_off_by_nan():
    with pytest.raises(ConfigurationError, match="min_group_size: nan"):
        audit(ALONE, metric="accuracy", max_value=0.999999, min_group_size=math.nan)
    assert audit(ALONE, metric="accuracy", max_value=0.999999).reason is not None


LIMITS = [
    ("0.05", "'0.05' is not a number; allowed: 0 <= "),
    (True, "True is not a number; allowed: 0 <= "),
    (np.array([0.05]), r"array\(\[0.05\]\) is not a number"),
    (math.nan, "nan is impossible; allowed: 0 <= "),
    (math.inf, "inf is impossible"),
    (10**400, "inf is impossible"),
    (-0.1, "-0.1 is impossible"),
    (np.float64(-0.1), "-0.1 is impossible"),
]


@pytest.mark.parametrize(("limit", "message"), LIMITS, ids=lambda value: repr(value)[:10])
def test_a_limit_that_cannot_be_is_named(limit, message):
    with pytest.raises(ConfigurationError, match=f"^max_difference: {message}"):
        accuracy(max_difference=limit)
    with pytest.raises(ConfigurationError, match=f"^max_mismatch: {message}"):
        mismatch(max_mismatch=limit)
    with pytest.raises(ConfigurationError, match=f"^max_difference: {message}"):
        Check("accuracy", ("sex",), "max_difference", limit)


def test_no_limit_is_no_number():
    with pytest.raises(ConfigurationError, match="max_mismatch: None is not a number"):
        mismatch(max_mismatch=None)


@pytest.mark.parametrize(
    ("ask", "kind"), [(accuracy, "max_difference"), (mismatch, "max_mismatch")], ids=["rates", "mismatch"]
)
def test_numpy_numbers_give_the_record_of_pythons_own(ask, kind):
    plain = ask(alpha=0.125, min_group_size=12, **{kind: 0.25})
    for make, whole in ((np.float64, np.int64), (np.float32, np.uint8), (Fraction, np.int16)):
        record = ask(alpha=make(0.125), min_group_size=whole(12), **{kind: make(0.25)})
        assert record == plain
        assert CheckRecord.from_json(record.to_json()) == record
    assert [type(x) for x in (record.alpha, record.min_group_size, record.limit)] == [float, int, float]
    assert type(Check("mean_uncertainty", ("sex",), "max_value", 1).limit) is float


@pytest.mark.parametrize("given", [None, np.zeros(3), {"y_true": [0]}, Predictions])
def test_what_are_no_predictions_is_named(given):
    kind = type(given).__name__
    with pytest.raises(ConfigurationError, match=rf"^predictions: {kind} is no Predictions; give Predictions\("):
        audit(given, metric="accuracy", max_difference=0.1)
    with pytest.raises(ConfigurationError, match=rf"^predictions: {kind} is no Predictions"):
        audit_uncertainty(given, max_mismatch=0.1)
