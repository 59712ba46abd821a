"""A record as text: the line that is the whole story, and what stands below it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from fairness_checks.plain import inert, printable
from fairness_checks.question.limits import LIMITS, OF_ONE_GROUP
from fairness_checks.question.waivers import waiver_yaml
from fairness_checks.records.check_record import CheckRecord
from fairness_checks.records.parts import GroupRecord, InputRecord, SuppressionRecord
from fairness_checks.report.columns import wrap
from fairness_checks.report.numbers import HIDDEN, limit_text, p_text, value_text
from fairness_checks.report.regression_text import regression_lines, worsening_words
from fairness_checks.report.sentence import breaking, deciding, model_name, samples_of, sentence
from fairness_checks.report.sweep_text import answer_words, gap_words, sweep_lines, table_lines

__all__ = [
    "TO_PASTE",
    "about_text",
    "absent_text",
    "adjusted_text",
    "allowed_text",
    "disparity_text",
    "explanation",
    "group_text",
    "headline",
    "inputs_text",
    "interval_of",
    "is_limited",
    "judged_lines",
    "laid_out",
    "numbers_text",
    "plan_text",
    "power_text",
    "record_text",
    "sentences",
    "settling_lines",
    "shown_groups",
    "subject_text",
    "sweep_table",
    "waiver_lines",
    "waiver_text",
    "would_take",
]

_CORRECTIONS = {"holm": "Holm", "benjamini_hochberg": "Benjamini-Hochberg", "none": "unadjusted"}
_MOST_GROUPS_SHOWN = 12
TO_PASTE = "To accept this for a time, paste this under `waivers:` and fill in why and who:"
"""The line above a waiver."""
_ACCEPTED = timedelta(days=90)


def disparity_text(record: CheckRecord) -> str:
    """Estimate with interval, or a dash where undefined."""
    if record.estimate is None:
        return "-"
    if record.low is None or record.high is None:
        return f"{value_text(record.estimate)} [{HIDDEN}]"
    return f"{value_text(record.estimate)} [{value_text(record.low)}, {value_text(record.high)}]"


def allowed_text(record: CheckRecord) -> str:
    """Say on which side of what lies what keeps the limit: ``at most 0.10``."""
    return f"{LIMITS[record.limit_kind].side} {limit_text(record.limit)}"


def subject_text(record: CheckRecord) -> str:
    """Say what is asked of which groups."""
    compared = f", {gap_words(record.sweep)}" if record.sweep else ""
    if record.regression is not None:
        compared = f", {worsening_words(record.regression)}"
    return f"{record.question.subject(record.component)}{compared}"


def numbers_text(record: CheckRecord) -> str:
    """Return what is limited, with its interval and its limit, in one line."""
    word = LIMITS[record.limit_kind].word
    limit = f"{record.limit_kind} {limit_text(record.limit)}"
    if record.estimate is None:
        return f"{subject_text(record)}: {word} {HIDDEN if record.withheld else 'undefined'}, {limit}"
    return f"{subject_text(record)}: {word} {disparity_text(record)}, {limit}"


def headline(record: CheckRecord) -> str:
    """Return the whole story in one line; of a sweep, also whether the gap would close with other training data."""
    answer = "" if record.sweep is None or record.withheld else answer_words(record.sweep)
    return printable(f"{_story(record)}. {answer}" if answer else _story(record))


def _story(record: CheckRecord) -> str:
    asked = f"{record.model}: {subject_text(record)}"
    if record.broken:
        return f"{asked}: could not be checked: {record.reason}"
    waived = waiver_text(record)
    if record.withheld:
        verdict = f"{_SETTLED[record.verdict]} {limit_text(record.limit)}"
        return f"{asked}: {verdict}; {record.reason}{f', {waived}' if waived else ''}"
    if record.first is None:
        return f"{asked}: undefined, not judged against {limit_text(record.limit)}: {record.reason}"
    return f"{sentence(record)}, {waived}" if waived else sentence(record)


_SETTLED = {
    "pass": "keeps the limit of",
    "fail": "breaks the limit of",
    "waived": "breaks the limit of",
    "inconclusive": "is not settled against",
}


def waiver_text(record: CheckRecord) -> str | None:
    """Say until when a violation is accepted, by whom and why; None where nothing was waived."""
    if record.waiver is None:
        return None
    return f"waived until {record.waiver.expires} by {record.waiver.approved_by}: {record.waiver.reason}"


def about_text(record: CheckRecord) -> str:
    """Return what the model and its data are in one line; empty where nothing was said."""
    return printable("; ".join(f"{name.replace('_', ' ')}: {text}" for name, text in record.about.items()))


def absent_text(record: CheckRecord) -> str:
    """Return the groups that were left out as they cannot exist, in one line; empty where there are none."""
    return printable("; ".join(", ".join(cell) for cell in record.absent))


_SCALED = {"as given": "as given", "transform": "scaled by a transform"}


def inputs_text(record: CheckRecord) -> str:
    """Return what the judged predictions mean in one line; empty where there is nothing to say."""
    inputs = record.inputs or InputRecord()
    parts = [] if inputs.positive is None else [f"positive: {inputs.positive}"]
    if inputs.decisions is not None:
        at = "thresholds of their own" if inputs.threshold is None else f"score >= {inputs.threshold:g}"
        parts.append("decisions: given" if inputs.decisions == "given" else f"decided at {at}")
    if inputs.scaling is not None:
        parts.append(f"images: {_SCALED.get(inputs.scaling, f'scaled to {inputs.scaling}')}")
    if inputs.repeated_rows:
        kept = "kept together in splits" if inputs.identical_rows == "together" else "independent in splits"
        parts.append(f"{inputs.repeated_rows:,} rows repeat the features of an earlier one, {kept}")
    return printable("; ".join(parts))


def _settled_but_for_others(record: CheckRecord) -> bool:
    """Say whether only groups that could not be judged keep a check from passing."""
    return record.reason is not None and record.p_compliance is not None and record.p_compliance < record.alpha


def would_take(record: CheckRecord) -> Iterator[str]:
    """Say what it would take to settle an inconclusive check."""
    if record.estimate is None or _settled_but_for_others(record):
        yield "It would take more samples of the groups that could not be judged."
        return
    share = f"{record.power:.0%}"
    if record.detectable is None:
        yield f"These groups show no {LIMITS[record.limit_kind].word} past the limit with {share} power."
    else:
        yield f"These groups show {_detectable(record, record.detectable)} with {share} power."
    if record.regression is not None:
        yield "More samples would settle it" + ("." if record.regression.paired else ", or the same ones as then.")
    elif needed := power_text(record):
        yield f"It {needed}."


def adjusted_text(record: CheckRecord) -> str | None:
    """Say of an inconclusive check that it would fail alone: its own interval lies past the limit; None of others."""
    raw, adjusted = record.p_violation, record.p_adjusted
    if record.verdict != "inconclusive" or record.withheld or raw is None or adjusted is None:
        return None
    if not raw < record.alpha <= adjusted:
        return None
    return printable(
        f"Alone it would fail ({p_text(raw)}). Among {record.family_size} checks of {model_name(record)} some look bad "
        f"by chance, and allowing for that ({_CORRECTIONS[record.correction]}) it is not shown ({p_text(adjusted)})."
    )


def settling_lines(record: CheckRecord) -> list[str]:
    """Return what an inconclusive check lacks, and what it would take to settle it, a sentence each."""
    adjusted = adjusted_text(record)
    lacking = [] if record.reason is None or record.estimate is None else [f"Not judged: {record.reason}."]
    alone = [] if adjusted is None else [adjusted]
    return [printable(line) for line in (*lacking, *alone, *(() if record.withheld else would_take(record)))]


def sentences(record: CheckRecord) -> list[str]:
    """Return what was found, and of an inconclusive check what it would take to settle it, a sentence each."""
    return [f"{headline(record)}.", *(settling_lines(record) if record.verdict == "inconclusive" else ())]


def _detectable(record: CheckRecord, value: float) -> str:
    """Return the smallest departure that is shown: what is reduced by less than nothing grows."""
    limit = LIMITS[record.limit_kind]
    if record.limit_kind == "min_reduction" and value < 0.0:
        return f"a gap that grows by {value_text(-value)} or more"
    return f"a {limit.word} of {value_text(value)} {'or more' if limit.ceiling else 'or less'}"


def power_text(record: CheckRecord) -> str | None:
    """Say in one line what an inconclusive check needs to be settled; None for one that is settled or undefined."""
    if record.verdict != "inconclusive" or record.estimate is None or _settled_but_for_others(record):
        return None
    if record.regression is not None:
        return "needs more samples" + ("" if record.regression.paired else ", or the same ones as in the baseline")
    if record.sweep is not None:
        return _sweep_power(record)
    seen, equal = record.needed_samples, record.needed_samples_if_equal
    if seen is None and equal is None:
        true = "if the values seen are the true ones"
        return f"lies on the limit or next to it: no number of {record.unit} settles it, {true}"
    first = seen if seen is not None else equal
    assert first is not None  # for the type checker: one of them is known
    rest = ""
    if seen is not None and equal is not None:
        rest = f"; {' and '.join(f'{size:,}' for size in _more(record, equal)[0])} if the true ones are equal"
    return f"needs about {_of_whom(record, first)} {_AS_SEEN if seen is not None else _IF_EQUAL}{rest}"


_AS_SEEN, _IF_EQUAL = "if the values seen are the true ones", "if the true values are equal"


def plan_text(record: CheckRecord) -> str | None:
    """Return how many samples to plan for; None where no number of samples of held-out groups is known."""
    seen, equal = record.needed_samples, record.needed_samples_if_equal
    if record.sweep is not None or record.regression is not None or (known := seen or equal) is None:
        return None
    case = _AS_SEEN if seen is not None else _IF_EQUAL
    if seen is not None and equal is not None:
        known, case = max(seen, equal), "whether the groups differ as seen or not at all"
    return f"plan for {_of_whom(record, known)}: so many settle it with a chance of about {record.power:.0%}, {case}"


def _of_whom(record: CheckRecord, needed: tuple[int, ...]) -> str:
    """``581 more with sex=female whose label is 1 and 927 more with sex=male whose label is 1``."""
    sizes, more = _more(record, needed)
    names = [group.name for group in deciding(record)]
    return " and ".join(f"{size:,} {more}{samples_of(record, name)}" for size, name in zip(sizes, names, strict=True))


def _more(record: CheckRecord, sizes: tuple[int, ...]) -> tuple[list[int], str]:
    """Return how many more samples are needed, the worse group first; how many in all where that is not known."""
    names = [name for name in (record.first, record.second) if name is not None]
    needed = dict(zip(names, sizes, strict=True))
    groups = deciding(record)
    if any(needed[group.name] <= group.n for group in groups):
        return [needed[group.name] for group in groups], "in all "
    return [needed[group.name] - group.n for group in groups], "more "


def _sweep_power(record: CheckRecord) -> str:
    """Say how many repeats or rows would settle a sweep; more test rows of one table do what more repeats do."""
    if record.needed_samples is None:
        return "lies on the limit or next to it: no number of rows settles it, if the values seen are the true ones"
    sweep = record.sweep
    if sweep is not None and record.needed_repeats is not None and record.needed_repeats <= sweep.repeats:
        return (
            f"would be settled by {record.power:.0%} of such sweeps, if the values seen are the true ones, and was not "
            "by this one: repeat it with more rows or repeats"
        )
    names = [name for name in (record.first, record.second) if name is not None]
    sizes = zip(record.needed_samples, names, strict=False)
    rows = " and ".join(f"{size:,} {samples_of(record, name)}" for size, name in sizes)
    table = f"{rows} in the table, if the values seen are the true ones"
    if record.needed_repeats is None:
        return f"needs about {table}; more repeats do not settle it"
    return f"needs {record.needed_repeats:,} repeats, or about {table}"


def is_limited(record: CheckRecord, group: GroupRecord) -> bool:
    """Say whether the value of a group is what the check limits, so that the check's interval is that of it."""
    return record.first == group.name and record.limit_kind in OF_ONE_GROUP


