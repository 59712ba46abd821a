"""Where a user has trainings done, by `joblib.parallel_config`; what another process returns of some."""

from __future__ import annotations

import itertools
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeAlias, TypeVar

__all__ = ["Answer", "chosen_backend", "heard", "is_dask", "on_joblib"]

Answer: TypeAlias = tuple[list[Any], list[tuple[Any, ...]]]
"""Results, and warnings as `warnings.warn_explicit` takes them."""

T = TypeVar("T")
R = TypeVar("R")

_PER_JOB = 4  # tasks that a worker gets between two signs of progress, where a backend returns nothing earlier


def chosen_backend() -> Any | None:
    """Return the backend of joblib's that was chosen; None where it is the usual one."""
    from joblib._parallel_backends import LokyBackend
    from joblib.parallel import get_active_backend

    backend, _ = get_active_backend()
    return None if type(backend) is LokyBackend and not backend.nesting_level else backend


def is_dask(backend: object) -> bool:
    """Say whether a backend is joblib's for Dask."""
    return type(backend).__module__ == "joblib._dask"


def on_joblib(backend: Any, call: Callable[[T], R], tasks: Iterable[T], jobs: int | None) -> Iterator[tuple[T, R]]:
    """Yield each task and its result as they come, in any order, of any backend."""
    from joblib import Parallel, delayed, effective_n_jobs

    options = {} if jobs is None else {"n_jobs": jobs}
    done, todo = delayed(_done), iter(tasks)
    if getattr(backend, "supports_return_generator", False):
        yield from Parallel(return_as="generator_unordered", **options)(done(call, task) for task in todo)
        return
    with Parallel(**options) as parallel:  # a backend that returns all at once is given a few at a time
        while some := list(itertools.islice(todo, _PER_JOB * effective_n_jobs(parallel.n_jobs))):
            yield from parallel(done(call, task) for task in some)


def _done(call: Callable[[T], R], task: T) -> tuple[T, R]:
    return task, call(task)


def heard(call: Any, portion: Sequence[object]) -> Answer:
    """Return what comes of tasks, and their warnings as `warnings.warn_explicit` takes them."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")  # who asked decides which are shown, and which are errors
        warnings.simplefilter("ignore", ResourceWarning)  # of garbage, whoever left it; here it could raise nothing
        results = [call(task) for task in portion]
    said = {(str(one.message), one.category, one.filename, one.lineno): one.message for one in seen}
    return results, [(message, *key[1:], _module_of(key[2])) for key, message in said.items()]


def _module_of(file: str) -> str:
    """Return the name of the module in a file, by which filters of warnings know it; else that of the file."""
    modules = list(sys.modules.items())  # by what they hold: asking some of them imports others
    found = (name for name, module in modules if getattr(module, "__dict__", {}).get("__file__") == file)
    return next(found, file.removesuffix(".py"))
