from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from fairness_checks.stats.disparity import score_violation
from fairness_checks.stats.exact import exact_compliance, exact_violation, is_tested_exactly
from fairness_checks.stats.nuisance import NUISANCE_DOUBT
from fairness_checks.stats.proportions import score_statistic
from fairness_checks.stats.rate_pairs import Pairs

SIZES = [(5, 5), (3, 12), (8, 8), (10, 20), (12, 7), (20, 20), (15, 40)]
LIMITS = [("difference", limit) for limit in (0.0, 0.05, 0.1, 0.3)] + [("ratio", limit) for limit in (0.5, 0.8, 1.0)]


def margins(contrast, limit):
    return (-limit, limit) if contrast == "difference" else (limit, 1.0 / limit)


@functools.cache
def all_tables(n1, n2):
    x1, x2 = (grid.ravel().astype(float) for grid in np.meshgrid(np.arange(n1 + 1), np.arange(n2 + 1), indexing="ij"))
    return Pairs(x1, np.full_like(x1, n1), x2, np.full_like(x2, n2))


def swapped(pairs):
    return Pairs(pairs.x2, pairs.n2, pairs.x1, pairs.n1)


def one(x1, n1, x2, n2):
    return Pairs(*(np.array([float(value)]) for value in (x1, n1, x2, n2)))


def outcomes(n, rates):
    """Binomial probabilities, shape (n + 1, M)."""
    return stats.binom.pmf(np.arange(n + 1)[:, None], n, rates)


def rejection_rate(rejected, n1, n2, p1, p2):
    """Probability of the rejected tables, bool of shape (n1 + 1, n2 + 1), at every pair of rates: (M, M)."""
    return outcomes(n1, p1).T @ rejected.astype(float) @ outcomes(n2, p2)


def rejection_along(rejected, n1, n2, p1, p2):
    """Probability of the rejected tables along paired rates, shape (M,)."""
    return ((rejected.astype(float).T @ outcomes(n1, p1)) * outcomes(n2, p2)).sum(axis=0)


def likely(x, n):
    """Clopper-Pearson interval that leaves out a quarter of the doubt on each side."""
    interval = stats.binomtest(x, n).proportion_ci(1.0 - NUISANCE_DOUBT / 2.0, method="exact")
    return interval.low, interval.high


def enumerated(extreme, x1, n1, x2, n2, margin, contrast):
    """p-value by brute force: the extreme tables' largest probability on a dense grid of the boundary."""
    (low1, high1), (low2, high2) = likely(x1, n1), likely(x2, n2)
    shift, scale = (margin, 1.0) if contrast == "difference" else (0.0, margin)
    low, high = max(low2, (low1 - shift) / scale), min(high2, (high1 - shift) / scale)
    if low > high:
        return NUISANCE_DOUBT
    p2 = np.linspace(low, high, 8_001)
    p1 = np.clip(p2 * scale + shift, 0.0, 1.0)
    return min(1.0, rejection_along(extreme, n1, n2, p1, p2).max() + NUISANCE_DOUBT)


def pooled(n1, n2):
    """Square of the pooled statistic of all tables, up to a factor, in whole numbers: ties are exact."""
    x1, x2 = np.meshgrid(np.arange(n1 + 1), np.arange(n2 + 1), indexing="ij")
    above = (x1 * n2 - x2 * n1) ** 2
    variance = (x1 + x2) * (n1 + n2 - x1 - x2)
    return above, variance


@pytest.mark.parametrize(("n1", "n2"), [(4, 9), (10, 10), (13, 6), (20, 34)])
def test_without_a_margin_p_equals_an_enumeration_in_whole_numbers(n1, n2):
    above, variance = pooled(n1, n2)
    rng = np.random.default_rng(5)
    for x1, x2 in zip(rng.integers(0, n1 + 1, 12).tolist(), rng.integers(0, n2 + 1, 12).tolist(), strict=True):
        p = exact_violation(one(x1, n1, x2, n2), 0.0, 0.0)[0]
        if above[x1, x2] == 0:
            assert p == 1.0
            continue
        extreme = (above * variance[x1, x2] >= above[x1, x2] * variance) & (above > 0)
        assert p == pytest.approx(enumerated(extreme, x1, n1, x2, n2, 0.0, "difference"), rel=1e-5)


