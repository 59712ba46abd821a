"""Under pytest-xdist the verdicts are the same, and a lost check is never green."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

ALL = ("biased_model", "fair_model", "tiny_model")
HOOK = "\nimport os\nimport pytest\n@pytest.hookimpl({options})\ndef {head}:\n    {body}\n"


def hook(head, body, options="trylast=True"):
    return HOOK.format(head=head, body=body, options=options)


def fingerprints(project, name):
    """Everything that JUnit holds of each case, but for its time."""
    return {
        case: ([child.tag for child in element], project.properties(element))
        for case, element in project.junit(name).items()
    }


def test_two_workers_give_the_same_records_tables_and_exit_code(project):
    project.limits(*ALL, checks=f"{project.FNR}, {project.ACCURACY}")
    project.write(
        "test_hand.py",
        "from fairness_checks import Predictions\n"
        "def test_hand(fairness):\n"
        "    made = Predictions([1] * 80, [0, 1] * 40, sensitive_features={'sex': ['f'] * 40 + ['m'] * 40})\n"
        "    fairness.audit(made, metric='accuracy', by='sex', max_difference=0.1)\n",
    )
    alone = project.gate("--junitxml=alone.xml")
    parallel = project.gate_in_subprocess("-n", "2", "--junitxml=parallel.xml")
    assert alone.ret == parallel.ret == 1
    assert alone.parseoutcomes() == parallel.parseoutcomes() == {"failed": 1, "passed": 4, "inconclusive": 2}
    assert fingerprints(project, "alone.xml") == fingerprints(project, "parallel.xml")
    table = [run.outlines[run.outlines.index("=" * 35 + " fairness " + "=" * 35) :] for run in (alone, parallel)]
    assert table[0][:-1] == table[1][:-1]  # the last line holds the time
    assert [line for line in table[1] if line in (*ALL, "test_hand")] == ["biased_model", "test_hand", "tiny_model"]
    assert "fairness: 3 models found: biased_model, fair_model, tiny_model" in parallel.outlines


@pytest.mark.parametrize(("burden", "code"), [("violation", 0), ("compliance", 1)])
def test_a_worker_hears_of_the_burden_of_proof(project, burden, code):
    project.limits("fair_model", "tiny_model")
    result = project.gate_in_subprocess("-n", "1", f"--fairness-burden={burden}")
    assert result.ret == code
    assert "lost checks" not in result.stdout.str()


def test_a_worker_killed_by_a_model_is_not_green(project):
    killer = "\n@fairness_model\ndef killer_model():\n    import os\n    os._exit(0)\n"
    project.write("conftest.py", project.MODELS + killer)
    project.limits("killer_model", "fair_model")
    result = project.gate_in_subprocess("-n", "2")
    assert result.ret == 1
    assert result.parseoutcomes() == {"failed": 1, "passed": 1}
    assert f"crashed while running '{project.check_id('killer_model')}'" in result.stdout.str()


def test_a_worker_killed_in_a_hand_written_test_is_not_green(project):
    project.limits("fair_model")
    body = "import os, signal\ndef test_hand(fairness):\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    project.write("test_hand.py", body)
    result = project.gate_in_subprocess("-n", "2", "--max-worker-restart=0")
    assert result.ret != 0
    assert "crashed while running 'test_hand.py::test_hand'" in result.stdout.str()


def test_what_workers_alone_can_see_is_a_usage_error_with_its_message(project):
    project.write("gates/conftest.py", project.MODELS)
    project.limits("fare_model").rename(project.path / "gates/strict.yaml")
    result = project.gate_in_subprocess("-n", "1", "--fairness-config=gates/strict.yaml")
    assert result.ret == 4
    assert "gates/strict.yaml:4: models.fare_model: no model of this name was found" in result.stderr.str()
    assert "INTERNALERROR" not in result.stdout.str()


def test_no_check_for_the_workers_is_a_usage_error(project):
    project.limits()
    result = project.gate_in_subprocess("-n", "1")
    assert result.ret == 4
    assert "no check was collected" in result.stderr.str()


# What a project's own conftest can do to a check: each would end in a green run without the ledger.
LOST = {
    "runs nothing": (hook("pytest_runtest_protocol(item)", "return True", "tryfirst=True"), "did not report"),
    "forgets an item": (
        hook("pytest_runtestloop(session)", "session.items.clear()", "tryfirst=True"),
        "was collected but did not report",
    ),
    "skip": (
        hook("pytest_collection_modifyitems(items)", "[i.add_marker(pytest.mark.skip) for i in items]"),
        "was skipped or ended without a record",
    ),
}


def is_lost(project, result, message, model):
    """Whether the last lines and JUnit name a check as one that is lost."""
    place = result.outlines.index(next(line for line in result.outlines if "fairness: lost checks" in line))
    (line,) = (line for line in result.outlines[place:] if line.startswith(f"{project.check_id(model)}: "))
    cases = [c for name, c in project.junit().items() if project.check_id(model).endswith(name)]
    found = [child for case in cases for child in case if child.tag in ("failure", "error")]
    return message in line and [message in error.get("message") + error.text for error in found] == [True]


@pytest.mark.parametrize("model", ["biased_model", "tiny_model"])
@pytest.mark.parametrize(("text", "message"), LOST.values(), ids=LOST)
def test_a_check_that_is_lost_is_red_and_named(project, text, message, model):
    project.write("conftest.py", project.MODELS + text)
    project.limits(model)
    result = project.gate("--fairness-burden=compliance", "--junitxml=junit.xml")
    assert (result.ret, sum(result.parseoutcomes().values())) == (1, 1)
    assert set(result.parseoutcomes()) <= {"failed", "errors"}
    assert is_lost(project, result, message, model)


# What a hook can do to a report that it is given.
CHANGES = {
    "outcome": "report.outcome = 'passed'",
    "its dictionary": "report.__dict__.update(outcome='passed', longrepr=None)",
    "reason": "report.longrepr = None",
    "expected": "report.outcome, report.wasxfail = 'skipped', 'reason: flaky'",
    "another phase": "report.outcome, report.when = 'passed', 'teardown'",
    "no record": "report.outcome, report.user_properties = 'passed', []",
    "an emptied list": "report.outcome = 'passed'; report.user_properties.clear()",
    "another record": "report.user_properties = [('fairness.record', '{}'), ('fairness.verdict', 'pass')]",
}
REPORTING = "pytest_runtest_logreport(report)"
HOOKS = {
    "first": lambda change: hook(REPORTING, change, "tryfirst=True"),
    "around": lambda change: hook(REPORTING, f"{change}\n    yield", "wrapper=True, tryfirst=True"),
    "made": lambda change: hook(
        "pytest_runtest_makereport()", f"report = yield\n    {change}\n    return report", "wrapper=True, tryfirst=True"
    ),
}
FORGED = """try:
        result = yield
    finally:
        item.user_properties[:] = [(name, value.replace('fail', 'pass')) for name, value in item.user_properties]
        item.user_properties.append(('fairness.verdict', 'pass'))
    return result"""
PHASES = ["pytest_runtest_call(item)", "pytest_runtest_teardown(item)", "pytest_runtest_makereport(item)"]
GREEN = "('passed', '.', 'PASSED')"
STATUS = "pytest_report_teststatus(report)"
TURNED = {f"{name}, {where}": of(change) for name, change in CHANGES.items() for where, of in HOOKS.items()} | {
    "xfail": hook("pytest_collection_modifyitems(items)", "[i.add_marker(pytest.mark.xfail) for i in items]"),
    **{f"what the test says, {head}": hook(head, FORGED, "wrapper=True") for head in PHASES},
    "status": hook(STATUS, f"return {GREEN}", "tryfirst=True"),
    "status, around": hook(STATUS, f"yield\n    return {GREEN}", "wrapper=True, tryfirst=True"),
}


def story(project, run):
    return (run.ret, {**run.parseoutcomes()}, fingerprints(project, "junit.xml"))


@pytest.fixture
def undisturbed(project):
    """What a run of three models, with a waiver, says of itself."""
    signed = "reason: r, approved_by: a, expires: 2030-01-01"
    project.limits(*ALL, waivers=f"[{{model: fair_model, metric: false_negative_rate, by: sex, {signed}}}]")
    return story(project, project.gate("--junitxml=junit.xml"))


@pytest.mark.parametrize("text", TURNED.values(), ids=TURNED)
def test_a_report_that_a_hook_turns_says_what_it_said(project, undisturbed, text):
    project.write("conftest.py", project.MODELS + text)
    assert story(project, project.gate("--junitxml=junit.xml")) == undisturbed


def test_a_hand_written_test_that_passes_says_what_it_said(project):
    said = "item.user_properties", "report.user_properties"
    wrapped = (
        FORGED.replace(said[0], each).replace("(name, value.replace", "(name, str(value).replace") for each in said
    )
    forge = "".join(
        hook(head, body, "wrapper=True")
        for head, body in zip(("pytest_runtest_call(item)", "pytest_runtest_logreport(report)"), wrapped, strict=True)
    )
    project.write("test_hand.py", project.passing("test_hand"))
    project.limits("fair_model")
    stories = [story(project, project.gate("--junitxml=junit.xml"))]
    project.write("conftest.py", project.MODELS + forge)
    stories.append(story(project, project.gate("--junitxml=junit.xml")))
    assert stories[0] == stories[1]


OTHER = """
import dataclasses
from fairness_checks.plugin.keys import GATE

