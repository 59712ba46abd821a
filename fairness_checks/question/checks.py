"""What is asked: one metric, by one or more sensitive features, against one limit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, get_args

from fairness_checks.errors import ConfigurationError, did_you_mean
from fairness_checks.plain import counted
from fairness_checks.question.arguments import count, number
from fairness_checks.question.gaps import GAPS, Gap
from fairness_checks.question.limits import LIMIT_KINDS, OF_VALUES, LimitKind, Section, limit_problem
from fairness_checks.question.metric_names import alias_limit_problem, canonical, metric_hint
from fairness_checks.question.metrics import METRICS, Metric
from fairness_checks.question.own_metrics import own_in_sweeps
from fairness_checks.question.question import Question

__all__ = [
    "MISMATCH",
    "MISSING_IS_ERROR",
    "RATCHET",
    "Burden",
    "Check",
    "Correction",
    "IdenticalRows",
    "Missing",
    "MissingSensitive",
    "MixAnswer",
    "Settings",
    "Strata",
    "Worsening",
    "absent_problem",
    "combination_problem",
    "limits_of",
    "unfit_limit",
]

Correction: TypeAlias = Literal["holm", "benjamini_hochberg", "none"]
Burden: TypeAlias = Literal["violation", "compliance"]
MissingSensitive: TypeAlias = Literal["error", "group"]
IdenticalRows: TypeAlias = Literal["independent", "together"]
Strata: TypeAlias = Literal["each", "combined"]
MixAnswer: TypeAlias = Literal["closes", "narrows", "reverses", "widens", "open"]
Worsening: TypeAlias = Literal["disparity", "worst_group", "each_group"]

MISMATCH = "uncertainty_mismatch"
_LEAST_ALPHA = 1e-6
RATCHET = "ratchet: holds one value, so that it goes with `of: disparity` or `of: worst_group`"


def limits_of(metric: Metric, gap: Gap | None = None, of: Worsening | None = None) -> tuple[str, ...]:
    """Return the kinds of limit that there is inference for; with a gap, in a sweep; with `of`, against a baseline."""
    own = metric.name not in METRICS
    if of is not None:
        known = metric.comparable and not own and (of == "disparity" or metric.lower_is_better is not None)
        return ("max_worsening",) if known else ()
    if gap is None:
        return metric.limits
    if "max_mismatch" in metric.limits:
        return ("max_mismatch",) if GAPS[gap].mismatches else ()
    if not metric.comparable or (own and not own_in_sweeps(metric)):
        return ()
    if metric.lower_is_better is None and GAPS[gap].directed:  # neither direction is worse
        return ()
    return (GAPS[gap].limit,)


def unfit_limit(metric: Metric, kind: str, gap: Gap | None = None, of: Worsening | None = None) -> str:
    """Say that a metric has no inference for a kind of limit, and which it has."""
    allowed = limits_of(metric, gap, of)
    where = "".join(f" and {key}: {word}" for key, word in (("of", of), ("gap", gap)) if word is not None)
    if not allowed:
        parts = f"; check {' and '.join(metric.components)}" if metric.components else ""
        if metric.name not in METRICS:
            parts = (
                ": the baseline does not know whether its function has changed since; check it under `subgroups:`"
                if gap is None
                else f": of metrics of your own a sweep takes means; register {metric.name} with kind='mean'"
            )
        elif of is not None and metric.comparable:
            parts = ": neither direction is worse; use of: disparity"
        if gap is not None and metric.not_in_sweeps:
            parts = f": {metric.not_in_sweeps}"
        elif gap is not None and "max_mismatch" in metric.limits:
            parts = (
                ": which group has the higher errors differs between mixes, and with it what is compared; "
                "use gap: each_mix or gap: equal_representation, with max_mismatch"
            )
        return f"there is no limit for {metric.name}{where}{parts}"
    return f"{kind} is not available for {metric.name}{where}; allowed: {', '.join(allowed)}"


@dataclass(frozen=True, slots=True)
class Check:
    """One question to a model's predictions, with its limit; ConfigurationError if it can never be violated."""

    metric: str  # a name of `METRICS`, or another that is taken for one
    by: tuple[str, ...]  # more than one asks for the groups of their intersection
    limit_kind: LimitKind
    limit: float  # in the metric's unit
    control_features: tuple[str, ...] = ()  # within whose strata groups are compared
    strata: Strata = "each"  # whether the limit holds in each stratum, or for standardised values
    custom: Metric | None = None  # a metric that is not in the table
    # of a check on a sweep, what is compared; `by` is then the one feature whose groups are mixed
    gap: Gap | None = None
    of: Worsening | None = None  # of a check against the baseline, what may not get worse
    ratchet: bool = False  # whether a proved improvement tightens the limit that the baseline holds
    # groups that cannot exist: a value for each of `control_features`, then `by`; no part of the identity
    absent: tuple[tuple[str, ...], ...] = ()
    # of a change, the mix under which the disparity is to be smaller than as is; None for every mix
    mix: str | None = None

    def __post_init__(self) -> None:
        if self.custom is None and isinstance(self.metric, str):
            if problem := alias_limit_problem(self.metric, METRICS, self.limit_kind, self.of):
                raise ConfigurationError(problem)
            object.__setattr__(self, "metric", canonical(self.metric, METRICS))
        for problem_of in (_problem_of_features, _problem_of_words, _problem_of_limit):
            if (problem := problem_of(self)) is not None:
                raise ConfigurationError(problem)
        object.__setattr__(self, "limit", float(self.limit))  # a NumPy scalar cannot be written to a record

    @property
    def definition(self) -> Metric:
        """The metric itself."""
        return self.custom or METRICS[self.metric]

    @property
    def features(self) -> tuple[str, ...]:
        """Features whose values name a group: those of its stratum first."""
        return (*self.control_features, *self.by)

    @property
    def question(self) -> Question:
        """Identity of the check within its model."""
        section: Section = "uncertainty" if "max_mismatch" in self.definition.limits else "subgroups"
        if self.gap is not None:
            section = "sweep"
        if self.of is not None:
            section = "regression"
        control, strata, gap, of = self.control_features, self.strata, self.gap or "", self.of or ""
        return Question(section, self.metric, self.by, self.limit_kind, control, strata, gap, of, self.mix or "")


