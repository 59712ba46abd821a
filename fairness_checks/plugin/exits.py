"""The last word on a run under ``pytest --fairness``: exit code 0 only where its ledger was closed in order."""

# A conftest.py or a plugin can end a run, or change its exit code, before and after every check has been judged. What
# it cannot do is speak after `LastWords`, which is registered once all conftest.py files of the start have been read
# and so stands outside every other hook. Nothing stops os._exit(0), or code that patches pytest or this package.

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING

import pytest

from fairness_checks.plugin.given_files import limits_path
from fairness_checks.question.exit_codes import exit_code_of_unsettled
from fairness_checks.report.formats import FILENAME

if TYPE_CHECKING:
    from fairness_checks.plugin.xdist import Ledger

__all__ = [
    "DESCRIBES",
    "LAST_WORDS",
    "RUNS_NOTHING",
    "Artefacts",
    "EvidenceFiles",
    "LastWords",
    "end_unread",
    "report_folder",
    "unsettled_exit",
]

DESCRIBES = {
    "help": "--help",
    "version": "--version",
    "markers": "--markers",
    "cacheshow": "--cache-show",
    "showfixtures": "--fixtures",
}
"""Options of pytest that only describe something, by the name of their value: no gate is opened for them."""

RUNS_NOTHING = DESCRIBES | {
    "show_fixtures_per_test": "--fixtures-per-test",
    "collectonly": "--collect-only",
    "setupplan": "--setup-plan",
    "setuponly": "--setup-only",
}
"""Options under which no test is run: such a run judges nothing, and ends as without the gate."""


_SELECTS = {
    "keyword": "-k",
    "markexpr": "-m",
    "deselect": "--deselect",
    "lf": "--lf",
    "fairness_config": "--fairness-config",
    "fairness_burden": "--fairness-burden",
    "fairness_update_baseline": "--fairness-update-baseline",
}
"""Options that say what is judged and by what: a conftest.py that sets one takes checks away where nobody reads it."""


LAST_WORDS: pytest.StashKey[LastWords] = pytest.StashKey()


class JUnitFile:
    """The JUnit file of a run: what an earlier run left, or in which nothing failed, must not stand for a red one."""

    def __init__(self, given: str) -> None:
        self._path = Path(os.path.expandvars(given)).expanduser().absolute()  # as pytest does
        self._before = self._state()

    def _state(self) -> tuple[int, int] | None:
        return _state_of(self._path)

    def begin(self) -> None:
        """Let a run that is killed leave a red file: pytest writes its own when the run ends."""
        if self._before is not None or not self._path.exists():
            self.end_red(_KILLED)
            self._before = self._state()

    def end_red(self, why: str) -> None:
        """Add why a run ended, as a test in error, to a file that says of nothing that it failed."""
        from fairness_checks.plugin.junit import with_error
        from fairness_checks.storage.files import read_regular, write_atomically

        if self._path.exists() and not self._path.is_file():  # a terminal, /dev/null
            return
        written = (now := self._state()) is not None and now != self._before
        try:
            old = read_regular(self._path) if written else None
            if (new := with_error(old, why)) is not None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(self._path, new)
        except (OSError, ValueError) as error:
            sys.stderr.write(f"ERROR: fairness: {self._path}: this red run could not be written there: {error}\n")


_KILLED = "the run did not come to its end: it was killed"


class EvidenceFiles:
    """The evidence of a run: that of an earlier one, or of a green end, must not stand for a red one, in any form."""

    def __init__(self, folder: Path) -> None:
        from fairness_checks.report.formats import FORMATS

        self._folder = folder
        files = [form.file for form in FORMATS.values() if form.in_folder]
        self._before = {folder / file: _state_of(folder / file) for file in files}

    def end_red(self) -> None:
        """Remove what an earlier run left; mark as incomplete what says that this one was green."""
        for path, before in self._before.items():
            if before is not None and _state_of(path) == before:
                self._mend(path.unlink, path)
        self._mend(self._mark, self._folder / FILENAME)

    def _mark(self) -> None:
        from fairness_checks.report.evidence import as_incomplete
        from fairness_checks.report.formats import folder_files
        from fairness_checks.storage.files import read_regular

        path = self._folder / FILENAME
        if _state_of(path) is not None and (red := as_incomplete(read_regular(path).decode("utf-8"))) is not None:
            for name, content in folder_files(red):  # one that cannot be written keeps no other from it
                self._mend(partial(_replace, self._folder / name, content), self._folder / name)

    @staticmethod
    def _mend(mend: Callable[[], None], path: Path) -> None:
        from fairness_checks.errors import EvidenceError

        try:
            mend()
        except (OSError, ValueError, EvidenceError) as error:
            sys.stderr.write(f"ERROR: fairness: {path}: is not of this red run, and stays: {error}\n")


