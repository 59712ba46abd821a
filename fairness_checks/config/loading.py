"""thresholds.yaml -> GateConfig, or one error that lists everything to mend."""

# Nothing here needs a model: a misspelt name is found before the first one is fitted.

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias, TypeVar

from pydantic import ValidationError

from fairness_checks.config.messages import EXAMPLE, INIT, schema_problems
from fairness_checks.config.names import Declared, name_problems
from fairness_checks.config.profiles import with_profiles
from fairness_checks.config.rules import checks_of, problems_between_keys
from fairness_checks.config.schema import (
    KNOWN,
    CheckSpec,
    FileSpec,
    ModelSpec,
    RegressionSpec,
    SweepCheckSpec,
    UncertaintySpec,
    WaiverSpec,
)
from fairness_checks.config.sources import source_of, source_rules
from fairness_checks.config.strict_yaml import read_yaml
from fairness_checks.config.yaml_document import Document, KeyPath, Problem, as_written, list_at, problem_texts
from fairness_checks.errors import ConfigurationError, did_you_mean
from fairness_checks.inputs.group_names import clean
from fairness_checks.inputs.source import Source
from fairness_checks.question.checks import MISMATCH, Check, Settings
from fairness_checks.question.limits import LIMIT_KINDS
from fairness_checks.question.metric_names import canonical, metric_hint
from fairness_checks.question.metrics import METRICS, Metric
from fairness_checks.question.waivers import Waiver, waiver_entry
from fairness_checks.storage.files import display_path, no_such_file, read_regular
from fairness_checks.sweep.plan import SweepPlan
from fairness_checks.typing import TestData

__all__ = [
    "ConfiguredCheck",
    "GateConfig",
    "ModelChecks",
    "check_names",
    "load_config",
    "other_names",
    "parse_config",
    "read_document",
]

_MAX_BYTES = 1 << 20  # some 10,000 checks; a larger file is not a thresholds.yaml, and PyYAML reads 100 kB a second
_MAX_PROBLEMS = 100
_MAX_SHOWN = 5
Own: TypeAlias = Mapping[str, Metric]
_Entry = TypeVar("_Entry", CheckSpec, UncertaintySpec, RegressionSpec)


@dataclass(frozen=True, slots=True)
class ConfiguredCheck:
    """A check, the line of thresholds.yaml that asks for it, counted from 1, and what it says of its limit."""

    check: Check
    line: int
    why: str = ""
    owner: str = ""


@dataclass(frozen=True, slots=True)
class ModelChecks:
    """All checks of one model, in the order of the file, the line of its name, and the sweep that some are on."""

    name: str
    checks: tuple[ConfiguredCheck, ...]
    line: int
    sweep: SweepPlan | None = None
    source: Source | None = None  # the file of its predictions, where it has no fixture

    @property
    def features(self) -> tuple[str, ...]:
        """All features that its checks name, once each."""
        return tuple(dict.fromkeys(name for entry in self.checks for name in entry.check.features))


@dataclass(frozen=True, slots=True)
class GateConfig:
    """What thresholds.yaml asks for."""

    path: Path  # as it was given
    version: int  # of the format
    seed: int
    settings: Settings
    models: tuple[ModelChecks, ...]  # in the order of the file; empty where all checks are hand-written tests
    waivers: tuple[Waiver, ...]  # expired ones included
    # the file as it was read, its profiles filled in, for messages
    document: Document = field(repr=False, compare=False)
    unchecked: Mapping[str, str] = field(default_factory=dict)  # models that nothing checks, and why
    responsible: tuple[str, str] | None = None  # name and role of who answers for the run
    test_data: TestData | None = None
    period: str | None = None  # in which held-out samples were collected
    suppress_below: int | None = None  # samples of a group, of which fewer are shown in no report


def load_config(path: Path, models: Declared | None = None, own: Own = MappingProxyType({})) -> GateConfig:
    """Read thresholds.yaml, checked but for names that only the models know; one error lists every problem."""
    # With `models`, where the file has other problems, those of its names are reported with them (`check_names`).
    return _configured(read_document(path), path, models, own)


