"""Attested checks of a run's evidence: what of them can still be verified, though their numbers are withheld."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeAlias

from fairness_checks.errors import RecordError
from fairness_checks.judge.measurements import Said
from fairness_checks.measure.small_cells import is_small
from fairness_checks.question.checks import Check, Settings
from fairness_checks.question.waivers import Waiver, find_waiver
from fairness_checks.records.check_record import CheckRecord
from fairness_checks.records.parts import GroupRecord
from fairness_checks.report.evidence import CheckEvidence

__all__ = ["Asked", "contradictions"]

_VIOLATED = ("fail", "waived")
_NEAR = 1e-9  # by which a rate of another machine may differ

Contradiction: TypeAlias = tuple[str, str, str]
"""Of a record: a field, what stands there, and what follows."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is known of all checks of a model, whatever was found."""

    model: str
    settings: Settings
    family: int
    said: Said
    waivers: Sequence[Waiver]
    day: date
    below: int | None  # `suppress_below` of the file


def contradictions(entry: CheckEvidence, record: CheckRecord, check: Check, asked: Asked) -> Iterator[Contradiction]:
    """Yield what in an attested record does not follow from what was asked, or contradicts itself."""
    if record.suppressed is None:
        return
    if entry.statistics is not None:
        yield "suppressed", "attested", "recomputed: its statistics are there"
    if record.suppressed.below != asked.below:
        below = "the file has no suppress_below" if asked.below is None else f"suppress_below {asked.below}"
        yield "suppressed", f"below {record.suppressed.below}", below
    plain = check.gap is None and check.of is None and check.strata == "each"
    if plain and not (record.groups or record.suppressed.groups or record.broken):
        yield "groups", "none", "those that are shown, and those that are withheld"
    for name, expected in _asked(check, asked).items():
        if (found := getattr(record, name)) != expected:
            yield name, str(found), str(expected)
    waiver = find_waiver(asked.waivers, asked.model, check.question, asked.day)
    if not record.broken and (waiver is not None) != (record.verdict == "waived") and record.verdict in _VIOLATED:
        yield "verdict", record.verdict, "fail: no waiver holds" if waiver is None else "waived"
    elif record.waiver is not None and waiver is not None:
        own = (waiver.reason, waiver.approved_by, waiver.expires.isoformat())
        if (found := (record.waiver.reason, record.waiver.approved_by, record.waiver.expires)) != own:
            yield "waiver", str(found), str(own)
    try:
        CheckRecord.from_json(record.to_json())
    except RecordError as error:
        yield "record", "a record that cannot be", str(error)
    for group in record.groups:
        yield from _of_group(group, record.suppressed.below)


def _asked(check: Check, asked: Asked) -> dict[str, Any]:
    """Return the fields of a record that are the same whatever the data."""
    settings, said, swept = asked.settings, asked.said, check.gap is not None
    return {
        "model": asked.model,
        "question": check.question,
        "limit": check.limit,
        "confidence": 1.0 - 2.0 * settings.alpha,
        "correction": settings.correction,
        "family_size": asked.family,
        "alpha": settings.alpha,
        "burden_of_proof": settings.burden_of_proof,
        "min_group_size": settings.min_group_size,
        "absent": check.absent,
        "about": dict(said.about),
        "inputs": said.inputs,
        "notes": said.swept if swept else said.held_out,
    }


def _of_group(group: GroupRecord, below: int) -> Iterator[Contradiction]:
    """Yield counts of a group that are not to be shown, or that cannot be."""
    counts = {"samples": group.samples, "n": group.n, "clusters": group.clusters or 0}
    if group.events is not None:
        counts |= {"events": group.events, "n - events": group.n - group.events}
        if not 0 <= group.events <= group.n:
            yield f"groups[{group.label}]: events", str(group.events), f"at most {group.n}"
        elif group.rate is not None and group.n and abs(group.rate - group.events / group.n) > _NEAR:
            yield f"groups[{group.label}]: rate", f"{group.rate:.17g}", f"{group.events / group.n:.17g}"
    for name, count in counts.items():
        if is_small(count, below).any():
            yield f"groups[{group.label}]: {name}", str(count), f"withheld: below {below}"