@pytest.mark.parametrize(("contrast", "limit"), [("difference", 0.05), ("difference", 0.3), ("ratio", 0.8)])
@pytest.mark.parametrize(("n1", "n2"), [(10, 10), (13, 6), (20, 34)])
def test_at_a_margin_p_equals_an_enumeration(n1, n2, contrast, limit):
    low, high = margins(contrast, limit)
    tables = all_tables(n1, n2)
    at_low, at_high = (
        score_statistic(tables.x1, tables.n1, tables.x2, tables.n2, margin, contrast).reshape(n1 + 1, n2 + 1)
        for margin in (low, high)
    )
    farthest = np.maximum(at_high, -at_low)
    rng = np.random.default_rng(7)
    for x1, x2 in zip(rng.integers(0, n1 + 1, 8).tolist(), rng.integers(0, n2 + 1, 8).tolist(), strict=True):
        pair = one(x1, n1, x2, n2)
        seen = farthest[x1, x2]
        if seen > 1e-9:
            extreme = farthest >= seen - 1e-9
            expected = max(enumerated(extreme, x1, n1, x2, n2, margin, contrast) for margin in (low, high))
            assert exact_violation(pair, low, high, contrast)[0] == pytest.approx(expected, rel=1e-5)
        else:
            assert exact_violation(pair, low, high, contrast)[0] == 1.0
        if at_low[x1, x2] > 1e-9 and at_high[x1, x2] < -1e-9:
            under = enumerated(at_high <= at_high[x1, x2] + 1e-9, x1, n1, x2, n2, high, contrast)
            over = enumerated(at_low >= at_low[x1, x2] - 1e-9, x1, n1, x2, n2, low, contrast)
            assert exact_compliance(pair, low, high, contrast)[0] == pytest.approx(max(under, over), rel=1e-5)
        else:
            assert exact_compliance(pair, low, high, contrast)[0] == 1.0


def test_without_a_margin_p_equals_scipys_barnard_test_where_no_rate_is_left_out():
    # The probability of the extreme tables peaks in the middle, far within the rates that the data allow.
    expected = stats.barnard_exact([[12, 5], [8, 15]], alternative="two-sided", pooled=True, n=1024).pvalue
    assert exact_violation(one(12, 20, 5, 20), 0.0, 0.0)[0] == pytest.approx(expected, abs=1e-6)


def test_leaving_out_excluded_rates_makes_p_smaller_in_unequal_groups():
    everywhere = stats.barnard_exact([[10, 35], [30, 281]], alternative="two-sided", pooled=True, n=1024).pvalue
    p = exact_violation(one(10, 40, 35, 316), 0.0, 0.0)[0]
    assert everywhere == pytest.approx(0.047, abs=0.001)
    assert p == pytest.approx(0.0147, abs=0.0001)


