"""Kept results in one run: where they are, what of an earlier run was read, and that all that is read is said."""

# A run that writes a baseline reads nothing that is older than itself: its processes share a folder that it has made,
# and what they leave there takes the place of what was kept before.

from __future__ import annotations

import os
import shutil
import time
import uuid
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fairness_checks.plain import now
from fairness_checks.plugin.keys import SAID
from fairness_checks.plugin.suite import CheckTest

if TYPE_CHECKING:
    from fairness_checks.storage.cache import FittedCache

__all__ = ["CACHE_PROPERTY", "RUN_CACHE", "RunCache", "cache_directory"]

CACHE_PROPERTY = "fairness.cache"
"""Of a test case: what its verdict was read from instead of being computed in this run, or why nothing was kept."""

_INPUT = "fairness_cache"
_RUNS = "runs"  # folders of runs that write a baseline
_LEFT_SECONDS = 2 * 24 * 3600.0  # after which such a folder belongs to a run that was killed
_DATE = "%Y-%m-%dT%H:%M:%SZ"
_KEPT = frozenset({".entry", ".log"})


@dataclass(slots=True)
class _Fixture:
    """What a fixture has read, by name of the result with its date, and the fixtures that it needs."""

    read: dict[str, str] = field(default_factory=dict)
    needs: set[str] = field(default_factory=set)


