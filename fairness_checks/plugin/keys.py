"""Under what the parts of the plugin find each other's work: in pytest's stash, in test reports, in JUnit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from fairness_checks.baseline.session import BaselineSession
    from fairness_checks.config.loading import GateConfig
    from fairness_checks.judge.verdict import Answer
    from fairness_checks.question.checks import Burden, Check, Settings
    from fairness_checks.question.metrics import Metric
    from fairness_checks.question.question import Question
    from fairness_checks.records.check_record import CheckRecord
    from fairness_checks.report.evidence import ModelEvidence

__all__ = [
    "DECIDED",
    "EVIDENCE",
    "GATE",
    "INCOMPLETE",
    "IN_ORDER",
    "RECORDS",
    "SAID",
    "STAGED",
    "STATE",
    "Judging",
]


class Judging(Protocol):
    """What tests ask of the gate; `fairness_checks.plugin.gate` has it, and says what each is."""

    limits: GateConfig
    metrics: Mapping[str, Metric]
    baseline: BaselineSession
    node_prefix: str
    today: date

    @property
    def files(self) -> Mapping[str, str]: ...
    @property
    def settings(self) -> Settings: ...
    @property
    def burden(self) -> Burden | None: ...
    @property
    def commit(self) -> str | None: ...
    @property
    def unfiltered(self) -> bool: ...
    def parent_of(self, model: str, file: pytest.Collector) -> pytest.Collector: ...
    def name_of(self, item: pytest.Item) -> str: ...
    def unnamed(self) -> list[str]: ...
    def check_at(self, node: str) -> tuple[str, Check] | None: ...
    def answers(self, model: str, request: pytest.FixtureRequest) -> Mapping[Question, Answer]: ...
    def said_by(self, model: str, said: BaseException | str, test: str) -> str | None: ...


GATE: pytest.StashKey[Judging] = pytest.StashKey()
EVIDENCE: pytest.StashKey[Callable[[ModelEvidence, pytest.Item | None], None]] = pytest.StashKey()
"""What leaves a part for the evidence of the run: of a model, or of a verdict of a hand-written test."""
RECORDS: pytest.StashKey[list[CheckRecord]] = pytest.StashKey()
SAID: pytest.StashKey[list[tuple[str, str]]] = pytest.StashKey()  # what the gate says of a test, as properties
DECIDED: pytest.StashKey[bool] = pytest.StashKey()  # the call of the test is over
INCOMPLETE = "fairness_incomplete"  # of a test report: the model, where some check of it could not be made
STAGED = "fairness_staged"  # of a test report: its model, and where that left what the next baseline needs
STATE = "fairness.state"  # property of a test that has no record: what is wrong, or that nothing is
IN_ORDER = "in order"