@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup(fixturedef, request):
    if fixturedef.argname == "fairness_record":
        ({made},) = request.config.stash[GATE].answers({model!r}, request).values()
        fixturedef.cached_result = ({value}, 0, None)
        return fixturedef.cached_result[0]
"""
RECORDS = {
    "of another model": OTHER.format(made="record", model="fair_model", value="record"),
    "of another limit": OTHER.format(
        made="record", model="biased_model", value="dataclasses.replace(record, limit=0.9, verdict='pass')"
    ),
}


@pytest.mark.parametrize("text", RECORDS.values(), ids=RECORDS)
def test_a_record_that_a_hook_hands_out_is_red(project, text):
    project.write("conftest.py", f"import pytest\n{project.MODELS}{text}")
    project.limits("biased_model", "fair_model")
    result = project.gate("-k", "biased_model")
    assert (result.ret, result.parseoutcomes()) == (1, {"failed": 1, "deselected": 1})
    assert "something gave fairness_record another value than the gate does" in result.stdout.str()


def test_a_test_that_was_made_one_of_another_model_is_red(project):
    project.write("conftest.py", project.MODELS + hook("pytest_runtest_setup(item)", "item.model = 'fair_model'", ""))
    project.limits("biased_model", "fair_model")
    result = project.gate()
    assert (result.ret, result.parseoutcomes()) == (1, {"passed": 1, "failed": 1})
    assert "its record is that of another check" in result.stdout.str()


def test_on_workers_too(project, undisturbed):
    project.write(
        "conftest.py", project.MODELS + "".join(of(change) for of in HOOKS.values() for change in CHANGES.values())
    )
    assert story(project, project.gate_in_subprocess("-n", "2", "--junitxml=junit.xml")) == undisturbed


EMPTY = "outcome, r.user_properties, r.__dict__['fairness_failed'] = 'passed', [], False"


def test_the_conftest_of_a_folder_turns_nothing_either(project):
    """It is read after the gate was opened, so that its hooks may stand before the gate's."""
    made = hook("pytest_runtest_makereport()", f"r = yield\n    r.{EMPTY}\n    return r", "wrapper=True, trylast=True")
    project.limits("fair_model")
    project.write("hand/conftest.py", TURNED["no record, around"] + TURNED["status, around"] + made)
    project.write(
        "hand/test_hand.py",
        "def test_hand(fairness, biased_model):\n"
        "    fairness.audit(biased_model, metric='false_negative_rate', by='sex', max_difference=0.1)\n",
    )
    result = project.gate("--junitxml=junit.xml")
    assert (result.ret, result.parseoutcomes()["failed"]) == (1, 1)
    cases = [case for case in ET.parse(project.path / "junit.xml").iter("testcase") if case.get("name") == "test_hand"]
    assert [case.find("failure") is not None for case in cases].count(True) == 1


