"""One argument as a NumPy array: what was missing in a list is still missing, and different values still differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fairness_checks.errors import InvalidPredictions

__all__ = ["as_array"]

_LONGEST = 2**53
"""Whole numbers up to here are floats of their own; past it neighbours share one."""


def as_array(name: str, values: Any) -> np.ndarray:
    """Read what is array_like, in the machine's byte order; raise InvalidPredictions where it is not.

    Examples
    --------
    >>> as_array("cluster", ["p0", float("nan")]).tolist()
    ['p0', nan]
    """
    try:
        array = np.asarray(values)
        if isinstance(values, Sequence) and _other_than_given(values, array):
            array = np.asarray(values, dtype=object)
    except (TypeError, ValueError) as error:  # rows of different lengths
        raise InvalidPredictions(f"{name}: cannot be read as one array: {error}") from error
    if array.dtype.kind == "T":  # may hold a missing value, which NumPy writes out as text
        return array.astype(object)
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def _other_than_given(values: Sequence[Any], array: np.ndarray) -> bool:
    """Say whether NumPy made of a list what it does not hold: text of NaN or of numbers, or floats of long ids."""
    if array.dtype.kind in "US":
        given = str if array.dtype.kind == "U" else bytes
        return not all(issubclass(kind, given) for kind in set(map(type, values)))
    if array.dtype.kind == "f" and np.any(np.abs(array) >= _LONGEST):
        return any(isinstance(value, int | np.integer) and abs(int(value)) >= _LONGEST for value in values)
    return False
