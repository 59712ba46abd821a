from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from fairness_checks.stats.balanced_accuracy import balanced_accuracy_compliance, balanced_accuracy_violation
from fairness_checks.stats.calibration_bins import calibration_by_group
from fairness_checks.stats.calibration_error import ece_compliance, ece_violation
from fairness_checks.stats.estimates import (
    Estimates,
    both_tails,
    estimates_compliance,
    estimates_violation,
    larger_tail,
)
from fairness_checks.stats.means import means_compliance, means_violation
from fairness_checks.stats.moments import moments_by_group
from fairness_checks.stats.ranking import auc_by_group
from fairness_checks.stats.ranking_pairs import auc_compliance, auc_violation

ALPHA = 0.05
FIRST, SECOND = np.triu_indices(40, 1)


def statistics(kind, apart, seed):
    """Return what 40 groups of 30 to 80 samples show, which are the further apart the larger `apart`."""
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.arange(40), rng.integers(30, 80, 40))
    labels, noise = rng.random(len(codes)) < 0.4, rng.normal(0.0, 1.0, len(codes))
    scores = np.clip(0.3 + 0.3 * labels + 0.15 * noise + apart * codes / 40, 0.0, 1.0)
    if kind == "ece":
        return calibration_by_group(codes, 40, labels, scores)
    if kind == "areas":
        return auc_by_group(codes, 40, labels, scores)
    if kind == "means":
        return moments_by_group(codes, 40, np.abs(noise) * (1.0 + apart * codes / 40))
    if kind == "balanced accuracy":
        cell = 2 * labels + (scores > 0.45)
        return np.array([np.bincount(cell[codes == g], minlength=4) for g in range(40)], dtype=float)
    found = moments_by_group(codes, 40, scores)
    return Estimates(found.mean, found.m2 / (found.n - 1) / found.n, found.n - 1.0)


TESTS = {
    "estimates": (estimates_violation, estimates_compliance),
    "means": (means_violation, means_compliance),
    "areas": (auc_violation, auc_compliance),
    "ece": (ece_violation, ece_compliance),
    "balanced accuracy": (balanced_accuracy_violation, balanced_accuracy_compliance),
}


@pytest.mark.parametrize("margin", [0.0, 0.1, 0.4, 0.9])
@pytest.mark.parametrize("apart", [0.0, 0.6], ids=["alike", "apart"])
@pytest.mark.parametrize("kind", TESTS)
def test_bounds_of_p_values_decide_as_the_p_values_do(kind, apart, margin):
    some = statistics(kind, apart, 1)
    outside, within = TESTS[kind]
    exact, bound = (outside(some, FIRST, SECOND, margin, level=level) for level in (None, ALPHA))
    known = exact <= max(ALPHA, 2.0 * exact.min())
    assert bound[known] == pytest.approx(exact[known], rel=1e-12, abs=0.0)
    assert (bound[~known] > max(ALPHA, 2.0 * exact.min()) * (1 - 1e-6)).all()
    assert (bound <= exact * (1 + 1e-9)).all()

    exact, bound = (within(some, FIRST, SECOND, margin, level=level) for level in (None, ALPHA))
    assert bound.max() == pytest.approx(exact.max(), rel=1e-12, abs=0.0)
    assert ((bound < ALPHA) == (exact < ALPHA)).all()


t_values = st.floats(-8.0, 40.0)


@settings(max_examples=60)
@given(st.lists(st.tuples(t_values, t_values, st.floats(1.0, 1e6)), min_size=1, max_size=30), st.floats(1e-6, 0.1))
def test_tails_are_bounded_whatever_they_are(drawn, level):
    t, more, freedom = np.array(drawn).T
    far = t + np.abs(more)
    exact = np.minimum(stats.t.sf(t, freedom) + stats.t.sf(far, freedom), 1.0)
    bound = both_tails(t, far, freedom, freedom, level)
    assert ((bound <= level) == (exact <= level))[np.abs(exact / level - 1.0) > 1e-9].all()
    assert bound.min() == pytest.approx(exact.min(), rel=1e-9)
    assert (bound <= exact * (1.0 + 1e-9)).all()

    exact = stats.t.sf(t, freedom)
    bound = larger_tail(t[None], freedom[None], level)
    assert ((bound <= level) == (exact <= level))[np.abs(exact / level - 1.0) > 1e-9].all()
    assert bound.max() == pytest.approx(exact.max(), rel=1e-9)


def test_what_is_undefined_stays_so():
    t, freedom = np.array([[1.0, np.nan, 2.0]]), np.array([[5.0, 5.0, np.inf]])
    assert np.isnan(larger_tail(t, freedom, ALPHA)).tolist() == [False, True, False]
    assert np.isnan(both_tails(t[0], t[0] + 1.0, freedom[0], freedom[0], ALPHA)).tolist() == [False, True, False]
