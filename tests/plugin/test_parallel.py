"""Under pytest-xdist the verdicts are the same, and a lost check is never green."""

from __future__ import annotations

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
    assert [line for line in table[1] if line in (*ALL, "test_hand")] == ["test_hand", *ALL]
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
SABOTAGE = {
    "runs nothing": (hook("pytest_runtest_protocol(item)", "return True", "tryfirst=True"), "did not report"),
    "forgets an item": (
        hook("pytest_runtestloop(session)", "session.items.clear()", "tryfirst=True"),
        "was collected but did not report",
    ),
    "xfail": (
        hook("pytest_collection_modifyitems(items)", "[i.add_marker(pytest.mark.xfail) for i in items]"),
        "its verdict is {verdict}, but something turned its outcome away from it",
    ),
    "skip": (
        hook("pytest_collection_modifyitems(items)", "[i.add_marker(pytest.mark.skip) for i in items]"),
        "was skipped or ended without a record",
    ),
    "turned green": (
        hook(
            "pytest_runtest_makereport()",
            "report = yield\n    report.outcome = 'passed'\n    return report",
            "wrapper=True, tryfirst=True",
        ),
        "its verdict is {verdict}, but something turned its outcome away from it",
    ),
    "loses the record": (
        hook(
            "pytest_runtest_makereport()",
            "report = yield\n    report.outcome, report.user_properties = 'passed', []\n    return report",
            "wrapper=True, tryfirst=True",
        ),
        "ended without a record",
    ),
    "spoils the record": (
        hook(
            "pytest_runtest_makereport()",
            "report = yield\n    report.outcome, report.user_properties = 'passed', [('fairness.record', '{}')]\n"
            "    return report",
            "wrapper=True, tryfirst=True",
        ),
        "its record cannot be read",
    ),
}


@pytest.mark.parametrize(("model", "verdict"), [("biased_model", "fail"), ("tiny_model", "inconclusive")])
@pytest.mark.parametrize(("text", "message"), SABOTAGE.values(), ids=SABOTAGE)
def test_a_check_that_is_lost_or_turned_is_red_and_named(project, text, message, model, verdict):
    project.write("conftest.py", project.MODELS + text)
    project.limits(model)
    result = project.gate("--fairness-burden=compliance", "--junitxml=junit.xml")
    assert (result.ret, sum(result.parseoutcomes().values())) == (1, 1)
    assert set(result.parseoutcomes()) <= {"failed", "errors"}
    place = result.outlines.index(next(line for line in result.outlines if "fairness: lost checks" in line))
    (line,) = (line for line in result.outlines[place:] if line.startswith(f"{project.check_id(model)}: "))
    assert message.format(verdict=verdict) in line
    ((name, case),) = project.junit().items()
    assert project.check_id(model).endswith(name)
    (found,) = [child for child in case if child.tag in ("failure", "error")]
    assert message.format(verdict=verdict) in found.get("message") + found.text


@pytest.mark.parametrize("name", ["runs nothing", "turned green", "spoils the record"])
def test_a_check_that_a_worker_loses_is_red_and_named(project, name):
    text, message = SABOTAGE[name]
    project.write("conftest.py", project.MODELS + text)
    project.limits("biased_model")
    result = project.gate_in_subprocess("-n", "1")
    assert (result.ret, result.parseoutcomes()) == (1, {"failed": 1})
    assert "fairness: lost checks" in result.stdout.str()
    assert message.format(verdict="fail") in result.stdout.str()


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
