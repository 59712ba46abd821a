"""The samples of an engine under two models, joined by their ids: counts and sums are what leaves it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import numpy.typing as npt

from fairness_checks.errors import InvalidPredictions
from fairness_checks.inputs.engine import TOTAL, Answer, Engine
from fairness_checks.inputs.narwhals_later import nw
from fairness_checks.inputs.predictions import LazyPredictions, Predictions, like
from fairness_checks.inputs.sensitive import SensitiveFeature
from fairness_checks.measure.rows import Counts
from fairness_checks.measure.sources.engine_rows import EngineRows
from fairness_checks.measure.sources.scores import MOST_SCORES
from fairness_checks.question.checks import Missing
from fairness_checks.question.metrics import Metric
from fairness_checks.stats.influence import mean_influence_of_moments
from fairness_checks.stats.joint_estimates import PairedSums
from fairness_checks.stats.paired_changes import Change, Changes
from fairness_checks.typing import Array

__all__ = ["PairedCells", "PairedRows", "why_unpaired"]


_BEFORE = "_before"  # ends the names of the accepted model's columns
_BINS = 1024.0  # of changes that differ by a factor of e
_SMALLEST = 1e-9  # of a standard deviation; smaller changes are one bin
_LARGEST = 1e300
_FAR = 1e4  # squared standard deviations of a group from where its values are added up
_SUMS = ("u", "w", "d", "dd", "ddd", "uuw", "uww")
_MOST = 10_000_000  # different changes of all groups
_MOST_PAIRS = 1_000_000  # different pairs of scores of all groups


@dataclass(frozen=True, slots=True, eq=False)
class PairedCells:
    """Combinations of features, label and both decisions: a row each, of `times` samples."""

    now: Predictions
    before: Predictions
    group: Counts  # (C,)
    times: Counts  # (C,)


def why_unpaired(now: LazyPredictions, before: LazyPredictions) -> str | None:
    """Say why two tables are not of the same samples; None where they are. InvalidPredictions for an id there twice."""
    return _joined(now, before)[0]


def _joined(now: LazyPredictions, before: LazyPredictions) -> tuple[str | None, Answer | None]:
    """Return why samples cannot be paired, or how many have each combination of what both tables say; asked once."""
    if "pairs" not in now.kept:
        now.kept["pairs"] = _join(now, before)
    found: tuple[str | None, Answer | None] = now.kept["pairs"]
    return found


def _join(now: LazyPredictions, before: LazyPredictions) -> tuple[str | None, Answer | None]:
    _refuse_twice(now, "")
    _refuse_twice(before, "accepted: ")
    why = "other samples than in the table of the accepted model"
    if len(now) != len(before):
        return f"{why} ({len(now):,}, and {len(before):,} there)", None
    mine = {key: nw.col(key) for key in (*now.engine.features.values(), *now.engine.outcomes)}
    theirs = {f"{key}{_BEFORE}": column for key, column in mine.items()}
    answer = now.asked("cells of pairs", partial(_cells, before=before.engine, mine=mine, theirs=theirs))
    if (lost := len(now) - int(answer.whole("n").sum())) > 0:
        return f"{why} ({lost:,} of {len(now):,} ids are not in it)", None
    own, other = answer.coded(), _before(answer).coded()
    differ = [name for name, feature in own.items() if _names(feature) != _names(other[name])]
    if "label" in mine and (answer.whole("label") != answer.whole(f"label{_BEFORE}")).any():
        differ.append("labels")
    return (f"{why} (of the same ids, {' and '.join(differ)} differ)", None) if differ else (None, answer)


def _refuse_twice(predictions: LazyPredictions, which: str) -> None:
    """Refuse ids that are there twice."""
    answer = predictions.asked("ids", _ids)
    if (more := len(predictions) - int(answer.whole("ids")[0])) > 0:
        raise InvalidPredictions(
            f"{which}{predictions.engine.source}: sample_id: {more:,} of {len(predictions):,} rows have the id of "
            "another; each sample needs an id of its own (a patient with several samples is a cluster)"
        )


def _ids(engine: Engine) -> Answer:
    return engine.ask(engine.frame.select("sample").unique().select(nw.len().alias("ids")))


def _cells(engine: Engine, before: Engine, mine: Mapping[str, nw.Expr], theirs: Mapping[str, nw.Expr]) -> Answer:
    """Count samples by what both tables say of them."""
    both = _beside(engine, before, mine, theirs)
    found = engine.ask(both.group_by(*mine, *theirs).agg(nw.len().alias("n")))
    before.check()
    return found


def _beside(
    now: Engine, before: Engine, mine: Mapping[str, nw.Expr], theirs: Mapping[str, nw.Expr]
) -> nw.LazyFrame[Any]:
    """Join what is made of the columns of both tables by the ids of samples."""
    before.check()
    one, other = now.frame.select("sample", **mine), before.frame.select("sample", **theirs)
    if one.collect_schema()["sample"] != other.collect_schema()["sample"]:  # compared as text, as in memory
        one, other = (frame.with_columns(nw.col("sample").cast(nw.String)) for frame in (one, other))
    return one.join(other, on="sample", how="inner")


def _before(answer: Answer) -> Answer:
    """Return what the table of the accepted model says, under its columns' own names."""
    names = [name for name in answer.table.columns if name.endswith(_BEFORE)]
    table = answer.table.select("n", **{name.removesuffix(_BEFORE): nw.col(name) for name in names})
    return Answer(table, answer.features)