class RunCache:
    """Where the results of one run are kept, and what of them it has read."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        given: Mapping[str, str] = getattr(config, "workerinput", {}).get(_INPUT, {})
        self._is_worker = hasattr(config, "workerinput")
        self._begun = given.get("begun", now())
        self._folder = given.get("folder", "")
        self._fixtures: dict[str, _Fixture] = {}
        self._setting_up: list[str] = []  # from the outermost on
        self._by_test: dict[str, str] = {}  # read by the test that runs, outside of fixtures
        self._of_models: dict[str, str | None] = {}
        self._said: dict[str, str] = {}  # by model or test, what it was read from, or why it was not kept
        config.stash[RUN_CACHE] = self

    @cached_property
    def _kept(self) -> Path | None:
        """The folder that outlives the run; None where there is none."""
        store = getattr(self._config, "cache", None)  # absent under -p no:cacheprovider
        if store is None or self._config.getoption("fairness_no_cache"):
            return None
        try:
            return Path(store.mkdir("fairness"))
        except OSError as error:
            self._said["nothing is kept"] = (
                f"{error.filename}: {error.strerror or error}; make it a folder that can be written, name another one "
                "with the ini key cache_dir, or use --fairness-no-cache"
            )
            return None

    @property
    def _updating(self) -> bool:
        return bool(self._config.getoption("fairness") and self._config.getoption("fairness_update_baseline"))

    @cached_property
    def directory(self) -> Path | None:
        """Where this run reads and writes; None where nothing is kept."""
        if self._folder:
            return Path(self._folder)
        if self._kept is None or not self._updating:
            return self._kept
        self._remove_leftovers(self._kept / _RUNS)
        return self._kept / _RUNS / uuid.uuid4().hex

    @staticmethod
    def _remove_leftovers(runs: Path) -> None:
        with suppress(OSError):
            for folder in list(runs.iterdir()):
                if time.time() - folder.stat().st_mtime > _LEFT_SECONDS:
                    shutil.rmtree(folder, ignore_errors=True)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker when the run began, and the folder that its processes share."""
        folder = str(self.directory) if self._updating and self.directory is not None else ""
        node.workerinput[_INPUT] = {"begun": self._begun, "folder": folder}

    def pytest_report_header(self) -> list[str]:
        """Say what may be read instead of being computed."""
        if self._config.getoption("fairness_no_cache"):
            return []
        if self._updating:
            return ["fairness: nothing that was kept is read: the baseline is written from what this run computes"]
        newest = None if self._kept is None else _newest(self._kept)
        if newest is None:
            return [f"fairness: {what}: {why}" for what, why in self._said.items()]
        return [f"fairness: results may be read from the cache, the latest of {newest}; --fairness-no-cache reads none"]

    def watch(self, cache: FittedCache) -> FittedCache:
        """Say from now on what is read from a cache that fixtures use."""
        cache.heard = self._hear
        return cache

    def _hear(self, name: str, date: str) -> None:
        """Remember what was read, with the fixture that is being set up; outside of any, with the test that runs."""
        read = self._fixtures[self._setting_up[-1]].read if self._setting_up else self._by_test
        read[name] = date

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Generator[None, object, object]:
        """Follow which fixture is set up, and for which others: all that use one have what it has read."""
        name = fixturedef.argname
        fixture = self._fixtures.setdefault(name, _Fixture())
        own = not str(getattr(fixturedef.func, "__module__", "")).startswith("_pytest.")
        fixture.needs.update(fixturedef.argnames if own else ())
        if self._setting_up:
            self._fixtures[self._setting_up[-1]].needs.add(name)
        self._setting_up.append(name)
        try:
            return (yield)
        finally:
            self._setting_up.pop()

    def _read_by(self, fixtures: Iterable[str]) -> dict[str, str]:
        """Return what fixtures and all that they need have read, whoever used them first."""
        read: dict[str, str] = {}
        met, todo = set[str](), list(fixtures)
        while todo:
            name = todo.pop()
            if name == "request":  # by which a fixture may get any other
                todo += self._fixtures.keys() - met
            if name not in met and name in self._fixtures:
                read |= self._fixtures[name].read
                todo += self._fixtures[name].needs
            met.add(name)
        return read

    def of_model(self, model: str, read: Mapping[str, str], not_kept: str | None, reads: Sequence[str]) -> None:
        """Remember what the evaluation of a model has read (names of results, with dates), or why nothing is kept."""
        # `reads` are names in its code of what reads files or the environment, undeclared.
        words = self._in_words({**self._read_by([model]), **self._by_test, **read})
        if words and read and reads:
            words += f" (its code names {', '.join(reads)}: what that reads is not seen; declare it by depends_on)"
        new = None if not_kept is None else f"computed in this run, and not kept: {not_kept}"
        self._of_models[model] = "; ".join(filter(None, (words, new))) or None

    def said_of(self, model: str) -> str | None:
        """Return what `of_model` was told, in words."""
        return self._of_models.get(model)

    def _in_words(self, read: Mapping[str, str]) -> str | None:
        """Return what was read of earlier runs; None where that is nothing."""
        known = now()  # what is later was written by another clock, not by this run
        older = {} if self._updating else {n: date for n, date in read.items() if date <= self._begun or date > known}
        if not older:
            return None
        return f"from the cache of {_readable(min(older.values()))}: {', '.join(sorted(older))}"

    @pytest.hookimpl(wrapper=True, trylast=True)  # before the gate writes the report's properties
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Add what a test was read from to its properties, for JUnit and the controller."""
        report = yield
        words = self._of_models.get(item.model) if isinstance(item, CheckTest) else None
        if words is None:
            named = [item.model] if isinstance(item, CheckTest) else getattr(item, "fixturenames", ())
            words = self._in_words(self._read_by(set(named) - {"request"}) | self._by_test)
        if report.when == "teardown":
            self._by_test.clear()
        if words is not None:
            said = item.stash.setdefault(SAID, [])
            said[:] = [*(each for each in said if each[0] != CACHE_PROPERTY), (CACHE_PROPERTY, words)]
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep what a test was read from, for the last lines."""
        if report.when != "call" and not report.failed:  # the call repeats it, and knows its model
            return
        said = dict(report.user_properties)
        if (words := said.get(CACHE_PROPERTY)) is not None and not self._is_worker:
            self._said[str(said.get("fairness.model", report.nodeid))] = str(words)

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Say what was read instead of being computed, and what was not kept."""
        if self._said:
            terminalreporter.section("fairness: kept results", sep="=")
            names: dict[str, list[str]] = {}  # by what is said of them, which is the same of many
            for name, words in sorted(self._said.items()):
                names.setdefault(words, []).append(name)
            for words, same in names.items():
                terminalreporter.line(f"{', '.join(same)}: {words}")

    def pytest_unconfigure(self) -> None:
        """Put what a run that wrote a baseline has computed in the place of what was kept before."""
        if self._is_worker or not self._updating or self.directory is None or self._kept is None:
            return
        with suppress(OSError):  # then the next run computes it again
            for path in [path for path in self.directory.rglob("*") if path.suffix in _KEPT]:
                target = self._kept / path.relative_to(self.directory)
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(path, target)  # noqa: PTH105  # says that it replaces
        shutil.rmtree(self.directory, ignore_errors=True)


RUN_CACHE: pytest.StashKey[RunCache] = pytest.StashKey()


def cache_directory(config: pytest.Config) -> Path | None:
    """Return the folder of fitted work; None where nothing is kept."""
    run = config.stash.get(RUN_CACHE, None)
    return (RunCache(config) if run is None else run).directory  # none yet in a plain run


def _newest(folder: Path) -> str | None:
    """Return when the newest of what is kept was written; None where nothing is."""
    times = []
    with suppress(OSError):
        for path in folder.rglob("*"):
            if path.suffix in _KEPT and _RUNS not in path.relative_to(folder).parts:
                with suppress(FileNotFoundError):  # another run has replaced it
                    times.append(path.stat().st_mtime)
    return _readable(datetime.fromtimestamp(max(times), UTC).strftime(_DATE)) if times else None


def _readable(date: str) -> str:
    return f"{date[:10]} {date[11:16]} UTC"
