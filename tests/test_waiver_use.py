"""Expired, unused and over-broad waivers, seen by the records of a run."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from fairness_checks import Predictions
from fairness_checks.checks import Check, Settings
from fairness_checks.verdict import audit_model
from fairness_checks.waiver_use import waiver_problems
from fairness_checks.waivers import Waiver

TODAY = date(2026, 11, 22)
FNR, FNR_VALUE = (
    Check("false_negative_rate", ("sex",), "max_difference", 0.1),
    Check("false_negative_rate", ("sex",), "max_value", 0.9),
)
ACCURACY = Check("accuracy", ("sex",), "max_difference", 0.05)
CHECKS = [FNR, FNR_VALUE, ACCURACY]
CONFIGURED = [("m", check.key) for check in CHECKS]


def waiver(**changes):
    given = {"model": "m", "metric": "false_negative_rate", "by": ("sex",), "reason": "CAPA 12", "limit": None}
    given |= {"approved_by": "A. Auditor", "expires": TODAY}
    return Waiver(**(given | changes))


def problems(*waivers, ran=CHECKS, missed=(160, 40)):
    """Women miss the first share of 400 positives, men the second; the checks of `ran` report."""
    y_pred = [0] * missed[0] + [1] * (400 - missed[0]) + [0] * missed[1] + [1] * (400 - missed[1])
    sex = ["f"] * 400 + ["m"] * 400
    predictions = Predictions([1] * 800, y_pred, sensitive_features={"sex": sex})
    records = audit_model("m", predictions, CHECKS, Settings(), waivers, TODAY)
    kept = [record for record, check in zip(records, CHECKS, strict=True) if check in ran]
    return waiver_problems(waivers, kept, CONFIGURED, TODAY)


NARROW = waiver(limit="max_difference")


def test_a_waiver_that_is_needed_is_no_problem():
    assert problems(NARROW) == []


def test_an_expired_waiver_fails_whether_or_not_its_check_does():
    old = waiver(limit="max_difference", expires=TODAY - timedelta(days=1))
    for missed in ((160, 40), (40, 40)):
        (text,) = problems(old, missed=missed)
        assert "expired on 2026-11-21; mend the model" in text


def test_a_waiver_of_a_check_that_passes_is_unused():
    (text,) = problems(NARROW, missed=(40, 40))
    assert text.startswith("waiver of subgroups false_negative_rate by sex of m: unused")
    assert "not failing (pass); remove it" in text


def test_a_filtered_run_cannot_call_a_waiver_unused():
    assert problems(NARROW, missed=(40, 40), ran=[ACCURACY]) == []
    assert problems(waiver(), missed=(40, 40), ran=[FNR]) == []


def test_a_waiver_that_covers_a_check_without_need_is_too_broad():
    (text,) = problems(waiver())
    assert "too broad: it also covers false_negative_rate by sex with max_value" in text
    assert "narrow it with `limit`" in text


@pytest.mark.parametrize(("days", "count"), [(366, 0), (367, 1)])
def test_a_debt_is_accepted_for_a_year_at_most(days, count):
    found = problems(waiver(limit="max_difference", expires=TODAY + timedelta(days=days)))
    assert len(found) == count
    assert all("366 days at most, until 2027-11-23" in text for text in found)


def test_of_two_waivers_of_one_check_one_is_unused():
    later = waiver(limit="max_difference", expires=TODAY + timedelta(days=9))
    (text,) = problems(NARROW, later)
    assert "unused: another waiver of the same checks expires later" in text
