"""The hooks of a run under ``pytest --fairness``: what is collected, evaluated and reported, and as what outcome."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from collections import Counter
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fairness_checks.errors import ConfigurationError
from fairness_checks.plain import counted
from fairness_checks.plugin.blocks import lay_out, say_once
from fairness_checks.plugin.discovery import (
    MODEL_MARK,
    conftests,
    discover_metrics,
    discover_models,
    models_below,
    visible,
)
from fairness_checks.plugin.given_files import digests_of, missing_limits, rewritten
from fairness_checks.plugin.hidden_models import refuse_hidden_models
from fairness_checks.plugin.keys import DECIDED, EVIDENCE, GATE, INCOMPLETE, RECORDS, SAID, STAGED
from fairness_checks.plugin.missed import missed_models
from fairness_checks.plugin.places import Places
from fairness_checks.plugin.refusals import (
    refuse_arguments,
    refuse_marks,
    refuse_missing_checks,
    refuse_options,
    usage_error,
)
from fairness_checks.plugin.run_cache import RUN_CACHE, cache_directory
from fairness_checks.plugin.scheduling import one_fit_a_model
from fairness_checks.plugin.scratch import SCRATCH
from fairness_checks.plugin.sealing import is_own, seal
from fairness_checks.plugin.selection import is_fairness_test
from fairness_checks.plugin.suite import (
    CheckTest,
    LimitsFile,
    LimitsTest,
    UncheckedTest,
    WaiverTest,
    fails,
    outcome_of,
)
from fairness_checks.plugin.tracebacks import HIDDEN, from_project

if TYPE_CHECKING:
    from fairness_checks.baseline.session import BaselineSession
    from fairness_checks.config.loading import GateConfig, ModelChecks
    from fairness_checks.inputs.predictions import Predictions
    from fairness_checks.judge.verdict import Answer
    from fairness_checks.plugin.discovery import BelowModel
    from fairness_checks.plugin.exits import LastWords
    from fairness_checks.question.checks import Burden, Check, Settings
    from fairness_checks.question.metrics import Metric
    from fairness_checks.question.question import Question
    from fairness_checks.question.waivers import Waiver
    from fairness_checks.storage.claims import Claimant
    from fairness_checks.sweep.runs import Progress, Waiting
    from fairness_checks.sweep.workers import Workers

__all__ = ["Gate"]

_OWN_FIXTURES = ("fairness", "fairness_record", "fairness_waiver")
_OWN_MODULE = "fairness_checks.plugin"
_APART = ("inconclusive", "waived")
_FILES = "fairness_files"  # in the input of a worker
_PATIENCE = 10.0  # seconds that a sweep waits for other runs before it says so
_WORKERS_PATIENCE = 60.0  # which wait for each other in any run
_TODAY = "fairness_today"  # key in the input of a pytest-xdist worker


class Gate:
    """The hooks of a run under ``--fairness``."""

    def __init__(self, config: pytest.Config, words: LastWords) -> None:
        from fairness_checks.config.loading import check_names, load_config
        from fairness_checks.question.names import check_name

        refuse_options(config)
        given_arguments = list(config.args if words.arguments is None else words.arguments)
        if not hasattr(config, "workerinput"):  # one that ends here says nothing of why
            refuse_arguments(config, given_arguments)
        self._config = config
        self._runs_nothing = words.runs_nothing
        self.path = words.limits
        if missing := missing_limits(config, self.path):
            raise pytest.UsageError(missing)
        self.places = Places(config, self.path)
        self.node_prefix = self.places.node_prefix
        models: dict[str, tuple[str, ...] | None] | None = None
        try:
            models = None if self.places.awaited() else self.places.models()
            self.metrics: Mapping[str, Metric] = discover_metrics(config, self.path)
            self.limits: GateConfig = load_config(self.path, models, self.metrics)
            self._placed()
        except ConfigurationError as error:
            late = "" if models is not None else self.places.too_late(str(error))
            raise pytest.UsageError(str(error) + late) from None
        if models is not None and (problems := check_names(self.limits, models)):
            raise pytest.UsageError("\n".join([*problems, *self._missed(models)]))
        self.baseline = _baseline(self.path, config, {model.name for model in self.limits.models})
        given: dict[str, str] = getattr(config, "workerinput", {}).get(_FILES, words.files)  # those of the controller
        self.rewritten = rewritten(self.path, given, _files_now(config, self.path))
        self.files: Mapping[str, str] = given  # digests of those that decide, before any conftest.py was read
        self._checks = {
            f"{self.node_prefix}::{check_name(model.name, entry.check)}": (model.name, entry.check)
            for model in self.limits.models
            for entry in model.checks
        }
        self._staged: dict[str, Path] = {}  # by model, what its evaluation left for the next baseline
        self._answers: dict[str, dict[Question, Answer]] = {}
        self._incomplete: set[str] = set()  # models of which some check could not be made
        self._failures: dict[str, Exception] = {}
        self._workers: Workers | None = None  # once a model is to be trained
        self._tests: Counter[str] = Counter()  # hand-written ones, by name
        self._shown: list[tuple[str, BaseException | str, str]] = []  # by model: an error, and the test that shows it
        self._deselected: set[tuple[str, Question]] = set()
        self._deselected_waivers: list[Waiver] = []
        self._models: dict[str, tuple[str, ...] | None] = {}  # known once every conftest.py has been collected
        #: By which waivers hold; one for all processes of a run, also of one that goes on past midnight.
        self.today = date.fromisoformat(getattr(config, "workerinput", {}).get(_TODAY, date.today().isoformat()))
        config.stash[GATE] = self
        self._arguments = self._with_limits(given_arguments)

    @property
    def settings(self) -> Settings:
        """The defaults of the file, with the burden of proof of the command line."""
        return self.limits.settings.under(self.burden)

    @property
    def burden(self) -> Burden | None:
        """The burden of proof of the command line, which wins over every other."""
        given: Burden | None = self._config.getoption("fairness_burden")
        return given

    @cached_property
    def commit(self) -> str | None:
        """The commit when it was first asked for; a run that writes a baseline changes the tree."""
        from fairness_checks.baseline.provenance import git_commit

        return git_commit(self._config.rootpath)

    @property
    def unfiltered(self) -> bool:
        """Whether every configured check is to run, as far as this process has deselected."""
        return self._wants_all and not self._deselected

    def _named(self) -> set[str]:
        return {model.name for model in self.limits.models} | self.limits.unchecked.keys()

    def _placed(self) -> dict[str, BelowModel]:
        """Return the models below the file of limits that it names: no other is seen from there."""
        return self.places.models_below(self._named())

    def parent_of(self, model: str, file: pytest.Collector) -> pytest.Collector:
        """Return the node whose tests see a model's fixture: the file of limits, or the same in the model's folder."""
        return self.places.parent_of(model, file, self._named())

    def _missed(self, models: Collection[str]) -> list[str]:
        """Say where models were looked for that were not found, and where each seems to be."""
        named = [*(model.name for model in self.limits.models if model.source is None), *self.limits.unchecked]
        missing = [name for name in named if name not in models]
        return missed_models(self._config, self.path, missing, conftests(self._config)) if missing else []

    def _with_limits(self, given: list[str]) -> list[str]:
        """Collect the file of limits too, unless it is named already or only single tests are asked for."""
        here = self._config.invocation_params.dir
        named = [a for a in given if (here / a.split("::")[0]).resolve() == self.path]
        added = [] if named or all("::" in argument for argument in given) else [str(self.path)]
        self._config.args.extend(added)
        only_some = any("::" in argument for argument in named) or not (named or added)
        self._wants_all = not only_some and not self._config.getoption("lf", False)
        return given + added

    def unnamed(self) -> list[str]:
        """Return the models that the file neither checks nor calls unchecked; none where only a part is to run."""
        # Tests that were not collected may use them: by other paths, or where files are ignored. Those that `-k`,
        # `-m` or `--deselect` take away, also in addopts, have been collected, and are seen.
        return self._not_named() if self._is_whole() else []

    def _is_whole(self) -> bool:
        """Say whether all tests are collected, whatever is deselected then."""
        filters = any(self._config.getoption(name, None) for name in ("ignore", "ignore_glob", "stepwise"))
        return self._wants_all and not filters and self.places.all_collected()

    def _not_named(self) -> list[str]:
        return [name for name in discover_models(self._config, self.path) if name not in self._named()]

    def _other_names(self) -> list[str]:
        """Say by which names reports have the metrics that the file calls otherwise."""
        from fairness_checks.config.loading import other_names

        return [f"{name} is {ours}" for name, ours in other_names(self.limits).items()]

    def _unchecked_lines(self) -> list[str]:
        """Say which models no check of the file names, in every run."""
        lines = [f"fairness: unchecked: {name} ({reason})" for name, reason in self.limits.unchecked.items()]
        if names := self._not_named():
            lines.append(f"fairness: {self.node_prefix} has no check of {', '.join(names)}")
        return lines

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker the day of the run, and which files it must read."""
        node.workerinput.update({_TODAY: self.today.isoformat(), _FILES: dict(self.files)})

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> Any:
        """Deal tests out to workers so that a model is fitted once."""
        return one_fit_a_model(config, log, self._kept_together)

    def _kept_together(self) -> dict[str, str]:
        """Return, by test, the model whose tests one worker runs; those of swept models go to all workers."""
        from fairness_checks.question.names import waiver_names

        waivers = zip(self.limits.waivers, waiver_names(self.limits.waivers), strict=True)
        models = {node: model for node, (model, _) in self._checks.items()}
        models |= {f"{self.node_prefix}::{name}": waiver.model for waiver, name in waivers}
        swept = {model.name for model in self.limits.models if model.sweep is not None}
        return {node: model for node, model in models.items() if model not in swept}

    def pytest_report_header(self) -> list[str]:
        """Say seed, configuration, burden of proof and the models found."""
        files = {m.name: f"{m.name} ({m.source.called})" for m in self.limits.models if m.source is not None}
        models = [*self.places.models(), *files.values()]
        found = f"{counted(len(models), 'model')} found{': ' if models else ''}{', '.join(models)}"
        if awaited := self.places.awaited():
            found = f"models are looked for when {awaited[0]} is collected"
        return [
            f"fairness: config {self.node_prefix}, seed {self.limits.seed}, "
            f"burden of proof {self.settings.burden_of_proof}",
            *(f"fairness: {other} is not read: a run has one file of limits" for other in self.places.unread()),
            f"fairness: {found}",
            *([f"fairness: {', '.join(called)}"] if (called := self._other_names()) else []),
            *self._unchecked_lines(),
            *self._job_lines(),
            "fairness: the project's other tests are not run; plain pytest runs them",
            *([f"fairness: {option}: no check is run, nothing is judged"] if (option := self._runs_nothing) else []),
        ]

    def _job_lines(self) -> list[str]:
        """Say how many trainings are done at a time, where there are any."""
        if not any(model.sweep for model in self.limits.models):
            return []
        jobs = self._config.getoption("fairness_jobs")
        most = {None: "one a core, 8", -1: "one a core"}.get(jobs, f"{jobs}")
        return [f"fairness: trainings at a time: {most} at most, where that is faster; it changes no number"]

    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
        """Collect the file of limits as a test module."""
        if file_path == self.path:
            # Outside the root directory pytest has no name of its own for a file.
            named: dict[str, Any] = (
                {} if self.path.is_relative_to(self._config.rootpath) else {"nodeid": self.node_prefix}
            )
            return LimitsFile.from_parent(parent, path=file_path, **named)
        return None

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, session: pytest.Session, items: list[pytest.Item]) -> None:
        """End in a usage error where names do not exist or nothing is checked; before any model is fitted."""
        from fairness_checks.config.loading import check_names
        from fairness_checks.config.messages import EXAMPLE

        try:
            placed = {name: model.declared for name, model in self._placed().items()}
            self._models = discover_models(self._config, self.path) | placed
            discover_metrics(self._config, self.path)  # a conftest.py may have been loaded since
        except ConfigurationError as error:
            raise usage_error(self._config, str(error)) from None
        if problems := check_names(self.limits, self._models):
            raise usage_error(self._config, "\n".join([*problems, *self._missed(self._models)]))
        self._tests.update(i.name for i in items if is_fairness_test(i) and not isinstance(i, LimitsTest))
        used = {name for i in items if not isinstance(i, LimitsTest) for name in _fixtures_of(i)}
        items[:] = [i for i in items if not (isinstance(i, UncheckedTest) and i.model in used)]
        if contradicted := [name for name in self.limits.unchecked if name in used]:
            message = "a fairness test uses the model; remove the line"
            document = self.limits.document
            lines = [document.problem(("unchecked", name), message).text(document.source) for name in contradicted]
            raise usage_error(self._config, "\n".join(lines))
        if self._is_whole():
            seen = [value for _, value in visible(self._config, self.path)]
            seen += [model.value for model in self._placed().values()]
            below = [model.value for model in models_below(self._config, self.path).values()]
            refuse_hidden_models(self._config, items, MODEL_MARK, seen, below, self.node_prefix)
        # Without models the file can still hold tests: of those that only the baseline knows.
        asked = (is_fairness_test(i) and (self.limits.models or not isinstance(i, LimitsTest)) for i in items)
        if not any(asked) and not session.testsfailed:
            raise usage_error(
                self._config,
                f"{self.node_prefix}: no check was collected; write at least one, for instance\n\n{EXAMPLE}\n"
                f"or a test that uses the `fairness` fixture",
            )

    def _deselect_unnamed(self, session: pytest.Session) -> None:
        """Deselect, for all reporters to see, what single tests or `--lf` were asked for instead of."""
        if self._wants_all or not isinstance(file := self.pytest_collect_file(self.path, session), LimitsFile):
            return
        there = {item.nodeid for item in session.items}
        known = self._deselected, self._deselected_waivers
        if left_out := [item for item in file.collect() if item.nodeid not in there and not _is_in(item, *known)]:
            self._config.hook.pytest_deselected(items=left_out)

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Remember what was left out on purpose."""
        self._deselected.update((i.model, i.check.question) for i in items if isinstance(i, CheckTest))
        self._deselected_waivers += [i.waiver for i in items if isinstance(i, WaiverTest)]

    @pytest.hookimpl(wrapper=True)
    def pytest_collection_finish(self, session: pytest.Session) -> Generator[None, None, None]:
        """Refuse a run without all configured checks, and re-run marks that a conftest adds to them."""
        # A check may be deselected, openly; one that an ignored path, a skipped folder or another plugin took away
        # without a word would never be missed.
        from fairness_checks.judge.waiver_use import waiver_text

        there = {(i.model, i.check.question) for i in session.items if isinstance(i, CheckTest)} | self._deselected
        missing = [
            f"{entry.check.metric} by {', '.join(entry.check.by)} of {model.name} (line {entry.line})"
            for model in self.limits.models
            for entry in model.checks
            if (model.name, entry.check.question) not in there
        ]
        waivers = [i.waiver for i in session.items if isinstance(i, WaiverTest)] + self._deselected_waivers
        missing += [waiver_text(waiver) for waiver in self.limits.waivers if waiver not in waivers]
        if self._wants_all and not session.testsfailed:
            refuse_missing_checks(self._config, self.node_prefix, missing)
        refuse_arguments(self._config, self._arguments)
        refuse_marks(self._config, session.items)
        yield
        self._deselect_unnamed(session)  # behind the line that counts what was collected

    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> None:
        """Refuse a fixture that replaces a model, or one of the gate's own, by its name."""
        name, function = fixturedef.argname, fixturedef.func
        if name in self._models:
            replaced = None if hasattr(function, MODEL_MARK) else f"the model {name}"
        else:  # a test parametrised by the name has a fixture of pytest's own
            own = name not in _OWN_FIXTURES or getattr(function, "__module__", "") == _OWN_MODULE
            replaced = None if own else f"the gate's own fixture {name}"
        if replaced:
            code = getattr(function, "__code__", None)
            where = f" in {code.co_filename}:{code.co_firstlineno}" if code else ""
            raise ConfigurationError(f"the fixture{where} replaces {replaced}; give one of them another name")

    def name_of(self, item: pytest.Item) -> str:
        """Return what reports call a hand-written test: its name, or where several have that, its node id."""
        return item.nodeid if self._tests[item.name] > 1 else item.name

    def check_at(self, node: str) -> tuple[str, Check] | None:
        """Return the model and the check that a test is of; None for any other test."""
        return self._checks.get(node)

    def answers(self, model: str, request: pytest.FixtureRequest) -> dict[Question, Answer]:
        """Evaluate a model once: all its checks together, whatever was selected, for they are adjusted together."""
        __tracebackhide__ = HIDDEN
        if model in self._failures:  # what took long to fail is not tried again for the next check
            raise self._failures[model].with_traceback(None)
        if model not in self._answers:
            try:
                self._answers[model] = self._evaluate(model, request)
            except Exception as error:
                self._failures[model] = error
                raise from_project(error, self._config.rootpath)  # noqa: B904  # the same error
        return self._answers[model]

    def said_by(self, model: str, said: BaseException | str, test: str) -> str | None:
        """Return the test that has already shown an error of a model, or its text; None where this one is to."""
        for known, shown, first in self._shown:
            if known == model and first != test and (shown is said or (isinstance(said, str) and shown == said)):
                return first
        self._shown.append((model, said, test))
        return None

    def _is_incomplete(self, model: str) -> bool:
        """Say whether some check of a model that was evaluated could not be made, selected or not."""
        return model in self._failures or model in self._incomplete

    def _evaluate(self, model: str, request: pytest.FixtureRequest) -> dict[Question, Answer]:
        from fairness_checks.judge.evaluation import evaluate, is_trainable
        from fairness_checks.judge.judging import judge_shown

        (configured,) = (each for each in self.limits.models if each.name == model)
        checks = [entry.check for entry in configured.checks]
        of_file = configured.source is not None
        produced = self._of_file(configured) if of_file else request.getfixturevalue(model)
        kept = cache_directory(self._config)
        evaluation = evaluate(
            model,
            produced,
            checks,
            configured.sweep,
            seed=self.limits.seed,
            cache=kept if kept is not None else self._shared(),
            jobs=self._workers_beside() if is_trainable(produced) else None,
            progress=self._progress(model) if configured.sweep else None,
            waiting=self._waiting(model) if configured.sweep else None,
            missing=self.settings.missing,
        )
        if evaluation.predictions is not None:
            for feature in self._models.get(model) or ():
                evaluation.predictions.feature(feature)
        if kept is not None:
            self._config.stash[RUN_CACHE].of_model(model, evaluation.read, evaluation.not_kept, evaluation.reads)
        evaluation = dataclasses.replace(evaluation, accepted=self.baseline.accepted(model, checks))
        answers, shown = judge_shown(model, evaluation, checks, self.limits, self.settings, self.today)
        if leave := self._config.stash.get(EVIDENCE, None):
            from fairness_checks.judge.evidencing import model_evidence

            read = self._config.stash[RUN_CACHE].said_of(model)
            leave(model_evidence(model, evaluation.predictions, shown, checks, cache=read), None)
        if any(isinstance(answer, Exception) for answer in answers):
            self._incomplete.add(model)
        else:
            folder = self.baseline.staged(
                evaluation.predictions, checks, self.settings, self._config.stash[SCRATCH].folder
            )
            self._staged |= {} if folder is None else {model: folder}
        return {check.question: answer for check, answer in zip(checks, shown.answers, strict=True)}

    def _shared(self) -> Path | None:
        """Return where workers leave each other what they train, in a run that keeps nothing; None where nowhere."""
        if not hasattr(self._config, "workerinput"):
            return None
        try:
            folder = self._config.stash[SCRATCH].folder()
        except OSError:
            return None
        return folder / "trained" if folder.is_dir() else None  # else of another machine, where nobody removes it

    def _of_file(self, model: ModelChecks) -> Predictions:
        """Read the predictions of a model that has no fixture."""
        from fairness_checks.judge.file_auditing import predictions_of_file

        return predictions_of_file(self.limits, model)

    def _workers_beside(self) -> Workers:
        """Return the processes that train beside this one: the same for all models."""
        from fairness_checks.sweep.workers import Workers

        if self._workers is None:
            others = int(getattr(self._config, "workerinput", {}).get("workercount", 1))  # of pytest-xdist
            self._workers = Workers(self._config.getoption("fairness_jobs"), sharing=others)
        return self._workers

    def pytest_unconfigure(self) -> None:
        """End the processes that trained."""
        if self._workers is not None:
            self._workers.close()

    def _progress(self, model: str) -> Progress | None:
        """Return what shows how far a sweep is on a terminal; CI logs and workers stay quiet."""
        stream = sys.__stderr__
        with self._uncaptured():  # a captured stream is a file, whatever it was before
            if stream is None or not stream.isatty() or hasattr(self._config, "workerinput"):
                return None
            from fairness_checks.sweep.progress import ProgressLine

            line = ProgressLine(stream, f"sweep {model}")

        def progress(done: int, total: int, seconds: float) -> None:
            with self._uncaptured():  # what the model prints stays captured
                if seconds == 0.0:  # the first call: pytest has left the cursor behind the name of the test
                    stream.write("\n")
                line(done, total, seconds)

        return progress

    def _waiting(self, model: str) -> Waiting | None:
        """Return what says whom a sweep waits for: also in CI logs, as what hangs says nothing else."""
        from fairness_checks.sweep.progress import WaitingLine

        if (stream := sys.__stderr__) is None:
            return None
        patience = _WORKERS_PATIENCE if hasattr(self._config, "workerinput") else _PATIENCE
        line = WaitingLine(stream, f"sweep {model}", patience, "; --fairness-no-cache waits for nobody")

        def waiting(seconds: float, claimed: Callable[[], Mapping[Claimant, int]]) -> None:
            with self._uncaptured():
                line(seconds, claimed)

        return waiting

    def _uncaptured(self) -> contextlib.AbstractContextManager[None]:
        capture = self._config.pluginmanager.getplugin("capturemanager")
        return capture.global_and_fixture_disabled() if capture else contextlib.nullcontext()

    @pytest.hookimpl(wrapper=True, trylast=True)  # reporters that wrap it, such as Allure's, see the outcome given here
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[Any]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Give a test whose records are inconclusive or waived that outcome, located where its limit stands."""
        report = yield
        if report.when == "call":
            item.stash[DECIDED] = True
        if isinstance(item, LimitsTest):  # pytest-xdist sends a report's whole __dict__
            setattr(report, INCOMPLETE, item.model if self._is_incomplete(item.model) else None)
            if item.model in self._staged:
                setattr(report, STAGED, [item.model, str(self._staged[item.model])])
        others = [pair for pair in report.user_properties if not is_own(pair)]
        report.user_properties = [*item.stash.get(SAID, ()), *others]  # whatever has become of the test's
        verdict = outcome_of(records := item.stash.setdefault(RECORDS, []))
        if report.failed and (isinstance(item, LimitsTest) or any(map(fails, records))):
            say_once(report, call.excinfo, own=isinstance(item, LimitsTest))
            lay_out(report, records)
        if apart := report.when == "call" and verdict in _APART and report.outcome != "failed":
            from fairness_checks.report.text import headline

            record = next(r for r in records if r.verdict == verdict)
            path, line, _ = item.reportinfo()
            report.outcome = "skipped"
            report.longrepr = (str(path), (line or 0) + 1, headline(record))
            report.user_properties.append(("fairness.outcome", str(verdict)))
        # Where a hand-written test passes, or fails by itself, an xfail mark has its say.
        seal(report, outcome=isinstance(item, LimitsTest) or apart or any(map(fails, records)))
        return report


def _is_in(item: pytest.Item, checks: Collection[tuple[str, Question]], waivers: Collection[Waiver]) -> bool:
    """Say whether a test is of one of these checks or waivers."""
    if isinstance(item, CheckTest):
        return (item.model, item.check.question) in checks
    return isinstance(item, WaiverTest) and item.waiver in waivers


def _fixtures_of(item: pytest.Item) -> Sequence[str]:
    """Return the fixtures of a fairness test, also those that its fixtures ask for."""
    return getattr(item, "fixturenames", ()) if is_fairness_test(item) else ()


def _baseline(limits: Path, config: pytest.Config, models: set[str]) -> BaselineSession:
    from fairness_checks.baseline.session import FILENAME, BaselineSession
    from fairness_checks.errors import BaselineError

    try:
        return BaselineSession(
            limits.with_name(FILENAME), models, updating=config.getoption("fairness_update_baseline")
        )
    except BaselineError as error:
        raise pytest.UsageError(str(error)) from None


def _files_now(config: pytest.Config, path: Path) -> dict[str, str]:
    return digests_of(path, updating=bool(config.getoption("fairness_update_baseline")))
