"""Effective counts of clustered samples: events and samples that are worth as much as independent ones."""

# Rao and Scott (Biometrics 48 (1992) 577, doi:10.2307/2532311) divide a group's counts by its design effect, the
# variance of its rate over that of as many independent samples. Three things keep that within its level where
# clusters are few, of unequal size, or hold few events (docs/statistics.md):
# - The larger one decides of two estimates: the cluster-robust variance, which is too small whenever a large cluster
# happens to hold no event, just when the rate is too small as well; and the one from the correlation within clusters,
# of samples that are not alone in theirs.
# - A few events say little about their correlation. Clusters with y events and m - y others count as e = min((sum
# y)^2 / sum y^2, (sum m - y)^2 / sum (m - y)^2) that hold either; the estimate is drawn towards 1 with weight 1 / (1
# + e^2).
# - The variance is itself an estimate: p-values are those of the effective clusters' degrees of freedom
# (`few_clusters`). That one rate is lower than a number rests on those that hold events: `tail_freedom`.
# Clusters of one sample give back the counts, exactly; samples repeated as clusters the counts of the samples once.

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fairness_checks.stats.clusters import ClusterCells, effective_clusters, shared_correlation
from fairness_checks.stats.few_clusters import LEAST_FREEDOM, freedom_of_samples
from fairness_checks.typing import Array, Numbers

__all__ = [
    "ClusterSums",
    "EffectiveCounts",
    "correlation",
    "counts_of_sums",
    "effective_counts",
    "effective_samples",
    "held_freedom",
    "pairs_within",
    "safe_weight",
    "tail_freedom",
]

_SAFE_EVENTS = 1.0  # effective clusters that hold events, at which a correlation of 1 weighs 1/2; found by simulation
_SKEWED = 2.0  # weight of what the clusters that hold events are fewer than all; found by simulation
_WHOLE = 1e-9  # relative; counts this close to a whole number are that number, computed along another path


@dataclass(frozen=True, slots=True, eq=False)
class EffectiveCounts:
    """Counts of G groups as if all samples were independent."""

    events: Array  # (G,); events / samples is the group's rate
    samples: Array  # (G,), from 1 to n; both 0 for a group without samples
    clusters: npt.NDArray[np.int64]  # (G,), with a sample in the group
    design_effect: Array  # (G,), 1 or more
    freedom: Array  # (G,), effective clusters less one, no more than the effective samples have
    lower: Array  # (G,), degrees of freedom for the claim that a rate is lower than a number; no more than `freedom`
    higher: Array  # (G,), likewise higher
    shared: Array | None = None  # (G, G), correlations through clusters that lie in several groups


@dataclass(frozen=True, slots=True, eq=False)
class ClusterSums:
    """All that effective counts are computed from; sums over the clusters of each group, float64 of one shape."""

    samples: Array  # n
    events: Array  # x
    residuals: Array  # sum of (y - m x / n)^2 over clusters with m samples and y events
    discordance: Array  # sum of y (m - y) / (m - 1) over the clusters of two samples or more
    paired: Array  # samples in clusters of two or more
    paired_events: Array  # events in these
    squares: Array  # sum of m^2
    event_squares: Array  # sum of y^2
    other_squares: Array  # sum of (m - y)^2


def correlation(sums: ClusterSums) -> Array:
    """Estimate the correlation within clusters that the design effect implies, 0 or more; 1 where nothing is known."""
    # It exceeds 1 where the rate varies with the cluster's size.
    n = sums.samples
    with np.errstate(divide="ignore", invalid="ignore"):
        rate, mean_size = sums.events / n, sums.squares / n
        binomial = rate * (1.0 - rate)
        # As the rate is estimated, both variances are too small: by 1 - sum(m^2) / n^2, and by 1 - effect / n.
        observed = sums.residuals / (n * binomial)
        robust = (observed / (1.0 - mean_size / n + observed / n) - 1.0) / (mean_size - 1.0)
        # Samples alone in their clusters, whose rate may be another one, say nothing of how alike others are.
        paired, of_paired = sums.paired, sums.paired_events / sums.paired
        paired_size = (sums.squares - (n - paired)) / paired
        apart = sums.discordance / paired / (of_paired * (1.0 - of_paired))
        within = (1.0 - apart * (1.0 - 1.0 / paired)) / (1.0 - apart * (paired_size - 1.0) / paired)
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


def tail_freedom(sums: ClusterSums, freedom: Array) -> tuple[Array, Array]:
    """Return the degrees of freedom for the claims that one rate is lower, and higher, than a number."""
    n, rho = sums.samples, np.minimum(correlation(sums), 1.0)
    found = []
    with np.errstate(divide="ignore", invalid="ignore"):
        for count, squares in ((sums.events, sums.event_squares), (n - sums.events, sums.other_squares)):
            known = held_freedom(n**2 / sums.squares, count**2 / squares, sums.squares / n, rho)
            found.append(np.where(np.isfinite(known), np.minimum(np.maximum(known, LEAST_FREEDOM), freedom), freedom))
    return found[0], found[1]


