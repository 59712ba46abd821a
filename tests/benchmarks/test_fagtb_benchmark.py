"""The comparison of FAGTB with its alternatives: its gaps and intervals, and what it says without data."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

pytest.importorskip("fairlearn")

from benchmarks import fagtb
from benchmarks.fagtb_tables import LOADERS, Table
from models.data.sources import DataUnavailable
from models.fagtb import FAGTBClassifier, public_recipe


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
    monkeypatch.setattr(fagtb, "public_recipe", lambda seed: public_recipe(seed).set_params(n_estimators=5))
    fagtb.recipe(table, repeats=3, sizes=[100, 200])
    rows = [line for line in capsys.readouterr().out.splitlines() if " % and " in line]
    assert [line[:30].rstrip() for line in rows] == [
        "public recipe, 100 rows train",
        "public recipe, 200 rows train",
        "... Newton steps as leaves, 20",
        "defaults, strength 0, 100 rows",
        "defaults, strength 0.15, 100 r",
        "defaults, strength 30, 100 row",
    ]
    assert [line.count(" % and ") for line in rows] == [3, 3, 2, 3, 3, 3]


def test_parity_is_that_of_fairlearn(table):
    from fairlearn.metrics import demographic_parity_ratio

    model = FAGTBClassifier(n_estimators=5, random_state=0)
    accuracy, rule = fagtb.parity(table, model, np.arange(200), np.arange(200, 300))
    labels = model.predict(table.features[200:, :-1])
    assert accuracy == pytest.approx(100 * (labels == table.outcome[200:]).mean())
    assert rule == pytest.approx(
        100 * demographic_parity_ratio(table.outcome[200:], labels, sensitive_features=table.group[200:])
    )


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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["bank"], "'bank': allowed: adult, german, heart, recidivism"),
        (["germany"], "'germany': did you mean 'german'?"),
        (["--repeats", "0"], "argument --repeats: 0: must be 1 or more"),
        (["--repeats", "many"], "argument --repeats: invalid"),
        (["--recipe", "--by-heart"], "not allowed with argument"),
        (["--recipe", "--rows", "10"], "10: must be 100 or more"),
        (["--rows", "1000"], "--rows goes with --recipe"),
        (["german", "--recipe"], "--recipe is of adult alone"),
        (["--recipe", "--rows", "100", "201"], "--rows 201: adult has 300, of which at least 100 test"),
    ],
)
def test_wrong_arguments_are_named(table, monkeypatch, capsys, arguments, message):
    monkeypatch.setitem(fagtb.LOADERS, "adult", lambda: table)
    with pytest.raises(SystemExit, match="2"):
        fagtb.main(arguments)
    assert message in capsys.readouterr().err


def test_a_comparison_without_fairlearn_says_so(monkeypatch, capsys):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SystemExit, match="2"):
        fagtb.main(["heart"])
    assert "needs fairlearn, which is not installed" in capsys.readouterr().err


def test_the_projects_own_table_is_whole():
    try:
        found = LOADERS["heart"]()
    except DataUnavailable as error:
        pytest.skip(str(error))
    assert (len(found.outcome), int(found.outcome.sum()), set(found.group)) == (746, 356, {"men", "women"})
    np.testing.assert_array_equal(found.features[:, -1], found.group == "men")


# docs/cardiac.md says what benchmarks/results/fagtb.txt has

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "cardiac.md").read_text(encoding="utf-8")
RESULTS = (ROOT / "benchmarks" / "results" / "fagtb.txt").read_text(encoding="utf-8")
GAP = r"([+-]\d+\.\d) \( *([+-]\d+\.\d) to +([+-]\d+\.\d)\)"


def results_of(heading: str) -> list[str]:
    """Return the lines below a heading, up to an empty one."""
    (block,) = [part for part in RESULTS.split("\n\n") if part.startswith(heading)]
    return block.splitlines()[1:]


def in_page(cells: list[str]) -> bool:
    return "| " + " | ".join(cells) + " |" in PAGE


def compared(table: str) -> dict[str, tuple[str, str, str]]:
    """Return by method the cell of a table on the page, the seconds and whether it needs the feature."""
    found = {}
    for line in results_of(f"{table}: ")[1:]:
        name, accuracy = line[:38].strip(), line[38:].split("%")[0].strip()
        gap = [f"{float(number):+.0f}" for number in re.findall(GAP, line)[1]]
        seconds, needs = line.split()[-2:]
        found[name] = (f"{accuracy} %; {gap[0]} ({gap[1]} to {gap[2]})", seconds, needs)
    return found


def test_the_page_has_the_comparison():
    names = {
        "gradient boosting": "gradient boosting",
        "gradient boosting, feature left out": "... feature left out",
        "FAGTB, strength 1 (default)": "FAGTB (strength 1)",
        "FAGTB, strength 1, feature left out": "... feature left out",
        "FAGTB, strength 30, feature left out": "... strength 30, left out",
        "threshold optimizer": "threshold optimizer",
        "exponentiated gradient": "exponentiated gradient",
    }
    assert set(names) == set(fagtb.METHODS)
    people, adult, credit, heart = (
        compared(name) for name in ("recidivism", "adult", "german credit", "heart disease")
    )
    for method, words in names.items():
        assert in_page([words, people[method][0], adult[method][0], adult[method][2]])
        assert in_page([words, credit[method][0], heart[method][0], adult[method][1]])


def test_the_page_has_what_is_learnt_by_heart():
    rows = [line.split() for line in results_of("recidivism, feature left out") if re.match(r" *\d", line)]
    assert len(rows) == 5
    for number, (strength, trained, tested, accuracy, here, _, crossed, _, trees) in enumerate(rows):
        words = f"{strength}, stopped early" if number > 2 else f"{strength}{' (plain boosting)' * (strength == '0')}"
        told = here.replace("-0.0", "0.0")
        assert in_page([words, trees, trained, tested, f"{accuracy[:-1]} %", told, crossed])


def test_the_page_has_the_recipe():
    rows = [line for line in results_of("adult, demographic parity") if " % and " in line]
    assert len(rows) == 7
    for line in rows:
        accuracy, rule = zip(*re.findall(r"(\d+\.\d) % and (\d+|nan)", line), strict=True)
        assert f"| {', '.join(accuracy)} % | {', '.join(rule)} |" in PAGE
