"""A digest of objects by what they hold: values, containers, arrays, instances by what they would be copied from."""

from __future__ import annotations

import copyreg
import enum
import functools
import hashlib
import os
import struct
import sys
import types
import weakref
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import PurePath
from typing import Any

from fairness_checks.storage.contents import OF_FRAMES, contents_of, wrapped_by
from fairness_checks.storage.origin import Origin, find_module, origin_of
from fairness_checks.storage.source import compiled_digest

__all__ = ["ATOMS", "WEAK", "ObjectWalk", "module_of", "place_of"]

WEAK = (weakref.ref, weakref.WeakKeyDictionary, weakref.WeakValueDictionary, weakref.WeakSet)
"""What remembers others without holding them."""

_SHORT = 4096
_OF_MEMBERS = frozenset({"_value_", "_name_", "_sort_order_", "_inverted_", "__objclass__"})  # set by Python
_COPYING = ("__getstate__", "__reduce__", "__reduce_ex__")
_UNREADABLE = (types.GeneratorType, types.CoroutineType, types.AsyncGeneratorType, types.FrameType, types.TracebackType)


class ObjectWalk:
    """One walk over objects and all that they hold. What code references is for the class that extends it."""

    def __init__(self, declared: Collection[str], roots: list[str]) -> None:
        self._declared, self._roots = frozenset(declared), roots
        self._hash = hashlib.sha256()
        self._numbers: dict[int, int] = {}  # by id, in the order of first sight
        self._held: list[object] = []  # so that no id is given away twice
        self._where: list[str] = []  # references, in words, from the outermost on
        self.libraries: set[str] = set()
        self.own: set[str] = set()
        self.unseen: dict[str, None] = {}
        self.texts: set[str] = set()  # all that were met, but the cells of arrays and frames
        self._is_reading_text = True

    def hexdigest(self) -> str:
        """Return the sha256 of what was met so far."""
        return self._hash.hexdigest()

    def _put(self, tag: str, *parts: str | bytes) -> None:
        for part in (tag, *parts):
            data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
            self._hash.update(b"%d:%b" % (len(data), data) if len(data) < _SHORT else b"%d:" % len(data))
            if len(data) >= _SHORT:  # not copied
                self._hash.update(data)
        self._hash.update(b";")

    # ---- values

    def value(self, value: Any) -> None:
        """Digest any object."""
        kind = type(value)
        if (write := ATOMS.get(kind)) is not None:
            self._put(kind.__name__, write(value))
        elif kind is str:
            self._put("str", self._placed(value))
            if self._is_reading_text:
                self.texts.add(value)
        elif kind is tuple:
            self._items("tuple", value)
        elif kind is frozenset:
            self._set("frozenset", value)
        elif id(value) in self._numbers:
            self._put("again", str(self._numbers[id(value)]))
        else:
            self._numbers[id(value)] = len(self._numbers)
            self._held.append(value)
            self._object(value, kind)

    def _object(self, value: Any, kind: type) -> None:
        if kind in _HOLDERS:
            _HOLDERS[kind](self, value)
        elif self._is_code(value):
            return
        elif isinstance(value, PurePath):
            self._put("path", self._placed(str(value)))
        elif isinstance(value, enum.Enum):
            self._put("member", str(value.name))
            self.value(value.value)
            self.value(kind)
            self._mapping(
                "given", {name: each for name, each in sorted(vars(value).items()) if name not in _OF_MEMBERS}
            )
        elif isinstance(value, (*WEAK, *_UNREADABLE)):
            self._cannot(value)
        elif kind.__qualname__ == "Decorator" and module_of(kind) == "pydantic._internal._decorators":
            # It also holds an address of its class.
            self._items("decorator", (value.cls_var_name, value.info, value.func))
        elif module_of(kind).partition(".")[0] == "numba" and hasattr(value, "py_func"):
            self._put("compiled", kind.__qualname__)  # such functions name themselves anew in each process
            self._refer("py_func", "compiled function", value.py_func)
        else:
            try:
                parts = contents_of(value)
            except Exception:  # anything that a framework raises: it cannot be read
                self._cannot(value)
                return
            if parts is None:
                self._instance(value, kind)
            else:
                self._contents(parts)
                self._beside_contents(value, kind)

    def _contents(self, parts: list[object]) -> None:
        """Digest cells, in which no text is one that the code evaluates."""
        outer, self._is_reading_text = self._is_reading_text, False
        self._items("contents", parts)
        self._is_reading_text = outer

    def _beside_contents(self, value: Any, kind: type) -> None:
        """Digest what an array, frame or tensor is besides its cells: its class, and what was set on it."""
        self.value(kind)
        if (wrapped := wrapped_by(value)) is not None:
            self._refer("wrapped", f"function in {kind.__qualname__}", wrapped)
        names = {name: each for name, each in getattr(value, "__dict__", {}).items() if name not in OF_FRAMES}
        if self._origin_of_name(module_of(kind)).kind != "project":
            names = {name: each for name, each in names.items() if not name.startswith("_")}
        for name, each in sorted(names.items()):
            self._refer(name, f"attribute `{name}` of a {kind.__qualname__}", each)

    def _is_code(self, value: Any) -> bool:
        """Digest a function, class or module; False for anything else."""
        raise NotImplementedError

    def _items(self, tag: str, values: Collection[object]) -> None:
        self._put(tag, str(len(values)))
        for each in values:
            self.value(each)

    def _mapping(self, tag: str, values: Mapping[Any, Any]) -> None:
        self._put(tag, str(len(values)))
        for key, each in values.items():
            self.value(key)
            self.value(each)

    def _set(self, tag: str, values: Collection[object]) -> None:
        """Digest a set: each element on its own, in the order of the digests and not of the hashes."""
        digests = []
        outer, known = self._hash, len(self._numbers)
        for each in values:
            self._hash = hashlib.sha256()
            self.value(each)
            digests.append(self._hash.digest())
            while len(self._numbers) > known:  # the last come first
                self._numbers.popitem()
        self._hash = outer
        self._put(tag, *sorted(digests))

    def _placed(self, text: str) -> str:
        """Return a text without the folder of the project: another checkout is the same project."""
        if os.sep in text:
            for root in self._roots:
                if text == root or root + os.sep in text:
                    text = text.replace(root, "<project>")
        return text

    # ---- instances

    def _instance(self, value: Any, kind: type) -> None:
        """Digest an object by what it would be copied from: its class, arguments and state."""
        try:
            registered = copyreg.dispatch_table.get(kind)
            reduced = value.__reduce_ex__(4) if registered is None else registered(value)
        except Exception:
            self._cannot(value)
            return
        if isinstance(reduced, str):
            self._put("name", module_of(kind), kind.__qualname__, reduced)
            self._uncopied(value, kind, registered)
            for module in sorted({module_of(kind), str(getattr(value, "__module__", None) or module_of(kind))}):
                self._note(self._origin_of_name(module), module)
            return
        self._put("instance")
        self.value(kind)
        for part in reduced[:2]:
            self.value(part)
        for state in reduced[2:3]:
            self._state(state)
        for items in reduced[3:5]:  # iterators over items of a list and of a mapping
            self._items("items", [] if items is None else list(items))
        self._uncopied(value, kind, registered)

    def _state(self, state: Any) -> None:
        """Digest what an object holds, by the names of its attributes, which are no texts that something evaluates."""
        if type(state) is not dict or not all(type(name) is str for name in state):
            self.value(state)
            return
        self._put("state", str(len(state)), *state)
        for each in state.values():
            self.value(each)

    def _uncopied(self, value: Any, kind: type, registered: Any) -> None:
        """Digest the state of an object that says itself what is copied: its methods see all of it."""
        own = any(getattr(kind, name, None) is not getattr(object, name, None) for name in _COPYING)
        if self._is_made_here(registered) or (own and self._origin_of_name(module_of(kind)).kind == "project"):
            self.value(object.__getstate__(value))
        elif own:  # of a library: what the project has given it; the rest may be its memory of what it has done
            for name, each in sorted(getattr(value, "__dict__", {}).items()):
                if self._is_made_here(each):
                    self._refer(name, f"attribute `{name}` of a {kind.__qualname__}", each)

    def _is_made_here(self, value: Any) -> bool:
        """Say whether something is a function of the project, made of one, or an instance of one of its classes."""
        if isinstance(value, functools.partial):
            return any(map(self._is_made_here, (value.func, *value.args, *value.keywords.values())))
        if isinstance(value, types.MethodType):
            return self._is_made_here(value.__func__) or self._is_made_here(value.__self__)
        if isinstance(value, types.FunctionType):
            return self._origin_of_globals(value.__globals__).kind == "project"
        origin = self._origin_of_name(module_of(type(value)))
        return origin.kind == "project" and origin.file is not None  # not Cython's, whose modules have none

    def _cannot(self, value: Any) -> None:
        kind = type(value)
        self._put("unseen", module_of(kind), kind.__qualname__)
        name = kind.__qualname__ if module_of(kind) == "builtins" else f"{module_of(kind)}.{kind.__qualname__}"
        self._unseen(f"is or holds a {name}, which cannot be read")

    def _unseen(self, problem: str) -> None:
        place = next((words for words in reversed(self._where) if words), "it")
        self.unseen[f"{place} {problem}"] = None

    @contextmanager
    def _at(self, words: str) -> Iterator[None]:
        self._where.append(words)
        try:
            yield
        finally:
            self._where.pop()

    def _refer(self, name: str, words: str, value: Any) -> None:
        self._put("reference", name)
        with self._at(words):
            self.value(value)

    def _variable(self, name: str, words: str, value: Any) -> None:
        """Digest what a function knows by a name, unless something else stands for it."""
        if name in self._declared:
            self._put("declared", name)
        else:
            self._refer(name, words, value)

    # ---- where from

    def _note(self, origin: Origin, module: str) -> None:
        if origin.kind == "library" and origin.library is not None:
            self.libraries.add(origin.library)
        elif origin.kind == "project" and origin.file is not None and origin.file.suffix != ".py":
            self._put("compiled", module, compiled_digest(origin.file))
        elif origin.kind == "own":
            self.own.add(module)

    def _origin_of_globals(self, namespace: Mapping[str, Any]) -> Origin:
        file = namespace.get("__file__")
        return origin_of(str(namespace.get("__name__")), file if isinstance(file, str) else None)

    def _origin_of_module(self, module: types.ModuleType) -> Origin:
        file = getattr(module, "__file__", None)
        if file is None and module.__name__.partition(".")[0] not in sys.stdlib_module_names:
            spec = getattr(module, "__spec__", None)
            return Origin("project", package=getattr(spec, "submodule_search_locations", None) is not None)
        return origin_of(module.__name__, file)

    def _origin_of_name(self, name: str) -> Origin:
        if name == "builtins":
            return Origin("python")
        module = sys.modules.get(name)
        if module is None:  # as compiled classes may say
            top = sys.modules.get(name.partition(".")[0])
            return Origin("project") if top is None else self._origin_of_module(top)
        if not isinstance(module, types.ModuleType):  # an object that has taken its place
            return find_module(name)
        return self._origin_of_module(module)


