"""Plans are checked by simulating the gate's own verdicts at the planned sizes, and against a textbook formula."""

from __future__ import annotations

import functools
import inspect
import math
import re

import numpy as np
import pytest
from scipy import special, stats
from statsmodels.stats.power import NormalIndPower
from statsmodels.stats.proportion import proportion_effectsize

from benchmarks.clustered_power import Group, p_values, sums_of
from fairness_checks import METRICS, plan_detectable, plan_sample_size
from fairness_checks.errors import ConfigurationError
from fairness_checks.stats import power
from fairness_checks.stats.balanced_accuracy import (
    balanced_accuracy_compliance,
    balanced_accuracy_violation,
    judge_worst_balanced_accuracy,
)
from fairness_checks.stats.clusters import cluster_cells
from fairness_checks.stats.disparity import judge_disparity, rates_compliance, rates_violation
from fairness_checks.stats.judge_estimates import judge_difference
from fairness_checks.stats.judge_mismatch import MismatchPairs, judge_mismatch
from fairness_checks.stats.means import mean_estimates, means_compliance, means_violation
from fairness_checks.stats.mismatch import mismatch_by_group
from fairness_checks.stats.moments import moments_by_cluster, moments_by_group
from fairness_checks.stats.normal_areas import auc_covariance
from fairness_checks.stats.ranking import auc_by_group, auc_estimates
from fairness_checks.stats.ranking_pairs import auc_compliance, auc_violation
from fairness_checks.stats.rate_pairs import Pairs
from fairness_checks.stats.worst_estimate import judge_worst_estimate
from fairness_checks.stats.worst_group import judge_worst_group
from fairness_checks.stats.worst_mean import judge_worst_mean

ROOT_2 = math.sqrt(2.0)


def settled(plan, found):
    """Whether a verdict is the one that was planned."""
    return (found.p_compliance if plan.shows == "compliance" else found.p_violation) < 0.05


def settled_pairs(plan, statistics, runs, limit, outside, within):
    """Share of the pairs of groups (0, 1), (2, 3), ... of which the planned verdict is shown."""
    test = within if plan.shows == "compliance" else outside
    first = 2 * np.arange(runs)
    return float((test(statistics, first, first + 1, limit) < 0.05).mean())


def codes_of(plan, runs):
    return np.repeat(np.arange(2 * runs), np.tile([plan.first, plan.second], runs))


def scores_of(rng, labels, areas):
    """Normal scores whose ROC curve has the area given for each sample."""
    return rng.normal(size=len(labels)) + labels * ROOT_2 * special.ndtri(areas)


@pytest.mark.parametrize(
    ("rates", "limit", "allocation"),
    [
        ((0.30, 0.15), {"max_difference": 0.05}, 1.0),
        ((0.15, 0.30), {"max_difference": 0.05}, 2.0),
        ((0.20, 0.20), {"max_difference": 0.10}, 0.5),
        ((0.20, 0.45), {"min_ratio": 0.8}, 1.0),
        ((0.50, 0.50), {"min_ratio": 0.8}, 1.0),
    ],
)
def test_the_planned_samples_settle_the_limit_with_the_planned_power(rates, limit, allocation):
    plan = plan_sample_size(first_value=rates[0], second_value=rates[1], allocation=allocation, **limit)
    assert plan.second == pytest.approx(plan.first * allocation, abs=1.5)
    rng = np.random.default_rng(1)
    sizes = (plan.first, plan.second)
    x1, x2 = (rng.binomial(n, rate, 1_200).astype(float) for n, rate in zip(sizes, rates, strict=True))
    tables, counts = np.unique(np.stack([x1, x2]), axis=1, return_counts=True)
    pairs = Pairs(tables[0], np.full(len(counts), float(sizes[0])), tables[1], np.full(len(counts), float(sizes[1])))
    contrast = "difference" if "max_difference" in limit else "ratio"
    tolerance = limit.get("max_difference", 1.0 - limit.get("min_ratio", 1.0))
    test = rates_compliance if plan.shows == "compliance" else rates_violation
    settled = np.average(test(pairs, tolerance, contrast) < 0.05, weights=counts)
    assert settled == pytest.approx(0.8, abs=0.04)


@pytest.mark.parametrize(
    ("rates", "limit", "size", "correlation", "more"),
    [
        ((0.30, 0.10), 0.05, 10, 0.2, {}),
        ((0.15, 0.03), 0.05, 10, 0.1, {}),
        ((0.10, 0.30), 0.05, 10, 0.2, {"allocation": 3.0}),
        ((0.30, 0.10), 0.05, 10, 0.2, {"checks": 20}),
        ((0.20, 0.20), 0.10, 10, 0.1, {}),
        ((0.50, 0.30), 0.05, 20, 0.5, {}),
        ((0.30, 0.10), 0.05, 10, 0.0, {}),
    ],
)
def test_clusters_are_planned_for_the_test_that_judges_them(rates, limit, size, correlation, more):
    plan = plan_sample_size(
        first_value=rates[0],
        second_value=rates[1],
        max_difference=limit,
        cluster_size=size,
        intra_cluster_correlation=correlation,
        **more,
    )
    rng, runs, alpha = np.random.default_rng(2), 1_000, 0.05
    sums = [
        sums_of(*Group(str(size), math.ceil(n / size), rate, correlation).draw(rng, runs))
        for n, rate in zip((plan.first, plan.second), rates, strict=True)
    ]
    if plan.shows == "violation":
        alpha /= more.get("checks", 1)
    shown = np.mean(p_values(*sums, limit, alpha)[plan.shows == "compliance"] < alpha)
    assert 0.8 - 3.0 * math.sqrt(0.16 / runs) <= shown <= 0.9


