from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairness_checks.stats.estimates import Estimates, estimates_compliance, estimates_violation
from fairness_checks.stats.judge_estimates import judge_difference
from fairness_checks.stats.ranking import auc_by_group, auc_estimates
from fairness_checks.stats.ranking_pairs import auc_compliance, auc_violation
from fairness_checks.stats.score_histogram import BINS, FINE_ENOUGH, ScoreHistogram, score_bins, score_histogram
from fairness_checks.stats.worst_estimate import judge_worst_estimate


def uniform(rng, n):
    return rng.random(n)


def logistic(rng, n):
    return 1.0 / (1.0 + np.exp(-rng.standard_normal(n)))


def rare(rng, n):
    return rng.beta(0.3, 60.0, n)


def discrete(rng, n):
    return rng.integers(0, 11, n) / 10.0


def one_bin(rng, n):
    return (1000.0 + rng.random(n)) / BINS


def one_score(rng, n):
    return np.full(n, 0.3)


def sides(rng, n):
    return np.where(rng.random(n) < 0.5, 0.0, 1.0)


SHAPES = [uniform, logistic, rare, discrete, one_bin, one_score, sides]


def rows(shape, n=4000, groups=3, seed=0):
    """Codes from -1, labels and scores that rank positives higher."""
    rng = np.random.default_rng(seed)
    scores = shape(rng, n)
    place = np.argsort(np.argsort(scores)) / n
    labels = rng.random(n) < 0.1 + 0.6 * place
    return rng.integers(-1, groups, n), labels, scores


def coarse(histogram):
    """The same counts where nobody knows what scores a bin holds."""
    columns = histogram.group, histogram.bins, histogram.positives, histogram.negatives
    return ScoreHistogram.of_bins(histogram.groups, *columns)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
@pytest.mark.parametrize("known", [True, False], ids=["scores known", "bins alone"])
def test_areas_and_variances_bound_those_of_the_rows(shape, known):
    codes, labels, scores = rows(shape)
    exact, histogram = auc_by_group(codes, 3, labels, scores), score_histogram(codes, 3, labels, scores)
    found = (histogram if known else coarse(histogram)).statistics()
    doubt = np.zeros(3) if found.ambiguity is None else found.ambiguity
    assert (np.abs(found.auc - exact.auc) <= doubt + 1e-12).all()
    for name in ("s10", "s01"):
        assert (getattr(found, name) >= getattr(exact, name) - 1e-12).all()
    for name in ("positives", "negatives", "positive_samples", "negative_samples"):
        np.testing.assert_array_equal(getattr(found, name), getattr(exact, name))


