from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from benchmarks.calibration import COLUMNS, Cell, cells, run_cell
from benchmarks.calibration_check import check_against_audit
from benchmarks.calibration_gates import normal_critical_value, oracle_statistic, pairwise
from benchmarks.calibration_kinds import KINDS, world_of
from benchmarks.calibration_worlds import MEANS, Design, draw_areas, draw_events, draw_means, draw_mismatch


@pytest.mark.parametrize("name", [names[0] for names in KINDS.values()])
def test_p_values_are_those_of_audit(name):
    world = world_of(name)
    check_against_audit(world.evidence, world.limit, np.array([world.highest / 3.0]), data_sets=1)


def test_groups_with_too_few_clusters_are_inconclusive_by_rule():
    assert run_cell(Cell("proportion", True, (5, 9), 2, 100, (0,))).endswith("inconclusive by rule")


def test_a_row_holds_all_columns_and_does_not_change():
    cell = Cell("normal", True, (20, 40), 2, 40, (1, 2))
    *numbers, _ = run_cell(cell).split()
    assert len(numbers) == len(COLUMNS) + 4
    assert run_cell(cell).split()[:-1] == numbers


def test_each_cell_has_its_own_seed_whatever_is_selected():
    everything = cells(None, 100, quick=False)
    assert len({cell.seed for cell in everything}) == len(everything) == 6 * 2 * 4 * 4
    assert cells("auc", 100, quick=False) == [cell for cell in everything if cell.name == "auc"]


@pytest.mark.parametrize(
    ("name", "scaled"), [(name, scaled) for name in MEANS for scaled in (False, True) if not scaled or name != "normal"]
)
def test_means_differ_by_the_disparity(name, scaled):
    shape = MEANS[name]
    design = Design((40, 20), 2, True, 0.5 * shape.deviation, worse=1, scaled=scaled)
    samples = draw_means(shape, design, 2_500, np.random.default_rng(1))
    means = [samples.values[samples.codes % 2 == parity].mean() for parity in (0, 1)]
    assert means == pytest.approx([shape.mean, shape.mean + 0.5 * shape.deviation], abs=0.03 * shape.deviation)
    assert samples.values[samples.codes % 2 == 0].std() == pytest.approx(shape.deviation, rel=0.1)


def within_clusters(values, clusters):
    """Correlation of the first two samples of each cluster."""
    first = np.flatnonzero(np.diff(clusters, prepend=-1))
    first = first[np.bincount(clusters)[clusters[first]] > 1]
    return np.corrcoef(values[first], values[first + 1])[0, 1]


@pytest.mark.parametrize("name", MEANS)
def test_errors_of_a_cluster_are_correlated(name):
    samples = draw_means(MEANS[name], Design((50, 50), 2, True), 300, np.random.default_rng(2))
    assert 0.28 < within_clusters(samples.values, samples.clusters) < 0.5


def test_events_have_their_rates_and_correlation_and_clusters_their_sizes():
    design = Design((34, 62), 2, True, 0.05)
    samples = draw_events(design, 2_000, np.random.default_rng(3))
    first_of_cluster = samples.codes[np.unique(samples.clusters, return_index=True)[1]]
    np.testing.assert_array_equal(np.bincount(first_of_cluster), np.tile([34, 62], 2_000))
    rates = [samples.values[samples.codes % 2 == parity].mean() for parity in (0, 1)]
    assert rates == pytest.approx([0.35, 0.3], abs=0.01)
    assert within_clusters(samples.values, samples.clusters) == pytest.approx(0.4, abs=0.02)
    sizes = np.bincount(samples.clusters)
    assert (sizes.min(), sizes.max(), sizes[:34].sum()) == (2, 5, 8 * 14 + 9)


def test_areas_are_those_of_the_design():
    samples = draw_areas(Design((1_000, 1_000), 2, False, 0.1), 20, np.random.default_rng(4))
    for group, expected in ((0, 0.75), (1, 0.85)):
        some, positive = samples.codes % 2 == group, samples.other
        wins = stats.mannwhitneyu(samples.values[some & positive], samples.values[some & ~positive]).statistic
        assert wins / 10_000**2 == pytest.approx(expected, abs=0.01)
    assert samples.other.mean() == 0.5


def test_mismatches_are_those_of_the_design():
    samples = draw_mismatch(Design((1_000, 1_000), 2, False, 0.1, worse=1), 20, np.random.default_rng(5))
    worse = samples.codes % 2 == 1
    for values, expected in ((samples.values, 0.85), (samples.other, 0.75)):
        assert stats.mannwhitneyu(values[worse], values[~worse]).statistic / 20_000**2 == pytest.approx(
            expected, abs=0.01
        )


def test_the_oracle_keeps_its_level_at_the_limit():
    rng, design = np.random.default_rng(6), Design((10, 20), 4)
    deviations = np.array([0.1, 0.07, 0.1, 0.07])
    seen = pairwise(rng.normal(size=(20_000, 4)) * deviations + np.where(design.is_worse, 0.05, 0.0), 4)
    critical = normal_critical_value(design, deviations, 0.05, rng)
    assert np.mean(oracle_statistic(seen, deviations, 0.05) > critical) == pytest.approx(0.05, abs=0.008)


def test_titles_name_one_cell_each():
    titles = {cell.title for cell in cells(None, 1_000, quick=False)}
    assert len(titles) == 192
    assert "lognormal   samples  500/500  3" in titles
