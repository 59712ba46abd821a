"""Where files may lie: models below the file of limits, a file elsewhere, and what is said where nothing is found."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

ALL = ("biased_model", "fair_model", "tiny_model")
SEEN = {"failed": 1, "passed": 1, "inconclusive": 1}


@pytest.fixture
def below(project):
    """Put the models into tests/conftest.py, and the file of limits into the root: the commonest layout."""
    (project.path / "conftest.py").unlink()
    project.write("tests/conftest.py", project.MODELS)
    project.write("tests/test_mine.py", "def test_mine(): pass\n")
    project.limits(*ALL)
    return project


@pytest.mark.parametrize(
    "arguments",
    [[], ["."], ["tests"], ["thresholds.yaml"], ["tests", "thresholds.yaml"], ["tests/test_mine.py"], ["-n2"]],
    ids=" ".join,
)
def test_models_in_tests_and_limits_in_the_root(below, arguments):
    run = below.pytester.runpytest_inprocess if "-n2" not in arguments else below.pytester.runpytest_subprocess
    result = run("--fairness", *arguments)
    found = {name: result.parseoutcomes().get(name) for name in SEEN}
    assert found == SEEN
    assert sorted(set(below.fitted_in("tests"))) == sorted(ALL)


def test_each_model_is_fitted_once_and_its_own_fixtures_are_seen(below):
    text = below.MODELS.replace("def fair_model():", "def fair_model(holdout):")
    own = "\nimport pytest\n@pytest.fixture(scope='session')\ndef holdout():\n    fitted('holdout')\n"
    below.write("tests/conftest.py", text + own)
    asks = "fairness.audit(fair_model, metric='accuracy', by='sex', min_value=0.5)"
    below.write("tests/test_hand.py", f"def test_hand(fairness, fair_model):\n    {asks}\n")
    assert below.pytest("--fairness").parseoutcomes()["failed"] == 1
    assert sorted(below.fitted_in("tests")) == sorted([*ALL, "holdout"])


def test_a_single_check_and_a_waiver_of_a_model_below(below):
    check = "model: biased_model, metric: false_negative_rate, by: sex"
    entry = f"{{{check}, reason: known, approved_by: R, expires: {date.today() + timedelta(days=30)}}}"
    below.limits(*ALL, waivers=f"[{entry}]")
    assert below.pytest("--fairness", "-p", "no:cacheprovider").parseoutcomes() == {
        "waived": 1,
        "passed": 2,
        "inconclusive": 1,
        "deselected": 1,
    }
    assert below.pytest("--fairness", below.check_id("fair_model")).parseoutcomes()["passed"] == 1


def test_models_of_two_folders_and_one_above(below):
    one, two = (below.MODELS.replace("fair_model", name) for name in ("fair_model", "other_model"))
    below.write("conftest.py", "")
    below.write("tests/conftest.py", one)
    below.write("tests_too/conftest.py", two.replace("biased_model", "b_model").replace("tiny_model", "t_model"))
    below.limits("fair_model", "other_model", "biased_model", "tiny_model", "b_model", "t_model")
    assert below.pytest("--fairness").parseoutcomes() == {"failed": 2, "passed": 2, "inconclusive": 2, "deselected": 1}


def test_one_name_in_two_folders_is_refused(below):
    below.write("tests_too/conftest.py", below.MODELS)
    result = below.pytest("--fairness")
    assert result.ret == 4
    message = result.stderr.str()
    assert "two models are called biased_model: " in message
    assert "give one of them another name" in message
    assert below.fitted_in("tests") == []


def test_a_model_deeper_than_pytest_loads_is_named_with_the_path_to_give(below):
    (below.path / "tests/conftest.py").rename(below.write("tests/ml/test_it.py", "").with_name("conftest.py"))
    result = below.pytest("--fairness")
    assert result.ret == 4
    lines = [line for line in result.errlines if line]
    assert len(lines) < 6
    seem = f"{', '.join(ALL)} seem to be in tests/ml/conftest.py"
    assert f"{seem}: run pytest with {below.path / 'tests/ml'} among" in "\n".join(lines)
    assert below.pytest("--fairness", "tests/ml").parseoutcomes()["failed"] == 1


def test_a_model_beside_the_way_of_the_file_of_limits_says_where_to_move_it(below):
    # What the message on a missing file of limits proposes must not lead into a riddle.
    (below.path / "config").mkdir()
    (below.path / "thresholds.yaml").rename(below.path / "config/thresholds.yaml")
    result = below.pytest("--fairness", "--fairness-config", "config/thresholds.yaml")
    assert result.ret == 4
    lines = [line for line in result.errlines if line]
    assert len(lines) < 6
    seem = f"{', '.join(ALL)} seem to be in tests/conftest.py"
    assert lines[1].startswith(f"{seem}: thresholds.yaml sees a conftest.py beside, above or below it; move it to ")
    assert "move it to pytest's root directory, or that one" in lines[1]
    (below.path / "tests/conftest.py").rename(below.path / "config/conftest.py")
    assert below.pytest("--fairness", "--fairness-config", "config/thresholds.yaml").ret == 1


def test_a_model_that_is_nowhere_says_where_was_looked(below):
    below.limits("nowhere_model")
    result = below.pytest("--fairness")
    assert result.ret == 4
    assert "looked in plugins and in: tests/conftest.py" in result.stderr.str()
    assert len([line for line in result.errlines if line]) < 6


@pytest.mark.parametrize("name", ["tests/thresholds.yaml", "gates/strict.yml"])
def test_a_file_of_limits_among_the_paths(project, name):
    limits = project.limits(*ALL)
    (project.path / name).parent.mkdir()
    limits.rename(project.path / name)
    result = project.pytest("--fairness", name)
    assert result.parseoutcomes() == SEEN
    assert any(line.startswith(f"fairness: config {name}, ") for line in result.outlines)
    one = f"{name}::test_subgroups[fair_model-sex-false_negative_rate]"
    assert project.pytest("--fairness", one).parseoutcomes() == {"passed": 1, "deselected": 2}


def test_two_files_of_limits_among_the_paths_are_refused(project):
    for name in ("a.yaml", "b.yaml"):
        project.limits("fair_model").rename(project.path / name)
    result = project.pytest("--fairness", "a.yaml", "b.yaml")
    assert result.ret == 4
    assert (
        "a.yaml, b.yaml: a run is judged by one file of limits; give one, by --fairness-config" in result.stderr.str()
    )


def test_the_ini_file_names_the_file_of_limits_and_the_command_line_wins(project):
    project.write("gates/strict.yaml", project.limits("biased_model", "tiny_model", "fair_model").read_text())
    project.write("pytest.ini", "[pytest]\nfairness_config = gates/strict.yaml\n")
    assert (
        "fairness: config gates/strict.yaml, seed 0, burden of proof violation" in project.pytest("--fairness").outlines
    )
    assert (
        "fairness: config thresholds.yaml, seed 0, burden of proof violation"
        in project.pytest("--fairness", "--fairness-config=thresholds.yaml").outlines
    )


@pytest.mark.parametrize(
    ("place", "start", "option"),
    [
        ("tests/thresholds.yaml", ".", "tests/thresholds.yaml"),
        ("config/gates/thresholds.yml", ".", "config/gates/thresholds.yml"),
        ("thresholds.yaml", "service", "../thresholds.yaml"),
        ("tests/thresholds.yaml", "service", "../tests/thresholds.yaml"),
    ],
)
def test_a_file_that_is_not_looked_for_is_named_with_its_option(project, monkeypatch, place, start, option):
    project.write(place, "version: 1\n")
    project.write("service/pytest.ini", "[pytest]\n")
    (project.path / ".git").mkdir()
    monkeypatch.chdir(project.path / start)
    result = project.pytest("--fairness", f"--rootdir={project.path / start}")
    found = result.stderr.str()
    assert result.ret == 4
    assert "there is no such file; looked in " in found
    assert f"use it: pytest --fairness --fairness-config {option}" in found
    assert len([line for line in result.errlines if line]) < 6


def test_the_header_says_that_other_tests_are_not_run(project):
    project.limits(*ALL)
    assert (
        "fairness: the project's other tests are not run; plain pytest runs them"
        in project.pytest("--fairness").outlines
    )


def test_the_header_says_what_a_metric_of_the_clinic_is_called_in_reports(project):
    project.limits("fair_model", checks="{metric: FNR, by: sex, max_difference: 0.10}")
    result = project.gate("-v")
    assert "fairness: FNR is false_negative_rate" in result.outlines
    assert f"{project.check_id('fair_model')} PASSED" in result.stdout.str()


NAMED = """
import pandas as pd
from fairness_checks import Predictions, fairness_model


@fairness_model
def gappy_model():
    table = pd.DataFrame({"y": [0, 1, 1], "sex": ["f", None, "m"]}, index=["P-1", "P-2", "P-3"])
    return Predictions(table["y"], table["y"], sensitive_features={"sex": table["sex"]})
"""


def test_the_label_of_a_row_is_on_the_terminal_and_not_in_the_evidence(project):
    project.write("conftest.py", NAMED)
    project.limits("gappy_model")
    result = project.gate("--fairness-report=out")
    assert "row 1 is labelled 'P-2' in y_true" in result.stdout.str()
    evidence = (project.path / "out/evidence.json").read_text()
    assert "row 1 (by position, from 0)" in evidence
    assert "P-2" not in evidence


def test_a_second_file_of_limits_is_said_not_to_be_read(below):
    assert not any("is not read" in line for line in below.pytest("--fairness").outlines)
    below.write("tests/thresholds.yaml", (below.path / "thresholds.yaml").read_text())
    lines = below.pytest("--fairness").outlines
    assert "fairness: tests/thresholds.yaml is not read: a run has one file of limits" in lines
