from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from fairness_checks.stats.influence import auc_influence, mean_influence, rate_influence
from fairness_checks.stats.joint_estimates import JointEstimates, contrasts, joint_estimates
from fairness_checks.stats.worsening import (
    levelling_down,
    worsening_of_disparity,
    worsening_of_each_group,
    worsening_of_worst_group,
)
from fairness_checks.stats.worsening_tests import maximum_tests

QUESTIONS = {
    "each_group": lambda joint, limit, alpha=0.05: worsening_of_each_group(joint, limit, alpha, lower_is_better=True),
    "worst_group": lambda joint, limit, alpha=0.05: worsening_of_worst_group(joint, limit, alpha, lower_is_better=True),
    "disparity": lambda joint, limit, alpha=0.05: worsening_of_disparity(joint, limit, alpha),
}
by_question = pytest.mark.parametrize("question", QUESTIONS)


def known(new, old, errors, correlation=0.0):
    """Joint estimates that are normal with a known covariance; groups are independent."""
    new, old, errors = (np.asarray(x, dtype=float) for x in (new, old, errors))
    count = len(new)
    covariance = np.diag(np.concatenate([errors[0], errors[1]]) ** 2)
    for g in range(count):
        covariance[g, count + g] = covariance[count + g, g] = correlation * errors[0][g] * errors[1][g]
    value = np.concatenate([new, old])
    nothing = np.zeros((4, count)), np.zeros((2 * count, 1))
    unseen = np.zeros((2, count)), np.zeros(count)
    return JointEstimates(value, value, covariance, np.full(2 * count, np.inf), *nothing, True, False, *unseen)


def rates(misses, n, paired=True):
    """Groups of n samples of which the first ones are missed, under the new and the old model."""
    new, old = ([rate_influence(np.arange(n) < k, np.full(n, True)) for k in half] for half in misses)
    return joint_estimates(new, old, paired=paired)


def random_joint(seed, groups, n=60, paired=True):
    rng = np.random.default_rng(seed)
    old = [rng.standard_normal(n + 5 * g) + 0.3 * rng.standard_normal() for g in range(groups)]
    new = [(x if paired else rng.permutation(x)) + 0.2 * rng.standard_normal(len(x)) + 0.1 for x in old]
    return joint_estimates([mean_influence(x) for x in new], [mean_influence(x) for x in old], paired=paired)


def test_the_derivation_of_the_two_maxima():
    """max(new) - max(old) > L exactly if some new one is above all old ones by more than L."""
    rng = np.random.default_rng(0)
    for _ in range(500):
        groups = int(rng.integers(2, 5))
        new, old, limit = rng.integers(0, 6, groups) / 10, rng.integers(0, 6, groups) / 10, rng.integers(0, 4) / 10
        excess = new[:, None] - old[None, :]
        assert (new.max() - old.max() > limit + 1e-9) == (excess.min(axis=1).max() > limit + 1e-9)
        pairs = np.array([(a, b) for a, b in itertools.permutations(range(groups), 2)])
        excess = (new[pairs[:, 0]] - new[pairs[:, 1]])[:, None] - (old[pairs[:, 0]] - old[pairs[:, 1]])
        assert (np.ptp(new) - np.ptp(old) > limit + 1e-9) == (excess.min(axis=1).max() > limit + 1e-9)


def test_each_group_with_one_group_is_the_paired_t_test():
    rng = np.random.default_rng(1)
    x = rng.normal(size=400)
    x = np.concatenate([x, -x])  # no skewness
    y = np.concatenate([x[:400] + 0.1 * x[400:], x[400:] - 0.1 * x[400:]]) + 0.01
    pair = [mean_influence(v, pseudo=False) for v in (y, x)]
    found = worsening_of_each_group(joint_estimates(pair[:1], pair[1:], paired=True), 0.005, 0.05, lower_is_better=True)
    expected = stats.ttest_1samp(y - x, 0.005, alternative="greater").pvalue
    assert found.inference.p_violation == pytest.approx(expected, rel=0.02)  # next to no skewness is left


