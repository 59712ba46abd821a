"""One argument as a NumPy array: what was missing in a list is still missing, and different values still differ."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np

from fairness_checks.errors import InvalidPredictions
from fairness_checks.inputs.narwhals_later import is_plain, nw

__all__ = ["as_array", "column_of", "refuse_cells", "rounded", "series_array"]

_LONGEST = 2**53
"""Whole numbers up to here are floats of their own; past it neighbours share one."""

_INTERVALS = ("DateOffset", "MonthDayNano")
"""What pandas and PyArrow make of an INTERVAL of SQL."""


def column_of(name: str, values: Any) -> Any:
    """Return a series of any library that narwhals reads, also the one column of a frame; else what was given."""
    if type(values) is np.ndarray:
        return values
    if isinstance(values, np.ma.MaskedArray) and values.ndim == 2 and values.shape[1] == 1:
        return values[:, 0]
    if is_plain(values):
        return values
    native = nw.from_native(values, pass_through=True, allow_series=True)
    if isinstance(native, nw.Series) and isinstance(native.dtype, nw.List | nw.Array | nw.Struct):
        raise InvalidPredictions(f"{name}: row 0 holds a {type(native.dtype).__name__}; one value a sample is needed")
    if not isinstance(native, nw.DataFrame):
        return native
    if len(native.columns) != 1:
        shown = ", ".join(repr(column) for column in native.columns[:5])
        raise InvalidPredictions(f"{name}: a frame of {len(native.columns)} columns ({shown}); give one of them")
    return native.get_column(native.columns[0])


def refuse_cells(where: str, values: Iterable[Any]) -> None:
    """Refuse lists, arrays and the like where one value a sample belongs; name the first row."""
    for row, value in enumerate(values):
        if type(value).__name__ in _INTERVALS:
            raise InvalidPredictions(
                f"{where}: row {row} holds an interval of months, days and seconds, whose length is the calendar's; "
                "make it a number, such as DuckDB's `epoch(column)`"
            )
        if isinstance(value, Collection) and not isinstance(value, str | bytes):
            raise InvalidPredictions(f"{where}: row {row} holds a {type(value).__name__}; one value a sample is needed")


def as_array(name: str, values: Any) -> np.ndarray:
    """Read what is array_like, in the machine's byte order; raise InvalidPredictions where it is not."""
    if str(getattr(values, "dtype", "")).endswith("bfloat16"):
        raise InvalidPredictions(
            f"{name}: dtype {values.dtype}, which NumPy does not have; write {name}.float() of a torch tensor, "
            f"{name}.astype('float32') of another array"
        )
    try:
        # A torch tensor may have a gradient, or be on a device.
        if hasattr(values, "detach") and hasattr(values, "cpu"):
            values = values.detach().cpu()
        array = np.asarray(values)
        if isinstance(values, Sequence) and _other_than_given(values, array):
            array = np.asarray(values, dtype=object)
    except Exception as error:  # of the library that the values are of: rows of different lengths, lost devices
        if isinstance(values, Sequence):
            refuse_cells(f"{name}: cannot be read as one array", values)
        raise InvalidPredictions(
            f"{name}: {type(values).__name__} cannot be read as one array ({type(error).__name__}: {error}); give a "
            "NumPy array, a list of plain values, or a column of a frame"
        ) from None
    if array.dtype.kind == "V":
        fields = ", ".join(map(repr, array.dtype.names or ()))
        what = f"fields ({fields}); give one of them" if fields else f"dtype {array.dtype}; give numbers or text"
        raise InvalidPredictions(f"{name}: an array of {what}")
    if array.ndim == 2 and array.shape[1] == 1:  # a column, as Keras and DataFrame.to_numpy give it
        array = array[:, 0]
    if array.dtype.kind == "T":  # may hold a missing value, which NumPy writes out as text
        return array.astype(object)
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def series_array(name: str, column: nw.Series[Any]) -> np.ndarray:
    """Return a series as an array: of Python objects where NumPy has nothing of its kind, such as 128-bit integers."""
    try:
        return np.asarray(column.to_numpy())
    except Exception as error:  # of whichever library holds the series
        try:
            return np.fromiter(column.to_list(), dtype=object, count=len(column))
        except Exception:
            said = next(iter(str(error).splitlines()), "it gave no reason")
            raise InvalidPredictions(
                f"{name}: a column of {column.dtype} cannot be read as one array ({type(error).__name__}: {said}); "
                "cast it to numbers or text"
            ) from None


def rounded(values: np.ndarray) -> np.ndarray:
    """Say which floats are whole numbers so large that neighbours share one, shape (n,)."""
    if values.dtype.kind not in "fc":
        return np.zeros(len(values), dtype=bool)
    size = np.abs(values)
    return np.asarray(np.isfinite(size) & (size >= 2.0 ** (np.finfo(values.dtype).nmant + 1)))


def _other_than_given(values: Sequence[Any], array: np.ndarray) -> bool:
    """Say whether NumPy made of a list what it does not hold: text of NaN or of numbers, or floats of long ids."""
    if array.dtype.kind in "US":
        given = str if array.dtype.kind == "U" else bytes
        if not all(issubclass(kind, given) for kind in set(map(type, values))):
            return True
        return "\0" in "".join(values) if given is str else b"\0" in b"".join(values)  # at an end NumPy cuts it off
    if array.dtype.kind == "f" and np.any(np.abs(array) >= _LONGEST):
        return any(isinstance(value, int | np.integer) and abs(int(value)) >= _LONGEST for value in values)
    return False
