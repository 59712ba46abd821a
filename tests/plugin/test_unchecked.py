"""A model fixture that nothing checks is red, unless the file of limits says why."""

from __future__ import annotations

import contextlib
import xml.etree.ElementTree as ET

import pytest

ONE = "version: 1\nmodels:\n  fair_model: {subgroups: [{metric: accuracy, by: sex, min_value: 0.6}]}\n"
REST = "unchecked: {biased_model: retired in May, tiny_model: too few patients}\n"
USES = """
import pytest


@pytest.fixture
def both(biased_model, tiny_model):
    return biased_model, tiny_model


def test_hand(fairness, both):
    fairness.audit(both[0], metric="accuracy", by="sex", min_value=0.5)
"""


@pytest.fixture
def run(project):
    """Run the gate as it is, with a file of limits."""

    def gate(text, *arguments, workers=()):
        project.write("thresholds.yaml", text)
        if workers:
            return project.gate_in_subprocess(*workers, *arguments)
        return project.pytest("--fairness", *arguments)

    return gate


def test_a_model_that_nothing_checks_is_a_failed_case(project, run):
    result = run(ONE, "--junitxml=junit.xml")
    assert result.ret == 1
    assert result.parseoutcomes() == {"failed": 2, "passed": 1}
    message = project.junit()["test_is_checked[tiny_model]"].find("failure").get("message")
    assert "tiny_model: no check names this model, and no fairness test asks for it by name" in message
    assert 'say `unchecked: {tiny_model: "why"}`' in message
    assert project.fitted() == ["fair_model"]
    assert "fairness: thresholds.yaml has no check of biased_model, tiny_model" in result.outlines


def test_it_is_the_same_for_workers(project, run):
    project.the_rest_unchecked = contextlib.nullcontext
    assert run(ONE, workers=("-n", "2")).parseoutcomes() == {"failed": 2, "passed": 1}


def test_the_file_may_say_why(run):
    result = run(ONE + REST)
    assert result.parseoutcomes() == {"passed": 1}
    assert "fairness: unchecked: biased_model (retired in May)" in result.outlines  # in the header
    assert "tiny_model: too few patients" in result.outlines  # and with what was not judged


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "two workers"])
def test_junit_holds_the_reason(project, run, workers):
    odd = REST.replace("too few patients", '"too few: <5 & falling"')
    run(ONE + odd, "--junitxml=junit.xml", workers=workers)
    found = ET.parse(project.path / "junit.xml").findall("testsuite/properties/property")
    pairs = [(each.get("name"), each.get("value")) for each in found]
    assert [pair for pair in pairs if pair[0] == "fairness.unchecked"] == [
        ("fairness.unchecked", "biased_model: retired in May"),
        ("fairness.unchecked", "tiny_model: too few: <5 & falling"),
    ]


def test_a_fairness_test_that_uses_it_will_do(project, run):
    project.write("test_hand.py", USES)
    assert run(ONE).parseoutcomes() == {"passed": 2}


def test_a_test_of_the_project_will_not_do(project, run):
    project.write("test_mine.py", "def test_mine(tiny_model, biased_model): pass\n")
    assert run(ONE).parseoutcomes() == {"failed": 2, "passed": 1, "deselected": 1}


@pytest.mark.parametrize(
    "arguments",
    [
        ["-k", "accuracy or hand"],
        ["-m", "fairness"],
        ["thresholds.yaml"],
        ["thresholds.yaml::test_subgroups[fair_model-sex-accuracy-min_value]"],
        ["--lf"],
        ["--stepwise"],
        ["--ignore=tests"],
        ["--deselect=tests"],
        ["other"],
    ],
    ids=" ".join,
)
def test_a_part_of_the_gate_does_not_know(project, run, arguments):
    """Tests that it leaves out may use the model."""
    project.write("tests/test_hand.py", USES)
    project.write("other/test_other.py", project.passing("test_other"))
    result = run(ONE, *arguments)
    assert result.ret == 0
    assert "failed" not in result.parseoutcomes()


@pytest.mark.parametrize("option", ["-m 'not slow'", "-k 'not slow'", "--deselect=tests/test_slow.py"])
def test_an_option_that_every_run_has_hides_no_model(project, run, option):
    project.write("pytest.ini", f"[pytest]\naddopts = {option}\nmarkers = slow\n")
    assert run(ONE).parseoutcomes()["failed"] == 2
    project.write("tests/test_slow.py", USES.replace("def test_hand", "@pytest.mark.slow\ndef test_slow_hand"))
    assert run(ONE).ret == 0  # the tests that are left out use the models


