"""Processes that a test forked and that came back to pytest as if they were the one that runs it."""

from __future__ import annotations

import os

__all__ = ["ForkedProcesses"]


class ForkedProcesses:
    """Ends such processes, and names them."""

    # One would run all that follows a second time, and report it, or write the artefacts, as its parent does. It is
    # ended at its first report, and tells the process that it was forked from through a pipe.

    def __init__(self) -> None:
        self._process = os.getpid()
        self._pipe = os.pipe() if hasattr(os, "fork") else None
        if self._pipe:
            os.set_blocking(self._pipe[0], False)

    def end_here(self, node: str) -> None:
        """End this process unless it is the one that began the run."""
        if self._pipe and os.getpid() != self._process:
            os.write(self._pipe[1], f"{node}\n".encode())
            os._exit(1)

    def problems(self) -> list[str]:
        """Name the tests from which processes came back; once, when the run ends."""
        if not self._pipe:
            return []
        reading, writing = self._pipe
        self._pipe = None
        os.close(writing)
        try:
            names = os.read(reading, 1 << 16).decode(errors="replace").splitlines()
        except BlockingIOError:  # nothing was written, and a forked process still holds the other end
            names = []
        finally:
            os.close(reading)
        return [f"{name}: a process that it forked ran on as a second pytest; end it with os._exit" for name in names]
