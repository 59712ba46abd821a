"""Sensitive features: whatever the user has, coded once as small integers with group names."""

from __future__ import annotations

import math
import numbers
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt

from fairness_checks.errors import InvalidPredictions
from fairness_checks.inputs.array_like import as_array, column_of, refuse_cells, series_array
from fairness_checks.inputs.encoding import (
    MOST_DISTINCT,
    Coding,
    chunks,
    code_array,
    factorizing_pandas,
    recode,
    small_integer,
)
from fairness_checks.inputs.group_names import clean, refuse_look_alikes
from fairness_checks.inputs.narwhals_later import exceptions, is_plain, is_series, nw
from fairness_checks.inputs.value_names import value_name, zoned
from fairness_checks.plain import half_character

__all__ = [
    "MISSING",
    "UNNAMED",
    "SensitiveFeature",
    "are_missing",
    "code_column",
    "encode_features",
    "first_rows",
    "how_to_cut",
    "is_missing",
    "is_number",
    "refuse_namesakes",
    "row_in",
]

MISSING = "(missing)"
"""Name of the group of samples without a value, where the configuration asks for one."""

UNNAMED = "sensitive_feature"
"""What one array or series without a name is called."""

_MOST_GROUPS = 1_000


@dataclass(frozen=True, slots=True, eq=False)
class SensitiveFeature:
    """One sensitive feature of n samples.

    Parameters
    ----------
    name : str
        The feature's name.
    codes : ndarray, shape (n,)
        Position of each sample's group in `groups`; -1 where the value is missing. Of the smallest signed integer
        dtype that holds the number of groups: int8 up to 127 of them.
    groups : tuple of str
        Names of the groups. A declared category without a sample is a group all the same.
    counts : ndarray of int64, shape (n,), optional
        How many samples each position stands for, where these are cells of a table that stays in its engine.
    """

    name: str
    codes: npt.NDArray[np.signedinteger[Any]]
    groups: tuple[str, ...]
    counts: npt.NDArray[np.int64] | None = None

    def share(self, mask: npt.NDArray[np.bool_]) -> str:
        """Return how many samples are meant, of how many, such as "2 of 10"."""
        return f"{self.samples(mask)} of {self.samples(np.ones(len(self.codes), dtype=bool))}"

    def samples(self, mask: npt.NDArray[np.bool_]) -> int:
        """Return how many samples are meant."""
        return int((mask if self.counts is None else self.counts[mask]).sum())

    def where(self, mask: npt.NDArray[np.bool_]) -> str:
        """Return which rows are meant, after a colon; rows in an engine have no number."""
        return f": {first_rows(mask)}" if mask.any() and self.counts is None else ""


def first_rows(mask: npt.NDArray[np.bool_], values: np.ndarray | None = None) -> str:
    """Name the first rows (from 0) where a mask holds, for an error message; of numbers, with what stands there."""
    rows = np.flatnonzero(mask)
    shown = ", ".join(str(row) if values is None else f"{row} ({values[row]!s})" for row in rows[:5].tolist())
    found = f"row {shown}" if rows.size == 1 else f"rows {shown}{', ...' if rows.size > 5 else ''}"
    return f"{found} (by position, from 0)"


_NAMED_ROW = re.compile(r"\brows? (\d+)")


def row_in(message: str) -> int | None:
    """Return the first row, from 0, that an error message names; None where it names none."""
    found = _NAMED_ROW.search(message)
    return None if found is None else int(found.group(1))


def how_to_cut(feature: str, groups: Iterable[str]) -> str:
    """Say how a feature of many values gets groups that are large enough to be judged: of numbers, bands."""
    if not all(map(is_number, groups)):
        return "give rare values one name, such as other, or check by another feature"
    return (
        f"cut it into bands: `table['{feature}_band'] = pandas.cut(table['{feature}'], [0, 40, 60, 75, 120])`, "
        f"and check by {feature}_band; of a file under `source:`, `bins: {{{feature}: [40, 60, 75]}}`"
    )


def is_number(name: str) -> bool:
    """Say whether a group's name is a finite number."""
    try:
        return math.isfinite(float(name))
    except ValueError:
        return False


def encode_features(features: Any) -> dict[str, SensitiveFeature]:
    """Code a frame, a mapping of arrays, a series or one array of sensitive features; InvalidPredictions for others."""
    columns: dict[str, Any]
    if isinstance(features, str):
        raise InvalidPredictions(
            f"sensitive_features: {features!r} is text, not a column; give the values with their name, such as "
            f"`table[[{features!r}]]`, or the whole table to `Predictions.from_frame`"
        )
    if (found := _columns_of_library(features)) is not None:
        columns = found
    elif isinstance(features, Mapping):
        columns = _named(features.items())
    elif isinstance(features, np.ndarray) and features.dtype.names is not None:
        columns = {name: features[name] for name in features.dtype.names}
    else:
        columns = {UNNAMED: features}
    if not columns:
        raise InvalidPredictions("sensitive_features: no feature given; pass a frame, a dict of arrays or one array")
    for name in columns:
        if (half := half_character(name)) is not None:
            raise InvalidPredictions(
                f"sensitive_features: the name {name!r} holds half a character, {half!r}; rename it"
            )
    return {name: _encode(name, column) for name, column in columns.items()}


