"""Entries of a baseline: made of records, and the looks that stand behind one another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from fairness_checks.baseline.document import Entry, GroupEntry, Look
from fairness_checks.records.check_record import CheckRecord
from fairness_checks.records.parts import GroupRecord

__all__ = ["behind", "entry_of", "has_small_cells", "number_of_look", "without_small_cells"]

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
    # What is withheld is kept nowhere: neither moments, nor a limit that such numbers once gave.
    kept = (None if record.withheld else groups) or tuple(
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
        ratchet_limit=None if record.withheld else ratchet_limit,
        positive=None if record.inputs is None else record.inputs.positive,
        scaling=None if record.inputs is None else record.inputs.scaling,
        versions=dict(versions),
        git_commit=git_commit,
        suppress_below=record.suppressed.below if record.withheld and record.suppressed else None,
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
    unknown = record.withheld and accepted.suppress_below is not None  # whether it is another one: the last
    return there if unknown or _seen(record.groups) == _seen(accepted.groups) else there + 1


def _seen(groups: Sequence[GroupEntry] | Sequence[GroupRecord]) -> list[tuple[object, ...]]:
    """Return what a check saw of its groups."""
    seen: list[tuple[object, ...]] = []
    for group in groups:
        value = group.rate if isinstance(group, GroupRecord) else group.value
        seen.append((group.name, group.n, group.events, None if value is None else f"{value:.{_DIGITS}g}"))
    return seen


def without_small_cells(entry: Entry, below: int) -> Entry:
    """Return an entry without the numbers of looks of which a group is small, written before such were withheld."""
    looks = tuple(
        replace(look, estimate=None, low=None, high=None, groups=()) if has_small_cells(look.groups, below) else look
        for look in entry.looks
    )
    if not has_small_cells(entry.groups, below):
        return replace(entry, looks=looks)
    nothing: dict[str, Any] = dict.fromkeys(("estimate", "low", "high", "ratchet_limit"))
    return replace(entry, **nothing, groups=(), looks=looks, suppress_below=below)


def has_small_cells(groups: Sequence[GroupEntry], below: int) -> bool:
    """Say whether one of the groups has fewer samples, events or samples without one, and some."""
    return any(0 < count < below for group in groups for count in _counts(group))


def _counts(group: GroupEntry) -> tuple[int, ...]:
    return (group.n,) if group.events is None else (group.n, group.events, group.n - group.events)
