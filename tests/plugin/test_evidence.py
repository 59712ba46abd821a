"""evidence.json of a run, and `fairness-checks verify`: everything follows from it, and what was changed is found."""

from __future__ import annotations

import copy
import json
import os
import random
import re
import signal
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import jsonschema
import pytest

import fairness_checks.cli.verify
import fairness_checks.findings.regression
import fairness_checks.judge.evidencing
import fairness_checks.sweep.runs  # noqa: F401 - for its side effect, as in conftest.py
from benchmarks.sweep_project import MODEL as SWEPT
from fairness_checks.cli.main import main
from fairness_checks.report import formats
from fairness_checks.report.evidence import read_evidence, seal, statistics_id

MODEL = """
import numpy as np
from fairness_checks import Predictions, fairness_metric, fairness_model


def made(seed, worse=0.2):
    rng = np.random.default_rng(seed)
    sex = np.repeat(["f", "m"], 300)
    y = rng.random(600) < 0.4
    score = np.clip(0.5 + (y - 0.5) * np.where(sex == "m", 0.5, 0.5 - worse) + rng.normal(0, 0.2, 600), 0, 1)
    return Predictions(
        y.astype(int), y_score=score, threshold=0.5, error=abs(y - score), uncertainty=rng.random(600),
        cluster=np.arange(600) // 3 if seed == 2 else None, sample_id=np.arange(600),
        sensitive_features={"sex": sex, "ward": rng.choice(["a", "b", "c"], 600)},
    )


@fairness_metric(kind="proportion")
def far(predictions):
    return abs(predictions.y_true - predictions.y_score) > 0.6


@fairness_model
def icu():
    return made(1)


@fairness_model
def ward():
    return made(2, 0.0)
"""
LIMITS = """
version: 1
responsible: {name: A. Clinician, role: medical lead}
test_data: external
period: 2026, third quarter
models:
  icu:
    subgroups:
      - {metric: false_negative_rate, by: sex, max_difference: 0.02, why: missed sepsis kills, owner: Sepsis board}
      - {metric: accuracy, by: ward, max_difference: 0.5}
      - {metric: equalized_odds, by: sex, max_difference: 0.6}
      - {metric: brier_score, by: sex, control_features: ward, strata: combined, max_difference: 0.3}
      - {metric: far, by: sex, min_ratio: 0.01}
    uncertainty: [{by: sex, max_mismatch: 0.9}]
    regression: [{metric: accuracy, by: sex, max_worsening: 0.2}]
  ward:
    subgroups:
      - {metric: roc_auc, by: sex, min_value: 0.6}
      - {metric: expected_calibration_error, by: sex, max_difference: 0.5}
      - {metric: mean_absolute_error, by: sex, max_difference: 0.3}
"""
WAIVER = """
waivers:
  - {model: icu, metric: false_negative_rate, by: sex, reason: CAPA 12, approved_by: A. Auditor, expires: %s}
"""
HAND = """
from conftest import made

def mine(predictions):
    "absolute error"
    return abs(predictions.y_true - predictions.y_score)

def test_by_hand(fairness):
    fairness.audit(made(3), metric="accuracy", by="sex", max_difference=0.5)
    fairness.audit(made(3), metric=mine, by="sex", max_difference=0.9, alpha=0.01)
"""


@pytest.fixture
def evident(project):
    """A project whose run has each kind of check, and a function that reads its evidence."""
    project.write("conftest.py", MODEL)
    project.write("thresholds.yaml", LIMITS)
    project.write("test_hand.py", HAND)

    def read(folder="out"):
        text = (project.path / folder / "evidence.json").read_text(encoding="utf-8")
        return json.loads(text)

    project.read = read
    return project


def verify(path, *more):
    return main(["verify", str(path), *more])


