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


@pytest.mark.parametrize(
    ("items", "seen"),
    [
        ([Image.new("RGB", (4, 4))] * ROWS, r"default_collate: .*PIL\.Image\.Image"),
        ([(Image.new("RGB", (4, 4)), 1)] * ROWS, r"default_collate: .*PIL\.Image\.Image"),
        ([torch.zeros(3, 4, 4 + row % 2) for row in range(ROWS)], r"stack expects each tensor to be equal size"),
        ([np.zeros((3, 4 + row % 2)) for row in range(ROWS)], r"stack expects each tensor to be equal size"),
        ([np.zeros((3, 4), dtype=object)] * ROWS, r"default_collate: .*object"),
    ],
    ids=["pictures", "labelled pictures", "sizes", "sizes of arrays", "objects"],
)
def test_items_that_make_no_batch_are_refused_with_the_remedy(items, seen):
    message = rf"^images: the Dataset's items cannot be put into a batch \({seen}.*\): give tensors of one shape.*\)$"
    assert refused(rf"(?s){message}", Items(items)).__cause__ is not None


def test_an_error_of_the_dataset_itself_is_not_disguised():
    class Broken(Items):
        def __getitem__(self, row):
            raise TypeError("file 3 is no picture")

    with pytest.raises(TypeError, match=r"^file 3 is no picture"):
        errors(Broken(IMAGES))


def test_masked_values_are_refused_and_an_empty_mask_is_not():
    masked = np.ma.masked_array(IMAGES.numpy())
    np.testing.assert_allclose(errors(masked), EXPECTED, rtol=1e-6)
    masked[3, 0, :2, 0] = np.ma.masked
    message = r"^images: 2 of {} values are masked; give numbers for them, e\.g\. with images\.filled\(0\)$"
    refused(message.format(576), masked)
    refused(message.format(288), [masked[:6], masked[6:]])
    refused(message.format(48), Items(masked))
    errors(masked.filled(0))
