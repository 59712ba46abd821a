"""Calibration by group: what was observed less what was predicted, in ten bins of the score."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairness_checks.plain import printable, shorten
from fairness_checks.records.check_record import CheckRecord
from fairness_checks.report.figures.marks import (
    FAINT,
    SMALL,
    WIDE,
    axis_below,
    axis_left,
    colour_of,
    features_words,
    left_margin,
    level_words,
    marker,
)
from fairness_checks.report.figures.svg import Canvas, Figure, FigureTable, Scale, text_width
from fairness_checks.report.numbers import interval_text, interval_words, value_text

if TYPE_CHECKING:
    from fairness_checks.findings.statistics import Statistics

__all__ = ["calibration"]

_MOST_GROUPS = 12  # that are drawn; the table has all
_FEW = 10  # samples of a bin, below which its interval does not choose the scale, nor the bin what is told
_MOST_WIDE = 3  # groups that have the whole width
_PLOT, _HEAD, _COUNTS = 84.0, 18.0, 20.0
_TICKS = ((0.0, "0.0"), (0.5, "0.5"), (1.0, "1.0"))


@dataclass(frozen=True, slots=True)
class _Bin:
    """One bin of one group that has samples."""

    low: float
    high: float
    samples: int
    value: float
    interval: tuple[float, float]

    @property
    def text(self) -> str:
        return interval_text(self.value, *self.interval)

    @property
    def scores(self) -> str:
        return f"{self.low:.1f} to {self.high:.1f}"


@dataclass(frozen=True, slots=True)
class _Group:
    place: int
    name: str
    error: float | None
    bins: tuple[_Bin, ...]


def calibration(record: CheckRecord, statistics: Statistics | None, key: str) -> Figure | None:
    """Draw the bins of every group; None where the statistics hold none."""
    groups = _groups(record, statistics)
    if not any(group.bins for group in groups):
        return None
    by = features_words(record)
    title = f"Calibration: observed less predicted, by the score and {by}"
    every = [(group, each) for group in groups for each in group.bins]
    told = [found for found in every if found[1].samples >= _FEW] or every
    widest, largest = max(told, key=lambda found: abs(found[1].value))
    counted = f"{largest.samples:,} samples" if largest.samples > 1 else "one sample"
    description = (
        f"How often the label was positive less how often the scores say so, in ten bins of the score for each of "
        f"{len(groups)} groups; 0 is calibrated. The largest difference is {largest.text}, at scores from "
        f"{largest.scores} in {counted} of {shorten(widest.name)}."
    )
    kept = sorted(groups, key=lambda group: -(math.inf if group.error is None else group.error))[:_MOST_GROUPS]
    shown = sorted((group for group in kept if group.bins), key=lambda group: group.place)
    rows = [
        (group.name, each.scores, f"{each.samples:,}", value_text(each.value), interval_words(*each.interval))
        for group in groups
        for each in group.bins
    ]
    header = (by, "scores", "samples", "difference", level_words(record.confidence))
    notes = [
        "Bins without samples are left out; bars below show how the samples of a group fill its bins.",
        "An interval without a cap goes on.",
        "The mean score of a bin is not recorded: drawn is the difference, at the middle of the bin.",
    ]
    if len(shown) < len(groups):
        notes.append(f"Drawn are {len(shown)} of {len(groups)} groups; the table has all that have samples.")
    return Figure(
        title=title,
        description=description,
        svg=_drawn(shown).svg(key, title, description),
        table=FigureTable(caption=title, header=header, rows=tuple(rows)),
        notes=tuple(notes),
    )


def _groups(record: CheckRecord, statistics: Statistics | None) -> list[_Group]:
    from fairness_checks.measure.measured_groups import MeasuredGroups
    from fairness_checks.stats.calibration_error import CalibrationStatistics, calibration_intervals

    measured = statistics.measured.get(record.metric) if isinstance(statistics, MeasuredGroups) else None
    if measured is None or not isinstance(measured.statistics, CalibrationStatistics):
        return []
    assert isinstance(statistics, MeasuredGroups)  # for the type checker: it has measured them
    samples = measured.statistics.samples.tolist()
    mean, low, high = (each.tolist() for each in calibration_intervals(measured.statistics, record.confidence))
    errors = {group.name: group.rate for group in record.groups}
    count = len(samples[0]) if samples else 0
    found = []
    for g, name in enumerate(statistics.groups):
        bins = tuple(
            _Bin(b / count, (b + 1) / count, n, mean[g][b], (low[g][b], high[g][b]))
            for b, n in enumerate(samples[g])
            if n
        )
        found.append(_Group(g, printable(", ".join(name)), errors.get(name), bins))
    return found


def _drawn(groups: Sequence[_Group]) -> Canvas:
    columns = 1 if len(groups) <= _MOST_WIDE else 2
    step, start = _HEAD + _PLOT + _COUNTS + 30.0, 22.0
    bins = [each for group in groups for each in group.bins]
    ends = [each.value for each in bins] + [end for each in bins if each.samples >= _FEW for end in each.interval]
    canvas = Canvas(start + step * math.ceil(len(groups) / columns) + 4.0, width=WIDE)
    canvas.text(0.0, 12.0, "observed less predicted; 0 is calibrated", size=SMALL)
    left = left_margin(Scale.over([0.0, *ends], 0.0, 1.0, lowest=-1.0, highest=1.0))
    width = (WIDE - left - 10.0 - 16.0 * (columns - 1)) / columns
    for place, group in enumerate(groups):
        band, column = divmod(place, columns)
        top = start + band * step + _HEAD
        x = left + column * (width + 16.0)
        scale = Scale.over([0.0, *ends], top + _PLOT, top, lowest=-1.0, highest=1.0)
        marker(canvas, group.place, x + 5.0, top - 10.0)
        error = "" if group.error is None or columns > 1 else f"error {value_text(group.error)}"
        room = width - 14.0 - text_width(error, SMALL) - 6.0
        canvas.text(x + 14.0, top - 6.0, group.name, size=SMALL, room=room)
        canvas.text(x + width, top - 6.0, error, anchor="end", size=SMALL)
        _panel(canvas, group, scale, Scale(0.0, 1.0, x + 10.0, x + width - 10.0), numbers=column == 0)
    canvas.text(left, canvas.height - 6.0, "score", size=SMALL)
    return canvas


def _panel(canvas: Canvas, group: _Group, scale: Scale, scores: Scale, *, numbers: bool) -> None:
    floor, left, right = scale.start + _COUNTS, scores.start - 10.0, scores.end + 10.0
    axis_left(canvas, scale, left, right, numbers=numbers)
    canvas.line(left, scale(0.0), right, scale(0.0))
    axis_below(canvas, scores, floor, floor, _TICKS)
    canvas.line(left, floor, right, floor)
    most = max(each.samples for each in group.bins)
    for each in group.bins:
        x, wide = scores(each.low), scores(each.high) - scores(each.low)
        tall = (_COUNTS - 6.0) * each.samples / most
        canvas.rect(x + 1.0, floor - tall, wide - 2.0, tall, opacity=FAINT)
        _interval(canvas, scale, x + wide / 2.0, each, colour_of(group.place))
        marker(canvas, group.place, x + wide / 2.0, scale(each.value))


def _interval(canvas: Canvas, scale: Scale, x: float, each: _Bin, colour: str) -> None:
    """Draw an interval; an end that lies outside of the scale has no cap."""
    low, high = map(scale, each.interval)
    caps = [((x - 3.0, scale(end)), (x + 3.0, scale(end))) for end in each.interval if scale.holds(end)]
    canvas.rules([((x, low), (x, high)), *caps], colour=colour, width=1.5)
