"""From a model to the colour of the build: verdicts, node ids, selection, header and tables."""

from __future__ import annotations

import re
from datetime import date, timedelta

import pytest

from fairness_checks import CheckRecord

ALL = ("biased_model", "fair_model", "tiny_model")
BOTH = ("violation", "compliance")


def record(project, model, metric="false_negative_rate", suffix=""):
    case = project.junit()[project.check_id(model, metric, suffix).partition("::")[2]]
    return CheckRecord.from_json(project.properties(case)["fairness.record"])


@pytest.mark.parametrize("place", ["file", "option"])
@pytest.mark.parametrize(
    ("model", "burden", "outcome", "letter", "code"),
    [
        ("biased_model", "violation", "failed", "F", 1),
        ("biased_model", "compliance", "failed", "F", 1),
        ("fair_model", "violation", "passed", ".", 0),
        ("fair_model", "compliance", "passed", ".", 0),
        ("tiny_model", "violation", "inconclusive", "?", 0),
        ("tiny_model", "compliance", "failed", "F", 1),
    ],
)
def test_a_verdict_decides_the_build(project, place, model, burden, outcome, letter, code):
    other = BOTH[burden == "violation"]
    project.limits(model, defaults=f"{{burden_of_proof: {burden if place == 'file' else other}}}")
    result = project.gate(*([f"--fairness-burden={burden}"] if place == "option" else []))
    assert result.ret == code
    assert result.parseoutcomes() == {outcome: 1}
    assert any(re.match(rf"thresholds\.yaml {re.escape(letter)} +\[100%\]", line) for line in result.outlines)
    assert f"seed 0, burden of proof {burden}" in result.stdout.str()
    assert project.fitted() == [model]


def test_outcomes_are_counted_apart_and_the_model_is_fitted_once(project):
    project.limits(*ALL, checks=f"{project.FNR}, {project.ACCURACY}")
    result = project.gate()
    assert result.ret == 1
    assert result.parseoutcomes() == {"failed": 1, "passed": 4, "inconclusive": 1}
    assert re.fullmatch(r"=+ 1 failed, 4 passed, 1 inconclusive in .*=+", result.outlines[-1])
    assert "thresholds.yaml F...?." in result.stdout.str()
    assert project.fitted() == list(ALL)


def test_a_model_is_evaluated_once_for_all_its_checks(project, monkeypatch):
    from fairness_checks.judge import judging

    calls, evaluate = [], judging.judge_measured
    monkeypatch.setattr(judging, "judge_measured", lambda *a, **k: calls.append(a[0]) or evaluate(*a, **k))
    project.limits("biased_model", "fair_model", checks=f"{project.FNR}, {project.ACCURACY}")
    project.gate()
    assert calls == ["biased_model", "fair_model"]


def test_verbose_words_and_node_ids(project):
    project.limits(
        *ALL,
        checks=f"{project.FNR}, {project.ACCURACY}, {{metric: selection_rate, by: [sex], min_ratio: 0.2}}",
    )
    ids = [
        project.check_id(model, *rest)
        for model in ALL
        for rest in ((), ("accuracy", "-min_value"), ("selection_rate", "-min_ratio"))
    ]
    assert project.gate("--collect-only", "-q").outlines[: len(ids) + 1] == [*ids, ""]
    assert project.fitted() == []
    result = project.gate("-v")
    shown = [line.split()[:2] for line in result.outlines if line.startswith("thresholds.yaml::")]
    assert [name for name, _ in shown] == ids
    assert [word for _, word in shown][::3] == ["FAILED", "PASSED", "INCONCLUSIVE"]


