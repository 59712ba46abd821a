"""The pytest plugin: options, marker and fixtures. With ``--fairness`` off it imports nothing and prints nothing."""

# What runs under `--fairness` is in `gate` (the hooks), `suite` (the tests), `xdist` (every check that was expected
# must report, on any number of workers) and `exits` (no other exit is green).

from __future__ import annotations

import argparse
from collections.abc import Generator
from functools import partial
from typing import TYPE_CHECKING

import pytest

from fairness_checks.plugin.selection import is_fairness_test

if TYPE_CHECKING:
    from fairness_checks.plugin.exits import LastWords
    from fairness_checks.plugin.suite import FairnessFixture
    from fairness_checks.records.check_record import CheckRecord
    from fairness_checks.storage.cache import FittedCache

_NOT_RUN = pytest.StashKey[int]()


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Add the options; all are prefixed."""
    if (config := pluginmanager.get_plugin("pytestconfig")) is not None:
        config.add_cleanup(partial(_see_that_it_began, config))  # runs also where the command line cannot be read
    group = parser.getgroup("fairness", "fairness gate")
    group.addoption(
        "--fairness",
        action="store_true",
        help="run the fairness gate: the checks of thresholds.yaml and the tests with the `fairness` fixture or mark",
    )
    group.addoption(
        "--fairness-config",
        metavar="PATH",
        help="the file of limits (default: the ini key fairness_config, or thresholds.yaml in the root directory)",
    )
    parser.addini("fairness_config", "the file of limits, as --fairness-config; from the root directory", default="")
    group.addoption(
        "--fairness-burden",
        choices=("violation", "compliance"),
        help="override burden_of_proof: `violation` fails what is proved to exceed its limit, "
        "`compliance` fails also what is not proved to keep it",
    )
    group.addoption(
        "--fairness-jobs",
        metavar="N",
        type=_jobs,
        help="most trainings at a time, where that is faster; changes no number (default: one a core, 8 at most)",
    )
    group.addoption(
        "--fairness-device",
        choices=("auto", "cpu", "cuda"),
        default="auto",
        help="where models that ask the fixture `fairness_device` compute (default: auto, CUDA where there is one)",
    )
    group.addoption(
        "--fairness-update-baseline",
        action="store_true",
        help="write what ran and passed, or was waived, to fairness-baseline.json beside the file of limits",
    )
    group.addoption(
        "--fairness-report",
        metavar="DIR",
        help="write report.html and evidence.json to this folder: with the latter `fairness-checks verify` judges the "
        "run again, without its models and its patients (also as the ini key fairness_report)",
    )
    parser.addini("fairness_report", "folder for the evidence of a run, as --fairness-report", default="")
    _add_unsettled_exit(parser, group)
    group.addoption(
        "--fairness-junit-strict",
        action="store_true",
        help="in the JUnit file, keep properties of the suite alone: Jenkins' schema has none in a test case",
    )
    group.addoption(
        "--fairness-no-cache",
        action="store_true",
        help="fit every model again: read and keep nothing",
    )


def _add_unsettled_exit(parser: pytest.Parser, group: pytest.OptionGroup) -> None:
    group.addoption(
        "--fairness-unsettled-exit",
        metavar="CODE",
        type=_unsettled_exit,
        help="exit code, 6 to 255, where nothing failed and something is not settled: a check is inconclusive, or a "
        "fairness test was skipped (default: 0; also as the ini key fairness_unsettled_exit)",
    )
    parser.addini("fairness_unsettled_exit", "exit code of a run as --fairness-unsettled-exit", default="")


def _see_that_it_began(config: pytest.Config) -> None:
    """See that a run whose command line cannot be read leaves no report of an earlier one."""
    arguments = [*config.getini("addopts"), *map(str, config.invocation_params.args)]
    if "--fairness" in arguments:
        from fairness_checks.plugin.exits import end_unread

        end_unread(config, arguments)


def _jobs(text: str) -> int:
    """Read a number of jobs; argparse turns the error into a usage error."""
    try:
        jobs = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number; give 2, for instance") from None
    if jobs == 0:
        raise argparse.ArgumentTypeError("0 jobs would train nothing; give 1 or more, or -1 for one a core")
    return jobs


def _unsettled_exit(text: str) -> int:
    from fairness_checks.question.exit_codes import exit_code_of_unsettled

    return exit_code_of_unsettled(text)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, object, object]:
    """See an exit at the import of a conftest.py; what comes later, the last words see."""
    if not getattr(early_config.known_args_namespace, "fairness", False):
        return (yield)
    words = _last_words(early_config)
    with words.seeing_exits("at the import of a conftest.py"):
        result = yield
    _register(early_config, words, "fairness-last-words")  # now, outside the hooks of every conftest.py
    return result


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> Generator[None, object, object]:
    """Have the last word also where a conftest.py brought the plugin, too late for the hook above."""
    if not config.getoption("fairness") or config.pluginmanager.has_plugin("fairness-last-words"):
        return (yield)
    return (yield from _last_words(config).pytest_cmdline_main(config))


def _refuse_idle_options(config: pytest.Config) -> None:
    """Refuse options of the gate without the gate, which judge nothing in a green run; in an ini file they wait."""
    idle = [text for text in map(str, config.invocation_params.args) if text.startswith("--fairness-")]
    if idle:
        raise pytest.UsageError(f"{idle[0]}: does nothing without --fairness, which runs the gate: add --fairness")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker; start the gate where it is asked for."""
    config.addinivalue_line("markers", "fairness: a hand-written fairness check; runs only under --fairness")
    if not config.getoption("fairness"):
        _refuse_idle_options(config)
        return
    words = _last_words(config)
    if words.opens_no_gate:
        return
    from fairness_checks.plugin.exits import Artefacts, report_folder
    from fairness_checks.plugin.gate import Gate
    from fairness_checks.plugin.github import GithubActions, in_github_actions
    from fairness_checks.plugin.hand_written import HandWritten
    from fairness_checks.plugin.run_cache import RunCache
    from fairness_checks.plugin.run_document import RunDocument
    from fairness_checks.plugin.scratch import Scratch
    from fairness_checks.plugin.xdist import Ledger

    gate = Gate(config, words)
    words.ledger = ledger = Ledger(config, gate.node_prefix, words.runs_nothing, gate.rewritten)
    _register(config, gate, "fairness-gate")
    _register(config, gate.places, "fairness-places")
    _register(config, ledger, "fairness-ledger")
    _register(config, Artefacts(ledger), "fairness-artefacts")
    document = RunDocument(config, ledger, words.unsettled_exit)
    _register(config, document, "fairness-document")
    if (folder := report_folder(config)) is not None:
        from fairness_checks.plugin.evidence import EvidenceOfRun
        from fairness_checks.plugin.keys import EVIDENCE

        evidence = EvidenceOfRun(config, ledger, folder, words, document)
        config.stash[EVIDENCE] = evidence.leave
        _register(config, evidence, "fairness-evidence")
    if in_github_actions():
        words.tells = GithubActions(config, ledger, document).tell
    _register(config, RunCache(config), "fairness-cache")
    _register(config, HandWritten(), "fairness-hand-written")
    _register(config, Scratch(config), "fairness-scratch")


