"""What pydantic, and the rules between keys that it does not know, say to the author of thresholds.yaml."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from fairness_checks.config.schema import SECTIONS, spec_at
from fairness_checks.config.yaml_document import UNREAD, Document, KeyPath, Problem, as_written, key_path
from fairness_checks.errors import ConfigurationError, did_you_mean
from fairness_checks.plain import shorten
from fairness_checks.question.checks import (
    MISMATCH,
    RATCHET,
    Gap,
    Worsening,
    absent_problem,
    combination_problem,
    limits_of,
    unfit_limit,
)
from fairness_checks.question.limits import LimitKind, limit_problem, limits_in
from fairness_checks.question.metrics import METRICS, Metric
from fairness_checks.sweep.mixes import Mix, is_balanced, parse_mix, require_change

__all__ = ["EXAMPLE", "checks_of", "near", "problems_between_keys", "schema_problems"]

EXAMPLE = """\
version: 1
models:
  my_model:  # the name of a fixture decorated with @fairness_model
    subgroups:
      - {metric: false_negative_rate, by: sex, max_difference: 0.05}
"""

_SUBGROUPS = "subgroups: [{metric: false_negative_rate, by: sex, max_difference: 0.05}]"
_WRITE = MappingProxyType(
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
        "metric": "metric: false_negative_rate",
        "by": "by: sex",
        "model": "model: my_model",
        "reason": 'reason: "why this is accepted"',
        "approved_by": 'approved_by: "who accepted it"',
        "expires": "expires: 2027-06-30",
    }
)
_EXPECTED = MappingProxyType(
    {
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
_ASKING = (*SECTIONS, "profile")
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


def problems_between_keys(document: Document, metrics: Mapping[str, Metric] = METRICS) -> Iterator[Problem]:
    """Yield what no single key shows: models and checks that ask nothing, impossible limits, questions asked twice."""
    data = document.data
    models = data.get("models") if isinstance(data, dict) else None
    for name, model in models.items() if isinstance(models, dict) else ():
        if isinstance(model, dict) and not any(near(str(key), section) for key in model for section in _ASKING):
            yield document.problem(("models", name), f"names no check; write for example `{_WRITE['subgroups']}`")
        yield from _mix_problems(document, name, model.get("sweep") if isinstance(model, dict) else None)
    unchecked = data.get("unchecked") if isinstance(data, dict) else None
    for name in unchecked if isinstance(unchecked, dict) else ():
        if isinstance(models, dict) and name in models:
            where = f"models.{name} on line {document.lines['models', name]}"
            yield document.problem(("unchecked", name), f"{where} checks it; remove one of them")
    first: dict[object, KeyPath] = {}
    for path, entry in checks_of(data):
        section, metric = path[2], entry.get("metric")
        known = kinds = limits_in(section)
        if section == "uncertainty":
            metric = MISMATCH
        elif section != "regression":
            kinds = [kind for kind in known if kind in entry]
            yield from _limit_problems(document, path, entry, kinds, known)
        if isinstance(metric, str) and metric in metrics and (metric != MISMATCH or section != "subgroups"):
            yield from _unfit_problems(document, path, entry, kinds, metrics[metric])
        question = _question(entry, metric, kinds)
        if question is not None and first.setdefault((path[1:3], question), path) != path:
            earlier = first[path[1:3], question]
            where = f"{key_path(document.in_file(earlier))} on line {document.lines[earlier]}"
            yield document.problem(path, f"asks the same as {where} (same metric, features, limit); keep one")


def _mix_problems(document: Document, name: str, sweep: Any) -> Iterator[Problem]:
    """Yield mixes that are none, and gaps that the mixes cannot show."""
    mixes = sweep.get("mixes") if isinstance(sweep, dict) else None
    read: dict[str, Mix] = {}
    for mix, value in mixes.items() if isinstance(mixes, dict) else ():
        try:
            read[mix] = parse_mix(mix, value)
        except ConfigurationError as error:
            place: KeyPath = ("models", name, "sweep", "mixes", mix)
            yield document.problem(place, str(error).removeprefix(f"mixes.{mix}: "))
    if not isinstance(mixes, dict) or len(read) < len(mixes):
        return
    checks = sweep.get("checks")
    for index, check in enumerate(checks if isinstance(checks, list) else ()):
        gap = check.get("gap", "each_mix") if isinstance(check, dict) else None
        place = ("models", name, "sweep", "checks", index, "gap")
        if gap == "equal_representation" and not any(is_balanced(mix) for mix in read.values()):
            yield document.problem(place, "no mix gives all groups the same share; add for example `equal: oversample`")
        if gap == "dependence" and len(read) < 2:
            yield document.problem(place, "the dependence on a group's share needs two mixes or more")
        mix = check.get("mix") if isinstance(check, dict) else None
        if gap == "change" and (mix is None or isinstance(mix, str)):
            try:
                require_change(read, mix)
            except ConfigurationError as error:
                key, _, message = str(error).partition(": ")
                yield document.problem((*place[:-1], key), message)
        elif gap in get_args(Gap) and mix is not None:
            yield document.problem((*place[:-1], "mix"), "only a check with `gap: change` is of one mix; remove it")


def _limit_problems(
    document: Document, path: KeyPath, entry: Mapping[str, Any], kinds: list[LimitKind], known: list[LimitKind]
) -> Iterator[Problem]:
    """Yield a check without exactly one limit."""
    if len(kinds) > 1:
        message = f"has {len(kinds)} limits ({', '.join(kinds)}); keep one, or write one check for each"
        yield document.problem(path, message)
    elif not kinds and not any(near(str(key), kind) for key in entry for kind in known):
        yield document.problem(path, f"has no limit; write exactly one of {', '.join(known)}")


def _unfit_problems(
    document: Document, path: KeyPath, entry: Mapping[str, Any], kinds: list[LimitKind], metric: Metric
) -> Iterator[Problem]:
    """Yield limits, and strata, that the metric does not have."""
    gap = entry.get("gap", "each_mix") if path[2] == "sweep" else None
    of = entry.get("of", "disparity") if path[2] == "regression" else None
    if of == "each_group" and entry.get("ratchet") is True:
        yield document.problem((*path, "ratchet"), RATCHET.removeprefix("ratchet: "))
    for kind in kinds if gap in (None, *get_args(Gap)) and of in (None, *get_args(Worsening)) else ():
        if kind not in limits_of(metric, gap, of):
            yield document.problem((*path, kind), unfit_limit(metric, kind, gap, of))
        elif _is_number(entry.get(kind)) and (problem := limit_problem(kind, entry[kind], metric)):
            yield document.problem((*path, kind), problem.removeprefix(f"{kind}: "))
        if entry.get("strata") == "combined" and (problem := combination_problem(metric, kind)):
            yield document.problem((*path, "strata"), problem)
    by, control = _listed(entry.get("by")), _listed(entry.get("control_features", []))
    if by is not None and control is not None:
        yield from _absent_problems(document, (*path, "absent"), entry.get("absent"), [*control, *by])
    if both := [name for name in control or () if name in (by or ())]:
        yield document.problem(
            (*path, "control_features"), f"{shorten(repr(both[0]))} stands under `by` too; keep it in one place"
        )
    if "strata" in entry and not control:
        yield document.problem((*path, "strata"), "has no control_features to make strata of; name some, or remove it")


def _absent_problems(document: Document, path: KeyPath, cells: Any, features: list[str]) -> Iterator[Problem]:
    """Yield what is wrong with cells that are said to be impossible, as far as no model need be known."""
    if not isinstance(cells, list) or not all(isinstance(cell, list) for cell in cells):
        return  # the schema says so
    for i, cell in enumerate(cells):
        for j, value in enumerate(cell):
            if value is None and not document.plain.get((*path, i, j)):
                yield document.problem((*path, i, j), "nothing is written here; name a group")
                return
            if isinstance(value, dict | list):
                yield document.problem(
                    (*path, i, j), f"expected the name of a group; found {_shown(document, (), value)}"
                )
                return
    written = [[as_written(document, (*path, i, j), value) for j, value in enumerate(c)] for i, c in enumerate(cells)]
    if problem := absent_problem(written, features):
        yield document.problem(path, problem)


def checks_of(data: Any) -> Iterator[tuple[KeyPath, dict[str, Any]]]:
    """Yield (key path, check) of each mapping that stands for one, in a document that may hold anything."""
    models = data.get("models") if isinstance(data, dict) else None
    for name, model in models.items() if isinstance(models, dict) else ():
        for section in SECTIONS:
            entries = model.get(section) if isinstance(model, dict) else None
            path: KeyPath = ("models", name, section)
            if section == "sweep":
                path = (*path, "checks")
                by = entries.get("by") if isinstance(entries, dict) else None
                entries = entries.get("checks") if isinstance(entries, dict) else None
            for index, entry in enumerate(entries if isinstance(entries, list) else ()):
                if isinstance(entry, dict):
                    yield (*path, index), entry | ({"by": by} if section == "sweep" else {})


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _listed(names: Any) -> list[str] | None:
    """Return names as a list; None where they are none."""
    found = [names] if isinstance(names, str) else names
    return found if isinstance(found, list) and all(isinstance(name, str) for name in found) else None


def _question(entry: Mapping[str, Any], metric: Any, kinds: list[LimitKind]) -> object:
    """Identify what a check asks; [sex, age] and [age, sex] make the same groups."""
    by, control = _listed(entry.get("by")), _listed(entry.get("control_features", []))
    if not isinstance(metric, str) or by is None or control is None or len(kinds) != 1:
        return None
    defaults = {"strata": "each", "gap": "each_mix", "of": "disparity", "mix": ""}
    given = [str(entry.get(key, default)) for key, default in defaults.items()]
    return metric, frozenset(by), kinds[0], frozenset(control), *given


def near(name: str, other: str) -> bool:
    """Say whether one name may be meant for another."""
    return bool(difflib.get_close_matches(name, [other], cutoff=0.6))


def _message(document: Document, detail: ErrorDetails) -> str:
    kind, path, value = detail["type"], detail["loc"], detail["input"]
    last = path[-1] if path else None
    if kind == "extra_forbidden":
        return _unknown_key(path)
    if kind == "missing":
        return f"is missing; write for example `{_WRITE[str(last)]}`"
    if kind == "value_error":
        return str(detail["ctx"]["error"])
    if last in (*SECTIONS, "checks") and (kind == "too_short" or value is None):
        rest = "the model" if last == "subgroups" else "the section"
        return f"names no check; write for example `{_WRITE[str(last)]}`, or remove {rest}"
    expected = "a feature's name or a list of names" if last in ("by", "control_features") else _EXPECTED.get(kind)
    if "absent" in path[3:]:
        expected = "a list of cells, each with a group of every feature, such as [[male, yes]]"
    if kind == "greater_than_equal":
        expected = f"a number of at least {detail['ctx']['ge']:g}"
    if expected is None:  # literal_error is the only one known
        expected = f"one of {detail['ctx']['expected']}" if kind == "literal_error" else detail["msg"]
    return f"expected {expected}; found {_shown(document, path, value)}{_remedy(document, path, value, kind)}"


def _unknown_key(path: KeyPath) -> str:
    parent, key = path[:-1], str(path[-1])
    spec = spec_at(parent)
    return f"unknown key; {did_you_mean(key, spec.model_fields if spec else ())}"


def _shown(document: Document, path: KeyPath, value: Any) -> str:
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
    return f"{in_full if '.' in in_full else in_full + '.0'} or {scientific}" if len(in_full) <= 12 else scientific
