from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import roc_auc_score

from fairness_checks.stats.estimates import estimates_compliance, estimates_violation
from fairness_checks.stats.ranking import Ranked, auc_by_group, auc_estimates, too_small
from fairness_checks.stats.ranking_pairs import auc_compliance, auc_violation


def delong_direct(labels, *scores):
    """Areas and their covariance (K, K) by DeLong's formulas, over all pairs."""
    psi = []
    for x in scores:
        above = x[labels][:, None] - x[~labels][None, :]
        psi.append((above > 0) + 0.5 * (above == 0))
    v10, v01 = np.array([p.mean(axis=1) for p in psi]), np.array([p.mean(axis=0) for p in psi])
    covariance = np.cov(v10, ddof=1) / v10.shape[1] + np.cov(v01, ddof=1) / v01.shape[1]
    return np.array([p.mean() for p in psi]), np.atleast_2d(covariance)


def sample(seed, n=600, groups=5, ties=False):
    rng = np.random.default_rng(seed)
    labels = rng.random(n) < 0.4
    scores = rng.standard_normal(n) + labels
    return rng.integers(-1, groups, n), labels, np.round(scores, 1) if ties else scores


def one_group(labels, scores):
    return auc_by_group(np.zeros(len(labels), dtype=int), 1, labels, scores)


@pytest.mark.parametrize("ties", [False, True], ids=["distinct", "tied"])
@pytest.mark.parametrize("seed", range(5))
def test_areas_are_scikit_learns_and_variances_are_delongs(seed, ties):
    codes, labels, scores = sample(seed, ties=ties)
    result = auc_by_group(codes, 5, labels, scores)
    for g in range(5):
        mine = codes == g
        area, covariance = delong_direct(labels[mine], scores[mine])
        variance = result.s10[g] / result.positives[g] + result.s01[g] / result.negatives[g]
        assert result.auc[g] == pytest.approx(roc_auc_score(labels[mine], scores[mine]), abs=1e-12)
        assert result.auc[g] == pytest.approx(area[0], abs=1e-12)
        assert variance == pytest.approx(covariance[0, 0], abs=1e-12)
        assert (result.positives[g], result.negatives[g]) == (labels[mine].sum(), (~labels[mine]).sum())


samples = st.lists(st.tuples(st.integers(-1, 2), st.booleans(), st.integers(-4, 4)), min_size=1, max_size=40).map(
    lambda rows: tuple(np.array(column) for column in zip(*rows, strict=True))
)


def fields(result):
    return np.array([result.auc, result.positives, result.negatives, result.s10, result.s01])


def test_one_sort_serves_several_features():
    rng = np.random.default_rng(3)
    scores, labels = np.round(rng.random(500), 2), rng.random(500) < 0.4
    ranked = Ranked.of(labels, scores)
    for groups in (1, 3, 40):
        codes = rng.integers(-1, groups, 500)
        alone, shared = (auc_by_group(codes, groups + 1, labels, scores, given) for given in (None, ranked))
        for field in dataclasses.fields(alone):
            np.testing.assert_array_equal(getattr(shared, field.name), getattr(alone, field.name))


@settings(deadline=None, max_examples=60)
@given(samples, st.randoms(use_true_random=False))
def test_order_of_rows_names_of_groups_and_scale_of_scores_do_not_matter(data, random):
    codes, labels, scores = data
    expected = fields(auc_by_group(codes, 3, labels, scores))
    rows, names = list(range(len(codes))), [0, 1, 2]
    random.shuffle(rows)
    random.shuffle(names)
    renamed = np.append(names, -1)[codes]
    got = fields(auc_by_group(renamed[rows], 3, labels[rows], np.exp(scores[rows] / 2.0)))
    np.testing.assert_allclose(got[:, names], expected, rtol=0, atol=1e-12)


@settings(deadline=None, max_examples=60)
@given(samples)
def test_swapped_labels_turn_the_area_round(data):
    codes, labels, scores = data
    result, swapped = auc_by_group(codes, 3, labels, scores), auc_by_group(codes, 3, ~labels, scores)
    np.testing.assert_allclose(swapped.auc, 1.0 - result.auc, rtol=0, atol=1e-12)
    np.testing.assert_allclose(swapped.s10, result.s01, rtol=0, atol=1e-12)


def test_groups_without_a_class_have_no_area():
    result = auc_by_group(np.array([0, 0, 1, 1, -1]), 3, np.array([True, True, True, False, False]), np.arange(5.0))
    np.testing.assert_array_equal(result.auc, [np.nan, 0.0, np.nan])
    np.testing.assert_array_equal(result.positives, [2, 1, 0])
    assert np.isnan(result.s10).all()
    assert np.isnan(auc_by_group(np.empty(0, dtype=int), 2, np.empty(0, dtype=bool), []).auc).all()


