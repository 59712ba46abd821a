"""`check_metric`: the laws that every metric of the table is held to, for one of your own."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from fairness_checks.errors import ConfigurationError, did_you_mean
from fairness_checks.findings.finding import find
from fairness_checks.inputs.predictions import Predictions
from fairness_checks.inputs.source import ARRAYS
from fairness_checks.judge.verdict import audit_model
from fairness_checks.kinds import kind_of
from fairness_checks.kinds.group_statistics import GroupStatistics
from fairness_checks.question.arguments import count
from fairness_checks.question.checks import Check, Settings
from fairness_checks.question.limits import LIMITS, LimitKind
from fairness_checks.question.metric_names import canonical, metric_hint
from fairness_checks.question.metrics import METRICS, Metric
from fairness_checks.question.own_metrics import own_metric_problem, registered
from fairness_checks.records.check_record import CheckRecord

__all__ = ["LAWS", "check_metric", "drawn"]

Arrays: TypeAlias = Mapping[str, npt.NDArray[Any]]
Draw: TypeAlias = Callable[[np.random.Generator], Arrays]
Law: TypeAlias = Callable[[Metric, np.random.Generator, Draw], None]

_NAMES = np.array(["ash", "birch", "cedar", "dogwood"])
_DRAWN = (*ARRAYS, "cluster", "sex", "site")
_CLOSE = 1e-7
_SEARCHED = 5e-5  # an end of an interval is searched for until it is known to 2e-5
_SETTINGS = Settings(correction="none")
_SIMULATED = 200
_MOST = 22  # rejections of 200 at 0.05: more have a probability of 4 in 10,000


def check_metric(
    metric: str | Metric | Callable[[Predictions], Any], *, seed: int = 0, examples: int = 10, draw: Draw | None = None
) -> None:
    """Hold a metric to the laws of a fair comparison, on drawn predictions.

    The order of rows and the names of groups change nothing; parts add up to the whole, so that a sample's value does
    not depend on the others; clusters of one sample are samples, and a twin of every row in its cluster is no evidence;
    names decide no tie; interval, p-values and verdict agree; and between groups that do not differ, at most a share
    alpha of the data sets show that they do.

    Parameters
    ----------
    metric : str, Metric or callable
        A name of `METRICS`, a metric of your own, or a function that `fairness_metric` has registered.
    seed : int
        Of all that is drawn.
    examples : int
        Data sets for each law.
    draw : callable, optional
        Takes a generator and returns arrays of n rows by name: those of `Predictions` that the metric reads
        ("y_true", "y_pred", "y_score", "error", "uncertainty"), the groups' names as "sex", of which there are two at
        least, and "cluster". Default: all of them, scores in (0, 1) and errors around 0; see `drawn`.

    Raises
    ------
    AssertionError
        If a law does not hold; it names the law and the example, by which it is found again.
    ConfigurationError
        If the metric is none, or no law could fail: the arrays are not those above, or leave every check undecided.

    Examples
    --------
    >>> check_metric("false_negative_rate", examples=2)
    >>> from fairness_checks import fairness_metric
    >>> @fairness_metric
    ... def centred(predictions):
    ...     return predictions.error - predictions.error.mean()  # of all samples that there are
    >>> check_metric(centred, examples=2)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    AssertionError: centred: parts add up: ...
    """
    tested, drawing = _metric(metric), drawn if draw is None else draw
    seed, examples = count("seed", seed, 0), count("examples", examples, 1)
    _require_something_to_hold(tested, seed, examples, drawing)
    for number, (name, law) in enumerate(LAWS.items()):
        for example in range(1 if law is level else examples):
            try:
                law(tested, np.random.default_rng([seed, number, example]), drawing)
            except AssertionError as error:
                raise AssertionError(f"{tested.name}: {name}: {error} (seed {seed}, example {example})") from None


def drawn(rng: np.random.Generator, fewest: int = 60, most: int = 140) -> dict[str, npt.NDArray[Any]]:
    """Draw arrays of two to four groups whose rates, errors and uncertainties differ somewhat."""
    n, groups = int(rng.integers(fewest, most)), int(rng.integers(2, 5))
    group = rng.integers(0, groups, n)
    y = rng.random(n) < 0.5
    worse = rng.uniform(0.0, 0.3, groups)[group]
    score = np.clip(np.where(y, 0.7, 0.3) + rng.normal(0.0, 0.15 + worse), 0.001, 0.999).round(2)
    return {
        "y_true": y,
        "y_pred": rng.random(n) < np.where(y, 0.8 - worse, 0.2 + worse),
        "y_score": np.clip(score, 0.01, 0.99),
        "error": rng.normal(worse, 1.0).round(2),
        "uncertainty": rng.gamma(2.0, 1.0 + worse).round(2),
        "sex": _NAMES[group],
        "cluster": rng.integers(0, n // 2, n),
    }


def order(metric: Metric, rng: np.random.Generator, draw: Draw) -> None:
    """Hold that the order of rows changes nothing."""
    arrays, check = draw(rng), _check(metric, rng)
    permuted, clustered = _rows(arrays, rng.permutation(len(arrays["sex"]))), bool(rng.random() < 0.5)
    one, two = (_judged(_predictions(some, clustered), check) for some in (arrays, permuted))
    _require_same(one, two)


def names(metric: Metric, rng: np.random.Generator, draw: Draw) -> None:
    """Hold that the names of groups change nothing but names."""
    arrays, check, clustered = draw(rng), _check(metric, rng), bool(rng.random() < 0.5)
    found = np.unique(arrays["sex"])
    renamed = {str(old): f"group {new}" for old, new in zip(found, rng.permutation(len(found)), strict=True)}
    other = {**arrays, "sex": np.array([renamed[str(name)] for name in arrays["sex"]])}
    one, two = (_judged(_predictions(some, clustered), check) for some in (arrays, other))
    _require_same(one, two, renamed.__getitem__)
    _require([g.name for g in two.groups] == sorted(g.name for g in two.groups), "groups are not sorted")
    deciding = [sorted(g.rate or 0.0 for g in r.groups if g.name in (r.first, r.second)) for r in (one, two)]
    _require(
        np.allclose(deciding[0], deciding[1]),
        f"the deciding groups have the values {deciding[0]}, renamed {deciding[1]}",
    )


def parts(metric: Metric, rng: np.random.Generator, draw: Draw) -> None:
    """Hold that statistics of parts add up to those of the whole, or say that they cannot, as those of clusters do."""
    arrays, check = draw(rng), _check(metric, rng)
    n = len(arrays["sex"])
    cuts = np.sort(rng.choice(np.arange(1, n), size=int(rng.integers(1, 4)), replace=False))
    pieces = [np.arange(n)[piece] for piece in np.split(rng.permutation(n), cuts)]
    if "cluster" in arrays:
        clustered = _measured(metric, _predictions(arrays, clustered=True))
        counted = [found.clusters is not None for found in clustered.measured.values()]
        _require(
            bool(counted) and all(counted),
            "`measure` of its kind ignores rows.cells(), so that samples in clusters are judged as if independent; "
            "return Measured with their clusters",
        )
        _require_refusal(clustered, "a cluster may have samples in both")
    measured = [_measured(metric, _predictions(_rows(arrays, piece))) for piece in pieces]
    try:
        merged = reduce(GroupStatistics.__add__, measured)
    except ConfigurationError as error:
        _require(not kind_of(metric).adds_up and "statistics of this kind have no sum" in str(error), str(error))
        return
    one, two = (find(some, check, Settings()) for some in (merged, _measured(metric, _predictions(arrays))))
    _require(one.reason == two.reason, f"{one.reason!r}, whole {two.reason!r}")
    if one.inference is not None and two.inference is not None:
        _require_close(one.inference, two.inference)
        _require((one.inference.first, one.inference.second) == (two.inference.first, two.inference.second), "groups")


def clusters(metric: Metric, rng: np.random.Generator, draw: Draw) -> None:
    """Hold that clusters of one sample are independent samples."""
    arrays, check = draw(rng), _check(metric, rng)
    single = {**arrays, "cluster": rng.permutation(len(arrays["sex"]))}
    _require_same(_judged(_predictions(arrays), check), _judged(_predictions(single, clustered=True), check))


def ties(metric: Metric, rng: np.random.Generator, draw: Draw) -> None:
    """Hold that of groups that differ alike it is their sizes that tell which decide, not their names."""
    check, clustered, strata = _check(metric, rng), *(bool(which) for which in rng.permutation([0, 0, 1])[:2])
    arrays = _tied(rng, draw, strata=strata)
    renamed = np.array([f"group {i}" for i in rng.permutation(len(_NAMES))])
    other = {**arrays, "sex": renamed[np.searchsorted(_NAMES, arrays["sex"])]}
    check = dataclasses.replace(check, control_features=("site",)) if strata else check
    one, two = (_judged(_predictions(some, clustered), check) for some in (arrays, other))
    _require(one.verdict == two.verdict, f"{one.verdict} became {two.verdict}")
    if one.estimate is None:
        return
    deciding = [
        sorted((g.n, g.rate or 0.0) for g in record.groups if g.name in (record.first, record.second))
        for record in (one, two)
    ]
    _require([n for n, _ in deciding[0]] == [n for n, _ in deciding[1]], f"groups of {deciding[0]} or {deciding[1]}")
    _require(np.allclose(deciding[0], deciding[1]), f"groups of {deciding[0]} or {deciding[1]}")
    for name in ("needed_samples", "needed_samples_if_equal"):
        was, now = (sorted(getattr(record, name) or ()) for record in (one, two))
        _require(len(was) == len(now) and np.allclose(was, now, rtol=0.0, atol=1.0), f"{name} {was} became {now}")
    for name in ("detectable", "estimate"):
        was, now = getattr(one, name), getattr(two, name)
        same = was == now or (None not in (was, now) and math.isclose(was, now, rel_tol=1e-6))
        _require(same, f"{name} {was} became {now}")


def _tied(rng: np.random.Generator, draw: Draw, *, strata: bool) -> dict[str, npt.NDArray[Any]]:
    """Draw two groups that differ, and a copy of each in which every row is there twice; in two strata, both alike."""
    two = [draw(rng) for _ in range(2)]
    parts: list[dict[str, npt.NDArray[Any]]] = []
    for name, whose, times in zip(_NAMES, (0, 0, 1, 1), (1, 2, 1, 2), strict=True):
        n = len(two[whose]["sex"])
        own = np.unique(two[whose].get("cluster", np.arange(n)), return_inverse=True)[1]
        for _ in range(times):
            unlike = {"sex": np.full(n, name), "cluster": own + 1_000_000 * len(parts), "site": np.full(n, "west")}
            parts.append({**two[whose], **unlike})
    if strata:  # the same patients in both
        parts += [
            {**part, "cluster": -1 - part["cluster"], "site": np.full(len(part["sex"]), "east")} for part in parts
        ]
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


def twins(metric: Metric, rng: np.random.Generator, draw: Draw) -> None:
    """Hold that a twin of every row, in a cluster with it, is no evidence."""
    arrays, check = draw(rng), _check(metric, rng)
    twice = np.repeat(np.arange(len(arrays["sex"])), 2)
    twice = rng.permutation(twice) if rng.random() < 0.5 else twice
    single = _judged(_predictions(arrays), check)
    double = _judged(_predictions({**_rows(arrays, twice), "cluster": twice}, clustered=True), check)
    # That few clusters are not judged has no counterpart among single samples, of which any number is.
    if any("clusters are needed" in (text or "") for text in (double.reason, *(g.problem for g in double.groups))):
        return
    _require(single.verdict == double.verdict, f"{single.verdict} became {double.verdict}")
    counts = [(2 * g.samples, 2 * g.n) for g in single.groups], [(g.samples, g.n) for g in double.groups]
    _require(counts[0] == counts[1], f"twice the groups' samples are {counts[0]}, with twins {counts[1]}")
    if single.estimate is not None:
        _require_close(single, double)


def duality(metric: Metric, rng: np.random.Generator, draw: Draw) -> None:
    """Hold that interval, p-values and verdict agree, and that the record survives JSON."""
    arrays, check, clustered = draw(rng), _check(metric, rng), bool(rng.random() < 0.5)
    limit = check.limit * float(rng.uniform(0.1, 3.0))
    limit = min(limit, 0.95 * metric.highest) if math.isfinite(metric.highest) else limit
    try:
        check = dataclasses.replace(check, limit=min(limit, 0.95) if check.limit_kind == "min_ratio" else limit)
    except ConfigurationError:  # past an end of the metric's range
        limit = check.limit
    record, limit = _judged(_predictions(arrays, clustered), check), check.limit
    _require(CheckRecord.from_json(record.to_json()) == record, "the record does not survive JSON")
    if record.estimate is None:
        _require(record.verdict == "inconclusive" and bool(record.reason), f"undefined, but {record.verdict}")
        return
    low, high, violation, compliance = record.low, record.high, record.p_violation, record.p_compliance
    assert low is not None and high is not None  # noqa: PT018  # for the type checker, as below
    assert violation is not None and compliance is not None  # noqa: PT018
    floor = check.limit_kind in ("min_ratio", "min_value")
    violated, kept = (high < limit, low > limit) if floor else (low > limit, high < limit)
    on_it = limit in (low, high)  # an end may stop at the limit itself, and no further
    said = f"[{low:g}, {high:g}] at the limit {limit:g} with p {violation:g} and {compliance:g}"
    _require(on_it or (violated == (violation < record.alpha) and kept == (compliance < record.alpha)), said)
    _require(low <= high + 1e-12, said)
    verdict = "pass" if record.reason is None and compliance < record.alpha else "inconclusive"
    if violation < record.alpha:
        verdict = "fail"
    _require(record.verdict == verdict, f"{record.verdict}: {said}")


def level(metric: Metric, rng: np.random.Generator, draw: Draw) -> None:
    """Hold that groups that do not differ are rarely shown to: names of groups are drawn at random."""
    kinds = (kind for kind, limit in LIMITS.items() if kind in metric.limits and limit.pairwise and limit.ceiling)
    check, rejected = _with_limit(metric, next(kinds, "max_difference"), 0.0), 0
    for _ in range(_SIMULATED):
        arrays = draw(rng)
        mixed = {**arrays, "sex": rng.permutation(arrays["sex"])}
        rejected += _judged(_predictions(mixed), check).verdict == "fail"
    _require(rejected <= _MOST, f"{rejected} of {_SIMULATED} data sets without a difference fail at alpha 0.05")


LAWS: Mapping[str, Law] = {
    "the order of rows changes nothing": order,
    "names of groups change nothing": names,
    "parts add up": parts,
    "clusters of one sample are samples": clusters,
    "names decide no tie": ties,
    "a twin in a cluster is no evidence": twins,
    "interval, p-values and verdict agree": duality,
    "alpha holds": level,
}
"""What `check_metric` holds a metric to, by what it says."""


def _metric(metric: object) -> Metric:
    found = metric if isinstance(metric, Metric) else registered(metric)
    found = METRICS.get(canonical(metric, METRICS)) if isinstance(metric, str) else found
    if found is None:
        raise ConfigurationError(
            f"metric: {metric!r} is none; {metric_hint(metric, METRICS)}"
            if isinstance(metric, str)
            else f"metric: {metric!r} is no name, no Metric and no function that @fairness_metric has registered"
        )
    if METRICS.get(found.name) is not found and (problem := own_metric_problem(found)) is not None:
        raise ConfigurationError(f"metric: {problem}")
    return found


def _require_something_to_hold(metric: Metric, seed: int, examples: int, draw: Draw) -> None:
    """Refuse arrays that no law says anything about."""
    reason: str | None = None
    for example in range(examples):
        rng = np.random.default_rng([seed, len(LAWS), example])
        arrays: Any = draw(rng)  # of the user
        if not isinstance(arrays, Mapping) or "sex" not in arrays:
            raise ConfigurationError('draw: must return arrays of n rows by name, the groups as "sex" among them')
        if unknown := [name for name in arrays if name not in _DRAWN]:
            raise ConfigurationError(f"draw: {unknown[0]!r} is read by no metric; {did_you_mean(unknown[0], _DRAWN)}")
        record = _judged(_predictions(arrays), _check(metric, rng))
        if record.estimate is not None:
            return
        reason = record.reason
    raise ConfigurationError(f"draw: no law can fail, as no example can be judged: {reason}")


def _check(metric: Metric, rng: np.random.Generator) -> Check:
    """Return a check with one of the metric's limits, in its range."""
    low, high = metric.lowest, metric.highest
    span = high - low if math.isfinite(high - low) else 1.0
    if not math.isfinite(low):
        low = high - span if math.isfinite(high) else 0.0
    value = low + 0.3 * span
    limits = {"max_difference": 0.05 * span, "min_ratio": 0.8, "max_value": value, "min_value": value}
    kind: Any = str(rng.choice(metric.limits))
    return _with_limit(metric, kind, limits.get(kind, 0.05))


