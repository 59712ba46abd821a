"""The shape of thresholds.yaml for editors, and a file with its profiles filled in."""

from __future__ import annotations

import sys
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from fairness_checks.config.key_meanings import meaning_of
from fairness_checks.config.schema import CheckSpec, FileSpec, SweepCheckSpec, build_all
from fairness_checks.config.yaml_document import Document, KeyPath
from fairness_checks.question.limits import limits_in
from fairness_checks.question.metric_names import ALIASES
from fairness_checks.question.metrics import METRICS

__all__ = ["expanded_yaml", "json_schema", "limits_yaml"]

_TEXT = "tag:yaml.org,2002:str"
_FLOW_FROM = 4  # keys: a check, the mixes of a sweep


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of thresholds.yaml: what can be seen without the models."""
    build_all()
    found = FileSpec.model_json_schema(mode="validation")
    shapes: dict[str, dict[str, Any]] = found["$defs"]
    for spec, section in ((CheckSpec, "subgroups"), (SweepCheckSpec, "sweep")):
        shape, kinds = shapes[spec.__name__], limits_in(section)
        for kind in kinds:
            shape["properties"][kind].pop("default", None)  # NaN, which stands for a limit that is not given
        shape["oneOf"] = [{"required": [kind]} for kind in kinds]
    for shape in shapes.values():
        if "metric" in shape["properties"]:
            shape["properties"]["metric"]["examples"] = [*sorted(METRICS), *sorted(ALIASES)]
        shape["description"] = shape["description"].split(";")[0].split(": see ")[0]
    for name, shape in {**shapes, FileSpec.__name__: found}.items():
        for key, value in shape["properties"].items():
            value["description"] = meaning_of(name, key)
    found["properties"]["version"] |= {"const": 1}
    found["required"] = ["version", "models"]
    about = {"title": "thresholds.yaml", "description": "The limits of pytest --fairness"}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **found, **about}


class _Plain(yaml.SafeDumper):
    """Writes equal values out, each in its place."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def limits_yaml(data: dict[str, Any]) -> str:
    """Write plain data as a file of limits, each check in a line."""
    return str(
        yaml.dump(data, Dumper=_Plain, sort_keys=False, allow_unicode=True, default_flow_style=None, width=sys.maxsize)
    )


def expanded_yaml(document: Document) -> str:
    """Write a document without its profiles, which have been filled in; every scalar as its author wrote it."""
    data = {key: value for key, value in document.data.items() if key != "profiles"}
    models = data["models"].items()
    data["models"] = {name: {key: value for key, value in model.items() if key != "profile"} for name, model in models}
    return str(
        yaml.serialize(
            _node(document, (), data), Dumper=yaml.SafeDumper, allow_unicode=True, width=sys.maxsize, indent=2
        )
    )


def _node(document: Document, path: KeyPath, value: Any) -> Node:
    if isinstance(value, dict):
        pairs = [(ScalarNode(_TEXT, key), _node(document, (*path, key), each)) for key, each in value.items()]
        flow = not value or path == ("defaults",) or len(path) >= _FLOW_FROM
        return MappingNode("tag:yaml.org,2002:map", pairs, flow_style=flow)
    if isinstance(value, list):
        items = [_node(document, (*path, index), each) for index, each in enumerate(value)]
        flow = not any(isinstance(each, dict) for each in value)
        return SequenceNode("tag:yaml.org,2002:seq", items, flow_style=flow)
    written = document.plain.get(path)
    if written is None:
        return ScalarNode(_TEXT, value)  # it was quoted, and is again where it must be
    tag = yaml.resolver.Resolver().resolve(ScalarNode, written, (True, False))  # type: ignore[no-untyped-call]  # the stubs
    return ScalarNode(tag, written)
