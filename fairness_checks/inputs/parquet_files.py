"""Parquet files that DuckDB reads as one table: what there is, and whether all of it fits together."""

from __future__ import annotations

import glob
import hashlib
import os
import shutil
import tempfile
import weakref
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fairness_checks.distribution import needing_extra
from fairness_checks.errors import InvalidPredictions
from fairness_checks.inputs.frames import answering
from fairness_checks.inputs.parquet_paths import FoundFiles, Paths, find_files
from fairness_checks.plain import printable
from fairness_checks.storage.files import display_path

__all__ = ["FILE", "ParquetFiles", "Paths", "open_parquet"]

FILE = "fairness_checks_file"
"""The column that says which file a row is of, unless a file has one of that name."""

_INTEGERS = frozenset({"INT32", "INT64"})
_WHOLE = 1 << 30  # bytes of all files that are read a second time for their sha256: some seconds
_END = 1 << 16  # bytes; the last ones of a file say what it holds and where
_SMALLEST = 12  # bytes
_SHOWN = 3


@dataclass(frozen=True, slots=True, eq=False)
class ParquetFiles:
    """Files as one table."""

    frame: Any  # a relation of DuckDB
    source: str  # what messages call them
    check: Callable[[], None]  # raises InvalidPredictions where a file is not what it was
    found: FoundFiles
    connection: Any  # of DuckDB
    file: str = FILE  # the column that says which file a row is of

    def located(self, message: str) -> str:
        """Return a message that names the files."""
        said = _of_file(message.removeprefix("frame: "), self.files)
        known = said.startswith(self.source) or any(said.startswith(f"{display_path(path)}:") for path in self.files)
        return said if known else f"{self.source}: {said}"

    @property
    def files(self) -> Sequence[Path]:
        """Where they are."""
        return self.found.files

    @property
    def as_engine(self) -> dict[str, Any]:
        """Arguments of `engine.open_engine`."""
        return {"source": self.source, "check": self.check, "file": self.file}

    def digest(self) -> dict[str, str]:
        """Return the sha256 of names and contents; of more than 1 GiB that of names, sizes and ends, so called."""
        sizes = [path.stat().st_size for path in self.found.files]
        is_whole = sum(sizes) <= _WHOLE
        total = hashlib.sha256()
        for path, size in zip(self.found.files, sizes, strict=True):
            with path.open("rb") as file:
                file.seek(0 if is_whole else max(size - _END, 0))
                held = hashlib.file_digest(file, "sha256").hexdigest()
            total.update(f"{self.found.below(path).as_posix()} {size} {held}\n".encode())
        return {"files_sha256" if is_whole else "files_sizes_and_ends_sha256": total.hexdigest()}


def open_parquet(paths: Paths, wanted: Collection[Any], connection: Any = None) -> ParquetFiles:
    """Open files as one table whose columns are joined by name, with those that `key=value` folders say.

    Tables of one `connection` can be joined; default: a new one.

    InvalidPredictions names the file and the column of those that are wanted where it is not in all of them, or of
    another type in one.
    """
    with needing_extra("Predictions.from_parquet", "scale"):
        import duckdb
    found = find_files(paths)
    wanted = [name for name in wanted if isinstance(name, str)]  # what is no name is refused with the roles
    files = found.files
    source = _called(paths, files)
    names = [glob.escape(str(path)) for path in files]  # DuckDB, too, reads patterns
    _refuse_broken(files)
    with _naming(files), answering(source):
        scratch = _Scratch() if connection is None else None
        if scratch is not None:
            connection = duckdb.connect(config={"temp_directory": scratch.path})
            connection.execute("set enable_progress_bar = false")  # which would stand among the lines of pytest
        kinds = _columns(connection, files, names)
        partitions = _partitions(found, kinds, wanted)
        _refuse_twins(kinds, wanted)
        _refuse_other_columns(kinds, wanted, partitions, found)
        file = FILE
        while file in {name.casefold() for of in kinds.values() for name in of} | {name.casefold() for name in wanted}:
            file += "_"
        told = (
            f"select * from read_parquet(?, union_by_name=true, hive_partitioning={bool(partitions)}, "
            f"filename='{file}')"
        )
        frame = connection.sql(told, params=[names])
    seen = _stamps(files)

    def check(_: _Scratch | None = scratch) -> None:  # which is there as long as the rows are asked for
        for path, (before, now) in zip(files, zip(seen, _stamps(files), strict=True), strict=True):
            if before != now:
                what = "is gone" if now is None else "was replaced"
                raise InvalidPredictions(
                    f"{display_path(path)}: {what} while it was read; write the files first, and run again"
                )

    return ParquetFiles(frame, source, check, found, connection, file)


