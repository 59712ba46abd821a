"""The mismatch of uncertainty and error over the repeats of a sweep: gaps with a sign, and two turns of a pair."""

# The tests are those of `judge_mismatch` with the variance of overlapping repeats. Compliance excludes the other turn
# of a pair, too: by the errors, which say who is worse, or because -M is below the limit as well. Without that a pair
# whose errors are nearly alike passes by whichever group came first.

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fairness_checks.stats.estimates import Estimates, both_tails, upper_quantile, upper_tail
from fairness_checks.stats.inference import Inference, deciding
from fairness_checks.stats.judge_mismatch import BY_ERRORS
from fairness_checks.stats.judge_repeats import JudgedGaps
from fairness_checks.stats.repeats import repeat_estimates
from fairness_checks.stats.roots import root
from fairness_checks.typing import Array

__all__ = ["judge_mismatches"]

_METHOD = "Nadeau-Bengio corrected resampled t"


def judge_mismatches(
    gaps: npt.ArrayLike,
    error_auc: npt.ArrayLike,
    limit: float,
    alpha: float,
    *,
    n_train: npt.ArrayLike,
    n_test: npt.ArrayLike,
    tested: tuple[npt.ArrayLike, npt.ArrayLike],
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    most_freedom: npt.ArrayLike = np.inf,
) -> JudgedGaps:
    """Judge the largest of K mismatches against a limit; Bonferroni over them for a violation."""
    # gaps, error_auc: (K, J), the group with the higher errors on the mean first; nan where undefined. tested: test
    # rows of the first and the second group, (K,) each; first, second: (K,).
    values = np.atleast_2d(np.asarray(gaps, dtype=np.float64))
    found = repeat_estimates(values, n_train, n_test, most_freedom=most_freedom)
    error, count = np.sqrt(found.variance), len(values)
    not_worse = _not_worse(repeat_estimates(error_auc, n_train, n_test, most_freedom=most_freedom), tested)

    def violation(margin: float) -> Array:
        near, far = ((found.value - m) / error for m in (margin, -margin))
        return np.asarray(np.maximum(both_tails(near, far, found.freedom, found.freedom), not_worse))

    def p_violation(margin: float) -> float:
        return min(1.0, count * float(violation(margin).min()))

    at_limit, p = violation(limit), p_violation(limit)
    shown = deciding(found.value, at_limit, count * at_limit < alpha, violated=p < alpha)
    if p_violation(0.0) < alpha:
        low = root(lambda m: p_violation(m) - alpha, 0.0, 1.0 + 1e-9, xtol=1e-9)
    else:  # how negative it may be: where either group may be the worse one, -M counts as well
        level = alpha / count / 2.0
        sure = np.where(not_worse < level, found.value, -np.abs(found.value))
        low = min(float(np.max(sure - error * upper_quantile(level, found.freedom))), 0.0)
    inference = Inference(
        estimate=float(found.value[shown]),
        low=max(low, -1.0),
        high=min(_high(found, not_worse, alpha), 1.0),
        p_violation=p,
        p_compliance=float(_compliance(found, not_worse, limit).max()),
        first=int(np.asarray(first)[shown]),
        second=int(np.asarray(second)[shown]),
        comparisons=count,
        level=alpha / count,
        method=_METHOD if count == 1 else f"{_METHOD}, Bonferroni over {count} mismatches",
        standard_error=float(error[shown]),
    )
    left_out, freedom = int(np.isnan(values[shown]).sum()), float(found.freedom[shown])
    return JudgedGaps(inference, shown, left_out, freedom)


def _not_worse(errors: Estimates, tested: tuple[npt.ArrayLike, npt.ArrayLike]) -> Array:
    """p-values of H0 "the first group's errors are not higher", shape (K,)."""
    of_first, of_second = (np.asarray(rows, dtype=np.float64) for rows in tested)
    beyond = errors.value - 0.5
    # Repeats of groups that no error of the other reaches all agree; a step of the area is known at best.
    least = np.maximum(beyond**2 * (of_first**-2 + of_second**-2), 0.25 / (of_first * of_second) ** 2)
    return upper_tail(beyond / np.sqrt(np.maximum(errors.variance, least)), errors.freedom)


def _compliance(found: Estimates, not_worse: Array, margin: float) -> Array:
    """p-values of H0 "the mismatch meets or exceeds the margin in the turn that is true", shape (K,)."""
    error = np.sqrt(found.variance)
    as_seen, turned = (upper_tail((margin - m) / error, found.freedom) for m in (found.value, -found.value))
    excluded = np.minimum(turned / (1.0 - BY_ERRORS), not_worse / BY_ERRORS)
    return np.asarray(np.minimum(np.maximum(as_seen, excluded), 1.0))


def _high(found: Estimates, not_worse: Array, alpha: float) -> float:
    """Return the least margin within which all mismatches are shown to lie: where `_compliance` is alpha."""
    error = np.sqrt(found.variance)
    as_seen = found.value + error * upper_quantile(alpha, found.freedom)
    turned = -found.value + error * upper_quantile(alpha * (1.0 - BY_ERRORS), found.freedom)
    return float(np.max(np.maximum(as_seen, np.where(not_worse < alpha * BY_ERRORS, -np.inf, turned))))
