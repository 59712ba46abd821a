"""Forms of the evidence for other programs: each is of its own schema, says nothing for passed, and names stay text."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import xmlschema
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fairness_checks.errors import EvidenceError
from fairness_checks.plain import printable
from fairness_checks.records.parts import SuppressionRecord
from fairness_checks.report.chai_card import NAMESPACE
from fairness_checks.report.evidence import FailureEvidence, ModelEvidence
from fairness_checks.report.formats import FORMATS, Source
from fairness_checks.report.in_toto import PREDICATE
from fairness_checks.report.markdown import escaped
from tests.report.sample_evidence import HOSTILE, check, evidence, mixed, record, renamed

SOURCE = Source(sha256="a" * 64, subjects=(("model.onnx", "b" * 64),))
NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
_STRICT = JsonStrictValidator(SchemaVersion.V1_6)


def written(name, run):
    return FORMATS[name].write(run, SOURCE)


def hostile(test):
    for name in HOSTILE:
        test = example(name)(test)
    return settings(max_examples=20, deadline=None)(given(NAMES)(test))


def predicate(run):
    document = json.loads(written("in-toto", run))
    assert document["_type"] == "https://in-toto.io/Statement/v1"
    assert document["predicateType"] == PREDICATE
    lists = [document["predicate"][name] for name in ("passedTests", "warnedTests", "failedTests")]
    named = [name for each in lists for name in each]
    assert len(named) == len(set(named))
    return document["predicate"]


# in-toto


def test_each_form_is_described():
    page = (Path(__file__).parents[2] / "docs" / "evidence.md").read_text(encoding="utf-8")
    assert set(FORMATS) <= set(re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE)), "the table of docs/evidence.md"


def test_a_statement_is_about_the_evidence_and_the_files_given():
    document = json.loads(written("in-toto", mixed()))
    assert document["subject"] == [
        {"name": "evidence.json", "digest": {"sha256": "a" * 64}},
        {"name": "model.onnx", "digest": {"sha256": "b" * 64}},
    ]
    assert document["predicate"]["configuration"] == [{"name": "thresholds.yaml", "digest": {"sha256": "0" * 64}}]


def test_a_statement_lists_what_passed_warned_and_failed():
    found = predicate(mixed())
    assert found["result"] == "FAILED"
    test = "thresholds.yaml::test_subgroups[sepsis-{}]".format
    assert found["passedTests"] == [test(2)]
    assert found["warnedTests"] == [test(3), test(4)]
    assert found["failedTests"] == [test(1), test(5), "test_own.py::test_x"]


@pytest.mark.parametrize(
    ("run", "result", "failed"),
    [
        (evidence(check(1, record(42))), "PASSED", []),
        (evidence(check(1, record(42)), check(2, record(4, 12))), "WARNED", []),
        (evidence(check(1, record(42)), check(2, record(waived=True))), "WARNED", []),
        (evidence(check(1, record(42)), check(2, None)), "WARNED", []),
        (evidence(check(1, record(42)), not_judged={"other": "no data"}), "WARNED", []),
        (evidence(check(1, record(42)), complete=False, exit_code=1), "FAILED", ["the run did not come to its end"]),
        (evidence(check(1, record(42)), exit_code=1), "FAILED", ["the run ended with exit code 1"]),
        (evidence(check(1, record(4, 12)), exit_code=6, unsettled_exit=6), "WARNED", []),
        (evidence(check(1, record(4, 12)), exit_code=6), "FAILED", ["the run ended with exit code 6"]),
        (evidence(check(1, None)), "FAILED", ["nothing was judged"]),
        (evidence(), "FAILED", ["nothing was judged"]),
    ],
)
def test_what_was_not_shown_is_never_read_as_passed(run, result, failed):
    found = predicate(run)
    assert (found["result"], found["failedTests"]) == (result, failed)
    assert not any("sepsis-2" in name for name in found["passedTests"])


@pytest.mark.parametrize("found", [record(42), record(4, 12), record(waived=True)], ids=["pass", "unsettled", "waived"])
@pytest.mark.parametrize("by_hand", [False, True], ids=["file", "by hand"])
def test_a_test_that_failed_behind_its_verdict_is_failed_alone(found, by_hand):
    asked = check(1, found, **({"test": "", "line": None} if by_hand else {}))
    node = "test_own.py::test_x" if by_hand else asked.test
    model = ModelEvidence(model="sepsis", test=node if by_hand else None, checks=(asked,))
    torn = FailureEvidence(test=node, text="RuntimeError: teardown")
    said = predicate(evidence(models=(model,), failures=(torn,), exit_code=1))
    assert (said["passedTests"], said["warnedTests"], said["failedTests"]) == ([], [], [node])


def test_a_part_of_a_run_does_not_pass():
    whole = evidence(check(1, record(42)))
    assert predicate(dataclasses.replace(whole, run=dataclasses.replace(whole.run, whole=False)))["result"] == "WARNED"


def test_verdicts_of_one_hand_written_test_on_one_question_are_told_apart():
    twice = mixed(exit_code=1).models[0].checks[0]
    model = dataclasses.replace(
        mixed().models[0], test="test_own.py::test_x", checks=(dataclasses.replace(twice, test="", line=None),)
    )
    found = predicate(dataclasses.replace(evidence(exit_code=1), models=(model, model)))
    name = "test_own.py::test_x: subgroups: false_negative_rate by sex, max_difference"
    assert found["failedTests"] == [name, f"{name} (2)"]


# CycloneDX


@pytest.mark.parametrize("run", [mixed(), evidence(), evidence(check(1, record(42)))], ids=["mixed", "empty", "green"])
def test_a_bill_of_materials_is_valid(run):
    assert _STRICT.validate_str(written("cyclonedx", run)) is None


def test_a_model_card_has_values_by_group_and_what_was_found():
    document = json.loads(written("cyclonedx", mixed()))
    model, *files = document["components"]
    assert (model["type"], model["name"]) == ("machine-learning-model", "sepsis")
    assert [(each["name"], each["hashes"][0]["content"]) for each in files] == [
        ("evidence.json", "a" * 64),
        ("model.onnx", "b" * 64),
    ]
    metrics = model["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]
    values = {(each["type"], each["slice"]): float(each["value"]) for each in metrics[:3]}
    assert values == pytest.approx(
        {
            ("false_negative_rate", "sex=female"): 0.4,
            ("false_negative_rate", "sex=male"): 0.1,
            ("false_negative_rate by sex: difference", "sex=female against sex=male"): 0.3,
        }
    )
    assessments = model["modelCard"]["considerations"]["fairnessAssessments"]
    verdicts = [(each.get("harms") or each["benefits"]).partition(":")[0] for each in assessments]
    assert [each for each in assessments if "benefits" in each] == [assessments[1]]
    assert verdicts == ["fail", "pass", "inconclusive", "waived", "not judged", "not judged"]
    assert assessments[3]["mitigationStrategy"] == "waived until 2027-06-30 by Dr. X: relabelled"


def test_a_serial_number_is_of_the_evidence():
    one, same, other = (
        json.loads(FORMATS["cyclonedx"].write(mixed(), Source(sha256=digit * 64)))["serialNumber"]
        for digit in ("a", "a", "b")
    )
    assert one == same != other


# The Applied Model Card


def test_a_card_holds_the_fairness_part_and_says_who_writes_the_rest():
    root = ET.fromstring(written("chai", mixed()))
    part = root.find(f".//{{{NAMESPACE}}}FairnessEquity")
    results = [[child.text for child in each] for each in part.iter(f"{{{NAMESPACE}}}MetricResult")]
    assert results[0][0] == "false_negative_rate by sex: sex=female"
    assert json.loads(results[0][1]) == pytest.approx(
        {"kind": "estimate_ci", "estimate": 0.4, "lower": 0.3591, "upper": 0.4420, "level": 90.0}, abs=1e-4
    )
    said = part.find(f"{{{NAMESPACE}}}Interpretation").text
    assert [line.split(":")[0] for line in said.splitlines()] == [
        "- **The run that this card is of failed with exit code 1.**",
        "- **2 tests failed for another reason than a verdict; evidence.json names them.**",
        "- fail",
        "- pass",
        "- inconclusive",
        "- waived",
        "- not judged",
        "- not judged",
    ]
    assert {each.text for each in root.iter(f"{{{NAMESPACE}}}ModelDeveloper")} == {
        "No part of a fairness gate: to be written by the developer."
    }
    for other in ("UsefulnessUsabilityEfficacy", "SafetyReliability"):
        values = root.findall(f".//{{{NAMESPACE}}}{other}//{{{NAMESPACE}}}ValueJson")
        assert [json.loads(each.text) for each in values] == [None]


_PART = ["MetricGoal", "Results", "Interpretation", "TestType", "TestingDataDescription"]
_PART += ["ValidationProcessAndJustification"]
_CARD = {  # what the schema asks for, in its order
    "AppliedModelCard": "BasicInfo ReleaseInfo ModelSummary UsesAndDirections Warnings TrustIngredients KeyMetrics "
    "Resources Bibliography",
    "KeyMetrics": "UsefulnessUsabilityEfficacy FairnessEquity SafetyReliability",
    "FairnessEquity": " ".join(_PART),
    "MetricResult": "Label ValueJson",
    "Warnings": "KnownRisksAndLimitations KnownBiasesOrEthicalConsiderations ClinicalRiskLevel",
}


def test_a_card_has_the_parts_of_the_schema_in_its_order():
    root = ET.fromstring(written("chai", mixed()))
    for name, parts in _CARD.items():
        for element in root.iter(f"{{{NAMESPACE}}}{name}"):
            assert [child.tag.removeprefix(f"{{{NAMESPACE}}}") for child in element] == parts.split()


SCHEMA = Path(os.environ.get("FAIRNESS_DATA", "")) / "chai_applied_model_card_v0.2.xsd"
_SHA256 = "68c189141e157c221945cae2a2abc63602c34b6de3623060339c67d41850ff3d"


@pytest.mark.parametrize(
    "run", [mixed(), renamed(mixed(), "]]>\x00<b>"), evidence(check(1, None))], ids=["mixed", "hostile", "unjudged"]
)
def test_a_card_is_valid(run):
    if not os.environ.get("FAIRNESS_DATA") or not SCHEMA.is_file():
        pytest.skip("no chai_applied_model_card_v0.2.xsd (https://mc.chai.org/v0.2/schema.xsd) in $FAIRNESS_DATA")
    content = SCHEMA.read_bytes()
    assert hashlib.sha256(content).hexdigest() == _SHA256
    xmlschema.XMLSchema(content.decode(), validation="lax").validate(written("chai", run))


GREEN = evidence(check(1, record(42)))


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (GREEN, None),
        (dataclasses.replace(GREEN, complete=False, exit_code=1), "The run did not come to its end"),
        (dataclasses.replace(GREEN, exit_code=3), "The run that this card is of failed with exit code 3"),
        (
            dataclasses.replace(GREEN, exit_code=1, failures=(FailureEvidence(test="t.py::test_x", text="no"),)),
            "1 test failed for another reason than a verdict",
        ),
        (dataclasses.replace(GREEN, run=dataclasses.replace(GREEN.run, whole=False)), "Only a part"),
    ],
    ids=["green", "killed", "exit code", "another test", "part"],
)
def test_a_card_says_what_speaks_against_the_whole_run(run, said):
    root = ET.fromstring(written("chai", run))
    for place in ("Interpretation", "KnownBiasesOrEthicalConsiderations"):
        texts = [each.text or "" for each in root.iter(f"{{{NAMESPACE}}}{place}")]
        assert any(said in text for text in texts) if said else not any("The run" in text for text in texts)
    assert ("found no limit exceeded" in written("chai", run)) is (said is None)


def test_a_card_is_of_one_model():
    two = dataclasses.replace(mixed(), models=(*mixed().models, *renamed(mixed(), "other").models))
    for run, said in ((evidence(), "here are 0: none"), (two, "here are 2: other, sepsis")):
        with pytest.raises(EvidenceError, match=said):
            written("chai", run)


# GitLab


def test_gitlab_has_an_issue_at_the_line_of_each_limit_that_was_not_kept():
    issues = json.loads(written("gitlab", mixed()))
    found = [(each["severity"], each["location"]["lines"]["begin"], each["location"]["path"]) for each in issues]
    assert found == [
        ("critical", 1, "thresholds.yaml"),
        ("critical", 5, "thresholds.yaml"),
        ("critical", 1, "test_own.py"),
        ("minor", 3, "thresholds.yaml"),
        ("info", 4, "thresholds.yaml"),
        ("info", 6, "thresholds.yaml"),
        ("info", 1, "thresholds.yaml"),
    ]
    assert issues[0]["check_name"] == "fairness/subgroups/false_negative_rate"
    assert issues[0]["description"].startswith("fail: sepsis misses 40 of 100")
    assert "needs about" in issues[3]["description"]
    for issue in issues:
        assert set(issue) == {"description", "check_name", "fingerprint", "severity", "location"}


def test_fingerprints_are_unique_and_stay_where_lines_and_numbers_move():
    checks = mixed().models[0].checks
    moved = tuple(dataclasses.replace(each, line=(each.line or 0) + 7) for each in checks)
    worse = (dataclasses.replace(moved[0], record=record(200)), *moved[1:])
    before, after = (
        [each["fingerprint"] for each in json.loads(written("gitlab", run))]
        for run in (mixed(), mixed(models=(dataclasses.replace(mixed().models[0], checks=worse),)))
    )
    assert before == after
    assert len(set(before)) == len(before)


@pytest.mark.parametrize(
    ("run", "severities"),
    [
        (evidence(check(1, record(42))), []),
        (evidence(check(1, record(42)), exit_code=1), ["blocker"]),
        (evidence(check(1, record(42)), complete=False), ["blocker"]),
        (evidence(check(1, record(4, 12, burden_of_proof="compliance")), exit_code=1), ["critical"]),
    ],
)
def test_gitlab_tells_a_red_run_that_no_test_tells(run, severities):
    assert [each["severity"] for each in json.loads(written("gitlab", run))] == severities


# All of them


@hostile
def test_every_form_parses_and_shows_a_name_as_text(name):
    run, seen = renamed(mixed(), name), printable(name)
    assert json.loads(written("in-toto", run))["predicate"]["failedTests"][-1] == name
    assert seen in json.loads(written("gitlab", run))[0]["description"]
    document = json.loads(written("cyclonedx", run))
    assert document["components"][0]["name"] == seen
    root = ET.fromstring(written("chai", run))
    assert (root.find(f".//{{{NAMESPACE}}}ModelName").text or "") == escaped(name)
    for form in ("in-toto", "gitlab", "cyclonedx", "json"):
        assert written(form, run).isascii() or form == "json"


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_a_bill_of_materials_with_such_names_is_valid(name):
    assert _STRICT.validate_str(written("cyclonedx", renamed(mixed(), name))) is None


@pytest.mark.parametrize("name", [name for name in FORMATS if name not in ("json", "html")])
def test_no_form_shows_what_is_suppressed(name):
    group = record().groups[0]
    hidden = dataclasses.replace(
        record(),
        **dict.fromkeys(("estimate", "low", "high", "p_violation", "p_adjusted", "p_compliance", "detectable")),
        **dict.fromkeys(("first", "second", "needed_samples", "needed_samples_if_equal")),
        groups=(
            dataclasses.replace(group, name=("other",), events=20, n=80, samples=80, rate=0.25, low=0.2, high=0.26),
        ),
        reason="counts are small",
        suppressed=SuppressionRecord(below=11, groups=(("female",), ("male",))),
    )
    text = written(name, evidence(check(1, hidden)))
    for number in ("0.4", "0.3", "0.1 ", "160", "0.35"):
        assert number not in text.replace("0.10", "").replace("v0.1", "").replace("0.1.0", ""), number
    if name != "in-toto":
        assert "counts are small" in text
