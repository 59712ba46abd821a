"""What it would take: the disparity that given groups can show, and the groups that a given disparity needs."""

# Normal approximation of the score test: its variance is taken at the restricted estimate under the null hypothesis,
# and at the true rates under the alternative (Farrington and Manning, Stat. Med. 9 (1990) 1447).

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy import special

from fairness_checks.stats.proportions import Contrast, restricted_rate
from fairness_checks.stats.roots import root
from fairness_checks.stats.simultaneous import largest_exceeds

__all__ = [
    "POWER",
    "detectable_difference",
    "detectable_disparity",
    "detectable_value",
    "needed_factor",
    "needed_factor_difference",
    "needed_factor_value",
    "smallest_factor",
]

POWER = 0.8
_MOST_SAMPLES_FACTOR = 1e6
_PAST_EDGE = 1e-9  # at a limit of rates 0 against 0 every deviation vanishes, and with it the excess


def _critical(alpha: float, both_directions: bool) -> float:
    return float(special.ndtri(1.0 - alpha / (2.0 if both_directions else 1.0)))


def _deviations(
    p1: float, n1: float, p2: float, n2: float, margin: float, contrast: Contrast
) -> tuple[float, float, float]:
    """Return (distance from the margin, standard deviation under H0, under the alternative), for p1 - w p2."""
    null1, null2 = (float(v) for v in restricted_rate(n1 * p1, n1, n2 * p2, n2, margin, contrast))
    weight = 1.0 if contrast == "difference" else margin
    distance = p1 - p2 - margin if contrast == "difference" else p1 - margin * p2
    under_null = math.sqrt(null1 * (1 - null1) / n1 + weight**2 * null2 * (1 - null2) / n2)
    under_truth = math.sqrt(p1 * (1 - p1) / n1 + weight**2 * p2 * (1 - p2) / n2)
    return distance, under_null, under_truth


def _margin(limit: float, contrast: Contrast) -> float:
    """Return the margin of (higher rate, lower rate)."""
    return limit if contrast == "difference" else 1.0 / limit


def detectable_disparity(
    lower_rate: float, n_higher: float, n_lower: float, limit: float, contrast: Contrast, alpha: float
) -> float | None:
    """Return the smallest true disparity past the limit that such groups show with 80 % power, or None."""
    margin = _margin(limit, contrast)
    z = _critical(alpha, both_directions=margin == (0.0 if contrast == "difference" else 1.0))

    def excess(higher: float) -> float:
        distance, null, truth = _deviations(higher, n_higher, lower_rate, n_lower, margin, contrast)
        return distance - z * null - special.ndtri(POWER) * truth

    edge = lower_rate + margin if contrast == "difference" else lower_rate * margin
    if edge >= 1.0 or excess(1.0) <= 0.0:
        return None
    higher = root(excess, edge + _PAST_EDGE, 1.0, xtol=1e-6)
    return higher - lower_rate if contrast == "difference" else lower_rate / higher


def needed_factor(
    higher_rate: float,
    n_higher: float,
    lower_rate: float,
    n_lower: float,
    limit: float,
    contrast: Contrast,
    alpha: float,
    power: float = POWER,
    groups: int = 2,
) -> float | None:
    """Return the factor by which both groups must grow until these rates settle the limit; None if over 1e6."""
    # With more groups than two, compliance is that of all pairs, whose rates differ as much as these two at most and
    # which are no smaller than these two. A violation is that of this pair, tested at `alpha`.
    margin = _margin(limit, contrast)
    distance, null, truth = _deviations(higher_rate, n_higher, lower_rate, n_lower, margin, contrast)
    if distance > 0.0:
        equal = margin == (0.0 if contrast == "difference" else 1.0)
        return _factor(distance, _critical(alpha, both_directions=equal) * null + special.ndtri(power) * truth)
    # Compliance is shown by two one-sided tests, and both must succeed: near equality each needs more than the power.
    other = -margin if contrast == "difference" else 1.0 / margin
    sides = [
        (-distance, null, truth),
        _deviations(higher_rate, n_higher, lower_rate, n_lower, other, contrast),
    ]
    if any(gap <= 0.0 for gap, _, _ in sides) or truth == 0.0:
        return _factor(distance, _critical(alpha, both_directions=False) * null + special.ndtri(power) * truth)
    return _factor_of_both(sides, alpha, power, groups)