def _names(feature: SensitiveFeature) -> list[str | None]:
    return [feature.groups[code] if code >= 0 else None for code in feature.codes.tolist()]


class PairedRows(EngineRows):
    """Samples in their groups under two models, where `why_unpaired` is None."""

    def __init__(self, predictions: LazyPredictions, by: Sequence[str], missing: Missing) -> None:
        super().__init__(predictions, by, missing)
        assert predictions.accepted is not None  # for the type checker: else nothing is paired
        self._other = predictions.accepted
        self._old = EngineRows(self._other, by, missing)

    @cached_property
    def paired(self) -> PairedCells:
        """How many samples have each combination of what both models decided."""
        why, answer = _joined(self.predictions, self._other)
        if answer is None:
            raise ValueError(f"the samples are not paired: {why}")
        place, old = self._place(answer), _before(answer)
        self._require_same_outcomes(answer, place)
        self._old._require_same_outcomes(old, self._old._place(old))
        empty = like(self.predictions.cells, y_true=None, y_pred=None)

        def said(of: Answer) -> Predictions:
            roles = {"y_true": "label", "y_pred": "decided"}
            arrays = {role: of.whole(name).astype(bool) for role, name in roles.items() if name in of.table.columns}
            return like(empty, **arrays)

        return PairedCells(said(answer), said(old), place, answer.whole("n"))

    @cached_property
    def paired_scores(self) -> tuple[Counts, npt.NDArray[np.bool_], Array, Array, Counts]:
        """Group, label and both scores of samples that have all of these alike, and how many there are; each (C,)."""
        assert self.paired is not None  # an error here if the samples are others
        for rows in (self, self._old):
            rows.require("y_true", "y_score")
        answer = self.predictions.asked(
            f"pairs of scores by {self._columns}", partial(_scores, before=self._other.engine, features=self._columns)
        )
        place, times = self._place(answer), answer.whole("n")
        self._require_same(np.bincount(place, times, len(self.groups)))
        scores = [answer.real(name) for name in ("score", f"score{_BEFORE}")]
        self._require_same_total(f"{TOTAL}score", place, times * scores[0])
        self._old._require_same_total(f"{TOTAL}score", self._old._place(answer), times * scores[1])
        return place, answer.whole("label").astype(bool), scores[0], scores[1], times

    def paired_means(self, metric: Metric) -> list[PairedSums]:
        """Add up a metric's values, u now and w before, and by how much they changed, d, in each group."""
        assert self.paired is not None  # an error here if the samples are others
        groups, now, before = len(self.groups), self.moments(metric), self._old.moments(metric)
        before = before.take([self._old.groups.index(group) for group in self.groups])
        n, means = np.maximum(now.n, 1), [np.nan_to_num(some.mean) for some in (now, before)]
        pivot = float(np.average(means[0], weights=now.n))
        values = [rows._value(metric)[0] - pivot for rows in (self, self._old)]
        deviation = float(np.sqrt((now.m2 + before.m2).sum() / now.n.sum()))
        least = None if len(self.predictions) <= MOST_SCORES else _SMALLEST * (deviation or 1.0)
        query = partial(_sums, before=self._other.engine, values=values, least=least)
        answer = self.predictions.asked(f"pairs of {metric.name}", query)
        place, times = self._place(answer), answer.whole("n")
        self._require_same(np.bincount(place, times, groups))
        total = {name: np.bincount(place, answer.real(name), groups).astype(np.float64) for name in _SUMS}
        for some, mean, name in zip((now, before), means, "uw", strict=True):
            size = np.sqrt(some.n * (some.m2 + some.n * mean**2))
            self._require_same_sums(total[name] + pivot * some.n, some.n * mean, size, some.n)
        u, w, d = (total[name] / n for name in "uwd")
        for some, away in ((now, u), (before, w)):
            if ((n * away**2 > _FAR * some.m2) & (some.m2 > 0.0)).any():
                self.refuse(f"{metric.name}: changes of values that vary so little beside the distance of groups")
        dd, ddd = total["dd"] - n * d**2, total["ddd"] - 3.0 * d * total["dd"] + 2.0 * n * d**3
        uw = (now.m2 + before.m2 - dd) / 2.0
        uuw = total["uuw"] - w * (now.m2 + n * u**2) - 2.0 * u * (uw + n * u * w) + 2.0 * n * u**2 * w
        uww = total["uww"] - u * (before.m2 + n * w**2) - 2.0 * w * (uw + n * u * w) + 2.0 * n * w**2 * u
        # The changes' own third moment is known; as a difference of the others it would be rounding.
        both, apart = uuw + uww, (now.m3 - before.m3 - ddd) / 3.0
        low, high = answer.real("low"), answer.real("high")
        change = np.where(low == high, low, answer.real("d") / times)
        found = []
        for g, of_group in enumerate(place == g for g in range(groups)):
            count = int(now.n[g])
            scale = math.sqrt(count / (count - 1.0)) / count if count > 1 else 0.0  # as `mean_influence` has it
            varies = now.m2[g] > 0.0 or before.m2[g] > 0.0
            at = of_group if varies else np.zeros_like(of_group)
            changes = Change(change[at] * scale, np.ones(int(at.sum())), bounded=False, times=times[at]).total()
            if least is not None and varies:
                changes = _with_ends(changes, scale, (low[at].min() - d[g], high[at].max() - d[g], dd[g]))
            new, old = (
                mean_influence_of_moments(count, float(some.mean[g]), float(some.m2[g]), float(some.m3[g]))
                for some in (now, before)
            )
            second = (now.m2[g], uw[g], before.m2[g])
            third = (now.m3[g], (both[g] + apart[g]) / 2.0, (both[g] - apart[g]) / 2.0, before.m3[g])
            found.append(PairedSums(new, old, np.array(second) * scale**2, np.array(third) * scale**3, changes))
        return found


