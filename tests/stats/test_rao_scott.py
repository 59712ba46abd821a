from __future__ import annotations

import itertools

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from fairness_checks.stats.clusters import FEWEST_EFFECTIVE, cluster_cells
from fairness_checks.stats.disparity import judge_disparity, rates_compliance, rates_violation
from fairness_checks.stats.exact import exact_violation
from fairness_checks.stats.few_clusters import claims_freedom, freedom_of_samples, narrowed, widened, worth
from fairness_checks.stats.rao_scott import ClusterSums, correlation, effective_counts, effective_samples, tail_freedom
from fairness_checks.stats.rate_pairs import Pairs
from fairness_checks.stats.worst_group import judge_worst_group

ALPHA = 0.05

# Weil (1970), pups of 16 control and 16 treated litters: survivors of the 21 day lactation, alive at 4 days.
CONTROL = "13/13 12/12 9/9 9/9 8/8 8/8 12/13 11/12 9/10 9/10 8/9 11/13 4/5 5/7 7/10 7/10"
TREATED = "12/12 11/11 10/10 9/9 10/11 9/10 9/10 8/9 8/9 4/5 7/9 4/7 5/10 3/6 3/10 0/7"


def rows(litters):
    """Return (event, cluster) of each pup."""
    pairs = [tuple(map(int, litter.split("/"))) for litter in litters.split()]
    event = np.concatenate([np.arange(m) < y for y, m in pairs])
    return event, np.repeat(np.arange(len(pairs)), [m for _, m in pairs])


def counts(event, cluster, codes=None, groups=1):
    codes = np.zeros(len(event), dtype=int) if codes is None else codes
    return effective_counts(cluster_cells(codes, groups, cluster), event)


def sums_of(sizes, events):
    """Sums of clusters of shape (..., clusters), none of size 0 counted."""
    m, y = sizes.astype(float), events.astype(float)
    n, x = m.sum(-1), y.sum(-1)
    return ClusterSums(
        samples=n,
        events=x,
        residuals=((y - m * (x / n)[..., None]) ** 2).sum(-1),
        discordance=np.where(m > 1, y * (m - y) / np.maximum(m - 1.0, 1.0), 0.0).sum(-1),
        paired=np.where(m > 1, m, 0.0).sum(-1),
        paired_events=np.where(m > 1, y, 0.0).sum(-1),
        squares=(m**2).sum(-1),
        event_squares=(y**2).sum(-1),
        other_squares=((m - y) ** 2).sum(-1),
    )


