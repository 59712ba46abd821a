"""TrainableModel: its out-of-fold predictions, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from fairness_checks import Predictions
from fairness_checks.errors import ConfigurationError, InvalidPredictions
from fairness_checks.judge.evaluation import evaluate
from fairness_checks.judge.verdict import audit_model
from fairness_checks.question.checks import Check, Settings
from fairness_checks.report.text import inputs_text
from fairness_checks.sweep.dataset import DataSet
from fairness_checks.sweep.plan import SweepPlan
from fairness_checks.sweep.trainable import TrainableModel


def test_every_row_is_predicted_by_a_model_that_did_not_see_it(patients):
    data = patients(100)
    data = data.joined(data.take(range(10)))
    data = DataSet(
        data.features,
        data.outcome,
        data.sensitive_features,
        cluster=np.arange(110) // 2,
        identical_rows="together",
    )

    def predict(fitted, test):
        rows = [tuple(row) for row in test.features.to_numpy()]
        assert not set(rows) & {tuple(row) for row in fitted.features.to_numpy()}
        assert not set(test.cluster) & set(fitted.cluster)
        score = test.features["age"] / 100
        return Predictions(
            test.outcome, y_score=score, uncertainty=score, error=-score, sensitive_features=test.sensitive_features
        )

    found = TrainableModel(data, lambda train, rng: train, predict, version="1").out_of_fold(0)
    np.testing.assert_array_equal(found.y_score, data.features["age"] / 100)
    np.testing.assert_array_equal(found.error, -data.features["age"] / 100)
    np.testing.assert_array_equal(found.y_true, data.outcome)
    np.testing.assert_array_equal(found.cluster, data.cluster)
    for name in ("sex", "age_band"):
        feature = found.sensitive_features[name]
        assert np.array(feature.groups)[feature.codes].tolist() == data.sensitive_features[name].tolist()


def test_folds_follow_the_seed_only(patients, age_model):
    model = age_model(patients())
    first, again, other = (model.out_of_fold(seed).y_score for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_folds_are_stratified_by_outcome_and_all_sensitive_features(patients, age_model):
    sizes = []
    data = patients(400)
    model = age_model(data, folds=4)

    def predict(fitted, test):
        table = test.sensitive_features.assign(outcome=test.outcome).groupby(["sex", "age_band", "outcome"]).size()
        sizes.append(table)
        return model.predict(fitted, test)

    TrainableModel(data, model.fit, predict, version="1", folds=4).out_of_fold(0)
    whole = data.sensitive_features.assign(outcome=data.outcome).groupby(["sex", "age_band", "outcome"]).size()
    for table in sizes:
        assert (abs(table - whole / 4) < 1).all()


def test_clusters_must_be_known_before_the_folds(patients, age_model):
    model = age_model(patients())

    def predict(fitted, test):
        found = model.predict(fitted, test)
        return Predictions(
            found.y_true, y_score=found.y_score, cluster=range(len(test)), sensitive_features=test.sensitive_features
        )

    with pytest.raises(InvalidPredictions, match="give `cluster` to the DataSet"):
        TrainableModel(model.data, model.fit, predict, version="1").out_of_fold(0)


def test_what_is_missing_is_said(patients, age_model):
    data = patients()
    with pytest.raises(ConfigurationError, match=r"feature_sets\.few: feature 'agee' is not in the data set; did you"):
        age_model(data, feature_sets={"few": ["agee"]})
    with pytest.raises(ConfigurationError, match="version: '' must be text, or be left out"):
        age_model(data, version="")
    with pytest.raises(ConfigurationError, match="data: DataFrame must be a"):
        age_model(data.features)
    with pytest.raises(ConfigurationError, match="folds: 1 must be between 2 and the 90 rows"):
        age_model(data, folds=1).out_of_fold(0)
    one = DataSet(data.features, np.arange(90) == 0, data.sensitive_features)
    with pytest.raises(ConfigurationError, match=r"folds: 10: fold \d would be trained without a row of outcome 1"):
        age_model(one).out_of_fold(0)


def test_the_first_feature_set_is_the_models_own(patients, age_model):
    data = patients()
    model = age_model(data)

    def fit(train, rng):
        assert list(train.features) == ["pressure", "age"]
        return model.fit(train, rng)

    sets = {"few": ["pressure", "age"], "all": tuple(data.features)}
    TrainableModel(data, fit, model.predict, version="1", feature_sets=sets).out_of_fold(0)


def in_words(model, thresholds):
    """The model, which speaks of the ill and the well, and decides at the next threshold of each fold."""
    taken = iter(thresholds)

    def predict(fitted, test):
        found = model.predict(fitted, test)
        words = np.where(test.outcome == 1, "ill", "well")
        return Predictions(
            words,
            y_score=found.y_score,
            positive="ill",
            threshold=next(taken),
            sensitive_features=test.sensitive_features,
        )

    return TrainableModel(model.data, model.fit, predict, folds=5, depends_on={"taken": thresholds})


def test_what_predictions_mean_outlives_folds_and_the_cache(patients, age_model, tmp_path):
    model = age_model(patients(200))
    checks = [Check("false_negative_rate", ("sex",), "max_value", 0.9)]
    made = in_words(model, [0.4] * 5)
    for _ in range(2):  # the second time from the cache
        found = evaluate("ages", made, checks, None, seed=0, cache=tmp_path).predictions
        assert (found.positive, found.decided_by, found.threshold) == ("ill", "threshold", 0.4)
        np.testing.assert_array_equal(found.y_true, model.data.outcome == 1)
        np.testing.assert_array_equal(found.y_pred, found.y_score >= 0.4)


def test_decisions_at_another_threshold_in_each_fold_are_refused(patients, age_model):
    model = age_model(patients(200))
    with pytest.raises(InvalidPredictions, match=r"decisions at another threshold, .* in some folds than in others"):
        in_words(model, [0.4, 0.4, 0.5, 0.4, 0.4]).out_of_fold(0)


@pytest.mark.parametrize(
    ("thresholds", "expected", "line"),
    [
        ([0.4] * 10, 0.4, "positive: ill; decided at score >= 0.4"),
        ([0.4, 0.5] * 5, None, "positive: ill; decided at thresholds of their own"),
    ],
)
def test_a_sweep_alone_says_what_its_predictions_mean(patients, age_model, tmp_path, thresholds, expected, line):
    model = in_words(age_model(patients(200)), thresholds)
    checks = [Check("accuracy", ("sex",), "max_difference", 0.5, gap="each_mix")]
    plan = SweepPlan(by="sex", mixes={"as_is": "as_is"}, repeats=10)
    for _ in range(2):  # the second time from the store
        found = evaluate("ages", model, checks, plan, seed=0, cache=tmp_path)
        (record,) = audit_model("ages", found, checks, Settings())
        inputs = record.inputs
        assert (inputs.positive, inputs.decisions, inputs.threshold) == ("ill", "threshold", expected)
        assert inputs_text(record).startswith(line)
