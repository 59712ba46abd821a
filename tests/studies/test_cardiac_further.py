"""What the study asks beyond the published tables: settings, learners, complexity, whom a forest is built from."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from fairness_checks.storage.cache import FittedCache
from fairness_checks.sweep import DataSet, SweepPlan, run_sweep
from models.data.sources import DataUnavailable
from models.studies.cardiac_data import FEATURE_SETS, TABLES, TIME_ALONE, WITHOUT_SEX, load_table
from models.studies.complexity import ONE_SEX, bayes_bound, complexity_rows, curve_rows, curve_sizes, noise_floor
from models.studies.forests import trainable_forest
from models.studies.learners import LEARNERS, trainable
from models.studies.settings import measured, missed_days, plain_splits, setting_row
from models.studies.shap_builders import agreement_of_builders, builder_rankings, built_values, disjoint_rows
from models.studies.table_versions import QUOTED, cholesterol_rows


@pytest.fixture(scope="module")
def tables() -> dict[str, DataSet]:
    try:
        return {name: load_table(name) for name in TABLES}
    except DataUnavailable as error:
        pytest.skip(str(error))


def two_sexes(n: int, seed: int, categorical: bool = False) -> DataSet:
    rng = np.random.default_rng(seed)
    sex = np.where(np.arange(n) % 3 == 0, "female", "male")
    outcome = rng.integers(2, size=n)
    features = {"a": outcome + rng.normal(size=n), "b": rng.normal(size=n), "c": rng.integers(4, size=n)}
    return DataSet(features, outcome, {"sex": sex}, categorical=("c",) if categorical else ())


# The paper's rows


def test_one_version_of_the_coronary_table_has_the_quoted_means(tables):
    rows = {row["rows"]: row for row in cholesterol_rows()}
    assert [n for n, row in rows.items() if row["equal"]] == [746] == [len(tables["coronary_artery_disease"])]
    data = tables["coronary_artery_disease"]
    sex, ill = data.sensitive_features["sex"].to_numpy(), data.outcome == 1
    means = {name: data.features["cholesterol"].to_numpy()[ill & (sex == name)].mean() for name in QUOTED}
    assert means == pytest.approx({name: rows[746][name] for name in QUOTED})
    assert means == pytest.approx(QUOTED, abs=0.05)


def test_a_third_of_the_survivors_was_last_seen_before_half_a_year(tables):
    time = tables["heart_failure"].features["time"]
    assert (time.min(), time.max()) == (4, 285)
    assert int(((time < 180) & (tables["heart_failure"].outcome == 0)).sum()) == 106
    assert TIME_ALONE == {"heart_failure": {"time_alone": ("time",)}, "coronary_artery_disease": {}}


# Settings


def test_a_setting_has_the_corrected_interval():
    rng = np.random.default_rng(0)
    found = {"accuracy": rng.random(20), "false_negative_rate": rng.random((2, 20))}
    row = setting_row("table", "this", found)
    gap = 100 * (found["false_negative_rate"][0] - found["false_negative_rate"][1])
    low, high = stats.t.interval(0.95, 19, gap.mean(), np.sqrt(gap.var(ddof=1) * (1 / 20 + 0.3 / 0.7)))
    assert (row["gap"], row["low"], row["high"]) == pytest.approx((gap.mean(), low, high))
    assert row["accuracy"] == pytest.approx(100 * found["accuracy"].mean())


def test_plain_splits_are_those_of_scikit_learn(tables, tmp_path):
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import train_test_split

    data = tables["heart_failure"]
    found = plain_splits(FittedCache(tmp_path, code=False), "table", data, ["age", "time"], repeats=2)
    X, sex = data.features[["age", "time"]], data.sensitive_features["sex"].to_numpy()
    parts = train_test_split(X, data.outcome, sex, test_size=0.3, random_state=1)
    wrong = RandomForestClassifier(random_state=1).fit(parts[0], parts[2]).predict(parts[1]) != parts[3]
    assert found["accuracy"][1] == pytest.approx(1 - wrong.mean())
    died = parts[3] == 1
    missed = [wrong[died & (parts[5] == name)].mean() for name in ("male", "female")]
    assert found["false_negative_rate"][:, 1] == pytest.approx(missed)


def test_measured_reads_the_as_is_mix():
    data = two_sexes(90, seed=1)
    model = trainable_forest(data, {"all": ("a", "b")}, {"all": {"n_estimators": 3}})
    results = run_sweep("model", model, SweepPlan(by="sex", mixes={"as_is": "as_is"}, repeats=3), None)
    found = measured(results, "all")
    assert found["accuracy"].shape == (3,)
    assert found["false_negative_rate"][0].tolist() == results.values("false_negative_rate", "male", "as_is", "all")


def test_the_days_of_deaths_that_are_missed_and_found():
    rng = np.random.default_rng(7)
    outcome = rng.integers(2, size=300)
    time = np.where(outcome == 1, rng.integers(1, 60, 300), 250)  # whoever dies early is found
    time[::10] = 250  # and whoever dies on day 250 looks like a survivor
    sex = np.where(np.arange(300) % 2 == 0, "female", "male")
    rows = {row["who"]: row for row in missed_days(DataSet({"time": time}, outcome, {"sex": sex}), ["time"], repeats=2)}
    assert (rows["missed"]["median_day"], rows["missed"]["late"], rows["found"]["late"]) == (250, 100, 0)
    assert rows["found"]["median_day"] < 60
    died = (outcome == 1) & (sex == "female")
    assert rows["all, female"]["deaths"] == died.sum()
    assert rows["all, female"]["late"] == pytest.approx(100 * (time[died] > 90).mean())


# Learners and complexity


@pytest.mark.parametrize("learner", LEARNERS)
def test_each_learner_learns_categories_that_a_part_may_lack(learner):
    data = two_sexes(90, seed=2, categorical=True)
    rows = np.flatnonzero(data.features["c"].to_numpy() != 3)  # 3 comes in testing only
    fitted = trainable(learner, data, {}).fit(data.take(rows), np.random.default_rng(0))
    predictions = trainable(learner, data, {}).predict(fitted, data)
    assert (np.asarray(predictions.y_pred) == data.outcome).mean() > 0.6


def test_logistic_regression_takes_codes_for_names():
    data = two_sexes(600, seed=3, categorical=True)
    odd = data.like(outcome=(data.features["c"].to_numpy() % 2))
    fitted = trainable("logistic_regression", odd, {}).fit(odd, np.random.default_rng(0))
    assert (fitted.predict(odd.features) == odd.outcome).all()  # no straight line in 0, 1, 2, 3 does it


def test_curves_end_at_what_the_smaller_sex_has(tables):
    assert curve_sizes(tables["heart_failure"], 0.3) == [18, 36, 73]
    assert curve_sizes(tables["coronary_artery_disease"], 0.3) == [31, 63, 127]


def test_curves_test_the_sex_that_trained():
    data = two_sexes(180, seed=4)
    swept = {
        name: run_sweep(
            name,
            trainable(name, data, {"all": ("a", "b")}),
            SweepPlan(by="sex", mixes=ONE_SEX, repeats=3, size=20),
            None,
        )
        for name in ("logistic_regression", "gradient_boosting")
    }
    rows = curve_rows("table", "logistic_regression", 20, swept["logistic_regression"], "all")
    auc = {sex: swept["logistic_regression"].values("roc_auc", sex, sex, "all") for sex in ONE_SEX}
    assert {row["sex"]: row["roc_auc"] for row in rows} == pytest.approx(
        {sex: 100 * np.mean(found) for sex, found in auc.items()}
    )
    gains = complexity_rows("table", swept, "all", 20, "logistic_regression")
    other = {sex: swept["gradient_boosting"].values("roc_auc", sex, sex, "all") for sex in ONE_SEX}
    gain = {sex: 100 * (np.array(other[sex]) - np.array(auc[sex])) for sex in ONE_SEX}
    assert [row["sex"] for row in gains] == ["female", "male", "female minus male"]
    assert gains[2]["gain"] == pytest.approx((gain["female"] - gain["male"]).mean())
    low, high = stats.t.interval(
        0.95, 2, gain["female"].mean(), np.sqrt(gain["female"].var(ddof=1) * (1 / 3 + 18 / 20))
    )
    assert (gains[0]["low"], gains[0]["high"]) == pytest.approx((low, high))


def test_the_noise_floor_is_below_the_least_error_and_near_it():
    rng = np.random.default_rng(5)
    n = 3000
    sex = np.where(np.arange(n) % 2 == 0, "female", "male")
    chance = np.where(rng.random(n) < 0.5, 0.1, 0.9)  # known from the feature: nobody errs less than in a tenth
    data = DataSet({"a": chance + rng.normal(scale=0.01, size=n)}, rng.random(n) < chance, {"sex": sex})
    for row in noise_floor("table", "all", data, ["a"]):
        assert row["nearest"] == pytest.approx(100 * 2 * 0.1 * 0.9, abs=3)
        assert row["floor"] == pytest.approx(10, abs=2)
        assert row["n"] == 1500


@pytest.mark.parametrize(("nearest", "least"), [(0.0, 0.0), (0.5, 0.5), (0.6, 0.5), (0.18, 0.1)])
def test_the_bound_solves_cover_and_harts_inequality(nearest, least):
    assert bayes_bound(nearest) == pytest.approx(least)


# Who a forest is built from


def test_no_two_forests_of_a_redraw_share_a_patient(tables):
    data = tables["heart_failure"]
    rows = disjoint_rows(data, seed=0, redraw=3)
    assert [len(part) for part in rows] == [52] * 4
    assert len(np.unique(np.concatenate(rows))) == 4 * 52
    sex = data.sensitive_features["sex"].to_numpy()
    assert [set(sex[part]) for part in rows] == [{"female"}, {"female"}, {"male"}, {"male"}]
    assert not np.array_equal(rows[0], disjoint_rows(data, seed=0, redraw=4)[0])


def test_forests_of_sexes_that_differ_agree_less_with_each_other_than_within(tmp_path):
    pytest.importorskip("shap")
    rng = np.random.default_rng(6)
    n = 600
    women = np.arange(n) % 2 == 0
    outcome = rng.integers(2, size=n)
    signal = 3 * outcome + rng.normal(size=n)
    features = {
        "of_women": np.where(women, signal, rng.normal(size=n)),
        "of_men": np.where(women, rng.normal(size=n), signal),
        "of_both": outcome + rng.normal(size=n),
        "of_neither": rng.normal(size=n) > 1.5,
    }
    data = DataSet(features, outcome, {"sex": np.where(women, "female", "male")})
    model = trainable_forest(data, {WITHOUT_SEX: tuple(features)}, {WITHOUT_SEX: {"n_estimators": 10}})
    cache = FittedCache(tmp_path, code=False)
    found = built_values(cache, "table", model, WITHOUT_SEX, redraws=3)
    assert found.shape == (3, 4, 4)
    row = agreement_of_builders("table", found)
    assert row["across"] < row["within"] - 0.2
    assert row["below"] == 3
    frame = builder_rankings(found, list(features)).set_index("feature")
    assert frame.loc["of_women", "female_rank"] == frame.loc["of_men", "male_rank"] == 1
    assert frame.loc["of_women", "difference"] < -1 < 1 < frame.loc["of_men", "difference"]
    np.testing.assert_array_equal(built_values(cache, "table", model, WITHOUT_SEX, redraws=3), found)


def test_rankings_by_hand():
    found = np.array([[[3.0, 2.0, 1.0], [2.0, 3.0, 1.0], [1.0, 2.0, 3.0], [1.0, 2.0, 3.0]]])
    row = agreement_of_builders("table", found)
    pairs = [stats.spearmanr(found[0, i], found[0, j]).statistic for i in (0, 1) for j in (2, 3)]
    assert (row["across"], row["within_female"], row["within_male"]) == pytest.approx((np.mean(pairs), 0.5, 1.0))
    frame = builder_rankings(found, ["a", "b", "c"])
    assert isinstance(frame, pd.DataFrame)
    by_name = frame.set_index("feature")
    assert by_name.loc["a", ["female_mean_rank", "male_mean_rank", "difference"]].tolist() == [1.5, 3.0, -1.5]
    assert by_name.loc["a", "sd"] == pytest.approx(
        np.sqrt(0.5)
    )  # one place between the women's, none between the men's


def test_sex_is_no_feature_of_these_forests():
    assert all("sex" not in sets[WITHOUT_SEX] for sets in FEATURE_SETS.values())
