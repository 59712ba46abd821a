from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import balanced_accuracy_score, precision_score, roc_auc_score
from statsmodels.stats.weightstats import DescrStatsW

from fairness_checks.stats.clusters import cluster_cells
from fairness_checks.stats.influence import (
    auc_influence,
    balanced_accuracy_influence,
    mean_influence,
    rate_influence,
)
from fairness_checks.stats.joint_estimates import contrasts, joint_estimates
from fairness_checks.stats.moments import moments_by_cluster
from fairness_checks.stats.ranking import auc_by_group, auc_estimates
from fairness_checks.stats.ranking_clusters import auc_by_cluster

ONE = np.eye(1)


def classified(seed, n=120):
    rng = np.random.default_rng(seed)
    labels = rng.random(n) < 0.4
    scores = rng.standard_normal(n) + labels
    other = 0.9 * scores + 0.4 * rng.standard_normal(n)
    return rng, labels, scores, other


def variance(one):
    return float(one.psi @ one.psi + one.extra @ one.extra)


def jackknife(value, n):
    """Variance of an estimate from leaving out each sample in turn; `value` takes the rows that are kept."""
    left = np.array([value(np.delete(np.arange(n), i)) for i in range(n)])
    return (n - 1) / n * np.sum((left - left.mean(axis=0)) ** 2, axis=0)


def test_a_rate_has_the_binomial_variance():
    events = np.arange(50) < 12
    found = rate_influence(events, np.full(50, True), pseudo=False)
    assert found.value == found.centre == 0.24
    assert variance(found) == pytest.approx(0.24 * 0.76 / 49, rel=1e-12)
    assert found.freedom == 49


def test_pseudo_samples_of_a_rate_are_agresti_and_caffos():
    """12 of 50 and 4 of 30: p = 13/52 and 5/32, variance of the difference the sum of p (1 - p) / (n + 2)."""
    found = [rate_influence(np.arange(n) < k, np.full(n, True)) for k, n in ((12, 50), (4, 30))]
    assert [one.centre for one in found] == pytest.approx([13 / 52, 5 / 32])
    # Theirs divides by n + 2, this by one less.
    plain = [13 / 52 * 39 / 52 / 51, 5 / 32 * 27 / 32 / 31]
    assert [variance(one) for one in found] == pytest.approx(plain, rel=1e-12)
    assert [one.psi.sum() + one.extra.sum() for one in found] == pytest.approx([0.0, 0.0], abs=1e-15)


def test_the_paired_difference_of_rates_is_mcnemars():
    """Of 100 pairs 7 changed to an event and 15 from one: (b + c - (b - c)^2 / n) / n^2, times n / (n - 1)."""
    new = np.repeat([True, True, False, False], [20, 7, 15, 58])
    old = np.repeat([True, False, True, False], [20, 7, 15, 58])
    plain = [rate_influence(x, np.full(100, True), pseudo=False) for x in (new, old)]
    found = contrasts(joint_estimates(plain[:1], plain[1:], paired=True), ONE, ONE)
    difference = DescrStatsW(new.astype(float) - old)
    assert found.value[0, 0] == pytest.approx(-0.08, rel=1e-12)
    expected = (22 - 64 / 100) / 100**2 * 100 / 99
    assert difference.std_mean**2 == pytest.approx(expected, rel=1e-12)
    skewness = stats.skew(new.astype(float) - old) / 10.0
    narrow, wide = sorted([found.proven[0, 0], found.possible[0, 0]])
    assert narrow**2 == pytest.approx(expected, rel=1e-12)
    assert skewness < 0.0
    assert wide == found.proven[0, 0] == pytest.approx(narrow * (1.0 - 1.3 * skewness), rel=1e-3)


def test_pseudo_samples_of_a_paired_difference_are_bonett_and_prices_where_few_changed():
    """One pair more in each discordant cell, as far as 22 of 100 are fewer than 60; the difference stays that seen."""
    new = np.repeat([True, True, False, False], [20, 7, 15, 58])
    old = np.repeat([True, False, True, False], [20, 7, 15, 58])
    joint = joint_estimates(
        [rate_influence(new, np.full(100, True))], [rate_influence(old, np.full(100, True))], paired=True
    )
    c = joint.covariance
    drawn, seen = (7 - 15) / 102, np.repeat([0.0, -1.0, 1.0, 0.0], [20, 15, 7, 58])
    squares = np.sum((seen - drawn) ** 2) + (1.0 - 22 / 60) * np.sum((np.array([1.0, -1.0]) - drawn) ** 2)
    expected = squares / 100**2 * 102 / 101
    assert c[0, 0] + c[1, 1] - 2 * c[0, 1] == pytest.approx(expected, rel=1e-9)
    assert joint.centre[0] - joint.centre[1] == pytest.approx(-8 / 100, rel=1e-12)


