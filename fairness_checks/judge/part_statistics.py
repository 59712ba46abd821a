"""Statistics of one part of a model's rows, such as those of a site, which add up to those of all rows."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fairness_checks.baseline.fingerprint import data_fingerprint
from fairness_checks.errors import ConfigurationError, FairnessError, attempted
from fairness_checks.findings.statistics_json import groups_to_json
from fairness_checks.inputs.predictions import Predictions
from fairness_checks.judge.measurements import Measurements, Said
from fairness_checks.judge.suppression import withheld_reason, withheld_tables
from fairness_checks.kinds import kind_of
from fairness_checks.kinds.group_statistics import GroupStatistics
from fairness_checks.measure.measured_groups import Counts, MeasuredGroups
from fairness_checks.measure.rows import Rows
from fairness_checks.question.checks import Check, Missing, MissingSensitive
from fairness_checks.question.metric_names import canonical
from fairness_checks.question.metrics import METRICS, Metric, parts_of
from fairness_checks.records.parts import InputRecord
from fairness_checks.stats.clusters import FEWEST_CLUSTERS

__all__ = ["PartStatistics", "PartTable", "measure_part", "measure_tables", "merge_parts"]


@dataclass(frozen=True, slots=True, eq=False)
class PartTable:
    """What is known of the groups of some features."""

    groups: MeasuredGroups  # with what `Kind.part` measured of each metric
    metrics: tuple[str, ...]  # that were asked for, sorted; of those in `refused` there is nothing
    refused: Mapping[str, str]  # by metric, why it has no statistics
    clusters: Counts | None = None  # (G,), of all samples; None where these are independent

    def __add__(self, other: PartTable) -> PartTable:
        refused = {**other.refused, **self.refused}
        # Under names of its own, so that they are placed with their groups.
        groups, others = (_without(each.groups, refused) for each in (self, other))
        clusters = None
        if self.clusters is not None and other.clusters is not None:
            both = [replace(each.groups, measured={}, counts=_as_counts(each.clusters)) for each in (self, other)]
            clusters = (both[0] + both[1]).counts[:, 0]
        crossing = self.groups.clusters_cross_groups or other.groups.clusters_cross_groups
        return PartTable(
            replace(groups + others, clusters_cross_groups=crossing),
            self.metrics,
            dict(sorted(refused.items())),
            clusters,
        )

    def whole(self) -> MeasuredGroups:
        """Return the statistics as if these were all rows."""
        measured = {}
        for name in self.metrics:
            if name not in self.refused and name in self.groups.measured:
                metric = METRICS[name]
                measured[name] = kind_of(metric).whole(self.groups.measured[name], self.groups, metric)
        alone = False
        if self.clusters is not None and len(self.clusters):
            alone = int(self.clusters.max()) == 1 and int(self.groups.samples.max()) >= FEWEST_CLUSTERS
        return replace(self.groups, measured=measured, one_cluster_each=alone)


def _without(groups: MeasuredGroups, refused: Iterable[str]) -> MeasuredGroups:
    gone = set(refused)
    return replace(groups, measured={name: found for name, found in groups.measured.items() if name not in gone})


def _as_counts(clusters: Counts | None) -> Counts:
    assert clusters is not None  # for the type checker: the caller has looked
    return np.column_stack([clusters, *[np.zeros_like(clusters)] * 3])


@dataclass(frozen=True, slots=True, eq=False)
class PartStatistics:
    """Statistics of a part of a model's rows; those of disjoint parts are added by ``+``, in any order.

    `measure_part` makes them, `audit` judges them, `to_json` and `from_json` write and read them.

    Parameters
    ----------
    samples : int or None
        Number of rows; None where it would give a suppressed group back.
    inputs : InputRecord
        What labels and decisions mean: the same in all parts.
    missing : Missing
        Which sensitive values are missing, and what becomes of them: the same in all parts.
    clustered : bool
        Whether rows come in clusters, each of which lies inside one part.
    tables : mapping of tuple of str to PartTable
        By features.
    rows : tuple of str
        Of each part that was added what tells whether it is there already: a fingerprint of its sample ids, labels and
        groups, or without ids of its statistics.
    """

    samples: int | None
    inputs: InputRecord
    missing: Missing
    clustered: bool
    tables: Mapping[tuple[str, ...], PartTable]
    rows: tuple[str, ...]

    def __add__(self, other: PartStatistics) -> PartStatistics:
        if not isinstance(other, PartStatistics):
            return NotImplemented
        if (problem := self.differs(other)) is not None:
            raise ConfigurationError(f"these parts cannot be added: {problem}")
        return PartStatistics(
            None if self.samples is None or other.samples is None else self.samples + other.samples,
            self.inputs,
            self.missing,
            self.clustered,
            {by: table + other.tables[by] for by, table in self.tables.items()},
            tuple(sorted((*self.rows, *other.rows))),
        )

    def differs(self, other: PartStatistics) -> str | None:
        """Say why the parts cannot be of one model's rows, each row in one of them; None where they can."""
        if set(self.rows) & set(other.rows):
            if all(row.startswith("ids ") for row in set(self.rows) & set(other.rows)):
                return "the same samples, by their ids, labels and groups, are in both; leave one out"
            return (
                "their statistics are the same to the last digit, as of a part that is given twice; leave one out, or "
                "write both with the ids of their samples (--sample-id), which tell"
            )
        for name, said in (
            ("positive", "the positive class"),
            ("decisions", "decisions"),
            ("threshold", "the threshold"),
        ):
            one, two = getattr(self.inputs, name), getattr(other.inputs, name)
            if one != two:
                return f"{said}: {one!r} in one, {two!r} in the other"
        if self.inputs != other.inputs:
            return f"inputs: {self.inputs!r} in one, {other.inputs!r} in the other"
        if self.missing != other.missing:
            return f"missing values: {_missing_text(self.missing)} in one, {_missing_text(other.missing)} in the other"
        if self.clustered != other.clustered:
            return "one has clusters, and the other has none"
        if set(self.tables) != set(other.tables):
            by = min(set(self.tables) ^ set(other.tables))
            return f"only one has statistics by {', '.join(by)}"
        for by, table in self.tables.items():
            if different := set(table.metrics) ^ set(other.tables[by].metrics):
                return f"only one has {min(different)} by {', '.join(by)}"
            if (table.groups.unlabelled is None) != (other.tables[by].groups.unlabelled is None):
                return "only one has labels"
        return None

    def table(self, check: Check) -> PartTable | None:
        """Return the table of a check's features, in their order; None where there is none."""
        by = (*check.control_features, *check.by)
        for features, table in self.tables.items():
            if features == by:
                return table
            if sorted(features) == sorted(by):
                return _turned(table, [features.index(name) for name in by])
        return None

    def statistics(self, check: Check) -> MeasuredGroups:
        """Return what a check is decided by; ConfigurationError says why there is nothing."""
        table, names = self.table(check), [part.name for part in parts_of(check.definition)]
        by = ", ".join((*check.control_features, *check.by))
        if check.of is not None:
            raise ConfigurationError("statistics of parts are not compared with the baseline; judge all rows together")
        if check.gap is not None:
            raise ConfigurationError("a sweep trains models, and statistics of parts hold none; run pytest --fairness")
        if table is None or not set(names) <= set(table.metrics):
            raise ConfigurationError(f"there are no statistics of {' and '.join(names)} by {by}; measure them, too")
        for name in names:
            if name in table.refused:
                raise ConfigurationError(f"{check.metric} by {by}: {table.refused[name]}")
        whole = table.whole()
        return replace(whole, measured={name: found for name, found in whole.measured.items() if name in names})

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the sensitive features, in order."""
        return tuple(dict.fromkeys(name for by in self.tables for name in by))

    def measurements(self, checks: Sequence[Check]) -> Measurements:
        """Return what some checks are decided by, or why there is nothing, and what their records say."""
        found = tuple(attempted(functools.partial(self.statistics, check)) for check in checks)
        return Measurements(found, Said({}, self.inputs, (), (), ()))

    def to_json(self) -> str:
        """Return the part as text that `from_json` reads."""
        from fairness_checks.judge.part_json import part_document  # here: it reads what is written here

        return part_document({"predictions": self})

    @classmethod
    def from_json(cls, text: str) -> PartStatistics:
        """Read a part of one model; RecordError says what is wrong with the text."""
        from fairness_checks.judge.part_json import read_part  # here, as above

        parts = read_part(text, "statistics")
        if len(parts) != 1:
            raise ConfigurationError(f"statistics: of {len(parts)} models, {', '.join(sorted(parts))}; one is read")
        return next(iter(parts.values()))


def _missing_text(missing: Missing) -> str:
    texts = "not said" if missing.text is None else f"[{', '.join(missing.text)}]"
    return f"missing_sensitive {missing.sensitive}, missing_text {texts}"


def _turned(table: PartTable, places: Sequence[int]) -> PartTable:
    """Return a table with its features in another order."""
    names = [tuple(name[i] for i in places) for name in table.groups.groups]
    order = sorted(range(len(names)), key=names.__getitem__)
    by = tuple(table.groups.by[i] for i in places)
    groups = replace(table.groups.take(order), by=by, groups=tuple(names[i] for i in order))
    return replace(table, groups=groups, clusters=None if table.clusters is None else table.clusters[order])


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
    >>> from fairness_checks import audit
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
    clusters_inside: bool = False,
    suppress_below: int | None = None,
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
    tables = {by: _table(predictions, by, missing, metrics) for by, metrics in asked.items()}
    if suppress_below is not None:
        tables = _suppressed(tables, predictions, suppress_below)
    inputs = InputRecord(
        positive=predictions.positive,
        decisions=predictions.decided_by,
        threshold=predictions.threshold,
        scaling=predictions.scaling,
    )
    withheld = suppress_below is not None and withheld_reason(suppress_below) in {
        why for table in tables.values() for why in table.refused.values()
    }
    part = PartStatistics(None if withheld else len(predictions), inputs, missing, clustered, tables, ())
    # Whoever knows all rows but a few could try guesses of these by a fingerprint.
    ids = None if suppress_below is not None else data_fingerprint(predictions)
    return replace(part, rows=(f"statistics {_digest(tables)}" if ids is None else f"ids {ids}",))


def _table(predictions: Predictions, by: tuple[str, ...], missing: Missing, metrics: Iterable[Metric]) -> PartTable:
    rows = Rows(predictions, by, missing)
    wanted = {part.name: part for metric in metrics for part in parts_of(metric)}
    measured: dict[str, Any] = {}
    refused: dict[str, str] = {}
    for name, metric in sorted(wanted.items()):
        found = attempted(functools.partial(kind_of(metric).part, rows, metric))
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
    coarse = {by: _with_coarse_bins(table, below) for by, table in tables.items()}
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
            table, groups=_without(table.groups, mine), refused=dict(sorted({**table.refused, **mine}.items()))
        )
    return found


def _with_coarse_bins(table: PartTable, below: int) -> PartTable:
    measured = {
        name: replace(found, statistics=found.statistics.without_small_cells(below))
        if hasattr(found.statistics, "without_small_cells")
        else found
        for name, found in table.groups.measured.items()
    }
    return replace(table, groups=replace(table.groups, measured=measured))


def _digest(tables: Mapping[tuple[str, ...], PartTable]) -> str:
    plain = [[by, groups_to_json(table.groups)] for by, table in sorted(tables.items())]
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def merge_parts(parts: Sequence[PartStatistics]) -> PartStatistics:
    """Add up statistics of parts of one model's rows, each row in one of them; ConfigurationError where they differ."""
    if not parts:
        raise ConfigurationError("there are no parts to merge")
    whole = parts[0]
    for number, part in enumerate(parts[1:], start=2):
        if (problem := whole.differs(part)) is not None:
            raise ConfigurationError(f"part {number} cannot be merged with those before it: {problem}")
        whole = whole + part
    return whole