@pytest.mark.parametrize(("contrast", "limit"), LIMITS)
def test_size_never_exceeds_alpha(contrast, limit):
    low, high = margins(contrast, limit)
    rates = np.linspace(0.0, 1.0, 101)
    if contrast == "difference":
        truth = rates[:, None] - rates[None, :]
    else:
        with np.errstate(divide="ignore", invalid="ignore"):
            truth = rates[:, None] / rates[None, :]
        truth[0, 0] = 1.0  # equal rates
    # The whole null hypotheses, not their boundaries alone.
    kept, broken = (truth >= low - 1e-12) & (truth <= high + 1e-12), (truth <= low + 1e-12) | (truth >= high - 1e-12)
    largest = 0.0
    for n1, n2 in SIZES:
        tables = all_tables(n1, n2)
        outside = exact_violation(tables, low, high, contrast).reshape(n1 + 1, n2 + 1)
        within = exact_compliance(tables, low, high, contrast).reshape(n1 + 1, n2 + 1)
        for alpha in (0.05, 0.01, 0.002):
            violation = rejection_rate(outside < alpha, n1, n2, rates, rates)[kept].max()
            compliance = rejection_rate(within < alpha, n1, n2, rates, rates)[broken].max()
            assert violation <= alpha, f"violation, {n1} and {n2}, alpha {alpha}"
            assert compliance <= alpha, f"compliance, {n1} and {n2}, alpha {alpha}"
            largest = max(largest, violation / alpha)
    assert largest > 0.5  # a test that never rejects would pass all of the above


def test_size_on_the_boundary_never_exceeds_alpha_on_a_dense_grid():
    n1, n2 = 10, 20
    tables = all_tables(n1, n2)
    for limit in (0.05, 0.1, 0.2):
        rejected = exact_violation(tables, -limit, limit).reshape(n1 + 1, n2 + 1) < 0.05
        p2 = np.linspace(0.0, 1.0 - limit, 4_001)
        assert rejection_along(rejected, n1, n2, p2 + limit, p2).max() <= 0.05


def test_the_asymptotic_test_exceeds_alpha_with_10_and_20_positives():
    # Why this room exists: a gate at a limit of 0.10 would fail a model that keeps it more often than alpha.
    n1, n2, limit, alpha = 10, 20, 0.1, 0.05
    rejected = np.array(
        [
            [stats.norm.sf(score_statistic(x1, n1, x2, n2, limit)) < alpha for x2 in range(n2 + 1)]
            for x1 in range(n1 + 1)
        ]
    )
    p2 = np.linspace(0.0, 1.0 - limit, 901)
    assert rejection_along(rejected, n1, n2, p2 + limit, p2).max() > 0.077


@pytest.mark.parametrize(("n1", "n2"), [(4, 4), (7, 15), (15, 7), (1, 30), (34, 62)])
def test_the_statistic_is_convex_in_barnards_sense(n1, n2):
    tables = all_tables(n1, n2)
    cases = [("difference", m) for m in (-0.9, -0.3, -0.05, 0.0, 0.1, 0.5)] + [
        ("ratio", m) for m in (0.2, 0.8, 1.0, 1.25, 6.0)
    ]
    for contrast, margin in cases:
        z = score_statistic(tables.x1, tables.n1, tables.x2, tables.n2, margin, contrast).reshape(n1 + 1, n2 + 1)
        z = np.clip(z, -1e6, 1e6)  # infinite where the margin is impossible
        assert np.diff(z, axis=0).min() >= -1e-9, f"falls in x1 at {contrast} {margin}"
        assert np.diff(z, axis=1).max() <= 1e-9, f"grows in x2 at {contrast} {margin}"


@given(
    n1=st.integers(1, 60),
    n2=st.integers(1, 60),
    share1=st.floats(0, 1),
    share2=st.floats(0, 1),
    limit=st.tuples(st.sampled_from(["difference", "ratio"]), st.floats(0.01, 0.99)),
)
@settings(max_examples=80, deadline=None)
def test_exchanging_the_groups_changes_nothing(n1, n2, share1, share2, limit):
    contrast, low, high = limit[0], *margins(*limit)
    pair = one(round(share1 * n1), n1, round(share2 * n2), n2)
    back = (-high, -low) if contrast == "difference" else (1.0 / high, 1.0 / low)
    for test in (exact_violation, exact_compliance):
        p = test(pair, low, high, contrast)
        assert test(swapped(pair), *back, contrast) == pytest.approx(p, rel=1e-6, abs=1e-9)


