"""The rules of thresholds.yaml that no single key shows: what asks nothing, is impossible, or is asked twice."""

# The document may hold anything: each rule looks at what is in order, so that all problems of a file are listed at
# once, beside those that the schema finds.

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from fairness_checks.config.messages import EXAMPLES, near, shown_value
from fairness_checks.config.schema import SECTIONS
from fairness_checks.config.yaml_document import (
    Document,
    KeyPath,
    Problem,
    as_written,
    key_path,
    list_at,
    mapping_at,
)
from fairness_checks.errors import ConfigurationError
from fairness_checks.plain import shorten
from fairness_checks.question.checks import (
    MISMATCH,
    RATCHET,
    Worsening,
    absent_problem,
    combination_problem,
    limits_of,
    unfit_limit,
)
from fairness_checks.question.gaps import GAPS
from fairness_checks.question.limits import LimitKind, limit_problem, limits_in
from fairness_checks.question.metric_names import alias_limit_problem, canonical
from fairness_checks.question.metrics import Metric
from fairness_checks.sweep.mixes import Mix, is_balanced, parse_mix, require_change

__all__ = ["checks_of", "problems_between_keys"]

_ASKING = (*SECTIONS, "profile")


def problems_between_keys(document: Document, metrics: Mapping[str, Metric]) -> Iterator[Problem]:
    """Yield what no single key shows: models and checks that ask nothing, impossible limits, questions asked twice."""
    models, unchecked = (mapping_at(document.data, key) for key in ("models", "unchecked"))
    for name, model in models.items():
        if isinstance(model, dict) and not any(near(str(key), section) for key in model for section in _ASKING):
            yield document.problem(("models", name), f"names no check; write for example `{EXAMPLES['subgroups']}`")
        yield from _mix_problems(document, name, mapping_at(model, "sweep"))
    for name in unchecked:
        if name in models:
            where = f"models.{name} on line {document.lines['models', name]}"
            yield document.problem(("unchecked", name), f"{where} checks it; remove one of them")
    first: dict[object, tuple[KeyPath, str | None]] = {}
    for path, entry in checks_of(document.data):
        metric, kinds = _asked(path[2], entry, metrics)
        yield from _check_problems(document, path, entry, kinds, metrics.get(metric) if metric is not None else None)
        question = _question(entry, metric, kinds)
        if question is None:
            continue
        earlier, of = first.setdefault((path[1:3], question), (path, metric))
        if earlier != path:
            where = f"{key_path(document.in_file(earlier))} on line {document.lines[earlier]}"
            why = "same metric, features, limit" if of == metric else f"{metric} is 1 minus {of}"
            yield document.problem(path, f"asks the same as {where} ({why}); keep one")


def _asked(
    section: object, entry: Mapping[str, Any], metrics: Mapping[str, Metric]
) -> tuple[str | None, list[LimitKind]]:
    """Return the metric that a check is of, if it is a name, and the kinds of limit that it has."""
    metric, known = entry.get("metric"), limits_in(section)
    if section == "uncertainty":
        return MISMATCH, known
    kinds = known if section == "regression" else [kind for kind in known if kind in entry]
    return canonical(metric, metrics) if isinstance(metric, str) else None, kinds


def _check_problems(
    document: Document, path: KeyPath, entry: Mapping[str, Any], kinds: list[LimitKind], metric: Metric | None
) -> Iterator[Problem]:
    """Yield what is wrong with the limits of a check, and with what its metric does not have."""
    if path[2] not in ("uncertainty", "regression"):  # which have one kind of limit, and must name it
        yield from _limit_problems(document, path, entry, kinds, limits_in(path[2]))
    if metric is not None and (metric.name != MISMATCH or path[2] != "subgroups"):
        yield from _unfit_problems(document, path, entry, kinds, metric)


