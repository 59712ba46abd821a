"""Predictions -> PartStatistics: what of a part of the rows adds up, and what of it may be shown."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from fairness_checks.baseline.fingerprint import ids_fingerprint
from fairness_checks.errors import ConfigurationError, FairnessError, attempted
from fairness_checks.inputs.predictions import Predictions
from fairness_checks.judge.part_precision import score_precision
from fairness_checks.judge.part_statistics import PartStatistics, PartTable, without
from fairness_checks.judge.part_twins import IDS, marks_of
from fairness_checks.judge.suppression import withheld_reason, withheld_tables
from fairness_checks.kinds import kind_of
from fairness_checks.kinds.group_statistics import GroupStatistics
from fairness_checks.measure.rows import refuse_namesake_of_missing, without_missing_text
from fairness_checks.measure.sources.engine_rows import EngineRows, rows_of
from fairness_checks.question.checks import Missing, MissingSensitive
from fairness_checks.question.metric_names import canonical
from fairness_checks.question.metrics import METRICS, Metric, parts_of
from fairness_checks.records.parts import InputRecord
from fairness_checks.stats.score_histogram import ScoreHistogram

__all__ = ["measure_part", "measure_tables"]


def measure_part(
    predictions: Predictions,
    *,
    by: str | Sequence[str] | Sequence[Sequence[str]],
    metrics: Sequence[str] | None = None,
    clusters_inside: bool = False,
    missing_sensitive: MissingSensitive = "error",
    missing_text: Sequence[str] | None = None,
    suppress_below: int | None = None,
) -> PartStatistics:
    """Measure what of a part of the rows adds up: the verdict of the sum is that of all rows.

    Parameters
    ----------
    predictions : Predictions
        The rows of this part. With `sample_id` a part that is added twice is recognised by its rows.
    by : str, or sequence of str or of sequences of str
        Sensitive features; a sequence within the sequence is an intersection: ``["sex", ["sex", "age_band"]]``.
    metrics : sequence of str, optional
        Names of `fairness_checks.METRICS`. Default: all; of those that the predictions cannot have the reason is kept.
    clusters_inside : bool
        Whether each cluster has all its rows in this part, which inference needs and no part can see.
    missing_sensitive, missing_text
        As for `audit`.
    suppress_below : int, optional
        Nothing is kept of features of which some group has fewer samples, nor what gives it back; scores are counted in
        bins of at least so many samples of either class. See docs/sites.md for what a part reveals.

    Raises
    ------
    ConfigurationError, InvalidPredictions
        Naming what is wrong.

    Examples
    --------
    >>> rng = __import__("numpy").random.default_rng(0)
    >>> rows = [
    ...     Predictions(rng.random(400) < 0.5, y_score=rng.random(400), sensitive_features={"sex": ["f", "m"] * 200})
    ...     for site in range(3)
    ... ]
    >>> from fairness_checks import audit, merge_parts
    >>> parts = [measure_part(site, by="sex", metrics=["roc_auc"]) for site in rows]
    >>> record = audit(merge_parts(parts), metric="roc_auc", by="sex", max_difference=0.2)
    >>> record.verdict, sum(group.samples for group in record.groups)
    ('pass', 1200)
    """
    features = [by] if isinstance(by, str) else list(by)
    asked = {(name,) if isinstance(name, str) else tuple(name): _wanted(metrics) for name in features}
    text = None if missing_text is None else tuple(missing_text)
    missing = Missing(missing_sensitive, text)
    return measure_tables(predictions, asked, missing, clusters_inside=clusters_inside, suppress_below=suppress_below)


def _wanted(metrics: Sequence[str] | None) -> list[Metric]:
    names = list(METRICS) if metrics is None else [canonical(name, METRICS) for name in metrics]
    unknown = [name for name in names if name not in METRICS]
    if unknown:
        raise ConfigurationError(f"metrics: {unknown[0]!r} is none of {', '.join(sorted(METRICS))}")
    return [METRICS[name] for name in names]


def measure_tables(
    predictions: Predictions,
    asked: Mapping[tuple[str, ...], Sequence[Metric]],
    missing: Missing,
    *,
    clusters_inside: bool,
    suppress_below: int | None,
) -> PartStatistics:
    """Measure some metrics by some features each; see `measure_part`."""
    clustered = predictions.cluster is not None
    if clustered and not clusters_inside:
        raise ConfigurationError(
            "cluster: statistics of parts add up only where no cluster has rows in another part; say so "
            "(clusters_inside=True, --clusters-inside) where each patient is of one site, or leave the clusters out"
        )
    if not asked:
        raise ConfigurationError("by: names no features to measure by")
    wanted: dict[tuple[str, ...], list[Metric]] = {}
    for by, metrics in asked.items():
        if not by or len(set(by)) < len(by):
            raise ConfigurationError(f"by: {list(by)} must name one or more features, each once")
        wanted.setdefault(tuple(sorted(by)), []).extend(metrics)  # in one order at every site
    tables = {by: _table(predictions, by, missing, metrics) for by, metrics in wanted.items()}
    if suppress_below is not None:
        tables = _suppressed(tables, predictions, suppress_below)
    inputs = InputRecord(
        positive=predictions.positive,
        decisions=predictions.decided_by,
        threshold=predictions.threshold,
        scaling=predictions.scaling,
    )
    withheld = suppress_below is not None and any(
        not len(table.groups.groups) or withheld_reason(suppress_below) in table.refused.values()
        for table in tables.values()
    )
    # Of ids alone: by a digest of labels and groups, too, whoever knows all rows but a few could try guesses of these.
    ids = ids_fingerprint(predictions)
    marks = marks_of(table.groups for table in tables.values()) | ({} if ids is None else {IDS: ids})
    samples = None if withheld else len(predictions)
    return PartStatistics(samples, inputs, missing, clustered, tables, (marks,), score_precision(predictions))


def _table(predictions: Predictions, by: tuple[str, ...], missing: Missing, metrics: Iterable[Metric]) -> PartTable:
    if missing.sensitive == "group":  # some other part may have missing values
        for name in by:
            refuse_namesake_of_missing(without_missing_text(predictions.feature(name), missing))
    rows = rows_of(predictions, by, missing)
    wanted = {part.name: part for metric in metrics for part in parts_of(metric)}
    measured: dict[str, Any] = {}
    refused: dict[str, str] = {}
    for name, metric in sorted(wanted.items()):
        kind = kind_of(metric)
        measure = (
            functools.partial(kind.part_in_engine, rows)
            if isinstance(rows, EngineRows)
            else (functools.partial(kind.part, rows))
        )
        found = attempted(functools.partial(measure, metric))
        if isinstance(found, FairnessError):
            refused[name] = str(found)
        elif isinstance(found, Exception):
            raise found
        elif found is not None:
            measured[name] = found
    groups = replace(GroupStatistics.from_rows(rows, by), measured=measured)
    cells = rows.cells()
    clusters = None if cells is None else cells.by_group().astype(np.int64)
    return PartTable(groups, tuple(sorted(wanted)), refused, clusters)


def _suppressed(
    tables: Mapping[tuple[str, ...], PartTable], predictions: Predictions, below: int
) -> dict[tuple[str, ...], PartTable]:
    """Return tables without groups of fewer samples than `below`, and scores in bins of that many."""
    coarse = {by: _with_coarse_bins(_without_orders(table, below), below) for by, table in tables.items()}
    alone = {
        (by, name): replace(whole, measured={key: found for key, found in whole.measured.items() if key == name})
        for by, table in coarse.items()
        for whole in [table.whole()]
        for name in table.metrics
        if name not in table.refused
    }
    gone = dict(zip(alone, withheld_tables(list(alone.values()), predictions, below), strict=True))
    found = {}
    for by, table in coarse.items():
        mine = {
            name: withheld_reason(below) for (features, name), is_gone in gone.items() if features == by and is_gone
        }
        if len(mine) + len(table.refused) == len(table.metrics):
            nothing = table.groups.take([])
            clusters = None if table.clusters is None else table.clusters[:0]
            table = replace(table, groups=nothing, clusters=clusters)
        found[by] = replace(
            table, groups=without(table.groups, mine), refused=dict(sorted({**table.refused, **mine}.items()))
        )
    return found


def _without_orders(table: PartTable, below: int) -> PartTable:
    """Return a table without what single scores are needed for."""
    why = f"{withheld_reason(below)}, and single scores, too"
    gone = {name: why for name in table.groups.measured if kind_of(METRICS[name]).of_pairs}
    return replace(table, groups=without(table.groups, gone), refused=dict(sorted({**table.refused, **gone}.items())))


def _with_coarse_bins(table: PartTable, below: int) -> PartTable:
    measured = {
        name: replace(found, statistics=found.statistics.without_small_cells(below))
        if isinstance(found.statistics, ScoreHistogram)
        else found
        for name, found in table.groups.measured.items()
    }
    return replace(table, groups=replace(table.groups, measured=measured))
