"""The mismatch of uncertainty and error among pairs of groups against a limit.

Each pair is turned so that the group whose errors are higher comes first; its mismatch M = A_error - A_uncertainty says
by how much the first group's errors outrun its uncertainty, and may be negative. *Violation*: some group has the higher
errors (A_error > 1/2) and M exceeds the limit, both shown at the full level (an intersection-union test).
*Compliance*: no pair does. The other turn of a pair, in which its mismatch is -M, must then be excluded too, either
because the errors say which group is worse or because -M is below the limit as well; the two ways share the level.
"""

from __future__ import annotations

import numpy as np
from scipy import special

from fairness_checks.stats.estimates import upper_tail
from fairness_checks.stats.inference import Inference
from fairness_checks.stats.mismatch import MismatchStatistics
from fairness_checks.stats.pairs import block_pairs, judge_pairs
from fairness_checks.stats.proportions import Array
from fairness_checks.stats.satterthwaite import two_sample_freedom
from fairness_checks.stats.simultaneous import Family

__all__ = ["MismatchPairs", "judge_mismatch"]

_METHOD = "DeLong test of two correlated areas with one pseudo-sample at chance per group (DeLong 1988)"
_BY_ERRORS = 0.01  # share of the level that may show which group is worse; the rest shows that -M is small


class MismatchPairs:
    """All pairs of groups, the worse errors first, as `fairness_checks.stats.pairs.PairTests`.

    The variances are DeLong's with one pseudo-sample (or cluster) of each group added, of which errors and uncertainty
    know nothing, as in `fairness_checks.stats.ranking.auc_estimates`. Pseudo-samples and degrees of freedom go by the
    effective number of clusters: a few large ones among many small ones are little evidence of how much they vary.

    Parameters
    ----------
    statistics : MismatchStatistics
        Of G >= 2 groups, all of which can be judged.
    blocks : ndarray of int, shape (G,), optional
        The stratum of each group; groups are compared within strata only. Default one stratum.
    """

    def __init__(self, statistics: MismatchStatistics, blocks: np.ndarray | None = None) -> None:
        self.blocks = np.zeros(len(statistics.units), dtype=np.intp) if blocks is None else np.asarray(blocks)
        i, j = block_pairs(self.blocks)
        worse = statistics.error_auc[i, j] >= 0.5
        self.first, self.second = np.where(worse, i, j), np.where(worse, j, i)
        pair = (self.first, self.second)
        self.error_auc: Array = statistics.error_auc[pair]
        self.disparity: Array = statistics.error_auc[pair] - statistics.uncertainty_auc[pair]
        of_error = (statistics.error_auc - 0.5) ** 2
        both = of_error + (statistics.uncertainty_auc - 0.5) ** 2
        parts = statistics.variance + both / statistics.effective[:, None] ** 2
        error_parts = statistics.error_variance + of_error / statistics.effective[:, None] ** 2
        self.error, self.freedom = self._spread(statistics, parts, statistics.covariance, both)
        error, freedom = self._spread(statistics, error_parts, statistics.error_covariance, of_error)
        self.p_not_worse: Array = upper_tail((self.error_auc - 0.5) / error, freedom)
        # Of a group's part there is one estimate a pair; their mean stands for the group among all pairs.
        compared = self.blocks[:, None] == self.blocks
        np.fill_diagonal(compared, False)
        self.deviations: Array = np.sqrt(
            np.where(compared, parts, 0.0).sum(axis=1) / np.maximum(compared.sum(axis=1), 1)
        )
        self.largest = 1.0
        self.step = min(2e-5, 1e-3 * float(self.error.max()))

    def _spread(
        self, statistics: MismatchStatistics, parts: Array, covariance: Array, distance: Array
    ) -> tuple[Array, Array]:
        """Return standard errors and degrees of freedom of the pairs, shapes (B,)."""
        pair = (self.first, self.second)
        m, n = statistics.effective[self.first], statistics.effective[self.second]
        kept = statistics.effective / statistics.units
        both = statistics.shared[pair] * np.minimum(kept[self.first], kept[self.second])
        one, other, shared = parts[pair], parts[pair[::-1]], covariance[pair]
        lowest = np.maximum(distance[pair] * (m**-2 + n**-2), 0.25 / (m * n) ** 2)
        freedom = two_sample_freedom(one, other, shared, m, n, both)
        return np.sqrt(np.maximum(one + other + shared, lowest)), freedom

    def outside(self, index: np.ndarray, tolerance: float) -> Array:
        """p-values of H0 "the errors are not worse, or the mismatch keeps the tolerance"; both directions count."""
        m, error, freedom = self.disparity[index], self.error[index], self.freedom[index]
        near, far = (m - tolerance) / error, (m + tolerance) / error
        p = np.minimum(upper_tail(near, freedom) + upper_tail(far, freedom), 1.0)
        return np.asarray(np.maximum(p, self.p_not_worse[index]))

    def within(self, index: np.ndarray, tolerance: float) -> Array:
        """p-values of H0 "the mismatch meets or exceeds the tolerance in the turn that is true"."""
        m, error, freedom = self.disparity[index], self.error[index], self.freedom[index]
        as_seen = upper_tail((tolerance - m) / error, freedom)
        turned = upper_tail((tolerance + m) / error, freedom)
        excluded = np.minimum(turned / (1.0 - _BY_ERRORS), self.p_not_worse[index] / _BY_ERRORS)
        return np.asarray(np.minimum(np.maximum(as_seen, excluded), 1.0))

    def scaled(self, tolerance: float) -> float:
        """Return the tolerance; mismatches are differences already."""
        return tolerance

    def lower(self, level: float) -> float:
        """Lower bound of the largest mismatch, each pair at one level; -M counts where either group may be worse."""
        m = np.where(self.p_not_worse < level, self.disparity, -np.abs(self.disparity))
        return float(np.max(m - self.error * self._quantile(level)))

    def upper(self, alpha: float) -> float:
        """Return the least tolerance within which all pairs are shown to lie, which may be negative."""
        as_seen = self.disparity + self.error * self._quantile(alpha)
        turned = -self.disparity + self.error * self._quantile(alpha * (1.0 - _BY_ERRORS))
        known = self.p_not_worse < alpha * _BY_ERRORS
        return float(np.max(np.where(known, as_seen, np.maximum(as_seen, turned))))

    def _quantile(self, level: float) -> Array:
        return np.asarray(-special.stdtrit(self.freedom, level))


