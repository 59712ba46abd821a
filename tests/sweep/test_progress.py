"""The line that says how far a sweep is."""

from __future__ import annotations

import io

from fairness_checks.storage.claims import Claimant
from fairness_checks.sweep.progress import ProgressLine, WaitingLine


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def run(stream, total, seconds_each, stored=0, label="sweep sepsis"):
    line = ProgressLine(stream, label)
    line(stored, total, 0.0)
    for done in range(stored + 1, total + 1):
        line(done, total, (done - stored) * seconds_each)
    return stream.getvalue()


def test_a_terminal_shows_one_line_over_and_over():
    text = run(Terminal(), 80, 0.5, stored=40)
    shown = text.split("\r")[1:]
    assert shown[0].rstrip() == "sweep sepsis: 40/80 trained"
    assert shown[-2].rstrip() == "sweep sepsis: 79/80 trained, 2.0/s, 0:00 left"
    assert shown[21].rstrip() == "sweep sepsis: 61/80 trained, 2.0/s, 0:10 left"
    assert text.count("\n") == 1
    assert text.endswith("\n")
    assert {len(line.rstrip("\n")) for line in shown} == {79}


def test_a_terminal_is_not_flooded():
    assert run(Terminal(), 1000, 0.001).count("\r") <= 8


def test_a_log_has_a_line_a_minute_at_most():
    lines = run(io.StringIO(), 1000, 1.0).splitlines()
    assert 10 <= len(lines) <= 17
    assert lines[0] == "sweep sepsis: 60/1000 trained, 1.0/s, 15:40 left"
    assert not any("\r" in line for line in lines)


def test_a_short_sweep_leaves_nothing_in_a_log():
    assert run(io.StringIO(), 50, 1.0) == ""


def test_hours_and_long_labels():
    lines = run(io.StringIO(), 20, 1000.0, label="m" * 200).splitlines()
    assert lines[1].endswith("m: 2/20 trained, 0.1/min, 5:00:00 left")
    assert all(len(line) == 79 for line in lines)


def test_who_is_waited_for_is_said_once_and_only_where_it_is_known():
    line = WaitingLine(stream := io.StringIO(), "sweep sepsis", 10.0, "; or wait")
    one, two = (Claimant(str(i) * 16, f"471{i}", "ward", "2026-11-29 11:32:05") for i in range(2))
    line(9.9, lambda: {one: 1})
    line(10.0, dict)
    assert stream.getvalue() == ""
    for seconds in (10.1, 10.2, 700.0):
        line(seconds, lambda: {one: 1, two: 2})
    assert stream.getvalue() == (
        "\nsweep sepsis waits for 3 trainings claimed by process 4710 on ward (since 2026-11-29 11:32:05 UTC) and "
        "process 4711 on ward (since 2026-11-29 11:32:05 UTC); a process that hangs can be ended: this run then trains "
        "what it has claimed; or wait\n"
    )
