"""Pictures of a sweep: the numbers of the record, any name, any number of groups and mixes."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest

from fairness_checks.findings.statistics import Swept
from fairness_checks.judge.evaluation import Evaluation
from fairness_checks.judge.verdict import audit_model
from fairness_checks.question.checks import Check, Settings
from fairness_checks.report.figures import mismatch, sweep, sweep_gaps
from fairness_checks.report.numbers import value_text
from fairness_checks.sweep.mixes import Shares
from fairness_checks.sweep.plan import SweepPlan
from fairness_checks.sweep.results import GroupResult, PairResult, RepeatResult, SweepResults
from tests.report.figures.drawings import HOSTILE, drawn, texts


def judged(groups, mixes, value, metric="roc_auc", gap="each_mix", limit=0.1, feature_sets=("all",)):
    """A record of a sweep and its statistics; `mixes` are {name: rows of each group}, `value(g, mix, repeat)`."""
    made = [
        RepeatResult(
            mix=mix,
            feature_set=feature_set,
            repeat=repeat,
            groups={
                name: GroupResult(
                    train=rows[g], real=rows[g], test=30, counts=None, values={metric: value(g, place, repeat)}
                )
                for g, name in enumerate(groups)
            },
            pairs=()
            if metric != "uncertainty_mismatch"
            else (PairResult(first=groups[0], second=groups[1], error_auc=0.9, uncertainty_auc=0.5 + 0.01 * repeat),),
        )
        for place, (mix, rows) in enumerate(mixes.items())
        for feature_set in feature_sets
        for repeat in range(6)
    ]
    results = SweepResults(
        model="m",
        by="group",
        groups=dict.fromkeys(groups, 300),
        repeated_rows=0,
        results=tuple(sorted(made, key=lambda result: result.task)),
    )
    shares = Shares({name: 1.0 / len(groups) for name in groups}) if len(groups) < 9 else "oversample"
    plan = SweepPlan(by="group", mixes={m: "as_is" if i == 0 else shares for i, m in enumerate(mixes)}, repeats=6)
    kind = "max_mismatch" if metric == "uncertainty_mismatch" else "max_difference"
    check = Check(metric, ("group",), kind, limit, gap=gap)
    (record,) = audit_model("m", Evaluation(None, results, plan), [check], Settings())
    return record, Swept(results, plan)


def varied(g, mix, repeat):
    return 0.5 + 0.03 * g + 0.05 * mix + 0.01 * np.sin(7.0 * repeat + 3.0 * g + mix)


TWO = {"as_is": (20, 80), "even": (50, 50), "f only": (100, 0)}


def test_numbers_are_those_of_the_record():
    record, statistics = judged(("f", "m"), TWO, varied)
    figure = sweep(record, statistics, "k")
    root = drawn(figure)
    rows = [(row.mix, group) for row in record.sweep.table for group in row.groups]
    assert len(figure.table.rows) == len(rows) == 6
    for mix, group in rows:
        (cells,) = (r for r in figure.table.rows if r[0].endswith(mix) and r[1] == group.name)
        trained = f"{group.training_rows:.0f} ({group.training_rows:.0f}%)"
        interval = f"{value_text(group.low)} to {value_text(group.high)}"
        assert cells[2:] == (trained, "30", value_text(group.value), interval)
    assert figure.table.header[2:] == ("rows trained on", "tested", "roc auc", "90% interval")
    assert figure.table.caption.endswith("6 repeats")
    assert [row[0] for row in figure.table.rows][::2] == ["1 as_is", "2 even", "3 f only"], "by the share of f"
    least, most = (pick(group.value for _, group in rows) for pick in (min, max))
    assert f"from {value_text(least)} in " in figure.description
    assert f"to {value_text(most)} in " in figure.description
    assert {"f", "m", "1 as_is", "50%, 100 rows", "share in training of f"} <= set(texts(root))


def test_markers_stand_where_their_values_are():
    record, statistics = judged(("f", "m"), TWO, varied)
    root = drawn(sweep(record, statistics, "k"))
    values = {name: [g.value for row in record.sweep.table for g in row.groups if g.name == name] for name in "fm"}
    discs = [float(part.get("cy")) for part in root.iter() if part.tag.endswith("circle")][:3]
    assert np.corrcoef(discs, values["f"])[0, 1] == pytest.approx(-1.0, abs=1e-3)
    # Numbers of the axis and markers are on one scale.
    ticks = {
        float(t.text): float(t.get("y")) - 4.0
        for t in root.iter()
        if t.tag.endswith("text") and t.get("text-anchor") == "end" and (t.text or "").replace(".", "").isdigit()
    }
    slope, start = np.polyfit(list(ticks), list(ticks.values()), 1)
    np.testing.assert_allclose(discs, start + slope * np.array(values["f"]), atol=0.05)


def test_gaps_and_their_repeats():
    record, statistics = judged(("f", "m"), TWO, varied)
    figure = sweep_gaps(record, statistics, "k")
    root = drawn(figure)
    dots = [part for part in root.iter() if part.get("stroke-linecap") == "round"]
    assert [part.get("d").count("h0") for part in dots] == [6] * 3
    for place, row in enumerate(record.sweep.table):
        cells = figure.table.rows[place]
        assert cells[1:3] == (value_text(row.gap), f"{value_text(row.gap_low)} to {value_text(row.gap_high)}")
        gaps = [
            result.groups[row.first].values["roc_auc"] - result.groups[row.second].values["roc_auc"]
            for result in statistics.results.of(row.mix, "all")
        ]
        assert np.mean(gaps) == pytest.approx(row.gap)
        assert cells[5] == f"{value_text(min(gaps))} to {value_text(max(gaps))}"
        if row.change is not None:
            assert cells[3].startswith(value_text(row.change.signed))
    assert figure.table.caption.endswith(": m less f")
    assert "shaded: allowed, at most 0.10" in texts(root)
    assert "the data as they are" in texts(root)
    assert value_text(max(abs(row.gap) for row in record.sweep.table)) in figure.description


def test_without_statistics_no_repeats_are_drawn_and_it_is_said():
    record, _ = judged(("f", "m"), TWO, varied)
    figure = sweep_gaps(record, None, "k")
    assert not [part for part in drawn(figure).iter() if part.get("stroke-linecap") == "round"]
    assert any("not at hand" in note for note in figure.notes)


def test_a_limit_on_something_else_is_not_drawn():
    record, statistics = judged(("f", "m"), TWO, varied, gap="equal_representation")
    assert not any("allowed" in text for text in texts(drawn(sweep_gaps(record, statistics, "k"))))


def test_a_mismatch_has_repeats_and_no_values_by_group():
    record, statistics = judged(("f", "m"), TWO, lambda *_: None, metric="uncertainty_mismatch")
    assert sweep(record, statistics, "k") is None
    figure = sweep_gaps(record, statistics, "k")
    drawn(figure)
    assert figure.table.rows[0][1] == value_text(0.9 - 0.5 - 0.025)
    assert figure.table.caption.endswith(": f and m")
    assert any("not recorded" in note for note in figure.notes)
    assert sweep_gaps(record, None, "k") is None
    assert mismatch(record, statistics, "k") is None, "of a sweep there are the repeats"


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("draw", [sweep, sweep_gaps], ids=["values", "gaps"])
def test_any_name_is_text_inside_the_picture(name, draw):
    record, statistics = judged((name, "m"), {"as_is": (20, 80), name: (50, 50)}, varied)
    figure = draw(record, statistics, "k")
    assert "<script" not in figure.svg
    assert not any("\u202e" in text for text in texts(drawn(figure)))
    record, statistics = judged((name, "m", "n"), {"as_is": (20, 40, 40), name: (50, 50, 50)}, varied)
    drawn(draw(record, statistics, "k"))


@pytest.mark.parametrize("count", [1, 2, 9, 16])
@pytest.mark.parametrize("groups", [2, 3, 12, 15])
def test_any_number_of_mixes_and_groups(count, groups):
    names = tuple(f"group {i:02}" for i in range(groups))
    mixes = {f"mix {m}": tuple(10 + m * i for i in range(groups)) for m in range(count)}
    record, statistics = judged(names, mixes, varied)
    figure = sweep(record, statistics, "k")
    drawn(figure)
    drawn(sweep_gaps(record, statistics, "k"))
    assert len(figure.table.rows) == count * groups
    assert any("12 of 15" in note for note in figure.notes) is (groups == 15)
    if groups == 15:  # of those that decide none is left out
        assert {"group 00", "group 14"} <= set(texts(drawn(figure)))


@pytest.mark.parametrize("value", [0.0, 1.0, 0.5])
def test_values_all_alike(value):
    record, statistics = judged(("f", "m"), TWO, lambda *_: value)
    drawn(sweep(record, statistics, "k"))
    record, statistics = judged(("f", "m"), TWO, lambda g, mix, repeat: value if g else None)
    drawn(sweep(record, statistics, "k"))
    assert sweep_gaps(record, statistics, "k") is None


def test_nothing_defined_is_no_picture():
    record, statistics = judged(("f", "m"), TWO, lambda *_: None)
    assert sweep(record, statistics, "k") is sweep_gaps(record, statistics, "k") is None


def test_another_feature_set_is_named():
    record, statistics = judged(("f", "m"), TWO, varied, feature_sets=("all", "few"))
    shown = record.sweep.feature_set
    other = "few" if shown == "all" else "all"
    for draw in (sweep, sweep_gaps):
        assert f"features {shown}; not drawn: {other}." in " ".join(draw(record, statistics, "k").notes)


def test_of_a_mismatch_one_side_alone_is_limited():
    record, statistics = judged(("f", "m"), TWO, lambda *_: None, metric="uncertainty_mismatch")
    turned = dataclasses.replace(statistics.results, results=tuple(map(_turned, statistics.results.results)))
    root = drawn(sweep_gaps(record, Swept(turned, statistics.plan), "k"))
    strips = [part.get("d") for part in root.iter() if part.get("stroke-linecap")]
    lowest = min(float(x) for strip in strips for x in re.findall(r"M([\d.]+)", strip))
    for band in (part for part in root.iter() if part.tag.endswith("rect")):
        assert float(band.get("x")) == pytest.approx(lowest, abs=0.02)


def _turned(result):
    """The same training, whose uncertainty tells the groups apart better than its errors do."""
    pairs = tuple(
        dataclasses.replace(pair, error_auc=pair.uncertainty_auc, uncertainty_auc=0.9) for pair in result.pairs
    )
    return dataclasses.replace(result, pairs=pairs)