@pytest.mark.parametrize("paired", [True, False], ids=["paired", "unpaired"])
@pytest.mark.parametrize("groups", [2, 3, 4])
def test_contrasts_are_quadratic_forms(groups, paired):
    joint = random_joint(2, groups, paired=paired)
    rng = np.random.default_rng(3)
    new, old = rng.integers(-1, 2, (5, groups)).astype(float), rng.integers(-1, 2, (6, groups)).astype(float)
    found = contrasts(joint, new, old)
    for s, t in itertools.product(range(5), range(6)):
        c = np.concatenate([new[s], -old[t]])
        assert found.value[s, t] == pytest.approx(c @ joint.centre, abs=1e-12)
        narrow = min(found.proven[s, t], found.possible[s, t])
        error = np.sqrt(c @ joint.covariance @ c)
        # Pseudo-samples of a difference are skewed; no more than if they were all of its variance.
        assert error * (1 - 1e-9) <= narrow <= error * (1 + 1.3 / np.sqrt(2)) + 1e-12


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.integers(2, 4), st.sampled_from(list(QUESTIONS)), st.floats(0.0, 0.6), st.booleans())
def test_interval_and_p_values_agree(seed, groups, question, limit, paired):
    joint = random_joint(seed, groups, paired=paired)
    found = QUESTIONS[question](joint, limit).inference
    assert found.low <= found.high
    if abs(found.low - limit) > 1e-6:
        assert (found.low > limit) == (found.p_violation < 0.05)
    if abs(found.high - limit) > 1e-6:
        assert (found.high < limit) == (found.p_compliance < 0.05)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.sampled_from(list(QUESTIONS)), st.permutations([0, 1, 2, 3]))
def test_order_of_groups_does_not_matter(seed, question, order):
    joint = random_joint(seed, 4)
    at = np.concatenate([order, 4 + np.array(order)])
    moved = JointEstimates(
        joint.value[at],
        joint.centre[at],
        joint.covariance[np.ix_(at, at)],
        joint.freedom[at],
        joint.third[:, order],
        joint.pseudo[at],
        joint.paired,
        joint.spanning,
        joint.unseen[:, order],
        joint.largest[order],
    )
    one, other = QUESTIONS[question](joint, 0.1), QUESTIONS[question](moved, 0.1)
    for name in ("estimate", "low", "high", "p_violation", "p_compliance"):
        assert getattr(one.inference, name) == pytest.approx(getattr(other.inference, name), rel=1e-9, abs=1e-12)
    assert order[other.inference.first] == one.inference.first
    assert order[other.old_first] == one.old_first


