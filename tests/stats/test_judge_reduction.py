"""Reductions of a disparity: against scipy's t, by inversion, and by simulation of their level."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from fairness_checks.stats.judge_reduction import Claims, Reduction, judge_reductions

T = stats.t(19)


def claims(values, error=0.02):
    values = np.atleast_1d(np.asarray(values, dtype=np.float64))
    errors = np.broadcast_to(error, values.shape)
    return Claims(values, errors, errors, np.full(values.shape, 19.0))


def reduction(before, after, error=0.02):
    """Of two groups, with signed gaps before and after."""
    a, b = abs(before), abs(after)
    return Reduction(claims([a - b, a + b], error), claims([a - b, -a - b], error), claims(2 * a), claims(2 * b))


def test_a_clear_reduction_is_one_t_test_on_either_side():
    one = reduction(0.30, 0.10)
    for margin in (0.15, 0.20, 0.22):
        assert one.p_not_above(margin) == pytest.approx(T.sf((0.2 - margin) / 0.02) / 0.99)
        assert one.p_not_below(margin) == pytest.approx(T.sf((margin - 0.2) / 0.02) / 0.99)
    assert one.low(0.05) == pytest.approx(0.2 - T.ppf(1 - 0.05 * 0.99) * 0.02)
    assert one.high(0.05) == pytest.approx(0.2 + T.ppf(1 - 0.05 * 0.99) * 0.02)


def test_where_the_sign_is_not_known_both_count():
    unsure = reduction(0.30, 0.001)
    assert unsure.p_not_below(0.32) == pytest.approx(2 * T.sf((0.32 - 0.299) / 0.02))
    nothing = reduction(0.001, 0.30)
    assert nothing.p_not_above(-0.32) == pytest.approx(2 * T.sf((-0.299 + 0.32) / 0.02))


@given(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5), st.floats(0.005, 0.2), st.sampled_from([0.2, 0.05, 0.01]))
def test_the_interval_is_the_inversion_of_the_tests(before, after, error, level):
    one = reduction(before, after, error)
    assert one.low(level) <= one.value + 1e-12
    assert one.value <= one.high(level) + 1e-12
    for margin, p in ((one.low(level), one.p_not_above), (one.high(level), one.p_not_below)):
        inside = margin + 1e-6 * (1 if p == one.p_not_above else -1)
        outside = margin - 1e-6 * (1 if p == one.p_not_above else -1)
        assert p(inside) >= level * (1 - 1e-3)
        assert p(outside) <= level * (1 + 1e-3)


def test_every_mix_must_be_shown_and_any_may_fail():
    good, bad = reduction(0.30, 0.05), reduction(0.30, 0.29)
    found, shown = judge_reductions([good, bad], 0.15, 0.05)
    assert shown == 1
    assert found.p_violation == pytest.approx(2 * bad.p_not_below(0.15))
    assert found.p_compliance == bad.p_not_above(0.15)
    assert (found.low, found.high) == (bad.low(0.05), bad.high(0.025))
    assert found.estimate == pytest.approx(0.01)
    alone, _ = judge_reductions([good], 0.15, 0.05)
    assert alone.p_compliance < 0.01
    assert alone.p_violation > 0.5


@pytest.mark.parametrize(
    ("before", "after", "correlation"),
    [(0.0, 0.0, 0.0), (0.0, 0.0, 0.9), (1.0, 1.0, 0.9), (2.0, 0.0, 0.5), (1.0, -1.0, 0.5), (3.0, -1.0, 0.9)],
)
@pytest.mark.parametrize("margin", ["true", "less"])
def test_no_more_than_alpha_are_wrong_at_the_limit(before, after, correlation, margin):
    """Gaps in standard errors, known variances; the limit is the true reduction, or it with a tolerance."""
    rng = np.random.default_rng(0)
    n = 20_000
    a, b = rng.multivariate_normal([before, after], [[1.0, correlation], [correlation, 1.0]], n).T
    sign = [np.where(x < 0.0, -1.0, 1.0) for x in (a, b)]
    a, b = a * sign[0], b * sign[1]
    limit = abs(before) - abs(after)
    cross = correlation * sign[0] * sign[1]
    spread = {s: np.sqrt(2.0 - 2.0 * s * cross) for s in (1.0, -1.0)}
    infinite = np.inf
    wrong = {"fail": 0, "pass": 0}
    for i in range(0, n, 10):
        up = [spread[s][i] for s in (1.0, -1.0)]
        least = Claims(np.array([a[i] - b[i], a[i] + b[i]]), np.array(up), np.array(up), np.full(2, infinite))
        most = Claims(np.array([a[i] - b[i], -a[i] - b[i]]), np.array(up), np.array(up), np.full(2, infinite))
        own = [Claims(np.array([2 * x[i]]), *np.full((2, 1), 2.0), np.full(1, infinite)) for x in (a, b)]
        one = Reduction(least, most, *own)
        wrong["pass"] += one.p_not_above(limit + (0.5 if margin == "less" else 0.0)) < 0.05
        wrong["fail"] += one.p_not_below(limit - (0.5 if margin == "less" else 0.0)) < 0.05
    bound = 0.05 + 3 * np.sqrt(0.05 * 0.95 / (n / 10))
    assert wrong["pass"] / (n / 10) <= bound
    assert wrong["fail"] / (n / 10) <= bound
