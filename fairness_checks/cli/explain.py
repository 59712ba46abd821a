"""`fairness-checks explain`: one metric, for patients, with the samples that a limit takes."""

from __future__ import annotations

import re
import sys
import textwrap
from typing import Any, NamedTuple

from fairness_checks.cli.explain_texts import TEXTS
from fairness_checks.errors import ConfigurationError
from fairness_checks.planning.arguments import OF_A_CLASS
from fairness_checks.planning.needs import plan_of
from fairness_checks.planning.sample_size import SamplePlan, plan_sample_size
from fairness_checks.question.checks import limits_of
from fairness_checks.question.gaps import GAPS
from fairness_checks.question.limits import LimitKind, limit_problem
from fairness_checks.question.metric_meanings import MEANINGS
from fairness_checks.question.metric_names import ALIASES, canonical, metric_hint
from fairness_checks.question.metrics import METRICS, Metric, parts_of

__all__ = ["explain", "explanation"]

_WIDTH, _HEAD = 88, 17
_TYPICAL = 0.2  # of an error rate
_TYPICAL_AREA = 0.6  # by which errors tell two groups apart, and uncertainties
_OPTIONS = {
    "positives": "--prevalence",
    "max_difference": "--max-difference",
    "max_mismatch": "--max-difference",
}
"""By the argument of a plan, the option that gives it."""
_DEVIATIONS = 10.0  # one sample's standard deviation, in limits of a mean


def explain(name: str, limit: float | None, prevalence: float | None) -> int:
    """Print what a metric is, and return the exit code."""
    try:
        text = explanation(name, limit, prevalence)
    except ConfigurationError as error:
        sys.stderr.write(f"fairness-checks explain: {_as_options(str(error))}\n")
        return 2
    sys.stdout.write(text)
    return 0


def _as_options(error: str) -> str:
    """Return an error of a plan as one of the options that it was made of."""
    for argument, option in _OPTIONS.items():
        error = re.sub(rf"^{argument}(?=:)", option, error)
    return re.sub(r"^--prevalence: (\d+(?:\.\d+)?) is outside.*", _of_percent, error)


def _of_percent(found: re.Match[str]) -> str:
    share = float(found[1]) / 100.0
    return f"{found[0]}; {found[1]} in 100 is {share:g}" if 0.0 < share < 1.0 else found[0]


def explanation(name: str, limit: float | None = None, prevalence: float | None = None) -> str:
    """Return what a metric is, in paragraphs; ConfigurationError where there is none of the name."""
    ours = canonical(name, METRICS)
    if ours not in METRICS:
        raise ConfigurationError(f"{name!r} is not a metric; {metric_hint(name, METRICS)}")
    metric, text = METRICS[ours], TEXTS[ours]
    kind: LimitKind = "max_mismatch" if "max_mismatch" in metric.limits else "max_difference"
    asked = limit if limit is not None else 0.1 if kind == "max_mismatch" else 0.05
    if problem := limit_problem(kind, asked, metric):
        raise ConfigurationError(problem)
    check = f"{{by: sex, {kind}: {asked:g}}}"
    if kind == "max_difference":
        check = f"{{metric: {ours}, by: sex, {kind}: {asked:g}}}"
    said = {"for patients": MEANINGS[ours], "formula": metric.formula, "use it": text.use, "it hides": text.hides}
    called = sorted(alias for alias, of in ALIASES.items() if of == ours)
    first, *more = _sizes(metric, kind, asked, prevalence)
    parts = [
        ours + (f", also called {', '.join(called)}" if called else ""),
        "",
        *(_paragraph(f"{head}:", text) for head, text in (said | {"limits": _limits(metric)}).items()),
        "write:".ljust(_HEAD) + f"{'subgroups' if kind == 'max_difference' else 'uncertainty'}: [{check}]",  # to paste
        _paragraph("patients needed:", first),
        *(_paragraph("", line) for line in more),
    ]
    return "".join(f"{part}\n" for part in parts)


def _paragraph(head: str, text: str) -> str:
    begin, indent = head.ljust(_HEAD), " " * _HEAD
    return textwrap.fill(text, _WIDTH, initial_indent=begin, subsequent_indent=indent, break_on_hyphens=False)


def _limits(metric: Metric) -> str:
    """Return the kinds of limit that a metric takes, by where they are written."""
    of_sweeps = dict.fromkeys(kind for gap in GAPS for kind in limits_of(metric, gap))
    places = [", ".join(limits_of(metric))]
    places += [f"in sweeps {', '.join(of_sweeps)}"] if of_sweeps else []
    places += [f"against the baseline {kind}" for kind in limits_of(metric, of="disparity")]
    return "; ".join(places)


