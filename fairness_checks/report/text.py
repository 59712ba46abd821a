"""A record as text: the line that is the whole story, and what stands below it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from fairness_checks.plain import printable
from fairness_checks.question.limits import LIMITS
from fairness_checks.records.check_record import CheckRecord
from fairness_checks.records.parts import GroupRecord, InputRecord, SuppressionRecord
from fairness_checks.records.sweep_record import SweepRecord
from fairness_checks.report.numbers import value_text
from fairness_checks.report.regression_text import change_words, regression_lines, worsening_words
from fairness_checks.report.sweep_text import answer_words, gap_words, setting_words, sweep_lines, table_lines

__all__ = [
    "about_text",
    "absent_text",
    "disparity_text",
    "explanation",
    "headline",
    "inputs_text",
    "limit_text",
    "p_text",
    "power_text",
    "subject_text",
    "value_text",
    "waiver_text",
]

_CORRECTIONS = {"holm": "Holm", "benjamini_hochberg": "Benjamini-Hochberg", "none": "unadjusted"}
_MOST_GROUPS_SHOWN = 12


def limit_text(limit: float) -> str:
    """Write a limit with two decimals where they suffice."""
    return f"{limit:.2f}" if round(limit, 2) == limit else f"{limit:g}"


def p_text(p: float) -> str:
    """Write a p-value as journals do."""
    if p < 0.001:
        return "p < 0.001"
    return f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def disparity_text(record: CheckRecord) -> str:
    """Estimate with interval, or a dash where undefined."""
    if record.estimate is None or record.low is None or record.high is None:
        return "-"
    return f"{value_text(record.estimate)} [{value_text(record.low)}, {value_text(record.high)}]"


def _rate(group: GroupRecord) -> str:
    return f"{group.label} {'undefined' if group.rate is None else value_text(group.rate)} (n={group.n})"


def _groups_text(record: CheckRecord) -> str:
    """``female 0.420 (n=412) - male 0.180 (n=1316) =``, as far as the kind of limit has it."""
    if record.first is None:
        return ""
    if record.limit_kind == "max_mismatch":
        return _mismatch_text(record)
    if record.sweep is not None:
        return _swept_text(record, record.sweep)
    if record.regression is not None:
        return change_words(record, record.regression)
    first = _rate(record.group(record.first))
    if record.second is None:
        word = "highest" if LIMITS[record.limit_kind].ceiling else "lowest"
        return f"{word} of {len(record.groups)} groups, {first} ="
    sign = "-" if record.limit_kind == "max_difference" else "/"
    return f"{first} {sign} {_rate(record.group(record.second))} ="


def _swept_text(record: CheckRecord, sweep: SweepRecord) -> str:
    """``female 0.420 - male 0.180 (mix as_is, features all, 20 repeats) =``."""
    shown = [record.group(name) for name in (record.first, record.second) if name is not None]
    if sweep.gap == "dependence":
        moves = "falls" if record.also.get("slope", 0.0) < 0.0 else "rises"
        return f"{shown[0].label} {moves} as its share grows ({setting_words(sweep)}), slope"
    if sweep.gap == "change":
        names = " - ".join(group.label for group in shown)
        gaps = [value_text(record.also[name]) for name in ("gap_as_is", "gap_under_mix")]
        mix = printable(sweep.second_mix or "")
        setting = setting_words(dataclasses.replace(sweep, first_mix=None))
        return f"{names} {gaps[0]} as is, {gaps[1]} under {mix} ({setting}), reduction"
    values = " - ".join(f"{g.label} {'undefined' if g.rate is None else value_text(g.rate)}" for g in shown)
    return f"{values} ({setting_words(sweep)}) ="


def _mismatch_text(record: CheckRecord) -> str:
    """``dark: error is higher in 73 % of pairs, the model's uncertainty in 30 %: it does not warn;``."""
    assert record.first is not None  # for the type checker: the caller has looked
    name, also = record.group(record.first).label, record.also
    story = (
        f"{name}: error is higher in {also['error_auc']:.0%} of pairs, "
        f"the model's uncertainty in {also['uncertainty_auc']:.0%}"
    ).replace("%", " %")
    where = f" ({setting_words(record.sweep)})" if record.sweep else ""
    return f"{story}{': it does not warn' if record.verdict in ('fail', 'waived') else ''}{where}; mismatch"


def subject_text(record: CheckRecord) -> str:
    """Say what is asked of which groups."""
    compared = f", {gap_words(record.sweep)}" if record.sweep else ""
    if record.regression is not None:
        compared = f", {worsening_words(record.regression)}"
    return f"{record.question.subject(record.component)}{compared}"


