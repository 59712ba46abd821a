"""`fairness-checks explain --plan`: how many samples settle a limit, of a metric or of each check of a file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fairness_checks.errors import ConfigurationError
from fairness_checks.plain import counted, printable
from fairness_checks.planning.arguments import OF_A_CLASS
from fairness_checks.planning.assumed import STEPS, assumed
from fairness_checks.planning.needs import plan_of
from fairness_checks.planning.sample_size import SamplePlan, plan_sample_size
from fairness_checks.question.checks import Check, Settings
from fairness_checks.question.limits import LimitKind
from fairness_checks.question.metrics import Metric, parts_of
from fairness_checks.report.columns import columns, padded

if TYPE_CHECKING:
    from fairness_checks.config.loading import GateConfig, ModelChecks

__all__ = ["better_value", "file_plan", "limit_plan", "needs_deviation", "reads_prevalence", "size_text"]

_POWER = 0.8
_SHOWN = {"compliance": "it is kept", "violation": "it is exceeded"}
_FEWER = """\
With fewer the check stays inconclusive: counted apart where burden_of_proof is violation, red where
it is compliance.
"""


def limit_plan(metric: Metric, kind: LimitKind, limit: float, value: float | None, given: Mapping[str, Any]) -> str:
    """Return what one limit takes, a line for each true disparity; `given` are arguments of `plan_sample_size`."""
    if value is not None and needs_deviation(metric):
        raise ConfigurationError(f"value: {value:g} is not asked: that of {metric.name} does not move its plan")
    found = {step: _planned(metric, kind, limit, step, value, given) for step in STEPS}
    unit = next(plan.unit for plan in found.values() if plan is not None)
    per_hundred = f": {100.0 * limit:g} of 100 {unit}" if metric.numerator else ""
    good = better_value(metric, kind, value)
    whose = "one of which" if metric.lower_is_better is None else "of which the better one"
    of = f", {whose} has {good}" if good else ""
    groups = "two groups" if given["groups"] == 2 else f"{given['groups']} groups"
    rows = [("if the groups truly differ by", "a run shows", "each group needs")]
    for step, plan in found.items():
        apart = "nothing" if step == 0.0 else f"{step * limit:g}, {STEPS[step]}"
        if plan is not None:
            rows.append((apart, _SHOWN[plan.shows], size_text(plan)))
    head = f"{metric.name}, {kind} {limit:g}{per_hundred}\n{groups}{of}; 80 % power, alpha {Settings().alpha:g}\n"
    return f"{head}\n{_table(rows)}\n{_FEWER}"


def file_plan(config: GateConfig, given: Mapping[str, Any]) -> str:
    """Return what each check of a file of limits takes, a line each."""
    settings, groups = config.settings, given["groups"]
    source, alpha = printable(config.document.source), f"alpha {settings.alpha:g}"
    parts = [
        f"{source}: what each of {groups} groups needs to settle a limit; 80 % power, {alpha}\n",
        *(_of_model(model, settings, given) for model in config.models),
        "Showing that a limit is kept takes the first two columns, that it is exceeded the last.\n"
        "Assumed: error rates of 0.2, values that are to be large of 0.8, in the better group.\n"
        f"burden_of_proof is {settings.burden_of_proof}: with fewer a check stays inconclusive, "
        f"{'which is red' if settings.burden_of_proof == 'compliance' else 'counted apart'}.\n"
        f"A group of fewer than {settings.min_group_size} is not judged, whatever is planned (min_group_size).\n",
    ]
    return "\n".join(parts)


def _of_model(model: ModelChecks, settings: Settings, given: Mapping[str, Any]) -> str:
    checks = len(model.checks) if settings.correction != "none" else 1
    rows: list[Sequence[str]] = [("", *STEPS.values())]
    left_out: Counter[str] = Counter()
    for entry in model.checks:
        check = entry.check
        try:
            cells = _cells(check, {**given, "alpha": settings.alpha, "checks": checks})
        except ConfigurationError as error:
            left_out[str(error).removeprefix("metric: ")] += 1
        else:
            rows.append((f"{check.question.subject()}, {check.limit_kind} {check.limit:g}", *cells))
    head = f"{printable(model.name)}, {counted(len(model.checks), 'check')}\n"
    table = _table(rows) if len(rows) > 1 else ""
    others = "".join(f"  {counted(number, 'check')} {why}\n" for why, number in left_out.items())
    return f"{head}{table}{others}"


def _cells(check: Check, given: Mapping[str, Any]) -> list[str]:
    """Return the size for each true disparity; ConfigurationError where the check cannot be planned."""
    metric = check.definition
    for applies, why in (
        (check.gap is not None, "on a sweep: the run itself says how many rows the table needs"),
        (check.of is not None, "against the baseline: the run itself says how many it needs"),
        (check.custom is not None, "of a metric of your own: plan one of the table that is like it"),
        (check.strata == "combined", "standardised over strata: the run itself says how many it needs"),
    ):
        if applies:
            raise ConfigurationError(why)
    if needs_deviation(metric):
        raise ConfigurationError(f"of a mean: explain --plan {metric.name} --max-difference LIMIT --deviation SD")
    asked = {**given, "positives": given["positives"] if reads_prevalence(metric) else None}
    plans = [_planned(metric, check.limit_kind, check.limit, step, None, asked) for step in STEPS]
    return ["-" if plan is None else size_text(plan).partition(" (")[0] for plan in plans]


def _planned(
    metric: Metric, kind: LimitKind, limit: float, step: float, value: float | None, given: Mapping[str, Any]
) -> SamplePlan | None:
    values = assumed(metric, kind, limit, step, value)
    if values is None:
        return None
    limits: dict[str, Any] = {kind: limit}
    return plan_sample_size(
        metric=metric.name, first_value=values.first, second_value=values.second, power=_POWER, **limits, **given
    )


def needs_deviation(metric: Metric) -> bool:
    """Say whether a plan needs the standard deviation of one sample; ConfigurationError where there is no plan."""
    return any(plan_of(part).needs_deviation for part in parts_of(metric))


def reads_prevalence(metric: Metric) -> bool:
    """Say whether the prevalence matters to the samples that count, or says among how many patients they are."""
    return bool(metric.components) or metric.unit in OF_A_CLASS or plan_of(metric).reads_positives


def size_text(plan: SamplePlan) -> str:
    """Say how many samples of the first group, which is as large as the second."""
    if plan.first_patients is None:
        return f"{plan.first:,} {plan.unit}"
    counts = "" if plan.first_patients == plan.first else f" ({plan.first:,} {plan.unit})"
    return f"{plan.first_patients:,} patients{counts}"


def better_value(metric: Metric, kind: LimitKind, value: float | None = None) -> str:
    """Say what is assumed of the group that fares better; "" of means and mismatches, whose plans it does not move."""
    found = assumed(metric, kind, 0.0, 0.0, value)
    if found is None or kind == "max_mismatch" or needs_deviation(metric):
        return ""
    if isinstance(found.second, tuple):
        return ", ".join(f"{part} {each:g}" for part, each in zip(metric.components, found.second, strict=True))
    return f"{found.second:g}"


def _table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(columns, column)) for column in zip(*rows, strict=True)]
    lines = ("   ".join(padded(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "".join(f"  {line}\n" for line in lines)
