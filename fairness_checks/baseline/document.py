"""What a baseline says: for each model its checks as they were accepted, and where its samples' outcomes are.

::

    thresholds.yaml
    fairness-baseline.json                             Baseline: read by people in a pull request
    fairness-baseline/<model>-<sha256>.npz             outcomes of a model's samples, for paired tests

Nothing here loads NumPy. `entries` makes it of records, `text` writes it, `reading` reads it back, `store` replaces it,
`outcomes` holds the samples.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import ConfigDict, Field

from fairness_checks.question.checks import Strata, Worsening
from fairness_checks.question.limits import LimitKind
from fairness_checks.question.question import Question
from fairness_checks.records.check_record import Verdict
from fairness_checks.typing import ImageScaling

__all__ = [
    "SCHEMA",
    "Baseline",
    "Entry",
    "GroupEntry",
    "ModelBaseline",
    "OutcomesRef",
]

SCHEMA = 2
_STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)

Sha256: TypeAlias = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Salt: TypeAlias = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
KeyId: TypeAlias = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupEntry:
    """One group as it was accepted.

    Parameters
    ----------
    name : tuple of str
        Value of each feature of the check's control features and its ``by``.
    n : int
        Denominator of a rate, or the samples that another metric is computed from.
    events : int or None
        Numerator of a rate; None for other metrics.
    value, variance, df : float or None
        The metric's value, the variance of that value and the degrees of freedom of the variance; None where undefined
        (a rate's variance: its counts say it) and, of `df`, where the variance is taken as known.
    centre, third : float or None
        Of a check against the baseline: the value with its pseudo-samples, and the sum of the cubes of what single
        samples (or clusters) contribute; see `fairness_checks.stats.influence.Influence`.
    extra : tuple of float
        Likewise: what the pseudo-samples contribute.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    name: tuple[str, ...]
    n: int
    events: int | None
    value: float | None
    variance: float | None
    df: float | None
    centre: float | None = None
    third: float | None = None
    extra: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One check as it was accepted.

    Parameters
    ----------
    check, metric, by, limit_kind, control_features, strata, gap, of, mix
        The `Question`; `of` is what a check against the baseline compares.
    limit : float
        Its limit.
    verdict : {"pass", "fail", "inconclusive", "waived"}
        The decision.
    estimate, low, high : float or None
        With its interval; None where undefined.
    groups : tuple of GroupEntry
        Every group, sorted by name.
    ratchet_limit : float or None
        The tightest limit that was ever accepted, where limits may only be tightened.
    positive : str or None
        Name of the positive class; None without labels, and in baselines that did not hold it.
    scaling : {"[-1, 1]", "[0, 1]", "as given", "transform"} or None
        Of a model of images, in which scale its errors are; None of others, and in baselines that did not hold it.
    versions : dict of str to str
        Packages that the numbers came from.
    git_commit : str or None
        40 hexadecimal digits, with "+dirty" behind them if the tree held other things than that commit.
    date : str
        Of the day on which it was accepted, as in 2027-06-30.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    check: str
    metric: str
    by: tuple[str, ...]
    limit_kind: LimitKind
    limit: float
    control_features: tuple[str, ...] = ()
    strata: Strata = "each"
    gap: str = ""
    of: Literal[""] | Worsening = ""
    mix: str = ""
    verdict: Verdict
    estimate: float | None
    low: float | None
    high: float | None
    groups: tuple[GroupEntry, ...]
    ratchet_limit: float | None = None
    positive: str | None = None
    scaling: ImageScaling | None = None
    versions: dict[str, str] = field(default_factory=dict)
    git_commit: Annotated[str, Field(pattern=r"^[0-9a-f]{40}(\+dirty)?$")] | None = None
    date: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\d")]

    @property
    def question(self) -> Question:
        """What was asked."""
        return Question.read(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomesRef:
    """Where the outcomes of a model's samples are, and what must be in there.

    Parameters
    ----------
    file : str
        Relative to the folder of the JSON, with ``/``.
    samples : int
        How many there are.
    sha256 : str
        Of the file.
    fingerprint : str
        Of the samples: `fairness_checks.baseline.fingerprint.Pseudonyms.fingerprint`.
    key : str or None
        Which key the pseudonyms and the fingerprint were made with: `fairness_checks.baseline.secret_key.SecretKey.id`.
        None where it was the salt of a baseline of schema 1.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    # In one folder beside the JSON: a baseline that somebody else wrote must not lead out of there.
    file: Annotated[str, Field(pattern=r"^[^./\\:][^/\\:]*/[A-Za-z0-9_]+-[0-9a-f]{12}\.npz$")]
    samples: Annotated[int, Field(ge=1)]
    sha256: Sha256
    fingerprint: Sha256
    key: KeyId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelBaseline:
    """One model as it was accepted.

    Parameters
    ----------
    checks : dict of str to Entry
        By `Question.line`.
    outcomes : OutcomesRef or None
        None where the samples have no ids, so that nothing can be paired.
    data_fingerprint : str or None
        Of the samples that the checks were asked of; None as above.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    checks: dict[str, Entry]
    outcomes: OutcomesRef | None = None
    data_fingerprint: Sha256 | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """All of it.

    Parameters
    ----------
    schema : int
        Version of this layout.
    salt : str or None
        32 hexadecimal digits: of a baseline of schema 1, in which it stood beside the ids that were hashed under it, so
        that they could be found by trying. It stays until the last outcomes that need it have been written anew.
    models : dict of str to ModelBaseline
        By the model's name.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    schema: int = SCHEMA
    salt: Salt | None = None
    models: dict[str, ModelBaseline] = field(default_factory=dict)
