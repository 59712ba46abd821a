"""Skin tone or condition? The gap between the skin tones as it is, and within conditions.

Light and dark skin show other conditions, and some are harder to reconstruct. Within a repeat the gate's own
standardisation (`control_features` with ``strata: combined``) compares the groups as if both showed the conditions
alike. A condition counts where each group has two of its test images or more; so the finer the labels, the fewer
images are compared, and the gap of the same images as they are stands beside.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from fairness_checks.kinds.standardised import standardise
from fairness_checks.question.checks import Settings
from fairness_checks.records.parts import GroupRecord
from fairness_checks.stats.means import mean_estimates
from fairness_checks.stats.moments import moments_by_group
from models.data.images import LEVELS
from models.studies.dermatology_conditions import LEVEL_NAMES
from models.studies.dermatology_protocol import TONES
from models.studies.dermatology_results import errors_of, over_repeats, overlap
from models.studies.dermatology_store import Measurements

__all__ = ["Within", "standardised_gap", "standardised_rows"]

_ANY_SIZE = Settings(min_group_size=1)  # the interval over the repeats says how little a few images tell


class Within(NamedTuple):
    """Gaps, dark minus light, of the images whose conditions can be compared.

    Attributes
    ----------
    standardised : float
        As if both groups showed the conditions alike; NaN where no condition can be compared.
    crude : float
        Of the same images as they are.
    compared : float
        Which share of all images they are.
    """

    standardised: float
    crude: float
    compared: float


def standardised_gap(
    light: npt.ArrayLike, dark: npt.ArrayLike, of_light: npt.NDArray[np.str_], of_dark: npt.NDArray[np.str_]
) -> Within:
    """Return the gap between two groups within conditions.

    Parameters
    ----------
    light, dark : array_like of float
        Errors of the images of each group.
    of_light, of_dark : ndarray of str
        Their conditions.

    Examples
    --------
    >>> of_light, of_dark = np.array(["mole", "mole", "wart", "wart"]), np.array(["mole", "mole", "mole", "wart"])
    >>> found = standardised_gap([0.0, 1.0, 4.0, 5.0], [0.0, 1.0, 2.0, 5.0], of_light, of_dark)
    >>> found.standardised, found.crude, found.compared  # one dark wart says nothing of how dark warts vary
    (0.5, 0.5, 0.625)
    """
    values = np.concatenate([np.asarray(group, dtype=np.float64) for group in (light, dark)])
    tone = np.repeat([0, 1], [len(of_light), len(of_dark)])
    names, condition = np.unique(np.concatenate([of_light, of_dark]), return_inverse=True)
    moments = moments_by_group(2 * condition + tone, 2 * len(names), values)
    cells = [
        GroupRecord(name=pair, samples=int(n), events=None, n=int(n), rate=None, low=None, high=None)
        for pair, n in zip(itertools.product(names.tolist(), TONES), moments.n.tolist(), strict=True)
    ]
    found = standardise(cells, mean_estimates(moments), 1, _ANY_SIZE).estimates.value
    enough = np.minimum(moments.n[::2], moments.n[1::2]) >= 2  # as `standardise` has it: a variance in each group
    same = enough[condition]
    crude = [values[same & (tone == g)].mean() if same.any() else np.nan for g in range(2)]
    return Within(float(found[1] - found[0]), float(crude[1] - crude[0]), float(same.mean()))


def standardised_rows(found: Measurements) -> pd.DataFrame:
    """Return the gap of each error under each mix, as it is and within conditions at each level of labels.

    Returns
    -------
    pandas.DataFrame
        value, mix, level; all (dark minus light of all images), compared (share of the images that are compared),
        crude (of those), gap (standardised) with its corrected interval, and explained with explained_low and
        explained_high (crude less gap: what the conditions make of it). Repeats in which no condition can be compared
        count in all and compared alone; where these are more than a tenth the others are NaN.
    """
    rows, assumed = [], overlap(found)
    for value, (i, mix), level in itertools.product(errors_of(found), enumerate(found.mixes), LEVELS):
        errors, labels = getattr(found, value)[i], found.conditions[level]
        each = np.array([standardised_gap(*errors[r], *labels[found.test[r]]) for r in range(found.repeats)])  # (J, 3)
        gap, crude, explained = (over_repeats(one, assumed) for one in (*each.T[:2], each[:, 1] - each[:, 0]))
        everything = float((errors[:, 1] - errors[:, 0]).mean())
        row = {"value": value, "mix": mix, "level": LEVEL_NAMES[level], "all": everything}
        row |= {"compared": float(each[:, 2].mean()), "crude": crude["gap"]}
        row |= gap | {"explained": explained["gap"]}
        rows.append(row | {f"explained_{end}": explained[end] for end in ("low", "high")})
    return pd.DataFrame(rows)