def test_means_of_few_clusters_are_planned_for_their_degrees_of_freedom():
    plan = plan_sample_size(
        metric="mean_absolute_error",
        standard_deviation=1.0,
        first_value=1.9,
        second_value=0.2,
        max_difference=0.5,
        cluster_size=10,
        intra_cluster_correlation=0.8,
    )
    clusters, runs = math.ceil(plan.first / 10), 1_500
    assert 10 <= clusters < 20
    rng = np.random.default_rng(3)
    cluster = np.repeat(np.arange(2 * runs * clusters), 10)
    codes = cluster // clusters
    values = math.sqrt(0.8) * rng.normal(size=2 * runs * clusters)[cluster] + math.sqrt(0.2) * rng.normal(
        size=len(codes)
    )
    values += np.where(codes % 2 == 0, 1.9, 0.2)
    statistics = moments_by_cluster(cluster_cells(codes, 2 * runs, cluster), values)
    assert 0.77 <= settled_pairs(plan, statistics, runs, 0.5, means_violation, means_compliance) <= 0.9


def test_no_plan_has_fewer_clusters_than_the_gate_judges():
    more = {"metric": "false_negative_rate", "max_difference": 0.05}
    more |= {"cluster_size": 12, "intra_cluster_correlation": 0.3}
    assert plan_sample_size(first_value=0.95, second_value=0.05, **more).first == 120
    assert plan_detectable(first=119, second_value=0.05, **more) is None
    assert plan_detectable(first=120, second_value=0.05, **more) < 0.9


def test_without_a_margin_the_plan_is_near_the_textbook_two_sided_one():
    plan = plan_sample_size(first_value=0.35, second_value=0.25, max_difference=0.0)
    effect = proportion_effectsize(0.35, 0.25)
    assert plan.first == pytest.approx(NormalIndPower().solve_power(effect, alpha=0.05, power=0.8), rel=0.02)


def test_more_checks_and_more_power_need_more_samples_and_compliance_needs_no_adjustment():
    rates = {"first_value": 0.30, "second_value": 0.15, "max_difference": 0.05}
    one, five = (plan_sample_size(**rates, checks=checks).first for checks in (1, 5))
    z = [stats.norm.ppf(1 - alpha) + stats.norm.ppf(0.8) for alpha in (0.05, 0.01)]
    assert five / one == pytest.approx((z[1] / z[0]) ** 2, rel=0.02)
    assert plan_sample_size(**rates, power=0.9).first > one
    equal = {"first_value": 0.2, "second_value": 0.2, "max_difference": 0.05}
    assert plan_sample_size(**equal, checks=5) == plan_sample_size(**equal)


@pytest.mark.parametrize(
    ("means", "limit", "allocation"), [((1.3, 1.0), 0.1, 1.0), ((1.0, 1.3), 0.1, 2.0), ((1.0, 1.05), 0.2, 0.5)]
)
def test_means_are_settled_with_the_planned_power(means, limit, allocation):
    plan = plan_sample_size(
        metric="mean_absolute_error",
        first_value=means[0],
        second_value=means[1],
        max_difference=limit,
        standard_deviation=1.0,
        allocation=allocation,
    )
    runs, rng = 1_000, np.random.default_rng(2)
    codes = codes_of(plan, runs)
    found = moments_by_group(codes, 2 * runs, rng.normal(np.where(codes % 2, means[1], means[0]), 1.0))
    share = settled_pairs(plan, found, runs, limit, means_violation, means_compliance)
    assert share == pytest.approx(0.8, abs=0.045)


@pytest.mark.parametrize(
    ("areas", "limit", "positives"), [((0.9, 0.8), 0.05, 0.5), ((0.85, 0.85), 0.05, 0.5), ((0.8, 0.65), 0.05, 0.2)]
)
def test_areas_are_settled_with_the_planned_power_or_more(areas, limit, positives):
    plan = plan_sample_size(
        metric="roc_auc", first_value=areas[0], second_value=areas[1], max_difference=limit, positives=positives
    )
    runs, rng = 800, np.random.default_rng(3)
    codes = codes_of(plan, runs)
    labels, area = rng.random(len(codes)) < positives, np.where(codes % 2, areas[1], areas[0])
    # The variance of Hanley and McNeil is that of exponential scores; it is larger than that of normal ones.
    exponential = rng.exponential(size=len(codes)) * np.where(labels, area / (1.0 - area), 1.0)
    for scores, most in ((exponential, 0.85), (scores_of(rng, labels, area), 0.93)):
        found = auc_by_group(codes, 2 * runs, labels, scores)
        share = settled_pairs(plan, found, runs, limit, auc_violation, auc_compliance)
        assert 0.75 < share < most


