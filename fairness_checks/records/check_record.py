"""CheckRecord: the answer to one check, in plain builtins, that every report renders and none changes."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import ClassVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from fairness_checks.errors import RecordError
from fairness_checks.plain import canonical_json, printable
from fairness_checks.question.checks import (
    Burden,
    Correction,
    Gap,
    IdenticalRows,
    MixAnswer,
    Strata,
    Worsening,
)
from fairness_checks.question.limits import LIMITS, LimitKind
from fairness_checks.question.question import Question
from fairness_checks.records.decision import Verdict, decide
from fairness_checks.typing import Decisions, ImageScaling

__all__ = [
    "SCHEMA",
    "CheckRecord",
    "GroupRecord",
    "InputRecord",
    "MixChange",
    "MixGroup",
    "MixRecord",
    "RegressionRecord",
    "SweepRecord",
    "Verdict",
    "WaiverRecord",
]

SCHEMA = 1
_STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRecord:
    """One group's counts and rate.

    Parameters
    ----------
    name : tuple of str
        Value of each feature of the check's ``by``.
    samples : int
        All samples of the group.
    events : int or None
        Numerator of a rate (for a false negative rate: the false negatives); None for other metrics.
    n : int
        Denominator of a rate (its positives), or the samples that another metric is computed from.
    rate, low, high : float or None
        The metric's value with its interval at the record's confidence (of a rate, Clopper and Pearson's); None where
        undefined.
    standard_error : float or None
        Of the value, where inference uses it; None for rates, whose counts say it.
    clusters : int or None
        Clusters that the n samples come in; None where samples are independent.
    effective_n : float or None
        Of a rate in clusters, the independent samples that its n are worth (Rao and Scott 1992).
    also : dict of str to (float or None)
        What else is known of the group, by name; shown beside its value, and decides nothing.
    problem : str or None
        Why the group could not be judged.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    name: tuple[str, ...]
    samples: int
    events: int | None
    n: int
    rate: float | None
    low: float | None
    high: float | None
    standard_error: float | None = None
    clusters: int | None = None
    effective_n: float | None = None
    also: dict[str, float | None] = field(default_factory=dict)
    problem: str | None = None

    @property
    def label(self) -> str:
        """The group's name as reports show it."""
        return printable(", ".join(self.name))


@dataclass(frozen=True, slots=True, kw_only=True)
class WaiverRecord:
    """The accepted debt that covers a violation."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    reason: str
    approved_by: str
    expires: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InputRecord:
    """What the predictions mean that were judged.

    Parameters
    ----------
    positive : str or None
        Name of the positive class, "1" where labels are 0/1 or bool and nothing else was said; None without labels.
    decisions : {"given", "threshold"} or None
        Whether decisions were given, or are scores at or above the threshold; None where there are none.
    threshold : float or None
        From which score on a decision is positive; None unless it decides, and in all trainings of a sweep.
    repeated_rows : int or None
        Rows of a data set that is trained on whose features are those of an earlier row; None of predictions alone.
    identical_rows : {"independent", "together"} or None
        Whether splits may part such rows; None of predictions alone.
    scaling : {"[-1, 1]", "[0, 1]", "as given", "transform"} or None
        What pixels of 0 to 255 became for a model of images, whose errors are in these units; None of any other.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    positive: str | None = None
    decisions: Decisions | None = None
    threshold: float | None = None
    repeated_rows: int | None = None
    identical_rows: IdenticalRows | None = None
    scaling: ImageScaling | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MixGroup:
    """One group under one training mix.

    Parameters
    ----------
    name : str
        The group.
    value, low, high : float or None
        The metric in the mean over the repeats, with its interval at the record's confidence; None where undefined.
    training_rows, test_rows : float
        Rows that were trained on, synthetic ones counted, and rows that tested, in the mean over the repeats.
    repeats : int
        Repeats in which the value is defined.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    name: str
    value: float | None
    low: float | None
    high: float | None
    training_rows: float
    test_rows: float
    repeats: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MixChange:
    """What another training mix does to the gap, compared with the mix as is on the same splits.

    Intervals are simultaneous over the mixes (Bonferroni), each end at the record's alpha.

    Parameters
    ----------
    reduction, low, high : float
        The disparity as is less that under the mix; negative where it grows.
    signed, signed_low, signed_high : float or None
        Of two groups, the signed difference under the mix less that as is; None of more groups.
    answer : {"closes", "narrows", "reverses", "widens", "open"}
        Whether the gap is shown to be smaller, and then told from none or not; to have the other sign; to be larger;
        or none of these.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    reduction: float
    low: float
    high: float
    signed: float | None
    signed_low: float | None
    signed_high: float | None
    answer: MixAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class MixRecord:
    """All groups under one training mix.

    Parameters
    ----------
    mix, feature_set : str
        What was trained with.
    groups : tuple of MixGroup
        Every group, sorted by name.
    first, second : str or None
        Of two groups, the same in all mixes: the one with the higher value as is comes first. Of more, the two that
        differ most under this mix. None where there is no gap.
    gap, gap_low, gap_high : float or None
        Value of `first` less that of `second`, with its interval: negative where a mix reverses it.
    change : MixChange or None
        Against the mix as is; None of that mix itself, and where there is none or a group cannot be judged.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    mix: str
    feature_set: str
    groups: tuple[MixGroup, ...]
    first: str | None = None
    second: str | None = None
    gap: float | None = None
    gap_low: float | None = None
    gap_high: float | None = None
    change: MixChange | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepRecord:
    """What was retrained, and what decides, of a check on a sweep.

    Parameters
    ----------
    gap : {"each_mix", "equal_representation", "worst_case", "best_case", "dependence", "change"}
        What is compared.
    mix : str
        Of a change, the one mix that is asked for; empty for every mix, and of other gaps.
    mixes : tuple of str
        All training mixes of the sweep.
    first_mix, second_mix : str or None
        The mix of the deciding first and second group; the same but for worst and best cases; None for a dependence. Of
        a change, the mix as is and the one compared with it.
    feature_set : str or None
        The feature set that decides.
    repeats : int
        Splits of the data, each trained on with every mix and feature set.
    undefined : int
        Repeats in which the deciding gap is undefined; left out.
    test_train_ratio : float
        Test rows over training rows, by which overlapping repeats are corrected (Nadeau and Bengio 2003): those of the
        deciding gap's groups, each by its own ratio, weighted by how much of the gap's variance it adds. The larger
        one of a mismatch, the largest of all groups of a slope, and of all gaps where none is judged.
    training_rows : dict of str to (dict of str to float)
        By mix and group, the rows trained on in the mean over the repeats, synthetic ones counted.
    slope_mixes : tuple of str
        Of a dependence, the mixes that its slopes are over: those that train on one number of rows.
    freedom : float or None
        Degrees of freedom of the deciding gap's variance: one less than its repeats, or than the effective clusters of
        the group that has fewer of them.
    corrected_p : float or None
        p-value of "no difference" by the deciding gap, corrected for overlapping repeats (Nadeau and Bengio 2003).
    published_test : str or None
        The test that published studies make of such repeats as if they were independent.
    published_p : float or None
        Its p-value of "no difference": far too small, as the repeats overlap. Decides nothing.
    as_is : str or None
        The mix that the others are compared with: the data as they are; None where there is none.
    table : tuple of MixRecord
        Every group under every mix and feature set, and what each mix does to the gap.
    repeat_share : float or None
        How much of the deciding gap's variance more repeats of the same patients would take away.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    gap: Gap
    mixes: tuple[str, ...]
    first_mix: str | None
    second_mix: str | None
    feature_set: str | None
    repeats: int
    undefined: int
    test_train_ratio: float
    training_rows: dict[str, dict[str, float]] = field(default_factory=dict)
    slope_mixes: tuple[str, ...] = ()
    freedom: float | None = None
    corrected_p: float | None = None
    published_test: str | None = None
    published_p: float | None = None
    mix: str = ""
    as_is: str | None = None
    table: tuple[MixRecord, ...] = ()
    repeat_share: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegressionRecord:
    """What a model was compared with, of a check against the baseline.

    Parameters
    ----------
    of : {"disparity", "worst_group", "each_group"}
        What may not get worse.
    before, after : float or None
        Its value in the baseline and now.
    old_first, old_second : tuple of str or None
        The groups that decided it in the baseline.
    paired : bool
        Whether the same samples were compared.
    pairing : str
        Why they were, or why not.
    baseline_date : str or None
        Day on which the baseline was written; None where there is none.
    baseline_commit : str or None
        Commit of the project then.
    levelling_down : str or None
        Said where a disparity closed because the better group got worse.
    held_limit : float or None
        Largest disparity, or worst value, that the baseline holds since it was tightened.
    suggested_limit : float or None
        To what a proved improvement tightens it when the baseline is updated: the end of the interval of the value
        now, and what it may get worse by; None where nothing is proved, or what is held is tighter.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    of: Worsening
    before: float | None
    after: float | None
    old_first: tuple[str, ...] | None
    old_second: tuple[str, ...] | None
    paired: bool
    pairing: str
    baseline_date: str | None
    baseline_commit: str | None
    levelling_down: str | None = None
    held_limit: float | None = None
    suggested_limit: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRecord:
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
    schema : int
        Version of this layout.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

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
    schema: int = SCHEMA

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

    def to_json(self) -> str:
        """Return the record as one line of JSON with sorted keys.

        Raises
        ------
        RecordError
            If any value is not exactly a builtin (a NumPy scalar is a float to isinstance, but kills a pytest-xdist
            worker), or is NaN or infinite.
        """
        return canonical_json(dataclasses.asdict(self), "record", RecordError)

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
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "record"
            raise RecordError(f"{where}: {first['msg']} ({error.error_count()} problems in all)") from error
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
