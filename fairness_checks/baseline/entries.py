"""Entries of a baseline: made of records, and laid over those that are there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from fairness_checks.baseline.document import Baseline, Entry, GroupEntry, ModelBaseline
from fairness_checks.errors import BaselineError
from fairness_checks.records import CheckRecord

__all__ = ["entry_of", "merged"]


def entry_of(
    record: CheckRecord,
    *,
    versions: Mapping[str, str],
    git_commit: str | None,
    date: str,
    ratchet_limit: float | None = None,
    groups: tuple[GroupEntry, ...] | None = None,
) -> Entry:
    """Return what a baseline keeps of a record; other parameters as in `Entry`.

    `groups` are given for a check against the baseline, which needs more of them than a record holds.
    """
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
        verdict=record.verdict,
        estimate=record.estimate,
        low=record.low,
        high=record.high,
        groups=kept,
        ratchet_limit=ratchet_limit,
        versions=dict(versions),
        git_commit=git_commit,
        date=date,
    )


def merged(old: Baseline | None, salt: str, models: Mapping[str, ModelBaseline]) -> Baseline:
    """Return a baseline with new entries over the old ones: other models, and other checks of these models, stay.

    Parameters
    ----------
    old : Baseline or None
        What is there; None for nothing.
    salt : str
        That the new outcomes were hashed with.
    models : mapping of str to ModelBaseline
        What is new. Its outcomes and fingerprint replace the old ones, also where they are None.

    Raises
    ------
    BaselineError
        If the old outcomes were hashed with another salt.

    Examples
    --------
    >>> first = merged(None, "0" * 32, {"a": ModelBaseline(checks={})})
    >>> sorted(merged(first, "0" * 32, {"b": ModelBaseline(checks={})}).models)
    ['a', 'b']
    """
    if old is None:
        return Baseline(salt=salt, models=dict(models))
    if old.salt != salt:
        raise BaselineError(
            "salt: the baseline was replaced while this run hashed its sample ids with the salt of the one before; "
            "run the update again"
        )
    kept = dict(old.models)
    for name, model in models.items():
        before = kept[name].checks if name in kept else {}
        kept[name] = replace(model, checks={**before, **model.checks})
    return replace(old, models=kept)
