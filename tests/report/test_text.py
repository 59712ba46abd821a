from __future__ import annotations

import dataclasses
from datetime import date
from xml.etree import ElementTree

import pytest
import yaml

from fairness_checks.inputs.predictions import Predictions
from fairness_checks.judge.auditing import audit
from fairness_checks.judge.verdict import audit_model
from fairness_checks.question.checks import Check, Settings
from fairness_checks.question.waivers import Waiver
from fairness_checks.records.check_record import CheckRecord
from fairness_checks.records.parts import SuppressionRecord
from fairness_checks.report.junit import properties
from fairness_checks.report.numbers import limit_text, p_text
from fairness_checks.report.terminal import summary_lines
from fairness_checks.report.text import (
    adjusted_text,
    explanation,
    headline,
    power_text,
    settling_lines,
    waiver_lines,
)
from tests.builders import missing_positives

BIASED = {"female": (173, 412), "male": (237, 1316)}
FAIR = {"female": (80, 412), "male": (260, 1316)}
TINY = {"female": (10, 34), "male": (16, 62)}


def record_of(groups, kind="max_difference", limit=0.1, waivers=(), **given):
    """Record of the false negative rate, from (false negatives, positives[, negatives]) of each group."""
    check = Check("false_negative_rate", ("sex",), kind, limit)
    return audit_model("forest", missing_positives(groups), [check], Settings(**given), waivers, date(2026, 7, 1))[0]


def test_the_first_line_of_a_failure_is_the_whole_story():
    assert headline(record_of(BIASED)) == (
        "forest misses 42 of 100 with sex=female whose label is 1, and 18 of 100 with sex=male; at most 10 apart are "
        "allowed; the data show that this is not kept (p < 0.001)"
    )
    assert explanation(record_of(BIASED))[0] == (
        "false_negative_rate by sex: difference 0.240 [0.196, 0.284], max_difference 0.10."
    )


@pytest.mark.parametrize(
    ("correction", "word"), [("none", "unadjusted"), ("benjamini_hochberg", "Benjamini-Hochberg"), ("holm", "Holm")]
)
def test_the_adjustment_is_named(correction, word):
    lines = explanation(record_of(BIASED, correction=correction))
    assert any(line.endswith(f"alpha 0.05, {word} over 1 check of forest.") for line in lines)


def beside(others, **given):
    """Records of a difference that is past 0.1, p = 0.014, and of so many others that are kept."""
    y_true = [1] * 356
    y_pred = [0] * 15 + [1] * 25 + [0] * 36 + [1] * 280
    predictions = Predictions(y_true, y_pred, sensitive_features={"sex": ["female"] * 40 + ["male"] * 316})
    limits = [0.1, *(0.8 + 0.01 * n for n in range(others))]
    checks = [Check("false_negative_rate", ("sex",), "max_difference", limit) for limit in limits]
    return audit_model("forest", predictions, checks, Settings(**given), (), date(2026, 7, 1))


def test_a_check_that_fails_but_for_the_others_of_its_model_says_so():
    (alone,) = beside(0)
    assert alone.verdict == "fail"
    assert adjusted_text(alone) is None
    first, *others = beside(4)
    assert first.verdict == "inconclusive"
    said = (
        "Alone it would fail (p = 0.014). Among 5 checks of forest some look bad by chance, and allowing for that "
        "(Holm) it is not shown (p = 0.072)."
    )
    assert adjusted_text(first) == said
    assert said in explanation(first)
    assert said in settling_lines(first)
    assert [adjusted_text(other) for other in others] == [None] * 4
    assert adjusted_text(record_of(TINY)) is None


def test_where_nothing_is_adjusted_a_check_is_judged_alone():
    assert next(record.verdict for record in beside(4, correction="none")) == "fail"


def test_a_pass_says_how_sure_it_is():
    record = record_of(FAIR)
    assert record.p_compliance < 0.001
    assert headline(record) == (
        "forest misses 20 of 100 with sex=male whose label is 1, and 19 of 100 with sex=female; at most 10 apart are "
        "allowed; the data show that this is kept (p < 0.001)"
    )