def draw(rng, simulations, samples, mean, rate, rho):
    """Sums of clusters of 1 + Poisson(mean - 1) samples whose events are beta-binomial, shape (simulations,)."""
    sizes = 1 + rng.poisson(mean - 1, (simulations, 2 * samples // mean + 20))
    sizes = np.clip(samples - (np.cumsum(sizes, axis=1) - sizes), 0, sizes)
    if rho == 1.0:
        return sums_of(sizes, sizes * (rng.random(sizes.shape) < rate))
    if rho == 0.0:
        return sums_of(sizes, rng.binomial(sizes, rate))
    shape = (1.0 - rho) / rho
    return sums_of(sizes, rng.binomial(sizes, rng.beta(rate * shape, (1.0 - rate) * shape, sizes.shape)))


def effective(sums):
    """Effective events and samples, and degrees of freedom for the claims that a rate is lower, and higher."""
    samples, _ = effective_samples(sums)
    clusters = np.minimum(sums.samples**2 / sums.squares, samples)
    return sums.events / sums.samples * samples, samples, *tail_freedom(sums, freedom_of_samples(clusters))


def beta_binomial(rng, sizes, rate, rho):
    """Events of clusters of these sizes, and rates, whose samples have this correlation."""
    shape = (1.0 - rho) / rho
    return rng.binomial(sizes, rng.beta(rate * shape, (1.0 - rate) * shape, sizes.shape))


@given(data=st.lists(st.tuples(st.booleans(), st.integers(-1, 3)), min_size=1, max_size=80))
@settings(max_examples=60, deadline=None)
def test_clusters_of_one_sample_give_back_the_counts(data):
    event, codes = (np.array(column) for column in zip(*data, strict=True))
    found = counts(event, np.arange(len(event))[::-1].copy(), codes, 4)
    expected = [np.bincount(codes[keep], minlength=4) for keep in (event & (codes >= 0), codes >= 0)]
    np.testing.assert_array_equal(found.events, expected[0])
    np.testing.assert_array_equal(found.samples, expected[1])
    np.testing.assert_array_equal(found.clusters, expected[1])
    np.testing.assert_allclose(found.design_effect, 1.0, rtol=1e-12)
    for known in (found.freedom, found.lower, found.higher):
        np.testing.assert_array_equal(known, freedom_of_samples(found.samples))


@given(data=st.lists(st.tuples(st.booleans(), st.integers(0, 2)), min_size=1, max_size=60), times=st.integers(2, 6))
@settings(max_examples=60, deadline=None)
def test_repeating_each_sample_as_a_cluster_changes_nothing(data, times):
    event, codes = (np.repeat(np.array(column), times) for column in zip(*data, strict=True))
    found = counts(event, np.arange(len(event)) // times, codes, 3)
    np.testing.assert_allclose(found.events, np.bincount(codes[event], minlength=3) / times, atol=1e-9)
    np.testing.assert_allclose(found.samples, np.bincount(codes, minlength=3) / times, atol=1e-9)


def test_repeated_samples_get_the_verdict_of_the_samples_once():
    rng = np.random.default_rng(3)
    codes = np.repeat([0, 1, 2], [15, 40, 330])
    event = rng.random(len(codes)) < np.array([0.5, 0.2, 0.3])[codes]
    once = np.bincount(codes[event], minlength=3), np.bincount(codes, minlength=3)
    twice = counts(event.repeat(2), np.arange(len(event)).repeat(2), codes.repeat(2), 3)
    for contrast, limit in (("difference", 0.05), ("ratio", 0.8)):
        a = judge_disparity(*once, limit, contrast, ALPHA)
        known = twice.lower, twice.higher
        b = judge_disparity(twice.events, twice.samples, limit, contrast, ALPHA, freedom=known)
        assert (b.low, b.high, b.p_violation, b.p_compliance) == pytest.approx(
            (a.low, a.high, a.p_violation, a.p_compliance), abs=1e-9
        )
    a = judge_worst_group(*once, 0.3, ALPHA, ceiling=True)
    b = judge_worst_group(twice.events, twice.samples, 0.3, ALPHA, ceiling=True, freedom=known)
    assert (b.low, b.high, b.p_violation) == pytest.approx((a.low, a.high, a.p_violation), abs=1e-9)


def test_permuting_the_rows_and_renaming_the_clusters_changes_nothing():
    rng = np.random.default_rng(1)
    codes, cluster, event = rng.integers(0, 3, 300), rng.integers(0, 60, 300), rng.random(300) < 0.3
    order, names = rng.permutation(300), rng.permutation(60)
    a, b = counts(event, cluster, codes, 3), counts(event[order], names[cluster][order], codes[order], 3)
    np.testing.assert_allclose(b.events, a.events, rtol=1e-12)
    np.testing.assert_allclose(b.samples, a.samples, rtol=1e-12)


def least_squares_effect(event, cluster):
    """Design effect by statsmodels' cluster-robust variance of a mean, without any factor of its own."""
    fit = sm.OLS(event.astype(float), np.ones(len(event))).fit(
        cov_type="cluster", cov_kwds={"groups": cluster, "use_correction": False}
    )
    return float(fit.bse[0] ** 2 / (event.var() / len(event)))


def test_the_robust_design_effect_is_that_of_cluster_robust_least_squares():
    # Large clusters have more events: only the robust variance sees that, and it decides here.
    cluster = np.repeat(np.arange(60), np.where(np.arange(60) < 20, 9, 2))
    event = cluster < 10
    n, sizes, observed = len(event), np.bincount(cluster), least_squares_effect(event, cluster)
    expected = observed / (1.0 - np.sum(sizes**2) / n**2 + observed / n)
    assert expected > np.sum(sizes**2) / n  # more than perfect correlation explains
    assert counts(event, cluster).design_effect[0] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("litters", [CONTROL, TREATED])
def test_the_design_effect_is_never_below_that_of_cluster_robust_least_squares(litters):
    event, cluster = rows(litters)
    assert least_squares_effect(event, cluster) <= counts(event, cluster).design_effect[0]


def test_weils_litters_beside_rao_and_scotts_own_design_effects():
    # Theirs: k / (k - 1) and no other correction.
    effects = []
    for litters, survivors, pups in ((CONTROL, 142, 158), (TREATED, 112, 145)):
        event, cluster = rows(litters)
        assert (event.sum(), len(event)) == (survivors, pups)
        residuals = np.bincount(cluster, event - event.mean())
        theirs = 16.0 / 15.0 * np.sum(residuals**2) / (pups * event.mean() * (1.0 - event.mean()))
        effects.append((counts(event, cluster).design_effect[0], theirs))
    # 16 deaths among controls say little of how they cluster: ours is on the safe side there, and near where 33 do.
    assert effects[0][1] < effects[0][0] < 2.0 * effects[0][1]
    assert effects[1][0] == pytest.approx(effects[1][1], rel=0.35)


def test_the_correlation_is_estimated_without_bias_where_events_are_many():
    rng = np.random.default_rng(2)
    for rho in (0.2, 0.5, 0.8, 1.0):
        assert correlation(draw(rng, 2_000, 600, 3, 0.3, rho)).mean() == pytest.approx(rho, abs=0.015)


def direct_effect(event, cluster):
    """Design effect by the rule, from pairs of samples and statsmodels, and which of the two estimates is larger."""
    sizes, n = np.bincount(cluster), len(event)
    mean_size, observed = sizes[cluster].mean(), least_squares_effect(event, cluster)
    robust = (observed / (1.0 - mean_size / n + observed / n) - 1.0) / (mean_size - 1.0)
    mates = (cluster[:, None] == cluster) & ~np.eye(n, dtype=bool)
    some = mates.any(axis=1)
    differ = ((event[:, None] != event) & mates).sum(axis=1)[some] / mates.sum(axis=1)[some]
    # Of the samples that have mates, about a rate of their own.
    apart, paired = differ.mean() / 2.0 / np.maximum(event[some].var(), 1e-300), some.sum()
    within = (1.0 - apart * (1.0 - 1.0 / paired)) / (1.0 - apart * (sizes[cluster][some].mean() - 1.0) / paired)
    rho = max(robust, within, 0.0)
    events, others = np.bincount(cluster, event), np.bincount(cluster, ~event)
    held = min(y.sum() ** 2 / (y**2).sum() for y in (events, others))
    safe = 1.0 / (1.0 + held**2)
    return 1.0 + (mean_size - 1.0) * max(rho, rho + safe * (1.0 - rho)), robust > within


def test_the_larger_of_two_estimates_decides():
    rng, robust = np.random.default_rng(4), []
    for clusters, rate in ((10, 0.4), (30, 0.4), (30, 0.05), (150, 0.4), (150, 0.2), (150, 0.05)):
        for _ in range(6):
            cluster = np.repeat(np.arange(clusters), rng.geometric(0.4, clusters))
            event = rng.random(len(cluster)) < rng.beta(rate, 1.0 - rate, clusters)[cluster]
            if 0 < event.sum() < len(event):
                expected, by_robust = direct_effect(event, cluster)
                robust.append(by_robust)
                assert counts(event, cluster).design_effect[0] == pytest.approx(expected, rel=1e-9)
    assert 0.2 < np.mean(robust) < 0.8


@pytest.mark.parametrize("every", [False, True])
def test_a_group_without_events_counts_as_if_each_clusters_samples_were_alike(every):
    found = counts(np.full(60, every), np.arange(60) // 3)
    assert found.design_effect[0] == pytest.approx(3.0)
    assert found.samples[0] == pytest.approx(20.0)
    assert found.events[0] == pytest.approx(20.0 * every)


def test_one_long_cluster_is_worth_little():
    event = np.arange(600) % 3 == 0
    cluster = np.where(np.arange(600) < 570, 0, np.arange(600))
    event[:570] = True
    assert counts(event, cluster).samples[0] < 3.0


def test_an_empty_group_and_a_single_cluster():
    found = counts(np.array([True, False, True]), np.array([4, 4, 4]), np.array([0, 0, 0]), 2)
    assert found.samples.tolist() == [1.0, 0.0]
    assert found.clusters.tolist() == [1, 0]
    assert found.events[0] == pytest.approx(2.0 / 3.0)


@pytest.mark.parametrize(("opposed", "correlation"), [(True, -1.0), (False, 1.0)])
def test_clusters_that_lie_in_two_groups_correlate_the_rates(opposed, correlation):
    """The difference of two opposed rates varies twice as much as that of independent ones, of two alike not at all."""
    first = np.random.default_rng(5).random(200) < 0.4
    event, codes = np.concatenate([first, first ^ opposed]), np.repeat([0, 1], 200)
    found = counts(event, np.tile(np.arange(200), 2), codes, 2)
    # Groups that agree count one more cluster in which they do not.
    assert found.shared[0, 1] == pytest.approx(min(correlation, 200 / 201))
    assert counts(event, np.arange(400), codes, 2).shared is None
    pairs = Pairs(found.events[:1], found.samples[:1], found.events[1:], found.samples[1:])
    joined = pairs.joined(found.shared[:1, 1])
    if opposed:
        np.testing.assert_allclose([joined.n1, joined.n2], [pairs.n1 / 2.0, pairs.n2 / 2.0], rtol=1e-2)
    else:
        assert joined.n1[0] > 50.0 * pairs.n1[0]
    np.testing.assert_allclose([joined.x1 / joined.n1, joined.x2 / joined.n2], [pairs.x1 / 200, pairs.x2 / 200])


def test_few_clusters_cost_more_at_a_smaller_level():
    found = counts(*rows(TREATED))
    at_once, strict = (worth(found.samples, found.freedom, alpha)[0] for alpha in (0.05, 0.001))
    assert strict < at_once < found.samples[0]


@given(p=st.floats(1e-12, 0.499), size=st.floats(0.5, 1e4), share=st.floats(0.05, 1.0))
@settings(max_examples=100, deadline=None)
def test_a_p_value_is_that_of_the_same_t_with_fewer_degrees_of_freedom(p, size, share):
    known = max(size * share, 0.5)
    wide = float(widened(np.array(p), np.array(size), np.array(known)))
    assert wide == pytest.approx(stats.t.sf(stats.t.isf(p, size), known), rel=1e-6)
    assert float(narrowed(wide, np.array(size), np.array(known))) == pytest.approx(p, rel=1e-5)


@pytest.mark.parametrize(("contrast", "limit"), [("difference", 0.0), ("difference", 0.1), ("ratio", 0.8)])
def test_fewer_clusters_widen_the_interval_which_holds_what_is_inconclusive(contrast, limit):
    x, n = np.array([60.0, 30.0, 42.0]), np.array([150.0, 160.0, 150.0])
    found = [
        judge_disparity(x, n, limit, contrast, ALPHA, freedom=None if f is None else (np.full(3, f),) * 2)
        for f in (None, 40.0, 9.0)
    ]
    for sure, unsure in itertools.pairwise(found):
        assert unsure.low <= sure.low
        assert unsure.high >= sure.high
        assert unsure.p_violation >= sure.p_violation
        assert unsure.p_compliance >= sure.p_compliance
    for one in found:
        assert (one.p_violation >= ALPHA and one.p_compliance >= ALPHA) <= (one.low <= limit <= one.high)


def test_at_a_limit_of_zero_both_directions_are_widened():
    x, n, known = np.array([2_500.0, 2_400.0]), np.array([5_000.0, 5_000.0]), (np.array([12.0, 12.0]),) * 2
    plain, wide = (judge_disparity(x, n, 0.0, "difference", ALPHA, freedom=f).p_violation for f in (None, known))
    t = stats.t.isf(plain / 2.0, 9_998)
    assert wide == pytest.approx(2.0 * stats.t.sf(t, 24.0), rel=1e-3)  # Satterthwaite's, of two variances alike


@pytest.mark.parametrize(("contrast", "low", "high"), [("difference", -0.05, 0.05), ("ratio", 0.8, 1.25)])
def test_fractional_events_have_p_values_between_those_of_the_whole_tables_around_them(contrast, low, high):
    rng = np.random.default_rng(6)
    n1, n2, x2 = (values.astype(float) for values in (rng.integers(5, 60, 40), rng.integers(5, 60, 40), np.ones(40)))
    x1 = rng.uniform(0.4, 1.0, 40) * (n1 - 1.0)
    fewer, between, more = (
        exact_violation(Pairs(x, n1, x2, n2), low, high, contrast) for x in (np.floor(x1), x1, np.ceil(x1))
    )
    assert (more <= between * 1.01).all()
    assert (between <= fewer * 1.01).all()


def test_samples_are_rounded_for_the_exact_test_and_rates_are_kept():
    pair = Pairs(*(np.array([v]) for v in (2.46, 12.3, 7.0, 20.0))).with_whole_samples()
    assert (pair.n1[0], pair.n2[0], pair.x2[0]) == (12.0, 20.0, 7.0)
    assert pair.x1[0] == pytest.approx(0.2 * 12.0)


@given(x=st.floats(0.0, 1.0), n=st.floats(1.0, 300.0), limit=st.floats(0.01, 0.99))
@settings(max_examples=60, deadline=None)
def test_a_ceiling_takes_fractions_through_beta_quantiles(x, n, limit):
    found = judge_worst_group(np.array([x * n]), np.array([n]), limit, ALPHA, ceiling=True)
    if 1e-6 < x < 1.0 - 1e-6:
        assert found.p_violation == pytest.approx(stats.beta.cdf(limit, x * n, n - x * n + 1.0), rel=1e-6, abs=1e-12)
        assert found.p_compliance == pytest.approx(stats.beta.sf(limit, x * n + 1.0, n - x * n), rel=1e-6, abs=1e-12)
        assert found.low == pytest.approx(stats.beta.ppf(ALPHA, x * n, n - x * n + 1.0), abs=1e-7)
        assert found.high == pytest.approx(stats.beta.isf(ALPHA, x * n + 1.0, n - x * n), abs=1e-7)


@pytest.mark.parametrize(("rho", "rates"), [(0.0, (0.35, 0.3)), (0.5, (0.3, 0.35)), (1.0, (0.35, 0.3))])
def test_two_groups_at_the_limit_fail_no_more_often_than_alpha(rho, rates):
    rng, simulations = np.random.default_rng(8), 1_000
    groups = [effective(draw(rng, simulations, n, 3, p, rho)) for n, p in zip((34, 62), rates, strict=True)]
    pairs = Pairs(*(values for group in groups for values in group[:2]))
    clusters = claims_freedom(pairs, groups[0][2:], groups[1][2:], "difference", None)
    bound = ALPHA + 3.0 * np.sqrt(ALPHA * (1.0 - ALPHA) / simulations)
    outside = rates_violation(pairs, 0.05, "difference", ALPHA, clusters.estimated)
    within = rates_compliance(pairs, 0.05, "difference", ALPHA, clusters.estimated)
    assert 0.0 < np.mean(clusters.violation.both_sided(outside, 0.05) < ALPHA) <= bound
    assert np.mean(clusters.compliance.one_sided(within) < ALPHA) <= bound


def shares_rejected(sums, rate, alpha):
    """Shares of binomial tests against their true rate that call it lower, and higher; of 5 effective clusters or more.

    Also the number of data sets.
    """
    x, n, lower, higher = effective(sums)
    below = np.where(x < n, special.betainc(np.maximum(n - x, 1e-9), x + 1.0, 1.0 - rate), 1.0)
    above = np.where(x > 0.0, special.betainc(np.maximum(x, 1e-9), n - x + 1.0, rate), 1.0)
    judged, size = sums.samples**2 / sums.squares >= FEWEST_EFFECTIVE, freedom_of_samples(n)
    shares = [np.mean((widened(p, size, f) < alpha)[judged]) for p, f in ((below, lower), (above, higher))]
    return shares, judged.sum()


@pytest.mark.parametrize(("clusters", "rate"), [(10, 0.3), (18, 0.3), (200, 0.05)])
def test_clusters_of_unequal_size_pass_a_ceiling_no_more_often_than_alpha(clusters, rate):
    rng, simulations = np.random.default_rng(10), 4_000
    sizes = rng.geometric(1.0 / 3.0, (simulations, clusters))
    shares, count = shares_rejected(sums_of(sizes, beta_binomial(rng, sizes, rate, 0.8)), rate, ALPHA)
    assert max(shares) <= ALPHA + 3.0 * np.sqrt(ALPHA * (1.0 - ALPHA) / count)


def uniform(rng, shape):
    return rng.integers(1, 51, shape)


def pareto(rng, shape):
    return np.minimum(np.floor(rng.pareto(1.1, shape) + 1.0), 50.0).astype(int)


@pytest.mark.parametrize("alpha", [0.05, 0.0025])
@pytest.mark.parametrize(
    ("draw_sizes", "clusters", "small", "large", "rho"),
    [(uniform, 100, 0.05, 0.05, 0.2), (uniform, 30, 0.02, 0.18, 0.2), (pareto, 200, 0.02, 0.18, 0.2)],
    ids=["uniform", "uniform, by size", "Pareto, by size"],
)
def test_rare_events_of_few_clusters_pass_a_ceiling_no_more_often_than_alpha(
    draw_sizes, clusters, small, large, rho, alpha
):
    """They do with one estimate of the correlation, or with as many degrees of freedom as there are clusters."""
    rng, simulations = np.random.default_rng(11), 20_000
    sizes = draw_sizes(rng, (simulations, clusters))
    rates = np.where(sizes > np.median(sizes), large, small)
    shares, count = shares_rejected(
        sums_of(sizes, beta_binomial(rng, sizes, rates, rho)), (sizes * rates).sum() / sizes.sum(), alpha
    )
    assert max(shares) <= alpha + 3.0 * np.sqrt(alpha * (1.0 - alpha) / count)


def test_clusters_of_one_sample_say_nothing_of_how_alike_the_others_samples_are():
    """Thirty clusters of six, of rate 0.5; a thousand samples without an event leave their correlation as it is."""
    rng = np.random.default_rng(12)
    sizes = np.full((400, 30), 6)
    events = beta_binomial(rng, sizes, 0.5, 0.3)
    alone = np.zeros((400, 1_000), dtype=int)
    found = correlation(sums_of(np.hstack([sizes, alone + 1]), np.hstack([events, alone])))
    assert found.min() > 0.1  # less than nothing by the rate of all samples


@pytest.mark.parametrize("every", [1, 6])
def test_that_a_rate_is_lower_rests_on_the_clusters_with_events(every):
    """Four of sixty clusters of six hold all events; the degrees of freedom of the other claim are all clusters'."""
    cluster = np.repeat(np.arange(60), 6)
    event = (cluster < 4) & (np.arange(360) % 6 < every)
    found, others = counts(event, cluster), counts(~event, cluster)
    assert found.higher[0] == pytest.approx(found.freedom[0])
    if every == 6:  # nothing is uncertain where all samples of a cluster are alike
        assert found.lower[0] == pytest.approx(found.freedom[0])
    else:
        assert found.lower[0] < 5.0 < found.freedom[0]
    assert (others.lower[0], others.higher[0]) == pytest.approx((found.higher[0], found.lower[0]))


@pytest.mark.parametrize("swap", [False, True])
def test_a_violation_rests_on_the_higher_rates_others_and_the_lower_rates_events_and_compliance_on_the_rest(swap):
    high, low = (np.array([40.0]), np.array([100.0])), (np.array([5.0]), np.array([100.0]))
    of_high, of_low = (np.array([9.0]), np.array([30.0])), (np.array([7.0]), np.array([50.0]))  # lower, higher
    sides, tails = ((low, high), (of_low, of_high)) if swap else ((high, low), (of_high, of_low))
    pairs = Pairs(*sides[0], *sides[1])
    found = claims_freedom(pairs, *tails, "difference", None)
    v_high, v_low = (p * (1.0 - p) / 100.0 for p in (41.0 / 102.0, 6.0 / 102.0))

    def together(f_high, f_low):
        return (v_high + v_low) ** 2 / (v_high**2 / f_high + v_low**2 / f_low)

    assert found.violation.known[0] == pytest.approx(together(30.0, 7.0))
    assert found.compliance.known[0] == pytest.approx(together(9.0, 50.0))
    shared = claims_freedom(pairs, *tails, "difference", np.array([0.5]))
    assert (shared.violation.known[0], shared.compliance.known[0]) == (30.0, 30.0)  # of the group that has fewer
