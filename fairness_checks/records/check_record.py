"""CheckRecord: the answer to one check, in plain builtins, that every report renders and none changes."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from fairness_checks.errors import RecordError
from fairness_checks.plain import canonical_json
from fairness_checks.question.checks import Burden, Correction, Strata
from fairness_checks.question.limits import LIMITS, LimitKind
from fairness_checks.question.question import Question
from fairness_checks.records.decision import Verdict, decide
from fairness_checks.records.parts import (
    GroupRecord,
    InputRecord,
    RegressionRecord,
    Strict,
    SuppressionRecord,
    WaiverRecord,
    first_problem,
)
from fairness_checks.records.sweep_record import SweepRecord

__all__ = ["SCHEMA", "CheckRecord"]

SCHEMA = 1
_SELDOM = ("suppressed", "lower_is_better")


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRecord(Strict):
    """Everything that is known about one check once it has been decided.

    Parameters
    ----------
    model, check, metric, by, limit_kind, limit
        The question; together (but for the limit) its key.
    verdict : {"pass", "fail", "inconclusive", "waived"}
        The decision.
    estimate, low, high : float or None
        Disparity of the deciding groups (or the worst group's rate) with its interval; None where undefined.
    confidence : float
        Of the interval: 1 - 2 alpha.
    p_violation, p_adjusted, p_compliance : float or None
        Raw and adjusted p-value of "the limit is kept", and p-value of "the limit is exceeded".
    correction, family_size
        How `p_adjusted` was adjusted, and over how many checks.
    alpha, burden_of_proof, min_group_size
        The settings that decided.
    method, comparisons
        The test, and the number of pairs or groups over which it is simultaneous.
    unit : str
        What the groups' n counts: "samples", "positives", ...
    groups : tuple of GroupRecord
        Every group, sorted by name.
    first, second : tuple of str or None
        Names of the deciding groups; `second` is None where one group's value is limited.
    reason : str or None
        Why the check is undefined, or which groups could not be judged.
    power : float
        Of the next three fields: 0.8.
    detectable : float or None
        Smallest disparity (or worst value) past the limit that these groups show with that power.
    needed_samples : tuple of int or None
        n of the deciding groups that would settle the limit if the true rates are those seen; of a check on a sweep,
        their rows in the table.
    needed_samples_if_equal : tuple of int or None
        The same if the true rates are equal.
    needed_repeats : int or None
        Of a check on a sweep, the repeats that would settle it on the same rows, if the true values are those seen;
        None where no number of them does.
    control_features : tuple of str
        Features within whose strata groups were compared.
    strata : {"each", "combined"}
        Whether the limit holds in each stratum, or for values standardised over the strata.
    component : str or None
        Of a metric that is the largest of several disparities, the metric whose disparity decides.
    also : dict of str to float
        What else is known of the deciding pair, by name.
    sweep : SweepRecord or None
        Of a check on a sweep, what was retrained.
    regression : RegressionRecord or None
        Of a check against the baseline, what it was compared with.
    waiver : WaiverRecord or None
        Set exactly where the verdict is "waived".
    about : dict of str to str
        What the model and its data are, as its fixture said; "data": "synthetic ..." for instance.
    notes : tuple of str
        What else a reader must know of the model or its data, a sentence each; decides nothing.
    cautions : tuple of str
        What this answer depends on besides the model, a sentence each; decides nothing, and stands in no table.
    inputs : InputRecord or None
        What the predictions mean; None where none were judged.
    absent : tuple of tuple of str
        Groups that were left out, as the check says that they cannot exist: a value for each of `control_features` and
        then of `by`.
    broken : bool
        Whether the check could not be made, for what the baseline should hold and does not: failed, whatever the data.
    suppressed : SuppressionRecord or None
        Of a check whose numbers, or whose statistics in the evidence, are withheld as groups are small; not written
        where None. Its verdict is that of all data.
    lower_is_better : bool or None
        Of a metric of the user's own; None where neither direction is worse, and of the metrics that `METRICS` knows.
        Not written where None.
    schema : int
        Version of this layout.
    """

    model: str
    check: str
    metric: str
    by: tuple[str, ...]
    limit_kind: LimitKind
    limit: float
    verdict: Verdict
    estimate: float | None
    low: float | None
    high: float | None
    confidence: float
    p_violation: float | None
    p_adjusted: float | None
    p_compliance: float | None
    correction: Correction
    family_size: int
    alpha: float
    burden_of_proof: Burden
    min_group_size: int
    method: str
    comparisons: int
    unit: str
    groups: tuple[GroupRecord, ...]
    first: tuple[str, ...] | None
    second: tuple[str, ...] | None
    reason: str | None = None
    power: float = 0.8
    detectable: float | None = None
    needed_samples: tuple[int, ...] | None = None
    needed_samples_if_equal: tuple[int, ...] | None = None
    needed_repeats: int | None = None
    control_features: tuple[str, ...] = ()
    strata: Strata = "each"
    component: str | None = None
    also: dict[str, float] = field(default_factory=dict)
    sweep: SweepRecord | None = None
    regression: RegressionRecord | None = None
    waiver: WaiverRecord | None = None
    about: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    cautions: tuple[str, ...] = ()
    inputs: InputRecord | None = None
    absent: tuple[tuple[str, ...], ...] = ()
    broken: bool = False
    suppressed: SuppressionRecord | None = None
    lower_is_better: bool | None = None
    schema: int = SCHEMA

    @property
    def withheld(self) -> bool:
        """Whether all but the verdict, and groups that are large enough, is withheld."""
        return self.suppressed is not None and self.estimate is None

    @property
    def key(self) -> tuple[str, str, str, tuple[str, ...], str, tuple[str, ...], str, str, str, str]:
        """Identity of the check over runs: the model, and the `Question` to it."""
        return (self.model, *self.question)

    @property
    def gap(self) -> str:
        """Of a check on a sweep, what is compared; else ""."""
        return self.sweep.gap if self.sweep else ""

    @property
    def mix(self) -> str:
        """Of the change of a gap, the one mix that is asked about; else ""."""
        return self.sweep.mix if self.sweep else ""

    @property
    def of(self) -> str:
        """Of a check against the baseline, what may not get worse; else ""."""
        return self.regression.of if self.regression else ""

    @property
    def question(self) -> Question:
        """What was asked of the model."""
        return Question.read(self)

    def group(self, name: tuple[str, ...]) -> GroupRecord:
        """Return the group of that name; raise KeyError if there is none."""
        for group in self.groups:
            if group.name == name:
                return group
        raise KeyError(name)

    def __str__(self) -> str:
        from fairness_checks.report.text import record_text

        return f"{self.verdict}: {record_text(self)}"

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        from fairness_checks.report.record_html import record_html

        return record_html(self)

    def to_json(self) -> str:
        """Return the record as one line of JSON with sorted keys.

        Raises
        ------
        RecordError
            If any value is not exactly a builtin (a NumPy scalar is a float to isinstance, but kills a pytest-xdist
            worker), or is NaN or infinite.
        """
        return canonical_json(self.plain(), "record", RecordError)

    def plain(self) -> dict[str, Any]:
        """Return the record as builtins, without what few records have where it is None."""
        plain = dataclasses.asdict(self)
        return {name: value for name, value in plain.items() if value is not None or name not in _SELDOM}

    @classmethod
    def from_json(cls, text: str) -> CheckRecord:
        """Read a record back; the inverse of `to_json`.

        Raises
        ------
        RecordError
            If the text is not JSON of this layout and schema version, or its verdict is not what its p-values decide.
        """
        try:
            record = _adapter().validate_json(text, strict=True)
        except ValidationError as error:
            raise RecordError(first_problem(error, "record")) from error
        if record.schema != SCHEMA:
            raise RecordError(f"schema: {record.schema}; this version reads schema {SCHEMA}")
        for problem in _contradictions(record):
            raise RecordError(f"{problem}; a record is written by a run, not by hand")
        return record


@cache
def _adapter() -> TypeAdapter[CheckRecord]:
    return TypeAdapter(CheckRecord)


def _contradictions(record: CheckRecord) -> Iterator[str]:
    """Yield what in a record cannot have been decided by `decide`: it was edited, or written by something else."""
    if record.withheld:
        yield from _of_withheld(record)
        return
    p_values = (record.p_violation, record.p_adjusted, record.p_compliance)
    numbers = (record.estimate, record.low, record.high, *p_values)
    if len({value is None for value in numbers}) > 1:
        yield "estimate: it, its interval and its p-values are given together or not at all"
        return
    for name in ("p_violation", "p_adjusted", "p_compliance"):
        p = getattr(record, name)
        if p is not None and not 0.0 <= p <= 1.0:
            yield f"{name}: {p:g} is no p-value"
    if not 0.0 < record.alpha < 0.5 or not _same(record.confidence, 1.0 - 2.0 * record.alpha):
        yield f"alpha: {record.alpha:g} does not go with an interval at {record.confidence:g}"
    yield from _against_adjustment(record)
    yield from _against_groups(record)
    yield from _against_verdict(record)


def _of_withheld(record: CheckRecord) -> Iterator[str]:
    """Yield what a record that withholds its numbers still says of them; its verdict cannot be told from them."""
    for name in _WITHHELD:
        if getattr(record, name) is not None:
            yield f"{name}: stands in a record whose numbers are withheld"
    if (record.waiver is not None) != (record.verdict == "waived"):
        yield f"waiver: the verdict is {record.verdict!r}"
    if record.broken and record.verdict != "fail":
        yield f"verdict: {record.verdict!r}, but the check could not be made"
    if record.suppressed is not None and {group.name for group in record.groups} & set(record.suppressed.groups):
        yield "groups: some are both shown and withheld"


_WITHHELD = ("low", "high", "p_violation", "p_adjusted", "p_compliance", "first", "second", "detectable")


def _against_verdict(record: CheckRecord) -> Iterator[str]:
    decided = decide(
        record.p_adjusted,
        record.p_compliance,
        record.alpha,
        complete=record.reason is None,
        broken=record.broken,
        waiver=record.waiver is not None,
    )
    if record.verdict != decided:
        yield f"verdict: {record.verdict!r}, but its p-values and its waiver say {decided!r}"
    elif (record.waiver is not None) != (decided == "waived"):
        yield f"waiver: stands in a record whose verdict is {record.verdict!r}"
    elif record.estimate is not None and decided != "inconclusive" and not _same(record.estimate, record.limit):
        above = record.estimate > record.limit
        exceeded = above if LIMITS[record.limit_kind].ceiling else not above
        if exceeded is (decided == "pass"):
            yield f"verdict: {record.verdict!r}, but {record.estimate:g} is on the other side of {record.limit:g}"


def _against_adjustment(record: CheckRecord) -> Iterator[str]:
    """Yield an adjusted p-value below the raw one, or above it times the checks of the family."""
    raw, adjusted = record.p_violation, record.p_adjusted
    if raw is None or adjusted is None:
        return
    most = raw if record.correction == "none" else min(1.0, raw * record.family_size)
    if not (raw <= adjusted <= most or _same(raw, adjusted) or _same(adjusted, most)):
        how = f"{record.correction} over {record.family_size}"
        yield f"p_adjusted: {adjusted:g} is no {how} of {raw:g}"


def _against_groups(record: CheckRecord) -> Iterator[str]:
    names = {group.name for group in record.groups}
    for place in ("first", "second"):
        name = getattr(record, place)
        if name is not None and name not in names:
            yield f"{place}: {name!r} is none of its groups"


def _same(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)
