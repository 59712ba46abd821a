"""Skin conditions in the dermatology study: how common each is in either group, and how well it is reconstructed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.data.images import LEVELS
from models.studies.dermatology_protocol import TONES
from models.studies.dermatology_store import Measurements

__all__ = ["FEWEST", "LEVEL_NAMES", "condition_rows", "distance_rows", "distance_to_chance", "prevalence_rows"]

FEWEST = 5
"""Tested images of a condition, in each skin tone, from which on its MSE is shown."""

LEVEL_NAMES = dict(zip(LEVELS, ("three classes", "nine classes", "conditions"), strict=True))
_DRAWS = 2000
_FINEST = LEVELS[-1]


class Distance(NamedTuple):
    """How far the prevalences of two groups lie apart.

    Attributes
    ----------
    distance : float
        Total variation, 0 to 1: the share of one group whose label would have to change.
    by_chance : float
        What it is on average when the labels are dealt to the groups at random; above 0, and the more the more labels.
    p : float
        Share of such deals that lie as far apart or farther.
    """

    distance: float
    by_chance: float
    p: float


def prevalence_rows(found: Measurements) -> pd.DataFrame:
    """Return how many images of each group, of the whole data set, have each label of each level.

    Columns level, label, light and dark (images), light_share and dark_share (0 to 1); the commonest label first.
    """
    parts = []
    for level in LEVELS:
        names, codes = np.unique(found.conditions[level], return_inverse=True)
        counts = np.array([np.bincount(codes[found.tones == tone], minlength=len(names)) for tone in TONES])
        part = pd.DataFrame({"level": LEVEL_NAMES[level], "label": names, "light": counts[0], "dark": counts[1]})
        for tone in TONES:
            part[f"{tone}_share"] = part[tone] / part[tone].sum()
        order = np.argsort(-(part["light_share"] + part["dark_share"]).to_numpy(), kind="stable")
        parts.append(part.iloc[order])
    return pd.concat(parts, ignore_index=True)


def distance_rows(prevalence: pd.DataFrame) -> pd.DataFrame:
    """Return, for each level, how far the prevalences of the two groups lie apart, beside what chance makes of it.

    Parameters
    ----------
    prevalence : pandas.DataFrame
        `prevalence_rows`.

    Returns
    -------
    pandas.DataFrame
        level, labels, distance, by_chance, excess (their difference) and p_chance.
    """
    rows = []
    for level, part in prevalence.groupby("level", sort=False):
        distance, by_chance, p = distance_to_chance(part["light"].to_numpy(), part["dark"].to_numpy())
        row = {"level": level, "labels": len(part), "distance": distance, "by_chance": by_chance}
        rows.append(row | {"excess": distance - by_chance, "p_chance": p})
    return pd.DataFrame(rows)


def distance_to_chance(light: npt.ArrayLike, dark: npt.ArrayLike) -> Distance:
    """Compare the prevalences of two groups with those that random deals of the same labels give.

    Parameters
    ----------
    light, dark : array_like of int, shape (K,)
        Images of each label.

    Examples
    --------
    >>> same, other = distance_to_chance([60, 40], [30, 20]), distance_to_chance([60, 40], [5, 45])
    >>> round(same.distance, 2), same.p, round(other.distance, 2), other.p < 0.01
    (0.0, 1.0, 0.5, True)
    """
    counts = np.array([light, dark], dtype=np.int64)
    total, sizes = counts.sum(axis=0), counts.sum(axis=1)
    seen = 0.5 * np.abs(counts[0] / sizes[0] - counts[1] / sizes[1]).sum()
    rng = np.random.default_rng(0)
    drawn = rng.multivariate_hypergeometric(total, int(sizes[1]), size=_DRAWS, method="marginals")
    dealt = 0.5 * np.abs((total - drawn) / sizes[0] - drawn / sizes[1]).sum(axis=1)
    beyond = int(np.count_nonzero(dealt >= seen - 1e-12))  # sums of the same shares differ in their last digits
    return Distance(float(seen), float(dealt.mean()), (1 + beyond) / (1 + _DRAWS))


def condition_rows(found: Measurements) -> pd.DataFrame:
    """Return the MSE of each condition of the finest level in either group, under each mix.

    An image's MSE is its mean over the repeats that tested it; a condition's is the mean over its images, so that an
    image that was tested often weighs no more than others.

    Returns
    -------
    pandas.DataFrame
        condition, mix, light and dark (different images tested), mse_light and mse_dark, and shown: whether both
        groups have `FEWEST` of them. Conditions that only one group has are left out.
    """
    images = len(found.tones)
    tested = found.test.ravel()
    times = np.bincount(tested, minlength=images)
    names, codes = np.unique(found.conditions[_FINEST], return_inverse=True)
    seen = {tone: (times > 0) & (found.tones == tone) for tone in TONES}
    counts = {tone: np.bincount(codes[seen[tone]], minlength=len(names)) for tone in TONES}
    both = np.flatnonzero((counts["light"] > 0) & (counts["dark"] > 0))
    fewest = np.minimum(counts["light"], counts["dark"])[both]
    parts = []
    for i, mix in enumerate(found.mixes):
        of_image = np.bincount(tested, found.mse[i].ravel(), images) / np.maximum(times, 1)
        columns = {"condition": names[both], "mix": mix, **{tone: counts[tone][both] for tone in TONES}}
        for tone in TONES:
            sums = np.bincount(codes[seen[tone]], of_image[seen[tone]], len(names))
            columns[f"mse_{tone}"] = sums[both] / counts[tone][both]
        parts.append(pd.DataFrame(columns | {"shown": fewest >= FEWEST}))
    return pd.concat(parts, ignore_index=True)
