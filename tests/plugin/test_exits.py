"""Whatever ends a run: its exit code is 0 only where every check was judged, counted, and in order."""

from __future__ import annotations

import errno
import json
import os
import xml.etree.ElementTree as ET

import pytest

from fairness_checks.plugin import forked
from fairness_checks.plugin.exits import EvidenceFiles
from fairness_checks.report.evidence import read_evidence
from fairness_checks.report.formats import FORMATS, folder_files
from fairness_checks.storage import files
from tests.builders import instead
from tests.report.sample_evidence import check, evidence, record

EXIT = "pytest.exit('no gpu', returncode=0)"


def hook(head, body, options=""):
    return f"\nimport pytest, sys\n\n@pytest.hookimpl({options})\ndef {head}:\n    {body}\n"


def last(head, body):
    return hook(head, body, "trylast=True")


def around(head, body):
    """Change what a hook returns, from as far outside as a conftest.py can stand."""
    return hook(head, f"result = yield\n    {body}\n    return result", "wrapper=True, tryfirst=True")


def around_in_the_old_style(head, body):
    return hook(head, f"outcome = yield\n    {body}", "hookwrapper=True, tryfirst=True")


TEARDOWN = f"\nimport pytest\n\n@pytest.fixture(autouse=True)\ndef leaving():\n    yield\n    {EXIT}\n"
LATE = "def pytest_unconfigure(config):"

# What a conftest.py can do to a run in which a check has failed.
ENDINGS = {
    "exit in a fixture's teardown": TEARDOWN,
    "exit in runtest_teardown": last("pytest_runtest_teardown(item)", EXIT),
    "exit in logfinish": last("pytest_runtest_logfinish(nodeid)", EXIT),
    "exit in logreport": last("pytest_runtest_logreport(report)", EXIT),
    "exit in runtestloop": around("pytest_runtestloop(session)", EXIT),
    "exit in collection": hook("pytest_collection_finish(session)", EXIT),
    "exit in configure": hook("pytest_configure(config)", EXIT),
    "exit in sessionstart": hook("pytest_sessionstart(session)", EXIT),
    "exit in the header": hook("pytest_report_header(config)", EXIT),
    "exit in sessionfinish": hook("pytest_sessionfinish(session)", EXIT),
    "exit in the summary": hook("pytest_terminal_summary(terminalreporter)", EXIT),
    "exit with 256": last("pytest_runtest_logfinish(nodeid)", EXIT.replace("=0", "=256")),
    "sys.exit at import": "\nimport sys\nsys.exit(0)\n",
    "sys.exit without a code": "\nraise SystemExit\n",
    "sys.exit in configure": hook("pytest_configure(config)", "sys.exit(0)"),
    "sys.exit in sessionstart": hook("pytest_sessionstart(session)", "sys.exit(0)"),
    "sys.exit in sessionfinish": hook("pytest_sessionfinish(session)", "sys.exit(0)"),
    "sys.exit in unconfigure": hook("pytest_unconfigure(config)", "sys.exit(0)"),
    "sys.exit in a cleanup": hook("pytest_configure(config)", "config.add_cleanup(lambda: sys.exit(0))"),
    "exitstatus in sessionfinish": last("pytest_sessionfinish(session)", "session.exitstatus = 0"),
    "exitstatus 256": last("pytest_sessionfinish(session)", "session.exitstatus = 256"),
    "exitstatus None": last("pytest_sessionfinish(session)", "session.exitstatus = None"),
    "exitstatus in the summary": last(
        "pytest_terminal_summary(terminalreporter)", "terminalreporter._session.exitstatus = 0"
    ),
    "exitstatus in unconfigure": hook("pytest_sessionstart(session)", "globals()['kept'] = session")
    + hook("pytest_unconfigure(config)", "kept.exitstatus = 0"),
    "exitstatus around sessionfinish": around("pytest_sessionfinish(session)", "session.exitstatus = 0"),
    "testsfailed in logreport": last("pytest_runtest_logfinish()", "pass")
    + hook("pytest_sessionstart(session)", "globals()['kept'] = session")
    + last("pytest_runtest_logreport(report)", "kept.testsfailed = 0"),
    "testsfailed in runtestloop": around("pytest_runtestloop(session)", "session.testsfailed = 0"),
    "main returns 0": hook("pytest_cmdline_main(config)", "return 0", "tryfirst=True"),
    "main turned": around("pytest_cmdline_main(config)", "result = 0"),
    "main turned in the old style": around_in_the_old_style(
        "pytest_cmdline_main(config)", "outcome.force_result(pytest.ExitCode.OK)"
    ),
    "main exits": around("pytest_cmdline_main(config)", "sys.exit(0)"),
    "the gate is switched off": hook("pytest_configure(config)", "config.option.fairness = False", "tryfirst=True"),
    "the ledger is taken away": hook(
        "pytest_sessionstart(session)", "session.config.pluginmanager.unregister(name='fairness-ledger')"
    ),
    "nothing is collected": around("pytest_collection(session)", "session.items.clear(); session.testscollected = 0"),
    "only collected": hook("pytest_configure(config)", "config.option.collectonly = True", "tryfirst=True"),
    "only set up": hook("pytest_configure(config)", "config.option.setuponly = True", "tryfirst=True"),
    "a loop that swallows its end": hook(
        "pytest_runtestloop(session)",
        "try:\n        yield\n    except BaseException:\n        pass\n    session.testsfailed = 0\n    return True",
        "wrapper=True, tryfirst=True",
    ),
}


