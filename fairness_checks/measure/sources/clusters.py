"""Clusters of samples in an engine: counted by what they hold, or summed, at two levels."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fairness_checks.inputs.engine import Answer, Engine
from fairness_checks.inputs.narwhals_later import nw
from fairness_checks.stats.cluster_sums import ClusterMoments

__all__ = ["SORTS", "Profiles", "distinct_clusters", "profiles_of", "sums_of_clusters", "to_moments"]

SORTS = ("tn", "fp", "fn", "tp")
"""What a cluster holds; the order is that of `metrics.CELLS`."""

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Profiles:
    """Clusters of G groups by what they hold: P profiles."""

    group: Counts  # (P,)
    held: Counts  # (P, 4), samples of each of `SORTS`; (P, 1), samples, where there are no labels or decisions
    times: Counts  # (P,), clusters


def profiles_of(engine: Engine, features: Sequence[str]) -> Answer:
    """Count clusters (`times`) by features and by the samples that they hold of each sort, or of any (`m`)."""
    frame, cluster = engine.frame, [*features, "cluster"]
    if len(engine.outcomes) == 2:
        label, decided = nw.col("label"), nw.col("decided")
        sorts = {"tn": (1 - label) * (1 - decided), "fp": (1 - label) * decided, "fn": label * (1 - decided)}
        sorted_ = frame.with_columns(**sorts, tp=label * decided)
        held = sorted_.group_by(*cluster).agg(*(nw.col(sort).sum() for sort in SORTS))
        counted = held.group_by(*features, *SORTS)
    else:
        counted = frame.group_by(*cluster).agg(nw.len().alias("m")).group_by(*features, "m")
    return engine.ask(counted.agg(nw.len().alias("times")), what="sizes and contents of clusters")


def distinct_clusters(engine: Engine) -> Answer:
    """Count the clusters (`clusters`)."""
    return engine.ask(engine.frame.select("cluster").unique().select(nw.len().alias("clusters")))


_FEATURES = ("z", "m")  # of a cluster: the sum of its deviations, and its samples


def sums_of_clusters(engine: Engine, features: Sequence[str], value: nw.Expr, pivot: float) -> Answer:
    """Sum, by features, products of clusters' sums of deviations from a number and of their sizes, up to the third."""
    away = engine.frame.with_columns(away=value - pivot).with_columns(square=nw.col("away") * nw.col("away"))
    of_cluster = away.group_by(*features, "cluster").agg(
        nw.col("away").sum().alias("z"), nw.col("square").sum().alias("within"), nw.len().alias("m")
    )
    floats = of_cluster.with_columns(m=nw.col("m").cast(nw.Float64))
    products = {}
    for power in (2, 3):
        for some in itertools.combinations_with_replacement(_FEATURES, power):
            first, *others = (nw.col(name) for name in some)
            for other in others:
                first = first * other
            products["".join(some)] = first
    summed = floats.with_columns(**products, by_size=nw.col("z") * nw.col("z") / nw.col("m"))
    columns = [*_FEATURES, *products, "by_size", "within"]
    return engine.ask(
        summed.group_by(*features).agg(nw.len().alias("clusters"), *(nw.col(name).sum() for name in columns))
    )


def to_moments(answer: Answer, place: Counts, groups: int, pivot: float) -> ClusterMoments:
    """Return the sums of an answer whose rows are of the groups `place`, each of one."""

    def of(name: str) -> npt.NDArray[np.float64]:
        found = np.zeros(groups)
        np.add.at(found, place, answer.real(name))
        return found

    clusters = np.zeros(groups, dtype=np.int64)
    np.add.at(clusters, place, answer.whole("clusters"))
    z, m = of("z"), of("m")

    def table(power: int) -> npt.NDArray[np.float64]:
        found = np.zeros((groups, *(len(_FEATURES),) * power))
        for at in np.ndindex(found.shape[1:]):
            found[(slice(None), *at)] = of("".join(sorted((_FEATURES[i] for i in at), key=_FEATURES.index)))
        return found

    def square(corner: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.stack([np.stack([corner, z], axis=1), np.stack([z, m], axis=1)], axis=1)

    centre = np.column_stack([np.full(groups, pivot), np.zeros(groups)])
    first = np.column_stack([z, m])
    return ClusterMoments(clusters, first, table(2), table(3), square(of("by_size")), square(of("within")), centre)
