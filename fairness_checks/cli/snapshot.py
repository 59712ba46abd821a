"""The kinds of file that a diff compares, read as the same thing: a baseline, evidence, or the JUnit XML of a run."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from xml.parsers import expat

from fairness_checks.baseline.document import Entry
from fairness_checks.baseline.entries import entry_of
from fairness_checks.baseline.reading import parse_baseline
from fairness_checks.cli.files import read_evidence_file
from fairness_checks.errors import BaselineError, EvidenceError, RecordError
from fairness_checks.records.check_record import CheckRecord
from fairness_checks.report.formats import FILENAME
from fairness_checks.report.junit import RECORD_PROPERTY
from fairness_checks.storage.files import no_such_file, read_regular

__all__ = ["JUnitCase", "Snapshot", "junit_cases", "read_snapshot"]

_TAKES = "diff takes fairness-baseline.json, evidence.json or its folder, or the JUnit XML of a run"
_NO_DATE = "0001-01-01"
_OF_A_GATE = "fairness."  # how the names of its properties begin


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The checks of all models at one time."""

    source: str  # the file
    kind: Literal["baseline", "evidence", "junit"]  # those of a run have no fingerprints and no ratchets
    models: Mapping[str, Mapping[str, Entry]]  # by model and `Question.line`
    # of samples, behind the key that they were made with; those of two keys cannot be compared
    fingerprints: Mapping[str, tuple[str | None, str]] = field(default_factory=dict)


def read_snapshot(path: Path) -> Snapshot:
    """Read a baseline, evidence or the folder that holds it, or a JUnit XML; which of them it is, its content says."""
    if (path / FILENAME).is_file():
        path = path / FILENAME
    try:
        content = read_regular(path)
    except FileNotFoundError:
        raise BaselineError(f"{path}: {no_such_file(path)}; {_TAKES}") from None
    except OSError as error:
        raise BaselineError(f"{path}: cannot be read: {error.strerror or error}; {_TAKES}") from error
    begin = content.removeprefix(b"\xef\xbb\xbf").lstrip()[:2]
    if begin.startswith(b"<") and begin != b"<<":  # "<<<<<<<" is a baseline in a merge conflict
        return _read_junit(content, str(path))
    if b'"statistics"' in content and _is_evidence(content):
        return _read_evidence(path, content)
    if begin[:1] not in (b"{", b"<") and not content.startswith(b"\xef\xbb\xbf") and begin.isascii():
        raise BaselineError(f"{path}: {'the file is empty' if not begin else 'is none of these'}; {_TAKES}")
    try:
        baseline = parse_baseline(content.decode("utf-8"), str(path))
    except UnicodeDecodeError as error:
        raise BaselineError(f"{path}: none of these: not UTF-8 at byte {error.start}; {_TAKES}") from error
    fingerprints = {
        name: (None if model.outcomes is None else model.outcomes.key, model.data_fingerprint)
        for name, model in baseline.models.items()
        if model.data_fingerprint is not None
    }
    models = {name: model.checks for name, model in baseline.models.items()}
    return Snapshot(source=str(path), kind="baseline", models=models, fingerprints=fingerprints)


def _is_evidence(content: bytes) -> bool:
    try:
        plain = json.loads(content)
    except (ValueError, RecursionError):
        return False
    return isinstance(plain, dict) and {"run", "configuration", "models"} <= plain.keys()


def _read_evidence(path: Path, content: bytes) -> Snapshot:
    try:
        evidence, intact = read_evidence_file(path, content)
    except EvidenceError as error:
        raise BaselineError(str(error)) from error
    if not intact:
        raise BaselineError(f"{path}: the file was changed after it was written; take that of the run itself")
    records = (each.record for model in evidence.models for each in model.checks)
    return Snapshot(
        source=str(path), kind="evidence", models=_entries(record for record in records if record is not None)
    )


def _read_junit(content: bytes, source: str) -> Snapshot:
    records = []
    for text in (text for case in junit_cases(content, source) or () for text in case.records):
        try:
            records.append(CheckRecord.from_json(text))
        except RecordError as error:
            raise BaselineError(f"{source}: {RECORD_PROPERTY}: {error}; was it written by another version?") from error
    if not records:
        raise BaselineError(
            f"{source}: holds no property {RECORD_PROPERTY}; a run that writes them: pytest --fairness --junitxml=FILE"
        )
    return Snapshot(source=source, kind="junit", models=_entries(records))


def _entries(records: Iterable[CheckRecord]) -> dict[str, dict[str, Entry]]:
    """Return records as a baseline holds them, by model and question."""
    models: dict[str, dict[str, Entry]] = {}
    for record in records:
        entry = entry_of(record, versions={}, git_commit=None, date=_NO_DATE)
        checks, key = models.setdefault(record.model, {}), entry.question.line
        # A hand-written test may ask the same thing twice; each stays, by its place in the file.
        same = sum(1 for other in checks.values() if other.question.line == key)
        checks[f"{key} ({same + 1})" if same else key] = entry
    return models


@dataclass(slots=True)
class JUnitCase:
    """What a JUnit XML says of a test, or, of the suite, beside them."""

    name: str
    test: bool = True  # False for the suite
    red: bool = False  # failed, or in error
    properties: list[tuple[str, str]] = field(default_factory=list)

    @property
    def records(self) -> list[str]:
        """The values of the records' properties."""
        return [value for name, value in self.properties if name == RECORD_PROPERTY]


def junit_cases(content: bytes, source: str) -> list[JUnitCase] | None:
    """Return what is said of the suite, and then of each test; None where not one property is of a gate."""
    # Entities, which can make a small file a huge one, can only be declared in a DOCTYPE; no JUnit XML has one.
    found = [suite := JUnitCase("testsuite", test=False)]
    inside = [suite]  # the test that is open, behind the suite

    def start(name: str, attributes: dict[str, str]) -> None:
        if name == "testcase":
            found.append(JUnitCase(attributes.get("name", "")))
            inside.append(found[-1])
        elif name == "property":
            inside[-1].properties.append((attributes.get("name", ""), attributes.get("value", "")))
        elif name in ("failure", "error"):
            inside[-1].red = True

    def end(name: str) -> None:
        if name == "testcase":
            inside.pop()

    def doctype(*_: object) -> None:
        raise BaselineError(f"{source}:{parser.CurrentLineNumber}: XML with a DOCTYPE is refused; no JUnit XML has one")

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        raise BaselineError(f"{source}:{error.lineno}: not XML: {expat.ErrorString(error.code)}") from error
    except (LookupError, ValueError) as error:  # an encoding that Python has not, or not for XML
        raise BaselineError(f"{source}:1: not XML that can be read: {error}; JUnit XML is UTF-8") from error
    return found if any(name.startswith(_OF_A_GATE) for case in found for name, _ in case.properties) else None
