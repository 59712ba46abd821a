"""Trainings side by side: in this process, and, where that pays, in others beside it.

What is trained where changes no number: each training has its own random numbers and one thread, and what another
process cannot do as this one does is done here. A model may depend on what this process holds (a variable that a
fixture set, an open connection); so the first training of a model is done in both, and another process whose result
differs by a bit, that fails or that ends is not asked again. A backend of joblib's that was chosen has them all.
"""

# Not joblib's processes: those of one pool are ended where a model's own `n_jobs` asks joblib for another, and their
# manager's warnings are errors under pytest. Not a fork: threads of BLAS and OpenMP do not survive it.

from __future__ import annotations

import contextlib
import math
import operator
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Generic, Self, TypeVar

from fairness_checks.sweep.backends import Answer, chosen_backend, heard, is_dask, on_joblib

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

__all__ = ["Workers", "one_thread", "usual_jobs"]

T = TypeVar("T")
R = TypeVar("R")

START_SECONDS = 6.0
"""Of processor time that must be left to start a process, which takes 2 to 4 of them to import what it needs."""
KEPT_SECONDS = 0.5
"""Of processor time that must be left where a process is there already."""
PORTION_SECONDS = 0.3
"""Of trainings that a process is sent at a time."""

_MOST = 8  # processes without being asked for: each holds the data and a model
_PATIENCE = 10.0  # seconds for a process that has nothing to do to end
_LOOK = 1.0  # seconds after which it is looked whether a process that owes an answer is still there
_SHARE_OF_MEMORY = 0.25  # that copies of the data may take without being asked for
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
_ONE_CORE = "LOKY_MAX_CPU_COUNT"  # what a model's own `n_jobs` of -1 comes to


def usual_jobs() -> int:
    """Return how many trainings are done at a time where nobody says: one a core, eight at most."""
    from joblib import cpu_count

    return min(int(cpu_count()), _MOST)


@lru_cache(maxsize=1)
def _threads(modules: int) -> ThreadpoolController:
    """Return the thread pools of this process; looked for again when more modules have been imported."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


class _OneThread:
    """The thread pools of this process, limited as long as anybody trains here: they belong to all of its threads."""

    def __init__(self) -> None:
        self._lock, self._training = threading.Lock(), 0
        self._before = contextlib.ExitStack()

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        with self._lock:
            limited = _threads(len(sys.modules)).limit(limits=1)
            if not self._training:
                self._before.enter_context(limited)
            self._training += 1
        try:
            yield
        finally:
            with self._lock:
                self._training -= 1
                if not self._training:
                    self._before.close()


@lru_cache(maxsize=1)
def _one_thread() -> _OneThread:
    return _OneThread()


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Limit libraries, and what a model itself asks of joblib, to one thread: sums in another order differ."""
    from joblib import parallel_config

    with _one_thread().held(), parallel_config(backend="sequential"):
        yield


