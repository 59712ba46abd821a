"""One temporary folder for the processes of a run: what it holds of patients goes with the run, however that ends."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest

__all__ = ["SCRATCH", "Scratch"]

_INPUT = "fairness_scratch"  # key in the input of a pytest-xdist worker


class Scratch:
    """Makes the folder when it is first asked for, and removes it when the process that made it ends."""

    def __init__(self, config: pytest.Config) -> None:
        self._given: str | None = getattr(config, "workerinput", {}).get(_INPUT)
        self._made: Path | None = None
        config.stash[SCRATCH] = self

    def folder(self) -> Path:
        """Return the folder; raise OSError where none can be made."""
        if self._given is not None:
            return Path(self._given)
        if self._made is None:
            self._made = Path(tempfile.mkdtemp(prefix="fairness-run-"))
        return self._made

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker the folder; one without a folder makes its own, and reports why it cannot."""
        try:
            node.workerinput[_INPUT] = str(self.folder())
        except OSError:
            node.workerinput[_INPUT] = None

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        """Remove what the run has left."""
        if self._made is not None:
            shutil.rmtree(self._made, ignore_errors=True)


SCRATCH: pytest.StashKey[Scratch] = pytest.StashKey()
