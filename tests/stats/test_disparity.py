from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats import proportion as sm

from fairness_checks.stats.disparity import (
    RatePairs,
    _lowest,
    judge_disparity,
    margins,
    rates_compliance,
    rates_violation,
    score_compliance,
    score_violation,
)
from fairness_checks.stats.rate_pairs import Pairs

PRECISION = 2e-5  # of an interval's ends
ALPHA = 0.05


def judge(events, samples, limit, contrast):
    return judge_disparity(np.array(events), np.array(samples), limit, contrast, ALPHA)


@st.composite
def counts(draw, groups=(2, 5), sizes=(1, 60)):
    size = st.integers(*sizes) | st.sampled_from([320, 500, 2_000])
    samples = draw(st.lists(size, min_size=groups[0], max_size=groups[1]))
    return np.array([round(draw(st.floats(0, 1)) * n) for n in samples]), np.array(samples)


limits = st.one_of(
    st.tuples(st.just("difference"), st.sampled_from([0.0, 0.05, 0.1]) | st.floats(0.0, 0.99)),
    st.tuples(st.just("ratio"), st.sampled_from([0.8, 0.9, 1.0]) | st.floats(0.01, 1.0)),
)


@given(data=counts(), limit=limits)
@settings(max_examples=60, deadline=None)
def test_the_interval_holds_the_limit_exactly_when_neither_test_rejects(data, limit):
    contrast, value = limit
    found = judge(*data, value, contrast)
    assert found.low <= found.high
    # What is inconclusive lies in the interval. So may a limit that is not: exact p-values move by steps.
    violates, keeps = (found.low, found.high) if contrast == "difference" else (1.0 - found.high, 1.0 - found.low)
    tolerance = value if contrast == "difference" else 1.0 - value
    smooth = "exact" not in found.method
    if found.p_violation >= ALPHA:
        assert violates <= tolerance + 1e-9
    elif smooth:
        assert tolerance <= violates + 1e-9
    if found.p_compliance >= ALPHA:
        assert tolerance <= keeps + 1e-9
    elif smooth:
        assert keeps <= tolerance + PRECISION
    assert not (found.p_violation < ALPHA and found.p_compliance < ALPHA)


@given(data=counts(groups=(2, 2)), limit=limits)
@settings(max_examples=20, deadline=None)
def test_each_end_of_the_interval_is_where_its_test_stops_rejecting(data, limit):
    contrast, value = limit
    found = judge(*data, value, contrast)

    def p_values(tolerance):
        at = tolerance if contrast == "difference" else 1.0 - tolerance
        again = judge(*data, at, contrast)
        return again.p_violation, again.p_compliance

    low, high = (found.low, found.high) if contrast == "difference" else (1.0 - found.high, 1.0 - found.low)
    near = np.array([-1.1, 0.0, 1.1]) * PRECISION  # where a p-value jumps, one of the neighbours is beyond
    if low > 2 * PRECISION:
        assert min(p_values(low + t)[0] for t in near) <= ALPHA * 1.0001
        assert low > 0.9999 or max(p_values(low + t)[0] for t in near) >= ALPHA * 0.9999
    if 2 * PRECISION < high < 0.9999:
        assert max(p_values(high + t)[1] for t in near) >= ALPHA * 0.9999
        assert min(p_values(high + t)[1] for t in near) <= ALPHA * 1.0001


@given(data=counts(groups=(2, 3)), kind=st.sampled_from(["difference", "ratio"]), share=st.floats(0.05, 0.95))
@settings(max_examples=20, deadline=None)
def test_the_interval_is_one_whatever_limit_is_configured(data, kind, share):
    found = judge(*data, 0.5, kind)
    at = found.low + share * (found.high - found.low)
    for limit in (at, max(found.low - 0.01, 0.02), min(found.high + 0.01, 0.98)):
        again = judge(*data, limit, kind)
        if again.p_violation >= ALPHA and again.p_compliance >= ALPHA:
            assert found.low - 2 * PRECISION <= limit <= found.high + 2 * PRECISION
        assert (again.low, again.high) == pytest.approx((found.low, found.high), abs=2 * PRECISION)


