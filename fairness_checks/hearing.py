"""Who hears of the verdicts of `audit`: nobody, but for the gate while a hand-written test runs."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fairness_checks.records import CheckRecord

__all__ = ["heard_by", "told"]

_LISTENER: ContextVar[Callable[[CheckRecord], None] | None] = ContextVar("fairness_listener", default=None)


@contextmanager
def heard_by(listener: Callable[[CheckRecord], None] | None) -> Generator[None]:
    """Have a listener hear of each verdict within the block, instead of any other."""
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)


def told(record: CheckRecord) -> CheckRecord:
    """Return a record once it has been heard of."""
    if (listener := _LISTENER.get()) is not None:
        listener(record)
    return record