@pytest.mark.parametrize(
    ("values", "limit", "positives"), [((0.7, 0.85), 0.05, 0.5), ((0.8, 0.8), 0.06, 0.2), ((0.8, 0.83), 0.1, 0.3)]
)
def test_balanced_accuracies_are_settled_with_the_planned_power(values, limit, positives):
    plan = plan_sample_size(
        metric="balanced_accuracy",
        first_value=values[0],
        second_value=values[1],
        max_difference=limit,
        positives=positives,
    )
    runs, rng = 4_000, np.random.default_rng(4)
    n = np.tile([plan.first, plan.second], runs)
    found = confusion_counts(rng, n, np.tile(values, runs), positives)
    share = settled_pairs(plan, found, runs, limit, balanced_accuracy_violation, balanced_accuracy_compliance)
    assert share == pytest.approx(0.8, abs=0.035)


def confusion_counts(rng, n, value, share):
    positives = rng.binomial(n, share)
    tp, tn = rng.binomial(positives, value), rng.binomial(n - positives, value)
    return np.stack([tn, n - positives - tn, positives - tp, tp], axis=1)


def mismatched(rng, sizes, areas, correlation):
    """Normal errors and uncertainties of groups of which the first is the worse one, by the areas given."""
    codes = np.repeat(np.arange(len(sizes)), sizes)
    both = rng.normal(size=(len(codes), 2))
    both[:, 1] = correlation * both[:, 0] + math.sqrt(1.0 - correlation**2) * both[:, 1]
    both[codes == 0] += ROOT_2 * special.ndtri(areas)
    return mismatch_by_group(codes, len(sizes), both[:, 0], both[:, 1])


@pytest.mark.parametrize("correlation", [-0.5, 0.0, 0.5])
@pytest.mark.parametrize(
    ("areas", "limit"),
    [
        ((0.75, 0.5), 0.1),
        ((0.6, 0.4), 0.1),  # that the first group has the higher error is as hard to show as the mismatch
        ((0.7, 0.68), 0.15),
        ((0.55, 0.9), 0.1),  # likewise, for compliance
    ],
)
def test_mismatches_are_settled_with_the_planned_power(areas, limit, correlation):
    spearman = 6.0 / math.pi * math.asin(correlation / 2.0)
    plan = plan_sample_size(
        metric="uncertainty_mismatch",
        first_value=areas[0],
        second_value=areas[1],
        max_mismatch=limit,
        correlation=spearman,
    )
    shown, runs, rng = 0, 150, np.random.default_rng(5)
    for _ in range(runs):
        pairs = MismatchPairs(mismatched(rng, (plan.first, plan.second), areas, correlation))
        test = pairs.compliance if plan.shows == "compliance" else pairs.violation
        shown += test(np.arange(1), limit)[0] < 0.05
    assert 0.72 < shown / runs < 0.9


@pytest.mark.parametrize(
    ("areas", "limit", "before"),
    [((0.9, 0.5), 0.0, 0.66), ((0.8, 0.4), 0.0, 0.65), ((0.95, 0.6), 0.05, 0.69), ((0.95, 0.9), 0.3, 0.40)],
)
def test_small_plans_of_mismatches_count_what_the_test_adds_to_the_variance(areas, limit, before):
    """Pseudo-samples, Student's quantiles and the variance at the margin; `before` is found without them."""
    first, second = areas
    plan = plan_sample_size(
        metric="uncertainty_mismatch", first_value=first, second_value=second, max_mismatch=limit, correlation=0.0
    )
    assert plan.first < 20
    rng, runs = np.random.default_rng(7), 300
    found = [judge_mismatch(mismatched(rng, (plan.first, plan.second), areas, 0.0), limit, 0.05) for _ in range(runs)]
    assert max(before + 0.04, 0.72) < np.mean([settled(plan, one) for one in found]) < 0.88


def test_a_mismatch_is_planned_for_the_worst_correlation_unless_one_is_given():
    asked = {"metric": "uncertainty_mismatch", "first_value": 0.75, "second_value": 0.5, "max_mismatch": 0.1}
    sizes = [plan_sample_size(**asked, correlation=r).first for r in (-1.0, -0.5, 0.0, 0.5, 1.0)]
    assert sizes == sorted(sizes, reverse=True)
    assert plan_sample_size(**asked).first == sizes[0]
    assert 1.5 < sizes[0] / sizes[2] < 2.5


@pytest.mark.parametrize(("first", "second", "r"), [(0.7, 0.5, -0.5), (0.9, 0.6, 0.8), (0.3, 0.8, -1.0), (0.8, 0.8, 1)])
def test_the_covariance_of_two_areas_is_that_of_the_bivariate_normal_distribution(first, second, r):
    h, k = special.ndtri([first, second])
    both = stats.multivariate_normal.cdf([h, k], cov=[[1.0, r / 2.0], [r / 2.0, 1.0]])
    assert auc_covariance(first, second, r) == pytest.approx(both - first * second, abs=1e-6)


RUNS = 300


