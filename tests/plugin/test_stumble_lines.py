"""Every message that a newcomer meets first stays short, also where the CI prints all of it, and holds the remedy."""

from __future__ import annotations

import re

import pytest

MOST = 6  # lines
CONFTEST = """
import numpy as np
import pytest
from fairness_checks import Predictions, fairness_model

Y, P = [0, 1] * 60, [0.2, 0.7] * 60
SEX = ["f", "m", "m"] * 40


@fairness_model
def a_model():
    return Predictions(Y, y_score=P, sensitive_features=FEATURES)
"""
FNR = "{metric: FNR, by: sex, max_difference: 0.10}"
ENTRY = "model: a_model, metric: FNR, by: sex, reason: known, approved_by: A, expires: 2099-01-01"


def limits(project, checks=FNR, more="", model="a_model"):
    project.write("thresholds.yaml", f"version: 1\nmodels:\n  {model}:\n    subgroups: [{checks}]\n{more}")


def features(project, given='{"sex": SEX}'):
    project.write("conftest.py", CONFTEST.replace("FEATURES", given))


def bare(decorator, place="conftest.py"):
    """Return a stumble: a function of the model's name without the decorator that makes it one."""

    def stumble(project):
        features(project)
        text = (project.path / "conftest.py").read_text().replace("@fairness_model", decorator)
        (project.path / "conftest.py").unlink()
        project.write(place, text)
        limits(project)

    return stumble


def elsewhere(place):
    def stumble(project):
        project.write(place, "version: 1\n")

    return stumble


def asked(checks=FNR, more="", given='{"sex": SEX}', model="a_model"):
    def stumble(project):
        features(project, given)
        limits(project, checks, more, model)

    return stumble


USAGE = {
    "no-file": (lambda project: None, "looked in {here}; write for example:"),
    "no-file-init": (lambda project: None, "`fairness-checks init` writes one with a model to begin with, `fairness-"),
    "no-file-predictions": (lambda project: None, "`fairness-checks init predictions.csv` one that judges a file (`so"),
    "near-file": (elsewhere("threshold.yaml"), "did you mean 'threshold.yaml'?"),
    "empty-file": (lambda project: project.write("thresholds.yaml", ""), "the file is empty; write for example:"),
    "file-in-a-folder": (elsewhere("config/thresholds.yaml"), "--fairness-config config/thresholds.yaml"),
    "a-folder-for-a-file": (lambda project: (project.path / "thresholds.yaml").mkdir(), "this is a directory; give"),
    "no-model": (asked(model="other_model"), "decorate a fixture of this name with @fairness_model"),
    "no-check": (lambda project: project.write("thresholds.yaml", "version: 1\nmodels: {}\n"), "no check was coll"),
    "bare-fixture": (bare("@pytest.fixture"), "conftest.py:10: a_model is a fixture that lacks @fairness_model; write "
                     "`@fairness_model` in the place of `@pytest.fixture`"),
    "bare-fixture-of-a-session": (bare('@pytest.fixture(scope="session")'), "in the place of `@pytest.fixture(scope="),
    "bare-fixture-in-tests": (bare("@pytest.fixture", "tests/conftest.py"), "tests/conftest.py:10: a_model is a fixtu"),
    "bare-fixture-by-name": (bare('@pytest.fixture(name="a_model")'), "conftest.py:10: a_model is a fixture that lac"),
    "bare-fixture-in-a-module": (bare("@pytest.fixture", "tests/test_model.py"), "then move it to a conftest.py"),
    "bare-fixture-deep": (bare("@pytest.fixture", "src/app/conftest.py"), "then run pytest with {here}/src/app among"),
    "bare-function": (bare("# a model"), "a_model is a function that lacks @fairness_model; write `@fairness_model` "),
    "a-model-in-a-module": (bare("@fairness_model", "src/app/models.py"), "src/app/models.py: import it in a conftest"),
    "a-model-in-a-test": (bare("@fairness_model", "test_model.py"), "to be in test_model.py: move it to a conftest.py"),
    "a-limit-without-kind": (asked("{metric: FNR, by: sex, limit: 0.1}"), "such as `max_difference: 0.05`; allowed"),
    "a-waiver-of-nothing": (asked(more=f"waivers: [{{{ENTRY}, limit: min_ratio}}]\n"), "are waived by {{model: a_mode"),
    "a-limit-of-a-waiver": (asked(more=f"waivers: [{{{ENTRY}, limit: 0.1}}]\n"), "such as `limit: max_difference`"),
    "a-metric-of-nowhere": (asked("{metric: acuracy, by: sex, max_difference: 0.1}"), "did you mean 'accuracy'?"),
    "a-metric-of-another-meaning": (asked("{metric: f1, by: sex, max_difference: 0.1}"), "nearest in meaning: precis"),
    "two-files": (lambda project: None, "a run is judged by one file of limits; give one, by --fairness-config"),
}  # fmt: skip
"""By name: a stumble that ends in a usage error, and the remedy."""
ARGUMENTS = {"two-files": ("a.yaml", "b.yaml")}