def _problem_of_features(check: Check) -> str | None:
    """Say what is wrong with the metric's name, or with which features or groups are asked for."""
    if check.custom is None and check.metric not in METRICS:
        return f"metric {check.metric!r} does not exist; {metric_hint(check.metric, METRICS)}"
    if not check.by or len(set(check.by)) != len(check.by):
        return f"by: {list(check.by)!r} must name one or more different sensitive features"
    features = check.features
    if len(set(features)) != len(features):
        return f"control_features: {list(check.control_features)!r} repeats a feature"
    if problem := absent_problem(check.absent, features):
        return f"absent: {problem}"
    if check.absent and check.gap is not None:
        return "absent: the groups of a check on a sweep all have rows; remove it"
    return None


def _problem_of_words(check: Check) -> str | None:
    """Say which word is none of those that there are, or does not go with the others."""
    for name, value, allowed in (
        ("strata:", check.strata, get_args(Strata)),
        ("limit", check.limit_kind, LIMIT_KINDS),
        ("gap:", check.gap, (None, *GAPS)),
        ("of:", check.of, (None, *get_args(Worsening))),
    ):
        if value not in allowed:
            known = [word for word in allowed if word is not None]
            missing = " does not exist" if name == "limit" else ""
            return f"{name} {value!r}{missing}; {did_you_mean(str(value), known)}"
    if check.mix is not None and check.gap != "change":
        return f"mix: {check.mix!r}: only a check with `gap: change` is of one mix; remove it"
    if check.of is not None and (check.gap is not None or check.control_features):
        return f"of: {check.of}: a check against the baseline has no gap and no control_features"
    if check.ratchet and check.of not in ("disparity", "worst_group"):
        return RATCHET
    return None


def _problem_of_limit(check: Check) -> str | None:
    """Say why there is no inference for the metric's limit, or why nothing could violate it."""
    if check.limit_kind not in limits_of(check.definition, check.gap, check.of):
        return unfit_limit(check.definition, check.limit_kind, check.gap, check.of)
    if problem := limit_problem(check.limit_kind, check.limit, check.definition):
        return problem
    if check.strata != "combined":
        return None
    if not check.control_features:
        return "strata: combined needs control_features, whose strata are combined"
    problem = combination_problem(check.definition, check.limit_kind)
    return None if problem is None else f"strata: {problem}"