def simulate_value(metric, plan, groups, values, limit, positives, rng):
    n, codes = plan.first, np.repeat(np.arange(groups), plan.first)
    ceiling = limit[0] == "max_value"
    if metric == "accuracy":
        n += rng.integers(-10, 11)  # the power of an exact test rises and falls in steps
        return judge_worst_group(rng.binomial(n, values), np.full(groups, n), limit[1], 0.05, ceiling=ceiling)
    if metric == "mean_absolute_error":
        moments = moments_by_group(codes, groups, rng.normal(values[codes], 1.0))
        return judge_worst_mean(moments, limit[1], 0.05, ceiling=ceiling)
    if metric == "balanced_accuracy":
        counts = confusion_counts(rng, np.full(groups, n), values, positives)
        return judge_worst_balanced_accuracy(counts, limit[1], 0.05, ceiling=ceiling)
    labels = rng.random(len(codes)) < positives
    areas = auc_estimates(auc_by_group(codes, groups, labels, scores_of(rng, labels, values[codes])))
    return judge_worst_estimate(areas, limit[1], 0.05, ceiling=ceiling, method="")


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize(
    ("value", "limit"),
    [(0.15, 0.1), (0.3, 0.1), (0.1, 0.05), (0.1, 0.02), (0.5, 0.3), (0.05, 0.1), (0.02, 0.1), (0.4, 0.5), (0.01, 0.05)],
)
def test_plans_of_ceilings_reach_their_power_by_enumeration(value, limit, groups):
    """On average over the steps of the exact test; of rare events they had 0.67 to 0.75."""
    plan = plan_sample_size(metric="accuracy", first_value=value, max_value=limit, groups=groups)
    reached = []
    for n in range(plan.first - plan.first // 10, plan.first + plan.first // 10 + 1):
        k = np.arange(n + 1)
        chance = stats.binom.pmf(k, n, value)
        if plan.shows == "violation":
            reached.append(chance[stats.binom.sf(k - 1, n, limit) <= 1.0 - 0.95 ** (1.0 / groups)].sum())
        else:
            reached.append(chance[stats.binom.cdf(k, n, limit) <= 0.05].sum() ** groups)
    assert 0.76 < np.mean(reached) < 0.88


@pytest.mark.parametrize(
    ("metric", "value", "limit", "groups"),
    [
        ("accuracy", 0.15, ("max_value", 0.1), 1),
        ("accuracy", 0.30, ("max_value", 0.2), 4),
        ("accuracy", 0.95, ("min_value", 0.9), 3),
        ("mean_absolute_error", 1.2, ("max_value", 1.0), 3),
        ("mean_absolute_error", 0.85, ("max_value", 1.0), 3),
        ("balanced_accuracy", 0.7, ("min_value", 0.8), 3),
        ("balanced_accuracy", 0.87, ("min_value", 0.8), 3),
        ("balanced_accuracy", 0.9, ("max_value", 0.8), 1),
        ("roc_auc", 0.75, ("min_value", 0.8), 3),
        ("roc_auc", 0.86, ("min_value", 0.8), 3),
    ],
)
def test_ceilings_and_floors_are_settled_with_the_planned_power(metric, value, limit, groups):
    deviation = 1.0 if metric == "mean_absolute_error" else None
    plan = plan_sample_size(
        metric=metric,
        first_value=value,
        **{limit[0]: limit[1]},
        groups=groups,
        standard_deviation=deviation,
        positives=0.3 if metric in ("balanced_accuracy", "roc_auc") else None,
    )
    assert plan.first == plan.second
    rng = np.random.default_rng(6)
    fair = limit[1] / 2.0 if limit[0] == "max_value" else (1.0 + limit[1]) / 2.0
    values = np.full(groups, value if plan.shows == "compliance" else fair)
    values[0] = value
    found = [simulate_value(metric, plan, groups, values, limit, 0.3, rng) for _ in range(RUNS)]
    share = np.mean([settled(plan, one) for one in found])
    # Hanley and McNeil's variance is too large for normal scores.
    assert 0.74 < share < (0.94 if metric == "roc_auc" else 0.87)


@pytest.mark.parametrize(
    ("rates", "limit", "groups", "allocation"),
    [
        ((0.30, 0.20), {"max_difference": 0.05}, 4, 1.0),
        ((0.20, 0.20), {"max_difference": 0.08}, 4, 1.0),
        ((0.20, 0.23), {"max_difference": 0.10}, 6, 1.0),
        ((0.50, 0.46), {"min_ratio": 0.8}, 4, 2.0),
    ],
)
def test_several_groups_are_settled_with_the_planned_power_or_more(rates, limit, groups, allocation):
    plan = plan_sample_size(first_value=rates[0], second_value=rates[1], groups=groups, allocation=allocation, **limit)
    n = np.array([plan.first] + [plan.second] * (groups - 1))
    # Compliance is hardest to show where half of the groups lie at either end, a violation where only one pair does.
    half = np.array([rates[0]] * (groups // 2) + [rates[1]] * (groups - groups // 2))
    alone = np.array([*rates, *[sum(rates) / 2.0] * (groups - 2)])
    ((kind, tolerance),) = limit.items()
    contrast = "difference" if kind == "max_difference" else "ratio"
    rng = np.random.default_rng(7)
    shown = [
        settled(plan, judge_disparity(rng.binomial(n, p).astype(float), n, tolerance, contrast, 0.05))
        for p in [half if plan.shows == "compliance" else alone] * RUNS
    ]
    assert 0.72 < np.mean(shown) < 0.95


@pytest.mark.parametrize(
    ("means", "groups", "allocation"), [((0.5, 0.0), 5, 1.0), ((0.5, 0.0), 5, 0.25), ((0.0, 0.0), 5, 1.0)]
)
def test_means_of_several_groups_are_settled_with_the_planned_power(means, groups, allocation):
    limit = 0.1 if means[0] else 0.3
    plan = plan_sample_size(
        metric="mean_error",
        first_value=means[0],
        second_value=means[1],
        max_difference=limit,
        standard_deviation=1.0,
        groups=groups,
        allocation=allocation,
    )
    codes = np.repeat(np.arange(groups), [plan.first] + [plan.second] * (groups - 1))
    true = np.array([*means, *[sum(means) / 2.0] * (groups - 2)])
    shown, rng = [], np.random.default_rng(8)
    for _ in range(150):
        found = moments_by_group(codes, groups, rng.normal(true[codes], 1.0))
        tests = (functools.partial(test, found) for test in (means_violation, means_compliance))
        shown.append(
            settled(
                plan,
                judge_difference(
                    mean_estimates(found),
                    limit,
                    0.05,
                    largest=math.inf,
                    method="",
                    **dict(zip(("violation", "compliance"), tests, strict=True)),
                ),
            )
        )
    assert 0.72 < np.mean(shown) < 0.92


def test_mismatches_of_several_groups_are_settled_with_the_planned_power_or_more():
    for areas, limit in (((0.75, 0.5), 0.1), ((0.7, 0.7), 0.15)):
        plan = plan_sample_size(
            metric="uncertainty_mismatch",
            first_value=areas[0],
            second_value=areas[1],
            max_mismatch=limit,
            correlation=0.0,
            groups=3,
        )
        rng, sizes = np.random.default_rng(9), (plan.first, plan.second, plan.second)
        found = [judge_mismatch(mismatched(rng, sizes, areas, 0.0), limit, 0.05) for _ in range(60)]
        assert np.mean([settled(plan, one) for one in found]) > 0.72


def rates_p(plan, first, second, n, limit, seed):
    """p-values of the planned verdict for simulated rates of two groups of n samples."""
    x = np.random.default_rng([seed, int(1e6 * first)]).binomial(n, [[first], [second]], (2, 1_000)).astype(float)
    tables, place = np.unique(x, axis=1, return_inverse=True)
    sizes = np.full(tables.shape[1], float(n))
    test = rates_compliance if plan.shows == "compliance" else rates_violation
    return test(Pairs(tables[0], sizes, tables[1], sizes), limit, "difference")[place.ravel()]


@pytest.mark.parametrize(
    ("first", "second", "limit", "positives"),
    [
        ((0.9, 0.1), (0.75, 0.1), 0.05, 0.3),
        ((0.9, 0.1), (0.9, 0.1), 0.07, 0.3),
        ((0.9, 0.1), (0.88, 0.1), 0.1, 0.5),
    ],
)
def test_equalized_odds_is_planned_by_its_components(first, second, limit, positives):
    asked = {"max_difference": limit, "positives": positives}
    plan = plan_sample_size(metric="equalized_odds", first_value=first, second_value=second, **asked)
    n = round(plan.first * positives)
    parts = [
        rates_p(plan, first[0], second[0], n, limit, 10),
        rates_p(plan, first[1], second[1], plan.first - n, limit, 10),
    ]
    p = np.maximum(*parts) if plan.shows == "compliance" else 2.0 * np.minimum(*parts)
    assert (p < 0.05).mean() == pytest.approx(0.8, abs=0.045)
    if plan.shows == "violation":  # Bonferroni over two, and only the positives count
        alone = plan_sample_size(first_value=first[0], second_value=second[0], max_difference=limit, checks=2)
        assert plan.first == pytest.approx(alone.first / positives, abs=4)


INVERSES = [
    ("false_negative_rate", {"max_difference": 0.05}, 0.2, {}),
    ("accuracy", {"max_difference": 0.05}, 0.9, {}),
    ("selection_rate", {"min_ratio": 0.8}, 0.4, {"groups": 4}),
    ("accuracy", {"min_ratio": 0.8}, 0.9, {"checks": 5}),
    ("mean_absolute_error", {"max_difference": 0.1}, 1.0, {"standard_deviation": 0.7, "groups": 3}),
    ("mean_error", {"max_difference": 0.0}, 0.0, {"standard_deviation": 2.0}),
    ("roc_auc", {"max_difference": 0.05}, 0.9, {"positives": 0.3}),
    ("balanced_accuracy", {"max_difference": 0.05}, 0.85, {"power": 0.9}),
    ("uncertainty_mismatch", {"max_mismatch": 0.1}, 0.5, {"correlation": 0.2}),
    ("uncertainty_mismatch", {"max_mismatch": 0.1}, 0.5, {"groups": 4}),
    ("false_negative_rate", {"max_value": 0.1}, None, {"cluster_size": 3, "intra_cluster_correlation": 0.2}),
    ("roc_auc", {"min_value": 0.8}, None, {"groups": 3}),
    ("balanced_accuracy", {"min_value": 0.8}, None, {"alpha": 0.01}),
    ("mean_error", {"max_value": -1.0}, None, {"standard_deviation": 2.0}),
]


@pytest.mark.parametrize(("metric", "limit", "second", "others"), INVERSES)
def test_what_is_detectable_needs_the_samples_that_it_was_detected_with(metric, limit, second, others):
    asked = {"metric": metric, **limit, **others}
    if second is None:
        shown = plan_detectable(first=300, **asked)
        plan = plan_sample_size(first_value=shown, **asked)
        sizes = (300, 300)
    else:
        shown = plan_detectable(first=300, second=600, second_value=second, **asked)
        worse = 1.0 if METRICS[metric].lower_is_better is not False else -1.0
        ratio = shown if worse < 0.0 else 1.0 / shown if shown else math.inf
        first = second * ratio if "min_ratio" in limit else second + worse * shown
        if metric == "selection_rate":  # neither is worse: the direction in which less is detectable
            first = second * shown
        plans = [plan_sample_size(first_value=first, second_value=second, allocation=2.0, **asked)]
        if metric == "selection_rate":
            plans.append(plan_sample_size(first_value=second / shown, second_value=second, allocation=2.0, **asked))
        plan = min(plans, key=lambda found: found.first)
        sizes = (300, 600)
    assert plan.shows == "violation"
    assert (plan.first, plan.second) == pytest.approx(sizes, abs=1)


def test_what_is_detectable_agrees_with_what_a_record_says():
    rate = plan_detectable(metric="false_negative_rate", first=200, second=300, second_value=0.2, max_difference=0.05)
    assert rate == pytest.approx(power.detectable_disparity(0.2, 200, 300, 0.05, "difference", 0.05), abs=2e-6)
    ratio = plan_detectable(metric="false_negative_rate", first=200, second=300, second_value=0.2, min_ratio=0.8)
    assert ratio == pytest.approx(power.detectable_disparity(0.2, 200, 300, 0.8, "ratio", 0.05), abs=2e-6)
    mean = plan_detectable(
        metric="mean_error", first=200, second=300, second_value=0.0, max_difference=0.1, standard_deviation=2.0
    )
    error = 2.0 * math.sqrt(1.0 / 200 + 1.0 / 300)
    assert mean == pytest.approx(power.detectable_difference(error, 0.1, 0.05), abs=1e-6)


def test_equalized_odds_detects_what_both_of_its_rates_detect():
    shown = plan_detectable(
        metric="equalized_odds", first=500, second_value=(0.9, 0.1), max_difference=0.05, positives=0.2
    )
    alone = [
        plan_detectable(metric=name, first=n, second_value=rate, max_difference=0.05, checks=2)
        for name, n, rate in (("true_positive_rate", 100, 0.9), ("false_positive_rate", 400, 0.1))
    ]
    assert shown == pytest.approx(max(alone), abs=1e-6)


def test_perfect_groups_can_be_planned_and_no_plan_is_smaller_than_the_gate_judges():
    asked = {"first_value": 1.0, "second_value": 1.0, "max_difference": 0.2}
    wide = {**asked, "max_difference": 0.9}
    assert plan_sample_size(metric="balanced_accuracy", **wide).first == 10
    assert plan_sample_size(metric="roc_auc", positives=0.1, **wide).first == 50  # 5 positives
    mismatch = {"first_value": 0.9, "second_value": 0.9, "max_mismatch": 0.5, "correlation": 1.0}
    assert plan_sample_size(metric="uncertainty_mismatch", **mismatch).first == 10
    # Of perfect areas the test thinks worse than any plan: it needs up to half as many again.
    n = round(1.5 * plan_sample_size(metric="roc_auc", **asked).first / 2)
    labels = np.tile([True, False], 2 * n)
    found = auc_by_group(np.repeat([0, 1], 2 * n), 2, labels, labels.astype(float))
    assert auc_compliance(found, np.array([0]), np.array([1]), 0.2)[0] < 0.05


def test_small_groups_are_shown_alike_as_among_groups_of_one_size():
    """The pairs of two small groups are the hardest, however large the first one is."""
    asked = {"first_value": 0.2, "second_value": 0.2, "max_difference": 0.1, "groups": 4}
    even, uneven = plan_sample_size(**asked), plan_sample_size(**asked, allocation=0.5)
    assert (uneven.first, uneven.second) == pytest.approx((2 * even.second, even.second), abs=1)


def test_clusters_that_are_wholly_alike_count_as_one_sample_each():
    asked = {"first_value": 0.2, "second_value": 0.2, "max_difference": 0.1}
    alone = plan_sample_size(**asked).first
    alike = plan_sample_size(**asked, cluster_size=100.0, intra_cluster_correlation=1.0).first
    assert alike / 100.0 == pytest.approx(alone, rel=0.02)


def test_too_few_samples_detect_nothing():
    assert plan_detectable(first=9, max_value=0.0, metric="false_negative_rate") is None  # the gate judges 10 or more
    assert plan_detectable(first=5, second_value=0.3, max_difference=0.25) is None
    assert plan_detectable(first=1_000, second_value=0.1, max_difference=0.2) is None  # no accuracy is that low
    assert plan_detectable(first=2, metric="roc_auc", min_value=0.05) is None
    odds = {"metric": "equalized_odds", "second_value": (0.9, 0.1), "positives": 0.2, "max_difference": 0.05}
    assert plan_detectable(first=60, **odds) is not None
    assert plan_detectable(first=60, **(odds | {"max_difference": 0.89})) is None  # of no true positive rate


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"first_value": 1.2, "second_value": 0.1, "max_difference": 0.1}, r"first_value: 1.2 is outside \[0, 1\]"),
        ({"first_value": 0.2, "second_value": 0.1}, "exactly one of max_difference, min_ratio"),
        ({"first_value": 0.2, "second_value": 0.1, "max_difference": 0.1, "min_ratio": 0.8}, "exactly one of"),
        ({"first_value": 0.2, "second_value": 0.1, "max_difference": 1.0}, "max_difference: 1 is impossible"),
        ({"first_value": 0.2, "second_value": 0.1, "max_difference": 0.1}, "lie on max_difference 0.1"),
        ({"first_value": 0.2, "second_value": 0.1, "min_ratio": 0.9, "allocation": 0.0}, "allocation: 0 is outside"),
        ({"first_value": 0.2, "second_value": 0.1, "min_ratio": 0.9, "alpha": 0.5}, "alpha: 0.5 is outside"),
        ({"first_value": 0.2, "second_value": 0.1, "min_ratio": 0.9, "power": 0.4}, "power: 0.4 is outside"),
        ({"first_value": 0.2, "second_value": 0.1, "min_ratio": 0.9, "checks": 0}, "checks: 0 must be at least 1"),
        ({"first_value": 0.2, "max_difference": 0.1}, "second_value: missing"),
        ({"first_value": 0.2, "second_value": 0.1, "max_value": 0.1}, "second_value: 0.1 is not asked"),
        ({"first_value": 0.1, "max_value": 0.1}, "value 0.1 lies on max_value 0.1"),
        ({"first_value": 0.2, "max_value": 0.1, "allocation": 2.0}, "allocation: 2 compares two groups"),
        ({"first_value": 0.2, "second_value": 0.1, "min_ratio": 0.9, "groups": 1}, "groups: 1 must be at least 2"),
        ({"first_value": 0.2, "max_value": 0.1, "groups": 0}, "groups: 0 must be at least 1"),
        ({"first_value": 1.0, "second_value": 1.1, "metric": "mean_error", "max_difference": 1}, "standard_deviation"),
        ({"first_value": 0.4, "second_value": 0.5, "metric": "uncertainty_mismatch", "max_mismatch": 0.1}, "higher"),
        ({"first_value": 0.9, "second_value": 0.5, "metric": "equalized_odds", "max_difference": 0.1}, "its values as"),
        (
            {"first_value": 0.1, "max_value": 0.05, "metric": "expected_calibration_error"},
            "expected_calibration_error cannot be planned: its estimate is biased",
        ),
        ({"first_value": 0.1, "max_value": 0.05, "metric": "acuracy"}, "did you mean 'accuracy'"),
        (
            {"first_value": 0.9, "second_value": 0.9, "metric": "roc_auc", "min_ratio": 0.8},
            "min_ratio is not available for roc_auc; allowed: max_difference",
        ),
        ({"first_value": 0.1, "max_value": 0.05, "metric": None}, "metric: None is no name"),
    ],
)
def test_impossible_plans_are_named(given, message):
    with pytest.raises(ConfigurationError, match=message):
        plan_sample_size(**given)


