"""What the predictions mean stands in every report: terminal, failure, JUnit."""

from __future__ import annotations

import pytest

from fairness_checks import CheckRecord

WORDS = """
import numpy as np
from fairness_checks import Predictions, fairness_model

TRUTH = ["disease", "healthy"] * 200
SEX = (["f"] * 2 + ["m"] * 2) * 100
SCORE = np.where(np.arange(400) % 4 == 0, 0.2, np.where(np.arange(400) % 2 == 0, 0.9, 0.1)).astype(np.float32)


@fairness_model
def forest():
    return Predictions(TRUTH, y_score=SCORE, positive="disease", threshold=0.3, sensitive_features={"sex": SEX})


@fairness_model
def given():
    return Predictions(TRUTH, np.where(SCORE > 0.15, "disease", "healthy"), positive="disease",
                       sensitive_features={"sex": SEX})
"""


@pytest.mark.parametrize(
    ("model", "line"),
    [
        ("forest", "positive: disease; decided at score >= 0.3"),
        ("given", "positive: disease; decisions: given"),
    ],
)
def test_the_positive_class_and_the_decisions_are_named(project, model, line):
    project.write("conftest.py", WORDS)
    project.limits(model, "given" if model == "forest" else "forest")
    result = project.gate("--junitxml=junit.xml")
    assert f"{model}: {line}" in result.outlines
    (found,) = (project.properties(c) for name, c in project.junit().items() if f"[{model}-" in name)
    assert found["fairness.inputs"] == line
    record = CheckRecord.from_json(found["fairness.record"])
    assert record.inputs.positive == "disease"
    assert record.verdict == ("fail" if model == "forest" else "pass")
    if record.verdict == "fail":  # every ill woman has a score of 0.2: missed at 0.3
        result.stdout.fnmatch_lines([f"Predictions of forest: {line}."])
        assert record.group(("f",)).rate == 1.0
