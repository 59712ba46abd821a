from __future__ import annotations

import dataclasses
import enum
import json
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairness_checks.errors import RecordError
from fairness_checks.records.check_record import SCHEMA, CheckRecord
from fairness_checks.records.parts import GroupRecord, SuppressionRecord, WaiverRecord

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)  # a lone surrogate is no text
NUMBER = st.floats(allow_nan=False, allow_infinity=False)
GROUP = st.builds(
    GroupRecord,
    name=st.lists(TEXT, min_size=1, max_size=3).map(tuple),
    samples=st.integers(0, 10**12),
    events=st.integers(0, 10**12),
    n=st.integers(0, 10**12),
    rate=st.none() | NUMBER,
    low=st.none() | NUMBER,
    high=st.none() | NUMBER,
    problem=st.none() | TEXT,
)


class Shade(enum.Enum):
    RED = "red"


class Grade(enum.StrEnum):
    PASS = "pass"


class Level(enum.IntEnum):
    ONE = 1


def record(**changes):
    female = GroupRecord(name=("female",), samples=50, events=4, n=20, rate=0.2, low=0.1, high=0.4)
    male = GroupRecord(
        name=("male",), samples=60, events=0, n=0, rate=None, low=None, high=None, problem="no positives"
    )
    given = {
        "model": "forest",
        "check": "subgroups",
        "metric": "false_negative_rate",
        "by": ("sex",),
        "limit_kind": "max_difference",
        "limit": 0.1,
        "verdict": "inconclusive",
        "estimate": None,
        "low": None,
        "high": None,
        "confidence": 0.9,
        "p_violation": None,
        "p_adjusted": None,
        "p_compliance": None,
        "correction": "holm",
        "family_size": 3,
        "alpha": 0.05,
        "burden_of_proof": "violation",
        "min_group_size": 10,
        "method": "none",
        "comparisons": 0,
        "unit": "positives",
        "groups": (female, male),
        "first": None,
        "second": None,
    }
    return CheckRecord(**(given | changes))


RECORD = (
    st.builds(  # of checks that are undefined, which no verdict but one fits; `test_decision` has those that are not
        record,
        model=TEXT,
        limit=NUMBER,
        groups=st.lists(GROUP, max_size=3).map(tuple),
        reason=st.none() | TEXT,
        needed_samples=st.none() | st.tuples(st.integers(0, 10**9), st.integers(0, 10**9)),
        also=st.dictionaries(TEXT, NUMBER, max_size=3),
        about=st.dictionaries(TEXT, TEXT, max_size=3),
    )
)


@given(original=RECORD)
@settings(max_examples=60, deadline=None)
def test_what_is_written_is_read_back(original):
    text = original.to_json()
    assert CheckRecord.from_json(text) == original
    assert "\n" not in text
    assert text.isascii()
    seldom = {"suppressed", "lower_is_better"}  # not written where None
    written = {field.name for field in dataclasses.fields(CheckRecord)} - seldom
    assert list(json.loads(text)) == sorted(written)


@pytest.mark.parametrize("verdict", ["pass", "fail", "inconclusive"])
def test_a_record_that_withholds_its_numbers_has_any_verdict(verdict):
    original = record(verdict=verdict, suppressed=SuppressionRecord(below=11, groups=(("other",),)))
    assert original.withheld
    assert CheckRecord.from_json(original.to_json()) == original


@pytest.mark.parametrize(
    "changes",
    [{"p_violation": 0.1}, {"low": 0.1}, {"first": ("female",)}, {"verdict": "waived"}, {"broken": True}],
    ids=["p", "low", "first", "waived", "broken"],
)
def test_a_record_that_withholds_its_numbers_tells_none(changes):
    hidden = SuppressionRecord(below=11, groups=(("other",),))
    with pytest.raises(RecordError, match="a record is written by a run, not by hand"):
        CheckRecord.from_json(record(**({"verdict": "pass", "suppressed": hidden} | changes)).to_json())


def test_a_record_shows_no_group_that_it_withholds():
    text = record(verdict="pass", suppressed=SuppressionRecord(below=11, groups=(("male",),))).to_json()
    with pytest.raises(RecordError, match="both shown and withheld"):
        CheckRecord.from_json(text)


NOT_PLAIN = {
    "float64": (np.float64(0.5), "numpy.float64"),
    "float32": (np.float32(0.5), "numpy.float32"),
    "int64": (np.int64(3), "numpy.int64"),
    "bool": (np.True_, "numpy.bool"),
    "str": (np.str_("pass"), "numpy.str_"),
    "array": (np.zeros(2), "numpy.ndarray"),
    "enum": (Shade.RED, "Shade"),
    "str-enum": (Grade.PASS, "Grade"),
    "int-enum": (Level.ONE, "Level"),
    "set": ({"sex"}, "builtins.set"),
    "bytes": (b"pass", "builtins.bytes"),
}