PLAN = {"first_value": 0.3, "second_value": 0.1, "max_difference": 0.05}
NUMBERS = [
    "first_value",
    "second_value",
    "max_difference",
    "standard_deviation",
    "positives",
    "correlation",
    "allocation",
    "cluster_size",
    "intra_cluster_correlation",
    "alpha",
    "power",
    "checks",
    "groups",
]


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", ["a", ".05", True, [0.1], math.nan, math.inf, -math.inf, 10**400, 1j])
def test_what_is_no_finite_number_is_refused_by_name(name, value):
    with pytest.raises(ConfigurationError, match=f"^{name}: "):
        plan_sample_size(**{**PLAN, name: value})


@pytest.mark.parametrize("name", ["first", "second"])
@pytest.mark.parametrize("value", [0, 1.5, "a", math.nan, True])
def test_sizes_are_whole_numbers(name, value):
    with pytest.raises(ConfigurationError, match=f"^{name}: "):
        plan_detectable(**{"first": 100, "second_value": 0.2, "max_difference": 0.05, name: value})


def test_numbers_of_numpy_are_numbers():
    given = {name: np.float32(value) for name, value in PLAN.items()}
    assert plan_sample_size(**given, groups=np.int64(2)).first == pytest.approx(plan_sample_size(**PLAN).first, abs=1)


