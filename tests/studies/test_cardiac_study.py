"""The study on its two tables, small; what its parts may and may not do."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from fairness_checks.storage.cache import FittedCache
from fairness_checks.sweep import DataSet
from models.data.sources import DataUnavailable
from models.studies import cardiac
from models.studies.cardiac import Scale, Study
from models.studies.cardiac_data import ALL_FEATURES, FEATURE_SETS, TABLES, WITHOUT_SEX, WITHOUT_TIME, load_table
from models.studies.descriptives import describe
from models.studies.forests import trainable_forest
from models.studies.gaps import METRICS
from models.studies.oversampled_first import oversampled_first
from models.studies.shap_rankings import mean_absolute, rank_correlation
from models.studies.tuning import tuned_parameters


@pytest.fixture(scope="module")
def heart_failure() -> DataSet:
    try:
        return load_table("heart_failure")
    except DataUnavailable as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("table", TABLES)
def test_biochemical_and_clinical_part_what_is_left_without_sex(table):
    sets = FEATURE_SETS[table]
    assert set(sets["biochemical"]).isdisjoint(sets["clinical"])
    assert {*sets["biochemical"], *sets["clinical"]} == set(sets["without_sex"])
    assert {*sets["without_sex"], "sex"} == set(sets[ALL_FEATURES])
    assert all("time" not in columns for columns in WITHOUT_TIME[table].values())


def test_a_table_has_every_column_in_its_largest_feature_set(heart_failure):
    assert set(FEATURE_SETS["heart_failure"][ALL_FEATURES]) == set(heart_failure.features.columns)
    assert heart_failure.groups("sex").sizes() == {"female": 105, "male": 194}


def test_oversampled_first_has_the_published_number_of_rows(heart_failure):
    data = oversampled_first(heart_failure)
    assert data.groups("sex").sizes() == {"female": 194, "male": 194}  # 0.7 of them is the published 272
    assert data.take(np.arange(len(heart_failure))).fingerprint() == heart_failure.fingerprint()


def test_a_forest_has_the_parameters_of_its_feature_set(heart_failure):
    sets = {"two": ("age", "time"), "one": ("age",)}
    model = trainable_forest(
        heart_failure, sets, {"two": {"max_depth": 2, "n_estimators": 3}, "one": {"n_estimators": 2}}
    )
    rng = np.random.default_rng(0)
    assert [tree.max_depth for tree in model.fit(heart_failure.select(sets["two"]), rng).estimators_] == [2, 2, 2]
    assert len(model.fit(heart_failure.select(sets["one"]), rng).estimators_) == 2
    other = trainable_forest(heart_failure, sets, {"two": {"max_depth": 3}, "one": {}})
    assert other.identity().key != model.identity().key  # so that no result is taken for that of other parameters


def test_tuning_is_kept_and_takes_the_first_of_equals(heart_failure, tmp_path, monkeypatch):
    monkeypatch.setattr("models.studies.tuning.GRID", {"max_depth": [2], "min_samples_leaf": [200, 250]})
    cache = FittedCache(tmp_path, code=False)
    found = tuned_parameters(cache, "heart_failure", heart_failure, ["age"])
    assert found == {"max_depth": 2, "min_samples_leaf": 200}  # neither can split at all
    again = FittedCache(tmp_path, code=False)
    assert tuned_parameters(again, "heart_failure", heart_failure, ["age"]) == found
    assert list(again.read) == ["tuning-heart_failure"]


def test_descriptives_are_those_of_pandas(heart_failure):
    frame = heart_failure.features
    women_died = frame[(frame["sex"] == 0) & (heart_failure.outcome == 1)]
    rows = {(row["feature"], row["category"]): row["female 1"] for row in describe("heart_failure", heart_failure)}
    assert rows[("patients", "")] == "34"
    assert rows[("age", "")] == f"{women_died['age'].mean():.1f} ({women_died['age'].std():.1f})"
    assert rows[("anaemia", "1")].startswith(f"{int(women_died['anaemia'].sum())} (")


def test_shap_values_add_up_and_leave_out_what_is_not_used(heart_failure):
    pytest.importorskip("shap")
    rng = np.random.default_rng(1)
    data = DataSet(
        {"used": rng.normal(size=200), "constant": np.zeros(200)},
        rng.integers(0, 2, 200),
        {"sex": rng.choice(["female", "male"], 200)},
    )
    model = trainable_forest(data, {"both": ("used", "constant")}, {"both": {"n_estimators": 5}})
    forest = model.fit(data, rng)
    found = mean_absolute(forest, data)
    assert found["female"][1] == found["male"][1] == 0.0
    # One feature carries all: its value is the prediction minus the mean of the bootstrap samples' trees.
    base = np.mean([tree.tree_.value[0, 0, 1] for tree in forest.estimators_])
    women = data.sensitive_features["sex"].to_numpy() == "female"
    expected = np.abs(forest.predict_proba(data.features)[:, 1] - base)[women].mean()
    assert found["female"][0] == pytest.approx(expected, abs=1e-6)


def test_rank_correlation_is_spearmans():
    ranking = pd.DataFrame({"female_mean_abs_shap": [0.3, 0.2, 0.1, 0.05], "male_mean_abs_shap": [0.2, 0.4, 0.1, 0.3]})
    assert rank_correlation(ranking) == pytest.approx(stats.spearmanr([4, 3, 2, 1], [2, 4, 1, 3]).statistic)


def test_the_whole_study_once_and_nothing_twice(heart_failure, tmp_path, monkeypatch):
    pytest.importorskip("shap")
    pytest.importorskip("matplotlib")
    few = {name: {key: FEATURE_SETS[name][key] for key in (ALL_FEATURES, WITHOUT_SEX)} for name in TABLES}
    monkeypatch.setattr(cardiac, "FEATURE_SETS", few)
    monkeypatch.setattr(cardiac, "LEARNERS", {"gradient_boosting": cardiac.LEARNERS["gradient_boosting"]})
    scale = Scale(repeats=2, runs=(2,), tuned=False, curve_repeats=2, redraws=1)
    first = Study(tmp_path, scale, jobs=1)
    found = first.run()
    assert first.trained["heart_failure_random_forest"] == 2 * 4 * 2
    assert len(found.gaps) == 2 * 4 * 2 * len(METRICS)
    assert found.mitigation.query("feature_set == 'without_sex'")["published_disp_fnr"].isna().all()
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    mixes = found.learners.groupby("learner")["training_mix"].agg(set)
    assert mixes["random_forest"] == {"undersampled"}
    assert mixes["gradient_boosting"] == mixes["logistic_regression"] == {*cardiac.MIXES, "undersampled"}
    assert {"without time", "time alone"} <= {text.split(", ")[-1] for text in found.settings["setting"]}
    assert {"report.md", "gaps.csv", "shap.csv", "heart_failure.png", "coronary_artery_disease.png"} <= set(before)
    assert b"not 100 independent samples" in before["report.md"]
    again = Study(tmp_path, scale, jobs=1)
    again.run()
    assert set(again.trained.values()) == {0}
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


def test_the_command_does_what_it_is_told(tmp_path, monkeypatch, capsys):
    asked = []

    class Recorded(Study):
        def __init__(self, out, scale, jobs):
            asked.append((out, scale, jobs))
            self.trained = {"heart_failure_random_forest": 3, "coronary_artery_disease_random_forest": 4, "other": 5}

        def run(self):
            return None

    monkeypatch.setattr(cardiac, "Study", Recorded)
    assert cardiac.main(["--quick", "--jobs", "1", "--out", str(tmp_path)]) == 0
    assert asked == [(tmp_path, cardiac.QUICK, 1)]
    printed = capsys.readouterr().out
    assert printed.startswith("7 forests of the sweep and 5 other models trained; ")
    assert printed.endswith(f"{tmp_path / 'report.md'}\n")
