"""Plans are checked by simulating the gate's own verdicts at the planned sizes, and against a textbook formula."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import NormalIndPower
from statsmodels.stats.proportion import proportion_effectsize

from fairness_checks import plan_sample_size
from fairness_checks.errors import ConfigurationError
from fairness_checks.stats.disparity import p_outside, p_within
from fairness_checks.stats.exact import Pairs


@pytest.mark.parametrize(
    ("rates", "limit", "allocation"),
    [
        ((0.30, 0.15), {"max_difference": 0.05}, 1.0),
        ((0.15, 0.30), {"max_difference": 0.05}, 2.0),
        ((0.20, 0.20), {"max_difference": 0.10}, 0.5),
        ((0.20, 0.45), {"min_ratio": 0.8}, 1.0),
        ((0.50, 0.50), {"min_ratio": 0.8}, 1.0),
    ],
)
def test_the_planned_samples_settle_the_limit_with_the_planned_power(rates, limit, allocation):
    plan = plan_sample_size(first_value=rates[0], second_value=rates[1], allocation=allocation, **limit)
    assert plan.second == pytest.approx(plan.first * allocation, abs=1.5)
    rng = np.random.default_rng(1)
    sizes = (plan.first, plan.second)
    x1, x2 = (rng.binomial(n, rate, 4_000).astype(float) for n, rate in zip(sizes, rates, strict=True))
    tables, counts = np.unique(np.stack([x1, x2]), axis=1, return_counts=True)
    pairs = Pairs(tables[0], np.full(len(counts), float(sizes[0])), tables[1], np.full(len(counts), float(sizes[1])))
    contrast = "difference" if "max_difference" in limit else "ratio"
    tolerance = limit.get("max_difference", 1.0 - limit.get("min_ratio", 1.0))
    test = p_within if plan.shows == "compliance" else p_outside
    settled = np.average(test(pairs, tolerance, contrast) < 0.05, weights=counts)
    assert settled == pytest.approx(0.8, abs=0.04)


def test_without_a_margin_the_plan_is_near_the_textbook_two_sided_one():
    plan = plan_sample_size(first_value=0.35, second_value=0.25, max_difference=0.0)
    effect = proportion_effectsize(0.35, 0.25)
    assert plan.first == pytest.approx(NormalIndPower().solve_power(effect, alpha=0.05, power=0.8), rel=0.02)


def test_more_checks_and_more_power_need_more_samples_and_compliance_needs_no_adjustment():
    rates = {"first_value": 0.30, "second_value": 0.15, "max_difference": 0.05}
    one, five = (plan_sample_size(**rates, checks=checks).first for checks in (1, 5))
    z = [stats.norm.ppf(1 - alpha) + stats.norm.ppf(0.8) for alpha in (0.05, 0.01)]
    assert five / one == pytest.approx((z[1] / z[0]) ** 2, rel=0.02)
    assert plan_sample_size(**rates, power=0.9).first > one
    equal = {"first_value": 0.2, "second_value": 0.2, "max_difference": 0.05}
    assert plan_sample_size(**equal, checks=5) == plan_sample_size(**equal)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"first_value": 1.2, "second_value": 0.1, "max_difference": 0.1}, r"first_value: 1.2 is outside \[0, 1\]"),
        ({"first_value": 0.2, "second_value": 0.1}, "exactly one of max_difference, min_ratio"),
        ({"first_value": 0.2, "second_value": 0.1, "max_difference": 0.1, "min_ratio": 0.8}, "exactly one of"),
        ({"first_value": 0.2, "second_value": 0.1, "max_difference": 1.0}, "max_difference: 1 is impossible"),
        ({"first_value": 0.2, "second_value": 0.1, "max_difference": 0.1}, "lie on max_difference 0.1"),
        ({"first_value": 0.2, "second_value": 0.1, "min_ratio": 0.9, "allocation": 0.0}, "allocation: 0 is outside"),
        ({"first_value": 0.2, "second_value": 0.1, "min_ratio": 0.9, "alpha": 0.5}, "alpha: 0.5 is outside"),
        ({"first_value": 0.2, "second_value": 0.1, "min_ratio": 0.9, "power": 0.4}, "power: 0.4 is outside"),
        ({"first_value": 0.2, "second_value": 0.1, "min_ratio": 0.9, "checks": 0}, "checks: 0 must be at least 1"),
    ],
)
def test_impossible_plans_are_named(given, message):
    with pytest.raises(ConfigurationError, match=message):
        plan_sample_size(**given)
