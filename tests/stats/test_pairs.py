from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import optimize, special, stats

from fairness_checks.stats.pairs import block_pairs, judge_pairs
from fairness_checks.stats.simultaneous import Family

ALPHA = 0.05


class NormalPairs:
    """Estimates of known deviations; the optional attributes are set only where a test gives them."""

    largest = 50.0
    step = 1e-6

    def __init__(self, values, deviations, signed=False, **optional):
        self.values, self.deviations, self.signed = np.array(values), np.array(deviations, dtype=float), signed
        for name, value in optional.items():
            setattr(self, name, value)
        blocks = optional.get("blocks")
        self.first, self.second = block_pairs(np.zeros(len(self.values)) if blocks is None else blocks)
        difference = self.values[self.first] - self.values[self.second]
        self.disparity = difference if signed else np.abs(difference)
        self.scale = np.hypot(self.deviations[self.first], self.deviations[self.second])

    def violation(self, index, tolerance):
        near = special.ndtr((tolerance - self.disparity[index]) / self.scale[index])
        return near if self.signed else near + special.ndtr((-tolerance - self.disparity[index]) / self.scale[index])

    def compliance(self, index, tolerance):
        return special.ndtr((self.disparity[index] - tolerance) / self.scale[index])

    def scaled(self, tolerance):
        return tolerance


def judge(tests, tolerance):
    return judge_pairs(tests, tolerance, ALPHA)


def test_pairs_of_one_block_are_those_above_the_diagonal():
    for found, expected in zip(block_pairs(np.full(6, 3)), np.triu_indices(6, 1), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_pairs_across_blocks_do_not_exist():
    first, second = block_pairs(np.array([5, 2, 5, 9, 2, 5]))
    assert list(zip(first.tolist(), second.tolist(), strict=True)) == [(0, 2), (0, 5), (1, 4), (2, 5)]


@pytest.mark.parametrize("blocks", [[0], [3, 1, 2], []])
def test_blocks_of_one_group_each_have_nothing_to_compare(blocks):
    with pytest.raises(ValueError, match="no stratum has two groups"):
        block_pairs(np.array(blocks, dtype=int))


def bounds_by_the_formula(tests):
    """Both ends for estimates so precise that directions are never in doubt, from quantiles."""
    family = Family(tests.deviations, 0.0)

    def low(limit):
        critical = family.critical_value(limit, ALPHA)
        level = stats.norm.sf(critical) + stats.norm.sf(critical + 2.0 * limit / tests.scale)  # of each pair
        return np.max(tests.disparity - stats.norm.isf(level) * tests.scale)

    high = np.max(tests.disparity + stats.norm.isf(ALPHA) * tests.scale)
    return optimize.brentq(lambda limit: low(limit) - limit, 0.0, 50.0), high


@given(st.integers(3, 8), st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.5, 2.0]))
@settings(max_examples=40, deadline=None)
def test_the_interval_of_normal_estimates_follows_from_the_critical_value(groups, seed, tolerance):
    rng = np.random.default_rng(seed)
    tests = NormalPairs(rng.normal(0.0, 2.0, groups), rng.uniform(0.01, 0.1, groups))
    assume(tests.disparity.max() > 1.0 and abs(tests.disparity.max() - tolerance) > 0.5)
    found = judge(tests, tolerance)
    assert (found.low, found.high) == pytest.approx(bounds_by_the_formula(tests), abs=1e-4)
    assert (found.p_violation < ALPHA) == (found.low > tolerance)


