"""What was looked for and not found, a model or the file of limits: where it seems to be, and the remedy."""

from __future__ import annotations

import ast
import inspect
import os
from collections.abc import Collection, Iterable, Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

import pytest

__all__ = ["LIMITS_NAMES", "limits_files", "missed_models"]

LIMITS_NAMES = ("thresholds.yaml", "thresholds.yml")
_DEPTH = 3  # folders below the root in which something is looked for that was not found
_MOST_FOLDERS = 2000
_MOST_BYTES = 1 << 20


class _Found(NamedTuple):
    """Where a function stands that has the name of a model."""

    file: Path
    line: int  # of its first decorator, else its own
    text: str  # what stands there
    decorated: bool  # with @fairness_model
    is_fixture: bool


def missed_models(config: pytest.Config, limits: Path, names: Collection[str], loaded: Iterable[Path]) -> list[str]:
    """Say where models were looked for that were not found, and where each seems to be, with the remedy."""
    loaded = list(loaded)
    found = _functions(_loaded_files(config, names), names)
    tops = [limits.parent, *([config.rootpath] if config.rootpath in limits.parents else [])]
    for top in tops:
        left = [name for name in names if name not in found]
        found |= _functions(_files(config, top), left) if left else {}
    lines = []
    for file in dict.fromkeys(each.file for each in found.values() if each.decorated):
        there = [name for name, each in found.items() if each.file == file and each.decorated]
        seem = "seems" if len(there) == 1 else "seem"
        lines.append(f"{', '.join(there)} {seem} to be in {_shown(config, file)}: {_remedy(config, limits, file)}")
    bare = {name: each for name, each in found.items() if not each.decorated}
    lines += [_undecorated(config, limits, name, each, loaded) for name, each in list(bare.items())[:_SHOWN]]
    lines += [f"... and {len(bare) - _SHOWN} more that lack @fairness_model"] if len(bare) > _SHOWN else []
    looked = ", ".join(_shown(config, file) for file in loaded) or "no conftest.py was loaded"
    return lines or [f"looked in plugins and in: {looked}"]


_SHOWN = 3


def _undecorated(config: pytest.Config, limits: Path, name: str, found: _Found, loaded: Collection[Path]) -> str:
    """Say that a function of a model's name is there and no model, and what to write."""
    what = f"a {'fixture' if found.is_fixture else 'function'} that lacks @fairness_model"
    place = "in the place of" if found.text.startswith("@") and found.is_fixture else "above"
    seen = found.file in loaded or "site-packages" in found.file.parts
    then = "" if seen else f"; then {_remedy(config, limits, found.file)}"
    return (
        f"{_shown(config, found.file)}:{found.line}: {name} is {what}; write `@fairness_model` {place} "
        f"`{found.text}` (from fairness_checks import fairness_model){then}"
    )


def _remedy(config: pytest.Config, limits: Path, file: Path) -> str:
    """Say how a model is found that seems to be in a file."""
    if file.name.startswith("test_"):
        return "move it to a conftest.py, where every test finds it"
    if file.name != "conftest.py":
        return "import it in a conftest.py, where every test finds it"
    if limits.parent not in file.parents:
        folder = _shown(config, Path(os.path.commonpath([file.parent, limits.parent])))
        return f"{limits.name} sees a conftest.py beside, above or below it; move it to {folder}, or that one"
    return f"run pytest with {file.parent} among its paths"


def _shown(config: pytest.Config, path: Path) -> str:
    root = config.rootpath
    if path == root:
        return "pytest's root directory"
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def _loaded_files(config: pytest.Config, names: Collection[str]) -> Iterator[Path]:
    """Yield the files of functions of these names that plugins and conftest.py files hold, also imported ones."""
    for plugin in config.pluginmanager.get_plugins():
        held = getattr(plugin, "__dict__", {})
        for name in names:
            code = getattr(inspect.unwrap(held[name]), "__code__", None) if callable(held.get(name)) else None
            if code is not None:
                yield Path(code.co_filename)


def _files(config: pytest.Config, top: Path) -> Iterator[Path]:
    """Yield each module of Python below a folder, those first of which fixtures are expected."""
    others: list[Path] = []
    for folder in _folders(config, top):
        for file in sorted(folder.glob("*.py"), key=lambda file: (file.name != "conftest.py", file.name)):
            if _may_hold_fixtures(file):
                yield file
            else:
                others.append(file)
    yield from others[:_MOST_FOLDERS]


def _may_hold_fixtures(file: Path) -> bool:
    return file.name == "conftest.py" or file.name.startswith("test_")


def _functions(files: Iterable[Path], names: Collection[str]) -> dict[str, _Found]:
    """Return by name a function of files that seems to define a model of it; one that is decorated before others."""
    found: dict[str, _Found] = {}
    for file in files:
        try:
            with file.open("rb") as opened:
                text = opened.read(_MOST_BYTES).decode("utf-8", "replace")
            tree = ast.parse(text) if any(name in text for name in names) else ast.Module([], [])
        except (OSError, SyntaxError, ValueError):  # its own error is told elsewhere
            continue
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                each = _described(file, node, text)
                name = _fixture_name(node)
                if not (each.decorated or each.is_fixture or _may_hold_fixtures(file)):
                    continue  # a function of the project's own that happens to have the name
                if name in names and (name not in found or each.decorated > found[name].decorated):
                    found[name] = each
    return found


def _described(file: Path, node: ast.FunctionDef | ast.AsyncFunctionDef, text: str) -> _Found:
    decorators = [ast.unparse(each) for each in node.decorator_list]
    line = node.decorator_list[0].lineno if decorators else node.lineno
    return _Found(
        file,
        line,
        f"@{decorators[0]}" if decorators else text.splitlines()[line - 1].strip(),
        decorated=any("fairness_model" in each for each in decorators),
        is_fixture=any("fixture" in each for each in decorators),
    )


def _fixture_name(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """Return what pytest calls the fixture of a function: `name=` of its decorator, or its own name."""
    keywords = [word for each in node.decorator_list if isinstance(each, ast.Call) for word in each.keywords]
    given = [word.value.value for word in keywords if word.arg == "name" and isinstance(word.value, ast.Constant)]
    return next((name for name in given if isinstance(name, str)), node.name)


def limits_files(config: pytest.Config) -> list[Path]:
    """Return files of limits that lie elsewhere than where they are looked for: below the root, and above it."""
    root, here = config.rootpath, config.invocation_params.dir
    repository = next((folder for folder in (root, *root.parents) if (folder / ".git").exists()), root)
    below = [folder / name for top in (root, repository) for folder in _folders(config, top) for name in LIMITS_NAMES]
    above = [folder / name for folder in (here, *here.parents) for name in LIMITS_NAMES if repository in folder.parents]
    beside = [folder / name for folder in (*root.parents[:1], *here.parents[:1]) for name in LIMITS_NAMES]
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
