"""Text of a file's column -> labels, numbers, groups or ids, as the role of the column asks."""

# Nothing is guessed: "0,5" is no number, "NA" and "nan" are none, and text beside numbers is no label.

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

import numpy as np
import numpy.typing as npt

from fairness_checks.errors import InvalidPredictions
from fairness_checks.inputs.group_names import means_missing
from fairness_checks.plain import shorten

__all__ = ["TextColumn", "as_number"]

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_WHOLE = re.compile(r"[+-]?[0-9]+")
_CODE = re.compile(r"[+-]?0[0-9]")  # begins a code such as 007, which a number would lose
_COMMA = re.compile(r"[+-]?[0-9]+(?:,[0-9]+)+(?:\.[0-9]+)?")
_BOOLS = {"True": True, "TRUE": True, "true": True, "False": False, "FALSE": False, "false": False}
_MOST_DIGITS = 19  # and fewer: an integer of NumPy
_SHOWN = 3
_MISSING = "these are missing values: fill them in, or leave their rows out of the file"


def as_number(text: str) -> int | float | None:
    """Return the number that a text is, finite and with a point; None for any other text."""
    text = text.strip()
    if _WHOLE.fullmatch(text) and len(text) < _MOST_DIGITS:
        return int(text)
    if not _NUMBER.fullmatch(text):
        return None
    number = float(text)
    return number if abs(number) < float("inf") else None


@dataclass(frozen=True, slots=True, eq=False)
class TextColumn:
    """One column of a text file."""

    source: str  # the file's name
    name: str
    cells: Sequence[str]
    lines: Sequence[int]

    def numbers(self) -> npt.NDArray[np.float64]:
        """Return the numbers; refuse everything else."""
        self.refuse_missing()
        found = [as_number(cell) for cell in self.cells]
        if None in found:
            self._refuse(lambda at: found[at] is None, "no number", self._remedy(found))
        return np.array(found, dtype=np.float64)

    def labels(self) -> npt.NDArray[Any]:
        """Return numbers, truth values, or text, whichever all cells are; refuse numbers beside text."""
        self.refuse_missing()
        distinct = {cell: _unrounded(cell) for cell in dict.fromkeys(self.cells)}
        numbers = [cell for cell, number in distinct.items() if number is not None]
        if len(numbers) == len(distinct):
            return np.array([distinct[cell] for cell in self.cells])
        if all(cell.strip() in _BOOLS for cell in distinct):
            return np.array([_BOOLS[cell.strip()] for cell in self.cells], dtype=bool)
        if numbers:
            absent = all(means_missing(cell) for cell, number in distinct.items() if number is None)
            remedy = _MISSING if absent else "write the same two classes in every row"
            what = f"text beside numbers such as {shorten(numbers[0])}"
            self._refuse(lambda at: distinct[self.cells[at]] is None, what, remedy)
        return np.array(self.cells, dtype=object)

    def groups(self) -> npt.NDArray[Any]:
        """Return the values that name groups: numbers where all are, as other readers have them; else text."""
        # None where there is none. What means a missing value stays as it is written, for the check's settings.
        named = {cell: _named(cell) for cell in dict.fromkeys(self.cells)}
        texts = [cell for cell, value in named.items() if isinstance(value, str) and not means_missing(value)]
        if texts or any(_CODE.match(cell.strip()) for cell in named):
            self._refuse_two_spellings(named)
            named = {cell: None if value is None else cell for cell, value in named.items()}
        array = np.empty(len(self.cells), dtype=object)
        array[:] = [named[cell] for cell in self.cells]
        return array

    def _refuse_two_spellings(self, named: Mapping[str, Any]) -> None:
        """Refuse one number that is written in two ways beside text: it would be two groups."""
        first: dict[Any, str] = {}
        for cell, value in named.items():
            if value is None or isinstance(value, str) or _CODE.match(cell.strip()):
                continue
            other = first.setdefault(value, cell)
            if other.strip() != cell.strip():
                lines = [self.lines[self.cells.index(each)] for each in (other, cell)]
                raise InvalidPredictions(
                    f"{self.source}: column {self.name!r}: {other.strip()!r} (line {lines[0]}) and {cell.strip()!r} "
                    f"(line {lines[1]}) are one number, and beside text would be two groups; write it in one way"
                )

    def ids(self) -> npt.NDArray[Any]:
        """Return the text as it stands, none missing."""
        self.refuse_missing()
        return np.array([cell.strip() for cell in self.cells], dtype=object)

    def is_empty(self) -> bool:
        """Say whether no row has a value."""
        return not any(map(str.strip, self.cells))

    def refuse_missing(self) -> None:
        """Refuse empty fields, of which nobody knows what they were to be."""
        if not all(map(str.strip, self.cells)):
            self._refuse(lambda at: not self.cells[at].strip(), "empty", _MISSING, show=False)

    def _remedy(self, found: Sequence[float | None]) -> str:
        odd = [cell.strip() for cell, number in zip(self.cells, found, strict=True) if number is None]
        if any(_COMMA.fullmatch(cell) for cell in odd):
            return "write a decimal point, and nothing between thousands"
        if any(means_missing(cell) or cell.casefold() == "nan" for cell in odd):
            return _MISSING
        return "write numbers such as 0.25"

    def _refuse(self, bad: Callable[[int], bool], what: str, remedy: str, *, show: bool = True) -> None:
        rows = [at for at in range(len(self.cells)) if bad(at)]
        shown = (f"{self.lines[at]}{f' ({shorten(repr(self.cells[at]), 30)})' if show else ''}" for at in rows[:_SHOWN])
        more = ", ..." if len(rows) > _SHOWN else ""
        lines = f"{'line' if len(rows) == 1 else 'lines'} {', '.join(shown)}{more}"
        verb = "is" if len(rows) == 1 else "are"
        raise InvalidPredictions(
            f"{self.source}: column {self.name!r}: {len(rows)} of {len(self.cells)} values {verb} {what}: {lines}; "
            f"{remedy}"
        )


def _named(cell: str) -> Any:
    """Return what a cell names: a number, or its text; None where it is empty."""
    if not cell.strip():
        return None
    number = _unrounded(cell)
    return cell if number is None else number


def _unrounded(cell: str) -> int | float | None:
    """Return the number that names a class or a group; None for text, and where a float would round a whole number."""
    # Two codes of 20 digits that one float stands for are two classes, or two groups.
    number = as_number(cell)
    if isinstance(number, float) and number.is_integer():
        try:
            return number if Decimal(cell.strip()) == number else None
        except InvalidOperation:  # an exponent that no decimal has
            return None
    return number
