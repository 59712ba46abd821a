"""Whether a waiver is in order: not expired, not without use, and no wider than what it waives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from fairness_checks.plain import printable
from fairness_checks.question.question import Question
from fairness_checks.question.waivers import Waiver, find_waiver, waiver_entry
from fairness_checks.records.check_record import CheckRecord

__all__ = ["LONGEST", "day_problem", "use_problem", "waiver_name", "waiver_text"]

LONGEST = timedelta(days=366)
"""A debt is accepted for a year at most; then somebody looks at it again."""


def day_problem(waiver: Waiver, today: date) -> str | None:
    """Say that a waiver has expired, or runs for too long; None where its day is in order."""
    if waiver.expires < today:
        return f"expired on {waiver.expires}; mend the model, or have it approved again"
    if waiver.expires > today + LONGEST:
        return (
            f"runs too long: it expires on {waiver.expires}; a violation is accepted for {LONGEST.days} days at most, "
            f"until {today + LONGEST}: write `expires: {today + LONGEST}` or a day before it"
        )
    return None


def use_problem(
    waiver: Waiver, waivers: Sequence[Waiver], answers: Mapping[Question, CheckRecord | Exception], today: date
) -> str | None:
    """Say that a waiver waives nothing, or more than it must; None where it is in order."""
    named = {key: answer for key, answer in answers.items() if waiver.covers(waiver.model, key)}
    # No waiver covers what could not be checked; whether it would be needed is not known.
    broken = [str(a if isinstance(a, Exception) else a.reason) for a in named.values() if _is_broken(a)]
    judged = {key: a for key, a in named.items() if isinstance(a, CheckRecord) and not _is_broken(a)}
    own = [key for key in judged if find_waiver(waivers, waiver.model, key, today) is waiver]
    used = [key for key in own if judged[key].verdict == "waived"]
    if used and len(used) < len(judged):
        needless = "; ".join(waiver_entry(waiver.model, key) for key in judged if key not in used)
        needed = "; ".join(waiver_entry(waiver.model, key) for key in used)
        return f"too broad: it also covers {needless}, which it need not; narrow it to {needed}"
    if used:
        return None
    if broken:
        return f"unused: what it names could not be checked: {broken[0]}"
    if not own:
        return "unused: another waiver of the same checks holds as long; remove one of them"
    verdicts = sorted({record.verdict for record in judged.values()})
    return f"unused: what it names is not failing ({', '.join(verdicts)}); remove it"


def _is_broken(answer: CheckRecord | Exception) -> bool:
    """Say whether a check could not be made; what fails though a waiver holds is that, too."""
    return isinstance(answer, Exception) or answer.verdict == "fail"


def waiver_name(waiver: Waiver) -> str:
    """Return what a waiver accepts, in a few words."""
    return f"waiver of {waiver.check} {waiver.metric} by {', '.join(waiver.by)} of {waiver.model}"


def waiver_text(waiver: Waiver) -> str:
    """Return what a waiver accepts, who accepted it, why, and until when, in one line."""
    return printable(f"{waiver_name(waiver)}, until {waiver.expires} by {waiver.approved_by}: {waiver.reason}")
