"""Results kept under keys, between runs and for several processes at a time."""

# Layout 1, beside the one of `entries`:
#   <folder>/<name>-<first 16 digits of the key>.entry        one entry, replaced whole
#   <folder>/<name>-<first 16 digits of the key>.log          entries under keys of their own, a line each, appended
#   <folder>/<name>-<first 16 digits of the key>.run          who is at which line of a log: see `claims`
#   <folder>/<any of them>.lock                               empty; held while the file is made, or appended to
#   <folder>/.<either of them>.<16 digits>.tmp                left by a process that was killed; removed by the next
# An entry is found by the name and the key, and verified: what is missing, damaged, of another key or of another
# layout counts as not there. A line of a log stands for itself: one that is damaged loses no other. What a killed
# process has left of a line is cut off by the next that appends.

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from fairness_checks.storage.entries import Entry, key_digest, packed, unpacked
from fairness_checks.storage.files import (
    MOST,
    open_regular,
    read_regular,
    remove_leftovers,
    require_regular,
    write_atomically,
)
from fairness_checks.storage.locks import locked

__all__ = ["KeyedStore", "Log", "file_name"]

_APPEND = (
    os.O_RDWR
    | os.O_CREAT
    | os.O_APPEND
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_BINARY", 0)
)
_BLOCK = 1 << 16
_MOST_OF_AN_ENTRY = 1 << 36


def file_name(name: str) -> str:
    """Return a name as part of a file's, for the reader of the folder; what tells files apart is their key."""
    return re.sub(r"[^A-Za-z0-9_.]+", "_", name)[:40].strip(".")


@dataclass(frozen=True, slots=True)
class KeyedStore:
    """A folder of results."""

    directory: Path  # made when something is stored

    def path(self, name: str, key: str, suffix: str = "entry") -> Path:
        """Return where the entry, or with the suffix "log" the log, of a name and of a key's text is."""
        return self.directory / f"{name}-{key_digest(key)[:16]}.{suffix}"

    @contextmanager
    def locked(self, name: str, key: str, suffix: str = "entry", timeout: float = -1.0) -> Iterator[None]:
        """Hold the lock of an entry, as of several processes one computes it and the others wait."""
        # OSError: the folder cannot be made or written, has no locks, or something stands in the lock's place.
        path = self.path(name, key, suffix)
        self.directory.mkdir(parents=True, exist_ok=True)
        with locked(path.with_name(f"{path.name}.lock"), timeout):
            yield

    def read(self, name: str, key: str) -> Entry | None:
        """Return an entry; None where it is not there, or not readable, whole, and of this key. Needs no lock."""
        try:
            entry = unpacked(read_regular(self.path(name, key), most=_MOST_OF_AN_ENTRY))
        except (OSError, MemoryError):
            return None
        return entry if entry is not None and entry.key == key_digest(key) else None

    def write(self, name: str, key: str, body: bytes, date: str | None = None) -> None:
        """Store an entry, whole or not at all; raise OSError where that is impossible. The caller holds its lock."""
        # `date` is for what is made of older entries alone: that of the oldest.
        path = self.path(name, key)
        remove_leftovers(path.parent, path.name)
        write_atomically(path, packed(key_digest(key), body, date))

    def log(self, name: str, key: str) -> Log:
        """Return the log of a name and of a key's text."""
        return Log(self.path(name, key, "log"))


@dataclass(frozen=True, slots=True)
class Log:
    """Many small entries in one file, each stored as soon as it is there."""

    path: Path  # its folder is there

    def read(self, start: int = 0) -> tuple[dict[str, Entry], int]:
        """Return the entries from a place on, by the digest of their key, and the place behind the last line."""
        # A file that is not there, or that cannot be read, has none.
        try:
            with open_regular(self.path) as file:
                file.seek(start)
                content = file.read(MOST)
        except OSError:
            return {}, start
        lines = content.split(b"\n")
        torn = len(lines.pop())  # what a process is writing, or was when it was killed
        entries = [entry for line in lines if (entry := unpacked(line + b"\n")) is not None]
        return {entry.key: entry for entry in entries}, start + len(content) - torn

    def append(self, key: str, body: bytes) -> None:
        """Add an entry without line feeds; raise OSError where that is impossible: then the file is as it was."""
        line = packed(key_digest(key), body)
        if b"\n" in body:
            raise ValueError("an entry of a log holds no line feed")
        with locked(self.path.with_name(f"{self.path.name}.lock")):
            with suppress(FileNotFoundError):
                require_regular(self.path)
            descriptor = os.open(self.path, _APPEND, 0o666)
            try:
                end = _end_of_lines(descriptor)
                os.ftruncate(descriptor, end)
                try:
                    _write_all(descriptor, line)
                except OSError:
                    os.ftruncate(descriptor, end)
                    raise
            finally:
                os.close(descriptor)

    def sync(self) -> None:
        """Have what is there survive a loss of power; raise OSError where that is impossible."""
        with open_regular(self.path) as file:
            os.fsync(file.fileno())


def _end_of_lines(descriptor: int) -> int:
    """Return the place behind the last line feed of a file."""
    place = os.lseek(descriptor, 0, os.SEEK_END)
    while place > 0:
        start = max(0, place - _BLOCK)
        os.lseek(descriptor, start, os.SEEK_SET)
        found = os.read(descriptor, place - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        place = start
    return 0


def _write_all(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        written = os.write(descriptor, rest)
        if written == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        rest = rest[written:]
