"""Results on disk: each as soon as it is there, whole or not at all, and never taken for those of another sweep."""

# In a `KeyedStore`:
#   <cache>/sweeps/<model>-<data, version, code, libraries>.log      a line a training
#   <cache>/sweeps/<model>-<data, version, code, libraries>.run      who is at which, while several runs are at it
#   <cache>/sweeps/<model>-<the same, and the plan>.entry            all of a plan, once they are complete
# A training is kept under what it depends on itself, not under the plan that asked for it: more repeats, or one more
# mix, train only what is new.

from __future__ import annotations

import time
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from fairness_checks.errors import CacheError
from fairness_checks.plain import JSON, canonical_json
from fairness_checks.storage.claims import Claimant, Claims
from fairness_checks.storage.entries import Entry, key_digest
from fairness_checks.storage.keyed import KeyedStore, Log, file_name
from fairness_checks.storage.own_code import environment
from fairness_checks.sweep.plan import Task
from fairness_checks.sweep.results import RepeatResult, SweepResults

__all__ = ["KeptTrainings", "SweepStore"]

_SYNC_SECONDS = 5.0  # of trainings that a loss of power, not a kill, may cost


@dataclass(frozen=True, slots=True)
class SweepStore:
    """The results of one model with one data set, one version and one environment."""

    store: KeyedStore
    name: str  # of the model, as part of a file's
    key: str  # what they depend on, as canonical JSON

    @classmethod
    def of(cls, cache_dir: Path, model: str, depends_on: Mapping[str, JSON]) -> SweepStore:
        """Return the store of a model whose results depend on the given plain builtins, and on the environment."""
        key = canonical_json([model, dict(depends_on), environment()], "sweep key", CacheError)
        return cls(KeyedStore(cache_dir / "sweeps"), file_name(model), key)

    @property
    def log(self) -> Log:
        """The trainings."""
        return self.store.log(self.name, self.key)

    @contextmanager
    def shared(self) -> Iterator[Claims | None]:
        """Be one of the runs that do these trainings, each a part; None where nothing can be stored."""
        # With a RuntimeWarning then: a folder that is read-only, a file system without locks, something in the way.
        claims = Claims(self.store.path(self.name, self.key, "run"))
        with ExitStack() as held:
            try:
                self.store.directory.mkdir(parents=True, exist_ok=True)
                held.enter_context(claims.held())
                claims.take((), 0)
            except OSError as error:
                self.warn(error)
                yield None
                return
            yield claims

    def warn(self, error: OSError) -> None:
        """Warn that results are not kept."""
        warnings.warn(
            f"cache folder {self.store.directory}: {error.filename or self.log.path}: {error.strerror or error}; the "
            "sweep's results are right but not kept, and an interrupted run starts anew. Make the folder writable or "
            "name another one",
            RuntimeWarning,
            stacklevel=3,
        )

    def write(self, result: RepeatResult, depends_on: Mapping[str, JSON]) -> None:
        """Store a training; raise OSError if that is impossible."""
        self.log.append(self._task_key(result.task, depends_on), result.to_json().encode("ascii"))

    def read_all(self, plan: JSON) -> SweepResults | None:
        """Return the results of a plan if they are complete; None where they are missing, damaged or foreign."""
        entry = self.store.read(self.name, self._plan_key(plan))
        try:
            return None if entry is None else replace(SweepResults.from_json(entry.body.decode()), kept=entry.date)
        except ValueError:
            return None

    def write_all(self, results: SweepResults, plan: JSON, texts: Iterable[str]) -> None:
        """Store the results of a plan, dated as the oldest of them; raise OSError if that is impossible."""
        self.store.write(self.name, self._plan_key(plan), results.to_json(texts).encode("ascii"), results.kept)

    def task_digest(self, task: Task, depends_on: Mapping[str, JSON]) -> str:
        """Return the key of a training, as a log has it."""
        return key_digest(self._task_key(task, depends_on))

    def _task_key(self, task: Task, depends_on: Mapping[str, JSON]) -> str:
        return canonical_json([self.key, list(task), dict(depends_on)], "training", CacheError)

    def _plan_key(self, plan: JSON) -> str:
        return canonical_json([self.key, plan], "plan", CacheError)


class KeptTrainings:
    """The trainings in the log of a store, followed while it grows."""

    def __init__(self, store: SweepStore, claims: Claims) -> None:
        self.store = store
        self._claims = claims
        self._entries: dict[str, Entry] = {}
        self._end = 0
        self._synced = time.monotonic()

    def among(self, digests: Iterable[str]) -> dict[str, tuple[RepeatResult, str]]:
        """Return those of some trainings that are there, with their dates: not what is missing, damaged or foreign."""
        self._follow()  # once for all of them: whoever waits for others asks ten times a second
        found: dict[str, tuple[RepeatResult, str]] = {}
        for digest in digests:
            if (entry := self._entries.get(digest)) is not None:
                try:
                    found[digest] = RepeatResult.from_json(entry.body.decode()), entry.date
                except ValueError:
                    del self._entries[digest]  # the one that is written in its place counts
        return found

    def claim(self, digests: Sequence[str], most: int) -> set[str]:
        """Claim trainings that no other run is at; all of them where that cannot be told, as any may be done twice."""
        try:
            return set(self._claims.take(digests, most))
        except OSError:
            return set(digests)

    def claimed(self, digests: Iterable[str]) -> dict[Claimant, int]:
        """Return who has claimed how many of some trainings; nobody where that cannot be told."""
        wanted = set(digests)
        try:
            others = self._claims.others()
        except OSError:
            return {}
        return {one: found for one, parts in others.items() if (found := len(wanted.intersection(parts)))}

    def text(self, result: RepeatResult, depends_on: Mapping[str, JSON]) -> str:
        """Return the JSON of a training, as it is stored where it is."""
        entry = self._entry(result.task, depends_on)
        return result.to_json() if entry is None else entry.body.decode("ascii")

    def ensure(self, result: RepeatResult, depends_on: Mapping[str, JSON]) -> None:
        """Store a training unless another run has, where claims could not be told; raise OSError if impossible."""
        if self._entry(result.task, depends_on) is None:
            self.store.write(result, depends_on)
        if time.monotonic() - self._synced > _SYNC_SECONDS:
            self.store.log.sync()
            self._synced = time.monotonic()

    def _entry(self, task: Task, depends_on: Mapping[str, JSON]) -> Entry | None:
        key = self.store.task_digest(task, depends_on)
        if key not in self._entries:
            self._follow()
        return self._entries.get(key)

    def _follow(self) -> None:
        """Read what was written since."""
        new, self._end = self.store.log.read(self._end)
        self._entries |= new