def test_an_inconclusive_line_claims_neither():
    line = headline(record_of(TINY, limit=0.05))
    assert line == (
        "forest misses 29 of 100 with sex=female whose label is 1, and 26 of 100 with sex=male; at most 5 apart are "
        "allowed; the data do not settle whether this is kept"
    )


def test_an_undefined_line_shows_no_number_as_the_disparity():
    record = record_of({"female": (10, 40), "male": (0, 0, 30)})
    assert headline(record) == (
        "forest: false_negative_rate by sex: undefined, not judged against 0.10: group male: no positives among its 30 "
        "samples"
    )
    assert power_text(record) is None


def test_a_ratio_names_the_group_that_does_worse_first():
    assert headline(record_of(BIASED, "min_ratio", 0.8)) == (
        "forest misses 42 of 100 with sex=female whose label is 1, and 18 of 100 with sex=male; the lower must be at "
        "least 0.80 times the higher, and is 0.429 times it; the data show that this is not kept (p < 0.001)"
    )
    assert headline(record_of(BIASED, "min_ratio", 0.2)).endswith("; the data show that this is kept (p < 0.001)")


def test_a_ceiling_and_a_floor_name_the_group_that_decides():
    assert headline(record_of(BIASED, "max_value", 0.3)) == (
        "forest misses 42 of 100 with sex=female whose label is 1; at most 30 are allowed; the data "
        "show that this is not kept (p < 0.001)"
    )
    assert headline(record_of(BIASED, "min_value", 0.3)) == (
        "forest misses 18 of 100 with sex=male whose label is 1; at least 30 are required; the data "
        "show that this is not kept (p < 0.001)"
    )


@pytest.mark.parametrize("kind", ["max_value", "min_value"])
def test_a_number_has_one_interval(kind):
    record = record_of(BIASED, kind, 0.3)
    text = "\n".join(explanation(record))
    assert text.count(f" {record.estimate:.3f} [") == 1
    assert f"value {record.estimate:.3f} [{record.low:.3f}, {record.high:.3f}], {kind} 0.30." in text


def test_a_waived_line_says_who_until_when_and_why():
    waiver = Waiver(
        model="forest",
        metric="false_negative_rate",
        by=("sex",),
        reason="retraining, CAPA 12",
        approved_by="A. Auditor",
        expires=date(2027, 6, 30),
    )
    line = headline(record_of(BIASED, waivers=[waiver]))
    assert line.startswith("forest misses 42 of 100 with sex=female")
    assert line.endswith("(p < 0.001), waived until 2027-06-30 by A. Auditor: retraining, CAPA 12")


def test_every_line_is_one_line():
    for groups in (BIASED, FAIR, TINY):
        record = record_of(groups)
        assert all("\n" not in line for line in [headline(record), *explanation(record)])


def test_an_explanation_shows_every_group_and_the_test():
    record = record_of(BIASED)
    lines = explanation(record)
    female = record.group(("female",))
    assert f"  female: 173 of 412 positives, 0.420 [{female.low:.3f}, {female.high:.3f}]" in lines
    assert any(line.startswith("  male: 237 of 1,316 positives, 0.180 [") for line in lines)
    text = "\n".join(lines)
    assert record.method in text
    assert "90% interval" in text
    assert "Holm over 1 check of forest" in text
    assert "It would take" not in text


def test_an_inconclusive_explanation_says_what_it_would_take():
    record = record_of(TINY, limit=0.05)
    text = "\n".join(explanation(record))
    female, male = (n - now for n, now in zip(record.needed_samples, (34, 62), strict=True))
    equal = " and ".join(f"{n - now:,}" for n, now in zip(record.needed_samples_if_equal, (34, 62), strict=True))
    needed = (
        f"needs about {female:,} more with sex=female whose label is 1 and {male:,} more with sex=male whose "
        f"label is 1 if the values seen are the true ones; {equal} if the true ones are equal"
    )
    assert power_text(record) == needed
    assert f"It {needed}." in text
    assert f"difference of {record.detectable:.3f} or more with 80% power" in text
    assert "burden of proof" not in text


