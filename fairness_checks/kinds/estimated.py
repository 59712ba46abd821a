"""Records of groups whose value is an estimate with a standard error."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from fairness_checks.records import GroupRecord
from fairness_checks.stats.estimates import Estimates

__all__ = ["estimate_records", "select", "t_quantile"]

Integers = npt.NDArray[np.integer[Any]]


def t_quantile(level: float, freedom: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the upper quantile of Student's t; of the normal where the degrees of freedom are infinite."""
    known = ~np.isfinite(freedom)
    return np.asarray(np.where(known, -special.ndtri(level), -special.stdtrit(np.where(known, 1.0, freedom), level)))


def select(estimates: Estimates, judged: Sequence[int]) -> Estimates:
    """Return the estimates at the given positions."""
    at = np.asarray(judged, dtype=np.intp)
    return Estimates(estimates.value[at], estimates.variance[at], estimates.freedom[at])


def estimate_records(
    names: Sequence[tuple[str, ...]],
    samples: Integers,
    estimates: Estimates,
    problems: Sequence[str | None],
    alpha: float,
    *,
    lowest: float,
    highest: float,
    clusters: Integers | None = None,
) -> tuple[GroupRecord, ...]:
    """Return the groups' records; a value that is nan is undefined, a group with a problem has no interval.

    Parameters
    ----------
    names : sequence of tuple of str
        Of the G groups.
    samples : ndarray of int, shape (G,)
        Samples that the value is computed from.
    estimates : Estimates
        Shapes (G,).
    problems : sequence of str or None
        Why each group cannot be judged.
    alpha : float
        Intervals have confidence 1 - 2 alpha.
    lowest, highest : float
        Range of the metric, to which intervals are cut.
    clusters : ndarray of int, shape (G,), optional
        Independent clusters of each group.
    """
    error = np.sqrt(estimates.variance)
    with np.errstate(invalid="ignore"):
        margin = t_quantile(alpha, np.maximum(estimates.freedom, 1.0)) * error
    records = []
    for i, (name, problem) in enumerate(zip(names, problems, strict=True)):
        value, judged = float(estimates.value[i]), problem is None
        records.append(
            GroupRecord(
                name=name,
                samples=int(samples[i]),
                events=None,
                n=int(samples[i]),
                rate=None if math.isnan(value) else value,
                low=max(value - float(margin[i]), lowest) if judged else None,
                high=min(value + float(margin[i]), highest) if judged else None,
                standard_error=float(error[i]) if judged else None,
                clusters=None if clusters is None else int(clusters[i]),
                problem=problem,
            )
        )
    return tuple(records)
