"""What every kind of metric answers when it is asked about a limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Inference", "deciding", "rounding_of"]

_ROUNDING = 1e-9  # relative, of p-values and of standard errors


@dataclass(frozen=True, slots=True)
class Inference:
    """A disparity (or the worst group's value), its interval and the two p-values at the limit."""

    estimate: float  # of the groups named, or the value of `first`
    low: float  # interval at confidence 1 - 2 alpha: the limits that neither test rejects
    high: float
    p_violation: float  # of "the limit is kept"; simultaneous over all groups
    p_compliance: float  # of "the limit is exceeded or met"
    first: int  # the groups that decide: higher then lower rate for a difference, lower then higher for a ratio
    second: int  # -1 where the worst group's value is limited
    comparisons: int  # pairs, or groups, over which `p_violation` is simultaneous
    level: float  # at which one pair, or group, is tested for a violation; alpha where there is one
    method: str  # name and source of the test
    standard_error: float | None = None  # of the estimate, where no group has one of its own
    also: Mapping[str, float] = field(default_factory=dict)  # what else is known of the deciding groups, by name

    def clipped(self, lowest: float, highest: float) -> Inference:
        """Return the answer with its interval within the range of the metric."""
        return replace(self, low=max(self.low, lowest), high=min(self.high, highest))


def deciding(
    size: npt.NDArray[np.float64],
    p: npt.NDArray[np.float64],
    proved: npt.NDArray[np.bool_],
    *,
    violated: bool,
    ties: Sequence[npt.NDArray[Any]] = (),
    step: float = 0.0,
) -> int:
    """Return which disparity an answer names: the largest one; where a violation is shown, the largest proved one."""
    # size, p, proved, ties: (B,). The named disparity then lies in the interval: the one that gives the lower end is
    # among those that are proved; a larger one, of a group too small to prove anything, does not decide. Of equal
    # sizes the smaller p is named, then the smaller of `ties`: counts, so that names do not settle it. Sizes within
    # `step` of the largest equal it: rounded in other ways where groups have other names.
    if violated:
        size = np.where(proved | (p == np.nanmin(p)), size, -np.inf)
    p = np.where(np.isnan(p), np.inf, p)
    known = ~np.isnan(size)
    best = np.flatnonzero(size == size[known].max()) if known.any() else np.arange(len(size))
    first = int(best[p[best].argmin()])
    if not ties or np.isnan(size[first]):
        return first
    equal = np.flatnonzero(size >= size[first] - step)
    equal = equal[p[equal] <= p[equal].min() * (1.0 + _ROUNDING)]
    return int(equal[np.lexsort([values[equal] for values in reversed(ties)])[0]])


def rounding_of(errors: npt.NDArray[np.float64]) -> float:
    """Return by how little estimates with these standard errors differ where they are equal, for `deciding`."""
    known = errors[np.isfinite(errors) & (errors > 0.0)]
    return _ROUNDING * float(known.min()) if known.size else 0.0
