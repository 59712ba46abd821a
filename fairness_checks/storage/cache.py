"""Fitted work on disk, so that a second run of the gate does not fit again."""

# One entry of a `KeyedStore` holds the arrays of one npz file, under a name and a digest of everything that the
# result depends on. Nothing is unpickled, nothing half-written is ever visible, and what cannot be read is computed
# again. The code that computes is seen; the caller says what it does not show, which `cache_keys` helps to say.

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from filelock import Timeout

from fairness_checks.errors import CacheError
from fairness_checks.plain import JSON, canonical_json
from fairness_checks.storage.identity import identity_of
from fairness_checks.storage.keyed import KeyedStore

__all__ = ["FittedCache"]

Array: TypeAlias = npt.NDArray[Any]

_CUT = "Leave it out of the function, and give its result what it is made from."
_PREFIX = "array."  # keeps a user's names apart from the parameters of numpy.savez


class FittedCache:
    """Arrays that took long to compute, kept in a folder between runs and shared by its processes.

    Parameters
    ----------
    directory : Path or None
        Where entries are kept; made when the first one is stored. None stores nothing and always computes.
    code : bool
        Whether every key holds the code of `compute` too, and all that it references, as it is when it is asked for.
        False where the caller's key says all of that.

    Attributes
    ----------
    read : dict of str to str
        By name, when the entry was written that was last read instead of computed, as in 2027-06-30T12:00:00Z.
    """

    def __init__(self, directory: Path | None, *, code: bool = True) -> None:
        self.directory, self._code = directory, code
        self.read: dict[str, str] = {}
        self.heard: Callable[[str, str], None] | None = None  # is told of each entry that is read, with its date

    def arrays(
        self,
        name: str,
        key: Mapping[str, JSON],
        compute: Callable[[], Mapping[str, Array]],
        *,
        meanwhile: Callable[[], object] | None = None,
    ) -> dict[str, Array]:
        """Return the arrays stored under `key`, or compute and store them.

        Of several processes that ask for one entry at a time, one computes; the others wait and load its
        result.

        Parameters
        ----------
        name : str
            What the arrays are, for the reader of the folder: letters, digits, ``_``, ``.`` and ``-``.
        key : mapping of str to JSON
            What the result depends on and `compute` does not show, in plain builtins: the files that it reads,
            variables of the environment.
        compute : callable
            Called without arguments when there is no usable entry; returns arrays by name (identifiers).
            What it raises is passed on, and nothing is stored.
        meanwhile : callable, optional
            Called once, without arguments, where another process computes the entry: before it is waited for.

        Returns
        -------
        dict of str to ndarray

        Raises
        ------
        CacheError
            `name` or `key` is not of the kind above, or `compute` returned something other than plain arrays:
            object arrays need pickle, which is never used here.

        Warns
        -----
        RuntimeWarning
            The folder cannot be written, or `compute` references something that cannot be read. The result is
            right all the same, only not kept.

        Examples
        --------
        >>> cache = FittedCache(None)
        >>> cache.arrays("scores", {"seed": 0}, lambda: {"y_score": np.array([0.25, 0.75])})
        {'y_score': array([0.25, 0.75])}
        """
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name):
            raise CacheError(f"cache entry name {name!r}: use letters, digits, '_', '.' and '-' only")
        text = canonical_json(dict(key), "cache key", CacheError)
        if self.directory is None:
            return _plain_arrays(name, compute())
        if self._code:
            identity = identity_of([compute])
            if (reason := identity.reason(_CUT)) is not None:
                warnings.warn(f"cache entry {name!r} is not kept: {reason}", RuntimeWarning, stacklevel=2)
                return _plain_arrays(name, compute())
            text = canonical_json([dict(key), identity.key], "cache key", CacheError)
        store = KeyedStore(self.directory)
        # Entries appear by renaming, so a hit needs no lock, and a read-only folder can still be read.
        if (stored := self._stored(store, name, text)) is not None:
            return stored
        with ExitStack() as held:

            def problem(timeout: float) -> OSError | None:
                try:
                    held.enter_context(store.locked(name, text, timeout=timeout))
                except OSError as error:  # busy, read-only, a file system without locks, or something in the way
                    return error
                return None

            unlocked = problem(-1.0 if meanwhile is None else 0.0)
            if meanwhile is not None and isinstance(unlocked, Timeout):
                meanwhile()
                unlocked = problem(-1.0)
            if unlocked is not None:
                _warn_not_kept(store.path(name, text), unlocked)
                return _plain_arrays(name, compute())
            if (stored := self._stored(store, name, text)) is not None:  # another process was first
                return stored
            arrays = _plain_arrays(name, compute())
            try:
                store.write(name, text, _npz(arrays))
            except OSError as error:
                _warn_not_kept(store.path(name, text), error)
            return arrays

    def _stored(self, store: KeyedStore, name: str, text: str) -> dict[str, Array] | None:
        """Return what is stored, and remember that it was read; None where it must be computed."""
        entry = store.read(name, text)
        arrays = None if entry is None else _arrays(entry.body)
        if entry is not None and arrays is not None:
            self.read[name] = entry.date
            if self.heard is not None:
                self.heard(name, entry.date)
        return arrays


def _plain_arrays(name: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Check what `compute` returned, stored or not: switching the cache off changes no behaviour."""
    for label, values in arrays.items():
        if not label.isidentifier():
            raise CacheError(f"cache entry {name!r}: array name {label!r} is not an identifier")
        if type(values) is not np.ndarray:  # a masked array would lose its mask, a frame its index
            raise CacheError(f"cache entry {name!r}: {label!r} is {type(values).__name__}, must be numpy.ndarray")
        if values.dtype.hasobject:
            raise CacheError(
                f"cache entry {name!r}: {label!r} has dtype {values.dtype}, which only pickle can store; "
                "convert it to numbers, bool or fixed-width text, for instance with .astype(str)"
            )
    return dict(arrays)


def _npz(arrays: Mapping[str, Array]) -> bytes:
    members: dict[str, Any] = {_PREFIX + label: values for label, values in arrays.items()}
    content = io.BytesIO()
    np.savez(content, **members)
    return content.getvalue()


def _arrays(content: bytes) -> dict[str, Array] | None:
    """Return the arrays of an npz file; None where it is none, which its digest makes all but impossible."""
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as entry:
            return {label.removeprefix(_PREFIX): entry[label] for label in entry.files}
    except Exception:  # bytes that are no npz raise nearly anything (zip, header, size)
        return None


def _warn_not_kept(path: Path, error: OSError) -> None:
    warnings.warn(
        f"cache entry {path}: {error.strerror or error}; results are right but not kept. Make the folder writable, "
        "name another one, or switch the cache off",
        RuntimeWarning,
        stacklevel=3,
    )