@pytest.mark.parametrize(("limit", "positives", "alpha", "asked"), [(0.05, 0.1, 0.01, 0.9), (0.05, 0.5, 0.05, 0.8)])
def test_nearly_perfect_balanced_accuracies_are_planned_with_the_variance_that_the_test_sees(
    limit, positives, alpha, asked
):
    """Of 30 positives at a rate of 0.97 the test draws the rate to 0.94, and its variance is twice as large."""
    plan = plan_sample_size(
        metric="balanced_accuracy",
        first_value=0.97,
        second_value=0.97,
        max_difference=limit,
        positives=positives,
        alpha=alpha,
        power=asked,
    )
    runs, rng = 4_000, np.random.default_rng(4)
    n, each = np.tile([plan.first, plan.second], runs), np.arange(runs)
    found = confusion_counts(rng, n, np.full(2 * runs, 0.97), positives)
    share = np.mean(balanced_accuracy_compliance(found, 2 * each, 2 * each + 1, limit) < alpha)
    assert asked - 0.03 <= share <= asked + 0.1


def test_both_plans_take_the_same_design():
    taken = [dict(inspect.signature(plan).parameters) for plan in (plan_sample_size, plan_detectable)]
    sizes, shown = ({name: (p.default, p.annotation) for name, p in some.items()} for some in taken)
    assert {*sizes} - {*shown} == {"first_value", "allocation"}
    assert {*shown} - {*sizes} == {"first", "second"}
    assert all(sizes[name] == shown[name] for name in {*sizes} & {*shown})


