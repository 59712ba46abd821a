"""The exit code of a run in which nothing failed and something is not settled, where one is asked for."""

from __future__ import annotations

import json

import pytest

from fairness_checks.cli.main import main

SKIPPED = "import pytest\n\ndef test_hand(fairness):\n    pytest.skip('no data here')\n"
SKIPPED_FILE = "import pytest\npytest.skip('no data here', allow_module_level=True)\n\ndef test_hand(fairness): ...\n"
WAIVED = "[{model: biased_model, metric: false_negative_rate, by: sex, reason: known, approved_by: R, expires: %s}]"
CODE = "--fairness-unsettled-exit=6"


def waived() -> str:
    from datetime import date, timedelta

    return WAIVED % (date.today() + timedelta(days=30))


@pytest.mark.parametrize(
    ("models", "code", "why"),
    [
        (["fair_model"], 0, None),
        (["fair_model", "tiny_model"], 6, "tiny_model: subgroups: false_negative_rate by sex, max_difference"),
        (["biased_model", "tiny_model"], 1, None),
    ],
    ids=["settled", "inconclusive", "red"],
)
@pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["alone", "two workers"])
def test_the_code_is_that_of_an_open_question_alone(project, models, code, why, workers):
    project.limits(*models)
    result = project.gate_in_subprocess(CODE, "--fairness-report=out", "--junitxml=out/junit.xml", *workers)
    assert result.ret == code
    assert f"fairness: exit code 6: nothing failed, not settled: {why}" in result.stderr.str() or why is None
    evidence = json.loads((project.path / "out/evidence.json").read_text())
    assert (evidence["exit_code"], evidence["run"]["unsettled_exit"], evidence["complete"]) == (code, 6, True)
    assert "2 checks of 2 models" in result.stdout.str() or len(models) == 1 or code != 0
    assert main(["verify", str(project.path / "out")]) == 0


def test_without_the_option_the_code_is_0(project):
    project.limits("tiny_model")
    assert project.gate("--fairness-report=out").ret == 0
    assert json.loads((project.path / "out/evidence.json").read_text())["run"]["unsettled_exit"] is None


def test_the_ini_file_asks_for_it_and_the_command_line_wins(project):
    project.write("pytest.ini", "[pytest]\nfairness_unsettled_exit = 7\n")
    project.limits("tiny_model")
    assert project.gate().ret == 7
    assert project.gate(CODE).ret == 6


def test_what_was_skipped_is_not_settled(project):
    project.limits("fair_model")
    for text in (SKIPPED, SKIPPED_FILE):
        project.write("test_hand.py", text)
        result = project.gate(CODE)
        assert result.ret == 6
        assert "not settled: test_hand.py" in result.stderr.str()


def test_what_is_waived_or_deselected_or_declared_unchecked_is_settled(project):
    project.limits("biased_model", "tiny_model", waivers=waived())
    assert project.gate(CODE).ret == 6
    assert project.gate(CODE, "-k", "biased_model").ret == 0


def test_under_compliance_what_is_open_is_red(project):
    project.limits("tiny_model")
    assert project.gate(CODE, "--fairness-burden=compliance").ret == 1


def test_a_run_that_judges_nothing_ends_as_without_it(project):
    project.limits("tiny_model")
    assert project.gate(CODE, "--collect-only").ret == 0


@pytest.mark.parametrize("code", ["0", "1", "5", "256", "-1", "6.0", "six", "", "٦", "1" * 400])
@pytest.mark.parametrize("place", ["option", "ini"])
def test_codes_that_mean_something_else_are_refused(project, code, place):
    if place == "ini" and not code:
        return
    project.limits("tiny_model")
    given = () if place == "ini" else (f"--fairness-unsettled-exit={code}",)
    project.write("pytest.ini", "[pytest]\n" + (f"fairness_unsettled_exit = {code}\n" if place == "ini" else ""))
    result = project.gate(*given)
    assert result.ret == 4
    assert "cannot say that something is not settled: 0 to 5 are pytest's own" in result.stderr.str()
    assert "give 6 to 255, such as 6" in result.stderr.str()
    assert project.fitted() == []


@pytest.mark.parametrize("code", ["6", "255"])
def test_the_first_and_the_last_code(project, code):
    project.limits("tiny_model")
    assert project.gate(f"--fairness-unsettled-exit={code}").ret == int(code)


@pytest.mark.parametrize(("key", "value"), [("exit_code", 0), ("exit_code", 1), ("exit_code", 7)])
def test_verify_sees_another_code(project, capsys, key, value):
    project.limits("tiny_model")
    project.gate(CODE, "--fairness-report=out")
    file = project.path / "out/evidence.json"
    evidence = json.loads(file.read_text())
    file.write_text(json.dumps(evidence | {key: value}))
    assert main(["verify", str(project.path / "out")]) == 1
    said = capsys.readouterr().out
    assert f"exit_code: {value}; it follows: 6" in said


def test_a_conftest_cannot_take_the_code_away(project):
    taking = "\ndef pytest_configure(config):\n    config.option.fairness_unsettled_exit = None\n"
    project.write("conftest.py", project.MODELS + taking)
    project.limits("tiny_model")
    assert project.gate(CODE).ret == 6


def test_a_run_that_turns_red_behind_its_evidence_is_incomplete_there(project):
    late = "\ndef pytest_unconfigure(config):\n    raise SystemExit(3)\n"
    project.write("conftest.py", project.MODELS + late)
    project.limits("tiny_model")
    assert project.gate_in_subprocess(CODE, "--fairness-report=out").ret != 6
    evidence = json.loads((project.path / "out/evidence.json").read_text())
    assert (evidence["complete"], evidence["exit_code"]) == (False, 1)


def test_the_page_of_such_a_run_is_not_red(project):
    project.limits("tiny_model")
    project.gate(CODE, "--fairness-report=out")
    page = (project.path / "out/report.html").read_text()
    assert "<h1>Red" not in page
    assert "1 check is inconclusive" in page
