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
    """A disparity (or the worst group's value), its interval and the two p-values at the limit.

    Parameters
    ----------
    estimate : float
        The disparity of the groups named by `first` and `second`, or the value of `first`.
    low, high : float
        Two-sided interval at confidence 1 - 2 alpha: the limits that neither test rejects.
    p_violation : float
        p-value of "the limit is kept"; small when the data prove a violation. Simultaneous over all groups.
    p_compliance : float
        p-value of "the limit is exceeded or met"; small when the data prove compliance of all groups.
    first, second : int
        Positions of the groups that decide (see `deciding`): the higher and the lower rate for a difference, the lower
        and the higher for a ratio; `second` is -1 where the worst group's value is limited.
    comparisons : int
        Number of pairs, or of groups, over which `p_violation` is simultaneous.
    level : float
        Level at which one pair, or one group, is tested for a violation; alpha where there is one.
    method : str
        Name and source of the test.
    standard_error : float or None
        Of the estimate, where no group has one of its own.
    also : mapping of str to float
        What else is known of the deciding groups, by name.
    """

    estimate: float
    low: float
    high: float
    p_violation: float
    p_compliance: float
    first: int
    second: int
    comparisons: int
    level: float
    method: str
    standard_error: float | None = None
    also: Mapping[str, float] = field(default_factory=dict)

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
    """Return which disparity an answer names: the largest one; where a violation is shown, the largest proved one.

    So the named disparity lies in the interval: the one that gives the lower end is among those that are proved. A
    larger one, of a group too small to prove anything, does not decide.

    Parameters
    ----------
    size : ndarray, shape (B,)
        Disparities, or values that rise towards the limit's other side; nan where there is none.
    p : ndarray, shape (B,)
        Their p-values; the smaller one is named of equal sizes.
    proved : ndarray of bool, shape (B,)
        Which violate the limit each by itself, at the level of one of them.
    violated : bool
        Whether the limit is violated, jointly; the smallest p-value then proves it.
    ties : sequence of ndarray, shape (B,)
        What settles equal sizes of equal p-values, the smaller one first: counts, so that names do not.
    step : float
        Sizes so near to the largest are equal to it: rounded in different ways, where groups have other names.

    Examples
    --------
    >>> size, p = np.array([0.5, 0.3, 0.2]), np.array([0.20, 0.001, 0.0001])
    >>> deciding(size, p, p < 0.01, violated=True), deciding(size, p, p < 0.01, violated=False)
    (1, 0)
    """
    if violated:
        size = np.where(proved | (p == np.nanmin(p)), size, -np.inf)
    p = np.where(np.isnan(p), np.inf, p)
    first = int(np.lexsort((p, -size))[0])
    if not ties or np.isnan(size[first]):
        return first
    equal = np.flatnonzero(size >= size[first] - step)
    equal = equal[p[equal] <= p[equal].min() * (1.0 + _ROUNDING)]
    return int(equal[np.lexsort([values[equal] for values in reversed(ties)])[0]])


def rounding_of(errors: npt.NDArray[np.float64]) -> float:
    """Return by how little estimates with these standard errors differ where they are equal, for `deciding`."""
    known = errors[np.isfinite(errors) & (errors > 0.0)]
    return _ROUNDING * float(known.min()) if known.size else 0.0
