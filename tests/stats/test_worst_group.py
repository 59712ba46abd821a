from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from fairness_checks.stats.worst_group import judge_worst_group

ALPHA = 0.05
GROUPS = st.lists(st.tuples(st.integers(1, 400), st.floats(0, 1)), min_size=1, max_size=6).map(
    lambda rows: (np.array([round(share * n) for n, share in rows]), np.array([n for n, _ in rows]))
)


@given(data=GROUPS, limit=st.floats(0.001, 0.99))
@settings(max_examples=80, deadline=None)
def test_a_ceiling_equals_scipys_binomial_tests(data, limit):
    events, samples = data
    tests = [stats.binomtest(int(x), int(n), limit) for x, n in zip(*data, strict=True)]
    above = [stats.binomtest(t.k, t.n, limit, "greater").pvalue for t in tests]
    below = [stats.binomtest(t.k, t.n, limit, "less").pvalue for t in tests]
    found = judge_worst_group(events, samples, limit, ALPHA, ceiling=True)
    assert found.p_violation == pytest.approx(1.0 - (1.0 - min(above)) ** len(above), rel=1e-6, abs=1e-14)
    assert found.p_compliance == pytest.approx(max(below), rel=1e-9)
    assert found.comparisons == len(events)
    assert found.second == -1
    assert found.estimate == pytest.approx(events[found.first] / samples[found.first])


@given(data=GROUPS)
@settings(max_examples=80, deadline=None)
def test_the_interval_is_clopper_and_pearsons_with_sidak_below(data):
    level = 1.0 - (1.0 - ALPHA) ** (1.0 / len(data[0]))
    found = judge_worst_group(*data, 0.2, ALPHA, ceiling=True)
    low = max(proportion_confint(x, n, alpha=2.0 * level, method="beta")[0] for x, n in zip(*data, strict=True))
    high = max(proportion_confint(x, n, alpha=2.0 * ALPHA, method="beta")[1] for x, n in zip(*data, strict=True))
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-9)


@given(data=GROUPS, limit=st.floats(0.01, 0.99), ceiling=st.booleans())
@settings(max_examples=150, deadline=None)
def test_the_interval_holds_the_limit_exactly_when_neither_test_rejects(data, limit, ceiling):
    found = judge_worst_group(*data, limit, ALPHA, ceiling=ceiling)
    bad, good = (found.low, found.high) if ceiling else (1.0 - found.high, 1.0 - found.low)
    tolerance = limit if ceiling else 1.0 - limit
    assert (found.p_violation < ALPHA) == (tolerance < bad) or tolerance == pytest.approx(bad, abs=1e-9)
    assert (found.p_compliance < ALPHA) == (tolerance > good) or tolerance == pytest.approx(good, abs=1e-9)


@given(data=GROUPS, limit=st.floats(0.01, 0.99))
@settings(max_examples=80, deadline=None)
def test_a_floor_is_the_ceiling_of_the_complement(data, limit):
    events, samples = data
    floor = judge_worst_group(events, samples, limit, ALPHA, ceiling=False)
    ceiling = judge_worst_group(samples - events, samples, 1.0 - limit, ALPHA, ceiling=True)
    assert floor.estimate == pytest.approx(1.0 - ceiling.estimate)
    assert (floor.low, floor.high) == pytest.approx((1.0 - ceiling.high, 1.0 - ceiling.low))
    assert (floor.p_violation, floor.p_compliance) == (ceiling.p_violation, ceiling.p_compliance)
    assert floor.first == ceiling.first


@pytest.mark.parametrize("ceiling", [True, False])
def test_false_alarms_stay_within_alpha(ceiling):
    (n1, n2), limit = (9, 14), 0.3
    size = 0.0
    for x1 in range(n1 + 1):
        for x2 in range(n2 + 1):
            found = judge_worst_group(np.array([x1, x2]), np.array([n1, n2]), limit, ALPHA, ceiling=ceiling)
            if found.p_violation < ALPHA:
                size += stats.binom.pmf(x1, n1, limit) * stats.binom.pmf(x2, n2, limit)
    assert 0.0 < size <= ALPHA


def test_the_group_that_proves_the_violation_is_named_and_not_the_one_with_the_highest_rate():
    found = judge_worst_group(np.array([2, 90]), np.array([3, 200]), 0.3, ALPHA, ceiling=True)
    assert (found.first, found.estimate) == (1, 0.45)
    kept = judge_worst_group(np.array([2, 50]), np.array([3, 200]), 0.3, ALPHA, ceiling=True)
    assert (kept.first, kept.estimate) == (0, pytest.approx(2 / 3))


def test_the_impossible_ends():
    nothing_allowed = judge_worst_group(np.array([1, 0]), np.array([50, 50]), 0.0, ALPHA, ceiling=True)
    assert nothing_allowed.p_violation == 0.0
    assert judge_worst_group(np.array([0]), np.array([50]), 0.0, ALPHA, ceiling=True).p_violation == 1.0
    assert judge_worst_group(np.array([49]), np.array([50]), 1.0, ALPHA, ceiling=False).p_violation == 0.0
