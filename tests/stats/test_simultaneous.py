from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from fairness_checks.stats.simultaneous import Families, Family, large_groups, largest_exceeds

ALPHA = 0.05
DRAWS = 40_000


def exceeds(z, groups, shift=0.0):
    return float(largest_exceeds(z, np.array([float(groups)]), np.array([float(shift)]))[0])


def simulated(z, deviations, limit, higher, draws=DRAWS, blocks=None):
    """Share of draws whose largest statistic exceeds z, the groups of `higher` being higher by the limit; its error."""
    deviations = np.asarray(deviations, dtype=float)
    blocks = np.zeros(len(deviations)) if blocks is None else np.asarray(blocks)
    rng = np.random.default_rng(7)
    estimates = rng.standard_normal((draws, len(deviations))) * deviations + limit * np.asarray(higher)
    reached = np.zeros(draws, dtype=bool)
    for i, j in itertools.combinations(range(len(deviations)), 2):
        if blocks[i] == blocks[j]:
            scale = math.hypot(deviations[i], deviations[j])
            reached |= np.abs(estimates[:, i] - estimates[:, j]) > limit + z * scale
    share = reached.mean()
    return share, math.sqrt(share * (1.0 - share) / draws)


def halves(groups):
    return np.arange(groups) % 2


def two_sided(z, scale=1.0, limit=0.0):
    return stats.norm.sf(z) + stats.norm.sf(z + 2.0 * limit / scale)


@pytest.mark.parametrize("groups", [2, 3, 7, 24, 100])
@pytest.mark.parametrize("z", [0.5, 2.0, 3.5, 5.0])
def test_no_limit_is_the_studentized_range(groups, z):
    expected = stats.studentized_range.sf(z * math.sqrt(2.0), groups, np.inf)
    assert exceeds(z, groups) == pytest.approx(expected, rel=1e-6, abs=1e-8)


def test_no_limit_and_unequal_sizes_are_tukey_and_kramers_test():
    rng = np.random.default_rng(1)
    samples = [rng.normal(mean, 1.0, size) for mean, size in ((0.0, 30_000), (0.015, 20_000), (0.035, 5_000))]
    within = sum(((sample - sample.mean()) ** 2).sum() for sample in samples)
    deviations = np.sqrt(within / (55_000 - 3) / np.array([30_000, 20_000, 5_000]))
    first, second = np.triu_indices(3, 1)
    scale = np.hypot(deviations[first], deviations[second])
    means = np.array([sample.mean() for sample in samples])
    p = 2.0 * stats.norm.sf(np.abs(means[first] - means[second]) / scale)
    expected = stats.tukey_hsd(*samples).pvalue.min()
    assert 0.001 < expected < 0.2
    assert Family(deviations, 0.0).p_value(p, scale) == pytest.approx(expected, rel=2e-3)


@pytest.mark.parametrize("limit", [0.0, 0.3, 2.0])
@pytest.mark.parametrize("z", [-0.1, 0.0, 1.0, 3.0, 9.0, 20.0])
def test_two_groups_are_one_pair(z, limit):
    expected = two_sided(z, math.sqrt(2.0), limit) if z * math.sqrt(2.0) + limit > 0.0 else 1.0
    assert exceeds(z, 2, limit) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("groups", [4, 6, 24])
@pytest.mark.parametrize("limit", [0.2, 1.0, 4.0])
def test_equal_deviations_equal_a_simulation(groups, limit):
    for z in (1.8, 2.8):
        share, error = simulated(z, np.ones(groups), limit, halves(groups))
        assert exceeds(z, groups, limit) == pytest.approx(share, abs=4.0 * error + 1e-4)


def test_halves_far_apart_are_compared_in_one_direction_only():
    # The lowest of five of the lower half against the highest of five of the other.
    def outside(x, z):
        kept = stats.norm.cdf(x + z * math.sqrt(2.0)) ** 5
        return 5.0 * stats.norm.pdf(x) * stats.norm.sf(x) ** 4 * (1.0 - kept)

    for z in (1.0, 2.5, 4.0):
        expected = integrate.quad(outside, -12.0, 9.0, args=(z,), epsabs=1e-12)[0]
        assert exceeds(z, 10, 50.0) == pytest.approx(expected, rel=1e-7)
        assert exceeds(z, 10, np.inf) == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize("z", [8.0, 15.0, 30.0])
