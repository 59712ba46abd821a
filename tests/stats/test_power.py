from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from fairness_checks.stats.power import (
    POWER,
    detectable_disparity,
    detectable_value,
    needed_factor,
    needed_factor_difference,
    needed_factor_value,
)
from fairness_checks.stats.proportions import score_statistic

RUNS = 20_000
ABOUT = pytest.approx(POWER, abs=0.025)


def shown(p1, n1, p2, n2, margin, contrast, alpha, direction):
    """Share of simulated studies that the score test finds above the margin (+1), or between both margins (-1)."""
    rng = np.random.default_rng(3)
    x1, x2 = rng.binomial(n1, p1, RUNS), rng.binomial(n2, p2, RUNS)
    z = score_statistic(x1, n1, x2, n2, margin, contrast)
    if direction > 0:
        return float((z > stats.norm.isf(alpha)).mean())
    above_low = score_statistic(x1, n1, x2, n2, -margin if contrast == "difference" else 1.0 / margin, contrast)
    return float((np.minimum(-z, above_low) > stats.norm.isf(alpha)).mean())


def margin_of(limit, contrast):
    return limit if contrast == "difference" else 1.0 / limit


CASES = [
    ("violation", "difference", 0.05, (0.35, 0.2), (100, 150), 0.05),
    ("violation", "difference", 0.1, (0.6, 0.4), (80, 300), 0.05 / 6),
    ("compliance", "difference", 0.15, (0.25, 0.2), (100, 150), 0.05),
    ("compliance", "difference", 0.1, (0.3, 0.3), (200, 100), 0.05),
    ("violation", "ratio", 0.8, (0.5, 0.25), (100, 150), 0.05),
    ("compliance", "ratio", 0.5, (0.4, 0.36), (120, 90), 0.05),
]


@pytest.mark.parametrize(("direction", "contrast", "limit", "rates", "sizes", "alpha"), CASES)
def test_the_needed_samples_settle_the_limit_with_that_power(direction, contrast, limit, rates, sizes, alpha):
    factor = needed_factor(rates[0], sizes[0], rates[1], sizes[1], limit, contrast, alpha)
    n1, n2 = (math.ceil(size * factor) for size in sizes)
    sign = 1 if direction == "violation" else -1
    assert shown(rates[0], n1, rates[1], n2, margin_of(limit, contrast), contrast, alpha, sign) == ABOUT


@pytest.mark.parametrize(("contrast", "limit"), [("difference", 0.0), ("ratio", 1.0)])
def test_where_only_equality_is_allowed_both_directions_count(contrast, limit):
    factor = needed_factor(0.35, 100, 0.25, 150, limit, contrast, 0.05)
    n1, n2 = math.ceil(100 * factor), math.ceil(150 * factor)
    assert shown(0.35, n1, 0.25, n2, margin_of(limit, contrast), contrast, 0.025, 1) == ABOUT


def test_needed_samples_equal_farrington_and_mannings_formula_solved_on_a_grid():
    n = 1_000.0
    factor = needed_factor(0.1, n, 0.1, n, 0.2, "difference", 0.05)
    # Restricted rates for p1 - p2 = 0.2 maximise the expected log-likelihood on a fine grid.
    p2 = np.linspace(1e-6, 0.8 - 1e-6, 800_001)
    p1 = p2 + 0.2
    best = np.argmax(0.1 * np.log(p1) + 0.9 * np.log(1 - p1) + 0.1 * np.log(p2) + 0.9 * np.log(1 - p2))
    null = math.sqrt(p1[best] * (1 - p1[best]) + p2[best] * (1 - p2[best]))
    # Rates and sizes are equal, so that each of the two one-sided tests misses half of the 20 %.
    expected = ((stats.norm.isf(0.05) * null + stats.norm.isf(0.1) * math.sqrt(0.18)) / 0.2) ** 2
    assert factor * n == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("contrast", "limit", "lower", "sizes", "alpha"),
    [
        ("difference", 0.05, 0.2, (200, 300), 0.05),
        ("difference", 0.1, 0.4, (900, 150), 0.01),
        ("ratio", 0.8, 0.3, (250, 250), 0.05),
    ],
)
def test_the_detectable_disparity_is_shown_with_that_power(contrast, limit, lower, sizes, alpha):
    found = detectable_disparity(lower, *sizes, limit, contrast, alpha)
    higher = lower + found if contrast == "difference" else lower / found
    assert found > limit if contrast == "difference" else found < limit
    assert shown(higher, sizes[0], lower, sizes[1], margin_of(limit, contrast), contrast, alpha, 1) == ABOUT


