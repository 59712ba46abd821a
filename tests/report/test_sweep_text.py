"""What a check on a sweep says of itself: headline, the lines below it, and its rows in the table."""

from __future__ import annotations

import dataclasses
import json

import pytest

from fairness_checks.records.check_record import CheckRecord
from fairness_checks.records.parts import GroupRecord, WaiverRecord
from fairness_checks.records.sweep_record import MixChange, MixGroup, MixRecord, SweepRecord
from fairness_checks.report.junit import properties, records_of
from fairness_checks.report.sweep_text import answer_words, setting_words, table_lines
from fairness_checks.report.terminal import WIDTH, summary_lines
from fairness_checks.report.text import explanation, headline, power_text

SWEEP = SweepRecord(
    gap="each_mix",
    mixes=("as_is", "balanced"),
    first_mix="as_is",
    second_mix="as_is",
    feature_set="all",
    repeats=20,
    undefined=0,
    test_train_ratio=0.4286,
    published_test="t",
    published_p=0.00021,
)


def group(name, rate, low, high):
    return GroupRecord(name=(name,), samples=105, events=None, n=20, rate=rate, low=low, high=high, standard_error=0.01)


def record_of(sweep=None, **given):
    """Record of a false negative rate that is too high for women; whatever is given replaces it."""
    fields = {
        "model": "forest",
        "check": "sweep",
        "metric": "false_negative_rate",
        "by": ("sex",),
        "limit_kind": "max_difference",
        "limit": 0.1,
        "verdict": "fail",
        "estimate": 0.24,
        "low": 0.19,
        "high": 0.29,
        "confidence": 0.9,
        "p_violation": 0.004,
        "p_adjusted": 0.012,
        "p_compliance": 0.99,
        "correction": "holm",
        "family_size": 3,
        "alpha": 0.05,
        "burden_of_proof": "violation",
        "min_group_size": 10,
        "method": "a test",
        "comparisons": 2,
        "unit": "repeats",
        "groups": (group("female", 0.42, 0.37, 0.47), group("male", 0.18, 0.15, 0.21)),
        "first": ("female",),
        "second": ("male",),
        "reason": None,
        "power": 0.8,
        "sweep": dataclasses.replace(SWEEP, **(sweep or {})),
    }
    return CheckRecord(**(fields | given))


SAID = "forest misses 42 of 100 with sex=female whose label is positive, and 18 of 100 with sex=male"
NOT_KEPT = "the data show that this is not kept (p = 0.012)"


def test_a_headline_names_the_mix_the_features_and_the_repeats():
    assert headline(record_of()) == (
        f"{SAID} (mix as_is, features all, 20 repeats); at most 10 apart are allowed; {NOT_KEPT}"
    )


def test_worst_cases_name_the_mix_of_each_group_in_their_order():
    sweep = {"gap": "worst_case", "first_mix": "balanced"}
    record = record_of(sweep, verdict="pass", p_compliance=0.0004)
    kept = "at most 10 apart are allowed; the data show that this is kept (p < 0.001)"
    assert headline(record) == f"{SAID} (mixes balanced and as_is, features all, 20 repeats); {kept}"
    right = record_of(sweep, verdict="pass", p_compliance=0.0004, metric="accuracy")
    assert headline(right) == (
        "forest is right for 18 of 100 with sex=male, and for 42 of 100 with sex=female (mixes as_is and balanced, "
        f"features all, 20 repeats); {kept}"
    )


@pytest.mark.parametrize(
    ("gap", "words"),
    [
        ("each_mix", "under each training mix"),
        ("equal_representation", "at equal representation"),
        ("worst_case", "worst case against worst case"),
        ("best_case", "best case against best case"),
    ],
)
def test_every_gap_has_its_words(gap, words):
    assert explanation(record_of({"gap": gap}))[0].startswith(
        f"false_negative_rate by sex, {words}: difference 0.240 ["
    )


