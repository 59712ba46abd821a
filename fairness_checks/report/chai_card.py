"""One model in the Applied Model Card of the Coalition for Health AI, draft v0.2, as XML. Decides nothing."""

# Schema: https://mc.chai.org/v0.2/schema.xsd. Filled in is what a fairness gate knows; all else names who is to write
# it. Texts of a card are Markdown, so that names are escaped as in the summary.

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from fairness_checks.errors import EvidenceError
from fairness_checks.question.limits import LIMITS, OF_ONE_GROUP
from fairness_checks.records.check_record import CheckRecord
from fairness_checks.report.evidence import Evidence, ModelEvidence
from fairness_checks.report.formats import FILENAME, Source
from fairness_checks.report.markdown import escaped
from fairness_checks.report.sentence import deciding, who
from fairness_checks.report.text import allowed_text, interval_of, sentences, subject_text

__all__ = ["NAMESPACE", "model_card"]

NAMESPACE = "https://mc.chai.org/v0.2/schema.xsd"
_REST = "No part of a fairness gate: to be written by the developer."
_Tree: TypeAlias = "str | Mapping[str, _Tree] | Sequence[tuple[str, _Tree]]"


def model_card(evidence: Evidence, source: Source) -> str:
    """Return the card of the one model that the evidence is of; EvidenceError where it is of none or of several."""
    names = sorted({model.model for model in evidence.models})
    if len(names) != 1:
        raise EvidenceError(f"a model card is of one model, and here are {len(names)}: {', '.join(names) or 'none'}")
    models = evidence.models
    records = [check.record for model in models for check in model.checks if check.record is not None]
    card: _Tree = {
        "BasicInfo": {"ModelName": escaped(names[0]), **_rest("ModelDeveloper", "DeveloperContact")},
        "ReleaseInfo": _rest("ReleaseStage", "ReleaseDate", "ReleaseVersion", "GlobalAvailability"),
        "ModelSummary": {"Summary": _REST, "Keywords": ""},
        "UsesAndDirections": _rest(
            "IntendedUseAndWorkflow",
            "PrimaryIntendedUsers",
            "HowToUse",
            "TargetedPatientPopulation",
            "CautionedOutOfScopeSettings",
        ),
        "Warnings": {
            **_rest("KnownRisksAndLimitations"),
            "KnownBiasesOrEthicalConsiderations": _listed(_open_questions(evidence, models)),
            **_rest("ClinicalRiskLevel"),
        },
        "TrustIngredients": {
            "AISystemFacts": _rest(
                "OutcomesAndOutputs",
                "ModelType",
                "InputDataSource",
                "OutputAndInputDataTypes",
                "DevelopmentDataCharacterization",
                "BiasMitigationApproaches",
                "OngoingMaintenance",
            ),
            "TransparencyInformation": _rest("FundingSource", "StakeholdersConsulted"),
        },
        "KeyMetrics": {
            "UsefulnessUsabilityEfficacy": _no_metric(),
            "FairnessEquity": _fairness(evidence, source, models, records),
            "SafetyReliability": _no_metric(),
        },
        "Resources": {
            "EvaluationReferences": f"{FILENAME}, sha256 {source.sha256}",
            **_rest("PeerReviewedPublications", "PatientConsentOrDisclosure"),
        },
        "Bibliography": "",
    }
    return _xml(card)


def _rest(*names: str) -> dict[str, str]:
    return dict.fromkeys(names, _REST)


_OF_METRIC = ("Interpretation", "TestType", "TestingDataDescription", "ValidationProcessAndJustification")


def _no_metric() -> _Tree:
    """Return a part that others write: `null` is no value that could be taken for one."""
    return {
        "MetricGoal": _REST,
        "Results": [("MetricResult", {"Label": _REST, "ValueJson": "null"})],
        **_rest(*_OF_METRIC),
    }


def _fairness(
    evidence: Evidence, source: Source, models: Sequence[ModelEvidence], records: Sequence[CheckRecord]
) -> _Tree:
    results = list(dict.fromkeys(each for record in records for each in _results(record)))
    counted = ("Checks with a value", json.dumps({"kind": "single", "value": len(results), "unit": "count"}))
    return {
        "MetricGoal": _listed(dict.fromkeys(map(_goal, records))),
        "Results": [("MetricResult", {"Label": label, "ValueJson": value}) for label, value in results or [counted]],
        "Interpretation": _listed(_interpretations(evidence, models)),
        "TestType": _listed(dict.fromkeys(escaped(f"{record.check}: {record.method}") for record in records)),
        "TestingDataDescription": _listed(_data(evidence, models)),
        "ValidationProcessAndJustification": _listed(_process(evidence, source, records)),
    }


def _goal(record: CheckRecord) -> str:
    return f"{escaped(subject_text(record))}: {LIMITS[record.limit_kind].word} {allowed_text(record)}"


