"""How far a sweep is, and whom it waits for, as lines of text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TextIO

from fairness_checks.plain import counted

if TYPE_CHECKING:
    from fairness_checks.storage.claims import Claimant

__all__ = ["ProgressLine", "WaitingLine"]

_WIDTH = 79
_TTY_SECONDS = 0.2
_LOG_SECONDS = 60.0


class ProgressLine:
    """A callable for `run_sweep` that writes the rate and the remaining time to a stream.

    On a terminal one line is written over and over; elsewhere, as in a CI log, a line at most every minute, so that
    a short sweep leaves nothing.

    Parameters
    ----------
    stream : text file
        Where to write; never closed.
    label : str
        What is running.

    Examples
    --------
    >>> import sys
    >>> line = ProgressLine(sys.stdout, "sweep sepsis_model")
    >>> line(40, 80, 0.0)  # 40 were stored, and nothing is written as yet
    >>> line(60, 80, 100.0)
    sweep sepsis_model: 60/80 trained, 12/min, 1:40 left
    """

    def __init__(self, stream: TextIO, label: str) -> None:
        self._stream, self._label = stream, label
        self._tty = stream.isatty()
        self._stored: int | None = None
        self._last = 0.0

    def __call__(self, done: int, total: int, seconds: float) -> None:
        """Take note that `done` of `total` are there after `seconds`; the first call says how many were stored."""
        if self._stored is None:
            self._stored = done
            self._last = -_LOG_SECONDS if self._tty else 0.0
        last = done >= total
        if seconds - self._last < (_TTY_SECONDS if self._tty else _LOG_SECONDS) and not (last and self._tty):
            return
        self._last = seconds
        text = self._text(done, total, seconds)
        if self._tty:
            self._stream.write(f"\r{text:<{_WIDTH}}" + ("\n" if last else ""))
        else:
            self._stream.write(f"{text}\n")
        self._stream.flush()

    def _text(self, done: int, total: int, seconds: float) -> str:
        trained = done - (self._stored or 0)
        text = f": {done}/{total} trained"
        if trained and seconds > 0.0:
            left = round((total - done) * seconds / trained)
            minutes, rest = divmod(left, 60)
            hours, minutes = divmod(minutes, 60)
            clock = f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
            text += f", {_rate(trained / seconds)}, {clock} left"
        return self._label[: _WIDTH - len(text)] + text


def _rate(per_second: float) -> str:
    value, unit = (per_second, "s") if per_second >= 1.0 else (60.0 * per_second, "min")
    return f"{value:.{0 if value >= 10.0 else 1}f}/{unit}"


class WaitingLine:
    """A callable for `run_sweep` that says, once, who is at the trainings that a sweep has waited for.

    Parameters
    ----------
    stream : text file
        Where to write; never closed.
    label : str
        What is waiting.
    seconds : float
        Without a training before it is said.
    instead : str
        What else can be done, as the end of the line.

    Examples
    --------
    >>> import sys
    >>> from fairness_checks.storage.claims import Claimant
    >>> first = Claimant("0" * 16, process="4711", host="ward-3", since="2026-11-29 11:32:05")
    >>> line = WaitingLine(sys.stdout, "sweep sepsis_model")
    >>> line(5.0, lambda: {first: 12})
    >>> line(10.0, lambda: {first: 12})  # doctest: +NORMALIZE_WHITESPACE
    <BLANKLINE>
    sweep sepsis_model waits for 12 trainings claimed by process 4711 on ward-3 (since 2026-11-29 11:32:05 UTC);
    a process that hangs can be ended: this run then trains what it has claimed
    """

    def __init__(self, stream: TextIO, label: str, seconds: float = 10.0, instead: str = "") -> None:
        self._stream, self._label, self._seconds, self._instead = stream, label, seconds, instead

    def __call__(self, seconds: float, claimed: Callable[[], Mapping[Claimant, int]]) -> None:
        """Take note that nothing came for some seconds."""
        if seconds < self._seconds or not (found := claimed()):
            return
        self._seconds = float("inf")
        whose = " and ".join(f"process {one.process} on {one.host} (since {one.since} UTC)" for one in found)
        self._stream.write(
            f"\n{self._label} waits for {counted(sum(found.values()), 'training')} claimed by {whose}; a process that "
            f"hangs can be ended: this run then trains what it has claimed{self._instead}\n"
        )
        self._stream.flush()