SLOPE = {
    "gap": "dependence",
    "slope_mixes": ("as_is", "balanced"),
    "first_mix": None,
    "second_mix": None,
    "published_test": None,
    "published_p": None,
}


def test_a_slope_says_which_mixes_it_is_over():
    rows = {"as_is": {"female": 70.0, "male": 1_130.0}, "half": {"female": 35.0, "male": 35.0}}
    sweep = SLOPE | {"mixes": ("as_is", "half", "few"), "slope_mixes": ("half", "few"), "training_rows": rows}
    (line,) = (
        line
        for line in explanation(record_of(sweep, limit_kind="max_slope", second=None, also={"slope": 0.2}))
        if "one training size" in line
    )
    assert line == (
        "The slope is over mixes of one training size (half, few on 70 rows); the others train on another: as_is on "
        "1,200."
    )


@pytest.mark.parametrize(("slope", "moves"), [(-0.24, "falls"), (0.24, "rises")])
def test_a_slope_says_of_which_group_and_in_which_direction(slope, moves):
    record = record_of(SLOPE, limit_kind="max_slope", second=None, also={"slope": slope})
    assert headline(record) == (
        f"forest has false_negative_rate that {moves} by 0.240 with sex=female as its share of the training rows grows "
        f"from none to all (features all, 20 repeats); at most 0.10 is allowed; {NOT_KEPT}"
    )
    assert not any("published" in line for line in explanation(record))


def test_a_mismatch_says_what_does_not_warn_and_where():
    record = record_of(
        {"published_test": None, "published_p": None},
        metric="uncertainty_mismatch",
        limit_kind="max_mismatch",
        groups=tuple(group(name, None, None, None) for name in ("female", "male")),
        also={"error_auc": 0.73, "uncertainty_auc": 0.49},
    )
    assert headline(record) == (
        "forest errs more with sex=female than with sex=male in 73 of 100 pairs, and is more uncertain in 49 of 100: "
        f"its uncertainty does not warn (mix as_is, features all, 20 repeats); at most 10 fewer are allowed; {NOT_KEPT}"
    )


def test_the_explanation_tells_of_groups_mixes_and_the_published_test():
    assert explanation(record_of({"undefined": 2})) == [
        "false_negative_rate by sex, under each training mix: difference 0.240 [0.190, 0.290], max_difference 0.10.",
        "  female: 20 repeats of 105 rows, 0.420 [0.370, 0.470]",
        "  male: 20 repeats of 105 rows, 0.180 [0.150, 0.210]",
        "Trained under 2 mixes (as_is, balanced), 20 splits each, 2 of them undefined and left out; test rows over "
        "training rows 0.43.",
        "The test of published studies (t, no difference) gives p = 0.00021: too small, as the repeats overlap. "
        "It decides nothing.",
        "Test: a test; 90% interval.",
        "Raw p = 0.004 for a violation, p = 0.99 for compliance; alpha 0.05, Holm over 3 checks of forest.",
    ]


def test_what_correction_makes_of_the_published_p_stands_beside_it():
    (line,) = (line for line in explanation(record_of({"corrected_p": 0.134})) if "published" in line)
    assert line == (
        "The test of published studies (t, no difference) gives p = 0.00021: too small, as the repeats overlap; "
        "corrected for that, it is 0.13. It decides nothing."
    )


def test_one_mix_is_not_called_several():
    assert any(
        line.startswith("Trained under 1 mix (as_is), 20") for line in explanation(record_of({"mixes": ("as_is",)}))
    )


