"""Tests that a user writes with the `fairness` mark or fixture: each must come to a verdict, and end with it."""

from __future__ import annotations

import ast
from collections.abc import Generator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fairness_checks.judge.listeners import listening
from fairness_checks.plugin.keys import RECORDS
from fairness_checks.plugin.suite import TOO_LATE, LimitsTest, failure, keep

if TYPE_CHECKING:
    from fairness_checks.judge.listeners import Basis

__all__ = ["HandWritten", "holds_fairness_tests"]

_NO_VERDICT = (
    "the test ended without a verdict: it called neither fairness.audit nor fairness_checks.audit; call one of them in "
    "the test, or take the `fairness` mark or fixture away"
)


class HandWritten:
    """Hears of the verdicts that a hand-written test comes to, and fails the test where there is none."""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, object, object]:
        """Keep the verdicts of a test's fixtures and of its class with the test, and fail it by a violation there."""
        if isinstance(item, LimitsTest):  # how a model comes about is its own affair
            return (yield)
        with listening(partial(keep, item)):
            result = yield
        _fail_by_records(item)
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Keep each verdict with its test; a violation fails it, also where the test itself looks away."""
        if isinstance(item, LimitsTest):
            return (yield)
        with listening(partial(keep, item)):
            result = yield
        if not item.stash.get(RECORDS, []):
            pytest.fail(_NO_VERDICT, pytrace=False)
        _fail_by_records(item)
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self) -> Generator[None, object, object]:
        """Refuse a verdict that comes too late: the fixtures of a session end with whichever test is the last."""
        late: list[Basis] = []
        with listening(late.append):
            result = yield
        if late:
            pytest.fail(f"audit {TOO_LATE}", pytrace=False)
        return result


def _fail_by_records(item: pytest.Item) -> None:
    """Fail a test by the first of its records that is a violation."""
    records = item.stash.get(RECORDS, [])
    for text in filter(None, map(failure, records)):
        pytest.fail(text, pytrace=False)


def holds_fairness_tests(path: Path) -> bool:
    """Say whether a file of tests that was not imported uses the `fairness` mark or fixture."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return False
    return any(
        (isinstance(node, ast.arg) and node.arg == "fairness")
        or (isinstance(node, ast.Attribute) and node.attr == "fairness")
        or (isinstance(node, ast.Call) and getattr(node.func, "attr", "") in _BY_NAME and _names_fairness(node))
        for node in ast.walk(tree)
    )


_BY_NAME = ("usefixtures", "getfixturevalue")


def _names_fairness(call: ast.Call) -> bool:
    return any(isinstance(given, ast.Constant) and given.value == "fairness" for given in call.args)
