"""Compare what two runs of a gate reported, digit by digit.

``python -m benchmarks.compare_junit OLD.xml NEW.xml [--tolerance T] [--field PART]`` reads every record that two JUnit
files hold (``pytest --fairness --junitxml=OLD.xml``) and prints each figure and each word that moved, with both values;
then how many moved of each field, and how far at most. Fields that one file alone has are named once. Exit code 0
where nothing moved, 1 where something did, 2 for a file without records. ``fairness-checks diff`` says what a reader of
a report must know; this says what a change of code did to its numbers.
"""

from __future__ import annotations

import argparse
import collections
import json
import math
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

_RECORD = "fairness.record"
_PLACE = re.compile(r"\[\d+\]")

Leaves = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Move:
    """One field of a check that differs."""

    check: str
    field: str
    old: object
    new: object

    @property
    def kind(self) -> str:
        """The field whichever group or mix it is of."""
        return _PLACE.sub("[]", self.field)

    @property
    def distance(self) -> float:
        """How far a figure moved; infinite where one of both is none."""
        if not (_is_figure(self.old) and _is_figure(self.new)):
            return math.inf
        return abs(float(self.new) - float(self.old))  # type: ignore[arg-type]


def _is_figure(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def leaves(value: Any, at: str = "") -> Iterator[tuple[str, object]]:
    """Yield each number, word or null of a JSON value with its path; empty lists and objects are leaves, too."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from leaves(inner, f"{at}.{key}" if at else key)
    elif isinstance(value, list) and value:
        for i, inner in enumerate(value):
            yield from leaves(inner, f"{at}[{i}]")
    else:
        yield at, value


def read_records(path: Path) -> dict[str, Leaves]:
    """Return the fields of each check's record by the name of its test case.

    Raises
    ------
    ValueError
        For a file that cannot be read, is no XML, holds no record or one case twice.
    """
    try:
        root = ElementTree.parse(path).getroot()
    except (OSError, ElementTree.ParseError) as error:
        raise ValueError(f"{path}: cannot be read as JUnit XML: {error}") from None
    found: dict[str, Leaves] = {}
    for case in root.iter("testcase"):
        for one in case.iter("property"):
            if one.get("name") == _RECORD:
                name = case.get("name", "")
                if name in found:
                    raise ValueError(f"{path}: {name} stands there twice")
                found[name] = dict(leaves(json.loads(one.get("value", ""))))
    if not found:
        raise ValueError(f"{path}: holds no record of a check; write it with pytest --fairness --junitxml={path.name}")
    return found


def moves(old: Mapping[str, Leaves], new: Mapping[str, Leaves], tolerance: float) -> list[Move]:
    """Return what differs in the checks and fields that both have; figures by more than the tolerance."""
    found = []
    for check in sorted(set(old) & set(new)):
        for field in sorted(set(old[check]) & set(new[check])):
            before, after = old[check][field], new[check][field]
            same = before == after and _is_figure(before) == _is_figure(after)
            move = Move(check, field, before, after)
            if not same and not (math.isfinite(move.distance) and move.distance <= tolerance):
                found.append(move)
    return found


def _lonely(one: Mapping[str, Leaves], other: Mapping[str, Leaves]) -> list[str]:
    """Fields of checks in both that the first alone has, whichever group or mix they are of."""
    kinds = {_PLACE.sub("[]", f) for check in set(one) & set(other) for f in set(one[check]) - set(other[check])}
    return sorted(kinds)


def report(old: Mapping[str, Leaves], new: Mapping[str, Leaves], found: Sequence[Move]) -> Iterator[str]:
    """Yield the lines of the comparison."""
    for check in sorted(set(old) ^ set(new)):
        yield f"{check}: only in the {'old' if check in old else 'new'} file"
    for name, one, other in (("old", old, new), ("new", new, old)):
        if fields := _lonely(one, other):
            yield f"fields of the {name} file alone: {', '.join(fields)}"
    for move in found:
        yield f"{move.check} {move.field}: {json.dumps(move.old)} -> {json.dumps(move.new)}"
    kinds: dict[str, list[Move]] = collections.defaultdict(list)
    for move in found:
        kinds[move.kind].append(move)
    for kind, of_kind in sorted(kinds.items(), key=lambda item: -len(item[1])):
        figures = [move.distance for move in of_kind if math.isfinite(move.distance)]
        most = f", by at most {max(figures):.3g}" if figures else ""
        yield f"{kind}: moved in {len({move.check for move in of_kind})} checks{most}"
    yield f"{len(set(old) & set(new))} checks in both files, {len({move.check for move in found})} of them moved"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the comparison and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--tolerance", type=float, default=0.0, help="figures that moved by no more are left out")
    parser.add_argument("--field", default="", help="only fields whose path holds this")
    given = parser.parse_args(arguments)
    try:
        old, new = read_records(given.old), read_records(given.new)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    found = [move for move in moves(old, new, given.tolerance) if given.field in move.field]
    for line in report(old, new, found):
        print(line)
    return 1 if found or set(old) != set(new) else 0


if __name__ == "__main__":
    raise SystemExit(main())
