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
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError

from fairness_checks.errors import EvidenceError
from fairness_checks.plain import canonical_json
from fairness_checks.question.checks import Check, Settings
from fairness_checks.question.metrics import METRICS, Metric
from fairness_checks.records.check_record import CheckRecord
from fairness_checks.records.parts import InputRecord, Strict
from fairness_checks.typing import TestData

__all__ = [
    "FILENAME",
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
    "evidence_schema",
    "read_evidence",
    "seal",
    "statistics_id",
    "write_evidence",
]

FILENAME = "evidence.json"
SCHEMA = 1
_DEEPEST = 6  # levels that are written a line each


@dataclass(frozen=True, slots=True, kw_only=True)
class GitEvidence(Strict):
    """The commit of the project, and whether a tracked file differed from it."""

    commit: str
    clean: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEvidence(Strict):
    """How a run came about."""

    started: str  # in UTC, as in 2027-06-30T12:00:00Z, as is `ended`
    ended: str
    day: str  # by which waivers hold
    command: tuple[str, ...]  # arguments of pytest
    whole: bool  # every configured check was to run
    python: str
    versions: dict[str, str]  # of packages that are installed
    git: GitEvidence | None  # None outside a repository


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricEvidence(Strict):
    """A metric of the user's own, but for its function; see `fairness_checks.Metric`. No end of its range is null."""

    name: str
    formula: str
    kind: Literal["mean", "proportion"]
    unit: str
    lower_is_better: bool | None
    lowest: float | None
    highest: float | None
    limits: tuple[str, ...]

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
class ConfigurationEvidence(Strict):
    """The file of limits as it was read."""

    file: str  # its name
    sha256: str  # of its bytes
    text: str
    burden_of_proof: Literal["violation", "compliance"] | None  # of the command line, which wins over the file's
    own_metrics: tuple[MetricEvidence, ...] = ()  # registered with `@fairness_metric`
    responsible: tuple[str, str] | None = None  # name and role of who answers for the run, as the file says
    test_data: TestData | None = None  # whether held-out samples come from where the models were trained
    period: str | None = None  # in which held-out samples were collected, in the words of the file


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineEvidence(Strict):
    """The baseline that was compared with."""

    file: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DataEvidence(Strict):
    """The held-out samples of a model."""

    samples: int | None  # None where it would give a suppressed group back
    sha256: str  # of labels, decisions, scores, errors, uncertainties, groups and clusters, in their order
    missing: dict[str, int]  # by sensitive feature, samples without a value, as far as it gives no group back


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedEvidence(Strict):
    """What a hand-written test asked; see `fairness_checks.question.checks.Check` and `Settings`."""

    metric: str
    by: tuple[str, ...]
    limit_kind: str
    limit: float
    control_features: tuple[str, ...]
    strata: Literal["each", "combined"]
    absent: tuple[tuple[str, ...], ...]
    custom: MetricEvidence | None
    alpha: float
    correction: Literal["holm", "benjamini_hochberg", "none"]
    burden_of_proof: Literal["violation", "compliance"]
    min_group_size: int

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
class CheckEvidence(Strict):
    """One check."""

    question: str  # `Question.line`
    asked: AskedEvidence | None = None  # of a hand-written test; the file of limits says the rest
    statistics: str | None = None  # key among the statistics of its model
    error: str | None = None  # why it could not be made
    record: CheckRecord | None = None  # None where it could not be made, or was not run
    why: str = ""  # its limit is what it is, as thresholds.yaml says
    owner: str = ""  # who answers for the limit
    look: Annotated[int, Field(ge=1)] | None = None  # at its question, as the baseline counts; None without one


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEvidence(Strict):
    """One model with all of its checks, or one verdict of a hand-written test."""

    model: str
    test: str | None = None  # of a hand-written test, its id
    about: dict[str, str] = field(default_factory=dict)
    inputs: InputRecord | None = None  # positive class, threshold, repeated rows, ...
    held_out: tuple[str, ...] = ()  # this and the next two: notes and cautions of its records
    swept: tuple[str, ...] = ()
    looks: tuple[str, ...] = ()
    data: DataEvidence | None = None  # None where no samples were held out
    cache: str | None = None  # what was read from the cache, and of when it is
    # what its checks are decided by, under the first 16 digits of their sha256
    statistics: dict[str, dict[str, Any]] = field(default_factory=dict)
    checks: tuple[CheckEvidence, ...] = ()  # in the order of the file, also those not run: they count in the adjustment


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureEvidence(Strict):
    """A test that failed for another reason than a verdict."""

    test: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence(Strict):
    """All that is needed to judge a run again."""

    schema: int = SCHEMA  # version of this layout
    complete: bool  # the run came to its end; an incomplete one proves nothing
    run: RunEvidence
    configuration: ConfigurationEvidence
    baseline: BaselineEvidence | None  # None where nothing was compared with it
    models: tuple[ModelEvidence, ...]  # sorted by model and test
    failures: tuple[FailureEvidence, ...] = ()  # of tests that failed for another reason than a verdict
    not_judged: dict[str, str] = field(default_factory=dict)  # tests and models without a verdict, and why
    totals: dict[str, int] = field(default_factory=dict)  # records by verdict
    exit_code: int
    sha256: str = ""  # of the document without it: a checksum against accidents, no signature

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


def seal(plain: dict[str, Any]) -> dict[str, Any]:
    """Return a document with the checksum of what it holds."""
    return plain | {"sha256": _checksum(plain)}


def read_evidence(text: str) -> tuple[Evidence, bool]:
    """Read a document, and say whether its checksum is that of its content."""
    try:
        plain = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise EvidenceError(f"not JSON: {error}") from error
    if not isinstance(plain, dict) or "schema" not in plain or "models" not in plain:
        raise EvidenceError("no evidence of a run: pytest --fairness --fairness-report DIR writes one")
    if plain["schema"] != SCHEMA:
        raise EvidenceError(f"schema: {plain['schema']!r}; this version reads schema {SCHEMA}")
    try:
        evidence = _adapter().validate_json(text, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise EvidenceError(f"{where}: {first['msg']} ({error.error_count()} problems in all)") from error
    return evidence, evidence.sha256 == _checksum(plain)


def evidence_schema() -> dict[str, Any]:
    """Return the JSON Schema of the document."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "evidence.json of fairness_checks",
        **_adapter().json_schema(mode="serialization"),
    }


def _checksum(plain: Mapping[str, Any]) -> str:
    rest = {name: value for name, value in plain.items() if name != "sha256"}
    return hashlib.sha256(canonical_json(rest, "evidence", EvidenceError).encode()).hexdigest()


@cache
def _adapter() -> TypeAdapter[Evidence]:
    return TypeAdapter(Evidence)
