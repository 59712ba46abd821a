"""What a model's evaluation leaves for the evidence of the run, and the evidence of what all of them left."""

from __future__ import annotations

import dataclasses
import hashlib
import platform
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from fairness_checks.baseline.provenance import installed_versions
from fairness_checks.config.loading import ConfiguredCheck, GateConfig
from fairness_checks.errors import EvidenceError, RecordError
from fairness_checks.findings.statistics import Statistics
from fairness_checks.findings.statistics_json import statistics_to_json
from fairness_checks.inputs.alignment import without_label
from fairness_checks.inputs.predictions import LazyPredictions, Predictions
from fairness_checks.inputs.source import ARRAYS
from fairness_checks.judge.shown import Shown
from fairness_checks.plain import canonical_json, now, printable
from fairness_checks.question.checks import Burden, Check, Settings
from fairness_checks.question.metrics import Metric
from fairness_checks.question.names import check_name
from fairness_checks.records.check_record import CheckRecord
from fairness_checks.records.decision import DESELECTED
from fairness_checks.report.evidence import (
    AskedEvidence,
    CheckEvidence,
    ConfigurationEvidence,
    DataEvidence,
    GitEvidence,
    MetricEvidence,
    ModelEvidence,
    RunEvidence,
    statistics_id,
)
from fairness_checks.storage.cache_keys import array_digest

__all__ = [
    "asked_in",
    "configuration_evidence",
    "model_evidence",
    "part_from_json",
    "part_to_json",
    "run_evidence",
    "totals",
    "unsettled",
    "with_looks",
    "with_reasons",
    "with_records",
]


def model_evidence(
    model: str,
    predictions: Predictions | None,
    shown: Shown,
    checks: Sequence[Check],
    *,
    asked: Settings | None = None,
    cache: str | None = None,
) -> ModelEvidence:
    """Return what the evidence holds of a model, without its records: those are what was reported."""
    # `asked` are the settings of a hand-written test, for which no file speaks; `cache` is what was read from it.
    statistics: dict[str, dict[str, object]] = {}
    keys: dict[int, str] = {}  # by identity: checks share what they are decided by
    entries = []
    for check, known, answer in zip(checks, shown.measured.statistics, shown.answers, strict=True):
        key = None
        if not isinstance(known, Exception):
            if id(known) not in keys:
                plain = _plain(known, check)
                keys[id(known)] = statistics_id(plain)
                statistics[keys[id(known)]] = plain
            key = keys[id(known)]
        entries.append(
            CheckEvidence(
                question=check.question.line,
                asked=None if asked is None else AskedEvidence.of(check, asked),
                statistics=key,
                error=_told(answer) if isinstance(answer, Exception) else None,
            )
        )
    said = shown.measured.said
    return ModelEvidence(
        model=model,
        about=dict(said.about),
        inputs=said.inputs,
        held_out=said.held_out,
        swept=said.swept,
        looks=said.looks,
        data=None if predictions is None else shown.data(_data(predictions)),
        cache=cache,
        statistics=statistics,
        checks=tuple(entries),
    )


def _told(error: Exception) -> str:
    return without_label(f"{type(error).__name__}: {error}")


def _plain(statistics: Statistics, check: Check) -> dict[str, object]:
    try:
        return dict(statistics_to_json(statistics))
    except RecordError as error:
        raise EvidenceError(f"{check.question.line}: {error}") from error


def _data(predictions: Predictions) -> DataEvidence:
    features = dict(sorted(predictions.sensitive_features.items()))
    rows = predictions.cells if isinstance(predictions, LazyPredictions) else predictions
    arrays = {name: getattr(rows, name) for name in ARRAYS}
    arrays |= {f"feature {name}": each.codes for name, each in features.items()} | {"cluster": rows.cluster}
    arrays |= {"counts": next(iter(features.values())).counts}
    digests = {name: array_digest(values) for name, values in arrays.items() if values is not None}
    groups = {name: list(feature.groups) for name, feature in features.items()}
    text = canonical_json({"arrays": digests, "groups": groups}, "data", EvidenceError)
    return DataEvidence(
        samples=len(predictions),
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        missing={name: feature.samples(feature.codes < 0) for name, feature in features.items()},
    )


