"""Evidence of clusters: valid however unequal they are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairness_checks.kinds.measured import few_clusters
from fairness_checks.stats.clusters import FEWEST_EFFECTIVE, cluster_cells, cluster_evidence, distinct, take_shared
from fairness_checks.stats.means import means_compliance, means_violation
from fairness_checks.stats.moments import moments_by_cluster

ALPHA = 0.05


def pareto(rng, clusters):
    return np.minimum(np.ceil(rng.pareto(1.1, clusters) + 1.0), 50).astype(int)


def one_long(rng, clusters):
    return np.append(rng.permutation(np.full(clusters - 1, 4)), clusters)


def geometric(rng, clusters):
    return rng.geometric(0.2, clusters)


def data_sets(rng, sizes_of, clusters, draws, correlation, means=(0.0, 0.0)):
    """Codes, clusters and values of two groups of each data set, and which data sets the gate would judge."""
    sizes = [sizes_of(rng, clusters) for _ in range(2 * draws)]
    group = np.repeat(np.arange(2 * draws), [len(some) for some in sizes])
    all_sizes = np.concatenate(sizes)
    cluster = np.repeat(np.arange(len(all_sizes)), all_sizes)
    own, noise = rng.standard_normal(len(all_sizes)), rng.standard_normal(len(cluster))
    values = np.sqrt(correlation) * own[cluster] + np.sqrt(1.0 - correlation) * noise
    codes = group[cluster]
    values += np.tile(means, draws)[codes]
    effective = np.array([some.sum() ** 2 / (some**2).sum() for some in sizes]).reshape(draws, 2)
    return codes, cluster, values, effective.min(axis=1) >= FEWEST_EFFECTIVE


@pytest.mark.parametrize("correlation", [0.05, 0.3, 0.7])
@pytest.mark.parametrize(
    ("sizes_of", "clusters"), [(pareto, 20), (pareto, 50), (one_long, 50), (geometric, 20)], ids=lambda x: str(x)[:20]
)
def test_equal_means_fail_and_a_gap_at_the_limit_passes_no_more_often_than_alpha(sizes_of, clusters, correlation):
    """The plain sum of squares fails 0.08 to 0.13 of these."""
    rng, draws = np.random.default_rng(1), 1_500
    even = 2 * np.arange(draws)
    for means, margin, test in (((0.0, 0.0), 0.0, means_violation), ((0.4, 0.0), 0.4, means_compliance)):
        codes, cluster, values, judged = data_sets(rng, sizes_of, clusters, draws, correlation, means)
        statistics = moments_by_cluster(cluster_cells(codes, 2 * draws, cluster), values)
        p = test(statistics, even, even + 1, margin)[judged]
        assert np.mean(p <= ALPHA) <= ALPHA + 3.0 * np.sqrt(ALPHA * (1.0 - ALPHA) / judged.sum())


def test_the_variance_is_that_of_the_estimate():
    """Over many draws of the same clusters its mean is the variance of the mean, or somewhat more."""
    rng, draws = np.random.default_rng(2), 3_000
    sizes = np.concatenate([[60], rng.integers(1, 12, 40)])
    cluster = np.tile(np.repeat(np.arange(len(sizes)), sizes), draws) + np.repeat(
        len(sizes) * np.arange(draws), sizes.sum()
    )
    values = 0.6 * rng.standard_normal(draws * len(sizes))[cluster] + 0.8 * rng.standard_normal(len(cluster))
    codes = np.repeat(np.arange(draws), sizes.sum())
    mean = np.bincount(codes, values) / sizes.sum()
    found = cluster_evidence(cluster_cells(codes, draws, cluster), (values - mean[codes]) / sizes.sum())
    assert 0.97 < found.variance.mean() / mean.var() < 1.25
    np.testing.assert_allclose(found.effective, sizes.sum() ** 2 / (sizes**2).sum())


@given(sizes=st.lists(st.integers(1, 30), min_size=1, max_size=20), seed=st.integers(0, 1000))
@settings(max_examples=50, deadline=None)
def test_effective_clusters_lie_between_one_and_their_number(sizes, seed):
    cluster = np.repeat(np.random.default_rng(seed).permutation(len(sizes)), sizes)
    (found,) = cluster_cells(np.zeros(len(cluster), dtype=int), 1, cluster).effective()
    assert 1.0 <= found * (1.0 + 1e-12) <= len(sizes) * (1.0 + 1e-9)
    assert (found == len(sizes)) == (len(set(sizes)) == 1)


@pytest.mark.parametrize(
    ("clusters", "samples", "effective", "said"),
    [
        (4, 100, 4.0, "100 samples in 4 clusters; 10 clusters are needed"),
        (60, 700, 2.34, "700 samples in 60 clusters so unequal that they count as 2.3; 5 are needed"),
        (60, 700, 40.0, None),
        (4, 4, 4.0, None),
    ],
)
def test_few_clusters_are_said(clusters, samples, effective, said):
    assert few_clusters(clusters, samples, effective) == said


def test_correlations_are_taken_with_their_groups():
    shared = np.array([[1.0, 0.3, 0.0], [0.3, 1.0, 0.0], [0.0, 0.0, 1.0]])
    assert take_shared(shared, np.array([1, 0]))[0, 1] == 0.3
    assert take_shared(shared, np.array([0, 2, -1])) is None  # none of these share clusters
    assert take_shared(None, np.array([0])) is None


@given(st.lists(st.integers(0, 40) | st.integers(0, 10**9), max_size=30))
def test_distinct_codes_are_those_of_numpy(codes):
    found, place = distinct(np.array(codes, dtype=np.int64))
    expected, inverse = np.unique(np.array(codes, dtype=np.int64), return_inverse=True)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(place, inverse)
