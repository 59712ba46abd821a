"""How far a run that fetches is, and the line that shows it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TextIO

from models.data.fetch_failures import Failure

__all__ = ["Fetched", "Progress"]


@dataclass(slots=True)
class Fetched:
    """How a run went, so far.

    Attributes
    ----------
    total, kept, new : int
        Images asked for; of them those that were there already; those that were fetched.
    failures : list of Failure
        Those that could not be had.
    skipped : int
        Of the failures, those that were not asked for as an earlier run found them permanent.
    """

    total: int
    kept: int = 0
    new: int = 0
    failures: list[Failure] = field(default_factory=list)
    skipped: int = 0

    def __str__(self) -> str:
        done = self.kept + self.new + len(self.failures)
        return f"{done:,} of {self.total:,}: {self.kept:,} there, {self.new:,} fetched, {len(self.failures):,} failed"


class Progress:
    """Shows how far a run is: one line that is overwritten on a terminal, a line every 30 s elsewhere."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._terminal = stream.isatty()
        self._next = 0.0

    def __call__(self, fetched: Fetched, *, last: bool = False) -> None:
        """Show it if it is time to, or for the last time."""
        if last or time.monotonic() >= self._next:
            self._next = time.monotonic() + (0.5 if self._terminal else 30)
            self._stream.write(f"\r{fetched}" + "\n" * last if self._terminal else f"{fetched}\n")
            self._stream.flush()