def test_a_red_run_follows_from_its_evidence_and_its_junit_file(evident, capsys):
    assert evident.gate("--fairness-update-baseline").ret == 1
    assert evident.gate("--fairness-report=out", "--junitxml=out/junit.xml").ret == 1
    found = evident.read()
    assert (found["complete"], found["exit_code"]) == (True, 1)
    assert found["totals"]["fail"] == 1
    assert sum(found["totals"].values()) == 12
    assert found["run"]["whole"]
    assert found["baseline"]["file"] == "fairness-baseline.json"
    assert found["configuration"]["text"] == LIMITS
    assert found["configuration"]["responsible"] == ["A. Clinician", "medical lead"]
    assert found["configuration"]["test_data"] == "external"
    assert found["configuration"]["period"] == "2026, third quarter"
    asked = {check["question"]: check for model in found["models"] for check in model["checks"]}
    stands = asked["subgroups: false_negative_rate by sex, max_difference"]
    assert (stands["why"], stands["owner"]) == ("missed sepsis kills", "Sepsis board")
    capsys.readouterr()
    assert verify(evident.path / "out") == 0
    said = capsys.readouterr().out
    assert said.endswith(", and 1 JUnit file compared: nothing differs; the run had exit code 1\n")
    assert said.startswith("12 checks recomputed (1 fail, ")


