"""Evidence as the commands are given it: a file, or the folder that holds it."""

from __future__ import annotations

import sys
from pathlib import Path

from fairness_checks.errors import EvidenceError
from fairness_checks.report.evidence import Evidence, read_evidence
from fairness_checks.report.formats import FILENAME, FORMATS
from fairness_checks.storage.files import read_regular

__all__ = ["content_of", "read_evidence_file", "read_given", "withdraw_report"]


def read_given(path: Path) -> tuple[Path, bytes]:
    """Return the file that holds the evidence, and its content; EvidenceError where it cannot be read."""
    file = path / FILENAME if path.is_dir() else path
    return file, content_of(file)


def read_evidence_file(file: Path, content: bytes) -> tuple[Evidence, bool]:
    """Return the evidence in a file, and whether its checksum is that of its content; EvidenceError names the file."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise EvidenceError(f"{file}: not UTF-8 at byte {error.start}") from error
    try:
        return read_evidence(text)
    except EvidenceError as error:
        raise EvidenceError(f"{file}: {error}") from error


def content_of(path: Path) -> bytes:
    """Return the content of a file; EvidenceError where it cannot be read."""
    try:
        return read_regular(path)
    except FileNotFoundError:
        raise EvidenceError(
            f"{path}: there is no such file; write it with: pytest --fairness --fairness-report=DIR --junitxml=FILE"
        ) from None
    except OSError as error:
        raise EvidenceError(f"{path}: cannot be read: {error.strerror or error}") from error


def withdraw_report(folder: Path, command: str) -> None:
    """Remove the evidence of an earlier audit: it must not stand for one that came to no judgement."""
    files = [folder / form.file for form in FORMATS.values() if form.in_folder]
    try:
        if (folder / FORMATS["json"].file).is_file():
            for file in files:
                file.unlink(missing_ok=True)
    except OSError as error:
        place = error.filename or folder
        sys.stderr.write(f"fairness-checks {command}: {place}: is of an earlier audit, and stays: {error.strerror}\n")
