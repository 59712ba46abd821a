"""Roots of a function of one number, by Brent's method."""

# As `scipy.optimize.brentq`, to the last digit. All of `scipy.optimize` is loaded with that one function, with linear
# algebra, sparse arrays and geometry: more than a small gate takes for everything else.

from __future__ import annotations

import math
from collections.abc import Callable

__all__ = ["root"]

_MOST_STEPS = 100
_XTOL = 2e-12
_RTOL = 4.0 * 2.0**-52


def root(
    function: Callable[[float], float], low: float, high: float, *, xtol: float = _XTOL, rtol: float = _RTOL
) -> float:
    """Return where a function that has unlike signs at two ends is zero; ValueError where they are alike, or NaN."""
    # R. P. Brent, Algorithms for Minimization Without Derivatives, 1973, chapter 4: a step by the secant through two
    # points, or by inverse interpolation through three, where it is short enough to be trusted; else half of what is
    # left. `at` is the best point, `before` the one before it, `across` the last one on the other side of the root.
    before, at = float(low), float(high)
    f_before, f_at = _value(function, before), _value(function, at)
    if f_before == 0.0:
        return before
    if f_at == 0.0:
        return at
    if (f_before < 0.0) == (f_at < 0.0):
        raise ValueError(f"the function has one sign at both ends, {low:g} and {high:g}")
    across, f_across, last, step = before, f_before, 0.0, 0.0
    for _ in range(_MOST_STEPS):
        if f_before != 0.0 and f_at != 0.0 and (f_before < 0.0) != (f_at < 0.0):
            across, f_across = before, f_before
            last = step = at - before
        if abs(f_across) < abs(f_at):
            before, at, across = at, across, at
            f_before, f_at, f_across = f_at, f_across, f_at
        tolerance = (xtol + rtol * abs(at)) / 2.0
        half = (across - at) / 2.0
        if f_at == 0.0 or abs(half) < tolerance:
            return at
        tried = math.inf
        if abs(last) > tolerance and abs(f_at) < abs(f_before):
            tried = _interpolated((before, f_before), (at, f_at), (across, f_across))
        short = 2.0 * abs(tried) < min(abs(last), 3.0 * abs(half) - tolerance)
        last, step = (step, tried) if short else (half, half)
        before, f_before = at, f_at
        at += step if abs(step) > tolerance else math.copysign(tolerance, half)
        f_at = _value(function, at)
    raise ArithmeticError(f"no root found between {low:g} and {high:g} in {_MOST_STEPS} steps")


def _value(function: Callable[[float], float], at: float) -> float:
    value = float(function(at))
    if math.isnan(value):
        raise ValueError(f"the function is NaN at {at:g}")
    return value


def _interpolated(before: tuple[float, float], at: tuple[float, float], across: tuple[float, float]) -> float:
    """Return the step from a point to where a curve through all of them is zero; infinite where there is none."""
    (x_before, f_before), (x, f), (x_across, f_across) = before, at, across
    try:
        if x_before == x_across:
            return -f * (x - x_before) / (f - f_before)
        to_before, to_across = (f_before - f) / (x_before - x), (f_across - f) / (x_across - x)
        return -f * (f_across * to_across - f_before * to_before) / (to_across * to_before * (f_across - f_before))
    except ZeroDivisionError:
        return math.inf
