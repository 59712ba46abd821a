"""The rows of Fitzpatrick17k's table that name an image of light or of dark skin, and those of one picture."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models.data.fitzpatrick17k_files import TABLE, Store, UnusableData, read_table
from models.data.images import LEVELS

__all__ = ["SKIN_TYPE_LABELS", "Row", "repeated", "rows_of", "skin_type_of", "tones_of_types"]

SKIN_TYPE_LABELS = ("fitzpatrick_scale", "fitzpatrick_centaur")
"""Columns that have the skin type: of one team of annotators, and of another."""

_OTHER_NAMES = {"fitzpatrick_scale": ("fitzpatrick",)}  # in the first version of the table
_SKIN_TYPES = {"-1": 0, "": 0} | {str(skin_type): skin_type for skin_type in range(1, 7)}


class Row(NamedTuple):
    """One image of the table: its name, Fitzpatrick skin type, group and conditions."""

    md5hash: str
    skin_type: int
    tone: str
    labels: tuple[str, ...]  # at each of LEVELS


def tones_of_types(light_types: Collection[int], dark_types: Collection[int]) -> dict[int, str]:
    """Return the group of each skin type.

    Raises
    ------
    ValueError
        If a group has no type, a type is not 1 to 6, or it is in both groups.
    """
    for name, types in (("light_types", light_types), ("dark_types", dark_types)):
        if not types or not set(types) <= set(range(1, 7)):
            raise ValueError(f"{name}={types!r}: name at least one skin type, 1 to 6")
    if both := sorted(set(light_types) & set(dark_types)):
        raise ValueError(f"skin type {both[0]} is both in light_types and in dark_types")
    return dict.fromkeys(light_types, "light") | dict.fromkeys(dark_types, "dark")


def skin_type_of(text: str, where: str) -> int:
    """Return the skin type that a field of the table says, 0 for none.

    Examples
    --------
    >>> skin_type_of("5", "here"), skin_type_of("-1", "here")
    (5, 0)
    """
    if text.strip() not in _SKIN_TYPES:
        raise UnusableData(f"{where}: skin type {text.strip()!r} is none of {', '.join(_SKIN_TYPES)}")
    return _SKIN_TYPES[text.strip()]


def rows_of(
    store: Store, tones: dict[int, str], keep_wrongly_labelled: bool, label: str = SKIN_TYPE_LABELS[0]
) -> tuple[list[Row], Counter[str]]:
    """Return the rows of the two groups, sorted, and how many others there are for each reason."""
    where = f"{store.name}, {TABLE}"
    skin_type_names = (label, *_OTHER_NAMES.get(label, ()))
    columns = [skin_type_names, *((level,) for level in LEVELS), *([] if keep_wrongly_labelled else [("qc",)])]
    rows: list[Row] = []
    unused: Counter[str] = Counter()
    for number, row in enumerate(read_table(store.table, where, columns), start=1):
        skin_type = skin_type_of(row[label], f"{where}, row {number}")
        if skin_type == 0:
            unused["without a skin type"] += 1
        elif skin_type not in tones:
            unused["of other skin types"] += 1
        elif not keep_wrongly_labelled and row["qc"].strip().startswith("3"):
            unused["marked as wrongly labelled"] += 1
        else:
            rows.append(Row(row["md5hash"], skin_type, tones[skin_type], tuple(row[level] for level in LEVELS)))
    return sorted(rows, key=lambda row: row.md5hash), unused


def repeated(rows: Sequence[Row], pixels: npt.NDArray[np.uint8], faults: Collection[int]) -> dict[int, str]:
    """Return why an image whose pixels another one has too is left out, by position."""
    alike: dict[bytes, list[int]] = {}
    for at in range(len(rows)):
        if at not in faults:
            alike.setdefault(hashlib.sha256(pixels[at].data).digest(), []).append(at)
    reasons: dict[int, str] = {}
    for first, *others in alike.values():
        for at in others:
            reasons[at] = _same_picture(rows[at], rows[first])
        contrary = [at for at in others if rows[at].tone != rows[first].tone]
        if contrary:  # nobody knows which group the picture belongs to
            reasons[first] = _same_picture(rows[first], rows[contrary[0]])
            reasons |= {at: f"{reasons[at]}; light and dark, so that none is used" for at in (first, *others)}
    return reasons


def _same_picture(row: Row, other: Row) -> str:
    same = "listed twice" if row.md5hash == other.md5hash else f"same picture as {other.md5hash}"
    here = (("skin_type", row.skin_type), *zip(LEVELS, row.labels, strict=True))
    there = (other.skin_type, *other.labels)
    unlike = [f"{name} {a}, there {b}" for (name, a), b in zip(here, there, strict=True) if a != b]
    return "; ".join([f"repeated: {same}", *unlike])