def judge_mismatch(
    statistics: MismatchStatistics,
    limit: float,
    alpha: float,
    *,
    blocks: np.ndarray | None = None,
) -> Inference:
    """Judge the largest mismatch of all pairs of groups against a limit.

    Parameters
    ----------
    statistics : MismatchStatistics
        Of G >= 2 groups, all of which can be judged (see `fairness_checks.stats.mismatch.too_small`).
    limit : float
        Largest mismatch allowed, in [0, 1).
    alpha : float
        Significance level of each of the two tests; the interval has confidence 1 - 2 alpha.
    blocks : ndarray of int, shape (G,), optional
        The stratum of each group; groups are compared within strata only. Default one stratum.

    Returns
    -------
    Inference
        `first` is the group with the worse errors; estimate and interval lie in [-1, 1].

    Examples
    --------
    >>> from fairness_checks.stats.mismatch import mismatch_by_group
    >>> rng = np.random.default_rng(0)
    >>> codes, noise = np.arange(400) % 2, rng.standard_normal((2, 400))
    >>> found = judge_mismatch(mismatch_by_group(codes, 2, noise[0] + codes, noise[1]), 0.1, 0.05)
    >>> found.first, found.estimate > 0.2, found.p_violation < 0.05
    (1, True, True)
    """
    tests = MismatchPairs(statistics, blocks)
    found = judge_pairs(tests, limit, alpha)
    count = len(tests.first)
    low = found.low
    if low <= 0.0:
        # No test at a limit says how negative the mismatch may be; the bound is that of a limit of 0, the widest.
        level = Family(tests.deviations, 0.0, tests.blocks).level(alpha)
        low = min(tests.lower(level), 0.0)
    return Inference(
        estimate=float(tests.disparity[found.shown]),
        low=max(low, -1.0),
        high=min(tests.upper(alpha), 1.0),
        p_violation=found.p_violation,
        p_compliance=found.p_compliance,
        first=int(tests.first[found.shown]),
        second=int(tests.second[found.shown]),
        comparisons=count,
        level=found.level,
        standard_error=float(tests.error[found.shown]),
        method=_METHOD if count == 1 else f"{_METHOD}, max-t over {count} pairs",
    )
