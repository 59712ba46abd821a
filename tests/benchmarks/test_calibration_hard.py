from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from benchmarks.calibration_hard import WORLDS, HardCell, Truth, hard_cells, run_hard_cell, simulated
from benchmarks.hard_worlds import LAWS, METRICS, Layout, place
from fairness_checks import Predictions, audit, audit_uncertainty


def drawn_once(law, metric, units, worse, difference, rng, data_sets=1):
    placed = place(Layout(law, units), data_sets, rng)
    is_worse = placed.codes % 2 == worse
    return placed, is_worse, METRICS[metric].draw(placed, is_worse, difference, rng)


def value(metric, given, some):
    """The metric of some rows, by another path than ours."""
    given = {name: np.asarray(values)[some] for name, values in given.items()}
    if metric.startswith("rate"):
        return 1.0 - given["y_pred"].mean()
    if metric in ("normal", "lognormal"):
        return given["error"].mean()
    if metric == "auc":
        positive, scores = given["y_true"], given["y_score"]
        wins = stats.mannwhitneyu(scores[positive], scores[~positive]).statistic
        return wins / (positive.sum() * (~positive).sum())
    right = given.get("y_pred") == given["y_true"]
    if metric == "balanced":
        return (right[given["y_true"]].mean() + right[~given["y_true"]].mean()) / 2.0
    cuts = np.minimum((given["y_score"] * 10).astype(int), 9)
    return sum(
        abs((given["y_true"][cuts == b] - given["y_score"][cuts == b]).mean()) * (cuts == b).mean() for b in set(cuts)
    )


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("metric", [metric for metric in METRICS if metric != "mismatch"])
def test_groups_differ_by_the_limit(metric, law):
    limit = METRICS[metric].limit
    _, worse, given = drawn_once(law, metric, (50, 80), 1, limit, np.random.default_rng(1), data_sets=600)
    high = metric not in ("auc", "balanced")
    difference = (value(metric, given, worse) - value(metric, given, ~worse)) * (1.0 if high else -1.0)
    assert difference == pytest.approx(limit, rel=0.15 if metric == "rate 0.01" else 0.08)


@pytest.mark.parametrize("law", [law for law in LAWS if law != "shared"])
def test_mismatches_are_the_limit(law):
    _, worse, given = drawn_once(law, "mismatch", (50, 80), 0, 0.3, np.random.default_rng(2), data_sets=300)
    areas = [
        stats.mannwhitneyu(given[name][worse], given[name][~worse]).statistic / (worse.sum() * (~worse).sum())
        for name in ("error", "uncertainty")
    ]
    assert areas == pytest.approx([0.85, 0.55], abs=0.012)


def test_sizes_of_clusters_are_those_of_their_law():
    rng = np.random.default_rng(3)
    of = {law: np.bincount(place(Layout(law, (30, 30)), 200, rng).clusters) for law in LAWS}
    assert set(of["single"]) == {1}
    assert of["geometric"].mean() == pytest.approx(4.0, rel=0.05)
    assert of["Pareto"].max() == 50
    assert sorted(set(of["one huge"])) == [2, 39]
    assert sorted(set(of["by outcome"])) == [1, 2, 6, 7, 8, 9, 10]
    placed = place(Layout("shared", (30, 30)), 200, rng)
    both = {(int(c), int(g)) for c, g in zip(placed.clusters, placed.codes, strict=True)}
    assert len(both) > 1.5 * len(set(placed.clusters.tolist()))


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("metric", METRICS)
def test_p_values_are_those_of_audit(metric, law):
    if law == "single" and metric.startswith("rate"):
        pytest.skip("rates of independent samples are drawn as counts")
    limit, units, seed = METRICS[metric].limit, (60, 80), (5,)
    cell = HardCell(law, metric, units, seed)
    outside, within, judged = simulated(cell, Truth(limit, 0, limit), 1, 0.05, np.random.default_rng(6))[:, 0]
    placed, _, given = drawn_once(law, metric, units, 0, limit, np.random.default_rng(6))
    features = {"group": np.array(["a", "b"])[placed.codes]}
    clusters = None if law == "single" else placed.clusters
    predictions = Predictions(**given, sensitive_features=features, cluster=clusters)
    if metric == "mismatch":
        record = audit_uncertainty(predictions, max_mismatch=limit)
    else:
        record = audit(predictions, metric=METRICS[metric].metric, max_difference=limit)
    assert (judged == 1.0) == (record.p_violation is not None)
    if record.p_violation is not None:
        for ours, audited in ((outside, record.p_violation), (within, record.p_compliance)):
            assert ours == pytest.approx(audited, rel=1e-6) or min(ours, audited) >= 0.05


def test_each_cell_has_its_own_seed_and_title_and_each_world_a_small_one():
    everything = hard_cells("all")
    assert len({cell.seed for cell in everything}) == len({cell.title for cell in everything}) == len(everything)
    assert {cell.world for cell in hard_cells("all", small=True)} == set(WORLDS)
    assert hard_cells("Pareto") == [cell for cell in everything if cell.world == "Pareto"]


@pytest.mark.parametrize("cell", [*hard_cells("rare")[:1], *hard_cells("strata")[:3]], ids=lambda cell: cell.title)
def test_a_row_does_not_change(cell):
    *numbers, _ = run_hard_cell(cell, 0.05, 20).split()
    assert run_hard_cell(cell, 0.05, 20).split()[:-1] == numbers
