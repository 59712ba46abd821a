"""Numbers given as arguments or settings: checked, and returned as Python's own, which a record can be written with."""

from __future__ import annotations

import math
import numbers

from fairness_checks.errors import ConfigurationError

__all__ = ["as_float", "count", "number"]

_MOST = 10**9  # groups, checks or samples


def number(name: str, value: object, low: float, high: float, ends: str) -> float:
    """Return a finite number within a range; `ends` are its brackets, square where the end is allowed."""
    within = f"{ends[0]}{low:g}, {high:g}{ends[1]}"
    x = as_float(value)
    if x is None:
        raise ConfigurationError(f"{name}: {value!r} is not a number; give one in {within}")
    allowed = low < x < high or (ends[0] == "[" and x == low) or (ends[1] == "]" and x == high)
    if not (allowed and math.isfinite(x)):
        raise ConfigurationError(f"{name}: {x:g} is outside {within}")
    return x


def as_float(value: object) -> float | None:
    """Return a number as a float, infinite where it is too large for one; None for what is no number, such as True."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf


def count(name: str, value: object, least: int) -> int:
    """Return a whole number that is large enough."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise ConfigurationError(f"{name}: {value!r} is not a whole number; give {least} or more")
    whole = int(value)
    if not least <= whole <= _MOST:
        bound = f"at least {least}" if whole < least else f"at most {_MOST}"
        raise ConfigurationError(f"{name}: {whole} must be {bound}")
    return whole
