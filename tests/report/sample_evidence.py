"""Evidence of runs whose verdicts are known, and the same with other names in every place that holds one."""

from __future__ import annotations

import dataclasses

from fairness_checks import audit
from fairness_checks.records.check_record import CheckRecord
from fairness_checks.records.parts import WaiverRecord
from fairness_checks.report.evidence import (
    CheckEvidence,
    ConfigurationEvidence,
    Evidence,
    FailureEvidence,
    ModelEvidence,
    RunEvidence,
)
from fairness_checks.report.outcomes import Outcome
from tests.builders import missing_positives

HOSTILE = (
    "<script>alert(1)</script>",
    "\"'`]]>&amp;</b>",
    "a|b||c\\|d",
    "*bold* _it_ **x** ~~no~~ [l](http://a.b) ![i](x)",
    "\x00\x1b[31m\r\n\t::error::",
    "\u202eright to left\u202c \u05d0\u05d1",
    "@everyone #1 www.a.bc :smile: $x$ https://a.bc",
    "# x\n- y\n1. z\n| a |\n```",
    "12. x",
    "3)",
    "- - -",
    "+",
    "n" * 300,
    " ",
    "",
)


def record(missed: int = 160, n: int = 400, *, waived: bool = False, **asked: object) -> CheckRecord:
    """Return the record of a difference in false negatives: `missed` of `n` women, a tenth of as many men."""
    made = missing_positives({"female": (missed, n), "male": (n // 10, n)})
    limits = {"max_difference": 0.1, "model": "sepsis"} | asked
    found = audit(made, metric="false_negative_rate", by="sex", **limits)
    if not waived:
        return found
    waiver = WaiverRecord(reason="relabelled", approved_by="Dr. X", expires="2027-06-30")
    return dataclasses.replace(found, verdict="waived", waiver=waiver)


def check(number: int, found: CheckRecord | None, **other: object) -> CheckEvidence:
    """Return the evidence of a check in a line of its own."""
    question = f"subgroups: metric_{number} by sex, max_difference" if found is None else found.question.line
    known = {"test": f"thresholds.yaml::test_subgroups[sepsis-{number}]", "line": number} | other
    return CheckEvidence(question=question, record=found, **known)


def evidence(*checks: CheckEvidence, unsettled_exit: int | None = None, **other: object) -> Evidence:
    """Return the evidence of a run of one model."""
    known = {
        "complete": True,
        "run": RunEvidence(
            started="2027-01-01T00:00:00Z",
            ended="2027-01-01T00:01:00Z",
            day="2027-01-01",
            command=("--fairness",),
            whole=True,
            python="3.11",
            versions={"pytest-fairness": "0.1.0"},
            git=None,
            unsettled_exit=unsettled_exit,
        ),
        "configuration": ConfigurationEvidence(
            file="thresholds.yaml", sha256="0" * 64, text="version: 1", burden_of_proof=None
        ),
        "baseline": None,
        "models": (ModelEvidence(model="sepsis", checks=checks),) if checks else (),
        "exit_code": 1 if any(each.record is not None and each.record.verdict == "fail" for each in checks) else 0,
    }
    return Evidence(**(known | other))


def mixed(**other: object) -> Evidence:
    """Return the evidence of a red run with a check of every outcome."""
    checks = (
        check(1, record()),
        check(2, record(42)),
        check(3, record(4, 12)),
        check(4, record(waived=True)),
        check(5, None, error="InvalidPredictions: no scores"),
        check(6, None),
    )
    known = {
        "failures": (
            FailureEvidence(test="thresholds.yaml::test_subgroups[sepsis-5]", text="no scores"),
            FailureEvidence(test="test_own.py::test_x", text="assert 1 == 2"),
        ),
        "not_judged": {"thresholds.yaml::test_subgroups[sepsis-6]": "deselected", "other": "no data yet"},
        "exit_code": 1,
    }
    return evidence(*checks, **(known | other))


def renamed(run: Evidence, name: str) -> Evidence:
    """Return the evidence with a name in every place that comes from the project."""
    models = tuple(
        dataclasses.replace(
            model,
            model=name,
            about={name: name},
            held_out=(name,),
            checks=tuple(_renamed(each, name) for each in model.checks),
        )
        for model in run.models
    )
    failures = (*run.failures, FailureEvidence(test=name, text=name))
    configuration = dataclasses.replace(run.configuration, period=name)
    return dataclasses.replace(
        run,
        models=models,
        failures=failures,
        not_judged=run.not_judged | {f"{name}::test": name},
        configuration=configuration,
    )


def _renamed(each: CheckEvidence, name: str) -> CheckEvidence:
    asked = {"why": name, "owner": name, "error": None if each.error is None else name}
    found = each.record
    if found is not None:
        names = {group.name: (f"{name}{place}",) for place, group in enumerate(found.groups)}
        waiver = None if found.waiver is None else WaiverRecord(reason=name, approved_by=name, expires=name)
        found = dataclasses.replace(
            found,
            model=name,
            by=(name,),
            groups=tuple(dataclasses.replace(group, name=names[group.name]) for group in found.groups),
            first=None if found.first is None else names[found.first],
            second=None if found.second is None else names[found.second],
            waiver=waiver,
            about={name: name},
            notes=(name,),
            cautions=(name,),
        )
    return dataclasses.replace(each, record=found, **asked)


def by_status(found: list[Outcome]) -> dict[str, int]:
    """Count outcomes by status."""
    return {each.status: sum(other.status == each.status for other in found) for each in found}
