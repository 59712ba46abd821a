"""The sentence in patients: who does worse, how many of how many, what is allowed."""

from __future__ import annotations

import dataclasses
import functools
import re

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fairness_checks.inputs.predictions import Predictions
from fairness_checks.judge.auditing import audit, audit_uncertainty
from fairness_checks.question.limits import LIMITS
from fairness_checks.question.metrics import METRICS
from fairness_checks.question.own_metrics import fairness_metric
from fairness_checks.records.check_record import CheckRecord
from fairness_checks.records.parts import GroupRecord, RegressionRecord
from fairness_checks.records.sweep_record import SweepRecord
from fairness_checks.report.sentence import breaking, deciding, named
from fairness_checks.report.text import explanation, headline

HELD_OUT = [(name, kind) for name, metric in METRICS.items() for kind in metric.limits]
TIGHT = {"max_difference": 0.001, "min_ratio": 0.999, "max_value": 0.3, "min_value": 0.3, "max_mismatch": 0.001}


@functools.cache
def predictions(worse):
    """Return labels, scores, errors and uncertainties that are worse for one sex in every way."""
    rng = np.random.default_rng(1)
    sex = np.repeat(["female", "male"], 600)
    bad = sex == worse
    y_true = np.tile([True, False, False], 400)
    right = rng.random(1200) < np.where(bad, 0.6, 0.9)
    y_score = np.where(right == y_true, rng.uniform(0.55, 0.95, 1200), rng.uniform(0.05, 0.45, 1200))
    error = rng.gamma(2.0, 0.1, 1200) * np.where(bad, 2.0, 1.0)
    uncertainty = rng.gamma(2.0, 0.1, 1200) * np.where(bad, 0.5, 1.0)
    return Predictions(
        np.where(y_true, "ill", "well"),
        y_score=y_score,
        positive="ill",
        error=error,
        uncertainty=uncertainty,
        sensitive_features={"sex": sex},
    )


def record_of(metric, kind, worse="female"):
    if kind == "max_mismatch":
        return audit_uncertainty(predictions(worse), max_mismatch=TIGHT[kind], model="forest")
    return audit(predictions(worse), metric=metric, by="sex", model="forest", **{kind: TIGHT[kind]})


@pytest.mark.parametrize("worse", ["female", "male"])
@pytest.mark.parametrize(("metric", "kind"), HELD_OUT)
def test_the_group_that_does_worse_is_named_first(metric, kind, worse):
    record = record_of(metric, kind, worse)
    line = headline(record)
    said = re.findall(r"sex=(female|male)", line)
    shown = METRICS[record.component or metric]
    if LIMITS[kind].pairwise:
        assert set(said) == {"female", "male"}
        expected = worse
        if shown.lower_is_better is None:  # neither direction is the worse one
            expected = record.first[0]
        assert said[0] == expected
        assert deciding(record)[0].name == (expected,)
    else:  # the group with the highest value above a ceiling, with the lowest below a floor
        ends = max if LIMITS[kind].ceiling else min
        assert (said[0],) == ends(record.groups, key=lambda group: group.rate).name
    assert line.startswith("forest ")
    assert record.metric not in line or not METRICS[record.component or metric].words
    for word in ("fair ", "unbiased", "safe", "compliant", "certified"):
        assert word not in line


@pytest.mark.parametrize("gap", ["each_mix", "equal_representation", "worst_case", "best_case"])
@pytest.mark.parametrize(
    "metric", [name for name, row in METRICS.items() if row.comparable and row.lower_is_better is not None]
)
def test_the_worse_group_is_named_of_a_sweep_with_its_own_mix(metric, gap):
    record = record_of(metric, "max_difference")
    mix = {("female",): "hers", ("male",): "his"}
    sweep = SweepRecord(
        gap=gap,
        mixes=("hers", "his"),
        first_mix=mix[record.first],
        second_mix=mix[record.second],
        feature_set="all",
        repeats=20,
        undefined=0,
        test_train_ratio=0.4,
    )
    line = headline(dataclasses.replace(record, check="sweep", sweep=sweep))
    assert re.findall(r"sex=(female|male)", line) == ["female", "male"]
    assert "(mixes hers and his, features all, 20 repeats)" in line