def test_the_far_tail_is_that_of_all_pairs_together(z):
    assert exceeds(z, 24) == pytest.approx(276 * 2.0 * stats.norm.sf(z), rel=2e-4)
    assert exceeds(z, 24, 50.0) == pytest.approx(144 * stats.norm.sf(z), rel=2e-4)


PATTERNS = {
    "10/20": np.where(halves(6) == 0, 10.0, 20.0) ** -0.5,
    "34/62": np.where(halves(24) == 0, 34.0, 62.0) ** -0.5,
    "1/100": np.where(halves(8) == 0, 1.0, 100.0) ** -0.5,
    "geometric": np.geomspace(1.0, 0.1, 9),
    "one small group": np.r_[3.0, np.ones(7)],
    "one large group": np.r_[0.1, np.ones(6)],
    "three": np.array([0.05, 0.9, 1.1]),
    "five": np.array([0.8, 0.85, 1.0, 1.1, 1.2]),
}


@pytest.mark.parametrize("deviations", PATTERNS.values(), ids=PATTERNS)
@pytest.mark.parametrize("limit", [0.0, 0.3, 1.0, 5.0])
def test_unequal_deviations_never_reach_the_critical_value_more_often_than_alpha(deviations, limit):
    limit *= float(np.sqrt(np.mean(deviations**2)))
    critical = Family(deviations, limit).critical_value(limit, ALPHA)
    ordered = np.sort(deviations)
    groups = len(deviations)
    splits = [halves(groups), np.arange(groups) < groups // 2, np.arange(groups) < 1, np.arange(groups) > groups - 2]
    for higher in splits:
        share, error = simulated(critical, ordered, limit, higher, draws=20_000)
        assert share <= ALPHA + 3.5 * error


def test_sizes_one_to_two_lose_next_to_nothing():
    deviations = PATTERNS["10/20"]
    for limit in (0.0, 0.1, 1.0):
        critical = Family(deviations, limit).critical_value(limit, ALPHA)
        share, error = simulated(critical, np.sort(deviations), limit, halves(6))
        assert share >= 0.92 * ALPHA - 3.0 * error


@pytest.mark.parametrize("alpha", [0.1, 0.05, 0.001])
def test_three_groups_cover_one_precise_group_against_two_others(alpha):
    # Its two comparisons are as good as independent.
    critical = Family(np.array([1e-6, 1.0, 1.0]), 50.0).critical_value(50.0, alpha)
    assert 1.0 - stats.norm.cdf(critical) ** 2 <= alpha


@given(
    st.lists(st.floats(0.05, 20.0), min_size=2, max_size=9),
    st.floats(0.0, 5.0),
    st.randoms(use_true_random=False),
    st.integers(0, 2**32 - 1),
)
@settings(max_examples=60, deadline=None)
def test_order_changes_nothing_and_the_p_value_agrees_with_the_excess(deviations, limit, order, seed):
    deviations = np.array(deviations)
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 2, len(deviations))
    blocks[:2] = 0
    places = list(range(len(deviations)))
    order.shuffle(places)
    family, again = Family(deviations, limit, blocks), Family(deviations[places], limit, 1 - blocks[places])
    assert family.pairs == again.pairs
    assert family.critical_value(limit, ALPHA) == again.critical_value(limit, ALPHA)
    assert family.level(ALPHA) == again.level(ALPHA)
    p = rng.uniform(0.0, 4.0 * ALPHA / family.pairs, family.pairs)
    scale = rng.uniform(0.1, 10.0, family.pairs)
    found = family.p_value(p, scale)
    assert p.min() <= found <= min(1.0, family.pairs * p.min())
    assert np.any(family.excess(p, scale, limit, ALPHA) > 0.0) == (found < ALPHA)


