"""The identity of a check, and the one place that puts it into words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import NamedTuple

from fairness_checks.plain import printable

__all__ = ["Question"]


class Question(NamedTuple):
    """What a check asks of its model, but for the number that limits it."""

    # A field that comes later has a default, stands last, and has its words below; checks, records, waivers and
    # entries of the baseline have a field of the same name.

    check: str  # section of thresholds.yaml
    metric: str
    by: tuple[str, ...]
    limit_kind: str
    control_features: tuple[str, ...] = ()
    strata: str = "each"
    gap: str = ""  # of a check on a sweep, what is compared
    of: str = ""  # of a check against the baseline, what may not get worse
    mix: str = ""  # of the change of a gap, the mix that it is the change to; "" for every mix

    @classmethod
    def read(cls, holder: object) -> Question:
        """Return the question of what has fields of these names."""
        return cls(*(getattr(holder, name) for name in cls._fields))

    @property
    def line(self) -> str:
        """The question as one line of its own: what a baseline files it under, and what a diff calls it."""
        # Names of other signs than letters, digits and `_` are quoted, so that they cannot be taken for what stands
        # between them: different questions have different lines.
        of = f"of {self.of}" if self.of else ""
        gap = f"{self.gap} under {_quoted(self.mix)}" if self.mix else self.gap
        control = f" {self.within} {_all_quoted(self.control_features)}" if self.control_features else ""
        parts = [f"{_quoted(self.metric)} by {_all_quoted(self.by)}{control}", gap, of, self.limit_kind]
        return f"{self.check}: {', '.join(part for part in parts if part)}"

    @property
    def within(self) -> str:
        """How values relate to the strata of the control features."""
        return {"each": "within", "combined": "standardised over"}[self.strata]

    def subject(self, component: str | None = None) -> str:
        """Return what is compared between which groups, for a reader; the component is that which decides."""
        part = f" ({component})" if component else ""
        control = f" {self.within} {', '.join(self.control_features)}" if self.control_features else ""
        return printable(f"{self.metric}{part} by {', '.join(self.by)}{control}")


def _all_quoted(names: Iterable[str]) -> str:
    return " + ".join(map(_quoted, names))


def _quoted(name: str) -> str:
    plain = re.fullmatch(r"\w+", name) and name.isprintable()
    return name if plain else json.dumps(name, ensure_ascii=not name.isprintable())
