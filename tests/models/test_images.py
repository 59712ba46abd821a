"""What a set of images keeps when it is cut, shrunk and compared."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from models.data.images import LEVELS, ImageSet, LeftOut, shrunk


def image_set(n: int = 6, size: int = 8, seed: int = 0) -> ImageSet:
    rng = np.random.default_rng(seed)
    return ImageSet(
        name="noise",
        pixels=rng.integers(0, 256, (n, 3, size, size), dtype=np.uint8),
        skin_type=rng.integers(1, 7, n).astype(np.int8),
        skin_tone=rng.choice(["light", "dark"], n),
        conditions={level: rng.choice(["acne", "psoriasis", "melanoma"], n) for level in LEVELS},
        ids=np.array([f"image {i}" for i in range(n)]),
        synthetic=True,
        source="a test",
        licence="none",
        left_out=(LeftOut("image 9", "missing"),),
    )


def mean_of_squares(pixels: np.ndarray, size: int) -> np.ndarray:
    """Work out one pixel at a time; halves are rounded up."""
    n, channels, edge, _ = pixels.shape
    step = edge // size
    result = np.empty((n, channels, size, size), dtype=np.uint8)
    for at in np.ndindex(result.shape):
        i, channel, y, x = at
        square = pixels[i, channel, y * step : (y + 1) * step, x * step : (x + 1) * step]
        result[at] = int(sum(int(value) for value in square.ravel()) / step**2 + 0.5)
    return result


@pytest.mark.parametrize(("edge", "size"), [(64, 32), (64, 16), (12, 4), (6, 2), (5, 1), (7, 7)])
def test_a_smaller_image_has_the_means_of_squares(edge, size):
    pixels = np.random.default_rng(edge).integers(0, 256, (2, 3, edge, edge), dtype=np.uint8)
    np.testing.assert_array_equal(shrunk(pixels, size), mean_of_squares(pixels, size))


@pytest.mark.parametrize("value", [0, 1, 127, 254, 255])
def test_one_colour_stays_what_it_is_at_any_size(value):
    pixels = np.full((1, 3, 512, 512), value, dtype=np.uint8)
    assert (shrunk(pixels, 2) == value).all()


@pytest.mark.parametrize("size", [0, -1, 3, 16])
def test_a_size_that_is_no_whole_fraction_is_refused(size):
    with pytest.raises(ValueError, match=f"8 x 8 pixels cannot be shrunk to {size} x {size}"):
        shrunk(image_set().pixels, size)


def test_a_choice_of_images_keeps_every_column_together():
    images = image_set()
    rows = [4, 0, 4]
    taken = images.take(rows)
    assert len(taken) == 3
    for at, row in enumerate(rows):
        np.testing.assert_array_equal(taken.pixels[at], images.pixels[row])
        assert taken.skin_type[at] == images.skin_type[row]
        assert taken.skin_tone[at] == images.skin_tone[row]
        assert taken.ids[at] == images.ids[row]
        assert all(taken.conditions[level][at] == images.conditions[level][row] for level in LEVELS)
    assert (taken.source, taken.synthetic, taken.left_out) == (images.source, images.synthetic, images.left_out)


def test_another_size_changes_the_pixels_and_nothing_else():
    images = image_set()
    smaller = images.at_size(4)
    assert (images.size, smaller.size) == (8, 4)
    np.testing.assert_array_equal(smaller.pixels, mean_of_squares(images.pixels, 4))
    assert smaller.ids is images.ids
    assert images.at_size(8) is images


def test_the_fingerprint_is_that_of_the_content():
    images = image_set()
    assert images.fingerprint() == image_set().fingerprint()
    assert images.take(np.arange(6)).fingerprint() == images.fingerprint()
    assert images.take([]).fingerprint() != images.fingerprint()
    changed = images.pixels.copy()
    changed[3, 1, 2, 2] ^= 1
    types = images.skin_type.copy()
    types[0] = types[0] % 6 + 1
    others = [
        dataclasses.replace(images, pixels=changed),
        dataclasses.replace(images, skin_type=types),
        dataclasses.replace(images, skin_tone=np.roll(np.array(["light"] * 5 + ["dark"]), 2)),
        dataclasses.replace(images, name="other"),
        images.take([1, 0, 2, 3, 4, 5]),
        *(
            dataclasses.replace(images, conditions={**images.conditions, level: np.array(["eczema"] * 6)})
            for level in LEVELS
        ),
    ]
    fingerprints = {images.fingerprint(), *(other.fingerprint() for other in others)}
    assert len(fingerprints) == len(others) + 1


def test_labels_that_join_to_the_same_text_are_told_apart():
    images = image_set(n=2)
    one = dataclasses.replace(images, conditions={**images.conditions, "label": np.array(["a", "bc"])})
    two = dataclasses.replace(images, conditions={**images.conditions, "label": np.array(["ab", "c"])})
    assert one.fingerprint() != two.fingerprint()
