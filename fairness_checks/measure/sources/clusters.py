"""Clusters of samples in an engine: counted by what they hold, or summed, at two levels."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fairness_checks.inputs.engine import Answer, Engine
from fairness_checks.inputs.narwhals_later import nw
from fairness_checks.stats.cluster_sums import ClusterMoments
from fairness_checks.typing import Array

__all__ = [
    "SORTS",
    "Profiles",
    "distinct_clusters",
    "profiles_of",
    "sorts_of_pairs",
    "sums_of_clusters",
    "sums_of_pairs",
    "to_moments",
    "to_pairs",
]

SORTS = ("tn", "fp", "fn", "tp")
"""What a cluster holds; the order is that of `metrics.CELLS`."""

_OTHER = "other"

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
        held = frame.with_columns(**_sorts()).group_by(*cluster).agg(*(nw.col(sort).sum() for sort in SORTS))
        counted = held.group_by(*features, *SORTS)
    else:
        counted = frame.group_by(*cluster).agg(nw.len().alias("m")).group_by(*features, "m")
    return engine.ask(counted.agg(nw.len().alias("times")), what="sizes and contents of clusters")


def _sorts() -> dict[str, nw.Expr]:
    label, decided = nw.col("label"), nw.col("decided")
    of_sorts = (1 - label) * (1 - decided), (1 - label) * decided, label * (1 - decided), label * decided
    return dict(zip(SORTS, of_sorts, strict=True))


def sorts_of_pairs(engine: Engine, features: Sequence[str]) -> tuple[Answer, Answer]:
    """Sum products of what a cluster holds of each sort in one group and in another; see `_of_pairs`."""
    return _of_pairs(engine, features, {name: sort.cast(nw.Float64) for name, sort in _sorts().items()})


def sums_of_pairs(engine: Engine, features: Sequence[str], deviation: nw.Expr) -> tuple[Answer, Answer]:
    """Sum products of clusters' sums of deviations, `z`, and of their sizes, `m`; see `_of_pairs`."""
    return _of_pairs(engine, features, {"z": deviation, "m": nw.lit(1.0)})


def _of_pairs(engine: Engine, features: Sequence[str], columns: Mapping[str, nw.Expr]) -> tuple[Answer, Answer]:
    """Sum products of clusters' sums by pairs of groups; the two answers are one table, read by one group and other."""
    frame = engine.frame.with_columns(**columns)
    cells = frame.group_by(*features, "cluster").agg(*(nw.col(name).sum() for name in columns))
    other = cells.select("cluster", *(nw.col(name).alias(f"{name}_{_OTHER}") for name in (*features, *columns)))
    products = {f"{a}_{b}": nw.col(a) * nw.col(f"{b}_{_OTHER}") for a in columns for b in columns}
    both = cells.join(other, on=["cluster"], how="inner").with_columns(**products)
    keys = [*features, *(f"{name}_{_OTHER}" for name in features)]
    found = engine.ask(both.group_by(*keys).agg(*(nw.col(name).sum() for name in products)), what="pairs of groups")
    return found, Answer(found.table, {name: f"{at}_{_OTHER}" for name, at in found.features.items()})


def to_pairs(answer: Answer, places: tuple[Counts, Counts], groups: int, names: Sequence[str]) -> Array:
    """Return the sums of an answer by both groups and both of F names, shape (G, G, F, F)."""
    found = np.zeros((groups, groups, len(names), len(names)))
    for i, j in np.ndindex(found.shape[2:]):
        np.add.at(found[:, :, i, j], places, answer.real(f"{names[i]}_{names[j]}"))
    return found


def distinct_clusters(engine: Engine) -> Answer:
    """Count the clusters (`clusters`)."""
    return engine.ask(engine.frame.select("cluster").unique().select(nw.len().alias("clusters")))


def sums_of_clusters(
    engine: Engine, keys: Sequence[str], deviations: Sequence[nw.Expr], columns: Mapping[str, nw.Expr] | None = None
) -> Answer:
    """Sum, by keys, products of clusters' sums of deviations and of their sizes, up to the third.

    Keys are features or names among `columns`, of which the deviations may be made, too.
    """
    away = {f"z{at}": deviation for at, deviation in enumerate(deviations)}
    frame = (engine.frame.with_columns(**columns) if columns else engine.frame).with_columns(**away)
    frame = frame.with_columns(**{f"{z}_within": nw.col(z) * nw.col(z) for z in away})
    of_cluster = frame.group_by(*keys, "cluster").agg(
        *(nw.col(name).sum() for z in away for name in (z, f"{z}_within")), nw.len().alias("m")
    )
    products = {}
    for z in away:
        for some in _products((z, "m")):
            first, *others = (nw.col(name) for name in some)
            for other in others:
                first = first * other
            products["".join(some)] = first
        products[f"{z}_by_size"] = nw.col(z) * nw.col(z) / nw.col("m")
    summed = of_cluster.with_columns(m=nw.col("m").cast(nw.Float64)).with_columns(**products)
    names = [*away, "m", *(f"{z}_within" for z in away), *products]
    return engine.ask(summed.group_by(*keys).agg(nw.len().alias("clusters"), *(nw.col(name).sum() for name in names)))


def _products(features: Sequence[str]) -> list[tuple[str, ...]]:
    return [some for power in (2, 3) for some in itertools.combinations_with_replacement(features, power)]


def to_moments(answer: Answer, place: Counts, groups: int, pivot: npt.ArrayLike, at: int = 0) -> ClusterMoments:
    """Return the sums of one deviation, from `pivot` in each group, of an answer whose rows are of the groups `place`.

    Shapes: place (rows,), pivot () or (G,).
    """
    features = (f"z{at}", "m")

    def of(name: str) -> npt.NDArray[np.float64]:
        found = np.zeros(groups)
        np.add.at(found, place, answer.real(name))
        return found

    clusters = np.zeros(groups, dtype=np.int64)
    np.add.at(clusters, place, answer.whole("clusters"))
    z, m = (of(name) for name in features)

    def table(power: int) -> npt.NDArray[np.float64]:
        found = np.zeros((groups, *(len(features),) * power))
        for entry in np.ndindex(found.shape[1:]):
            found[(slice(None), *entry)] = of("".join(features[i] for i in sorted(entry)))
        return found

    def square(corner: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.stack([np.stack([corner, z], axis=1), np.stack([z, m], axis=1)], axis=1)

    centre = np.column_stack([np.broadcast_to(pivot, groups), np.zeros(groups)])
    first, by_size, within = np.column_stack([z, m]), square(of(f"z{at}_by_size")), square(of(f"z{at}_within"))
    return ClusterMoments(clusters, first, table(2), table(3), by_size, within, centre)
