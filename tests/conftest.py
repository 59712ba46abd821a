"""What all tests share: hypothesis profiles, and things that can stand in the place of a file.

Examples are drawn anew at a desk, and are the same ones on every CI run; timing never fails a test.
"""

import importlib.util
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings

_WITH_TORCH = ["models", "studies", "benchmarks/test_gpu.py", "benchmarks/test_vae_speed.py"]
collect_ignore = [] if importlib.util.find_spec("torch") else _WITH_TORCH
"""Tests of this repository's own models, which need all of `.[dev]`."""

settings.register_profile("dev", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev"))


SLOW = (
    *(
        "benchmarks/",
        "cli/",
        "docs/test_page_blocks.py",
        "models/",
        "plugin/",
        "studies/",
        "measure/sources/",
        "test_newcomer.py",
        "test_doctests.py",
    ),
    *("adapters/test_image_scaling.py", "baseline/test_secret_key.py", "baseline/test_store.py"),
    *("findings/test_regression.py", "judge/test_part_statistics.py", "kinds/test_properties.py"),
    *("planning/test_planning.py", "question/test_metric_names.py", "records/test_decision.py"),
    *("report/test_browser.py", "stats/test_disparity.py", "stats/test_exact.py", "stats/test_judge_estimates.py"),
    *("stats/test_multiplicity.py", "stats/test_stratified_rates.py", "sweep/test_workers.py"),
)
"""Rooms, files and single tests (`file::name`) that take most of the time."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is slow, for `-m "not slow"`."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            name = f"{item.path.relative_to(here).as_posix()}::{getattr(item, 'originalname', item.name)}"
            if name.startswith(SLOW):
                item.add_marker(pytest.mark.slow)


def pytest_report_header() -> list[str]:
    """Say what is left out."""
    return [f"no torch: tests of {', '.join(collect_ignore)} are left out"] if collect_ignore else []


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the runs of tests write no summary of the job that runs them, nor take themselves for its workers."""
    for name in ("GITHUB_ACTIONS", "PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT", "PYTEST_XDIST_TESTRUNUID"):
        monkeypatch.delenv(name, raising=False)


@dataclass(frozen=True)
class OddFile:
    """Something that is no regular file.

    `put` makes one at a path, after what is there has been removed; `says` is what an error calls it.
    """

    make: Callable[[Path], object]
    says: str

    def put(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        self.make(path)


def _socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # the address of a socket is short
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(here)


ODD_FILES = {
    "folder": OddFile(lambda path: path.mkdir(), "is a folder, not a regular file"),
    "pipe": OddFile(os.mkfifo, "is a named pipe, not a regular file"),
    "socket": OddFile(_socket, "is a socket, not a regular file"),
    "zero": OddFile(lambda path: path.symlink_to("/dev/zero"), "is a device, not a regular file"),
    "null": OddFile(lambda path: path.symlink_to("/dev/null"), "is a device, not a regular file"),
    "loop": OddFile(lambda path: path.symlink_to(path), "Too many levels of symbolic links"),
    "nowhere": OddFile(
        lambda path: path.symlink_to("no-such-file"), "is a symbolic link that leads nowhere, not a regular file"
    ),
}


@pytest.fixture
def odd_files() -> dict[str, OddFile]:
    """Give them by name, for tests that take long."""
    return ODD_FILES


@pytest.fixture(params=ODD_FILES)
def odd_file(request: pytest.FixtureRequest) -> OddFile:
    """Each thing that can stand in the place of a file."""
    return ODD_FILES[request.param]
