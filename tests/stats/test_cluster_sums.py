from __future__ import annotations

import dataclasses
from functools import reduce
from operator import add

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairness_checks.stats.cluster_sums import moments_of_clusters
from fairness_checks.stats.clusters import cluster_cells, cluster_evidence


def rows(seed, n=400, groups=3, clusters=60, spanning=True, values=2):
    rng = np.random.default_rng(seed)
    cluster = rng.integers(0, clusters, n)
    group = rng.integers(-1, groups, n) if spanning else np.where(rng.random(n) < 0.1, -1, cluster % groups)
    return rng, group, cluster, rng.standard_normal((n, values)) + 0.5 * (cluster % 5)[:, None]


def influence_of(group, values, centre, coefficients):
    """The samples' influences, of values less a centre of their group."""
    g = np.maximum(group, 0)
    return ((values - centre[g]) * coefficients[g]).sum(axis=1)


def same(found, expected, tolerance=1e-9):
    for field in dataclasses.fields(expected):
        one, other = getattr(found, field.name), getattr(expected, field.name)
        if other is None or one is None:
            assert one is other
        else:
            np.testing.assert_allclose(one, other, rtol=tolerance, atol=1e-12, err_msg=field.name)


@pytest.mark.parametrize("spanning", [True, False], ids=["across groups", "inside groups"])
@pytest.mark.parametrize("offset", [0.0, 1e6], ids=["near zero", "far away"])
@pytest.mark.parametrize("parts", [1, 5])
def test_evidence_follows_from_moments_of_parts_for_any_coefficients(spanning, offset, parts):
    rng, group, cluster, values = rows(0, spanning=spanning)
    values = values + offset
    coefficients = rng.random((3, 2)) / 400
    centre = np.array([values[group == g].mean(axis=0) for g in range(3)])
    expected = cluster_evidence(cluster_cells(group, 3, cluster), influence_of(group, values, centre, coefficients))
    pieces = []
    for part in range(parts):
        mine = cluster % parts == part
        pieces.append(moments_of_clusters(cluster_cells(group[mine], 3, cluster[mine]), values[mine], centred=True))
    whole = reduce(add, pieces)
    np.testing.assert_allclose(whole.means()[:, :2], centre, rtol=1e-12)
    shift = (coefficients * (whole.centre[:, :2] - centre)).sum(axis=1)
    same(whole.evidence(np.column_stack([coefficients, shift])), expected, 1e-6 if offset else 1e-9)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**16), st.permutations(range(4)), st.booleans())
def test_moments_add_up_in_any_order_and_grouping(seed, order, spanning):
    _, group, cluster, values = rows(seed, n=60, clusters=16, spanning=spanning)
    pieces = [
        moments_of_clusters(cluster_cells(group[mine], 3, cluster[mine]), values[mine], centred=True)
        for mine in (cluster % 4 == part for part in range(4))
    ]
    zero = np.zeros((3, 3))
    a, b, c, d = (pieces[i] for i in order)
    one, other = ((a + b) + (c + d)).about(zero), (pieces[0] + (pieces[1] + (pieces[2] + pieces[3]))).about(zero)
    same(one, other)


def test_groups_are_taken_by_position():
    _, group, cluster, values = rows(1)
    whole = moments_of_clusters(cluster_cells(group, 3, cluster), values)
    some = whole.take([2, -1, 0])
    assert some.clusters.tolist() == [whole.clusters[2], 0, whole.clusters[0]]
    assert np.isnan(some.evidence(np.ones((3, 3))).variance[1])
    np.testing.assert_allclose(some.across[0, 2], whole.across[2, 0])