def _results(record: CheckRecord) -> Iterator[tuple[str, str]]:
    """Yield label and value of each group, and of what is limited."""
    subject, level = escaped(subject_text(record)), round(100.0 * record.confidence, 6)
    for group in record.groups:
        if group.rate is not None:
            label = f"{subject}: {escaped(who(record, group.name))}"
            yield label, _value(group.rate, interval_of(record, group), level)
    if record.estimate is not None and record.limit_kind not in OF_ONE_GROUP:
        interval = None if record.low is None or record.high is None else (record.low, record.high)
        names = " against ".join(escaped(who(record, group.name)) for group in deciding(record))
        word = LIMITS[record.limit_kind].word
        yield f"{subject}: {word}{f', {names}' if names else ''}", _value(record.estimate, interval, level)


def _value(value: float, interval: tuple[float, float] | None, level: float) -> str:
    if interval is None:
        return json.dumps({"kind": "single", "value": value})
    low, high = interval
    return json.dumps({"kind": "estimate_ci", "estimate": value, "lower": low, "upper": high, "level": level})


def _interpretations(evidence: Evidence, models: Sequence[ModelEvidence]) -> Iterator[str]:
    yield from (f"**{line}.**" for line in _of_run(evidence))
    for check in (check for model in models for check in model.checks):
        if check.record is None:
            why = check.error or evidence.not_judged.get(check.test) or "it has no verdict"
            yield f"not judged: {escaped(check.question)}: {escaped(why)}"
            continue
        yield f"{check.record.verdict}: {' '.join(map(escaped, sentences(check.record)))}"


def _of_run(evidence: Evidence) -> Iterator[str]:
    """Yield what speaks against the run as a whole, whichever model it is of: a card that stands alone shows it too."""
    if not evidence.complete:
        yield "The run did not come to its end, and proves nothing"
    elif not evidence.ended_green:
        yield f"The run that this card is of failed with exit code {evidence.exit_code}"
    if count := len(evidence.failures):
        tests = "1 test" if count == 1 else f"{count:,} tests"
        yield f"{tests} failed for another reason than a verdict; {FILENAME} names them"
    if not evidence.run.whole:
        yield "Only a part of the configured checks was to run"


def _open_questions(evidence: Evidence, models: Sequence[ModelEvidence]) -> Iterator[str]:
    """Yield what a fairness gate knows to be against the model, or does not know."""
    told = [line for line in _interpretations(evidence, models) if not line.startswith("pass: ")]
    yield from told or ["The fairness gate found no limit exceeded on its held-out samples. See FairnessEquity."]
    yield _REST


def _data(evidence: Evidence, models: Sequence[ModelEvidence]) -> Iterator[str]:
    given = evidence.configuration
    if given.test_data is not None:
        yield f"Held-out samples against those of the training: {escaped(given.test_data)}"
    if given.period is not None:
        yield f"Collected: {escaped(given.period)}"
    for model in models:
        data = model.data
        if data is not None and data.samples is not None:
            yield f"{data.samples:,} samples"
        for feature, count in sorted(data.missing.items()) if data is not None else ():
            if count:
                yield f"{count:,} samples without {escaped(feature)}"
        if model.inputs is not None and model.inputs.positive is not None:
            yield f"Positive class: {escaped(model.inputs.positive)}"
        yield from (f"{escaped(name)}: {escaped(text)}" for name, text in model.about.items())
        yield from (escaped(note) for note in (*model.held_out, *model.swept))


def _process(evidence: Evidence, source: Source, records: Sequence[CheckRecord]) -> Iterator[str]:
    given = evidence.configuration
    yield f"Limits: {escaped(given.file)}, sha256 {given.sha256}"
    for alpha, correction in sorted({(record.alpha, record.correction) for record in records}):
        yield f"A limit counts as exceeded where a test at level {alpha:g} shows it, p-values adjusted: {correction}"
    yield f"Evidence: {FILENAME}, sha256 {source.sha256}; `fairness-checks verify` recomputes every verdict from it"
    if evidence.run.git is not None:
        yield f"Commit: {evidence.run.git.commit}{'' if evidence.run.git.clean else ', with changes'}"


def _listed(lines: Iterator[str] | Mapping[str, None]) -> str:
    return "\n".join(f"- {line}" for line in lines) or _REST


def _xml(card: _Tree) -> str:
    root = ET.Element("AppliedModelCard", xmlns=NAMESPACE)
    _fill(root, card)
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _fill(element: ET.Element, tree: _Tree) -> None:
    if isinstance(tree, str):
        element.text = tree or None
        return
    for name, part in tree.items() if isinstance(tree, Mapping) else tree:
        _fill(ET.SubElement(element, name), part)
