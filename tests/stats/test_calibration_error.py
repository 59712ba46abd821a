from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import integrate, stats
from sklearn.calibration import calibration_curve

from benchmarks.calibration_errors import Cell, ece_below
from fairness_checks.stats.calibration_bins import BINS
from fairness_checks.stats.calibration_error import (
    calibration_by_cluster,
    calibration_by_group,
    calibration_estimates,
    calibration_excess,
    calibration_intervals,
    calibration_values,
    ece_compliance,
    ece_violation,
    judge_worst_ece,
    variance_above,
)
from fairness_checks.stats.clusters import cluster_cells

FIRST, SECOND = np.array([0]), np.array([1])


@pytest.fixture
def rows():
    rng = np.random.default_rng(1)
    codes, scores = rng.integers(-1, 3, 2_000), rng.beta(1.0, 2.0, 2_000).round(2)  # many scores at an edge of a bin
    return codes, rng.random(2_000) < scores**1.5, scores


def assert_same(one, other, rtol=1e-9):
    assert_array_equal(one.samples, other.samples)
    assert_allclose(calibration_values(one), calibration_values(other), rtol=rtol)
    assert_allclose(calibration_estimates(one).variance, calibration_estimates(other).variance, rtol=rtol)
    assert_allclose(calibration_excess(one), calibration_excess(other), rtol=rtol)


def test_values_agree_with_scikit_learn(rows):
    codes, labels, scores = rows
    values = calibration_values(calibration_by_group(codes, 4, labels, scores))
    for group in range(3):
        y, s = labels[codes == group], scores[codes == group]
        rate, predicted = calibration_curve(y, s, n_bins=10, strategy="uniform")
        share = np.histogram(np.nextafter(s, -1.0), np.linspace(0.0, 1.0, 11).clip(-1.0, 1.0))[0]
        share[0] += np.sum(s == 0.0)
        assert values[group] == pytest.approx(np.sum(share[share > 0] * np.abs(rate - predicted)) / len(s), rel=1e-9)
    assert math.isnan(values[3])


def test_a_score_at_an_edge_belongs_to_the_bin_below():
    scores = np.array([0.0, 0.1, 0.5, 0.51, 1.0])
    statistics = calibration_by_group(np.zeros(5, dtype=int), 1, np.ones(5, dtype=bool), scores)
    assert statistics.samples[0].tolist() == [2, 0, 0, 0, 1, 1, 0, 0, 0, 1]


@pytest.mark.parametrize("scores", [[0.5, 1.5], [-0.1, 0.5], [math.nan, 0.5]])
def test_scores_must_be_probabilities(scores):
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        calibration_by_group(np.zeros(2, dtype=int), 1, np.ones(2, dtype=bool), np.array(scores))


def test_parts_add_up_with_groups_of_their_own(rows):
    codes, labels, scores = rows
    whole = calibration_by_group(codes, 3, labels, scores)
    one, other = (calibration_by_group(codes[s], 3, labels[s], scores[s]) for s in (slice(0, 700), slice(700, None)))
    assert_same(one + other, whole)
    lacking = one.take([0, -1, 2])
    assert lacking.samples[1].sum() == 0
    assert math.isnan(calibration_values(lacking)[1])
    assert_array_equal((lacking + other).samples[1], other.samples[1])


def test_intervals_of_bins_are_wilsons_at_the_rate_of_the_bins_that_is_nearest_to_a_half():
    # Scores of 0.5 in the bin from 0.4 to 0.5: at a true mean of d the rate is d + 0.4 to d + 0.5.
    labels = np.repeat([True, False], [6, 14])
    found = calibration_by_group(np.zeros(20, dtype=int), 2, labels, np.full(20, 0.5))
    mean, low, high = calibration_intervals(found, 0.9)
    assert mean[0, 4] == pytest.approx(-0.2)
    z = stats.norm.ppf(0.95)
    for end in (low[0, 4], high[0, 4]):
        rate = np.linspace(0.4 + end, 0.5 + end, 1001)
        variance = (rate * (1.0 - rate)).max() + 0.05**2
        assert abs(mean[0, 4] - end) == pytest.approx(z * math.sqrt(variance / 20), abs=1e-6)
    wilson = stats.binomtest(6, 20).proportion_ci(0.9, method="wilson")
    assert low[0, 4] <= wilson.low - 0.5 <= wilson.high - 0.5 <= high[0, 4]
    assert np.isnan(mean[0, 5])
    assert np.isnan([mean[1], low[1], high[1]]).all()


