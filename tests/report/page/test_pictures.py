"""Which pictures a page has of a check."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest

from fairness_checks import Predictions
from fairness_checks.findings.statistics_json import statistics_to_json
from fairness_checks.judge.evaluation import Evaluation
from fairness_checks.judge.measurements import measure
from fairness_checks.judge.verdict import audit_model
from fairness_checks.question.checks import Check, Settings
from fairness_checks.records.parts import SuppressionRecord
from fairness_checks.report.evidence import CheckEvidence, statistics_id
from fairness_checks.report.formats import Source
from fairness_checks.report.page.page import write_page
from tests.report.page.runs import run_of

TITLES = {
    "uncertainty": (
        "Errors against uncertainties of two groups, by skin",
        "Error against uncertainty, by skin",
        "Mean error of the samples that the model is most certain of, by skin",
    ),
    "calibration": ("Calibration: observed less predicted, by the score and skin",),
}


def section_of(name, check, *, statistics, suppressed=None):
    """The page's section on a run of one check, with or without its statistics."""
    rng = np.random.default_rng(0)
    skin, score = np.repeat(["dark", "light"], 200), rng.random(400)
    labels, error = (rng.random(400) < score).astype(int), rng.lognormal(1.0 * (np.arange(400) < 200))
    found = Predictions(
        labels, y_score=score, error=error, uncertainty=rng.random(400), sensitive_features={"skin": skin}
    )
    (known,) = measure(Evaluation(found), [check], Settings()).statistics
    (record,) = audit_model("vae", Evaluation(found), [check], Settings())
    record = dataclasses.replace(record, suppressed=suppressed)
    plain = statistics_to_json(known)
    key = statistics_id(plain)
    evidence = run_of(record)
    entry = CheckEvidence(question=check.question.line, statistics=key if statistics else None, record=record)
    model = dataclasses.replace(evidence.models[0], statistics={key: plain} if statistics else {}, checks=(entry,))
    page = write_page(dataclasses.replace(evidence, models=(model,)), Source(sha256="0" * 64))
    (section,) = re.findall(f'<section aria-labelledby="{name}">.*?</section>', page, re.DOTALL)
    return section


@pytest.mark.parametrize(
    ("name", "check", "without"),
    [
        ("uncertainty", Check("uncertainty_mismatch", ("skin",), "max_mismatch", 0.1), 1),
        ("calibration", Check("expected_calibration_error", ("skin",), "max_difference", 0.1), 0),
    ],
    ids=["uncertainty", "calibration"],
)
def test_a_check_has_its_pictures_as_far_as_its_statistics_are_there(name, check, without):
    for statistics, titles in ((True, TITLES[name]), (False, TITLES[name][:without])):
        section = section_of(name, check, statistics=statistics)
        assert re.findall("<title[^>]*>(.*?)</title>", section) == list(titles)
        assert section.count('role="img"') == section.count("<caption") == len(titles)


def test_what_is_withheld_is_said_to_be():
    check = Check("expected_calibration_error", ("skin",), "max_difference", 0.1)
    section = section_of("calibration", check, statistics=False, suppressed=SuppressionRecord(below=11))
    assert "Not drawn, as numbers of small groups are withheld" in section
    assert section.count("<li>") == 1
    assert "No check of calibration" not in section
    assert "No check of calibration" in section_of("calibration", check, statistics=False)
