"""A run as GitLab's code quality report, which a merge request shows at the lines of the limits. Decides nothing."""

# Fields: https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import Any

from fairness_checks.plain import printable
from fairness_checks.report.evidence import Evidence
from fairness_checks.report.outcomes import Outcome, Status, outcomes, run_words
from fairness_checks.report.text import sentences

__all__ = ["code_quality"]

_SEVERITIES: dict[Status, str] = {
    "fail": "critical",
    "error": "critical",
    "inconclusive": "minor",
    "waived": "info",
    "not judged": "info",
}


def code_quality(evidence: Evidence) -> str:
    """Return an issue for each test that did not pass, and one for a run that no test tells to be red."""
    found = outcomes(evidence)
    limits = evidence.configuration.file
    issues = []
    if not evidence.complete or (not evidence.ended_green and not any(each.red for each in found)):
        issues.append(_issue(run_words(evidence, found), "fairness", limits, limits, None, "blocker"))
    seen: Counter[str] = Counter()
    for each in found:
        if each.status == "pass" and not each.red:
            continue
        # The same in the next run, wherever the line stands by then; a second verdict on one question is another.
        key = f"{each.test}\n{each.question}"
        seen[key] += 1
        severity = "critical" if each.red else _SEVERITIES[each.status]
        file = each.file or limits
        issues.append(_issue(_description(each), _name(each), f"{key}\n{seen[key]}", file, each.line, severity))
    return json.dumps(issues, indent=2) + "\n"


def _issue(text: str, name: str, key: str, file: str, line: int | None, severity: str) -> dict[str, Any]:
    return {
        "description": text,
        "check_name": name,
        "fingerprint": hashlib.sha256(key.encode()).hexdigest(),
        "severity": severity,
        "location": {"path": file, "lines": {"begin": line or 1}},
    }


def _description(outcome: Outcome) -> str:
    record = outcome.record
    if record is None:
        return printable(f"{outcome.status}: {outcome.test}: {outcome.text}")
    return f"{record.verdict}: {' '.join(sentences(record))}"


def _name(outcome: Outcome) -> str:
    record = outcome.record
    return "fairness" if record is None else printable(f"fairness/{record.check}/{record.metric}")
