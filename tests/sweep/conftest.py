"""A table of patients, and a model that learns from it in no time."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fairness_checks import Predictions
from fairness_checks.sweep.dataset import DataSet
from fairness_checks.sweep.trainable import TrainableModel


def patients(n: int = 90, seed: int = 0) -> DataSet:
    rng = np.random.default_rng(seed)
    sex = rng.choice(["female", "male"], n, p=[0.3, 0.7])
    age = rng.integers(20, 90, n)
    features = pd.DataFrame(
        {
            "age": age,
            "sex": (sex == "male").astype(int),
            "pressure": rng.normal(120, 15, n),
            "pain": rng.choice(["none", "typical", "other"], n),
            "smoker": rng.random(n) < 0.3,
        }
    )
    outcome = (rng.random(n) < 0.3 + 0.003 * age).astype(int)
    return DataSet(
        features,
        outcome,
        {"sex": sex, "age_band": np.where(age < 60, "under 60", "60 and over")},
        categorical=["sex"],
    )


def age_model(data: DataSet, seen: list | None = None, version: str = "1", **options) -> TrainableModel:
    """Score by the distance from the mean age of the positives, and a little chance."""

    def fit(train, rng):
        if seen is not None:
            seen.append((train, rng.bit_generator.state["state"]["state"]))
        return train.features["age"][train.outcome == 1].mean() + rng.normal()

    def predict(fitted, test):
        score = 1 / (1 + np.exp(-(test.features["age"].to_numpy() - fitted) / 20))
        return Predictions(test.outcome, y_score=score, sensitive_features=test.sensitive_features)

    return TrainableModel(data, fit, predict, version=version, depends_on={"seen": "a log"}, **options)


@pytest.fixture(name="patients", scope="session")
def patients_fixture():
    return patients


@pytest.fixture(name="age_model", scope="session")
def age_model_fixture():
    return age_model
