from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from fairness_checks.stats.published_test import published_test


def test_normal_values_are_compared_by_students_t_test():
    rng = np.random.default_rng(0)
    one, other = rng.normal(0.36, 0.17, 100), rng.normal(0.28, 0.10, 100)
    found = published_test(one, other)
    assert found.name == "t"
    assert found.p == pytest.approx(stats.ttest_ind(one, other).pvalue)
    normal = [stats.kstest(v, "norm", args=(v.mean(), v.std(ddof=1))).pvalue for v in (one, other)]
    assert found.normality == pytest.approx(tuple(normal))


@pytest.mark.parametrize("turned", [False, True])
def test_one_group_that_is_not_normal_is_enough_for_mann_and_whitney(turned):
    rng = np.random.default_rng(1)
    one, other = rng.exponential(size=200) ** 2, rng.normal(size=200)
    if turned:
        one, other = other, one
    found = published_test(one, other)
    assert found.name == "Mann-Whitney U"
    assert found.p == pytest.approx(stats.mannwhitneyu(one, other).pvalue)


def test_undefined_values_are_left_out():
    rng = np.random.default_rng(2)
    one, other = rng.normal(size=30), rng.normal(size=25)
    found = published_test(np.append(one, np.nan), other)
    assert found.p == pytest.approx(stats.ttest_ind(one, other).pvalue)
    with pytest.raises(ValueError, match="1 defined values"):
        published_test([0.1, np.nan], other)


def test_values_that_are_all_equal_are_not_normal():
    found = published_test(np.zeros(20), np.linspace(0.1, 0.3, 20))
    assert found.name == "Mann-Whitney U"
    assert found.normality[0] == 0.0
    assert found.p < 0.001
    assert published_test(np.zeros(20), np.zeros(20)).p == pytest.approx(1.0)
