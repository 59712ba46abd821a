"""What may be written as JSON: exact builtins, so that what is read back is what was written."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NoReturn, TypeAlias

from fairness_checks.errors import FairnessError

__all__ = [
    "JSON",
    "RepeatedKey",
    "canonical_json",
    "counted",
    "half_character",
    "inert",
    "now",
    "printable",
    "shorten",
    "strict_json",
]

# GitHub takes ``::error::`` where it opens a line, behind blanks too, and ``##[error]`` anywhere; Azure ``##vso[...]``.
_COMMAND = re.compile(r"^(\s*)::|##(vso|)\[")

JSON: TypeAlias = "str | int | float | bool | Sequence[JSON] | Mapping[str, JSON] | None"


def canonical_json(value: JSON, where: str, error: type[FairnessError]) -> str:
    """Return the one JSON text of a value made of plain builtins: sorted keys, no spaces, ASCII."""
    # Types are compared exactly, because a NumPy scalar or an enum passes for the builtin that it inherits from and
    # is written as something else. `where` says what the value is; `error` is raised for what is not plain, NaN or
    # infinite.
    if not _is_plain(value):
        _require_plain(value, where, error)
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


class RepeatedKey(ValueError):
    """A key stands twice in one object: of two values one reader takes the first and another the last."""

    def __init__(self, key: str) -> None:
        super().__init__(f"the key {key!r} stands twice in one object")
        self.key = key


def strict_json(text: str) -> Any:
    """Read JSON; ValueError or RecursionError, also for what `json` takes without a word: NaN, a key of two values."""
    return json.loads(text, object_pairs_hook=_without_twins, parse_constant=_no_constant)


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise RepeatedKey(next(name for name in names if names.count(name) > 1))
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def counted(number: int, thing: str) -> str:
    """Return a number of things: ``1 check``, ``2 checks``."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def half_character(text: str) -> str | None:
    """Return a lone surrogate, which no file in UTF-8 can hold; None where there is none."""
    if text.isascii():
        return None
    return next((character for character in text if "\ud800" <= character <= "\udfff"), None)


def _is_plain(value: object) -> bool:
    """Say whether nothing is to be refused, without a name for each part: most values are plain."""
    if type(value) is float:
        return math.isfinite(value)
    if type(value) is str:
        return half_character(value) is None
    if type(value) is list or type(value) is tuple:
        return all(map(_is_plain, value))
    if type(value) is dict:
        return all(type(label) is str and _is_plain(label) and _is_plain(item) for label, item in value.items())
    return value is None or type(value) is bool or type(value) is int


def _require_plain(value: object, where: str, error: type[FairnessError]) -> None:
    if type(value) is dict:
        for label, item in value.items():
            if type(label) is not str:
                raise error(f"{where}: mapping key {label!r} is {type(label).__name__}, must be str")
            _require_plain(label, f"{where}: mapping key", error)
            _require_plain(item, f"{where}.{label}", error)
    elif isinstance(value, list | tuple) and type(value) in (list, tuple):
        for position, item in enumerate(value):
            _require_plain(item, f"{where}[{position}]", error)
    elif type(value) is float and not math.isfinite(value):
        raise error(f"{where}: {value!r} cannot be written as JSON; use None for what is undefined")
    elif type(value) is str:
        if half_character(value) is not None:
            raise error(f"{where}: {value!r} holds half a character, which no reader of JSON takes; write another text")
    elif value is not None and type(value) not in (bool, int, float, str):
        raise error(
            f"{where}: {value!r} is {type(value).__module__}.{type(value).__qualname__}; "
            "allowed: None, bool, int, float, str, list, tuple, dict"
        )


def now() -> str:
    """Return the time in UTC, to the second, as in 2027-06-30T12:00:00Z."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def printable(text: str) -> str:
    """Return a name as a report shows it: what would break its line, or reorder it, is escaped."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def inert(line: str) -> str:
    """Return a line of output that no CI system takes for one of its commands, which a name of the data could hold."""
    return _COMMAND.sub(lambda found: f"{found[1]}\\x3a:" if found[1] is not None else f"#\\x23{found[2]}[", line)


def shorten(text: str, width: int = 80) -> str:
    """Cut a text that would drown a message."""
    return text if len(text) <= width else text[: width - 3] + "..."
