from __future__ import annotations

import math
from functools import reduce
from operator import add

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from fairness_checks.stats import moments
from fairness_checks.stats.clusters import cluster_cells
from fairness_checks.stats.estimates import estimates_violation
from fairness_checks.stats.means import mean_estimates
from fairness_checks.stats.moments import moments_by_cluster, moments_by_group

SEEDS = st.integers(0, 2**32 - 1)


def of_groups(*samples):
    codes = np.repeat(np.arange(len(samples)), [len(sample) for sample in samples])
    return moments_by_group(codes, len(samples), np.concatenate(samples))


def assert_same_moments(one, other, rtol=1e-10):
    assert_array_equal(one.n, other.n)
    assert_allclose(one.mean, other.mean, rtol=rtol)
    assert_allclose(one.m2, other.m2, rtol=rtol)
    # The third moment may vanish by symmetry: compared on the scale of its terms.
    scale = one.m2**1.5 / np.sqrt(np.maximum(one.n, 1))
    assert np.all(np.abs(one.m3 - other.m3) <= rtol * np.maximum(scale, np.abs(one.m3)))


@pytest.fixture
def rows():
    rng = np.random.default_rng(4)
    return rng.integers(-1, 4, 3_000), rng.lognormal(0.0, 1.0, 3_000)


@pytest.mark.parametrize("chunk", [1, 7, 1_000, 65_536])
def test_moments_agree_with_scipy(rows, chunk, monkeypatch):
    monkeypatch.setattr(moments, "_CHUNK_ROWS", chunk)
    codes, values = rows
    statistics = moments_by_group(codes, 5, values)
    for group in range(4):
        some = values[codes == group]
        n = len(some)
        assert statistics.n[group] == n
        assert statistics.mean[group] == pytest.approx(some.mean(), rel=1e-12)
        assert statistics.m2[group] / n == pytest.approx(stats.moment(some, 2), rel=1e-10)
        assert statistics.m3[group] / n == pytest.approx(stats.moment(some, 3), rel=1e-10)
    assert statistics.n[4] == 0
    assert math.isnan(statistics.mean[4])


def test_moments_of_small_deviations_from_a_large_mean():
    deviations = np.random.default_rng(5).integers(0, 100, 2_000).astype(float)
    near = of_groups(deviations)
    far = of_groups(deviations + 2.0**50)  # exact in floating point, unlike the sum of these values
    assert abs(far.mean[0] - 2.0**50 - near.mean[0]) <= 0.25
    assert_allclose(far.m2, near.m2, rtol=1e-9)
    assert_allclose(far.m3, near.m3, rtol=1e-6)


def test_no_rows_and_single_precision():
    empty = moments_by_group(np.array([], dtype=np.int64), 2, np.array([]))
    assert_array_equal(empty.n, [0, 0])
    values = np.random.default_rng(6).random(500, dtype=np.float32)
    codes = np.zeros(500, dtype=np.int8)
    assert_same_moments(moments_by_group(codes, 1, values), moments_by_group(codes, 1, values.astype(np.float64)))


@pytest.mark.parametrize(
    ("codes", "values", "words"),
    [
        ([0, 2], [1.0, 2.0], "number of groups, 2; found 2"),
        ([0, 1], [1.0, math.nan], "finite"),
        ([0], [1.0, 2.0], "one length"),
    ],
)
def test_bad_rows_are_refused(codes, values, words):
    with pytest.raises(ValueError, match=words):
        moments_by_group(np.array(codes), 2, np.array(values))


def test_values_of_rows_left_out_do_not_matter():
    assert moments_by_group(np.array([0, -1, 0]), 1, np.array([1.0, math.nan, 3.0])).mean.tolist() == [2.0]


def test_other_groups_cannot_be_merged():
    with pytest.raises(ValueError, match="1 groups with those of 2"):
        of_groups([1.0, 2.0]) + of_groups([1.0, 2.0], [3.0])


