"""Ways in which a configured check could leave a run in silence: each must be red, or a usage error that names it."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import pytest

HAND = """
from conftest import predictions


def test_hand(fairness):
    fair = predictions({"female": (40, 400), "male": (40, 400)})
    fairness.audit(fair, metric="false_negative_rate", by="sex", max_difference=0.1)
"""
WAIVER = (
    "{model: biased_model, metric: false_negative_rate, by: sex, reason: known, "
    "approved_by: A. B., expires: 2027-01-01}"
)
MISSING = "1 configured checks or waivers were not collected: false_negative_rate by sex of biased_model"


@pytest.fixture
def both(project):
    """Write a biased model in the file of limits, and a hand-written test that passes."""
    project.limits("biased_model")
    project.write("test_hand.py", HAND)
    project.pytester.syspathinsert()
    return project


def test_the_run_is_red_when_nothing_interferes(both):
    result = both.gate()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(failed=1, passed=1)


@pytest.mark.parametrize("options", [["--ignore-glob=*.yaml"], ["--ignore=thresholds.yaml"]])
def test_an_ignored_file_of_limits_is_a_usage_error(both, options):
    result = both.gate(*options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{MISSING}*"])
    assert both.fitted() == []


@pytest.mark.parametrize(
    "lines",
    [
        'collect_ignore_glob = ["*.yaml"]\n',
        "def pytest_collection_modifyitems(items):\n    items[:] = [i for i in items if i.path.suffix == '.py']\n",
    ],
    ids=["collect_ignore", "items taken away"],
)
def test_checks_that_a_conftest_takes_away_are_a_usage_error(both, lines):
    both.write("conftest.py", both.MODELS + "\n\n" + lines)
    result = both.gate()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{MISSING}*"])


def test_a_folder_that_skips_itself_takes_no_checks_with_it(project):
    project.write("gate/conftest.py", "import pytest\n\npytest.importorskip('there_is_no_such_module')\n")
    project.limits("biased_model").rename(project.path / "gate" / "thresholds.yaml")
    project.write("test_hand.py", HAND)
    project.pytester.syspathinsert()
    result = project.gate("--fairness-config=gate/thresholds.yaml")
    assert result.ret not in (pytest.ExitCode.OK, pytest.ExitCode.INTERNAL_ERROR)


@pytest.mark.parametrize(
    "options", [["-k", "test_hand"], ["--deselect", "thresholds.yaml"], ["test_hand.py::test_hand"]]
)
def test_what_is_deselected_openly_may_be_left_out(both, options):
    result = both.gate(*options)
    assert result.ret == pytest.ExitCode.OK
    result.assert_outcomes(passed=1, deselected=1)


@pytest.mark.parametrize("name", ["fairness-gate", "fairness-ledger"])
def test_the_hooks_cannot_be_switched_off(both, name):
    result = both.gate("-p", f"no:{name}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*-p no:{name} cannot be combined with --fairness*"])


def test_a_run_that_ends_before_collection_is_red(both):
    leave = "import pytest\n\n\ndef pytest_collection(session):\n    pytest.exit('no gpu', returncode=0)\n"
    both.write("conftest.py", both.MODELS + "\n\n" + leave)
    result = both.gate()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*the run ended before any check was collected*"])


def test_a_fixture_that_replaces_a_model_is_an_error_of_its_checks(both):
    override = (
        "\n\nimport pytest\n\n\n@pytest.fixture(scope='session', name='biased_model')\ndef zz_override():\n"
        "    return predictions({'female': (40, 400), 'male': (40, 400)})\n"
    )
    both.write("conftest.py", both.MODELS + override)
    result = both.gate()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(errors=1, passed=1)
    result.stdout.fnmatch_lines(["*biased_model: the fixture in *conftest.py:* replaces the model biased_model*"])


@pytest.mark.parametrize("name", ["fairness", "fairness_record", "fairness_waiver"])
def test_a_fixture_that_replaces_one_of_the_gate_s_own_is_an_error(both, name):
    override = f"""

import pytest
from fairness_checks import audit


@pytest.fixture(name={name!r})
def kinder():
    fair = predictions({{"female": (40, 400), "male": (40, 400)}})
    return audit(fair, metric="false_negative_rate", by="sex", max_difference=0.10)
