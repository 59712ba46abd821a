"""The checks of thresholds.yaml as tests, and the `fairness` fixture of hand-written ones."""

# Importing this module imports pytest and nothing heavy; statistics are imported when the first check runs.

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fairness_checks.errors import FairnessError
from fairness_checks.judge.listeners import listening
from fairness_checks.plugin.keys import DECIDED, EVIDENCE, GATE, IN_ORDER, RECORDS, SAID, STATE, Judging
from fairness_checks.plugin.tracebacks import HIDDEN, from_project

if TYPE_CHECKING:
    from fairness_checks.judge.listeners import Basis
    from fairness_checks.judge.verdict import Answer
    from fairness_checks.question.checks import Check
    from fairness_checks.question.question import Question
    from fairness_checks.question.waivers import Waiver
    from fairness_checks.records.check_record import CheckRecord

__all__ = [
    "TOO_LATE",
    "CheckTest",
    "FairnessFixture",
    "LimitsFile",
    "LimitsTest",
    "UncheckedTest",
    "WaiverTest",
    "attach",
    "fails",
    "failure",
    "keep",
    "outcome_of",
    "record_of",
    "say",
    "waiver_problem_of",
]

TOO_LATE = "was called after its test had ended, where no verdict counts; call it in the test"
_WAIVER_SHOWN = ("reason", "approved_by", "expires")


def outcome_of(records: list[CheckRecord]) -> str | None:
    """Return the outcome of a test with several records: an unsettled one outweighs a waived one."""
    verdicts = {record.verdict for record in records}
    return next((verdict for verdict in ("fail", "inconclusive", "waived", "pass") if verdict in verdicts), None)


def attach(item: pytest.Item, record: CheckRecord) -> None:
    """Keep a record with its test: for this process, and as properties for JUnit and the controller."""
    from fairness_checks.report.junit import properties

    item.stash.setdefault(RECORDS, []).append(record)
    own = item.stash.get(SAID, [])
    say(item, [pair for pair in properties(record) if pair not in own])


def say(item: pytest.Item, pairs: Iterable[tuple[str, str]]) -> None:
    """Keep what the gate says of a test where no hook looks for it: its report is made of that."""
    item.stash.setdefault(SAID, []).extend(pairs)


def keep(item: pytest.Item, basis: Basis) -> None:
    """Keep a verdict of `fairness_checks.audit`; the burden of proof of the command line wins over its own."""
    from fairness_checks.judge.judging import shown

    gate = item.config.stash[GATE]
    seen = shown(basis.measured, [basis.check], [basis.record], basis.settings, gate.limits.suppress_below)
    (record,) = (each for each in seen.answers if not isinstance(each, Exception))
    attach(item, dataclasses.replace(record, burden_of_proof=gate.burden) if gate.burden else record)
    if leave := item.config.stash.get(EVIDENCE, None):
        from fairness_checks.judge.evidencing import model_evidence

        of = (record.model, basis.predictions, seen, [basis.check])
        leave(model_evidence(*of, asked=basis.settings), item)


def fails(record: CheckRecord) -> bool:
    """Say whether a record must fail its test."""
    from fairness_checks.records.decision import turns_red

    return turns_red(record.verdict, record.burden_of_proof)


def failure(record: CheckRecord, pasted: date | None = None) -> str | None:
    """Return the text of a failing record, with a waiver to paste where a day is given; None where none fails."""
    from fairness_checks.report.text import record_text, waiver_lines

    if fails(record):
        return "\n".join([record_text(record), *([] if pasted is None else waiver_lines(record, pasted))])
    return None


class LimitsFile(pytest.File):
    """The file of limits: a test for each check and waiver, and for models without a check or without a fixture."""

    def collect(self) -> Iterator[pytest.Item]:
        """Yield each model's tests in the order of the file, its waivers behind its checks: they ask it again."""
        from fairness_checks.question.names import check_name, slug, waiver_names

        gate = self.config.stash[GATE]
        waivers = list(zip(gate.limits.waivers, waiver_names(gate.limits.waivers), strict=True))
        for model in gate.limits.models:
            parent = gate.parent_of(model.name, self)
            for entry in model.checks:
                name, of = check_name(model.name, entry.check), {"model": model.name, "line": entry.line}
                yield CheckTest.from_parent(parent, name=name, callobj=_run_check, check=entry.check, **of)
            for waiver, name in waivers:
                if waiver.model == model.name:
                    of = {"model": model.name, "line": waiver.line}
                    yield WaiverTest.from_parent(parent, name=name, callobj=_run_waiver, waiver=waiver, **of)
        line = gate.limits.document.lines["models",]
        for model_name in gate.unnamed():
            name = f"test_is_checked[{slug(model_name)}]"
            yield UncheckedTest.from_parent(self, name=name, callobj=_run_unchecked, model=model_name, line=line)
        for model_name in gate.baseline.strangers():
            name = f"test_baseline[{slug(model_name)}]"
            yield LimitsTest.from_parent(self, name=name, callobj=_run_stranger, model=model_name, line=1)


