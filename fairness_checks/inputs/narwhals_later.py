"""narwhals, loaded when it is first asked for something: NumPy arrays, lists and mappings of them do without it."""

from __future__ import annotations

import functools
import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np

if TYPE_CHECKING:
    import narwhals.stable.v2 as nw
    from narwhals import exceptions

__all__ = ["exceptions", "is_plain", "is_series", "nw"]

_API = "narwhals.stable.v2"
_PLAIN = frozenset({dict, list, np.ndarray, str, tuple})


class _Later:
    """A module that is not yet loaded."""

    def __init__(self, name: str) -> None:
        self._name = name

    @functools.cached_property
    def _module(self) -> ModuleType:
        return importlib.import_module(self._name)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._module, name)
        setattr(self, name, value)
        return value


if not TYPE_CHECKING:
    nw, exceptions = _Later(_API), _Later("narwhals.exceptions")


def is_plain(values: Any) -> bool:
    """Say whether values are of no library that narwhals reads, so that it need not even be loaded."""
    return type(values) in _PLAIN


def is_series(values: Any) -> TypeGuard[nw.Series[Any]]:
    """Say whether values are a series of narwhals."""
    return _API in sys.modules and isinstance(values, nw.Series)  # where it is not loaded, there is none
