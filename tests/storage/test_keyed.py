"""Entries and logs: verified when they are read, appended by many, torn by kills and full disks."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import textwrap
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairness_checks.storage import keyed
from fairness_checks.storage.entries import key_digest, packed, unpacked
from fairness_checks.storage.keyed import KeyedStore, Log, file_name
from tests.builders import instead

DATE = "2027-06-30T12:00:00Z"


@given(st.text(), st.binary())
def test_what_was_packed_is_unpacked(key, body):
    entry = unpacked(packed(key_digest(key), body, DATE))
    assert (entry.key, entry.date, entry.body) == (key_digest(key), DATE, body)


@given(st.binary(max_size=40), st.data())
def test_any_other_bytes_are_no_entry(body, data):
    good = packed(key_digest("key"), body, DATE)
    at = data.draw(st.integers(0, len(good) - 1))
    flipped = bytearray(good)
    flipped[at] ^= 1 << data.draw(st.integers(0, 7))
    assert unpacked(bytes(flipped)) is None
    assert unpacked(good[:at]) is None
    assert unpacked(good + b"\n") is None
    assert unpacked(good + good) is None


def test_the_date_is_that_of_writing_in_utc():
    before = datetime.now(UTC).replace(microsecond=0)
    date = unpacked(packed(key_digest("key"), b"")).date
    assert before <= datetime.fromisoformat(date) <= datetime.now(UTC)


def test_layout_1_stays_readable():
    """Bytes as version 1 wrote them: this text is never to change."""
    key = "2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683"
    digest = "eeee0b01218923b1751ddaeb6e0e1fcd944fd3f1f5493dd46109b3f9694cb96d"
    assert key_digest("key") == key
    assert packed(key, b"body", DATE).decode() == f"fairness-checks-entry 1 {DATE} {key} 4 {digest} body\n"


def test_an_entry_is_found_by_name_and_key_only(tmp_path):
    store = KeyedStore(tmp_path / "made" / "here")
    with store.locked("name", "key"):
        store.write("name", "key", b"one\ntwo")
    assert store.read("name", "key").body == b"one\ntwo"
    assert store.read("other", "key") is None
    assert store.read("name", "other") is None
    store.path("name", "key").rename(store.path("name", "other"))
    assert store.read("name", "other") is None  # as if both keys had the same first 16 digits


def test_names_of_files_are_plain_and_short():
    assert file_name("../ward 7/" + "x" * 100) == "_ward_7_" + "x" * 30
    assert file_name("...") == ""


# --- logs


def bodies(log):
    return {entry.body for entry in log.read()[0].values()}


@pytest.mark.parametrize("cut", [1, 7, 60, 200])
def test_a_torn_tail_is_ignored_and_cut_off_by_the_next_line(tmp_path, cut):
    log = Log(tmp_path / "a.log")
    for name in "abc":
        log.append(name, name.encode())
    whole = log.path.read_bytes()
    line = len(whole) // 3
    log.path.write_bytes(whole[: -min(cut, line - 1)])
    found, end = log.read()
    assert ({entry.body for entry in found.values()}, end) == ({b"a", b"b"}, 2 * line)
    log.append("d", b"d")
    assert bodies(log) == {b"a", b"b", b"d"}
    assert len(log.path.read_bytes()) == 3 * line


def test_a_torn_tail_longer_than_a_block_is_cut_off(tmp_path):
    log = Log(tmp_path / "a.log")
    log.append("a", b"a")
    with log.path.open("ab") as file:
        file.write(b"x" * 200_000)
    log.append("b", b"b")
    assert bodies(log) == {b"a", b"b"}
    log.path.write_bytes(b"x" * 200_000)
    log.append("c", b"c")
    assert bodies(log) == {b"c"}


def test_a_log_is_followed_from_where_it_was_read(tmp_path):
    log = Log(tmp_path / "a.log")
    assert log.read() == ({}, 0)
    log.append("a", b"a")
    first, end = log.read()
    log.append("b", b"b")
    second, last = log.read(end)
    assert [entry.body for entry in (*first.values(), *second.values())] == [b"a", b"b"]
    assert log.read(last) == ({}, last)


def test_a_body_of_two_lines_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no line feed"):
        Log(tmp_path / "a.log").append("a", b"1\n2")


def test_a_log_on_a_full_disk_is_as_it_was(tmp_path, monkeypatch):
    log = Log(tmp_path / "a.log")
    log.append("a", b"a")
    before = log.path.read_bytes()

    def full(descriptor, content):
        if len(content) < 50:
            raise OSError(errno.ENOSPC, "No space left on device")
        return os.write(descriptor, content[: len(content) - 49])

    monkeypatch.setattr(keyed, "os", instead(os, write=full))
    with pytest.raises(OSError, match="No space left"):
        log.append("b", b"b")
    assert log.path.read_bytes() == before


def test_what_is_no_log_is_not_appended_to(tmp_path, odd_file):
    log = Log(tmp_path / "a.log")
    odd_file.put(log.path)
    assert log.read() == ({}, 0)
    with pytest.raises(OSError, match=odd_file.says):
        log.append("a", b"a")


def test_many_processes_append_and_kills_lose_no_whole_line(tmp_path):
    """Eight processes append long lines; half of them are killed in the middle."""
    code = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from fairness_checks.storage.keyed import Log
        log, name = Log(Path(sys.argv[1])), sys.argv[2]
        for number in range(int(sys.argv[3])):
            log.append(f"{name} {number}", f"{name} {number} ".encode() * 20_000)
            print(number, flush=True)
        """
    )
    path = tmp_path / "a.log"

    def start(name, count):
        command = [sys.executable, "-c", code, str(path), name, str(count)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    killed = [start(f"k{n}", 10_000) for n in range(4)]
    finished = [start(f"f{n}", 10) for n in range(4)]
    said = [0] * 4
    for process in finished:
        process.communicate(timeout=300)
    for turn, process in enumerate(killed):
        for line in process.stdout:
            said[turn] = int(line)
            if said[turn] >= 3:
                break
        process.kill()
        said[turn] = max([said[turn], *(int(line) for line in process.stdout.read().split())])
        process.wait()
        process.stdout.close()
    Log(path).append("last", b"last")
    found = bodies(Log(path))
    for n in range(4):
        for name, last in ((f"f{n}", 9), (f"k{n}", said[n])):
            assert all(f"{name} {number} ".encode() * 20_000 in found for number in range(last + 1))
    assert path.read_bytes().count(b"\n") == len(found)  # and nothing torn is left
