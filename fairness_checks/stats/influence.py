"""What each sample contributes to a group's estimate, so that two models are compared on the patients they share."""

# An estimate differs from the truth by about the sum of its samples' influence (Hampel, JASA 69 (1974) 383,
# doi:10.1080/01621459.1974.10482962): the sum of squares is its variance, the sum of products the covariance of two
# estimates, in whose difference cancels what both models have in common. Samples of a cluster are summed first (Liang
# and Zeger, Biometrika 73 (1986) 13, doi:10.1093/biomet/73.1.13). Influence is scaled by sqrt(m / (m - 1)), m
# independent units: a mean's variance is then the usual one, an area's is DeLong's (Biometrics 44 (1988) 837,
# doi:10.2307/2531595).
# Where two models differ in few samples the variance of their difference is known badly, and is 0 where they agree.
# So every estimate has pseudo-samples, in which the models disagree. Rates: one event and one non-event more (Agresti
# and Caffo, doi:10.1080/00031305.2000.10474560; Price and Bonett, doi:10.1016/S0167-9473(03)00007-0); paired, new and
# old take them in turn (Bonett and Price, J. Educ. Behav. Stat. 37 (2012) 479, doi:10.3102/1076998611411915), changed
# as much as those that did change (`paired_changes`). Means: one sample above and one below by half a standard
# deviation. Areas: one of each class, ranked by chance, for the variance only; the models do not share it.

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from fairness_checks.stats.clusters import Integers, cluster_cells, cluster_evidence, distinct
from fairness_checks.stats.ranking import placements
from fairness_checks.stats.ranks import floats, inner, run_ends, same_length
from fairness_checks.stats.roots import root
from fairness_checks.stats.satterthwaite import two_sample_freedom
from fairness_checks.typing import Array

__all__ = [
    "Influence",
    "auc_influence",
    "balanced_accuracy_influence",
    "hidden_factor",
    "influence_of_moments",
    "mean_influence",
    "mean_influence_of_moments",
    "rate_components",
    "rate_influence",
]

_ROUNDING = 1e-12

Booleans = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Influence:
    """One group's estimate and what each sample contributes to its deviation from the truth."""

    value: float  # nan where it is undefined
    centre: float  # the estimate with its pseudo-samples, for tests
    psi: Array  # (n,), in the unit of the metric; 0 for a sample that does not count
    extra: Array  # (k,), of the pseudo-samples; where paired, i of new is k - 1 - i of old
    freedom: float  # of the variance, psi over units and extra squared; nan below two units
    plain: Array | None = None  # (n,), psi before it grows for what unequal clusters hide; None without samples
    own: Array | None = None  # (n,), by itself, not as a deviation: equal where two models agree in a sample
    kept: float = 1.0  # share of a difference between two models that pseudo-samples leave of it
    bounded: bool = True  # whether no sample can move the estimate further than a pseudo-sample does
    times: Integers | None = None  # (n,), samples that each of n stands for, which are independent; None: one each

    def total(self, *factors: Array) -> float:
        """Return the sum, over all samples, of a product of two or three numbers of each."""
        first, second, *third = factors
        if self.times is not None:
            first = first * self.times
        return float(np.sum(first * second * third[0])) if third else inner(first, second)


def _samples(of: Booleans, times: Integers | None) -> int:
    return int(of.sum() if times is None else times[of].sum())


def _units(counted: Booleans, clusters: Integers | None, times: Integers | None = None) -> int:
    """Count the independent units: samples, or clusters that hold a sample that counts."""
    return _samples(counted, times) if clusters is None else len(distinct(clusters[counted])[0])


def _freedom(counted: Booleans, clusters: Integers | None, times: Integers | None = None) -> float:
    """Return the effective number of units less one."""
    if clusters is None:
        return float(_samples(counted, times)) - 1.0
    return float(cluster_cells(np.where(counted, 0, -1), 1, clusters).effective()[0]) - 1.0


def hidden_factor(psi: Array, clusters: Integers | None, counted: Booleans) -> float:
    """Return the factor, 1 or more, by which influence must grow for what unequal clusters hide of its variance."""
    # 1 where clusters are of one size; see `clusters.cluster_evidence`.
    if clusters is None:
        return 1.0
    cells = cluster_cells(np.where(counted, 0, -1), 1, clusters)
    units, seen = len(cells.cluster), float(np.sum(cells.sums(psi) ** 2))
    if units < 2 or seen <= _ROUNDING * inner(psi, psi):  # what cancels within clusters leaves rounding
        return 1.0
    # Both count the units less one: influence comes scaled for them.
    return float(np.sqrt(max(1.0, cluster_evidence(cells, psi).variance[0] * (units - 1.0) / units / seen)))


