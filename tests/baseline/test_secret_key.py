"""The key of the pseudonyms: where it is found, how it is made, and what is no key or is not kept as one."""

from __future__ import annotations

import stat
import subprocess
import threading

import pytest

from fairness_checks.baseline import secret_key
from fairness_checks.baseline.fingerprint import Pseudonyms
from fairness_checks.baseline.outcomes import write_outcomes
from fairness_checks.baseline.secret_key import VARIABLE, find_key, key_file
from fairness_checks.baseline.store import claim_key, update_baseline
from fairness_checks.errors import BaselineError

ONE, OTHER = "0f" * 32, "a1" * 32


@pytest.fixture(autouse=True)
def _no_key_of_the_machine(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)


@pytest.fixture
def path(tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    return folder / "fairness-baseline.json"


def git(path, *arguments):
    subprocess.run(["git", *arguments], cwd=path.parent, check=True, capture_output=True)


@pytest.fixture
def repository(path):
    git(path, "init", "-q")
    return path


def put(path, text=ONE + "\n", mode=0o600, ignored=True):
    if ignored:
        (path.parent / ".gitignore").write_text(f"{key_file(path).name}\n")
    key_file(path).write_text(text)
    key_file(path).chmod(mode)


def test_without_both_there_is_none(path):
    assert find_key(path) is None


def test_the_environment_comes_before_the_file_and_an_empty_variable_is_none(repository, monkeypatch):
    put(repository)
    assert find_key(repository).secret == bytes.fromhex(ONE)
    monkeypatch.setenv(VARIABLE, f" {OTHER}\n")
    assert find_key(repository).secret == bytes.fromhex(OTHER)
    monkeypatch.setenv(VARIABLE, "")
    assert find_key(repository).secret == bytes.fromhex(ONE)


def test_the_id_is_that_of_the_key_and_not_the_key(path, monkeypatch):
    ids = set()
    for text in (ONE, OTHER, ONE.upper()):
        monkeypatch.setenv(VARIABLE, text)
        key = find_key(path)
        ids.add(key.id)
        assert key.id not in text
        assert text[:8] not in repr(key)
    assert len(ids) == 2


@pytest.mark.parametrize("text", ["", "\n", "0f" * 31, "0f" * 33, "0g" * 32, "password", "\xff" * 64, "0f" * 5000])
@pytest.mark.parametrize("place", ["file", "environment"])
def test_what_is_no_key_is_one_error_that_does_not_show_it(repository, monkeypatch, text, place):
    if place == "environment":
        if not text.strip():
            pytest.skip("an empty variable is none")
        monkeypatch.setenv(VARIABLE, text)
    else:
        put(repository, text)
    with pytest.raises(BaselineError, match=r"holds .*; a key is 64 hexadecimal digits") as caught:
        find_key(repository)
    message = str(caught.value)
    assert (f"${VARIABLE}" if place == "environment" else key_file(repository).name) in message
    assert not text.strip() or text.strip()[:8] not in message


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o666, 0o610])
def test_a_key_that_others_can_read_is_refused(repository, mode):
    put(repository, mode=mode)
    with pytest.raises(BaselineError, match=rf"mode {mode:o}: others than its owner .*chmod 600"):
        find_key(repository)


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_key_that_only_its_owner_can_read_is_taken(repository, mode):
    put(repository, mode=mode)
    assert find_key(repository).secret == bytes.fromhex(ONE)


def test_what_stands_in_the_place_of_the_key_is_one_error(path, odd_file):
    odd_file.put(key_file(path))
    with pytest.raises(BaselineError, match=rf"\.fairness-baseline\.key: the key cannot be read: {odd_file.says}"):
        find_key(path)
    with pytest.raises(BaselineError, match="the key cannot be read"):
        claim_key(path)


