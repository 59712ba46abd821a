from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from fairness_checks.stats.estimates import estimates_violation
from fairness_checks.stats.ranking import auc_by_group, auc_estimates
from fairness_checks.stats.ranking_clusters import auc_by_cluster
from fairness_checks.stats.satterthwaite import two_sample_freedom

FIELDS = ("auc", "positives", "negatives", "s10", "s01", "s11", "shared", "positive_samples", "negative_samples")


def obuchowski(labels, scores, clusters):
    """Area and the three terms of its variance, in the paper's notation, by loops."""
    x, y = scores[labels], scores[~labels]
    psi = np.array([[1.0 if a > b else 0.5 if a == b else 0.0 for b in y] for a in x])
    area, v10, v01 = psi.mean(), psi.mean(axis=1), psi.mean(axis=0)
    of_x, of_y = clusters[labels], clusters[~labels]
    names, m, n = np.unique(clusters), len(x), len(y)
    sums = [
        (v10[of_x == k].sum() - (of_x == k).sum() * area, v01[of_y == k].sum() - (of_y == k).sum() * area)
        for k in names
    ]
    i10, i01, i = len(np.unique(of_x)), len(np.unique(of_y)), len(names)
    s10 = i10 / ((i10 - 1) * m) * sum(a * a for a, _ in sums)
    s01 = i01 / ((i01 - 1) * n) * sum(b * b for _, b in sums)
    s11 = i / (i - 1) * sum(a * b for a, b in sums)
    return area, s10 / m, s01 / n, 2.0 * s11 / (m * n)


def sample(seed, ties=False, apart=True):
    rng = np.random.default_rng(seed)
    n = 240
    clusters = rng.permutation(np.repeat(np.arange(60), 4))
    codes = clusters % 3 if apart else rng.integers(0, 3, n)
    codes = np.where(rng.random(n) < 0.1, -1, codes)
    labels = rng.random(n) < 0.4
    scores = labels + rng.standard_normal(60)[clusters] + rng.standard_normal(n)
    return codes, labels, np.round(scores) if ties else scores, clusters


@pytest.mark.parametrize("ties", [False, True], ids=["distinct", "tied"])
@pytest.mark.parametrize("seed", range(3))
def test_variances_are_obuchowskis_and_grow_alike_for_unequal_clusters(seed, ties):
    codes, labels, scores, clusters = sample(seed, ties)
    result = auc_by_cluster(codes, 3, labels, scores, clusters)
    for g in range(3):
        mine = codes == g
        expected = obuchowski(labels[mine], scores[mine], clusters[mine])
        found = np.array([result.s10[g] / result.positives[g], result.s01[g] / result.negatives[g], result.s11[g]])
        growth = found / np.array(expected[1:])
        assert result.auc[g] == pytest.approx(expected[0], abs=1e-14)
        np.testing.assert_allclose(growth, growth[0], rtol=1e-12)
        assert 1.0 - 1e-12 <= growth[0] < 1.5
        assert result.auc[g] == pytest.approx(roc_auc_score(labels[mine], scores[mine]), abs=1e-12)
        assert result.positives[g] == len(np.unique(clusters[mine & labels]))
        assert result.shared[g] == len(np.intersect1d(clusters[mine & labels], clusters[mine & ~labels]))
        assert result.negative_samples[g] == (mine & ~labels).sum()


def test_clusters_of_one_sample_are_samples():
    codes, labels, scores, _ = sample(4, ties=True)
    rows = np.random.default_rng(0).permutation(len(codes))
    alone, plain = auc_by_cluster(codes, 3, labels, scores, rows), auc_by_group(codes, 3, labels, scores)
    for name in FIELDS:
        np.testing.assert_allclose(getattr(alone, name), getattr(plain, name), rtol=1e-12, err_msg=name)
    np.testing.assert_allclose(auc_estimates(alone).freedom, auc_estimates(plain).freedom, rtol=1e-12)


@pytest.mark.parametrize("apart", [True, False], ids=["in-one-group", "in-several-groups"])
def test_repeated_samples_add_nothing(apart):
    codes, labels, scores, clusters = sample(5, ties=True, apart=apart)
    twice = np.repeat(np.arange(len(codes)), 2)
    once = auc_estimates(auc_by_cluster(codes, 3, labels, scores, clusters))
    doubled = auc_estimates(auc_by_cluster(codes[twice], 3, labels[twice], scores[twice], clusters[twice]))
    for name in ("value", "variance", "freedom"):
        np.testing.assert_allclose(getattr(doubled, name), getattr(once, name), rtol=0.25)


