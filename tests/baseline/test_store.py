"""Replacing a baseline: killed at every step, two at a time, with files that are not what they should be."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from fairness_checks import Predictions
from fairness_checks.baseline import store
from fairness_checks.baseline.fingerprint import Pseudonyms
from fairness_checks.baseline.outcomes import read_outcomes, rounded, write_outcomes
from fairness_checks.baseline.reading import read_baseline
from fairness_checks.baseline.secret_key import find_key
from fairness_checks.baseline.store import claim_key, update_baseline
from fairness_checks.errors import BaselineError


def outcomes(seed):
    rng = np.random.default_rng(seed)
    truth, score = rng.random(40) < 0.5, rng.random(40)
    sex = np.array(["f", "m"])[rng.integers(0, 2, 40)]
    return Predictions(truth, y_score=score, sample_id=np.arange(40), sensitive_features={"sex": sex})


@pytest.fixture
def path(tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    return folder / "fairness-baseline.json"


class Updating:
    """Updates of a baseline with the outcomes of models."""

    def __init__(self, make, staging):
        self.make, self.staging = make, staging

    def __call__(self, path, **seeds):
        key = claim_key(path)
        staged = {name: self.staging / f"{name}.npz" for name in seeds}
        refs = {name: write_outcomes(staged[name], outcomes(seed), Pseudonyms(key)) for name, seed in seeds.items()}
        models = {name: self.make.model(outcomes=ref, data_fingerprint=ref.fingerprint) for name, ref in refs.items()}
        return update_baseline(path, lambda old: self.make.merged(old, models), staged)


@pytest.fixture
def update(make, tmp_path):
    return Updating(make, tmp_path)


def files(path):
    """Return all files of the project but the lock, the key and what keeps that from git."""
    found = (file.relative_to(path.parent).as_posix() for file in path.parent.rglob("*") if file.is_file())
    return sorted(name for name in found if not name.endswith((".lock", ".key", ".gitignore")))


def whole(path, seeds):
    """Assert that a baseline finds all of its outcomes, and that they are those of the seeds."""
    baseline = read_baseline(path)
    assert set(baseline.models) == set(seeds)
    for name, seed in seeds.items():
        found = read_outcomes(path.parent, baseline.models[name].outcomes, Pseudonyms(find_key(path)), outcomes(seed))
        np.testing.assert_array_equal(found.y_score, rounded(outcomes(seed)).y_score)


def test_files_have_names_of_their_content_and_go_when_no_longer_named(path, update):
    first = update(path, a=1, b=2)
    names = [first.models[m].outcomes.file for m in ("a", "b")]
    assert names == [f"fairness-baseline/{m}-{first.models[m].outcomes.sha256[:12]}.npz" for m in ("a", "b")]
    assert files(path) == sorted(["fairness-baseline.json", *names])
    assert read_baseline(path) == first
    (path.parent / "fairness-baseline" / "notes.txt").write_text("mine")
    second = update(path, a=3)
    whole(path, {"a": 3, "b": 2})
    kept = ["fairness-baseline/notes.txt", names[1], second.models["a"].outcomes.file]
    assert files(path) == sorted(["fairness-baseline.json", *kept])
    assert {model.outcomes.key for model in second.models.values()} == {find_key(path).id}


def test_the_same_again_changes_no_byte(path, update):
    update(path, a=1, b=2)
    before = {name: (path.parent / name).read_bytes() for name in files(path)}
    update(path, b=2, a=1)
    assert {name: (path.parent / name).read_bytes() for name in files(path)} == before


def test_a_damaged_file_is_mended_by_the_same_again(path, update):
    baseline = update(path, a=1)
    (path.parent / baseline.models["a"].outcomes.file).write_bytes(b"damaged")
    with pytest.raises(BaselineError, match="is not the file that the baseline names"):
        whole(path, {"a": 1})
    update(path, a=1)
    whole(path, {"a": 1})


def test_two_baselines_in_one_folder_leave_each_other_alone(path, update):
    other = path.with_name("nightly.json")
    update(path, a=1)
    update(other, a=2)
    update(path, a=3)
    whole(path, {"a": 3})
    whole(other, {"a": 2})


def test_a_baseline_without_outcomes_has_no_folder(path, make, update):
    update(path, a=1)
    update_baseline(path, lambda old: make.baseline(a=make.model()))
    assert files(path) == ["fairness-baseline.json"]
    assert not (path.parent / "fairness-baseline").exists()


# --- what is never done


def test_what_cannot_be_read_is_never_overwritten(path, make):
    path.write_text("<<<<<<< HEAD\n", encoding="utf-8")
    with pytest.raises(BaselineError, match="merge conflict"):
        update_baseline(path, lambda old: make.baseline())
    assert path.read_text(encoding="utf-8") == "<<<<<<< HEAD\n"


def test_nothing_is_written_when_the_change_raises_or_cannot_be_written(path, make, update, tmp_path):
    update(path, a=1)
    before = path.read_bytes()
    wrong = make.model(make.entry(estimate=float("nan")))
    unread = make.model(make.entry(date="yesterday"))
    for change in (
        lambda old: 1 // 0,
        lambda old: make.merged(old, {"b": wrong}),
        lambda old: make.merged(old, {"b": unread}),
    ):
        with pytest.raises((BaselineError, ZeroDivisionError)):
            update_baseline(path, change)
    assert path.read_bytes() == before
    whole(path, {"a": 1})


def test_outcomes_that_are_not_what_is_referred_to(path, make, tmp_path):
    staged = tmp_path / "a.npz"
    ref = write_outcomes(staged, outcomes(1), make.pseudonyms)
    model = make.model(outcomes=ref, data_fingerprint=ref.fingerprint)
    change = lambda old: make.merged(old, {"a": model})  # noqa: E731
    for given, message in [
        ({}, "new outcomes of 'a' without a file"),
        ({"a": staged, "b": staged}, "outcomes of 'b', to which the changed baseline does not refer"),
        ({"a": tmp_path / "no.npz"}, "no.npz: outcomes of 'a' cannot be read"),
    ]:
        with pytest.raises(BaselineError, match=message):
            update_baseline(path, change, given)
    write_outcomes(staged, outcomes(2), make.pseudonyms)
    with pytest.raises(BaselineError, match="is not the file that was written for 'a'"):
        update_baseline(path, change, {"a": staged})
    assert files(path) == []


def test_a_lock_that_is_held(path, make):
    with (
        FileLock(path.with_name(".fairness-baseline.json.lock")),
        pytest.raises(
            BaselineError, match=r"\.fairness-baseline\.json\.lock: another run has held .* for 0\.2 s; wait"
        ),
    ):
        update_baseline(path, lambda old: make.baseline(), timeout=0.2)
    assert update_baseline(path, lambda old: make.baseline(), timeout=0.2) == read_baseline(path)


def test_a_place_that_cannot_be(tmp_path, make):
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    with pytest.raises(BaselineError, match=r"the baseline cannot be locked: .*; make its folder writable"):
        update_baseline(tmp_path / "file" / "b.json", lambda old: make.baseline())
    with pytest.raises(BaselineError, match=r"ends in \.json"):
        update_baseline(tmp_path / "baseline", lambda old: make.baseline())


def test_a_full_disk(path, make, update, monkeypatch):
    update(path, a=1)
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store, "write_atomically", full)
    with pytest.raises(BaselineError, match="cannot be written: No space left on device"):
        update_baseline(path, lambda old: replace(old, models={}))
    assert path.read_bytes() == before


# --- two at a time, and killed

PREPARE = textwrap.dedent(
    """
    import os, signal, sys, time
    from pathlib import Path
    sys.path.insert(0, {here!r})
    from conftest import Make
    from test_store import Updating
    """
).format(here=str(Path(__file__).parent))


def python(code, *arguments):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", PREPARE + textwrap.dedent(code), *map(str, arguments)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_two_first_runs_at_a_time_both_survive(path, tmp_path):
    code = """
        path, staging, prefix = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
        staging.mkdir()
        (staging / "ready").touch()
        while not all((staging.parent / f"staged_{p}" / "ready").exists() for p in "ab"):
            time.sleep(0.001)
        update = Updating(Make, staging)
        for turn in range(8):
            update(path, **{f"{prefix}{turn}": turn, f"{prefix}_last": turn})
    """
    running = [python(code, path, tmp_path / f"staged_{prefix}", prefix) for prefix in "ab"]
    for process in running:
        out, err = process.communicate(timeout=300)
        assert process.returncode == 0, out + err
    seeds = {f"{prefix}{turn}": turn for prefix in "ab" for turn in range(8)}
    whole(path, {**seeds, "a_last": 7, "b_last": 7})
    assert len(files(path)) == 1 + 18


@pytest.mark.skipif(not hasattr(os, "fork"), reason="each step is killed in a fork")
def test_killed_at_every_step_the_baseline_is_the_old_or_the_new_one(path, tmp_path, update, monkeypatch):
    """A trace kills the process at its k-th line in store.py and files.py, for every k until the update ends alive."""
    code = """
        from fairness_checks.baseline import store
        from fairness_checks.storage import files
        from shutil import copytree
        source, turns = Path(sys.argv[1]), Path(sys.argv[2])
        watched = {store.__file__, files.__file__}
        os.fsync = lambda file: None  # against a loss of power, which this is not; it takes most of the time

        def killed_at(step, folder):
            left = step

            def trace(frame, event, argument):
                nonlocal left
                if frame.f_code.co_filename not in watched:
                    return None
                if event == "line":
                    left -= 1
                    if left == 0:
                        os.kill(os.getpid(), signal.SIGKILL)
                return trace

            update = Updating(Make, turns)
            real = store.update_baseline

            def traced(*arguments):
                sys.settrace(trace)
                try:
                    return real(*arguments)
                finally:
                    sys.settrace(None)

            import test_store
            test_store.update_baseline = traced
            update(folder / "fairness-baseline.json", a=11, c=13)

        for step in range(1, 1000):
            folder = turns / f"{step:03}"
            copytree(source, folder)
            child = os.fork()
            if child == 0:
                killed_at(step, folder)
                os._exit(0)
            status = os.waitpid(child, 0)[1]
            if os.WIFEXITED(status):
                assert os.WEXITSTATUS(status) == 0
                break
            assert os.WTERMSIG(status) == signal.SIGKILL
    """
    old, new = {"a": 1, "b": 2}, {"a": 11, "b": 2, "c": 13}
    update(path, **old)
    monkeypatch.setattr(os, "fsync", lambda file: None)
    turns = tmp_path / "turns"
    turns.mkdir()
    process = python(code, path.parent, turns)
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, out + err
    folders = sorted(folder for folder in turns.iterdir() if folder.is_dir())
    seen = []
    for folder in folders:
        copy = folder / path.name
        state = new if "c" in read_baseline(copy).models else old
        whole(copy, state)
        seen.append(state is new)
        update(copy, a=11, c=13)  # the next run finds its way, and cleans up
        whole(copy, new)
        refs = [model.outcomes.file for model in read_baseline(copy).models.values()]
        assert files(copy) == sorted(["fairness-baseline.json", *refs]), folder.name
    assert len(folders) > 60
    assert seen == sorted(seen)  # once the new one is there it stays
    assert sum(seen) > 10
    assert seen.count(False) > 40


def test_a_run_that_was_killed_as_the_first_one(path, update):
    """What claim_key leaves is a key; a half-written file beside the baseline is removed."""
    assert claim_key(path) == claim_key(path)
    assert read_baseline(path) is None
    leftover = path.with_name(f".{path.name}.0123456789abcdef.tmp")
    leftover.write_bytes(b'{"half')
    update(path, a=1)
    whole(path, {"a": 1})
    assert not leftover.exists()


# --- things in the way


def test_what_stands_in_the_place_of_an_outcomes_file_or_the_lock_is_one_error(path, update, odd_file):
    baseline = update(path, a=1)
    file = path.parent / baseline.models["a"].outcomes.file
    before = path.read_bytes()
    odd_file.put(file)
    with pytest.raises(BaselineError, match=rf"{file.name}: cannot be read: {odd_file.says}.*restore it with git"):
        whole(path, {"a": 1})
    with pytest.raises(BaselineError, match=rf"cannot be written: .*{file.name}.*{odd_file.says}"):
        update(path, a=1)
    lock = path.with_name(".fairness-baseline.json.lock")
    odd_file.put(lock)
    with pytest.raises(BaselineError, match=rf"the baseline cannot be locked: {odd_file.says}"):
        update(path, b=1)
    assert path.read_bytes() == before


def test_a_folder_of_outcomes_that_is_a_file_is_one_error(path, update):
    path.with_suffix("").write_text("in the way")
    with pytest.raises(BaselineError, match=r"cannot be written: .*fairness-baseline.*File exists"):
        update(path, a=1)
    assert not path.exists()
