"""One walk over objects and the code that they hold: functions, modules and classes, and what these refer to."""

from __future__ import annotations

import abc
import builtins
import functools
import re
import sys
import types
import typing
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from fairness_checks.storage.bytecode import (
    COMPUTED,
    Constant,
    Listing,
    imports_by_text,
    listing_of,
    nested_code,
    texts_of,
    texts_of_imports,
)
from fairness_checks.storage.live import OF_MODULES, OF_OTHERS
from fairness_checks.storage.objects import ATOMS, WEAK, ObjectWalk, module_of, place_of
from fairness_checks.storage.source import Sources, absolute, imported_by, with_parents

__all__ = ["CodeWalk"]

_OWN_NAMESPACE = frozenset({"globals", "eval", "exec"})  # builtins that reach any global
_REACHING = (globals, eval, exec)
_OF_SYNTAX = frozenset(  # of a class, what only says where and how it was written
    {
        *("__dict__", "__doc__", "__firstlineno__", "__module__", "__qualname__", "__static_attributes__"),
        *("__slotnames__", "__weakref__", "_abc_impl", "__annotate__", "__annotate_func__", "__annotations_cache__"),
        *("__pydantic_core_schema__", "__pydantic_serializer__", "__pydantic_validator__", "__signature__"),
        *("__class_vars__", "__pydantic_parent_namespace__", "__pydantic_complete__"),
        "_value2member_map_",  # of an enumeration: combinations of flags that were asked for, beside the members
    }
)
_DESCRIPTORS = (types.GetSetDescriptorType, types.MemberDescriptorType, types.WrapperDescriptorType)
_BUILTIN = (types.BuiltinFunctionType, types.MethodWrapperType, types.MethodDescriptorType, *_DESCRIPTORS)


