"""Further learners over the mixes: logistic regression and gradient boosting beside the forest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from fairness_checks.sweep import DataSet, TrainableModel
from models.gradient_boosting import gradient_boosting
from models.random_forest import random_forest
from models.studies.forests import predict

__all__ = ["LEARNERS", "logistic_regression", "trainable"]


def logistic_regression(categorical: Sequence[str]) -> Any:
    """Return an unfitted logistic regression of scikit-learn's defaults, on scaled numbers and one-hot categories.

    Parameters
    ----------
    categorical : sequence of str
        Columns whose numbers are names.
    """
    encode = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), list(categorical)), remainder=StandardScaler()
    )
    return make_pipeline(encode, LogisticRegression(max_iter=1000))


def _fit_logistic_regression(train: DataSet, rng: np.random.Generator) -> Any:
    columns = [name for name in train.features.columns if name in train.categorical]
    return logistic_regression(columns).fit(train.features, train.outcome)


def _fit_gradient_boosting(train: DataSet, rng: np.random.Generator) -> Any:
    return gradient_boosting(int(rng.integers(2**31))).fit(train.features, train.outcome)


def _fit_random_forest(train: DataSet, rng: np.random.Generator) -> Any:
    return random_forest(int(rng.integers(2**31))).fit(train.features, train.outcome)


LEARNERS = {
    "logistic_regression": _fit_logistic_regression,
    "gradient_boosting": _fit_gradient_boosting,
    "random_forest": _fit_random_forest,
}
"""All of scikit-learn's default parameters: none is tuned, so that none is favoured."""


def trainable(learner: str, data: DataSet, feature_sets: Mapping[str, Sequence[str]]) -> TrainableModel:
    """Return one of `LEARNERS` as a model that a sweep can train again."""
    return TrainableModel(data=data, fit=LEARNERS[learner], predict=predict, feature_sets=feature_sets)
