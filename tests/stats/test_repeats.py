from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from fairness_checks.stats.repeats import rate_variance, repeat_estimates, undefined_gaps

NAN = float("nan")


def test_one_gap_is_nadeau_and_bengios_formula():
    gaps = np.random.default_rng(0).normal(0.1, 0.05, 20)
    found = repeat_estimates(gaps, n_train=210, n_test=90)
    assert found.value[0] == pytest.approx(gaps.mean())
    assert found.variance[0] == pytest.approx(gaps.var(ddof=1) * (1 / 20 + 90 / 210))
    assert found.freedom[0] == 19


def test_with_hardly_any_test_rows_it_is_scipys_one_sample_t_test():
    gaps = np.random.default_rng(1).normal(0.1, 0.2, 15)
    found = repeat_estimates(gaps, n_train=1e12, n_test=1.0)
    t = found.value[0] / math.sqrt(found.variance[0])
    assert t == pytest.approx(stats.ttest_1samp(gaps, 0.0).statistic)


def test_the_variance_is_right_where_repeats_are_correlated_by_the_share_of_test_rows():
    rng = np.random.default_rng(2)
    share, repeats, tables = 0.3, 10, 40_000
    gaps = math.sqrt(share) * rng.normal(size=(tables, 1)) + math.sqrt(1 - share) * rng.normal(size=(tables, repeats))
    found = repeat_estimates(gaps, n_train=0.7, n_test=0.3)
    assert found.variance.mean() == pytest.approx(gaps.mean(axis=1).var(), rel=0.03)


@pytest.mark.parametrize("training", [0.0, 0.5, 2.0])
def test_two_parts_are_right_for_gaps_that_are_means_over_training_and_test_rows(training):
    # Each row tests with an effect of variance 1 and trains with another, independent one.
    rng = np.random.default_rng(3)
    n, n_test, repeats, tables = 400, 120, 200, 2_000
    test = rng.random((repeats, n)).argsort(axis=1) < n_test
    tested = rng.normal(size=(tables, n)) @ test.T / n_test
    trained = math.sqrt(training) * rng.normal(size=(tables, n)) @ (~test).T / (n - n_test)
    gaps = tested + trained
    true = gaps.mean(axis=1).var()
    found = repeat_estimates(gaps, n - n_test, n_test, np.full(tables, 1.0 / n_test))
    plain = repeat_estimates(gaps, n - n_test, n_test)
    if training == 0.0:
        assert plain.variance.mean() == pytest.approx(true, rel=0.06)
        assert true < found.variance.mean() < 1.35 * true  # the part that is not there is not below 0
    else:
        assert found.variance.mean() == pytest.approx(true, rel=0.08)
        assert plain.variance.mean() < 0.85 * true
    assert np.all(found.variance >= plain.variance)


def test_two_parts_are_right_where_a_mix_trains_on_fewer_rows():
    rng = np.random.default_rng(6)
    n, n_test, n_trained, repeats, tables = 400, 120, 200, 200, 2_000
    order = rng.random((repeats, n)).argsort(axis=1)
    test, train = order < n_test, order >= n - n_trained
    gaps = rng.normal(size=(tables, n)) @ test.T / n_test + rng.normal(size=(tables, n)) @ train.T / n_trained
    tested = np.full(tables, 1.0 / n_test)
    found = repeat_estimates(gaps, n - n_test, n_test, tested, np.full(tables, n_trained / n))
    assert found.variance.mean() == pytest.approx(gaps.mean(axis=1).var(), rel=0.08)
    assert repeat_estimates(gaps, n - n_test, n_test, tested).variance.mean() > 1.4 * found.variance.mean()
    with pytest.raises(ValueError, match="must lie between 0 and 1"):
        repeat_estimates(gaps, n - n_test, n_test, tested, [1.0])


def test_the_spread_of_test_rows_alone_is_the_least_variance():
    found = repeat_estimates([[0.1] * 8], n_train=70, n_test=30, test_variance=[0.02])
    assert found.variance[0] == pytest.approx(0.3 * 0.02)


def test_a_tenth_of_the_repeats_may_be_undefined():
    gaps = np.random.default_rng(4).normal(size=(3, 20))
    gaps[1, :2] = gaps[2, :3] = NAN
    assert undefined_gaps(gaps).tolist() == [False, False, True]
    found = repeat_estimates(gaps, 70, 30)
    alone = repeat_estimates(gaps[1, 2:], 70, 30)
    assert (found.value[1], found.variance[1], found.freedom[1]) == pytest.approx(
        (alone.value[0], alone.variance[0], 17.0)
    )
    assert np.isnan([found.value[2], found.variance[2], found.freedom[2]]).all()
    assert undefined_gaps([[0.1]]).tolist() == [True]


def test_a_part_without_rows_is_refused():
    with pytest.raises(ValueError, match=r"n_test 0\.0 must both be positive"):
        repeat_estimates([[0.1, 0.2]], 70, 0)


def test_the_variance_of_a_rate_is_binomial_and_never_zero():
    rng = np.random.default_rng(5)
    events = rng.binomial(40, 0.3, size=(2_000, 50))
    found = rate_variance(events / 40, np.full((2_000, 50), 40), 700, 300)
    assert found.mean() == pytest.approx(0.3 * 0.7 / 40, rel=0.03)
    assert rate_variance([[0.0, 0.0]], [[40, 40]], 70, 30)[0] > 0.0
    assert rate_variance([[0.3, NAN]], [[40, 0]], 70, 30)[0] == rate_variance([[0.3]], [[40]], 70, 30)[0]
    assert np.isnan(rate_variance([[NAN, NAN]], [[0, 0]], 70, 30)[0])
