"""Profiles: blocks of checks that several models share, filled in before anything else looks at the document."""

# What a model has from its profile keeps its line, and its place in messages: an author mends it where it stands.

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from fairness_checks.config.messages import near
from fairness_checks.config.schema import SECTIONS
from fairness_checks.config.yaml_document import Document, KeyPath, Problem, mapping_at
from fairness_checks.errors import did_you_mean
from fairness_checks.plain import shorten

__all__ = ["with_profiles"]

_MOST = 20_000  # checks of profiles, filled in: a file of 1 MiB could ask for a hundred million


def with_profiles(document: Document) -> Document:
    """Return a document in which each model has its profile's checks, and then its own."""
    # Lists of checks are joined, the profile's first. A model's own `sweep` takes the place of its profile's. Two
    # limits for one question stay two checks, which is an error: no profile's limit is replaced without a word.
    data = document.data
    models, profiles = mapping_at(data, "models"), mapping_at(data, "profiles")
    used = {name: model["profile"] for name, model in models.items() if isinstance(model, dict) and "profile" in model}
    if not used and not profiles:
        return document
    problems = sorted([*document.problems, *_problems(document, profiles, used)], key=lambda problem: problem.line)
    filled, moved = dict(models), dict[KeyPath, KeyPath]()
    if (most := sum(_size(profiles.get(profile)) for profile in used.values() if isinstance(profile, str))) > _MOST:
        message = f"the profiles give the models {most} checks; at most {_MOST} can be judged together"
        problems, used = [document.problem(("profiles",), message)], {}
    for name, profile in used.items():
        if isinstance(profile, str) and isinstance(profiles.get(profile), dict):
            filled[name] = _filled(models[name], profiles[profile], ("models", name), ("profiles", profile), moved)
    return replace(
        document,
        data=data | {"models": filled},
        lines=_with_moved(document.lines, moved),
        plain=_with_moved(document.plain, moved),
        problems=tuple(problems),
        moved=moved,
    )


def _size(profile: Any) -> int:
    """Return how many checks a profile has, or things that stand in their place."""
    sections = profile.values() if isinstance(profile, dict) else ()
    lists = [each.get("checks") if isinstance(each, dict) else each for each in sections]
    return sum(len(each) for each in lists if isinstance(each, list))


def _problems(document: Document, profiles: Mapping[str, Any], used: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield profiles that do not exist, that no model uses, and that hold nothing."""
    unknown = [profile for profile in used.values() if isinstance(profile, str) and profile not in profiles]
    for model, profile in used.items():
        if profile in unknown:
            message = f"there is no profile {shorten(repr(profile))}; {did_you_mean(profile, profiles)}"
            yield document.problem(("models", model, "profile"), message)
    for name, profile in profiles.items():
        if name not in used.values() and not any(near(name, other) for other in unknown):
            message = f"no model uses this profile; write `profile: {name}` under one, or remove it"
            yield document.problem(("profiles", name), message)
        if isinstance(profile, dict) and not any(near(str(key), section) for key in profile for section in SECTIONS):
            yield document.problem(("profiles", name), "holds no check; write some, or remove the profile")


def _filled(
    model: dict[str, Any], profile: dict[str, Any], own: KeyPath, shared: KeyPath, moved: dict[KeyPath, KeyPath]
) -> dict[str, Any]:
    """Return a model's entry with its profile's sections, and note what now stands elsewhere than in the file."""
    sections: dict[str, Any] = {}
    for section in SECTIONS:
        theirs, ours = profile.get(section), model.get(section)
        if section in profile and section not in model:
            sections[section] = theirs
            moved[*own, section] = (*shared, section)
        elif isinstance(theirs, list) and isinstance(ours, list):
            sections[section] = [*theirs, *ours]
            places = [(*shared, section, i) for i in range(len(theirs))] + [
                (*own, section, i) for i in range(len(ours))
            ]
            moved |= {(*own, section, i): place for i, place in enumerate(places)}
    both = model | sections
    return dict(sorted(both.items(), key=lambda item: SECTIONS.index(item[0]) if item[0] in SECTIONS else -1))


def _with_moved(known: Mapping[KeyPath, Any], moved: Mapping[KeyPath, KeyPath]) -> dict[KeyPath, Any]:
    """Return what is known of each path, of those that are filled in what is known of their place in the file."""
    below: dict[KeyPath, list[KeyPath]] = {}  # by a place that others are moved from, what lies there
    sources = set(moved.values())
    for path in known:
        for end in range(1, len(path) + 1):
            if path[:end] in sources:
                below.setdefault(path[:end], []).append(path)
    kept = {path: value for path, value in known.items() if not any(path[:end] in moved for end in (3, 4))}
    return kept | {
        (*to, *path[len(place) :]): known[path] for to, place in moved.items() for path in below.get(place, ())
    }