JUDGED = {
    "missing-sensitive": (asked(given='{"sex": [None, *SEX[1:]]}'), "`defaults: {missing_sensitive: group}`"),
    "missing-text": (asked(given='{"sex": ["NA", *SEX[1:]]}'), "`missing_text: ['NA']`"),
    "no-feature": (asked("{metric: FNR, by: sx, max_difference: 0.1}"), "did you mean 'sex'?"),
    "ages": (
        asked("{metric: FNR, by: age, max_difference: 0.1}", given='{"age": np.arange(120)}'),
        "pandas.cut(table['age'], [0, 40, 60, 75, 120])",
    ),
}
"""By name: a stumble that is seen when the model is evaluated, and the remedy."""


@pytest.fixture(params=["", "true"], ids=["terminal", "ci"])
def project_under_ci(project, monkeypatch, request):
    (project.path / "conftest.py").unlink()
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    for name in ("CI", "BUILD_NUMBER"):
        monkeypatch.delenv(name, raising=False)
    if request.param:
        monkeypatch.setenv("CI", request.param)
    return project


@pytest.mark.parametrize("name", USAGE)
def test_a_stumble_before_anything_runs_is_a_short_message(project_under_ci, name):
    stumble, remedy = USAGE[name]
    stumble(project_under_ci)
    result = project_under_ci.pytest("--fairness", *ARGUMENTS.get(name, ()))
    said = result.stderr.str()
    assert result.ret == 4
    assert remedy.format(here=project_under_ci.path) in said
    assert len([line for line in said.splitlines() if line]) <= MOST
    assert "Traceback" not in said


@pytest.mark.parametrize("name", JUDGED)
def test_a_stumble_of_a_model_is_a_short_message(project_under_ci, name):
    stumble, remedy = JUDGED[name]
    stumble(project_under_ci)
    result = project_under_ci.pytest("--fairness")
    assert result.ret == 1
    (block,) = re.findall(
        r"^_{3,} (?:ERROR at setup of )?test_[^\n]*\n(.*?)^[_=]{3,}", result.stdout.str(), re.MULTILINE | re.DOTALL
    )
    lines = [line for line in block.splitlines() if line.strip()]
    assert remedy in " ".join(" ".join(lines).split())
    assert len(lines) <= MOST


@pytest.mark.parametrize(
    ("line", "given"),
    [
        ('@fairness_model("tiny")', "'tiny'"),
        ("@fairness_model(0.5)", "0.5"),
        ("fairness_model(functools.partial(print))\n", "functools.partial("),
        ("@fairness_model\nclass Held:\n    pass\n\n", "<class "),
    ],
    ids=["name", "number", "partial", "class"],
)
def test_what_is_no_function_is_no_model_and_the_message_says_what_to_write(project_under_ci, line, given):
    bare(f"import functools\n{line}")(project_under_ci)
    result = project_under_ci.pytest("--fairness")
    assert result.ret == 4
    said = " is no function with a name, which is the model's; write @fairness_model or "
    assert f"@fairness_model: {given}" in result.stderr.str()
    assert result.stderr.str().rstrip().endswith(said + '@fairness_model(sensitive_features=["sex"]) above a def')
    assert "INTERNALERROR" not in result.stdout.str()


def test_a_model_that_is_made_a_fixture_twice_says_which_line_goes(project_under_ci):
    bare("@fairness_model\n@pytest.fixture")(project_under_ci)
    result = project_under_ci.pytest("--fairness")
    assert result.ret == 4
    said = "@fairness_model a_model: it makes a fixture itself; remove the line @pytest.fixture"
    assert result.stderr.str().rstrip().endswith(said)
