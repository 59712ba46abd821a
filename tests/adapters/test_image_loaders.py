"""Torch's data sets and loaders: what keeps the order of its images is read, what does not is refused."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("PIL")

from PIL import Image  # noqa: E402  (not needed without torch)
from torch import nn  # noqa: E402
from torch.utils import data  # noqa: E402

from fairness_checks import predictions_from_autoencoder  # noqa: E402
from fairness_checks.errors import InvalidPredictions  # noqa: E402

ROWS = 12
GROUPS = {"g": ["a", "b", "b"] * 4}
IMAGES = torch.from_numpy(np.random.default_rng(0).random((ROWS, 3, 4, 4), dtype=np.float32))


class Items(data.Dataset):
    def __init__(self, items) -> None:
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, row):
        return self.items[row]


class Passing(data.Sampler):
    """A sampler that draws from another one, as libraries have them."""

    def __init__(self, sampler) -> None:
        self.sampler = sampler

    def __iter__(self):
        return iter(self.sampler)

    def __len__(self) -> int:
        return len(self.sampler)


def errors(images, **arguments):
    """Root mean squared distance of each image from zero."""
    module = nn.Conv2d(3, 3, 1)
    nn.init.zeros_(module.weight)
    nn.init.zeros_(module.bias)
    return predictions_from_autoencoder(module, images, sensitive_features=GROUPS, **arguments).error


EXPECTED = IMAGES.double().square().mean(dim=(1, 2, 3)).sqrt().numpy()


def refused(message, images, **arguments):
    with pytest.raises(InvalidPredictions, match=message) as caught:
        errors(images, **arguments)
    return caught.value


def distributed(**options):
    return data.DistributedSampler(range(ROWS), **({"num_replicas": 1, "rank": 0} | options))


RANDOM = data.RandomSampler(range(ROWS))

SHUFFLING = {
    "subset": {"sampler": data.SubsetRandomSampler(range(ROWS))},
    "batches instead of samples": {"batch_size": None, "sampler": data.BatchSampler(RANDOM, 4, False)},
    "within another": {"sampler": Passing(RANDOM)},
    "within two others": {"sampler": Passing(Passing(data.WeightedRandomSampler([1.0] * ROWS, ROWS)))},
    "batches of another": {"batch_sampler": data.BatchSampler(Passing(RANDOM), 4, False)},
    "batches within another": {"batch_sampler": Passing(data.BatchSampler(RANDOM, 4, False))},
    "distributed": {"sampler": distributed()},
}


@pytest.mark.parametrize("kind", SHUFFLING)
def test_a_loader_that_shuffles_is_refused_wherever_its_sampler_is(kind):
    loader = data.DataLoader(data.TensorDataset(IMAGES), **SHUFFLING[kind])
    refused(r"^images: the DataLoader shuffles, by its \w+Sampler, .*; make it with shuffle=False", loader)


IN_ORDER = {
    "distributed": {"sampler": distributed(shuffle=False)},
    "within another": {"sampler": Passing(data.SequentialSampler(range(ROWS)))},
    "lists": {"batch_sampler": [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9, 10, 11]]},
}


@pytest.mark.parametrize("kind", IN_ORDER)
def test_a_loader_in_order_is_read_whatever_its_sampler_is(kind):
    loader = data.DataLoader(data.TensorDataset(IMAGES), **IN_ORDER[kind])
    np.testing.assert_allclose(errors(loader), EXPECTED, rtol=1e-6)


def test_a_loader_that_gives_a_part_or_any_order_is_refused():
    part = data.DataLoader(Items(IMAGES), sampler=distributed(num_replicas=2, shuffle=False))
    refused(r"^images: the DataLoader's DistributedSampler gives one of 2 parts of the images; make it without", part)
    loose = data.DataLoader(Items(IMAGES), num_workers=2)
    loose.in_order = False  # an argument from torch 2.6 on
    refused(r"^images: the DataLoader gives batches as its workers finish them, .*in_order=True$", loose)


def test_an_iterable_data_set_is_not_read_by_several_workers():
    for options in ({}, {"batch_size": None}):
        loader = data.DataLoader(Streamed(IMAGES), num_workers=2, **options)
        refused(r"^images: 2 workers read an iterable data set, .* with num_workers=0$", loader)
    np.testing.assert_allclose(
        errors(data.DataLoader(Streamed(IMAGES), batch_size=5, num_workers=1)), EXPECTED, rtol=1e-6
    )


def test_a_sampler_that_names_itself_does_not_hang():
    class Itself(data.SequentialSampler):
        @property
        def sampler(self):
            return self

    loader = data.DataLoader(data.TensorDataset(IMAGES), batch_size=4, sampler=Itself(range(ROWS)))
    np.testing.assert_allclose(errors(loader), EXPECTED, rtol=1e-6)


def test_of_a_datasets_items_the_images_alone_are_put_into_a_batch():
    items = [(image, None if row % 2 else "no one label") for row, image in enumerate(IMAGES)]
    np.testing.assert_allclose(errors(Items(items), batch_size=np.int64(5)), EXPECTED, rtol=1e-6)


PICTURES = [Image.new("RGB", (4, 4))] * ROWS
SIZES = [torch.zeros(3, 4, 4 + (row == 7)) for row in range(ROWS)]
NO_BATCH = r"^images: image 0 is Image; give tensors or arrays, e\.g\. with transform=ToTensor\(\)"
OTHER_SIZE = (
    r"^images: image 7 is {0} of shape \(3, 4, 5\), {1}float32, and image 6 {0} of shape \(3, 4, 4\), {1}float32; give "
    r"all one size and dtype"
)


@pytest.mark.parametrize(
    ("items", "message"),
    [
        (PICTURES, NO_BATCH),
        ([(picture, 1) for picture in PICTURES], NO_BATCH),
        (SIZES, OTHER_SIZE.format("Tensor", r"torch\.")),
        ([image.numpy() for image in SIZES], OTHER_SIZE.format("ndarray", "")),
        (
            [*IMAGES[:4], *(IMAGES[4:] * 255).byte()],
            r"image 4 is Tensor .*uint8, and image 3 Tensor .*float32; give all",
        ),
        ([*IMAGES[:4].numpy(), *IMAGES[4:]], r"image 4 is Tensor .*, and image 3 ndarray"),
        ([np.zeros((3, 4), dtype=object)] * ROWS, r"^images: dtype object; give uint8 or floats"),
        (
            [f"{row}.png" for row in range(ROWS)],
            r"^images: image 0 is str; give tensors or arrays; read files by a Dat",
        ),
        (
            [{"label": 1, "scan": image} for image in IMAGES],
            r"^images: from image 0 on, a mapping of 'label', 'scan'; na",
        ),
        ([{"image": image, "x": image} for image in IMAGES], r"a mapping of 'image', 'x'; name the images one of"),
        ([[0.5, 0.2]] * ROWS, r"^images: image 0 is list; give tensors or arrays, e\.g\. np\.asarray\(images\)"),
        ([torch.zeros(3, 0, 4)] * ROWS, r"^images: Tensor of shape \(12, 3, 0, 4\), .* holds no pixels$"),
    ],
    ids=[
        *("pictures", "labelled pictures", "sizes", "sizes of arrays", "dtypes", "kinds", "objects", "paths"),
        *("no image in a mapping", "two images in a mapping", "lists", "no pixels"),
    ],
)
def test_items_that_make_no_batch_are_refused_with_the_image_and_the_remedy(items, message):
    refused(message, Items(items))
    refused(message, items)
    if isinstance(items[0], np.ndarray) and items[0].dtype != object and type(items[-1]) is np.ndarray:
        ragged = np.empty(ROWS, dtype=object)
        ragged[:] = items
        refused(message, ragged)


TAKEN = {
    "images": list,
    "arrays": lambda images: list(images.numpy()),
    "arrays of swapped bytes": lambda images: list(images.numpy().astype(">f4")),
    "labelled": lambda images: [(image, "no one label") for image in images],
    "mappings": lambda images: [{"label": 1, "pixel_values": image} for image in images],
    "array of arrays": lambda images: np.array([*images.numpy(), None], dtype=object)[:-1],
    "images with a gradient": lambda images: images.clone().requires_grad_() * 1,
    "channels last in memory": lambda images: images.to(memory_format=torch.channels_last),
    "batches of one": lambda images: list(images[:, None]),
    "batches in mappings": lambda images: [{"images": images[:5]}, {"images": images[5:]}],
    "loader of mappings": lambda images: data.DataLoader(Items([{"image": image, "id": "a"} for image in images])),
    "iterable data set": lambda images: Streamed(images),
}


class Streamed(data.IterableDataset):
    def __init__(self, items) -> None:
        self.items = items

    def __iter__(self):
        return iter(self.items)


@pytest.mark.parametrize("kind", TAKEN)
def test_images_are_taken_one_by_one_with_whatever_stands_beside_them(kind):
    np.testing.assert_allclose(errors(TAKEN[kind](IMAGES), batch_size=5), EXPECTED, rtol=1e-6)


def test_what_lies_on_a_disk_is_read_a_batch_at_a_time():
    class Stored:  # as HDF5 and zarr have it
        shape, dtype, read = IMAGES.shape, np.float32, []

        def __array__(self, dtype=None, copy=None):
            raise AssertionError("all of it")

        def __getitem__(self, rows):
            self.read.append((rows.start, rows.stop))
            if rows.start >= 10:
                raise OSError("chunk 10 is damaged")
            return IMAGES.numpy()[rows]

    message = r"^images: Stored cannot be read from image 10 on \(OSError: chunk 10 is damaged\)"
    refused(message, Stored(), batch_size=5)
    assert Stored.read == [(0, 5), (5, 10), (10, 15)]


def test_a_tensor_that_is_not_dense_is_refused():
    refused(r"^images: a tensor that is torch.sparse_coo; give dense ones", IMAGES.to_sparse())
    refused(r"^images: a tensor that is on the meta device; give dense ones with values", IMAGES.to("meta"))
    refused(
        r"^images: a tensor that is nested; give dense ones",
        torch.nested.nested_tensor(list(IMAGES), layout=torch.jagged),
    )


def test_an_empty_loader_is_refused():
    refused(r"^images: 0 images; there is nothing to evaluate$", data.DataLoader(Items([])))
    refused(r"^images: 0 images; there is nothing to evaluate$", [])


# --- images that cannot be read


class Folder(Items):
    """Reads its items, as torchvision's ImageFolder does; one of them cannot be."""

    def __init__(self, problem, at=7) -> None:
        super().__init__(IMAGES)
        self.samples = [(f"scans/{row}.png", 0) for row in range(ROWS)]
        self.problem, self.at = problem, at

    def __getitem__(self, row):
        if row == self.at:
            raise self.problem
        return self.items[row], 0


