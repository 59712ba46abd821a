"""Parquet files that DuckDB reads as one table: what there is, and whether all of it fits together."""

from __future__ import annotations

import glob
import hashlib
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fairness_checks.distribution import needing_extra
from fairness_checks.errors import InvalidPredictions
from fairness_checks.inputs.frames import answering
from fairness_checks.storage.files import display_path, no_such_file

__all__ = ["FILE", "ParquetFiles", "Paths", "find_files", "is_many", "open_parquet"]

FILE = "fairness_checks_file"
"""The column that says which file a row is of."""

_GLOB = frozenset("*?[")
_INTEGERS = frozenset({"INT32", "INT64"})
_FOOTER = 1 << 16  # bytes; the last ones of a file say what it holds and where
_SHOWN = 3
_VERSIONED = {"_delta_log": "Delta Lake", "metadata/*.metadata.json": "Iceberg", ".hoodie": "Hudi"}

Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


@dataclass(frozen=True, slots=True, eq=False)
class ParquetFiles:
    """Files as one table."""

    frame: Any  # a relation of DuckDB
    source: str  # what messages call them
    check: Callable[[], None]  # raises InvalidPredictions where a file is not what it was
    digest: str  # sha256 of the names, sizes and last bytes of all

    def located(self, message: str) -> str:
        """Return a message that names the files."""
        said = message.removeprefix("frame: ")
        return said if said.startswith(self.source) else f"{self.source}: {said}"

    @property
    def as_engine(self) -> dict[str, Any]:
        """Arguments of `engine.open_engine`."""
        return {"source": self.source, "check": self.check, "file": FILE}


def is_many(path: str | os.PathLike[str]) -> bool:
    """Say whether a path is a pattern or a folder."""
    there = Path(path)
    return there.is_dir() or (not there.is_file() and bool(_GLOB.intersection(os.fspath(path))))


def find_files(paths: Paths) -> list[Path]:
    """Return the files that paths, patterns and folders mean, sorted; InvalidPredictions where one means none."""
    given = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    if not given:
        raise InvalidPredictions("path: names no file; give a Parquet file, several, a pattern or a folder")
    found: set[Path] = set()
    for each in given:
        text = os.fspath(each)
        if Path(text).is_dir():
            some = _files_below(Path(text))
        elif is_many(text):
            some = [Path(name) for name in glob.glob(text, recursive=True) if Path(name).is_file()]  # noqa: PTH207
        else:
            if not Path(text).is_file():
                raise InvalidPredictions(f"{display_path(Path(text))}: {no_such_file(Path(text))}")
            some = [Path(text)]
        if not some:
            raise InvalidPredictions(f"{display_path(Path(text))}: no Parquet file is there; looked in {Path.cwd()}")
        found.update(some)
    return sorted(found)


def _files_below(folder: Path) -> list[Path]:
    """Return the files of a folder; as Spark and Arrow read one, without what begins with "_" or "."."""
    for name, library in _VERSIONED.items():
        if next(folder.rglob(name), None) is not None:
            raise InvalidPredictions(
                f"{display_path(folder)}: holds a table of {library}, whose files have deleted and replaced rows, too; "
                "give the frame that its own reader returns: Predictions.from_frame, or `python: module:function`"
            )
    files = ((path, path.relative_to(folder).parts) for path in folder.rglob("*.parquet") if path.is_file())
    return [path for path, parts in files if not any(p.startswith(("_", ".")) and "=" not in p for p in parts)]


def open_parquet(paths: Paths, wanted: Collection[str]) -> ParquetFiles:
    """Open files as one table whose columns are joined by name, with those that `key=value` folders say.

    InvalidPredictions names the file and the column of those that are wanted where it is not in all of them, or of
    another type in one.
    """
    with needing_extra("Predictions.from_parquet", "scale"):
        import duckdb
    files = find_files(paths)
    source = _called(paths, files)
    scratch = str(Path(tempfile.gettempdir()) / "duckdb")
    connection = duckdb.connect(config={"temp_directory": scratch})
    connection.execute("set enable_progress_bar = false")  # which would stand among the lines of pytest
    names = [str(path) for path in files]
    with answering(source):
        _refuse_other_columns(connection, files, wanted)
        told = f"select * from read_parquet(?, union_by_name=true, hive_partitioning=true, filename='{FILE}')"
        frame = connection.sql(told, params=[names])
    seen = _stamps(files)

    def check() -> None:
        for path, (before, now) in zip(files, zip(seen, _stamps(files), strict=True), strict=True):
            if before != now:
                what = "is gone" if now is None else "was replaced"
                raise InvalidPredictions(
                    f"{display_path(path)}: {what} while it was read; write the files first, and run again"
                )

    return ParquetFiles(frame, source, check, _digest(files))


def _called(paths: Paths, files: Sequence[Path]) -> str:
    if isinstance(paths, str | os.PathLike):
        return display_path(Path(paths))
    shown = ", ".join(display_path(path) for path in files[:_SHOWN])
    return shown if len(files) <= _SHOWN else f"{shown} and {len(files) - _SHOWN} more"


def _refuse_other_columns(connection: Any, files: Sequence[Path], wanted: Collection[str]) -> None:
    """Refuse files without a column that is wanted, and with one of another type than the others have."""
    told = "select file_name, name, type, coalesce(logical_type, converted_type) from parquet_schema(?)"
    kinds: dict[Path, dict[str, str]] = {path: {} for path in files}
    known = {str(path): path for path in files}
    for file, name, kind, logical in connection.execute(told, [list(known)]).fetchall():
        if kind is not None:
            kinds[known[file]][name] = "integer" if kind in _INTEGERS and logical is None else f"{kind} {logical or ''}"
    for name in wanted:
        some: Mapping[Path, str] = {path: of[name] for path, of in kinds.items() if name in of}
        folders = {path for path in files if any(part.startswith(f"{name}=") for part in path.parts)}
        if lacking := [path for path in files if path not in some and path not in folders]:
            if len(lacking) == len(files):
                continue  # said where columns are looked up, with the nearest name
            raise InvalidPredictions(
                f"{display_path(lacking[0])}: there is no column {name!r}, which {len(some)} of {len(files)} files "
                f"have; was it renamed?"
            )
        if len(set(some.values())) > 1:
            usual = Counter(some.values()).most_common(1)[0][0]
            path, kind = next((path, kind) for path, kind in some.items() if kind != usual)
            raise InvalidPredictions(
                f"{display_path(path)}: column {name!r} is of type {kind.strip()}, in the other files of type "
                f"{usual.strip()}; write all files with one schema"
            )


def _stamps(files: Sequence[Path]) -> list[tuple[int, int] | None]:
    found: list[tuple[int, int] | None] = []
    for path in files:
        try:
            state = path.stat()
            found.append((state.st_size, state.st_mtime_ns))
        except OSError:
            found.append(None)
    return found


def _digest(files: Sequence[Path]) -> str:
    found = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(size - _FOOTER, 0))
            last = file.read()
        found.update(f"{path.name} {size} {hashlib.sha256(last).hexdigest()}\n".encode())
    return found.hexdigest()
