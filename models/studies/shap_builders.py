"""Do models built from women use other features than models built from men? The question of the paper's Figure 3.

Forests of women are compared with forests of men, and both with redraws of their own sex. In each redraw the women are
parted at random into two halves and as many men are drawn twice, so that four forests learn from equally many patients
and no two of them share one. Sex is not a feature. All forests are explained on the same patients: all women, and as
many men. What differs between two rankings is then the patients that a forest learnt from; what differs between two
forests of one sex is the yardstick.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from fairness_checks.plain import JSON
from fairness_checks.storage.cache import FittedCache
from fairness_checks.storage.code_digest import code_digest
from fairness_checks.sweep import DataSet, TrainableModel
from fairness_checks.sweep.randomness import FIT, generator
from models.studies.shap_rankings import mean_absolute

__all__ = ["BUILDERS", "agreement_of_builders", "builder_rankings", "built_values", "disjoint_rows"]

BUILDERS = ("female", "female", "male", "male")
"""Who the four forests of a redraw are built from."""

_STREAM = 103  # apart from the streams of fairness_checks.sweep.randomness, and from those of the study


def disjoint_rows(data: DataSet, seed: int, redraw: int) -> list[npt.NDArray[np.intp]]:
    """Return the rows of the four forests of a redraw, in the order of `BUILDERS`: equally many, none of them twice."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_STREAM, redraw)))
    groups = data.groups("sex")
    half = min(groups.sizes().values()) // 2
    rows = []
    for sex in ("female", "male"):
        drawn = rng.permutation(np.flatnonzero(groups.codes == groups.names.index(sex)))
        rows += [np.sort(drawn[:half]), np.sort(drawn[half : 2 * half])]
    return rows


def built_values(
    cache: FittedCache, name: str, model: TrainableModel, feature_set: str, redraws: int, seed: int = 0
) -> npt.NDArray[np.float64]:
    """Return the mean absolute SHAP values, shape (redraws, 4, features), of forests in the order of `BUILDERS`.

    Parameters
    ----------
    cache : FittedCache
        Where the values are kept.
    name : str
        The table, for the name of the file.
    model : TrainableModel
        A forest of scikit-learn.
    feature_set : str
        One without sex.
    redraws : int
        How often patients are drawn.
    seed : int
        Of the draws and the forests.
    """
    columns = list(model.feature_sets[feature_set])
    key: dict[str, JSON] = {
        "model": model.identity().key,
        "columns": [str(name) for name in columns],
        "code": code_digest(built_values),
        "libraries": {name: version(name) for name in ("numpy", "scikit-learn", "shap")},
        "redraws": redraws,
        "seed": seed,
    }

    def compute() -> Mapping[str, npt.NDArray[Any]]:
        data = model.data.select(columns)
        explained = data.take(_explained(data, seed))
        found = np.empty((redraws, len(BUILDERS), len(columns)))
        for redraw in range(redraws):
            for place, rows in enumerate(disjoint_rows(data, seed, redraw)):
                forest = model.fit(data.take(rows), generator(seed, FIT, redraw, f"builder {place}", feature_set))
                by_sex = mean_absolute(forest, explained)
                found[redraw, place] = (by_sex["female"] + by_sex["male"]) / 2  # as many women as men
        return {"values": found}

    return cache.arrays(f"shap-builders-{name}", key, compute)["values"]


def _explained(data: DataSet, seed: int) -> npt.NDArray[np.intp]:
    """Return all rows of the smaller sex and as many of the larger."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_STREAM,)))
    groups = data.groups("sex")
    size = min(groups.sizes().values())
    parts = [rng.permutation(np.flatnonzero(groups.codes == code))[:size] for code in range(len(groups.names))]
    return np.sort(np.concatenate(parts))


def agreement_of_builders(data_set: str, found: npt.NDArray[np.float64]) -> dict[str, Any]:
    """Return Spearman's correlation of rankings between and within the sexes.

    Parameters
    ----------
    data_set : str
        Goes into the row.
    found : ndarray of float64
        (redraws, 4, features), as `built_values` returns them.

    Returns
    -------
    dict
        ``across``: mean over the redraws and the four pairs of a forest of women and one of men; ``within_female`` and
        ``within_male``; ``within``, the mean of these two; ``below``, in how many redraws across is below within.
    """
    across, female, male = np.empty((3, len(found)))
    for redraw, values in enumerate(found):
        rho = np.asarray(stats.spearmanr(values, axis=1).statistic)  # (4, 4)
        across[redraw] = np.mean([rho[woman, man] for woman, man in product((0, 1), (2, 3))])
        female[redraw], male[redraw] = rho[0, 1], rho[2, 3]
    within = (female + male) / 2
    return {
        "data_set": data_set,
        "redraws": len(found),
        "across": float(across.mean()),
        "within": float(within.mean()),
        "within_female": float(female.mean()),
        "within_male": float(male.mean()),
        "below": int((across < within).sum()),
    }


def builder_rankings(found: npt.NDArray[np.float64], columns: Sequence[str]) -> pd.DataFrame:
    """Return each feature's mean rank among forests of women and of men, and how far it moves between redraws.

    Parameters
    ----------
    found : ndarray of float64
        (redraws, 4, features), as `built_values` returns them.
    columns : sequence of str
        Names of the features.

    Returns
    -------
    pandas.DataFrame
        Columns feature, female_rank and male_rank (of the mean values, 1 for the largest), female_mean_rank,
        male_mean_rank, ``difference`` (female minus male) and ``sd``: of the same difference between two forests of one
        sex, root mean square over both sexes and all redraws. Sorted by the mean of both.
    """
    ranks = stats.rankdata(-found, axis=2)  # (redraws, 4, features)
    women, men = found[:, :2].mean(axis=(0, 1)), found[:, 2:].mean(axis=(0, 1))
    within = np.concatenate([ranks[:, 0] - ranks[:, 1], ranks[:, 2] - ranks[:, 3]])
    frame = pd.DataFrame(
        {
            "feature": list(columns),
            "female_rank": stats.rankdata(-women, method="min").astype(int),
            "male_rank": stats.rankdata(-men, method="min").astype(int),
            "female_mean_rank": ranks[:, :2].mean(axis=(0, 1)),
            "male_mean_rank": ranks[:, 2:].mean(axis=(0, 1)),
        }
    )
    frame["difference"] = frame["female_mean_rank"] - frame["male_mean_rank"]
    frame["sd"] = np.sqrt((within**2).mean(axis=0))
    order = np.argsort(frame["female_mean_rank"] + frame["male_mean_rank"], kind="stable")
    return frame.iloc[order].reset_index(drop=True)
