"""The pass over the rows: a confusion table for each group, counted a chunk of rows at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fairness_checks.inputs.encoding import CHUNK_ROWS, chunks
from fairness_checks.question.metrics import CELLS

__all__ = ["count_cells", "place_intersections"]

_BYTE = 256


def count_cells(
    y_true: npt.NDArray[np.bool_], y_pred: npt.NDArray[np.bool_], codes: Sequence[np.ndarray], sizes: Sequence[int]
) -> npt.NDArray[np.int64]:
    """Count tn, fp, fn, tp of each group of an intersection, (prod(sizes), 4), the last feature varying fastest."""
    # y_true, y_pred: (n,); codes: (n,) for each feature, -1 stands for the last group.
    cells = math.prod(sizes) * len(CELLS)
    dtype, count = (np.uint8, _count_bytes) if cells <= _BYTE else (np.intp, _count_wide)
    index = np.empty(min(CHUNK_ROWS, len(y_true)), dtype=dtype)
    counts = np.zeros(cells, dtype=np.int64)
    for rows in chunks(len(y_true)):
        part = index[: rows.stop - rows.start]
        place_intersections(part, [code[rows] for code in codes], sizes)
        for labels in (y_true[rows], y_pred[rows]):
            np.add(part, part, out=part)  # NumPy adds bytes many at once, but shifts them one at a time
            np.bitwise_or(part, labels.view(np.uint8), out=part)
        counts += count(part, cells)
    return counts.reshape(-1, len(CELLS))


def place_intersections(index: np.ndarray, codes: Sequence[np.ndarray], sizes: Sequence[int]) -> None:
    """Write each sample's intersection into `index`, shape (n,); codes and sizes are those of `count_cells`."""
    for feature, (code, size) in enumerate(zip(codes, sizes, strict=True)):
        if code.min() < 0:
            code = np.where(code < 0, size - 1, code)
        if feature == 0:
            np.copyto(index, code, casting="unsafe")
        else:
            np.multiply(index, size, out=index, casting="unsafe")
            np.add(index, code, out=index, casting="unsafe")


def _count_wide(index: np.ndarray, cells: int) -> npt.NDArray[np.int64]:
    return np.bincount(index, minlength=cells).astype(np.int64)


def _count_bytes(index: np.ndarray, cells: int) -> npt.NDArray[np.int64]:
    """Count two rows at once: their two bytes are one of 65,536 numbers, which halves what is counted."""
    even = len(index) // 2 * 2
    pairs = np.bincount(index[:even].view(np.uint16).astype(np.intp), minlength=_BYTE * _BYTE).reshape(_BYTE, _BYTE)
    counts = pairs.sum(axis=0) + pairs.sum(axis=1)  # whichever byte came first
    return np.asarray((counts + np.bincount(index[even:], minlength=_BYTE))[:cells], dtype=np.int64)