@given(data=counts(), limit=limits, order=st.randoms(use_true_random=False))
@settings(max_examples=20, deadline=None)
def test_the_order_of_the_groups_does_not_matter(data, limit, order):
    events, samples = data
    places = list(range(len(events)))
    order.shuffle(places)
    found = judge(events, samples, limit[1], limit[0])
    again = judge(events[places], samples[places], limit[1], limit[0])
    for name in ("estimate", "p_violation", "p_compliance"):
        assert getattr(again, name) == pytest.approx(getattr(found, name), rel=1e-4, abs=1e-9), name
    assert (again.low, again.high) == pytest.approx((found.low, found.high), abs=2 * PRECISION)


@given(data=counts(), limit=limits, order=st.randoms(use_true_random=False))
@settings(max_examples=20, deadline=None)
def test_the_order_of_the_groups_does_not_change_a_digit_of_p(data, limit, order):
    events, samples = data
    places = list(range(len(events)))
    order.shuffle(places)
    found = judge(events, samples, limit[1], limit[0])
    again = judge(events[places], samples[places], limit[1], limit[0])
    assert (again.p_violation, again.p_compliance) == (found.p_violation, found.p_compliance)


@given(data=counts(), limit=st.sampled_from([0.0, 0.05, 0.1, 0.3]))
@settings(max_examples=20, deadline=None)
def test_false_negative_and_true_positive_rates_differ_alike(data, limit):
    events, samples = data
    missed = judge(events, samples, limit, "difference")
    found = judge(samples - events, samples, limit, "difference")
    for name in ("estimate", "p_violation", "p_compliance"):
        assert getattr(found, name) == pytest.approx(getattr(missed, name), rel=1e-4, abs=1e-9), name
    assert (found.low, found.high) == pytest.approx((missed.low, missed.high), abs=2 * PRECISION)


@given(data=counts(), limit=limits)
@settings(max_examples=20, deadline=None)
def test_the_estimate_is_that_of_the_groups_named(data, limit):
    events, samples = data
    contrast, value = limit
    found = judge(events, samples, value, contrast)
    rate = events / samples
    first, second = rate[found.first], rate[found.second]
    assert found.first != found.second
    assert found.comparisons == len(rate) * (len(rate) - 1) // 2
    if contrast == "difference":
        assert found.estimate == pytest.approx(first - second)
        assert first >= second
        if found.p_violation >= ALPHA:
            assert found.estimate == pytest.approx(rate.max() - rate.min())
    else:
        assert first <= second
        assert found.estimate == pytest.approx(first / second if second > 0.0 else 1.0)
        if found.p_violation >= ALPHA and rate.max() > 0.0:
            assert found.estimate == pytest.approx(rate.min() / rate.max())


@pytest.mark.parametrize(("contrast", "limit"), [("difference", 0.0), ("ratio", 1.0)])
@pytest.mark.parametrize("table", [(3730, 9120, 2370, 13160), (1500, 14000, 1600, 13900)])
def test_large_groups_equal_statsmodels_two_sided(table, contrast, limit):
    x1, n1, x2, n2 = table
    found = judge([x1, x2], [n1, n2], limit, contrast)
    compare = "diff" if contrast == "difference" else "ratio"
    expected = sm.test_proportions_2indep(x1, n1, x2, n2, method="score", compare=compare, correction=True)
    assert found.p_violation == pytest.approx(expected.pvalue, rel=1e-6)
    assert "Miettinen" in found.method
    assert "exact" not in found.method


def test_large_groups_have_the_interval_of_statsmodels():
    found = judge([3730, 2370], [9120, 13160], 0.8, "ratio")
    counts = (2370, 13160, 3730, 9120)
    low, high = sm.confint_proportions_2indep(*counts, method="score", compare="ratio", alpha=2 * ALPHA)
    assert (found.low, found.high) == pytest.approx((low, high), abs=2 * PRECISION)


