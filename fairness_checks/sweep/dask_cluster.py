"""Trainings on a Dask cluster: those of a user who has chosen it by ``joblib.parallel_config("dask")``.

A cluster that was asked for does the work, or the run says why it did not: nothing falls back on this process, where
hours would become days. So each thing that can go wrong is one `ClusterError`, and what a training itself raises is
raised here. The first training of a model is done in both places, and must give the same bits.
"""

# By the client of joblib's backend, not by joblib: that sends code and data with every few trainings, returns them all
# at once, and waits without end for what a lost worker held.

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import pickle
import queue
import sys
import time
import types
import warnings
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import wait
from functools import lru_cache
from typing import Any, Generic, TypeGuard, TypeVar

from fairness_checks.errors import ClusterError
from fairness_checks.plain import JSON, counted
from fairness_checks.storage.code_digest import digest_of
from fairness_checks.storage.origin import OWN, library_identities, origin_of
from fairness_checks.storage.own_code import environment
from fairness_checks.sweep.backends import heard

__all__ = ["DaskCluster", "trained"]

T = TypeVar("T")
R = TypeVar("R")

_LOOK = 1.0  # seconds after which it is looked whether the cluster is still there
_FAILED = ("error", "cancelled")  # of a future
_SHOWN = 3  # of the names of what differs, or was not done
_HERE = "or train here, without joblib.parallel_config('dask')"


