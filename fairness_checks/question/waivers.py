"""Waivers: accepted debts, each with a reason, a name and an expiry day.

A waiver never turns a failure green. It turns it into an outcome of its own, until its day has passed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import yaml

from fairness_checks.errors import ConfigurationError
from fairness_checks.question.checks import Gap, Strata, Worsening
from fairness_checks.question.limits import LimitKind
from fairness_checks.question.question import Question

__all__ = ["Waiver", "find_waiver", "waiver_entry"]

_WRITTEN = {"limit_kind": "limit"}  # field of a question: as waivers have it


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """One accepted violation.

    Parameters
    ----------
    model : str
        Name of the model.
    metric : str
        Name of the metric.
    by : tuple of str
        Sensitive features of the waived check, in any order.
    reason, approved_by : str
        Why the debt is accepted, and by whom; reports show both.
    expires : datetime.date
        The last day on which the waiver holds.
    check : str
        The section of thresholds.yaml that holds the waived check.
    limit : str or None
        The kind of limit waived, such as "max_difference"; None waives every limit on this metric by these features.
    control_features : tuple of str
        Control features of the waived check, in any order.
    strata : {"each", "combined"} or None
        With control features, whether the waived limit holds in each stratum or for standardised values; None waives
        both.
    gap : {"each_mix", "equal_representation", "worst_case", "best_case", "dependence", "change"} or None
        Of a check on a sweep, the gap waived; None waives every gap.
    mix : str or None
        Of ``gap: change``, the mix that the check names; None where it names none.
    of : {"disparity", "worst_group", "each_group"} or None
        Of a check against the baseline, what may be worse; None waives each of them.
    line : int
        Where thresholds.yaml says so, counted from 1; 0 for a waiver made in Python.

    Raises
    ------
    ConfigurationError
        If ``reason`` or ``approved_by`` is blank, or ``by`` names no feature.
    """

    model: str
    metric: str
    by: tuple[str, ...]
    reason: str
    approved_by: str
    expires: date
    check: str = "subgroups"
    limit: LimitKind | None = None
    control_features: tuple[str, ...] = ()
    strata: Strata | None = None
    gap: Gap | None = None
    mix: str | None = None
    of: Worsening | None = None
    line: int = 0

    def __post_init__(self) -> None:
        for name in ("reason", "approved_by"):
            if not getattr(self, name).strip():
                raise ConfigurationError(f"{name}: a waiver needs one; it is what an auditor reads")
        if not self.by:
            raise ConfigurationError("by: a waiver names the sensitive features of the check that it waives")

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
    """Return the entry of ``waivers:`` that names one check and no other, but for its reason, approval and expiry.

    Examples
    --------
    >>> waiver_entry("m", Question("regression", "accuracy", ("sex",), "max_worsening", of="worst_group"))
    '{model: m, check: regression, metric: accuracy, by: [sex], of: worst_group, limit: max_worsening}'
    """
    fields = question._asdict()
    limit = fields.pop("limit_kind")
    strata = question.strata if question.control_features else ""
    named = {"model": model, **fields, "strata": strata, "limit": limit}
    given = {name: list(value) if isinstance(value, tuple) else value for name, value in named.items() if value}
    return str(yaml.safe_dump(given, default_flow_style=True, sort_keys=False, width=math.inf)).strip()


def find_waiver(waivers: Iterable[Waiver], model: str, question: Question, today: date) -> Waiver | None:
    """Return the waiver that holds today for a check, or None.

    Parameters
    ----------
    waivers : iterable of Waiver
        All waivers of the configuration.
    model : str
        Name of the model.
    question : Question
        Of the check.
    today : datetime.date
        A waiver holds through the end of its expiry day.

    Returns
    -------
    Waiver or None
        Of several that hold, the one that expires last.

    Examples
    --------
    >>> waiver = Waiver(model="m", metric="accuracy", by=("sex",), reason="small centre, CAPA 12",
    ...                 approved_by="A. Auditor", expires=date(2027, 6, 30))
    >>> asked = Question("subgroups", "accuracy", ("sex",), "max_difference")
    >>> find_waiver([waiver], "m", asked, date(2027, 6, 30)) is waiver
    True
    >>> find_waiver([waiver], "m", asked, date(2027, 7, 1)) is None
    True
    """
    holding = [waiver for waiver in waivers if waiver.covers(model, question) and today <= waiver.expires]
    return max(holding, key=lambda waiver: waiver.expires, default=None)
