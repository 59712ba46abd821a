from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from fairness_checks.stats.estimates import estimates_compliance, estimates_violation, straightened
from fairness_checks.stats.means import mean_estimates, means_compliance, means_violation
from fairness_checks.stats.moments import MeanStatistics, moments_by_group
from fairness_checks.stats.skewness import can_be_judged, unseen_variances, violation_variances
from tests.builders import mirrored, moments_of

FIRST, SECOND = np.array([0]), np.array([1])
SEEDS = st.integers(0, 2**32 - 1)


def outside(statistics, margin):
    return float(means_violation(statistics, FIRST, SECOND, margin)[0])


def within(statistics, margin):
    return float(means_compliance(statistics, FIRST, SECOND, margin)[0])


@settings(max_examples=50, deadline=None)
@given(SEEDS)
def test_permuting_rows_and_swapping_groups(seed):
    rng = np.random.default_rng(seed)
    codes, values = rng.integers(0, 2, 80), rng.exponential(1.0, 80)
    statistics = moments_by_group(codes, 2, values)
    order = rng.permutation(80)
    shuffled = moments_by_group(codes[order], 2, values[order])
    swapped = moments_by_group(1 - codes, 2, values)
    for other in (shuffled, swapped):
        assert outside(other, 0.2) == pytest.approx(outside(statistics, 0.2), rel=1e-9)
        assert within(other, 0.2) == pytest.approx(within(statistics, 0.2), rel=1e-9)


@settings(max_examples=50, deadline=None)
@given(SEEDS, st.floats(1e-12, 1e12))
def test_scaling_errors_and_limit_changes_no_p_value(seed, factor):
    rng = np.random.default_rng(seed)
    x, y = rng.lognormal(0.0, 1.0, 30), rng.lognormal(0.3, 1.0, 50)
    one, other = moments_of(x, y), moments_of(factor * x, factor * y)
    assert outside(other, 0.4 * factor) == pytest.approx(outside(one, 0.4), rel=1e-8)
    assert within(other, 0.4 * factor) == pytest.approx(within(one, 0.4), rel=1e-8)


@settings(max_examples=50, deadline=None)
@given(SEEDS)
def test_reflecting_errors_changes_no_p_value(seed):
    rng = np.random.default_rng(seed)
    x, y = rng.lognormal(0.0, 1.0, 30), rng.lognormal(0.3, 1.0, 50)
    one, other = moments_of(x, y), moments_of(-x, -y)
    assert outside(other, 0.4) == pytest.approx(outside(one, 0.4), rel=1e-8)
    assert within(other, 0.4) == pytest.approx(within(one, 0.4), rel=1e-8)


@pytest.mark.parametrize(("size1", "size2"), [(20, 40), (100, 20)])
def test_margin_zero_is_the_two_sided_welch_test(size1, size2):
    rng = np.random.default_rng(7)
    skewed = rng.exponential(1.0, size1), rng.lognormal(0.2, 1.0, size2)
    estimates = mean_estimates(moments_of(*skewed))
    expected = stats.ttest_ind(*skewed, equal_var=False).pvalue
    assert_allclose(estimates_violation(estimates, FIRST, SECOND, 0.0), expected, rtol=1e-10)
    symmetric = mirrored(rng, size1, 3.0, 1.0), mirrored(rng, size2, 3.3, 2.0)
    expected = stats.ttest_ind(*symmetric, equal_var=False).pvalue
    assert outside(moments_of(*symmetric), 0.0) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("margin", [0.1, 0.5, 1.5])
@pytest.mark.parametrize("shift", [-1.0, 1.0])
def test_margins_agree_with_statsmodels(margin, shift):
    rng = np.random.default_rng(8)
    x, y = mirrored(rng, 34, 3.0 + shift, 1.0), mirrored(rng, 62, 3.0, 2.0)
    high, low = (x, y) if x.mean() > y.mean() else (y, x)
    compare = CompareMeans(DescrStatsW(high), DescrStatsW(low))

    def t_test(alternative, value):
        return compare.ttest_ind(alternative=alternative, usevar="unequal", value=value)[1]

    statistics = moments_of(x, y)
    # Both directions count for a violation: the tails beyond the margin and beyond its mirror image.
    expected = t_test("larger", margin) + t_test("larger", -margin)
    assert outside(statistics, margin) == pytest.approx(expected, rel=1e-10)
    assert within(statistics, margin) == pytest.approx(t_test("smaller", margin), rel=1e-10)


def test_known_variances_agree_with_the_z_test():
    rng = np.random.default_rng(9)
    x, y = rng.normal(1.0, 1.0, 50), rng.normal(0.0, 2.0, 70)
    estimates = mean_estimates(moments_of(x, y))
    known = type(estimates)(estimates.value, estimates.variance, np.full(2, np.inf))
    compare = CompareMeans(DescrStatsW(x), DescrStatsW(y))
    expected = compare.ztest_ind(alternative="smaller", usevar="unequal", value=1.6)[1]
    with np.errstate(divide="ignore"):
        assert_allclose(estimates_compliance(known, FIRST, SECOND, 1.6), expected, rtol=1e-10)


