"""Images as batches of tensors that a torch module takes, from whatever they were given as."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

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
        for start in range(0, len(whole), batch_size):
            part = whole[start : start + batch_size]
            if isinstance(part, np.ndarray):  # copied, as torch takes neither a read-only array nor a swapped one
                if part.dtype.kind not in "biuf":
                    raise InvalidPredictions(f"images: dtype {part.dtype}; give uint8 or floats")
                part = torch.from_numpy(np.array(part, dtype=part.dtype.newbyteorder("="), order="C"))
            yield part


def _wholes(images: Any, batch_size: int) -> Iterable[Any]:
    import torch
    from torch.utils import data

    if isinstance(images, torch.Tensor | np.ndarray):
        return [images]
    if isinstance(images, data.DataLoader):
        samplers = (images.sampler, getattr(images.batch_sampler, "sampler", None))
        shuffling = (data.RandomSampler, data.SubsetRandomSampler, data.WeightedRandomSampler)
        if any(isinstance(sampler, shuffling) for sampler in samplers):
            raise InvalidPredictions(
                "images: the DataLoader shuffles, and images would get the sensitive features of others; make it "
                "with shuffle=False"
            )
        return images
    if isinstance(images, data.Dataset):
        return data.DataLoader(images, batch_size=batch_size)
    if isinstance(images, Iterable) and not isinstance(images, str | bytes | Mapping):
        return images
    raise InvalidPredictions(f"images: {seen(images)}; give a tensor, an array, a Dataset, a DataLoader or batches")


def as_input(
    raw: torch.Tensor, module: torch.nn.Module, transform: Callable[[torch.Tensor], torch.Tensor] | None
) -> torch.Tensor:
    """Return a batch as the module takes it: transformed or scaled, and of the dtype of its parameters."""
    import torch

    if transform is not None:
        made: Any = transform(raw)
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
