"""What contributors are told to run exists: jobs, extras, hooks, workflows."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = PROJECT["project"]["optional-dependencies"]
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def libraries(extra):
    """Return the names of all that an extra brings, those of the extras that it names too."""
    found = set()
    for line in EXTRAS[extra]:
        if line.startswith("pytest-fairness["):
            found |= set().union(*(libraries(name) for name in line[len("pytest-fairness[") : -1].split(",")))
        else:
            found.add(re.match(r"[A-Za-z0-9._-]+", line)[0])
    return found


def test_who_works_on_statistics_needs_no_torch_and_dev_is_all():
    assert "torch" not in libraries("test") | libraries("lint")
    assert "torch" in libraries("models") <= libraries("studies") <= libraries("dev")
    assert libraries("test") | libraries("lint") <= libraries("dev")


@pytest.mark.parametrize("workflow", sorted((ROOT / ".github" / "workflows").iterdir()), ids=lambda path: path.name)
def test_workflows_are_workflows_and_run_what_there_is(workflow):
    jobs = yaml.safe_load(workflow.read_text(encoding="utf-8"))["jobs"]
    steps = [step for job in jobs.values() for step in job["steps"]]
    assert all(("uses" in step) is not ("run" in step) for step in steps)
    scripts = re.findall(r"bash (\S+)", "\n".join(step.get("run", "") for step in steps))
    assert {".ci/run", ".ci/lowest"} <= set(scripts)
    assert all((ROOT / script).is_file() for script in scripts)


def test_the_matrix_is_what_the_package_declares():
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))["jobs"]
    declared = [name.rsplit(" ", 1)[1] for name in PROJECT["project"]["classifiers"] if "Python :: 3." in name]
    assert jobs["run"]["strategy"]["matrix"]["python"] == declared
    trials = {one["python"] for one in jobs["run"]["strategy"]["matrix"]["include"] if one["trial"]}
    assert trials == {"3.14"}
    assert not trials & set(declared)
    assert jobs["run"]["continue-on-error"] == "${{ matrix.trial || false }}"
    assert PROJECT["project"]["requires-python"] == f">={declared[0]}"
    assert jobs["lowest"]["steps"][1]["with"]["python-version"] == declared[0]


def test_hooks_are_the_tools_of_the_extra():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"][0]["hooks"]
    tools = {hook["entry"].split()[0].replace("lint-imports", "import-linter") for hook in hooks}
    assert tools == {"ruff", "typos", "import-linter", "mypy"} <= libraries("lint")


def test_contributing_names_files_and_sessions_that_there_are():
    linked = re.findall(r"\]\(([^)#]+)\)", CONTRIBUTING)
    paths = [path for path in re.findall(r"`([a-z_./]+(?:\.py|/))`", CONTRIBUTING) if "/" in path]
    shown = [ROOT / path for path in (*linked, *paths)]
    assert all(path.exists() or (ROOT / "fairness_checks" / path.relative_to(ROOT)).exists() for path in shown)
    modules = re.findall(r"python -m (benchmarks\.\w+)", CONTRIBUTING)
    assert all((ROOT / f"{name.replace('.', '/')}.py").is_file() for name in modules)
    sessions = re.findall(r"^def (\w+)\(session", (ROOT / "noxfile.py").read_text(encoding="utf-8"), re.MULTILINE)
    named = re.search(r"names every job: (.*?)\. \[", CONTRIBUTING, re.DOTALL)[1]
    assert set(re.findall(r"`(\w+)`", named)) == set(sessions)


def test_what_is_called_slow_is_there():
    from tests.conftest import SLOW

    for name in SLOW:
        file, _, test = name.partition("::")
        assert (ROOT / "tests" / file).exists(), name
        assert not test or f"def {test}" in (ROOT / "tests" / file).read_text(encoding="utf-8"), name


@pytest.mark.parametrize(("asked", "left_out"), [("not slow", True), ("", None), ("slow", None)])
def test_a_file_of_which_all_is_slow_is_not_imported_for_the_others(asked, left_out):
    from tests.conftest import pytest_ignore_collect

    config = SimpleNamespace(option=SimpleNamespace(markexpr=asked))
    for name, expected in (("plugin", left_out), ("stats/test_exact.py", left_out), ("stats/test_means.py", None)):
        assert pytest_ignore_collect(ROOT / "tests" / name, config) is expected


def test_ci_measures_lines_and_branches_and_prints_them():
    measured = PROJECT["tool"]["coverage"]
    assert measured["run"]["branch"]
    assert measured["run"]["parallel"]
    assert measured["run"]["patch"] == ["subprocess"]
    assert measured["report"]["fail_under"] >= 95
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    started = script.index('COVERAGE_PROCESS_START=$PWD/pyproject.toml bash -euo pipefail -c "$test_command"')
    assert started < script.index("coverage combine") < script.index("coverage report")