def test_the_schema_that_is_printed_describes_the_document(evident, capsys):
    evident.gate("--fairness-update-baseline")
    evident.gate("--fairness-report=out")
    evident.write("thresholds.yaml", f"suppress_below: 200\n{LIMITS}")
    evident.gate("--fairness-report=hidden")
    capsys.readouterr()
    assert main(["schema", "--evidence"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert schema["title"] == "evidence.json of fairness_checks"
    fits = jsonschema.Draft202012Validator(schema)
    fits.check_schema(schema)
    for document in map(evident.read, ("out", "hidden")):
        fits.validate(document)
        for change in ({"complete": "yes"}, {"models": [{}]}, {"more": 1}):
            assert not fits.is_valid(document | change)
    parts = {"Evidence": schema} | {name: part for name, part in schema["$defs"].items() if name.endswith("Evidence")}
    assert len(parts) == 11
    assert [(n, f) for n, p in parts.items() for f, of in p["properties"].items() if not of.get("description")] == []


def test_workers_write_the_same_evidence(evident):
    evident.gate("--fairness-report=one")
    evident.gate_in_subprocess("--fairness-report=two", "-n", "2")
    one, two = evident.read("one"), evident.read("two")
    for each in (one, two):
        del each["run"]["started"], each["run"]["ended"], each["run"]["command"], each["sha256"]
    assert one == two


def test_a_selection_leaves_what_the_adjustment_needs(evident):
    evident.gate("--fairness-report=out", "-k", "icu and accuracy and ward")
    assert not evident.read()["run"]["whole"]
    assert sum(evident.read()["totals"].values()) == 1
    assert verify(evident.path / "out") == 0


def test_a_waived_run_and_an_expired_waiver_follow(evident):
    for expires in ("2099-01-01", "2020-01-01"):
        evident.write("thresholds.yaml", LIMITS + WAIVER % expires)
        assert evident.gate("--fairness-report=out").ret == 1
        assert verify(evident.path / "out") == 0
        document = evident.read()
        document["failures"] = [each for each in document["failures"] if "test_waiver" not in each["test"]]
        (evident.path / "changed.json").write_text(json.dumps(seal(document)), encoding="utf-8")
        assert verify(evident.path / "changed.json") == 1

    evident.write("thresholds.yaml", LIMITS + WAIVER % (date.today() + timedelta(days=30)))
    evident.gate("--fairness-report=out")
    assert evident.read()["totals"]["waived"] == 1
    assert verify(evident.path / "out") == 0


def test_the_burden_of_the_command_line_is_part_of_it(evident):
    evident.gate("--fairness-report=out", "--fairness-burden=compliance")
    assert evident.read()["configuration"]["burden_of_proof"] == "compliance"
    assert verify(evident.path / "out") == 0


def test_a_check_that_cannot_be_made_is_there_with_its_reason(evident):
    evident.write("thresholds.yaml", LIMITS.replace("by: ward, max_difference: 0.5", "by: age, max_difference: 0.5"))
    assert evident.gate("--fairness-report=out").ret == 1
    (model,) = (each for each in evident.read()["models"] if each["model"] == "icu")
    (error,) = (check["error"] for check in model["checks"] if check["error"])
    assert "age" in error
    assert verify(evident.path / "out") == 0
    (evident.path / "changed.json").write_text(json.dumps(seal(evident.read() | {"failures": []})), encoding="utf-8")
    assert verify(evident.path / "changed.json") == 1


BROKEN = {"one check": "'icu-ward' in item.name", "all checks": "'icu' in item.name"}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_a_check_whose_test_fails_before_it_is_judged_follows_from_that_failure(evident, broken, capsys):
    evident.write("conftest.py", f"{MODEL}\ndef pytest_runtest_setup(item):\n    assert not ({broken})\n")
    assert evident.gate("--fairness-report=out").ret == 1
    assert verify(evident.path / "out") == 0
    document = evident.read()
    failed = document["failures"].pop()
    (evident.path / "changed.json").write_text(json.dumps(seal(document)), encoding="utf-8")
    capsys.readouterr()
    assert verify(evident.path / "changed.json") == 1
    assert "a verdict or a failed test" in capsys.readouterr().out
    failed["test"] = "thresholds.yaml::test_of_icu"  # of another one it says nothing
    document["failures"].append(failed)
    (evident.path / "changed.json").write_text(json.dumps(seal(document)), encoding="utf-8")
    assert verify(evident.path / "changed.json") == 1


@pytest.mark.parametrize(
    "exit_",
    [
        "def pytest_runtest_teardown(item): pytest.exit('enough', returncode=0)",
        "def pytest_runtest_setup(item): pytest.exit('enough')",
    ],
    ids=["teardown", "setup"],
)
def test_a_run_that_was_ended_is_incomplete(evident, exit_, capsys):
    evident.write("conftest.py", MODEL + "\nimport pytest\n" + exit_ + "\n")
    assert evident.gate_in_subprocess("--fairness-report=out").ret != 0
    assert not evident.read()["complete"]
    assert verify(evident.path / "out") == 1
    assert "complete: false; it follows: true: the run did not come to its end" in capsys.readouterr().out


def test_a_killed_run_leaves_no_evidence_of_an_earlier_one(evident):
    evident.gate("--fairness-report=out")
    assert evident.read()["complete"]
    evident.write(
        "conftest.py", MODEL.replace("return made(1)", "import time; print('now', flush=True); time.sleep(600)")
    )
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-s", "--fairness", "--fairness-report=out"]
    run = subprocess.Popen(command, cwd=evident.path, stdout=subprocess.PIPE, text=True)
    try:
        while "now" not in (line := run.stdout.readline()):
            assert line, "the run ended"
    finally:
        run.send_signal(signal.SIGKILL)
        run.communicate()
    assert not evident.read()["complete"]
    assert verify(evident.path / "out") == 1


def test_a_folder_that_cannot_be_written_is_one_error_before_anything_is_judged(evident):
    evident.write("file", "")
    result = evident.gate_in_subprocess("--fairness-report=file")
    assert result.ret == 4
    assert "--fairness-report" in result.stderr.str()
    assert "give a folder that can be written" in result.stderr.str()
    assert evident.fitted() == []


def test_a_run_whose_evidence_cannot_be_written_is_red(evident):
    green = LIMITS.replace("max_difference: 0.02", "max_difference: 0.9").partition("    regression:")[0]
    evident.write("thresholds.yaml", f"{green}unchecked: {{ward: another test}}\n")
    evident.write("test_hand.py", "")
    assert evident.gate_in_subprocess("--fairness-report=out").ret == 0
    gone = "\ndef pytest_sessionfinish():\n    import shutil\n    shutil.rmtree('out')\n"
    evident.write("conftest.py", MODEL + gone)
    result = evident.gate_in_subprocess("--fairness-report=out")
    assert result.ret == 1
    assert "the evidence was not written: " in result.stderr.str()


def test_the_ini_key_names_the_folder(evident):
    evident.write("pytest.ini", "[pytest]\nfairness_report = from-ini\n")
    evident.gate()
    assert evident.read("from-ini")["complete"]


def test_no_row_is_in_it(evident):
    evident.gate("--fairness-report=out")
    text = (evident.path / "out" / "evidence.json").read_text(encoding="utf-8")
    lists = []

    def look(value):
        if isinstance(value, dict):
            for each in value.values():
                look(each)
        elif isinstance(value, list):
            lists.append(len(value))
            for each in value:
                look(each)

    look(json.loads(text))
    assert max(lists) < 100 < 600


# A field that no verdict rests on: the same of all groups, of a group with itself, or said for a reader.
SAID = (
    *("formula", "lower_is_better", "test", "file", "excess", "clusters_cross_groups", "clustered", "m3", "limits"),
    *("one_cluster_each", "scaling", "updating", "look", "lowest", "highest", "uncertainty_of_part", "units_of_part"),
)
SKEW = ("skewness", "of_samples")  # of many clusters moves what is rounded away
OWN = ("covariance", "shared", "units", "variance", "samples", "effective")


def leaves(value, path=()):
    if isinstance(value, dict | list):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(part, (*path, key))
    else:
        yield path


def at(document, path):
    for key in path:
        document = document[key]
    return document


def changed(value, rng, path=()):
    if {"effective", "freedom"} & set(path) and value:
        return 1.0  # a few less of many decide nothing
    if {"CalibrationStatistics", "variance"} <= set(path):
        return 100.0 * value  # the larger of two decides
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + rng.choice([1, 5])
    if isinstance(value, float):
        return value * rng.choice([0.9, 1.01, 1.5]) if value else 0.01
    return f"{value}x" if isinstance(value, str) else 0.5


def resealed(document):
    """Return it as somebody would who knows how checksums are made."""
    for model in document["models"]:
        for key, content in list(model["statistics"].items()):
            new = statistics_id(content)
            model["statistics"][new] = model["statistics"].pop(key)
            for check in model["checks"]:
                check["statistics"] = new if check["statistics"] == key else check["statistics"]
    return seal(document)


def rests_on(path):
    words = [key for key in path if isinstance(key, str)]
    if words[0] not in ("models", "totals", "exit_code"):
        return False
    if "entry" in words and words[-1] != "value":  # the estimates of both models say what is compared
        return False
    if set(words) & {*SAID, *SKEW, "data", "about"}:
        return False
    if {"error_auc", "uncertainty_auc"} & set(words) and path[-1] == path[-2]:  # a group before itself
        return False
    if words[-1] == "effective":  # None, as nothing is clustered
        return False
    own = any(word.split("_")[-1] in OWN for word in words)
    return not (own and {"MismatchStatistics", "RankingStatistics"} & set(words))


def test_changes_are_found_wherever_a_verdict_rests_on_them(evident, tmp_path, capsys):
    evident.gate("--fairness-update-baseline")
    evident.gate("--fairness-report=out")
    document, rng = evident.read(), random.Random(0)
    paths = [path for path in leaves(document) if rests_on(path)]
    missed = []
    for path in rng.sample(paths, 300):
        mine = copy.deepcopy(document)
        at(mine, path[:-1])[path[-1]] = changed(at(mine, path), rng, path)
        file = tmp_path / "evidence.json"
        file.write_text(json.dumps(resealed(mine)), encoding="utf-8")
        if verify(file) == 0:
            missed.append(path)
        capsys.readouterr()
    assert [" ".join(map(str, path)) for path in missed] == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d["configuration"].update(text=d["configuration"]["text"].replace("0.02", "0.9")), "another file"),
        (lambda d: d["run"].update(started="2999-01-01T00:00:00Z"), "dates run backwards"),
        (lambda d: d["run"].update(day="2001-01-01"), "run.day"),
        (lambda d: d["run"].update(day="yesterday"), "run: Invalid isoformat"),
        (lambda d: d["run"].update(started="2027-06-30T12:00:00"), "run: can't compare"),
        (lambda d: d.update(exit_code=0), "exit_code"),
        (lambda d: d.update(exit_code=6), "exit_code"),
        (lambda d: d["totals"].update(fail=0), "totals"),
        (lambda d: d["models"].pop(), "no evidence"),
        (lambda d: d["models"][0]["data"].update(samples=601), "samples"),
        (lambda d: d["models"][0]["data"]["missing"].update(sex=1), "missing"),
        (lambda d: d["models"][0].update(cache="from the cache of 2999-01-01 00:00 UTC"), "cache"),
        (lambda d: d["models"][0]["checks"][1].update(record=None), "no record"),
        (lambda d: d["models"][0]["checks"].pop(), "nothing; it follows: a check of the file of limits"),
        (lambda d: d["models"][0]["checks"][0].update(owner="nobody"), "why, owner"),
        (lambda d: d["models"][0]["checks"][0].update(line=99), "why, owner, test, line"),
        (lambda d: d["configuration"].update(responsible=["B", "B"]), "responsible"),
    ],
    ids=[
        *(
            "limits",
            "backwards",
            "day",
            "no day",
            "no zone",
            "exit",
            "exit code",
            "totals",
            "model",
            "samples",
            "missing",
            "cache",
            "record",
            "checks",
        ),
        *("owner", "line", "responsible"),
    ],
)
def test_what_contradicts_something_else_is_named_with_both_values(evident, change, said, capsys):
    evident.gate("--fairness-report=out")
    document = evident.read()
    change(document)
    file = evident.path / "out" / "evidence.json"
    file.write_text(json.dumps(seal(document)), encoding="utf-8")
    capsys.readouterr()
    assert verify(file) == 1
    lines = capsys.readouterr().out.splitlines()
    assert any(said in line and "; it follows: " in line for line in lines)


