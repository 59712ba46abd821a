"""Out of fold and in a sweep a learner is as accurate as in plain cross-validation, on coarse tables too."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import (
    GroupKFold,
    GroupShuffleSplit,
    StratifiedKFold,
    StratifiedShuffleSplit,
    cross_val_predict,
)
from sklearn.tree import DecisionTreeClassifier

from fairness_checks import audit, predictions_from_classifier
from fairness_checks.sweep import DataSet, SweepPlan, TrainableModel, run_sweep

COMPAS = Path(os.environ.get("FAIRNESS_DATA", "")) / "compas_two_years.csv"
BAYES = 0.9


def trainable(data, build):
    def fit(train, rng):
        return build(int(rng.integers(2**31))).fit(train.features, train.outcome)

    def predict(fitted, test):
        return predictions_from_classifier(
            fitted, test.features, test.outcome, sensitive_features=test.sensitive_features
        )

    return TrainableModel(data, fit, predict, version="1")


def tree(seed):
    return DecisionTreeClassifier(min_samples_leaf=3, random_state=seed)


def forest(seed):
    return RandomForestClassifier(n_estimators=30, random_state=seed, n_jobs=1)


def table(features, n, seed, *, clusters=False):
    """A table of few values, whose outcome is what its cell says in nine of ten rows."""
    rng = np.random.default_rng(seed)
    values = {1: 10, 2: 5, 3: 3, 4: 2}[features]
    columns = rng.integers(0, values, (n // 4 if clusters else n, features))
    columns = np.repeat(columns, 4, axis=0) if clusters else columns  # a patient's rows are alike
    truth = rng.permutation(np.arange(values**features) % 2)
    cell = columns @ values ** np.arange(features)
    outcome = np.where(rng.random(n) < BAYES, truth[cell], 1 - truth[cell])
    return DataSet(
        {f"x{i}": columns[:, i] for i in range(features)},
        outcome,
        {"sex": rng.choice(["f", "m"], n)},
        cluster=np.arange(n) // 4 if clusters else None,
    )


def out_of_fold_accuracy(data, build):
    found = trainable(data, build).out_of_fold(seed=0)
    return float(np.mean(found.y_pred == found.y_true))


def plain_accuracy(data, build):
    folds = StratifiedKFold(10, shuffle=True, random_state=0) if data.cluster is None else GroupKFold(10)
    found = cross_val_predict(build(0), data.features, data.outcome, cv=folds, groups=data.cluster)
    return float(np.mean(found == data.outcome))


def swept_accuracy(data, build, repeats=10):
    plan = SweepPlan(by=data.sensitive_features.columns[0], mixes={"as_is": "as_is"}, repeats=repeats)
    results = run_sweep("m", trainable(data, build), plan, None).of("as_is", "all")
    cells = np.array([[group.counts for group in r.groups.values()] for r in results]).sum(axis=1)
    return float(((cells[:, 0] + cells[:, 3]) / cells.sum(axis=1)).mean())


def plain_holdout_accuracy(data, build, repeats=10):
    plain = StratifiedShuffleSplit if data.cluster is None else GroupShuffleSplit
    splits = plain(repeats, test_size=0.3, random_state=0).split(data.features, data.outcome, data.cluster)
    scores = []
    for train, test in splits:
        fitted = build(0).fit(data.features.iloc[train], data.outcome[train])
        scores.append(np.mean(fitted.predict(data.features.iloc[test]) == data.outcome[test]))
    return float(np.mean(scores))


def sampling_error(n):
    """Three standard errors of the accuracy of one table."""
    return 3.0 * np.sqrt(BAYES * (1 - BAYES) / n)


@pytest.mark.parametrize("clusters", [False, True], ids=["rows", "clusters"])
@pytest.mark.parametrize("n", [200, 1000])
@pytest.mark.parametrize("features", [1, 2, 3, 4])
def test_coarse_tables_are_learnt_as_in_plain_cross_validation(features, n, clusters):
    data = table(features, n, seed=features, clusters=clusters)
    error = sampling_error(n // 4 if clusters else n)
    found = out_of_fold_accuracy(data, tree)
    assert found == pytest.approx(plain_accuracy(data, tree), abs=error)
    assert found > BAYES - 2 * error  # with rows kept together by their outcome it was 0
    assert swept_accuracy(data, tree) == pytest.approx(plain_holdout_accuracy(data, tree), abs=error)


def test_a_table_of_copies_asks_for_them_to_stay_together():
    rng = np.random.default_rng(0)
    real = pd.DataFrame({"x": rng.normal(size=150), "z": rng.normal(size=150)})
    outcome = rng.integers(0, 2, 150)  # nothing to learn but the patients themselves
    copies = np.tile(np.arange(150), 3)

    def accuracy(identical_rows):
        data = DataSet(
            real.iloc[copies], outcome[copies], {"sex": np.tile(["f", "m"], 225)}, identical_rows=identical_rows
        )
        return out_of_fold_accuracy(data, lambda seed: DecisionTreeClassifier(random_state=seed))

    assert accuracy("independent") > 0.9  # who tests has trained
    assert accuracy("together") == pytest.approx(0.5, abs=3 * np.sqrt(0.25 / 150))


@pytest.fixture(scope="module")
def recidivism():
    if not COMPAS.is_file():
        pytest.skip("FAIRNESS_DATA does not hold compas_two_years.csv")
    people = pd.read_csv(COMPAS)
    people = people[people["race"].isin(["African-American", "Caucasian"])]
    features = pd.DataFrame(
        {
            "age": people["age_cat"].astype("category").cat.codes,
            "sex": (people["sex"] == "Male").astype(int),
            "charge": (people["c_charge_degree"] == "F").astype(int),
            "priors": pd.cut(people["priors_count"], [-1, 0, 3, 10, np.inf], labels=False),
        }
    )
    return DataSet(features, people["two_year_recid"].to_numpy(), {"race": people["race"].to_numpy()})


def test_the_recidivism_table_is_learnt_and_its_gap_is_found(recidivism):
    found = trainable(recidivism, forest).out_of_fold(seed=0)
    accuracy = float(np.mean(found.y_pred == found.y_true))
    error = 3 * np.sqrt(0.25 / len(recidivism))
    assert accuracy == pytest.approx(plain_accuracy(recidivism, forest), abs=error)
    assert accuracy == pytest.approx(0.66, abs=error)  # 0.05 with rows kept together by their outcome
    assert swept_accuracy(recidivism, forest, repeats=3) == pytest.approx(accuracy, abs=error)
    record = audit(found, metric="false_negative_rate", by="race", max_difference=0.10)
    black, white = (record.group((name,)).rate for name in ("African-American", "Caucasian"))
    assert (black, white) == (pytest.approx(0.37, abs=0.03), pytest.approx(0.58, abs=0.04))
    assert record.verdict == "fail"
