"""A file of predictions -> Predictions: one reading for the command ``audit`` and for `source:` in thresholds.yaml."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fairness_checks.errors import ConfigurationError, InvalidPredictions
from fairness_checks.inputs.array_like import as_array, series_array
from fairness_checks.inputs.classes import read_classes
from fairness_checks.inputs.frame_sources import is_table, read_table_source
from fairness_checks.inputs.predictions import Predictions, like
from fairness_checks.inputs.sensitive import are_missing, first_rows
from fairness_checks.inputs.source import ROLES, STDIN, Source, decision_rule, source_problems
from fairness_checks.inputs.table_files import TableFile, read_table
from fairness_checks.inputs.text_columns import TextColumn, as_number
from fairness_checks.inputs.value_names import value_name
from fairness_checks.storage.files import display_path

__all__ = ["read_source"]

_COMPARE: Mapping[str, Callable[[Any, float], npt.NDArray[np.bool_]]] = {
    ">=": np.greater_equal,
    ">": np.greater,
    "<=": np.less_equal,
    "<": np.less,
}
_TYPED: Mapping[str, Callable[[TextColumn], npt.NDArray[Any]]] = {
    "y_true": TextColumn.labels,
    "y_pred": TextColumn.labels,
    "y_score": TextColumn.numbers,
    "error": TextColumn.numbers,
    "uncertainty": TextColumn.numbers,
    "cluster": TextColumn.ids,
    "sample_id": TextColumn.ids,
}


def read_source(
    source: Source,
    folder: Path,
    features: Sequence[str] = (),
    *,
    stdin: bytes | None = None,
    tells_digest: bool = True,
) -> Predictions:
    """Read a file of predictions with the features that are asked for, besides those that the source names itself.

    `folder` is what relative paths are relative to, `stdin` the content of a CSV where the file is "-". What was read
    stands in `about`, with its sha256 unless that may not be told, as where small cells are suppressed.
    """
    where = "standard input" if source.file == STDIN else display_path(folder / source.file)
    where = source.called if source.python is not None else where
    for key, problem in source_problems(source):
        raise ConfigurationError(f"{where}: {key} {problem}")
    wanted = tuple(dict.fromkeys((*source.by, *features)))
    if not wanted:
        raise ConfigurationError(f"{where}: names no column of groups; write by: sex")
    if stdin is None and is_table(source, folder):
        return read_table_source(source, folder, wanted, tells_digest=tells_digest)
    roles = {role: name for role in ROLES if (name := source.column(role)) is not None}
    rule = None if source.y_pred is None else decision_rule(source.y_pred)
    asked = [*roles.values(), *wanted, *([] if rule is None else [rule[0]])]
    table = read_table(folder / source.file, dict.fromkeys(asked), stdin)
    if table.columns and table.is_empty:
        raise InvalidPredictions(f"{table.source}: holds no rows; there is nothing to judge")
    if source.y_pred in table.columns:
        rule = None  # a column of such a name
    roles = _there(source, roles, table)
    arrays = {role: _array(table, name, role) for role, name in roles.items() if role != "y_pred" or rule is None}
    sensitive, joined = _features(source, folder, table, wanted, roles)
    about = _told("file", source.file, table, tells_digest=tells_digest)
    if source.groups is not None and joined is not None:
        about |= _told("groups_file", source.groups, joined, tells_digest=tells_digest)
    about |= {} if rule is None else {"decided_by": f"{rule[0]} {rule[1]} {rule[2]:g}"}
    try:
        return _predictions(source, table, arrays, rule, sensitive, about)
    except InvalidPredictions as error:
        raise InvalidPredictions(_located(str(error), table, roles)) from None


def _told(key: str, file: str, table: TableFile, *, tells_digest: bool) -> dict[str, str]:
    """Return a file as reports name it: where it lies on this machine is nobody's affair."""
    name = table.source if file == STDIN else Path(file).name if Path(file).is_absolute() else file
    return {key: name} | ({f"{key}_sha256": table.sha256} if tells_digest else {})


