"""The checks of a run for the terminal: what failed first, then what is not settled, then one line for what passed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from fairness_checks.plain import counted, inert, printable
from fairness_checks.question.limits import LIMITS
from fairness_checks.records.check_record import CheckRecord
from fairness_checks.records.decision import turns_red
from fairness_checks.records.parts import GroupRecord
from fairness_checks.report.columns import columns, padded, together, wrap
from fairness_checks.report.numbers import HIDDEN, LEGEND, p_text, value_text
from fairness_checks.report.sentence import breaking, deciding
from fairness_checks.report.sweep_text import answer_words, setting_words, table_lines
from fairness_checks.report.text import (
    about_text,
    absent_text,
    allowed_text,
    disparity_text,
    inputs_text,
    power_text,
    subject_text,
    waiver_text,
)

__all__ = ["LEAST", "WIDTH", "summary_lines"]

WIDTH = 100
"""Columns of a line where nothing else is said."""
LEAST = 40
"""Columns below which no line is laid out."""

_VERDICT = 16  # columns of a verdict and the blanks before and behind it
_NARROW = 70  # columns below which verdicts have no column of their own
_ORDER = ("fail", "inconclusive", "waived", "pass")


def summary_lines(
    records: Iterable[CheckRecord],
    *,
    verbose: bool = False,
    width: int = WIDTH,
    told: bool = False,
    errors: Sequence[str] = (),
) -> Iterator[tuple[str, str | None]]:
    """Yield (line, verdict of the check that the line opens, or None): by verdicts, then as the records are ordered."""
    # What passed is one line, and one each where more is asked for. No line is wider than `width`. Where all is `told`
    # of what turns the run red, as by its failed tests, it is not told again. `errors` are failures without a verdict.
    told_lines = _lines(records, max(width, LEAST), verbose=verbose, told=told, errors=errors)
    yield from ((inert(line), verdict) for line, verdict in told_lines)


def _lines(
    records: Iterable[CheckRecord], width: int, *, verbose: bool, told: bool, errors: Sequence[str]
) -> Iterator[tuple[str, str | None]]:
    ordered = sorted(records, key=_rank)
    red = [record for record in ordered if turns_red(record.verdict, record.burden_of_proof)]
    unsettled = [record for record in ordered[len(red) :] if record.verdict != "pass"]
    passed = [record for record in ordered if record.verdict == "pass"]
    yield from _by_model(red, width, verbose=verbose, told=told)
    if errors:
        yield "", None
    for error in errors:
        yield from _opened("error", f"{printable(error)}: no verdict; why stands above", width)
    yield from _by_model(unsettled, width, verbose=verbose, told=told)
    if passed and verbose:
        yield from _by_model(passed, width, verbose=True, told=told)
    elif passed:
        yield "", None
        yield from _opened("pass", _count(passed), width)
        yield from ((line, None) for line in _remarks(passed, width))
    for lines in (_models(ordered, width), wrap(LEGEND, width)) if ordered else ():
        for number, line in enumerate(lines):
            yield from [("", None)] if number == 0 else []
            yield line, None


def _rank(record: CheckRecord) -> tuple[bool, int]:
    """Sort what turns the run red before all else."""
    return not turns_red(record.verdict, record.burden_of_proof), _ORDER.index(record.verdict)


def _count(passed: Sequence[CheckRecord]) -> str:
    models = len({record.model for record in passed})
    return f"{counted(len(passed), 'check')} of {counted(models, 'model')} (listed with -v)"


def _remarks(passed: Sequence[CheckRecord], width: int) -> Iterator[str]:
    """Say of what passed what nobody should miss, once."""
    indent = " " * (4 if width < _NARROW else _VERDICT)
    remarks: dict[str, None] = {}
    for record in passed:
        found = record.regression
        if found is not None and found.before is not None and not found.paired:
            remarks[f"{record.model}: not paired: {found.pairing}"] = None
        remarks |= dict.fromkeys(f"{record.model}: {subject_text(record)}: {remark}" for remark in _changes(record))
    for remark in remarks:
        yield from wrap(printable(remark), width, indent, indent + "  ")


def _by_model(
    records: Sequence[CheckRecord], width: int, *, verbose: bool, told: bool
) -> Iterator[tuple[str, str | None]]:
    answered: set[str] = set()
    mixes: set[tuple[str, ...]] = set()
    for (model, _), some in groupby(records, key=lambda record: (record.model, record.verdict)):
        yield "", None
        yield from ((line, None) for line in wrap(printable(model), width))
        for record in some:
            yield from _opened(record.verdict, _numbers(record), width)
            yield from ((line, None) for line in _below(record, width, answered, told=told))
            for line in _mixes(record, mixes) if verbose else ():
                yield from ((part, None) for part in wrap(line, width, "  ", "    "))


def _opened(verdict: str, text: str, width: int) -> Iterator[tuple[str, str | None]]:
    """Yield the lines of a check, the first with its verdict, in a column of its own where there is room."""
    narrow = width < _NARROW
    opening = f"  {verdict} " if narrow else padded(f"  {verdict}", _VERDICT)
    first, *rest = wrap(text, width, opening, "    " if narrow else " " * _VERDICT)
    yield first, verdict
    yield from ((line, None) for line in rest)


def _below(record: CheckRecord, width: int, answered: set[str], *, told: bool) -> Iterator[str]:
    """Yield what stands below a check: its groups, and what else there is to say; of what was told, who it is about."""
    indent = " " * (4 if width < _NARROW else _VERDICT)
    told = told and turns_red(record.verdict, record.burden_of_proof)
    for line in _groups(record, width - len(indent), told=told) if record.verdict != "pass" else ():
        yield from wrap(line, width, indent, indent + "  ")
    if told:
        return
    reason = record.reason if record.estimate is not None else None
    for note in (waiver_text(record), reason, *_notes(record), _answer(record, answered), power_text(record)):
        yield from wrap(printable(note or ""), width, indent, indent + "  ")


def _numbers(record: CheckRecord) -> str:
    """Return what was asked, what was found, what is allowed, and p: ``... 0.240 [0.188, 0.291], at most 0.10, p``."""
    limit = allowed_text(record)
    subject = subject_text(record)
    if record.estimate is None:
        found = HIDDEN if record.withheld else "could not be checked" if record.broken else "undefined"
        why = f": {record.reason}" if record.reason else ""
        return printable(f"{subject}: {found}, {limit}{why}")
    found = together(f"{LIMITS[record.limit_kind].word} {disparity_text(record)}")
    return f"{printable(subject)}: {found}, {together(limit)}{_p(record)}"


def _p(record: CheckRecord) -> str:
    p = record.p_compliance if record.verdict == "pass" else record.p_adjusted
    if p is None or record.verdict == "inconclusive":
        return ""
    return f", {together(p_text(p))}"


def _groups(record: CheckRecord, width: int, *, told: bool) -> Iterator[str]:
    """Yield those that decide, and all that are past the limit, in columns: name, value, counts."""
    past = breaking(record)
    some = [*deciding(record), *([] if told else past)] or list(record.groups[:2])
    shown = list({group.name: group for group in some}.values())
    rows = [(group.label, _value(group), _counts(record, group)) for group in shown]
    widths = [max((columns(row[place]) for row in rows), default=0) for place in range(3)]
    in_columns = sum(widths) + 4 <= width  # else each name has its numbers behind it
    for name, value, counts in rows:
        if in_columns:
            yield f"{padded(name, widths[0])}  {padded(value, widths[1], right=True)}  {counts}".rstrip()
        else:
            yield f"{name}: {value}{', ' if value else ''}{counts}"
    if rest := len(record.groups) - len(shown):
        more = len([group for group in past if group not in shown])
        of_them = "" if not more else ", " if more == rest else f", {more} of them "
        of_them += "past the limit and named above" if more else ""
        yield f"and {counted(rest, 'more group')}{of_them}"
    if record.suppressed is not None and record.suppressed.groups:
        yield f"withheld: {'; '.join(printable(', '.join(name)) for name in record.suppressed.groups)}"


def _value(group: GroupRecord) -> str:
    if group.rate is None:
        return "" if group.also else "-"
    return value_text(group.rate)


def _counts(record: CheckRecord, group: GroupRecord) -> str:
    if record.sweep is not None:
        return f"{group.samples:,} rows"
    known = {} if group.rate is not None else group.also
    also = "".join(f", {name} {value_text(value)}" for name, value in known.items() if value is not None)
    counted = f"{group.n:,}" if group.events is None else f"{group.events:,} of {group.n:,}"
    return f"{counted} {record.unit}{also}"


def _notes(record: CheckRecord) -> Iterator[str]:
    """Say what was left out, where a sweep decided, what was before, and who paid for an improvement."""
    if absent := absent_text(record):
        yield f"left out, as it cannot exist: {absent}"
    if record.sweep is not None and not record.withheld:
        slope = record.also.get("slope")
        moves = "" if slope is None else f"{'falls' if slope < 0.0 else 'rises'} with its share; "
        yield f"{moves}{setting_words(record.sweep)}"
    found = record.regression
    if found is None or found.before is None or found.after is None:
        return
    paired = "paired" if found.paired else f"not paired: {found.pairing}"
    yield f"{value_text(found.before)} in the baseline, {value_text(found.after)} now ({paired})"
    yield from _changes(record)


def _changes(record: CheckRecord) -> Iterator[str]:
    """Say who paid for an improvement, and what it would allow."""
    found = record.regression
    if found is None:
        return
    if found.levelling_down is not None:
        yield f"levelling down: {found.levelling_down}"
    if found.suggested_limit is not None:
        yield f"better than the baseline: an update would hold it at {found.suggested_limit:.3g}"


def _answer(record: CheckRecord, answered: set[str]) -> str | None:
    """Say whether the gap would close with other training data, once for all checks that it is the answer of."""
    answer = "" if record.sweep is None or record.withheld else answer_words(record.sweep)
    line = f"{record.metric}: {answer[:1].lower()}{answer[1:]}"
    if not answer or (record.model + line) in answered:
        return None
    answered.add(record.model + line)
    return line


def _mixes(record: CheckRecord, shown: set[tuple[str, ...]]) -> Iterator[str]:
    """Show groups by mixes whole, once for all checks that share them; a check that fails shows them above."""
    if record.sweep is None or record.withheld or turns_red(record.verdict, record.burden_of_proof):
        return
    lines = tuple(table_lines(record.sweep, WIDTH - 3))
    if lines not in shown:
        shown.add(lines)
        yield from (f"  {line}" for line in lines)


def _models(records: Sequence[CheckRecord], width: int) -> Iterator[str]:
    """Say what is of a model, not of one check: once for all models of which it is true."""
    said: dict[str, dict[str, None]] = {}
    for record in records:
        notes = (f"note: {note}" for note in record.notes)
        for text in (inputs_text(record), about_text(record), *notes):
            if text:
                said.setdefault(printable(text), {})[printable(record.model)] = None
    count = len({record.model for record in records})
    for text, models in said.items():
        of = "all models" if 1 < count == len(models) else ", ".join(models)
        yield from wrap(f"{of}: {text}", width, "", "  ")
