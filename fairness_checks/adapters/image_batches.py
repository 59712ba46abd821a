"""Images as batches of tensors that a torch module takes, from whatever they were given as."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fairness_checks.adapters.image_loaders import (
    are_images,
    form_of,
    from_items,
    from_loader,
    how_read,
    image_of,
    refuse_masked,
    require_order,
    seen,
)
from fairness_checks.adapters.image_scaling import GIVEN, SCALINGS
from fairness_checks.errors import InvalidPredictions

if TYPE_CHECKING:
    import torch

__all__ = ["as_input", "batches"]


def batches(images: Any, batch_size: int, rows: int) -> Iterator[torch.Tensor]:
    """Cut whatever was given beside so many rows into tensors of at most `batch_size` images, one at a time."""
    import torch

    done = 0
    for item in _wholes(images, batch_size, rows):
        whole = image_of(item, done)
        if not (isinstance(whole, torch.Tensor | np.ndarray) and whole.ndim):
            raise InvalidPredictions(
                f"images: from image {done} on, a batch is {seen(whole)}; give tensors or arrays of shape (batch, ...),"
                f" or tuples that start with one{how_read(whole)}"
            )
        refuse_masked(whole)
        if isinstance(whole, torch.Tensor) and (form := form_of(whole)) is not None:
            raise InvalidPredictions(f"images: a tensor that is {form}; give dense ones with values")
        if not all(whole.shape[1:]):
            raise InvalidPredictions(f"images: {seen(whole)} holds no pixels")
        for start in range(0, len(whole), batch_size):
            part = whole[start : start + batch_size]
            yield _tensor(part) if isinstance(part, np.ndarray) else part
        done += len(whole)


def _tensor(array: npt.NDArray[Any]) -> torch.Tensor:
    """Copy an array into a tensor: torch takes neither a read-only array nor one of swapped bytes."""
    import torch

    if array.dtype.kind in "biuf":
        with contextlib.suppress(TypeError):  # of longdouble
            return torch.from_numpy(np.array(array, dtype=array.dtype.newbyteorder("="), order="C"))
    raise InvalidPredictions(f"images: dtype {array.dtype}; give uint8 or floats of 16, 32 or 64 bits")


def _wholes(images: Any, batch_size: int, rows: int) -> Iterable[Any]:
    import torch
    from torch.utils import data

    if isinstance(images, data.DataLoader):
        require_order(images)
        return from_loader(images)
    if isinstance(images, data.Dataset):
        return from_items(images, batch_size)
    if isinstance(images, np.ndarray) and images.dtype == object:  # images of several sizes, perhaps
        images = list(images)
    if isinstance(images, torch.Tensor | np.ndarray):
        return [images]
    if isinstance(images, list | tuple):
        return from_items(images, batch_size) if are_images(images, rows) else images
    if hasattr(images, "__array__") and getattr(images, "shape", None):  # of HDF5 and zarr on disk, of xarray, a frame
        return _sliced(images, batch_size)
    if isinstance(images, Iterable) and not isinstance(images, str | bytes | Mapping):
        return images
    raise InvalidPredictions(f"images: {seen(images)}; give a tensor, an array, a Dataset, a DataLoader or batches")


def _sliced(images: Any, batch_size: int) -> Iterator[npt.NDArray[Any]]:
    """Read a part at a time of what is like an array, and may be on a disk."""
    for start in range(0, images.shape[0], batch_size):
        try:
            yield np.asarray(images[start : start + batch_size])
        except Exception as problem:
            raise InvalidPredictions(
                f"images: {type(images).__name__} cannot be read from image {start} on "
                f"({type(problem).__name__}: {problem}); give a NumPy array or a tensor"
            ) from problem


def as_input(
    raw: torch.Tensor,
    module: torch.nn.Module,
    scaling: str | None,
    transform: Callable[[torch.Tensor], torch.Tensor] | None,
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
    else:
        batch = _scaled(raw, scaling)
    dtypes = (parameter.dtype for parameter in module.parameters() if parameter.is_floating_point())
    return batch.to(next(dtypes, batch.dtype))


def _scaled(raw: torch.Tensor, scaling: str | None) -> torch.Tensor:
    """Scale pixels as it was said; which scale whole numbers have in a module is for the user to say."""
    import torch

    if raw.is_complex():
        raise InvalidPredictions(f"images: dtype {raw.dtype}; give uint8 or floats, or a transform")
    if scaling is None and not raw.is_floating_point() and raw.dtype != torch.bool:
        if raw.dtype == torch.uint8:
            ways = (
                'scaling="[0, 1]" (as torchvision\'s ToTensor does), scaling="[-1, 1]", scaling="as given" (0 to 255)'
            )
        else:
            ways = 'scaling="as given", if it takes these numbers'
        raise InvalidPredictions(
            f"images: dtype {raw.dtype}, and nothing says in which scale the module was trained: write {ways} or a "
            "transform"
        )
    if scaling in (None, GIVEN):
        return raw if raw.is_floating_point() else raw.float()
    if not raw.is_floating_point() and raw.dtype != torch.uint8:
        raise InvalidPredictions(
            f"images: dtype {raw.dtype}, and scaling={scaling!r} is of pixels from 0 to 255; give uint8 or "
            "floats, or a transform"
        )
    divisor, offset = SCALINGS[str(scaling)]
    return (raw if raw.is_floating_point() else raw.float()) / divisor + offset
