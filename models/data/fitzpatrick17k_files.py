"""The files of Fitzpatrick17k: where they lie, which rows the table has, whether an image is the published one.

The table is at https://github.com/mattgroh/fitzpatrick17k. An image is called ``<md5hash>.jpg``, after the md5 of the
published file.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
import re
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from fairness_checks.errors import FairnessError
from models.data.sources import DataUnavailable

__all__ = ["ARCHIVES", "LICENCE", "SOURCE", "TABLE", "Store", "UnusableData", "is_md5_of", "opened", "read_table"]

TABLE = "fitzpatrick17k.csv"
ARCHIVES: Mapping[str, str] = {
    "fitzpatrick17k_128px.zip": "394969aafa15a54bcfca35a3c6c3beca6f84ab6bcce032f9c245f73a3cba5c0a",
    "fitzpatrick17k_64px.zip": "2a1984ed82c77f9c1adacc07be8b15133bf76835bfa98290a283a9e61df9b010",
}
"""Archives of a part of the photographs, made smaller, with the sha256 of each: 3,138 and 2,190 of them."""
SOURCE = "Fitzpatrick17k, Groh et al. 2021, https://doi.org/10.1109/CVPRW53098.2021.00201"
LICENCE = "CC BY-NC-SA 3.0; photographs of patients"

IMAGE_FOLDERS = ("", "images/", "data/finalfitz17k/")  # seen from the table
LARGEST = 64 * 2**20  # bytes of one file; guards against an archive that unpacks without end


class UnusableData(FairnessError):
    """The files were found and cannot be used: another table, damaged or missing images."""


class Store(NamedTuple):
    """An opened folder or archive with the table and its images."""

    name: str  # for errors and reports: no path
    original: bool  # the files as they were published, so that the md5 of each is its name
    table: bytes
    read: Callable[[str], bytes]  # content of an image by md5hash; KeyError when it is not there


@contextmanager
def opened(root: str | os.PathLike[str] | None, archives: Sequence[str] = tuple(ARCHIVES)) -> Iterator[Store]:
    """Open the folder or the archive that holds the table and the images.

    Parameters
    ----------
    root : path or None
        See `models.data.fitzpatrick17k.Fitzpatrick17k`.
    archives : sequence of str
        Names in `ARCHIVES` that are looked for without a root, in this order.

    Raises
    ------
    DataUnavailable
        Nothing is there.
    UnusableData
        The path that was given does not exist, or the archive is damaged, has no table, or is not the one that its
        name promises.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "fitzpatrick17k.csv").write_text("md5hash")
    ...     with opened(folder) as store:
    ...         store.name, store.original, store.table
    ('folder of published files', True, b'md5hash')
    """
    given = os.environ.get("FAIRNESS_DATA", "") if root is None else os.fspath(root)
    looked = given if root is not None else f"FAIRNESS_DATA={given}" if given else "FAIRNESS_DATA, which is not set"
    if given and not Path(given).exists():  # a slip of the pen: nothing else may take the place of what was meant
        remedy = "correct or unset it" if root is None else "correct it"
        raise UnusableData(f"{looked}: there is no such file or folder; {remedy}")
    places = [Path(given)] if given else []
    if root is None:
        places += [place / "fitzpatrick17k" for place in places]
    folder = next((place for place in places if (place / TABLE).is_file()), None)
    names = ["", *archives]  # a place may be an archive itself
    archive = next((path for place in places for name in names if (path := place / name).is_file()), None)
    if folder is not None:
        yield _folder_store(folder)
    elif archive is not None:
        name = archive.name
        if name in ARCHIVES and (digest := _sha256(archive)) != (expected := ARCHIVES[name]):
            if archive != Path(given):
                raise UnusableData(f"{archive}: another content: sha256 {digest}, expected {expected}")
            name = f"{name} (of another content than the one of that name: sha256 {digest[:12]}...)"
        if not zipfile.is_zipfile(archive):
            raise UnusableData(f"{archive}: not a zip archive; give the folder that holds {TABLE}, or an archive")
        with _zip_file(archive) as unpacked:
            yield _archive_store(archive, unpacked)._replace(name=name)
    else:
        remedy = "Set FAIRNESS_DATA to the folder" if root is None else "Give the folder"
        raise DataUnavailable(
            f"Fitzpatrick17k: neither {TABLE} nor {' nor '.join(archives)} in {looked}\n"
            f"{remedy} that holds one of them. The table is at https://github.com/mattgroh/"
            f"fitzpatrick17k; python -m models.data.fetch_fitzpatrick17k fetches the images that it lists.\n"
            f"Source: {SOURCE}. Licence: {LICENCE}."
        )


def read_table(content: bytes, where: str, columns: Sequence[tuple[str, ...]]) -> list[dict[str, str]]:
    r"""Return the rows of any version of the table.

    Parameters
    ----------
    content : bytes
        A CSV file in UTF-8 with a header.
    where : str
        Its name, for errors.
    columns : sequence of tuple of str
        What must be there besides ``md5hash``: the names that a column may have. A row has it by the first.

    Raises
    ------
    UnusableData
        A column is missing, a row is cut, or an md5hash is none: it becomes the name of a file.

    Examples
    --------
    >>> content = b"md5hash,fitzpatrick\n0a94359e7eaacd7178e06b2823777789,1\n"
    >>> read_table(content, "t.csv", [("fitzpatrick_scale", "fitzpatrick")])
    [{'md5hash': '0a94359e7eaacd7178e06b2823777789', 'fitzpatrick_scale': '1'}]
    """
    try:
        reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        names = list(reader.fieldnames or ())
        for either in (("md5hash",), *columns):
            found = next((name for name in either if name in names), None)
            if found is None:
                raise UnusableData(f"{where}: no column {' or '.join(map(repr, either))}; it has {', '.join(names)}")
            names[names.index(found)] = either[0]
        reader.fieldnames = names
        rows = list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise UnusableData(f"{where}: not a CSV file in UTF-8: {error}") from None
    for number, row in enumerate(rows, start=1):
        if None in row or None in row.values():  # the reader's mark of too many or too few
            raise UnusableData(f"{where}, row {number}: not as many fields as the header")
        if not re.fullmatch("[0-9a-f]{32}", row["md5hash"]):
            raise UnusableData(f"{where}, row {number}: md5hash {row['md5hash']!r} is not 32 hexadecimal digits")
    return rows


def is_md5_of(md5hash: str, content: bytes) -> bool:
    """Return whether the content of a file is the published one, which is named by its md5.

    Examples
    --------
    >>> is_md5_of("d41d8cd98f00b204e9800998ecf8427e", b"")
    True
    """
    return hashlib.md5(content, usedforsecurity=False).hexdigest() == md5hash


def _folder_store(folder: Path) -> Store:
    # One listing of each folder: looking up 16,577 names at three places is slow on a network drive.
    paths: dict[str, Path] = {}
    for place in IMAGE_FOLDERS:
        if (folder / place).is_dir():
            for path in (folder / place).iterdir():
                if path.suffix == ".jpg":
                    paths.setdefault(path.stem, path)

    def read(md5hash: str) -> bytes:
        path = paths[md5hash]
        try:
            if path.stat().st_size > LARGEST:
                raise ValueError(f"larger than {LARGEST} bytes")
            return path.read_bytes()
        except FileNotFoundError:  # a link to nowhere is listed too
            raise KeyError(md5hash) from None

    return Store("folder of published files", True, (folder / TABLE).read_bytes(), read)


def _zip_file(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except Exception as error:  # a damaged directory of members raises nearly anything
        raise UnusableData(f"{path}: the archive is damaged ({error}): get it again") from None


def _archive_store(path: Path, archive: zipfile.ZipFile) -> Store:
    members = {member.filename: member for member in archive.infolist()}

    def content(name: str) -> bytes:
        if members[name].file_size > LARGEST:
            raise ValueError(f"larger than {LARGEST} bytes")
        return archive.read(members[name])

    def read(md5hash: str) -> bytes:
        names = (f"{place}{md5hash}.jpg" for place in IMAGE_FOLDERS)
        return content(next((name for name in names if name in members), f"{md5hash}.jpg"))

    if TABLE not in members:
        raise UnusableData(f"{path}: {TABLE} cannot be read: {_where_else(members)}")
    try:
        table = content(TABLE)
    except Exception as error:  # damaged, under a password, packed by a method that Python lacks
        raise UnusableData(
            f"{path}: {TABLE} cannot be read: {error}; get the archive again, or give the folder that it was made from"
        ) from None
    return Store(path.name, False, table, read)


def _where_else(names: Collection[str]) -> str:
    """Say where the table lies that is not at the top of an archive."""
    nested = next((name for name in sorted(names) if name.endswith(f"/{TABLE}")), None)
    if nested is None:
        return "it is not in the archive; give another one, or a folder"
    return f"found as {nested}: zip its content without the outer folder"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
