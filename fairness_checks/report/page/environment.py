"""How templates are filled in: whatever a name holds, it stays text."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from fairness_checks.plain import printable
from fairness_checks.report.figures.svg import FigureTable

__all__ = ["render"]

_MOST_COLUMNS = 7  # that 400 pixels hold

_LONG = re.compile(r"\S{13,}")
_PART = re.compile(r"[^_/=:.,\-]{1,12}[_/=:.,\-]*|[_/=:.,\-]+")  # of a long word, behind which a line may end


def render(template: str, **context: Any) -> str:
    """Fill in a template of this room."""
    return _environment().get_template(template).render(**context)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("fairness_checks.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    environment.filters.update(name=_name, lines=_lines, plain=_plain, upright=_upright)
    return environment


def _finalize(value: object) -> object:
    """Return text as a page shows it; markup as it is."""
    return _shown(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _shown(text: str) -> Markup:
    """Escape what would reorder or break a line, and let long words be broken where there is no style."""
    found, end = [], 0
    text = printable(text)
    for word in _LONG.finditer(text):
        found += [escape(text[end : word.start()]), Markup("<wbr/>").join(_PART.findall(word.group()))]
        end = word.end()
    return Markup("").join([*found, escape(text[end:])])


def _name(text: str) -> Markup:
    """Return a name that is of any direction, beside text of another; a blank one in quotes, so that it is seen."""
    return Markup("<bdi>{}</bdi>").format(_shown(text if text.strip() else f'"{text}"'))


def _lines(text: str) -> Markup:
    """Return text of several lines."""
    return Markup("\n").join(_shown(line) for line in text.splitlines())


def _plain(text: str) -> Markup:
    """Return text for an attribute, where nothing breaks lines."""
    return escape(printable(text))


def _upright(table: FigureTable) -> FigureTable:
    """Return a table of many columns with its rows beside each other, where that is narrower: no page scrolls."""
    if len(table.header) <= _MOST_COLUMNS or len(table.rows) + 1 >= len(table.header):
        return table
    header, *rows = zip(table.header, *table.rows, strict=True)
    return FigureTable(caption=table.caption, header=header, rows=tuple(rows))