@pytest.mark.parametrize(
    ("settled_by", "line"),
    [
        (
            {"needed_samples": (210, 630), "needed_repeats": 74},
            "needs 74 repeats, or about 210 rows with sex=female and 630 rows with sex=male in the table, if the "
            "values seen are the true ones",
        ),
        (
            {"needed_samples": (2_100, 6_300)},
            "needs about 2,100 rows with sex=female and 6,300 rows with sex=male in the table, if the values seen are "
            "the true ones; more repeats do not settle it",
        ),
        (
            {},
            "lies on the limit or next to it: no number of rows settles it, if the values seen are the true ones",
        ),
    ],
)
def test_an_unsettled_sweep_says_what_would_settle_it(settled_by, line):
    record = record_of(verdict="inconclusive", p_violation=0.2, p_adjusted=0.4, detectable=0.31, **settled_by)
    assert headline(record).endswith("; at most 10 apart are allowed; the data do not settle whether this is kept")
    assert explanation(record)[1:3] == [
        "These groups show a difference of 0.310 or more with 80% power.",
        f"It {line}.",
    ]
    assert power_text(record) == line
    strict = dataclasses.replace(record, burden_of_proof="compliance")
    assert explanation(strict)[1].startswith("The burden of proof is compliance")


def test_an_undefined_sweep_says_why_and_names_no_mix():
    nothing = {"first_mix": None, "second_mix": None, "feature_set": None, "published_test": None, "published_p": None}
    fields = dict.fromkeys(("estimate", "low", "high", "p_violation", "p_adjusted", "p_compliance", "first", "second"))
    reason = "female and male under men: undefined in 8 of 20 repeats"
    record = record_of(nothing, **fields, verdict="inconclusive", reason=reason)
    assert headline(record) == (
        f"forest: false_negative_rate by sex, under each training mix: undefined, not judged against 0.10: {reason}"
    )
    assert setting_words(record.sweep) == "20 repeats"
    assert reason in " ".join(" ".join(line for line, _ in summary_lines([record])).split())


def test_a_waived_line_names_who_and_why():
    waiver = WaiverRecord(reason="CAPA 12", approved_by="A. Auditor", expires="2027-06-30")
    line = headline(record_of(verdict="waived", waiver=waiver))
    assert line.endswith("not kept (p = 0.012), waived until 2027-06-30 by A. Auditor: CAPA 12")


def test_the_table_names_gap_and_mixes_below_the_check_and_fits_the_page():
    long = (
        "a mix whose name somebody wrote as a sentence of more than one hundred characters, to see what gives way" * 2
    )
    records = [record_of(), record_of({"gap": "worst_case", "first_mix": long}), record_of(SLOPE, second=None)]
    lines = [line for line, _ in summary_lines(records)]
    assert max(map(len, lines)) <= WIDTH
    assert [line.strip() for line in lines[2:7]] == [
        "fail          false_negative_rate by sex, under each training mix:",
        "difference 0.240 [0.190, 0.290], at most 0.10, p = 0.012",
        "female  0.420  105 rows",
        "male    0.180  105 rows",
        "mix as_is, features all, 20 repeats",
    ]
    assert sum("mixes a mix whose" in line for line in lines) == 1


def test_names_cannot_break_or_reorder_a_line():
    record = record_of(
        {"mixes": ("a\nb", "c\u202ed"), "first_mix": "a\nb", "second_mix": "c\u202ed", "feature_set": "x\ty"}
    )
    lines = [headline(record), *explanation(record), *(line for line, _ in summary_lines([record]))]
    assert all(line.isprintable() for line in lines)
    assert "(mixes a\\nb and c\\u202ed, features x\\ty, 20 repeats)" in lines[0]


def test_the_record_travels_whole_in_the_properties_of_a_test():
    record = record_of()
    found = dict(properties(record))
    assert records_of(list(properties(record))) == [record]
    assert found["fairness.text"] == headline(record)
    assert found["fairness.gap"] == "each_mix"


def mix_row(mix, names, gap=(0.09, 0.05, 0.13), change=None, first=None, feature_set="all"):
    groups = tuple(
        MixGroup(name=name, value=0.2 + i / 10, low=0.1, high=0.5, training_rows=1_400, test_rows=600, repeats=20)
        for i, name in enumerate(names)
    )
    value, low, high = gap
    first = first or (names[1], names[0])
    return MixRecord(
        mix=mix,
        feature_set=feature_set,
        groups=groups,
        first=first[0],
        second=first[1],
        gap=value,
        gap_low=low,
        gap_high=high,
        change=change,
    )


