"""Regular files, read with a bound and written whole or not at all. Loads nothing but the standard library."""

# Whatever stands in a file's place, a folder, a pipe, a device, a socket, a loop of links, is an OSError whose
# `strerror` says what it is: nothing waits for a pipe, and nothing reads a device that never ends.

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from fairness_checks.errors import did_you_mean

__all__ = [
    "MOST",
    "display_path",
    "no_such_file",
    "open_regular",
    "read_regular",
    "remove_leftovers",
    "require_regular",
    "write_atomically",
]

MOST = 1 << 30
"""Bytes that `read_regular` reads unless it is told otherwise: 1 GiB."""

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_BLOCK = 1 << 16
_KINDS: dict[str, Callable[[int], bool]] = {
    "a folder": stat.S_ISDIR,
    "a named pipe": stat.S_ISFIFO,
    "a socket": stat.S_ISSOCK,
    "a device": lambda mode: stat.S_ISCHR(mode) or stat.S_ISBLK(mode),
    "a symbolic link that leads nowhere": stat.S_ISLNK,
}


def display_path(path: Path) -> str:
    """Name a file as a reader in the working directory would."""
    here = Path.cwd()
    return (path.relative_to(here) if path.is_relative_to(here) else path).as_posix()


def no_such_file(path: Path) -> str:
    """Say that a file is not there, and which of a name like it is, or where was looked."""
    beside = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
    near = did_you_mean(path.name, beside).partition(" (allowed")[0]
    return f"there is no such file; {near if near.startswith('did') else f'looked in {path.parent.resolve()}'}"


def read_regular(path: Path, *, most: int = MOST) -> bytes:
    """Return the content of a regular file, or of one that a symbolic link leads to, of `most` bytes; OSError else."""
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        parts = [file.read(size + 1)] if size <= most else []  # one more, to see that this is the end
        while size <= most and parts[-1] and sum(map(len, parts)) <= most:  # a file that grows, or tells no size
            parts.append(file.read(_BLOCK))
    content = b"".join(parts)
    if max(size, len(content)) > most:
        raise OSError(errno.EFBIG, f"holds more than {most:,} bytes, which no such file does", str(path))
    return content


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading; raise OSError as `read_regular` does."""
    require_regular(path)  # before it is opened: opening alone can do something to a device
    file = os.fdopen(os.open(path, _READ | getattr(os, "O_CLOEXEC", 0)), "rb")
    try:
        _require(os.fstat(file.fileno()).st_mode, path)  # and of what was opened, whatever the path leads to by now
    except BaseException:
        file.close()
        raise
    return file


def require_regular(path: Path) -> int:
    """Return the permissions of a regular file, or of one that a link leads to; OSError for anything else."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        mode = path.lstat().st_mode
    _require(mode, path)
    return stat.S_IMODE(mode)


def _require(mode: int, path: Path) -> None:
    if not stat.S_ISREG(mode):
        kind = next((kind for kind, is_it in _KINDS.items() if is_it(mode)), "something else")
        raise OSError(errno.EINVAL, f"is {kind}, not a regular file", str(path))


def write_atomically(path: Path, content: bytes, *, durable: bool = True, mode: int | None = None) -> None:
    """Write a file so that it is seen whole or not at all, even when the process is killed in the middle."""
    # The content goes to a new file of another name in the same folder, which then takes the place of `path` and has
    # its permissions, or `mode`. A killed process can leave the other name behind: see `remove_leftovers`. Of two
    # processes that write one path at a time, one wins, whole. What can be computed again, and is verified when it is
    # read, need not survive a loss of power (`durable`). Something else than a regular file is not replaced.
    with suppress(FileNotFoundError):
        before = require_regular(path)
        mode = before if mode is None else mode
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    descriptor = os.open(temporary, _CREATE, 0o666 if mode is None else mode & 0o700)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if mode is not None and hasattr(os, "fchmod"):
                with suppress(PermissionError):  # some network file systems have one mode for all files
                    os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    if durable:
        _sync_folder(path.parent)


def remove_leftovers(folder: Path, name: str | None = None) -> None:
    """Remove what processes that were killed while they wrote a file, or any in a folder, left."""
    # The caller holds the lock of the file, or of the folder. What cannot be removed stays: it is in nobody's way.
    ours = re.compile(rf"\.{'.+' if name is None else re.escape(name)}\.[0-9a-f]{{16}}\.tmp")
    with suppress(OSError):
        for file in list(folder.iterdir()):
            if ours.fullmatch(file.name):
                with suppress(OSError):
                    file.unlink()


def _sync_folder(folder: Path) -> None:
    """Have a renaming survive a loss of power, where the system can; the file is in its place either way."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
