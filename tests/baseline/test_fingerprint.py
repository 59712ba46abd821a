"""Fingerprints: what is in them and what is not; hashed ids against hashlib itself."""

from __future__ import annotations

import hashlib
import hmac

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairness_checks import Predictions
from fairness_checks.baseline import fingerprint
from fairness_checks.baseline.fingerprint import Pseudonyms, data_fingerprint
from fairness_checks.baseline.secret_key import SecretKey
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


IDS = np.array(["patient 1", "Müller", "7", "\ud800", "x" * 500])


def of(salt_or_key, ids):
    return Pseudonyms(salt_or_key).of(ids).tolist()


@pytest.mark.parametrize("secret", [bytes(range(32)), bytes(32), b"\xff" * 32])
def test_pseudonyms_are_hmac_sha256(secret):
    names = [name.encode("utf-8", "surrogatepass") for name in IDS.tolist()]
    macs = [hmac.new(secret, b"fairness-checks baseline id " + name, "sha256").digest() for name in names]
    assert of(SecretKey(secret, "a test"), IDS) == [int.from_bytes(mac[:8], "little") for mac in macs]


def test_those_of_a_salt_are_blake2b():
    salt = bytes(range(16))
    names = [name.encode("utf-8", "surrogatepass") for name in IDS.tolist()]
    expected = [int.from_bytes(hashlib.blake2b(name, key=salt).digest()[:8], "little") for name in names]
    assert of(salt, IDS) == expected
    assert of(bytes(16), IDS) != expected


def test_fingerprints_of_two_keys_share_nothing_and_that_of_a_salt_is_the_plain_one():
    one, other = (SecretKey(bytes([number]) * 32, "a test") for number in (1, 2))
    found = [Pseudonyms(key).fingerprint(made()) for key in (one, other, bytes(16))]
    assert len({*found, one.id, other.id}) == 5
    assert found[2] == data_fingerprint(made())
    message = f"fairness-checks baseline samples {found[2]}".encode()
    assert found[0] == hmac.new(one.secret, message, "sha256").hexdigest()
    assert Pseudonyms(one).fingerprint(made(sample_id=None)) is None


def test_a_collision_is_an_error_that_names_no_patient(monkeypatch):
    monkeypatch.setattr(fingerprint, "_keyed", lambda secret, names: [str(len(name)).encode() * 8 for name in names])
    with pytest.raises(BaselineError, match="the ids of rows 0 and 2 have the same pseudonym") as caught:
        of(SecretKey(bytes(32), "a test"), np.array(["ab", "x", "cd"]))
    assert "ab" not in str(caught.value).replace("baseline", "")


def plain_fingerprint(ids, labels):
    """The digest by Python's own sort, of samples of one group."""
    rows = sorted(range(len(ids)), key=ids.__getitem__)
    encoded = [ids[row].encode("utf-8", "surrogatepass") for row in rows]
    total = hashlib.sha256(f'[1,{len(ids)},true,false,["sex",["f"]]]'.encode())
    total.update(np.array([len(name) for name in encoded], dtype="<i8").tobytes() + b"".join(encoded))
    total.update(np.zeros(len(ids), dtype="<i2").tobytes() + np.packbits(labels[rows]).tobytes())
    return total.hexdigest()


@given(
    st.lists(
        st.text(st.sampled_from("ab01 ~\x7f\u00e9\u4e2d"), min_size=1, max_size=40).map(lambda text: f"p{text}e"),
        min_size=2,
        max_size=20,
        unique=True,
    )
    | st.lists(st.integers(-(10**12), 10**12).map(str), min_size=2, max_size=20, unique=True)
)
def test_ids_are_sorted_by_their_characters_however_long(ids):
    labels = np.arange(len(ids)) % 3 == 0
    same = Predictions(labels, labels, sample_id=ids, sensitive_features={"sex": ["f"] * len(ids)})
    assert data_fingerprint(same) == plain_fingerprint(ids, labels)
