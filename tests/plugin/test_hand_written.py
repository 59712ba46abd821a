"""Tests that a user writes with the `fairness` fixture or mark."""

from __future__ import annotations

import xml.etree.ElementTree as ET

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
        assert case.find("failure").get("message").startswith("Failed: test_hand misses ")
        assert "\n" not in case.find("failure").get("message")
        assert "suite.py" not in case.find("failure").text
    assert project.fitted() == []


def test_its_table_stands_beside_the_others(audit):
    lines = audit("biased", "fail", "-v").outlines
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
    assert project.gate("test_hand.py::test_hand").parseoutcomes() == {"inconclusive": 1, "deselected": 1}


BARE = "audit(predictions({{'f': (40, 400), 'm': (40, 400)}}), metric='accuracy', by='sex', max_difference={})"


@pytest.mark.parametrize(
    ("body", "outcome"), [(BARE.format(0.1), "passed"), ("assert 1 == 2", "failed"), ("pass", "failed")]
)
@pytest.mark.parametrize("head", ["{mark}\ndef test_hand():", "class TestHand:\n  {mark}\n  def test_hand(self):"])
def test_the_mark_makes_a_test_a_fairness_test(project, head, body, outcome):
    project.limits("fair_model")
    project.write(
        "test_hand.py",
        f"import pytest\nfrom fairness_checks import audit\nfrom conftest import predictions\n"
        f"{head.format(mark='@pytest.mark.fairness')}\n    {body}\n",
    )
    project.pytester.syspathinsert()
    assert project.gate("-k", "test_hand").parseoutcomes() == {outcome: 1, "deselected": 1}


def test_a_failing_statement_outweighs_an_inconclusive_verdict(audit):
    result = audit("tiny", "pass", "-k", "test_hand")
    assert result.parseoutcomes() == {"failed": 1, "deselected": 1}
    assert "AssertionError" in result.stdout.str()


@pytest.mark.parametrize("testpaths", ["", "testpaths = checks", "testpaths = checks other"])
def test_wherever_testpaths_hold_them(project, audit, testpaths):
    project.write("pytest.ini", f"[pytest]\n{testpaths}\n")
    project.write("other/test_other.py", project.passing("test_other"))
    result = audit("tiny", "inconclusive", place="checks/deep/test_hand.py")
    expected = {"passed": 1 if testpaths.endswith("checks") else 2, "inconclusive": 1}
    assert result.parseoutcomes() == expected


def test_without_a_check_in_the_file(project):
    project.limits()
    project.write("test_hand.py", project.passing("test_hand"))
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
    assert result.parseoutcomes() == {"failed": 1, "passed": 1}
    assert "lost checks" not in result.stdout.str()


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
    assert result.parseoutcomes() == {"failed": 1, "deselected": 1}
    assert message in result.stdout.str()


@pytest.fixture
def marked(project):
    """Write the body of a test with the mark, beside a fair model's check."""

    def write(body, mark="@pytest.mark.fairness"):
        project.limits("fair_model")
        project.write(
            "test_hand.py",
            "import pytest\nfrom conftest import predictions\nfrom fairness_checks import audit, audit_uncertainty\n\n"
            "BIASED, FAIR, TINY = ({'f': f, 'm': (40, 400)} for f in [(160, 400), (40, 400), (3, 12)])\n"
            "ASKED = {'metric': 'accuracy', 'by': 'sex', 'max_difference': 0.1}\n\n"
            f"{mark}\ndef test_hand():\n    {body}\n",
        )
        project.pytester.syspathinsert()
        return project

    return write


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        ("audit(predictions(FAIR), **ASKED)", "passed"),
        ("audit(predictions(BIASED), **ASKED)", "failed"),
        ("assert audit(predictions(BIASED), **ASKED).verdict == 'fail'", "failed"),
        ("audit(predictions(TINY), **ASKED)", "inconclusive"),
        ("audit(predictions(TINY), **ASKED, burden_of_proof='compliance')", "failed"),
        ("[audit(predictions(each), **ASKED) for each in (FAIR, TINY)]", "inconclusive"),
        ("audit_uncertainty(predictions(FAIR), by='sex', max_mismatch=0.5)", "failed"),  # there is none
        ("pass", "failed"),
        ("return None", "failed"),
    ],
)
def test_the_verdicts_of_the_plain_function_are_the_test_s_own(marked, body, outcome):
    result = marked(body).gate("--junitxml=junit.xml")
    assert result.parseoutcomes() == ({"passed": 2} if outcome == "passed" else {"passed": 1, outcome: 1})
    assert result.ret == (outcome == "failed")


