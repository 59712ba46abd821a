"""Parameters of the study's forests, found once for each table and feature set.

``GridSearchCV`` runs on the training part of one split that is drawn apart from the 100 of the study, and its choice
serves every mix and repeat: what differs between mixes is then the data alone. The price is that the tuning has
seen patients who test later. Nested tuning, a search in each of 3,200 trainings, would cost 40 forests for one.
``docs/cardiac.md`` shows what the choice is worth.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import GridSearchCV, ParameterGrid, StratifiedKFold

from fairness_checks.plain import JSON
from fairness_checks.storage.cache import FittedCache
from fairness_checks.storage.code_digest import code_digest
from fairness_checks.sweep import DataSet
from fairness_checks.sweep.splits import split
from models.random_forest import random_forest

__all__ = ["GRID", "tuned_parameters"]

GRID: dict[str, list[Any]] = {
    "max_depth": [None, 6],
    "max_features": ["sqrt", 0.5],
    "min_samples_leaf": [1, 4],
}
"""What is searched; scikit-learn's defaults are the first point, which wins a tie."""

_FOLDS = 5
_STREAM = 101  # apart from the streams of fairness_checks.sweep.randomness


def tuned_parameters(
    cache: FittedCache, name: str, data: DataSet, columns: Sequence[str], *, seed: int = 0, jobs: int = 1
) -> dict[str, Any]:
    """Return the point of the grid with the highest accuracy in cross-validation.

    Parameters
    ----------
    cache : FittedCache
        Where the search is kept.
    name : str
        Table and feature set, for the name of the file.
    data : DataSet
        All rows; 0.7 of them are used.
    columns : sequence of str
        The feature set.
    seed : int
        Of the split, the folds and the forests.
    jobs : int
        Processes at a time.

    Returns
    -------
    dict of str to Any
        Parameters of `sklearn.ensemble.RandomForestClassifier`.
    """
    key: dict[str, JSON] = {
        "data": data.select(columns).fingerprint(),
        "code": code_digest(tuned_parameters),
        "libraries": {name: version(name) for name in ("numpy", "pandas", "scikit-learn", "scipy")},
        "seed": seed,
    }

    def compute() -> dict[str, npt.NDArray[Any]]:
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_STREAM,)))
        train = data.select(columns).take(split(data, "sex", 0.3, rng).train)
        folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=seed)
        search = GridSearchCV(random_forest(seed), GRID, scoring="accuracy", cv=folds, n_jobs=jobs, refit=False)
        search.fit(train.features, train.outcome)
        return {"accuracy": search.cv_results_["mean_test_score"]}

    accuracy = cache.arrays(f"tuning-{name}", key, compute)["accuracy"]
    best: dict[str, Any] = list(ParameterGrid(GRID))[int(np.argmax(np.round(accuracy, 9)))]
    return best
