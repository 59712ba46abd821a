"""Predictions of the test rows -> every metric of every group: all that a sweep keeps of a training."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from fairness_checks.errors import InvalidPredictions
from fairness_checks.inputs.predictions import Predictions, like
from fairness_checks.kinds import kind_of
from fairness_checks.kinds.group_statistics import GroupStatistics
from fairness_checks.kinds.kind import Arrays
from fairness_checks.kinds.mismatch import areas_of
from fairness_checks.measure.rows import Rows
from fairness_checks.question.checks import MISMATCH, Missing
from fairness_checks.question.metrics import METRICS, Metric
from fairness_checks.sweep.results import GroupResult, PairResult
from fairness_checks.sweep.sketches import Exponents, Sketch, group_sketches

__all__ = ["measure"]

_NAMED = Missing(text=())  # what the data set's groups are has been decided before training


def measure(
    predictions: Predictions,
    by: str,
    sizes: Mapping[str, tuple[int, int]],
    exponents: Exponents | None = None,
    own: Sequence[Metric] = (),
) -> tuple[dict[str, GroupResult], tuple[PairResult, ...]]:
    """Evaluate the test rows of one repeat by group, and how errors and uncertainties order every pair."""
    # sizes: of each group, the rows trained on and the different ones among them. Without `exponents`, (WIDTH, n),
    # nothing is sketched.
    if predictions.uncertainty is None and predictions.y_score is not None:  # the entropy, computed once
        predictions = like(predictions, uncertainty=predictions.uncertainties())
    arrays: dict[str, Arrays] = {}
    for metric in (*METRICS.values(), *own):
        if not metric.components and (read := _arrays(predictions, metric)) is not None:
            arrays[metric.name] = read
    metrics = [metric for metric in (*METRICS.values(), *own) if metric.name in arrays]
    alone = [metric for metric in metrics if not kind_of(metric).of_pairs]
    rows = Rows(predictions, (by,), _NAMED)
    rows.values = {name: read[0] for name, read in arrays.items() if len(read) == 1}
    statistics = GroupStatistics.from_rows(rows, (by,), alone)
    names = [name for (name,) in statistics.groups]
    values: dict[str, dict[str, float | None]] = {name: {} for name in names}
    moments: dict[str, dict[str, tuple[float, float, float]]] = {name: {} for name in names}
    for metric in alone:
        for name, value in zip(names, kind_of(metric).values(statistics, metric), strict=True):
            values[name][metric.name] = value
        found = kind_of(metric).moments(statistics, metric)
        if found is not None:
            for name, n, m2, m3 in zip(names, found.n.tolist(), found.m2.tolist(), found.m3.tolist(), strict=True):
                moments[name][metric.name] = (float(n), m2, m3)
    sketches: dict[str, dict[str, Sketch]] = {name: {} for name in names}
    if exponents is not None:
        compared = [metric for metric in metrics if metric.comparable]
        for metric, of_groups in zip(compared, group_sketches(rows, arrays, compared, exponents), strict=True):
            for name, sketch in zip(names, of_groups, strict=True):
                sketches[name][metric.name] = sketch
    samples = dict(zip(names, statistics.samples.tolist(), strict=True))
    cells = None if statistics.unlabelled is not None else dict(zip(names, statistics.counts.tolist(), strict=True))
    groups = {
        name: GroupResult(
            train=train,
            real=real,
            test=samples.get(name, 0),
            counts=None if cells is None else _four(cells.get(name, [0, 0, 0, 0])),
            values=values.get(name, {}),
            moments=moments.get(name, {}),
            sketches=sketches.get(name, {}),
        )
        for name, (train, real) in sizes.items()
    }
    return groups, _pairs(rows, names) if any(metric.name == MISMATCH for metric in metrics) else ()


def _four(cells: Sequence[int]) -> tuple[int, int, int, int]:
    tn, fp, fn, tp = cells
    return tn, fp, fn, tp


def _arrays(predictions: Predictions, metric: Metric) -> Arrays | None:
    """Return what a metric reads of the predictions; None where they do not have it."""
    try:
        if metric.numerator and metric.per_sample is None:  # the confusion counts say it all
            return (predictions.labels(), predictions.decisions())
        return kind_of(metric).arrays(predictions, metric)
    except InvalidPredictions:
        return None


def _pairs(rows: Rows, names: Sequence[str]) -> tuple[PairResult, ...]:
    errors, uncertainties = areas_of(rows)
    found = []
    for i, first in enumerate(names):
        for j in range(i + 1, len(names)):
            error, uncertainty = float(errors[i, j]), float(uncertainties[i, j])
            if not (math.isnan(error) or math.isnan(uncertainty)):
                found.append(PairResult(first=first, second=names[j], error_auc=error, uncertainty_auc=uncertainty))
    return tuple(found)