@settings(max_examples=50, deadline=None)
@given(SEEDS, st.lists(st.integers(0, 60), min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_merging_in_any_order(seed, sizes, random):
    rng = np.random.default_rng(seed)
    parts = [(rng.integers(-1, 4, size), rng.lognormal(1.0, 1.0, size)) for size in sizes]
    whole = moments_by_group(*(np.concatenate([part[0] for part in parts]), 4, np.concatenate([p[1] for p in parts])))
    random.shuffle(parts)
    assert_same_moments(whole, reduce(add, [moments_by_group(codes, 4, values) for codes, values in parts]))


def test_position_minus_one_is_an_empty_group():
    part, other = of_groups([1.0, 2.0, 6.0], [4.0, 5.0]), of_groups([7.0, 9.0])
    taken = part.take([1, -1, 0])
    assert_array_equal(taken.n, [2, 0, 3])
    assert_array_equal(taken.mean, [4.5, math.nan, 3.0])
    assert_array_equal(taken.m3[1:], [0.0, part.m3[0]])
    # Parts whose groups differ: a, b and b, c.
    merged = part.take([0, 1, -1]) + other.take([-1, 0, -1])
    assert_same_moments(merged.take([0, 1]), of_groups([1.0, 2.0, 6.0], [4.0, 5.0, 7.0, 9.0]))
    assert_array_equal(merged.n, [3, 4, 0])
    with pytest.raises(IndexError, match="found"):
        part.take([2])


@pytest.fixture
def patients():
    rng = np.random.default_rng(21)
    patient = np.repeat(np.arange(300), rng.integers(1, 6, 300))
    codes = rng.integers(-1, 3, 300)[patient]
    values = rng.exponential(1.0, 300)[patient] + rng.exponential(1.0, len(patient))
    return codes, patient, values


def test_clusters_of_one_sample_are_samples(patients):
    codes, _, values = patients
    one = moments_by_cluster(cluster_cells(codes, 4, np.arange(len(codes))), values)
    assert_same_moments(one, moments_by_group(codes, 4, values), rtol=1e-12)
    assert one.of_samples is not None


@pytest.mark.parametrize(("alone", "tolerance"), [(True, 1e-9), (False, 0.05)], ids=["samples", "clusters"])
def test_writing_every_sample_twice_adds_nothing(patients, alone, tolerance):
    """But for what the copies say of the spread within clusters, of which few samples say little."""
    codes, patient, values = patients
    patient = np.arange(len(codes)) if alone else patient
    one = moments_by_cluster(cluster_cells(codes, 3, patient), values)
    order = np.random.default_rng(22).permutation(2 * len(codes))
    codes, patient, values = (np.tile(array, 2)[order] for array in (codes, patient, values))
    two = moments_by_cluster(cluster_cells(codes, 3, patient), values)
    assert_allclose(two.n, one.n, rtol=1e-12)
    assert_allclose(two.mean, one.mean, rtol=1e-12)
    assert_allclose(mean_estimates(two).variance, mean_estimates(one).variance, rtol=tolerance)


def test_with_clusters_of_one_size_the_variance_is_the_sandwich_of_statsmodels():
    rng = np.random.default_rng(24)
    patient = np.repeat(np.arange(90), 4)
    codes, values = patient % 3, rng.exponential(1.0, 90)[patient] + rng.exponential(1.0, 360)
    estimates = mean_estimates(moments_by_cluster(cluster_cells(codes, 3, patient), values))
    for group in range(3):
        some = codes == group
        settings = {"groups": patient[some], "use_correction": False, "df_correction": False}
        fit = sm.OLS(values[some], np.ones(some.sum())).fit(cov_type="cluster", cov_kwds=settings)
        assert estimates.value[group] == pytest.approx(fit.params[0], rel=1e-12)
        assert estimates.variance[group] == pytest.approx(fit.cov_params()[0, 0] * 30 / 29, rel=1e-9)
        assert estimates.freedom[group] == 29


def test_with_unequal_clusters_the_variance_is_the_sandwich_or_more_and_the_freedom_less(patients):
    codes, patient, values = patients
    estimates = mean_estimates(moments_by_cluster(cluster_cells(codes, 3, patient), values))
    for group in range(3):
        some = codes == group
        settings = {"groups": patient[some], "use_correction": True, "df_correction": False}
        fit = sm.OLS(values[some], np.ones(some.sum())).fit(cov_type="cluster", cov_kwds=settings)
        assert 1.0 <= estimates.variance[group] / fit.cov_params()[0, 0] < 1.3
        sizes = np.unique(patient[some], return_counts=True)[1]
        assert estimates.freedom[group] == pytest.approx(sizes.sum() ** 2 / np.sum(sizes**2) - 1.0)


@pytest.mark.parametrize("sign", [-1.0, 1.0], ids=["opposed", "alike"])
def test_clusters_in_two_groups_are_compared_as_pairs(sign):
    """Per patient one sample in each group: the paired t test."""
    rng = np.random.default_rng(23)
    patient, codes = np.tile(np.arange(50), 2), np.repeat([0, 1], 50)
    one = rng.normal(0.0, 1.0, 50)
    other = sign * one + rng.normal(0.3, 1.0, 50)
    statistics = moments_by_cluster(cluster_cells(codes, 2, patient), np.concatenate([one, other]))
    p = estimates_violation(mean_estimates(statistics), np.array([0]), np.array([1]), 0.0)
    assert p[0] == pytest.approx(stats.ttest_rel(one, other).pvalue, rel=1e-9)


def test_samples_left_out_and_empty_groups_of_clusters():
    cells = cluster_cells(np.array([0, -1, 0, 2]), 3, np.array([0, 0, 1, 1]))
    statistics = moments_by_cluster(cells, np.array([1.0, math.nan, 3.0, 5.0]))
    assert_array_equal(statistics.n, [2, 0, 1])
    assert_array_equal(statistics.mean, [2.0, math.nan, 5.0])
    nobody = moments_by_cluster(cluster_cells(np.full(3, -1), 2, np.arange(3)), np.ones(3))
    assert_array_equal(nobody.n, [0, 0])


def test_clusters_are_not_merged_and_need_a_value_a_sample():
    cells = cluster_cells(np.zeros(4, dtype=int), 1, np.array([0, 0, 1, 1]))
    statistics = moments_by_cluster(cells, np.arange(4.0))
    with pytest.raises(ValueError, match="both parts"):
        statistics + statistics
    with pytest.raises(ValueError, match="one value per sample"):
        moments_by_cluster(cells, np.arange(3.0))