def _replace(path: Path, content: bytes) -> None:
    """Write a file; where that fails, as on a full disk, remove what stands there."""
    from fairness_checks.storage.files import write_atomically

    try:
        write_atomically(path, content)
    except OSError:
        path.unlink(missing_ok=True)


def _state_of(path: Path) -> tuple[int, int] | None:
    try:
        there = path.stat()
    except OSError:
        return None
    return (there.st_ino, there.st_mtime_ns) if S_ISREG(there.st_mode) else None


def report_folder(config: pytest.Config) -> Path | None:
    """Return the folder of the evidence; None where none was asked for."""
    given: str | None = getattr(config.known_args_namespace, "fairness_report", None)
    if not (folder := given or config.getini("fairness_report")):
        return None
    return (config.invocation_params.dir if given else config.rootpath) / folder


def unsettled_exit(config: pytest.Config) -> int | None:
    """Return that exit code as the command line or the ini file has it; None where it is 0, as for a proven pass."""
    given: int | None = getattr(config.known_args_namespace, "fairness_unsettled_exit", None)
    if given is not None or not (text := config.getini("fairness_unsettled_exit")):
        return given
    try:
        return exit_code_of_unsettled(str(text))
    except argparse.ArgumentTypeError as error:
        raise pytest.UsageError(f"fairness_unsettled_exit: {error}") from None


def end_unread(config: pytest.Config, arguments: Sequence[str]) -> None:
    """See that the reports of a run are red whose command line could not be read: no other hook is called then."""
    words = config.stash.get(LAST_WORDS, None)
    describes = {*DESCRIBES.values(), "-h", "-V"} & {*arguments}
    if describes or os.environ.get("PYTEST_XDIST_WORKER") or (words is not None and words.said):
        return
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--fairness-report", action="append", default=[], nargs="?")  # its value may be what lacks
    parser.add_argument("--junitxml", "--junit-xml", action="append", default=[])
    with suppress(argparse.ArgumentError):
        given, _ = parser.parse_known_args(arguments)
        here = config.invocation_params.dir
        folders = [here / folder for folder in given.fairness_report if folder is not None]
        if not folders and (folder := config.getini("fairness_report")):
            folders = [config.rootpath / folder]
        for folder in folders:
            EvidenceFiles(folder).end_red()
        for path in given.junitxml:
            JUnitFile(path).end_red("the command line could not be read")


