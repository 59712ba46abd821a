"""`fairness-checks verify`: whether a run's verdicts follow from its own evidence, without its models and patients."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from fairness_checks.baseline.provenance import installed_versions
from fairness_checks.cli.snapshot import junit_records
from fairness_checks.errors import EvidenceError, FairnessError, RecordError
from fairness_checks.judge.evidencing import totals
from fairness_checks.judge.recomputing import Difference, compare_records, differences
from fairness_checks.plain import printable
from fairness_checks.records.check_record import CheckRecord
from fairness_checks.report.evidence import FILENAME, Evidence, read_evidence
from fairness_checks.report.terminal import WIDTH, summary_lines
from fairness_checks.storage.files import read_regular

__all__ = ["verify"]

_MOST = 50  # differences that are shown
_COMPUTE = ("fairness-checks", "numpy", "scipy")


def verify(path: Path, junit: Path | None = None, *, table: bool = False) -> int:
    """Recompute a run from its evidence, print what differs, and return the exit code: 1 if anything does."""
    # `path` is evidence.json, or its folder, where JUnit files beside it are compared; `junit` is one elsewhere.
    file = path / FILENAME if path.is_dir() else path
    try:
        evidence, unchanged = read_evidence(_text(file))
        found = list(differences(evidence))
        files = {each: _records(each) for each in ([junit] if junit is not None else _junit_files(file.parent))}
        # One beside it that says nothing of a gate is of other tests; one that is named must be of this run.
        compared = {each: texts or [] for each, texts in files.items() if texts is not None or junit is not None}
        for each, texts in compared.items():
            found += _against_junit(evidence, each, texts)
    except FairnessError as error:
        sys.stderr.write(f"fairness-checks verify: {printable(str(error))}\n")
        return 2
    if not unchanged:
        found.insert(0, Difference("sha256", "of another content", "the file was changed after it was written"))
    for difference in found[:_MOST]:
        text = f"{difference.where}: {difference.found}; it follows: {difference.expected}"
        sys.stdout.write(f"{printable(text)}\n")
    if len(found) > _MOST:
        sys.stdout.write(f"... and {len(found) - _MOST} more differences\n")
    if table and not found:  # what was recomputed is what is there
        width = shutil.get_terminal_size((WIDTH, 24)).columns
        sys.stdout.writelines(f"{line}\n" for line, _ in summary_lines(evidence.records, verbose=True, width=width))
        sys.stdout.write("\n")
    if found and (others := _other_versions(evidence)):
        sys.stdout.write(f"other versions may round, or decide, otherwise: {printable(others)}\n")
    sys.stdout.write(_last_line(evidence, len(found), len(compared)))
    return 1 if found else 0


def _other_versions(evidence: Evidence) -> str:
    """Name what a verdict is computed with, and is of another version here than in the run."""
    here = installed_versions()
    differing = {name for name in _COMPUTE if evidence.run.versions.get(name) != here.get(name)}
    return ", ".join(f"{name} {evidence.run.versions.get(name)}, here {here.get(name)}" for name in sorted(differing))


def _last_line(evidence: Evidence, differing: int, files: int) -> str:
    records = evidence.records
    judged = ", ".join(f"{n} {verdict}" for verdict, n in totals(records).items())
    beside = f", and {files} JUnit {'file' if files == 1 else 'files'} compared" if files else ""
    found = "nothing differs" if not differing else f"{differing} {'difference' if differing == 1 else 'differences'}"
    attested = sum(record.suppressed is not None for record in records)
    apart = f", {attested} attested, not recomputed, as small cells are suppressed" if attested else ""
    part = "" if evidence.run.whole else f"; a part of the run only: {len(evidence.not_judged)} not judged"
    return f"{len(records) - attested} checks recomputed{apart} ({judged or 'none'}){beside}: {found}{part}\n"


def _text(path: Path) -> str:
    try:
        return _content(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise EvidenceError(f"{path}: not UTF-8 at byte {error.start}") from error


def _junit_files(folder: Path) -> list[Path]:
    """Return the XML files of a folder that may be JUnit's."""
    return [file for file in sorted(folder.glob("*.xml")) if b"<testsuite" in _content(file)]


def _records(path: Path) -> list[str] | None:
    return junit_records(_content(path), str(path))


def _content(path: Path) -> bytes:
    try:
        return read_regular(path)
    except FileNotFoundError:
        raise EvidenceError(
            f"{path}: there is no such file; write it with: pytest --fairness --fairness-report=DIR --junitxml=FILE"
        ) from None
    except OSError as error:
        raise EvidenceError(f"{path}: cannot be read: {error.strerror or error}") from error


def _against_junit(evidence: Evidence, path: Path, texts: Sequence[str]) -> Iterator[Difference]:
    """Yield what a JUnit file says otherwise than the evidence: each record in one must be in the other."""
    own: dict[tuple[object, ...], list[CheckRecord]] = {}
    for record in evidence.records:
        own.setdefault(record.key, []).append(record)
    for text in texts:
        try:
            record = CheckRecord.from_json(text)
        except RecordError as error:
            yield Difference(path.name, "a record that cannot be", str(error))
            continue
        place = f"{path.name}: {record.model}: {record.question.line}"
        same = own.get(record.key, [])
        if not same:
            yield Difference(place, f"verdict {record.verdict}", "nothing: the evidence does not have it")
            continue
        closest = next((each for each in same if each == record), same[0])
        same.remove(closest)
        yield from compare_records(place, record, closest)
    for rest in own.values():
        for record in rest:
            place = f"{path.name}: {record.model}: {record.question.line}"
            yield Difference(place, "nothing", f"verdict {record.verdict}, which the evidence has")
