"""What a code object does, apart from where it stands: its instructions, and the names that it reaches for."""

# Line numbers, file names, docstrings and the numbering of constants are left out: they change with a comment,
# another folder or a blank line, and no result does.

from __future__ import annotations

import dis
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType
from typing import Any

__all__ = [
    "COMPUTED",
    "Constant",
    "Import",
    "Listing",
    "imports_by_text",
    "listing_of",
    "nested_code",
    "texts_of",
    "texts_of_imports",
]

COMPUTED = frozenset(
    {
        *("__import__", "find_spec", "import_module", "locate", "resolve_module", "resolve_name", "run_module"),
        *("EntryPoint", "ExtensionFileLoader", "SourceFileLoader", "SourcelessFileLoader", "entry_points"),
        *("run_path", "spec_from_file_location", "spec_from_loader"),
    }
)
"""Functions and classes that import, or look for, what a text names."""

_USES = frozenset({"PRECALL", "CALL", "BINARY_SUBSCR", "BINARY_OP"})  # of a name as it is
_IMPORTERS = frozenset({"importlib", "pkgutil", "pydoc", "runpy"})
_HARMLESS = frozenset({"importlib.metadata", "importlib.resources"})
_NOTHING = frozenset({"CACHE", "EXTENDED_ARG", "NOP", "RESUME"})
_GLOBAL = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"})
_ATTRIBUTE = frozenset({"LOAD_ATTR", "LOAD_METHOD"})
_ABOUT_SOURCE = frozenset({"__doc__", "__firstlineno__", "__static_attributes__"})  # that a class body stores
_HAS_DOCSTRING = 0x4000000  # a flag of code objects from Python 3.14 on


@dataclass(frozen=True, slots=True)
class Constant:
    """A constant among the operands; also a nested function's code."""

    value: object


@dataclass(frozen=True, slots=True, order=True)
class Import:
    """An import statement inside a function: as many levels up, the module, and what is taken from it."""

    level: int
    module: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """What a code object does, and what it reaches for."""

    header: tuple[str, ...]  # arguments, flags and the table of exceptions
    steps: list[tuple[str, object]]  # each instruction's name and operand: text, a number, None or a `Constant`
    # each with the attributes read off it at once: ("np", "random", "default_rng"); sorted
    globals: list[tuple[str, ...]]
    imports: list[Import]  # sorted


@lru_cache(maxsize=4096)
def listing_of(code: CodeType) -> Listing:
    """Return what a code object does; nested code is an operand of its own."""
    arguments = code.co_argcount + code.co_kwonlyargcount
    arguments += bool(code.co_flags & 0x04) + bool(code.co_flags & 0x08)  # *args, **kwargs
    header = (
        f"{code.co_argcount} {code.co_posonlyargcount} {code.co_kwonlyargcount} {code.co_flags & ~_HAS_DOCSTRING}",
        " ".join(code.co_varnames[:arguments]),
        " ".join(code.co_cellvars),
        " ".join(code.co_freevars),
        code.co_exceptiontable.hex(),
    )
    steps = list(_steps(code))
    return Listing(header, steps, sorted(set(_chains(steps))), sorted(set(_imports(steps))))


def _steps(code: CodeType) -> Iterator[tuple[str, object]]:
    every = list(dis.get_instructions(code))
    kept = [step for step in every if step.opname not in _NOTHING]
    position = _positions(every)
    for at, step in enumerate(kept):
        stored = kept[at + 1] if at + 1 < len(kept) else None
        if stored is not None and stored.opname == "STORE_NAME" and stored.argval in _ABOUT_SOURCE:
            continue
        if step.opname == "STORE_NAME" and step.argval in _ABOUT_SOURCE:
            continue
        if step.opcode in dis.hasconst:
            yield step.opname, Constant(step.argval)
        elif step.opcode in dis.hasjrel or step.opcode in dis.hasjabs:
            yield step.opname, position[step.argval]
        elif step.opcode in _NAMED:
            yield step.opname, step.argval if isinstance(step.argval, str) else str(step.argval)
        else:
            yield step.opname, step.arg


_NAMED = frozenset([*dis.hasname, *dis.haslocal, *dis.hasfree, *dis.hascompare])


def _positions(every: list[dis.Instruction]) -> dict[int, int]:
    """Return how many instructions that do something stand before each offset: what a jump leads to."""
    positions, count = {}, 0
    for step in every:
        positions[step.offset] = count
        count += step.opname not in _NOTHING
    return positions


def _chains(steps: list[tuple[str, object]]) -> Iterator[tuple[str, ...]]:
    chain: list[str] = []
    for name, operand in [*steps, ("", None)]:
        if chain and name in _ATTRIBUTE:
            chain.append(str(operand))
            continue
        if chain:
            yield tuple(chain)
        chain = [str(operand)] if name in _GLOBAL else []


def _imports(steps: list[tuple[str, object]]) -> Iterator[Import]:
    for at, (name, operand) in enumerate(steps):
        if name == "IMPORT_NAME":  # after the constants of its level and of what is taken
            level, names = (_constant(steps[at - back][1]) for back in (2, 1))
            taken = tuple(str(each) for each in names) if isinstance(names, tuple) else ()
            yield Import(level if isinstance(level, int) else 0, str(operand), taken)


def _constant(operand: object) -> object:
    return operand.value if isinstance(operand, Constant) else operand


def nested_code(code: CodeType) -> Iterator[CodeType]:
    """Yield the code inside a code object: of its functions, classes and comprehensions."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from nested_code(constant)


def texts_of(code: CodeType) -> list[str]:
    """Return the texts among the constants of code, nested code included."""
    return [text for each in (code, *nested_code(code)) for text in each.co_consts if isinstance(text, str)]


def imports_by_text(module: str, names: Collection[str]) -> bool:
    """Say whether a module, or what is taken from it, imports what a text names."""
    harmless = module in _HARMLESS or (names and all(f"{module}.{name}" in _HARMLESS for name in names))
    return module.partition(".")[0] in _IMPORTERS and not (harmless and COMPUTED.isdisjoint(names))


def texts_of_imports(listing: Listing, namespace: Mapping[str, Any]) -> Iterator[str | None]:
    """Yield the texts that are handed to `importlib.import_module` and its like; None for one that is not known."""
    steps = [step for step in listing.steps if step[0] != "PUSH_NULL"]
    ends: list[tuple[str, object]] = [("", None)] * 2
    for (_, name), (loads, operand), (uses, _) in zip(steps, [*steps[1:], *ends], [*steps[2:], *ends], strict=False):
        if name in COMPUTED or name == "modules":
            given = namespace.get(str(operand)) if loads == "LOAD_GLOBAL" else _constant(operand)
            whole = uses in _USES and isinstance(given, str) and not given.startswith(".")
            yield given if whole and isinstance(given, str) else None
