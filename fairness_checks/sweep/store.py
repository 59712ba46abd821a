"""Results on disk: each as soon as it is there, whole or not at all, and never taken for those of another sweep.

::

    <cache>/sweeps/<model>-<data, version, code, libraries>/
        <mix>-<feature set>-<repeat>-<what this mix depends on>.json     one training
        results-<plan>.json                                              all of a plan, once they are complete

A training is kept under what it depends on itself, not under the plan that asked for it: more repeats, or one more
mix, train only what is new.
"""

from __future__ import annotations

import hashlib
import re
import sys
import uuid
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from filelock import FileLock
from pydantic import ValidationError

import fairness_checks
from fairness_checks.cache import write_atomically
from fairness_checks.cache_keys import library_versions
from fairness_checks.errors import CacheError
from fairness_checks.plain import JSON, canonical_json
from fairness_checks.sweep.plan import Task
from fairness_checks.sweep.results import RepeatResult, SweepResults

__all__ = ["SweepStore", "environment"]

_LIBRARIES = ("fairness-checks", "imbalanced-learn", "numpy", "pandas", "scikit-learn", "scipy")
# What turns rows into the numbers of a result; what is made of these numbers afterwards is not among it.
_CODE = (
    *(f"{name}.py" for name in ("counting", "encoding", "metrics", "predictions", "rows", "sensitive", "statistics")),
    *("array_like.py", "vectors.py", "inputs/*.py"),
    "kinds/*.py",
    "stats/*.py",
    "sweep/*.py",
)
_NOT_CODE = frozenset(  # what is made of the results, and how they are kept
    [
        *("stats/gaps.py", "stats/judge_repeats.py", "stats/mismatch_repeats.py", "stats/published_test.py"),
        *("stats/repeats.py", "sweep/analysis.py", "sweep/progress.py", "sweep/runs.py", "sweep/store.py"),
        "sweep/tables.py",
    ]
)


@cache
def environment() -> dict[str, JSON]:
    """Return what every result depends on besides its model: libraries, Python, and this package's own code.

    Examples
    --------
    >>> sorted(environment())
    ['code', 'libraries', 'python']
    """
    package = Path(fairness_checks.__file__).parent
    files = sorted({path.relative_to(package).as_posix() for pattern in _CODE for path in package.glob(pattern)})
    code = hashlib.sha256()
    for file in files:
        if file not in _NOT_CODE:
            code.update(f"{file} {hashlib.sha256((package / file).read_bytes()).hexdigest()}\n".encode())
    return {
        "code": code.hexdigest(),
        "libraries": library_versions(*_LIBRARIES),
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
    }


@dataclass(frozen=True, slots=True)
class SweepStore:
    """The results of one model with one data set, one version and one environment.

    Parameters
    ----------
    directory : Path
        Where they are; made by `locked`.
    key : str
        sha256 of what they depend on.
    """

    directory: Path
    key: str

    @classmethod
    def of(cls, cache_dir: Path, model: str, depends_on: Mapping[str, JSON]) -> SweepStore:
        """Return the store of a model whose results depend on the given plain builtins, and on the environment."""
        key = _sha256(canonical_json([model, dict(depends_on), environment()], "sweep key", CacheError))
        return cls(cache_dir / "sweeps" / f"{_file_name(model)}-{key[:16]}", key)

    @contextmanager
    def locked(self) -> Iterator[bool]:
        """Hold the store for one run; others wait, and then find its results. A killed process lets go.

        Yields
        ------
        bool
            Whether there is a store at all. False, with a RuntimeWarning, where the folder cannot be written.
        """
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.directory / ".lock").acquire()
        except (OSError, NotImplementedError) as error:  # read-only, or a file system without locks
            self.warn(error)
            yield False
            return
        with lock:
            for left in self.directory.glob(".*.tmp*"):  # of a process that was killed while it wrote
                left.unlink(missing_ok=True)
            yield True

    def warn(self, error: Exception) -> None:
        """Warn that results are not kept."""
        warnings.warn(
            f"cache folder {self.directory}: {error}; the sweep's results are right but not kept, and an interrupted "
            "run starts anew. Make the folder writable or name another one",
            RuntimeWarning,
            stacklevel=3,
        )

    def read(self, task: Task, depends_on: Mapping[str, JSON]) -> RepeatResult | None:
        """Return a stored training; None where it is missing, damaged, foreign or depends on something else."""
        key = self._task_key(task, depends_on)
        body = _read(self._path(task, key), key)
        try:
            return None if body is None else RepeatResult.from_json(body)
        except ValidationError:
            return None

    def has(self, task: Task, depends_on: Mapping[str, JSON]) -> bool:
        """Say whether there is a file for a training, whatever is in it."""
        return self._path(task, self._task_key(task, depends_on)).exists()

    def write(self, result: RepeatResult, depends_on: Mapping[str, JSON]) -> None:
        """Store a training; raise OSError if that is impossible."""
        key = self._task_key(result.task, depends_on)
        _write(self._path(result.task, key), key, result.to_json())

    def read_all(self, plan: JSON) -> SweepResults | None:
        """Return the results of a plan if they are complete; None as for `read`."""
        key = self._plan_key(plan)
        body = _read(self.results_path(plan), key)
        try:
            return None if body is None else SweepResults.from_json(body)
        except ValidationError:
            return None

    def write_all(self, results: SweepResults, plan: JSON) -> None:
        """Store the results of a plan; raise OSError if that is impossible."""
        _write(self.results_path(plan), self._plan_key(plan), results.to_json())

    def results_path(self, plan: JSON) -> Path:
        """Return where the results of a plan are."""
        return self.directory / f"results-{self._plan_key(plan)[:12]}.json"

    def _task_key(self, task: Task, depends_on: Mapping[str, JSON]) -> str:
        return _sha256(canonical_json([self.key, list(task), dict(depends_on)], "training", CacheError))

    def _plan_key(self, plan: JSON) -> str:
        return _sha256(canonical_json([self.key, plan], "plan", CacheError))

    def _path(self, task: Task, key: str) -> Path:
        mix, feature_set = _file_name(task.mix), _file_name(task.feature_set)
        return self.directory / f"{mix}-{feature_set}-{task.repeat:04}-{key[:12]}.json"


def _file_name(name: str) -> str:
    """Return a name as part of a file's, for the reader of the folder; what tells files apart is their key."""
    return re.sub(r"[^A-Za-z0-9_.]+", "_", name)[:40].strip(".")


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _around(key: str, digest: str) -> tuple[str, str]:
    """Return what stands before and after the body, so that the whole is canonical JSON."""
    return f'{{"key":"{key}","result":', f',"sha256":"{digest}"}}\n'


def _write(path: Path, key: str, body: str) -> None:
    before, after = _around(key, _sha256(body))
    # A worker that outlived its killed run may write the same file: each has a temporary name of its own.
    own = path.with_name(f".{uuid.uuid4().hex}.tmp")
    write_atomically(own, lambda file: file.write(f"{before}{body}{after}".encode("ascii")))
    own.replace(path)


def _read(path: Path, key: str) -> str | None:
    """Return the body of a file; None when it is missing, cut short, changed, or not written under this key."""
    try:
        text = path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return None
    before, after = _around(key, "0" * 64)
    body = text[len(before) : -len(after)]
    return body if text == body.join(_around(key, _sha256(body))) else None
