from __future__ import annotations

from datetime import date, timedelta

import pytest

from fairness_checks.checks import Check
from fairness_checks.errors import ConfigurationError
from fairness_checks.waivers import Waiver, expired, find_waiver

LAST_DAY = date(2027, 6, 30)


def waiver(**changes):
    given = {
        "model": "sepsis_model",
        "metric": "selection_rate",
        "by": ("sex", "age_band"),
        "reason": "small centre",
        "approved_by": "A. Auditor",
        "expires": LAST_DAY,
    }
    return Waiver(**(given | changes))


def key(metric="selection_rate", by=("age_band", "sex"), kind="min_ratio"):
    return Check(metric, by, kind, 0.8).key


@pytest.mark.parametrize(("days", "holds"), [(-400, True), (-1, True), (0, True), (1, False), (400, False)])
def test_a_waiver_holds_through_its_last_day(days, holds):
    today = LAST_DAY + timedelta(days=days)
    mine = waiver()
    assert find_waiver([mine], "sepsis_model", key(), today) == (mine if holds else None)
    assert expired([mine], today) == (() if holds else (mine,))


@pytest.mark.parametrize(
    ("model", "check_key"),
    [
        ("another_model", key()),
        ("sepsis_model", key(metric="accuracy")),
        ("sepsis_model", key(by=("sex",))),
        ("sepsis_model", key(by=("sex", "age_band", "site"))),
        ("sepsis_model", key()._replace(check="sweep")),
        ("sepsis_model", key()._replace(control_features=("ward",))),
    ],
)
def test_a_waiver_of_another_check_does_not_hold(model, check_key):
    assert find_waiver([waiver()], model, check_key, LAST_DAY) is None


def test_a_waiver_may_be_narrowed_to_one_limit():
    narrow = waiver(limit="min_ratio")
    assert find_waiver([narrow], "sepsis_model", key(kind="min_ratio"), LAST_DAY) is narrow
    assert find_waiver([narrow], "sepsis_model", key(kind="max_value"), LAST_DAY) is None


def test_of_several_the_one_that_expires_last_is_found():
    old, new = waiver(expires=date(2026, 1, 1)), waiver(expires=date(2028, 1, 1))
    for both in ([old, new], [new, old], [new, waiver(), old]):
        assert find_waiver(both, "sepsis_model", key(), date(2025, 1, 1)) is new
    assert expired([old, new], LAST_DAY) == (old,)


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"reason": ""}, "reason: "), ({"approved_by": " \n"}, "approved_by: "), ({"by": ()}, "by: ")],
)
def test_a_waiver_needs_a_reason_a_name_and_features(changes, message):
    with pytest.raises(ConfigurationError, match=f"^{message}"):
        waiver(**changes)
