"""Whether the waivers of a run are in order: none expired, none without use, none wider than what it waives."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta

from fairness_checks.checks import CheckKey
from fairness_checks.names import printable
from fairness_checks.records import CheckRecord
from fairness_checks.waivers import Waiver, find_waiver

__all__ = ["LONGEST", "waiver_problems"]

LONGEST = timedelta(days=366)
"""A debt is accepted for a year at most; then somebody looks at it again."""


def waiver_problems(
    waivers: Sequence[Waiver],
    records: Iterable[CheckRecord],
    configured: Iterable[tuple[str, CheckKey]],
    today: date,
) -> list[str]:
    """Say which waivers are expired, unused or too broad; each such waiver fails the run.

    Parameters
    ----------
    waivers : sequence of Waiver
        All waivers of the file.
    records : iterable of CheckRecord
        Of the checks of the file that ran.
    configured : iterable of (str, CheckKey)
        Model and key of every check of the file: a waiver is called unused only where all that it names has run.
    today : datetime.date
        The day of the run.

    Returns
    -------
    list of str
        One text a problem: the waiver, what is wrong with it, and the remedy.

    Examples
    --------
    >>> waiver = Waiver(model="m", metric="accuracy", by=("sex",), reason="CAPA 12", approved_by="A. Auditor",
    ...                 expires=date(2026, 6, 30))
    >>> waiver_problems([waiver], [], [], date(2026, 7, 1))
    ['waiver of subgroups accuracy by sex of m: expired on 2026-06-30; mend the model, or have it approved again']
    """
    ran = {(record.model, record.check_key): record for record in records}
    everything = list(configured)
    problems = []
    for waiver in waivers:
        named = [(model, key) for model, key in everything if waiver.covers(model, key)]
        if problem := _problem(waiver, waivers, named, ran, today):
            problems.append(f"{_subject(waiver)}: {problem}")
    return problems


def _problem(
    waiver: Waiver,
    waivers: Sequence[Waiver],
    named: list[tuple[str, CheckKey]],
    ran: dict[tuple[str, CheckKey], CheckRecord],
    today: date,
) -> str | None:
    if waiver.expires < today:
        return f"expired on {waiver.expires}; mend the model, or have it approved again"
    if waiver.expires > today + LONGEST:
        return (
            f"too broad: it expires on {waiver.expires}; a debt is accepted for {LONGEST.days} days at most, until "
            f"{today + LONGEST}"
        )
    there = [(model, key) for model, key in named if (model, key) in ran]
    own = [find_waiver(waivers, model, key, today) is waiver for model, key in there]
    used = [mine and ran[each].verdict == "waived" for each, mine in zip(there, own, strict=True)]
    if any(used):
        needless = [_check(key) for (_, key), use in zip(there, used, strict=True) if not use]
        return (
            f"too broad: it also covers {'; '.join(needless)}, which needs no waiver; narrow it with `limit`, `gap` or "
            "`control_features`"
            if needless
            else None
        )
    if len(there) < len(named):  # a filtered run cannot tell
        return None
    verdicts = sorted({ran[each].verdict for each in there})
    if there and not any(own):
        return "unused: another waiver of the same checks expires later; remove one of them"
    return f"unused: what it names is not failing ({', '.join(verdicts)}); remove it"


def _subject(waiver: Waiver) -> str:
    line = f" (line {waiver.line})" if waiver.line else ""
    return printable(f"waiver of {waiver.check} {waiver.metric} by {', '.join(waiver.by)} of {waiver.model}{line}")


def _check(key: CheckKey) -> str:
    gap = f", {key.gap}" if key.gap else ""
    control = f" within {', '.join(key.control_features)}" if key.control_features else ""
    return printable(f"{key.metric} by {', '.join(key.by)}{control}{gap} with {key.limit_kind}")
