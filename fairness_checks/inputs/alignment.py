"""Whether arrays given side by side have their rows in one order, as far as row labels tell."""

# Arrays are taken by position. What carries row labels (the index of a pandas, Modin, cuDF or GeoPandas object, the
# coordinate of an xarray one) says more: two such inputs must have equal labels, row by row. The default index, which
# pandas gives to what has none (`pd.Series(scores)`), says nothing, and goes beside any other, unless that one holds
# the same labels 0 to n - 1 in another order: a table beside its own shuffled copy. A lazy frame has no order to be
# compared, and is refused. Equal labels of which some are there twice are taken as they are, as pandas does: labels
# cannot tell such rows apart.

from __future__ import annotations

import numbers
import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fairness_checks.errors import InvalidPredictions
from fairness_checks.inputs.encoding import chunks
from fairness_checks.inputs.frames import is_lazy, library_name
from fairness_checks.inputs.narwhals_later import is_plain, nw
from fairness_checks.inputs.sensitive import is_missing, row_in

__all__ = ["RowLabels", "naming_labels", "require_aligned", "without_label"]

_WHOLE = 'Predictions.from_frame(frame, y_true="label", y_score="p", by=["sex"])'


@dataclass(frozen=True, slots=True, eq=False)
class RowLabels:
    """The labels of n rows: an index as pandas has it. Stands for the inputs that carried it."""

    index: Any
    labelled: tuple[str, ...] = ()  # names of those inputs
    default: tuple[str, ...] = ()  # of those beside them that carried pandas' default index


def require_aligned(parts: Mapping[str, Any], *, whole: str = _WHOLE) -> RowLabels | None:
    """Refuse inputs whose row labels differ; return the labels of the rows, None where no input carries any."""
    # Of a mapping each value is an input; those of different lengths are not compared. `whole` says how a lazy frame
    # is given whole; empty where only eager ones are taken.
    inputs = dict(_inputs(parts))
    for name, values in inputs.items():
        _refuse_lazy(name, values, whole=whole)
    indexes = {name: index for name, values in inputs.items() if (index := _index_of(values)) is not None}
    default = {name: index for name, index in indexes.items() if _is_default(index)}
    said = {name: index for name, index in indexes.items() if name not in default}
    if not said:
        return next((RowLabels(index) for index in default.values()), None)
    first = next(iter(said))
    shuffled = bool(default) and _is_shuffled(said[first])
    for other in indexes if shuffled else said:
        if len(indexes[other]) == len(said[first]):
            row = _first_difference(said[first], indexes[other])
            if row is not None:
                pair = (name for name in indexes if name in (first, other))
                raise InvalidPredictions(_differing({name: indexes[name] for name in pair}, row))
    return RowLabels(said[first], tuple(said), tuple(default))


@contextmanager
def naming_labels(rows: RowLabels | None) -> Generator[None]:
    """Add to an error that names a row, by its position, what the row is labelled: the author's table has labels."""
    try:
        yield
    except InvalidPredictions as error:
        row = row_in(str(error))
        if rows is None or not rows.labelled or row is None or row >= len(rows.index):
            raise
        label = _label(rows.index[row])
        raise InvalidPredictions(f"{error}; row {row} is labelled {label} in {rows.labelled[0]}") from error.__cause__


_SAID_LABEL = re.compile(r"; row \d+ is labelled .*")


def without_label(message: str) -> str:
    """Return an error's text without a row's label, which may be a patient's name: for what is published."""
    return _SAID_LABEL.sub("", message)


def _refuse_lazy(name: str, values: Any, *, whole: str) -> None:
    """Refuse a frame, or a column of one, whose rows are yet to be computed."""
    if is_lazy(values):
        remedy = "collect the whole table once, and take every array from the result"
        raise InvalidPredictions(
            f"{name}: a {library_name(values)} is computed by itself, and its rows may then come in another order than "
            f"those of the other arrays; {remedy}{f', or give it whole: `{whole}`' if whole else ''}"
        )


