"""The highest or the lowest rate of any group against a ceiling or a floor."""

from __future__ import annotations

import numpy as np
from scipy import special

from fairness_checks.stats.few_clusters import freedom_of_samples, narrowed, widened
from fairness_checks.stats.inference import Inference, deciding
from fairness_checks.stats.multiplicity import sidak, sidak_level
from fairness_checks.stats.proportions import clopper_pearson_bound, exact_binomial_p

__all__ = ["judge_worst_group", "worst_rate"]

_ROUNDING = 1e-12  # of a rate


def _binomial_p(x: float, n: float, rate: float) -> tuple[float, float]:
    """`exact_binomial_p`, continued to fractions by the beta integral that equals it at whole counts."""
    if x.is_integer() and n.is_integer():
        return exact_binomial_p(int(x), int(n), rate)
    above = 1.0 if x <= 0.0 else float(special.betainc(x, n - x + 1.0, rate))
    return above, 1.0 if x >= n else float(special.betainc(n - x, x + 1.0, 1.0 - rate))


def judge_worst_group(
    events: np.ndarray,
    samples: np.ndarray,
    limit: float,
    alpha: float,
    *,
    ceiling: bool,
    freedom: tuple[np.ndarray, np.ndarray] | None = None,
) -> Inference:
    """Judge the worst group's rate against a ceiling (``max_value``) or a floor (``min_value``)."""
    # Exact binomial tests, counts or effective counts of shape (G,); Sidak (JASA 62 (1967) 626) over the groups for a
    # violation, none for compliance. The interval is the inversion (Clopper and Pearson, Biometrika 26 (1934) 404).
    # `freedom`: for the claims that a rate is lower, and higher, than a number; of clusters.
    counts = [(float(x), float(n)) for x, n in zip(events, samples, strict=True)]
    groups = len(counts)
    size = freedom_of_samples(np.asarray(samples, dtype=np.float64))
    lower, higher = (size, size) if freedom is None else freedom
    if not ceiling:  # a floor of the rate is a ceiling of its complement
        counts, limit, lower, higher = [(n - x, n) for x, n in counts], 1.0 - limit, higher, lower
    p = np.array([_binomial_p(x, n, limit) for x, n in counts])
    p = widened(p, size[:, None], np.stack([higher, lower], axis=1))
    rate = np.array([x / n for x, n in counts])

    level = sidak_level(alpha, groups)
    of_low, of_high = narrowed(level, size, higher).tolist(), narrowed(alpha, size, lower).tolist()
    low = max(clopper_pearson_bound(x, n, tail, upper=False) for (x, n), tail in zip(counts, of_low, strict=True))
    high = max(clopper_pearson_bound(x, n, tail, upper=True) for (x, n), tail in zip(counts, of_high, strict=True))
    size_of = -np.array([n for _, n in counts])
    return worst_rate(rate, p, (low, high), size_of, level, alpha, ceiling=ceiling, test="exact binomial test")


def worst_rate(
    rate: np.ndarray,
    p: np.ndarray,
    ends: tuple[float, float],
    ties: np.ndarray,
    level: float,
    alpha: float,
    *,
    ceiling: bool,
    test: str,
) -> Inference:
    """Return what follows for the worst of some rates, or of their complements where the limit is a floor."""
    # `p` (G, 2): of a violation and of compliance; `ends` of the interval; by `ties` (G,) equal rates are told apart.
    groups = len(rate)
    p_violation = sidak(float(p[:, 0].min()), groups)
    shown = deciding(rate, p[:, 0], p[:, 0] < level, violated=p_violation < alpha, ties=[ties], step=_ROUNDING)
    estimate, (low, high) = float(rate[shown]), ends
    return Inference(
        estimate=estimate if ceiling else 1.0 - estimate,
        low=low if ceiling else 1.0 - high,
        high=high if ceiling else 1.0 - low,
        p_violation=p_violation,
        p_compliance=float(p[:, 1].max()),
        first=shown,
        second=-1,
        comparisons=groups,
        level=level,
        method=test if groups == 1 else f"{test}, Sidak over {groups} groups",
    )