def _columns_of_library(features: Any) -> dict[str, Any] | None:
    """Return the columns of a frame or a series of any library that narwhals reads; None for anything else."""
    if is_plain(features):
        return None
    try:
        native = nw.from_native(features, pass_through=True, allow_series=True)
    except exceptions.DuplicateError as error:
        raise InvalidPredictions(f"sensitive_features: a column is there twice; rename one ({error})") from error
    if isinstance(native, nw.DataFrame):
        return _named((name, native.get_column(name)) for name in native.columns)
    if isinstance(native, nw.Series):
        return {UNNAMED if native.name in (None, "") else str(native.name): native}
    return None


def _named(columns: Iterable[tuple[Any, Any]]) -> dict[str, Any]:
    """Return columns by their names as text; refuse two of one name, such as 1 and "1"."""
    named: dict[str, Any] = {}
    for name, column in columns:
        if str(name) in named:
            raise InvalidPredictions(f"sensitive_features: two are called {str(name)!r}; rename one")
        named[str(name)] = column
    return named


def code_column(where: str, column: Any) -> Coding:
    """Code one column of any library by its values as they are; `where` is what messages call it."""
    # Missing samples have the code -1, or that of a value that is missing (`are_missing`).
    return _code(where, column_of(where, column))[0]


def _encode(name: str, column: Any) -> SensitiveFeature:
    where = f"sensitive_features[{name!r}]"
    coding, categories = _code(where, column_of(where, column))
    blank = are_missing(coding.values)
    refuse_namesakes(where, coding.values[~blank])
    _refuse_look_alikes(where, coding, blank, categories)
    names, place = _in_order(coding.values[~blank])
    declared = set(map(clean, _names(categories)))
    extra = sorted(label for label in declared - set(names) if label.strip())
    if len(names) + len(extra) > _MOST_GROUPS:
        raise InvalidPredictions(
            f"{where}: {len(names) + len(extra)} different values; at most {_MOST_GROUPS} groups "
            f"can be compared; {how_to_cut(name, names)}"
        )
    table = np.full(len(blank) + 1, -1)  # its last entry is where the code -1 leads
    table[:-1][~blank] = place
    codes = recode(coding.codes, table, small_integer(len(names) + len(extra)))
    codes.flags.writeable = False
    return SensitiveFeature(name, codes, (*names, *extra))