def test_under_compliance_the_burden_is_named():
    assert "burden of proof is compliance" in explanation(record_of(TINY, burden_of_proof="compliance"))[1]


def test_groups_that_were_not_judged_are_named_beside_the_numbers():
    record = record_of({**BIASED, "unknown": (1, 4)})
    assert "Not judged: group unknown: 4 samples, fewer than min_group_size 10." in explanation(record)


def test_of_many_groups_the_first_are_listed_and_the_rest_counted():
    record = record_of({f"g{i:02}": (5, 20) for i in range(15)}, "max_value", 0.3)
    lines = explanation(record)
    assert sum(line.startswith("  g") for line in lines) == 12
    assert "  ... and 3 more groups" in lines


def test_no_settled_check_says_what_would_settle_it():
    assert power_text(record_of(BIASED)) is None
    assert power_text(record_of(FAIR)) is None


def test_the_true_name_of_a_group_is_shown():
    name = "Frauen, 60-75 [Σ] " + "x" * 200
    line = headline(record_of({name: (173, 412), "male": (237, 1316)}))
    assert f'with sex="{name}" whose label is 1' in line


@pytest.mark.parametrize(
    ("limit", "text"), [(0.1, "0.10"), (0.05, "0.05"), (0.0, "0.00"), (1.0, "1.00"), (0.125, "0.125"), (0.001, "0.001")]
)
def test_limits(limit, text):
    assert limit_text(limit) == text


@pytest.mark.parametrize(
    ("p", "text"),
    [
        (0.0, "p < 0.001"),
        (0.00099, "p < 0.001"),
        (0.001, "p = 0.001"),
        (0.0494, "p = 0.049"),
        (0.12, "p = 0.12"),
        (1.0, "p = 1.00"),
    ],
)
def test_p_values(p, text):
    assert p_text(p) == text


def test_audit_says_the_same_without_an_adjustment():
    predictions = Predictions([1] * 80, [1] * 60 + [0] * 20, sensitive_features={"sex": ["m"] * 40 + ["f"] * 40})
    record = audit(predictions, metric="false_negative_rate", max_difference=0.1)
    assert headline(record) == (
        "the model misses 50 of 100 with sex=f whose label is 1, and 0 of 100 with sex=m; at most 10 apart are "
        "allowed; the data show that this is not kept (p < 0.001)"
    )
    assert str(record).splitlines() == [f"fail: {headline(record)}", *explanation(record)]


def test_a_name_cannot_break_or_reorder_the_line():
    y = [1] * 40
    sex = ["fe\u200bmale"] * 20 + ["\u202emale\ue000"] * 20
    predictions = Predictions(y, y, sensitive_features={"se\tx": sex})
    line = headline(audit(predictions, metric="accuracy", by="se\tx", max_difference=0.1))
    assert line.isprintable()
    assert "fe\\u200bmale" in line
    assert "se\\tx" in line


def test_notes_and_cautions_stand_in_the_explanation_and_among_the_properties():
    record = dataclasses.replace(record_of(BIASED), notes=("one",), cautions=("two",))
    assert [line for line in explanation(record) if line.startswith("Note")] == ["Note: one.", "Note: two."]
    assert [value for name, value in properties(record) if name == "fairness.note"] == ["one", "two"]
    again = CheckRecord.from_json(record.to_json())
    assert (again.notes, again.cautions) == (("one",), ("two",))