def test_a_ratio_whose_denominators_differ_agrees_with_the_jackknife():
    _, labels, scores, other = classified(1, n=800)
    first, second = scores > 0.5, other > 0.7

    def precisions(kept):
        return np.array([labels[kept][x[kept]].mean() for x in (first, second)])

    pair = [rate_influence(labels, x, pseudo=False) for x in (first, second)]
    joint = joint_estimates(pair[:1], pair[1:], paired=True)
    assert joint.value == pytest.approx([precision_score(labels, x) for x in (first, second)], rel=1e-12)
    assert np.diag(joint.covariance) == pytest.approx(jackknife(precisions, 800), rel=0.02)
    of_difference = jackknife(lambda kept: precisions(kept) @ [1.0, -1.0], 800)
    c = joint.covariance
    assert c[0, 0] + c[1, 1] - 2 * c[0, 1] == pytest.approx(of_difference, rel=0.02)


def test_a_mean_is_scipys_and_two_are_welchs():
    rng = np.random.default_rng(2)
    x, y = rng.exponential(1.0, 40), rng.exponential(2.0, 25)
    pair = [mean_influence(np.append(v, np.nan), pseudo=False) for v in (x, y)]
    assert [variance(one) for one in pair] == pytest.approx([stats.sem(x) ** 2, stats.sem(y) ** 2], rel=1e-12)
    found = contrasts(joint_estimates(pair[:1], pair[1:], paired=False), ONE, ONE)
    welch = stats.ttest_ind(x, y, equal_var=False)
    error = min(found.proven[0, 0], found.possible[0, 0])  # one side is widened against skewness
    assert found.value[0, 0] / error == pytest.approx(welch.statistic, rel=1e-12)
    assert found.freedom[0, 0] == pytest.approx(welch.df, rel=1e-12)


def test_a_paired_difference_of_means_is_scipys():
    rng = np.random.default_rng(3)
    x = rng.normal(size=30)
    y = x + rng.normal(size=30) * 0.1
    pair = [mean_influence(v, pseudo=False) for v in (x, y)]
    found = contrasts(joint_estimates(pair[:1], pair[1:], paired=True), ONE, ONE)
    related = stats.ttest_rel(x, y)
    assert found.value[0, 0] / min(found.proven[0, 0], found.possible[0, 0]) == pytest.approx(
        related.statistic, rel=1e-9
    )
    assert found.freedom[0, 0] == pytest.approx(related.df)


@pytest.mark.parametrize("ties", [False, True], ids=["distinct", "tied"])
def test_an_area_is_scikit_learns_with_delongs_variance(ties):
    _, labels, scores, _ = classified(4)
    scores = np.round(scores, 1) if ties else scores
    found = auc_influence(labels, scores, pseudo=False)
    group = auc_by_group(np.zeros(120, dtype=int), 1, labels, scores)
    assert found.value == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    assert variance(found) == pytest.approx((group.s10 / group.positives + group.s01 / group.negatives)[0], rel=1e-12)
    smoothed, ours = auc_estimates(group), auc_influence(labels, scores)
    assert variance(ours) == pytest.approx(smoothed.variance[0], rel=1e-12)


def test_two_areas_of_the_same_samples_have_delongs_covariance():
    """Against DeLong's formulas over all pairs of a positive and a negative."""
    _, labels, scores, other = classified(5)
    above = [x[labels][:, None] - x[~labels][None, :] for x in (scores, other)]
    psi = [(a > 0) + 0.5 * (a == 0) for a in above]
    v10, v01 = np.array([p.mean(axis=1) for p in psi]), np.array([p.mean(axis=0) for p in psi])
    expected = np.cov(v10) / v10.shape[1] + np.cov(v01) / v01.shape[1]
    pair = [auc_influence(labels, x, pseudo=False) for x in (scores, other)]
    assert joint_estimates(pair[:1], pair[1:], paired=True).covariance == pytest.approx(expected, rel=1e-12)


def test_a_published_example_of_an_area():
    """109 CT images rated 1 to 5 (Hanley and McNeil, Radiology 143 (1982) 29); Stata's [R] roctab: 0.8932, 0.0307."""
    normal, diseased = [33, 6, 6, 11, 2], [3, 2, 2, 11, 33]
    ratings = np.concatenate([np.repeat(np.arange(1.0, 6.0), counts) for counts in (normal, diseased)])
    found = auc_influence(np.repeat([False, True], [58, 51]), ratings, pseudo=False)
    assert found.value == pytest.approx(0.8932, abs=5e-5)
    assert np.sqrt(variance(found)) == pytest.approx(0.0307, abs=5e-5)


