"""What a check on a sweep says of itself: headline, the lines below it, and its rows in the table."""

from __future__ import annotations

import dataclasses

import pytest

from fairness_checks.records.check_record import CheckRecord, GroupRecord, SweepRecord, WaiverRecord
from fairness_checks.report.junit import properties, records_of
from fairness_checks.report.sweep_text import setting_words
from fairness_checks.report.terminal import WIDTH, summary_lines
from fairness_checks.report.text import explanation, headline, settling_text

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


def test_a_headline_names_the_gap_the_mix_the_features_and_the_repeats():
    assert headline(record_of()) == (
        "false_negative_rate by sex, under each training mix: female 0.420 - male 0.180 (mix as_is, features all, "
        "20 repeats) = 0.240 [0.190, 0.290] > 0.10 (p = 0.012, Holm)"
    )


def test_worst_cases_name_the_mix_of_each_group_in_their_order():
    line = headline(record_of({"gap": "worst_case", "first_mix": "balanced"}, verdict="pass", p_compliance=0.0004))
    assert line == (
        "false_negative_rate by sex, worst case against worst case: female 0.420 - male 0.180 (mixes balanced and "
        "as_is, features all, 20 repeats) = 0.240 [0.190, 0.290] <= 0.10 (p < 0.001)"
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
    assert headline(record_of({"gap": gap})).startswith(f"false_negative_rate by sex, {words}: female 0.420 - male")


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
        f"false_negative_rate by sex, per share of the training data: female {moves} as its share grows (features all, "
        "20 repeats), slope 0.240 [0.190, 0.290] > 0.10 (p = 0.012, Holm)"
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
        "uncertainty_mismatch by sex, under each training mix: female: error is higher in 73 % of pairs, the model's "
        "uncertainty in 49 %: it does not warn (mix as_is, features all, 20 repeats); mismatch 0.240 [0.190, 0.290] "
        "> 0.10 (p = 0.012, Holm)"
    )


def test_the_explanation_tells_of_groups_mixes_and_the_published_test():
    assert explanation(record_of({"undefined": 2})) == [
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
    ("settled_by", "line", "short"),
    [
        (
            {"needed_samples": (210, 630), "needed_repeats": 74},
            "If the true values are those seen, 74 repeats, or 210 rows of female and 630 rows of male instead of "
            "those in the table would settle it.",
            "; needed: 74 repeats, or rows: 210 + 630 at these values",
        ),
        (
            {"needed_samples": (2_100, 6_300)},
            "Neither more repeats nor more test rows of these patients settle it. If the true values are those seen, "
            "2,100 rows of female and 6,300 rows of male instead of those in the table would settle it.",
            "; more repeats do not settle it; rows needed: 2,100 + 6,300 at these values",
        ),
        (
            {},
            "If the true values are those seen, they lie on the limit or next to it: no number of rows settles it.",
            "",
        ),
    ],
)
def test_an_unsettled_sweep_says_what_would_settle_it(settled_by, line, short):
    record = record_of(verdict="inconclusive", p_adjusted=0.4, detectable=0.31, **settled_by)
    assert headline(record).endswith("= 0.240 [0.190, 0.290] not settled against 0.10 (p = 0.40, Holm)")
    assert explanation(record)[:2] == [
        "These groups show a difference of 0.310 or more with 80% power.",
        line,
    ]
    assert settling_text(record) == f"80% power shows 0.310{short}"
    strict = dataclasses.replace(record, burden_of_proof="compliance")
    assert explanation(strict)[0].startswith("The burden of proof is compliance")


def test_an_undefined_sweep_says_why_and_names_no_mix():
    nothing = {"first_mix": None, "second_mix": None, "feature_set": None, "published_test": None, "published_p": None}
    fields = dict.fromkeys(("estimate", "low", "high", "p_violation", "p_adjusted", "p_compliance", "first", "second"))
    reason = "female and male under men: undefined in 8 of 20 repeats"
    record = record_of(nothing, **fields, verdict="inconclusive", reason=reason)
    assert headline(record) == (
        f"false_negative_rate by sex, under each training mix: undefined, not judged against 0.10: {reason}"
    )
    assert setting_words(record.sweep) == "20 repeats"
    assert any(reason in line for line, _ in summary_lines([record]))


def test_a_waived_line_names_who_and_why():
    waiver = WaiverRecord(reason="CAPA 12", approved_by="A. Auditor", expires="2027-06-30")
    line = headline(record_of(verdict="waived", waiver=waiver))
    assert line.endswith("> 0.10 (p = 0.012, Holm), waived until 2027-06-30 by A. Auditor: CAPA 12")


def test_the_table_names_gap_and_mixes_below_the_check_and_fits_the_page():
    long = (
        "a mix whose name somebody wrote as a sentence of more than one hundred characters, to see what gives way" * 2
    )
    records = [record_of(), record_of({"gap": "worst_case", "first_mix": long}), record_of(SLOPE, second=None)]
    lines = [line for line, _ in summary_lines(records)]
    assert max(map(len, lines)) <= WIDTH
    first = lines[3:8]
    assert " ".join(first[0].split()) == "false_negative_rate female 0.420 105 0.240 [0.190, 0.290] <=0.10 0.012 fail"
    assert [line.split()[:2] for line in first[1:]] == [
        ["by", "sex"],
        ["each_mix"],
        ["20", "repeats"],
        ["mix", "as_is"],
    ]
    assert sum("mix a mix whose" in line for line in lines) == 1


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
