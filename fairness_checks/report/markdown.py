"""The summary of a run in Markdown, as a pull request or a job shows it. Decides nothing."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from fairness_checks.plain import printable
from fairness_checks.question.limits import LIMITS
from fairness_checks.records.check_record import CheckRecord
from fairness_checks.report.evidence import CheckEvidence, Evidence
from fairness_checks.report.numbers import LEGEND, p_text
from fairness_checks.report.outcomes import Outcome, Status, outcomes, run_words
from fairness_checks.report.text import allowed_text, disparity_text, headline, settling_lines, subject_text

__all__ = ["MOST", "escaped", "summary"]

MOST = 1_000_000
"""Bytes of a summary: GitHub takes 1 MiB a step, and shows none of a longer one."""

_WORDS: dict[Status, str] = {
    "fail": "failed",
    "error": "in error",
    "inconclusive": "not settled",
    "waived": "waived",
    "not judged": "not judged",
    "pass": "passed",
}
_RESERVED = 400  # bytes kept for the heading of each part, and for the line that says what was left out
# Mentions, links, issues and the like of GitHub and GitLab, and names of emoji: with a digit first there are these.
_REFERENCE = re.compile(
    r"@|(?:#|!|%|&amp;|\b(?i:gh)-)(?=\d)|:(?=//)|(?i:www)(?=\.)"
    r"|:(?=(?:[A-Za-z+_-][\w+-]*|100|1234|8ball|[123](?:st|nd|rd)_place_medal):)"
)
_ISOLATED = "\u2068{}\u2069"  # first strong isolate, and its end


class _Part(NamedTuple):
    """A heading, what stands above its lines, and these."""

    heading: str
    above: list[str]
    lines: list[str]


def summary(evidence: Evidence, most: int = MOST) -> str:
    """Return the verdict, counts, a sentence a failure, what is not settled and what it would take, and all checks."""
    # In `most` bytes of UTF-8: lines that have no room are counted where they would stand.
    found = outcomes(evidence)
    top = [f"## {escaped(run_words(evidence, found))}", "", _counts(found), *_limits(evidence)]
    parts = [part for part in _parts(evidence, found) if part.lines]
    return "\n".join([*top, *_fitted(parts, most - _size(top)), ""])


def escaped(text: str) -> str:
    """Return a text that Markdown, in a table too, shows as it is: no markup, no link, nobody mentioned."""
    shown = printable(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    shown = re.sub(r"[\\`*\[\]|~$]", r"\\\g<0>", shown)
    shown = re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\_", shown)
    # A heading or a list, where it opens an item.
    shown = re.sub(r"^(\d{1,9}(?=[.)])|)([-+=#]|[.)](?=\s|$))", r"\1\\\2", shown)
    # Markup that some hosts find in the text behind Markdown's own: it does not go across a comment.
    shown = _REFERENCE.sub(r"\g<0><!-- -->", shown)
    shown = re.sub(r"^ | $", "&#32;", shown)  # code, where it opens an item
    right_to_left = any(unicodedata.bidirectional(letter) in ("R", "AL") for letter in shown)
    return _ISOLATED.format(shown) if right_to_left else shown


def _counts(found: Sequence[Outcome]) -> str:
    numbers = {word: sum(each.status == status for each in found) for status, word in _WORDS.items()}
    return ", ".join(f"{number:,} {word}" for word, number in numbers.items() if number) or "no check"


def _limits(evidence: Evidence) -> Iterator[str]:
    """Say what the reader must know before all else: what was not run, and under which burden."""
    if not evidence.run.whole:
        yield ""
        yield "Only a part of the configured checks was to run."
    if evidence.configuration.burden_of_proof == "compliance":
        yield ""
        yield "The burden of proof is compliance: what is not shown to keep its limit fails."


def _parts(evidence: Evidence, found: Sequence[Outcome]) -> Iterator[_Part]:
    asked = {check.test: check for model in evidence.models for check in model.checks if check.test}
    yield _Part("What failed", [], [_failure(each, asked.get(each.test)) for each in found if each.red])
    unsettled = [each for each in found if each.status == "inconclusive" and not each.red]
    yield _Part("What is not settled, and what it would take", [], [_unsettled(each) for each in unsettled])
    waived = [f"- {_told(each)}" for each in found if each.status == "waived"]
    yield _Part("What was waived", [], waived)
    unjudged = [f"- {escaped(each.test)}: {escaped(each.text)}" for each in found if each.status == "not judged"]
    yield _Part("What was not judged", [], unjudged)
    rows = [_row(each.record, red=each.red) for each in found if each.record is not None]
    yield _Part("All checks", ["| verdict | model | check | found | limit | p |", "|---|---|---|---|---|---|"], rows)
    yield _Part("The run", [], [f"- {line}" for line in _run(evidence)])


def _told(outcome: Outcome) -> str:
    """Return the sentence of an outcome: that of its record, or why there is none."""
    if outcome.record is not None:
        return f"{escaped(headline(outcome.record))}."
    return f"{escaped(outcome.test)}: {escaped(outcome.text)}"


def _failure(outcome: Outcome, asked: CheckEvidence | None) -> str:
    said = [f"- {_told(outcome)}"]
    if outcome.record is not None and outcome.status == "inconclusive":
        said += [escaped(line) for line in settling_lines(outcome.record)]
    if asked is not None and asked.why:
        said.append(f"Why this limit: {escaped(asked.why)}.")
    if asked is not None and asked.owner:
        said.append(f"Who answers for it: {escaped(asked.owner)}.")
    return " ".join(said)


def _unsettled(outcome: Outcome) -> str:
    lines = [] if outcome.record is None else settling_lines(outcome.record)
    return " ".join([f"- {_told(outcome)}", *map(escaped, lines)])


def _row(record: CheckRecord, *, red: bool) -> str:
    verdict = f"**{record.verdict}**" if red else record.verdict
    p = record.p_compliance if record.verdict == "pass" else record.p_adjusted
    known = p is not None and record.verdict != "inconclusive"
    asked = f"{record.check}: {subject_text(record)}, {LIMITS[record.limit_kind].word}"
    cells = (
        record.model,
        asked,
        disparity_text(record),
        allowed_text(record),
        p_text(p) if known and p is not None else "",
    )
    return f"| {verdict} | {' | '.join(map(escaped, cells))} |"


def _run(evidence: Evidence) -> Iterator[str]:
    """Say what was judged by what."""
    run, given = evidence.run, evidence.configuration
    yield f"{escaped(given.file)}, sha256 {given.sha256}"
    if run.git is not None:
        yield f"commit {run.git.commit}{'' if run.git.clean else ', with changes that are not committed'}"
    yield f"{escaped(run.started)} to {escaped(run.ended)}, exit code {evidence.exit_code}"
    if run.versions:
        yield ", ".join(escaped(f"{name} {version}") for name, version in sorted(run.versions.items()))
    yield LEGEND


def _fitted(parts: Sequence[_Part], most: int) -> Iterator[str]:
    """Yield the lines of all parts that have room, and how many have none."""
    room = most - _RESERVED * len(parts)
    for part in parts:
        yield from ["", f"### {part.heading}", "", *part.above]
        shown = 0
        for line in part.lines:
            if (room := room - len(line.encode()) - 1) < 0:
                break
            yield line
            shown += 1
        if left := len(part.lines) - shown:
            yield from ["", f"{left:,} more are left out here, for want of room; the evidence holds them."]
            room = 0


def _size(lines: Sequence[str]) -> int:
    return sum(len(line.encode()) + 1 for line in lines)
