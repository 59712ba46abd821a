"""Arguments and errors of this project's commands.

Needs the standard library alone, and the errors of fairness_checks.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import NoReturn

from fairness_checks.errors import FairnessError

__all__ = ["OneLineParser", "at_least", "in_a_sentence"]

_OURS = ("fairness_checks", "models")


class OneLineParser(argparse.ArgumentParser):
    """A parser that says what is wrong in one line, without the usage."""

    def error(self, message: str) -> NoReturn:
        """Say it on standard error, and exit with 2."""
        self.exit(2, f"{self.prog}: error: {message} (--help tells the options)\n")


def in_a_sentence(command: Callable[[], object]) -> int:
    """Run a command; return 0, or 2 where what it was given cannot be used, which is said on standard error.

    Errors of the program itself pass.

    Examples
    --------
    >>> in_a_sentence(lambda: None)
    0
    """
    try:
        command()
    except (FairnessError, RuntimeError) as error:
        if type(error).__module__.partition(".")[0] not in _OURS:
            raise
        sys.stderr.write(f"{error}\n")
        return 2
    except OSError as error:  # a full disk names no file
        place = f"{error.filename}: " if error.filename else ""
        sys.stderr.write(f"{place}{error.strerror or error}; mend this and run it again\n")
        return 2
    return 0


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
