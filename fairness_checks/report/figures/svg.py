"""Pictures of a report: drawn with presentation attributes alone, in which any policy of any host leaves them whole."""

# A host such as Jenkins drops <style>, style=, classes and data images, and the reader may have chosen a dark page:
# text, axes and lines are `currentColor`, and a colour says nothing that a shape or a word does not say too.

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

from fairness_checks.plain import printable

__all__ = [
    "TEXT",
    "WIDTH",
    "Canvas",
    "Figure",
    "FigureTable",
    "Point",
    "Scale",
    "Svg",
    "fitted",
    "nice_ticks",
    "text_width",
]

WIDTH = 368
"""Of every picture: fits a screen of 400 without being scaled, so that text stays as large as it is written."""
TEXT = 12
"""Size of text; small text is 11."""
_SMALLEST = 11
_LONGEST_TICK = 8  # characters, from which on a number is written with its power of ten
_FONT = "Verdana, DejaVu Sans, Arial, sans-serif"  # the widest first: what fits in it fits in the others
_KEY = re.compile(r"[A-Za-z][A-Za-z0-9-]*")

Anchor = Literal["start", "middle", "end"]
Point = tuple[float, float]


class Svg(str):
    """Markup: a template that escapes text leaves it as it is."""

    __slots__ = ()

    def __html__(self) -> str:
        """Return the markup, as templates ask for it."""
        return str(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureTable:
    """What a picture shows, as text that is not yet escaped; the first cell of a row names it."""

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A picture and the same in words and in numbers.

    Parameters
    ----------
    title : str
        What is drawn; not yet escaped, as is `description`.
    description : str
        The text alternative: what the picture shows, in words with numbers.
    svg : Svg
        The picture, which has both as its `<title>` and `<desc>`.
    table : FigureTable
        Every number of it.
    notes : tuple of str
        What is not in it, and why; a sentence each.
    """

    title: str
    description: str
    svg: Svg
    table: FigureTable
    notes: tuple[str, ...] = ()


class Canvas:
    """A picture that is being drawn.

    Parameters
    ----------
    height, width : float
        Of the picture, in pixels as shown.

    Examples
    --------
    >>> canvas = Canvas(20, width=40)
    >>> canvas.line(0, 10, 40, 10)
    >>> canvas.svg("check-1", "A line", "From left to right.").count("<line")
    1
    """

    def __init__(self, height: float, width: float = WIDTH) -> None:
        self.width, self.height = width, height
        self._parts: list[str] = []

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        anchor: Anchor = "start",
        size: int = TEXT,
        bold: bool = False,
        room: float | None = None,
    ) -> None:
        """Write a line of text at its baseline; in `room`, or what is left of the picture, it is cut to fit."""
        if size < _SMALLEST:
            raise ValueError(f"size: {size}; text is {_SMALLEST} or larger")
        left = {"start": self.width - x, "end": x, "middle": 2.0 * min(x, self.width - x)}[anchor]
        shown = fitted(text, min(left, math.inf if room is None else room), size, bold=bold)
        own: dict[str, str | float] = {"x": x, "y": y}
        own |= {} if anchor == "start" else {"text_anchor": anchor}
        own |= {} if size == TEXT else {"font_size": size}
        own |= {"font_weight": "bold"} if bold else {}
        self._add("text", escape(shown), **own)

    def line(
        self,
        x1: float,
        y1: float,
        x2: float,
        y2: float,
        *,
        colour: str = "currentColor",
        width: float = 1.0,
        opacity: float = 1.0,
        dashes: str = "",
    ) -> None:
        """Draw a straight line."""
        self._add("line", "", x1=x1, y1=y1, x2=x2, y2=y2, **_stroke(colour, width, opacity, dashes))

    def rect(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        *,
        fill: str = "currentColor",
        opacity: float = 1.0,
        stroke: str = "none",
    ) -> None:
        """Draw a rectangle."""
        self._add("rect", "", x=x, y=y, width=width, height=height, **_filled(fill, opacity, stroke))

    def circle(self, x: float, y: float, radius: float, *, fill: str = "currentColor", stroke: str = "none") -> None:
        """Draw a disc, or with fill "none" a ring."""
        self._add("circle", "", cx=x, cy=y, r=radius, **_filled(fill, 1.0, stroke))

    def polygon(self, points: Iterable[Point], *, fill: str = "currentColor", stroke: str = "none") -> None:
        """Draw a closed shape."""
        at = " ".join(f"{_number(x)},{_number(y)}" for x, y in points)
        self._add("polygon", "", points=at, **_filled(fill, 1.0, stroke))

    def path(
        self,
        points: Sequence[Point],
        *,
        colour: str = "currentColor",
        width: float = 1.5,
        opacity: float = 1.0,
        dashes: str = "",
    ) -> None:
        """Draw a line through points."""
        d = " ".join(f"{'L' if i else 'M'}{_number(x)} {_number(y)}" for i, (x, y) in enumerate(points))
        self._add("path", "", d=d, fill="none", **_stroke(colour, width, opacity, dashes))

    def dots(self, points: Iterable[Point], radius: float, *, opacity: float = 1.0) -> None:
        """Draw discs, as the round ends of lines of no length: hundreds of them take little room."""
        d = "".join(f"M{_number(x)} {_number(y)}h0" for x, y in points)
        if d:
            own = _stroke("currentColor", 2.0 * radius, opacity, "")
            self._add("path", "", d=d, fill="none", stroke_linecap="round", **own)

    def rules(
        self,
        lines: Iterable[tuple[Point, Point]],
        *,
        colour: str = "currentColor",
        width: float = 1.0,
        opacity: float = 1.0,
    ) -> None:
        """Draw straight lines that look alike."""
        d = "".join(f"M{_number(x1)} {_number(y1)}L{_number(x2)} {_number(y2)}" for (x1, y1), (x2, y2) in lines)
        if d:
            self._add("path", "", d=d, fill="none", **_stroke(colour, width, opacity, ""))

    def svg(self, key: str, title: str, description: str) -> Svg:
        """Return the picture with its words; `key` is its name among all of the page, such as ``check-3-sweep``."""
        if not _KEY.fullmatch(key):
            raise ValueError(f"key: {key!r}; a letter, then letters, digits and hyphens")
        width, height = _number(self.width), _number(self.height)
        return Svg(
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" font-family="{_FONT}" font-size="{TEXT}" fill="currentColor" '
            f'role="img" aria-labelledby="{key}-title {key}-desc">'
            f'<title id="{key}-title">{escape(printable(title))}</title>'
            f'<desc id="{key}-desc">{escape(printable(description))}</desc>'
            f"{''.join(self._parts)}</svg>"
        )

    def _add(self, tag: str, content: str = "", /, **attributes: str | float) -> None:
        own = "".join(
            f' {name.replace("_", "-")}="{escape(value) if isinstance(value, str) else _number(value)}"'
            for name, value in attributes.items()
        )
        self._parts.append(f"<{tag}{own}/>" if not content else f"<{tag}{own}>{content}</{tag}>")


def _stroke(colour: str, width: float, opacity: float, dashes: str) -> dict[str, str | float]:
    own: dict[str, str | float] = {"stroke": colour}
    if width != 1.0:
        own["stroke_width"] = width
    if opacity != 1.0:
        own["stroke_opacity"] = opacity
    if dashes:
        own["stroke_dasharray"] = dashes
    return own


def _filled(fill: str, opacity: float, stroke: str) -> dict[str, str | float]:
    own: dict[str, str | float] = {} if fill == "currentColor" else {"fill": fill}
    if opacity != 1.0:
        own["fill_opacity"] = opacity
    if stroke != "none":
        own |= {"stroke": stroke, "stroke_width": 1.5}
    return own


def _number(value: float) -> str:
    """Write a coordinate with two decimals at most."""
    if not math.isfinite(value):
        raise ValueError(f"{value}: no coordinate")
    return f"{round(value, 2) + 0.0:.2f}".rstrip("0").rstrip(".")


_NARROW = frozenset("iljtfrI.,:;'|!()[] /\\-")
_WIDE = frozenset("mwMW@%&+=<>~^#_…")


def text_width(text: str, size: float = TEXT, *, bold: bool = False) -> float:
    """Return how wide a text is at most, whatever font the reader's browser has for it."""
    # Of Verdana and DejaVu Sans, which are wider than what else browsers take for sans-serif; rounded up. Ligatures and
    # symbols count as the longer of themselves and what they stand for.
    spelled = (sum(map(_advance, unicodedata.normalize(form, text))) for form in ("NFD", "NFKD"))
    return max(spelled) * size * (1.2 if bold else 1.0)


def _advance(character: str) -> float:
    if character in _NARROW:
        return 0.5
    if character in _WIDE:
        return 1.06
    if character.isascii():
        return 0.82 if character.isupper() else 0.66
    category = unicodedata.category(character)
    if category == "Cf" or "\u0300" <= character <= "\u036f":  # accents stand above their letters
        return 0.2 if character == "\u031b" else 0.0
    if category == "Mn":  # above its letter too, or beside a dotted circle where there is none
        return 0.6
    if category in ("So", "Sm", "Po") or unicodedata.east_asian_width(character) in "WF":
        return 1.8
    if character < "\u0600" and not character.isupper():  # Latin, Greek, Cyrillic, Armenian, Hebrew
        return 1.06
    return 1.35


def fitted(text: str, room: float, size: float = TEXT, *, bold: bool = False) -> str:
    """Return a text on one line that is no wider than the room for it, cut with an ellipsis where it is longer."""
    text = printable(text)
    if text_width(text, size, bold=bold) <= room:
        return text
    left = room - text_width("…", size, bold=bold)
    if left < 0.0:
        return ""
    kept = 0
    for character in text:
        left -= text_width(character, size, bold=bold)
        if left < 0.0:
            break
        kept += 1
    return text[:kept].rstrip() + "…"


def nice_ticks(low: float, high: float, most: int = 5) -> tuple[float, ...]:
    """Return at most so many (5 or more) round numbers, two at least, from `low` to `high`.

    Examples
    --------
    >>> nice_ticks(0.0, 0.47)
    (0.0, 0.1, 0.2, 0.3, 0.4)
    """
    if not (math.isfinite(low) and math.isfinite(high) and low < high and most >= 5):
        raise ValueError(f"ticks from {low} to {high}, at most {most}")
    power = math.floor(math.log10((high - low) / most)) - 1
    for exponent in range(power, power + 4):
        for factor in (1.0, 2.0, 5.0):
            step = factor * 10.0**exponent
            first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
            if last - first + 1 <= most:
                decimals = max(-exponent, 0)
                return tuple(round(k * step, decimals) + 0.0 for k in range(first, last + 1))
    raise AssertionError("a step of the span has two ticks at most")


@dataclass(frozen=True, slots=True)
class Scale:
    """Where a value stands in a picture: `low` at `start` and `high` at `end`, which may lie before it."""

    low: float
    high: float
    start: float
    end: float

    @classmethod
    def over(
        cls,
        values: Iterable[float | None],
        start: float,
        end: float,
        *,
        lowest: float = -math.inf,
        highest: float = math.inf,
    ) -> Scale:
        """Return a scale that holds all values, with some air, but no more than a value can be; None is left out."""
        known = [value for value in values if value is not None and math.isfinite(value)]
        low, high = (min(known), max(known)) if known else (0.0, 1.0)
        air = 0.06 * (high - low) or 0.5 * abs(low) or 0.5
        low, high = max(low - air, lowest), min(high + air, highest)
        if not low < high:  # all values at, or past, one end of what a value can be
            low, high = (low - air, low) if low >= highest else (low, low + air)
        return cls(low, high, start, end)

    def __call__(self, value: float) -> float:
        """Return where a value stands; one outside of the scale stands at its end."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def holds(self, value: float) -> bool:
        """Say whether a value lies on the scale."""
        return self.low <= value <= self.high

    def ticks(self, most: int = 5) -> tuple[tuple[float, str], ...]:
        """Return round numbers on the scale, each with its text; all with as many decimals, and no two alike."""
        values = nice_ticks(self.low, self.high, most)
        return tuple(zip(values, _tick_texts(values), strict=True))


def _tick_texts(values: Sequence[float]) -> list[str]:
    rounding = 1e-6 * (values[1] - values[0])

    def exact(texts: Sequence[str]) -> bool:
        return all(abs(float(text) - value) <= rounding for text, value in zip(texts, values, strict=True))

    for decimals in range(5):
        texts = [f"{value:.{decimals}f}" for value in values]
        if exact(texts) and max(map(len, texts)) <= _LONGEST_TICK:
            return texts
    for digits in range(1, 18):
        texts = [f"{value:.{digits}g}" for value in values]
        if exact(texts):
            break
    return texts