@pytest.mark.parametrize(("sign", "widened"), [(1.0, [True, False]), (-1.0, [False, True])])
def test_only_the_side_that_skewness_endangers_is_widened(sign, widened):
    rng = np.random.default_rng(10)
    statistics = moments_of(sign * rng.exponential(1.0, 200) + 5.0, sign * rng.exponential(1.0, 200))
    plain = mean_estimates(statistics).variance
    may_be_higher, may_be_lower = unseen_variances(statistics)
    sides = np.array([may_be_higher[0], may_be_lower[1]]) > plain * (1.0 + 1e-9)
    assert sides.tolist() == widened


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_violation_is_widened_for_skewness_that_does_not_cancel(sign):
    """Errors skewed to the right hide the lower mean's large ones; those skewed to the left the higher mean's."""
    rng = np.random.default_rng(10)
    skewed, symmetric = sign * rng.exponential(1.0, 200), mirrored(rng, 200, 0.0, 0.5)

    def widening(higher, lower):
        statistics = moments_of(higher + 9.0, lower)
        of_higher, of_lower, _ = violation_variances(statistics, FIRST, SECOND)
        return float(np.sqrt((of_higher + of_lower).item() / mean_estimates(statistics).variance.sum()))

    endangered, safe = (symmetric, skewed), (skewed, symmetric)
    if sign < 0.0:
        endangered, safe = safe, endangered
    assert widening(*safe) == pytest.approx(1.0, abs=0.005)  # the variance is drawn to the pooled one by g^2 / n
    assert widening(*endangered) > 1.1
    assert 1.0 <= widening(skewed, rng.permutation(skewed)) < 1.05


def test_nothing_is_shown_by_constants_single_samples_and_empty_groups():
    constant = moments_of([0.1] * 30, [0.1, np.nextafter(0.1, 1.0)] * 25)  # constant but for rounding
    assert can_be_judged(constant).tolist() == [False, False]
    assert (outside(constant, 0.0), within(constant, 0.5)) == (1.0, 1.0)
    statistics = moments_of([1.0, 2.0, 3.0], [9.0], [])
    assert can_be_judged(statistics).tolist() == [True, False, False]
    assert_array_equal(means_violation(statistics, np.array([0, 0]), np.array([1, 2]), 0.1), [1.0, 1.0])
    assert_array_equal(means_compliance(statistics, np.array([0, 0]), np.array([1, 2]), 99.0), [1.0, 1.0])


def test_a_constant_group_takes_the_pooled_variance():
    statistics = moments_of([0.0] * 20, mirrored(np.random.default_rng(11), 40, 1.0, 1.0))
    pooled = statistics.m2.sum() / 58
    for variance in unseen_variances(statistics):
        assert_allclose(variance, [pooled / 20, statistics.m2[1] / 39 / 40], rtol=1e-10)


def test_compliance_is_shown_in_both_directions_whichever_mean_was_seen_higher():
    """A small group that missed its large errors looks lower, and may be far higher: its own side is widened."""
    skewed, even = [0.0] * 16 + [5.0] * 4, [0.5, 1.5] * 100
    for shift in (-1e-9, 0.0, 1e-9):  # the means are equal but for that
        statistics = moments_of(np.add(skewed, shift), even)
        may_be_higher, may_be_lower = unseen_variances(statistics)
        sides = [stats.norm.sf(1.4 / math.sqrt(may_be_higher[i] + may_be_lower[j])) for i, j in ((0, 1), (1, 0))]
        assert within(statistics, 1.4) > 0.9 * max(sides) > 2.0 * min(sides)
        assert within(statistics, 1.4) == pytest.approx(means_compliance(statistics, SECOND, FIRST, 1.4)[0], rel=1e-12)
        assert within(statistics, 1.4) == pytest.approx(0.0443, abs=1e-3)


def test_means_of_very_different_shape_pass_wrongly_in_alpha_at_most():
    """At the limit, with the skewed group the smaller one: 0.12 where only the direction seen was tested."""
    rng, sets, limit = np.random.default_rng(1), 2_000, 1.078
    draws = rng.lognormal(0.0, 1.5, (sets, 50)), rng.normal(math.exp(1.125) - limit, 0.3, (sets, 1000))
    passes = [within(moments_of(x, y), limit) < 0.05 for x, y in zip(*draws, strict=True)]
    assert np.mean(passes) < 0.05 + 3.0 * math.sqrt(0.05 * 0.95 / sets)


@pytest.mark.parametrize("unit", [1e-60, 1e60])
def test_the_unit_of_the_errors_does_not_matter(unit):
    rng = np.random.default_rng(3)
    x, y = rng.lognormal(0.0, 1.0, 80) + 0.5, rng.lognormal(0.0, 1.0, 120)
    for test in (outside, within):
        assert test(moments_of(x * unit, y * unit), 0.3 * unit) == pytest.approx(test(moments_of(x, y), 0.3), rel=1e-9)


