"""A Spark cluster whose processes are killed in the gate's queries: right, or red and named; right when run again."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys

import numpy as np
import pytest

pytest.importorskip("pyspark")
pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc"),
    pytest.mark.skipif(
        shutil.which("java") is None and "FAIRNESS_SPARK" not in os.environ,
        reason="Spark runs on Java, which is not installed; with FAIRNESS_SPARK this is an error",
    ),
]

MODELS = """
import os
import sys
import warnings
from pathlib import Path

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import pyspark
    from pyspark.sql import SparkSession
    from pyspark.sql.functions import udf

from fairness_checks import Predictions, fairness_model

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def session():
    os.environ |= {"SPARK_HOME": str(Path(pyspark.__file__).parent), "PYSPARK_PYTHON": sys.executable}
    made = SparkSession.builder.master("local-cluster[2,1,1024]").config("spark.executor.memory", "512m")
    made = made.config("spark.sql.shuffle.partitions", "2").config("spark.task.maxFailures", "2")
    session = made.config("spark.ui.enabled", "false").config("spark.driver.host", "127.0.0.1").getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    return session


def visits(session, whom):
    armed, killed = (str(HERE / f"{whom}.{what}") for what in ("armed", "killed"))
    driver = session.sparkContext._gateway.proc.pid

    @udf("boolean")
    def killing(number):  # in a Python worker: a child of a daemon, which is one of an executor
        import os
        import signal
        from pathlib import Path

        if os.path.exists(armed):
            try:
                Path(killed).touch(exist_ok=whom == "worker")
            except FileExistsError:  # in the other executor
                return True
            daemon = os.getppid()
            executor = int(Path(f"/proc/{daemon}/stat").read_text().rpartition(")")[2].split()[1])
            os.kill({"worker": os.getpid(), "executor": executor, "driver": driver}[whom], signal.SIGKILL)
        return True

    rows = session.range(0, 4_000, 1, 2).where(killing("id"))
    rows = rows.selectExpr("cast(id % 3 = 0 as int) as died", "(id % 100) / 100.0 as risk", "id % 2 as sex")
    there = Predictions.from_frame(rows, y_true="died", y_score="risk", by="sex", collect=False)
    if HERE.joinpath("deadly").exists():
        Path(armed).touch()
    return there


@fairness_model
def executor_once(session):
    return visits(session, "executor")


@fairness_model
def every_worker(session):
    return visits(session, "worker")


@fairness_model
def the_driver(session):
    return visits(session, "driver")
"""
CHECKS = "[{metric: accuracy, by: sex, max_difference: 0.5}, {metric: brier_score, by: sex, max_difference: 0.5}]"
LIMITS = f"""version: 1
models:
  executor_once: {{subgroups: {CHECKS}}}
  every_worker: {{subgroups: {CHECKS}}}
  the_driver: {{subgroups: {CHECKS}}}
"""


def right():
    """Return what the checks of a model must find, of the rows themselves: samples and value of each group."""
    i = np.arange(4_000)
    died, risk = i % 3 == 0, (i % 100) / 100
    values = (((risk >= 0.5) == died).astype(float), (risk - died) ** 2)
    return [(str(sex), 2_000, pytest.approx(v[i % 2 == sex].mean(), rel=1e-9)) for v in values for sex in (0, 1)]


def found(folder):
    """Return the same of each model that was judged in a run."""
    models = json.loads((folder / "evidence.json").read_text())["models"]
    records = {model["model"]: [check["record"] for check in model["checks"] if check["record"]] for model in models}
    return {
        model: [(group["name"][0], group["n"], group["rate"]) for record in judged for group in record["groups"]]
        for model, judged in records.items()
        if judged
    }


def test_a_killed_process_of_a_cluster_is_made_up_for_or_named_and_the_next_run_is_right(project):
    project.write("conftest.py", MODELS)
    project.write("thresholds.yaml", LIMITS)
    project.write("deadly", "")
    result = project.gate_in_subprocess("--fairness-report=out", timeout=550)
    assert {file.stem for file in project.path.glob("*.killed")} == {"executor", "worker", "driver"}
    assert (result.ret, found(project.path / "out")["executor_once"]) == (1, right()), "Spark did it again elsewhere"
    text = result.stdout.str()
    for line, model in ((4, "every_worker"), (5, "the_driver")):
        check = f"thresholds.yaml:{line}: {model}, subgroups: brier_score by sex, max_difference"
        assert f"{check}: frame: pyspark.DataFrame failed while it was collected: " in text
    assert "Job aborted due to stage failure" in text
    # PySpark's own thread may print what it met; nothing leads through the gate.
    assert not re.search(r'File "[^"]*fairness_checks', text + result.stderr.str())
    for file in (project.path / "deadly", *project.path.glob("*.armed")):
        file.unlink()
    again = project.gate_in_subprocess("--fairness-report=out", timeout=550)
    assert again.ret == 0, again.stdout.str()
    assert found(project.path / "out") == dict.fromkeys(("executor_once", "every_worker", "the_driver"), right())