@pytest.fixture
def ending(project):
    """Write models, the first of which fails, and a conftest.py that ends the run in its own way."""

    def write(text, *models):
        project.write("conftest.py", project.MODELS + text)
        project.write("test_mine.py", "def test_mine(): pass\n")  # what a run without the gate would find
        project.limits(*(models or ("biased_model", "fair_model")))
        return project

    return write


def returned(project, *arguments):
    """Return what `pytest.main` returns to a program, or leaves it with."""
    try:
        with project.the_rest_unchecked():
            return project.pytester.inline_run("--fairness", *arguments).ret
    except SystemExit as leaving:
        return leaving.code


GREEN = '<testsuites><testsuite name="pytest" tests="1"><testcase classname="a" name="b"/></testsuite></testsuites>'


def red_cases(project):
    """Return what the JUnit file says of everything that failed."""
    suite = ET.parse(project.path / "junit.xml").find(".//testsuite")
    red = [case for case in suite.iter("testcase") if {each.tag for each in case} & {"failure", "error"}]
    assert int(suite.get("failures")) + int(suite.get("errors")) == len(red)
    if ours := [case for case in red if case.get("name") == "test_run_ends_in_order"]:
        assert (len(ours), int(suite.get("tests"))) == (1, len(list(suite.iter("testcase"))))
    return {case.get("name"): next(each for each in case if each.tag in ("failure", "error")).text for case in red}


@pytest.mark.parametrize("text", ENDINGS.values(), ids=ENDINGS)
def test_no_end_of_a_failing_run_is_green(ending, text):
    project = ending(text, "biased_model")
    project.write("junit.xml", GREEN)  # of an earlier run
    assert returned(project, "--junitxml=junit.xml") in (1, 3)
    assert red_cases(project)


USAGE = {
    "limits": ("", "version: 2", (), "version"),
    "a name": (
        "",
        "version: 1\nmodels: {other: {subgroups: [{metric: accuracy, by: sex, max_value: 1}]}}",
        (),
        "other",
    ),
    "conftest.py": ("\nimport nowhere\n", None, (), "nowhere"),
    "an option": ("", None, ("-p", "no:fairness-gate"), "cannot be combined"),
    "ignored": ("", None, ("--ignore=thresholds.yaml",), "were not collected"),
    "taken away": (hook("pytest_collection_modifyitems(items)", "del items[-1]"), None, (), "were not collected"),
}


@pytest.mark.parametrize("there", [True, False], ids=["over an older file", "no file"])
@pytest.mark.parametrize(("text", "limits", "options", "said"), USAGE.values(), ids=USAGE)
def test_what_ends_a_run_before_its_checks_is_in_junit(ending, there, text, limits, options, said):
    project = ending(text)
    if limits:
        project.write("thresholds.yaml", limits)
    if there:
        project.write("junit.xml", GREEN)
    assert project.gate_in_subprocess("--junitxml=junit.xml", *options).ret == pytest.ExitCode.USAGE_ERROR
    (why,) = red_cases(project).values()
    assert said in why


