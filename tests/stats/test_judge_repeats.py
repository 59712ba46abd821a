from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from fairness_checks.stats.judge_repeats import judge_gaps, largest_p, repeats_compliance, repeats_violation
from fairness_checks.stats.repeats import repeat_estimates

ALPHA = 0.05
NAN = float("nan")


def judge(gaps, limit, **optional):
    gaps = np.atleast_2d(np.asarray(gaps, dtype=float))
    pairs = {"first": np.zeros(len(gaps), int), "second": np.ones(len(gaps), int)}
    return judge_gaps(gaps, limit, ALPHA, n_train=700, n_test=300, **(pairs | optional))


def correlated(rng, size, gaps, correlation):
    common = rng.normal(size=(*size, 1))
    return math.sqrt(correlation) * common + math.sqrt(1 - correlation) * rng.normal(size=(*size, gaps))


def test_two_sided_p_and_interval_are_those_of_students_t():
    gaps = np.random.default_rng(0).normal(0.12, 0.05, 25)
    error = math.sqrt(gaps.var(ddof=1) * (1 / 25 + 3 / 7))
    found = judge(gaps, 0.0).inference
    assert found.p_violation == pytest.approx(2 * stats.t.sf(gaps.mean() / error, 24))
    beyond = judge(gaps, 0.1).inference
    assert beyond.p_compliance == pytest.approx(stats.t.cdf((gaps.mean() - 0.1) / error, 24))
    assert beyond.high == pytest.approx(gaps.mean() + stats.t.ppf(0.95, 24) * error)
    assert (found.estimate, found.standard_error, found.level) == pytest.approx((gaps.mean(), error, ALPHA))


@pytest.mark.parametrize("mean", [0.05, 0.2, -0.3])
def test_the_interval_holds_the_limits_that_neither_test_rejects(mean):
    gaps = np.random.default_rng(1).normal(mean, 0.06, (3, 20))
    found = judge(gaps, 0.1).inference
    assert (
        judge(gaps, found.high + 1e-6).inference.p_compliance
        < ALPHA
        < judge(gaps, found.high - 1e-6).inference.p_compliance
    )
    if found.low > 0.0:
        assert judge(gaps, found.low - 1e-5).inference.p_violation < ALPHA
        assert judge(gaps, found.low + 1e-5).inference.p_violation > ALPHA
    else:
        assert judge(gaps, 0.0).inference.p_violation >= ALPHA


def test_the_sign_says_which_group_is_higher():
    gaps = np.random.default_rng(2).normal(-0.3, 0.02, 20)
    found = judge(gaps, 0.05, first=[4], second=[7])
    assert (found.inference.first, found.inference.second) == (7, 4)
    turned = judge(-gaps, 0.05, first=[4], second=[7])
    assert turned.inference.p_violation == found.inference.p_violation
    assert turned.inference.first == 4


@pytest.mark.parametrize("correlation", [0.3, 0.7, 0.95])
@pytest.mark.parametrize("shift", [0.0, 1.0, 9.0])
def test_the_adjusted_p_is_the_chance_of_so_small_a_p_among_equally_correlated_ones(correlation, shift):
    rng = np.random.default_rng(3)
    z = correlated(rng, (100_000,), 6, correlation)
    near = np.abs(z + shift / 2) - shift / 2  # gaps at the upper limit, both directions counted
    p = stats.norm.sf(near) + stats.norm.sf(near + shift)
    least = 0.012
    chance = float(np.mean(p.min(axis=1) <= least))
    assert largest_p(least, np.full(6, shift), correlation) == pytest.approx(chance, abs=0.002)


def test_uncorrelated_gaps_and_opposite_ones_leave_bonferronis_bound():
    assert largest_p(0.004, np.full(5, 9.0), 0.0) == pytest.approx(0.02)
    assert largest_p(0.004, np.full(5, 9.0), -0.3) == pytest.approx(0.02)
    assert largest_p(0.004, np.full(5, 9.0), 1.0) == pytest.approx(0.004, rel=0.3)
    assert largest_p(0.3, np.full(5, 9.0), 0.5) <= 1.0


@pytest.mark.parametrize("limit", [0.0, 0.5])
def test_false_alarms_over_many_gaps_stay_at_the_level(limit):
    rng = np.random.default_rng(4)
    share, repeats, sweeps, count = 0.3, 20, 200, 5
    fails = 0
    for _ in range(sweeps):
        table = correlated(rng, (1,), count, 0.6)
        gaps = limit + math.sqrt(share) * table + math.sqrt(1 - share) * correlated(rng, (repeats,), count, 0.6)
        fails += judge(gaps.T, limit, largest=math.inf).inference.p_violation < ALPHA
    assert 0.01 < fails / sweeps < ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / sweeps)


def test_order_and_direction_of_gaps_change_nothing():
    rng = np.random.default_rng(5)
    gaps = 0.1 + 0.05 * correlated(rng, (20,), 4, 0.7).T
    found, order = judge(gaps, 0.02), np.array([2, 0, 3, 1])
    again = judge(gaps[order], 0.02)
    assert again.inference.p_violation == pytest.approx(found.inference.p_violation, rel=1e-9)
    assert order[again.shown] == found.shown
    turned = judge(gaps * np.array([[1], [-1], [1], [-1]]), 0.02)
    assert turned.inference.p_violation == pytest.approx(found.inference.p_violation, rel=1e-9)
    assert found.inference.comparisons == 4
    assert "max-t over 4 gaps" in found.inference.method


def test_every_gap_must_comply():
    rng = np.random.default_rng(6)
    gaps = np.stack([rng.normal(0.0, 0.01, 20), rng.normal(0.1, 0.01, 20)])
    assert judge(gaps[0], 0.05).inference.p_compliance < 1e-4
    assert judge(gaps, 0.05).inference.p_compliance > 0.99


def test_repeats_left_out_are_counted_and_too_many_are_refused():
    gaps = np.random.default_rng(7).normal(0.2, 0.02, (1, 20))
    gaps[0, 3] = NAN
    assert judge(gaps, 0.05).left_out == 1
    gaps[0, 5:8] = NAN
    with pytest.raises(ValueError, match=r"gaps \[0\] are undefined in too many repeats"):
        judge(gaps, 0.05)


def test_repeats_that_all_agree_prove_nothing_by_themselves():
    with pytest.raises(ValueError, match=r"gaps \[0\] are the same in all repeats"):
        judge([0.0] * 10, 0.05)
    found = judge([0.0] * 10, 0.05, test_variance=[0.02])
    assert found.inference.p_compliance > ALPHA


def test_the_margin_tests_are_students_t_at_the_margin():
    gaps = np.random.default_rng(8).normal(0.2, 0.1, (3, 12))
    found = repeat_estimates(gaps, 80, 20)
    error, size = np.sqrt(found.variance), np.abs(found.value)
    near, far = stats.t.sf((size - 0.1) / error, 11), stats.t.sf((size + 0.1) / error, 11)
    assert repeats_violation(found, 0.1) == pytest.approx(near + far)
    assert repeats_compliance(found, 0.1) == pytest.approx(1 - near)