@pytest.mark.parametrize("n", [1, 5, 10, 20, 80])
@pytest.mark.parametrize("rate", [0.02, 0.05, 0.35, 0.95])
@pytest.mark.parametrize("score", [0.05, 0.45, 0.95])
def test_intervals_of_bins_cover_what_they_say(n, rate, score):
    rng = np.random.default_rng(0)
    groups = 1_000
    codes = np.repeat(np.arange(groups), n)
    labels, scores = rng.random(len(codes)) < rate, score + rng.uniform(-0.05, 0.05, len(codes))
    _, low, high = calibration_intervals(calibration_by_group(codes, groups, labels, scores), 0.9)
    at = int(score * 10)
    assert np.mean((low[:, at] <= rate - score) & (rate - score <= high[:, at])) >= 0.88


def test_excess_is_that_of_the_folded_normal():
    labels, scores = np.repeat([True, False], 32), np.full(64, 0.2)
    statistics = calibration_by_group(np.zeros(64, dtype=int), 1, labels, scores)
    deviation = math.sqrt((64 * 0.25 + 0.25) / 64**2)
    distance = 0.3 - 2.0 * deviation
    density = stats.norm(distance, deviation).pdf
    mean = integrate.quad(lambda x: abs(x) * density(x), -3.0, 3.0, points=[0.0, distance])[0]
    assert calibration_excess(statistics)[0] == pytest.approx(mean - distance, rel=1e-6)


def test_clusters_of_one_sample_and_samples_written_twice(rows):
    codes, labels, scores = rows
    patient = np.arange(len(codes))
    plain = calibration_by_group(codes, 3, labels, scores)
    one = calibration_by_cluster(cluster_cells(codes, 3, patient), patient, labels, scores)
    assert_allclose(calibration_values(one), calibration_values(plain), rtol=1e-12)
    assert_allclose(calibration_excess(one), calibration_excess(plain), rtol=1e-9)
    assert_allclose(
        calibration_estimates(one).variance, calibration_estimates(plain).variance, rtol=0.003
    )  # k / (k - 1)
    codes, labels, scores, patient = (np.tile(array, 2) for array in (codes, labels, scores, patient))
    twice = calibration_by_cluster(cluster_cells(codes, 3, patient), patient, labels, scores)
    assert_allclose(calibration_values(twice), calibration_values(one), rtol=1e-12)
    assert_allclose(calibration_excess(twice), calibration_excess(one), rtol=1e-9)
    assert_allclose(calibration_estimates(twice).variance, calibration_estimates(one).variance, rtol=1e-9)
    with pytest.raises(ValueError, match="both parts"):
        one + one
    assert_array_equal(one.take([1, -1]).clusters.effective, [one.clusters.effective[1], 0.0])


def test_clusters_do_not_depend_on_the_order_of_rows_where_a_bin_is_calibrated_but_for_rounding():
    """The mean of y - score is 0 in the first bin, of which only rounding says a sign."""
    rng = np.random.default_rng(3)
    scores = np.concatenate([np.full(300, 0.1), np.full(100, 0.7)])
    labels = np.concatenate([np.repeat([True, False], [30, 270]), rng.random(100) < 0.4])
    patient, codes = rng.integers(0, 60, 400), np.zeros(400, dtype=np.int64)
    found = []
    for _ in range(20):
        order = rng.permutation(400)
        mixed = patient[order]
        one = calibration_by_cluster(cluster_cells(codes, 1, mixed), mixed, labels[order], scores[order])
        found.append(float(one.clusters.variance[0]))
    assert_allclose(found, found[0], rtol=1e-9)


def test_pairs_do_not_depend_on_their_order_and_empty_groups_show_nothing(rows):
    statistics = calibration_by_group(rows[0], 4, *rows[1:])
    for test in (ece_violation, ece_compliance):
        assert_allclose(test(statistics, FIRST, SECOND, 0.02), test(statistics, SECOND, FIRST, 0.02), rtol=1e-12)
        assert test(statistics, FIRST, np.array([3]), 0.5).tolist() == [1.0]
    with pytest.raises(ValueError, match="no sample"):
        judge_worst_ece(statistics, 0.1, 0.05)


def test_interval_of_the_worst_group_is_the_inversion_of_the_tests(rows):
    statistics = calibration_by_group(rows[0], 3, *rows[1:])
    found = judge_worst_ece(statistics, 0.1, 0.05)
    assert found.estimate == calibration_values(statistics).max()
    assert judge_worst_ece(statistics, found.low, 0.05).p_violation == pytest.approx(0.05, rel=1e-6)
    assert judge_worst_ece(statistics, found.high, 0.05).p_compliance == pytest.approx(0.05, rel=1e-6)


