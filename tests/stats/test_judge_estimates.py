from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from fairness_checks.stats.estimates import Estimates
from fairness_checks.stats.judge_estimates import judge_difference

ALPHA = 0.05


def estimates(value, variance, freedom=None):
    value, variance = np.array(value, dtype=float), np.array(variance, dtype=float)
    return Estimates(value, variance, np.full(len(value), np.inf) if freedom is None else np.array(freedom, float))


def of(samples):
    return estimates(
        [sample.mean() for sample in samples],
        [sample.var(ddof=1) / len(sample) for sample in samples],
        [len(sample) - 1 for sample in samples],
    )


def judge(groups, limit, **optional):
    return judge_difference(groups, limit, ALPHA, largest=100.0, method="Welch", **optional)


def test_two_groups_are_scipys_welch_test_and_its_interval():
    rng = np.random.default_rng(2)
    samples = [rng.normal(0.0, 1.0, 14), rng.normal(1.0, 2.0, 25)]
    found = judge(of(samples), 0.0)
    expected = stats.ttest_ind(samples[1], samples[0], equal_var=False)
    interval = expected.confidence_interval(1.0 - 2.0 * ALPHA)
    assert found.p_violation == pytest.approx(expected.pvalue)
    assert found.high == pytest.approx(interval.high, abs=1e-4)
    assert (found.first, found.second) == (1, 0)
    assert found.comparisons == 1
    assert found.method == "Welch"


def test_many_large_samples_are_scipys_tukey_test():
    rng = np.random.default_rng(6)
    drawn = [rng.normal(0.0, 1.0, 8_000) for _ in range(4)]
    # One variance: Tukey's test pools them, ours does not.
    means = (0.0, 0.01, 0.045, 0.02)
    samples = [(one - one.mean()) / one.std() + mean for one, mean in zip(drawn, means, strict=True)]
    expected = stats.tukey_hsd(*samples)
    found = judge(of(samples), 0.0)
    assert 0.001 < expected.pvalue.min() < ALPHA
    assert found.p_violation == pytest.approx(expected.pvalue.min(), rel=3e-3)
    # Tukey's interval counts both directions at every limit, ours only those that chance can still take.
    assert 0.0 < np.max(expected.confidence_interval(1.0 - ALPHA).low) < found.low
    assert found.comparisons == 6


def test_strata_are_judged_together_and_never_compared():
    groups = estimates([0.0, 0.3, 5.0, 5.1, 9.0], [0.01, 0.01, 0.01, 0.01, 0.01])
    found = judge(groups, 0.1, blocks=np.array([1, 1, 4, 4, 2]))
    z, scale = 0.2 / math.sqrt(0.02), math.sqrt(0.02)

    def two_sided(z):
        return stats.norm.sf(z) + stats.norm.sf(z + 0.2 / scale)

    assert found.estimate == pytest.approx(0.3)
    assert (found.first, found.second) == (1, 0)
    assert found.p_violation == pytest.approx(1.0 - (1.0 - two_sided(z)) ** 2)
    assert found.p_compliance == pytest.approx(stats.norm.cdf(z))
    assert found.high == pytest.approx(0.3 + stats.norm.ppf(0.95) * scale, abs=1e-4)
    assert found.comparisons == 2
    assert found.method == "Welch, max-t over 2 pairs"


def test_one_stratum_is_no_stratification():
    groups = estimates([0.0, 0.3, 0.9], [0.01, 0.02, 0.05], [12, 30, 9])
    assert judge(groups, 0.1, blocks=np.array([7, 7, 7])) == judge(groups, 0.1)


def test_strata_of_one_group_each_are_refused():
    with pytest.raises(ValueError, match="no stratum has two groups"):
        judge(estimates([0.0, 0.3], [0.01, 0.02]), 0.1, blocks=np.array([0, 1]))


@pytest.mark.parametrize("limit", [0.0, 0.4])
def test_false_alarms_of_many_groups_stay_within_alpha(limit):
    rng = np.random.default_rng(8)
    variance = np.array([0.01, 0.04, 0.01, 0.04, 0.02])
    truth = np.array([0.0, limit, limit, 0.0, limit])
    draws = rng.normal(truth, np.sqrt(variance), size=(1_000, 5))
    alarms = np.mean([judge(estimates(value, variance), limit).p_violation < ALPHA for value in draws])
    assert 0.02 < alarms <= ALPHA + 3.0 * math.sqrt(ALPHA * (1.0 - ALPHA) / len(draws))


def test_the_order_of_the_groups_does_not_matter():
    rng = np.random.default_rng(3)
    value, variance, blocks = rng.normal(size=9), rng.uniform(0.01, 0.1, 9), np.repeat([0, 1, 2], 3)
    found = judge(estimates(value, variance), 0.2, blocks=blocks)
    places = rng.permutation(9)
    again = judge(estimates(value[places], variance[places]), 0.2, blocks=blocks[places])
    assert (places[again.first], places[again.second]) == (found.first, found.second)
    for name in ("estimate", "low", "high", "p_violation", "p_compliance", "level"):
        assert getattr(again, name) == pytest.approx(getattr(found, name), rel=1e-12), name
