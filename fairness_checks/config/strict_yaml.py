"""YAML read strictly: plain data, the line of every key, and every place where YAML would surprise."""

# PyYAML keeps the last of two equal keys, reads `off` as False, `010` as 8 and `1:30` as 90, without a word. A limit
# that silently means something else is worse than none, so all of these become problems here.

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.events import AliasEvent
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from fairness_checks.config.yaml_document import UNREAD, Document, KeyPath, Problem
from fairness_checks.plain import shorten

__all__ = ["read_yaml"]

_MAX_DEPTH = 16  # thresholds.yaml needs 6; a deeper file is a mistake, and 100,000 brackets would exhaust the stack
_TAG = "tag:yaml.org,2002:"
_NUMBER_TAGS = {f"{_TAG}int", f"{_TAG}float"}
_MAX_NUMBER = 400  # characters; PyYAML needs a minute for "1:1:1:..." of a million
_OR_QUOTE = "write it plainly, or quote it if it is text"
_ALIAS = "alias"  # the tag of a node that stands for '*name'
_NAMES = {
    "bool": "a boolean",
    "float": "a number",
    "int": "a number",
    "null": "nothing",
    "timestamp": "a date",
}
_DECIMAL_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")  # "\0" is fine in YAML, not in JUnit's XML


def read_yaml(text: str, source: str) -> Document:
    """Read one YAML document without ever raising or guessing; its data are `UNREAD` where the text is not YAML."""
    reading = _Reading()
    loader: _StrictLoader | None = None
    try:
        loader = _StrictLoader(text)
        loader.check_node()  # skips the start of the stream
        node = loader.get_node()
        data = reading.plain_data(loader, node, ()) if node is not None else None
        if loader.check_node():
            line = loader.peek_event().start_mark.line + 1  # type: ignore[no-untyped-call]  # the stubs
            reading.problems.append(Problem(line, (), "a second YAML document starts here ('---'); keep one"))
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # "\UFFFFFFFF" overflows inside PyYAML
        line = loader.line + 1 if loader else 1
        return Document(source, UNREAD, {}, {}, (_syntax_problem(error, text, line),))
    problems = sorted([*loader.refused, *reading.problems], key=lambda problem: problem.line)
    return Document(source, data, reading.lines, reading.plain, tuple(problems))


class _StrictLoader(yaml.SafeLoader):
    """Builds nodes only; follows no alias, notes every anchor and tag, stops where the nesting is absurd."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.refused: list[Problem] = []
        self._depth = 0

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]  # the stubs leave it bare
        line = event.start_mark.line + 1
        if isinstance(event, AliasEvent):
            # Not followed, so that a bomb of aliases stays as small as its text.
            self.get_event()  # type: ignore[no-untyped-call]  # as above
            return ScalarNode(_ALIAS, event.anchor, event.start_mark, event.end_mark)  # type: ignore[arg-type]  # both Marks
        if event.anchor is not None:
            message = f"anchor '&{shorten(event.anchor)}' is not supported; remove it"
            self.refused.append(Problem(line, (), message))
            event.anchor = None
        if event.tag is not None:
            tag = shorten(event.tag.replace(_TAG, "!!"))
            self.refused.append(Problem(line, (), f"tag '{tag}' is not supported; remove it"))
            event.tag = None
        if self._depth == _MAX_DEPTH:
            raise yaml.MarkedYAMLError(problem=f"nested deeper than {_MAX_DEPTH} levels", problem_mark=event.start_mark)
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


@dataclass(slots=True)
class _Reading:
    """What is gathered while nodes become plain data."""

    lines: dict[KeyPath, int] = field(default_factory=dict)
    plain: dict[KeyPath, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def plain_data(self, loader: yaml.SafeLoader, node: Node, path: KeyPath) -> Any:
        self.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, MappingNode):
            return self._mapping(loader, node, path)
        if isinstance(node, SequenceNode):
            return [self.plain_data(loader, item, (*path, index)) for index, item in enumerate(node.value)]
        assert isinstance(node, ScalarNode)  # there is no fourth kind
        return self._scalar(loader, node, path)

    def _mapping(self, loader: yaml.SafeLoader, node: MappingNode, path: KeyPath) -> dict[str, Any]:
        result: dict[str, Any] = {}
        first_line: dict[str, int] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, ScalarNode) or key_node.tag == _ALIAS:
                self.problems.append(Problem(line, path, "a key must be plain text, not a mapping, list or alias"))
                continue
            key, kind = key_node.value, key_node.tag.removeprefix(_TAG)
            place = (*path, key)
            if kind == "merge":
                self.problems.append(Problem(line, path, "merge key '<<' is not supported; write the keys out"))
                continue
            if kind != "str":
                seen = f"{_NAMES.get(kind, kind)} to YAML, not text"
                self.problems.append(
                    Problem(line, place, f'the key {shorten(key)!r} is {seen}; write "{shorten(key)}"')
                )
            self._refuse_unprintable(key, place, line)
            self.lines.setdefault(place, line)
            # The value of a repeated key is read too: it may hold problems of its own.
            value = self.plain_data(loader, value_node, place)
            if key in result:
                message = f"this key stands here twice (first on line {first_line[key]}); keep one"
                self.problems.append(Problem(line, place, message))
            else:
                result[key], first_line[key] = value, line
        return result

    def _scalar(self, loader: yaml.SafeLoader, node: ScalarNode, path: KeyPath) -> Any:
        line, written = node.start_mark.line + 1, node.value
        if node.tag == _ALIAS:
            message = f"alias '*{shorten(written)}' is not supported; write the value out"
            self.problems.append(Problem(line, path, message))
            return UNREAD
        if node.style is None:
            self.plain.setdefault(path, written)
        try:
            if len(written) > _MAX_NUMBER and node.tag in _NUMBER_TAGS:
                raise ValueError("too long for a number")
            value = loader.construct_object(node)
        except (yaml.YAMLError, ValueError, OverflowError):
            kind = _NAMES.get(node.tag.removeprefix(_TAG), "a special value")
            message = (
                f"{shorten(written)!r} looks like {kind} to YAML but is none; correct it, or quote it if it is text"
            )
            self.problems.append(Problem(line, path, message))
            return UNREAD
        self._refuse_unprintable(written, path, line)
        odd_int = type(value) is int and not _DECIMAL_INT.fullmatch(written)
        if odd_int or (type(value) is float and re.search("[:_]", written)):
            message = f"YAML reads {shorten(written)} as {shorten(str(value))}; {_OR_QUOTE}"
            self.problems.append(Problem(line, path, message))
        return value

    def _refuse_unprintable(self, text: str, path: KeyPath, line: int) -> None:
        if found := _UNPRINTABLE.search(text):
            message = f"holds the character U+{ord(found.group()):04X}, which no report can show; remove it"
            self.problems.append(Problem(line, path, message))


def _syntax_problem(error: Exception, text: str, line: int) -> Problem:
    if isinstance(error, yaml.reader.ReaderError):
        before = text[: error.position]
        line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        what = f"the character U+{ord(text[error.position]):04X} is not allowed"
    elif isinstance(error, yaml.MarkedYAMLError) and (mark := error.problem_mark or error.context_mark):
        line, column = mark.line + 1, mark.column + 1
        what = "; ".join(part for part in (error.context, error.problem) if part)
        if r"'\t'" in what:
            what += "; indent with spaces"
    else:
        return Problem(line, (), f"not readable as YAML: {shorten(str(error), 200)}")
    return Problem(line, (), f"not readable as YAML at column {column}: {shorten(' '.join(what.split()), 200)}")