@pytest.mark.parametrize("shape", [discrete, one_score, sides], ids=lambda shape: shape.__name__)
def test_ties_are_no_ambiguity(shape):
    codes, labels, scores = rows(shape)
    exact, found = auc_by_group(codes, 3, labels, scores), score_histogram(codes, 3, labels, scores).statistics()
    assert found.ambiguity is None
    for name in ("auc", "s10", "s01"):
        np.testing.assert_allclose(getattr(found, name), getattr(exact, name), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_groups_of_few_scores_are_exact(shape):
    codes, labels, scores = rows(shape)
    codes = np.where((codes == 2) & (np.arange(len(codes)) % 10 > 0), 0, codes)  # the last group is smaller
    exact = auc_by_group(codes, 3, labels, scores)
    found = score_histogram(codes, 3, labels, scores, most=10_000).statistics()
    assert found.ambiguity is None
    for name in ("auc", "s10", "s01"):
        np.testing.assert_allclose(getattr(found, name), getattr(exact, name), rtol=1e-9, atol=1e-15)
    some = score_histogram(codes, 3, labels, scores, most=200)
    expected = score_histogram(codes, 3, labels, scores)
    assert same(some.take([0, 1]), expected.take([0, 1])) or len(np.unique(scores)) <= 200
    assert some.take([2]).statistics().ambiguity is None


def test_smooth_scores_are_nearly_exact():
    codes, labels, scores = rows(logistic, n=20_000)
    exact, found = auc_by_group(codes, 3, labels, scores), score_histogram(codes, 3, labels, scores).statistics()
    error = np.sqrt(auc_estimates(exact).variance)
    assert (found.ambiguity < FINE_ENOUGH * error).all()
    np.testing.assert_allclose(np.sqrt(auc_estimates(found).variance), error, rtol=1e-3)


def test_a_bin_that_holds_everything_says_nothing_until_it_is_counted_more_finely():
    codes, labels, scores = rows(one_bin)
    histogram = score_histogram(codes, 3, labels, scores)
    np.testing.assert_allclose(histogram.statistics().ambiguity, 0.5)
    wanted = histogram.too_coarse()
    assert wanted.all()
    distinct = by_score(codes, labels, scores, 3)
    finer = histogram.refined(wanted, distinct)
    exact = auc_by_group(codes, 3, labels, scores)
    np.testing.assert_allclose(finer.statistics().auc, exact.auc, rtol=1e-12)
    np.testing.assert_allclose(finer.statistics().s10, exact.s10, rtol=1e-9)
    assert finer.statistics().ambiguity is None
    assert not finer.too_coarse().any()


def by_score(codes, labels, scores, groups):
    """One cell for each group and distinct score."""
    counted = codes >= 0
    keys, place = np.unique(np.column_stack([codes[counted], scores[counted]]), axis=0, return_inverse=True)
    positives, total = (np.bincount(place.reshape(-1), w, len(keys)) for w in (labels[counted], None))
    at, x = keys[:, 0].astype(int), keys[:, 1]
    return ScoreHistogram.of_bins(groups, at, score_bins(x), positives, total - positives, x, x)


def test_only_bins_with_most_pairs_are_counted_more_finely():
    rng = np.random.default_rng(3)
    codes, labels, scores = rows(uniform, n=30_000, groups=2)
    crowded = rng.random(len(scores)) < 0.2
    scores = np.where(crowded & (codes == 0), (40_000.0 + rng.random(len(scores))) / BINS, scores)
    histogram = score_histogram(codes, 2, labels, scores)
    wanted = histogram.too_coarse()
    assert set(histogram.bins[wanted].tolist()) == {40_000}
    assert set(histogram.group[wanted].tolist()) == {0}
    finer = histogram.refined(wanted, by_score(codes, labels, scores, 2))
    assert not finer.too_coarse().any()
    exact = auc_by_group(codes, 2, labels, scores)
    assert (np.abs(finer.statistics().auc - exact.auc) <= finer.statistics().ambiguity).all()


def test_rows_that_changed_between_two_counts_are_found():
    codes, labels, scores = rows(one_bin)
    histogram = score_histogram(codes, 3, labels, scores)
    changed = by_score(codes[1:], labels[1:], scores[1:], 3)
    with pytest.raises(ValueError, match=r"bin 1000 of group \d has \d+, counted more finely \d+; the rows"):
        histogram.refined(np.ones(3, dtype=bool), changed)


@pytest.mark.parametrize(
    "score", [0.0, 5e-324, 1 / BINS, np.nextafter(1 / BINS, 0.0), 0.5, np.nextafter(1.0, 0.0), 1.0]
)
def test_a_bin_holds_its_lower_edge_and_the_last_one_the_score_of_one(score):
    (found,) = score_bins([score]).tolist()
    assert found / BINS <= score
    assert score < (found + 1) / BINS or (score == 1.0 and found == BINS - 1)


@pytest.mark.parametrize("score", [-0.1, 1.5, np.nan, np.inf])
def test_scores_that_are_no_probabilities_are_refused(score):
    with pytest.raises(ValueError, match="scores"):
        score_bins([0.5, score])


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
@pytest.mark.parametrize("below", [1, 10, 700, 10_000])
def test_no_small_cell_is_shown_and_the_bound_still_holds(shape, below):
    codes, labels, scores = rows(shape)
    exact = auc_by_group(codes, 3, labels, scores)
    shown = score_histogram(codes, 3, labels, scores).without_small_cells(below)
    for count, total in zip((shown.positives, shown.negatives), shown.counts(), strict=True):
        assert ((count == 0) | (count >= np.minimum(below, total[shown.group]))).all()
    assert (np.rint(shown.low * BINS) == shown.low * BINS).all()
    again = [score_histogram(*part).without_small_cells(below) for part in in_parts(codes, labels, scores)]
    for found in (shown.statistics(), sum(again[1:], again[0]).statistics()):
        doubt = np.zeros(3) if found.ambiguity is None else found.ambiguity
        assert (np.abs(found.auc - exact.auc) <= doubt + 1e-12).all()
        assert (found.s10 >= exact.s10 - 1e-12).all()
        assert (found.s01 >= exact.s01 - 1e-12).all()


def in_parts(codes, labels, scores, parts=4):
    part = np.random.default_rng(1).integers(0, parts, len(codes))
    return [(codes[part == k], 3, labels[part == k], scores[part == k]) for k in range(parts)]


cells = st.lists(
    st.tuples(
        st.integers(0, 2), st.booleans(), st.sampled_from([0.0, 0.25, 0.2500001, 0.2500002, 0.2500003, 0.7, 1.0])
    ),
    max_size=25,
)


def histogram_of(some):
    codes, labels, scores = (np.array(column) for column in zip(*some, strict=True)) if some else ([], [], [])
    return score_histogram(np.array(codes, dtype=int), 3, np.array(labels, dtype=bool), np.array(scores, dtype=float))


def columns(histogram):
    return [getattr(histogram, field.name) for field in dataclasses.fields(histogram)]


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(columns(one), columns(other), strict=True))


