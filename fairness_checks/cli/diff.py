"""What changed between two states of the models, and which way."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from fairness_checks.baseline.document import Entry, GroupEntry
from fairness_checks.cli.snapshot import Snapshot
from fairness_checks.question.limits import LIMITS
from fairness_checks.question.metrics import METRICS

__all__ = ["CheckChange", "Fact", "Way", "compare"]

Way: TypeAlias = Literal["better", "worse", "neutral"]
Subject: TypeAlias = Literal["check", "verdict", "limit", "ratchet", "estimate", "group"]

_RANK = {"pass": 0, "inconclusive": 1, "waived": 2, "fail": 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One thing that changed about a check."""

    subject: Subject
    name: tuple[str, ...] = ()  # of a group; else empty
    old: str | float | None  # its value; None where there is none
    new: str | float | None
    change: float | None = None  # of numbers, new - old
    way: Way  # of a limit, tighter is better; neutral where neither direction is worse
    # whether "worse" is a reason to stop: not the move of an estimate, of which its verdict says whether it is
    # chance
    counts: bool = True

    @property
    def stops(self) -> bool:
        """Whether this is a reason to stop."""
        return self.counts and self.way == "worse"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckChange:
    """A check that changed."""

    model: str
    key: str
    old: Entry | None  # None where it was not yet, or is no longer, there
    new: Entry | None
    facts: tuple[Fact, ...]

    @property
    def worse(self) -> bool:
        """Whether something about it is a reason to stop."""
        return any(fact.stops for fact in self.facts)


def compare(old: Snapshot, new: Snapshot) -> tuple[CheckChange, ...]:
    """Return every check that changed, sorted by model and key."""
    ratchets = old.kind == new.kind == "baseline"
    changes = []
    for model in sorted({*old.models, *new.models}):
        before, after = old.models.get(model, {}), new.models.get(model, {})
        for key in sorted({*before, *after}):
            facts = tuple(_facts(before.get(key), after.get(key), ratchets))
            if facts:
                changes.append(CheckChange(model=model, key=key, old=before.get(key), new=after.get(key), facts=facts))
    return tuple(changes)


def _facts(old: Entry | None, new: Entry | None, ratchets: bool) -> Iterator[Fact]:
    if old is None or new is None:
        way: Way = "worse" if new is None or new.verdict == "fail" else "neutral"
        verdicts = (None if entry is None else entry.verdict for entry in (old, new))
        yield Fact(subject="check", old=next(verdicts), new=next(verdicts), way=way)
        return
    if old.verdict != new.verdict:
        yield Fact(subject="verdict", old=old.verdict, new=new.verdict, way=_verdict_way(old.verdict, new.verdict))
    lower = _lower_is_better(new)
    yield from _number("limit", old.limit, new.limit, lower)
    if ratchets:
        yield from _number("ratchet", old.ratchet_limit, new.ratchet_limit, lower)
    if old.suppress_below is None and new.suppress_below is None:  # else there is nothing to compare
        yield from _estimate(old, new, lower)
        yield from _groups(old, new)


def _estimate(old: Entry, new: Entry, lower: bool) -> Iterator[Fact]:
    """Yield the change of the estimate, or of its interval alone."""
    moved = list(_number("estimate", old.estimate, new.estimate, lower, moves_count=False))
    if not moved and not (_same(old.low, new.low) and _same(old.high, new.high)):
        moved = [Fact(subject="estimate", old=old.estimate, new=new.estimate, change=0.0, way="neutral")]
    yield from moved


def _same(old: float | None, new: float | None) -> bool:
    """Say whether two numbers are the same but for what another machine makes of the last digits."""
    if old is None or new is None:
        return old is new
    return math.isclose(old, new, rel_tol=1e-9, abs_tol=1e-15)


def _verdict_way(old: str, new: str) -> Way:
    if (old, new) == ("fail", "waived"):  # the model is what it was; somebody answers for it
        return "neutral"
    return "worse" if _RANK[new] > _RANK[old] else "better"


def _lower_is_better(entry: Entry) -> bool:
    """Say whether a lower estimate is better, and a lower limit tighter: the kind of limit says it, not the metric."""
    return LIMITS[entry.limit_kind].ceiling


def _number(
    subject: Subject,
    old: float | None,
    new: float | None,
    lower: bool | None,
    *,
    name: tuple[str, ...] = (),
    moves_count: bool = True,
) -> Iterator[Fact]:
    """Yield the change of a number, if there is one; what is no longer defined is worse, whatever its direction."""
    if old is None and new is None:
        return
    if old is None or new is None:
        yield Fact(subject=subject, name=name, old=old, new=new, way="worse" if new is None else "neutral")
    elif not _same(old, new):
        way: Way = "neutral"
        if lower is not None:
            way = "better" if (new < old) is lower else "worse"
        yield Fact(subject=subject, name=name, old=old, new=new, change=new - old, way=way, counts=moves_count)


def _groups(old: Entry, new: Entry) -> Iterator[Fact]:
    metric = METRICS.get(new.metric)
    lower = None if metric is None else metric.lower_is_better
    before = {group.name: group for group in old.groups}
    after = {group.name: group for group in new.groups}
    for name in sorted({*before, *after}):
        one, other = before.get(name), after.get(name)
        if one is None or other is None:
            way: Way = "worse" if other is None else "neutral"
            yield Fact(subject="group", name=name, old=_there(one), new=_there(other), way=way)
        elif (one.value is None) is not (other.value is None):
            way = "worse" if other.value is None else "neutral"
            yield Fact(subject="group", name=name, old=_there(one), new=_there(other), way=way)
        else:
            yield from _number("group", one.value, other.value, lower, name=name, moves_count=False)


def _there(group: GroupEntry | None) -> str | float | None:
    """Return what is shown of a group that came or went, or whose value did."""
    if group is None:
        return None
    return f"n={group.n}" if group.value is None else group.value
