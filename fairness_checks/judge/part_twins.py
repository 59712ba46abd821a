"""What two parts of the rows must not both have: one group under two names, and the same rows."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence, Set

import numpy as np
import numpy.typing as npt

from fairness_checks.errors import InvalidPredictions
from fairness_checks.inputs.group_names import refuse_look_alikes
from fairness_checks.inputs.sensitive import MISSING, is_number
from fairness_checks.measure.measured_groups import MeasuredGroups
from fairness_checks.stats.moments import MeanStatistics

__all__ = ["IDS", "Marks", "look_alikes", "marks_of", "same_rows", "union_of"]

Marks = Mapping[str, str]
"""What tells whether a part's rows are those of another part: digests by what they are of."""
IDS = "ids"
_CHANCE_BITS = 20  # once in a million sets of parts
_MOST_TRIES = 20_000


def marks_of(tables: Iterable[MeasuredGroups]) -> dict[str, str]:
    """Return digests of what the order of rows does not change: counts, or without labels samples and sizes."""
    # They are of what the part shows anyway. Sums differ in their last digit where rows are in another order.
    found: dict[str, str] = {}
    for groups in tables:
        by, there = ", ".join(groups.by), [i for i, n in enumerate(groups.samples.tolist()) if n]
        if not there:
            continue
        counts = groups.counts if groups.unlabelled is None else groups.samples
        found[f"counts by {by}"] = _digest([[*groups.groups[i], counts[i].tolist()] for i in there])
        for name, each in groups.measured.items() if groups.unlabelled is not None else ():
            some = getattr(each.statistics, "statistics", each.statistics)
            if isinstance(some, MeanStatistics):
                found[f"{name} by {by}"] = _digest([[*groups.groups[i], _size(some, i)] for i in there])
    return found


def _size(some: MeanStatistics, group: int) -> str:
    """Return the root mean square of a group's values, which nothing cancels in, to six digits."""
    n = float(some.n[group])
    return f"{math.sqrt(float(some.mean[group]) ** 2 + float(some.m2[group]) / n):.6g}" if n else "none"


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def same_rows(one: Marks, other: Marks) -> str | None:
    """Say why two parts seem to be of the same rows; None where they do not. Ids decide where both have them."""
    if IDS in one and IDS in other:
        if one[IDS] != other[IDS]:
            return None
        return (
            "the same samples, by their ids, are in both; leave one out, or, where they are other samples, give them "
            "ids that no other part has, such as with the site's name before them"
        )
    both = one.keys() & other.keys()
    if not both or any(one[name] != other[name] for name in both):
        return None
    return (
        "their groups have the same counts, as of a part that is given twice; leave one out, or write both with the "
        "ids of their samples (--sample-id), which tell"
    )


def union_of(parts: Mapping[str, Sequence[MeasuredGroups]]) -> tuple[str, list[str]] | None:
    """Return a part whose counts are the sums of those of several others, and these; None where none is, or may be."""
    # The counts of the table with most groups tell: by chance they agree, in each cell, once in as many times as the
    # root of the count.
    names, table = list(parts), _counts_of(list(parts.values()))
    sizes = table.sum(axis=1)
    for whole in np.argsort(-sizes, kind="stable").tolist():
        others = [i for i in np.argsort(-sizes, kind="stable").tolist() if 0 < sizes[i] < sizes[whole]]
        inside = [i for i in others if (table[i] <= table[whole]).all()]
        if np.log2(1.0 + table[whole]).sum() / 2.0 < _CHANCE_BITS + len(inside):
            continue
        if (found := _adding_up(table[whole], [table[i] for i in inside])) is not None:
            return names[whole], [names[inside[at]] for at in found]
    return None


def _counts_of(parts: Sequence[Sequence[MeasuredGroups]]) -> npt.NDArray[np.int64]:
    """Return the counts of each part by the features that have most groups, shape (parts, cells)."""
    tables = [{groups.by: groups for groups in tables if len(groups.groups)} for tables in parts]
    shared = set.intersection(*(set(of) for of in tables))
    if not shared:
        return np.zeros((len(parts), 0), dtype=np.int64)
    by = max(sorted(shared), key=lambda by: max(len(of[by].groups) for of in tables))
    place = {name: at for at, name in enumerate(sorted({name for of in tables for name in of[by].groups}))}
    width = 4 if all(of[by].unlabelled is None for of in tables) else 1
    found = np.zeros((len(parts), len(place), width), dtype=np.int64)
    for row, of in zip(found, tables, strict=True):
        groups = of[by]
        row[[place[name] for name in groups.groups]] = groups.counts if width > 1 else groups.samples[:, None]
    return found.reshape(len(parts), -1)


def _adding_up(whole: npt.NDArray[np.int64], some: Sequence[npt.NDArray[np.int64]]) -> list[int] | None:
    """Return two or more of some counts, largest first, that add up to others; None where few tries find none."""
    left = np.cumsum([0, *(counts.sum() for counts in reversed(some))])[::-1]  # from each on
    tries: list[tuple[npt.NDArray[np.int64], int, list[int]]] = [(whole, 0, [])] if some else []
    for _ in range(_MOST_TRIES):
        if not tries:
            break
        rest, at, taken = tries.pop()
        if not rest.any():
            return taken
        if at < len(some) and left[at] >= rest.sum():
            tries.append((rest, at + 1, taken))
            if (some[at] <= rest).all():
                tries.append((rest - some[at], at + 1, [*taken, at]))
    return None


def look_alikes(one: Mapping[str, Set[str]], other: Mapping[str, Set[str]]) -> str | None:
    """Say which groups of a feature are one under two names, by feature those of either part; None where none are."""
    for feature, names in one.items():
        try:
            refuse_look_alikes(f"groups of {feature}", sorted((names | other.get(feature, set())) - {MISSING}))
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