def test_git_must_not_see_the_key(repository):
    put(repository, ignored=False)
    with pytest.raises(BaselineError, match=r"git does not ignore the key; write the line \.fairness-baseline\.key"):
        find_key(repository)
    put(repository)
    assert find_key(repository)
    git(repository, "add", "--force", key_file(repository).name)
    with pytest.raises(BaselineError, match=r"git tracks the key.*git rm --cached.*put a new key"):
        find_key(repository)


def test_where_git_cannot_say_gitignore_itself_is_asked(repository, monkeypatch):
    monkeypatch.setenv("PATH", "")
    put(repository, ignored=False)
    with pytest.raises(BaselineError, match="git does not ignore the key"):
        find_key(repository)
    put(repository)
    assert find_key(repository)


# --- making one


@pytest.mark.parametrize("before", [None, b"", b"build/\n", b"build/", b"*.key\n"])
@pytest.mark.parametrize("under_git", [True, False])
def test_a_key_is_made_with_mode_600_and_hidden_from_git(path, before, under_git):
    if under_git:
        git(path, "init", "-q")
    ignore = path.parent / ".gitignore"
    if before is not None:
        ignore.write_bytes(before)
    key = claim_key(path)
    assert claim_key(path) == find_key(path) == key
    assert stat.S_IMODE(key_file(path).stat().st_mode) == 0o600
    lines = ignore.read_bytes().splitlines()
    old = (before or b"").splitlines()
    assert lines[: len(old)] == old
    assert (b".fairness-baseline.key" in lines) is (before != b"*.key\n" or not under_git)
    if under_git:
        status = subprocess.run(["git", "status", "--porcelain"], cwd=path.parent, capture_output=True, text=True)
        assert ".key" not in status.stdout
        assert b".fairness-baseline.json.lock" in lines
    assert claim_key(path.with_name("nightly.json")).secret != key.secret


def test_where_the_line_does_not_help_the_key_is_not_made(repository):
    (repository.parent / ".gitignore").write_text(".fairness-baseline.key\n!*.key\n")
    with pytest.raises(BaselineError, match="git does not ignore the key"):
        claim_key(repository)
    assert not key_file(repository).exists()


def test_what_stands_in_the_place_of_gitignore_is_one_error_that_names_the_line(repository, odd_file):
    odd_file.put(repository.parent / ".gitignore")
    with pytest.raises(BaselineError, match=rf"{odd_file.says}.*write the line \.fairness-baseline\.key into"):
        claim_key(repository)
    assert not key_file(repository).exists()


def test_a_full_disk_leaves_no_half_key(repository, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(secret_key, "write_atomically", full)
    with pytest.raises(BaselineError, match=r"No space left on device; so no key .*\$FAIRNESS_BASELINE_KEY"):
        claim_key(repository)
    assert not key_file(repository).exists()


def test_two_first_runs_at_a_time_make_one_key(path):
    found = []
    threads = [threading.Thread(target=lambda: found.append(claim_key(path).secret)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


def test_no_key_is_made_beside_pseudonyms_of_another(path, make, tmp_path, monkeypatch):
    from test_store import outcomes

    monkeypatch.setenv(VARIABLE, ONE)
    key = claim_key(path)
    ref = write_outcomes(tmp_path / "a.npz", outcomes(1), Pseudonyms(key))
    model = make.model(outcomes=ref, data_fingerprint=ref.fingerprint)
    update_baseline(path, lambda old: make.baseline(a=model), {"a": tmp_path / "a.npz"})
    monkeypatch.delenv(VARIABLE)
    with pytest.raises(BaselineError, match=rf"made with the key {key.id}, which is not here. Give it as \$"):
        claim_key(path)
    assert sorted(file.name for file in path.parent.iterdir()) == [
        ".fairness-baseline.json.lock",
        "fairness-baseline",
        "fairness-baseline.json",
    ]
    monkeypatch.setenv(VARIABLE, OTHER)  # on purpose
    assert claim_key(path).secret == bytes.fromhex(OTHER)