PAIR = {"first_value": 0.2, "second_value": 0.1, "max_difference": 0.05}
UNREAD = {
    "accuracy counts all": (
        PAIR | {"metric": "accuracy", "positives": 0.1},
        "positives: 0.1 is not asked for accuracy",
    ),
    "decisions": (PAIR | {"metric": "PPV", "positives": 0.1}, "what counts are predicted positives, which the model"),
    "a rate has its own": (PAIR | {"metric": "FNR", "standard_deviation": 0.3}, "standard_deviation: 0.3 is not asked"),
    "no uncertainty": (PAIR | {"metric": "FNR", "correlation": 0.0}, "correlation: 0.0 is not asked"),
    "clusters of one": (PAIR | {"intra_cluster_correlation": 0.3}, "clusters of one sample have none"),
}


@pytest.mark.parametrize(("given", "message"), UNREAD.values(), ids=UNREAD)
def test_what_a_plan_would_ignore_is_refused(given, message):
    with pytest.raises(ConfigurationError, match=re.escape(message)) as error:
        plan_sample_size(**given)
    assert len(str(error.value).splitlines()) == 1


def test_what_samples_show_takes_no_prevalence_where_they_are_counted_by_it():
    asked = {"metric": "false_negative_rate", "first": 200, "second_value": 0.1, "max_difference": 0.05}
    with pytest.raises(ConfigurationError, match="what counts are the positives alone"):
        plan_detectable(**asked, positives=0.1)


