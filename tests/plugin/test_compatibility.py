"""The gate beside other people's plugins: each reporter tells the same story, and what is not green is green in none.

Some of these plugins change every run (pytest-randomly shuffles, pytest-sugar draws), so that they have an environment
of their own, `.compat` beside `.venv`, which `.ci/run` makes; without it these tests are skipped at a desk.
"""

from __future__ import annotations

import html
import json
import os
import re
import subprocess
import xml.etree.ElementTree as ET
from datetime import date, timedelta
from pathlib import Path

import pytest

PYTHON = Path(__file__).parents[2] / ".compat" / "bin" / "python"
if not PYTHON.exists() and "FAIRNESS_COMPAT" not in os.environ:
    pytest.skip(f"no {PYTHON.parents[1].name}: .ci/run says how it is made", allow_module_level=True)

MORE = """

import pytest


@fairness_model
def debt_model():
    return predictions({"female": (160, 400), "male": (40, 400)})


@fairness_model
def late_model():
    return predictions({"female": (40, 400), "male": (40, 400)})


@fairness_model
def lost_model():
    return predictions({"female": (40, 400), "male": (40, 400)})


@fairness_model
def broken_model():
    raise RuntimeError("the registry is away")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    if "lost_model" in item.name:  # not run; what the item before it left is torn down all the same
        item.session._setupstate.teardown_exact(nextitem)
        return True
"""
TURNING = """

def turn(report):
    if report.outcome != "passed":
        report.outcome, report.longrepr, report.wasxfail = "passed", None, "flaky"
    report.user_properties = []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    report = yield
    turn(report)
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_logreport(report):
    turn(report)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_report_teststatus(report):
    yield
    return "passed", ".", "PASSED"
"""
HAND = """
from conftest import predictions


def test_hand_model(fairness):
    tiny = predictions({"female": (4, 12), "male": (3, 12)})
    fairness.audit(tiny, metric="false_negative_rate", by="sex", max_difference=0.1)
"""
MODELS = ("biased_model", "fair_model", "tiny_model", "debt_model", "late_model", "lost_model", "broken_model")
GREEN, RED, APART = (
    {"fair", "late", "waiver of debt"},
    {"biased", "lost", "waiver of late", "broken"},
    {"tiny", "debt", "hand"},
)
PLUGINS = ("allure-pytest", "cov", "github-actions-annotate-failures", "html", "json-ctrf", "json-report")
PLUGINS += ("randomly", "sugar", "timeout", "xdist")


@pytest.fixture
def gate(project):
    """Run the gate with every reporter that writes a file."""
    project.write("conftest.py", project.MODELS + MORE)
    project.write("test_hand.py", HAND)
    signed = "metric: false_negative_rate, by: sex, reason: CAPA, approved_by: A"
    waivers = ", ".join(
        f"{{model: {model}, {signed}, expires: {date.today() + timedelta(days=days)}}}"
        for model, days in (("debt_model", 30), ("late_model", -30))
    )
    project.limits(*MODELS, waivers=f"[{waivers}]")

    def run(*arguments, **environment):
        command = [PYTHON, "-m", "pytest", "--fairness", "--junitxml=junit.xml", "--alluredir=allure", "--timeout=120"]
        command += ["--html=report.html", "--json-report", "--json-report-file=report.json", "--ctrf=ctrf.json"]
        command += ["--cov=.", "--cov-report=json:cov.json", *arguments]
        env = {**os.environ, "PYTHONPATH": str(PYTHON.parents[2]), "COLUMNS": "120", **environment}
        env.pop("PYTEST_DISABLE_PLUGIN_AUTOLOAD", None)
        return subprocess.run(command, cwd=project.path, env=env, capture_output=True, text=True, timeout=300)

    return run


def short(name):
    """``waiver of late`` for ``thresholds.yaml::test_waiver[subgroups-late_model-sex-...]``."""
    return ("waiver of " if "test_waiver" in name else "") + re.search(r"([a-z]+)_model", name).group(1)


def outcomes(pairs):
    found = [(short(name), outcome) for name, outcome in pairs]
    assert len(dict(found)) == len(found), "a test stands twice"
    return dict(found)


def allure(folder):
    results = [json.loads(path.read_text(encoding="utf-8")) for path in (folder / "allure").glob("*-result.json")]
    return outcomes((result["name"], result["status"]) for result in results)


