"""Trainings side by side: the same results as alone, whatever other processes cannot do, see or return."""

from __future__ import annotations

import dataclasses
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import types
import warnings

import joblib
import numpy as np
import pytest

from fairness_checks import Predictions
from fairness_checks.sweep import workers as module
from fairness_checks.sweep.backends import heard
from fairness_checks.sweep.mixes import Shares
from fairness_checks.sweep.plan import SweepPlan
from fairness_checks.sweep.runs import run_sweep
from fairness_checks.sweep.trainable import TrainableModel
from fairness_checks.sweep.workers import Workers, usual_jobs

PLAN = SweepPlan(by="sex", mixes={"as_is": "as_is", "men": Shares({"male": 1.0})}, repeats=6)
HERE = os.getpid()


@pytest.fixture(scope="module")
def beside():
    """Another process, whatever there is to do."""
    with Workers(2, start_seconds=0.0) as workers:
        yield workers


@pytest.fixture
def meet(tmp_path, monkeypatch):
    """Hold this process up in its second task until others were given as many; the first only proves them."""
    monkeypatch.setattr(module, "PORTION_SECONDS", 0.0)
    monkeypatch.setattr(module, "KEPT_SECONDS", 0.0)
    log, here, done = tmp_path / "given", HERE, []

    def wait(given=2):
        if os.getpid() != here:
            with log.open("a") as file:
                file.write("x")
            return
        end = time.monotonic() + 600  # starting a process takes a busy machine long
        while done and time.monotonic() < end and (not log.exists() or log.stat().st_size < given):
            time.sleep(0.01)
        done.append(True)

    return wait


def slowly(task):
    time.sleep(0.02)
    return task * task, os.getpid()


def square(one, other):
    return one[0] == other[0]


def test_another_process_does_a_part_and_every_task_is_done_once(beside, meet):
    def call(task):
        meet()
        return task * task, os.getpid()

    done = list(beside.run(call, range(30), same=square))
    assert sorted((task, result[0]) for task, result in done) == [(n, n * n) for n in range(30)]
    processes = {process for _, (_, process) in done}
    assert HERE in processes
    assert len(processes) == 2


def test_processes_are_kept_for_the_next_run_and_ended_at_the_end(monkeypatch):
    monkeypatch.setattr(module, "KEPT_SECONDS", 0.0)
    with Workers(3, start_seconds=0.0) as workers:
        list(workers.run(slowly, range(12), same=square))
        first = [worker._process for worker in workers._idle]
        list(workers.run(slowly, range(12), same=square))
        assert [worker._process for worker in workers._idle] == first
        assert len(first) == 2
        assert all(process.poll() is None for process in first)
    assert all(process.returncode is not None for process in first)


@pytest.mark.parametrize(("jobs", "seconds"), [(1, 0.0), (2, 1e9)], ids=["one job", "too little to do"])
def test_nothing_is_started_where_it_would_not_pay(jobs, seconds):
    with Workers(jobs, start_seconds=seconds) as workers:
        assert {process for _, (_, process) in workers.run(slowly, range(5))} == {HERE}
        assert not workers._idle


@pytest.mark.parametrize("asked", [None, 2])
def test_a_training_on_a_gpu_is_alone_unless_more_are_asked_for(monkeypatch, asked):
    gpu = types.SimpleNamespace(is_initialized=lambda: True)
    monkeypatch.setitem(sys.modules, "torch", types.SimpleNamespace(cuda=gpu))
    monkeypatch.setattr(module, "usual_jobs", lambda: 2)
    with Workers(asked, start_seconds=0.0) as workers:
        list(workers.run(slowly, range(3), same=square))
        assert bool(workers._idle) == (asked is not None)


@pytest.mark.parametrize("asked", [None, 2])
def test_a_busy_machine_is_left_alone_unless_more_are_asked_for(monkeypatch, asked):
    monkeypatch.setattr(os, "getloadavg", lambda: (joblib.cpu_count() + 1.0, 0.0, 0.0), raising=False)
    monkeypatch.setattr(module, "usual_jobs", lambda: 2)
    with Workers(asked, start_seconds=0.0) as workers:
        list(workers.run(slowly, range(3), same=square))
        assert bool(workers._idle) == (asked is not None)


def test_the_number_of_jobs_is_what_is_asked_for_or_what_joblib_is_told_or_one_a_core(monkeypatch):
    assert Workers(5).jobs == 5
    assert Workers(-1).jobs == joblib.cpu_count()
    assert Workers().jobs == usual_jobs()
    with joblib.parallel_config(n_jobs=3):
        assert Workers().jobs == 3
    assert Workers(sharing=1000).jobs == 1
    assert Workers(5, sharing=1000).jobs == 5
    monkeypatch.setattr(joblib, "cpu_count", lambda: 64)
    assert Workers(sharing=3).jobs == 2
    assert usual_jobs() == 8