@given(
    n1=st.integers(1, 60),
    n2=st.integers(1, 60),
    share1=st.floats(0, 1),
    share2=st.floats(0, 1),
    limits=st.lists(st.floats(0.0, 0.95), min_size=2, max_size=2).map(sorted),
)
@settings(max_examples=80, deadline=None)
def test_a_wider_limit_makes_violation_harder_to_show(n1, n2, share1, share2, limits):
    pair = one(round(share1 * n1), n1, round(share2 * n2), n2)
    narrow, wide = limits
    p_narrow, p_wide = exact_violation(pair, -narrow, narrow)[0], exact_violation(pair, -wide, wide)[0]
    for p in (p_narrow, p_wide):
        assert 0.0 < p <= 1.0
    estimate = abs(pair.x1 / pair.n1 - pair.x2 / pair.n2)[0]
    if estimate <= narrow:
        assert p_narrow == 1.0
    if narrow < estimate <= wide - 1e-6:
        assert p_narrow <= p_wide == 1.0


def drawn_pairs(seed, count=60):
    """Tables of which a third have groups of one size, where nothing but the events can order them."""
    rng = np.random.default_rng(seed)
    n1 = rng.integers(5, 150, count)
    n2 = np.where(rng.random(count) < 0.3, n1, rng.integers(5, 150, count))
    rate = rng.random(count)
    x1, x2 = rng.binomial(n1, rate), rng.binomial(n2, np.clip(rate + rng.normal(0.0, 0.1, count), 0.0, 1.0))
    return Pairs(*(values.astype(float) for values in (x1, n1, x2, n2)))


@pytest.mark.parametrize(("contrast", "limit"), [*LIMITS, ("ratio", 0.35)])
def test_places_of_pairs_and_of_their_groups_change_no_digit(contrast, limit):
    pairs, rng = drawn_pairs(1), np.random.default_rng(2)
    low, high = margins(contrast, limit)
    turn, order = rng.random(len(pairs)) < 0.5, rng.permutation(len(pairs))
    back = swapped(pairs)
    names = ("x1", "n1", "x2", "n2")
    turned = Pairs(*(np.where(turn, getattr(back, name), getattr(pairs, name)) for name in names))
    for test in (exact_violation, exact_compliance):
        p = test(pairs, low, high, contrast)
        np.testing.assert_array_equal(test(turned.take(order), low, high, contrast), p[order])


@pytest.mark.parametrize(("x1", "n1", "x2", "n2"), [(62, 103, 12, 14), (69, 93, 62, 93), (81, 123, 12, 14)])
def test_of_several_peaks_nearly_as_high_the_highest_is_found(x1, n1, x2, n2):
    # The enumeration's grid is 8,001 rates; the highest of the searched grid's own peaks misses 3e-4 of p or more.
    above, variance = pooled(n1, n2)
    extreme = (above * variance[x1, x2] >= above[x1, x2] * variance) & (above > 0)
    expected = enumerated(extreme, x1, n1, x2, n2, 0.0, "difference")
    assert exact_violation(one(x1, n1, x2, n2), 0.0, 0.0)[0] == pytest.approx(expected, rel=5e-5)


@pytest.mark.parametrize("noise", [-1e-13, 1e-13])
def test_rounding_errors_of_effective_counts_change_neither_test_nor_size(noise):
    size = next(n for n in range(900, 1300) if not is_tested_exactly(one(n / 2, n, n / 2, n))[0])
    for n, exactly in ((size - 1, True), (size, False)):
        noisy = n * (1.0 + noise)
        assert is_tested_exactly(one(n / 2, noisy, n / 2, noisy)).tolist() == [exactly]
    halves = one(20, 40.5 * (1.0 + noise), 10, 33.5 * (1.0 + noise)).with_whole_samples()
    assert (halves.n1[0], halves.n2[0]) == (40.0, 33.0)


