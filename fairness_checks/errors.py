"""Errors that a user can act on.

::

    FairnessError
    ├── ConfigurationError     thresholds.yaml or an argument of `audit` asks for something impossible
    ├── InvalidPredictions     the arrays that a model fixture returned cannot be evaluated
    ├── RecordError            a CheckRecord cannot be written to, or read from, JSON
    ├── EvidenceError          evidence of a run cannot be read or written
    ├── BaselineError          the committed baseline cannot be read, is not what was written, or cannot be written
    ├── ClusterError           a cluster that was chosen cannot train, or has lost trainings
    ├── MissingExtra           something asked for needs a library that is not installed; an ImportError too
    └── CacheError             a cache key is not plain, or a result cannot be stored without pickling

Every message names the place (file, key, array), the value seen, what is allowed and how to mend it.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from typing import TypeVar

__all__ = [
    "BaselineError",
    "CacheError",
    "ClusterError",
    "ConfigurationError",
    "EvidenceError",
    "FairnessError",
    "InvalidPredictions",
    "MissingExtra",
    "RecordError",
    "attempted",
    "did_you_mean",
    "listed",
]

T = TypeVar("T")


class FairnessError(Exception):
    """Base class of all errors that this package raises on purpose."""


class ConfigurationError(FairnessError):
    """A configuration or an argument asks for something that cannot be checked."""


class InvalidPredictions(FairnessError):
    """A model's predictions cannot be evaluated: wrong length, NaN, labels that are not binary, ..."""


class BaselineError(FairnessError):
    """The committed baseline cannot be read, is not what was written, or cannot be written."""


class CacheError(FairnessError):
    """A cache key cannot be written as JSON, or a result cannot be stored without pickling."""


class ClusterError(FairnessError):
    """A cluster that was chosen cannot do what it is asked, or has lost what it was doing."""


class EvidenceError(FairnessError):
    """Evidence of a run cannot be read, is of another layout, or cannot be written."""


class MissingExtra(FairnessError, ModuleNotFoundError):
    """What was asked for needs a library that an extra of this package brings, and that is not installed."""


class RecordError(FairnessError):
    """A record holds something other than plain builtins, or its JSON is not one of ours."""


def attempted(make: Callable[[], T]) -> T | Exception:
    """Return what is made, or the error that came instead: what does not need it goes on."""
    try:
        return make()
    except Exception as error:
        return error


_OPPOSITES = (("min", "max"), ("best", "worst"), ("true", "false"), ("positive", "negative"), ("over", "under"))


def did_you_mean(name: str, allowed: Iterable[str]) -> str:
    """Return a clause that names the nearest allowed name, or all of them; what says the opposite is not near."""
    names = sorted(set(allowed))
    near = {other.strip().casefold(): other for other in names if not _is_opposite(name, other)}
    found = difflib.get_close_matches(name.strip().casefold(), near, n=1, cutoff=0.6)
    return listed(near[found[0]] if found else None, names)


def listed(nearest: str | None, names: Iterable[str]) -> str:
    """Return a clause that names the nearest of some names, where there is one, and all of them."""
    listing = ", ".join(name if name == name.strip() else repr(name) for name in names) or "none"
    return f"did you mean {nearest!r}? (allowed: {listing})" if nearest else f"allowed: {listing}"


def _is_opposite(name: str, other: str) -> bool:
    """Say whether two names differ in a word that turns what they say into its opposite."""
    return any(
        (one in name and two in other and two not in name and one not in other)
        for pair in _OPPOSITES
        for one, two in (pair, pair[::-1])
    )
