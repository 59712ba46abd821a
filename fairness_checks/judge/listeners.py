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
    predictions: Predictions | None  # None where statistics of parts were judged
    check: Check
    settings: Settings
    measured: Measurements


@dataclass(frozen=True, slots=True, eq=False)  # each is another one, whatever it calls
class _Listener:
    hear: Callable[[Basis], None]


# Of the process, not of a context: a verdict that a thread of a test finds is the test's own, too.
_LISTENERS: list[_Listener] = []


@contextmanager
def listening(listener: Callable[[Basis], None]) -> Generator[None]:
    """Have a listener hear of each verdict within the block, instead of any other."""
    own = _Listener(listener)
    _LISTENERS.append(own)
    try:
        yield
    finally:
        _LISTENERS.remove(own)  # of threads the one that began last need not end first


def announced(basis: Basis) -> CheckRecord:
    """Return a record once it has been heard of."""
    if _LISTENERS:
        _LISTENERS[-1].hear(basis)
    return basis.record
