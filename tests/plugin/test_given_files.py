"""What a run is judged by is what was there when the command line was read, in every process."""

from __future__ import annotations

import pytest

MODELS = """
import os
from pathlib import Path

from fairness_checks import Predictions, fairness_model


@fairness_model
def judged():
    return Predictions([1] * 400, [0] * 150 + [1] * 250, sensitive_features={"sex": ["f"] * 200 + ["m"] * 200})


HERE = Path(__file__).parent
LIMITS = HERE / "thresholds.yaml"
"""
LIMITS = """
version: 1
models:
  judged:
    subgroups: [{metric: false_negative_rate, by: sex, max_difference: 0.05}]
"""
LOOSE = LIMITS.replace("0.05", "0.9")
REWRITE = 'LIMITS.write_text(LIMITS.read_text().replace("0.05", "0.9"))\n'
GENERATE = f"LIMITS.write_text({LOOSE!r})\n"
ONLY_IN_WORKERS = 'if "PYTEST_XDIST_WORKER" in os.environ:\n    '
IN_A_HOOK = "def pytest_configure(config):\n    "


@pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["alone", "two workers"])
@pytest.mark.parametrize("change", [REWRITE, IN_A_HOOK + REWRITE], ids=["at import", "in a hook"])
def test_limits_that_a_conftest_rewrites_are_red(project, change, workers):
    project.write("conftest.py", MODELS + change)
    project.write("thresholds.yaml", LIMITS)
    result = project.gate_in_subprocess("--junitxml=junit.xml", *workers)
    failed = project.junit("junit.xml")["test_run_ends_in_order[0]"].find("failure")
    assert "the file of limits was another when the command line was read: a conftest.py" in failed.get("message")
    assert (project.path / "thresholds.yaml").read_text() == LOOSE
    assert result.ret == 1
    assert "Write it before pytest starts, in a step of its own" in result.stdout.str()


def test_limits_that_only_workers_see_are_red(project):
    project.write("conftest.py", MODELS + ONLY_IN_WORKERS + REWRITE)
    project.write("thresholds.yaml", LIMITS)
    result = project.gate_in_subprocess("-n1", "--junitxml=junit.xml")
    assert result.ret == 1
    assert "worker gw0: thresholds.yaml: the file of limits was another" in result.stdout.str()


@pytest.mark.parametrize("option", ["", "--fairness-config=other/limits.yaml"], ids=["usual", "named"])
def test_limits_that_a_conftest_makes_are_red_and_it_is_said_how_to_make_them(project, option):
    name = "other/limits.yaml" if option else "thresholds.yaml"
    (project.path / "other").mkdir()
    project.write("conftest.py", MODELS + GENERATE.replace("LIMITS.", f"(HERE / {name!r})."))
    result = project.gate_in_subprocess(*filter(None, [option]))
    assert result.ret == 1
    text = result.stdout.str()
    assert "the file of limits was not there when the command line was read" in text
    assert "Write it before pytest starts" in text
    assert project.gate_in_subprocess(*filter(None, [option])).ret == 0  # it is there now, and is written as it was


def test_a_baseline_that_a_conftest_rewrites_is_red(project):
    regression = LOOSE + "    regression: [{metric: false_negative_rate, by: sex, max_worsening: 0.5}]\n"
    project.write("conftest.py", MODELS)
    project.write("thresholds.yaml", regression)
    assert project.gate_in_subprocess("--fairness-update-baseline").ret == 0
    assert project.gate_in_subprocess().ret == 0
    file = "(HERE / 'fairness-baseline.json')"
    project.write("conftest.py", MODELS + f"{file}.write_text({file}.read_text() + '\\n')\n")
    result = project.gate_in_subprocess()
    assert result.ret == 1
    assert "fairness-baseline.json: the baseline was another when the command line was read" in result.stdout.str()


def test_without_a_change_nothing_is_said(project):
    project.write("conftest.py", MODELS + "LIMITS.write_text(LIMITS.read_text())\n")
    project.write("thresholds.yaml", LOOSE)
    result = project.gate_in_subprocess("-n1")
    assert result.ret == 0
    assert "when the command line was read" not in result.stdout.str()
