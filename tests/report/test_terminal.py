from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairness_checks.inputs.predictions import Predictions
from fairness_checks.judge.auditing import audit
from fairness_checks.judge.verdict import audit_model
from fairness_checks.question.checks import Check, Settings
from fairness_checks.question.metrics import METRICS
from fairness_checks.records.parts import GroupRecord
from fairness_checks.report.terminal import WIDTH, summary_lines

# Printable, one column a character; control characters have no column at all.
NAME = st.text(st.characters(codec="latin-1", exclude_categories=["Cc", "Cf"]), min_size=1, max_size=250)


@pytest.fixture(scope="module")
def records():
    rng = np.random.default_rng(1)
    sex, age = rng.choice(["female", "male"], 400), rng.choice(["old", "young", "tiny"], 400, p=[0.5, 0.49, 0.01])
    y_true = rng.random(400) < 0.4
    y_pred = np.where(rng.random(400) < np.where(sex == "female", 0.6, 0.9), y_true, ~y_true)
    predictions = Predictions(y_true, y_pred, sensitive_features={"sex": sex, "age": age})
    checks = [
        Check("false_negative_rate", ("sex",), "max_difference", 0.1),
        Check("false_positive_rate", ("sex",), "max_difference", 0.25),
        Check("negative_predictive_value", ("sex",), "min_ratio", 0.5),
        Check("accuracy", ("sex", "age"), "min_value", 0.123),
        Check("selection_rate", ("age",), "max_value", 0.9),
    ]
    return [
        record for model in ("forest", "boosting") for record in audit_model(model, predictions, checks, Settings())
    ]


def rename(record, names, by, model, factor):
    """Give a record other names and larger counts; its groups stay as many as they are."""
    new = {}
    for place, group in enumerate(record.groups):
        new[group.name] = (*(f"{names[place % len(names)]}{place}" for _ in group.name[:-1]), f"{names[0]}{place}")

    def group(old):
        return dataclasses.replace(
            old, name=new[old.name], samples=old.samples * factor, events=old.events * factor, n=old.n * factor
        )

    return dataclasses.replace(
        record,
        model=model,
        by=tuple(by),
        groups=tuple(group(old) for old in record.groups),
        first=new.get(record.first),
        second=new.get(record.second),
    )


@given(
    names=st.lists(NAME, min_size=1, max_size=3),
    by=st.lists(NAME, min_size=1, max_size=3),
    model=NAME,
    factor=st.sampled_from([1, 1_000, 10**9]),
)
@settings(max_examples=60, deadline=None)
def test_no_line_is_longer_than_a_hundred_columns(records, names, by, model, factor):
    shown = [rename(record, names, by, model, factor) for record in records]
    lines = [line for line, _ in summary_lines(shown)]
    assert WIDTH == 100
    assert max(len(line) for line in lines) <= WIDTH


@pytest.mark.parametrize("length", [1, 20, 60, 200])
def test_no_number_is_ever_cut(records, length):
    record = dataclasses.replace(
        records[0],
        groups=tuple(
            dataclasses.replace(group, name=(letter * length,))
            for group, letter in zip(records[0].groups, "ab", strict=True)
        ),
        first=("a" * length,),
        second=("b" * length,),
    )
    text = "\n".join(line for line, _ in summary_lines([record]))
    numbers = [f"{record.estimate:.3f} [{record.low:.3f}, {record.high:.3f}]", "<=0.10", record.verdict]
    for number in numbers + [f" {group.rate:.3f} " for group in record.groups]:
        assert number in text
    assert "false_negative_rate" in text


def test_every_check_opens_one_line_with_its_verdict(records):
    opened = [(line, verdict) for line, verdict in summary_lines(records) if verdict is not None]
    assert [verdict for _, verdict in opened] == [record.verdict for record in records]
    for (line, verdict), record in zip(opened, records, strict=True):
        assert line.startswith(record.metric)
        assert line.endswith(verdict)


def test_each_model_has_its_own_table_even_where_records_are_mixed(records):
    mixed = [record for pair in zip(records[:5], records[5:], strict=True) for record in pair]
    lines = [line for line, _ in summary_lines(mixed)]
    assert lines.count("forest") == lines.count("boosting") == 1
    assert sum(line.startswith("check ") for line in lines) == 2
    verdicts = [verdict for _, verdict in summary_lines(mixed) if verdict is not None]
    assert verdicts == [record.verdict for record in records]


