"""`fairness-checks report`: the evidence of a run in another form."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from fairness_checks.cli.files import read_evidence_file, read_given
from fairness_checks.errors import EvidenceError, FairnessError, did_you_mean, listed
from fairness_checks.plain import printable
from fairness_checks.report.evidence import Evidence
from fairness_checks.report.formats import FILENAME, FORMATS, Source
from fairness_checks.storage.files import open_regular, write_atomically

__all__ = ["report"]

_NAME = "fairness-checks report"
_BLOCK = 1 << 20


def report(
    path: Path, name: str, output: Path | None = None, *, subjects: Sequence[Path] = (), model: str | None = None
) -> int:
    """Write the evidence of a run as the format of that name; return 1 where the run did not come to its end."""
    # `path` is evidence.json, or its folder. What was changed since it was written is not rendered.
    try:
        file, content = read_given(path)
        evidence, unchanged = read_evidence_file(file, content)
        if not unchanged:
            sys.stderr.write(
                f"{_NAME}: {printable(str(file))}: the file was changed after it was written, and nothing is made of "
                "it; fairness-checks verify says what does not follow\n"
            )
            return 1
        source = Source(sha256=hashlib.sha256(content).hexdigest(), subjects=_subjects(subjects))
        if FORMATS[name].one_model:
            evidence = _of_model(evidence, model, file)
        _require_apart(output, [file, *subjects])
        _write(_rendered(evidence, source, name, file), output)
    except FairnessError as error:
        sys.stderr.write(f"{_NAME}: {printable(str(error))}\n")
        return 2
    if not evidence.complete:
        sys.stderr.write(f"{_NAME}: {printable(str(file))}: the run did not come to its end, and proves nothing\n")
        return 1
    return 0


def _of_model(evidence: Evidence, name: str | None, file: Path) -> Evidence:
    """Return the evidence of one model, which must be named where there are several."""
    names = sorted({model.model for model in evidence.models})
    if name is None and len(names) != 1:
        raise EvidenceError(f"{file}: name one of its models with --model ({listed(None, names)})")
    if name is not None and name not in names:
        raise EvidenceError(f"{file}: no evidence of the model {name!r}; {did_you_mean(name, names)}")
    models = tuple(model for model in evidence.models if model.model == (name or names[0]))
    return dataclasses.replace(evidence, models=models)


def _require_apart(output: Path | None, given: Sequence[Path]) -> None:
    """Refuse to write over what the form is of: nobody could recompute it then."""
    for path in given if output is not None and output.exists() else ():
        if output is not None and output.samefile(path):
            raise EvidenceError(f"{output}: would be written over, and is what the form is of; name another file")


def _rendered(evidence: Evidence, source: Source, name: str, file: Path) -> str:
    """Return the form; of evidence whose parts contradict each other, and which no run writes, one error."""
    try:
        return FORMATS[name].write(evidence, source)
    except FairnessError as error:
        raise EvidenceError(f"{file}: {error}") from error
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        why = f"{type(error).__name__}: {error}"
        raise EvidenceError(
            f"{file}: its parts contradict each other ({why}); fairness-checks verify says where"
        ) from error


def _write(text: str, output: Path | None) -> None:
    if output is None:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8", newline="\n")  # as the file would be
        sys.stdout.write(text)
        return
    try:
        write_atomically(output, text.encode())
    except OSError as error:
        raise EvidenceError(f"{output}: cannot be written: {error.strerror or error}") from error


def _subjects(paths: Sequence[Path]) -> tuple[tuple[str, str], ...]:
    """Return name and sha256 of each file; where names are the same, its path as it was given."""
    known = Counter([FILENAME, *(path.name for path in paths)])
    return tuple((path.name if known[path.name] == 1 else path.as_posix(), _sha256(path)) for path in paths)


def _sha256(path: Path) -> str:
    """Return the digest of a file of any size."""
    digest = hashlib.sha256()
    try:
        with open_regular(path) as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    except OSError as error:
        raise EvidenceError(f"--subject {path}: cannot be read: {error.strerror or error}") from error
    return digest.hexdigest()
