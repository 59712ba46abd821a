"""Under pytest-xdist every training is done by one worker, all take part, and one that is killed costs no verdict."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from fairness_checks.plugin.gate import Gate
from fairness_checks.plugin.scratch import SCRATCH

SWEPT = """
import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import numpy as np

from fairness_checks import Predictions, fairness_model
from fairness_checks.sweep import DataSet, TrainableModel

WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
LOG, DEADLY = Path(__file__).with_name("log"), Path(__file__).with_name("deadly")


def fit(train, rng):
    state = rng.bit_generator.state["state"]["state"]
    with LOG.open("a") as log:
        log.write(f"{os.getpid()} {state}\\n")
    if len(train) < 90:  # in the sweep, not in a fold, which is kept with the others
        with suppress(FileNotFoundError):  # the other worker was first
            DEADLY.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
    end = time.monotonic() + 250
    while time.monotonic() < end and len({line.split()[0] for line in LOG.read_text().splitlines()}) < WORKERS:
        time.sleep(0.01)  # until every worker has begun
    return train.features["age"].mean() + rng.normal()


def predict(fitted, test):
    score = 1 / (1 + np.exp((fitted - test.features["age"].to_numpy()) / 10))
    return Predictions(test.outcome, y_score=score, sensitive_features=test.sensitive_features)


@fairness_model(sensitive_features=["sex"])
def swept():
    rng = np.random.default_rng(0)
    sex, age = np.repeat(["female", "male"], 60), rng.normal(60, 10, 120)
    data = DataSet({"age": age}, (age + rng.normal(0, 10, 120) > 60).astype(int), {"sex": sex})
    beside = dict.fromkeys(["LOG", "DEADLY", "WORKERS"], "for the test")
    return TrainableModel(data, fit, predict, folds=5, depends_on=beside)
"""
LIMITS = """
version: 1
models:
  swept:
    subgroups:
      - {metric: accuracy, by: sex, max_difference: 0.4}
      - {metric: false_negative_rate, by: sex, max_difference: 0.4}
    sweep:
      by: sex
      mixes: {as_is: as_is, women: {female: 1.0}, men: {male: 1.0}, half: {female: 0.5, male: 0.5}}
      repeats: 5
      checks:
        - {metric: accuracy, gap: each_mix, max_difference: 0.9}
        - {metric: false_negative_rate, gap: each_mix, max_difference: 0.9}
"""


@pytest.fixture
def swept(project):
    project.write("conftest.py", SWEPT)
    project.write("thresholds.yaml", LIMITS)
    return project


def trainings(project):
    """By training, the workers that did it."""
    log = project.path / "log"
    found: dict[str, list[str]] = {}
    for line in log.read_text(encoding="utf-8").splitlines():
        worker, state = line.split()
        found.setdefault(state, []).append(worker)
    log.unlink()
    return found


def judged(project, *arguments):
    result = project.gate_in_subprocess("--fairness-report=out", "--fairness-jobs=1", *arguments, timeout=300)
    return result, json.loads((project.path / "out/evidence.json").read_text(encoding="utf-8"))["models"]


@pytest.mark.parametrize("kept", [[], ["--fairness-no-cache"]], ids=["kept", "not kept"])
def test_two_workers_share_the_trainings_of_a_model_and_do_each_once(swept, kept):
    alone, right = judged(swept, "-o", "cache_dir=alone", *kept)
    done = trainings(swept)
    assert alone.ret == 0
    assert sorted(map(len, done.values())) == [1] * 25
    together, found = judged(swept, "-n", "2", *kept)
    shared = trainings(swept)
    assert (together.ret, together.parseoutcomes()) == (0, alone.parseoutcomes())
    assert found == right
    assert shared.keys() == done.keys()
    assert sorted(map(len, shared.values())) == [1] * 25
    assert len({worker for workers in shared.values() for worker in workers}) == 2
    if kept:
        assert not list((swept.path / ".pytest_cache").rglob("*.entry"))


def test_a_worker_that_is_killed_while_it_trains_is_red_and_right_at_the_next_run(swept):
    swept.write("deadly", "")
    killed, _ = judged(swept, "-n", "2")
    assert killed.ret == 1
    assert killed.parseoutcomes() == {"passed": 3, "failed": 1}
    assert "crashed while running 'thresholds.yaml::test_" in killed.stdout.str()
    first = trainings(swept)
    assert sorted(map(len, first.values())) == [1] * 24 + [2]  # the other worker did what the killed one was at
    again, found = judged(swept, "-n", "2")
    assert (again.ret, len(found), (swept.path / "log").exists()) == (0, 1, False)


@pytest.mark.parametrize("there", [True, False])
def test_a_worker_leaves_nothing_on_a_machine_that_has_not_the_folder_of_the_run(tmp_path, there):
    folder = tmp_path / "of_the_run"
    if there:
        folder.mkdir()
    config = SimpleNamespace(workerinput={}, stash={SCRATCH: SimpleNamespace(folder=lambda: folder)})
    assert Gate._shared(SimpleNamespace(_config=config)) == (folder / "trained" if there else None)


CHECKS = "{metric: %s, by: sex, max_difference: 0.9}"
METRICS = (
    "false_negative_rate",
    "false_positive_rate",
    "accuracy",
    "selection_rate",
    "precision",
    "negative_predictive_value",
)


@pytest.mark.parametrize("waived", [False, True])
def test_a_model_that_its_fixture_fits_is_fitted_by_one_worker(project, waived):
    models = ("biased_model", "fair_model", "tiny_model")
    signed = "metric: accuracy, by: sex, reason: r, approved_by: a, expires: 2030-01-01"
    waivers = (
        f"[{', '.join(f'{{model: {model}, check: subgroups, {signed}}}' for model in models)}]" if waived else "[]"
    )
    project.limits(*models, checks=", ".join(CHECKS % metric for metric in METRICS), waivers=waivers)
    result = project.gate_in_subprocess("-n", "2")
    assert sum(result.parseoutcomes().values()) == 3 * (len(METRICS) + waived)
    assert sorted(project.fitted()) == sorted(models)


def test_a_worker_that_its_model_killed_hands_the_other_models_on(project):
    killer = "\n@fairness_model\ndef killer_model():\n    import os\n    os._exit(0)\n"
    project.write("conftest.py", project.MODELS + killer)
    project.limits("killer_model", "biased_model", "fair_model", checks=", ".join(CHECKS % m for m in METRICS[:2]))
    result = project.gate_in_subprocess("-n", "2")
    assert result.ret == 1
    assert result.parseoutcomes() == {"failed": 2, "passed": 4}
    assert sorted(project.fitted()) == ["biased_model", "fair_model"]


@pytest.mark.parametrize("dist", ["loadscope", "each"])
def test_another_way_to_deal_tests_out_is_the_users(project, dist):
    project.limits("fair_model", checks=", ".join(CHECKS % metric for metric in METRICS))
    result = project.gate_in_subprocess("-n", "2", "--dist", dist, "-v")
    assert result.ret == 0
    assert "ModelScheduling" not in result.stdout.str()
