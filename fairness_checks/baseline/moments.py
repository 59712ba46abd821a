"""A group's influence, as much of it as a baseline keeps: enough to compare another model with it, unpaired."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from fairness_checks.baseline.document import GroupEntry
from fairness_checks.records.parts import GroupRecord
from fairness_checks.stats.influence import Influence, influence_of_moments

__all__ = ["group_entries", "stored_influence"]


def group_entries(
    groups: Sequence[GroupRecord],
    influences: Sequence[Influence],
    clusters: Sequence[npt.NDArray[np.int64]] | None,
) -> tuple[GroupEntry, ...]:
    """Return groups as a baseline keeps them; samples of one cluster count together."""
    entries = []
    for g, (group, influence) in enumerate(zip(groups, influences, strict=True)):
        known = math.isfinite(influence.freedom) and math.isfinite(influence.value) and group.problem is None
        if clusters is not None:
            code = np.unique(clusters[g], return_inverse=True)[1]
            influence = replace(influence, psi=np.bincount(code, weights=influence.psi).astype(np.float64))
        sums = influence.psi
        entries.append(
            GroupEntry(
                name=group.name,
                n=group.n,
                events=group.events,
                value=group.rate,
                variance=influence.total(sums, sums) if known else None,
                df=float(influence.freedom) if known else None,
                centre=float(influence.centre) if known else None,
                third=influence.total(sums, sums, sums) if known else None,
                extra=tuple(influence.extra.tolist()) if known else (),
            )
        )
    return tuple(entries)


def stored_influence(entry: GroupEntry) -> Influence:
    """Return an influence with the value, variance and third moment that a baseline kept."""
    # ValueError if the group has no variance.
    if entry.value is None or entry.variance is None or entry.df is None or entry.centre is None or entry.third is None:
        raise ValueError(f"group {entry.name} has no variance")
    extra = np.array(entry.extra)
    return influence_of_moments(entry.value, entry.centre, entry.variance, entry.third, extra, entry.df)
