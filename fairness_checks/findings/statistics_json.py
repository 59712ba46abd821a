"""Statistics as JSON, and back: the same numbers, digit by digit, so that a reader of evidence decides the same."""

# An array is `{"float64": [...]}`, nested by its axes, NaN as null; a dataclass `{"MeanStatistics": {field: value}}`.

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping
from functools import cache
from types import NoneType
from typing import Any, TypeAlias

import numpy as np
from pydantic import TypeAdapter

from fairness_checks.baseline.document import Entry
from fairness_checks.errors import ConfigurationError, RecordError
from fairness_checks.findings.comparison import Comparison, Pairing
from fairness_checks.findings.statistics import Statistics, Swept
from fairness_checks.kinds import kind_of
from fairness_checks.kinds.measured import Measured
from fairness_checks.measure.measured_groups import MeasuredGroups
from fairness_checks.plain import JSON
from fairness_checks.question.metrics import CELLS, METRICS, parts_of
from fairness_checks.stats.joint_estimates import JointEstimates
from fairness_checks.sweep.mixes import mix_key
from fairness_checks.sweep.plan import SweepPlan
from fairness_checks.sweep.results import SweepResults

__all__ = ["groups_from_json", "groups_to_json", "statistics_from_json", "statistics_to_json"]

_Read: TypeAlias = Callable[[Mapping[str, Any]], Statistics]
_DTYPES = {"float64": np.float64, "int64": np.int64, "bool": np.bool_}
_PLAIN: Mapping[str, tuple[type, ...]] = {
    "float64": (float, int, str, NoneType),
    "int64": (int,),
    "bool": (bool,),
}
"""What JSON has for each: NumPy would read text as a number, and a number without its fraction."""
_INFINITE = {"inf": math.inf, "-inf": -math.inf}


def statistics_to_json(statistics: Statistics) -> dict[str, JSON]:
    """Return statistics as plain builtins."""
    if isinstance(statistics, MeasuredGroups):
        return {"held_out": groups_to_json(statistics)}
    if isinstance(statistics, Swept):
        plan = {field.name: getattr(statistics.plan, field.name) for field in dataclasses.fields(SweepPlan)}
        # As pairs: documents sort the keys of objects, and tables have the mixes in the order of the file.
        plan["mixes"] = [[name, mix_key(mix)] for name, mix in statistics.plan.mixes.items()]
        plan["feature_sets"] = list(statistics.plan.feature_sets)
        return {"sweep": {"plan": plan, "results": statistics.results.plain()}}
    entry = None if statistics.entry is None else json.loads(json.dumps(statistics.entry.plain()))
    pairing = None if statistics.pairing is None else dataclasses.asdict(statistics.pairing)
    facts: dict[str, JSON] = {name: getattr(statistics, name) for name in _FACTS}
    return {
        "comparison": {
            "groups": groups_to_json(statistics.statistics),
            "entry": entry,
            "pairing": pairing,
            "joint": _to_json(statistics.joint),
            **facts,
        }
    }


_FACTS = ("baseline", "exists", "updating", "positive", "scaling")


def statistics_from_json(document: Mapping[str, Any]) -> Statistics:
    """Read statistics back; RecordError names what is not of this layout."""
    try:
        ((kind, content),) = document.items()
        return _READERS[kind](content)
    except (LookupError, ArithmeticError, TypeError, ValueError, AttributeError, ConfigurationError) as error:
        raise RecordError(f"statistics: {type(error).__name__}: {error}") from error


def _read_sweep(content: Mapping[str, Any]) -> Swept:
    plan = SweepPlan(**(content["plan"] | {"mixes": dict(content["plan"]["mixes"])}))
    return Swept(SweepResults.from_json(json.dumps(content["results"])), plan)


def _read_comparison(content: Mapping[str, Any]) -> Comparison:
    entry, pairing = content["entry"], content["pairing"]
    if set(content) != {"groups", "entry", "pairing", "joint", *_FACTS}:
        raise ValueError(f"comparison: has {', '.join(content)}")
    return Comparison(
        groups_from_json(content["groups"]),
        None if entry is None else _entries().validate_json(json.dumps(entry), strict=True),
        **{name: content[name] for name in _FACTS},
        pairing=None if pairing is None else Pairing(**pairing),
        joint=_read_joint(content["joint"]),
    )


def _read_joint(content: Any) -> JointEstimates | None:
    """Read estimates; of a covariance, of which tests may read one side of the diagonal, both sides must agree."""
    joint: JointEstimates | None = _from_json(content)
    if joint is not None:
        rounding = 1e-12 * float(np.nanmax(np.abs(joint.covariance), initial=0.0))
        if not np.allclose(joint.covariance, joint.covariance.T, rtol=1e-9, atol=rounding, equal_nan=True):
            raise ValueError("covariance: it is not the same on both sides of its diagonal")
    return joint


@cache
def _entries() -> TypeAdapter[Entry]:
    return TypeAdapter(Entry)


