"""Where things lie: the file of limits, and the folders below it whose conftest.py holds its models."""

# pytest lets a test see the fixtures of the conftest.py files beside and above it. The checks of a model that is
# defined in a folder below the file of limits, as in tests/conftest.py, are therefore collected as tests of that
# folder; their names stay those of the file.

from __future__ import annotations

from collections.abc import Collection, Generator
from glob import glob
from pathlib import Path

import pytest

from fairness_checks.errors import ConfigurationError
from fairness_checks.plugin.discovery import BelowModel, discover_models, models_below
from fairness_checks.plugin.missed import LIMITS_NAMES

__all__ = ["Places"]

_MOST_BYTES = 1 << 20


class Places:
    """The folders below the file of limits that may hold its models, and pytest's nodes of those that do."""

    def __init__(self, config: pytest.Config, limits: Path) -> None:
        self._config, self._limits = config, limits
        self._nodes: dict[Path, pytest.Directory] = {}
        self._collected: set[Path] = set()

    @property
    def node_prefix(self) -> str:
        """What node ids call the file of limits."""
        root, path = self._config.rootpath.resolve(), self._limits
        return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)

    def models(self) -> dict[str, tuple[str, ...] | None]:
        """Return all models that a check can name, with the features that they declare."""
        below = {name: model.declared for name, model in models_below(self._config, self._limits).items()}
        return dict(sorted((discover_models(self._config, self._limits) | below).items()))

    def models_below(self, named: Collection[str]) -> dict[str, BelowModel]:
        """Return the models in folders below the file of limits that it names; ConfigurationError for two of a name."""
        below = models_below(self._config, self._limits, named)
        return {name: model for name, model in below.items() if name in named}

    def parent_of(self, model: str, file: pytest.Collector, named: Collection[str]) -> pytest.Collector:
        """Return the node whose tests see a model's fixture: `file`, or the same in the model's folder."""
        above = file.parent
        if above is None or model in discover_models(self._config, self._limits):
            return file
        for conftest in self._unloaded():
            self._node(conftest.parent, above)
        try:
            placed = self.models_below(named).get(model)
        except ConfigurationError as error:
            raise file.CollectError(str(error)) from None
        if placed is None:
            return file
        parent = self._node(placed.folder, above)
        return type(file).from_parent(parent, path=self._limits, nodeid=file.nodeid)

    def awaited(self) -> list[Path]:
        """Return each conftest.py of which models are expected, and that is loaded only when pytest collects there."""
        beside = self._limits.parent / "conftest.py"
        if beside.exists() and not self._config.pluginmanager.has_plugin(str(beside)):
            return [beside]
        return self._unloaded()

    def too_late(self, problems: str) -> str:
        """Say where a metric may be that was not found, in a conftest.py that is loaded later."""
        if "@fairness_metric" not in problems:
            return ""
        file = self.awaited()[0]
        return (
            f"\nmetrics are looked for before {file} is loaded; run pytest with {file.parent} among its "
            "paths, or register them in a plugin"
        )

    def all_collected(self) -> bool:
        """Say whether the given paths hold all places that may hold tests."""
        root, here = self._config.rootpath.resolve(), self._config.invocation_params.dir
        places = self._testpaths(root) or [root]
        given = [(here / argument).resolve() for argument in self._config.args]
        return all(any(place.resolve().is_relative_to(path) for path in given) for place in places)

    def _testpaths(self, root: Path) -> list[Path]:
        patterns = self._config.getini("testpaths")
        found = (place for pattern in patterns for place in glob(pattern, root_dir=root, recursive=True))  # noqa: PTH207  # Path takes no "."
        return [root / place for place in found]

    def _unloaded(self) -> list[Path]:
        """Return each conftest.py that a run of the whole project would load, and this one has not loaded yet."""
        top = self._limits.parent
        named = sorted(place.resolve() for place in self._testpaths(self._config.rootpath))
        folders = [*sorted(top.glob("test*")), *named]
        files = [folder / "conftest.py" for folder in dict.fromkeys(folders) if top in folder.parents]
        return [file for file in files if not self._config.pluginmanager.has_plugin(str(file)) and _declares(file)]

    def unread(self) -> list[str]:
        """Name the files of limits beside models that this run does not read: it reads one."""
        top = self._limits.parent
        near = (file for name in LIMITS_NAMES for file in (top / name, *top.glob(f"test*/{name}")))
        return [str(file.relative_to(top)) for file in sorted(near) if file != self._limits and file.is_file()]

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collect_directory(self, path: Path) -> Generator[None, pytest.Collector | None, pytest.Collector | None]:
        """Keep to one node a folder: fixtures belong to nodes, and the checks of a model are collected in its own."""
        found = yield
        if isinstance(found, pytest.Directory) and self._limits.parent in path.parents:
            return self._nodes.setdefault(path, found)
        return found

    def _node(self, folder: Path, top: pytest.Collector) -> pytest.Collector:
        """Return the node of a folder below that of the file, its conftest.py loaded; `top` is the file's own."""
        parent, place = top, self._limits.parent
        for name in folder.relative_to(place).parts:
            place = place / name
            if place not in self._nodes:
                parent.ihook.pytest_collect_directory(path=place, parent=parent)
            if place not in self._nodes:  # something ignores it: what is missing is said later
                return parent
            parent = self._nodes[place]
            if place not in self._collected:
                self._collected.add(place)
                parent.ihook.pytest_make_collect_report(collector=parent)
        return parent


def _declares(file: Path) -> bool:
    """Say whether a file of Python may declare a model or a metric."""
    try:
        with file.open("rb") as opened:
            return b"fairness_" in opened.read(_MOST_BYTES)
    except OSError:
        return False
