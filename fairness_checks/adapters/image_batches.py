"""Images as batches of tensors that a torch module takes, from whatever they were given as."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fairness_checks.adapters.image_loaders import from_dataset, refuse_masked, require_order
from fairness_checks.errors import InvalidPredictions

if TYPE_CHECKING:
    import torch

__all__ = ["as_input", "batches", "seen"]


def batches(images: Any, batch_size: int) -> Iterator[torch.Tensor]:
    """Cut whatever was given into tensors of at most `batch_size` images, one at a time."""
    import torch

    for item in _wholes(images, batch_size):
        whole = item[0] if isinstance(item, tuple | list) and item else item
        if not (isinstance(whole, torch.Tensor | np.ndarray) and whole.ndim):
            raise InvalidPredictions(
                f"images: a batch is {seen(whole)}; give tensors or arrays of shape (batch, ...), or tuples that "
                "start with one"
            )
        refuse_masked(whole)
        for start in range(0, len(whole), batch_size):
            part = whole[start : start + batch_size]
            yield _tensor(part) if isinstance(part, np.ndarray) else part


def _tensor(array: npt.NDArray[Any]) -> torch.Tensor:
    """Copy an array into a tensor: torch takes neither a read-only array nor one of swapped bytes."""
    import torch

    if array.dtype.kind in "biuf":
        with contextlib.suppress(TypeError):  # of longdouble
            return torch.from_numpy(np.array(array, dtype=array.dtype.newbyteorder("="), order="C"))
    raise InvalidPredictions(f"images: dtype {array.dtype}; give uint8 or floats of 16, 32 or 64 bits")


def _wholes(images: Any, batch_size: int) -> Iterable[Any]:
    import torch
    from torch.utils import data

    if isinstance(images, torch.Tensor | np.ndarray):
        return [images]
    if isinstance(images, data.DataLoader):
        require_order(images)
        return images
    if isinstance(images, data.Dataset):
        return from_dataset(images, batch_size)
    if isinstance(images, Iterable) and not isinstance(images, str | bytes | Mapping):
        return images
    raise InvalidPredictions(f"images: {seen(images)}; give a tensor, an array, a Dataset, a DataLoader or batches")


def as_input(
    raw: torch.Tensor, module: torch.nn.Module, transform: Callable[[torch.Tensor], torch.Tensor] | None
) -> torch.Tensor:
    """Return a batch as the module takes it: transformed or scaled, and of the dtype of its parameters."""
    import torch

    if transform is not None:
        made: Any = transform(raw.clone())  # one that works in place must not change the caller's images
        if not isinstance(made, torch.Tensor) or not made.is_floating_point() or made.shape[:1] != raw.shape[:1]:
            raise InvalidPredictions(
                f"transform: returned {seen(made)} for {seen(raw)}; a tensor of floats for the same images is needed"
            )
        batch = made
    elif raw.dtype == torch.uint8:
        batch = raw.float() / 127.5 - 1.0
    elif raw.is_floating_point():
        batch = raw
    else:
        raise InvalidPredictions(f"images: dtype {raw.dtype}; give uint8 or floats, or a transform")
    dtypes = (parameter.dtype for parameter in module.parameters() if parameter.is_floating_point())
    return batch.to(next(dtypes, batch.dtype))


def seen(value: object) -> str:
    """Name what was seen instead of what is needed: its type, and the shape of an array."""
    shape = getattr(value, "shape", None)
    described = type(value).__name__ if not isinstance(value, type) else f"class {value.__name__}"
    return described if shape is None else f"{described} of shape {tuple(shape)}, {getattr(value, 'dtype', '')}"
