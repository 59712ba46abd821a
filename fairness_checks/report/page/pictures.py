"""Pictures of sweeps, uncertainty and calibration, each once for all checks that share it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from fairness_checks.findings.statistics import Statistics
from fairness_checks.findings.statistics_json import statistics_from_json
from fairness_checks.records.check_record import CheckRecord
from fairness_checks.report.evidence import Evidence
from fairness_checks.report.figures import (
    Figure,
    calibration,
    error_by_uncertainty,
    mismatch,
    risk_coverage,
    sweep,
    sweep_gaps,
)
from fairness_checks.report.page.cards import Card

__all__ = ["Picture", "pictures_of", "withheld_pictures"]

_Draws: TypeAlias = "Callable[[CheckRecord, Statistics | None, str], Figure | None]"

_DRAWN: Mapping[str, Sequence[_Draws]] = {
    "sweeps": (sweep, sweep_gaps),
    "uncertainty": (mismatch, error_by_uncertainty, risk_coverage),
    "calibration": (calibration,),
}
"""By section, what draws of a record where there is something to be drawn."""

_ASKED: Mapping[str, Callable[[CheckRecord], bool]] = {
    "sweeps": lambda record: record.sweep is not None,
    "uncertainty": lambda record: record.sweep is None and record.limit_kind == "max_mismatch",
    "calibration": lambda record: record.sweep is None and record.metric == "expected_calibration_error",
}
"""By section, whether a record asks for what its pictures show."""


class Picture(NamedTuple):
    """A figure on the page."""

    key: str
    """Its id."""
    card: Card
    """A check that it is of."""
    figure: Figure


def pictures_of(evidence: Evidence, cards: Sequence[Card]) -> dict[str, list[Picture]]:
    """Return the pictures of each section, in the order of the cards."""
    known: dict[tuple[int, str], Statistics] = {}

    def statistics(card: Card) -> Statistics | None:
        if card.statistics is None:
            return None
        key = (card.place, card.statistics)
        if key not in known:
            known[key] = statistics_from_json(evidence.models[card.place].statistics[card.statistics])
        return known[key]

    return {section: list(_drawn(section, draws, cards, statistics)) for section, draws in _DRAWN.items()}


def withheld_pictures(cards: Sequence[Card], pictures: Mapping[str, Sequence[Picture]]) -> dict[str, list[Card]]:
    """Return by section the checks of which some picture is not there, as numbers of small groups are withheld."""
    withheld = [card for card in cards if card.record is not None and card.record.suppressed is not None]
    found = {}
    for section, asked in _ASKED.items():
        drawn = {picture.card.key for picture in pictures[section]}
        found[section] = [
            card for card in withheld if card.record is not None and asked(card.record) and card.key not in drawn
        ]
    return found


def _drawn(
    section: str, draws: Sequence[_Draws], cards: Sequence[Card], statistics: Callable[[Card], Statistics | None]
) -> Iterator[Picture]:
    """Yield each picture that says what none before it does."""
    seen: set[object] = set()
    for card in cards:
        for n, draw in enumerate(draws):
            key = f"{card.key}-{section}-{n + 1}"
            figure = None if card.record is None else draw(card.record, statistics(card), key)
            if figure is not None and (same := (card.place, figure.table, figure.notes)) not in seen:
                seen.add(same)
                yield Picture(key, card, figure)
