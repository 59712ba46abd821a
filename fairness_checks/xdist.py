"""Every check that was collected must report, with its record, on any number of workers.

A worker that dies, or a report that cannot be sent, must not end in a green run: under pytest-xdist the controller
learns from each worker which tests it collected and counts them off as their reports arrive.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fairness_checks.closing import Closed

if TYPE_CHECKING:
    from fairness_checks.records import CheckRecord

__all__ = ["Ledger"]

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
        self._closed = Closed(())
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

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a test off, and see that its outcome is the one that its record decides."""
        if hasattr(report, "context"):  # a part of a test that reports for itself
            return
        if self._is_worker or (report.when in ("setup", "teardown") and not report.failed and not report.skipped):
            return
        if report.when == "teardown":  # an error of its own; the test itself has reported
            return
        from fairness_checks.errors import RecordError
        from fairness_checks.report.junit import records_of
        from fairness_checks.suite import INCOMPLETE, STAGED, fails

        self._reported.add(report.nodeid)
        if (model := getattr(report, INCOMPLETE, None)) is not None:
            self._incomplete.add(model)
        try:
            records = records_of(report.user_properties)
        except RecordError as error:
            self._problems.append(f"{report.nodeid}: its record cannot be read: {error}")
            return
        if records:
            self.records[report.nodeid] = records
            if (folder := getattr(report, STAGED, None)) is not None:
                self._staged[records[0].model] = Path(folder)
        if report.failed:
            return
        if not records and report.nodeid.startswith(self._prefix):
            self._problems.append(
                f"{report.nodeid}: was skipped or ended without a record; a check is run or deselected"
            )
        elif failing := [record.verdict for record in records if fails(record)]:
            self._problems.append(
                f"{report.nodeid}: its verdict is {failing[0]}, but something turned its outcome away from it"
            )

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """End red where a check is lost, or waivers or the baseline are not in order."""
        if self._is_worker or any(self._config.getoption(option, False) for option in _NOTHING_RUNS):
            return
        if not self._collected and session.exitstatus == pytest.ExitCode.OK:
            self._problems.append("the run ended before any check was collected")
        # Tests that -x or a usage error left out are not lost: that run is red already, and says why.
        stopped = session.exitstatus in (pytest.ExitCode.INTERRUPTED, pytest.ExitCode.USAGE_ERROR)
        if not (stopped or session.shouldfail or session.shouldstop):
            lost = [node for node in self._expected if node not in self._reported]
            self._problems.extend(f"{node}: was collected but did not report" for node in lost)
        if not stopped:
            self._closed = self._close()
        wrong = self._problems or self._closed.disorder
        if wrong and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _close(self) -> Closed:
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
        """Print one table per model, and what was lost."""
        if self.records:
            self._print_tables(terminalreporter)
        if self._problems:
            terminalreporter.section("fairness: lost checks", sep="=", red=True, bold=True)
            for problem in self._problems:
                terminalreporter.line(problem, red=True)
        if self._closed.disorder:
            terminalreporter.section("fairness: waivers and baseline", sep="=", red=True, bold=True)
            for problem in self._closed.disorder:
                terminalreporter.line(problem, red=True)
        if self._closed.written is not None:
            terminalreporter.line(self._closed.written)

    def _print_tables(self, terminalreporter: Any) -> None:
        from fairness_checks.report.terminal import LEGEND, summary_lines

        records = [record for node in self._expected for record in self.records.get(node, ())]
        terminalreporter.section("fairness", sep="=")
        for line, verdict in summary_lines(records):
            terminalreporter.line(line, **({_COLOURS[verdict]: True} if verdict else {}))
        terminalreporter.line("")
        terminalreporter.line(LEGEND)
