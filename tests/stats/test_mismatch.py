from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, stats

from fairness_checks.stats.clusters import cluster_cells
from fairness_checks.stats.judge_mismatch import MismatchPairs, judge_mismatch
from fairness_checks.stats.mismatch import FEWEST, mismatch_by_group, pair_areas, too_small
from fairness_checks.stats.simultaneous import Family

ALPHA = 0.05

NAMES = ("error_auc", "uncertainty_auc", "variance", "error_variance", "uncertainty_variance")
NAMES += ("covariance", "error_covariance", "uncertainty_covariance")


def sample(seed, n=300, groups=4, ties=False, size=3):
    """Codes with rows left out, correlated error and uncertainty, and clusters of which some span groups."""
    rng = np.random.default_rng(seed)
    codes, clusters = rng.integers(-1, groups, n), rng.integers(0, n // size, n)
    error = rng.standard_normal(n // size)[clusters] + rng.standard_normal(n) + 0.3 * codes
    uncertainty = error + rng.standard_normal(n)
    return codes, *(np.round((error, uncertainty)) if ties else (error, uncertainty)), clusters


def psi(x, y):
    """(m, n) comparisons of all samples of one group with all of another."""
    return (x[:, None] > y[None, :]) + 0.5 * (x[:, None] == y[None, :])


def loops(codes, error, uncertainty, clusters, i, j):
    """Areas, variances of the mismatch and of each area by Obuchowski's sums over clusters, one cluster at a time."""
    of_i, of_j = np.flatnonzero(codes == i), np.flatnonzero(codes == j)
    p_error, p_uncertainty = psi(error[of_i], error[of_j]), psi(uncertainty[of_i], uncertainty[of_j])
    result = [p_error.mean(), p_uncertainty.mean()]
    for p in (p_error - p_uncertainty, p_error, p_uncertainty):
        v10, v01, theta, m, n = p.mean(axis=1), p.mean(axis=0), p.mean(), len(of_i), len(of_j)
        s10 = s01 = s11 = 0.0
        for k in np.unique(clusters[np.append(of_i, of_j)]):
            a = sum(v10[clusters[of_i] == k] - theta)
            b = sum(v01[clusters[of_j] == k] - theta)
            s10, s01, s11 = s10 + a * a, s01 + b * b, s11 + a * b
        i10, i01 = len(np.unique(clusters[of_i])), len(np.unique(clusters[of_j]))
        both = len(np.unique(clusters[np.append(of_i, of_j)]))
        parts = s10 * i10 / (i10 - 1) / m**2, s01 * i01 / (i01 - 1) / n**2, 2 * s11 * both / (both - 1) / (m * n)
        result.append(parts)
    return result


@pytest.mark.parametrize("groups", [1, 2, 5, 40])
@pytest.mark.parametrize("ties", [False, True], ids=["distinct", "tied"])
def test_areas_alone_are_those_beside_their_variances(monkeypatch, groups, ties):
    monkeypatch.setattr("fairness_checks.stats.mismatch._AT_ONCE", 64)
    codes, error, uncertainty, _ = sample(2, groups=groups, ties=ties)
    there = codes >= 0
    codes, error, uncertainty = codes[there], error[there], uncertainty[there]
    whole = mismatch_by_group(codes, groups + 1, error, uncertainty)  # the last group is empty
    np.testing.assert_array_equal(pair_areas(codes, groups + 1, error), whole.error_auc)
    np.testing.assert_array_equal(pair_areas(codes, groups + 1, uncertainty), whole.uncertainty_auc)
    u = stats.mannwhitneyu(error[codes == 0], error[codes == groups - 1]).statistic
    of_both = (codes == 0).sum() * (codes == groups - 1).sum()
    assert pair_areas(codes, groups, error)[0, -1] == pytest.approx(u / of_both)


@pytest.mark.parametrize("clustered", [False, True], ids=["independent", "clustered"])
@pytest.mark.parametrize("ties", [False, True], ids=["distinct", "tied"])
def test_areas_and_variances_are_delongs_and_obuchowskis(ties, clustered):
    codes, error, uncertainty, clusters = sample(1, ties=ties)
    if not clustered:
        clusters = np.arange(len(codes))
    result = mismatch_by_group(codes, 4, error, uncertainty, cluster_cells(codes, 4, clusters) if clustered else None)
    for i in range(4):
        for j in set(range(4)) - {i}:
            areas = result.error_auc[i, j], result.uncertainty_auc[i, j]
            *expected, of_both, of_error, of_uncertainty = loops(codes, error, uncertainty, clusters, i, j)
            assert areas == pytest.approx(expected, abs=1e-12)
            for name, parts in (("", of_both), ("error_", of_error), ("uncertainty_", of_uncertainty)):
                variance, covariance = getattr(result, f"{name}variance"), getattr(result, f"{name}covariance")
                assert (variance[i, j], variance[j, i], covariance[i, j]) == pytest.approx(parts, abs=1e-12)
            u = stats.mannwhitneyu(error[codes == i], error[codes == j]).statistic
            assert areas[0] == pytest.approx(u / ((codes == i).sum() * (codes == j).sum()), abs=1e-12)
            common = np.intersect1d(clusters[codes == i], clusters[codes == j])
            assert result.shared[i, j] == (len(common) if clustered else 0)


@pytest.mark.parametrize("largest", [30, 400], ids=["alike", "one large"])
@pytest.mark.parametrize("ties", [False, True], ids=["distinct", "tied"])
def test_many_groups_are_measured_as_each_pair_alone(ties, largest):
    rng = np.random.default_rng(6)
    codes = rng.permutation(np.repeat(np.arange(20), [largest, *rng.integers(2, 30, 19)]))
    error = rng.standard_normal(len(codes)) + 0.1 * codes
    uncertainty = error + rng.standard_normal(len(codes))
    if ties:
        error, uncertainty = np.round(error), np.round(uncertainty, 1)
    many = mismatch_by_group(codes, 20, error, uncertainty)
    for i, j in [(0, 1), (3, 0), (5, 9), (18, 19), (12, 2)]:
        some = (codes == i) | (codes == j)
        alone = mismatch_by_group(np.where(codes == i, 0, 1)[some], 2, error[some], uncertainty[some])
        for name in NAMES:
            assert getattr(many, name)[i, j] == pytest.approx(getattr(alone, name)[0, 1], rel=1e-11, abs=1e-15), name


def pair_numbers(result, at=(0, 1, 2, 3)):
    pairs = MismatchPairs(result.take(at))
    return np.array([pairs.disparity, pairs.error, pairs.freedom, pairs.p_not_worse])


def test_clusters_of_one_sample_are_samples_and_repeated_samples_add_nothing():
    codes, error, uncertainty, clusters = sample(2)
    rows = np.arange(len(codes))
    plain = mismatch_by_group(codes, 4, error, uncertainty)
    alone = mismatch_by_group(codes, 4, error, uncertainty, cluster_cells(codes, 4, rows))
    twice = np.repeat(rows, 2)
    doubled = mismatch_by_group(
        codes[twice], 4, error[twice], uncertainty[twice], cluster_cells(codes[twice], 4, twice)
    )
    np.testing.assert_array_equal(alone.units, plain.units)
    np.testing.assert_array_equal(doubled.samples, 2 * plain.samples)
    np.testing.assert_allclose(pair_numbers(alone), pair_numbers(plain), rtol=1e-9)
    np.testing.assert_allclose(pair_numbers(doubled), pair_numbers(plain), rtol=1e-9)
    whole = mismatch_by_group(codes, 4, error, uncertainty, cluster_cells(codes, 4, clusters))
    again = mismatch_by_group(
        codes[twice], 4, error[twice], uncertainty[twice], cluster_cells(codes[twice], 4, clusters[twice])
    )
    np.testing.assert_allclose(pair_numbers(again), pair_numbers(whole), rtol=1e-9)


@pytest.mark.parametrize("clustered", [False, True], ids=["independent", "clustered"])
def test_order_of_rows_names_of_groups_and_scale_do_not_matter(clustered):
    codes, error, uncertainty, clusters = sample(3, ties=True)
    rng = np.random.default_rng(0)
    rows, names = rng.permutation(len(codes)), rng.permutation(4)
    renamed = np.append(names, -1)[codes][rows]
    cells, shuffled = cluster_cells(codes, 4, clusters), cluster_cells(renamed, 4, clusters[rows])
    result = mismatch_by_group(codes, 4, error, uncertainty, cells if clustered else None)
    other = mismatch_by_group(renamed, 4, np.exp(error[rows]), 3.0 * uncertainty[rows], shuffled if clustered else None)
    for name in NAMES:
        of_pairs = ~np.eye(4, dtype=bool)
        expected, found = getattr(result, name), getattr(other.take(names), name)
        np.testing.assert_allclose(found[of_pairs], expected[of_pairs], rtol=0, atol=1e-12)
    first, second = (judge_mismatch(r, 0.05, 0.05) for r in (result, other))
    assert (names[first.first], names[first.second]) == (second.first, second.second)
    assert [first.p_violation, first.p_compliance, first.low, first.high] == pytest.approx(
        [second.p_violation, second.p_compliance, second.low, second.high], abs=1e-6
    )


def test_both_areas_turn_round_with_the_pair():
    codes, error, uncertainty, _ = sample(4, ties=True)
    result = mismatch_by_group(codes, 4, error, uncertainty)
    np.testing.assert_allclose(result.error_auc + result.error_auc.T, 1.0, atol=1e-12)
    np.testing.assert_allclose(result.uncertainty_auc + result.uncertainty_auc.T, 1.0, atol=1e-12)


def test_empty_groups_have_no_numbers():
    codes = np.array([0, 0, 0, 2, 2, 2])
    result = mismatch_by_group(codes, 3, np.arange(6.0), np.arange(6.0)[::-1])
    assert np.isnan(result.error_auc[1]).all()
    assert result.error_auc[0, 2] == 0.0
    taken = result.take([2, -1, 0])
    np.testing.assert_array_equal(taken.samples, [3, 0, 3])
    assert taken.error_auc[0, 2] == 1.0
    assert np.isnan(taken.error_auc[1]).all()
    assert too_small(taken).all()
    nothing = mismatch_by_group(np.empty(0, dtype=int), 2, [], [])
    assert np.isnan(nothing.error_auc).all()
    assert np.isnan(mismatch_by_group(np.array([0, 1, 1]), 2, np.arange(3.0), np.arange(3.0)).variance[0, 1])
    many = mismatch_by_group(np.repeat([0, 1], [FEWEST, FEWEST - 1]), 2, np.arange(19.0), np.arange(19.0))
    np.testing.assert_array_equal(too_small(many), [False, True])


def test_a_large_cluster_among_small_ones_leaves_fewer_effective_ones():
    clusters = np.append(np.repeat(0, 8), np.arange(1, 13))
    codes = np.repeat([0, 1], [10, 10])
    result = mismatch_by_group(codes, 2, np.arange(20.0), np.arange(20.0) % 7, cluster_cells(codes, 2, clusters))
    np.testing.assert_allclose(result.effective, [100 / 66, 10.0])
    np.testing.assert_array_equal(result.units, [3, 10])


def test_the_level_holds_for_clusters_of_very_unequal_sizes():
    """10 and 20 clusters, areas 0.95 and 0.55: by the plain number of clusters a tenth would pass wrongly."""
    rng = np.random.default_rng(6)
    draws, wrong = 500, np.zeros(2)
    shift = np.sqrt(2.0) * stats.norm.ppf([0.95, 0.55])
    for _ in range(draws):
        sizes = 1 + np.minimum(rng.lognormal(1.0, 1.2, 30), 200).astype(int)
        clusters = np.repeat(np.arange(30), sizes)
        codes = (clusters >= 10).astype(int)
        own, shared = rng.standard_normal((2, len(codes))), rng.standard_normal((2, 30))[:, clusters]
        error, other = np.sqrt(0.4) * own + np.sqrt(0.6) * shared
        uncertainty = 0.3 * error + np.sqrt(0.91) * other
        cells, first = cluster_cells(codes, 2, clusters), codes == 0
        pair = MismatchPairs(
            mismatch_by_group(codes, 2, error + shift[0] * first, uncertainty + shift[1] * first, cells)
        )
        everyone = np.array([0])
        wrong += [pair.violation(everyone, 0.4)[0] < 0.05, pair.compliance(everyone, 0.4)[0] < 0.05]
    assert (wrong / draws <= 0.05 + 3.0 * np.sqrt(0.05 * 0.95 / draws)).all()


def judged(seed, shift, other, n=(300, 300), limit=0.1):
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.arange(len(n)), n)
    error = rng.standard_normal(len(codes)) + np.asarray(shift)[codes]
    uncertainty = rng.standard_normal(len(codes)) + np.asarray(other)[codes]
    return judge_mismatch(mismatch_by_group(codes, len(n), error, uncertainty), limit, 0.05)


def test_a_silent_uncertainty_fails_and_names_the_worse_group_first():
    found = judged(0, [0.0, 1.0], [0.0, 0.0])
    assert (found.first, found.second) == (1, 0)
    assert found.p_violation < 0.001
    assert 0.1 < found.low < found.estimate < found.high


def test_an_uncertainty_that_warns_too_much_is_no_violation():
    found = judged(1, [0.0, 0.5], [0.0, 1.5])
    assert (found.first, found.second) == (1, 0)
    assert found.estimate < -0.1
    assert found.p_violation > 0.5
    assert found.p_compliance < 0.01
    assert -1.0 <= found.low < found.estimate < found.high < 0.1


def test_equal_errors_leave_the_direction_open():
    """Uncertainty is higher in one group and errors are alike: which group is worse, and so the sign, is unknown."""
    found = judged(2, [0.0, 0.0], [0.0, 1.0])
    assert found.p_violation > 0.05
    assert found.p_compliance > 0.05
    assert found.low < 0.0 < 0.1 < found.high


@pytest.mark.parametrize("first", [0, 1])
def test_of_equal_errors_the_group_of_lower_uncertainty_comes_first_whatever_its_name(first):
    codes = np.repeat([first, 1 - first], 60)
    uncertainty = np.repeat([0.0, 1.0], 60) + 0.8 * np.random.default_rng(0).random(120)
    tied = mismatch_by_group(codes, 2, np.ones(120), uncertainty)
    # Three values of which the shares sum to 1/2 up to rounding.
    rounded = mismatch_by_group(codes, 2, np.tile([0.1, 0.2, 0.3], 40), uncertainty)
    for statistics in (tied, rounded):
        assert statistics.error_auc[0, 1] == pytest.approx(0.5, abs=1e-15)
        found = judge_mismatch(statistics, 0.4, 0.05)
        assert (found.first, found.estimate) == (first, pytest.approx(0.5, abs=1e-15))
        assert found.p_violation == pytest.approx(0.5)
        assert found.low < -0.4


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("n", [(60, 60), (30, 40, 50)], ids=["one-pair", "three-pairs"])
def test_verdict_and_interval_agree(seed, n):
    shift, other = np.linspace(0.0, 0.9, len(n)), np.linspace(0.0, 0.3 * (seed - 2), len(n))
    for limit in (0.0, 0.05, 0.2, 0.4):
        found = judged(seed, shift, other, n, limit)
        assert (found.low > limit) == (found.p_violation < 0.05) or abs(found.low - limit) < 1e-9
        assert (found.high < limit) == (found.p_compliance < 0.05)
        assert -1.0 <= found.low <= found.estimate <= found.high <= 1.0


def p_at_the_margin(parts, a, b, margin, m, n):
    """One-sided p-value of A - B > margin, whose variances in parts fit the nearest areas that differ by the margin."""
    padded = [(a - 0.5) ** 2 / 2.0, (b - 0.5) ** 2 / 2.0]  # half a sample of each group
    of_both, of_a, of_b = (np.array(x) for x in parts)
    common = (of_a + of_b - of_both) / 2.0
    of_a[:2] += padded[0] / np.array([m, n]) ** 2
    of_b[:2] += padded[1] / np.array([m, n]) ** 2
    inwards = 0.5 / (min(m, n) + 1.0)

    def variances(x):
        x = np.clip(x, inwards + max(margin, 0.0), 1.0 - inwards + min(margin, 0.0))  # both areas stay inside
        r = x * (1.0 - x) / (a * (1.0 - a))
        y = x - margin
        q = y * (1.0 - y) / (b * (1.0 - b))
        return r * of_a, q * of_b, np.sqrt(r * q) * common

    def unequal(share):
        by_a, by_b, both = (x.sum() for x in variances(a - share * (a - b - margin)))
        return by_a - both - share * (by_a + by_b - 2.0 * both)

    by_a, by_b, both = variances(a - optimize.brentq(unequal, 0.0, 1.0) * (a - b - margin))
    first, second, covariance = by_a + by_b - 2.0 * both
    total = first + second + covariance
    freedom = total**2 / (first**2 / (m - 1) + second**2 / (n - 1))
    return stats.t.sf((a - b - margin) / np.sqrt(total), freedom)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("margin", [0.0, 0.1, 0.4])
def test_p_values_are_those_of_the_variance_at_the_margin(seed, margin):
    rng = np.random.default_rng(seed)
    codes, noise = np.repeat([0, 1], [60, 90]), rng.standard_normal((2, 150))
    error, uncertainty = noise[0] + 1.2 * (codes == 0), noise[1] + 0.5 * noise[0] + 0.4 * (codes == 0)
    a, b, *parts = loops(codes, error, uncertainty, np.arange(150), 0, 1)
    tests, pair = MismatchPairs(mismatch_by_group(codes, 2, error, uncertainty)), np.array([0])
    near, far = (p_at_the_margin(parts, a, b, x, 60, 90) for x in (margin, -margin))
    assert tests.violation(pair, margin)[0] == pytest.approx(min(near + far, 1.0), rel=2e-3)
    assert tests.compliance(pair, margin)[0] == pytest.approx(
        1.0 - near, rel=2e-3
    )  # the errors say which group is worse


@pytest.mark.parametrize("margin", [0.0, 0.05, 0.2, 0.6])
@pytest.mark.parametrize("effect", [0.0, 1.5], ids=["alike", "apart"])
@pytest.mark.parametrize("crossing", [False, True], ids=["samples", "clusters in several groups"])
def test_of_many_pairs_bounds_of_compliance_decide_as_p_values_do(crossing, effect, margin):
    rng = np.random.default_rng(4)
    codes = rng.permutation(np.repeat(np.arange(40), 30)) if crossing else np.repeat(np.arange(40), 30)
    error, noise = rng.normal(effect * codes / 40, 1.0), rng.normal(0.0, 1.0, len(codes))
    cells = cluster_cells(codes, 40, np.arange(len(codes)) // 3) if crossing else None
    tests = MismatchPairs(mismatch_by_group(codes, 40, error, error * 0.5 + noise, cells), enough=ALPHA)
    everyone = np.arange(len(tests.first))
    assert len(everyone) == 780
    bound = tests.compliance(everyone, margin)
    exact = np.concatenate([tests.compliance(some, margin) for some in np.array_split(everyone, 4)])
    assert bound.max() == pytest.approx(exact.max(), rel=1e-12)
    assert ((bound < ALPHA) == (exact < ALPHA)).all()


@pytest.mark.parametrize("margin", [0.0, 0.05, 0.2])
@pytest.mark.parametrize("effect", [0.0, 1.5, 6.0], ids=["alike", "apart", "far apart"])
def test_of_many_pairs_bounds_of_violation_decide_as_p_values_do(effect, margin):
    rng = np.random.default_rng(4)
    codes = np.repeat(np.arange(40), 30)
    error, noise = rng.normal(effect * codes / 40, 1.0), rng.normal(0.0, 1.0, len(codes))
    found = mismatch_by_group(codes, 40, error, error * 0.3 + noise)
    bounds, everyone = MismatchPairs(found, enough=ALPHA), np.arange(780)
    p, exact = bounds.violation(everyone, margin), MismatchPairs(found).violation(everyone, margin)
    counts = (exact < ALPHA) | (exact <= 2.0 * exact.min())
    assert p[counts] == pytest.approx(exact[counts], rel=1e-12)
    assert (p[~counts] > max(ALPHA, 2.0 * exact.min()) * (1.0 - 1e-12)).all()
    of_pair = MismatchPairs(found)
    every = np.max(
        np.where(of_pair.p_not_worse < 0.01, of_pair.disparity, -np.abs(of_pair.disparity))
        - of_pair.error * stats.t.isf(0.01, of_pair.freedom)
    )
    assert bounds.lower(0.01) == pytest.approx(every, rel=1e-12)


@pytest.mark.parametrize("same", [0.0, 0.9, 1.0], ids=["apart", "alike", "equal"])
@pytest.mark.parametrize("n", [(10, 14), (12, 80)], ids=["small", "unequal"])
def test_evidence_grows_with_the_distance_to_the_margin(n, same):
    rng = np.random.default_rng(7)
    codes, pair = np.repeat([0, 1], n), np.array([0])
    for shift in (0.0, 1.0, 6.0):
        noise = rng.standard_normal((2, sum(n)))
        error = noise[0] + shift * (codes == 0)
        uncertainty = same * noise[0] + np.sqrt(1.0 - same**2) * noise[1] + shift * same * (codes == 0)
        tests = MismatchPairs(mismatch_by_group(codes, 2, error, uncertainty))
        p = np.array([(tests.violation(pair, x)[0], tests.compliance(pair, x)[0]) for x in np.linspace(0.0, 1.0, 41)])
        assert np.isfinite(p).all()
        assert (np.diff(p[:, 0]) >= -1e-3).all()
        assert (np.diff(p[:, 1]) <= 1e-3).all()


def p_violation(tests, limit):
    everyone = np.arange(len(tests.first))
    scale = np.hypot(tests.deviations[tests.first], tests.deviations[tests.second])
    return Family(tests.deviations, limit).p_value(tests.violation(everyone, limit), scale)


@pytest.mark.parametrize("limit", [0.0, 0.1])
def test_the_level_holds_at_the_limit(limit):
    """Three groups of 20 and 40 samples, errors correlated with the uncertainty, the largest mismatch at the limit."""
    rng = np.random.default_rng(5)
    draws, sizes = 600, np.array([20, 40, 20])
    codes = np.repeat(np.arange(3), sizes)
    # Areas 0.75 of the errors and 0.75 - limit of the uncertainty between the first group and the others.
    shift = [np.sqrt(2.0) * stats.norm.ppf(area) for area in (0.75, 0.75 - limit)]
    wrong = 0
    for _ in range(draws):
        error = rng.standard_normal(80)
        uncertainty = 0.6 * error + 0.8 * rng.standard_normal(80)
        first = codes == 0
        result = mismatch_by_group(codes, 3, error + shift[0] * first, uncertainty + shift[1] * first)
        wrong += p_violation(MismatchPairs(result), limit) < 0.05
    assert wrong / draws <= 0.05 + 3.0 * np.sqrt(0.05 * 0.95 / draws)


def test_many_groups_detect_about_what_the_true_variances_would():
    """24 groups of 100 and 200 samples; a normal test that knows the pairs' true standard error finds 0.79."""
    rng = np.random.default_rng(8)
    codes = np.repeat(np.arange(24), np.tile([100, 200], 12))
    worse = codes % 2 == 0
    shift = [np.sqrt(2.0) * stats.norm.ppf(area) for area in (0.85, 0.85 - 0.139)]
    known = Family(np.tile(0.0270 * np.sqrt([2 / 3, 1 / 3]), 12), 0.1).critical_value(0.1, 0.05)
    found = np.zeros(2)
    for _ in range(120):
        error = rng.standard_normal(len(codes))
        uncertainty = 0.6 * error + 0.8 * rng.standard_normal(len(codes))
        tests = MismatchPairs(mismatch_by_group(codes, 24, error + shift[0] * worse, uncertainty + shift[1] * worse))
        across = (tests.first + tests.second) % 2 == 1
        found += [p_violation(tests, 0.1) < 0.05, (tests.disparity[across].max() - 0.1) / 0.0270 > known]
    assert found[0] >= 0.9 * found[1]
    assert found[1] > 80


@pytest.mark.parametrize(
    ("codes", "error", "message"),
    [
        ([0, 0], [0.1], "one value per sample: .*error has shape"),
        ([0, 3], [0.1, 0.2], "codes run from 0 to 3; allowed are -1 to 2"),
        ([0, 1], [0.1, np.nan], "error holds nan"),
    ],
    ids=["length", "code-above", "nan"],
)
def test_bad_arguments_are_named(codes, error, message):
    with pytest.raises(ValueError, match=message):
        mismatch_by_group(np.array(codes), 3, error, np.zeros(2))
