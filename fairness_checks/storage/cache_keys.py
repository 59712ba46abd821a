"""What a fitted result depends on, as text for the key of its cache entry: its data."""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

from fairness_checks.errors import CacheError

__all__ = ["array_digest"]


def array_digest(*arrays: npt.ArrayLike) -> str:
    """Return the sha256 of arrays' dtypes, shapes and values, in the given order; CacheError for Python objects."""
    total = hashlib.sha256()
    for position, values in enumerate(map(np.asarray, arrays)):
        if values.dtype.hasobject:
            raise CacheError(f"array_digest: array {position} has dtype {values.dtype}; convert it to numbers or text")
        total.update(repr((np.lib.format.dtype_to_descr(values.dtype), values.shape)).encode())
        total.update(values.tobytes())
    return total.hexdigest()
