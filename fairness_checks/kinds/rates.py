"""Events and samples of a rate by group: from the confusion counts, or from the rows where these do not suffice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fairness_checks.errors import InvalidPredictions
from fairness_checks.inputs.predictions import Predictions
from fairness_checks.kinds.clustered_part import ClusteredPart
from fairness_checks.kinds.measured import Measured, values_of
from fairness_checks.measure.measured_groups import MeasuredGroups
from fairness_checks.measure.rows import Rows
from fairness_checks.measure.sources.engine_rows import EngineRows
from fairness_checks.question.metrics import CELLS, Metric
from fairness_checks.stats.cluster_sums import moments_of_clusters
from fairness_checks.stats.clusters import cells_of_profiles, correlation_of_pairs, take_shared
from fairness_checks.stats.few_clusters import freedom_of_samples, narrowed, worth
from fairness_checks.stats.proportions import clopper_pearson
from fairness_checks.stats.rao_scott import (
    ClusterSums,
    EffectiveCounts,
    counts_of_sums,
    effective_counts,
    pairs_within,
)

__all__ = [
    "Rates",
    "cells_of",
    "events_of",
    "measure_rates",
    "rates_in_engine",
    "rates_of",
    "rates_of_part",
    "rates_of_whole",
]

Counts = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Rates:
    """Events of G groups."""

    events: Counts  # (G,), numerators
    samples: Counts  # (G,), denominators
    effective: EffectiveCounts | None = None  # what they are worth; None where samples are independent

    def take(self, order: Sequence[int]) -> Rates:
        """Return the groups at the given positions; -1 is an empty group."""
        at = np.asarray(order, dtype=np.intp)
        columns: list[npt.NDArray[Any]] = [self.events, self.samples]
        worth = self.effective
        if worth is not None:
            columns += [worth.events, worth.samples, worth.clusters, worth.design_effect]
            columns += [worth.freedom, worth.lower, worth.higher]
        events, samples, *rest = (np.where(at < 0, 0, column[at]) for column in columns)
        if worth is None:
            return Rates(events, samples)
        return Rates(events, samples, EffectiveCounts(*rest, take_shared(worth.shared, at)))  # type: ignore[call-arg]

    def __add__(self, other: Rates) -> Rates:
        return Rates(self.events + other.events, self.samples + other.samples)

    @property
    def evidence(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Events and samples that inference counts with, shapes (G,); fractions where there are clusters."""
        if self.effective is None:
            return self.events.astype(np.float64), self.samples.astype(np.float64)
        return self.effective.events, self.effective.samples

    @property
    def freedom(self) -> npt.NDArray[np.float64] | None:
        """Degrees of freedom of the rates' variances, shape (G,); None where they are those of the samples."""
        return None if self.effective is None else self.effective.freedom

    @property
    def tail_freedom(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]] | None:
        """Degrees of freedom for the claims that a rate is lower, and higher, than a number; None as for `freedom`."""
        return None if self.effective is None else (self.effective.lower, self.effective.higher)

    def worth(self, alpha: float) -> npt.NDArray[np.float64]:
        """As how many independent samples plans count the groups at a level, shape (G,)."""
        samples = self.evidence[1]
        return samples if self.effective is None else worth(samples, self.effective.freedom, alpha)

    def intervals(self, alpha: float) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return the ends at which a ceiling and a floor of single groups are judged, shapes (G,)."""
        events, samples = self.evidence
        some, size = np.maximum(samples, 1e-9), freedom_of_samples(samples)
        lower, higher = (size, size) if self.tail_freedom is None else self.tail_freedom
        low, _ = clopper_pearson(events, some, narrowed(alpha, size, higher))
        _, high = clopper_pearson(events, some, narrowed(alpha, size, lower))
        return low, high


def events_of(predictions: Predictions, metric: Metric) -> tuple[Flags, Flags]:
    """Return (event, whether it counts) of each sample, shapes (n,)."""
    if metric.per_sample is not None:
        values = values_of(metric, predictions)
        counted = ~np.isnan(values)
        if not np.isin(values[counted], (0.0, 1.0)).all():
            raise InvalidPredictions(f"{metric.name}: a proportion's values are 0, 1 or NaN; found others")
        return values == 1.0, counted
    cell = 2 * predictions.labels().view(np.uint8) + predictions.decisions().view(np.uint8)
    return cells_of(metric.numerator)[cell], cells_of(metric.denominator)[cell]


def cells_of(names: Sequence[str]) -> Flags:
    """Say of each cell of the confusion table, shape (4,), whether it is named."""
    return np.array([cell in names for cell in CELLS])


def measure_rates(rows: Rows, metric: Metric) -> Measured[Rates] | None:
    """Count events from the rows; None where the confusion counts say it all."""
    if metric.per_sample is None and rows.clusters is None:
        rows.predictions.labels(), rows.predictions.decisions()  # an error here if they are missing
        return None
    event, counted = events_of(rows.predictions, metric)
    groups = len(rows.groups)
    samples, events = (
        np.bincount(rows.codes[rows_], minlength=groups).astype(np.int64) for rows_ in (counted, event & counted)
    )
    cells = rows.cells(counted)
    if cells is None:
        return Measured(Rates(events, samples), samples)
    effective = effective_counts(cells, event)
    return Measured(Rates(events, samples, effective), samples, effective.clusters, cells.effective())


def rates_in_engine(rows: EngineRows, metric: Metric) -> Measured[Rates] | None:
    """Find the same of rows that stay in their engine, whose clusters are counted by what they hold."""
    if metric.per_sample is not None:
        rows.refuse(metric.name)
    rows.require("y_true", "y_pred")
    if not rows.in_clusters:
        return None
    event, counted = cells_of(metric.numerator), cells_of(metric.denominator)
    profiles, groups = rows.profiles, len(rows.groups)
    cells, _ = cells_of_profiles(groups, profiles.group, profiles.held * counted, profiles.times)
    counts = rows.counts
    assert counts is not None  # for the type checker: there are labels and decisions
    events, samples = counts[:, event].sum(axis=1), counts[:, counted].sum(axis=1)
    n = np.maximum(samples, 1.0)[:, None]
    shared = correlation_of_pairs(rows.pairs_of_sorts(), (event - counted * events[:, None] / n) / n)
    effective = effective_counts(cells, np.tile(event, len(cells.group)), shared)
    return Measured(Rates(events, samples, effective), samples, effective.clusters, cells.effective())


def rates_of_part(rows: Rows, metric: Metric) -> Measured[Rates] | Measured[ClusteredPart[Rates]] | None:
    """Count events of a part of the rows, and sum what their clusters hold."""
    if rows.clusters is None:
        return measure_rates(rows, metric)
    event, counted = events_of(rows.predictions, metric)
    groups = len(rows.groups)
    samples, events = (
        np.bincount(rows.codes[rows_], minlength=groups).astype(np.int64) for rows_ in (counted, event & counted)
    )
    cells = rows.cells(counted)
    assert cells is not None  # for the type checker: there are clusters
    pairs = np.column_stack(list(pairs_within(cells, event).values()))
    part = ClusteredPart(Rates(events, samples), moments_of_clusters(cells, event[:, None]), pairs=pairs)
    return Measured(part, samples)


def rates_of_whole(part: Measured[Any] | None) -> Measured[Rates] | None:
    """Return what `measure_rates` would of all rows."""
    if part is None or not isinstance(part.statistics, ClusteredPart):
        return part
    of_all: ClusteredPart[Rates] = part.statistics
    assert of_all.statistics is not None
    assert of_all.pairs is not None
    moments, rates, pairs = of_all.clusters, of_all.statistics, of_all.pairs
    n, x = rates.samples.astype(np.float64), rates.events.astype(np.float64)
    rate = np.divide(x, n, out=np.zeros_like(n), where=n > 0.0)
    of_events, together, squares = (moments.second[:, i, j] for i, j in ((0, 0), (0, 1), (1, 1)))
    residuals = np.maximum(of_events - 2.0 * rate * together + rate**2 * squares, 0.0)
    sums = ClusterSums(
        samples=n,
        events=x,
        residuals=residuals,
        discordance=pairs[:, 0],
        paired=pairs[:, 1],
        paired_events=pairs[:, 2],
        squares=squares,
        event_squares=of_events,
        other_squares=squares - 2.0 * together + of_events,
    )
    scale = 1.0 / np.maximum(n, 1.0)
    shared = moments.shared(np.column_stack([scale, -rate * scale]), residuals * scale**2)
    effective = counts_of_sums(sums, moments.clusters, shared)
    return Measured(Rates(rates.events, rates.samples, effective), part.samples, moments.clusters, moments.effective)


def rates_of(statistics: MeasuredGroups, metric: Metric) -> Measured[Rates]:
    """Return a rate's events and samples, wherever they were counted."""
    if metric.name in statistics.measured:
        found: Measured[Rates] = statistics.measured[metric.name]
        return found
    events, samples = statistics.proportion(metric)
    return Measured(Rates(events, samples), samples)
