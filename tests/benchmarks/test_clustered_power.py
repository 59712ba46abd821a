from __future__ import annotations

import numpy as np
import pytest

from benchmarks.clustered_power import (
    SIZES,
    Cell,
    Group,
    ceiling_p_values,
    ceilings,
    evidence,
    level_cells,
    p_values,
    power_cells,
    rejected,
    sums_of,
)
from fairness_checks import Predictions, audit
from fairness_checks.stats.clusters import cluster_cells, cluster_evidence

FIRST, SECOND = Group("1 to 50", 20, 0.4, 0.1), Group("Pareto", 40, 0.2, 0.1)


def rows(sizes, events):
    cluster = np.repeat(np.arange(len(sizes)), sizes.astype(int))
    event = np.concatenate([np.arange(m) < y for m, y in zip(sizes, events, strict=True)])
    return cluster, event


@pytest.mark.parametrize("limit", [0.02, 0.5])
def test_p_values_are_those_of_audit(limit):
    first, second = (group.draw(np.random.default_rng(1), 1) for group in (FIRST, SECOND))
    found = p_values(sums_of(*first), sums_of(*second), limit, 0.05)
    (one, of_one), (other, of_other) = rows(first[0][0], first[1][0]), rows(second[0][0], second[1][0])
    event = np.concatenate([of_one, of_other])
    given = Predictions(
        np.ones(len(event)),
        event,
        sensitive_features={"group": np.repeat(["a", "b"], [len(one), len(other)])},
        cluster=np.concatenate([one, 1_000 + other]),
    )
    record = audit(given, metric="true_positive_rate", max_difference=limit)
    for ours, audited in zip(found, (record.p_violation, record.p_compliance), strict=True):
        assert float(ours[0]) == pytest.approx(audited, rel=1e-9) or min(float(ours[0]), audited) >= 0.05


def test_the_variance_is_that_of_cluster_evidence():
    sizes, events = FIRST.draw(np.random.default_rng(2), 1)
    cluster, event = rows(sizes[0], events[0])
    expected = cluster_evidence(
        cluster_cells(np.zeros(len(event), int), 1, cluster), (event - event.mean()) / len(event)
    )
    variance, freedom = evidence(sizes, events)
    assert variance[0] == pytest.approx(expected.variance[0], rel=1e-9)
    assert freedom[0] == pytest.approx(expected.effective[0] - 1.0, rel=1e-9)


@pytest.mark.parametrize("name", SIZES)
def test_rates_are_the_true_ones(name):
    group = Group(name, 100, 0.2, 0.1, 0.5 if not name.isdigit() else 0.0)
    sizes, events = group.draw(np.random.default_rng(3), 1_000)
    assert events.sum() / sizes.sum() == pytest.approx(group.true_rate(), rel=0.03)


def test_cells_at_the_limit_and_past_it():
    assert all(cell.at > 0.0 for cell in list(level_cells())[::20])
    assert all(abs(cell.first.rate - cell.second.rate) > cell.at for cell in power_cells())
    shares = rejected(Cell(FIRST, SECOND, 0.0), 200, 0.05, 0, peers=True)
    assert set(shares) == {"ours", "evidence", "linearised"}
    assert shares["ours"][0] > 0.5
    assert shares["ours"][1] == 0.0


@pytest.mark.parametrize("limit", [0.3, 0.5])
def test_p_values_of_ceilings_are_those_of_audit(limit):
    sizes, events = FIRST.draw(np.random.default_rng(4), 1)
    cluster, event = rows(sizes[0], events[0])
    given = Predictions(
        np.ones(len(event)), event, sensitive_features={"group": np.full(len(event), "a")}, cluster=cluster
    )
    record = audit(given, metric="true_positive_rate", max_value=limit)
    found = [float(p[0]) for p in ceiling_p_values(sums_of(sizes, events), limit)]
    assert found == pytest.approx([record.p_violation, record.p_compliance], rel=1e-9)


def test_ceilings_lie_at_the_truth_or_past_it():
    groups = list(ceilings())
    assert all(limit is None or abs(limit - group.rate) >= 0.03 for group, limit in groups)
    assert sum(limit is None for _, limit in groups) > len(groups) // 2