@pytest.mark.parametrize("clustered", [False, True])
@pytest.mark.parametrize("shift", [0.0, 0.15])
def test_level_at_the_limit(clustered, shift):
    """The first group's outcomes are likelier than its scores by the shift, the second's are calibrated.

    A naive test of the difference fails the calibrated pair because the small group's error is biased more.
    """
    rng, runs = np.random.default_rng(3), 300
    sizes = (60, 1_200)
    bound = 0.05 + 3.0 * math.sqrt(0.05 * 0.95 / runs)
    fails = passes = naive = 0
    for _ in range(runs):
        codes = np.repeat([0, 1], sizes)
        scores = rng.uniform(0.05, 0.8, sum(sizes))
        labels = rng.random(sum(sizes)) < scores + np.where(codes == 0, shift, 0.0)
        if clustered:
            patient = np.tile(np.arange(sum(sizes)), 2)
            codes, scores, labels = np.tile(codes, 2), np.tile(scores, 2), np.tile(labels, 2)
            statistics = calibration_by_cluster(cluster_cells(codes, 2, patient), patient, labels, scores)
        else:
            statistics = calibration_by_group(codes, 2, labels, scores)
        fails += ece_violation(statistics, FIRST, SECOND, shift)[0] < 0.05
        passes += ece_compliance(statistics, FIRST, SECOND, shift)[0] < 0.05
        groups = calibration_estimates(statistics)
        naive += groups.value[0] - groups.value[1] - shift > 1.645 * math.sqrt(groups.variance.sum())
    assert fails / runs <= bound
    assert passes / runs <= bound
    assert shift > 0.0 or naive / runs > 2.0 * bound


def test_what_differs_clearly_is_found():
    rng = np.random.default_rng(4)
    codes, scores = np.repeat([0, 1], 1_000), rng.uniform(0.1, 0.7, 2_000)
    labels = rng.random(2_000) < scores + np.where(codes == 0, 0.2, 0.0)
    statistics = calibration_by_group(codes, 2, labels, scores)
    assert ece_violation(statistics, FIRST, SECOND, 0.05)[0] < 0.01
    assert ece_compliance(statistics, FIRST, SECOND, 0.3)[0] < 0.01


def test_a_thousand_groups_of_clusters_need_no_table_of_all_bins():
    rng, groups = np.random.default_rng(7), 1_000
    codes, patients = np.repeat(np.arange(groups), 60), np.arange(60 * groups) // 3
    scores = rng.random(60 * groups)
    labels = rng.random(60 * groups) < scores
    tracemalloc.start()
    many = calibration_by_cluster(cluster_cells(codes, groups, patients), patients, labels, scores)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 100e6
    some = codes < 2
    two = calibration_by_cluster(
        cluster_cells(codes[some], 2, patients[some]), patients[some], labels[some], scores[some]
    )
    for name in ("n", "mean", "m2", "m3"):
        assert_allclose(getattr(many.bins, name)[: 2 * BINS], getattr(two.bins, name))


@pytest.mark.parametrize(
    ("shape", "sizes", "shift"), [((0.5, 50.0), (50, 2_000), 0.05), ((0.5, 20.0), (50, 1_000), 0.2)]
)
def test_rare_events_that_are_missing_by_luck_do_not_pass(shape, sizes, shift):
    """With the variances seen 0.13 of the first would pass."""
    cell = Cell(shape, sizes, shift, 0)
    runs = 1_000
    drawn = cell.draw(np.random.default_rng(1), runs)
    first = 2 * np.arange(runs)
    for alpha in (0.05, 0.01):
        bound = alpha + 3.0 * math.sqrt(alpha * (1.0 - alpha) / runs)
        assert np.mean(ece_compliance(drawn, first, first + 1, cell.limit) < alpha) <= bound
        assert np.mean(ece_below(drawn, cell.limit)[first] < alpha) <= bound
    groups = calibration_estimates(drawn)
    gap = cell.limit - (groups.value[first] - groups.value[first + 1])
    error = np.sqrt(groups.variance[first] + groups.variance[first + 1])
    assert shift > 0.1 or np.mean(gap > 1.645 * error) > 0.1


def test_the_variance_at_the_limit_is_that_of_a_higher_rate():
    """One bin of 100 samples at a score of 0.05, of which 2 are events: variance of rates 0.02 and 0.02 + 0.1."""
    labels, scores = np.arange(100) < 2, np.full(100, 0.05)
    statistics = calibration_by_group(np.zeros(100, dtype=int), 1, labels, scores)
    groups = calibration_estimates(statistics)
    now, then = (variance_above(statistics, groups, np.array([by]))[0] for by in (0.0, 0.1))
    assert now == pytest.approx(groups.variance[0])
    expected = (0.12 * 0.88 + 0.25 / 100) / (0.02 * 0.98 + 0.25 / 100)
    assert then / now == pytest.approx(expected, rel=1e-9)
    far = variance_above(statistics, groups, np.array([0.9]))[0]
    assert far == pytest.approx(variance_above(statistics, groups, np.array([0.5]))[0])
