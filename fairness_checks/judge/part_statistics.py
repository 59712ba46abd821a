"""Statistics of one part of a model's rows, such as those of a site, which add up to those of all rows."""

from __future__ import annotations

import functools
import itertools
import json
import operator
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from fairness_checks.errors import ConfigurationError, InvalidPredictions, RecordError, attempted
from fairness_checks.inputs.sensitive import MISSING
from fairness_checks.judge.measurements import Measurements, Said
from fairness_checks.judge.part_consistency import (
    require_each_once,
    require_inputs,
    require_names,
    require_one_population,
)
from fairness_checks.judge.part_json import BROKEN, plain_table, read_models, read_table, seal_document
from fairness_checks.judge.part_precision import ScorePrecision
from fairness_checks.judge.part_twins import IDS, Marks, look_alikes, marks_of, same_rows, union_of
from fairness_checks.kinds import kind_of
from fairness_checks.measure.measured_groups import Counts, MeasuredGroups
from fairness_checks.plain import counted, printable
from fairness_checks.question.checks import Check, Missing
from fairness_checks.question.metrics import METRICS, parts_of
from fairness_checks.records.parts import InputRecord
from fairness_checks.stats.clusters import FEWEST_CLUSTERS

__all__ = [
    "PartStatistics",
    "PartTable",
    "add_parts",
    "merge_parts",
    "parts_from_json",
    "parts_to_json",
    "without",
]


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
        groups, others = (without(each.groups, refused) for each in (self, other))
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


def without(groups: MeasuredGroups, refused: Iterable[str]) -> MeasuredGroups:
    """Return groups without what was measured of some metrics."""
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
    rows : tuple of mappings of str to str
        Of each part that was added what tells whether it is there already: digests of its sample ids and its counts.
    precision : ScorePrecision or None
        Of the scores that a threshold decided by.
    """

    samples: int | None
    inputs: InputRecord
    missing: Missing
    clustered: bool
    tables: Mapping[tuple[str, ...], PartTable]
    rows: tuple[Marks, ...]
    precision: ScorePrecision | None = None

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
            tuple(sorted((*self.rows, *other.rows), key=lambda marks: sorted(marks.items()))),
            self.precision and other.precision and self.precision + other.precision,
        )

    def differs(self, other: PartStatistics) -> str | None:
        """Say why the parts cannot be of one model's rows, each row in one of them; None where they can."""
        for one_part, its in itertools.product(self.rows, other.rows):
            if (problem := same_rows(one_part, its)) is not None:
                return problem
        for name, said in (
            ("positive", "the positive class"),
            ("decisions", "decisions"),
            ("threshold", "the threshold"),
        ):
            one, two = getattr(self.inputs, name), getattr(other.inputs, name)
            if one != two:
                return f"{said}: {one!r} in one, {two!r} in the other"
        if self.precision and other.precision and self.precision.differs(other.precision):
            bits = sorted((self.precision.bits, other.precision.bits))
            return (
                f"scores: of float{bits[0]} in one and float{bits[1]} in the other, and some lie at the threshold, so "
                "that they are decided otherwise together; write both in one precision, or give decisions (y_pred)"
            )
        if self.inputs != other.inputs:
            return f"inputs: {self.inputs!r} in one, {other.inputs!r} in the other"
        if self.missing != other.missing:
            return f"missing values: {_missing_text(self.missing)} in one, {_missing_text(other.missing)} in the other"
        if self.clustered != other.clustered:
            return "one has clusters, and the other has none"
        if set(self.tables) != set(other.tables):
            by = min(set(self.tables) ^ set(other.tables))
            return f"only one has statistics by {', '.join(by)}"
        mine, theirs = self._names(), other._names()
        if mine != theirs and (problem := look_alikes(mine, theirs)) is not None:
            return problem
        for by, table in self.tables.items():
            if different := set(table.metrics) ^ set(other.tables[by].metrics):
                return f"only one has {min(different)} by {', '.join(by)}"
            if (table.groups.unlabelled is None) != (other.tables[by].groups.unlabelled is None):
                return "only one has labels"
        return None

    @property
    def groups(self) -> list[MeasuredGroups]:
        """What is known of the groups of each table."""
        return [table.groups for table in self.tables.values()]

    def _names(self) -> dict[str, set[str]]:
        """Return the names of groups, by sensitive feature."""
        found: dict[str, set[str]] = {}
        for by, table in self.tables.items():
            for i, name in enumerate(by):
                found.setdefault(name, set()).update(group[i] for group in table.groups.groups)
        return found

    def table(self, check: Check) -> PartTable | None:
        """Return the table of a check's features, in their order; None where there is none."""
        by = check.features
        for features, table in self.tables.items():
            if features == by:
                return table
            if sorted(features) == sorted(by):
                return _turned(table, [features.index(name) for name in by])
        return None

    def statistics(self, check: Check) -> MeasuredGroups:
        """Return what a check is decided by; ConfigurationError says why there is nothing."""
        table, names = self.table(check), [part.name for part in parts_of(check.definition)]
        by = ", ".join(check.features)
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

    def measurements(
        self,
        checks: Sequence[Check],
        about: Mapping[str, str] = MappingProxyType({}),
        missing: Missing | None = None,
    ) -> Measurements:
        """Return what some checks are decided by, or why there is nothing, and what their records say.

        Samples without a value are an error where `missing` says so, as in memory.
        """
        if missing is not None:
            for check in checks:
                self._require_handled(check.features, missing)
        known: dict[tuple[object, ...], MeasuredGroups | Exception] = {}
        found = []
        for check in checks:
            key = (check.features, check.metric, check.gap, check.of)
            if key not in known:
                known[key] = attempted(functools.partial(self.statistics, check))
            found.append(known[key])
        return Measurements(tuple(found), Said(about, self.inputs, (), (), ()))

    def _require_handled(self, by: Sequence[str], asked: Missing) -> None:
        """Raise an error for missing values of features that are asked to be handled otherwise than the parts did."""
        if asked.text is not None and asked != replace(self.missing, sensitive=asked.sensitive):
            raise ConfigurationError(
                f"missing_text: {list(asked.text)} is asked, and the parts were measured with "
                f"{_missing_text(self.missing)}; measure them anew"
            )
        there = self.missing_by_feature() if asked.sensitive == "error" and self.missing.sensitive == "group" else {}
        for name in by:
            if there.get(name):
                raise InvalidPredictions(
                    f"sensitive_features[{name!r}]: {there[name]:,} values are missing; fill them in, or make them a "
                    "group of their own: missing_sensitive='group'"
                )

    def lacks(self, check: Check) -> str | None:
        """Say what was not measured that a check of held-out samples needs; None where all is there, or refused."""
        table, names = self.table(check), [part.name for part in parts_of(check.definition)]
        lacking = [name for name in names if table is None or name not in table.metrics]
        return f"has no statistics of {' and '.join(lacking)} by {', '.join(check.features)}" if lacking else None

    def missing_by_feature(self) -> dict[str, int]:
        """Return, by sensitive feature, how many rows have no value of it."""
        found: dict[str, int] = {}
        for by, table in self.tables.items():
            for i, name in enumerate(by):
                gone = [group[i] == MISSING for group in table.groups.groups]
                found.setdefault(name, int(table.groups.samples[gone].sum()))
        return found

    def to_json(self) -> str:
        """Return the part as text that `from_json` reads."""
        return parts_to_json({"predictions": self})

    @classmethod
    def from_json(cls, text: str) -> PartStatistics:
        """Read a part of one model; RecordError says what is wrong with the text."""
        parts = parts_from_json(text, "statistics")
        if len(parts) != 1:
            raise ConfigurationError(f"statistics: of {len(parts)} models, {', '.join(sorted(parts))}; one is read")
        return next(iter(parts.values()))


