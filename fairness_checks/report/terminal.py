"""Records as a table for the terminal, one per model, at most 100 columns wide."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from fairness_checks.plain import printable
from fairness_checks.question.limits import LIMITS
from fairness_checks.records.check_record import CheckRecord
from fairness_checks.records.parts import GroupRecord
from fairness_checks.report.sweep_text import answer_words, table_lines, table_words
from fairness_checks.report.text import (
    about_text,
    absent_text,
    disparity_text,
    inputs_text,
    limit_text,
    power_text,
    value_text,
    waiver_text,
)

__all__ = ["LEGEND", "WIDTH", "summary_lines"]

LEGEND = "p: that the limit is kept, adjusted over the model's checks; for a pass, that it is exceeded"

WIDTH = 100
_HEADER = ("check", "groups", "rate", "n", "disparity", "limit", "p", "verdict")
_RIGHT = (False, False, True, True, False, False, True, False)
_LEAST = (12, 8)  # to how many characters the first two columns may be cut

Row = tuple[str, ...]


def _p(record: CheckRecord) -> str:
    p = record.p_compliance if record.verdict == "pass" else record.p_adjusted
    if p is None:
        return "-"
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def _deciding(record: CheckRecord) -> list[GroupRecord]:
    """Return the groups that the table shows: those that decide, or the first two where nothing was decided."""
    names = [name for name in (record.first, record.second) if name is not None]
    return [record.group(name) for name in names] if names else list(record.groups[:2])


def _rows(record: CheckRecord) -> Iterator[Row]:
    """Two lines a check, so that both deciding groups stand in one column; a third says how many more there are."""
    shown = _deciding(record)
    checks = [record.metric, f"  by {printable(', '.join(record.by))}"]
    if record.component:
        checks.append(f"  {record.component}")
    if record.control_features:
        within = {"each": "within", "combined": "over"}[record.strata]
        checks.append(printable(f"  {within} {', '.join(record.control_features)}"))
    if record.sweep is not None:
        checks += [printable(f"  {line}") for line in table_words(record.sweep, record.also.get("slope"))]
    if record.regression is not None:
        checks += [f"  {record.regression.of}", "  paired" if record.regression.paired else "  not paired"]
    groups = [
        (g.label, "-" if g.rate is None else value_text(g.rate), f"{g.n if record.sweep is None else g.samples}")
        for g in shown
    ]
    if len(record.groups) > len(shown):
        groups.append((f"(+{len(record.groups) - len(shown)} groups)", "", ""))
    answer = (
        disparity_text(record),
        f"{LIMITS[record.limit_kind].signs[0]}{limit_text(record.limit)}",
        _p(record),
        record.verdict,
    )
    for line in range(max(len(checks), len(groups))):
        check = checks[line] if line < len(checks) else ""
        group = groups[line] if line < len(groups) else ("", "", "")
        yield (check, *group, *(answer if line == 0 else ("", "", "", "")))


def _columns(text: str) -> int:
    """Columns that a text takes: two for a wide character, none for a combining one."""
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(unicodedata.combining(c) > 0 for c in text)


def _cut(text: str, width: int) -> str:
    if _columns(text) <= width:
        return text
    while text and _columns(text) > max(width - 2, 0):
        text = text[:-1]
    return text + ".."


def _widths(rows: Sequence[Row]) -> list[int]:
    """Natural widths; where they exceed the line, the names are cut first in the groups, then in the checks."""
    widths = [max(_columns(row[i]) for row in rows) for i in range(len(_HEADER))]
    excess = sum(widths) + len(widths) - 1 - WIDTH
    for column in (1, 0):
        cut = min(max(excess, 0), max(widths[column] - _LEAST[column], 0))
        widths[column] -= cut
        excess -= cut
    return widths


def _line(row: Row, widths: Sequence[int]) -> str:
    cells = []
    for cell, width, right in zip(row, widths, _RIGHT, strict=True):
        text = _cut(cell, width)
        space = " " * (width - _columns(text))
        cells.append(space + text if right else text + space)
    return " ".join(cells).rstrip()


def _notes(record: CheckRecord) -> Iterator[str]:
    """Say what was left out, why nothing is paired, who paid for an improvement, and what it would allow."""
    if absent := absent_text(record):
        yield f"left out, as it cannot exist: {absent}"
    found = record.regression
    if found is not None and found.before is not None and not found.paired:
        yield f"not paired: {found.pairing}"
    if found is not None and found.levelling_down is not None:
        yield f"levelling down: {found.levelling_down}"
    if found is not None and found.suggested_limit is not None:
        yield f"better than the baseline: an update would hold it at {found.suggested_limit:.3g}"


def _answer(record: CheckRecord, answered: set[str]) -> str | None:
    """Say whether the gap would close with other training data, once for all checks that it is the answer of."""
    answer = "" if record.sweep is None else answer_words(record.sweep)
    line = f"{record.metric}: {answer[:1].lower()}{answer[1:]}"
    if not answer or line in answered:
        return None
    answered.add(line)
    return line


def _mixes(record: CheckRecord, shown: set[tuple[str, ...]]) -> Iterator[str]:
    """Show groups by mixes, once for all checks that share them; a check that fails shows them above."""
    failed = record.verdict == "fail" or (record.verdict == "inconclusive" and record.burden_of_proof == "compliance")
    if record.sweep is None or failed:
        return
    lines = tuple(table_lines(record.sweep))
    if lines not in shown:
        shown.add(lines)
        yield from (f"  {line}" for line in lines)


def summary_lines(records: Iterable[CheckRecord], *, verbose: bool = False) -> Iterator[tuple[str, str | None]]:
    """Yield (line, verdict of the check that the line opens, or None), tables in the order of the records' models."""
    ordered = list(records)
    models = list(dict.fromkeys(record.model for record in ordered))
    ordered.sort(key=lambda record: models.index(record.model))
    table = {id(record): list(_rows(record)) for record in ordered}
    widths = _widths([_HEADER, *(row for rows in table.values() for row in rows)]) if ordered else []
    for model, group in groupby(ordered, key=lambda record: record.model):
        yield "", None
        rows = list(group)
        yield _cut(printable(model), WIDTH), None
        notes = dict.fromkeys(f"note: {printable(note)}" for record in rows for note in record.notes)
        # What is of the model is said once, not with every check.
        for text in (inputs_text(rows[0]), about_text(rows[0]), *notes):
            for line in textwrap.wrap(text, WIDTH - 2):
                yield f"  {line}", None
        yield _line(_HEADER, widths), None
        answered: set[str] = set()
        mixes: set[tuple[str, ...]] = set()
        for record in rows:
            for number, row in enumerate(table[id(record)]):
                yield _line(row, widths), record.verdict if number == 0 else None
            for note in (
                waiver_text(record),
                record.reason,
                *_notes(record),
                _answer(record, answered),
                power_text(record),
            ):
                for line in textwrap.wrap(note or "", WIDTH - 4):
                    yield f"    {line}", None
            for line in _mixes(record, mixes) if verbose else ():
                yield line, None
