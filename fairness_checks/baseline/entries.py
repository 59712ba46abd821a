"""Entries of a baseline: made of records."""

from __future__ import annotations

from collections.abc import Mapping

from fairness_checks.baseline.document import Entry, GroupEntry
from fairness_checks.records.check_record import CheckRecord

__all__ = ["entry_of"]


def entry_of(
    record: CheckRecord,
    *,
    versions: Mapping[str, str],
    git_commit: str | None,
    date: str,
    ratchet_limit: float | None = None,
    groups: tuple[GroupEntry, ...] | None = None,
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
    )