def _inputs(parts: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Name each input, those within a mapping too."""
    found: list[tuple[str, Any]] = []
    for name, values in parts.items():
        if isinstance(values, Mapping):
            found += [(f"{name}[{key!r}]", value) for key, value in values.items()]
        elif values is not None:
            found.append((name, values))
    return found


def _index_of(values: Any) -> Any:
    """Return the row labels that an input carries, as an index of pandas; None if it carries none."""
    if is_plain(values):
        return None
    native = nw.to_native(values, pass_through=True)
    # Of the type: a series of pandas would look for a row of this label, for which all of them are hashed.
    if hasattr(type(native), "get_index") and hasattr(type(native), "dims"):  # xarray
        if not native.dims:
            return None
        return native.get_index(native.dims[0])
    index = getattr(native, "index", None)  # a list has a method of this name
    if index is None or callable(index) or not hasattr(index, "equals") or not hasattr(index, "__len__"):
        return None
    return index.to_pandas() if hasattr(index, "to_pandas") else index


def _is_default(index: Any) -> bool:
    """Say whether these are the labels 0 to n - 1 that pandas gives to what has none."""
    return type(index).__name__ == "RangeIndex" and index.start == 0 and (index.step == 1 or len(index) <= 1)


def _is_shuffled(index: Any) -> bool:
    """Say whether labels are 0 to n - 1, each of them once, as numbers or as text, in another order."""
    some = index[:100].tolist()
    as_text = bool(some) and all(isinstance(label, str) and _is_place(label, len(index)) for label in some)
    if not some or not (as_text or isinstance(some[0], numbers.Real)):  # other text need not become Python objects
        return False
    labels = np.asarray(index, dtype=object) if as_text else np.asarray(index)
    if labels.dtype.kind == "O":
        try:
            labels = labels.astype(np.float64)
        except (TypeError, ValueError):
            return False
    if labels.dtype.kind not in "iuf":
        return False
    if all(np.array_equal(labels[rows], np.arange(rows.start, rows.stop)) for rows in chunks(len(labels))):
        return False
    seen = np.zeros(len(labels), dtype=bool)
    for rows in chunks(len(labels)):
        part = labels[rows]
        if not (part.min() >= 0 and part.max() < len(labels)):  # NaN compares as false
            return False
        at = part.astype(np.intp)
        if part.dtype.kind == "f" and not np.array_equal(at, part):
            return False
        seen[at] = True
    return bool(seen.all())


def _is_place(text: str, length: int) -> bool:
    """Say whether a text is a whole number from 0 to length - 1, as programs write it."""
    return text.isascii() and text.isdecimal() and len(text) < 20 and text == str(int(text)) and int(text) < length


def _first_difference(first: Any, second: Any) -> int | None:
    """Return the first row whose labels differ between two indexes of one length; None where none does."""
    if _are_equal(first, second):
        return None
    # Also told apart above: dtypes, as whole numbers that may be missing from those that may not.
    for rows in chunks(len(first)):
        left, right = (np.asarray(index[rows], dtype=object) for index in (first, second))
        for row in _unlike(left, right):
            if not _is_same(left[row], right[row]):
                return int(rows.start + row)
    return None


def _are_equal(first: Any, second: Any) -> bool:
    """Say whether two indexes are equal as a whole, by what is cheapest to read; that they are not is no last word."""
    if first is second or (hasattr(first, "is_") and first.is_(second)):
        return True
    levels = [getattr(index, "levels", ()) for index in (first, second)]  # of a MultiIndex
    if levels[0] or levels[1]:
        alike = len(levels[0]) == len(levels[1]) and all(map(_have_same, *levels))
        # Codes of 1 to 4 bytes say as much as the labels that pandas would make of them.
        return all(map(_same_codes, first.codes, second.codes)) if alike else bool(first.equals(second))
    memory = _memory(first)
    if memory is not None and memory == _memory(second):
        return True
    if first.dtype == second.dtype == np.dtype(object):
        return False  # each object is followed once, by `_unlike`
    return bool(first.equals(second))


def _have_same(first: Any, second: Any) -> bool:
    """Say whether two indexes have the same labels, as many of them."""
    return len(first) == len(second) and _first_difference(first, second) is None


def _same_codes(left: np.ndarray, right: np.ndarray) -> bool:
    """Say whether codes of one level are equal."""
    return _place(left) == _place(right) or np.array_equal(left, right)


def _memory(index: Any) -> object:
    """Say where in memory the labels of an index are, which slices of a table share; None where that is not known."""
    dtype = index.dtype
    if isinstance(dtype, np.dtype):
        return _place(np.asarray(index))
    if getattr(dtype, "storage", None) == "pyarrow" or hasattr(dtype, "pyarrow_dtype"):
        return [
            (part.offset, len(part), [None if buffer is None else buffer.address for buffer in part.buffers()])
            for part in index.array.__arrow_array__().chunks
        ]
    return None


def _place(array: np.ndarray) -> tuple[object, ...]:
    """Say where in memory an array is, and how it is read."""
    return array.ctypes.data, array.strides, array.dtype


def _unlike(left: np.ndarray, right: np.ndarray) -> npt.NDArray[np.intp]:
    """Return the rows in which two arrays of Python objects do not hold the same object or equal ones."""
    # Rows that are taken from one table in two ways hold the same objects. Objects lie anywhere in memory, so that
    # only those are followed that are not the same.
    rows = np.flatnonzero(_addresses(left) != _addresses(right))
    if not rows.size:
        return rows
    every = rows.size == len(left)  # then they need not be copied
    try:
        equal = np.asarray(left == right if every else left[rows] == right[rows], dtype=bool)
    except (TypeError, ValueError):  # pandas.NA is neither equal nor unequal
        return rows
    return np.asarray(rows[~equal])


def _addresses(objects: np.ndarray) -> npt.NDArray[Any]:
    """Return where in memory each object is."""
    return np.frombuffer(np.ascontiguousarray(objects), dtype=np.intp)


def _is_same(left: Any, right: Any) -> bool:
    if isinstance(left, tuple) and isinstance(right, tuple):  # a row of a MultiIndex
        return len(left) == len(right) and all(map(_is_same, left, right))
    if is_missing(left) or is_missing(right):
        return is_missing(left) and is_missing(right)
    return bool(left == right)


def _differing(indexes: Mapping[str, Any], row: int) -> str:
    """Say in which row two inputs differ, and what to do."""
    labels = [f"{_label(index[row])} in {name}" for name, index in indexes.items()]
    first = next(iter(indexes))
    twice = not all(index.is_unique for index in indexes.values())
    remedy = (
        "labels that are there twice cannot say which rows belong together: put the whole table in order before its "
        "columns are taken"
        if twice
        else f"put both in one order (`.loc[{first}.index]` or `.reindex({first}.index)`)"
    )
    return (
        f"row labels differ: row {row} is labelled {' and '.join(labels)}; "
        f"{remedy}, or, where position is meant, drop the labels with `.reset_index(drop=True)` or `.to_numpy()`"
    )


def _label(value: Any) -> str:
    """Show a label as Python would, without NumPy's types around it."""
    if isinstance(value, tuple):
        return f"({', '.join(map(_label, value))})"
    return repr(value.item() if isinstance(value, np.generic) else value)