def test_a_thread_of_a_test_is_heard(marked):
    body = "import threading\n    audit(predictions(FAIR), **ASKED)\n    "
    body += "one = threading.Thread(target=lambda: audit(predictions(BIASED), **ASKED)); one.start(); one.join()"
    assert marked(body).gate().parseoutcomes() == {"passed": 1, "failed": 1}


_PLACES = {
    "fixture": "@pytest.fixture(autouse=True)\ndef other():\n    {}\n    yield\n    {}\n",
    "session fixture": "@pytest.fixture(autouse=True, scope='session')\ndef other():\n    {}\n    yield\n    {}\n",
    "setup_function": "def setup_function(function):\n    {}\n\ndef teardown_function(function):\n    {}\n",
    "setup_module": "def setup_module():\n    {}\n\ndef teardown_module():\n    {}\n",
}


@pytest.mark.parametrize("place", _PLACES)
@pytest.mark.parametrize(
    ("people", "outcome"),
    [("BIASED", {"errors": 1}), ("TINY", {"inconclusive": 1}), ("FAIR", {"passed": 1})],
)
def test_a_verdict_before_the_test_is_its_own(project, marked, place, people, outcome):
    mark = f"{_PLACES[place].format(f'audit(predictions({people}), **ASKED)', 'pass')}\n\n@pytest.mark.fairness"
    marked("audit(predictions(FAIR), **ASKED)", mark)
    result = project.gate("test_hand.py::test_hand")
    assert result.parseoutcomes() == outcome | {"deselected": 1}
    assert result.ret == ("errors" in outcome)


@pytest.mark.parametrize("place", _PLACES)
def test_a_verdict_after_the_test_is_red(project, marked, place):
    mark = f"{_PLACES[place].format('pass', 'audit(predictions(BIASED), **ASKED)')}\n\n@pytest.mark.fairness"
    marked("audit(predictions(FAIR), **ASKED)", mark)
    result = project.gate("test_hand.py::test_hand")
    assert result.parseoutcomes() == {"passed": 1, "errors": 1, "deselected": 1}
    result.stdout.fnmatch_lines(["*audit was called after its test had ended*"])


def test_a_verdict_of_the_plain_function_is_a_record_as_others_are(project, marked):
    result = marked("audit(predictions(FAIR), **ASKED, model='mine')").gate("--junitxml=junit.xml", "-v")
    record = CheckRecord.from_json(project.properties(project.junit()["test_hand"])["fairness.record"])
    assert (record.model, record.verdict) == ("mine", "pass")
    assert "mine" in result.outlines


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["serial", "parallel"])
def test_a_test_that_ends_without_a_verdict_is_red(marked, workers):
    result = marked("pass").gate_in_subprocess(*workers)
    assert result.ret == 1
    assert "the test ended without a verdict" in result.stdout.str()


def test_nobody_hears_of_verdicts_outside_of_the_gate(project):
    project.write("test_mine.py", "from fairness_checks import audit, Predictions\n\ndef test_mine():\n    "
                  "assert audit(Predictions([1] * 80, [0] * 40 + [1] * 40, sensitive_features={'sex': ['f'] * 40 + "
                  "['m'] * 40}), metric='accuracy', max_difference=0.1).verdict == 'fail'\n")  # fmt: skip
    assert project.pytest().parseoutcomes() == {"passed": 1}


@pytest.mark.parametrize("call", ["fairness.audit", "audit"])
def test_the_burden_of_the_command_line_wins_over_an_argument(project, call):
    project.limits("fair_model")
    project.write(
        "test_hand.py",
        "from conftest import predictions\nfrom fairness_checks import audit\n\ndef test_hand(fairness):\n"
        f"    {call}(predictions({{'f': (4, 12), 'm': (3, 12)}}), metric='accuracy', by='sex', max_difference=0.1,\n"
        "        burden_of_proof='violation')\n",
    )
    project.pytester.syspathinsert()
    assert project.gate().parseoutcomes() == {"passed": 1, "inconclusive": 1}
    result = project.gate("--fairness-burden=compliance")
    assert result.parseoutcomes() == {"passed": 1, "failed": 1}
    assert result.ret == 1


SKIPS = {
    "in the test": ("pytest.skip('no data')", "@pytest.mark.fairness", "no data"),
    "by a mark": ("pass", "@pytest.mark.fairness\n@pytest.mark.skip(reason='no data')", "no data"),
    "by skipif": ("pass", "@pytest.mark.fairness\n@pytest.mark.skipif(True, reason='no data')", "no data"),
    "expected to fail": ("assert 0", "@pytest.mark.fairness\n@pytest.mark.xfail(reason='known')", "known"),
    "not run": ("pass", "@pytest.mark.fairness\n@pytest.mark.xfail(run=False, reason='slow')", "slow"),
    "the whole file": ("pass", "pytest.importorskip('nowhere_at_all')\n\n@pytest.mark.fairness", "could not import"),
    "the whole file, which names the fixture": (
        "pass",
        "pytest.importorskip('nowhere_at_all')\n\n@pytest.mark.usefixtures('fairness')",
        "could not import",
    ),
}