def test_the_first_line_of_a_failure_is_the_whole_story(project, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    project.limits("biased_model")
    lines = project.gate().outlines
    title = next(i for i, line in enumerate(lines) if "_ test_subgroups[" in line)
    assert lines[title + 1] == (
        "biased_model misses 40 of 100 with sex=female whose label is 1, and 10 of 100 with sex=male; at most 10 apart "
        "are allowed; the data show that this is not kept (p < 0.001)"
    )
    assert not any("suite.py" in line or "Traceback" in line for line in lines)


@pytest.mark.parametrize("columns", ["40", "60", "80", "120"])
def test_what_is_printed_of_a_check_fits_the_terminal(project, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    project.limits("biased_model", "tiny_model", "fair_model")
    lines = project.gate("-v").outlines
    start = next(i for i, line in enumerate(lines) if "_ test_subgroups[" in line or "FAILURES" in line)
    pasted = next(i for i, line in enumerate(lines) if line.startswith("To accept this"))
    end = next(i for i, line in enumerate(lines) if "short test summary" in line)
    told = [line for line in lines[start:end] if "test_subgroups[" not in line]
    assert max(map(len, told)) <= int(columns)
    assert pasted < end


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["alone", "workers"])
def test_nothing_is_printed_twice_where_pytest_prints_messages_whole(project, monkeypatch, workers):
    monkeypatch.setenv("CI", "true")
    monkeypatch.setenv("COLUMNS", "250")
    project.limits("biased_model", "missing_feature", "tiny_model")
    project.write("conftest.py", project.MODELS + MISSING)
    lines = project.gate_in_subprocess(*workers).outlines
    said = [line.strip() for line in lines if len(line) > 30 and not set(line) <= set("= _")]
    assert len([line for line in said if line.startswith("biased_model misses 40 of 100")]) == 1
    assert len([line for line in said if "has no sensitive feature" in line or "'sex'" in line]) == 1
    repeated = [line for line in set(said) if said.count(line) > 1]
    assert repeated == []
    failed = [line for line in lines if line.startswith("FAILED")]
    assert failed == [f"FAILED {project.check_id('biased_model')}"]


MISSING = """

@fairness_model
def missing_feature():
    return predictions({"female": (40, 400), "male": (40, 400)}, "gender")
"""


@pytest.mark.parametrize("more", [{}, {"control": True}], ids=["plain", "control features"])
def test_a_waiver_that_is_pasted_from_the_terminal_is_one(project, more):
    checks = project.FNR if not more else project.FNR.replace("by: sex", "by: sex, control_features: ward")
    ward = "sensitive_features={feature: names}"
    wards = 'sensitive_features={feature: names, "ward": ["a, b: c"] * len(names)}'
    project.write("conftest.py", project.MODELS.replace(ward, wards))
    path = project.limits("biased_model", checks=checks)
    lines = project.gate("-v").outlines
    start = next(i for i, line in enumerate(lines) if line.startswith("To accept this"))
    count = next(i for i, line in enumerate(lines[start + 1 :]) if not line.startswith("  "))
    pasted = "\n".join(lines[start + 1 : start + 1 + count])
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("waivers: []", f"waivers:\n{pasted}"), encoding="utf-8")
    result = project.gate()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "reason: 'TODO why this is accepted' is yet to be filled in" in result.stderr.str()
    filled = pasted.replace("TODO why this is accepted", "retraining is under way").replace("TODO name", "A. Auditor")
    path.write_text(text.replace("waivers: []", f"waivers:\n{filled}"), encoding="utf-8")
    result = project.gate()
    assert result.ret == 0
    assert result.parseoutcomes() == {"waived": 1, "passed": 1}
    assert not any(line.startswith("To accept this") for line in result.outlines)


def test_an_inconclusive_failure_says_what_it_would_take(project, monkeypatch):
    monkeypatch.setenv("COLUMNS", "250")
    project.limits("tiny_model", defaults="{burden_of_proof: compliance}")
    text = project.gate("-v").stdout.str()
    assert "tiny_model misses 33 of 100 with sex=female whose label is 1, and 25 of 100 with sex=male" in text
    assert "the data do not settle whether this is kept" in text
    assert "The burden of proof is compliance" in text
    assert re.search(r"It needs about [\d,]+ more with sex=female whose label is 1 and [\d,]+ more with sex=male", text)
    assert "To accept this" not in text  # no waiver covers what is not settled


