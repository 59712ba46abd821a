"""What skewed errors do to the test of a mean, and how far their samples show it."""

# Where errors are skewed to the right, a small group often misses its large errors; then its mean and its variance
# are both too small, and Welch's t calls the mean low with too much confidence. Where it is the worse one for a
# violation, or a high mean for compliance, the same skewness makes Welch's t too cautious. By Edgeworth's expansion
# the studentised mean's quantile moves by g (2 z^2 + 1) / (6 sqrt(n)), g the skewness (Hall, Ann. Probab. 15 (1987)
# 920, doi:10.1214/aop/1176992073). A sample's skewness is biased towards zero, and correcting by it in full, as
# Johnson (JASA 73 (1978) 536) and Hall (J. R. Stat. Soc. B 54 (1992) 221) do, leaves wrong passes at twice alpha.
# Here
# - compliance: a group's standard error is widened by twice that term, only on the side where the mean may lie
# unseen, never narrowed; the two groups' sides are put together as in MOVER (Zou and Donner, Stat. Med. 27 (2008)
# 1693, doi:10.1002/sim.3095);
# - violation: the standard error of the difference is widened by nearly three times that term of the group that
# endangers it, times the group's share of the variance to the power 3/2. Errors skewed alike in both groups cancel:
# the other group's term counts against it, less where that group varies less. Where more counts against a widening
# than for it, nothing is widened; what is left corrects t by Hall's cubic transformation (`estimates.straightened`);
# - a group's skewness is the larger of its own and that of all groups pooled about their means (for what counts
# against a widening, the smaller one);
# - its variance is drawn towards the pooled one, if that is larger, by the weight |g| / sqrt(n) for compliance and
# g^2 / n for a violation; a constant group takes the pooled variance, and where all are constant nothing can be
# shown.

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fairness_checks.stats.estimates import upper_quantile
from fairness_checks.stats.moments import ROUNDING, MeanStatistics
from fairness_checks.typing import Array

__all__ = [
    "WIDENING",
    "can_be_judged",
    "flattened",
    "steepened",
    "unseen_steepness",
    "unseen_variances",
    "variances",
    "violation_variances",
]

# Twice (2 z^2 + 1) / (6 z) at z = 1.645, the shift of the quantile per g / sqrt(n) as a share of the quantile.
WIDENING = 1.3
_WIDENING_PAIR = 1.84  # times the square root of 2: the same for two means that vary alike
_WIDENING_ALONE = 4.0  # per g^2 / n: found by simulation, see `worst_mean`
_USUAL = 0.05  # level up to which a widening that does not depend on the level is enough
_STEEPER = 1.25  # times what Edgeworth's term grows by at smaller levels: found by simulation


def variances(statistics: MeanStatistics) -> Array:
    """Return the samples' unbiased variances, shape (G,); exactly 0 for constants, NaN below two samples."""
    n = statistics.n.astype(np.float64)
    constant = statistics.m2 <= n * (ROUNDING * statistics.mean) ** 2
    return np.where(n >= 2, np.where(constant, 0.0, statistics.m2) / np.maximum(n - 1.0, 1.0), np.nan)


def _pooled_variance(found: Array, n: Array) -> float:
    known = ~np.isnan(found)
    return float((found[known] * (n[known] - 1.0)).sum() / max((n[known] - 1.0).sum(), 1.0))


def can_be_judged(statistics: MeanStatistics) -> npt.NDArray[np.bool_]:
    """Say of which groups anything can be shown: two samples or more, and not every group constant; shape (G,)."""
    found, n = variances(statistics), statistics.n.astype(np.float64)
    return np.asarray(~np.isnan(found) & (_pooled_variance(found, n) > 0.0))


@dataclass(frozen=True, slots=True, eq=False)
class _Shape:
    """Variances and skewness of G groups, as far as their samples show them; shapes (G,)."""

    # `high` and `low` are bounds of skewness / sqrt(n), from the group's own and that of all groups pooled.

    n: Array
    judged: npt.NDArray[np.bool_]
    variances: Array
    pooled: float
    high: Array
    low: Array

    def raised(self, harm: Array, power: float) -> Array:
        """Return the variances, drawn towards the pooled one, if that is larger, by harm^power."""
        weight = np.where(self.variances > 0.0, np.minimum(harm, 1.0) ** power, 1.0)
        raised = self.variances + weight * np.maximum(self.pooled - self.variances, 0.0)
        return np.where(self.judged, raised, np.nan)


def _shape(statistics: MeanStatistics) -> _Shape:
    n = np.maximum(statistics.n, 1).astype(np.float64)
    judged, found = can_be_judged(statistics), variances(statistics)
    pooled = _pooled_variance(found, n)
    # Scaled by the pooled deviation before any cube is taken, so that no unit of the errors can overflow.
    unit = np.sqrt(pooled) if pooled > 0.0 else 1.0
    m2, m3 = statistics.m2 / unit**2, statistics.m3 / unit**3
    varied = judged & (found > 0.0)
    own = np.divide(m3 / n, (m2 / n) ** 1.5, out=np.zeros_like(n), where=varied)
    # Constant groups count here: their samples belong to the bulk that the others' large errors stand out from.
    total = n[judged].sum()
    shared = float(m3[judged].sum() / total / (m2[judged].sum() / total) ** 1.5) if varied.any() else 0.0
    root = np.sqrt(n)
    return _Shape(n, judged, found, pooled, np.maximum(own, shared) / root, np.minimum(own, shared) / root)