def _two_class_freedom(
    of_positives: Array,
    of_negatives: Array,
    labels: Booleans,
    clusters: Integers | None,
    times: Integers | None = None,
) -> float:
    """Satterthwaite's degrees of freedom of an estimate from positives and negatives."""
    if times is not None:  # no sample is of both classes
        (p, m), (q, n) = (
            (inner(psi * times, psi), _samples(mine, times))
            for psi, mine in ((of_positives, labels), (of_negatives, ~labels))
        )
        return min(float(two_sample_freedom(p, q, 0.0, m, n, 0)), max(m + n - 1.0, 1.0))
    if clusters is None:
        first, second, has, lacks = of_positives, of_negatives, labels, ~labels
    else:
        codes = distinct(clusters)[1]
        first, second = (np.bincount(codes, psi).astype(np.float64) for psi in (of_positives, of_negatives))
        has, lacks = (np.bincount(codes, mine) > 0.0 for mine in (labels, ~labels))
    common = 2.0 * inner(first, second)
    m, n, shared = has.sum(), lacks.sum(), np.sum(has & lacks)
    freedom = float(two_sample_freedom(inner(first, first), inner(second, second), common, m, n, shared))
    return min(freedom, max(_freedom(np.ones(len(labels), dtype=np.bool_), clusters), 1.0))


def _nothing(value: float, n: int, extras: int) -> Influence:
    return Influence(value, value, np.zeros(n), np.zeros(extras), np.nan, np.zeros(n), np.zeros(n))


def rate_influence(
    events: Booleans,
    counted: Booleans,
    clusters: Integers | None = None,
    *,
    pseudo: bool = True,
    times: Integers | None = None,
) -> Influence:
    """Return the influence on a rate, p = (samples that count with an event) / (that count); nan where none counts."""
    # events, counted, clusters: (n,). Pseudo-samples weigh as much as a mean cluster; without them (`pseudo`) the
    # variance is the plain one, sum of (x - p)^2 / (n (n - 1)), for reports. times: as in `Influence`, without
    # clusters.
    same_length(events=events, counted=counted)
    n, units = _samples(counted, times), _units(counted, clusters, times)
    value = _samples(events & counted, times) / n if n else np.nan
    if units < 2:
        return replace(_nothing(value, len(events), 2), times=times)
    weight = n / units if pseudo else 0.0
    total = n + 2.0 * weight
    centre = (n * value + weight) / total
    independent = units + 2.0 * bool(pseudo)
    scale = np.sqrt(independent / (independent - 1.0)) / total
    psi = np.where(counted, events - centre, 0.0) * scale
    extra = np.array([1.0 - centre, -centre]) * (weight * scale)
    own, grown = (events & counted) * scale, psi * hidden_factor(psi, clusters, counted)
    freedom = _freedom(counted, clusters, times)
    return Influence(value, centre, grown, extra, freedom, psi, own, n / total, times=times)


def rate_components(counts: Integers, event: Booleans, counted: Booleans) -> Array:
    """Return the influence on a rate of a sample of each cell; nan for a group of fewer than 2 that count."""
    # counts: (G, C), samples of each group in each cell; event, counted: (C,), whether a cell's samples are, and
    # whether they count. (G, C); that of `rate_influence` without pseudo-samples, of independent samples.
    x, n = (counts[:, cells].sum(axis=1, keepdims=True).astype(np.float64) for cells in (event & counted, counted))
    with np.errstate(divide="ignore", invalid="ignore"):
        psi = np.where(counted, event - x / n, 0.0) * (np.sqrt(n / (n - 1.0)) / n)
    return np.asarray(np.where(n < 2.0, np.nan, psi))


def mean_influence(values: npt.ArrayLike, clusters: Integers | None = None, *, pseudo: bool = True) -> Influence:
    """Return the influence on a mean of one value a sample, shape (n,); a sample whose value is nan does not count."""
    values = np.asarray(values, dtype=np.float64)
    counted = ~np.isnan(values)
    n, units = int(counted.sum()), _units(counted, clusters)
    value = float(values[counted].mean()) if n else np.nan
    if units < 2:
        return _nothing(value, len(values), 2)
    scale = np.sqrt(units / (units - 1.0)) / n
    psi = np.where(counted, values - value, 0.0) * scale
    spread = 0.5 * float(np.sqrt(inner(psi, psi) / n)) if pseudo else 0.0
    # A cluster of mean size, all of it half a standard deviation away.
    more = spread * (n / units)
    own, grown = np.where(counted, values, 0.0) * scale, psi * hidden_factor(psi, clusters, counted)
    extra, freedom = np.array([more, -more]), _freedom(counted, clusters)
    return Influence(value, value, grown, extra, freedom, psi, own, bounded=not pseudo)


