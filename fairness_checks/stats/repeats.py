"""Gaps over overlapping repeats: their means, and variances that know of the overlap."""

# The repeats of a sweep are splits of one table: the spread over them says how much one split differs from the next,
# not how much another table would. With J repeats of variance s^2 (divisor J - 1), correlated by rho, the variance of
# their mean is s^2 (1 / J + rho / (1 - rho)). Nadeau and Bengio (Mach. Learn. 52 (2003) 239,
# doi:10.1023/A:1024068626366) take rho = n_test / (n_test + n_train), the share of test rows that two repeats have in
# common: s^2 (1 / J + n_test / n_train).
# That is right while the rows that test make the difference. What the training rows add is correlated by the share t
# of its rows that a training set holds, and there the correction is too small. Both parts can be told apart where the
# variance v of a gap *given the trained model* is known. With f = n_test / (n_test + n_train), to first order in the
# rows, s^2 = (1 - f) v + rest; variance of the mean = s^2 / J + f v + rest t / (1 - t), rest at least 0; never
# smaller than theirs.
# Where groups test with other shares of their rows each has its own f, a share of the table's rows before a mix: it
# says which rows repeats have in common, not how many of the others a mix uses. Randomness of the fit counts as if
# all repeats shared it, the safe side; one table cannot tell (Bengio and Grandvalet, JMLR 5 (2004) 1089). What
# differs between tables but never between splits stays unseen, such as the number of positives where splits are
# stratified by outcome.

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fairness_checks.stats.estimates import Estimates
from fairness_checks.typing import Array

__all__ = ["MOST_UNDEFINED", "rate_variance", "repeat_estimates", "undefined_gaps"]

MOST_UNDEFINED = 0.1  # share of the repeats that may be left out; those with few positives are no random choice


def undefined_gaps(gaps: npt.ArrayLike) -> np.ndarray:
    """Say which gaps, (K, J), cannot be judged: undefined in over a tenth of the repeats, or defined in one."""
    missing = np.isnan(np.atleast_2d(np.asarray(gaps, dtype=np.float64)))
    repeats = missing.shape[1]
    return np.asarray((missing.sum(axis=1) > MOST_UNDEFINED * repeats) | ((~missing).sum(axis=1) < 2))


def rate_variance(rates: npt.ArrayLike, samples: npt.ArrayLike, n_train: npt.ArrayLike, n_test: npt.ArrayLike) -> Array:
    """Return the variance of a rate in one test part, given the trained model."""
    # rates, samples: (..., J), nan where undefined. p (1 - p) over the samples of a test part, p the mean over the
    # repeats with one success and one failure added to the samples that the whole table holds: a model that made no
    # mistake in any repeat has no rate that is known for certain.
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
    """Return the mean of each gap over the repeats, its variance and the degrees of freedom."""
    # gaps: (K, J); repeats that are nan are left out. n_train, n_test: rows of the split before a mix, (K,) or ();
    # only their ratio counts. test_variance: (K,), of each gap in one test part given the model; without it, Nadeau
    # and Bengio's correction. trained_share: (K,), largest share of a group's different rows that one training set
    # holds, used with test_variance only. most_freedom: effective clusters of the group that has fewer, less one.
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
