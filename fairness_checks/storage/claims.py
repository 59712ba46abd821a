"""Work that several processes do together: each claims parts of it, and what a killed one had claimed is free again."""

# Beside the results, in the layout of `keyed`:
#   <results>.run                       a line a claim: whose, and of which part; gone when nobody has claimed any
#   <results>.run.lock                  empty; held while that file is read and written
#   <results>.run.<whose>.lock          empty; held by a process as long as it is at work, so that its end is seen
# Without claims parts may be done twice, and are right all the same: nothing here decides what is believed.

from __future__ import annotations

import os
import platform
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from fairness_checks.storage.files import read_regular, write_atomically
from fairness_checks.storage.locks import is_held, locked

__all__ = ["Claimant", "Claims"]

_CLAIM = re.compile(
    r"(?P<whose>[0-9a-f]{16}) (?P<process>[0-9]{1,10}) (?P<host>[A-Za-z0-9._-]{1,64}) "
    r"(?P<since>[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}) (?P<part>[0-9a-f]{64})"
)


@dataclass(frozen=True, slots=True)
class Claimant:
    """A process at work, as its claims tell it to people."""

    whose: str
    process: str  # its id, on
    host: str
    since: str  # in UTC, when it claimed what it has


class Claims:
    """What the processes at work have claimed, and this one's own.

    Parameters
    ----------
    path : Path
        Of the file of claims, in a folder that is there.
    """

    def __init__(self, path: Path) -> None:
        host = re.sub(r"[^A-Za-z0-9.-]", "_", platform.node())[:64] or "unknown"
        self._path, self._own = path, Claimant(secrets.token_hex(8), str(os.getpid()), host, "")

    @contextmanager
    def held(self) -> Iterator[None]:
        """Be at work, and let go of all claims then; raise OSError where there can be none."""
        with ExitStack() as alive:
            with self.locked():  # so that nobody who clears away sees its lock before it is held
                self._clear()
                alive.enter_context(locked(self._alive(self._own.whose)))
            try:
                yield
            finally:
                with suppress(OSError), self.locked():  # else the next one finds that nobody is there
                    self._write(self._others())
                    self._alive(self._own.whose).unlink()
                    self._clear()

    def locked(self) -> AbstractContextManager[None]:
        """Hold what the processes do one at a time."""
        return locked(self._path.with_name(f"{self._path.name}.lock"))

    def take(self, free: Sequence[str], most: int) -> list[str]:
        """Claim, in place of earlier ones, the first parts that nobody else has claimed; raise OSError if impossible.

        Parts are digests. What was done meanwhile may be among them: whoever claims looks again.
        """
        with self.locked():
            others = self._others()
            taken = {part for parts in others.values() for part in parts}
            mine = [part for part in free if part not in taken][:most]
            self._own = replace(self._own, since=f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}")
            self._write(others | {self._own: mine})
        return mine

    def others(self) -> dict[Claimant, list[str]]:
        """Return who else is at work, and at which parts; raise OSError if that cannot be told."""
        with self.locked():
            return self._others()

    def _others(self) -> dict[Claimant, list[str]]:
        """Return what others have claimed that are at work."""
        found: dict[Claimant, list[str]] = {}
        for claim in map(_CLAIM.fullmatch, self._content().splitlines()):
            if claim is not None and claim["whose"] != self._own.whose:
                whose = Claimant(claim["whose"], claim["process"], claim["host"], claim["since"])
                found.setdefault(whose, []).append(claim["part"])
        return {one: parts for one, parts in found.items() if is_held(self._alive(one.whose))}

    def _clear(self) -> None:
        """Remove the locks of processes that were killed, had they claimed anything or not."""
        ours = re.compile(rf"{re.escape(self._path.name)}\.[0-9a-f]{{16}}\.lock")
        with suppress(OSError):  # a lock that cannot be removed is in nobody's way
            for file in list(self._path.parent.iterdir()):
                if ours.fullmatch(file.name) and not is_held(file):
                    file.unlink()

    def _content(self) -> str:
        try:
            return read_regular(self._path).decode("ascii", "replace")
        except FileNotFoundError:
            return ""

    def _write(self, claims: Mapping[Claimant, Sequence[str]]) -> None:
        content = "".join(
            f"{one.whose} {one.process} {one.host} {one.since} {part}\n"
            for one, parts in claims.items()
            for part in parts
        )
        if not content:
            self._path.unlink(missing_ok=True)
        elif content != self._content():
            write_atomically(self._path, content.encode("ascii"), durable=False)

    def _alive(self, whose: str) -> Path:
        return self._path.with_name(f"{self._path.name}.{whose}.lock")
