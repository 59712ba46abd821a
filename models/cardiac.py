"""A table of cardiac patients and a classifier as a model that the gate can judge and train again."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from fairness_checks import Predictions, predictions_from_classifier
from fairness_checks.sweep import DataSet, TrainableModel
from models.data.heart import HeartTable

__all__ = ["cardiac_model", "heart_data"]


def heart_data(table: HeartTable) -> DataSet:
    """Return a table as data to train on and to test with, by sex and age band."""
    groups = {"sex": table.sex, "age_band": table.age_band}
    return DataSet(table.features, table.outcome, groups, categorical=table.categorical)


def cardiac_model(table: HeartTable, build: Callable[[int], Any]) -> TrainableModel:
    """Return a classifier of cardiac patients.

    Parameters
    ----------
    table : HeartTable
        The patients.
    build : callable
        Takes a seed and returns an unfitted classifier. One that is fitted with `sensitive_features`, as
        `models.fagtb.FAGTBClassifier` is, is told the patients' sex; on one sex alone it is plain boosting.
    """

    def fit(train: DataSet, rng: np.random.Generator) -> Any:
        estimator = build(int(rng.integers(2**31)))
        if "sensitive_features" not in inspect.signature(estimator.fit).parameters:
            return estimator.fit(train.features, train.outcome)
        sex = train.sensitive_features["sex"]
        if sex.nunique() < 2:  # a mix of one sex leaves its adversary nothing to tell apart
            return estimator.set_params(strength=0.0).fit(train.features, train.outcome)
        return estimator.fit(train.features, train.outcome, sensitive_features=sex)

    def predict(fitted: Any, test: DataSet) -> Predictions:
        return predictions_from_classifier(
            fitted, test.features, test.outcome, sensitive_features=test.sensitive_features
        )

    return TrainableModel(heart_data(table), fit, predict)
