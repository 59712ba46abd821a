"""What has become of each test of a run."""

from __future__ import annotations

import dataclasses

import pytest

from fairness_checks.report.outcomes import outcomes, run_words
from tests.report.sample_evidence import by_status, check, evidence, mixed, record

WHOLE = evidence(check(1, record(42)))


def test_each_test_has_one_outcome_and_what_is_red_stands_first():
    found = outcomes(mixed())
    assert by_status(found) == {"fail": 1, "error": 2, "inconclusive": 1, "waived": 1, "not judged": 2, "pass": 1}
    assert len({each.test for each in found}) == len(found)
    assert [each.red for each in found] == [True] * 3 + [False] * 5
    assert [(each.status, each.line) for each in found if each.line] == [
        ("fail", 1),
        ("error", 5),
        ("inconclusive", 3),
        ("waived", 4),
        ("not judged", 6),
        ("pass", 2),
    ]


def test_what_a_burden_of_compliance_fails_is_red_whatever_its_verdict():
    unsettled = record(4, 12, burden_of_proof="compliance")
    run = evidence(check(1, unsettled), exit_code=1)
    (found,) = outcomes(run)
    assert (found.status, found.red) == ("inconclusive", True)


def test_a_test_that_fails_beside_its_verdict_has_both():
    passed = check(1, record(42))
    failure = dataclasses.replace(mixed().failures[0], test=passed.test)
    found = outcomes(evidence(passed, failures=(failure,), exit_code=1))
    assert [(each.test, each.status) for each in found] == [(passed.test, "error"), (passed.test, "pass")]


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (mixed(), "Failed with exit code 1: 3 of 8 checks and tests failed"),
        (mixed(complete=False), "The run did not come to its end, and proves nothing"),
        (evidence(check(1, record(42))), "On these data all limits were shown to be kept"),
        (evidence(check(1, record(42)), exit_code=1), "Failed with exit code 1: no single check did"),
        (evidence(), "Nothing was judged"),
        (
            evidence(check(1, record(42)), check(2, record(4, 12))),
            "No limit was shown to be exceeded, and not all are shown to be kept",
        ),
        (
            evidence(check(1, record(42)), check(2, None)),
            "No limit was shown to be exceeded, and not all are shown to be kept",
        ),
        (
            evidence(check(1, record(4, 12)), exit_code=6, unsettled_exit=6),
            "No limit was shown to be exceeded, and not all are shown to be kept",
        ),
        (
            evidence(check(1, record(waived=True)), check(2, record(42))),
            "No limit was shown to be exceeded beyond 1 that is waived",
        ),
        (
            evidence(check(1, record(waived=True)), check(2, record(4, 12))),
            "No limit was shown to be exceeded beyond 1 that is waived, and not all are shown to be kept",
        ),
        (
            dataclasses.replace(WHOLE, run=dataclasses.replace(WHOLE.run, whole=False)),
            "No limit was shown to be exceeded, and not all are shown to be kept",
        ),
    ],
)
def test_the_run_in_one_sentence(run, said):
    assert run_words(run, outcomes(run)) == said
