"""A model of a scratch project that a sweep trains again: what `benchmarks.kills` and the tests of sweeps run."""

from __future__ import annotations

__all__ = ["FIT", "MODEL"]

FIT = """def fit(train, rng):
    x, y = train.features["x"].to_numpy(), train.outcome
    return float(np.cov(x, y)[0, 1]) + 0.01 * rng.normal()
"""
MODEL = f"""
from pathlib import Path

import numpy as np

from fairness_checks import Predictions, fairness_model
from fairness_checks.sweep import DataSet, TrainableModel


def table(n=240):
    rng = np.random.default_rng(0)
    sex = np.where(np.arange(n) % 3 == 0, "female", "male")
    x = rng.normal(size=n)
    y = (np.where(sex == "male", x, -x) + 0.3 * rng.normal(size=n) > 0).astype(int)
    return DataSet({{"x": x, "noise": rng.normal(size=n)}}, y, {{"sex": sex}})


{FIT}

def predict(slope, test):
    score = 1 / (1 + np.exp(-4 * slope * test.features["x"].to_numpy()))
    return Predictions(test.outcome, y_score=score, sensitive_features=test.sensitive_features)


@fairness_model(sensitive_features=["sex"])
def swept():
    return TrainableModel(table(), fit, predict, version="1", folds=4)
"""
"""Source of a conftest.py; `FIT` stands in it as it is, for what a test wants of a training besides."""
