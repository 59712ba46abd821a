"""What a fitted result depends on, as text for the key of its cache entry: data, code and library versions."""

from __future__ import annotations

import hashlib
import importlib.metadata
import inspect
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fairness_checks.errors import CacheError
from fairness_checks.plain import canonical_json

__all__ = ["array_digest", "library_versions", "source_digest"]


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


def source_digest(*objects: object) -> str:
    """Return the sha256 of the source files of modules, or of the modules that define objects.

    Parameters
    ----------
    *objects : module, class or function
        Order and repetition do not matter. Modules that these import are not followed: name them too.

    Returns
    -------
    str
        64 hexadecimal digits.

    Raises
    ------
    CacheError
        An object is of another kind, or its module has no source file.

    Examples
    --------
    >>> source_digest(library_versions) == source_digest(array_digest)
    True
    """
    sources: dict[str, bytes] = {}
    for item in objects:
        known = inspect.ismodule(item) or inspect.isclass(item) or inspect.isroutine(item)
        module = inspect.getmodule(item) if known else None
        try:
            file = inspect.getsourcefile(module) if module is not None else None
        except TypeError:  # a built-in module
            file = None
        if module is None or file is None:
            raise CacheError(f"source_digest: {item!r} is no module, class or function with a source file")
        sources[module.__name__] = Path(file).read_bytes()
    listing = [[name, hashlib.sha256(source).hexdigest()] for name, source in sorted(sources.items())]
    return hashlib.sha256(canonical_json(listing, "sources", CacheError).encode()).hexdigest()


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