class DaskCluster(Generic[T, R]):
    """Tasks that the workers of a Dask cluster do.

    Parameters
    ----------
    backend : joblib's DaskDistributedBackend
        Whose client, and whose keywords of `Client.submit`, are used.
    call : callable
        What is done with each task.
    named : callable
        Names a task for readers.
    of : sequence of objects
        Whose code runs in `call`: the libraries that it uses must be the same on every worker.
    """

    def __init__(
        self, backend: Any, call: Callable[[T], R], named: Callable[[T], str], of: Sequence[object] = ()
    ) -> None:
        self._client, self._options = backend.client, dict(backend.submit_kwargs)
        self._patience = float(backend.wait_for_workers_timeout or math.inf)
        self._waits = backend.retrieval_context  # a worker that asks its own cluster leaves its place meanwhile
        self._call, self._named, self._of = call, named, of
        self._finished: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._asked: dict[Any, T] = {}  # by future
        self._proving: Any = None  # the future of what this process does too

    def results(
        self, tasks: Iterable[T], proof: T | None, same: Callable[[R, R], bool], most: int | None
    ) -> Iterator[tuple[T, R]]:
        """Yield each task and its result as they come, in any order.

        Parameters
        ----------
        tasks : iterable
            What is to be done.
        proof : task, optional
            One more, which this process does too.
        same : callable
            Says whether two results are the same bit by bit.
        most : int, optional
            Tasks at a time; all by default, so that a cluster that adapts sees how much there is.
        """
        todo, held = iter(tasks), list[tuple[T, R]]()
        sent = self._sent()
        with self._waits():
            try:
                self._await_worker()
                self._proving = None if proof is None else self._submit(sent, proof)
                while most is None or len(self._asked) < most:
                    if (task := next(todo, None)) is None:
                        break
                    self._submit(sent, task)
                if proof is not None:
                    own = self._call(proof)
                    yield proof, own
                while self._asked:
                    future, found = self._next()
                    task = self._asked.pop(future)
                    if (more := next(todo, None)) is not None:
                        self._submit(sent, more)
                    if future is self._proving:
                        self._require(same(own, found), task)
                        self._proving = None
                    else:
                        held.append((task, found))
                    if self._proving is None:
                        yield from held
                        held.clear()
            finally:
                self._let_go(sent)

    def _submit(self, sent: Any, task: T) -> Any:
        # As bytes: a worker without this package that reads a task of it ends, and is started again, for ever.
        future = self._client.submit(_asking(), sent, pickle.dumps(task), os.getpid(), pure=False, **self._options)
        self._asked[future] = task
        future.add_done_callback(self._finished.put)
        return future

    def _sent(self) -> Any:
        """Send code and data to the cluster, once; a task of its own, so that Dask has it again where it was lost."""
        content = pickle.dumps((_beside(digest_of(self._of).libraries), _by_value(self._call)))
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Sending large graph", UserWarning)  # all trainings need it
            return self._client.submit(bytes, content, pure=False)

    def _next(self) -> tuple[Any, R]:
        """Return the next task that is done, and its result."""
        future = self._waited(self._finished_one)
        if future.status not in _FAILED:  # it takes as long as it takes, longer where its worker was lost with it
            coming = asyncio.run_coroutine_threadsafe(
                self._client.gather(future, asynchronous=True), self._client.loop.asyncio_loop
            )
            self._waited(lambda: wait([coming], _LOOK).done)
        if future.status in _FAILED:
            raise self._problem(future)
        if coming.cancelled() or (error := coming.exception()) is not None:
            why = "its connection ended" if coming.cancelled() else f"{type(error).__name__}: {error}"
            raise ClusterError(
                f"the result of {self._named(self._asked[future])} did not come from {self._place} ({why}), "
                f"{self._lost()}; run again, {_HERE}"
            )
        future.release()  # as in `_let_go`
        result, said = coming.result()
        for one in said:
            warnings.warn_explicit(*one)
        found: R = result
        return future, found

    def _finished_one(self) -> Any:
        with contextlib.suppress(queue.Empty):
            return self._finished.get(timeout=_LOOK)

    def _waited(self, look: Callable[[], Any]) -> Any:
        """Look until there is something, as long as there is a cluster that can still bring it."""
        idle = time.monotonic()
        while not (found := look()):
            if self._workers():
                idle = time.monotonic()
            elif time.monotonic() - idle > self._patience:
                raise ClusterError(f"{self._place} has had no worker for {self._patience:g} s, {self._lost()}")
        return found

    def _problem(self, future: Any) -> Exception:
        """Return what is wrong with a task that was not done."""
        name = self._named(self._asked[future])
        if future.status == "cancelled":
            self._workers()  # says so where it is closed
            return ClusterError(f"{self._place} has given up {name} (was it restarted?), {self._lost()}")
        error: Exception = future.exception()
        if type(error).__name__ == "KilledWorker":
            ended = counted(int(getattr(error, "allowed_failures", 0)) + 1, "worker")
            return ClusterError(
                f"{name} is lost: {ended} of {self._place} ended while training it; give them more memory, or look "
                "into what they wrote"
            )
        if isinstance(error, ModuleNotFoundError) and str(error.name).partition(".")[0] == OWN:
            return ClusterError(
                f"{self._place} has a worker without {OWN}; install pytest-fairness[sweep] there, of the version that "
                f"is installed here, {_HERE}"
            )
        if not isinstance(error, ClusterError):
            error.add_note(f"on {self._place}")
        return error

    def _require(self, same: bool, task: T) -> None:
        if not same:
            raise ClusterError(
                f"{self._named(task)}: {self._place} comes to another result than this process: `fit` or `predict` "
                "depends on what only this process holds, as a variable that a fixture set, or the processors "
                f"compute otherwise; run pytest on a machine of the cluster, {_HERE}"
            )

    def _await_worker(self) -> None:
        """Wait until the cluster has a worker, as long as joblib would."""
        begun = time.monotonic()
        while not self._workers():
            if time.monotonic() - begun > self._patience:
                raise ClusterError(
                    f"{self._place} has no worker after {self._patience:g} s; start one, or wait longer by "
                    "joblib.parallel_config('dask', wait_for_workers_timeout=SECONDS)"
                )
            time.sleep(_LOOK / 10)

    def _workers(self) -> int:
        """Return how many workers there are; raise ClusterError where there will be none any more."""
        if self._client.status in ("closed", "closing"):
            raise ClusterError(f"{self._place} is closed, {self._lost()}")
        if self._client.status == "running":
            with contextlib.suppress(Exception):  # of any kind where its scheduler goes; the client finds out
                return len(self._client.nthreads())
        return 0

    @property
    def _place(self) -> str:
        scheduler = getattr(self._client, "scheduler", None)
        return f"the Dask cluster {getattr(scheduler, 'address', '')}".strip()

    def _lost(self) -> str:
        """Name what was not done."""
        names = [self._named(task) for future, task in self._asked.items() if future is not self._proving]
        shown = "; ".join(names[:_SHOWN]) + ("; ..." if len(names) > _SHOWN else "")
        return f"and {counted(len(names), 'training')} not done: {shown}" if names else "and nothing was trained"

    def _let_go(self, sent: Any) -> None:
        """Let the cluster forget what nobody waits for."""
        with contextlib.suppress(Exception):  # of a client that is closed
            self._client.cancel(list(self._asked))
        with contextlib.suppress(Exception):
            sent.release()  # by name, as the traceback of an error may hold it
        self._asked.clear()


