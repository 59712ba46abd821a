"""``study.json``, the record of a dermatology study: whether it is whole, and which preset it is of.

Needs the standard library alone.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from models.vae_config import MIXES, PRESETS, VAEConfig

__all__ = [
    "FORMAT",
    "PAGES",
    "RECORD",
    "REMEDY",
    "StudyIncomplete",
    "changes_of",
    "preset_in_words",
    "read_record",
    "same_study",
]

RECORD = "study.json"
FORMAT = 2

PAGES = (
    *(f"{name}.md" for name in ("report", "labels", "uncertainties", "uncertainties-[ABC]")),
    *(f"{name}.png" for name in ("boxes", "conditions", "prevalence", "reconstructions", "scatter")),
    *(f"{name}.csv" for name in ("mse_by_mix", "gaps", "slopes", "tones", "uncertainty", "verdicts", "findings")),
    *(f"{name}.csv" for name in ("prevalence", "prevalence_distances", "conditions", "within_conditions")),
    *(f"{name}.csv" for name in ("labels_agreement", "labels_gaps", "uncertainties", "uncertainties-[ABC]")),
)
"""Patterns of all files that are made of the measurements in a folder."""

_WORDS = ("preset", "label", "perceptual", "features", "torch")
_KEYS: Mapping[str, type] = {**dict.fromkeys(_WORDS, str), "changed": dict, "seed": int, "trainings": list}
_KEYS_WITHIN: Mapping[str, Mapping[str, type]] = {
    "data": {
        **dict.fromkeys(("fingerprint", "source", "licence"), str),
        **dict.fromkeys(("image_size", "light", "dark"), int),
        "synthetic": bool,
        "skin_types": dict,
        "left_out": dict,
    },
    "config": dict.fromkeys(("image_size", "test_images", "repeats"), int),
}
_KEYS_OF_A_TRAINING = ("mix", "repeat", "file", "sha256")
_FINEST = 4096  # a weight that is a whole fraction down to this one is said as such
REMEDY = "run the study again, which trains only what is missing"


class StudyIncomplete(RuntimeError):
    """The folder holds no finished measurements, or damaged ones; the message names the file and the remedy."""


def read_record(folder: Path) -> dict[str, Any]:
    """Read the record of a study, which has all that the report reads, and a training of each mix in each repeat.

    Raises
    ------
    StudyIncomplete
        It is not there, is damaged, or lacks something.
    """
    path = folder / RECORD
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if record["format"] != FORMAT:
            raise StudyIncomplete(f"{path}: format {record['format']!r}, not {FORMAT}: run the study again")
        lacking = _lacking(record) or _lacking_trainings(record)
        if not lacking:
            _require_kinds(record)
            VAEConfig.from_description(record["config"])
    except FileNotFoundError:
        raise StudyIncomplete(
            f"{path}: not there; the study was not measured to its end; {REMEDY}: python -m models.studies.dermatology "
            f"--out {folder}, with the options that it had"
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise StudyIncomplete(f"{path}: damaged ({error}); {REMEDY}") from None
    if lacking:
        raise StudyIncomplete(f"{path}: it lacks {', '.join(lacking)}; {REMEDY}")
    return record


def _lacking(record: Mapping[str, Any]) -> list[str]:
    """Name the keys that are missing."""
    parts = {name: part if isinstance(part := record.get(name), dict) else {} for name in _KEYS_WITHIN}
    within = [f"{name}.{key}" for name, keys in _KEYS_WITHIN.items() for key in keys if key not in parts[name]]
    return [key for key in _KEYS if key not in record] + within


def _require_kinds(record: Mapping[str, Any]) -> None:
    """Raise ValueError where a value is of another kind than the report reads."""
    for part, kinds in ((record, _KEYS), *((record[name], kinds) for name, kinds in _KEYS_WITHIN.items())):
        for key, kind in kinds.items():
            if type(part[key]) is not kind:
                raise ValueError(f"{key} is {part[key]!r}, no {kind.__name__}")
    types = record["data"]["skin_types"]
    if set(types) != {"light", "dark"} or not all(isinstance(each, list) for each in types.values()):
        raise ValueError(f"skin_types is {types!r}: types of light and of dark, a list each")


def _lacking_trainings(record: Mapping[str, Any]) -> list[str]:
    """Name the trainings that are missing: the tables have a row for each mix and repeat."""
    there = {tuple(item[key] for key in _KEYS_OF_A_TRAINING)[:2] for item in record["trainings"]}
    expected = list(itertools.product(MIXES, range(record["config"]["repeats"])))
    if unknown := there - set(expected):
        raise ValueError(f"trainings that are of no mix or repeat of this study: {min(map(str, unknown))}")
    return [f"the training of mix {mix} in repeat {repeat}" for mix, repeat in expected if (mix, repeat) not in there]


def same_study(path: Path, record: Mapping[str, Any]) -> bool:
    """Say whether a file is the record of the same study: the same in all but the bytes of its trainings.

    Times are among those; what a training depends on is in its file's name.
    """
    try:
        return _but_bytes(json.loads(path.read_text(encoding="utf-8"))) == _but_bytes(record)
    except (ValueError, KeyError, TypeError, AttributeError):
        return False


def _but_bytes(record: Mapping[str, Any]) -> dict[str, Any]:
    files = sorted((item["mix"], item["repeat"], item["file"]) for item in record["trainings"])
    return {**record, "data": {**record["data"], "source": None}, "trainings": files}  # its words may change


def changes_of(preset: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return in which fields a configuration is not the preset, and what it has there.

    Parameters
    ----------
    preset : str
        A name in `models.vae_config.PRESETS`.
    asked : mapping of str to Any
        `VAEConfig.describe`.

    Examples
    --------
    >>> changes_of("cpu", {**PRESETS["cpu"].describe(), "repeats": 2})
    {'repeats': 2}
    """
    plain = PRESETS[preset].describe()
    return {name: value for name, value in asked.items() if name not in plain or value != plain[name]}


def preset_in_words(record: Mapping[str, Any]) -> str:
    """Return the preset of a study and what was changed in it.

    Examples
    --------
    >>> preset_in_words({"preset": "cpu", "changed": {"kl_weight": 1 / 256, "repeats": 2}})
    'cpu, with kl_weight 1/256, repeats 2'
    >>> preset_in_words({"preset": "cpu", "changed": {}})
    'cpu'
    """
    preset, changed = record["preset"], record["changed"]
    said = ", ".join(f"{name} {_in_words(value)}" for name, value in sorted(changed.items()))
    return f"{preset}, with {said}" if said else str(preset)


def _in_words(value: object) -> str:
    if isinstance(value, float):
        exact = Fraction(value)
        if exact.numerator == 1 and exact.denominator <= _FINEST:
            return str(exact)
    return str(value)
