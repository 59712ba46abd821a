"""What pydantic finds in thresholds.yaml, as its author understands it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from fairness_checks.config.schema import SECTIONS, spec_at
from fairness_checks.config.yaml_document import UNREAD, Document, KeyPath, Problem
from fairness_checks.errors import did_you_mean
from fairness_checks.plain import shorten
from fairness_checks.question.limits import LIMITS

__all__ = ["EXAMPLE", "EXAMPLES", "INIT", "near", "schema_problems", "shown_value"]

_SUBGROUPS = "subgroups: [{metric: false_negative_rate, by: sex, max_difference: 0.05}]"
EXAMPLES = MappingProxyType(
    {
        "version": "version: 1",
        "models": f"models: {{my_model: {{{_SUBGROUPS}}}}}",
        "subgroups": _SUBGROUPS,
        "uncertainty": "uncertainty: [{by: sex, max_mismatch: 0.10}]",
        "max_mismatch": "max_mismatch: 0.10",
        "regression": "regression: [{metric: false_negative_rate, by: sex, max_worsening: 0.02}]",
        "max_worsening": "max_worsening: 0.02",
        "mixes": "mixes: {as_is: as_is, balanced: oversample}",
        "checks": "checks: [{metric: false_negative_rate, gap: each_mix, max_difference: 0.10}]",
        "file": "file: predictions.csv",
        "metric": "metric: false_negative_rate",
        "by": "by: sex",
        "model": "model: my_model",
        "name": "name: A. Clinician",
        "role": "role: medical lead",
        "reason": 'reason: "why this is accepted"',
        "approved_by": 'approved_by: "who accepted it"',
        "expires": "expires: 2027-06-30",
    }
)
EXAMPLE = f"{EXAMPLES['version']}\n{EXAMPLES['models']}  # of a fixture with @fairness_model\n"
"""A whole file, short enough that the message around it is read."""

INIT = (
    "`fairness-checks init` writes one with a model to begin with, `fairness-checks init predictions.csv` one that "
    "judges a file (`source:`)"
)
"""How a file of limits comes about."""

_EXPECTED = MappingProxyType(
    {
        "bool_type": "true or false",
        "date_type": "a day such as 2027-06-30",
        "dict_type": "a mapping of keys to values",
        "finite_number": "a finite number",
        "float_type": "a number",
        "int_type": "a whole number",
        "list_type": "a list",
        "model_type": "a mapping of keys to values",
        "string_type": "text",
    }
)
_EXPONENTIAL = re.compile(r"([-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))[eE]([-+]?[0-9]{1,3})")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def schema_problems(document: Document, error: ValidationError) -> Iterator[Problem]:
    """Yield one problem for each error that pydantic found in a document."""
    details = error.errors(include_url=False)
    unknown: dict[KeyPath, list[str]] = {}  # the unknown keys of each mapping
    for detail in details:
        if detail["type"] == "extra_forbidden":
            unknown.setdefault(detail["loc"][:-1], []).append(str(detail["loc"][-1]))
    for detail in details:
        path = detail["loc"]
        if detail["input"] is UNREAD:
            continue  # YAML's own problem is on the list already
        if detail["type"] == "missing" and any(near(key, str(path[-1])) for key in unknown.get(path[:-1], ())):
            continue  # a key misspelt is reported once
        yield document.problem(path, _message(document, detail))


def near(name: str, other: str) -> bool:
    """Say whether one name may be meant for another."""
    return bool(difflib.get_close_matches(name, [other], cutoff=0.6))


_LIMIT_WORDS = ("limit", "threshold", "tolerance", "max", "maximum", "min", "minimum", "value")


def _message(document: Document, detail: ErrorDetails) -> str:
    kind, path, value = detail["type"], detail["loc"], detail["input"]
    last = path[-1] if path else None
    if kind == "extra_forbidden":
        return _unknown_key(path)
    if kind == "missing":
        return f"is missing; write for example `{EXAMPLES[str(last)]}`"
    if kind == "value_error":
        return str(detail["ctx"]["error"])
    if last in (*SECTIONS, "checks") and (kind == "too_short" or value is None):
        rest = "the model" if last == "subgroups" else "the section"
        return f"names no check; write for example `{EXAMPLES[str(last)]}`, or remove {rest}"
    expected = "a feature's name or a list of names" if last in ("by", "control_features") else _EXPECTED.get(kind)
    if "absent" in path[3:]:
        expected = "a list of cells, each with a group of every feature, such as [[male, yes]]"
    if kind == "greater_than_equal":
        expected = f"a number of at least {detail['ctx']['ge']:g}"
    if last == "limit" and path[:1] == ("waivers",) and not isinstance(value, str):
        expected = f"a kind of limit, such as `limit: max_difference`, and no number: {', '.join(LIMITS)}"
    if expected is None:  # literal_error is the only one known
        expected = f"one of {detail['ctx']['expected']}" if kind == "literal_error" else detail["msg"]
    return f"expected {expected}; found {shown_value(document, path, value)}{_remedy(document, path, value, kind)}"


def _unknown_key(path: KeyPath) -> str:
    parent, key = path[:-1], str(path[-1])
    spec = spec_at(parent)
    if key.casefold() in _LIMIT_WORDS and spec is not None and (kinds := [k for k in LIMITS if k in spec.model_fields]):
        example = "max_difference: 0.05" if "max_difference" in kinds else f"{kinds[0]}: 0.02"
        return f"unknown key; a limit is written by its kind, such as `{example}`; allowed: {', '.join(kinds)}"
    return f"unknown key; {did_you_mean(key, spec.model_fields if spec else ())}"


def shown_value(document: Document, path: KeyPath, value: Any) -> str:
    """Show a value as the author knows it: ``off`` stands in the file, False is what YAML made of it."""
    written = document.plain.get(path)
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"the boolean {str(value).lower()} (written {written})"
    if isinstance(value, str):
        return f"the text {shorten(repr(value))}"
    if isinstance(value, (int, float)):
        return f"the number {shorten(written or str(value))}"
    if isinstance(value, datetime):
        return f"the moment {written or value}"
    if isinstance(value, date):
        return f"the day {value}"
    return "a mapping" if isinstance(value, dict) else "a list"


def _remedy(document: Document, path: KeyPath, value: Any, kind: str) -> str:
    wants_number = kind in ("float_type", "int_type")
    if isinstance(value, str) and wants_number:
        if path not in document.plain:
            return "; remove the quotes"
        if number := _EXPONENTIAL.fullmatch(value):
            return f"; write {_as_yaml_number(*number.groups(), whole=kind == 'int_type')}"
    if isinstance(value, str) and kind == "date_type" and _DATE.fullmatch(value):
        return "; remove the quotes"
    scalar = isinstance(value, (bool, int, float, date))
    if scalar and kind in ("string_type", "list_type") and (written := document.plain.get(path)):
        return f'; if that is a name, write "{shorten(written)}"'
    return ""


def _as_yaml_number(mantissa: str, exponent: str, *, whole: bool) -> str:
    """Write 1e-3 as PyYAML reads it: in full, or with a point in the mantissa and a sign in the exponent."""
    in_full = format(Decimal(f"{mantissa}e{exponent}"), "f")
    if whole:
        return shorten(in_full)
    scientific = f"{mantissa if '.' in mantissa else mantissa + '.0'}e{int(exponent):+d}"
    if len(in_full) > 12:
        return scientific
    return f"{in_full if '.' in in_full else in_full + '.0'} or {scientific}"