def parse_config(text: str, source: str, own: Own = MappingProxyType({})) -> GateConfig:
    """Read the text of a thresholds.yaml as `load_config` reads the file."""
    return _configured(with_profiles(read_yaml(text, source)), Path(source), None, own)


def _configured(document: Document, path: Path, models: Declared | None, own: Own) -> GateConfig:
    source = document.source
    if document.data is None and not document.problems:
        raise ConfigurationError(f"{source}: the file is empty; write for example:\n\n{EXAMPLE}\n{INIT}")
    known = {**METRICS, **own}
    spec, problems = None, list(document.problems)
    try:
        spec = FileSpec.model_validate(document.data, context={KNOWN: known})
    except ValidationError as error:
        problems += schema_problems(document, error)
    problems += problems_between_keys(document, known)
    problems += [] if spec is None else source_rules(document, spec.models)
    if problems and models is not None:
        problems += name_problems(document, models)
    if problems or spec is None:
        texts = problem_texts(problems, source)
        more = [f"... and {len(texts) - _MAX_PROBLEMS} more problems"] if len(texts) > _MAX_PROBLEMS else []
        raise ConfigurationError("\n".join(texts[:_MAX_PROBLEMS] + more))
    return GateConfig(
        path=path,
        version=spec.version,
        seed=spec.seed,
        settings=Settings(**dict(spec.defaults)),
        models=tuple(_model(document, name, model, spec.seed, own) for name, model in spec.models.items()),
        waivers=tuple(_waiver(document, index, waiver) for index, waiver in enumerate(spec.waivers)),
        document=document,
        unchecked=spec.unchecked,
        responsible=None if spec.responsible is None else (spec.responsible.name, spec.responsible.role),
        test_data=spec.test_data,
        period=spec.period,
        suppress_below=spec.suppress_below,
    )


def read_document(path: Path) -> Document:
    """Read a file as plain data, its profiles filled in; raise ConfigurationError where it cannot be read."""
    source = display_path(path)
    return with_profiles(read_yaml(_read_text(path, source), source))


def other_names(config: GateConfig) -> dict[str, str]:
    """Return, by the name that the file calls a metric, the one that records have; of those that differ."""
    known = {entry.check.metric for model in config.models for entry in model.checks} | METRICS.keys()
    asked = [*(entry for _, entry in checks_of(config.document.data)), *list_at(config.document.data, "waivers")]
    named = {name: canonical(name, known) for entry in asked if isinstance(name := entry.get("metric"), str)}
    return {name: ours for name, ours in named.items() if name != ours}


def check_names(config: GateConfig, models: Declared | None = None) -> list[str]:
    """Compare the names in the file with the models that were found; a line for each problem, in the file's order."""
    # A model that declares no features is None, as they are known only when it has run. Without `models` only waivers
    # are looked at.
    problems = [] if models is None else list(name_problems(config.document, models))
    for index, waiver in enumerate(config.waivers):
        if idle := _idle_waiver(config, waiver):
            problems.append(Problem(waiver.line, ("waivers", index), idle))
    return problem_texts(problems, config.document.source)


def _idle_waiver(config: GateConfig, waiver: Waiver) -> str | None:
    """Say why a waiver waives no check of this file; unnoticed, its author would rely on it."""
    names = [model.name for model in config.models]
    if waiver.model not in names:
        return f"this file has no checks of a model {waiver.model!r}; {did_you_mean(waiver.model, names)}"
    checks = [entry.check for model in config.models if model.name == waiver.model for entry in model.checks]
    if any(waiver.covers(waiver.model, check.question) for check in checks):
        return None
    metrics = [check.metric for check in checks]
    if waiver.metric not in metrics:
        if waiver.metric == MISMATCH:  # which an entry without a metric means
            listing = ", ".join(sorted(set(metrics)))
            return f"names no metric, and {waiver.model} has no check of uncertainty; give the metric: {listing}"
        return f"{waiver.model} has no check of {waiver.metric}; {metric_hint(waiver.metric, metrics)}"
    there = [waiver_entry(waiver.model, check.question) for check in checks if check.metric == waiver.metric]
    more = f"; ... and {len(there) - _MAX_SHOWN} more" if len(there) > _MAX_SHOWN else ""
    those = f"its checks of {waiver.metric} are waived by {'; '.join(there[:_MAX_SHOWN])}{more}"
    return f"names no check of {waiver.model}; {those}"


