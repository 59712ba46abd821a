"""Which Parquet files paths, patterns and folders mean: each once, and none that its writer does not count."""

from __future__ import annotations

import errno
import glob
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from fairness_checks.errors import InvalidPredictions
from fairness_checks.storage.files import display_path, no_such_file, open_regular

__all__ = ["FoundFiles", "Paths", "find_files", "is_many"]

_GLOB = frozenset("*?[")
_VERSIONED = {"_delta_log": "Delta Lake", "metadata/*.metadata.json": "Iceberg", ".hoodie": "Hudi"}
_ENDS = (".parquet", ".pq")

Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


@dataclass(frozen=True, slots=True)
class FoundFiles:
    """Files that are one table, sorted, and the folder below which `key=value` folders are columns of it."""

    files: Sequence[Path]
    root: Path  # absolute

    def below(self, path: Path) -> Path:
        """Return a file's path below the root."""
        return _absolute(path).relative_to(self.root)

    def keys(self, path: Path) -> list[str]:
        """Return the columns that the folders of a file say, outermost first."""
        return [part.partition("=")[0] for part in self.below(path).parts[:-1] if "=" in part]

    @property
    def keys_above(self) -> set[str]:
        """What folders say that all files lie in, and that so are no columns."""
        return {part.partition("=")[0] for part in self.root.parts if "=" in part}


def is_many(path: str | os.PathLike[str]) -> bool:
    """Say whether a path is a pattern or a folder."""
    # These say no of what may not be looked at, where those of `Path` raise PermissionError.
    is_dir, is_file = os.path.isdir(path), os.path.isfile(path)  # noqa: PTH112, PTH113
    return is_dir or (not is_file and bool(_GLOB.intersection(os.fspath(path))))


def find_files(paths: Paths) -> FoundFiles:
    """Return the files that paths, patterns and folders mean; InvalidPredictions where one means none, or one again."""
    asked: Any = paths  # whatever it is
    many = isinstance(asked, Iterable) and not isinstance(asked, str | bytes | os.PathLike)
    given = list(asked) if many else [asked]
    found: set[Path] = set()
    roots = []
    for each in given:
        text = os.fspath(each) if isinstance(each, str | os.PathLike) else ""
        if not text or isinstance(text, bytes):
            raise InvalidPredictions(f"path: {each!r} is no path; give a Parquet file, several, a pattern or a folder")
        try:
            root, some = _files_of(text)
        except OSError as error:
            where = display_path(Path(error.filename or text))
            raise InvalidPredictions(f"{where}: cannot be read: {error.strerror or error}") from None
        if not some:
            raise InvalidPredictions(f"{display_path(Path(text))}: no Parquet file is there; looked in {Path.cwd()}")
        roots.append(os.fspath(_absolute(root)))
        found.update(some)
    if not given:
        raise InvalidPredictions("path: names no file; give a Parquet file, several, a pattern or a folder")
    files = sorted(found)
    _refuse_again(files)
    try:
        return FoundFiles(files, Path(os.path.commonpath(roots)))
    except ValueError:
        raise InvalidPredictions("path: the files lie on several drives; give those of one") from None


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100  # without what links mean, which `resolve` follows


def _files_of(text: str) -> tuple[Path, list[Path]]:
    """Return the folder that a path, a pattern or a folder begins with, and the files that it means."""
    there, many = Path(text), is_many(text)
    if many and os.path.isdir(text):  # noqa: PTH112
        return there, _files_below(there)
    if not many:
        if not there.is_file():
            raise InvalidPredictions(f"{display_path(there)}: {no_such_file(there)}")
        return there.parent, [there]
    at = next(at for at, part in enumerate(there.parts) if _GLOB.intersection(part))
    root = Path(*there.parts[:at])
    asked_for = any(part.startswith(("_", ".")) for part in there.parts[at:])
    for end in range(at, len(there.parts)):  # the folders that `glob` reads, and without a word leaves out
        for folder in map(Path, glob.glob(str(Path(*there.parts[:end])), recursive=True)):  # noqa: PTH207
            hidden = not asked_for and _is_unfinished(folder.relative_to(root).parts)
            if folder.is_dir() and not hidden and not os.access(folder, os.R_OK | os.X_OK):
                _refuse_unread(PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder)))
    files: list[Path] = []
    for path in map(Path, glob.glob(text, recursive=True)):  # noqa: PTH207
        if not asked_for and _is_unfinished(path.relative_to(root).parts):
            continue
        if path.is_dir() and path.suffix.lower() in _ENDS:  # as Spark writes one
            files += _files_below(path)
        elif path.is_file():
            files.append(path)
    for folder in sorted({folder for path in files for folder in path.parents if folder.is_relative_to(root)}):
        _refuse_versioned(folder, folder.glob)
    _refuse_versions_above(root)
    return root, files


def _files_below(folder: Path) -> list[Path]:
    """Return the files of a folder, behind links too; as Spark reads one, without what begins with "_" or "."."""
    _refuse_versions_above(folder)
    files: list[Path] = []
    for at, folders, names in os.walk(folder, followlinks=True, onerror=_refuse_unread):
        place = Path(at)
        _refuse_versioned(place, place.glob)
        if place.is_symlink() and place.parent.resolve().is_relative_to(place.resolve()):
            raise InvalidPredictions(f"{display_path(place)}: leads to a folder that it lies in; remove this link")
        folders[:] = [name for name in folders if not _is_unfinished([name])]
        there = [place / name for name in names if not _is_unfinished([name])]
        files += [path for path in there if path.suffix.lower() in _ENDS and path.is_file()]
        for path in there:
            if path.suffix.lower() not in _ENDS and _begins_as_parquet(path):
                raise InvalidPredictions(
                    f"{display_path(path)}: holds Parquet, and would be left out by its name; let it end in .parquet, "
                    "or begin with _ where it is not to be read"
                )
    return files


def _begins_as_parquet(path: Path) -> bool:
    try:
        with open_regular(path) as file:
            return file.read(4) == b"PAR1"
    except OSError:  # whatever it is, nobody said that it is Parquet
        return False


def _refuse_unread(error: OSError) -> NoReturn:
    raise InvalidPredictions(
        f"{display_path(Path(error.filename))}: the folder cannot be read: {error.strerror}; let it be read, or name "
        "the files"
    )


def _is_unfinished(parts: Sequence[str]) -> bool:
    return any(part.startswith(("_", ".")) and "=" not in part and part != ".." for part in parts)


def _refuse_versions_above(folder: Path) -> None:
    """Refuse a partition of a table that holds deleted rows."""
    above = _absolute(folder)
    while "=" in above.name:
        above = above.parent
        _refuse_versioned(above, above.glob)


def _refuse_versioned(folder: Path, find: Callable[[str], Iterable[Path]]) -> None:
    for name, library in _VERSIONED.items():
        if next(iter(find(name)), None) is not None:
            raise InvalidPredictions(
                f"{display_path(folder)}: holds a table of {library}, whose files have deleted and replaced rows, too; "
                "give the frame that its own reader returns: Predictions.from_frame, or `python: module:function`"
            )


def _refuse_again(files: Sequence[Path]) -> None:
    """Refuse a file that is there by two names: a link, or its path written in two ways."""
    first: dict[object, Path] = {}
    for path in files:
        state = path.stat()
        before = first.setdefault((state.st_dev, state.st_ino) if state.st_ino else path.resolve(), path)
        if before is not path:
            raise InvalidPredictions(
                f"{display_path(path)}: is there twice, as {str(before)!r} and {str(path)!r}: one file, whose rows "
                "would count twice; give it once"
            )
