"""Which images train and which test in the dermatology study: two test sets first, then three training sets.

In each repeat a test set of each skin tone is drawn without replacement, the same for every mix. From what is left the
training sets are drawn with replacement: A of light skin alone, B half and half, C of dark skin alone. Every draw has
a generator of its own, seeded by seed, repeat and mix, so that nothing depends on what is drawn before or beside it.

Needs NumPy alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fairness_checks.errors import FairnessError
from fairness_checks.sweep.apportion import largest_remainder
from models.vae_config import MIXES

__all__ = ["TONES", "Split", "TooFewImages", "fit_seed", "images_per_test_set", "split", "training_rows"]

TONES = ("light", "dark")
"""The groups, in the order of every array of the study."""

_SPLIT, _DRAW, _FIT = range(3)  # random streams
Rows = npt.NDArray[np.intp]


class TooFewImages(FairnessError, ValueError):
    """A group has too few images for a test set and a training set."""


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """One repeat: positions of images in the data set.

    Attributes
    ----------
    test : ndarray of int, shape (2, m)
        Test images of light and of dark skin; none twice.
    pools : tuple of ndarray of int
        The other images of light and of dark skin, from which training sets are drawn.
    """

    test: Rows
    pools: tuple[Rows, Rows]


def images_per_test_set(tones: npt.NDArray[np.str_], asked: int) -> int:
    """Return the images of each test set: as many as asked for, at most a third of the smaller group.

    With fewer left to train on, a training set of that group would be the same few images many times over, and the
    test sets of two repeats would share more than a third of their images.

    Parameters
    ----------
    tones : ndarray of str, shape (n,)
        Skin tone of each image.
    asked : int
        Images of each test set in the protocol.

    Raises
    ------
    TooFewImages
        If a group has fewer than six images, which leaves no test set of two.

    Examples
    --------
    >>> tones = np.array(["light"] * 1500 + ["dark"] * 305)
    >>> images_per_test_set(tones, 100), images_per_test_set(tones, 500)
    (100, 101)
    """
    sizes = {tone: int(np.count_nonzero(tones == tone)) for tone in TONES}
    smaller = min(sizes, key=lambda tone: sizes[tone])
    if sizes[smaller] < 6:
        raise TooFewImages(
            f"{sizes[smaller]} images of {smaller} skin: at least 6 of each skin tone are needed; add some, or run the "
            "study with --data phantoms"
        )
    return min(asked, sizes[smaller] // 3)


def split(tones: npt.NDArray[np.str_], size: int, seed: int, repeat: int) -> Split:
    """Draw the test sets of a repeat.

    Parameters
    ----------
    tones : ndarray of str, shape (n,)
        Skin tone of each image.
    size : int
        Images of each test set; fewer than a group has.
    seed, repeat : int
        0 or more.

    Examples
    --------
    >>> drawn = split(np.array(["dark", "light", "light", "dark", "light"]), 1, seed=0, repeat=0)
    >>> drawn.test.shape, [len(pool) for pool in drawn.pools]
    ((2, 1), [2, 1])
    """
    rng = np.random.default_rng(np.random.SeedSequence([seed, repeat, _SPLIT]))
    light, dark = (rng.permutation(np.flatnonzero(tones == tone)) for tone in TONES)
    return Split(np.stack([light[:size], dark[:size]]), (np.sort(light[size:]), np.sort(dark[size:])))


def training_rows(parts: Split, mix: str, count: int, seed: int, repeat: int) -> Rows:
    """Draw the training set of a mix, with replacement, from the images that do not test.

    Parameters
    ----------
    parts : Split
        Of this repeat.
    mix : str
        A name in `models.vae_config.MIXES`.
    count : int
        Images in the training set; the skin tones have the mix's shares, rounded by the largest remainder.
    seed, repeat : int
        0 or more.

    Returns
    -------
    ndarray of int, shape (count,)
        Light images first.

    Examples
    --------
    >>> tones = np.array(["dark", "light", "light", "dark", "light"])
    >>> tones[training_rows(split(tones, 1, 0, 0), "B", 4, seed=0, repeat=0)].tolist()
    ['light', 'light', 'dark', 'dark']
    """
    rng = np.random.default_rng(np.random.SeedSequence([seed, repeat, _DRAW, list(MIXES).index(mix)]))
    counts = largest_remainder([MIXES[mix].get(tone, 0.0) for tone in TONES], count)
    return np.concatenate([rng.choice(pool, size=n) for pool, n in zip(parts.pools, counts, strict=True)])


def fit_seed(mix: str, seed: int, repeat: int) -> int:
    """Return the seed of the training of a mix in a repeat: of weights, order and noise.

    Examples
    --------
    >>> fit_seed("A", 0, 0) != fit_seed("B", 0, 0)
    True
    """
    words = np.random.SeedSequence([seed, repeat, _FIT, list(MIXES).index(mix)]).generate_state(1)
    return int(words[0])
