"""The columns of a data set: read from what the user has, and digested."""

from __future__ import annotations

import datetime
import hashlib
import json
import numbers
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from fairness_checks.errors import InvalidPredictions
from fairness_checks.inputs.array_like import as_array, series_array
from fairness_checks.inputs.narwhals_later import exceptions, nw
from fairness_checks.inputs.sensitive import encode_features, first_rows
from fairness_checks.storage.cache_keys import array_digest

__all__ = ["column_digest", "is_number", "kind_of_frame", "read_features", "read_sensitive"]

_SCALARS = (str, bytes, numbers.Number, np.generic, datetime.date, datetime.time, datetime.timedelta)


def is_number(dtype: Any) -> bool:
    """Say whether values of a dtype are numbers with something between them; bool is not."""
    return bool(pd.api.types.is_numeric_dtype(dtype)) and not pd.api.types.is_bool_dtype(dtype)


def read_features(features: Any) -> Any:
    """Return a pandas frame of its own, with names that are text; raise InvalidPredictions where it cannot be read."""
    try:
        native = nw.from_native(features, pass_through=True)
    except exceptions.DuplicateError as error:
        raise InvalidPredictions(f"features: a column is there twice; rename one ({error})") from error
    if isinstance(native, nw.DataFrame):
        if native.implementation.is_pandas():
            frame = native.to_native().reset_index(drop=True)
        else:  # column by column, which asks for no pyarrow
            columns = {name: native.get_column(name) for name in native.columns}
            frame = pd.DataFrame({name: series_array(f"features[{name!r}]", each) for name, each in columns.items()})
    elif isinstance(features, Mapping):
        try:
            frame = pd.DataFrame({name: _unlabelled(name, column) for name, column in features.items()})
        except InvalidPredictions:
            raise
        except Exception as error:  # of the library that a column is of, too
            raise InvalidPredictions(f"features: cannot be read as one table: {error}") from error
    else:
        raise InvalidPredictions(f"features: {type(features).__name__}; a frame or a mapping of columns is needed")
    frame.columns = [str(name) for name in frame.columns]
    twice = sorted(set(frame.columns[frame.columns.duplicated()]))
    if twice or not len(frame.columns):
        raise InvalidPredictions(f"features: column {twice[0]!r} is there twice" if twice else "features: no column")
    for name in frame.columns:
        if frame[name].dtype == object:
            _refuse_objects(name, frame[name])
    return frame


def _unlabelled(name: Any, column: Any) -> Any:
    """Return a column by position: pandas would put others that carry labels in another order."""
    if hasattr(type(column), "detach"):  # a torch tensor, which may have a gradient or a device; a row may be called so
        return as_array(f"features[{name!r}]", column)
    return column.reset_index(drop=True) if isinstance(column, pd.Series) else column


def _refuse_objects(name: str, column: Any) -> None:
    """Refuse cells without a value that can be compared and hashed: their text need not say all of it."""
    bad = np.array([not (value is None or value is pd.NA or isinstance(value, _SCALARS)) for value in column])
    if bad.any():
        seen = type(column[int(np.argmax(bad))]).__name__
        raise InvalidPredictions(f"features[{name!r}]: a cell must be a number or text, not {seen}: {first_rows(bad)}")


def read_sensitive(features: Any) -> Any:
    """Return the groups as a pandas frame of text; raise InvalidPredictions where one is missing."""
    read = {}
    for name, feature in encode_features(features).items():
        missing = feature.codes < 0
        if missing.any():
            raise InvalidPredictions(
                f"sensitive_features[{name!r}]: {int(missing.sum())} of {len(missing)} values are missing: "
                f"{first_rows(missing)}; fill them in, or make them a group of their own"
            )
        read[name] = np.array(feature.groups, dtype=object)[feature.codes]
    return pd.DataFrame(read)


def kind_of_frame(frame: Any) -> list[object]:
    """Return what the code of `fit` may use of a frame besides its cells: classes, and what a subclass carries."""
    dtypes = [type(dtype) for dtype in frame.dtypes if not isinstance(dtype, np.dtype)]
    cells = {type(cell) for name in frame.columns if frame[name].dtype == object for cell in frame[name]}
    carried = {str(name): getattr(frame, str(name), None) for name in type(frame)._metadata}
    ordered = sorted(cells, key=lambda each: (each.__module__, each.__qualname__))
    return [type(frame), type(frame.index), type(frame.iloc[:, 0]), dtypes, ordered, carried]


def column_digest(column: Any) -> list[str]:
    """Return a column's dtype and the digest of its values."""
    if isinstance(column.dtype, np.dtype) and not column.dtype.hasobject:
        values = column.to_numpy()
        return [column.dtype.str.lstrip("<>=|"), array_digest(values.astype(values.dtype.newbyteorder("<")))]
    kind = "text" if pd.api.types.is_string_dtype(column.dtype) else str(column.dtype)
    if isinstance(column.dtype, pd.CategoricalDtype):
        kind = f"category {column.cat.ordered} {column.cat.categories.tolist()!r}"
    if isinstance(column.dtype, pd.StringDtype) and not column.isna().any():  # text alone: what recurs is written once
        codes, values = pd.factorize(column)
        written = [json.dumps([type(value).__name__, str(value)]) for value in values]
        text = f"[{', '.join([written[code] for code in codes.tolist()])}]"
        return [kind, hashlib.sha256(text.encode()).hexdigest()]
    cells = [None if missing else [type(v).__name__, str(v)] for v, missing in zip(column, column.isna(), strict=True)]
    return [kind, hashlib.sha256(json.dumps(cells).encode()).hexdigest()]
