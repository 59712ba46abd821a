"""Pictures of calibration: the numbers of the bins, any name, any number of groups, none where they are withheld."""

from __future__ import annotations

import numpy as np
import pytest

from fairness_checks.findings.statistics_json import statistics_from_json, statistics_to_json
from fairness_checks.inputs.predictions import Predictions
from fairness_checks.judge.evaluation import Evaluation
from fairness_checks.judge.measurements import measure
from fairness_checks.judge.verdict import audit_model
from fairness_checks.question.checks import Check, Settings
from fairness_checks.report.figures import calibration
from fairness_checks.report.numbers import value_text
from tests.report.figures.drawings import HOSTILE, drawn, texts

ECE = Check("expected_calibration_error", ("group",), "max_difference", 0.1)


def judged(names, n, score, check=ECE, cluster=None):
    """A record and its statistics; `score(rng, size)` are the scores, labels follow them but for the first group."""
    rng = np.random.default_rng(0)
    group = np.repeat(names, n)
    scores = score(rng, len(group))
    labels = rng.random(len(group)) < np.where(group == names[0], scores / 2.0, scores)
    evaluation = Evaluation(
        Predictions(
            labels.astype(int),
            (scores > 0.5).astype(int),
            y_score=scores,
            sensitive_features={"group": group},
            cluster=None if cluster is None else np.arange(len(group)) // cluster,
        )
    )
    (statistics,) = measure(evaluation, [check], Settings()).statistics
    (record,) = audit_model("m", evaluation, [check], Settings())
    return record, statistics_from_json(statistics_to_json(statistics)), (group, scores, labels)


def spread_scores(rng, size):
    return rng.beta(2.0, 3.0, size)


@pytest.mark.parametrize("cluster", [None, 4], ids=["rows", "clusters"])
def test_numbers_are_those_of_the_samples(cluster):
    record, statistics, (group, scores, labels) = judged(("f", "m"), 400, spread_scores, cluster=cluster)
    figure = calibration(record, statistics, "k")
    drawn(figure)
    place = np.searchsorted(np.linspace(0, 1, 11)[1:-1], scores)
    expected = {
        (name, f"{b / 10:.1f} to {(b + 1) / 10:.1f}"): (place == b) & (group == name)
        for name in "fm"
        for b in range(10)
    }
    expected = {key: mine for key, mine in expected.items() if mine.any()}
    assert {row[:2] for row in figure.table.rows} == set(expected)
    for name, bin_, count, difference, interval in figure.table.rows:
        mine = expected[name, bin_]
        value, low, high = map(float, (difference, *interval.split(" to ")))
        assert int(count) == mine.sum()
        if cluster is None:
            assert value == pytest.approx(np.mean(labels[mine] - scores[mine]), abs=6e-4)
        assert low < value < high or value in (low, high)
    assert any(f"error {value_text(record.groups[0].rate)}" == text for text in texts(drawn(figure)))


def test_the_description_tells_the_largest_difference_of_bins_with_samples_enough():
    record, statistics, _ = judged(("f", "m"), 400, spread_scores)
    figure = calibration(record, statistics, "k")
    rows = [row for row in figure.table.rows if int(row[2]) >= 10]
    largest = max(rows, key=lambda row: abs(float(row[3])))
    found = f"{largest[3]} [{largest[4].replace(' to ', ', ')}], at scores from {largest[1]} in {largest[2]} samples"
    assert f"{found} of {largest[0]}." in figure.description


NAMES = {what: name for what, name in HOSTILE.items() if name.isprintable()}  # predictions refuse the others


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("more", [1, 4], ids=["wide", "narrow"])
def test_any_name_is_text_inside_the_picture(name, more):
    record, statistics, _ = judged((name, *(f"g{i}" for i in range(more))), 60, spread_scores)
    figure = calibration(record, statistics, "k")
    drawn(figure)
    assert "<script" not in figure.svg


@pytest.mark.parametrize(
    "score",
    [
        lambda rng, size: np.full(size, 0.5),
        lambda rng, size: np.zeros(size),
        lambda rng, size: np.ones(size),
        lambda rng, size: rng.integers(0, 2, size).astype(float),
    ],
    ids=["half", "zero", "one", "ends"],
)
def test_scores_in_one_bin_or_at_the_ends(score):
    record, statistics, _ = judged(("f", "m"), 30, score)
    drawn(calibration(record, statistics, "k"))


@pytest.mark.parametrize("groups", [2, 4, 12, 15])
def test_any_number_of_groups(groups):
    record, statistics, _ = judged(tuple(f"group {i:02}" for i in range(groups)), 25, spread_scores)
    figure = calibration(record, statistics, "k")
    drawn(figure)
    assert any("12 of 15" in note for note in figure.notes) is (groups == 15)
    assert len({row[0] for row in figure.table.rows}) == groups


def test_other_metrics_and_withheld_statistics_have_no_picture():
    record, statistics, _ = judged(("f", "m"), 60, spread_scores)
    assert calibration(record, None, "k") is None
    accuracy = Check("accuracy", ("group",), "max_difference", 0.1)
    assert calibration(*judged(("f", "m"), 60, spread_scores, accuracy)[:2], "k") is None
    assert statistics is not None
