"""`fairness-checks explain`: one metric, for patients, with the samples that a limit takes."""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fairness_checks.cli.explain_texts import TEXTS
from fairness_checks.cli.limit_plan import (
    better_value,
    file_plan,
    limit_plan,
    needs_deviation,
    reads_prevalence,
    size_text,
)
from fairness_checks.errors import ConfigurationError
from fairness_checks.planning.arguments import OF_A_CLASS
from fairness_checks.planning.assumed import Assumed, assumed
from fairness_checks.planning.sample_size import plan_sample_size
from fairness_checks.question.arguments import count, number
from fairness_checks.question.checks import limits_of
from fairness_checks.question.gaps import GAPS
from fairness_checks.question.limits import LimitKind, limit_problem
from fairness_checks.question.metric_meanings import MEANINGS
from fairness_checks.question.metric_names import ALIASES, canonical, metric_hint
from fairness_checks.question.metrics import METRICS, Metric

__all__ = ["explain", "explanation", "limits_text", "plan"]

_WIDTH, _HEAD = 88, 17
_CASES = {0.0: "they are alike", 2.0: "they are twice the limit apart"}
"""By a true difference in limits, the words for it."""
_OPTIONS = {
    "positives": "--prevalence",
    "max_difference": "--max-difference",
    "max_mismatch": "--max-difference",
    "value": "--value",
    "standard_deviation": "--deviation",
    "groups": "--groups",
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


def plan(
    of: str,
    limit: float | None,
    prevalence: float | None,
    *,
    value: float | None = None,
    deviation: float | None = None,
    groups: int = 2,
    own: Sequence[str] = (),
) -> int:
    """Print what a limit of a metric takes, or each limit of a file, and return the exit code."""
    given: dict[str, Any] = {"positives": prevalence, "groups": groups}
    try:
        count("groups", groups, 2)
        if prevalence is not None:
            number("positives", prevalence, 0.0, 1.0, "()")
        if canonical(of, METRICS) not in METRICS and Path(of).suffix in (".yaml", ".yml"):
            from fairness_checks.cli.schema import limits_read  # here: a metric needs no pydantic

            if any(each is not None for each in (limit, value, deviation)):
                raise ConfigurationError(
                    f"{of} has limits of its own; --max-difference, --value and --deviation go with a METRIC"
                )
            config, code = limits_read(Path(of), own, "explain")
            if config is None:
                return code
            text = file_plan(config, given)
        else:
            metric, kind, asked = _asked(of, limit)
            text = limit_plan(metric, kind, asked, value, {**given, "standard_deviation": deviation})
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
    metric, kind, asked = _asked(name, limit)
    ours, text = metric.name, TEXTS[metric.name]
    check = f"{{by: sex, {kind}: {asked:g}}}"
    if kind == "max_difference":
        check = f"{{metric: {ours}, by: sex, {kind}: {asked:g}}}"
    said = {"for patients": MEANINGS[ours], "formula": metric.formula, "use it": text.use, "it hides": text.hides}
    called = sorted(alias for alias, of in ALIASES.items() if of == ours)
    first, *more = _sizes(metric, kind, asked, prevalence)
    parts = [
        ours + (f", also called {', '.join(called)}" if called else ""),
        "",
        *(_paragraph(f"{head}:", text) for head, text in (said | {"limits": limits_text(metric)}).items()),
        "write:".ljust(_HEAD) + f"{'subgroups' if kind == 'max_difference' else 'uncertainty'}: [{check}]",  # to paste
        _paragraph("patients needed:", first),
        *(_paragraph("", line) for line in more),
    ]
    return "".join(f"{part}\n" for part in parts)


def _asked(name: str, limit: float | None) -> tuple[Metric, LimitKind, float]:
    """Return a metric, the kind of its limit and the limit; ConfigurationError where one of them is impossible."""
    ours = canonical(name, METRICS)
    if ours not in METRICS:
        raise ConfigurationError(f"{name!r} is not a metric; {metric_hint(name, METRICS)}")
    metric = METRICS[ours]
    kind: LimitKind = "max_mismatch" if "max_mismatch" in metric.limits else "max_difference"
    asked = limit if limit is not None else 0.1 if kind == "max_mismatch" else 0.05
    if problem := limit_problem(kind, asked, metric):
        raise ConfigurationError(problem)
    return metric, kind, asked


def _paragraph(head: str, text: str) -> str:
    begin, indent = head.ljust(_HEAD), " " * _HEAD
    return textwrap.fill(text, _WIDTH, initial_indent=begin, subsequent_indent=indent, break_on_hyphens=False)


def limits_text(metric: Metric) -> str:
    """Return the kinds of limit that a metric takes, by where they are written."""
    of_sweeps = dict.fromkeys(kind for gap in GAPS for kind in limits_of(metric, gap))
    places = [", ".join(limits_of(metric))]
    places += [f"in sweeps {', '.join(of_sweeps)}"] if of_sweeps else []
    places += [f"against the baseline {kind}" for kind in limits_of(metric, of="disparity")]
    return "; ".join(places)


def _sizes(metric: Metric, kind: LimitKind, limit: float, prevalence: float | None) -> list[str]:
    """Say how many samples a limit takes: where groups are alike, and where they differ by twice the limit."""
    try:
        is_mean = needs_deviation(metric)
    except ConfigurationError as error:
        return [str(error).removeprefix("metric: ")]
    reads = reads_prevalence(metric)
    given: dict[str, Any] = {"metric": metric.name, kind: limit}
    if is_mean:
        given["standard_deviation"] = _DEVIATIONS * limit or 1.0
    if prevalence is not None and reads:
        given["positives"] = prevalence
    lines = []
    for step, words in _CASES.items():
        if (values := assumed(metric, kind, limit, step)) is not None:
            if kind == "max_mismatch":
                words = _of_areas(values)
            plan = plan_sample_size(first_value=values.first, second_value=values.second, **given)
            lines.append(f"{size_text(plan)} of each of two groups, where {words}")
    deviates = "where one sample's standard deviation is ten times that"
    good = better_value(metric, kind)
    described = deviates if is_mean else good and f"where one group has {good}"
    head = f"for {kind} {limit:g}{f', {described}' if described else ''}, at 80% power and alpha 0.05:"
    return [head, *lines, *_of_prevalence(metric, prevalence, reads=reads)]


def _of_areas(values: Assumed) -> str:
    if values.first == values.second:
        return f"A_error and A_uncertainty are {values.first:g}"
    return f"A_error is {values.first:g} and A_uncertainty {values.second:g}"


def _of_prevalence(metric: Metric, prevalence: float | None, *, reads: bool) -> list[str]:
    """Say what is assumed of the prevalence, and that one which is given is of no use."""
    if prevalence is None:
        of_classes = ["at a prevalence of 0.5; --prevalence 0.1 for another"] if reads else []
        return ["--prevalence 0.1 says of how many patients"] if metric.unit in OF_A_CLASS else of_classes
    if reads:
        return []
    counted = "every sample" if metric.unit == "samples" else f"{metric.unit}, which the model decides"
    return [f"whatever the prevalence is: what counts is {counted}"]
