"""Sensitive features: whatever the user has, coded once as small integers with group names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import numpy.typing as npt

from fairness_checks.errors import InvalidPredictions

__all__ = ["MISSING", "SensitiveFeature", "encode_features"]

MISSING = "(missing)"
"""Name of the group of samples without a value, where the configuration asks for one."""

_MOST_GROUPS = 1_000
_UNNAMED = "sensitive_feature"


@dataclass(frozen=True, slots=True, eq=False)
class SensitiveFeature:
    """One sensitive feature of n samples.

    Parameters
    ----------
    name : str
        The feature's name.
    codes : ndarray of int32, shape (n,)
        Position of each sample's group in `groups`; -1 where the value is missing.
    groups : tuple of str
        Names of the groups. A declared category without a sample is a group all the same.
    """

    name: str
    codes: npt.NDArray[np.int32]
    groups: tuple[str, ...]


def first_rows(mask: npt.NDArray[np.bool_]) -> str:
    """Name the first rows (from 0) where a mask holds, for an error message."""
    rows = np.flatnonzero(mask)
    shown = ", ".join(str(int(row)) for row in rows[:5])
    return f"row {shown}" if rows.size == 1 else f"rows {shown}{', ...' if rows.size > 5 else ''}"


def encode_features(features: Any) -> dict[str, SensitiveFeature]:
    """Code a frame, a mapping of arrays, a series or one array.

    Parameters
    ----------
    features : frame, mapping of str to array_like, series or array_like
        Frames and series of any library that narwhals reads; a lazy frame is collected.

    Raises
    ------
    InvalidPredictions
        If nothing is there, a feature is not one-dimensional, or has more than 1,000 different values.
    """
    native = nw.from_native(features, pass_through=True, allow_series=True)
    if isinstance(native, nw.LazyFrame):
        native = native.collect()
    columns: dict[str, Any]
    if isinstance(native, nw.DataFrame):
        columns = {str(name): native.get_column(name) for name in native.columns}
    elif isinstance(native, nw.Series):
        columns = {_UNNAMED if native.name in (None, "") else str(native.name): native}
    elif isinstance(features, Mapping):
        columns = {
            str(name): nw.from_native(value, pass_through=True, allow_series=True) for name, value in features.items()
        }
    elif isinstance(features, np.ndarray) and features.dtype.names is not None:
        columns = {name: features[name] for name in features.dtype.names}
    else:
        columns = {_UNNAMED: features}
    if not columns:
        raise InvalidPredictions("sensitive_features: no feature given; pass a frame, a dict of arrays or one array")
    return {name: _encode(name, column) for name, column in columns.items()}


def _encode(name: str, column: Any) -> SensitiveFeature:
    missing, values, categories = _split(column)
    if values.ndim != 1:
        raise InvalidPredictions(
            f"sensitive_features[{name!r}]: shape {values.shape}; one value a sample is needed, shape (n,). "
            f"Several features go into a frame or a dict of arrays"
        )
    blank = _is_missing(values)
    missing[np.flatnonzero(~missing)[blank]] = True
    unique, inverse = np.unique(_sortable(values[~blank]), return_inverse=True)
    names = [_name(value) for value in unique.tolist()]
    declared = {_name(value) for value in _sortable(categories).tolist()}
    extra = sorted(label for label in declared - set(names) if label.strip())
    if len(names) + len(extra) > _MOST_GROUPS:
        raise InvalidPredictions(
            f"sensitive_features[{name!r}]: {len(names) + len(extra)} different values; at most {_MOST_GROUPS} groups "
            f"can be compared. Bin a continuous feature first (age to age bands)"
        )
    codes = np.full(len(missing), -1, dtype=np.int32)
    codes[~missing] = inverse
    codes.flags.writeable = False
    return SensitiveFeature(name, codes, (*names, *extra))


def _split(column: Any) -> tuple[npt.NDArray[np.bool_], np.ndarray, np.ndarray]:
    """Return which samples are missing, the values of the others, and the declared categories.

    The missing ones leave first: left among the values, they turn integers, and the ends of intervals, into floats.
    """
    none = np.array([], dtype=str)
    if isinstance(column, nw.Series):
        null = column.is_null()
        categorical = column.dtype in (nw.Categorical, nw.Enum)
        categories = np.asarray(column.cat.get_categories().to_numpy()) if categorical else none
        return np.array(null.to_numpy(), dtype=bool), np.asarray(column.filter(~null).to_numpy()), categories
    if hasattr(column, "codes") and hasattr(column, "categories"):  # a pandas.Categorical outside a series
        codes, categories = np.asarray(column.codes), np.asarray(column.categories)
        return codes < 0, categories[codes[codes >= 0]], categories
    values = np.asarray(column)
    if values.dtype.kind == "T":
        values = values.astype(object)
    if isinstance(column, np.ma.MaskedArray) and values.ndim == 1:
        mask = np.ma.getmaskarray(column).copy()
        return mask, values[~mask], none
    return np.zeros(values.shape[:1], dtype=bool), values, none


def _sortable(values: np.ndarray) -> np.ndarray:
    """Turn what NumPy cannot sort, or would not print, into text."""
    if values.dtype.kind == "O":
        return np.array([_name(value) for value in values], dtype=str)
    return values if values.dtype.kind in "biufUS" else values.astype(str)


def _name(value: object) -> str:
    """Name one value. A float that is a whole number is an integer which a missing value once turned into a float."""
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return str(value)


def _is_missing(values: np.ndarray) -> npt.NDArray[np.bool_]:
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
    return value is None or type(value).__name__ in ("NAType", "NaTType") or bool(value != value)