def interval_of(record: CheckRecord, group: GroupRecord) -> tuple[float, float] | None:
    """Return the interval of a group's value; of one that is limited, that of the check."""
    low, high = (record.low, record.high) if is_limited(record, group) else (group.low, group.high)
    return None if low is None or high is None else (low, high)


def group_text(record: CheckRecord, group: GroupRecord) -> str:
    """Return ``female: 168 of 400 positives, 0.420 [0.379, 0.462]``: counts, value and interval."""
    # One interval for one number: that of a value that is limited is the check's own.
    known = group.low is not None and group.high is not None and not is_limited(record, group)
    interval = f" [{value_text(group.low or 0.0)}, {value_text(group.high or 0.0)}]" if known else ""
    counted = f"{group.n:,}" if group.events is None else f"{group.events:,} of {group.n:,}"
    unit = record.unit if record.sweep is None else f"{record.unit} of {group.samples:,} rows"
    clusters = "" if group.clusters is None else f" in {group.clusters} clusters"
    worth = "" if group.effective_n is None else f" (worth {group.effective_n:.3g} independent ones)"
    also = "".join(f", {name} {value_text(value)}" for name, value in group.also.items() if value is not None)
    value = "" if also else ", undefined"
    if group.rate is not None:
        value = f", {value_text(group.rate)}"
    return f"{group.label}: {counted} {unit}{clusters}{worth}{value}{interval}{also}"


