"""Metrics of the user's own in thresholds.yaml: found before any model is fitted, judged, swept, kept."""

from __future__ import annotations

import pytest

# As in conftest.py: pytester forgets what a run in this process imported.
import fairness_checks.findings.sweep
import fairness_checks.sweep.runs  # noqa: F401 - for its side effect
from benchmarks.sweep_project import MODEL

METRICS = """
import numpy as np
from fairness_checks import fairness_metric

@fairness_metric(kind="proportion", unit="positives")
def missed(predictions):
    return np.where(predictions.y_true, ~predictions.y_pred, np.nan)
"""
OWN = "{metric: missed, by: sex, max_difference: 0.05}"
FNR = "{metric: false_negative_rate, by: sex, max_difference: 0.05}"


def test_a_registered_metric_is_judged_as_the_tables_is(project):
    project.write("conftest.py", project.MODELS + METRICS)
    project.limits("biased_model", "fair_model", checks=f"{OWN}, {FNR}")
    assert project.gate("--junitxml=junit.xml").parseoutcomes() == {"failed": 2, "passed": 2}
    cases = project.junit()
    for model in ("biased_model", "fair_model"):
        mine, theirs = (
            project.properties(cases[f"test_subgroups[{model}-sex-{name}]"])
            for name in ("missed", "false_negative_rate")
        )
        same = ("fairness.verdict", "fairness.estimate", "fairness.p_violation", "fairness.low")
        assert [mine[name] for name in same] == [theirs[name] for name in same]


def test_names_are_checked_before_any_model_is_fitted(project):
    project.write("conftest.py", project.MODELS + METRICS)
    project.limits("fair_model", checks=OWN.replace("missed", "mised"))
    result = project.gate()
    assert result.ret == 4
    assert "metric: 'mised' is not a metric; did you mean 'missed'?" in result.stderr.str()
    assert "registered with @fairness_metric" in result.stderr.str()
    assert project.fitted() == []


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            "@fairness_metric(name='missed')\ndef other(predictions):\n    return predictions.y_pred\n",
            "two metrics are",
        ),
        ("@fairness_metric\ndef accuracy(predictions):\n    return predictions.y_pred\n", "is a metric of the table"),
    ],
)
def test_a_name_belongs_to_one_metric(project, more, message):
    project.write("conftest.py", project.MODELS + METRICS + more)
    project.limits("fair_model", checks=OWN)
    result = project.gate_in_subprocess()  # a conftest.py that raises ends pytest's main
    assert result.ret == 4
    assert message in result.stderr.str()
    assert "conftest.py:" in result.stderr.str()
    assert project.fitted() == []


def test_one_metric_may_be_seen_in_several_places(project):
    project.write("my_metrics.py", METRICS)
    project.write("conftest.py", project.MODELS + "\nfrom my_metrics import missed\npytest_plugins = ['my_metrics']\n")
    project.pytester.syspathinsert()
    project.limits("fair_model", checks=OWN)
    assert project.gate("-Wignore").parseoutcomes() == {"passed": 1}  # pytest warns that the module is there already


def test_a_conftest_that_is_loaded_later_is_named(project):
    project.write("conftest.py", "")
    project.write("gates/conftest.py", project.MODELS + METRICS)
    project.limits("fair_model", checks=OWN).rename(project.pytester.path / "gates" / "limits.yaml")
    result = project.gate("--fairness-config=gates/limits.yaml")
    assert result.ret == 4
    assert "is loaded; run pytest with" in result.stderr.str()
    assert project.gate("--fairness-config=gates/limits.yaml", "gates").parseoutcomes() == {"passed": 1}


def test_hand_written_tests_know_its_name(project):
    project.write("conftest.py", project.MODELS + METRICS)
    project.limits("fair_model")
    project.write(
        "test_mine.py",
        "def test_mine(fairness, biased_model):\n"
        "    assert fairness.audit(biased_model, metric='missed', by='sex', max_difference=0.9).metric == 'missed'\n",
    )
    assert project.gate().parseoutcomes() == {"passed": 2}


def test_a_sweep_measures_it_and_notices_when_its_code_changes(project):
    cost = (
        METRICS
        + "\n@fairness_metric(lowest=0, highest={0})\ndef cost(predictions):\n    return predictions.y_pred * {0}.0\n"
    )
    check = "{metric: cost, gap: each_mix, max_difference: 0.9}"
    project.write(
        "thresholds.yaml",
        "version: 1\nmodels:\n  swept:\n    sweep: {by: sex, mixes: {as_is: as_is}, repeats: 5, "
        f"checks: [{check}, {check.replace('cost', 'selection_rate')}]}}\n",
    )
    fits = []
    for factor in (1, 1, 2):
        project.write("conftest.py", MODEL + cost.format(factor))
        result = project.gate("--junitxml=junit.xml")
        values = [
            float(project.properties(case)["fairness.estimate"])
            for name, case in project.junit().items()
            if "cost" in name or "selection" in name
        ]
        assert values[0] == pytest.approx(factor * values[1], rel=1e-5), result.stdout.str()
        fits.append("swept: from the cache of" in result.stdout.str())
    assert fits == [False, True, False]
