"""Which features a forest uses for women and for men, by SHAP values.

Lundberg et al., Nature Machine Intelligence 2020;2:56-67, https://doi.org/10.1038/s42256-019-0138-9 (``TreeExplainer``,
path-dependent: no background data). Needs ``shap``.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from fairness_checks.plain import JSON
from fairness_checks.storage.cache import FittedCache
from fairness_checks.storage.code_digest import code_digest
from fairness_checks.sweep import DataSet, TrainableModel
from fairness_checks.sweep.randomness import FIT, SPLIT, generator
from fairness_checks.sweep.splits import split

__all__ = ["rank_correlation", "shap_rankings"]


def shap_rankings(
    cache: FittedCache, name: str, model: TrainableModel, feature_set: str, *, test: float, seed: int = 0
) -> pd.DataFrame:
    """Return the features of one forest, ranked by mean absolute SHAP value, for women and for men.

    The forest is fitted on the training part of one split, as is, and explained on its test part.

    Parameters
    ----------
    cache : FittedCache
        Where the values are kept.
    name : str
        The table, for the name of the file.
    model : TrainableModel
        A forest of scikit-learn.
    feature_set : str
        One of the model's.
    test : float
        Share of rows that are explained.
    seed : int
        Of the split and the forest.

    Returns
    -------
    pandas.DataFrame
        Columns feature, and for each sex the mean absolute SHAP value (in units of the predicted probability) and the
        rank, 1 for the largest; sorted by the mean of both.
    """
    columns = list(model.feature_sets[feature_set])
    key: dict[str, JSON] = {
        "model": model.identity().key,
        "columns": [str(name) for name in columns],
        "code": code_digest(shap_rankings),
        "libraries": {name: version(name) for name in ("numpy", "scikit-learn", "shap")},
        "split": {"test": test, "seed": seed},
    }

    def compute() -> Mapping[str, npt.NDArray[Any]]:
        sides = split(model.data, "sex", test, generator(seed, SPLIT, 0))
        data = model.data.select(columns)
        forest = model.fit(data.take(sides.train), generator(seed, FIT, 0, "as_is", feature_set))
        return mean_absolute(forest, data.take(sides.test))

    return _ranked(columns, cache.arrays(f"shap-{name}", key, compute))


def mean_absolute(forest: Any, rows: DataSet) -> dict[str, npt.NDArray[np.float64]]:
    """Return the mean absolute SHAP value of each feature for the second label, by sex; arrays of shape (p,)."""
    with warnings.catch_warnings():  # it uses what matplotlib will take away
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        import shap  # takes seconds

    found = np.abs(shap.TreeExplainer(forest).shap_values(rows.features)[:, :, 1])
    sex = rows.sensitive_features["sex"].to_numpy()
    return {name: found[sex == name].mean(axis=0) for name in ("female", "male")}


def _ranked(columns: Sequence[str], means: Mapping[str, npt.NDArray[Any]]) -> pd.DataFrame:
    frame = pd.DataFrame({"feature": columns})
    for sex in ("female", "male"):
        frame[f"{sex}_mean_abs_shap"] = means[sex]
        frame[f"{sex}_rank"] = stats.rankdata(-means[sex], method="min").astype(int)
    both = frame["female_mean_abs_shap"] + frame["male_mean_abs_shap"]
    return frame.iloc[np.argsort(-both.to_numpy(), kind="stable")].reset_index(drop=True)


def rank_correlation(ranking: pd.DataFrame) -> float:
    """Return Spearman's correlation between the rankings for women and for men."""
    return float(stats.spearmanr(ranking["female_mean_abs_shap"], ranking["male_mean_abs_shap"]).statistic)