def test_small_groups_equal_scipys_barnard_test():
    found = judge([5, 12], [20, 20], 0.0, "difference")
    expected = stats.barnard_exact([[12, 5], [8, 15]], pooled=True, n=1024).pvalue
    assert found.p_violation == pytest.approx(expected, rel=1e-4)
    assert "exact" in found.method
    assert (found.first, found.second) == (1, 0)


def test_many_large_groups_of_one_size_are_tukeys_range_test():
    events, size = [750, 780, 811, 735], 2_500
    z = max(
        abs(sm.test_proportions_2indep(x1, size, x2, size, method="score").statistic)
        for x1, x2 in itertools.combinations(events, 2)
    )
    expected = stats.studentized_range.sf(z * np.sqrt(2.0), len(events), np.inf)
    found = judge(events, [size] * len(events), 0.0, "difference")
    assert 0.03 < expected < 0.2
    assert found.p_violation == pytest.approx(expected, abs=4.0 * np.sqrt(expected / 20_000))
    assert found.comparisons == 6
    assert "6 pairs" in found.method


@given(data=counts(groups=(3, 5)), limit=limits)
@settings(max_examples=10, deadline=None)
def test_many_pairs_are_never_adjusted_by_more_than_bonferroni_nor_not_at_all(data, limit):
    contrast, value = limit
    single = min(
        judge(data[0][[i, j]], data[1][[i, j]], value, contrast).p_violation
        for i, j in itertools.combinations(range(len(data[0])), 2)
    )
    found = judge(*data, value, contrast)
    share = 0.2 if "of large groups" in found.method else 1.0  # of the level, for all pairs together
    assert found.p_violation <= min(1.0, found.comparisons * single / share) * 1.0001
    # The draws reach no further than one in their number.
    assert found.p_violation >= min(single, 0.9) - 4.0 * np.sqrt(single / 20_000) - 2e-4


def test_two_rates_of_zero_are_equal():
    found = judge([0, 0], [30, 40], 0.8, "ratio")
    assert found.estimate == 1.0
    assert found.p_violation == 1.0
    assert judge([0, 3], [30, 40], 0.8, "ratio").estimate == 0.0


@pytest.mark.parametrize(("contrast", "limit"), [("difference", 0.0), ("ratio", 1.0)])
def test_exact_equality_can_never_be_shown(contrast, limit):
    found = judge([300, 300], [1000, 1000], limit, contrast)
    assert found.p_compliance >= 0.5
    assert found.p_violation == 1.0


@pytest.mark.parametrize(
    ("groups", "size", "contrast", "limit", "rates"),
    [
        (3, 12, "difference", 0.1, (0.3, 0.4)),
        (3, 10, "ratio", 0.8, (0.4, 0.5)),
        (6, 5, "difference", 0.0, (0.4, 0.4)),
    ],
    ids=["difference", "ratio", "equality"],
)
def test_false_alarms_of_many_small_groups_stay_within_alpha(groups, size, contrast, limit, rates):
    # As many pairs as can lie on the limit: half of the groups at one end, half at the other. All outcomes, no draws.
    pmf = [stats.binom.pmf(np.arange(size + 1), size, rates[place % 2]) for place in range(groups)]
    probability = functools.reduce(np.multiply.outer, pmf).ravel()
    events = np.sort(np.indices((size + 1,) * groups).reshape(groups, -1).T, axis=1)
    _, first, outcome = np.unique(events @ (size + 1) ** np.arange(groups), return_index=True, return_inverse=True)
    probability, events = np.bincount(outcome, probability), events[first]
    # The widest pair has the smallest p; where that alone is not significant nothing is.
    tolerance = limit if contrast == "difference" else 1.0 - limit
    sizes = np.full(len(events), float(size))
    x1, x2 = (np.ascontiguousarray(events[:, place], dtype=float) for place in (0, -1))
    promising = np.flatnonzero(rates_violation(Pairs(x1, sizes, x2, sizes), tolerance, contrast) < ALPHA)
    known = promising[probability[promising] > 1e-4]
    rejected = [judge(events[place], [size] * groups, limit, contrast).p_violation < ALPHA for place in known]
    unknown = probability[np.setdiff1d(promising, known)].sum()
    size_of_test = probability[known][rejected].sum()
    assert size_of_test > 0.0
    assert size_of_test + unknown <= ALPHA + 0.003  # the critical value itself comes from draws