def test_a_plugin_may_still_fail_a_test_and_add_to_it(project):
    """One that fails tests which leave something behind, for instance."""
    worse = "report.outcome, report.longrepr = 'failed', 'left a file'; report.user_properties.append(('mine', '1'))"
    project.write("conftest.py", project.MODELS + HOOKS["made"](f"if report.when == 'call':\n        {worse}"))
    project.limits("fair_model", "tiny_model")
    result = project.gate("--junitxml=junit.xml")
    assert (result.ret, result.parseoutcomes()) == (1, {"failed": 2})
    for case in project.junit().values():
        assert case.find("failure").get("message") == "left a file"


# What reaches the controller otherwise than a worker has sent it: (what is done to it, what is said of it).
SENT = {
    "turned green": ("data['outcome'] = 'passed'", "its verdict is fail, but something turned its outcome away"),
    "loses the record": ("data.update(outcome='passed', user_properties=[])", "ended without a record"),
    "spoils the record": (
        "data.update(outcome='passed', user_properties=[('fairness.record', '{}')])",
        "its record cannot be read",
    ),
    "forged": (
        "data.update(outcome='passed', user_properties=[('fairness.state', 'in order')], fairness_failed=False)",
        "it failed, but something turned its outcome away from it",
    ),
}


@pytest.mark.parametrize(("change", "message"), SENT.values(), ids=SENT)
def test_a_report_that_is_changed_on_its_way_is_red_and_named(project, change, message):
    called = f"if data.get('when') == 'call':\n        {change}"
    text = hook("pytest_report_from_serializable(data)", called, "tryfirst=True")
    project.write("conftest.py", project.MODELS + text)
    project.limits("biased_model")
    result = project.gate_in_subprocess("-n", "1", "--junitxml=junit.xml")
    assert result.ret == 1
    assert result.parseoutcomes()["failed"] == 1
    assert "fairness: lost checks" in result.stdout.str()
    assert message in result.stdout.str()
    assert message in (project.path / "junit.xml").read_text(encoding="utf-8")


