"""identity_of: what is declared counts by content, and what cannot be read is one clear error."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fairness_checks import Predictions
from fairness_checks.errors import ConfigurationError
from fairness_checks.storage.identity import identity_of, read_declared
from fairness_checks.sweep import DataSet, TrainableModel


def fit(train, rng):
    return train.outcome.mean()


def predict(fitted, test):
    return Predictions(test.outcome, y_score=[fitted] * len(test), sensitive_features=test.sensitive_features)


def key(declared):
    return identity_of((fit, predict), read_declared(declared)).key


def test_a_file_counts_by_its_content_and_a_folder_by_all_of_its_files(tmp_path):
    file, folder = tmp_path / "weights.pt", tmp_path / "tables"
    (folder / "deep").mkdir(parents=True)
    file.write_bytes(b"one")
    (folder / "deep" / "a.csv").write_text("1")
    declared = [file, folder]
    seen = [key(declared)]
    os.utime(file, (1, 1))
    assert key(declared) == seen[0]
    for change in (
        lambda: file.write_bytes(b"two"),
        lambda: (folder / "deep" / "a.csv").write_text("2"),
        lambda: (folder / "b.csv").write_text(""),
        lambda: (folder / "b.csv").rename(folder / "c.csv"),
        lambda: (folder / "deep" / "a.csv").rename(folder / "a.csv"),
    ):
        change()
        seen.append(key(declared))
    assert all(seen.count(each) == 1 for each in seen)


def test_two_files_of_one_content_are_told_apart(tmp_path):
    for name in ("weights.txt", "image.txt"):
        (tmp_path / name).write_bytes(b"0.5")
    assert key([tmp_path / "weights.txt"]) != key([tmp_path / "image.txt"])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["1"], ["2"]),
        (["1"], [1]),
        ([1, 2], [2, 1]),
        ([{"a": 1}], [{"a": 2}]),
        ([np.zeros(2)], [np.ones(2)]),
        ({"a": 1}, {"b": 1}),
        ({"a": 1}, [1]),
        ([], [None]),
    ],
    ids=str,
)
def test_values_count(one, other):
    assert key(one) == key(one) != key(other)


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        (lambda path: [path / "gone"], r"depends_on\[0\]: .*gone: No such file or directory; name a file or folder"),
        (lambda path: {"weights": path / "gone"}, r"depends_on\[weights\]: .*gone: No such file"),
        (lambda path: path, r"depends_on: .* must be a list, such as"),
        (lambda path: "weights.pt", r"depends_on: 'weights.pt' must be a list"),
        (lambda path: None, "depends_on: None must be a list"),
        (lambda path: [str(path / "there")], r"depends_on\[0\]: '.*there' is text that names a file; write Path\("),
        (lambda path: [threading.Lock()], r"depends_on\[0\]: lock is or holds what cannot be read"),
        (lambda path: {1: "a"}, "depends_on: the name 1 must be text"),
    ],
    ids=["missing", "missing by name", "a path", "text", "none", "text of a file", "lock", "name"],
)
def test_what_cannot_be_read_is_one_clear_error(tmp_path, declared, message):
    (tmp_path / "there").write_text("")
    data = DataSet({"x": [1, 2]}, [0, 1], {"sex": ["f", "m"]})
    with pytest.raises(ConfigurationError, match=message):
        TrainableModel(data, fit, predict, depends_on=declared(tmp_path))


def test_a_file_that_goes_later_is_the_same_error(tmp_path):
    file = tmp_path / "weights.pt"
    file.write_bytes(b"one")
    model = TrainableModel(DataSet({"x": [1, 2]}, [0, 1], {"sex": ["f", "m"]}), fit, predict, depends_on=[file])
    file.unlink()
    with pytest.raises(ConfigurationError, match=r"depends_on\[0\]: .*weights.pt: No such file"):
        model.identity()


def test_a_pipe_is_not_waited_for(tmp_path):
    (tmp_path / "folder").mkdir()
    for pipe in (tmp_path / "pipe", tmp_path / "folder" / "pipe"):
        os.mkfifo(pipe)
    for declared in (tmp_path / "pipe", tmp_path / "folder", Path("/dev/zero")):
        with pytest.raises(ConfigurationError, match="not a regular file"):
            key([declared])


def frame(**changes):
    made = pd.DataFrame({"x": [1, 2], "y": ["a", "b"]})
    for name, change in changes.items():
        made = change(made) if callable(change) else made
        if name == "attrs":
            made.attrs.update(change)
    return made


FRAMES = {
    "base": frame(),
    "value": frame(value=lambda made: made.assign(x=[1, 3])),
    "dtype": frame(value=lambda made: made.astype({"x": float})),
    "text dtype": frame(value=lambda made: made.astype({"y": object if str(made["y"].dtype) == "str" else "string"})),
    "category": frame(value=lambda made: made.astype({"y": "category"})),
    "attrs": frame(attrs={"unit": "mmHg"}),
    "other attrs": frame(attrs={"unit": "kPa"}),
    "order of columns": frame(value=lambda made: made[["y", "x"]]),
}


def test_all_of_a_frame_counts_but_how_it_lies_in_memory():
    def identity(features):
        return TrainableModel(DataSet(features, [0, 1], {"sex": ["f", "m"]}), fit, predict).identity().key

    keys = {name: identity(features) for name, features in FRAMES.items()}
    assert [name for name, one in keys.items() if list(keys.values()).count(one) > 1] == []
    blocks = pd.concat([FRAMES["base"][["x"]], FRAMES["base"][["y"]]], axis=1)
    assert identity(blocks) == identity(FRAMES["base"].iloc[[0, 1]].copy()) == keys["base"]


def test_the_same_samples_keep_their_ids_whatever_is_said_of_them():
    made = [DataSet(FRAMES[name], [0, 1], {"sex": ["f", "m"]}).fingerprint() for name in ("base", "attrs")]
    assert made[0] == made[1]


def test_the_class_of_a_pickled_object_is_declared_beside_its_file(tmp_path):
    file = tmp_path / "net.pkl"
    file.write_bytes(b"pickled")

    def key(factor):
        class Net:
            def predict(self, x):
                return x * factor

        return identity_of([len], read_declared([file, Net])).key["depends_on"]

    assert key(2) == key(2) != key(3)