def test_a_naive_gate_fails_a_fair_model_most_of_the_time_and_this_one_rarely():
    # DESIGN: 34 and 62 positives, equal rates of 0.3, limit 0.05.
    n1, n2, limit = 34, 62, 0.05
    x1, x2 = (grid.ravel().astype(float) for grid in np.meshgrid(range(n1 + 1), range(n2 + 1), indexing="ij"))
    probability = stats.binom.pmf(x1, n1, 0.3) * stats.binom.pmf(x2, n2, 0.3)
    p = rates_violation(Pairs(x1, np.full_like(x1, n1), x2, np.full_like(x2, n2)), limit, "difference")
    assert probability[abs(x1 / n1 - x2 / n2) > limit].sum() == pytest.approx(0.61, abs=0.01)
    assert probability[p < ALPHA].sum() <= ALPHA


@given(data=counts(groups=(3, 4)))
@settings(max_examples=12, deadline=None)
def test_a_group_more_never_makes_compliance_easier(data):
    events, samples = data
    assume(len(set(samples.tolist())) > 1)
    some = judge(events[:-1], samples[:-1], 0.3, "difference")
    every = judge(events, samples, 0.3, "difference")
    assert every.p_compliance >= some.p_compliance * (1.0 - 1e-4)
    assert every.high >= some.high - 2 * PRECISION


def test_many_groups_give_the_answer_of_all_exact_tests(monkeypatch):
    rng = np.random.default_rng(5)
    samples = rng.integers(15, 40, 36)
    for events in (rng.binomial(samples, 0.3), np.where(np.arange(36) == 4, samples, rng.binomial(samples, 0.2))):
        pruned = judge_disparity(events, samples, 0.1, "difference", ALPHA)
        with monkeypatch.context() as patch:
            patch.setattr("fairness_checks.stats.disparity._MOST_EXACT", 10_000)
            full = judge_disparity(events, samples, 0.1, "difference", ALPHA)
        assert pruned == full


@pytest.mark.parametrize("limit", [0.25, 0.45, 0.6])
def test_what_is_reported_of_many_pairs_is_that_of_all_tested_exactly(limit):
    rng = np.random.default_rng(6)
    samples = np.array([12, 15, 20, 20, 25, 30, 41, 41, 50])
    events = rng.binomial(samples, 0.3)
    first, second = np.triu_indices(len(samples), 1)
    pairs = Pairs(
        *(values.astype(float) for values in (events[first], samples[first], events[second], samples[second]))
    )
    found = judge_disparity(events, samples, limit, "difference", ALPHA)
    largest = rates_compliance(pairs, limit, "difference").max()
    proof = ALPHA / 100.0  # what pairs that are shown to lie within without an exact test cost
    assert largest * (1.0 - 1e-6) <= found.p_compliance <= max(largest, proof) + proof
    least = rates_violation(pairs, limit, "difference").min()
    assert least * (1.0 - 1e-6) <= found.p_violation <= min(1.0, len(first) * least) * (1.0 + 1e-6)


def test_groups_of_equal_counts_are_judged_as_fast_as_one_pair():
    zero = judge([0] * 25, [200] * 25, 0.05, "difference")
    two = judge([0, 0], [200, 200], 0.05, "difference")
    assert zero.p_compliance == two.p_compliance
    assert zero.high == pytest.approx(two.high, abs=2 * PRECISION)
    assert zero.comparisons == 300


@pytest.mark.parametrize("seed", range(5))
def test_compliance_of_very_many_pairs_is_never_claimed_where_an_exact_test_does_not(seed):
    rng = np.random.default_rng(seed)
    samples = rng.integers(15, 60, 40)
    events = rng.binomial(samples, 0.1)
    first, second = np.triu_indices(40, 1)
    pairs = Pairs(
        *(values.astype(float) for values in (events[first], samples[first], events[second], samples[second]))
    )
    for limit in (0.3, 0.4, 0.5):
        found = judge_disparity(events, samples, limit, "difference", ALPHA)
        assert found.p_compliance >= rates_compliance(pairs, limit, "difference", ALPHA).max() * (1.0 - 1e-9)


