"""How far a sweep is, as one line of text."""

from __future__ import annotations

from typing import TextIO

__all__ = ["ProgressLine"]

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
