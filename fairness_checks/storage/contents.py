"""Arrays, frames and tensors as parts that can be digested: by what they hold, however it lies in memory."""

# No framework is imported here: an object of one that is not imported does not exist.

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from typing import Any

__all__ = ["OF_FRAMES", "contents_of", "wrapped_by"]

OF_FRAMES = frozenset({"_mgr", "_item_cache", "_attrs", "_flags", "_name", "_data", "_cache", "_id", "_references"})
"""Attributes in which pandas keeps what `contents_of` says of a frame, series or index."""


def contents_of(value: object) -> list[object] | None:
    """Return plain parts that say all of an array, frame or tensor; None for anything else."""
    for library, names, parts in _KINDS:
        module = sys.modules.get(library)
        if module is None:
            continue
        kinds = tuple(kind for name in names if isinstance(kind := getattr(module, name, None), type))
        if isinstance(value, kinds):
            return parts(value)
    return None


def _array(values: Any) -> list[object] | None:
    import numpy as np

    if type(values) not in (np.ndarray, np.memmap):  # a subclass says itself what it holds
        return None
    values = np.asarray(values)
    if values.dtype.hasobject:
        cells = values.tolist() if values.dtype.names is None else [tuple(row) for row in values.ravel().tolist()]
        return ["objects", str(values.dtype), values.shape, cells]
    ordered = values.astype(values.dtype.newbyteorder("<"), copy=False)
    return ["array", str(np.lib.format.dtype_to_descr(ordered.dtype)), values.shape, ordered.tobytes()]


def _ufunc(function: Any) -> list[object]:
    return ["ufunc", function.__name__, function.nin, function.nout, function.signature or "", function.types]


def wrapped_by(value: object) -> Callable[..., Any] | None:
    """Return the Python function that `numpy.frompyfunc` has made a ufunc of; None for anything else."""
    numpy = sys.modules.get("numpy")
    if numpy is None or not isinstance(value, numpy.ufunc):
        return None
    return next((each for each in gc.get_referents(value) if callable(each)), None)


def _pandas_frame(frame: Any) -> list[object]:
    columns = [_pandas_values(frame.iloc[:, position]) for position in range(frame.shape[1])]
    return [type(frame).__name__, _pandas_index(frame.columns), _pandas_index(frame.index), columns, dict(frame.attrs)]


def _pandas_series(series: Any) -> list[object]:
    return [type(series).__name__, series.name, _pandas_index(series.index), _pandas_values(series), dict(series.attrs)]


def _pandas_index(index: Any) -> list[object]:
    if type(index).__name__ == "RangeIndex":
        return ["range", list(index.names), index.start, index.stop, index.step]
    if type(index).__name__ == "MultiIndex":
        return ["levels", list(index.names), [str(dtype) for dtype in index.dtypes], index.tolist()]
    return [type(index).__name__, list(index.names), _pandas_values(index)]


def _pandas_values(values: Any) -> list[object]:
    import numpy as np
    import pandas as pd

    if isinstance(values.dtype, np.dtype):
        return ["values", values.to_numpy()]
    if isinstance(values.dtype, pd.CategoricalDtype):
        held = pd.Series(values)
        categories = held.cat.categories
        return ["category", held.cat.ordered, str(categories.dtype), categories.tolist(), held.cat.codes.to_numpy()]
    missing = values.isna()
    return ["cells", str(values.dtype), [None if gone else cell for cell, gone in zip(values, missing, strict=True)]]


def _polars_frame(frame: Any) -> list[object]:
    return ["polars", [_polars_series(column) for column in frame.get_columns()]]


def _polars_series(series: Any) -> list[object]:
    cells = series.to_numpy() if series.dtype.is_numeric() and not series.null_count() else series.to_list()
    return [series.name, str(series.dtype), cells]


def _arrow_table(table: Any) -> list[object]:
    return ["arrow", str(table.schema), dict(table.schema.metadata or {}), [each.to_pylist() for each in table.columns]]


def _arrow_array(array: Any) -> list[object]:
    return ["arrow", str(array.type), array.to_pylist()]


def _tensor(tensor: Any) -> list[object] | None:
    if tensor.layout is not sys.modules["torch"].strided or tensor.is_quantized:
        return None
    held = tensor.detach().cpu().contiguous().resolve_conj().resolve_neg()
    data = held.reshape(-1).view(sys.modules["torch"].uint8).numpy().tobytes() if held.numel() else b""
    kind = type(tensor).__name__
    return [kind, str(tensor.dtype), tuple(tensor.shape), tensor.device.type, bool(tensor.requires_grad), data]


def _torch_generator(generator: Any) -> list[object]:
    return ["generator", str(generator.device), generator.get_state()]


_KINDS: tuple[tuple[str, tuple[str, ...], Callable[[Any], list[object] | None]], ...] = (
    ("numpy", ("ndarray",), _array),
    ("numpy", ("ufunc",), _ufunc),
    ("pandas", ("DataFrame",), _pandas_frame),
    ("pandas", ("Series",), _pandas_series),
    ("pandas", ("Index",), _pandas_index),
    ("polars", ("DataFrame",), _polars_frame),
    ("polars", ("Series",), _polars_series),
    ("pyarrow", ("Table", "RecordBatch"), _arrow_table),
    ("pyarrow", ("Array", "ChunkedArray"), _arrow_array),
    ("torch", ("Tensor",), _tensor),
    ("torch", ("Generator",), _torch_generator),
)
