"""`fairness-checks explain`: one metric, for patients, with the samples that a limit takes."""

from __future__ import annotations

import sys
import textwrap
from typing import Any

from fairness_checks.cli.explain_texts import TEXTS
from fairness_checks.errors import ConfigurationError
from fairness_checks.planning.needs import plan_of
from fairness_checks.planning.sample_size import SamplePlan, plan_sample_size
from fairness_checks.question.checks import Worsening, limits_of
from fairness_checks.question.gaps import GAPS, Gap
from fairness_checks.question.metric_meanings import MEANINGS
from fairness_checks.question.metric_names import ALIASES, canonical, metric_hint
from fairness_checks.question.metrics import METRICS, Metric, parts_of

__all__ = ["explain", "explanation"]

_WIDTH = 88
_TYPICAL = 0.2  # of an error rate
_OF_DEVIATION = 0.1  # the limit of a mean, in standard deviations


def explain(name: str, limit: float | None, prevalence: float | None) -> int:
    """Print what a metric is, and return the exit code."""
    try:
        text = explanation(name, limit, prevalence)
    except ConfigurationError as error:
        sys.stderr.write(f"fairness-checks explain: {error}\n")
        return 2
    sys.stdout.write(text)
    return 0


def explanation(name: str, limit: float | None = None, prevalence: float | None = None) -> str:
    """Return what a metric is, in paragraphs; ConfigurationError where there is none of the name."""
    ours = canonical(name, METRICS)
    if ours not in METRICS:
        raise ConfigurationError(f"{name!r} is not a metric; {metric_hint(name, METRICS)}")
    metric, text = METRICS[ours], TEXTS[ours]
    called = sorted(alias for alias, of in ALIASES.items() if of == ours)
    sections = ", ".join(part for part in (_sweeps(metric), _regressions(metric)) if part)
    found = [
        ("", ours + (f", also called {', '.join(called)}" if called else "")),
        ("for patients", MEANINGS[ours]),
        ("formula", metric.formula),
        ("use it", text.use),
        ("it hides", text.hides),
        ("limits", ", ".join(limits_of(metric)) + (f"; {sections}" if sections else "")),
        ("write", _line(metric)),
        *[
            ("patients needed" if not place else "", line)
            for place, line in enumerate(_sizes(metric, limit, prevalence))
        ],
    ]
    return "".join(_paragraph(*each) for each in found)


def _paragraph(head: str, text: str) -> str:
    begin = f"{head}:".ljust(17) if head else " " * 17
    if not head and text.split(",")[0] in METRICS:
        return f"{text}\n\n"
    return textwrap.fill(text, _WIDTH, initial_indent=begin, subsequent_indent=" " * 17, break_on_hyphens=False) + "\n"


def _sweeps(metric: Metric) -> str:
    kinds = {kind: None for gap in _gaps() for kind in limits_of(metric, gap)}
    return f"in sweeps {', '.join(kinds)}" if kinds else ""


def _gaps() -> tuple[Gap, ...]:
    return tuple(GAPS)


def _regressions(metric: Metric) -> str:
    of: Worsening = "disparity"
    return "against the baseline max_worsening" if limits_of(metric, of=of) else ""


def _line(metric: Metric) -> str:
    if metric.limits == ("max_mismatch",):
        return "uncertainty: [{by: sex, max_mismatch: 0.10}]"
    return f"subgroups: [{{metric: {metric.name}, by: sex, max_difference: {_limit(metric):g}}}]"


def _limit(metric: Metric) -> float:
    return 0.1 if metric.limits == ("max_mismatch",) else 0.05


def _sizes(metric: Metric, limit: float | None, prevalence: float | None) -> list[str]:
    """Say how many samples a limit takes: where groups are alike, and where they differ by twice the limit."""
    parts = parts_of(metric)
    try:
        needs_deviation = any(plan_of(part).needs_deviation for part in parts)
    except ConfigurationError as error:
        return [str(error).removeprefix("metric: ")]
    given: dict[str, Any] = {"metric": metric.name}
    if prevalence is not None and (metric.unit in ("positives", "negatives") or _reads_positives(metric)):
        given["positives"] = prevalence
    kind = "max_mismatch" if metric.limits == ("max_mismatch",) else "max_difference"
    asked = limit if limit is not None else (_OF_DEVIATION * _TYPICAL if needs_deviation else _limit(metric))
    if needs_deviation:
        given["standard_deviation"] = _TYPICAL if limit is None else limit / _OF_DEVIATION
    given[kind] = asked
    alike, apart = _values(metric, asked)
    lines = []
    cases = [("alike", alike), ("twice the limit apart", apart)]
    for what, (first, second) in cases if _is_possible(metric, apart) else cases[:1]:
        plan = plan_sample_size(first_value=first, second_value=second, **given)
        lines.append(f"{_told(plan)} of each of two groups, where they are {what}")
    of = f"a tenth of one sample's standard deviation as {kind}" if needs_deviation else f"{kind} {asked:g}"
    assumed = f", from {_shown(alike[0])}" if not needs_deviation else ""
    return [f"for {of}{assumed}, at 80% power and alpha 0.05:", *lines]


def _reads_positives(metric: Metric) -> bool:
    return any(plan_of(part).reads_positives for part in parts_of(metric)) or bool(metric.components)


def _values(metric: Metric, limit: float) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """Return the values of two groups alike, and of two that are twice the limit apart."""
    if metric.components:
        return ((0.8, 0.1), (0.8, 0.1)), ((0.8 - 2.0 * limit, 0.1), (0.8, 0.1))
    if metric.limits == ("max_mismatch",):
        return (0.6, 0.6), (0.6 + limit, 0.6 - limit)
    good = 1.0 - _TYPICAL if metric.lower_is_better is False else _TYPICAL
    worse = good - 2.0 * limit if metric.lower_is_better is False else good + 2.0 * limit
    return (good, good), (worse, good)


def _is_possible(metric: Metric, values: tuple[Any, Any]) -> bool:
    flat = [each for value in values for each in (value if isinstance(value, tuple) else (value,))]
    return all(metric.lowest <= value <= metric.highest for value in flat) or "max_mismatch" in metric.limits


def _shown(value: Any) -> str:
    return " and ".join(f"{each:g}" for each in value) if isinstance(value, tuple) else f"{value:g}"


def _told(plan: SamplePlan) -> str:
    """Say how many samples of the first group, which is as large as the second."""
    if plan.unit == "samples":
        return f"{plan.first:,} patients"
    if plan.first_patients is None:
        more = "; --prevalence 0.1 says of how many patients" if plan.unit in ("positives", "negatives") else ""
        return f"{plan.first:,} {plan.unit}{more}"
    return f"{plan.first_patients:,} patients ({plan.first:,} {plan.unit})"
