"""What a record is made of: its groups, what was judged, what covers it and what it was compared with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from pydantic import ConfigDict, ValidationError

from fairness_checks.plain import printable
from fairness_checks.question.checks import IdenticalRows, Worsening
from fairness_checks.typing import Decisions, ImageScaling

__all__ = [
    "GroupRecord",
    "InputRecord",
    "RegressionRecord",
    "Strict",
    "SuppressionRecord",
    "WaiverRecord",
    "first_problem",
]


class Strict:
    """How what is written is read back: with the fields that there are, and numbers that are numbers."""

    __slots__ = ()
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", allow_inf_nan=False)


def first_problem(error: ValidationError, whole: str) -> str:
    """Say where what was read is wrong first, and how; `whole` stands for the place where it is all of it."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"]) or whole
    return f"{where}: {first['msg']} ({error.error_count()} problems in all)"


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRecord(Strict):
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
class WaiverRecord(Strict):
    """The accepted debt that covers a violation."""

    reason: str
    approved_by: str
    expires: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InputRecord(Strict):
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

    positive: str | None = None
    decisions: Decisions | None = None
    threshold: float | None = None
    repeated_rows: int | None = None
    identical_rows: IdenticalRows | None = None
    scaling: ImageScaling | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SuppressionRecord(Strict):
    """Why a check is attested by the run that made it, and cannot be recomputed: small cells are withheld.

    Parameters
    ----------
    below : int
        Fewer samples, events or clusters of a group are not shown: `suppress_below` of thresholds.yaml.
    groups : tuple of tuple of str
        Groups of the check that are withheld, by their values of its `control_features` and then of its `by`.
    """

    below: int
    groups: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RegressionRecord(Strict):
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
