"""docs/recipes.md, run: each block with the library that it names, in the environment of test_compatibility.py."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.docs.page_blocks import blocks

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".compat" / "bin" / "python"
if not PYTHON.exists() and "FAIRNESS_COMPAT" not in os.environ:
    pytest.skip("no .compat: .ci/run says how it is made", allow_module_level=True)

PAGE = ROOT / "docs" / "recipes.md"
ONNX = """
import onnx
from onnx import helper, numpy_helper

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


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    folder = tmp_path_factory.mktemp("recipes")
    data, *shown = blocks(PAGE, "python")
    (limits,) = blocks(PAGE, "yaml")
    files = {"conftest_data.py": data + ONNX, "conftest.py": "\n\n".join(shown), "thresholds.yaml": limits}
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
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