def test_many_pairs_at_once_equal_one_at_a_time():
    rng = np.random.default_rng(11)
    n1, n2 = rng.integers(1, 300, 60), rng.integers(1, 300, 60)
    x1, x2 = rng.binomial(n1, 0.4), rng.binomial(n2, 0.25)
    together = Pairs(*(values.astype(float) for values in (x1, n1, x2, n2)))
    alone = [one(*values) for values in zip(x1, n1, x2, n2, strict=True)]
    for test, (contrast, limit) in itertools.product((exact_violation, exact_compliance), [LIMITS[1], LIMITS[5]]):
        low, high = margins(contrast, limit)
        expected = np.concatenate([test(pair, low, high, contrast) for pair in alone])
        np.testing.assert_allclose(test(together, low, high, contrast), expected, rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize(
    ("table", "contrast", "exactly"),
    [
        ((0, 1, 0, 1), "difference", True),
        ((10, 34, 20, 62), "difference", True),
        ((3, 100, 5, 5_000), "difference", True),
        ((3, 101, 5, 5_000), "difference", True),
        ((3, 10**6, 5, 10**6), "difference", True),  # few events, however many samples
        ((10**6 - 3, 10**6, 10**6 - 5, 10**6), "difference", True),
        ((400, 1_000, 400, 1_000), "difference", True),
        ((600, 1_200, 600, 1_200), "difference", False),  # n p q of 300 each, of one size
        ((600, 1_200, 10**5, 2 * 10**5), "difference", True),  # of one far larger, twice as many
        ((1_200, 2_400, 10**5, 2 * 10**5), "difference", False),
        ((1_100, 55_000, 20_000, 10**6), "difference", True),  # and more of rare events
        ((1_400, 70_000, 20_000, 10**6), "difference", False),
        ((600, 1_200, 600, 1_200), "ratio", True),
        ((2_600, 5_200, 2_600, 5_200), "ratio", False),
    ],
)
def test_few_events_or_non_events_are_tested_exactly(table, contrast, exactly):
    assert is_tested_exactly(one(*table), contrast).tolist() == [exactly]
    assert is_tested_exactly(swapped(one(*table)), contrast).tolist() == [exactly]


def test_one_patient_more_without_an_event_changes_little():
    before, after = (exact_violation(one(3, n, 5, 5_000), -0.01, 0.01)[0] for n in (100, 101))
    assert (before, after) == pytest.approx((0.0860, 0.0880), abs=1e-4)


@pytest.mark.parametrize("test", [exact_violation, exact_compliance])
@pytest.mark.parametrize(("contrast", "limit"), LIMITS)
def test_one_rate_gives_a_lower_bound_that_leaves_small_p_values_as_they_are(test, contrast, limit):
    pairs, ends = drawn_pairs(3), margins(contrast, limit)
    p, bound = test(pairs, *ends, contrast), test(pairs, *ends, contrast, 0.05)
    assert np.all(bound <= p * (1.0 + 1e-9))
    np.testing.assert_array_equal(bound > 0.05, p > 0.05)
    np.testing.assert_allclose(bound[p <= 0.05], p[p <= 0.05], rtol=1e-9)


@pytest.mark.parametrize("contrast", ["difference", "ratio"])
def test_each_pair_may_have_its_own_margins(contrast):
    pairs, limits = drawn_pairs(4, 12), np.linspace(0.05, 0.9, 12)
    ends = [margins(contrast, limit) for limit in limits]
    for test in (exact_violation, exact_compliance):
        together = test(pairs, np.array([low for low, _ in ends]), np.array([high for _, high in ends]), contrast)
        alone = [test(pairs.take(slice(i, i + 1)), *ends[i], contrast)[0] for i in range(12)]
        np.testing.assert_allclose(together, alone, rtol=1e-7)


@pytest.mark.parametrize(("n1", "n2", "limit"), [(60, 700, 0.01), (101, 1_000, 0.0), (120, 2_000, 0.05)])
def test_sizes_with_rare_events_that_the_score_test_gets_wrong(n1, n2, limit):
    # Enumerated over the outcomes that are possible at rates of 0 to 0.02 and exactly on the limit.
    most1, most2 = (int(n * (0.02 + limit) + 8.0 * np.sqrt(n * (0.02 + limit)) + 8) for n in (n1, n2))
    x1, x2 = (grid.ravel().astype(float) for grid in np.meshgrid(np.arange(most1), np.arange(most2), indexing="ij"))
    tables = Pairs(x1, np.full_like(x1, n1), x2, np.full_like(x2, n2))
    p2 = np.linspace(1e-4, 0.02, 60)
    probability = stats.binom.pmf(x1[:, None], n1, p2 + limit) * stats.binom.pmf(x2[:, None], n2, p2)
    above = score_statistic(x1, tables.n1, x2, tables.n2, limit)
    assert probability[stats.norm.sf(above) * (2.0 if limit == 0.0 else 1.0) < 0.05].sum(axis=0).max() > 0.06
    assert is_tested_exactly(tables).all()
    assert probability[exact_violation(tables, -limit, limit, enough=0.05) < 0.05].sum(axis=0).max() <= 0.05


@pytest.mark.parametrize("n1", [1_995, 2_005])
def test_a_long_and_a_short_group(n1):
    # Past some length the tail comes from the incomplete beta function and not from a table; both must hold.
    n2, x1, x2 = 12, round(0.2 * n1), 8
    tables = all_tables(n1, n2)
    statistic = np.maximum(
        score_statistic(tables.x1, tables.n1, tables.x2, tables.n2, 0.1),
        -score_statistic(tables.x1, tables.n1, tables.x2, tables.n2, -0.1),
    ).reshape(n1 + 1, n2 + 1)
    extreme = statistic >= statistic[x1, x2] - 1e-9
    (low, high), (low2, high2) = likely(x1, n1), likely(x2, n2)
    expected = 0.0
    for margin in (-0.1, 0.1):
        p2 = np.linspace(max(low2, low - margin), min(high2, high - margin), 301)
        expected = max(expected, rejection_along(extreme, n1, n2, p2 + margin, p2).max())
    assert exact_violation(one(x1, n1, x2, n2), -0.1, 0.1)[0] == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(
    ("n1", "n2", "p1", "p2", "low", "high", "contrast"),
    [
        (3_000, 3_000, 0.5, 0.5, 0.0, 0.0, "difference"),
        (30_000, 300_000, 0.06, 0.05, -0.01, 0.01, "difference"),
        (30_000, 300_000, 0.05, 0.04, 0.8, 1.25, "ratio"),
    ],
)
def test_where_the_score_test_decides_it_keeps_a_twentieth_of_the_level_too(n1, n2, p1, p2, low, high, contrast):
    """A family of twenty asks each at 0.0025, where skewness weighs more: 2.9 times as much before, now 1.07."""
    sides = []
    for n, p in ((n1, p1), (n2, p2)):
        reach = 6.0 * np.sqrt(n * p * (1.0 - p))
        edges = np.arange(np.floor(n * p - reach), n * p + reach, max(1, int(reach / 600.0)))
        sides.append((edges[1:], np.diff(stats.binom.cdf(edges, n, p))))
    (x1, chance1), (x2, chance2) = sides
    x1, x2 = (x.ravel() for x in np.meshgrid(x1, x2, indexing="ij"))
    pairs = Pairs(x1, np.full(x1.shape, float(n1)), x2, np.full(x1.shape, float(n2)))
    chance = np.outer(chance1, chance2).ravel()
    assert chance[is_tested_exactly(pairs, contrast)].sum() < 0.01
    assert chance[score_violation(pairs, low, high, contrast) < 0.0025].sum() < 1.1 * 0.0025
