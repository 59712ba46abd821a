"""A sweep: the metric against the share of a group in the training mix, and the gap under each mix."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from fairness_checks.plain import printable, shorten
from fairness_checks.question.metrics import METRICS
from fairness_checks.records.check_record import CheckRecord
from fairness_checks.records.sweep_record import MixGroup, MixRecord, SweepRecord
from fairness_checks.report.figures.marks import (
    FAINT,
    SMALL,
    WIDE,
    axis_below,
    axis_left,
    colour_of,
    error_bar,
    left_margin,
    level_words,
    marker,
    sentence_case,
    spread,
    without_empty,
    words_of,
)
from fairness_checks.report.figures.svg import Canvas, Figure, FigureTable, Scale, text_width
from fairness_checks.report.numbers import interval_text, interval_words, limit_text, value_text
from fairness_checks.report.sweep_text import answer_words, deciding_mixes

if TYPE_CHECKING:
    from fairness_checks.findings.statistics import Statistics
    from fairness_checks.sweep.results import SweepResults

__all__ = ["sweep", "sweep_gaps"]

_MOST_GROUPS = 12  # that are drawn; the table has all
_MOST_NUMBERED = 12  # mixes whose numbers find room above their points
_LINE = 16.0
_SHARES = tuple((share / 100, f"{share}%") for share in (0, 25, 50, 75, 100))
_ANSWERS: Mapping[str | None, str] = MappingProxyType(
    {
        "closes": "shown to narrow the gap, which may be none",
        "narrows": "shown to narrow the gap, not to none",
        "reverses": "shown to reverse the gap",
        "widens": "shown to widen the gap",
        "open": "no change of the gap is shown",
        None: "",
    }
)


@dataclass(frozen=True, slots=True)
class _Mixes:
    """The mixes of the feature set that decides, in the order of one group's share, numbered from 1."""

    rows: tuple[MixRecord, ...]
    focus: int  # the group whose share orders them

    @classmethod
    def of(cls, sweep: SweepRecord) -> _Mixes | None:
        rows = deciding_mixes(sweep)
        if not rows:
            return None
        start = next((row for row in rows if row.mix == sweep.as_is), rows[0])
        focus = min(range(len(start.groups)), key=lambda g: _share(start, g))
        return cls(tuple(sorted(rows, key=lambda row: _share(row, focus))), focus)

    @property
    def names(self) -> list[str]:
        return [printable(group.name) for group in self.rows[0].groups]

    def label(self, place: int) -> str:
        return f"{place + 1} {printable(self.rows[place].mix)}"

    def trained(self, place: int) -> str:
        """Return for instance ``35%, 209 rows``: the share of the group, and all rows."""
        return f"{_percent(_share(self.rows[place], self.focus))}, {self.size(place)}"

    def size(self, place: int) -> str:
        total = math.fsum(group.training_rows for group in self.rows[place].groups)
        return f"{total:,.0f} {'row' if round(total) == 1 else 'rows'}"


def _share(row: MixRecord, group: int) -> float:
    total = math.fsum(each.training_rows for each in row.groups)
    return row.groups[group].training_rows / total if total else 0.0


def _percent(share: float) -> str:
    return f"{100.0 * share:.0f}%"


def sweep(record: CheckRecord, statistics: Statistics | None, key: str) -> Figure | None:
    """Draw every group's value under every mix against the share of a group in it; None without such values."""
    found = None if record.sweep is None else _Mixes.of(record.sweep)
    if record.sweep is None or found is None or not any(g.value is not None for row in found.rows for g in row.groups):
        return None
    metric, names = words_of(record.metric), found.names
    two = len(names) == 2
    title = sentence_case(f"{metric} against the training mix, by {words_of(', '.join(record.by))}")
    description = _described(found, metric)
    drawn = _drawn_groups(found, record)
    canvas = _overlaid(found, record, metric) if two else _panels(found, record, metric, drawn)
    notes = _not_drawn(record.sweep, found)
    if len({round(_share(row, found.focus), 3) for row in found.rows}) < len(found.rows):
        notes.append("Mixes with the same share stand side by side.")
    if len(drawn) < len(names):
        notes.append(f"Drawn are {len(drawn)} of {len(names)} groups; the table has all.")
    rows = [
        (
            found.label(place),
            name,
            f"{row.groups[g].training_rows:,.0f} ({_percent(_share(row, g))})",
            f"{row.groups[g].test_rows:,.0f}",
            "not defined" if row.groups[g].value is None else value_text(row.groups[g].value or 0.0),
            interval_words(row.groups[g].low, row.groups[g].high),
            "" if row.groups[g].repeats == record.sweep.repeats else f"{row.groups[g].repeats}",
        )
        for place, row in enumerate(found.rows)
        for g, name in enumerate(names)
    ]
    header = ("mix", "group", "rows trained on", "tested", metric, level_words(record.confidence), "repeats")
    caption = f"{title}; mean of {record.sweep.repeats} repeats"
    columns, cells = without_empty(header, rows)
    table = FigureTable(caption=caption, header=columns, rows=cells)
    svg = canvas.svg(key, title, description)
    return Figure(title=title, description=description, svg=svg, table=table, notes=tuple(notes))


