from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairness_checks.inputs.predictions import Predictions
from fairness_checks.judge.auditing import audit
from fairness_checks.judge.verdict import audit_model
from fairness_checks.plain import printable
from fairness_checks.question.checks import Check, Settings
from fairness_checks.question.metrics import METRICS
from fairness_checks.records.parts import WaiverRecord
from fairness_checks.report.columns import columns
from fairness_checks.report.terminal import LEAST, WIDTH, summary_lines
from fairness_checks.report.text import laid_out, record_text

# Printable, one column a character; control characters have no column at all.
NAME = st.text(st.characters(codec="latin-1", exclude_categories=["Cc", "Cf"]), min_size=1, max_size=250).filter(
    lambda name: "::" not in name and "##" not in name  # as commands they are escaped, and longer
)


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


def shown(records, **options):
    return [line for line, _ in summary_lines(records, **options)]


@given(
    names=st.lists(NAME, min_size=1, max_size=3),
    by=st.lists(NAME, min_size=1, max_size=3),
    model=NAME,
    factor=st.sampled_from([1, 1_000, 10**9]),
    width=st.sampled_from([40, 60, 80, WIDTH, 120, 200]),
    verbose=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_no_line_is_wider_than_the_terminal_and_no_name_is_cut(records, names, by, model, factor, width, verbose):
    some = [rename(record, names, by, model, factor) for record in records]
    lines = shown(some, verbose=verbose, width=width)
    assert max(columns(line) for line in lines) <= width
    together = "".join("".join(lines).split())
    for record in some:
        if record.verdict != "pass" and record.first is not None:
            assert "".join(printable(", ".join(record.first)).split()) in together


def test_a_terminal_that_is_narrower_than_a_word_is_taken_for_one_of_forty_columns(records):
    assert shown(records, width=3) == shown(records, width=LEAST)


def test_what_failed_comes_first_then_what_is_not_settled_then_one_line_of_what_passed(records):
    opened = [verdict for _, verdict in summary_lines(records[::-1]) if verdict is not None]
    verdicts = {record.verdict for record in records}
    assert verdicts == {"fail", "inconclusive", "pass"}
    order = ["fail", "inconclusive", "waived", "pass"]
    expected = sorted((r.verdict for r in records if r.verdict != "pass"), key=order.index)
    assert opened == [*expected, "pass"]
    passed = [record for record in records if record.verdict == "pass"]
    (line,) = (line for line, verdict in summary_lines(records) if verdict == "pass")
    assert line == f"  pass          {len(passed)} checks of 2 models (listed with -v)"


def test_asked_for_more_it_lists_what_passed_a_line_each(records):
    opened = [(line, verdict) for line, verdict in summary_lines(records, verbose=True, width=200) if verdict]
    assert sorted(verdict for _, verdict in opened) == sorted(record.verdict for record in records)
    passed = [line for line, verdict in opened if verdict == "pass"]
    assert all(
        re.fullmatch(r"  pass +\w+ by .*: \w+ .*\], at (most|least) [\d.]+, p [<=] [\d.]+", line) for line in passed
    )


def test_what_turns_the_run_red_under_compliance_stands_with_what_failed(records):
    strict = [dataclasses.replace(record, burden_of_proof="compliance") for record in records]
    waiver = WaiverRecord(reason="CAPA 12", approved_by="A. Auditor", expires="2027-06-30")
    waived = dataclasses.replace(strict[0], verdict="waived", waiver=waiver)
    opened = [verdict for _, verdict in summary_lines([waived, *strict], errors=["t.yaml::test[x]"]) if verdict]
    count = sum(record.verdict == "inconclusive" for record in strict)
    assert opened[-3 - count :] == [*["inconclusive"] * count, "error", "waived", "pass"]
    assert "  error         t.yaml::test[x]: no verdict; why stands above" in shown(strict, errors=["t.yaml::test[x]"])


def test_each_model_is_named_above_its_checks_even_where_records_are_mixed(records):
    mixed = [record for pair in zip(records[:5], records[5:], strict=True) for record in pair]
    lines = shown(sorted(mixed, key=lambda record: record.model, reverse=True))
    kinds = {record.verdict for record in records} - {"pass"}
    assert lines.count("forest") == lines.count("boosting") == len(kinds)


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
    text = "\n".join(shown([record]))
    numbers = [f"difference {record.estimate:.3f} [{record.low:.3f}, {record.high:.3f}]", "at most 0.10"]
    for number in numbers + [f"{group.rate:.3f}" for group in record.groups]:
        assert number in text
    assert "false_negative_rate" in text


def test_groups_stand_in_columns_where_there_is_room_for_them(records):
    by_name = {group.label: group for group in records[0].groups}
    lines = shown([records[0]])
    rows = [line for line in lines if line.strip().split("  ")[0] in by_name]
    worse = max(by_name, key=lambda name: by_name[name].rate)
    assert [line.split()[0] for line in rows] == [worse, *(name for name in by_name if name != worse)]
    group = by_name[worse]
    assert rows[0] == f"{' ' * 16}{worse:<6}  {group.rate:.3f}  {group.events} of {group.n} positives"
    narrow = shown([records[0]], width=40)
    assert any(line.startswith((f"    {worse}: {group.rate:.3f}, ", f"    {worse:<6}  ")) for line in narrow)


def test_groups_past_a_ceiling_are_all_there_unless_they_have_been_told(records):
    group = records[4].groups[0]
    groups = tuple(
        dataclasses.replace(group, name=(f"g{i:02}",), rate=0.95 if i < 15 else 0.1, problem=None) for i in range(30)
    )
    record = dataclasses.replace(
        records[4], groups=groups, first=("g00",), second=None, verdict="fail", estimate=0.95, reason=None
    )
    lines = shown([record])
    assert sum(line.strip().startswith("g") for line in lines) == 15
    assert any(line.strip() == "and 15 more groups" for line in lines)
    told = shown([record], told=True)
    assert sum(line.strip().startswith("g") for line in told) == 1
    assert any(line.strip() == "and 29 more groups, 14 of them past the limit and named above" for line in told)


def test_the_reason_of_an_unjudged_group_stands_below(records):
    unjudged = [record for record in records if record.reason is not None]
    assert unjudged
    for record in unjudged:
        text = " ".join(line.strip() for line in shown([record]))
        assert record.reason in text


def test_an_undefined_check_shows_no_zero():
    predictions = Predictions([1] * 20 + [0] * 20, [1] * 40, sensitive_features={"sex": ["f"] * 20 + ["m"] * 20})
    (record,) = audit_model(
        "m", predictions, [Check("false_negative_rate", ("sex",), "max_difference", 0.1)], Settings()
    )
    lines = shown([record], width=120)
    assert lines[2:5] == [
        "  inconclusive  false_negative_rate by sex: undefined, at most 0.10: group m: no positives among its 20 "
        "samples",
        f"{' ' * 16}f  0.000  0 of 20 positives",
        f"{' ' * 16}m      -  0 of 0 positives",
    ]


def test_an_inconclusive_check_says_what_it_needs(records):
    tiny = Predictions(
        [1] * 96, ([0] * 10 + [1] * 24) + ([0] * 16 + [1] * 46), sensitive_features=["f"] * 34 + ["m"] * 62
    )
    (record,) = audit_model(
        "m", tiny, [Check("false_negative_rate", ("sensitive_feature",), "max_difference", 0.05)], Settings()
    )
    text = " ".join(line.strip() for line in shown([record]))
    f, m = record.needed_samples
    assert f"needs about {f - 34:,} more with sensitive_feature=f whose label is 1 and {m - 62:,} more with" in text
    assert "power" not in text


@pytest.mark.parametrize("kind", METRICS["false_negative_rate"].limits)
def test_the_side_of_the_limit(kind):
    predictions = Predictions([1] * 80, [1] * 60 + [0] * 20, sensitive_features={"sex": ["m"] * 40 + ["f"] * 40})
    (record,) = audit_model("m", predictions, [Check("false_negative_rate", ("sex",), kind, 0.5)], Settings())
    text = "\n".join(shown([record], verbose=True))
    assert f", at {'least' if kind.startswith('min') else 'most'} 0.50" in text


def test_nothing_prints_nothing():
    assert list(summary_lines([])) == []


def test_wide_characters_take_two_columns():
    y = [1] * 40
    predictions = Predictions(y, [1] * 30 + [0] * 10, sensitive_features={"sex": ["女性"] * 20 + ["male"] * 20})
    lines = shown([audit(predictions, metric="accuracy", max_difference=0.1)])
    rows = [line for line in lines if "samples" in line]
    assert len(rows) == 2
    assert len({columns(line[: re.search(r"\d\.\d{3}", line).start()]) for line in rows}) == 1
    assert sum("女性" in line for line in rows) == 1


def test_what_is_of_a_model_is_said_once(records):
    noted = [dataclasses.replace(r, notes=("it was odd\n", "so was its split")) for r in records if r.model == "forest"]
    lines = shown([*noted, *(r for r in records if r.model == "boosting")])
    start = lines.index("all models: positive: 1; decisions: given")
    assert lines[start + 1 : start + 3] == ["forest: note: it was odd\\n", "forest: note: so was its split"]
    assert sum("note:" in line for line in lines) == 2


COMMANDS = ("::error::x", "::stop-commands::x", "##[error]x", "##vso[task.complete result=Failed;]")


def _is_command(line):
    return line.lstrip().startswith("::") or "##[" in line or "##vso[" in line


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("width", [LEAST, WIDTH, None])
def test_no_line_is_a_command_to_a_ci_system_whatever_it_names(name, width):
    names = np.repeat([name, "plain"], 200)
    found = Predictions([1] * 400, [0] * 120 + [1] * 280, sensitive_features={name: names})
    record = audit(found, metric="false_negative_rate", by=name, max_difference=0.1, model=name)
    lines = [line for line, _ in laid_out(record_text(record), width)]
    lines += [line for line, _ in summary_lines([record], width=width or WIDTH, verbose=True, errors=[name])]
    assert not [line for line in lines if _is_command(line)]
    assert any("x3a:" in line or "x23" in line for line in lines)
