"""Who hears of the verdicts of `audit`: nobody, but for the gate while a hand-written test runs."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fairness_checks.records.check_record import CheckRecord

__all__ = ["heard_by", "told"]

# Of the process, not of a context: a verdict that a thread of a test finds is the test's own, too.
_LISTENERS: list[Callable[[CheckRecord], None] | None] = []


@contextmanager
def heard_by(listener: Callable[[CheckRecord], None] | None) -> Generator[None]:
    """Have a listener hear of each verdict within the block, instead of any other."""
    _LISTENERS.append(listener)
    try:
        yield
    finally:
        _LISTENERS.pop()


def told(record: CheckRecord) -> CheckRecord:
    """Return a record once it has been heard of."""
    if _LISTENERS and (listener := _LISTENERS[-1]) is not None:
        listener(record)
    return record
