"""Modules of the project that are imported inside functions: known by their source, read without importing them."""

# Comments, docstrings, positions and the order of plain functions are left out. What such a module imports is
# followed, wherever in it that stands.

from __future__ import annotations

import ast
import hashlib
import importlib.util
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from fairness_checks.storage.bytecode import COMPUTED
from fairness_checks.storage.origin import Origin, find_module
from fairness_checks.storage.texts import named_in

__all__ = ["ABSENT", "Sources", "absolute", "compiled_digest", "imported_by", "with_parents"]

ABSENT = "absent"  # in the place of the digest of a module that cannot be found


@dataclass(slots=True)
class Sources:
    """Modules of a project that were followed from imports inside functions."""

    digests: dict[str, str] = field(default_factory=dict)  # of each module, by name
    libraries: set[str] = field(default_factory=set)  # that they import: see `Origin.library`
    own: set[str] = field(default_factory=set)  # modules of this package that they import
    computed: list[str] = field(default_factory=list)  # modules that import others by names not written in them
    names: set[str] = field(default_factory=set)  # all that they read: variables, attributes, and what texts may name
    moves: list[str] = field(default_factory=list)  # modules that change where modules are looked for
    foreign: set[str] = field(default_factory=set)  # modules of libraries and of Python that they import
    # held by code under a name: their attributes may be modules that something else has imported
    held: set[str] = field(default_factory=set)
    _met: set[str] = field(default_factory=set)

    def follow(self, names: Iterable[str], held: Iterable[str] = ()) -> None:
        """Add modules and all that they import; some are held under a name, so that their attributes may be read."""
        todo = list(names)
        self.held.update(held)
        while todo:
            name = todo.pop()
            for module in with_parents(name):
                if module in self._met:
                    continue
                self._met.add(module)
                origin = find_module(module)
                if origin.kind in ("library", "python"):
                    self.foreign.add(module)
                if origin.kind == "library" and origin.library is not None:
                    self.libraries.add(origin.library)
                elif origin.kind == "own":
                    self.own.add(module)
                elif origin.kind in ("absent", "project"):
                    if (read := _read(module, origin)) is None:
                        continue
                    self.digests[module] = read.digest
                    todo += read.imports
                    self.names |= read.names
                    self.held.update(read.held)
                    if read.computed:
                        self.computed.append(module)
                    if read.moves:
                        self.moves.append(module)

    def package(self, name: str) -> None:
        """Add every module of a package of the project."""
        origin = find_module(name)
        if origin.file is None or not origin.package:
            return
        folder = origin.file.parent
        for file in sorted(folder.rglob("*.py")):
            parts = file.relative_to(folder).with_suffix("").parts
            self.follow([".".join([name, *(part for part in parts if part != "__init__")])])


@dataclass(frozen=True, slots=True)
class _Read:
    digest: str
    imports: tuple[str, ...]
    computed: bool
    names: frozenset[str] = frozenset()
    held: tuple[str, ...] = ()
    moves: bool = False


def with_parents(name: str) -> list[str]:
    """Return a module and the packages that it is in, from the outermost on."""
    parts = name.split(".")
    return [".".join(parts[: end + 1]) for end in range(len(parts))]


def _read(module: str, origin: Origin) -> _Read | None:
    """Return what a module's file says; None where there is no such module, as for an attribute of a package."""
    if origin.kind == "absent":
        parent = find_module(module.rpartition(".")[0]) if "." in module else None
        return None if parent is not None and parent.kind != "absent" else _Read(ABSENT, (), False)
    if origin.file is None:  # a folder without __init__.py
        return _Read("folder", (), False)
    if origin.file.suffix != ".py":
        return _Read(compiled_digest(origin.file), (), False)
    try:
        source = origin.file.read_bytes()
    except OSError as error:
        return _Read(f"unreadable {type(error).__name__}", (), True)
    return _parsed(module, origin.package, source)


def compiled_digest(file: Path) -> str:
    """Return the digest of a compiled module of the project, whose functions show nothing of their code."""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        return f"unreadable {type(error).__name__}"


@lru_cache(maxsize=1024)
def _parsed(module: str, package: bool, source: bytes) -> _Read:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return _Read(hashlib.sha256(source).hexdigest(), (), False)
    inside = module if package else module.rpartition(".")[0]
    imports, held = tuple(dict.fromkeys(_imports(tree, inside))), tuple(_held(tree, inside))
    named, computed = _by_text(tree)
    _without_docstrings(tree)
    plain = [node for node in tree.body if isinstance(node, ast.FunctionDef) and _is_plain(node)]
    if len({node.name for node in plain}) == len(plain):  # where each stands makes no difference
        rest: list[ast.stmt] = [node for node in tree.body if node not in plain]
        tree.body = [*sorted(plain, key=lambda node: node.name), *rest]
    digest = hashlib.sha256(ast.dump(tree, annotate_fields=False).encode("utf-8", "surrogatepass")).hexdigest()
    return _Read(digest, (*imports, *named), computed, frozenset(_names(tree)), held, _moves(tree))


def _moves(tree: ast.AST) -> bool:
    """Say whether code changes where modules are looked for."""
    return any(
        (isinstance(node, ast.Attribute) and node.attr == "path" and getattr(node.value, "id", "") == "sys")
        or (isinstance(node, ast.ImportFrom) and node.module == "sys" and "path" in {each.name for each in node.names})
        or getattr(node, "attr", getattr(node, "id", "")) == "addsitedir"
        for node in ast.walk(tree)
    )


def _names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.alias):
            yield from node.name.split(".")
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from named_in(node.value)


def _is_plain(node: ast.FunctionDef) -> bool:
    defaults = [*node.args.defaults, *(each for each in node.args.kw_defaults if each is not None)]
    return not node.decorator_list and all(isinstance(each, ast.Constant) for each in defaults)


def _without_docstrings(tree: ast.AST) -> None:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        first = node.body[0] if node.body else None
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
            node.body[:1] = [] if len(node.body) > 1 or isinstance(node, ast.Module) else [ast.Pass()]


def _imports(tree: ast.AST, package: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from absolute(node.level, node.module or "", [each.name for each in node.names], package)


def _held(tree: ast.AST, package: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (module for each in node.names for module in with_parents(each.name))
        elif isinstance(node, ast.ImportFrom):
            yield from absolute(node.level, node.module or "", [each.name for each in node.names], package)[1:]


def absolute(level: int, module: str, names: Iterable[str], package: str) -> list[str]:
    """Return the modules that a statement ``from module import names`` may import; `level` counts its dots."""
    if level:
        try:
            module = importlib.util.resolve_name("." * level + module, package)
        except ImportError:  # beyond the top: the statement fails
            return []
    return [module, *(f"{module}.{name}" for name in names if name != "*")]


def _by_text(tree: ast.AST) -> tuple[list[str], bool]:
    """Return the modules that are imported by a text, and whether some are by one that is not written there."""
    known, mentioned = [], 0
    for node in ast.walk(tree):
        mentioned += (isinstance(node, ast.Name) and node.id in COMPUTED) or (
            isinstance(node, ast.Attribute) and node.attr in COMPUTED
        )
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = getattr(node.func, "id", None) or getattr(node.func, "attr", None)
        given = node.args[0]
        if name in COMPUTED and isinstance(given, ast.Constant) and isinstance(given.value, str):
            known.append(given.value.partition(":")[0])
    return known, mentioned > len(known)


def imported_by(text: str, package: str) -> list[str]:
    """Return the modules that a text would import if it were run."""
    try:
        return list(_imports(ast.parse(text), package))
    except (SyntaxError, ValueError):
        return []
