"""Where the processor time of a gate goes: a pytest plugin, ``-p benchmarks.gate_causes``, for `benchmarks.gate`.

Each moment counts for one cause, the innermost: what a training imports counts as imports. At the end seconds by cause
are written as JSON to the file that FAIRNESS_CAUSES names. Works in one process, so with ``--fairness-jobs 1``. Nothing
is imported for the sake of being watched: functions are wrapped when a run has imported them.
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

WATCHED = {
    "fairness_checks.sweep.training": {"Training._train": "sweep"},
    "fairness_checks.sweep.trainable": {"TrainableModel.identity": "store", "TrainableModel.out_of_fold": "sweep"},
    "fairness_checks.sweep.store": {
        "KeptTrainings.__init__": "store",
        "KeptTrainings.ensure": "store",
        "KeptTrainings.among": "store",
        "SweepStore.read_all": "store",
        "SweepStore.write": "store",
        "SweepStore.write_all": "store",
    },
    "fairness_checks.storage.cache": {"FittedCache.arrays": "store"},
    "fairness_checks.judge.judging": {"judge_shown": "inference"},
}
"""Functions by module, and the cause that each stands for."""

TRAINED = ("fit", "predict")
"""What the user's own code of a trainable model is; a loop of these alone is the naive one."""


class Clock:
    """Seconds of processor time by cause."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.calls: Counter[str] = Counter()
        self.causes = ["rest"]
        self.since = time.process_time()

    @contextmanager
    def __call__(self, cause: str) -> Iterator[None]:
        """Count a block for a cause."""
        self._turn()
        self.causes.append(cause)
        self.calls[cause] += 1
        try:
            yield
        finally:
            self._turn()
            self.causes.pop()

    def _turn(self) -> None:
        now = time.process_time()
        self.seconds[self.causes[-1]] = self.seconds.get(self.causes[-1], 0.0) + now - self.since
        self.since = now

    def watched(self, call: Callable[..., Any], cause: str) -> Callable[..., Any]:
        """Return a function that counts its time for a cause."""

        @functools.wraps(call)
        def counted(*arguments: Any, **named: Any) -> Any:
            with self(cause):
                return call(*arguments, **named)

        return counted


class Causes:
    """The plugin: watches imports, and what is imported."""

    def __init__(self) -> None:
        self.clock = Clock()
        bootstrap: Any = sys.modules["_frozen_importlib"]
        self._load = bootstrap._find_and_load_unlocked
        bootstrap._find_and_load_unlocked = self._import

    def _import(self, name: str, importer: object) -> object:
        with self.clock("imports"):
            module = self._load(name, importer)
        if name in WATCHED:
            self._watch(module, WATCHED[name])
        return module

    def _watch(self, module: object, functions: dict[str, str]) -> None:
        for path, cause in functions.items():
            *owners, last = path.split(".")
            owner = functools.reduce(getattr, owners, module)
            setattr(owner, last, self.clock.watched(getattr(owner, last), cause))
            if owners == ["TrainableModel"] and last == "out_of_fold":
                for name in TRAINED:
                    setattr(owner, name, self._timed(getattr(owner, name)))

    def _timed(self, slot: Any) -> property:
        """Return a field whose function is timed during a training, and the user's own elsewhere: its code is read."""

        def get(model: object) -> object:
            call = slot.__get__(model)
            return self.clock.watched(call, "fit and predict") if self.clock.causes[-1] == "sweep" else call

        return property(get, slot.__set__)

    def pytest_unconfigure(self) -> None:
        """Write what was counted."""
        with self.clock("rest"):
            pass
        found = {"seconds": self.clock.seconds, "calls": self.clock.calls}
        Path(os.environ["FAIRNESS_CAUSES"]).write_text(json.dumps(found), encoding="utf-8")


def pytest_configure(config: Any) -> None:
    """Wrap what is there already; the rest as it comes."""
    causes: Causes = config.pluginmanager.get_plugin("gate-causes")
    for name in WATCHED:
        if name in sys.modules:
            causes._watch(importlib.import_module(name), WATCHED[name])


def pytest_addoption(parser: Any, pluginmanager: Any) -> None:
    """Begin to count as early as a plugin can."""
    pluginmanager.register(Causes(), "gate-causes")
