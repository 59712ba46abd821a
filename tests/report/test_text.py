from __future__ import annotations

import dataclasses
import re
from datetime import date

import pytest

from fairness_checks.inputs.predictions import Predictions
from fairness_checks.judge.auditing import audit
from fairness_checks.judge.verdict import audit_model
from fairness_checks.question.checks import Check, Settings
from fairness_checks.question.waivers import Waiver
from fairness_checks.records.check_record import CheckRecord
from fairness_checks.report.junit import properties
from fairness_checks.report.text import explanation, headline, limit_text, p_text, power_text

BIASED = {"female": (173, 412), "male": (237, 1316)}
FAIR = {"female": (80, 412), "male": (260, 1316)}
TINY = {"female": (10, 34), "male": (16, 62)}


def record_of(groups, kind="max_difference", limit=0.1, waivers=(), **given):
    """Record of the false negative rate, from (false negatives, positives[, negatives]) of each group."""
    y_true, y_pred, sex = [], [], []
    for name, (missed, positives, *negatives) in groups.items():
        rest = sum(negatives)
        y_true += [1] * positives + [0] * rest
        y_pred += [0] * missed + [1] * (positives - missed) + [0] * rest
        sex += [name] * (positives + rest)
    predictions = Predictions(y_true, y_pred, sensitive_features={"sex": sex})
    check = Check("false_negative_rate", ("sex",), kind, limit)
    return audit_model("forest", predictions, [check], Settings(**given), waivers, date(2026, 7, 1))[0]


def test_the_first_line_of_a_failure_is_the_whole_story():
    assert headline(record_of(BIASED)) == (
        "false_negative_rate by sex: female 0.420 (n=412) - male 0.180 (n=1316) = 0.240 [0.196, 0.284] > 0.10 "
        "(p < 0.001, Holm)"
    )


@pytest.mark.parametrize(
    ("correction", "word"), [("none", "unadjusted"), ("benjamini_hochberg", "Benjamini-Hochberg"), ("holm", "Holm")]
)
def test_the_adjustment_is_named(correction, word):
    assert headline(record_of(BIASED, correction=correction)).endswith(f"> 0.10 (p < 0.001, {word})")


def test_a_pass_says_how_sure_it_is():
    record = record_of(FAIR)
    assert record.p_compliance < 0.001
    line = headline(record)
    assert line.startswith("false_negative_rate by sex: male 0.198 (n=1316) - female 0.194 (n=412) = 0.003 [0.000, 0.0")
    assert line.endswith("] <= 0.10 (p < 0.001)")


def test_an_inconclusive_line_claims_neither():
    line = headline(record_of(TINY, limit=0.05))
    assert re.fullmatch(
        r"false_negative_rate by sex: female 0\.294 \(n=34\) - male 0\.258 \(n=62\) = 0\.036 \[0\.000, 0\.\d{3}\] "
        r"not settled against 0\.05 \(p = 1\.00, Holm\)",
        line,
    )
    assert "<" not in line
    assert ">" not in line


def test_an_undefined_line_shows_no_number_as_the_disparity():
    record = record_of({"female": (10, 40), "male": (0, 0, 30)})
    assert headline(record) == (
        "false_negative_rate by sex: undefined, not judged against 0.10: group male: no positives among its 30 samples"
    )
    assert power_text(record) is None


def test_a_ratio_names_the_lower_rate_first():
    assert re.fullmatch(
        r"false_negative_rate by sex: male 0\.180 \(n=1316\) / female 0\.420 \(n=412\) = 0\.429 "
        r"\[0\.\d{3}, 0\.\d{3}\] < 0\.80 \(p < 0\.001, Holm\)",
        headline(record_of(BIASED, "min_ratio", 0.8)),
    )
    assert "] >= 0.20 (p < 0.001)" in headline(record_of(BIASED, "min_ratio", 0.2))


def test_a_ceiling_and_a_floor_name_the_group_that_decides():
    assert re.fullmatch(
        r"false_negative_rate by sex: highest of 2 groups, female 0\.420 \(n=412\) = 0\.420 \[0\.\d{3}, 0\.\d{3}\] "
        r"> 0\.30 \(p < 0\.001, Holm\)",
        headline(record_of(BIASED, "max_value", 0.3)),
    )
    floor = headline(record_of(BIASED, "min_value", 0.3))
    assert "lowest of 2 groups, male 0.180 (n=1316) = 0.180 [" in floor
    assert "] < 0.30 (p < 0.001, Holm)" in floor
    assert "] >= 0.10 (p < 0.001)" in headline(record_of(BIASED, "min_value", 0.1))


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
    assert line.startswith("false_negative_rate by sex: female 0.420 (n=412) - male 0.180 (n=1316) = 0.240 ")
    assert line.endswith("> 0.10 (p < 0.001, Holm), waived until 2027-06-30 by A. Auditor: retraining, CAPA 12")


def test_every_line_is_one_line():
    for groups in (BIASED, FAIR, TINY):
        record = record_of(groups)
        assert all("\n" not in line for line in [headline(record), *explanation(record)])


def test_an_explanation_shows_every_group_and_the_test():
    record = record_of(BIASED)
    lines = explanation(record)
    female = record.group(("female",))
    assert f"  female: 173 of 412 positives, 0.420 [{female.low:.3f}, {female.high:.3f}]" in lines
    assert any(line.startswith("  male: 237 of 1316 positives, 0.180 [") for line in lines)
    text = "\n".join(lines)
    assert record.method in text
    assert "90% interval" in text
    assert "Holm over 1 check of forest" in text
    assert "It would take" not in text


def test_an_inconclusive_explanation_says_what_it_would_take():
    record = record_of(TINY, limit=0.05)
    text = "\n".join(explanation(record))
    female, male = record.needed_samples
    assert f"{female:,} positives of female and {male:,} positives of male would settle it" in text
    equal_female, equal_male = record.needed_samples_if_equal
    assert f"{equal_female:,} positives of female and {equal_male:,} positives of male would show compliance" in text
    assert f"difference of {record.detectable:.3f} or more with 80% power" in text
    assert "burden of proof" not in text
    assert f"80% power shows {record.detectable:.3f}" in power_text(record)
    assert f"{female:,} + {male:,} at these rates" in power_text(record)


def test_under_compliance_the_burden_is_named():
    assert "burden of proof is compliance" in explanation(record_of(TINY, burden_of_proof="compliance"))[0]


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
    assert f"{name} 0.420 (n=412)" in line


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
    assert headline(record).startswith("false_negative_rate by sex: f 0.500 (n=40) - m 0.000 (n=40) = 0.500 [0.")
    assert headline(record).endswith("] > 0.10 (p < 0.001, unadjusted)")


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
