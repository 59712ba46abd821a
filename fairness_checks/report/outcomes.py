"""What has become of each test of a run, in the order in which a reader wants to know it. Decides nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from fairness_checks.records.check_record import CheckRecord
from fairness_checks.records.decision import turns_red
from fairness_checks.report.evidence import CheckEvidence, Evidence, ModelEvidence

__all__ = ["Outcome", "Status", "outcomes", "run_words"]

Status: TypeAlias = Literal["fail", "error", "inconclusive", "waived", "not judged", "pass"]
_ORDER: tuple[Status, ...] = ("fail", "error", "inconclusive", "waived", "not judged", "pass")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What has become of one test, or of one verdict of a hand-written test."""

    test: str
    """Id of the test, and where it has several verdicts the question; a name, where there is no test."""
    node: str = ""
    """Id of the test alone; empty where it is that above."""
    status: Status
    """The verdict, or why there is none."""
    red: bool
    """Whether it turns the run red."""
    model: str = ""
    """Empty where it is of no model."""
    question: str = ""
    """In one line; empty where it is of no check."""
    record: CheckRecord | None = None
    """The answer, where there is one."""
    text: str = ""
    """Why there is no answer."""
    file: str = ""
    """Where the test stands."""
    line: int | None = None
    """In that file, where it is known."""


def outcomes(evidence: Evidence) -> list[Outcome]:
    """Return what has become of each test: what turns the run red first, then what has no verdict or is not settled."""
    found = [*_checks(evidence), *_other_failures(evidence), *_not_judged(evidence)]
    return sorted(found, key=lambda each: (not each.red, _ORDER.index(each.status)))


def run_words(evidence: Evidence, found: Sequence[Outcome]) -> str:
    """Return the verdict on the whole run in one sentence, which claims nothing beyond its data."""
    if not evidence.complete:
        return "The run did not come to its end, and proves nothing"
    counts = {status: sum(each.status == status for each in found) for status in _ORDER}
    red = sum(each.red for each in found)
    if red or not evidence.ended_green:
        which = f"{red:,} of {len(found):,} checks and tests failed" if red else "no single check did"
        return f"Failed with exit code {evidence.exit_code}: {which}"
    waived = counts["waived"]
    if not any(each.record for each in found):
        return "Nothing was judged"
    beyond = f" beyond {waived} that {'is' if waived == 1 else 'are'} waived" if waived else ""
    if counts["inconclusive"] or counts["not judged"] or not evidence.run.whole:
        return f"No limit was shown to be exceeded{beyond}, and not all are shown to be kept"
    return f"No limit was shown to be exceeded{beyond}" if waived else "On these data all limits were shown to be kept"


def _checks(evidence: Evidence) -> Iterator[Outcome]:
    failed = {failure.test: failure.text for failure in evidence.failures}
    for model in evidence.models:
        for check in model.checks:
            test = check.test or f"{model.test or model.model}: {check.question}"
            status, text = _status(evidence, check, failed.get(check.test))
            record = check.record
            yield Outcome(
                test=test,
                node=model.test or "",
                status=status,
                red=status == "error" or (record is not None and turns_red(record.verdict, record.burden_of_proof)),
                model=model.model,
                question=check.question,
                record=record,
                text=text,
                file=_file_of(model, check, evidence.configuration.file),
                line=check.line,
            )


def _status(evidence: Evidence, check: CheckEvidence, failure: str | None) -> tuple[Status, str]:
    """Return the verdict on a check, or that and why there is none."""
    if check.record is not None:
        return check.record.verdict, ""
    if failure is not None:
        return "error", failure
    if check.test in evidence.not_judged or check.error is None:
        return "not judged", evidence.not_judged.get(check.test, "it has not reported")
    return "error", check.error


def _file_of(model: ModelEvidence, check: CheckEvidence, limits: str) -> str:
    return limits if check.test or model.test is None else model.test.partition("::")[0]


def _other_failures(evidence: Evidence) -> Iterator[Outcome]:
    """Yield tests that failed, and are of no check or of one that has a verdict all the same."""
    told = {check.test for model in evidence.models for check in model.checks if check.record is None and check.test}
    for failure in evidence.failures:
        if failure.test not in told:
            file = failure.test.partition("::")[0]
            yield Outcome(test=failure.test, status="error", red=True, text=failure.text, file=file)


def _not_judged(evidence: Evidence) -> Iterator[Outcome]:
    told = {check.test for model in evidence.models for check in model.checks if check.record is None and check.test}
    told |= {failure.test for failure in evidence.failures}
    for test, why in evidence.not_judged.items():
        if test not in told:
            file = test.partition("::")[0] if "::" in test else ""
            yield Outcome(test=test, status="not judged", red=False, text=why, file=file)
