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
from fairness_checks.inputs.predictions import Predictions


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
    positive = {"positive": classes[1]} if set(classes.tolist()) != {0, 1} else {}
    predictions = predictions_from_classifier(estimator, X, classes[y], sensitive_features={"sex": sex}, **positive)
    assert (predictions.positive, predictions.decided_by) == ("1" if not positive else str(classes[1]), "given")
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
    predictions = predictions_from_classifier(
        estimator, X, library(NAMES[y].tolist()), sensitive_features=sex, positive="dead"
    )
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
    missing = "missing (None, NaN or blank)"
    what = "not among the classes of LogisticRegression (alive, dead)" if value else missing
    message = f"y: 2 of 60 values are {what}: rows 4, 9"
    estimator = LogisticRegression().fit(X_train, NAMES[y_train])
    with pytest.raises(InvalidPredictions, match="^" + re.escape(message)):
        predictions_from_classifier(estimator, X, labels, sensitive_features=sex, positive="dead")


def test_labels_of_another_type_than_the_classes_are_refused(data):
    X_train, y_train, X, y, sex = data
    estimator = LogisticRegression().fit(X_train, y_train)
    with pytest.raises(InvalidPredictions, match="60 of 60 values are not among the classes"):
        predictions_from_classifier(estimator, X, y.astype(str), sensitive_features=sex)
    with pytest.raises(InvalidPredictions, match="60 of 60 values are not among the classes"):
        predictions_from_classifier(
            LogisticRegression().fit(X_train, y_train.astype(str)), X, y, sensitive_features=sex, positive="1"
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


def shifted(X, y, words):
    """A classifier of words, and the words."""
    classes = np.array(words)
    return LogisticRegression().fit(X, classes[y]), classes[y]


@pytest.mark.parametrize("words", [("healthy", "disease"), ("healthy", "ill"), (2, 1), (-1, 1), (1, 0)], ids=str)
def test_the_order_of_the_classes_decides_nothing(data, words):
    X_train, y_train, X, y, sex = data
    estimator, _ = shifted(X_train, y_train, words)
    truth = np.array(words)[y]
    made = predictions_from_classifier(estimator, X, truth, sensitive_features=sex, positive=words[1])
    column = estimator.classes_.tolist().index(words[1])
    assert made.y_true.tolist() == y.astype(bool).tolist()
    assert made.y_pred.tolist() == (estimator.predict(X) == words[1]).tolist()
    np.testing.assert_array_equal(made.y_score, estimator.predict_proba(X)[:, column])
    assert made.positive == str(words[1])
    by_score = predictions_from_classifier(
        estimator, X, truth, sensitive_features=sex, positive=words[1], threshold=0.5
    )
    assert by_score.y_pred.tolist() == made.y_pred.tolist()
    assert (by_score.decided_by, by_score.threshold) == ("threshold", 0.5)


@pytest.mark.parametrize("words", [("healthy", "disease"), ("ill", "healthy"), (1, 2), ("0", "1")], ids=str)
def test_classes_that_are_not_plain_need_the_positive_one(data, words):
    X_train, y_train, X, y, sex = data
    estimator, _ = shifted(X_train, y_train, words)
    truth = np.array(words)[y]
    with pytest.raises(InvalidPredictions, match=r"say which is the positive one: positive=.* or positive="):
        predictions_from_classifier(estimator, X, truth, sensitive_features=sex)
    wrong = f"{words[0]}s"
    with pytest.raises(
        InvalidPredictions, match=rf"^positive: '{wrong}' is not among the classes of Logistic.*: did|al"
    ):
        predictions_from_classifier(estimator, X, truth, sensitive_features=sex, positive=wrong)


def test_one_class_in_the_held_out_rows_is_enough(data):
    X_train, y_train, X, _, sex = data
    estimator, _ = shifted(X_train, y_train, ("well", "ill"))
    made = predictions_from_classifier(estimator, X, ["well"] * 60, sensitive_features=sex, positive="ill")
    assert not made.y_true.any()


class Rounded(LogisticRegression):
    """In float32, certain at exactly 0.7 and a rounding past 1."""

    def predict_proba(self, X):
        score = np.where(np.arange(len(X)) % 2, 0.7, 0.5).astype(np.float32)
        score[0] = np.nextafter(np.float32(1), np.float32(2))
        return np.stack([1 - score, score], axis=1)


def test_a_threshold_is_compared_in_the_precision_of_the_scores(data):
    X_train, y_train, X, y, sex = data
    estimator = Rounded().fit(X_train, y_train)
    made = predictions_from_classifier(estimator, X, y, sensitive_features=sex, threshold=0.7)
    assert made.y_pred.tolist() == [True, *(np.arange(1, 60) % 2).astype(bool).tolist()]
    assert made.y_score.max() == 1.0
    with pytest.raises(InvalidPredictions, match="threshold: LinearSVC has no predict_proba"):
        predictions_from_classifier(LinearSVC().fit(X_train, y_train), X, y, sensitive_features=sex, threshold=0.7)


class OfNumbers(LogisticRegression):
    """Its decisions are text, its classes numbers."""

    def predict(self, X):
        return super().predict(X).astype(str)


class OneColumn(LogisticRegression):
    """Gives the probability of one class only."""

    def predict_proba(self, X):
        return super().predict_proba(X)[:, 1:]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (OfNumbers, r"OfNumbers\.predict\(X\): 60 of 60 values are not among the classes"),
        (OneColumn, r"OneColumn\.predict_proba\(X\): shape \(60,\); one column for each of its two classes is needed"),
    ],
)
def test_a_classifier_that_answers_otherwise_than_its_classes_say_is_refused(data, kind, message):
    X_train, y_train, X, y, sex = data
    with pytest.raises(InvalidPredictions, match=message):
        predictions_from_classifier(kind().fit(X_train, y_train), X, y, sensitive_features=sex)


