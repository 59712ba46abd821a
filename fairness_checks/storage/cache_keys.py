"""What a fitted result depends on, as text for the key of its cache entry: data, code and library versions."""

from __future__ import annotations

import hashlib
import importlib.metadata

import numpy as np
import numpy.typing as npt

from fairness_checks.errors import CacheError

__all__ = ["array_digest", "library_versions"]


def library_versions(*names: str) -> dict[str, str]:
    """Return the installed version of each distribution.

    Raises
    ------
    CacheError
        A distribution is not installed.

    Examples
    --------
    >>> sorted(library_versions("numpy", "filelock"))
    ['filelock', 'numpy']
    """
    versions = {}
    for name in names:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            raise CacheError(f"library_versions: {name!r} is not installed; use its name on the index") from None
    return versions


def array_digest(*arrays: npt.ArrayLike) -> str:
    """Return the sha256 of arrays: their dtypes, shapes and values, in the given order.

    Raises
    ------
    CacheError
        An array holds Python objects, whose bytes are addresses.

    Examples
    --------
    >>> array_digest([1, 2]) == array_digest([1.0, 2.0])
    False
    """
    total = hashlib.sha256()
    for position, values in enumerate(map(np.asarray, arrays)):
        if values.dtype.hasobject:
            raise CacheError(f"array_digest: array {position} has dtype {values.dtype}; convert it to numbers or text")
        total.update(repr((np.lib.format.dtype_to_descr(values.dtype), values.shape)).encode())
        total.update(values.tobytes())
    return total.hexdigest()
