"""Waivers are tests of their own: one that is not in order is a failed case in every artefact."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

SOON, EXPIRED = (date.today() + timedelta(days=days) for days in (30, -1))  # tests may go on beyond midnight
SIGNED = "reason: CAPA 12, approved_by: A. Auditor"
VALUE = "{metric: false_negative_rate, by: sex, max_value: 0.90}"


def waiver(model="biased_model", metric="false_negative_rate", expires=SOON, more=""):
    return f"{{model: {model}, metric: {metric}, by: sex, {SIGNED}, expires: {expires}{more}}}"


def waiver_id(name):
    return f"test_waiver[subgroups-{name}]"


NARROW = ", limit: max_difference"
# name: (the waivers, the id of the one that is not in order, what its case says)
WRONG = {
    "expired": (
        waiver(expires=EXPIRED, more=NARROW),
        "biased_model-sex-false_negative_rate-max_difference",
        f"expired on {EXPIRED}; mend the model, or have it approved again",
    ),
    "for too long": (
        waiver(expires=SOON + timedelta(days=400), more=NARROW),
        "biased_model-sex-false_negative_rate-max_difference",
        "runs too long: it expires on",
    ),
    "too broad": (
        waiver(),
        "biased_model-sex-false_negative_rate",
        "too broad: it also covers {model: biased_model, check: subgroups, metric: false_negative_rate, by: [sex], "
        "limit: max_value}, which it need not",
    ),
    "unused": (
        f"{waiver(more=NARROW)}, {waiver(model='fair_model', more=NARROW)}",
        "fair_model-sex-false_negative_rate-max_difference",
        "unused: what it names is not failing (pass); remove it",
    ),
    "of the same": (
        f"{waiver(more=NARROW)}, {waiver(expires=SOON + timedelta(days=1), more=NARROW)}",
        "biased_model-sex-false_negative_rate-max_difference",
        "unused: another waiver of the same checks holds as long; remove one of them",
    ),
}


def limits(project, waivers):
    project.limits("biased_model", "fair_model", checks=f"{project.FNR}, {VALUE}", waivers=f"[{waivers}]")


@pytest.mark.parametrize(("waivers", "name", "message"), WRONG.values(), ids=WRONG)
def test_a_waiver_that_is_not_in_order_is_a_failed_case(project, waivers, name, message):
    limits(project, waivers)
    result = project.gate("--junitxml=junit.xml")
    assert result.ret == 1
    assert f"FAILED thresholds.yaml::{waiver_id(name)}" in result.stdout.str()
    case = project.junit()[waiver_id(name)]
    assert case.find("failure").get("message").startswith(message[:80])
    assert message in case.find("failure").text
    assert "until" in case.find("failure").text
    found = project.properties(case)
    assert found["fairness.state"].startswith(message)
    assert (found["fairness.waiver.reason"], found["fairness.waiver.approved_by"]) == ("CAPA 12", "A. Auditor")
    text = (project.path / "junit.xml").read_text(encoding="utf-8")
    assert f'failures="{result.parseoutcomes()["failed"]}"' in text


def test_a_waiver_in_order_passes_and_is_located_at_its_line(project):
    limits(project, waiver(more=NARROW))
    result = project.gate("--junitxml=junit.xml", "-v")
    assert (result.ret, result.parseoutcomes()) == (0, {"waived": 1, "passed": 4})
    found = project.properties(project.junit()[waiver_id("biased_model-sex-false_negative_rate-max_difference")])
    assert found["fairness.state"] == "in order"
    assert project.fitted() == ["biased_model", "fair_model"]


def test_an_expired_waiver_fails_without_its_model(project):
    limits(project, WRONG["expired"][0])
    result = project.gate("-k", "test_waiver")
    assert (result.ret, result.parseoutcomes()["failed"]) == (1, 1)
    assert project.fitted() == []


def test_a_waiver_alone_is_judged_by_all_that_it_names(project):
    """Its model's checks are evaluated together, whatever was selected."""
    limits(project, f"{waiver(more=NARROW)}, {waiver(model='fair_model', more=NARROW)}")
    result = project.gate("-k", "test_waiver")
    assert (result.ret, result.parseoutcomes()) == (1, {"failed": 1, "passed": 1, "deselected": 4})


