"""No patient, and no copy of a patient, is predicted by a model that saw it."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression

from fairness_checks.cache import FittedCache
from fairness_checks.errors import CacheError
from models import out_of_fold as module
from models.data.heart import HeartTable
from models.out_of_fold import cached_out_of_fold, identical_rows, out_of_fold


class Spy(ClassifierMixin, BaseEstimator):
    """Predicts 0.5 plus the number of rows it is asked about that equal a row it was fitted on."""

    def fit(self, X, y):
        self.seen_ = set(map(tuple, X.to_numpy()))
        self.rows_ = len(X)
        return self

    def _known(self, X):
        return np.array([row in self.seen_ for row in map(tuple, X.to_numpy())])

    def predict(self, X):
        return self._known(X).astype(int)

    def predict_proba(self, X):
        score = np.where(self._known(X), 1.0, self.rows_ / 1000)
        return np.column_stack([1 - score, score])


class Counting(LogisticRegression):
    """Counts its fits over all copies."""

    fits: ClassVar[list[int]] = []

    def fit(self, X, y):
        self.fits.append(len(X))
        return super().fit(X, y)


@pytest.fixture
def patients() -> tuple[pd.DataFrame, np.ndarray]:
    """200 rows, of which 60 are copies of others; copies need not share the outcome."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"age": rng.uniform(40, 90, 140), "sodium": rng.normal(137, 4, 140)})
    frame.loc[::20, "age"] = np.nan  # NaN is equal to itself here, or copies would be told apart
    frame = pd.concat([frame, frame.iloc[:60]]).sample(frac=1, random_state=0)
    return frame, rng.integers(0, 2, 200).astype(np.int8)


def table(features: pd.DataFrame, outcome: np.ndarray, sha256: str = "0" * 64) -> HeartTable:
    nothing = np.full(len(outcome), "")
    return HeartTable("test", features, outcome, nothing, nothing, sha256, "a test", "none")


def test_no_row_is_predicted_by_a_model_that_saw_it_or_its_copy(patients):
    frame = patients[0].fillna(-1)  # the spy compares by ==
    assert not out_of_fold(Spy(), frame, patients[1], random_state=0).y_pred.any()


def test_the_spy_would_notice_folds_that_separate_copies(patients, monkeypatch):
    monkeypatch.setattr(module, "identical_rows", lambda features: np.arange(len(features)))
    predicted = out_of_fold(Spy(), patients[0].fillna(-1), patients[1], random_state=0)
    assert 20 < predicted.y_pred.sum() <= 120


def test_copies_with_missing_values_stay_together(patients):
    groups = identical_rows(patients[0])
    assert np.unique(groups).size == 140
    assert groups.shape == (200,)


def test_every_row_is_predicted_once_with_its_own_score(patients):
    frame, outcome = patients
    predicted = out_of_fold(Spy(), frame.fillna(-1), outcome, random_state=0)
    assert predicted.y_pred.shape == predicted.y_score.shape == (200,)
    assert predicted.y_pred.dtype == np.int8
    # Each of ten models saw about nine tenths, and says so in the score of every row that it predicted.
    assert ((predicted.y_score >= 0.16) & (predicted.y_score <= 0.2)).all()


def test_predictions_keep_the_order_of_the_rows():
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"x": rng.normal(size=200)}, index=rng.permutation(200))
    outcome = (frame["x"].to_numpy() > 0).astype(np.int8)
    predicted = out_of_fold(LogisticRegression(), frame, outcome, random_state=0)
    assert (predicted.y_pred == outcome).mean() > 0.95
    assert np.corrcoef(predicted.y_score, frame["x"])[0, 1] > 0.8


def test_same_seed_same_folds(patients):
    frame, outcome = patients[0].fillna(-1), patients[1]
    first, again, other = (
        out_of_fold(LogisticRegression(), frame, outcome, random_state=seed).y_score for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_a_row_left_out_is_noticed(patients, monkeypatch):
    class Forgetful(module.StratifiedGroupKFold):
        def split(self, *arguments, **keywords):
            return list(super().split(*arguments, **keywords))[1:]

    monkeypatch.setattr(module, "StratifiedGroupKFold", Forgetful)
    with pytest.raises(RuntimeError, match=r"\d+ rows were not predicted exactly once"):
        out_of_fold(Spy(), patients[0].fillna(-1), patients[1], random_state=0)


@pytest.mark.parametrize(
    ("outcome", "message"),
    [
        ([0, 1] * 10, "features have 200 rows, outcome has 20"),
        ([1, 2] * 100, r"0 and 1 only, seen: \[1, 2\]"),
        ([0] * 195 + [1] * 5, r"at least 10 times, seen: \{0: 195, 1: 5\}"),
    ],
)
def test_impossible_input_is_refused(patients, outcome, message):
    with pytest.raises(ValueError, match=message):
        out_of_fold(Spy(), patients[0], np.array(outcome), random_state=0)


def test_cached_predictions_are_fitted_again_when_anything_changes(patients, tmp_path, monkeypatch):
    features, outcome = patients[0].fillna(-1), patients[1]
    cache, spare = FittedCache(tmp_path), features.assign(age=features["age"] + 1)

    def fits_of(table: HeartTable, estimator: Counting, *source: object, random_state: int = 0) -> int:
        Counting.fits.clear()
        cached_out_of_fold(cache, "test", table, estimator, *source, random_state=random_state)
        return len(Counting.fits)

    asked = [
        (table(features, outcome), Counting(), 0),
        (table(features, outcome, sha256="1" * 64), Counting(), 0),
        (table(spare, outcome), Counting(), 0),
        (table(features.rename(columns={"age": "years"}), outcome), Counting(), 0),
        (table(features, 1 - outcome), Counting(), 0),
        (table(features, outcome), Counting(C=2.0), 0),
        (table(features, outcome), Counting(), 1),
    ]
    assert [fits_of(*case[:2], random_state=case[2]) for case in asked] == [10] * len(asked)
    assert [fits_of(*case[:2], random_state=case[2]) for case in asked] == [0] * len(asked)
    assert fits_of(*asked[0][:2], FittedCache) == 10  # another source file
    monkeypatch.setattr(module, "library_versions", lambda *names: dict.fromkeys(names, "0"))
    assert fits_of(*asked[0][:2]) == 10


def test_parameters_that_are_no_builtins_are_named(patients):
    with pytest.raises(CacheError, match=r"parameters\.C.*float64"):
        cached_out_of_fold(
            FittedCache(None),
            "test",
            table(patients[0], patients[1]),
            LogisticRegression(C=np.float64(2)),
            random_state=0,
        )