def test_true_is_not_the_class_one_of_one_and_two(data):
    X, y, held_out, _, sex = data
    model = LogisticRegression().fit(X, y + 1)
    with pytest.raises(InvalidPredictions, match=r"y: 60 of 60 values are not among the classes .*\(1, 2\)"):
        predictions_from_classifier(model, held_out, np.ones(60, dtype=bool), sensitive_features=sex, positive=2)


class Framed(LogisticRegression):
    """An estimator that names the columns of its probabilities, in the order that it is told."""

    def predict_proba(self, X):
        return pd.DataFrame(super().predict_proba(X), columns=list(self.classes_))[self.order_]


def test_probabilities_in_another_order_than_the_classes_are_refused(data):
    X, y, held_out, truth, sex = data
    model = Framed().fit(X, NAMES[y])
    for order, fits in ((["alive", "dead"], True), (["dead", "alive"], False)):
        model.order_ = order
        arguments = (model, held_out, NAMES[truth])
        if fits:
            found = predictions_from_classifier(*arguments, sensitive_features=sex, positive="dead")
            np.testing.assert_allclose(found.y_score, model.predict_proba(held_out)["dead"])
        else:
            with pytest.raises(InvalidPredictions, match="named dead, alive and classes_ are alive, dead; give both"):
                predictions_from_classifier(*arguments, sensitive_features=sex, positive="dead")


@pytest.mark.parametrize("library", [pd.DataFrame, pl.DataFrame], ids=["pandas", "polars"])
@pytest.mark.parametrize("threshold", [None, 0.3])
def test_what_an_estimator_raises_is_one_message_with_the_missing_values(data, library, threshold):
    X_train, y_train, X, y, sex = data
    names = [f"x{column}" for column in range(X.shape[1])]

    def frame(values):
        return library(dict(zip(names, values.T, strict=True)))

    estimator = LogisticRegression().fit(frame(X_train), y_train)
    gaps = X.copy()
    gaps[4, 1] = np.nan
    with pytest.raises(InvalidPredictions) as caught:
        predictions_from_classifier(estimator, frame(gaps), y, sensitive_features=sex, threshold=threshold)
    message = str(caught.value)
    assert message.startswith("LogisticRegression.predict_proba(X) failed: ValueError: Input X contains NaN. ")
    assert message.endswith("; missing values: 'x1' (1 of 60: row 4 (by position, from 0))")