def test_no_more_copies_are_made_than_a_quarter_of_the_memory_holds(monkeypatch):
    ballast = np.zeros(100_000)
    monkeypatch.setattr(module, "usual_jobs", lambda: 4)
    monkeypatch.setattr(module, "_is_busy", lambda: False)
    monkeypatch.setattr(module, "_memory", lambda: 4.0 * 2.5 * ballast.nbytes)
    with Workers(start_seconds=0.0) as workers:
        list(workers.run(lambda task: slowly(task + int(ballast[task])), range(20), same=square))
        assert len(workers._idle) == 2


def test_processes_that_are_kept_take_no_more_copies_of_larger_data_than_the_memory_holds(monkeypatch):
    ballast = np.zeros(100_000)
    monkeypatch.setattr(module, "usual_jobs", lambda: 3)
    monkeypatch.setattr(module, "_is_busy", lambda: False)
    monkeypatch.setattr(module, "KEPT_SECONDS", 0.0)
    monkeypatch.setattr(module, "_memory", lambda: 4.0 * 0.5 * ballast.nbytes)
    with Workers(start_seconds=0.0) as workers:
        list(workers.run(slowly, range(6), same=square))
        assert len(workers._idle) == 2
        done = list(workers.run(lambda task: slowly(task + int(ballast[task])), range(6), same=square))
        assert len(workers._idle) == 2
    assert {process for _, (_, process) in done} == {HERE}


def test_a_machine_that_does_not_say_how_much_memory_it_has_starts_processes(monkeypatch):
    monkeypatch.delattr(os, "sysconf", raising=False)  # as on Windows
    monkeypatch.setattr(module, "usual_jobs", lambda: 2)
    monkeypatch.setattr(module, "_is_busy", lambda: False)
    with Workers(start_seconds=0.0) as workers:
        assert sorted(task for task, _ in workers.run(slowly, range(4), same=square)) == [0, 1, 2, 3]
        assert len(workers._idle) == 1


def test_what_this_process_holds_and_another_does_not_see_is_done_here(beside, monkeypatch, meet):
    seen = types.ModuleType("seen_by_one")
    seen.factor = 1
    monkeypatch.setitem(sys.modules, "seen_by_one", seen)

    def call(task):
        meet(given=1)
        import seen_by_one

        return task * seen_by_one.factor

    assert dict(beside.run(call, range(20))) == {n: n for n in range(20)}


def test_a_first_result_that_differs_by_a_bit_is_not_believed(beside, meet):
    def call(task):
        meet(given=1)
        return task if os.getpid() == HERE else float(np.nextafter(task, 100))

    assert dict(beside.run(call, range(20))) == {n: n for n in range(20)}


def test_what_cannot_be_sent_is_done_here(beside):
    lock = threading.Lock()

    def call(task):
        with lock:
            return task

    assert dict(beside.run(call, range(5))) == {n: n for n in range(5)}


@pytest.mark.parametrize("first", [0, 7], ids=["at once", "later"])
def test_a_process_that_ends_costs_no_result(meet, first):
    def call(task):
        if os.getpid() == HERE or task >= first:
            meet(given=1)
        if os.getpid() != HERE and task >= first:
            os._exit(3)
        return task

    with Workers(3, start_seconds=0.0) as workers:
        assert dict(workers.run(call, range(20))) == {n: n for n in range(20)}
        assert dict(workers.run(slowly, range(6), same=square)).keys() == set(range(6))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.parametrize("first", [0, 7], ids=["at once", "later"])
def test_a_process_that_is_killed_while_another_holds_its_pipe_is_not_waited_for(meet, monkeypatch, tmp_path, first):
    monkeypatch.setattr(module, "_PATIENCE", 0.5)
    child, here = tmp_path / "child", HERE

    def call(task):
        if os.getpid() == here:
            meet(given=1)
        elif task >= first:
            if (forked := os.fork()) == 0:
                time.sleep(3600)
                os._exit(0)
            child.write_text(str(forked))
            meet()  # this process waits for it: what has not begun at the end is ended without a wait
            os._exit(1)
        return task * task, os.getpid()

    try:
        with Workers(2, start_seconds=0.0) as workers:
            done = list(workers.run(call, range(12), same=square))
        assert sorted((task, result[0]) for task, result in done) == [(n, n * n) for n in range(12)]
    finally:
        os.kill(int(child.read_text()), signal.SIGKILL)  # it still runs, so that nobody has waited for it


def test_an_error_is_that_of_this_process(beside, meet):
    def call(task):
        meet()
        if task == 9:
            raise ValueError(f"nine, in {os.getpid()}")
        return task

    with pytest.raises(ValueError, match=f"nine, in {HERE}"):
        list(beside.run(call, range(20)))


