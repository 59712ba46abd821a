from __future__ import annotations

import functools
import importlib
import sys
import time

import pytest

from benchmarks import gate, gate_causes
from benchmarks.gate_causes import TRAINED, WATCHED, Clock
from fairness_checks.sweep import TrainableModel
from tests.builders import instead


def test_a_moment_counts_for_the_innermost_cause(monkeypatch):
    now = [7.0]
    monkeypatch.setattr(gate_causes, "time", instead(time, process_time=lambda: now[0]))
    clock = Clock()
    now[0] += 1
    with clock("sweep"):
        now[0] += 2
        with clock("imports"):
            now[0] += 4
        now[0] += 8
    with clock("sweep"):
        now[0] += 16
    assert clock.seconds == {"rest": 1, "sweep": 26, "imports": 4}
    assert clock.calls == {"sweep": 2, "imports": 1}


def test_an_error_ends_its_cause():
    clock = Clock()

    def fail():
        raise RuntimeError("failed")

    with pytest.raises(RuntimeError, match="failed"):
        clock.watched(fail, "store")()
    assert clock.causes == ["rest"]


@pytest.mark.parametrize(
    ("module", "path", "cause"), [(module, *one) for module, paths in WATCHED.items() for one in paths.items()]
)
def test_what_is_watched_is_there_and_its_cause_is_printed(module, path, cause):
    assert callable(functools.reduce(getattr, path.split("."), importlib.import_module(module)))
    assert cause in gate.CAUSES


def test_the_naive_loop_is_the_users_own_code():
    assert set(TRAINED) < set(TrainableModel.__slots__)


def test_a_command_that_fails_shows_what_it_wrote(tmp_path):
    with pytest.raises(SystemExit, match=r"(?s)exit code 4.*no such thing"):
        gate.cost_of([sys.executable, "-c", "print('no such thing'); raise SystemExit(4)"], tmp_path)
