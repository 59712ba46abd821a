from __future__ import annotations

from collections import Counter
from functools import reduce
from itertools import pairwise, product
from operator import add

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairness_checks.errors import ConfigurationError, InvalidPredictions
from fairness_checks.inputs.predictions import Predictions
from fairness_checks.kinds.group_statistics import GroupStatistics
from fairness_checks.question.checks import Missing
from fairness_checks.question.metrics import METRICS

CELL = {(False, False): 0, (False, True): 1, (True, False): 2, (True, True): 3}

ROWS = st.lists(
    st.tuples(st.booleans(), st.booleans(), st.sampled_from("fmx"), st.sampled_from(["old", "young"])),
    min_size=1,
    max_size=40,
)


def predictions_of(rows):
    y_true, y_pred, sex, age = zip(*rows, strict=True)
    return Predictions(y_true, y_pred, sensitive_features={"sex": sex, "age": age})


def as_dict(statistics):
    return {group: counts.tolist() for group, counts in zip(statistics.groups, statistics.counts, strict=True)}


def counted(rows, by):
    """Count with a loop; every intersection of the values seen is there."""
    place = {"sex": 2, "age": 3}
    cells = Counter((tuple(row[place[name]] for name in by), CELL[row[:2]]) for row in rows)
    values = [sorted({row[place[name]] for row in rows}) for name in by]
    return {group: [cells[group, cell] for cell in range(4)] for group in product(*values)}


@pytest.mark.parametrize("by", [("sex",), ("age",), ("sex", "age"), ("age", "sex")], ids=" ".join)
@given(rows=ROWS)
@settings(max_examples=40, deadline=None)
def test_counts_equal_a_loop(by, rows):
    statistics = GroupStatistics.from_predictions(predictions_of(rows), by)
    assert as_dict(statistics) == counted(rows, by)
    assert list(statistics.groups) == sorted(statistics.groups)
    assert statistics.by == by
    assert statistics.samples.tolist() == [sum(cells) for cells in as_dict(statistics).values()]


def test_an_intersection_without_a_sample_is_there():
    rows = [(True, True, "f", "old"), (True, False, "m", "young")]
    statistics = GroupStatistics.from_predictions(predictions_of(rows), ("sex", "age"))
    assert as_dict(statistics) == {
        ("f", "old"): [0, 0, 0, 1],
        ("f", "young"): [0, 0, 0, 0],
        ("m", "old"): [0, 0, 0, 0],
        ("m", "young"): [0, 0, 1, 0],
    }


def test_a_category_without_a_sample_is_there():
    sex = pd.Categorical(["f", "m"], categories=["f", "m", "x"])
    predictions = Predictions([1, 0], [1, 0], sensitive_features={"sex": sex})
    statistics = GroupStatistics.from_predictions(predictions, ["sex"])
    assert as_dict(statistics)["x",] == [0, 0, 0, 0]


