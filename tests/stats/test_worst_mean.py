from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from scipy import stats

from fairness_checks.stats.clusters import cluster_cells
from fairness_checks.stats.moments import moments_by_cluster
from fairness_checks.stats.skewness import flattened, steepened
from fairness_checks.stats.worst_mean import judge_worst_mean, mean_ends
from tests.builders import mirrored, moments_of


@pytest.mark.parametrize("ceiling", [True, False])
def test_symmetric_errors_have_the_one_sample_t_test(ceiling):
    rng = np.random.default_rng(1)
    one, other = mirrored(rng, 30, 1.0, 1.0), mirrored(rng, 50, 1.4, 2.0)
    found = judge_worst_mean(moments_of(one, other), 1.1, 0.05, ceiling=ceiling)
    beyond, kept = ("greater", "less") if ceiling else ("less", "greater")
    p = [stats.ttest_1samp(x, 1.1, alternative=beyond).pvalue for x in (one, other)]
    assert found.p_violation == pytest.approx(1.0 - (1.0 - min(p)) ** 2, rel=1e-9)
    p = [stats.ttest_1samp(x, 1.1, alternative=kept).pvalue for x in (one, other)]
    assert found.p_compliance == pytest.approx(max(p), rel=1e-9)
    assert found.first == (1 if ceiling else 0)
    assert found.estimate == pytest.approx(1.4 if ceiling else 1.0)
    assert (found.second, found.comparisons) == (-1, 2)


@pytest.mark.parametrize("alpha", [0.1, 0.05, 0.0025])
@pytest.mark.parametrize("ceiling", [True, False])
def test_interval_is_the_inversion_of_the_tests(ceiling, alpha):
    rng = np.random.default_rng(2)
    statistics = moments_of(rng.exponential(1.0, 20), rng.lognormal(0.0, 1.0, 40), rng.normal(1.0, 1.0, 30))
    found = judge_worst_mean(statistics, 1.0, alpha, ceiling=ceiling)
    violated, kept = (found.low, found.high) if ceiling else (found.high, found.low)
    for limit, name in ((violated, "p_violation"), (kept, "p_compliance")):
        at_end = judge_worst_mean(statistics, limit, alpha, ceiling=ceiling)
        assert getattr(at_end, name) == pytest.approx(alpha, rel=1e-6)
    lows, highs = mean_ends(statistics, alpha)
    assert kept == pytest.approx(highs.max() if ceiling else lows.min())


def test_a_floor_is_a_ceiling_of_the_negative():
    rng = np.random.default_rng(3)
    one, other = rng.exponential(1.0, 20), rng.lognormal(0.0, 1.0, 40)
    floor = judge_worst_mean(moments_of(one, other), 0.8, 0.05, ceiling=False)
    ceiling = judge_worst_mean(moments_of(-one, -other), -0.8, 0.05, ceiling=True)
    assert (floor.low, floor.high) == pytest.approx((-ceiling.high, -ceiling.low))
    assert (floor.p_violation, floor.p_compliance) == pytest.approx((ceiling.p_violation, ceiling.p_compliance))


def test_groups_that_show_nothing():
    found = judge_worst_mean(moments_of([1.0, 1.0, 1.0]), 2.0, 0.05, ceiling=True)
    assert (found.p_violation, found.p_compliance) == (1.0, 1.0)
    assert (found.estimate, found.low, found.high) == (1.0, -math.inf, math.inf)
    with pytest.raises(ValueError, match="no group"):
        judge_worst_mean(moments_of([]), 2.0, 0.05, ceiling=True)


@pytest.mark.parametrize("name", ["p_violation", "p_compliance"])
def test_level_at_the_limit(name):
    """Exponential errors whose true mean is the ceiling; the plain t test passes 20 samples wrongly in 10 %."""
    rng, runs = np.random.default_rng(4), 1_000
    wrong = plain = 0
    for _ in range(runs):
        sample = rng.exponential(1.0, 20)
        wrong += getattr(judge_worst_mean(moments_of(sample), 1.0, 0.05, ceiling=True), name) < 0.05
        plain += stats.ttest_1samp(sample, 1.0, alternative="less").pvalue < 0.05
    bound = 0.05 + 3.0 * math.sqrt(0.05 * 0.95 / runs)
    assert wrong / runs <= bound < plain / runs


def test_at_strict_levels_the_skewness_of_samples_counts_that_few_clusters_hide():
    """25 clusters of lognormal errors at their true mean, level 0.0025; without it 0.010 to 0.015 pass wrongly."""
    rng, runs, alpha = np.random.default_rng(5), 2_500, 0.0025
    wrong = plain = 0
    for _ in range(runs):
        clusters = np.repeat(np.arange(25), rng.geometric(0.25, 25))
        scores = rng.standard_normal(25)[clusters] + rng.standard_normal(len(clusters))
        group = np.zeros(len(clusters), dtype=np.int64)
        found = moments_by_cluster(cluster_cells(group, 1, clusters), np.exp(scores / np.sqrt(2.0)))
        p = judge_worst_mean(found, np.exp(0.5), alpha, ceiling=True).p_compliance
        wrong += p < alpha
        by_clusters = dataclasses.replace(found, of_samples=None, m3=0.0 * found.m3)
        plain += judge_worst_mean(by_clusters, np.exp(0.5), alpha, ceiling=True).p_compliance < alpha
    assert wrong / runs <= alpha + 3.0 * math.sqrt(alpha / runs) < plain / runs


def test_t_of_a_skewed_mean_is_undone():
    t, freedom, steepness = np.linspace(-3.0, 40.0, 87), np.full(87, 19.0), np.linspace(0.0, 2.0, 87)
    steep = steepened(t, freedom, steepness)
    assert flattened(steep, freedom, steepness) == pytest.approx(t, rel=1e-12)
    usual = t <= stats.t.isf(0.05, 19)
    assert (steep[usual] == t[usual]).all()
    assert (steep[~usual][1:] > t[~usual][1:]).all()
