"""Model fixtures in places that the file of limits cannot see, so that no check can name them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from fairness_checks.plugin.refusals import usage_error
from fairness_checks.plugin.selection import is_fairness_test

__all__ = ["refuse_hidden_models"]

_Holds = Callable[[pytest.Item], bool]


def refuse_hidden_models(
    config: pytest.Config,
    items: Collection[pytest.Item],
    mark: str,
    visible: Iterable[object],
    nameable: Iterable[object],
    limits: str,
) -> None:
    """Refuse a run with such a model, unless a fairness test asks for it that sees it."""
    # `nameable` are those that the file would see if it named them.
    could_be = {id(value) for value in nameable}
    known = {id(value) for value in visible}  # one that a test module has imported is no other
    lines: dict[str, None] = {}
    for place, names, holds in _places(config, items):
        for name, value in list(names.items()):
            if id(value) in known or mark not in getattr(value, "__dict__", {}):
                continue
            asks = (is_fairness_test(i) and holds(i) and name in getattr(i, "fixturenames", ()) for i in items)
            if not any(asks):
                what = f"{place}: {name} is a model that {limits}"
                if id(value) in could_be:
                    remedy = f'write a check under models.{name}, or say `unchecked: {{{name}: "why"}}`'
                    lines[f"{what} does not name, and no fairness test asks for it; {remedy}"] = None
                    continue
                lines[
                    f"{what} cannot see, and no fairness test asks for it; move it "
                    f"to a conftest.py beside or above {limits} under a name of its own, or use it in a test"
                ] = None
    if lines:
        raise usage_error(config, "\n".join(lines))


def _places(config: pytest.Config, items: Iterable[pytest.Item]) -> Iterator[tuple[str, dict[str, Any], _Holds]]:
    """Yield each conftest.py, test module and class, with its names and whether a test can see them."""
    for plugin in config.pluginmanager.get_plugins():
        file = Path(getattr(plugin, "__file__", None) or "")
        if file.name == "conftest.py":
            yield _relative(file, config), vars(plugin), partial(_is_below, file.parent)
    nodes = {
        node: None for item in items for node in item.listchain() if isinstance(node, pytest.Module | pytest.Class)
    }
    for node in nodes:
        yield node.nodeid, dict(vars(node.obj)), partial(_is_in, node)


def _is_below(folder: Path, item: pytest.Item) -> bool:
    return folder in item.path.parents


def _is_in(node: pytest.Module | pytest.Class, item: pytest.Item) -> bool:
    return node in item.listchain()


def _relative(file: Path, config: pytest.Config) -> str:
    return str(file.relative_to(config.rootpath) if file.is_relative_to(config.rootpath) else file)
