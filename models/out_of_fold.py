"""Predictions for every patient, each by a model that never saw the patient.

Held-out predictions of a single split would leave 10 women who died in the smaller table, too few to judge
anything. Cross-validation uses every row once. The price: ten models are judged, each trained on nine tenths
of the rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import clone
from sklearn.model_selection import StratifiedGroupKFold

from fairness_checks.cache import FittedCache
from fairness_checks.cache_keys import array_digest, library_versions, source_digest
from fairness_checks.plain import JSON
from models.data import heart
from models.data.heart import HeartTable

__all__ = ["RANDOM_STATE", "Classifier", "OutOfFold", "cached_out_of_fold", "identical_rows", "out_of_fold"]

N_SPLITS = 10
RANDOM_STATE = 2024  # the year of the study; fixed before the first fit and never searched over


class Classifier(Protocol):
    """A scikit-learn classifier that gives probabilities."""

    def fit(self, X: Any, y: Any) -> Any:
        """Learn from features (n, p) and labels (n,)."""

    def predict(self, X: Any) -> Any:
        """Return labels (n,)."""

    def predict_proba(self, X: Any) -> Any:
        """Return probabilities (n, 2), columns in the order of ``classes_``."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters by name."""


@dataclass(frozen=True, slots=True, eq=False)
class OutOfFold:
    """Out-of-fold predictions, aligned with the rows of the table.

    Attributes
    ----------
    y_pred : ndarray of int8
        (n,); predicted label, 0 or 1, by the estimator's own rule.
    y_score : ndarray of float64
        (n,); predicted probability of label 1, in [0, 1].
    """

    y_pred: npt.NDArray[np.int8]
    y_score: npt.NDArray[np.float64]


def identical_rows(features: pd.DataFrame) -> npt.NDArray[np.intp]:
    """Return a number for each row, the same for rows that are equal in all columns.

    Missing values count as equal to each other.

    Examples
    --------
    >>> identical_rows(pd.DataFrame({"age": [40, 50, 40], "sex": [1, 1, 1]})).tolist()
    [0, 1, 0]
    """
    groups = features.groupby(list(features.columns), sort=False, dropna=False).ngroup()
    return np.asarray(groups, dtype=np.intp)


def out_of_fold(
    estimator: Classifier,
    features: pd.DataFrame,
    outcome: npt.NDArray[np.int8],
    *,
    random_state: int,
    n_splits: int = N_SPLITS,
) -> OutOfFold:
    """Predict every row once, by a copy of the estimator that saw neither the row nor one identical to it.

    Parameters
    ----------
    estimator : Classifier
        Left as it is; one unfitted copy is fitted for each fold.
    features : pandas.DataFrame
        (n, p). Rows that are equal in all columns stay in one fold.
    outcome : ndarray of int
        (n,); 0 or 1, both at least `n_splits` times. Folds are stratified by it.
    random_state : int
        Seed of the shuffling into folds. The estimator has its own.
    n_splits : int
        Number of folds, at least 2.

    Returns
    -------
    OutOfFold

    Raises
    ------
    ValueError
        Lengths differ, the outcome has other values than 0 and 1, or there are too few rows for the folds.
    RuntimeError
        A row was predicted more or less than once, which would be a fault of the splitter.
    """
    if len(features) != len(outcome):
        raise ValueError(f"features have {len(features)} rows, outcome has {len(outcome)}")
    counts = {value: int(np.count_nonzero(outcome == value)) for value in (0, 1)}
    if sum(counts.values()) != len(outcome):
        raise ValueError(f"outcome must hold 0 and 1 only, seen: {np.unique(outcome)[:5].tolist()}")
    if min(counts.values()) < n_splits:
        raise ValueError(f"{n_splits} folds need each outcome at least {n_splits} times, seen: {counts}")
    y_pred = np.zeros(len(outcome), dtype=np.int8)
    y_score = np.full(len(outcome), np.nan)
    times_predicted = np.zeros(len(outcome), dtype=np.intp)
    folds = StratifiedGroupKFold(n_splits=n_splits, shuffle=True, random_state=random_state)
    for seen, unseen in folds.split(features, outcome, groups=identical_rows(features)):
        fitted = clone(estimator).fit(features.iloc[seen], outcome[seen])
        y_pred[unseen] = fitted.predict(features.iloc[unseen])
        y_score[unseen] = fitted.predict_proba(features.iloc[unseen])[:, 1]
        times_predicted[unseen] += 1
    if not (times_predicted == 1).all():
        wrong = np.flatnonzero(times_predicted != 1)
        raise RuntimeError(f"{wrong.size} rows were not predicted exactly once, the first at {wrong[:5].tolist()}")
    return OutOfFold(y_pred=y_pred, y_score=y_score)


def cached_out_of_fold(
    cache: FittedCache,
    name: str,
    table: HeartTable,
    estimator: Classifier,
    *source: object,
    random_state: int,
) -> OutOfFold:
    """Return `out_of_fold` of a table, from the cache when data, code, parameters and libraries are the same.

    Parameters
    ----------
    cache : FittedCache
        Where fitted work is kept.
    name : str
        The model's name; becomes part of the file name.
    table : HeartTable
        Features and outcome.
    estimator : Classifier
        Its parameters must be plain builtins.
    *source : module, class or function
        The code that made the estimator: a change of its file fits again.
    random_state : int
        Seed of the shuffling into folds.

    Returns
    -------
    OutOfFold

    Raises
    ------
    CacheError
        A parameter of the estimator is no plain builtin.
    """
    kind = type(estimator)
    features = table.features
    key: dict[str, JSON] = {
        "data": {
            "sha256": table.sha256,
            "rows": len(features),
            "columns": [str(column) for column in features.columns],
            "values": array_digest(features.to_numpy(dtype=np.float64), table.outcome),
        },
        "code": source_digest(out_of_fold, heart, *source),
        "estimator": f"{kind.__module__}.{kind.__qualname__}",
        "parameters": estimator.get_params(),
        "folds": {"n_splits": N_SPLITS, "random_state": random_state},
        "libraries": library_versions("numpy", "pandas", "scikit-learn"),
    }

    def compute() -> dict[str, npt.NDArray[Any]]:
        fresh = out_of_fold(estimator, features, table.outcome, random_state=random_state)
        return {"y_pred": fresh.y_pred, "y_score": fresh.y_score}

    return OutOfFold(**cache.arrays(name, key, compute))