def place_of(cls: type) -> tuple[str, str]:
    """Return where a class is defined, by which classes are put in order."""
    return module_of(cls), cls.__qualname__


def module_of(cls: type) -> str:
    """Return the module of a class; the metaclasses of compiled code hold a descriptor in its place."""
    name: object = cls.__module__
    return name if isinstance(name, str) else "builtins"


def _double(value: float) -> bytes:
    return struct.pack("<d", value)


ATOMS: dict[type, Callable[[Any], str | bytes]] = {
    int: lambda value: f"{value:x}",
    bool: str,
    float: _double,
    complex: lambda value: _double(value.real) + _double(value.imag),
    bytes: bytes,
    type(None): str,
    type(Ellipsis): str,
    type(NotImplemented): str,
}
"""Values that are themselves all that there is to them, with what is written of each."""

_HOLDERS: dict[type, Callable[[ObjectWalk, Any], None]] = {
    list: lambda walk, value: walk._items("list", value),
    dict: lambda walk, value: walk._mapping("dict", value),
    types.MappingProxyType: lambda walk, value: walk._mapping("mappingproxy", value),
    set: lambda walk, value: walk._set("set", value),
    bytearray: lambda walk, value: walk._put("bytearray", bytes(value)),
    memoryview: lambda walk, value: walk._put("memoryview", value.format, str(value.shape), value.tobytes()),
    type(os.environ): lambda walk, value: walk._put("environ"),  # is declared
}