@pytest.mark.parametrize(
    ("metric", "positives", "share"),
    [
        ("false_negative_rate", 0.1, 0.1),
        ("sensitivity", 0.25, 0.25),
        ("false_positive_rate", 0.1, 0.9),
        ("specificity", 0.3, 0.7),
    ],
)
def test_the_answer_is_in_patients_where_the_prevalence_is_known(metric, positives, share):
    plan = plan_sample_size(metric=metric, **PAIR, allocation=2.0, positives=positives)
    alone = plan_sample_size(metric=metric, **PAIR, allocation=2.0)
    assert (plan.first, plan.second) == (alone.first, alone.second)
    for counted, patients in ((plan.first, plan.first_patients), (plan.second, plan.second_patients)):
        assert counted / share - 1e-6 <= patients < counted / share + 1.0
    assert alone.first_patients is None
    assert "give positives=" in str(alone)
    assert f"expected among {plan.first_patients:,} and {plan.second_patients:,} patients" in str(plan)


def test_where_every_sample_counts_they_are_the_patients():
    plan = plan_sample_size(**PAIR)
    assert (plan.first_patients, plan.second_patients) == (plan.first, plan.second)
    assert str(plan) == f"{plan.first:,} and {plan.second:,} patients show violation"
    assert plan_sample_size(metric="precision", **PAIR).first_patients is None


@pytest.mark.parametrize("metric", ["accuracy", "false_negative_rate", "roc_auc"])
def test_samples_of_clusters_are_not_called_patients(metric):
    pair = {**PAIR, "first_value": 0.8, "second_value": 0.7}
    positives = {} if metric == "accuracy" else {"positives": 0.25}
    plan = plan_sample_size(metric=metric, **pair, **positives, cluster_size=4.0, intra_cluster_correlation=0.1)
    assert (plan.first_patients, plan.second_patients) == (None, None)
    assert str(plan).startswith(f"{plan.first:,} and {plan.second:,} {plan.unit} show violation")
    assert "expected among" not in str(plan)