def test_warnings_of_other_processes_are_heard_here(beside, meet):
    def call(task):
        meet()
        if os.getpid() != HERE:
            warnings.warn("from another process", UserWarning, stacklevel=1)
        return task

    with pytest.warns(UserWarning, match="from another process"):
        assert len(list(beside.run(call, range(10)))) == 10


def test_a_warning_that_is_an_error_here_ends_a_training_of_any_process(beside, meet):
    def call(task):
        meet(given=1)
        if task:
            warnings.warn("as it did not converge", UserWarning, stacklevel=1)
        return task

    with pytest.raises(UserWarning, match="did not converge"):
        list(beside.run(call, range(10)))


def test_a_filter_of_warnings_by_module_holds_for_other_processes():
    _, said = heard(lambda task: warnings.warn("slow", RuntimeWarning, stacklevel=1), [0])
    with warnings.catch_warnings():
        warnings.resetwarnings()
        warnings.filterwarnings("error", module=__name__)
        assert not module._said_again(said)
        warnings.filterwarnings("error")
        warnings.filterwarnings("ignore", module=__name__)
        assert module._said_again(said)


def test_garbage_that_another_process_collects_ends_no_training():
    _, said = heard(lambda task: socket.socket() and task, [0])
    assert said == []


def test_what_a_training_prints_does_not_disturb(beside, meet):
    def call(task):
        meet()
        os.write(1, b"loss 0.1\n")
        sys.stdout.write("loss 0.2\n")
        return task

    assert dict(beside.run(call, range(10))) == {n: n for n in range(10)}


def test_a_program_that_a_training_starts_reads_nothing_of_what_is_asked(beside, meet):
    def call(task):
        meet()
        if os.getpid() == HERE:
            return task
        program = [sys.executable, "-c", "import sys; print(len(sys.stdin.read()))"]
        return task + int(subprocess.run(program, stdout=subprocess.PIPE, timeout=300, check=True).stdout)

    done = list(beside.run(lambda task: (call(task), os.getpid()), range(6), same=square))
    assert sorted((task, found) for task, (found, _) in done) == [(n, n) for n in range(6)]
    assert len({process for _, (_, process) in done}) == 2


def test_whoever_stops_listening_ends_what_is_at_work(meet):
    def call(task):
        meet()
        if task and os.getpid() != HERE:
            time.sleep(600)
        return task

    with Workers(2, start_seconds=0.0) as workers:
        results = workers.run(call, range(10), of=(call,))
        assert next(results)[0] == 0
        assert next(results)[0] in (1, 2)  # the other process has the other one
        (other,) = workers._idle
        results.close()
        assert other._process.returncode is not None
        assert not workers._idle


def test_a_sweep_and_its_folds_are_the_same_bit_by_bit_beside_another_process(
    patients, age_model, tmp_path, beside, meet
):
    data = patients()
    plain = age_model(data)

    def predict(fitted, test):
        meet()
        return plain.predict(fitted, test)

    together = TrainableModel(data, plain.fit, predict, folds=plain.folds)
    assert plain.out_of_fold(0).y_score.tobytes() == together.out_of_fold(0, beside).y_score.tobytes()
    assert any(it[0] is together for it in beside._trusted)
    one = run_sweep("m", plain, PLAN, tmp_path, 1)
    assert run_sweep("m", together, PLAN, None, beside).results == one.results


def test_what_is_trained_beside_another_process_is_stored(patients, age_model, tmp_path, beside):
    model = age_model(patients())
    found = run_sweep("m", model, PLAN, tmp_path, beside)
    again = run_sweep("m", model, PLAN, tmp_path, 1)
    assert (found.trained, again.trained, again.results) == (12, 0, found.results)


@pytest.mark.parametrize("name", ["y_score", "threshold", "sex"])
def test_predictions_that_differ_anywhere_are_not_the_same(patients, age_model, name):
    from fairness_checks.sweep.trainable import _same

    one = age_model(patients()).out_of_fold(0)
    given = {"y_score": one.y_score, "threshold": 0.5, "sex": one.sensitive_features["sex"]}
    if name == "y_score":
        given[name] = np.nextafter(given[name], 1)
    elif name == "threshold":
        given[name] = 0.4
    sex = np.array(given["sex"].groups)[given["sex"].codes]
    if name == "sex":
        sex = sex[::-1]

    def made(score, threshold, sex):
        return Predictions(one.y_true, y_score=score, threshold=threshold, sensitive_features={"sex": sex})

    same = made(one.y_score, 0.5, np.array(given["sex"].groups)[given["sex"].codes])
    assert _same(same, dataclasses.replace(same) if dataclasses.is_dataclass(same) else same)
    assert not _same(same, made(given["y_score"], given["threshold"], sex))
