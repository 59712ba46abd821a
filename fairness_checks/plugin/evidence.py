"""evidence.json of a run: parts are left where models are evaluated, and put together where the run ends."""

from __future__ import annotations

import hashlib
import platform
import shutil
import sys
import tempfile
from collections.abc import Generator
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fairness_checks.plain import printable, shorten
from fairness_checks.plugin.given_files import digest_in
from fairness_checks.plugin.keys import GATE
from fairness_checks.plugin.scratch import SCRATCH
from fairness_checks.plugin.suite import LimitsTest

if TYPE_CHECKING:
    from fairness_checks.plugin.exits import LastWords
    from fairness_checks.plugin.xdist import Ledger
    from fairness_checks.report.evidence import (
        ConfigurationEvidence,
        Evidence,
        ModelEvidence,
        RunEvidence,
    )

__all__ = ["EvidenceOfRun"]

_PARTS = "fairness_evidence"  # of a test report: where the parts are that its test left
_SHOWN = 500  # characters of why a test failed
OWN_PARTS: pytest.StashKey[list[str]] = pytest.StashKey()  # of a hand-written test, one a verdict


class EvidenceOfRun:
    """Collects the parts, and writes the evidence when the run ends; until then the file says that it is incomplete."""

    def __init__(self, config: pytest.Config, ledger: Ledger, folder: Path, words: LastWords) -> None:
        self._config, self._ledger, self._folder = config, ledger, folder
        self._unsettled_exit = words.unsettled_exit
        self._writes = words.runs_nothing is None and not hasattr(config, "workerinput")
        self._started = _now()
        self._left: dict[str, str] = {}  # by model, where its part is; of this process
        self._parts: dict[str, list[str]] = {}  # by test, of all processes
        self._failures: dict[str, str] = {}

    def pytest_sessionstart(self) -> None:
        """Take the place of the evidence of an earlier run before anything is judged."""
        if not self._writes:
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._write(self._evidence([], complete=False, exit_code=1))
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
        """Keep where parts are, and why tests failed."""
        if parts := getattr(report, _PARTS, None):
            self._parts[report.nodeid] = list(parts)
        if report.failed and not self._fails_by_verdict(report):
            self._failures.setdefault(report.nodeid, _why(report))

    def _fails_by_verdict(self, report: pytest.TestReport) -> bool:
        from fairness_checks.plugin.suite import fails

        return report.when == "call" and any(map(fails, self._ledger.records.get(report.nodeid, ())))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keep what could not be collected."""
        if report.failed:
            self._failures.setdefault(report.nodeid, _why(report))

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
            self._write(self._evidence(self._models(), complete=ended, exit_code=last))
        except (OSError, ValueError) as error:
            sys.stderr.write(f"ERROR: fairness: {self._folder}: the evidence was not written: {error}\n")
            if session.exitstatus == pytest.ExitCode.OK:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED
        return result

    def _models(self) -> list[ModelEvidence]:
        """Return the parts that were left, with the records that were reported."""
        from fairness_checks.judge.evidencing import part_from_json, with_looks, with_reasons, with_records
        from fairness_checks.storage.files import read_regular

        prefix, records = f"{self._config.stash[GATE].node_prefix}::", self._ledger.records
        configured = [record for node in records if node.startswith(prefix) for record in records[node]]
        of_file = {model.name: model.checks for model in self._config.stash[GATE].limits.models}
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
                    gate = self._config.stash[GATE]
                    reasons = with_reasons(found[key], of_file[part.model], gate.node_prefix)
                    found[key] = with_looks(reasons, gate.baseline.look)
        for path in read:
            shutil.rmtree(Path(path).parent, ignore_errors=True)
        return [found[key] for key in sorted(found)]

    def _evidence(self, models: list[ModelEvidence], *, complete: bool, exit_code: int) -> Evidence:
        from fairness_checks.judge.evidencing import totals
        from fairness_checks.report.evidence import BaselineEvidence, Evidence, FailureEvidence

        gate = self._config.stash[GATE]
        digest = digest_in(gate.files, "baseline")
        return Evidence(
            complete=complete,
            run=self._run(),
            configuration=self._configuration,
            baseline=None if digest is None else BaselineEvidence(file=gate.baseline.path.name, sha256=digest),
            models=tuple(models),
            failures=tuple(FailureEvidence(test=test, text=text) for test, text in sorted(self._failures.items())),
            not_judged=dict(sorted(self._ledger.not_judged.items())),
            totals=totals([check.record for part in models for check in part.checks if check.record is not None]),
            exit_code=exit_code,
        )

    def _run(self) -> RunEvidence:
        from fairness_checks.baseline.provenance import installed_versions
        from fairness_checks.report.evidence import GitEvidence, RunEvidence

        gate = self._config.stash[GATE]
        commit, _, dirty = (gate.commit or "").partition("+")
        return RunEvidence(
            started=self._started,
            ended=_now(),
            day=gate.today.isoformat(),
            command=tuple(printable(str(each)) for each in self._config.invocation_params.args),
            whole=gate.unfiltered,
            unsettled_exit=self._unsettled_exit,
            python=platform.python_version(),
            versions=installed_versions(),
            git=GitEvidence(commit=commit, clean=not dirty) if commit else None,
        )

    @cached_property
    def _configuration(self) -> ConfigurationEvidence:
        """What was asked when the run began, which is what the gate read."""
        from fairness_checks.report.evidence import ConfigurationEvidence, MetricEvidence
        from fairness_checks.storage.files import read_regular

        gate = self._config.stash[GATE]
        content = read_regular(gate.limits.path)  # what a conftest.py has written since makes the run red
        return ConfigurationEvidence(
            file=gate.node_prefix,
            sha256=hashlib.sha256(content).hexdigest(),
            text=content.decode("utf-8"),
            burden_of_proof=gate.burden,
            own_metrics=tuple(MetricEvidence.of(metric) for _, metric in sorted(gate.metrics.items())),
            responsible=gate.limits.responsible,
            test_data=gate.limits.test_data,
            period=gate.limits.period,
        )

    def _write(self, evidence: Evidence) -> None:
        from fairness_checks.report.formats import folder_files
        from fairness_checks.storage.files import write_atomically

        for name, content in folder_files(evidence):
            write_atomically(self._folder / name, content)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _leave(part: ModelEvidence, scratch: Path) -> str:
    """Write a part to a folder of its own in that of the run, and return the file's name."""
    from fairness_checks.judge.evidencing import part_to_json

    path = Path(tempfile.mkdtemp(prefix="evidence-", dir=scratch)) / "part.json"
    path.write_text(part_to_json(part), encoding="utf-8")
    return str(path)


def _why(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Return in one line why a test failed; no traceback, which may show values of patients."""
    crash = getattr(report.longrepr, "reprcrash", None)
    text = str(report.longrepr) if crash is None else str(crash.message)
    return printable(shorten(next(iter(text.strip().splitlines()), "failed"), _SHOWN))