COLLECTED = {
    "reported": hook("pytest_collectreport(report)", "report.outcome = 'passed'", "tryfirst=True"),
    "made": hook(
        "pytest_make_collect_report()",
        "report = yield\n    if 'hand' in report.nodeid:\n        report.outcome, report.result = 'passed', []\n"
        "    return report",
        "wrapper=True, tryfirst=True",
    ),
}


@pytest.mark.parametrize("workers", [[], ["-n", "1"]], ids=["serial", "parallel"])
@pytest.mark.parametrize("text", COLLECTED.values(), ids=COLLECTED)
def test_a_file_that_cannot_be_collected_is_red_whatever_a_hook_says(project, text, workers):
    project.write("conftest.py", project.MODELS + text)
    project.write("test_hand.py", "import nothing_of_this_name\ndef test_hand(fairness): pass\n")
    project.limits("fair_model")
    result = project.gate_in_subprocess("--junitxml=junit.xml", "--continue-on-collection-errors", *workers)
    assert result.ret == 1
    assert result.parseoutcomes()["errors"] == 1
    assert "nothing_of_this_name" in (project.path / "junit.xml").read_text(encoding="utf-8")


def test_a_numpy_scalar_in_a_report_does_not_end_green(project):
    """It cannot be sent, and kills the worker."""
    text = hook("pytest_runtest_setup(item)", "import numpy; item.user_properties.append(('x', numpy.float64(1)))")
    project.write("conftest.py", project.MODELS + text)
    project.limits("fair_model")
    result = project.gate_in_subprocess("-n", "1")
    assert result.ret not in (0, 5)


def test_stopping_at_the_first_failure_loses_nothing(project):
    project.limits(*ALL)
    result = project.gate_in_subprocess("-n", "1", "-x")
    assert result.ret in (1, 2)
    assert "lost checks" not in result.stdout.str()