class LimitsTest(pytest.Function):
    """Something that thresholds.yaml, or the baseline beside it, says of a model, as a test."""

    def __init__(self, *, model: str, line: int, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.model, self.line = model, line
        say(self, [("fairness.test", "limits"), ("fairness.model", model)])
        self.add_marker("fairness")
        if hasattr(self, "_id"):  # pytest 9.2 keeps ids in parts, and --lf looks for those that the text parses to
            self._id = type(self._id).parse(self.nodeid)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Locate the test where the file says so."""
        return self.path, self.line - 1, self.name


class CheckTest(LimitsTest):
    """One check as a test that requests its model's fixture."""

    def __init__(self, *, check: Check, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.check = check


class UncheckedTest(LimitsTest):
    """A model that the file does not name; it fails, unless a hand-written test takes it away by using the model."""


class WaiverTest(LimitsTest):
    """One waiver as a test: passed where it is in order."""

    def __init__(self, *, waiver: Waiver, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.waiver = waiver


def _answers_of(request: pytest.FixtureRequest) -> Mapping[Question, Answer]:
    """Return the answers to all checks of a test's model; why there are none is an error of this test's set-up."""
    __tracebackhide__ = HIDDEN
    item, gate = request.node, request.config.stash[GATE]
    try:
        return gate.answers(item.model, request)
    except (Exception, pytest.exit.Exception) as error:
        problem = _problem(gate, item, error)
        if problem is None:
            raise
    # Outside of the handler: inside, pytest would print the error a second time, as the one being handled.
    pytest.fail(f"{item.model}: {problem}", pytrace=False)


def _problem(gate: Judging, item: LimitsTest, error: BaseException) -> str | None:
    """Say why a test has no answer, in full for one test of a model; None where a traceback says it."""
    told = isinstance(error, FairnessError | pytest.exit.Exception)
    if first := gate.said_by(item.model, error if not told else _told(error), item.name):
        return f"the same {'error' if told else type(error).__name__} as in {first}"
    return _told(error) if told else None


def _told(error: BaseException) -> str:
    """Return an error's message with its notes, such as the mix that was trained with."""
    if isinstance(error, pytest.exit.Exception):
        return f"the fixture called pytest.exit: {error}"
    notes = getattr(error, "__notes__", ())
    return f"{error} ({'; '.join(notes)})" if notes else str(error)


def record_of(request: pytest.FixtureRequest) -> CheckRecord:
    """Return the record of the check that is being run; why there is none is an error of this test's set-up."""
    __tracebackhide__ = HIDDEN
    item, answer = request.node, _answers_of(request)[request.node.check.question]
    if not isinstance(answer, Exception):
        return answer
    gate = request.config.stash[GATE]
    problem = _problem(gate, item, answer)
    if problem is None:  # of a training that the project wrote: where it was raised says most
        raise from_project(answer, request.config.rootpath)
    place = f"{gate.node_prefix}:{item.line}: {item.model}, {item.check.question.line}"
    pytest.fail(f"{place}: {problem}", pytrace=False)


def waiver_problem_of(request: pytest.FixtureRequest) -> str | None:
    """Say what is wrong with the waiver that is being run; its model is asked only where the day is in order."""
    # Every process comes to the same answer, as a model's checks are evaluated together whatever was selected.
    from fairness_checks.judge.waiver_use import day_problem, use_problem

    waiver, today = request.node.waiver, request.config.stash[GATE].today
    if problem := day_problem(waiver, today):
        return problem
    return use_problem(waiver, request.config.stash[GATE].limits.waivers, _answers_of(request), today)


def _run_check(request: pytest.FixtureRequest, fairness_record: CheckRecord) -> None:
    _refuse_another(fairness_record is record_of(request), "fairness_record")
    attach(request.node, fairness_record)
    config = request.config
    if text := failure(fairness_record, config.stash[GATE].today if config.get_verbosity() > 0 else None):
        pytest.fail(text, pytrace=False)
    if fairness_record.verdict != "pass":  # not green, and reporters that read the exception show why
        from fairness_checks.report.text import headline

        pytest.skip(headline(fairness_record))


def _run_waiver(request: pytest.FixtureRequest, fairness_waiver: str | None) -> None:
    from fairness_checks.judge.waiver_use import waiver_text

    _refuse_another(fairness_waiver == waiver_problem_of(request), "fairness_waiver")
    waiver = request.node.waiver
    shown = [(f"fairness.waiver.{name}", str(getattr(waiver, name))) for name in _WAIVER_SHOWN]
    say(request.node, shown)
    _end(request.node, fairness_waiver and f"{fairness_waiver}\n{waiver_text(waiver)}")


def _refuse_another(own: bool, name: str) -> None:
    if not own:
        pytest.fail(
            f"something gave {name} another value than the gate does: a hook `pytest_fixture_setup`?", pytrace=False
        )


def _run_stranger(request: pytest.FixtureRequest) -> None:
    gate = request.config.stash[GATE]
    removed = gate.baseline.updating and gate.unfiltered  # by this run
    _end(request.node, None if removed else gate.baseline.strangers()[request.node.model])


def _run_unchecked(request: pytest.FixtureRequest) -> None:
    name = request.node.model
    _end(
        request.node,
        f"{name}: no check names this model, and no fairness test asks for it by name; write a check under "
        f'models.{name}, use the model in a test, or say `unchecked: {{{name}: "why"}}`',
    )


def _end(item: pytest.Item, problem: str | None) -> None:
    """End a test that has no record; its state tells the controller whether its outcome is its own."""
    say(item, [(STATE, problem or IN_ORDER)])
    if problem:
        pytest.fail(problem, pytrace=False)


class FairnessFixture:
    """The ``fairness`` fixture of hand-written tests."""

    def __init__(self, item: pytest.Item) -> None:
        self._item = item

    def audit(self, predictions: Any, **arguments: Any) -> CheckRecord:
        """Check predictions as `fairness_checks.audit` does, and let the test end with the verdict.

        A violation fails the test at once. An inconclusive verdict gives the test that outcome when it ends, or
        fails it at once where the burden of proof is compliance. Level, minimum group size and burden come from
        thresholds.yaml unless given; the burden of the command line wins over both.
        """
        __tracebackhide__ = True
        from fairness_checks.judge.auditing import audit

        gate = self._item.config.stash[GATE]
        if isinstance(named := arguments.get("metric"), str) and named in gate.metrics:
            arguments = {**arguments, "metric": gate.metrics[named]}
        return self._judged("audit", audit, predictions, arguments)

    def audit_uncertainty(self, predictions: Any, **arguments: Any) -> CheckRecord:
        """Check predictions as `fairness_checks.audit_uncertainty` does, and let the test end as `audit` does."""
        __tracebackhide__ = True
        from fairness_checks.judge.auditing import audit_uncertainty

        return self._judged("audit_uncertainty", audit_uncertainty, predictions, arguments)

    def _judged(
        self, name: str, judge: Callable[..., CheckRecord], predictions: Any, arguments: dict[str, Any]
    ) -> CheckRecord:
        __tracebackhide__ = True
        if self._item.stash.get(DECIDED, False):
            pytest.fail(f"fairness.{name} {TOO_LATE}")
        gate = self._item.config.stash[GATE]
        settings = gate.settings
        defaults = {
            "alpha": settings.alpha,
            "min_group_size": settings.min_group_size,
            "missing_sensitive": settings.missing_sensitive,
            "missing_text": settings.missing_text,
            "burden_of_proof": settings.burden_of_proof,
            "model": gate.name_of(self._item),
        }
        burden = {"burden_of_proof": gate.burden} if gate.burden else {}
        with listening(functools.partial(keep, self._item)):
            record = judge(predictions, **(defaults | arguments | burden))
        if text := failure(self._item.stash[RECORDS][-1]):  # as it may be shown
            pytest.fail(text)
        return record
