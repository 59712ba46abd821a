"""The kinds of metric that are simulated: limit, data sets, and how they are judged."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.calibration_evidence import Areas, Means, Mismatches
from benchmarks.calibration_gates import Evidence
from benchmarks.calibration_rates import Rates, RateTable
from benchmarks.calibration_worlds import (
    BETTER_AREA,
    LOW_RATE,
    MEANS,
    Design,
    Samples,
    draw_areas,
    draw_events,
    draw_means,
    draw_mismatch,
)

__all__ = ["KINDS", "World", "world_of"]

KINDS = {
    "proportion": ("proportion",),
    "mean": ("normal",),
    "skewed": ("lognormal", "exponential"),
    "auc": ("auc",),
    "mismatch": ("mismatch",),
}
"""Rows of the table of each kind."""


@dataclass(frozen=True, slots=True)
class World:
    """A kind of metric, and how to simulate it.

    Parameters
    ----------
    name : str
        Row of the table.
    limit : float
        Largest disparity allowed.
    highest : float
        Largest disparity that there can be.
    smallest : tuple of int
        The smallest pair of sizes.
    evidence : callable
        Takes a design, the number of data sets and a generator, and returns the data sets.
    counted : bool
        Whether independent samples are drawn as counts, which need no memory for rows.
    may_scale : bool
        Whether worse groups may have larger errors by a factor.
    """

    name: str
    limit: float
    highest: float
    smallest: tuple[int, int]
    evidence: Callable[[Design, int, np.random.Generator], Evidence]
    counted: bool = False
    may_scale: bool = False


def _draw_rates(table: RateTable, design: Design, data_sets: int, rng: np.random.Generator) -> Evidence:
    shape = (data_sets, design.groups)
    if design.clustered:
        rows = draw_events(design, data_sets, rng)
        counts = (np.bincount(rows.codes, weights=each) for each in (rows.values, None))
        events, samples = (count.reshape(shape).astype(np.float64) for count in counts)
        return Rates(design, events, samples, table, rows)
    samples = np.broadcast_to(design.size, shape).astype(np.float64)
    rates = np.where(design.is_worse, LOW_RATE + design.disparity, LOW_RATE)
    return Rates(design, rng.binomial(design.size, rates, size=shape).astype(np.float64), samples, table, None)


def _of_rows(
    kind: Callable[[Design, Samples, int], Evidence],
    draw: Callable[[Design, int, np.random.Generator], Samples],
    design: Design,
    data_sets: int,
    rng: np.random.Generator,
) -> Evidence:
    return kind(design, draw(design, data_sets, rng), data_sets * design.groups)


def world_of(name: str) -> World:
    """Return a row's world: limits of 0.05 for rates, half a standard deviation for means, 0.1 for areas."""
    if name == "proportion":
        evidence: Callable[..., Evidence] = functools.partial(_draw_rates, RateTable(0.05))
        return World(name, 0.05, 1.0 - LOW_RATE - 0.01, (10, 20), evidence, counted=True)
    if name in MEANS:
        shape = MEANS[name]
        evidence = functools.partial(_of_rows, Means, functools.partial(draw_means, shape))
        return World(name, shape.deviation / 2, 10 * shape.deviation, (20, 40), evidence, may_scale=shape.mean > 0.0)
    evidence = functools.partial(_of_rows, Areas, draw_areas)
    if name == "mismatch":
        evidence = functools.partial(_of_rows, Mismatches, draw_mismatch)
    smallest = (10, 20) if name == "mismatch" else (20, 40)
    return World(name, 0.1, BETTER_AREA - 0.01, smallest, evidence)
