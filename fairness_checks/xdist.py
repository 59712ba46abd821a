"""Every check that was collected must report, with its record, on any number of workers.

A worker that dies, or a report that cannot be sent, must not end in a green run: under pytest-xdist the controller
learns from each worker which tests it collected and counts them off as their reports arrive.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import pytest

from fairness_checks.errors import BaselineError

if TYPE_CHECKING:
    from fairness_checks.records import CheckRecord

__all__ = ["Ledger"]

_Phase: TypeAlias = Literal["setup", "call", "teardown"]
_NOTHING_RUNS = ("collectonly", "showfixtures", "show_fixtures_per_test")
_COLOURS = {"pass": "green", "fail": "red", "inconclusive": "yellow", "waived": "yellow"}


class Ledger:
    """Expected and reported checks with their records; prints the tables and ends the run red if anything is lost."""

    def __init__(self, config: pytest.Config, node_prefix: str) -> None:
        self._config = config
        self._prefix = f"{node_prefix}::"
        self._expected: dict[str, None] = {}  # ordered as collected, which is the order of the tables
        self._reported: set[str] = set()
        self._collected = False
        self._problems: list[str] = []
        self._settled = False
        self._unwritten = False
        self._written: str | None = None
        self._staged: dict[str, Path] = {}
        self._incomplete: set[str] = set()
        self.records: dict[str, list[CheckRecord]] = {}

    @property
    def _is_worker(self) -> bool:
        return hasattr(self._config, "workerinput")

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Expect what this process collected."""
        self._collected = True
        self._expected.update(dict.fromkeys(item.nodeid for item in session.items))

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        """Expect what a worker collected."""
        self._collected = True
        self._expected.update(dict.fromkeys(ids))

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """End as a worker did that collected nothing to run; pytest-xdist itself only says that it ended."""
        from fairness_checks.refusals import USAGE_ERROR

        if message := getattr(node, "workeroutput", {}).get(USAGE_ERROR):
            raise pytest.UsageError(message)

    @pytest.hookimpl(wrapper=True)  # so that it begins before any other
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> Generator[None, None, None]:
        """Count a test off, and fail it where its outcome is not the one that it came to."""
        passing = report.when in ("setup", "teardown") and not report.failed and not report.skipped
        # Of a part of a test that reports for itself, and of a tear-down's own error, the test itself has reported.
        if not (self._is_worker or passing or report.when == "teardown" or hasattr(report, "context")):
            self._count(report)
        yield

    def _count(self, report: pytest.TestReport) -> None:
        from fairness_checks.suite import INCOMPLETE, STAGED

        self._reported.add(report.nodeid)
        if (model := getattr(report, INCOMPLETE, None)) is not None:
            self._incomplete.add(model)
        if (staged := getattr(report, STAGED, None)) is not None:
            self._keep_staged(*staged)
        if problem := self._contradiction(report):
            self._problems.append(f"{report.nodeid}: {problem}")
            report.outcome, report.longrepr = "failed", problem
            report.__dict__.pop("wasxfail", None)

    def _keep_staged(self, model: str, folder: str) -> None:
        """Keep what a model left for the baseline; of several workers, what the last one left."""
        earlier, self._staged[model] = self._staged.get(model), Path(folder)
        if earlier not in (None, Path(folder)):
            shutil.rmtree(earlier, ignore_errors=True)

    def _contradiction(self, report: pytest.TestReport) -> str | None:
        """Keep the records of a report, and say why its outcome is not to be believed; None where it is."""
        from fairness_checks.errors import RecordError
        from fairness_checks.report.junit import records_of
        from fairness_checks.suite import IN_ORDER, STATE, fails

        try:
            records = records_of(report.user_properties)
        except RecordError as error:
            return f"its record cannot be read: {error}"
        if records:
            self.records[report.nodeid] = records
        if report.failed:
            return None
        found = [str(record.verdict) for record in records if fails(record)]
        if not records and report.nodeid.startswith(self._prefix):
            state = str(dict(report.user_properties).get(STATE, ""))
            if not state:
                return "was skipped or ended without a record; a check is run or deselected"
            found = [] if state == IN_ORDER else [state]
        return f"its verdict is {found[0]}, but something turned its outcome away from it" if found else None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Settle what all tests together show while their failures still count for the run."""
        try:
            result = yield
        except session.Failed:  # at the first failures, by -x or --maxfail
            self._settle(session)
            raise
        self._settle(session)
        return result

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """End red where a check is lost or the baseline was not written, also in a run that was ended early."""
        self._settle(session)
        if (self._problems or self._unwritten) and session.exitstatus in (
            pytest.ExitCode.OK,
            pytest.ExitCode.NO_TESTS_COLLECTED,
        ):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _settle(self, session: pytest.Session) -> None:
        """Report the checks that were lost, and write the baseline; once, before the artefacts are written."""
        nothing_runs = any(self._config.getoption(option, False) for option in _NOTHING_RUNS)
        if self._settled or self._is_worker or nothing_runs:
            return
        self._settled = True
        # Tests that -x or a usage error left out are not lost: that run is red already, and says why.
        stopped = session.exitstatus in (pytest.ExitCode.INTERRUPTED, pytest.ExitCode.USAGE_ERROR)
        lost = {} if stopped or session.shouldfail or session.shouldstop else self._lost(session)
        for node, problem in lost.items():
            self._problems.append(f"{node}: {problem}")
            self._report_failure(node, problem)
        if stopped:
            return
        try:
            self._written = self._close()
        except BaselineError as error:
            self._unwritten = True
            self._report_failure(f"{self._prefix}test_baseline_is_written", f"the baseline was not written: {error}")

    def _lost(self, session: pytest.Session) -> dict[str, str]:
        if not self._collected and session.exitstatus == pytest.ExitCode.OK:
            return {f"{self._prefix}test_checks_are_collected": "the run ended before any check was collected"}
        return {node: "was collected but did not report" for node in self._expected if node not in self._reported}

    def _report_failure(self, node: str, problem: str) -> None:
        """Report a failed test that did not run, so that every reporter shows it."""
        hook, now = self._config.hook, time.time()
        path, _, name = node.partition("::")
        location = (path, 0, name)
        hook.pytest_runtest_logstart(nodeid=node, location=location)
        for when in get_args(_Phase):
            report = pytest.TestReport(node, location, {}, "passed", None, when, start=now, stop=now)
            if when == "call":
                report.outcome, report.longrepr = "failed", problem
            hook.pytest_runtest_logreport(report=report)
        hook.pytest_runtest_logfinish(nodeid=node, location=location)

    def _close(self) -> str | None:
        from fairness_checks.closing import close
        from fairness_checks.suite import GATE

        gate = self._config.stash[GATE]
        records = [record for some in self.records.values() for record in some]
        return close(
            gate.limits,
            gate.baseline,
            records,
            self._staged,
            incomplete=self._incomplete,
            unfiltered=gate.unfiltered,
            lost=bool(self._problems),
        )

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print one table per model, what was lost, and what was written."""
        if self.records:
            self._print_tables(terminalreporter)
        if self._problems:
            terminalreporter.section("fairness: lost checks", sep="=", red=True, bold=True)
            for problem in self._problems:
                terminalreporter.line(problem, red=True)
        if self._written is not None:
            terminalreporter.line(self._written)

    def _print_tables(self, terminalreporter: Any) -> None:
        from fairness_checks.report.terminal import LEGEND, summary_lines

        records = [record for node in self._expected for record in self.records.get(node, ())]
        terminalreporter.section("fairness", sep="=")
        for line, verdict in summary_lines(records):
            terminalreporter.line(line, **({_COLOURS[verdict]: True} if verdict else {}))
        terminalreporter.line("")
        terminalreporter.line(LEGEND)