def test_tiny_groups_do_not_hide_what_large_ones_prove():
    two = judge([510, 770], [5_000, 5_000], 0.035, "difference")
    more = judge([510, 770, *[1] * 10], [5_000, 5_000, *[10] * 10], 0.035, "difference")
    assert two.p_violation < 0.035
    assert more.p_violation == pytest.approx(two.p_violation / 0.8)
    assert (more.first, more.second) == (1, 0)
    assert "80% of the level for the 1 of large groups" in more.method


@st.composite
def rare_counts(draw):
    """Two or three groups of up to ten million samples, with rates down to 1e-7."""
    samples = draw(st.lists(st.sampled_from([1_000, 100_000, 10_000_000]), min_size=2, max_size=3))
    rates = [10.0 ** draw(st.floats(-7.0, -0.5)) for _ in samples]
    return np.array([round(rate * n) for rate, n in zip(rates, samples, strict=True)]), np.array(samples)


@given(data=rare_counts(), contrast=st.sampled_from(["difference", "ratio"]), share=st.floats(0.05, 3.0))
@settings(max_examples=40, deadline=None)
@example(data=(np.array([100, 200]), np.array([10**7, 10**7])), contrast="difference", share=0.2)
def test_the_interval_of_rare_rates_holds_the_estimate_and_agrees_with_the_verdict(data, contrast, share):
    """The search is as fine as the rates are: 1e-5 apart with a limit of 2e-6, an end at 2e-5 would say nothing."""
    rates = data[0] / data[1]
    limit = min(share * float(np.ptp(rates)), 0.99) if contrast == "difference" else min(1.0, share / 3.0 + 0.01)
    found = judge(*data, limit, contrast)
    assert found.low <= found.estimate <= found.high
    low, high, at = (found.low, found.high, limit) if contrast == "difference" else (-found.high, -found.low, -limit)
    if found.p_violation >= ALPHA:
        assert low <= at
    if found.p_compliance >= ALPHA:
        assert at <= high
    if found.p_violation < ALPHA / 50.0:  # exact p-values move by steps: at the very end they say either
        assert at < low


@pytest.mark.parametrize("different", [2, 40, 10_000])
@pytest.mark.parametrize("count", [1, 16, 500])
def test_the_lowest_are_those_of_a_stable_sort(count, different):
    for length in (1, 15, 600, 5_000):
        rank = np.random.default_rng(length).integers(0, different, length).astype(float)
        assert _lowest(rank, count).tolist() == np.argsort(rank, kind="stable")[:count].tolist()


@pytest.mark.parametrize("contrast", ["difference", "ratio"])
@pytest.mark.parametrize("margin", [0.0, 0.004, 0.012, 0.018, 0.03, 0.3])
def test_of_many_pairs_bounds_decide_as_p_values_do(margin, contrast):
    rng = np.random.default_rng(5)
    samples = rng.integers(40_000, 90_000, 60).astype(float)
    events = rng.binomial(samples.astype(int), rng.uniform(0.40, 0.42, 60)).astype(float)
    tests = RatePairs(events, samples, contrast)
    assert not tests.exact.any()
    everyone = np.arange(1770)
    pairs = Pairs(events[tests.first], samples[tests.first], events[tests.second], samples[tests.second]).ordered()
    ends = margins(margin, contrast)

    p, exact = tests.violation(everyone, margin), score_violation(pairs, *ends, contrast)
    counted = exact <= max(0.05, 2.0 * exact.min())
    assert p[counted] == pytest.approx(exact[counted], rel=1e-12)
    assert (p[~counted] > max(0.05, 2.0 * exact.min())).all()

    q, exact = tests.compliance(everyone, margin), score_compliance(pairs, *ends, contrast)
    assert q.max() == pytest.approx(exact.max(), rel=1e-12)
    assert ((q < 0.05) == (exact < 0.05)).all()
