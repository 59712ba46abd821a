"""Outcome files: what comes back, aligned; what a damaged or a foreign file is answered with."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairness_checks import Predictions
from fairness_checks.baseline.fingerprint import Pseudonyms
from fairness_checks.baseline.outcomes import read_outcomes, rounded, write_outcomes
from fairness_checks.baseline.rounding import as_distances, as_scores, halved
from fairness_checks.baseline.secret_key import SecretKey
from fairness_checks.errors import BaselineError
from fairness_checks.inputs.group_names import means_missing

PSEUDONYMS = Pseudonyms(SecretKey(bytes(range(32)), "a test"))
OTHER = Pseudonyms(SecretKey(bytes(32), "a test"))
FINITE = st.floats(-1e300, 1e300)


def classifier(n=200, seed=0, **changed):
    rng = np.random.default_rng(seed)
    score = rng.beta(0.3, 0.3, n)
    arguments = {
        "y_true": rng.random(n) < 0.3,
        "y_score": score,
        "error": rng.normal(size=n) * 10.0 ** rng.integers(-3, 4, n),
        "uncertainty": rng.exponential(size=n),
        "cluster": rng.integers(0, 50, n),
        "sample_id": rng.permutation(10 * n)[:n],
        "sensitive_features": {"sex": rng.choice(["f", "m"], n)},
    }
    return Predictions(**(arguments | changed))


def shuffled(predictions, order, **changed):
    arrays = {
        name: None if (array := getattr(predictions, name)) is None else array[order]
        for name in ("y_true", "y_pred", "y_score", "error", "uncertainty", "cluster", "sample_id")
    }
    features = {f.name: np.array(f.groups)[f.codes][order] for f in predictions.sensitive_features.values()}
    return Predictions(**(arrays | changed), sensitive_features=features)


@settings(max_examples=60)
@given(st.data())
def test_each_sample_finds_its_own_outcome(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("outcomes")
    text = st.text(st.characters(codec="utf-8", exclude_characters="\0?"), min_size=1, max_size=5)
    text = text.filter(lambda name: name.strip() and not means_missing(name))
    ids = data.draw(st.lists(text, min_size=1, max_size=20, unique_by=str.strip))
    n = len(ids)
    labels = st.lists(st.booleans(), min_size=n, max_size=n)
    truth, scores = data.draw(labels), data.draw(st.lists(st.floats(0, 1), min_size=n, max_size=n))
    errors = data.draw(st.none() | st.lists(FINITE, min_size=n, max_size=n))
    sex = [str(i % 3) for i in range(n)]
    old = Predictions(truth, data.draw(labels), scores, error=errors, sample_id=ids, sensitive_features={"sex": sex})
    ref = write_outcomes(folder / "o.npz", old, PSEUDONYMS)
    order = data.draw(st.permutations(range(n)))
    current = Predictions(
        [truth[i] for i in order],
        y_score=[0.5] * n,
        sample_id=[ids[i] for i in order],
        sensitive_features={"sex": [sex[i] for i in order]},
    )
    found = read_outcomes(folder, ref, PSEUDONYMS, current)
    expected = rounded(old)
    place = {name: row for row, name in enumerate(ids)}
    rows = [place[name] for name in current.sample_id.tolist()]
    for name in ("y_true", "y_pred", "y_score", "error"):
        array = getattr(expected, name)
        if array is None:
            assert getattr(found, name) is None
        else:
            assert getattr(found, name).tolist() == [array[row] for row in rows], name
    assert found.sample_id is current.sample_id
    assert found.sensitive_features is current.sensitive_features


def test_an_unchanged_model_shows_no_change_at_all(tmp_path):
    old = classifier()
    ref = write_outcomes(tmp_path / "o.npz", old, PSEUDONYMS)
    current = rounded(shuffled(old, np.random.default_rng(1).permutation(len(old))))
    found = read_outcomes(tmp_path, ref, PSEUDONYMS, current)
    for name in ("y_true", "y_pred", "y_score", "error", "uncertainty"):
        np.testing.assert_array_equal(getattr(found, name), getattr(current, name))
    assert ref.samples == 200
    assert ref.file == "o.npz"
    assert ref.sha256 == hashlib.sha256((tmp_path / "o.npz").read_bytes()).hexdigest()


@pytest.mark.parametrize("factor", [1e-300, 1e-12, 1.0, 3e7, 1e300])
def test_rounding_is_within_its_bound(factor):
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=20_000) * 10.0 ** rng.uniform(-14, 0, 20_000) * factor
    numbers[:5] = [0.0, factor, -factor, 65504.0 * factor / 65505, factor / 3]
    back = halved(numbers).restored()
    largest = np.abs(numbers).max()
    near = np.abs(numbers) >= largest * 2.0**-28
    assert near.sum() > 1000
    assert np.all(np.abs(back - numbers)[near] <= 2.0**-11 * np.abs(numbers[near]))
    assert np.all(np.abs(back - numbers) <= np.maximum(2.0**-11 * np.abs(numbers), 2.0**-38 * largest))
    np.testing.assert_array_equal(np.sign(back), np.sign(numbers))  # nothing becomes 0, nothing changes sides


def test_the_largest_and_the_smallest_floats_stay_finite():
    numbers = np.array([np.finfo(float).max, -np.finfo(float).max, 5e-324, 1.0])
    assert np.isfinite(halved(numbers).restored()).all()
    assert halved(np.array([5e-324, 0.0])).restored().tolist() == [5e-324, 0.0]


def test_scores_are_kept_as_well_near_one_as_near_zero():
    small = 10.0 ** -np.random.default_rng(0).uniform(0.31, 8, 5_000)
    for scores, probabilities in ((small, lambda s: s), (1.0 - small, lambda s: 1.0 - s)):
        back = as_scores(halved(as_distances(scores)).restored())
        exact = probabilities(scores)
        assert np.all(np.abs(probabilities(back) - exact) <= 2.0**-11 * exact + 2.0**-52)
    ends = np.array([0.0, -0.0, 1.0, 0.5, np.nextafter(0.5, 1), np.nextafter(1, 0), 1e-300])
    back = as_scores(halved(as_distances(ends)).restored())
    assert back[:4].tolist() == [0.0, 0.0, 1.0, 0.5]
    assert np.all((back >= 0) & (back <= 1))
    assert back[6] > 0.0


@given(st.lists(st.floats(0, 1), min_size=2, max_size=30))
def test_rounding_keeps_the_order_of_scores(scores):
    ordered = np.sort(np.array(scores))
    assert np.all(np.diff(as_scores(halved(as_distances(ordered)).restored())) >= 0)


def test_the_same_predictions_give_the_same_bytes(tmp_path):
    first = write_outcomes(tmp_path / "a.npz", classifier(), PSEUDONYMS)
    other = shuffled(classifier(), np.random.default_rng(5).permutation(200))
    assert write_outcomes(tmp_path / "b.npz", other, PSEUDONYMS).sha256 == first.sha256
    assert write_outcomes(tmp_path / "c.npz", classifier(), OTHER).sha256 != first.sha256
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        assert {item.date_time for item in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_no_id_no_group_no_feature_is_in_the_file(tmp_path):
    write_outcomes(tmp_path / "o.npz", classifier(sample_id=[f"patient-{i}" for i in range(200)]), PSEUDONYMS)
    with np.load(tmp_path / "o.npz", allow_pickle=False) as entry:
        exponents = {"y_score_exponent", "error_exponent", "uncertainty_exponent"}
        assert set(entry.files) == {"ids", "y_true", "y_pred", "y_score", "error", "uncertainty"} | exponents
        assert (np.diff(entry["ids"].astype(object)) > 0).all()
        assert not any(b"patient" in entry[name].tobytes() for name in entry.files)


def test_without_ids_nothing_is_written(tmp_path):
    with pytest.raises(BaselineError, match="sample_id: not given"):
        write_outcomes(tmp_path / "o.npz", classifier(sample_id=None), PSEUDONYMS)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def stored(tmp_path):
    current = classifier()
    return tmp_path, write_outcomes(tmp_path / "o.npz", current, PSEUDONYMS), current


def refused(stored, message, **changed):
    folder, ref, current = stored
    with pytest.raises(BaselineError, match=message) as caught:
        read_outcomes(folder, replace(ref, **changed), PSEUDONYMS, current)
    assert "o.npz" in str(caught.value)
    assert "--fairness-update-baseline" in str(caught.value)


def test_a_missing_file(stored):
    (stored[0] / "o.npz").unlink()
    refused(stored, "the file is missing; restore it with git")


def test_a_changed_byte_and_a_cut_file(stored):
    path = stored[0] / "o.npz"
    content = path.read_bytes()
    for damaged in (content[:-1], content[:100] + b"x" + content[101:], b"", content + b"\0"):
        path.write_bytes(damaged)
        refused(stored, "is not the file that the baseline names")


def test_a_swapped_file(stored):
    write_outcomes(stored[0] / "o.npz", classifier(seed=1), PSEUDONYMS)
    refused(stored, "is not the file that the baseline names")


def test_a_swapped_file_with_its_own_sha256(stored):
    ref = write_outcomes(stored[0] / "o.npz", classifier(seed=1), PSEUDONYMS)
    refused(stored, "its ids are not those of this run's samples", sha256=ref.sha256)


def test_another_key(stored):
    folder, ref, current = stored
    with pytest.raises(BaselineError, match="its samples are not those of this run"):
        read_outcomes(folder, ref, OTHER, current)


@pytest.mark.parametrize(
    "changed",
    [{"sample_id": np.arange(200)}, {"y_true": np.ones(200)}, {"sample_id": None}, {"cluster": np.arange(200)}],
    ids=["ids", "labels", "no_ids", "clusters"],
)
def test_other_samples(stored, changed):
    folder, ref, _ = stored
    with pytest.raises(BaselineError, match=r"are not those of this run .*compare unpaired"):
        read_outcomes(folder, ref, PSEUDONYMS, classifier(**changed))


def test_other_labels_in_the_file(stored):
    """The fingerprint is that of the run, the file is another's: a baseline that somebody put together."""
    folder, ref, current = stored
    other = write_outcomes(folder / "o.npz", classifier(y_true=~current.y_true), PSEUDONYMS)
    with pytest.raises(BaselineError, match="its labels are not those"):
        read_outcomes(folder, replace(other, fingerprint=ref.fingerprint), PSEUDONYMS, current)


