"""A check that cannot be made is an error of its own: the model's other checks are judged as if it were undefined."""

from __future__ import annotations

import re

import pytest

import fairness_checks.findings.regression
import fairness_checks.findings.sweep
import fairness_checks.sweep.runs
import fairness_checks.sweep.synthetic  # noqa: F401 - for its side effect, as in test_sweep_gate.py
from fairness_checks import CheckRecord

MODEL = """

@fairness_model
def model():
    made = predictions({"female": (160, 400), "male": (40, 400)})
    ward = ["a", "b"] * 799 + ["a", None]
    sex = ["female"] * 800 + ["male"] * 800
    ids = list(range(1600))
    features = {"sex": sex, "ward": ward, "site": ["only"] * 1600}
    return Predictions(made.y_true, made.y_pred, sensitive_features=features, sample_id=ids)


@fairness_model
def broken_model():
    raise ValueError("the registry is away")
"""
JUDGED = "{metric: false_negative_rate, by: sex, max_difference: 0.10}"
IMPOSSIBLE = {
    "a score that is not given": (
        "subgroups",
        "{metric: roc_auc, by: sex, max_difference: 0.1}",
        "subgroups: roc_auc by sex, max_difference: y_score: not given; the metric needs the probability",
    ),
    "an error that is not given": (
        "subgroups",
        "{metric: mean_absolute_error, by: sex, max_value: 0.1}",
        "subgroups: mean_absolute_error by sex, max_value: error: not given",
    ),
    "an uncertainty that is not given": (
        "uncertainty",
        "{by: sex, max_mismatch: 0.1}",
        "uncertainty: uncertainty_mismatch by sex, max_mismatch: uncertainty: not given",
    ),
    "a missing value": (
        "subgroups",
        "{metric: accuracy, by: [sex, ward], max_difference: 0.1}",
        "subgroups: accuracy by sex + ward, max_difference: sensitive_features['ward']: 1 of 1600 values are missing",
    ),
    "a missing value of a control feature": (
        "subgroups",
        "{metric: accuracy, by: sex, max_difference: 0.1, control_features: ward}",
        "subgroups: accuracy by sex within ward, max_difference: sensitive_features['ward']: 1 of 1600 values",
    ),
    "a misspelt feature": (
        "subgroups",
        "{metric: accuracy, by: sx, max_difference: 0.1}",
        "subgroups: accuracy by sx, max_difference: sensitive feature 'sx' is not in the predictions; did you mean",
    ),
    "a regression of what is not given": (
        "regression",
        "{metric: brier_score, by: sex, max_worsening: 0.1}",
        "regression: brier_score by sex, of disparity, max_worsening: y_score: not given",
    ),
    "a sweep of predictions": (
        "sweep",
        "{metric: accuracy, max_difference: 0.1}",
        "sweep: accuracy by sex, each_mix, max_difference: a check on a sweep, but the fixture returned Predictions",
    ),
}


@pytest.fixture
def gate(project):
    """Return a function that runs a gate with a check that can be judged, and others of one section."""
    project.write("conftest.py", project.MODELS + MODEL)

    def run(*arguments, section="subgroups", checks=(), judged=(JUDGED,), model="model"):
        sections = {"subgroups": list(judged)}
        sections.setdefault(section, []).extend(checks)
        lines = [f"version: 1\nmodels:\n  {model}:\n"]
        for name, entries in sections.items():
            if name == "sweep":
                lines.append("    sweep:\n      by: sex\n      mixes: {as_is: as_is}\n      checks:\n")
            else:
                lines.append(f"    {name}:\n")
            lines += [f"      - {entry}\n" for entry in entries]
        project.write("thresholds.yaml", "".join(lines))
        runs = project.gate_in_subprocess if "-n" in arguments else project.gate
        return runs("--junitxml=junit.xml", *arguments)

    return run


def errors(project):
    return [e.text for case in project.junit().values() if (e := case.find("error")) is not None]


def records(project):
    found = (project.properties(case).get("fairness.record") for case in project.junit().values())
    return [CheckRecord.from_json(text) for text in found if text]