def test_normal_errors_keep_their_power():
    rng = np.random.default_rng(12)
    plain, ours = np.zeros(2), np.zeros(2)
    for _ in range(400):
        unequal = moments_of(rng.normal(0.4, 1.0, 100), rng.normal(0.0, 1.0, 200))
        equal = moments_of(rng.normal(0.0, 1.0, 100), rng.normal(0.0, 1.0, 200))
        ours += outside(unequal, 0.1) < 0.05, within(equal, 0.35) < 0.05
        p_outside = estimates_violation(mean_estimates(unequal), FIRST, SECOND, 0.1)[0]
        plain += p_outside < 0.05, estimates_compliance(mean_estimates(equal), FIRST, SECOND, 0.35)[0] < 0.05
    assert np.all((plain > 200) & (plain < 380))
    assert np.all(ours >= 0.9 * plain)


def lognormal(rng, size):
    return rng.lognormal(0.0, 1.0, size)


def zero_inflated(rng, size):
    return np.where(rng.random(size) < 0.9, 0.0, rng.lognormal(0.0, 0.5, size))


@pytest.mark.parametrize(
    ("draw", "scale", "shift", "limit", "p_value", "plain_p_value"),
    [
        (lognormal, 2.0, 0.0, math.exp(0.5), within, estimates_compliance),
        (zero_inflated, 1.0, 1.0, 1.0, outside, estimates_violation),
    ],
    ids=["wrong pass", "false fail"],
)
def test_level_at_the_limit(draw, scale, shift, limit, p_value, plain_p_value):
    """At a true difference exactly at the limit, with alpha 0.05; the plain Welch test errs twice as often."""
    rng, runs = np.random.default_rng(13), 2_000
    sizes = (20, 40) if p_value is within else (40, 20)
    ours = plain = 0
    for _ in range(runs):
        statistics = moments_of(scale * draw(rng, sizes[0]) + shift, draw(rng, sizes[1]))
        ours += p_value(statistics, limit) < 0.05
        estimates = mean_estimates(statistics)
        with np.errstate(divide="ignore", invalid="ignore"):
            plain += plain_p_value(estimates, FIRST, SECOND, limit)[0] < 0.05
    bound = 0.05 + 3.0 * math.sqrt(0.05 * 0.95 / runs)
    assert ours / runs <= bound < plain / runs


def test_estimates_of_a_worked_example():
    statistics = moments_of([1.0, 2.0], [3.0, 5.0], [4.0])
    estimates = mean_estimates(statistics)
    assert isinstance(statistics, MeanStatistics)
    assert_allclose(estimates.value, [1.5, 4.0, 4.0])
    assert_allclose(estimates.variance, [0.25, 1.0, math.nan])
    assert_array_equal(estimates.freedom, [1.0, 1.0, 0.0])


@pytest.mark.parametrize("skewness", [0.02, 0.5, 2.0])
def test_hall_s_transformation_is_his_cube_and_rises(skewness):
    t = np.linspace(-8.0, 8.0, 401)
    bent = straightened(t, skewness)
    assert_allclose(bent, ((1.0 + skewness * t / 3.0) ** 3 - 1.0) / skewness + skewness / 6.0, atol=1e-12)
    assert np.all(np.diff(bent) > 0.0)
    assert_array_equal(straightened(t, 0.0), t)
    assert_array_equal(straightened(np.array([-1e300, 1e300]), 0.0), [-1e300, 1e300])
    assert np.all(np.isfinite(straightened(np.array([-1e300, 1e300]), skewness)))


def test_hall_s_transformation_brings_skewed_means_to_student():
    """A mean of 40 exponential errors is called too high in 2 % instead of 5 % by Student's t; then in about 5 %."""
    rng, n, runs = np.random.default_rng(14), 40, 20_000
    errors = rng.exponential(1.0, (runs, n))
    t = np.sqrt(n) * (errors.mean(axis=1) - 1.0) / errors.std(axis=1, ddof=1)
    critical = stats.t.isf(0.05, n - 1)
    assert np.mean(t > critical) < 0.03
    assert np.mean(straightened(t, 2.0 / np.sqrt(n)) > critical) == pytest.approx(0.05, abs=0.01)


def test_skewness_that_hides_a_violation_is_corrected():
    """The worse group is the smaller one, at the level of one of many pairs: Welch's t is far too cautious there."""
    rng, runs, limit, level = np.random.default_rng(15), 2_000, 0.5, 0.001
    ours, plain = np.zeros(2), np.zeros(2)
    for _ in range(runs):
        small, large = rng.exponential(1.0, 30), rng.exponential(1.0, 300)
        for place, true in enumerate((limit, 1.15)):
            statistics = moments_of(small + true, large)
            plain[place] += estimates_violation(mean_estimates(statistics), FIRST, SECOND, limit)[0] < level
            ours[place] += outside(statistics, limit) < level
    assert ours[0] <= runs * level + 3.0 * math.sqrt(runs * level)
    assert ours[1] > 1.25 * plain[1] > 0.5 * runs