@pytest.mark.parametrize("of", ["disparity", "worst_group", "each_group"])
@pytest.mark.parametrize(
    "metric", [name for name, row in METRICS.items() if row.comparable and row.lower_is_better is not None]
)
def test_what_got_worse_is_told_beside_what_was(metric, of):
    record = record_of(metric, "max_difference")
    first, second = (record.first, record.second) if of == "disparity" else (("female",), None)
    value = record.group(first).rate - (record.group(second).rate if second else 0.0)
    regression = RegressionRecord(
        of=of,
        before=value - 0.05,
        after=value,
        old_first=first,
        old_second=second,
        paired=True,
        pairing="the same",
        baseline_date=None,
        baseline_commit=None,
    )
    record = dataclasses.replace(
        record,
        check="regression",
        regression=regression,
        limit_kind="max_worsening",
        limit=0.02,
        estimate=0.05,
        first=first,
        second=second,
    )
    line = headline(record)
    assert re.findall(r"sex=(female|male)", line) == ["female", "male"][: 1 + (second is not None)]
    assert "in the baseline; at most " in line
    counted = "{count}" in METRICS[metric].words
    assert ("at most 2 " if counted else "at most 0.02 ") in line
    assert (" apart, and " in line) is (of == "disparity")


RATE = audit(predictions("female"), metric="false_negative_rate", max_difference=0.1, model="forest")


def with_counts(female, male, kind, limit):
    groups = tuple(
        GroupRecord(name=(name,), samples=n, events=x, n=n, rate=x / n, low=0.0, high=1.0)
        for name, (x, n) in {"female": female, "male": male}.items()
    )
    high, low = sorted(groups, key=lambda group: -group.rate)
    first, second = (low, high) if kind == "min_ratio" else (high, low)
    estimate = first.rate - second.rate if kind == "max_difference" else first.rate / (second.rate or 1.0)
    if kind in ("max_value", "min_value"):
        first, second = (high if kind == "max_value" else low), None
        estimate = first.rate
    return dataclasses.replace(
        RATE,
        limit_kind=kind,
        limit=limit,
        groups=groups,
        first=first.name,
        second=second and second.name,
        estimate=estimate,
        low=0.0,
        high=1.0,
    )


COUNTS = st.integers(1, 3_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(
    COUNTS,
    COUNTS,
    st.sampled_from(["max_difference", "min_ratio", "max_value", "min_value"]),
    st.one_of(st.integers(1, 99).map(lambda k: k / 100), st.floats(0.001, 0.999)),
)
def test_the_numbers_of_the_sentence_are_those_of_the_record(female, male, kind, limit):
    record = with_counts(female, male, kind, limit)
    line = headline(record)
    told = re.findall(r"([\d,.e-]+)(?: of ([\d,]+))? with sex=(female|male)", line)
    assert len(told) == (1 if record.second is None else 2)
    shown = {}
    for count, base, name in told:
        rate = record.group((name,)).rate
        of = int(base.replace(",", "")) if base else 1
        shown[name] = (float(count.replace(",", "")), of)
        assert abs(shown[name][0] / of - rate) <= (0.5 / of if base else 0.0005) + 1e-9
    if kind == "min_ratio" or not told[0][1]:
        return
    (allowed,) = re.findall(r"at (?:most|least) ([\d,.e-]+)", line)
    ((_, base), *_) = shown.values()
    assert float(allowed.replace(",", "")) == pytest.approx(limit * base)
    # What is shown lies on the side of the limit on which the values lie.
    values = [count for count, _ in shown.values()]
    seen = abs(values[0] - values[1]) if len(values) == 2 else values[0]
    true = record.estimate
    assume(abs(true - limit) > 1e-9)
    assert np.sign(seen - float(allowed.replace(",", ""))) == np.sign(true - limit)


def sites(values, kind, limit, **given):
    groups = tuple(
        GroupRecord(name=(f"site {i}",), samples=100, events=round(v * 100), n=100, rate=v, low=0.0, high=1.0)
        for i, v in enumerate(values)
    )
    ends = max if LIMITS[kind].ceiling else min
    first = ends(groups, key=lambda group: group.rate)
    return dataclasses.replace(
        RATE,
        by=("site",),
        limit_kind=kind,
        limit=limit,
        groups=groups,
        first=first.name,
        second=None,
        estimate=first.rate,
        **given,
    )


@pytest.mark.parametrize(("kind", "side"), [("max_value", "above"), ("min_value", "below")])
@pytest.mark.parametrize("count", [2, 6, 7, 40])
def test_all_groups_past_a_ceiling_or_a_floor_are_named_and_none_of_them_is_hidden(kind, side, count):
    past = [0.9 - i / 100 for i in range(count)]
    values = [0.1] * 20 + past
    if kind == "min_value":
        values = [1.0 - v for v in values]
    record = sites(values, kind, 0.5)
    names = [f"site {i}" for i in range(20, 20 + count)]
    assert sorted(group.label for group in breaking(record)) == sorted(names)
    line, below = headline(record), explanation(record)
    if count <= 6:
        assert f"also seen {side} it: " in line
        assert all(f"site={name} (" in line for name in names[1:])
    else:
        assert f"{count - 1} more groups were seen {side} it, all named below" in line
    assert all(any(text.startswith(f"  {name}: ") for text in below) for name in names)
    assert below[-1].startswith("Predictions") or any("more groups" in text for text in below)


def test_groups_of_the_headline_are_listed_first_however_many_there_are():
    values = [0.2] * 60
    values[41], values[57] = 0.9, 0.05
    record = sites(values, "max_value", 0.95)
    record = dataclasses.replace(record, limit_kind="max_difference", first=("site 41",), second=("site 57",))
    listed = [line for line in explanation(record) if line.startswith("  site")]
    assert [line.split(":")[0] for line in listed[:2]] == ["  site 41", "  site 57"]
    assert "  ... and 48 more groups" in explanation(record)


def test_a_group_that_could_not_be_judged_is_not_said_to_be_past_the_limit():
    record = sites([0.9, 0.8, 0.1], "max_value", 0.5)
    few = dataclasses.replace(record.groups[1], problem="4 samples, fewer than min_group_size 10")
    record = dataclasses.replace(record, groups=(record.groups[0], few, record.groups[2]))
    assert "above it" not in headline(record)


def test_a_metric_of_ones_own_is_told_by_its_name_and_its_unit():
    def missed(each):
        return np.where(each.y_true, ~each.y_pred, np.nan)

    def dose(each):
        return each.error * 10.0

    line = headline(audit(predictions("female"), metric=dose, max_difference=0.1, model="forest"))
    assert re.match(
        r"forest has dose of \d\.\d{3} with sex=female, and of \d\.\d{3} with sex=male; at most 0\.10 apart", line
    )
    own = dataclasses.replace(RATE, metric="missed{}", unit="slides")
    assert re.match(
        r"forest counts as missed\{\} \d+ of 100 slides with sex=female, and \d+ of 100 slides with", headline(own)
    )


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("female", "female"),
        ("60+ years", "60+ years"),
        ("a, b", '"a, b"'),
        ('x="y"', '"x=\\"y\\""'),
        (" a", '" a"'),
        ("", '""'),
    ],
)
def test_a_name_that_could_end_the_sentence_is_quoted(name, said):
    assert named(name) == said