@by_question
def test_the_same_predictions_show_compliance_where_the_group_is_large_enough(question):
    """By the rule of three 60 samples are needed for a limit of 0.05 if nothing changed."""
    for n, shown in ((40, False), (300, True)):
        joint = rates([(n // 5, n // 10)] * 2, n)
        found = QUESTIONS[question](joint, 0.05).inference
        assert found.estimate == pytest.approx(0.0, abs=1e-15)
        assert found.p_violation > 0.5
        if question == "each_group":
            assert (found.p_compliance < 0.05) == shown


def test_the_groups_that_decide_are_named():
    joint = rates([(100, 220, 30), (150, 60, 40)], 1_000)
    each, worst = (QUESTIONS[q](joint, 0.01) for q in ("each_group", "worst_group"))
    assert (each.inference.first, each.inference.second, each.inference.estimate) == (1, -1, pytest.approx(0.16))
    assert (worst.inference.first, worst.old_first, worst.old_second) == (1, 0, -1)
    assert (worst.new, worst.old, worst.inference.estimate) == pytest.approx((0.22, 0.15, 0.07))
    gap = worsening_of_disparity(joint, 0.01, 0.05)
    assert (gap.inference.first, gap.inference.second, gap.old_first, gap.old_second) == (1, 2, 0, 2)
    assert (gap.new, gap.old, gap.inference.estimate) == pytest.approx((0.19, 0.11, 0.08))
    for found in (each, worst, gap):
        assert found.inference.p_violation < 0.05
        assert "paired" in found.inference.method


def test_less_is_worse_for_areas():
    rng = np.random.default_rng(4)
    labels = np.arange(400) < 200
    good = rng.standard_normal(400) + 1.5 * labels
    bad = rng.standard_normal(400) + 0.3 * labels
    areas = [auc_influence(labels, x) for x in (good, bad)]
    joint = joint_estimates([areas[1], areas[0]], [areas[0], areas[0]], paired=True)
    found = worsening_of_each_group(joint, 0.05, 0.05, lower_is_better=False)
    assert (found.inference.first, found.inference.p_violation < 0.001) == (0, True)
    assert found.inference.estimate == pytest.approx(found.old - found.new)
    assert found.old == pytest.approx(areas[0].value)
    worst = worsening_of_worst_group(joint, 0.05, 0.05, lower_is_better=False)
    assert worst.inference.estimate == pytest.approx(areas[0].value - areas[1].value)
    assert (worst.new, worst.old) == pytest.approx((areas[1].value, areas[0].value))


def test_levelling_down_is_named():
    joint = rates([(200, 170), (200, 100)], 1_000)
    found = levelling_down(joint, lower_is_better=True)
    assert (found.group, found.worsening) == (1, pytest.approx(0.07))
    assert found.p < 1e-6
    # The gap closes because the worse group improved.
    assert levelling_down(rates([(130, 100), (200, 100)], 1_000), lower_is_better=True) is None
    # The better group got worse, and the gap grew.
    assert levelling_down(rates([(250, 120), (200, 100)], 1_000), lower_is_better=True) is None
    # 0.5 - 0.2 and 0.4 - 0.1 differ in their last bit: the gap is as wide as before.
    assert levelling_down(rates([(500, 200), (400, 100)], 1_000), lower_is_better=True) is None
    # The same where less is worse: the first group was better.
    other = levelling_down(rates([(170, 100), (200, 100)], 1_000), lower_is_better=False)
    assert (other.group, other.worsening) == (0, pytest.approx(0.03))


@pytest.mark.parametrize(("further", "named"), [(1e-16, False), (1e-9, True)])
def test_what_rounding_moves_has_not_got_worse(further, named):
    joint = known((0.2, 0.1 + further), (0.2, 0.1), np.full((2, 2), 0.01))
    assert joint.value[1] > joint.value[3]
    assert (levelling_down(joint, lower_is_better=True) is not None) == named


def levels(new, old, errors, limit, correlation=0.0, draws=500, signed=True, seed=8):
    """Shares of normal data sets that fail and that pass the disparity, or the worst group, at the true limit."""
    truth = known(new, old, errors, correlation)
    groups = len(new)
    own = np.eye(groups)
    first, second = np.triu_indices(groups, 1)
    terms = own[np.r_[first, second]] - own[np.r_[second, first]] if signed else own
    rng = np.random.default_rng(seed)
    values = rng.multivariate_normal(truth.value, truth.covariance, draws)
    fails = passes = 0
    for value in values:
        drawn = known(value[:groups], value[groups:], errors, correlation)
        tests = maximum_tests(drawn, terms, signed=signed)
        fails += tests.p_violation(limit) <= 0.05
        passes += tests.p_compliance(limit) <= 0.05
    return fails / draws, passes / draws


PAIRED, UNPAIRED, OLD_KNOWN_WELL = (
    (((0.7, 0.7), (0.7, 0.7)), 0.95),
    (((0.7, 0.7),) * 2, 0.0),
    (((0.7, 0.7), (0.05,) * 2), 0.0),
)


@pytest.mark.parametrize(
    ("errors", "correlation", "old_gap", "limit"),
    [
        (*PAIRED, 0.0, 0.0),
        (*PAIRED, 1.5, 1.0),
        (*UNPAIRED, 0.0, 1.0),
        (*UNPAIRED, 8.0, 0.0),
        (*OLD_KNOWN_WELL, 0.0, 0.0),
        (*OLD_KNOWN_WELL, 1.5, 0.0),
    ],
    ids=["paired-0", "paired-1.5", "unpaired-0", "unpaired-8", "old-known-well-0", "old-known-well-1.5"],
)
def test_the_level_of_the_disparity_of_two_groups_holds(errors, correlation, old_gap, limit):
    """Counting both signs as one throughout would fail 9 % at an old gap of 0 where that is known well."""
    draws = 500
    bound = 0.05 + 3.0 * np.sqrt(0.05 * 0.95 / draws)
    fail, passed = levels((old_gap + limit, 0.0), (old_gap, 0.0), errors, limit, correlation, draws)
    assert fail <= bound
    assert passed <= bound


def test_both_signs_of_a_pair_must_be_counted_where_the_old_gap_is_known_well():
    """The reason for the factor: at no gap, old and new, the two rejections exclude each other."""
    rng = np.random.default_rng(6)
    new, old = rng.standard_normal(100_000), 0.05 * rng.standard_normal(100_000)
    z = stats.norm.isf(0.05) * np.hypot(1.0, 0.05)
    assert np.mean(np.abs(new) - np.abs(old) > z) > 0.085
    same = rng.standard_normal(100_000)
    assert np.mean(np.abs(new) - np.abs(same) > stats.norm.isf(0.05) * np.sqrt(2.0)) < 0.02


@pytest.mark.parametrize("far", [0.0, 2.0, 30.0])
def test_the_level_of_the_worst_of_three_groups_holds(far):
    draws = 400
    bound = 0.05 + 3.0 * np.sqrt(0.05 * 0.95 / draws)
    errors = ((1.0, 0.5, 1.0), (1.0, 0.5, 1.0))
    fail, passed = levels((0.5, -far, -far), (0.0, -far, -far), errors, 0.5, 0.8, draws, signed=False)
    assert fail <= bound
    assert passed <= bound
    if far == 30.0:  # groups far from the worst cost nothing
        assert fail > 0.03
        assert passed > 0.03


def test_groups_far_from_the_worst_do_not_hide_a_worsening():
    errors = (np.full(24, 0.01), np.full(24, 0.01))
    new, old = np.full(24, 0.1), np.full(24, 0.1)
    new[0], old[0] = 0.5 + 0.038, 0.5
    alone = worsening_of_worst_group(known(new[:1], old[:1], [e[:1] for e in errors]), 0.0, 0.05, lower_is_better=True)
    among = worsening_of_worst_group(known(new, old, errors), 0.0, 0.05, lower_is_better=True)
    assert alone.inference.p_violation == pytest.approx(stats.norm.sf(0.038 / np.hypot(0.01, 0.01)), rel=1e-9)
    assert among.inference.p_violation == pytest.approx(alone.inference.p_violation + 1e-4, rel=1e-6)


def test_paired_samples_detect_more():
    """0.20 becomes 0.23 in one of two groups of 1,000, and one sample in a hundred changes each way."""
    rng = np.random.default_rng(7)
    found = {True: 0, False: 0}
    everyone = np.full(1_000, True)
    for _ in range(150):
        for paired in found:
            if paired:
                cells = [rng.multinomial(1_000, [0.2 - 0.01, 0.01, 0.01 + up, 0.79 - up]) for up in (0.03, 0.0)]
                old = [np.repeat([True, True, False, False], c) for c in cells]
                new = [np.repeat([True, False, True, False], c) for c in cells]
            else:
                old = [rng.random(1_000) < 0.2 for _ in range(2)]
                new = [rng.random(1_000) < rate for rate in (0.23, 0.2)]
            pair = ([rate_influence(x, everyone) for x in half] for half in (new, old))
            joint = joint_estimates(*pair, paired=paired)
            found[paired] += (
                worsening_of_each_group(joint, 0.0, 0.05, lower_is_better=True).inference.p_violation <= 0.05
            )
    assert found[True] > 2 * found[False] > 0


@by_question
def test_a_group_without_variance_is_refused(question):
    alone = rate_influence(np.array([True]), np.array([True]))
    fine = rate_influence(np.arange(50) < 10, np.full(50, True))
    with pytest.raises(ValueError, match=r"groups at \[1\] have no estimate or no variance"):
        QUESTIONS[question](joint_estimates([fine, alone], [fine, alone], paired=True), 0.0)


def test_a_disparity_needs_two_groups():
    fine = rate_influence(np.arange(50) < 10, np.full(50, True))
    with pytest.raises(ValueError, match="needs two groups"):
        worsening_of_disparity(joint_estimates([fine], [fine], paired=True), 0.0, 0.05)


def patients(rng, count, images, change, churn, kind):
    """Old and new outcomes of a group's images, and their patients; each image changes by itself."""
    who = np.repeat(np.arange(count), images)
    latent = np.sqrt(0.3) * rng.standard_normal(count)[who] + np.sqrt(0.7) * rng.standard_normal(len(who))
    if kind == "mean":
        old = np.exp(latent - 0.5)
        return old, old * np.exp(0.3 * rng.standard_normal(len(who)) - 0.045) + change, who
    old = latent < stats.norm.ppf(0.2)
    up, down = (churn + change) / 0.8, churn / 0.2
    return old, np.where(old, rng.random(len(who)) >= down, rng.random(len(who)) < up), who


@pytest.mark.parametrize(
    ("kind", "count", "images", "change", "limit"),
    [
        ("rate", 60, 20, 0.02, 0.0),
        ("rate", 30, 10, 0.05, 0.0),
        ("rate", 100, 10, 0.02, 0.0),
        ("rate", 60, 20, 0.0, 0.02),
        ("rate", 10, 20, 0.06, 0.0),
        ("rate", 10, 20, 0.0, 0.06),
        ("mean", 60, 20, 0.04, 0.0),
        ("mean", 10, 20, 0.15, 0.0),
        ("mean", 30, 10, 0.0, 0.1),
    ],
)
def test_changes_of_patients_with_many_images_are_found_as_by_a_t_test_of_patients(kind, count, images, change, limit):
    """Pseudo-clusters that change in full, a patient whose images are all decided anew, find next to nothing."""
    rng = np.random.default_rng(7)
    influence, found = (rate_influence, []) if kind == "rate" else (mean_influence, [])
    for _ in range(100):
        old, new, who = patients(rng, count, images, change, 0.02, kind)
        everyone = [np.full(len(who), True)] if kind == "rate" else []
        pair = [[influence(values, *everyone, who)] for values in (new, old)]
        joint = joint_estimates(*pair, paired=True, clusters=[who])
        ours = worsening_of_each_group(joint, limit, 0.05, lower_is_better=True).inference
        of_patient = (new.astype(float) - old).reshape(count, images).mean(axis=1)
        side = "greater" if change > limit else "less"
        t = stats.ttest_1samp(of_patient, limit, alternative=side).pvalue
        found.append(((ours.p_violation if change > limit else ours.p_compliance) < 0.05, t < 0.05))
    power, of_t = np.mean(found, axis=0)
    assert of_t > 0.6
    assert power >= 0.8 * of_t


@pytest.mark.parametrize(("count", "change", "limit"), [(25, 0.06, 0.0), (25, 0.0, 0.05), (15, 0.08, 0.0)])
def test_one_patient_with_many_more_images_hides_nothing(count, change, limit):
    """Six times as many as the others have: 0.3 of what a t test of patients finds when its change counted by size."""
    rng, found = np.random.default_rng(8), []
    sizes = np.where(np.arange(count) == 0, 60, 10)
    for _ in range(200):
        who = np.repeat(np.arange(count), sizes)
        old = np.sqrt(0.3) * rng.standard_normal(count)[who] + np.sqrt(0.7) * rng.standard_normal(len(who)) < -0.84
        chance = rng.random(len(who))
        new = np.where(old, chance >= 0.1, chance < (0.02 + change) / 0.8)
        pair = [[rate_influence(values, np.full(len(who), True), who)] for values in (new, old)]
        ours = worsening_of_each_group(
            joint_estimates(*pair, paired=True, clusters=[who]), limit, 0.05, lower_is_better=True
        )
        of_patient = np.bincount(who, weights=new * 1.0 - old) / sizes
        side = "greater" if change > limit else "less"
        t = stats.ttest_1samp(of_patient, limit, alternative=side).pvalue
        p = ours.inference.p_violation if change > limit else ours.inference.p_compliance
        found.append((p < 0.05, t < 0.05))
    power, of_t = np.mean(found, axis=0)
    assert of_t > 0.6
    assert power >= 0.8 * of_t


def test_a_change_of_few_clusters_is_not_drawn_towards_none():
    """Ten patients of 20 images each of which one changes for the worse, and 3 of one: 0.06 stays 0.06."""
    who = np.repeat(np.arange(10), 20)
    old = np.arange(200) % 20 >= 15
    new = old | (np.arange(200) % 20 == 0) | ((who == 0) & (np.arange(200) % 20 < 3))
    pair = [[rate_influence(values, np.full(200, True), who)] for values in (new, old)]
    found = contrasts(joint_estimates(*pair, paired=True, clusters=[who]), np.eye(1), np.eye(1))
    assert found.value[0, 0] == pytest.approx(0.06, rel=1e-12)


@pytest.mark.parametrize(("count", "bound"), [(25, 0.16), (100, 0.13)])
def test_means_that_change_by_few_samples_pass_less_often_than_by_a_t_test(count, bound):
    """No test of a mean keeps its level where none of its largest changes was drawn; docs/statistics.md has how far."""
    rng, found = np.random.default_rng(4), []
    for _ in range(500):
        old = np.exp(rng.standard_normal(count) - 0.5)
        new = 1.05 * old * np.exp(rng.standard_normal(count) - 0.5)
        joint = joint_estimates([mean_influence(new)], [mean_influence(old)], paired=True)
        ours = worsening_of_each_group(joint, 0.05, 0.05, lower_is_better=True).inference.p_compliance
        t = stats.ttest_1samp(new - old, 0.05, alternative="less").pvalue
        found.append((ours < 0.05, t < 0.05, joint.largest[0] > 0.0))
    passed, of_t, said = np.mean(found, axis=0)
    assert passed < bound
    assert passed < 0.8 * of_t
    assert said > 0.6
    normal = [rng.standard_normal((2, count)) for _ in range(300)]
    joints = [joint_estimates([mean_influence(a)], [mean_influence(b)], paired=True) for a, b in normal]
    assert np.mean([joint.largest[0] > 0.0 for joint in joints]) < 0.05


@pytest.mark.parametrize("count", [25, 60])
def test_patients_that_change_rarely_but_wholly_are_not_taken_for_none(count):
    """At the limit 3 % of the patients turn; none of 25 does in half of the samples, and a t test passes these."""
    rng, passed, draws = np.random.default_rng(3), 0, 300
    who = np.repeat(np.arange(count), 10)
    for _ in range(draws):
        old = np.sqrt(0.3) * rng.standard_normal(count)[who] + np.sqrt(0.7) * rng.standard_normal(len(who)) < -0.84
        new = old | (rng.random(count) < 0.03)[who]
        pair = [[rate_influence(values, np.full(len(who), True), who)] for values in (new, old)]
        joint = joint_estimates(*pair, paired=True, clusters=[who])
        passed += worsening_of_each_group(joint, 0.8 * 0.03, 0.05, lower_is_better=True).inference.p_compliance < 0.05
    assert passed / draws <= 0.05 + 3.0 * np.sqrt(0.05 * 0.95 / draws)


def test_changes_that_cancel_within_a_patient_leave_a_variance():
    """One image gains the event and one of the same patient loses it: the patients' sums do not change at all."""
    who = np.repeat(np.arange(12), np.arange(2, 14))
    old = np.arange(len(who)) % 5 == 0
    new = old.copy()
    new[who == 11] = np.roll(old[who == 11], 1)
    pair = [[rate_influence(values, np.full(len(who), True), who)] for values in (new, old)]
    joint = joint_estimates(*pair, paired=True, clusters=[who])
    found = contrasts(joint, np.eye(1), np.eye(1))
    assert 0.5 / 14.0 < found.possible[0, 0] < 0.5  # of one patient in twelve and two more