def without_its_failing_checks(document):
    """Make the failing checks such that could not be made, in a run that is green."""
    for check in (check for model in document["models"] for check in model["checks"]):
        if check["record"]["verdict"] == "fail":
            check.update(record=None, statistics=None, error="FairnessError: forged")
    del document["totals"]["fail"]
    document["exit_code"] = 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (without_its_failing_checks, "no record; it follows: a verdict or a failed test"),
        (lambda d: d["run"]["command"].append("--fairness-burden=compliance"), "burden_of_proof: None"),
    ],
    ids=["an error", "burden"],
)
def test_a_verdict_that_was_taken_away_is_found(evident, change, said, capsys):
    evident.gate("--fairness-report=out")
    document = evident.read()
    change(document)
    file = evident.path / "out" / "evidence.json"
    file.write_text(json.dumps(resealed(document)), encoding="utf-8")
    capsys.readouterr()
    assert verify(file) == 1
    assert said in capsys.readouterr().out


def test_a_part_of_the_run_names_what_it_left_out(evident, capsys):
    evident.gate("--fairness-report=out", "-k", "icu and accuracy and ward")
    document = evident.read()
    assert verify(evident.path / "out") == 0
    del document["not_judged"]["thresholds.yaml::test_subgroups[icu-sex-false_negative_rate]"]
    (evident.path / "out" / "evidence.json").write_text(json.dumps(seal(document)), encoding="utf-8")
    capsys.readouterr()
    assert verify(evident.path / "out") == 1
    assert "a verdict, a failed test, or a place in not_judged" in capsys.readouterr().out


