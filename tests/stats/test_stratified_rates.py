from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal, special, stats
from statsmodels.stats.contingency_tables import StratifiedTable

from fairness_checks.stats.estimates import Estimates, estimates_violation
from fairness_checks.stats.proportions import score_statistic
from fairness_checks.stats.stratified_rates import (
    StratifiedRates,
    _rate_p,
    _restricted_to,
    _sum_tail,
    judge_worst_stratified,
    rate_variances,
    stratified_compliance,
    stratified_violation,
)

FIRST, SECOND = np.array([0]), np.array([1])


def strata(events, samples):
    samples = np.asarray(samples, dtype=float)
    weights = samples.sum(axis=1) / samples.sum()
    return StratifiedRates(np.asarray(events, dtype=float), samples, weights)


def outside(rates, margin=0.0):
    return float(stratified_violation(rates, FIRST, SECOND, margin)[0])


def within(rates, margin):
    return float(stratified_compliance(rates, FIRST, SECOND, margin)[0])


@pytest.mark.parametrize("margin", [0.0, 0.05])
def test_one_large_stratum_is_the_score_test(margin):
    rates = strata([[3_200, 2_500]], [[10_000, 9_000]])
    z = score_statistic(3_200, 10_000, 2_500, 9_000, np.array([margin, -margin]))
    assert outside(rates, margin) == pytest.approx(stats.norm.sf(z).sum(), abs=2e-4)


def test_strata_of_one_size_are_the_cochran_mantel_haenszel_test():
    """At no difference the variance is that of the hypergeometric distributions, to the last digit."""
    rng = np.random.default_rng(2)
    samples = np.tile([400, 400], (8, 1))
    events = rng.binomial(samples, 0.3 + 0.02 * np.array([1.0, 0.0]))
    tables = [np.array([[a, 400 - a], [b, 400 - b]]) for a, b in events.tolist()]
    expected = StratifiedTable(tables).test_null_odds(correction=False).pvalue
    assert outside(strata(events, samples)) == pytest.approx(expected, rel=0.05)


@given(seed=st.integers(0, 1_000))
@settings(max_examples=25, deadline=None)
def test_a_tail_is_that_of_all_outcomes_and_hardly_ever_smaller(seed):
    rng = np.random.default_rng(seed)
    size = rng.integers(1, 9, 4)
    rate, step = rng.uniform(0.02, 0.98, 4), rng.uniform(0.2, 2.0, 4) * rng.choice([-1.0, 1.0], 4)
    deviation = np.sqrt(np.sum(step**2 * size * rate * (1.0 - rate)))
    values, chances = [], []
    for outcome in itertools.product(*(range(n + 1) for n in size)):
        values.append((np.array(outcome) - size * rate) @ step / deviation)
        chances.append(np.prod(stats.binom.pmf(outcome, size, rate)))
    values, chances = np.array(values), np.array(chances)
    for z in rng.choice(values[np.abs(values) < 4.0], 4):
        exact = chances[values >= z - 1e-9].sum()
        found = _sum_tail(step, size.astype(float), rate, float(z))
        assert 0.97 * exact - 1e-3 <= found
        assert found <= chances[values >= z - 0.2].sum() + 1e-3  # blurred


@given(seed=st.integers(0, 1_000), margin=st.sampled_from([0.0, 0.05, 0.2]))
@settings(max_examples=25, deadline=None)
def test_the_order_of_groups_and_the_event_do_not_matter(seed, margin):
    rng = np.random.default_rng(seed)
    samples = rng.integers(1, 40, (4, 2))
    events = rng.binomial(samples, 0.2)
    rates, turned, others = strata(events, samples), strata(events[:, ::-1], samples[:, ::-1]), samples - events
    for test in (outside, within):
        assert test(turned, margin) == pytest.approx(test(rates, margin), abs=1e-9)
        # The cubic's double roots are known to five digits only.
        assert test(strata(others, samples), margin) == pytest.approx(test(rates, margin), abs=1e-3)


def test_nothing_seen_shows_no_difference():
    rates = strata(np.zeros((3, 2)), np.full((3, 2), 50.0))
    assert outside(rates) == 1.0
    assert within(rates, 0.1) < 0.05


