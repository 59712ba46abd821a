"""`missing_text` of thresholds.yaml: what text such as "NA" is, somebody has to say."""

from __future__ import annotations

import pytest

from fairness_checks import CheckRecord

MODELS = """
from fairness_checks import Predictions, fairness_model


@fairness_model
def forest():
    sex = ["f"] * 400 + ["m"] * 400 + ["NA"] * 100
    return Predictions([1, 0] * 450, [1, 0] * 450, sensitive_features={"sex": sex})
"""
REFUSED = "*sensitive_features*'sex'*: 100 of 900 values are the text 'NA', which means a missing value: rows 800, *"


@pytest.fixture
def gate(project):
    def run(defaults):
        project.write("conftest.py", MODELS)
        project.limits("forest", defaults=defaults)
        result = project.gate("--junitxml=junit.xml")
        (case,) = project.junit().values()
        found = project.properties(case).get("fairness.record")
        return result, None if found is None else [g.name[0] for g in CheckRecord.from_json(found).groups]

    return run


@pytest.mark.parametrize(
    ("defaults", "groups"),
    [
        ("{missing_text: []}", ["NA", "f", "m"]),
        ("{missing_text: '?'}", ["NA", "f", "m"]),
        ("{missing_sensitive: group}", ["(missing)", "f", "m"]),
        ("{missing_sensitive: group, missing_text: [NA]}", ["(missing)", "f", "m"]),
        ("{missing_sensitive: group, missing_text: [NA, m]}", ["(missing)", "f"]),
    ],
)
def test_what_is_said_holds(gate, defaults, groups):
    result, found = gate(defaults)
    assert result.ret == 0
    assert found == groups


@pytest.mark.parametrize(
    ("defaults", "line"),
    [("{}", REFUSED), ("{missing_text: [NA]}", "*100 of 900 values are missing: rows 800*missing_sensitive: group*")],
)
def test_what_is_not_said_is_red(gate, defaults, line):
    result, found = gate(defaults)
    assert (result.ret, found) == (1, None)
    result.stdout.fnmatch_lines([line])


@pytest.mark.parametrize(
    ("defaults", "message"),
    [
        ("{missing_text: [' ']}", "*thresholds.yaml:2: defaults.missing_text: holds a blank text*"),
        ("{missing_text: [1]}", "*thresholds.yaml:2: defaults.missing_text*"),
        ("{missing_texts: []}", "*did you mean 'missing_text'?*"),
    ],
)
def test_other_settings_are_usage_errors(project, defaults, message):
    project.write("conftest.py", MODELS)
    project.limits("forest", defaults=defaults)
    result = project.gate()
    assert result.ret == 4
    result.stderr.fnmatch_lines([message])
