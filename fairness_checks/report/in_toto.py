"""A run as an in-toto statement whose predicate is a Test Result, for others to sign. Decides nothing."""

# Statement v1 and predicate v0.1: https://in-toto.io/attestation/test-result/v0.1

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from fairness_checks.report.evidence import Evidence
from fairness_checks.report.formats import FILENAME, Source
from fairness_checks.report.outcomes import Outcome, outcomes

__all__ = ["PREDICATE", "statement"]

PREDICATE = "https://in-toto.io/attestation/test-result/v0.1"
_STATEMENT = "https://in-toto.io/Statement/v1"


def statement(evidence: Evidence, source: Source) -> str:
    """Return the statement: which tests passed, warned and failed, about evidence.json and the files given."""
    # Who reads it may look at one field only. So what has no verdict stands in no list, as it neither passed nor
    # warned, and keeps `result` from PASSED; and whatever makes the run red stands in failedTests, and there alone: a
    # test that failed behind its verdict, as in a teardown, did not pass.
    found = outcomes(evidence)
    failed = [*_of_run(evidence, found), *(each.test for each in found if each.red)]
    rest = [each for each in found if not each.red and not {each.test, each.node} & set(failed)]
    warned = [each.test for each in rest if each.status in ("inconclusive", "waived")]
    passed = [each.test for each in rest if each.status == "pass"]
    green = passed and evidence.run.whole and not warned and all(each.status == "pass" for each in found)
    subjects = ((FILENAME, source.sha256), *source.subjects)
    predicate = {
        "result": "FAILED" if failed else "PASSED" if green else "WARNED",
        "configuration": _configuration(evidence),
        "passedTests": _told_apart(passed),
        "warnedTests": _told_apart(warned),
        "failedTests": _told_apart(failed),
    }
    document = {
        "_type": _STATEMENT,
        "subject": [{"name": name, "digest": {"sha256": sha256}} for name, sha256 in subjects],
        "predicateType": PREDICATE,
        "predicate": predicate,
    }
    return json.dumps(document, indent=2) + "\n"


def _of_run(evidence: Evidence, found: Sequence[Outcome]) -> list[str]:
    """Return what is red of the run as a whole, where no test says it."""
    if not evidence.complete:
        return ["the run did not come to its end"]
    if not any(each.record for each in found):
        return ["nothing was judged"]
    silent = not evidence.ended_green and not any(each.red for each in found)
    return [f"the run ended with exit code {evidence.exit_code}"] if silent else []


def _configuration(evidence: Evidence) -> list[dict[str, Any]]:
    given, baseline = evidence.configuration, evidence.baseline
    files = [(given.file, given.sha256), *([] if baseline is None else [(baseline.file, baseline.sha256)])]
    return [{"name": name, "digest": {"sha256": sha256}} for name, sha256 in files]


def _told_apart(names: Sequence[str]) -> list[str]:
    """Return names of which none stands twice: a hand-written test can ask one question several times."""
    seen: Counter[str] = Counter()
    apart = []
    for name in names:
        seen[name] += 1
        apart.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return apart
