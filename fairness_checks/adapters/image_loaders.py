"""Images from torch's data sets and loaders, and from lists, in their order; one that cannot be read is named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from fairness_checks.errors import InvalidPredictions

if TYPE_CHECKING:
    import torch
    from torch.utils import data

__all__ = [
    "are_images",
    "form_of",
    "from_items",
    "from_loader",
    "how_read",
    "image_of",
    "refuse_masked",
    "require_order",
    "said",
    "seen",
]

_KEYS = ("image", "images", "img", "pixel_values", "x")
_FILES = ("samples", "imgs", "paths", "files", "filenames", "image_paths")
_NOTHING = object()


def are_images(items: Sequence[Any], rows: int) -> bool:
    """Say whether a list beside so many rows holds an image for each, rather than batches of them."""
    # Where both may be, as of batches of one, images of up to three dimensions are meant: of more, batches.
    if len(items) != rows:
        return False
    shapes: list[Any] = [getattr(image_of(item, row), "shape", ()) for row, item in enumerate(items)]
    return not all(len(shape) > 3 and shape[0] == 1 for shape in shapes)


def image_of(item: Any, row: int) -> Any:
    """Return the image, or images, of what a data set or loader gives: labels and the like stand behind it."""
    if isinstance(item, tuple | list) and item and not isinstance(item[0], int | float):
        return item[0]
    if isinstance(item, Mapping):
        found = [key for key in _KEYS if key in item]
        if len(found) != 1:
            raise InvalidPredictions(
                f"images: from image {row} on, a mapping of {', '.join(map(repr, item)) or 'nothing'}; name the images "
                f"one of {', '.join(_KEYS)}, or give them alone"
            )
        return item[found[0]]
    return item


def from_items(images: data.Dataset[Any] | Sequence[Any], batch_size: int) -> Iterator[Any]:
    """Put the images of a Dataset's or a list's items into batches, in their order."""
    waiting: list[Any] = []
    for row, item in enumerate(_read(_items(images), images)):
        if waiting and len(waiting) == batch_size:
            yield _together(waiting, row - len(waiting))
            waiting = []
        image = image_of(item, row)
        if not getattr(image, "ndim", 0):
            raise InvalidPredictions(f"images: image {row} is {seen(image)}; give tensors or arrays{how_read(image)}")
        refuse_masked(image)
        waiting.append(image)
    if waiting:
        yield _together(waiting, row + 1 - len(waiting))


def _items(images: Any) -> Iterator[Any]:
    from torch.utils import data

    if isinstance(images, data.IterableDataset | list | tuple):
        yield from images
        return
    if not hasattr(images, "__len__"):
        raise InvalidPredictions(f"images: {type(images).__name__} has no __len__; say how many images it has")
    for row in range(len(images)):
        yield images[row]


def _read(items: Iterator[Any], images: Any) -> Iterator[Any]:
    """Pass items on; of one that raises say which it is."""
    row = 0
    while True:
        try:
            item = next(items, _NOTHING)
        except InvalidPredictions:
            raise
        except Exception as problem:
            raise _unreadable(row, problem, _file_of(images, row)) from problem
        if item is _NOTHING:
            return
        yield item
        row += 1


def from_loader(loader: data.DataLoader[Any]) -> Iterator[Any]:
    """Pass on the batches of a loader; say of one that cannot be made which image it is because of."""
    done = number = 0
    batches = (batch for _ in range(1) for batch in loader)  # so that the loader starts below
    while True:
        try:
            batch = next(batches, _NOTHING)
        except InvalidPredictions:
            raise
        except Exception as problem:
            raise _lost(loader, number, done, problem) from problem
        if batch is _NOTHING:
            return
        yield batch
        whole = image_of(batch, done)
        done += len(whole) if getattr(whole, "ndim", 0) else 1
        number += 1


def _lost(loader: data.DataLoader[Any], number: int, done: int, problem: Exception) -> InvalidPredictions:
    """Find out which image kept a loader from making a batch, by reading the images of that batch one by one."""
    from torch.utils import data

    dataset: Any = loader.dataset
    if isinstance(dataset, data.IterableDataset):
        return _unreadable(done, problem, None, "or one of its batch")
    sampler: Any = loader.batch_sampler if loader.batch_sampler is not None else loader.sampler
    try:
        places = next(islice(iter(sampler), number, None))
    except Exception:
        return _unreadable(done, problem, None, "or one of its batch")
    images = []
    for row, place in enumerate(places if isinstance(places, Sequence) else [places], done):
        try:
            images.append(image_of(dataset[place], row))
        except Exception as own:
            return _unreadable(row, own, _file_of(dataset, place))
    return _not_together(images, done, problem)


def _unreadable(row: int, problem: Exception, file: str | None, more: str = "") -> InvalidPredictions:
    named = f" ({file})" if file is not None and file not in str(problem) else ""
    return InvalidPredictions(
        f"images: image {row}{named}{f', {more},' if more else ''} cannot be read: {said(problem)}; mend it, or leave "
        "it out together with its sensitive features"
    )


def said(problem: Exception) -> str:
    """Name an error of others in one line; of one in a worker, the error there."""
    lines = [line.strip() for line in str(problem).splitlines() if line.strip()]
    if lines and lines[0].startswith("Caught ") and "worker process" in lines[0]:
        return lines[-1]
    return f"{type(problem).__name__}: {lines[0]}" if lines else type(problem).__name__


def _file_of(images: Any, row: Any) -> str | None:
    """Return the file of an image, where a data set lists its files as torchvision's do."""
    from torch.utils import data

    try:
        if isinstance(images, data.Subset):
            return _file_of(images.dataset, images.indices[row])
        listed = next((value for name in _FILES if (value := getattr(images, name, None)) is not None), images)
        if listed is images and not isinstance(images, list | tuple):
            return None
        entry = listed[row]
        entry = entry[0] if isinstance(entry, tuple | list) else entry
    except Exception:  # whatever these names mean there
        return None
    return str(entry) if isinstance(entry, str) or hasattr(entry, "__fspath__") else None


