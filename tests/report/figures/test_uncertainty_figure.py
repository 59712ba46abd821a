"""Pictures of errors and uncertainties: numbers of the samples, any name, any number of groups."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from fairness_checks.findings.statistics_json import statistics_from_json, statistics_to_json
from fairness_checks.inputs.predictions import Predictions
from fairness_checks.judge.evaluation import Evaluation
from fairness_checks.judge.measurements import measure
from fairness_checks.judge.verdict import audit_model
from fairness_checks.question.checks import Check, Settings
from fairness_checks.report.figures import calibration, error_by_uncertainty, mismatch, risk_coverage
from fairness_checks.report.numbers import value_text
from tests.report.figures.drawings import HOSTILE, drawn, texts

DRAW = (mismatch, error_by_uncertainty, risk_coverage)
NAMES = {what: name for what, name in HOSTILE.items() if name.isprintable()}  # predictions refuse the others


def judged(names, n, of=np.exp, by=("skin",), control=()):
    """A record, its statistics, and (group, error, uncertainty); the first group errs most, and is not told so."""
    rng = np.random.default_rng(0)
    place = np.repeat(np.arange(len(names)), n)
    error = of(rng.normal(1.5 * (place == 0), 1.0))
    uncertainty = of(0.7 * np.log(error + 1e-9) + rng.normal(-0.7 * (place == 0), 0.5))
    group = np.array(names)[place]
    ward = np.array(["a", "b"])[rng.integers(0, 2, len(group))]
    found = Predictions(error=error, uncertainty=uncertainty, sensitive_features={"skin": group, "ward": ward})
    check = Check("uncertainty_mismatch", by, "max_mismatch", 0.1, control)
    (statistics,) = measure(Evaluation(found), [check], Settings()).statistics
    (record,) = audit_model("m", Evaluation(found), [check], Settings())
    return record, statistics_from_json(statistics_to_json(statistics)), (group, error, uncertainty)


def test_pairs_are_counted_pairs():
    record, statistics, (group, error, uncertainty) = judged(("dark", "light"), 150)
    figure = mismatch(record, statistics, "k")
    root = drawn(figure)
    mine = group == "dark"
    areas = [(x[mine][:, None] > x[~mine][None, :]).mean() for x in (error, uncertainty)]
    expected = ("dark", "light", *map(value_text, (*areas, areas[0] - areas[1])))
    interval = [value_text(end) for end in (record.low, record.high)]
    assert figure.table.rows == ((*expected, " to ".join(interval)),)
    assert value_text(record.estimate) == expected[-1]
    assert f"[{value_text(record.low)}, {value_text(record.high)}]" in figure.description
    assert {"dark against light", f"{expected[-1]} [{', '.join(interval)}]"} <= set(texts(root))
    (disc,) = [part for part in root.iter() if part.tag.endswith("circle")][1:]
    assert (float(disc.get("cx")) - 16.0) / (360.0 - 34.0) == pytest.approx(areas[0], abs=1e-3)


def test_without_statistics_the_pair_that_decides_is_drawn():
    record, statistics, _ = judged(("dark", "light", "medium"), 150)
    whole, alone = mismatch(record, statistics, "k"), mismatch(record, None, "k")
    assert len(whole.table.rows) == 3
    assert alone.table.rows == whole.table.rows[:1]
    assert alone.table.rows[0][:2] == (record.first[0], record.second[0])
    assert mismatch(dataclasses.replace(record, also={}), None, "k") is None


def test_pairs_are_compared_within_strata():
    record, statistics, _ = judged(("dark", "light"), 300, control=("ward",))
    pairs = {row[:2] for row in mismatch(record, statistics, "k").table.rows}
    assert pairs == {(f"{ward}, dark", f"{ward}, light") for ward in "ab"}


def test_a_group_that_cannot_be_judged_is_named_and_left_out():
    record, statistics, _ = judged(("dark", "light", "few"), [150, 150, 8])
    figure = mismatch(record, statistics, "k")
    assert len(figure.table.rows) == 1
    assert "Not compared: few." in figure.notes
    assert "A tie counts half." in figure.notes
    for draw in (error_by_uncertainty, risk_coverage):
        figure = draw(record, statistics, "k")
        assert {row[0] for row in figure.table.rows} == {"dark", "light"}
        assert any(note.endswith("have no curve: few.") for note in figure.notes)


def test_curves_are_those_of_the_samples():
    record, statistics, (group, error, uncertainty) = judged(("dark", "light"), 200)
    covered, parts = risk_coverage(record, statistics, "k"), error_by_uncertainty(record, statistics, "k")
    for place, name in enumerate(("dark", "light")):
        order = np.argsort(uncertainty[group == name])
        errors, doubts = error[group == name][order], uncertainty[group == name][order]
        row = covered.table.rows[place]
        assert row == (name, "200", *(value_text(errors[: 20 * k].mean()) for k in range(1, 11)))
        for k in range(10):
            tenth = slice(20 * k, 20 * k + 20)
            expected = (name, f"{k + 1}", "20", value_text(doubts[tenth].mean()), value_text(errors[tenth].mean()))
            assert parts.table.rows[10 * place + k] == expected
    drawn(parts)
    points = [part for part in drawn(covered).iter() if part.tag.endswith("path") and " L" in part.get("d")]
    assert len(points) == 2
    heights = [float(pair.split()[1]) for pair in points[0].get("d")[1:].split(" L")]
    assert np.corrcoef(heights, [float(cell) for cell in covered.table.rows[0][2:]])[0, 1] == pytest.approx(
        -1, abs=1e-4
    )
    assert f"{covered.table.rows[0][-1]} in dark" in covered.description


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("draw", DRAW)
def test_any_name_is_text_inside_the_picture(name, draw):
    record, statistics, _ = judged((name, f"{name} too", "m"), 120)
    figure = draw(record, statistics, "k")
    drawn(figure)
    assert "<script" not in figure.svg


@pytest.mark.parametrize("draw", DRAW)
@pytest.mark.parametrize("groups", [2, 6, 12])
def test_any_number_of_groups(groups, draw):
    record, statistics, _ = judged(tuple(f"group {i:02}" for i in range(groups)), 110)
    figure = draw(record, statistics, "k")
    root = drawn(figure)
    if draw is mismatch:
        assert len(figure.table.rows) == groups * (groups - 1) / 2
        assert any("10 of" in note for note in figure.notes) is (groups > 5)
    else:
        assert any("6 of 12" in note for note in figure.notes) is (groups == 12)
        assert {record.first[0], record.second[0]} <= set(texts(root))


@pytest.mark.parametrize("draw", DRAW)
@pytest.mark.parametrize(
    "of",
    [
        np.zeros_like,
        np.ones_like,
        lambda x: (x > 0).astype(float),
        lambda x: np.exp(9.0 * x),
        lambda x: 1e-9 * np.abs(x),
    ],
    ids=["zeros", "ones", "0 and 1", "wide", "tiny"],
)
def test_values_all_alike_or_far_apart(of, draw):
    record, statistics, _ = judged(("dark", "light"), 120, of)
    drawn(draw(record, statistics, "k"))


def test_small_groups_have_no_curve_and_other_metrics_no_picture():
    record, statistics, _ = judged(("dark", "light"), 60)
    assert error_by_uncertainty(record, statistics, "k") is risk_coverage(record, statistics, "k") is None
    assert mismatch(record, statistics, "k") is not None
    assert calibration(record, statistics, "k") is None
    assert risk_coverage(record, None, "k") is None