def with_records(part: ModelEvidence, records: Mapping[str, CheckRecord], test: str | None = None) -> ModelEvidence:
    """Return a model's part with the records that its tests reported, by `Question.line`."""
    checks = tuple(dataclasses.replace(check, record=records.get(check.question)) for check in part.checks)
    return dataclasses.replace(part, checks=checks, test=test)


def with_reasons(part: ModelEvidence, configured: Sequence[ConfiguredCheck], file: str) -> ModelEvidence:
    """Return a model's part with where the file of that name asks for its checks, and what it says of their limits."""
    pairs = zip(part.checks, configured, strict=True)
    checks = tuple(dataclasses.replace(check, **asked_in(file, part.model, asked)) for check, asked in pairs)
    return dataclasses.replace(part, checks=checks)


def asked_in(file: str, model: str, asked: ConfiguredCheck) -> dict[str, Any]:
    """Return the fields of a check's evidence that follow from the file of limits alone."""
    test = f"{file}::{check_name(model, asked.check)}"
    return {"why": asked.why, "owner": asked.owner, "test": test, "line": asked.line}


def with_looks(part: ModelEvidence, look: Callable[[CheckRecord], int | None]) -> ModelEvidence:
    """Return a model's part with which look at its question each record is."""
    checks = tuple(
        check if check.record is None else dataclasses.replace(check, look=look(check.record)) for check in part.checks
    )
    return dataclasses.replace(part, checks=checks)


def totals(records: Sequence[CheckRecord]) -> dict[str, int]:
    """Count records by verdict."""
    return dict(sorted(Counter(record.verdict for record in records).items()))


def unsettled(records: Sequence[CheckRecord], not_judged: Mapping[str, str], unchecked: Collection[str]) -> list[str]:
    """Return what a run leaves open: inconclusive checks, and tests without a verdict that were to have one."""
    # A waived check is settled by who approved it; what was deselected, or is said to be unchecked, was not asked.
    open_checks = [f"{record.model}: {record.question.line}" for record in records if record.verdict == "inconclusive"]
    return open_checks + [name for name, why in not_judged.items() if why != DESELECTED and name not in unchecked]


def configuration_evidence(
    limits: GateConfig, name: str, content: bytes, burden: Burden | None, metrics: Mapping[str, Metric]
) -> ConfigurationEvidence:
    """Return what the evidence says of the file of limits, `content` as it was read; `burden` is the command line's."""
    return ConfigurationEvidence(
        file=name,
        sha256=hashlib.sha256(content).hexdigest(),
        text=content.decode("utf-8"),
        burden_of_proof=burden,
        own_metrics=tuple(MetricEvidence.of(metric) for _, metric in sorted(metrics.items())),
        responsible=limits.responsible,
        test_data=limits.test_data,
        period=limits.period,
    )


def run_evidence(
    started: str,
    day: str,
    command: Sequence[str],
    commit: str | None,
    *,
    whole: bool,
    unsettled_exit: int | None,
) -> RunEvidence:
    """Return what the evidence says of how a run came about, which ends now."""
    known, _, dirty = (commit or "").partition("+")
    return RunEvidence(
        started=started,
        ended=now(),
        day=day,
        command=tuple(printable(str(each)) for each in command),
        whole=whole,
        unsettled_exit=unsettled_exit,
        python=platform.python_version(),
        versions=installed_versions(),
        git=GitEvidence(commit=known, clean=not dirty) if known else None,
    )


def part_to_json(part: ModelEvidence) -> str:
    """Return a part as JSON, for the controller of the run."""
    return _parts().dump_json(part).decode()


def part_from_json(text: str) -> ModelEvidence:
    """Read a part back; raise pydantic.ValidationError (a ValueError) if it is of another layout."""
    return _parts().validate_json(text, strict=True)


@cache
def _parts() -> TypeAdapter[ModelEvidence]:
    return TypeAdapter(ModelEvidence)
