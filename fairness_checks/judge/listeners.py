"""Who hears of the verdicts of `audit`: nobody, but for the gate while a hand-written test runs."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fairness_checks.inputs.predictions import Predictions
    from fairness_checks.judge.measurements import Measurements
    from fairness_checks.question.checks import Check, Settings
    from fairness_checks.records.check_record import CheckRecord

__all__ = ["Basis", "announced", "listening"]


@dataclass(frozen=True, slots=True, eq=False)
class Basis:
    """A verdict, what was asked, and what decided."""

    record: CheckRecord
    predictions: Predictions
    check: Check
    settings: Settings
    measured: Measurements


# Of the process, not of a context: a verdict that a thread of a test finds is the test's own, too.
_LISTENERS: list[Callable[[Basis], None] | None] = []


@contextmanager
def listening(listener: Callable[[Basis], None] | None) -> Generator[None]:
    """Have a listener hear of each verdict within the block, instead of any other."""
    _LISTENERS.append(listener)
    try:
        yield
    finally:
        _LISTENERS.pop()


def announced(basis: Basis) -> CheckRecord:
    """Return a record once it has been heard of."""
    if _LISTENERS and (listener := _LISTENERS[-1]) is not None:
        listener(basis)
    return basis.record