class Workers:
    """Processes that train beside this one: started when that pays, kept for the next model, ended by `close`.

    Parameters
    ----------
    jobs : int, optional
        Trainings at a time, this process's own among them: at most, and only where that pays. -1: one a core. Default:
        what ``joblib.parallel_config`` says, else `usual_jobs`, fewer where copies of the data would take more than a
        quarter of the memory, and one where a training uses a GPU or other programs keep the cores busy.
    start_seconds : float
        Of processor time that must be left for a process to be started.
    sharing : int
        Runs that share the cores, where no number is asked for.

    Examples
    --------
    >>> with Workers(2) as workers:
    ...     list(workers.run(len, ["one", "three"]))
    [('one', 3), ('three', 5)]
    """

    def __init__(self, jobs: int | None = None, start_seconds: float = START_SECONDS, sharing: int = 1) -> None:
        self._given = jobs
        self._start_seconds = start_seconds
        self._sharing = sharing
        self._idle: list[_Worker] = []
        self._trusted: list[tuple[object, ...]] = []

    @cached_property
    def jobs(self) -> int:
        """Trainings at a time at most; found when first asked for, as a run that reads what is kept never asks."""
        from joblib import cpu_count

        if self._asked is None:
            return max(1, usual_jobs() // self._sharing)
        return int(cpu_count()) if self._asked < 0 else self._asked

    @cached_property
    def _asked(self) -> int | None:
        """Return the number that was asked for, here or of joblib."""
        from joblib.parallel import get_active_backend

        found: int | None = get_active_backend()[1] if self._given is None else self._given
        return found

    def portion(self, left: int) -> int:
        """Return how many of the tasks that are left this process takes at a time, where others may be at them too."""
        return left if self._sharing == 1 else min(left, max(self.jobs, -(-left // (2 * self._sharing))))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the processes."""
        while self._idle:
            self._idle.pop().close()

    def run(
        self,
        call: Callable[[T], R],
        tasks: Iterable[T],
        *,
        of: Sequence[object] = (),
        same: Callable[[R, R], bool] = operator.eq,
        named: Callable[[T], str] = str,
    ) -> Iterator[tuple[T, R]]:
        """Yield each task and its result as they come, in any order.

        Parameters
        ----------
        call : callable
            What is done with each task; may be sent to another process.
        tasks : iterable
            What is to be done; small and picklable.
        of : sequence of objects
            Whose code runs in `call`. Where a process did a first task as this one for the same objects, it is
            believed without another.
        same : callable
            Says whether two results are the same bit by bit.
        named : callable
            Names a task for readers.

        Raises
        ------
        ClusterError
            If a Dask cluster was chosen and cannot do it.
        """
        left = deque(tasks)
        if left and (backend := chosen_backend()) is not None:
            yield from self._elsewhere(backend, call, left, of, same, named)
            return
        first: tuple[T, R] | None = None
        fastest = math.inf
        alone = 0
        while left and (alone == 0 or not self._pays(fastest, len(left), alone)):
            start = time.process_time()
            done = (task := left.popleft(), call(task))
            fastest = min(fastest, time.process_time() - start)
            first, alone = first or done, alone + 1
            yield done
        code = _pickled(call) if left else None
        if first is None or code is None:
            yield from ((task, call(task)) for task in left)
            return
        workers = self._workers(min(self.jobs - 1, len(left)), len(code))
        believed = self._believes(of)
        shared = _Shared(call, code, left, fastest, workers, None if believed else first, same)
        try:
            yield from shared.results()
        finally:
            shared.end()
            self._idle = [worker for worker in self._idle if worker.alive]
        if of and shared.believed and not believed:
            self._trusted.append(tuple(of))

    def _elsewhere(
        self,
        backend: Any,
        call: Callable[[T], R],
        tasks: deque[T],
        of: Sequence[object],
        same: Callable[[R, R], bool],
        named: Callable[[T], str],
    ) -> Iterator[tuple[T, R]]:
        """Yield what comes of tasks on a backend that was chosen."""
        if not is_dask(backend):
            yield from on_joblib(backend, call, tasks, None if self._given is None else self.jobs)
            return
        from fairness_checks.sweep.dask_cluster import DaskCluster

        believed = self._believes(of)
        first = None if believed else tasks.popleft()
        yield from DaskCluster(backend, call, named, of).results(
            tasks, first, same, None if self._asked is None else self.jobs
        )
        if of and not believed:
            self._trusted.append(tuple(of))

    def _believes(self, of: Sequence[object]) -> bool:
        """Say whether others have done a first task for the same objects as this process did."""
        return any(len(one) == len(of) and all(map(operator.is_, one, of)) for one in self._trusted if of)

    def _pays(self, fastest: float, left: int, alone: int) -> bool:
        """Say whether others shorten what is left, by the fastest training of as many as this process did alone."""
        if self.jobs == 1 or fastest * left < (KEPT_SECONDS if self._idle else self._start_seconds):
            return False
        if alone == 1 and not self._idle and fastest < self._start_seconds:
            return False  # the first one may have taken its time to import what it needs
        return self._asked is not None or not (_uses_gpu() or (not self._idle and _is_busy()))

    def _workers(self, wanted: int, size: int) -> list[_Worker]:
        """Return processes, each of which takes so many bytes of code and data at least; none where none has room."""
        if self._asked is None:
            wanted = int(min(wanted, _SHARE_OF_MEMORY * _memory() / size))
        with contextlib.suppress(OSError):  # no more processes, or no interpreter to start: fewer do as well
            while len(self._idle) < wanted:
                self._idle.append(_Worker())
        return self._idle[:wanted]


class _Shared(Generic[T, R]):
    """Tasks that this process and others do together."""

    def __init__(
        self,
        call: Callable[[T], R],
        code: bytes,
        left: deque[T],
        seconds: float,
        workers: Sequence[_Worker],
        first: tuple[T, R] | None,
        same: Callable[[R, R], bool],
    ) -> None:
        self._call, self._code, self._left, self._seconds, self._same = call, code, left, seconds, same
        self._first, self.believed, self._doubted = first, first is None, False
        self._lock = threading.Lock()
        self._again: deque[T] = deque()  # what another process could not do
        self._held: list[tuple[T, R]] = []  # until others are believed
        self._answers: queue.SimpleQueue[tuple[_Worker, list[T], Answer | None, bool]] = queue.SimpleQueue()
        self._feeding: dict[_Worker, threading.Thread] = {}
        self._sent: Counter[_Worker] = Counter()  # portions that each process has, or that wait to be read
        self._owed: dict[_Worker, tuple[list[T], bool]] = {}  # what each process is at, and whether that proves it
        self._others = len(workers)
        for number, worker in enumerate(workers):
            proving = number == 0 and first is not None
            self._feeding[worker] = threading.Thread(target=self._feed, args=(worker, proving), daemon=True)
        for thread in self._feeding.values():
            thread.start()

    def results(self) -> Iterator[tuple[T, R]]:
        """Yield tasks and results: what this process does itself, and what comes back meanwhile."""
        while True:
            while not self._answers.empty():
                yield from self._answered()
            if portion := self._take(1):
                yield portion[0], self._call(portion[0])
            elif self._sent or self._held:
                yield from self._answered()
            elif not self._again:
                return  # without a wait for a process that has only just started

    def end(self) -> None:
        """End the processes that still work at what nobody waits for."""
        with self._lock:
            self._left.clear()
        for worker in set(self._sent):
            worker.kill()
            self._feeding[worker].join(_PATIENCE)

    def _take(self, most: int, worker: _Worker | None = None) -> list[T]:
        """Return the next tasks, for another process or this one."""
        with self._lock:
            if worker is None and self._again:
                return [self._again.popleft()]
            if worker is not None and self._left:
                self._sent[worker] += 1
            fair = -(-len(self._left) // (2 * (self._others + 1)))  # the last ones are not left to one
            return [self._left.popleft() for _ in range(min(most, fair))]

    def _feed(self, worker: _Worker, proving: bool) -> None:
        """Send tasks to a process until there are none, in a thread of its own."""
        size = max(1, int(PORTION_SECONDS / max(self._seconds, 1e-9)))
        portion = [self._first[0]] if proving and self._first is not None else self._take(size, worker)
        while portion:
            with self._lock:
                self._owed[worker] = portion, proving
            answer = worker.do(self._code, portion)
            with self._lock:
                gone = self._owed.pop(worker, None) is None
            if not gone:
                self._answers.put((worker, portion, answer, proving))
            if gone or answer is None:
                return
            portion, proving = self._take(size, worker), False

    def _answered(self) -> Iterator[tuple[T, R]]:
        """Wait for an answer, and yield what can be believed by then."""
        worker, portion, answer, proof = self._next()
        with self._lock:
            self._sent[worker] -= not proof
            self._sent = +self._sent  # without those at 0
        if proof and answer is not None and self._first is not None:
            self.believed = self._same(self._first[1], answer[0][0])
        if answer is None or not _said_again(answer[1]) or (proof and not self.believed):
            self._refuse([] if proof else portion)
        elif self._doubted:
            self._refuse(portion)
        elif not proof:
            self._held += zip(portion, answer[0], strict=True)
        if self.believed:
            yield from self._held
            self._held = []

    def _next(self) -> tuple[_Worker, list[T], Answer | None, bool]:
        """Wait for the next answer; that of a process which has ended is none."""
        # A program that a training started may hold the pipe of a process that was killed, so that it never closes.
        while True:
            with contextlib.suppress(queue.Empty):
                return self._answers.get(timeout=_LOOK)
            with self._lock:
                gone = [(worker, *owed) for worker, owed in self._owed.items() if not worker.alive]
                for worker, portion, proof in gone:
                    del self._owed[worker]
                    self._answers.put((worker, portion, None, proof))

    def _refuse(self, portion: list[T]) -> None:
        """Leave to this process what another one could not do, and all that nobody has begun."""
        self._doubted = self._doubted or not self.believed
        with self._lock:
            self._again += [*portion, *self._left]
            self._left.clear()
        if self._doubted:
            self._again += [task for task, _ in self._held]
            self._held = []


class _Worker:
    """Another process, which does what it is sent."""

    def __init__(self) -> None:
        paths = [path or str(Path.cwd()) for path in sys.path]
        program = f"import sys; sys.path[:] = {paths!r}; from {__name__} import serve; serve()"
        environment = {**os.environ, **dict.fromkeys((*_ONE_THREAD, _ONE_CORE), "1")}
        self._lock = threading.Lock()  # who asks next waits for the answer to who asked before
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._given, self._back = self._process.stdin, self._process.stdout
        self._code: bytes | None = None

    @property
    def alive(self) -> bool:
        """Say whether the process can be sent something."""
        return self._process.poll() is None

    def do(self, code: bytes, portion: Sequence[object]) -> Answer | None:
        """Return what became of tasks; None where the process, or something in it, failed."""
        try:
            with self._lock:
                _send(self._given, (None if code is self._code else code, list(portion)))
                self._code = code
                answer: Answer | None = _receive(self._back)
        except Exception:  # it has ended, or what it sent cannot be read here
            self.kill()
            answer = None
        return answer

    def close(self) -> None:
        """Let the process end; at once where it is at work."""
        if self._lock.acquire(blocking=False):
            with contextlib.suppress(OSError):
                self._given.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_PATIENCE)
            self._lock.release()
        self.kill()

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()
        self._process.wait()
        if self._lock.acquire(timeout=_PATIENCE):  # whoever waits for an answer finds that there is none
            for stream in (self._given, self._back):
                with contextlib.suppress(OSError):
                    stream.close()
            self._lock.release()


def serve() -> None:
    """Do what is asked on the standard input, until it is closed: the program of another process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever asks decides
    given, back = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a model prints must not stand between the answers
    with Path(os.devnull).open(encoding="utf-8") as nothing:
        os.dup2(nothing.fileno(), 0)  # and a program that it starts must not wait for what is asked next
        sys.stdin = nothing
        call: Callable[[object], object] | None = None
        with contextlib.suppress(EOFError):
            while True:
                code, portion = _receive(given)
                try:
                    call = pickle.loads(code) if code is not None else call
                    answer = pickle.dumps(heard(call, portion))
                except BaseException:  # whatever it is, who asked will see it when it does the same
                    answer = pickle.dumps(None)
                _write(back, answer)


def _said_again(seen: Sequence[tuple[Any, ...]]) -> bool:
    """Warn of what another process warned of; False where that is an error here."""
    try:
        for one in seen:
            warnings.warn_explicit(*one)
    except Warning:
        return False
    return True


def _send(stream: Any, content: object) -> None:
    _write(stream, pickle.dumps(content))


def _write(stream: Any, content: bytes) -> None:
    stream.write(len(content).to_bytes(8, "big"))
    stream.write(content)
    stream.flush()


def _receive(stream: BinaryIO | Any) -> Any:
    length = int.from_bytes(_exactly(stream, 8), "big")
    return pickle.loads(_exactly(stream, length))


def _exactly(stream: Any, length: int) -> bytes:
    content: bytes = stream.read(length)
    if len(content) < length:
        raise EOFError
    return content


def _pickled(call: object) -> bytes | None:
    """Return what another process does as this one; None where that cannot be written down."""
    import cloudpickle

    try:
        content: bytes = cloudpickle.dumps(call)
    except Exception:  # of any kind, as objects raise what they like
        return None
    return content


def _uses_gpu() -> bool:
    """Say whether torch computes on a GPU in this process; several trainings at once would share its memory."""
    torch = sys.modules.get("torch")
    return torch is not None and bool(torch.cuda.is_initialized())


def _is_busy() -> bool:
    """Say whether other programs leave no core to start a process on; this one keeps one busy itself."""
    from joblib import cpu_count

    try:
        return bool(os.getloadavg()[0] > cpu_count() - 0.5)
    except (AttributeError, OSError):
        return False


def _memory() -> float:
    """Return the bytes of memory of this machine; infinity where it does not say."""
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):
        return math.inf
