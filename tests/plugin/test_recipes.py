"""docs/recipes.md, run: each block with the library that it names, in the environment of test_compatibility.py."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".compat" / "bin" / "python"
if not PYTHON.exists() and "FAIRNESS_COMPAT" not in os.environ:
    pytest.skip("no .compat: .ci/run says how it is made", allow_module_level=True)

DATA = """
import numpy as np
import onnx
import pandas as pd
from onnx import helper, numpy_helper

COLUMNS = ["age", "pressure", "creatinine"]


def table(n, seed):  # risk is read off for men better than for women
    rng = np.random.default_rng(seed)
    sex = rng.choice(["female", "male"], n)
    X = rng.normal(size=(n, 3))
    weight = np.where(sex == "female", 0.2, 2.0)
    died = rng.random(n) < 1 / (1 + np.exp(-weight * (X[:, 0] + X[:, 1] - 0.2)))
    days = 5 + 2 * X[:, 0] + np.where(sex == "female", 3.0, 0.0) + rng.normal(size=n)
    return pd.DataFrame(X, columns=COLUMNS).assign(sex=sex, died=died.astype(int), days=days)


train, holdout = table(1500, 1), table(3000, 2)


def masks():
    rng = np.random.default_rng(3)
    true = np.zeros((len(holdout), 1, 12, 12), np.float32)
    true[:, :, 3:9, 3:9] = 1
    lost = np.where(holdout["sex"] == "female", 0.5, 0.1)[:, None, None, None]
    return true * (rng.random(true.shape) > lost).astype(np.float32), true


weights = np.array([[1.0], [1.0], [0.0]], np.float32)
graph = helper.make_graph(
    [
        helper.make_node("MatMul", ["X", "W"], ["logit"]),
        helper.make_node("Sigmoid", ["logit"], ["risk"]),
    ],
    "risk",
    [helper.make_tensor_value_info("X", onnx.TensorProto.FLOAT, [None, 3])],
    [helper.make_tensor_value_info("risk", onnx.TensorProto.FLOAT, [None, 1])],
    [numpy_helper.from_array(weights, "W")],
)
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), "risk.onnx")
"""
# What fails of each model: all do worse for women; days are predicted too long for men, and as far off as for women.
RED = {
    "xgboost_model": {"false_negative_rate", "roc_auc"},
    "lightgbm_model": {"false_negative_rate", "roc_auc"},
    "catboost_model": {"false_negative_rate", "roc_auc"},
    "torch_model": {"false_negative_rate", "roc_auc"},
    "onnx_model": {"false_negative_rate", "roc_auc"},
    "stay_model": {"mean_error"},
    "segmentation_model": {"dice"},
}


def blocks(language: str) -> str:
    text = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
    return "\n\n".join(re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    folder = tmp_path_factory.mktemp("recipes")
    (folder / "conftest_data.py").write_text(DATA, encoding="utf-8")
    (folder / "conftest.py").write_text(blocks("python"), encoding="utf-8")
    (folder / "thresholds.yaml").write_text(blocks("yaml"), encoding="utf-8")
    env = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200", "OMP_NUM_THREADS": "1"}
    env.pop("PYTEST_DISABLE_PLUGIN_AUTOLOAD", None)
    command = [PYTHON, "-m", "pytest", "--fairness", "-p", "no:randomly"]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.parametrize("model", RED)
def test_model_of_the_library_is_judged(model: str, run: subprocess.CompletedProcess[str]) -> None:
    failed = set(re.findall(rf"^FAILED thresholds\.yaml::test_subgroups\[{model}-sex-(\w+)", run.stdout, re.MULTILINE))
    assert failed == RED[model], run.stdout[-4000:]


def test_a_coefficient_that_is_better_high_has_its_name_and_direction(run: subprocess.CompletedProcess[str]) -> None:
    assert run.returncode == 1
    assert " error" not in run.stdout.splitlines()[-1]
    said = re.search(r"^segmentation_model\b.*?\bdice\b.*?(?:\n\n|\Z)", run.stdout, re.MULTILINE | re.DOTALL)
    assert said, run.stdout[-4000:]
    assert said[0].index("sex=female") < said[0].index("sex=male"), said[0]  # the group that does worse is named first