@pytest.mark.slow
@given(st.integers(2, 6), st.integers(0, 2**32 - 1), st.floats(0.0, 3.0), st.floats(0.01, 1.5))
@settings(max_examples=25, deadline=None)
def test_each_end_is_the_last_tolerance_of_a_scan(groups, seed, tolerance, spread):
    rng = np.random.default_rng(seed)
    tests = NormalPairs(rng.normal(0.0, 1.0, groups), rng.uniform(0.2, 1.0, groups) * spread)
    found = judge(tests, tolerance)
    everyone = np.arange(len(tests.first))
    family = Family(tests.deviations, tolerance)
    scan = np.linspace(0.0, 12.0, 241)
    violated = [np.any(family.excess(tests.violation(everyone, t), tests.scale, t, ALPHA) > 0.0) for t in scan]
    undecided = [np.any(tests.compliance(everyone, t) > ALPHA) for t in scan]
    assert found.low == pytest.approx(max(scan[violated], default=0.0), abs=0.0501)
    assert found.high == pytest.approx(max(scan[undecided], default=0.0), abs=0.0501)


def test_a_pair_of_two_groups_is_not_adjusted():
    found = judge(NormalPairs([0.0, 1.0], [0.3, 0.4]), 0.25)
    assert found.p_violation == pytest.approx(stats.norm.sf(1.5) + stats.norm.sf(2.5))
    assert found.p_compliance == pytest.approx(stats.norm.cdf(1.5))
    assert found.level == ALPHA


def test_only_pairs_within_a_block_count():
    values, deviations, blocks = [0.0, 0.1, 9.0, 9.2], [0.05, 0.05, 0.05, 0.05], np.array([0, 0, 1, 1])
    found = judge(NormalPairs(values, deviations, blocks=blocks), 0.0)
    scale = math.hypot(0.05, 0.05)
    assert found.p_violation == pytest.approx(1.0 - (1.0 - 2.0 * stats.norm.sf(0.2 / scale)) ** 2)
    assert found.shown == 1
    assert found.high == pytest.approx(0.2 + stats.norm.ppf(0.95) * scale, abs=1e-5)
    one = judge(NormalPairs(values, deviations), 0.0)
    assert one.p_violation < 1e-100
    assert one.high > 9.0


def test_a_signed_disparity_is_searched_below_zero():
    tests = NormalPairs([-0.4, 0.0], [0.03, 0.04], signed=True, smallest=-1.0)
    found = judge(tests, 0.1)
    assert (found.low, found.high) == pytest.approx(
        (-0.4 + stats.norm.ppf(ALPHA) * 0.05, -0.4 - stats.norm.ppf(ALPHA) * 0.05), abs=1e-5
    )
    assert found.p_violation > 0.99
    assert found.p_compliance < 1e-10
    # Without the attribute no tolerance is below 0.
    assert (judge(NormalPairs([-0.4, 0.0], [0.03, 0.04], signed=True), 0.1).low) == 0.0


@pytest.mark.parametrize("tolerance", [-0.6, -0.2, 0.0, 0.1])
def test_a_negative_tolerance_has_the_critical_value_of_zero(tolerance):
    values, deviations = [-0.4, 0.0, -0.3], [0.03, 0.04, 0.05]
    tests = NormalPairs(values, deviations, signed=True, smallest=-1.0)
    found = judge(tests, tolerance)
    assert (found.p_violation < ALPHA) == (found.low > tolerance)
    assert (found.p_compliance < ALPHA) == (found.high < tolerance)
    assert found.low < tests.disparity.max() < found.high


def test_a_tolerance_at_the_lowest_leaves_nothing_to_search():
    found = judge(NormalPairs([0.0, 0.0, 0.0], [1.0, 1.0, 1.0]), 0.0)
    assert found.low == 0.0
    assert found.high == pytest.approx(stats.norm.ppf(0.95) * math.sqrt(2.0), abs=1e-5)


@given(st.integers(2, 6), st.integers(0, 2**32 - 1), st.lists(st.floats(0.0, 3.0), min_size=2, max_size=2))
@settings(max_examples=25, deadline=None)
def test_the_interval_is_the_same_whatever_is_asked(groups, seed, tolerances):
    rng = np.random.default_rng(seed)
    tests = NormalPairs(rng.normal(0.0, 1.0, groups), rng.uniform(0.1, 0.5, groups))
    one, other = (judge(tests, tolerance) for tolerance in tolerances)
    assert (one.low, one.high) == pytest.approx((other.low, other.high), abs=1e-5)
