"""The shape of thresholds.yaml as pydantic models; `config.loading` reads a file through them."""

# Nothing is converted: "0.05" is no number, true is no 1, and a key that no model below names is an error. A default
# stands in one place only, `question.checks.Settings`.

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from datetime import date
from typing import Annotated, Any, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, create_model

from fairness_checks.config.yaml_document import KeyPath
from fairness_checks.errors import ConfigurationError, did_you_mean
from fairness_checks.inputs.source import Layout
from fairness_checks.plain import shorten
from fairness_checks.question.checks import (
    MISMATCH,
    Burden,
    Correction,
    MissingSensitive,
    Settings,
    Strata,
    Worsening,
)
from fairness_checks.question.gaps import Gap
from fairness_checks.question.limits import LimitKind, Section, limits_in
from fairness_checks.question.metric_names import canonical, metric_hint
from fairness_checks.question.metrics import METRICS
from fairness_checks.question.waivers import says_nothing
from fairness_checks.sweep.plan import require_test
from fairness_checks.typing import TestData

__all__ = [
    "KNOWN",
    "SECTIONS",
    "CheckSpec",
    "DefaultsSpec",
    "FileSpec",
    "ModelSpec",
    "ProfileSpec",
    "RegressionSpec",
    "ResponsibleSpec",
    "SourceSpec",
    "SweepCheckSpec",
    "SweepSpec",
    "UncertaintySpec",
    "WaiverSpec",
    "build_all",
    "spec_at",
]

KNOWN = "metrics"
"""In the context of a validation: all metrics that the file may name."""
SECTIONS: tuple[Section, ...] = get_args(Section)
"""Sections of a model; the checks of a sweep stand under its own key `checks`."""


def _metric(name: str, info: ValidationInfo) -> str:
    known = METRICS if info.context is None else info.context[KNOWN]
    written, name = name, canonical(name, known)
    if name not in known:
        raise ValueError(
            f"{shorten(repr(written))} is not a metric; {metric_hint(written, known)}; a metric of your own is "
            "registered with @fairness_metric in a conftest.py that this file can see"
        )
    return name


def _metric_of_subgroups(name: str, info: ValidationInfo) -> str:
    metric = _metric(name, info)
    if metric == MISMATCH:
        raise ValueError(f"{name!r} is asked under `uncertainty: [{{by: sex, max_mismatch: 0.10}}]`")
    return metric


