"""What runs under ``pytest --fairness``: model fixtures, the checks of thresholds.yaml as tests, and their outcomes.

Importing this module imports pytest and nothing heavy; statistics are imported when the first check runs.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import pytest

from fairness_checks.errors import ConfigurationError, FairnessError

if TYPE_CHECKING:
    from fairness_checks.checks import Check, CheckKey, Settings
    from fairness_checks.config import GateConfig
    from fairness_checks.records import CheckRecord

__all__ = ["FairnessFixture", "Gate", "fairness_model"]

_MARK = "__fairness_model__"
GATE = pytest.StashKey["Gate"]()
RECORDS = pytest.StashKey["list[CheckRecord]"]()
USAGE_ERROR = "fairness_usage_error"  # key in the output of a pytest-xdist worker
_STATUS = {"inconclusive": ("inconclusive", "?", "INCONCLUSIVE"), "waived": ("waived", "w", "WAIVED")}


@overload
def fairness_model(function: Callable[..., Any]) -> Any: ...
@overload
def fairness_model(*, sensitive_features: Sequence[str] | None = None) -> Callable[[Callable[..., Any]], Any]: ...
def fairness_model(
    function: Callable[..., Any] | None = None, *, sensitive_features: Sequence[str] | None = None
) -> Any:
    """Turn a function that returns `Predictions` into a session-scoped fixture that the gate discovers.

    Parameters
    ----------
    function : callable
        The fixture function, in a conftest.py or a plugin; its name is the model's name. It may request any
        session-scoped fixture.
    sensitive_features : sequence of str, optional
        Features that the predictions will hold. Declared, a misspelt feature in thresholds.yaml is found before any
        model is fitted; undeclared, when this model's predictions arrive.

    Examples
    --------
    ::

        @fairness_model(sensitive_features=["sex"])
        def sepsis_model(holdout):
            return Predictions(holdout.y, y_score=holdout.score, sensitive_features={"sex": holdout.sex})
    """
    if function is None:
        declared = None if sensitive_features is None else tuple(sensitive_features)
        return functools.partial(_as_fixture, declared=declared)
    return _as_fixture(function, declared=None)


def _as_fixture(function: Callable[..., Any], declared: tuple[str, ...] | None) -> Any:
    definition = pytest.fixture(scope="session")(function)
    setattr(definition, _MARK, (declared,))
    return definition


def discover_models(config: pytest.Config, config_path: Path) -> dict[str, tuple[str, ...] | None]:
    """Return the model fixtures that the file of limits can see, with the features that they declare.

    Fixtures live in plugins and in conftest.py files; of the latter, those beside or above the file count.
    """
    models: dict[str, tuple[str, ...] | None] = {}
    for plugin in config.pluginmanager.get_plugins():
        file = getattr(plugin, "__file__", None)
        if file and Path(file).name == "conftest.py" and Path(file).parent not in config_path.parents:
            continue
        for name, value in list(getattr(plugin, "__dict__", {}).items()):
            # Some module attributes answer any getattr; only the instance's own mark counts.
            if (mark := getattr(value, "__dict__", {}).get(_MARK)) is not None:
                models[name] = mark[0]
    return dict(sorted(models.items()))


class Gate:
    """The hooks of a run under ``--fairness``."""

    def __init__(self, config: pytest.Config) -> None:
        from fairness_checks.config import check_names, load_config

        _refuse_reruns(config)
        self._config = config
        self.path = _config_path(config)
        self.node_prefix = _node_prefix(config, self.path)
        models = discover_models(config, self.path) if self._conftest_is_loaded() else None
        try:
            self.limits: GateConfig = load_config(self.path, models)
        except ConfigurationError as error:
            raise pytest.UsageError(str(error)) from None
        if models is not None and (problems := check_names(self.limits, models)):
            raise pytest.UsageError("\n".join(problems))
        self._records: dict[str, dict[CheckKey, CheckRecord]] = {}
        config.stash[GATE] = self
        self._add_to_arguments()

    @property
    def settings(self) -> Settings:
        """The defaults of the file, with the burden of proof of the command line."""
        import dataclasses

        burden = self._config.getoption("fairness_burden")
        return dataclasses.replace(self.limits.settings, burden_of_proof=burden) if burden else self.limits.settings

    def _conftest_is_loaded(self) -> bool:
        """Say so; a conftest.py beside a file of limits elsewhere is loaded only when pytest collects there."""
        beside = self.path.parent / "conftest.py"
        return not beside.exists() or self._config.pluginmanager.has_plugin(str(beside))

    def _add_to_arguments(self) -> None:
        """Collect the file of limits too, unless it is named already or only single tests are asked for."""
        arguments = self._config.args
        paths = [self._config.invocation_params.dir / argument.split("::")[0] for argument in arguments]
        if self.path not in [path.resolve() for path in paths] and not all("::" in a for a in arguments):
            arguments.append(str(self.path))

    def pytest_report_header(self) -> list[str]:
        """Say seed, configuration, burden of proof and the models found."""
        models = discover_models(self._config, self.path)
        found = f"{len(models)} model{'' if len(models) == 1 else 's'} found{': ' if models else ''}{', '.join(models)}"
        if not self._conftest_is_loaded():
            found = f"models are looked for when {self.path.parent / 'conftest.py'} is collected"
        return [
            f"fairness: config {self.node_prefix}, seed {self.limits.seed}, "
            f"burden of proof {self.settings.burden_of_proof}",
            f"fairness: {found}",
        ]

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
        from fairness_checks.config import check_names
        from fairness_checks.config_messages import EXAMPLE
        from fairness_checks.plugin import is_fairness_test

        if problems := check_names(self.limits, discover_models(self._config, self.path)):
            raise _usage_error(self._config, "\n".join(problems))
        if not any(is_fairness_test(item) for item in items) and not session.testsfailed:
            raise _usage_error(
                self._config,
                f"{self.node_prefix}: no check was collected; write at least one, for instance\n\n{EXAMPLE}\n"
                f"or a test that uses the `fairness` fixture",
            )

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Refuse re-run marks, also those that a conftest adds to the tests collected."""
        for item in session.items:
            if any(item.get_closest_marker(name) for name in _RERUN_MARKS):
                message = (
                    f"{item.nodeid}: a test that is run again until it passes decides nothing; "
                    f"remove its re-run mark ({', '.join(_RERUN_MARKS)})"
                )
                raise _usage_error(self._config, message)

    def records(self, model: str, request: pytest.FixtureRequest) -> dict[CheckKey, CheckRecord]:
        """Evaluate a model once: all its checks together, whatever was selected, for they are adjusted together."""
        if model not in self._records:
            from fairness_checks.predictions import Predictions
            from fairness_checks.verdict import audit_model

            predictions = request.getfixturevalue(model)
            if not isinstance(predictions, Predictions):
                raise ConfigurationError(
                    f"the fixture returned {type(predictions).__name__}; return fairness_checks.Predictions"
                )
            declared = discover_models(self._config, self.path)[model] or ()
            for feature in declared:
                predictions.feature(feature)
            checks = [e.check for m in self.limits.models if m.name == model for e in m.checks]
            records = audit_model(model, predictions, checks, self.settings, self.limits.waivers)
            self._records[model] = {check.key: record for check, record in zip(checks, records, strict=True)}
        return self._records[model]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Give a test whose records are inconclusive or waived that outcome, located where its limit stands."""
        report = yield
        verdict = _outcome(item.stash.setdefault(RECORDS, []))
        if report.when == "call" and verdict in _STATUS and report.outcome != "failed":
            from fairness_checks.report.text import headline

            record = next(r for r in item.stash[RECORDS] if r.verdict == verdict)
            path, line, _ = item.reportinfo()
            report.outcome = "skipped"
            report.longrepr = (str(path), (line or 0) + 1, headline(record))
            report.user_properties.append(("fairness.outcome", verdict))
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(
        self, report: pytest.TestReport
    ) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
        """Count inconclusive and waived checks apart: never green."""
        outcome = dict(getattr(report, "user_properties", ())).get("fairness.outcome")
        if report.when != "call" or not report.skipped or outcome not in _STATUS:
            return None
        category, letter, word = _STATUS[str(outcome)]
        return category, letter, (word, {"yellow": True})


_RERUN_OPTIONS = ("reruns", "retries", "force_flaky")
_RERUN_MARKS = ("flaky",)


def _refuse_reruns(config: pytest.Config) -> None:
    for option in _RERUN_OPTIONS:
        try:
            value = config.getoption(option, None) or config.getini(option)
        except (ValueError, KeyError):  # no plugin has it
            value = config.getoption(option, None)
        if value and str(value) != "0":
            raise pytest.UsageError(
                f"--{option.replace('_', '-')} {value} cannot be combined with --fairness: "
                f"a check that is run again until it passes decides nothing"
            )


def _usage_error(config: pytest.Config, message: str) -> pytest.UsageError:
    """Return the error; a pytest-xdist worker also leaves it to the controller, which sees only that a worker ended."""
    if hasattr(config, "workeroutput"):
        config.workeroutput[USAGE_ERROR] = message
    return pytest.UsageError(message)


def _config_path(config: pytest.Config) -> Path:
    given = config.getoption("fairness_config")
    path = config.invocation_params.dir / given if given else config.rootpath / "thresholds.yaml"
    return path.resolve()


def _node_prefix(config: pytest.Config, path: Path) -> str:
    root = config.rootpath.resolve()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def _outcome(records: list[CheckRecord]) -> str | None:
    """Return the outcome of a test with several records: an unsettled one outweighs a waived one."""
    verdicts = {record.verdict for record in records}
    return next((verdict for verdict in ("fail", "inconclusive", "waived", "pass") if verdict in verdicts), None)


def _attach(item: pytest.Item, record: CheckRecord) -> None:
    """Keep a record with its test: in the stash for this process, as properties for JUnit and the controller."""
    from fairness_checks.report.junit import properties

    item.stash.setdefault(RECORDS, []).append(record)
    item.user_properties.extend(properties(record))


def fails(record: CheckRecord) -> bool:
    """Say whether a record must fail its test."""
    return record.verdict == "fail" or (record.verdict == "inconclusive" and record.burden_of_proof == "compliance")


def _failure(record: CheckRecord) -> str | None:
    """Return the text of a failing record; None for one that does not fail."""
    from fairness_checks.report.text import explanation, headline

    if fails(record):
        return "\n".join([headline(record), *explanation(record)])
    return None


class LimitsFile(pytest.File):
    """The file of limits: one test per check."""

    def collect(self) -> Iterator[pytest.Item]:
        """Yield the tests in the order of the file."""
        from fairness_checks.names import node_id

        for model in self.config.stash[GATE].limits.models:
            for entry in model.checks:
                yield CheckTest.from_parent(
                    self,
                    name=f"test_{entry.check.key[0]}[{node_id(model.name, entry.check)}]",
                    callobj=_run_check,
                    model=model.name,
                    check=entry.check,
                    line=entry.line,
                )


class CheckTest(pytest.Function):
    """One check of thresholds.yaml as a test that requests its model's fixture."""

    def __init__(self, *, model: str, check: Check, line: int, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.model, self.check, self.line = model, check, line
        self.add_marker("fairness")
        if hasattr(self, "_id"):  # pytest 9.2 keeps ids in parts, and --lf looks for those that the text parses to
            self._id = type(self._id).parse(self.nodeid)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Locate the test where its limit is written."""
        return self.path, self.line - 1, self.name


def record_of(request: pytest.FixtureRequest) -> CheckRecord:
    """Return the record of the check that is being run; an error of its model is an error of this test's set-up."""
    item = request.node
    try:
        return request.config.stash[GATE].records(item.model, request)[item.check.key]
    except FairnessError as error:
        pytest.fail(f"{item.model}: {error}", pytrace=False)


def _run_check(request: pytest.FixtureRequest, fairness_record: CheckRecord) -> None:
    _attach(request.node, fairness_record)
    if text := _failure(fairness_record):
        pytest.fail(text, pytrace=False)


class FairnessFixture:
    """The ``fairness`` fixture of hand-written tests."""

    def __init__(self, item: pytest.Item) -> None:
        self._item = item

    def audit(self, predictions: Any, **arguments: Any) -> CheckRecord:
        """Check predictions as `fairness_checks.audit` does, and let the test end with the verdict.

        A violation fails the test at once. An inconclusive verdict gives the test that outcome when it ends, or
        fails it at once where the burden of proof is compliance. Level, minimum group size and burden come from
        thresholds.yaml unless given.
        """
        __tracebackhide__ = True
        from fairness_checks.verdict import audit

        settings = self._item.config.stash[GATE].settings
        defaults = {
            "alpha": settings.alpha,
            "min_group_size": settings.min_group_size,
            "missing_sensitive": settings.missing_sensitive,
            "burden_of_proof": settings.burden_of_proof,
            "model": self._item.name,
        }
        record = audit(predictions, **(defaults | arguments))
        _attach(self._item, record)
        if text := _failure(record):
            pytest.fail(text)
        return record