def unseen_variances(statistics: MeanStatistics, *, alone: bool = False) -> tuple[Array, Array]:
    """Variances of the means for claims "it is not higher" and "it is not lower", shapes (G,); NaN if not judged."""
    # Between two means part of the skewness cancels; one `alone`, compared with a number, is widened by 4 g^2 / n
    # more.
    shape = _shape(statistics)

    def unseen(harm: Array) -> Array:
        more = _WIDENING_ALONE * harm**2 if alone else 0.0
        return shape.raised(harm, 1.0) / shape.n * (1.0 + WIDENING * harm + more) ** 2

    return unseen(np.maximum(shape.high, 0.0)), unseen(np.maximum(-shape.low, 0.0))


def unseen_steepness(statistics: MeanStatistics) -> tuple[Array, Array]:
    """How much skewness moves t beyond the usual level, as `steepened` takes it; sides of `unseen_variances` alone."""
    # Few clusters hide the skewness of their sums; that of the samples counts, as if all of a cluster were alike.
    shape = _shape(statistics)
    shown = np.zeros_like(shape.n) if statistics.of_samples is None else statistics.of_samples / np.sqrt(shape.n)

    def steepness(harm: Array, of_samples: Array) -> Array:
        return _STEEPER * np.maximum(harm, of_samples) / (1.0 + WIDENING * harm + _WIDENING_ALONE * harm**2)

    return steepness(np.maximum(shape.high, 0.0), shown), steepness(np.maximum(-shape.low, 0.0), -shown)


# The term g (2 z^2 + 1) / (6 sqrt(n)) grows faster than z: what is enough at a level of 0.05 is not at a smaller one.
# Beyond its quantile there, t is that of a steeper curve, z + s ((2 z^2 + 1) / 3 - 1.3 z), the same at that quantile.


def steepened(z: Array, freedom: Array, steepness: Array) -> Array:
    """Return the t that a skewed mean has where one that is not skewed has z."""
    usual = upper_quantile(_USUAL, freedom)
    beyond = np.maximum(z - usual, 0.0)
    return np.asarray(z + steepness * beyond * (2.0 / 3.0 * beyond + 4.0 / 3.0 * usual - WIDENING))


def flattened(t: Array, freedom: Array, steepness: Array) -> Array:
    """Return the inverse of `steepened`."""
    usual = upper_quantile(_USUAL, freedom)
    beyond = np.maximum(t - usual, 0.0)
    slope = 1.0 + steepness * (4.0 / 3.0 * usual - WIDENING)
    return np.asarray(
        np.minimum(t, usual) + 2.0 * beyond / (slope + np.sqrt(slope**2 + 8.0 / 3.0 * steepness * beyond))
    )


def violation_variances(
    statistics: MeanStatistics, higher: np.ndarray, lower: np.ndarray
) -> tuple[Array, Array, Array]:
    """Variances of the means for the claim "the higher one is higher", and the skewness that makes it too cautious."""
    # higher, lower: (B,). Variances of both means, widened where skewness endangers the claim, nan if not judged; and
    # the skewness of the difference for `estimates.straightened`, 0 where a variance is widened.
    shape = _shape(statistics)
    # How far each side is endangered: the higher mean may be lower, the lower one higher. Negative is safe.
    danger = np.stack([-shape.low[higher], shape.high[lower]])
    n = shape.n[np.stack([higher, lower])]
    spread = np.stack([shape.raised(np.maximum(-shape.low, 0.0), 2.0), shape.raised(np.maximum(shape.high, 0.0), 2.0)])
    spread = np.stack([spread[0][higher], spread[1][lower]])
    widened = spread / n * (1.0 + _WIDENING_PAIR * np.maximum(_net_danger(danger, spread, n, 1.5), 0.0)) ** 2
    # A side whose large errors have not been seen has too small a variance, and with it too small a share of danger.
    unseen = np.where(danger > 0.0, np.maximum(spread, shape.pooled), spread)
    skewness = np.maximum(-_net_danger(danger, unseen, n, 1.0), 0.0)  # 0 wherever something is widened
    return widened[0], widened[1], np.nan_to_num(skewness)


def _net_danger(danger: Array, spread: Array, n: Array, power: float) -> Array:
    """Return by how much skewness endangers the differences; all shapes (2, B), of the higher and the lower means."""
    share = spread / n / (spread / n).sum(axis=0)
    harm = np.maximum(danger, 0.0) * share**power
    credit = np.maximum(-danger, 0.0) * share**1.5 * np.minimum(1.0, spread / spread[::-1])
    return np.asarray((harm - credit).sum(axis=0))
