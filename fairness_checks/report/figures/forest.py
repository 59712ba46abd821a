"""The groups of a check, each with its value and interval, and what is limited against its limit."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from fairness_checks.question.limits import LIMITS
from fairness_checks.question.metrics import METRICS
from fairness_checks.records.check_record import CheckRecord
from fairness_checks.records.parts import GroupRecord
from fairness_checks.report.figures.svg import Canvas, Figure, FigureTable, Scale
from fairness_checks.report.numbers import HIDDEN, interval_text, interval_words, limit_text, value_text
from fairness_checks.report.sentence import deciding, features_of
from fairness_checks.report.text import allowed_text, interval_of, shown_groups, subject_text

__all__ = ["forest", "groups_table", "limited_words"]

_ROW, _AXIS, _HEAD = 34, 22, 20  # heights: of a group, of an axis with its numbers, of a heading
_LEFT, _RIGHT = 8.0, 360.0
_BAND = 0.16  # opacity of what the limit allows

_ANY = (-math.inf, math.inf)


class _Row(NamedTuple):
    """A group, or what is limited."""

    name: str
    value: float
    low: float | None
    high: float | None
    decides: bool


def forest(record: CheckRecord, key: str) -> Figure | None:
    """Draw the groups and the limit; None where no number is known."""
    limit, rows = LIMITS[record.limit_kind], _rows(record)
    if not rows and record.estimate is None:
        return None
    metric = METRICS.get(record.component or record.metric)
    lowest, highest = (metric.lowest, metric.highest) if metric is not None else _ANY
    own = limit.word == "value"
    panels = [_Panel(rows, record.limit if own else None, lowest, highest, None)] if rows else []
    if not own and record.estimate is not None:
        limited = _Row(limited_words(record), record.estimate, record.low, record.high, True)
        panels.append(_Panel([limited], record.limit, *_ANY, 1.0 if limit.word == "ratio" else 0.0))
    canvas = Canvas(sum(panel.height for panel in panels))
    top = 0.0
    for panel in panels:
        top = _panel(canvas, top, panel, ceiling=limit.ceiling)
    title, described = f"{subject_text(record)}: groups and limit", _described(record, rows)
    return Figure(title=title, description=described, svg=canvas.svg(key, title, described), table=groups_table(record))


class _Panel(NamedTuple):
    """Rows over one axis."""

    rows: Sequence[_Row]
    limit: float | None  # of their values; None where it is of something else
    lowest: float  # end of what a value can be
    highest: float
    equal: float | None  # what is limited where groups are equal: always on the axis

    @property
    def height(self) -> float:
        """In pixels."""
        return _ROW * len(self.rows) + _AXIS + (0.0 if self.limit is None else _HEAD)

    @property
    def scale(self) -> Scale:
        """Holds all that is drawn."""
        values = [end for row in self.rows for end in (row.value, row.low, row.high)]
        return Scale.over([*values, self.limit, self.equal], _LEFT, _RIGHT, lowest=self.lowest, highest=self.highest)


def _rows(record: CheckRecord) -> list[_Row]:
    """Return the groups that have a value."""
    decide = {group.name for group in deciding(record)}
    return [
        _Row(group.label, group.rate, *_interval(record, group), group.name in decide)
        for group in shown_groups(record)
        if group.rate is not None
    ]


def _interval(record: CheckRecord, group: GroupRecord) -> tuple[float | None, float | None]:
    return interval_of(record, group) or (None, None)


def limited_words(record: CheckRecord) -> str:
    """Return what is limited, with its first letter large: ``Difference``."""
    return LIMITS[record.limit_kind].word.capitalize()


def _panel(canvas: Canvas, top: float, panel: _Panel, *, ceiling: bool) -> float:
    """Draw rows over one axis, behind them what is allowed, and return where the next panel begins."""
    rows, limit, scale = panel.rows, panel.limit, panel.scale
    if limit is not None:
        words = f"allowed: {'at most' if ceiling else 'at least'} {limit_text(limit)}"
        canvas.text(_LEFT if ceiling else _RIGHT, top + 13, words, size=11, anchor="start" if ceiling else "end")
        top += _HEAD
        start, end = (_LEFT, scale(limit)) if ceiling else (scale(limit), _RIGHT)
        canvas.rect(start, top, max(end - start, 0.0), _ROW * len(rows), opacity=_BAND)
    for row in rows:
        if limit is not None:
            canvas.line(scale(limit), top + 16, scale(limit), top + _ROW, width=1.5, dashes="3 3")
        _draw(canvas, top, row, scale)
        top += _ROW
    ticks = scale.ticks()
    teeth = [
        point for value, _ in ticks for point in ((scale(value), top), (scale(value), top + 4), (scale(value), top))
    ]
    canvas.path([(_LEFT, top), *teeth, (_RIGHT, top)], width=1)
    for value, text in ticks:
        canvas.text(scale(value), top + 16, text, size=11, anchor="middle")
    return top + _AXIS


def _draw(canvas: Canvas, top: float, row: _Row, scale: Scale) -> None:
    """Draw the name and numbers of a row, and below them the value on its interval."""
    name, value, low, high, decides = row
    canvas.text(_LEFT, top + 13, name, bold=decides, room=200)
    canvas.text(_RIGHT, top + 13, interval_text(value, low, high), size=11, anchor="end", room=148)
    y = top + 24.0
    if low is not None and high is not None:
        one, other = scale(low), scale(high)
        bar = [(one, y - 4), (one, y + 4), (one, y), (other, y), (other, y - 4), (other, y + 4)]
        canvas.path(bar, width=2)
    x = scale(value)
    if decides:
        canvas.polygon([(x - 6, y), (x, y - 6), (x + 6, y), (x, y + 6)])
    else:
        canvas.circle(x, y, 4)


def _described(record: CheckRecord, rows: Sequence[_Row]) -> str:
    """Say in words what is drawn."""
    said = [f"{name} {_in_words(value, low, high)}" for name, value, low, high, _ in rows]
    if LIMITS[record.limit_kind].word != "value" and record.estimate is not None:
        said.append(f"{LIMITS[record.limit_kind].word} {_in_words(record.estimate, record.low, record.high)}")
    return f"{'; '.join(said)}. Allowed is {allowed_text(record)}. The filled diamonds decide."


def _in_words(value: float, low: float | None, high: float | None) -> str:
    interval = interval_words(low, high)
    return f"{value_text(value)}, interval {interval}" if interval else value_text(value)


def groups_table(record: CheckRecord) -> FigureTable:
    """Return the groups in numbers, those that decide first, and what is limited in the last row."""
    shown = shown_groups(record)
    features = features_of(record, shown[0].name) if shown else record.by
    cells = [_cells(record, group) for group in shown]
    counted = record.unit if all(group.events is None for group in shown) else f"events of {record.unit}"
    header = [", ".join(features), "value", f"{record.confidence:.0%} interval", counted, "more"]
    limit = LIMITS[record.limit_kind]
    if limit.word != "value" and (record.estimate is not None or record.withheld):
        numbers = HIDDEN if record.estimate is None else value_text(record.estimate)
        cells.append([limited_words(record), numbers, interval_words(record.low, record.high), "", ""])
    wide = len(header) if any(row[-1] for row in cells) else len(header) - 1
    more = len(record.groups) - len(shown)
    rest = f"; {more} more groups are not shown" if more else ""
    allowed = f"{limit.word} {allowed_text(record)}"
    return FigureTable(
        caption=f"{subject_text(record)}; allowed: {allowed}{rest}",
        header=tuple(header[:wide]),
        rows=tuple(tuple(row[:wide]) for row in cells),
    )


def _cells(record: CheckRecord, group: GroupRecord) -> list[str]:
    counted = f"{group.n:,}" if group.events is None else f"{group.events:,} of {group.n:,}"
    interval = interval_words(*_interval(record, group)) if group.rate is not None else ""
    return [group.label, _value_text(group.rate), interval, counted, "; ".join(_more(record, group))]


def _more(record: CheckRecord, group: GroupRecord) -> Iterator[str]:
    """Yield what else is known of a group."""
    if record.sweep is not None:
        yield f"{group.samples:,} rows"
    if group.clusters is not None:
        yield f"{group.clusters:,} clusters"
    if group.effective_n is not None:
        yield f"worth {group.effective_n:.3g} independent ones"
    yield from (
        f"{name.replace('_', ' ')} {_value_text(value)}" for name, value in group.also.items() if value is not None
    )
    if group.problem is not None:
        yield f"not judged: {group.problem}"


def _value_text(value: float | None) -> str:
    return "" if value is None else value_text(value)
