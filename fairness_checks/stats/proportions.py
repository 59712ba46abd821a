"""Score inference for one and two independent rates, compared by a *contrast*: their difference or their ratio."""

# The rates' variance is taken at the maximum likelihood estimate under the null hypothesis, times N / (N - 1)
# (Miettinen and Nurminen, Stat. Med. 4 (1985) 213, doi:10.1002/sim.4780040211; Farrington and Manning, Stat. Med. 9
# (1990) 1447, doi:10.1002/sim.4780091208).

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

import numpy as np
from scipy import special

from fairness_checks.typing import Array, Numbers

__all__ = [
    "Contrast",
    "clopper_pearson",
    "clopper_pearson_bound",
    "exact_binomial_p",
    "restricted_rate",
    "score_statistic",
]

Contrast: TypeAlias = Literal["difference", "ratio"]


def _between(values: Array, low: Numbers, high: Numbers) -> Array:
    """Return `numpy.clip` of values; a third of its time for the few values that a search asks about."""
    return np.asarray(np.minimum(np.maximum(values, low), high))


def _restricted_difference(x1: Array, n1: Array, x2: Array, n2: Array, margin: Array) -> Array:
    """Maximum likelihood estimate of p2 under p1 - p2 = margin: the cubic's root in closed form."""
    total, events = n1 + n2, x1 + x2
    c2 = ((n1 + 2.0 * n2) * margin - total - events) / total
    c1 = (n2 * margin * margin - (total + 2.0 * x2) * margin + events) / total
    c0 = x2 * margin * (1.0 - margin) / total
    third = c2 / 3.0
    square = third * third  # a power of three as products: numpy's own costs as much as all the rest
    q = third * square - c1 * third / 2.0 + c0 / 2.0
    p = np.copysign(np.sqrt(np.maximum(square - c1 / 3.0, 0.0)), q)
    with np.errstate(divide="ignore", invalid="ignore"):
        cosine = np.where(p == 0.0, 0.0, q / (p * p * p))
    angle = (np.pi + np.arccos(_between(cosine, -1.0, 1.0))) / 3.0
    root = 2.0 * p * np.cos(angle) - third
    return _between(root, np.maximum(0.0, -margin), np.minimum(1.0, 1.0 - margin))


def _restricted_ratio(x1: Array, n1: Array, x2: Array, n2: Array, margin: Array) -> Array:
    """Maximum likelihood estimate of p2 under p1 / p2 = margin: the quadratic's smaller root."""
    a = (n1 + n2) * margin
    b = -(n1 * margin + x1 + n2 + x2 * margin)
    c = x1 + x2
    discriminant = np.sqrt(np.maximum(b * b - 4.0 * a * c, 0.0))
    # 2c / (-b + d) is the smaller root without cancellation.
    with np.errstate(divide="ignore", invalid="ignore"):
        root = np.where(c == 0.0, 0.0, 2.0 * c / (-b + discriminant))
        return _between(root, 0.0, np.minimum(1.0, 1.0 / margin))


def _first_rate(contrast: Contrast, p2: Array, margin: Array) -> Array:
    """Return p1 from p2 on the boundary of the null hypothesis."""
    return _between(p2 + margin if contrast == "difference" else p2 * margin, 0.0, 1.0)


_RESTRICTED: dict[Contrast, Callable[[Array, Array, Array, Array, Array], Array]] = {
    "difference": _restricted_difference,
    "ratio": _restricted_ratio,
}


def restricted_rate(
    x1: Numbers, n1: Numbers, x2: Numbers, n2: Numbers, margin: Numbers, contrast: Contrast = "difference"
) -> tuple[Array, Array]:
    """Maximum likelihood estimates of both rates under the null hypothesis ``contrast(p1, p2) = margin``."""
    # All are broadcast; 0 <= x <= n, n >= 1, whole numbers or not; the margin of a ratio lies in (0, inf).
    floats = [np.asarray(value, dtype=np.float64) for value in (x1, n1, x2, n2, margin)]
    p2 = _RESTRICTED[contrast](*floats)
    return _first_rate(contrast, p2, floats[4]), p2


def score_statistic(
    x1: Numbers, n1: Numbers, x2: Numbers, n2: Numbers, margin: Numbers, contrast: Contrast = "difference"
) -> Array:
    """Miettinen and Nurminen's score statistic for ``contrast(p1, p2) = margin``; positive when the data lie above."""
    # Asymptotically standard normal under the null hypothesis; 0 where both numerator and variance vanish.
    p1, p2 = restricted_rate(x1, n1, x2, n2, margin, contrast)
    m1, m2 = np.asarray(n1, dtype=np.float64), np.asarray(n2, dtype=np.float64)
    weight = np.asarray(1.0 if contrast == "difference" else margin, dtype=np.float64)
    above = x1 / m1 - (x2 / m2 + margin if contrast == "difference" else weight * (x2 / m2))
    total = m1 + m2
    variance = (p1 * (1.0 - p1) / m1 + weight**2 * p2 * (1.0 - p2) / m2) * total / (total - 1.0)
    deviation = np.sqrt(np.maximum(variance, 0.0))
    vanishing = np.abs(above) < 1e-12  # an exact 0 / 0, up to rounding
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(vanishing, 0.0, above / deviation)


def exact_binomial_p(x: int, n: int, rate: float) -> tuple[float, float]:
    """Exact one-sided p-values of one proportion: (for the rate being above ``rate``, for it being below)."""
    above = 1.0 if x <= 0 else float(special.bdtrc(x - 1, n, rate))
    return above, float(special.bdtr(x, n, rate))


def clopper_pearson(x: Array, n: Array, tail: Numbers) -> tuple[Array, Array]:
    """Exact intervals of rates that leave out at most `tail` on each side; shapes (B,)."""
    low = np.where(x > 0.0, special.betaincinv(np.where(x > 0.0, x, 1.0), n - x + 1.0, tail), 0.0)
    high = np.where(x < n, special.betaincinv(x + 1.0, np.where(x < n, n - x, 1.0), 1.0 - tail), 1.0)
    return low, high


def clopper_pearson_bound(x: float, n: float, alpha: float, *, upper: bool) -> float:
    """One-sided exact confidence bound of a rate: the inversion of `exact_binomial_p` at level ``alpha``."""
    # Fractions, which are effective counts of clusters, are taken as the beta quantiles take them.
    if upper:
        return 1.0 if x >= n else float(special.betaincinv(x + 1, n - x, 1.0 - alpha))
    return 0.0 if x <= 0 else float(special.betaincinv(x, n - x + 1, alpha))
