"""What the numbers of a baseline came from: versions of packages, and the commit."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

from fairness_checks.distribution import DISTRIBUTION

__all__ = ["git_commit", "git_status", "installed_versions"]

_ALWAYS = (DISTRIBUTION, "numpy", "scipy")
_OTHERS = {"pandas": "pandas", "sklearn": "scikit-learn", "torch": "torch"}
_SECONDS = 20.0


def installed_versions(*, imported: bool = False) -> dict[str, str]:
    """Return versions of this package, numpy and scipy; of pandas, scikit-learn and torch if installed, or imported."""
    # What is installed is alike in all processes of a run.
    found = {}
    for name in (*_ALWAYS, *(name for module, name in _OTHERS.items() if not imported or module in sys.modules)):
        with suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def git_commit(folder: Path, ignore: Sequence[str] = ()) -> str | None:
    """Return the commit that a folder holds, with "+dirty" behind it if a tracked file differs from it."""
    # `ignore` names what may differ: the baseline's own files, which an update just wrote. None without git, or a
    # commit.
    commit = _git(folder, "rev-parse", "--verify", "HEAD^{commit}")
    if commit is None or len(commit.strip()) != 40:  # a repository of sha256 has 64
        return None
    excluded = [f":(exclude,literal){name}" for name in ignore]
    changed = _git(folder, "status", "--porcelain", "--untracked-files=no", "--", ":(top)", *excluded)
    return commit.strip() + ("" if changed == "" else "+dirty")


def git_status(file: Path) -> Literal["hidden", "tracked", "not ignored"] | None:
    """Say whether git tracks a file, would offer to, or ignores it, whether it is there or not; None without git."""
    ignored = _ran(file.parent, "check-ignore", "--quiet", "--", file.name)
    if ignored is None or ignored.returncode not in (0, 1):
        return None
    if ignored.returncode == 0:  # what is tracked is never said to be ignored
        return "hidden"
    tracked = _ran(file.parent, "ls-files", "--error-unmatch", "--", file.name)
    return "tracked" if tracked is not None and tracked.returncode == 0 else "not ignored"


def _git(folder: Path, *arguments: str) -> str | None:
    """Return what git says; None if it fails."""
    done = _ran(folder, *arguments)
    return None if done is None or done.returncode else done.stdout


def _ran(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str] | None:
    """Run git and return how it ended; None if it cannot be run. It takes no lock, so that it disturbs nobody."""
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    try:
        return subprocess.run(
            ["git", *arguments],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
