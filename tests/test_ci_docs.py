"""docs/ci.md: each workflow is one of its kind, and asks for options, formats and files that there are."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from fairness_checks.report.formats import FORMATS
from tests.docs.page_blocks import blocks

PAGE = Path(__file__).parents[1] / "docs" / "ci.md"
TEXTS = {kind: blocks(PAGE, kind) for kind in ("yaml", "groovy", "bash")}


def named(name):
    """Return the block whose first line is a comment of that name."""
    (found,) = (text for kind in TEXTS.values() for text in kind if text.splitlines()[0][2:].strip() == name)
    return found


def test_there_is_a_workflow_for_each():
    assert len(TEXTS["yaml"]) == 5


@pytest.mark.parametrize("text", TEXTS["yaml"], ids=range(len(TEXTS["yaml"])))
def test_each_workflow_is_yaml_without_twins(text):
    class Loader(yaml.SafeLoader):
        pass

    def mapping(loader, node):
        keys = [loader.construct_object(key) for key, _ in node.value]
        assert len(keys) == len(set(keys)), keys
        return dict(zip(keys, (loader.construct_object(value, deep=True) for _, value in node.value), strict=True))

    Loader.add_constructor("tag:yaml.org,2002:map", mapping)
    assert isinstance(yaml.load(text, Loader), dict)


def test_github_archives_always_and_gives_no_more_rights_than_it_needs():
    found = yaml.safe_load(named(".github/workflows/fairness.yml"))
    assert found["permissions"] == {"contents": "read"}
    *before, gate, upload, save = found["jobs"]["fairness"]["steps"]
    assert gate["run"].startswith("pytest --fairness ")
    assert upload["if"] == save["if"] == "always()"
    assert upload["with"]["path"] == "evidence"
    (restore,) = [step for step in before if "cache/restore" in step.get("uses", "")]
    assert {name: restore["with"][name] for name in save["with"]} == save["with"]


def test_gitlab_and_azure_archive_always():
    job = yaml.safe_load(named(".gitlab-ci.yml"))["fairness"]
    assert job["artifacts"]["when"] == "always"
    assert job["artifacts"]["reports"]["codequality"] == FORMATS["gitlab"].file
    assert f"-o {FORMATS['gitlab'].file}" in job["after_script"][0]
    steps = yaml.safe_load(named("azure-pipelines.yml"))["steps"]
    (gate,) = [place for place, step in enumerate(steps) if str(step.get("script", "")).startswith("pytest")]
    assert all(step["condition"] == "always()" for step in steps[gate + 1 :])


def test_no_workflow_hides_the_exit_code():
    for kind in TEXTS.values():
        for text in kind:
            assert not re.search(r"\|\| true|continue-on-error|continueOnError|allow_failure: true", text)


def test_the_jenkinsfile_is_balanced():
    text = re.sub(r"'[^'\n]*'|\"[^\"\n]*\"|//[^\n]*", "", named("Jenkinsfile"))
    open_ones, pairs = [], {"}": "{", ")": "(", "]": "["}
    for sign in text:
        if sign in pairs.values():
            open_ones.append(sign)
        elif sign in pairs:
            assert open_ones.pop() == pairs[sign]
    assert not open_ones
    for step in ("junit ", "archiveArtifacts ", "publishHTML("):
        assert step in text
    assert "reportFiles: 'report.html'" in named("Jenkinsfile")


def test_the_files_named_are_those_that_the_folder_holds():
    folder = {form.file for form in FORMATS.values() if form.in_folder} | {"junit.xml"}
    assert set(re.findall(r"evidence/([\w.]+\.\w+)", PAGE.read_text(encoding="utf-8"))) == folder


@pytest.mark.parametrize("text", TEXTS["bash"], ids=range(len(TEXTS["bash"])))
def test_what_a_shell_runs_is_of_its_syntax(text):
    if (shell := shutil.which("bash")) is None:
        pytest.skip("no bash")
    checked = subprocess.run([shell, "-n"], input=text, text=True, capture_output=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_kept_results_lie_where_the_page_says(pytester):
    pytester.makeconftest("")
    pytester.makepyfile("def test_folder(pytestconfig):\n    print(pytestconfig.cache.mkdir('fairness'))")
    result = pytester.runpytest_inprocess("-s")
    result.stdout.fnmatch_lines(["*.pytest_cache/d/fairness*"])
    assert ".pytest_cache/d/fairness" in PAGE.read_text(encoding="utf-8")