def _last_words(config: pytest.Config) -> LastWords:
    from fairness_checks.plugin.exits import LAST_WORDS, LastWords

    if LAST_WORDS not in config.stash:
        config.stash[LAST_WORDS] = LastWords(config)
    return config.stash[LAST_WORDS]


def _register(config: pytest.Config, hooks: object, name: str) -> None:
    if config.pluginmanager.register(hooks, name) is None:
        raise pytest.UsageError(f"-p no:{name} cannot be combined with --fairness: nothing would be judged")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run either the gate or the project's tests, never both."""
    wanted = bool(config.getoption("fairness"))
    others = [item for item in items if is_fairness_test(item) != wanted]
    if others:
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if is_fairness_test(item) == wanted]
    config.stash[_NOT_RUN] = 0 if wanted else len(others)


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    """Say how many fairness tests a plain run leaves out; silent where there are none."""
    count = config.stash.get(_NOT_RUN, 0)
    tests = "test needs" if count == 1 else "tests need"
    return [f"fairness: {count} {tests} --fairness and {'is' if count == 1 else 'are'} not run"] if count else []


@pytest.fixture
def fairness(request: pytest.FixtureRequest) -> FairnessFixture:
    """Give hand-written tests ``fairness.audit(predictions, metric=..., by=..., max_difference=...)``."""
    from fairness_checks.plugin.suite import FairnessFixture

    if not is_fairness_test(request.node):
        pytest.fail(
            f"{request.node.nodeid} asks for `fairness` by getfixturevalue, so that pytest does not know that it is a "
            "fairness test, and --fairness does not run it; take the fixture as an argument, or mark the test with "
            "@pytest.mark.fairness",
            pytrace=False,
        )
    return FairnessFixture(request.node)


@pytest.fixture
def fairness_record(request: pytest.FixtureRequest) -> CheckRecord:
    """Return the record of the check of thresholds.yaml that is being run; nothing for hand-written tests."""
    from fairness_checks.plugin.suite import record_of

    return record_of(request)


@pytest.fixture
def fairness_waiver(request: pytest.FixtureRequest) -> str | None:
    """Return what is wrong with the waiver of thresholds.yaml that is being run; None where it is in order."""
    from fairness_checks.plugin.suite import waiver_problem_of

    return waiver_problem_of(request)


@pytest.fixture(scope="session")
def fairness_device(pytestconfig: pytest.Config) -> str:
    """Device that torch computes on, "cpu" or "cuda": what ``--fairness-device`` says."""
    from fairness_checks.adapters.devices import resolve_device

    return resolve_device(pytestconfig.getoption("fairness_device"))


@pytest.fixture(scope="session")
def fairness_cache(pytestconfig: pytest.Config) -> FittedCache:
    """Fitted work that survives the run: a `fairness_checks.FittedCache` in pytest's cache directory."""
    from fairness_checks.plugin.run_cache import RUN_CACHE, cache_directory
    from fairness_checks.storage.cache import FittedCache

    cache = FittedCache(cache_directory(pytestconfig))
    return pytestconfig.stash[RUN_CACHE].watch(cache)
