"""What two parts of the rows must not both have: one group under two names, and the same rows."""

from __future__ import annotations

from collections.abc import Mapping, Set

from fairness_checks.errors import InvalidPredictions
from fairness_checks.inputs.group_names import refuse_look_alikes
from fairness_checks.inputs.sensitive import is_number

__all__ = ["look_alikes"]


def look_alikes(one: Mapping[str, Set[str]], other: Mapping[str, Set[str]]) -> str | None:
    """Say which groups of a feature are one under two names, by feature those of either part; None where none are."""
    for feature, names in one.items():
        try:
            refuse_look_alikes(f"groups of {feature}", sorted(names | other.get(feature, set())))
        except InvalidPredictions as error:
            return str(error)
        if (problem := _same_number(feature, names, other.get(feature, set()))) is not None:
            return problem
    return None


def _same_number(feature: str, one: Set[str], other: Set[str]) -> str | None:
    """Say which number is written in two ways, one in either part; codes such as 1 and 01 of one part are two."""
    mine, theirs = ({float(name): name for name in sorted(names) if is_number(name)} for names in (one, other))
    for number in sorted(mine.keys() & theirs.keys()):
        if not {mine[number], theirs[number]} <= one and not {mine[number], theirs[number]} <= other:
            return (
                f"groups of {feature}: {mine[number]!r} in one and {theirs[number]!r} in the other are one number; "
                "write both the same"
            )
    return None