def sato(events, samples):
    """z of Sato, Greenland and Robins' risk difference over strata."""
    (a, b), (n1, n2) = events.T, samples.T
    total = n1 + n2
    weight = n1 * n2 / total
    difference = (weight * (a / n1 - b / n2)).sum() / weight.sum()
    p = (n1**2 * b - n2**2 * a + n1 * n2 * (n2 - n1) / 2.0) / total**2
    q = (a * (n2 - b) + b * (n1 - a)) / (2.0 * total)
    return difference * weight.sum() / np.sqrt(max(difference * p.sum() + q.sum(), 1e-12))


def welch(events, samples):
    """The test before: each stratum's rate drawn towards 1/2 by a sample of each kind."""
    weights = samples.sum(axis=1, keepdims=True) / samples.sum()
    spread = (events + 1.0) * (samples - events + 1.0) / (samples**2 + 3.0 * samples + 4.0) / samples
    parts = weights**2 * spread
    freedom = parts.sum(axis=0) ** 2 / (parts**2 / np.maximum(samples - 1.0, 1.0)).sum(axis=0)
    found = Estimates((weights * events / samples).sum(axis=0), parts.sum(axis=0), freedom)
    return float(estimates_violation(found, FIRST, SECOND, 0.0)[0])


def test_rare_events_in_uneven_strata_are_found_by_half_of_what_satos_test_finds_more():
    rng = np.random.default_rng(3)
    samples = np.stack([rng.integers(2, 31, 20), rng.integers(2, 61, 20)], axis=1)
    found = np.zeros((150, 3))
    for i in range(150):
        events = rng.binomial(samples, [0.10, 0.05])
        p = outside(strata(events, samples)), welch(events, samples), 2.0 * stats.norm.sf(abs(sato(events, samples)))
        found[i] = np.array(p) < 0.05
    ours, before, of_sato = found.mean(axis=0)
    assert of_sato - before > 0.3
    assert ours - before >= 0.5 * (of_sato - before)


@pytest.mark.parametrize("rates", [(0.02, 0.02), (0.12, 0.02)])
def test_ten_beside_a_thousand_in_each_stratum_keep_the_level(rates):
    """Sato's test fails 0.13 there."""
    rng, limit, wrong, draws = np.random.default_rng(4), abs(rates[0] - rates[1]), np.zeros(2), 300
    samples = np.tile([10, 1_000], (5, 1))
    for _ in range(draws):
        found = strata(rng.binomial(samples, rates), samples)
        wrong += outside(found, limit) < 0.05, within(found, limit) < 0.05
    assert wrong.max() / draws <= 0.05 + 3.0 * np.sqrt(0.05 * 0.95 / draws)


@pytest.mark.parametrize(("events", "samples", "limit"), [(3, 60, 0.02), (30, 80, 0.3), (0, 40, 0.1), (40, 40, 0.9)])
def test_a_ceiling_of_one_stratum_is_the_binomial_test(events, samples, limit):
    found = judge_worst_stratified(strata([[events]], [[samples]]), limit, 0.05, ceiling=True)
    assert found.p_violation == pytest.approx(stats.binom.sf(events - 1, samples, limit), abs=0.02)
    assert found.p_compliance == pytest.approx(stats.binom.cdf(events, samples, limit), abs=0.02)
    assert found.estimate == events / samples


@given(seed=st.integers(0, 1_000), value=st.sampled_from([0.02, 0.3, 0.8]))
@settings(max_examples=25, deadline=None)
def test_restricted_rates_have_their_mean_and_the_largest_likelihood(seed, value):
    """No other rates with that weighted mean are more likely: moving two of them along it makes it smaller."""
    rng = np.random.default_rng(seed)
    n = rng.integers(1, 30, 5).astype(float)
    x, share = rng.binomial(n.astype(int), 0.3).astype(float), rng.dirichlet(np.ones(5))
    found = _restricted_to(x, n, share, value)
    assert share @ found == pytest.approx(value, abs=1e-6)

    def likelihood(p):
        return float(special.xlogy(x, p).sum() + special.xlogy(n - x, 1.0 - p).sum())

    for one, other in itertools.permutations(range(5), 2):
        moved = found.copy()
        moved[one] += 1e-3 / share[one]
        moved[other] -= 1e-3 / share[other]
        if moved.min() >= 0.0 and moved.max() <= 1.0:
            assert likelihood(moved) <= likelihood(found) + 1e-9