_FACTS = ("positive", "decisions", "threshold", "scaling")
_INNER = {"inputs": set(_FACTS), "missing": {"sensitive", "text"}, "precision": {"bits", "rounded"}}
_DIGEST = re.compile("[0-9a-f]{64}")
_KEYS = {"samples", "inputs", "missing", "clustered", "tables", "rows", "precision"}


def parts_to_json(models: Mapping[str, PartStatistics]) -> str:
    """Return the document of a part of the rows of some models, with its checksum."""
    return seal_document({name: _plain(part) for name, part in sorted(models.items())})


def _plain(part: PartStatistics) -> dict[str, Any]:
    return {
        "samples": part.samples,
        "inputs": {name: getattr(part.inputs, name) for name in _FACTS},
        "missing": {
            "sensitive": part.missing.sensitive,
            "text": None if part.missing.text is None else list(part.missing.text),
        },
        "clustered": part.clustered,
        "tables": [
            plain_table(table.groups, table.metrics, table.refused, table.clusters)
            for _, table in sorted(part.tables.items())
        ],
        "rows": [dict(marks) for marks in part.rows],
        "precision": None if part.precision is None else asdict(part.precision),
    }


def parts_from_json(text: str, where: str) -> dict[str, PartStatistics]:
    """Read the statistics of each model of a document; RecordError names the place and what is wrong."""
    return {name: _read(content, f"{where}: {printable(name)}") for name, content in read_models(text, where).items()}


