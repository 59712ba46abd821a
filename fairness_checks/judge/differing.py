"""What differs between what stands in the evidence of a run and what follows, with both values."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fairness_checks.records.check_record import CheckRecord

__all__ = ["Difference", "compare_records", "same", "shown"]

_NEAR = 1e-9  # relative, by which numbers of another machine may differ
_ROUNDING = 1e-15  # absolute, of what is no p-value: of a difference of equal numbers


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that does not follow: where it stands, what stands there, and what follows."""

    where: str
    found: str
    expected: str


def compare_records(where: str, found: CheckRecord, expected: CheckRecord) -> Iterator[Difference]:
    """Yield each field in which two records of one check differ."""
    yield from _compare(where, dataclasses.asdict(found), dataclasses.asdict(expected))


def _compare(where: str, found: Any, expected: Any) -> Iterator[Difference]:
    if isinstance(found, dict) and isinstance(expected, dict):
        for name in sorted(found.keys() | expected.keys()):
            yield from _compare(f"{where}: {name}", found.get(name), expected.get(name))
    elif isinstance(found, list | tuple) and isinstance(expected, list | tuple) and len(found) == len(expected):
        for i, (one, other) in enumerate(zip(found, expected, strict=True)):
            name = one["name"] if isinstance(one, dict) and "name" in one else str(i)
            yield from _compare(f"{where}[{name if isinstance(name, str) else ', '.join(name)}]", one, other)
    elif not same(found, expected, least=0.0 if where.rpartition(": ")[2].startswith("p_") else _ROUNDING):
        yield Difference(where, shown(found), shown(expected))


def same(found: Any, expected: Any, least: float) -> bool:
    """Say whether two values are the same, numbers but for what another machine rounds; `least` is absolute."""
    if type(found) is float and type(expected) is float:
        return math.isclose(found, expected, rel_tol=_NEAR, abs_tol=least)
    return type(found) is type(expected) and bool(found == expected)


def shown(value: Any) -> str:
    """Write a value so that any difference is seen."""
    return f"{value:.17g}" if type(value) is float else str(value)