def test_the_deciding_groups_are_shown_and_the_others_counted(records):
    lines = [line for line, _ in summary_lines([records[3]])]
    assert any(", ".join(records[3].first) in line for line in lines)
    assert any(f"(+{len(records[3].groups) - 1} groups)" in line for line in lines)


def test_the_reason_of_an_unjudged_group_stands_below(records):
    unjudged = [record for record in records if record.reason is not None]
    assert unjudged
    for record in unjudged:
        text = " ".join(line.strip() for line, _ in summary_lines([record]))
        assert record.reason in text


def test_an_undefined_check_shows_dashes_and_no_zero():
    predictions = Predictions([1] * 20 + [0] * 20, [1] * 40, sensitive_features={"sex": ["f"] * 20 + ["m"] * 20})
    (record,) = audit_model(
        "m", predictions, [Check("false_negative_rate", ("sex",), "max_difference", 0.1)], Settings()
    )
    lines = [line for line, _ in summary_lines([record])]
    row = next(line for line in lines if line.startswith("false_negative_rate"))
    assert row.split() == ["false_negative_rate", "f", "0.000", "20", "-", "<=0.10", "-", "inconclusive"]
    male = next(line for line in lines if line.startswith("  by sex"))
    assert male.split() == ["by", "sex", "m", "-", "0"]
    assert any("group m: no positives among its 20 samples" in line for line in lines)


def test_an_inconclusive_check_says_what_it_would_take(records):
    tiny = Predictions(
        [1] * 96, ([0] * 10 + [1] * 24) + ([0] * 16 + [1] * 46), sensitive_features=["f"] * 34 + ["m"] * 62
    )
    (record,) = audit_model(
        "m", tiny, [Check("false_negative_rate", ("sensitive_feature",), "max_difference", 0.05)], Settings()
    )
    text = " ".join(line.strip() for line, _ in summary_lines([record]))
    assert f"80% power shows {record.detectable:.3f}" in text
    assert f"{record.needed_samples_if_equal[0]:,} + {record.needed_samples_if_equal[1]:,} if equal" in text


@pytest.mark.parametrize("kind", METRICS["false_negative_rate"].limits)
def test_the_sign_of_the_limit(kind):
    predictions = Predictions([1] * 80, [1] * 60 + [0] * 20, sensitive_features={"sex": ["m"] * 40 + ["f"] * 40})
    (record,) = audit_model("m", predictions, [Check("false_negative_rate", ("sex",), kind, 0.5)], Settings())
    text = "\n".join(line for line, _ in summary_lines([record]))
    assert (">=0.50" if kind.startswith("min") else "<=0.50") in text


def test_nothing_prints_nothing():
    assert list(summary_lines([])) == []


def test_a_huge_table_keeps_its_columns():
    group = GroupRecord(name=("x",), samples=10**12, events=10**11, n=10**12, rate=0.1, low=0.1, high=0.1)
    predictions = Predictions([1] * 80, [1] * 60 + [0] * 20, sensitive_features={"sex": ["m"] * 40 + ["f"] * 40})
    (record,) = audit_model(
        "m", predictions, [Check("negative_predictive_value", ("sex",), "max_value", 0.5)], Settings()
    )
    record = dataclasses.replace(record, groups=(group,), first=("x",), second=None, estimate=0.1, low=0.1, high=0.1)
    lines = [line for line, _ in summary_lines([record])]
    assert any(str(10**12) in line for line in lines)
    assert max(map(len, lines)) <= WIDTH


def test_wide_characters_take_two_columns():
    y = [1] * 40
    predictions = Predictions(y, y, sensitive_features={"sex": ["女性"] * 20 + ["male"] * 20})
    lines = [line for line, _ in summary_lines([audit(predictions, metric="accuracy", max_difference=0.1)])]
    rate = {
        line.index("1.000") + sum(c in "女性" for c in line[: line.index("1.000")]) for line in lines if "1.000" in line
    }
    assert len([line for line in lines if "女性" in line]) == 1
    assert len(rate) == 1


def test_notes_of_a_model_are_said_once_above_its_table(records):
    noted = [dataclasses.replace(r, notes=("it was odd\n", "so was its split")) for r in records if r.model == "forest"]
    lines = [line for line, _ in summary_lines([*noted, *(r for r in records if r.model == "boosting")])]
    inputs = "  positive: 1; decisions: given"
    assert lines[1:5] == ["forest", inputs, "  note: it was odd\\n", "  note: so was its split"]
    assert lines[5].startswith("check")
    assert sum("note:" in line for line in lines) == 2