@pytest.mark.parametrize("by", [("sex",), ("sex", "age")], ids=" ".join)
@given(rows=ROWS, cuts=st.lists(st.integers(1, 39), max_size=4), order=st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_chunks_merged_in_any_order_equal_the_whole(by, rows, cuts, order):
    edges = [0, *sorted({cut for cut in cuts if cut < len(rows)}), len(rows)]
    parts = [GroupStatistics.from_predictions(predictions_of(rows[start:end]), by) for start, end in pairwise(edges)]
    order.shuffle(parts)
    merged, whole = reduce(add, parts), GroupStatistics.from_predictions(predictions_of(rows), by)
    assert as_dict(merged) == as_dict(whole)
    assert merged.groups == whole.groups
    assert merged.by == whole.by


@given(rows=ROWS, order=st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_the_order_of_the_rows_does_not_matter(rows, order):
    expected = as_dict(GroupStatistics.from_predictions(predictions_of(rows), ("sex", "age")))
    order.shuffle(rows)
    assert as_dict(GroupStatistics.from_predictions(predictions_of(rows), ("sex", "age"))) == expected


def test_adding_leaves_the_parts_as_they_were():
    rows = [(True, True, "f", "old"), (True, False, "m", "young")]
    part = GroupStatistics.from_predictions(predictions_of(rows), ("sex",))
    before = as_dict(part)
    total = part + part
    assert as_dict(part) == before
    assert as_dict(total) == {("f",): [0, 0, 0, 2], ("m",): [0, 0, 2, 0]}


def test_statistics_by_other_features_cannot_be_added():
    predictions = predictions_of([(True, True, "f", "old"), (True, False, "m", "young")])
    by_sex, by_age = (GroupStatistics.from_predictions(predictions, [name]) for name in ("sex", "age"))
    with pytest.raises(ConfigurationError, match=r"by \['sex'\] and by \['age'\] cannot be added"):
        by_sex + by_age
    with pytest.raises(TypeError):
        by_sex + 1


def test_the_table_of_all_cells_gives_the_proportions():
    statistics = GroupStatistics(("sex",), (("f",), ("m",)), np.array([[1, 2, 3, 4], [50, 60, 70, 80]]))
    expected = {
        "accuracy": ([5, 130], [10, 260]),
        "false_negative_rate": ([3, 70], [7, 150]),
        "false_positive_rate": ([2, 60], [3, 110]),
        "negative_predictive_value": ([1, 50], [4, 120]),
        "precision": ([4, 80], [6, 140]),
        "selection_rate": ([6, 140], [10, 260]),
        "true_negative_rate": ([1, 50], [3, 110]),
        "true_positive_rate": ([4, 80], [7, 150]),
    }
    rates = {name: metric for name, metric in METRICS.items() if metric.kind == "proportion"}
    assert set(rates) == set(expected), "a new rate has its counts here, added up by hand"
    for name, metric in rates.items():
        events, samples = statistics.proportion(metric)
        assert (events.tolist(), samples.tolist()) == expected[name]


def test_missing_sensitive_values_are_an_error_unless_declared_a_group():
    predictions = Predictions([1, 1, 0, 0], [1, 0, 1, 0], sensitive_features={"sex": ["f", None, "m", None]})
    with pytest.raises(
        InvalidPredictions,
        match=r"^sensitive_features\['sex'\]: 2 of 4 values are missing: rows 1, 3 \(by position, from 0\);",
    ):
        GroupStatistics.from_predictions(predictions, ["sex"])
    statistics = GroupStatistics.from_predictions(predictions, ["sex"], missing=Missing("group"))
    assert as_dict(statistics) == {("(missing)",): [1, 0, 1, 0], ("f",): [0, 0, 0, 1], ("m",): [0, 1, 0, 0]}


def test_missing_values_of_a_feature_that_is_not_asked_for_do_no_harm():
    predictions = Predictions([1, 0], [1, 0], sensitive_features={"sex": ["f", "m"], "age": [None, 3]})
    assert len(GroupStatistics.from_predictions(predictions, ["sex"]).groups) == 2


def test_a_group_called_missing_is_not_mixed_with_the_missing():
    predictions = Predictions([1, 0], [1, 0], sensitive_features={"sex": ["(missing)", None]})
    with pytest.raises(InvalidPredictions, match=r"a group is called '\(missing\)' already; rename it"):
        GroupStatistics.from_predictions(predictions, ["sex"], missing=Missing("group"))


def test_too_many_intersections_are_refused():
    ids = np.arange(1_000)
    predictions = Predictions(ids % 2, ids % 2, sensitive_features={"a": ids, "b": ids})
    with pytest.raises(ConfigurationError, match=r"^by: \['a', 'b'\] has 1,000,000 intersections; at most 100,000"):
        GroupStatistics.from_predictions(predictions, ["a", "b"])


def test_a_feature_that_does_not_exist_is_named():
    with pytest.raises(ConfigurationError, match="'sexx' is not in the predictions; did you mean 'sex'"):
        GroupStatistics.from_predictions(predictions_of([(True, True, "f", "old")]), ["sexx"])
