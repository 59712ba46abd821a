"""Whether a gap would close with other training data, through the gate: learners in which the answer is planted."""

from __future__ import annotations

import json

import pytest

# As in conftest.py: pytester forgets what a run in this process imported.
import fairness_checks.findings.sweep
import fairness_checks.sweep.runs  # noqa: F401 - for its side effect, as the other
from fairness_checks import CheckRecord

MODELS = """
import numpy as np

from fairness_checks import Predictions, fairness_model
from fairness_checks.sweep import DataSet, TrainableModel

FEW, ENOUGH = {few}, {enough}  # how often women are misjudged, by their share of the training rows


def table(n=1_200):
    rng = np.random.default_rng(1)
    sex = np.where(np.arange(n) % 3 == 0, "female", "male")
    return DataSet({{"u": rng.random(n)}}, rng.integers(0, 2, n), {{"sex": sex}})


def fit(train, rng):
    return float(np.mean(train.sensitive_features["sex"] == "female"))


def predict(share, test):
    wrong = np.where(test.sensitive_features["sex"] == "female", FEW if share < 0.4 else ENOUGH, 0.15)
    decided = np.where(test.features["u"] < wrong, 1 - test.outcome, test.outcome)
    return Predictions(test.outcome, decided, sensitive_features=test.sensitive_features)


@fairness_model(sensitive_features=["sex"])
def swept():
    return TrainableModel(table(), fit, predict)
"""
SWEEP = """
version: 1
models:
  swept:
    sweep:
      by: sex
      mixes: {as_is: as_is, half: {female: 0.5, male: 0.5}, few: {female: 0.2, male: 0.8}}
      repeats: 10
      checks:
        - {metric: accuracy, gap: each_mix, max_difference: 0.10}
        - {metric: accuracy, gap: change, mix: half, min_reduction: 0.02}
        - {metric: accuracy, gap: change, min_reduction: 0}
"""
CLOSES, STAYS, REVERSES, WIDENS = (0.40, 0.15), (0.40, 0.40), (0.28, 0.00), (0.20, 0.40)


def run(project, planted):
    few, enough = planted
    project.write("conftest.py", MODELS.format(few=few, enough=enough))
    project.write("thresholds.yaml", SWEEP)
    result = project.gate("--junitxml=junit.xml")
    cases = {name: project.properties(case) for name, case in project.junit().items()}
    records = {name: CheckRecord.from_json(properties["fairness.record"]) for name, properties in cases.items()}
    return result, cases, {name.partition("accuracy-")[2].rstrip("]"): record for name, record in records.items()}


@pytest.mark.parametrize(
    ("planted", "answer", "verdict"),
    [
        (CLOSES, "mix half is shown to narrow the gap, to 0.0", "pass"),
        (STAYS, "no mix is shown to close the gap", "fail"),
        (REVERSES, "mix half is shown to reverse the gap, to -0.1", "inconclusive"),
        (WIDENS, "mix half is shown to widen the gap, to 0.2", "fail"),
    ],
)
def test_the_answer_stands_in_the_first_line(project, planted, answer, verdict):
    result, cases, records = run(project, planted)
    for properties in cases.values():
        line = properties["fairness.text"]
        assert answer in line
        assert "With other training data than as is (male - female 0." in line
        assert properties["fairness.answer"] in line
    assert records["change-half"].verdict == verdict
    assert answer in " ".join(result.stdout.str().split())


def test_the_record_has_every_group_under_every_mix(project):
    _, cases, records = run(project, CLOSES)
    (first, *others) = (record.sweep.table for record in records.values())
    assert all(table == first for table in others)
    rows = {row.mix: row for row in first}
    assert list(rows) == ["as_is", "half", "few"]
    sizes = {mix: [(g.name, g.training_rows, g.test_rows, g.repeats) for g in row.groups] for mix, row in rows.items()}
    assert sizes["as_is"] == [("female", 280.0, 120.0, 10), ("male", 560.0, 240.0, 10)]
    assert sizes["half"] == [("female", 280.0, 120.0, 10), ("male", 280.0, 240.0, 10)]
    for row in rows.values():
        assert (row.first, row.second) == ("male", "female")
        female, male = row.groups
        assert row.gap == pytest.approx(male.value - female.value)
        assert row.gap_low < row.gap < row.gap_high
    half, few = rows["half"].change, rows["few"].change
    assert rows["as_is"].change is None
    assert (half.answer, few.answer) == ("closes", "open")
    assert half.signed == pytest.approx(rows["half"].gap - rows["as_is"].gap)
    assert half.signed_low < half.signed < half.signed_high < 0.0
    sharp, wide = half.signed_high - half.signed_low, rows["half"].gap_high - rows["half"].gap_low
    assert sharp < 1.5 * wide  # both models err on the same rows
    assert few.signed == 0.0
    assert json.loads(cases["test_sweep[swept-sex-accuracy-each_mix]"]["fairness.mixes"])[1]["mix"] == "half"


def test_the_table_is_shown_below_100_columns(project):
    result, *_ = run(project, STAYS)
    start = next(i for i, line in enumerate(result.outlines) if line.split()[:1] == ["mix"])
    lines = result.outlines[start : start + 4]
    assert [line.split()[0] for line in lines] == ["mix", "as_is", "half", "few"]
    assert lines[1].split()[1:4] == ["280", "+", "560"]
    assert max(map(len, lines)) < 100


def test_a_sweep_that_settles_nothing_shows_its_table_where_more_is_asked_for(project):
    quiet, *_ = run(project, REVERSES)
    verbose = project.gate("-v")
    heads = [[line.split()[:3] for line in result.outlines] for result in (quiet, verbose)]
    assert [lines.count(["mix", "trained", "on"]) for lines in heads] == [0, 1]  # once for all three checks


def test_a_mix_that_changes_nothing_is_not_shown_to_keep_the_gap_from_growing(project):
    _, _, records = run(project, STAYS)
    assert records["change"].verdict == "inconclusive"
    assert records["change"].estimate == 0.0
    assert records["change-half"].sweep.second_mix == "half"


def test_a_size_binds_every_mix_and_a_slope_is_over_all_of_them(project):
    project.write("conftest.py", MODELS.format(few=0.4, enough=0.15))
    sized = SWEEP.replace("few: {female: 0.2, male: 0.8}", "balanced: oversample, under: undersample")
    sized = sized.replace("repeats: 10", "repeats: 5\n      size: 240")
    slope = "- {metric: accuracy, gap: dependence, max_slope: 0.1}"
    project.write("thresholds.yaml", f"{sized.rstrip()}\n        {slope}\n")
    project.gate("--junitxml=junit.xml")
    cases = {name: project.properties(case) for name, case in project.junit().items()}
    record = CheckRecord.from_json(cases["test_sweep[swept-sex-accuracy-dependence]"]["fairness.record"])
    rows = {row.mix: [group.training_rows for group in row.groups] for row in record.sweep.table}
    equal = [120.0, 120.0]
    assert rows == {"as_is": [80.0, 160.0], "half": equal, "balanced": equal, "under": equal}
    assert record.sweep.slope_mixes == ("as_is", "half", "balanced", "under")
    text = cases["test_sweep[swept-sex-accuracy-dependence]"]["fairness.text"]
    assert "swept has accuracy that rises by 1." in text
    assert " with sex=female as its share of the training rows grows from none to all " in text
