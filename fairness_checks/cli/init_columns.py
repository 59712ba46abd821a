"""Which column of a file of predictions is what, by its name and its values: a proposal for a person to look at."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fairness_checks.cli.audit_options import option
from fairness_checks.errors import FairnessError, did_you_mean
from fairness_checks.inputs.source import decision_rule
from fairness_checks.inputs.table_files import read_table
from fairness_checks.inputs.text_columns import as_number
from fairness_checks.question.metric_names import plain_name

__all__ = ["guessed_source"]

_LABELS = ("y_true", "label", "target", "outcome", "truth", "died", "event", "diagnosis", "readmitted", "y")
_SCORES = ("y_score", "score", "risk", "probability", "prob", "y_prob", "y_proba", "p", "prediction_score")
_DECISIONS = ("y_pred", "pred", "prediction", "predicted", "decision", "alert")
_CLUSTERS = ("patient_id", "patient", "subject_id", "subject", "mrn", "person_id")
_FEATURES = ("sex", "gender", "race", "ethnicity", "age_band", "age_group", "skin", "insurance", "language", "site")
_AGES = ("age", "age_years")
_BANDS = (40, 65)
_MOST_GROUPS = 12


def guessed_source(file: Path, roles: Mapping[str, str | None]) -> tuple[dict[str, object], list[str], bool]:
    """Return `source:` of a file, the features to judge by, and whether it has scores; FairnessError if unknown."""
    names = [str(name) for name in read_table(file, ()).names]
    columns = {name: _cells(column) for name, column in read_table(file, names).columns.items()}
    if not columns or not next(iter(columns.values())):
        raise FairnessError(f"{file}: holds no rows; there is nothing to judge")
    found = {role: name for role, name in roles.items() if name and role != "by"}
    rule = None if found.get("y_pred") in columns else decision_rule(found.get("y_pred", ""))
    taken = found | ({} if rule is None else {"y_pred": rule[0]})
    for role, column in taken.items():
        if column not in columns:
            near = did_you_mean(column, names)
            raise FairnessError(f"{file}: {option(role)}: there is no column {column!r}; {near}")
    free = [name for name in columns if name not in taken.values()]
    for role, known in (("y_true", _LABELS), ("y_score", _SCORES), ("y_pred", _DECISIONS), ("cluster", _CLUSTERS)):
        if role in found or (role == "y_pred" and "y_score" in found):
            continue
        if name := next((n for n in _by_name(free, known) if _fits(role, columns[n])), None):
            found[role] = name
            free.remove(name)
    for role in ("y_true", "y_score"):
        if role not in found and not (role == "y_score" and "y_pred" in found):
            raise FairnessError(
                f"{file}: no column is known to be {role}; name it: {option(role)} COLUMN"
                f"{_other_scores(free, columns) if role == 'y_score' else ''} (columns: {', '.join(names)})"
            )
    by, bins = _features(free, columns, roles.get("by"))
    if not by:
        raise FairnessError(
            f"{file}: no column is known to say whose predictions they are; name one: --by COLUMN "
            f"(columns: {', '.join(free)})"
        )
    source: dict[str, object] = {"file": _quoted(file.as_posix()), **{r: _quoted(n) for r, n in found.items()}}
    if positive := _positive(columns[found["y_true"]]):
        source["positive"] = positive
    if bins:
        edges = ", ".join(f"{_quoted(name)}: {_edges(columns[name])}" for name in bins)
        source["bins"] = f"{{{edges}}}  # bands begin there"
    return source, [_quoted(name) for name in by], "y_score" in found


def _other_scores(free: Sequence[str], columns: Mapping[str, list[str]]) -> str:
    """Return how a column of a score's name decides whose values are no probabilities."""
    scores = [name for name in free if {*plain_name(name).split("_")} & {*_SCORES} and _are_numbers(columns[name])]
    return f", or what decides by numbers that are no probabilities: --y-pred '{(scores or ['COLUMN'])[0]} >= CUT'"


def _edges(cells: Sequence[str]) -> str:
    """Return where bands of a feature begin: of ages where those of adults do, of others so that they are alike."""
    numbers = sorted(number for cell in cells if (number := as_number(cell)) is not None)
    thirds = sorted({float(numbers[len(numbers) * part // 3]) for part in (1, 2)} - {float(numbers[0])})
    edges = _BANDS if numbers[0] < _BANDS[0] and numbers[-1] >= _BANDS[1] else thirds or numbers[-1:]
    return f"[{', '.join(f'{edge:g}' for edge in edges)}]"


def _cells(column: Any) -> list[str]:
    values = column.cells if hasattr(column, "cells") else column.to_list()
    return ["" if value is None else str(value) for value in values]


def _by_name(names: Sequence[str], known: Sequence[str]) -> list[str]:
    """Return names that are known, the best known first."""
    plain = {name: plain_name(name) for name in names}
    return [name for one in known for name in names if plain[name] == one]


def _fits(role: str, cells: Sequence[str]) -> bool:
    """Say whether values can be of a role."""
    if role == "cluster":
        return True
    values = set(cells) - {""}
    if role in ("y_true", "y_pred"):
        return len(values) == 2
    numbers = [as_number(value) for value in values]
    return bool(numbers) and all(number is not None and 0.0 <= number <= 1.0 for number in numbers)


def _features(free: Sequence[str], columns: Mapping[str, list[str]], asked: str | None) -> tuple[list[str], list[str]]:
    """Return the features to judge by, and those among them that are numbers to be cut."""
    named = [name.strip() for name in asked.split(",")] if asked else []
    if unknown := [name for name in named if name not in columns]:
        raise FairnessError(f"--by: there is no column {unknown[0]!r}; {did_you_mean(unknown[0], columns)}")
    known = named or [n for n in _by_name(free, _FEATURES) if 2 <= len(set(columns[n]) - {""}) <= _MOST_GROUPS]
    ages = [] if named else _by_name(free, _AGES)
    several = [
        name for name in (*known, *ages) if len(set(columns[name])) > _MOST_GROUPS and _are_numbers(columns[name])
    ]
    return [*known, *[name for name in ages if name in several]], several


def _are_numbers(cells: Sequence[str]) -> bool:
    found = [as_number(cell) for cell in cells if cell]
    return bool(found) and None not in found


def _positive(cells: Sequence[str]) -> str | None:
    """Return the class that is positive where the values do not say it: a proposal, with a note to look at it."""
    values = sorted(set(cells) - {""})
    plain = {value.casefold() for value in values}
    if plain in ({"0", "1"}, {"false", "true"}, {"0.0", "1.0"}):
        return None
    likely = next((v for v in values if v.casefold() in ("yes", "y", "positive", "disease", "true", "1")), values[-1])
    other = values[0] if likely != values[0] else values[1]
    return f"{json.dumps(likely)}  # TODO is this the condition? the other: {other}"


def _quoted(name: str) -> str:
    """Write a name for YAML: bare where it is plain."""
    plain = name.isidentifier() and name.isascii() and not name.startswith("_") and name.casefold() not in _WORDS
    return name if plain else json.dumps(name, ensure_ascii=False)


_WORDS = ("y", "n", "yes", "no", "on", "off", "true", "false", "null")
"""That YAML, in some case, takes for something else than text."""
