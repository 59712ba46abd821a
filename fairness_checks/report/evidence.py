"""evidence.json: all that is needed to judge a run again without a patient's row. Decides nothing."""

# The layout is the dataclasses of this module; `evidence_schema` is its JSON Schema.

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from fairness_checks.errors import EvidenceError
from fairness_checks.plain import RepeatedKey, canonical_json, strict_json
from fairness_checks.question.checks import Check, Settings
from fairness_checks.question.metrics import METRICS, Metric
from fairness_checks.records.check_record import CheckRecord
from fairness_checks.records.parts import InputRecord, Strict, first_problem
from fairness_checks.typing import TestData

__all__ = [
    "SCHEMA",
    "AskedEvidence",
    "BaselineEvidence",
    "CheckEvidence",
    "ConfigurationEvidence",
    "DataEvidence",
    "Evidence",
    "FailureEvidence",
    "GitEvidence",
    "MetricEvidence",
    "ModelEvidence",
    "RunEvidence",
    "as_incomplete",
    "evidence_schema",
    "read_evidence",
    "seal",
    "statistics_id",
    "write_evidence",
]

SCHEMA = 2
_WRITES = "pytest --fairness --fairness-report DIR, or fairness-checks audit --report DIR,"
_DEEPEST = 6  # levels that are written a line each