def test_a_waiver_to_paste_names_the_check_and_no_other():
    record = record_of(BIASED)
    lines = waiver_lines(record, date(2026, 7, 1))
    (entry,) = yaml.safe_load("\n".join(lines[1:]))
    given = {"by": tuple(entry["by"]), "reason": "known, and retraining is under way", "approved_by": "A. Auditor"}
    filled = Waiver(**(entry | given))
    assert filled.covers("forest", record.question)
    assert not filled.covers("forest", record.question._replace(limit_kind="min_ratio"))
    assert filled.expires == date(2026, 9, 29)
    assert waiver_lines(record_of(FAIR), date(2026, 7, 1)) == []
    assert waiver_lines(record_of(TINY), date(2026, 7, 1)) == []


NASTY = [
    "<script>alert('x')</script>",
    'say "no"',
    "a\x1b[31mb\r",
    "\u202efemale\u2066",
    "\u05d0\u05d1\u05d2",
    "x" * 300,
]


@pytest.mark.parametrize("name", NASTY, ids=["script", "quotes", "control", "bidi", "hebrew", "long"])
def test_names_stay_text_in_every_form(name):
    base = record_of(BIASED)
    old = {("female",): (name,), ("male",): ("male",)}
    record = dataclasses.replace(
        base,
        model=name,
        by=(name,),
        groups=tuple(dataclasses.replace(g, name=old[g.name]) for g in base.groups),
        first=(name,),
        about={name: name},
        notes=(name,),
    )
    shown = name.encode("unicode_escape").decode() if not name.isprintable() else name
    lines = str(record).splitlines()
    assert all(line.isprintable() for line in lines)
    assert any(shown.replace('"', '\\"') in line for line in lines[:1])
    assert any(line.startswith(f"  {shown}: 173 of 412") for line in lines)
    html = record._repr_html_()
    text = "".join(ElementTree.fromstring(html).itertext())  # nothing else than what is written here opens or closes
    assert shown in text
    assert "<script" not in html
    assert text.replace("\n", "").isprintable()


def test_html_says_what_the_text_says_and_needs_nothing_else():
    for groups, kind in ((BIASED, "max_difference"), (TINY, "max_difference"), (BIASED, "max_value")):
        record = record_of(groups, kind)
        html = record._repr_html_()
        text = "".join(ElementTree.fromstring(html).itertext())
        assert headline(record) in text
        assert all(line.strip() in text for line in explanation(record) if not line.startswith("  "))
        assert all(f"{group.events:,} of {group.n:,}" in text for group in record.groups)
        assert "http" not in html.replace('xmlns="http://www.w3.org/2000/svg"', "")
        assert "src=" not in html


def test_the_html_table_names_the_features_that_its_groups_have_values_of():
    record = record_of(BIASED)
    of_wards = tuple(dataclasses.replace(group, name=("icu", *group.name)) for group in record.groups)
    first, second = (("icu", *name) for name in (record.first, record.second))
    within = dataclasses.replace(record, control_features=("unit",), groups=of_wards, first=first, second=second)
    assert '<th scope="col"><small><bdi>unit, sex</bdi>' in within._repr_html_()
    for combined in (record, dataclasses.replace(record, control_features=("unit",), strata="combined")):
        assert '<th scope="col"><small><bdi>sex</bdi>' in combined._repr_html_()


def test_a_record_whose_numbers_are_withheld_says_so():
    record = record_of(BIASED)
    numbers = ("estimate", "low", "high", "p_violation", "p_adjusted", "p_compliance", "first", "second")
    why = SuppressionRecord(below=11, groups=(("female",), ("male",)))
    hidden = dataclasses.replace(record, **dict.fromkeys(numbers), groups=(), suppressed=why, reason="small groups")
    assert headline(hidden) == "forest: false_negative_rate by sex: breaks the limit of 0.10; small groups"
    assert explanation(hidden)[0].endswith("as counts below 11 are suppressed; withheld: female; male.")
    assert "breaks the limit of 0.10" in hidden._repr_html_()
    assert [line for line, verdict in summary_lines([hidden]) if verdict] == [
        "  fail          false_negative_rate by sex: hidden, at most 0.10: small groups"
    ]
