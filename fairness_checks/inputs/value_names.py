"""Values of a column -> their names: one name for one value, whichever library and precision hold it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np

__all__ = ["value_name", "zoned"]

_NANOSECONDS = {
    "W": 604_800 * 10**9,
    "D": 86_400 * 10**9,
    "h": 3_600 * 10**9,
    "m": 60 * 10**9,
    "s": 10**9,
    "ms": 10**6,
    "us": 10**3,
    "ns": 1,
}
_CLOCK = frozenset({"h", "m", *_NANOSECONDS}) - {"W", "D"}
_LARGEST = 2**53
"""Whole numbers below it are floats of their own."""


def value_name(value: Any) -> str:
    """Name one value, the same for all libraries and dtypes that hold it."""
    # A float that is a whole number is an integer which a missing value once turned into a float; the zeros at the
    # end of a decimal are of its column, not of itself. An instant is that of UTC, because most libraries keep it so
    # and drop the zone on the way; a day's midnight without a zone is the day.
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < _LARGEST else str(float(value))
    if isinstance(value, Decimal):
        digits = format(value, "f") if value else "0"
        return digits.rstrip("0").rstrip(".") if "." in digits else digits
    if isinstance(value, datetime | np.datetime64):
        return _instant(value)
    if isinstance(value, timedelta | np.timedelta64):
        return _duration(value)
    return value_name(float(value)) if isinstance(value, np.float16 | np.float32) else str(value)


def zoned(instant: np.datetime64) -> str:
    """Name an instant that NumPy holds in UTC, without the zone that its column has."""
    return f"{_trimmed(_to_seconds(instant))}+00:00"


def _instant(value: datetime | np.datetime64) -> str:
    if isinstance(value, datetime):
        if value.tzinfo is not None:
            return f"{_trimmed(value.astimezone(UTC).replace(tzinfo=None).isoformat())}+00:00"
        text = value.isoformat()
    else:
        text = _to_seconds(value) if np.datetime_data(value.dtype)[0] in _CLOCK else str(value)
    return _trimmed(text).removesuffix("T00:00:00")


def _to_seconds(value: np.datetime64) -> str:
    """Write an instant down to its seconds at least."""
    coarse = np.datetime_data(value.dtype)[0] in ("Y", "M", "W", "D", "h", "m")
    return str(value.astype("datetime64[s]") if coarse else value)


def _trimmed(text: str) -> str:
    """Cut the zeros that are of the column's precision."""
    return text.rstrip("0").rstrip(".") if "." in text else text


def _duration(value: timedelta | np.timedelta64) -> str:
    if isinstance(value, timedelta) and not hasattr(value, "asm8"):
        whole = value // timedelta(microseconds=1) * 1_000
    else:
        exact = np.timedelta64(getattr(value, "asm8", value))  # that of pandas has nanoseconds
        unit, count = np.datetime_data(exact.dtype)
        if unit not in _NANOSECONDS:
            return str(value)
        whole = int(exact.astype(np.int64)) * count * _NANOSECONDS[unit]
    days, rest = divmod(abs(whole), _NANOSECONDS["D"])
    seconds, fraction = divmod(rest, 10**9)
    clock = f"{seconds // 3_600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{'-' if whole < 0 else ''}{days} days {_trimmed(f'{clock}.{fraction:09}')}"
