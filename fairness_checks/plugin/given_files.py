"""The files that a run is judged by, as they were when the command line was read."""

# A conftest.py that writes the file of limits, or the baseline, takes a failing check away where nobody reads it.
# What the gate reads must be what was there before any conftest.py ran, in every process.

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from fairness_checks.storage.files import read_regular

__all__ = ["digest_in", "digests_of", "limits_path", "rewritten"]

_SHA256 = 64  # digits
_ABSENT = "absent"
_WORDS = {"limits": "the file of limits", "baseline": "the baseline"}


def limits_path(config: pytest.Config, given: str | None) -> Path:
    """Return the file of limits that the command line names, or the usual one."""
    path = config.invocation_params.dir / given if given else config.rootpath / "thresholds.yaml"
    return Path(os.path.realpath(path))  # as `resolve`, which raises for a loop of links


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
