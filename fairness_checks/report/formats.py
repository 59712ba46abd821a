"""What the evidence of a run can be written as: one row a format, whose module is imported when it is asked for."""

# A format renders the evidence and decides nothing, and says so where the evidence is incomplete: in the folder of
# `--fairness-report` every file is there from the run's start.

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from fairness_checks.report.evidence import Evidence

__all__ = ["FILENAME", "FORMATS", "Format", "Source", "folder_files"]

FILENAME = "evidence.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where evidence stands, and what else a statement of it is about: sha256 in hexadecimal digits."""

    sha256: str
    """Of the bytes of evidence.json."""
    subjects: tuple[tuple[str, str], ...] = ()
    """Name and sha256 of files that were judged, such as a model's."""


_Writer: TypeAlias = "Callable[[Evidence, Source], str]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One form of a run's evidence."""

    file: str
    """Name of its file in the folder of `--fairness-report`."""
    what: str
    """In a few words, for `--help`."""
    write: _Writer
    """Evidence to text, which a file holds in UTF-8."""
    in_folder: bool = False
    """Whether the folder has it without being asked."""
    takes_subjects: bool = False
    """Whether it names files that were judged."""
    one_model: bool = False
    """Whether it is of one model, which must be named where the evidence is of several."""


def _of(module: str, function: str) -> _Writer:
    """Return what a function of a module of this room makes of the evidence."""
    return lambda evidence, source: str(_named(module, function)(evidence))


def _with_source(module: str, function: str) -> _Writer:
    """Return what a function makes of the evidence, and of where it stands."""
    return lambda evidence, source: str(_named(module, function)(evidence, source))


def _named(module: str, function: str) -> Callable[..., object]:
    found: Callable[..., object] = getattr(import_module(f"fairness_checks.report.{module}"), function)
    return found


FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "json": Format(
            file=FILENAME,
            what="the evidence itself, from which verify recomputes the run",
            write=_of("evidence", "write_evidence"),
            in_folder=True,
        ),
        "html": Format(
            file="report.html",
            what="one page to read: what failed and what to do, every check, data, provenance",
            write=_with_source("page.page", "write_page"),
            in_folder=True,
        ),
        "markdown": Format(
            file="summary.md",
            what="a summary to read in a pull request, of less than 1 MiB",
            write=_of("markdown", "summary"),
            in_folder=True,
        ),
        "in-toto": Format(
            file="statement.json",
            what="an in-toto statement with a Test Result, to be signed",
            write=_with_source("in_toto", "statement"),
            takes_subjects=True,
        ),
        "cyclonedx": Format(
            file="bom.cdx.json",
            what="a CycloneDX 1.6 bill of materials with a card for each model",
            write=_with_source("cyclonedx", "bill_of_materials"),
            takes_subjects=True,
        ),
        "chai": Format(
            file="model-card.xml",
            what="an Applied Model Card of the Coalition for Health AI, draft v0.2, of one model",
            write=_with_source("chai_card", "model_card"),
            one_model=True,
        ),
        "gitlab": Format(
            file="gl-code-quality-report.json",
            what="a code quality report for GitLab's merge requests",
            write=_of("gitlab", "code_quality"),
        ),
    }
)
"""By the name that the command line takes. The evidence itself stands first: others are written of it."""


def folder_files(evidence: Evidence) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of each file that the folder of `--fairness-report` holds."""
    from fairness_checks.report.evidence import read_evidence  # here: the names of formats load none of them

    # Other forms are written of the evidence as it is read back, in its order, so that they are those made later.
    text = FORMATS["json"].write(evidence, Source(sha256=""))
    yield FORMATS["json"].file, text.encode()
    source = Source(sha256=hashlib.sha256(text.encode()).hexdigest())
    as_read, _ = read_evidence(text)
    for name, form in FORMATS.items():
        if form.in_folder and name != "json":
            yield form.file, form.write(as_read, source).encode()
