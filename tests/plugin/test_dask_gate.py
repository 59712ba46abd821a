"""A gate whose trainings a Dask cluster does tells the same story as one that does them itself."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("distributed")

MODEL = """
import joblib
import numpy as np
import pytest
from distributed import Client, LocalCluster, get_task_stream

from fairness_checks import Predictions, fairness_model
from fairness_checks.sweep import DataSet, TrainableModel


@pytest.fixture(scope="session", autouse=True)
def cluster():
    if not {on_dask}:
        yield
        return
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as cluster, Client(cluster) as client:
        with joblib.parallel_config("dask", client=client), get_task_stream(client) as stream:
            yield
        assert len(stream.data) == 1 + 5 + 1 + 10


@fairness_model(sensitive_features=["sex"])
def swept():
    import project_code

    rng = np.random.default_rng(0)
    sex = np.repeat(["female", "male"], 60)
    age = rng.normal(60, 10, 120)
    data = DataSet({{"age": age}}, (age + rng.normal(0, 10, 120) > 60).astype(int), {{"sex": sex}})
    return TrainableModel(data, project_code.fit, project_code.predict, folds=5)
"""
CODE = """
from fairness_checks import Predictions

def fit(train, rng):
    return train.features["age"].mean()


def predict(fitted, test):
    score = 1 / (1 + 2.718 ** ((fitted - test.features["age"].to_numpy()) / 10))
    return Predictions(test.outcome, y_score=score, sensitive_features=test.sensitive_features)
"""
LIMITS = """
version: 1
models:
  swept:
    subgroups: [{metric: accuracy, by: sex, max_difference: 0.4}]
    sweep:
      by: sex
      mixes: {as_is: as_is, women: {female: 1.0}}
      repeats: 5
      checks: [{metric: accuracy, gap: each_mix, max_difference: 0.5}]
"""


def test_the_records_are_those_of_a_gate_without_a_cluster(project):
    project.write("thresholds.yaml", LIMITS)
    project.write("project_code.py", CODE)
    found = []
    for on_dask in (False, True):
        project.write("conftest.py", MODEL.format(on_dask=on_dask))
        result = project.gate_in_subprocess("--fairness-no-cache", "--fairness-report=out")
        assert result.ret == 0, (result.stdout.str(), result.stderr.str())
        found.append(json.loads((project.path / "out/evidence.json").read_text())["models"])
    assert found[0] == found[1]
