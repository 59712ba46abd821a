"""What a run has come to, as evidence: how it came about, what was asked, and which tests failed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import pytest

from fairness_checks.plain import now, printable, shorten
from fairness_checks.plugin.given_files import digest_in
from fairness_checks.plugin.keys import GATE

if TYPE_CHECKING:
    from fairness_checks.plugin.xdist import Ledger
    from fairness_checks.report.evidence import ConfigurationEvidence, Evidence, ModelEvidence, RunEvidence

__all__ = ["RunDocument"]

_SHOWN = 500  # characters of why a test failed


class RunDocument:
    """Keeps why tests failed, and puts the evidence of the run together."""

    def __init__(self, config: pytest.Config, ledger: Ledger, unsettled_exit: int | None) -> None:
        self._config, self._ledger, self._unsettled_exit = config, ledger, unsettled_exit
        self._started = now()
        self._failures: dict[str, str] = {}

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep why tests failed."""
        if report.failed and not self._fails_by_verdict(report):
            self._failures.setdefault(report.nodeid, _why(report))

    def _fails_by_verdict(self, report: pytest.TestReport) -> bool:
        from fairness_checks.plugin.suite import fails

        return report.when == "call" and any(map(fails, self._ledger.records.get(report.nodeid, ())))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keep what could not be collected."""
        if report.failed:
            self._failures.setdefault(report.nodeid, _why(report))

    def of_records(self, *, complete: bool, exit_code: int) -> Evidence:
        """Return the evidence without what its records are decided by: enough for a summary."""
        models = [*self._models_of_file(), *self._hand_written()]
        ordered = sorted(models, key=lambda each: (each.model, each.test or ""))  # as in the evidence
        return self.evidence(ordered, complete=complete, exit_code=exit_code)

    def _models_of_file(self) -> Iterator[ModelEvidence]:
        """Yield the models of the file of limits with all of their checks, also those that have no record."""
        from fairness_checks.judge.evidencing import asked_in
        from fairness_checks.report.evidence import CheckEvidence, ModelEvidence

        gate = self._config.stash[GATE]
        for model in gate.limits.models:
            checks = []
            for entry in model.checks:
                fields = asked_in(gate.node_prefix, model.name, entry)
                record = next(iter(self._ledger.records.get(fields["test"], ())), None)
                checks.append(CheckEvidence(question=entry.check.question.line, record=record, **fields))
            yield ModelEvidence(model=model.name, checks=tuple(checks))

    def _hand_written(self) -> Iterator[ModelEvidence]:
        from fairness_checks.report.evidence import CheckEvidence, ModelEvidence

        prefix = f"{self._config.stash[GATE].node_prefix}::"
        for node, records in self._ledger.records.items():
            for record in records if not node.startswith(prefix) else ():
                check = CheckEvidence(question=record.question.line, record=record)
                yield ModelEvidence(model=record.model, test=node, checks=(check,))

    def evidence(self, models: Sequence[ModelEvidence], *, complete: bool, exit_code: int) -> Evidence:
        """Return the document of what has been reported so far, with these models."""
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
        from fairness_checks.judge.evidencing import run_evidence

        gate, given = self._config.stash[GATE], self._config.invocation_params.args
        return run_evidence(
            self._started,
            gate.today.isoformat(),
            [str(each) for each in given],
            gate.commit,
            whole=gate.unfiltered,
            unsettled_exit=self._unsettled_exit,
        )

    @cached_property
    def _configuration(self) -> ConfigurationEvidence:
        """What was asked when the run began, which is what the gate read."""
        from fairness_checks.judge.evidencing import configuration_evidence
        from fairness_checks.storage.files import read_regular

        gate = self._config.stash[GATE]
        content = read_regular(gate.limits.path)  # what a conftest.py has written since makes the run red
        return configuration_evidence(gate.limits, gate.node_prefix, content, gate.burden, gate.metrics)


def _why(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Return in one line why a test failed; no traceback, which may show values of patients."""
    from fairness_checks.inputs.alignment import without_label

    crash = getattr(report.longrepr, "reprcrash", None)
    text = str(report.longrepr) if crash is None else str(crash.message)
    return printable(shorten(without_label(next(iter(text.strip().splitlines()), "failed")), _SHOWN))