def change_to(answer, *, signed=True):
    sign = (-0.088, -0.110, -0.066) if signed else (None, None, None)
    return MixChange(
        reduction=0.085,
        low=0.02,
        high=0.12,
        signed=sign[0],
        signed_low=sign[1],
        signed_high=sign[2],
        answer=answer,
    )


TWO = ("female", "male")


def answered(*rows, **given):
    return record_of({"table": rows, "as_is": "as_is", **given})


@pytest.mark.parametrize(
    ("answers", "as_is", "words"),
    [
        (
            ("closes", "open"),
            (0.09, 0.05, 0.13),
            "mix half is shown to narrow the gap, to 0.002 [-0.030, 0.034], which may be none",
        ),
        (
            ("open", "narrows"),
            (0.09, 0.05, 0.13),
            "mix few is shown to narrow the gap, to 0.002 [-0.030, 0.034], which is not none",
        ),
        (
            ("reverses", "widens"),
            (0.09, 0.05, 0.13),
            "mix half is shown to reverse the gap, to 0.002 [-0.030, 0.034]; "
            "mix few is shown to widen the gap, to 0.002 [-0.030, 0.034]",
        ),
        (("open", "open"), (0.09, 0.05, 0.13), "no mix is shown to close the gap"),
        (("open", "open"), (0.09, -0.05, 0.23), "that gap may be chance; no mix is shown to close it"),
        (
            ("widens", "open"),
            (0.09, 0.05, 0.13),
            "no mix is shown to close the gap; mix half is shown to widen the gap, to 0.002 [-0.030, 0.034]",
        ),
    ],
)
def test_the_answer_names_what_each_mix_is_shown_to_do(answers, as_is, words):
    left = (0.002, -0.030, 0.034)
    rows = [mix_row("as_is", TWO, as_is)]
    rows += [mix_row(mix, TWO, left, change_to(answer)) for mix, answer in zip(("half", "few"), answers, strict=True)]
    record = answered(*rows)
    expected = f"With other training data than as is (male - female 0.090): {words}"
    assert answer_words(record.sweep) == expected
    assert headline(record).endswith(f". {expected}")
    lines = [line for line, _ in summary_lines([record, record])]
    flat = " ".join(" ".join(lines).split())
    assert flat.count(f"false_negative_rate: with other training data than as is (male - female 0.090): {words}") == 1


def test_without_a_mix_as_is_there_is_no_answer():
    record = answered(mix_row("half", TWO), mix_row("few", TWO), as_is=None)
    assert answer_words(record.sweep) == ""
    assert "other training data" not in headline(record)
    assert len(list(table_lines(record.sweep))) == 3


def test_the_answer_and_the_table_are_of_the_feature_set_that_decides():
    rows = [mix_row("as_is", TWO, feature_set=name) for name in ("all", "blood")]
    rows += [mix_row("half", TWO, (0.3, 0.2, 0.4), change_to("widens"))]
    rows += [mix_row("half", TWO, (0.0, -0.1, 0.1), change_to("closes"), feature_set="blood")]
    record = answered(*rows, feature_set="blood")
    assert "mix half is shown to narrow the gap, to 0.000 [-0.100, 0.100], which may be none" in headline(record)
    assert len(list(table_lines(record.sweep))) == 3
    assert any("features blood" in line for line, _ in summary_lines([record]))


@pytest.mark.parametrize("count", [2, 3, 6])
@pytest.mark.parametrize("name", ["f", "a group with a very long name indeed", "a\nb\u202e"])
def test_the_table_fits_the_page_whatever_groups_and_mixes_are_called(count, name):
    names = tuple(f"{name}{i}" for i in range(count))
    two = count == 2
    rows = [
        mix_row("as is, as it was written down once", names),
        mix_row("half", names, (-0.002, -0.130, 0.034), change_to("open", signed=two), first=names[:2]),
    ]
    lines = list(table_lines(answered(*rows).sweep))
    assert len(lines) == 3
    assert max(map(len, lines)) < 100
    assert all(line.isprintable() for line in lines)
    assert "-0.002 [-0.130, 0.034]" in lines[2]
    assert ("-0.088 [-0.110, -0.066]" if two else "-0.085 [-0.120, -0.020]") in lines[2]
    assert "1,400 + 1,400" in lines[1] if two else f"{1_400 * count:,}" in lines[1]


