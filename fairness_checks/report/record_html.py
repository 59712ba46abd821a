"""A record as a piece of HTML that needs nothing else, for notebooks."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from fairness_checks.plain import printable
from fairness_checks.records.check_record import CheckRecord
from fairness_checks.records.parts import GroupRecord
from fairness_checks.report.numbers import value_text
from fairness_checks.report.sentence import features_of
from fairness_checks.report.text import explanation, group_text, headline, is_limited, shown_groups

__all__ = ["record_html"]

_COLOURS = {"pass": "#1a7f37", "fail": "#cf222e", "inconclusive": "#9a6700", "waived": "#9a6700"}


def record_html(record: CheckRecord) -> str:
    """Return the verdict, the headline, a table of groups, and all that the text says below it."""
    listed = {f"  {group_text(record, group)}" for group in record.groups}
    rest = (line for line in explanation(record) if line not in {printable(text) for text in listed})
    verdict = f'<strong style="color: {_COLOURS[record.verdict]}">{record.verdict}</strong>'
    return "".join(
        (
            '<div class="fairness-record" style="max-width: 60em">',
            f"<p>{verdict} {_text(headline(record))}</p>",
            *_table(record),
            "<details><summary>How it was judged</summary>",
            *(f'<p style="margin: 0; white-space: pre-wrap">{_text(line)}</p>' for line in rest),
            "</details></div>",
        )
    )


def _table(record: CheckRecord) -> Iterator[str]:
    shown = shown_groups(record)
    features = features_of(record, shown[0].name) if shown else record.by
    yield f"<table><thead><tr><th>{_text(', '.join(features))}</th><th>value</th><th>interval</th>"
    yield f"<th>{_text(record.unit)}</th></tr></thead><tbody>"
    for group in shown:
        cells = (group.label, _value(group.rate), _interval(record, group), _counted(group))
        yield f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in cells)}</tr>"
    yield "</tbody></table>"


def _value(value: float | None) -> str:
    return "" if value is None else value_text(value)


def _interval(record: CheckRecord, group: GroupRecord) -> str:
    """Return the interval of a group's value; of one that is limited, that of the check."""
    low, high = (record.low, record.high) if is_limited(record, group) else (group.low, group.high)
    return "" if low is None or high is None else f"[{value_text(low)}, {value_text(high)}]"


def _counted(group: GroupRecord) -> str:
    return f"{group.n:,}" if group.events is None else f"{group.events:,} of {group.n:,}"


def _text(text: str) -> str:
    """Return text that stays text: in HTML, and beside text of another direction."""
    return f"<bdi>{escape(printable(text))}</bdi>"
