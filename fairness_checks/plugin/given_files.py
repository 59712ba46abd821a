"""The files that a run is judged by, as they were when the command line was read."""

# A conftest.py that writes the file of limits, or the baseline, takes a failing check away where nobody reads it.
# What the gate reads must be what was there before any conftest.py ran, in every process.

from __future__ import annotations

import argparse
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from fairness_checks.storage.files import no_such_file, read_regular

__all__ = ["digest_in", "digests_of", "limits_path", "missing_limits", "rewritten"]

_USUAL = "thresholds.yaml"
_YAML = (".yaml", ".yml")
_SHOWN = 5
_SHA256 = 64  # digits
_ABSENT = "absent"
_WORDS = {"limits": "the file of limits", "baseline": "the baseline"}


def limits_path(config: pytest.Config, options: argparse.Namespace) -> Path:
    """Return the file of limits: of the option, else among the paths, else of the ini key, else the usual one."""
    here, given = config.invocation_params.dir, getattr(options, "fairness_config", None)
    usual = _real(config.rootpath / (config.getini("fairness_config") or _USUAL))
    if given:
        return _real(here / given)
    paths = (argument.partition("::")[0] for argument in getattr(options, "file_or_dir", None) or ())
    named = {_real(here / path): path for path in paths if path.endswith(_YAML)}
    if len(named) > 1 and usual not in named:
        files = ", ".join(named.values())
        raise pytest.UsageError(f"{files}: a run is judged by one file of limits; give one, by --fairness-config")
    return usual if usual in named or not named else next(iter(named))


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))  # as `resolve`, which raises for a loop of links


def missing_limits(config: pytest.Config, path: Path) -> str | None:
    """Say where a file of limits was looked for that is not there, and which there are; None where it is there."""
    if path.exists() or path.is_symlink():  # a loop of links is there, and read as one
        return None
    from fairness_checks.config.messages import EXAMPLE, INIT
    from fairness_checks.plugin.missed import limits_files

    files = limits_files(config)
    if not files:
        return (
            f"{_shown(config, path)}: {no_such_file(path)}; write for example:\n\n{EXAMPLE}{INIT}\n"
            "another place: --fairness-config PATH, or fairness_config in pytest's ini file"
        )
    there = [_shown(config, file) for file in files]
    ini = os.path.relpath(files[0], config.rootpath)
    return (
        f"{_shown(config, path)}: there is no such file; looked in {path.parent}\n"
        f"found: {', '.join(there[:_SHOWN])}\n"
        f"use it: pytest --fairness --fairness-config {there[0]}\n"
        f"or in pytest's ini file: fairness_config = {Path(ini).as_posix()}"
    )


def _shown(config: pytest.Config, path: Path) -> str:
    """Name a file as one would from where pytest was started."""
    return Path(os.path.relpath(path, config.invocation_params.dir)).as_posix()


def digests_of(limits: Path, *, updating: bool) -> dict[str, str]:
    """Return a digest of each file that decides; of the baseline where the run does not write it."""
    from fairness_checks.baseline.session import FILENAME

    found = {"limits": _digest(limits)}
    return found if updating else found | {"baseline": _digest(limits.with_name(FILENAME))}


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(read_regular(path)).hexdigest()
    except FileNotFoundError:
        return _ABSENT
    except OSError as error:
        return f"unreadable {error.errno}"


def digest_in(files: Mapping[str, str], name: str) -> str | None:
    """Return the sha256 of a file that decides; None where it was not there, could not be read, or does not decide."""
    digest = files.get(name, "")
    return digest if len(digest) == _SHA256 else None


def rewritten(limits: Path, before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Return a line for each file that is not what it was when the command line was read."""
    from fairness_checks.baseline.session import FILENAME

    paths = {"limits": limits, "baseline": limits.with_name(FILENAME)}
    lines = []
    for name in before.keys() & now.keys():
        if before[name] == now[name]:
            continue
        what = "was not there" if before[name] == _ABSENT else "was another"
        lines.append(
            f"{paths[name].name}: {_WORDS[name]} {what} when the command line was read: a conftest.py, a plugin or "
            "another process has written or removed it since, so that nobody can say what was judged by. Write it "
            "before pytest starts, in a step of its own"
        )
    return sorted(lines)