def _read_text(path: Path, source: str) -> str:
    try:
        if path.is_dir():
            raise ConfigurationError(f"{source}: this is a directory; give the file in it, such as thresholds.yaml")
        content = read_regular(path, most=_MAX_BYTES)
    except FileNotFoundError:
        raise ConfigurationError(f"{source}: {no_such_file(path)}; {INIT}") from None
    except OSError as error:
        raise ConfigurationError(f"{source}: cannot be read: {error.strerror or error}") from error
    try:
        return content.decode("utf-8")  # PyYAML skips a byte order mark itself
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        seen = f"byte 0x{content[error.start]:02X}"
        raise ConfigurationError(f"{source}:{line}: {seen} is not UTF-8; save the file as UTF-8") from error


def _model(document: Document, name: str, spec: ModelSpec, seed: int, own: Own) -> ModelChecks:
    checks = (
        *_checks(document, ("models", name, "subgroups"), spec.subgroups, partial(_check, own)),
        *_checks(document, ("models", name, "uncertainty"), spec.uncertainty, _mismatch),
        *_checks(document, ("models", name, "regression"), spec.regression, _worsening),
    )
    line, sweep = document.lines["models", name], spec.sweep
    source = None if spec.source is None else source_of(document, name, spec.source)
    if sweep is None:
        return ModelChecks(name, checks, line, source=source)
    lines = [document.lines["models", name, "sweep", "checks", index] for index in range(len(sweep.checks))]
    swept = (
        _configured_check(_sweep_check(own, sweep.by, entry), entry, line)
        for entry, line in zip(sweep.checks, lines, strict=True)
    )
    plan = {key: value for key, value in sweep if key != "checks"}
    return ModelChecks(name, (*checks, *swept), line, SweepPlan(**plan, seed=seed))


def _checks(
    document: Document, path: KeyPath, entries: Sequence[_Entry], make: Callable[[_Entry], Check]
) -> Iterator[ConfiguredCheck]:
    """Yield the checks of a section, the names of groups in them as they are written."""
    for index, entry in enumerate(entries):
        cells = tuple(
            tuple(clean(as_written(document, (*path, index, "absent", i, j), value)) for j, value in enumerate(cell))
            for i, cell in enumerate(entry.absent)
        )
        yield _configured_check(replace(make(entry), absent=cells), entry, document.lines[(*path, index)])


def _configured_check(check: Check, entry: _Entry | SweepCheckSpec, line: int) -> ConfiguredCheck:
    return ConfiguredCheck(check, line, entry.why, entry.owner)


def _sweep_check(own: Own, by: str, spec: SweepCheckSpec) -> Check:
    kind = next(kind for kind in LIMIT_KINDS if kind in spec.model_fields_set)
    return Check(spec.metric, (by,), kind, getattr(spec, kind), custom=own.get(spec.metric), gap=spec.gap, mix=spec.mix)


def _check(own: Own, spec: CheckSpec) -> Check:
    kind = next(kind for kind in LIMIT_KINDS if kind in spec.model_fields_set)
    control, limit, custom = tuple(spec.control_features), getattr(spec, kind), own.get(spec.metric)
    return Check(spec.metric, tuple(spec.by), kind, limit, control, spec.strata, custom)


def _mismatch(spec: UncertaintySpec) -> Check:
    return Check(MISMATCH, tuple(spec.by), "max_mismatch", spec.max_mismatch)


def _worsening(spec: RegressionSpec) -> Check:
    return Check(spec.metric, tuple(spec.by), "max_worsening", spec.max_worsening, of=spec.of, ratchet=spec.ratchet)


def _waiver(document: Document, index: int, spec: WaiverSpec) -> Waiver:
    features = {"by": tuple(spec.by), "control_features": tuple(spec.control_features)}
    return Waiver(**(dict(spec) | features), line=document.lines["waivers", index])