@pytest.mark.parametrize(("text", "limits", "options", "said"), USAGE.values(), ids=USAGE)
def test_what_ends_a_run_before_its_checks_leaves_no_evidence_of_an_earlier_one(ending, text, limits, options, said):
    project = ending("", "fair_model")
    assert project.gate("--fairness-report=out").ret == 0
    earlier = project.path / "out" / "evidence.json"
    forms = [earlier.with_name(form.file) for form in FORMATS.values() if form.in_folder]
    green = [form.read_bytes() for form in forms]
    project = ending(text)
    if limits:
        project.write("thresholds.yaml", limits)
    assert project.gate_in_subprocess("--fairness-report=out", *options).ret == pytest.ExitCode.USAGE_ERROR
    assert not earlier.exists() or not json.loads(earlier.read_text(encoding="utf-8"))["complete"]
    assert all(not form.exists() or form.read_bytes() != was for form, was in zip(forms, green, strict=True))


UNREAD = (
    *(["--nope"], ["--fairness-burden=x"], ["--fairness-unsettled-exit=3"], ["--fairness-jobs=0"]),
    ["--fairness-report"],
)


@pytest.mark.parametrize("options", UNREAD, ids=" ".join)
@pytest.mark.parametrize("where", ["command line", "ini file"])
def test_a_command_line_that_cannot_be_read_leaves_no_report_of_an_earlier_run(ending, options, where):
    project = ending("", "fair_model")
    given = ["--fairness-report=out", "--junitxml=junit.xml"]
    assert project.gate(*given).ret == 0
    if where == "ini file":
        project.write("pytest.ini", f"[pytest]\nfairness_report = out\naddopts = {given[1]}\n")
        given = []
    (project.path / "out" / "mine.txt").write_text("stays")
    assert project.gate_in_subprocess(*given, *options).ret == pytest.ExitCode.USAGE_ERROR
    assert [path.name for path in (project.path / "out").iterdir()] == ["mine.txt"]
    assert red_cases(project) == {"test_run_ends_in_order": "the command line could not be read"}


@pytest.mark.parametrize("options", [["--help"], ["--version"], ["--help", "--nope"]], ids=" ".join)
def test_what_only_describes_leaves_reports_alone(ending, options):
    project = ending("", "fair_model")
    given = ["--fairness-report=out", "--junitxml=junit.xml"]
    assert project.gate(*given).ret == 0
    before = [(project.path / name).read_bytes() for name in ("junit.xml", "out/evidence.json")]
    project.gate_in_subprocess(*given, *options)
    assert [(project.path / name).read_bytes() for name in ("junit.xml", "out/evidence.json")] == before


@pytest.mark.parametrize("place", ["pytest_terminal_summary()", "pytest_unconfigure()"])
def test_evidence_of_a_run_that_turned_red_behind_it_is_incomplete(ending, place):
    project = ending(hook(place, "pytest.exit('enough', returncode=0)"), "fair_model")
    assert project.gate_in_subprocess("--fairness-report=out", "--junitxml=junit.xml").ret == 1
    found = json.loads((project.path / "out" / "evidence.json").read_text(encoding="utf-8"))
    assert (found["complete"], found["exit_code"]) == (False, 1)
    for form in (form for form in FORMATS.values() if form.in_folder and form.file.endswith(("html", "md"))):
        assert "did not come to its end" in (project.path / "out" / form.file).read_text(encoding="utf-8")
    assert red_cases(project)


