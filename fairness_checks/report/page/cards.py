"""A check as its card shows it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal, TypeAlias

from fairness_checks.plain import printable
from fairness_checks.question.limits import LIMITS
from fairness_checks.records.check_record import CheckRecord
from fairness_checks.records.decision import turns_red
from fairness_checks.report.evidence import CheckEvidence, Evidence, ModelEvidence
from fairness_checks.report.figures.forest import forest, groups_table
from fairness_checks.report.figures.svg import Figure, FigureTable
from fairness_checks.report.numbers import value_text
from fairness_checks.report.sentence import deciding, who
from fairness_checks.report.text import (
    adjusted_text,
    allowed_text,
    disparity_text,
    headline,
    judged_lines,
    plan_text,
    subject_text,
    sweep_table,
    waiver_lines,
    would_take,
)

__all__ = ["WORDS", "Card", "Status", "card_of_record", "cards_of", "nearest"]

Status: TypeAlias = Literal["fail", "error", "inconclusive", "waived", "pass", "none"]

WORDS: Mapping[Status, str] = {
    "fail": "Failed",
    "error": "No verdict: error",
    "inconclusive": "Inconclusive",
    "waived": "Waived",
    "pass": "Passed",
    "none": "Not run",
}
"""What a reader is told of a check, in the order of the cards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One check."""

    key: str  # its id on the page
    model: str
    test: str | None  # of a hand-written one, its id
    subject: str  # what is compared between which groups
    asked: str  # its limit
    status: Status
    red: bool  # whether it fails the run
    headline: str
    found: str = ""  # what is limited, with its interval
    alone: str = ""  # of an inconclusive one that fails but for the other checks of its model
    beside: str = ""  # of one that fails, what of the same metric is waived, and why that is not enough
    takes: str = ""  # what would settle it
    plan: str = ""  # the same for who is to collect it: how many to plan for, where that is known
    why: str = ""
    owner: str = ""
    look: int | None = None
    figure: Figure | None = None
    table: FigureTable | None = None
    how: tuple[str, ...] = ()  # it was judged, a sentence each
    lines: tuple[str, ...] = ()  # of a sweep, groups under each mix as a table of text
    waiver: tuple[str, ...] = ()  # a line above, and what accepts it for a time; none covers a hand-written test
    record: CheckRecord | None = None
    statistics: str | None = None  # key among those of its model
    place: int = 0  # of its model in the evidence

    @property
    def word(self) -> str:
        """The verdict, for a reader."""
        return WORDS[self.status]

    @property
    def nearness(self) -> float:
        """By which inconclusive checks are told: its p-value of a violation, 1 where there is none."""
        p = None if self.record is None else self.record.p_violation
        return 1.0 if p is None else p

    @property
    def numbers(self) -> str:
        """What is limited, with its interval, and of how many samples that is known."""
        record = self.record
        if record is None or record.estimate is None or record.low is None or record.high is None:
            return ""
        word = LIMITS[record.limit_kind].word.capitalize()
        interval = f"{record.confidence:.0%} interval {value_text(record.low)} to {value_text(record.high)}"
        groups = [] if record.sweep is not None or record.strata == "combined" else deciding(record)
        seen = [
            f"{who(record, group.name)}: {'' if group.events is None else f'{group.events:,} of '}{group.n:,}"
            for group in groups
        ]
        counted = f" ({'; '.join(seen)} {record.unit})" if seen else ""
        return printable(f"{word} {value_text(record.estimate)}, {interval}{counted}. {self.direction}").rstrip()

    @property
    def direction(self) -> str:
        """Whether it is known who does worse, where it is not known whether by more than is allowed."""
        record = self.record
        if record is None or self.status != "inconclusive" or record.limit_kind != "max_difference" or record.gap:
            return ""
        if record.low is None or record.regression is not None:
            return ""
        return (
            "Whether they differ at all is open, too."
            if record.low <= 0.0
            else "That they differ is seen, how far is not."
        )

    @property
    def title(self) -> str:
        """What is asked of which model, in one line."""
        return f"{self.model}: {self.subject}, {self.asked}" if self.asked else f"{self.model}: {self.subject}"


def cards_of(evidence: Evidence) -> list[Card]:
    """Return a card for each check: what turns the run red first, then by verdict, then in the order of the file."""
    today = date.fromisoformat(evidence.run.day)
    found = [
        _card(model, check, f"check-{m + 1}-{c + 1}", m, today)
        for m, model in enumerate(evidence.models)
        for c, check in enumerate(model.checks)
    ]
    order = list(WORDS)
    waived = [card for card in found if card.status == "waived"]
    found = [replace(card, beside=_beside(card, waived)) if card.status == "fail" else card for card in found]
    return sorted(found, key=lambda card: (not card.red, order.index(card.status)))


def nearest(cards: Iterable[Card]) -> Card | None:
    """Return the inconclusive check that comes nearest to a failure."""
    return min((card for card in cards if card.status == "inconclusive"), key=lambda card: card.nearness, default=None)


def _beside(card: Card, waived: Sequence[Card]) -> str:
    """Name the waived checks of the same metric, which a reader could take for this one."""
    record = card.record
    same = [
        f"{other.subject}, {other.asked}"
        for other in waived
        if record is not None and other.record is not None
        if (other.model, other.record.metric) == (card.model, record.metric)
    ]
    return f"Waived is another check alone, not this one: {'; '.join(same)}." if same else ""


def _card(model: ModelEvidence, check: CheckEvidence, key: str, place: int, today: date) -> Card:
    if check.record is not None:
        return _of_record(check.record, key, today, model.test, check, place)
    error = check.error
    return Card(
        key=key,
        model=model.model,
        test=model.test,
        subject=check.question,
        asked="",
        status="none" if error is None else "error",
        red=error is not None,
        headline=f"It could not be made: {error}" if error is not None else "It was not run, so nothing is known.",
        why=check.why,
        owner=check.owner,
        place=place,
    )


def card_of_record(record: CheckRecord, key: str) -> Card:
    """Return the card of a record that stands alone, as in a notebook."""
    return _of_record(record, key, None, None, None, 0)


def _of_record(
    record: CheckRecord, key: str, today: date | None, test: str | None, check: CheckEvidence | None, place: int
) -> Card:
    figure = forest(record, f"{key}-groups")
    return Card(
        key=key,
        model=record.model,
        test=test,
        subject=subject_text(record),
        asked=f"{LIMITS[record.limit_kind].word} {allowed_text(record)}",
        status=record.verdict,
        red=turns_red(record.verdict, record.burden_of_proof),
        headline=headline(record),
        found="" if record.estimate is None else disparity_text(record),
        alone=adjusted_text(record) or "",
        takes=list(would_take(record))[-1] if record.verdict == "inconclusive" and not record.withheld else "",
        plan=(record.verdict == "inconclusive" and not record.withheld and plan_text(record)) or "",
        why="" if check is None else check.why,
        owner="" if check is None else check.owner,
        look=None if check is None else check.look,
        figure=figure,
        table=groups_table(record) if figure is None and record.groups else None,
        how=tuple(judged_lines(record)),
        lines=tuple(sweep_table(record)),
        waiver=tuple(waiver_lines(record, today)) if today is not None and test is None else (),
        record=record,
        statistics=None if check is None else check.statistics,
        place=place,
    )
