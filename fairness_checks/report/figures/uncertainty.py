"""Errors and uncertainties by group: pairs of groups, mean errors along the uncertainty, and risk-coverage curves."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairness_checks.plain import printable, shorten
from fairness_checks.records.check_record import CheckRecord
from fairness_checks.report.figures.marks import (
    SMALL,
    WIDE,
    axis_below,
    axis_left,
    colour_of,
    features_words,
    left_margin,
    level_words,
    marker,
    spread,
    without_empty,
)
from fairness_checks.report.figures.svg import Canvas, Figure, FigureTable, Point, Scale, fitted, text_width
from fairness_checks.report.numbers import interval_text, interval_words, limit_text, value_text

if TYPE_CHECKING:
    from fairness_checks.findings.statistics import Statistics
    from fairness_checks.kinds.mismatch import Ordering
    from fairness_checks.measure.measured_groups import MeasuredGroups

__all__ = ["error_by_uncertainty", "mismatch", "risk_coverage"]

_MOST_CURVES = 6  # that are told apart in one picture; the table has all
_MOST_PAIRS = 10
_MANIFOLD = 20.0  # largest over smallest uncertainty, from which on they stand on a logarithmic axis
_SHARES = tuple((share / 100, f"{share}%") for share in (0, 25, 50, 75, 100))


def _ordering(record: CheckRecord, statistics: Statistics | None) -> tuple[MeasuredGroups, Ordering] | None:
    """Return the groups and how they are ordered; None where the statistics hold no such thing."""
    from fairness_checks.kinds.mismatch import Ordering
    from fairness_checks.measure.measured_groups import MeasuredGroups

    measured = statistics.measured.get(record.metric) if isinstance(statistics, MeasuredGroups) else None
    if not isinstance(statistics, MeasuredGroups) or not isinstance(getattr(measured, "statistics", None), Ordering):
        return None
    return statistics, measured.statistics  # type: ignore[union-attr]


@dataclass(frozen=True, slots=True)
class _Pair:
    """How often the first group has more than the second, of all pairs of a sample of each."""

    first: str
    second: str
    error: float
    uncertainty: float
    interval: tuple[float, float] | None = None  # of the mismatch; of the pair that decides

    @property
    def mismatch(self) -> float:
        return self.error - self.uncertainty

    @property
    def text(self) -> str:
        return interval_text(self.mismatch, *(self.interval or (None, None)))


def mismatch(record: CheckRecord, statistics: Statistics | None, key: str) -> Figure | None:
    """Draw of pairs of groups how often the one has the larger error, and how often it is the more uncertain."""
    pairs = _pairs(record, statistics) if record.sweep is None else []
    if not pairs:
        return None
    title = f"Errors against uncertainties of two groups, by {features_words(record)}"
    most = pairs[0]
    description = (
        f"Of 100 pairs of a sample of each group, {shorten(most.first)} has the larger error in "
        f"{100 * most.error:.0f} and the larger uncertainty in {100 * most.uncertainty:.0f}, against "
        f"{shorten(most.second)}: a mismatch of {most.text}. "
        f"At most {limit_text(record.limit)} is allowed."
    )
    shown = pairs[:_MOST_PAIRS]
    notes = ["An uncertainty that warns of errors lies where they do, or further to the right.", "A tie counts half."]
    if len(shown) < len(pairs):
        notes.append(f"Drawn are {len(shown)} of {len(pairs)} pairs, the largest mismatches; the table has all.")
    left_out = [group.label for group in record.groups if group.problem is not None]
    if left_out:
        notes.append(f"Not compared: {', '.join(left_out)}.")
    rows = [
        (
            each.first,
            each.second,
            value_text(each.error),
            value_text(each.uncertainty),
            value_text(each.mismatch),
            interval_words(*(each.interval or (None, None))),
        )
        for each in pairs
    ]
    header = (
        "larger errors",
        "against",
        "errs more in",
        "more uncertain in",
        "mismatch",
        level_words(record.confidence),
    )
    columns, cells = without_empty(header, rows)
    svg = _drawn_pairs(shown, record.limit).svg(key, title, description)
    table = FigureTable(caption=title, header=columns, rows=cells)
    return Figure(title=title, description=description, svg=svg, table=table, notes=tuple(notes))


def _pairs(record: CheckRecord, statistics: Statistics | None) -> list[_Pair]:
    """Return the pairs that were compared, the one that decides first; without statistics that one alone."""
    from fairness_checks.stats.mismatch import comes_first

    found = _ordering(record, statistics)
    interval = None if record.low is None or record.high is None else (record.low, record.high)
    if found is None:
        names = [printable(", ".join(name)) for name in (record.first, record.second) if name is not None]
        if len(names) < 2 or not {"error_auc", "uncertainty_auc"} <= set(record.also):
            return []
        return [_Pair(names[0], names[1], record.also["error_auc"], record.also["uncertainty_auc"], interval)]
    groups, pairs = found[0].groups, found[1].pairs
    left_out = {group.name for group in record.groups if group.problem is not None}
    compared = [g for g, name in enumerate(groups) if name not in left_out and groups[g] in _named(record)]
    strata = len(record.control_features)
    made = []
    for i, j in itertools.combinations(compared, 2):
        if groups[i][:strata] != groups[j][:strata] or not math.isfinite(float(pairs.error_auc[i, j])):
            continue
        worse = comes_first(pairs.error_auc[i, j], pairs.uncertainty_auc[i, j])
        one, other = (i, j) if bool(worse) else (j, i)
        decides = (groups[one], groups[other]) == (record.first, record.second)
        first, second = (printable(", ".join(groups[g])) for g in (one, other))
        areas = float(pairs.error_auc[one, other]), float(pairs.uncertainty_auc[one, other])
        made.append(_Pair(first, second, *areas, interval if decides else None))
    return sorted(made, key=lambda pair: (pair.interval is None, -pair.mismatch))


def _named(record: CheckRecord) -> set[tuple[str, ...]]:
    return {group.name for group in record.groups}


def _drawn_pairs(pairs: Sequence[_Pair], limit: float) -> Canvas:
    step, top = 48.0, 54.0
    bottom = top + step * len(pairs)
    canvas = Canvas(bottom + 38.0, width=WIDE)
    _error_mark(canvas, 6.0, 8.0)
    canvas.text(16.0, 12.0, "has the larger error", size=SMALL)
    _uncertainty_mark(canvas, 176.0, 8.0)
    canvas.text(186.0, 12.0, "is the more uncertain", size=SMALL)
    canvas.text(0.0, 28.0, "shaded: where the uncertainty is allowed to be", size=SMALL)
    scale = Scale(0.0, 1.0, 16.0, WIDE - 18.0)
    for place, pair in enumerate(pairs):
        y = top + step * place
        text = pair.text
        canvas.text(WIDE, y, text, anchor="end", size=SMALL)
        room = WIDE - text_width(text, SMALL) - 8.0
        canvas.text(0.0, y, _against(pair, room), bold=True, room=room)
        middle = y + 17.0
        allowed = max(pair.error - limit, 0.0)
        canvas.rect(scale(allowed), middle - 9.0, scale(1.0) - scale(allowed), 18.0, opacity=0.12)
        canvas.line(scale.start, middle, scale.end, middle, opacity=0.25)
        canvas.line(scale(0.5), middle - 9.0, scale(0.5), middle + 9.0)
        canvas.line(scale(pair.error), middle, scale(pair.uncertainty), middle, width=2.0)
        _error_mark(canvas, scale(pair.error), middle)
        _uncertainty_mark(canvas, scale(pair.uncertainty), middle)
    axis_below(canvas, scale, bottom - 8.0, bottom - 8.0, _SHARES)
    canvas.text(WIDE / 2.0, bottom + 24.0, "of all pairs of a sample of each group", anchor="middle", size=SMALL)
    return canvas


def _error_mark(canvas: Canvas, x: float, y: float) -> None:
    canvas.circle(x, y, 4.5)


def _uncertainty_mark(canvas: Canvas, x: float, y: float) -> None:
    canvas.rect(x - 4.5, y - 4.5, 9.0, 9.0, fill="none", stroke="currentColor")


def _against(pair: _Pair, room: float) -> str:
    """Name both groups in the room that there is."""
    half = (room - text_width(" against ", bold=True)) / 2.0
    return f"{fitted(pair.first, half, bold=True)} against {fitted(pair.second, half, bold=True)}"


@dataclass(frozen=True, slots=True)
class _Parts:
    """Ten equal parts of a group, the most certain samples first."""

    place: int
    name: str
    samples: int
    sizes: tuple[int, ...]
    error: tuple[float, ...]
    uncertainty: tuple[float, ...]

    @property
    def risks(self) -> tuple[float, ...]:
        """Mean error of the first part, of the first two, and so on."""
        sums = itertools.accumulate(n * value for n, value in zip(self.sizes, self.error, strict=True))
        return tuple(each / n for each, n in zip(sums, itertools.accumulate(self.sizes), strict=True))


def _parts(record: CheckRecord, statistics: Statistics | None) -> tuple[list[_Parts], list[str]]:
    """Return the parts of the groups that have them, and the names of those that have none."""
    found = _ordering(record, statistics)
    if found is None:
        return [], []
    from fairness_checks.stats.risk_coverage import part_sizes

    groups, within = found[0], found[1].within
    made, without = [], []
    for g, name in enumerate(groups.groups):
        error, uncertainty = within.error_of_part[g].tolist(), within.uncertainty_of_part[g].tolist()
        samples, label = int(groups.samples[g]), printable(", ".join(name))
        if all(map(math.isfinite, (*error, *uncertainty))):
            sizes = tuple(part_sizes(samples).tolist())
            made.append(_Parts(g, label, samples, sizes, tuple(error), tuple(uncertainty)))
        elif samples:
            without.append(label)
    return made, without


def _curves(record: CheckRecord, parts: Sequence[_Parts]) -> list[_Parts]:
    """Return the groups that are drawn: those that decide, then those of the largest and the smallest mean error."""
    deciding = {printable(", ".join(name)) for name in (record.first, record.second) if name is not None}
    ranked = sorted(parts, key=lambda each: each.risks[-1])
    ends = [each for pair in zip(ranked[::-1], ranked, strict=True) for each in pair]
    kept = list(dict.fromkeys([*(each for each in parts if each.name in deciding), *ends]))[:_MOST_CURVES]
    return sorted(kept, key=lambda each: each.place)


def _notes(parts: Sequence[_Parts], drawn: Sequence[_Parts], without: Sequence[str]) -> list[str]:
    notes = []
    if len(drawn) < len(parts):
        notes.append(f"Drawn are {len(drawn)} of {len(parts)} groups; the table has all.")
    if without:
        names = ", ".join(without)
        notes.append(f"Groups with fewer than ten samples or clusters in a tenth have no curve: {names}.")
    return notes


def risk_coverage(record: CheckRecord, statistics: Statistics | None, key: str) -> Figure | None:
    """Draw the mean error of the samples that the model is most certain of; None where no group has such means."""
    parts, without = _parts(record, statistics)
    if not parts:
        return None
    title = f"Mean error of the samples that the model is most certain of, by {features_words(record)}"
    all_of, tenth = (sorted(parts, key=lambda each, at=at: each.risks[at]) for at in (-1, 0))  # type: ignore[misc]

    def told(group: _Parts, at: int) -> str:
        return f"{value_text(group.risks[at])} in {shorten(group.name)}"

    description = f"Of all samples the mean error is {told(all_of[-1], -1)}"
    if len(parts) > 1:
        description += f" and {told(all_of[0], -1)}"
    description += f"; of the most certain tenth it is {told(tenth[-1], 0)}"
    if len(parts) > 1:
        description += f" and {told(tenth[0], 0)}"
    description += ", the largest and the smallest of all groups." if len(parts) > 2 else "."
    drawn = _curves(record, parts)
    coverage = tuple((k + 1) / 10 for k in range(10))
    lines = [tuple(zip(coverage, each.risks, strict=True)) for each in drawn]
    canvas = _drawn_curves(
        drawn, lines, Scale(0.0, 1.0, 0.0, 1.0), _SHARES, "share of the group, the most certain first"
    )
    rows = [(each.name, f"{each.samples:,}", *map(value_text, each.risks)) for each in parts]
    header = (features_words(record), "samples", *(f"{share:.0%}" for share in coverage))
    table = FigureTable(caption=f"{title}: of so many of each group", header=header, rows=tuple(rows))
    notes = ["A curve that rises shows an uncertainty that warns: leaving out the uncertain samples leaves out errors."]
    svg = canvas.svg(key, title, description)
    return Figure(
        title=title, description=description, svg=svg, table=table, notes=(*notes, *_notes(parts, drawn, without))
    )


def error_by_uncertainty(record: CheckRecord, statistics: Statistics | None, key: str) -> Figure | None:
    """Draw the mean error of ten parts of each group along their mean uncertainty; None where no group has them."""
    parts, without = _parts(record, statistics)
    if not parts:
        return None
    title = f"Error against uncertainty, by {features_words(record)}"
    least, most = (pick(parts, key=lambda each: each.error[-1]) for pick in (min, max))
    description = (
        f"Mean error of ten parts of each group along their mean uncertainty. In the most uncertain tenth it is "
        f"{value_text(most.error[-1])} at an uncertainty of {value_text(most.uncertainty[-1])} in {shorten(most.name)}"
    )
    if least is not most:
        description += (
            f" and {value_text(least.error[-1])} at an uncertainty of {value_text(least.uncertainty[-1])} in "
            f"{shorten(least.name)}, the largest and the smallest error"
        )
    drawn = _curves(record, parts)
    known = [value for each in drawn for value in each.uncertainty]
    logarithmic = min(known) > 0.0 and max(known) > _MANIFOLD * min(known)
    place = math.log10 if logarithmic else float
    lines = [tuple((place(x), y) for x, y in zip(each.uncertainty, each.error, strict=True)) for each in drawn]
    across = Scale.over([x for line in lines for x, _ in line], 0.0, 1.0)
    ticks = _powers(across) if logarithmic else across.ticks()
    below = "mean uncertainty, on a logarithmic axis" if logarithmic else "mean uncertainty"
    canvas = _drawn_curves(drawn, lines, across, ticks, below)
    rows = [
        (each.name, f"{k + 1}", f"{each.sizes[k]:,}", value_text(each.uncertainty[k]), value_text(each.error[k]))
        for each in parts
        for k in range(len(each.sizes))
    ]
    header = (features_words(record), "tenth, the most certain first", "samples", "mean uncertainty", "mean error")
    notes = ["A group whose curve lies above that of another errs more where both are equally uncertain."]
    return Figure(
        title=title,
        description=f"{description}.",
        svg=canvas.svg(key, title, f"{description}."),
        table=FigureTable(caption=title, header=header, rows=tuple(rows)),
        notes=(*notes, *_notes(parts, drawn, without)),
    )


def _powers(scale: Scale) -> tuple[tuple[float, str], ...]:
    """Return round numbers on a scale of logarithms, each with its text."""
    first, last = math.floor(scale.low), math.ceil(scale.high)
    for factors in ((1, 2, 5), (1,)):
        found = [(math.log10(m) + k, f"{m * 10.0**k:g}") for k in range(first, last + 1) for m in factors]
        found = [tick for tick in found if scale.holds(tick[0])]
        if len(found) <= 5:
            return tuple(found)
    return tuple(found[:: math.ceil(len(found) / 5)])


def _drawn_curves(
    drawn: Sequence[_Parts],
    lines: Sequence[tuple[Point, ...]],
    across: Scale,
    ticks: Sequence[tuple[float, str]],
    below: str,
) -> Canvas:
    """Draw a line a group, with its marker at each point and its name at the end."""
    top, bottom, labels = 24.0, 214.0, 96.0
    canvas = Canvas(bottom + 40.0, width=WIDE)
    canvas.text(0.0, 12.0, "mean error", size=SMALL)
    heights = [y for line in lines for _, y in line]
    upright = Scale.over(heights, bottom - 6.0, top + 6.0, lowest=0.0 if min(heights) >= 0.0 else -math.inf)
    left, right = left_margin(upright), WIDE - labels
    flat = Scale(across.low, across.high, left + 10.0, right - 10.0)
    axis_left(canvas, upright, left, right)
    axis_below(canvas, flat, bottom, top, ticks)
    canvas.line(left, bottom, right, bottom)
    canvas.text(0.0, bottom + 32.0, below, size=SMALL)
    for group, line in zip(drawn, lines, strict=True):
        points = [(flat(x), upright(y)) for x, y in line]
        canvas.path(points, colour=colour_of(group.place))
        for x, y in points:
            marker(canvas, group.place, x, y)
    ends = [upright(line[-1][1]) for line in lines]
    for group, y in zip(drawn, spread(ends, 17.0, top + 6.0, bottom - 4.0), strict=True):
        marker(canvas, group.place, right + 8.0, y)
        canvas.text(right + 17.0, y + 4.0, group.name, size=SMALL)
    return canvas
