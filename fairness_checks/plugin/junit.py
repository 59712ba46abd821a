"""What the JUnit file of a run says beside the tests' own properties, and in which form."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable
from typing import Any

import pytest

from fairness_checks.plain import printable
from fairness_checks.plugin.given_files import digest_in
from fairness_checks.plugin.keys import GATE

__all__ = ["complete_junit", "with_error"]

_TYPES = {"inconclusive": "fairness.inconclusive", "waived": "fairness.waived"}


def complete_junit(config: pytest.Config, deselected: Iterable[str]) -> None:
    """Complete pytest's JUnit report before it is written: what was judged by, models as classes, verdicts as types."""
    # Under `--fairness-junit-strict` properties stand with the suite alone, as Jenkins' schema has them.
    for junit in config.pluginmanager.get_plugins():
        if (add := getattr(junit, "add_global_property", None)) is None:
            continue
        for name, value in _of_run(config, deselected):
            add(name, value)
        for reporter in getattr(junit, "node_reporters_ordered", ()):
            case: ET.Element = reporter.to_xml()  # of a test that has ended the element itself, not a copy
            _complete(case)
            if config.getoption("fairness_junit_strict"):
                _move_properties(case, add)


def _of_run(config: pytest.Config, deselected: Iterable[str]) -> list[tuple[str, str]]:
    """Return what was judged, by what: properties of the suite."""
    from fairness_checks.baseline.provenance import installed_versions
    from fairness_checks.report.junit import run_properties

    gate = config.stash[GATE]
    return run_properties(
        file=gate.node_prefix,
        sha256=digest_in(gate.files, "limits"),
        burden_of_proof=gate.settings.burden_of_proof,
        seed=gate.limits.seed,
        day=gate.today.isoformat(),
        commit=gate.commit,
        versions=installed_versions(),
        unchecked=gate.limits.unchecked,
        deselected=deselected,
    )


_EMPTY = b'<testsuites><testsuite name="pytest" failures="0" skipped="0" time="0"/></testsuites>'
_OF_A_RUN = ("fairness", "test_run_ends_in_order")  # class and name of what is no test of the project


def with_error(content: bytes | None, why: str) -> bytes | None:
    """Return a JUnit report with why the run ended as a test in error; None where something failed in it already.

    None for `content` where there is no report yet; ValueError for what is no JUnit report.
    """
    try:
        root = ET.fromstring(content or _EMPTY)
    except ET.ParseError as error:
        raise ValueError(f"no JUnit report: {error}") from error
    suite = root if root.tag == "testsuite" else root.find("testsuite")
    if suite is None:
        raise ValueError("no JUnit report: it has no testsuite")
    if any(case.find(kind) is not None for case in suite.iter("testcase") for kind in ("failure", "error")):
        return None
    text = "\n".join(map(printable, (why.strip() or "the run ended red").splitlines()))
    case = ET.SubElement(suite, "testcase", classname=_OF_A_RUN[0], name=_OF_A_RUN[1], time="0.000")
    ET.SubElement(case, "error", message=text.splitlines()[0]).text = text
    suite.set("tests", str(len(list(suite.iter("testcase")))))
    suite.set("errors", "1")
    red: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return red


def _complete(case: ET.Element) -> None:
    said = {each.get("name"): each.get("value", "") for each in case.iter("property")}
    own = said.get("fairness.test") == "limits"
    if own and (model := said.get("fairness.model")):
        case.set("classname", f"fairness.{model}")
    for element in case:
        if element.tag == "failure" and own:  # the block stands in the text
            first = next(iter(element.get("message", "").splitlines()), "")
            element.set("message", first.removeprefix("Failed: "))
        if element.tag == "skipped" and (kind := _TYPES.get(said.get("fairness.verdict", ""))):
            element.set("type", kind)


def _move_properties(case: ET.Element, add: Any) -> None:
    from fairness_checks.report.junit import RECORD_PROPERTY

    for properties in case.findall("properties"):
        for each in properties:
            if each.get("name") == RECORD_PROPERTY:
                add(RECORD_PROPERTY, each.get("value", ""))
        case.remove(properties)