class CodeWalk(ObjectWalk):
    """One walk over objects, and what their code refers to. What it only names is for the class that extends it."""

    def __init__(self, declared: Collection[str], roots: list[str]) -> None:
        super().__init__(declared, roots)
        self._sources = Sources()
        self._namespaces: dict[int, dict[str, Any]] = {}  # of the project's functions, by id
        self._functions: dict[int, types.FunctionType] = {}
        self._classes: dict[int, type] = {}
        self.names: set[str] = set()  # in the code that was met
        self._reaches_all = False  # through a name of eval, exec or globals
        self._moves = False  # whether code changes where modules are looked for

    def _is_code(self, value: Any) -> bool:
        """Digest a function, class or module; False for anything else."""
        if type(value) in _CODE:
            _CODE[type(value)](self, value)
        elif isinstance(value, type):
            self._class(value)
        elif isinstance(value, types.ModuleType):
            self._module(value)
        elif isinstance(value, _BUILTIN):
            self._builtin(value)
        else:
            return False
        return True

    # ---- functions

    def _function(self, function: types.FunctionType) -> None:
        origin = self._origin_of_globals(function.__globals__)
        module, code = str(function.__globals__.get("__name__")), function.__code__
        if origin.kind not in ("project", "absent"):
            self._put(origin.kind, module, function.__qualname__)
            self._note(origin, module)
            if not _is_named(function, module):
                self._library_function(function, code)
            return
        self._put("function", function.__name__, _annotations(function))
        self._functions[id(function)] = function
        self._namespaces[id(function.__globals__)] = function.__globals__
        listing = self._code(code)
        here = f"{Path(code.co_filename).name}:{code.co_firstlineno}"
        self._defaults(function, here)
        self._closure(function, here)
        self._annotated(getattr(function, "__annotations__", {}), f"{function.__qualname__} ({here})")
        for name, value in sorted(vars(function).items()):
            self._refer(name, f"attribute `{name}` of {function.__qualname__} ({here})", value)
        self._globals(function.__globals__, listing, code, here)

    def _library_function(self, function: types.FunctionType, code: types.CodeType) -> None:
        """Digest what a library made of the project's functions: a decorated one, a dispatcher."""
        self._put("made", code.co_code, repr(code.co_names))
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
            self._held_by_library(name, f"what {function.__qualname__} holds as `{name}`", _cell(cell))
        for name, value in sorted(vars(function).items()):
            self._held_by_library(name, f"attribute `{name}` of {function.__qualname__}", value)

    def _held_by_library(self, name: str, words: str, value: Any) -> None:
        if not isinstance(value, WEAK) and not isinstance(getattr(value, "__self__", None), WEAK):
            self._refer(name, words, value)  # all but a library's memory of what it has seen

    def _defaults(self, function: types.FunctionType, here: str) -> None:
        code = function.__code__
        names = code.co_varnames[: code.co_argcount]
        given = function.__defaults__ or ()
        pairs = [*zip(names[len(names) - len(given) :], given, strict=False), *(function.__kwdefaults__ or {}).items()]
        self._put("defaults", str(len(given)), str(len(pairs)))
        for name, value in pairs:
            self._variable(name, f"default of `{name}` of {function.__qualname__} ({here})", value)

    def _closure(self, function: types.FunctionType, here: str) -> None:
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            self._variable(name, f"`{name}` around {function.__qualname__} ({here})", _cell(cell))

    def _lru_cache(self, value: Any) -> None:
        copied = functools.WRAPPER_ASSIGNMENTS  # of the function, which is digested itself
        self._mapping("lru_cache", {name: each for name, each in sorted(vars(value).items()) if name not in copied})

    def _code_object(self, code: types.CodeType) -> None:
        self._code(code)

    def _code(self, code: types.CodeType) -> Listing:
        listing = listing_of(code)
        self._put("code", *listing.header)
        for name, operand in listing.steps:
            if isinstance(operand, Constant):
                self._put(name)
                if isinstance(operand.value, types.CodeType):
                    self._code(operand.value)
                else:
                    self.value(operand.value)
            else:
                self._put(name, type(operand).__name__, str(operand))
                if isinstance(operand, str):
                    self.names.add(operand)
        return listing

    def _annotated(self, annotations: Mapping[str, Any], of: str) -> None:
        """Digest the values in annotations, beside the types that their text says."""
        for name, annotation in sorted(annotations.items()):
            for each in _values_in(annotation):
                self._refer(name, f"annotation of `{name}` of {of}", each)

    def _globals(self, namespace: dict[str, Any], listing: Listing, code: types.CodeType, here: str) -> None:
        """Digest what code reaches for by name: globals with their attributes, and imports."""
        chains, imports = set(listing.globals), set(listing.imports)
        for inner in nested_code(code):
            chains.update(listing_of(inner).globals)
            imports.update(listing_of(inner).imports)
        package = str(namespace.get("__package__") or "")
        for statement in sorted(imports):
            modules = absolute(statement.level, statement.module, statement.names, package)
            held = modules[1:] if statement.names else [each for name in modules for each in with_parents(name)]
            self._sources.follow(modules, held)
            if statement.module == "sys":
                named = statement.names or [name for each in (code, *nested_code(code)) for name in each.co_names]
                self._moves |= "path" in named
            if imports_by_text(statement.module, statement.names):
                self._computed(namespace, code, here)
        for name, *attributes in sorted(chains):
            if name.startswith("@"):  # pytest's, in an assert statement that it has rewritten
                continue
            if name in namespace:
                self._put("global", name, *attributes)
                if name in self._declared:
                    continue
                with self._at(f"global `{name}` of {code.co_name} ({here})"):
                    if self._through(namespace[name], attributes):
                        self._computed(namespace, code, here)
            elif hasattr(builtins, name):
                self._refer(name, f"builtin `{name}`, as {code.co_name} ({here}) finds it,", getattr(builtins, name))
                if name in _OWN_NAMESPACE:
                    self._namespace(namespace)
                    self._import(module for text in texts_of(code) for module in imported_by(text, package))
                elif name == "__import__":
                    self._computed(namespace, code, here)
            else:
                self._put("nowhere", name)

    def _through(self, value: Any, chain: list[str]) -> bool:
        """Digest what is read off a global, of modules what is asked for; say if it imports what a text names."""
        while isinstance(value, types.ModuleType):
            origin = self._origin_of_module(value)
            inside = origin.kind == "project"
            self._put("module", origin.kind, value.__name__)
            self._note(origin, value.__name__)
            if (value is sys and chain[:1] == ["modules"]) or imports_by_text(value.__name__, chain[:1]):
                return True
            self._moves |= value is sys and chain[:1] == ["path"]
            if chain and not inside and chain[0] not in vars(value) and "__getattr__" in vars(value):
                with suppress(Exception):  # a part that is loaded when it is asked for, as the code will
                    getattr(value, chain[0])
            if not chain or chain[0] not in vars(value):  # it goes elsewhere, or makes its attributes
                if inside:
                    self.value(value)
                return False
            value, chain = vars(value)[chain[0]], chain[1:]
            if not inside and not isinstance(value, types.ModuleType):
                self._replaced(value, origin.kind)
                return False
        self.value(value)
        return isinstance(value, types.FunctionType | type) and value.__name__ in COMPUTED

    def _replaced(self, value: Any, kind: str) -> None:
        """Digest what a library's attribute is where that says more than the library's version."""
        plain = type(value) in ATOMS or type(value) is str or isinstance(value, type)
        if plain or self._is_made_here(value) or any(value is each for each in _REACHING):
            self.value(value)
        elif kind == "library" and isinstance(value, dict | list | set):  # settings, tables that may be added to
            known = dict(self.unseen)
            if isinstance(value, dict):
                self._mapping("table", dict(dict.items(value)))
            else:
                self.value(value)
            self.unseen = known  # the library's own, which its version says

    # ---- modules

    def _module(self, module: types.ModuleType) -> None:
        origin = self._origin_of_module(module)
        self._put("module", origin.kind, module.__name__)
        self._note(origin, module.__name__)
        if origin.kind == "project":
            self._namespace(vars(module))
            if origin.package:
                self._sources.package(module.__name__)

    def _namespace(self, namespace: dict[str, Any]) -> None:
        """Digest all of a module's globals, but for modules inside it, which may or may not be loaded yet."""
        if id(namespace) in self._numbers:
            return
        self._numbers[id(namespace)] = len(self._numbers)
        name = str(namespace.get("__name__"))
        for key, value in sorted(namespace.items()):
            inner = isinstance(value, types.ModuleType) and value.__name__.startswith(f"{name}.")
            if not inner and not key.startswith(OF_OTHERS) and key not in OF_MODULES:
                self._refer(key, f"`{key}` of module {name}", value)

    def _import(self, names: Iterable[str]) -> None:
        self._sources.follow(names)

    def _computed(self, namespace: Mapping[str, Any], code: types.CodeType, here: str) -> None:
        """Follow imports of modules that a text names, where the function says the text."""
        texts = [text for each in (code, *nested_code(code)) for text in texts_of_imports(listing_of(each), namespace)]
        self._import(text.partition(":")[0] for text in texts if text is not None)
        if None in texts or not texts:
            self._unseen_import(f"{code.co_name} ({here})")

    def _unseen_import(self, place: str) -> None:
        with self._at(place):
            self._unseen("imports a module whose name is not written in it, so that its code cannot be read")

    # ---- classes and what is built in

    def _class(self, cls: type) -> None:
        module = module_of(cls)
        origin = self._origin_of_name(module)
        self._classes[id(cls)] = cls
        self._put("class", module if origin.kind != "project" else "", cls.__qualname__, cls.__name__)
        self._note(origin, module)
        self._registered(cls, all_of_them=origin.kind == "project")
        if origin.kind != "project":
            self._patched(cls)
            return
        self.value(type(cls))
        self._items("bases", cls.__bases__)
        for name, value in sorted(vars(cls).items()):
            if name in _OF_SYNTAX:
                continue
            if name == "__annotations__":
                self._put(name, re.sub(r" at 0x[0-9a-f]+", "", repr(value)))
                self._annotated(value, f"class {cls.__qualname__}")
            elif isinstance(value, _DESCRIPTORS):
                self._put("slot", name)
            else:
                self._refer(name, f"`{name}` of class {cls.__qualname__}", value)

    def _registered(self, cls: type, *, all_of_them: bool) -> None:
        """Digest the classes that an abstract one was told to count as its own; of a library's, the project's."""
        if "_abc_impl" not in vars(cls) or (dump := getattr(abc, "_get_dump", None)) is None:
            return
        for each in sorted((found for ref in dump(cls)[0] if (found := ref()) is not None), key=place_of):
            if all_of_them or self._origin_of_name(module_of(each)).kind == "project":
                self._refer("registered", f"{each.__qualname__}, registered with {cls.__qualname__},", each)

    def _patched(self, cls: type) -> None:
        """Digest what the project has put into a library's class: methods, accessors, plain values."""
        for owner in cls.__mro__:
            if (module := module_of(owner)) == "builtins":
                continue
            top = module.partition(".")[0]
            for name, value in sorted(vars(owner).items()):
                if type(value) in ATOMS or type(value) is str:
                    if not name.startswith("_"):
                        self._refer(name, f"`{name}` of {owner.__qualname__}", value)
                    continue
                value = getattr(value, "_accessor", value)  # as pandas and polars register one
                value = getattr(value, "__func__", value)  # of a static or class method
                value = value.fget if isinstance(value, property) else value
                of = getattr(value, "__module__", None)
                if isinstance(of, str) and of.partition(".")[0] != top and self._is_ours(value, of):
                    self._refer(name, f"`{name}` put into {owner.__qualname__}", value)

    def _is_ours(self, value: Any, module: str) -> bool:
        return self._is_made_here(value) or (isinstance(value, type) and self._origin_of_name(module).kind == "project")

    def _builtin(self, value: Any) -> None:
        owner = getattr(value, "__self__", None)
        module = getattr(value, "__module__", None) or getattr(getattr(value, "__objclass__", None), "__module__", "")
        self._put("builtin", str(module), value.__qualname__)
        if any(value is each for each in _REACHING):
            self._reaches_all = True
        if owner is not None and not isinstance(owner, types.ModuleType):
            self.value(owner)
        self._note(self._origin_of_name(str(module)), str(module))