def _with_limit(metric: Metric, kind: LimitKind, limit: float) -> Check:
    return Check(metric.name, ("sex",), kind, limit, custom=None if metric.name in METRICS else metric)


def _predictions(arrays: Arrays, clustered: bool = False) -> Predictions:
    features = {name: arrays[name] for name in ("sex", "site") if name in arrays}
    given: dict[str, Any] = {name: values for name, values in arrays.items() if name not in (*features, "cluster")}
    cluster = arrays["cluster"] if clustered and "cluster" in arrays else None
    return Predictions(**given, cluster=cluster, sensitive_features=features)


def _rows(arrays: Arrays, at: npt.NDArray[np.intp]) -> dict[str, npt.NDArray[Any]]:
    return {name: np.asarray(values)[at] for name, values in arrays.items()}


def _measured(metric: Metric, predictions: Predictions) -> GroupStatistics:
    return GroupStatistics.from_predictions(predictions, ["sex"], metrics=[metric])


def _judged(predictions: Predictions, check: Check) -> CheckRecord:
    (record,) = audit_model("model", predictions, [check], _SETTINGS)
    return record


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise AssertionError(otherwise)


def _require_refusal(part: GroupStatistics, says: str) -> None:
    try:
        part + part
    except ConfigurationError as error:
        _require(says in str(error), str(error))
    else:
        raise AssertionError("parts that may share clusters were added")


def _require_same(one: CheckRecord, other: CheckRecord, named: Callable[[str], str] = str) -> None:
    """Hold that two records say the same of their groups, up to the groups' names."""
    _require(one.verdict == other.verdict, f"{one.verdict} became {other.verdict}")
    _require((one.estimate is None) == (other.estimate is None), f"{one.estimate} became {other.estimate}")
    groups = [{named(g.name[0]): (g.samples, g.events, g.n) for g in one.groups}]
    groups.append({g.name[0]: (g.samples, g.events, g.n) for g in other.groups})
    _require(groups[0] == groups[1], f"groups {groups[0]} became {groups[1]}")
    if one.estimate is not None:
        _require_close(one, other)


def _require_close(one: Any, other: Any) -> None:
    for name in ("estimate", "p_violation", "p_compliance", "low", "high"):
        was, now = getattr(one, name), getattr(other, name)
        searched = _SEARCHED if name in ("low", "high") else _CLOSE
        _require(math.isclose(was, now, rel_tol=_CLOSE, abs_tol=searched), f"{name} {was!r} became {now!r}")
