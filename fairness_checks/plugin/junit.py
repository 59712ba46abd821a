"""What the JUnit file of a run says beside the tests' own properties, and in which form."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from fairness_checks.plugin.keys import GATE

__all__ = ["complete_junit"]

_TYPES = {"inconclusive": "fairness.inconclusive", "waived": "fairness.waived"}


def complete_junit(config: pytest.Config, deselected: Iterable[str]) -> None:
    """Complete pytest's JUnit report before it is written: what was judged by, models as classes, verdicts as types."""
    # Under `--fairness-junit-strict` properties stand with the suite alone, as Jenkins' schema has them.
    for junit in config.pluginmanager.get_plugins():
        if (add := getattr(junit, "add_global_property", None)) is None:
            continue
        for name, value in _of_run(config):
            add(name, value)
        for node in deselected:
            add("fairness.deselected", node)
        for reporter in getattr(junit, "node_reporters_ordered", ()):
            case: ET.Element = reporter.to_xml()  # of a test that has ended the element itself, not a copy
            _complete(case)
            if config.getoption("fairness_junit_strict"):
                _move_properties(case, add)


def _of_run(config: pytest.Config) -> Iterator[tuple[str, str]]:
    """Yield what was judged, by what: properties of the suite."""
    from fairness_checks.baseline.provenance import installed_versions

    gate = config.stash[GATE]
    yield "fairness.config", gate.node_prefix
    if len(digest := gate.files.get("limits", "")) == _SHA256:
        yield "fairness.config.sha256", digest
    yield "fairness.burden_of_proof", gate.settings.burden_of_proof
    yield "fairness.seed", str(gate.limits.seed)
    yield "fairness.day", gate.today.isoformat()
    if gate.commit:
        yield "fairness.git_commit", gate.commit
    for package, version in sorted(installed_versions().items()):
        yield f"fairness.version.{package.replace('-', '_')}", version
    for model, reason in gate.limits.unchecked.items():
        yield "fairness.unchecked", f"{model}: {reason}"


_SHA256 = 64  # digits


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
