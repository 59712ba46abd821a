"""What the project raises is shown from the project's own line on, not from those of pytest that call it."""

from __future__ import annotations

from operator import methodcaller
from pathlib import Path
from types import FrameType

__all__ = ["HIDDEN", "from_project"]

HIDDEN = methodcaller("errisinstance", Exception)
"""As ``__tracebackhide__``: a function between pytest and the project, hidden where the project raised."""


def from_project(error: Exception, root: Path) -> Exception:
    """Return an error whose traceback begins at the first line of the project; unchanged where none is in it."""
    at = error.__traceback__
    while at is not None and not _is_of_project(at.tb_frame, root):
        at = at.tb_next
    return error if at is None else error.with_traceback(at)


def _is_of_project(frame: FrameType, root: Path) -> bool:
    """Say whether a frame runs a file below the root directory that is neither installed nor of this package."""
    path = Path(frame.f_code.co_filename)
    own = str(frame.f_globals.get("__name__", "")).partition(".")[0] == "fairness_checks"
    return not own and path.is_relative_to(root) and "site-packages" not in path.parts