def headline(record: CheckRecord) -> str:
    """Return the whole story in one line; of a sweep, also whether the gap would close with other training data."""
    answer = "" if record.sweep is None else answer_words(record.sweep)
    return f"{_story(record)}. {answer}" if answer else _story(record)


def _story(record: CheckRecord) -> str:
    subject = f"{subject_text(record)}:"
    if record.withheld and not record.broken:
        verdict = f"{_SETTLED[record.verdict]} {limit_text(record.limit)}"
        waived = waiver_text(record)
        return f"{subject} {verdict}; {record.reason}{f', {waived}' if waived else ''}"
    if record.estimate is None or record.p_adjusted is None or record.p_compliance is None:
        if record.verdict == "fail":
            return f"{subject} could not be checked: {record.reason}"
        return f"{subject} undefined, not judged against {limit_text(record.limit)}: {record.reason}"
    story = f"{subject} {_groups_text(record)} {disparity_text(record)}"
    limit = limit_text(record.limit)
    kept, violated = LIMITS[record.limit_kind].signs
    adjusted = f"{p_text(record.p_adjusted)}, {_CORRECTIONS[record.correction]}"
    if record.verdict == "pass":
        return f"{story} {kept} {limit} ({p_text(record.p_compliance)})"
    if record.verdict == "inconclusive":
        return f"{story} not settled against {limit} ({adjusted})"
    line = f"{story} {violated} {limit} ({adjusted})"
    waived = waiver_text(record)
    return f"{line}, {waived}" if waived else line


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


def _sizes(record: CheckRecord, sizes: tuple[int, ...]) -> str:
    names = [record.group(name).label for name in (record.first, record.second) if name is not None]
    parts = [f"{size:,} {record.unit} of {name}" for size, name in zip(sizes, names, strict=True)]
    return " and ".join(parts)


def _settled_but_for_others(record: CheckRecord) -> bool:
    """Say whether only groups that could not be judged keep a check from passing."""
    return record.reason is not None and record.p_compliance is not None and record.p_compliance < record.alpha


def _would_take(record: CheckRecord) -> Iterator[str]:
    """Say what it would take to settle an inconclusive check."""
    if record.estimate is None or _settled_but_for_others(record):
        yield "It would take more samples of the groups that could not be judged."
        return
    share = f"{record.power:.0%}"
    if record.detectable is None:
        yield f"These groups show no {LIMITS[record.limit_kind].word} past the limit with {share} power."
    else:
        yield f"These groups show {_detectable(record, record.detectable)} with {share} power."
    if record.sweep is not None:
        yield _sweep_would_take(record)
        return
    if record.regression is not None:
        yield "More samples would settle it" + ("." if record.regression.paired else ", or the same ones as then.")
        return
    if record.needed_samples is not None:
        yield f"If the true values are those seen, {_sizes(record, record.needed_samples)} would settle it."
    else:
        yield "If the true values are those seen, they lie on the limit or next to it: no number of samples settles it."
    if record.needed_samples_if_equal is not None:
        yield f"If the true values are equal, {_sizes(record, record.needed_samples_if_equal)} would show compliance."


def _detectable(record: CheckRecord, value: float) -> str:
    """Return the smallest departure that is shown: what is reduced by less than nothing grows."""
    limit = LIMITS[record.limit_kind]
    if record.limit_kind == "min_reduction" and value < 0.0:
        return f"a gap that grows by {value_text(-value)} or more"
    return f"a {limit.word} of {value_text(value)} {'or more' if limit.ceiling else 'or less'}"


def _shown(record: CheckRecord) -> str:
    """Say in a few words what the groups can show."""
    if record.detectable is None:
        return f"{record.power:.0%} power shows nothing past the limit"
    change = record.limit_kind == "min_reduction"
    shown = _detectable(record, record.detectable) if change else value_text(record.detectable)
    return f"{record.power:.0%} power shows {shown}"


def _sweep_would_take(record: CheckRecord) -> str:
    """Say how many repeats or rows would settle a sweep; more test rows of one table do what more repeats do."""
    if record.needed_samples is None:
        return "If the true values are those seen, they lie on the limit or next to it: no number of rows settles it."
    rows = " and ".join(
        f"{n:,} rows of {printable(', '.join(name))}"
        for n, name in zip(record.needed_samples, (record.first or (), record.second or ()), strict=False)
    )
    more = "instead of those in the table would settle it"
    if record.needed_repeats is None:
        return (
            f"Neither more repeats nor more test rows of these patients settle it. If the true values are those seen, "
            f"{rows} {more}."
        )
    return f"If the true values are those seen, {record.needed_repeats:,} repeats, or {rows} {more}."


