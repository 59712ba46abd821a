from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from fairness_checks.stats.risk_coverage import part_sizes, warning_by_group


def area_of(error, uncertainty):
    return warning_by_group(np.zeros(len(error), dtype=int), 1, error, uncertainty).risk_coverage[0]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 4)), min_size=1, max_size=30), st.randoms())
def test_risk_coverage_does_not_depend_on_the_order_of_rows(rows, random):
    error, uncertainty = np.array(rows, dtype=float).T
    shuffled = list(range(len(rows)))
    random.shuffle(shuffled)
    area = area_of(error, uncertainty)
    assert area_of(error[shuffled], uncertainty[shuffled]) == pytest.approx(area, abs=1e-12)
    assert area_of(error, np.exp(uncertainty)) == pytest.approx(area, abs=1e-12)


def test_risk_coverage_is_the_mean_over_all_orders_of_ties():
    error, uncertainty = np.array([3.0, 0.0, 6.0, 1.0]), np.array([1.0, 1.0, 2.0, 0.0])
    orders = ([1.0, 3.0, 0.0, 6.0], [1.0, 0.0, 3.0, 6.0])
    expected = np.mean([np.mean([np.mean(order[: k + 1]) for k in range(4)]) for order in orders])
    assert area_of(error, uncertainty) == pytest.approx(expected, abs=1e-12)
    assert area_of(error, np.zeros(4)) == pytest.approx(error.mean(), abs=1e-12)
    assert np.isnan(area_of([], []))


@pytest.mark.parametrize("ties", [False, True], ids=["distinct", "tied"])
def test_groups_are_scipys_and_those_of_one_group_alone(ties):
    rng = np.random.default_rng(0)
    codes = rng.integers(-1, 6, 500)
    error = rng.lognormal(size=500) * 10.0**codes
    uncertainty = error + rng.lognormal(size=500)
    if ties:
        error, uncertainty = np.ceil(error), np.round(uncertainty)
    found = warning_by_group(codes, 7, error, uncertainty)
    for g in range(6):
        mine = codes == g
        area = area_of(error[mine], uncertainty[mine])
        oracle = area_of(error[mine], error[mine])
        assert found.spearman[g] == pytest.approx(stats.spearmanr(uncertainty[mine], error[mine]).statistic, abs=1e-12)
        assert found.risk_coverage[g] == pytest.approx(area, rel=1e-12)
        assert found.excess[g] == pytest.approx(area - oracle, rel=1e-9)
        assert found.mean_error[g] == pytest.approx(error[mine].mean(), rel=1e-12)
    for column in (found.spearman, found.risk_coverage, found.excess, found.mean_error):
        assert np.isnan(column[6])
    taken = found.take([2, -1])
    assert taken.spearman[0] == found.spearman[2]
    assert np.isnan(taken.mean_error[1])


def test_no_order_has_a_smaller_area_than_the_errors_own():
    error = np.array([2.0, 0.5, 0.5, 3.0, 1.0])
    least = min(area_of(error, np.array(order)) for order in permutations(range(5)))
    found = warning_by_group(np.zeros(5, dtype=int), 1, error, np.zeros(5))
    assert found.risk_coverage[0] - found.excess[0] == pytest.approx(least, abs=1e-12)
    assert np.isnan(found.spearman[0])


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="uncertainty holds nan"):
        area_of([1.0], [np.nan])
    with pytest.raises(ValueError, match="one value per sample"):
        warning_by_group(np.array([0, 0]), 1, [1.0], [1.0])
    with pytest.raises(ValueError, match="codes run from 0 to 3; allowed are -1 to 0"):
        warning_by_group(np.array([0, 3]), 1, [1.0, 2.0], [1.0, 2.0])


@pytest.mark.parametrize("ties", [False, True], ids=["distinct", "tied"])
def test_parts_are_means_from_the_most_certain_sample_on(ties):
    rng = np.random.default_rng(1)
    codes = np.repeat([0, 1, 2], [203, 99, 100])
    uncertainty = rng.integers(0, 7, len(codes)).astype(float) if ties else rng.normal(size=len(codes))
    error = rng.lognormal(size=len(codes))
    order = rng.permutation(len(codes))
    found = warning_by_group(codes[order], 4, error[order], uncertainty[order])
    for group, n in ((0, 203), (2, 100)):
        mine = codes == group
        # Of tied samples each has the mean of all: so no order of the rows is told.
        values, place = np.unique(uncertainty[mine], return_inverse=True)
        means = np.bincount(place, error[mine]) / np.bincount(place, minlength=len(values))
        sorted_ = np.argsort(uncertainty[mine], kind="stable")
        sizes = part_sizes(n)
        assert sizes.sum() == n
        for part, rows in enumerate(np.split(sorted_, np.cumsum(sizes)[:-1])):
            assert found.error_of_part[group, part] == pytest.approx(means[place[rows]].mean())
            assert found.uncertainty_of_part[group, part] == pytest.approx(uncertainty[mine][rows].mean())
        assert found.units_of_part[group].tolist() == sizes.tolist()
        assert found.error_of_part[group] @ sizes / n == pytest.approx(found.mean_error[group])
    for group in (1, 3):  # parts of nine samples, and a group that is empty
        assert np.isnan(found.error_of_part[group]).all()
        assert np.isnan(found.uncertainty_of_part[group]).all()
        assert not found.units_of_part[group].any()


def test_of_parts_without_ten_clusters_no_means_are_told():
    rng = np.random.default_rng(2)
    codes, clusters = np.repeat([0, 1], 300), np.concatenate([np.arange(300) // 2, 200 + np.arange(300) // 60])
    found = warning_by_group(codes, 2, rng.random(600), clusters + rng.random(600), clusters)
    assert found.units_of_part[0].tolist() == [15] * 10
    assert np.isnan(found.error_of_part[1]).all()
    assert found.units_of_part[1].tolist() == [0] * 10


def test_parts_below_a_limit_are_taken_out_and_others_stay():
    rng = np.random.default_rng(3)
    codes = np.repeat([0, 1], [100, 200])
    found = warning_by_group(codes, 2, rng.random(300), rng.random(300))
    left = found.without_small_parts(11)
    assert np.isnan(left.error_of_part[0]).all()
    assert np.isnan(left.uncertainty_of_part[0]).all()
    assert not left.units_of_part[0].any()
    np.testing.assert_array_equal(left.error_of_part[1], found.error_of_part[1])
    np.testing.assert_array_equal(left.mean_error, found.mean_error)
    taken = found.take([1, -1])
    np.testing.assert_array_equal(taken.error_of_part[0], found.error_of_part[1])
    assert np.isnan(taken.uncertainty_of_part[1]).all()
    assert taken.units_of_part[1].tolist() == [0] * 10
