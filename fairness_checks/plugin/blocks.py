"""What a failed check says, on a terminal of any width; the same text, unbroken, for every other reporter."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from fairness_checks.records.check_record import CheckRecord

__all__ = ["lay_out", "say_once"]

_OWN = ("fairness.test", "limits")  # a property of what thresholds.yaml asks for


class Block:
    """The text of a failure, which `str` returns whole and a terminal may break between its words."""

    # pytest repeats a failure's message in its short summary, whole where `CI` is set, if this had a `reprcrash`, or
    # were a text.

    def __init__(self, text: str, *, breaks: bool) -> None:
        self._text = text
        self._breaks = breaks

    def __str__(self) -> str:
        return self._text

    def toterminal(self, writer: Any) -> None:
        """Write the text, its first line in bold; what is to be pasted is never broken."""
        from fairness_checks.report.text import laid_out

        # Reporters that ask for a report's text, not for its lines on a terminal, have it written into a buffer.
        buffered = isinstance(getattr(writer, "_file", None), io.StringIO)
        width = writer.fullwidth if self._breaks and not buffered else None
        for line, first in laid_out(self._text, width):
            writer.line(line, bold=first and self._breaks)


def say_once(report: pytest.TestReport, excinfo: pytest.ExceptionInfo[BaseException] | None, *, own: bool) -> None:
    """Have a failure told in one place: what the gate itself says of a check, and of any other test but one line."""
    if excinfo is None or report.longrepr is None or not isinstance(excinfo.value, pytest.fail.Exception):
        return
    if own and not excinfo.value.pytrace:
        report.longrepr = str(report.longrepr)
    elif not own and (crash := getattr(report.longrepr, "reprcrash", None)) is not None:
        crash.message = next(iter(crash.message.splitlines()), "")


def lay_out(report: pytest.TestReport, records: Sequence[CheckRecord]) -> None:
    """Break what a verdict says where the terminal ends; a message stays on one line, where others look for it."""
    if report.failed and isinstance(report.longrepr, str) and _OWN in report.user_properties:
        breaks = any(not record.broken for record in records)
        report.longrepr = Block(report.longrepr, breaks=breaks)  # type: ignore[assignment]  # has what pytest asks for
