"""A baseline as text that reads well in the diff of a pull request: sorted, indented, a group on a line."""

# The text carries a checksum of itself. That is no signature: whoever writes another baseline writes its checksum
# too, which is what the review of a pull request is for. It keeps a number that was changed by hand, or by a merge,
# from passing for a measured one.

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from fairness_checks.baseline.document import Baseline
from fairness_checks.distribution import DISTRIBUTION, package_version
from fairness_checks.errors import BaselineError
from fairness_checks.plain import canonical_json

__all__ = ["baseline_text", "checksum", "written_by"]


def checksum(document: Mapping[str, Any]) -> str:
    """Return the sha256 of everything in a parsed document but its checksum."""
    rest = {key: value for key, value in document.items() if key != "checksum"}
    return hashlib.sha256(canonical_json(rest, "baseline", BaselineError).encode()).hexdigest()


def written_by() -> str:
    """Return the name and version of this package, as a baseline that it writes says it."""
    return f"{DISTRIBUTION} {package_version()}"


def baseline_text(baseline: Baseline) -> str:
    """Return the JSON of a baseline, the same text for the same content; BaselineError for what is no plain builtin."""
    document: dict[str, Any] = {**dataclasses.asdict(baseline), "written_by": written_by()}
    if baseline.salt is None:
        del document["salt"]
    for name, model in baseline.models.items():
        document["models"][name]["checks"] = {key: entry.plain() for key, entry in model.checks.items()}
    document["checksum"] = checksum(document)
    return _spread(document, "") + "\n"


def _spread(value: Any, indent: str) -> str:
    """Give each item of a mapping, or of a list of mappings, a line; all else stands on one."""
    deeper = indent + "  "
    if isinstance(value, dict) and value:
        items: Iterator[str] = (f"{_text(key)}: {_spread(value[key], deeper)}" for key in sorted(value))
        return f"{{\n{deeper}" + f",\n{deeper}".join(items) + f"\n{indent}}}"
    if isinstance(value, list | tuple) and any(isinstance(item, dict) for item in value):
        return f"[\n{deeper}" + f",\n{deeper}".join(map(_line, value)) + f"\n{indent}]"
    return _line(value)


def _line(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_text(key)}: {_line(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_line, value)) + "]"
    return _text(value) if isinstance(value, str) else json.dumps(value)


def _text(text: str) -> str:
    """Write letters of any alphabet as they are; what would not show in a diff, or reorder it, escaped."""
    return json.dumps(text, ensure_ascii=not text.isprintable())