def _in_order(values: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Return the names of values, numbers by size and all else by name, and the place of each value among them."""
    unique, first, place = np.unique(_sortable(values), return_index=True, return_inverse=True)
    names = [clean(value_name(value)) for value in unique.tolist()]
    if values.dtype.kind != "O" or not all(isinstance(value, numbers.Real | Decimal) for value in values):
        return names, place
    order = sorted(range(len(names)), key=lambda at: values[first[at]])
    rank = np.empty(len(order), dtype=np.intp)
    rank[order] = np.arange(len(order))
    return [names[at] for at in order], rank[place]


def _refuse_look_alikes(where: str, coding: Coding, blank: npt.NDArray[np.bool_], categories: np.ndarray) -> None:
    """Refuse groups that a reader could not tell apart, those that are only declared among them."""
    there = np.flatnonzero(~blank)
    names = _names(coding.values[there])
    declared = [name for name in _names(categories) if name not in names and name.strip()]

    def row(position: int) -> int | None:
        return int(np.argmax(coding.codes == there[position])) if position < len(there) else None

    refuse_look_alikes(where, [*names, *dict.fromkeys(declared)], row)


def _code(where: str, column: Any) -> tuple[Coding, np.ndarray]:
    """Return the coding of a column, and the categories that it declares."""
    none = np.array([], dtype=str)
    if is_series(column):
        if column.implementation.is_pandas() and column.dtype == nw.Categorical:
            return _code(where, column.to_native().array)
        categorical = column.dtype in (nw.Categorical, nw.Enum)
        if categorical:  # Arrow's may hold a null, which is no category
            none = np.asarray(column.cat.get_categories().drop_nulls().to_numpy())
        return _code_series(where, column), none
    if hasattr(column, "codes") and hasattr(column, "categories"):  # a pandas.Categorical
        return _code_categories(np.array(column.codes), np.asarray(column.categories))
    values = as_array(where, column)
    if isinstance(column, np.ma.MaskedArray) and values.ndim == 1:
        present = ~np.ma.getmaskarray(column)
        return _spread(_code_values(where, values[present]), present), none
    return _code_values(where, values), none


def _code_categories(codes: np.ndarray, categories: np.ndarray) -> tuple[Coding, np.ndarray]:
    """Keep the codes that are there; a category without a sample is declared, but no value."""
    counts = np.zeros(len(categories) + 1, dtype=np.int64)
    for rows in chunks(len(codes)):
        counts += np.bincount(codes[rows].astype(np.intp) + 1, minlength=len(counts))
    met = counts[1:] > 0
    table = np.append(np.where(met, np.cumsum(met) - 1, -1), -1)
    return Coding(recode(codes, table, small_integer(len(categories))), categories[met]), categories


def _code_series(where: str, column: nw.Series[Any]) -> Coding:
    """Code a series; the missing values leave first."""
    # Left among the others, they turn integers, and the ends of intervals, into floats.

    if column.null_count():
        null = column.is_null()
        return _spread(_code_series(where, column.filter(~null)), ~np.asarray(null.to_numpy(), dtype=bool))
    if column.dtype == nw.String or (column.implementation.is_polars() and column.dtype in (nw.Categorical, nw.Enum)):
        coding = _code_text_series(column)
        if coding is not None:
            return coding
    coding = _code_values(where, as_array(where, series_array(where, column)))
    if isinstance(column.dtype, nw.Datetime) and column.dtype.time_zone and coding.values.dtype.kind == "M":
        return Coding(coding.codes, np.array([zoned(value) for value in coding.values], dtype=str))
    return coding


def _code_text_series(column: nw.Series[Any]) -> Coding | None:
    """Code text in the library that holds it: there it need not become Python objects."""
    if column.implementation.is_pandas():
        if factorizing_pandas() is None:
            return None
        codes, values = column.to_native().factorize()
        return Coding(np.asarray(codes), np.asarray(values, dtype=object))
    text = column.cast(nw.String)
    names = text.unique().to_list()
    if not 0 < len(names) <= MOST_DISTINCT:
        return None
    codes = text.replace_strict(names, list(range(len(names))), return_dtype=nw.Int16).to_numpy()
    return Coding(np.asarray(codes), np.array(names, dtype=object))


def _code_values(where: str, values: np.ndarray) -> Coding:
    if values.ndim != 1:
        raise InvalidPredictions(
            f"{where}: shape {values.shape}; one value a sample is needed, shape (n,)"
            f"{'. Several features go into a frame or a dict of arrays' if where.startswith('sensitive') else ''}"
        )
    if (coding := code_array(values)) is not None:
        return coding
    if values.dtype.kind == "O":
        refuse_cells(where, values)
    refuse_namesakes(where, values)
    return _sort_values(values)


def refuse_namesakes(name: str, values: np.ndarray) -> None:
    """Refuse different values that a report would call the same, such as 1 and "1"."""
    if values.dtype.kind != "O":
        return
    seen: dict[str, Any] = {}
    for value in values:
        if is_missing(value):
            continue
        called = value_name(value)
        if (first := seen.setdefault(called, value)) != value:
            raise InvalidPredictions(
                f"{name}: the values {first!r} and {value!r} would both be called {called!r}; make them one, or "
                f"give them different names"
            )


def _sort_values(values: np.ndarray) -> Coding:
    """Code values by a sort: slow, but any will do."""
    present = ~are_missing(values)
    there = values[present]
    _, first, inverse = np.unique(_sortable(there), return_index=True, return_inverse=True)
    return _spread(Coding(inverse, there[first]), present)


def _spread(coding: Coding, present: npt.NDArray[np.bool_]) -> Coding:
    """Put the missing samples back in between."""
    codes = np.full(len(present), -1, dtype=coding.codes.dtype)
    codes[present] = coding.codes
    return Coding(codes, coding.values)


def _sortable(values: np.ndarray) -> np.ndarray:
    """Turn what NumPy cannot sort, or would not print, into text."""
    if values.dtype.kind in "OmM":
        return np.array(_names(values), dtype=str)
    return values if values.dtype.kind in "biufUS" else values.astype(str)


def _names(values: np.ndarray) -> list[str]:
    """Name each value; dates of NumPy as they are, of which `tolist` makes whole numbers."""
    return [value_name(value) for value in (values if values.dtype.kind in "mM" else values.tolist())]


def are_missing(values: np.ndarray) -> npt.NDArray[np.bool_]:
    """None, NaN, NaT, pandas.NA and blank text."""
    if values.dtype.kind in "fcmM":
        return np.asarray(np.isnan(values))
    if values.dtype.kind in "US":
        return np.asarray(np.char.str_len(np.char.strip(values)) == 0)
    if values.dtype.kind == "O":
        return np.array([is_missing(value) or not str(value).strip() for value in values], dtype=bool)
    return np.zeros(len(values), dtype=bool)


def is_missing(value: Any) -> bool:
    """Say whether a value is None, NaN, NaT or pandas.NA: not equal to itself, or not to be compared at all."""
    if isinstance(value, Decimal):
        return value.is_nan()  # a signalling one raises where it is compared
    return value is None or type(value).__name__ in ("NAType", "NaTType") or bool(value != value)
