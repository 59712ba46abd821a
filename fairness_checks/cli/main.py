"""The command line: ``fairness-checks``, or ``python -m fairness_checks``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = ["main"]

_DIFF = """\
Say what changed between two states of the models. Each of OLD and NEW is a baseline
(fairness-baseline.json) or the JUnit XML of a run (pytest --fairness --junitxml=FILE).

Shown are checks added and removed, verdicts, limits, estimates with their intervals, groups added
and vanished, and each group's value, better or worse by what is limited and by the metric.
"""
_CODES = """\
exit codes:
  0  nothing got worse
  1  something got worse: a verdict, a check or a group that vanished, a new check that fails, a
     value that is no longer defined, a limit or ratchet that was loosened. Each line that is such
     a reason ends in "worse", and the last line counts them. That an estimate moved is shown, but
     is no reason: whether it moved by more than chance, its verdict says.
  2  a file cannot be read, or the command is wrong

to see what a pull request does to the baseline:
  git show main:fairness-baseline.json > old.json
  fairness-checks diff old.json fairness-baseline.json
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        Without the program's name; default: those of the process.

    Raises
    ------
    SystemExit
        With code 2 where the command is wrong, 0 for ``--help``.

    Examples
    --------
    >>> main(["diff", "no-such-file.json", "no-such-file.json"])
    2
    """
    parsed = _parser().parse_args(arguments)
    return _diff(parsed.old, parsed.new, as_json=parsed.json)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fairness-checks", description="A fairness gate for clinical machine learning."
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    diff = commands.add_parser(
        "diff",
        help="say what changed between two baselines or runs",
        description=_DIFF,
        epilog=_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    diff.add_argument("old", metavar="OLD", type=Path, help="baseline or JUnit XML before the change")
    diff.add_argument("new", metavar="NEW", type=Path, help="baseline or JUnit XML after it")
    diff.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return parser


def _diff(old: Path, new: Path, *, as_json: bool) -> int:
    # Here, so that --help loads none of it.
    from fairness_checks.cli.diff import compare
    from fairness_checks.cli.diff_text import diff_json, diff_text
    from fairness_checks.cli.snapshot import read_snapshot
    from fairness_checks.errors import FairnessError
    from fairness_checks.plain import printable

    try:
        before, after = read_snapshot(old), read_snapshot(new)
    except FairnessError as error:
        sys.stderr.write(f"fairness-checks diff: {printable(str(error))}\n")
        return 2
    changes = compare(before, after)
    sys.stdout.write((diff_json if as_json else diff_text)(before, after, changes))
    return 1 if any(change.worse for change in changes) else 0
