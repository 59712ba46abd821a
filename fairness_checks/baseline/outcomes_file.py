"""The arrays of an outcomes file: which there are, and a reader that takes no others."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fairness_checks.baseline.document import OutcomesRef
from fairness_checks.baseline.reading import REWRITE
from fairness_checks.errors import BaselineError
from fairness_checks.storage.files import read_regular

__all__ = ["BITS", "HALVES", "REMEDY", "Arrays", "packed", "read_arrays"]

BITS = ("y_true", "y_pred")
HALVES = ("y_score", "error", "uncertainty")
REMEDY = f"restore it with git, or measure the baseline anew: {REWRITE}"
_HEADER = 256  # bytes of an array's header in npz, at most

Arrays = dict[str, npt.NDArray[Any]]


def packed(arrays: Arrays) -> bytes:
    """Return an npz file; its time stamps are those of 1980, so that the same arrays give the same bytes."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]  # the stubs see the parameter allow_pickle in **
    return buffer.getvalue()


def read_arrays(path: Path, ref: OutcomesRef) -> Arrays:
    """Return the arrays of a file; raise BaselineError unless it is the file named and holds what it must, no more."""
    most = 2 * (sum(_expected(name, ref.samples)[1] + _HEADER for name in _names()) + 1024)
    try:
        content = read_regular(path, most=most)
    except FileNotFoundError:
        raise BaselineError(f"{path}: the file is missing; {REMEDY}") from None
    except OSError as error:
        raise BaselineError(f"{path}: cannot be read: {error.strerror or error}; {REMEDY}") from error
    if hashlib.sha256(content).hexdigest() != ref.sha256:
        raise BaselineError(f"{path}: is not the file that the baseline names (its sha256 is another); {REMEDY}")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:  # sizes first: a small file may unpack to a huge one
            sizes = {item.filename.removesuffix(".npy"): item.file_size for item in archive.infolist()}
        if any(sizes[name] > _expected(name, ref.samples)[1] + _HEADER for name in sizes):
            raise BaselineError(f"{path}: unpacks to more than {ref.samples} samples; {REMEDY}")
        with np.load(io.BytesIO(content), allow_pickle=False) as entry:
            arrays = {name: entry[name] for name in entry.files}
    except BaselineError:
        raise
    except Exception as error:  # damaged bytes raise nearly anything (zip, zlib, header, names)
        raise BaselineError(f"{path}: is no outcomes file: {error!s:.200}; {REMEDY}") from error
    _check_layout(path, arrays, ref.samples)
    return arrays


def _names() -> tuple[str, ...]:
    return ("ids", *BITS, *HALVES, *(f"{name}_exponent" for name in HALVES))


def _expected(name: str, samples: int) -> tuple[tuple[str, tuple[int, ...]], int]:
    """Return dtype and shape of an array, and its size in bytes; raise KeyError for a name that there is not."""
    table: dict[str, tuple[str, tuple[int, ...]]] = {"ids": ("<u8", (samples,))}
    table |= dict.fromkeys(BITS, ("|u1", (-(-samples // 8),)))
    table |= dict.fromkeys(HALVES, ("<f2", (samples,)))
    table |= {f"{halves}_exponent": ("<i2", ()) for halves in HALVES}
    dtype, shape = table[name]
    return table[name], int(np.dtype(dtype).itemsize * np.prod(shape, dtype=np.int64))


def _check_layout(path: Path, arrays: Arrays, samples: int) -> None:
    halves = {name for name in HALVES if name in arrays}
    outcome = "y_pred" in arrays or bool(halves)
    complete = "ids" in arrays and outcome and all(f"{name}_exponent" in arrays for name in halves)
    if not complete or len(arrays) != 1 + len(halves) * 2 + sum(name in arrays for name in BITS):
        raise BaselineError(f"{path}: holds {', '.join(sorted(arrays))}; arrays are missing or too many; {REMEDY}")
    for name, array in arrays.items():
        dtype, shape = _expected(name, samples)[0]
        if array.dtype != np.dtype(dtype) or array.shape != shape:
            seen = f"{array.dtype} {array.shape}"
            raise BaselineError(f"{path}: {name} is {seen}, must be {np.dtype(dtype)} {shape}; {REMEDY}")
