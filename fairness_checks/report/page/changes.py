"""What changed since the baseline, one row a check against it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fairness_checks.report.numbers import HIDDEN, value_text
from fairness_checks.report.page.cards import Card
from fairness_checks.report.regression_text import regression_lines
from fairness_checks.report.text import disparity_text

__all__ = ["Change", "changes_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One comparison."""

    card: Card
    before: str
    after: str
    worse_by: str  # with its interval; below 0 where it got better
    said: tuple[str, ...]  # baseline, whether it is paired, and more


def changes_of(cards: Sequence[Card]) -> list[Change]:
    """Return the checks against the baseline."""
    return list(_changes(cards))


def _changes(cards: Sequence[Card]) -> Iterator[Change]:
    for card in cards:
        record = card.record
        if record is None or record.regression is None:
            continue
        found = record.regression
        nothing = HIDDEN if record.withheld else "undefined"
        before, after = (nothing if value is None else value_text(value) for value in (found.before, found.after))
        yield Change(
            card=card,
            before=before,
            after=after,
            worse_by=nothing if record.estimate is None else disparity_text(record),
            said=tuple(regression_lines(found)),
        )
