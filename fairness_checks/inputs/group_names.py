"""Names of groups: what they are kept as, and those that no reader could tell apart or write down."""

# Kept are names in Unicode's composed form (NFC) without blanks around them: a file written elsewhere, or padded to a
# width, then names the same groups as the baseline and the configuration. That is safe because two values that would
# become one name are refused, never merged.

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence

from fairness_checks.errors import InvalidPredictions
from fairness_checks.plain import printable

__all__ = ["MISSING_TEXT", "clean", "means_missing", "refuse_look_alikes", "seen", "text_problem"]

MISSING_TEXT = frozenset(
    [
        *("nan", "NaN", "NAN", "-nan", "-NaN", "<NA>", "NaT", "None", "null", "NULL", "Null", "#N/A", "#NA", "N/A"),
        *("NA", "n/a", "N/a", "N.A.", "n.a.", "N.A", "n.a", "<na>", "Nan", "?", "."),
        *("#N/A N/A", "-1.#IND", "1.#IND", "-1.#QNAN", "1.#QNAN"),  # pandas reads these as missing, too
        *("\\N", "(null)", "(NULL)", "<null>", "<NULL>", "[null]", "[NULL]"),  # exports of databases
        *("#NULL!", "#VALUE!", "#REF!", "#DIV/0!", "#NAME?", "#NUM!"),  # errors of spreadsheets
    ]
)
"""Text that programs write for a missing value; as it is written: "none" may be an answer, "None" is Python's."""

_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""What no reader sees, though Unicode calls it a letter, mark or symbol: fillers, selectors, Braille's blank."""

_ALIKE = str.maketrans(
    dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-")
    | dict.fromkeys("\u2018\u2019\u201b\u2032\u00b4`", "'")
    | dict.fromkeys("\u201c\u201d\u201f\u2033", '"')
)
"""Dashes and quotation marks, which one program writes for another's."""

_BLANKS = re.compile(r"\s+")
_BETWEEN_DIGITS = re.compile(r"(?<=\d)\s+(?=\d)")


def clean(name: str) -> str:
    """Return a name as it is kept."""
    return name.strip() if name.isascii() else unicodedata.normalize("NFC", name).strip()


def seen(name: str) -> str:
    """Return a name without what no reader sees in it."""
    if name.isascii():
        return name.strip()
    text = "".join(character for character in name if unicodedata.category(character) != "Cf")
    return unicodedata.normalize("NFC", _UNSEEN.sub("", text)).strip()


def means_missing(name: str) -> bool:
    """Say whether a name is text that programs write for a missing value."""
    return unicodedata.normalize("NFKC", seen(name)) in MISSING_TEXT


def text_problem(text: str) -> str | None:
    """Say what in a text no report could show as it is; None where there is no such thing."""
    for character in "" if text.isprintable() else text:
        category = unicodedata.category(character)
        if category == "Cs":
            return f"the half of a character {character!r}, which no file can hold"
        if category in ("Cc", "Zl", "Zp"):
            return f"the control character {character!r}"
        if (point := ord(character)) & 0xFFFE == 0xFFFE or 0xFDD0 <= point <= 0xFDEF:
            return f"{character!r}, which is no character"
    return None


def refuse_look_alikes(where: str, names: Sequence[str], row: Callable[[int], int | None] | None = None) -> None:
    """Refuse names that hold what cannot be shown, and two that differ in nothing that a reader would see."""

    # `row` returns the first row that has a name, by its position, None where none does; without it no rows are named.
    def at(position: int) -> str:
        return "" if row is None else _at(row(position))

    met: dict[str, int] = {}
    for position, name in enumerate(names):
        if (problem := text_problem(clean(name))) is not None:
            raise InvalidPredictions(f"{where}: the name {name!r}{at(position)} holds {problem}; write another")
        if not seen(name):
            raise InvalidPredictions(
                f"{where}: the name {name!a}{at(position)} holds nothing that is seen; write another"
            )
        first = met.setdefault(_looks(name), position)
        if names[first] != name:
            one, other = names[first], name
            raise InvalidPredictions(
                f"{where}: the names {one!r}{at(first)} and {other!r}{at(position)} differ only in "
                f"{_difference(one, other)}; write both the same, or give them names that differ in more"
            )


def _at(row: int | None) -> str:
    return " (no row)" if row is None else f" (row {row})"


def _looks(name: str) -> str:
    """Return what a reader sees of a name, blanks and letter case aside; a blank between digits parts two numbers."""
    text = unicodedata.normalize("NFKC", seen(name).translate(_ALIKE))
    text = _BLANKS.sub("", _BETWEEN_DIGITS.sub("\0", text.strip()))
    return printable(unicodedata.normalize("NFKC", text.casefold()))


def _difference(one: str, other: str) -> str:
    """Say in what two names differ that look alike."""
    bare, as_bare = (_BLANKS.sub("", name) for name in (one, other))
    if bare == as_bare:
        return "blanks"
    if bare.translate(_ALIKE) == as_bare.translate(_ALIKE):
        return "dashes or quotation marks"
    same, as_same = (unicodedata.normalize("NFKC", name) for name in (bare, as_bare))
    if same == as_same:
        return "how Unicode writes the same characters"
    if same.casefold() == as_same.casefold():
        whole, as_whole = (unicodedata.normalize("NFKC", name).casefold() for name in (one, other))
        return "letter case" if whole == as_whole else "blanks and letter case"
    return "letter case, blanks or characters that are not seen"
