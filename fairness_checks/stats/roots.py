"""Roots of a function of one number, by Brent's method."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["root"]

_XTOL = 2e-12
_RTOL = 4.0 * 2.0**-52


def root(
    function: Callable[[float], float], low: float, high: float, *, xtol: float = _XTOL, rtol: float = _RTOL
) -> float:
    """Return where a function that has unlike signs at two ends is zero; ValueError where they are alike, or NaN."""
    from scipy.optimize import brentq  # 0.1 s, which a gate does without where no interval or plan is searched for

    return float(brentq(function, low, high, xtol=xtol, rtol=rtol))