def repacked(stored, change):
    """Change the arrays of the stored file, and the reference's sha256 with them."""
    folder = stored[0]
    with np.load(folder / "o.npz") as entry:
        arrays = change({name: entry[name] for name in entry.files})
    np.savez_compressed(folder / "o.npz", **arrays)
    return hashlib.sha256((folder / "o.npz").read_bytes()).hexdigest()


FOREIGN = [
    (lambda a: a | {"note": np.zeros(3)}, "is no outcomes file"),
    (lambda a: {k: v for k, v in a.items() if k != "error_exponent"}, "missing or too many"),
    (lambda a: {k: v for k, v in a.items() if k not in ("error", "uncertainty")}, "missing or too many"),
    (lambda a: {k: v for k, v in a.items() if k != "ids"}, "missing or too many"),
    (lambda a: {k: v for k, v in a.items() if k == "ids"}, "missing or too many"),
    (lambda a: a | {"ids": a["ids"][:-1]}, re.escape("ids is uint64 (199,), must be uint64 (200,)")),
    (lambda a: a | {"ids": a["ids"].astype("<i8")}, "ids is int64"),
    (lambda a: a | {"y_pred": a["y_pred"].astype(bool)}, "y_pred is bool"),
    (lambda a: a | {"error": a["error"].astype("<f4")}, "unpacks to more|error is float32"),
    (lambda a: a | {"error": np.full(200, np.nan, "<f2")}, "error: holds values that are no error"),
    (lambda a: a | {"y_score_exponent": np.array(0, "<i2")}, "y_score: holds values"),
    (lambda a: a | {"uncertainty": -a["uncertainty"]}, "uncertainty: holds values"),
    (lambda a: a | {"error": np.array([{}] * 200, dtype=object)}, "is no outcomes file|unpacks to more"),
    (lambda a: a | {"error": np.array([{}], dtype=object)}, "is no outcomes file"),
    (lambda a: a | {"error": np.zeros(1_000_000, "<f2")}, "unpacks to more than 200 samples"),
]


@pytest.mark.parametrize(("change", "message"), FOREIGN, ids=range(len(FOREIGN)))
def test_a_foreign_layout(stored, change, message):
    refused(stored, message, sha256=repacked(stored, change))


def test_a_file_that_is_no_zip(stored):
    folder = stored[0]
    for content in (b"hello", b"PK\x03\x04" + b"\0" * 40, _npy(np.zeros(3))):
        (folder / "o.npz").write_bytes(content)
        refused(stored, "is no outcomes file", sha256=hashlib.sha256(content).hexdigest())


def test_a_huge_file_is_not_read(stored):
    with (stored[0] / "o.npz").open("ab") as file:
        file.truncate(1 << 40)  # all hole: more than any memory holds
    refused(stored, "holds more than .* bytes, which no such file does")


def _npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()
