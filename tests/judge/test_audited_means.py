"""Verdicts on means where some group does not vary, or looks lower than it may be."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fairness_checks import InvalidPredictions, Predictions, audit


def judged(errors, groups, *, site=None, **asked):
    features = {"g": groups} | ({} if site is None else {"site": site})
    return audit(Predictions(error=errors, sensitive_features=features), metric="mean_error", by="g", **asked)


@pytest.mark.parametrize("limit", [{"max_difference": 0.05}, {"max_value": 0.05}, {"min_value": 0.05}])
def test_a_group_too_small_to_be_judged_does_not_make_the_others_vary(limit):
    record = judged([0.0] * 40 + [0.1, 0.4, 0.2], ["a"] * 20 + ["b"] * 20 + ["c"] * 3, **limit)
    assert record.verdict == "inconclusive"
    assert "its 20 samples do not vary" in record.reason
    assert "min_group_size" in record.to_json()


@pytest.mark.parametrize("limit", [{"max_difference": 0.05}, {"max_value": 0.05}])
@pytest.mark.parametrize("value", [0.0, 0.3])
def test_nothing_is_shown_where_no_group_varies_in_any_stratum(limit, value):
    errors, groups, sites = [0.0] * 40 + [value] * 40, ["a"] * 40 + ["b"] * 40, ["x", "y"] * 40
    record = judged(errors, groups, site=sites, control_features="site", strata="combined", **limit)
    assert record.verdict == "inconclusive"
    assert "do not vary" in record.reason
    assert record.to_json()


def test_a_stratum_in_which_nothing_varies_leaves_the_others_to_decide():
    """The groups of one stratum vary and are not compared: each of them is alone in it."""
    errors = [0.0] * 40 + list(np.random.default_rng(0).random(30))
    groups, sites = ["a"] * 20 + ["b"] * 20 + ["c"] * 30, ["x"] * 40 + ["y"] * 30
    record = judged(errors, groups, site=sites, control_features="site", max_difference=0.05)
    assert record.verdict == "inconclusive"
    assert "do not vary" in record.reason
    assert record.to_json()


def test_a_group_that_never_errs_is_compared_over_strata_as_it_is_without_them():
    errors = [0.0] * 100 + list(np.random.default_rng(3).random(100))
    groups, sites = ["a"] * 100 + ["b"] * 100, ["x", "y"] * 100
    plain = judged(errors, groups, max_difference=0.05)
    combined = judged(errors, groups, site=sites, control_features="site", strata="combined", max_difference=0.05)
    assert plain.verdict == combined.verdict == "fail"
    assert combined.low == pytest.approx(plain.low, abs=0.01)
    assert combined.high == pytest.approx(plain.high, abs=0.01)


@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
def test_names_of_groups_do_not_decide_where_values_are_equal(names):
    first, second = names
    record = judged([0.0] * 16 + [5.0] * 4 + [0.5, 1.5] * 100, [first] * 20 + [second] * 200, max_difference=1.0)
    assert (record.estimate, record.verdict) == (0.0, "inconclusive")
    assert record.high == pytest.approx(1.348, abs=1e-3)

    def rows(tn, fp, fn, tp):
        return [0] * (tn + fp) + [1] * (fn + tp), [0] * tn + [1] * fp + [0] * fn + [1] * tp

    small, large = rows(9, 1, 1, 9), rows(900, 100, 100, 900)
    groups = {"g": [first] * 20 + [second] * 2000}
    predictions = Predictions(small[0] + large[0], small[1] + large[1], sensitive_features=groups)
    record = audit(predictions, metric="balanced_accuracy", by="g", max_difference=0.21)
    assert record.verdict == "inconclusive"
    assert record.p_compliance == pytest.approx(0.0517, abs=1e-3)


@pytest.mark.parametrize(
    ("unit", "message"), [(1e-80, "differ by 5e-80 at most"), (1e80, "outside \\[-1e\\+70, 1e\\+70\\]")]
)
def test_units_in_which_third_powers_are_no_numbers_are_refused(unit, message):
    errors = np.linspace(0.0, 5.0, 100) * unit
    with pytest.raises(InvalidPredictions, match=message):
        judged(errors, ["a", "b"] * 50, max_difference=unit)
    assert math.isfinite(judged(errors / unit, ["a", "b"] * 50, max_difference=1.0).high)


@pytest.mark.parametrize("draw", ["lognormal", "exponential", "normal"])
def test_a_groups_interval_holds_its_mean_as_often_as_it_says(draw):
    """Of 300 tables of groups of 20 and 60 errors; with usual variances 0.83 and 0.86 of 90 % for lognormal ones."""
    rng = np.random.default_rng(11)
    size, truth = {"lognormal": ((0.0, 1.0), math.exp(0.5)), "exponential": ((1.0,), 1.0), "normal": ((5.0, 1.0), 5.0)}[
        draw
    ]
    held = []
    for _ in range(300):
        errors = getattr(rng, draw)(*size, 80)
        rows = Predictions(error=errors, sensitive_features={"site": np.repeat(["a", "b"], [20, 60])})
        groups = audit(rows, metric="mean_absolute_error", by="site", max_difference=10.0).groups
        held += [group.low <= truth <= group.high for group in groups]
    assert np.mean(held) > 0.9 - 3 * math.sqrt(0.09 / len(held))


def test_a_groups_interval_ends_where_a_ceiling_and_a_floor_are_judged():
    rng = np.random.default_rng(12)
    rows = Predictions(error=rng.lognormal(0.0, 1.0, 90), sensitive_features={"site": np.repeat(["a", "b"], [30, 60])})
    ceiling = audit(rows, metric="mean_absolute_error", by="site", max_value=3.0)
    floor = audit(rows, metric="mean_absolute_error", by="site", min_value=1.0)
    assert ceiling.high == pytest.approx(max(group.high for group in ceiling.groups))
    assert floor.low == pytest.approx(min(group.low for group in floor.groups))
