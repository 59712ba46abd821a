"""Names in thresholds.yaml that only the models know: the models themselves and their sensitive features."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from fairness_checks.config.rules import checks_of
from fairness_checks.config.yaml_document import Document, Problem, mapping_at
from fairness_checks.errors import did_you_mean

__all__ = ["Declared", "name_problems"]

Declared: TypeAlias = Mapping[str, tuple[str, ...] | None]
"""Each model that was found, and the sensitive features that it declares; None where it declares none."""

_REMEDY = "decorate a fixture of this name with @fairness_model in a conftest.py that this file can see"


def name_problems(document: Document, models: Declared) -> Iterator[Problem]:
    """Yield models that were not found, and features that a model does not declare."""
    # Reads the document and not the parsed configuration, so that a file with other mistakes is checked as well.
    data = document.data
    for key, remedy in (("models", f"; {_REMEDY}"), ("unchecked", ", or remove the line")):
        entries = data.get(key) if isinstance(data, dict) else None
        of_files = {name for name, entry in mapping_at(data, "models").items() if mapping_at(entry, "source")}
        for name in sorted(of_files & models.keys()) if key == "models" else ():
            message = f"a fixture {name!r} decorated with @fairness_model is there, too; keep one of them"
            yield document.problem((key, name, "source"), message)
        known = models.keys() | of_files
        missing = [name for name in entries if name not in known] if isinstance(entries, dict) else []
        if missing and not known:  # one mistake, whatever the number of names
            yield document.problem(
                (key,), f"no model was found at all, so none of {', '.join(map(str, missing))}{remedy}"
            )
            continue
        for name in missing:
            message = f"no model of this name was found; {did_you_mean(name, known)}{remedy}"
            yield document.problem((key, name), message)
    seen = set()
    for path, check in checks_of(data):
        swept = path[2] == "sweep"  # all checks of a sweep are by its one feature
        declared = models.get(str(path[1]))
        for key in ("by", "control_features") if declared is not None else ():
            names = check.get(key)
            features = [names] if isinstance(names, str) else names
            for feature in features if isinstance(features, list) else ():
                if isinstance(feature, str) and feature not in (declared or ()):
                    nearest = did_you_mean(feature, declared or ())
                    message = f"the model declares no sensitive feature {feature!r}; {nearest}"
                    place = (*path[:3], "by") if swept else (*path, key)
                    if (place, feature) not in seen:
                        yield document.problem(place, message)
                    seen.add((place, feature))
