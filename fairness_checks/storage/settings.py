"""Settings of libraries that change what they compute: those that differ from what their library starts with."""

# No library is imported here. One that is not loaded has the settings that it starts with, and those are not named: a
# key is the same whether something else has loaded a library or not.

from __future__ import annotations

import os
import sys
import threading
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from fairness_checks.plain import JSON

__all__ = ["changed_settings"]


def changed_settings() -> tuple[dict[str, JSON], tuple[str, ...]]:
    """Return the settings of loaded libraries that were changed, as text by name, and what could not be read."""
    found: dict[str, JSON] = {}
    unseen = []
    for name, read in _SETTINGS.items():
        if (library := sys.modules.get(name)) is None:
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of settings that are going out of use
                now, start = read(library)
        except Exception as error:  # of another version of the library
            unseen.append(f"the settings of {name} cannot be read ({type(error).__name__}: {error})")
            continue
        if changed := {key: repr(value) for key, value in sorted(now.items()) if repr(value) != repr(start.get(key))}:
            found[name] = dict(changed)
    return found, tuple(unseen)


_Settings = tuple[Mapping[str, Any], Mapping[str, Any]]


def _decimal(library: Any) -> _Settings:
    context, start = library.getcontext(), {"prec": 28, "rounding": "ROUND_HALF_EVEN", "capitals": 1, "clamp": 0}
    start |= {"Emin": -999999, "Emax": 999999, "traps": ["DivisionByZero", "InvalidOperation", "Overflow"]}
    now = {name: getattr(context, name) for name in start if name != "traps"}
    return {**now, "traps": sorted(signal.__name__ for signal, on in context.traps.items() if on)}, start


def _locale(library: Any) -> _Settings:
    """Only what orders and writes numbers; Python starts with both as in C."""
    names = ("LC_COLLATE", "LC_NUMERIC")
    return {name: library.setlocale(getattr(library, name)) for name in names}, dict.fromkeys(names, "C")


def _numpy(library: Any) -> _Settings:
    start = {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}
    return {**library.geterr(), **library.get_printoptions()}, {**start, **_in_new_thread(library.get_printoptions)}


def _pandas(library: Any) -> _Settings:
    options = library._config.config._registered_options
    return {name: library.get_option(name) for name in options}, {name: each.defval for name, each in options.items()}


def _polars(library: Any) -> _Settings:
    from polars.config import Config  # polars is loaded

    return Config.state(if_set=True, env_only=True), {}


def _configured(library: Any) -> _Settings:
    return library.get_config(), _in_new_thread(library.get_config)


def _torch(library: Any) -> _Settings:
    cores, affinity = os.cpu_count() or 1, len(getattr(os, "sched_getaffinity", lambda _: ())(0))
    usual = [cores, cores // 2, affinity, os.environ.get("OMP_NUM_THREADS"), os.environ.get("MKL_NUM_THREADS")]
    threads = library.get_num_threads()
    now = {
        "default_dtype": library.get_default_dtype(),
        "default_device": library.get_default_device(),
        "deterministic": library.get_deterministic_debug_mode(),
        "matmul_precision": library.get_float32_matmul_precision(),
        "cudnn": [getattr(library.backends.cudnn, name) for name in ("benchmark", "deterministic", "allow_tf32")],
        "grad": library.is_grad_enabled(),
        "inference": library.is_inference_mode_enabled(),
        "autocast": [library.is_autocast_enabled(), library.is_autocast_cpu_enabled()],
        "fill_uninitialized_memory": library.utils.deterministic.fill_uninitialized_memory,
        "threads": "usual" if str(threads) in map(str, usual) else threads,
    }
    start = {"default_dtype": library.float32, "default_device": library.device("cpu"), "deterministic": 0}
    start |= {"matmul_precision": "highest", "cudnn": [False, False, True], "grad": True, "inference": False}
    return now, start | {"autocast": [False, False], "fill_uninitialized_memory": True, "threads": "usual"}


def _warnings(library: Any) -> _Settings:
    """Only those that become errors, which code may catch; libraries add others when they are loaded."""
    errors = [[getattr(part, "pattern", part) for part in each[1:]] for each in library.filters if each[0] == "error"]
    return ({"error": errors} if errors else {}), {}


def _in_new_thread(read: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return the settings of a thread that nobody has set any in: those that the library starts with."""
    found: dict[str, Any] = {}
    thread = threading.Thread(target=lambda: found.update(read()))
    thread.start()
    thread.join()
    return found


_SETTINGS: dict[str, Callable[[Any], _Settings]] = {
    "decimal": _decimal,
    "locale": _locale,
    "numpy": _numpy,
    "pandas": _pandas,
    "polars": _polars,
    "sklearn": _configured,
    "torch": _torch,
    "warnings": _warnings,
    "xgboost": _configured,
}
