"""`benchmarks.kills`, small: what it finds, and that it finds what is damaged."""

from __future__ import annotations

import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL and resource limits")


def test_killed_gates_and_updates_at_once_leave_everything_readable_and_the_same_numbers(capsys):
    from benchmarks.kills import main

    assert main(["--kills", "3", "--round", "3", "--at-once", "2", "--no-no-room"]) == 0
    out = capsys.readouterr().out
    assert "3 kills: killed 3, rounds 1, unreadable 0, other numbers 0" in out
    assert "2 updates at once: unreadable 0, other numbers 0, exit 0 4" in out


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("fairness-baseline.json", b"{"),
        (".fairness-baseline.key", b"0123"),
        (".gitignore", b".fairness-base"),
        ("a.log", b"fairness-checks-entry 1 torn\n"),
        ("a.entry", b"fairness-checks-entry 1 torn"),
    ],
)
def test_what_is_damaged_is_found(tmp_path, name, content):
    from benchmarks.kills import Project

    project = Project(tmp_path / "project")
    assert project.problems() == []
    (project.folder / name).write_bytes(content)
    (project.folder / name).chmod(0o600)
    assert len(project.problems()) == 1
