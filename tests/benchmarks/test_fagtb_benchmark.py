"""The comparison of FAGTB with its alternatives: its gaps and intervals, and what it says without data."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

pytest.importorskip("fairlearn")

from benchmarks import fagtb
from benchmarks.fagtb_tables import LOADERS, Table
from models.data.sources import DataUnavailable
from models.fagtb import FAGTBClassifier


@pytest.fixture
def table() -> Table:
    rng = np.random.default_rng(0)
    group = np.where(rng.random(300) < 0.5, "men", "women")
    outcome = rng.integers(2, size=300)
    features = np.column_stack([outcome + rng.normal(size=300), rng.normal(size=300), group == "men"])
    return Table("made up", features, outcome, group, "men", "women")


def test_gaps_are_those_of_fairlearn(table):
    from fairlearn.metrics import MetricFrame, false_negative_rate, false_positive_rate

    labels = np.random.default_rng(1).integers(2, size=300)
    rows = np.arange(300)
    frame = MetricFrame(
        metrics={"positive": false_positive_rate, "negative": false_negative_rate},
        y_true=table.outcome,
        y_pred=labels,
        sensitive_features=table.group,
    ).by_group
    expected = [frame.loc["men", name] - frame.loc["women", name] for name in ("positive", "negative")]
    assert fagtb.gaps(table, rows, labels) == pytest.approx(expected)


def test_the_interval_is_corrected_for_overlap():
    values = np.array([0.1, 0.2, 0.15, 0.3])
    low, high = stats.t.interval(0.95, 3, 18.75, 100 * np.sqrt(values.var(ddof=1) * (1 / 4 + 0.3 / 0.7)))
    assert fagtb.interval(values) == f"{18.75:+6.1f} ({low:+5.1f} to {high:+5.1f})"
    assert "one split" in fagtb.interval(values[:1])


@pytest.mark.parametrize("name", fagtb.METHODS)
def test_each_method_predicts_and_says_truly_whether_it_needs_the_feature(table, name):
    method = fagtb.METHODS[name]
    labels = method.fit(table.features[:200], table.outcome[:200], table.group[:200], 0)
    new, group = table.features[200:], table.group[200:]
    found = np.asarray(labels(new, group))
    assert (found == table.outcome[200:]).mean() > 0.55
    if not method.needs_group:
        hidden = new.copy()
        hidden[:, -1] = np.nan if name.startswith("exp") else -1
        np.testing.assert_array_equal(labels(hidden, np.full(100, "unknown")), found)


def test_splits_keep_shares_and_a_large_table_is_drawn_from(table, monkeypatch):
    monkeypatch.setattr(fagtb, "MOST_ROWS", 100)
    first, second = fagtb.splits(table, 2)
    assert [len(part) for part in first[:2]] == [70, 30]
    assert set(first[0]) | set(first[1]) == set(second[0]) | set(second[1])
    assert not set(first[0]) & set(first[1])


def test_it_prints_a_row_for_each_method(table, monkeypatch, capsys):
    monkeypatch.setattr(fagtb, "LOADERS", {"made_up": lambda: table})
    monkeypatch.setattr(fagtb, "METHODS", {"gradient boosting": fagtb.METHODS["gradient boosting"]})
    monkeypatch.setattr(fagtb.compare, "__defaults__", (fagtb.METHODS,))
    assert fagtb.main(["--repeats", "2"]) == 0
    printed = capsys.readouterr().out
    assert "made up: 300 of 300 rows, 2 splits, men minus women" in printed
    assert printed.rstrip().endswith("yes")


def test_the_recipe_prints_accuracy_and_p_rule(table, monkeypatch, capsys):
    few = fagtb.public_recipe(0).set_params(n_estimators=5)
    monkeypatch.setattr(fagtb, "public_recipe", lambda seed: few)
    fagtb.recipe(table, repeats=2, most_rows=200)
    rows = [line for line in capsys.readouterr().out.splitlines() if " % and " in line]
    assert [line[:13] for line in rows] == ["public recipe", *["defaults, str"] * 3]
    assert all(line.count(" % and ") == 2 for line in rows)


def test_learning_by_heart_prints_both_gaps(table, monkeypatch, capsys):
    monkeypatch.setattr(fagtb, "FAGTBClassifier", lambda **options: FAGTBClassifier(n_estimators=3, **options))
    fagtb.by_heart(table, repeats=1)
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if line.endswith(("3", "2", "1"))]
    assert [float(row[0]) for row in rows] == [0, 1, 30, 1, 30]
    assert all(-1 <= float(row[1]) <= 1 and 0 < float(row[3].rstrip("%")) <= 100 for row in rows)


def test_a_table_that_cannot_be_had_is_left_out_and_said_to_be(monkeypatch, capsys):
    def unreachable() -> Table:
        raise DataUnavailable("adult.data was found at none of these places:\n  Python index: no answer within 60 s")

    monkeypatch.setattr(fagtb, "LOADERS", {"adult": unreachable})
    assert fagtb.main([]) == 1
    printed = capsys.readouterr().out
    assert "adult: left out, as its data cannot be had" in printed
    assert "Python index: no answer within 60 s" in printed
    assert printed.rstrip().endswith("left out: adult")


def test_an_unknown_table_is_named(capsys):
    with pytest.raises(SystemExit, match="2"):
        fagtb.main(["bank"])
    assert "'bank': a table is one of recidivism, adult, german, heart" in capsys.readouterr().err


def test_the_projects_own_table_is_whole():
    try:
        found = LOADERS["heart"]()
    except DataUnavailable as error:
        pytest.skip(str(error))
    assert (len(found.outcome), int(found.outcome.sum()), set(found.group)) == (746, 356, {"men", "women"})
    np.testing.assert_array_equal(found.features[:, -1], found.group == "men")
