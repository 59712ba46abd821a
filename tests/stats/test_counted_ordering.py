"""Rows that stand for several samples each: as if these were written one by one, by code of its own and by scipy."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from fairness_checks.stats.counted_ordering import mismatch_of_counts, warning_of_counts
from fairness_checks.stats.mismatch import mismatch_by_group
from fairness_checks.stats.risk_coverage import warning_by_group


def counted(seed, rows=400, groups=4, most=30):
    """Codes, errors, uncertainties and counts; the group before the last is empty, the last one has one sample."""
    rng = np.random.default_rng(seed)
    codes = np.append(rng.integers(0, groups - 2, rows), groups - 1)
    error, uncertainty = rng.gamma(2.0, 1.0, (2, rows + 1)).round(1) + 0.3 * codes
    counts = rng.integers(1, most, rows + 1)
    counts[:3], counts[-1] = [1, 9_000, 70], 1
    return codes, error, uncertainty + 0.2 * error.round(0), counts


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("groups", [3, 4, 20])
def test_counted_samples_are_ordered_as_those_that_are_written_one_by_one(seed, groups):
    codes, error, uncertainty, counts = counted(seed, groups=groups)
    rows = [np.repeat(x, counts) for x in (codes, error, uncertainty)]
    for of_counts, by_group in ((mismatch_of_counts, mismatch_by_group), (warning_of_counts, warning_by_group)):
        found, expected = of_counts(codes, groups, error, uncertainty, counts), by_group(rows[0], groups, *rows[1:])
        for field in dataclasses.fields(expected):
            one, other = getattr(found, field.name), getattr(expected, field.name)
            assert one.dtype == other.dtype, field.name
            assert_allclose(one, other, rtol=1e-10, atol=1e-13, err_msg=field.name)


def test_areas_and_rank_correlations_are_those_of_scipy():
    codes, error, uncertainty, counts = counted(7)
    rows = [np.repeat(x, counts) for x in (codes, error, uncertainty)]
    one, other = (rows[0] == group for group in (0, 1))
    u = stats.mannwhitneyu(rows[1][one], rows[1][other]).statistic / (one.sum() * other.sum())
    assert mismatch_of_counts(codes, 4, error, uncertainty, counts).error_auc[0, 1] == pytest.approx(u, rel=1e-12)
    found = warning_of_counts(codes, 4, error, uncertainty, counts).spearman
    assert found[0] == pytest.approx(stats.spearmanr(rows[1][one], rows[2][one]).statistic, rel=1e-12)
    assert np.isnan(found[2:]).all()


def test_many_equal_samples_take_no_more_than_their_number():
    """1e12 samples: what is the same of each half of them is the same of all."""
    codes, error, uncertainty, counts = counted(3)
    few, many = (mismatch_of_counts(codes, 4, error, uncertainty, counts * by) for by in (1, 10**9))
    assert_allclose(many.error_auc, few.error_auc, rtol=1e-12)
    n = counts[codes == 0].sum()
    assert_allclose(many.variance[0, 1] * (n * 1e9 - 1), few.variance[0, 1] * (n - 1), rtol=1e-9)
    few, many = (warning_of_counts(codes, 4, error, uncertainty, counts * by) for by in (10**3, 10**9))
    assert_allclose(many.risk_coverage[:2], few.risk_coverage[:2], rtol=1e-4)
    assert_allclose(many.spearman[:2], few.spearman[:2], rtol=1e-9)


@pytest.mark.parametrize(("code", "count"), [(-1, 1), (0, 0)])
def test_rows_of_no_group_or_no_sample_are_refused(code, count):
    for of_counts in (mismatch_of_counts, warning_of_counts):
        with pytest.raises(ValueError, match="each row is of a group, and stands for 1 or more"):
            of_counts(np.array([0, code]), 1, [0.1, 0.2], [0.3, 0.4], np.array([1, count]))
    assert_array_equal(mismatch_of_counts(np.zeros(0, int), 2, [], [], np.zeros(0, int)).units, [0, 0])
