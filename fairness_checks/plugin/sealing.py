"""Reports that nothing can make better than they are, whatever hook of a project stands before a reporter."""

# Reporters read a report when their turn comes, so that a hook before them could show them another one. A sealed
# report answers what it said when it was sealed. It may still become a failure, as for a plugin that fails tests for
# what they leave behind, and others may add properties of their own.

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any, TypeAlias

import pytest

__all__ = ["Report", "Statuses", "is_own", "mend", "seal", "unseal"]

Report: TypeAlias = pytest.TestReport | pytest.CollectReport

_Status: TypeAlias = tuple[str, str, str | tuple[str, Mapping[str, bool]]]

_APART: dict[object, _Status] = {
    "inconclusive": ("inconclusive", "?", ("INCONCLUSIVE", {"yellow": True})),
    "waived": ("waived", "w", ("WAIVED", {"yellow": True})),
    "unjudged": ("unjudged", "s", ("UNJUDGED", {"yellow": True})),
}
_OWN = "fairness."  # what the names of the gate's own properties begin with
_FIXED = ("outcome", "longrepr", "when", "wasxfail")
_SEALED_KIND = "_fairness_sealed_kind"


def seal(report: Report, *, outcome: bool = True) -> None:
    """Let a report become a failure from now on, and change in no other way that a reporter reads."""
    # Without `outcome` only what the gate says of its test is sealed.
    kind = getattr(report, _SEALED_KIND, type(report))
    said = {name: getattr(report, name) for name in _FIXED if hasattr(report, name)}
    members: dict[str, Any] = {_SEALED_KIND: kind}
    if outcome:
        members |= {name: _fixed(name, said) for name in _FIXED}
        if said["outcome"] != "failed":
            members["outcome"] = property(members["outcome"].fget, _fail)
    if isinstance(report, pytest.TestReport):
        members["user_properties"] = _properties_of(report)
    report.__class__ = type(kind.__name__, (kind,), members)  # pytest-xdist sends the name along


def unseal(report: Report) -> None:
    """Let a report change again, for the one that sealed it."""
    mend(report)
    report.__class__ = getattr(report, _SEALED_KIND, type(report))


def mend(report: Report) -> None:
    """Write what a sealed report says into its dictionary, which is what pytest-xdist sends."""
    if not hasattr(report, _SEALED_KIND):
        return
    for name in (*_FIXED, "user_properties"):
        if hasattr(report, name):
            report.__dict__[name] = getattr(report, name)
        else:
            report.__dict__.pop(name, None)


def _fixed(name: str, said: dict[str, Any]) -> property:
    """Return a property that has the value of now, or none at all, and that setting and deleting leave alone."""

    def read(report: Report) -> Any:
        if name not in said:
            raise AttributeError(name)
        return said[name]

    return property(read, lambda report, value: None, lambda report: None)


def _fail(report: Report, outcome: str) -> None:
    if outcome == "failed":
        unseal(report)
        report.outcome = "failed"


def _properties_of(report: pytest.TestReport) -> property:
    """Return a property that holds the gate's own of now, whatever becomes of the list, and what others have added."""
    own = [pair for pair in report.user_properties if is_own(pair)]

    def read(report: pytest.TestReport) -> list[tuple[str, object]]:
        pairs: list[tuple[str, object]] = report.__dict__["user_properties"]
        if [pair for pair in pairs if is_own(pair)] != own:
            pairs[:] = [*own, *(pair for pair in pairs if not is_own(pair))]
        return pairs

    def write(report: pytest.TestReport, pairs: list[tuple[str, object]]) -> None:
        report.__dict__["user_properties"] = list(pairs)
        read(report)

    return property(read, write)


def is_own(pair: tuple[str, object]) -> bool:
    """Say whether a property is one of the gate's."""
    return str(pair[0]).startswith(_OWN)


class Statuses:
    """As what the terminal, and reporters that ask as it does, count a test."""

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport) -> Generator[None, _Status, _Status]:
        """Count inconclusive and waived checks, and tests without a verdict, apart, and failures as such."""
        given = yield
        status = _status(report)
        return given if status is None or given[0] == status[0] else status  # the words may be a plugin's own


def _status(report: pytest.TestReport) -> _Status | None:
    """Return the status that no other plugin may give; None where one may."""
    if hasattr(report, "context"):  # a part of a test
        return None
    apart = report.when in ("setup", "teardown")
    if report.failed:
        return ("error", "E", "ERROR") if apart else ("failed", "F", "FAILED")
    if report.passed:
        return ("", "", "") if apart else None
    return _APART.get(dict(getattr(report, "user_properties", ())).get("fairness.outcome"))  # a file has none
