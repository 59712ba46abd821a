"""Fitted work on disk, so that a second run of the gate does not fit again.

One entry is one npz file, named by what was computed and by a digest of everything that the result depends
on. Nothing is unpickled, nothing half-written is ever visible, and a file that cannot be read is computed
again, never trusted. The caller says what the result depends on; `fairness_checks.cache_keys` helps to say it.
"""

from __future__ import annotations

import hashlib
import os
import re
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np
import numpy.typing as npt
from filelock import FileLock

from fairness_checks.errors import CacheError
from fairness_checks.plain import JSON, canonical_json

__all__ = ["FittedCache", "write_atomically"]

Array: TypeAlias = npt.NDArray[Any]

_KEY = "key"
_PREFIX = "array."  # keeps a user's names apart from `_KEY` and from the parameters of numpy.savez


class FittedCache:
    """Arrays that took long to compute, kept in a folder between runs and shared by its processes.

    Parameters
    ----------
    directory : Path or None
        Where entries are kept; made when the first one is stored. None stores nothing and always computes.
    """

    def __init__(self, directory: Path | None) -> None:
        self.directory = directory

    def arrays(
        self, name: str, key: Mapping[str, JSON], compute: Callable[[], Mapping[str, Array]]
    ) -> dict[str, Array]:
        """Return the arrays stored under `key`, or compute and store them.

        Of several processes that ask for one entry at a time, one computes; the others wait and load its
        result.

        Parameters
        ----------
        name : str
            What the arrays are, for the reader of the folder: letters, digits, ``_``, ``.`` and ``-``.
        key : mapping of str to JSON
            All that the result depends on, in plain builtins: data, code, parameters, library versions.
        compute : callable
            Called without arguments when there is no usable entry; returns arrays by name (identifiers).
            What it raises is passed on, and nothing is stored.

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
            The folder cannot be written. The result is right all the same, only not kept.

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
        digest = hashlib.sha256(text.encode()).hexdigest()
        path = self.directory / f"{name}-{digest[:16]}.npz"
        # Entries appear by renaming, so a hit needs no lock, and a read-only folder can still be read.
        if (stored := _load(path, text)) is not None:
            return stored
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(f"{path}.lock").acquire()
        except (OSError, NotImplementedError) as error:  # read-only, or a file system without locks
            _warn_not_kept(path, error)
            return _plain_arrays(name, compute())
        with lock:
            if (stored := _load(path, text)) is not None:  # another process was first
                return stored
            arrays = _plain_arrays(name, compute())
            members: dict[str, Any] = {_KEY: np.array(text)} | {
                _PREFIX + label: values for label, values in arrays.items()
            }
            try:
                write_atomically(path, lambda file: np.savez(file, **members))
            except OSError as error:
                _warn_not_kept(path, error)
            return arrays


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file so that it is seen whole or not at all, even when the process is killed in the middle.

    The temporary name is fixed, ``<path>.tmp``, so that what a killed process left is overwritten by the next
    one. The caller must therefore hold a lock for `path`.

    Parameters
    ----------
    path : Path
        The file; replaced when it exists.
    write : callable
        Writes the content to the open binary file that it is given.

    Raises
    ------
    OSError
        The folder cannot be written, or the disk is full.
    """
    temporary = path.with_name(f"{path.name}.tmp")
    try:
        with temporary.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


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


def _load(path: Path, text: str) -> dict[str, Array] | None:
    """Return the entry's arrays; None when it is missing, damaged, foreign or belongs to another key."""
    try:
        with path.open("rb") as file:
            entry = np.load(file, allow_pickle=False)
            if not isinstance(entry, np.lib.npyio.NpzFile):
                return None
            with entry:
                if str(entry[_KEY]) != text:
                    return None
                return {label.removeprefix(_PREFIX): entry[label] for label in entry.files if label != _KEY}
    except Exception:  # damaged bytes raise nearly anything (zip, header, size); all of it means: compute again
        return None


def _warn_not_kept(path: Path, error: Exception) -> None:
    warnings.warn(
        f"cache folder {path.parent}: {error}; results are right but not kept. Make the folder writable, "
        "name another one, or switch the cache off",
        RuntimeWarning,
        stacklevel=3,
    )