def test_balanced_accuracy_is_scikit_learns_and_agrees_with_the_jackknife():
    _, labels, scores, other = classified(6, n=600)
    first, second = scores > 0.4, other > 0.6

    def values(kept):
        y = labels[kept]
        return np.array([(x[kept][y].mean() + 1.0 - x[kept][~y].mean()) / 2.0 for x in (first, second)])

    pair = [balanced_accuracy_influence(labels, x, pseudo=False) for x in (first, second)]
    joint = joint_estimates(pair[:1], pair[1:], paired=True)
    expected = [balanced_accuracy_score(labels, x) for x in (first, second)]
    assert joint.value == pytest.approx(expected, rel=1e-12)
    assert np.diag(joint.covariance) == pytest.approx(jackknife(values, 600), rel=0.02)
    difference = jackknife(lambda kept: values(kept) @ [1.0, -1.0], 600)
    c = joint.covariance
    assert c[0, 0] + c[1, 1] - 2 * c[0, 1] == pytest.approx(difference, rel=0.02)


def test_clusters_are_those_of_the_other_modules():
    rng, labels, scores, _ = classified(7)
    clusters = rng.integers(0, 40, 120)
    alone, cells = np.zeros(120, dtype=int), cluster_cells(np.zeros(120, dtype=int), 1, clusters)
    mean = mean_influence(scores, clusters, pseudo=False)
    moments = moments_by_cluster(cells, scores)
    k = moments.n[0]
    joint = joint_estimates([mean], [mean], paired=True, clusters=[clusters])
    assert joint.covariance == pytest.approx(np.full((2, 2), moments.m2[0] / (k * (k - 1))), rel=1e-12)
    assert joint.freedom.tolist() == [k - 1, k - 1]
    area = auc_influence(labels, scores, clusters, pseudo=False)
    by_cluster = auc_by_cluster(alone, 1, labels, scores, clusters)
    expected = by_cluster.s10 / by_cluster.positives + by_cluster.s01 / by_cluster.negatives + by_cluster.s11
    covariance = joint_estimates([area], [area], paired=True, clusters=[clusters]).covariance
    # The classes' covariance has the factor k / (k - 1) of all clusters there, of each class's here.
    assert covariance[0, 0] == pytest.approx(expected[0], rel=0.01)


@pytest.mark.parametrize("kind", ["rate", "mean", "area", "balanced_accuracy"])
def test_repeating_every_row_within_its_cluster_changes_nothing(kind):
    _, labels, scores, other = classified(8)
    twice, clusters = np.repeat(np.arange(120), 2), np.arange(120)

    def measured(rows, score):
        codes = clusters[rows]
        if kind == "rate":
            return rate_influence(score[rows] > 0.5, labels[rows], codes)
        if kind == "mean":
            return mean_influence(score[rows], codes)
        if kind == "area":
            return auc_influence(labels[rows], score[rows], codes)
        return balanced_accuracy_influence(labels[rows], score[rows] > 0.5, codes)

    def joined(rows):
        new, old = measured(rows, scores), measured(rows, other)
        return joint_estimates([new], [old], paired=True, clusters=[clusters[rows]])

    once, again = joined(np.arange(120)), joined(twice)
    for name in ("value", "centre", "covariance", "freedom", "third"):
        np.testing.assert_allclose(getattr(again, name), getattr(once, name), rtol=1e-9, atol=1e-15)


def test_clusters_that_span_groups_covary():
    """Two halves of one sample with the same values: their means' covariance is their variance."""
    rng = np.random.default_rng(9)
    x, clusters = rng.normal(size=30), np.arange(30)
    one = mean_influence(x, clusters, pseudo=False)
    joint = joint_estimates([one, one], [one, one], paired=True, clusters=[clusters, clusters])
    assert joint.spanning
    assert joint.covariance == pytest.approx(np.full((4, 4), stats.sem(x) ** 2), rel=1e-12)
    own = np.eye(2)
    found = contrasts(joint, own[:1], own[1:])
    assert (found.value[0, 0], found.proven[0, 0]) == pytest.approx((0.0, 0.0), abs=1e-9)


@pytest.mark.parametrize(
    "one",
    [
        rate_influence(np.array([True]), np.array([True])),
        rate_influence(np.array([True]), np.array([False])),
        mean_influence([np.nan, 1.0]),
        auc_influence(np.array([True, True, False]), [1.0, 2.0, 3.0]),
        auc_influence(np.array([True, True]), [1.0, 2.0]),
    ],
    ids=["one", "none", "one-value", "one-negative", "one-class"],
)
def test_fewer_than_two_units_have_no_variance(one):
    assert np.isnan(one.freedom)
    assert not one.psi.any()


def test_balanced_accuracy_without_a_class_is_undefined():
    found = balanced_accuracy_influence(np.array([True, True]), np.array([True, False]))
    assert np.isnan([found.value, found.freedom]).all()


def test_bad_arguments_are_named():
    one, two = mean_influence([1.0, 2.0]), mean_influence([1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="numbers of samples differ"):
        joint_estimates([one], [two], paired=True)
    with pytest.raises(ValueError, match="2 groups of the new model, 1 of the old one"):
        joint_estimates([one, two], [two], paired=True)
    with pytest.raises(ValueError, match="events has shape"):
        rate_influence(np.array([True]), np.array([True, False]))
    with pytest.raises(ValueError, match="scores holds nan"):
        auc_influence(np.array([True, False]), [np.nan, 1.0])