def test_rates_that_are_rare_are_told_of_as_many_as_show_them():
    line = headline(with_counts((9, 3000), (1, 3000), "max_difference", 0.001))
    assert line.startswith(
        "forest misses 30 of 10,000 with sex=female whose label is ill, and 3 of 10,000 with sex=male; "
    )
    assert "at most 10 apart are allowed" in line


@pytest.mark.parametrize(
    ("verdict", "p", "words"),
    [
        ("fail", 0.0004, "the data show that this is not kept (p < 0.001)"),
        ("fail", 0.03, "the data show that this is not kept (p = 0.030)"),
        ("waived", 0.03, "the data show that this is not kept (p = 0.030)"),
        ("fail", None, "the data show that this is not kept"),
        ("inconclusive", 0.03, "the data do not settle whether this is kept"),
    ],
)
def test_how_sure_it_is_with_a_p_value_and_no_word_of_chance(verdict, p, words):
    assert headline(dataclasses.replace(RATE, verdict=verdict, p_adjusted=p)).endswith(f"; {words}")


@pytest.mark.parametrize(("lower_is_better", "first"), [(True, "male"), (False, "female"), (None, "male")])
def test_a_metric_of_ones_own_names_first_who_does_worse_by_its_direction(lower_is_better, first):
    rng = np.random.default_rng(4)
    sex = np.repeat(["female", "male"], 300)
    overlap = rng.normal(np.where(sex == "female", 0.6, 0.8), 0.05)
    dice = fairness_metric(lower_is_better=lower_is_better, name="dice")(lambda predictions: predictions.error)
    given = Predictions(error=overlap, sensitive_features={"sex": sex})
    record = audit(given, metric=dice, by="sex", max_difference=0.05)
    assert re.findall(r"sex=(female|male)", headline(record))[0] == first
    assert CheckRecord.from_json(record.to_json()) == record
    assert ("lower_is_better" in record.plain()) is (lower_is_better is not None)