def test_a_killed_run_leaves_a_red_junit_file(ending):
    project = ending(hook("pytest_runtest_call()", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"))
    project.write("junit.xml", GREEN)
    assert project.gate_in_subprocess("--junitxml=junit.xml").ret != 0
    (why,) = red_cases(project).values()
    assert "killed" in why


def test_a_run_that_was_ended_is_red_in_junit_though_all_passed(ending):
    project = ending(ENDINGS["exit in a fixture's teardown"], "fair_model")
    assert project.gate("--junitxml=junit.xml").ret == 1
    assert red_cases(project)


def test_a_green_run_leaves_its_report_as_it_is(ending):
    project = ending("", "fair_model")
    assert project.gate("--junitxml=junit.xml").ret == 0
    assert red_cases(project) == {}


def test_what_is_no_file_of_a_report_is_left_alone(ending):
    project = ending("")
    assert project.gate("--junitxml=/dev/null").ret == 1
    project.write("junit.xml", "")
    project.write("thresholds.yaml", "version: 2")
    assert project.gate("--collect-only", "--junitxml=junit.xml").ret == pytest.ExitCode.USAGE_ERROR
    assert (project.path / "junit.xml").read_text(encoding="utf-8") == ""


@pytest.mark.parametrize(
    "change",
    [
        "keyword = 'fair_model'",
        "deselect = ['thresholds.yaml::test_subgroups[biased_model-sex-false_negative_rate]']",
        "markexpr = 'fairness'",
        "fairness_burden = 'violation'",
        "fairness_update_baseline = True",
    ],
)
def test_what_is_judged_is_said_on_the_command_line(ending, change, capsys):
    project = ending(hook("pytest_configure(config)", f"config.option.{change}"), "biased_model", "fair_model")
    assert returned(project) == 1
    if "keyword" in change or "deselect" in change:
        assert "after the command line was read, by a conftest.py" in capsys.readouterr().err


def test_a_conftest_that_asks_for_a_baseline_is_red_where_nothing_fails(ending, capsys):
    change = hook("pytest_configure(config)", "config.option.fairness_update_baseline = True")
    assert returned(ending(change, "fair_model")) == 1
    assert "--fairness-update-baseline became True after the command line was read" in capsys.readouterr().err


ONE = "['thresholds.yaml::test_subgroups[fair_model-sex-false_negative_rate]']"
GIVEN = {
    "in its list": hook("pytest_configure(config)", f"config.args[:] = {ONE}"),
    "another list": hook("pytest_configure(config)", f"config.args = {ONE}"),
    "late": hook("pytest_sessionstart(session)", f"session.config.args[:] = {ONE}"),
    "for a while": hook(
        "pytest_collection(session)",
        f"kept = session.config.args\n    session.config.args = {ONE}\n    yield\n    session.config.args = kept",
        "wrapper=True, tryfirst=True",
    ),
    "a hand-written test": hook("pytest_configure(config)", "config.args[:] = ['test_hand.py::test_hand']"),
}


@pytest.mark.parametrize("change", GIVEN.values(), ids=GIVEN)
def test_paths_that_a_conftest_sets_are_a_usage_error(ending, change):
    project = ending(change)
    project.write("test_hand.py", project.passing("test_hand"))
    result = project.gate()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "the paths became" in result.stderr.str() or "were not collected" in result.stderr.str()


def test_paths_that_it_sets_in_a_worker_are_too(ending):
    only_there = f"if hasattr(config, 'workerinput'): config.args[:] = {ONE}"
    result = ending(hook("pytest_configure(config)", only_there)).gate_in_subprocess("-n1")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "the paths became" in result.stdout.str() + result.stderr.str()


@pytest.mark.parametrize("text", ENDINGS.values(), ids=ENDINGS)
def test_no_end_of_a_failing_run_is_green_in_parallel(ending, text):
    assert ending(text).gate_in_subprocess("-n", "2").ret in (1, 2, 3)


@pytest.mark.parametrize("text", [ENDINGS["exit in a fixture's teardown"], ENDINGS["exit in sessionfinish"]])
def test_a_run_that_was_ended_is_not_green_though_all_passed(ending, text):
    """What it would have said of itself is not known."""
    project = ending(text, "fair_model")
    assert project.gate().ret == 1
    assert project.gate_in_subprocess("-n", "1").ret in (1, 3)


@pytest.mark.parametrize("text", [LATE + "\n    raise SystemExit(0)\n", "\nimport atexit\natexit.register(exit, 0)\n"])
def test_a_green_run_may_end_as_it_likes(ending, text):
    assert ending(text, "fair_model").gate_in_subprocess().ret == 0


@pytest.mark.parametrize("code", [3, 255])
def test_a_red_exit_code_stays_as_it_is(ending, code):
    text = last("pytest_runtest_logfinish(nodeid)", EXIT.replace("=0", f"={code}"))
    assert ending(text).gate().ret == code
    assert ending(last("pytest_sessionfinish(session)", f"session.exitstatus = {code}")).gate().ret == code


def test_the_last_words_say_what_happened(ending):
    result = ending(ENDINGS["exit in configure"]).gate()
    message = "exit code 0 became 1: the run ended before the gate was opened: nothing was judged"
    assert f"ERROR: fairness: {message}" in result.errlines
    result = ending(ENDINGS["sys.exit in unconfigure"]).gate()
    assert f"sys.exit(0) was called; 1 failed: {ending('').check_id('biased_model')}" in result.stderr.str()


WORKERS = {
    "exit at import": ("sys.exit(0)", ""),
    "os._exit at import": ("os._exit(0)", ""),
    "exit when it ends": ("", "sys.exit(0)"),
    "os._exit when it ends": ("", "os._exit(0)"),
    "pytest.exit when it ends": ("", "pytest.exit('x', returncode=0)"),
    "pytest.exit with another code": ("", "pytest.exit('x', returncode=3)"),
}


@pytest.mark.parametrize(("at_import", "at_the_end"), WORKERS.values(), ids=WORKERS)
def test_a_worker_that_ends_early_is_not_green(project, at_import, at_the_end):
    """All tests have passed and reported; what is lost is what the worker would have said of itself."""
    text = (
        "\nimport os, sys, pytest\n\nif 'PYTEST_XDIST_WORKER' in os.environ:\n    {}\n\n"
        "    @pytest.hookimpl(tryfirst=True)\n    def pytest_runtest_teardown(nextitem):\n"
        "        if nextitem is None:\n            {}\n"
    )
    project.write("conftest.py", project.MODELS + text.format(at_import or "pass", at_the_end or "pass"))
    project.limits("fair_model")
    result = project.gate_in_subprocess("-n", "2", "--max-worker-restart=1")
    assert result.ret in (1, 2, 3)


FORK = """
import os
from conftest import predictions

def test_hand(fairness):
    child = os.fork()
    fairness.audit(
        predictions({"f": (40, 400), "m": (40 + 100 * (child == 0), 400)}), metric="accuracy", by="sex",
        max_difference=0.1,
    )
    if child:
        os.waitpid(child, 0)
"""


@pytest.mark.parametrize("workers", [[], ["-n", "1"]], ids=["serial", "parallel"])
def test_a_process_that_a_test_forked_does_not_go_on_as_pytest(project, workers):
    project.limits("fair_model")
    project.write("test_hand.py", FORK)
    result = project.gate_in_subprocess("-p", "no:cacheprovider", "--junitxml=junit.xml", *workers)
    assert result.ret == 1
    assert "test_hand.py::test_hand: a process that it forked ran on as a second pytest" in result.stdout.str()
    assert result.stdout.str().count("test session starts") == 1
    assert result.parseoutcomes()["passed"] == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["-x"],
        ["--maxfail=1"],
        ["--stepwise"],
        ["-p", "no:terminal"],
        ["-p", "no:junitxml"],
        ["-p", "no:cacheprovider"],
        ["-p", "fairness_checks.plugin"],
        ["--continue-on-collection-errors"],
        ["--capture=no"],
        ["--runxfail"],
        ["--lf"],
        ["-q", "-q", "--tb=no", "--no-summary"],
    ],
    ids=" ".join,
)
def test_a_failing_check_is_red_with_every_option(ending, arguments):
    assert ending("").gate(*arguments).ret in (1, 2)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--dist=loadfile"],
        ["--dist=worksteal"],
        ["--dist=loadgroup"],
        ["--dist=each"],
        ["--maxprocesses=1"],
        ["--exitfirst"],
        ["--maxfail=1"],
    ],
    ids=" ".join,
)
def test_workers_are_red_and_green_with_every_option(ending, arguments):
    project = ending("")
    assert project.gate_in_subprocess("-n", "2", *arguments).ret in (1, 2)
    project.limits("fair_model")
    assert project.gate_in_subprocess("-n", "2", *arguments).ret == 0


