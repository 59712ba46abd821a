"""Predictions of the test rows -> every metric of every group: all that a sweep keeps of a training."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from fairness_checks.errors import InvalidPredictions
from fairness_checks.inputs.predictions import Predictions
from fairness_checks.kinds import kind_of
from fairness_checks.kinds.group_statistics import GroupStatistics
from fairness_checks.measure.rows import Rows
from fairness_checks.question.checks import MISMATCH, Missing, Settings
from fairness_checks.question.metrics import METRICS, Metric
from fairness_checks.sweep.results import GroupResult, PairResult
from fairness_checks.sweep.sketches import Complex, group_sketches

__all__ = ["measure"]

_NAMED = Missing(text=())  # what the data set's groups are has been decided before training
_SETTINGS = Settings(min_group_size=1)  # a small group is judged, or not, when the repeats are put together


def measure(
    predictions: Predictions,
    by: str,
    sizes: Mapping[str, tuple[int, int]],
    roots: Complex | None = None,
    own: Sequence[Metric] = (),
) -> tuple[dict[str, GroupResult], tuple[PairResult, ...]]:
    """Evaluate the test rows of one repeat by group, and how errors and uncertainties order every pair."""
    # sizes: of each group, the rows trained on and the different ones among them. Without `roots`, (WIDTH, n),
    # nothing is sketched.
    metrics = [
        metric for metric in (*METRICS.values(), *own) if not metric.components and _allowed(predictions, metric)
    ]
    rows = Rows(predictions, (by,), _NAMED)
    statistics = GroupStatistics.from_rows(rows, (by,), metrics)
    names = [name for (name,) in statistics.groups]
    values: dict[str, dict[str, float | None]] = {name: {} for name in names}
    for metric in metrics:
        if not kind_of(metric).of_pairs:
            for record in kind_of(metric).groups(statistics, metric, _SETTINGS):
                values[record.name[0]][metric.name] = record.rate
    moments: dict[str, dict[str, tuple[float, float, float]]] = {name: {} for name in names}
    for metric in metrics:
        found = kind_of(metric).moments(statistics, metric)
        if found is not None:
            for name, n, m2, m3 in zip(names, found.n.tolist(), found.m2.tolist(), found.m3.tolist(), strict=True):
                moments[name][metric.name] = (float(n), m2, m3)
    sketches: dict[str, dict[str, tuple[float, ...] | None]] = {name: {} for name in names}
    for metric in metrics:
        if roots is not None and metric.comparable:
            for name, sketch in zip(names, group_sketches(predictions, rows, metric, roots), strict=True):
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
    return groups, _pairs(statistics, names)


def _four(cells: Sequence[int]) -> tuple[int, int, int, int]:
    tn, fp, fn, tp = cells
    return tn, fp, fn, tp


def _allowed(predictions: Predictions, metric: Metric) -> bool:
    """Say whether the predictions have the arrays that a metric reads."""
    try:
        kind_of(metric).arrays(predictions, metric)
    except InvalidPredictions:
        return False
    return True


def _pairs(statistics: GroupStatistics, names: Sequence[str]) -> tuple[PairResult, ...]:
    if MISMATCH not in statistics.measured:
        return ()
    pairs = statistics.measured[MISMATCH].statistics.pairs
    found = []
    for i, first in enumerate(names):
        for j in range(i + 1, len(names)):
            error, uncertainty = float(pairs.error_auc[i, j]), float(pairs.uncertainty_auc[i, j])
            if not (math.isnan(error) or math.isnan(uncertainty)):
                found.append(PairResult(first=first, second=names[j], error_auc=error, uncertainty_auc=uncertainty))
    return tuple(found)