def _there(source: Source, roles: Mapping[str, str], table: TableFile) -> dict[str, str]:
    """Return the roles that the file has; of a layout, decisions and scores may be missing, or empty."""
    own = {role for role in ROLES if getattr(source, role) is not None}
    optional = {"y_pred", "y_score"} - own if source.layout is not None else set()
    there = {
        role: name
        for role, name in roles.items()
        if role not in optional or (name in table.columns and not _is_empty(table.columns[name]))
    }
    if source.threshold is not None and "y_pred" in optional:
        there.pop("y_pred", None)  # the threshold decides
    if optional and not there.keys() & {"y_pred", "y_score", "error"}:
        names = " nor ".join(roles[role] for role in sorted(optional))
        raise InvalidPredictions(f"{table.source}: neither {names} holds a value; one of them is needed")
    return there


def _is_empty(column: Any) -> bool:
    if isinstance(column, TextColumn):
        return column.is_empty()
    return int(column.null_count()) == len(column)


def _array(table: TableFile, name: str, role: str) -> Any:
    column = table.column(name, role)
    return _TYPED[role](column) if isinstance(column, TextColumn) else column


def _predictions(
    source: Source,
    table: TableFile,
    arrays: Mapping[str, Any],
    rule: tuple[str, str, float] | None,
    sensitive: Mapping[str, Any],
    about: Mapping[str, str],
) -> Predictions:
    given: dict[str, Any] = {"sensitive_features": sensitive, "about": about, "threshold": source.threshold}
    positive = None if source.positive is None else _class(source.positive, arrays["y_true"])
    if rule is None:
        return Predictions(**arrays, **given, positive=positive)
    name, sign, limit = rule
    decided = _COMPARE[sign](_numbers(table, name, "y_pred"), limit)
    labels, positive_name = read_classes({"y_true": arrays["y_true"]}, positive)
    made = Predictions(**(dict(arrays) | labels), y_pred=decided, **given)
    return like(made, positive=positive_name)


def _class(text: str, labels: Any) -> Any:
    """Return the positive class as the labels have it: a number, a truth value, or text."""
    array = labels if isinstance(labels, np.ndarray) else as_array("y_true", series_array("y_true", labels))
    if array.dtype.kind == "b":
        return {"true": True, "false": False}.get(
            text.casefold(), as_number(text) if as_number(text) in (0, 1) else text
        )
    number = as_number(text)
    return text if number is None or array.dtype.kind not in "iuf" else number


def _numbers(table: TableFile, name: str, role: str) -> npt.NDArray[np.float64]:
    """Return a column as numbers; NaN where a feature has no value."""
    column = table.column(name, role)
    where = f"{table.source}: column {name!r}"
    if isinstance(column, TextColumn):
        if role != "bins":
            return column.numbers()
        there = [at for at, cell in enumerate(column.cells) if cell.strip()]
        cut = dataclasses.replace(
            column, cells=[column.cells[at] for at in there], lines=[column.lines[at] for at in there]
        )
        numbers = np.full(len(column.cells), np.nan)
        numbers[there] = cut.numbers()
        return numbers
    array = as_array(where, series_array(where, column))
    if array.dtype.kind == "O" and column.dtype.is_numeric():
        array = np.array([np.nan if value is None else float(value) for value in array])
    if array.dtype.kind not in "iuf":
        raise InvalidPredictions(f"{where}: holds {column.dtype}; numbers are needed to be compared with one")
    missing = are_missing(array)
    if role != "bins" and missing.any():
        raise InvalidPredictions(
            f"{where}: {int(missing.sum())} values are missing: {first_rows(missing)}; fill them in"
        )
    return array.astype(np.float64)


