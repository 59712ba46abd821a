"""Entries of a baseline: made of records, and the looks that stand behind one another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace

from fairness_checks.baseline.document import Entry, GroupEntry, Look
from fairness_checks.records.check_record import CheckRecord
from fairness_checks.records.parts import GroupRecord

__all__ = ["behind", "entry_of", "number_of_look"]

_DIGITS = 9  # of a value; another machine may round the others otherwise


def entry_of(
    record: CheckRecord,
    *,
    versions: Mapping[str, str],
    git_commit: str | None,
    date: str,
    ratchet_limit: float | None = None,
    groups: tuple[GroupEntry, ...] | None = None,
    period: str | None = None,
) -> Entry:
    """Return what a baseline keeps of a record; other parameters as in `Entry`."""
    # `groups` are given for a check against the baseline, which needs more of them than a record holds.
    kept = groups or tuple(
        GroupEntry(
            name=group.name,
            n=group.n,
            events=group.events,
            value=group.rate,
            variance=None if group.standard_error is None else group.standard_error**2,
            df=None,
        )
        for group in record.groups
    )
    return Entry(
        check=record.check,
        metric=record.metric,
        by=record.by,
        limit_kind=record.limit_kind,
        limit=record.limit,
        control_features=record.control_features,
        strata=record.strata,
        gap=record.sweep.gap if record.sweep else "",
        of=record.regression.of if record.regression else "",
        mix=record.sweep.mix if record.sweep else "",
        verdict=record.verdict,
        estimate=record.estimate,
        low=record.low,
        high=record.high,
        groups=kept,
        ratchet_limit=ratchet_limit,
        positive=None if record.inputs is None else record.inputs.positive,
        scaling=None if record.inputs is None else record.inputs.scaling,
        versions=dict(versions),
        git_commit=git_commit,
        date=date,
        period=period,
    )


def behind(entry: Entry, old: Entry | None) -> Entry:
    """Return an entry with the looks before it. The same statistics once more are the same look."""
    if old is None:
        return entry
    if _seen(entry.groups) == _seen(old.groups):
        return replace(entry, looks=old.looks)
    last = Look(**{each.name: getattr(old, each.name) for each in fields(Look)})
    return replace(entry, looks=(*old.looks, last))


def number_of_look(record: CheckRecord, accepted: Entry | None) -> int:
    """Return which look at its question a record is, from 1: that which was accepted last, or the next one."""
    if accepted is None:
        return 1
    there = len(accepted.looks) + 1
    return there if _seen(record.groups) == _seen(accepted.groups) else there + 1


def _seen(groups: Sequence[GroupEntry] | Sequence[GroupRecord]) -> list[tuple[object, ...]]:
    """Return what a check saw of its groups."""
    seen: list[tuple[object, ...]] = []
    for group in groups:
        value = group.rate if isinstance(group, GroupRecord) else group.value
        seen.append((group.name, group.n, group.events, None if value is None else f"{value:.{_DIGITS}g}"))
    return seen
