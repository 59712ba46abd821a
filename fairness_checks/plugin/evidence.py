"""evidence.json of a run: parts are left where models are evaluated, and put together where the run ends."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fairness_checks.plugin.keys import GATE
from fairness_checks.plugin.scratch import SCRATCH
from fairness_checks.plugin.suite import LimitsTest

if TYPE_CHECKING:
    from fairness_checks.plugin.exits import LastWords
    from fairness_checks.plugin.run_document import RunDocument
    from fairness_checks.plugin.xdist import Ledger
    from fairness_checks.report.evidence import Evidence, ModelEvidence

__all__ = ["EvidenceOfRun"]

_PARTS = "fairness_evidence"  # of a test report: where the parts are that its test left
OWN_PARTS: pytest.StashKey[list[str]] = pytest.StashKey()  # of a hand-written test, one a verdict


class EvidenceOfRun:
    """Collects the parts, and writes the evidence when the run ends; until then the file says that it is incomplete."""

    def __init__(
        self, config: pytest.Config, ledger: Ledger, folder: Path, words: LastWords, document: RunDocument
    ) -> None:
        self._config, self._ledger, self._folder, self._document = config, ledger, folder, document
        self._unsettled_exit = words.unsettled_exit
        self._writes = words.runs_nothing is None and not hasattr(config, "workerinput")
        self._left: dict[str, str] = {}  # by model, where its part is; of this process
        self._parts: dict[str, list[str]] = {}  # by test, of all processes

    def pytest_sessionstart(self) -> None:
        """Take the place of the evidence of an earlier run before anything is judged."""
        if not self._writes:
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._write(self._document.evidence([], complete=False, exit_code=1))
        except OSError as error:
            raise pytest.UsageError(
                f"--fairness-report {self._folder}: {error.filename or self._folder}: {error.strerror or error}; "
                "give a folder that can be written"
            ) from None

    def leave(self, part: ModelEvidence, item: pytest.Item | None = None) -> None:
        """Leave what the evidence needs of a model, once a process, or of a verdict of a hand-written test."""
        path = _leave(part, self._config.stash[SCRATCH].folder())
        if item is None:
            self._left[part.model] = path
        else:
            item.stash.setdefault(OWN_PARTS, []).append(path)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Say in each report where the parts of its test are."""
        report = yield
        parts = item.stash.get(OWN_PARTS, [])
        if isinstance(item, LimitsTest) and item.model in self._left:
            parts = [self._left[item.model]]
        report.__dict__[_PARTS] = parts  # pytest-xdist sends a report's whole __dict__
        return report

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep where parts are."""
        if parts := getattr(report, _PARTS, None):
            self._parts[report.nodeid] = list(parts)

    @pytest.hookimpl(wrapper=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, object, object]:
        """Write the evidence once all else has ended; a run that cannot is red."""
        result = yield
        if not self._writes:
            return result
        code = int(session.exitstatus)
        green = 0 if self._unsettled_exit is None or not self._ledger.unsettled else self._unsettled_exit
        last = code or (1 if self._ledger.disorder else green)
        try:
            ended = self._ledger.ended_in_order and code in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
            self._write(self._document.evidence(self._models(), complete=ended, exit_code=last))
        except (OSError, ValueError) as error:
            sys.stderr.write(f"ERROR: fairness: {self._folder}: the evidence was not written: {error}\n")
            if session.exitstatus == pytest.ExitCode.OK:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED
        return result

    def _models(self) -> list[ModelEvidence]:
        """Return the parts that were left, with the records that were reported."""
        from fairness_checks.judge.evidencing import part_from_json, with_looks, with_reasons, with_records
        from fairness_checks.storage.files import read_regular

        gate, records = self._config.stash[GATE], self._ledger.records
        prefix = f"{gate.node_prefix}::"
        configured = [record for node in records if node.startswith(prefix) for record in records[node]]
        of_file = {model.name: model.checks for model in gate.limits.models}
        found: dict[tuple[str, str, int], ModelEvidence] = {}
        read: dict[str, ModelEvidence] = {}
        for node, paths in self._parts.items():
            own = not node.startswith(prefix)
            for place, path in enumerate(paths):
                if path not in read:
                    read[path] = part_from_json(read_regular(Path(path)).decode())
                part = read[path]
                some = records.get(node, [])[place : place + 1] if own else configured
                there = {record.question.line: record for record in some if record.model == part.model}
                key = (part.model, node, place) if own else (part.model, "", 0)
                found[key] = with_records(part, there, node if own else None)
                if not own:
                    reasons = with_reasons(found[key], of_file[part.model], gate.node_prefix)
                    found[key] = with_looks(reasons, gate.baseline.look)
        for path in read:
            shutil.rmtree(Path(path).parent, ignore_errors=True)
        return [found[key] for key in sorted(found)]

    def _write(self, evidence: Evidence) -> None:
        from fairness_checks.report.formats import folder_files
        from fairness_checks.storage.files import write_atomically

        for name, content in folder_files(evidence):
            write_atomically(self._folder / name, content)


def _leave(part: ModelEvidence, scratch: Path) -> str:
    """Write a part to a folder of its own in that of the run, and return the file's name."""
    from fairness_checks.judge.evidencing import part_to_json

    path = Path(tempfile.mkdtemp(prefix="evidence-", dir=scratch)) / "part.json"
    path.write_text(part_to_json(part), encoding="utf-8")
    return str(path)
