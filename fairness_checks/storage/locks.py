"""One process at a time."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from fairness_checks.storage.files import require_regular

__all__ = ["is_held", "locked"]


@contextmanager
def locked(path: Path, timeout: float = -1.0) -> Iterator[None]:
    """Hold a lock that a killed process lets go of; its empty file stays."""
    # A `timeout` below 0 waits without end, else filelock.Timeout. OSError: the folder cannot be written, what is at
    # `path` is no regular file, or the file system has no locks.
    with suppress(FileNotFoundError):
        require_regular(path)  # a lock is opened for writing, which would empty what a link leads to
        if path.is_symlink():
            raise OSError(errno.EINVAL, "is a symbolic link, which no lock is", str(path))
    try:
        held = FileLock(path).acquire(timeout=timeout)
    except NotImplementedError as error:  # what filelock says of a file system without locks
        raise OSError(errno.ENOLCK, str(error), str(path)) from error
    with held:
        yield


def is_held(path: Path) -> bool:
    """Say whether some process holds a lock."""
    if not path.exists():
        return False
    try:
        with locked(path, timeout=0.0):
            return False
    except Timeout:
        return True
