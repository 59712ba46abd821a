from __future__ import annotations

import itertools

import numpy as np
import pytest

from fairness_checks.stats.gaps import (
    best_case,
    dependence,
    each_mix,
    equal_representation,
    joint_test_share,
    worst_case,
)
from fairness_checks.stats.repeats import repeat_estimates

NAN = float("nan")
MIXES, REPEATS, GROUPS = 4, 12, 3


@pytest.fixture
def values():
    return np.random.default_rng(0).random((MIXES, REPEATS, GROUPS))


def test_each_mix_has_every_pair_under_every_mix(values):
    variance = np.arange(12.0).reshape(MIXES, GROUPS)
    found = each_mix(values, variance)
    expected = [(m, a, b) for m in range(MIXES) for a, b in itertools.combinations(range(GROUPS), 2)]
    assert list(zip(found.first_mix, found.first, found.second, strict=True)) == expected
    for k, (m, a, b) in enumerate(expected):
        assert found.value[k] == pytest.approx(values[m, :, a] - values[m, :, b])
        assert found.test_variance[k] == variance[m, a] + variance[m, b]
    assert np.array_equal(found.first_mix, found.second_mix)


def test_equal_representation_keeps_the_named_mixes(values):
    found, every = equal_representation(values, [1, 3]), each_mix(values)
    kept = np.isin(every.first_mix, [1, 3])
    assert np.array_equal(found.value, every.value[kept])
    assert np.array_equal(found.first_mix, every.first_mix[kept])
    assert found.test_variance is None
    with pytest.raises(ValueError, match="no mix represents the groups equally"):
        equal_representation(values, [])


@pytest.mark.parametrize("lower_is_better", [True, False])
def test_worst_and_best_case_take_each_groups_own_mix(values, lower_is_better):
    worst = worst_case(values, lower_is_better=lower_is_better)
    best = best_case(values, lower_is_better=not lower_is_better)
    choose = max if lower_is_better else min
    for k, (a, b) in enumerate(itertools.combinations(range(GROUPS), 2)):
        of = [choose(range(MIXES), key=lambda m, g=g: values[m, :, g].mean()) for g in (a, b)]
        assert worst.value[k] == pytest.approx(values[of[0], :, a] - values[of[1], :, b])
        assert (worst.first_mix[k], worst.second_mix[k]) == tuple(of)
    assert np.array_equal(best.value, worst.value)


def test_a_group_that_is_undefined_under_a_mix_has_no_worst_case(values):
    values[2, :1, 0] = NAN  # one of twelve: left out
    assert not np.isnan(worst_case(values, lower_is_better=True).value).all(axis=1).any()
    values[2, :4, 0] = NAN
    found = worst_case(values, lower_is_better=True)
    assert np.isnan(found.value).all(axis=1).tolist() == [True, True, False]
    assert found.first_mix.tolist()[:2] == [-1, -1]


def test_dependence_is_numpys_least_squares_line(values):
    shares = np.array([[0.2, 0.3, 0.5], [0.6, 0.2, 0.2], [0.1, 0.8, 0.1], [0.4, 0.3, 0.3]])
    found = dependence(values, shares)
    assert found.shape == (GROUPS, REPEATS)
    for g, j in itertools.product(range(GROUPS), range(REPEATS)):
        assert found[g, j] == pytest.approx(np.polyfit(shares[:, g], values[:, j, g], 1)[0])


def test_dependence_is_undefined_where_a_mix_is_or_shares_are_all_equal(values):
    shares = np.array([[0.2, 0.3, 0.5], [0.5, 0.3, 0.2], [0.1, 0.3, 0.6], [0.4, 0.3, 0.3]])
    values[1, 4, 0] = NAN
    found = dependence(values, shares)
    assert np.isnan(found[0]).tolist() == [j == 4 for j in range(REPEATS)]
    assert np.isnan(found[1]).all()
    assert not np.isnan(found[2]).any()


def test_arrays_of_other_shapes_are_refused(values):
    with pytest.raises(ValueError, match="two groups or more"):
        each_mix(values[:, :, :1])
    with pytest.raises(ValueError, match="test_variance"):
        each_mix(values, np.zeros((3, 3)))
    with pytest.raises(ValueError, match="shares"):
        dependence(values, np.zeros((3, 3)))


@pytest.mark.parametrize("sizes", [(1_000, 40), (40, 1_000), (305, 305)])
@pytest.mark.parametrize("training", [0.0, 0.3])
def test_the_variance_of_a_gap_knows_of_each_groups_own_overlap(sizes, training):
    """Test rows decide, 20 of either group; what both groups have of a training in common moves no gap."""
    rng = np.random.default_rng(3)
    tables, repeats, tested = 1_500, 20, 20
    means = []
    for n in sizes:
        test = rng.random((repeats, n)).argsort(axis=1) < tested
        means.append(rng.normal(size=(tables, n)) @ test.T / tested)
    common = training * rng.normal(size=(tables, repeats))
    values = (means[0] + common, means[1] + common)
    own = [np.full(tables, tested / n) for n in sizes]
    share = joint_test_share(values, (own[0], own[1]))
    gap = values[0] - values[1]
    found = repeat_estimates(gap, 1.0 - share, share)
    assert found.variance.mean() == pytest.approx(gap.mean(axis=1).var(), rel=0.12)
    known = joint_test_share(values, (own[0], own[1]), (np.full(tables, 0.05), np.full(tables, 0.05)))
    assert known == pytest.approx((own[0] + own[1]) / 2.0)


def test_groups_that_move_against_each_other_count_by_the_larger_share():
    moved = np.random.default_rng(0).normal(size=(1, 20))
    share = joint_test_share((moved, -2.0 * moved), (np.array([0.02]), np.array([0.5])))
    assert 0.47 < share[0] <= 0.5  # all but what the first varies by itself
    alike = joint_test_share((moved, -2.0 * moved), (np.array([0.3]), np.array([0.3])))
    assert alike[0] == 0.3
