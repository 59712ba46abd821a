r"""Names of groups: what they are kept as, and those that no reader could tell apart or write down.

Kept are names in Unicode's composed form (NFC) without blanks around them: a file written elsewhere, or padded to a
width, then names the same groups as the baseline and the configuration. That is safe because two values that would
become one name are refused, never merged.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence

from fairness_checks.errors import InvalidPredictions
from fairness_checks.names import printable

__all__ = ["MISSING_TEXT", "clean", "refuse_look_alikes", "text_problem"]

MISSING_TEXT = frozenset(
    [
        *("nan", "NaN", "NAN", "-nan", "-NaN", "<NA>", "NaT", "None", "null", "NULL", "Null", "#N/A", "#NA", "N/A"),
        *("NA", "n/a", "N.A.", "n.a.", "?", "."),
    ]
)
"""Text that programs write for a missing value; as it is written: "none" may be an answer, "None" is Python's."""

_BLANKS = re.compile(r"\s+")
_BETWEEN_DIGITS = re.compile(r"(?<=\d)\s+(?=\d)")


def clean(name: str) -> str:
    r"""Return a name as it is kept.

    Examples
    --------
    >>> clean(" Male\r"), len(clean("e\u0301"))
    ('Male', 1)
    """
    return name.strip() if name.isascii() else unicodedata.normalize("NFC", name).strip()


def text_problem(text: str) -> str | None:
    r"""Say what in a text no report could show as it is; None where there is no such thing.

    Examples
    --------
    >>> text_problem("f\0"), text_problem("\ud800"), text_problem("größer")
    ("the control character '\\x00'", "the half of a character '\\ud800', which no file can hold", None)
    """
    for character in "" if text.isprintable() else text:
        category = unicodedata.category(character)
        if category == "Cs":
            return f"the half of a character {character!r}, which no file can hold"
        if category in ("Cc", "Zl", "Zp"):
            return f"the control character {character!r}"
        if (point := ord(character)) & 0xFFFE == 0xFFFE or 0xFDD0 <= point <= 0xFDEF:
            return f"{character!r}, which is no character"
    return None


def refuse_look_alikes(where: str, names: Sequence[str], row: Callable[[int], int | None]) -> None:
    """Refuse names that hold what cannot be shown, and two that differ in nothing that a reader would see.

    Parameters
    ----------
    where : str
        What the names are of, for the message.
    names : sequence of str
        As they were given.
    row : callable
        Takes the position of a name; returns the first row that has it, None where none does.

    Raises
    ------
    InvalidPredictions
        With both names, a row of each, and the remedy.
    """
    seen: dict[str, int] = {}
    for position, name in enumerate(names):
        if (problem := text_problem(clean(name))) is not None:
            raise InvalidPredictions(f"{where}: the name {name!r}{_at(row(position))} holds {problem}; write another")
        first = seen.setdefault(_looks(name), position)
        if names[first] != name:
            one, other = names[first], name
            raise InvalidPredictions(
                f"{where}: the names {one!r}{_at(row(first))} and {other!r}{_at(row(position))} differ only in "
                f"{_difference(one, other)}; write both the same, or give them names that differ in more"
            )


def _at(row: int | None) -> str:
    return " (no row)" if row is None else f" (row {row})"


def _looks(name: str) -> str:
    """Return what a reader sees of a name, blanks and letter case aside; a blank between digits parts two numbers."""
    text = unicodedata.normalize("NFKC", name)
    text = "".join(character for character in text if unicodedata.category(character) != "Cf")
    text = _BLANKS.sub("", _BETWEEN_DIGITS.sub("\0", text.strip()))
    return printable(unicodedata.normalize("NFKC", text.casefold()))


def _difference(one: str, other: str) -> str:
    """Say in what two names differ that look alike."""
    bare, as_bare = (_BLANKS.sub("", name) for name in (one, other))
    if bare == as_bare:
        return "blanks"
    same, as_same = (unicodedata.normalize("NFKC", name) for name in (bare, as_bare))
    if same == as_same:
        return "how Unicode writes the same characters"
    if same.casefold() == as_same.casefold():
        return "letter case"
    return "letter case, blanks or characters that are not seen"