@settings(deadline=None, max_examples=150)
@given(cells, cells, cells)
def test_parts_add_up_in_any_order(one, other, third):
    a, b, c = (histogram_of(some) for some in (one, other, third))
    assert same((a + b) + c, a + (b + c))
    assert same(a + b, b + a)
    assert same(a + histogram_of([]), a)


@settings(deadline=None, max_examples=150)
@given(st.lists(cells, min_size=1, max_size=5))
def test_merged_parts_bound_the_pooled_rows(parts):
    everything = [row for part in parts for row in part]
    if not everything:
        return
    codes, labels, scores = (np.array(column) for column in zip(*everything, strict=True))
    exact = auc_by_group(codes, 3, labels, scores)
    first, *rest = [histogram_of(part) for part in parts]
    merged = sum(rest, first)
    found = merged.statistics()
    doubt = np.zeros(3) if found.ambiguity is None else found.ambiguity
    known = ~np.isnan(exact.auc)
    np.testing.assert_array_equal(np.isnan(found.auc), ~known)
    assert (np.abs(found.auc - exact.auc)[known] <= doubt[known] + 1e-12).all()
    for mine, theirs in ((found.s10, exact.s10), (found.s01, exact.s01)):
        np.testing.assert_array_equal(np.isnan(mine), np.isnan(theirs))
        assert (mine >= theirs - 1e-12)[~np.isnan(mine)].all()
    assert [sum(x) for x in merged.counts()] == [labels.sum(), (~labels).sum()]


def test_groups_are_taken_by_position_and_an_empty_one_has_no_area():
    codes, labels, scores = rows(discrete)
    histogram = score_histogram(codes, 3, labels, scores)
    some = histogram.take([2, -1, 0]).statistics()
    whole = histogram.statistics()
    np.testing.assert_allclose(some.auc[[0, 2]], whole.auc[[2, 0]])
    assert np.isnan(some.auc[1])
    assert some.positives.tolist() == [whole.positives[2], 0, whole.positives[0]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"group": [3]}, "groups run from 0 to 2"),
        ({"bins": [BINS]}, "bins from 0 to 65535"),
        ({"positives": [-1]}, "0 or more"),
        ({"low": [0.9], "high": [0.9]}, "within their bin"),
        ({"low": [10.9 / BINS], "high": [10.1 / BINS]}, "low first"),
        ({"positives": [1, 2]}, "one value per sample"),
    ],
    ids=["group", "bin", "negative", "another bin", "turned", "lengths"],
)
def test_counts_that_no_samples_have_are_refused(change, message):
    given_ = {"group": [0], "bins": [10], "positives": [1], "negatives": [1]} | change
    with pytest.raises(ValueError, match=message):
        ScoreHistogram.of_bins(3, **given_)


# Two groups whose areas are ambiguous: both tests are as careful as any areas in the bound would make them.


def two_groups(ambiguity):
    found = score_histogram(*rows(uniform, n=600, groups=2)[:1], 2, *rows(uniform, n=600, groups=2)[1:]).statistics()
    auc = np.array([0.80, 0.70])
    return dataclasses.replace(found, auc=auc, ambiguity=None if ambiguity is None else np.array(ambiguity))


