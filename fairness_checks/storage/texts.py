"""The names that a text may reach for when something evaluates it: a formula, a query, an expression, an attribute."""

from __future__ import annotations

import ast
import keyword
import re
import warnings
from functools import lru_cache

__all__ = ["modules_in", "named_in"]

_NAME = re.compile(r"[^\W\d]\w*")
_CALLED = re.compile(r"([^\W\d]\w*)\s*\(")
_FORMULA = str.maketrans({"~": "+", ":": "+", "|": "+", "@": " "})  # of patsy and of pandas' queries
_QUERY = re.compile(r"\bselect\b.+\bfrom\b|\s*from\s+\w", re.IGNORECASE | re.DOTALL)
_MODULE = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*(?::[^\W\d][\w.]*)?")
_LONG = 4096
_SIDE_BY_SIDE = re.compile(r"(\w+)[ \t]+(?=(\w+))")
_NUMBER_AND_WORD = re.compile(r"(?<!\w)\d[\d._]*[^\W\d_]")  # "2in" is a number and a keyword to the parser
_NOT_AS_WRITTEN = re.compile(r"[\"'#\n\r\f]")  # around or behind which words may stand side by side
_KEYWORDS = frozenset([*keyword.kwlist, *keyword.softkwlist])


@lru_cache(maxsize=1 << 14)
def named_in(text: str) -> frozenset[str]:
    """Return the names in a text that is an expression, a formula or a program; of any other, what it calls."""
    if _NAME.fullmatch(text):
        return frozenset([text])
    found = _NAME.findall(text)
    if not found:
        return frozenset()
    if len(text) <= _LONG:
        for each in (text, text.translate(_FORMULA)):
            if _is_prose(each):
                continue
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of what the parser would not write so
                try:
                    tree = ast.parse(each.strip())
                except (SyntaxError, ValueError, MemoryError, RecursionError):
                    continue
            return frozenset(node.id for node in ast.walk(tree) if isinstance(node, ast.Name)) | _attributes(tree)
    every = "~" in text or "@" in text or len(text) > _LONG or _QUERY.match(text)
    return frozenset(found if every else _CALLED.findall(text))


def modules_in(text: str) -> list[str]:
    """Return the modules that a text may name, as configurations and entry points do, the longest name first."""
    if not ("." in text or ":" in text) or not _MODULE.fullmatch(text):
        return []
    parts = text.partition(":")[0].split(".")
    return [".".join(parts[:end]) for end in range(len(parts), 0, -1)]


def _is_prose(text: str) -> bool:
    """Say at once that a text is no Python, as most are: of tables of codes there are tens of thousands."""
    if _NOT_AS_WRITTEN.search(text) is not None or _NUMBER_AND_WORD.search(text) is not None:
        return False
    return any(_KEYWORDS.isdisjoint(pair) for pair in _SIDE_BY_SIDE.findall(text))


def _attributes(tree: ast.AST) -> frozenset[str]:
    return frozenset(node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute))
