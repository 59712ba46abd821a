"""`fairness-checks explain` and `--version`."""

from __future__ import annotations

import re

import pytest

import fairness_checks
from fairness_checks import METRICS, plan_sample_size
from fairness_checks.cli.explain import explanation
from fairness_checks.cli.explain_texts import TEXTS
from fairness_checks.cli.main import main
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


def test_without_a_prevalence_it_says_how_to_have_patients():
    assert "--prevalence 0.1 says of how many patients" in " ".join(explanation("FNR").split())
    assert "--prevalence" not in explanation("accuracy")


def test_what_cannot_be_planned_says_why():
    assert "expected_calibration_error cannot be planned" in " ".join(explanation("ECE").split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["f1_score"], "'f1_score' is not a metric; nearest in meaning: precision and true_positive_rate"),
        (["FNR", "--prevalence", "1.5"], "positives: 1.5"),
        (["FNR", "--max-difference", "7"], "max_difference: 7"),
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