def test_order_of_rows_and_names_of_clusters_and_groups_do_not_matter():
    codes, labels, scores, clusters = sample(6, ties=True, apart=False)
    rng = np.random.default_rng(1)
    rows, names, others = rng.permutation(len(codes)), rng.permutation(3), rng.permutation(60)
    result = auc_by_cluster(codes, 3, labels, scores, clusters)
    renamed = auc_by_cluster(np.append(names, -1)[codes][rows], 3, labels[rows], scores[rows], others[clusters][rows])
    for name in FIELDS:
        np.testing.assert_allclose(getattr(renamed.take(names), name), getattr(result, name), rtol=1e-9)


def test_clusters_in_several_groups_with_opposite_influence_correlate_the_areas():
    """A patient's score decides whether he is seen as positive in one group and as negative in the other."""
    rng = np.random.default_rng(2)
    codes, clusters = np.repeat([0, 1], 40), np.tile(np.arange(40), 2)
    labels = np.concatenate([np.arange(40) % 2 == 0, np.arange(40) % 2 == 1])
    tied = auc_by_cluster(codes, 2, labels, np.tile(rng.standard_normal(40), 2), clusters)
    assert auc_estimates(tied).shared[0, 1] == pytest.approx(-1.0)


def test_empty_groups_and_classes():
    result = auc_by_cluster(
        np.array([0, 0, 1, 1]), 3, np.array([True, False, True, True]), np.arange(4.0), np.array([0, 0, 1, 2])
    )
    np.testing.assert_array_equal(result.auc, [0.0, np.nan, np.nan])
    np.testing.assert_array_equal(result.positives, [1, 2, 0])
    assert np.isnan(result.s10).all()
    empty = np.empty(0, dtype=int)
    assert np.isnan(auc_by_cluster(empty, 1, empty.astype(bool), [], empty).auc).all()


def test_freedom_is_satterthwaites_without_and_the_clusters_with_shared_clusters():
    v1, v2, m, n = 0.3, 0.7, 12, 20
    expected = (v1 + v2) ** 2 / (v1**2 / (m - 1) + v2**2 / (n - 1))
    assert two_sample_freedom(v1, v2, 0.0, m, n, 0) == pytest.approx(expected, rel=1e-12)
    for covariance in (-0.8, 0.0, 0.5):
        assert two_sample_freedom(v1, v2, covariance, 15, 15, 15) == pytest.approx(14.0, rel=1e-12)
    assert np.isnan(two_sample_freedom(v1, v2, 0.0, 1, 20, 0))


def test_freedom_matches_the_spread_of_the_estimated_variance():
    """12 clusters with both classes, 5 with positives and 9 with negatives only: freedom = 2 E(V)^2 / Var(V)."""
    rng = np.random.default_rng(3)
    a, b, draws = 1.0, 1.5, 200_000
    first = a * rng.standard_normal((draws, 17))
    second = b * rng.standard_normal((draws, 21))
    second[:, :12] = b * (0.5 * first[:, :12] / a + np.sqrt(0.75) * second[:, :12] / b)
    v = (first**2).sum(axis=1) + (second**2).sum(axis=1) + 2.0 * (first[:, :12] * second[:, :12]).sum(axis=1)
    spread = 2.0 * v.mean() ** 2 / v.var()
    # Known means: one degree of freedom fewer is taken off each kind of cluster.
    found = two_sample_freedom(17 * a**2, 21 * b**2, 2 * 12 * 0.5 * a * b, 17, 21, 12)
    assert 0.85 * spread < found < spread


def test_the_level_holds_for_clusters():
    """20 and 40 clusters of 2 to 5 samples, both classes in most, correlation 0.5; areas 0.85 and 0.80, limit 0.05."""
    rng = np.random.default_rng(4)
    draws, alpha = 3_000, 0.05
    units = np.tile([20, 40], draws)
    groups = np.repeat(np.arange(2 * draws), units)
    clusters = np.repeat(np.arange(len(groups)), rng.integers(2, 6, len(groups)))
    labels = rng.random(len(clusters)) < 0.4
    shift = np.tile(np.sqrt(2.0) * np.array([1.0364, 0.8416]), draws)[groups[clusters]]  # of areas 0.85 and 0.80
    noise = rng.standard_normal(len(groups))[clusters] + rng.standard_normal(len(clusters))
    scores = shift * labels + np.sqrt(0.5) * noise
    clustered = auc_by_cluster(groups[clusters], 2 * draws, labels, scores, clusters)
    even = 2 * np.arange(draws)
    bound = alpha + 3.0 * np.sqrt(alpha * (1.0 - alpha) / draws)
    assert 0.01 < np.mean(estimates_violation(auc_estimates(clustered), even, even + 1, 0.05) <= alpha) <= bound