def _group_text(group: GroupRecord, unit: str, *, swept: bool = False) -> str:
    known = group.low is not None and group.high is not None
    interval = f" [{value_text(group.low or 0.0)}, {value_text(group.high or 0.0)}]" if known else ""
    counted = f"{group.n}" if group.events is None else f"{group.events} of {group.n}"
    unit = f"{unit} of {group.samples:,} rows" if swept else unit
    clusters = "" if group.clusters is None else f" in {group.clusters} clusters"
    worth = "" if group.effective_n is None else f" (worth {group.effective_n:.3g} independent ones)"
    also = "".join(f", {name} {value_text(value)}" for name, value in group.also.items() if value is not None)
    value = "" if also else ", undefined"
    if group.rate is not None:
        value = f", {value_text(group.rate)}"
    return f"{group.label}: {counted} {unit}{clusters}{worth}{value}{interval}{also}"


def _suppressed_text(suppressed: SuppressionRecord) -> str:
    names = [printable(", ".join(name)) for name in suppressed.groups]
    more = f"; and {len(names) - _MOST_GROUPS_SHOWN} more" if len(names) > _MOST_GROUPS_SHOWN else ""
    hidden = f"withheld: {'; '.join(names[:_MOST_GROUPS_SHOWN])}{more}" if names else "some statistics are withheld"
    return f"Attested, not recomputed, as counts below {suppressed.below} are suppressed: {hidden}."


def explanation(record: CheckRecord) -> list[str]:
    """Return the lines below the headline: groups, test, and what it would take."""
    lines = []
    if record.verdict == "inconclusive":
        if record.burden_of_proof == "compliance":
            lines.append("The burden of proof is compliance: what the data do not show to be within the limit fails.")
        lines.extend([] if record.withheld else _would_take(record))
    if record.suppressed is not None:
        lines.append(_suppressed_text(record.suppressed))
    if record.reason is not None and record.estimate is not None:
        lines.append(f"Not judged: {record.reason}.")
    for group in record.groups[:_MOST_GROUPS_SHOWN]:
        lines.append(f"  {_group_text(group, record.unit, swept=record.sweep is not None)}")
    if absent := absent_text(record):
        lines.append(f"Left out, as it cannot exist: {absent}.")
    if record.sweep is not None and not record.withheld:
        lines.extend(table_lines(record.sweep))
        lines.extend(sweep_lines(record.sweep))
    if record.regression is not None:
        lines.extend(regression_lines(record.regression))
    if len(record.groups) > _MOST_GROUPS_SHOWN:
        lines.append(f"  ... and {len(record.groups) - _MOST_GROUPS_SHOWN} more groups")
    if record.p_violation is not None and record.p_compliance is not None:
        checks = "check" if record.family_size == 1 else "checks"
        lines.append(f"Test: {record.method}; {record.confidence:.0%} interval.")
        lines.append(
            f"Raw {p_text(record.p_violation)} for a violation, {p_text(record.p_compliance)} for compliance; "
            f"alpha {record.alpha:g}, {_CORRECTIONS[record.correction]} over {record.family_size} {checks} "
            f"of {record.model}."
        )
    lines.extend(f"Note: {printable(note)}." for note in (*record.notes, *record.cautions))
    if inputs := inputs_text(record):
        lines.append(f"Predictions of {printable(record.model)}: {inputs}.")
    if record.about:
        lines.append(f"About {printable(record.model)}: {about_text(record)}.")
    return lines


def power_text(record: CheckRecord) -> str | None:
    """Say in one line what would settle an inconclusive check; None for a check that is settled or undefined."""
    if record.verdict != "inconclusive" or record.estimate is None or _settled_but_for_others(record):
        return None
    if record.sweep is not None:
        return _sweep_power(record)
    sizes = {"at these rates": record.needed_samples, "if equal": record.needed_samples_if_equal}
    parts = [f"{' + '.join(f'{n:,}' for n in some)} {case}" for case, some in sizes.items() if some is not None]
    needed = f"; {record.unit} needed: {', '.join(parts)}" if parts else ""
    return f"{_shown(record)}{needed}"


def _sweep_power(record: CheckRecord) -> str:
    line = _shown(record)
    if record.needed_samples is None:
        return line
    rows = " + ".join(f"{n:,}" for n in record.needed_samples)
    if record.needed_repeats is None:
        return f"{line}; more repeats do not settle it; rows needed: {rows} at these values"
    return f"{line}; needed: {record.needed_repeats:,} repeats, or rows: {rows} at these values"