"""
    both.write("conftest.py", both.MODELS + override)
    both.write("test_hand.py", f"import pytest\n\n\n@pytest.mark.fairness\ndef test_hand({name}):\n    pass\n")
    result = both.gate()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines([f"*the fixture in *conftest.py:* replaces the gate's own fixture {name}*"])


def test_an_audit_after_the_test_is_red(both):
    both.write(
        "test_late.py",
        "import pytest\nfrom conftest import predictions\n\n\n@pytest.fixture\ndef late(fairness):\n    yield\n"
        "    tiny = predictions({'female': (4, 12), 'male': (3, 12)})\n"
        "    fairness.audit(tiny, metric='accuracy', by='sex', max_difference=0.1)\n\n\n"
        "def test_late(late):\n    pass\n",
    )
    both.limits("fair_model")
    result = both.gate()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*fairness.audit was called after its test had ended*"])


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["serial", "parallel"])
def test_a_model_that_calls_pytest_exit_errs_its_own_checks(both, workers):
    leave = "\n\n@fairness_model\ndef leaving_model():\n    import pytest\n\n    pytest.exit('done', returncode=0)\n"
    both.write("conftest.py", both.MODELS + leave)
    both.limits("leaving_model", "fair_model")
    result = both.gate_in_subprocess(*workers)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*leaving_model: the fixture called pytest.exit: done*"])
    assert "INTERNALERROR" not in result.stdout.str()
    result.assert_outcomes(errors=1, passed=2)


@pytest.mark.parametrize("name", ["request", "fairness", "fairness_record", "fairness_cache", "fairness_device"])
def test_a_model_may_not_take_a_name_of_the_gate(project, name):
    project.write("conftest.py", project.MODELS.replace("def tiny_model", f"def {name}"))
    project.limits("fair_model")
    result = project.gate()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"@fairness_model {name}: the name is taken" in result.stderr.str() + result.stdout.str()


def test_listing_fixtures_loses_nothing(both):
    result = both.gate("--fixtures")
    assert result.ret == pytest.ExitCode.OK
    assert "lost checks" not in result.stdout.str()


@pytest.mark.parametrize("place", [".", "./", "{folder}"])
def test_testpaths_may_be_any_place_that_pytest_takes(both, place):
    both.pytester.makeini(f"[pytest]\ntestpaths = {place.format(folder=both.pytester.path)}\n")
    both.gate().assert_outcomes(failed=1, passed=1)


TAKEN = """
def pytest_collection_modifyitems(config, items):
    out = [item for item in items if "biased" in item.name]
    items[:] = [item for item in items if item not in out]
    config.hook.pytest_deselected(items=out)
"""


@pytest.mark.parametrize("workers", [(), ("-n1",)], ids=["alone", "a worker"])
@pytest.mark.parametrize("by", ["an option", "a hook"])
def test_what_is_deselected_is_named_in_the_terminal_and_in_junit(project, by, workers):
    project.limits("biased_model", "fair_model")
    project.write("conftest.py", project.MODELS + (TAKEN if by == "a hook" else ""))
    options = ("-k", "not biased") if by == "an option" else ()
    gate = project.gate_in_subprocess if workers else project.gate
    result = gate("--junitxml=junit.xml", *options, *workers)
    assert result.ret == 0
    node = project.check_id("biased_model")
    assert f"{node}: deselected" in result.stdout.str()
    suite = ET.parse(project.path / "junit.xml").find(".//testsuite/properties")
    assert [each.get("value") for each in suite if each.get("name") == "fairness.deselected"] == [node]


@pytest.mark.parametrize("workers", [(), ("-n1",)], ids=["alone", "a worker"])
@pytest.mark.parametrize("place", ["arguments", "addopts", "a hand-written test"])
def test_what_a_node_id_leaves_out_is_deselected(project, place, workers):
    project.limits("fair_model", "biased_model", waivers=f"[{WAIVER}]")
    project.write("test_hand.py", project.passing("test_hand"))
    only = "test_hand.py::test_hand" if "hand" in place else project.check_id("fair_model")
    if place == "addopts":
        project.write("pytest.ini", f'[pytest]\naddopts = "{only}"\n')
    gate = project.gate_in_subprocess if workers else project.gate
    given = () if place == "addopts" else (only,)
    result = gate("--junitxml=junit.xml", "--fairness-report=out", *given, *workers)
    biased, waiver = (
        project.check_id("biased_model"),
        "thresholds.yaml::test_waiver[subgroups-biased_model-sex-false_negative_rate]",
    )
    assert result.ret == 0
    assert all(f"{node}: deselected" in result.stdout.str() for node in (biased, waiver))
    suite = ET.parse(project.path / "junit.xml").find(".//testsuite/properties")
    named = [each.get("value") for each in suite if each.get("name") == "fairness.deselected"]
    assert {biased, waiver} <= set(named)
    assert only not in named
    evidence = json.loads((project.path / "out/evidence.json").read_text(encoding="utf-8"))
    assert evidence["not_judged"][biased] == "deselected"
    assert not evidence["run"]["whole"]
    if not workers:
        assert result.parseoutcomes()["deselected"] == len(named)


def test_of_many_that_are_deselected_some_are_named(project):
    project.limits("fair_model")
    each = "import pytest\n\n\n@pytest.mark.parametrize('n', range(30))\ndef test_hand(fairness, n): pass\n"
    project.write("test_hand.py", each)
    result = project.gate("-k", "false_negative_rate")
    assert result.stdout.str().count(": deselected") == 21
    assert "10 more: deselected" in result.stdout.str()
