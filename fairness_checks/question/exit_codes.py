"""The exit code that a user may choose: of a run in which nothing failed, and something is not settled."""

from __future__ import annotations

import argparse

__all__ = ["exit_code_of_unsettled"]


def exit_code_of_unsettled(text: str) -> int:
    """Read the exit code of a run in which nothing failed and something is not settled."""
    code = int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(_LAST_CODE)) else -1
    if not _PYTESTS_LAST < code <= _LAST_CODE:
        raise argparse.ArgumentTypeError(
            f"{text!r} cannot say that something is not settled: 0 to {_PYTESTS_LAST} are pytest's own exit codes, and "
            f"no shell sees more than {_LAST_CODE}; give {_PYTESTS_LAST + 1} to {_LAST_CODE}, such as 6"
        )
    return code


_PYTESTS_LAST, _LAST_CODE = 5, 255  # pytest 9.1 and later have 6, too, of --max-warnings alone
