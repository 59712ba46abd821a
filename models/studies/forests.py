"""The forests of the cardiac study as models that a sweep can train again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fairness_checks import Predictions
from fairness_checks.sweep import DataSet, TrainableModel
from models.random_forest import random_forest

__all__ = ["FitForest", "predict", "trainable_forest"]

Parameters = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FitForest:
    """Fits a forest with the parameters that were found for the columns it is given.

    Parameters
    ----------
    parameters : mapping of tuple of str to mapping
        By columns, what differs from scikit-learn's defaults.
    """

    parameters: Mapping[tuple[str, ...], Parameters]

    def __call__(self, train: DataSet, rng: np.random.Generator) -> Any:
        """Return a fitted forest; ``rng`` draws its seed."""
        forest = random_forest(int(rng.integers(2**31)))
        forest.set_params(**self.parameters[tuple(train.features.columns)])
        return forest.fit(train.features, train.outcome)


def predict(fitted: Any, test: DataSet) -> Predictions:
    """Return labels and scores of a fitted scikit-learn classifier."""
    return Predictions(
        y_true=test.outcome,
        y_pred=fitted.predict(test.features),
        y_score=fitted.predict_proba(test.features)[:, 1],
        sensitive_features=test.sensitive_features,
    )


def trainable_forest(
    data: DataSet, feature_sets: Mapping[str, Sequence[str]], parameters: Mapping[str, Parameters]
) -> TrainableModel:
    """Return a forest with its own parameters for each feature set.

    Parameters
    ----------
    data : DataSet
        What is trained and tested with.
    feature_sets : mapping of str to sequence of str
        Columns of each.
    parameters : mapping of str to mapping
        Of each feature set, what differs from scikit-learn's defaults; plain builtins.
    """
    fit = FitForest({tuple(columns): dict(parameters[name]) for name, columns in feature_sets.items()})
    return TrainableModel(
        data=data,
        fit=fit,
        predict=predict,
        feature_sets=feature_sets,
    )
