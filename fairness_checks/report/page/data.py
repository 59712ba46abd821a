"""What the samples were that a model was judged on, as far as the evidence shows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fairness_checks.question.metrics import CELLS
from fairness_checks.records.check_record import CheckRecord
from fairness_checks.report.evidence import Evidence, ModelEvidence
from fairness_checks.report.figures.svg import FigureTable
from fairness_checks.report.numbers import HIDDEN
from fairness_checks.report.sentence import features_of

__all__ = ["ModelData", "data_of"]

_Groups = dict[tuple[tuple[str, ...], tuple[str, ...]], "_Group"]


@dataclass(slots=True)
class _Group:
    """What is known of a group of some features."""

    samples: int | None = None
    positives: int | None = None
    clusters: int | None = None
    hidden: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelData:
    """The samples of one model."""

    model: str
    test: str | None
    facts: tuple[tuple[str, str], ...]  # what is said of all of them
    groups: FigureTable | None
    about: Mapping[str, str] = field(default_factory=dict)


def data_of(evidence: Evidence) -> list[ModelData]:
    """Return what each model was judged on."""
    return [
        ModelData(
            model=model.model,
            test=model.test,
            facts=tuple(_facts(model)),
            groups=_table(model),
            about={name.replace("_", " "): text for name, text in model.about.items()},
        )
        for model in evidence.models
    ]


def _facts(model: ModelEvidence) -> Iterator[tuple[str, str]]:
    data, inputs = model.data, model.inputs
    if data is not None:
        yield "Held-out samples", HIDDEN if data.samples is None else f"{data.samples:,}"
        if data.missing:
            without = [f"{name}: {count:,}" for name, count in data.missing.items()]
            yield "Without a value", "; ".join(without)
    else:
        yield "Held-out samples", "none; it is judged by its sweep alone" if model.statistics else "none"
    if inputs is not None:
        if inputs.positive is not None:
            yield "Positive label", inputs.positive
        if inputs.decisions is not None:
            at = "by thresholds of their own" if inputs.threshold is None else f"score at or above {inputs.threshold:g}"
            yield "Decisions", "given by the model" if inputs.decisions == "given" else at
        if inputs.repeated_rows is not None:
            yield "Rows that repeat the features of an earlier one", f"{inputs.repeated_rows:,}"
    suppressed = {record.suppressed.below for record in _records(model) if record.suppressed is not None}
    for below in sorted(suppressed):
        yield "Small counts", f"hidden below {below}, with what would give them back"
    yield from (("Note", note) for note in dict.fromkeys((*model.held_out, *model.swept)))


def _records(model: ModelEvidence) -> list[CheckRecord]:
    return [check.record for check in model.checks if check.record is not None]


def _table(model: ModelEvidence) -> FigureTable | None:
    """Return the groups of each set of features, as records and statistics show them."""
    groups: _Groups = {}
    for statistics in model.statistics.values():
        _from_statistics(groups, statistics)
    for record in _records(model):
        _from_record(groups, record)
    if not groups:
        return None
    clustered = any(group.clusters is not None for group in groups.values())
    header = ("features", "group", "samples", "positives", *(["clusters"] if clustered else []))
    rows = []
    for (features, name), group in sorted(groups.items(), key=lambda item: (len(item[0][0]), item[0])):
        counts = [group.samples, group.positives, *([group.clusters] if clustered else [])]
        cells = [f"{count:,}" if count is not None else HIDDEN if group.hidden else "" for count in counts]
        rows.append((", ".join(features), ", ".join(name), *cells))
    return FigureTable(caption=f"Groups of {model.model}", header=header, rows=tuple(rows))


def _from_statistics(groups: _Groups, statistics: Mapping[str, Any]) -> None:
    """Take over what held-out statistics hold; `positives` only where there are labels."""
    held_out = statistics.get("held_out")
    if held_out is None or held_out["counts"] is None:
        return
    features = tuple(held_out["by"])
    fn, tp = CELLS.index("fn"), CELLS.index("tp")
    sizes: Sequence[int] = held_out["samples"]["int64"]
    for name, cells, samples in zip(held_out["groups"], held_out["counts"]["int64"], sizes, strict=True):
        group = groups.setdefault((features, tuple(name)), _Group())
        group.samples = samples
        if sum(cells):
            group.positives = cells[fn] + cells[tp]


def _from_record(groups: _Groups, record: CheckRecord) -> None:
    """Take over what a record shows; rows of a sweep are not held out."""
    if record.sweep is not None:
        return
    for each in record.groups:
        group = groups.setdefault((features_of(record, each.name), each.name), _Group())
        group.samples = each.samples if group.samples is None else group.samples
        if record.unit == "positives":
            group.positives = each.n
        if each.clusters is not None and record.unit in ("samples", "positives"):
            group.clusters = max(each.clusters, group.clusters or 0)
    for name in record.suppressed.groups if record.suppressed is not None else ():
        groups.setdefault((features_of(record, name), name), _Group()).hidden = True
