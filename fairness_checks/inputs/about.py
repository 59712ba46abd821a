"""What a model and its data are, in words: kept with every record and shown in every report."""

from __future__ import annotations

import re
from collections.abc import Mapping

from fairness_checks.errors import InvalidPredictions
from fairness_checks.plain import half_character

__all__ = ["read_about"]

_NAME = re.compile(r"[a-z][a-z0-9_]*")


def read_about(about: Mapping[str, str] | None) -> dict[str, str]:
    """Return what a model and its data are, sorted by name: small letters, digits, underscores."""
    for name, text in (about or {}).items():
        if type(name) is not str or not _NAME.fullmatch(name):
            raise InvalidPredictions(f"about: name {name!r} must be small letters, digits and underscores: 'preset'")
        if type(text) is not str or not text.strip():
            raise InvalidPredictions(f"about[{name!r}]: {text!r} must be text that is not empty")
        if (half := half_character(text)) is not None:
            raise InvalidPredictions(f"about[{name!r}]: {text!r} holds half a character, {half!r}; write another text")
    return dict(sorted((about or {}).items()))