def _features(
    source: Source, folder: Path, table: TableFile, wanted: Sequence[str], roles: Mapping[str, str]
) -> tuple[dict[str, Any], TableFile | None]:
    """Return the features, those of the second file spread over the rows of the first, and the second file."""
    if unknown := [name for name in source.bins if name not in wanted]:
        raise ConfigurationError(
            f"{table.source}: bins: {unknown[0]!r} is no feature that is asked for; name it in `by`, too"
        )
    if source.groups is None:
        return {name: _feature(source, table, name) for name in wanted}, None
    key = roles["cluster"]
    other = read_table(folder / source.groups, dict.fromkeys([key, *wanted]))
    if both := [name for name in wanted if name in table.columns and name in other.columns]:
        raise InvalidPredictions(
            f"{table.source}: {both[0]!r} is a column of {other.source}, too; leave it out of one of them"
        )
    place = _places(table, other, key)
    found = {}
    for name in wanted:
        if name in table.columns:
            found[name] = _feature(source, table, name)
        else:
            own = _feature(source, other, name)
            array = own if isinstance(own, np.ndarray) else np.array(own.to_list(), dtype=object)
            found[name] = array[place]
    return found, other


def _places(table: TableFile, other: TableFile, key: str) -> npt.NDArray[np.intp]:
    """Return of each row of the predictions the row of the other file that has its id."""
    ids, rows = (_ids(each, key) for each in (table, other))
    known: dict[str, int] = {}
    for at, name in enumerate(rows):
        if (first := known.setdefault(name, at)) != at:
            raise InvalidPredictions(
                f"{other.source}: {key}: {_row(other, first)} and {_row(other, at)} have one id; keep one row for each"
            )
    lost = [at for at, name in enumerate(ids) if name not in known]
    if lost:
        raise InvalidPredictions(
            f"{other.source}: {key}: {len(lost)} of {len(ids)} rows of {table.source} have no row here, such as "
            f"{_row(table, lost[0])}; add them, or leave them out there"
        )
    return np.array([known[name] for name in ids], dtype=np.intp)


def _ids(table: TableFile, key: str) -> list[str]:
    column = table.column(key, "cluster")
    if isinstance(column, TextColumn):
        return [str(name) for name in column.ids()]
    if column.null_count():
        raise InvalidPredictions(f"{table.source}: {key}: {column.null_count()} values are missing; fill them in")
    return [value_name(value) for value in column.to_list()]


def _row(table: TableFile, at: int) -> str:
    return f"row {at}" if table.lines is None else f"line {table.lines[at]}"


def _feature(source: Source, table: TableFile, name: str) -> Any:
    """Return a feature as it is, or cut into bands."""
    if name in source.bins:
        return _bands(_numbers(table, name, "bins"), source.bins[name])
    column = table.column(name, "by")
    return column.groups() if isinstance(column, TextColumn) else column


def _bands(numbers: npt.NDArray[np.float64], edges: Sequence[float]) -> npt.NDArray[Any]:
    """Return the band of each number, None where there is none; an edge belongs to the band above it."""
    shown = [value_name(float(edge)) for edge in edges]
    between = [f"{low} to under {high}" for low, high in pairwise(shown)]
    names = np.array([f"under {shown[0]}", *between, f"{shown[-1]} or over", None], dtype=object)
    place = np.digitize(numbers, list(edges))
    return np.asarray(names[np.where(np.isnan(numbers), len(names) - 1, place)])


def _located(message: str, table: TableFile, roles: Mapping[str, str]) -> str:
    """Say of a message about arrays which columns these are, and where its rows are."""
    if message.startswith(f"{table.source}:"):
        return message
    known = [f"{role} is column {name!r}" for role, name in roles.items() if role in message and role != name]
    lines = table.lines or ()
    if "row" in message and lines and lines[-1] - lines[0] == len(lines) - 1:
        known.append(f"row 0 is line {lines[0]}")
    if "y_score" in roles and "outside [0, 1]" in message:
        message += (
            f"; percentages are divided by 100 first; another score decides by a rule in the place of y_score, with "
            f"your cut: y_pred: '{roles['y_score']} >= CUT'"
        )
    where = f" ({'; '.join(known)})" if known else ""
    return f"{table.source}: {message}{where}"
