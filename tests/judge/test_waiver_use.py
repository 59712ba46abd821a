"""Expired, unused and over-broad waivers, seen by the records of a run."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from fairness_checks.judge.verdict import audit_model
from fairness_checks.judge.waiver_use import day_problem, use_problem
from fairness_checks.question.checks import Check, Settings
from fairness_checks.question.waivers import Waiver
from tests.builders import missing_positives

TODAY = date(2026, 11, 22)
FNR, FNR_VALUE = (
    Check("false_negative_rate", ("sex",), "max_difference", 0.1),
    Check("false_negative_rate", ("sex",), "max_value", 0.9),
)
ACCURACY = Check("accuracy", ("sex",), "max_difference", 0.05)
CHECKS = [FNR, FNR_VALUE, ACCURACY]


def waiver(**changes):
    given = {"model": "m", "metric": "false_negative_rate", "by": ("sex",), "reason": "CAPA 12", "limit": None}
    given |= {"approved_by": "A. Auditor", "expires": TODAY}
    return Waiver(**(given | changes))


def problems(*waivers, missed=(160, 40)):
    """Women miss the first share of 400 positives, men the second."""
    predictions = missing_positives({"f": (missed[0], 400), "m": (missed[1], 400)})
    records = {r.question: r for r in audit_model("m", predictions, CHECKS, Settings(), waivers, TODAY)}
    found = [day_problem(each, TODAY) or use_problem(each, waivers, records, TODAY) for each in waivers]
    return [problem for problem in found if problem is not None]


NARROW = waiver(limit="max_difference")


def test_a_waiver_that_is_needed_is_no_problem():
    assert problems(NARROW) == []


def test_an_expired_waiver_fails_whether_or_not_its_check_does():
    old = waiver(limit="max_difference", expires=TODAY - timedelta(days=1))
    for missed in ((160, 40), (40, 40)):
        (text,) = problems(old, missed=missed)
        assert text == "expired on 2026-11-21; mend the model, or have it approved again"


def test_a_waiver_of_a_check_that_passes_is_unused():
    assert problems(NARROW, missed=(40, 40)) == ["unused: what it names is not failing (pass); remove it"]


def test_a_waiver_that_covers_a_check_without_need_is_too_broad():
    (text,) = problems(waiver())
    entry = "{{model: m, check: subgroups, metric: false_negative_rate, by: [sex], limit: {}}}"
    assert text == (
        f"too broad: it also covers {entry.format('max_value')}, which it need not; "
        f"narrow it to {entry.format('max_difference')}"
    )


@pytest.mark.parametrize(("days", "count"), [(366, 0), (367, 1)])
def test_a_debt_is_accepted_for_a_year_at_most(days, count):
    found = problems(waiver(limit="max_difference", expires=TODAY + timedelta(days=days)))
    assert len(found) == count
    assert all("366 days at most, until 2027-11-23" in text for text in found)


def test_of_two_waivers_of_one_check_one_is_unused():
    later = waiver(limit="max_difference", expires=TODAY + timedelta(days=9))
    (text,) = problems(NARROW, later)
    assert text == "unused: another waiver of the same checks holds as long; remove one of them"
