"""What a reader must know first: whether the run is red, of what, and how many checks ended how."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from fairness_checks.plain import counted
from fairness_checks.report.evidence import Evidence
from fairness_checks.report.page.cards import Card, Status, nearest

__all__ = ["Count", "Opening", "opening_of"]

Colour: TypeAlias = Literal["red", "part", "green"]  # green only where all was judged and shown to be kept, or waived

_EXIT_CODES = {
    2: "it was interrupted",
    3: "an internal error of pytest",
    4: "pytest was used in a wrong way",
    5: "no test was collected",
}


class Count(NamedTuple):
    """How many checks, or tests, ended in one way."""

    status: Status
    word: str
    number: int
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """The head of the page."""

    colour: Colour
    title: str
    finding: str  # what matters most of all that was found
    reasons: tuple[str, ...]  # why it is red, or what green does not say
    counts: tuple[Count, ...]


def opening_of(evidence: Evidence, cards: Sequence[Card]) -> Opening:
    """Say how the run ended."""
    counts = Counter(card.status for card in cards)
    red_cards = [card for card in cards if card.red]
    red = bool(red_cards or not evidence.ended_green or evidence.failures) or not evidence.complete
    others = _others(evidence, cards)
    nothing = "nothing is known" if evidence.complete else "at least: the run did not come to its end"
    left_out = others or not evidence.run.whole or counts["none"] > 0
    colour: Colour = "red" if red else "part" if left_out or counts["inconclusive"] or not cards else "green"
    return Opening(
        colour=colour,
        title=_title(evidence, cards, red_cards, colour),
        finding=_finding(cards),
        reasons=tuple(_reasons(evidence, cards, red_cards, colour)),
        counts=(
            Count("fail", "failed", counts["fail"], "the data show that the limit is exceeded"),
            Count("inconclusive", "inconclusive", counts["inconclusive"], "the data do not settle it: no answer"),
            Count("waived", "waived", counts["waived"], "exceeded, and accepted for a time"),
            Count("pass", "passed", counts["pass"], "the data show that the limit is kept"),
            Count("none", "not run", counts["none"] + others, nothing),
            Count("error", "other errors", len(evidence.failures), "a test failed for another reason than a verdict"),
        ),
    )


def _others(evidence: Evidence, cards: Sequence[Card]) -> int:
    """Count tests that were not judged and have no card: of models that never came to be evaluated, for instance."""
    return max(len(_tests(evidence)) - sum(card.status == "none" for card in cards), 0)


def _tests(evidence: Evidence) -> list[str]:
    """Return the tests without a verdict: a model that the file of limits leaves unchecked is none."""
    return [name for name in evidence.not_judged if "::" in name]


def _title(evidence: Evidence, cards: Sequence[Card], red: Sequence[Card], colour: Colour) -> str:
    if not evidence.complete:
        return "Red: this run did not come to its end"
    if red:
        return f"Red: {'; '.join(_failed(cards, red, len(evidence.failures)))}"
    if colour == "red":
        return "Red: the run failed, though no check did"
    if not any(card.record is not None for card in cards):
        return "Nothing was judged"
    if colour == "green":
        return "Green: each limit is shown to be kept, or waived" if _count(cards, "waived") else _KEPT
    if _others(evidence, cards) or not evidence.run.whole or _count(cards, "none"):
        return "Only a part was judged: there, no limit is shown to be exceeded"
    unsettled, waived = _count(cards, "inconclusive"), _count(cards, "waived")
    rest = f"; the others keep their limits{', or are waived' if waived else ''}" if unsettled < len(cards) else ""
    return f"Not settled: {unsettled} of {counted(len(cards), 'check')}{rest}"


def _finding(cards: Sequence[Card]) -> str:
    """Return the sentence of the first failure; of what comes nearest to one, where nothing failed."""
    if failed := [card for card in cards if card.red and card.record is not None]:
        more = f" {counted(len(failed) - 1, 'check')} more failed; see Summary." if len(failed) > 1 else ""
        return f"{failed[0].headline}.{more}"
    near = nearest(cards)
    return "" if near is None else f"Nearest to a failure: {near.headline}. {near.direction}".rstrip()


def _failed(cards: Sequence[Card], red: Sequence[Card], tests: int) -> Iterator[str]:
    """Yield how many checks failed by their verdict, how many have none as they could not be made, and other tests."""
    if failed := sum(card.record is not None for card in red):
        yield f"{failed} of {counted(sum(card.record is not None for card in cards), 'check')} failed"
    if broken := len(red) - failed:
        yield f"{counted(broken, 'check')} could not be made"
    if tests:
        yield f"{counted(tests, 'other test')} failed"


_KEPT = "Green: each limit is shown to be kept"


def _count(cards: Sequence[Card], status: Status) -> int:
    return sum(card.status == status for card in cards)


def _reasons(evidence: Evidence, cards: Sequence[Card], red: Sequence[Card], colour: Colour) -> Iterator[str]:
    if not evidence.complete:
        yield "A run that did not come to its end proves nothing, whatever stands below. Run it again."
    unproved = sum(card.status == "inconclusive" for card in red)
    if unproved:
        which = counted(unproved, "check")
        yield f"{which} failed as the burden of proof is compliance: the data do not show the limit kept."
    if evidence.failures:
        tests, waivers = len(evidence.failures), sum(each.is_waiver for each in evidence.failures)
        if waivers:
            which = "1 other test is a waiver" if waivers == 1 else f"{waivers} other tests are waivers"
            yield f"{which} not in order, which says nothing of the model; listed under Summary."
        if others := tests - waivers:
            yield f"{counted(others, 'test')} failed for another reason than a verdict; listed under Summary."
    if colour == "red" and evidence.exit_code in _EXIT_CODES:
        yield f"{evidence.run.program} ended with exit code {evidence.exit_code}: {_EXIT_CODES[evidence.exit_code]}."
    elif colour == "red" and evidence.ended_green:
        yield f"The exit code says {evidence.exit_code}, and what the run found says otherwise: what it found counts."
    elif colour == "red" and not red and not evidence.failures and evidence.complete:
        yield f"{evidence.run.program} ended with exit code {evidence.exit_code}."
    open_tests = len(_tests(evidence))
    if not evidence.run.whole or open_tests:
        yield f"Not every configured check was judged{f': {open_tests} have no verdict' if open_tests else ''}."
    if models := len(evidence.not_judged) - open_tests:
        yield f"{models} {'model has' if models == 1 else 'models have'} no check; listed under Summary."
    if waived := _count(cards, "waived"):
        which = f"{counted(waived, 'check')} {'is' if waived == 1 else 'are'}"
        yield f"{which} waived: the limit is shown to be exceeded, and that is accepted for a time."
    unsettled = sum(card.status == "inconclusive" and not card.red for card in cards)
    if unsettled:
        verb = "is" if unsettled == 1 else "are"
        yield (
            f"{counted(unsettled, 'check')} {verb} inconclusive: the data show neither that the limit is kept nor that "
            "it is exceeded."
        )
    if colour == "part" and evidence.exit_code == 0:
        yield f"{evidence.run.program} did not block it (exit code 0), which is no approval."
