"""`source:` of a model in thresholds.yaml: the file of its predictions, and what no single key of it shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fairness_checks.config.schema import ModelSpec, SourceSpec
from fairness_checks.config.yaml_document import Document, KeyPath, Problem, as_written
from fairness_checks.inputs.source import Source, source_problems

__all__ = ["source_of", "source_rules"]


def source_of(document: Document, model: str, spec: SourceSpec) -> Source:
    """Return a model's source, the positive class as it is written: `yes` where YAML says True."""
    given = {name: getattr(spec, name) for name in spec.model_fields_set}
    if "positive" in given:
        given["positive"] = as_written(document, ("models", model, "source", "positive"), given["positive"])
    given["file"] = spec.file or ""
    given["by"] = tuple(spec.by)
    given["bins"] = {name: tuple(edges) for name, edges in spec.bins.items()}
    return Source(**given)


def source_rules(document: Document, models: Mapping[str, ModelSpec]) -> Iterator[Problem]:
    """Yield what is wrong between the keys of sources, and checks that no file can answer."""
    for name, model in models.items():
        if model.source is None:
            continue
        for key, message in source_problems(source_of(document, name, model.source)):
            path: KeyPath = ("models", name, "source", key)
            yield document.problem(path, message)
        if model.sweep is not None:
            message = "a file of predictions cannot be trained again; remove the sweep, or give a fixture that can"
            yield document.problem(("models", name, "sweep"), message)