def _read(content: Any, where: str) -> PartStatistics:
    try:
        if set(content) != _KEYS:
            raise ValueError(f"has {', '.join(sorted(content))}; expected {', '.join(sorted(_KEYS))}")
        for name, keys in _INNER.items():
            if content[name] is not None and set(content[name]) != keys:
                raise ValueError(f"{name}: has {', '.join(sorted(content[name]))}; expected {', '.join(sorted(keys))}")
        samples, rows, clustered = content["samples"], content["rows"], content["clustered"]
        if not (samples is None or (type(samples) is int and samples > 0)) or type(clustered) is not bool:
            raise ValueError("samples: a number of rows is needed")
        _require_marks(rows)
        tables = [PartTable(*read_table(each, clustered=clustered)) for each in content["tables"]]
        missing = TypeAdapter(Missing).validate_json(json.dumps(content["missing"]), strict=True)
        inputs = TypeAdapter(InputRecord).validate_json(json.dumps(content["inputs"]), strict=True)
        precision = TypeAdapter(ScorePrecision | None).validate_json(json.dumps(content["precision"]), strict=True)
        _require_consistent(tables, missing, inputs, precision, samples)
        require_each_once(rows)
        if samples is not None and any(int(table.groups.samples.sum()) != samples for table in tables):
            raise ValueError(f"samples: are not {samples:,} in every table")
        shown = marks_of(table.groups for table in tables)
        if len(rows) == 1 and {name: of for name, of in rows[0].items() if name != IDS} != shown:
            raise ValueError("rows: are of other counts")
        with np.errstate(all="ignore"):
            for table in tables:  # what follows from no statistics, and cannot be added, is found here
                table.whole()
                table + table
        return PartStatistics(
            samples,
            inputs,
            missing,
            clustered,
            {table.groups.by: table for table in tables},
            tuple(rows),
            precision,
        )
    except ValidationError as error:
        raise RecordError(f"{where}: {error.errors()[0]['msg']}") from error
    except BROKEN as error:
        raise RecordError(f"{where}: no statistics that rows can have: {printable(str(error))}") from error


def _require_consistent(
    tables: Sequence[PartTable],
    missing: Missing,
    inputs: InputRecord,
    precision: ScorePrecision | None,
    samples: int | None,
) -> None:
    """Raise ValueError where what a part says contradicts itself."""
    whys = {why for table in tables for why in table.refused.values()}
    if samples is None and not any("suppress_below" in why for why in whys):
        raise ValueError("samples: are withheld, and nothing else is")
    groups = [table.groups for table in tables]
    require_names(groups, missing)
    # Of a table that one site withheld, those of the others are left, and nothing can be asked of it.
    require_one_population([each.groups for each in tables if set(each.refused) != set(each.metrics)])
    require_inputs(inputs, precision, labelled=any(each.unlabelled is None for each in groups))


def _require_marks(rows: Any) -> None:
    if type(rows) is not list or not rows or any(type(marks) is not dict for marks in rows):
        raise ValueError("rows: says of no rows what they are")
    for name, digest in (item for marks in rows for item in marks.items()):
        if type(digest) is not str or _DIGEST.fullmatch(digest) is None:
            raise ValueError(f"rows: {name}: no sha256")


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


def merge_parts(parts: Sequence[PartStatistics]) -> PartStatistics:
    """Add up statistics of parts of one model's rows, each row in one of them; ConfigurationError where they differ."""
    return add_parts({f"part {number}": part for number, part in enumerate(parts, start=1)})


def add_parts(parts: Mapping[str, PartStatistics], of: str = "") -> PartStatistics:
    """Add up parts by their names; ConfigurationError names the one that goes with the fewest others, and why."""
    if not parts:
        raise ConfigurationError("there are no parts to merge")
    unlike: dict[str, list[str]] = {}
    for (one, part), (other, its) in itertools.combinations(parts.items(), 2):
        if part.differs(its) is not None:
            unlike.setdefault(one, []).append(other)
            unlike.setdefault(other, []).append(one)
    if unlike:
        worst = max(reversed(list(parts)), key=lambda name: len(unlike.get(name, ())))
        first, *more = unlike[worst]
        others = f" and {counted(len(more), 'other')}" if more else ""
        problem = parts[worst].differs(parts[first])
        raise ConfigurationError(f"{worst}{of}: cannot be merged with {first}{others}: {problem}")
    if (union := union_of({name: part.groups for name, part in parts.items()})) is not None:
        raise ConfigurationError(
            f"{union[0]}{of}: cannot be merged with {' and '.join(union[1])}: its counts are the sums of theirs, as of "
            "rows that are given twice; leave it out, or them"
        )
    return functools.reduce(operator.add, parts.values())