@pytest.mark.parametrize("where", ["addopts", "PYTEST_ADDOPTS"])
@pytest.mark.parametrize("text", ["", *(ENDINGS[name] for name in ("sys.exit at import", "exit in configure"))])
def test_the_gate_is_the_same_wherever_the_option_stands(ending, monkeypatch, where, text):
    project = ending(text)
    if where == "addopts":
        project.write("pytest.ini", "[pytest]\naddopts = --fairness\n")
    else:
        monkeypatch.setenv("PYTEST_ADDOPTS", "--fairness")
    try:
        code = project.pytester.inline_run().ret
    except SystemExit as leaving:
        code = leaving.code
    assert code == 1


@pytest.mark.parametrize(
    "error",
    ["KeyboardInterrupt", "SystemExit(0)", "SystemExit", "pytest.exit.Exception('x', 0)", "GeneratorExit"],
)
@pytest.mark.parametrize("place", ["test", "fixture", "model"])
def test_what_a_test_or_a_fixture_raises_is_red(project, error, place):
    raising = f"    raise {error}\n"
    model = "\nimport pytest\n\n@fairness_model\ndef raising_model():\n" + raising
    project.write("conftest.py", project.MODELS + (model if place == "model" else ""))
    project.limits(*(("raising_model", "fair_model") if place == "model" else ("fair_model",)))
    fixture = "@pytest.fixture\ndef raises():\n" + (raising if place == "fixture" else "    pass\n")
    body = raising if place == "test" else "    fairness.audit(None, metric='accuracy', by='sex', max_difference=0.1)\n"
    project.write("test_hand.py", f"import pytest\n\n{fixture}\ndef test_hand(raises, fairness):\n{body}")
    assert project.gate_in_subprocess().ret in (1, 2, 3)