def test_the_header_names_seed_file_burden_and_models(project):
    project.limits("biased_model")
    path = project.path / "thresholds.yaml"
    path.write_text("seed: 41\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    lines = project.gate("--fairness-burden=compliance").outlines
    assert "fairness: config thresholds.yaml, seed 41, burden of proof compliance" in lines
    assert "fairness: 3 models found: biased_model, fair_model, tiny_model" in lines


def test_what_failed_stands_first_then_what_is_not_settled_then_one_line_of_what_passed(project, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    project.limits("tiny_model", "biased_model", "fair_model")
    lines = project.gate().outlines
    table = lines[next(i for i, line in enumerate(lines) if re.fullmatch("=+ fairness =+", line)) :]
    assert [line for line in table if line in ALL] == ["biased_model", "tiny_model"]
    opened = [line.split()[0] for line in table if line.startswith("  ") and not line.startswith("   ")]
    assert opened == ["fail", "inconclusive", "pass"]
    assert max(map(len, table)) <= 100
    row = next(line for line in table if line.startswith("  fail"))
    assert re.fullmatch(
        r"  fail          false_negative_rate by sex: difference 0\.300 \[0\.\d+, 0\.\d+\], at most 0\.10, p < 0\.001",
        row,
    )
    assert "  pass          1 check of 1 model (listed with -v)" in table
    more = project.gate("-v").outlines
    assert [line for line in more if line in ALL] == ["biased_model", "tiny_model", "fair_model"]


@pytest.mark.parametrize(
    ("arguments", "code", "outcomes"),
    [
        (["-k", "tiny_model"], 0, {"inconclusive": 1, "deselected": 2}),
        (["-k", "false_negative_rate and not biased_model"], 0, {"passed": 1, "inconclusive": 1, "deselected": 1}),
        (["-k", "nothing"], 5, {"deselected": 3}),
        (["-x"], 1, {"failed": 1}),
        (["--maxfail=2"], 1, {"failed": 1, "passed": 1, "inconclusive": 1}),
        (["-m", "fairness"], 1, {"failed": 1, "passed": 1, "inconclusive": 1}),
        (["-p", "no:cacheprovider"], 1, {"failed": 1, "passed": 1, "inconclusive": 1}),
        (["thresholds.yaml"], 1, {"failed": 1, "passed": 1, "inconclusive": 1}),
        (["thresholds.yaml::test_subgroups[fair_model-sex-false_negative_rate]"], 0, {"passed": 1}),
        (["--deselect", "thresholds.yaml::test_subgroups[biased_model"], 0, {"passed": 1, "inconclusive": 1}),
    ],
)
def test_selection_works_as_everywhere(project, arguments, code, outcomes):
    project.limits(*ALL)
    result = project.gate(*arguments)
    assert result.ret == code
    seen = result.parseoutcomes()
    assert {name: seen.get(name) for name in outcomes} == outcomes
    assert "lost checks" not in result.stdout.str()


def test_last_failed_runs_the_failed_check_alone(project):
    project.limits(*ALL)
    project.gate()
    result = project.gate("--lf")
    assert result.ret == 1
    assert result.parseoutcomes()["failed"] == 1
    assert "passed" not in result.parseoutcomes()
    assert "run-last-failure: rerun previous 1 failure" in result.outlines


def test_a_selection_does_not_change_a_verdict(project):
    """Checks are adjusted over the model's checks in the file, not over those that were selected."""
    project.write(
        "conftest.py",
        project.MODELS
        + "\n@fairness_model\ndef near_model():\n"
        + "    return predictions({'female': (60, 400), 'male': (20, 400)})\n",
    )
    checks = "{metric: false_negative_rate, by: sex, max_difference: 0.05}, " + project.ACCURACY + ", " + project.FNR
    project.limits("near_model", checks=checks.replace(project.FNR, "{metric: accuracy, by: sex, max_difference: 0.2}"))
    project.gate("--junitxml=junit.xml")
    everything = record(project, "near_model")
    project.gate("--junitxml=junit.xml", "-k", "false_negative_rate")
    assert len(project.junit()) == 1
    assert record(project, "near_model") == everything
    assert everything.family_size == 3
    assert everything.p_adjusted > 2 * everything.p_violation


def test_a_plain_run_leaves_the_gate_alone(project):
    project.write("thresholds.yaml", "not: [valid")
    project.write(
        "test_mine.py",
        "import pytest\n"
        "def test_mine(): pass\n"
        "def test_by_fixture(fairness): raise AssertionError\n"
        "@pytest.mark.fairness\ndef test_by_mark(): raise AssertionError\n",
    )
    result = project.pytest()
    assert result.ret == 0
    assert result.parseoutcomes() == {"passed": 1, "deselected": 2}
    assert "fairness: 2 tests need --fairness and are not run" in result.outlines
    assert project.fitted() == []


@pytest.mark.parametrize("left_out", [0, 1])
def test_a_plain_run_counts_what_it_leaves_out(project, left_out):
    project.limits("biased_model")
    project.write("test_mine.py", "def test_mine(): pass\n" + "def test_hand(fairness): pass\n" * left_out)
    notes = [line for line in project.pytest().outlines if line.startswith("fairness")]
    assert notes == ["fairness: 1 test needs --fairness and is not run"] * left_out


def test_the_gate_leaves_the_projects_tests_alone(project):
    project.limits("fair_model")
    project.write("test_mine.py", "def test_mine(): raise AssertionError\n")
    result = project.gate()
    assert result.ret == 0
    assert result.parseoutcomes() == {"passed": 1, "deselected": 1}
    assert "--fairness" not in result.stdout.str()


WAIVER = (
    "[{{model: biased_model, metric: {metric}, by: sex, reason: CAPA 12, approved_by: A. Auditor, expires: {day}}}]"
)


@pytest.mark.parametrize("burden", BOTH)
@pytest.mark.parametrize(
    ("days", "metric", "outcomes", "code"),
    [
        # A waiver is a test too: passed where it is in order.
        (0, "false_negative_rate", {"waived": 1, "passed": 2}, 0),
        (-1, "false_negative_rate", {"failed": 2, "passed": 1}, 1),
        (30, "accuracy", {"failed": 2, "passed": 1}, 1),  # it waives another check
        (
            500,
            "false_negative_rate",
            {"waived": 1, "failed": 1, "passed": 1},
            1,
        ),  # a debt is accepted for a year at most
    ],
)
def test_a_waiver_holds_until_its_day_and_never_turns_green(project, burden, days, metric, outcomes, code):
    day = date.today() + timedelta(days=days)
    waiver = WAIVER.format(metric=metric, day=day)
    project.limits("biased_model", checks=f"{project.FNR}, {project.ACCURACY}", waivers=waiver)
    result = project.gate("--junitxml=junit.xml", f"--fairness-burden={burden}")
    assert (result.ret, result.parseoutcomes()) == (code, outcomes)
    case = project.junit()["test_subgroups[biased_model-sex-false_negative_rate]"]
    if "waived" in outcomes:
        assert "thresholds.yaml w." in result.stdout.str()
        assert f"waived until {day} by A. Auditor: CAPA 12" in case.find("skipped").get("message")
    else:
        assert case.find("failure") is not None


def test_missing_values_may_be_a_group_of_their_own(project):
    model = "\n@fairness_model\ndef gappy_model():\n    return predictions({'f': (40, 400), None: (40, 400)})\n"
    project.write("conftest.py", project.MODELS + model)
    project.limits("gappy_model")
    result = project.gate()
    assert (result.ret, result.parseoutcomes()) == (1, {"errors": 1})
    assert "800 of 1600" in result.stdout.str()
    project.limits("gappy_model", defaults="{missing_sensitive: group}")
    assert project.gate("--junitxml=junit.xml").ret == 0
    assert {group.label for group in record(project, "gappy_model").groups} == {"f", "(missing)"}


def test_an_intersection_judges_every_combination(project):
    project.write(
        "conftest.py",
        "from fairness_checks import Predictions, fairness_model\n"
        "@fairness_model(sensitive_features=['sex', 'age'])\n"
        "def model():\n"
        "    return Predictions([1] * 400, [0] * 90 + [1] * 310, sensitive_features={\n"
        "        'sex': ['f'] * 200 + ['m'] * 200, 'age': (['old'] * 100 + ['young'] * 100) * 2})\n",
    )
    project.limits("model", checks="{metric: false_negative_rate, by: [sex, age], max_value: 0.5}")
    result = project.gate("--junitxml=junit.xml")
    assert result.ret == 1
    ((name, case),) = project.junit().items()
    assert name == "test_subgroups[model-sex+age-false_negative_rate-max_value]"
    found = CheckRecord.from_json(project.properties(case)["fairness.record"])
    assert [group.label for group in found.groups] == ["f, old", "f, young", "m, old", "m, young"]
    assert project.properties(case)["fairness.by"] == "sex, age"
    assert (found.first, found.verdict) == (("f", "old"), "fail")


@pytest.mark.parametrize(
    "option", ["--fairness-report=out", "--fairness-update-baseline", "--fairness-burden=compliance"]
)
def test_an_option_of_the_gate_without_the_gate_is_refused(project, option):
    project.write("test_plain.py", "def test_plain():\n    pass\n")
    result = project.pytest(option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{option}: does nothing without --fairness*add --fairness"])


def test_an_option_of_the_gate_in_an_ini_file_waits_for_the_gate(project):
    project.write("pytest.ini", "[pytest]\naddopts = --fairness-burden=compliance\n")
    project.write("test_plain.py", "def test_plain():\n    pass\n")
    assert project.pytest().ret == 0