@pytest.mark.parametrize(
    ("verdict", "burden", "shown"),
    [
        ("pass", "violation", True),
        ("inconclusive", "violation", True),
        ("waived", "violation", True),
        ("fail", "violation", False),  # its test shows it
        ("inconclusive", "compliance", False),
    ],
)
def test_the_table_stands_below_a_check_that_does_not_fail_once_where_more_is_asked_for(verdict, burden, shown):
    given = {"verdict": verdict, "burden_of_proof": burden}
    if verdict == "waived":
        given["waiver"] = WaiverRecord(reason="CAPA 12", approved_by="A. Auditor", expires="2027-06-30")
    sweep = {"table": [mix_row("as_is", TWO), mix_row("half", TWO, change=change_to("closes"))], "as_is": "as_is"}
    records = [record_of(sweep, **given), record_of(sweep, **given)]
    lines = [line for line, _ in summary_lines(records, verbose=True)]
    assert sum(line.split()[:3] == ["mix", "trained", "on"] for line in lines) == shown
    assert max(map(len, lines)) <= WIDTH
    assert not any(line.split()[:3] == ["mix", "trained", "on"] for line, _ in summary_lines(records))


@pytest.mark.parametrize(
    ("detectable", "words"),
    [
        (-0.125, "a gap that grows by 0.125 or more"),
        (0.01, "a reduction of 0.010 or less"),
        (0.0, "a reduction of 0.000 or less"),
    ],
)
def test_what_a_change_can_show_is_said_as_what_the_gap_does(detectable, words):
    record = record_of(
        {"gap": "change", "first_mix": "as_is", "second_mix": "balanced"},
        limit_kind="min_reduction",
        limit=0.0,
        verdict="inconclusive",
        detectable=detectable,
        also={"gap_as_is": 0.27, "gap_under_mix": 0.03},
    )
    assert f"These groups show {words} with 80% power." in explanation(record)


def test_a_table_of_the_mixes_travels_in_the_properties():
    record = answered(mix_row("as_is", TWO), mix_row("half", TWO, change=change_to("closes")))
    found = dict(properties(record))
    assert [row["mix"] for row in json.loads(found["fairness.mixes"])] == ["as_is", "half"]
    assert found["fairness.answer"] == answer_words(record.sweep)
    assert CheckRecord.from_json(record.to_json()) == record


def test_a_change_says_both_gaps_and_by_how_much_smaller():
    record = record_of(
        {"gap": "change", "first_mix": "as_is", "second_mix": "balanced", "published_test": None, "published_p": None},
        limit_kind="min_reduction",
        limit=0.3,
        also={"gap_as_is": 0.27, "gap_under_mix": 0.03},
    )
    assert headline(record) == (
        "forest has a gap in false_negative_rate of 0.270 between groups with sex=female and with sex=male as is, and "
        "of 0.030 under the mix balanced (features all, 20 repeats): a reduction of 0.240; at least 0.30 is required; "
        f"{NOT_KEPT}"
    )
    said = [line.strip() for line, _ in summary_lines([record])]
    assert "reduction 0.240 [0.190, 0.290], at least 0.30, p = 0.012" in said
    assert "mixes as_is and balanced, features all, 20 repeats" in said
    grown = dataclasses.replace(record, limit=-0.02)
    assert "; a growth of at most 0.02 is allowed; " in headline(grown)
    larger = dataclasses.replace(record, estimate=-0.24, also={"gap_as_is": 0.03, "gap_under_mix": 0.27})
    assert "20 repeats): a growth of 0.240; at least 0.30 is required; " in headline(larger)
