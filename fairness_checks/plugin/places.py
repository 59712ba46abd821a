"""Where things lie: folders below the file of limits whose conftest.py holds its models, and files that were missed."""

# pytest lets a test see the fixtures of the conftest.py files beside and above it. The checks of a model that is
# defined in a folder below the file of limits, as in tests/conftest.py, are therefore collected as tests of that
# folder; their names stay those of the file.

from __future__ import annotations

import os
from collections.abc import Collection, Generator, Iterable, Iterator
from fnmatch import fnmatch
from glob import glob
from pathlib import Path

import pytest

__all__ = ["Places", "limits_files", "missed_models"]

_DEPTH = 3  # folders below the root in which something is looked for that was not found
_MOST_FOLDERS = 2000
_MOST_BYTES = 1 << 20
_NAMES = ("thresholds.yaml", "thresholds.yml")


class Places:
    """The folders below the file of limits that may hold its models, and pytest's nodes of those that do."""

    def __init__(self, config: pytest.Config, limits: Path) -> None:
        self._config, self._limits = config, limits
        self._nodes: dict[Path, pytest.Directory] = {}
        self._collected: set[Path] = set()

    def unloaded(self) -> list[Path]:
        """Return each conftest.py that a run of the whole project would load, and this one has not loaded yet."""
        root, top = self._config.rootpath, self._limits.parent
        named = (
            place
            for pattern in self._config.getini("testpaths")
            for place in glob(pattern, root_dir=root, recursive=True)  # noqa: PTH207  # Path takes no "."
        )
        folders = [*sorted(top.glob("test*")), *sorted((root / place).resolve() for place in named)]
        files = [folder / "conftest.py" for folder in dict.fromkeys(folders) if top in folder.parents]
        return [file for file in files if not self._config.pluginmanager.has_plugin(str(file)) and _declares(file)]

    def unread(self) -> list[str]:
        """Name the files of limits beside models that this run does not read: it reads one."""
        top = self._limits.parent
        near = (file for name in _NAMES for file in (top / name, *top.glob(f"test*/{name}")))
        return [str(file.relative_to(top)) for file in sorted(near) if file != self._limits and file.is_file()]

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collect_directory(self, path: Path) -> Generator[None, pytest.Collector | None, pytest.Collector | None]:
        """Keep to one node a folder: fixtures belong to nodes, and the checks of a model are collected in its own."""
        found = yield
        if isinstance(found, pytest.Directory) and self._limits.parent in path.parents:
            return self._nodes.setdefault(path, found)
        return found

    def node(self, folder: Path, top: pytest.Collector) -> pytest.Collector:
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


def missed_models(config: pytest.Config, limits: Path, names: Collection[str], loaded: Iterable[Path]) -> list[str]:
    """Say where models were looked for that were not found, and where each seems to be, with the remedy."""
    found = _files_with(config, limits.parent, names)
    if config.rootpath in limits.parents:
        found = _files_with(config, config.rootpath, [name for name in names if name not in found]) | found
    lines = []
    for file in dict.fromkeys(found.values()):
        there = [name for name in names if found.get(name) == file]
        seem = "seems" if len(there) == 1 else "seem"
        lines.append(f"{', '.join(there)} {seem} to be in {_shown(config, file)}: {_remedy(config, limits, file)}")
    looked = ", ".join(_shown(config, file) for file in loaded) or "no conftest.py was loaded"
    return lines or [f"looked in plugins and in: {looked}"]


def _remedy(config: pytest.Config, limits: Path, file: Path) -> str:
    """Say how a model is found that seems to be in a file."""
    if file.name != "conftest.py":
        return "move it to a conftest.py, where every test finds it"
    if limits.parent not in file.parents:
        folder = _shown(config, Path(os.path.commonpath([file.parent, limits.parent])))
        return f"{limits.name} sees a conftest.py beside, above or below it; move it to {folder}, or that one"
    return f"run pytest with {file.parent} among its paths"


def _shown(config: pytest.Config, path: Path) -> str:
    root = config.rootpath
    if path == root:
        return "pytest's root directory"
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def _files_with(config: pytest.Config, top: Path, names: Collection[str]) -> dict[str, Path]:
    """Return, by name, a conftest.py or a test module below a folder that seems to define a model of it."""
    found: dict[str, Path] = {}
    for folder in _folders(config, top):
        for file in [folder / "conftest.py", *sorted(folder.glob("test_*.py"))]:
            if not _declares(file):
                continue
            text = file.read_bytes()[:_MOST_BYTES].decode("utf-8", "replace")
            for name in names:
                if "fairness_model" in text and f"def {name}(" in text:
                    found.setdefault(name, file)
    return found


def limits_files(config: pytest.Config) -> list[Path]:
    """Return files of limits that lie elsewhere than where they are looked for: below the root, and above it."""
    root, here = config.rootpath, config.invocation_params.dir
    repository = next((folder for folder in (root, *root.parents) if (folder / ".git").exists()), root)
    below = [folder / name for top in (root, repository) for folder in _folders(config, top) for name in _NAMES]
    above = [folder / name for folder in (here, *here.parents) for name in _NAMES if repository in folder.parents]
    beside = [folder / name for folder in (*root.parents[:1], *here.parents[:1]) for name in _NAMES]
    return list(dict.fromkeys(path.resolve() for path in (*below, *above, *beside) if path.is_file()))


def _folders(config: pytest.Config, top: Path) -> Iterator[Path]:
    """Yield a folder and those below it, but for those that pytest would not look into."""
    skipped = [*config.getini("norecursedirs"), "site-packages"]
    for count, (folder, names, _) in enumerate(os.walk(top)):
        if count == _MOST_FOLDERS:
            return
        deep = len(Path(folder).relative_to(top).parts) >= _DEPTH
        names[:] = [] if deep else sorted(n for n in names if not any(fnmatch(n, pattern) for pattern in skipped))
        yield Path(folder)
