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
    kind = [str(np.lib.format.dtype_to_descr(ordered.dtype)), dict(values.dtype.metadata or {})]
    return ["array", kind, values.shape, ordered.tobytes()]


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
    return [type(frame).__name__, _pandas_index(frame.columns), _pandas_index(frame.index), columns, *_beside(frame)]


def _pandas_series(series: Any) -> list[object]:
    return [type(series).__name__, series.name, _pandas_index(series.index), _pandas_values(series), *_beside(series)]


def _beside(held: Any) -> list[object]:
    return [dict(held.attrs), held.flags.allows_duplicate_labels]


def _pandas_index(index: Any) -> list[object]:
    if type(index).__name__ == "RangeIndex":
        return ["range", list(index.names), index.start, index.stop, index.step]
    if type(index).__name__ == "MultiIndex":
        ordered = [_pandas_index(level) for level in index.levels if level.dtype == "category"]
        return ["levels", list(index.names), [str(dtype) for dtype in index.dtypes], index.tolist(), ordered]
    steps = getattr(index, "freqstr", None)  # of dates
    return [type(index).__name__, list(index.names), _pandas_values(index), steps]


def _pandas_values(values: Any) -> list[object]:
    import numpy as np
    import pandas as pd

    if isinstance(values.dtype, np.dtype):
        return ["values", values.to_numpy()]
    if isinstance(values.dtype, pd.CategoricalDtype):
        held = pd.Series(values)
        return ["category", held.cat.ordered, _pandas_index(held.cat.categories), held.cat.codes.to_numpy()]
    missing = values.isna()
    return ["cells", str(values.dtype), [None if gone else cell for cell, gone in zip(values, missing, strict=True)]]


def _polars_frame(frame: Any) -> list[object]:
    return ["polars", [_polars_series(column) for column in frame.get_columns()]]


def _polars_series(series: Any) -> list[object]:
    cells = series.to_numpy() if series.dtype.is_numeric() and not series.null_count() else series.to_list()
    return [series.name, str(series.dtype), cells]


def _arrow_table(table: Any) -> list[object]:
    fields = [[each.name, str(each.type), each.nullable, dict(each.metadata or {})] for each in table.schema]
    return ["arrow", fields, dict(table.schema.metadata or {}), [_arrow_cells(each) for each in table.columns]]


def _arrow_cells(array: Any) -> list[object]:
    """Return the values, and of coded ones the codes too: they have an order."""
    if not str(array.type).startswith("dictionary<"):
        return [array.to_pylist()]
    whole = array.unify_dictionaries().combine_chunks() if hasattr(array, "unify_dictionaries") else array
    return [whole.dictionary.to_pylist(), whole.indices.to_pylist()]


def _arrow_array(array: Any) -> list[object]:
    return ["arrow", str(array.type), _arrow_cells(array)]


def _tensor(tensor: Any) -> list[object] | None:
    if tensor.layout is not sys.modules["torch"].strided or tensor.is_quantized:
        return None
    held = tensor.detach().cpu().contiguous().resolve_conj().resolve_neg()
    data = held.reshape(-1).view(sys.modules["torch"].uint8).numpy().tobytes() if held.numel() else b""
    kind = type(tensor).__name__
    gradient = tensor.grad if tensor.is_leaf else None
    return [kind, str(tensor.dtype), tuple(tensor.shape), tensor.device.type, tensor.requires_grad, data, gradient]


def _torch_generator(generator: Any) -> list[object]:
    return ["generator", str(generator.device), generator.get_state()]


def _torch_operator(operator: Any) -> list[object] | None:
    """Return the name of torch's own operator, whose version says what it does; None with a kernel of somebody else."""
    name = str(operator)
    kernels = getattr(sys.modules.get("torch.library"), "_impls", None)  # such as "aten/elu.out/CPU"
    own = f"aten/{name.split('.')[1]}"
    if not name.startswith("aten.") or kernels is None:
        return None
    others = [each for each in kernels if each.startswith((f"{own}/", f"{own}."))]
    return ["operator", name] if all(each.endswith("/Meta") for each in others) else None  # those know shapes alone


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
    ("torch._ops", ("OpOverload", "OpOverloadPacket"), _torch_operator),
)
