"""Every check that was collected must report, with its record, on any number of workers."""

# A worker that dies, or a report that cannot be sent, must not end in a green run: under pytest-xdist the controller
# learns from each worker which tests it collected and counts them off as their reports arrive. Each worker also hands
# in an account of itself when it ends, which tells an orderly end from any other.

from __future__ import annotations

import shutil
import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import pytest

from fairness_checks.errors import BaselineError
from fairness_checks.plugin.blocks import lay_out
from fairness_checks.plugin.forked import ForkedProcesses
from fairness_checks.plugin.hand_written import holds_fairness_tests
from fairness_checks.plugin.junit import complete_junit
from fairness_checks.plugin.keys import GATE, IN_ORDER, INCOMPLETE, RECORDS, STAGED, STATE
from fairness_checks.plugin.sealing import Report, Statuses, mend, seal, unseal
from fairness_checks.plugin.selection import is_fairness_test
from fairness_checks.plugin.suite import LimitsTest, fails

if TYPE_CHECKING:
    from fairness_checks.records.check_record import CheckRecord

__all__ = ["Ledger"]

_Phase: TypeAlias = Literal["setup", "call", "teardown"]
_ACCOUNT = "fairness_account"  # key in the output of a pytest-xdist worker: what is wrong with how it ended
_DESELECTED = "fairness_deselected"  # key in the output of a pytest-xdist worker
_RED = "fairness_red"  # key in the output of a pytest-xdist worker: what must not end otherwise than as a failure
_FAILED = "fairness_failed"  # of a test report: that it was made as a failure, whatever has become of it since
_UNFINISHED = {
    "opened": "the run ended before any check was collected",
    "collected": "the run ended before its checks were counted",
    "counted": "the run was stopped before all of its checks had run",
}
_NOT_SHOWN = "under burden of proof compliance, what is not judged is not shown to keep its limit"
_NOTHING = "nothing was judged"
_SHOWN = 20  # of what was deselected
_TURNED = "it failed, but something turned its outcome away from it"
_COLOURS = {"pass": "green", "fail": "red", "error": "red", "inconclusive": "yellow", "waived": "yellow"}


