from __future__ import annotations

import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from fairness_checks.adapters.classifier import predictions_from_classifier
from fairness_checks.errors import InvalidPredictions
from fairness_checks.predictions import Predictions


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(160, 3))
    y = (X[:, 0] + rng.normal(scale=0.8, size=160) > 0.2).astype(int)
    return X[:100], y[:100], X[100:], y[100:], rng.choice(["f", "m"], 60)


NAMES = np.array(["alive", "dead"])
ESTIMATORS = {
    "logistic": LogisticRegression(),
    "forest": RandomForestClassifier(n_estimators=10, random_state=0),
    "pipeline": make_pipeline(StandardScaler(), LogisticRegression()),
    "decision-function-only": LinearSVC(),
}


@pytest.mark.parametrize("classes", [np.array([0, 1]), NAMES, np.array([False, True]), np.array([3, 7])], ids=str)
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_a_classifier_keeps_its_own_decisions(data, kind, classes):
    X_train, y_train, X, y, sex = data
    estimator = ESTIMATORS[kind].fit(X_train, classes[y_train])
    predictions = predictions_from_classifier(estimator, X, classes[y], sensitive_features={"sex": sex})
    assert predictions.y_true.tolist() == y.astype(bool).tolist()
    assert predictions.y_pred.tolist() == (estimator.predict(X) == classes[1]).tolist()
    accuracy = (predictions.y_true == predictions.y_pred).mean()
    assert accuracy == pytest.approx(accuracy_score(classes[y], estimator.predict(X)))
    assert accuracy > 0.6
    if kind == "decision-function-only":
        assert predictions.y_score is None
    else:
        np.testing.assert_array_equal(predictions.y_score, estimator.predict_proba(X)[:, 1])


@pytest.mark.parametrize("library", [list, pd.Series, pl.Series], ids=["list", "pandas", "polars"])
def test_true_classes_of_any_library(data, library):
    X_train, y_train, X, y, sex = data
    estimator = LogisticRegression().fit(X_train, NAMES[y_train])
    predictions = predictions_from_classifier(estimator, X, library(NAMES[y].tolist()), sensitive_features=sex)
    assert predictions.y_true.tolist() == y.astype(bool).tolist()


def test_an_estimator_fitted_on_a_frame_is_given_the_frame(data):
    X_train, y_train, X, y, sex = data
    columns = ["age", "ef", "sodium"]
    estimator = LogisticRegression().fit(pd.DataFrame(X_train, columns=columns), y_train)
    frame = pd.DataFrame(X, columns=columns).assign(sex=sex)
    predictions = predictions_from_classifier(estimator, frame[columns], y, sensitive_features=frame[["sex"]])
    assert predictions.y_pred.tolist() == estimator.predict(frame[columns]).astype(bool).tolist()


@pytest.mark.parametrize(
    "estimator",
    [LogisticRegression(), make_pipeline(StandardScaler(), LogisticRegression())],
    ids=["logistic", "pipeline"],
)
def test_an_estimator_that_is_not_fitted_is_refused(data, estimator):
    _, _, X, y, sex = data
    with pytest.raises(InvalidPredictions, match=r"has no classes_: fit it first, and give a classifier"):
        predictions_from_classifier(estimator, X, y, sensitive_features=sex)


def test_a_regressor_is_refused(data):
    X_train, y_train, X, y, sex = data
    with pytest.raises(InvalidPredictions, match=r"^LinearRegression has no classes_"):
        predictions_from_classifier(LinearRegression().fit(X_train, y_train), X, y, sensitive_features=sex)


def test_more_or_fewer_than_two_classes_are_refused(data):
    X_train, y_train, X, y, sex = data
    three = LogisticRegression().fit(X_train, np.where(X_train[:, 1] > 1, 2, y_train))
    with pytest.raises(InvalidPredictions, match=r"^LogisticRegression knows 3 classes \(0, 1, 2\); two are needed"):
        predictions_from_classifier(three, X, y, sensitive_features=sex)
    one = RandomForestClassifier(n_estimators=2).fit(X_train, np.ones(100))
    with pytest.raises(InvalidPredictions, match=r"knows 1 classes \(1.0\)"):
        predictions_from_classifier(one, X, y, sensitive_features=sex)


@pytest.mark.parametrize(
    ("bad", "value"),
    [("unknown", "lost"), ("other-case", "Dead"), ("blank", ""), ("none", None), ("number", 1)],
)
def test_a_label_that_is_no_class_is_named_with_its_rows(data, bad, value):
    X_train, y_train, X, y, sex = data
    labels = NAMES[y].astype(object)
    labels[[4, 9]] = value
    message = "y: 2 of 60 values are not among the classes of LogisticRegression (alive, dead): rows 4, 9"
    estimator = LogisticRegression().fit(X_train, NAMES[y_train])
    with pytest.raises(InvalidPredictions, match="^" + re.escape(message)):
        predictions_from_classifier(estimator, X, labels, sensitive_features=sex)


def test_labels_of_another_type_than_the_classes_are_refused(data):
    X_train, y_train, X, y, sex = data
    estimator = LogisticRegression().fit(X_train, y_train)
    with pytest.raises(InvalidPredictions, match="60 of 60 values are not among the classes"):
        predictions_from_classifier(estimator, X, y.astype(str), sensitive_features=sex)
    with pytest.raises(InvalidPredictions, match="60 of 60 values are not among the classes"):
        predictions_from_classifier(
            LogisticRegression().fit(X_train, y_train.astype(str)), X, y, sensitive_features=sex
        )


def test_lengths_that_differ_are_refused(data):
    X_train, y_train, X, y, sex = data
    estimator = LogisticRegression().fit(X_train, y_train)
    with pytest.raises(InvalidPredictions, match="lengths differ: y_true 59, y_pred 60, y_score 60"):
        predictions_from_classifier(estimator, X, y[1:], sensitive_features={"sex": sex})
    with pytest.raises(InvalidPredictions, match=r"lengths differ: .*sensitive_features\['sex'\] 59"):
        predictions_from_classifier(estimator, X, y, sensitive_features={"sex": sex[1:]})


def test_clusters_names_and_what_the_data_are_are_kept(data):
    X_train, y_train, X, y, sex = data
    estimator = ESTIMATORS["logistic"].fit(X_train, y_train)
    more = {"cluster": np.arange(60) // 2, "sample_id": [f"s{i}" for i in range(60)], "about": {"data": "synthetic"}}
    predictions = predictions_from_classifier(estimator, X, y, sensitive_features={"sex": sex}, **more)
    direct = Predictions(y, estimator.predict(X), sensitive_features={"sex": sex}, **more)
    assert predictions.about == {"data": "synthetic"}
    assert np.array_equal(predictions.cluster, direct.cluster)
    assert np.array_equal(predictions.sample_id, direct.sample_id)
