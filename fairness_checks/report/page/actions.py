"""What a reader can do about what was found; said only where the records show it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fairness_checks.plain import counted
from fairness_checks.report.evidence import Evidence
from fairness_checks.report.page.cards import Card, nearest
from fairness_checks.report.sweep_text import answer_words, deciding_mixes

__all__ = ["Actions", "Retrain", "actions_of", "first_steps"]

_NARROWS = ("closes", "narrows")
_MOST_NAMED = 3  # models that one sentence names


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


def first_steps(evidence: Evidence, cards: Sequence[Card]) -> Iterator[str]:
    """Yield what to do first, a sentence or two each, for who reads nothing else."""
    if not evidence.complete:
        yield "Run it again: a run that did not come to its end answers nothing."
        return
    judged = [card for card in cards if card.record is not None]
    if failed := [card for card in judged if card.status == "fail"]:
        yield (
            f"Do not use {_models(failed)} until what exceeds its limit is mended, or is accepted for a time by "
            f"{_owners(failed)}."
        )
    if unproved := [card for card in judged if card.status == "inconclusive" and card.red]:
        yield f"Do not use {_models(unproved)} until the data show each limit kept: that is the burden of proof here."
    if broken := [card for card in cards if card.status in ("error", "none")]:
        yield f"Run again what has no verdict: {len(broken)} of {counted(len(cards), 'question')}."
    held = {card.model for card in (*failed, *unproved)}
    unsettled = [card for card in judged if card.status == "inconclusive"]
    if unheld := [card for card in unsettled if card.model not in held]:
        asked = counted(sum(card.model not in held for card in judged), "question")
        models = _models(unheld)
        yield (
            f"Not approved: to {len(unheld)} of {asked} the data give no answer. Do not use {models} until "
            f"they do, unless {_owners(unheld)} accepts that this is open."
        )
    if near := nearest(card for card in unsettled if card.takes):
        needs = f"{near.plan[:1].upper()}{near.plan[1:]}." if near.plan else near.takes
        yield f"For an answer, collect more samples. What is nearest to a failure: {near.title}. {needs}"
    if ends := [card.record.waiver.expires for card in judged if card.record is not None and card.record.waiver]:
        yield f"Mend what is waived by {min(ends)}, when the first waiver ends."
    if evidence.failures:
        what = (
            "mend the waivers that are not in order"
            if all(each.is_waiver for each in evidence.failures)
            else "mend what failed for another reason than a verdict"
        )
        yield f"For who keeps the checks: {what}; listed under Summary."
    green = evidence.run.whole and evidence.ended_green and not evidence.failures
    if green and judged and all(card.status == "pass" for card in cards):
        yield "Nothing, until the model, its data or the limits change: then run it again."


def _owners(cards: Sequence[Card]) -> str:
    """Name who answers for limits, where the file says it of each."""
    names = list(dict.fromkeys(card.owner for card in cards))
    return ", ".join(names) if all(names) and len(names) <= _MOST_NAMED else "whoever answers for it"


def _models(cards: Sequence[Card]) -> str:
    """Name the models of cards, each once."""
    names = list(dict.fromkeys(card.model for card in cards))
    return ", ".join(names) if len(names) <= _MOST_NAMED else f"these {len(names)} models"


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
        if record is None or record.sweep is None or record.withheld or card.status == "pass":
            continue
        said, sweep = answer_words(record.sweep), record.sweep
        if not said or (key := (record.model, record.metric, said)) in told:
            continue
        told.add(key)
        narrows = any(row.change is not None and row.change.answer in _NARROWS for row in deciding_mixes(sweep))
        yield Retrain(card=card, metric=record.metric, narrows=narrows, said=said)