def test_a_key_that_stands_twice_and_a_lost_checksum_are_named(evident, capsys):
    evident.gate("--fairness-report=out")
    file = evident.path / "out" / "evidence.json"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace('"exit_code": ', '"exit_code": 0, "exit_code": '), encoding="utf-8")
    capsys.readouterr()
    assert verify(file) == 2
    assert "'exit_code' stands twice" in capsys.readouterr().err
    document = json.loads(text)
    del document["sha256"]
    file.write_text(json.dumps(document), encoding="utf-8")
    assert verify(file) == 1


@pytest.mark.parametrize(
    ("pattern", "new", "said"),
    [
        ("<failure.*?</failure>", "", "not failed; it follows: failed, by verdict fail"),
        ('name="fairness.verdict" value="fail"', 'name="fairness.verdict" value="pass"', "fairness.verdict: pass"),
        ('name="fairness.text" value="[^"]*"', 'name="fairness.text" value="fair"', "fairness.text: fair"),
    ],
    ids=["outcome", "verdict", "text"],
)
@pytest.mark.parametrize("family", ["xunit1", "xunit2"])
def test_a_junit_file_that_says_otherwise_in_words_differs(evident, pattern, new, said, family, capsys):
    evident.gate("--fairness-report=out", "--junitxml=out/junit.xml", "-o", f"junit_family={family}")
    capsys.readouterr()
    assert verify(evident.path / "out") == 0
    file = evident.path / "out" / "junit.xml"
    file.write_text(re.sub(pattern, new, file.read_text(encoding="utf-8"), flags=re.DOTALL), encoding="utf-8")
    assert verify(evident.path / "out") == 1
    assert said in capsys.readouterr().out


