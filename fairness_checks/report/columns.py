"""Text in columns of a terminal: how many it takes, and where its lines break."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

__all__ = ["columns", "padded", "together", "wrap"]

_GLUE = "\x1f"  # stands for a blank at which no line breaks; printable text has none

_LEAST = 12  # columns that are left beside an indent, however narrow the terminal


def columns(text: str) -> int:
    """Columns that a text takes: two for a wide character, none for one that combines with the one before.

    Examples
    --------
    >>> columns("female"), columns("女性"), columns("é")
    (6, 4, 1)
    """
    if text.isascii():
        return len(text)
    return sum(_columns_of(character) for character in text)


def _columns_of(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def padded(text: str, width: int, *, right: bool = False) -> str:
    """Fill a text up to a width with blanks, behind it or before it."""
    space = " " * (width - columns(text))
    return space + text if right else text + space


def together(text: str) -> str:
    """Return a text whose words stay on one line where that holds them."""
    return text.replace(" ", _GLUE)


def wrap(text: str, width: int, indent: str = "", hanging: str | None = None) -> Iterator[str]:
    """Break a text between its words, or within one that no line holds; nothing is left out but blanks."""
    # Lines after the first begin with `hanging`. Where an indent leaves next to nothing, half the line is the text's.
    if columns(indent) + columns(text) <= width:
        yield from [f"{indent}{text}".replace(_GLUE, " ").rstrip()] if text.strip() else []
        return
    hanging = indent if hanging is None else hanging
    indent, hanging = (each[: max(width - _LEAST, 0)] for each in (indent, hanging))
    line, room = indent, width - columns(indent)
    empty = True
    for word in text.split(" "):
        if not word:
            continue
        if not empty and columns(word) + 1 > room:
            yield line.replace(_GLUE, " ")
            line, room, empty = hanging, width - columns(hanging), True
        pieces = list(_pieces(word, room if empty else room - 1, width - columns(hanging)))
        for piece in pieces[:-1]:
            yield (line + ("" if empty else " ") + piece).replace(_GLUE, " ")
            line, room, empty = hanging, width - columns(hanging), True
        line += ("" if empty else " ") + pieces[-1]
        room -= columns(pieces[-1]) + (0 if empty else 1)
        empty = False
    if not empty:
        yield line.replace(_GLUE, " ")


def _pieces(word: str, first: int, rest: int) -> Iterator[str]:
    """Cut a word that no line holds into pieces that lines hold, between characters."""
    if columns(word) <= first:
        yield word
        return
    piece, room = "", first
    for character in word:
        taken = _columns_of(character)
        if piece and taken > room:
            yield piece
            piece, room = "", rest
        piece += character
        room -= taken
    yield piece
