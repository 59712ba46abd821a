"""`uncertainty:` and `control_features` in thresholds.yaml: node ids, JUnit, tables, waivers, missing arrays."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from fairness_checks import CheckRecord

MODELS = '''
import numpy as np

from fairness_checks import Predictions, fairness_model


def images(warns):
    """Errors are higher on dark skin; the uncertainty says so or does not."""
    rng = np.random.default_rng(0)
    skin = np.repeat(["dark", "light"], 600)
    shift = 1.5 * (skin == "dark")
    uncertainty = np.exp(rng.normal(shift if warns else -shift / 2, 1.0))
    site = np.tile(["A", "B", "C"], 400)
    return Predictions(
        error=np.exp(rng.normal(shift, 1.0)), uncertainty=uncertainty, cluster=np.arange(1200) // 2,
        sensitive_features={"skin": skin, "site": site},
    )


@fairness_model
def mute_model():
    return images(warns=False)


@fairness_model
def warning_model():
    return images(warns=True)


@fairness_model
def deciding_model():
    return Predictions([0, 1] * 100, [0, 1] * 100, sensitive_features={"skin": ["dark", "light"] * 100})


@fairness_model
def admissions():
    """Each ward treats both sexes alike, but women go where few are selected."""
    cells = {("easy", "f"): (80, 100), ("easy", "m"): (640, 800), ("hard", "f"): (160, 800), ("hard", "m"): (20, 100)}
    ward = np.concatenate([[w] * n for (w, _), (_, n) in cells.items()])
    sex = np.concatenate([[s] * n for (_, s), (_, n) in cells.items()])
    y_pred = np.concatenate([[1] * x + [0] * (n - x) for x, n in cells.values()])
    return Predictions(np.ones(1800, int), y_pred, sensitive_features={"sex": sex, "ward": ward})
'''

MISMATCH = "{by: skin, max_mismatch: 0.10}"


@pytest.fixture
def gate(project):
    """Run the gate on {model: {section: checks}}; return the result."""
    project.write("conftest.py", MODELS)

    def run(*arguments, waivers="[]", **models):
        lines = ["version: 1", "defaults: {correction: holm}", "models:"]
        for model, sections in models.items():
            lines.append(f"  {model}:")
            lines += [f"    {section}: [{checks}]" for section, checks in sections.items()]
        project.write("thresholds.yaml", "\n".join([*lines, f"waivers: {waivers}"]) + "\n")
        return project.gate("--junitxml=junit.xml", *arguments)

    return run


def table(result, model):
    lines = result.outlines
    start = lines.index(model)
    return lines[start : next((i for i in range(start, len(lines)) if not lines[i]), len(lines))]


def test_verdicts_node_ids_and_junit(project, gate):
    result = gate("-v", mute_model={"uncertainty": MISMATCH}, warning_model={"uncertainty": MISMATCH})
    assert (result.ret, result.parseoutcomes()) == (1, {"failed": 1, "passed": 1})
    assert [line.split()[:2] for line in result.outlines if line.startswith("thresholds.yaml::")] == [
        ["thresholds.yaml::test_uncertainty[mute_model-skin]", "FAILED"],
        ["thresholds.yaml::test_uncertainty[warning_model-skin]", "PASSED"],
    ]
    cases = project.junit()
    found = project.properties(cases["test_uncertainty[mute_model-skin]"])
    record = CheckRecord.from_json(found["fairness.record"])
    assert (record.check, record.metric, record.limit_kind) == ("uncertainty", "uncertainty_mismatch", "max_mismatch")
    expected = {"by": "skin", "metric": "uncertainty_mismatch", "limit": "0.1", "verdict": "fail", "strata": "each"}
    assert {name: found[f"fairness.{name}"] for name in expected} == expected
    assert [group.clusters for group in record.groups] == [300, 300]
    failure = cases["test_uncertainty[mute_model-skin]"].find("failure")
    for text in (found["fairness.text"], failure.get("message"), failure.text, result.stdout.str()):
        flat = " ".join(text.split())
        assert "errs more with skin=dark than with skin=light in 8" in flat
        assert "and is more uncertain in " in flat
        assert "of 100: its uncertainty does not warn; at most 10 fewer are allowed" in flat
    assert "spearman" in failure.text
    assert "risk_coverage_area" in failure.text


@pytest.mark.parametrize(
    ("arguments", "outcomes"),
    [
        (["-k", "test_uncertainty"], {"failed": 1, "deselected": 1}),
        (["-k", "mean_error"], {"failed": 1, "deselected": 1}),
        (["thresholds.yaml::test_uncertainty[mute_model-skin]"], {"failed": 1, "deselected": 1}),
    ],
)
def test_both_sections_of_a_model_are_one_family(project, gate, arguments, outcomes):
    checks = "{metric: mean_error, by: skin, max_difference: 0.5}"
    result = gate(*arguments, mute_model={"subgroups": checks, "uncertainty": MISMATCH})
    assert (result.ret, result.parseoutcomes()) == (1, outcomes)
    (case,) = project.junit().values()
    assert project.properties(case)["fairness.family_size"] == "2"


def test_tables_fit_the_page(gate):
    means = "{metric: mean_squared_error, by: [skin, site], max_difference: 12345.678}"
    result = gate(
        mute_model={
            "subgroups": "{metric: mean_absolute_error, by: skin, max_difference: 0.5, control_features: site}, "
            + means,
            "uncertainty": f"{MISMATCH}, {{by: [skin, site], max_mismatch: 0.2}}",
        },
        warning_model={"uncertainty": MISMATCH},
    )
    lines = table(result, "mute_model")
    assert max(map(len, lines)) <= 80
    text = " ".join(" ".join(lines).split())
    assert "uncertainty_mismatch" in text
    assert "within site" in text
    assert "B, dark" in text or "dark, B" in text


def test_missing_arrays_are_errors_that_name_them(project, gate):
    result = gate(
        deciding_model={"subgroups": "{metric: mean_absolute_error, by: skin, max_difference: 0.5}"},
        mute_model={"subgroups": "{metric: log_loss, by: skin, max_difference: 0.5}"},
    )
    assert (result.ret, result.parseoutcomes()) == (1, {"errors": 2})
    text = result.stdout.str()
    assert "error: not given; the metric needs the error of each sample" in text
    assert "y_true: not given; the metric compares decisions or scores with labels" in text
    assert all(case.find("error") is not None for case in project.junit().values())


def test_decisions_alone_give_no_uncertainty(gate):
    result = gate(deciding_model={"uncertainty": MISMATCH})
    assert (result.ret, result.parseoutcomes()) == (1, {"errors": 1})
    assert "uncertainty: not given; give it, or y_score, whose entropy is then taken" in result.stdout.str()


@pytest.mark.parametrize(
    ("days", "check", "outcomes", "code"),
    [
        (0, "check: uncertainty, ", {"waived": 1, "passed": 1}, 0),
        (-1, "check: uncertainty, ", {"failed": 2}, 1),
    ],
)
def test_a_waiver_of_an_uncertainty_check(project, gate, days, check, outcomes, code):
    day = date.today() + timedelta(days=days)
    waiver = f"[{{model: mute_model, {check}by: skin, reason: CAPA 12, approved_by: A. Auditor, expires: {day}}}]"
    result = gate(waivers=waiver, mute_model={"uncertainty": MISMATCH})
    assert (result.ret, result.parseoutcomes()) == (code, outcomes)
    if "waived" in outcomes:
        message = project.junit()["test_uncertainty[mute_model-skin]"].find("skipped").get("message")
        assert f"waived until {day} by A. Auditor: CAPA 12" in message
        assert "its uncertainty does not warn" in message


@pytest.mark.parametrize("check", ["", "check: subgroups, metric: uncertainty_mismatch, ", "check: uncertanty, "])
def test_a_waiver_of_another_section_is_refused(gate, check):
    waiver = f"[{{model: mute_model, {check}by: skin, reason: CAPA, approved_by: A, expires: 2999-01-01}}]"
    result = gate(waivers=waiver, mute_model={"uncertainty": MISMATCH})
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "thresholds.yaml" in result.stderr.str() + result.stdout.str()


def test_control_features_in_the_gate(project, gate):
    crude = "{metric: selection_rate, by: sex, max_difference: 0.15"
    result = gate(
        admissions={
            "subgroups": f"{crude}}}, {crude}, control_features: ward}}, "
            f"{crude}, control_features: [ward], strata: combined}}"
        }
    )
    assert (result.ret, result.parseoutcomes()) == (1, {"failed": 1, "passed": 2})
    verdicts = {name: project.properties(case)["fairness.verdict"] for name, case in project.junit().items()}
    assert verdicts == {
        "test_subgroups[admissions-sex-selection_rate]": "fail",
        "test_subgroups[admissions-sex-selection_rate-within+ward]": "pass",
        "test_subgroups[admissions-sex-selection_rate-combined_over+ward]": "pass",
    }
    found = project.properties(project.junit()["test_subgroups[admissions-sex-selection_rate-combined_over+ward]"])
    assert (found["fairness.control_features"], found["fairness.strata"]) == ("ward", "combined")
    assert "with sex=m (standardised over ward); at most 15 apart are allowed; " in found["fairness.text"]
    assert max(map(len, table(result, "admissions"))) <= 100


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"uncertainty": "{by: skin}"}, "max_mismatch"),
        ({"uncertainty": "{by: skin, max_mismatch: 1.5}"}, "max_mismatch: 1.5 is impossible"),
        ({"uncertainty": "{by: skin, max_mismatch: 0.1, metric: accuracy}"}, "metric"),
        ({"uncertainty": f"{MISMATCH}, {MISMATCH}"}, "uncertainty"),
        ({"uncertainty": "{by: skinn, max_mismatch: 0.1}"}, "did you mean 'skin'"),
        ({"subgroups": "{metric: uncertainty_mismatch, by: skin, max_difference: 0.1}"}, "uncertainty:"),
        ({"subgroups": "{metric: mean_error, by: skin, max_difference: 1.0, strata: combined}"}, "no control_features"),
        ({"subgroups": "{metric: mean_error, by: skin, max_difference: 1.0, control_features: skin}"}, "'skin' stands"),
    ],
)
def test_mistakes_in_the_file_are_never_green(gate, sections, message):
    result = gate(mute_model=sections)
    assert result.ret in (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.USAGE_ERROR)
    assert message in result.stderr.str() + result.stdout.str()
    assert " passed" not in result.stdout.str()
