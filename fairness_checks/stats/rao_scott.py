"""Effective counts of clustered samples: events and samples that are worth as much as independent ones.

Rao and Scott [1]_ divide a group's counts by its design effect, the variance of its rate over that of as many
independent samples, and use what was made for independent counts. Three things keep that within its level where
clusters are few, of unequal size, or hold few events (measured in docs/statistics.md):

- There are two estimates that are equal on average: the cluster-robust variance, corrected for the rate being
  estimated, and the one that follows from the correlation within clusters. The first holds without a model, but is too
  small whenever a large cluster happens to hold no event, and that is when the rate is too small as well. The larger
  one decides.
- A few events say little about their correlation. Clusters with y events and m - y others count as
  e = min((sum y)^2 / sum y^2, (sum m - y)^2 / sum (m - y)^2) that hold either, 1 if all events are in one; the estimate
  is drawn towards 1, the safe end, with weight 1 / (1 + (e / 1.5)^2).
- The variance is itself an estimate: p-values are those of the effective clusters' degrees of freedom, see
  `fairness_checks.stats.few_clusters`.

Clusters of one sample give back the counts, exactly, and samples repeated m times each as clusters the counts of
the samples once.

References
----------
.. [1] Rao JNK, Scott AJ. A simple method for the analysis of clustered binary data. Biometrics 48 (1992) 577-585.
   doi:10.2307/2532311
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fairness_checks.stats.clusters import Cells, shared_correlation
from fairness_checks.stats.few_clusters import freedom_of_samples
from fairness_checks.typing import Array

__all__ = ["ClusterSums", "EffectiveCounts", "effective_counts", "effective_samples", "safe_weight"]

_SAFE_EVENTS = 1.5  # effective clusters that hold events, at which a correlation of 1 weighs 1/2; found by simulation
_WHOLE = 1e-9  # relative; counts this close to a whole number are that number, computed along another path


@dataclass(frozen=True, slots=True, eq=False)
class EffectiveCounts:
    """Counts of G groups as if all samples were independent.

    Parameters
    ----------
    events, samples : ndarray of float64, shape (G,)
        ``events / samples`` is the group's rate, ``1 <= samples <= n``; both 0 for a group without samples.
    clusters : ndarray of int64, shape (G,)
        Clusters with a sample in the group.
    design_effect : ndarray of float64, shape (G,)
        Variance of the rate over that of as many independent samples; 1 or more.
    freedom : ndarray of float64, shape (G,)
        Degrees of freedom of that variance: effective clusters less one, and no more than the effective samples have.
    shared : ndarray of float64, shape (G, G), or None
        Correlations of the rates through clusters that lie in several groups; None where none does.
    """

    events: Array
    samples: Array
    clusters: npt.NDArray[np.int64]
    design_effect: Array
    freedom: Array
    shared: Array | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ClusterSums:
    """All that effective counts are computed from; sums over the clusters of each group, float64 of one shape.

    Parameters
    ----------
    samples, events : ndarray
        n and x.
    residuals : ndarray
        Sum of squared residual sums, (y - m x / n)^2, of clusters with m samples and y events.
    discordance : ndarray
        Sum of y (m - y) / (m - 1) over the clusters of two samples or more.
    paired : ndarray
        Samples in clusters of two or more.
    squares : ndarray
        Sum of m^2.
    event_squares, other_squares : ndarray
        Sums of y^2 and of (m - y)^2.
    """

    samples: Array
    events: Array
    residuals: Array
    discordance: Array
    paired: Array
    squares: Array
    event_squares: Array
    other_squares: Array


def correlation(sums: ClusterSums) -> Array:
    """Estimate the correlation within clusters that the design effect implies, 0 or more; 1 where nothing is known.

    It exceeds 1 where the rate varies with the cluster's size.
    """
    n = sums.samples
    with np.errstate(divide="ignore", invalid="ignore"):
        rate, mean_size = sums.events / n, sums.squares / n
        binomial = rate * (1.0 - rate)
        # As the rate is estimated, both variances are too small: by 1 - sum(m^2) / n^2, and by 1 - effect / n.
        observed = sums.residuals / (n * binomial)
        robust = (observed / (1.0 - mean_size / n + observed / n) - 1.0) / (mean_size - 1.0)
        apart = sums.discordance / sums.paired / binomial
        within = (1.0 - apart * (1.0 - 1.0 / n)) / (1.0 - apart * (mean_size - 1.0) / n)
        estimate = np.maximum(np.maximum(robust, within), 0.0)
        # Effective clusters that hold events, and that hold others; all in one is one.
        held = np.minimum(sums.events**2 / sums.event_squares, (n - sums.events) ** 2 / sums.other_squares)
        safe = safe_weight(held)
    known = np.isfinite(estimate) & (binomial > 0.0)
    estimate = np.where(known, estimate, 1.0)
    return np.asarray(np.where(estimate < 1.0, estimate + safe * (1.0 - estimate), estimate))


def safe_weight(held: Array | float) -> Array:
    """Weight of a correlation of 1, of effective clusters that hold events, and others."""
    return np.asarray(1.0 / (1.0 + (np.asarray(held) / _SAFE_EVENTS) ** 2))


def effective_samples(sums: ClusterSums) -> tuple[Array, Array]:
    """Return effective samples and design effects, of the shape of the sums."""
    n, rho = sums.samples, correlation(sums)
    mean_size = np.divide(sums.squares, n, out=np.ones_like(n), where=n > 0.0)
    effect = 1.0 + (mean_size - 1.0) * rho
    return _whole(np.minimum(np.maximum(n / effect, 1.0), n)), effect


def _whole(counts: Array) -> Array:
    nearest = np.rint(counts)
    return np.where(np.abs(counts - nearest) <= _WHOLE * np.maximum(nearest, 1.0), nearest, counts)


def effective_counts(cells: Cells, event: npt.NDArray[Any]) -> EffectiveCounts:
    """Effective events and samples of each group.

    Parameters
    ----------
    cells : Cells
        Groups and clusters of the samples in the rate's denominator; code -1 leaves the others out.
    event : ndarray of bool, shape (n,)
        Which samples are events.

    Returns
    -------
    EffectiveCounts
        Shapes (G,). A group where no sample or every sample is an event says nothing of its clustering; it counts as
        if its clusters' samples were all alike.

    Examples
    --------
    >>> from fairness_checks.stats.clusters import find_cells
    >>> event = np.array([True, True, False, False, False, False, True, True])
    >>> patients = np.array([0, 0, 1, 1, 2, 2, 3, 3])
    >>> counts = effective_counts(find_cells(np.zeros(8, dtype=int), 1, patients), event)
    >>> counts.events.tolist(), counts.samples.tolist(), counts.design_effect.tolist(), counts.freedom.tolist()
    ([2.0], [4.0], [2.0], [3.0])
    """
    m, y = cells.sums(), cells.sums(event)
    n, x = cells.by_group(m), cells.by_group(y)
    rate = np.divide(x, n, out=np.zeros_like(n), where=n > 0.0)
    residual = y - m * rate[cells.group]
    several = m > 1.0
    discordance = np.divide(y * (m - y), m - 1.0, out=np.zeros_like(m), where=several)
    squared = residual**2
    sums = ClusterSums(
        samples=n,
        events=x,
        residuals=cells.by_group(squared),
        discordance=cells.by_group(discordance),
        paired=cells.by_group(np.where(several, m, 0.0)),
        squares=cells.by_group(m**2),
        event_squares=cells.by_group(y**2),
        other_squares=cells.by_group((m - y) ** 2),
    )
    samples, effect = effective_samples(sums)
    freedom = np.minimum(freedom_of_samples(cells.effective()), freedom_of_samples(samples))
    shared = _drawn_apart(shared_correlation(cells, residual / n[cells.group]), cells.effective())
    clusters = cells.by_group().astype(np.int64)
    return EffectiveCounts(_whole(rate * samples), samples, clusters, effect, freedom, shared)


def _drawn_apart(shared: Array | None, effective: Array) -> Array | None:
    """Return the correlations with one more cluster each, in which two groups that agree do not.

    Where nearly all samples of a cluster are alike, two rates differ by the few clusters that are not, and these may be
    missed: 25 clusters in both groups, events cut from scores with correlation 0.9 within them, pass wrongly in 0.066.
    """
    if shared is None:
        return None
    fewer = np.minimum(effective[:, None], effective)
    return np.where(shared > 0.0, shared * fewer / (fewer + 1.0), shared)
