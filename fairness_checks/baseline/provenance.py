"""What the numbers of a baseline came from: versions of packages, and the commit."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = ["git_commit", "package_versions"]

_ALWAYS = ("fairness-checks", "numpy", "scipy")
_IF_IMPORTED = {"pandas": "pandas", "sklearn": "scikit-learn", "torch": "torch"}
_SECONDS = 20.0


def package_versions() -> dict[str, str]:
    """Return versions of this package, numpy and scipy; of pandas, scikit-learn and torch if they were imported.

    Examples
    --------
    >>> sorted(package_versions())[:1]
    ['fairness-checks']
    """
    names = [*_ALWAYS, *(name for module, name in _IF_IMPORTED.items() if module in sys.modules)]
    return {name: importlib.metadata.version(name) for name in names}


def git_commit(folder: Path, ignore: Sequence[str] = ()) -> str | None:
    """Return the commit that a folder holds, with "+dirty" behind it if a tracked file differs from it.

    Parameters
    ----------
    folder : Path
        In the repository.
    ignore : sequence of str
        Names in the folder that may differ: the baseline's own, which an update just wrote.

    Returns
    -------
    str or None
        40 hexadecimal digits; None without git, without a repository, or before the first commit.

    Examples
    --------
    >>> git_commit(Path("no-such-folder")) is None
    True
    """
    commit = _git(folder, "rev-parse", "--verify", "HEAD^{commit}")
    if commit is None or len(commit.strip()) != 40:  # a repository of sha256 has 64
        return None
    excluded = [f":(exclude,literal){name}" for name in ignore]
    changed = _git(folder, "status", "--porcelain", "--untracked-files=no", "--", ":(top)", *excluded)
    return commit.strip() + ("" if changed == "" else "+dirty")


def _git(folder: Path, *arguments: str) -> str | None:
    """Return what git says; None if it fails. It takes no lock, so that it disturbs nobody."""
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout
