"""Metrics that are made of others: equalized odds, balanced accuracy, and a rate beside its complement."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fairness_checks import Predictions, audit
from fairness_checks.judge.verdict import audit_model
from fairness_checks.kinds.balanced_accuracy import BalancedAccuracy, EffectiveCells
from fairness_checks.kinds.measured import Measured
from fairness_checks.question.checks import Check, Settings

COMPONENTS = ("true_positive_rate", "false_positive_rate")
LIMITS = [("max_difference", 0.1), ("max_difference", 0.0), ("min_ratio", 0.8)]


def counted(cells, *, alone=False):
    """Make predictions of {group: (tn, fp, fn, tp)}; `alone` makes each sample a cluster."""
    rows = [(g, y, d) for g, (tn, fp, fn, tp) in cells.items()
            for y, d, n in ((0, 0, tn), (0, 1, fp), (1, 0, fn), (1, 1, tp)) for _ in range(n)]  # fmt: skip
    group, y_true, y_pred = (list(column) for column in zip(*rows, strict=True))
    cluster = np.arange(len(rows)) if alone else None
    return Predictions(y_true, y_pred, cluster=cluster, sensitive_features={"sex": group})


def drawn(seed, groups=2):
    rng = np.random.default_rng(seed)
    return counted({f"g{i}": tuple(int(n) for n in rng.integers(12, 90, 4)) for i in range(groups)})


def three(some, kind, limit, **more):
    return [audit(some, metric=m, **{kind: limit}, **more) for m in ("equalized_odds", *COMPONENTS)]


@pytest.mark.parametrize(("kind", "limit"), LIMITS)
@pytest.mark.parametrize("groups", [2, 3])
@pytest.mark.parametrize("seed", range(2))
def test_p_values_and_interval_by_hand(kind, limit, groups, seed):
    some = drawn(seed, groups)
    odds, *parts = three(some, kind, limit)
    assert odds.p_violation == pytest.approx(min(1.0, 2.0 * min(part.p_violation for part in parts)))
    assert odds.p_compliance == pytest.approx(max(part.p_compliance for part in parts))
    shown = next(part for part in parts if part.metric == odds.component)
    for name in ("estimate", "first", "second", "unit", "groups"):
        assert getattr(odds, name) == getattr(shown, name)
    # Of the end that shows a violation, the level of one component.
    halves = [audit(some, metric=name, **{kind: limit}, alpha=0.025) for name in COMPONENTS]
    if kind == "max_difference":
        assert odds.low == pytest.approx(max(half.low for half in halves), abs=5e-5)
        assert odds.high == pytest.approx(max(part.high for part in parts), abs=5e-5)
    else:
        assert odds.high == pytest.approx(min(half.high for half in halves), abs=5e-5)
        assert odds.low == pytest.approx(min(part.low for part in parts), abs=5e-5)
    if odds.verdict != "fail":  # the worse of the two is shown, unless the other one proves a violation
        worst = (max if kind == "max_difference" else min)(part.estimate for part in parts)
        assert odds.estimate == worst


@pytest.mark.parametrize("component", COMPONENTS)
@pytest.mark.parametrize(("kind", "limit"), [("max_difference", 0.1), ("min_ratio", 0.7)])
def test_either_component_can_fail_it(component, kind, limit):
    good, bad = (270, 30, 30, 270), {COMPONENTS[0]: (270, 30, 150, 150), COMPONENTS[1]: (150, 150, 30, 270)}[component]
    record = audit(counted({"f": bad, "m": good}), metric="equalized_odds", **{kind: limit})
    assert (record.verdict, record.component, record.metric) == ("fail", component, "equalized_odds")
    assert {record.first, record.second} == {("f",), ("m",)}
    assert audit(counted({"f": good, "m": good}), metric="equalized_odds", max_difference=0.1).verdict == "pass"


def test_one_component_that_complies_is_not_enough():
    record = audit(
        counted({"f": (3000, 30, 11, 30), "m": (3000, 30, 9, 30)}), metric="equalized_odds", max_difference=0.1
    )
    assert (record.verdict, record.component) == ("inconclusive", "true_positive_rate")
    assert record.needed_samples is not None


def test_one_component_undefined_cannot_pass_but_can_fail():
    no_negatives = counted({"f": (0, 0, 30, 270), "m": (250, 50, 30, 270)})
    record = audit(no_negatives, metric="equalized_odds", max_difference=0.2)
    assert (record.verdict, record.component) == ("inconclusive", "true_positive_rate")
    assert record.reason == "false_positive_rate: group f: no negatives among its 300 samples"
    # However many positives more come, the other component stays undefined: none are promised to settle it.
    assert (record.needed_samples, record.needed_samples_if_equal, record.detectable) == (None, None, None)
    worse = counted({"f": (0, 0, 200, 100), "m": (250, 50, 30, 270)})
    record = audit(worse, metric="equalized_odds", max_difference=0.2)
    assert (record.verdict, record.first, record.second) == ("fail", ("m",), ("f",))


def test_both_components_undefined():
    record = audit(counted({"f": (2, 1, 3, 2), "m": (90, 10, 30, 70)}), metric="equalized_odds", max_difference=0.2)
    assert (record.verdict, record.estimate) == ("inconclusive", None)
    for component in COMPONENTS:
        assert f"{component}: group f: 8 samples, fewer than min_group_size 10" in record.reason


@pytest.mark.parametrize("limit_kind", ["max_value", "min_value"])
def test_a_composite_of_disparities_has_no_value(limit_kind):
    with pytest.raises(Exception, match=f"{limit_kind} is not available for equalized_odds; allowed: max_difference"):
        audit(drawn(0), metric="equalized_odds", **{limit_kind: 0.5})


def test_a_composite_is_one_check_of_the_family():
    checks = [Check(m, ("sex",), "max_difference", 0.0) for m in ("equalized_odds", "accuracy")]
    odds, accuracy = audit_model("m", drawn(1), checks, Settings())
    assert (odds.family_size, accuracy.family_size) == (2, 2)
    alone = audit(drawn(1), metric="equalized_odds", max_difference=0.0)
    assert odds.p_violation == alone.p_violation
    assert dataclasses.replace(odds, component=None) != odds


@pytest.mark.parametrize("metric", ["equalized_odds", "balanced_accuracy"])
def test_groups_of_equal_rates_rarely_fail(metric):
    rng, runs, fails = np.random.default_rng(3), 15 if metric == "equalized_odds" else 120, 0
    for _ in range(runs):
        cells = {}
        for group, n in (("f", 40), ("m", 90)):
            fp, tp = rng.binomial(n, 0.3), rng.binomial(n, 0.7)
            cells[group] = (n - fp, fp, n - tp, tp)
        fails += audit(counted(cells), metric=metric, max_difference=0.0).verdict == "fail"
    assert fails / runs <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)


def test_balanced_accuracy_is_the_mean_of_its_rates():
    cells = {"f": (70, 30, 12, 28), "m": (90, 10, 20, 80)}
    record = audit(counted(cells), metric="balanced_accuracy", max_difference=0.1)
    by_hand = {g: (tp / (tp + fn) + tn / (tn + fp)) / 2 for g, (tn, fp, fn, tp) in cells.items()}
    assert {g.name[0]: g.rate for g in record.groups} == pytest.approx(by_hand)
    assert record.estimate == pytest.approx(by_hand["m"] - by_hand["f"])
    undefined = audit(counted({"f": (0, 0, 12, 28), "m": (90, 10, 20, 80)}), metric="balanced_accuracy", max_value=0.9)
    assert undefined.group(("f",)).rate is None
    assert "0 negatives" in undefined.reason


@pytest.mark.parametrize("cell", [(4, 3, 2, 3), (3, 2, 10, 20), (2, 3, 1, 4), (1, 4, 2, 5)])
def test_five_positives_or_negatives_are_enough_in_clusters_of_one_sample_too(cell):
    cells = {"f": cell, "m": (30, 10, 10, 30)}
    one, other = (
        audit(counted(cells, alone=alone), metric="balanced_accuracy", max_difference=0.5) for alone in (False, True)
    )
    assert [group.problem for group in other.groups] == [None, None]
    assert (one.verdict, one.reason) == (other.verdict, other.reason)
    assert (one.p_violation, one.p_compliance) == pytest.approx((other.p_violation, other.p_compliance))


@pytest.mark.parametrize(("hits", "shown"), [(1.98, "4.98"), (1.9996, "4.9996"), (2.0 - 1e-7, "4.9999999")])
def test_a_count_that_is_refused_is_not_shown_as_enough(hits, shown):
    worth = EffectiveCells(np.array([[20.0, 5.0, 3.0, hits]]))
    problem = BalancedAccuracy().problem(Measured(worth, np.array([60]), np.array([30])), 0)
    assert problem == f"worth {shown} positives and worth 25 negatives; 5 of each are needed"


@pytest.mark.parametrize(
    ("rate", "complement"),
    [("false_negative_rate", "true_positive_rate"), ("false_positive_rate", "true_negative_rate")],
)
@settings(max_examples=10)
@given(seed=st.integers(0, 2**20), clustered=st.booleans(), limit=st.sampled_from([0.0, 0.05, 0.2]))
@example(seed=58019, clustered=True, limit=0.0)  # where rounding said whether a variance is estimated
@example(seed=131, clustered=True, limit=0.0)
def test_a_rate_and_its_complement_differ_alike(rate, complement, seed, clustered, limit):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(60, 140))
    sex, y = rng.choice(["f", "m", "x"][: rng.integers(2, 4)], n), rng.random(n) < 0.5
    y_pred = rng.random(n) < np.where(y, 0.7, 0.3) + 0.2 * (sex == "f")
    cluster = rng.integers(0, n // 2, n) if clustered else None
    some = Predictions(y, y_pred, cluster=cluster, sensitive_features={"sex": sex})
    one, other = (audit(some, metric=name, max_difference=limit) for name in (rate, complement))
    assert (one.verdict, one.estimate is None) == (other.verdict, other.estimate is None)
    if one.estimate is not None:
        for name in ("estimate", "p_violation", "p_compliance"):  # a p-value is a maximum that is searched for
            assert getattr(one, name) == pytest.approx(getattr(other, name), abs=1e-6), name
        assert (one.low, one.high) == pytest.approx((other.low, other.high), abs=5e-5)
        assert {one.first, one.second} == {other.first, other.second} or len(one.groups) > 2
    ceiling, floor = audit(some, metric=rate, max_value=0.3), audit(some, metric=complement, min_value=0.7)
    if ceiling.estimate is not None:
        assert (1 - ceiling.high, 1 - ceiling.low) == pytest.approx((floor.low, floor.high))
        assert (ceiling.p_violation, ceiling.p_compliance) == pytest.approx((floor.p_violation, floor.p_compliance))


def test_the_intervals_of_calibrated_groups_hold_an_error_of_zero():
    """What is seen is biased upwards; a violation of a ceiling is shown without that, and the interval ends there."""
    rng = np.random.default_rng(5)
    scores, group = (rng.integers(0, 10, 800) + 0.5) / 10.0, np.repeat(["a", "b"], 400)
    some = Predictions(y_true=rng.random(800) < scores, y_score=scores, sensitive_features={"group": group})
    record = audit(some, metric="expected_calibration_error", max_difference=0.1)
    for name in ("a", "b"):
        own = some.y_true[group == name], scores[group == name]
        alone = Predictions(y_true=own[0], y_score=own[1], sensitive_features={"group": group[group == name]})
        worst = audit(alone, metric="expected_calibration_error", max_value=0.1)
        found = record.group((name,))
        assert found.rate > 0.02
        assert found.low == 0.0
        assert (found.low, found.high) == pytest.approx((worst.low, worst.high), rel=1e-9)
