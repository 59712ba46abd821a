"""What a sweep leaves of each training, and of all of them: plain builtins, the same bytes for the same numbers."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from fairness_checks.errors import ConfigurationError, RecordError
from fairness_checks.plain import canonical_json
from fairness_checks.question.metric_names import canonical, metric_hint
from fairness_checks.question.metrics import METRICS
from fairness_checks.records.parts import Strict
from fairness_checks.stats.mismatch import comes_first
from fairness_checks.sweep.plan import Task
from fairness_checks.typing import Decisions, ImageScaling

__all__ = ["GroupResult", "PairResult", "RepeatResult", "SweepResults"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupResult(Strict):
    """One group in one repeat."""

    train: int  # rows that were trained on
    real: int  # how many different rows of the data set these are or were made from
    test: int  # rows that tested
    counts: tuple[int, int, int, int] | None  # tn, fp, fn, tp of the test rows
    values: dict[str, float | None]  # by metric; None where it is undefined
    # of means: n, m2, m3 as in `MeanStatistics`
    moments: dict[str, tuple[float, float, float]] = dataclasses.field(default_factory=dict)
    sketches: dict[str, tuple[float, ...] | None] = dataclasses.field(default_factory=dict)  # by metric, see `sketches`


@dataclass(frozen=True, slots=True, kw_only=True)
class PairResult(Strict):
    """How errors and uncertainties order two groups in one repeat."""

    first: str  # the groups, sorted
    second: str
    error_auc: float  # P(higher in `first` than in `second`) + P(equal) / 2
    uncertainty_auc: float

    @property
    def mismatch(self) -> float:
        """A_error - A_uncertainty, with the group that has the higher error first; see `comes_first`."""
        difference = self.error_auc - self.uncertainty_auc
        return difference if comes_first(self.error_auc, self.uncertainty_auc) else -difference


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatResult(Strict):
    """One training: a mix, a feature set, a repeat."""

    mix: str
    feature_set: str
    repeat: int
    groups: dict[str, GroupResult]
    pairs: tuple[PairResult, ...] = ()  # empty where the predictions have no uncertainty
    positive: str | None = None  # this and the next: what the predictions mean, see `Predictions`
    decided_by: Decisions | None = None
    threshold: float | None = None
    scaling: ImageScaling | None = None

    @property
    def task(self) -> Task:
        """Which training it was, as `SweepPlan.tasks` says it."""
        return Task(self.mix, self.feature_set, self.repeat)

    def to_json(self) -> str:
        """Return canonical JSON; raise RecordError if something is no plain builtin."""
        return canonical_json(self.plain(), f"result of {self.task}", RecordError)

    def plain(self) -> dict[str, Any]:
        """Return what is written as plain builtins, parts of the result itself."""
        groups = {name: _fields(group) for name, group in self.groups.items()}
        return {**_fields(self), "groups": groups, "pairs": [_fields(pair) for pair in self.pairs]}

    @classmethod
    def from_json(cls, text: str) -> RepeatResult:
        """Read a result back; raise pydantic.ValidationError (a ValueError) if the text is not of this layout."""
        return _repeats().validate_json(text, strict=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepResults(Strict):
    """All trainings of a sweep.

    Parameters
    ----------
    model : str
        Name of the model.
    by : str
        Sensitive feature that was mixed and compared.
    groups : dict of str to int
        Rows of each group in the data set.
    repeated_rows : int
        Rows of the data set whose features are those of an earlier one.
    clusters : dict of str to (int, float)
        Of each group, its clusters (rows that stay together) and how many they are worth, n^2 / sum m^2 over clusters
        of m rows; empty where all rows are independent.
    results : tuple of RepeatResult
        Sorted by mix, feature set and repeat.
    trained : int
        How many of them this run trained; the others were stored. Not part of what is written.
    kept : str or None
        When the oldest of those that were stored was written, as in 2027-06-30T12:00:00Z; None where none was. Not part
        of what is written either.
    """

    model: str
    by: str
    groups: dict[str, int]
    repeated_rows: int
    results: tuple[RepeatResult, ...]
    clusters: dict[str, tuple[int, float]] = dataclasses.field(default_factory=dict)
    trained: int = 0
    kept: str | None = None

    def of(self, mix: str, feature_set: str) -> tuple[RepeatResult, ...]:
        """Return the repeats of one mix and feature set, in order; none if there are no such."""
        return tuple(r for r in self.results if (r.mix, r.feature_set) == (mix, feature_set))

    def fact(self, name: str) -> Any:
        """Return `positive`, `decided_by`, `threshold` or `scaling` of all trainings; None where they do not agree."""
        first, *others = {getattr(result, name) for result in self.results} or {None}
        return None if others else first

    def values(self, metric: str, group: str, mix: str, feature_set: str) -> list[float | None]:
        """Return a metric of one group over the repeats; None where it is undefined or was not measured."""
        known = METRICS.keys() | {name for r in self.results for each in r.groups.values() for name in each.values}
        if (name := canonical(metric, known)) not in known:
            raise ConfigurationError(f"metric: {metric!r} is none of this sweep; {metric_hint(metric, known)}")
        return [r.groups[group].values.get(name) for r in self.of(mix, feature_set)]

    def to_json(self, texts: Iterable[str] | None = None) -> str:
        """Return everything but `trained` and `kept` as canonical JSON: the same text for the same numbers."""
        # `texts` are those of the results, where they have been written already. The key "results" sorts last.
        whole = self.plain()
        del whole["results"]
        start = canonical_json(whole, "sweep", RecordError).removesuffix("}")
        written = (result.to_json() for result in self.results) if texts is None else texts
        return f'{start},"results":[{",".join(written)}]}}'

    def plain(self) -> dict[str, Any]:
        """Return what is written as plain builtins, parts of the results themselves."""
        plain = {**_fields(self), "results": [result.plain() for result in self.results]}
        del plain["trained"], plain["kept"]
        return plain

    @classmethod
    def from_json(cls, text: str) -> SweepResults:
        """Read results back; raise pydantic.ValidationError (a ValueError) if the text is not of this layout."""
        return _sweeps().validate_json(text, strict=True)


def _fields(part: GroupResult | PairResult | RepeatResult | SweepResults) -> dict[str, Any]:
    """Return the fields by name; unlike `dataclasses.asdict` without a copy of each number in them."""
    return {name: getattr(part, name) for name in part.__dataclass_fields__}


@cache
def _repeats() -> TypeAdapter[RepeatResult]:
    return TypeAdapter(RepeatResult)


@cache
def _sweeps() -> TypeAdapter[SweepResults]:
    return TypeAdapter(SweepResults)