class Ledger:
    """Expected and reported checks with their records; prints the tables and ends the run red if anything is lost."""

    def __init__(
        self,
        config: pytest.Config,
        node_prefix: str,
        runs_nothing: str | None = None,
        rewritten: Sequence[str] = (),
    ) -> None:
        self._rewritten = list(rewritten)  # files that decide, since the command line was read
        self._config = config
        self._prefix = f"{node_prefix}::"
        self._runs_nothing = runs_nothing
        self._state: Literal["opened", "collected", "counted", "closed"] = "opened"
        self._expected: dict[str, None] = {}  # ordered as collected, which is the order of the tables
        self._reported: set[str] = set()
        self._red: dict[str, None] = {}  # what was made as a failure that nothing excuses, in any process
        self._failed: dict[str, None] = {}  # what was reported as one
        self._judged = False  # anything at all
        self._unjudged: dict[str, str] = {}  # by test, why it has no verdict
        self._skipped_files: dict[str, str] = {}
        self._ended: str | None = None  # what ended the run on purpose
        self._accounts: list[str] = []  # what is wrong with how a process of the run ended
        self._unaccounted: list[str] = []
        self._forked = ForkedProcesses()
        self._problems: list[str] = []
        self._settled = False
        self.unwritten: str | None = None  # which report of the run, and why
        self._deselected: dict[str, None] = {}
        self._written: str | None = None
        self._staged: dict[str, Path] = {}
        self._incomplete: set[str] = set()
        self.records: dict[str, list[CheckRecord]] = {}

    @property
    def disorder(self) -> str | None:
        """Why the run may not end green; None where it was closed in order and nothing failed."""
        if self._failed:
            names = list(self._failed)
            return f"{len(names)} failed: {', '.join(names[:3])}{', ...' if len(names) > 3 else ''}"
        return _UNFINISHED.get(self._state) or (self.unwritten if self._judged else _NOTHING)

    @property
    def ended_in_order(self) -> bool:
        """Whether every check that was expected has reported, and nothing ended the run early."""
        return self._state == "closed" and self._ended is None

    @property
    def not_judged(self) -> dict[str, str]:
        """Tests, files and models without a verdict, and why."""
        from fairness_checks.records.decision import DESELECTED

        deselected = dict.fromkeys(self._deselected, DESELECTED)
        return {**self._unjudged, **self._skipped_files, **self._config.stash[GATE].limits.unchecked, **deselected}

    @property
    def unsettled(self) -> list[str]:
        """What has no verdict that settles it, by name."""
        from fairness_checks.judge.evidencing import unsettled

        records = [record for some in self.records.values() for record in some]
        return unsettled(records, self.not_judged, self._config.stash[GATE].limits.unchecked)

    @property
    def _is_worker(self) -> bool:
        return hasattr(self._config, "workerinput")

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Remember what is left out, by an option or by a hook."""
        self._deselected.update(dict.fromkeys(item.nodeid for item in items if is_fairness_test(item)))

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Expect what this process collected."""
        self._state = "collected"
        self._expected.update(dict.fromkeys(item.nodeid for item in session.items))

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        """Expect what a worker collected."""
        self._state = "collected"
        self._expected.update(dict.fromkeys(ids))

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take a worker's account, or end as one that refused to run: pytest-xdist itself only says that it ended."""
        from fairness_checks.plugin.refusals import USAGE_ERROR

        output = getattr(node, "workeroutput", {})
        if message := output.get(USAGE_ERROR):
            raise pytest.UsageError(message)
        worker = f"worker {node.gateway.id}"
        self._red.update(dict.fromkeys(output.get(_RED, ())))
        self._deselected.update(dict.fromkeys(output.get(_DESELECTED, ())))
        self._accounts += [f"{worker}: {problem}" for problem in output.get(_ACCOUNT, ())]
        if _ACCOUNT not in output:
            self._unaccounted.append(f"{worker}: it ended without an account of what it ran")

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Remember that something ended the run; `pytest.exit` can give any exit code."""
        name = "pytest.exit" if excinfo.errisinstance(pytest.exit.Exception) else excinfo.typename
        self._ended = f"the run was ended by {name}: {excinfo.value}"

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Mark a failure, before anything can turn it; end a process that a test forked and that runs on as pytest."""
        report = yield
        self._forked.end_here(item.nodeid)
        if report.failed:
            report.__dict__[_FAILED] = True  # pytest-xdist sends a report's whole __dict__
        if (report.failed and isinstance(item, LimitsTest)) or any(map(fails, item.stash.get(RECORDS, ()))):
            self._red[item.nodeid] = None
        return report

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_make_collect_report(self) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """See what cannot be collected before anything can turn it."""
        report = yield
        if report.failed:
            self._red[report.nodeid] = None
            seal(report)
        return report

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collectreport(self, report: pytest.CollectReport) -> Generator[None, None, None]:
        """Remember what could not be collected, and files that were skipped and may hold fairness tests."""
        if report.failed:
            seal(report)
            self._failed[report.nodeid] = None
        elif report.skipped and holds_fairness_tests(self._config.rootpath / report.nodeid.partition("::")[0]):
            self._skipped_files[report.nodeid] = _reason(report)
        yield

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_to_serializable(self, report: Report) -> None:
        """Send what a report says, whatever became of its dictionary."""
        mend(report)

    @pytest.hookimpl(wrapper=True, tryfirst=True)  # so that it begins before any other
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> Generator[None, None, None]:
        """Count a test off, fail it where its outcome is not the one that it came to, and show all reporters that."""
        if not self._is_worker:
            self._count(report)
            lay_out(report, self.records.get(report.nodeid, ()))  # as it was before it was sent
        seal(report)
        try:
            yield
        finally:  # of a run that a hook ends here, too
            if report.failed:
                self._failed[report.nodeid] = None

    def _count(self, report: pytest.TestReport) -> None:
        # A part of a test that reports for itself, and what comes before and after a test, has no record.
        part = hasattr(report, "context") or report.when == "teardown" or (report.when == "setup" and report.passed)
        if not part:
            self._count_off(report)
        elif _turned(report):
            self._turn_back(report, _TURNED)

    def _count_off(self, report: pytest.TestReport) -> None:
        self._reported.add(report.nodeid)
        if (model := getattr(report, INCOMPLETE, None)) is not None:
            self._incomplete.add(model)
        if (staged := getattr(report, STAGED, None)) is not None:
            self._keep_staged(*staged)
        if problem := self._contradiction(report):
            self._turn_back(report, problem)

    def _turn_back(self, report: pytest.TestReport, problem: str) -> None:
        self._problems.append(f"{report.nodeid}: {problem}")
        unseal(report)
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

        try:
            records = records_of(report.user_properties)
        except RecordError as error:
            return f"its record cannot be read: {error}"
        if records:
            self.records[report.nodeid] = records
        hand_written = not report.nodeid.startswith(self._prefix)
        unjudged = hand_written and report.skipped and not records
        self._judged = self._judged or not unjudged
        if report.failed:
            return None
        if unjudged:
            return self._not_judged(report)
        found = [str(record.verdict) for record in records if fails(record)]
        if not hand_written and records and not self._is_of(report.nodeid, records):
            return "its record is that of another check, or of another limit"
        if not records and not hand_written:
            state = str(dict(report.user_properties).get(STATE, ""))
            if not state:
                return "was skipped or ended without a record; a check is run or deselected"
            found = [] if state == IN_ORDER else [state]
        if found:
            return f"its verdict is {found[0]}, but something turned its outcome away from it"
        return _TURNED if _turned(report) else None

    def _is_of(self, node: str, records: Sequence[CheckRecord]) -> bool:
        """Say whether records are the one of the check that a test is; the limit of a ratchet is the baseline's."""
        if len(records) != 1 or (asked := self._config.stash[GATE].check_at(node)) is None:
            return False
        (record,), (model, check) = records, asked
        return (record.model, record.question) == (model, check.question) and (
            check.ratchet or record.limit == check.limit
        )

    def _not_judged(self, report: pytest.TestReport) -> str | None:
        """Count a hand-written test without a verdict apart; under burden compliance it is a problem."""
        self._unjudged[report.nodeid] = reason = _reason(report)
        if self._needs_proof:
            return f"{reason}: {_NOT_SHOWN}"
        unseal(report)
        report.user_properties.append(("fairness.outcome", "unjudged"))
        return None

    @property
    def _needs_proof(self) -> bool:
        return self._config.stash[GATE].settings.burden_of_proof == "compliance"

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Settle what all tests together show while their failures still count for the run."""
        self._config.pluginmanager.register(Statuses())  # now, outside of all conftest.py files; no -p takes it away
        try:
            result = yield
        except session.Failed:  # at the first failures, by -x or --maxfail
            self._settle(session, whole=False)
            raise
        self._settle(session)
        return result

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """End red where a test failed, also in a run that was ended early."""
        if self._is_worker:  # its controller hears of no exit code but 2
            account = {_ACCOUNT: self._own_account(), _RED: list(self._red), _DESELECTED: list(self._deselected)}
            self._config.workeroutput.update(account)  # type: ignore[attr-defined]
            return
        # What a usage error or an interrupt left out is not lost: that run is red already, and says why.
        if session.exitstatus not in (pytest.ExitCode.INTERRUPTED, pytest.ExitCode.USAGE_ERROR):
            self._settle(session)
        if self._failed and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        complete_junit(self._config, self._deselected)

    def pytest_unconfigure(self) -> None:
        """Let go of what a run that ended early has not asked for."""
        self._forked.problems()

    def _own_account(self) -> list[str]:
        return self._rewritten + self._forked.problems() + ([self._ended] if self._ended else [])

    def _settle(self, session: pytest.Session, *, whole: bool = True) -> None:
        """Report the checks that were lost, and write the baseline; once, before the artefacts are written."""
        if self._settled or self._is_worker or self._runs_nothing:
            return
        self._settled = True
        turned = {node: _TURNED for node in self._red if node not in self._failed}
        for node, problem in (turned | (self._lost(session) if whole else {})).items():
            self._problems.append(f"{node}: {problem}")
            self._report_failure(node, problem)
        self._report_disorder()
        try:
            self._written = self._close()
        except BaselineError as error:
            self._report_failure(f"{self._prefix}test_baseline_is_written", f"the baseline was not written: {error}")
        if self._state == "collected":
            self._state = "closed" if whole else "counted"

    def _report_disorder(self) -> None:
        """Report how processes ended; a worker that crashed in a test has that test reported as failed already."""
        problems = [
            *self._accounts,
            *self._own_account(),
            *self._replaced(),
            *([] if self._failed else self._unaccounted),
        ]
        self._problems += problems
        for number, problem in enumerate(problems):
            self._report_failure(f"{self._prefix}test_run_ends_in_order[{number}]", problem)

    def _replaced(self) -> list[str]:
        """Return a problem of each file of predictions that was not the same for all workers, as each reads it."""
        read: dict[tuple[str, str], set[str]] = {}
        for node, records in self.records.items():
            for record in records if node.startswith(self._prefix) else ():
                for name, digest in record.about.items():
                    key = next((key for key in ("file", "groups_file", "files") if name.startswith(f"{key}_")), None)
                    if key is not None and name.endswith("_sha256"):
                        read.setdefault((record.model, record.about.get(key, key)), set()).add(digest)
        return [
            f"{model}: {file}: was replaced during the run: its checks are of {len(digests)} contents (sha256 "
            f"{', '.join(digest[:12] for digest in sorted(digests))}); write it before pytest starts, and run again"
            for (model, file), digests in read.items()
            if len(digests) > 1
        ]

    def _lost(self, session: pytest.Session) -> dict[str, str]:
        if self._state == "opened" and session.exitstatus == pytest.ExitCode.OK:
            return {f"{self._prefix}test_checks_are_collected": _UNFINISHED["opened"]}
        lost = {node: "was collected but did not report" for node in self._expected if node not in self._reported}
        if self._needs_proof:
            skipped = self._skipped_files.items()
            lost |= {f"{file}::fairness": f"the file was skipped, {why}: {_NOT_SHOWN}" for file, why in skipped}
        if self._expected and not (lost or self._failed or self._judged):
            lost[f"{self._prefix}test_something_is_judged"] = f"{_NOTHING}: every test was skipped"
        return lost

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
            seal(report)
            hook.pytest_runtest_logreport(report=report)
        hook.pytest_runtest_logfinish(nodeid=node, location=location)

    def _close(self) -> str | None:
        from fairness_checks.judge.closing import close

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

        if not self._runs_nothing and (unjudged := self.not_judged):
            terminalreporter.section("fairness: not judged", sep="=", yellow=True, bold=True)
            more = set([*self._deselected][_SHOWN:])
            for node, reason in unjudged.items():
                if node not in more:
                    terminalreporter.line(f"{node}: {reason}", yellow=True)
            if more:
                terminalreporter.line(f"{len(more)} more: deselected", yellow=True)
        if self._written is not None:
            terminalreporter.line(self._written)

    def _print_tables(self, terminalreporter: Any) -> None:
        from fairness_checks.report.terminal import summary_lines

        records = [record for node in self._expected for record in self.records.get(node, ())]
        terminalreporter.section("fairness", sep="=")
        width = terminalreporter._tw.fullwidth  # what pytest's own lines go by
        verbose, told = terminalreporter.verbosity > 0, terminalreporter.config.option.tbstyle != "no"
        errors = [node for node in self._failed if node not in self.records]
        for line, verdict in summary_lines(records, verbose=verbose, width=width, told=told, errors=errors):
            terminalreporter.line(line, **({_COLOURS[verdict]: True} if verdict else {}))
        by_hand = [
            record for node in self.records if not node.startswith(self._prefix) for record in self.records[node]
        ]
        if len(by_hand) > 1:
            terminalreporter.line(
                f"hand-written tests: {len(by_hand)} checks, each judged by itself and not adjusted for the others; "
                f"those of {self._prefix.removesuffix('::')} are, by model"
            )
        if not verbose and any(record.verdict == "fail" for record in records):
            terminalreporter.line("-v prints the waiver to paste for each failure")


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Say why a test was skipped, or expected to fail."""
    if hasattr(report, "wasxfail"):
        return f"expected to fail{': ' if report.wasxfail else ''}{report.wasxfail}"
    return str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)


def _turned(report: pytest.TestReport) -> bool:
    """Say whether a failure is one no more; a test that is marked as expected to fail says so openly."""
    return getattr(report, _FAILED, False) and not report.failed and not hasattr(report, "wasxfail")
