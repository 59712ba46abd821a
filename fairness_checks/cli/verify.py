"""`fairness-checks verify`: whether a run's verdicts follow from its own evidence, without its models and patients."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from fairness_checks.baseline.provenance import installed_versions
from fairness_checks.cli.files import content_of, read_evidence_file, read_given
from fairness_checks.cli.snapshot import JUnitCase, junit_cases
from fairness_checks.distribution import DISTRIBUTION
from fairness_checks.errors import FairnessError, RecordError
from fairness_checks.judge.differing import Difference, compare_records
from fairness_checks.judge.evidencing import totals
from fairness_checks.judge.recomputing import configuration_of, differences
from fairness_checks.plain import counted, printable
from fairness_checks.records.check_record import CheckRecord
from fairness_checks.records.decision import DESELECTED, turns_red
from fairness_checks.report.evidence import Evidence
from fairness_checks.report.junit import RECORD_PROPERTY, properties, run_properties
from fairness_checks.report.terminal import WIDTH, summary_lines

__all__ = ["verify"]

_MOST = 50  # differences that are shown
_COMPUTE = (DISTRIBUTION, "numpy", "scipy")


def verify(path: Path, junit: Path | None = None, *, table: bool = False) -> int:
    """Recompute a run from its evidence, print what differs, and return the exit code: 1 if anything does."""
    # `path` is evidence.json, or its folder, where JUnit files beside it are compared; `junit` is one elsewhere.
    try:
        file, content = read_given(path)
        evidence, unchanged = read_evidence_file(file, content)
        found = list(differences(evidence))
        files = {each: _cases(each) for each in ([junit] if junit is not None else _junit_files(file.parent))}
        # One beside it that says nothing of a gate is of other tests; one that is named must be of this run.
        compared = {each: cases or [] for each, cases in files.items() if cases is not None or junit is not None}
        for each, cases in compared.items():
            found += _against_junit(evidence, each, cases)
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
    beside = f", and {counted(files, 'JUnit file')} compared" if files else ""
    found = counted(differing, "difference") if differing else "nothing differs"
    attested = sum(record.suppressed is not None for record in records)
    apart = f", {attested} attested, not recomputed, as small cells are suppressed" if attested else ""
    part = "" if evidence.run.whole else f"; a part of the run only: {len(evidence.not_judged)} not judged"
    errors = sum(check.error is not None for model in evidence.models for check in model.checks)
    without = f"; {errors} without a verdict" if errors else ""
    code = f"; the run had exit code {evidence.exit_code}" if evidence.exit_code else ""
    recomputed = f"{len(records) - attested} checks recomputed{apart} ({judged or 'none'}){beside}"
    return f"{recomputed}: {found}{without}{part}{code}\n"


def _junit_files(folder: Path) -> list[Path]:
    """Return the XML files of a folder that may be JUnit's."""
    return [file for file in sorted(folder.glob("*.xml")) if b"<testsuite" in content_of(file)]


def _cases(path: Path) -> list[JUnitCase] | None:
    return junit_cases(content_of(path), str(path))


def _against_junit(evidence: Evidence, path: Path, cases: Sequence[JUnitCase]) -> Iterator[Difference]:
    """Yield what a JUnit file says otherwise than the evidence: each record in one must be in the other."""
    own: dict[tuple[object, ...], list[CheckRecord]] = {}
    for record in evidence.records:
        own.setdefault(record.key, []).append(record)
    for case in cases:
        yield from _against_case(case, own, path.name)
        if not case.test:
            yield from _against_suite(evidence, case, path.name)
    yield from _against_failures(evidence, cases, path.name)
    for rest in own.values():
        for record in rest:
            place = f"{path.name}: {record.model}: {record.question.line}"
            yield Difference(place, "nothing", f"verdict {record.verdict}, which the evidence has")