@pytest.mark.parametrize("name", ["config", "config.sha256", "burden_of_proof", "seed", "day", "version.numpy"])
@pytest.mark.parametrize("gone", [False, True], ids=["changed", "removed"])
def test_what_a_run_was_judged_by_is_the_same_in_junit(evident, name, gone, capsys):
    evident.gate("--fairness-report=out", "--junitxml=out/junit.xml", "-k", "not equalized")
    capsys.readouterr()
    assert verify(evident.path / "out") == 0
    file = evident.path / "out" / "junit.xml"
    before = file.read_text(encoding="utf-8")
    pattern = rf'<property name="fairness\.{re.escape(name)}" value="[^"]*" />'
    suite = re.sub(pattern, "" if gone else f'<property name="fairness.{name}" value="2001-01-01" />', before, count=1)
    assert suite != before
    file.write_text(suite, encoding="utf-8")
    capsys.readouterr()
    assert verify(evident.path / "out") == 1
    assert f"fairness.{name}: {'nothing' if gone else '2001-01-01'}; it follows: " in capsys.readouterr().out


def test_what_was_deselected_is_the_same_in_junit(evident, capsys):
    evident.gate("--fairness-report=out", "--junitxml=out/junit.xml", "-k", "not equalized")
    file = evident.path / "out" / "junit.xml"
    pattern = r'<property name="fairness\.deselected" value="[^"]*" />'
    file.write_text(re.sub(pattern, "", file.read_text(encoding="utf-8")), encoding="utf-8")
    capsys.readouterr()
    assert verify(evident.path / "out") == 1
    assert "fairness.deselected: nothing; it follows: thresholds.yaml::" in capsys.readouterr().out


def test_a_failed_test_in_junit_contradicts_a_green_run(project, capsys):
    project.limits("fair_model")
    assert project.gate("--fairness-report=out", "--junitxml=out/junit.xml").ret == 0
    assert verify(project.path / "out") == 0
    file = project.path / "out" / "junit.xml"
    failed = '<testcase classname="a" name="b"><error message="x"/></testcase></testsuite>'
    file.write_text(file.read_text(encoding="utf-8").replace("</testsuite>", failed), encoding="utf-8")
    capsys.readouterr()
    assert verify(project.path / "out") == 1
    assert "junit.xml: failed tests: b; it follows: none" in capsys.readouterr().out


def test_a_change_without_a_new_checksum_is_named_first(evident, capsys):
    evident.gate("--fairness-report=out")
    document = evident.read()
    document["run"]["command"] = ["--fairness"]
    without = {name: part for name, part in document.items() if name != "sha256"}
    for each in (document, without):
        (evident.path / "out" / "evidence.json").write_text(json.dumps(each), encoding="utf-8")
        capsys.readouterr()
        assert verify(evident.path / "out") == 1
        assert capsys.readouterr().out.startswith("sha256: of another content")


def test_a_junit_file_of_another_run_differs(evident, capsys):
    evident.gate("--fairness-report=out")
    evident.write("conftest.py", MODEL.replace("made(1)", "made(4)"))
    evident.gate("--junitxml=other.xml")
    capsys.readouterr()
    assert verify(evident.path / "out", "--junit", str(evident.path / "other.xml")) == 1
    assert (
        "other.xml: icu: subgroups: false_negative_rate by sex, max_difference: estimate: " in capsys.readouterr().out
    )


OTHERS = {
    "unit.xml": '<testsuites><testsuite name="pytest"><testcase name="test_sum"/></testsuite></testsuites>',
    "coverage.xml": '<!DOCTYPE coverage SYSTEM "coverage.dtd"><coverage><class filename="fairness.py"/></coverage>',
    "broken.xml": "<nothing",
}


def test_files_of_other_tests_and_tools_beside_it_are_not_compared(evident, capsys):
    evident.gate("--fairness-report=out", "--junitxml=out/fairness.xml")
    for name, text in OTHERS.items():
        evident.write(f"out/{name}", text)
    capsys.readouterr()
    assert verify(evident.path / "out") == 0
    assert ", and 1 JUnit file compared: nothing differs" in capsys.readouterr().out
    assert verify(evident.path / "out", "--junit", str(evident.path / "out" / "unit.xml")) == 1
    assert "unit.xml: icu: subgroups: accuracy by ward, max_difference: nothing; " in capsys.readouterr().out


