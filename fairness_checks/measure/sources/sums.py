"""Sums of the powers of a value, which an engine adds up in one query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fairness_checks.errors import InvalidPredictions
from fairness_checks.inputs.engine import Answer, Engine
from fairness_checks.inputs.narwhals_later import nw
from fairness_checks.question.metrics import Metric
from fairness_checks.stats.calibration_bins import BINS
from fairness_checks.stats.moments import MeanStatistics, moments_of_sums

__all__ = ["Sums", "refuse_lost", "refuse_range", "sums_by_cell", "sums_of"]

_PROBED = 4_096  # rows, whose mean is near enough to all others to add up deviations from it
_LARGEST = 1e70  # as `kinds.measured` has them: third powers must be numbers, and must not vanish
_SMALLEST_SPREAD = 1e-70

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """Moments of C cells, each a row of an answer."""

    answer: Answer
    moments: MeanStatistics  # of C groups
    distance: Floats  # (C,), of a mean from where its deviations were added up; 0 where nothing varies
    lowest: float
    highest: float


def sums_of(engine: Engine, value: nw.Expr, bins: nw.Expr | None = None) -> Sums:
    """Add up a value by all features, label and decision, and by bins of [0, 1] where the value is label - score."""
    # Within a bin a residual lies near that of the bin's middle; other values near the mean of some.
    frame = engine.frame.with_columns(value=value)
    if bins is not None:
        frame = frame.with_columns(bin=bins)
        middle = (nw.col("bin").cast(nw.Float64) + 0.5) / BINS
        return _added(engine, frame.with_columns(pivot=nw.col("label") - middle))
    some = engine.ask(frame.head(_PROBED).select(nw.col("value").mean().alias("mean")))
    found = _added(engine, frame.with_columns(pivot=nw.lit(float(some.real("mean")[0]))))
    whole = found.moments
    mean, spread = np.average(whole.mean, weights=whole.n), whole.m2.sum() / whole.n.sum()
    if np.isfinite(mean) and float(np.average(found.distance**2, weights=whole.n)) > 100.0 * spread:
        return _added(engine, frame.with_columns(pivot=nw.lit(float(mean))))  # the first rows were others than the rest
    return found


def sums_by_cell(engine: Engine, value: nw.Expr) -> Sums:
    """Add up the powers of deviations from each cell's own mean: for cells that vary little beside their distance."""
    frame = engine.frame.with_columns(value=value)
    keys = [*engine.features.values(), *engine.outcomes]
    return _added(engine, frame.with_columns(pivot=nw.col("value").mean().over(*keys)))


def _added(engine: Engine, frame: nw.LazyFrame[Any]) -> Sums:
    away = frame.with_columns(away=nw.col("value") - nw.col("pivot")).with_columns(
        square=nw.col("away") * nw.col("away")
    )
    keys = [*engine.features.values(), *engine.outcomes, *(["bin"] if "bin" in frame.columns else [])]
    powers = away.with_columns(cube=nw.col("square") * nw.col("away"))
    answer = engine.ask(
        powers.group_by(*keys).agg(
            nw.len().alias("n"),
            nw.col("value").count().alias("there"),
            nw.col("away").sum().alias("first"),
            nw.col("square").sum().alias("second"),
            nw.col("cube").sum().alias("third"),
            nw.col("value").min().alias("lowest"),
            nw.col("value").max().alias("highest"),
            nw.col("pivot").max().alias("pivot"),
        )
    )
    lowest, highest, pivot = (answer.real(name) for name in ("lowest", "highest", "pivot"))
    n = answer.whole("n")
    refuse_lost(engine, n, answer.whole("there"))
    moments = moments_of_sums(n, pivot, *(answer.real(name) for name in ("first", "second", "third")))
    same = lowest == highest  # of a constant no rounding is left
    moments = MeanStatistics(
        n,
        np.where(same, lowest, moments.mean),
        np.where(same, 0.0, moments.m2),
        np.where(same, 0.0, moments.m3),
    )
    return Sums(answer, moments, np.where(same, 0.0, moments.mean - pivot), lowest.min(), highest.max())


def refuse_lost(engine: Engine, n: Counts, there: Counts) -> None:
    """Refuse rows without a value, of which the first look found none."""
    if (n != there).any():
        raise InvalidPredictions(
            f"{engine.source}: its rows changed while they were read ({int((n - there).sum()):,} values are missing "
            "now); give a table that nobody writes to, such as a snapshot"
        )


def refuse_range(metric: Metric, lowest: float, highest: float) -> None:
    """Refuse values outside a metric's range, and those whose third powers are no numbers."""
    low, high = max(metric.lowest, -_LARGEST), min(metric.highest, _LARGEST)
    if not (lowest >= low and highest <= high):
        raise InvalidPredictions(
            f"{metric.name}: values from {lowest:g} to {highest:g} lie outside [{low:g}, {high:g}]"
        )
    if 0.0 < highest - lowest < _SMALLEST_SPREAD:
        raise InvalidPredictions(
            f"{metric.name}: the values differ by {highest - lowest:.0e} at most, of which no third power is left; "
            f"give them in larger units, so that they differ by {_SMALLEST_SPREAD:g} or more"
        )
