"""Models whose predictions are files: judged by a file of limits, with the evidence of that, and without pytest."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from fairness_checks.baseline.session import FILENAME, BaselineSession
from fairness_checks.config.loading import GateConfig, ModelChecks
from fairness_checks.errors import ConfigurationError, InvalidPredictions
from fairness_checks.inputs.predictions import Predictions
from fairness_checks.inputs.source_reading import read_source
from fairness_checks.judge.evaluation import Evaluation
from fairness_checks.judge.evidencing import (
    configuration_evidence,
    model_evidence,
    run_evidence,
    totals,
    unsettled,
    with_looks,
    with_reasons,
    with_records,
)
from fairness_checks.judge.judging import judge_measurements, judge_shown
from fairness_checks.judge.measurements import Measurements
from fairness_checks.judge.shown import Shown
from fairness_checks.judge.verdict import Answer
from fairness_checks.judge.waiver_use import day_problem, use_problem, waiver_text
from fairness_checks.plain import now
from fairness_checks.question.checks import Burden, Settings
from fairness_checks.question.names import check_name, waiver_names
from fairness_checks.question.question import Question
from fairness_checks.records.check_record import CheckRecord
from fairness_checks.records.decision import DESELECTED, turns_red
from fairness_checks.report.evidence import BaselineEvidence, DataEvidence, Evidence, FailureEvidence, ModelEvidence
from fairness_checks.storage.files import read_regular

__all__ = ["FileAudit", "predictions_of_file"]


def predictions_of_file(limits: GateConfig, model: ModelChecks, stdin: bytes | None = None) -> Predictions:
    """Read the predictions of a model with a `source`, whose paths are relative to the file of limits."""
    if model.source is None:
        raise ConfigurationError(f"{model.name}: has no source: where a file of its predictions is, and its columns")
    tells = limits.suppress_below is None  # by the digest guesses of a few unknown rows could be tried
    return read_source(model.source, limits.path.parent, model.features, stdin=stdin, tells_digest=tells)


@dataclass(slots=True)
class FileAudit:
    """Some models of a file of limits, each with a `source`, judged as the gate does."""

    limits: GateConfig
    content: bytes  # of the file of limits
    command: Sequence[str]  # arguments, for the evidence
    burden: Burden | None = None  # of the command line, which wins over the file's
    baseline: BaselineSession | None = None  # None where there is no file that one would lie beside
    unsettled_exit: int | None = None  # the exit code where nothing failed and something is inconclusive; None for 0
    today: date = field(default_factory=date.today)
    started: str = field(default_factory=now)
    complete: bool = False  # whether every model was judged
    groups: dict[str, tuple[str, ...]] = field(default_factory=dict)  # of each feature that was read
    errors: dict[str, str] = field(default_factory=dict)  # by name as a test: why a check or a waiver fails the run
    _models: list[ModelEvidence] = field(default_factory=list)

    @property
    def settings(self) -> Settings:
        """Those of the file, with the burden of proof of the command line."""
        return self.limits.settings.under(self.burden)

    @property
    def records(self) -> list[CheckRecord]:
        """All records, in the order of the file."""
        return [check.record for model in self._models for check in model.checks if check.record is not None]

    @property
    def failures(self) -> list[CheckRecord]:
        """The records that turn the run red."""
        return [record for record in self.records if turns_red(record.verdict, record.burden_of_proof)]

    @property
    def left_out(self) -> list[ModelChecks]:
        """Models of the file of limits that were not judged."""
        there = {model.model for model in self._models}
        return [model for model in self.limits.models if model.name not in there]

    @property
    def exit_code(self) -> int:
        """1 where something failed, or the audit did not come to its end, as under pytest."""
        if self.failures or self.errors or not self.complete:
            return 1
        return self.unsettled_exit or 0 if unsettled(self.records, {}, ()) else 0

    def judge(self, models: Sequence[ModelChecks], stdin: bytes | None = None) -> None:
        """Read each model's file, and judge it; raise FairnessError where a file cannot be read."""
        read = [(model, self._read(model, stdin)) for model in models]
        for model, predictions in read:
            self.groups |= {name: feature.groups for name, feature in predictions.sensitive_features.items()}
            self._judge(model, predictions)
        self.complete = True

    def _read(self, model: ModelChecks, stdin: bytes | None) -> Predictions:
        try:
            return predictions_of_file(self.limits, model, stdin)
        except InvalidPredictions as error:
            if model.source is None or model.source.python is None:
                raise
            raise InvalidPredictions(f"{model.name}: {error}") from error  # several may name one function

    def _judge(self, model: ModelChecks, predictions: Predictions) -> None:
        checks = [entry.check for entry in model.checks]
        accepted = None if self.baseline is None else self.baseline.accepted(model.name, checks)
        evaluation = Evaluation(predictions, about=predictions.about, accepted=accepted)
        _, shown = judge_shown(model.name, evaluation, checks, self.limits, self.settings, self.today)
        self._keep(model, model_evidence(model.name, predictions, shown, checks), shown)

    def judge_measured(self, measured: Sequence[tuple[ModelChecks, Measurements, DataEvidence | None]]) -> None:
        """Judge models whose rows were read elsewhere, by their statistics."""
        for model, known, data in measured:
            checks = [entry.check for entry in model.checks]
            _, shown = judge_measurements(model.name, known, checks, self.limits, self.settings, self.today)
            part = model_evidence(model.name, None, shown, checks)
            self._keep(model, part if data is None else replace(part, data=shown.data(data)), shown)
        self.complete = True

    def _keep(self, model: ModelChecks, evidence: ModelEvidence, shown: Shown) -> None:
        """Keep the records of a model, and what of it fails the run."""
        checks = [entry.check for entry in model.checks]
        answers = dict(zip([check.question for check in checks], shown.answers, strict=True))
        records = {key.line: answer for key, answer in answers.items() if isinstance(answer, CheckRecord)}
        part = with_records(evidence, records)
        part = with_reasons(part, model.checks, self.limits.document.source)
        self._models.append(part if self.baseline is None else with_looks(part, self.baseline.look))
        for entry in model.checks:
            answer = answers[entry.check.question]
            if isinstance(answer, Exception):
                place = f"{model.name}, {entry.check.question.line}"
                self.errors[check_name(model.name, entry.check)] = f"{place}: {answer}"
        self._look_at_waivers(model, answers)

    def _look_at_waivers(self, model: ModelChecks, answers: Mapping[Question, Answer]) -> None:
        waivers = self.limits.waivers
        for waiver, name in zip(waivers, waiver_names(waivers), strict=True):
            if waiver.model == model.name:
                problem = day_problem(waiver, self.today) or use_problem(waiver, waivers, answers, self.today)
                if problem is not None:
                    self.errors[name] = f"{waiver_text(waiver)}: {problem}"

    def evidence(self, commit: str | None) -> Evidence:
        """Return the evidence of the audit, or of what there is of it."""
        name = self.limits.document.source
        left_out = {
            f"{name}::{check_name(model.name, entry.check)}": DESELECTED
            for model in self.left_out
            for entry in model.checks
        }
        failures = [FailureEvidence(test=f"{name}::{test}", text=text) for test, text in sorted(self.errors.items())]
        return Evidence(
            complete=self.complete,
            run=run_evidence(
                self.started,
                self.today.isoformat(),
                self.command,
                commit,
                whole=not left_out,
                unsettled_exit=self.unsettled_exit,
            ),
            configuration=configuration_evidence(self.limits, name, self.content, self.burden, {}),
            baseline=self._baseline_evidence(),
            models=tuple(sorted(self._models, key=lambda model: model.model)),
            failures=tuple(failures),
            not_judged=left_out,
            totals=totals(self.records),
            exit_code=self.exit_code,
        )

    def _baseline_evidence(self) -> BaselineEvidence | None:
        path = self.limits.path.with_name(FILENAME)
        if self.baseline is None or not path.is_file():
            return None
        return BaselineEvidence(file=path.name, sha256=hashlib.sha256(read_regular(path)).hexdigest())