@pytest.mark.parametrize(("rate", "limit", "n"), [(0.25, 0.2, 100), (0.16, 0.2, 100), (0.55, 0.5, 50)])
def test_the_needed_samples_of_one_group_settle_a_ceiling_with_that_power(rate, limit, n):
    grown = math.ceil(n * needed_factor_value(rate, n, limit, 0.05))
    x = np.arange(grown + 1)
    p = stats.binom.sf(x - 1, grown, limit) if rate > limit else stats.binom.cdf(x, grown, limit)
    power = stats.binom.pmf(x, grown, rate)[p < 0.05].sum()
    assert power == pytest.approx(POWER, abs=0.04)  # the exact test's steps


def test_the_detectable_value_is_shown_with_that_power():
    rate = detectable_value(600, 0.2, 0.05)
    x = np.arange(601)
    power = stats.binom.pmf(x, 600, rate)[stats.binom.sf(x - 1, 600, 0.2) < 0.05].sum()
    assert rate > 0.2
    assert power == pytest.approx(POWER, abs=0.04)


def test_no_samples_settle_rates_on_the_limit():
    assert needed_factor(0.3, 100, 0.2, 100, 0.3 - 0.2, "difference", 0.05) is None
    assert needed_factor(0.3 + 1e-9, 100, 0.2, 100, 0.3 - 0.2, "difference", 0.05) is None
    assert needed_factor(0.5, 100, 0.25, 100, 0.5, "ratio", 0.05) is None
    assert needed_factor_value(0.2, 100, 0.2, 0.05) is None


def test_some_groups_cannot_show_any_disparity():
    assert detectable_disparity(0.95, 1_000, 1_000, 0.1, "difference", 0.05) is None  # no rate is that high
    assert detectable_disparity(0.9, 1_000, 1_000, 0.8, "ratio", 0.05) is None
    assert detectable_disparity(0.5, 2, 2, 0.3, "difference", 0.05) is None
    assert detectable_value(1, 0.5, 0.05) is None


def test_a_rate_of_zero_is_no_detectable_disparity():
    assert detectable_disparity(0.0, 30, 30, 0.0, "difference", 0.05) > 0.05
    assert detectable_disparity(0.0, 30, 30, 0.8, "ratio", 0.05) == 0.0
    assert detectable_value(30, 0.0, 0.05) > 0.01


def test_more_samples_detect_less():
    found = [detectable_disparity(0.2, n, n, 0.05, "difference", 0.05) for n in (50, 100, 400, 10_000, 10**7)]
    assert found == sorted(found, reverse=True)
    assert found[-1] == pytest.approx(0.05, abs=0.001)


@pytest.mark.parametrize("groups", [2, 3, 6])
def test_equal_groups_comply_together_with_the_power_of_the_studentized_range(groups):
    factor = needed_factor_difference(0.0, 0.1, 0.2, 0.05, 0.05, 0.9, groups)
    error = 0.1 / math.sqrt(factor)
    widest = (0.2 - stats.norm.isf(0.05) * error) / (error / math.sqrt(2.0))  # range of the estimates, in their errors
    assert stats.studentized_range.cdf(widest, groups, np.inf) == pytest.approx(0.9, abs=1e-4)


def test_groups_at_both_ends_comply_together_with_that_power():
    factor = needed_factor_difference(0.1, 0.1, 0.2, 0.05, 0.05, 0.8, 6)
    error = 0.1 / math.sqrt(factor)
    rng = np.random.default_rng(4)
    values = rng.normal([0.1] * 3 + [0.0] * 3, error / math.sqrt(2.0), (RUNS, 6))
    assert (np.ptp(values, axis=1) < 0.2 - stats.norm.isf(0.05) * error).mean() == ABOUT


def test_more_power_for_one_group_needs_more_samples():
    factor = needed_factor_value(0.55, 1.0, 0.5, 0.05, 0.9)
    expected = ((stats.norm.isf(0.05) * 0.5 + stats.norm.isf(0.1) * math.sqrt(0.55 * 0.45)) / 0.05) ** 2
    assert factor == pytest.approx(expected)