def held_freedom(clusters: Numbers, held: Numbers, mean_size: Numbers, rho: Numbers) -> Array:
    """Return the degrees of freedom of the variance of a rate, of whose effective clusters so many hold events."""
    # Where few of k hold events, e of them, the variance is as uncertain as that of a skewed variable: of
    # 1 / (1 / k + 2 (1 / e - 1 / k)) independent values (the factor found by simulation). It is low whenever the rate
    # is. Only the correlation is uncertain: not at all where clusters are of one sample, or their samples all alike.
    k, e, size = (np.asarray(each, dtype=np.float64) for each in (clusters, held, mean_size))
    with np.errstate(divide="ignore", invalid="ignore"):
        certain = size / ((size - 1.0) * (1.0 - np.asarray(rho, dtype=np.float64)))
        return np.asarray(certain / (1.0 / k + _SKEWED * np.maximum(1.0 / e - 1.0 / k, 0.0)))


def effective_samples(sums: ClusterSums) -> tuple[Array, Array]:
    """Return effective samples and design effects, of the shape of the sums."""
    n, rho = sums.samples, correlation(sums)
    mean_size = np.divide(sums.squares, n, out=np.ones_like(n), where=n > 0.0)
    effect = 1.0 + (mean_size - 1.0) * rho
    return _whole(np.minimum(np.maximum(n / effect, 1.0), n)), effect


def _whole(counts: Array) -> Array:
    nearest = np.rint(counts)
    return np.where(np.abs(counts - nearest) <= _WHOLE * np.maximum(nearest, 1.0), nearest, counts)


def effective_counts(cells: ClusterCells, event: npt.NDArray[Any], shared: Array | None = None) -> EffectiveCounts:
    """Return the effective events and samples of each group; `cells` hold the samples in the rate's denominator."""
    # event: (n,); shared: correlations of the rates, (G, G), where the cells do not say them. A group where no sample
    # or every sample is an event says nothing of its clustering; it counts as if its clusters' samples were all alike.
    m, y = cells.sums(), cells.sums(event)
    n, x = cells.by_group(m), cells.by_group(y)
    rate = np.divide(x, n, out=np.zeros_like(n), where=n > 0.0)
    residual = y - m * rate[cells.group]
    sums = ClusterSums(
        samples=n,
        events=x,
        residuals=cells.by_group(residual**2),
        squares=cells.by_group(m**2),
        event_squares=cells.by_group(y**2),
        other_squares=cells.by_group((m - y) ** 2),
        **pairs_within(cells, event),
    )
    shared = shared_correlation(cells, residual / n[cells.group]) if shared is None else shared
    return counts_of_sums(sums, cells.by_group().astype(np.int64), shared)


def pairs_within(cells: ClusterCells, event: npt.NDArray[Any]) -> dict[str, Array]:
    """Return what the sums hold of clusters of two samples or more, by the names of their fields."""
    m, y = cells.sums(), cells.sums(event)
    several = m > 1.0
    discordance = np.divide(y * (m - y), m - 1.0, out=np.zeros_like(m), where=several)
    return {
        "discordance": cells.by_group(discordance),
        "paired": cells.by_group(np.where(several, m, 0.0)),
        "paired_events": cells.by_group(np.where(several, y, 0.0)),
    }


def counts_of_sums(sums: ClusterSums, clusters: npt.NDArray[np.int64], shared: Array | None) -> EffectiveCounts:
    """Return the effective counts of groups of so many clusters, shape (G,); `shared` are the rates' correlations."""
    n = sums.samples
    rate = np.divide(sums.events, n, out=np.zeros_like(n), where=n > 0.0)
    effective = effective_clusters(n, sums.squares, clusters.astype(np.float64))
    samples, effect = effective_samples(sums)
    freedom = np.minimum(freedom_of_samples(effective), freedom_of_samples(samples))
    apart = _drawn_apart(shared, effective)
    return EffectiveCounts(
        _whole(rate * samples), samples, clusters, effect, freedom, *tail_freedom(sums, freedom), apart
    )


def _drawn_apart(shared: Array | None, effective: Array) -> Array | None:
    """Return the correlations with one more cluster each, in which two groups that agree do not."""
    # Where nearly all samples of a cluster are alike, two rates differ by the few clusters that are not, and these
    # may be missed.
    if shared is None:
        return None
    fewer = np.minimum(effective[:, None], effective)
    return np.where(shared > 0.0, shared * fewer / (fewer + 1.0), shared)