def shown_groups(record: CheckRecord) -> list[GroupRecord]:
    """Return the groups that are listed: those that decide or are past the limit, all of them, and some others."""
    first = {group.name: group for group in (*deciding(record), *breaking(record))}
    rest = [group for group in record.groups if group.name not in first]
    unjudged = [group for group in rest if group.problem is not None]
    others = unjudged + [group for group in rest if group.problem is None]
    return [*first.values(), *others[: max(_MOST_GROUPS_SHOWN - len(first), 0)]]


def _suppressed_text(suppressed: SuppressionRecord) -> str:
    names = [", ".join(name) for name in suppressed.groups]
    more = f"; and {len(names) - _MOST_GROUPS_SHOWN} more" if len(names) > _MOST_GROUPS_SHOWN else ""
    hidden = f"withheld: {'; '.join(names[:_MOST_GROUPS_SHOWN])}{more}" if names else "some statistics are withheld"
    return f"Attested, not recomputed, as counts below {suppressed.below} are suppressed; {hidden}."


def explanation(record: CheckRecord) -> list[str]:
    """Return the lines below the headline: numbers, groups, test, and what it would take."""
    return [printable(line) for line in _explained(record)]


def judged_lines(record: CheckRecord) -> list[str]:
    """Return the same without the groups and without the table of a sweep, for who sees both beside it."""
    return [printable(line) for line in (*_limited(record), *_judged(record))]


