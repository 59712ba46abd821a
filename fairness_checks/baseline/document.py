"""What a baseline says: for each model its checks as they were accepted, and where its samples' outcomes are."""

#   thresholds.yaml
#   fairness-baseline.json                             Baseline: read by people in a pull request
#   fairness-baseline/<model>-<sha256>.npz             outcomes of a model's samples, for paired tests
# Nothing here loads NumPy. `entries` makes it of records, `text` writes it, `reading` reads it back, `store` replaces
# it, `outcomes` holds the samples.

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field

from fairness_checks.question.checks import Strata, Worsening
from fairness_checks.question.limits import LimitKind
from fairness_checks.question.question import Question
from fairness_checks.records.decision import Verdict
from fairness_checks.records.parts import Strict
from fairness_checks.typing import ImageScaling

__all__ = ["SCHEMA", "Baseline", "Entry", "GroupEntry", "Look", "ModelBaseline", "OutcomesRef", "Salt", "Sha256"]

SCHEMA = 2

Sha256: TypeAlias = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Salt: TypeAlias = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Count: TypeAlias = Annotated[int, Field(ge=0)]
Commit: TypeAlias = Annotated[str, Field(pattern=r"^[0-9a-f]{40}(\+dirty)?$")]
Day: TypeAlias = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\d")]  # as in 2027-06-30
KeyId: TypeAlias = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupEntry(Strict):
    """One group as it was accepted."""

    name: tuple[str, ...]  # value of each of the check's control features and its `by`
    n: Count  # denominator of a rate, or the samples that another metric is computed from
    events: Count | None  # numerator of a rate; None for other metrics
    value: float | None
    variance: Annotated[float, Field(ge=0)] | None  # None of a rate, whose counts say it
    df: Annotated[float, Field(gt=0)] | None  # of the variance; None where it is taken as known
    centre: float | None = None  # of a check against the baseline: see `Influence`
    third: float | None = None  # sum of the cubes of what single samples (or clusters) contribute
    extra: tuple[float, ...] = ()  # what the pseudo-samples contribute


@dataclass(frozen=True, slots=True, kw_only=True)
class Look(Strict):
    """An earlier time that the check was accepted, by other statistics: what planned looks are judged by."""

    limit: float
    verdict: Verdict
    estimate: float | None
    low: float | None
    high: float | None
    groups: tuple[GroupEntry, ...]
    period: str | None
    git_commit: Commit | None
    date: Day


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry(Strict):
    """One check as it was accepted."""

    check: str
    metric: str
    by: tuple[str, ...]
    limit_kind: LimitKind
    limit: float
    control_features: tuple[str, ...] = ()
    strata: Strata = "each"
    gap: str = ""
    of: Literal[""] | Worsening = ""  # what a check against the baseline compares
    mix: str = ""
    verdict: Verdict
    estimate: float | None
    low: float | None
    high: float | None
    groups: tuple[GroupEntry, ...]  # sorted by name
    ratchet_limit: float | None = None  # the tightest limit that was ever accepted, where limits may only be tightened
    positive: str | None = None  # None without labels, and in baselines that did not hold it
    scaling: ImageScaling | None = None  # of a model of images, in which scale its errors are
    versions: dict[str, str] = field(default_factory=dict)  # packages that the numbers came from
    git_commit: Commit | None = None
    date: Day  # on which it was accepted
    period: str | None = None  # in which its samples were collected, as the file of limits says
    looks: tuple[Look, ...] = ()  # the earlier ones, oldest first
    suppress_below: int | None = None  # its numbers are withheld, as groups had fewer; not written where None

    @property
    def question(self) -> Question:
        """What was asked."""
        return Question.read(self)

    def plain(self) -> dict[str, Any]:
        """Return the entry as builtins; without `suppress_below` where nothing is withheld."""
        plain = asdict(self)
        if self.suppress_below is None:
            del plain["suppress_below"]
        return plain


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomesRef(Strict):
    """Where the outcomes of a model's samples are, and what must be in there."""

    # In one folder beside the JSON: a baseline that somebody else wrote must not lead out of there.
    file: Annotated[str, Field(pattern=r"^[^./\\:][^/\\:]*/[A-Za-z0-9_]+-[0-9a-f]{12}\.npz$")]
    samples: Annotated[int, Field(ge=1)]  # how many there are
    sha256: Sha256  # of the file
    fingerprint: Sha256  # of the samples: `Pseudonyms.fingerprint`
    key: KeyId | None = None  # `SecretKey.id`; None where it was the salt of a baseline of schema 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelBaseline(Strict):
    """One model as it was accepted."""

    checks: dict[str, Entry]  # by `Question.line`
    outcomes: OutcomesRef | None = None  # None where the samples have no ids, so that nothing can be paired
    data_fingerprint: Sha256 | None = None  # of the samples that the checks were asked of


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline(Strict):
    """All of it."""

    schema: int = SCHEMA  # version of this layout
    # of schema 1, in which it stood beside the ids hashed under it, so that they could be found by trying: stays
    # until the last outcomes that need it have been written anew
    salt: Salt | None = None
    models: dict[str, ModelBaseline] = field(default_factory=dict)
