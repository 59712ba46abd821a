from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from fairness_checks.stats.mismatch_repeats import judge_mismatches

ALPHA = 0.05


def judge(gaps, limit, errors=None, **optional):
    """Judge gaps whose first group has the higher errors beyond doubt, if nothing else is said of the errors."""
    gaps = np.atleast_2d(np.asarray(gaps, dtype=float))
    errors = np.where(np.isnan(gaps), np.nan, 0.95) if errors is None else np.atleast_2d(errors)
    pairs = {"first": np.arange(len(gaps)), "second": np.arange(len(gaps)) + 10}
    pairs["tested"] = (np.full(len(gaps), 100.0), np.full(len(gaps), 200.0))
    return judge_mismatches(gaps, errors, limit, ALPHA, n_train=700, n_test=300, **(pairs | optional))


def corrected(gaps):
    return gaps.mean(), math.sqrt(gaps.var(ddof=1) * (1 / len(gaps) + 3 / 7)), stats.t(len(gaps) - 1)


@pytest.mark.parametrize("mean", [0.25, 0.15])
def test_one_mismatch_is_students_t_with_the_corrected_variance(mean):
    gaps = np.random.default_rng(0).normal(mean, 0.04, 15)
    found = judge(gaps, 0.1)
    value, error, t = corrected(gaps)
    inference = found.inference
    assert inference.p_violation == pytest.approx(t.sf((value - 0.1) / error) + t.sf((value + 0.1) / error))
    assert inference.p_compliance == pytest.approx(t.cdf((value - 0.1) / error))
    assert inference.high == pytest.approx(value + t.ppf(0.95) * error)
    assert t.sf((value - inference.low) / error) + t.sf((value + inference.low) / error) == pytest.approx(ALPHA)
    assert (inference.estimate, inference.standard_error) == pytest.approx((value, error))
    assert inference.method == "Nadeau-Bengio corrected resampled t"


def test_uncertainty_that_warns_too_much_never_violates():
    found = judge(np.random.default_rng(1).normal(-0.6, 0.02, 20), 0.1).inference
    assert found.p_violation > 0.999
    assert found.p_compliance < 0.001
    assert found.estimate == pytest.approx(-0.6, abs=0.02)


def test_a_limit_of_zero_counts_that_the_worse_group_was_seen_in_the_data():
    gaps = np.random.default_rng(2).normal(0.05, 0.04, 15)
    value, error, t = corrected(gaps)
    found = judge(gaps, 0.0).inference
    assert found.p_violation == pytest.approx(2 * t.sf(value / error))
    assert found.p_compliance == pytest.approx(t.sf(-value / error))
    assert judge(-gaps, 0.0).inference.p_violation == 1.0


def test_several_mismatches_violate_by_bonferroni_and_comply_all_together():
    rng = np.random.default_rng(3)
    gaps = np.stack([rng.normal(0.22, 0.05, 20), rng.normal(0.05, 0.2, 20), rng.normal(-0.3, 0.02, 20)])
    found = judge(gaps, 0.1)
    single = [judge(row, 0.1).inference for row in gaps]
    assert found.inference.p_violation == pytest.approx(3 * min(one.p_violation for one in single))
    assert found.inference.p_compliance == pytest.approx(max(one.p_compliance for one in single))
    assert found.inference.high == pytest.approx(max(one.high for one in single))
    assert (found.shown, found.inference.first, found.inference.second) == (0, 0, 10)
    assert found.inference.level == pytest.approx(ALPHA / 3)
    assert found.inference.method.endswith("Bonferroni over 3 mismatches")


def test_a_violation_is_shown_by_what_proves_it_and_otherwise_by_the_largest():
    rng = np.random.default_rng(4)
    wild, sure = rng.normal(0.4, 0.5, 20), rng.normal(0.3, 0.01, 20)
    wild += 0.4 - wild.mean()
    assert judge([wild, sure], 0.1).shown == 1
    assert judge([wild, sure], 0.5).shown == 0


@pytest.mark.parametrize("count", [1, 4])
def test_the_interval_holds_the_limits_that_neither_test_rejects(count):
    gaps = np.random.default_rng(5).normal(0.3, 0.05, (count, 20))
    found = judge(gaps, 0.1).inference
    assert (
        judge(gaps, found.low - 1e-6).inference.p_violation
        < ALPHA
        < judge(gaps, found.low + 1e-6).inference.p_violation
    )
    assert (
        judge(gaps, found.high + 1e-6).inference.p_compliance
        < ALPHA
        < judge(gaps, found.high - 1e-6).inference.p_compliance
    )


