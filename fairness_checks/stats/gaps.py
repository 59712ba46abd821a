"""What the checks of a sweep ask: gaps and slopes per repeat, from a metric's values under every mix."""

# values: (M, J, G), of M mixes (or mixes with feature sets) in J repeats for G groups, nan where a repeat leaves a
# group undefined; test_variance: (M, G), of each value in one test part given the model. Other shapes are a
# ValueError.

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fairness_checks.stats.repeats import undefined_gaps
from fairness_checks.typing import Array

__all__ = [
    "Gaps",
    "best_case",
    "dependence",
    "each_mix",
    "equal_representation",
    "joint_test_share",
    "worst_case",
]


@dataclass(frozen=True, slots=True, eq=False)
class Gaps:
    """K gaps of pairs of groups over J repeats."""

    value: Array  # (K, J), of the first group minus the second; nan where one is undefined
    first: np.ndarray  # (K,), positions of the groups
    second: np.ndarray  # (K,)
    first_mix: np.ndarray  # (K,), mixes of their values; -1 where a group has none that can be judged
    second_mix: np.ndarray  # (K,)
    test_variance: Array | None  # (K,), in one test part given the trained models
    error_auc: Array | None = None  # (K, J), of mismatches: P(the error is higher in the first group) + P(tie) / 2

    def take(self, at: np.ndarray) -> Gaps:
        """Return some of the gaps, by a mask or by positions."""
        variance = None if self.test_variance is None else self.test_variance[at]
        error = None if self.error_auc is None else self.error_auc[at]
        return Gaps(
            self.value[at], self.first[at], self.second[at], self.first_mix[at], self.second_mix[at], variance, error
        )


def each_mix(values: npt.ArrayLike, test_variance: npt.ArrayLike | None = None) -> Gaps:
    """Return the gaps of all pairs of groups under every mix, mix by mix."""
    return equal_representation(values, range(len(np.asarray(values))), test_variance)


def equal_representation(
    values: npt.ArrayLike, mixes: Sequence[int], test_variance: npt.ArrayLike | None = None
) -> Gaps:
    """Return the gaps of all pairs of groups under the mixes in which the groups are equally represented."""
    if not len(mixes):
        raise ValueError("no mix represents the groups equally")
    values, variance = _checked(values, test_variance)
    first, second = np.triu_indices(values.shape[2], 1)
    mix = np.repeat(np.asarray(mixes), len(first))
    pairs = (np.tile(first, len(mixes)), np.tile(second, len(mixes)))
    return _between(values, variance, pairs, (mix, mix))


def worst_case(values: npt.ArrayLike, *, lower_is_better: bool, test_variance: npt.ArrayLike | None = None) -> Gaps:
    """Return the gaps between groups, each under the mix that is worst for it by its mean over the repeats."""
    # The choice is made from the same repeats, so that where mixes hardly differ each group's worst mean is too bad;
    # that adds less than the variance has to spare (docs/statistics.md). A group that is undefined under some mix is
    # nan: that mix could be its worst.
    return _extreme(values, test_variance, highest=lower_is_better)


def best_case(values: npt.ArrayLike, *, lower_is_better: bool, test_variance: npt.ArrayLike | None = None) -> Gaps:
    """Return the gaps between groups that each stand under the mix that is best for them; see `worst_case`."""
    return _extreme(values, test_variance, highest=not lower_is_better)