@pytest.mark.parametrize("field", ["limit", "verdict", "family_size", "estimate", "reason"])
@pytest.mark.parametrize("kind", NOT_PLAIN)
def test_what_is_no_builtin_is_refused_wherever_it_stands(kind, field):
    value, name = NOT_PLAIN[kind]
    with pytest.raises(RecordError, match=rf"^record\.{field}: .*{re.escape(name)}"):
        record(**{field: value}).to_json()


@pytest.mark.parametrize("kind", NOT_PLAIN)
def test_what_is_no_builtin_is_refused_within_a_group_or_a_list(kind):
    value, name = NOT_PLAIN[kind]
    group = dataclasses.replace(record().groups[0], rate=value)
    with pytest.raises(RecordError, match=rf"^record\.groups\[1\]\.rate: .*{re.escape(name)}"):
        record(groups=(record().groups[1], group)).to_json()
    with pytest.raises(RecordError, match=rf"^record\.needed_samples\[1\]: .*{re.escape(name)}"):
        record(needed_samples=(3, value)).to_json()
    with pytest.raises(RecordError, match=rf"^record\.waiver\.expires: .*{re.escape(name)}"):
        record(waiver=WaiverRecord(reason="r", approved_by="a", expires=value)).to_json()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")], ids=str)
def test_nan_and_infinity_are_refused_wherever_they_stand(value):
    with pytest.raises(RecordError, match=r"^record\.estimate: "):
        record(estimate=value).to_json()
    group = dataclasses.replace(record().groups[0], high=value)
    with pytest.raises(RecordError, match=r"^record\.groups\[0\]\.high: "):
        record(groups=(group,)).to_json()


def changed(**changes):
    return json.dumps(json.loads(record().to_json()) | changes)


def without(name):
    content = json.loads(record().to_json())
    del content[name]
    return json.dumps(content)


UNREADABLE = {
    "extra-key": (lambda: changed(colour="red"), "colour: "),
    "extra-key-in-a-group": (lambda: changed(groups=[{"name": ["f"], "size": 3}]), "groups.0"),
    "missing-key": (lambda: without("verdict"), "verdict: "),
    "verdict": (lambda: changed(verdict="green"), "verdict: "),
    "limit-text": (lambda: changed(limit="0.1"), "limit: "),
    "limit-bool": (lambda: changed(limit=True), "limit: "),
    "limit-null": (lambda: changed(limit=None), "limit: "),
    "limit-nan": (lambda: changed(limit=float("nan")), "limit: "),
    "estimate-infinite": (lambda: changed(estimate=float("inf")), "estimate: "),
    "family-size-float": (lambda: changed(family_size=3.5), "family_size: "),
    "family-size-text": (lambda: changed(family_size="3"), "family_size: "),
    "by-text": (lambda: changed(by="sex"), "by: "),
    "groups-object": (lambda: changed(groups={}), "groups: "),
    "group-count": (lambda: changed(groups=[{"name": ["f"], "samples": "3"}]), "groups.0."),
    "model-number": (lambda: changed(model=3), "model: "),
    "newer": (lambda: changed(schema=SCHEMA + 1), f"schema: {SCHEMA + 1}; this version reads schema {SCHEMA}"),
    "schema-text": (lambda: changed(schema=str(SCHEMA)), "schema: "),
    "no-json": (lambda: "model: forest", "record: Invalid JSON"),
    "empty": (lambda: "", "record: Invalid JSON"),
    "cut-off": (lambda: record().to_json()[:-20], "record: Invalid JSON"),
    "twice": (lambda: record().to_json() * 2, "record: Invalid JSON"),
    "list": (lambda: f"[{record().to_json()}]", "record: "),
    "null": (lambda: "null", "record: "),
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_what_is_no_record_is_refused_with_the_place(case):
    text, message = UNREADABLE[case]
    with pytest.raises(RecordError, match="^" + re.escape(message)):
        CheckRecord.from_json(text())


def test_the_key_is_the_question_without_its_limit():
    assert record().key == (
        "forest",
        "subgroups",
        "false_negative_rate",
        ("sex",),
        "max_difference",
        (),
        "each",
        "",
        "",
        "",
    )
    assert record(limit=0.2, verdict="fail").key == record().key


def test_a_group_is_found_by_its_name():
    assert record().group(("male",)).n == 0
    with pytest.raises(KeyError):
        record().group(("Male",))
    assert dataclasses.replace(record().groups[0], name=("female", "old")).label == "female, old"


def test_a_record_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        record().verdict = "pass"