def test_records_that_were_taken_out_of_a_junit_file_are_missed(evident, capsys):
    evident.gate("--fairness-report=out", "--junitxml=out/fairness.xml")
    file = evident.path / "out" / "fairness.xml"
    evident.write("out/fairness.xml", file.read_text(encoding="utf-8").replace('"fairness.record"', '"fairness.gone"'))
    capsys.readouterr()
    assert verify(evident.path / "out") == 1
    assert "12 differences" in capsys.readouterr().out


IMPOSSIBLE = {
    "a group without a name": lambda s: s["groups"][0].clear(),
    "a number that no integer holds": lambda s: s["counts"]["int64"][0].__setitem__(0, 10**30),
    "rows of two lengths": lambda s: s["counts"]["int64"][0].pop(),
    "nothing": lambda s: s["samples"].clear(),
    "no groups": lambda s: s["groups"].clear(),
    "negative squares": lambda s: at(s, MEANS)["m2"]["float64"].__setitem__(0, -1.0),
    "a square of infinity": lambda s: at(s, MEANS)["m3"]["float64"].__setitem__(0, 1e308),
}
MEANS = ("measured", "mean_absolute_error", "Measured", "statistics", "MeanStatistics")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("change", IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_statistics_that_no_data_have_are_differences_whatever_they_break(evident, change, capsys):
    evident.write("thresholds.yaml", "version: 1\nunchecked: {icu: n}\nmodels: {ward: {subgroups: [" + ERRORS + "]}}")
    evident.write("test_hand.py", "")
    evident.gate("--fairness-report=out")
    document = evident.read()
    (statistics,) = document["models"][0]["statistics"].values()
    change(statistics["held_out"])
    file = evident.path / "changed.json"
    file.write_text(json.dumps(resealed(document)), encoding="utf-8")
    capsys.readouterr()
    assert verify(file) == 1
    assert capsys.readouterr().out.startswith("ward: ")


SWEEP = """version: 1
models:
  swept:
    sweep:
      by: sex
      mixes: {as_is: as_is, half: {female: 0.5, male: 0.5}}
      repeats: 5
      checks: [{metric: accuracy, max_difference: 0.2}]
"""
NOT_OF_COUNTS = {
    "a rate": lambda group: group["values"].update(false_negative_rate=0.123),
    "a rate of nothing": lambda group: group["values"].update(false_negative_rate=None),
    "rows": lambda group: group.update(test=1 + group["test"]),
}


@pytest.mark.parametrize("change", NOT_OF_COUNTS.values(), ids=NOT_OF_COUNTS)
def test_values_of_a_training_are_those_of_its_counts(project, change, capsys):
    project.write("conftest.py", SWEPT)
    project.write("thresholds.yaml", SWEEP)
    project.gate("--fairness-report=out")
    assert verify(project.path / "out") == 0
    document = json.loads((project.path / "out" / "evidence.json").read_text(encoding="utf-8"))
    (statistics,) = document["models"][0]["statistics"].values()
    change(statistics["sweep"]["results"]["results"][0]["groups"]["male"])
    file = project.path / "changed.json"
    file.write_text(json.dumps(resealed(document)), encoding="utf-8")
    capsys.readouterr()
    assert verify(file) == 1
    assert ": as_is, all, repeat 0: male: " in capsys.readouterr().out


ERRORS = "{metric: mean_absolute_error, by: sex, max_difference: 0.3}"


def test_versions_that_differ_are_named_beside_what_differs(evident, capsys):
    evident.gate("--fairness-report=out")
    document = evident.read()
    document["run"]["versions"]["scipy"] = "1.0"
    capsys.readouterr()
    for exit_code, code in ((1, 0), (0, 1)):
        document["exit_code"] = exit_code
        (evident.path / "changed.json").write_text(json.dumps(seal(document)), encoding="utf-8")
        assert verify(evident.path / "changed.json") == code
        assert ("other versions may round, or decide, otherwise: scipy 1.0, here " in capsys.readouterr().out) is bool(
            code
        )


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"schema": 9, "models": []}', '{"schema": 2, "models": []}', "\ud800"], ids=range(7)
)
def test_what_is_no_evidence_is_one_error(tmp_path, text, capsys):
    file = tmp_path / "evidence.json"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    assert verify(file) == 2
    assert capsys.readouterr().err.startswith("fairness-checks verify: ")
    assert verify(tmp_path / "nothing") == 2


