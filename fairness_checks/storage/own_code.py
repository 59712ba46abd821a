"""The code of this package that takes part in a training, and the libraries that it stands on."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from fairness_checks.plain import JSON
from fairness_checks.storage.origin import OWN, library_identities, python_identity

__all__ = ["NOT_IN_TRAININGS", "environment", "own_code", "takes_part"]

_LIBRARIES = ("imbalanced-learn", "numpy", "pandas", "scikit-learn", "scipy")
_PACKAGE = Path(__file__).resolve().parents[1]
NOT_IN_TRAININGS = (  # what asks, judges, reports and keeps; everything else takes part, new files too
    *("__main__.py", "baseline/*", "cli/*", "config/*", "findings/*", "judge/*", "planning/*", "plugin/*", "report/*"),
    *("storage/*", "question/names.py", "question/waivers.py", "stats/gaps.py", "stats/judge_reduction.py"),
    *("stats/judge_repeats.py", "stats/mismatch_repeats.py", "stats/published_test.py", "stats/repeats.py"),
    *(
        "sweep/asked_gaps.py",
        "sweep/changes.py",
        "sweep/mix_table.py",
        "sweep/progress.py",
        "sweep/runs.py",
        "sweep/store.py",
    ),
    *("sweep/tables.py", "testing.py"),
)
"""Patterns of files, relative to the package."""


@cache
def _parts() -> dict[str, bool]:
    """Return every file of the package, and whether it takes part in trainings."""
    left_out = {path for pattern in NOT_IN_TRAININGS for path in _PACKAGE.glob(pattern)}
    return {path.relative_to(_PACKAGE).as_posix(): path not in left_out for path in sorted(_PACKAGE.rglob("*.py"))}


def takes_part(module: str) -> bool:
    """Say whether a module of this package is among the code of every training."""
    stem = "/".join(module.split(".")[1:])
    parts = _parts()
    return parts.get(f"{stem}.py", parts.get(f"{stem}/__init__.py".lstrip("/"), False))


@cache
def own_code(*, whole: bool = False) -> str:
    """Return the sha256 of the package's code that takes part in trainings, or of all of it."""
    total = hashlib.sha256()
    for file, part in _parts().items():
        if part or whole:
            total.update(f"{file} {hashlib.sha256((_PACKAGE / file).read_bytes()).hexdigest()}\n".encode())
    return total.hexdigest()


@cache
def environment() -> dict[str, JSON]:
    """Return what every kept result depends on besides its model: Python, libraries, and this package's own code."""
    assert _PACKAGE.name == OWN
    return {"code": own_code(), "libraries": {**library_identities(_LIBRARIES)}, "python": python_identity()}
