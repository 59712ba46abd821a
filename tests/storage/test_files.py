"""Regular files: read with a bound, written whole or not at all; anything else is one clear OSError."""

from __future__ import annotations

import errno
import os
import secrets
import stat
import threading

import pytest
from filelock import Timeout

from fairness_checks.storage import files
from fairness_checks.storage.files import open_regular, read_regular, remove_leftovers, write_atomically
from fairness_checks.storage.locks import locked
from tests.builders import instead


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("use", [read_regular, open_regular, lambda path: write_atomically(path, b"new")])
def test_what_is_no_regular_file_is_neither_read_nor_replaced(tmp_path, odd_file, use):
    path = tmp_path / "entry"
    odd_file.put(path)
    before = path.lstat()
    with pytest.raises(OSError, match=odd_file.says) as caught:
        use(path)
    assert caught.value.strerror
    after = path.lstat()
    assert (after.st_ino, after.st_mode) == (before.st_ino, before.st_mode)
    assert names(tmp_path) == ["entry"]


def test_a_lock_is_no_such_thing_either(tmp_path, odd_file):
    odd_file.put(tmp_path / ".lock")
    with pytest.raises(OSError, match=odd_file.says) as caught, locked(tmp_path / ".lock"):
        pass
    assert caught.value.strerror


def test_a_lock_never_empties_what_a_link_leads_to(tmp_path):
    (tmp_path / "mine").write_bytes(b"mine")
    (tmp_path / ".lock").symlink_to(tmp_path / "mine")
    with pytest.raises(OSError, match="is a symbolic link, which no lock is"), locked(tmp_path / ".lock"):
        pass
    assert (tmp_path / "mine").read_bytes() == b"mine"


def test_a_lock_is_held_by_one_and_is_free_afterwards(tmp_path):
    path = tmp_path / ".lock"
    for _ in range(2):
        with locked(path), pytest.raises(Timeout), locked(path, timeout=0.05):
            pass


def test_a_missing_file_is_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_regular(tmp_path / "no")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NotADirectoryError):
        read_regular(tmp_path / "file" / "no")


def test_a_link_to_a_file_is_read_and_the_link_itself_replaced(tmp_path):
    (tmp_path / "there").write_bytes(b"old")
    (tmp_path / "link").symlink_to("there")
    assert read_regular(tmp_path / "link") == b"old"
    write_atomically(tmp_path / "link", b"new")
    assert not (tmp_path / "link").is_symlink()
    assert [read_regular(tmp_path / name) for name in ("there", "link")] == [b"old", b"new"]


def test_sizes_are_bounded(tmp_path):
    path = tmp_path / "file"
    write_atomically(path, b"12345")
    assert read_regular(path, most=5) == b"12345"
    with pytest.raises(OSError, match="holds more than 4 bytes"):
        read_regular(path, most=4)
    with path.open("r+b") as file:
        file.truncate(1 << 40)  # all hole: one block on disk
    with pytest.raises(OSError, match="holds more than 1,073,741,824 bytes"):
        read_regular(path)


def test_a_pipe_that_takes_the_place_while_it_is_opened_is_noticed(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_bytes(b"x")

    def swapped(name, *arguments, **options):
        path.unlink()
        os.mkfifo(path)
        return os.open(name, *arguments, **options)

    monkeypatch.setattr(files, "os", instead(os, open=swapped))
    with pytest.raises(OSError, match="is a named pipe"):
        read_regular(path)


@pytest.mark.parametrize(
    ("existing", "asked", "umask", "expected"),
    [
        (None, None, 0o022, 0o644),
        (None, None, 0o077, 0o600),
        (0o664, None, 0o022, 0o664),
        (0o600, None, 0o022, 0o600),
        (None, 0o600, 0o000, 0o600),
        (0o644, 0o600, 0o022, 0o600),
    ],
)
def test_permissions(tmp_path, existing, asked, umask, expected):
    path, before = tmp_path / "file", os.umask(umask)
    try:
        if existing is not None:
            path.write_bytes(b"old")
            path.chmod(existing)
        write_atomically(path, b"new", mode=asked)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == expected


FAILING = ["open", "fsync", "write", "replace"]


@pytest.mark.parametrize("step", FAILING)
def test_a_failure_at_any_step_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, step):
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    if step == "write":
        monkeypatch.setattr(files, "os", instead(os, fdopen=lambda descriptor, mode: Full(descriptor)))
    elif step == "replace":
        monkeypatch.setattr(files.Path, "replace", full)
    else:
        monkeypatch.setattr(files, "os", instead(os, **{step: full}))
    with pytest.raises(OSError, match="No space left on device"):
        write_atomically(path, b"new")
    monkeypatch.undo()
    assert (path.read_bytes(), names(tmp_path)) == (b"old", ["file"])


class Full:
    """A file on a full disk, which says so when it is closed."""

    def __init__(self, descriptor):
        self.descriptor = descriptor

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.descriptor)
        raise OSError(errno.ENOSPC, "No space left on device")

    def write(self, content):
        os.write(self.descriptor, content[:1])

    flush = fileno = lambda self: self.descriptor


def test_a_planted_name_is_not_written_through(tmp_path, monkeypatch):
    (tmp_path / "mine").write_bytes(b"mine")
    monkeypatch.setattr(files, "secrets", instead(secrets, token_hex=lambda n: "0" * 16))
    (tmp_path / f".file.{'0' * 16}.tmp").symlink_to("mine")
    with pytest.raises(FileExistsError):
        write_atomically(tmp_path / "file", b"new")
    assert (tmp_path / "mine").read_bytes() == b"mine"


def test_leftovers_of_a_file_go_and_nothing_else(tmp_path):
    kept = ["file", f".other.{'0' * 16}.tmp", ".file.tmp", ".file.xyz.tmp", f".file.{'0' * 16}.tmp.more"]
    for name in [*kept, f".file.{'a' * 16}.tmp"]:
        (tmp_path / name).write_bytes(b"")
    (tmp_path / f".file.{'b' * 16}.tmp").mkdir()  # nobody's, and in nobody's way
    remove_leftovers(tmp_path, "file")
    assert names(tmp_path) == sorted([*kept, f".file.{'b' * 16}.tmp"])
    remove_leftovers(tmp_path / "no-such-folder", "file")
    remove_leftovers(tmp_path)
    assert f".other.{'0' * 16}.tmp" not in names(tmp_path)


def test_of_many_writers_one_wins_whole(tmp_path):
    path = tmp_path / "file"
    contents = [bytes([number]) * 100_000 for number in range(8)]
    threads = [threading.Thread(target=write_atomically, args=(path, content)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_bytes() in contents
    assert names(tmp_path) == ["file"]
