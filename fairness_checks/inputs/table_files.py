"""A file of a table, by the end of its name -> the columns that are wanted, and its sha256."""

from __future__ import annotations

import gzip
import hashlib
import importlib
import importlib.util
import io
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fairness_checks.distribution import needing_extra
from fairness_checks.errors import InvalidPredictions, did_you_mean
from fairness_checks.inputs.csv_table import read_csv
from fairness_checks.inputs.frames import read_columns
from fairness_checks.inputs.text_columns import TextColumn
from fairness_checks.plain import shorten
from fairness_checks.storage.files import MOST, display_path, no_such_file, read_regular

__all__ = ["TableFile", "read_table"]

_BINARY = {
    ".parquet": ("Parquet", "pyarrow.parquet", "ParquetFile", "read_parquet"),  # `read_table` trips over twins
    ".pq": ("Parquet", "pyarrow.parquet", "ParquetFile", "read_parquet"),
    ".feather": ("Arrow", "pyarrow.feather", "read_table", "read_ipc"),
    ".arrow": ("Arrow", "pyarrow.feather", "read_table", "read_ipc"),
    ".ipc": ("Arrow", "pyarrow.feather", "read_table", "read_ipc"),
}
_BEGIN = {"Parquet": (b"PAR1",), "Arrow": (b"ARROW1", b"FEA1", b"\xff\xff\xff\xff")}
"""By the end of the name: the format, and what reads it in PyArrow and in Polars."""


@dataclass(frozen=True, slots=True, eq=False)
class TableFile:
    """The columns of a file that were wanted."""

    source: str  # the file's name, for messages
    names: Sequence[str]  # of all columns that there are
    columns: Mapping[str, Any]  # a `TextColumn` each of a text file; else a series that narwhals reads
    lines: Sequence[int] | None  # on which each row of a text file begins
    sha256: str

    @property
    def is_empty(self) -> bool:
        """Whether it has no rows."""
        return not (len(next(iter(self.columns.values()), ())) if self.lines is None else self.lines)

    def column(self, name: str, role: str) -> Any:
        """Return a column; raise InvalidPredictions with the nearest name where there is none."""
        if name not in self.columns:
            raise InvalidPredictions(
                f"{self.source}: {role}: there is no column {name!r}; {did_you_mean(name, filter(None, self.names))}"
            )
        return self.columns[name]


def read_table(path: Path, wanted: Collection[str], stdin: bytes | None = None) -> TableFile:
    """Read the columns of a file that are there of those that are wanted; `stdin` is a CSV in the place of a file."""
    source = display_path(path) if stdin is None else "standard input"
    content = _content(path, source) if stdin is None else stdin
    digest = hashlib.sha256(content).hexdigest()
    ends = [end.lower() for end in path.suffixes]
    end = ends[-1] if ends else ""
    if stdin is not None or end in (".csv", ".txt") or ends[-2:] == [".csv", ".gz"]:
        text = _unzipped(content, source) if end == ".gz" and stdin is None else content
        table = read_csv(text, source, wanted)
        columns = {name: TextColumn(source, name, cells, table.lines) for name, cells in table.columns.items()}
        return TableFile(source, table.names, columns, table.lines, digest)
    if end not in _BINARY:
        allowed = ", ".join([".csv", ".csv.gz", *_BINARY])
        raise InvalidPredictions(
            f"{source}: what the file holds is told by the end of its name; save it as one of {allowed}"
        )
    frame = _binary(content, end, source)
    names = list(frame.column_names if hasattr(frame, "column_names") else frame.columns)
    if twice := [name for i, name in enumerate(names) if name in names[:i]]:
        raise InvalidPredictions(f"{source}: column {shorten(repr(twice[0]))} is there twice; rename one of them")
    try:
        series = read_columns(frame, {f"columns[{i}]": name for i, name in enumerate(wanted) if name in names})
    except InvalidPredictions as error:
        raise InvalidPredictions(f"{source}: {error}") from None
    return TableFile(source, names, series, None, digest)


def _content(path: Path, source: str) -> bytes:
    try:
        return read_regular(path)
    except FileNotFoundError:
        raise InvalidPredictions(f"{source}: {no_such_file(path)}") from None
    except OSError as error:
        remedy = "; name a file in it" if path.is_dir() else ""
        raise InvalidPredictions(f"{source}: cannot be read: {error.strerror or error}{remedy}") from None


def _unzipped(content: bytes, source: str) -> bytes:
    try:
        with gzip.open(io.BytesIO(content)) as file:
            text = file.read(MOST + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InvalidPredictions(f"{source}: not gzip, or cut off: {error}; write the file again") from None
    if len(text) > MOST:
        raise InvalidPredictions(f"{source}: holds more than {MOST:,} bytes unpacked; write the rows as Parquet")
    return text


def _binary(content: bytes, end: str, source: str) -> Any:
    """Return the table of a Parquet or Arrow file, by PyArrow or else by Polars."""
    name, module, reader, of_polars = _BINARY[end]
    try:
        read = getattr(importlib.import_module(module), reader)
    except ModuleNotFoundError:
        with needing_extra(f"{source}: {name}", "files"):
            if importlib.util.find_spec("polars") is None:
                raise
        read = getattr(importlib.import_module("polars"), of_polars)
    try:
        found = read(io.BytesIO(content))
        return found.read() if hasattr(found, "read") else found
    except Exception as error:
        if not content.startswith(_BEGIN[name]):
            what = f"this is no {name}" if content else "the file is empty"
            raise InvalidPredictions(f"{source}: {what}; write it again, or name it by what it holds") from None
        why = next(iter(str(error).splitlines()), type(error).__name__).rstrip(".")
        raise InvalidPredictions(f"{source}: cannot be read as {name}: {why}; write the file again") from None
