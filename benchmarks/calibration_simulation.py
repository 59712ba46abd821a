"""Error rates of the gates at one truth, and the disparity that has an asymptotic power of 80 %."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.calibration_gates import ALPHA, Evidence, asymptotic_power
from benchmarks.calibration_kinds import World
from benchmarks.calibration_worlds import Array, Design

__all__ = ["Rate", "detectable", "simulate", "true_deviations", "truths_at_limit"]

_ROWS = 2_000_000  # of one part of the data sets, for memory
_MOST_RESAMPLED = 300  # data sets given to the bootstrap gate


def _parts(world: World, design: Design, data_sets: int, rng: np.random.Generator) -> Iterator[Evidence]:
    """Simulate data sets in parts that fit into memory."""
    rows = int(design.size.sum()) * (4 if design.clustered else 1)
    most = data_sets if world.counted and not design.clustered else max(_ROWS // rows, 1)
    for start in range(0, data_sets, most):
        yield world.evidence(design, min(most, data_sets - start), rng)


def truths_at_limit(world: World, base: Design) -> list[Design]:
    """Return the assignments of a design whose true disparity is the limit: either size worse, shifted or scaled."""
    return [
        replace(base, disparity=world.limit, worse=worse, scaled=scaled)
        for worse in ((0, 1) if base.sizes[0] != base.sizes[1] else (0,))
        for scaled in ((False, True) if world.may_scale else (False,))
    ]


@dataclass(frozen=True, slots=True)
class Rate:
    """Shares of data sets at one truth; `plain` and `bootstrap` are None where there is no such gate."""

    fail: float
    passed: float
    plain_fail: float | None
    plain_pass: float | None
    point: float
    bootstrap: float | None
    disparity: Array


def simulate(world: World, design: Design, data_sets: int, rng: np.random.Generator, *, peers: bool) -> Rate:
    """Judge data sets of one design; by the other gates too where `peers`."""
    ours, plain, resampled, disparity = [], [], [], []
    left = min(_MOST_RESAMPLED, data_sets // 4) // (3 if design.groups > 6 else 1) if peers else 0
    for evidence in _parts(world, design, data_sets, rng):
        if not evidence.judged.all():
            raise ValueError(f"{world.name}, {design}: some groups cannot be judged and others can")
        found = evidence.ours(world.limit)
        ours.append((found.fails, found.passes))
        peer = evidence.plain(world.limit) if peers else None
        if peer is not None:
            plain.append((peer.fails, peer.passes))
        for s in range(min(left, len(found.fails))):
            again = evidence.resampled(s, rng)
            if again is not None:
                resampled.append(float(np.quantile(again, ALPHA)) > world.limit)
        left -= min(left, len(found.fails))
        disparity.append(evidence.disparity)
    seen = np.concatenate(disparity)
    fail, passed = np.concatenate(ours, axis=1).mean(axis=1).tolist()
    plain_fail, plain_pass = np.concatenate(plain, axis=1).mean(axis=1).tolist() if plain else (None, None)
    point = float(np.mean(seen.max(axis=1) > world.limit))
    return Rate(fail, passed, plain_fail, plain_pass, point, float(np.mean(resampled)) if resampled else None, seen)


def true_deviations(world: World, design: Design, data_sets: int, rng: np.random.Generator) -> Array:
    """Return the standard errors of the groups' estimates, shape (G,), from simulated pairs of groups."""
    pair = world.evidence(replace(design, groups=2), data_sets, rng).deviations
    return np.asarray(np.where(np.arange(design.groups) % 2 == 0, pair[0], pair[1]))


def detectable(world: World, design: Design, data_sets: int, rng: np.random.Generator) -> float:
    """Find the disparity at which the asymptotic power is 80 %."""
    grid = world.limit + (world.highest - world.limit) * np.array([0.0, 0.1, 0.25, 0.5, 1.0])
    known = np.array([true_deviations(world, replace(design, disparity=d), data_sets, rng) for d in grid])
    low, high = world.limit, world.highest
    for _ in range(10):
        middle = (low + high) / 2.0
        deviations = np.array([np.interp(middle, grid, column) for column in known.T])
        power = asymptotic_power(replace(design, disparity=middle), deviations, world.limit, rng)
        low, high = (middle, high) if power < 0.8 else (low, middle)
    return high
