from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from sklearn.metrics import balanced_accuracy_score

from fairness_checks.stats.balanced_accuracy import (
    balanced_accuracy_compliance,
    balanced_accuracy_estimates,
    balanced_accuracy_too_small,
    balanced_accuracy_violation,
    judge_worst_balanced_accuracy,
)

FIRST, SECOND = np.array([0]), np.array([1])
COUNTS = np.array([[90, 10, 5, 45], [60, 40, 15, 35], [20, 0, 0, 10]])


def drawn_counts(rng, positives, negatives, tpr, tnr):
    tp, tn = rng.binomial(positives, tpr), rng.binomial(negatives, tnr)
    return [tn, negatives - tn, positives - tp, tp]


def test_values_agree_with_scikit_learn():
    for (tn, fp, fn, tp), value in zip(COUNTS, balanced_accuracy_estimates(COUNTS).value, strict=True):
        truth, decided = np.repeat([0, 0, 1, 1], [tn, fp, fn, tp]), np.repeat([0, 1, 0, 1], [tn, fp, fn, tp])
        assert value == pytest.approx(balanced_accuracy_score(truth, decided), rel=1e-12)


def test_a_group_without_errors_has_a_variance():
    variance = balanced_accuracy_estimates(COUNTS).variance[2]
    assert variance == pytest.approx((11 / 12 * 1 / 12 / 10 + 21 / 22 * 1 / 22 / 20) / 4)


def test_fractional_counts_lie_between_whole_ones():
    variances = [balanced_accuracy_estimates(COUNTS * factor).variance for factor in (1.0, 0.75, 0.5)]
    assert np.all((variances[0] < variances[1]) & (variances[1] < variances[2]))
    assert_allclose(balanced_accuracy_estimates(COUNTS * 0.37).value, balanced_accuracy_estimates(COUNTS).value)


def test_too_few_positives_or_negatives():
    counts = [[10, 0, 0, 5], [10, 0, 0, 4], [0, 0, 3, 7], [5, 5, 0, 1]]
    assert balanced_accuracy_too_small(counts).tolist() == [False, True, True, True]
    estimates = balanced_accuracy_estimates(counts)
    assert_array_equal(np.isnan(estimates.value), [False, False, True, False])
    assert_array_equal(np.isnan(estimates.variance), [False, False, True, True])
    assert balanced_accuracy_violation(counts, FIRST, np.array([2]), 0.0).tolist() == [1.0]
    assert balanced_accuracy_compliance(counts, FIRST, np.array([3]), 0.5).tolist() == [1.0]
    with pytest.raises(ValueError, match="fewer than two"):
        judge_worst_balanced_accuracy(counts, 0.5, 0.05)


def test_p_values_by_hand():
    """Welch's t for the rates drawn towards 1/2 where that is the cautious choice."""
    drawn = [(91 / 102, 46 / 52), (61 / 102, 36 / 52)]
    plain = [0.9, 0.65]
    parts = [(q * (1 - q) / n / 4) for rates in drawn for q, n in zip(rates, (100, 50), strict=True)]
    freedom = sum(parts) ** 2 / sum(v**2 / (n - 1) for v, n in zip(parts, (100, 50) * 2, strict=True))
    error = math.sqrt(sum(parts))
    cautious = sum(drawn[0]) / 2 - max(plain[1], sum(drawn[1]) / 2)
    expected = stats.t.sf((cautious - 0.1) / error, freedom) + stats.t.sf((cautious + 0.1) / error, freedom)
    assert balanced_accuracy_violation(COUNTS, SECOND, FIRST, 0.1)[0] == pytest.approx(expected, rel=1e-9)
    cautious = max(plain[0], sum(drawn[0]) / 2) - min(plain[1], sum(drawn[1]) / 2)
    expected = stats.t.sf((0.4 - cautious) / error, freedom)
    assert balanced_accuracy_compliance(COUNTS, SECOND, FIRST, 0.4)[0] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("ceiling", [True, False])
def test_interval_is_the_inversion_of_the_tests(ceiling):
    found = judge_worst_balanced_accuracy(COUNTS[:2], 0.8, 0.05, ceiling=ceiling)
    assert found.first == (0 if ceiling else 1)
    violated, kept = (found.low, found.high) if ceiling else (found.high, found.low)
    for limit, name in ((violated, "p_violation"), (kept, "p_compliance")):
        at_end = judge_worst_balanced_accuracy(COUNTS[:2], limit, 0.05, ceiling=ceiling)
        assert getattr(at_end, name) == pytest.approx(0.05, rel=1e-6)


@pytest.mark.parametrize(("positives", "negatives"), [((5, 10), (10, 20)), ((34, 100), (62, 200))])
@pytest.mark.parametrize("truth", [(0.98, 0.9), (0.7, 0.7)])
def test_level_at_the_limit(positives, negatives, truth):
    """The lower group's rates are lower by exactly the limit; all groups of the simulation are judged at once."""
    rng, runs, limit = np.random.default_rng(1), 2_000, 0.1
    counts = np.array(
        [drawn_counts(rng, positives[0], negatives[0], *truth) for _ in range(runs)]
        + [drawn_counts(rng, positives[1], negatives[1], *(rate - limit for rate in truth)) for _ in range(runs)]
    )
    first, bound = np.arange(runs), 0.05 + 3.0 * math.sqrt(0.05 * 0.95 / runs)
    assert np.mean(balanced_accuracy_violation(counts, first, first + runs, limit) < 0.05) <= bound
    assert np.mean(balanced_accuracy_compliance(counts, first, first + runs, limit) < 0.05) <= bound
    found = [judge_worst_balanced_accuracy(row[None], sum(truth) / 2, 0.05) for row in counts[:runs]]
    assert np.mean([one.p_violation < 0.05 for one in found]) <= bound
    assert np.mean([one.p_compliance < 0.05 for one in found]) <= bound