def _refuse_broken(files: Sequence[Path]) -> None:
    """Refuse a file that does not begin and end as Parquet does."""
    for path in files:
        try:
            with path.open("rb") as file:
                begin, size = file.read(4), file.seek(0, os.SEEK_END)
                file.seek(max(size - 4, 0))
                end = file.read()
        except OSError as error:
            raise InvalidPredictions(f"{display_path(path)}: cannot be read: {error.strerror or error}") from None
        if problem := _broken(begin, end, size):
            raise InvalidPredictions(f"{display_path(path)}: {problem}")


def _broken(begin: bytes, end: bytes, size: int) -> str | None:
    if not size:
        return "the file is empty; write it again"
    if begin == b"PARE":
        return "is encrypted Parquet, which is not read; give the frame that its own reader returns"
    if begin != b"PAR1":
        return "this is no Parquet; write it again, or name it by what it holds"
    return None if end == begin and size >= _SMALLEST else "is cut off: it does not end as Parquet does; write it again"


@contextmanager
def _naming(files: Sequence[Path]) -> Iterator[None]:
    """Name the file that an error is of."""
    try:
        yield
    except InvalidPredictions as error:
        raise InvalidPredictions(_of_file(str(error), files)) from error


def _of_file(message: str, files: Sequence[Path]) -> str:
    """Return a message of DuckDB's about one file as that of the file."""
    if " failed while it was collected: " not in message:
        return message
    for path in files:
        if f"'{path}'" in message or f'"{path}"' in message:
            return f"{display_path(path)}: cannot be read as Parquet: {message.rpartition(': ')[2]}; write it again"
    return message


def _called(paths: Paths, files: Sequence[Path]) -> str:
    if isinstance(paths, str | os.PathLike):
        return display_path(Path(paths))
    shown = ", ".join(display_path(path) for path in files[:_SHOWN])
    return shown if len(files) <= _SHOWN else f"{shown} and {len(files) - _SHOWN} more"


def _columns(connection: Any, files: Sequence[Path], names: Sequence[str]) -> dict[Path, dict[str, list[str]]]:
    """Return the types of the columns of each file, by name; fields within columns are none."""
    told = (  # of whole numbers DuckDB writes the width as a byte into the logical type
        "select file_name, name, type, case when starts_with(logical_type, 'IntType') then "
        "coalesce(converted_type, logical_type) else coalesce(logical_type, converted_type) end, num_children "
        "from parquet_schema(?)"
    )
    kinds: dict[Path, dict[str, list[str]]] = {path: {} for path in files}
    known = {str(path): path for path in files}
    left: dict[str, int] = {}  # of a file: fields that are yet to come of the column
    for file, name, kind, logical, children in _answers(connection, told, files, names):
        if file not in known:
            raise InvalidPredictions(f"{file}: is read in the place of a file of another name; rename that")
        if file not in left:  # the first is the whole table
            left[file] = 0
        elif left[file]:
            left[file] += (children or 0) - 1
        else:
            left[file] = children or 0
            plain = kind in _INTEGERS and logical is None
            kinds[known[file]].setdefault(name, []).append(
                "integer" if plain else f"{kind or 'nested'} {logical or ''}"
            )
    return kinds


def _answers(connection: Any, query: str, files: Sequence[Path], names: Sequence[str]) -> list[tuple[Any, ...]]:
    """Ask something of all files; where that fails, of each until the one is found that cannot be read."""
    try:
        rows: list[tuple[Any, ...]] = connection.execute(query, [list(names)]).fetchall()
        return rows
    except Exception:
        for path, name in zip(files, names, strict=True):
            with _naming([path]), answering(f"{display_path(path)}: '{path}'"):
                connection.execute(query, [[name]]).fetchall()
        raise


