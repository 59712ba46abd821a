"""What a run says in GitHub Actions: the summary of the job, annotations, and that nothing of it changes a verdict."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairness_checks.plugin import github

PLUGIN = "pytest_github_actions_annotate_failures"


@pytest.fixture
def actions(project, monkeypatch, tmp_path):
    """Let GitHub Actions run the project, and return the summary of its step."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(project.path))
    place = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(place))
    return place


def commands(result, name):
    return [line for line in result.outlines if line.startswith(f"::{name} ")]


@pytest.mark.parametrize("arguments", [(), ("-s",), ("-p", "no:terminal"), ("-q", "--capture=sys")])
def test_a_run_is_summed_up_and_annotated(project, actions, arguments):
    project.limits("biased_model", "fair_model", "tiny_model")
    actions.write_text("of another step\n", encoding="utf-8")
    result = project.gate(*arguments)
    assert result.ret == 1
    said = actions.read_text(encoding="utf-8")
    assert said.startswith("of another step\n\n## Failed with exit code 1: 1 of 3 checks and tests failed\n")
    assert said.count("## Failed") == 1
    (error,) = commands(result, "error")
    assert re.match(r"::error file=thresholds\.yaml,line=4,title=fairness%3A fail::biased_model misses 40 of", error)
    (warning,) = commands(result, "warning")
    assert re.match(r"::warning file=thresholds\.yaml,line=6,title=fairness%3A inconclusive::tiny_model", warning)
    assert "80%25 power. It needs about" in warning


def test_nothing_is_said_elsewhere(project, actions, monkeypatch):
    monkeypatch.delenv("GITHUB_ACTIONS")
    project.limits("biased_model", "tiny_model")
    result = project.gate()
    assert not actions.exists()
    assert not commands(result, "error") + commands(result, "warning")


def test_nothing_is_said_of_a_run_that_judges_nothing(project, actions):
    project.limits("biased_model")
    assert project.gate("--collect-only").ret == 0
    assert not actions.exists()


def test_failures_are_left_to_the_plugin_that_annotates_them(project, actions):
    project.write(f"{PLUGIN}/__init__.py", "")
    project.write(f"{PLUGIN}/plugin.py", "")
    project.pytester.syspathinsert()
    project.limits("biased_model", "tiny_model")
    result = project.gate("-p", f"{PLUGIN}.plugin")
    assert result.ret == 1
    assert not commands(result, "error")
    assert len(commands(result, "warning")) == 1


def test_workers_say_nothing_and_the_controller_once(project, actions):
    project.limits("biased_model", "fair_model", "tiny_model")
    result = project.gate_in_subprocess("-n", "2")
    assert result.ret == 1
    assert actions.read_text(encoding="utf-8").count("## ") - actions.read_text(encoding="utf-8").count("### ") == 1
    assert len(commands(result, "error")) == len(commands(result, "warning")) == 1


def test_what_the_burden_of_compliance_fails_is_a_failure_alone(project, actions):
    project.limits("tiny_model", defaults="{burden_of_proof: compliance}")
    result = project.gate()
    assert result.ret == 1
    assert (len(commands(result, "error")), commands(result, "warning")) == (1, [])


def test_an_exit_code_that_asks_for_a_review_is_no_failure(project, actions):
    project.limits("tiny_model")
    result = project.gate("--fairness-unsettled-exit=6")
    assert result.ret == 6
    assert "## No limit was shown to be exceeded, and not all are shown to be kept\n" in actions.read_text("utf-8")
    assert (commands(result, "error"), len(commands(result, "warning"))) == ([], 1)


def test_a_model_without_a_verdict_is_annotated_at_its_checks(project, actions):
    project.write(
        "conftest.py", project.MODELS + "\n\n@fairness_model\ndef broken_model():\n    raise OSError('gone')\n"
    )
    project.limits("broken_model")
    result = project.gate()
    (error,) = commands(result, "error")
    assert re.match(r"::error file=thresholds\.yaml,line=4,title=fairness%3A error::.*OSError: gone", error)
    assert "OSError: gone" in actions.read_text(encoding="utf-8")


def test_a_run_that_does_not_end_proves_nothing(project, actions):
    project.limits("fair_model", "biased_model")
    text = "\n\nimport pytest\ndef pytest_runtest_teardown(item):\n    pytest.exit('enough', 0)\n"
    project.write("conftest.py", project.MODELS + text)
    assert project.gate().ret == 1
    assert "## The run did not come to its end, and proves nothing" in actions.read_text(encoding="utf-8")


@pytest.mark.parametrize(("model", "code"), [("fair_model", 0), ("biased_model", 1)])
@pytest.mark.parametrize("problem", ["folder", "missing folder", "full"])
def test_a_summary_that_cannot_be_written_is_told_and_changes_nothing(
    project, actions, monkeypatch, model, code, problem
):
    if problem == "folder":
        actions.mkdir()
    elif problem == "full":
        actions.write_bytes(b"x" * (1 << 20))
    else:
        monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(actions / "no" / "summary.md"))
    project.limits(model)
    result = project.gate()
    assert result.ret == code
    assert [
        line.startswith("fairness: not all was told to GitHub") for line in result.errlines if "GitHub" in line
    ] == [True]
    assert len(commands(result, "error")) == code
    if problem == "full":
        assert actions.stat().st_size == 1 << 20


def test_an_error_of_any_kind_changes_nothing(project, actions, monkeypatch):
    monkeypatch.setattr(github.GithubActions, "_annotations", lambda self, found: 1 / 0)
    project.limits("fair_model")
    result = project.gate()
    assert result.ret == 0
    assert any("division by zero" in line for line in result.errlines)


def test_the_summary_is_the_same_with_a_report(project, actions):
    project.limits("tiny_model", "fair_model", "biased_model", waivers="[]")
    assert project.gate("--fairness-report=out").ret == 1
    own = (project.path / "out" / "summary.md").read_text(encoding="utf-8")
    said = actions.read_text(encoding="utf-8").lstrip("\n")
    assert said.partition("### The run")[0] == own.partition("### The run")[0]


def test_more_than_github_shows_are_counted(project, actions):
    names = [f"model_{number}" for number in range(13)]
    made = "".join(
        f"\n\n@fairness_model\ndef {name}():\n    return predictions({{'f': (160, 400), 'm': (40, 400)}})\n"
        for name in names
    )
    project.write("conftest.py", project.MODELS + made)
    project.limits(*names)
    errors = commands(project.gate(), "error")
    assert len(errors) == 10
    assert errors[-1] == "::error title=fairness::4 more stand in the summary of the job"


@given(st.dictionaries(st.sampled_from(["file", "title"]), st.text(min_size=1), min_size=1), st.text())
def test_no_text_leaves_its_place_in_a_command(properties, message):
    line = github._command("warning", properties, message)
    assert not re.search("[\r\n]", line)
    given_, _, said = line.removeprefix("::warning ").partition("::")
    found = dict(pair.split("=", 1) for pair in given_.split(","))
    assert {name: _read(value) for name, value in found.items()} == properties
    assert _read(said) == message


def _read(text):
    """Undo what GitHub's runner undoes."""
    for escape, sign in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(escape, sign)
    return text
