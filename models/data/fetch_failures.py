"""The list of the images that could not be had: ``failures.csv``."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from fairness_checks.storage.files import write_atomically
from models.data.fitzpatrick17k_files import read_table

__all__ = ["Failure", "read_failures", "write_failures"]


class Failure(NamedTuple):
    """An image that could not be had, and why: a row of ``failures.csv``."""

    md5hash: str
    url: str
    reason: str
    permanent: bool = False  # asking again would give the same, as far as can be told; "yes" or "no" in the file


def read_failures(path: Path) -> dict[str, Failure]:
    """Return the failures that a run left, by md5hash; none where there is no file.

    Raises
    ------
    UnusableData
        The file is another one.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "failures.csv")
    ...     write_failures(path, [Failure(32 * "0", "http://example.org/a.jpg", "HTTP 404", permanent=True)])
    ...     path.read_text().splitlines()[1][-12:], read_failures(path)[32 * "0"].permanent
    ('HTTP 404,yes', True)
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return {}
    rows = read_table(content, str(path), [("url",), ("reason",)])
    # A file without the last column is of an earlier version: all of it is asked for once more.
    return {
        row["md5hash"]: Failure(row["md5hash"], row["url"], row["reason"], row.get("permanent") == "yes")
        for row in rows
    }


def write_failures(path: Path, failures: Iterable[Failure]) -> None:
    """Replace the file."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(Failure._fields)
    writer.writerows((*failure[:-1], "yes" if failure.permanent else "no") for failure in failures)
    write_atomically(path, text.getvalue().encode())
