"""A loaded module of the project beside its source: what it holds now that the source does not say."""

# Plain values, functions, classes and imports are compared with what the source makes of them, so that a module that
# nobody has changed adds nothing to a digest and may or may not be loaded. What only running the source would show is
# taken as it is.

from __future__ import annotations

import ast
import operator
import sys
import types
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from fairness_checks.storage.origin import find_module
from fairness_checks.storage.source import absolute

__all__ = ["OF_MODULES", "OF_OTHERS", "loaded_inside", "unlike_source"]

# What others write into a module while it runs: pytest where it rewrites asserts, torch where it compiles.
OF_OTHERS = ("@", "__import_", "__compiled_fn_", "__resume_at_", "__builtins_dict__")
OF_MODULES = frozenset(  # what Python gives a module, or what only says how it is imported
    {
        *("__all__", "__annotate__", "__annotations__", "__builtins__", "__cached__", "__conditional_annotations__"),
        *("__doc__", "__file__", "__loader__", "__name__", "__package__", "__path__", "__spec__"),
        "__warningregistry__",
    }
)
_FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef
_UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Invert: operator.invert,
    ast.Not: operator.not_,
}
_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_MADE_BY_PYTHON = frozenset(  # of a class
    {
        *("__annotations__", "__abstractmethods__", "__classcell__", "__dict__", "__doc__", "__firstlineno__"),
        *("__module__", "__orig_bases__", "__parameters__", "__qualname__", "__slotnames__", "__static_attributes__"),
        *("__type_params__", "__weakref__", "_abc_impl", "__annotate__", "__annotate_func__", "__annotations_cache__"),
    }
)
_MADE_BY_DATACLASS = frozenset({"__dataclass_fields__", "__dataclass_params__", "__match_args__"})


@dataclass(frozen=True, slots=True)
class _Said:
    """What a module's source binds at its top: None for a name that is bound twice, or inside another statement."""

    bound: Mapping[str, ast.AST | None]
    code: Mapping[str, types.CodeType]


def unlike_source(module: str, names: Collection[str] | None) -> Iterator[tuple[str, object]]:
    """Yield what a loaded module of the project holds under some names, or all, where its source does not say it."""
    # A name that the source binds and the module has lost comes with NotImplemented.
    loaded, origin = sys.modules.get(module), find_module(module)
    if loaded is not None and not isinstance(loaded, types.ModuleType):
        yield module.rpartition(".")[2], loaded  # an object that has taken the module's place
        return
    if loaded is None or (origin.file is not None and origin.file.suffix != ".py"):
        return
    try:
        source = b"" if origin.file is None else origin.file.read_bytes()  # none of a folder without __init__.py
        said = _said(source, str(origin.file))
    except (OSError, SyntaxError, ValueError):
        return
    package = module if origin.package else module.rpartition(".")[0]
    here = _Here(vars(loaded), module, package)
    for name in sorted(set(vars(loaded)) | set(said.bound)):
        if name in OF_MODULES or name.startswith(OF_OTHERS):
            continue
        if names is not None and name not in names:
            continue
        if name not in vars(loaded):
            if said.bound[name] is not None:  # in a branch that was not taken, otherwise
                yield name, NotImplemented
        elif not _is_inside(module, name, vars(loaded)[name]) and not here.says(said, name, vars(loaded)[name]):
            yield name, vars(loaded)[name]


def loaded_inside(held: Collection[str], names: Collection[str] | None) -> Iterator[str]:
    """Yield the loaded modules that are attributes of loaded packages, under some names or all."""
    for package in held:
        if (loaded := sys.modules.get(package)) is None or not hasattr(loaded, "__path__"):
            continue
        for name, value in list(vars(loaded).items()):
            if (names is None or name in names) and _is_inside(package, name, value):
                yield f"{package}.{name}"


def _is_inside(module: str, name: str, value: object) -> bool:
    """Say whether an attribute is a module of the package, as importing it has set it."""
    return isinstance(value, types.ModuleType) and value is sys.modules.get(f"{module}.{name}")


