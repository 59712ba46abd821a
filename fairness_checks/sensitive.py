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
        columns = {name: native.get_column(name) for name in native.columns}
    elif isinstance(native, nw.Series):
        columns = {native.name or _UNNAMED: native}
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
    declared: list[Any] = []
    if isinstance(column, nw.Series):
        missing = np.asarray(column.is_null().to_numpy(), dtype=bool)
        if column.dtype in (nw.Categorical, nw.Enum):
            declared = column.cat.get_categories().to_list()
            column = column.cast(nw.String)
        values = np.asarray(column.to_numpy())
    else:
        values = np.asarray(column)
        missing = np.zeros(values.shape[:1], dtype=bool)
    if values.ndim != 1:
        raise InvalidPredictions(
            f"sensitive_features[{name!r}]: shape {values.shape}; one value a sample is needed, shape (n,). "
            f"Several features go into a frame or a dict of arrays"
        )
    missing = missing | _is_missing(values)
    present = values[~missing]
    whole = present.dtype.kind == "f" and bool(np.all(present == np.floor(present)))
    if whole:  # integers that a missing value turned into floats
        present = present.astype(np.int64)
    elif present.dtype.kind not in "biufUS":
        present = present.astype(str)
    unique, inverse = np.unique(present, return_inverse=True)
    names = [str(value) for value in unique.tolist()]
    extra = sorted({str(value) for value in declared} - set(names))
    if len(names) + len(extra) > _MOST_GROUPS:
        raise InvalidPredictions(
            f"sensitive_features[{name!r}]: {len(names) + len(extra)} different values; at most {_MOST_GROUPS} groups "
            f"can be compared. Bin a continuous feature first (age to age bands)"
        )
    codes = np.full(len(values), -1, dtype=np.int32)
    codes[~missing] = inverse
    return SensitiveFeature(name, codes, (*names, *extra))


def _is_missing(values: np.ndarray) -> npt.NDArray[np.bool_]:
    """None, NaN, NaT, pandas.NA and blank text."""
    if values.dtype.kind in "fcmM":
        return np.asarray(np.isnan(values))
    if values.dtype.kind == "U":
        return np.asarray(np.char.strip(values) == "")
    if values.dtype.kind == "O":
        text = values.astype(str)
        # A value that is missing does not equal itself, or is one of the two singletons that cannot be compared.
        unequal = np.array([value is None or type(value).__name__ in _NA_TYPES or value != value for value in values])
        return np.asarray(unequal.astype(bool) | (np.char.strip(text) == ""))
    return np.zeros(len(values), dtype=bool)


_NA_TYPES = frozenset({"NAType", "NaTType"})
