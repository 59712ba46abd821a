"""A group's influence, as much of it as a baseline keeps: enough to compare another model with it, unpaired."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fairness_checks.baseline.document import GroupEntry
from fairness_checks.records.parts import GroupRecord
from fairness_checks.stats.influence import Influence
from fairness_checks.stats.ranks import inner
from fairness_checks.stats.roots import root

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
        sums: npt.NDArray[np.float64] = influence.psi
        if clusters is not None:
            code = np.unique(clusters[g], return_inverse=True)[1]
            sums = np.bincount(code, weights=influence.psi).astype(np.float64)
        entries.append(
            GroupEntry(
                name=group.name,
                n=group.n,
                events=group.events,
                value=group.rate,
                variance=inner(sums, sums) if known else None,
                df=float(influence.freedom) if known else None,
                centre=float(influence.centre) if known else None,
                third=inner(sums * sums, sums) if known else None,
                extra=tuple(influence.extra.tolist()) if known else (),
            )
        )
    return tuple(entries)


def stored_influence(entry: GroupEntry) -> Influence:
    """Return an influence with the value, variance and third moment that a baseline kept."""
    # Two numbers stand for all samples: a > 0 and -b < 0 with a^2 + b^2 the variance and a^3 - b^3 the third moment.
    # That is all that a test of samples which are not paired reads of them. ValueError if the group has no variance.
    if entry.value is None or entry.variance is None or entry.df is None or entry.centre is None or entry.third is None:
        raise ValueError(f"group {entry.name} has no variance")
    size = math.sqrt(entry.variance)
    cubes = min(max(entry.third / size**3, -1.0), 1.0) if size**3 > 0.0 else 0.0
    # cos^3 - sin^3 falls from 1 to -1 between 0 and a right angle.
    angle = root(lambda t: math.cos(t) ** 3 - math.sin(t) ** 3 - cubes, 0.0, math.pi / 2.0)
    psi = size * np.array([math.cos(angle), -math.sin(angle)])
    return Influence(entry.value, entry.centre, psi, np.array(entry.extra), entry.df)
