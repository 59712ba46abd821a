"""`fairness-checks explain` and `--version`."""

from __future__ import annotations

import re

import pytest

import fairness_checks
from fairness_checks import METRICS, plan_sample_size
from fairness_checks.cli.explain import explanation
from fairness_checks.cli.explain_texts import TEXTS
from fairness_checks.cli.main import main
from fairness_checks.config.loading import parse_config
from fairness_checks.question.metric_meanings import MEANINGS


def test_every_metric_has_its_text():
    assert TEXTS.keys() == MEANINGS.keys() == METRICS.keys()
    assert all(MEANINGS.values())
    assert all(all(text) for text in TEXTS.values())


@pytest.mark.parametrize("name", sorted(METRICS))
def test_every_metric_is_explained(name, capsys):
    assert main(["explain", name, "--prevalence", "0.2"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert said.startswith(name)
    for part in ("for patients:", "formula:", "use it:", "it hides:", "limits:", "patients needed:"):
        assert part in said
    assert all(kind in said for kind in METRICS[name].limits)


def test_the_clinics_names_lead_to_the_metric(capsys):
    assert main(["explain", "Sensitivity"]) == 0
    assert capsys.readouterr().out.startswith("true_positive_rate, also called ")


def test_the_number_of_patients_is_that_of_the_plan():
    said = " ".join(explanation("FNR", 0.1, 0.25).split())
    given = {"metric": "FNR", "max_difference": 0.1, "positives": 0.25}
    alike = plan_sample_size(first_value=0.2, second_value=0.2, **given)
    apart = plan_sample_size(first_value=0.4, second_value=0.2, **given)
    for plan in (alike, apart):
        assert f"{plan.first_patients:,} patients ({plan.first:,} positives)" in said


@pytest.mark.parametrize("name", ["FNR", "specificity"])
def test_without_a_prevalence_it_says_how_to_have_patients(name):
    said = " ".join(explanation(name).split())
    assert re.search(r"1,100 (posi|nega)tives of each of two groups, where they are alike 919", said)
    assert said.endswith("--prevalence 0.1 says of how many patients")


@pytest.mark.parametrize("name", ["roc_auc", "balanced_accuracy", "equalized_odds"])
def test_a_prevalence_that_is_assumed_is_said(name):
    said = " ".join(explanation(name).split())
    assert said.endswith("at a prevalence of 0.5; --prevalence 0.1 for another")
    assert " ".join(explanation(name, None, 0.5).split()) == said.removesuffix(
        " at a prevalence of 0.5; --prevalence 0.1 for another"
    )
    value = ((0.8, 0.1),) * 2 if name == "equalized_odds" else (0.8, 0.8)
    given = {"metric": name, "max_difference": 0.05, "first_value": value[0], "second_value": value[1]}
    for prevalence in (None, 0.1):
        plan = plan_sample_size(**given, positives=prevalence)
        assert f"{plan.first:,} patients of each of two groups, where they are alike" in " ".join(
            explanation(name, None, prevalence).split()
        )


@pytest.mark.parametrize(("name", "counted"), [("accuracy", "every sample"), ("PPV", "predicted positives")])
def test_a_prevalence_that_is_of_no_use_is_said_to_be(name, counted):
    assert "prevalence" not in explanation(name).partition("patients needed:")[2]
    assert f"whatever the prevalence is: what counts is {counted}" in " ".join(explanation(name, None, 0.1).split())


@pytest.mark.parametrize("limit", [None, 0.02, 0.3])
@pytest.mark.parametrize("name", sorted(METRICS))
def test_the_line_to_write_has_the_limit_that_is_planned_for(name, limit):
    written = next(line for line in explanation(name, limit).splitlines() if line.startswith("write:"))
    config = parse_config(f"version: 1\nmodels:\n  m:\n    {written.removeprefix('write:').strip()}\n", "t.yaml")
    (asked,) = config.models[0].checks
    assert asked.check.metric == name
    assert asked.check.limit == (limit or (0.1 if name == "uncertainty_mismatch" else 0.05))
    if name != "expected_calibration_error":
        assert f"for {asked.check.limit_kind} {asked.check.limit:g}" in explanation(name, limit)


def test_a_limit_of_a_mean_is_in_its_unit_and_the_deviation_is_said():
    said = " ".join(explanation("MSE", 3.0).split())
    plan = plan_sample_size(
        metric="MSE", first_value=7.0, second_value=7.0, max_difference=3.0, standard_deviation=30.0
    )
    assert "for max_difference 3, where one sample's standard deviation is ten times that" in said
    assert f"{plan.first:,} patients of each of two groups, where they are alike" in said


def test_a_mismatch_is_told_by_its_areas():
    said = " ".join(explanation("uncertainty_mismatch", 0.1).split())
    plan = plan_sample_size(metric="uncertainty_mismatch", first_value=0.7, second_value=0.5, max_mismatch=0.1)
    assert f"{plan.first:,} patients of each of two groups, where A_error is 0.7 and A_uncertainty 0.5" in said
    assert "A_error is" not in explanation("uncertainty_mismatch", 0.5)  # no area is 1.1


def test_what_cannot_be_planned_says_why():
    assert "expected_calibration_error cannot be planned" in " ".join(explanation("ECE").split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["f1_score"], "'f1_score' is not a metric; nearest in meaning: precision and true_positive_rate"),
        (["FNR", "--prevalence", "1.5"], "--prevalence: 1.5 is outside (0, 1); 1.5 in 100 is 0.015"),
        (["FNR", "--prevalence", "0"], "--prevalence: 0 is outside (0, 1)"),
        (["FNR", "--max-difference", "7"], "--max-difference: 7"),
        (["ECE", "--max-difference", "7"], "--max-difference: 7"),
        (["uncertainty_mismatch", "--max-difference", "7"], "--max-difference: 7"),
        (["MAE", "--max-difference", "0"], "no number of samples settles it"),
    ],
)
def test_what_is_wrong_is_one_line(capsys, arguments, message):
    assert main(["explain", *arguments]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert len(said.splitlines()) == 1


def test_a_large_limit_leaves_out_what_is_not_possible():
    assert re.search("alike", explanation("FNR", 0.45)) is not None
    assert "twice the limit apart" not in explanation("FNR", 0.45)


def test_version(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"fairness-checks {fairness_checks.__version__}\n"