def absent_problem(cells: Sequence[Sequence[object]], features: Sequence[str]) -> str | None:
    """Say what is wrong with cells that are said to be impossible; None where each has a value for each feature."""
    for i, cell in enumerate(cells):
        if len(cell) != len(features):
            return f"{list(cell)!r} has {counted(len(cell), 'value')}; give one for each of {', '.join(features)}"
        if cell in cells[:i]:
            return f"{list(cell)!r} stands here twice; name each cell once"
    return None


def combination_problem(metric: Metric, limit_kind: str) -> str | None:
    """Say why a metric cannot be standardised over strata; None where it can."""
    if not metric.standardisable or limit_kind not in OF_VALUES:
        return f"combined is available for differences and values of rates, means and AUCs, not for {metric.name}"
    return None


def _texts(name: str, value: object) -> tuple[str, ...] | None:
    """Return texts as a tuple; None as itself."""
    if value is None:
        return None
    if not isinstance(value, list | tuple) or not all(isinstance(text, str) for text in value):
        raise ConfigurationError(f"{name}: {value!r} is no list of texts; write ['NA', '?'], or [] for none")
    if any(not text.strip() for text in value):
        raise ConfigurationError(f"{name}: holds a blank text, which is missing in any case; leave it out")
    return tuple(str(text) for text in value)


@dataclass(frozen=True, slots=True)
class Missing:
    """Which sensitive values are missing beyond those without any, and what becomes of them."""

    sensitive: MissingSensitive = "error"  # samples without a value are an error, or a group called "(missing)"
    # every text that means a missing value; all others are names. None: text that programs write for one
    # (`MISSING_TEXT`) is an error until somebody says what it is; where missing values are a group, it is of it
    text: tuple[str, ...] | None = None


MISSING_IS_ERROR = Missing()


@dataclass(frozen=True, slots=True)
class Settings:
    """How a question is decided; the ``defaults`` of thresholds.yaml."""

    alpha: float = 0.05  # in (0, 0.5)
    correction: Correction = "holm"  # of the violation p-values over the checks of a model
    burden_of_proof: Burden = "violation"  # whether an unsettled check is counted apart or fails the run
    min_group_size: int = 10  # smaller groups are not judged; inconclusive unless the others violate the limit
    missing_sensitive: MissingSensitive = "error"
    missing_text: Sequence[str] | None = None  # see `Missing`

    @property
    def missing(self) -> Missing:
        """How missing sensitive values are treated."""
        return Missing(self.missing_sensitive, None if self.missing_text is None else tuple(self.missing_text))

    def __post_init__(self) -> None:
        object.__setattr__(self, "alpha", number("alpha", self.alpha, 0.0, 0.5, "()"))
        if self.alpha < _LEAST_ALPHA:
            raise ConfigurationError(
                f"alpha: {self.alpha:g} is below {_LEAST_ALPHA:g}: hardly any violation could be proved at it, and the "
                "run would be green whatever the model does; 0.05 is usual, 0.01 is strict"
            )
        object.__setattr__(self, "min_group_size", count("min_group_size", self.min_group_size, 1))
        allowed = (
            ("correction", Correction),
            ("burden_of_proof", Burden),
            ("missing_sensitive", MissingSensitive),
        )
        for name, values in allowed:
            value = getattr(self, name)
            if value not in get_args(values):
                raise ConfigurationError(f"{name}: {value!r}; {did_you_mean(str(value), get_args(values))}")
        object.__setattr__(self, "missing_text", _texts("missing_text", self.missing_text))

    def under(self, burden: Burden | None) -> Settings:
        """Return these with the burden of proof of the command line, which wins, where one was given there."""
        return replace(self, burden_of_proof=burden) if burden else self

    def too_few(self, samples: int) -> str | None:
        """Say that a group has too few samples to be judged; None if it has enough."""
        few = samples < self.min_group_size
        return f"{samples} samples, fewer than min_group_size {self.min_group_size}" if few else None
