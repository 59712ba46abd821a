"""Markers of groups, axes and labels that do not lie over each other: what several pictures have in common."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from fairness_checks.plain import printable
from fairness_checks.records.check_record import CheckRecord
from fairness_checks.report.figures.svg import Canvas, Point, Scale, text_width

__all__ = [
    "FAINT",
    "SMALL",
    "WIDE",
    "axis_below",
    "axis_left",
    "colour_of",
    "error_bar",
    "features_words",
    "left_margin",
    "level_words",
    "marker",
    "sentence_case",
    "spread",
    "without_empty",
    "words_of",
]

SMALL = 11
"""Size of numbers at axes, and of labels."""
WIDE = 360.0
"""Of pictures with text up to their edges: what the cards of a page leave of a screen of 400."""
FAINT = 0.25
"""Opacity of lines that only guide the eye."""
_RADIUS = 4.5

# At least 3.4 to 1 against white and against a dark page; shapes tell the groups where colours do not.
_COLOURS = ("#2f78c4", "#d1600a", "#178f6b", "#b0559f", "#8a7a00", "#c9414b", "#5b6fd8", "#7a7a7a")


def _around(turns: Sequence[float], radius: float = _RADIUS) -> tuple[Point, ...]:
    return tuple((radius * math.sin(math.tau * turn), -radius * math.cos(math.tau * turn)) for turn in turns)


_STAR = tuple(
    point for i in range(5) for point in (*_around([i / 5], 1.3 * _RADIUS), *_around([i / 5 + 0.1], 0.5 * _RADIUS))
)
_CROSS = tuple((x * 1.5, y * 1.5) for x, y in (
    (-1, -3), (1, -3), (1, -1), (3, -1), (3, 1), (1, 1), (1, 3), (-1, 3), (-1, 1), (-3, 1), (-3, -1), (-1, -1)
))  # fmt: skip
_SHAPES: Mapping[str, tuple[Point, ...]] = MappingProxyType(
    {
        "disc": (),
        "square": _around([0.125, 0.375, 0.625, 0.875], 1.2 * _RADIUS),
        "triangle": _around([0.0, 1 / 3, 2 / 3], 1.25 * _RADIUS),
        "diamond": _around([0.0, 0.25, 0.5, 0.75], 1.2 * _RADIUS),
        "star": _STAR,
        "cross": _CROSS,
        "inverted triangle": _around([0.5, 0.5 + 1 / 3, 0.5 + 2 / 3], 1.25 * _RADIUS),
        "hexagon": _around([i / 6 for i in range(6)]),
    }
)


def colour_of(group: int) -> str:
    """Return the colour of a group by its position among all."""
    return _COLOURS[group % len(_COLOURS)]


def marker(canvas: Canvas, group: int, x: float, y: float) -> None:
    """Draw the marker of a group, by its position among all: filled ones first, then the same hollow."""
    points = list(_SHAPES.values())[group % len(_SHAPES)]
    colour, hollow = colour_of(group), group // len(_SHAPES) % 2 == 1
    fill, stroke = ("none", colour) if hollow else (colour, "none")
    if points:
        canvas.polygon([(x + dx, y + dy) for dx, dy in points], fill=fill, stroke=stroke)
    else:
        canvas.circle(x, y, _RADIUS, fill=fill, stroke=stroke)


def error_bar(canvas: Canvas, at: float, low: float, high: float, colour: str, *, upright: bool) -> None:
    """Draw an interval with caps."""
    cap = 3.0
    lines = [((at, low), (at, high)), *(((at - cap, end), (at + cap, end)) for end in (low, high))]
    if not upright:
        lines = [((y1, x1), (y2, x2)) for (x1, y1), (x2, y2) in lines]
    canvas.rules(lines, colour=colour, width=1.5)


def left_margin(scale: Scale) -> float:
    """Return what the numbers at an upright axis need."""
    return max(text_width(text, SMALL) for _, text in scale.ticks()) + 8.0


def axis_left(canvas: Canvas, scale: Scale, x: float, end: float, *, numbers: bool = True) -> None:
    """Draw an upright axis at `x`, its numbers left of it, and faint lines to `end`."""
    ticks = scale.ticks()
    canvas.rules([((x, scale(value)), (end, scale(value))) for value, _ in ticks], opacity=FAINT)
    for value, text in ticks if numbers else ():
        canvas.text(x - 5.0, scale(value) + 4.0, text, anchor="end", size=SMALL)
    canvas.line(x, scale.start, x, scale.end)


def axis_below(
    canvas: Canvas, scale: Scale, y: float, top: float, ticks: Sequence[tuple[float, str]] | None = None
) -> None:
    """Draw an axis at `y`, its numbers below it, and faint lines up to `top`."""
    marks = scale.ticks() if ticks is None else ticks
    if top != y:
        canvas.rules([((scale(value), y), (scale(value), top)) for value, _ in marks], opacity=FAINT)
    for value, text in marks:
        half = text_width(text, SMALL) / 2.0 + 0.1
        x = min(max(scale(value), half), canvas.width - half)
        canvas.text(x, y + 14.0, text, anchor="middle", size=SMALL)
    canvas.line(scale.start, y, scale.end, y)


def spread(places: Sequence[float], apart: float, low: float, high: float) -> list[float]:
    """Return places from `low` to `high` that are so far apart, or as far as there is room, each near to its own.

    Examples
    --------
    >>> spread([5.0, 5.0, 20.0], 10.0, 0.0, 100.0)
    [0.0, 10.0, 20.0]
    """
    if not places:
        return []
    apart = min(apart, (high - low) / max(len(places) - 1, 1))
    order = sorted(range(len(places)), key=lambda i: places[i])
    # Blocks of neighbours, each centred on where its members would be: the least that moves, in one pass.
    blocks: list[tuple[float, int]] = []  # where the first one would stand, summed over the members; their number
    for i in order:
        total, size = places[i], 1
        while blocks and blocks[-1][0] / blocks[-1][1] + apart * blocks[-1][1] > total / size:
            before, count = blocks.pop()
            total, size = before + total - size * count * apart, size + count
        blocks.append((total, size))
    found = [start / size + apart * k for start, size in blocks for k in range(size)]
    for k in range(len(found)):
        found[k] = max(found[k], low + apart * k)
    for k in range(len(found)):
        found[k] = min(found[k], high - apart * (len(found) - 1 - k))
    placed = dict(zip(order, found, strict=True))
    return [placed[i] for i in range(len(places))]


def level_words(confidence: float) -> str:
    """Return the heading of that column."""
    return f"{confidence:.0%} interval"


def without_empty(
    header: Sequence[str], rows: Sequence[Sequence[str]]
) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Return a table without the columns in which nothing stands."""
    kept = [i for i in range(len(header)) if any(row[i] for row in rows)]
    return tuple(header[i] for i in kept), tuple(tuple(row[i] for i in kept) for row in rows)


def words_of(name: str) -> str:
    """Return the name of a metric or of a key as words."""
    return printable(name.replace("_", " "))


def features_words(record: CheckRecord) -> str:
    """Return the features whose values name a record's groups, as words."""
    return words_of(", ".join((*record.control_features, *record.by)))


def sentence_case(text: str) -> str:
    """Return a text whose first letter is large; the others stay as names have them."""
    return text[:1].upper() + text[1:]