def _is_named(function: types.FunctionType, module: str) -> bool:
    """Say whether a function is what its module has under its name, and not made by a call."""
    found: object = sys.modules.get(module)
    for name in function.__qualname__.split("."):
        found = vars(found).get(name) if hasattr(found, "__dict__") else None
    return found is function


def _annotations(function: types.FunctionType) -> str:
    try:
        return re.sub(r" at 0x[0-9a-f]+", "", repr(function.__annotations__))
    except Exception:  # from Python 3.14 on they are evaluated when they are asked for
        return "unknown"


def _values_in(annotation: Any) -> Iterator[Any]:
    """Yield what an annotation holds besides types; of text, itself where it makes values when it is evaluated."""
    if isinstance(annotation, str):
        if "(" in annotation or "Annotated" in annotation:
            yield annotation
        return
    yield from getattr(annotation, "__metadata__", ())
    for each in annotation if isinstance(annotation, list | tuple) else typing.get_args(annotation):
        yield from _values_in(each)
    plain = annotation is None or annotation is ... or isinstance(annotation, type | list | tuple)
    if not plain and module_of(type(annotation)) not in ("builtins", "types", "typing", "typing_extensions"):
        yield annotation


class _Empty:
    """What stands for a closure variable that has no value yet."""


def _cell(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return _Empty


_CODE: dict[type, Callable[[CodeWalk, Any], None]] = {
    types.FunctionType: CodeWalk._function,
    types.MethodType: lambda walk, value: walk._items("method", (value.__func__, value.__self__)),
    staticmethod: lambda walk, value: walk._items("staticmethod", (value.__func__,)),
    classmethod: lambda walk, value: walk._items("classmethod", (value.__func__,)),
    property: lambda walk, value: walk._items("property", (value.fget, value.fset, value.fdel)),
    functools.cached_property: lambda walk, value: walk._items("cached_property", (value.func,)),
    functools._lru_cache_wrapper: lambda walk, value: walk._lru_cache(value),
    types.CodeType: lambda walk, value: walk._code_object(value),
}