def test_groups_are_taken_by_position_and_a_missing_one_is_empty():
    codes, labels, scores = sample(2)
    result = auc_by_group(codes, 5, labels, scores)
    taken = result.take([3, -1])
    assert taken.auc[0] == result.auc[3]
    assert (taken.positives[0], taken.positive_samples[0]) == (result.positives[3], result.positives[3])
    assert np.isnan([taken.auc[1], taken.s10[1], taken.s01[1]]).all()
    assert [taken.positives[1], taken.negatives[1], taken.shared[1], taken.s11[1]] == [0, 0, 0, 0]
    assert too_small(taken).tolist() == [False, True]


def test_few_positives_or_negatives_are_too_small():
    labels = np.repeat([True, False, True, False, True, False], [5, 5, 4, 90, 90, 4])
    codes = np.repeat([0, 1, 2], [10, 94, 94])
    result = auc_by_group(codes, 3, labels, np.arange(len(labels), dtype=float))
    np.testing.assert_array_equal(too_small(result), [False, True, True])


@pytest.mark.parametrize("scores", ["perfect", "constant"])
def test_a_group_without_variance_can_be_compared(scores):
    labels = np.arange(80) % 2 == 0
    values = labels.astype(float) if scores == "perfect" else np.zeros(80)
    areas = auc_by_group(np.arange(80) // 40, 2, labels, values)
    estimates = auc_estimates(areas)
    first, second = np.array([0]), np.array([1])
    # One pseudo-sample of each class, half an area away.
    assert estimates.variance == pytest.approx(np.full(2, 2 * 0.25 / 20**2), rel=1e-12)
    assert np.isfinite(estimates.freedom).all()
    assert estimates_violation(estimates, first, second, 0.05)[0] > 0.5
    assert estimates_compliance(estimates, first, second, 0.2)[0] < 0.01
    assert auc_violation(areas, first, second, 0.05)[0] > 0.5
    assert auc_compliance(areas, first, second, 0.3)[0] < 0.01


@pytest.mark.parametrize(("per_class", "limit"), [(20, 0.05), (40, 0.05), (40, 0.025)])
def test_rare_scores_that_rank_well_are_not_taken_for_none(per_class, limit):
    """All scores are equal in one group; in the other some positives score higher: the difference is the limit."""
    rng, sets = np.random.default_rng(4), 1_000
    labels, codes = np.tile([True, False], 2 * per_class), np.repeat([0, 1], 2 * per_class)
    passes = []
    for _ in range(sets):
        scores = ((codes == 1) & labels & (rng.random(len(codes)) < 2.0 * limit)).astype(float)
        passes.append(
            auc_compliance(auc_by_group(codes, 2, labels, scores), np.array([0]), np.array([1]), limit)[0] < 0.05
        )
    assert np.mean(passes) < 0.05 + 3.0 * np.sqrt(0.05 * 0.95 / sets)


def test_the_variance_approaches_delongs():
    rng = np.random.default_rng(0)
    labels = rng.random(20_000) < 0.5
    result = one_group(labels, rng.standard_normal(20_000) + labels)
    plain = result.s10 / result.positives + result.s01 / result.negatives
    assert plain < auc_estimates(result).variance < 1.001 * plain


def test_the_level_holds_for_a_small_group_of_higher_area():
    """20 and 40 samples, areas 0.80 and 0.75, limit 0.05: DeLong's own variance rejects in about 7 %."""
    rng = np.random.default_rng(20)
    draws, alpha = 10_000, 0.05
    sizes, areas = np.tile([20, 40], draws), np.tile([0.80, 0.75], draws)
    codes = np.repeat(np.arange(2 * draws), sizes)
    labels = np.arange(len(codes)) % 2 == 0
    shift = np.sqrt(2.0) * stats.norm.ppf(np.repeat(areas, sizes))
    estimates = auc_estimates(auc_by_group(codes, 2 * draws, labels, rng.standard_normal(len(codes)) + shift * labels))
    even = 2 * np.arange(draws)
    bound = alpha + 3.0 * np.sqrt(alpha * (1.0 - alpha) / draws)
    assert 0.01 < np.mean(estimates_violation(estimates, even, even + 1, 0.05) <= alpha) <= bound
    assert np.mean(estimates_compliance(estimates, even, even + 1, 0.05) <= alpha) <= bound


@pytest.mark.parametrize(
    ("codes", "labels", "scores", "message"),
    [
        ([0, 0], [True], [0.1, 0.2], "one value per sample: .*labels has shape"),
        ([0, 3], [True, False], [0.1, 0.2], "codes run from 0 to 3; allowed are -1 to 2"),
        ([0, -2], [True, False], [0.1, 0.2], "codes run from -2 to 0"),
        ([0, 1], [True, False], [0.1, np.nan], "scores holds nan"),
    ],
    ids=["length", "code-above", "code-below", "nan"],
)
def test_bad_arguments_are_named(codes, labels, scores, message):
    with pytest.raises(ValueError, match=message):
        auc_by_group(np.array(codes), 3, np.array(labels), scores)


def binormal(rng, draws, sizes, areas, share=0.5):
    """Statistics of two groups a draw, interleaved; the first samples of a group are positive."""
    size = np.tile(sizes, draws)
    codes = np.repeat(np.arange(2 * draws), size)
    place = np.arange(len(codes)) - np.repeat(np.cumsum(size) - size, size)
    labels = place < share * size[codes]
    shift = np.sqrt(2.0) * stats.norm.ppf(np.tile(areas, draws))[codes]
    return auc_by_group(codes, 2 * draws, labels, rng.standard_normal(len(codes)) + shift * labels)


@pytest.mark.parametrize(
    ("sizes", "areas"),
    [((100, 200), (0.85, 0.95)), ((100, 200), (0.95, 0.85)), ((34, 62), (0.80, 0.70)), ((20, 40), (0.85, 0.95))],
    ids=str,
)
def test_the_level_of_the_pair_tests_holds(sizes, areas):
    """Welch's test passes 6 % wrongly in the first case."""
    draws, alpha = 3_000, 0.05
    result = binormal(np.random.default_rng(7), draws, sizes, areas, share=0.3)
    even = 2 * np.arange(draws)
    bound = alpha + 3.0 * np.sqrt(alpha * (1.0 - alpha) / draws)
    assert np.mean(auc_violation(result, even, even + 1, 0.1) <= alpha) <= bound
    assert np.mean(auc_compliance(result, even, even + 1, 0.1) <= alpha) <= bound


def test_a_small_group_of_low_area_is_found_more_often_than_by_welch():
    """34 samples at 0.67 against 62 at 0.97, limit 0.1."""
    draws = 2_000
    result = binormal(np.random.default_rng(8), draws, (34, 62), (0.67, 0.97), share=0.3)
    even = 2 * np.arange(draws)
    welch = np.mean(estimates_violation(auc_estimates(result), even, even + 1, 0.1) <= 0.05)
    assert np.mean(auc_violation(result, even, even + 1, 0.1) <= 0.05) > 1.15 * welch


def test_large_groups_are_compared_as_by_welch():
    result = binormal(np.random.default_rng(9), 20, (20_000, 20_000), (0.8, 0.8))
    even, estimates = 2 * np.arange(20), auc_estimates(result)
    for margin in (0.0, 0.005):
        np.testing.assert_allclose(
            auc_violation(result, even, even + 1, margin),
            estimates_violation(estimates, even, even + 1, margin),
            atol=0.01,
        )
        np.testing.assert_allclose(
            auc_compliance(result, even, even + 1, margin),
            estimates_compliance(estimates, even, even + 1, margin),
            atol=0.01,
        )


@pytest.mark.parametrize("sizes", [(10, 12), (34, 62), (100, 200)], ids=str)
def test_p_values_move_one_way_with_the_margin(sizes):
    """Else a verdict and its interval could disagree; perfect and reversed rankings included."""
    rng = np.random.default_rng(10)
    margins = np.linspace(0.0, 0.99, 100)
    for areas in ((0.5, 0.9), (0.97, 0.99), (0.05, 0.6), (0.999999, 0.000001), (0.999999, 0.999999)):
        result = binormal(rng, 40, sizes, areas)
        even = 2 * np.arange(40)
        outside = np.array([auc_violation(result, even, even + 1, margin) for margin in margins])
        within = np.array([auc_compliance(result, even, even + 1, margin) for margin in margins])
        # Beyond any level in use, the far tail and the degrees of freedom may turn it by a little.
        assert (np.diff(np.clip(outside, 1e-4, 0.5), axis=0) >= -1e-9).all()
        assert (np.diff(np.clip(within, 1e-4, 0.5), axis=0) <= 2e-5).all()


def test_a_published_example():
    """109 CT images rated 1 to 5 (Hanley and McNeil, Radiology 143 (1982) 29-36, Table I).

    Stata's manual, [R] roctab, gives DeLong's answer: area 0.8932, standard error 0.0307, interval 0.83295 to 0.95339.
    """
    normal, diseased = [33, 6, 6, 11, 2], [3, 2, 2, 11, 33]
    ratings = np.concatenate([np.repeat(np.arange(1.0, 6.0), counts) for counts in (normal, diseased)])
    found = auc_by_group(np.zeros(109, dtype=int), 1, np.repeat([False, True], [58, 51]), ratings)
    error = np.sqrt(found.s10 / 51 + found.s01 / 58)
    assert found.auc == pytest.approx(0.8932, abs=5e-5)
    assert error == pytest.approx(0.0307, abs=5e-5)
    assert found.auc - 1.959964 * error == pytest.approx(0.83295, abs=5e-6)
    assert found.auc + 1.959964 * error == pytest.approx(0.95339, abs=5e-6)
