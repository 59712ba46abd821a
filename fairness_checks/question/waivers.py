"""Waivers: accepted debts, each with a reason, a name and an expiry day."""

# A waiver never turns a failure green. It turns it into an outcome of its own, until its day has passed.

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import date

import yaml

from fairness_checks.errors import ConfigurationError
from fairness_checks.question.checks import Strata, Worsening
from fairness_checks.question.gaps import Gap
from fairness_checks.question.limits import LimitKind
from fairness_checks.question.metric_names import canonical
from fairness_checks.question.metrics import METRICS
from fairness_checks.question.question import Question

__all__ = ["Waiver", "find_waiver", "says_nothing", "waiver_entry", "waiver_yaml"]

_WRITTEN = {"limit_kind": "limit"}  # field of a question: as waivers have it


_UNFILLED = "TODO"  # of an entry to be pasted


def says_nothing(text: str) -> str | None:
    """Return why a reason or a name answers for nothing, as a dot, a space of no width, or what is yet to be filled in.

    None where it says something.
    """
    if not any(character.isalnum() for character in text):
        return f"{text!a} has no letter and no digit; an auditor reads this"
    if text.split()[0].rstrip(":,.").casefold() == _UNFILLED.casefold():
        return f"{text!a} is yet to be filled in; an auditor reads this"
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """One accepted violation, which names a check; ConfigurationError if the reason or the approval is blank."""

    model: str
    metric: str  # its name, an alias, or that of a metric of the user's own
    by: tuple[str, ...]  # in any order, as `control_features`
    reason: str  # why the debt is accepted; reports show this and by whom
    approved_by: str
    expires: date  # the last day on which it holds
    check: str = "subgroups"  # the section of thresholds.yaml
    limit: LimitKind | None = None  # None waives every limit on this metric by these features
    control_features: tuple[str, ...] = ()
    strata: Strata | None = None  # None waives both
    gap: Gap | None = None  # None waives every gap
    mix: str | None = None  # None where the check names none
    of: Worsening | None = None  # None waives each of them
    line: int = 0  # where thresholds.yaml says so, from 1; 0 for a waiver made in Python

    def __post_init__(self) -> None:
        for name in ("reason", "approved_by"):
            if (why := says_nothing(getattr(self, name))) is not None:
                raise ConfigurationError(f"{name}: {why}")
        if not self.by:
            raise ConfigurationError("by: a waiver names the sensitive features of the check that it waives")

    def resolved(self, own: Collection[str]) -> Waiver:
        """Return this with the metric's name of `METRICS`, however it is called; a metric of the user's own wins."""
        metric = canonical(self.metric, {*METRICS, *own})
        return self if metric == self.metric else replace(self, metric=metric)

    def covers(self, model: str, question: Question) -> bool:
        """Say whether this waiver, expired or not, names a check."""
        if self.model != model or ((self.gap == "change" or self.mix) and (self.mix or "") != question.mix):
            return False  # where a change is named, it is that of one mix, or that of every mix
        own = {name: getattr(self, _WRITTEN.get(name, name)) for name in Question._fields}
        its = question._asdict()
        return all(_same(own[name], its[name]) for name in own if name != "mix" and own[name] is not None)


def _same(given: object, its: object) -> bool:
    return set(given) == set(its) if isinstance(given, tuple) and isinstance(its, tuple | frozenset) else given == its


def waiver_entry(model: str, question: Question) -> str:
    """Return the entry of ``waivers:`` that names one check and no other, but for its reason, approval and expiry."""
    return str(
        yaml.safe_dump(_naming(model, question), default_flow_style=True, sort_keys=False, width=math.inf)
    ).strip()


def waiver_yaml(model: str, question: Question, expires: date) -> str:
    """Return the whole entry, as lines to be pasted under ``waivers:`` and filled in."""
    filled = {"reason": f"{_UNFILLED} why this is accepted", "approved_by": f"{_UNFILLED} name", "expires": expires}
    entry = [_naming(model, question) | filled]
    text = yaml.safe_dump(entry, default_flow_style=None, sort_keys=False, width=math.inf)
    return "".join(f"  {line}\n" for line in text.splitlines())


def _naming(model: str, question: Question) -> dict[str, object]:
    fields = question._asdict()
    limit = fields.pop("limit_kind")
    strata = question.strata if question.control_features else ""
    named = {"model": model, **fields, "strata": strata, "limit": limit}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in named.items() if value}


def find_waiver(waivers: Iterable[Waiver], model: str, question: Question, today: date) -> Waiver | None:
    """Return the waiver that holds today for a check, through its expiry day and of several the last; None without."""
    holding = [waiver for waiver in waivers if waiver.covers(model, question) and today <= waiver.expires]
    return max(holding, key=lambda waiver: waiver.expires, default=None)