class _Case(NamedTuple):
    """What is assumed of two groups: their values, of a mismatch the areas of errors and of uncertainties."""

    first: Any
    second: Any
    words: str


def _sizes(metric: Metric, kind: LimitKind, limit: float, prevalence: float | None) -> list[str]:
    """Say how many samples a limit takes: where groups are alike, and where they differ by twice the limit."""
    try:
        plans = [plan_of(part) for part in parts_of(metric)]
    except ConfigurationError as error:
        return [str(error).removeprefix("metric: ")]
    is_mean = any(plan.needs_deviation for plan in plans)
    reads_prevalence = bool(metric.components) or any(plan.reads_positives for plan in plans)
    of_a_class = metric.unit in OF_A_CLASS
    given: dict[str, Any] = {"metric": metric.name, kind: limit}
    if is_mean:
        given["standard_deviation"] = _DEVIATIONS * limit or 1.0
    if prevalence is not None and (reads_prevalence or of_a_class):
        given["positives"] = prevalence
    alike, apart = _mismatches(limit) if kind == "max_mismatch" else _differences(metric, limit)
    lines = []
    for case in (alike, apart) if _is_possible(metric, kind, apart) else (alike,):
        plan = plan_sample_size(first_value=case.first, second_value=case.second, **given)
        lines.append(f"{_told(plan)} of each of two groups, where {case.words}")
    assumed = "where one sample's standard deviation is ten times that" if is_mean else _assumed(metric, kind, alike)
    head = f"for {kind} {limit:g}{f', {assumed}' if assumed else ''}, at 80% power and alpha 0.05:"
    return [head, *lines, *_of_prevalence(metric, prevalence, reads=reads_prevalence, of_a_class=of_a_class)]


def _differences(metric: Metric, limit: float) -> tuple[_Case, _Case]:
    words = ("they are alike", "they are twice the limit apart")
    if metric.components:  # a true and a false positive rate
        good: Any = (1.0 - _TYPICAL, _TYPICAL / 2.0)
        worse: Any = (good[0] - 2.0 * limit, good[1])
    else:
        falls = metric.lower_is_better is False
        good = 1.0 - _TYPICAL if falls else _TYPICAL
        worse = good - 2.0 * limit if falls else good + 2.0 * limit
    return _Case(good, good, words[0]), _Case(worse, good, words[1])


def _mismatches(limit: float) -> tuple[_Case, _Case]:
    error, uncertainty = _TYPICAL_AREA + limit, _TYPICAL_AREA - limit
    alike = f"A_error and A_uncertainty are {_TYPICAL_AREA:g}"
    apart = f"A_error is {error:g} and A_uncertainty {uncertainty:g}"
    return _Case(_TYPICAL_AREA, _TYPICAL_AREA, alike), _Case(error, uncertainty, apart)


def _is_possible(metric: Metric, kind: LimitKind, case: _Case) -> bool:
    low, high = (0.0, 1.0) if kind == "max_mismatch" else (metric.lowest, metric.highest)
    return all(low <= value <= high for value in (case.first if metric.components else case[:2]))


def _assumed(metric: Metric, kind: LimitKind, alike: _Case) -> str:
    if kind == "max_mismatch":
        return ""
    parts = zip(metric.components, alike.first, strict=True) if metric.components else ()
    values = ", ".join(f"{part} {value:g}" for part, value in parts)
    return f"where one group has {values or f'{alike.first:g}'}"


def _of_prevalence(metric: Metric, prevalence: float | None, *, reads: bool, of_a_class: bool) -> list[str]:
    """Say what is assumed of the prevalence, and that one which is given is of no use."""
    if prevalence is None:
        of_classes = ["at a prevalence of 0.5; --prevalence 0.1 for another"] if reads else []
        return ["--prevalence 0.1 says of how many patients"] if of_a_class else of_classes
    if reads or of_a_class:
        return []
    counted = "every sample" if metric.unit == "samples" else f"{metric.unit}, which the model decides"
    return [f"whatever the prevalence is: what counts is {counted}"]


def _told(plan: SamplePlan) -> str:
    """Say how many samples of the first group, which is as large as the second."""
    if plan.first_patients is None:
        return f"{plan.first:,} {plan.unit}"
    counted = "" if plan.first_patients == plan.first else f" ({plan.first:,} {plan.unit})"
    return f"{plan.first_patients:,} patients{counted}"