class FolderInPieces(Folder, data.IterableDataset):
    def __iter__(self):
        return (self[row] for row in range(ROWS))


PROBLEMS = [OSError("image file is truncated"), TypeError("no picture"), KeyError(), RuntimeError("line 1\nline 2")]
READERS = {
    "data set": lambda folder: folder,
    "loader": lambda folder: data.DataLoader(folder, batch_size=3),
    "loader with a list of batches": lambda folder: data.DataLoader(
        folder, batch_sampler=[[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    ),
    "subset": lambda folder: data.Subset(folder, range(ROWS)),
    "loader of a subset": lambda folder: data.DataLoader(data.Subset(folder, range(ROWS)), batch_size=5),
}


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: type(problem).__name__)
@pytest.mark.parametrize("reader", READERS)
def test_an_image_that_cannot_be_read_is_named_with_its_file(reader, problem):
    words = f"{type(problem).__name__}: {str(problem).splitlines()[0]}" if str(problem) else type(problem).__name__
    message = rf"^images: image 7 \(scans/7\.png\) cannot be read: {words}; mend it, or leave it out together with"
    assert refused(message, READERS[reader](Folder(problem))).__cause__ is not None


def test_an_image_that_a_worker_cannot_read_is_named():
    loader = data.DataLoader(Folder(OSError("image file is truncated")), batch_size=5, num_workers=1)
    refused(r"^images: image 7 \(scans/7\.png\) cannot be read: OSError: image file is truncated; mend it", loader)


def test_of_an_iterable_data_set_the_image_or_its_batch_is_named():
    folder = FolderInPieces(OSError("image file is truncated"))
    refused(r"^images: image 7 \(scans/7\.png\) cannot be read: OSError: image file is truncated", folder)
    message = r"^images: image 6, or one of its batch, cannot be read: OSError: image file is truncated"
    refused(message, data.DataLoader(folder, batch_size=3))


def test_an_image_of_another_size_is_named_that_a_loader_cannot_put_into_a_batch():
    refused(OTHER_SIZE.format("Tensor", r"torch\."), data.DataLoader(Items(SIZES), batch_size=4))


def test_an_image_that_is_all_there_but_not_finite_is_named():
    images = IMAGES.clone()
    images[7, 0, 0, 0] = torch.nan
    for given in (images, list(images), Items(images), data.DataLoader(Items(images), batch_size=5)):
        refused(r"^images: NaN, infinite or too large in 1 of 12 images: row 7 \(by position, from 0\)$", given)


def test_masked_values_are_refused_and_an_empty_mask_is_not():
    masked = np.ma.masked_array(IMAGES.numpy())
    np.testing.assert_allclose(errors(masked), EXPECTED, rtol=1e-6)
    masked[3, 0, :2, 0] = np.ma.masked
    message = r"^images: 2 of {} values are masked; give numbers for them, e\.g\. with images\.filled\(0\)$"
    refused(message.format(576), masked)
    refused(message.format(288), [masked[:6], masked[6:]])
    refused(message.format(48), Items(masked))
    errors(masked.filled(0))
