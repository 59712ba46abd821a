"""The gate on predictions that stay in their engine: the outcomes of those in memory, and evidence that is verified."""

from __future__ import annotations

import json

import duckdb  # noqa: F401 - pytester forgets what a run in this process imported first; twice, it aborts
import narwhals._polars.dataframe
import narwhals._polars.series  # noqa: F401
import numpy as np
import polars
import pytest

from fairness_checks.cli.main import main
from fairness_checks.measure.sources import engine_rows

BOTH = """
@fairness_model
def here():
    return Predictions.from_frame(VISITS, **ROLES)


@fairness_model
def there():
    return Predictions.from_frame(VISITS, **ROLES, collect=False)
"""
MODELS = (
    """
import numpy as np
import polars as pl
from fairness_checks import Predictions, fairness_model

rng = np.random.default_rng(3)
SEX = rng.choice(["f", "m"], 4_000)
RISK = rng.beta(2, 5, 4_000)
DIED = (rng.random(4_000) < np.where(SEX == "f", RISK**0.7, RISK)).astype(int)
VISITS = pl.LazyFrame({"died": DIED, "risk": RISK, "sex": SEX, "ward": rng.choice(["a", "b", "c"], 4_000)})
ROLES = {"y_true": "died", "y_score": "risk", "by": ["sex", "ward"], "threshold": 0.3}

"""
    + BOTH
)
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


PATIENTS = (
    """
import numpy as np
import polars as pl
from fairness_checks import Predictions, fairness_model

rng = np.random.default_rng(4)
PATIENT = np.arange(4_000) // 8
RISK = (rng.beta(2, 5, 500)[PATIENT] + rng.beta(2, 5, 4_000)) / 2
DIED = (rng.random(4_000) < RISK).astype(int)
SEX, WARD = np.where(PATIENT % 3 == 0, "f", "m"), rng.choice(["a", "b"], 4_000)
VISITS = pl.LazyFrame({"died": DIED, "risk": RISK, "sex": SEX, "ward": WARD, "patient": PATIENT})
ROLES = {"y_true": "died", "y_score": "risk", "by": ["sex", "ward"], "cluster": "patient", "threshold": 0.3}


@fairness_model
def alone():
    return Predictions.from_frame(VISITS, **(ROLES | {"cluster": None}), collect=False)

"""
    + BOTH
)
OF_PATIENTS = """
      - {metric: expected_calibration_error, by: sex, max_difference: 0.1}
      - {metric: roc_auc, by: sex, max_difference: 0.1}
      - {metric: precision, by: ward, max_difference: 0.1}
      - {metric: brier_score, by: [sex, ward], max_difference: 0.1}
"""


@pytest.mark.parametrize("binned", [False, True])
def test_the_gate_finds_the_same_of_clusters_and_of_uncertainties(pytester, binned, monkeypatch):
    pytester.makeconftest(PATIENTS)
    limits = f"version: 1\nmodels:\n  here:\n    subgroups: {OF_PATIENTS}  there:\n    subgroups: {OF_PATIENTS}"
    limits += "  alone:\n    uncertainty: [{by: sex, max_mismatch: 0.2}]\n"
    (pytester.path / "thresholds.yaml").write_text(limits)
    if binned:
        monkeypatch.setattr(engine_rows, "MOST_SCORES", 0)
        monkeypatch.setattr(engine_rows, "_COARSE", 1.0)
    outcomes = pytester.runpytest("--fairness", "--fairness-report=out").parseoutcomes()
    assert outcomes.get("errors", 0) == 0
    assert sum(outcomes.values()) == 9
    models = told(pytester.path / "out")
    for left, right in zip(models["here"]["checks"], models["there"]["checks"], strict=True):
        assert left["record"]["verdict"] == right["record"]["verdict"]
        assert left["record"]["estimate"] == pytest.approx(right["record"]["estimate"], abs=1e-4 if binned else 1e-9)
    assert models["alone"]["checks"][0]["record"]["verdict"] in ("pass", "fail", "inconclusive")
    assert main(["verify", str(pytester.path / "out" / "evidence.json")]) == 0


def test_what_an_engine_does_not_compute_is_a_failed_check_beside_the_others(project, monkeypatch):
    monkeypatch.setattr(engine_rows, "MOST_SCORES", 0)
    limits = LIMITS + "    regression:\n      - {metric: roc_auc, by: sex, max_worsening: 0.02}\n"
    (project.path / "thresholds.yaml").write_text(limits)
    for update in ((), ("--fairness-update-baseline",)):  # of which the first has nothing to compare with
        result = project.runpytest("--fairness", *update)
        assert result.parseoutcomes()["errors"] == 1
        result.stdout.fnmatch_lines(["*roc_auc beside a baseline, of more rows than 1,000,000 with scores of many*"])


