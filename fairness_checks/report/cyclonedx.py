"""A run as a bill of materials with a model card for each model, in CycloneDX 1.6 as JSON. Decides nothing."""

# Model cards: https://cyclonedx.org/docs/1.6/json/#components_items_modelCard

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

from fairness_checks.distribution import DISTRIBUTION
from fairness_checks.plain import printable
from fairness_checks.question.limits import LIMITS, OF_ONE_GROUP
from fairness_checks.records.check_record import CheckRecord
from fairness_checks.records.parts import GroupRecord
from fairness_checks.report.evidence import CheckEvidence, Evidence, ModelEvidence
from fairness_checks.report.formats import FILENAME, Source
from fairness_checks.report.outcomes import outcomes, run_words
from fairness_checks.report.sentence import deciding, who
from fairness_checks.report.text import interval_of, sentences, subject_text, waiver_text

__all__ = ["bill_of_materials"]

_NAMESPACE = uuid.UUID("6f1d0b0e-7d0f-5a56-8f0e-3a3c0c3f6b11")  # of serial numbers: one and the same for one evidence


def bill_of_materials(evidence: Evidence, source: Source) -> str:
    """Return the document: models with their cards, and the files that the evidence is about."""
    files = [(FILENAME, source.sha256), *source.subjects]
    version = evidence.run.versions.get(DISTRIBUTION)
    tool = {"type": "application", "name": DISTRIBUTION, **({"version": version} if version else {})}
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, json.dumps(files))}",
        "version": 1,
        "metadata": {
            "timestamp": evidence.run.ended,
            "tools": {"components": [tool]},
            "properties": _properties(_of_run(evidence)),
        },
        "components": [
            *(_component(number, model) for number, model in enumerate(evidence.models, 1)),
            *(_file(number, *each) for number, each in enumerate(files, 1)),
        ],
    }
    return json.dumps(document, indent=2) + "\n"


def _of_run(evidence: Evidence) -> Iterator[tuple[str, str]]:
    found = outcomes(evidence)
    yield "run", run_words(evidence, found)
    yield "complete", str(evidence.complete).lower()
    yield "exit_code", str(evidence.exit_code)
    yield "limits", f"{evidence.configuration.file} sha256:{evidence.configuration.sha256}"
    if evidence.run.git is not None:
        yield "commit", evidence.run.git.commit + ("" if evidence.run.git.clean else "+dirty")
    for each in found:
        if each.record is None:  # it stands on no card
            yield each.status, f"{each.test}: {each.text}"


def _component(number: int, model: ModelEvidence) -> dict[str, Any]:
    about = [(f"about.{name}", text) for name, text in model.about.items()]
    test = [] if model.test is None else [("test", model.test)]
    return {
        "type": "machine-learning-model",
        "bom-ref": f"model-{number}",
        "name": printable(model.model),
        "modelCard": {
            **({} if model.data is None else {"modelParameters": {"datasets": [_dataset(model)]}}),
            "quantitativeAnalysis": {"performanceMetrics": _metrics(model)},
            "considerations": {
                "technicalLimitations": list(map(printable, dict.fromkeys(_notes(model)))),
                "fairnessAssessments": [_assessment(check) for check in model.checks],
            },
            "properties": _properties([*test, *about]),
        },
    }


def _dataset(model: ModelEvidence) -> dict[str, Any]:
    data = model.data
    assert data is not None  # for the type checker: asked before
    samples = [] if data.samples is None else [f"{data.samples:,} samples"]
    missing = [f"{count:,} without {feature}" for feature, count in sorted(data.missing.items()) if count]
    known = [] if data.sha256 is None else [("sha256", data.sha256)]
    return {
        "type": "dataset",
        "name": "held-out samples",
        "description": printable("; ".join([*samples, *missing]) or "numbers are withheld"),
        "contents": {"properties": _properties(known)},
    }


def _metrics(model: ModelEvidence) -> list[dict[str, Any]]:
    """Return the value of each group, and what each check limits; what several checks share stands there once."""
    found: dict[str, dict[str, Any]] = {}
    for record in (check.record for check in model.checks if check.record is not None):
        for metric in (*_of_groups(record), *_of_check(record)):
            found.setdefault(json.dumps(metric), metric)
    return list(found.values())


def _of_groups(record: CheckRecord) -> Iterator[dict[str, Any]]:
    where = "" if record.sweep is None else f" ({record.question.line})"
    for group in record.groups:
        if group.rate is not None:
            name = printable(f"{record.component or record.metric}{where}")
            yield _metric(name, group.rate, who(record, group.name), interval_of(record, group))


def _of_check(record: CheckRecord) -> Iterator[dict[str, Any]]:
    if record.estimate is None or record.limit_kind in OF_ONE_GROUP:
        return
    interval = None if record.low is None or record.high is None else (record.low, record.high)
    names = " against ".join(_names(record, deciding(record))) or ", ".join(record.by)
    yield _metric(f"{subject_text(record)}: {LIMITS[record.limit_kind].word}", record.estimate, names, interval)


def _metric(name: str, value: float, where: str, interval: tuple[float, float] | None) -> dict[str, Any]:
    between = {} if interval is None else {"lowerBound": str(interval[0]), "upperBound": str(interval[1])}
    found = {"type": printable(name), "value": str(value), "slice": printable(where)}
    return {**found, **({"confidenceInterval": between} if between else {})}


def _names(record: CheckRecord, groups: Sequence[GroupRecord]) -> list[str]:
    return [printable(who(record, group.name)) for group in groups]


def _notes(model: ModelEvidence) -> Iterator[str]:
    yield from (*model.held_out, *model.swept, *model.looks)
    for check in model.checks:
        if check.record is not None:
            yield from check.record.cautions


def _assessment(check: CheckEvidence) -> dict[str, str]:
    """Return what a check says of the group that does worse."""
    record = check.record
    if record is None:
        why = check.error or "it has no verdict"
        return {"groupAtRisk": printable(check.question), "harms": printable(f"not judged: {why}")}
    worse = _names(record, deciding(record)[:1]) or [printable(", ".join(record.by))]
    waived = waiver_text(record)
    kind = "benefits" if record.verdict == "pass" else "harms"
    return {
        "groupAtRisk": worse[0],
        kind: f"{record.verdict}: {' '.join(sentences(record))}",
        **({} if waived is None else {"mitigationStrategy": printable(waived)}),
    }


def _file(number: int, name: str, sha256: str) -> dict[str, Any]:
    hashes = [{"alg": "SHA-256", "content": sha256}]
    return {"type": "file", "bom-ref": f"file-{number}", "name": printable(name), "hashes": hashes}


def _properties(pairs: Sequence[tuple[str, str]] | Iterator[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"name": printable(f"{DISTRIBUTION}:{name}"), "value": printable(value)} for name, value in pairs]