@lru_cache(maxsize=256)
def _said(source: bytes, file: str) -> _Said:
    tree = ast.parse(source)
    bound: dict[str, ast.AST | None] = {}
    for node in tree.body:
        for name in _bound_by(node):
            bound[name] = None if name in bound or not isinstance(node, _PLAIN) else node
    return _Said(bound, _code_in(compile(source, file, "exec", dont_inherit=True)))


_PLAIN = (*_FUNCTIONS.__args__, ast.ClassDef, ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign)


def _bound_by(node: ast.stmt) -> Iterator[str]:
    """Yield the names that a statement may bind where it stands; more than that do no harm."""
    if isinstance(node, _FUNCTIONS | ast.ClassDef):
        yield node.name
        return
    for each in ast.walk(node):
        if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store | ast.Del):
            yield each.id
        elif isinstance(each, _FUNCTIONS | ast.ClassDef):
            yield each.name
        elif isinstance(each, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in each.names)
        elif isinstance(each, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and each.name:
            yield each.name


def _code_in(code: types.CodeType) -> dict[str, types.CodeType]:
    return {each.co_name: each for each in code.co_consts if isinstance(each, types.CodeType)}


@dataclass(frozen=True, slots=True)
class _Here:
    """Where values are compared: in a module's namespace."""

    namespace: Mapping[str, Any]
    module: str
    package: str

    def says(self, said: _Said, name: str, value: object) -> bool:
        """Say whether a value is what the source makes of its name."""
        node = said.bound.get(name)
        if isinstance(node, _FUNCTIONS):
            return not node.decorator_list and self._is_function(node, said.code.get(name), value)
        if isinstance(node, ast.ClassDef):
            return self._is_class(node, said.code.get(name), value)
        if isinstance(node, ast.Import | ast.ImportFrom):
            return self._is_imported(node, name, value)
        if isinstance(node, ast.Assign | ast.AnnAssign):
            return _is_target(node, name) and _is_value(node.value, value)
        return False

    def _is_function(self, node: ast.AST, code: types.CodeType | None, value: object, owner: object = None) -> bool:
        assert isinstance(node, _FUNCTIONS)
        if type(value) is not types.FunctionType or value.__globals__ is not self.namespace or vars(value):
            return False
        held = [cell.cell_contents for cell in value.__closure__ or ()]
        if value.__code__ != code or any(each is not owner for each in held):  # of a method: its class
            return False
        given, keywords = value.__defaults__ or (), value.__kwdefaults__ or {}
        required = {
            each.arg: default
            for each, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
            if default is not None
        }
        return (
            len(given) == len(node.args.defaults)
            and all(map(_is_value, node.args.defaults, given))
            and required.keys() == keywords.keys()
            and all(_is_value(default, keywords[name]) for name, default in required.items())
        )

    def _is_class(self, node: ast.ClassDef, code: types.CodeType | None, value: object) -> bool:
        made = frozenset[str]()
        if node.decorator_list:
            if not all(_is_dataclass(each) for each in node.decorator_list):
                return False
            made = _MADE_BY_DATACLASS
        if type(value) is not type or node.keywords or code is None or value.__module__ != self.module:
            return False
        if [self._named(base) for base in node.bases] != list(value.__bases__ if node.bases else ()):
            return False
        inner, rest = _code_in(code), set(vars(value)) - _MADE_BY_PYTHON - made
        for statement in node.body:
            names = list(_bound_by(statement))
            if isinstance(statement, ast.AnnAssign) and statement.value is None:
                continue
            if isinstance(statement, ast.Pass) or (isinstance(statement, ast.Expr) and not names):
                continue
            if len(names) != 1 or names[0] not in rest:
                return False
            rest.discard(names[0])
            if not self._is_member(statement, names[0], inner, vars(value)[names[0]], value):
                return False
        return all(made and _is_generated(vars(value)[name]) for name in rest)

    def _is_member(
        self, node: ast.stmt, name: str, code: Mapping[str, types.CodeType], value: Any, owner: object
    ) -> bool:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            return _is_target(node, name) and _is_value(node.value, value)
        if not isinstance(node, _FUNCTIONS):
            return False
        if node.decorator_list:
            word = getattr(node.decorator_list[0], "id", "")
            if len(node.decorator_list) > 1 or type(value).__name__ != word or word in self.namespace:
                return False
            if isinstance(value, property):
                value = value.fget if value.fset is None and value.fdel is None else None
            elif isinstance(value, staticmethod | classmethod):
                value = value.__func__ if set(vars(value)) <= set(_COPIED) else None
            else:
                return False
        return self._is_function(node, code.get(name), value, owner)

    def _named(self, node: ast.expr) -> object:
        """Return what an expression of names and attributes gives; itself for another one."""
        if isinstance(node, ast.Name):
            return self.namespace.get(node.id, getattr(sys.modules["builtins"], node.id, node))
        if isinstance(node, ast.Attribute):
            return getattr(self._named(node.value), node.attr, node)
        return node

    def _is_imported(self, node: ast.Import | ast.ImportFrom, name: str, value: object) -> bool:
        (alias,) = (each for each in node.names if name == (each.asname or each.name.partition(".")[0]))
        if isinstance(node, ast.Import):
            return value is sys.modules.get(alias.name if alias.asname else name)
        (module, *_) = absolute(node.level, node.module or "", (), self.package) or ["?"]
        held = getattr(sys.modules.get(module), "__dict__", {})
        return held.get(alias.name, sys.modules.get(f"{module}.{alias.name}", NotImplemented)) is value


_COPIED = ("__module__", "__name__", "__qualname__", "__doc__", "__annotations__", "__type_params__", "__wrapped__")


def _is_dataclass(node: ast.expr) -> bool:
    called = node.func if isinstance(node, ast.Call) else node
    return getattr(called, "id", getattr(called, "attr", "")) == "dataclass"


def _is_generated(value: object) -> bool:
    """Say whether a dataclass has made a method of its own."""
    inner = getattr(value, "__wrapped__", value)  # as reprlib.recursive_repr leaves it
    code = getattr(inner, "__code__", None)
    return value is None or (code is not None and code.co_filename in ("<string>", sys.modules["dataclasses"].__file__))


def _is_target(node: ast.Assign | ast.AnnAssign, name: str) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return any(isinstance(target, ast.Name) and target.id == name for target in targets)


def _is_value(node: ast.expr | None, value: object) -> bool:
    """Say whether an expression of constants gives a value, and one of the same types."""
    try:
        return node is not None and _same(_static(node), value)
    except Exception:  # no such expression, or one that fails
        return False


def _same(said: Any, value: Any) -> bool:
    if type(said) is not type(value):
        return False
    if isinstance(said, list | tuple):
        return len(said) == len(value) and all(map(_same, said, value))
    if isinstance(said, dict):
        return _same(list(said.items()), list(value.items()))
    if isinstance(said, set | frozenset):
        return sorted(map(repr, said)) == sorted(map(repr, value))
    return repr(said) == repr(value)


def _static(node: ast.expr) -> Any:
    """Return the value of an expression of constants; raise ValueError for any other."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Tuple):
        return tuple(map(_static, node.elts))
    if isinstance(node, ast.List):
        return list(map(_static, node.elts))
    if isinstance(node, ast.Set):
        return set(map(_static, node.elts))
    if isinstance(node, ast.Dict) and None not in node.keys:
        return {_static(key): _static(each) for key, each in zip(node.keys, node.values, strict=True) if key}
    if isinstance(node, ast.UnaryOp):
        return _UNARY[type(node.op)](_static(node.operand))
    if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        left, right = _static(node.left), _static(node.right)
        if isinstance(left, int | float | complex) and isinstance(right, int | float | complex):
            return _BINARY[type(node.op)](left, right)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords and len(node.args) < 2:
        made: dict[str, Callable[..., Any]] = {"dict": dict, "frozenset": frozenset, "list": list, "set": set}
        return made[node.func.id](*map(_static, node.args))
    raise ValueError("is not made of constants")
