"""Tests that a user writes with the `fairness` fixture or mark."""

from __future__ import annotations

import pytest

from fairness_checks import CheckRecord

AUDIT = """
from conftest import predictions

PEOPLE = {{
    "biased": {{"female": (160, 400), "male": (40, 400)}},
    "fair": {{"female": (40, 400), "male": (40, 400)}},
    "tiny": {{"female": (4, 12), "male": (3, 12)}},
}}


def test_hand(fairness):
    record = fairness.audit(
        predictions(PEOPLE["{people}"]), metric="false_negative_rate", by="sex", max_difference=0.10
    )
    assert record.verdict == "{verdict}"
"""


@pytest.fixture
def audit(project):
    """Write a test of the given people and run the gate; the file of limits holds a fair model."""

    def run(people, verdict, *arguments, place="test_hand.py"):
        project.limits("fair_model")
        project.write(place, AUDIT.format(people=people, verdict=verdict))
        project.pytester.syspathinsert()
        return project.gate(*arguments)

    return run


@pytest.mark.parametrize(
    ("people", "verdict", "burden", "outcome", "code"),
    [
        ("biased", "fail", "violation", "failed", 1),
        ("biased", "fail", "compliance", "failed", 1),
        ("fair", "pass", "violation", "passed", 0),
        ("fair", "pass", "compliance", "passed", 0),
        ("tiny", "inconclusive", "violation", "inconclusive", 0),
        ("tiny", "inconclusive", "compliance", "failed", 1),
    ],
)
def test_the_fixture_gives_the_verdict_to_the_test(project, audit, people, verdict, burden, outcome, code):
    result = audit(people, verdict, f"--fairness-burden={burden}", "--junitxml=junit.xml", "-k", "test_hand")
    assert result.ret == code
    assert result.parseoutcomes() == {outcome: 1, "deselected": 1}
    (case,) = project.junit().values()
    record = CheckRecord.from_json(project.properties(case)["fairness.record"])
    assert (record.model, record.verdict, record.burden_of_proof) == ("test_hand", verdict, burden)
    if outcome == "failed":
        assert case.find("failure").get("message").startswith("Failed: false_negative_rate by sex: female ")
        assert "suite.py" not in case.find("failure").text
    assert project.fitted() == []


def test_its_table_stands_beside_the_others(audit):
    lines = audit("biased", "fail").outlines
    assert lines.count("test_hand") == lines.count("fair_model") == 1


def test_settings_come_from_the_file_and_may_be_given(project):
    project.limits("fair_model", defaults="{min_group_size: 50, alpha: 0.01, missing_sensitive: group}")
    project.write(
        "test_hand.py",
        "from conftest import predictions\n"
        "def test_hand(fairness):\n"
        "    people = predictions({'f': (0, 12), 'm': (0, 12), None: (0, 12)})\n"
        "    arguments = dict(metric='accuracy', by='sex', max_difference=0.5)\n"
        "    record = fairness.audit(people, **arguments)\n"
        "    assert (record.verdict, record.alpha, record.min_group_size) == ('inconclusive', 0.01, 50)\n"
        "    given = fairness.audit(people, **arguments, alpha=0.2, min_group_size=5, model='mine')\n"
        "    assert (given.verdict, given.alpha, given.model) == ('pass', 0.2, 'mine')\n",
    )
    project.pytester.syspathinsert()
    assert project.gate("test_hand.py::test_hand").parseoutcomes() == {"inconclusive": 1}


@pytest.mark.parametrize(("body", "outcome"), [("pass", "passed"), ("assert 1 == 2", "failed")])
@pytest.mark.parametrize("head", ["{mark}\ndef test_hand():", "class TestHand:\n  {mark}\n  def test_hand(self):"])
def test_the_mark_makes_a_test_a_fairness_test(project, head, body, outcome):
    project.limits("fair_model")
    project.write("test_hand.py", f"import pytest\n{head.format(mark='@pytest.mark.fairness')}\n    {body}\n")
    assert project.gate("-k", "test_hand").parseoutcomes() == {outcome: 1, "deselected": 1}


def test_a_failing_statement_outweighs_an_inconclusive_verdict(audit):
    result = audit("tiny", "pass", "-k", "test_hand")
    assert result.parseoutcomes() == {"failed": 1, "deselected": 1}
    assert "AssertionError" in result.stdout.str()


@pytest.mark.parametrize("testpaths", ["", "testpaths = checks", "testpaths = checks other"])
def test_wherever_testpaths_hold_them(project, audit, testpaths):
    project.write("pytest.ini", f"[pytest]\n{testpaths}\n")
    project.write("other/test_other.py", "def test_other(fairness): pass\n")
    result = audit("tiny", "inconclusive", place="checks/deep/test_hand.py")
    expected = {"passed": 1 if testpaths.endswith("checks") else 2, "inconclusive": 1}
    assert result.parseoutcomes() == expected


def test_without_a_check_in_the_file(project):
    project.limits()
    project.write("test_hand.py", "def test_hand(fairness): pass\n")
    assert project.gate().parseoutcomes() == {"passed": 1}


def test_a_caught_failure_is_still_red(project):
    project.limits("fair_model")
    project.write(
        "test_hand.py",
        "import pytest\nfrom conftest import predictions\n"
        "def test_hand(fairness):\n"
        "    with pytest.raises(pytest.fail.Exception):\n"
        "        fairness.audit(predictions({'f': (160, 400), 'm': (40, 400)}), metric='accuracy', by='sex',\n"
        "                       max_difference=0.01)\n",
    )
    project.pytester.syspathinsert()
    result = project.gate()
    assert result.ret == 1
    assert "test_hand.py::test_hand: its verdict is fail" in result.stdout.str()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("metric='false_negative_rat', by='sex', max_difference=0.1", "did you mean 'false_negative_rate'?"),
        ("metric='accuracy', by='sexx', max_difference=0.1", "did you mean 'sex'?"),
        ("metric='accuracy', by='sex'", "give exactly one of max_difference"),
        ("metric='accuracy', by='sex', max_difference=1.5", "1.5 is impossible"),
    ],
)
def test_a_wrong_argument_fails_the_test_with_the_remedy(project, arguments, message):
    project.limits("fair_model")
    project.write(
        "test_hand.py",
        "from conftest import predictions\n"
        "def test_hand(fairness):\n"
        f"    fairness.audit(predictions({{'f': (1, 20), 'm': (1, 20)}}), {arguments})\n",
    )
    project.pytester.syspathinsert()
    result = project.gate("test_hand.py::test_hand")
    assert result.parseoutcomes() == {"failed": 1}
    assert message in result.stdout.str()