def _with_ends(changes: Changes, scale: float, exact: tuple[float, float, float]) -> Changes:
    """Return changes that were counted in bins with the ends and the squares of single ones."""
    low, high, squares = exact
    return dataclasses.replace(changes, lowest=low * scale, highest=high * scale, spread=max(squares, 0.0) * scale**2)


def _scores(engine: Engine, before: Engine, features: Sequence[str]) -> Answer:
    """Count samples by features, label and both scores."""
    mine = {name: nw.col(name) for name in (*features, "label", "score")}
    both = _beside(engine, before, mine, {f"score{_BEFORE}": nw.col("score")})
    counted = both.group_by(*mine, f"score{_BEFORE}").agg(nw.len().alias("n"))
    found = engine.ask(counted, _MOST_PAIRS, what="labels and both scores (round these, where there are more)")
    before.check()
    return found


def _sums(engine: Engine, before: Engine, values: Sequence[nw.Expr], least: float | None) -> Answer:
    """Add up by all features and change; where `least` is given, by bins of changes, one for all that are smaller."""
    features = list(engine.features.values())
    mine = {name: nw.col(name) for name in features} | {"u": values[0]}
    u, w, d = (nw.col(name) for name in "uwd")
    both = _beside(engine, before, mine, {"w": values[1]}).with_columns(d=u - w)
    key = d
    if least is not None:
        above = (d.abs().clip(least, _LARGEST) / least).log() * _BINS
        key = nw.when(d < 0.0).then(-1.0 * above.floor()).otherwise(above.floor())
    made = both.with_columns(key=key, dd=d * d, ddd=d * d * d, uuw=u * u * w, uww=u * w * w, low=d, high=d)
    counted = made.group_by(*features, "key")
    sums = [nw.col(name).sum() for name in _SUMS]
    found = engine.ask(counted.agg(nw.len().alias("n"), *sums, nw.col("low").min(), nw.col("high").max()), most=_MOST)
    before.check()
    return found