class _Described(Strict):
    """A part of the document, whose fields are described in its JSON Schema too."""

    __slots__ = ()
    __pydantic_config__: ClassVar[ConfigDict] = Strict.__pydantic_config__ | {"use_attribute_docstrings": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class GitEvidence(_Described):
    """The commit of the project, and whether a tracked file differed from it."""

    commit: str
    """Forty hexadecimal digits."""
    clean: bool
    """Whether no tracked file differed from it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEvidence(_Described):
    """How a run came about."""

    started: str
    """In UTC, as in 2027-06-30T12:00:00Z."""
    ended: str
    """In UTC."""
    day: str
    """By which waivers hold."""
    command: tuple[str, ...]
    """Arguments of pytest; of `fairness-checks audit` with these two words."""
    whole: bool
    """Whether every configured check was to run."""
    python: str
    """Version of Python."""
    versions: dict[str, str]
    """Of packages that are installed."""
    git: GitEvidence | None
    """Null outside a repository."""
    unsettled_exit: int | None = None
    """Exit code asked for where nothing failed and something is not settled; null where it is 0."""

    @property
    def program(self) -> str:
        """What ran."""
        return "fairness-checks" if self.command[:1] == ("fairness-checks",) else "pytest"

    @property
    def command_line(self) -> str:
        """What was called, with its arguments."""
        return " ".join(self.command if self.program != "pytest" else ("pytest", *self.command))


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricEvidence(_Described):
    """A metric of the user's own, but for its function; see `fairness_checks.Metric`. No end of its range is null."""

    name: str
    """By which checks name it."""
    formula: str
    """In words."""
    kind: Literal["mean", "proportion"]
    """What is measured of each sample: a number, or whether something holds."""
    unit: str
    """What n counts."""
    lower_is_better: bool | None
    """Null where neither is."""
    lowest: float | None
    """Of its range; null for none."""
    highest: float | None
    """Of its range; null for none."""
    limits: tuple[str, ...]
    """Kinds of limit that it takes."""

    @classmethod
    def of(cls, metric: Metric) -> MetricEvidence:
        """Take over what of a metric can be written."""
        plain = {each.name: getattr(metric, each.name) for each in dataclasses.fields(cls)}
        ends = {name: value if math.isfinite(value := plain[name]) else None for name in ("lowest", "highest")}
        return cls(**(plain | ends))

    def metric(self) -> Metric:
        """Return the metric, without its function."""
        plain = {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}
        lowest, highest = (math.inf if end is None else end for end in (self.lowest, self.highest))
        return Metric(**(plain | {"lowest": -math.inf if self.lowest is None else lowest, "highest": highest}))


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationEvidence(_Described):
    """The file of limits as it was read."""

    file: str
    """Its name."""
    sha256: str
    """Of its bytes."""
    text: str
    """All of it."""
    burden_of_proof: Literal["violation", "compliance"] | None
    """Of the command line, which wins over the file's; null where none was given."""
    own_metrics: tuple[MetricEvidence, ...] = ()
    """Registered with `@fairness_metric`."""
    responsible: tuple[str, str] | None = None
    """Name and role of who answers for the run, as the file says."""
    test_data: TestData | None = None
    """Whether held-out samples come from where the models were trained."""
    period: str | None = None
    """In which held-out samples were collected, in the words of the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineEvidence(_Described):
    """The baseline that was compared with."""

    file: str
    """Its name."""
    sha256: str
    """Of its bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataEvidence(_Described):
    """The held-out samples of a model."""

    samples: int | None
    """Null where it would give a suppressed group back."""
    sha256: str | None
    """Of labels, decisions, scores, errors, uncertainties, groups and clusters, in their order."""
    missing: dict[str, int]
    """By sensitive feature, samples without a value, as far as it gives no group back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedEvidence(_Described):
    """What a hand-written test asked; see `fairness_checks.question.checks.Check` and `Settings`."""

    metric: str
    """Name of the metric."""
    by: tuple[str, ...]
    """Sensitive features."""
    limit_kind: str
    """Such as max_difference."""
    limit: float
    """Its value."""
    control_features: tuple[str, ...]
    """Features within whose strata groups are compared."""
    strata: Literal["each", "combined"]
    """Whether the limit holds in each stratum, or for values standardised over them."""
    absent: tuple[tuple[str, ...], ...]
    """Groups that cannot exist."""
    custom: MetricEvidence | None
    """A metric of the user's own; null for the others."""
    alpha: float
    """Level of each of the two tests."""
    correction: Literal["holm", "benjamini_hochberg", "none"]
    """How p-values are adjusted over checks."""
    burden_of_proof: Literal["violation", "compliance"]
    """What must be shown."""
    min_group_size: int
    """Samples below which a group is not judged."""

    @classmethod
    def of(cls, check: Check, settings: Settings) -> AskedEvidence:
        """Take over what was asked."""
        custom = None if check.metric in METRICS else MetricEvidence.of(check.definition)
        own = {name: getattr(check, name) for name in _OF_CHECK}
        return cls(**own, custom=custom, **{name: getattr(settings, name) for name in _OF_SETTINGS})

    def check(self) -> Check:
        """Return the check."""
        own: dict[str, Any] = {name: getattr(self, name) for name in _OF_CHECK}
        return Check(**own, custom=None if self.custom is None else self.custom.metric())

    def settings(self) -> Settings:
        """Return how it was decided."""
        own: dict[str, Any] = {name: getattr(self, name) for name in _OF_SETTINGS}
        return Settings(**own)


_OF_CHECK = ("metric", "by", "limit_kind", "limit", "control_features", "strata", "absent")
_OF_SETTINGS = ("alpha", "correction", "burden_of_proof", "min_group_size")


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckEvidence(_Described):
    """One check."""

    question: str
    """In one line, as `fairness_checks` names it everywhere."""
    asked: AskedEvidence | None = None
    """Of a hand-written test; of others the file of limits says it."""
    statistics: str | None = None
    """Key among the statistics of its model; null where there are none, or they are withheld."""
    error: str | None = None
    """Why it could not be made."""
    record: CheckRecord | None = None
    """The answer; null where it could not be made, or was not run."""
    why: str = ""
    """Its limit is what it is, as thresholds.yaml says."""
    owner: str = ""
    """Who answers for the limit."""
    test: str = ""
    """Id of its test in the file of limits; empty of a hand-written test, whose model says it."""
    line: Annotated[int, Field(ge=1)] | None = None
    """Of the file of limits that asks for it; null of a hand-written test."""
    look: Annotated[int, Field(ge=1)] | None = None
    """At its question, as the baseline counts; null without a baseline or a record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEvidence(_Described):
    """One model with all of its checks, or one verdict of a hand-written test."""

    model: str
    """Name of its fixture; of a hand-written test what it calls the model."""
    test: str | None = None
    """Of a hand-written test, its id."""
    about: dict[str, str] = field(default_factory=dict)
    """What the fixture said of the model and its data."""
    inputs: InputRecord | None = None
    """What the predictions mean: positive class, threshold, repeated rows and more."""
    held_out: tuple[str, ...] = ()
    """Notes of its records of held-out samples."""
    swept: tuple[str, ...] = ()
    """Notes of its records of sweeps."""
    looks: tuple[str, ...] = ()
    """Cautions of its records."""
    data: DataEvidence | None = None
    """Null where no samples were held out."""
    cache: str | None = None
    """What was read from the cache, and of when it is."""
    statistics: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What its checks are decided by, under the first 16 digits of their sha256. An array is `{dtype: [...]}`, nested
    by its axes, NaN as null; a part of several fields is `{its kind: {field: value}}`."""
    checks: tuple[CheckEvidence, ...] = ()
    """In the order of the file, also those not run: they count in the adjustment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureEvidence(_Described):
    """A test that failed for another reason than a verdict."""

    test: str
    """Its id."""
    text: str
    """First line of why."""

    @property
    def is_waiver(self) -> bool:
        """Whether it is a waiver that is not in order."""
        return "::test_waiver[" in self.test


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence(_Described):
    """All that is needed to judge a run again."""

    schema: int = SCHEMA
    """Version of this layout."""
    complete: bool
    """Whether the run came to its end; one that did not proves nothing."""
    run: RunEvidence
    """How it came about."""
    configuration: ConfigurationEvidence
    """What was asked."""
    baseline: BaselineEvidence | None
    """Null where nothing was compared with it."""
    models: tuple[ModelEvidence, ...]
    """Sorted by model and test."""
    failures: tuple[FailureEvidence, ...] = ()
    """Of tests that failed for another reason than a verdict."""
    not_judged: dict[str, str] = field(default_factory=dict)
    """Tests, files and models without a verdict, and why."""
    totals: dict[str, int] = field(default_factory=dict)
    """Records by verdict."""
    exit_code: int
    """Of the command."""
    sha256: str = ""
    """Of the rest, as JSON in ASCII with sorted keys and no blanks: a checksum against accidents, no signature."""

    @property
    def ended_green(self) -> bool:
        """Whether the exit code says that nothing failed: 0, or the one that was asked for what is not settled."""
        return self.exit_code in (0, self.run.unsettled_exit)

    @property
    def records(self) -> list[CheckRecord]:
        """All records, in order."""
        return [check.record for model in self.models for check in model.checks if check.record is not None]


def statistics_id(statistics: Mapping[str, Any]) -> str:
    """Return the key of statistics: 16 digits of the sha256 of their canonical JSON."""
    return hashlib.sha256(canonical_json(dict(statistics), "statistics", EvidenceError).encode()).hexdigest()[:16]


def write_evidence(evidence: Evidence) -> str:
    """Return the document: JSON with sorted keys, and its checksum."""
    plain = dataclasses.asdict(evidence)
    for model, own in zip(plain["models"], evidence.models, strict=True):
        for check, entry in zip(model["checks"], own.checks, strict=True):
            check["record"] = None if entry.record is None else entry.record.plain()
    return _lines(seal(plain), "") + "\n"


def _lines(value: Any, indent: str) -> str:
    """Write what a reader looks for a line each, and what lies deeper, such as one group's numbers, in one line."""
    if not value or len(indent) >= _DEEPEST or not isinstance(value, dict | list | tuple):
        return json.dumps(value, sort_keys=True, allow_nan=False, ensure_ascii=False)
    deeper = f"{indent} "
    if isinstance(value, dict):
        names = (f"{json.dumps(name, ensure_ascii=False)}: " for name in sorted(value))
        parts = [name + _lines(value[key], deeper) for name, key in zip(names, sorted(value), strict=True)]
    else:
        parts = [_lines(part, deeper) for part in value]
    begin, end = "{}" if isinstance(value, dict) else "[]"
    return f"{begin}\n{deeper}" + f",\n{deeper}".join(parts) + f"\n{indent}{end}"


def as_incomplete(text: str) -> Evidence | None:
    """Return the evidence of a run that turned red behind it; None where it does not say that the run was green."""
    evidence, _ = read_evidence(text)
    if not evidence.ended_green:
        return None
    return dataclasses.replace(evidence, complete=False, exit_code=1)


def seal(plain: dict[str, Any]) -> dict[str, Any]:
    """Return a document with the checksum of what it holds."""
    return plain | {"sha256": _checksum(plain)}


def read_evidence(text: str) -> tuple[Evidence, bool]:
    """Read a document, and say whether its checksum is that of its content."""
    try:
        plain = strict_json(text)
    except RepeatedKey as error:
        raise EvidenceError(f"{error}; no run writes that") from error
    except (ValueError, RecursionError) as error:
        raise EvidenceError(f"not JSON: {error}; evidence is what {_WRITES} writes") from error
    if not isinstance(plain, dict) or "schema" not in plain or "models" not in plain:
        raise EvidenceError(f"no evidence of a run: {_WRITES} writes one")
    if plain["schema"] != SCHEMA:
        raise EvidenceError(f"schema: {plain['schema']!r}; this version reads schema {SCHEMA}")
    try:
        evidence = _adapter().validate_json(text, strict=True)
    except ValidationError as error:
        raise EvidenceError(first_problem(error, "evidence")) from error
    return evidence, evidence.sha256 == _checksum(plain)


def evidence_schema() -> dict[str, Any]:
    """Return the JSON Schema of the document."""
    return {
        **_adapter().json_schema(mode="serialization"),
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "evidence.json of fairness_checks",
    }


def _checksum(plain: Mapping[str, Any]) -> str:
    rest = {name: value for name, value in plain.items() if name != "sha256"}
    return hashlib.sha256(canonical_json(rest, "evidence", EvidenceError).encode()).hexdigest()


@cache
def _adapter() -> TypeAdapter[Evidence]:
    return TypeAdapter(Evidence)
