"""A digest of functions and of all that they reference: what a kept result depends on besides its data."""

# What is followed is live where a name is bound before the function is called (globals, closures, default arguments,
# attributes, names in texts that something may evaluate), by value at the time of asking, and source where a module
# is imported inside a function: beside it what such a module holds now that its source does not say. Libraries are
# known by version and recorded files. What cannot be followed (an open file, a lock, a generator) is said, never
# guessed.

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import sys
import types
import warnings
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from fairness_checks.errors import CacheError
from fairness_checks.storage.code_walk import CodeWalk
from fairness_checks.storage.live import OF_MODULES, loaded_inside, unlike_source
from fairness_checks.storage.objects import module_of, place_of
from fairness_checks.storage.origin import find_module, library_identities, root_of
from fairness_checks.storage.own_code import own_code, takes_part
from fairness_checks.storage.source import ABSENT
from fairness_checks.storage.texts import modules_in, named_in

__all__ = ["Digest", "code_digest", "digest_of"]

_FRAMES = frozenset({"__globals__", "_getframe", "currentframe", "f_globals"})  # attributes that reach any global
_BY_NAME = frozenset({"__dict__", "attrgetter", "dir", "getattr", "getmembers", "vars"})  # reach what no text may name
_OF_DOCUMENTATION = frozenset({"__doc__", "getdoc"})


@dataclass(frozen=True, slots=True)
class Digest:
    """What objects are and reference."""

    value: str  # sha256 of all of it, libraries aside
    libraries: dict[str, str]  # version and digest of the files of each that is referenced, or required
    own: frozenset[str]  # modules of this package that are referenced
    unseen: tuple[str, ...]  # what could not be digested, a line each, as its reader finds it
    names: tuple[str, ...]  # variables and attributes that the code names, sorted


def code_digest(*objects: object) -> str:
    """Return the sha256 of functions, classes or values, and of all that they reference in the user's project."""
    # The same on every run and in every folder, and after changes of comments, blank lines and docstrings; CacheError
    # if something that they reference cannot be digested.
    found = digest_of(objects)
    if found.unseen:
        raise CacheError(f"code_digest: {found.unseen[0]}")
    own = own_code(whole=not all(takes_part(module) for module in found.own)) if found.own else ""
    text = repr((found.value, sorted(found.libraries.items()), own))
    return hashlib.sha256(text.encode()).hexdigest()