def _against_case(
    case: JUnitCase, own: Mapping[tuple[object, ...], list[CheckRecord]], file: str
) -> Iterator[Difference]:
    """Yield what is said of one test; of `own` records, take those out that it has."""
    records = []
    for text in case.records:
        try:
            record = CheckRecord.from_json(text)
        except RecordError as error:
            yield Difference(file, "a record that cannot be", str(error))
            continue
        records.append(record)
        place = f"{file}: {record.model}: {record.question.line}"
        same = own.get(record.key, [])
        if not same:
            yield Difference(place, f"verdict {record.verdict}", "nothing: the evidence does not have it")
            continue
        closest = next((each for each in same if each == record), same[0])
        same.remove(closest)
        yield from compare_records(place, record, closest)
    if case.test:
        yield from _against_words(case, records, file)


def _against_suite(evidence: Evidence, suite: JUnitCase, file: str) -> Iterator[Difference]:
    """Yield where a JUnit file says of what the run was judged by something else than the evidence."""
    config, git = configuration_of(evidence), evidence.run.git
    if isinstance(config, Difference):  # which is a difference already
        return
    given = evidence.configuration
    follows = run_properties(
        file=given.file,
        sha256=given.sha256,
        burden_of_proof=given.burden_of_proof or config.settings.burden_of_proof,
        seed=config.seed,
        day=evidence.run.day,
        commit=None if git is None else f"{git.commit}{'' if git.clean else '+dirty'}",
        versions=evidence.run.versions,
        unchecked=config.unchecked,
        deselected=[node for node, why in evidence.not_judged.items() if why == DESELECTED],
    )
    ours = {name for name, _ in follows} | {"fairness.git_commit", "fairness.unchecked", "fairness.deselected"}
    there, expected = (_by_name([pair for pair in some if pair[0] in ours]) for some in (suite.properties, follows))
    for name in sorted(ours):
        found, values = (sorted(some.get(name, ())) for some in (there, expected))
        if found != values and all(map(str.isprintable, values)):
            yield Difference(f"{file}: {name}", "; ".join(found) or "nothing", "; ".join(values) or "nothing")


def _against_words(case: JUnitCase, records: Sequence[CheckRecord], file: str) -> Iterator[Difference]:
    """Yield where a test's outcome, or what its properties say in words, is not that of its records."""
    if not case.red and (fails := [r for r in records if turns_red(r.verdict, r.burden_of_proof)]):
        yield Difference(f"{file}: {case.name}", "not failed", f"failed, by verdict {fails[0].verdict}")
    said, follows = _by_name(case.properties), _by_name([pair for record in records for pair in properties(record)])
    for name, values in follows.items():
        # XML has no control characters, for which JUnit writers put others
        if name != RECORD_PROPERTY and said.get(name) != values and all(map(str.isprintable, values)):
            found = "nothing" if name not in said else "; ".join(said[name])
            yield Difference(f"{file}: {case.name}: {name}", found, "; ".join(values))


def _by_name(pairs: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    """Return different values by name: a JUnit file has a pair once, however many records say it."""
    found: dict[str, list[str]] = {}
    for name, value in dict.fromkeys(pairs):
        found.setdefault(name, []).append(value)
    return found


def _against_failures(evidence: Evidence, cases: Sequence[JUnitCase], file: str) -> Iterator[Difference]:
    """Yield where a JUnit file says of fewer tests that they failed than the evidence, or of some where none did."""
    failed = [case.name for case in cases if case.red]
    limits = [c.record for model in evidence.models if model.test is None for c in model.checks if c.record]
    red = [record for record in limits if turns_red(record.verdict, record.burden_of_proof)]
    if len(failed) < (least := max(len(red), len(evidence.failures))):
        yield Difference(f"{file}: failed tests", f"{len(failed)}", f"{least} or more, as the evidence has it")
    if failed and evidence.ended_green:
        code = f"none, by exit code {evidence.exit_code} of the evidence"
        yield Difference(f"{file}: failed tests", ", ".join(failed[:_NAMED]), code)


_NAMED = 3
