"""Commit and versions, against git itself."""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess

import pytest

from fairness_checks.baseline.provenance import git_commit, installed_versions

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def git(folder, *arguments):
    options = ("-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "init.defaultBranch=main")
    return subprocess.run(["git", *options, *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "project"
    (folder / "gate").mkdir(parents=True)
    (folder / "model.py").write_text("1")
    (folder / "gate" / "fairness-baseline.json").write_text("{}")
    git(folder, "init")
    git(folder, "add", ".")
    git(folder, "commit", "-m", "first")
    return folder


@needs_git
def test_the_commit_and_whether_it_is_all(repository):
    commit = git(repository, "rev-parse", "HEAD").strip()
    gate = repository / "gate"
    assert git_commit(repository) == git_commit(gate) == commit
    (repository / "junit.xml").write_text("not tracked")
    assert git_commit(gate) == commit
    (repository / "model.py").write_text("2")  # outside the folder that is asked for
    assert git_commit(gate) == f"{commit}+dirty"


@needs_git
def test_the_baseline_itself_may_differ(repository):
    commit = git(repository, "rev-parse", "HEAD").strip()
    gate = repository / "gate"
    (gate / "fairness-baseline.json").write_text("{ }")
    assert git_commit(gate) == f"{commit}+dirty"
    assert git_commit(gate, ignore=["fairness-baseline.json", "fairness-baseline"]) == commit


@needs_git
def test_no_repository_no_commit_no_git(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_commit(tmp_path) is None
    git(tmp_path, "init")
    assert git_commit(tmp_path) is None
    assert git_commit(tmp_path / "absent") is None
    monkeypatch.setenv("PATH", "")
    assert git_commit(tmp_path) is None


@pytest.mark.parametrize("imported", [False, True])
def test_versions_are_those_installed(imported):
    versions = installed_versions(imported=imported)
    assert {"pytest-fairness", "numpy", "scipy"} <= set(versions)
    assert all(importlib.metadata.version(name) == version for name, version in versions.items())
