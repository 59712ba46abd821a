from __future__ import annotations

import re
from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fairness_checks.config.loading import load_config
from fairness_checks.config.schema import WaiverSpec
from fairness_checks.errors import ConfigurationError
from fairness_checks.question.checks import Check
from fairness_checks.question.names import waiver_ids
from fairness_checks.question.question import Question
from fairness_checks.question.waivers import Waiver, find_waiver, waiver_entry

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
    return Check(metric, by, kind, 0.8).question


@pytest.mark.parametrize(("days", "holds"), [(-400, True), (-1, True), (0, True), (1, False), (400, False)])
def test_a_waiver_holds_through_its_last_day(days, holds):
    today = LAST_DAY + timedelta(days=days)
    mine = waiver()
    assert find_waiver([mine], "sepsis_model", key(), today) == (mine if holds else None)


@pytest.mark.parametrize(
    ("model", "question"),
    [
        ("another_model", key()),
        ("sepsis_model", key(metric="accuracy")),
        ("sepsis_model", key(by=("sex",))),
        ("sepsis_model", key(by=("sex", "age_band", "site"))),
        ("sepsis_model", key()._replace(check="sweep")),
        ("sepsis_model", key()._replace(control_features=("ward",))),
    ],
)
def test_a_waiver_of_another_check_does_not_hold(model, question):
    assert find_waiver([waiver()], model, question, LAST_DAY) is None


def test_a_waiver_may_be_narrowed_to_one_limit():
    narrow = waiver(limit="min_ratio")
    assert find_waiver([narrow], "sepsis_model", key(kind="min_ratio"), LAST_DAY) is narrow
    assert find_waiver([narrow], "sepsis_model", key(kind="max_value"), LAST_DAY) is None


def test_of_several_the_one_that_expires_last_is_found():
    old, new = waiver(expires=date(2026, 1, 1)), waiver(expires=date(2028, 1, 1))
    for both in ([old, new], [new, old], [new, waiver(), old]):
        assert find_waiver(both, "sepsis_model", key(), date(2025, 1, 1)) is new


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"reason": ""}, "reason: "), ({"approved_by": " \n"}, "approved_by: "), ({"by": ()}, "by: ")],
)
def test_a_waiver_needs_a_reason_a_name_and_features(changes, message):
    with pytest.raises(ConfigurationError, match=f"^{message}"):
        waiver(**changes)


CHECKS = [
    *(
        Check(metric, by, kind, limit, control, strata)
        for metric, kind, limit in (("accuracy", "max_difference", 0.1), ("accuracy", "max_value", 0.9))
        for by in (("sex",), ("sex", "age"))
        for control, strata in (((), "each"), (("ward",), "each"), (("ward",), "combined"), (("ward", "a"), "each"))
    ),
    Check("uncertainty_mismatch", ("sex",), "max_mismatch", 0.1),
    *(
        Check("accuracy", ("sex",), "max_slope" if gap == "dependence" else "max_difference", 0.1, gap=gap)
        for gap in ("each_mix", "equal_representation", "worst_case", "best_case", "dependence")
    ),
    *(Check("accuracy", ("sex",), "min_reduction", 0.1, gap="change", mix=mix) for mix in (None, "half", "equal mix")),
    *(Check("accuracy", ("sex",), "max_worsening", 0.1, of=of) for of in ("disparity", "worst_group", "each_group")),
]
# What no report can show is refused in the file.
NAMES = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=8).filter(str.strip)
KEYS = st.builds(
    lambda key, by, control: key._replace(by=tuple(by), control_features=tuple(control)) if control else key,
    st.sampled_from([check.question for check in CHECKS]),
    st.lists(NAMES, min_size=1, max_size=2, unique=True),
    st.lists(NAMES, max_size=2, unique=True),
)


def question(key):
    """Different questions differ here: the order of features makes no other groups."""
    return key._replace(by=frozenset(key.by), control_features=frozenset(key.control_features))


def parsed(path, entries):
    lines = [entry.removesuffix("}") + ", reason: CAPA 12, approved_by: A, expires: 2027-06-30}" for entry in entries]
    path.write_text("version: 1\nmodels: {}\nwaivers:\n" + "".join(f"- {line}\n" for line in lines), encoding="utf-8")
    return load_config(path).waivers


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(model=NAMES, keys=st.lists(KEYS, min_size=1, max_size=12, unique_by=question))
def test_of_any_different_checks_each_is_waived_alone_by_the_entry_that_messages_print(tmp_path, model, keys):
    waivers = parsed(tmp_path / "thresholds.yaml", [waiver_entry(model, key) for key in keys])
    for mine, own in zip(waivers, keys, strict=True):
        assert [key for key in keys if mine.covers(model, key)] == [own]
    ids = waiver_ids(waivers)
    assert len(set(ids)) == len(keys)
    assert all(re.fullmatch(r"[A-Za-z0-9_+-]+", name) for name in ids)


def test_no_two_checks_that_can_be_configured_are_waived_together(tmp_path):
    keys = [check.question for check in CHECKS]
    waivers = parsed(tmp_path / "thresholds.yaml", [waiver_entry("m", key) for key in keys])
    covered = [[key for key in keys if mine.covers("m", key)] for mine in waivers]
    assert covered == [[key] for key in keys]


def test_a_waiver_has_every_field_that_identifies_a_check():
    """A new field of `Question` must be one of waivers too, or checks that differ in it alone cannot be told apart."""
    renamed = {"limit_kind": "limit"}
    named = {renamed.get(name, name) for name in Question._fields}
    assert named <= set(WaiverSpec.model_fields)
    for name, kind in (("strata", "combined"), ("gap", "each_mix"), ("of", "disparity"), ("limit", "max_value")):
        field = {"limit": "limit_kind"}.get(name, name)
        mine = waiver(**{name: kind})
        assert mine.covers("sepsis_model", key()._replace(**{field: kind}))
        assert not mine.covers("sepsis_model", key()._replace(**{field: "other"}))


def test_equal_waivers_have_ids_of_their_own():
    assert waiver_ids([waiver(), waiver(), waiver(limit="min_ratio")]) == [
        "subgroups-sepsis_model-sex+age_band-selection_rate",
        "subgroups-sepsis_model-sex+age_band-selection_rate-2",
        "subgroups-sepsis_model-sex+age_band-selection_rate-min_ratio",
    ]