def groups_to_json(groups: MeasuredGroups) -> dict[str, JSON]:
    """Return counts, and what was measured beyond them, as plain builtins."""
    return {
        "by": list(groups.by),
        "groups": [list(name) for name in groups.groups],
        "counts": None if groups.unlabelled is not None else _to_json(groups.counts),
        "samples": _to_json(groups.samples),
        "measured": {name: _to_json(found) for name, found in sorted(groups.measured.items())},
        "clusters_cross_groups": groups.clusters_cross_groups,
        "one_cluster_each": groups.one_cluster_each,
    }


def groups_from_json(document: Mapping[str, Any]) -> MeasuredGroups:
    """Read groups back; an error of any kind where they are not of this layout."""
    samples = _from_json(document["samples"])
    unlabelled = document["counts"] is None
    counts = np.zeros((len(samples), len(CELLS)), dtype=np.int64) if unlabelled else _from_json(document["counts"])
    if not unlabelled and not np.array_equal(counts.sum(axis=1), samples):
        raise ValueError("samples: they are not the sums of the counts")
    crossing, alone = document["clusters_cross_groups"], document["one_cluster_each"]
    if not all(getattr(each, "dtype", None) == np.int64 for each in (counts, samples)):
        raise ValueError("counts: they are whole numbers")
    if type(crossing) is not bool or type(alone) is not bool:
        raise ValueError("clusters_cross_groups, one_cluster_each: true or false")
    if (counts < 0).any() or (samples < 0).any() or len(samples) != len(document["groups"]):
        raise ValueError("counts: they are no counts of these groups")
    if any(len(name) != len(document["by"]) for name in document["groups"]):
        raise ValueError(f"groups: each has a value of {', '.join(document['by'])}")
    return MeasuredGroups(
        tuple(document["by"]),
        tuple(tuple(name) for name in document["groups"]),
        counts,
        {name: _from_json(found) for name, found in document["measured"].items()},
        samples if unlabelled else None,
        crossing,
        alone,
    )


@cache
def _classes() -> dict[str, type]:
    """Return the dataclasses that statistics are made of, by name."""
    kinds = {kind_of(part) for metric in METRICS.values() for part in parts_of(metric)}
    own = {part.__name__: part for kind in kinds for part in (*kind.statistics, *kind.parts)}
    return own | {each.__name__: each for each in (Measured, JointEstimates)}


def _to_json(value: Any) -> JSON:
    if value is None or type(value) in (bool, int, str):
        return value  # type: ignore[no-any-return]
    if type(value) is float:
        return value if math.isfinite(value) else {"float64": _number(value)}
    if isinstance(value, np.ndarray):
        return _array(value)
    name = type(value).__name__
    if name not in _classes():
        raise RecordError(f"statistics: {name} is none of {', '.join(sorted(_classes()))}; its kind must name it")
    return {name: {field.name: _to_json(getattr(value, field.name)) for field in dataclasses.fields(value)}}


def _array(values: np.ndarray) -> JSON:
    name = values.dtype.name
    if name not in _DTYPES:
        raise RecordError(f"statistics: an array has dtype {name}; known are {', '.join(_DTYPES)}")
    nested = values.tolist() if name != "float64" or np.isfinite(values).all() else _numbers(values.tolist())
    return {name: nested} if values.size else {name: nested, "shape": list(values.shape)}


def _numbers(nested: Any) -> Any:
    return [_numbers(part) for part in nested] if isinstance(nested, list) else _number(nested)


def _number(value: float) -> float | str | None:
    """Return a number as JSON has it: null for NaN, text for the infinite ones."""
    if math.isnan(value):
        return None
    if math.isinf(value):
        return "inf" if value > 0.0 else "-inf"
    return value


def _from_json(document: Any) -> Any:
    if not isinstance(document, dict):
        return document
    if not document:
        raise ValueError("{} is none of the values that statistics hold")
    name, content = next(iter(document.items()))
    if name in _DTYPES:
        if set(document) - {name, "shape"} or not _are(content, _PLAIN[name]):
            raise ValueError(f"{name}: holds what is none")
        found: np.ndarray = np.array(_floats(content) if name == "float64" else content, dtype=_DTYPES[name])
        if not isinstance(content, list):
            return float(found)
        return found.reshape(document["shape"]) if "shape" in document else found
    if len(document) != 1 or name not in _classes():
        raise ValueError(f"{name!r} is none of {', '.join(sorted(_classes()))}")
    kind = _classes()[name]
    expected = {field.name for field in dataclasses.fields(kind)}
    later = {"ambiguity"} & expected  # evidence that was written before it was there reads as before
    if not expected - later <= set(content) <= expected:
        raise ValueError(f"{name}: has {', '.join(content)}; expected {', '.join(sorted(expected))}")
    return kind(**{key: _from_json(part) for key, part in content.items()})


def _are(nested: Any, types: tuple[type, ...]) -> bool:
    """Say whether all that is nested is of some types, and not of others that pass for them."""
    if isinstance(nested, list):
        return all(_are(part, types) for part in nested)
    return type(nested) in types and (type(nested) is not str or nested in _INFINITE)


def _floats(nested: Any) -> Any:
    if isinstance(nested, list):
        return [_floats(part) for part in nested]
    if nested is None:
        return math.nan
    return _INFINITE[nested] if isinstance(nested, str) else nested


_READERS: Mapping[str, _Read] = {
    "held_out": groups_from_json,
    "sweep": _read_sweep,
    "comparison": _read_comparison,
}