def digest_of(objects: Collection[object], declared: Collection[str] = (), beside: Collection[object] = ()) -> Digest:
    """Return what objects are and reference."""
    # `declared` names references that are not followed, as something else stands for them; `beside` are other objects
    # of the same project, whose folder texts of paths are told without.
    walk = _Walk(declared, _roots([*objects, *beside]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of objects that say what they hold in a way that is going out of use
        try:
            for each in objects:
                walk.value(each)
            walk.complete()
        except RecursionError:
            walk.unseen["is nested too deeply to be read"] = None
    libraries, names = library_identities(walk.libraries), tuple(sorted(walk.names))
    return Digest(walk.hexdigest(), libraries, frozenset(walk.own), tuple(walk.unseen), names)


def _roots(objects: Iterable[object]) -> list[str]:
    """Return the folders of the project that objects are defined in, which texts of paths are told without."""
    roots = set()
    for each in objects:
        while isinstance(each, functools.partial | types.MethodType):
            each = each.func if isinstance(each, functools.partial) else each.__func__
        module = getattr(each, "__module__", None) or module_of(type(each))
        file = getattr(sys.modules.get(module), "__file__", None) if isinstance(module, str) else None
        with contextlib.suppress(IndexError):  # a module of more names than folders
            root = "" if not isinstance(file, str) else str(root_of(module, Path(file)))
            roots |= {root, os.path.realpath(root)} if len(root) > 1 else set()
    return sorted(roots, key=len, reverse=True)


class _Walk(CodeWalk):
    """A walk that goes on to what code reaches by name only, until all is met."""

    def __init__(self, declared: Collection[str], roots: list[str]) -> None:
        super().__init__(declared, roots)
        self._told: set[tuple[str, str]] = set()  # references that no code names
        self._read: set[str] = set()  # of the texts, those whose names are known
        self._named: set[str] = set()  # by some text
        self._tops: dict[str, bool] = {}  # modules that texts may name, and whether they are the project's
        self._evaluated: set[str] = set()  # by one that is no single word

    def complete(self) -> None:
        """Digest what is reached by name only, and the modules that were followed by their source, until all is met."""
        met = -1
        while met != (met := self._extent()):
            self._named_by_texts()
            self._changed_since()
            self._put_into_libraries()
            if "__subclasses__" in self._all_names():
                for cls in [*self._classes.values()]:
                    self._subclasses(cls)
        if not self._all_names().isdisjoint(_OF_DOCUMENTATION):
            for each in (*self._functions.values(), *self._classes.values()):
                self._put("documentation", str(vars(each).get("__doc__") if isinstance(each, type) else each.__doc__))
        for module in self._sources.computed:
            self._unseen_import(f"module {module}")
        if self._moves or self._sources.moves or "addsitedir" in self.names:
            for module in sorted(name for name, digest in self._sources.digests.items() if digest == ABSENT):
                with self._at(f"module {module}"):
                    self._unseen("is only found after `sys.path` has been changed, so that its code cannot be read")
        self.libraries |= self._sources.libraries
        self.own |= self._sources.own
        for module, digest in sorted(self._sources.digests.items()):
            self._put("source", module, digest)

    def _extent(self) -> int:
        """Return a number that grows with whatever is met."""
        return sum(map(len, (self._numbers, self._told, self._sources.digests, self.names, self.texts)))

    def _all_names(self) -> frozenset[str]:
        """Return the names in all code and texts that were met."""
        self._read_texts()
        return frozenset(self.names).union(self._sources.names, self._named)

    def _read_texts(self) -> None:
        """Take the names in texts, and follow the modules that they name, as configurations do; each text once."""
        new = self.texts - self._read
        self._read |= new
        for text in sorted(new):
            names = modules_in(text)
            if names and self._is_project(names[-1]):
                self._import([next(name for name in names if find_module(name).kind == "project")])
            found = named_in(text)
            self._named |= found
            if not text.strip().isidentifier():
                self._evaluated |= found

    def _is_project(self, top: str) -> bool:
        """Say whether a module is the project's; looking for one takes long, and texts may be many."""
        if top not in self._tops:
            self._tops[top] = find_module(top).kind == "project"
        return self._tops[top]

    def _named_by_texts(self) -> None:
        """Digest the globals that texts name, as formulas do: they are evaluated where the function is."""
        self._read_texts()
        names, evaluated = frozenset(self._named), frozenset(self._evaluated)
        for namespace in sorted(self._namespaces.values(), key=lambda each: str(each.get("__name__"))):
            module = str(namespace.get("__name__"))
            if self._reaches_all or not self.names.isdisjoint(_FRAMES):
                self._namespace(namespace)
            for name in sorted(names & namespace.keys()):
                if name not in self._declared and name not in OF_MODULES and (module, name) not in self._told:
                    self._told.add((module, name))
                    known = dict(self.unseen)
                    self._refer(name, f"`{name}` of module {module}, which a text names,", namespace[name])
                    if name not in evaluated:  # a word alone, more likely a key or a message: not worth a refusal
                        self.unseen = known

    def _put_into_libraries(self) -> None:
        """Digest what the project has put into modules of libraries that are imported inside functions."""
        known = self._all_names()
        for module in sorted(self._sources.foreign):
            held = getattr(sys.modules.get(module), "__dict__", {})
            for name in sorted(known & held.keys()):
                value = held[name]
                if (module, name) not in self._told and self._is_ours(value, str(getattr(value, "__module__", ""))):
                    self._told.add((module, name))
                    self._refer(name, f"`{name}` put into module {module}", value)

    def _changed_since(self) -> None:
        """Digest what loaded modules hold that their source does not say, as far as it can be asked for."""
        known = self._all_names()
        names = None if self._reaches_all or not known.isdisjoint(_BY_NAME) else known
        held = self._sources.held & self._sources.digests.keys()
        self._sources.follow(inside := sorted(loaded_inside(held, names)), inside)
        for module in sorted(self._sources.digests):
            for name, value in unlike_source(module, names):
                if name not in self._declared and (module, name) not in self._told:
                    self._told.add((module, name))
                    self._refer(name, f"`{name}` of module {module}", value)

    def _subclasses(self, cls: type) -> None:
        """Digest the project's subclasses of a class: code asks for those that there are."""
        origin = self._origin_of_name(module_of(cls))
        if origin.kind == "python" or issubclass(cls, type):
            return
        for each in sorted(cls.__subclasses__(), key=place_of):
            if self._origin_of_name(module_of(each)).kind == "project":
                self._put("subclass", each.__qualname__)
                with self._at(f"subclass {each.__qualname__} of {cls.__qualname__}"):
                    self.value(each)
            self._subclasses(each)