DESCRIBES = ("--help", "--version", "--markers", "--cache-show", "--fixtures")
SHOWS = ("--collect-only", "--setup-plan", "--setup-only")


@pytest.mark.parametrize("option", [*DESCRIBES, "--fixtures-per-test", *SHOWS])
def test_an_option_that_runs_no_test_ends_as_without_the_gate(ending, option):
    project = ending("", "biased_model")
    assert project.gate(option).ret == project.pytest(option).ret == 0


@pytest.mark.parametrize("option", DESCRIBES)
def test_an_option_that_describes_needs_no_file_of_limits(project, option):
    assert project.gate(option).ret == 0


@pytest.mark.parametrize("option", SHOWS)
def test_a_run_that_judges_nothing_says_so(ending, option):
    project = ending("", "biased_model")
    result = project.gate(option)
    assert f"fairness: {option}: no check is run, nothing is judged" in result.outlines
    assert "lost checks" not in result.stdout.str()
    assert project.gate_in_subprocess("-n", "1", option).ret == 0


def test_setting_up_alone_shows_a_model_that_cannot_be_evaluated(project):
    project.write("conftest.py", project.MODELS.replace('fitted("fair_model")', "raise ValueError"))
    project.limits("fair_model")
    assert project.gate("--setup-only").ret == 1


@pytest.mark.parametrize("arguments", [("--collect-only",), ("-k", "nothing"), ()], ids=["nothing", "none", "all"])
def test_a_run_holds_no_pipe_when_it_has_ended(project, monkeypatch, arguments):
    made, closed = [], []
    pipe = {
        "pipe": lambda: made.extend(ends := os.pipe()) or ends,
        "close": lambda end: closed.append(os.close(end) or end),
    }
    monkeypatch.setattr(forked, "os", instead(os, **pipe))
    project.limits("fair_model")
    project.gate(*arguments)
    assert len(made) == 2
    assert sorted(made) == sorted(closed)


@pytest.fixture
def ended_green(tmp_path):
    before = EvidenceFiles(tmp_path)
    for name, content in folder_files(evidence(check(1, record(42)))):
        (tmp_path / name).write_bytes(content)
    return before


def test_a_form_that_cannot_be_marked_keeps_no_other_from_it(ended_green, tmp_path, capsys):
    (tmp_path / "report.html").unlink()
    (tmp_path / "report.html").mkdir()
    ended_green.end_red()
    assert read_evidence((tmp_path / "evidence.json").read_text())[0].complete is False
    assert "did not come to its end" in (tmp_path / "summary.md").read_text()
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith(f"ERROR: fairness: {tmp_path / 'report.html'}: is not of this red run, and stays: ")


def test_no_form_says_green_of_a_red_run_where_the_disk_is_full(ended_green, tmp_path, monkeypatch):
    def full(path, content):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(files, "write_atomically", full)
    ended_green.end_red()
    assert list(tmp_path.iterdir()) == []