def _mix_problems(document: Document, name: str, sweep: dict[str, Any]) -> Iterator[Problem]:
    """Yield mixes that are none, and gaps that the mixes cannot show."""
    mixes, read = mapping_at(sweep, "mixes"), dict[str, Mix]()
    for mix, value in mixes.items():
        try:
            read[mix] = parse_mix(mix, value)
        except ConfigurationError as error:
            place: KeyPath = ("models", name, "sweep", "mixes", mix)
            yield document.problem(place, str(error).removeprefix(f"mixes.{mix}: "))
    if isinstance(sweep.get("mixes"), dict) and len(read) == len(mixes):
        for index, check in enumerate(list_at(sweep, "checks")):
            if isinstance(check, dict):
                yield from _gap_problems(document, ("models", name, "sweep", "checks", index), check, read)


def _gap_problems(
    document: Document, path: KeyPath, check: Mapping[str, Any], mixes: Mapping[str, Mix]
) -> Iterator[Problem]:
    """Yield a gap that the mixes cannot show, and a mix that a gap is not of."""
    gap, mix = check.get("gap", "each_mix"), check.get("mix")
    if gap == "equal_representation" and not any(is_balanced(each) for each in mixes.values()):
        message = "no mix gives all groups the same share; add for example `equal: oversample`"
        yield document.problem((*path, "gap"), message)
    if gap == "dependence" and len(mixes) < 2:
        yield document.problem((*path, "gap"), "the dependence on a group's share needs two mixes or more")
    if gap == "change" and (mix is None or isinstance(mix, str)):
        try:
            require_change(mixes, mix)
        except ConfigurationError as error:
            key, _, message = str(error).partition(": ")
            yield document.problem((*path, key), message)
    elif gap in tuple(GAPS) and mix is not None:
        yield document.problem((*path, "mix"), "only a check with `gap: change` is of one mix; remove it")


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
    for kind in kinds if gap in (None, *GAPS) and of in (None, *get_args(Worsening)) else ():
        if problem := alias_limit_problem(str(entry.get("metric", metric.name)), {metric.name}, kind, of):
            yield document.problem((*path, kind), problem)
        elif kind not in limits_of(metric, gap, of):
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
                    (*path, i, j), f"expected the name of a group; found {shown_value(document, (), value)}"
                )
                return
    written = [[as_written(document, (*path, i, j), value) for j, value in enumerate(c)] for i, c in enumerate(cells)]
    if problem := absent_problem(written, features):
        yield document.problem(path, problem)


def checks_of(data: Any) -> Iterator[tuple[KeyPath, dict[str, Any]]]:
    """Yield (key path, check) of each mapping that stands for one, in a document that may hold anything."""
    for name, model in mapping_at(data, "models").items():
        for section in SECTIONS:
            path: KeyPath = ("models", name, section)
            entries, shared = list_at(model, section), dict[str, Any]()
            if section == "sweep":
                sweep = mapping_at(model, section)
                path, entries, shared = (*path, "checks"), list_at(sweep, "checks"), {"by": sweep.get("by")}
            for index, entry in enumerate(entries):
                if isinstance(entry, dict):
                    yield (*path, index), entry | shared


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _listed(names: Any) -> list[str] | None:
    """Return names as a list; None where they are none."""
    found = [names] if isinstance(names, str) else names
    return found if isinstance(found, list) and all(isinstance(name, str) for name in found) else None


def _question(entry: Mapping[str, Any], metric: str | None, kinds: list[LimitKind]) -> object:
    """Identify what a check asks; [sex, age] and [age, sex] make the same groups."""
    by, control = _listed(entry.get("by")), _listed(entry.get("control_features", []))
    if metric is None or by is None or control is None or len(kinds) != 1:
        return None
    defaults = {"strata": "each", "gap": "each_mix", "of": "disparity", "mix": ""}
    given = [str(entry.get(key, default)) for key, default in defaults.items()]
    kind: str = kinds[0]
    if metric in _COMPLEMENTS and kind != "min_ratio":  # as far apart as its complement; a floor is its ceiling
        metric, kind = _COMPLEMENTS[metric], _MIRRORED.get(kind, kind)
    return metric, frozenset(by), kind, frozenset(control), *given


_COMPLEMENTS = {"true_positive_rate": "false_negative_rate", "true_negative_rate": "false_positive_rate"}
_MIRRORED = {"max_value": "min_value", "min_value": "max_value"}