def _list_of_one(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _features(names: list[str]) -> list[str]:
    if not names:
        raise ValueError("names no sensitive feature; write one, or a list of them for their intersection")
    if any(not name.strip() for name in names):
        raise ValueError("holds an empty name; write the name of a sensitive feature")
    if repeated := [name for name, times in Counter(names).items() if times > 1]:
        raise ValueError(f"{shorten(repr(repeated[0]))} stands here twice; name each feature once")
    return names


def _one_of(literal: Any) -> BeforeValidator:
    """Name the nearest word, which pydantic's own message about a Literal does not."""

    def nearest(value: Any) -> Any:
        if isinstance(value, str) and value not in get_args(literal):
            raise ValueError(f"{shorten(repr(value))} is not known; {did_you_mean(value, get_args(literal))}")
        return value

    return BeforeValidator(nearest)


def _section(name: str) -> str:
    if name not in SECTIONS:
        raise ValueError(f"{shorten(repr(name))} is not a section of a model; {did_you_mean(name, SECTIONS)}")
    return name


def _not_null(remedy: str) -> Callable[[Any], Any]:
    def written(value: Any) -> Any:
        if value is None:
            raise ValueError(f"nothing is written here; write {remedy}")
        return value

    return written


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty; an auditor reads this")
    return text


def _for_an_auditor(text: str) -> str:
    if (why := says_nothing(text)) is not None:
        raise ValueError(why)
    return text


def _possible_setting(value: Any, info: ValidationInfo) -> Any:
    name = str(info.field_name)
    try:
        Settings(**{name: value})
    except ConfigurationError as error:
        raise ValueError(str(error).removeprefix(f"{name}: ")) from None
    return value


def _possible_test(value: Any) -> Any:
    try:
        require_test(value)
    except ConfigurationError as error:
        raise ValueError(str(error).removeprefix("test: ")) from None
    return value


def _hides_something(below: int | None) -> int:
    if below is None:
        raise ValueError("nothing is written here; write a number of samples such as 11, or remove the key")
    if below < 2:
        raise ValueError(f"{below} hides no group; write the fewest samples of which numbers may be shown, such as 11")
    return below


def _version(version: int) -> int:
    if version != 1:
        raise ValueError(f"{version} is not supported by this version of fairness_checks; allowed: 1")
    return version


_LISTED = BeforeValidator(_list_of_one, json_schema_input_type=str | list[str])
Limit = Annotated[float, Field(allow_inf_nan=False)]  # whether it is possible for the metric `config.rules` says
Features = Annotated[list[str], _LISTED, AfterValidator(_features)]
MetricName = Annotated[str, AfterValidator(_metric)]
Cells = list[list[Any]]  # of values that name groups: `config` takes them as they are written, 1 as "1", yes as "yes"
Text = Annotated[str, AfterValidator(_not_blank)]
Reason = Annotated[Text, AfterValidator(_for_an_auditor)]
_WRITTEN = AfterValidator(_not_null("a value, or remove the key"))
_GIVEN = AfterValidator(_not_null("a value, or remove the key to waive whatever stands there"))
_FEWEST_REPEATS = 5  # a variance over fewer says next to nothing
# Never read: `model_fields_set` says which limit a file gives. None would allow `min_ratio: null`.
_NOT_GIVEN = math.nan


class _Spec(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, defer_build=True)


def build_all() -> None:
    """Build what is built when it is first used: pydantic before 2.13 writes no schema of what is not."""
    waiting: list[type[_Spec]] = [_Spec]
    while waiting:
        waiting += (some := waiting.pop()).__subclasses__()
        some.model_rebuild()


_S = TypeVar("_S", bound=_Spec)


def _with_limits(section: Section) -> Callable[[type[_S]], type[_S]]:
    """Add a key for each kind of limit that checks of a section may have."""

    def add(spec: type[_S]) -> type[_S]:
        limits: dict[str, Any] = dict.fromkeys(limits_in(section), (Limit, _NOT_GIVEN))
        return create_model(spec.__name__, __base__=spec, __doc__=spec.__doc__, __module__=spec.__module__, **limits)

    return add


class DefaultsSpec(_Spec):
    """``defaults``: see `fairness_checks.question.checks.Settings`."""

    alpha: Annotated[float, Field(allow_inf_nan=False), AfterValidator(_possible_setting)] = Settings().alpha
    correction: Annotated[Correction, _one_of(Correction)] = Settings().correction
    burden_of_proof: Annotated[Burden, _one_of(Burden)] = Settings().burden_of_proof
    min_group_size: Annotated[int, AfterValidator(_possible_setting)] = Settings().min_group_size
    missing_sensitive: Annotated[MissingSensitive, _one_of(MissingSensitive)] = Settings().missing_sensitive
    missing_text: Annotated[list[str], _LISTED, AfterValidator(_possible_setting)] | None = None


class _CheckSpec(_Spec):
    """What every check may say of its limit, for an auditor: why it is what it is, and who answers for it."""

    why: Text = ""
    owner: Text = ""


@_with_limits("subgroups")
class CheckSpec(_CheckSpec):
    """One entry of ``subgroups``; that it gives exactly one limit is for `config` to see."""

    metric: Annotated[str, AfterValidator(_metric_of_subgroups)]
    by: Features
    control_features: Features = []
    strata: Annotated[Strata, _one_of(Strata)] = "each"
    absent: Cells = []


class UncertaintySpec(_CheckSpec):
    """One entry of ``uncertainty``."""

    by: Features
    max_mismatch: Limit
    absent: Cells = []


@_with_limits("sweep")
class SweepCheckSpec(_CheckSpec):
    """One entry of ``sweep.checks``; that it gives exactly one limit is for `config` to see."""

    metric: MetricName
    gap: Annotated[Gap, _one_of(Gap)] = "each_mix"
    mix: Annotated[Text | None, _GIVEN] = None


class SweepSpec(_Spec):
    """``sweep``: see `fairness_checks.sweep.plan.SweepPlan`; its mixes are read by `config`."""

    by: Text
    mixes: Annotated[dict[str, Any], Field(min_length=1)]
    repeats: Annotated[int, Field(ge=_FEWEST_REPEATS)] = 20
    test: Annotated[Any, AfterValidator(_possible_test)] = 0.3
    size: Annotated[int, Field(ge=2)] | None = None
    feature_sets: Annotated[list[str], _LISTED] = []
    checks: Annotated[list[SweepCheckSpec], Field(min_length=1)]


_SWEPT = BeforeValidator(_not_null("a sweep, or remove the key"), json_schema_input_type=SweepSpec)


class RegressionSpec(_CheckSpec):
    """One entry of ``regression``."""

    metric: MetricName
    by: Features
    max_worsening: Limit
    of: Annotated[Worsening, _one_of(Worsening)] = "disparity"
    ratchet: bool = False
    absent: Cells = []


class ProfileSpec(_Spec):
    """One entry of ``profiles``: what models that name it have before their own."""

    subgroups: Annotated[list[CheckSpec], Field(min_length=1)] = []
    uncertainty: Annotated[list[UncertaintySpec], Field(min_length=1)] = []
    regression: Annotated[list[RegressionSpec], Field(min_length=1)] = []
    sweep: Annotated[SweepSpec | None, _SWEPT] = None


def _one_value(value: Any) -> Any:
    if isinstance(value, dict | list):
        raise ValueError("expected one class as the file has it, such as yes or 1; found several values")
    return value


Column = Annotated[Text | None, _WRITTEN]
_CLASS = BeforeValidator(_one_value, json_schema_input_type=str | int | float | bool)


class SourceSpec(_Spec):
    """``source`` of a model without a fixture: see `fairness_checks.inputs.source.Source`."""

    file: Column = None
    python: Column = None
    y_true: Column = None
    y_pred: Column = None
    y_score: Column = None
    error: Column = None
    uncertainty: Column = None
    cluster: Column = None
    sample_id: Column = None
    accepted: Column = None
    collect: Annotated[bool | None, _WRITTEN] = None
    by: Features = []
    positive: Annotated[Any, _CLASS, _WRITTEN] = None
    threshold: Annotated[float | None, Field(allow_inf_nan=False), _WRITTEN] = None
    layout: Annotated[Layout | None, _one_of(Layout), _WRITTEN] = None
    bins: dict[str, list[Limit]] = {}
    groups: Column = None


class ModelSpec(ProfileSpec):
    """One entry of ``models``, its profile filled in; that it has a section is for `config` to see."""

    profile: Text = ""
    source: Annotated[SourceSpec | None, _WRITTEN] = None


class WaiverSpec(_Spec):
    """One entry of ``waivers``."""

    model: Text
    check: Annotated[str, AfterValidator(_section)] = "subgroups"
    metric: MetricName = MISMATCH
    by: Features
    control_features: Features = []
    strata: Annotated[Strata | None, _one_of(Strata), _GIVEN] = None
    gap: Annotated[Gap | None, _one_of(Gap), _GIVEN] = None
    mix: Annotated[Text | None, _GIVEN] = None
    of: Annotated[Worsening | None, _one_of(Worsening), _GIVEN] = None
    limit: Annotated[LimitKind | None, _one_of(LimitKind), _GIVEN] = None
    reason: Reason
    approved_by: Reason
    expires: date


class ResponsibleSpec(_Spec):
    """``responsible``: who answers for the run."""

    name: Reason
    role: Reason


class FileSpec(_Spec):
    """The whole file."""

    version: Annotated[int, AfterValidator(_version)]
    responsible: Annotated[ResponsibleSpec | None, _WRITTEN] = None
    test_data: Annotated[TestData | None, _one_of(TestData), _WRITTEN] = None
    period: Annotated[Reason | None, _WRITTEN] = None
    seed: Annotated[int, Field(ge=0)] = 0
    suppress_below: Annotated[int | None, AfterValidator(_hides_something)] = None
    defaults: DefaultsSpec = DefaultsSpec.model_construct()  # what is not validated need not be built
    profiles: dict[str, ProfileSpec] = {}
    models: dict[str, ModelSpec]
    unchecked: dict[str, Reason] = {}
    waivers: list[WaiverSpec] = []


def spec_at(path: KeyPath) -> type[BaseModel] | None:
    """Return the model that describes the mapping at a path, or None where no mapping belongs."""
    match path:
        case ():
            return FileSpec
        case ("defaults",):
            return DefaultsSpec
        case ("responsible",):
            return ResponsibleSpec
        case ("models", _):
            return ModelSpec
        case ("profiles", _):
            return ProfileSpec
        case ("models", _, "source"):
            return SourceSpec
        case ("models" | "profiles", _, "subgroups", _):
            return CheckSpec
        case ("models" | "profiles", _, "uncertainty", _):
            return UncertaintySpec
        case ("models" | "profiles", _, "regression", _):
            return RegressionSpec
        case ("models" | "profiles", _, "sweep"):
            return SweepSpec
        case ("models" | "profiles", _, "sweep", "checks", _):
            return SweepCheckSpec
        case ("waivers", _):
            return WaiverSpec
    return None
