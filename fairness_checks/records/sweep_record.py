"""What a record says of a sweep: what was retrained, and all groups under every training mix."""

from __future__ import annotations

from dataclasses import dataclass, field

from fairness_checks.question.checks import MixAnswer
from fairness_checks.question.gaps import Gap
from fairness_checks.records.parts import Strict

__all__ = ["MixChange", "MixGroup", "MixRecord", "SweepRecord"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MixGroup(Strict):
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

    name: str
    value: float | None
    low: float | None
    high: float | None
    training_rows: float
    test_rows: float
    repeats: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MixChange(Strict):
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

    reduction: float
    low: float
    high: float
    signed: float | None
    signed_low: float | None
    signed_high: float | None
    answer: MixAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class MixRecord(Strict):
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
class SweepRecord(Strict):
    """What was retrained, and what decides, of a check on a sweep.

    Parameters
    ----------
    gap : str
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
