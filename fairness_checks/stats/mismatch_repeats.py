"""The mismatch of uncertainty and error over the repeats of a sweep: gaps with a sign, which can violate in one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import special

from fairness_checks.stats.estimates import upper_tail
from fairness_checks.stats.inference import Inference, deciding
from fairness_checks.stats.judge_repeats import JudgedGaps
from fairness_checks.stats.repeats import repeat_estimates

__all__ = ["judge_mismatches"]

METHOD = "Nadeau-Bengio corrected resampled t"


def judge_mismatches(
    gaps: npt.ArrayLike,
    limit: float,
    alpha: float,
    *,
    n_train: npt.ArrayLike,
    n_test: npt.ArrayLike,
    first: npt.ArrayLike,
    second: npt.ArrayLike,
) -> JudgedGaps:
    """Judge the largest of K mismatches against a limit; Bonferroni over them for a violation.

    Parameters
    ----------
    gaps : array_like of float, shape (K, J)
        A_error - A_uncertainty in each repeat, the group with the higher errors on the mean first; nan where undefined.
    limit : float
        Largest mismatch allowed, 0 or more.
    alpha : float
        Significance level of each of the two tests; the interval has confidence 1 - 2 alpha.
    n_train, n_test
        See `fairness_checks.stats.repeats.repeat_estimates`.
    first, second : array_like of int, shape (K,)
        Positions of the groups of each gap.

    Examples
    --------
    >>> seen = [[0.30, 0.26, 0.34, 0.29, 0.31, 0.28]]
    >>> found = judge_mismatches(seen, 0.1, 0.05, n_train=700, n_test=300, first=[1], second=[0])
    >>> found.inference.first, round(found.inference.estimate, 3), found.inference.p_violation < 0.001
    (1, 0.297, True)
    """
    values = np.atleast_2d(np.asarray(gaps, dtype=np.float64))
    found = repeat_estimates(values, n_train, n_test)
    error, count = np.sqrt(found.variance), len(values)
    above = upper_tail((found.value - limit) / error, found.freedom)
    if limit == 0.0:  # which group is worse was seen in the data
        above = np.minimum(2.0 * above, 1.0)
    below = upper_tail((limit - found.value) / error, found.freedom)
    p_violation = min(1.0, count * float(above.min()))
    shown = deciding(found.value, above, count * above < alpha, violated=p_violation < alpha)
    level = alpha / count / (2.0 if limit == 0.0 else 1.0)
    low = float(np.max(found.value + error * special.stdtrit(found.freedom, level)))
    high = float(np.max(found.value - error * special.stdtrit(found.freedom, alpha)))
    plain = values[shown][~np.isnan(values[shown])]
    t = (plain.mean() - limit) / (plain.std(ddof=1) / np.sqrt(len(plain)))
    inference = Inference(
        estimate=float(found.value[shown]),
        low=max(low, -1.0),
        high=min(high, 1.0),
        p_violation=p_violation,
        p_compliance=float(below.max()),
        first=int(np.asarray(first)[shown]),
        second=int(np.asarray(second)[shown]),
        comparisons=count,
        level=alpha / count,
        method=METHOD if count == 1 else f"{METHOD}, Bonferroni over {count} mismatches",
        standard_error=float(error[shown]),
    )
    return JudgedGaps(inference, shown, int(np.isnan(values[shown]).sum()), float(special.stdtr(len(plain) - 1, -t)))
