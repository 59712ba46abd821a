"""What a kept result depends on besides its data: code that is seen, and what its user declares."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from fairness_checks.errors import ConfigurationError
from fairness_checks.plain import JSON
from fairness_checks.storage.code_digest import digest_of
from fairness_checks.storage.files import open_regular
from fairness_checks.storage.own_code import environment, own_code, takes_part
from fairness_checks.storage.settings import changed_settings

__all__ = ["Declared", "Identity", "identity_of", "read_declared"]

Declared: TypeAlias = Sequence[Any] | Mapping[str, Any]
T = TypeVar("T")

DECLARE = "Leave it out of the function, or say what stands for the variable: depends_on={name: value}."

_BLOCK = 1 << 20
_READS = frozenset(
    {
        *("open", "load", "environ", "environb", "getenv", "read_text", "read_bytes", "fromfile", "memmap", "loadtxt"),
        *("genfromtxt", "read_csv", "read_table", "read_parquet", "read_feather", "read_json", "read_pickle"),
        *("read_excel", "read_sql"),
    }
)


@dataclass(frozen=True, slots=True)
class Identity:
    """All that a result depends on, as the key of what is kept; and what could not be seen."""

    key: dict[str, JSON]
    unseen: tuple[str, ...] = ()  # references that cannot be read, a line each: where there is one, nothing may be kept
    reads: tuple[str, ...] = ()  # names of what reads files or the environment, where nothing is declared

    def reason(self, remedy: str = DECLARE) -> str | None:
        """Return why nothing is kept, and the remedy; None where results may be kept."""
        if not self.unseen:
            return None
        more = f" (and {len(self.unseen) - 1} more)" if len(self.unseen) > 1 else ""
        return f"{self.unseen[0]}{more}. {remedy}"


def identity_of(code: Collection[object], declared: Declared = (), values: Mapping[str, Any] | None = None) -> Identity:
    """Return what results of code depend on."""
    # A mapping's values in `declared` stand in the place of references of its names; `values` are digested by value,
    # too. A file that is gone, or a value that cannot be read, is a ConfigurationError.
    names = tuple(declared) if isinstance(declared, Mapping) else ()
    found = digest_of(tuple(code), names)
    rest = digest_of([dict(values or {})], beside=code)
    settings, unread = changed_settings()
    key: dict[str, JSON] = {
        "code": found.value,
        "values": rest.value,
        "depends_on": [[name, _declared_digest(name, value, code)] for name, value in _pairs(declared)],
        "libraries": {**found.libraries, **rest.libraries},
        "settings": settings,
        "environment": environment(),
    }
    if not all(takes_part(module) for module in found.own):
        key["package"] = own_code(whole=True)
    reads = () if declared else tuple(name for name in found.names if name in _READS)
    return Identity(key, (*found.unseen, *rest.unseen, *unread), reads)


def read_declared(declared: Any) -> Declared:
    """Return what a user declares that results depend on; raise ConfigurationError where it cannot be read."""
    # A Path stands for the content of its file, or of all files in its folder; anything else for its value.
    if isinstance(declared, str | bytes | Path) or not isinstance(declared, Sequence | Mapping):
        raise ConfigurationError(
            f"depends_on: {declared!r} must be a list, such as [Path('weights.pt'), os.environ['HP']], or a mapping of "
            "names to such values"
        )
    for name, value in _pairs(declared):
        if type(name) is not str or not name:
            raise ConfigurationError(f"depends_on: the name {name!r} must be text")
        if type(value) is str and _is_file(value):
            raise ConfigurationError(
                f"depends_on[{name}]: {value!r} is text that names a file; write Path({value!r}) for its content"
            )
        if isinstance(value, Path):
            _read_path(name, value, Path.stat)
        else:
            _declared_digest(name, value)
    return dict(declared) if isinstance(declared, Mapping) else tuple(declared)


def _pairs(declared: Declared) -> list[tuple[str, Any]]:
    if isinstance(declared, Mapping):
        return list(declared.items())
    return [(str(position), value) for position, value in enumerate(declared)]


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # no name of a file
        return False


def _read_path(name: str, path: Path, read: Callable[[Path], T]) -> T:
    try:
        return read(path)
    except OSError as error:
        reason = error.strerror or error
        raise ConfigurationError(f"depends_on[{name}]: {path}: {reason}; name a file or folder that is there") from None


def _declared_digest(name: str, value: Any, beside: Collection[object] = ()) -> str:
    found = digest_of([value], beside=beside)  # of a Path: which one it is, so that two of one content are told apart
    if isinstance(value, Path):
        return f"{found.value} {_read_path(name, value, _path_digest)}"
    if found.unseen:
        raise ConfigurationError(
            f"depends_on[{name}]: {type(value).__name__} is or holds what cannot be read: {found.unseen[0]}; give a "
            "value that says all of it, such as a version or a Path"
        )
    return f"{found.value} {sorted(found.libraries.items())}"


def _path_digest(path: Path) -> str:
    """Return the digest of a file's content, or of the names and contents of all files in a folder."""
    if not stat.S_ISDIR(path.stat().st_mode):
        return f"file {_file_digest(path)}"
    total = hashlib.sha256()
    for file in _files(path):
        total.update(f"{len(file.as_posix())} {file.as_posix()} {_file_digest(path / file)}\n".encode())
    return f"folder {total.hexdigest()}"


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if not path.is_dir():
            yield path.relative_to(folder)


def _file_digest(path: Path) -> str:
    total = hashlib.sha256()
    with open_regular(path) as file:
        while block := file.read(_BLOCK):
            total.update(block)
    return total.hexdigest()
