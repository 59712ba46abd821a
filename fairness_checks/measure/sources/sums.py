"""Sums of the powers of a value, which an engine adds up in one query."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fairness_checks.errors import InvalidPredictions
from fairness_checks.inputs.engine import TOTAL, Answer, Engine, weighed
from fairness_checks.inputs.narwhals_later import nw
from fairness_checks.question.metrics import Metric
from fairness_checks.stats.calibration_bins import BINS, INNER
from fairness_checks.stats.moments import MeanStatistics, moments_of_sums
from fairness_checks.typing import Array

__all__ = [
    "Sums",
    "bin_of",
    "refuse_lost",
    "refuse_nan",
    "refuse_range",
    "residual_sums",
    "sums_by_cell",
    "sums_of",
    "totals_of",
]

_PROBED = 4_096  # rows, whose mean is near enough to all others to add up deviations from it
_LARGEST = 1e70  # as `kinds.measured` has them: third powers must be numbers, and must not vanish
_SMALLEST_SPREAD = 1e-70
_NUMBERS = ("score", "error", "uncertainty")
_ROUNDED = tuple(edge for edge in INNER.tolist() if math.ceil(edge * BINS) > round(edge * BINS))
"""Scores where bins meet whose product with the number of bins is rounded beyond a whole number: they alone are."""

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """Moments of C cells, each a row of an answer."""

    answer: Answer
    moments: MeanStatistics  # of C groups
    distance: Array  # (C,), of a mean from where its deviations were added up; 0 where nothing varies
    lowest: float
    highest: float


def sums_of(engine: Engine, value: nw.Expr, read: Collection[str] = ()) -> Sums:
    """Add up a value by all features, label and decision, beside what it is made of: the columns `read`."""
    # Deviations are added up from a number near the mean of some values.
    frame = engine.frame.with_columns(value=value)
    some = engine.ask(frame.head(_PROBED).select(nw.col("value").mean().alias("mean")))
    found = _added(engine, frame, float(some.real("mean")[0]), read)
    whole = found.moments
    mean, spread = np.average(whole.mean, weights=whole.n), whole.m2.sum() / whole.n.sum()
    if np.isfinite(mean) and float(np.average(found.distance**2, weights=whole.n)) > 100.0 * spread:
        return _added(engine, frame, float(mean), read)  # the first rows were others than the rest
    return found


def residual_sums(engine: Engine, residual: nw.Expr, score: nw.Expr) -> Sums:
    """Add up label - score by all features, label and `key`: minus the bin, from 1 on, of a score; 0 of the score 0.

    A score where two bins meet lies in the lower one.
    """
    frame = engine.frame.with_columns(value=residual)
    # DuckDB takes half as long for one product as for nine comparisons, but the product of some scores is rounded.
    found = _in_bins(engine, frame.with_columns(key=(score * -float(BINS)).floor()))
    if not _may_hold(found, _ROUNDED):
        return found
    return _in_bins(engine, frame.with_columns(key=-1.0 - bin_of(score)))


def bin_of(score: nw.Expr) -> nw.Expr:
    """Return the bin of a score, from 0.0 on, by nine comparisons."""
    return sum(((score > edge).cast(nw.Float64) for edge in INNER.tolist()), nw.lit(0.0))


def _in_bins(engine: Engine, frame: nw.LazyFrame[Any]) -> Sums:
    """Add up residuals by bin: within one, they lie near that of its middle."""
    pivot = nw.col("label") + (nw.col("key") + 0.5) / BINS
    answer = _powers(engine, frame.with_columns(pivot=pivot), ["label", "key"])
    key = answer.real("key")
    refuse_nan(engine, answer.whole("n"), key)
    return _moments(answer, answer.whole("label") + (key + 0.5) / BINS)


def _may_hold(found: Sums, scores: Sequence[float]) -> bool:
    """Say whether some residual may be that of one of some scores."""
    label, answer = found.answer.whole("label"), found.answer
    low, high = answer.real("lowest"), answer.real("highest")
    return any(bool(((low <= label - score) & (label - score <= high)).any()) for score in scores)


def sums_by_cell(engine: Engine, value: nw.Expr, read: Collection[str] = ()) -> Sums:
    """Add up the powers of deviations from each cell's own mean: for cells that vary little beside their distance."""
    frame = engine.frame.with_columns(value=value)
    return _added(engine, frame, None, read)


def _added(engine: Engine, frame: nw.LazyFrame[Any], pivot: float | None, read: Collection[str]) -> Sums:
    """Add up deviations from a number, or from the mean of each cell."""
    keys = [*engine.features.values(), *engine.outcomes]
    from_ = nw.col("value").mean().over(*keys) if pivot is None else nw.lit(pivot)
    totals = totals_of(read)
    more = [nw.col("value").count().alias("there"), *(nw.col(name).sum() for name in totals)]
    more += [nw.col("pivot").max().alias("pivot")] if pivot is None else []
    answer = _powers(engine, frame.with_columns(pivot=from_, **totals), engine.outcomes, more)
    refuse_lost(engine, answer.whole("n"), answer.whole("there"))
    return _moments(answer, answer.real("pivot") if pivot is None else np.full(len(answer), pivot))


def totals_of(read: Collection[str]) -> dict[str, nw.Expr]:
    """Return what is added up of the numbers among some columns to see whether they change."""
    return {TOTAL + name: weighed(name, nw.col(name)) for name in read if name in _NUMBERS}


def _powers(engine: Engine, frame: nw.LazyFrame[Any], by: Sequence[str], more: Sequence[nw.Expr] = ()) -> Answer:
    """Add up the powers of value - pivot by all features and some other columns."""
    away = frame.with_columns(away=nw.col("value") - nw.col("pivot")).with_columns(
        square=nw.col("away") * nw.col("away")
    )
    powers = away.with_columns(cube=nw.col("square") * nw.col("away"))
    return engine.ask(
        powers.group_by(*engine.features.values(), *by).agg(
            nw.len().alias("n"),
            nw.col("away").sum().alias("first"),
            nw.col("square").sum().alias("second"),
            nw.col("cube").sum().alias("third"),
            nw.col("value").min().alias("lowest"),
            nw.col("value").max().alias("highest"),
            *more,
        )
    )


def _moments(answer: Answer, pivot: Array) -> Sums:
    """Return the moments of each row of an answer."""
    n, lowest, highest = answer.whole("n"), answer.real("lowest"), answer.real("highest")
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


def refuse_nan(engine: Engine, n: Counts, values: Array) -> None:
    """Refuse numbers, of n rows each, where one is NaN: a value that the first look did not miss."""
    refuse_lost(engine, n, np.where(np.isnan(values), 0, n))


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