def _partitions(
    found: FoundFiles, kinds: Mapping[Path, Mapping[str, Sequence[str]]], wanted: Collection[str]
) -> list[str]:
    """Return the columns that folders say; InvalidPredictions where not all do, or a file says the same."""
    usual = Counter(tuple(found.keys(path)) for path in found.files).most_common(1)[0][0]
    folded = {name.casefold() for name in wanted}
    for path in found.files:
        if tuple(keys := found.keys(path)) != usual:
            raise InvalidPredictions(
                f"{display_path(path)}: lies in {_folders(keys)}, other files in {_folders(usual)}; write all in the "
                "same folders"
            )
        said = {key.casefold() for key in keys} & folded
        if own := [name for name in kinds[path] if name.casefold() in said]:
            raise InvalidPredictions(
                f"{display_path(path)}: column {own[0]!r} is in the file, and a folder {own[0]}=... says it again; "
                "rename one of them"
            )
    if len(set(map(str.casefold, usual))) < len(usual):
        raise InvalidPredictions(f"{display_path(found.files[0])}: lies in {_folders(usual)}, one of them twice")
    if usual and (above := {key.casefold() for key in found.keys_above} & folded):
        raise InvalidPredictions(
            f"{display_path(found.files[0])}: lies in a folder {min(above)}=... above the one that was given, whose "
            "column that would become; give the folder above it"
        )
    return list(usual)


def _folders(keys: Sequence[str]) -> str:
    return f"folders {'/'.join(f'{key}=...' for key in keys)}" if keys else "no folder such as site=a"


def _refuse_twins(kinds: Mapping[Path, Mapping[str, Sequence[str]]], wanted: Collection[str]) -> None:
    """Refuse columns that DuckDB takes for one: it does not tell the case of letters."""
    for path, columns in kinds.items():
        for name in wanted:
            alike = [each for each in columns for _ in columns[each] if each.casefold() == name.casefold()]
            if len(alike) > 1:
                how = "is there twice" if alike[0] == alike[1] else f"and {alike[1]!r} differ in letter case only"
                raise InvalidPredictions(f"{display_path(path)}: column {alike[0]!r} {how}; rename one of them")


def _refuse_other_columns(
    kinds: Mapping[Path, Mapping[str, Sequence[str]]],
    wanted: Collection[str],
    partitions: Collection[str],
    found: FoundFiles,
) -> None:
    """Refuse files without a column that is wanted, and with one of another type than the others have."""
    files = found.files
    for name in wanted:
        some: Mapping[Path, str] = {path: of[name][0] for path, of in kinds.items() if name in of}
        folders = set(files) if name in partitions else set()
        if halves := [path for path, kind in some.items() if "Float16" in kind]:
            raise InvalidPredictions(
                f"{display_path(halves[0])}: column {name!r} holds floats of 16 bits, which DuckDB widens, so that a "
                "threshold is another number; write 32 or 64 bits"
            )
        if not some and not folders and name in found.keys_above:
            raise InvalidPredictions(
                f"{display_path(files[0])}: there is no column {name!r}; only folders below the one that is given are "
                f"columns: give the folder in which {name}=... lies"
            )
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
                f"{display_path(path)}: column {name!r} is of type {printable(kind.strip())}, in the other files "
                f"of type {printable(usual.strip())}; write all files with one schema"
            )


class _Scratch:
    """A folder of this process alone, for what DuckDB cannot hold in memory: it goes with whoever holds this."""

    def __init__(self) -> None:
        self.path = tempfile.mkdtemp(prefix="fairness-duckdb-")  # which nobody else may read
        weakref.finalize(self, _remove, self.path, os.getpid())


def _remove(folder: str, owner: int) -> None:
    if os.getpid() == owner:  # and not a process that it forked
        shutil.rmtree(folder, ignore_errors=True)


def _stamps(files: Sequence[Path]) -> list[tuple[int, ...] | None]:
    """Return what changes with a file's content; nobody can set the time of the last change of its entry."""
    found: list[tuple[int, ...] | None] = []
    for path in files:
        try:
            state = path.stat()
            found.append((state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino, state.st_dev))
        except OSError:
            found.append(None)
    return found
