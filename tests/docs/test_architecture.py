"""ARCHITECTURE.md: its rooms are those of the import contract, in their order, and every module stands in its room."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
PACKAGE = ROOT / "fairness_checks"
SECTIONS = dict(re.findall(r"(?ms)^### `(\w+)/`\n(.*?)(?=^##|\Z)", PAGE))
CELL = 90  # characters of a cell that says what a room is for


def rows():
    return re.findall(r"(?m)^\| \[?`(\w+)/?`(?:\]\(#\w+\))? \| (.*) \|$", PAGE)


def named(section):
    return set(re.findall(r"`([a-z_0-9]+)`", section))


def modules(folder):
    return {path.stem for path in folder.rglob("*.py")} - {"__init__"}


def test_rooms_are_those_of_the_import_contract_from_the_ground_up():
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    (layers,) = [each["layers"] for each in tools["importlinter"]["contracts"] if each["type"] == "layers"]
    assert [room for room, _ in rows()] == layers[::-1]


def test_what_a_room_is_for_is_said_in_a_line():
    assert {room: words for room, words in rows() if not 0 < len(words) <= CELL} == {}


@pytest.mark.parametrize("room", sorted(path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()))
def test_every_module_stands_in_its_room_and_no_other_does(room):
    assert named(SECTIONS[room]) == modules(PACKAGE / room), f"ARCHITECTURE.md, `{room}/`: modules that came or went"


@pytest.mark.parametrize("folder", ["models", "docs"])
def test_what_is_not_installed_is_there(folder):
    assert named(SECTIONS[folder]) <= modules(ROOT / folder)
