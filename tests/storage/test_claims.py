"""Parts of work that several processes do together: each is claimed once, and a killed one's are free again."""

from __future__ import annotations

import platform
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from fairness_checks.storage.claims import Claims
from fairness_checks.storage.entries import key_digest
from fairness_checks.storage.locks import locked

PARTS = [key_digest(str(number)) for number in range(8)]
OTHER = """
import sys, time
from pathlib import Path
from fairness_checks.storage.claims import Claims

claims = Claims(Path(sys.argv[1]))
with claims.held():
    print(len(claims.take(sys.argv[2:], 3)), flush=True)
    time.sleep(600)
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "results.run"


def test_a_part_is_claimed_by_one_alone_and_free_when_that_one_has_ended(path):
    one, two = Claims(path), Claims(path)
    with one.held():
        assert one.take(PARTS, 3) == PARTS[:3]
        with two.held():
            assert two.take(PARTS, 9) == PARTS[3:]
            assert one.take(PARTS, 9) == PARTS[:3]
            assert one.take(PARTS[1:], 1) == PARTS[1:2]  # in place of those
            assert two.take(PARTS, 9) == [PARTS[0], *PARTS[2:]]
        assert one.take(PARTS, 9) == PARTS
    assert [each.name for each in path.parent.iterdir()] == ["results.run.lock"]


def test_what_a_killed_process_had_claimed_is_free(path):
    command = [sys.executable, "-c", OTHER, str(path), *PARTS]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "3\n"
        claims = Claims(path)
        with claims.held():
            assert claims.take(PARTS, 9) == PARTS[3:]
            ((claimant, parts),) = claims.others().items()
            assert (claimant.process, parts) == (str(other.pid), PARTS[:3])
            assert abs(datetime.now(UTC) - datetime.fromisoformat(f"{claimant.since}+00:00")) < timedelta(minutes=5)
            other.send_signal(signal.SIGKILL)
            other.wait()
            assert claims.take(PARTS, 9) == PARTS
    assert [each.name for each in path.parent.iterdir()] == ["results.run.lock"]


@pytest.mark.parametrize("ended", ["while another is at work", "after all others"])
def test_one_that_was_killed_while_it_waited_leaves_no_lock(path, ended):
    with subprocess.Popen([sys.executable, "-c", OTHER, str(path)], stdout=subprocess.PIPE, text=True) as waiter:
        assert waiter.stdout is not None
        assert waiter.stdout.readline() == "0\n"
        if ended == "after all others":
            waiter.kill()
            waiter.wait()
        with Claims(path).held():
            waiter.kill()
            waiter.wait()
    assert [each.name for each in path.parent.iterdir()] == ["results.run.lock"]


@pytest.mark.parametrize("content", [b"", b"\xff\n", b"../../x 1\n", b"0123456789abcdef " + b"0" * 64, b"a b c\n"])
def test_what_is_no_claim_claims_nothing(path, content):
    path.write_bytes(content)
    claims = Claims(path)
    with claims.held():
        assert claims.take(PARTS, 9) == PARTS


@pytest.mark.parametrize("host", ["ward\x1b[31m", "ward 3", "h" * 65, ""])
def test_a_host_that_would_not_be_text_for_a_terminal_claims_nothing(path, host):
    with locked(path.with_name(f"{path.name}.{'0' * 16}.lock")):
        for each, found in ((host, []), ("ward", ["ward"])):
            path.write_text(f"{'0' * 16} 1 {each} 2026-11-29 11:00:00 {PARTS[0]}\n")
            assert [one.host for one in Claims(path).others()] == found


@pytest.mark.parametrize("name", ["Zoë's Mac", "h" * 300, ""])
def test_any_name_of_a_machine_is_one_that_is_read(path, name, monkeypatch):
    monkeypatch.setattr(platform, "node", lambda: name)
    one, two = Claims(path), Claims(path)
    with one.held():
        one.take(PARTS, 1)
        assert list(two.others().values()) == [PARTS[:1]]


def test_what_stands_in_the_place_of_claims_is_an_error(path, odd_file):
    odd_file.put(path)
    claims = Claims(path)
    with claims.held(), pytest.raises(OSError, match=odd_file.says):
        claims.take(PARTS, 9)
