"""What a run says in GitHub Actions: a summary of the job, and annotations at the lines of the limits."""

# A run is told when its exit code is known, behind everything that pytest and other plugins print, so that each command
# opens a line of its own. Nothing here decides: what cannot be told is said, and changes no exit code.

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from fairness_checks.plugin.run_document import RunDocument
    from fairness_checks.plugin.xdist import Ledger
    from fairness_checks.report.evidence import Evidence
    from fairness_checks.report.outcomes import Outcome

__all__ = ["GithubActions", "in_github_actions"]

_ANNOTATES_FAILURES = "pytest_github_actions_annotate_failures"
_MOST = 10  # annotations of a kind that GitHub shows of a step
_STEP = 1 << 20  # bytes of a step's summary, of which GitHub shows none where it is longer
_LEAST = 4096  # below which a summary says nothing


def in_github_actions() -> bool:
    """Say whether GitHub Actions runs this process."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


class GithubActions:
    """Tells a run to GitHub Actions once it has ended."""

    def __init__(self, config: pytest.Config, ledger: Ledger, document: RunDocument) -> None:
        self._config, self._ledger, self._document = config, ledger, document

    def tell(self, code: int) -> None:
        """Write the summary and the annotations of a run with that exit code."""
        from fairness_checks.report.outcomes import outcomes

        try:
            evidence = self._document.of_records(complete=self._ledger.ended_in_order, exit_code=code)
            if place := os.environ.get("GITHUB_STEP_SUMMARY"):
                self._attempt(lambda: _append(Path(place), evidence))
            lines = list(self._annotations(outcomes(evidence)))
        except Exception as error:  # whatever it is, it changes nothing of what was judged
            _say(error)
        else:
            self._attempt(lambda: _print(lines))

    @staticmethod
    def _attempt(tell: Callable[[], None]) -> None:
        try:
            tell()
        except Exception as error:
            _say(error)

    def _annotations(self, found: Sequence[Outcome]) -> Iterator[str]:
        """Yield a warning for what is not settled, and an error for what failed where no other plugin writes one."""
        if not self._failures_are_annotated():
            yield from self._of_a_kind("error", [each for each in found if each.red])
        unsettled = [each for each in found if each.status == "inconclusive" and not each.red]
        yield from self._of_a_kind("warning", unsettled)

    def _failures_are_annotated(self) -> bool:
        names = (getattr(plugin, "__name__", "") for plugin in self._config.pluginmanager.get_plugins())
        return any(name.partition(".")[0] == _ANNOTATES_FAILURES for name in names)

    def _of_a_kind(self, command: str, some: Sequence[Outcome]) -> Iterator[str]:
        shown = some if len(some) <= _MOST else some[: _MOST - 1]
        for each in shown:
            properties = {"file": self._file(each), "line": "" if each.line is None else str(each.line)}
            yield _command(command, properties | {"title": f"fairness: {each.status}"}, _message(each))
        if rest := len(some) - len(shown):
            yield _command(command, {"title": "fairness"}, f"{rest} more stand in the summary of the job")

    def _file(self, outcome: Outcome) -> str:
        """Return where the test stands, from the root of the checkout."""
        if not outcome.file:
            return ""
        path = self._config.rootpath / outcome.file
        workspace = os.environ.get("GITHUB_WORKSPACE")
        inside = workspace is not None and path.is_relative_to(workspace)
        return path.relative_to(workspace).as_posix() if inside and workspace is not None else outcome.file


def _message(outcome: Outcome) -> str:
    from fairness_checks.plain import printable
    from fairness_checks.report.text import sentences

    record = outcome.record
    if record is None:
        return printable(f"{outcome.test}: {outcome.text}")
    return " ".join(sentences(record))


def _command(name: str, properties: dict[str, str], message: str) -> str:
    """Return a workflow command, escaped as GitHub's own toolkit does."""
    given = ",".join(f"{key}={_in_property(value)}" for key, value in properties.items() if value)
    return f"::{name} {given}::{_in_message(message)}"


def _in_message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _in_property(text: str) -> str:
    return _in_message(text).replace(":", "%3A").replace(",", "%2C")


def _append(path: Path, evidence: Evidence) -> None:
    """Append the summary to what the step has written to the file before."""
    from fairness_checks.report.markdown import MOST, summary
    from fairness_checks.storage.files import require_regular

    if path.exists():
        require_regular(path)  # a pipe that nobody reads would hold the run
    room = min(MOST, _STEP - (path.stat().st_size if path.exists() else 0) - 1)
    if room < _LEAST:
        raise OSError(f"{path} has no room left, as GitHub shows 1 MiB of a step")
    with path.open("ab") as file:
        file.write(f"\n{summary(evidence, room)}".encode())


def _print(lines: Sequence[str]) -> None:
    encoding = sys.stdout.encoding or "utf-8"
    text = "".join(f"{line}\n" for line in lines)
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
    sys.stdout.flush()


def _say(error: Exception) -> None:
    sys.stderr.write(f"fairness: not all was told to GitHub, and no verdict depends on it: {error}\n")
