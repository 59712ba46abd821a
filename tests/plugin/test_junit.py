"""The JUnit file: each check with its record as properties, and the line that the terminal shows."""

from __future__ import annotations

import hashlib
import json
import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import xmlschema

from fairness_checks import CheckRecord
from fairness_checks.cli.main import main
from fairness_checks.cli.snapshot import junit_cases

SCHEMA = str(Path(__file__).parents[1] / "golden" / "jenkins_junit.xsd")
COMMAND = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--fairness")


@pytest.fixture
def cases(project):
    broken = "\n@fairness_model\ndef broken_model():\n    raise RuntimeError('the registry is away')\n"
    project.write("conftest.py", project.MODELS + broken)
    project.limits("biased_model", "fair_model", "tiny_model", "broken_model")
    project.gate("--junitxml=junit.xml")
    return {name.split("[")[1].split("-")[0]: case for name, case in project.junit().items()}


def test_each_outcome_has_its_element(cases):
    elements = {model: {child.tag for child in case} - {"properties"} for model, case in cases.items()}
    assert elements == {
        "biased_model": {"failure"},
        "fair_model": set(),
        "tiny_model": {"skipped"},
        "broken_model": {"error"},
    }


def test_properties_hold_the_record_as_plain_text(project, cases):
    found = project.properties(cases["biased_model"])
    assert all(re.fullmatch(r"[a-z0-9_.]+", name) for name in found)
    record = CheckRecord.from_json(found["fairness.record"])
    question = ("subgroups", "false_negative_rate", ("sex",), "max_difference", (), "each", "", "", "")
    assert record.key == ("biased_model", *question)
    expected = {
        "by": "sex",
        "model": "biased_model",
        "metric": "false_negative_rate",
        "limit": "0.1",
        "limit_kind": "max_difference",
        "verdict": "fail",
        "estimate": "0.3",
        "confidence": "0.9",
        "correction": "holm",
        "burden_of_proof": "violation",
    }
    assert {name: found[f"fairness.{name}"] for name in expected} == expected
    assert float(found["fairness.low"]) == pytest.approx(record.low, rel=1e-5)
    assert float(found["fairness.p_adjusted"]) == pytest.approx(record.p_adjusted, rel=1e-5)
    assert json.loads(found["fairness.groups"]) == [
        {"group": "female", "samples": 800, "events": 160, "n": 400},
        {"group": "male", "samples": 800, "events": 40, "n": 400},
    ]


@pytest.mark.parametrize(
    ("model", "element"), [("biased_model", "failure"), ("tiny_model", "skipped"), ("fair_model", None)]
)
def test_the_line_of_the_terminal_stands_in_the_file(project, cases, model, element):
    text = project.properties(cases[model])["fairness.text"]
    assert text.startswith(f"{model} misses ")
    assert "\n" not in text
    if element is not None:
        assert text in cases[model].find(element).text
        assert text in cases[model].find(element).get("message")


def test_a_check_is_located_where_its_limit_is_written(project, cases):
    lines = (project.path / "thresholds.yaml").read_text(encoding="utf-8").splitlines()
    number = 1 + next(i for i, line in enumerate(lines) if "tiny_model" in line)
    assert f"thresholds.yaml:{number}: tiny_model misses " in cases["tiny_model"].find("skipped").text


def test_an_error_names_its_cause_and_has_no_record(project, cases):
    assert "the registry is away" in cases["broken_model"].find("error").text
    assert "fairness.record" not in project.properties(cases["broken_model"])


def test_names_and_counts_of_the_suite(project, cases):
    assert {case.get("classname") for case in cases.values()} == {
        *("fairness.biased_model", "fairness.fair_model", "fairness.tiny_model", "fairness.broken_model")
    }
    text = (project.path / "junit.xml").read_text(encoding="utf-8")
    assert 'errors="1" failures="1" skipped="1" tests="4"' in text


def test_a_failure_has_one_line_as_message_and_the_block_as_text(cases):
    failure = cases["biased_model"].find("failure")
    assert failure.get("message").startswith("biased_model misses 40 of 100 with sex=female whose label is 1, and 10 ")
    assert "\n" not in failure.get("message")
    assert failure.text.splitlines()[0] == failure.get("message")
    assert len(failure.text.splitlines()) > 2


def test_inconclusive_is_a_type_of_its_own(cases):
    assert cases["tiny_model"].find("skipped").get("type") == "fairness.inconclusive"


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "workers"])
def test_the_suite_says_what_was_judged_by(project, workers):
    limits = project.limits("fair_model", "tiny_model")
    with project.the_rest_unchecked():
        content = limits.read_bytes()
        project.pytester.run(*COMMAND, "--junitxml=junit.xml", *workers)
    suite = ET.parse(project.path / "junit.xml").find("testsuite")
    said = {each.get("name"): each.get("value") for each in suite.find("properties")}
    assert all(re.fullmatch(r"[a-z0-9_.]+", name) for name in said)
    assert said["fairness.config.sha256"] == hashlib.sha256(content).hexdigest()
    assert (said["fairness.config"], said["fairness.burden_of_proof"]) == ("thresholds.yaml", "violation")
    assert said["fairness.seed"] == "0"
    assert said["fairness.version.numpy"]


def test_a_strict_file_is_what_jenkins_takes_and_still_holds_every_record(project):
    schema = xmlschema.XMLSchema(SCHEMA)
    project.limits("biased_model", "fair_model", "tiny_model")
    project.gate("--junitxml=usual.xml")
    project.gate("--junitxml=strict.xml", "--fairness-junit-strict")
    usual, strict = ((project.path / name).read_bytes() for name in ("usual.xml", "strict.xml"))
    assert not schema.is_valid(usual.decode())
    schema.validate(strict.decode())
    one, other = (
        sorted(text for case in junit_cases(content, "junit.xml") for text in case.records)
        for content in (strict, usual)
    )
    assert one == other
    assert main(["diff", str(project.path / "usual.xml"), str(project.path / "strict.xml")]) == 0
