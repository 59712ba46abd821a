"""Images from torch's data sets and loaders, in their order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from fairness_checks.errors import InvalidPredictions

if TYPE_CHECKING:
    from torch.utils import data

__all__ = ["from_dataset", "refuse_masked", "require_order"]


def from_dataset(images: data.Dataset[Any], batch_size: int) -> data.DataLoader[Any]:
    """Return a loader of a Dataset's items, in their order."""
    from torch.utils import data

    return data.DataLoader(images, batch_size=int(batch_size), collate_fn=_images_of)


def _images_of(items: list[Any]) -> tuple[Any]:
    """Put the images of a Dataset's items into a batch; what follows an image in its tuple is not read."""
    from torch.utils import data

    firsts = [item[0] if isinstance(item, tuple | list) and item else item for item in items]
    for image in firsts:
        refuse_masked(image)
    try:
        return (data.default_collate(firsts),)
    except (TypeError, RuntimeError, ValueError) as problem:
        raise InvalidPredictions(
            f"images: the Dataset's items cannot be put into a batch ({problem}): give tensors of one shape, e.g. with "
            "transform=ToTensor()"
        ) from problem


def refuse_masked(images: object) -> None:
    """Refuse an array with masked values: torch knows no mask, and would take what lies beneath."""
    if isinstance(images, np.ma.MaskedArray) and np.ma.is_masked(images):
        masked = f"{np.count_nonzero(np.ma.getmaskarray(images)):,} of {images.size:,} values"
        raise InvalidPredictions(f"images: {masked} are masked; give numbers for them, e.g. with images.filled(0)")


def require_order(loader: data.DataLoader[Any]) -> None:
    """Refuse a loader that gives its images in another order than their data set, as far as its samplers tell."""
    from torch.utils import data

    for sampler in _samplers(loader):
        name = type(sampler).__name__
        shuffling: object = isinstance(
            sampler, data.RandomSampler | data.SubsetRandomSampler | data.WeightedRandomSampler
        )
        if isinstance(sampler, data.DistributedSampler):
            shuffling = sampler.shuffle
            if sampler.num_replicas > 1:
                raise InvalidPredictions(
                    f"images: the DataLoader's {name} gives one of {sampler.num_replicas} parts of the images; make "
                    "it without that sampler"
                )
        if shuffling:
            raise InvalidPredictions(
                f"images: the DataLoader shuffles, by its {name}, and images would get the sensitive features of "
                "others; make it with shuffle=False and without that sampler"
            )
    if loader.num_workers > 0 and not getattr(loader, "in_order", True):  # torch 2.6 and later
        raise InvalidPredictions(
            "images: the DataLoader gives batches as its workers finish them, and images would get the sensitive "
            "features of others; make it with in_order=True"
        )


def _samplers(loader: data.DataLoader[Any]) -> Iterator[object]:
    """Return a loader's samplers and those that they draw from, each once."""
    ahead: list[object] = [loader.sampler, loader.batch_sampler]
    seen: set[int] = set()
    while ahead:
        sampler = ahead.pop(0)
        if sampler is not None and id(sampler) not in seen:
            seen.add(id(sampler))
            yield sampler
            ahead.append(getattr(sampler, "sampler", None))