def test_two_groups_are_not_adjusted():
    family = Family(np.array([1.0, 3.0]), 0.5)
    p, scale = np.array([0.03]), np.array([math.sqrt(10.0)])
    assert family.p_value(p, scale) == 0.03
    assert family.level(ALPHA) == ALPHA
    assert family.excess(p, scale, 0.5, 0.03)[0] == 0.0
    assert family.excess(p, scale, 0.5, 0.031)[0] > 0.0


def test_the_excess_is_that_of_each_pairs_statistic():
    family = Family(np.ones(4), 1.0)
    statistic, scale = np.array([2.0, 3.0, 3.1, 2.5, 3.2, 2.2]), np.full(6, math.sqrt(2.0))
    for limit, known in ((1.0, 1.0), (0.7, 0.7), (0.0, 0.0), (-0.5, 0.0)):
        p = two_sided(statistic, scale, known)
        expected = statistic - family.critical_value(known, ALPHA)
        np.testing.assert_allclose(family.excess(p, scale, limit, ALPHA), expected, atol=1e-9)


def test_blocks_are_independent():
    deviations, blocks = np.array([1.0, 2.0, 2.0, 1.0, 1.0, 2.0, 5.0]), np.array([0, 1, 1, 0, 0, 1, 2])
    family = Family(deviations, 0.5, blocks)
    assert family.pairs == 6
    z = family.critical_value(0.5, ALPHA)
    kept = (1.0 - exceeds(z, 3, 0.5)) * (1.0 - exceeds(z, 3, 0.25))
    assert kept == pytest.approx(1.0 - ALPHA, rel=1e-9)
    assert z < Family(deviations, 0.5).critical_value(0.5, ALPHA)
    scale = np.full(6, 2.0**0.5)
    assert family.p_value(two_sided(np.full(6, z), scale, 0.5), scale) == pytest.approx(ALPHA, rel=1e-9)


def test_blocks_of_four_equal_a_simulation():
    blocks, deviations = np.repeat([0, 1, 2], 4), np.repeat([1.0, 2.0, 0.5], 4)
    critical = Family(deviations, 0.8, blocks).critical_value(0.8, ALPHA)
    share, error = simulated(critical, deviations, 0.8, halves(12), blocks=blocks)
    assert share == pytest.approx(ALPHA, abs=4.0 * error)


def test_many_blocks_of_two_are_sidaks_adjustment():
    family = Family(np.ones(40), 0.0, np.repeat(np.arange(20), 2))
    scale = np.full(20, math.sqrt(2.0))
    assert family.p_value(np.full(20, 0.004), scale) == pytest.approx(1.0 - 0.996**20, rel=1e-9)


@pytest.mark.parametrize("unknown", [0.0, np.inf])
def test_a_group_of_unknown_deviation_leaves_bonferronis_bound(unknown):
    family = Family(np.array([1.0, unknown, 1.0]), 0.3)
    p, scale = np.array([0.004, 0.2, 0.6]), np.array([unknown, math.sqrt(2.0), unknown])
    assert family.p_value(p, scale) == pytest.approx(0.012)
    excess = family.excess(p, scale, 0.3, ALPHA)
    assert excess[0] > 0.0
    assert np.all(excess[1:] < 0.0)


def test_an_unknown_block_does_not_spoil_the_others():
    family = Family(np.array([0.0, 0.0, 1.0, 1.0, 1.0]), 0.0, np.array([0, 0, 1, 1, 1]))
    z = family.critical_value(0.0, ALPHA)
    expected = 1.0 - (1.0 - 2.0 * stats.norm.sf(z)) * (1.0 - stats.studentized_range.sf(z * math.sqrt(2.0), 3, np.inf))
    assert expected == pytest.approx(ALPHA, rel=1e-6)


def test_the_critical_value_falls_with_the_limit_and_rises_with_the_groups():
    by_limit = [Family(np.ones(5), limit).critical_value(limit, ALPHA) for limit in (0.0, 0.2, 1.0, 5.0)]
    by_groups = [Family(np.ones(groups), 0.5).critical_value(0.5, ALPHA) for groups in range(2, 12)]
    assert by_limit == sorted(by_limit, reverse=True)
    assert by_groups == sorted(by_groups)