class LastWords:
    """Turns a green exit into a failure unless the ledger was closed in order."""

    # Made before any conftest.py is read: no option given there can make a run pass for one that runs nothing.

    def __init__(self, config: pytest.Config) -> None:
        options = config.known_args_namespace
        given = [option for name, option in RUNS_NOTHING.items() if getattr(options, name, None)]
        self.runs_nothing: str | None = given[0] if given else None
        self.opens_no_gate = any(getattr(options, name, None) for name in DESCRIBES)
        self._selected = _selection(options)
        self.unsettled_exit = unsettled_exit(config)
        self.limits = limits_path(config, options)
        self.files: dict[str, str] = {} if self.opens_no_gate else _files(self.limits, options)
        """Digests of the files that decide, before any conftest.py was read."""
        self.ledger: Ledger | None = None
        self.tells: Callable[[int], None] | None = None
        """What is told the exit code, once it is known."""
        self.arguments: list[str] | None = None  # those of the command line, once it has been read
        self.said = False  # whether it began, or its reports say why it did not
        self._finished = False
        reports = not (self.runs_nothing or hasattr(config, "workerinput"))
        self._junit = JUnitFile(options.xmlpath) if reports and getattr(options, "xmlpath", None) else None
        folder = report_folder(config) if reports else None
        self._evidence = None if folder is None else EvidenceFiles(folder)

    @contextmanager
    def seeing_exits(self, place: str) -> Generator[None]:
        """Let no ``sys.exit(0)`` leave the block."""
        try:
            yield
        except SystemExit as leaving:
            self._end_red(f"sys.exit({leaving.code or 0}) was called {place}")
            if self._is_red(leaving.code) or self.runs_nothing:
                raise
            _say(f"sys.exit({leaving.code or 0}) was called {place}")
            raise SystemExit(int(pytest.ExitCode.TESTS_FAILED)) from leaving
        except BaseException as error:
            self._end_red(str(error) or type(error).__name__)
            raise

    def _end_red(self, why: str) -> None:
        """See that the JUnit file and the evidence of a red run are red."""
        self.said = True
        if self._junit is not None:
            self._junit.end_red(why)
        if self._evidence is not None:
            self._evidence.end_red()

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        """See that a run that is killed leaves no green report of an earlier one."""
        if self._junit is not None:
            self._junit.begin()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self) -> Generator[None, object, object]:
        """See that every report was written; `pytest.exit` in another hook ends the writing."""
        result = yield
        self._finished = True
        return result

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> Generator[None, object, object]:
        """Return the exit code of the run, or 1 for a green one that was not in order, and tell it."""
        code = yield from self._last_code(config)
        if self.tells is not None and self.runs_nothing is None and not hasattr(config, "workerinput"):
            self.tells(int(code) if isinstance(code, int) else 1)
        return code

    def _last_code(self, config: pytest.Config) -> Generator[None, object, object]:
        self.arguments, self.said = list(config.args), True
        try:
            code = yield
        except SystemExit as leaving:
            disorder = self._disorder(config)
            if self._is_red(leaving.code) or disorder is None:
                if self._is_red(leaving.code):
                    self._end_red(disorder or f"sys.exit({leaving.code}) was called")
                raise
            code, disorder = pytest.ExitCode.OK, f"sys.exit({leaving.code or 0}) was called; {disorder}"
        except BaseException as error:
            self._end_red(str(error) or type(error).__name__)
            raise
        else:
            disorder = self._disorder(config)
        if self._is_red(code):
            self._end_red(disorder or f"the run ended with exit code {code}")
            return code
        if disorder is None:
            return self._unsettled(code)
        self._end_red(disorder)
        _say(disorder)
        return pytest.ExitCode.TESTS_FAILED

    def _unsettled(self, code: object) -> object:
        """Return the exit code of a run in which nothing failed: another than 0 where one was asked for."""
        # Last of all: pytest prints no summary and reporters write no report for a code that they do not know.
        if self.unsettled_exit is None or self.ledger is None or not (unsettled := self.ledger.unsettled):
            return code
        more = f", and {len(unsettled) - 1} more" if len(unsettled) > 1 else ""
        sys.stderr.write(
            f"fairness: exit code {self.unsettled_exit}: nothing failed, not settled: {unsettled[0]}{more}\n"
        )
        return self.unsettled_exit

    def _disorder(self, config: pytest.Config) -> str | None:
        """Say why the run may not be green; a worker of pytest-xdist tells its controller instead."""
        if self.runs_nothing or hasattr(config, "workerinput"):
            return None
        if self.ledger is None:
            return "the run ended before the gate was opened: nothing was judged"
        for name, value in _selection(config.option).items():
            if value != self._selected[name]:
                return (
                    f"{_SELECTS[name]} became {value or None!r} after the command line was read, by a conftest.py or a "
                    "plugin; give it on the command line or in addopts"
                )
        return self.ledger.disorder or (None if self._finished else "the run ended before its reports were written")

    @staticmethod
    def _is_red(code: object) -> bool:
        """Say whether the shell would see a failure: it is given the last eight bits of a number."""
        return code is not None and (code % 256 != 0 if isinstance(code, int) else code != 0)


def _selection(options: argparse.Namespace) -> dict[str, object]:
    """Return what the options select, as it is now: a list may be added to later."""
    values = {name: getattr(options, name, None) for name in _SELECTS}
    return {name: list(value) if isinstance(value, list) else value for name, value in values.items()}


def _files(path: Path, options: argparse.Namespace) -> dict[str, str]:
    from fairness_checks.plugin.given_files import digests_of

    return digests_of(path, updating=bool(getattr(options, "fairness_update_baseline", False)))


class Artefacts:
    """Says in one line that a report of the run could not be written, and has the summary printed all the same."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, object, object]:
        """End red where the file of JUnit, or of another reporter, meets a full disk or a folder that is not there."""
        try:
            return (yield)
        except OSError as error:
            place = error.filename or session.config.getoption("xmlpath", None) or "a report"
            self._ledger.unwritten = f"{place}: a report was not written: {error.strerror or error}"
            sys.stderr.write(f"ERROR: fairness: {self._ledger.unwritten}\n")
            if session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
                session.exitstatus = pytest.ExitCode.TESTS_FAILED
            return None


def _say(disorder: str) -> None:
    """Write to the terminal itself: pytest's own reporter may not exist yet, or any more."""
    sys.stderr.write(f"ERROR: fairness: exit code 0 became 1: {disorder}\n")