ACCEPTED = """
from pathlib import Path
import polars as pl
from fairness_checks import Predictions, fairness_model

AGAIN = VISITS.with_columns(visit=pl.int_range(pl.len()))


def risen(by):
    return AGAIN.with_columns(risk=(pl.col("risk") * (1 - by * (pl.col("sex") == "f"))))


@fairness_model
def paired():
    said = [float(Path(__file__).with_name(name).read_text()) for name in ("now", "before")]
    now, before = map(risen, said)
    return Predictions.from_frame(now, **ROLES, sample_id="visit", accepted=before)
"""


def test_a_model_is_accepted_and_the_next_one_is_compared_with_its_table(project, capsys):
    (project.path / "conftest.py").write_text(MODELS + ACCEPTED)
    (project.path / "thresholds.yaml").write_text(
        "version: 1\nunchecked: {here: elsewhere, there: elsewhere}\nmodels:\n  paired:\n    regression:\n"
        "      - {metric: false_negative_rate, by: sex, max_worsening: 0.03}\n"
        "      - {metric: brier_score, by: sex, max_worsening: 0.03, of: each_group}\n"
    )

    def run(now, before, *options):
        for name, value in (("now", now), ("before", before)):
            (project.path / name).write_text(str(value))
        return project.runpytest("--fairness", *options)

    run(0.0, 0.0, "--fairness-update-baseline")
    assert (project.path / "fairness-baseline.json").exists()
    assert not (project.path / ".fairness-baseline.key").exists()  # no id is kept
    assert not list((project.path / "fairness-baseline").glob("*"))
    assert run(0.0, 0.0).ret == 0
    red = run(0.3, 0.0, "--fairness-report=out")
    assert red.parseoutcomes() == {"failed": 1, "passed": 1}
    assert main(["verify", str(project.path / "out" / "evidence.json")]) == 0
    records = {check["record"]["metric"]: check["record"] for check in told(project.path / "out")["paired"]["checks"]}
    assert all(record["regression"]["paired"] for record in records.values())
    other = run(0.3, 0.3)
    assert other.parseoutcomes() == {"errors": 2}
    other.stdout.fnmatch_lines(["*is not the table from which fairness-baseline.json was written*"])


TABLES = """
from pathlib import Path
import duckdb

CONNECTION = duckdb.connect()


def table(name):
    return CONNECTION.read_parquet(str(Path(__file__).with_name(name)))


def scored_visits():
    return table("now.parquet")


def accepted_visits():
    return table("before.parquet")
"""
SOURCES = """
version: 1
models:
  of_files:
    source: {file: now.parquet, accepted: before.parquet, y_true: died, y_score: risk, sample_id: visit}
    regression: [{metric: accuracy, by: sex, max_worsening: 0.2}]
  of_frames:
    source: {python: "tables:scored_visits", accepted: "tables:accepted_visits", y_true: died, y_score: risk,
      sample_id: visit}
    regression: [{metric: accuracy, by: sex, max_worsening: 0.2}]
"""


def test_sources_name_the_accepted_table(pytester, capsys):
    rng = np.random.default_rng(2)
    columns = {"visit": np.arange(2_000), "died": rng.permutation(2_000) % 2, "sex": rng.permutation(2_000) % 2}
    risk = rng.random(2_000)
    limits, now = pytester.path / "thresholds.yaml", pytester.path / "now.parquet"
    (pytester.path / "tables.py").write_text(TABLES)
    limits.write_text(SOURCES)

    def write(path, shift):
        polars.DataFrame(columns | {"risk": np.clip(risk + shift, 0.0, 1.0)}).write_parquet(path)

    write(pytester.path / "before.parquet", 0.0)
    write(now, 0.0)
    pytester.runpytest("--fairness", "--fairness-update-baseline")
    write(now, 0.05)
    result = pytester.runpytest("--fairness", "--fairness-report=out")
    assert result.parseoutcomes() == {"passed": 2}
    for model, said in told(pytester.path / "out").items():
        record = said["checks"][0]["record"]
        assert record["regression"]["pairing"] == "the same 2,000 samples as in the accepted model's table"
        assert record["regression"]["before"] != record["regression"]["after"]
        assert record["about"]["accepted"] == {"of_files": "before.parquet"}.get(model, "tables:accepted_visits")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (", sample_id: visit", "", "accepted: has the same samples, found by their ids; name the column of these"),
        ("now.parquet", "now.csv", "accepted: is for Parquet and `python:`"),
        ("tables:accepted_visits", "accepted_visits", "accepted: is 'accepted_visits'; write module:function"),
    ],
)
def test_a_source_that_cannot_have_an_accepted_table_is_an_error(pytester, old, new, message):
    (pytester.path / "thresholds.yaml").write_text(SOURCES.replace(old, new))
    result = pytester.runpytest("--fairness")
    assert result.ret != 0
    assert message in result.stderr.str() + result.stdout.str()


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