def json_report(folder):
    return outcomes((t["nodeid"], t["outcome"]) for t in json.loads((folder / "report.json").read_text())["tests"])


def ctrf(folder):
    tests = json.loads((folder / "ctrf.json").read_text())["results"]["tests"]
    return outcomes((test["name"], test["status"]) for test in tests)


def html_report(folder):
    text = (folder / "report.html").read_text(encoding="utf-8")
    tests = json.loads(html.unescape(re.search(r'data-jsonblob="([^"]*)"', text).group(1)))["tests"]
    return outcomes((name, result["result"].lower()) for name, results in tests.items() for result in results)


def junit(folder):
    tags = {"failure": "failed", "error": "error", "skipped": "skipped"}
    cases = ET.parse(folder / "junit.xml").iter("testcase")
    return outcomes((c.get("name"), next((tags[e.tag] for e in c if e.tag in tags), "passed")) for c in cases)


# reporter: (how it is read, what it calls red, what it calls a check that is counted apart)
REPORTERS = {
    "junit": (junit, {"failed", "error"}, {"skipped"}),
    "json-report": (json_report, {"failed", "error"}, {"inconclusive", "waived"}),
    "ctrf": (ctrf, {"failed"}, {"skipped"}),
    "html": (html_report, {"failed", "error"}, {"skipped"}),
    "allure": (allure, {"failed", "broken"}, {"skipped"}),
}


@pytest.mark.parametrize("hooks", ["", TURNING], ids=["alone", "beside hooks that turn reports"])
@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["serial", "parallel"])
def test_every_reporter_tells_the_same_story(project, gate, workers, hooks):
    project.write("conftest.py", project.MODELS + MORE + hooks)
    done = gate(*workers, GITHUB_ACTIONS="true")
    assert done.returncode == 1, done.stdout + done.stderr
    plugins = re.search(r"^plugins: (.*)$", done.stdout, re.MULTILINE).group(1)
    assert [name for name in PLUGINS if f"{name}-" not in plugins] == []
    assert re.search(r"3 failed, 3 passed, .*\b1 error", re.sub(r"\x1b\[[0-9;]*m", "", done.stdout))
    for name, (read, red, apart) in REPORTERS.items():
        found = read(project.path)
        if name == "allure":  # it watches items run, and sees none of a test that nobody ran
            assert found.pop("lost", "skipped") == "skipped"
        assert {test for test, outcome in found.items() if outcome == "passed"} == GREEN, name
        assert {test for test, outcome in found.items() if outcome in red} == RED - ({"lost"} - found.keys()), name
        assert {test for test, outcome in found.items() if outcome in apart} == APART, name
    assert json.loads((project.path / "report.json").read_text())["exitcode"] == 1
    annotated = re.findall(r"::error file=thresholds\.yaml,line=\d+::(\S+)", done.stderr)
    assert {short(name) for name in annotated} == RED - {"broken"}  # it annotates failed calls alone
    assert not re.search("(?m)^::error", done.stdout)  # nor does the gate annotate any of them again
    assert (project.path / "cov.json").exists()


def test_allure_says_why(project, gate):
    gate()
    results = [json.loads(path.read_text(encoding="utf-8")) for path in (project.path / "allure").glob("*-result.json")]
    told = {short(result["name"]): (result.get("statusDetails") or {}).get("message", "") for result in results}
    assert "the data do not settle whether this is kept" in told["tiny"]
    assert "waived until" in told["debt"]
    assert "expired on" in told["waiver of late"]


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["serial", "parallel"])
def test_sugar_counts_no_check_as_passed_that_is_not(gate, workers):
    done = gate("--force-sugar", *workers)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", done.stdout)
    assert done.returncode == 1
    counts = re.findall(r"^\s+(\d+ (?:passed|failed|error|skipped))$", text[text.rindex("Results (") :], re.MULTILINE)
    assert sorted(counts) == ["1 error", "3 failed", "3 passed", "3 skipped"], text


def test_a_shuffled_gate_has_the_same_verdicts(project, gate):
    records = []
    for seed in ("1", "2"):
        gate(f"--randomly-seed={seed}")
        records.append(
            {name: project.properties(case).get("fairness.record") for name, case in project.junit().items()}
        )
    assert records[0] == records[1]
    assert sum(record is not None for record in records[0].values()) == 6
