"""The gate on predictions that stay in their engine: the outcomes of those in memory, and evidence that is verified."""

from __future__ import annotations

import json

import duckdb  # noqa: F401 - pytester forgets what a run in this process imported first; twice, it aborts
import narwhals._polars.dataframe
import narwhals._polars.series  # noqa: F401
import polars  # noqa: F401
import pytest

from fairness_checks.cli.main import main
from fairness_checks.measure.sources import engine_rows

MODELS = """
import numpy as np
import polars as pl
from fairness_checks import Predictions, fairness_model

rng = np.random.default_rng(3)
SEX = rng.choice(["f", "m"], 4_000)
RISK = rng.beta(2, 5, 4_000)
DIED = (rng.random(4_000) < np.where(SEX == "f", RISK**0.7, RISK)).astype(int)
VISITS = pl.LazyFrame({"died": DIED, "risk": RISK, "sex": SEX, "ward": rng.choice(["a", "b", "c"], 4_000)})
ROLES = {"y_true": "died", "y_score": "risk", "by": ["sex", "ward"], "threshold": 0.3}


@fairness_model
def here():
    return Predictions.from_frame(VISITS, **ROLES)


@fairness_model
def there():
    return Predictions.from_frame(VISITS, **ROLES, collect=False)
"""
CHECKS = """
      - {metric: false_negative_rate, by: sex, max_difference: 0.05}
      - {metric: selection_rate, by: [sex, ward], max_value: 0.9}
      - {metric: brier_score, by: sex, max_difference: 0.1}
      - {metric: roc_auc, by: sex, max_difference: 0.1}
      - {metric: expected_calibration_error, by: [sex, ward], max_difference: 0.2}
"""
LIMITS = f"""
version: 1
models:
  here:
    subgroups: {CHECKS}
  there:
    subgroups: {CHECKS}
"""


@pytest.fixture
def project(pytester):
    pytester.makeconftest(MODELS)
    (pytester.path / "thresholds.yaml").write_text(LIMITS)
    return pytester


def told(folder):
    evidence = json.loads((folder / "evidence.json").read_text())
    return {model["model"]: model for model in evidence["models"]}


@pytest.mark.parametrize("more", ["", "suppress_below: 10\n"], ids=["all", "small cells suppressed"])
def test_the_gate_finds_the_same_and_its_evidence_is_verified(project, more, capsys):
    if more:
        (project.path / "thresholds.yaml").write_text(f"{LIMITS}\n{more}")
    result = project.runpytest("--fairness", "--fairness-report=out")
    outcomes = result.parseoutcomes()
    assert sum(outcomes.values()) == 10
    models = told(project.path / "out")
    for left, right in zip(models["here"]["checks"], models["there"]["checks"], strict=True):
        assert left["record"]["verdict"] == right["record"]["verdict"]
        if left["record"]["metric"] in ("false_negative_rate", "selection_rate"):
            left["record"].pop("model"), right["record"].pop("model")
            assert left["record"] == right["record"]
    assert models["there"]["data"]["missing"] == models["here"]["data"]["missing"]
    assert models["there"]["data"]["samples"] == models["here"]["data"]["samples"]
    assert main(["verify", str(project.path / "out" / "evidence.json")]) == 0


def test_what_an_engine_does_not_compute_is_a_failed_check_beside_the_others(project):
    limits = LIMITS + "    regression:\n      - {metric: accuracy, by: sex, max_worsening: 0.02}\n"
    (project.path / "thresholds.yaml").write_text(limits)
    result = project.runpytest("--fairness")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*accuracy: no engine compares rows with a baseline (frame: polars.LazyFrame)*"])


KILLED = """
import threading
from pathlib import Path
import duckdb
from fairness_checks import Predictions, fairness_model


@fairness_model
def there():
    connection = duckdb.connect()
    rows = "select i % 2 as died, (i % 1000) / 1000.0 as risk, i % 2 as sex, 0 as ward from range(10_000_000) t(i)"
    if Path(__file__).with_name("kill").exists():
        def kill():
            while Path(__file__).with_name("kill").exists():
                connection.interrupt()
        threading.Thread(target=kill, daemon=True).start()
    return Predictions.from_frame(connection.sql(rows), y_true="died", y_score="risk", by=["sex", "ward"])
"""


def test_a_killed_query_ends_the_run_red_and_the_next_one_is_right(project):
    project.makeconftest(KILLED)
    limits = "version: 1\nmodels:\n  there:\n    subgroups: [{metric: accuracy, by: sex, max_difference: 0.5}]\n"
    (project.path / "thresholds.yaml").write_text(limits)
    kill = project.path / "kill"
    kill.touch()
    result = project.runpytest("--fairness")
    kill.unlink()
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*duckdb.DuckDBPyRelation failed while it was collected: InterruptException*"])
    assert project.runpytest("--fairness").ret == 0


def test_areas_of_bins_are_verified_with_their_bound(project, monkeypatch, capsys):
    monkeypatch.setattr(engine_rows, "MOST_SCORES", 0)
    project.runpytest("--fairness", "--fairness-report=out", "-k", "there")
    text = (project.path / "out" / "evidence.json").read_text()
    assert '"ambiguity": ' in text
    assert '"ambiguity": null' not in text
    assert main(["verify", str(project.path / "out" / "evidence.json")]) == 0
