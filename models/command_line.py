"""Arguments of this project's commands.

Needs the standard library alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

__all__ = ["at_least"]


def at_least(least: int, why: str | None = None) -> Callable[[str], int]:
    """Return a type for argparse: a whole number that is large enough, else a message that says so.

    Examples
    --------
    >>> at_least(1)("3")
    3
    >>> at_least(1)("0")
    Traceback (most recent call last):
    argparse.ArgumentTypeError: 0: must be 1 or more
    """

    def whole_number(text: str) -> int:
        if (value := int(text)) < least:
            raise argparse.ArgumentTypeError(f"{value}: {why or f'must be {least} or more'}")
        return value

    return whole_number
