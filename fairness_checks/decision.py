"""The one function that decides a verdict, and whether a record that was read back is one that it decided."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from fairness_checks.records import CheckRecord

__all__ = ["Verdict", "contradictions", "decide"]

Verdict: TypeAlias = Literal["pass", "fail", "inconclusive", "waived"]


def decide(
    p_adjusted: float | None,
    p_compliance: float | None,
    alpha: float,
    *,
    complete: bool = True,
    broken: bool = False,
    waiver: bool = False,
) -> Verdict:
    """Decide a verdict.

    Parameters
    ----------
    p_adjusted : float or None
        p-value of "the limit is kept", adjusted over the model's checks; None where undefined.
    p_compliance : float or None
        p-value of "the limit is exceeded or met"; None where undefined.
    alpha : float
        Significance level.
    complete : bool
        False where some group could not be judged: the others can prove a violation, but never compliance.
    broken : bool
        Whether the check could not be made at all, which no data settle: it fails, and no waiver covers it.
    waiver : bool
        Whether an unexpired waiver names the check.

    Examples
    --------
    >>> decide(0.001, 0.999, 0.05), decide(0.9, 0.01, 0.05), decide(0.3, 0.4, 0.05), decide(None, None, 0.05)
    ('fail', 'pass', 'inconclusive', 'inconclusive')
    """
    if broken:
        return "fail"
    if p_adjusted is not None and p_adjusted < alpha:
        return "waived" if waiver else "fail"
    if complete and p_compliance is not None and p_compliance < alpha:
        return "pass"
    return "inconclusive"


def contradictions(record: CheckRecord) -> Iterator[str]:
    """Yield what in a record cannot have been decided by `decide`: it was edited, or written by something else."""
    p_values = (record.p_violation, record.p_adjusted, record.p_compliance)
    numbers = (record.estimate, record.low, record.high, *p_values)
    if len({value is None for value in numbers}) > 1:
        yield "estimate: it, its interval and its p-values are given together or not at all"
        return
    for name in ("p_violation", "p_adjusted", "p_compliance"):
        p = getattr(record, name)
        if p is not None and not 0.0 <= p <= 1.0:
            yield f"{name}: {p:g} is no p-value"
    if not 0.0 < record.alpha < 0.5 or not _same(record.confidence, 1.0 - 2.0 * record.alpha):
        yield f"alpha: {record.alpha:g} does not go with an interval at {record.confidence:g}"
    yield from _adjustment(record)
    yield from _groups(record)
    yield from _verdict(record)


def _verdict(record: CheckRecord) -> Iterator[str]:
    decided = decide(
        record.p_adjusted,
        record.p_compliance,
        record.alpha,
        complete=record.reason is None,
        broken=record.broken,
        waiver=record.waiver is not None,
    )
    if record.verdict != decided:
        yield f"verdict: {record.verdict!r}, but its p-values and its waiver say {decided!r}"
    elif (record.waiver is not None) != (decided == "waived"):
        yield f"waiver: stands in a record whose verdict is {record.verdict!r}"
    elif record.estimate is not None and decided != "inconclusive" and not _same(record.estimate, record.limit):
        above = record.estimate > record.limit
        exceeded = not above if record.limit_kind.startswith("min_") else above
        if exceeded is (decided == "pass"):
            yield f"verdict: {record.verdict!r}, but {record.estimate:g} is on the other side of {record.limit:g}"


def _adjustment(record: CheckRecord) -> Iterator[str]:
    """Yield an adjusted p-value below the raw one, or above it times the checks of the family."""
    raw, adjusted = record.p_violation, record.p_adjusted
    if raw is None or adjusted is None:
        return
    most = raw if record.correction == "none" else min(1.0, raw * record.family_size)
    if not (raw <= adjusted <= most or _same(raw, adjusted) or _same(adjusted, most)):
        how = f"{record.correction} over {record.family_size}"
        yield f"p_adjusted: {adjusted:g} is no {how} of {raw:g}"


def _groups(record: CheckRecord) -> Iterator[str]:
    names = {group.name for group in record.groups}
    for field in ("first", "second"):
        name = getattr(record, field)
        if name is not None and name not in names:
            yield f"{field}: {name!r} is none of its groups"


def _same(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)
