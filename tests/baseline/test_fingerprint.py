"""Fingerprints: what is in them and what is not; hashed ids against hashlib itself."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairness_checks import Predictions
from fairness_checks.baseline import fingerprint
from fairness_checks.baseline.fingerprint import data_fingerprint, hashed_ids
from fairness_checks.errors import BaselineError

ROWS = {
    "y_true": [0, 1, 1, 0],
    "y_pred": [0, 1, 0, 1],
    "cluster": ["p1", "p1", "p2", "p3"],
    "sample_id": ["a", "b", "c", "d"],
    "sex": ["f", "m", "f", None],
    "age": [30, 40, 40, 50],
}


def made(features=("sex", "age"), **changed):
    rows = {**ROWS, **changed}
    arguments = {name: rows[name] for name in ("y_true", "y_pred", "cluster", "sample_id")}
    return Predictions(**arguments, sensitive_features={name: rows[name] for name in features})


def test_without_ids_there_is_none():
    assert data_fingerprint(made(sample_id=None)) is None


@given(st.permutations(range(4)))
def test_the_order_of_rows_does_not_count(order):
    assert data_fingerprint(made(**{k: [v[i] for i in order] for k, v in ROWS.items()})) == data_fingerprint(made())


@pytest.mark.parametrize(
    "same",
    [
        {"y_pred": [1, 1, 1, 1]},
        {"cluster": [30, 30, 20, 10]},  # the same samples belong together
        {"features": ("age", "sex")},
        {"sex": ["f", "m", "f", ""]},
        {"age": ["30", "40", "40", "50"]},
    ],
    ids=str,
)
def test_what_does_not_count(same):
    assert data_fingerprint(made(**same)) == data_fingerprint(made())


@pytest.mark.parametrize(
    "other",
    [
        {"y_true": [1, 1, 1, 0]},
        {"sample_id": ["a", "b", "c", "e"]},
        {"sample_id": ["b", "a", "c", "d"]},
        {"sample_id": ["a", "b", "cd", "e"]},
        {"sex": ["m", "m", "f", None]},
        {"sex": ["f", "m", "f", "f"]},
        {"sex": ["m", "f", "m", None]},  # the names of the groups are exchanged
        {"cluster": ["p1", "p2", "p2", "p3"]},
        {"cluster": None},
        {"features": ("sex",)},
    ],
    ids=str,
)
def test_what_counts(other):
    assert data_fingerprint(made(**other)) != data_fingerprint(made())


def test_a_declared_group_without_a_sample_does_not_count():
    pd = pytest.importorskip("pandas")
    declared = pd.Series(ROWS["sex"], dtype=pd.CategoricalDtype(["x", "m", "f"]))
    assert data_fingerprint(made(sex=declared)) == data_fingerprint(made())


def test_a_model_without_labels_has_one():
    def model(ids):
        return Predictions(error=[1.0, 2.0], sample_id=ids, sensitive_features=["f", "f"])

    assert data_fingerprint(model([1, 2])) == data_fingerprint(model([2, 1])) != data_fingerprint(model([1, 3]))


def test_hashes_are_blake2b():
    ids = np.array(["patient 1", "Müller", "7"])
    salt = bytes(range(16))
    expected = [int.from_bytes(hashlib.blake2b(i.encode(), key=salt).digest()[:8], "little") for i in ids.tolist()]
    assert hashed_ids(ids, salt).tolist() == expected
    assert hashed_ids(ids, bytes(16)).tolist() != expected


def test_a_collision_is_an_error(monkeypatch):
    class Coarse:
        """A hash of the length alone."""

        def __init__(self, length=0):
            self.length = length

        def copy(self):
            return Coarse()

        def update(self, name):
            self.length = len(name)

        def digest(self):
            return self.length.to_bytes(8, "little")

    monkeypatch.setattr(fingerprint.hashlib, "blake2b", lambda key: Coarse())
    with pytest.raises(BaselineError, match="'ab' and 'cd' have the same hash"):
        hashed_ids(np.array(["ab", "x", "cd"]), bytes(16))