def dependence(values: npt.ArrayLike, shares: npt.ArrayLike) -> Array:
    """Return how strongly each group's metric depends on its share of the training rows, per repeat; (G, J)."""
    # The least squares slope over the mixes: -0.2 means that the metric falls by 0.02 when the share grows by 0.1.
    # Its sign matters, a limit is on its size. nan where a mix leaves the group undefined, or all give it one share.
    # shares: (M, G).
    values = np.asarray(values, dtype=np.float64)
    shares = np.asarray(shares, dtype=np.float64)
    if values.ndim != 3 or shares.shape != (values.shape[0], values.shape[2]):
        raise ValueError(
            f"values {values.shape} must be (mixes, repeats, groups), shares {shares.shape} (mixes, groups)"
        )
    centred = shares - shares.mean(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        weights = np.where(np.ptp(shares, axis=0) > 0.0, centred / (centred**2).sum(axis=0), np.nan)
    return np.asarray(np.einsum("mg,mjg->gj", weights, values))


def joint_test_share(
    values: tuple[npt.ArrayLike, npt.ArrayLike],
    shares: tuple[npt.ArrayLike, npt.ArrayLike],
    variances: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
) -> Array:
    """Return the share of its rows that a gap tests, shape (K,), of two groups that test with shares of their own."""
    # The test rows of two groups are drawn apart: the shared part of a gap's variance is the sum of both groups'
    # shared parts, each by its own share. Where the variance in one test part is known (`variances`), it says how
    # much either adds. Otherwise a group adds its own spread less the covariance of the two, which is what both have
    # of a training in common. Where the two move against each other that part counts for the group with the larger
    # share: the safe side.
    # values: (K, J) each; shares, variances: (K,) each, shares in (0, 1).
    first, second = (np.asarray(share, dtype=np.float64) for share in shares)
    if variances is not None:
        one, other = (np.asarray(variance, dtype=np.float64) for variance in variances)
        with np.errstate(invalid="ignore", divide="ignore"):
            weight = np.where(one + other > 0.0, one / (one + other), 0.5)
        return np.asarray(second + (first - second) * weight)
    larger = first >= second
    own, of_other = (np.asarray(value, dtype=np.float64) for value in values)
    known = ~(np.isnan(own) | np.isnan(of_other))
    count = np.maximum(known.sum(axis=1), 1)[:, None]

    def centred(value: Array) -> Array:
        kept = np.where(known, value, 0.0)
        return np.where(known, kept - kept.sum(axis=1, keepdims=True) / count, 0.0)

    own, of_other = centred(own), centred(of_other)
    common = (own * of_other).sum(axis=1)
    square = ((own - of_other) ** 2).sum(axis=1)
    spread = np.where(larger, (own**2).sum(axis=1), (of_other**2).sum(axis=1))
    part = np.clip(spread - np.minimum(common, 2.0 * common), 0.0, square)
    weight = np.divide(part, square, out=np.ones_like(square), where=square > 0.0)
    high, low = np.maximum(first, second), np.minimum(first, second)
    ratio = low / (1.0 - low) * (1.0 - weight) + high / (1.0 - high) * weight
    return np.asarray(np.where(high > low, ratio / (1.0 + ratio), high))


def _checked(values: npt.ArrayLike, test_variance: npt.ArrayLike | None) -> tuple[Array, Array | None]:
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 3 or values.shape[2] < 2:
        raise ValueError(f"values {values.shape} must be (mixes, repeats, groups), two groups or more")
    if test_variance is None:
        return values, None
    variance = np.asarray(test_variance, dtype=np.float64)
    if variance.shape != (values.shape[0], values.shape[2]):
        raise ValueError(f"test_variance {variance.shape} must be (mixes, groups) of values {values.shape}")
    return values, variance


def _extreme(values: npt.ArrayLike, test_variance: npt.ArrayLike | None, *, highest: bool) -> Gaps:
    values, variance = _checked(values, test_variance)
    mixes, _, groups = values.shape
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        mean = np.where(known, values, 0.0).sum(axis=1) / known.sum(axis=1)  # (M, G)
    judged = ~np.any([undefined_gaps(values[m].T) for m in range(mixes)], axis=0)  # (G,)
    ranked = np.where(judged, mean if highest else -mean, 0.0)
    mix = np.where(judged, ranked.argmax(axis=0), -1)
    first, second = np.triu_indices(groups, 1)
    return _between(values, variance, (first, second), (mix[first], mix[second]))


def _between(
    values: Array, variance: Array | None, groups: tuple[np.ndarray, np.ndarray], mixes: tuple[np.ndarray, np.ndarray]
) -> Gaps:
    """Return first minus second, each under its own mix."""
    (first, second), (first_mix, second_mix) = groups, mixes
    missing = (first_mix < 0) | (second_mix < 0)
    gap = values[first_mix, :, first] - values[second_mix, :, second]
    gap[missing] = np.nan
    tested = None if variance is None else variance[first_mix, first] + variance[second_mix, second]
    return Gaps(gap, first, second, first_mix, second_mix, tested)
