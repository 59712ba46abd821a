"""CSV -> columns of text and the line of each row: a header of different names, and every row as wide as it."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from fairness_checks.errors import InvalidPredictions
from fairness_checks.plain import counted, shorten

__all__ = ["CsvTable", "read_csv"]

_AS_CSV = "save it as CSV in UTF-8"
_OTHER_CONTENT = {
    b"\xff\xfe": ("UTF-16", _AS_CSV),
    b"\xfe\xff": ("UTF-16", _AS_CSV),
    b"PK\x03\x04": ("a spreadsheet or an archive", _AS_CSV),
    b"\x1f\x8b": ("gzip", "let its name end in .csv.gz"),
    b"PAR1": ("Parquet", "let its name end in .parquet"),
    b"ARROW1": ("Arrow", "let its name end in .arrow"),
}
"""What a file that begins so is, and the remedy."""
_SEPARATORS = {
    ";": ("semicolons", "sep=';', decimal=','"),
    "\t": ("tabs", "sep='\\t'"),
    "|": ("bars", "sep='|'"),
}
"""By the sign: what it is called, and how pandas reads such a file, as spreadsheets write it."""


@dataclass(frozen=True, slots=True, eq=False)
class CsvTable:
    """The columns that were wanted, of those that there are."""

    names: Sequence[str]  # of the header
    columns: Mapping[str, list[str]]  # as they stand in the file
    lines: Sequence[int]  # on which each row begins, counted from 1


def read_csv(content: bytes, source: str, wanted: Collection[str]) -> CsvTable:
    """Read comma-separated UTF-8 with a header; raise InvalidPredictions with the line of what is not in order."""
    # A blank line is no row. An empty field is empty text: what that means is for the column to say.
    text = _decoded(content, source)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    limit = csv.field_size_limit(len(text) + 1)  # of 131,072 characters, as in a column of notes that nobody asked for
    lines: list[int] = []
    columns: dict[int, list[str]] = {}
    names: list[str] = []
    end = 0
    try:
        for row in reader:
            begin, end = end + 1, reader.line_num
            if not row:
                continue
            if not names:
                names = _header(row, source, begin)
                columns = {names.index(name): [] for name in wanted if name in names}
                if not columns and (other := _other_separator(names, source)):
                    raise InvalidPredictions(f"{source}:{begin}: {other}")
                continue
            if len(row) == 1 < len(names) and not row[0].strip():  # a line of blanks
                continue
            if len(row) != len(names):
                raise InvalidPredictions(_ragged(row, names, source, begin))
            if row == names:
                raise InvalidPredictions(
                    f"{source}:{begin}: the header stands here again; were two files joined? remove this line"
                )
            lines.append(begin)
            for place, cells in columns.items():
                cells.append(row[place])
    except csv.Error as error:
        raise InvalidPredictions(
            f"{source}:{end + 1}: not CSV: {error}; a quotation mark that is opened must be closed, and one "
            "within a field is written twice"
        ) from None
    finally:
        csv.field_size_limit(limit)
    if not names:
        raise InvalidPredictions(f"{source}: the file is empty; its first line must name the columns")
    return CsvTable(names, {names[place]: cells for place, cells in columns.items()}, lines)


def _decoded(content: bytes, source: str) -> str:
    for start, (what, remedy) in _OTHER_CONTENT.items():
        if content.startswith(start):
            raise InvalidPredictions(f"{source}: this is {what}; {remedy}")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, byte = _line_at(content, error.start), content[error.start]
        raise InvalidPredictions(
            f"{source}:{line}: byte 0x{byte:02X} is not UTF-8; save the file as UTF-8 (in a spreadsheet: CSV UTF-8)"
        ) from None
    if (place := content.find(b"\0")) >= 0:
        raise InvalidPredictions(
            f"{source}:{_line_at(content, place)}: a NUL character, which no CSV holds, as in UTF-16; save it as CSV "
            "in UTF-8"
        )
    return text


def _line_at(content: bytes, place: int) -> int:
    return content.count(b"\n", 0, place) + 1


def _header(row: list[str], source: str, line: int) -> list[str]:
    """Return the names of the columns; those without a name, such as a row's number, may be several."""
    twice = [name for i, name in enumerate(row) if name and name in row[:i]]
    if twice:
        raise InvalidPredictions(
            f"{source}:{line}: column {shorten(repr(twice[0]))} is there twice; rename one of them"
        )
    return row


def _ragged(row: list[str], names: list[str], source: str, line: int) -> str:
    """Say that a row is not as wide as the header."""
    more = len(row) > len(names)
    remedy = "quote a field that holds a comma" if more else "write an empty field for a missing value"
    said = f"{source}:{line}: {counted(len(row), 'field')}, where the header has {len(names)}"
    return f"{said}; {_other_separator(names, source) or remedy}"


def _other_separator(names: list[str], source: str) -> str | None:
    """Say by what the file is separated, where a header of one name shows that it is not by commas."""
    found = [each for sign, each in _SEPARATORS.items() if len(names) == 1 and sign in names[0]]
    if not found:
        return None
    (word, how), name = found[0], repr(source)
    return (
        f"the file is separated by {word}; write it with commas, and numbers with a decimal point: "
        f"pandas.read_csv({name}, {how}).to_csv({name}, index=False)"
    )