@pytest.mark.parametrize("groups", [3, 4, 9, 24, 100])
@pytest.mark.parametrize("alpha", [0.1, 0.05, 0.001])
def test_the_level_of_one_pair_rises_with_the_limit(groups, alpha):
    # So the critical value of a lower limit serves at every higher one, and that of zero everywhere.
    levels = []
    for limit in (0.0, 0.05, 0.2, 0.5, 1.0, 2.0, 5.0, 50.0):
        critical = Family(np.ones(groups), limit).critical_value(limit, alpha)
        levels.append(two_sided(critical, math.sqrt(2.0), limit))
    assert np.all(np.diff(levels) >= -1e-12)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("deviations", [[1e-200] * 3, [1e-9, 1.0, 1e9], [1e200] * 3, [0.0] * 3, [np.inf] * 3])
@pytest.mark.parametrize("limit", [0.0, 0.1, 1e12])
def test_numbers_of_any_size_give_an_answer_between_one_pair_and_bonferroni(deviations, limit):
    family = Family(np.array(deviations), limit)
    scale = np.full(3, math.hypot(*deviations[:2]))
    for least in (0.0, 1e-300, 1e-20, 0.01, 0.3, 0.6, 1.0):
        p = np.array([least, 1.0, 1.0])
        assert least <= family.p_value(p, scale) <= min(1.0, 3.0 * least)
        assert np.any(family.excess(p, scale, limit, ALPHA) > 0.0) == (family.p_value(p, scale) < ALPHA)
    assert ALPHA / 3.0 <= family.level(ALPHA) <= ALPHA


def test_large_groups_are_known_by_their_sizes():
    assert large_groups(np.array([5_000.0, 5_000.0, *[10.0] * 10])).tolist() == [True, True] + [False] * 10
    assert large_groups(np.full(12, 10.0)) is None
    assert large_groups(np.array([1e6, *[10.0] * 10])) is None  # one large group has no large one beside it
    assert large_groups(np.array([5_000.0, *[4_000.0] * 9, 10.0])) is None  # nearly all are large
    # Only pairs within a stratum count.
    assert large_groups(np.array([5_000.0, 5_000.0, 10.0, 12.0]), np.array([0, 1, 0, 1])) is None


def test_large_groups_keep_most_of_their_level_beside_small_ones():
    sizes = np.array([5_000.0, 5_000.0, *[10.0] * 10])
    first, second = np.triu_indices(12, 1)
    deviations = 0.3 / np.sqrt(sizes)
    scale = np.hypot(deviations[first], deviations[second])
    p = np.full(len(first), 0.9)
    p[0] = 0.03  # of the two large groups
    plain, apart = (Families(deviations, first, second, large=large) for large in (None, large_groups(sizes)))
    assert apart.p_value(p, scale, 0.05) == pytest.approx(0.03 / 0.8)
    assert plain.p_value(p, scale, 0.05) > 0.05
    assert apart.level(ALPHA, 0.05, 0) == pytest.approx(0.8 * ALPHA)
    assert "1 of large groups" in apart.note
    shown = apart.excess(p, scale, 0.05, ALPHA, np.arange(len(first))) > 0.0
    assert shown.tolist() == [True] + [False] * (len(first) - 1)


def test_the_level_holds_with_tiny_groups_beside_large_ones():
    rng = np.random.default_rng(3)
    sizes = np.array([5_000.0, 5_000.0, *[10.0] * 10])
    deviations, high = 0.3 / np.sqrt(sizes), np.arange(12) % 2 == 1
    first, second = np.triu_indices(12, 1)
    scale = np.hypot(deviations[first], deviations[second])
    family = Families(deviations, first, second, large=large_groups(sizes))
    for limit in (0.0, 0.05):
        values = rng.normal(limit * high, deviations, (4_000, 12))
        t = (np.abs(values[:, first] - values[:, second]) - limit) / scale
        p = stats.norm.sf(t) + stats.norm.sf(t + 2.0 * limit / scale)
        wrong = np.mean([family.p_value(row, scale, limit) < ALPHA for row in np.minimum(p, 1.0)])
        assert 0.01 < wrong <= ALPHA + 3.0 * np.sqrt(ALPHA * (1.0 - ALPHA) / 4_000)