@pytest.mark.parametrize("workers", [[], ["-n", "1"]], ids=["serial", "parallel"])
@pytest.mark.parametrize(("body", "mark", "reason"), SKIPS.values(), ids=SKIPS)
def test_what_is_skipped_is_not_judged(marked, body, mark, reason, workers):
    project = marked(body, mark)
    result = project.gate_in_subprocess(*workers)
    assert result.ret == 0
    place = next(n for n, line in enumerate(result.outlines) if "fairness: not judged" in line)
    assert result.outlines[place + 1].startswith("test_hand.py")
    assert reason in result.outlines[place + 1]
    if "nowhere" not in mark:
        assert result.parseoutcomes() == {"passed": 1, "unjudged": 1}
    result = project.gate_in_subprocess(*workers, "--fairness-burden=compliance", "--junitxml=junit.xml")
    assert result.ret == 1
    assert "what is not judged is not shown to keep its limit" in result.stdout.str()
    tags = {child.tag for case in project.junit().values() for child in case}
    assert tags & {"failure", "error"}


def test_a_run_in_which_all_is_skipped_is_not_green(marked):
    result = marked("pytest.skip('no data')").gate("test_hand.py::test_hand")
    assert result.ret == 1
    assert "nothing was judged: every test was skipped" in result.stdout.str()


def test_a_skipped_file_that_knows_nothing_of_fairness_is_none_of_the_gate_s(project):
    project.limits("fair_model")
    speaks = "TEXT = 'pytest --fairness, @pytest.mark.fairness, (fairness)'  # fairness\n"
    skips = "import pytest, fairness_checks\n\npytest.importorskip('nowhere_at_all')\n"
    project.write("test_mine.py", speaks + skips)
    result = project.gate("--fairness-burden=compliance")
    assert result.ret == 0
    assert "test_mine.py: " not in result.stdout.str()


@pytest.mark.parametrize("options", [(), ("--fairness",)], ids=["plain", "gate"])
def test_a_fixture_that_pytest_does_not_see_coming_says_so(project, options):
    """A plain run asks for it; under --fairness the test is none of the gate's, and is counted as left out."""
    project.limits("fair_model")
    project.write("test_hand.py", "def test_hand(request):\n    request.getfixturevalue('fairness').audit()\n")
    with project.the_rest_unchecked():
        result = project.pytest(*options)
    if options:
        assert result.parseoutcomes() == {"passed": 1, "deselected": 1}
    else:
        assert result.parseoutcomes() == {"failed": 1}
        assert "mark the test with @pytest.mark.fairness" in result.stdout.str()


UNCERTAIN = """
import numpy as np
from fairness_checks import Predictions


def two(spread):
    rng = np.random.default_rng(0)
    error = np.concatenate([1.0 + rng.random(80), rng.random(80)])
    uncertainty = error if spread else rng.random(160)
    return Predictions(error=error, uncertainty=uncertainty, sensitive_features={"skin": ["d"] * 80 + ["l"] * 80})


def test_warns(fairness):
    fairness.audit_uncertainty(two(True), by="skin", max_mismatch=0.2)


def test_silent(fairness):
    fairness.audit_uncertainty(two(False), by="skin", max_mismatch=0.2)
"""


def test_an_uncertainty_is_audited_as_the_rest_is(project):
    project.limits("fair_model")
    project.write("test_mine.py", UNCERTAIN)
    result = project.gate("-v")
    assert result.parseoutcomes() == {"passed": 2, "failed": 1}
    assert "hand-written tests: 2 checks, each judged by itself and not adjusted for the others" in result.stdout.str()


def test_one_hand_written_check_has_no_others(project):
    project.limits("fair_model")
    project.write("test_mine.py", project.passing("test_mine"))
    assert "not adjusted for the others" not in project.gate().stdout.str()


def test_tests_of_one_name_are_kept_apart(project):
    project.limits("fair_model")
    for folder in ("a", "b"):
        project.write(f"{folder}/__init__.py", "")
        project.write(f"{folder}/test_mine.py", project.passing("test_mine"))
    project.write("test_other.py", project.passing("test_alone"))
    project.gate("--junitxml=junit.xml", "-o", "junit_family=xunit1")
    cases = ET.parse(project.path / "junit.xml").iter("testcase")
    models = sorted(filter(None, (project.properties(case).get("fairness.model") for case in cases)))
    assert models == ["a/test_mine.py::test_mine", "b/test_mine.py::test_mine", "fair_model", "test_alone"]
