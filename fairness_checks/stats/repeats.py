"""Gaps over overlapping repeats: their means, and variances that know of the overlap.

The repeats of a sweep are splits of one table. They share most of their training rows and some of their test rows, so
the spread over repeats says how much one split differs from the next, not how much another table would. With J
repeats of variance s^2 (divisor J - 1) that are correlated by rho, the variance of their mean is s^2 (1 / J + rho /
(1 - rho)): s^2 itself is short of the variance by the factor 1 - rho, which is why "1 / J + rho" would be too small.
Nadeau and Bengio [1]_ take rho = n_test / (n_test + n_train), the share of test rows that two repeats have in common,
hence s^2 (1 / J + n_test / n_train).

That is right while the rows that test make the difference. What the training rows add is correlated by the share t of
its rows that a training set holds, t = n_train / (n_test + n_train) or less, and there the correction is too small: for
a model that learns each group by itself the test with it errs in up to 13 % of sweeps instead of 5 %
(``python -m benchmarks.sweeps``). Both parts can be told apart where the variance v of a gap *given the trained model*
is known, which the test rows say. With f = n_test / (n_test + n_train), to first order in the rows,

    s^2 = (1 - f) v + rest,       variance of the mean = s^2 / J + f v + rest t / (1 - t),

rest at least 0. Where rest is 0 that is Nadeau and Bengio's variance; the result is never smaller than theirs.
Where groups test with other shares of their rows, such as 20 of 1,000 and 20 of 40, each has its own f: two repeats
have half of the small group's test rows in common, whatever the others do (`fairness_checks.stats.gaps`). It is a share
of the table's rows before a mix, as it says which rows repeats have in common, not how many of the others a mix uses.
Randomness of the fit itself is counted as if all repeats shared it, which is on the safe side and costs detection
with unstable learners; one table does not hold what it would take to tell (for K folds Bengio and Grandvalet proved
that no unbiased estimator exists, JMLR 5 (2004) 1089).

What differs between tables but never between splits stays unseen: how many positives each group has, where splits are
stratified by outcome. The same learner then errs in up to 11 %, and in 7 % where splits are stratified by group alone.

References
----------
.. [1] Nadeau C, Bengio Y. Inference for the generalization error. Mach. Learn. 52 (2003) 239-281.
   doi:10.1023/A:1024068626366
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fairness_checks.stats.estimates import Estimates
from fairness_checks.typing import Array

__all__ = ["MOST_UNDEFINED", "rate_variance", "repeat_estimates", "undefined_gaps"]

MOST_UNDEFINED = 0.1  # share of the repeats that may be left out; those with few positives are no random choice


def undefined_gaps(gaps: npt.ArrayLike) -> np.ndarray:
    """Say which gaps cannot be judged: undefined in more than a tenth of the repeats, or defined in fewer than two.

    Parameters
    ----------
    gaps : array_like of float, shape (K, J)
        K gaps in J repeats; nan where a repeat leaves a gap undefined, such as no positive of a group in the test part.

    Returns
    -------
    ndarray of bool, shape (K,)

    Examples
    --------
    >>> undefined_gaps([[0.1, 0.2, 0.1], [0.1, float("nan"), 0.2]]).tolist()
    [False, True]
    """
    missing = np.isnan(np.atleast_2d(np.asarray(gaps, dtype=np.float64)))
    repeats = missing.shape[1]
    return np.asarray((missing.sum(axis=1) > MOST_UNDEFINED * repeats) | ((~missing).sum(axis=1) < 2))


def rate_variance(rates: npt.ArrayLike, samples: npt.ArrayLike, n_train: npt.ArrayLike, n_test: npt.ArrayLike) -> Array:
    """Return the variance of a rate in one test part, given the trained model.

    p (1 - p) over the samples of a test part, p the mean over the repeats with one success and one failure added to
    the samples that the whole table holds: a model that made no mistake in any repeat has no rate that is known for
    certain.

    Parameters
    ----------
    rates : array_like of float, shape (..., J)
        Rate in each repeat, in [0, 1]; nan where it is undefined.
    samples : array_like of float, shape (..., J)
        Denominator of the rate in each repeat; where it is 0 the rate is nan.
    n_train, n_test : array_like of float, shape (...) or one that broadcasts to it
        Rows of the rate's group in the training and the test part of a repeat.

    Returns
    -------
    ndarray of float64, shape (...)
        nan where the rate is undefined in every repeat.

    Examples
    --------
    >>> rate_variance([[0.3, 0.5], [0.0, 0.0]], [[10, 10], [10, 10]], 70, 30).round(5).tolist()
    [0.02411, 0.00275]
    """
    rates, samples = np.asarray(rates, dtype=np.float64), np.asarray(samples, dtype=np.float64)
    n_train, n_test = np.asarray(n_train, dtype=np.float64), np.asarray(n_test, dtype=np.float64)
    known = ~np.isnan(rates)
    times = known.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        size = np.where(known, samples, 0.0).sum(axis=-1) / times
        mean = np.where(known, rates, 0.0).sum(axis=-1) / times
        whole = size * (n_train + n_test) / n_test
        drawn = (mean * whole + 1.0) / (whole + 2.0)
        return np.asarray(drawn * (1.0 - drawn) / size)


def repeat_estimates(
    gaps: npt.ArrayLike,
    n_train: npt.ArrayLike,
    n_test: npt.ArrayLike,
    test_variance: npt.ArrayLike | None = None,
    trained_share: npt.ArrayLike | None = None,
    most_freedom: npt.ArrayLike = np.inf,
) -> Estimates:
    """Return the mean of each gap over the repeats, its variance and the degrees of freedom.

    Parameters
    ----------
    gaps : array_like of float, shape (K, J)
        K gaps in J repeats; nan where undefined: such repeats are left out of that gap.
    n_train, n_test : array_like of float, shape (K,) or ()
        Rows of the training and the test part of a repeat: of the split, before a mix adds or leaves out rows; only
        their ratio counts. Of each gap its own, where groups test with other shares of their rows.
    test_variance : array_like of float, shape (K,), optional
        Variance of each gap in one test part given the trained model (`rate_variance`, summed over two groups). Without
        it, Nadeau and Bengio's correction.
    trained_share : array_like of float, shape (K,), optional
        Share of a group's different rows in the table that one training set holds, in (0, 1), the largest of the groups
        (and of both mixes, where a gap has two). Default n_train / (n_train + n_test), which no mix exceeds; used with
        `test_variance` only.
    most_freedom : array_like of float, shape (K,) or ()
        Of the data behind a gap, however many repeats there are: where rows come in clusters, the effective clusters
        of the group that has fewer, less one.

    Returns
    -------
    Estimates
        Of K gaps; nan where `undefined_gaps` says so. Variance 0 where all repeats agree and no test variance is given.

    Raises
    ------
    ValueError
        If a part has no rows, or a share is not between 0 and 1.

    Examples
    --------
    >>> found = repeat_estimates([[0.1, 0.3, 0.2, 0.2]], n_train=70, n_test=30)
    >>> round(float(found.value[0]), 3), round(float(found.variance[0]), 5), found.freedom.tolist()
    (0.2, 0.00452, [3.0])
    """
    n_train, n_test = np.asarray(n_train, dtype=np.float64), np.asarray(n_test, dtype=np.float64)
    if not (np.all(n_train > 0) and np.all(n_test > 0)):
        raise ValueError(f"n_train {n_train} and n_test {n_test} must both be positive")
    gaps = np.atleast_2d(np.asarray(gaps, dtype=np.float64))
    known = ~np.isnan(gaps)
    repeats = np.where(undefined_gaps(gaps), np.nan, known.sum(axis=1))
    mean = np.where(known, gaps, 0.0).sum(axis=1) / repeats
    spread = np.where(known, gaps - mean[:, None], 0.0)
    square = (spread**2).sum(axis=1) / (repeats - 1.0)
    ratio = n_test / n_train
    shared = ratio * square
    if test_variance is not None:
        tested = np.asarray(test_variance, dtype=np.float64)
        share = n_test / (n_test + n_train)
        trained = np.asarray(1.0 - share if trained_share is None else trained_share, dtype=np.float64)
        if not np.all((trained > 0.0) & (trained < 1.0)):
            raise ValueError(f"trained_share {trained_share!r} must lie between 0 and 1")
        rest = np.maximum(square - (1.0 - share) * tested, 0.0)
        shared = np.maximum(shared, share * tested + rest * trained / (1.0 - trained))
    freedom = np.minimum(repeats - 1.0, np.asarray(most_freedom, dtype=np.float64))
    return Estimates(mean, square / repeats + shared, freedom)