@pytest.mark.parametrize("margin", [0.0, 0.02, 0.1, 0.3])
def test_pairs_are_tested_at_the_worst_areas_within_the_bound(margin):
    pair = np.array([0]), np.array([1])
    doubtful, sure = two_groups([0.01, 0.02]), two_groups(None)
    for test in (auc_violation, auc_compliance):
        assert test(doubtful, *pair, margin)[0] > test(sure, *pair, margin)[0]
        none = dataclasses.replace(sure, ambiguity=np.zeros(2))
        assert test(none, *pair, margin)[0] == test(sure, *pair, margin)[0]
    lost = dataclasses.replace(sure, ambiguity=np.array([0.5, 0.5]))
    assert auc_violation(lost, *pair, margin)[0] >= 0.5
    assert auc_compliance(lost, *pair, margin)[0] >= 0.5


def test_the_interval_of_a_difference_is_wider_by_the_ambiguity_at_either_end():
    value, variance, freedom = np.array([0.8, 0.7]), np.array([1e-4, 1e-4]), np.array([200.0, 200.0])
    ends = []
    for ambiguity in (None, np.array([0.004, 0.006])):
        groups = Estimates(value, variance, freedom, ambiguity=ambiguity)
        found = judge_difference(groups, 0.05, 0.05, largest=1.0, method="")
        ends.append((found.low, found.high))
    assert ends[1][0] == pytest.approx(ends[0][0] - 0.01, abs=1e-4)
    assert ends[1][1] == pytest.approx(ends[0][1] + 0.01, abs=1e-4)


@pytest.mark.parametrize("ceiling", [True, False], ids=["ceiling", "floor"])
def test_the_worst_value_is_judged_with_its_ambiguity(ceiling):
    value, variance, freedom = np.array([0.8, 0.7]), np.array([1e-4, 1e-4]), np.array([200.0, 200.0])
    sure, doubtful = (
        judge_worst_estimate(
            Estimates(value, variance, freedom, ambiguity=ambiguity), 0.75, 0.05, ceiling=ceiling, method=""
        )
        for ambiguity in (None, np.array([0.01, 0.01]))
    )
    assert doubtful.low == pytest.approx(sure.low - 0.01)
    assert doubtful.high == pytest.approx(sure.high + 0.01)
    assert doubtful.p_violation > sure.p_violation
    assert doubtful.p_compliance > sure.p_compliance


@pytest.mark.parametrize("test", [estimates_violation, estimates_compliance], ids=["violation", "compliance"])
def test_ambiguity_shifts_a_difference_as_a_margin_would(test):
    pair = np.array([0]), np.array([1])
    value, variance, freedom = np.array([0.8, 0.7]), np.array([1e-4, 4e-4]), np.array([50.0, 80.0])
    doubtful = test(Estimates(value, variance, freedom, ambiguity=np.array([0.01, 0.02])), *pair, 0.06)
    sign = 1.0 if test is estimates_violation else -1.0
    moved = test(Estimates(value - sign * np.array([0.03, 0.0]), variance, freedom), *pair, 0.06)
    assert doubtful == pytest.approx(moved)


@pytest.mark.parametrize("shape", [uniform, rare, one_bin, logistic], ids=lambda shape: shape.__name__)
@pytest.mark.parametrize("below", [None, 10, 100], ids=["bins", "10 a cell", "100 a cell"])
@pytest.mark.parametrize("seed", range(8))
def test_no_test_of_bins_shows_what_that_of_the_rows_does_not(shape, below, seed):
    codes, labels, scores = rows(shape, n=1200, groups=2, seed=seed)
    labels = labels | ((codes == 1) & (scores > np.quantile(scores, 0.8)))  # the second group is ranked better
    exact, found = auc_by_group(codes, 2, labels, scores), score_histogram(codes, 2, labels, scores)
    found = (coarse(found) if below is None else found.without_small_cells(below)).statistics()
    pair = np.array([0]), np.array([1])
    for test in (auc_violation, auc_compliance):
        for margin in (0.0, 0.02, 0.05, 0.1, 0.2):
            sure, doubtful = test(exact, *pair, margin)[0], test(found, *pair, margin)[0]
            assert doubtful >= min(sure, 0.5) * (1.0 - 1e-6) - 1e-15, (test.__name__, margin)
