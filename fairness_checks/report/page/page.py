"""report.html: the evidence of a run as one page without a script, a font or a request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from fairness_checks.report.evidence import Evidence
from fairness_checks.report.formats import Source
from fairness_checks.report.page.actions import actions_of, first_steps
from fairness_checks.report.page.cards import WORDS, Card, cards_of
from fairness_checks.report.page.changes import changes_of
from fairness_checks.report.page.data import data_of
from fairness_checks.report.page.environment import render
from fairness_checks.report.page.methods import GLOSSARY, METHODS, NOT_SHOWN
from fairness_checks.report.page.opening import opening_of
from fairness_checks.report.page.pictures import pictures_of, withheld_pictures
from fairness_checks.report.regulation import CHECKED, REGULATION

__all__ = ["SECTIONS", "write_page"]

SECTIONS: Mapping[str, str] = {
    "summary": "Summary",
    "actions": "What to do",
    "checks": "Checks",
    "sweeps": "Training mixes",
    "uncertainty": "Errors and uncertainty",
    "calibration": "Calibration",
    "baseline": "Change since the baseline",
    "data": "Data",
    "provenance": "Provenance",
    "regulation": "What rules ask",
    "methods": "Methods and glossary",
}
"""Id and heading of each section, in order."""
_FEW = 6  # checks that need no overview


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRow:
    """A model in the overview."""

    model: str
    cards: Sequence[Card]

    @property
    def counts(self) -> str:
        """How many checks ended how."""
        found = Counter(card.status for card in self.cards)
        return ", ".join(f"{found[status]} {word.lower()}" for status, word in WORDS.items() if found[status])


def write_page(evidence: Evidence, source: Source) -> str:
    """Return the page."""
    cards = cards_of(evidence)
    opening, actions = opening_of(evidence, cards), actions_of(cards)
    pictures, changes, data = pictures_of(evidence, cards), changes_of(cards), data_of(evidence)
    holds = pictures | {"baseline": changes, "data": data, "checks": cards}
    return render(
        "report.html.jinja",
        evidence=evidence,
        source=source,
        sections=SECTIONS,
        opening=opening,
        cards=cards,
        failures=[card for card in cards if card.red and card.record is not None],
        overview=list(_overview(cards)) if len(cards) > _FEW else [],
        actions=actions,
        steps=list(first_steps(evidence, cards)),
        pictures=pictures,
        withheld=withheld_pictures(cards, pictures),
        changes=changes,
        data=data,
        empty={section for section, content in holds.items() if not content},
        seeds=_seeds(evidence),
        asked=REGULATION,
        checked=CHECKED,
        methods=METHODS,
        glossary=GLOSSARY,
        not_shown=NOT_SHOWN,
    )


def _overview(cards: Sequence[Card]) -> Iterator[ModelRow]:
    """Yield the models, those with what is red first."""
    by_model: dict[str, list[Card]] = {}
    for card in cards:
        by_model.setdefault(card.model, []).append(card)
    for model, own in by_model.items():
        yield ModelRow(model=model, cards=own)


def _seeds(evidence: Evidence) -> list[int]:
    """Return the seeds that sweeps drew their splits by."""
    plans = [
        each["sweep"]["plan"] for model in evidence.models for each in model.statistics.values() if "sweep" in each
    ]
    return sorted({plan["seed"] for plan in plans})