def _together(images: list[Any], first: int) -> Any:
    """Put images into a batch, of one size and dtype: pixels of 0 to 255 among those of 0 to 1 would all be floats."""
    from torch.utils import data

    if len({(type(image), str(getattr(image, "dtype", ""))) for image in images}) > 1:
        raise _not_together(images, first, TypeError("of several kinds"))
    try:
        if isinstance(images[0], np.ndarray):  # torch takes no swapped bytes
            return np.stack(images)
        return data.default_collate(images)
    except (TypeError, RuntimeError, ValueError) as problem:
        raise _not_together(images, first, problem) from problem


def _not_together(images: list[Any], first: int, problem: Exception) -> InvalidPredictions:
    """Say which image keeps others from being put into a batch: the first of another size than the one before."""
    for row, (one, other) in enumerate(pairwise(images), first + 1):
        if _kind(one) != _kind(other):
            return InvalidPredictions(
                f"images: image {row} is {seen(other)}, and image {row - 1} {seen(one)}; give all one size and "
                "dtype, e.g. by a Dataset with transform=Compose([Resize((height, width)), ToTensor()])"
            )
    return InvalidPredictions(
        f"images: images {first} to {first + len(images) - 1}, the first of which is {seen(images[0])}, cannot be put "
        f"into a batch ({said(problem)}): give tensors of one shape, e.g. with transform=ToTensor()"
    )


def how_read(whole: object) -> str:
    """Say how files, pictures and lists become arrays."""
    if isinstance(whole, str | bytes) or hasattr(whole, "__fspath__"):
        return "; read files by a Dataset, such as torchvision.datasets.ImageFolder(folder, transform=ToTensor())"
    if type(whole).__module__.startswith("PIL."):
        return ", e.g. with transform=ToTensor(), or np.asarray(picture)"
    return ", e.g. np.asarray(images)" if isinstance(whole, list | tuple) else ""


def form_of(tensor: torch.Tensor) -> str | None:
    """Name what keeps a tensor from being read pixel by pixel; None of an ordinary one."""
    import torch

    forms = {"nested": tensor.is_nested, "quantized": tensor.is_quantized, "on the meta device": tensor.is_meta}
    forms |= {str(tensor.layout): tensor.layout != torch.strided}
    return next((form for form, found in forms.items() if found), None)


def _kind(image: object) -> tuple[object, ...]:
    return type(image), getattr(image, "shape", None), str(getattr(image, "dtype", ""))


def seen(value: object) -> str:
    """Name what was seen instead of what is needed: its type, and the shape of an array."""
    shape = getattr(value, "shape", None)
    described = type(value).__name__ if not isinstance(value, type) else f"class {value.__name__}"
    return described if shape is None else f"{described} of shape {tuple(shape)}, {getattr(value, 'dtype', '')}"


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
    if loader.num_workers > 1 and isinstance(loader.dataset, data.IterableDataset):
        raise InvalidPredictions(
            f"images: {loader.num_workers} workers read an iterable data set, each all of it or a part, in turns, and "
            "images would get the sensitive features of others; make the DataLoader with num_workers=0"
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