@pytest.mark.parametrize(("section", "check", "message"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_the_check_that_needs_it_fails_and_the_others_are_judged(project, gate, section, check, message):
    result = gate(section=section, checks=[check])
    assert (result.ret, result.parseoutcomes()) == (1, {"failed": 1, "errors": 1})
    text = result.stdout.str().partition("short test summary")[0]  # which repeats whole messages where CI is set
    lines = (project.path / "thresholds.yaml").read_text(encoding="utf-8").splitlines()
    line = 1 + next(i for i, each in enumerate(lines) if check in each)
    assert text.count(f"thresholds.yaml:{line}: model, {message}") == 1
    assert "During handling" not in text
    assert "Traceback" not in text
    (error,) = errors(project)
    assert error.count(message) == 1
    (record,) = records(project)
    assert (record.verdict, record.metric, record.family_size) == ("fail", "false_negative_rate", 2)


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_the_family_keeps_its_size_on_any_number_of_workers(project, gate, workers):
    several = [check for section, check, _ in IMPOSSIBLE.values() if section == "subgroups"]
    result = gate(*workers, checks=several, judged=[JUDGED, JUDGED.replace("difference: 0.10", "value: 0.30")])
    assert (result.ret, result.parseoutcomes()) == (1, {"failed": 2, "errors": len(several)})
    found = records(project)
    assert {record.family_size for record in found} == {2 + len(several)}
    # Holm: the smallest p-value times all that were configured; what could not be made counts as 1.
    raw = sorted(record.p_violation for record in found)
    adjusted = sorted(record.p_adjusted for record in found)
    size = 2 + len(several)
    assert adjusted == pytest.approx([raw[0] * size, max(raw[0] * size, raw[1] * (size - 1))])
    assert "lost checks" not in result.stdout.str()


def test_a_selection_runs_green_without_the_check_that_cannot_be_made(project, gate):
    _, check, _ = IMPOSSIBLE["a score that is not given"]
    kept = JUDGED.replace("0.10", "0.90")
    result = gate("-k", "false_negative_rate", checks=[check], judged=[kept])
    assert (result.ret, result.parseoutcomes()["passed"]) == (0, 1)
    assert records(project)[0].family_size == 2


def test_a_fixture_that_raises_fails_all_checks_of_its_model(project, gate):
    result = gate(model="broken_model", checks=["{metric: accuracy, by: sex, max_difference: 0.1}"])
    assert (result.ret, result.parseoutcomes()) == (1, {"errors": 2})
    first, second = errors(project)
    assert "the registry is away" in first
    assert second == "broken_model: the same ValueError as in test_subgroups[broken_model-sex-false_negative_rate]"


def test_invalid_predictions_of_a_fixture_are_said_once(project, gate):
    project.write("conftest.py", project.MODELS + MODEL.replace('["only"] * 1600', '["only"] * 1599'))
    result = gate(checks=["{metric: accuracy, by: sex, max_difference: 0.1}"])
    assert (result.ret, result.parseoutcomes()) == (1, {"errors": 2})
    first, second = errors(project)
    assert first.count("lengths differ") == 1
    assert second == "model: the same error as in test_subgroups[model-sex-false_negative_rate]"
    assert "During handling" not in result.stdout.str()


def test_one_mistake_of_two_checks_is_said_once_and_pointed_to(project, gate):
    checks = ["{metric: accuracy, by: sx, max_difference: 0.1}", "{metric: accuracy, by: sx, min_value: 0.1}"]
    assert gate(checks=[*checks, "{metric: accuracy, by: wrd, min_value: 0.1}"]).ret == 1
    first, again, another = errors(project)
    assert "'sx' is not in the predictions" in first
    assert again == (
        "thresholds.yaml:7: model, subgroups: accuracy by sx, min_value: the same error as in "
        "test_subgroups[model-sx-accuracy]"
    )
    assert "'wrd' is not in the predictions" in another


def test_one_group_is_an_error_of_its_checks_alone(project, gate):
    """By site there is one group: nobody to be compared with, but a ceiling holds for it as for any other."""
    alone = ["{metric: accuracy, by: site, max_difference: 0.1}", "{metric: accuracy, by: [sex, site], min_ratio: 0.5}"]
    result = gate(checks=[*alone, "{metric: accuracy, by: site, min_value: 0.1}"])
    assert (result.ret, result.parseoutcomes()) == (1, {"failed": 1, "errors": 2, "passed": 1})
    message = "sensitive_features['site']: one group only, 'only', which all 1,600 samples belong to"
    assert [message in text for text in errors(project)] == [True, True]
    assert {record.family_size for record in records(project)} == {4}


@pytest.mark.parametrize(("written", "outcome"), [("", "inconclusive"), (", absent: [[male, yes]]", "passed")])
def test_a_cell_that_cannot_exist(project, gate, written, outcome):
    """YAML calls `yes` true; the group is meant."""
    body = """

@fairness_model
def model():
    made = predictions({"female": (40, 400), "male": (40, 400)})
    features = {"sex": ["female"] * 800 + ["male"] * 800, "pregnant": ["yes", "no"] * 400 + ["no"] * 800}
    return Predictions(made.y_true, made.y_pred, sensitive_features=features)
"""
    project.write("conftest.py", project.MODELS + body)
    result = gate("-v", judged=[f"{{metric: accuracy, by: [sex, pregnant], max_difference: 0.9{written}}}"])
    assert (result.ret, result.parseoutcomes()) == (0, {outcome: 1})
    (record,) = records(project)
    assert record.absent == ((("male", "yes"),) if written else ())
    text = " ".join(result.stdout.str().split())
    assert ("left out, as it cannot exist: male, yes" if written else "write `absent: [[male, yes]]` in the") in text


SWEPT = """
import numpy as np
from fairness_checks.sweep import DataSet, TrainableModel


@fairness_model
def model():
    n = 240
    sex = np.where(np.arange(n) % 2 == 0, "female", "male")
    x = np.random.default_rng(0).normal(size=n)
    y = (x > 0).astype(int)

    def fit(train, rng):
        if len(set(train.sensitive_features["sex"])) == 1:
            raise FAILURE
        return 1.0

    def predict(slope, test):
        return Predictions(test.outcome, y_score=1 / (1 + np.exp(-test.features["x"].to_numpy())),
                           sensitive_features=test.sensitive_features)

    return TrainableModel(DataSet({"x": x}, y, {"sex": sex}), fit, predict, version="1", folds=4)
"""


@pytest.mark.parametrize(
    ("failure", "shown"),
    [
        ("RuntimeError('out of memory')", "RuntimeError: out of memory"),
        ("FairnessError('no cases')", "no cases (sweep of"),
    ],
)
@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_a_sweep_that_fails_leaves_the_other_checks(project, gate, failure, shown, workers):
    head = "from fairness_checks.errors import FairnessError\n"
    project.write("conftest.py", project.MODELS + head + SWEPT.replace("FAILURE", failure))
    gate(section="sweep", checks=["{metric: accuracy, max_difference: 0.1}", "{metric: roc_auc, max_difference: 0.1}"])
    limits = project.path / "thresholds.yaml"
    text = limits.read_text(encoding="utf-8").replace("{as_is: as_is}", "{as_is: as_is, men: {male: 1.0}}")
    more = "    regression:\n      - {metric: accuracy, by: sex, max_worsening: 0.1}\n"
    limits.write_text(text + more, encoding="utf-8")
    runs = project.gate_in_subprocess if workers else project.gate
    result = runs("--junitxml=junit.xml", "--fairness-update-baseline", *workers)
    assert result.ret == 1
    assert result.parseoutcomes() == {"passed": 1, "inconclusive": 1, "errors": 2}
    full = [text for text in errors(project) if shown in text and "mix 'men'" in text]
    again = [text for text in errors(project) if re.search(r"model, sweep: .*: the same \w+ as in test_sweep\[", text)]
    assert len(full) in ((1, 2) if workers else (1,))  # once a process
    assert sorted(full + again) == sorted(errors(project))
    assert {record.family_size for record in records(project)} == {4}
    # A traceback for what the project's code raised, once a process; none for a message that says it all.
    located = sum("conftest.py" in text for text in errors(project))
    assert located in ((0,) if "Fairness" in failure else (1, 2) if workers else (1,))
    assert all("_pytest" not in text for text in errors(project))
    assert "Not written, as a check could not be made: model" in result.stdout.str()


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [*((kind, ()) for kind in IMPOSSIBLE), *(("a missing value", a) for a in (("-k", "false_negative"), ("-n", "2")))],
    ids=str,
)
def test_a_model_with_a_check_that_cannot_be_made_is_not_written_to_the_baseline(project, gate, kind, arguments):
    section, check, _ = IMPOSSIBLE[kind]
    kept = JUDGED.replace("0.10", "0.90")
    worsening = "{metric: accuracy, by: sex, max_worsening: 0.1}"
    checks = [check, worsening] if section == "regression" else [check]
    result = gate("--fairness-update-baseline", *arguments, section=section, checks=checks, judged=[kept])
    assert result.ret == (0 if arguments[:1] == ("-k",) else 1)
    assert re.search(r"0 checks written.*Not written, as a check could not be made: model", result.stdout.str())
    text = (project.path / "fairness-baseline.json").read_text(encoding="utf-8")
    assert '"accuracy' not in text
    assert '"false_negative' not in text