@given(seed=st.integers(0, 1_000), ceiling=st.booleans())
@settings(max_examples=15, deadline=None)
def test_the_interval_of_a_standardised_rate_holds_the_limits_that_are_not_rejected(seed, ceiling):
    rng = np.random.default_rng(seed)
    samples = rng.integers(1, 20, (6, 3))
    rates = strata(rng.binomial(samples, 0.2), samples)
    step = np.sqrt(rate_variances(rates)).max() / 40.0
    for limit in (0.05, 0.15, 0.4):
        limit = limit if ceiling else 1.0 - limit
        found = judge_worst_stratified(rates, limit, 0.05, ceiling=ceiling)
        inside, outside_it = (found.low, found.high) if ceiling else (1.0 - found.high, 1.0 - found.low)
        at = limit if ceiling else 1.0 - limit
        if min(abs(at - inside), abs(at - outside_it)) > step:
            assert (at < inside) == (found.p_violation < 0.05)
            assert (at > outside_it) == (found.p_compliance < 0.05)


def test_a_floor_is_a_ceiling_of_the_complement():
    samples = np.array([[12, 30], [7, 9], [1, 4]])
    events = np.array([[3, 9], [1, 0], [0, 2]])
    ceiling = judge_worst_stratified(strata(events, samples), 0.3, 0.05, ceiling=True)
    floor = judge_worst_stratified(strata(samples - events, samples), 0.7, 0.05, ceiling=False)
    assert (floor.low, floor.high) == pytest.approx((1.0 - ceiling.high, 1.0 - ceiling.low))
    assert floor.p_violation == pytest.approx(ceiling.p_violation)
    assert floor.p_compliance == pytest.approx(ceiling.p_compliance)


@pytest.mark.parametrize(
    ("strata_of", "rate"), [((2,) * 100, 0.05), ((1,) * 80, 0.2), ((3, 5, 8, 12, 20, 30) * 3, 0.05)]
)
def test_ceilings_of_many_small_strata_are_found_and_kept_as_often_as_promised(strata_of, rate):
    """A variance that is never too small on average found 0.1 and 0.6 of these."""
    rng, samples, n = np.random.default_rng(3), np.array(strata_of)[:, None], 80
    error = np.sqrt(rate * (1.0 - rate) * np.sum((samples / samples.sum()) ** 2 / samples))
    shown = np.zeros(4)
    for _ in range(n):
        rates = strata(rng.binomial(samples, rate), samples)
        at, below, above = (_rate_p(rates, 0, rate + far * error) for far in (0.0, -2.2, 3.0))
        shown += np.array([*at, below[0], above[1]]) < 0.05
    fails, passes, found, kept = shown / n
    assert max(fails, passes) <= 0.05 + 3.0 * np.sqrt(0.05 * 0.95 / n)
    assert found > 0.6
    assert kept > 0.6


@pytest.mark.parametrize(("alike", "rate"), [(True, 0.2), (True, 0.3), (False, 0.3)], ids=str)
def test_ceilings_of_fifty_strata_of_two_keep_the_level_by_enumeration(alike, rate):
    """With rates of each stratum's own, fitted to its two samples, 0.080, 0.072 and 0.072 pass wrongly."""
    rates = np.array([rate, rate] if alike else [0.2 * rate, 1.8 * rate])
    of_stratum = stats.binom.pmf(np.arange(3)[:, None], 2, rates)
    polynomial = [np.zeros((26, 26)) for _ in rates]  # by strata of one event and of two
    for law, q in zip(polynomial, of_stratum.T, strict=True):
        for one, two in itertools.product(range(26), range(26)):
            if one + two <= 25:
                law[one, two] = stats.multinomial.pmf([25 - one - two, one, two], 25, q)
    law = signal.convolve2d(*polynomial)
    wrong = np.zeros(2)
    for one, two in np.argwhere(law > 1e-6):
        events = np.repeat([0, 1, 2], [50 - one - two, one, two])[:, None]
        wrong += law[one, two] * (np.array(_rate_p(strata(events, np.full((50, 1), 2)), 0, rate)) < 0.05)
    assert (wrong < 0.055).all()
    assert (wrong > 0.02).all()
