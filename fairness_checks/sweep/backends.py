"""Where trainings are done that a user has sent elsewhere, by `joblib.parallel_config`."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

__all__ = ["chosen_backend", "is_dask", "on_joblib"]

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