MIDNIGHT = """
import datetime
import os

from fairness_checks.judge import verdict


class Tomorrow(datetime.date):
    @classmethod
    def today(cls):
        return cls(2100, 1, 1)


def pytest_collection_finish():  # the run has begun on the day before
    verdict.date = Tomorrow


def pytest_configure(config):
    if "PYTEST_XDIST_WORKER" in os.environ:
        from fairness_checks.plugin import gate

        gate.date = Tomorrow
"""


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["serial", "parallel"])
def test_a_waiver_holds_in_a_run_that_began_on_its_last_day(project, workers):
    project.write("conftest.py", MIDNIGHT + project.MODELS)
    limits(project, waiver(expires=date.today(), more=NARROW))
    result = project.gate_in_subprocess(*workers)
    assert (result.ret, result.parseoutcomes()) == (0, {"waived": 1, "passed": 4})


def test_the_day_is_that_of_the_place_where_the_run_is(project, monkeypatch):
    """Somewhere it is another day than here: east of 12:00 UTC or west of it."""
    zones = {zone: datetime.now(ZoneInfo(zone)).date() for zone in ("Pacific/Kiritimati", "Pacific/Pago_Pago")}
    for zone, day in zones.items():
        monkeypatch.setenv("TZ", zone)
        for expires, verdict in ((day, "waived"), (day - timedelta(days=1), "failed")):
            limits(project, waiver(expires=expires, more=NARROW))
            assert verdict in project.gate_in_subprocess("-k", "test_subgroups").parseoutcomes()


def test_last_failed_runs_the_waiver_again(project):
    limits(project, WRONG["unused"][0])
    project.gate()
    result = project.gate("--lf")
    assert (result.ret, result.parseoutcomes()["failed"]) == (1, 1)


def test_two_workers_come_to_the_same(project):
    limits(project, WRONG["unused"][0])
    alone = project.gate("--junitxml=alone.xml")
    parallel = project.gate_in_subprocess("-n", "2", "--junitxml=parallel.xml")
    assert alone.ret == parallel.ret == 1
    assert alone.parseoutcomes() == parallel.parseoutcomes() == {"failed": 1, "waived": 1, "passed": 4}
    cases = [
        {name: (sorted(c.tag for c in case), project.properties(case)) for name, case in project.junit(file).items()}
        for file in ("alone.xml", "parallel.xml")
    ]
    assert cases[0] == cases[1]


SABOTAGE = {
    "skip": "def pytest_collection_modifyitems(items):\n    [i.add_marker(pytest.mark.skip) for i in items]\n",
    "xfail": "def pytest_collection_modifyitems(items):\n    [i.add_marker(pytest.mark.xfail) for i in items]\n",
    "taken away": (
        "def pytest_collection_modifyitems(items):\n    items[:] = [i for i in items if 'waiver' not in i.name]\n"
    ),
    "turned green": (
        "@pytest.hookimpl(wrapper=True)\ndef pytest_runtest_makereport():\n    report = yield\n"
        "    report.outcome = 'passed'\n    return report\n"
    ),
}


@pytest.mark.parametrize("text", SABOTAGE.values(), ids=SABOTAGE)
def test_a_waiver_that_is_turned_or_taken_away_is_red(project, text):
    project.write("conftest.py", f"import pytest\n{project.MODELS}\n\n{text}")
    limits(project, WRONG["unused"][0].replace("biased_model", "fair_model"))
    result = project.gate()
    assert result.ret in (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.USAGE_ERROR)
    assert "waiver" in result.stdout.str() + result.stderr.str()


WARDS = """
from fairness_checks import Predictions, fairness_model


@fairness_model
def admissions():
    rows = [(sex, ward, i) for sex in "fm" for ward in ("a", "b") for i in range(200)]
    chosen = [int(i < (120 if sex == "f" else 20)) for sex, ward, i in rows]
    features = {"sex": [row[0] for row in rows], "ward": [row[1] for row in rows]}
    return Predictions([1] * len(rows), chosen, sensitive_features=features)
"""
WITHIN = "metric: selection_rate, by: sex, control_features: ward"


@pytest.mark.parametrize("strata", ["each", "combined"])
def test_checks_that_differ_in_strata_alone_are_waived_apart(project, strata):
    project.write("conftest.py", WARDS)
    checks = ", ".join(f"{{{WITHIN}, max_difference: 0.1, strata: {s}}}" for s in ("each", "combined"))
    entry = f"{{model: admissions, {WITHIN}, strata: {strata}, reason: r, approved_by: a, expires: {SOON}}}"
    project.limits("admissions", checks=checks, waivers=f"[{entry}]")
    result = project.gate("--junitxml=junit.xml")
    assert (result.ret, result.parseoutcomes()) == (1, {"failed": 1, "waived": 1, "passed": 1})
    within = {"each": "within", "combined": "combined_over"}[strata]
    assert project.junit()[f"test_subgroups[admissions-sex-selection_rate-{within}+ward]"].find("skipped") is not None