def sweep_table(record: CheckRecord) -> list[str]:
    """Return the groups under each mix as a table of text; empty where there is none."""
    return [] if record.sweep is None or record.withheld else [printable(line) for line in table_lines(record.sweep)]


def _explained(record: CheckRecord) -> Iterator[str]:
    yield from _limited(record)
    shown = shown_groups(record)
    yield from (f"  {group_text(record, group)}" for group in shown)
    if len(record.groups) > len(shown):
        yield f"  ... and {len(record.groups) - len(shown)} more groups"
    yield from sweep_table(record)
    yield from _judged(record)


def _limited(record: CheckRecord) -> Iterator[str]:
    """Say what was found of what is limited, and what it would take where that is not settled."""
    if record.estimate is not None:
        yield f"{numbers_text(record)}."
    if record.verdict == "inconclusive":
        if record.burden_of_proof == "compliance":
            yield "The burden of proof is compliance: what the data do not show to be within the limit fails."
        if (adjusted := adjusted_text(record)) is not None:
            yield adjusted
        yield from () if record.withheld else would_take(record)
    if record.suppressed is not None:
        yield _suppressed_text(record.suppressed)
    if record.reason is not None and record.estimate is not None:
        yield f"Not judged: {record.reason}."


def _judged(record: CheckRecord) -> Iterator[str]:
    """Say on what, and by what test."""
    if absent := absent_text(record):
        yield f"Left out, as it cannot exist: {absent}."
    if record.sweep is not None and not record.withheld:
        yield from sweep_lines(record.sweep)
    if record.regression is not None:
        yield from regression_lines(record.regression)
    yield from _tested(record)
    yield from (f"Note: {note}." for note in (*record.notes, *record.cautions))
    if inputs := inputs_text(record):
        yield f"Predictions of {model_name(record)}: {inputs}."
    if record.about:
        yield f"About {model_name(record)}: {about_text(record)}."


def _tested(record: CheckRecord) -> Iterator[str]:
    """Say by what test and at what level it was judged."""
    violation, compliance = record.p_violation, record.p_compliance
    if violation is None or compliance is None:
        return
    checks = "check" if record.family_size == 1 else "checks"
    yield f"Test: {record.method}; {record.confidence:.0%} interval."
    yield (
        f"Raw {p_text(violation)} for a violation, {p_text(compliance)} for compliance; alpha {record.alpha:g}, "
        f"{_CORRECTIONS[record.correction]} over {record.family_size} {checks} of {model_name(record)}."
    )


def waiver_lines(record: CheckRecord, today: date) -> list[str]:
    """Return what accepts a violation for a quarter, to be pasted into thresholds.yaml; nothing where none can."""
    if record.verdict != "fail" or record.broken:
        return []
    entry = waiver_yaml(record.model, record.question, today + _ACCEPTED)
    return [TO_PASTE, *entry.splitlines()]


def record_text(record: CheckRecord) -> str:
    """Return a record as text: the headline, and the lines below it."""
    return "\n".join([headline(record), *explanation(record)])


def laid_out(text: str, width: int | None) -> Iterator[tuple[str, bool]]:
    """Yield the lines of a failure, broken at a width, and whether each is of the first; none that is to be pasted."""
    pasted = False
    for number, line in enumerate(text.splitlines()):
        start = line[: len(line) - len(line.lstrip(" "))]
        broken = [line]
        if width is not None and not pasted and "  " not in line.strip(" "):  # of a table each line stays whole
            broken = list(wrap(line.strip(" "), width, start, f"{start}  "))
        yield from ((part if pasted else inert(part), number == 0) for part in broken)
        pasted = pasted or line == TO_PASTE
