"""The reference models stand near the published figures; nothing was tuned to them.

Published (Straw, Rees, Nachev, J Med Internet Res 2024;26:e46936, Table 4), means of 100 splits of 0.7:0.3;
here ten folds, so that each model learns from more rows and every patient counts once.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from _pytest.fixtures import FixtureFunctionDefinition
from sklearn.metrics import accuracy_score, confusion_matrix, recall_score

import models.fixtures
from fairness_checks.config.loading import load_config
from models.cardiac import cardiac_model
from models.data.heart import load_heart_disease, load_heart_failure
from models.fagtb import fair_boosting
from models.gradient_boosting import gradient_boosting
from models.random_forest import random_forest

LOADERS = {"heart_failure": load_heart_failure, "heart_disease": load_heart_disease}
SEED = 0  # that of thresholds.yaml


@cache
def judged(data, build):
    table = LOADERS[data]()
    return table, cardiac_model(table, build).out_of_fold(SEED)


@pytest.mark.parametrize(("data", "published"), [("heart_failure", 0.8424), ("heart_disease", 0.8572)])
def test_forest_accuracy_is_within_two_points_of_the_published_one(data, published):
    table, predicted = judged(data, random_forest)
    assert accuracy_score(table.outcome, predicted.y_pred) == pytest.approx(published, abs=0.02)


@pytest.mark.parametrize("build", [random_forest, gradient_boosting])
def test_women_with_heart_disease_are_missed_more_often(build):
    table, predicted = judged("heart_disease", build)
    missed = {
        sex: 1 - recall_score(table.outcome[table.sex == sex], predicted.y_pred[table.sex == sex])
        for sex in ("female", "male")
    }
    assert missed["female"] > missed["male"]


@pytest.mark.parametrize("data", sorted(LOADERS))
@pytest.mark.parametrize("build", [random_forest, gradient_boosting, fair_boosting])
def test_labels_and_scores_belong_together(data, build):
    table, predicted = judged(data, build)
    assert confusion_matrix(table.outcome, predicted.y_pred).sum() == len(table.features)
    np.testing.assert_array_equal(predicted.y_true, table.outcome)
    clear = np.abs(predicted.y_score - 0.5) > 1e-9  # a forest's tie goes to label 0
    np.testing.assert_array_equal(predicted.y_pred[clear], predicted.y_score[clear] > 0.5)


def test_each_learner_is_kept_under_a_key_of_its_own():
    table = load_heart_failure()
    found = [cardiac_model(table, build).identity() for build in (random_forest, gradient_boosting, fair_boosting)]
    assert [each.unseen for each in found] == [()] * 3
    keys = [each.key for each in found]
    assert all(keys.count(key) == 1 for key in keys)
    assert cardiac_model(table, random_forest).identity().key == keys[0]
    assert {"scikit-learn", "numpy", "scipy"} <= set(keys[0]["libraries"])


@pytest.mark.parametrize("path", ["thresholds.yaml", "models/studies/cardiac_thresholds.yaml"])
def test_each_file_of_limits_names_every_model(path):
    """A model that nothing checks turns the run red."""
    fixtures = {name for name, value in vars(models.fixtures).items() if isinstance(value, FixtureFunctionDefinition)}
    limits = load_config(Path(path))
    assert {model.name for model in limits.models} | set(limits.unchecked) == fixtures