def test_undefined_repeats_are_left_out_and_counted():
    gaps = np.random.default_rng(6).normal(0.3, 0.05, 20)
    holes = gaps.copy()
    holes[[3, 11]] = np.nan
    found, expected = judge(holes, 0.1), judge(np.delete(gaps, [3, 11]), 0.1)
    assert (found.left_out, expected.left_out) == (2, 0)
    for name in ("estimate", "low", "high", "p_violation", "p_compliance", "standard_error"):
        assert getattr(found.inference, name) == pytest.approx(getattr(expected.inference, name))


def test_the_interval_stays_within_what_a_mismatch_can_be():
    found = judge(np.random.default_rng(7).normal(0.9, 0.3, 10), 0.1).inference
    assert found.high == 1.0
    assert judge(np.random.default_rng(7).normal(-0.9, 0.3, 10), 0.1).inference.low == -1.0


def test_repeats_of_one_table_do_not_alarm_more_often_than_stated():
    """2,000 sweeps at the limit whose repeats share 30 % of their variance, as Nadeau and Bengio suppose."""
    rng = np.random.default_rng(8)
    common, own = rng.normal(size=(2_000, 1)), rng.normal(size=(2_000, 20))
    gaps = 0.1 + 0.05 * (math.sqrt(0.3) * common + math.sqrt(0.7) * own)
    alarms = np.mean([judge(row, 0.1).inference.p_violation < ALPHA for row in gaps])
    plain = np.mean(stats.ttest_1samp(gaps, 0.1, axis=1, alternative="greater").pvalue < ALPHA)
    assert 0.03 < alarms < 0.07
    assert plain > 0.2


def mismatches(rng, sweeps, shift, sizes=(60, 60), tested=20, repeats=20):
    """Of `sweeps` tables, areas of a fixed model's errors and uncertainties, the first group against the second.

    The first group's errors are higher by `shift[0]` standard deviations, its uncertainties by `shift[1]`.
    """
    for _ in range(sweeps):
        groups = [rng.normal(size=(2, n)) for n in sizes]
        groups[0] += np.array(shift)[:, None]
        areas = []
        for _ in range(repeats):
            one, other = (group[:, rng.permutation(group.shape[1])[:tested]] for group in groups)
            areas.append((one[:, :, None] > other[:, None, :]).mean(axis=(1, 2)))
        yield np.array(areas).T


def turned(error, uncertainty):
    """Return mismatches and error areas with the group first whose errors are higher on the mean."""
    sign = 1.0 if error.mean() >= 0.5 else -1.0
    return sign * (error - uncertainty), 0.5 + sign * (error - 0.5)


@pytest.mark.parametrize("shift", [(0.01, -0.6), (0.01, 0.6), (0.5, 0.0), (0.2, -0.4)])
def test_pairs_whose_errors_are_nearly_alike_neither_pass_nor_fail_by_who_came_first(shift):
    """At the limit and just below it: |A_error - 1/2| is so small that samples cannot say which turn is true."""
    rng = np.random.default_rng(9)
    sweeps = 250
    area = stats.norm.cdf(np.array(shift) / math.sqrt(2.0))
    truth = area[0] - area[1]  # the first group's errors are higher: this is the mismatch
    rate = np.zeros(3)
    for error, uncertainty in mismatches(rng, sweeps, shift):
        gaps, errors = turned(error, uncertainty)
        rows = {"n_train": 40, "n_test": 20, "tested": ([20.0], [20.0]), "first": [0], "second": [1]}
        found = judge_mismatches(gaps, errors, max(truth, 0.001), ALPHA, **rows).inference
        rate += (found.p_violation < ALPHA, truth >= 0.001 and found.p_compliance < ALPHA, found.low > truth)
    assert (rate / sweeps < ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / sweeps)).all()


def test_a_pair_passes_only_where_the_other_turn_is_excluded_too():
    gaps = np.random.default_rng(10).normal(-0.4, 0.02, 20)
    alike, worse = np.random.default_rng(11).normal([[0.5], [0.9]], 0.02, (2, 20))
    assert judge(gaps, 0.1, worse).inference.p_compliance < 0.001
    unsure = judge(gaps, 0.1, alike).inference
    assert unsure.p_compliance > 0.999
    assert unsure.high == pytest.approx(0.4, abs=0.05)
    assert judge(-gaps, 0.1, alike).inference.p_violation > 0.1  # nor is it shown that the first group is worse
    assert judge(-gaps, 0.1, worse).inference.p_violation < 0.001
