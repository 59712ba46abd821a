"""benchmarks/stale.py: its table is what it must be, and its verdicts are those of real runs."""

from __future__ import annotations

import ast

import pytest

from benchmarks.stale import CHANGES, CONFTEST, FILES, Change, Project, judged

RUN = ("code of fit", "a global of a helper module", "a variable of the environment", "a comment", "another hash seed")


def test_only_files_environment_and_random_states_may_need_to_be_declared():
    declared = [change for change in CHANGES if change.expected == "declared"]
    assert all("file" in c.name or "environment" in c.name or "random state" in c.name for c in declared)
    assert len([change for change in CHANGES if change.expected == "noticed"]) >= 30
    assert len({change.name for change in CHANGES}) == len(CHANGES)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_a_change_is_one_of_the_project_and_leaves_it_valid(change):
    if change.old:
        assert FILES[change.file].count(change.old) >= 1
        changed = FILES[change.file].replace(change.old, change.new, 1)
        assert changed != FILES[change.file]
        if change.file.endswith(".py"):
            ast.parse(changed)
            same = ast.dump(ast.parse(changed)) == ast.dump(ast.parse(FILES[change.file]))
            assert not same or (change.expected == "reused" and ("comment" in change.name or "blank" in change.name))


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return Project(tmp_path_factory.mktemp("stale") / "project")


@pytest.mark.parametrize("name", RUN)
def test_runs_notice_what_they_must_and_nothing_else(project, name):
    (change,) = (change for change in CHANGES if change.name == name)
    found, altered = judged(project, change)
    assert found == change.expected
    assert altered == (change.expected != "reused")


def test_a_change_that_nothing_declares_is_found_to_be_missed(project):
    hidden = Change("noticed", "weights", "weights.txt", "0.5", "0.75")
    assert judged(project, hidden) == ("missed", True)
    assert CONFTEST.count("depends_on=[]") == 1