def _not_drawn(sweep: SweepRecord, found: _Mixes) -> list[str]:
    others = sorted({row.feature_set for row in sweep.table} - {row.feature_set for row in found.rows})
    if not others:
        return []
    own = printable(found.rows[0].feature_set)
    return [f"Trained with the features {own}; not drawn: {', '.join(map(printable, others))}."]


def _described(found: _Mixes, metric: str) -> str:
    """Say between which values the groups lie, and where; after a name comes a word, never a number."""
    # A number behind a name that is written from right to left would be shown before it.
    known = [
        (group.value, g, place)
        for place, row in enumerate(found.rows)
        for g, group in enumerate(row.groups)
        if group.value is not None
    ]

    def told(value: float, g: int, place: int) -> str:
        row = found.rows[place]
        mix = f"{shorten(printable(row.mix))} with {_percent(_share(row, g))} of them"
        return f"{value_text(value)} in {shorten(found.names[g])}, trained under {mix}"

    mixes = "one training mix" if len(found.rows) == 1 else f"{len(found.rows)} training mixes"
    ends = f"from {told(*min(known))}, to {told(*max(known))}"
    return sentence_case(f"{metric} of {len(found.names)} groups under {mixes}: {ends}.")


def _drawn_groups(found: _Mixes, record: CheckRecord) -> list[int]:
    """Return the groups that are drawn: those that differ most under some mix first, then those furthest apart."""
    deciding = {name for row in found.rows for name in (row.first, row.second)}
    deciding |= {name[0] for name in (record.first, record.second) if name}
    values = [[row.groups[g].value for row in found.rows] for g in range(len(found.names))]
    means = [math.fsum(known) / len(known) if (known := [v for v in own if v is not None]) else None for own in values]
    centre = sorted(mean for mean in means if mean is not None)[len([m for m in means if m is not None]) // 2]

    def rank(g: int) -> tuple[bool, float]:
        mean = means[g]
        return found.rows[0].groups[g].name not in deciding, -math.inf if mean is None else -abs(mean - centre)

    return sorted(sorted(range(len(means)), key=rank)[:_MOST_GROUPS])


def _value_scale(found: _Mixes, record: CheckRecord, groups: Sequence[int], bottom: float, top: float) -> Scale:
    metric = METRICS.get(record.metric)
    values = [
        end
        for row in found.rows
        for g in groups
        for end in (row.groups[g].value, row.groups[g].low, row.groups[g].high)
    ]
    lowest, highest = (-math.inf, math.inf) if metric is None else (metric.lowest, metric.highest)
    return Scale.over(values, bottom, top, lowest=lowest, highest=highest)


def _overlaid(found: _Mixes, record: CheckRecord, metric: str) -> Canvas:
    """Draw two groups over each other, with their names at the right."""
    top, bottom, labels = 40.0, 220.0, 92.0
    canvas = Canvas(bottom + 40.0 + _LINE * (1 + len(found.rows)), width=WIDE)
    scale = _value_scale(found, record, (0, 1), bottom - 6.0, top + 6.0)
    left, right = left_margin(scale), WIDE - labels
    shares = Scale(0.0, 1.0, left + 16.0, right - 16.0)
    canvas.text(0.0, 12.0, metric, size=SMALL)
    axis_left(canvas, scale, left, right)
    axis_below(canvas, shares, bottom, top, _SHARES)
    canvas.line(left, bottom, right, bottom)
    canvas.text(0.0, bottom + 31.0, f"share in training of {found.names[found.focus]}", size=SMALL)
    places = spread([shares(_share(row, found.focus)) for row in found.rows], 24.0, left + 10.0, right - 10.0)
    for place, (x, row) in enumerate(zip(places, found.rows, strict=True)):
        if len(found.rows) <= _MOST_NUMBERED:
            canvas.text(x, top - 6.0, f"{place + 1}", anchor="middle", size=SMALL)
        for g, group in enumerate(row.groups):
            _point(canvas, scale, g, x + (8.0 * g - 4.0), group)
    _names_beside(canvas, found, scale, right)
    _listed_mixes(canvas, found, bottom + 50.0, shares=True)
    return canvas


def _listed_mixes(canvas: Canvas, found: _Mixes, y: float, *, shares: bool) -> None:
    """Name the mixes, each with its number and what it trains on."""
    canvas.text(0.0, y, "training mixes, from left to right" if shares else "training mixes", size=SMALL)
    for place in range(len(found.rows)):
        told = found.trained(place) if shares else found.size(place)
        room = WIDE - text_width(told, SMALL) - 8.0
        canvas.text(0.0, y + _LINE * (place + 1), found.label(place), size=SMALL, room=room)
        canvas.text(WIDE, y + _LINE * (place + 1), told, anchor="end", size=SMALL)


def _names_beside(canvas: Canvas, found: _Mixes, scale: Scale, right: float) -> None:
    """Write the groups' names at the height of their last values."""
    last = [next((row.groups[g].value for row in reversed(found.rows)), None) for g in range(2)]
    heights = [scale(scale.low if value is None else value) for value in last]
    for g, y in enumerate(spread(heights, 17.0, scale.end, scale.start)):
        marker(canvas, g, right + 8.0, y)
        canvas.text(right + 17.0, y + 4.0, found.names[g])


def _point(canvas: Canvas, scale: Scale, group: int, x: float, value: MixGroup) -> None:
    if value.value is None:
        return
    if value.low is not None and value.high is not None:
        error_bar(canvas, x, scale(value.low), scale(value.high), colour_of(group), upright=True)
    marker(canvas, group, x, scale(value.value))


def _panels(found: _Mixes, record: CheckRecord, metric: str, groups: Sequence[int]) -> Canvas:
    """Draw each group by itself against its own share, two side by side, on one scale."""
    height, head, start = 64.0, 30.0, 36.0
    step = head + height + 28.0
    bands = math.ceil(len(groups) / 2)
    canvas = Canvas(start + bands * step + 16.0 + _LINE * (1 + len(found.rows)), width=WIDE)
    left = left_margin(_value_scale(found, record, groups, height, 0.0))
    width = (WIDE - left - 20.0) / 2.0
    largest = max(_share(row, g) for row in found.rows for g in groups)
    most = next(end for end in (0.2, 0.5, 1.0) if largest <= end or end == 1.0)
    canvas.text(0.0, 12.0, metric, size=SMALL)
    canvas.text(0.0, 27.0, "against each group's own share in training", size=SMALL)
    for place, g in enumerate(groups):
        band, column = divmod(place, 2)
        top = start + band * step + head
        x = left + column * (width + 16.0)
        scale = _value_scale(found, record, groups, top + height - 6.0, top + 6.0)
        shares = Scale(0.0, most, x + 12.0, x + width - 14.0)
        marker(canvas, g, x + 5.0, top - 20.0)
        canvas.text(x + 14.0, top - 16.0, found.names[g], size=SMALL, room=width - 14.0)
        axis_left(canvas, scale, x, x + width, numbers=column == 0)
        axis_below(canvas, shares, top + height, top, [(share, _percent(share)) for share in (0.0, most / 2.0, most)])
        canvas.line(x, top + height, x + width, top + height)
        own = [shares(_share(row, g)) for row in found.rows]
        for number, (at, row) in enumerate(zip(spread(own, 12.0, x + 6.0, x + width - 6.0), found.rows, strict=True)):
            if len(found.rows) <= _MOST_NUMBERED // 2:
                canvas.text(at, top - 3.0, f"{number + 1}", anchor="middle", size=SMALL)
            _point(canvas, scale, g, at, row.groups[g])
    _listed_mixes(canvas, found, start + bands * step + 12.0, shares=False)
    return canvas


@dataclass(frozen=True, slots=True, kw_only=True)
class _GapRow:
    """The gap under one mix, and in each repeat."""

    mix: str
    label: str
    trained: str
    between: str = ""
    value: float | None = None
    low: float | None = None
    high: float | None = None
    change: str = ""
    answer: str = ""
    repeats: tuple[float, ...] = ()


def sweep_gaps(record: CheckRecord, statistics: Statistics | None, key: str) -> Figure | None:
    """Draw the gap under every mix with its interval, and in every repeat; None where no gap is known."""
    found = None if record.sweep is None else _Mixes.of(record.sweep)
    if record.sweep is None or found is None:
        return None
    results = None if statistics is None else getattr(statistics, "results", None)
    mismatch = record.limit_kind == "max_mismatch"
    rows = [
        _mismatch_row(record, found, place, results) if mismatch else _gap_row(record, found, place, results)
        for place in range(len(found.rows))
    ]
    if all(row.value is None for row in rows):
        return None
    metric = "mismatch of error and uncertainty" if mismatch else f"gap of {words_of(record.metric)}"
    title = sentence_case(f"{metric} under each training mix")
    description = _gaps_described(record.sweep, rows, "mismatch" if mismatch else "gap")
    told = {row.between for row in rows if row.between}
    header = (
        "mix",
        "between",
        "gap",
        level_words(record.confidence),
        "change of the gap",
        "what the mix does",
        f"{record.sweep.repeats} repeats",
    )
    cells = [
        (
            row.label,
            row.between if len(told) > 1 else "",
            "not defined" if row.value is None else value_text(row.value),
            interval_words(row.low, row.high),
            row.change,
            row.answer,
            interval_words(min(row.repeats, default=None), max(row.repeats, default=None)),
        )
        for row in rows
    ]
    columns, shown = without_empty(header, cells)
    caption = f"{title}: {told.pop()}" if len(told) == 1 else title
    notes = _not_drawn(record.sweep, found)
    if mismatch:
        notes.append("Above 0, the uncertainty ranks the group with the larger errors lower than its errors do.")
        notes.append(
            "Of a mismatch, intervals under single mixes are not recorded: drawn are the repeats and their mean."
        )
    if results is None:
        notes.append("Single repeats are not drawn, as the statistics of the sweep are not at hand.")
    return Figure(
        title=title,
        description=description,
        svg=_drawn_gaps(record, rows).svg(key, title, description),
        table=FigureTable(caption=caption, header=columns, rows=shown),
        notes=tuple(notes),
    )


def _gaps_described(sweep: SweepRecord, rows: Sequence[_GapRow], what: str) -> str:
    """Say how large the gap is at least and at most, and whether it closes."""
    known = [row for row in rows if row.value is not None]

    def size(row: _GapRow) -> float:
        return abs(row.value or 0.0)

    def told(row: _GapRow) -> str:
        return f"{interval_text(row.value, row.low, row.high)} under {shorten(row.mix)}"

    least, most = min(known, key=size), max(known, key=size)
    if least is most:
        found = f"The {what} is {told(most)}."
    else:
        found = f"The {what} is smallest with {told(least)} and largest with {told(most)}."
    answer = shorten(answer_words(sweep), 400)
    return f"{found} {answer}." if answer else found


def _gap_row(record: CheckRecord, found: _Mixes, place: int, results: SweepResults | None) -> _GapRow:
    row = found.rows[place]
    change, repeats = "", []
    if row.change is not None:
        told = row.change
        change = (
            interval_text(0.0 - told.reduction, 0.0 - told.high, 0.0 - told.low)
            if told.signed is None
            else interval_text(told.signed, told.signed_low, told.signed_high)
        )
    if results is not None and row.first is not None and row.second is not None:
        for repeat in results.of(row.mix, row.feature_set):
            one, other = (repeat.groups[name].values.get(record.metric) for name in (row.first, row.second))
            if one is not None and other is not None:
                repeats.append(one - other)
    as_is = record.sweep is not None and row.mix == record.sweep.as_is
    return _GapRow(
        mix=printable(row.mix),
        label=found.label(place),
        trained=found.trained(place),
        between="" if row.first is None else f"{printable(row.first)} less {printable(row.second or '')}",
        value=row.gap,
        low=row.gap_low,
        high=row.gap_high,
        change=change,
        answer="the data as they are" if as_is else _ANSWERS[None if row.change is None else row.change.answer],
        repeats=tuple(repeats),
    )


def _mismatch_row(record: CheckRecord, found: _Mixes, place: int, results: SweepResults | None) -> _GapRow:
    """Return the mismatch of the two groups that decide, or of those with the largest one under the mix."""
    row = found.rows[place]
    by_pair: dict[tuple[str, str], list[float]] = {}
    for repeat in () if results is None else results.of(row.mix, row.feature_set):
        for pair in repeat.pairs:
            by_pair.setdefault((pair.first, pair.second), []).append(pair.mismatch)
    means = {names: math.fsum(values) / len(values) for names, values in by_pair.items()}
    asked = [names for names in means if {*names} == {name[0] for name in (record.first, record.second) if name}]
    shown = max(asked or means, key=lambda names: means[names], default=None)
    told = _GapRow(mix=printable(row.mix), label=found.label(place), trained=found.trained(place))
    if shown is None:
        return told
    between = f"{printable(shown[0])} and {printable(shown[1])}"
    return dataclasses.replace(told, between=between, value=means[shown], repeats=tuple(by_pair[shown]))


def _drawn_gaps(record: CheckRecord, rows: Sequence[_GapRow]) -> Canvas:
    step, top = 64.0, 36.0
    bottom = top + step * len(rows)
    canvas = Canvas(bottom + 38.0, width=WIDE)
    ends = [end for row in rows for end in (row.value, row.low, row.high, *row.repeats) if end is not None]
    allowed = _allowed(record, min(ends))
    scale = Scale.over([0.0, *ends, *(allowed or ())], 16.0, WIDE - 16.0)
    canvas.text(0.0, 12.0, "dots: repeats; diamond: their mean", size=SMALL)
    if allowed is not None:
        canvas.text(0.0, 27.0, f"shaded: allowed, at most {limit_text(record.limit)}", size=SMALL)
    for place, row in enumerate(rows):
        _drawn_gap(canvas, scale, top + step * place, row, allowed)
    axis_below(canvas, scale, bottom, bottom)
    between = sorted({row.between for row in rows if row.between})
    said = between[0] if len(between) == 1 else "largest gap of two groups"
    canvas.text(WIDE / 2.0, bottom + 31.0, said, anchor="middle", size=SMALL)
    return canvas


def _allowed(record: CheckRecord, lowest: float) -> tuple[float, float] | None:
    """Return from where to where the gap of every mix is allowed; None where the limit is on something else."""
    if record.gap != "each_mix" or record.limit_kind not in ("max_difference", "max_mismatch"):
        return None
    least = lowest if record.limit_kind == "max_mismatch" else -record.limit  # of a mismatch one side alone is limited
    return (least if lowest < 0.0 else 0.0), record.limit


def _drawn_gap(canvas: Canvas, scale: Scale, y: float, row: _GapRow, allowed: tuple[float, float] | None) -> None:
    """Draw one row: its name and value, the strip of repeats with the interval, and what the mix does."""
    text = interval_text(row.value, row.low, row.high)
    canvas.text(WIDE, y + 11.0, text, anchor="end", size=SMALL)
    canvas.text(0.0, y + 11.0, row.label, bold=True, room=WIDE - text_width(text, SMALL) - 8.0)
    top, middle, bottom = y + 17.0, y + 30.0, y + 43.0
    if allowed is not None:
        left, right = map(scale, allowed)
        canvas.rect(left, top, right - left, bottom - top, opacity=0.12)
    canvas.rules([((scale(value), top), (scale(value), bottom)) for value, _ in scale.ticks()], opacity=FAINT)
    canvas.line(scale(0.0), top, scale(0.0), bottom)
    apart = (-6.0, 6.0, -9.0, 9.0)
    canvas.dots([(scale(value), middle + apart[i % 4]) for i, value in enumerate(row.repeats)], 2.0, opacity=0.5)
    if row.value is not None:
        if row.low is not None and row.high is not None:
            error_bar(canvas, middle, scale(row.low), scale(row.high), "currentColor", upright=False)
        x = scale(row.value)
        canvas.polygon([(x - 6.0, middle), (x, middle - 6.0), (x + 6.0, middle), (x, middle + 6.0)])
    canvas.text(0.0, y + 55.0, row.answer, size=SMALL)