def _by_value(call: object) -> bytes:
    """Return a call with the code of the project's own modules, which are on no other machine."""
    import cloudpickle

    given = cloudpickle.list_registry_pickle_by_value()  # by the user
    found = {m.__name__: m for m in list(sys.modules.values()) if _is_of_project(m)}
    own = [module for name, module in found.items() if name not in given]
    try:
        for module in own:
            cloudpickle.register_pickle_by_value(module)
        with contextlib.suppress(Exception):  # a module that uses a lock of its own is sent by its name
            with_code: bytes = cloudpickle.dumps(call)
            return with_code
    finally:
        for module in own:
            cloudpickle.unregister_pickle_by_value(module)
    try:
        content: bytes = cloudpickle.dumps(call)
    except Exception as error:  # of any kind, as objects raise what they like
        raise ClusterError(
            f"what trains cannot be sent to a Dask cluster ({type(error).__name__}: {error}): `fit`, `predict` or the "
            f"data hold something of this process, as a lock or a connection; open it in `fit`, {_HERE}"
        ) from None
    return content


def _is_of_project(module: object) -> TypeGuard[types.ModuleType]:
    if not isinstance(module, types.ModuleType) or sys.modules.get(module.__name__) is not module:
        return False
    file = module.__dict__.get("__file__")
    return isinstance(file, str) and origin_of(module.__name__, file).kind == "project"


@lru_cache(maxsize=1)
def _asking() -> Callable[[bytes, bytes, int], Any]:
    """Return what a worker is asked to do, in a way that one without this package can read."""

    def training(content: bytes, task: bytes, asking: int) -> Any:
        from fairness_checks.sweep.dask_cluster import trained

        return trained(content, task, asking)

    return training


def trained(content: bytes, asked: bytes, asking: int) -> tuple[Any, list[tuple[Any, ...]]]:
    """Do a task on a worker of the cluster; return its result, and its warnings."""
    call, task = _loaded(content), pickle.loads(asked)
    if asking == os.getpid() or _threads() > 1:  # warnings belong to a process, not to a thread
        return call(task), []
    (result,), said = heard(call, [task])
    return result, said


def _threads() -> int:
    from distributed import get_worker

    return int(get_worker().state.nthreads)


@lru_cache(maxsize=1)
def _loaded(content: bytes) -> Callable[[Any], Any]:
    """Return what is done with each task, the same for all tasks of a model."""
    there, code = pickle.loads(content)
    _require_libraries(there, _beside(library_identities(there["libraries"]), there["libraries"]))
    try:
        call: Callable[[Any], Any] = pickle.loads(code)
    except ImportError as error:
        raise ClusterError(
            f"a worker of the Dask cluster cannot import what trains: {error}; install it there, {_HERE}"
        ) from None
    return call


def _beside(found: Mapping[str, str], asked: Container[str] | None = None) -> dict[str, Any]:
    """Return the environment of this process, with the libraries that were found and asked for."""
    # Not those that no installer recorded: the times of their files are others on every machine.
    own: dict[str, Any] = environment()
    more = {
        name: one for name, one in found.items() if not one.startswith("files ") and (asked is None or name in asked)
    }
    return {**own, "libraries": {**more, **own["libraries"]}}


def _require_libraries(there: dict[str, JSON], here: dict[str, JSON]) -> None:
    """Refuse a worker whose results would not be those of the process that asks."""
    one, other = ({**each, **dict(each["libraries"])} for each in (there, here))  # type: ignore[arg-type]
    differ = [name for name in sorted({*one, *other} - {"libraries"}) if one.get(name) != other.get(name)]
    if differ:
        words = [f"{OWN if name == 'code' else name} is {_of(other, name)}, not {_of(one, name)}" for name in differ]
        more = f"; {len(words) - _SHOWN} more differ" if len(words) > _SHOWN else ""
        raise ClusterError(
            f"a worker of the Dask cluster has other libraries than the process that asks it: "
            f"{'; '.join(words[:_SHOWN])}{more}; install the same there, {_HERE}"
        )


def _of(libraries: dict[str, Any], name: str) -> str:
    """Return what a library is known by, of the digest of code alone its first digits."""
    found = str(libraries.get(name, "not installed"))
    return found[:12] if name == "code" else found
