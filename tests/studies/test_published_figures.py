"""The published figures are whole, and agree with each other as far as the paper prints them twice."""

from __future__ import annotations

from itertools import product

import pytest

from models.studies.cardiac_data import FEATURE_SETS, TABLES
from models.studies.gaps import METRICS
from models.studies.reference import published_disparities, published_mitigation, published_models

MIXES = ("as_is", "balanced", "female_only", "male_only")


def test_each_of_the_128_gaps_is_there_once():
    seen = published_disparities()[["data_set", "training_mix", "feature_set", "metric"]].itertuples(index=False)
    assert sorted(map(tuple, seen)) == sorted(product(TABLES, MIXES, FEATURE_SETS[TABLES[0]], METRICS))


def test_figures_that_the_paper_quotes():
    found = published_disparities().set_index(["data_set", "training_mix", "feature_set", "metric"])
    at = ("as_is", "with_sex", "false_negative_rate")
    assert found.loc[("heart_failure", *at), "male_minus_female_percent"] == -7.53
    assert found.loc[("coronary_artery_disease", *at), "male_minus_female_percent"] == -11.66
    assert set(published_mitigation()["model"]) == {"gradient_boosting", "fagtb"}


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("mix", MIXES)
@pytest.mark.parametrize("metric", ["accuracy", "false_negative_rate"])
def test_table_4_subtracted_gives_tables_2_and_3(table, mix, metric):
    by_sex = published_models().query("data_set == @table and training_mix == @mix and metric == @metric")
    mean = by_sex.set_index("group")["mean_percent"]
    where = "data_set == @table and training_mix == @mix and metric == @metric and feature_set == 'with_sex'"
    (gap,) = published_disparities().query(where)["male_minus_female_percent"]
    assert mean["male"] - mean["female"] == pytest.approx(gap, abs=0.025)