def test_names_of_any_signs_are_whole(evident):
    odd = "<script>alert(1)</script>\"'\u202e\u05d0 " + "x" * 300
    evident.write("conftest.py", MODEL.replace('np.repeat(["f", "m"], 300)', f"np.repeat([{odd!r}, 'm'], 300)"))
    evident.gate("--fairness-report=out")
    text = (evident.path / "out" / "evidence.json").read_text(encoding="utf-8")
    evidence, unchanged = read_evidence(text)
    assert unchanged
    assert any(group.name == (odd,) for record in evidence.records for group in record.groups)
    assert verify(evident.path / "out") == 0


def test_names_that_the_output_has_no_characters_for_are_escaped(evident):
    evident.write("conftest.py", MODEL.replace('np.repeat(["f", "m"], 300)', 'np.repeat(["\\u5973", "m"], 300)'))
    evident.gate("--fairness-report=out", "--junitxml=out/junit.xml")
    run = subprocess.run(
        [sys.executable, "-m", "fairness_checks", "verify", "out", "-v"],
        cwd=evident.path,
        env=os.environ | {"PYTHONIOENCODING": "cp1252"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert r"\u5973" in run.stdout


def test_every_format_is_written_at_the_start_of_a_run_and_at_its_end(project, monkeypatch):
    texts = []

    def plain(evidence, source):
        texts.append(f"{'complete' if evidence.complete else 'incomplete'}: {evidence.totals}")
        return texts[-1]

    form = formats.Format(file="totals.txt", what="totals", write=plain, in_folder=True)
    monkeypatch.setattr(formats, "FORMATS", {**formats.FORMATS, "totals": form})
    project.limits("fair_model")
    assert project.gate("--fairness-report", "report").ret == 0
    own = [each.file for each in formats.FORMATS.values() if each.in_folder]
    assert sorted(path.name for path in (project.path / "report").iterdir()) == sorted(own)
    assert texts[0].startswith("incomplete: ")
    assert (project.path / "report" / "totals.txt").read_text() == texts[-1]
    assert texts[-1].startswith("complete: {'pass': 1")


def test_the_folder_holds_what_report_writes_of_its_evidence(evident):
    evident.gate_in_subprocess("--fairness-report=out")
    folder = evident.path / "out"
    for name, form in formats.FORMATS.items():
        if form.in_folder:
            command = [sys.executable, "-m", "fairness_checks", "report", "--format", name, folder]
            assert subprocess.check_output(command, timeout=300) == (folder / form.file).read_bytes(), name


RECIDIVISM = """
import os
from pathlib import Path
import pandas as pd
from fairness_checks import Predictions, fairness_model

@fairness_model
def published_decisions():
    table = pd.read_csv(Path(os.environ["FAIRNESS_DATA"]) / "compas_two_years.csv")
    table = table[table["race"].isin(["African-American", "Caucasian"])]
    return Predictions(table["two_year_recid"], table["decile_score"] >= 5, sensitive_features=table[["race"]])
"""


def test_published_rates_follow_from_the_evidence_without_the_table(project, monkeypatch, capsys):
    table = Path(os.environ.get("FAIRNESS_DATA", "")) / "compas_two_years.csv"
    if not os.environ.get("FAIRNESS_DATA") or not table.is_file():
        pytest.skip("no compas_two_years.csv in $FAIRNESS_DATA")
    project.write("conftest.py", RECIDIVISM)
    rates = ("false_positive_rate", "false_negative_rate")
    checks = ", ".join(f"{{metric: {rate}, by: race, max_difference: 0.05}}" for rate in rates)
    project.limits("published_decisions", checks=checks)
    assert project.gate("--fairness-report=out").ret == 1
    monkeypatch.delenv("FAIRNESS_DATA")
    capsys.readouterr()
    assert verify(project.path / "out", "--verbose") == 0
    said = capsys.readouterr().out
    for published in ("0.448", "0.235", "0.280", "0.477"):  # 44.85, 23.45, 27.99, 47.72 in print
        assert published in said
