"""What a reader can do about what was found; said only where the records show it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fairness_checks.report.page.cards import Card
from fairness_checks.report.sweep_text import answer_words, deciding_mixes

__all__ = ["Actions", "Retrain", "actions_of"]

_NARROWS = ("closes", "narrows")


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrain:
    """Whether other training data narrows the gap of a model, as its sweep shows: no group need do better by it."""

    card: Card
    metric: str
    narrows: bool
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Actions:
    """All of it."""

    collect: tuple[Card, ...]  # inconclusive ones, those first that need the fewest samples
    retrain: tuple[Retrain, ...]
    unknown: tuple[tuple[str, str], ...]  # model and metric that fail and have no sweep
    waive: tuple[Card, ...]


def actions_of(cards: Sequence[Card]) -> Actions:
    """Return what can be done."""
    collect = sorted((card for card in cards if card.takes), key=_missing)
    retrain = tuple(_retrain(cards))
    answered = {(each.card.model, each.metric) for each in retrain}
    failed = [card.record for card in cards if card.record is not None and card.status in ("fail", "waived")]
    asked = dict.fromkeys((record.model, record.metric) for record in failed)
    return Actions(
        collect=tuple(collect),
        retrain=retrain,
        unknown=tuple(pair for pair in asked if pair not in answered),
        waive=tuple(card for card in cards if card.waiver),
    )


def _missing(card: Card) -> float:
    """Return how many samples would settle a check, those that nobody knows last."""
    record = card.record
    if record is None or record.needed_samples is None:
        return float("inf")
    return sum(record.needed_samples) - sum(
        record.group(name).n for name in (record.first, record.second) if name is not None and record.sweep is None
    )


def _retrain(cards: Sequence[Card]) -> Iterator[Retrain]:
    """Yield what each sweep answers, once for all checks that it is the answer of."""
    told: set[tuple[str, str, str]] = set()
    for card in cards:
        record = card.record
        if record is None or record.sweep is None or record.withheld:
            continue
        said, sweep = answer_words(record.sweep), record.sweep
        if not said or (key := (record.model, record.metric, said)) in told:
            continue
        told.add(key)
        narrows = any(row.change is not None and row.change.answer in _NARROWS for row in deciding_mixes(sweep))
        yield Retrain(card=card, metric=record.metric, narrows=narrows, said=said)
