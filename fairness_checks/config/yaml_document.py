"""A YAML file as plain data that remembers its lines, and the problems found in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeAlias

from fairness_checks.plain import shorten

__all__ = [
    "UNREAD",
    "Document",
    "KeyPath",
    "Problem",
    "as_written",
    "key_path",
    "list_at",
    "mapping_at",
    "problem_texts",
]

KeyPath: TypeAlias = tuple[str | int, ...]

UNREAD: Final = object()
"""Stands in the data for a value that already has a problem, so that nobody reports it a second time."""


def key_path(path: KeyPath) -> str:
    """Write the path to a key as a reader would look for it."""
    parts = []
    for step in path:
        if isinstance(step, str) and re.fullmatch(r"[\w-]+", step):
            parts.append(f".{shorten(step)}")
        else:
            parts.append(f"[{shorten(repr(step))}]")
    return "".join(parts).removeprefix(".")


def mapping_at(data: Any, key: str) -> dict[str, Any]:
    """Return the mapping under a key; an empty one where there is none, or something else, which the schema refuses."""
    found = data.get(key) if isinstance(data, dict) else None
    return found if isinstance(found, dict) else {}


def list_at(data: Any, key: str) -> list[Any]:
    """Return the list under a key, likewise."""
    found = data.get(key) if isinstance(data, dict) else None
    return found if isinstance(found, list) else []


def as_written(document: Document, path: KeyPath, value: object) -> str:
    """Return a scalar as the author wrote it: the group `yes`, where data say True, and `1`, where they say 1."""
    return document.plain.get(path, str(value))


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to mend in a file."""

    line: int  # counted from 1
    path: KeyPath  # empty for the file as a whole
    message: str  # what is wrong, what was seen and what to write instead, on one line
    models: tuple[str, ...] = ()  # where the place is in a profile, those that it is wrong for

    def text(self, source: str) -> str:
        """Return ``file:line: key path: message``."""
        place = f"{key_path(self.path)}: " if self.path else ""
        used = f" (used by {', '.join(map(shorten, self.models))})" if self.models else ""
        return f"{source}:{self.line}: {place}{' '.join(self.message.splitlines())}{used}"


def problem_texts(problems: Iterable[Problem], source: str) -> list[str]:
    """Return a line for each problem, in the order of the file; what is wrong for several models is said once."""
    found: dict[Problem, list[str]] = {}
    for problem in sorted(problems, key=lambda problem: problem.line):
        same = found.setdefault(replace(problem, models=()), [])
        same += [model for model in problem.models if model not in same]
    return [replace(problem, models=tuple(models)).text(source) for problem, models in found.items()]


@dataclass(frozen=True, slots=True)
class Document:
    """A YAML file as plain data."""

    source: str  # the file's name as messages show it
    data: Any  # plain; None for an empty file, `UNREAD` for one that is not YAML
    lines: Mapping[KeyPath, int]  # of every key and item, counted from 1; of a repeated key, the first
    plain: Mapping[KeyPath, str]  # every unquoted scalar as written: `off`, where data say False
    problems: tuple[Problem, ...]  # in the order of the file
    # where profiles are filled in, the place in the file of what a model has from its profile, or behind it
    moved: Mapping[KeyPath, KeyPath] = field(default_factory=dict)

    def in_file(self, path: KeyPath) -> KeyPath:
        """Return where a path stands in the file: that of a check of a profile is the profile's."""
        for end in range(len(path), 0, -1):
            if path[:end] in self.moved:
                return (*self.moved[path[:end]], *path[end:])
        return path

    def problem(self, path: KeyPath, message: str) -> Problem:
        """Return a problem at a path; one that the file does not hold gets the line of its nearest parent."""
        known = next((path[:end] for end in range(len(path), -1, -1) if path[:end] in self.lines), ())
        place = self.in_file(path)
        models = (str(path[1]),) if place[:1] == ("profiles",) != path[:1] else ()
        return Problem(self.lines.get(known, 1), place, message, models)