@pytest.mark.parametrize(
    ("arguments", "testpaths"), [((), ""), (("tests",), "tests"), ((".",), "tests"), ((), "tests")]
)
def test_where_all_places_are_collected_it_does(project, run, arguments, testpaths):
    project.write("pytest.ini", f"[pytest]\ntestpaths = {testpaths}\n")
    project.write("tests/test_hand.py", "def test_mine(): pass\n")
    assert run(ONE, *arguments).parseoutcomes()["failed"] == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("unchecked: {tiny_modell: why}", "thresholds.yaml:4: unchecked.tiny_modell: no model of this name was found"),
        ("unchecked: {tiny_modell: why}", "did you mean 'tiny_model'?"),
        (
            "unchecked: {fair_model: why}",
            "unchecked.fair_model: models.fair_model on line 3 checks it",
        ),
        ("unchecked: {tiny_model: ''}", "unchecked.tiny_model: is empty; an auditor reads this"),
        ("unchecked: {tiny_model: '-'}", "unchecked.tiny_model: '-' has no letter and no digit"),
        ("unchecked: {tiny_model: }", "thresholds.yaml:4: unchecked.tiny_model: "),
        ("unchecked: [tiny_model]", "thresholds.yaml:4: unchecked: "),
        ("uncheckd: {tiny_model: why}", "did you mean 'unchecked'?"),
    ],
)
def test_a_mistake_in_it_is_a_usage_error(project, run, text, message):
    result = run(ONE + text + "\n")
    assert result.ret == 4
    assert message in result.stderr.str()
    assert "Traceback" not in result.stderr.str()
    assert project.fitted() == []


def test_a_model_that_is_unchecked_and_used_is_a_usage_error(project, run):
    project.write("test_hand.py", USES)
    result = run(ONE + REST)
    assert result.ret == 4
    assert "thresholds.yaml:4: unchecked.biased_model: a fairness test uses the model" in result.stderr.str()
    assert project.fitted() == []


OTHER = """
from fairness_checks import Predictions, fairness_model


@fairness_model
def {name}():
    return Predictions([1, 0] * 20, y_pred=[0, 1] * 20, sensitive_features={{"sex": ["f", "m"] * 20}})
"""
ASKS = """
def test_hand(fairness, {name}):
    fairness.audit({name}, metric="accuracy", by="sex", max_value=0.5)
"""
IN_A_CLASS = """
from conftest import fairness_model


class TestHidden:
    @fairness_model
    def {name}(self):
        return None

    def test_mine(self):
        pass
"""


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "two workers"])
@pytest.mark.parametrize("name", ["fair_model", "fourth_model"])
def test_a_model_in_the_conftest_of_a_folder_is_red_and_named(project, run, name, workers):
    project.write("tests/conftest.py", OTHER.format(name=name))
    project.write("tests/test_mine.py", "def test_mine(): pass\n")
    result = run(ONE + REST, workers=workers)
    assert result.ret != 0
    why = "cannot see" if name == "fair_model" else "does not name"  # the other fair_model is the one of the file
    message = f"tests/conftest.py: {name} is a model that thresholds.yaml {why}, and no fairness test asks for it"
    assert message in result.stdout.str() + result.stderr.str()
    assert project.fitted() == []


@pytest.mark.parametrize("text", [OTHER + "def test_mine(): pass\n", IN_A_CLASS], ids=["a module", "a class"])
def test_a_model_in_a_test_file_is_red_and_named(project, run, text):
    project.write("test_mine.py", text.format(name="fair_model"))
    result = run(ONE + REST)
    assert result.ret == 4
    assert "fair_model is a model that thresholds.yaml cannot see" in result.stderr.str()


@pytest.mark.parametrize("place", ["tests/conftest.py", "tests/test_hand.py"])
def test_a_fairness_test_that_uses_such_a_model_will_do(project, run, place):
    asks = ASKS.format(name="fourth_model")
    project.write("tests/test_hand.py", asks)
    project.write(place, OTHER.format(name="fourth_model") + (asks if place.endswith("hand.py") else ""))
    assert run(ONE + REST).ret == 0
    project.write("other/conftest.py", OTHER.format(name="fourth_model"))  # of another folder: another one
    project.write("other/test_mine.py", "def test_mine(): pass\n")
    result = run(ONE + REST)
    assert result.ret == 4
    assert "other/conftest.py: fourth_model" in result.stderr.str()


def test_a_model_that_a_test_file_imports_is_no_other(project, run):
    project.write("test_mine.py", "from conftest import fair_model\n\n\ndef test_mine(): pass\n")
    assert run(ONE + REST).ret == 0


def test_a_part_of_the_gate_does_not_ask_for_hidden_models(project, run):
    project.write("tests/conftest.py", OTHER.format(name="fourth_model"))
    project.write("tests/test_mine.py", "def test_mine(): pass\n")
    project.write("other/test_other.py", "def test_other(): pass\n")
    assert run(ONE + REST, "tests", "thresholds.yaml").ret == 0
