from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from fairness_checks.stats.risk_coverage import warning_by_group


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
