"""The key under which sample ids become pseudonyms: in the environment, or in a file that git does not see."""

#   $FAIRNESS_BASELINE_KEY             64 hexadecimal digits: what CI is given as a secret
#   .fairness-baseline.key             the same, beside fairness-baseline.json, of mode 600 and named in .gitignore
# With the key and a list of possible ids anybody finds out which of them are in a baseline, and what the model said
# about them; without it nobody does. So the key never lies where the baseline does, and a baseline says only which
# key it was: `SecretKey.id`. Nothing here loads NumPy, and no message shows a key.

from __future__ import annotations

import hmac
import os
import re
import secrets
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from fairness_checks.baseline.provenance import git_status
from fairness_checks.errors import BaselineError
from fairness_checks.storage.files import open_regular, read_regular, write_atomically

__all__ = ["VARIABLE", "SecretKey", "find_key", "key_file", "lock_file", "make_key"]

VARIABLE = "FAIRNESS_BASELINE_KEY"

_DIGITS = 64
_NEW = 'python -c "import secrets; print(secrets.token_hex(32))"'
_Exposure: TypeAlias = Literal["hidden", "tracked", "not ignored"]


@dataclass(frozen=True, slots=True)
class SecretKey:
    """A key."""

    secret: bytes = field(repr=False)  # 32 bytes
    source: str  # where it was found, for messages

    @property
    def id(self) -> str:
        """16 hexadecimal digits that tell keys apart and give none away."""
        return self.mac(b"key").hex()[:16]

    def mac(self, message: bytes) -> bytes:
        """Return HMAC-SHA256 of a message, which begins with what it is for."""
        return hmac.digest(self.secret, b"fairness-checks baseline " + message, "sha256")


def key_file(path: Path) -> Path:
    """Return where the key of a baseline is looked for."""
    return path.with_name(f".{path.stem}.key")


def lock_file(path: Path) -> Path:
    """Return the empty file that is locked while a baseline is written."""
    return path.with_name(f".{path.name}.lock")


def find_key(path: Path) -> SecretKey | None:
    """Return the key of the baseline at a path: that of the environment, else that of the file; None without both."""
    # An empty variable is none: that is what CI gives to a run that may not see its secrets. BaselineError where
    # others than its owner can read the file, or git can.
    if given := os.environ.get(VARIABLE, "").strip():
        return _parsed(given, f"${VARIABLE}")
    file = key_file(path)
    try:
        with open_regular(file) as opened:
            mode = stat.S_IMODE(os.fstat(opened.fileno()).st_mode)
            content = opened.read(4 * _DIGITS)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BaselineError(f"{file}: the key cannot be read: {error.strerror or error}") from error
    if os.name == "posix" and mode & 0o077:
        raise BaselineError(f"{file}: mode {mode:o}: others than its owner can use the key; chmod 600 {file}")
    key = _parsed(content.decode("ascii", "replace").strip(), str(file))
    _require_hidden(file)
    return key


def make_key(path: Path) -> SecretKey:
    """Make a key in a file beside a baseline, after .gitignore names it and the lock, which is held."""
    file = key_file(path)
    try:
        for private in (file, lock_file(path)):
            if git_status(private) != "hidden":
                _add_line(path.parent / ".gitignore", private.name)
        _require_hidden(file)
        write_atomically(file, f"{secrets.token_hex(_DIGITS // 2)}\n".encode("ascii"), mode=0o600)
    except OSError as error:
        raise BaselineError(
            f"{error.filename or file}: {error.strerror or error}; so no key of the sample ids' pseudonyms was made. "
            f"Give one as ${VARIABLE} ({_NEW}), or write the line {file.name} into .gitignore and make the folder "
            "writable"
        ) from error
    key = find_key(path)
    if key is None:
        raise BaselineError(f"{file}: was made and is gone")
    return key


def _parsed(text: str, source: str) -> SecretKey:
    if not re.fullmatch(rf"[0-9a-fA-F]{{{_DIGITS}}}", text):
        seen = f"{len(text)} characters" if text else "nothing"
        raise BaselineError(
            f"{source}: holds {seen}; a key is {_DIGITS} hexadecimal digits. Give the one that the baseline was "
            f"written with, or a new one: {_NEW}"
        )
    return SecretKey(bytes.fromhex(text), source)


def _add_line(ignore: Path, name: str) -> None:
    """Add a line to .gitignore unless it is there."""
    try:
        before = read_regular(ignore)
    except FileNotFoundError:
        before = b""
    if name.encode() not in before.splitlines():
        end = b"" if not before or before.endswith(b"\n") else b"\n"
        write_atomically(ignore, before + end + name.encode() + b"\n")


def _require_hidden(file: Path) -> None:
    exposure = _exposure(file)
    if exposure == "tracked":
        raise BaselineError(
            f"{file}: git tracks the key, so that whoever has the repository has it: git rm --cached {file.name}, "
            f"write the line {file.name} into .gitignore, put a new key into the file ({_NEW}) and update the baseline"
        )
    if exposure == "not ignored":
        raise BaselineError(f"{file}: git does not ignore the key; write the line {file.name} into .gitignore")


def _exposure(file: Path) -> _Exposure:
    """Say whether git sees a file. Where there is a repository that git cannot read, .gitignore itself is asked."""
    status = git_status(file)
    if status is not None:
        return status
    if not any((folder / ".git").exists() for folder in file.absolute().parents):
        return "hidden"
    try:
        listed = file.name.encode() in read_regular(file.with_name(".gitignore")).splitlines()
    except OSError:
        listed = False
    return "hidden" if listed else "not ignored"