def test_a_column_that_is_not_given_is_named(data):
    X_train, y_train, X, y, sex = data
    names = [f"x{column}" for column in range(X.shape[1])]
    estimator = LinearSVC().fit(pd.DataFrame(X_train, columns=names), y_train)
    less = pd.DataFrame(X, columns=names).drop(columns="x1")
    with pytest.raises(InvalidPredictions, match=r"^LinearSVC.predict\(X\) failed: ValueError: .* missing: - x1$"):
        predictions_from_classifier(estimator, less, y, sensitive_features=sex)


def test_several_outputs_are_refused(data):
    X_train, y_train, X, y, sex = data
    two = RandomForestClassifier(n_estimators=2).fit(X_train, np.stack([y_train, y_train], axis=1))
    with pytest.raises(InvalidPredictions, match="RandomForestClassifier has 2 outputs; give the predictions of one"):
        predictions_from_classifier(two, X, y, sensitive_features=sex)


@pytest.mark.parametrize("module", ["xgboost", "lightgbm"])
def test_a_booster_is_told_what_to_write(data, module):
    library = pytest.importorskip(module)
    X_train, y_train, X, y, sex = data
    made = library.DMatrix if module == "xgboost" else library.Dataset
    options = {"objective": "binary:logistic"} if module == "xgboost" else {"objective": "binary", "verbose": -1}
    booster = library.train(options, made(X_train, label=y_train), num_boost_round=3)
    with pytest.raises(InvalidPredictions) as caught:
        predictions_from_classifier(booster, X, y, sensitive_features=sex)
    message = str(caught.value)
    assert "Booster has no classes_: give the fitted" in message
    names = {"booster": booster, "X": X, "y": y, "DMatrix": made, "Predictions": Predictions, "sex": sex}
    written = "Predictions(" + message.split("Predictions(")[1].replace("...", "sensitive_features=sex")
    assert len(eval(written, names)) == 60


@pytest.mark.parametrize("module", ["xgboost", "lightgbm"])
def test_the_classifiers_of_boosting_libraries_are_taken(data, module):
    library = pytest.importorskip(module)
    X_train, y_train, X, y, sex = data
    kind = {"xgboost": "XGBClassifier", "lightgbm": "LGBMClassifier"}[module]
    estimator = getattr(library, kind)(n_estimators=3, **({"verbose": -1} if module == "lightgbm" else {}))
    with pytest.raises(InvalidPredictions, match="has no classes_: fit it first"):
        predictions_from_classifier(estimator, X, y, sensitive_features=sex)
    made = predictions_from_classifier(estimator.fit(X_train, y_train), X, y, sensitive_features=sex)
    np.testing.assert_array_equal(made.y_pred, estimator.predict(X) == 1)
    np.testing.assert_allclose(made.y_score, estimator.predict_proba(X)[:, 1])


def test_a_session_of_onnx_is_told_what_to_write(data):
    runtime, skl2onnx = pytest.importorskip("onnxruntime"), pytest.importorskip("skl2onnx")
    X_train, y_train, X, y, sex = data
    X = X.astype(np.float32)
    model = LogisticRegression().fit(X_train, y_train)
    converted = skl2onnx.to_onnx(model, X[:1], options={"zipmap": False}).SerializeToString()
    session = runtime.InferenceSession(converted, providers=["CPUExecutionProvider"])
    with pytest.raises(
        InvalidPredictions, match=r"InferenceSession has no classes_: run it, and give Predictions\(y, "
    ):
        predictions_from_classifier(session, X, y, sensitive_features=sex)
    _, probabilities = session.run(None, {session.get_inputs()[0].name: X})
    made = Predictions(y, y_score=probabilities[:, 1], sensitive_features=sex)
    assert made.y_pred.tolist() == model.predict(X).astype(bool).tolist()


def test_anything_else_is_told_what_to_write(data):
    torch = pytest.importorskip("torch")
    _, _, X, y, sex = data
    with pytest.raises(InvalidPredictions, match=r"Linear has no classes_: give Predictions\(y, y_score=torch.sigmoid"):
        predictions_from_classifier(torch.nn.Linear(3, 1), X, y, sensitive_features=sex)
    with pytest.raises(InvalidPredictions, match=r"function has no classes_: give Predictions\(y, y_score=\.\.\., "):
        predictions_from_classifier(lambda X: X, X, y, sensitive_features=sex)
