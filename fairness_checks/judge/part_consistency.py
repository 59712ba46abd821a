"""What the statistics of one part say of each other: all tables are of the same rows."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np

from fairness_checks.inputs.group_names import clean, means_missing
from fairness_checks.inputs.sensitive import MISSING
from fairness_checks.judge.part_precision import ScorePrecision
from fairness_checks.judge.part_twins import Marks, look_alikes, same_rows
from fairness_checks.measure.measured_groups import MeasuredGroups
from fairness_checks.question.checks import Missing
from fairness_checks.records.parts import InputRecord

__all__ = ["require_each_once", "require_inputs", "require_names", "require_one_population"]


def require_inputs(inputs: InputRecord, precision: ScorePrecision | None, *, labelled: bool) -> None:
    """Raise ValueError unless what decisions and labels mean can be."""
    limit = inputs.threshold
    if (inputs.decisions == "threshold") != (limit is not None) or (limit is None) != (precision is None):
        raise ValueError(f"inputs: threshold: {limit} of decisions that are {inputs.decisions}, or no precision of it")
    if limit is not None and not 0.0 <= limit <= 1.0:
        raise ValueError(f"inputs: threshold: {limit:g} is outside [0, 1]")
    if labelled and (inputs.positive is None or inputs.decisions is None):
        raise ValueError("inputs: positive and decisions: counts are of both")
    if precision is not None and (precision.bits not in (16, 32, 64) or (precision.rounded and precision.bits == 64)):
        raise ValueError(f"precision: {precision.bits} bits, rounded {precision.rounded}")


def require_each_once(rows: Sequence[Marks]) -> None:
    """Raise ValueError where a part was added twice."""
    if any(same_rows(one, other) is not None for one, other in itertools.combinations(rows, 2)):
        raise ValueError("rows: the same are there twice")


def require_names(tables: Sequence[MeasuredGroups], missing: Missing) -> None:
    """Raise ValueError unless groups have names that rows give them, all intersections, each once and in order."""
    names: dict[str, set[str]] = {}
    for groups in tables:
        by = ", ".join(groups.by)
        if list(groups.by) != sorted(set(groups.by)):
            raise ValueError(f"by {by}: features: each once, in order")
        values = [sorted({name[i] for name in groups.groups}) for i in range(len(groups.by))]
        if math.prod(map(len, values)) != len(groups.groups) or list(groups.groups) != sorted(groups.groups):
            raise ValueError(f"by {by}: groups: all intersections of their values, in order")
        for feature, found in zip(groups.by, values, strict=True):
            names.setdefault(feature, set()).update(found)
    if len({groups.by for groups in tables}) < len(tables) or not tables:
        raise ValueError("tables: by each features one, and one at least")
    for feature, there in names.items():
        for name in sorted(there - {MISSING}):
            if clean(name) != name or _is_missing(name, missing):
                raise ValueError(f"groups of {feature}: {name!r} is no name that a group is kept under")
    if (problem := look_alikes(names, {})) is not None:
        raise ValueError(problem)


def _is_missing(name: str, missing: Missing) -> bool:
    return means_missing(name) if missing.text is None else name in map(clean, missing.text)


def require_one_population(tables: Sequence[MeasuredGroups]) -> None:
    """Raise ValueError unless all tables are of the same samples: counts by the features that two share are equal."""
    # Those that suppression emptied are not among them.
    for one, other in itertools.combinations(tables, 2):
        if (one.unlabelled is None) != (other.unlabelled is None):
            raise ValueError("tables: only one is of labels")
        shared = [name for name in one.by if name in other.by]
        for name in shared:
            if _names(one, name) != _names(other, name):
                raise ValueError(f"by {', '.join(other.by)}: other groups of {name} than by {', '.join(one.by)}")
        if _margin(one, shared) != _margin(other, shared):
            of = f"counts by {', '.join(shared)}" if shared else "counts of all samples"
            raise ValueError(f"{of}: other ones by {', '.join(one.by)} than by {', '.join(other.by)}")


def _names(groups: MeasuredGroups, feature: str) -> set[str]:
    return {name[groups.by.index(feature)] for name in groups.groups}


def _margin(groups: MeasuredGroups, features: Sequence[str]) -> Mapping[tuple[str, ...], tuple[int, ...]]:
    """Return the counts by some of the features, without empty groups."""
    places = [groups.by.index(name) for name in features]
    counts = groups.counts if groups.unlabelled is None else groups.samples[:, None]
    found: dict[tuple[str, ...], np.ndarray] = {}
    for name, of in zip(groups.groups, counts, strict=True):
        key = tuple(name[i] for i in places)
        found[key] = found.get(key, 0) + of
    return {key: tuple(of.tolist()) for key, of in found.items() if of.any()}
