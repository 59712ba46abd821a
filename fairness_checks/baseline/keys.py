"""The identity of a check as text: what a baseline files it under, and what a diff calls it."""

from __future__ import annotations

import json
import re

from fairness_checks.baseline.document import Entry
from fairness_checks.question.checks import CheckKey

__all__ = ["entry_key"]


def entry_key(key: CheckKey | Entry) -> str:
    """Return the identity of a check within its model as one line; different checks have different lines.

    Names of other signs than letters, digits and ``_`` are quoted, so that they cannot be taken for what stands
    between them.

    Examples
    --------
    >>> entry_key(CheckKey("subgroups", "false_negative_rate", ("sex",), "max_difference"))
    'subgroups: false_negative_rate by sex, max_difference'
    >>> entry_key(CheckKey("subgroups", "accuracy", ("sex", "age band"), "min_value", ("ward",), "combined"))
    'subgroups: accuracy by sex + "age band" standardised over ward, min_value'
    """
    within = {"each": " within ", "combined": " standardised over "}[key.strata]
    control = within + _names(key.control_features) if key.control_features else ""
    of = f"of {key.of}" if key.of else ""
    gap = f"{key.gap} under {_name(key.mix)}" if key.mix else key.gap
    parts = [f"{_name(key.metric)} by {_names(key.by)}{control}", gap, of, key.limit_kind]
    return f"{key.check}: {', '.join(part for part in parts if part)}"


def _names(names: tuple[str, ...]) -> str:
    return " + ".join(map(_name, names))


def _name(name: str) -> str:
    plain = re.fullmatch(r"\w+", name) and name.isprintable()
    return name if plain else json.dumps(name, ensure_ascii=not name.isprintable())