def _factor_of_both(sides: list[tuple[float, float, float]], alpha: float, power: float, groups: int) -> float | None:
    """Factor with which two one-sided tests of (gap, deviation under H0, under the alternative) succeed together."""
    # Among several groups they succeed for all pairs. The values of all groups lie within the difference of the two;
    # the chance of a miss is largest where half of the groups lie at either end, see `simultaneous`.
    z = _critical(alpha, both_directions=False)

    def missed(grown: float) -> float:
        near, far = sorted((grown * gap - z * null) / truth for gap, null, truth in sides)
        if groups == 2:
            return float(special.ndtr(-near) + special.ndtr(-far))
        return float(largest_exceeds(near, np.array([float(groups)]), np.array([(far - near) / math.sqrt(2.0)]))[0])

    return smallest_factor(missed, power)


def smallest_factor(missed: Callable[[float], float], power: float) -> float | None:
    """Factor of the samples at which the probability of a miss has fallen to ``1 - power``."""
    # `missed` takes the root of the factor, by which distances grow in standard errors, and falls. None above 1e6.

    def excess(log_factor: float) -> float:
        return 1.0 - missed(math.exp(log_factor / 2.0)) - power

    least, most = -30.0, math.log(_MOST_SAMPLES_FACTOR)
    if excess(most) <= 0.0:
        return None
    return math.exp(root(excess, least, most, xtol=1e-9)) if excess(least) < 0.0 else math.exp(least)


def detectable_difference(error: float, limit: float, alpha: float) -> float:
    """Smallest true difference past the limit that an estimate of this standard error shows with 80 % power."""
    return limit + (_critical(alpha, both_directions=limit == 0.0) + float(special.ndtri(POWER))) * error


def needed_factor_difference(
    difference: float,
    error: float,
    limit: float,
    level: float,
    alpha: float,
    power: float = POWER,
    groups: int = 2,
) -> float | None:
    """Return the factor by which the samples of a difference must grow until it settles the limit; None if over 1e6."""
    # `level` and `alpha` test a violation and compliance, which all of `groups` must show, none of whose differences
    # is larger or less well known.
    if difference > limit:
        z = _critical(level, both_directions=limit == 0.0) + float(special.ndtri(power))
        return _factor(difference - limit, z * error)
    if error == 0.0 or difference == limit:
        return None
    sides = [(limit - difference, error, error), (limit + difference, error, error)]
    return _factor_of_both(sides, alpha, power, groups)


def _factor(distance: float, deviation: float) -> float | None:
    if distance == 0.0:
        return None
    factor = (deviation / distance) ** 2
    return float(factor) if factor <= _MOST_SAMPLES_FACTOR else None


def detectable_value(n: float, limit: float, alpha: float) -> float | None:
    """Smallest true rate above a ceiling that n samples show with 80 % power; None if there is none."""

    def excess(rate: float) -> float:
        return float(
            rate
            - limit
            - _critical(alpha, False) * np.sqrt(limit * (1 - limit) / n)
            - special.ndtri(POWER) * np.sqrt(rate * (1 - rate) / n)
        )

    return None if excess(1.0) <= 0.0 else root(excess, limit + _PAST_EDGE, 1.0, xtol=1e-6)


def needed_factor_value(rate: float, n: float, limit: float, alpha: float, power: float = POWER) -> float | None:
    """Factor by which a group must grow until its rate settles a ceiling with the power; None as `needed_factor`."""
    null, truth = math.sqrt(limit * (1 - limit) / n), math.sqrt(rate * (1 - rate) / n)
    return _factor(rate - limit, _critical(alpha, False) * null + special.ndtri(power) * truth)
