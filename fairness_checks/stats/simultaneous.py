"""The smallest p-value over all pairs of groups: how small it gets by chance when no disparity exceeds the limit.

Let T be the largest of the pairs' statistics (|d_ij| - L) / s_ij. Under the null hypothesis, every true |d_ij| at most
L, T exceeds a critical value when a symmetric log-concave error, shifted by the true rates, leaves a symmetric convex
set. That is most likely at a vertex of the null hypothesis, by Prekopa's theorem [1]_: some groups at one rate, all
others higher by exactly L. There the distribution of T is drawn by simulating the groups' normal errors (max-t [2]_),
at a cost that depends on the number of groups and not on the number of samples.

References
----------
.. [1] Prekopa A. On logarithmic concave measures and functions. Acta Sci. Math. 34 (1973) 335-343.
.. [2] Hothorn T, Bretz F, Westfall P. Simultaneous inference in general parametric models. Biom. J. 50 (2008) 346-363.
   doi:10.1002/bimj.200810425
"""

from __future__ import annotations

import numpy as np
from scipy import special

from fairness_checks.stats.proportions import Array

__all__ = ["Family", "largest_statistic", "probit"]

_DRAWS = 20_000
_BLOCK = 1_024
_MOST_CELLS = 40_000_000  # pairs times draws; with hundreds of groups fewer draws are made


def probit(p: Array | float) -> Array:
    """Return the normal quantile of p, finite at 0 and 1."""
    return np.asarray(special.ndtri(np.clip(p, 1e-300, 1.0 - 1e-16)))


def largest_statistic(deviations: Array, limit: float, rng: np.random.Generator) -> Array:
    """Draw the largest statistic over all pairs at the least favourable vertex.

    Parameters
    ----------
    deviations : ndarray of float64, shape (G,)
        Standard errors of the groups' estimates, G >= 2, positive.
    limit : float
        Largest disparity allowed, 0 or more, in the estimates' unit.
    rng : numpy.random.Generator
        Source of the draws.

    Returns
    -------
    ndarray of float64, shape (draws,)
        Sorted.
    """
    groups = len(deviations)
    draws = int(np.clip(_MOST_CELLS // (groups * (groups - 1) // 2), 1_000, _DRAWS))
    # Which half of the groups lies higher hardly matters; sizes alternate, so that both halves are alike.
    higher = np.zeros(groups)
    higher[np.argsort(deviations, kind="stable")[::2]] = limit
    estimates = rng.standard_normal((draws, groups)) * deviations + higher
    largest = np.full(draws, -np.inf)
    scales = [np.hypot(deviations[i], deviations[i + 1 :])[:, None] for i in range(groups - 1)]
    for start in range(0, draws, _BLOCK):
        block = np.ascontiguousarray(estimates[start : start + _BLOCK].T)  # (G, block): small enough for the cache
        most = largest[start : start + _BLOCK]
        buffer = np.empty_like(block)
        for i, scale in enumerate(scales):
            statistic = buffer[i + 1 :]
            np.subtract(block[i], block[i + 1 :], out=statistic)
            np.abs(statistic, out=statistic)
            statistic -= limit
            statistic /= scale
            np.maximum(most, statistic.max(axis=0), out=most)
    return np.sort(largest)


class Family:
    """All pairs of G groups, tested together.

    Parameters
    ----------
    deviations : ndarray of float64, shape (G,)
        Standard errors of the groups' estimates, in the unit of the disparity.
    limit : float
        Largest disparity allowed, 0 or more.
    rng : numpy.random.Generator
        Source of the draws; none are made for two groups, where nothing is adjusted.
    """

    def __init__(self, deviations: Array, limit: float, rng: np.random.Generator) -> None:
        self._limit, self._rng = limit, rng
        # Sorted: the order, and so the names, of the groups must not change what is drawn.
        self._deviations = np.sort(deviations)
        self._known = bool(np.all((deviations > 0.0) & np.isfinite(deviations)))
        self.pairs = len(deviations) * (len(deviations) - 1) // 2
        self._drawn: dict[float, Array] = {}

    def _largest(self, limit: float) -> Array | None:
        """Return the draws at one limit; None where Bonferroni's bound is all there is."""
        if self.pairs == 1 or not self._known:
            return None
        if limit not in self._drawn:
            self._drawn[limit] = largest_statistic(self._deviations, limit, self._rng)
        return self._drawn[limit]

    def _statistic(self, p: Array, scale: Array, limit: float) -> Array:
        """Return the z whose p-value, both directions counted, is p; between the one-sided and the two-sided one."""
        shift = 2.0 * limit / scale
        low, high = -probit(p), -probit(np.asarray(p) / 2.0)
        for _ in range(40):
            middle = (low + high) / 2.0
            above = special.ndtr(-middle) + special.ndtr(-middle - shift) > p
            low, high = np.where(above, middle, low), np.where(above, high, middle)
        return np.asarray(low)

    def p_value(self, p: Array, scale: Array) -> float:
        """Adjust the smallest of all pairs' p-values at the limit for having been chosen among them.

        Parameters
        ----------
        p, scale : ndarray of float64, shape (B,)
            p-values of all pairs, and standard errors of their disparities.

        Returns
        -------
        float
            At most Bonferroni's bound, which takes over in the far tail that no draw reaches.
        """
        bound = min(1.0, self.pairs * float(p.min()))
        largest = self._largest(self._limit)
        if largest is None:
            return bound
        z = float(self._statistic(p, scale, self._limit).max())
        reached = len(largest) - int(np.searchsorted(largest, z, side="left"))
        return float(min(bound, max(p.min(), (reached + 1) / (len(largest) + 1))))

    def excess(self, p: Array, scale: Array, limit: float, alpha: float) -> Array:
        """Say by how many standard deviations each pair's p-value at a limit is significant; negative if not.

        Below the family's own limit the critical value is that of a limit of zero, the largest one, so that the
        simultaneous bound which is found there holds and draws are made at two limits only.
        """
        bonferroni = probit(alpha / self.pairs) - probit(p)
        known = self._limit if limit >= self._limit else 0.0
        largest = self._largest(known)
        if largest is None:
            return bonferroni
        allowed = int(np.ceil(alpha * (len(largest) + 1))) - 2  # draws that may reach a significant statistic
        critical = largest[len(largest) - 1 - allowed] if allowed >= 0 else np.inf
        return np.maximum(bonferroni, self._statistic(p, scale, known) - critical)

    def level(self, alpha: float) -> float:
        """Return the level at which one pair is tested, for planning."""
        largest = self._largest(self._limit)
        if largest is None:
            return alpha / self.pairs
        return float(max(alpha / self.pairs, special.ndtr(-np.quantile(largest, 1.0 - alpha))))