def influence_of_moments(
    value: float, centre: float, variance: float, third: float, extra: Array, freedom: float
) -> Influence:
    """Return an influence of which the sums of squares and of cubes are `variance` and `third`."""
    # Two numbers stand for all samples: a > 0 and -b < 0 with a^2 + b^2 the variance and a^3 - b^3 the third moment.
    # That is all that a test of samples which are not paired reads of them.
    size = math.sqrt(variance)
    cubes = min(max(third / size**3, -1.0), 1.0) if size**3 > 0.0 else 0.0
    # cos^3 - sin^3 falls from 1 to -1 between 0 and a right angle.
    angle = root(lambda t: math.cos(t) ** 3 - math.sin(t) ** 3 - cubes, 0.0, math.pi / 2.0)
    return Influence(value, centre, size * np.array([math.cos(angle), -math.sin(angle)]), extra, freedom)


def mean_influence_of_moments(n: int, mean: float, m2: float, m3: float) -> Influence:
    """Return that on a mean of n independent values, of whose deviations the squares and cubes add up to m2 and m3."""
    if n < 2:
        return _nothing(mean, 2, 2)
    scale = math.sqrt(n / (n - 1.0)) / n
    variance, more = m2 * scale**2, 0.5 * math.sqrt(m2 / n) * scale
    found = influence_of_moments(mean, mean, variance, m3 * scale**3, np.array([more, -more]), n - 1.0)
    return replace(found, bounded=False)


def auc_influence(
    labels: Booleans,
    scores: npt.ArrayLike,
    clusters: Integers | None = None,
    *,
    pseudo: bool = True,
    times: Integers | None = None,
) -> Influence:
    """Return the influence on the area under the ROC curve: DeLong's structural components, ties counted half."""
    labels, scores = np.asarray(labels, dtype=np.bool_), floats("scores", scores)
    same_length(labels=labels, scores=scores)
    order = np.argsort(scores)
    psi = np.zeros(len(scores))
    m, n = _samples(labels, times), _samples(~labels, times)
    if not m or not n:
        return replace(_nothing(np.nan, len(scores), 4), times=times)
    p, q, lower, higher = placements(labels[order], scores[order], None if times is None else times[order])
    area = int(p @ lower) / (2 * m * n)
    units = np.array([_units(labels, clusters, times), _units(~labels, clusters, times)], dtype=np.float64)
    if units.min() < 2:
        return replace(_nothing(area, len(scores), 4), times=times)
    scale = np.sqrt(units / (units - 1.0)) / (m, n)
    run = p + q if times is None else np.diff(run_ends(scores[order]), prepend=-1)
    above, below = np.repeat(lower / (2.0 * n), run) - area, np.repeat(higher / (2.0 * m), run) - area
    psi[order] = np.where(labels[order], above * scale[0], below * scale[1])
    chance = (0.5 - area) / units if pseudo else np.zeros(2)
    own = psi + area * np.where(labels, scale[0], scale[1])
    grown = psi * hidden_factor(psi, clusters, np.full(len(labels), True))
    freedom = _two_class_freedom(grown * labels, grown * ~labels, labels, clusters, times)
    return Influence(area, area, grown, np.append(chance, [0.0, 0.0]), freedom, psi, own, times=times)


def balanced_accuracy_influence(
    labels: Booleans,
    predicted: Booleans,
    clusters: Integers | None = None,
    *,
    pseudo: bool = True,
    times: Integers | None = None,
) -> Influence:
    """Return the influence on the balanced accuracy, (TPR + TNR) / 2; nan without positives or negatives."""
    hits = rate_influence(predicted, labels, clusters, pseudo=pseudo, times=times)
    rejections = rate_influence(~predicted, ~labels, clusters, pseudo=pseudo, times=times)
    freedom = _two_class_freedom(hits.psi, rejections.psi, labels, clusters, times)
    first, last = zip(hits.extra, rejections.extra, strict=True)
    return Influence(
        (hits.value + rejections.value) / 2.0,
        (hits.centre + rejections.centre) / 2.0,
        (hits.psi + rejections.psi) / 2.0,
        # Paired, an event of one rate is a non-event of the same rate.
        np.array([*first, *last[::-1]]) / 2.0,
        freedom,
        _half(hits.plain, rejections.plain),
        _half(hits.own, rejections.own),
        max(hits.kept, rejections.kept),
        times=times,
    )


def _half(one: Array | None, other: Array | None) -> Array | None:
    return None if one is None or other is None else (one + other) / 2.0
