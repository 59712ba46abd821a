"""Where a module comes from: Python itself, an installed library, this package, or the user's project."""

# A library is known by its version and by the digests that its installer recorded of its files, so that an internal
# package whose version never moves is noticed. A package that is installed to be edited has no such record: it is a
# part of the project. Modules are found without importing them or their parents.

from __future__ import annotations

import hashlib
import os
import re
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.machinery import ModuleSpec
from pathlib import Path

__all__ = ["OWN", "Origin", "find_module", "library_identities", "origin_of", "python_identity", "root_of"]

OWN = "fairness_checks"
_SITES = frozenset({"site-packages", "dist-packages"})


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a module comes from."""

    kind: str  # "python", "library", "own", "project", or "absent"
    file: Path | None = None  # of a module of the project
    library: str | None = None  # the distribution that installed it
    package: bool = False  # whether it has modules of its own


_ABSENT = Origin("absent")
_PYTHON = Origin("python")


def python_identity() -> str:
    """Return implementation and version of Python."""
    return f"{sys.implementation.name} {sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro}"


def root_of(module: str, file: Path) -> Path:
    """Return the folder on the search path that a module was found in."""
    parts = module.split(".")
    return file.parents[len(parts) if file.stem == "__init__" else len(parts) - 1]


@lru_cache(maxsize=4096)
def origin_of(module: str, file: str | None) -> Origin:
    """Return where a module of a name and file comes from."""
    top = module.partition(".")[0]
    if top == OWN:
        return Origin("own")
    if file is None:
        return _PYTHON if top in sys.stdlib_module_names else Origin("project")
    path = Path(file)
    if top in sys.stdlib_module_names and _is_python(path):
        return _PYTHON
    package = path.stem == "__init__"
    try:
        root = root_of(module, path)
    except IndexError:
        return Origin("project", path, package=package)
    library = _distribution(root, path)
    if library is not None:
        return Origin("library", path, library, package)
    if root.name in _SITES:  # installed by something that keeps no record of its files
        return Origin("library", path, str(root / top), package)
    return Origin("project", path, package=package)


def _is_python(path: Path) -> bool:
    for name in ("stdlib", "platstdlib"):
        folder = sysconfig.get_path(name)
        if path.is_relative_to(folder):
            return not _SITES & set(path.relative_to(folder).parts)
    return not _SITES & set(path.parts)


def find_module(name: str) -> Origin:
    """Return where a module would be imported from, without importing it or its parents."""
    spec, path = None, None
    parts = name.split(".")
    for position in range(len(parts)):
        full = ".".join(parts[: position + 1])
        spec = _spec(full, path)
        if spec is None:
            return _ABSENT
        found = _origin(full, spec)
        if found.kind in ("python", "own", "library"):
            return found
        if position + 1 < len(parts):
            if spec.submodule_search_locations is None:
                return _ABSENT
            path = list(spec.submodule_search_locations)
    return _ABSENT if spec is None else _origin(name, spec)


def _origin(name: str, spec: ModuleSpec) -> Origin:
    if spec.origin in (None, "built-in", "frozen") or not spec.has_location:
        if spec.submodule_search_locations is not None:  # a folder without __init__.py
            return Origin("project", None, package=True)
        return origin_of(name, None)
    return origin_of(name, spec.origin)


def _spec(name: str, path: list[str] | None) -> ModuleSpec | None:
    for finder in sys.meta_path:
        try:
            found = finder.find_spec(name, path, None)
        except Exception:  # a finder of another library
            continue
        if found is not None:
            return found
    return None


@lru_cache(maxsize=64)
def _records(root: Path) -> dict[str, Path]:
    """Return the records of what is installed in a folder, by normalised name."""
    try:
        names = os.listdir(root)  # noqa: PTH208  # thousands of names: no Path of each
    except OSError:
        return {}
    installed = (name.removesuffix(".dist-info") for name in names if name.endswith(".dist-info"))
    return {
        _normal(name.rpartition("-")[0]): root / f"{name}.dist-info"
        for name in installed
        if (root / f"{name}.dist-info" / "RECORD").is_file()
    }


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@lru_cache(maxsize=4096)
def _distribution(root: Path, file: Path) -> str | None:
    """Return the name of what installed a file in a folder; None where no record lists it."""
    records = _records(root)
    if not records:
        return None
    relative = file.relative_to(root).as_posix()
    likely = _normal(relative.partition("/")[0].partition(".")[0])
    line = f"\n{relative},".encode()
    for name in sorted(records, key=lambda each: each != likely):
        if line in _record(records[name]):
            return str(records[name])
    return None


@lru_cache(maxsize=1024)
def _record(folder: Path) -> bytes:
    """Return what an installer wrote of a distribution's files, a line each, after a first line that is empty."""
    try:
        return b"\n" + (folder / "RECORD").read_bytes().replace(b"\r\n", b"\n").replace(b'"', b"")
    except OSError:
        return b""


def library_identities(libraries: Iterable[str]) -> dict[str, str]:
    """Return name -> version and digest of the files of libraries, and of all that they require."""
    known: dict[str, str] = {}
    todo = sorted(libraries)
    while todo:
        name, identity, required = _identity(todo.pop())
        if name not in known:
            known[name] = identity
            todo.extend(required)
    known.pop(_normal(OWN), None)  # known by its code, wherever it is installed
    return dict(sorted(known.items()))


@lru_cache(maxsize=1024)
def _identity(library: str) -> tuple[str, str, tuple[str, ...]]:
    folder = Path(library)
    if folder.suffix != ".dist-info":
        if os.sep in library:
            return folder.name, _listing(folder), ()
        found = _installed(library)
        if found is None:
            return _normal(library), "not installed", ()
        folder = found
    name, _, version = folder.name.removesuffix(".dist-info").rpartition("-")
    return _normal(name), f"{version} {_files_digest(folder)}", tuple(_required(folder))


def _installed(name: str) -> Path | None:
    """Return the record's folder of an installed distribution; None where it is not there, or installed otherwise."""
    for root in map(Path, sys.path):
        if (folder := _records(root).get(_normal(name))) is not None:
            return folder
    return None


def _files_digest(folder: Path) -> str:
    """Return the digest of what an installer recorded of the files that can be imported."""
    files = re.sub(rb"(?m)^(?:\.\.|[^/\n]*\.dist-info/|.*\.pyc,).*\n?", b"", _record(folder))
    return hashlib.sha256(files).hexdigest()[:16]


def _listing(package: Path) -> str:
    """Return the digest of names, sizes and times of a package's files, where nothing recorded their content."""
    files = sorted(package.rglob("*")) if package.is_dir() else sorted(package.parent.glob(f"{package.name}.*"))
    total = hashlib.sha256()
    for file in files:
        if file.is_file() and file.suffix != ".pyc":
            state = file.stat()
            total.update(f"{file.relative_to(package.parent)} {state.st_size} {state.st_mtime_ns}\n".encode())
    return f"files {total.hexdigest()[:16]}"


def _required(folder: Path) -> Iterator[str]:
    """Yield the installed distributions that one requires, those of its extras aside."""
    try:
        header = (folder / "METADATA").read_text("utf-8", errors="replace").partition("\n\n")[0]
    except OSError:
        return
    for line in header.splitlines():
        found = re.match(r"Requires-Dist:\s*([A-Za-z0-9._-]+)(.*)", line)
        if found and not re.search(r"\bextra\s*==", found[2]) and _installed(found[1]) is not None:
            yield found[1]
